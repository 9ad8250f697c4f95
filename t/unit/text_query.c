
/*
 * text_query.c: a poll's query string.
 */


#include "text.h"


void
text_query_line(ngx_http_longpoll_query_t *q)
{
    ngx_uint_t  i;

    sprintf(text_got, "timeout=%lu", (unsigned long) q->timeout);

    for (i = 0; i < q->ncats; i++) {
        model_show(text_got, " [", q->cats[i].name.data, q->cats[i].name.len,
                   "]");
    }

    if (q->has_since) {
        sprintf(text_got + strlen(text_got), " since=%lld",
                (long long) q->since_time);
    }

    if (q->own_id) {
        sprintf(text_got + strlen(text_got), " id=%llx/%llx",
                (unsigned long long) q->id, (unsigned long long) q->epoch);

    } else if (q->has_id) {
        strcat(text_got, " uuid");
    }

    if (q->recent) {
        sprintf(text_got + strlen(text_got), " recent=%lu",
                (unsigned long) q->recent);
    }

    text_ok(q->has_since || q->since_time == 0, "no since_time is 0");
    text_ok(q->own_id || (q->id == 0 && q->epoch == 0), "no id is 0");
}


/*
 * A cached query answers the next one of the same owner with the same bytes,
 * and no other.
 */

static void
text_query_cached(ngx_http_longpoll_query_t *q, ngx_str_t *args)
{
    char                        was[sizeof(text_got)];
    ngx_str_t                   copy, *name;
    ngx_uint_t                  may, again;
    ngx_http_longpoll_query_t   other;
    ngx_http_longpoll_cat_t    *cats;

    /* the one before this is still kept */
    static ngx_http_longpoll_query_cache_t  kept;
    static char                            owner, stranger;

    name = &q->cats[0].name;
    may = q->ncats == 1 && args->len <= NGX_HTTP_LONGPOLL_QUERY_CACHE
          && name->data >= args->data && name->data < args->data + args->len;

    q->cats[0].hash[0] = unit_random();
    q->cats[0].hash[1] = unit_random();

    ngx_http_longpoll_query_cache(&kept, &owner, args, q);

    memset(&other, 0xa5, sizeof(other));
    cats = (void *) text_piece(NULL, sizeof(ngx_http_longpoll_cat_t));
    other.cats = cats;
    copy.data = text_piece(args->data, args->len);
    copy.len = args->len;

    text_ok(!ngx_http_longpoll_query_cached(&kept, &stranger, &copy, &other),
            "another owner's");

    again = ngx_http_longpoll_query_cached(&kept, &owner, &copy, &other);
    text_ok(again == may, "kept, if it may be");

    if (again) {
        text_ok(other.cats == cats && cats[0].hash[0] == q->cats[0].hash[0]
                && cats[0].hash[1] == q->cats[0].hash[1],
                "the same category");
        text_ok(cats[0].name.data == copy.data + (name->data - args->data),
                "in its own bytes");

        strcpy(was, text_got);
        text_query_line(&other);
        text_ok(strcmp(was, text_got) == 0, "the same query");

        copy.data[unit_below(copy.len)] ^= 1;
        text_ok(!ngx_http_longpoll_query_cached(&kept, &owner, &copy, &other),
                "not another one");

        copy.len--;
        text_ok(!ngx_http_longpoll_query_cached(&kept, &owner, &copy, &other),
                "not a shorter one");
    }

    text_drop(2);
}


static void
text_query(const u_char *in, size_t len)
{
    u_char                     *buf, *errbuf;
    ngx_str_t                   args, error;
    ngx_http_longpoll_query_t   q;

    memset(&q, 0xa5, sizeof(q));
    q.last_event_id = NULL;

    q.last_event_id = NULL;

    args.data = text_piece(in, len);
    args.len = len;
    buf = text_piece(NULL, len);

    /* a caller that knows that nothing is escaped needs no buffer */

    if (len % 2 && !memchr(in, '%', len) && !memchr(in, '+', len)) {
        buf = NULL;
    }

    errbuf = text_piece(NULL, NGX_HTTP_LONGPOLL_QUERY_ERROR);
    q.cats = (void *) text_piece(NULL, NGX_HTTP_LONGPOLL_MAX_CATEGORIES
                                       * sizeof(ngx_http_longpoll_cat_t));

    if (ngx_http_longpoll_query_parse(&q, &args, buf, NULL, TEXT_MAX, errbuf,
                                      &error)
        == NGX_OK)
    {
        text_query_line(&q);
        text_query_cached(&q, &args);

    } else {
        sprintf(text_got, "error: %.*s", (int) error.len, error.data);
    }

    if (memcmp(args.data, in, len) != 0) {
        text_say("args were changed", in, len, "", "");
    }

    text_drop(4);
}


/* in -> expected, which the model must say too; NULL: whatever that says */

static void
text_query_is(const u_char *in, size_t len, const char *expected)
{
    text_query(in, len);

    model_query(text_model_line, in, len, TEXT_MAX);

    if (expected) {
        text_is("query", in, len, expected);
    }

    text_is("query, the model's", in, len, text_model_line);
}


static void
text_queries(text_case_t *cases, const char *title)
{
    for ( /* void */ ; cases->in; cases++) {
        text_query_is((u_char *) cases->in, strlen(cases->in), cases->out);
    }

    text_end(title);
}


static text_case_t  text_query_plain[] = {
    { TEXT_T "&category=farm", "timeout=9 [farm]" },
    { "category=farm&" TEXT_T "&_=1616040198889", "timeout=9 [farm]" },
    { TEXT_T "&category=b&category=a", "timeout=9 [b] [a]" },
    { TEXT_T "&category=a&since_time=1616040198889",
      "timeout=9 [a] since=1616040198889" },
    { TEXT_T "&category=a&since_time=5&last_id=" TEXT_V4,
      "timeout=9 [a] since=5 uuid" },
    { TEXT_T "&category=a&since_time=5&last_id=" TEXT_V7,
      "timeout=9 [a] since=5 id=" TEXT_V7_ID },
    { TEXT_T "&category=a&last_id=" TEXT_V7,
      "timeout=9 [a] id=" TEXT_V7_ID },
    { "&&" TEXT_T "&&&category=a&", "timeout=9 [a]" },
    { TEXT_T "&category=a=b", "timeout=9 [a=b]" },
    { TEXT_T "&category==", "timeout=9 [=]" },
    { TEXT_T "&Category=a", TEXT_BAD_CATEGORY },
    { TEXT_T "&categories=a&categor=b&ategory=c&=d", TEXT_BAD_CATEGORY },
    { NULL, NULL }
};

static text_case_t  text_query_decoded[] = {
    { TEXT_T "&category=a+b%20c%2B", "timeout=9 [a b c+]" },
    { TEXT_T "&category=%c3%A9%00%26", "timeout=9 [\\c3\\a9\\00&]" },
    { "time%6fut=%39&categ%6Fry=a", "timeout=9 [a]" },
    { "%74imeout=9&categor%79=a", "timeout=9 [a]" },
    { TEXT_T "&category%3d=a", TEXT_BAD_CATEGORY },
    { TEXT_T "&category+=a", TEXT_BAD_CATEGORY },
    { TEXT_T "&categor=x&category=%61&category=%62",
      "timeout=9 [a] [b]" },
    { TEXT_T "&category=a%3Bb", "timeout=9 [a;b]" },
    { TEXT_T "&category=%25%32%35", "timeout=9 [%25]" },
    { NULL, NULL }
};

static text_case_t  text_query_left_out[] = {
    { TEXT_T "&category=%4&category=b", "timeout=9 [b]" },
    { TEXT_T "&category=b&category=%", "timeout=9 [b]" },
    { TEXT_T "&category=b&category=a%4", "timeout=9 [b]" },
    { TEXT_T "&category=%zz&category=%4z&category=%z4&category=b",
      "timeout=9 [b]" },
    { TEXT_T "&category=%:0&category=%@0&category=%`0&category=%/0"
      "&category=%G0&category=%g0&category=b", "timeout=9 [b]" },
    { TEXT_T "&category=%a%42&category=a%&category=ab%4&category=b",
      "timeout=9 [b]" },
    { TEXT_T "&category%=a&%category=a&category%4=a&category=b",
      "timeout=9 [b]" },
    { TEXT_T "&category=a;b&;category=c&category;=d&category=e;&category=b",
      "timeout=9 [b]" },
    { TEXT_T ";category=a&timeout=8&category=b", "timeout=8 [b]" },
    { TEXT_T "&category=&category&category=b", "timeout=9 [b]" },
    { TEXT_T "&category=", TEXT_BAD_CATEGORY },
    { TEXT_T "&category", TEXT_BAD_CATEGORY },
    { TEXT_T "&category=a;b", TEXT_BAD_CATEGORY },
    { TEXT_T "&category=%", TEXT_BAD_CATEGORY },
    { TEXT_T "&category=a&since_time=&last_id=", "timeout=9 [a]" },
    { TEXT_T "&category=a&since_time=%&last_id=;", "timeout=9 [a]" },
    { NULL, NULL }
};

static text_case_t  text_query_first[] = {
    { "timeout=8&timeout=9&category=a", "timeout=8 [a]" },
    { "timeout=x&timeout=9&category=a", TEXT_BAD_TIMEOUT },
    { "timeout=&timeout=%&timeout=1;&timeout=9&timeout=10&category=a",
      "timeout=9 [a]" },
    { TEXT_T "&category=a&since_time=&since_time=5&since_time=6",
      "timeout=9 [a] since=5" },
    { TEXT_T "&category=a&since_time=x&since_time=5", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&last_id=&last_id=" TEXT_V7 "&last_id=x",
      "timeout=9 [a] id=" TEXT_V7_ID },
    { TEXT_T "&category=a&last_id=x&last_id=" TEXT_V7, TEXT_NO_SINCE },
    { NULL, NULL }
};

static text_case_t  text_query_timeouts[] = {
    { "", TEXT_BAD_TIMEOUT },
    { "&", TEXT_BAD_TIMEOUT },
    { "category=a", TEXT_BAD_TIMEOUT },
    { "category=a&timeout=0", TEXT_BAD_TIMEOUT },
    { "category=a&timeout=1", "timeout=1 [a]" },
    { "category=a&timeout=120", "timeout=120 [a]" },
    { "category=a&timeout=121", TEXT_BAD_TIMEOUT },
    { "category=a&timeout=-1", TEXT_BAD_TIMEOUT },
    { "category=a&timeout=%2B5", "timeout=5 [a]" },
    { "category=a&timeout=+5", TEXT_BAD_TIMEOUT },
    { "category=a&timeout=5+", TEXT_BAD_TIMEOUT },
    { "category=a&timeout=5.0", TEXT_BAD_TIMEOUT },
    { "category=a&timeout=1e1", TEXT_BAD_TIMEOUT },
    { "category=a&timeout=0x9", TEXT_BAD_TIMEOUT },
    { "category=a&timeout=1_0", TEXT_BAD_TIMEOUT },
    { "category=a&timeout=007", "timeout=7 [a]" },
    { "category=a&timeout=4294967297", TEXT_BAD_TIMEOUT },
    { "category=a&timeout=18446744073709551617", TEXT_BAD_TIMEOUT },
    { "category=a&timeout=5%00", TEXT_BAD_TIMEOUT },
    { NULL, NULL }
};

static text_case_t  text_query_numbers[] = {
    { TEXT_T "&category=a&since_time=0", "timeout=9 [a] since=0" },
    { TEXT_T "&category=a&since_time=-0", "timeout=9 [a] since=0" },
    { TEXT_T "&category=a&since_time=-7", "timeout=9 [a] since=-7" },
    { TEXT_T "&category=a&since_time=9223372036854775807",
      "timeout=9 [a] since=9223372036854775807" },
    { TEXT_T "&category=a&since_time=%2B9223372036854775807",
      "timeout=9 [a] since=9223372036854775807" },
    { TEXT_T "&category=a&since_time=9223372036854775808", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=-9223372036854775808",
      "timeout=9 [a] since=-9223372036854775808" },
    { TEXT_T "&category=a&since_time=-9223372036854775809", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=9223372036854775800",
      "timeout=9 [a] since=9223372036854775800" },
    { TEXT_T "&category=a&since_time=9223372036854775810", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=92233720368547758070", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=99999999999999999999", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=18446744073709551617", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=000000000000000000000000000000000000005",
      "timeout=9 [a] since=5" },
    { TEXT_T "&category=a&since_time=-", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=%2B", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=--1", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=-%2B1", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=+", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=5/", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=5:", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=now", TEXT_BAD_SINCE },
    { NULL, NULL }
};

static text_case_t  text_query_ids[] = {
    { TEXT_T "&category=a&last_id=" TEXT_V4, TEXT_NO_SINCE },
    { TEXT_T "&category=a&last_id=x", TEXT_NO_SINCE },
    { TEXT_T "&category=a&last_id=x&since_time=", TEXT_NO_SINCE },
    { TEXT_T "&category=a&last_id=x&since_time=0", TEXT_BAD_ID },
    { TEXT_T "&category=a&since_time=0&last_id=" TEXT_V7 "0", TEXT_BAD_ID },
    { TEXT_T "&category=a&last_id=%7B" TEXT_V7 "%7d",
      "timeout=9 [a] id=" TEXT_V7_ID },
    { TEXT_T "&category=a&last_id=urn:uuid:" TEXT_V7,
      "timeout=9 [a] id=" TEXT_V7_ID },
    { NULL, NULL }
};

static text_case_t  text_query_recent[] = {
    { TEXT_T "&category=a&recent=1", "timeout=9 [a] recent=1" },
    { "recent=1000&" TEXT_T "&category=a&category=b",
      "timeout=9 [a] [b] recent=1000" },
    { TEXT_T "&category=a&r%65cent=%2B010", "timeout=9 [a] recent=10" },
    { TEXT_T "&category=a&recent=7&recent=x", "timeout=9 [a] recent=7" },
    { TEXT_T "&category=a&recent=&recent=%&recent=1;&recent=8",
      "timeout=9 [a] recent=8" },
    { TEXT_T "&category=a&recent=", "timeout=9 [a]" },
    { TEXT_T "&category=a&Recent=0&recen=0&recents=0&ecent=0",
      "timeout=9 [a]" },
    { TEXT_T "&category=a&recent=0", TEXT_BAD_RECENT },
    { TEXT_T "&category=a&recent=-1", TEXT_BAD_RECENT },
    { TEXT_T "&category=a&recent=1001", TEXT_BAD_RECENT },
    { TEXT_T "&category=a&recent=1.5", TEXT_BAD_RECENT },
    { TEXT_T "&category=a&recent=x", TEXT_BAD_RECENT },
    { TEXT_T "&category=a&recent=+5", TEXT_BAD_RECENT },
    { TEXT_T "&category=a&recent=4294967297", TEXT_BAD_RECENT },
    { TEXT_T "&category=a&recent=18446744073709551617", TEXT_BAD_RECENT },
    { TEXT_T "&category=a&recent=9&since_time=0", "timeout=9 [a] since=0" },
    { TEXT_T "&category=a&recent=9&last_id=" TEXT_V7,
      "timeout=9 [a] id=" TEXT_V7_ID },
    { TEXT_T "&category=a&recent=9&since_time=5&last_id=" TEXT_V4,
      "timeout=9 [a] since=5 uuid" },
    { TEXT_T "&category=a&recent=x&since_time=5", "timeout=9 [a] since=5" },
    { TEXT_T "&category=a&recent=9&since_time=&last_id=%",
      "timeout=9 [a] recent=9" },
    { NULL, NULL }
};

static text_case_t  text_query_order[] = {
    { "timeout=0&since_time=x&last_id=x&recent=x", TEXT_BAD_TIMEOUT },
    { TEXT_T "&since_time=x&last_id=x&recent=x", TEXT_BAD_CATEGORY },
    { TEXT_T "&category=a&since_time=x&last_id=x", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&since_time=x&recent=x", TEXT_BAD_SINCE },
    { TEXT_T "&category=a&last_id=x&recent=x", TEXT_NO_SINCE },
    { TEXT_T "&category=a&since_time=5&last_id=x&recent=x", TEXT_BAD_ID },
    { TEXT_T "&category=a&category=%ff&since_time=x", TEXT_BAD_CATEGORY },
    { "category=%ff", TEXT_BAD_TIMEOUT },
    { NULL, NULL }
};

static text_case_t  text_query_utf8[] = {
    { TEXT_T "&category=%C3%A9", "timeout=9 [\\c3\\a9]" },
    { TEXT_T "&category=%E2%82%AC%F0%9F%90%B7%F4%8f%bf%bf%7f%01",
      "timeout=9 [\\e2\\82\\ac\\f0\\9f\\90\\b7\\f4\\8f\\bf\\bf\\7f\\01]" },
    { TEXT_T "&category=%C3", TEXT_BAD_CATEGORY },
    { TEXT_T "&category=a&category=%80", TEXT_BAD_CATEGORY },
    { TEXT_T "&category=%80&category=a", TEXT_BAD_CATEGORY },
    { TEXT_T "&category=%C0%80", TEXT_BAD_CATEGORY },
    { TEXT_T "&category=%ED%A0%80", TEXT_BAD_CATEGORY },
    { TEXT_T "&category=%F4%90%80%80", TEXT_BAD_CATEGORY },
    { TEXT_T "&category=\xc3\xa9", "timeout=9 [\\c3\\a9]" },
    { TEXT_T "&category=\xff", TEXT_BAD_CATEGORY },
    { NULL, NULL }
};


static u_char *
text_names(u_char *p, ngx_uint_t from, ngx_uint_t to)
{
    for ( /* void */ ; from < to; from++) {
        p += sprintf((char *) p, "&category=c%lu", (unsigned long) from);
    }

    return p;
}


static void
text_query_limits(void)
{
    u_char         *p, *end;
    clock_t         t;
    ngx_uint_t      i;
    static u_char   in[1 << 20];

    p = in;

    for (i = 1023; i < 1027; i++) {
        end = p + sprintf((char *) p, TEXT_T "&category=");
        end = memset(end, 'x', i);
        text_query_is(p, end + i - p, i > 1024 ? TEXT_BAD_CATEGORY : NULL);
        text_ok((text_got[0] == 't') == (i <= 1024), "1024 are enough");

        end = p + sprintf((char *) p, TEXT_T "&category=");
        memset(end, 'x', i - 1);
        memcpy(end + i - 1, "%79", 3);
        text_query_is(p, end + i + 2 - p, i > 1024 ? TEXT_BAD_CATEGORY : NULL);
        text_ok((text_got[0] == 't') == (i <= 1024), "1024 decoded");
    }

    text_end("a category of 1,024 bytes is taken, one of 1,025 refused");

    end = text_names(p + sprintf((char *) p, TEXT_T), 0, 64);
    text_query_is(p, end - p, NULL);
    text_ok(text_got[0] == 't' && strstr(text_got, " [c0] [c1]") != NULL
            && strstr(text_got, " [c63]") != NULL, "64");

    end = text_names(p + sprintf((char *) p, TEXT_T), 0, 65);
    text_query_is(p, end - p, TEXT_TOO_MANY);

    end = text_names(p + sprintf((char *) p, TEXT_T), 0, 65);
    end += sprintf((char *) end, "&since_time=x");
    text_query_is(p, end - p, TEXT_TOO_MANY);

    end = text_names(p, 0, 65);
    text_query_is(p, end - p, TEXT_BAD_TIMEOUT);
    text_end("64 categories are taken, 65 are too many");

    end = text_names(p + sprintf((char *) p, TEXT_T), 0, 64);
    end = text_names(end, 0, 64);
    end = text_names(end, 63, 64);
    end += sprintf((char *) end, "&category=%%63%%30&category=");
    text_query_is(p, end - p, NULL);
    text_ok(text_got[0] == 't', "64 twice");

    text_query_is(text_lit(TEXT_T "&category=a&category=%61&category=b"
                           "&category=a&category=aa"),
                  "timeout=9 [a] [b] [aa]");
    text_end("the same category twice counts once");

    end = text_names(p + sprintf((char *) p, TEXT_T), 0, 65);
    end += sprintf((char *) end, "&category=%%ff");
    text_query_is(p, end - p, TEXT_BAD_CATEGORY);

    end = p + sprintf((char *) p, TEXT_T "&category=%%ff");
    end = text_names(end, 0, 65);
    text_query_is(p, end - p, TEXT_BAD_CATEGORY);

    end = text_names(p + sprintf((char *) p, TEXT_T), 0, 65);
    end += sprintf((char *) end, "&category=");
    memset(end, 'x', 1025);
    text_query_is(p, end + 1025 - p, TEXT_BAD_CATEGORY);
    text_end("a bad category is reported before too many");

    /* some 10 ms; the bound is for valgrind on a slow machine */

    t = clock();

    end = text_names(p + sprintf((char *) p, TEXT_T), 10000, 60000);
    text_query(p, end - p);
    text_is("50,000 categories", p, 100, TEXT_TOO_MANY);

    end = text_names(p + sprintf((char *) p, TEXT_T), 10, 73);
    for (i = 0; i < 50000; i++) {
        end = text_names(end, 73, 74);
    }
    text_query(p, end - p);
    text_ok(text_got[0] == 't', "the last of 64, 50,000 times");

    text_ok(clock() - t < 9 * CLOCKS_PER_SEC, "in less than nine seconds");
    text_end("thousands of categories cost a look at each");
}


static void
text_query_random(void)
{
    char                *p;
    size_t               len;
    ngx_uint_t           round, i, n, at;
    static u_char        in[16384];
    static const char   *tokens[] = {
        "timeout", "since_time", "last_id", "category", "category", "category",
        "%63ategory", "c%61tegory", "time%6Fut", "&", "&", "&", "&", "=", "=",
        "=", "%", "%4", "%41", "%00", "%ff", "%C3%A9", "\xc3\xa9", "+", ";",
        "0", "9", "12", "121", "-", "%2b", "9223372036854775807",
        "9223372036854775808", "x", TEXT_V7, TEXT_V4, "urn:uuid:", "{", "}",
        "&timeout=9", "&category=a", "&category=b", "&since_time=5",
        "recent", "&recent=1", "&recent=1000", "&rec%65nt=12",
        "&last_id=" TEXT_V7, "&last_id=%7b" TEXT_V4 "%7D"
    };

    for (round = 0; round < text_rounds && text_good; round++) {
        len = 0;

        if (unit_below(4)) {
            len = sprintf((char *) in, "timeout=%lu&category=%c",
                          (unsigned long) unit_below(130),
                          (int) ('a' + unit_below(3)));
        }

        n = unit_below(unit_below(50) ? 25 : 400);

        for (i = 0; i < n; i++) {
            p = (char *) tokens[unit_below(sizeof(tokens) / sizeof(char *))];
            memcpy(in + len, p, strlen(p));
            len += strlen(p);

            if (unit_below(40) == 0) {
                at = unit_below(5) ? unit_below(90) : 1020 + unit_below(9);
                if (len + at > sizeof(in) - 200) {
                    break;
                }
                len += sprintf((char *) in + len, "&category=");
                memset(in + len, 'a' + unit_below(3), at);
                len += at;
            }

            if (len > sizeof(in) - 1200) {
                break;
            }
        }

        for (n = unit_below(4); n && len; n--) {
            at = unit_below(len);

            switch (unit_below(3)) {
            case 0:
                in[at] = (u_char) unit_random();
                break;
            case 1:
                memmove(in + at, in + at + 1, len - at - 1);
                len--;
                break;
            default:
                len = at;
            }
        }

        text_query_is(in, len, NULL);
    }

    text_end("random queries are read as the model reads them");
}


void
text_query_all(void)
{
    text_queries(text_query_plain, "a query gives what it says");
    text_queries(text_query_decoded,
                 "names and values are decoded as Go does it");
    text_queries(text_query_left_out,
                 "empty and undecodable arguments, and those with ';', are "
                 "ignored");
    text_queries(text_query_first, "of those that count the first counts");
    text_queries(text_query_timeouts,
                 "timeout is whole seconds from 1 to the limit");
    text_queries(text_query_numbers, "numbers are read as Go reads them");
    text_queries(text_query_ids,
                 "last_id alone must be an own id, with since_time a UUID");
    text_queries(text_query_recent,
                 "recent is 1 to 1000, and ignored where there is a cursor");
    text_queries(text_query_order, "of several errors the first is reported");
    text_queries(text_query_utf8, "a category is UTF-8");
    text_query_limits();
    text_query_random();
}
