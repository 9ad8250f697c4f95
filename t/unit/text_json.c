
/*
 * text_json.c: publish bodies.
 */


#include "text.h"


static void
text_json(const u_char *in, size_t len)
{
    u_char                    *body;
    ngx_str_t                  error;
    ngx_uint_t                 i, n;
    ngx_http_longpoll_item_t   one, *item;

    body = text_piece(in, len);

    if (ngx_http_longpoll_json_parse(&item, &n, &one, body, len, NULL, &error)
        == NGX_OK)
    {
        text_got[0] = '\0';

        for (i = 0; i < n; i++) {
            model_show(text_got, "[", item[i].category.data,
                       item[i].category.len, "]");
            model_show(text_got, " data=", item[i].data.data,
                       item[i].data.len, "");

            if (item[i].data.data < body
                || item[i].data.data + item[i].data.len > body + len)
            {
                text_say("data is not in the body", in, len, "", "");
            }

            text_stored_is(item[i].data.data, item[i].data.len, NULL);
        }

    } else {
        sprintf(text_got, "error: %.*s", (int) error.len, error.data);
    }

    if (memcmp(body, in, len) != 0) {
        text_say("the body was changed", in, len, "", "");
    }

    text_drop(1);
    text_stub_reset();
}


/* the body as the data itself, against the model */

static void
text_data(const u_char *in, size_t len)
{
    u_char     *body;
    ngx_str_t   data, error;

    body = text_piece(in, len);

    if (ngx_http_longpoll_json_data(&data, body, len, NULL, &error) == NGX_OK)
    {
        text_got[0] = '\0';
        model_show(text_got, "data=", data.data, data.len, "");

    } else {
        sprintf(text_got, "error: %.*s", (int) error.len, error.data);
    }

    model_data(text_model_line, in, len);
    text_is("data, the model's", in, len, text_model_line);

    if (memcmp(body, in, len) != 0) {
        text_say("the body was changed", in, len, "", "");
    }

    text_drop(1);
    text_stub_reset();
}


static void
text_json_is(const u_char *in, size_t len, const char *expected)
{
    text_json(in, len);

    model_json(text_model_line, in, len);

    if (expected) {
        text_is("json", in, len, expected);
    }

    text_is("json, the model's", in, len, text_model_line);
}


void
text_jsons(text_case_t *cases, const char *title)
{
    for ( /* void */ ; cases->in; cases++) {
        text_json_is((u_char *) cases->in, strlen(cases->in), cases->out);
    }

    text_end(title);
}


#define TEXT_D  "{\"category\":\"farm\",\"data\":"

static text_case_t  text_json_plain[] = {
    { TEXT_D "\"oink\"}", "[farm] data=\"oink\"" },
    { "{\"data\":1,\"category\":\"farm\"}", "[farm] data=1" },
    { " \t\r\n{ \"category\" \n:\t\"farm\" , \"data\"\r: 1 } \t\r\n",
      "[farm] data=1" },
    { "{\"category\":\"\xc3\xa9\",\"data\":\"\xf0\x9f\x90\xb7\"}",
      "[\\c3\\a9] data=\"\\f0\\9f\\90\\b7\"" },
    { "{\"a\":{\"category\":5,\"data\":6},\"category\":\"farm\",\"data\":1,"
      "\"b\":[{\"category\":7,\"data\":null}]}", "[farm] data=1" },
    { TEXT_D "{\"category\":\"x\",\"data\":null}}",
      "[farm] data={\"category\":\"x\",\"data\":null}" },
    { TEXT_D "1,\"Category\":2,\"DATA\":3,\"data \":4,\"dat\":5}",
      "[farm] data=1" },
    { NULL, NULL }
};

static text_case_t  text_json_spans[] = {
    { TEXT_D "true}", "[farm] data=true" },
    { TEXT_D "false ,\"x\":1}", "[farm] data=false" },
    { TEXT_D "0}", "[farm] data=0" },
    { TEXT_D "-0.0e+10\n}", "[farm] data=-0.0e+10" },
    { TEXT_D " 1E300\t,\"x\":1}", "[farm] data=1E300" },
    { TEXT_D "123456789012345678901234567890}",
      "[farm] data=123456789012345678901234567890" },
    { TEXT_D "\"\"}", "[farm] data=\"\"" },
    { TEXT_D "\"\\\"\"}", "[farm] data=\"\\5c\"\"" },
    { TEXT_D "\"\\\\\"}", "[farm] data=\"\\5c\\5c\"" },
    { TEXT_D "\"\\\\\\\"}\"}", "[farm] data=\"\\5c\\5c\\5c\"}\"" },
    { TEXT_D "\"\\\\\\\\\" }", "[farm] data=\"\\5c\\5c\\5c\\5c\"" },
    { TEXT_D "\"a\\\"b\\\"\\u0022c\" , \"z\":\"\\\"\"}",
      "[farm] data=\"a\\5c\"b\\5c\"\\5cu0022c\"" },
    { TEXT_D "{}}", "[farm] data={}" },
    { TEXT_D "[ ]}", "[farm] data=[ \\5d" },
    { TEXT_D "\n [1,\n\"]\"] ,\"x\":{}}", "[farm] data=[1,\\0a\"\\5d\"\\5d" },
    { TEXT_D "{ \"}\" : [{}] }\n,\"x\":[]}",
      "[farm] data={ \"}\" : [{}\\5d }" },
    { TEXT_D "\"\\ud800\\u0000\\/\"}",
      "[farm] data=\"\\5cud800\\5cu0000\\5c/\"" },
    { NULL, NULL }
};

static text_case_t  text_json_duplicates[] = {
    { "{\"category\":\"a\",\"category\":\"b\",\"data\":1}", "[b] data=1" },
    { TEXT_D "1,\"data\":[2]}", "[farm] data=[2\\5d" },
    { TEXT_D "[1],\"data\":2}", "[farm] data=2" },
    { TEXT_D "[1],\"data\":\"x\",\"y\":[3]}", "[farm] data=\"x\"" },
    { TEXT_D "null,\"data\":2}", "[farm] data=2" },
    { TEXT_D "2,\"data\":null}", TEXT_NO_DATA },
    { TEXT_D "[2],\"data\":null}", TEXT_NO_DATA },
    { "{\"category\":5,\"category\":\"b\",\"data\":1}", "[b] data=1" },
    { "{\"category\":\"b\",\"category\":5,\"data\":1}", TEXT_BAD_JSON },
    { "{\"category\":\"b\",\"category\":\"\",\"data\":1}", TEXT_NO_NAME },
    { NULL, NULL }
};

static text_case_t  text_json_keys[] = {
    { "{\"c\\u0061tegory\":\"a\",\"\\u0064\\u0061\\u0074\\u0061\":1}",
      "[a] data=1" },
    { "{\"category\\u0000\":\"a\",\"data\":1}", TEXT_NO_NAME },
    { "{\"categor\\ud800\":\"a\",\"data\":1}", TEXT_NO_NAME },
    { "{\"\":1,\"category\":\"a\",\"data\":1}", "[a] data=1" },
    { "{\"\\u00e9\\ud83d\\udc37\\n\":1,\"category\":\"a\",\"data\":1}",
      "[a] data=1" },
    { NULL, NULL }
};

static text_case_t  text_json_escapes[] = {
    { "{\"category\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"data\":1}",
      "[\"\\5c/\\08\\0c\\0a\\0d\\09] data=1" },
    { "{\"category\":\"\\u0041\\u00e9\\u20AC\\uffff\\u0000\",\"data\":1}",
      "[A\\c3\\a9\\e2\\82\\ac\\ef\\bf\\bf\\00] data=1" },
    { "{\"category\":\"\\u007f\\u0080\\u07fF\\u0800\\ud7ff\\ue000\","
      "\"data\":1}",
      "[\\7f\\c2\\80\\df\\bf\\e0\\a0\\80\\ed\\9f\\bf\\ee\\80\\80] data=1" },
    { "{\"category\":\"\\uD83D\\udc37\",\"data\":1}",
      "[\\f0\\9f\\90\\b7] data=1" },
    { "{\"category\":\"\\ud800\\udc00\\udbff\\udfff\",\"data\":1}",
      "[\\f0\\90\\80\\80\\f4\\8f\\bf\\bf] data=1" },
    { "{\"category\":\"\\ud800\",\"data\":1}", "[\\ef\\bf\\bd] data=1" },
    { "{\"category\":\"\\udc37x\",\"data\":1}", "[\\ef\\bf\\bdx] data=1" },
    { "{\"category\":\"\\ud83dx\",\"data\":1}", "[\\ef\\bf\\bdx] data=1" },
    { "{\"category\":\"\\ud83d\\n\",\"data\":1}",
      "[\\ef\\bf\\bd\\0a] data=1" },
    { "{\"category\":\"\\ud83d\\\\udc37\",\"data\":1}",
      "[\\ef\\bf\\bd\\5cudc37] data=1" },
    { "{\"category\":\"\\ud83d\\u0041\",\"data\":1}",
      "[\\ef\\bf\\bdA] data=1" },
    { "{\"category\":\"\\ud83d\\ud83d\\udc37\",\"data\":1}",
      "[\\ef\\bf\\bd\\f0\\9f\\90\\b7] data=1" },
    { "{\"category\":\"\\udc37\\ud83d\",\"data\":1}",
      "[\\ef\\bf\\bd\\ef\\bf\\bd] data=1" },
    { "{\"category\":\"\\udbffx\\udc00\\udfff\",\"data\":1}",
      "[\\ef\\bf\\bdx\\ef\\bf\\bd\\ef\\bf\\bd] data=1" },
    { "{\"category\":\"\\ud83d\\udbff\\ud83d\\ue000\",\"data\":1}",
      "[\\ef\\bf\\bd\\ef\\bf\\bd\\ef\\bf\\bd\\ee\\80\\80] data=1" },
    { "{\"category\":\"\\ud83dxudc37\",\"data\":1}",
      "[\\ef\\bf\\bdxudc37] data=1" },
    { "{\"category\":\"x\xc3\xa9\\u0079\xf0\x9f\x90\xb7\",\"data\":1}",
      "[x\\c3\\a9y\\f0\\9f\\90\\b7] data=1" },
    { NULL, NULL }
};

static text_case_t  text_json_category[] = {
    { "{}", TEXT_NO_NAME },
    { "{\"data\":1}", TEXT_NO_NAME },
    { "{\"category\":\"\",\"data\":1}", TEXT_NO_NAME },
    { "{\"category\":\"\"}", TEXT_NO_NAME },
    { "{\"Category\":\"a\",\"data\":null}", TEXT_NO_NAME },
    { "{\"category\":null,\"data\":1}", TEXT_BAD_JSON },
    { "{\"category\":5,\"data\":1}", TEXT_BAD_JSON },
    { "{\"category\":true,\"data\":1}", TEXT_BAD_JSON },
    { "{\"category\":[\"a\"],\"data\":1}", TEXT_BAD_JSON },
    { "{\"category\":{\"a\":\"b\"},\"data\":1}", TEXT_BAD_JSON },
    { "{\"data\":null,\"category\":5}", TEXT_BAD_JSON },
    { NULL, NULL }
};

static text_case_t  text_json_data[] = {
    { "{\"category\":\"a\"}", TEXT_NO_DATA },
    { "{\"category\":\"a\",\"data\":null}", TEXT_NO_DATA },
    { "{\"category\":\"a\",\"data\" : null }", TEXT_NO_DATA },
    { "{\"category\":\"a\",\"Data\":1}", TEXT_NO_DATA },
    { "{\"category\":\"a\",\"data\":[null]}", "[a] data=[null\\5d" },
    { "{\"category\":\"a\",\"data\":\"null\"}", "[a] data=\"null\"" },
    { "{\"category\":\"a\",\"data\":\"n\"}", "[a] data=\"n\"" },
    { NULL, NULL }
};

static text_case_t  text_json_bad[] = {
    { "", TEXT_BAD_JSON },
    { " ", TEXT_BAD_JSON },
    { "null", TEXT_BAD_JSON },
    { "5", TEXT_BAD_JSON },
    { "\"a\"", TEXT_BAD_JSON },
    { "[]", TEXT_BAD_JSON },
    { "category=a", TEXT_BAD_JSON },
    { "{", TEXT_BAD_JSON },
    { "}", TEXT_BAD_JSON },
    { "{{}}", TEXT_BAD_JSON },
    { TEXT_D "1", TEXT_BAD_JSON },
    { TEXT_D "1]", TEXT_BAD_JSON },
    { TEXT_D "}", TEXT_BAD_JSON },
    { TEXT_D "1,}", TEXT_BAD_JSON },
    { TEXT_D "1,,\"x\":1}", TEXT_BAD_JSON },
    { TEXT_D "[1,]}", TEXT_BAD_JSON },
    { TEXT_D "[,1]}", TEXT_BAD_JSON },
    { TEXT_D "[1 2]}", TEXT_BAD_JSON },
    { TEXT_D "1 \"x\":1}", TEXT_BAD_JSON },
    { TEXT_D ":1}", TEXT_BAD_JSON },
    { TEXT_D "1,\"x\"}", TEXT_BAD_JSON },
    { TEXT_D "1,x:1}", TEXT_BAD_JSON },
    { TEXT_D "1,5:1}", TEXT_BAD_JSON },
    { TEXT_D "'a'}", TEXT_BAD_JSON },
    { TEXT_D "01}", TEXT_BAD_JSON },
    { TEXT_D "-}", TEXT_BAD_JSON },
    { TEXT_D "+1}", TEXT_BAD_JSON },
    { TEXT_D ".5}", TEXT_BAD_JSON },
    { TEXT_D "1.}", TEXT_BAD_JSON },
    { TEXT_D "1.e5}", TEXT_BAD_JSON },
    { TEXT_D "1e}", TEXT_BAD_JSON },
    { TEXT_D "1e+}", TEXT_BAD_JSON },
    { TEXT_D "0x1}", TEXT_BAD_JSON },
    { TEXT_D "NaN}", TEXT_BAD_JSON },
    { TEXT_D "Infinity}", TEXT_BAD_JSON },
    { TEXT_D "tru}", TEXT_BAD_JSON },
    { TEXT_D "truee}", TEXT_BAD_JSON },
    { TEXT_D "nul}", TEXT_BAD_JSON },
    { TEXT_D "NULL}", TEXT_BAD_JSON },
    { TEXT_D "\"\\x\"}", TEXT_BAD_JSON },
    { TEXT_D "\"\\u12g4\"}", TEXT_BAD_JSON },
    { TEXT_D "\"\\u123\"}", TEXT_BAD_JSON },
    { TEXT_D "\"\\U0041\"}", TEXT_BAD_JSON },
    { TEXT_D "\"\\'\"}", TEXT_BAD_JSON },
    { TEXT_D "\"\t\"}", TEXT_BAD_JSON },
    { TEXT_D "\"\n\"}", TEXT_BAD_JSON },
    { TEXT_D "\"\x1f\"}", TEXT_BAD_JSON },
    { TEXT_D "\"a}", TEXT_BAD_JSON },
    { TEXT_D "\"a\\\"}", TEXT_BAD_JSON },
    { TEXT_D "1/**/}", TEXT_BAD_JSON },
    { TEXT_D "1}//x", TEXT_BAD_JSON },
    { "\v" TEXT_D "1}", TEXT_BAD_JSON },
    { TEXT_D "\v1}", TEXT_BAD_JSON },
    { TEXT_D "1\f}", TEXT_BAD_JSON },
    { TEXT_D "1}\v", TEXT_BAD_JSON },
    { TEXT_D "1}\f", TEXT_BAD_JSON },
    { TEXT_D "\xc2\xa0" "1}", TEXT_BAD_JSON },
    { "\xef\xbb\xbf" TEXT_D "1}", TEXT_BAD_JSON },
    { NULL, NULL }
};

static text_case_t  text_json_arrays[] = {
    { "[" TEXT_D "1}]", "[farm] data=1" },
    { " [ " TEXT_D "1} , " TEXT_D "[2]}\n]\n",
      "[farm] data=1[farm] data=[2\\5d" },
    { "[" TEXT_D "1},{\"data\":{\"category\":1},\"category\":\"b\"}]",
      "[farm] data=1[b] data={\"category\":1}" },
    { "[{\"data\":\"],\",\"category\":\"a\\n\"}]", "[a\\0a] data=\"\\5d,\"" },
    { "[[]]", TEXT_BAD_JSON },
    { "[ ]", TEXT_BAD_JSON },
    { "[1]", TEXT_BAD_JSON },
    { "[1," TEXT_D "1}]", TEXT_BAD_JSON },
    { "[" TEXT_D "1},1]", TEXT_BAD_JSON },
    { "[" TEXT_D "1},null," TEXT_D "1}]", TEXT_BAD_JSON },
    { "[" TEXT_D "1},\"a\"]", TEXT_BAD_JSON },
    { "[" TEXT_D "1},[" TEXT_D "1}]]", TEXT_BAD_JSON },
    { "[[" TEXT_D "1}]]", TEXT_BAD_JSON },
    { "[" TEXT_D "1},]", TEXT_BAD_JSON },
    { "[," TEXT_D "1}]", TEXT_BAD_JSON },
    { "[" TEXT_D "1}" TEXT_D "1}]", TEXT_BAD_JSON },
    { "[" TEXT_D "1}", TEXT_BAD_JSON },
    { "[" TEXT_D "1}}", TEXT_BAD_JSON },
    { "[" TEXT_D "1}]]", TEXT_BAD_JSON },
    { "[" TEXT_D "1}] 1", TEXT_BAD_JSON },
    { "[" TEXT_D "1}," TEXT_D "null},{}]", TEXT_NO_DATA },
    { "[" TEXT_D "1},{}," TEXT_D "null}]", TEXT_NO_NAME },
    { "[{},{}," TEXT_D "null}", TEXT_BAD_JSON },
    { "[{},{},{\"category\":1}]", TEXT_BAD_JSON },
    { NULL, NULL }
};

static text_case_t  text_data_cases[] = {
    { "1", NULL }, { " 1 ", NULL }, { "-1.5e7\n", NULL }, { "\"a\"", NULL },
    { "\"\\\"\"", NULL }, { "null", NULL }, { " null ", NULL },
    { "nul", NULL }, { "true", NULL }, { "false", NULL }, { "[]", NULL },
    { "{}", NULL }, { "[1,[2]] ", NULL }, { "{\"a\":[{}]}", NULL },
    { "", NULL }, { " ", NULL }, { "1 2", NULL }, { "1,2", NULL },
    { "{},{}", NULL }, { "{}, {\"a\":1}\n", NULL }, { "[],{}", NULL },
    { "{},[]", NULL }, { "{},1", NULL }, { "[{}],{},[{}]", NULL },
    { "[1],[2]", NULL }, { "1,[2]", NULL }, { "[1],2", NULL }, { "1]", NULL },
    { "]", NULL }, { "[", NULL }, { "[]]", NULL }, { "]1[", NULL },
    { "],[", NULL }, { "1],[1", NULL }, { "\"a", NULL }, { "\"a\"b", NULL },
    { "\"a\",\"b\"", NULL }, { "{}{}", NULL }, { "{},", NULL },
    { ",{}", NULL }, { "oink", NULL }, { "01", NULL }, { "1.", NULL },
    { "\"\xc3\xa9\"", NULL }, { "\"\xc3\"", NULL }, { "\v1", NULL },
    { "\"\"", NULL }, { "\"", NULL }, { "\"a\"b\"", NULL },
    { "\"a\\\"", NULL }, { "\"a\\\\\"", NULL }, { " \"a\"\n", NULL },
    { "\"a\1b\"", NULL }, { "\"\xed\xa0\x80\"", NULL }, { "\"\xff\"", NULL },
    { "\"123456789012345\"7890\"", NULL }, { "'\"", NULL },
    { "nully", NULL }, { "{\"category\":1,\"data\":null}", NULL },
    { NULL, NULL }
};

static text_case_t  text_json_behind[] = {
    { TEXT_D "1}}", TEXT_BAD_JSON },
    { TEXT_D "1}]", TEXT_BAD_JSON },
    { TEXT_D "1},", TEXT_BAD_JSON },
    { TEXT_D "1}{}", TEXT_BAD_JSON },
    { TEXT_D "1} " TEXT_D "1}", TEXT_BAD_JSON },
    { TEXT_D "1} 1", TEXT_BAD_JSON },
    { TEXT_D "1} tru", TEXT_BAD_JSON },
    { TEXT_D "1} true", TEXT_BAD_JSON },
    { TEXT_D "1} \"", TEXT_BAD_JSON },
    { TEXT_D "1} \"abc", TEXT_BAD_JSON },
    { TEXT_D "1} \"abc\"", TEXT_BAD_JSON },
    { TEXT_D "1} x", TEXT_BAD_JSON },
    { TEXT_D "1}\n\n", "[farm] data=1" },
    { NULL, NULL }
};

static text_case_t  text_json_utf8[] = {
    { TEXT_D "\"\x80\"}", TEXT_BAD_JSON },
    { TEXT_D "\"\xc3\"}", TEXT_BAD_JSON },
    { TEXT_D "\"\xc0\xaf\"}", TEXT_BAD_JSON },
    { TEXT_D "\"\xed\xa0\x80\"}", TEXT_BAD_JSON },
    { TEXT_D "\"\xf5\x80\x80\x80\"}", TEXT_BAD_JSON },
    { "{\"category\":\"\xff\",\"data\":1}", TEXT_BAD_JSON },
    { TEXT_D "1,\"\xfe\":1}", TEXT_BAD_JSON },
    { TEXT_D "1,\"x\":\"\xe2\x82\"}", TEXT_BAD_JSON },
    { TEXT_D "1}\xe2\x82\xac", TEXT_BAD_JSON },
    { TEXT_D "\"\x7f\xe2\x80\xa8\"}", "[farm] data=\"\\7f\\e2\\80\\a8\"" },
    { NULL, NULL }
};


/* text, what repeated n times, text */

static u_char *
text_repeat(const char *before, const char *what, ngx_uint_t n,
    const char *after, size_t *len)
{
    u_char      *p, *start;
    ngx_uint_t   i;

    start = text_piece(NULL, strlen(before) + strlen(what) * n
                             + strlen(after) + 1);
    p = (u_char *) stpcpy((char *) start, before);

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, what, strlen(what));
    }

    p = (u_char *) stpcpy((char *) p, after);
    *len = p - start;

    return start;
}


static void
text_datas(void)
{
    u_char       *p, *close;
    size_t        len;
    ngx_uint_t    i;
    text_case_t  *c;

    for (c = text_data_cases; c->in; c++) {
        text_data((u_char *) c->in, strlen(c->in));
    }

    for (i = 99; i <= 102; i++) {
        p = text_repeat("", "[", i, "", &len);
        close = text_repeat("", "]", i, "", &len);
        p = text_repeat((char *) p, (char *) close, 1, "", &len);
        text_data(p, len);
        text_ok((text_got[0] == 'd') == (i <= 100), "depth");
        text_drop(3);
    }

    text_end("a body of its own is any one value but null");

    for (i = 999; i <= 1001; i++) {
        p = text_repeat("[", TEXT_D "1},", i - 1, TEXT_D "1}]", &len);
        text_json_is(p, len, i > 1000 ? TEXT_BAD_JSON : NULL);
        text_ok((text_got[0] == '[') == (i <= 1000), "objects in an array");
        text_drop(1);
    }

    p = text_repeat("[", "{},", 5000, "{}]", &len);
    text_json_is(p, len, TEXT_BAD_JSON);
    p = text_repeat("[", "{},", 999, "{}]", &len);
    text_json_is(p, len, TEXT_NO_NAME);
    text_drop(2);

    text_end("an array of 1,000 is taken, of 1,001 refused");
}


static void
text_json_limits(void)
{
    u_char      *p, *close;
    size_t       len;
    ngx_uint_t   i, j;

    static struct {
        const char  *what;
        ngx_uint_t   most;          /* in 1,024 bytes */
    } names[] = {
        { "x", 1024 },
        { "\xc3\xa9", 512 },
        { "\\n", 1024 },
        { "\\u0078", 1024 },
        { "\\u00e9", 512 },
        { "\\u20ac", 341 },
        { "\\ud800", 341 },
        { "\\ud83d\\udc37", 256 }
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        p = text_repeat("{\"data\":1,\"category\":\"", names[i].what,
                        names[i].most, "\"}", &len);
        text_json_is(p, len, NULL);
        text_ok(text_got[0] == '[', names[i].what);

        p = text_repeat("{\"data\":1,\"category\":\"", names[i].what,
                        names[i].most + 1, "\"}", &len);
        text_json_is(p, len, TEXT_NO_NAME);

        p = text_repeat("{\"data\":1,\"category\":\"a", names[i].what,
                        names[i].most, "\"}", &len);
        text_json_is(p, len, 1024 % names[i].most ? NULL : TEXT_NO_NAME);
        text_drop(3);
    }

    text_end("a category of 1,024 bytes is taken, of 1,025 refused, decoded");

    for (i = 99; i <= 102; i++) {
        p = text_repeat(TEXT_D, "[", i, "", &len);
        close = text_repeat("", "]", i, "}", &len);
        p = text_repeat((char *) p, (char *) close, 1, "", &len);
        text_json_is(p, len, i > 100 ? TEXT_BAD_JSON : NULL);
        text_ok((text_got[0] == '[') == (i <= 100), "arrays");

        p = text_repeat("{\"x\":", "{\"y\":", i, "5", &len);
        close = text_repeat("", "}", i, ",\"category\":\"a\",\"data\":1}",
                            &len);
        p = text_repeat((char *) p, (char *) close, 1, "", &len);
        text_json_is(p, len, i > 100 ? TEXT_BAD_JSON : NULL);
        text_ok((text_got[0] == '[') == (i <= 100), "objects");

        p = text_repeat(TEXT_D "[", "[{\"a\":", (i - 2) / 2, "1", &len);
        close = text_repeat("", "}]", (i - 2) / 2, "]}", &len);
        p = text_repeat((char *) p, (char *) close, 1, "", &len);
        text_json_is(p, len, i > 101 ? TEXT_BAD_JSON : NULL);
        text_drop(9);
    }

    text_end("data that nests 100 deep is taken, 101 deep refused");

    p = text_repeat(TEXT_D "[", "[[1],{\"a\":{}}],", 5000, "1]}", &len);
    text_json_is(p, len, NULL);
    text_ok(text_got[0] == '[', "wide");

    p = text_repeat("", "[", 1000000, "", &len);
    text_json(p, len);
    text_is("a million brackets", p, 10, TEXT_BAD_JSON);

    p = text_repeat(TEXT_D, "[", 1000000, "}", &len);
    text_json(p, len);
    text_is("a million brackets", p, 10, TEXT_BAD_JSON);
    text_ok(text_stub_allocs == 0, "no memory for depth");
    text_end("depth counts, not how many values nest");

    for (i = 0; i < 32; i++) {
        for (j = 0; j < 2; j++) {
            p = (u_char *) (j ? TEXT_D "\"\"}" : "{\"category\":\"\"}");
            len = strlen((char *) p);
            p = text_piece(p, len + 1);
            p[len] = '\0';

            memmove(p + len - 1, p + len - 2, 2);
            p[len - 2] = (u_char) i;
            text_json_is(p, len + 1, TEXT_BAD_JSON);
            text_drop(1);
        }
    }

    text_json_is(text_lit("{\"category\":\"a\0\",\"data\":1}"), TEXT_BAD_JSON);
    text_json_is(text_lit(TEXT_D "1}\0"), TEXT_BAD_JSON);
    text_json_is(text_lit("\0" TEXT_D "1}"), TEXT_BAD_JSON);
    text_json_is(text_lit(TEXT_D "\0" "1}"), TEXT_BAD_JSON);
    text_end("a raw control byte is refused, NUL among them");
}


static void
text_json_parts(void)
{
    size_t  i, n;
    u_char  c;

    static char  body[] =
        " {\"x\" : [1, \"\\u20ac\\\"\", {\"y\":null}], \"category\": "
        "\"f\\u00e4rm\xc3\xa9\" , \"data\" : {\"a\": [-1.5e3, true, \"\\\\\"]}"
        ", \"z\":\"\"}";

    n = sizeof(body) - 1;

    text_json_is((u_char *) body, n,
                 "[f\\c3\\a4rm\\c3\\a9] data={\"a\": [-1.5e3, true, "
                 "\"\\5c\\5c\"\\5d}");

    for (i = 0; i < n; i++) {
        text_json_is((u_char *) body, i, TEXT_BAD_JSON);
    }

    text_end("of a body that is cut off anywhere nothing is taken");

    for (i = 0; i < n; i++) {
        c = body[i];

        do {
            body[i]++;
            text_json_is((u_char *) body, n, NULL);
        } while ((u_char) body[i] != c);
    }

    text_end("each byte at each place is taken or refused as the model does");
}


static ngx_int_t
text_json_one(ngx_http_longpoll_item_t *one, u_char *p, size_t len,
    ngx_str_t *error)
{
    ngx_uint_t                 n;
    ngx_http_longpoll_item_t  *items;

    return ngx_http_longpoll_json_parse(&items, &n, one, p, len, NULL, error);
}


static void
text_json_memory(void)
{
    u_char                    *p;
    size_t                     len;
    clock_t                    t;
    ngx_int_t                  rc;
    ngx_str_t                  error;
    ngx_uint_t                 i, n, nitems;
    ngx_http_longpoll_item_t   item, *items;

    static const char  plain[] = TEXT_D "{\"a\":[1,\"\\n\"]}}";
    static const char  both[] = "{\"category\":\"\\u0061\",\"data\":1}";

    p = text_piece(plain, sizeof(plain) - 1);
    rc = text_json_one(&item, p, sizeof(plain) - 1, &error);
    text_ok(rc == NGX_OK && text_stub_allocs == 0, "no pool memory");
    text_ok(item.category.data == p + 13, "the category is in the body");

    p = text_piece(both, sizeof(both) - 1);
    rc = text_json_one(&item, p, sizeof(both) - 1, &error);
    text_ok(rc == NGX_OK && text_stub_allocs == 1 && text_stub_bytes == 6,
            "one piece for a category with escapes");
    text_stub_reset();

    p = text_repeat("{\"category\":\"", "\\u0061", 100000, "\",\"data\":1}",
                    &len);
    rc = text_json_one(&item, p, len, &error);
    text_ok(rc == NGX_ERROR && error.len == sizeof(TEXT_NO_NAME) - 8
            && text_stub_peak <= 1024, "a long category takes 1,024 bytes");
    text_end("memory is taken for a category with escapes only");

    p = text_repeat("{\"category\":\"\\u0061\",\"data\":1,\"", "\\n", 50000,
                    "\":1}", &len);

    text_stub_reset();
    rc = text_json_one(&item, p, len, &error);
    n = text_stub_allocs;
    text_ok(rc == NGX_OK && n > 3, "a long key with escapes");
    text_ok(text_stub_bytes <= 6, "yajl's memory goes back at once");

    for (i = 0; i < n; i++) {
        text_stub_reset();
        text_stub_left = i;
        rc = text_json_one(&item, p, len, &error);
        text_ok(rc == NGX_ERROR && error.len == 0, "an allocation fails");
    }

    text_stub_reset();

    p = text_repeat(TEXT_D "\"", "\\n", 50000, "", &len);
    text_stub_left = 0;
    rc = text_json_one(&item, p, len, &error);
    text_ok(rc == NGX_ERROR && error.len == 0, "an unfinished string");

    p = text_repeat("[", "{\"category\":\"\\u0061\",\"data\":1},", 9,
                    TEXT_D "1}]", &len);

    for (i = 0; i < 12; i++) {
        text_stub_reset();
        text_stub_left = i;
        rc = ngx_http_longpoll_json_parse(&items, &nitems, &item, p, len, NULL,
                                          &error);
        text_ok(i < 10 ? rc == NGX_ERROR && error.len == 0
                       : rc == NGX_OK && nitems == 10, "an array's memory");
    }

    text_stub_reset();
    text_end("no memory is an error without a text, and nothing worse");

    /* some 200 ms; the bound is for valgrind on a slow machine */

    t = clock();

    p = text_repeat(TEXT_D "\"", "abcdefg\\\"\\\\\xc3\xa9", 1 << 20, "\"}",
                    &len);
    text_stub_reset();
    rc = text_json_one(&item, p, len, &error);
    text_ok(rc == NGX_OK && item.data.len == (13 << 20) + 2
            && text_stub_allocs == 0, "13 MB of string");

    p = text_repeat(TEXT_D "[", "{\"a\":[1,2.5]},", 1 << 20, "1]}", &len);
    rc = text_json_one(&item, p, len, &error);
    text_ok(rc == NGX_OK && item.data.len == (14 << 20) + 3
            && text_stub_allocs == 0, "14 MB of objects");

    p = text_repeat(TEXT_D "\"", "\\\\", 4 << 20, "\"}", &len);
    rc = text_json_one(&item, p, len, &error);
    text_ok(rc == NGX_OK && item.data.len == (8 << 20) + 2, "8 MB of '\\'");

    p = text_repeat(TEXT_D "\"", TEXT_200 "\\n" TEXT_200 TEXT_200 "\\t", 20000,
                    "\"}", &len);
    rc = text_json_one(&item, p, len, &error);
    text_ok(rc == NGX_OK && item.data.len == 20000 * 604 + 2
            && text_stub_allocs == 0, "12 MB of text");

    text_ok(clock() - t < 60 * CLOCKS_PER_SEC, "in less than a minute");
    text_end("large bodies are read in place");
}


#define text_any(a)  a[unit_below(sizeof(a) / sizeof(char *))]

static const char   *text_json_blanks[] = { "", "", "", " ", "\n", "\t \r\n" };


/* an object, good or not; returns its length */

static size_t
text_json_object(char *p)
{
    size_t               len;
    ngx_uint_t           i, n, at;
    static const char   *values[] = {
        TEXT_LONG("", ""), TEXT_LONG("", "\\u00e9"), TEXT_LONG("\\n", "\x01"),
        TEXT_LONG("\xc3\xa9", TEXT_200 "\\t" TEXT_200 TEXT_200 "\\\""),
        "1", "-0.5e-7", "17e307", "[{\"a\":-18E+307}]", "null", "true",
        "false", "\"\"", "\"a\\\\\"",
        "\"\\\"}\"", "[]", "{}", "[1,[2,{\"data\":3}]]", "\"\\ud83d\\udc37\"",
        "{\"category\":{\"data\":[null]}}", "\"\xf0\x9f\x90\xb7\xe2\x82\xac\""
    };
    static const char   *keys[] = {
        "category", "category", "data", "data", "d\\u0061ta", "x", "",
        "c\\u0061tegor\\u0079", "Data", "\xc3\xa9", "data" TEXT_200,
        TEXT_200 "data", "\\n" TEXT_200 "category"
    };
    static const char   *names[] = {
        "\"a\"", "\"\\n\\u00e9\"", "\"\\ud800\"", "\"\xe2\x82\xac\"", "\"\"",
        "\"\\ud83d\\udc37\\\"\"", "5", "\"b\"", "\"c\"", "\"d\""
    };

    len = sprintf(p, "%s{", text_any(text_json_blanks));

    for (i = 0, n = unit_below(6); i < n; i++) {
        at = unit_below(2) ? i * 2 % 4
                           : unit_below(sizeof(keys) / sizeof(char *));
        len += sprintf(p + len, "%s%s\"%s\"%s:%s%s%s", i ? "," : "",
                       text_any(text_json_blanks), keys[at],
                       text_any(text_json_blanks), text_any(text_json_blanks),
                       keys[at][0] == 'c' ? text_any(names) : text_any(values),
                       text_any(text_json_blanks));
    }

    return len + sprintf(p + len, "}%s", text_any(text_json_blanks));
}


static void
text_json_random(void)
{
    size_t               len, n;
    ngx_uint_t           round, i, at, taken, array;
    static u_char        in[32768], out[32768];
    static const char   *tokens[] = {
        "{", "}", "[", "]", "{", "}", "[", "]", ",", ",", ":", " ", "\n",
        "\"", "\"a\"", "\"\\\"", "\\", "\"category\":", "\"data\":",
        "\"categ\\u006fry\":\"b\"", "\"category\":\"c\"", "\"data\":[1,2]",
        "\"\\ud83d\\udc37\"", "\"\\ud800\"", "\\u", "\"\xc3\xa9\"", "\xe2\x80",
        "null", "true", "false", "0", "-1", "1.5", "2e9", "1.", "-", "x", "\v",
        "\f", "{\"data\":", "{\"category\":\"d\",\"data\":", "\"e\":"
    };

    taken = 0;

    for (round = 0; round < text_rounds && text_good; round++) {
        len = 0;

        if (unit_below(3)) {
            array = unit_below(2);

            if (array) {
                len += sprintf((char *) in, "%s[", text_any(text_json_blanks));
            }

            for (i = 0, n = array ? unit_below(4) : 1; i < n; i++) {
                len += sprintf((char *) in + len, "%s", i ? "," : "");
                len += text_json_object((char *) in + len);
            }

            len += sprintf((char *) in + len, "%s%s", array ? "]" : "",
                           text_any(text_json_blanks));

        } else {
            for (n = unit_below(30); n; n--) {
                len += sprintf((char *) in + len, "%s", text_any(tokens));
            }
        }

        for (n = unit_below(2) ? unit_below(4) : 0; n && len; n--) {
            at = unit_below(len);

            switch (unit_below(5)) {
            case 0:
                in[at] = (u_char) unit_random();
                break;
            case 1:
                memmove(in + at, in + at + 1, len - at - 1);
                len--;
                break;
            case 2:
                in[at] = "{}[]\",:\\ 0"[unit_below(10)];
                break;
            case 3:
                memcpy(out, in, len);
                i = unit_below(len);
                memcpy(in + at, out + i, ngx_min(len - i, len - at));
                break;
            default:
                len = at;
            }
        }

        text_data(in, len);
        text_json_is(in, len, NULL);

        taken += (text_got[0] == '[');
    }

    printf("# %lu of %lu bodies were taken\n", (unsigned long) taken,
           (unsigned long) round);

    text_ok(taken > round / 20, "one in twenty is taken");
    text_end("random bodies are read as the model reads them");
}


void
text_json_all(void)
{
    text_jsons(text_json_plain, "a body gives its category and its data");
    text_jsons(text_json_spans, "data is the publisher's own text");
    text_jsons(text_json_duplicates, "of duplicate keys the last counts");
    text_jsons(text_json_keys, "keys are compared unescaped");
    text_jsons(text_json_escapes, "a category is unescaped as Go does it");
    text_jsons(text_json_category,
               "a category that is no string is bad JSON, none is its error");
    text_jsons(text_json_data, "null or no data is an error");
    text_jsons(text_json_bad, "what is not an object of JSON is refused");
    text_jsons(text_json_arrays, "an array gives each of its objects");
    text_datas();
    text_jsons(text_json_behind, "behind the object stand only blanks");
    text_jsons(text_json_utf8, "a body that is not UTF-8 is refused");
    text_json_limits();
    text_json_parts();
    text_json_memory();
    text_json_random();
    text_utf8();
}
