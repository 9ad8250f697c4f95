
/*
 * ngx_http_longpoll_zone_member.h: the workers that have a zone with a file.
 *
 * The last worker of a zone writes what is left when it exits, so the workers
 * must know of each other.  A worker is a member from its start; a leaving
 * member is about to exit, and does not count as one that will stay.  alive is
 * the set of workers that live.
 *
 * All but others take the lock.  join and leave do nothing for NO_WORKER;
 * resign and others want a worker's number.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_MEMBER_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_MEMBER_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* the worker begins */
void ngx_http_longpoll_zone_member_join(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);

/* the worker is about to exit */
void ngx_http_longpoll_zone_member_leave(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);

/* the worker exits, or died; returns the members that are left */
uint64_t ngx_http_longpoll_zone_member_resign(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t alive);

/* returns the other members, without those that are leaving; takes no lock */
uint64_t ngx_http_longpoll_zone_member_others(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t alive);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_MEMBER_H_INCLUDED_ */
