
/*
 * ngx_http_longpoll_zone_member.h: the workers that have a zone with a log on
 * disk, and stay.
 *
 * The last worker that stays writes what is left, and the end of the epoch.  So
 * the workers must know of each other.  A worker stays from its start on, until
 * it is about to exit or is reaped.
 *
 * join and leave take the lock, and do nothing for NO_WORKER.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_MEMBER_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_MEMBER_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* the worker begins */
void ngx_http_longpoll_zone_member_join(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);

/* the worker is about to exit, or died */
void ngx_http_longpoll_zone_member_leave(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);

/*
 * Returns the other workers of the set alive that stay.  worker may be
 * NO_WORKER.  Takes no lock.
 */
uint64_t ngx_http_longpoll_zone_member_others(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t alive);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_MEMBER_H_INCLUDED_ */
