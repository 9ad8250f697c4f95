
/*
 * ngx_http_longpoll_protocol_golongpoll.c: polls as golongpoll has them.
 *
 *     GET ?category=farm&timeout=45&since_time=1616040198000&last_id=0198...
 *
 *     200 {"events":[{"timestamp":...,"category":"farm","data":...,"id":...}]}
 *     200 {"timeout":"no events before timeout","timestamp":...}
 *     {"error": "..."}  with longpoll_error_status
 *
 * The client has the cursor: it sends back the timestamp and the id of what it
 * was given last, or the timestamp of a time-out.
 */


#include "ngx_http_longpoll_protocol_golongpoll.h"
#include "ngx_http_longpoll_arguments.h"
#include "ngx_http_longpoll_cursor.h"
#include "ngx_http_longpoll_golongpoll.h"
#include "ngx_http_longpoll_protocol_sse.h"


static ngx_int_t ngx_http_longpoll_protocol_golongpoll_query(
    ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_cursor_t *cursor, ngx_msec_t *timeout);
static ngx_int_t ngx_http_longpoll_protocol_golongpoll_head(
    ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx);
static ngx_http_longpoll_shared_t *
    ngx_http_longpoll_protocol_golongpoll_encode(ngx_http_longpoll_read_t *rd);
static ngx_int_t ngx_http_longpoll_protocol_golongpoll_nothing(
    ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_read_t *rd, ngx_uint_t closing);


ngx_http_longpoll_protocol_t  ngx_http_longpoll_protocol_golongpoll = {
    0,                                              /* streams */
    &ngx_http_longpoll_protocol_sse,
    NULL,                                           /* wanted: always */
    1,                                              /* shared */
    ngx_http_longpoll_protocol_golongpoll_query,
    ngx_http_longpoll_protocol_golongpoll_head,
    ngx_http_longpoll_golongpoll_event_cost,
    ngx_http_longpoll_protocol_golongpoll_encode,
    ngx_http_longpoll_response_shared,              /* send */
    ngx_http_longpoll_protocol_golongpoll_nothing,
    NULL,                                           /* unknown: no clients */
    ngx_http_longpoll_response_error,
    { NULL }
};


/* the last query, and the location that it was asked in */
static ngx_http_longpoll_query_cache_t  ngx_http_longpoll_protocol_cache;


static ngx_int_t
ngx_http_longpoll_protocol_golongpoll_query(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_msec_t *timeout)
{
    return ngx_http_longpoll_arguments(r, ctx, cursor, timeout,
                                       &ngx_http_longpoll_protocol_cache, NULL);
}


static ngx_int_t
ngx_http_longpoll_protocol_golongpoll_head(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx)
{
    ctx->result = NGX_HTTP_LONGPOLL_NONE;

    return ngx_http_longpoll_response_to_head(r);
}


static ngx_http_longpoll_shared_t *
ngx_http_longpoll_protocol_golongpoll_encode(ngx_http_longpoll_read_t *rd)
{
    size_t                       len;
    ngx_http_longpoll_shared_t  *bytes;

    len = ngx_http_longpoll_golongpoll_events_len(rd->cats, rd->msgs,
                                                  rd->nmsgs, rd->missed);

    bytes = ngx_http_longpoll_shared_create(rd, len);

    if (bytes) {
        (void) ngx_http_longpoll_golongpoll_events(bytes->data, rd->cats,
                                                   rd->msgs, rd->nmsgs,
                                                   rd->missed);
    }

    return bytes;
}


/* the answer of a time-out, or of a worker that leaves */

static ngx_int_t
ngx_http_longpoll_protocol_golongpoll_nothing(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_read_t *rd,
    ngx_uint_t closing)
{
    uint64_t   timestamp;
    ngx_str_t  body;

    body.data = ngx_pnalloc(r->pool, NGX_HTTP_LONGPOLL_GOLONGPOLL_TIMEOUT_LEN);
    if (body.data == NULL) {
        ctx->result = NGX_HTTP_LONGPOLL_ERROR;
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    timestamp = ngx_http_longpoll_cursor_timestamp(ctx->zone, rd, closing);

    body.len = ngx_http_longpoll_golongpoll_timeout(body.data, timestamp,
                                                    rd->missed)
               - body.data;

    if (rd->missed) {
        ngx_http_longpoll_zone_count(ctx->zone, missed, 1);
    }

    return ngx_http_longpoll_response_json(r, NGX_HTTP_OK, &body);
}
