
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

/* the same of the name of a category: most are short, and nothing is escaped */
size_t ngx_http_longpoll_escape_name_len(ngx_str_t *name);

/*
 * Writes the text to p, and returns its end.  len is what ..._len() has
 * returned.  Bytes that are not UTF-8 are written as they are.
 */
u_char *ngx_http_longpoll_escape(u_char *p, ngx_str_t *text, size_t len);


#endif /* _NGX_HTTP_LONGPOLL_ESCAPE_H_INCLUDED_ */
