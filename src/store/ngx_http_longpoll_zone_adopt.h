
/*
 * ngx_http_longpoll_zone_adopt.h: a zone of another size replaces the old one.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_ADOPT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_ADOPT_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * In the master, while a reload may still fail: copies all that old has into z,
 * which nobody uses yet.  Nothing in old changes, and its workers go on.
 * NGX_OK, or NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_longpoll_zone_adopt(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now, ngx_log_t *log);

/*
 * The reload has succeeded: z is the zone of that name from now on.  What old
 * got since it was copied, and what it still gets, is missed by polls in z.
 */
void ngx_http_longpoll_zone_adopt_commit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_ADOPT_H_INCLUDED_ */
