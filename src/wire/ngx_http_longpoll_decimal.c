
/*
 * ngx_http_longpoll_decimal.c: a number in decimal digits.
 *
 * Two digits are taken from a table at a time, from the end.
 *
 * The number that is printed most often is a time in ms: its 13 digits need no
 * loop, and no division of 64 bits but the first.
 */


#include "ngx_http_longpoll_decimal.h"


/* two digits of n < 100 */

#define ngx_http_longpoll_decimal_pair(p, n)                                  \
    ngx_cpymem(p, &ngx_http_longpoll_decimal_pairs[(n) * 2], 2)


static const u_char  ngx_http_longpoll_decimal_pairs[] =
    "0001020304050607080910111213141516171819"
    "2021222324252627282930313233343536373839"
    "4041424344454647484950515253545556575859"
    "6061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";


u_char *
ngx_http_longpoll_decimal(u_char *p, uint64_t n)
{
    u_char      *dst, *last;
    uint32_t     high, middle, low;
    ngx_uint_t   pair;

    if (n < 10) {
        *p++ = (u_char) (n + '0');
        return p;
    }

    if (n < 100) {
        return ngx_http_longpoll_decimal_pair(p, n);
    }

    if (ngx_http_longpoll_decimal_is_today(n)) {
        high = (uint32_t) (n / 100000000);
        low = (uint32_t) (n % 100000000);

        *p++ = (u_char) (high / 10000 + '0');
        high %= 10000;
        middle = low / 10000;
        low %= 10000;

        p = ngx_http_longpoll_decimal_pair(p, high / 100);
        p = ngx_http_longpoll_decimal_pair(p, high % 100);
        p = ngx_http_longpoll_decimal_pair(p, middle / 100);
        p = ngx_http_longpoll_decimal_pair(p, middle % 100);
        p = ngx_http_longpoll_decimal_pair(p, low / 100);

        return ngx_http_longpoll_decimal_pair(p, low % 100);
    }

    last = p + ngx_http_longpoll_decimal_len(n);
    dst = last;

    while (n >= 100) {
        pair = (ngx_uint_t) (n % 100) * 2;
        n /= 100;

        *--dst = ngx_http_longpoll_decimal_pairs[pair + 1];
        *--dst = ngx_http_longpoll_decimal_pairs[pair];
    }

    if (n >= 10) {
        pair = (ngx_uint_t) n * 2;

        *--dst = ngx_http_longpoll_decimal_pairs[pair + 1];
        *--dst = ngx_http_longpoll_decimal_pairs[pair];

    } else {
        *--dst = (u_char) (n + '0');
    }

    return last;
}
