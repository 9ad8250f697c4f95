
/*
 * ngx_http_longpoll_publish.c: publishes, from the body to the wake-up.
 *
 *   POST ── body ── json ── zone: append, mark ── notify ── answer
 *
 * nginx reads the body.  In the common case it lies in one buffer, and the only
 * copy made of its data is the one into the zone; a body in pieces or in a file
 * is put together first.  The publisher is answered without waiting for
 * anybody: its own worker's polls are told behind it, the others' by eventfd.
 */


#include "ngx_http_longpoll_publish.h"
#include "ngx_http_longpoll_id.h"
#include "ngx_http_longpoll_json.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_zone.h"


static void ngx_http_longpoll_publish_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_longpoll_publish_read(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_longpoll_publish_store(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_item_t *item);
static ngx_int_t ngx_http_longpoll_publish_one_line(ngx_http_request_t *r,
    ngx_str_t *data);
static ngx_int_t ngx_http_longpoll_publish_refuse(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_uint_t status, ngx_str_t *error);


static ngx_str_t  ngx_http_longpoll_publish_success =
    ngx_string("{\"success\": true}");

static ngx_str_t  ngx_http_longpoll_publish_too_large =
    ngx_string("Event too large, must need at most a quarter of the zone.");

static ngx_str_t  ngx_http_longpoll_publish_id_key =
    ngx_string("Longpoll-Event-Id");


ngx_int_t
ngx_http_longpoll_publish_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_http_longpoll_ctx_t       *ctx;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    ctx = ngx_http_longpoll_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->result = NGX_HTTP_LONGPOLL_ERROR;
    ctx->zone = llcf->publish;

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_longpoll_publish_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_longpoll_publish_body(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  body, error;
    ngx_http_longpoll_ctx_t   *ctx;
    ngx_http_longpoll_item_t   item;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    if (ngx_http_longpoll_publish_read(r, &body) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    if (ngx_http_longpoll_json_parse(&item, body.data, body.len, r->pool,
                                     &error)
        == NGX_OK)
    {
        rc = ngx_http_longpoll_publish_store(r, ctx, &item);

    } else if (error.len) {
        rc = ngx_http_longpoll_publish_refuse(r, ctx, NGX_HTTP_BAD_REQUEST,
                                              &error);
    } else {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(r, rc);
}


/* the body in one piece: where it lies, or a copy */

static ngx_int_t
ngx_http_longpoll_publish_read(ngx_http_request_t *r, ngx_str_t *body)
{
    off_t         len;
    u_char       *p;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_str_set(body, "");

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    b = r->request_body->bufs->buf;

    if (!b->in_file && ngx_buf_size(b) == len) {
        body->data = b->pos;
        body->len = (size_t) len;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, (size_t) len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    body->len = (size_t) len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (!b->in_file) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        n = ngx_read_file(b->file, p, (size_t) (b->file_last - b->file_pos),
                          b->file_pos);

        if (n != b->file_last - b->file_pos) {

            if (n != NGX_ERROR) {
                ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                              "longpoll: read only %z bytes of a "
                              "request body's temporary file", n);
            }

            return NGX_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_publish_store(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_item_t *item)
{
    uint64_t                  wake;
    ngx_str_t                 value;
    ngx_http_longpoll_msg_t   msg;

    if (ngx_http_longpoll_publish_one_line(r, &item->data) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->cats = ngx_palloc(r->pool, sizeof(ngx_http_longpoll_cat_t));
    if (ctx->cats == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->cats->name = item->category;
    ctx->ncats = 1;

    ngx_http_longpoll_zone_name(ctx->zone, ctx->cats);

    msg.cat = 0;
    msg.data = item->data;

    if (ngx_http_longpoll_zone_publish(ctx->zone, ctx->cats, &msg, 1,
                                       ngx_http_longpoll_now(), &wake)
        != NGX_OK)
    {
        return ngx_http_longpoll_publish_refuse(r, ctx,
                                         NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                         &ngx_http_longpoll_publish_too_large);
    }

    if (wake) {
        ngx_http_longpoll_notify_wake(wake);
    }

    ctx->result = NGX_HTTP_LONGPOLL_PUBLISHED;
    ctx->nevents = 1;
    ctx->last_id = msg.id;

    value.len = NGX_HTTP_LONGPOLL_ID_LEN;
    value.data = ngx_pnalloc(r->pool, value.len);
    if (value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) ngx_http_longpoll_id_print(value.data, msg.id, ctx->zone->sh->life);

    if (ngx_http_longpoll_response_header(r, &ngx_http_longpoll_publish_id_key,
                                          &value)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_longpoll_response_json(r, NGX_HTTP_OK,
                                           &ngx_http_longpoll_publish_success);
}


/*
 * golongpoll's file has one event on a line, so line ends, which JSON allows
 * between tokens only, become blanks; not in the body, which is also others'.
 */

static ngx_int_t
ngx_http_longpoll_publish_one_line(ngx_http_request_t *r, ngx_str_t *data)
{
    u_char  *p, *last;

    if (memchr(data->data, LF, data->len) == NULL
        && memchr(data->data, CR, data->len) == NULL)
    {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, data->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, data->data, data->len);

    data->data = p;

    for (last = p + data->len; p < last; p++) {

        if (*p == LF || *p == CR) {
            *p = ' ';
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_publish_refuse(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_uint_t status, ngx_str_t *error)
{
    ngx_http_longpoll_zone_count(ctx->zone, refused, 1);

    return ngx_http_longpoll_response_error(r, status, error);
}
