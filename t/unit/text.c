
/*
 * text.c: the unit tests of src/wire/: bytes in, struct or error out, and
 * structs -> bytes.
 *
 * First by hand, a title for each rule; then random,
 * against the second opinions of text_model.h, which are asked about every
 * case by hand as well.  Every input and output stands in a piece of malloc()
 * of just its size, so that the sanitizers see one byte too many.
 *
 * With nginx configured, say in N, and INCS the same as nginx's own makefile
 * has them:
 *
 *     INCS="-IN/src/core -IN/src/event -IN/src/os/unix -IN/objs"
 *     cc -O2 -g -W -Wall -Wextra -Wshadow -Wno-unused-parameter -Isrc \
 *        -Isrc/wire $INCS -o text t/unit/text.c t/unit/text_stub.c \
 *        src/wire/ngx_http_longpoll_*.c -lyajl
 *
 * and, for the sanitizers, -O1 -g -fsanitize=address,undefined.
 *
 *     text [SEED [ROUNDS]]       all tests, as TAP
 *
 * TEXT_SEED is a seed too.  A random case that fails is shown whole.
 */


#include <ngx_http_longpoll_id.h>
#include <ngx_http_longpoll_json.h>
#include <ngx_http_longpoll_query.h>
#include <ngx_http_longpoll_string.h>
#include <ngx_http_longpoll_utf8.h>
#include <ngx_http_longpoll_golongpoll.h>

#include <time.h>

#include "text_model.h"


#define TEXT_PIECES  256
#define TEXT_MAX     120            /* seconds, max_timeout of the queries */

#define text_lit(s)  (u_char *) s, sizeof(s) - 1

#define TEXT_T  "timeout=9"

#define TEXT_BAD_TIMEOUT                                                      \
    "error: Invalid or missing 'timeout' arg.  Must be 1-120."
#define TEXT_BAD_CATEGORY                                                     \
    "error: Invalid subscription category, must be 1-1024 characters long."
#define TEXT_TOO_MANY   "error: Too many categories, must be 1-64."
#define TEXT_BAD_SINCE  "error: Invalid 'since_time' arg."
#define TEXT_NO_SINCE                                                         \
    "error: Must provide 'since_time' arg when providing 'last_id'."
#define TEXT_BAD_ID     "error: Param 'last_id' was not a valid UUID."

/* as long as yajl is not told all of it */

#define TEXT_50    "abcdefghij klmnopqrst uvwxyz, 0123456789: {[ }] \x7f."
#define TEXT_200   TEXT_50 TEXT_50 TEXT_50 TEXT_50

#define TEXT_LONG(a, b)  "\"" a TEXT_200 b "\""


#define TEXT_BAD_JSON   "error: Invalid POST body json."
#define TEXT_NO_NAME                                                          \
    "error: Invalid or missing 'category' arg, must be 1-1024 characters long."
#define TEXT_NO_DATA                                                          \
    "error: Invalid or missing 'data' arg, must be non-nil."

#define TEXT_V7      "0198c0de-0001-7abc-9123-456789abcdef"
#define TEXT_V7_ID   "198c0de0001abc4/123456789abcdef"
#define TEXT_V4      "6ba7b810-9dad-41d1-80b4-00c04fd430c8"


typedef struct {
    const char  *in;
    const char  *out;
} text_case_t;


void text_stub_reset(void);

extern ngx_uint_t  text_stub_left;
extern ngx_uint_t  text_stub_allocs;
extern size_t      text_stub_bytes;
extern size_t      text_stub_peak;

static uint64_t    text_seed;
static ngx_uint_t  text_rounds = 20000;

static ngx_uint_t  text_n;
static ngx_uint_t  text_failed;
static ngx_uint_t  text_good = 1;       /* of the test at hand */

static void       *text_pieces[TEXT_PIECES];
static ngx_uint_t  text_npieces;

static char        text_got[MODEL_LINE];
static char        text_model_line[MODEL_LINE];


/* the frame */

static void
text_end(const char *title)
{
    text_n++;

    printf("%sok %lu - %s\n", text_good ? "" : "not ", (unsigned long) text_n,
           title);

    text_failed += !text_good;
    text_good = 1;

    text_stub_reset();

    while (text_npieces) {
        free(text_pieces[--text_npieces]);
    }

    fflush(stdout);
}


static void
text_say(const char *what, const u_char *in, size_t len, const char *got,
    const char *expected)
{
    static char  line[MODEL_LINE * 4];

    text_good = 0;

    line[0] = '\0';
    model_show(line, "", in, ngx_min(len, MODEL_LINE), "");

    printf("# %s: %.3000s%s\n#      got: %.3000s\n# expected: %.3000s\n",
           what, line, strlen(line) > 3000 ? "..." : "", got, expected);
}


static void
text_ok(ngx_uint_t good, const char *what)
{
    if (!good) {
        printf("# not so: %s\n", what);
        text_good = 0;
    }
}


static void
text_is(const char *what, const u_char *in, size_t len, const char *expected)
{
    if (strcmp(text_got, expected) != 0) {
        text_say(what, in, len, text_got, expected);
    }
}


/* bytes of just that size, the test's */

static u_char *
text_piece(const void *p, size_t len)
{
    u_char  *piece;

    if (text_npieces == TEXT_PIECES) {
        free(text_pieces[--text_npieces]);
    }

    piece = malloc(len);

    if (p && len) {
        memcpy(piece, p, len);
    }

    text_pieces[text_npieces++] = piece;

    return piece;
}


static void
text_drop(ngx_uint_t n)
{
    while (n--) {
        free(text_pieces[--text_npieces]);
    }
}


static u_char *
text_fill(u_char c, size_t len)
{
    return memset(text_piece(NULL, len), c, len);
}


/* splitmix64 */

static uint64_t
text_random(void)
{
    uint64_t  z;

    z = (text_seed += 0x9e3779b97f4a7c15ULL);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;

    return z ^ z >> 31;
}


static ngx_uint_t
text_below(ngx_uint_t n)
{
    return text_random() % n;
}


/* the module's answers, as lines in text_got */

static void
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

    text_ok(q->has_since || q->since_time == 0, "no since_time is 0");
    text_ok(q->own_id || (q->id == 0 && q->epoch == 0), "no id is 0");
}


/*
 * A query that was read and is kept is the next one with the same bytes, and no
 * other, and nobody else's.
 */

static void
text_query_again(ngx_http_longpoll_query_t *q, ngx_str_t *args)
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

    q->cats[0].hash[0] = text_random();
    q->cats[0].hash[1] = text_random();

    ngx_http_longpoll_query_cache(&kept, &owner, args, q);

    memset(&other, 0xa5, sizeof(other));
    cats = (void *) text_piece(NULL, sizeof(ngx_http_longpoll_cat_t));
    other.cats = cats;
    copy.data = text_piece(args->data, args->len);
    copy.len = args->len;

    text_ok(!ngx_http_longpoll_query_cached(&kept, &stranger, &copy, &other),
            "nobody else's");

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

        copy.data[text_below(copy.len)] ^= 1;
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

    args.data = text_piece(in, len);
    args.len = len;
    buf = text_piece(NULL, len);

    /* whoever knows that nothing is escaped may give none */

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
        text_query_again(&q, &args);

    } else {
        sprintf(text_got, "error: %.*s", (int) error.len, error.data);
    }

    if (memcmp(args.data, in, len) != 0) {
        text_say("args were changed", in, len, "", "");
    }

    text_drop(4);
}


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
text_json_is(const u_char *in, size_t len, const char *expected)
{
    text_json(in, len);

    model_json(text_model_line, in, len);

    if (expected) {
        text_is("json", in, len, expected);
    }

    text_is("json, the model's", in, len, text_model_line);
}


static void
text_queries(text_case_t *cases, const char *title)
{
    for ( /* void */ ; cases->in; cases++) {
        text_query_is((u_char *) cases->in, strlen(cases->in), cases->out);
    }

    text_end(title);
}


static void
text_jsons(text_case_t *cases, const char *title)
{
    for ( /* void */ ; cases->in; cases++) {
        text_json_is((u_char *) cases->in, strlen(cases->in), cases->out);
    }

    text_end(title);
}


/* id */

static const char *
text_print(uint64_t id, uint64_t life)
{
    u_char                    *p, *end;
    static char                line[NGX_HTTP_LONGPOLL_ID_LEN + 1];
    ngx_http_longpoll_uuid_t   uuid;

    ngx_http_longpoll_id_uuid(&uuid, id, life);

    p = text_piece(NULL, NGX_HTTP_LONGPOLL_ID_LEN);
    end = ngx_http_longpoll_id_print(p, &uuid);

    text_ok(end == p + NGX_HTTP_LONGPOLL_ID_LEN, "an id has 36 bytes");

    memcpy(line, p, NGX_HTTP_LONGPOLL_ID_LEN);
    text_drop(1);

    return line;
}


/* NGX_DECLINED: a UUID, but none of version 7 */

static void
text_parse(const char *in, ngx_int_t rc, uint64_t id, uint64_t life)
{
    size_t                     len;
    u_char                    *p;
    uint64_t                   got, got_life;
    ngx_int_t                  got_rc;
    ngx_http_longpoll_uuid_t   uuid;

    got = got_life = uuid.high = uuid.low = 0x5555;

    len = strlen(in);
    p = text_piece(in, len);

    got_rc = ngx_http_longpoll_id_parse(p, len, &uuid);

    if (got_rc == NGX_OK && !ngx_http_longpoll_id_read(&uuid, &got, &got_life))
    {
        got_rc = NGX_DECLINED;
    }

    if (got_rc != rc
        || (rc == NGX_ERROR && (uuid.high != 0x5555 || uuid.low != 0x5555))
        || got != (rc == NGX_OK ? id : 0x5555)
        || got_life != (rc == NGX_OK ? life : 0x5555))
    {
        text_say("id", (u_char *) in, len, "", "");
    }

    text_drop(1);
}


static void
text_id(void)
{
    char         s[64], t[64];
    size_t       i, n;
    uint64_t     id, life, id2, life2;
    ngx_uint_t   round;

    id = ngx_http_longpoll_id(0x0198c0de0001ULL, 0xabc4);
    life = 0x123456789abcdefULL;

    text_ok(strcmp(text_print(id, life), TEXT_V7) == 0, "known id");
    text_ok(strcmp(text_print(0, 0),
                   "00000000-0000-7000-8000-000000000000") == 0, "zero");
    text_ok(strcmp(text_print(~0ULL, ~0ULL),
                   "ffffffff-ffff-7fff-bfff-ffffffffffff") == 0, "all ones");
    text_ok(strcmp(text_print(0xf, 0),
                   "00000000-0000-7000-bc00-000000000000") == 0, "counter");
    text_ok(strcmp(text_print(0x10, 1ULL << 57),
                   "00000000-0000-7001-8200-000000000000") == 0, "life's top");
    text_end("an id is printed as ms, 7, counter, variant and life");

    text_parse(TEXT_V7, NGX_OK, id, life);
    text_parse("{" TEXT_V7 "}", NGX_OK, id, life);
    text_parse("urn:uuid:" TEXT_V7, NGX_OK, id, life);
    text_parse("0198c0de00017abc9123456789abcdef", NGX_OK, id, life);
    text_parse("{0198c0de00017abc9123456789abcdef}", NGX_OK, id, life);
    text_parse("urn:uuid:0198c0de00017abc9123456789abcdef", NGX_OK, id, life);
    text_parse("0198C0DE-0001-7ABC-9123-456789ABCDEF", NGX_OK, id, life);
    text_end("an id is read in each of golongpoll's forms and in any case");

    text_parse(TEXT_V4, NGX_DECLINED, 0, 0);
    text_parse("00000000-0000-0000-0000-000000000000", NGX_DECLINED, 0, 0);
    text_parse("0198c0de-0001-6abc-9123-456789abcdef", NGX_DECLINED, 0, 0);
    text_parse("0198c0de-0001-8abc-9123-456789abcdef", NGX_DECLINED, 0, 0);
    text_parse("0198c0de-0001-7abc-7123-456789abcdef", NGX_DECLINED, 0, 0);
    text_parse("0198c0de-0001-7abc-c123-456789abcdef", NGX_DECLINED, 0, 0);
    text_parse("{6ba7b8109dad41d180b400c04fd430c8}", NGX_DECLINED, 0, 0);
    text_end("a UUID of another version or variant is not the module's own");

    text_parse("", NGX_ERROR, 0, 0);
    text_parse("{}", NGX_ERROR, 0, 0);
    text_parse("urn:uuid:", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcde", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcdef0", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcdeg", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcde`", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcde:", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcde/", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcde\xe6", NGX_ERROR, 0, 0);
    text_parse("0198c0de00001-7abc-9123-456789abcdef", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc091230456789abcdef", NGX_ERROR, 0, 0);
    text_parse("0198c0de0-001-7abc-9123-456789abcdef", NGX_ERROR, 0, 0);
    text_parse("00000000-0000-0000-0000-00000000000g", NGX_ERROR, 0, 0);
    text_parse("0000000g-0000-7000-8000-000000000000", NGX_ERROR, 0, 0);
    text_parse("00000000-0000 0000-0000-000000000000", NGX_ERROR, 0, 0);
    text_parse("00000000-0000-7000-8000/000000000000", NGX_ERROR, 0, 0);
    text_parse("-198c0de00017abc9123456789abcdef", NGX_ERROR, 0, 0);
    text_parse("{0198c0de-0001-7abc-9123-456789abcdef)", NGX_ERROR, 0, 0);
    text_parse("(0198c0de-0001-7abc-9123-456789abcdef}", NGX_ERROR, 0, 0);
    text_parse("[0198c0de00017abc9123456789abcdef]", NGX_ERROR, 0, 0);
    text_parse("URN:UUID:" TEXT_V7, NGX_ERROR, 0, 0);
    text_parse("urn-uuid:" TEXT_V7, NGX_ERROR, 0, 0);
    text_parse("urn:uuid;" TEXT_V7, NGX_ERROR, 0, 0);
    text_parse("urn:uuid:{0198c0de00017abc9123456789abcde}", NGX_ERROR, 0, 0);
    text_parse(" " TEXT_V7, NGX_ERROR, 0, 0);
    text_parse(TEXT_V7 "\n", NGX_ERROR, 0, 0);
    text_end("what is no UUID is told from one");

    for (i = 0; i < 36; i++) {
        for (n = 0; n < 256; n++) {
            strcpy(s, TEXT_V7);
            s[i] = (char) n;

            if (n == 0) {
                continue;
            }

            id2 = life2 = 0;

            switch (model_uuid((u_char *) s, 36, (unsigned long long *) &id2,
                               (unsigned long long *) &life2))
            {
            case 7:
                text_parse(s, NGX_OK, id2, life2);
                break;
            case 1:
                text_parse(s, NGX_DECLINED, 0, 0);
                break;
            default:
                text_parse(s, NGX_ERROR, 0, 0);
            }
        }
    }

    text_end("each byte at each place of an id is read as the model reads it");

    for (round = 0; round < text_rounds; round++) {
        id = text_random() >> text_below(64);
        life = text_random() & NGX_HTTP_LONGPOLL_EPOCH_MASK;

        strcpy(s, text_print(id, life));
        text_parse(s, NGX_OK, id, life);

        id2 = text_below(2) ? id + 1 + text_below(0x20000)
                            : text_random() >> text_below(64);

        strcpy(t, text_print(id2, life));

        if (id2 != id && (id2 > id) != (strcmp(t, s) > 0)) {
            text_say("order", (u_char *) s, 36, t, "");
        }
    }

    text_end("printed and read again an id is the same, texts sort as ids");
}


/* query */

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

static text_case_t  text_query_order[] = {
    { "timeout=0&since_time=x&last_id=x", TEXT_BAD_TIMEOUT },
    { TEXT_T "&since_time=x&last_id=x", TEXT_BAD_CATEGORY },
    { TEXT_T "&category=a&since_time=x&last_id=x", TEXT_BAD_SINCE },
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
    text_end("a bad category is told before too many");

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
        "&last_id=" TEXT_V7, "&last_id=%7b" TEXT_V4 "%7D"
    };

    for (round = 0; round < text_rounds && text_good; round++) {
        len = 0;

        if (text_below(4)) {
            len = sprintf((char *) in, "timeout=%lu&category=%c",
                          (unsigned long) text_below(130),
                          (int) ('a' + text_below(3)));
        }

        n = text_below(text_below(50) ? 25 : 400);

        for (i = 0; i < n; i++) {
            p = (char *) tokens[text_below(sizeof(tokens) / sizeof(char *))];
            memcpy(in + len, p, strlen(p));
            len += strlen(p);

            if (text_below(40) == 0) {
                at = text_below(5) ? text_below(90) : 1020 + text_below(9);
                if (len + at > sizeof(in) - 200) {
                    break;
                }
                len += sprintf((char *) in + len, "&category=");
                memset(in + len, 'a' + text_below(3), at);
                len += at;
            }

            if (len > sizeof(in) - 1200) {
                break;
            }
        }

        for (n = text_below(4); n && len; n--) {
            at = text_below(len);

            switch (text_below(3)) {
            case 0:
                in[at] = (u_char) text_random();
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


static void
text_query_all(void)
{
    text_queries(text_query_plain, "a query gives what it says");
    text_queries(text_query_decoded,
                 "names and values are decoded as Go does it");
    text_queries(text_query_left_out,
                 "what is empty, undecodable or has a ';' counts as left out");
    text_queries(text_query_first, "of those that count the first counts");
    text_queries(text_query_timeouts,
                 "timeout is whole seconds from 1 to the limit");
    text_queries(text_query_numbers, "numbers are read as Go reads them");
    text_queries(text_query_ids,
                 "last_id alone must be an own id, with since_time a UUID");
    text_queries(text_query_order, "of several errors the first is told");
    text_queries(text_query_utf8, "a category is UTF-8");
    text_query_limits();
    text_query_random();
}


/* json */

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
    { TEXT_D " 1E400\t,\"x\":1}", "[farm] data=1E400" },
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
        p = text_repeat(TEXT_D, "[", i - 1, "", &len);
        close = text_repeat("", "]", i - 1, "}", &len);
        p = text_repeat((char *) p, (char *) close, 1, "", &len);
        text_json_is(p, len, i > 100 ? TEXT_BAD_JSON : NULL);
        text_ok((text_got[0] == '[') == (i <= 100), "arrays");

        p = text_repeat("{\"x\":", "{\"y\":", i - 1, "5", &len);
        close = text_repeat("", "}", i - 1, ",\"category\":\"a\",\"data\":1}",
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

    text_end("nesting of 100 is taken, of 101 refused");

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


#define text_any(a)  a[text_below(sizeof(a) / sizeof(char *))]

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
        "1", "-0.5e-7", "null", "true", "false", "\"\"", "\"a\\\\\"",
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

    for (i = 0, n = text_below(6); i < n; i++) {
        at = text_below(2) ? i * 2 % 4
                           : text_below(sizeof(keys) / sizeof(char *));
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

        if (text_below(3)) {
            array = text_below(2);

            if (array) {
                len += sprintf((char *) in, "%s[", text_any(text_json_blanks));
            }

            for (i = 0, n = array ? text_below(4) : 1; i < n; i++) {
                len += sprintf((char *) in + len, "%s", i ? "," : "");
                len += text_json_object((char *) in + len);
            }

            len += sprintf((char *) in + len, "%s%s", array ? "]" : "",
                           text_any(text_json_blanks));

        } else {
            for (n = text_below(30); n; n--) {
                len += sprintf((char *) in + len, "%s", text_any(tokens));
            }
        }

        for (n = text_below(2) ? text_below(4) : 0; n && len; n--) {
            at = text_below(len);

            switch (text_below(5)) {
            case 0:
                in[at] = (u_char) text_random();
                break;
            case 1:
                memmove(in + at, in + at + 1, len - at - 1);
                len--;
                break;
            case 2:
                in[at] = "{}[]\",:\\ 0"[text_below(10)];
                break;
            case 3:
                memcpy(out, in, len);
                i = text_below(len);
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


/* data as text: each way to write a code point */

static void
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

        for (k = text_below(20); k; k--) {
            c = 1 + text_below(text_below(2) ? 0xff : 0x10ffff);

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

            if (text_below(2) && c >= 0x20 && c != '"' && c != '\\') {
                memcpy(p, expected + n, (char *) end - expected - n);
                p += (char *) end - expected - n;

            } else if (c < 0x10000) {
                p += sprintf(p, text_below(2) ? "\\u%04x" : "\\u%04X", c);

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


static void
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


static void
text_utf8(void)
{
    u_char      *p, b[4];
    size_t       len, n;
    uint64_t     c;
    ngx_uint_t   round, i;

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
        len = text_below(40);
        p = text_fill('a', len);

        for (i = text_below(4); i && len; i--) {
            c = text_random() % (text_below(2) ? 0x110000 : 0x900);
            n = model_put(b, (long) c);
            memcpy(p + text_below(len), b, 1);

            if (n <= len) {
                memcpy(p + text_below(len - n + 1), b, n);
            }
        }

        if ((ngx_http_longpoll_utf8_valid(p, len) != 0) != model_utf8(p, len)) {
            text_say("text", p, len, "", "");
        }

        text_drop(1);
    }

    text_end("UTF-8 is seen at any place of a text");
}


static void
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


/* wire */

static void
text_wire_name(const u_char *in, size_t len, const char *expected)
{
    u_char     *p, *end;
    size_t      n;
    ngx_str_t   name;

    name.data = text_piece(in, len);
    name.len = len;

    n = ngx_http_longpoll_golongpoll_name_len(&name);
    p = text_piece(NULL, n);
    end = ngx_http_longpoll_golongpoll_name(p, &name);

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


static void
text_wire_names(void)
{
    u_char      *p, b[4];
    size_t       len;
    ngx_str_t    name;
    ngx_uint_t   round, i, c;

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
        len = ngx_http_longpoll_golongpoll_name_len(&name);
        p = text_piece(NULL, len);
        text_ok(len == i
                && ngx_http_longpoll_golongpoll_name(p, &name) == p + i,
                "a cut separator");
    }

    text_end("a name that ends too early is not read beyond its end");

    for (round = 0; round < text_rounds && text_good; round++) {
        p = (u_char *) text_got + MODEL_LINE / 2;

        for (len = 0, i = text_below(12); i; i--) {
            do {
                c = text_below(2) ? 0x20 + text_below(96)
                                  : text_below(2) ? 0x2000 + text_below(64)
                                                  : 1 + text_below(0xd7ff);
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


static void
text_wire_events(void)
{
    char                      *line;
    size_t                     len;
    u_char                    *p;
    uint64_t                   ms, id, life;
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
        missed = text_below(2);
        n = 1 + text_below(16);
        line = stpcpy(expected, "{\"events\":[");

        for (i = 0; i < n; i++) {
            ms = (text_random() >> 16) >> text_below(48);

            if (text_below(3) == 0) {
                ms = text_below(2) ? 1000000000000ULL : 10000000000000ULL;
                ms -= text_below(3);
                ms++;
            }

            msgs[i].id = ngx_http_longpoll_id(ms, text_random() & 0xffff);
            msgs[i].cat = text_below(3);

            len = text_below(300);
            p = text_piece(NULL, len);

            for (j = 0; j < len; j++) {
                p[j] = (u_char) (0x20 + text_below(0x5f));
            }

            msgs[i].data.data = p;
            msgs[i].data.len = len;

            id = msgs[i].id;
            life = 0x123456789abcdefULL;

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
                                                  | life >> 48),
                            (unsigned long long) (life & 0xffffffffffffULL));
        }

        line = stpcpy(line, missed ? "],\"missed\":true}" : "]}");

        text_wire_is(cats, msgs, n, missed, expected);
        text_drop(n);
    }

    text_end("random events are written as printf() writes them");
}


static void
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
             : (i < 206) ? (i - 4) / 2 : text_random() >> text_below(64);

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


int
main(int argc, char *const *argv)
{
    char  *seed;

    seed = (argc > 1) ? argv[1] : getenv("TEXT_SEED");
    text_seed = seed ? strtoull(seed, NULL, 0) : (uint64_t) time(NULL);

    if (argc > 2) {
        text_rounds = strtoul(argv[2], NULL, 0);
    }

    printf("# seed %llu\n", (unsigned long long) text_seed);

    text_id();
    text_query_all();
    text_json_all();
    text_texts();
    text_values();
    text_wire_names();
    text_wire_events();
    text_wire_timeouts();

    printf("1..%lu\n", (unsigned long) text_n);

    return text_failed ? 1 : 0;
}
