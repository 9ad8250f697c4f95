
/*
 * ngx_http_longpoll_string.c: the text of a JSON string.
 *
 * Owns how escapes are read (RFC 8259, section 7); escape writes them.  And
 * what becomes of a surrogate that stands alone: U+FFFD, as in Go.  Strict
 * parsers refuse a whole answer for one.
 *
 * A string is found and read in text that yajl has accepted, so a quote is
 * always there, and an escape is always whole.  Only a surrogate may stand
 * alone, which yajl accepts.
 */


#include "ngx_http_longpoll_string.h"
#include "ngx_http_longpoll_bytes.h"
#include "ngx_http_longpoll_utf8.h"


#define NGX_HTTP_LONGPOLL_STRING_REPLACEMENT  0xfffd


static uint32_t ngx_http_longpoll_string_escape(u_char **pos, u_char *last);
static uint32_t ngx_http_longpoll_string_hex(u_char *p);


u_char *
ngx_http_longpoll_string_plain(u_char *p, u_char *last)
{
    ngx_uint_t                 n;
    ngx_http_longpoll_bytes_t  v;

    for ( /* void */ ; last - p >= (ssize_t) sizeof(v); p += sizeof(v)) {
        ngx_memcpy(&v, p, sizeof(v));

        n = ngx_http_longpoll_bytes_first((v < 0x20) | (v == '"')
                                          | (v == '\\'));
        if (n < sizeof(v)) {
            return p + n;
        }
    }

    while (p < last && *p >= 0x20 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


u_char *
ngx_http_longpoll_string_end(u_char *p, u_char *last)
{
    u_char  *b;

    for ( ;; ) {
        p = memchr(p + 1, '"', last - p - 1);

        /* a quote behind an odd number of backslashes is escaped */

        for (b = p; b[-1] == '\\'; b--) { /* void */ }

        if ((p - b) % 2 == 0) {
            return p + 1;
        }
    }
}


u_char *
ngx_http_longpoll_string_decode(u_char *dst, size_t size, ngx_str_t *text)
{
    u_char  *p, *last, *end, *escape, *c, utf8[4];

    p = text->data;
    last = p + text->len;
    end = dst + size;

    while (p < last) {
        escape = memchr(p, '\\', last - p);

        if (escape == NULL) {
            escape = last;
        }

        if (escape - p > end - dst) {
            return NULL;
        }

        dst = ngx_cpymem(dst, p, escape - p);
        p = escape;

        if (p < last) {
            c = ngx_http_longpoll_utf8_write(utf8,
                                     ngx_http_longpoll_string_escape(&p, last));

            if (c - utf8 > end - dst) {
                return NULL;
            }

            dst = ngx_cpymem(dst, utf8, c - utf8);
        }
    }

    return dst;
}


u_char *
ngx_http_longpoll_string_lone(u_char *p, u_char *last)
{
    u_char  *escape;

    while ((p = memchr(p, '\\', last - p)) != NULL) {
        escape = p;

        if (ngx_http_longpoll_string_escape(&p, last)
            == NGX_HTTP_LONGPOLL_STRING_REPLACEMENT
            && (escape[2] | 0x20) == 'd')
        {
            return escape;
        }
    }

    return NULL;
}


void
ngx_http_longpoll_string_replace(u_char *p, u_char *last)
{
    while ((p = ngx_http_longpoll_string_lone(p, last)) != NULL) {
        p = ngx_cpymem(p, "\\ufffd", sizeof("\\ufffd") - 1);
    }
}


u_char *
ngx_http_longpoll_string_text(u_char *dst, ngx_str_t *value)
{
    ngx_str_t  text;

    if (value->len < 2 || value->data[0] != '"') {
        return ngx_cpymem(dst, value->data, value->len);
    }

    text.data = value->data + 1;
    text.len = value->len - 2;

    return ngx_http_longpoll_string_decode(dst, text.len, &text);
}


/* the character of an escape, or of a pair of surrogates; moves *pos behind */

static uint32_t
ngx_http_longpoll_string_escape(u_char **pos, u_char *last)
{
    u_char    *p;
    uint32_t   c, low;

    p = *pos;
    c = p[1];
    *pos = p + 2;

    switch (c) {

    case 'b':
        return '\b';

    case 'f':
        return '\f';

    case 'n':
        return '\n';

    case 'r':
        return '\r';

    case 't':
        return '\t';

    case 'u':
        break;

    default: /* '"', '\\', '/' */
        return c;
    }

    c = ngx_http_longpoll_string_hex(p + 2);
    p += 6;
    *pos = p;

    if (c < 0xd800 || c > 0xdfff) {
        return c;
    }

    if (c < 0xdc00 && last - p >= 6 && p[0] == '\\' && p[1] == 'u') {

        low = ngx_http_longpoll_string_hex(p + 2);

        if (low >= 0xdc00 && low <= 0xdfff) {
            *pos = p + 6;
            return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
    }

    return NGX_HTTP_LONGPOLL_STRING_REPLACEMENT;
}


static uint32_t
ngx_http_longpoll_string_hex(u_char *p)
{
    uint32_t    c, n;
    ngx_uint_t  i;

    for (n = 0, i = 0; i < 4; i++) {
        c = p[i];
        n = n << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }

    return n;
}
