
/*
 * ngx_http_longpoll_utf8.c: UTF-8 as RFC 3629 defines it.
 *
 * Every body that is published and every name in a query is checked here, as
 * clients may decode answers strictly.  nginx's ngx_utf8_decode() accepts
 * surrogates, and yajl accepts overlong forms, too.
 *
 * Most text is ASCII: its bytes are skipped sixteen at a time.
 */


#include "ngx_http_longpoll_utf8.h"


/* gcc and clang compile these to what the machine has */

typedef uint64_t  ngx_http_longpoll_utf8_words_t
    __attribute__((vector_size(16)));


ngx_uint_t
ngx_http_longpoll_utf8_valid(u_char *p, size_t len)
{
    u_char                          c, low, high, *last;
    size_t                          n;
    ngx_http_longpoll_utf8_words_t  w;

    last = p + len;

    while (p < last) {

        while (last - p >= (ssize_t) sizeof(w)) {
            ngx_memcpy(&w, p, sizeof(w));

            if ((w[0] | w[1]) & 0x8080808080808080ULL) {
                break;
            }

            p += sizeof(w);
        }

        if (p == last) {
            break;
        }

        c = *p++;

        if (c < 0x80) {
            continue;
        }

        if (c < 0xc2 || c > 0xf4) {
            return 0;
        }

        n = (c < 0xe0) ? 1 : (c < 0xf0) ? 2 : 3;

        if ((size_t) (last - p) < n) {
            return 0;
        }

        /* overlong forms, surrogates and what is too high: by second byte */

        low = (c == 0xe0) ? 0xa0 : (c == 0xf0) ? 0x90 : 0x80;
        high = (c == 0xed) ? 0x9f : (c == 0xf4) ? 0x8f : 0xbf;

        if (*p < low || *p > high) {
            return 0;
        }

        for (p++, n--; n; p++, n--) {
            if ((*p & 0xc0) != 0x80) {
                return 0;
            }
        }
    }

    return 1;
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
