
/*
 * ngx_http_longpoll_utf8.c: UTF-8 as RFC 3629 defines it.
 *
 * Every body that is published and every name in a query is checked here, as
 * clients may decode answers strictly.  nginx's ngx_utf8_decode() accepts
 * surrogates, and yajl accepts overlong forms, too.
 *
 * Most text is ASCII: its bytes are looked at 64 or 16 at a time.
 */


#include "ngx_http_longpoll_utf8.h"
#include "ngx_http_longpoll_bytes.h"


static u_char *ngx_http_longpoll_utf8_ascii(u_char *p, u_char *last,
    ngx_uint_t *control);


ngx_uint_t
ngx_http_longpoll_utf8_valid(u_char *p, size_t len)
{
    ngx_uint_t  control;

    return ngx_http_longpoll_utf8_scan(p, len, &control);
}


ngx_uint_t
ngx_http_longpoll_utf8_scan(u_char *p, size_t len, ngx_uint_t *control)
{
    u_char  *last;

    last = p + len;
    *control = 0;

    while (p < last) {

        if (*p < 0x80) {
            p = ngx_http_longpoll_utf8_ascii(p, last, control);
            continue;
        }

        p = ngx_http_longpoll_utf8_next(p, last);

        if (p == NULL) {
            return 0;
        }
    }

    return 1;
}


/*
 * Returns the end of the ASCII characters that begin at p.  A character that is
 * no control character has its highest bit set when 0x60 is added.
 */

static u_char *
ngx_http_longpoll_utf8_ascii(u_char *p, u_char *last, ngx_uint_t *control)
{
    ngx_uint_t                 n;
    ngx_http_longpoll_bytes_t  a, b, c, d, plain;

    plain = (ngx_http_longpoll_bytes_t) { 0 } + 0x80;

    for ( /* void */ ; last - p >= 64; p += 64) {
        ngx_memcpy(&a, p, 16);
        ngx_memcpy(&b, p + 16, 16);
        ngx_memcpy(&c, p + 32, 16);
        ngx_memcpy(&d, p + 48, 16);

        if (ngx_http_longpoll_bytes_some(a | b | c | d)) {
            break;
        }

        plain &= (a + 0x60) & (b + 0x60) & (c + 0x60) & (d + 0x60);
    }

    *control |= !ngx_http_longpoll_bytes_each(plain);

    for ( /* void */ ; last - p >= 16; p += 16) {
        ngx_memcpy(&a, p, 16);

        n = ngx_http_longpoll_bytes_first(a & 0x80);
        *control |= ngx_http_longpoll_bytes_first(a < 0x20) < n;

        if (n < 16) {
            return p + n;
        }
    }

    for ( /* void */ ; p < last && *p < 0x80; p++) {
        *control |= (*p < 0x20);
    }

    return p;
}


u_char *
ngx_http_longpoll_utf8_write(u_char *p, uint32_t c)
{
    if (c < 0x80) {
        *p++ = (u_char) c;
        return p;
    }

    if (c < 0x800) {
        *p++ = (u_char) (0xc0 | c >> 6);

    } else {

        if (c < 0x10000) {
            *p++ = (u_char) (0xe0 | c >> 12);

        } else {
            *p++ = (u_char) (0xf0 | c >> 18);
            *p++ = (u_char) (0x80 | (c >> 12 & 0x3f));
        }

        *p++ = (u_char) (0x80 | (c >> 6 & 0x3f));
    }

    *p++ = (u_char) (0x80 | (c & 0x3f));

    return p;
}
