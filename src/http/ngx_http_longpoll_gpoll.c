
/*
 * ngx_http_longpoll_gpoll.c: gpoll's protocol: who asks, and what it is told.
 *
 *   ?client-id=0         ── {"client-id":"N$UUID"}: a new client, which begins
 *                           at the zone's newest place
 *   ?client-id=N$UUID    ── the next one message, as text
 *                        ── 204: none came in time
 *                        ── 404: no such client, or no longer
 *
 * N is the number of the client's entry in the zone, the UUID is of version 4
 * and from the system's random source; an id is good only to the letter.  Which
 * messages are the client's is the configuration's matter, with every poll
 * anew.
 *
 * Sources: docs/protocol.md, gpoll; gpoll server.go HandleRequests.
 */


#include "ngx_http_longpoll_gpoll.h"
#include "ngx_http_longpoll_zone.h"
#include "ngx_http_longpoll_zone_client.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_json.h"
#include "ngx_http_longpoll_query.h"

#include <sys/random.h>


#define NGX_HTTP_LONGPOLL_GPOLL_UUID     36

/* a shorter id asks for a new one */

#define NGX_HTTP_LONGPOLL_GPOLL_SHORT    10

/* {"client-id":"N$UUID"} */

#define NGX_HTTP_LONGPOLL_GPOLL_ANSWER                                        \
    (sizeof("{\"client-id\":\"$\"}") - 1 + NGX_INT32_LEN                      \
     + NGX_HTTP_LONGPOLL_GPOLL_UUID)


/* the text that was made last for parked polls */

typedef struct {
    ngx_http_longpoll_shared_t  *bytes;         /* NULL: none */
    ngx_http_longpoll_zone_t    *zone;
    uint64_t                     id;            /* of its message */
} ngx_http_longpoll_gpoll_answer_t;


static ngx_int_t ngx_http_longpoll_gpoll_head(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx);
static ngx_int_t ngx_http_longpoll_gpoll_categories(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_str_t *error);
static ngx_int_t ngx_http_longpoll_gpoll_register(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx);
static ngx_int_t ngx_http_longpoll_gpoll_error(ngx_http_request_t *r,
    ngx_str_t *error);
static ngx_int_t ngx_http_longpoll_gpoll_parse(ngx_str_t *id,
    ngx_http_longpoll_client_t *client);
static u_char *ngx_http_longpoll_gpoll_print(u_char *p,
    ngx_http_longpoll_client_t *client);


static ngx_str_t  ngx_http_longpoll_gpoll_name = ngx_string("client-id");

static ngx_http_longpoll_gpoll_answer_t  ngx_http_longpoll_gpoll_answer;


ngx_int_t
ngx_http_longpoll_gpoll_query(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx)
{
    u_char                      *buf;
    ngx_int_t                    rc;
    ngx_str_t                    id, error;
    ngx_http_longpoll_client_t  *client;

    buf = NULL;

    if (ngx_http_longpoll_query_escaped(&r->args)) {
        buf = ngx_pnalloc(r->pool, r->args.len);
        if (buf == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ngx_http_longpoll_query_value(&r->args, buf, &ngx_http_longpoll_gpoll_name,
                                  &id);

    rc = ngx_http_longpoll_gpoll_categories(r, ctx, &error);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (id.len < NGX_HTTP_LONGPOLL_GPOLL_SHORT) {
        rc = ngx_http_longpoll_gpoll_register(r, ctx);
        return rc == NGX_OK ? NGX_DONE : rc;
    }

    if (rc == NGX_DECLINED) {
        rc = ngx_http_longpoll_gpoll_error(r, &error);
        return rc == NGX_OK ? NGX_DONE : rc;
    }

    client = ngx_palloc(r->pool, sizeof(ngx_http_longpoll_client_t));
    if (client == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_longpoll_gpoll_parse(&id, client) != NGX_OK) {
        rc = ngx_http_longpoll_gpoll_unknown(r);
        return rc == NGX_OK ? NGX_DONE : rc;
    }

    ctx->client = client;

    if (r->method == NGX_HTTP_HEAD) {
        rc = ngx_http_longpoll_gpoll_head(r, ctx);
        return rc == NGX_OK ? NGX_DONE : rc;
    }

    ctx->cats[ctx->ncats].hash[0] = client->uuid[0];
    ctx->cats[ctx->ncats].hash[1] = client->uuid[1];

    return NGX_OK;
}


/* what its next poll would find, if it came now; nobody notices */

static ngx_int_t
ngx_http_longpoll_gpoll_head(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx)
{
    size_t                    costs[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    ngx_http_longpoll_read_t  rd;

    ngx_memzero(&rd, sizeof(ngx_http_longpoll_read_t));
    ngx_memzero(costs, sizeof(costs));

    rd.mode = NGX_HTTP_LONGPOLL_READ_PEEK;
    rd.worker = NGX_HTTP_LONGPOLL_NO_WORKER;
    rd.cats = ctx->cats;
    rd.ncats = ctx->ncats;
    rd.costs = costs;
    rd.client = ctx->client;

    switch (ngx_http_longpoll_zone_read(ctx->zone, &rd,
                                        ngx_http_longpoll_now()))
    {

    case NGX_ERROR:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;

    case NGX_DONE:
        return ngx_http_longpoll_gpoll_unknown(r);

    default:
        (void) ngx_http_longpoll_zone_read_valid(ctx->zone);
        ctx->result = NGX_HTTP_LONGPOLL_NONE;
        return ngx_http_longpoll_response_plain_head(r);
    }
}


/*
 * What longpoll_category says of this request, with room for one more.
 *
 * NGX_DECLINED  nothing that would do: *error
 * NGX_ERROR     no memory
 */

static ngx_int_t
ngx_http_longpoll_gpoll_categories(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_str_t *error)
{
    ngx_str_t                   args;
    ngx_uint_t                  i;
    ngx_http_longpoll_cat_t     cats[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    ngx_http_longpoll_query_t   q;
    ngx_http_longpoll_configured_t   given;

    /* the configuration has one, or nginx would not have started */

    if (ngx_http_longpoll_category_configured(r, &given) != NGX_OK) {
        return NGX_ERROR;
    }

    q.cats = cats;
    ngx_str_null(&args);

    if (ngx_http_longpoll_query_categories(&q, &args, NULL, &given, error)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ctx->ncats = q.ncats;
    ctx->cats = ngx_palloc(r->pool, (q.ncats + 1)
                                    * sizeof(ngx_http_longpoll_cat_t));
    if (ctx->cats == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < q.ncats; i++) {
        ctx->cats[i] = cats[i];
        ngx_http_longpoll_zone_name(ctx->zone, &ctx->cats[i]);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_gpoll_register(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx)
{
    u_char                      *p;
    ngx_str_t                    body;
    ngx_http_longpoll_client_t   client;

    if (r->method == NGX_HTTP_HEAD) {
        ctx->result = NGX_HTTP_LONGPOLL_NONE;
        return ngx_http_longpoll_response_plain_head(r);
    }

    body.data = ngx_pnalloc(r->pool, NGX_HTTP_LONGPOLL_GPOLL_ANSWER);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (getrandom(client.uuid, sizeof(client.uuid), 0) != sizeof(client.uuid))
    {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, ngx_errno,
                      "longpoll: getrandom() failed");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* RFC 9562, section 5.4: version 4, and the variant */

    client.uuid[0] = (client.uuid[0] & ~(3ULL << 62)) | 2ULL << 62;
    client.uuid[1] = (client.uuid[1] & ~0xf000ULL) | 0x4000;

    ngx_http_longpoll_zone_add_client(ctx->zone, &client, ngx_http_longpoll_now());

    p = ngx_cpymem(body.data, "{\"client-id\":\"",
                   sizeof("{\"client-id\":\"") - 1);
    p = ngx_http_longpoll_gpoll_print(p, &client);
    *p++ = '"';
    *p++ = '}';

    body.len = p - body.data;

    ctx->result = NGX_HTTP_LONGPOLL_REGISTERED;

    return ngx_http_longpoll_response_plain(r, NGX_HTTP_OK, &body);
}


ngx_int_t
ngx_http_longpoll_gpoll_unknown(ngx_http_request_t *r)
{
    ngx_str_t  body;

    ngx_str_set(&body, "Unknown client-id.");

    return ngx_http_longpoll_response_plain(r, NGX_HTTP_NOT_FOUND, &body);
}


/* with 200 it would be a message */

static ngx_int_t
ngx_http_longpoll_gpoll_error(ngx_http_request_t *r, ngx_str_t *error)
{
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    return ngx_http_longpoll_response_plain(r,
                                            llcf->error_status == NGX_HTTP_OK
                                            ? NGX_HTTP_BAD_REQUEST
                                            : llcf->error_status,
                                            error);
}


ngx_http_longpoll_shared_t *
ngx_http_longpoll_gpoll_text(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd)
{
    ngx_http_longpoll_msg_t           *msg;
    ngx_http_longpoll_shared_t        *bytes;
    ngx_http_longpoll_gpoll_answer_t  *answer;

    answer = &ngx_http_longpoll_gpoll_answer;
    msg = &rd->msgs[0];

    if (msg->id == rd->have) {
        answer->bytes->refs++;
        return answer->bytes;
    }

    bytes = ngx_http_longpoll_response_share(msg->data.len, ngx_cycle->log);
    if (bytes == NULL) {
        return NULL;
    }

    bytes->missed = 0;
    bytes->len = ngx_http_longpoll_json_text(bytes->data, &msg->data)
                 - bytes->data;

    if (rd->mode == NGX_HTTP_LONGPOLL_READ_WAKE) {
        ngx_http_longpoll_gpoll_woken();

        answer->bytes = bytes;
        answer->zone = z;
        answer->id = msg->id;

        bytes->refs++;
    }

    return bytes;
}


uint64_t
ngx_http_longpoll_gpoll_has(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_gpoll_answer_t  *answer;

    answer = &ngx_http_longpoll_gpoll_answer;

    return answer->bytes && answer->zone == z ? answer->id : 0;
}


void
ngx_http_longpoll_gpoll_woken(void)
{
    ngx_http_longpoll_gpoll_answer_t  *answer;

    answer = &ngx_http_longpoll_gpoll_answer;

    if (answer->bytes) {
        ngx_http_longpoll_response_unshare(answer->bytes);
        answer->bytes = NULL;
    }
}


/* N$UUID: each client has one id, so nothing else is one */

static ngx_int_t
ngx_http_longpoll_gpoll_parse(ngx_str_t *id,
    ngx_http_longpoll_client_t *client)
{
    u_char                      *last, c;
    size_t                       i, digits;
    uint64_t                     number, *half;
    ngx_uint_t                   n;
    ngx_http_longpoll_client_t   other;
    u_char                       again[NGX_HTTP_LONGPOLL_GPOLL_ANSWER];

    if (id->len < NGX_HTTP_LONGPOLL_GPOLL_UUID + sizeof("0$") - 1
        || id->len > NGX_HTTP_LONGPOLL_GPOLL_UUID + sizeof("4294967295$") - 1)
    {
        return NGX_DECLINED;
    }

    digits = id->len - NGX_HTTP_LONGPOLL_GPOLL_UUID - 1;
    number = 0;

    for (i = 0; i < digits; i++) {
        number = number * 10 + (id->data[i] - '0');
    }

    other.number = (uint32_t) number;
    other.uuid[0] = 0;
    other.uuid[1] = 0;
    n = 0;

    for (i = digits + 1; i < id->len; i++) {
        c = id->data[i];

        if (c == '-') {
            continue;
        }

        c = (c >= 'a') ? c - 'a' + 10 : c - '0';

        half = &other.uuid[n++ < 16];
        *half = *half << 4 | (c & 0xf);
    }

    /* whatever was read: it is that id only if it is printed like it */

    last = ngx_http_longpoll_gpoll_print(again, &other);

    if ((size_t) (last - again) != id->len
        || ngx_memcmp(again, id->data, id->len) != 0)
    {
        return NGX_DECLINED;
    }

    *client = other;

    return NGX_OK;
}


static u_char *
ngx_http_longpoll_gpoll_print(u_char *p, ngx_http_longpoll_client_t *client)
{
    return ngx_sprintf(p, "%uD$%08xL-%04xL-%04xL-%04xL-%012xL",
                       client->number,
                       (int64_t) (client->uuid[1] >> 32),
                       (int64_t) (client->uuid[1] >> 16 & 0xffff),
                       (int64_t) (client->uuid[1] & 0xffff),
                       (int64_t) (client->uuid[0] >> 48),
                       (int64_t) (client->uuid[0] & 0xffffffffffffULL));
}
