
/*
 * ngx_http_longpoll_string.h: the text of a JSON string, "It\u2019s\n" say.
 *
 * All functions but ..._plain() want valid JSON: what is read here was checked
 * when it was published.
 */


#ifndef _NGX_HTTP_LONGPOLL_STRING_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_STRING_H_INCLUDED_


#include "ngx_http_longpoll.h"


/*
 * Skips bytes that stand for themselves in a string.  Returns the next quote,
 * backslash or control character, or last.
 */
u_char *ngx_http_longpoll_string_plain(u_char *p, u_char *last);

/* p is at the opening quote; returns the end behind the closing quote */
u_char *ngx_http_longpoll_string_end(u_char *p, u_char *last);

/*
 * Decodes what stands between the quotes to dst, which has room for size bytes.
 * Returns the end, or NULL if there is no room.  The decoded text is never
 * longer than the text.  A surrogate without its other half becomes U+FFFD, as
 * in Go.
 */
u_char *ngx_http_longpoll_string_decode(u_char *dst, size_t size,
    ngx_str_t *text);

/*
 * Finds the first escape of a surrogate without its other half, such as \ud83d
 * in "cut \ud83d", in JSON text that ends at last: a value, with all keys and
 * strings in it.  Returns NULL if there is none.
 */
u_char *ngx_http_longpoll_string_lone(u_char *p, u_char *last);

/* writes \ufffd, which has the same length, over each of these escapes */
void ngx_http_longpoll_string_replace(u_char *p, u_char *last);

/*
 * Writes a JSON value as plain text: the content of a string, any other value
 * as it is.  dst has room for value->len bytes.  Returns the end.
 */
u_char *ngx_http_longpoll_string_text(u_char *dst, ngx_str_t *value);


#endif /* _NGX_HTTP_LONGPOLL_STRING_H_INCLUDED_ */
