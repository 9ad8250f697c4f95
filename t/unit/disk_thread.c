
/*
 * disk_thread.c: a thread that does its work when the model likes, and then as
 * part of the model's only thread.
 *
 * What others do meanwhile comes between two calls of the disk (sim_between).
 * A worker may also be killed before its thread has begun.
 */


#include "disk_model.h"


struct ngx_http_longpoll_thread_s {
    void                    (*work)(void *data);
    void                     *data;
    ngx_uint_t                running;
};


ngx_http_longpoll_thread_t *
ngx_http_longpoll_thread_create(ngx_log_t *log)
{
    unit_must(self->thread == NULL, "a worker has two threads");

    self->thread = calloc(1, sizeof(ngx_http_longpoll_thread_t));

    return self->thread;
}


void
ngx_http_longpoll_thread_post(ngx_http_longpoll_thread_t *thread,
    void (*work)(void *data), void *data)
{
    unit_must(thread->work == NULL, "a thread gets work while it works");

    thread->work = work;
    thread->data = data;
}


ngx_uint_t
ngx_http_longpoll_thread_idle(ngx_http_longpoll_thread_t *thread)
{
    return thread->work == NULL;
}


void
ngx_http_longpoll_thread_end(ngx_http_longpoll_thread_t *thread)
{
    thread_run(thread);

    free(thread);
    self->thread = NULL;
}


void
thread_run(ngx_http_longpoll_thread_t *thread)
{
    if (thread->work == NULL || thread->running) {
        return;
    }

    thread->running = 1;
    thread->work(thread->data);
    thread->running = 0;

    thread->work = NULL;
    ngx_http_longpoll_notify_wake_self();
}
