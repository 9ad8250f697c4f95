
/*
 * ngx_http_longpoll_publish.c: publishes, from the request to the answer.
 *
 *   handler       lets nginx read the body
 *   body_handler  body -> messages; then allowed, key, store, and the answer
 *     key         finds the Idempotency-Key
 *     store       puts all messages into the zone, or none, and wakes workers
 *     relay       the same for a zone over Redis: sends them there
 *   saved         answers a publish that waited for the disk
 *   relayed       answers a publish that waited for Redis
 *
 * Each of these functions returns NGX_OK; NGX_DECLINED: the publish is refused
 * with the error in pub; NGX_ERROR: nginx answers 500.  Only store returns
 * NGX_AGAIN: the answer waits for the disk.  Only relay returns NGX_DONE: the
 * answer waits for Redis.
 *
 * The publisher does not wait for polls.  A posted event answers those of its
 * own worker after it, and other workers are woken by their eventfds.
 */


#include "ngx_http_longpoll_publish.h"
#include "ngx_http_longpoll_body.h"
#include "ngx_http_longpoll_id.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_relay.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_writer.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_publish.h"
#include "ngx_http_longpoll_zone_disk.h"
#include "ngx_http_longpoll_zone_epoch.h"


#define NGX_HTTP_LONGPOLL_PUBLISH_KEY  64       /* bytes */


typedef struct {
    ngx_http_longpoll_batch_t       batch;
    ngx_str_t                      *key;        /* NULL: none */

    /* of a publish that waits for the disk */
    uint64_t                        id;         /* of its last message */
    uint64_t                        failed;     /* writes, before it */

    /* of a publish that is refused */
    ngx_uint_t                      status;
    ngx_str_t                       error;
} ngx_http_longpoll_publish_t;


static void ngx_http_longpoll_publish_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_longpoll_publish_allowed(
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_publish_t *pub);
static ngx_int_t ngx_http_longpoll_publish_key(ngx_http_request_t *r,
    ngx_http_longpoll_publish_t *pub);
static ngx_int_t ngx_http_longpoll_publish_store(ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_publish_t *pub);
static ngx_int_t ngx_http_longpoll_publish_relay(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_publish_t *pub);
static void ngx_http_longpoll_publish_relayed(
    ngx_http_longpoll_publisher_t *publisher, ngx_int_t rc);
static void ngx_http_longpoll_publish_saved_handler(
    ngx_http_longpoll_publisher_t *publisher, ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_publish_success(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx);
static ngx_int_t ngx_http_longpoll_publish_refuse(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_uint_t status, ngx_str_t *error);


static ngx_str_t  ngx_http_longpoll_publish_too_large =
    ngx_string("Event too large, must need at most a quarter of the zone.");

static ngx_str_t  ngx_http_longpoll_publish_unsaved =
    ngx_string("Event could not be written to disk.");

static ngx_str_t  ngx_http_longpoll_publish_replaced =
    ngx_string("The zone is being replaced, try again.");

static ngx_str_t  ngx_http_longpoll_publish_reserved =
    ngx_string("The category is reserved for presence.");

static ngx_str_t  ngx_http_longpoll_publish_kept =
    ngx_string("Event too large, must need at most a quarter of what Redis "
               "keeps.");

static ngx_str_t  ngx_http_longpoll_publish_untaken_error =
    ngx_string("Redis takes no events now.");

static ngx_str_t  ngx_http_longpoll_publish_unknown_error =
    ngx_string("No answer from Redis, the event may be stored.");

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
    ngx_http_longpoll_ctx_t      *ctx;
    ngx_http_longpoll_publish_t   pub;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    pub.status = NGX_HTTP_BAD_REQUEST;

    rc = ngx_http_longpoll_body_batch(r, ctx->zone, &pub.batch, &pub.error);

    if (rc == NGX_OK && ctx->zone->presence.len) {
        rc = ngx_http_longpoll_publish_allowed(ctx, &pub);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_publish_key(r, &pub);
    }

    if (rc == NGX_OK) {
        rc = ctx->zone->cluster
             ? ngx_http_longpoll_publish_relay(r, ctx, &pub)
             : ngx_http_longpoll_publish_store(ctx, &pub);
    }

    switch (rc) {

    case NGX_OK:
        rc = ngx_http_longpoll_publish_success(r, ctx);
        break;

    case NGX_AGAIN:
        rc = ngx_http_longpoll_writer_wait(ctx->zone, r, pub.id, pub.failed,
                                      ngx_http_longpoll_publish_saved_handler);
        if (rc == NGX_DONE) {
            return;
        }

        break;

    case NGX_DONE:
        return;

    case NGX_DECLINED:
        rc = ngx_http_longpoll_publish_refuse(r, ctx, pub.status, &pub.error);
        break;

    case NGX_ABORT:
        rc = ngx_http_longpoll_publish_untaken(r, ctx, NGX_DECLINED);
        break;

    default: /* NGX_ERROR */
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(r, rc);
}


/* only the zone itself tells who is there */

static ngx_int_t
ngx_http_longpoll_publish_allowed(ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_publish_t *pub)
{
    ngx_uint_t  i;

    for (i = 0; i < pub->batch.ncats; i++) {

        if (ngx_http_longpoll_zone_is_presence(ctx->zone,
                                               pub->batch.cats[i].hash))
        {
            pub->error = ngx_http_longpoll_publish_reserved;
            return NGX_DECLINED;
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
    uint64_t                    wake;
    ngx_int_t                   rc;
    ngx_http_longpoll_msg_t    *last;
    ngx_http_longpoll_batch_t  *batch;

    batch = &pub->batch;
    last = &batch->msgs[batch->nmsgs - 1];

    ctx->cats = batch->cats;
    ctx->ncats = batch->ncats;

    pub->failed = ngx_http_longpoll_zone_failed(ctx->zone);

    rc = ngx_http_longpoll_zone_publish(ctx->zone, batch->cats, batch->msgs,
                                        batch->nmsgs, pub->key,
                                        ngx_http_longpoll_zone_clock_now(
                                                                   ctx->zone),
                                        &wake);

    switch (rc) {

    case NGX_OK:
    case NGX_AGAIN:
        ctx->nevents = batch->nmsgs;
        break;

    case NGX_DONE:

        /* the earlier publish of this key may still wait for the disk */

        rc = ngx_http_longpoll_zone_disk_decided(ctx->zone, last->id,
                                                 pub->failed);

        if (rc != NGX_OK) {
            rc = NGX_AGAIN;
        }

        break;

    case NGX_ABORT:
        pub->error = ngx_http_longpoll_publish_unsaved;
        pub->status = NGX_HTTP_SERVICE_UNAVAILABLE;
        return NGX_DECLINED;

    case NGX_ERROR:
        pub->error = ngx_http_longpoll_publish_replaced;
        pub->status = NGX_HTTP_SERVICE_UNAVAILABLE;
        return NGX_DECLINED;

    default: /* NGX_DECLINED */
        pub->error = ngx_http_longpoll_publish_too_large;
        pub->status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        return NGX_DECLINED;
    }

    ngx_http_longpoll_point("stored");

    if (wake) {
        ngx_http_longpoll_notify_wake(wake);
    }

    ngx_http_longpoll_point("wakeup");

    ctx->result = NGX_HTTP_LONGPOLL_PUBLISHED;
    ctx->last = last->uuid;
    pub->id = last->id;

    return rc;
}


/*
 * NGX_DONE: the request waits; NGX_OK: the zone has an earlier publish of this
 * key; NGX_ABORT: Redis takes nothing now
 */

static ngx_int_t
ngx_http_longpoll_publish_relay(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_publish_t *pub)
{
    size_t                      size;
    u_char                      hash[NGX_HTTP_LONGPOLL_ENTRY_KEY_LEN];
    ngx_int_t                   rc;
    ngx_str_t                   key;
    ngx_uint_t                  i;
    ngx_http_longpoll_batch_t  *batch;

    batch = &pub->batch;

    ctx->cats = batch->cats;
    ctx->ncats = batch->ncats;

    /* the zone has keys as the entries of the stream have them */

    key.data = hash;
    key.len = sizeof(hash);

    if (pub->key) {
        (void) ngx_http_longpoll_entry_key(hash, &batch->cats->name, pub->key);
    }

    size = 0;

    for (i = 0; i < batch->nmsgs; i++) {
        size += batch->cats[batch->msgs[i].cat].name.len
                + batch->msgs[i].data.len;
    }

    rc = ngx_http_longpoll_zone_publish_check(ctx->zone, batch->cats,
                                              batch->msgs, batch->nmsgs,
                                              pub->key ? &key : NULL,
                                              ngx_http_longpoll_zone_clock_now(
                                                                  ctx->zone));

    if (rc == NGX_DECLINED || size > ctx->zone->cluster->keep / 4) {
        pub->error = rc == NGX_DECLINED ? ngx_http_longpoll_publish_too_large
                                        : ngx_http_longpoll_publish_kept;
        pub->status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        return NGX_DECLINED;
    }

    if (rc == NGX_DONE) {
        ctx->result = NGX_HTTP_LONGPOLL_PUBLISHED;
        ctx->last = batch->msgs[batch->nmsgs - 1].uuid;
        return NGX_OK;
    }

    if (rc == NGX_ERROR) {
        pub->error = ngx_http_longpoll_publish_replaced;
        pub->status = NGX_HTTP_SERVICE_UNAVAILABLE;
        return NGX_DECLINED;
    }

    ctx->nevents = batch->nmsgs;

    rc = ngx_http_longpoll_relay_publish(ctx->zone, r, batch->cats, batch->msgs,
                                      batch->nmsgs, pub->key,
                                      ngx_http_longpoll_publish_relayed);

    return rc == NGX_DECLINED ? NGX_ABORT : rc;
}


static void
ngx_http_longpoll_publish_relayed(ngx_http_longpoll_publisher_t *publisher,
    ngx_int_t rc)
{
    ngx_http_request_t       *r;
    ngx_http_longpoll_ctx_t  *ctx;

    r = publisher->request;
    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    if (rc == NGX_OK || rc == NGX_DONE) {

        if (rc == NGX_DONE) {
            ctx->nevents = 0;
        }

        ctx->result = NGX_HTTP_LONGPOLL_PUBLISHED;

        if (publisher->epoch) {
            ngx_http_longpoll_id_uuid(&ctx->last, publisher->id,
                                      publisher->epoch);
        } else {
            ngx_http_longpoll_zone_epoch_uuid(ctx->zone, publisher->id,
                                              &ctx->last);
        }

        rc = ngx_http_longpoll_publish_success(r, ctx);

    } else {
        rc = ngx_http_longpoll_publish_untaken(r, ctx, rc);
    }

    ngx_http_finalize_request(r, rc);
}


ngx_int_t
ngx_http_longpoll_publish_untaken(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_int_t rc)
{
    static ngx_str_t  after = ngx_string("Retry-After");
    static ngx_str_t  second = ngx_string("1");

    ctx->nevents = 0;

    if (ngx_http_longpoll_response_add_header(r, &after, &second) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_longpoll_publish_refuse(r, ctx,
                                   NGX_HTTP_SERVICE_UNAVAILABLE,
                                   rc == NGX_DECLINED
                                   ? &ngx_http_longpoll_publish_untaken_error
                                   : &ngx_http_longpoll_publish_unknown_error);
}


/*
 * NGX_OK: the events are on disk.  NGX_ERROR: they could not be written, and
 * the zone has deleted them.
 */

static void
ngx_http_longpoll_publish_saved_handler(
    ngx_http_longpoll_publisher_t *publisher, ngx_int_t rc)
{
    ngx_http_request_t       *r;
    ngx_http_longpoll_ctx_t  *ctx;

    r = publisher->request;
    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_publish_success(r, ctx);

    } else {
        ctx->result = NGX_HTTP_LONGPOLL_ERROR;
        ctx->nevents = 0;
        ctx->last.high = 0;

        rc = ngx_http_longpoll_publish_refuse(r, ctx,
                                  NGX_HTTP_SERVICE_UNAVAILABLE,
                                  ngx_http_longpoll_zone_is_frozen(ctx->zone)
                                  ? &ngx_http_longpoll_publish_replaced
                                  : &ngx_http_longpoll_publish_unsaved);
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

    if (ngx_http_longpoll_response_add_header(r,
                                              &ngx_http_longpoll_publish_id_key,
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

    /* on another connection a worker with the new zone may answer */

    if (ngx_http_longpoll_zone_is_frozen(ctx->zone)) {
        r->keepalive = 0;
    }

    return ngx_http_longpoll_response_error(r, status, error);
}
