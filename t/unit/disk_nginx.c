
/*
 * disk_nginx.c: what src/disk/ uses of nginx, and of src/worker/.
 *
 * Time is the model's.  A worker's timers stand in an array, and fire when the
 * model gives the worker a turn.  A wake-up is a flag of the worker that is
 * woken.  A request that waits is only what its publisher is told in the end.
 */


#include "disk_model.h"

#include <ngx_event.h>
#include <ngx_http_longpoll_disconnect.h>

#include <stdarg.h>


ngx_pid_t               ngx_pid;
ngx_uint_t              ngx_http_longpoll_notify_number;
ngx_rbtree_t            ngx_event_timer_rbtree;
ngx_queue_t             ngx_posted_events;
volatile ngx_msec_t     ngx_current_msec;
volatile ngx_time_t    *ngx_cached_time;

static ngx_time_t       nginx_time;


/*
 * time
 */


int
gettimeofday(struct timeval *tv, void *tz)
{
    tv->tv_sec = m.now / 1000;
    tv->tv_usec = m.now % 1000 * 1000;

    return 0;
}


void
worker_time(void)
{
    nginx_time.sec = m.now / 1000;
    nginx_time.msec = m.now % 1000;
    ngx_cached_time = &nginx_time;
    ngx_current_msec = m.now;
}


void
ngx_rbtree_insert(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    unit_must(self && self->ntimers < MODEL_TIMERS, "too many timers");

    self->timers[self->ntimers++] = node;
}


void
ngx_rbtree_delete(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    ngx_uint_t  i;

    for (i = 0; i < self->ntimers && self->timers[i] != node; i++) ;

    unit_must(i < self->ntimers, "a timer that is not set is deleted");

    self->timers[i] = self->timers[--self->ntimers];
}


/*
 * workers
 */


void
ngx_http_longpoll_notify_wake(uint64_t workers)
{
    ngx_uint_t  i;

    unit_must(!unit_held, "a worker is woken under the lock");

    for (i = 0; i < MODEL_WORKERS; i++) {
        if (workers & (uint64_t) 1 << i) {
            own->workers[i].notified = 1;
        }
    }
}


void
ngx_http_longpoll_notify_wake_self(void)
{
    self->notified = 1;
}


uint64_t
ngx_http_longpoll_notify_alive(void)
{
    uint64_t    alive;
    ngx_uint_t  i;

    for (i = 0, alive = 0; i < MODEL_WORKERS; i++) {
        alive |= (uint64_t) own->workers[i].alive << i;
    }

    if (worker_looked) {
        worker_looked();
    }

    return alive;
}


void
ngx_http_longpoll_notify_reap(void)
{
    ngx_uint_t  i;

    for (i = 0; i < MODEL_WORKERS; i++) {

        if (own->workers[i].dead) {
            ngx_http_longpoll_zone_tick_reap(z, i, m.now);
            own->workers[i].dead = 0;
        }
    }
}


/*
 * memory and strings
 */


typedef struct nginx_piece_s  nginx_piece_t;

struct nginx_piece_s {
    nginx_piece_t           *next;
    uint64_t                 aligned;
};


/* its max says where its pieces are; what has no pool is never freed */

ngx_pool_t *
ngx_create_pool(size_t size, ngx_log_t *log)
{
    return ngx_calloc(sizeof(ngx_pool_t), log);
}


void
ngx_reset_pool(ngx_pool_t *pool)
{
    nginx_piece_t  *piece;

    while (pool->max) {
        piece = (nginx_piece_t *) pool->max;
        pool->max = (size_t) piece->next;
        free(piece);
    }
}


void
ngx_destroy_pool(ngx_pool_t *pool)
{
    ngx_reset_pool(pool);
    free(pool);
}


void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    nginx_piece_t  *piece;

    piece = ngx_alloc(sizeof(nginx_piece_t) + size, &unit_log);

    if (piece == NULL) {
        return NULL;
    }

    if (pool) {
        piece->next = (nginx_piece_t *) pool->max;
        pool->max = (size_t) piece;
    }

    return piece + 1;
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    p = ngx_palloc(pool, size);

    if (p) {
        ngx_memzero(p, size);
    }

    return p;
}


ngx_int_t
ngx_pfree(ngx_pool_t *pool, void *p)
{
    return NGX_DECLINED;
}

void *
ngx_array_push(ngx_array_t *a)
{
    void  *elts;

    if (a->nelts == a->nalloc) {
        elts = ngx_palloc(a->pool, 2 * a->size * a->nalloc);

        if (elts == NULL) {
            return NULL;
        }

        a->elts = memcpy(elts, a->elts, a->size * a->nelts);
        a->nalloc *= 2;
    }

    return (u_char *) a->elts + a->size * a->nelts++;
}


off_t
ngx_atoof(u_char *p, size_t n)
{
    off_t  value;

    for (value = 0; n; n--, p++) {
        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        value = value * 10 + (*p - '0');
    }

    return value;
}


u_char *
ngx_cpystrn(u_char *to, u_char *from, size_t n)
{
    if (n) {
        snprintf((char *) to, n, "%s", (char *) from);
        to += ngx_min(n - 1, strlen((char *) from));
    }

    return to;
}


static u_char *
nginx_number(u_char *p, uint64_t n, unsigned base, int width)
{
    int     len;
    u_char  digits[64];

    for (len = 0; n || len < width || len == 0; len++) {
        digits[len] = (u_char) "0123456789abcdef"[n % base];
        n /= base;
    }

    while (len--) {
        *p++ = digits[len];
    }

    return p;
}


/* %s, %V, %Z, and numbers without a sign that may have leading zeros */

u_char *
ngx_sprintf(u_char *p, const char *format, ...)
{
    int         width;
    va_list     args;
    unsigned    base;
    ngx_str_t  *v;

    va_start(args, format);

    for ( /* void */ ; *format; format++) {

        if (*format != '%') {
            *p++ = (u_char) *format;
            continue;
        }

        base = 10;
        width = (int) strtol(format + 1, (char **) &format, 10);

        if (*format == 'u' || *format == 'x') {
            base = *format++ == 'x' ? 16 : 10;
        }

        switch (*format) {

        case 's':
            p += sprintf((char *) p, "%s", va_arg(args, char *));
            break;

        case 'V':
            v = va_arg(args, ngx_str_t *);
            p = ngx_cpymem(p, v->data, v->len);
            break;

        case 'Z':
            *p++ = '\0';
            break;

        case 'L':
        case 'i':
        case 'z':
        case 'A':
            p = nginx_number(p, va_arg(args, uint64_t), base, width);
            break;

        case 'd':
        case 'D':
            p = nginx_number(p, va_arg(args, uint32_t), base, width);
            break;

        default:
            unit_fail("%%%c is not known here", *format);
        }
    }

    va_end(args);

    return p;
}


/*
 * requests
 */


ngx_http_cleanup_t *
ngx_http_cleanup_add(ngx_http_request_t *r, size_t size)
{
    return ngx_calloc(sizeof(ngx_http_cleanup_t), &unit_log);
}


void
ngx_http_run_posted_requests(ngx_connection_t *c)
{
}


ngx_int_t
ngx_http_longpoll_disconnect_watch(ngx_http_request_t *r,
    ngx_http_event_handler_pt handler)
{
    return NGX_OK;
}


void
ngx_http_longpoll_disconnect_unwatch(ngx_http_request_t *r)
{
}


void
ngx_http_longpoll_disconnect_test(ngx_http_request_t *r,
    ngx_http_cleanup_pt leave)
{
}
