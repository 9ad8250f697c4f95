
/*
 * ngx_http_longpoll_zone_lock.h: the zone's only lock, and recovery.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_LOCK_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_LOCK_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Takes the lock.  If a process was killed while it held the lock, first undoes
 * or finishes what it left: see zone_lock.c.
 */
void ngx_http_longpoll_zone_lock(ngx_http_longpoll_zone_t *z);
void ngx_http_longpoll_zone_unlock(ngx_http_longpoll_zone_t *z);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_LOCK_H_INCLUDED_ */
