
/*
 * text_sse.c: frames of a stream, and the request for one.
 */


#include "text.h"


#define TEXT_EPOCH  0x123456789abcdefULL

#define TEXT_MISSED  "event: missed\ndata: {\"missed\":true}\n\n"


/* Accept */


/*
 * A second opinion: quoted strings become a word, then the text is cut at
 * commas and semicolons.
 */

static int
text_accept_model(const char *value, size_t len)
{
    char    *s, *range, *next, *part, *more, *end;
    int      named, weighed;
    size_t   i, n;

    s = malloc(len + 1);
    n = 0;

    for (i = 0; i < len; i++) {

        if (value[i] != '"') {
            s[n++] = value[i];
            continue;
        }

        for (i++; i < len && value[i] != '"'; i++) {
            i += (value[i] == '\\' && i + 1 < len);
        }

        s[n++] = 'Q';
    }

    s[n] = '\0';
    named = 0;

    for (range = s; range && !named; range = next) {
        next = strchr(range, ',');

        if (next) {
            *next++ = '\0';
        }

        weighed = 0;

        for (part = range; part; part = more) {
            more = strchr(part, ';');

            if (more) {
                *more++ = '\0';
            }

            part += strspn(part, " \t");

            for (end = part + strlen(part);
                 end > part && strchr(" \t", end[-1]);
                 end--)
            {
                end[-1] = '\0';
            }

            if (part == range + strspn(range, " \t") && !named) {
                named = (strcasecmp(part, "text/event-stream") == 0);

                if (!named) {
                    break;
                }

            } else if (!weighed && strncasecmp(part, "q=", 2) == 0 && part[2]) {
                weighed = 1;
                named = (strspn(part + 2, "0.") != strlen(part + 2));

                if (!named) {
                    break;
                }
            }
        }
    }

    free(s);

    return named;
}


static void
text_accept_is(const char *value, size_t len, int expected)
{
    int        got, model;
    ngx_str_t  s;

    s.data = text_piece(value, len);
    s.len = len;

    got = ngx_http_longpoll_sse_accepted(&s) != 0;
    model = text_accept_model(value, len);

    if (got != model || (expected != -1 && got != expected)) {
        text_say("Accept", (u_char *) value, len, got ? "a stream" : "a poll",
                 got ? "a poll" : "a stream");
    }

    text_drop(1);
}


static void
text_accepts(void)
{
    char         s[256];
    size_t       len;
    ngx_uint_t   round, i, n;
    text_case_t *t;

    static const char  *parts[] = {
        "text/event-stream", "TEXT/EVENT-STREAM", "text/event-strea",
        "text/event-streams", "*/*", "text/*", "text/html", ",", ",", ";", ";",
        " ", "\t", "q=0", "q=0.000", "Q=0.", "q=1", "q=0.5", "q=", "q", "x=y",
        "\"", "\\", "\"a,b;q=0\"", "\"\\\"\"", "=", "charset=utf-8"
    };

    static text_case_t  cases[] = {
        { "text/event-stream", "1" }, { "Text/Event-Stream", "1" },
        { " text/event-stream ", "1" }, { "text/event-stream;q=0.1", "1" },
        { "text/event-stream ; x=y ; q=1", "1" },
        { "a/b,text/event-stream", "1" }, { "a/b;q=0, text/event-stream", "1" },
        { "text/event-stream;q=0, text/event-stream", "1" },
        { "text/event-stream;x=\"q=0;q=0\"", "1" },
        { "text/event-stream;q=", "1" }, { "a/b;x=\"\\\",\",text/event-stream",
                                           "1" },
        { "", NULL }, { ",", NULL }, { ";", NULL }, { "text/*", NULL },
        { "*/*", NULL }, { "text/event-stream;q=0", NULL },
        { "text/event-stream;Q=0.000", NULL },
        { "text/event-stream;q=0;q=1", NULL },
        { "text/event-stream;x=y;q=0", NULL },
        { "text/event-stream ;\tq=0.", NULL },
        { "text/event-streamx", NULL }, { "text/event-strea", NULL },
        { "a/b;text/event-stream", NULL },
        { "a/b;x=\",text/event-stream", NULL },
        { "\"text/event-stream\"", NULL }, { NULL, NULL }
    };

    for (t = cases; t->in; t++) {
        text_accept_is(t->in, strlen(t->in), t->out != NULL);
    }

    text_end("Accept names text/event-stream, or it does not");

    n = sizeof(parts) / sizeof(char *);

    for (round = 0; round < text_rounds && text_good; round++) {
        len = 0;

        for (i = unit_below(9); i; i--) {
            len += sprintf(s + len, "%s", parts[unit_below(unit_below(2) ? 2
                                                                         : n)]);
        }

        text_accept_is(s, len, -1);
    }

    text_end("random values of Accept are read as the model reads them");
}


/* frames */


static void
text_sse_are(ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs,
    ngx_uint_t n, ngx_uint_t missed, const char *expected)
{
    u_char  *p, *end;
    size_t   len;

    len = ngx_http_longpoll_sse_events_len(cats, msgs, n, missed);
    p = text_piece(NULL, len);
    end = ngx_http_longpoll_sse_events(p, cats, msgs, n, missed, TEXT_EPOCH);

    sprintf(text_got, "%.*s", (int) (end - p), p);
    text_ok((size_t) (end - p) == len, "both passes agree");
    text_is("frames", NULL, 0, expected);

    text_drop(1);
}


static void
text_sse_frames(void)
{
    size_t                     cost;
    ngx_http_longpoll_cat_t    cats[2];
    ngx_http_longpoll_msg_t    msgs[3];

#define TEXT_ID0  "01784380-82e9-7000-8123-456789abcdef"
#define TEXT_ID1  "01784380-82e9-7000-8523-456789abcdef"

#define TEXT_F0                                                               \
    "id: " TEXT_ID0 "\ndata: {\"timestamp\":1616040198889,"                   \
    "\"category\":\"farm\",\"data\":\"oink\",\"id\":\"" TEXT_ID0 "\"}\n\n"
#define TEXT_F1                                                               \
    "id: " TEXT_ID1 "\ndata: {\"timestamp\":1616040198889,"                   \
    "\"category\":\"\\u003c\\n\\r\",\"data\":[1, 2 ],\"id\":\"" TEXT_ID1      \
    "\"}\n\n"
#define TEXT_F2                                                               \
    "id: " TEXT_ID1 "\ndata: {\"timestamp\":1616040198889,"                   \
    "\"category\":\"farm\",\"data\":0,\"id\":\"" TEXT_V4 "\"}\n\n"

    ngx_str_set(&cats[0].name, "farm");
    ngx_str_set(&cats[1].name, "<\n\r");

    memset(msgs, 0, sizeof(msgs));

    msgs[0].id = ngx_http_longpoll_id(1616040198889ULL, 0);
    ngx_str_set(&msgs[0].data, "\"oink\"");
    ngx_http_longpoll_id_uuid(&msgs[0].uuid, msgs[0].id, TEXT_EPOCH);

    msgs[1].id = ngx_http_longpoll_id(1616040198889ULL, 1);
    msgs[1].cat = 1;
    ngx_str_set(&msgs[1].data, "[1,\r2\r]");
    ngx_http_longpoll_id_uuid(&msgs[1].uuid, msgs[1].id, TEXT_EPOCH);

    msgs[2].id = msgs[1].id;
    ngx_str_set(&msgs[2].data, "0");
    (void) ngx_http_longpoll_id_parse((u_char *) TEXT_V4, sizeof(TEXT_V4) - 1,
                                      &msgs[2].uuid);

    text_sse_are(cats, msgs, 1, 0, TEXT_F0);
    text_sse_are(cats, msgs, 1, 1, TEXT_MISSED TEXT_F0);
    text_sse_are(cats, msgs, 2, 0, TEXT_F0 TEXT_F1);
    text_sse_are(cats, msgs, 0, 1, TEXT_MISSED);
    text_end("an event's frame has its id, and its object on one line");

    text_sse_are(cats, &msgs[2], 1, 0, TEXT_F2);
    text_end("an id of another kind is in the data alone");

    cost = ngx_http_longpoll_sse_event_cost(&cats[0].name) + msgs[0].data.len;
    text_ok(cost >= sizeof(TEXT_F0) - 1, "no less than it takes");
    text_ok(cost <= sizeof(TEXT_F0), "hardly more");
    text_end("an event costs what its frame takes");
}


static void
text_sse_places(void)
{
    u_char                    *p, *end;
    ngx_uint_t                 i;
    ngx_http_longpoll_uuid_t   uuid;

    static struct {
        ngx_uint_t             retry;
        ngx_uint_t             id;
        const char            *out;
    } cases[] = {
        { 1014, 1,
          "retry: 1014\nevent: place\nid: " TEXT_ID0 "\ndata: {}\n\n" },
        { 500, 0, "retry: 500\nevent: place\ndata: {}\n\n" },
        { 0, 1, "event: place\nid: " TEXT_ID0 "\ndata: {}\n\n" }
    };

    ngx_http_longpoll_id_uuid(&uuid,
                              ngx_http_longpoll_id(1616040198889ULL, 0),
                              TEXT_EPOCH);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        p = text_piece(NULL, strlen(cases[i].out));
        end = ngx_http_longpoll_sse_place(p, cases[i].retry,
                                          cases[i].id ? &uuid : NULL);
        sprintf(text_got, "%.*s", (int) (end - p), p);
        text_is("place", NULL, 0, cases[i].out);
    }

    p = text_piece(NULL, NGX_HTTP_LONGPOLL_SSE_FRAMES);
    end = ngx_http_longpoll_sse_place(p, (ngx_uint_t) -1, &uuid);
    end = ngx_http_longpoll_sse_missed(end);
    end = ngx_http_longpoll_sse_place(end, 0, &uuid);
    text_ok(end <= p + NGX_HTTP_LONGPOLL_SSE_FRAMES, "its buffer is enough");

    text_end("a place has a retry or none, and an id or none");
}


/* random messages, against printf(); no line of a frame ends early */

static void
text_sse_random(void)
{
    char                      *line, *uuid;
    size_t                     len;
    u_char                    *p;
    ngx_uint_t                 round, i, n, j, missed;
    static char                expected[MODEL_LINE], data[512];
    ngx_http_longpoll_cat_t    cat;
    ngx_http_longpoll_msg_t    msgs[8];

    ngx_str_set(&cat.name, "farm");

    for (round = 0; round < text_rounds / 4 && text_good; round++) {
        missed = unit_below(2);
        n = 1 + unit_below(8);
        line = stpcpy(expected, missed ? TEXT_MISSED : "");

        for (i = 0; i < n; i++) {
            msgs[i].id = ngx_http_longpoll_id(1616040198889ULL + i,
                                              unit_random() & 0xffff);
            msgs[i].cat = 0;
            ngx_http_longpoll_id_uuid(&msgs[i].uuid, msgs[i].id, TEXT_EPOCH);

            uuid = text_got + i * 64;
            *ngx_http_longpoll_id_print((u_char *) uuid, &msgs[i].uuid) = '\0';

            len = unit_below(300);
            p = text_piece(NULL, len);

            for (j = 0; j < len; j++) {
                p[j] = unit_below(20) ? (u_char) (0x20 + unit_below(0x5f)) : CR;
                data[j] = p[j] == CR ? ' ' : p[j];
            }

            msgs[i].data.data = p;
            msgs[i].data.len = len;

            line += sprintf(line, "id: %s\ndata: {\"timestamp\":%llu,"
                            "\"category\":\"farm\",\"data\":%.*s,\"id\":\"%s\"}"
                            "\n\n", uuid,
                            (unsigned long long) (1616040198889ULL + i),
                            (int) len, data, uuid);
        }

        text_sse_are(&cat, msgs, n, missed, expected);
        text_drop(n);
    }

    text_end("random frames are written as printf() writes them");
}


/* the query of a stream: last_event_id NULL: that of a poll */

static void
text_sse_query_is(const char *in, const char *last, const char *expected)
{
    size_t                      len;
    u_char                     *buf, *errbuf;
    ngx_str_t                   args, error, id;
    ngx_http_longpoll_query_t   q;

    memset(&q, 0xa5, sizeof(q));

    len = strlen(in);
    args.data = text_piece(in, len);
    args.len = len;
    buf = text_piece(NULL, len);
    errbuf = text_piece(NULL, NGX_HTTP_LONGPOLL_QUERY_ERROR);
    q.cats = (void *) text_piece(NULL, NGX_HTTP_LONGPOLL_MAX_CATEGORIES
                                       * sizeof(ngx_http_longpoll_cat_t));
    id.data = text_piece(last, strlen(last));
    id.len = strlen(last);
    q.last_event_id = &id;

    if (ngx_http_longpoll_query_parse(&q, &args, buf, NULL, TEXT_MAX, errbuf,
                                      &error)
        == NGX_OK)
    {
        text_query_line(&q);

    } else {
        sprintf(text_got, "error: %.*s", (int) error.len, error.data);
    }

    text_is("query of a stream", (u_char *) in, len, expected);
    text_drop(5);
}


static void
text_sse_queries(void)
{
    ngx_uint_t  i;

    static struct {
        const char  *in;
        const char  *last;
        const char  *out;
    } cases[] = {
        { "category=a", "", "timeout=0 [a]" },
        { "category=a&timeout=", "", "timeout=0 [a]" },
        { "category=a&timeout=9", "", "timeout=9 [a]" },
        { "category=a&timeout=0", "", TEXT_BAD_TIMEOUT },
        { "category=a&timeout=121", "", TEXT_BAD_TIMEOUT },
        { "category=a&timeout=x", "", TEXT_BAD_TIMEOUT },
        { "", "", TEXT_BAD_CATEGORY },
        { "category=a&since_time=5", "", "timeout=0 [a] since=5" },
        { "category=a&since_time=x", "", TEXT_BAD_SINCE },
        { "category=a&last_id=" TEXT_V7, "", "timeout=0 [a] id=" TEXT_V7_ID },
        { "category=a&last_id=" TEXT_V4, "", TEXT_NO_SINCE },
        { "category=a", TEXT_V7, "timeout=0 [a] id=" TEXT_V7_ID },
        { "category=a", "{" TEXT_V7 "}", "timeout=0 [a] id=" TEXT_V7_ID },
        { "category=a", TEXT_V4, "timeout=0 [a] uuid" },
        { "category=a", "x", TEXT_BAD_ID },
        { "category=a", TEXT_V7 "0", TEXT_BAD_ID },
        { "category=a&since_time=5&last_id=" TEXT_V4, TEXT_V7,
          "timeout=0 [a] id=" TEXT_V7_ID },
        { "category=a&since_time=x&last_id=x", TEXT_V7,
          "timeout=0 [a] id=" TEXT_V7_ID },
        { "category=a&timeout=x", "x", TEXT_BAD_TIMEOUT },
        { "category=%ff", "x", TEXT_BAD_CATEGORY }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text_sse_query_is(cases[i].in, cases[i].last, cases[i].out);
    }

    text_end("a stream needs no timeout, and Last-Event-ID is its cursor");
}


void
text_sse_all(void)
{
    text_accepts();
    text_sse_frames();
    text_sse_places();
    text_sse_random();
    text_sse_queries();
}
