
/*
 * wire.c: names, ids and data of an answer.
 *
 * The bytes are cut into names and messages.  Must hold: the second pass
 * writes exactly as many bytes as the first counted; a name that is UTF-8 can
 * be read back from what was written, and has no byte that Go's encoding/json
 * escapes; the cost of an event is what it takes.
 */


#include "fuzz.h"

#include <ngx_http_longpoll_json.h>
#include <ngx_http_longpoll_utf8.h>
#include <ngx_http_longpoll_golongpoll.h>


#define WIRE_CATS  8
#define WIRE_MSGS  16

#define wire_front  "{\"category\":\""
#define wire_back   "\",\"data\":1}"


void text_stub_reset(void);


static void
wire_name(ngx_str_t *name)
{
    u_char                    *p, *end;
    size_t                     len, i;
    ngx_str_t                  error;
    ngx_uint_t                 n;
    ngx_http_longpoll_item_t  *items, one;

    len = ngx_http_longpoll_golongpoll_name_len(name);
    fuzz_must(len >= name->len && len <= name->len * 6, "a name's length");

    p = malloc(len);
    end = ngx_http_longpoll_golongpoll_name(p, name);
    fuzz_must(end == p + len, "a name's length is not what is written");

    for (i = 0; i < len; i++) {
        fuzz_must(p[i] >= 0x20 && p[i] != '<' && p[i] != '>' && p[i] != '&',
                  "a byte that must be escaped");

        if (p[i] != '\\') {
            continue;
        }

        fuzz_must(i + 1 < len && strchr("\"\\bfnrtu", p[++i]),
                  "an escape that Go does not write");
        fuzz_must(p[i] != 'u' || i + 4 < len, "half an escape");
        fuzz_must(p[i] != 'u' || p[i + 1] != '0' || p[i + 3] != '0'
                  || !strchr("89acd", p[i + 4]),
                  "an escape that has a short form");
    }

    free(p);

    if (!ngx_http_longpoll_utf8_valid(name->data, name->len)
        || name->len == 0 || name->len > NGX_HTTP_LONGPOLL_MAX_CATEGORY)
    {
        return;
    }

    p = malloc(len + sizeof(wire_front wire_back) - 1);
    end = ngx_cpymem(p, wire_front, sizeof(wire_front) - 1);
    end = ngx_http_longpoll_golongpoll_name(end, name);
    end = ngx_cpymem(end, wire_back, sizeof(wire_back) - 1);

    fuzz_must(ngx_http_longpoll_json_parse(&items, &n, &one, p, end - p, NULL,
                                           &error)
              == NGX_OK && fuzz_same(&one.category, name),
              "a name that cannot be read back");
    free(p);
    text_stub_reset();
}


static void
wire_events(ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs,
    ngx_uint_t n, ngx_uint_t missed)
{
    u_char      *p, *end;
    size_t       len, cost;
    uint64_t     ms;
    ngx_uint_t   i;

    len = ngx_http_longpoll_golongpoll_events_len(cats, msgs, n, missed);

    p = malloc(len);
    end = ngx_http_longpoll_golongpoll_events(p, cats, msgs, n, missed);
    fuzz_must(end == p + len, "an answer's length is not what is written");
    free(p);

    for (i = 0; i < n; i++) {
        ms = ngx_http_longpoll_id_ms(msgs[i].id);

        if (ms < 1000000000000ULL || ms > 9999999999999ULL) {
            continue;
        }

        cost = ngx_http_longpoll_golongpoll_event_cost(&cats[msgs[i].cat].name);

        fuzz_must(ngx_http_longpoll_golongpoll_events_len(cats, &msgs[i], 1, 0)
                  == sizeof("{\"events\":[]}") - 1 + cost - 1
                     + msgs[i].data.len,
                  "an event's cost is not what it takes");
    }
}


static void
wire_rest(ngx_str_t *text, uint64_t ms, ngx_uint_t missed)
{
    u_char  *p;

    p = malloc(NGX_HTTP_LONGPOLL_GOLONGPOLL_TIMEOUT_LEN);
    fuzz_must(ngx_http_longpoll_golongpoll_timeout(p, ms, missed)
              <= p + NGX_HTTP_LONGPOLL_GOLONGPOLL_TIMEOUT_LEN,
              "a time-out's length");
    free(p);

    p = malloc(ngx_http_longpoll_golongpoll_error_len(text));
    fuzz_must(ngx_http_longpoll_golongpoll_error(p, text)
              == p + ngx_http_longpoll_golongpoll_error_len(text),
              "an error's length");
    free(p);
}


static void
wire_string(ngx_str_t *s, fuzz_bytes_t *b, size_t len)
{
    s->len = ngx_min(len, (size_t) (b->last - b->pos));
    s->data = fuzz_copy(b->pos, s->len);
    b->pos += s->len;
}


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    uint64_t                 epoch;
    ngx_uint_t               i, ncats, n, missed;
    fuzz_bytes_t             b;
    ngx_http_longpoll_cat_t  cats[WIRE_CATS];
    ngx_http_longpoll_msg_t  msgs[WIRE_MSGS];

    b.pos = data;
    b.last = data + size;

    missed = fuzz_take(&b, 1) & 1;
    epoch = fuzz_take(&b, 8);
    n = fuzz_take(&b, 1) % WIRE_MSGS + 1;
    ncats = fuzz_take(&b, 1) % WIRE_CATS + 1;

    for (i = 0; i < n; i++) {
        msgs[i].id = fuzz_take(&b, 8);
        ngx_http_longpoll_id_uuid(&msgs[i].uuid, msgs[i].id, epoch);
        msgs[i].cat = fuzz_take(&b, 1) % ncats;
        wire_string(&msgs[i].data, &b, fuzz_take(&b, 1) % 20);
    }

    for (i = 0; i < ncats; i++) {
        wire_string(&cats[i].name, &b, i + 1 < ncats ? fuzz_take(&b, 1)
                                                     : (size_t) -1);
        wire_name(&cats[i].name);
    }

    wire_events(cats, msgs, n, missed);
    wire_rest(&cats[0].name, msgs[0].id, missed);

    for (i = 0; i < n; i++) {
        free(msgs[i].data.data);
    }

    for (i = 0; i < ncats; i++) {
        free(cats[i].name.data);
    }

    return 0;
}
