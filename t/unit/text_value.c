
/*
 * text_value.c: texts as JSON strings, values as they are stored, UTF-8.
 */


#include "text.h"


/* valid JSON as the zone stores it, also against the model */

void
text_stored_is(const u_char *in, size_t len, const char *expected)
{
    u_char      *p, *model;
    ngx_uint_t   lone;

    p = text_piece(in, len);
    model = text_piece(in, len);

    lone = (ngx_http_longpoll_string_lone(p, p + len) != NULL);
    ngx_http_longpoll_string_replace(p, p + len);
    model_stored(model, len);

    if (memcmp(p, model, len) != 0
        || (expected && memcmp(p, expected, len) != 0))
    {
        text_say("stored", in, len, (char *) p, (char *) model);
    }

    if (lone != (memcmp(p, in, len) != 0)
        || ngx_http_longpoll_string_lone(p, p + len) != NULL)
    {
        text_say("a surrogate alone", in, len, "", "");
    }

    text_drop(2);
}


void
text_stored(void)
{
    u_char       *p;
    size_t        len;
    ngx_uint_t    i, n, one, two;
    text_case_t  *t;

    static char  *halves[] = {
        "\\ud800", "\\uDBFF", "\\uDc00", "\\udfff", "\\ud7ff", "\\ue000",
        "\\ufffd", "\\u0d80", "\\ud83d\\udc37", "\\\\", "\\n", "u", "d83d",
        "x"
    };

    static text_case_t  cases[] = {
        { "\"cut \\ud83d\"", "\"cut \\ufffd\"" },
        { "\"\\udc37\"", "\"\\ufffd\"" },
        { "\"\\ud83d\\ud83d\\udc37\"", "\"\\ufffd\\ud83d\\udc37\"" },
        { "\"\\uD83D\\uDC37\\uDC37\"", "\"\\uD83D\\uDC37\\ufffd\"" },
        { "\"\\udc37\\ud83d\"", "\"\\ufffd\\ufffd\"" },
        { "\"\\ud83dx\\udc37\"", "\"\\ufffdx\\ufffd\"" },
        { "\"\\ud83d\\\\udc37\"", "\"\\ufffd\\\\udc37\"" },
        { "\"\\ud83d\\n\\udc37\"", "\"\\ufffd\\n\\ufffd\"" },
        { "\"\\ud83d\\u0041\"", "\"\\ufffd\\u0041\"" },
        { "\"\\\\ud83d\"", "\"\\\\ud83d\"" },
        { "\"\\\\\\ud83d\"", "\"\\\\\\ufffd\"" },
        { "\"\\ud7ff\\ue000\\uD7FF\\uE000\\ufffd\\uFFFD\"",
          "\"\\ud7ff\\ue000\\uD7FF\\uE000\\ufffd\\uFFFD\"" },
        { "{\"\\ud800\":[1,{\"\\uDFFF\": \"a\\uDBFF\"}]}",
          "{\"\\ufffd\":[1,{\"\\ufffd\": \"a\\ufffd\"}]}" },
        { "[\"\\ud83d\",\"\\udc37\"]", "[\"\\ufffd\",\"\\ufffd\"]" },
        { "1", "1" }, { "[true, 1.0]", "[true, 1.0]" }, { NULL, NULL }
    };

    for (t = cases; t->in; t++) {
        text_stored_is((u_char *) t->in, strlen(t->in), t->out);
    }

    n = sizeof(halves) / sizeof(char *);

    for (one = 0; one < n; one++) {
        for (two = 0; two < n; two++) {
            p = text_piece(NULL, 64);
            len = sprintf((char *) p, "\"%s%s\"", halves[one], halves[two]);
            text_stored_is(p, len, NULL);
            text_drop(1);
        }
    }

    for (i = 0; i < text_rounds && text_good; i++) {
        p = text_piece(NULL, 256);
        len = 0;
        p[len++] = '"';

        for (one = unit_below(15); one; one--) {
            len += sprintf((char *) p + len, "%s", halves[unit_below(n)]);
        }

        p[len++] = '"';
        text_stored_is(p, len, NULL);
        text_drop(1);
    }

    text_end("a surrogate alone is stored as U+FFFD, and nothing else changes");
}


/* data as text: each way to write a code point */

void
text_texts(void)
{
    char         *p, expected[256], in[2048];
    u_char       *out, *end;
    uint32_t      c;
    ngx_str_t     data;
    ngx_uint_t    i, k, n;
    text_case_t  *t;

    static text_case_t  cases[] = {
        { "\"\"", "" }, { "\"x\"", "x" }, { "null", "null" },
        { "{\"a\": \"\\u0041\"}", "{\"a\": \"\\u0041\"}" },
        { "[\"\\n\"]", "[\"\\n\"]" }, { "-1.0E+2", "-1.0E+2" },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
        { "\"\\u00e4\\u00E4\"", "\xc3\xa4\xc3\xa4" },
        { "\"\\ud83d\\udc37\"", "\xf0\x9f\x90\xb7" },
        { "\"\\ud83d\"", "\xef\xbf\xbd" },
        { "\"\\udc37\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\"\\ud83dx\\udc37\"", "\xef\xbf\xbdx\xef\xbf\xbd" },
        { "\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A" },
        { "\"\\\\u0041\"", "\\u0041" }, { "\"\\\\\"", "\\" },
        { NULL, NULL }
    };

    for (t = cases; t->in; t++) {
        data.len = strlen(t->in);
        data.data = text_piece(t->in, data.len);
        out = text_piece(NULL, data.len);
        end = ngx_http_longpoll_string_text(out, &data);

        sprintf(text_got, "%.*s", (int) (end - out), out);
        text_is("text", data.data, data.len, t->out);
        text_drop(2);
    }

    for (i = 0; i < text_rounds; i++) {
        p = in;
        *p++ = '"';
        n = 0;

        for (k = unit_below(20); k; k--) {
            c = 1 + unit_below(unit_below(2) ? 0xff : 0x10ffff);

            if (c >= 0xd800 && c <= 0xdfff) {
                c = 0xfffd;
            }

            end = (u_char *) expected + n;

            if (c < 0x80) {
                *end++ = c;

            } else if (c < 0x800) {
                *end++ = 0xc0 | c >> 6;
                *end++ = 0x80 | (c & 0x3f);

            } else if (c < 0x10000) {
                *end++ = 0xe0 | c >> 12;
                *end++ = 0x80 | (c >> 6 & 0x3f);
                *end++ = 0x80 | (c & 0x3f);

            } else {
                *end++ = 0xf0 | c >> 18;
                *end++ = 0x80 | (c >> 12 & 0x3f);
                *end++ = 0x80 | (c >> 6 & 0x3f);
                *end++ = 0x80 | (c & 0x3f);
            }

            if (unit_below(2) && c >= 0x20 && c != '"' && c != '\\') {
                memcpy(p, expected + n, (char *) end - expected - n);
                p += (char *) end - expected - n;

            } else if (c < 0x10000) {
                p += sprintf(p, unit_below(2) ? "\\u%04x" : "\\u%04X", c);

            } else {
                p += sprintf(p, "\\u%04x\\u%04X", 0xd7c0 + (c >> 10),
                             0xdc00 + (c & 0x3ff));
            }

            n = (char *) end - expected;
        }

        *p++ = '"';
        expected[n] = '\0';

        data.len = p - in;
        data.data = text_piece(in, data.len);
        out = text_piece(NULL, data.len);
        end = ngx_http_longpoll_string_text(out, &data);

        text_ok((ngx_uint_t) (end - out) == n, "a text's length");
        sprintf(text_got, "%.*s", (int) (end - out), out);
        text_is("text", data.data, data.len, expected);
        text_drop(2);
    }

    text_end("data is read as text, whatever its escapes");
}


void
text_values(void)
{
    u_char       *buf;
    ngx_str_t     args, name, value;
    text_case_t  *t;

    static text_case_t  cases[] = {
        { "", "" }, { "client-id", "" }, { "client-id=", "" },
        { "client-id=0", "0" }, { "a=b&client-id=7$x&c", "7$x" },
        { "client-id=1&client-id=2", "1" }, { "client-id=&client-id=2", "2" },
        { "client-id=%2&client-id=2", "2" }, { "client-id=%24+%41", "$ A" },
        { "%63lient%2Did=x", "x" }, { "client-idx=1&xclient-id=2", "" },
        { "client-i=1&client=2&Client-Id=3", "" }, { "client-id=a;b", "" },
        { "&&client-id=x&&", "x" }, { "=&=x&client-id==", "=" },
        { "client-id%", "" }, { "client-id=a=b", "a=b" }, { NULL, NULL }
    };

    ngx_str_set(&name, "client-id");

    for (t = cases; t->in; t++) {
        args.len = strlen(t->in);
        args.data = text_piece(t->in, args.len);
        buf = text_piece(NULL, args.len);

        ngx_http_longpoll_query_value(&args, buf, &name, &value);

        sprintf(text_got, "%.*s", (int) value.len, value.data);
        text_is("value", args.data, args.len, t->out);
        text_drop(2);
    }

    text_end("one argument is found as all are");
}


void
text_utf8(void)
{
    u_char      *p, *escaped, b[4];
    size_t       len, n;
    uint64_t     c;
    ngx_str_t    text;
    ngx_uint_t   round, i, valid, control, controls, sound;

    for (c = 0; c < 0x110000; c++) {
        if (c >= 0xd800 && c < 0xe000) {
            continue;
        }

        n = model_put(b, (long) c);

        if (!ngx_http_longpoll_utf8_valid(b, n)
            || (n > 1 && ngx_http_longpoll_utf8_valid(b, n - 1)))
        {
            text_say("code point", b, n, "", "");
            break;
        }
    }

    text_end("every code point is UTF-8, and none without its last byte");

    /* all of two bytes, and of three behind each lead that has a rule */

    for (c = 0; c < 0x1000000; c++) {
        b[0] = (u_char) (c >> 16);
        b[1] = (u_char) (c >> 8);
        b[2] = (u_char) c;
        b[3] = 0x80;

        n = (b[0] >= 0xf0) ? 4 : 3;

        if (b[2] > 0x02 && b[2] < 0x7e) {
            continue;
        }

        if ((ngx_http_longpoll_utf8_valid(b, n) != 0) != model_utf8(b, n)) {
            text_say("bytes", b, n, "", "");
            break;
        }
    }

    text_end("each lead and second byte is UTF-8 as the model has it");

    for (round = 0; round < text_rounds && text_good; round++) {
        len = unit_below(200);
        p = text_fill('a', len);

        for (i = unit_below(4); i && len; i--) {
            c = unit_random() % (unit_below(2) ? 0x110000 : 0x900);
            n = model_put(b, (long) c);
            memcpy(p + unit_below(len), b, 1);

            if (n <= len) {
                memcpy(p + unit_below(len - n + 1), b, n);
            }
        }

        if (len && unit_below(2)) {
            p[unit_below(len)] = (u_char) unit_below(0x28);
        }

        valid = ngx_http_longpoll_utf8_scan(p, len, &control);

        for (controls = 0, n = 0; n < len; n++) {
            controls |= (p[n] < 0x20);
        }

        if ((valid != 0) != model_utf8(p, len)
            || (valid && control != controls))
        {
            text_say("text", p, len, "", "");
        }

        text.data = p;
        text.len = len;

        n = ngx_http_longpoll_escape_len(&text, &sound);
        escaped = text_piece(NULL, n);

        if ((sound != 0) != (valid != 0)
            || ngx_http_longpoll_escape(escaped, &text, n) != escaped + n)
        {
            text_say("text, as it is escaped", p, len, "", "");
        }

        text_drop(2);
    }

    text_end("UTF-8 and control characters are seen at any place of a text");
}
