
/*
 * wire.c: names, ids and data of an answer, frames of a stream, and lines of a
 * log.
 *
 * The bytes are cut into names and messages.  Must hold: the second pass
 * writes exactly as many bytes as the first counted; a name that is UTF-8 can
 * be read back from what was written, and has no byte that Go's encoding/json
 * escapes; the cost of an event is what it takes; a line is read back as it was
 * written; a stream is cut into its frames at blank lines, and has no CR.  All
 * the bytes are also a control line, or none: then that line is the one that is
 * printed.
 */


#include "fuzz.h"

#include <ngx_http_longpoll_control.h>
#include <ngx_http_longpoll_json.h>
#include <ngx_http_longpoll_utf8.h>
#include <ngx_http_longpoll_escape.h>
#include <ngx_http_longpoll_golongpoll.h>
#include <ngx_http_longpoll_sse.h>


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

    len = ngx_http_longpoll_escape_name_len(name);
    fuzz_must(len >= name->len && len <= name->len * 6, "a name's length");

    p = malloc(len);
    end = ngx_http_longpoll_escape(p, name, len);
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
    end = ngx_http_longpoll_escape(end, name, len);
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


/* one frame at p, of an event if msg is set; returns its end */

static u_char *
wire_frame(u_char *p, u_char *last, ngx_http_longpoll_msg_t *msg)
{
    u_char  *end;

    fuzz_must(last - p > 4 && memcmp(p, msg ? "id: " : "even", 4) == 0,
              "a frame's first line");

    end = memmem(p, last - p, "\n\n", 2);
    fuzz_must(end != NULL, "a frame without an end");

    p = memchr(p, LF, end - p);
    fuzz_must(p != NULL && memcmp(p + 1, "data: {", 7) == 0
              && memchr(p + 1, LF, end - p - 1) == NULL,
              "a frame's second line");

    return end + 2;
}


static void
wire_frames(ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs,
    ngx_uint_t n, ngx_uint_t missed, uint64_t epoch)
{
    u_char      *p, *end, *frame;
    size_t       len;
    ngx_uint_t   i, lines;

    len = ngx_http_longpoll_sse_events_len(cats, msgs, n, missed);

    p = malloc(len);
    end = ngx_http_longpoll_sse_events(p, cats, msgs, n, missed, epoch);
    fuzz_must(end == p + len, "frames are as long as counted");
    fuzz_must(memchr(p, CR, len) == NULL, "frames with a CR");

    /* no data has an LF: body and load see to it */

    lines = 0;

    for (i = 0; i < n; i++) {
        lines |= memchr(msgs[i].data.data, LF, msgs[i].data.len) != NULL;
    }

    frame = p;

    if (missed && !lines) {
        frame = wire_frame(frame, end, NULL);
    }

    for (i = 0; i < n && !lines; i++) {
        frame = wire_frame(frame, end, &msgs[i]);
    }

    fuzz_must(lines || frame == end, "something behind the last frame");
    free(p);
}


static void
wire_accept(const u_char *data, size_t size)
{
    ngx_str_t  value;

    value.data = fuzz_copy(data, size);
    value.len = size;

    (void) ngx_http_longpoll_sse_accepted(&value);

    free(value.data);
}


static void
wire_line(ngx_str_t *name, ngx_http_longpoll_msg_t *msg, const uint64_t *key)
{
    u_char                         *p, *end;
    size_t                          len;
    ngx_str_t                       data, error;
    ngx_http_longpoll_uuid_t        uuid;
    ngx_http_longpoll_json_line_t   line;

    len = ngx_http_longpoll_golongpoll_line_len(name, msg, key);
    p = malloc(len);
    end = ngx_http_longpoll_golongpoll_line(p, name, msg, key);
    fuzz_must(end == p + len && p[len - 1] == LF, "a line's length");

    if (ngx_http_longpoll_utf8_valid(name->data, name->len)
        && name->len && name->len <= NGX_HTTP_LONGPOLL_MAX_CATEGORY
        && ngx_http_longpoll_json_data(&data, msg->data.data, msg->data.len,
                                       NULL, &error) == NGX_OK
        && data.len == msg->data.len)
    {
        fuzz_must(ngx_http_longpoll_json_line(&line, p, len - 1, NULL)
                  == NGX_OK, "a line cannot be read back");
        fuzz_must(fuzz_same(&line.item.category, name)
                  && fuzz_same(&line.item.data, &msg->data),
                  "a line is another event");
        fuzz_must(ngx_http_longpoll_id_parse(line.id.data, line.id.len, &uuid)
                  == NGX_OK && uuid.high == msg->uuid.high
                  && uuid.low == msg->uuid.low, "a line has another id");
        fuzz_must((key != NULL) == (line.key.data != NULL), "a line's key");
    }

    free(p);
    text_stub_reset();
}


static void
wire_control(const u_char *data, size_t size)
{
    u_char                       *p, *end;
    u_char                        buf[NGX_HTTP_LONGPOLL_CONTROL_MAX];
    ngx_http_longpoll_control_t   control;

    p = fuzz_copy(data, size);

    if (ngx_http_longpoll_control_parse(&control, p, size) == NGX_OK) {
        fuzz_must(ngx_http_longpoll_control_is(p, size), "it claims nothing");

        end = ngx_http_longpoll_control_print(buf, &control);

        fuzz_must((size_t) (end - buf) == size + 1 && end[-1] == LF
                  && memcmp(buf, p, size) == 0, "another line is printed");
    }

    free(p);
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
    uint64_t                 epoch, key[2];
    ngx_uint_t               i, ncats, n, missed;
    fuzz_bytes_t             b;
    ngx_http_longpoll_cat_t  cats[WIRE_CATS];
    ngx_http_longpoll_msg_t  msgs[WIRE_MSGS];

    wire_control(data, size);
    wire_accept(data, size);

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
    wire_frames(cats, msgs, n, missed, epoch);
    wire_rest(&cats[0].name, msgs[0].id, missed);

    key[0] = epoch;
    key[1] = msgs[0].id;

    for (i = 0; i < n; i++) {
        wire_line(&cats[msgs[i].cat].name, &msgs[i], (i & 1) ? key : NULL);
        free(msgs[i].data.data);
    }

    for (i = 0; i < ncats; i++) {
        free(cats[i].name.data);
    }

    return 0;
}
