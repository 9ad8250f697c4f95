
/*
 * ngx_http_longpoll_delete.c: forgetting the events of categories.
 *
 * The categories come as they do in a poll.  Whoever waits goes on waiting, and
 * nobody is told to have missed what was deleted.  All that was published
 * before the request is gone with its answer; each category by itself, so
 * another poll may see some gone and some not yet.
 */


#include "ngx_http_longpoll_delete.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_query.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_zone.h"


static ngx_int_t ngx_http_longpoll_delete_categories(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx);


ngx_int_t
ngx_http_longpoll_delete_handler(ngx_http_request_t *r)
{
    uint64_t                       now;
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    ngx_http_longpoll_ctx_t       *ctx;
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
    ctx->zone = llcf->remove;

    rc = ngx_http_longpoll_delete_categories(r, ctx);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    now = ngx_http_longpoll_now();

    for (i = 0; i < ctx->ncats; i++) {
        ngx_http_longpoll_zone_delete(ctx->zone, &ctx->cats[i], now);
    }

    ctx->result = NGX_HTTP_LONGPOLL_DELETED;

    return ngx_http_longpoll_response_success(r);
}


/* NGX_OK, NGX_DONE when an error was answered, or what to finalize with */

static ngx_int_t
ngx_http_longpoll_delete_categories(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx)
{
    u_char                     *buf;
    ngx_int_t                   rc;
    ngx_str_t                   error;
    ngx_uint_t                  i;
    ngx_http_longpoll_query_t   q;
    ngx_http_longpoll_configured_t   given;

    rc = ngx_http_longpoll_category_configured(r, &given);

    buf = ngx_pnalloc(r->pool, r->args.len);
    q.cats = ngx_palloc(r->pool, NGX_HTTP_LONGPOLL_MAX_CATEGORIES
                                 * sizeof(ngx_http_longpoll_cat_t));

    if (rc == NGX_ERROR || buf == NULL || q.cats == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_longpoll_query_categories(&q, &r->args, buf,
                                           rc == NGX_OK ? &given : NULL,
                                           &error)
        != NGX_OK)
    {
        rc = ngx_http_longpoll_response_error(r, NGX_HTTP_BAD_REQUEST, &error);

        return rc == NGX_OK ? NGX_DONE : rc;
    }

    ctx->cats = q.cats;
    ctx->ncats = q.ncats;

    for (i = 0; i < q.ncats; i++) {
        ngx_http_longpoll_zone_name(ctx->zone, &q.cats[i]);
    }

    return NGX_OK;
}
