
/*
 * ngx_http_longpoll_delete.c: deletes the events of categories.
 *
 * The request names its categories as a poll does.  Polls that wait for them
 * go on waiting, and no client is told that it missed the deleted events.
 *
 * Each category is deleted in a lock hold of its own, before the answer is
 * sent.  So a poll of several categories may see some of them deleted and
 * others not yet.  In a zone over Redis a delete is one entry of the stream,
 * and the answer waits for it as that of a publish does.
 */


#include "ngx_http_longpoll_delete.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_discard.h"
#include "ngx_http_longpoll_publish.h"
#include "ngx_http_longpoll_relay.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_delete.h"


static ngx_int_t ngx_http_longpoll_delete_relay(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx);
static void ngx_http_longpoll_delete_relayed(
    ngx_http_longpoll_publisher_t *publisher, ngx_int_t rc);


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

    rc = ngx_http_longpoll_discard(r);
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

    if (ctx->zone->cluster) {
        return ngx_http_longpoll_delete_relay(r, ctx);
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


static ngx_int_t
ngx_http_longpoll_delete_relay(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_relay_delete(ctx->zone, r, ctx->cats, ctx->ncats,
                                     ngx_http_longpoll_delete_relayed);

    if (rc == NGX_DONE) {
        r->main->count++;
        return NGX_DONE;
    }

    return rc == NGX_DECLINED ? ngx_http_longpoll_publish_untaken(r, ctx, rc)
                              : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
ngx_http_longpoll_delete_relayed(ngx_http_longpoll_publisher_t *publisher,
    ngx_int_t rc)
{
    ngx_http_request_t       *r;
    ngx_http_longpoll_ctx_t  *ctx;

    r = publisher->request;
    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    if (rc == NGX_OK || rc == NGX_DONE) {
        ctx->result = NGX_HTTP_LONGPOLL_DELETED;
        rc = ngx_http_longpoll_response_success(r);

    } else {
        rc = ngx_http_longpoll_publish_untaken(r, ctx, rc);
    }

    ngx_http_finalize_request(r, rc);
}
