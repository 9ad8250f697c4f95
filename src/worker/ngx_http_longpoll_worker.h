
/*
 * ngx_http_longpoll_worker.h: what a worker does for its zones.
 */


#ifndef _NGX_HTTP_LONGPOLL_WORKER_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_WORKER_H_INCLUDED_


#include "ngx_http_longpoll_wait.h"


typedef struct {
    /* all waiters of a category have been woken */
    void                           (*woken)(void);

    /*
     * the zone may have changed: publishers that wait for the disk, and the
     * writer of the file, look as well
     */
    void                           (*check)(ngx_http_longpoll_zone_t *z);

    /* the worker begins to leave */
    void                           (*closing)(ngx_http_longpoll_zone_t *z);
} ngx_http_longpoll_worker_handlers_t;


/*
 * In a worker: a wait for each of the zones (an array of pointers to them,
 * which must stay), a number, and an eventfd that nginx's event loop reads.
 * drain: the longest time that leaving may take.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_longpoll_worker_init_process(ngx_cycle_t *cycle,
    ngx_array_t *zones, ngx_msec_t drain,
    ngx_http_longpoll_worker_handlers_t *handlers);

/* gives the number back, and frees the waits */
void ngx_http_longpoll_worker_exit_process(void);


#endif /* _NGX_HTTP_LONGPOLL_WORKER_H_INCLUDED_ */
