
/*
 * ngx_http_longpoll_subscribe.c: polls, from the request to the answer.
 *
 *   GET ── query ── cursor ── zone: read, or register ──┬─ messages ─▶ answer
 *                                                       └─ none: park
 *
 *   notify: look ── zone: dirty categories ── wait: wake ─┐
 *   timer ─────────────────────────────────────────────────┼─▶ leave, answer
 *   client gone, worker leaving ───────────────────────────┘
 *
 * This is where zone, wait and notify meet; none of them knows the others.
 *
 * A woken category is read and encoded once: all its waiters with the same
 * messages before them send the same bytes.  A waiter's cursor lies behind
 * everything that was there when it parked, so what was built for one serves
 * every other whose cursor is not older and lies before the first message.
 *
 * A poll of gpoll's (ctx->client) goes the same ways.  What it asks and what it
 * is answered are gpoll's (ngx_http_longpoll_gpoll.h), its cursor is in the
 * zone, so each is read for itself, and besides its categories it waits on its
 * client: the zone knows in which workers a client has polls, as it knows it of
 * a category.
 *
 * A parked request holds nothing but its memory; nginx's own
 * ngx_http_test_reading watches for the client to go, but for STOP_SENDING.
 */


#include "ngx_http_longpoll_subscribe.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_gpoll.h"
#include "ngx_http_longpoll_interest.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_persist.h"
#include "ngx_http_longpoll_query.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_worker.h"
#include "ngx_http_longpoll_golongpoll.h"
#include "ngx_http_longpoll_zone.h"
#include "ngx_http_longpoll_zone_read.h"
#include "ngx_http_longpoll_zone_save.h"


/*
 * A time-out is answered between 100 and 50 ms early; the margin inside is for
 * the turn of the event loop.
 */

#define NGX_HTTP_LONGPOLL_SUBSCRIBE_EARLY   95
#define NGX_HTTP_LONGPOLL_SUBSCRIBE_LANES   4
#define NGX_HTTP_LONGPOLL_SUBSCRIBE_LANE    9       /* ms between two */



/* what a poll is, beyond being a waiter */

typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_http_longpoll_ctx_t         *ctx;
    ngx_http_longpoll_cursor_t       cursor;
    size_t                           limit;

    ngx_http_longpoll_waiter_t       waiter;    /* grows with its links */
} ngx_http_longpoll_poll_t;


/* the last answer that was built for a woken category */

typedef struct {
    ngx_http_longpoll_shared_t      *bytes;     /* NULL: none */
    ngx_http_longpoll_zone_t        *zone;
    uint64_t                         hash[2];
    uint64_t                         from;      /* cursor it was built for */
    uint64_t                         first;     /* id of the first */
    ngx_http_longpoll_uuid_t         last;      /* of the last */
    ngx_uint_t                       nmsgs;
    size_t                           limit;
    uint64_t                         expires;   /* ms, 0: never */
} ngx_http_longpoll_answer_t;


/* arrays for one read of a poll's categories */

typedef struct {
    ngx_http_longpoll_read_t         rd;
    size_t                           costs[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    uint32_t                         slots[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
} ngx_http_longpoll_subscribe_read_t;


static ngx_int_t ngx_http_longpoll_subscribe_query(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_uint_t *timeout);
static ngx_int_t ngx_http_longpoll_subscribe_ask(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_query_t *q);
static void ngx_http_longpoll_subscribe_cursor(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_query_t *q, ngx_http_longpoll_cursor_t *cursor);
static ngx_int_t ngx_http_longpoll_subscribe_now(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor);
static ngx_int_t ngx_http_longpoll_subscribe_park(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_msec_t msec);
static void ngx_http_longpoll_subscribe_test_writing(ngx_http_request_t *r);
static void ngx_http_longpoll_subscribe_expire(ngx_http_longpoll_waiter_t *w);
static void ngx_http_longpoll_subscribe_cleanup(void *data);
static void ngx_http_longpoll_subscribe_leave(ngx_http_longpoll_poll_t *poll);

static ngx_int_t ngx_http_longpoll_subscribe_read(
    ngx_http_longpoll_subscribe_read_t *sr, ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    size_t limit, ngx_http_longpoll_read_e mode,
    ngx_http_longpoll_shared_t **bytes);
static ngx_int_t ngx_http_longpoll_subscribe_events(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_shared_t *bytes,
    ngx_uint_t nmsgs, ngx_http_longpoll_uuid_t *last);
static ngx_int_t ngx_http_longpoll_subscribe_nothing(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_read_t *rd,
    ngx_uint_t closing);
static ngx_int_t ngx_http_longpoll_subscribe_unknown(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_read_t *rd);
static void ngx_http_longpoll_subscribe_end(ngx_http_longpoll_poll_t *poll,
    ngx_uint_t closing);

static void ngx_http_longpoll_subscribe_wake(ngx_http_longpoll_waiter_t *w);
static void ngx_http_longpoll_subscribe_wake_client(
    ngx_http_longpoll_poll_t *poll);
static ngx_uint_t ngx_http_longpoll_subscribe_serves(
    ngx_http_longpoll_answer_t *answer, ngx_http_longpoll_poll_t *poll);
static void ngx_http_longpoll_subscribe_keep(
    ngx_http_longpoll_answer_t *answer, ngx_http_longpoll_poll_t *poll,
    ngx_http_longpoll_read_t *rd, ngx_http_longpoll_shared_t *bytes);

static void ngx_http_longpoll_subscribe_woken(void);
static ngx_http_longpoll_worker_sh_t *ngx_http_longpoll_subscribe_worker(
    ngx_http_longpoll_zone_t *z);


static ngx_http_longpoll_worker_handlers_t
    ngx_http_longpoll_subscribe_handlers =
{
    ngx_http_longpoll_subscribe_wake,
    ngx_http_longpoll_subscribe_expire,
    ngx_http_longpoll_subscribe_woken,
    ngx_http_longpoll_persist_wake,
    ngx_http_longpoll_persist_closing
};


static ngx_str_t  ngx_http_longpoll_subscribe_late =
    ngx_string("The body of a poll must come with it.");

static ngx_http_longpoll_answer_t   ngx_http_longpoll_subscribe_answer;

/* the last query, in the location that it was asked */
static ngx_http_longpoll_query_cache_t  ngx_http_longpoll_subscribe_cache;

static ngx_uint_t                   ngx_http_longpoll_subscribe_lane;


#define ngx_http_longpoll_subscribe_of(w)                                     \
    ((ngx_http_longpoll_poll_t *)                                             \
     ((u_char *) (w) - offsetof(ngx_http_longpoll_poll_t, waiter)))


ngx_int_t
ngx_http_longpoll_subscribe_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_array_t                    *zones;
    ngx_http_longpoll_zone_t      **z;
    ngx_http_longpoll_reference_t  *references;
    ngx_http_longpoll_main_conf_t  *lmcf;

    lmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_longpoll_module);
    references = lmcf->references.elts;

    zones = ngx_array_create(cycle->pool, lmcf->references.nelts,
                             sizeof(ngx_http_longpoll_zone_t *));
    if (zones == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < lmcf->references.nelts; i++) {
        z = ngx_array_push(zones);      /* has room */
        *z = references[i].zone;
    }

    return ngx_http_longpoll_worker_init_process(cycle, zones, lmcf->drain,
                                       &ngx_http_longpoll_subscribe_handlers);
}


/*
 * a new poll
 */


ngx_int_t
ngx_http_longpoll_subscribe_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_uint_t                     timeout;
    ngx_msec_t                     msec;
    ngx_http_longpoll_ctx_t       *ctx;
    ngx_http_longpoll_cursor_t     cursor;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_longpoll_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->result = NGX_HTTP_LONGPOLL_ERROR;
    ctx->zone = llcf->subscribe;

    if (r->discard_body || r->reading_body) {

        /* it is still on its way, and hides when the client goes */

        r->keepalive = 0;

        if (llcf->gpoll) {
            return ngx_http_longpoll_response_plain(r, NGX_HTTP_BAD_REQUEST,
                                            &ngx_http_longpoll_subscribe_late);
        }

        return ngx_http_longpoll_response_error(r, NGX_HTTP_BAD_REQUEST,
                                            &ngx_http_longpoll_subscribe_late);
    }

    if (llcf->gpoll) {
        ngx_memzero(&cursor, sizeof(ngx_http_longpoll_cursor_t));
        msec = llcf->max_timeout;

        rc = ngx_http_longpoll_gpoll_query(r, ctx);

    } else {
        rc = ngx_http_longpoll_subscribe_query(r, ctx, &cursor, &timeout);
        msec = timeout * 1000;
    }

    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    if (r->method == NGX_HTTP_HEAD) {
        ctx->result = NGX_HTTP_LONGPOLL_NONE;
        return ngx_http_longpoll_response_head(r);
    }

    if (r != r->main || ngx_exiting) {
        return ngx_http_longpoll_subscribe_now(r, ctx, &cursor);
    }

    return ngx_http_longpoll_subscribe_park(r, ctx, &cursor, msec);
}


/* NGX_OK, NGX_DONE when an error was answered, or what to finalize with */

static ngx_int_t
ngx_http_longpoll_subscribe_query(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_uint_t *timeout)
{
    ngx_int_t                  rc;
    ngx_http_longpoll_cat_t    cats[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    ngx_http_longpoll_query_t  q;

    q.cats = cats;

    rc = ngx_http_longpoll_subscribe_ask(r, ctx->zone, &q);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx->ncats = q.ncats;
    ctx->cats = ngx_palloc(r->pool, q.ncats * sizeof(ngx_http_longpoll_cat_t));
    if (ctx->cats == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(ctx->cats, cats, q.ncats * sizeof(ngx_http_longpoll_cat_t));

    ngx_http_longpoll_subscribe_cursor(ctx->zone, &q, cursor);

    *timeout = q.timeout;

    return NGX_OK;
}


/* reads the query, and the names of its categories; returns as above */

static ngx_int_t
ngx_http_longpoll_subscribe_ask(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_query_t *q)
{
    u_char                        *buf;
    ngx_int_t                      rc;
    ngx_str_t                      error;
    ngx_uint_t                     i, own;
    ngx_http_longpoll_configured_t      given;
    ngx_http_longpoll_loc_conf_t  *llcf;
    u_char                         text[NGX_HTTP_LONGPOLL_QUERY_ERROR];

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    rc = ngx_http_longpoll_category_configured(r, &given);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    own = (rc == NGX_DECLINED);

    if (own && ngx_http_longpoll_query_cached(&ngx_http_longpoll_subscribe_cache,
                                             llcf, &r->args, q))
    {
        return NGX_OK;
    }

    buf = NULL;

    /* only what is escaped takes memory */

    if (ngx_http_longpoll_query_escaped(&r->args)) {
        buf = ngx_pnalloc(r->pool, r->args.len);
        if (buf == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_http_longpoll_query_parse(q, &r->args, buf, own ? NULL : &given,
                                      llcf->max_timeout / 1000, text, &error)
        != NGX_OK)
    {
        rc = ngx_http_longpoll_response_error(r, llcf->error_status, &error);

        return rc == NGX_OK ? NGX_DONE : rc;
    }

    for (i = 0; i < q->ncats; i++) {
        ngx_http_longpoll_zone_name(z, &q->cats[i]);
    }

    if (own) {
        ngx_http_longpoll_query_cache(&ngx_http_longpoll_subscribe_cache, llcf,
                                     &r->args, q);
    }

    return NGX_OK;
}


/* docs/protocol.md, The cursor and Missed */

static void
ngx_http_longpoll_subscribe_cursor(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_query_t *q, ngx_http_longpoll_cursor_t *cursor)
{
    uint64_t    since;
    ngx_uint_t  own, exact;

    ngx_memzero(cursor, sizeof(ngx_http_longpoll_cursor_t));
    cursor->fresh = 1;

    /* the ids of some earlier lives are places, too */

    own = q->own_id && ngx_http_longpoll_zone_knows_epoch(z, q->epoch);

    cursor->lost = q->own_id && q->epoch != z->sh->epoch
                   && ngx_http_longpoll_zone_lost(z,
                                           ngx_http_longpoll_id_ms(q->id), 1);

    if (!q->has_since) {

        if (!q->own_id) {
            cursor->now = 1;

        } else if (own) {
            cursor->id = q->id;
            cursor->exact = 1;

        } else {
            cursor->id = ngx_http_longpoll_id_last_of(
                                               ngx_http_longpoll_id_ms(q->id));
        }

        cursor->since = ngx_http_longpoll_id_ms(cursor->id);

        return;
    }

    since = q->since_time < 0 ? 0 : (uint64_t) q->since_time;
    cursor->since = since;

    exact = (own && ngx_http_longpoll_id_ms(q->id) == since);

    /*
     * Clients keep their last_id while time-out answers move their since_time
     * on: then it is that which says what they have seen.
     */

    if (q->own_id && since > ngx_http_longpoll_id_ms(q->id)) {
        cursor->lost = 0;
    }

    if (since < NGX_HTTP_LONGPOLL_REAL_DATE) {
        cursor->beginning = 1;

    } else if (!(exact && q->epoch == z->sh->epoch)
               && ngx_http_longpoll_zone_lost(z, since, 0))
    {
        cursor->lost = 1;
    }

    if (since >> 47) {
        cursor->now = 1;

    } else if (exact) {
        cursor->id = q->id;
        cursor->exact = 1;

    } else if (q->has_id) {

        /* all of that ms, or what stands behind that very one */

        cursor->id = since ? ngx_http_longpoll_id(since, 0) - 1 : 0;
        cursor->uuid = q->uuid;
        cursor->named = 1;

    } else if (q->since_time >= 0) {
        cursor->id = ngx_http_longpoll_id_last_of(since);
    }
}


/* answers with what is there */

static ngx_int_t
ngx_http_longpoll_subscribe_now(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor)
{
    ngx_int_t                            rc;
    ngx_http_longpoll_shared_t          *bytes;
    ngx_http_longpoll_loc_conf_t        *llcf;
    ngx_http_longpoll_subscribe_read_t   sr;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    rc = ngx_http_longpoll_subscribe_read(&sr, ctx->zone, ctx, cursor,
                                          llcf->max_response_size,
                                          r == r->main
                                          ? NGX_HTTP_LONGPOLL_READ_LAST
                                          : NGX_HTTP_LONGPOLL_READ_PEEK,
                                          &bytes);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_AGAIN) {
        return ngx_http_longpoll_subscribe_nothing(r, ctx, &sr.rd,
                                                   r == r->main);
    }

    if (rc == NGX_DONE) {
        return ngx_http_longpoll_subscribe_unknown(r, ctx, &sr.rd);
    }

    rc = ngx_http_longpoll_subscribe_events(r, ctx, bytes, sr.rd.nmsgs,
                                    &sr.rd.msgs[sr.rd.nmsgs - 1].uuid);
    ngx_http_longpoll_response_unshare(bytes);

    return rc;
}


/*
 * Reads, or parks: one lock hold decides.  Most polls of a fan-out that come
 * back need none: nothing has happened since, and others wait here already.
 */

static ngx_int_t
ngx_http_longpoll_subscribe_park(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_msec_t msec)
{
    size_t                               size;
    ngx_int_t                            rc;
    ngx_uint_t                           n;
    ngx_http_cleanup_t                  *cln;
    ngx_http_longpoll_poll_t            *poll;
    ngx_http_longpoll_zone_t            *z;
    ngx_http_longpoll_shared_t          *bytes;
    ngx_http_longpoll_loc_conf_t        *llcf;
    ngx_http_longpoll_wait_cat_t        *cat;
    ngx_http_longpoll_worker_sh_t       *worker;
    ngx_http_longpoll_subscribe_read_t   sr;

    z = ctx->zone;
    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    cat = ngx_http_longpoll_wait_find(z->data, ctx->cats->hash);

    if (ctx->ncats == 1 && cat && !cat->slotless && ctx->client == NULL
        && ngx_http_longpoll_zone_newest(z, cursor))
    {
        sr.slots[0] = cat->slot;
        rc = NGX_AGAIN;

    } else {
        rc = ngx_http_longpoll_subscribe_read(&sr, z, ctx, cursor,
                                              llcf->max_response_size,
                                              NGX_HTTP_LONGPOLL_READ_PARK,
                                              &bytes);
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_subscribe_events(r, ctx, bytes, sr.rd.nmsgs,
                                        &sr.rd.msgs[sr.rd.nmsgs - 1].uuid);
        ngx_http_longpoll_response_unshare(bytes);

        return rc;
    }

    if (rc == NGX_DONE) {
        return ngx_http_longpoll_subscribe_unknown(r, ctx, &sr.rd);
    }

    ngx_http_longpoll_point("watched");

    n = ctx->ncats + (ctx->client != NULL);

    size = offsetof(ngx_http_longpoll_poll_t, waiter)
           + ngx_http_longpoll_waiter_size(n);

    poll = ngx_palloc(r->pool, size);
    cln = ngx_http_cleanup_add(r, 0);

    if (poll == NULL || cln == NULL) {
        goto failed;
    }

    poll->zone = z;
    poll->ctx = ctx;
    poll->cursor = *cursor;
    poll->limit = llcf->max_response_size;
    poll->waiter.request = r;
    poll->waiter.wait = z->data;
    poll->waiter.state = NGX_HTTP_LONGPOLL_WAIT_NEW;

    /* polls that began together do not all come back together */

    msec -= NGX_HTTP_LONGPOLL_SUBSCRIBE_EARLY
            - ngx_http_longpoll_subscribe_lane++
              % NGX_HTTP_LONGPOLL_SUBSCRIBE_LANES
              * NGX_HTTP_LONGPOLL_SUBSCRIBE_LANE;

    if (ngx_http_longpoll_wait_park(&poll->waiter, ctx->cats, n, msec)
        != NGX_OK)
    {
        goto failed;
    }

    ngx_http_longpoll_interest_keep(ctx->zone, &poll->waiter,
                                            ctx->ncats, ctx->client, sr.slots);

    ctx->waiter = &poll->waiter;

    cln->handler = ngx_http_longpoll_subscribe_cleanup;
    cln->data = poll;

    worker = ngx_http_longpoll_subscribe_worker(z);

    if (worker) {
        worker->waiting++;
    }

    /* a FIN may have come with the request */

    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_longpoll_subscribe_leave(poll);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

#if (NGX_HTTP_V3)

    /* and so may a STOP_SENDING */

    if (r->connection->quic && r->connection->write->error) {
        ngx_post_event(r->connection->write, &ngx_posted_events);
    }

#endif

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_longpoll_subscribe_test_writing;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "longpoll park in \"%V\" for %Mms", &z->name, msec);

    r->main->count++;

    ngx_http_longpoll_point("parked");

    return NGX_DONE;

failed:

    ngx_http_longpoll_interest_cancel(z, ctx->cats, ctx->ncats, ctx->client,
                                      sr.slots);

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/*
 * A client of HTTP/3 that wants no answer any more sends STOP_SENDING.  Its own
 * side it may have finished, so that there is nothing to read; nginx resets the
 * stream, and that is an event of writing.
 */

static void
ngx_http_longpoll_subscribe_test_writing(ngx_http_request_t *r)
{
#if (NGX_HTTP_V3)
    ngx_connection_t  *c;

    c = r->connection;

    if (c->quic && c->write->error) {
        c->error = 1;

        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "client stopped reading the stream");

        ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    }
#endif
}


static void
ngx_http_longpoll_subscribe_expire(ngx_http_longpoll_waiter_t *w)
{
    ngx_http_longpoll_subscribe_end(ngx_http_longpoll_subscribe_of(w),
                                    ngx_exiting);
}


/* of the request: if it is still parked, nobody of us ended it */

static void
ngx_http_longpoll_subscribe_cleanup(void *data)
{
    ngx_http_longpoll_poll_t  *poll = data;

    if (poll->waiter.state != NGX_HTTP_LONGPOLL_WAIT_PARKED) {
        return;
    }

    ngx_http_longpoll_subscribe_leave(poll);

    poll->ctx->result = NGX_HTTP_LONGPOLL_GONE;
    ngx_http_longpoll_zone_count(poll->zone, disconnected, 1);
}


/* the one way out */

static void
ngx_http_longpoll_subscribe_leave(ngx_http_longpoll_poll_t *poll)
{
    ngx_http_request_t             *r;
    ngx_http_longpoll_worker_sh_t  *worker;

    r = poll->waiter.request;

    ngx_http_longpoll_wait_leave(&poll->waiter);

    worker = ngx_http_longpoll_subscribe_worker(poll->zone);

    if (worker) {
        worker->waiting--;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
}




/*
 * answers
 */


/*
 * Reads and, where there is something, encodes: *bytes has one reference for
 * the caller.  Returns as ngx_http_longpoll_zone_read() does.
 */

static ngx_int_t
ngx_http_longpoll_subscribe_read(ngx_http_longpoll_subscribe_read_t *sr,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_cursor_t *cursor, size_t limit,
    ngx_http_longpoll_read_e mode, ngx_http_longpoll_shared_t **bytes)
{
    size_t                     len;
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_http_longpoll_read_t  *rd;

    rd = &sr->rd;

    rd->mode = mode;
    rd->worker = ngx_http_longpoll_notify_worker();
    rd->cats = ctx->cats;
    rd->ncats = ctx->ncats;
    rd->cursor = *cursor;
    rd->limit = limit;
    rd->costs = sr->costs;
    rd->slots = sr->slots;
    rd->client = ctx->client;

    for (i = 0; i < ctx->ncats; i++) {
        sr->costs[i] = ngx_http_longpoll_golongpoll_event_cost(
                                                        &ctx->cats[i].name);
    }

    if (ctx->client) {
        rd->have = ngx_http_longpoll_gpoll_has(z);
    }

    for ( ;; ) {
        rc = ngx_http_longpoll_zone_read(z, rd, ngx_http_longpoll_now());

        *cursor = rd->cursor;

        if (rc != NGX_OK) {
            return rc;
        }

        if (ctx->client) {
            *bytes = ngx_http_longpoll_gpoll_text(z, rd);

            (void) ngx_http_longpoll_zone_read_valid(z);

            return *bytes ? NGX_OK : NGX_ERROR;
        }

        len = ngx_http_longpoll_golongpoll_events_len(rd->cats, rd->msgs,
                                                      rd->nmsgs, rd->missed);

        *bytes = ngx_http_longpoll_response_share(len, ngx_cycle->log);
        if (*bytes == NULL) {
            return NGX_ERROR;
        }

        (*bytes)->missed = rd->missed;

        (void) ngx_http_longpoll_golongpoll_events((*bytes)->data, rd->cats,
                                                   rd->msgs, rd->nmsgs,
                                                   rd->missed);

        if (ngx_http_longpoll_zone_read_valid(z)) {
            break;
        }

        ngx_http_longpoll_response_unshare(*bytes);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_subscribe_events(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_shared_t *bytes,
    ngx_uint_t nmsgs, ngx_http_longpoll_uuid_t *last)
{
    ngx_http_longpoll_worker_sh_t  *worker;

    ctx->result = NGX_HTTP_LONGPOLL_EVENTS;
    ctx->nevents = nmsgs;
    ctx->last = *last;

    /* in the middle of a fan-out no other worker's cache line is touched */

    worker = ngx_http_longpoll_subscribe_worker(ctx->zone);

    if (worker) {
        worker->delivered += nmsgs;

    } else {
        ngx_http_longpoll_zone_count(ctx->zone, delivered, nmsgs);
    }

    if (ctx->client) {
        return ngx_http_longpoll_response_plain_shared(r, bytes);
    }

    if (bytes->missed) {
        ngx_http_longpoll_zone_count(ctx->zone, missed, 1);
    }

    return ngx_http_longpoll_response_shared(r, bytes);
}


/*
 * Who is sent away is told the place at which it stands, not what time it is:
 * new workers may have another zone by now, of another size or in another
 * nginx, in which events have been published that this poll never saw.  So is
 * who comes to a zone whose place has been taken.
 */

static ngx_int_t
ngx_http_longpoll_subscribe_nothing(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_read_t *rd,
    ngx_uint_t closing)
{
    uint64_t   timestamp;
    ngx_str_t  body;

    if (ctx->client) {
        ctx->result = closing ? NGX_HTTP_LONGPOLL_CLOSING
                              : NGX_HTTP_LONGPOLL_TIMEOUT;

        ngx_http_longpoll_zone_count(ctx->zone, timeouts, 1);

        return ngx_http_longpoll_response_plain(r, NGX_HTTP_NO_CONTENT, NULL);
    }

    body.data = ngx_pnalloc(r->pool, NGX_HTTP_LONGPOLL_GOLONGPOLL_TIMEOUT_LEN);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    timestamp = rd->timestamp;

    if ((closing || ctx->zone->sh->resize.moved) && !rd->missed) {
        timestamp = ngx_max(rd->cursor.since, ctx->zone->sh->born);
    }

    body.len = ngx_http_longpoll_golongpoll_timeout(body.data, timestamp,
                                                    rd->missed)
               - body.data;

    ctx->result = closing ? NGX_HTTP_LONGPOLL_CLOSING
                          : NGX_HTTP_LONGPOLL_TIMEOUT;

    ngx_http_longpoll_zone_count(ctx->zone, timeouts, 1);

    if (rd->missed) {
        ngx_http_longpoll_zone_count(ctx->zone, missed, 1);
    }

    return ngx_http_longpoll_response_json(r, NGX_HTTP_OK, &body);
}


/* gpoll's client is not there; one that missed something is told in no other
 * way */

static ngx_int_t
ngx_http_longpoll_subscribe_unknown(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_read_t *rd)
{
    if (rd->missed) {
        ngx_http_longpoll_zone_count(ctx->zone, missed, 1);
    }

    return ngx_http_longpoll_gpoll_unknown(r);
}


/* a time-out, or the worker is going: what is there, or nothing */

static void
ngx_http_longpoll_subscribe_end(ngx_http_longpoll_poll_t *poll,
    ngx_uint_t closing)
{
    ngx_int_t                            rc;
    ngx_connection_t                    *c;
    ngx_http_request_t                  *r;
    ngx_http_longpoll_shared_t          *bytes;
    ngx_http_longpoll_subscribe_read_t   sr;

    r = poll->waiter.request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "longpoll end, closing:%ui", closing);

    rc = ngx_http_longpoll_subscribe_read(&sr, poll->zone, poll->ctx,
                                          &poll->cursor, poll->limit,
                                          NGX_HTTP_LONGPOLL_READ_LAST, &bytes);

    ngx_http_longpoll_subscribe_leave(poll);

    switch (rc) {

    case NGX_OK:
        rc = ngx_http_longpoll_subscribe_events(r, poll->ctx, bytes,
                                        sr.rd.nmsgs,
                                        &sr.rd.msgs[sr.rd.nmsgs - 1].uuid);
        ngx_http_longpoll_response_unshare(bytes);
        break;

    case NGX_AGAIN:
        rc = ngx_http_longpoll_subscribe_nothing(r, poll->ctx, &sr.rd, closing);
        break;

    case NGX_DONE:
        rc = ngx_http_longpoll_subscribe_unknown(r, poll->ctx, &sr.rd);
        break;

    default:
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/*
 * waking
 */




static void
ngx_http_longpoll_subscribe_wake(ngx_http_longpoll_waiter_t *w)
{
    ngx_int_t                            rc;
    ngx_connection_t                    *c;
    ngx_http_request_t                  *r;
    ngx_http_longpoll_poll_t            *poll;
    ngx_http_longpoll_shared_t          *bytes;
    ngx_http_longpoll_answer_t          *answer;
    ngx_http_longpoll_subscribe_read_t   sr;

    r = w->request;
    c = r->connection;
    poll = ngx_http_longpoll_subscribe_of(w);
    answer = &ngx_http_longpoll_subscribe_answer;

    ngx_http_set_log_request(c->log, r);

    if (poll->ctx->client) {
        ngx_http_longpoll_subscribe_wake_client(poll);
        return;
    }

    if (!ngx_http_longpoll_subscribe_serves(answer, poll)) {
        rc = ngx_http_longpoll_subscribe_read(&sr, poll->zone, poll->ctx,
                                              &poll->cursor, poll->limit,
                                              NGX_HTTP_LONGPOLL_READ_WAKE,
                                              &bytes);
        if (rc == NGX_AGAIN) {
            ngx_http_longpoll_interest_keep(poll->zone, &poll->waiter,
                                            poll->ctx->ncats,
                                            poll->ctx->client, sr.slots);
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_http_longpoll_subscribe_leave(poll);
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
            ngx_http_run_posted_requests(c);
            return;
        }

        ngx_http_longpoll_subscribe_keep(answer, poll, &sr.rd, bytes);
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "longpoll wake, events:%ui", answer->nmsgs);

    ngx_http_longpoll_point("woken");

    ngx_http_longpoll_subscribe_leave(poll);

    rc = ngx_http_longpoll_subscribe_events(r, poll->ctx, answer->bytes,
                                            answer->nmsgs, &answer->last);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/* the place moves when it is read, so what is read must be sent */

static void
ngx_http_longpoll_subscribe_wake_client(ngx_http_longpoll_poll_t *poll)
{
    ngx_int_t                            rc;
    ngx_connection_t                    *c;
    ngx_http_request_t                  *r;
    ngx_http_longpoll_shared_t          *bytes;
    ngx_http_longpoll_subscribe_read_t   sr;

    r = poll->waiter.request;
    c = r->connection;

    rc = ngx_http_longpoll_subscribe_read(&sr, poll->zone, poll->ctx,
                                          &poll->cursor, poll->limit,
                                          NGX_HTTP_LONGPOLL_READ_WAKE, &bytes);

    if (rc == NGX_AGAIN) {
        ngx_http_longpoll_interest_keep(poll->zone, &poll->waiter,
                                            poll->ctx->ncats,
                                            poll->ctx->client, sr.slots);
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "longpoll wake of gpoll's: %i", rc);

    ngx_http_longpoll_point("woken");

    ngx_http_longpoll_subscribe_leave(poll);

    switch (rc) {

    case NGX_OK:
        rc = ngx_http_longpoll_subscribe_events(r, poll->ctx, bytes, 1,
                                                &sr.rd.msgs[0].uuid);
        ngx_http_longpoll_response_unshare(bytes);
        break;

    case NGX_DONE:
        rc = ngx_http_longpoll_subscribe_unknown(r, poll->ctx, &sr.rd);
        break;

    default:
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_uint_t
ngx_http_longpoll_subscribe_serves(ngx_http_longpoll_answer_t *answer,
    ngx_http_longpoll_poll_t *poll)
{
    ngx_http_longpoll_cat_t  *cat;

    if (answer->bytes == NULL || answer->bytes->missed
        || answer->zone != poll->zone || answer->limit != poll->limit
        || poll->ctx->ncats != 1 || poll->cursor.lost
        || poll->cursor.id < answer->from || poll->cursor.id >= answer->first)
    {
        return 0;
    }

    cat = poll->ctx->cats;

    return cat->hash[0] == answer->hash[0] && cat->hash[1] == answer->hash[1]
           && (answer->expires == 0
               || answer->expires > ngx_http_longpoll_now());
}


static void
ngx_http_longpoll_subscribe_keep(ngx_http_longpoll_answer_t *answer,
    ngx_http_longpoll_poll_t *poll, ngx_http_longpoll_read_t *rd,
    ngx_http_longpoll_shared_t *bytes)
{
    if (answer->bytes) {
        ngx_http_longpoll_response_unshare(answer->bytes);
    }

    answer->bytes = bytes;
    answer->zone = poll->zone;
    answer->hash[0] = rd->cats[0].hash[0];
    answer->hash[1] = rd->cats[0].hash[1];

    /*
     * Serves nobody else: one of several categories, and one that asked for
     * all there is, since that may be told less of what it missed.
     */

    answer->from = poll->cursor.beginning ? (uint64_t) -1 : poll->cursor.id;
    answer->first = rd->ncats == 1 ? rd->msgs[0].id : 0;
    answer->last = rd->msgs[rd->nmsgs - 1].uuid;
    answer->nmsgs = rd->nmsgs;
    answer->limit = poll->limit;
    answer->expires = poll->zone->sh->conf.ttl;

    if (answer->expires) {
        answer->expires += ngx_http_longpoll_id_ms(answer->first);
    }
}




/*
 * once a second, and at the end
 */







/* what the zone has of this worker; NULL: it has no number */

static ngx_http_longpoll_worker_sh_t *
ngx_http_longpoll_subscribe_worker(ngx_http_longpoll_zone_t *z)
{
    ngx_uint_t  worker;

    worker = ngx_http_longpoll_notify_worker();

    return worker < NGX_HTTP_LONGPOLL_WORKERS ? &z->sh->workers[worker]
                                              : NULL;
}


/* what was encoded for those who were woken serves nobody else */

static void
ngx_http_longpoll_subscribe_woken(void)
{
    ngx_http_longpoll_answer_t  *answer;

    answer = &ngx_http_longpoll_subscribe_answer;

    if (answer->bytes) {
        ngx_http_longpoll_response_unshare(answer->bytes);
        answer->bytes = NULL;
    }

    ngx_http_longpoll_gpoll_woken();
}
