
/*
 * ngx_http_longpoll_poll.c: one poll: reads, parks, is woken, is answered.
 *
 *                    woken: nothing for it
 *                       ┌──────────┐
 *                       ▼          │
 *      NEW ────────▶ PARKED ───────┘
 *       │    park       │
 *       │               │ leave
 *       │               ├── woken: messages ──────────────▶ answer
 *       │ messages,     ├── its time is over ─────────────▶ answer
 *       │ error         ├── the worker leaves (drain) ────▶ answer
 *       ▼               ├── its client leaves ────────────▶ 499, no answer
 *     answer            ▼
 *                     LEFT
 *
 *   NEW     the handler runs.  One hold of the zone's lock either reads or
 *           registers the interest; so no message can come in between.
 *   PARKED  the waiter stands in the queues of wait.  The request has nothing
 *           but its memory.  Its client is watched (disconnect).
 *   LEFT    once, for whatever reason, by ngx_http_longpoll_wait_leave().  The
 *           waiter leaves before the answer is sent, since an answer may end
 *           other requests, and before the request is finalized, since that may
 *           run a post_action.
 *
 * The cleanup of the request finds a waiter that is still PARKED if nginx has
 * closed the connection itself.
 */


#include "ngx_http_longpoll_poll.h"
#include "ngx_http_longpoll_deliver.h"
#include "ngx_http_longpoll_direct.h"
#include "ngx_http_longpoll_disconnect.h"
#include "ngx_http_longpoll_feed.h"
#include "ngx_http_longpoll_interest.h"
#include "ngx_http_longpoll_relay.h"
#include "ngx_http_longpoll_writer.h"
#include "ngx_http_longpoll_unsent.h"
#include "ngx_http_longpoll_worker.h"


/*
 * A time-out is answered 95, 86, 77 or 68 ms early, each poll in turn, so that
 * polls that began together do not all end together.  The page promises 50 to
 * 100 ms (docs/protocol.md, How long it takes); the rest is for an event loop
 * that is late.
 */

#define NGX_HTTP_LONGPOLL_POLL_EARLY    95      /* ms, at most */
#define NGX_HTTP_LONGPOLL_POLL_TURNS    4
#define NGX_HTTP_LONGPOLL_POLL_STAGGER  9       /* ms between two turns */


typedef struct {
    ngx_http_longpoll_ctx_t         *ctx;
    ngx_http_longpoll_cursor_t       cursor;
    size_t                           limit;

    ngx_http_longpoll_waiter_t       waiter;    /* grows with its links */
} ngx_http_longpoll_poll_t;


static void ngx_http_longpoll_poll_check(ngx_http_longpoll_zone_t *z);
static void ngx_http_longpoll_poll_closing(ngx_http_longpoll_zone_t *z);
static ngx_int_t ngx_http_longpoll_poll_read(
    ngx_http_longpoll_reading_t *reading, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_cursor_t *cursor, size_t limit);
static ngx_http_longpoll_poll_t *ngx_http_longpoll_poll_park(
    ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_cursor_t *cursor, size_t limit, ngx_msec_t timeout);
static void ngx_http_longpoll_poll_client_handler(ngx_http_request_t *r);
static void ngx_http_longpoll_poll_wake(ngx_http_longpoll_waiter_t *w);
static void ngx_http_longpoll_poll_expire(ngx_http_longpoll_waiter_t *w);
static ngx_http_longpoll_cat_t *ngx_http_longpoll_poll_cats(
    ngx_http_longpoll_waiter_t *w, ngx_uint_t *n);
static void ngx_http_longpoll_poll_answer(ngx_http_longpoll_poll_t *poll,
    ngx_http_longpoll_reading_t *reading, ngx_int_t rc, ngx_uint_t closing);
static void ngx_http_longpoll_poll_cleanup(void *data);
static void ngx_http_longpoll_poll_leave(ngx_http_longpoll_poll_t *poll);


static ngx_http_longpoll_waiter_handlers_t  ngx_http_longpoll_poll_waiter = {
    ngx_http_longpoll_poll_wake,
    ngx_http_longpoll_poll_expire,
    ngx_http_longpoll_poll_cats,
    0
};

static ngx_http_longpoll_worker_handlers_t  ngx_http_longpoll_poll_handlers = {
    ngx_http_longpoll_deliver_woken,                /* woken */
    ngx_http_longpoll_poll_check,                   /* check */
    ngx_http_longpoll_poll_closing                  /* closing */
};


static ngx_uint_t  ngx_http_longpoll_poll_turn;


#define ngx_http_longpoll_poll_of(w)                                          \
    ((ngx_http_longpoll_poll_t *)                                             \
     ((u_char *) (w) - offsetof(ngx_http_longpoll_poll_t, waiter)))


ngx_int_t
ngx_http_longpoll_poll_init_process(ngx_cycle_t *cycle)
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

    ngx_http_longpoll_unsent_init_process(cycle, lmcf->max_unsent);
    ngx_http_longpoll_direct_init_process(cycle);

    return ngx_http_longpoll_worker_init_process(cycle, zones, lmcf->drain,
                                             &ngx_http_longpoll_poll_handlers);
}


/* what waits for the disk or for Redis looks as well */

static void
ngx_http_longpoll_poll_check(ngx_http_longpoll_zone_t *z)
{
    if (z->cluster) {
        ngx_http_longpoll_feed_check(z);
        ngx_http_longpoll_relay_check(z);

    } else {
        ngx_http_longpoll_writer_wake(z);
    }
}


static void
ngx_http_longpoll_poll_closing(ngx_http_longpoll_zone_t *z)
{
    if (z->cluster) {
        ngx_http_longpoll_feed_closing(z);

    } else {
        ngx_http_longpoll_writer_closing(z);
    }
}


/*
 * a new request
 */


ngx_int_t
ngx_http_longpoll_poll(ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_cursor_t *cursor, ngx_msec_t timeout)
{
    ngx_int_t                      rc;
    ngx_http_longpoll_poll_t      *poll;
    ngx_http_longpoll_reading_t    reading;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    if (timeout <= ctx->age + NGX_HTTP_LONGPOLL_POLL_EARLY) {

        /* its time is over already */

        rc = ngx_http_longpoll_deliver_read(&reading, ctx, cursor,
                                            llcf->max_response_size,
                                            NGX_HTTP_LONGPOLL_READ_LAST);

        return ngx_http_longpoll_deliver_answer(r, ctx, &reading, rc, 0);
    }

    rc = ngx_http_longpoll_poll_read(&reading, ctx, cursor,
                                     llcf->max_response_size);

    if (rc != NGX_AGAIN) {
        return ngx_http_longpoll_deliver_answer(r, ctx, &reading, rc, 0);
    }

    ngx_http_longpoll_point("watched");

    poll = ngx_http_longpoll_poll_park(r, ctx, cursor, llcf->max_response_size,
                                       timeout - ctx->age);
    if (poll == NULL) {
        ngx_http_longpoll_interest_cancel(ctx->zone, ctx->cats, ctx->ncats,
                                          ctx->client, reading.slots,
                                          reading.rd.since);

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_longpoll_interest_keep(ctx->zone, &poll->waiter, ctx->ncats,
                                    ctx->client, reading.slots,
                                    reading.rd.since);

    if (ngx_http_longpoll_disconnect_watch(r,
                                         ngx_http_longpoll_poll_client_handler)
        != NGX_OK)
    {
        ngx_http_longpoll_poll_leave(poll);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    ngx_http_longpoll_point("parked");

    return NGX_DONE;
}


/*
 * After a fan-out most clients ask for what comes behind the newest message.
 * If others wait here for the same category, the worker's interest in it is
 * registered already, and the zone need not be read.
 */

static ngx_int_t
ngx_http_longpoll_poll_read(ngx_http_longpoll_reading_t *reading,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    size_t limit)
{
    ngx_http_longpoll_wait_cat_t  *cat;

    cat = ngx_http_longpoll_wait_find(ctx->zone->wait, ctx->cats->hash);

    if (ctx->ncats == 1 && cat && ngx_http_longpoll_interest_stands(cat)
        && ngx_http_longpoll_zone_read_newest(ctx->zone, cursor))
    {
        reading->slots[0] = cat->slot;
        reading->rd.since = cat->since;
        return NGX_AGAIN;
    }

    return ngx_http_longpoll_deliver_read(reading, ctx, cursor, limit,
                                          NGX_HTTP_LONGPOLL_READ_PARK);
}


/* NULL: no memory, nothing is parked */

static ngx_http_longpoll_poll_t *
ngx_http_longpoll_poll_park(ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_cursor_t *cursor, size_t limit, ngx_msec_t timeout)
{
    ngx_uint_t                 turn;
    ngx_http_cleanup_t        *cln;
    ngx_http_longpoll_poll_t  *poll;

    poll = ngx_palloc(r->pool, offsetof(ngx_http_longpoll_poll_t, waiter)
                               + ngx_http_longpoll_waiter_size(ctx->nlinks));
    cln = ngx_http_cleanup_add(r, 0);

    if (poll == NULL || cln == NULL) {
        return NULL;
    }

    poll->ctx = ctx;
    poll->cursor = *cursor;
    poll->limit = limit;
    poll->waiter.request = r;
    poll->waiter.wait = ctx->zone->wait;
    poll->waiter.handlers = &ngx_http_longpoll_poll_waiter;
    poll->waiter.state = NGX_HTTP_LONGPOLL_WAIT_NEW;

    turn = ngx_http_longpoll_poll_turn++ % NGX_HTTP_LONGPOLL_POLL_TURNS;

    timeout -= NGX_HTTP_LONGPOLL_POLL_EARLY
               - turn * NGX_HTTP_LONGPOLL_POLL_STAGGER;

    if (ngx_http_longpoll_wait_park(&poll->waiter, ctx->cats, ctx->nlinks,
                                    timeout)
        != NGX_OK)
    {
        return NULL;
    }

    ctx->waiter = &poll->waiter;

    cln->handler = ngx_http_longpoll_poll_cleanup;
    cln->data = poll;

    ngx_http_longpoll_interest_count(ctx->zone, 1);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "longpoll park in \"%V\" for %Mms", &ctx->zone->name,
                   timeout);

    return poll;
}


/* something has happened on the connection of a parked request */

static void
ngx_http_longpoll_poll_client_handler(ngx_http_request_t *r)
{
    ngx_http_longpoll_disconnect_test(r, ngx_http_longpoll_poll_cleanup);
}


/*
 * a parked request
 */


static void
ngx_http_longpoll_poll_wake(ngx_http_longpoll_waiter_t *w)
{
    ngx_int_t                     rc;
    ngx_connection_t             *c;
    ngx_http_longpoll_ctx_t      *ctx;
    ngx_http_longpoll_poll_t     *poll;
    ngx_http_longpoll_reading_t   reading;

    c = w->request->connection;
    poll = ngx_http_longpoll_poll_of(w);
    ctx = poll->ctx;

    ngx_http_set_log_request(c->log, w->request);

    rc = ngx_http_longpoll_deliver_wake(&reading, ctx, &poll->cursor,
                                        poll->limit);

    if (rc == NGX_AGAIN) {
        ngx_http_longpoll_interest_keep(ctx->zone, w, ctx->ncats, ctx->client,
                                        reading.slots, reading.rd.since);
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0, "longpoll wake: %i", rc);

    ngx_http_longpoll_point("woken");

    ngx_http_longpoll_poll_answer(poll, &reading, rc, 0);
}


/* reads once more: there may be a message whose wake-up has not come yet */

static void
ngx_http_longpoll_poll_expire(ngx_http_longpoll_waiter_t *w)
{
    ngx_int_t                     rc;
    ngx_connection_t             *c;
    ngx_http_longpoll_poll_t     *poll;
    ngx_http_longpoll_reading_t   reading;

    c = w->request->connection;
    poll = ngx_http_longpoll_poll_of(w);

    ngx_http_set_log_request(c->log, w->request);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "longpoll end, closing:%ui", (ngx_uint_t) ngx_exiting);

    rc = ngx_http_longpoll_deliver_read(&reading, poll->ctx, &poll->cursor,
                                        poll->limit,
                                        NGX_HTTP_LONGPOLL_READ_LAST);

    ngx_http_longpoll_poll_answer(poll, &reading, rc, ngx_exiting);
}


static ngx_http_longpoll_cat_t *
ngx_http_longpoll_poll_cats(ngx_http_longpoll_waiter_t *w, ngx_uint_t *n)
{
    ngx_http_longpoll_ctx_t  *ctx;

    ctx = ngx_http_longpoll_poll_of(w)->ctx;
    *n = ctx->ncats;

    return ctx->cats;
}


static void
ngx_http_longpoll_poll_answer(ngx_http_longpoll_poll_t *poll,
    ngx_http_longpoll_reading_t *reading, ngx_int_t rc, ngx_uint_t closing)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = poll->waiter.request;
    c = r->connection;

    ngx_http_longpoll_poll_leave(poll);

    rc = ngx_http_longpoll_deliver_answer(r, poll->ctx, reading, rc, closing);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/*
 * The client of a parked waiter has left.  As a cleanup of the request: nginx
 * has ended it, perhaps long after its answer.
 */

static void
ngx_http_longpoll_poll_cleanup(void *data)
{
    ngx_http_longpoll_poll_t  *poll = data;

    if (poll->waiter.state != NGX_HTTP_LONGPOLL_WAIT_PARKED) {
        return;
    }

    ngx_http_longpoll_poll_leave(poll);

    poll->ctx->result = NGX_HTTP_LONGPOLL_GONE;
    ngx_http_longpoll_zone_count(poll->ctx->zone, disconnected, 1);
}


static void
ngx_http_longpoll_poll_leave(ngx_http_longpoll_poll_t *poll)
{
    ngx_http_request_t  *r;

    r = poll->waiter.request;

    ngx_http_longpoll_wait_leave(&poll->waiter);

    ngx_http_longpoll_interest_count(poll->ctx->zone, -1);

    ngx_http_longpoll_disconnect_unwatch(r);
}
