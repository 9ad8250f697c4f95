
/*
 * ngx_http_longpoll_deliver.c: from the zone to the client.
 *
 * The waiters of a category are woken one after the other, and most of them
 * want the same bytes.  So the last answer of each protocol is kept until all
 * have been woken:
 *
 *     ids    from ··· cursor ··· cursor ··· first ─ message ─ last
 *            |______________________________|
 *              no message of this category
 *
 * The answer was read for the cursor `from`, and its first message is `first`.
 * Between the two there is no message of the category, so the answer is right
 * for every cursor there.  The waiters that are woken together have their
 * cursors there, since each has seen all that was there when it was parked.
 *
 * Besides, an answer that some client has not taken yet serves every read that
 * finds the same messages (ngx_http_longpoll_unsent.h).
 *
 * An answer that says `missed`, or is for several categories, serves no other
 * waiter.  gpoll shares no answer, since each read moves a client's cursor.
 * Its last message is kept all the same: a read that finds that message again
 * (rd->have is its id) does not copy its bytes.
 */


#include "ngx_http_longpoll_deliver.h"
#include "ngx_http_longpoll_announce.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_unsent.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_epoch.h"


static ngx_uint_t ngx_http_longpoll_deliver_serves(
    ngx_http_longpoll_answer_t *answer, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_cursor_t *cursor, size_t limit);
static void ngx_http_longpoll_deliver_keep(ngx_http_longpoll_answer_t *answer,
    ngx_http_longpoll_reading_t *reading, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_cursor_t *cursor, size_t limit);
static ngx_int_t ngx_http_longpoll_deliver_events(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_reading_t *reading);
static ngx_int_t ngx_http_longpoll_deliver_nothing(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_read_t *rd,
    ngx_uint_t closing);
static ngx_int_t ngx_http_longpoll_deliver_unknown(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_read_t *rd);


/* the answers that are kept, at most one for each protocol */
static ngx_http_longpoll_answer_t  *ngx_http_longpoll_deliver_kept;


ngx_int_t
ngx_http_longpoll_deliver_read(ngx_http_longpoll_reading_t *reading,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    size_t limit, ngx_http_longpoll_read_e mode)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_http_longpoll_read_t        *rd;
    ngx_http_longpoll_answer_t      *answer;
    ngx_http_longpoll_protocol_t    *protocol;

    protocol = ctx->protocol;
    answer = &protocol->answer;

    rd = &reading->rd;

    rd->mode = mode;
    rd->worker = ngx_http_longpoll_notify_worker();
    rd->cats = ctx->cats;
    rd->ncats = ctx->ncats;
    rd->cursor = *cursor;
    rd->limit = limit;
    rd->costs = reading->costs;
    rd->slots = reading->slots;
    rd->client = ctx->client;
    rd->by_id = protocol->streams;
    rd->have = 0;

    if (answer->bytes && answer->zone == ctx->zone) {
        rd->have = answer->bytes->first;
    }

    for (i = 0; i < ctx->ncats; i++) {
        reading->costs[i] = protocol->cost(&ctx->cats[i].name);
    }

    for ( ;; ) {
        rc = ngx_http_longpoll_zone_read(ctx->zone, rd,
                                         ngx_http_longpoll_zone_clock_now(
                                                                   ctx->zone));

        *cursor = rd->cursor;
        reading->more = rd->more;

        ngx_http_longpoll_announce_check(ctx->zone);

        if (rc != NGX_OK) {
            return rc;
        }

        if (ngx_http_longpoll_unsent_answers) {
            reading->bytes = ngx_http_longpoll_unsent_find(ctx, rd);

            if (reading->bytes) {
                (void) ngx_http_longpoll_zone_read_valid(ctx->zone);
                return NGX_OK;
            }
        }

        if (rd->msgs[0].data.len == 0) {

            /* it is the message rd->have, whose bytes the answer has */

            reading->bytes = answer->bytes;
            reading->bytes->refs++;

        } else {
            reading->bytes = protocol->encode(rd);
        }

        if (reading->bytes == NULL) {
            return NGX_ERROR;
        }

        if (ngx_http_longpoll_zone_read_valid(ctx->zone)) {
            break;
        }

        ngx_http_longpoll_shared_release(reading->bytes);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_deliver_wake(ngx_http_longpoll_reading_t *reading,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    size_t limit)
{
    ngx_int_t                    rc;
    ngx_http_longpoll_answer_t  *answer;

    answer = &ctx->protocol->answer;

    if (ngx_http_longpoll_deliver_serves(answer, ctx, cursor, limit)) {
        reading->bytes = answer->bytes;
        reading->bytes->refs++;
        reading->more = answer->more;

        return NGX_OK;
    }

    rc = ngx_http_longpoll_deliver_read(reading, ctx, cursor, limit,
                                        NGX_HTTP_LONGPOLL_READ_WAKE);

    if (rc == NGX_OK) {
        ngx_http_longpoll_deliver_keep(answer, reading, ctx, cursor, limit);
    }

    return rc;
}


static ngx_uint_t
ngx_http_longpoll_deliver_serves(ngx_http_longpoll_answer_t *answer,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    size_t limit)
{
    ngx_http_longpoll_cat_t  *cat;

    if (answer->bytes == NULL || answer->bytes->missed
        || answer->zone != ctx->zone || answer->limit != limit
        || ctx->ncats != 1 || cursor->lost
        || ngx_http_longpoll_zone_epoch_other(ctx->zone, cursor)
        || cursor->id < answer->from || cursor->id >= answer->bytes->first)
    {
        return 0;
    }

    cat = ctx->cats;

    return cat->hash[0] == answer->hash[0] && cat->hash[1] == answer->hash[1]
           && (answer->expires == 0
               || answer->expires
                  > ngx_http_longpoll_zone_clock_now(ctx->zone));
}


static void
ngx_http_longpoll_deliver_keep(ngx_http_longpoll_answer_t *answer,
    ngx_http_longpoll_reading_t *reading, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_cursor_t *cursor, size_t limit)
{
    reading->bytes->refs++;

    if (answer->bytes) {
        ngx_http_longpoll_shared_release(answer->bytes);

    } else {
        answer->next = ngx_http_longpoll_deliver_kept;
        ngx_http_longpoll_deliver_kept = answer;
    }

    answer->bytes = reading->bytes;
    answer->zone = ctx->zone;
    answer->hash[0] = ctx->cats[0].hash[0];
    answer->hash[1] = ctx->cats[0].hash[1];

    /*
     * An answer for several categories serves no other waiter.  Nor does the
     * answer to a poll from the beginning: what makes others miss something
     * (an earlier epoch) does not count for it, so its answer may lack their
     * `missed`.
     */

    answer->from = (ctx->protocol->shared && ctx->ncats == 1
                    && !cursor->beginning) ? cursor->id : (uint64_t) -1;
    answer->limit = limit;
    answer->more = reading->more;
    answer->expires = ngx_http_longpoll_zone_ttl(ctx->zone);

    if (answer->expires) {
        answer->expires += ngx_http_longpoll_id_ms(reading->bytes->first);
    }
}


void
ngx_http_longpoll_deliver_woken(void)
{
    ngx_http_longpoll_answer_t  *answer;

    for (answer = ngx_http_longpoll_deliver_kept; answer; answer = answer->next)
    {
        ngx_http_longpoll_shared_release(answer->bytes);
        answer->bytes = NULL;
    }

    ngx_http_longpoll_deliver_kept = NULL;
}


ngx_int_t
ngx_http_longpoll_deliver_answer(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_reading_t *reading,
    ngx_int_t rc, ngx_uint_t closing)
{
    switch (rc) {

    case NGX_OK:
        return ngx_http_longpoll_deliver_events(r, ctx, reading);

    case NGX_AGAIN:
        return ngx_http_longpoll_deliver_nothing(r, ctx, &reading->rd,
                                                 closing);

    case NGX_ABORT:

        /* this worker is told to leave in a moment */

        r->keepalive = 0;

        return ngx_http_longpoll_deliver_nothing(r, ctx, &reading->rd, 1);

    case NGX_DONE:
        return ngx_http_longpoll_deliver_unknown(r, ctx, &reading->rd);

    default: /* NGX_ERROR */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


static ngx_int_t
ngx_http_longpoll_deliver_events(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_reading_t *reading)
{
    ctx->result = NGX_HTTP_LONGPOLL_EVENTS;

    ngx_http_longpoll_deliver_count(ctx, reading->bytes);

    return ctx->protocol->send(r, reading->bytes);
}


static ngx_int_t
ngx_http_longpoll_deliver_nothing(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_read_t *rd,
    ngx_uint_t closing)
{
    ctx->result = closing ? NGX_HTTP_LONGPOLL_CLOSING
                          : NGX_HTTP_LONGPOLL_TIMEOUT;

    ngx_http_longpoll_zone_count(ctx->zone, timeouts, 1);

    return ctx->protocol->nothing(r, ctx, rd, closing);
}


/*
 * gpoll has no `missed`.  A client whose next message was dropped is unknown
 * from then on, and this answer is how it learns of that.
 */

static ngx_int_t
ngx_http_longpoll_deliver_unknown(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_read_t *rd)
{
    if (rd->missed) {
        ngx_http_longpoll_zone_count(ctx->zone, missed, 1);
    }

    return ctx->protocol->unknown(r);
}
