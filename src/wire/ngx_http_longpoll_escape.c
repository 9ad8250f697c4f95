
/*
 * ngx_http_longpoll_escape.c: a text -> what stands between the quotes of a
 * JSON string, as Go's encoding/json writes it.
 *
 * Owns which bytes are escaped, and how.  A text may be long, so one pass says
 * whether it is UTF-8 and how many bytes it takes, 64 bytes at a time:
 *
 *      all stand for themselves     one test passes them
 *      some may be escaped          the bytes that escapes add are counted, in
 *                                   all 64 at once
 *      some are not ASCII           the same; then each such character is
 *                                   checked alone
 *
 * A second pass writes the text if something is escaped; otherwise the text is
 * copied.
 */


#include "ngx_http_longpoll_escape.h"
#include "ngx_http_longpoll_bytes.h"
#include "ngx_http_longpoll_utf8.h"


#define NGX_HTTP_LONGPOLL_ESCAPE_MAYBE  0xe2    /* U+2028 may begin here */

/* whether U+2028 or U+2029 begins at p, which is at such a byte */

#define ngx_http_longpoll_escape_separator(p, last)                           \
    ((last) - (p) > 2 && (p)[1] == 0x80 && ((p)[2] & 0xfe) == 0xa8)

/*
 * Which of 16 bytes are one of "&<>\.  A comparison leaves out the bits in
 * which two of these differ.  So it finds both, and what else differs in these
 * bits alone: ^|~ and two control bytes.  ^|~ are so rare that they may be
 * looked at again.
 */

#define ngx_http_longpoll_escape_marks(v)                                     \
    ((((v) & ~('"' ^ '&')) == ('"' & '&'))                                    \
     | (((v) & ~('>' ^ '\\')) == ('>' & '\\')))


static ngx_inline ngx_http_longpoll_bytes_t ngx_http_longpoll_escape_plain(
    ngx_http_longpoll_bytes_t v);
static ngx_inline ngx_http_longpoll_bytes_t ngx_http_longpoll_escape_more(
    ngx_http_longpoll_bytes_t v);
static ngx_inline size_t ngx_http_longpoll_escape_sum(
    ngx_http_longpoll_bytes_t v);
static u_char *ngx_http_longpoll_escape_chars(u_char *p, u_char *end,
    u_char *last, size_t *more, ngx_uint_t *valid);
static ngx_inline u_char *ngx_http_longpoll_escape_char(u_char *p,
    u_char **pos, u_char *last);


/*
 * What stands behind the backslash for a byte.  0: the byte stands for itself;
 * 'u': \u00 and two digits follow; 0xe2: U+2028 or U+2029 may begin here.
 */
static const u_char  ngx_http_longpoll_escape_letters[256] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    ['"'] = '"', ['&'] = 'u', ['<'] = 'u', ['>'] = 'u', ['\\'] = '\\',
    [NGX_HTTP_LONGPOLL_ESCAPE_MAYBE] = NGX_HTTP_LONGPOLL_ESCAPE_MAYBE
};

static const u_char  ngx_http_longpoll_escape_hex[] = "0123456789abcdef";


size_t
ngx_http_longpoll_escape_len(ngx_str_t *text, ngx_uint_t *valid)
{
    u_char                    *p, *last, letter;
    size_t                     more;
    ngx_http_longpoll_bytes_t  a, b, c, d, w, x, y, z;

    more = 0;
    *valid = 1;
    p = text->data;
    last = p + text->len;

    while (last - p >= 64) {

        ngx_memcpy(&a, p, 16);
        ngx_memcpy(&b, p + 16, 16);
        ngx_memcpy(&c, p + 32, 16);
        ngx_memcpy(&d, p + 48, 16);

        w = ngx_http_longpoll_escape_plain(a);
        x = ngx_http_longpoll_escape_plain(b);
        y = ngx_http_longpoll_escape_plain(c);
        z = ngx_http_longpoll_escape_plain(d);

        /* without the hint gcc computes first what only the rest needs */

        if (__builtin_expect(ngx_http_longpoll_bytes_each(w & x & y & z), 1)) {
            p += 64;
            continue;
        }

        if (!ngx_http_longpoll_bytes_each((w | a) & (x | b) & (y | c)
                                          & (z | d)))
        {
            more += ngx_http_longpoll_escape_sum(
                                           ngx_http_longpoll_escape_more(a)
                                           + ngx_http_longpoll_escape_more(b)
                                           + ngx_http_longpoll_escape_more(c)
                                           + ngx_http_longpoll_escape_more(d));
        }

        p = ngx_http_longpoll_bytes_some(a | b | c | d)
            ? ngx_http_longpoll_escape_chars(p, p + 64, last, &more, valid)
            : p + 64;
    }

    while (last - p >= 16) {
        ngx_memcpy(&a, p, 16);

        more += ngx_http_longpoll_escape_sum(ngx_http_longpoll_escape_more(a));

        p = ngx_http_longpoll_escape_chars(p, p + 16, last, &more, valid);
    }

    (void) ngx_http_longpoll_escape_chars(p, last, last, &more, valid);

    for ( /* void */ ; p < last; p++) {
        letter = ngx_http_longpoll_escape_letters[*p];

        if (letter && *p < 0x80) {
            more += (letter == 'u') ? 5 : 1;
        }
    }

    return text->len + more;
}


size_t
ngx_http_longpoll_escape_name_len(ngx_str_t *name)
{
    u_char      *p, *last;
    ngx_uint_t   valid;

    if (name->len < 16) {
        p = name->data;
        last = p + name->len;

        while (p < last && ngx_http_longpoll_escape_letters[*p] == 0) {
            p++;
        }

        if (p == last) {
            return name->len;
        }
    }

    return ngx_http_longpoll_escape_len(name, &valid);
}


/* a byte's highest bit is set if it is ASCII and stands for itself */

static ngx_inline ngx_http_longpoll_bytes_t
ngx_http_longpoll_escape_plain(ngx_http_longpoll_bytes_t v)
{
    return (ngx_http_longpoll_bytes_t) ((ngx_http_longpoll_chars_t) v > 0x1f)
           & ~ngx_http_longpoll_escape_marks(v);
}


/*
 * What the escape of each byte adds: 1, or 5 where it is \u and four digits.
 * The control bytes of short escapes are 8 to 13, without 11.
 */

static ngx_inline ngx_http_longpoll_bytes_t
ngx_http_longpoll_escape_more(ngx_http_longpoll_bytes_t v)
{
    ngx_http_longpoll_bytes_t  brief;

    brief = (ngx_http_longpoll_bytes_t) (v - '\b' <= '\r' - '\b')
            & (ngx_http_longpoll_bytes_t) (v != '\v');

    return ((brief | (v == '"') | (v == '\\')) & 1)
           + ((((v < 0x20) & ~brief)
               | ((v & ~('<' ^ '>')) == ('<' & '>'))
               | (v == '&')) & 5);
}


/* the sum of 16 bytes, none of which is above 127 */

static ngx_inline size_t
ngx_http_longpoll_escape_sum(ngx_http_longpoll_bytes_t v)
{
    uint64_t                   sum;
    ngx_http_longpoll_words_t  words;

    words = (ngx_http_longpoll_words_t) v;
    sum = words[0] + words[1];
    sum = (sum & 0x00ff00ff00ff00ffULL) + (sum >> 8 & 0x00ff00ff00ff00ffULL);

    return (size_t) (sum * 0x0001000100010001ULL >> 48);
}


/*
 * Looks at the characters that are not ASCII and begin between p and end.  The
 * last one may reach beyond end.  Returns end, or the end of that character.
 */

static u_char *
ngx_http_longpoll_escape_chars(u_char *p, u_char *end, u_char *last,
    size_t *more, ngx_uint_t *valid)
{
    u_char                    *next;
    ngx_http_longpoll_bytes_t  v;

    while (p < end) {

        if (*p < 0x80) {

            if (end - p < 16) {
                p++;
                continue;
            }

            ngx_memcpy(&v, p, 16);
            p += ngx_http_longpoll_bytes_first(v & 0x80);
            continue;
        }

        if (*p == NGX_HTTP_LONGPOLL_ESCAPE_MAYBE
            && ngx_http_longpoll_escape_separator(p, last))
        {
            *more += sizeof("\\u2028") - 1 - 3;
            p += 3;
            continue;
        }

        next = ngx_http_longpoll_utf8_next(p, last);

        if (next == NULL) {
            *valid = 0;
            next = p + 1;
        }

        p = next;
    }

    return p;
}


u_char *
ngx_http_longpoll_escape(u_char *p, ngx_str_t *text, size_t len)
{
    u_char                    *src, *last;
    ngx_uint_t                 n;
    ngx_http_longpoll_bytes_t  v;

    if (len == text->len) {
        return ngx_cpymem(p, text->data, text->len);
    }

    src = text->data;
    last = src + text->len;

    /*
     * A text does not become shorter, so there is room for all 16 bytes; they
     * are written again from the first one that is escaped.
     */

    while (last - src >= 16) {
        ngx_memcpy(&v, src, 16);
        ngx_memcpy(p, &v, 16);

        n = ngx_http_longpoll_bytes_first(
                             (v < 0x20)
                             | (v == NGX_HTTP_LONGPOLL_ESCAPE_MAYBE)
                             | ngx_http_longpoll_escape_marks(v));
        src += n;
        p += n;

        if (n < 16) {
            p = ngx_http_longpoll_escape_char(p, &src, last);
        }
    }

    while (src < last) {
        p = ngx_http_longpoll_escape_char(p, &src, last);
    }

    return p;
}


/* writes the byte at *pos, or U+2028 or U+2029, and moves *pos behind it */

static ngx_inline u_char *
ngx_http_longpoll_escape_char(u_char *p, u_char **pos, u_char *last)
{
    u_char  c, letter, *src;

    src = *pos;
    c = *src;
    letter = ngx_http_longpoll_escape_letters[c];
    *pos = src + 1;

    if (letter == 0) {
        *p++ = c;
        return p;
    }

    if (letter == 'u') {
        p = ngx_cpymem(p, "\\u00", sizeof("\\u00") - 1);
        *p++ = ngx_http_longpoll_escape_hex[c >> 4];
        *p++ = ngx_http_longpoll_escape_hex[c & 0xf];

        return p;
    }

    if (c != NGX_HTTP_LONGPOLL_ESCAPE_MAYBE) {
        *p++ = '\\';
        *p++ = letter;

        return p;
    }

    if (!ngx_http_longpoll_escape_separator(src, last)) {
        *p++ = c;
        return p;
    }

    p = ngx_cpymem(p, "\\u202", sizeof("\\u202") - 1);
    *p++ = ngx_http_longpoll_escape_hex[src[2] & 0xf];
    *pos = src + 3;

    return p;
}
