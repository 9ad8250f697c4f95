
/*
 * ngx_http_longpoll_sentinel.h: where the master is, as Sentinels say.
 */


#ifndef _NGX_HTTP_LONGPOLL_SENTINEL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_SENTINEL_H_INCLUDED_


#include "ngx_http_longpoll_redis.h"
#include "ngx_http_longpoll_resolve.h"


/*
 * NGX_OK     addr is the master's address, and stays until the next question
 * NGX_ERROR  no Sentinel knows it, or none answers; addr is NULL
 */
typedef void (*ngx_http_longpoll_sentinel_pt)(void *data, ngx_int_t rc,
    ngx_addr_t *addr);


typedef struct {
    /* the owner's */
    ngx_http_longpoll_cluster_t     *cluster;
    ngx_log_t                       *log;
    ngx_http_longpoll_sentinel_pt    handler;
    void                            *data;

    /* its own */
    ngx_http_longpoll_resolve_t      resolve;
    ngx_http_longpoll_redis_t       *redis;     /* to one of them; or NULL */
    ngx_http_longpoll_cluster_server_t
                                    *server;    /* that is asked, */
    ngx_uint_t                       next;      /* and its number */
    ngx_uint_t                       left;      /* to be asked, if it does not
                                                   know */
    ngx_addr_t                       addr;
    ngx_sockaddr_t                   sockaddr;
    ngx_event_t                      nobody;    /* posted: none is left */
} ngx_http_longpoll_sentinel_t;


/*
 * Asks the Sentinels of cluster in turn, beginning with the one that knew it
 * the last time.  The handler is called later, never from within this call.
 */
void ngx_http_longpoll_sentinel_ask(ngx_http_longpoll_sentinel_t *sentinel);

/* whether a question is under way */
#define ngx_http_longpoll_sentinel_is_asking(sentinel)                        \
    ((sentinel)->redis || (sentinel)->resolve.ctx || (sentinel)->nobody.posted)

/* takes the question back: the handler is not called */
void ngx_http_longpoll_sentinel_stop(ngx_http_longpoll_sentinel_t *sentinel);


#endif /* _NGX_HTTP_LONGPOLL_SENTINEL_H_INCLUDED_ */
