
/*
 * ngx_http_longpoll_json.c: a publish body -> categories and the spans of data.
 *
 * Owns what a publish body may be.  yajl says whether the text is JSON, and
 * where its keys and brackets are; the values are found in the text itself:
 *
 *      {"category" : "farm", "data": {"pigs": [1, 2]}}
 *                 ^                 ^                ^ ^
 *                 |                 |                | end of the object
 *                 behind a key      behind a key     end of its value
 *
 *      _parse    _walk       yajl calls back _map, _array, _key and _close
 *                              _item     for each object that is complete
 *                                _category   of a string, decoded if need be
 *                                _span       of data
 *      _data     _is_plain   a string without escapes needs no yajl
 *                _walk       any other value, which yajl reads in an array
 *      _line     _walk       an object with three more members
 *
 * Rules:
 *
 *   - The span of a value starts behind the colon of its key.  yajl has no
 *     callback for strings, so it copies none of them.  The ends of strings and
 *     numbers are searched for when yajl has accepted the text.
 *   - Numbers in data must fit into a double.  Other members are not stored, so
 *     their numbers do not count, as with golongpoll.
 *   - A callback stops yajl at the end of the object or array, and the rest of
 *     the body is checked here: yajl accepts an unfinished string after the
 *     value, because it expects more input.
 *   - No callback looks at the numbers and strings of an array.  So each object
 *     must begin where it is expected: behind a comma and blanks.
 *   - yajl takes \v and \f for blanks, and overlong forms and surrogates for
 *     UTF-8: such bodies are refused before yajl reads them.
 *   - The callbacks limit the depth, so yajl's stack never grows.
 */


#include "ngx_http_longpoll_json.h"
#include "ngx_http_longpoll_number.h"
#include "ngx_http_longpoll_string.h"
#include "ngx_http_longpoll_utf8.h"
#include "ngx_http_longpoll_yajl.h"


/* the shortest valid object: an array has no more objects than fit */

#define NGX_HTTP_LONGPOLL_JSON_SHORTEST                                       \
    (sizeof("{\"category\":\"c\",\"data\":1}") - 1)


typedef enum {
    NGX_HTTP_LONGPOLL_JSON_OBJECT = 0,
    NGX_HTTP_LONGPOLL_JSON_ARRAY,       /* of objects */
    NGX_HTTP_LONGPOLL_JSON_LINE,        /* an object that may have null data */
    NGX_HTTP_LONGPOLL_JSON_VALUE        /* yajl reads it in an array */
} ngx_http_longpoll_json_e;


typedef struct {
    ngx_http_longpoll_json_e   kind;        /* of body that is expected */
    u_char                    *last;

    /* the walk */
    ngx_uint_t                 depth;
    ngx_uint_t                 max_depth;
    ngx_uint_t                 level;       /* depth of an object's members;
                                               a value has none: 0 */
    u_char                    *next;        /* where the next object must be */
    u_char                    *end;         /* behind the object or array */
    unsigned                   in_data:1;   /* the value at hand is data's */
    unsigned                   invalid:1;   /* the body is not of that kind */
    unsigned                   no_memory:1;

    /* the object at hand, or NULL */
    u_char                    *category;    /* behind the key */
    u_char                    *data;        /* behind the key */
    u_char                    *data_end;    /* behind an object or array */
    u_char                    *timestamp;   /* of a line, behind the key */
    u_char                    *id;          /* of a line, behind the key */
    u_char                    *key;         /* of a line, behind the key */

    /* the result */
    ngx_http_longpoll_item_t  *items;
    ngx_uint_t                 n;           /* objects, also above max */
    ngx_uint_t                 max;         /* of items */
    ngx_str_t                 *error;       /* of the first bad object */

    ngx_http_longpoll_yajl_t   yajl;
} ngx_http_longpoll_json_ctx_t;


static ngx_uint_t ngx_http_longpoll_json_is_plain(u_char *p, u_char *last);
static ngx_int_t ngx_http_longpoll_json_quoted(ngx_str_t *text, u_char *p,
    u_char *last);
static ngx_int_t ngx_http_longpoll_json_walk(ngx_http_longpoll_json_ctx_t *ctx,
    u_char *body);
static int ngx_http_longpoll_json_number(void *data, const char *p,
    size_t len);
static int ngx_http_longpoll_json_map(void *data);
static int ngx_http_longpoll_json_array(void *data);
static int ngx_http_longpoll_json_close(void *data);
static int ngx_http_longpoll_json_key(void *data, const unsigned char *key,
    size_t len);
static void ngx_http_longpoll_json_item(ngx_http_longpoll_json_ctx_t *ctx,
    u_char *end);
static ngx_int_t ngx_http_longpoll_json_category(
    ngx_http_longpoll_json_ctx_t *ctx, ngx_str_t *category, u_char *end);
static u_char *ngx_http_longpoll_json_blanks(u_char *p, u_char *last);
static u_char *ngx_http_longpoll_json_member(u_char *p, u_char *last);
static void ngx_http_longpoll_json_span(ngx_str_t *value, u_char *p,
    u_char *last, u_char *end);


static yajl_callbacks  ngx_http_longpoll_json_callbacks = {
    NULL,                                  /* null */
    NULL,                                  /* boolean */
    NULL,                                  /* integer */
    NULL,                                  /* double */
    ngx_http_longpoll_json_number,         /* number */
    NULL,                                  /* string */
    ngx_http_longpoll_json_map,            /* start map */
    ngx_http_longpoll_json_key,            /* map key */
    ngx_http_longpoll_json_close,          /* end map */
    ngx_http_longpoll_json_array,          /* start array */
    ngx_http_longpoll_json_close           /* end array */
};


ngx_str_t  ngx_http_longpoll_json_bad_body = ngx_string(
    "Invalid POST body json.");
ngx_str_t  ngx_http_longpoll_json_bad_category = ngx_string(
    "Invalid or missing 'category' arg, must be 1-1024 characters long.");
static ngx_str_t  ngx_http_longpoll_json_bad_data = ngx_string(
    "Invalid or missing 'data' arg, must be non-nil.");
static ngx_str_t  ngx_http_longpoll_json_no_memory = ngx_null_string;


ngx_int_t
ngx_http_longpoll_json_parse(ngx_http_longpoll_item_t **items, ngx_uint_t *n,
    ngx_http_longpoll_item_t *one, u_char *body, size_t len, ngx_pool_t *pool,
    ngx_str_t *error)
{
    u_char                        *p, *last;
    ngx_http_longpoll_json_ctx_t   ctx;

    last = body + len;
    p = ngx_http_longpoll_json_blanks(body, last);

    if (p == last || (*p != '{' && *p != '[')) {
        *error = ngx_http_longpoll_json_bad_body;
        return NGX_ERROR;
    }

    ctx.kind = NGX_HTTP_LONGPOLL_JSON_OBJECT;
    ctx.last = last;
    ctx.items = one;
    ctx.max = 1;
    ctx.yajl.pool = pool;

    if (*p == '[') {
        ctx.kind = NGX_HTTP_LONGPOLL_JSON_ARRAY;
        ctx.max = ngx_min(len / NGX_HTTP_LONGPOLL_JSON_SHORTEST + 1,
                          NGX_HTTP_LONGPOLL_MAX_MESSAGES);
        ctx.items = ngx_palloc(pool,
                               ctx.max * sizeof(ngx_http_longpoll_item_t));
        if (ctx.items == NULL) {
            ngx_str_null(error);
            return NGX_ERROR;
        }
    }

    if (ngx_http_longpoll_json_walk(&ctx, p) != NGX_OK) {
        *error = *ctx.error;
        return NGX_ERROR;
    }

    *items = ctx.items;
    *n = ctx.n;

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_json_data(ngx_str_t *data, u_char *body, size_t len,
    ngx_pool_t *pool, ngx_str_t *error)
{
    u_char                        *p, *last;
    ngx_http_longpoll_json_ctx_t   ctx;

    last = body + len;
    p = ngx_http_longpoll_json_blanks(body, last);

    if (p == last) {
        *error = ngx_http_longpoll_json_bad_body;
        return NGX_ERROR;
    }

    if (ngx_http_longpoll_json_is_plain(p, last)) {
        data->data = p;
        data->len = last - p;
        return NGX_OK;
    }

    ctx.kind = NGX_HTTP_LONGPOLL_JSON_VALUE;
    ctx.last = last;
    ctx.items = NULL;
    ctx.max = 0;
    ctx.yajl.pool = pool;

    if (ngx_http_longpoll_json_walk(&ctx, p) != NGX_OK) {
        *error = *ctx.error;
        return NGX_ERROR;
    }

    ngx_http_longpoll_json_span(data, p, last,
                                (*p == '{' || *p == '[') ? ctx.data_end : NULL);

    p = data->data + data->len;

    if (ngx_http_longpoll_json_blanks(p, last) != last) {

        /* a second value */

        *error = ngx_http_longpoll_json_bad_body;
        return NGX_ERROR;
    }

    if (data->data[0] == 'n') {
        *error = ngx_http_longpoll_json_bad_data;
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* one string without escapes and control characters: yajl accepts it */

static ngx_uint_t
ngx_http_longpoll_json_is_plain(u_char *p, u_char *last)
{
    ngx_uint_t  control;

    return last - p >= 2 && *p == '"'
           && memchr(p + 1, '"', last - p - 1) == last - 1
           && memchr(p, '\\', last - p) == NULL
           && ngx_http_longpoll_utf8_scan(p, last - p, &control)
           && !control;
}


/* JSON allows line ends between tokens only: a string has none */

ngx_int_t
ngx_http_longpoll_json_normalize(ngx_str_t *data, ngx_pool_t *pool)
{
    u_char      *p, *last, *escape;
    ngx_uint_t   lines;

    p = data->data;
    escape = memchr(p, '\\', data->len);

    lines = (*p != '"'
             && (memchr(p, LF, data->len) != NULL
                 || memchr(p, CR, data->len) != NULL));

    if (escape) {
        escape = ngx_http_longpoll_string_lone(escape, p + data->len);
    }

    if (!lines && escape == NULL) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, data->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = ngx_cpymem(p, data->data, data->len);
    data->data = p;

    if (escape) {
        ngx_http_longpoll_string_replace(p, last);
    }

    for ( /* void */ ; lines && p < last; p++) {

        if (*p == LF || *p == CR) {
            *p = ' ';
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_json_line(ngx_http_longpoll_json_line_t *line, u_char *p,
    size_t len, ngx_pool_t *pool)
{
    u_char                        *last;
    ngx_http_longpoll_json_ctx_t   ctx;

    last = p + len;
    p = ngx_http_longpoll_json_blanks(p, last);

    if (p == last || *p != '{') {
        return NGX_DECLINED;
    }

    ctx.kind = NGX_HTTP_LONGPOLL_JSON_LINE;
    ctx.last = last;
    ctx.items = &line->item;
    ctx.max = 1;
    ctx.yajl.pool = pool;

    if (ngx_http_longpoll_json_walk(&ctx, p) != NGX_OK) {
        return ctx.error->len ? NGX_DECLINED : NGX_ERROR;
    }

    if (ctx.timestamp == NULL) {
        return NGX_DECLINED;
    }

    p = ngx_http_longpoll_json_member(ctx.timestamp, last);

    ngx_http_longpoll_json_span(&line->timestamp, p, last, NULL);

    if (ngx_http_longpoll_json_quoted(&line->id, ctx.id, last) != NGX_OK) {
        return NGX_DECLINED;
    }

    /* another program may have a member of this name, of any kind */

    (void) ngx_http_longpoll_json_quoted(&line->key, ctx.key, last);

    return NGX_OK;
}


/*
 * The text of a member: p is behind its key, or NULL if it is not there.
 * NGX_DECLINED: the member is not a string; *text is none.
 */

static ngx_int_t
ngx_http_longpoll_json_quoted(ngx_str_t *text, u_char *p, u_char *last)
{
    ngx_str_null(text);

    if (p == NULL) {
        return NGX_OK;
    }

    p = ngx_http_longpoll_json_member(p, last);

    if (*p != '"') {
        return NGX_DECLINED;
    }

    text->data = p + 1;
    text->len = ngx_http_longpoll_string_end(p, last) - p - 2;

    return NGX_OK;
}


/*
 * The caller has set kind, last, items, max and yajl.pool, and has skipped the
 * blanks in front of the body.
 *
 * NGX_OK     the body is of that kind, and all its objects are good
 * NGX_ERROR  ctx->error is set
 */

static ngx_int_t
ngx_http_longpoll_json_walk(ngx_http_longpoll_json_ctx_t *ctx, u_char *body)
{
    size_t      len;
    ngx_int_t   rc;
    ngx_uint_t  value, around, control;

    len = ctx->last - body;
    value = (ctx->kind == NGX_HTTP_LONGPOLL_JSON_VALUE);

    /* an array of yajl's, an object, or an object in an array */

    around = (ctx->kind == NGX_HTTP_LONGPOLL_JSON_ARRAY) ? 2 : 1;

    ctx->depth = 0;
    ctx->max_depth = around + NGX_HTTP_LONGPOLL_JSON_DEPTH;
    ctx->level = value ? 0 : around;
    ctx->next = body;
    ctx->end = NULL;
    ctx->in_data = value;
    ctx->invalid = 0;
    ctx->no_memory = 0;
    ctx->category = NULL;
    ctx->data = NULL;
    ctx->data_end = NULL;
    ctx->timestamp = NULL;
    ctx->id = NULL;
    ctx->key = NULL;
    ctx->n = 0;
    ctx->error = NULL;

    if (ctx->kind == NGX_HTTP_LONGPOLL_JSON_ARRAY) {
        ctx->next = ngx_http_longpoll_json_blanks(body + 1, ctx->last);
    }

    if (!ngx_http_longpoll_utf8_scan(body, len, &control)
        || (control && (memchr(body, '\v', len) != NULL
                        || memchr(body, '\f', len) != NULL)))
    {
        ctx->error = &ngx_http_longpoll_json_bad_body;
        return NGX_ERROR;
    }

    rc = ngx_http_longpoll_yajl_parse(&ctx->yajl,
                                      &ngx_http_longpoll_json_callbacks, ctx,
                                      body, ctx->last, control, value);

    if (rc == NGX_ERROR || ctx->no_memory) {
        ctx->error = &ngx_http_longpoll_json_no_memory;
        return NGX_ERROR;
    }

    if (value && rc == NGX_OK && ctx->depth == 0) {
        ctx->end = ctx->last;
    }

    if (ctx->invalid
        || ctx->end == NULL
        || ngx_http_longpoll_json_blanks(ctx->end, ctx->last) != ctx->last)
    {
        ctx->error = &ngx_http_longpoll_json_bad_body;
    }

    return ctx->error ? NGX_ERROR : NGX_OK;
}


/* yajl's callbacks return 0 to stop yajl */

static int
ngx_http_longpoll_json_number(void *data, const char *p, size_t len)
{
    ngx_http_longpoll_json_ctx_t  *ctx = data;

    if (len >= NGX_HTTP_LONGPOLL_NUMBER_SHORT
        && ctx->in_data
        && !ngx_http_longpoll_number_fits((u_char *) p, len))
    {
        ctx->invalid = 1;
    }

    return !ctx->invalid;
}


static int
ngx_http_longpoll_json_map(void *data)
{
    u_char                        *p;
    ngx_http_longpoll_json_ctx_t  *ctx = data;

    ctx->depth++;

    if (ctx->depth == ctx->level) {
        ctx->in_data = 0;
        ctx->category = NULL;
        ctx->data = NULL;
        ctx->data_end = NULL;

        p = ngx_http_longpoll_yajl_pos(&ctx->yajl) - 1;

        if (ctx->kind == NGX_HTTP_LONGPOLL_JSON_ARRAY && p != ctx->next) {
            ctx->invalid = 1;
        }
    }

    return ctx->depth <= ctx->max_depth;
}


static int
ngx_http_longpoll_json_array(void *data)
{
    ngx_http_longpoll_json_ctx_t  *ctx = data;

    ctx->depth++;

    if (ctx->depth == ctx->level) {
        ctx->invalid = 1;
    }

    return ctx->depth <= ctx->max_depth && !ctx->invalid;
}


/* the end of an object or an array */

static int
ngx_http_longpoll_json_close(void *data)
{
    u_char                        *p;
    ngx_http_longpoll_json_ctx_t  *ctx = data;

    ctx->depth--;

    p = ngx_http_longpoll_yajl_pos(&ctx->yajl);

    if (ctx->kind == NGX_HTTP_LONGPOLL_JSON_VALUE) {

        if (ctx->depth == 1 && ctx->data_end == NULL) {
            ctx->data_end = p;
        }

        /* only the array around the value may end behind the body */

        return ctx->depth || p > ctx->last;
    }

    if (ctx->depth > ctx->level) {
        return 1;
    }

    if (ctx->depth == ctx->level) {

        if (ctx->in_data) {
            ctx->data_end = p;
        }

        return 1;
    }

    if (ctx->depth == ctx->level - 1) {
        ngx_http_longpoll_json_item(ctx, p);

        if (ctx->depth) {
            return !ctx->invalid;
        }
    }

    /* the body's own end; in front of the end of an array stands no comma */

    if (ctx->kind == NGX_HTTP_LONGPOLL_JSON_ARRAY && ctx->next != NULL) {
        ctx->invalid = 1;
    }

    ctx->end = p;

    return 0;
}


static int
ngx_http_longpoll_json_key(void *data, const unsigned char *key, size_t len)
{
    u_char                        *p;
    ngx_http_longpoll_json_ctx_t  *ctx = data;

    if (ctx->depth != ctx->level) {
        return 1;
    }

    p = ngx_http_longpoll_yajl_pos(&ctx->yajl);

    ctx->in_data = 0;

    if (len == 4 && ngx_memcmp(key, "data", 4) == 0) {
        ctx->data = p;
        ctx->data_end = NULL;
        ctx->in_data = 1;

    } else if (len == 8 && ngx_memcmp(key, "category", 8) == 0) {
        ctx->category = p;

    } else if (len == 9 && ngx_memcmp(key, "timestamp", 9) == 0) {
        ctx->timestamp = p;

    } else if (len == 2 && ngx_memcmp(key, "id", 2) == 0) {
        ctx->id = p;

    } else if (len == 3 && ngx_memcmp(key, "key", 3) == 0) {
        ctx->key = p;
    }

    return 1;
}


/* an object is complete: takes the item, or the error, from it */

static void
ngx_http_longpoll_json_item(ngx_http_longpoll_json_ctx_t *ctx, u_char *end)
{
    u_char                    *p;
    ngx_str_t                 *error;
    ngx_http_longpoll_item_t   item;

    error = NULL;
    ngx_memzero(&item, sizeof(ngx_http_longpoll_item_t));

    switch (ngx_http_longpoll_json_category(ctx, &item.category, end)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        error = &ngx_http_longpoll_json_bad_category;
        break;

    default: /* NGX_ERROR */
        ctx->invalid = 1;
        return;
    }

    if (error == NULL) {

        if (ctx->data) {
            p = ngx_http_longpoll_json_member(ctx->data, end);

            ngx_http_longpoll_json_span(&item.data, p, end, ctx->data_end);
        }

        if (ctx->data == NULL
            || (item.data.data[0] == 'n'
                && ctx->kind != NGX_HTTP_LONGPOLL_JSON_LINE))
        {
            error = &ngx_http_longpoll_json_bad_data;
        }
    }

    if (ctx->error == NULL) {
        ctx->error = error;
    }

    if (ctx->n < ctx->max) {
        ctx->items[ctx->n] = item;
    }

    if (++ctx->n > NGX_HTTP_LONGPOLL_MAX_MESSAGES) {
        ctx->invalid = 1;
    }

    /* an array goes on with a comma and the next object, or ends */

    ctx->next = NULL;

    p = ngx_http_longpoll_json_blanks(end, ctx->last);

    if (p < ctx->last && *p == ',') {
        ctx->next = ngx_http_longpoll_json_blanks(p + 1, ctx->last);
    }
}


/*
 * NGX_OK        *category is set
 * NGX_DECLINED  there is none, or its length is wrong
 * NGX_ERROR     it is not a string, or there is no memory: ctx->no_memory
 */

static ngx_int_t
ngx_http_longpoll_json_category(ngx_http_longpoll_json_ctx_t *ctx,
    ngx_str_t *category, u_char *end)
{
    u_char  *p, *last;
    size_t   size;

    if (ctx->category == NULL) {
        return NGX_DECLINED;
    }

    p = ngx_http_longpoll_json_member(ctx->category, end);

    if (*p != '"') {
        return NGX_ERROR;
    }

    category->data = p + 1;
    category->len = ngx_http_longpoll_string_end(p, end) - p - 2;

    if (memchr(category->data, '\\', category->len) != NULL) {
        size = ngx_min(category->len, NGX_HTTP_LONGPOLL_MAX_CATEGORY);

        p = ngx_pnalloc(ctx->yajl.pool, size);
        if (p == NULL) {
            ctx->no_memory = 1;
            return NGX_ERROR;
        }

        last = ngx_http_longpoll_string_decode(p, size, category);

        if (last == NULL) {
            return NGX_DECLINED;
        }

        category->data = p;
        category->len = last - p;

        return NGX_OK;
    }

    if (category->len == 0
        || category->len > NGX_HTTP_LONGPOLL_MAX_CATEGORY)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static u_char *
ngx_http_longpoll_json_blanks(u_char *p, u_char *last)
{
    while (p < last
           && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
    {
        p++;
    }

    return p;
}


/* p is behind the key of a member; returns where the value begins */

static u_char *
ngx_http_longpoll_json_member(u_char *p, u_char *last)
{
    p = ngx_http_longpoll_json_blanks(p, last);

    return ngx_http_longpoll_json_blanks(p + 1, last);
}


/*
 * The span of the value that begins at p, in valid JSON that ends at last.  The
 * end of an object or array is known; for other values it is NULL.
 */

static void
ngx_http_longpoll_json_span(ngx_str_t *value, u_char *p, u_char *last,
    u_char *end)
{
    value->data = p;

    if (end) {
        p = end;

    } else if (*p == '"') {
        p = ngx_http_longpoll_string_end(p, last);

    } else {
        while (p < last && *p != ',' && *p != '}'
               && ngx_http_longpoll_json_blanks(p, last) == p)
        {
            p++;
        }
    }

    value->len = p - value->data;
}
