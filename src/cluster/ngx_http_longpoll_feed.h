
/*
 * ngx_http_longpoll_feed.h: the worker that reads a zone's stream in Redis, and
 * feeds the zone.
 *
 * One worker of this nginx is the reader of a zone.  The others look once a
 * second whether it still lives.
 */


#ifndef _NGX_HTTP_LONGPOLL_FEED_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_FEED_H_INCLUDED_


#include "ngx_http_longpoll_cluster.h"


/*
 * In a worker, for each zone with z->cluster, when the worker has its number:
 * sets z->cluster->feed, and begins to read if nobody does.  NGX_OK or
 * NGX_ERROR, no memory.
 */
ngx_int_t ngx_http_longpoll_feed_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_zone_t *z);

/* the worker was woken, or its tick came: reads if nobody does */
void ngx_http_longpoll_feed_check(ngx_http_longpoll_zone_t *z);

/*
 * The worker begins to leave: another one may read.  A reader that has nobody
 * to follow it reads on, so that this worker's publishers are answered.
 */
void ngx_http_longpoll_feed_closing(ngx_http_longpoll_zone_t *z);

/* closes the connection, and wakes those who may read next */
void ngx_http_longpoll_feed_exit_process(ngx_http_longpoll_zone_t *z);


#endif /* _NGX_HTTP_LONGPOLL_FEED_H_INCLUDED_ */
