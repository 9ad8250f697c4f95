
/*
 * ngx_http_longpoll_drain.h: a worker that leaves answers its waiters.
 */


#ifndef _NGX_HTTP_LONGPOLL_DRAIN_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_DRAIN_H_INCLUDED_


#include "ngx_http_longpoll_wait.h"


/*
 * Begins to answer all waiters, by the expire handler of each zone's wait.
 * zones is an array of pointers to zones.  The last waiter is answered after
 * time ms; 0: all are answered now.  The timer keeps the worker until then.
 */
void ngx_http_longpoll_drain(ngx_array_t *zones, ngx_msec_t time);


#endif /* _NGX_HTTP_LONGPOLL_DRAIN_H_INCLUDED_ */
