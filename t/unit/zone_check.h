
/*
 * zone_check.h: a walk over all of a zone, for tests.
 */


#ifndef _ZONE_CHECK_H_INCLUDED_
#define _ZONE_CHECK_H_INCLUDED_


#include <ngx_http_longpoll_store.h>


/*
 * Returns NULL, or what is wrong with the zone.  Only between calls of the
 * store, without the lock.
 */
const char *zone_check(ngx_http_longpoll_zone_t *z);


#endif /* _ZONE_CHECK_H_INCLUDED_ */
