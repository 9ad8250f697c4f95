
/*
 * ngx_http_longpoll_protocol_gpoll.c: polls as gpoll has them.
 *
 *     GET ?client-id=0        200 {"client-id":"N$UUID"}: a new client, whose
 *                                 cursor is the zone's newest message
 *     GET ?client-id=N$UUID   200 the next message, as text
 *                             204 none came in time
 *                             404 no such client, or no longer
 *
 * The zone has the cursor (ngx_http_longpoll_client.h), and a read moves it.
 * So what was read must be sent, and each poll reads for itself.  The
 * categories of a client are those of longpoll_category, anew with every poll.
 *
 * Besides its categories a poll waits for its client: that tells the zone in
 * which workers the client has polls (ngx_http_longpoll_interest.h).
 *
 * Sources: docs/protocol.md, gpoll; gpoll server.go HandleRequests.
 */


#include "ngx_http_longpoll_protocol_gpoll.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_gpoll.h"
#include "ngx_http_longpoll_string.h"
#include "ngx_http_longpoll_query.h"
#include "ngx_http_longpoll_zone_client.h"
#include "ngx_http_longpoll_zone_clock.h"

#include <sys/random.h>


static ngx_int_t ngx_http_longpoll_protocol_gpoll_query(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_msec_t *timeout);
static ngx_int_t ngx_http_longpoll_protocol_gpoll_parse(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx);
static ngx_int_t ngx_http_longpoll_protocol_gpoll_register(
    ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx);
static ngx_int_t ngx_http_longpoll_protocol_gpoll_head(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx);
static size_t ngx_http_longpoll_protocol_gpoll_cost(ngx_str_t *category);
static ngx_http_longpoll_shared_t *ngx_http_longpoll_protocol_gpoll_encode(
    ngx_http_longpoll_read_t *rd);
static ngx_int_t ngx_http_longpoll_protocol_gpoll_nothing(
    ngx_http_request_t *r, ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_read_t *rd, ngx_uint_t closing);
static ngx_int_t ngx_http_longpoll_protocol_gpoll_unknown(
    ngx_http_request_t *r);


ngx_http_longpoll_protocol_t  ngx_http_longpoll_protocol_gpoll = {
    0,                                              /* streams */
    NULL,                                           /* stream */
    NULL,                                           /* wanted */
    0,                                              /* shared */
    ngx_http_longpoll_protocol_gpoll_query,
    ngx_http_longpoll_protocol_gpoll_head,
    ngx_http_longpoll_protocol_gpoll_cost,
    ngx_http_longpoll_protocol_gpoll_encode,
    ngx_http_longpoll_response_plain_shared,        /* send */
    ngx_http_longpoll_protocol_gpoll_nothing,
    ngx_http_longpoll_protocol_gpoll_unknown,
    ngx_http_longpoll_response_plain,               /* error */
    { NULL }
};


static ngx_str_t  ngx_http_longpoll_protocol_gpoll_name =
    ngx_string("client-id");


static ngx_int_t
ngx_http_longpoll_protocol_gpoll_query(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_msec_t *timeout)
{
    ngx_int_t                      rc;
    ngx_http_longpoll_cat_t       *cat;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    rc = ngx_http_longpoll_protocol_gpoll_parse(r, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    /*
     * The poll also waits for its client, under the UUID in place of a hash.
     * category_read() has left room for it behind the categories.
     */

    cat = &ctx->cats[ctx->ncats];
    cat->hash[0] = ctx->client->uuid[0];
    cat->hash[1] = ctx->client->uuid[1];

    ctx->nlinks = ctx->ncats + 1;

    ngx_memzero(cursor, sizeof(ngx_http_longpoll_cursor_t));
    *timeout = llcf->max_timeout;

    return NGX_OK;
}


/* as protocol->query returns */

static ngx_int_t
ngx_http_longpoll_protocol_gpoll_parse(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx)
{
    u_char                        *buf;
    ngx_int_t                      rc;
    ngx_str_t                      id, error;
    ngx_uint_t                     status;
    ngx_http_longpoll_loc_conf_t  *llcf;

    if (ngx_http_longpoll_category_buffer(r, &buf) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_longpoll_query_value(&r->args, buf,
                                  &ngx_http_longpoll_protocol_gpoll_name, &id);

    /* nginx refuses protocol=gpoll without longpoll_category */

    rc = ngx_http_longpoll_category_read(r, ctx->zone, &ctx->cats, &ctx->ncats,
                                         &error);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (id.len < NGX_HTTP_LONGPOLL_GPOLL_SHORT) {
        rc = ngx_http_longpoll_protocol_gpoll_register(r, ctx);
        return rc == NGX_OK ? NGX_DONE : rc;
    }

    if (rc != NGX_OK) {

        /* the client takes the body of a 200 for a message */

        llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);
        status = llcf->error_status == NGX_HTTP_OK ? NGX_HTTP_BAD_REQUEST
                                                   : llcf->error_status;

        rc = ngx_http_longpoll_response_plain(r, status, &error);
        return rc == NGX_OK ? NGX_DONE : rc;
    }

    ctx->client = ngx_palloc(r->pool, sizeof(ngx_http_longpoll_client_t));
    if (ctx->client == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_longpoll_gpoll_parse(&id, ctx->client) != NGX_OK) {
        rc = ngx_http_longpoll_protocol_gpoll_unknown(r);
        return rc == NGX_OK ? NGX_DONE : rc;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_protocol_gpoll_register(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx)
{
    ngx_str_t                   body;
    ngx_http_longpoll_client_t  client;

    if (r->method == NGX_HTTP_HEAD) {
        ctx->result = NGX_HTTP_LONGPOLL_NONE;
        return ngx_http_longpoll_response_plain_to_head(r);
    }

    body.data = ngx_pnalloc(r->pool, NGX_HTTP_LONGPOLL_GPOLL_REGISTERED_LEN);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (getrandom(client.uuid, sizeof(client.uuid), 0) != sizeof(client.uuid))
    {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, ngx_errno,
                      "longpoll: getrandom() failed");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_longpoll_gpoll_uuid(client.uuid);

    if (ngx_http_longpoll_zone_client_add(ctx->zone, &client,
                              ngx_http_longpoll_zone_clock_now(ctx->zone))
        != NGX_OK)
    {
        ctx->result = NGX_HTTP_LONGPOLL_CLOSING;
        r->keepalive = 0;

        return ngx_http_longpoll_response_plain(r, NGX_HTTP_NO_CONTENT, NULL);
    }

    body.len = ngx_http_longpoll_gpoll_registered(body.data, &client)
               - body.data;

    ctx->result = NGX_HTTP_LONGPOLL_REGISTERED;

    return ngx_http_longpoll_response_plain(r, NGX_HTTP_OK, &body);
}


/* reads what the client's next poll would find; the cursor does not move */

static ngx_int_t
ngx_http_longpoll_protocol_gpoll_head(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx)
{
    size_t                    costs[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    ngx_int_t                 rc;
    ngx_http_longpoll_read_t  rd;

    ngx_memzero(&rd, sizeof(ngx_http_longpoll_read_t));
    ngx_memzero(costs, sizeof(costs));

    rd.mode = NGX_HTTP_LONGPOLL_READ_PEEK;
    rd.worker = NGX_HTTP_LONGPOLL_NO_WORKER;
    rd.cats = ctx->cats;
    rd.ncats = ctx->ncats;
    rd.costs = costs;
    rd.client = ctx->client;

    rc = ngx_http_longpoll_zone_read(ctx->zone, &rd,
                              ngx_http_longpoll_zone_clock_now(ctx->zone));

    switch (rc) {

    case NGX_ERROR:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;

    case NGX_DONE:
        return ngx_http_longpoll_protocol_gpoll_unknown(r);

    default: /* NGX_OK, NGX_AGAIN, NGX_ABORT */
        (void) ngx_http_longpoll_zone_read_valid(ctx->zone);

        ctx->result = NGX_HTTP_LONGPOLL_NONE;
        return ngx_http_longpoll_response_plain_to_head(r);
    }
}


/* an answer is one message, whatever the limit is */

static size_t
ngx_http_longpoll_protocol_gpoll_cost(ngx_str_t *category)
{
    return 0;
}


static ngx_http_longpoll_shared_t *
ngx_http_longpoll_protocol_gpoll_encode(ngx_http_longpoll_read_t *rd)
{
    ngx_str_t                   *data;
    ngx_http_longpoll_shared_t  *bytes;

    data = &rd->msgs[0].data;

    bytes = ngx_http_longpoll_shared_create(rd, data->len);

    if (bytes) {
        bytes->len = ngx_http_longpoll_string_text(bytes->data, data)
                     - bytes->data;
    }

    return bytes;
}


static ngx_int_t
ngx_http_longpoll_protocol_gpoll_nothing(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_read_t *rd,
    ngx_uint_t closing)
{
    return ngx_http_longpoll_response_plain(r, NGX_HTTP_NO_CONTENT, NULL);
}


static ngx_int_t
ngx_http_longpoll_protocol_gpoll_unknown(ngx_http_request_t *r)
{
    ngx_str_t  body;

    ngx_str_set(&body, "Unknown client-id.");

    return ngx_http_longpoll_response_plain(r, NGX_HTTP_NOT_FOUND, &body);
}
