
/*
 * ngx_http_longpoll_announce.h: this worker's part of presence.
 *
 *     zone_read     says that a poll or a stream comes
 *     begin, end    a stream counts from its first read to its end, also while
 *                   its client does not read: then it is HELD (wait.h), and
 *                   stands in no queue of a category
 *     leaves, left  the last waiter of a category has left wait.  Unless a
 *                   stream counts for it, the category has left this worker,
 *                   and the zone must be told.  A caller that ends an interest
 *                   asks leaves, and tells the zone in the same hold; others
 *                   call left, which asks and tells
 *     check, tick   what is due is published; the worker that is first in a
 *                   second also ends grace.  Both are done in later turns of
 *                   nginx's loop, each with a few holds of the lock
 *
 * In a zone without presence none of these does anything.
 */


#ifndef _NGX_HTTP_LONGPOLL_ANNOUNCE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ANNOUNCE_H_INCLUDED_


#include "ngx_http_longpoll_zone_presence.h"


typedef struct ngx_http_longpoll_announce_s  ngx_http_longpoll_announce_t;


/* the worker begins to serve the zone; NGX_OK, NGX_ERROR: no memory */
ngx_int_t ngx_http_longpoll_announce_init(ngx_cycle_t *cycle,
    ngx_http_longpoll_zone_t *z);

/* the worker ends */
void ngx_http_longpoll_announce_exit(ngx_http_longpoll_zone_t *z);

/* a stream of these categories begins; NGX_OK, NGX_ERROR: no memory */
ngx_int_t ngx_http_longpoll_announce_begin(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_uint_t n);

/* a stream that has begun has ended, and has left wait */
void ngx_http_longpoll_announce_end(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_uint_t n);

/*
 * Whether a category for which nobody stands in wait any more has left this
 * worker: no stream counts for it.
 */
#define ngx_http_longpoll_announce_leaves(z, hash)                            \
    ((z)->announce && !ngx_http_longpoll_announce_has_stream(z, hash))

ngx_uint_t ngx_http_longpoll_announce_has_stream(ngx_http_longpoll_zone_t *z,
    const uint64_t hash[2]);

/*
 * Nobody stands in wait for the category any more.  If it leaves this worker,
 * tells the zone, in a hold of its own.
 */
void ngx_http_longpoll_announce_left(ngx_http_longpoll_zone_t *z,
    const uint64_t hash[2]);

/* publishes what is due, if anything is */
#define ngx_http_longpoll_announce_check(z)                                   \
    if (ngx_http_longpoll_zone_has_presence(z)                                \
        && ngx_http_longpoll_zone_presence_is_due(z))                         \
    {                                                                         \
        ngx_http_longpoll_announce_post(z);                                   \
    }

void ngx_http_longpoll_announce_post(ngx_http_longpoll_zone_t *z);

/* once a second; first: this worker is the first in this second */
void ngx_http_longpoll_announce_tick(ngx_http_longpoll_zone_t *z,
    ngx_uint_t first);


#endif /* _NGX_HTTP_LONGPOLL_ANNOUNCE_H_INCLUDED_ */
