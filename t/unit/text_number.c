
/*
 * text_number.c: numbers that a double holds, and bodies with others; and
 * numbers as digits.
 */


#include <ngx_http_longpoll_decimal.h>

#include "text.h"


/* 2^1024 - 2^970, the first that is too large, and the one before it */

#define TEXT_FRONT                                                            \
    "17976931348623158079372897140530341507993413271003782693617377898044"    \
    "49682927647509466490179775872070963302864166928879109465555478519404"    \
    "02630657488671505820681908902000708383676273854845817711531764475730"    \
    "27006985557136695962284291481986083493647529271907416844436551070434"    \
    "271155969950809304288017790417449779"

#define TEXT_LARGE  TEXT_FRONT "2"
#define TEXT_FIT    TEXT_FRONT "1"

#define TEXT_ZEROS  "00000000000000000000000000000000000000000000000000"
#define TEXT_400    TEXT_ZEROS TEXT_ZEROS TEXT_ZEROS TEXT_ZEROS               \
                    TEXT_ZEROS TEXT_ZEROS TEXT_ZEROS TEXT_ZEROS


/* n in digits, as printf() has it, with nothing written behind them */

static void
text_decimal(uint64_t n)
{
    int      len;
    char     expected[NGX_INT64_LEN + 1];
    u_char  *p;

    len = sprintf(expected, "%llu", (unsigned long long) n);
    p = text_piece(NULL, len);

    text_ok(ngx_http_longpoll_decimal(p, n) == p + len
            && memcmp(p, expected, len) == 0, expected);
    text_ok(ngx_http_longpoll_decimal_len(n) == (size_t) len, expected);

    text_drop(1);
}


static void
text_decimals(void)
{
    uint64_t    n;
    ngx_uint_t  i, k;

    for (n = 0; n < 1100; n++) {
        text_decimal(n);
    }

    for (i = 0, n = 1; i < 20; i++, n *= 10) {
        text_decimal(n - 1);
        text_decimal(n);
        text_decimal(n + 1);

        for (k = 0; k < 100; k++) {
            text_decimal(n + unit_random() % n);
        }
    }

    text_decimal((uint64_t) -1);

    text_end("a number's digits are those of printf()");
}


static ngx_uint_t
text_fits(const char *s, size_t len)
{
    ngx_uint_t  fits;

    fits = ngx_http_longpoll_number_fits(text_piece(s, len), len);
    text_drop(1);

    return fits;
}


/* as strtod() says; s ends with a NUL */

static ngx_uint_t
text_number_is(const char *s)
{
    ngx_uint_t  fits;

    fits = isfinite(strtod(s, NULL)) != 0;

    if (text_fits(s, strlen(s)) != fits) {
        text_say("number", (u_char *) s, strlen(s), fits ? "too large" : "fits",
                 fits ? "fits" : "too large");
    }

    return fits;
}


/* digits at and around the limit, the point anywhere, zeros at both ends */

static void
text_number_random(char *s)
{
    int          exponent;
    size_t       n;
    ngx_uint_t   i, point, zeros;
    const char  *digits;

    digits = unit_below(2) ? TEXT_LARGE : TEXT_FIT;
    n = unit_below(3) ? 1 + unit_below(309) : 309;
    point = unit_below(n + 1);
    zeros = unit_below(3) ? 0 : unit_below(400);
    exponent = 309 - (int) point + (point ? 0 : (int) zeros)
               + (unit_below(3) ? 0 : (int) unit_below(5) - 2);

    if (unit_below(2)) {
        *s++ = '-';
    }

    if (point == 0) {
        *s++ = '0';
        *s++ = '.';

        for (i = 0; i < zeros; i++) {
            *s++ = '0';
        }
    }

    for (i = 0; i < n; i++) {

        if (i && i == point) {
            *s++ = '.';
        }

        *s++ = digits[i];
    }

    if (unit_below(3) == 0) {
        s[-1] = '0' + unit_below(10);
    }

    if (point && point < n) {

        for (i = 0; i < zeros; i++) {
            *s++ = "0001"[unit_below(4)];
        }
    }

    if (exponent || unit_below(2)) {
        s += sprintf(s, "%c%s%s%d", "eE"[unit_below(2)],
                     exponent < 0 ? "-" : unit_below(2) ? "+" : "",
                     unit_below(2) ? "000" : "", abs(exponent));
    }

    *s = '\0';
}


void
text_numbers(void)
{
    ngx_uint_t    i, fits;
    static char   s[2048];
    const char  **p;

    static const char  *fit[] = {
        "0", "-0", "1", "12345678901234567890", "1e308", "-1E+308", "1e-400",
        "17e307", "1.7976931348623157e308", "1.7976931348623158e308",
        "0.17976931348623158e309", TEXT_FIT, TEXT_FIT ".999", "-" TEXT_FIT,
        "0." TEXT_FIT "e309", "0.0" TEXT_FIT "e310", TEXT_FIT TEXT_400 "e-400",
        TEXT_FIT TEXT_400 ".0e-400", "0.000e400", "0e999",
        "0e99999999999999999999999", "1e-99999999999999999999999",
        "1e0000000000000000000300", "0." TEXT_400 "1", "0." TEXT_400 "1e709",
        "1" TEXT_400 "e-92", TEXT_FRONT, NULL
    };

    static const char  *large[] = {
        "1e309", "-1e309", "1E+400", "18e307", "1.7976931348623159e308",
        "1.797693134862315808e308", TEXT_LARGE, "-" TEXT_LARGE ".0",
        TEXT_LARGE ".1", "0." TEXT_LARGE "e309", TEXT_LARGE "e0",
        TEXT_LARGE TEXT_400 "e-400", TEXT_FRONT "12", "1" TEXT_400,
        "1" TEXT_400 ".5", "1e99999999999999999999999",
        "1e0000000000000000000309", "0." TEXT_400 "1e710", "1" TEXT_400 "e-91",
        NULL
    };

    static text_case_t  bodies[] = {
        { "{\"category\":\"a\",\"data\":1e309}", TEXT_BAD_JSON },
        { "{\"data\":-1e309,\"category\":\"a\"}", TEXT_BAD_JSON },
        { "{\"category\":\"a\",\"data\":[[{\"b\":[1,18E307]}]]}",
          TEXT_BAD_JSON },
        { "{\"category\":\"a\",\"data\":{\"data\":{},\"x\":1e400}}",
          TEXT_BAD_JSON },
        { "{\"category\":\"a\",\"data\":1e400,\"data\":1}", TEXT_BAD_JSON },
        { "{\"category\":\"a\",\"data\":1" TEXT_400 "}", TEXT_BAD_JSON },
        { "[{\"category\":\"a\",\"data\":1},"
          "{\"category\":\"a\",\"data\":[1e400]}]", TEXT_BAD_JSON },
        { "{\"category\":\"a\",\"data\":1e308}", "[a] data=1e308" },
        { "{\"category\":\"a\",\"data\":[17e307,1e-400]}",
          "[a] data=[17e307,1e-400\\5d" },
        { "{\"category\":\"a\",\"data\":1,\"x\":1e400}", "[a] data=1" },
        { "{\"x\":[1e400],\"category\":\"a\",\"data\":{\"b\":2},\"y\":1e400}",
          "[a] data={\"b\":2}" },
        { "[{\"category\":\"a\",\"data\":[1],\"x\":{\"y\":1e400}},"
          "{\"z\":1e400,\"category\":\"b\",\"data\":2}]",
          "[a] data=[1\\5d[b] data=2" },
        { "{\"category\":\"a\",\"data\":{\"1e400\":\"1e400\"}}",
          "[a] data={\"1e400\":\"1e400\"}" },
        { "{\"category\":1e400,\"data\":1}", TEXT_BAD_JSON },
        { NULL, NULL }
    };

    for (p = fit; *p; p++) {
        text_ok(text_number_is(*p), *p);
    }

    for (p = large; *p; p++) {
        text_ok(!text_number_is(*p), *p);
    }

    text_end("a number fits if its nearest double is finite");

    for (fits = 0, i = 0; i < text_rounds && text_good; i++) {
        text_number_random(s);
        fits += text_number_is(s);
    }

    printf("# %lu of %lu numbers fit\n", (unsigned long) fits,
           (unsigned long) i);

    text_ok(fits > i / 4 && fits < i / 4 * 3, "half of them fit");
    text_end("random numbers fit as strtod() says");

    text_jsons(bodies, "a number in data that is too large is refused");

    text_decimals();
}
