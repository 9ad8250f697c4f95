
/*
 * ngx_http_longpoll_decimal.h: a number in decimal digits.
 *
 * For what is written often: answers, files and commands for Redis, where
 * ngx_sprintf() takes some 200 instructions for each number.
 */


#ifndef _NGX_HTTP_LONGPOLL_DECIMAL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_DECIMAL_H_INCLUDED_


#include "ngx_http_longpoll.h"


/* whether a number has 13 digits, as all ms from 2001 to 2286 have */

#define ngx_http_longpoll_decimal_is_today(n)                                 \
    ((n) >= 1000000000000ULL && (n) < 10000000000000ULL)


/* writes as many digits as n needs, 20 at most, and returns their end */
u_char *ngx_http_longpoll_decimal(u_char *p, uint64_t n);


/* how many these are */

static ngx_inline size_t
ngx_http_longpoll_decimal_len(uint64_t n)
{
    size_t  digits;

    if (ngx_http_longpoll_decimal_is_today(n)) {
        return 13;
    }

    for (digits = 1; n >= 10; n /= 10) {
        digits++;
    }

    return digits;
}


#endif /* _NGX_HTTP_LONGPOLL_DECIMAL_H_INCLUDED_ */
