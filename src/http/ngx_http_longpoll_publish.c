
/*
 * ngx_http_longpoll_publish.c: publishes, from the body to the answer.
 *
 *   POST ── body ─┬─ JSON: objects of category and data ──────────┐
 *                 └─ the data itself, longpoll_category is set ───┴─▶ messages
 *
 *   messages ── zone: append all or none, mark workers ── notify ── answer
 *
 * The order of calls:
 *
 *   handler      lets nginx read the body
 *   body         runs the steps below, and answers
 *     read       the body in one piece
 *     messages   categories and data of what is published: configured, parse
 *     key        the Idempotency-Key
 *     store      into the zone; wakes workers
 *   saved        answers a publish that waited for the disk
 *
 * A step returns NGX_OK, or NGX_DECLINED if the publish is refused with the
 * error in pub, or NGX_ERROR if there is no memory or the body cannot be read.
 * Only store returns NGX_AGAIN: the answer waits for the disk.
 *
 * A body usually lies in one buffer, and its data is copied only once, into the
 * zone.  A body in several buffers or in a file is put together first.  The
 * publisher does not wait for polls: those of its own worker are answered
 * after it, by a posted event, and other workers are woken by their eventfds.
 */


#include "ngx_http_longpoll_publish.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_id.h"
#include "ngx_http_longpoll_json.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_persist.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_golongpoll.h"
#include "ngx_http_longpoll_zone.h"


#define NGX_HTTP_LONGPOLL_PUBLISH_KEY      64       /* bytes */
#define NGX_HTTP_LONGPOLL_PUBLISH_BUCKETS  2048     /* twice MAX_MESSAGES */


/* what one request publishes */

typedef struct {
    ngx_http_longpoll_cat_t        *cats;
    ngx_uint_t                      ncats;
    ngx_http_longpoll_msg_t        *msgs;
    ngx_uint_t                      n;
    ngx_http_longpoll_msg_t         msg;        /* room for a single message */

    ngx_str_t                      *key;        /* NULL: none */

    /* of a publish that waits for the disk */
    uint64_t                        id;         /* of its last message */
    uint64_t                        failed;     /* sh->disk.failed before it */

    /* of a publish that is refused */
    ngx_uint_t                      status;
    ngx_str_t                       error;
} ngx_http_longpoll_publish_t;


static void ngx_http_longpoll_publish_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_longpoll_publish_read(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_longpoll_publish_copy(ngx_http_request_t *r,
    u_char *p);
static ngx_int_t ngx_http_longpoll_publish_messages(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub, ngx_str_t *body);
static ngx_int_t ngx_http_longpoll_publish_configured(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub, ngx_str_t *body);
static ngx_uint_t ngx_http_longpoll_publish_is_json(ngx_http_request_t *r);
static ngx_int_t ngx_http_longpoll_publish_text(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub, ngx_str_t *data, ngx_str_t *body);
static ngx_int_t ngx_http_longpoll_publish_parse(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub, ngx_str_t *body);
static ngx_int_t ngx_http_longpoll_publish_room(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub);
static void ngx_http_longpoll_publish_categories(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_publish_t *pub, ngx_http_longpoll_item_t *items);
static ngx_int_t ngx_http_longpoll_publish_one_line(ngx_http_request_t *r,
    ngx_str_t *data);
static ngx_int_t ngx_http_longpoll_publish_key(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub);
static ngx_int_t ngx_http_longpoll_publish_store(ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_publish_t *pub);
static void ngx_http_longpoll_publish_saved_handler(ngx_http_request_t *r,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_publish_success(ngx_http_request_t *r,
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

        /* after "proxy_request_buffering off" only a part of it is left */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "longpoll: the request body was passed on unbuffered, "
                      "and cannot be published any more");

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r,
                                       ngx_http_longpoll_publish_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_longpoll_publish_body_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_str_t                     body;
    ngx_http_longpoll_ctx_t      *ctx;
    ngx_http_longpoll_publish_t   pub;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    rc = ngx_http_longpoll_publish_read(r, &body);

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_publish_messages(r, &pub, &body);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_publish_key(r, &pub);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_publish_store(ctx, &pub);
    }

    switch (rc) {

    case NGX_OK:
        rc = ngx_http_longpoll_publish_success(r, ctx);
        break;

    case NGX_AGAIN:
        rc = ngx_http_longpoll_persist_wait(r, ctx->zone, pub.id, pub.failed,
                                      ngx_http_longpoll_publish_saved_handler);
        if (rc == NGX_DONE) {
            return;
        }

        break;

    case NGX_DECLINED:
        rc = ngx_http_longpoll_publish_refuse(r, ctx, pub.status, &pub.error);
        break;

    default: /* NGX_ERROR */
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(r, rc);
}


/* body: where nginx has it, or a copy if that is not one piece in memory */

static ngx_int_t
ngx_http_longpoll_publish_read(ngx_http_request_t *r, ngx_str_t *body)
{
    off_t         len;
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

    body->data = b->pos;
    body->len = (size_t) len;

    if (!b->in_file && ngx_buf_size(b) == len) {
        return NGX_OK;
    }

    body->data = ngx_pnalloc(r->pool, body->len);
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_longpoll_publish_copy(r, body->data);
}


static ngx_int_t
ngx_http_longpoll_publish_copy(ngx_http_request_t *r, u_char *p)
{
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        /* a special buffer is neither in memory nor in a file, and empty */

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


static ngx_int_t
ngx_http_longpoll_publish_messages(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub, ngx_str_t *body)
{
    ngx_int_t                      rc;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    pub->status = NGX_HTTP_BAD_REQUEST;
    ngx_str_null(&pub->error);

    rc = llcf->category ? ngx_http_longpoll_publish_configured(r, pub, body)
                        : ngx_http_longpoll_publish_parse(r, pub, body);

    /* the functions of json return NGX_ERROR for both */

    return (rc == NGX_ERROR && pub->error.len) ? NGX_DECLINED : rc;
}


/* the body is the data of one message for each configured category */

static ngx_int_t
ngx_http_longpoll_publish_configured(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub, ngx_str_t *body)
{
    ngx_int_t                 rc;
    ngx_str_t                 data;
    ngx_uint_t                i;
    ngx_http_longpoll_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    rc = ngx_http_longpoll_category_read(r, ctx->zone, &pub->cats, &pub->ncats,
                                         &pub->error);
    if (rc != NGX_OK) {

        if (rc == NGX_DECLINED) {
            pub->error = ngx_http_longpoll_json_bad_category;
        }

        return rc == NGX_ABORT ? NGX_DECLINED : rc;
    }

    if (ngx_http_longpoll_publish_is_json(r)) {
        rc = ngx_http_longpoll_json_data(&data, body->data, body->len, r->pool,
                                         &pub->error);
        if (rc == NGX_OK) {
            rc = ngx_http_longpoll_publish_one_line(r, &data);
        }

    } else {
        rc = ngx_http_longpoll_publish_text(r, pub, &data, body);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    pub->n = pub->ncats;

    if (ngx_http_longpoll_publish_room(r, pub) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < pub->n; i++) {
        pub->msgs[i].cat = i;
        pub->msgs[i].data = data;
    }

    return NGX_OK;
}


/*
 * Whether the body is JSON: as "format" says, otherwise if the Content-Type is
 * application/json or ends in +json.
 */

static ngx_uint_t
ngx_http_longpoll_publish_is_json(ngx_http_request_t *r)
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


/* data: the text as a JSON string */

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


/* the body is an object of category and data, or an array of them */

static ngx_int_t
ngx_http_longpoll_publish_parse(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub, ngx_str_t *body)
{
    ngx_uint_t                 i;
    ngx_http_longpoll_ctx_t   *ctx;
    ngx_http_longpoll_item_t   item, *items;

    if (ngx_http_longpoll_json_parse(&items, &pub->n, &item, body->data,
                                     body->len, r->pool, &pub->error)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    pub->cats = ngx_palloc(r->pool, pub->n * sizeof(ngx_http_longpoll_cat_t));

    if (pub->cats == NULL || ngx_http_longpoll_publish_room(r, pub) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < pub->n; i++) {
        pub->msgs[i].data = items[i].data;

        if (ngx_http_longpoll_publish_one_line(r, &pub->msgs[i].data)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    ngx_http_longpoll_publish_categories(ctx->zone, pub, items);

    return NGX_OK;
}


/* pub->msgs for pub->n messages */

static ngx_int_t
ngx_http_longpoll_publish_room(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub)
{
    pub->msgs = &pub->msg;

    if (pub->n > 1) {
        pub->msgs = ngx_palloc(r->pool,
                               pub->n * sizeof(ngx_http_longpoll_msg_t));
        if (pub->msgs == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * The categories of the items, each once, in their order, and which of them
 * each message has.  A batch finds a category that it has already by a table of
 * hashes.
 */

static void
ngx_http_longpoll_publish_categories(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_publish_t *pub, ngx_http_longpoll_item_t *items)
{
    uint16_t                  buckets[NGX_HTTP_LONGPOLL_PUBLISH_BUCKETS];
    uint16_t                 *bucket;   /* 1 more than an index, 0: empty */
    ngx_uint_t                i, h;
    ngx_http_longpoll_cat_t  *cat, *known;

    if (pub->n == 1) {
        pub->cats->name = items->category;
        pub->msgs->cat = 0;
        pub->ncats = 1;

        ngx_http_longpoll_zone_name(z, pub->cats);

        return;
    }

    pub->ncats = 0;
    ngx_memzero(buckets, sizeof(buckets));

    for (i = 0; i < pub->n; i++) {
        cat = &pub->cats[pub->ncats];
        cat->name = items[i].category;
        pub->msgs[i].cat = pub->ncats;

        ngx_http_longpoll_zone_name(z, cat);

        for (h = cat->hash[0]; /* void */ ; h++) {
            bucket = &buckets[h % NGX_HTTP_LONGPOLL_PUBLISH_BUCKETS];

            if (*bucket == 0) {
                *bucket = (uint16_t) ++pub->ncats;
                break;
            }

            known = &pub->cats[*bucket - 1];

            if (known->hash[0] == cat->hash[0]
                && known->hash[1] == cat->hash[1])
            {
                pub->msgs[i].cat = *bucket - 1;
                break;
            }
        }
    }
}


/*
 * A zone's file has one event on a line, as golongpoll's has.  So line ends
 * become blanks; JSON allows them between tokens only.  The change is made in a
 * copy, since other modules may read the body, too.
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
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_publish_store(ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_publish_t *pub)
{
    uint64_t                  wake;
    ngx_int_t                 rc;
    ngx_http_longpoll_msg_t  *last;

    ctx->cats = pub->cats;
    ctx->ncats = pub->ncats;

    pub->failed = ctx->zone->sh->disk.failed;

    rc = ngx_http_longpoll_zone_publish(ctx->zone, pub->cats, pub->msgs,
                                        pub->n, pub->key,
                                        ngx_http_longpoll_now(), &wake);
    last = &pub->msgs[pub->n - 1];

    switch (rc) {

    case NGX_OK:
    case NGX_AGAIN:
        ctx->nevents = pub->n;
        break;

    case NGX_DONE:

        /* the earlier publish of this key may still wait for the disk */

        rc = ngx_http_longpoll_zone_decided(ctx->zone, last->id, pub->failed);

        if (rc != NGX_OK) {
            rc = NGX_AGAIN;
        }

        break;

    default: /* NGX_DECLINED */
        pub->error = ngx_http_longpoll_publish_too_large;
        pub->status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        return NGX_DECLINED;
    }

    ngx_http_longpoll_point("stored");

    if (wake) {
        ngx_http_longpoll_notify_wake(wake);
    }

    ngx_http_longpoll_point("told");

    ctx->result = NGX_HTTP_LONGPOLL_PUBLISHED;
    ctx->last = last->uuid;
    pub->id = last->id;

    return rc;
}


/*
 * NGX_OK: the events are on disk.  NGX_ERROR: they could not be written, and
 * the zone has deleted them.
 */

static void
ngx_http_longpoll_publish_saved_handler(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_longpoll_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_publish_success(r, ctx);

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


static ngx_int_t
ngx_http_longpoll_publish_success(ngx_http_request_t *r,
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
