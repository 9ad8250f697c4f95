
/*
 * disk_thread.c: a thread that runs when the model likes, and then as part of
 * the model's only thread.
 *
 * What others do meanwhile comes between two calls of the disk (sim_between).
 * A worker may also be killed before its thread has begun.
 */


#include "disk_model.h"

#include <pthread.h>


struct model_thread_s {
    void                   *(*start)(void *data);
    void                     *data;
};


int
__wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr,
    void *(*start)(void *data), void *data)
{
    unit_must(self->thread == NULL, "a worker has two threads");

    self->thread = calloc(1, sizeof(model_thread_t));
    self->thread->start = start;
    self->thread->data = data;

    *id = (pthread_t) self->thread;

    return 0;
}


int
__wrap_pthread_join(pthread_t id, void **result)
{
    model_thread_t  *thread = (model_thread_t *) id;

    unit_must(self->thread == thread, "a thread of nobody is joined");

    thread_run(thread);

    free(thread);
    self->thread = NULL;

    return 0;
}


void
thread_run(model_thread_t *thread)
{
    void  *(*start)(void *data);

    start = thread->start;

    if (start) {
        thread->start = NULL;
        self->threading = 1;
        (void) start(thread->data);
        self->threading = 0;
    }
}
