
/*
 * ngx_http_longpoll_zone_tick.h: what workers do for the zone at times, and not
 * for a request.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_TICK_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_TICK_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Every worker calls this once a second.  It recovers what a dead process left
 * undone.  The first worker of each second also drops messages over their ttl,
 * idle clients and inactive categories.  Returns 1 to that worker.
 */
ngx_uint_t ngx_http_longpoll_zone_tick(ngx_http_longpoll_zone_t *z,
    uint64_t now);

/*
 * A worker begins under this number, or one was found dead: ends all that the
 * number has in the zone (interests, pending messages, waiting clients, the
 * writer's role).  A process that is killed in here leaves the worker known, so
 * the next call reaps it once more.
 */
void ngx_http_longpoll_zone_tick_reap(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_TICK_H_INCLUDED_ */
