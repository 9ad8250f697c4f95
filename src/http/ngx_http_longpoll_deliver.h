
/*
 * ngx_http_longpoll_deliver.h: from the zone to the client.
 *
 *     read ──▶ answer      a new request, a time-out, a leaving worker
 *     wake ──▶ answer      a waiter that was woken
 *
 * NGX_AGAIN the caller may use itself: it parks the request, or leaves it
 * parked.  It passes every other return code on to answer, where each becomes
 * what the client gets, for every protocol.
 *
 * A read that returns NGX_OK may have used the messages up: it has moved a
 * client's cursor, or deleted them.  So they must be sent.
 */


#ifndef _NGX_HTTP_LONGPOLL_DELIVER_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_DELIVER_H_INCLUDED_


#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_protocol.h"


/* a read, with the arrays that it needs, and what is to be sent of it */

typedef struct {
    ngx_http_longpoll_read_t         rd;
    size_t                           costs[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    uint32_t                         slots[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];

    ngx_http_longpoll_shared_t      *bytes;     /* with NGX_OK; one reference
                                                   is the caller's */
    ngx_uint_t                       more;      /* with NGX_OK: the limit left
                                                   messages out */
} ngx_http_longpoll_reading_t;


/*
 * Reads behind the cursor (which it updates) and encodes what is there, up to
 * limit bytes.
 *
 * NGX_OK     messages, encoded: call answer
 * NGX_AGAIN  there is none; PARK and WAKE: reading->slots, where the interest
 *            is registered
 * NGX_ABORT  the zone is frozen: the client is to be sent away
 * NGX_DONE   the zone does not know ctx->client
 * NGX_ERROR  no memory
 */
ngx_int_t ngx_http_longpoll_deliver_read(ngx_http_longpoll_reading_t *reading,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    size_t limit, ngx_http_longpoll_read_e mode);

/* the same for a waiter that was woken: reads, or takes the answer kept */
ngx_int_t ngx_http_longpoll_deliver_wake(ngx_http_longpoll_reading_t *reading,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    size_t limit);

/*
 * Answers with what a read has returned, and releases it.  Returns what to
 * finalize the request with.  closing: the client is sent away by a leaving
 * worker.
 */
ngx_int_t ngx_http_longpoll_deliver_answer(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_reading_t *reading,
    ngx_int_t rc, ngx_uint_t closing);

/* all waiters of a category have been woken: drops the answers kept */
void ngx_http_longpoll_deliver_woken(void);


/* counts messages that are sent, in the figures and for the variables */

static ngx_inline void
ngx_http_longpoll_deliver_count(ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_shared_t *bytes)
{
    ctx->nevents += bytes->nmsgs;
    ctx->last = bytes->last_uuid;

    ngx_http_longpoll_zone_delivered(ctx->zone,
                                     ngx_http_longpoll_notify_worker(),
                                     bytes->nmsgs);

    if (bytes->missed) {
        ngx_http_longpoll_zone_count(ctx->zone, missed, 1);
    }
}


#endif /* _NGX_HTTP_LONGPOLL_DELIVER_H_INCLUDED_ */
