
/*
 * query.c: any bytes as a poll's query string.
 *
 * The first two bytes say how it is asked, the rest is the query.  Must hold:
 * an answer is whole (names of 1 to 1024 bytes of UTF-8, none twice, at most 64
 * of them, inside what was read or decoded), an error is a known text, asking
 * twice says the same, so does what was kept, a buffer is not needed where
 * nothing is escaped, and the two ways to ask agree on the categories.
 *
 * The same bytes ask for a page of a list: its limit is in bounds, its prefix
 * stands in what was read or decoded, and its token is one that was made.
 */


#include "fuzz.h"

#include <ngx_http_longpoll_page.h>
#include <ngx_http_longpoll_query.h>
#include <ngx_http_longpoll_utf8.h>


#define QUERY_TIMEOUT  110


typedef struct {
    ngx_int_t                  rc;
    ngx_http_longpoll_query_t  q;
    ngx_http_longpoll_cat_t   *cats;        /* exactly as many as may be */
    u_char                    *errbuf;
    ngx_str_t                  error;
} query_answer_t;


static void
query_begin(query_answer_t *a)
{
    memset(a, 0, sizeof(query_answer_t));

    a->cats = calloc(NGX_HTTP_LONGPOLL_MAX_CATEGORIES,
                     sizeof(ngx_http_longpoll_cat_t));
    a->errbuf = malloc(NGX_HTTP_LONGPOLL_QUERY_ERROR);
    a->q.cats = a->cats;
}


static void
query_end(query_answer_t *a)
{
    free(a->cats);
    free(a->errbuf);
}


static void
query_names(query_answer_t *a, ngx_str_t *args, u_char *buf,
    ngx_str_t *values, ngx_uint_t nvalues)
{
    ngx_str_t   *name;
    ngx_uint_t   i, n, inside;

    fuzz_must(a->q.ncats <= NGX_HTTP_LONGPOLL_MAX_CATEGORIES,
              "too many categories");

    for (i = 0; i < a->q.ncats; i++) {
        name = &a->q.cats[i].name;

        inside = nvalues == 0
                 && (fuzz_inside(name, args->data, args->len)
                     || (buf && fuzz_inside(name, buf, args->len)));

        for (n = 0; n < nvalues; n++) {
            inside |= fuzz_inside(name, values[n].data, values[n].len);
        }

        fuzz_must(inside, "a name that stands nowhere");
        fuzz_must(name->len >= 1
                  && name->len <= NGX_HTTP_LONGPOLL_MAX_CATEGORY,
                  "a name's length");
        fuzz_must(ngx_http_longpoll_utf8_valid(name->data, name->len),
                  "a name is not UTF-8");

        for (n = 0; n < i; n++) {
            fuzz_must(!fuzz_same(&a->q.cats[n].name, name),
                      "a category stands twice");
        }
    }
}


static void
query_answer(query_answer_t *a)
{
    if (a->rc == NGX_OK) {
        fuzz_must(a->q.ncats >= 1, "no category");
        fuzz_must(a->q.timeout >= 1 && a->q.timeout <= QUERY_TIMEOUT,
                  "a timeout out of bounds");
        fuzz_must(a->q.has_since || a->q.since_time == 0,
                  "a since_time from nowhere");
        fuzz_must(a->q.own_id ? a->q.has_id : a->q.id == 0 && a->q.epoch == 0,
                  "an id from nowhere");
        fuzz_must(a->q.recent <= NGX_HTTP_LONGPOLL_MAX_RECENT
                  && (a->q.recent == 0 || (!a->q.has_since && !a->q.has_id)),
                  "recent beside a cursor, or out of bounds");
        fuzz_must(a->q.epoch <= NGX_HTTP_LONGPOLL_EPOCH_MASK,
                  "an epoch too long");
        return;
    }

    fuzz_must(a->rc == NGX_ERROR, "a code that is not known");
    fuzz_must(a->error.len >= 20
              && a->error.len <= NGX_HTTP_LONGPOLL_QUERY_ERROR
              && memchr(a->error.data, '"', a->error.len) == NULL
              && a->error.data[a->error.len - 1] == '.',
              "an error that is not a sentence");
}


static void
query_agree(query_answer_t *a, query_answer_t *b)
{
    ngx_uint_t  i;

    fuzz_must(a->rc == b->rc && a->q.ncats == b->q.ncats, "they differ");

    for (i = 0; i < a->q.ncats; i++) {
        fuzz_must(fuzz_same(&a->q.cats[i].name, &b->q.cats[i].name),
                  "a name differs");
    }

    if (a->rc != NGX_OK) {
        fuzz_must(fuzz_same(&a->error, &b->error), "the errors differ");
        return;
    }

    fuzz_must(a->q.timeout == b->q.timeout
              && a->q.since_time == b->q.since_time
              && a->q.recent == b->q.recent
              && a->q.id == b->q.id && a->q.epoch == b->q.epoch
              && a->q.has_since == b->q.has_since
              && a->q.has_id == b->q.has_id && a->q.own_id == b->q.own_id,
              "the fields differ");
}


/* the kept answer is the same, in the bytes of the second caller */

static void
query_kept(query_answer_t *a, ngx_str_t *args)
{
    ngx_str_t                        copy;
    query_answer_t                   b;
    ngx_http_longpoll_query_cache_t   kept;

    memset(&kept, 0, sizeof(ngx_http_longpoll_query_cache_t));
    ngx_http_longpoll_query_cache(&kept, a, args, &a->q);

    copy.len = args->len;
    copy.data = fuzz_copy(args->data, args->len);

    query_begin(&b);

    if (ngx_http_longpoll_query_cached(&kept, a, &copy, &b.q)) {
        b.rc = NGX_OK;
        query_names(&b, &copy, NULL, NULL, 0);
        query_agree(a, &b);
    }

    query_end(&b);
    free(copy.data);
}


/* the first values of the query, cut at '/', are given by the configuration */

static ngx_uint_t
query_given(ngx_http_longpoll_configured_t *given, ngx_str_t *values,
    ngx_str_t *args, ngx_uint_t how)
{
    u_char      *p, *end, *last;
    ngx_uint_t   n;

    p = args->data;
    last = p + args->len;

    for (n = 0; n < (how >> 4) && p < last; n++) {
        end = memchr(p, '/', last - p);
        end = end ? end : last;
        values[n].len = end - p;
        values[n].data = fuzz_copy(p, values[n].len);
        p = end + (end < last);
    }

    given->values = values;
    given->n = n;
    given->separator = how & 4 ? ',' : -1;

    return n;
}


/* as a page of a list; and with a token of the first bytes in front */

static void
query_page(ngx_str_t *args)
{
    u_char                   *buf, token[NGX_HTTP_LONGPOLL_PAGE_TOKEN_LEN];
    ngx_int_t                 rc;
    ngx_str_t                 error, with;
    uint64_t                  key[2] = { 1, 2 }, from;
    ngx_http_longpoll_page_t  page;

    buf = malloc(args->len);

    rc = ngx_http_longpoll_page_parse(&page, args, buf, key, &error);

    fuzz_must(rc == NGX_OK || (rc == NGX_DECLINED && error.len > 20),
              "no page, and no error");

    if (rc == NGX_OK) {
        fuzz_must(page.limit >= 1 && page.limit <= NGX_HTTP_LONGPOLL_PAGE_LIMIT,
                  "a limit out of bounds");
        fuzz_must(page.prefix.len == 0
                  || fuzz_inside(&page.prefix, args->data, args->len)
                  || fuzz_inside(&page.prefix, buf, args->len),
                  "a prefix that stands nowhere");
        fuzz_must(!page.first || page.from == 0, "a place from nowhere");
    }

    free(buf);

    from = 0;
    memcpy(&from, args->data, ngx_min(args->len, sizeof(from)));
    fuzz_must(ngx_http_longpoll_page_token(token, from, key)
              == token + sizeof(token), "a token's length");

    with.len = sizeof("after=") - 1 + sizeof(token);
    with.data = malloc(with.len);
    memcpy(with.data, "after=", sizeof("after=") - 1);
    memcpy(with.data + sizeof("after=") - 1, token, sizeof(token));

    fuzz_must(ngx_http_longpoll_page_parse(&page, &with, NULL, key, &error)
              == NGX_OK && page.from == from && !page.first,
              "a token that does not lead to its place");

    /* one digit is another, or one bit of the key */

    with.data[with.len - 1 - from % sizeof(token)] ^= 1;
    fuzz_must(ngx_http_longpoll_page_parse(&page, &with, NULL, key, &error)
              == NGX_DECLINED, "a token that was not made");

    with.data[with.len - 1 - from % sizeof(token)] ^= 1;
    key[1] ^= 4;
    fuzz_must(ngx_http_longpoll_page_parse(&page, &with, NULL, key, &error)
              == NGX_DECLINED, "a token of another zone");

    free(with.data);
}


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    u_char                     *buf, *again;
    ngx_str_t                   args, name, value, values[16];
    ngx_uint_t                  how, n, i;
    fuzz_bytes_t                b;
    query_answer_t              first, second;
    ngx_http_longpoll_configured_t   given, *g;

    b.pos = data;
    b.last = data + size;

    how = fuzz_take(&b, 1);

    args.len = b.last - b.pos;
    args.data = fuzz_copy(b.pos, args.len);

    buf = malloc(args.len);
    again = malloc(args.len);

    g = NULL;
    n = 0;

    if (how & 8) {
        n = query_given(&given, values, &args, how);
        g = &given;
    }

    query_begin(&first);
    query_begin(&second);

    first.rc = ngx_http_longpoll_query_parse(&first.q, &args, buf, g,
                                             QUERY_TIMEOUT, first.errbuf,
                                             &first.error);
    query_names(&first, &args, buf, values, n);
    query_answer(&first);

    if (first.rc == NGX_OK && g == NULL) {
        query_kept(&first, &args);
    }

    second.rc = ngx_http_longpoll_query_parse(&second.q, &args,
                            ngx_http_longpoll_query_escaped(&args) ? again
                                                                   : NULL,
                                              g, QUERY_TIMEOUT, second.errbuf,
                                              &second.error);
    query_agree(&first, &second);

    second.rc = ngx_http_longpoll_query_categories(&second.q, &args, again, g,
                                                   &second.error);
    query_names(&second, &args, again, values, n);

    fuzz_must(first.q.ncats == second.q.ncats, "the two ways differ");
    fuzz_must(first.rc != NGX_OK || second.rc == NGX_OK,
              "one way says yes, the other no");
    fuzz_must((second.rc == NGX_OK) <= (second.q.ncats != 0), "no category");

    ngx_str_set(&name, "last_id");
    ngx_http_longpoll_query_value(&args, again, &name, &value);

    fuzz_must(value.len == 0 || fuzz_inside(&value, args.data, args.len)
              || fuzz_inside(&value, again, args.len),
              "a value that stands nowhere");
    fuzz_must(first.rc != NGX_OK || first.q.has_id == (value.len != 0),
              "a value that is not there");

    query_end(&first);
    query_end(&second);
    query_page(&args);

    for (i = 0; i < n; i++) {
        free(values[i].data);
    }

    free(args.data);
    free(buf);
    free(again);

    return 0;
}
