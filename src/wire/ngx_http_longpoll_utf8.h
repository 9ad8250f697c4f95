
/*
 * ngx_http_longpoll_utf8.h: UTF-8 as RFC 3629 defines it.
 */


#ifndef _NGX_HTTP_LONGPOLL_UTF8_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_UTF8_H_INCLUDED_


#include "ngx_http_longpoll.h"


/*
 * Returns 1 if the bytes are UTF-8: no overlong forms, no surrogates, nothing
 * above U+10FFFF, no character that is cut off.
 */
ngx_uint_t ngx_http_longpoll_utf8_valid(u_char *p, size_t len);

/* the same; if it returns 1, *control is whether some byte is below 0x20 */
ngx_uint_t ngx_http_longpoll_utf8_scan(u_char *p, size_t len,
    ngx_uint_t *control);

/* writes a character, of at most four bytes, and returns the end */
u_char *ngx_http_longpoll_utf8_write(u_char *p, uint32_t c);


#endif /* _NGX_HTTP_LONGPOLL_UTF8_H_INCLUDED_ */
