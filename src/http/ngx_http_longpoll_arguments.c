
/*
 * ngx_http_longpoll_arguments.c: the arguments of a poll or a stream.
 *
 *     longpoll_category ─┐
 *     query string ──────┼─▶ query ──▶ categories, timeout, cursor
 *     Last-Event-ID ─────┘     └─────▶ the client is told what is wrong
 *
 * After a fan-out all its clients ask with the same query.  So the last query
 * is kept with the hash of its category.
 */


#include "ngx_http_longpoll_arguments.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_cursor.h"


static ngx_int_t ngx_http_longpoll_arguments_parse(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_query_t *q,
    ngx_http_longpoll_query_cache_t *cache);


ngx_int_t
ngx_http_longpoll_arguments(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_msec_t *timeout, ngx_http_longpoll_query_cache_t *cache,
    ngx_str_t *last_event_id)
{
    ngx_int_t                  rc;
    ngx_http_longpoll_cat_t    cats[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    ngx_http_longpoll_query_t  q;

    q.cats = cats;
    q.last_event_id = last_event_id;

    rc = ngx_http_longpoll_arguments_parse(r, ctx, &q, cache);
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
ngx_http_longpoll_arguments_parse(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_query_t *q,
    ngx_http_longpoll_query_cache_t *cache)
{
    u_char                          *buf;
    ngx_int_t                        rc;
    ngx_str_t                        error;
    ngx_uint_t                       cached;
    ngx_http_longpoll_configured_t   conf, *configured;
    ngx_http_longpoll_loc_conf_t    *llcf;
    u_char                           text[NGX_HTTP_LONGPOLL_QUERY_ERROR];

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    rc = ngx_http_longpoll_category_values(r, &conf);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* the values of longpoll_category differ from request to request */

    configured = (rc == NGX_DECLINED) ? NULL : &conf;
    cached = (configured == NULL
              && (q->last_event_id == NULL || q->last_event_id->len == 0));

    if (cached && ngx_http_longpoll_query_cached(cache, llcf, &r->args, q)) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_category_buffer(r, &buf) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_longpoll_query_parse(q, &r->args, buf, configured,
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
