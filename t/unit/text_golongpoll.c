
/*
 * text_golongpoll.c: golongpoll's answers, written.
 */


#include "text.h"


/* wire */

static void
text_wire_name(const u_char *in, size_t len, const char *expected)
{
    u_char     *p, *end;
    size_t      n;
    ngx_str_t   name;

    name.data = text_piece(in, len);
    name.len = len;

    n = ngx_http_longpoll_escape_name_len(&name);
    p = text_piece(NULL, n);
    end = ngx_http_longpoll_escape(p, &name, n);

    sprintf(text_got, "%.*s", (int) n, p);

    if ((size_t) (end - p) != n) {
        text_say("length of name", in, len, text_got, "");
    }

    n = model_name((u_char *) text_model_line, in, len);
    text_model_line[n] = '\0';

    text_is("name, the model's", in, len, text_model_line);

    if (expected) {
        text_is("name", in, len, expected);
    }

    text_drop(2);
}


void
text_wire_names(void)
{
    u_char      *p, b[4];
    size_t       len;
    ngx_str_t    name;
    ngx_uint_t   round, i, c;

    static const char   special[] =
        "\"\\<>&\n\x1f\a\b\v\r\x0e^|~!#%';=?Z[]\x7f";
    static const char  *chars[] = {
        "\xc3\xa4", "\xe2\x80\xa8", "\xe2\x80\xa7", "\xe2\x80\xa9\"",
        "\xf0\x9f\x90\xb7", "<\xe4\xb8\xad&", NULL
    };

    text_wire_name(text_lit("farm"), "farm");
    text_wire_name(text_lit("f\xc3\xa4rm \xf0\x9f\x90\xb7/'\x7f"),
                   "f\xc3\xa4rm \xf0\x9f\x90\xb7/'\x7f");
    text_wire_name(text_lit("\"\\"), "\\\"\\\\");
    text_wire_name(text_lit("\b\f\n\r\t"), "\\b\\f\\n\\r\\t");
    text_wire_name(text_lit("\x01\v\x1f\x0e\x10"),
                   "\\u0001\\u000b\\u001f\\u000e\\u0010");
    text_wire_name(text_lit("a\0b"), "a\\u0000b");
    text_wire_name(text_lit("<a>&"), "\\u003ca\\u003e\\u0026");
    text_wire_name(text_lit("\xe2\x80\xa8|\xe2\x80\xa9"), "\\u2028|\\u2029");
    text_wire_name(text_lit("\xe2\x80\xa7\xe2\x80\xaa"),
                   "\xe2\x80\xa7\xe2\x80\xaa");
    text_wire_name(text_lit("\xe2\x81\xa8\xe3\x80\xa8"),
                   "\xe2\x81\xa8\xe3\x80\xa8");

    for (c = 0; c < 0x110000; c++) {
        if (c == 0 || (c >= 0xd800 && c < 0xe000)) {
            continue;
        }

        text_wire_name(b, model_put(b, (long) c), NULL);

        if (!text_good) {
            break;
        }
    }

    text_end("a name is escaped as Go does it");

    for (i = 0; i < 3; i++) {
        name.data = text_piece("\xe2\x80\xa8", i);
        name.len = i;
        len = ngx_http_longpoll_escape_name_len(&name);
        p = text_piece(NULL, len);
        text_ok(len == i
                && ngx_http_longpoll_escape(p, &name, len) == p + i,
                "a cut separator");
    }

    text_end("a name that ends too early is not read beyond its end");

    for (c = 0; c < sizeof(special); c++) {
        for (i = 0; i < 180; i++) {
            p = text_fill('a', 180);
            p[i] = (u_char) special[c];
            text_wire_name(p, 180, NULL);
            text_drop(1);
        }
    }

    text_end("a byte that is escaped is seen at any place of a text");

    for (c = 0; chars[c]; c++) {
        for (i = 0; i < 180; i++) {
            len = strlen(chars[c]);
            p = text_fill('a', i + len + i % 70);
            memcpy(p + i, chars[c], len);
            text_wire_name(p, i + len + i % 70, NULL);
            text_drop(1);
        }
    }

    text_end("a character is seen at any place of a text");

    for (round = 0; round < text_rounds && text_good; round++) {
        p = (u_char *) text_got + MODEL_LINE / 2;

        for (len = 0, i = unit_below(unit_below(2) ? 12 : 60); i; i--) {
            do {
                c = unit_below(2) ? 0x20 + unit_below(96)
                                  : unit_below(2) ? 0x2000 + unit_below(64)
                                                  : 1 + unit_below(0xd7ff);
            } while (c >= 0xd800 && c < 0xe000);

            len += model_put(p + len, (long) c);
        }

        text_wire_name(p, len, NULL);
    }

    text_end("random names are escaped as the model does it");
}


static void
text_wire_is(ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs,
    ngx_uint_t n, ngx_uint_t missed, const char *expected)
{
    u_char      *p, *end;
    size_t       len;
    ngx_uint_t   i;

    len = ngx_http_longpoll_golongpoll_events_len(cats, msgs, n, missed);
    p = text_piece(NULL, len);
    for (i = 0; i < n; i++) {
        ngx_http_longpoll_id_uuid(&msgs[i].uuid, msgs[i].id,
                                  0x123456789abcdefULL);
    }

    end = ngx_http_longpoll_golongpoll_events(p, cats, msgs, n, missed);

    sprintf(text_got, "%.*s", (int) (end - p), p);
    text_ok((size_t) (end - p) == len, "both passes agree");
    text_is("events", NULL, 0, expected);

    text_drop(1);
}


void
text_wire_events(void)
{
    char                      *line;
    size_t                     len;
    u_char                    *p;
    uint64_t                   ms, id, epoch;
    ngx_uint_t                 round, i, n, j, missed;
    static char                expected[MODEL_LINE];
    ngx_http_longpoll_cat_t    cats[3];
    ngx_http_longpoll_msg_t    msgs[16];

#define TEXT_E0                                                               \
    "{\"timestamp\":1616040198889,\"category\":\"farm\",\"data\":\"oink\","   \
    "\"id\":\"01784380-82e9-7000-8123-456789abcdef\"}"
#define TEXT_E1                                                               \
    "{\"timestamp\":1616040198889,\"category\":\"\\u003c\\n\",\"data\":[1, 2]"\
    ",\"id\":\"01784380-82e9-7000-8523-456789abcdef\"}"

    ngx_str_set(&cats[0].name, "farm");
    ngx_str_set(&cats[1].name, "<\n");
    ngx_str_set(&cats[2].name, "\xc3\xa9");

    memset(msgs, 0, sizeof(msgs));

    msgs[0].id = ngx_http_longpoll_id(1616040198889ULL, 0);
    msgs[0].cat = 0;
    ngx_str_set(&msgs[0].data, "\"oink\"");
    msgs[1].id = ngx_http_longpoll_id(1616040198889ULL, 1);
    msgs[1].cat = 1;
    ngx_str_set(&msgs[1].data, "[1, 2]");
    msgs[2] = msgs[1];

    text_wire_is(cats, msgs, 1, 0, "{\"events\":[" TEXT_E0 "]}");
    text_wire_is(cats, msgs, 1, 1, "{\"events\":[" TEXT_E0
                                   "],\"missed\":true}");
    text_wire_is(cats, msgs, 3, 0, "{\"events\":[" TEXT_E0 "," TEXT_E1 ","
                                   TEXT_E1 "]}");
    text_wire_is(cats, msgs, 0, 0, "{\"events\":[]}");
    text_wire_is(cats, msgs, 0, 1, "{\"events\":[],\"missed\":true}");
    text_end("events are written as golongpoll writes them");

    text_ok(ngx_http_longpoll_golongpoll_event_cost(&cats[0].name)
            == sizeof(TEXT_E0 ",") - 1 - 6, "farm");
    text_ok(ngx_http_longpoll_golongpoll_event_cost(&cats[1].name)
            == sizeof(TEXT_E1 ",") - 1 - 6, "escapes");
    text_end("an event costs what it adds, without its data");

    for (round = 0; round < text_rounds / 4 && text_good; round++) {
        missed = unit_below(2);
        n = 1 + unit_below(16);
        line = stpcpy(expected, "{\"events\":[");

        for (i = 0; i < n; i++) {
            ms = (unit_random() >> 16) >> unit_below(48);

            if (unit_below(3) == 0) {
                ms = unit_below(2) ? 1000000000000ULL : 10000000000000ULL;
                ms -= unit_below(3);
                ms++;
            }

            msgs[i].id = ngx_http_longpoll_id(ms, unit_random() & 0xffff);
            msgs[i].cat = unit_below(3);

            len = unit_below(300);
            p = text_piece(NULL, len);

            for (j = 0; j < len; j++) {
                p[j] = (u_char) (0x20 + unit_below(0x5f));
            }

            msgs[i].data.data = p;
            msgs[i].data.len = len;

            id = msgs[i].id;
            epoch = 0x123456789abcdefULL;

            line += sprintf(line, "%s{\"timestamp\":%llu,\"category\":\"%s\","
                            "\"data\":%.*s,\"id\":\"%08llx-%04llx-7%03llx-"
                            "%04llx-%012llx\"}", i ? "," : "",
                            (unsigned long long) ms,
                            msgs[i].cat == 0 ? "farm"
                            : msgs[i].cat == 1 ? "\\u003c\\n" : "\xc3\xa9",
                            (int) len, p,
                            (unsigned long long) (id >> 32),
                            (unsigned long long) (id >> 16 & 0xffff),
                            (unsigned long long) (id >> 4 & 0xfff),
                            (unsigned long long) (0x8000 | (id & 0xf) << 10
                                                  | epoch >> 48),
                            (unsigned long long) (epoch & 0xffffffffffffULL));
        }

        line = stpcpy(line, missed ? "],\"missed\":true}" : "]}");

        text_wire_is(cats, msgs, n, missed, expected);
        text_drop(n);
    }

    text_end("random events are written as printf() writes them");
}


void
text_wire_timeouts(void)
{
    char         expected[256];
    u_char      *p, *end;
    uint64_t     ms;
    ngx_str_t    text;
    ngx_uint_t   i, missed;

    for (i = 0; i < 2000; i++) {
        missed = i & 1;
        ms = (i < 2) ? 1616210844178ULL
             : (i < 4) ? ~0ULL
             : (i < 206) ? (i - 4) / 2 : unit_random() >> unit_below(64);

        p = text_piece(NULL, NGX_HTTP_LONGPOLL_GOLONGPOLL_TIMEOUT_LEN);
        end = ngx_http_longpoll_golongpoll_timeout(p, ms, missed);

        sprintf(expected, "{\"timeout\":\"no events before timeout\","
                "\"timestamp\":%llu%s}", (unsigned long long) ms,
                missed ? ",\"missed\":true" : "");
        sprintf(text_got, "%.*s", (int) (end - p), p);
        text_is("timeout", NULL, 0, expected);
        text_drop(1);
    }

    text_end("a time-out is written as golongpoll writes it");

    ngx_str_set(&text, "Invalid 'since_time' arg.");
    i = ngx_http_longpoll_golongpoll_error_len(&text);
    p = text_piece(NULL, i);
    end = ngx_http_longpoll_golongpoll_error(p, &text);
    sprintf(text_got, "%.*s", (int) (end - p), p);
    text_ok((ngx_uint_t) (end - p) == i, "both passes agree");
    text_is("error", NULL, 0, "{\"error\": \"Invalid 'since_time' arg.\"}");
    text_end("an error is written as golongpoll writes it");
}
