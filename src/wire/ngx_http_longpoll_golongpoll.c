
/*
 * ngx_http_longpoll_golongpoll.c: the bytes of golongpoll's answers.
 *
 * Owns the keys, their order and the blanks between them: none in what Go's
 * encoding/json writes, one where golongpoll prints a text of its own.
 * Sources: golongpoll's events.go and longpoll.go; docs/protocol.md.
 *
 *      events_len    the bytes of an answer     for each message: its name, as
 *                                               escape has it, data, id
 *      events        the answer itself          for each message: _head, the
 *                                               name, data and id in _tail
 *
 * The caller allocates what the first call returns, so both calls must count
 * alike: what changes in one changes in the other.
 *
 * Every event of every answer is written here, so:
 *
 *   - A name that needs no escapes is copied; its length shows that.
 *   - A message of the same category as the message before it takes the length
 *     of the name from that one, and copies the escaped name out of the answer.
 */


#include "ngx_http_longpoll_golongpoll.h"
#include "ngx_http_longpoll_decimal.h"
#include "ngx_http_longpoll_escape.h"


#define ngx_http_longpoll_golongpoll_lit(p, text)                             \
    ngx_cpymem(p, text, sizeof(text) - 1)

static ngx_inline u_char *ngx_http_longpoll_golongpoll_head(u_char *p,
    uint64_t ms);
static ngx_inline u_char *ngx_http_longpoll_golongpoll_tail(u_char *p,
    ngx_http_longpoll_msg_t *msg);


size_t
ngx_http_longpoll_golongpoll_event_cost(ngx_str_t *name)
{
    return sizeof("{\"timestamp\":1616040198889,\"category\":\"\",\"data\":"
                  ",\"id\":\"\"},") - 1
           + NGX_HTTP_LONGPOLL_ID_LEN
           + ngx_http_longpoll_escape_name_len(name);
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
            name = ngx_http_longpoll_escape_name_len(
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
            p = ngx_http_longpoll_escape(p, cat,
                                   ngx_http_longpoll_escape_name_len(cat));
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
          + ngx_http_longpoll_escape_name_len(name) + msg->data.len
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
    p = ngx_http_longpoll_escape(p, name,
                                  ngx_http_longpoll_escape_name_len(name));
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
