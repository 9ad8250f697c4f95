
/*
 * ngx_http_longpoll_thread.h: a thread that does one thing at a time for this
 * worker.
 *
 * nginx's own pools are not used.  A pool's queue may be full, the pool is
 * shared with all that nginx reads from disks, and at the end of a worker nginx
 * may give it up while a thread is still at work.  But a writer must know
 * whether its round was made.
 *
 * When the work has ended, the thread wakes the worker as another worker would
 * (notify); the worker then asks ..._idle().
 */


#ifndef _NGX_HTTP_LONGPOLL_THREAD_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_THREAD_H_INCLUDED_


#include "ngx_http_longpoll.h"


typedef struct ngx_http_longpoll_thread_s  ngx_http_longpoll_thread_t;


/* starts a thread, with all signals blocked; NULL with errno */
ngx_http_longpoll_thread_t *ngx_http_longpoll_thread_create(ngx_log_t *log);

/* an idle thread calls work(data) */
void ngx_http_longpoll_thread_post(ngx_http_longpoll_thread_t *thread,
    void (*work)(void *data), void *data);

/* whether the work has ended, or there was none */
ngx_uint_t ngx_http_longpoll_thread_idle(ngx_http_longpoll_thread_t *thread);

/* waits until the thread is idle, ends it, and frees it */
void ngx_http_longpoll_thread_end(ngx_http_longpoll_thread_t *thread);


#endif /* _NGX_HTTP_LONGPOLL_THREAD_H_INCLUDED_ */
