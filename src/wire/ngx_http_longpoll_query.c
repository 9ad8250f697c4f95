
/*
 * ngx_http_longpoll_query.c: a poll's query string -> struct, or the error.
 *
 * Owns the names of the arguments, the way they are decoded, and the texts and
 * the order of the errors.  A query is read in two steps:
 *
 *      _read     _next, _next, ...     pairs -> the first value of each name,
 *                                      categories into q->cats
 *      _check    timeout, category, too many, since_time, last_id, recent
 *
 * Rules:
 *
 *   - Pairs are split at '&' and decoded as Go decodes them: '+' is a blank,
 *     %XX a byte, also in a name.  A pair with a broken escape, with a ';' or
 *     without a value does not count; so "timeout=&timeout=9" is nine.
 *   - A decoded value is never longer than its text, so all of them fit into a
 *     buffer of the size of the query.  A value without escapes stays in args.
 *   - The cost is linear in the bytes.  After the 65th different category a
 *     name is only checked: if it is invalid, that error is returned instead of
 *     "too many".
 *   - A client may send any bytes, NUL among them.
 */


#include "ngx_http_longpoll_query.h"
#include "ngx_http_longpoll_utf8.h"


#define NGX_HTTP_LONGPOLL_QUERY_TIMEOUT     0
#define NGX_HTTP_LONGPOLL_QUERY_SINCE_TIME  1
#define NGX_HTTP_LONGPOLL_QUERY_LAST_ID     2
#define NGX_HTTP_LONGPOLL_QUERY_CATEGORY    3
#define NGX_HTTP_LONGPOLL_QUERY_RECENT      4
#define NGX_HTTP_LONGPOLL_QUERY_NAMES       5


typedef struct {
    u_char     *pos;        /* the next pair */
    u_char     *last;
    u_char     *buf;        /* where the next decoded byte goes */
    ngx_uint_t  plain;      /* there are neither escapes nor ';' */

    /* the first value that counts of each argument but category, len == 0:
       none */
    ngx_str_t   values[NGX_HTTP_LONGPOLL_QUERY_NAMES];

    ngx_str_t  *wrong;      /* the error of the categories, or NULL */
} ngx_http_longpoll_query_ctx_t;


static void ngx_http_longpoll_query_read(ngx_http_longpoll_query_t *q,
    ngx_http_longpoll_query_ctx_t *ctx, ngx_str_t *args, u_char *buf,
    ngx_http_longpoll_configured_t *conf);
static void ngx_http_longpoll_query_configured(ngx_http_longpoll_query_t *q,
    ngx_http_longpoll_query_ctx_t *ctx, ngx_http_longpoll_configured_t *conf);
static ngx_uint_t ngx_http_longpoll_query_next(
    ngx_http_longpoll_query_ctx_t *ctx, ngx_str_t *value);
static ngx_uint_t ngx_http_longpoll_query_plain(u_char *p, u_char *last);
static ngx_uint_t ngx_http_longpoll_query_name(u_char *start, u_char *last);
static ngx_uint_t ngx_http_longpoll_query_named(u_char *p, u_char *last,
    ngx_str_t *name);
static ngx_int_t ngx_http_longpoll_query_decode(
    ngx_http_longpoll_query_ctx_t *ctx, ngx_str_t *value);
static u_char *ngx_http_longpoll_query_byte(u_char *p, u_char *last,
    u_char *c);
static ngx_int_t ngx_http_longpoll_query_hex(u_char c);
static ngx_str_t *ngx_http_longpoll_query_add(ngx_http_longpoll_query_t *q,
    ngx_str_t *name, ngx_str_t *wrong);
static ngx_int_t ngx_http_longpoll_query_check(ngx_http_longpoll_query_t *q,
    ngx_http_longpoll_query_ctx_t *ctx, ngx_uint_t max_timeout, u_char *errbuf,
    ngx_str_t *error);
static ngx_int_t ngx_http_longpoll_query_check_id(ngx_http_longpoll_query_t *q,
    ngx_str_t *value, ngx_str_t *error);
static ngx_int_t ngx_http_longpoll_query_check_recent(
    ngx_http_longpoll_query_t *q, ngx_str_t *value, ngx_str_t *error);
static ngx_int_t ngx_http_longpoll_query_number(ngx_str_t *value, int64_t *n);


static ngx_str_t  ngx_http_longpoll_query_names[] = {
    ngx_string("timeout"),
    ngx_string("since_time"),
    ngx_string("last_id"),
    ngx_string("category"),
    ngx_string("recent")
};

static ngx_str_t  ngx_http_longpoll_query_bad_category = ngx_string(
    "Invalid subscription category, must be 1-1024 characters long.");
static ngx_str_t  ngx_http_longpoll_query_too_many = ngx_string(
    "Too many categories, must be 1-64.");
static ngx_str_t  ngx_http_longpoll_query_bad_since = ngx_string(
    "Invalid 'since_time' arg.");
static ngx_str_t  ngx_http_longpoll_query_no_since = ngx_string(
    "Must provide 'since_time' arg when providing 'last_id'.");
static ngx_str_t  ngx_http_longpoll_query_bad_id = ngx_string(
    "Param 'last_id' was not a valid UUID.");
static ngx_str_t  ngx_http_longpoll_query_bad_recent = ngx_string(
    "Invalid 'recent' arg.  Must be 1-1000.");


ngx_int_t
ngx_http_longpoll_query_parse(ngx_http_longpoll_query_t *q, ngx_str_t *args,
    u_char *buf, ngx_http_longpoll_configured_t *conf, ngx_uint_t max_timeout,
    u_char *errbuf, ngx_str_t *error)
{
    ngx_http_longpoll_query_ctx_t  ctx;

    ngx_http_longpoll_query_read(q, &ctx, args, buf, conf);

    return ngx_http_longpoll_query_check(q, &ctx, max_timeout, errbuf, error);
}


void
ngx_http_longpoll_query_cache(ngx_http_longpoll_query_cache_t *cache,
    void *owner, ngx_str_t *args, ngx_http_longpoll_query_t *q)
{
    ngx_str_t  *name;

    name = &q->cats[0].name;

    if (q->ncats != 1 || args->len > NGX_HTTP_LONGPOLL_QUERY_CACHE
        || name->data < args->data
        || name->data + name->len > args->data + args->len)
    {
        return;
    }

    cache->owner = owner;
    cache->len = args->len;
    ngx_memcpy(cache->args, args->data, args->len);

    cache->query = *q;
    cache->cat = q->cats[0];
    cache->cat.name.data = cache->args + (name->data - args->data);
}


ngx_uint_t
ngx_http_longpoll_query_cached(
    ngx_http_longpoll_query_cache_t *cache, void *owner, ngx_str_t *args,
    ngx_http_longpoll_query_t *q)
{
    ngx_http_longpoll_cat_t  *cats;

    if (cache->owner != owner || cache->len != args->len
        || ngx_memcmp(cache->args, args->data, args->len) != 0)
    {
        return 0;
    }

    cats = q->cats;
    cats[0] = cache->cat;
    cats[0].name.data = args->data + (cache->cat.name.data - cache->args);

    *q = cache->query;
    q->cats = cats;

    return 1;
}


ngx_int_t
ngx_http_longpoll_query_categories(ngx_http_longpoll_query_t *q,
    ngx_str_t *args, u_char *buf, ngx_http_longpoll_configured_t *conf,
    ngx_str_t *error)
{
    ngx_http_longpoll_query_ctx_t  ctx;

    ngx_http_longpoll_query_read(q, &ctx, args, buf, conf);

    if (ctx.wrong == NULL) {
        return NGX_OK;
    }

    *error = *ctx.wrong;

    return ctx.wrong == &ngx_http_longpoll_query_too_many ? NGX_ABORT
                                                          : NGX_DECLINED;
}


void
ngx_http_longpoll_query_value(ngx_str_t *args, u_char *buf, ngx_str_t *name,
    ngx_str_t *value)
{
    u_char                         *p, *eq, *end, *last;
    ngx_http_longpoll_query_ctx_t   ctx;

    ctx.buf = buf;

    last = args->data + args->len;

    for (p = args->data; p < last; p = end + 1) {

        end = memchr(p, '&', last - p);

        if (end == NULL) {
            end = last;
        }

        eq = memchr(p, '=', end - p);

        if (eq == NULL || eq + 1 == end
            || memchr(p, ';', end - p) != NULL
            || !ngx_http_longpoll_query_named(p, eq, name))
        {
            continue;
        }

        value->data = eq + 1;
        value->len = end - value->data;

        if (ngx_http_longpoll_query_decode(&ctx, value) == NGX_OK) {
            return;
        }
    }

    ngx_str_null(value);
}


ngx_uint_t
ngx_http_longpoll_query_has(ngx_str_t *args, ngx_str_t *name)
{
    u_char  *p, *eq, *end, *last;

    last = args->data + args->len;

    for (p = args->data; p < last; p = end + 1) {

        end = memchr(p, '&', last - p);

        if (end == NULL) {
            end = last;
        }

        eq = memchr(p, '=', end - p);

        if (ngx_http_longpoll_query_named(p, eq ? eq : end, name)) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_longpoll_query_escaped(ngx_str_t *args)
{
    return args->len
           && (memchr(args->data, '%', args->len) != NULL
               || memchr(args->data, '+', args->len) != NULL);
}


static void
ngx_http_longpoll_query_read(ngx_http_longpoll_query_t *q,
    ngx_http_longpoll_query_ctx_t *ctx, ngx_str_t *args, u_char *buf,
    ngx_http_longpoll_configured_t *conf)
{
    ngx_str_t   value;
    ngx_uint_t  name;

    q->ncats = 0;

    ngx_memzero(ctx, sizeof(ngx_http_longpoll_query_ctx_t));

    ctx->pos = args->data;
    ctx->last = args->data + args->len;
    ctx->buf = buf;

    if (args->len) {
        ctx->plain = memchr(args->data, ';', args->len) == NULL
                     && (buf == NULL
                         || !ngx_http_longpoll_query_escaped(args));
    }

    for ( ;; ) {
        name = ngx_http_longpoll_query_next(ctx, &value);

        if (name == NGX_HTTP_LONGPOLL_QUERY_NAMES) {
            break;
        }

        if (name != NGX_HTTP_LONGPOLL_QUERY_CATEGORY) {

            if (ctx->values[name].len == 0) {
                ctx->values[name] = value;
            }

        } else if (conf == NULL) {
            ctx->wrong = ngx_http_longpoll_query_add(q, &value, ctx->wrong);
        }
    }

    if (conf) {
        ngx_http_longpoll_query_configured(q, ctx, conf);
    }

    if (q->ncats == 0 && ctx->wrong == NULL) {
        ctx->wrong = &ngx_http_longpoll_query_bad_category;
    }
}


/* the categories of the configuration */

static void
ngx_http_longpoll_query_configured(ngx_http_longpoll_query_t *q,
    ngx_http_longpoll_query_ctx_t *ctx, ngx_http_longpoll_configured_t *conf)
{
    u_char      *p, *last, *end;
    ngx_str_t    value;
    ngx_uint_t   i;

    for (i = 0; i < conf->n; i++) {
        p = conf->values[i].data;
        last = p + conf->values[i].len;

        for ( /* void */ ; p < last; p = end + 1) {
            end = NULL;

            if (conf->separator != -1) {
                end = memchr(p, conf->separator, last - p);
            }

            if (end == NULL) {
                end = last;
            }

            value.data = p;
            value.len = end - p;

            if (value.len) {
                ctx->wrong = ngx_http_longpoll_query_add(q, &value,
                                                         ctx->wrong);
            }
        }
    }
}


/*
 * The next pair that counts: returns which argument it is, or
 * NGX_HTTP_LONGPOLL_QUERY_NAMES if there is none.
 */

static ngx_uint_t
ngx_http_longpoll_query_next(ngx_http_longpoll_query_ctx_t *ctx,
    ngx_str_t *value)
{
    u_char      *p, *eq, *end;
    ngx_uint_t   name;

    while (ctx->pos < ctx->last) {

        p = ctx->pos;

        end = memchr(p, '&', ctx->last - p);
        if (end) {
            ctx->pos = end + 1;

        } else {
            end = ctx->last;
            ctx->pos = end;
        }

        if (ctx->plain) {
            name = ngx_http_longpoll_query_plain(p, end);

            if (name == NGX_HTTP_LONGPOLL_QUERY_NAMES) {
                continue;
            }

            value->data = p + ngx_http_longpoll_query_names[name].len + 1;
            value->len = end - value->data;

            return name;
        }

        eq = memchr(p, '=', end - p);

        if (eq == NULL || eq + 1 == end) {
            continue;
        }

        name = ngx_http_longpoll_query_name(p, eq);

        if (name == NGX_HTTP_LONGPOLL_QUERY_NAMES) {
            continue;
        }

        value->data = eq + 1;
        value->len = end - value->data;

        if (memchr(p, ';', end - p) != NULL) {
            continue;
        }

        if (ngx_http_longpoll_query_decode(ctx, value) == NGX_OK) {
            return name;
        }
    }

    return NGX_HTTP_LONGPOLL_QUERY_NAMES;
}


/* which argument a pair with a value is, where nothing is escaped */

static ngx_uint_t
ngx_http_longpoll_query_plain(u_char *p, u_char *last)
{
    size_t       len;
    ngx_uint_t   i;

    if (p == last) {
        return NGX_HTTP_LONGPOLL_QUERY_NAMES;
    }

    /* no two names begin with the same letter */

    for (i = 0; i < NGX_HTTP_LONGPOLL_QUERY_NAMES; i++) {

        if (*p == ngx_http_longpoll_query_names[i].data[0]) {
            len = ngx_http_longpoll_query_names[i].len;

            if ((size_t) (last - p) > len + 1
                && p[len] == '='
                && ngx_memcmp(p, ngx_http_longpoll_query_names[i].data, len)
                   == 0)
            {
                return i;
            }

            break;
        }
    }

    return NGX_HTTP_LONGPOLL_QUERY_NAMES;
}


static ngx_uint_t
ngx_http_longpoll_query_name(u_char *start, u_char *last)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_LONGPOLL_QUERY_NAMES; i++) {

        if (ngx_http_longpoll_query_named(start, last,
                                          &ngx_http_longpoll_query_names[i]))
        {
            break;
        }
    }

    return i;
}


static ngx_uint_t
ngx_http_longpoll_query_named(u_char *p, u_char *last, ngx_str_t *name)
{
    u_char  c;
    size_t  n;

    for (n = 0; n < name->len && p && p < last; n++) {

        p = ngx_http_longpoll_query_byte(p, last, &c);

        if (p && c != name->data[n]) {
            p = NULL;
        }
    }

    return p == last && n == name->len;
}


static ngx_int_t
ngx_http_longpoll_query_decode(ngx_http_longpoll_query_ctx_t *ctx,
    ngx_str_t *value)
{
    u_char  *p, *last, *dst;

    p = value->data;
    last = p + value->len;

    if (memchr(p, '%', value->len) == NULL
        && memchr(p, '+', value->len) == NULL)
    {
        return NGX_OK;
    }

    dst = ctx->buf;

    while (p < last) {
        p = ngx_http_longpoll_query_byte(p, last, dst++);

        if (p == NULL) {
            return NGX_ERROR;
        }
    }

    value->data = ctx->buf;
    value->len = dst - ctx->buf;

    ctx->buf = dst;

    return NGX_OK;
}


/* decodes a byte; returns the next position, or NULL: a broken escape */

static u_char *
ngx_http_longpoll_query_byte(u_char *p, u_char *last, u_char *c)
{
    ngx_int_t  high, low;

    if (*p != '%') {
        *c = (*p == '+') ? ' ' : *p;
        return p + 1;
    }

    if (last - p < 3) {
        return NULL;
    }

    high = ngx_http_longpoll_query_hex(p[1]);
    low = ngx_http_longpoll_query_hex(p[2]);

    if (high == NGX_ERROR || low == NGX_ERROR) {
        return NULL;
    }

    *c = (u_char) (high << 4 | low);

    return p + 3;
}


static ngx_int_t
ngx_http_longpoll_query_hex(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return NGX_ERROR;
}


/* adds a category; wrong is the error so far, the result is the error now */

static ngx_str_t *
ngx_http_longpoll_query_add(ngx_http_longpoll_query_t *q, ngx_str_t *name,
    ngx_str_t *wrong)
{
    ngx_str_t   *known;
    ngx_uint_t   i;

    if (wrong == &ngx_http_longpoll_query_bad_category
        || name->len > NGX_HTTP_LONGPOLL_MAX_CATEGORY
        || !ngx_http_longpoll_utf8_valid(name->data, name->len))
    {
        return &ngx_http_longpoll_query_bad_category;
    }

    if (wrong) {
        return wrong;
    }

    for (i = 0; i < q->ncats; i++) {

        known = &q->cats[i].name;

        if (known->len == name->len
            && ngx_memcmp(known->data, name->data, name->len) == 0)
        {
            return NULL;
        }
    }

    if (q->ncats == NGX_HTTP_LONGPOLL_MAX_CATEGORIES) {
        return &ngx_http_longpoll_query_too_many;
    }

    q->cats[q->ncats++].name = *name;

    return NULL;
}


static ngx_int_t
ngx_http_longpoll_query_check(ngx_http_longpoll_query_t *q,
    ngx_http_longpoll_query_ctx_t *ctx, ngx_uint_t max_timeout, u_char *errbuf,
    ngx_str_t *error)
{
    int64_t     timeout;
    ngx_str_t  *value;

    value = &ctx->values[NGX_HTTP_LONGPOLL_QUERY_TIMEOUT];
    timeout = 0;

    if ((value->len || q->last_event_id == NULL)
        && (ngx_http_longpoll_query_number(value, &timeout) != NGX_OK
            || timeout < 1 || (uint64_t) timeout > max_timeout))
    {
        error->data = errbuf;
        error->len = ngx_sprintf(errbuf, "Invalid or missing 'timeout' arg.  "
                                 "Must be 1-%ui.", max_timeout)
                     - errbuf;
        return NGX_ERROR;
    }

    q->timeout = (ngx_uint_t) timeout;

    if (ctx->wrong) {
        *error = *ctx->wrong;
        return NGX_ERROR;
    }

    if (q->last_event_id && q->last_event_id->len) {
        ctx->values[NGX_HTTP_LONGPOLL_QUERY_SINCE_TIME].len = 0;
        ctx->values[NGX_HTTP_LONGPOLL_QUERY_LAST_ID] = *q->last_event_id;
    }

    value = &ctx->values[NGX_HTTP_LONGPOLL_QUERY_SINCE_TIME];

    q->has_since = (value->len != 0);
    q->since_time = 0;

    if (q->has_since
        && ngx_http_longpoll_query_number(value, &q->since_time) != NGX_OK)
    {
        *error = ngx_http_longpoll_query_bad_since;
        return NGX_ERROR;
    }

    if (ngx_http_longpoll_query_check_id(q,
                               &ctx->values[NGX_HTTP_LONGPOLL_QUERY_LAST_ID],
                               error)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_longpoll_query_check_recent(q,
                               &ctx->values[NGX_HTTP_LONGPOLL_QUERY_RECENT],
                               error);
}


static ngx_int_t
ngx_http_longpoll_query_check_id(ngx_http_longpoll_query_t *q,
    ngx_str_t *value, ngx_str_t *error)
{
    ngx_int_t  rc;

    q->has_id = (value->len != 0);
    q->own_id = 0;
    q->uuid.high = 0;
    q->uuid.low = 0;
    q->id = 0;
    q->epoch = 0;

    if (!q->has_id) {
        return NGX_OK;
    }

    rc = ngx_http_longpoll_id_parse(value->data, value->len, &q->uuid);

    if (rc == NGX_OK) {
        q->own_id = ngx_http_longpoll_id_read(&q->uuid, &q->id, &q->epoch);
    }

    if (!q->own_id && !q->has_since
        && !(q->last_event_id && q->last_event_id->len))
    {
        *error = ngx_http_longpoll_query_no_since;
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {
        *error = ngx_http_longpoll_query_bad_id;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_query_check_recent(ngx_http_longpoll_query_t *q,
    ngx_str_t *value, ngx_str_t *error)
{
    int64_t  recent;

    q->recent = 0;

    if (value->len == 0 || q->has_since || q->has_id) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_query_number(value, &recent) != NGX_OK
        || recent < 1 || recent > NGX_HTTP_LONGPOLL_MAX_RECENT)
    {
        *error = ngx_http_longpoll_query_bad_recent;
        return NGX_ERROR;
    }

    q->recent = (ngx_uint_t) recent;

    return NGX_OK;
}


/* an optional sign and decimal digits, within 64 bits */

static ngx_int_t
ngx_http_longpoll_query_number(ngx_str_t *value, int64_t *n)
{
    u_char      *p, *last;
    uint64_t     limit, u;
    ngx_uint_t   digit;

    if (value->len == 0) {
        return NGX_ERROR;
    }

    p = value->data;
    last = p + value->len;
    limit = 0x7fffffffffffffffULL;

    if (*p == '-') {
        limit++;
        p++;

    } else if (*p == '+') {
        p++;
    }

    if (p == last) {
        return NGX_ERROR;
    }

    for (u = 0; p < last; p++) {

        digit = (u_char) (*p - '0');

        if (digit > 9) {
            return NGX_ERROR;
        }

        if (u >= 922337203685477580ULL
            && (u > 922337203685477580ULL || u * 10 > limit - digit))
        {
            return NGX_ERROR;
        }

        u = u * 10 + digit;
    }

    *n = (int64_t) (value->data[0] == '-' ? 0 - u : u);

    return NGX_OK;
}
