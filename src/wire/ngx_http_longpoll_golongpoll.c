
/*
 * ngx_http_longpoll_golongpoll.c: the bytes of golongpoll's answers.
 *
 * Owns the keys, their order and the blanks between them: none in what Go's
 * encoding/json writes, one where golongpoll prints a text of its own.
 * Sources: golongpoll's events.go and longpoll.go; docs/protocol.md.
 *
 *      events_len    the bytes of an answer     for each message: _name_len,
 *                                               data, id
 *      events        the answer itself          for each message: _head, _name,
 *                                               data and id in _tail
 *
 * The caller allocates what the first call returns, so both calls must count
 * alike: what changes in one changes in the other.
 *
 * Every event of every answer is written here, so:
 *
 *   - A name that needs no escapes is copied; its length shows that.
 *   - A message of the same category as the message before it takes the length
 *     of the name from that one, and copies the escaped name out of the answer.
 *
 * A text that is published goes the way of a name, and may be long: so bytes
 * that need no escapes are looked for 64 at a time.
 */


#include "ngx_http_longpoll_golongpoll.h"
#include "ngx_http_longpoll_bytes.h"
#include "ngx_http_longpoll_decimal.h"


#define ngx_http_longpoll_golongpoll_lit(p, text)                             \
    ngx_cpymem(p, text, sizeof(text) - 1)

/* whether U+2028 or U+2029 begins at p */

#define ngx_http_longpoll_golongpoll_separator(p, last)                       \
    ((p)[0] == 0xe2 && (last) - (p) > 2 && (p)[1] == 0x80                     \
     && ((p)[2] & 0xfe) == 0xa8)

/*
 * Which of 16 bytes do not stand for themselves, or may begin U+2028.  Each &
 * stands for two comparisons: the characters differ in one bit.
 */

#define ngx_http_longpoll_golongpoll_special(v)                               \
    (((v) < 0x20)                                                             \
     | (((v) & ~('"' ^ '&')) == ('"' & '&'))                                  \
     | (((v) & ~('<' ^ '>')) == ('<' & '>'))                                  \
     | ((v) == '\\')                                                          \
     | ((v) == 0xe2))


static u_char *ngx_http_longpoll_golongpoll_escape(u_char *p, ngx_str_t *name)
    __attribute__((noinline));
static ngx_inline u_char *ngx_http_longpoll_golongpoll_plain(u_char *p,
    u_char *last);
static u_char *ngx_http_longpoll_golongpoll_run(u_char *p, u_char *last)
    __attribute__((noinline));
static u_char ngx_http_longpoll_golongpoll_short(u_char c);
static ngx_inline u_char *ngx_http_longpoll_golongpoll_head(u_char *p,
    uint64_t ms);
static ngx_inline u_char *ngx_http_longpoll_golongpoll_tail(u_char *p,
    ngx_http_longpoll_msg_t *msg);


/* the bytes that a byte takes in a JSON string; 0: it may begin U+2028 */

static const u_char  ngx_http_longpoll_golongpoll_sizes[] = {
    6, 6, 6, 6, 6, 6, 6, 6, 2, 2, 2, 6, 2, 2, 6, 6,
    6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6,
    1, 1, 2, 1, 1, 1, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 6, 1, 6, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
};

static const u_char  ngx_http_longpoll_golongpoll_hex[] = "0123456789abcdef";


size_t
ngx_http_longpoll_golongpoll_name_len(ngx_str_t *name)
{
    u_char  *p, *last, *plain;
    size_t   len;

    len = 0;
    p = name->data;
    last = p + name->len;

    while (p < last) {
        plain = ngx_http_longpoll_golongpoll_plain(p, last);

        len += plain - p;
        p = plain;

        if (p == last) {
            break;
        }

        if (*p != 0xe2) {
            len += ngx_http_longpoll_golongpoll_sizes[*p++];

        } else if (ngx_http_longpoll_golongpoll_separator(p, last)) {
            len += sizeof("\\u2028") - 1;
            p += 3;

        } else {
            len++;
            p++;
        }
    }

    return len;
}


u_char *
ngx_http_longpoll_golongpoll_name(u_char *p, ngx_str_t *name, size_t len)
{
    if (len == name->len) {
        return ngx_cpymem(p, name->data, name->len);
    }

    return ngx_http_longpoll_golongpoll_escape(p, name);
}


/* not inlined: names without escapes pay for its registers */

static u_char *
ngx_http_longpoll_golongpoll_escape(u_char *p, ngx_str_t *name)
{
    u_char  c, *src, *last, *plain;

    src = name->data;
    last = src + name->len;

    while (src < last) {
        plain = ngx_http_longpoll_golongpoll_plain(src, last);

        if (plain != src) {
            p = ngx_cpymem(p, src, plain - src);
            src = plain;

            if (src == last) {
                break;
            }
        }

        if (ngx_http_longpoll_golongpoll_separator(src, last)) {
            p = ngx_http_longpoll_golongpoll_lit(p, "\\u202");
            *p++ = ngx_http_longpoll_golongpoll_hex[src[2] & 0xf];
            src += 3;
            continue;
        }

        c = *src++;

        if (ngx_http_longpoll_golongpoll_sizes[c] < 2) {
            *p++ = c;

        } else if (ngx_http_longpoll_golongpoll_sizes[c] == 2) {
            *p++ = '\\';
            *p++ = ngx_http_longpoll_golongpoll_short(c);

        } else {
            p = ngx_http_longpoll_golongpoll_lit(p, "\\u00");
            *p++ = ngx_http_longpoll_golongpoll_hex[c >> 4];
            *p++ = ngx_http_longpoll_golongpoll_hex[c & 0xf];
        }
    }

    return p;
}


/* skips bytes that stand for themselves */

static ngx_inline u_char *
ngx_http_longpoll_golongpoll_plain(u_char *p, u_char *last)
{
    if (last - p >= 16) {
        p = ngx_http_longpoll_golongpoll_run(p, last);
    }

    while (p < last && ngx_http_longpoll_golongpoll_sizes[*p] == 1) {
        p++;
    }

    return p;
}


/*
 * The same, 16 and then 64 at a time: few bytes of most texts need an escape,
 * and where one does, the next is often near.  Not inlined: short names pay
 * for its constants.
 */

static u_char *
ngx_http_longpoll_golongpoll_run(u_char *p, u_char *last)
{
    ngx_uint_t                 n;
    ngx_http_longpoll_bytes_t  a, b, c, d;

    for ( /* void */ ; last - p >= 16; p += 16) {
        ngx_memcpy(&a, p, 16);

        n = ngx_http_longpoll_bytes_first(
                                     ngx_http_longpoll_golongpoll_special(a));
        if (n < 16) {
            return p + n;
        }

        for ( /* void */ ; last - p >= 16 + 64; p += 64) {
            ngx_memcpy(&a, p + 16, 16);
            ngx_memcpy(&b, p + 32, 16);
            ngx_memcpy(&c, p + 48, 16);
            ngx_memcpy(&d, p + 64, 16);

            if (ngx_http_longpoll_bytes_first(
                                       ngx_http_longpoll_golongpoll_special(a)
                                     | ngx_http_longpoll_golongpoll_special(b)
                                     | ngx_http_longpoll_golongpoll_special(c)
                                     | ngx_http_longpoll_golongpoll_special(d))
                < 16)
            {
                break;
            }
        }
    }

    return p;
}


static u_char
ngx_http_longpoll_golongpoll_short(u_char c)
{
    switch (c) {

    case '\b':
        return 'b';

    case '\f':
        return 'f';

    case '\n':
        return 'n';

    case '\r':
        return 'r';

    case '\t':
        return 't';

    default: /* '"', '\\' */
        return c;
    }
}


size_t
ngx_http_longpoll_golongpoll_event_cost(ngx_str_t *name)
{
    return sizeof("{\"timestamp\":1616040198889,\"category\":\"\",\"data\":"
                  ",\"id\":\"\"},") - 1
           + NGX_HTTP_LONGPOLL_ID_LEN
           + ngx_http_longpoll_golongpoll_name_len(name);
}


size_t
ngx_http_longpoll_golongpoll_events_len(ngx_http_longpoll_cat_t *cats,
    ngx_http_longpoll_msg_t *msgs, ngx_uint_t n, ngx_uint_t missed)
{
    size_t      len, name;
    ngx_uint_t  i;

    len = sizeof("{\"events\":[]}") - 1;

    if (missed) {
        len += sizeof(",\"missed\":true") - 1;
    }

    if (n == 0) {
        return len;
    }

    name = 0;

    for (i = 0; i < n; i++) {

        if (i == 0 || msgs[i].cat != msgs[i - 1].cat) {
            name = ngx_http_longpoll_golongpoll_name_len(
                                                   &cats[msgs[i].cat].name);
        }

        len += sizeof("{\"timestamp\":,\"category\":\"\",\"data\":"
                      ",\"id\":\"\"},") - 1
               + ngx_http_longpoll_decimal_len(
                                         ngx_http_longpoll_id_ms(msgs[i].id))
               + name + msgs[i].data.len + NGX_HTTP_LONGPOLL_ID_LEN;
    }

    return len - 1;     /* no comma behind the last event */
}


u_char *
ngx_http_longpoll_golongpoll_events(u_char *p,
    ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs, ngx_uint_t n,
    ngx_uint_t missed)
{
    u_char                   *start;
    ngx_str_t                 name, *cat;
    ngx_uint_t                i;
    ngx_http_longpoll_msg_t  *msg;

    ngx_str_null(&name);

    p = ngx_http_longpoll_golongpoll_lit(p, "{\"events\":[");

    for (i = 0; i < n; i++) {

        msg = &msgs[i];

        if (i) {
            *p++ = ',';
        }

        p = ngx_http_longpoll_golongpoll_head(p,
                                              ngx_http_longpoll_id_ms(msg->id));

        start = p;

        if (i && msg->cat == msgs[i - 1].cat) {
            p = ngx_cpymem(p, name.data, name.len);

        } else {
            cat = &cats[msg->cat].name;
            p = ngx_http_longpoll_golongpoll_name(p, cat,
                                   ngx_http_longpoll_golongpoll_name_len(cat));
        }

        name.data = start;
        name.len = p - start;

        p = ngx_http_longpoll_golongpoll_tail(p, msg);
    }

    *p++ = ']';

    if (missed) {
        p = ngx_http_longpoll_golongpoll_lit(p, ",\"missed\":true");
    }

    *p++ = '}';

    return p;
}


static ngx_inline u_char *
ngx_http_longpoll_golongpoll_head(u_char *p, uint64_t ms)
{
    p = ngx_http_longpoll_golongpoll_lit(p, "{\"timestamp\":");
    p = ngx_http_longpoll_decimal(p, ms);

    return ngx_http_longpoll_golongpoll_lit(p, ",\"category\":\"");
}


static ngx_inline u_char *
ngx_http_longpoll_golongpoll_tail(u_char *p, ngx_http_longpoll_msg_t *msg)
{
    p = ngx_http_longpoll_golongpoll_lit(p, "\",\"data\":");
    p = ngx_cpymem(p, msg->data.data, msg->data.len);
    p = ngx_http_longpoll_golongpoll_lit(p, ",\"id\":\"");
    p = ngx_http_longpoll_id_print(p, &msg->uuid);

    return ngx_http_longpoll_golongpoll_lit(p, "\"}");
}


size_t
ngx_http_longpoll_golongpoll_line_len(ngx_str_t *name,
    ngx_http_longpoll_msg_t *msg, const uint64_t *key)
{
    size_t  len;

    len = sizeof("{\"timestamp\":,\"category\":\"\",\"data\":"
                 ",\"id\":\"\"}\n") - 1
          + ngx_http_longpoll_decimal_len(
                                            ngx_http_longpoll_id_ms(msg->id))
          + ngx_http_longpoll_golongpoll_name_len(name) + msg->data.len
          + NGX_HTTP_LONGPOLL_ID_LEN;

    if (key) {
        len += sizeof(",\"key\":\"\"") - 1 + 2 * NGX_HTTP_LONGPOLL_ID_WORD_LEN;
    }

    return len;
}


u_char *
ngx_http_longpoll_golongpoll_line(u_char *p, ngx_str_t *name,
    ngx_http_longpoll_msg_t *msg, const uint64_t *key)
{
    p = ngx_http_longpoll_golongpoll_head(p, ngx_http_longpoll_id_ms(msg->id));
    p = ngx_http_longpoll_golongpoll_name(p, name,
                                  ngx_http_longpoll_golongpoll_name_len(name));
    p = ngx_http_longpoll_golongpoll_tail(p, msg);

    if (key) {

        /* in front of the closing brace */

        p = ngx_http_longpoll_golongpoll_lit(p - 1, ",\"key\":\"");
        p = ngx_http_longpoll_id_print_word(p, key[0]);
        p = ngx_http_longpoll_id_print_word(p, key[1]);
        p = ngx_http_longpoll_golongpoll_lit(p, "\"}");
    }

    *p++ = LF;

    return p;
}


u_char *
ngx_http_longpoll_golongpoll_timeout(u_char *p, uint64_t ms, ngx_uint_t missed)
{
    p = ngx_http_longpoll_golongpoll_lit(p,
                                    "{\"timeout\":\"no events before timeout\","
                                    "\"timestamp\":");
    p = ngx_http_longpoll_decimal(p, ms);

    if (missed) {
        p = ngx_http_longpoll_golongpoll_lit(p, ",\"missed\":true");
    }

    *p++ = '}';

    return p;
}


size_t
ngx_http_longpoll_golongpoll_error_len(ngx_str_t *text)
{
    return sizeof("{\"error\": \"\"}") - 1 + text->len;
}


u_char *
ngx_http_longpoll_golongpoll_error(u_char *p, ngx_str_t *text)
{
    p = ngx_http_longpoll_golongpoll_lit(p, "{\"error\": \"");
    p = ngx_cpymem(p, text->data, text->len);
    p = ngx_http_longpoll_golongpoll_lit(p, "\"}");

    return p;
}
