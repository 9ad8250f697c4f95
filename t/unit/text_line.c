
/*
 * text_line.c: the events of a file, printed and read.
 */


#include "text.h"


static void
text_line_read(const u_char *in, size_t len)
{
    u_char                         *p;
    ngx_http_longpoll_json_line_t   line;

    p = text_piece(in, len);

    strcpy(text_got, "none");

    if (ngx_http_longpoll_json_line(&line, p, len, NULL) == NGX_OK) {
        text_got[0] = '\0';

        model_show(text_got, "[", line.item.category.data,
                   line.item.category.len, "]");
        model_show(text_got, " data=", line.item.data.data,
                   line.item.data.len, "");
        model_show(text_got, " timestamp=", line.timestamp.data,
                   line.timestamp.len, "");

        if (line.id.data) {
            model_show(text_got, " id=", line.id.data - 1, line.id.len + 2, "");
        }

        if (line.key.data) {
            model_show(text_got, " key=", line.key.data - 1, line.key.len + 2,
                       "");
        }
    }

    text_drop(1);
    text_stub_reset();
}


static void
text_line_is(const u_char *in, size_t len, const char *expected)
{
    text_line_read(in, len);

    model_event(text_model_line, in, len);

    if (expected) {
        text_is("line", in, len, expected);
    }

    text_is("line, the model's", in, len, text_model_line);
}


static void
text_line_cases(text_case_t *cases, const char *title)
{
    for ( /* void */ ; cases->in; cases++) {
        text_line_is((u_char *) cases->in, strlen(cases->in), cases->out);
    }

    text_end(title);
}


#define TEXT_T1  "{\"timestamp\":1,\"category\":\"c\",\"data\":"

static text_case_t  text_line_events[] = {
    { "{\"timestamp\":1616040198889,\"category\":\"farm\",\"data\":\"oink\","
      "\"id\":\"" TEXT_V7 "\"}",
      "[farm] data=\"oink\" timestamp=1616040198889 id=\"" TEXT_V7 "\"" },
    { TEXT_T1 "{\"a\":1},\"id\":\"x\",\"key\":\"0f\"}",
      "[c] data={\"a\":1} timestamp=1 id=\"x\" key=\"0f\"" },
    { " {\"key\":\"\", \"id\" :\"\",\"data\":2,\"x\":[{\"id\":5}],\"category\":"
      "\"\\u0063\",\t\"timestamp\": 7 }\r",
      "[c] data=2 timestamp=7 id=\"\" key=\"\"" },
    { TEXT_T1 "[1,\r2] }", "[c] data=[1,\\0d2\\5d timestamp=1" },
    { TEXT_T1 "1,\"id\":\"a\",\"timestamp\":2,\"id\":\"b\"}",
      "[c] data=1 timestamp=2 id=\"b\"" },
    { NULL, NULL }
};

static text_case_t  text_line_bare[] = {
    { TEXT_T1 "1}", "[c] data=1 timestamp=1" },
    { TEXT_T1 "null}", "[c] data=null timestamp=1" },
    { TEXT_T1 "null,\"id\":\"x\"}", "[c] data=null timestamp=1 id=\"x\"" },
    { TEXT_T1 "1,\"key\":5}", "[c] data=1 timestamp=1" },
    { TEXT_T1 "1,\"key\":[\"k\"]}", "[c] data=1 timestamp=1" },
    { TEXT_T1 "1,\"key\":\"k\",\"key\":null}", "[c] data=1 timestamp=1" },
    { NULL, NULL }
};

static text_case_t  text_line_none[] = {
    { "", "none" },
    { " ", "none" },
    { "1", "none" },
    { "{}", "none" },
    { "[" TEXT_T1 "1}]", "none" },
    { TEXT_T1 "1}}", "none" },
    { TEXT_T1 "1} " TEXT_T1 "1}", "none" },
    { TEXT_T1 "1", "none" },
    { TEXT_T1 "1e400}", "none" },
    { TEXT_T1 "nul}", "none" },
    { TEXT_T1 "1,\"id\":5}", "none" },
    { TEXT_T1 "1,\"id\":null}", "none" },
    { "{\"timestamp\":1,\"category\":\"c\"}", "none" },
    { "{\"timestamp\":1,\"category\":\"\",\"data\":1}", "none" },
    { "{\"timestamp\":1,\"category\":5,\"data\":1}", "none" },
    { "{\"timestamp\":1,\"data\":1}", "none" },
    { "{\"category\":\"c\",\"data\":1,\"id\":\"x\"}", "none" },
    { "\xef\xbb\xbf" TEXT_T1 "1}", "none" },
    { "#" TEXT_T1 "1}", "none" },
    { NULL, NULL }
};


/* the data of an event, n deep, as text_line_read() has it */

static ngx_uint_t
text_line_deep(const char *before, ngx_uint_t n, const char *after,
    ngx_int_t (*read)(u_char *p, size_t len))
{
    u_char     *p, *last;
    ngx_int_t   rc;

    p = text_piece(NULL, strlen(before) + 2 * n + strlen(after) + 1);
    last = (u_char *) stpcpy((char *) p, before);

    memset(last, '[', n);
    memset(last + n, ']', n);

    last = (u_char *) stpcpy((char *) last + 2 * n, after);
    rc = read(p, last - p);

    text_drop(1);
    text_stub_reset();

    return rc == NGX_OK;
}


static ngx_int_t
text_line_body(u_char *p, size_t len)
{
    ngx_str_t                  error;
    ngx_uint_t                 n;
    ngx_http_longpoll_item_t  *items, one;

    return ngx_http_longpoll_json_parse(&items, &n, &one, p, len, NULL,
                                        &error);
}


static ngx_int_t
text_line_data(u_char *p, size_t len)
{
    ngx_str_t  data, error;

    return ngx_http_longpoll_json_data(&data, p, len, NULL, &error);
}


static ngx_int_t
text_line_event(u_char *p, size_t len)
{
    ngx_http_longpoll_json_line_t  line;

    return ngx_http_longpoll_json_line(&line, p, len, NULL);
}


static void
text_line_depth(void)
{
    ngx_uint_t  n;

    for (n = 0; n < 130; n++) {
        text_ok(text_line_deep(TEXT_T1, n, n ? "}" : "1}", text_line_body)
                == (n <= 100), "an object");
        text_ok(text_line_deep("[" TEXT_T1 "1}," TEXT_T1, n, n ? "}]" : "1}]",
                               text_line_body)
                == (n <= 100), "an object in an array");
        text_ok(text_line_deep("", n, n ? "" : "1", text_line_data)
                == (n <= 100), "a value of its own");
        text_ok(text_line_deep(TEXT_T1, n, n ? "}" : "1}", text_line_event)
                == (n <= 100), "a line");
    }

    text_end("data nests 100 deep at most, however it comes");
}


/* a message of any kind, with its data and the name of its category */

static void
text_line_random(ngx_str_t *name, ngx_http_longpoll_msg_t *msg)
{
    uint64_t       ms;
    ngx_uint_t     i, c;
    static u_char  names[64];

    static const char  *values[] = {
        "1", "null", "\"oink\"", "{\"key\":\"x\"}", "[1, 2]", "\"\\u0000\"",
        "\"\xe2\x80\xa8\"", TEXT_LONG("", ""), "{}", "-1.5e3"
    };

    memset(msg, 0, sizeof(ngx_http_longpoll_msg_t));

    ms = unit_random() >> (16 + unit_below(40));
    msg->id = ngx_http_longpoll_id(ms, unit_random() & 0xffff);
    ngx_http_longpoll_id_uuid(&msg->uuid, msg->id, unit_random());

    if (unit_below(4) == 0) {
        msg->uuid.high = unit_random();
        msg->uuid.low = unit_random();
    }

    i = unit_below(sizeof(values) / sizeof(char *));
    msg->data.len = strlen(values[i]);
    msg->data.data = text_piece(values[i], msg->data.len);

    name->data = names;
    name->len = 0;

    for (i = 1 + unit_below(15); i; i--) {
        c = unit_below(2) ? 0x20 + unit_below(96) : 1 + unit_below(0x2100);
        name->len += model_put(names + name->len, (long) c);
    }
}


static void
text_line_printed(void)
{
    char                      *line, id[NGX_HTTP_LONGPOLL_ID_LEN + 1];
    u_char                    *p, *end;
    size_t                     len;
    uint64_t                   key[2];
    ngx_str_t                  name;
    ngx_uint_t                 round, keyed;
    static char                expected[MODEL_LINE], escaped[512];
    ngx_http_longpoll_msg_t    msg;

    for (round = 0; round < text_rounds / 4 && text_good; round++) {
        text_line_random(&name, &msg);

        keyed = unit_below(2);
        key[0] = unit_random() >> unit_below(64);
        key[1] = unit_random() >> unit_below(64);

        escaped[model_name((u_char *) escaped, name.data, name.len)] = '\0';
        *ngx_http_longpoll_id_print((u_char *) id, &msg.uuid) = '\0';

        line = expected;
        line += sprintf(line, "{\"timestamp\":%llu,\"category\":\"%s\","
                        "\"data\":%.*s,\"id\":\"%s\"",
                        (unsigned long long) (msg.id >> 16), escaped,
                        (int) msg.data.len, msg.data.data, id);

        if (keyed) {
            line += sprintf(line, ",\"key\":\"%016llx%016llx\"",
                            (unsigned long long) key[0],
                            (unsigned long long) key[1]);
        }

        (void) stpcpy(line, "}\n");

        len = ngx_http_longpoll_golongpoll_line_len(&name, &msg,
                                                    keyed ? key : NULL);
        p = text_piece(NULL, len);
        end = ngx_http_longpoll_golongpoll_line(p, &name, &msg,
                                                keyed ? key : NULL);

        sprintf(text_got, "%.*s", (int) len, p);
        text_ok((size_t) (end - p) == len, "both passes agree");
        text_is("line", NULL, 0, expected);

        text_line_is(p, len - 1, NULL);
        text_ok(strcmp(text_got, "none") != 0, "a line is read");
        text_drop(2);
    }

    text_end("random events are printed as lines, and read as they were");
}


static void
text_line_parts(void)
{
    size_t  i, n;
    u_char  c;

    static char  line[] =
        "{\"timestamp\":1616040198889,\"category\":\"f\\n\",\"data\":[1,null],"
        "\"id\":\"" TEXT_V7 "\",\"key\":\"0123456789abcdef0123456789abcdef\"}";

    n = sizeof(line) - 1;

    for (i = 0; i < n; i++) {
        text_line_is((u_char *) line, i, "none");
    }

    for (i = 0; i < n; i++) {
        c = line[i];

        do {
            line[i]++;

            /* where such a timestamp ends is for its reader to say */

            if (i != sizeof("{\"timestamp\":") - 1
                || strchr("[{\"", line[i]) == NULL)
            {
                text_line_is((u_char *) line, n, NULL);
            }

        } while ((u_char) line[i] != c);
    }

    text_end("of a line that is cut off anywhere nothing is taken");
}


void
text_lines(void)
{
    text_line_cases(text_line_events,
                    "a line gives an event, whatever else is in it");
    text_line_cases(text_line_bare,
                    "an event of a file may have no id, and null for data");
    text_line_cases(text_line_none, "what is no event is not taken for one");
    text_line_depth();
    text_line_printed();
    text_line_parts();
}
