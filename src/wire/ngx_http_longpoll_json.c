
/*
 * ngx_http_longpoll_json.c: a publish body -> categories and the spans of data.
 *
 * Owns what a publish body may be.  yajl says whether the text is JSON, and
 * where its keys and brackets are; all else is read off the text itself:
 *
 *      {"category" : "farm", "data": {"pigs": [1, 2]}}
 *                 ^                 ^                ^ ^
 *                 |                 |                | end of the object
 *                 behind a key      behind a key     end of its value
 *
 *      _parse    _walk       _utf8, _yajl, _feed (_map, _array, _key, _close)
 *                              _item     of each object that closes
 *                                _category   _value, _decode
 *                                _value      of data
 *      _data     _walk       the value in an array of its own
 *
 * Rules:
 *
 *   - The span of a value starts behind its key's blanks and colon.  yajl is
 *     asked for no strings and numbers, so it copies none; where one ends is
 *     found afterwards, in text that is known to be good.
 *   - yajl is told to stop at the end of the object or array, and the rest is
 *     looked at here: an unfinished string behind the value it takes for end of
 *     input.
 *   - Of an array yajl tells nothing of numbers, strings and the like; so the
 *     text between its objects must be a comma, or something else stands there.
 *   - yajl takes \v and \f for blanks, and strings with surrogates and
 *     overlong forms for UTF-8: both are refused before it sees them.
 *   - A lone \ud800 in a category is U+FFFD, as in Go.
 *   - Depth is bounded by the callbacks; then yajl's stack never grows.
 *   - yajl never looks whether it got memory.  Its pieces come from an arena
 *     on the stack, then from the pool, each with its size in front as yajl's
 *     realloc does not tell it; no memory leaves yajl by longjmp(), which is
 *     safe as nothing that it holds outlives the request.
 */


#include <setjmp.h>

#include <yajl/yajl_parse.h>

#include "ngx_http_longpoll_json.h"


#define NGX_HTTP_LONGPOLL_JSON_ARENA  4096

/* bytes in front of a piece; keeps what follows aligned for anything */

#define NGX_HTTP_LONGPOLL_JSON_HEAD   16


/*
 * Bytes of a string that say nothing: more than RUN are left out, but for KEPT,
 * which is more than any key has that is looked for; at most RUNS times, and
 * only if no more than LEFT are left of all of it.
 */

#define NGX_HTTP_LONGPOLL_JSON_RUN   64
#define NGX_HTTP_LONGPOLL_JSON_KEPT  16
#define NGX_HTTP_LONGPOLL_JSON_RUNS  8
#define NGX_HTTP_LONGPOLL_JSON_LEFT  512

#define NGX_HTTP_LONGPOLL_JSON_SHORT  256     /* bytes of a body */

/* sixteen bytes at a time: gcc and clang make of these what the machine has */

typedef u_char    ngx_http_longpoll_json_bytes_t
    __attribute__((vector_size(16)));
typedef uint64_t  ngx_http_longpoll_json_words_t
    __attribute__((vector_size(16)));


/* the shortest good object: an array has no more of them than fit */

#define NGX_HTTP_LONGPOLL_JSON_SHORTEST                                       \
    (sizeof("{\"category\":\"c\",\"data\":1}") - 1)


typedef enum {
    NGX_HTTP_LONGPOLL_JSON_OBJECT = 0,
    NGX_HTTP_LONGPOLL_JSON_ARRAY,       /* of objects */
    NGX_HTTP_LONGPOLL_JSON_VALUE        /* in an array that was put around */
} ngx_http_longpoll_json_e;


typedef struct {
    ngx_http_longpoll_json_e   kind;

    /* the walk */
    yajl_handle                yajl;
    u_char                    *body;
    u_char                    *last;
    u_char                    *piece;       /* that yajl is at */
    ngx_uint_t                 depth;
    ngx_uint_t                 deepest;
    ngx_uint_t                 level;       /* depth of an object's inside */
    unsigned                   in_data:1;   /* the value at hand is data's */
    unsigned                   wrong:1;     /* not what is looked for */

    /* of the object at hand, or NULL */
    u_char                    *category;    /* behind the key */
    u_char                    *data;        /* behind the key */
    u_char                    *data_end;    /* behind the value, if it nests */
    u_char                    *timestamp;   /* of a line, behind the key */
    u_char                    *id;

    /* what it found */
    ngx_http_longpoll_item_t  *items;
    ngx_uint_t                 n;
    ngx_uint_t                 max;         /* of items */
    u_char                    *next;        /* where the next object begins */
    u_char                    *end;         /* behind everything */
    ngx_str_t                 *error;       /* the first of an object */

    /* memory */
    ngx_pool_t                *pool;
    u_char                    *free;        /* in the arena */
    jmp_buf                    failed;
    u_char                     arena[NGX_HTTP_LONGPOLL_JSON_ARENA]
                      __attribute__((aligned(NGX_HTTP_LONGPOLL_JSON_HEAD)));
} ngx_http_longpoll_json_ctx_t;


static ngx_int_t ngx_http_longpoll_json_walk(ngx_http_longpoll_json_ctx_t *ctx,
    u_char *body, size_t len);
static ngx_int_t ngx_http_longpoll_json_yajl(
    ngx_http_longpoll_json_ctx_t *ctx);
static yajl_status ngx_http_longpoll_json_feed(
    ngx_http_longpoll_json_ctx_t *ctx);
static u_char *ngx_http_longpoll_json_plain(u_char *p, u_char *last);
static int ngx_http_longpoll_json_map(void *data);
static int ngx_http_longpoll_json_array(void *data);
static int ngx_http_longpoll_json_close(void *data);
static int ngx_http_longpoll_json_key(void *data, const unsigned char *key,
    size_t len);
static void ngx_http_longpoll_json_item(ngx_http_longpoll_json_ctx_t *ctx,
    u_char *end);
static void *ngx_http_longpoll_json_alloc(void *data, size_t size);
static void *ngx_http_longpoll_json_realloc(void *data, void *p, size_t size);
static void ngx_http_longpoll_json_free(void *data, void *p);

static ngx_int_t ngx_http_longpoll_json_category(
    ngx_http_longpoll_json_ctx_t *ctx, ngx_str_t *category, u_char *end);
static u_char *ngx_http_longpoll_json_blanks(u_char *p, u_char *last);
static void ngx_http_longpoll_json_value(ngx_str_t *value, u_char *p,
    u_char *last, u_char *end);
static u_char *ngx_http_longpoll_json_string(u_char *p, u_char *last);
static ngx_int_t ngx_http_longpoll_json_decode(ngx_str_t *name,
    ngx_pool_t *pool);
static uint32_t ngx_http_longpoll_json_escape(u_char **pos, u_char *last);
static uint32_t ngx_http_longpoll_json_hex(u_char *p);
static u_char *ngx_http_longpoll_json_encode(u_char *p, uint32_t c);


static yajl_callbacks  ngx_http_longpoll_json_callbacks = {
    NULL,                                  /* null */
    NULL,                                  /* boolean */
    NULL,                                  /* integer */
    NULL,                                  /* double */
    NULL,                                  /* number */
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
    u_char                        *p;
    ngx_http_longpoll_json_ctx_t   ctx;

    p = ngx_http_longpoll_json_blanks(body, body + len);

    ctx.kind = NGX_HTTP_LONGPOLL_JSON_OBJECT;
    ctx.items = one;
    ctx.max = 1;
    ctx.pool = pool;

    if (p < body + len && *p == '[') {
        ctx.kind = NGX_HTTP_LONGPOLL_JSON_ARRAY;
        ctx.max = ngx_min(len / NGX_HTTP_LONGPOLL_JSON_SHORTEST + 1,
                          NGX_HTTP_LONGPOLL_MAX_MESSAGES);
        ctx.items = ngx_palloc(pool,
                               ctx.max * sizeof(ngx_http_longpoll_item_t));
        if (ctx.items == NULL) {
            ngx_str_null(error);
            return NGX_ERROR;
        }

    } else if (p == body + len || *p != '{') {
        *error = ngx_http_longpoll_json_bad_body;
        return NGX_ERROR;
    }

    if (ngx_http_longpoll_json_walk(&ctx, p, body + len - p) != NGX_OK) {
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

    ctx.kind = NGX_HTTP_LONGPOLL_JSON_VALUE;
    ctx.items = NULL;
    ctx.max = 0;
    ctx.pool = pool;

    if (p == last) {
        *error = ngx_http_longpoll_json_bad_body;
        return NGX_ERROR;
    }

    if (ngx_http_longpoll_json_walk(&ctx, p, last - p) != NGX_OK) {
        *error = *ctx.error;
        return NGX_ERROR;
    }

    ngx_http_longpoll_json_value(data, p, last,
                                 *p == '{' || *p == '[' ? ctx.data_end : NULL);

    p = data->data + data->len;

    if (ngx_http_longpoll_json_blanks(p, last) != last) {

        /* a second one */

        *error = ngx_http_longpoll_json_bad_body;
        return NGX_ERROR;
    }

    if (data->data[0] == 'n') {
        *error = ngx_http_longpoll_json_bad_data;
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_json_line(ngx_http_longpoll_item_t *item,
    ngx_str_t *timestamp, ngx_str_t *id, u_char *line, size_t len,
    ngx_pool_t *pool)
{
    u_char                        *p, *last;
    ngx_http_longpoll_json_ctx_t   ctx;

    ctx.kind = NGX_HTTP_LONGPOLL_JSON_OBJECT;
    ctx.items = item;
    ctx.max = 1;
    ctx.pool = pool;

    last = line + len;
    p = ngx_http_longpoll_json_blanks(line, last);

    if (p == last || *p != '{') {
        return NGX_DECLINED;
    }

    if (ngx_http_longpoll_json_walk(&ctx, p, last - p) != NGX_OK) {
        return ctx.error->len ? NGX_DECLINED : NGX_ERROR;
    }

    if (ctx.timestamp == NULL || ctx.id == NULL) {
        return NGX_DECLINED;
    }

    p = ngx_http_longpoll_json_blanks(ctx.timestamp, last);
    p = ngx_http_longpoll_json_blanks(p + 1, last);

    ngx_http_longpoll_json_value(timestamp, p, last, NULL);

    p = ngx_http_longpoll_json_blanks(ctx.id, last);
    p = ngx_http_longpoll_json_blanks(p + 1, last);

    if (*p != '"') {
        return NGX_DECLINED;
    }

    id->data = p + 1;
    id->len = ngx_http_longpoll_json_string(p, last) - p - 2;

    return NGX_OK;
}


/* body has no blanks in front; NGX_ERROR: ctx->error says why */

static ngx_int_t
ngx_http_longpoll_json_walk(ngx_http_longpoll_json_ctx_t *ctx, u_char *body,
    size_t len)
{
    ctx->body = body;
    ctx->last = body + len;
    ctx->depth = 0;
    ctx->deepest = NGX_HTTP_LONGPOLL_JSON_DEPTH
                   + (ctx->kind == NGX_HTTP_LONGPOLL_JSON_VALUE);
    ctx->level = (ctx->kind == NGX_HTTP_LONGPOLL_JSON_OBJECT) ? 1 : 2;
    ctx->in_data = 0;
    ctx->wrong = 0;
    ctx->category = NULL;
    ctx->data = NULL;
    ctx->data_end = NULL;
    ctx->timestamp = NULL;
    ctx->id = NULL;
    ctx->n = 0;
    ctx->next = body;
    ctx->end = NULL;
    ctx->error = NULL;
    ctx->free = ctx->arena;

    if (ctx->kind == NGX_HTTP_LONGPOLL_JSON_ARRAY) {
        ctx->next = ngx_http_longpoll_json_blanks(body + 1, ctx->last);
    }

    if (memchr(body, '\v', len) != NULL
        || memchr(body, '\f', len) != NULL
        || !ngx_http_longpoll_json_utf8(body, len))
    {
        ctx->error = &ngx_http_longpoll_json_bad_body;
        return NGX_ERROR;
    }

    if (ngx_http_longpoll_json_yajl(ctx) != NGX_OK) {
        ctx->error = &ngx_http_longpoll_json_no_memory;
        return NGX_ERROR;
    }

    if (ctx->wrong
        || ctx->end == NULL
        || ngx_http_longpoll_json_blanks(ctx->end, ctx->last) != ctx->last)
    {
        ctx->error = &ngx_http_longpoll_json_bad_body;
    }

    return ctx->error ? NGX_ERROR : NGX_OK;
}


/* NGX_OK: ctx->end says whether it is good; NGX_ERROR: no memory */

static ngx_int_t
ngx_http_longpoll_json_yajl(ngx_http_longpoll_json_ctx_t *ctx)
{
    ngx_uint_t        value;
    yajl_alloc_funcs  funcs;

    funcs.malloc = ngx_http_longpoll_json_alloc;
    funcs.realloc = ngx_http_longpoll_json_realloc;
    funcs.free = ngx_http_longpoll_json_free;
    funcs.ctx = ctx;

    if (setjmp(ctx->failed)) {
        return NGX_ERROR;
    }

    value = (ctx->kind == NGX_HTTP_LONGPOLL_JSON_VALUE);
    ctx->yajl = yajl_alloc(&ngx_http_longpoll_json_callbacks, &funcs, ctx);

    (void) yajl_config(ctx->yajl, yajl_dont_validate_strings, 1);

    if (value) {
        (void) yajl_parse(ctx->yajl, (u_char *) "[", 1);
    }

    if (ngx_http_longpoll_json_feed(ctx) == yajl_status_ok && value
        && ctx->depth == 1)
    {
        (void) yajl_parse(ctx->yajl, (u_char *) "]", 1);

        if (ctx->depth == 0) {
            ctx->end = ctx->last;
        }
    }

    yajl_free(ctx->yajl);

    return NGX_OK;
}


/*
 * yajl looks at every byte; of a long string it is spared what says nothing:
 *
 *      {"data": "It was a dark and | stormy ni | ght.\nThe end."}
 *      \_________________________/              \_______________/
 *                piece              left out           piece
 *
 * The string keeps enough of itself not to be taken for another key.  yajl has
 * a copy of a string that comes in pieces, and begins anew with each of them,
 * so there may be few, and little must be left.
 */

static yajl_status
ngx_http_longpoll_json_feed(ngx_http_longpoll_json_ctx_t *ctx)
{
    u_char       *p, *run, *from[NGX_HTTP_LONGPOLL_JSON_RUNS];
    u_char       *to[NGX_HTTP_LONGPOLL_JSON_RUNS];
    size_t        left;
    ngx_uint_t    i, n;
    yajl_status   status;

    ctx->piece = ctx->body;

    /* in a short body there is less to spare than it takes to find it */

    p = (ctx->last - ctx->body < NGX_HTTP_LONGPOLL_JSON_SHORT)
        ? ctx->last : ctx->body;

    while ((p = memchr(p, '"', ctx->last - p)) != NULL) {
        left = 0;
        n = 0;

        for (p++; p < ctx->last && *p != '"'; /* void */ ) {
            run = p;
            p = ngx_http_longpoll_json_plain(p, ctx->last);

            if (p - run > NGX_HTTP_LONGPOLL_JSON_RUN
                && n < NGX_HTTP_LONGPOLL_JSON_RUNS)
            {
                from[n] = run + NGX_HTTP_LONGPOLL_JSON_KEPT;
                to[n++] = p;
                left += NGX_HTTP_LONGPOLL_JSON_KEPT;

            } else {
                left += p - run;
            }

            if (p < ctx->last && *p != '"') {

                /* escaped, or a control character, which yajl refuses */

                p += ngx_min(2, ctx->last - p);
                left += 2;
            }
        }

        for (i = 0; i < n && left <= NGX_HTTP_LONGPOLL_JSON_LEFT; i++) {
            status = yajl_parse(ctx->yajl, ctx->piece, from[i] - ctx->piece);

            if (status != yajl_status_ok) {
                return status;
            }

            ctx->piece = to[i];
        }

        p += (p < ctx->last);
    }

    return yajl_parse(ctx->yajl, ctx->piece, ctx->last - ctx->piece);
}


/* behind the bytes that are nothing else but themselves in a string */

static u_char *
ngx_http_longpoll_json_plain(u_char *p, u_char *last)
{
    ngx_http_longpoll_json_words_t  found;
    ngx_http_longpoll_json_bytes_t  v;

    for ( /* void */ ; last - p >= (ssize_t) sizeof(v); p += sizeof(v)) {
        ngx_memcpy(&v, p, sizeof(v));

        found = (ngx_http_longpoll_json_words_t)
                    ((v < 0x20) | (v == '"') | (v == '\\'));

        if (found[0] | found[1]) {
            break;
        }
    }

    while (p < last && *p >= 0x20 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


static int
ngx_http_longpoll_json_map(void *data)
{
    u_char                        *p;
    ngx_http_longpoll_json_ctx_t  *ctx = data;

    ctx->depth++;

    if (ctx->depth == ctx->level
        && ctx->kind != NGX_HTTP_LONGPOLL_JSON_VALUE)
    {
        ctx->in_data = 0;
        ctx->category = NULL;
        ctx->data = NULL;
        ctx->data_end = NULL;

        p = ctx->piece + yajl_get_bytes_consumed(ctx->yajl) - 1;

        if (ctx->kind == NGX_HTTP_LONGPOLL_JSON_ARRAY && p != ctx->next) {
            ctx->wrong = 1;
        }
    }

    return ctx->depth <= ctx->deepest;
}


static int
ngx_http_longpoll_json_array(void *data)
{
    ngx_http_longpoll_json_ctx_t  *ctx = data;

    ctx->depth++;

    if (ctx->depth == ctx->level
        && ctx->kind != NGX_HTTP_LONGPOLL_JSON_VALUE)
    {
        ctx->wrong = 1;
    }

    return ctx->depth <= ctx->deepest && !ctx->wrong;
}


static int
ngx_http_longpoll_json_close(void *data)
{
    u_char                        *p;
    ngx_http_longpoll_json_ctx_t  *ctx = data;

    ctx->depth--;

    p = ctx->piece + yajl_get_bytes_consumed(ctx->yajl);

    if (ctx->depth > ctx->level) {
        return 1;
    }

    if (ctx->kind == NGX_HTTP_LONGPOLL_JSON_VALUE) {

        if (ctx->depth == 1 && ctx->data_end == NULL) {
            ctx->data_end = p;
        }

        return ctx->depth;
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
            return !ctx->wrong;
        }
    }

    /* all is over; in front of the end of an array stands no comma */

    if (ctx->kind == NGX_HTTP_LONGPOLL_JSON_ARRAY && ctx->next != NULL) {
        ctx->wrong = 1;
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

    p = ctx->piece + yajl_get_bytes_consumed(ctx->yajl);

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
    }

    return 1;
}


/* an object is complete: what it says, or its error */

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

    case NGX_ABORT:
        longjmp(ctx->failed, 1);

    default: /* NGX_ERROR */
        ctx->wrong = 1;
        return;
    }

    if (error == NULL) {

        if (ctx->data) {
            p = ngx_http_longpoll_json_blanks(ctx->data, end);
            p = ngx_http_longpoll_json_blanks(p + 1, end);

            ngx_http_longpoll_json_value(&item.data, p, end, ctx->data_end);
        }

        if (ctx->data == NULL || item.data.data[0] == 'n') {
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
        ctx->wrong = 1;
    }

    /* behind a comma there must be an object, and nothing else in between */

    ctx->next = NULL;

    p = ngx_http_longpoll_json_blanks(end, ctx->last);

    if (p < ctx->last && *p == ',') {
        ctx->next = ngx_http_longpoll_json_blanks(p + 1, ctx->last);
    }
}


static void *
ngx_http_longpoll_json_alloc(void *data, size_t size)
{
    u_char                        *p;
    size_t                         room;
    ngx_http_longpoll_json_ctx_t  *ctx = data;

    room = ctx->arena + NGX_HTTP_LONGPOLL_JSON_ARENA - ctx->free;

    if (room >= NGX_HTTP_LONGPOLL_JSON_HEAD
        && size <= room - NGX_HTTP_LONGPOLL_JSON_HEAD)
    {
        p = ctx->free;
        ctx->free += NGX_HTTP_LONGPOLL_JSON_HEAD
                     + ngx_align(size, NGX_HTTP_LONGPOLL_JSON_HEAD);

    } else {
        p = ngx_palloc(ctx->pool, NGX_HTTP_LONGPOLL_JSON_HEAD + size);
        if (p == NULL) {
            longjmp(ctx->failed, 1);
        }
    }

    *(size_t *) p = size;

    return p + NGX_HTTP_LONGPOLL_JSON_HEAD;
}


static void *
ngx_http_longpoll_json_realloc(void *data, void *p, size_t size)
{
    void    *piece;
    size_t   old;

    if (p == NULL) {
        return ngx_http_longpoll_json_alloc(data, size);
    }

    old = *(size_t *) ((u_char *) p - NGX_HTTP_LONGPOLL_JSON_HEAD);

    if (size <= old) {
        return p;
    }

    piece = ngx_http_longpoll_json_alloc(data, size);

    ngx_memcpy(piece, p, old);

    ngx_http_longpoll_json_free(data, p);

    return piece;
}


static void
ngx_http_longpoll_json_free(void *data, void *p)
{
    uintptr_t                      at;
    ngx_http_longpoll_json_ctx_t  *ctx = data;

    at = (uintptr_t) p - (uintptr_t) ctx->arena;

    if (p == NULL || at < NGX_HTTP_LONGPOLL_JSON_ARENA) {
        return;
    }

    (void) ngx_pfree(ctx->pool, (u_char *) p - NGX_HTTP_LONGPOLL_JSON_HEAD);
}


/*
 * NGX_ERROR: not a string; NGX_DECLINED: none, or its length is wrong;
 * NGX_ABORT: no memory
 */

static ngx_int_t
ngx_http_longpoll_json_category(ngx_http_longpoll_json_ctx_t *ctx,
    ngx_str_t *category, u_char *end)
{
    u_char  *p;

    if (ctx->category == NULL) {
        return NGX_DECLINED;
    }

    p = ngx_http_longpoll_json_blanks(ctx->category, end);
    p = ngx_http_longpoll_json_blanks(p + 1, end);

    if (*p != '"') {
        return NGX_ERROR;
    }

    category->data = p + 1;
    category->len = ngx_http_longpoll_json_string(p, end) - p - 2;

    if (memchr(category->data, '\\', category->len) != NULL) {
        return ngx_http_longpoll_json_decode(category, ctx->pool);
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


/*
 * The span of the value that begins at p, in good JSON that ends at last.  end
 * is needed for a value that nests.
 */

static void
ngx_http_longpoll_json_value(ngx_str_t *value, u_char *p, u_char *last,
    u_char *end)
{
    value->data = p;

    if (end) {
        p = end;

    } else if (*p == '"') {
        p = ngx_http_longpoll_json_string(p, last);

    } else {
        while (p < last && *p != ',' && *p != '}'
               && ngx_http_longpoll_json_blanks(p, last) == p)
        {
            p++;
        }
    }

    value->len = p - value->data;
}


/* p is at the first quote; returns the place behind the last */

static u_char *
ngx_http_longpoll_json_string(u_char *p, u_char *last)
{
    u_char  *b;

    for ( ;; ) {
        p = memchr(p + 1, '"', last - p - 1);

        for (b = p; b[-1] == '\\'; b--) { /* void */ }

        if ((p - b) % 2 == 0) {
            return p + 1;
        }
    }
}


/*
 * A decoded string is never longer than its text, so one that does not fit is
 * longer than the limit.
 */

static ngx_int_t
ngx_http_longpoll_json_decode(ngx_str_t *name, ngx_pool_t *pool)
{
    u_char  *p, *last, *dst, *c, utf8[4];
    size_t   n, room;

    room = ngx_min(name->len, NGX_HTTP_LONGPOLL_MAX_CATEGORY);

    dst = ngx_pnalloc(pool, room);
    if (dst == NULL) {
        return NGX_ABORT;
    }

    p = name->data;
    last = p + name->len;

    name->data = dst;

    while (p < last) {

        if (*p != '\\') {
            c = p++;
            n = 1;

        } else {
            c = utf8;
            n = ngx_http_longpoll_json_encode(utf8,
                                     ngx_http_longpoll_json_escape(&p, last))
                - utf8;
        }

        if (n > room) {
            return NGX_DECLINED;
        }

        dst = ngx_cpymem(dst, c, n);
        room -= n;
    }

    name->len = dst - name->data;

    return NGX_OK;
}


u_char *
ngx_http_longpoll_json_text(u_char *dst, ngx_str_t *data)
{
    u_char  *p, *last, *escape;

    p = data->data;
    last = p + data->len;

    if (data->len < 2 || *p != '"') {
        return ngx_cpymem(dst, p, data->len);
    }

    p++;
    last--;

    while (p < last) {
        escape = memchr(p, '\\', last - p);

        if (escape == NULL) {
            escape = last;
        }

        dst = ngx_cpymem(dst, p, escape - p);
        p = escape;

        if (p < last) {
            dst = ngx_http_longpoll_json_encode(dst,
                                     ngx_http_longpoll_json_escape(&p, last));
        }
    }

    return dst;
}


/* reads a good escape, of which a lone surrogate is one; moves *pos behind */

static uint32_t
ngx_http_longpoll_json_escape(u_char **pos, u_char *last)
{
    u_char    *p;
    uint32_t   c, low;

    p = *pos;
    c = p[1];
    *pos = p + 2;

    switch (c) {

    case 'b':
        return '\b';

    case 'f':
        return '\f';

    case 'n':
        return '\n';

    case 'r':
        return '\r';

    case 't':
        return '\t';

    case 'u':
        break;

    default: /* '"', '\\', '/' */
        return c;
    }

    c = ngx_http_longpoll_json_hex(p + 2);
    p += 6;
    *pos = p;

    if (c < 0xd800 || c > 0xdfff) {
        return c;
    }

    if (c < 0xdc00 && last - p >= 6 && p[0] == '\\' && p[1] == 'u') {

        low = ngx_http_longpoll_json_hex(p + 2);

        if (low >= 0xdc00 && low <= 0xdfff) {
            *pos = p + 6;
            return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
    }

    return 0xfffd;
}


static uint32_t
ngx_http_longpoll_json_hex(u_char *p)
{
    uint32_t    c, n;
    ngx_uint_t  i;

    for (n = 0, i = 0; i < 4; i++) {
        c = p[i];
        n = n << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }

    return n;
}


static u_char *
ngx_http_longpoll_json_encode(u_char *p, uint32_t c)
{
    if (c < 0x80) {
        *p++ = (u_char) c;
        return p;
    }

    if (c < 0x800) {
        *p++ = (u_char) (0xc0 | c >> 6);

    } else {

        if (c < 0x10000) {
            *p++ = (u_char) (0xe0 | c >> 12);

        } else {
            *p++ = (u_char) (0xf0 | c >> 18);
            *p++ = (u_char) (0x80 | (c >> 12 & 0x3f));
        }

        *p++ = (u_char) (0x80 | (c >> 6 & 0x3f));
    }

    *p++ = (u_char) (0x80 | (c & 0x3f));

    return p;
}


ngx_uint_t
ngx_http_longpoll_json_utf8(u_char *p, size_t len)
{
    u_char                          c, low, high, *last;
    size_t                          n;
    ngx_http_longpoll_json_words_t  w;

    last = p + len;

    while (p < last) {

        while (last - p >= (ssize_t) sizeof(w)) {
            ngx_memcpy(&w, p, sizeof(w));

            if ((w[0] | w[1]) & 0x8080808080808080ULL) {
                break;
            }

            p += sizeof(w);
        }

        if (p == last) {
            break;
        }

        c = *p++;

        if (c < 0x80) {
            continue;
        }

        if (c < 0xc2 || c > 0xf4) {
            return 0;
        }

        n = (c < 0xe0) ? 1 : (c < 0xf0) ? 2 : 3;

        if ((size_t) (last - p) < n) {
            return 0;
        }

        /* the second byte is where overlong, surrogate and too high show */

        low = (c == 0xe0) ? 0xa0 : (c == 0xf0) ? 0x90 : 0x80;
        high = (c == 0xed) ? 0x9f : (c == 0xf4) ? 0x8f : 0xbf;

        if (*p < low || *p > high) {
            return 0;
        }

        for (p++, n--; n; p++, n--) {
            if ((*p & 0xc0) != 0x80) {
                return 0;
            }
        }
    }

    return 1;
}
