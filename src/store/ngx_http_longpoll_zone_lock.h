
/*
 * ngx_http_longpoll_zone_lock.h: the zone's only lock, and recovery.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_LOCK_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_LOCK_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Takes the lock.  The holder may find that the zone has changed already:
 *
 *     what a killed process left is undone or finished (zone_lock.c)
 *     of a delete that is under way, in whichever process, up to 1,000 messages
 *     are dropped
 *     committed, visible and last_id have moved behind what another nginx took
 */
void ngx_http_longpoll_zone_lock(ngx_http_longpoll_zone_t *z);
void ngx_http_longpoll_zone_unlock(ngx_http_longpoll_zone_t *z);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_LOCK_H_INCLUDED_ */
