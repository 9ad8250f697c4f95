
/*
 * unit_nginx.c: what the store uses of nginx.
 *
 * Nothing is allocated and nothing is logged under the lock, and no process
 * takes it twice: whatever does so fails here.
 */


#include "unit.h"

#include <ngx_http_longpoll_lock.h>


ngx_uint_t             unit_held;
void                 (*unit_hook)(void);
ngx_uint_t             unit_no_memory;
ngx_uint_t             unit_no_memory_hit;
ngx_log_t              unit_log;

static ngx_cycle_t     unit_cycle = { .log = &unit_log };
volatile ngx_cycle_t  *ngx_cycle = &unit_cycle;
ngx_uint_t             ngx_pagesize = 4096;


void
ngx_http_longpoll_lock(ngx_shmtx_t *mtx)
{
    unit_must(!unit_held, "the lock is taken by its holder");

    if (unit_hook) {
        unit_hook();
    }

    unit_held = 1;
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    unit_must(unit_held, "a lock that is free is unlocked");
    unit_held = 0;
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    unit_must(!unit_held, "memory is allocated under the lock");

    if (unit_no_memory) {
        unit_no_memory_hit = 1;
        return NULL;
    }

    return malloc(size);
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    void  *p;

    p = ngx_alloc(size, log);

    if (p) {
        ngx_memzero(p, size);
    }

    return p;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    unit_must(!unit_held, "something is logged under the lock");
}
