
/*
 * ngx_http_longpoll_delete.c: deletes the events of categories.
 *
 * The request names its categories as a poll does.  Polls that wait for them
 * go on waiting, and no client is told that it missed the deleted events.
 *
 * Each category is deleted in a lock hold of its own, before the answer is
 * sent.  So a poll of several categories may see some of them deleted and
 * others not yet.
 */


#include "ngx_http_longpoll_delete.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_delete.h"


static ngx_str_t  ngx_http_longpoll_delete_replaced =
    ngx_string("The zone is being replaced, try again.");


ngx_int_t
ngx_http_longpoll_delete_handler(ngx_http_request_t *r)
{
    uint64_t                       now;
    ngx_int_t                      rc;
    ngx_str_t                      error;
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
    ctx->zone = llcf->delete;

    rc = ngx_http_longpoll_category_read(r, ctx->zone, &ctx->cats, &ctx->ncats,
                                         &error);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return ngx_http_longpoll_response_error(r, NGX_HTTP_BAD_REQUEST,
                                                &error);
    }

    now = ngx_http_longpoll_zone_clock_now(ctx->zone);

    for (i = 0; i < ctx->ncats; i++) {

        if (ngx_http_longpoll_zone_delete(ctx->zone, &ctx->cats[i], now)
            != NGX_OK)
        {
            r->keepalive = 0;

            return ngx_http_longpoll_response_error(r,
                                           NGX_HTTP_SERVICE_UNAVAILABLE,
                                           &ngx_http_longpoll_delete_replaced);
        }
    }

    ctx->result = NGX_HTTP_LONGPOLL_DELETED;

    return ngx_http_longpoll_response_success(r);
}
