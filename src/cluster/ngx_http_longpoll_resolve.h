
/*
 * ngx_http_longpoll_resolve.h: an address of a Redis or a Sentinel.
 *
 * A name may have several, such as those of all pods of a service.  Each call
 * takes the next one.
 */


#ifndef _NGX_HTTP_LONGPOLL_RESOLVE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_RESOLVE_H_INCLUDED_


#include "ngx_http_longpoll_cluster.h"


/*
 * addr stays until the next call of resolve().  NULL: there is none; reason
 * says why, for the log.
 */
typedef void (*ngx_http_longpoll_resolve_pt)(void *data, ngx_addr_t *addr,
    const char *reason);


typedef struct {
    /* the owner's */
    ngx_http_longpoll_cluster_t     *cluster;
    ngx_http_longpoll_resolve_pt     handler;
    void                            *data;

    /* its own */
    ngx_resolver_ctx_t              *ctx;       /* NULL: no question is under
                                                   way */
    in_port_t                        port;
    ngx_uint_t                       next;      /* of the addresses */
    ngx_addr_t                       addr;
    ngx_sockaddr_t                   sockaddr;
} ngx_http_longpoll_resolve_t;


/*
 * Calls the handler once, perhaps from within this call.  nginx's resolver is
 * asked, if there is one; otherwise the addresses count that the configuration
 * found.
 */
void ngx_http_longpoll_resolve(ngx_http_longpoll_resolve_t *resolve,
    ngx_http_longpoll_cluster_server_t *server);

/* takes the question back: the handler is not called */
void ngx_http_longpoll_resolve_stop(ngx_http_longpoll_resolve_t *resolve);


#endif /* _NGX_HTTP_LONGPOLL_RESOLVE_H_INCLUDED_ */
