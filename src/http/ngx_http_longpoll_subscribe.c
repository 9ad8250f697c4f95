
/*
 * ngx_http_longpoll_subscribe.c: GET and HEAD on a subscribe location.
 *
 *     GET ── protocol: query ──┬─ wrong ──────────▶ error
 *                              ├─ HEAD ───────────▶ headers
 *                              ├─ cannot wait ────▶ deliver: what is there
 *                              ├─ stream ─────────▶ head, then frames
 *                              └─ poll: deliver ─┬▶ what is there
 *                                                └▶ parked, answered later
 *
 * How a request is read and an answer looks is the protocol's
 * (ngx_http_longpoll_protocol.h).  Reading the zone and answering is deliver's,
 * waiting is poll's and stream's.
 */


#include "ngx_http_longpoll_subscribe.h"
#include "ngx_http_longpoll_deliver.h"
#include "ngx_http_longpoll_discard.h"
#include "ngx_http_longpoll_poll.h"
#include "ngx_http_longpoll_protocol.h"
#include "ngx_http_longpoll_stream.h"
#include "ngx_http_longpoll_unsent.h"


static ngx_int_t ngx_http_longpoll_subscribe_later(ngx_http_request_t *r);
static void ngx_http_longpoll_subscribe_retry(ngx_http_request_t *r);
static ngx_inline ngx_uint_t ngx_http_longpoll_subscribe_streams(
    ngx_http_request_t *r, ngx_http_longpoll_loc_conf_t *llcf);
static ngx_msec_t ngx_http_longpoll_subscribe_age(ngx_http_request_t *r);
static ngx_int_t ngx_http_longpoll_subscribe_now(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor);


ngx_int_t
ngx_http_longpoll_subscribe_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_msec_t                     timeout;
    ngx_http_longpoll_ctx_t       *ctx;
    ngx_http_longpoll_cursor_t     cursor;
    ngx_http_longpoll_loc_conf_t  *llcf;

    if (ngx_http_longpoll_unsent_answers
        && ngx_http_longpoll_unsent_full() && r == r->main && !r->post_action
        && r->connection->data == r)
    {
        return ngx_http_longpoll_subscribe_later(r);
    }

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    rc = ngx_http_longpoll_discard(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_longpoll_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->result = NGX_HTTP_LONGPOLL_ERROR;
    ctx->zone = llcf->subscribe;
    ctx->protocol = llcf->protocol;
    ctx->age = ngx_http_longpoll_subscribe_age(r);

    if (ngx_http_longpoll_subscribe_streams(r, llcf)) {
        ctx->protocol = llcf->protocol->stream;
    }

    rc = ctx->protocol->query(r, ctx, &cursor, &timeout);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    if (r->method == NGX_HTTP_HEAD) {
        return ctx->protocol->head(r, ctx);
    }

    if (ctx->protocol->streams) {
        return ngx_http_longpoll_stream(r, ctx, &cursor, timeout);
    }

    if (r != r->main || r->post_action || ngx_exiting) {
        return ngx_http_longpoll_subscribe_now(r, ctx, &cursor);
    }

    return ngx_http_longpoll_poll(r, ctx, &cursor, timeout);
}


/*
 * Answers that clients do not take have all the memory that they may have.  In
 * the next turn of nginx's loop some of them have been given up.
 */

static ngx_int_t
ngx_http_longpoll_subscribe_later(ngx_http_request_t *r)
{
    r->main->count++;
    r->write_event_handler = ngx_http_longpoll_subscribe_retry;

    ngx_post_event(r->connection->write, &ngx_posted_next_events);

    return NGX_DONE;
}


static void
ngx_http_longpoll_subscribe_retry(ngx_http_request_t *r)
{
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_finalize_request(r, ngx_http_longpoll_subscribe_handler(r));
}


/* a subrequest and a post action are polls */

static ngx_inline ngx_uint_t
ngx_http_longpoll_subscribe_streams(ngx_http_request_t *r,
    ngx_http_longpoll_loc_conf_t *llcf)
{
    ngx_http_longpoll_protocol_t  *stream;

#if (NGX_HTTP_HEADERS)

    if (r->headers_in.accept == NULL) {
        return 0;
    }

#endif

    stream = llcf->protocol->stream;

    return stream && llcf->stream != NGX_HTTP_LONGPOLL_STREAM_OFF
           && r == r->main && !r->post_action && stream->wanted(r);
}


/*
 * How long ago the client's request began: nginx may have held it back, as
 * limit_req and auth_request do.
 */

static ngx_msec_t
ngx_http_longpoll_subscribe_age(ngx_http_request_t *r)
{
    ngx_time_t      *tp;
    ngx_msec_int_t   ms;

    tp = ngx_timeofday();

    if (tp->msec == r->main->start_msec && tp->sec == r->main->start_sec) {
        return 0;
    }

    ms = (ngx_msec_int_t) ((tp->sec - r->main->start_sec) * 1000
                           + (tp->msec - r->main->start_msec));

    return ngx_max(ms, 0);
}


/*
 * A subrequest cannot wait, and a post action has no client; they take nothing
 * from the zone.  In a leaving worker nothing is parked any more.
 */

static ngx_int_t
ngx_http_longpoll_subscribe_now(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor)
{
    ngx_int_t                      rc;
    ngx_uint_t                     closing;
    ngx_http_longpoll_reading_t    reading;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    closing = (r == r->main && !r->post_action);

    rc = ngx_http_longpoll_deliver_read(&reading, ctx, cursor,
                                        llcf->max_response_size,
                                        closing ? NGX_HTTP_LONGPOLL_READ_LAST
                                                : NGX_HTTP_LONGPOLL_READ_PEEK);

    return ngx_http_longpoll_deliver_answer(r, ctx, &reading, rc, closing);
}
