
/*
 * ngx_http_longpoll_thread.c: a thread that does one thing at a time for this
 * worker.
 *
 * The thread is created when the first work is posted, and ended with its
 * worker, so there is one in a worker that writes, and none in the others.
 *
 *     IDLE ── post ──▶ POSTED ── the work has ended ──▶ IDLE
 *      └─────────────── end ──▶ ENDING
 */


#include "ngx_http_longpoll_thread.h"
#include "ngx_http_longpoll_notify.h"

#include <pthread.h>
#include <signal.h>


typedef enum {
    NGX_HTTP_LONGPOLL_THREAD_IDLE = 0,
    NGX_HTTP_LONGPOLL_THREAD_POSTED,
    NGX_HTTP_LONGPOLL_THREAD_ENDING
} ngx_http_longpoll_thread_e;


struct ngx_http_longpoll_thread_s {
    pthread_t                        id;
    pthread_mutex_t                  mutex;
    pthread_cond_t                   cond;      /* the state has changed */

    /* under the mutex */
    ngx_http_longpoll_thread_e       state;

    /* the thread's while it is POSTED */
    void                           (*work)(void *data);
    void                            *data;
};


static void *ngx_http_longpoll_thread_cycle(void *data);
static void ngx_http_longpoll_thread_change(ngx_http_longpoll_thread_t *thread,
    ngx_http_longpoll_thread_e state);


ngx_http_longpoll_thread_t *
ngx_http_longpoll_thread_create(ngx_log_t *log)
{
    int                          err;
    sigset_t                     all, old;
    ngx_http_longpoll_thread_t  *thread;

    thread = ngx_calloc(sizeof(ngx_http_longpoll_thread_t), log);
    if (thread == NULL) {
        return NULL;
    }

    (void) pthread_mutex_init(&thread->mutex, NULL);
    (void) pthread_cond_init(&thread->cond, NULL);

    /* the thread is born with this mask: signals are nginx's main thread's */

    sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &old);

    err = pthread_create(&thread->id, NULL, ngx_http_longpoll_thread_cycle,
                         thread);

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    if (err) {
        ngx_free(thread);
        errno = err;
        return NULL;
    }

    return thread;
}


static void *
ngx_http_longpoll_thread_cycle(void *data)
{
    ngx_http_longpoll_thread_t  *thread = data;

    (void) pthread_mutex_lock(&thread->mutex);

    for ( ;; ) {

        while (thread->state == NGX_HTTP_LONGPOLL_THREAD_IDLE) {
            (void) pthread_cond_wait(&thread->cond, &thread->mutex);
        }

        if (thread->state == NGX_HTTP_LONGPOLL_THREAD_ENDING) {
            break;
        }

        (void) pthread_mutex_unlock(&thread->mutex);

        thread->work(thread->data);

        (void) pthread_mutex_lock(&thread->mutex);

        ngx_http_longpoll_thread_change(thread, NGX_HTTP_LONGPOLL_THREAD_IDLE);
        ngx_http_longpoll_notify_wake_self();
    }

    (void) pthread_mutex_unlock(&thread->mutex);

    return NULL;
}


/* the caller has the mutex */

static void
ngx_http_longpoll_thread_change(ngx_http_longpoll_thread_t *thread,
    ngx_http_longpoll_thread_e state)
{
    thread->state = state;
    (void) pthread_cond_broadcast(&thread->cond);
}


void
ngx_http_longpoll_thread_post(ngx_http_longpoll_thread_t *thread,
    void (*work)(void *data), void *data)
{
    (void) pthread_mutex_lock(&thread->mutex);

    thread->work = work;
    thread->data = data;

    ngx_http_longpoll_thread_change(thread, NGX_HTTP_LONGPOLL_THREAD_POSTED);

    (void) pthread_mutex_unlock(&thread->mutex);
}


ngx_uint_t
ngx_http_longpoll_thread_idle(ngx_http_longpoll_thread_t *thread)
{
    ngx_uint_t  idle;

    (void) pthread_mutex_lock(&thread->mutex);

    idle = (thread->state == NGX_HTTP_LONGPOLL_THREAD_IDLE);

    (void) pthread_mutex_unlock(&thread->mutex);

    return idle;
}


void
ngx_http_longpoll_thread_end(ngx_http_longpoll_thread_t *thread)
{
    (void) pthread_mutex_lock(&thread->mutex);

    while (thread->state != NGX_HTTP_LONGPOLL_THREAD_IDLE) {
        (void) pthread_cond_wait(&thread->cond, &thread->mutex);
    }

    ngx_http_longpoll_thread_change(thread, NGX_HTTP_LONGPOLL_THREAD_ENDING);

    (void) pthread_mutex_unlock(&thread->mutex);

    (void) pthread_join(thread->id, NULL);

    (void) pthread_cond_destroy(&thread->cond);
    (void) pthread_mutex_destroy(&thread->mutex);

    ngx_free(thread);
}
