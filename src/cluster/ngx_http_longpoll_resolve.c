
/*
 * ngx_http_longpoll_resolve.c: an address of a Redis or a Sentinel.
 *
 * nginx's resolver takes each name from its cache until the name's time is
 * over, and hands its addresses out in an order that changes.  Without a
 * resolver the addresses stay those that getaddrinfo() found when nginx read
 * its configuration: it would block a worker.
 */


#include "ngx_http_longpoll_resolve.h"


static void ngx_http_longpoll_resolve_handler(ngx_resolver_ctx_t *ctx);


void
ngx_http_longpoll_resolve(ngx_http_longpoll_resolve_t *resolve,
    ngx_http_longpoll_cluster_server_t *server)
{
    ngx_resolver_ctx_t  *ctx;

    ctx = NGX_NO_RESOLVER;

    if (server->port && !server->numeric && resolve->cluster->resolver) {
        ctx = ngx_resolve_start(resolve->cluster->resolver, NULL);
    }

    if (ctx == NGX_NO_RESOLVER) {
        resolve->handler(resolve->data,
                         &server->addrs[resolve->next++ % server->naddrs],
                         NULL);
        return;
    }

    if (ctx == NULL) {
        resolve->handler(resolve->data, NULL, "no memory");
        return;
    }

    ctx->name = server->host;
    ctx->handler = ngx_http_longpoll_resolve_handler;
    ctx->data = resolve;
    ctx->timeout = resolve->cluster->resolver_timeout;

    resolve->ctx = ctx;
    resolve->port = server->port;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        resolve->ctx = NULL;
        resolve->handler(resolve->data, NULL, "no memory");
    }
}


void
ngx_http_longpoll_resolve_stop(ngx_http_longpoll_resolve_t *resolve)
{
    if (resolve->ctx) {
        ngx_resolve_name_done(resolve->ctx);
        resolve->ctx = NULL;
    }
}


static void
ngx_http_longpoll_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_addr_t                   *addr;
    const char                   *reason;
    ngx_resolver_addr_t          *found;
    ngx_http_longpoll_resolve_t  *resolve;

    resolve = ctx->data;
    resolve->ctx = NULL;

    addr = NULL;
    reason = ngx_resolver_strerror(ctx->state);

    if (ctx->state == 0 && ctx->naddrs) {
        found = &ctx->addrs[resolve->next++ % ctx->naddrs];
        addr = &resolve->addr;

        addr->sockaddr = &resolve->sockaddr.sockaddr;
        addr->socklen = found->socklen;

        ngx_memcpy(addr->sockaddr, found->sockaddr, found->socklen);
        ngx_inet_set_port(addr->sockaddr, resolve->port);
    }

    ngx_resolve_name_done(ctx);

    resolve->handler(resolve->data, addr, reason);
}
