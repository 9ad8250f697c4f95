
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


/*
 * p is at a byte that is not ASCII.  Returns the end of its character, or NULL
 * if it is not UTF-8.  Overlong forms, surrogates and what is too high show in
 * the second byte.
 */

static ngx_inline u_char *
ngx_http_longpoll_utf8_next(u_char *p, u_char *last)
{
    u_char  c, low, high;

    c = p[0];

    if (c < 0xe0) {
        return (c >= 0xc2 && last - p >= 2 && (p[1] & 0xc0) == 0x80) ? p + 2
                                                                     : NULL;
    }

    if (c < 0xf0) {
        low = (c == 0xe0) ? 0xa0 : 0x80;
        high = (c == 0xed) ? 0x9f : 0xbf;

        return (last - p >= 3 && p[1] >= low && p[1] <= high
                && (p[2] & 0xc0) == 0x80) ? p + 3 : NULL;
    }

    low = (c == 0xf0) ? 0x90 : 0x80;
    high = (c == 0xf4) ? 0x8f : 0xbf;

    return (c <= 0xf4 && last - p >= 4 && p[1] >= low && p[1] <= high
            && (p[2] & 0xc0) == 0x80 && (p[3] & 0xc0) == 0x80) ? p + 4 : NULL;
}


#endif /* _NGX_HTTP_LONGPOLL_UTF8_H_INCLUDED_ */
