
/*
 * ngx_http_longpoll_stream.c: one stream: reads, sends, parks behind what was
 * given.
 *
 *            head, first frame
 *      NEW ──────────┬───────────────────────╮
 *                    │ nothing to read       │ events
 *                    ▼                       ▼
 *            ╭──▶ PARKED ────────────────▶ HELD ◀──╮
 *      woken │       │  the client has       │     │ events
 *            ╰───────╯  not taken all        │     │
 *                    ▲                       │     │
 *                    ╰───────────────────────┴─────╯
 *                     nothing to read   the client has taken all
 *
 *     PARKED  the waiter stands in the queues of wait.  A wake-up reads, and
 *             sends the events at once.  If the client takes all of them, the
 *             stream stays PARKED.
 *     HELD    busy: nginx still has bytes that the client has not taken.  Or
 *             posted: the client has taken all, and in a next turn of nginx's
 *             loop the stream reads again.  Nothing is read while a stream is
 *             busy, so it has one answer in memory at most.
 *     LEFT    once, before the request is finalized, as with polls
 *             (ngx_http_longpoll_poll.c).  A stream ends behind a whole answer,
 *             when its time is over or when the worker leaves.
 *
 * An answer has up to two buffers: the text of the place and missed frames,
 * which is in the stream itself, and the bytes of the events, which many
 * streams share.  Both buffers are used again for the next answer: nothing is
 * allocated for an event.
 *
 * The cursor of a stream moves with each answer.  The client learns its cursor
 * from the ids of the events, and from a place frame where there is no event.
 */


#include "ngx_http_longpoll_stream.h"
#include "ngx_http_longpoll_announce.h"
#include "ngx_http_longpoll_cursor.h"
#include "ngx_http_longpoll_deliver.h"
#include "ngx_http_longpoll_direct.h"
#include "ngx_http_longpoll_disconnect.h"
#include "ngx_http_longpoll_interest.h"
#include "ngx_http_longpoll_sse.h"
#include "ngx_http_longpoll_unsent.h"


/* ms after which a browser comes back: between these two, at random */

#define NGX_HTTP_LONGPOLL_STREAM_RETRY_MIN  500
#define NGX_HTTP_LONGPOLL_STREAM_RETRY_MAX  1500

/* ms: the period of a stream that has neither heartbeats nor an end */

#define NGX_HTTP_LONGPOLL_STREAM_QUIET      3600000

/* ms to which the last period is rounded up, so that there are few of them */

#define NGX_HTTP_LONGPOLL_STREAM_ROUND      100

/* in one turn of nginx's loop: posted streams, and answers to each of them */

#define NGX_HTTP_LONGPOLL_STREAM_SLICE      64
#define NGX_HTTP_LONGPOLL_STREAM_ANSWERS    2


typedef struct {
    /* frames on their way */
    u_char                           text[NGX_HTTP_LONGPOLL_SSE_FRAMES];
    ngx_buf_t                        frames;

    /* from here on is what each wake-up uses: wait fetches it together */

    /* events on their way */
    ngx_http_longpoll_unsent_entry_t  unsent;
    ngx_buf_t                        events;
    ngx_http_longpoll_shared_t      *bytes;     /* NULL: none */

    ngx_http_longpoll_ctx_t         *ctx;
    ngx_http_longpoll_cursor_t       cursor;
    size_t                           limit;
    ngx_msec_t                       heartbeat;     /* 0: none */
    ngx_msec_t                       end;       /* with has_end */

    unsigned                         has_end:1;
    unsigned                         caught_up:1;   /* a place was sent */
    unsigned                         more:1;    /* read again: the last answer
                                                   may have left messages
                                                   out */
    unsigned                         busy:1;    /* the client has not taken
                                                   all */
    unsigned                         posted:1;  /* stands in the queue of the
                                                   posted */
    unsigned                         direct:1;  /* events need no filter */

    ngx_queue_t                      queue;

    ngx_http_longpoll_waiter_t       waiter;    /* grows with its links */
} ngx_http_longpoll_stream_t;


static ngx_http_longpoll_stream_t *ngx_http_longpoll_stream_create(
    ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_cursor_t *cursor, ngx_msec_t timeout);
static ngx_int_t ngx_http_longpoll_stream_open(
    ngx_http_longpoll_stream_t *stream);
static ngx_int_t ngx_http_longpoll_stream_head(
    ngx_http_longpoll_stream_t *stream);
static u_char *ngx_http_longpoll_stream_first(
    ngx_http_longpoll_stream_t *stream, ngx_http_longpoll_reading_t *reading,
    ngx_int_t rc, ngx_http_longpoll_cursor_t *asked);
static ngx_int_t ngx_http_longpoll_stream_park(
    ngx_http_longpoll_stream_t *stream, ngx_http_longpoll_reading_t *reading);
static ngx_msec_t ngx_http_longpoll_stream_period(
    ngx_http_longpoll_stream_t *stream);
static ngx_uint_t ngx_http_longpoll_stream_is_over(
    ngx_http_longpoll_stream_t *stream);
static void ngx_http_longpoll_stream_wake(ngx_http_longpoll_waiter_t *w);
static void ngx_http_longpoll_stream_expire(ngx_http_longpoll_waiter_t *w);
static ngx_http_longpoll_cat_t *ngx_http_longpoll_stream_cats(
    ngx_http_longpoll_waiter_t *w, ngx_uint_t *n);
static void ngx_http_longpoll_stream_post(ngx_http_longpoll_stream_t *stream);
static void ngx_http_longpoll_stream_turn_handler(ngx_event_t *ev);
static void ngx_http_longpoll_stream_next(ngx_http_longpoll_stream_t *stream);
static ngx_int_t ngx_http_longpoll_stream_answer(
    ngx_http_longpoll_stream_t *stream, ngx_http_longpoll_reading_t *reading,
    ngx_int_t rc, ngx_uint_t beat);
static u_char *ngx_http_longpoll_stream_place(
    ngx_http_longpoll_stream_t *stream, ngx_http_longpoll_read_t *rd,
    u_char *p);
static void ngx_http_longpoll_stream_take(ngx_http_longpoll_stream_t *stream,
    ngx_http_longpoll_reading_t *reading);
static ngx_uint_t ngx_http_longpoll_stream_stands(
    ngx_http_longpoll_stream_t *stream);
static ngx_int_t ngx_http_longpoll_stream_send(
    ngx_http_longpoll_stream_t *stream, u_char *last);
static ngx_int_t ngx_http_longpoll_stream_send_chunk(
    ngx_http_longpoll_stream_t *stream);
static ngx_int_t ngx_http_longpoll_stream_send_frames(
    ngx_http_longpoll_stream_t *stream, u_char *last);
static ngx_int_t ngx_http_longpoll_stream_sent(
    ngx_http_longpoll_stream_t *stream);
static ngx_uint_t ngx_http_longpoll_stream_is_taken(
    ngx_http_longpoll_stream_t *stream);
static void ngx_http_longpoll_stream_release(void *data);
static void ngx_http_longpoll_stream_client_handler(ngx_http_request_t *r);
static void ngx_http_longpoll_stream_write_handler(ngx_http_request_t *r);
static void ngx_http_longpoll_stream_end(ngx_http_longpoll_stream_t *stream);
static ngx_int_t ngx_http_longpoll_stream_last(
    ngx_http_longpoll_stream_t *stream);
static void ngx_http_longpoll_stream_fail(ngx_http_longpoll_stream_t *stream,
    ngx_int_t rc);
static void ngx_http_longpoll_stream_cleanup(void *data);
static void ngx_http_longpoll_stream_leave(ngx_http_longpoll_stream_t *stream);


static ngx_http_longpoll_waiter_handlers_t  ngx_http_longpoll_stream_waiter = {
    ngx_http_longpoll_stream_wake,
    ngx_http_longpoll_stream_expire,
    ngx_http_longpoll_stream_cats,
    offsetof(ngx_http_longpoll_stream_t, waiter)
    - offsetof(ngx_http_longpoll_stream_t, unsent)
};


/* HELD streams that read again in a next turn of nginx's loop */

static ngx_queue_t  ngx_http_longpoll_stream_posted = {
    &ngx_http_longpoll_stream_posted,
    &ngx_http_longpoll_stream_posted
};

static ngx_event_t  ngx_http_longpoll_stream_turn;


#define ngx_http_longpoll_stream_of(w)                                        \
    ((ngx_http_longpoll_stream_t *)                                           \
     ((u_char *) (w) - offsetof(ngx_http_longpoll_stream_t, waiter)))

#define ngx_http_longpoll_stream_is_parked(stream)                            \
    ((stream)->waiter.state == NGX_HTTP_LONGPOLL_WAIT_PARKED)


/*
 * a new request
 */


ngx_int_t
ngx_http_longpoll_stream(ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_cursor_t *cursor, ngx_msec_t timeout)
{
    ngx_int_t                    rc;
    ngx_http_longpoll_stream_t  *stream;

    stream = ngx_http_longpoll_stream_create(r, ctx, cursor, timeout);

    if (stream == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_longpoll_stream_open(stream);

    if (rc != NGX_DONE) {

        if (stream->waiter.state != NGX_HTTP_LONGPOLL_WAIT_LEFT) {
            ngx_http_longpoll_stream_leave(stream);
        }

        return rc;
    }

    r->main->count++;

    return NGX_DONE;
}


/* the stream is HELD; NULL: no memory */

static ngx_http_longpoll_stream_t *
ngx_http_longpoll_stream_create(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_msec_t timeout)
{
    ngx_msec_t                     lasts;
    ngx_http_cleanup_t            *cln;
    ngx_pool_cleanup_t            *pool_cln;
    ngx_http_longpoll_stream_t    *stream;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    stream = ngx_pcalloc(r->pool, offsetof(ngx_http_longpoll_stream_t, waiter)
                                  + ngx_http_longpoll_waiter_size(ctx->nlinks));
    cln = ngx_http_cleanup_add(r, 0);
    pool_cln = ngx_pool_cleanup_add(r->pool, 0);

    if (stream == NULL || cln == NULL || pool_cln == NULL
        || ngx_http_longpoll_announce_begin(ctx->zone, ctx->cats, ctx->ncats)
           != NGX_OK)
    {
        return NULL;
    }

    stream->ctx = ctx;
    stream->cursor = *cursor;
    stream->limit = llcf->max_response_size;
    stream->heartbeat = llcf->heartbeat;

    lasts = llcf->stream;

    if (timeout) {
        lasts = ngx_min(lasts, timeout - ngx_min(timeout, ctx->age));
    }

    stream->has_end = (lasts != NGX_HTTP_LONGPOLL_STREAM_ENDLESS);
    stream->end = ngx_current_msec + lasts;

    stream->frames.memory = 1;
    stream->events.memory = 1;
    stream->events.flush = 1;

    stream->waiter.request = r;
    stream->waiter.wait = ctx->zone->wait;
    stream->waiter.handlers = &ngx_http_longpoll_stream_waiter;
    ngx_http_longpoll_wait_hold(&stream->waiter);

    ctx->waiter = &stream->waiter;

    cln->handler = ngx_http_longpoll_stream_cleanup;
    cln->data = stream;
    pool_cln->handler = ngx_http_longpoll_stream_release;
    pool_cln->data = stream;

    ngx_http_longpoll_interest_count(ctx->zone, 1);

    return stream;
}


/* NGX_DONE: the stream waits, or what it has sent is on its way */

static ngx_int_t
ngx_http_longpoll_stream_open(ngx_http_longpoll_stream_t *stream)
{
    u_char                       *last;
    ngx_int_t                     rc, sent;
    ngx_http_request_t           *r;
    ngx_http_longpoll_ctx_t      *ctx;
    ngx_http_longpoll_cursor_t    asked;
    ngx_http_longpoll_reading_t   reading;

    r = stream->waiter.request;
    ctx = stream->ctx;
    asked = stream->cursor;

    rc = ngx_http_longpoll_deliver_read(&reading, ctx, &stream->cursor,
                                        stream->limit,
                                        ngx_http_longpoll_stream_is_over(stream)
                                        ? NGX_HTTP_LONGPOLL_READ_LAST
                                        : NGX_HTTP_LONGPOLL_READ_PARK);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK) {
        stream->bytes = reading.bytes;
    }

    if (rc == NGX_AGAIN && !ngx_http_longpoll_stream_is_over(stream)
        && ngx_http_longpoll_stream_park(stream, &reading) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_ABORT || ngx_exiting) {
        r->keepalive = 0;
    }

    sent = ngx_http_longpoll_stream_head(stream);
    if (sent != NGX_OK || r->header_only) {
        return sent;
    }

    last = ngx_http_longpoll_stream_first(stream, &reading, rc, &asked);

    if (rc == NGX_OK) {
        ngx_http_longpoll_stream_take(stream, &reading);
    }

    sent = ngx_http_longpoll_stream_send(stream, last);

    if (sent == NGX_ERROR) {
        return NGX_ERROR;
    }

    stream->direct = ngx_http_longpoll_direct_allowed(stream->waiter.request);

    if (sent == NGX_OK && (rc == NGX_ABORT
                           || ngx_http_longpoll_stream_is_over(stream)))
    {
        /* not in a next turn: a worker that leaves may have none */

        return ngx_http_longpoll_stream_last(stream);
    }

    if (sent == NGX_OK && !ngx_http_longpoll_stream_is_parked(stream)) {
        ngx_http_longpoll_stream_post(stream);
    }

    return NGX_DONE;
}


/*
 * NGX_OK, or what to finalize the request with.  A filter may have changed the
 * status to one without a body: then the request ends with NGX_OK, too.
 */

static ngx_int_t
ngx_http_longpoll_stream_head(ngx_http_longpoll_stream_t *stream)
{
    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = stream->waiter.request;
    c = r->connection;

    rc = ngx_http_longpoll_response_stream(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->tcp_nodelay && ngx_tcp_nodelay(c) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_longpoll_disconnect_watch(r,
                                       ngx_http_longpoll_stream_client_handler)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->write_event_handler = ngx_http_longpoll_stream_write_handler;

    return NGX_OK;
}


/*
 * Writes the first place, with retry.  If there is nothing to read, what a
 * stream is told that has caught up follows.  Returns the end of both.
 *
 * The first place has the id that the client has sent, or the id at which the
 * stream begins.  It has none if the stream begins at a time with events behind
 * it, or with the newest events.  An id that was sent with an earlier time does
 * not count, since events in front of it may come.
 */

static u_char *
ngx_http_longpoll_stream_first(ngx_http_longpoll_stream_t *stream,
    ngx_http_longpoll_reading_t *reading, ngx_int_t rc,
    ngx_http_longpoll_cursor_t *asked)
{
    u_char                    *p;
    uint64_t                   id, epoch, begin;
    ngx_uint_t                 retry, now, own;
    ngx_http_longpoll_read_t  *rd;
    ngx_http_longpoll_uuid_t   uuid;

    rd = &reading->rd;

    now = asked->now || asked->id != rd->cursor.id;
    own = !now && asked->uuid.high
          && ngx_http_longpoll_id_read(&asked->uuid, &id, &epoch)
          && ngx_http_longpoll_id_ms(id) == ngx_http_longpoll_id_ms(asked->id);

    begin = 0;

    if (now && !(rc == NGX_OK && asked->recent)) {
        begin = (rc == NGX_ABORT) ? ngx_http_longpoll_id_last_of(rd->timestamp)
                                  : rd->cursor.id;
    }

    if (rc == NGX_AGAIN && ngx_http_longpoll_stream_is_parked(stream)
        && !own && !rd->missed && rd->place_id)
    {
        begin = rd->place_id;
        stream->caught_up = 1;
        ngx_http_longpoll_cursor_move(stream->ctx->zone, &stream->cursor, begin,
                                      0);
    }

    if (own) {
        uuid = asked->uuid;

    } else {
        ngx_http_longpoll_id_uuid(&uuid, begin, rd->epoch);
    }

    retry = NGX_HTTP_LONGPOLL_STREAM_RETRY_MIN
            + (ngx_uint_t) ngx_random()
              % (NGX_HTTP_LONGPOLL_STREAM_RETRY_MAX
                 - NGX_HTTP_LONGPOLL_STREAM_RETRY_MIN + 1);

    p = ngx_http_longpoll_sse_place(stream->text, retry,
                                    own || begin ? &uuid : NULL);

    if (ngx_http_longpoll_stream_is_parked(stream) && !stream->caught_up
        && (rd->missed || rd->place_id))
    {
        p = ngx_http_longpoll_stream_place(stream, rd, p);
    }

    return p;
}


/* parks a stream that has read all; NGX_ERROR: no memory, it stays HELD */

static ngx_int_t
ngx_http_longpoll_stream_park(ngx_http_longpoll_stream_t *stream,
    ngx_http_longpoll_reading_t *reading)
{
    ngx_http_longpoll_ctx_t  *ctx;

    ctx = stream->ctx;

    if (ngx_http_longpoll_wait_park(&stream->waiter, ctx->cats, ctx->nlinks,
                                    ngx_http_longpoll_stream_period(stream))
        != NGX_OK)
    {
        ngx_http_longpoll_interest_cancel(ctx->zone, ctx->cats, ctx->ncats,
                                          ctx->client, reading->slots,
                                          reading->rd.since);
        return NGX_ERROR;
    }

    ngx_http_longpoll_interest_keep(ctx->zone, &stream->waiter, ctx->ncats,
                                    ctx->client, reading->slots,
                                    reading->rd.since);

    return NGX_OK;
}


/* until the next heartbeat, or the end */

static ngx_msec_t
ngx_http_longpoll_stream_period(ngx_http_longpoll_stream_t *stream)
{
    ngx_msec_t      msec;
    ngx_msec_int_t  left;

    msec = stream->heartbeat ? stream->heartbeat
                             : NGX_HTTP_LONGPOLL_STREAM_QUIET;

    if (stream->has_end) {
        left = (ngx_msec_int_t) (stream->end - ngx_current_msec);

        if (left <= 0) {

            /* each answer renews the period: a longer one might never end */

            return 1;
        }

        if (left < (ngx_msec_int_t) msec) {
            msec = left + NGX_HTTP_LONGPOLL_STREAM_ROUND - 1;
            msec -= msec % NGX_HTTP_LONGPOLL_STREAM_ROUND;
        }
    }

    return msec;
}


/* its time is over, or the worker leaves: the stream ends in its turn */

static ngx_uint_t
ngx_http_longpoll_stream_is_over(ngx_http_longpoll_stream_t *stream)
{
    return ngx_exiting
           || (stream->has_end
               && (ngx_msec_int_t) (stream->end - ngx_current_msec) <= 0);
}


/*
 * a stream that waits
 */


static void
ngx_http_longpoll_stream_wake(ngx_http_longpoll_waiter_t *w)
{
    ngx_int_t                     rc;
    ngx_http_longpoll_stream_t   *stream;
    ngx_http_longpoll_reading_t   reading;

    stream = ngx_http_longpoll_stream_of(w);

    if (ngx_http_longpoll_unsent_full()) {
        ngx_http_longpoll_wait_rewake(w);
        return;
    }

    ngx_http_set_log_request(w->request->connection->log, w->request);

    rc = ngx_http_longpoll_deliver_wake(&reading, stream->ctx, &stream->cursor,
                                        stream->limit);

    if (ngx_http_longpoll_stream_answer(stream, &reading, rc, 0) == NGX_OK) {
        ngx_http_longpoll_wait_rewake(w);
    }
}


/* a heartbeat; or the stream's time is over, or the worker leaves */

static void
ngx_http_longpoll_stream_expire(ngx_http_longpoll_waiter_t *w)
{
    ngx_int_t                     rc;
    ngx_http_longpoll_stream_t   *stream;
    ngx_http_longpoll_reading_t   reading;

    stream = ngx_http_longpoll_stream_of(w);

    ngx_http_set_log_request(w->request->connection->log, w->request);

    if (!ngx_http_longpoll_stream_is_parked(stream)) {

        /* the drain is over */

        if (!stream->busy) {
            ngx_http_longpoll_stream_end(stream);
            return;
        }

        ngx_http_longpoll_stream_leave(stream);
        stream->ctx->result = NGX_HTTP_LONGPOLL_CLOSING;
        ngx_http_longpoll_stream_fail(stream, NGX_HTTP_CLOSE);
        return;
    }

    if (ngx_http_longpoll_stream_is_over(stream)) {
        ngx_http_longpoll_stream_end(stream);
        return;
    }

    /* a stream without heartbeats reads once an hour, and sends no place */

    ngx_http_longpoll_wait_renew(w, ngx_http_longpoll_stream_period(stream));

    /*
     * Not READ_WAKE: with delete_on_read that keeps a message for all waiters
     * that are woken with this one, and nobody has woken this one.
     */

    rc = ngx_http_longpoll_deliver_read(&reading, stream->ctx, &stream->cursor,
                                        stream->limit,
                                        NGX_HTTP_LONGPOLL_READ_PARK);

    if (ngx_http_longpoll_stream_answer(stream, &reading, rc,
                                        stream->heartbeat != 0)
        == NGX_OK)
    {
        ngx_http_longpoll_wait_rewake(w);
    }
}


static ngx_http_longpoll_cat_t *
ngx_http_longpoll_stream_cats(ngx_http_longpoll_waiter_t *w, ngx_uint_t *n)
{
    ngx_http_longpoll_ctx_t  *ctx;

    ctx = ngx_http_longpoll_stream_of(w)->ctx;
    *n = ctx->ncats;

    return ctx->cats;
}


/* a HELD stream reads again, or ends, in a next turn of nginx's loop */

static void
ngx_http_longpoll_stream_post(ngx_http_longpoll_stream_t *stream)
{
    ngx_event_t  *ev;

    if (!stream->posted) {
        stream->posted = 1;
        ngx_queue_insert_tail(&ngx_http_longpoll_stream_posted, &stream->queue);
    }

    ev = &ngx_http_longpoll_stream_turn;

    if (!ev->posted) {
        ev->handler = ngx_http_longpoll_stream_turn_handler;
        ev->log = ngx_cycle->log;
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


/*
 * No stream reads while more than longpoll_max_unsent is unsent.  Then other
 * requests end in this turn of the loop, and the streams read in the next one.
 */

static void
ngx_http_longpoll_stream_turn_handler(ngx_event_t *ev)
{
    ngx_uint_t                   left;
    ngx_queue_t                 *q, *posted;
    ngx_http_longpoll_stream_t  *stream;

    posted = &ngx_http_longpoll_stream_posted;

    for (left = NGX_HTTP_LONGPOLL_STREAM_SLICE;
         left && !ngx_queue_empty(posted) && !ngx_http_longpoll_unsent_full();
         left--)
    {
        q = ngx_queue_head(posted);
        stream = ngx_queue_data(q, ngx_http_longpoll_stream_t, queue);

        ngx_queue_remove(q);
        stream->posted = 0;

        ngx_http_set_log_request(stream->waiter.request->connection->log,
                                 stream->waiter.request);
        ngx_http_longpoll_stream_next(stream);
    }

    if (!ngx_queue_empty(posted) && !ev->posted) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


/* the client has taken all: reads what is next, or ends */

static void
ngx_http_longpoll_stream_next(ngx_http_longpoll_stream_t *stream)
{
    ngx_int_t                     rc;
    ngx_uint_t                    n;
    ngx_http_longpoll_reading_t   reading;

    for (n = 0; n < NGX_HTTP_LONGPOLL_STREAM_ANSWERS; n++) {

        if (ngx_http_longpoll_stream_is_over(stream)) {
            ngx_http_longpoll_stream_end(stream);
            return;
        }

        rc = ngx_http_longpoll_deliver_read(&reading, stream->ctx,
                                            &stream->cursor, stream->limit,
                                            NGX_HTTP_LONGPOLL_READ_PARK);

        if (ngx_http_longpoll_stream_answer(stream, &reading, rc, 0)
            != NGX_OK)
        {
            return;
        }
    }

    ngx_http_longpoll_stream_post(stream);
}


/*
 * Sends what was read.  beat: a place is due if there are no events.
 *
 * NGX_OK    the client has taken it, and there is more to read
 * NGX_DONE  the stream waits, or has ended
 */

static ngx_int_t
ngx_http_longpoll_stream_answer(ngx_http_longpoll_stream_t *stream,
    ngx_http_longpoll_reading_t *reading, ngx_int_t rc, ngx_uint_t beat)
{
    u_char                    *last;
    ngx_http_longpoll_ctx_t   *ctx;
    ngx_http_longpoll_read_t  *rd;

    ctx = stream->ctx;
    rd = &reading->rd;
    last = stream->text;

    switch (rc) {

    case NGX_OK:
        stream->bytes = reading->bytes;
        ngx_http_longpoll_stream_take(stream, reading);
        break;

    case NGX_AGAIN:
        stream->more = 0;

        if (ngx_http_longpoll_stream_is_parked(stream)) {
            ngx_http_longpoll_interest_keep(ctx->zone, &stream->waiter,
                                            ctx->ncats, ctx->client,
                                            reading->slots, rd->since);

        } else if (ngx_http_longpoll_stream_park(stream, reading) != NGX_OK) {
            ngx_http_longpoll_stream_fail(stream, NGX_ERROR);
            return NGX_DONE;
        }

        if (!beat && !rd->missed && stream->caught_up) {
            return NGX_DONE;
        }

        last = ngx_http_longpoll_stream_place(stream, rd, last);
        break;

    case NGX_ABORT:
        ngx_http_longpoll_stream_end(stream);
        return NGX_DONE;

    default: /* NGX_ERROR */
        ngx_http_longpoll_stream_fail(stream, NGX_ERROR);
        return NGX_DONE;
    }

    rc = ngx_http_longpoll_stream_send(stream, last);

    if (rc == NGX_ERROR) {
        ngx_http_longpoll_stream_fail(stream, NGX_ERROR);
        return NGX_DONE;
    }

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    if (ngx_http_longpoll_stream_is_parked(stream)) {
        ngx_http_longpoll_wait_renew(&stream->waiter,
                                     ngx_http_longpoll_stream_period(stream));

        if (!stream->more) {
            return NGX_DONE;
        }
    }

    return NGX_OK;
}


/*
 * Writes a missed frame, if the read says so, and the place behind which the
 * client has seen nothing, without an id if the zone cannot say it yet.
 * Returns the end of both.
 */

static u_char *
ngx_http_longpoll_stream_place(ngx_http_longpoll_stream_t *stream,
    ngx_http_longpoll_read_t *rd, u_char *p)
{
    ngx_http_longpoll_ctx_t   *ctx;
    ngx_http_longpoll_uuid_t   uuid;

    ctx = stream->ctx;

    if (rd->missed) {
        p = ngx_http_longpoll_sse_missed(p);
        ngx_http_longpoll_zone_count(ctx->zone, missed, 1);
    }

    ngx_http_longpoll_id_uuid(&uuid, rd->place_id, rd->epoch);
    p = ngx_http_longpoll_sse_place(p, 0, rd->place_id ? &uuid : NULL);

    stream->caught_up = (rd->place_id != 0);
    ngx_http_longpoll_cursor_move(ctx->zone, &stream->cursor, rd->place_id,
                                  rd->missed);

    return p;
}


/* counts the events in stream->bytes, and moves the cursor behind them */

static void
ngx_http_longpoll_stream_take(ngx_http_longpoll_stream_t *stream,
    ngx_http_longpoll_reading_t *reading)
{
    ngx_http_longpoll_shared_t  *bytes;

    bytes = stream->bytes;

    ngx_http_longpoll_deliver_count(stream->ctx, bytes);
    ngx_http_longpoll_cursor_move(stream->ctx->zone, &stream->cursor,
                                  bytes->last, bytes->missed);

    stream->more = reading->more || !ngx_http_longpoll_stream_stands(stream);
}


/*
 * Whether a PARKED stream will be woken for every later message.  If not, it
 * must read until a read finds nothing (ngx_http_longpoll_interest.h).
 */

static ngx_uint_t
ngx_http_longpoll_stream_stands(ngx_http_longpoll_stream_t *stream)
{
    ngx_uint_t  i;

    if (!ngx_http_longpoll_stream_is_parked(stream)) {
        return 1;
    }

    for (i = 0; i < stream->ctx->ncats; i++) {
        if (!ngx_http_longpoll_interest_stands(stream->waiter.links[i].cat)) {
            return 0;
        }
    }

    return 1;
}


/*
 * Sends the frames in text up to last, and the events.
 *
 * NGX_OK     the client has taken all
 * NGX_AGAIN  it has not: the stream is HELD
 * NGX_ERROR
 */

static ngx_int_t
ngx_http_longpoll_stream_send(ngx_http_longpoll_stream_t *stream, u_char *last)
{
    ngx_int_t  rc;

    stream->busy = 1;

    if (stream->direct && last == stream->text) {
        rc = ngx_http_longpoll_stream_send_chunk(stream);

    } else {
        rc = ngx_http_longpoll_stream_send_frames(stream, last);
    }

    ngx_http_longpoll_point("sent");

    if (rc != NGX_AGAIN) {
        return rc;
    }

    if (stream->bytes
        && ngx_http_longpoll_unsent_enter(&stream->unsent,
                                          stream->waiter.request, stream->bytes)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_longpoll_stream_is_parked(stream)) {
        ngx_http_longpoll_wait_hold(&stream->waiter);
    }

    return NGX_AGAIN;
}


/* the events alone, past the filters */

static ngx_int_t
ngx_http_longpoll_stream_send_chunk(ngx_http_longpoll_stream_t *stream)
{
    ngx_int_t                    rc;
    ngx_http_longpoll_shared_t  *bytes;

    bytes = stream->bytes;

    stream->events.pos = bytes->chunk;
    stream->events.last = ngx_http_longpoll_shared_chunk_last(bytes);

    rc = ngx_http_longpoll_direct_send(stream->waiter.request, &stream->events);

    if (rc != NGX_OK) {
        return (rc == NGX_ERROR) ? rc : ngx_http_longpoll_stream_sent(stream);
    }

    stream->busy = 0;
    ngx_http_longpoll_stream_release(stream);

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_stream_send_frames(ngx_http_longpoll_stream_t *stream,
    u_char *last)
{
    ngx_buf_t    *b;
    ngx_chain_t   frames, events, *out;

    out = NULL;
    b = NULL;

    if (stream->bytes) {
        b = &stream->events;
        b->pos = stream->bytes->data;
        b->last = b->pos + stream->bytes->len;

        events.buf = b;
        events.next = NULL;
        out = &events;
    }

    if (last != stream->text) {
        stream->frames.pos = stream->text;
        stream->frames.last = last;
        stream->frames.flush = (b == NULL);

        frames.buf = &stream->frames;
        frames.next = out;
        out = &frames;
    }

    if (ngx_http_output_filter(stream->waiter.request, out) == NGX_ERROR) {
        return NGX_ERROR;
    }

    return ngx_http_longpoll_stream_sent(stream);
}


/* NGX_OK: the client has taken all; NGX_AGAIN: nginx waits for it; NGX_ERROR */

static ngx_int_t
ngx_http_longpoll_stream_sent(ngx_http_longpoll_stream_t *stream)
{
    ngx_event_t               *wev;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = stream->waiter.request;
    c = r->connection;
    wev = c->write;

    if (ngx_http_longpoll_stream_is_taken(stream)) {
        stream->busy = 0;
        ngx_http_longpoll_stream_release(stream);

        if (wev->timer_set && !wev->delayed) {
            ngx_del_timer(wev);
        }

        return NGX_OK;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


/*
 * Whether nginx has nothing left to send.  subs_filter, a module of others,
 * sets the mark of the filter sub on the connection, where nginx has it on the
 * request, and keeps it set until the answer ends.  With HTTP/2 the same bit is
 * nginx's own mark of a connection.
 */

static ngx_uint_t
ngx_http_longpoll_stream_is_taken(ngx_http_longpoll_stream_t *stream)
{
    unsigned             buffered;
    ngx_http_request_t  *r;

    r = stream->waiter.request;
    buffered = r->connection->buffered;

#if (NGX_HTTP_V2)

    if (r->stream == NULL)

#endif
    {
        buffered &= ~NGX_HTTP_SUB_BUFFERED;
    }

    return !buffered && !r->buffered && !r->postponed
           && stream->frames.pos == stream->frames.last
           && stream->events.pos == stream->events.last;
}


/* also the cleanup of the request's pool */

static void
ngx_http_longpoll_stream_release(void *data)
{
    ngx_http_longpoll_stream_t *stream = data;

    ngx_http_longpoll_unsent_leave(&stream->unsent);

    if (stream->bytes) {
        ngx_http_longpoll_shared_release(stream->bytes);
        stream->bytes = NULL;
    }
}


/*
 * the client
 */


/* bytes have come from the client, or it has left */

static void
ngx_http_longpoll_stream_client_handler(ngx_http_request_t *r)
{
    ngx_http_longpoll_disconnect_test(r, ngx_http_longpoll_stream_cleanup);
}


/* the client can take more */

static void
ngx_http_longpoll_stream_write_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_event_t                 *wev;
    ngx_connection_t            *c;
    ngx_http_longpoll_ctx_t     *ctx;
    ngx_http_longpoll_stream_t  *stream;

    c = r->connection;
    wev = c->write;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);
    stream = ngx_http_longpoll_stream_of(ctx->waiter);

    if (!stream->busy) {
        ngx_http_longpoll_stream_client_handler(r);
        return;
    }

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;
        ngx_http_longpoll_stream_fail(stream, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (!wev->delayed && ngx_http_output_filter(r, NULL) == NGX_ERROR) {
        ngx_http_longpoll_stream_fail(stream, NGX_ERROR);
        return;
    }

    rc = ngx_http_longpoll_stream_sent(stream);

    if (rc == NGX_OK && ngx_http_longpoll_stream_is_over(stream)) {

        /* not in a next turn: a worker that leaves may have none */

        ngx_http_longpoll_stream_end(stream);

    } else if (rc == NGX_OK) {
        ngx_http_longpoll_stream_post(stream);

    } else if (rc == NGX_ERROR) {
        ngx_http_longpoll_stream_fail(stream, NGX_ERROR);
    }
}


/*
 * the end
 */


/* ends a stream that is not busy, as an answer ends */

static void
ngx_http_longpoll_stream_end(ngx_http_longpoll_stream_t *stream)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = stream->waiter.request;
    c = r->connection;

    ngx_http_finalize_request(r, ngx_http_longpoll_stream_last(stream));
    ngx_http_run_posted_requests(c);
}


/* the stream leaves; returns what its request is to be finalized with */

static ngx_int_t
ngx_http_longpoll_stream_last(ngx_http_longpoll_stream_t *stream)
{
    ngx_http_longpoll_ctx_t  *ctx;

    ctx = stream->ctx;

    if (ngx_exiting || ngx_http_longpoll_zone_is_frozen(ctx->zone)) {
        ctx->result = NGX_HTTP_LONGPOLL_CLOSING;

    } else {
        ctx->result = NGX_HTTP_LONGPOLL_TIMEOUT;
        ngx_http_longpoll_zone_count(ctx->zone, timeouts, 1);
    }

    ngx_http_longpoll_stream_leave(stream);

    return ngx_http_send_special(stream->waiter.request, NGX_HTTP_LAST);
}


/* ends a stream at any time; rc: what its request is finalized with */

static void
ngx_http_longpoll_stream_fail(ngx_http_longpoll_stream_t *stream, ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = stream->waiter.request;
    c = r->connection;

    ngx_http_longpoll_stream_cleanup(stream);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/* the client has left; or nginx has ended the request, perhaps long ago */

static void
ngx_http_longpoll_stream_cleanup(void *data)
{
    ngx_http_longpoll_stream_t  *stream = data;

    if (stream->waiter.state == NGX_HTTP_LONGPOLL_WAIT_LEFT) {
        return;
    }

    ngx_http_longpoll_stream_leave(stream);

    stream->ctx->result = NGX_HTTP_LONGPOLL_GONE;
    ngx_http_longpoll_zone_count(stream->ctx->zone, disconnected, 1);
}


static void
ngx_http_longpoll_stream_leave(ngx_http_longpoll_stream_t *stream)
{
    if (stream->posted) {
        stream->posted = 0;
        ngx_queue_remove(&stream->queue);
    }

    ngx_http_longpoll_unsent_leave(&stream->unsent);
    ngx_http_longpoll_wait_leave(&stream->waiter);
    ngx_http_longpoll_announce_end(stream->ctx->zone, stream->ctx->cats,
                                   stream->ctx->ncats);

    ngx_http_longpoll_interest_count(stream->ctx->zone, -1);

    ngx_http_longpoll_disconnect_unwatch(stream->waiter.request);
}
