
/*
 * ngx_http_longpoll_escape.h: a text -> what stands between the quotes of a
 * JSON string, as Go's encoding/json writes it.
 *
 * '"', '\\', control bytes, <, >, &, U+2028 and U+2029 are escaped; \b \f \n \r
 * \t have their short forms, DEL is not escaped.
 */


#ifndef _NGX_HTTP_LONGPOLL_ESCAPE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ESCAPE_H_INCLUDED_


#include "ngx_http_longpoll.h"


/*
 * Returns the bytes that the text takes, which is text->len if nothing is
 * escaped.  *valid is whether the text is UTF-8, as utf8 has it.
 */
size_t ngx_http_longpoll_escape_len(ngx_str_t *text, ngx_uint_t *valid);

/*
 * Writes the text to p, as many bytes as ..._len() has returned, and returns
 * their end.  Bytes that are not UTF-8 are written as they are.
 */
u_char *ngx_http_longpoll_escape(u_char *p, ngx_str_t *text);

/*
 * What stands behind the backslash for a byte.  0: the byte stands for itself;
 * 'u': \u00 and two digits follow; 0xe2: U+2028 or U+2029 may begin here.
 */
extern const u_char  ngx_http_longpoll_escape_letters[256];


#endif /* _NGX_HTTP_LONGPOLL_ESCAPE_H_INCLUDED_ */
