
/*
 * ngx_http_longpoll_sentinel.c: where the master is, as Sentinels say.
 *
 *     ask ──▶ resolve ──▶ connect ──▶ GET-MASTER-ADDR-BY-NAME ──▶ handler
 *                ▲ │         │                   │
 *                └─┴─────────┴───────────────────┘  it does not know
 *
 * A Sentinel is asked without a password, over a connection of its own.  Each
 * is asked once; when none is left, the question has failed.
 */


#include "ngx_http_longpoll_sentinel.h"


/* bytes of a reply, at most */
#define NGX_HTTP_LONGPOLL_SENTINEL_REPLY  1024


static void ngx_http_longpoll_sentinel_next(
    ngx_http_longpoll_sentinel_t *sentinel);
static void ngx_http_longpoll_sentinel_resolved(void *data, ngx_addr_t *addr,
    const char *reason);
static void ngx_http_longpoll_sentinel_connected(void *data, ngx_int_t rc,
    ngx_str_t *reason);
static void ngx_http_longpoll_sentinel_reply(void *data,
    ngx_http_longpoll_reply_t *reply);
static ngx_int_t ngx_http_longpoll_sentinel_addr(
    ngx_http_longpoll_sentinel_t *sentinel, ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_sentinel_nobody(ngx_event_t *ev);


void
ngx_http_longpoll_sentinel_ask(ngx_http_longpoll_sentinel_t *sentinel)
{
    sentinel->left = sentinel->cluster->nservers;

    sentinel->resolve.cluster = sentinel->cluster;
    sentinel->resolve.handler = ngx_http_longpoll_sentinel_resolved;
    sentinel->resolve.data = sentinel;

    sentinel->nobody.handler = ngx_http_longpoll_sentinel_nobody;
    sentinel->nobody.data = sentinel;
    sentinel->nobody.log = sentinel->log;

    ngx_http_longpoll_sentinel_next(sentinel);
}


void
ngx_http_longpoll_sentinel_stop(ngx_http_longpoll_sentinel_t *sentinel)
{
    ngx_http_longpoll_redis_t  *redis;

    if (sentinel->nobody.posted) {
        ngx_delete_posted_event(&sentinel->nobody);
    }

    ngx_http_longpoll_resolve_stop(&sentinel->resolve);

    redis = sentinel->redis;
    sentinel->redis = NULL;

    if (redis) {
        ngx_http_longpoll_redis_close(redis);
    }
}


static void
ngx_http_longpoll_sentinel_next(ngx_http_longpoll_sentinel_t *sentinel)
{
    ngx_http_longpoll_cluster_t  *cluster;

    cluster = sentinel->cluster;

    if (sentinel->left == 0) {
        ngx_post_event(&sentinel->nobody, &ngx_posted_events);
        return;
    }

    sentinel->left--;
    sentinel->server = &cluster->servers[sentinel->next % cluster->nservers];

    ngx_http_longpoll_resolve(&sentinel->resolve, sentinel->server);
}


static void
ngx_http_longpoll_sentinel_resolved(void *data, ngx_addr_t *addr,
    const char *reason)
{
    ngx_http_longpoll_sentinel_t  *sentinel = data;

    if (addr) {
        sentinel->redis = ngx_http_longpoll_redis_connect(sentinel->cluster,
                                       sentinel->server, addr,
                                       NGX_HTTP_LONGPOLL_SENTINEL_REPLY,
                                       ngx_http_longpoll_sentinel_connected,
                                       sentinel, sentinel->log);
        if (sentinel->redis) {
            return;
        }
    }

    sentinel->next++;
    ngx_http_longpoll_sentinel_next(sentinel);
}


static void
ngx_http_longpoll_sentinel_connected(void *data, ngx_int_t rc,
    ngx_str_t *reason)
{
    ngx_str_t                      argv[3];
    ngx_http_longpoll_sentinel_t  *sentinel = data;

    ngx_str_set(&argv[0], "SENTINEL");
    ngx_str_set(&argv[1], "GET-MASTER-ADDR-BY-NAME");
    argv[2] = sentinel->cluster->master;

    if (rc == NGX_OK
        && ngx_http_longpoll_redis_command(sentinel->redis, argv, 3, 0,
                                           ngx_http_longpoll_sentinel_reply,
                                           sentinel)
           == NGX_OK)
    {
        return;
    }

    ngx_http_longpoll_sentinel_stop(sentinel);

    sentinel->next++;
    ngx_http_longpoll_sentinel_next(sentinel);
}


static void
ngx_http_longpoll_sentinel_reply(void *data, ngx_http_longpoll_reply_t *reply)
{
    ngx_int_t                      rc;
    ngx_http_longpoll_sentinel_t  *sentinel = data;

    if (reply == NULL) {

        /* the connection tells that it is lost, unless it was stopped */

        return;
    }

    rc = ngx_http_longpoll_sentinel_addr(sentinel, reply);

    ngx_http_longpoll_sentinel_stop(sentinel);

    if (rc == NGX_OK) {
        sentinel->handler(sentinel->data, NGX_OK, &sentinel->addr);
        return;
    }

    sentinel->next++;
    ngx_http_longpoll_sentinel_next(sentinel);
}


/* an array of an address and a port; Sentinel gives names only if it is told */

static ngx_int_t
ngx_http_longpoll_sentinel_addr(ngx_http_longpoll_sentinel_t *sentinel,
    ngx_http_longpoll_reply_t *reply)
{
    ngx_int_t    rc, port;
    ngx_str_t   *host;
    ngx_addr_t   addr;
    ngx_pool_t  *pool;

    if (reply->type != NGX_HTTP_LONGPOLL_REPLY_ARRAY || reply->nelts != 2
        || reply->elts[0].type != NGX_HTTP_LONGPOLL_REPLY_STRING
        || reply->elts[1].type != NGX_HTTP_LONGPOLL_REPLY_STRING)
    {
        return NGX_ERROR;
    }

    host = &reply->elts[0].str;
    port = ngx_atoi(reply->elts[1].str.data, reply->elts[1].str.len);

    pool = ngx_create_pool(NGX_MIN_POOL_SIZE, sentinel->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (port > 0 && port < 65536
        && ngx_parse_addr(pool, &addr, host->data, host->len) == NGX_OK)
    {
        ngx_memcpy(&sentinel->sockaddr, addr.sockaddr, addr.socklen);

        sentinel->addr.sockaddr = &sentinel->sockaddr.sockaddr;
        sentinel->addr.socklen = addr.socklen;

        ngx_inet_set_port(sentinel->addr.sockaddr, (in_port_t) port);

        rc = NGX_OK;
    }

    ngx_destroy_pool(pool);

    return rc;
}


static void
ngx_http_longpoll_sentinel_nobody(ngx_event_t *ev)
{
    ngx_http_longpoll_sentinel_t  *sentinel;

    sentinel = ev->data;

    sentinel->handler(sentinel->data, NGX_ERROR, NULL);
}
