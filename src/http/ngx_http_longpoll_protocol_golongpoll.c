
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
 *
 * After a fan-out all its clients ask with the same query.  So the last query
 * is kept with the hash of its category.
 */


#include "ngx_http_longpoll_protocol_golongpoll.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_cursor.h"
#include "ngx_http_longpoll_golongpoll.h"
#include "ngx_http_longpoll_query.h"


static ngx_int_t ngx_http_longpoll_protocol_golongpoll_query(
    ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_cursor_t *cursor, ngx_msec_t *timeout);
static ngx_int_t ngx_http_longpoll_protocol_golongpoll_parse(
    ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_query_t *q);
static ngx_int_t ngx_http_longpoll_protocol_golongpoll_head(
    ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx);
static ngx_http_longpoll_shared_t *
    ngx_http_longpoll_protocol_golongpoll_encode(ngx_http_longpoll_read_t *rd);
static ngx_int_t ngx_http_longpoll_protocol_golongpoll_nothing(
    ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_read_t *rd, ngx_uint_t closing);


ngx_http_longpoll_protocol_t  ngx_http_longpoll_protocol_golongpoll = {
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
    ngx_int_t                  rc;
    ngx_http_longpoll_cat_t    cats[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    ngx_http_longpoll_query_t  q;

    q.cats = cats;

    rc = ngx_http_longpoll_protocol_golongpoll_parse(r, ctx, &q);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx->ncats = q.ncats;
    ctx->nlinks = q.ncats;
    ctx->cats = ngx_palloc(r->pool, q.ncats * sizeof(ngx_http_longpoll_cat_t));
    if (ctx->cats == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(ctx->cats, cats, q.ncats * sizeof(ngx_http_longpoll_cat_t));

    ngx_http_longpoll_cursor(ctx->zone, &q, cursor);

    cursor->age = ctx->age;

    *timeout = q.timeout * 1000;

    return NGX_OK;
}


/* as protocol->query returns */

static ngx_int_t
ngx_http_longpoll_protocol_golongpoll_parse(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_query_t *q)
{
    u_char                           *buf;
    ngx_int_t                         rc;
    ngx_str_t                         error;
    ngx_uint_t                        cached;
    ngx_http_longpoll_configured_t    conf;
    ngx_http_longpoll_loc_conf_t     *llcf;
    ngx_http_longpoll_query_cache_t  *cache;
    u_char                            text[NGX_HTTP_LONGPOLL_QUERY_ERROR];

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);
    cache = &ngx_http_longpoll_protocol_cache;

    rc = ngx_http_longpoll_category_values(r, &conf);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* the values of longpoll_category differ from request to request */

    cached = (rc == NGX_DECLINED);

    if (cached && ngx_http_longpoll_query_cached(cache, llcf, &r->args, q)) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_category_buffer(r, &buf) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_longpoll_query_parse(q, &r->args, buf, cached ? NULL : &conf,
                                      llcf->max_timeout / 1000, text, &error)
        != NGX_OK)
    {
        rc = ngx_http_longpoll_response_error(r, llcf->error_status, &error);

        return rc == NGX_OK ? NGX_DONE : rc;
    }

    ngx_http_longpoll_category_hash(ctx->zone, q->cats, q->ncats);

    if (cached) {
        ngx_http_longpoll_query_cache(cache, llcf, &r->args, q);
    }

    return NGX_OK;
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

    bytes = ngx_http_longpoll_shared_create(len, ngx_cycle->log);

    if (bytes) {
        bytes->missed = rd->missed;
        bytes->first = rd->msgs[0].id;

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
