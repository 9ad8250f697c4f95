
/*
 * ngx_http_longpoll_zone_adopt.h: a zone of another size replaces the old one.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_ADOPT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_ADOPT_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * In the master, once a reload has succeeded: z, which is new and which nobody
 * uses yet, takes over all that old has, and old is frozen.  old's workers go
 * on meanwhile.  Takes the lock of old, as often as it needs, and z's.  Neither
 * allocates nor fails.  A master that is killed in here leaves old in use, or
 * frozen.  now is old's time.  back is the time at which the last worker that
 * uses old has answered its waiters.
 *
 * Returns the set of workers that have to do with old's file, to wake: their
 * publishers are refused, and the writer closes it.
 */
uint64_t ngx_http_longpoll_zone_adopt(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now, uint64_t back);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_ADOPT_H_INCLUDED_ */
