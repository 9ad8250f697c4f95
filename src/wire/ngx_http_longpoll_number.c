
/*
 * ngx_http_longpoll_number.c: whether a JSON number fits into a double.
 *
 * Owns the limit.  The largest double is 2^1024 - 2^971.  A number is rounded
 * to the nearest double, and one that is halfway between two doubles to the
 * even one.  So the first number that is too large is 2^1024 - 2^970, which is
 * halfway to 2^1024.
 *
 * That limit has 309 digits.  A number is written as 0.DIGITS * 10^E, where
 * DIGITS does not begin with 0:
 *
 *      E < 309     fits
 *      E > 309     does not fit
 *      E = 309     fits if DIGITS are before those of the limit, as text
 *
 * So nothing is converted or copied, and no locale counts.
 */


#include "ngx_http_longpoll_number.h"


#define NGX_HTTP_LONGPOLL_NUMBER_DIGITS                                       \
    ((ngx_int_t) sizeof(ngx_http_longpoll_number_limit) - 1)

/* no body has so many digits, so a larger exponent makes no difference */

#define NGX_HTTP_LONGPOLL_NUMBER_EXPONENT  ((ngx_int_t) 1 << 48)


static ngx_int_t ngx_http_longpoll_number_exponent(u_char *p, u_char *last);


static const u_char  ngx_http_longpoll_number_limit[] =
    "1797693134862315807937289714053034150799341327100378269361737789804449"
    "6829276475094664901797758720709633028641669288791094655554785194040263"
    "0657488671505820681908902000708383676273854845817711531764475730270069"
    "8555713669596228429148198608349364752927190741684443655107043427115596"
    "99508093042880177904174497792";


ngx_uint_t
ngx_http_longpoll_number_fits(u_char *p, size_t len)
{
    u_char        *last, *end, *point;
    ngx_int_t      exponent;
    const u_char  *limit;

    last = p + len;

    if (*p == '-') {
        p++;
    }

    for (end = p; end < last && (*end | 0x20) != 'e'; end++) { /* void */ }

    if (end == last && last - p < NGX_HTTP_LONGPOLL_NUMBER_DIGITS) {
        return 1;
    }

    point = memchr(p, '.', end - p);

    if (point == NULL) {
        point = end;
    }

    while (p < end && (*p == '0' || *p == '.')) {
        p++;
    }

    if (p == end) {
        return 1;
    }

    /* p is at the first of DIGITS */

    exponent = ngx_http_longpoll_number_exponent(end, last)
               + (point - p) + (p > point);

    if (exponent != NGX_HTTP_LONGPOLL_NUMBER_DIGITS) {
        return exponent < NGX_HTTP_LONGPOLL_NUMBER_DIGITS;
    }

    for (limit = ngx_http_longpoll_number_limit; *limit && p < end; p++) {

        if (*p == '.') {
            continue;
        }

        if (*p != *limit) {
            return *p < *limit;
        }

        limit++;
    }

    /* the last digit of the limit is not 0 */

    return *limit != '\0';
}


/* p is at the letter; without an exponent, at last */

static ngx_int_t
ngx_http_longpoll_number_exponent(u_char *p, u_char *last)
{
    ngx_int_t   n;
    ngx_uint_t  negative;

    if (p == last) {
        return 0;
    }

    p++;
    negative = (*p == '-');

    if (*p == '-' || *p == '+') {
        p++;
    }

    for (n = 0; p < last && n < NGX_HTTP_LONGPOLL_NUMBER_EXPONENT; p++) {
        n = n * 10 + (*p - '0');
    }

    return negative ? -n : n;
}
