
/*
 * ngx_http_longpoll_notify.h: one eventfd per worker, and who is alive.
 */


#ifndef _NGX_HTTP_LONGPOLL_NOTIFY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_NOTIFY_H_INCLUDED_


#include "ngx_http_longpoll.h"

#include <ngx_event.h>



typedef struct {
    /* something may have been published: look */
    void                           (*check)(void);

    /* once a second, or ten times without a number */
    void                           (*tick)(void);

    /* the worker is to end, gracefully */
    void                           (*closing)(void);

    /* a worker's number is taken over from a dead process: nothing of that
     * number may remain anywhere */
    void                           (*reap)(ngx_uint_t worker);
} ngx_http_longpoll_notify_handlers_t;


/*
 * In the master, once, kept over reloads: the eventfds, and the table in
 * shared memory that says which process has which number.
 */
ngx_int_t ngx_http_longpoll_notify_init_module(ngx_cycle_t *cycle);

/* in a worker: a number of its own, and its eventfd among nginx's events */
ngx_int_t ngx_http_longpoll_notify_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_notify_handlers_t *handlers);
void ngx_http_longpoll_notify_exit_process(void);

/* this worker's number; NGX_HTTP_LONGPOLL_NO_WORKER: all are taken */
extern ngx_uint_t  ngx_http_longpoll_notify_number;
#define ngx_http_longpoll_notify_worker()  ngx_http_longpoll_notify_number

/* makes the workers of the set look, this one behind what runs now */
void ngx_http_longpoll_notify_wake(uint64_t workers);

/* the set of workers whose processes live */
uint64_t ngx_http_longpoll_notify_alive(void);

/* takes back the numbers of the dead */
void ngx_http_longpoll_notify_reap(void);


/*
 * Memory of that many bytes that all processes share, of before and after a
 * reload, for whatever has that name; zeros at first.  The master asks for it;
 * where there are very many names some have the same.
 */
#define NGX_HTTP_LONGPOLL_NOTIFY_SHARED  256

void *ngx_http_longpoll_notify_shared(ngx_str_t *name);


#endif /* _NGX_HTTP_LONGPOLL_NOTIFY_H_INCLUDED_ */
