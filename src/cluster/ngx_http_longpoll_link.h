
/*
 * ngx_http_longpoll_link.h: the way to the master of a zone's Redis.
 *
 *     resolve the name, or ask the Sentinels
 *         --> connect --> AUTH, SELECT --> INFO: is it one? --> up
 *
 * A reader has a link, and each worker that publishes.  A link that is down
 * stays down until the owner opens it again: when, is the owner's matter.
 */


#ifndef _NGX_HTTP_LONGPOLL_LINK_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LINK_H_INCLUDED_


#include "ngx_http_longpoll_redis.h"
#include "ngx_http_longpoll_sentinel.h"


#define NGX_HTTP_LONGPOLL_LINK_RUN  128


typedef struct {
    /* the owner's, before the link is opened */
    ngx_http_longpoll_cluster_t     *cluster;
    ngx_log_t                       *log;
    size_t                           limit;     /* bytes of one reply */
    ngx_http_longpoll_redis_pt       handler;   /* NGX_OK: the link is up;
                                                   NGX_ERROR: it is down */
    void                            *data;

    /* while it is up */
    ngx_http_longpoll_redis_t       *redis;     /* for commands; NULL: down */
    ngx_str_t                        run;       /* "run_id.replid"; lives */
    ngx_uint_t                       evicts;    /* its maxmemory-policy may
                                                   evict the stream, or keys of
                                                   publishes */

    /* the link's own */
    ngx_str_t                       *name;
    ngx_http_longpoll_redis_t       *opening;   /* until it is up */
    ngx_http_longpoll_sentinel_t     sentinel;
    ngx_event_t                      timer;     /* to ask them again */
    ngx_connection_t                 dummy;
    ngx_http_longpoll_resolve_t      resolve;
    ngx_addr_t                       addr;      /* of the master, with
                                                   Sentinels */
    ngx_sockaddr_t                   sockaddr;
    ngx_event_t                      refused;   /* posted if there is no way */
    ngx_str_t                        reason;
    u_char                           text[160];
    ngx_str_t                        master;    /* name, with Sentinels */
    u_char                           master_text[NGX_SOCKADDR_STRLEN];
    u_char                           run_text[NGX_HTTP_LONGPOLL_LINK_RUN];
    ngx_uint_t                       informing; /* INFO has no reply */
} ngx_http_longpoll_link_t;


/*
 * Opens a link that is down.  The handler is called later, never from within
 * this call: NGX_OK, and NGX_ERROR when the link has been lost; or NGX_ERROR
 * alone.  The reason says why, for the log.
 */
void ngx_http_longpoll_link_open(ngx_http_longpoll_link_t *link);

/*
 * Asks whether the Redis is still a master, and the one that run names.  If
 * not, the link is lost.  Nothing is asked while the link is down, or before
 * the last reply.  block is how many ms a command that was sent before may
 * block.
 */
void ngx_http_longpoll_link_inform(ngx_http_longpoll_link_t *link,
    ngx_msec_t block);

/* the link is down now; its handler is not called any more */
void ngx_http_longpoll_link_close(ngx_http_longpoll_link_t *link);

/* HOST:PORT of the Redis, for the log; once the link has been opened */
#define ngx_http_longpoll_link_name(link)  ((link)->name)


#endif /* _NGX_HTTP_LONGPOLL_LINK_H_INCLUDED_ */
