
/*
 * ngx_http_longpoll_publish.c: publishes, from the body to the wake-up.
 *
 *   POST ── body ─┬─ json: objects of category and data ─┐
 *                 └─ the data itself, categories given ──┴─▶ items
 *
 *   items ── zone: append all or none, mark ── notify ── answer
 *
 * nginx reads the body.  In the common case it lies in one buffer, and the only
 * copy made of its data is the one into the zone; a body in pieces or in a file
 * is put together first.  The publisher is answered without waiting for
 * anybody: its own worker's polls are told behind it, the others' by eventfd.
 */


#include "ngx_http_longpoll_publish.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_id.h"
#include "ngx_http_longpoll_json.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_persist.h"
#include "ngx_http_longpoll_query.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_golongpoll.h"
#include "ngx_http_longpoll_zone.h"


#define NGX_HTTP_LONGPOLL_PUBLISH_KEY      64       /* bytes */
#define NGX_HTTP_LONGPOLL_PUBLISH_BUCKETS  2048     /* twice MAX_MESSAGES */


/* what one request publishes */

typedef struct {
    ngx_http_longpoll_item_t       *items;
    ngx_uint_t                      n;
    ngx_str_t                      *key;        /* NULL: none */

    uint64_t                        id;         /* of the last one, and what */
    uint64_t                        failed;     /* had failed before: if the
                                                   disk is waited for */

    ngx_http_longpoll_item_t        item;       /* the usual one */
    ngx_str_t                       error;      /* len 0: no memory */
    ngx_uint_t                      status;     /* of the error */
} ngx_http_longpoll_publish_t;


static void ngx_http_longpoll_publish_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_longpoll_publish_read(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_longpoll_publish_configured(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub, ngx_http_longpoll_configured_t *given,
    ngx_str_t *body);
static ngx_uint_t ngx_http_longpoll_publish_json(ngx_http_request_t *r);
static ngx_int_t ngx_http_longpoll_publish_text(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub, ngx_str_t *data, ngx_str_t *body);
static ngx_int_t ngx_http_longpoll_publish_key(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub);
static ngx_int_t ngx_http_longpoll_publish_store(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_publish_t *pub);
static void ngx_http_longpoll_publish_categories(
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_publish_t *pub,
    ngx_http_longpoll_msg_t *msgs);
static ngx_int_t ngx_http_longpoll_publish_one_line(ngx_http_request_t *r,
    ngx_str_t *data);
static void ngx_http_longpoll_publish_decided(ngx_http_request_t *r,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_publish_stored(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx);
static ngx_int_t ngx_http_longpoll_publish_refuse(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_uint_t status, ngx_str_t *error);


static ngx_str_t  ngx_http_longpoll_publish_too_large =
    ngx_string("Event too large, must need at most a quarter of the zone.");

static ngx_str_t  ngx_http_longpoll_publish_unsaved =
    ngx_string("Event could not be written to disk.");

static ngx_str_t  ngx_http_longpoll_publish_bad_key =
    ngx_string("Invalid Idempotency-Key, must be 1-64 bytes long.");

static ngx_str_t  ngx_http_longpoll_publish_id_key =
    ngx_string("Longpoll-Event-Id");


ngx_int_t
ngx_http_longpoll_publish_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_http_longpoll_ctx_t       *ctx;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    ctx = ngx_http_longpoll_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->result = NGX_HTTP_LONGPOLL_ERROR;
    ctx->zone = llcf->publish;

    if (r->request_body && r->request_body_no_buffering) {

        /* proxy_request_buffering off: what is left here is a part of it */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "longpoll: the request body was passed on unbuffered, "
                      "and cannot be published any more");

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_longpoll_publish_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_longpoll_publish_body(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_str_t                     body;
    ngx_http_longpoll_ctx_t      *ctx;
    ngx_http_longpoll_configured_t     given;
    ngx_http_longpoll_publish_t   pub;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    pub.status = NGX_HTTP_BAD_REQUEST;
    ngx_str_null(&pub.error);

    rc = ngx_http_longpoll_publish_read(r, &body);

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_category_configured(r, &given);

        if (rc == NGX_OK) {
            rc = ngx_http_longpoll_publish_configured(r, &pub, &given, &body);

        } else if (rc == NGX_DECLINED) {
            rc = ngx_http_longpoll_json_parse(&pub.items, &pub.n, &pub.item,
                                              body.data, body.len, r->pool,
                                              &pub.error);
        }
    }

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_publish_key(r, &pub);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_publish_store(r, ctx, &pub);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_publish_stored(r, ctx);

    } else if (rc == NGX_AGAIN) {
        rc = ngx_http_longpoll_persist_wait(r, ctx->zone, pub.id, pub.failed,
                                           ngx_http_longpoll_publish_decided);

        /* what was posted is looked at; nobody else will end this request */

        if (rc == NGX_DONE) {
            return;
        }

    } else if (pub.error.len) {
        rc = ngx_http_longpoll_publish_refuse(r, ctx, pub.status, &pub.error);

    } else {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(r, rc);
}


/* the body in one piece: where it lies, or a copy */

static ngx_int_t
ngx_http_longpoll_publish_read(ngx_http_request_t *r, ngx_str_t *body)
{
    off_t         len;
    u_char       *p;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_str_set(body, "");

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    if (len == 0) {
        return NGX_OK;
    }

    b = r->request_body->bufs->buf;

    if (!b->in_file && ngx_buf_size(b) == len) {
        body->data = b->pos;
        body->len = (size_t) len;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, (size_t) len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    body->len = (size_t) len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (!b->in_file) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        n = ngx_read_file(b->file, p, (size_t) (b->file_last - b->file_pos),
                          b->file_pos);

        if (n != b->file_last - b->file_pos) {

            if (n != NGX_ERROR) {
                ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                              "longpoll: read only %z bytes of a "
                              "request body's temporary file", n);
            }

            return NGX_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}


/* the configuration names the categories, the body is the data */

static ngx_int_t
ngx_http_longpoll_publish_configured(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub, ngx_http_longpoll_configured_t *given,
    ngx_str_t *body)
{
    ngx_int_t                  rc;
    ngx_str_t                  args, data;
    ngx_uint_t                 i;
    ngx_http_longpoll_cat_t    cats[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    ngx_http_longpoll_query_t  q;

    q.cats = cats;
    ngx_str_null(&args);

    rc = ngx_http_longpoll_query_categories(&q, &args, NULL, given,
                                            &pub->error);
    if (rc != NGX_OK) {

        if (rc == NGX_ERROR) {
            pub->error = ngx_http_longpoll_json_bad_category;
        }

        return NGX_ERROR;
    }

    if (ngx_http_longpoll_publish_json(r)) {
        rc = ngx_http_longpoll_json_data(&data, body->data, body->len, r->pool,
                                         &pub->error);
    } else {
        rc = ngx_http_longpoll_publish_text(r, pub, &data, body);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    pub->n = q.ncats;
    pub->items = &pub->item;

    if (pub->n > 1) {
        pub->items = ngx_palloc(r->pool,
                                pub->n * sizeof(ngx_http_longpoll_item_t));
        if (pub->items == NULL) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < pub->n; i++) {
        pub->items[i].category = cats[i].name;
        pub->items[i].data = data;
    }

    return NGX_OK;
}


/* whether the body is JSON: format=, or its type, application/json or +json */

static ngx_uint_t
ngx_http_longpoll_publish_json(ngx_http_request_t *r)
{
    size_t                         len;
    u_char                        *p, *last;
    ngx_table_elt_t               *type;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    if (llcf->format != NGX_HTTP_LONGPOLL_FORMAT_AUTO) {
        return llcf->format == NGX_HTTP_LONGPOLL_FORMAT_JSON;
    }

    type = r->headers_in.content_type;

    if (type == NULL) {
        return 0;
    }

    p = type->value.data;
    last = ngx_strlchr(p, p + type->value.len, ';');

    if (last == NULL) {
        last = p + type->value.len;
    }

    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    len = last - p;

    return (len == sizeof("application/json") - 1
            && ngx_strncasecmp(p, (u_char *) "application/json", len) == 0)
           || (len > sizeof("+json") - 1
               && ngx_strncasecmp(last - (sizeof("+json") - 1),
                                  (u_char *) "+json", sizeof("+json") - 1)
                  == 0);
}


/* text becomes a string of JSON */

static ngx_int_t
ngx_http_longpoll_publish_text(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub, ngx_str_t *data, ngx_str_t *body)
{
    u_char  *p;

    if (!ngx_http_longpoll_json_utf8(body->data, body->len)) {
        pub->error = ngx_http_longpoll_json_bad_body;
        return NGX_ERROR;
    }

    data->len = ngx_http_longpoll_golongpoll_name_len(body) + 2;
    data->data = ngx_pnalloc(r->pool, data->len);
    if (data->data == NULL) {
        return NGX_ERROR;
    }

    p = data->data;
    *p++ = '"';
    p = ngx_http_longpoll_golongpoll_name(p, body);
    *p = '"';

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_publish_key(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    pub->key = NULL;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == sizeof("Idempotency-Key") - 1
                && ngx_strncasecmp(h[i].key.data,
                                   (u_char *) "Idempotency-Key",
                                   h[i].key.len)
                   == 0)
            {
                pub->key = &h[i].value;
                goto found;
            }
        }
    }

    return NGX_OK;

found:

    if (pub->key->len == 0
        || pub->key->len > NGX_HTTP_LONGPOLL_PUBLISH_KEY)
    {
        pub->error = ngx_http_longpoll_publish_bad_key;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_publish_store(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_publish_t *pub)
{
    uint64_t                  wake;
    ngx_int_t                 rc;
    ngx_uint_t                i;
    ngx_http_longpoll_msg_t   msg, *msgs;

    for (i = 0; i < pub->n; i++) {

        if (ngx_http_longpoll_publish_one_line(r, &pub->items[i].data)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ctx->cats = ngx_palloc(r->pool, pub->n * sizeof(ngx_http_longpoll_cat_t));
    if (ctx->cats == NULL) {
        return NGX_ERROR;
    }

    msgs = &msg;

    if (pub->n > 1) {
        msgs = ngx_palloc(r->pool, pub->n * sizeof(ngx_http_longpoll_msg_t));
        if (msgs == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_http_longpoll_publish_categories(ctx, pub, msgs);

    pub->failed = ctx->zone->sh->failed;

    rc = ngx_http_longpoll_zone_publish(ctx->zone, ctx->cats, msgs, pub->n,
                                        pub->key, ngx_http_longpoll_now(),
                                        &wake);
    switch (rc) {

    case NGX_OK:
    case NGX_AGAIN:
        ctx->nevents = pub->n;
        break;

    case NGX_DONE:

        /* it may be waiting for the disk itself, or just be refused */

        if (ngx_http_longpoll_zone_decided(ctx->zone, msgs[pub->n - 1].id,
                                           pub->failed)
            != NGX_OK)
        {
            rc = NGX_AGAIN;
        }

        break;

    default: /* NGX_DECLINED */
        pub->error = ngx_http_longpoll_publish_too_large;
        pub->status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        return NGX_ERROR;
    }

    ngx_http_longpoll_point("stored");

    if (wake) {
        ngx_http_longpoll_notify_wake(wake);
    }

    ngx_http_longpoll_point("told");

    ctx->result = NGX_HTTP_LONGPOLL_PUBLISHED;
    ctx->last = msgs[pub->n - 1].uuid;
    pub->id = msgs[pub->n - 1].id;

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


/* it is on disk, or it could not be written, and is not there any more */

static void
ngx_http_longpoll_publish_decided(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_longpoll_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_publish_stored(r, ctx);

    } else {
        ctx->result = NGX_HTTP_LONGPOLL_ERROR;
        ctx->nevents = 0;
        ctx->last.high = 0;

        rc = ngx_http_longpoll_publish_refuse(r, ctx,
                                              NGX_HTTP_SERVICE_UNAVAILABLE,
                                          &ngx_http_longpoll_publish_unsaved);
    }

    ngx_http_finalize_request(r, rc);
}


/* each category once, in the order in which they come */

static void
ngx_http_longpoll_publish_categories(ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_publish_t *pub, ngx_http_longpoll_msg_t *msgs)
{
    uint16_t                  buckets[NGX_HTTP_LONGPOLL_PUBLISH_BUCKETS];
    uint16_t                 *bucket;
    ngx_uint_t                i, h;
    ngx_http_longpoll_cat_t  *cat, *known;

    if (pub->n > 1) {
        ngx_memzero(buckets, sizeof(buckets));
    }

    for (i = 0; i < pub->n; i++) {
        cat = &ctx->cats[ctx->ncats];
        cat->name = pub->items[i].category;
        msgs[i].data = pub->items[i].data;
        msgs[i].cat = ctx->ncats;

        ngx_http_longpoll_zone_name(ctx->zone, cat);

        if (pub->n == 1) {
            ctx->ncats = 1;
            return;
        }

        for (h = cat->hash[0]; /* void */ ; h++) {
            bucket = &buckets[h % NGX_HTTP_LONGPOLL_PUBLISH_BUCKETS];

            if (*bucket == 0) {
                *bucket = (uint16_t) ++ctx->ncats;
                break;
            }

            known = &ctx->cats[*bucket - 1];

            if (known->hash[0] == cat->hash[0]
                && known->hash[1] == cat->hash[1])
            {
                msgs[i].cat = *bucket - 1;
                break;
            }
        }
    }
}


/*
 * golongpoll's file has one event on a line, so line ends, which JSON allows
 * between tokens only, become blanks; not in the body, which is also others'.
 */

static ngx_int_t
ngx_http_longpoll_publish_one_line(ngx_http_request_t *r, ngx_str_t *data)
{
    u_char  *p, *last;

    if (memchr(data->data, LF, data->len) == NULL
        && memchr(data->data, CR, data->len) == NULL)
    {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, data->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, data->data, data->len);

    data->data = p;

    for (last = p + data->len; p < last; p++) {

        if (*p == LF || *p == CR) {
            *p = ' ';
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_publish_stored(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx)
{
    ngx_str_t  value;

    value.len = NGX_HTTP_LONGPOLL_ID_LEN;
    value.data = ngx_pnalloc(r->pool, value.len);
    if (value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) ngx_http_longpoll_id_print(value.data, &ctx->last);

    if (ngx_http_longpoll_response_header(r, &ngx_http_longpoll_publish_id_key,
                                          &value)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_longpoll_response_success(r);
}


static ngx_int_t
ngx_http_longpoll_publish_refuse(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_uint_t status, ngx_str_t *error)
{
    ngx_http_longpoll_zone_count(ctx->zone, refused, 1);

    return ngx_http_longpoll_response_error(r, status, error);
}
