
/*
 * reader_nginx.c: what src/cluster/ uses of nginx.
 *
 * A pool is a list of single malloc()s, so that AddressSanitizer sees one byte
 * too many.
 */


#include "reader.h"

#include <ngx_event.h>

#include <stdarg.h>


#define READER_TIMERS  8


typedef struct reader_piece_s  reader_piece_t;

struct reader_piece_s {
    reader_piece_t       *next;
};

typedef struct reader_pool_s  reader_pool_t;

struct reader_pool_s {
    reader_piece_t        head;
    reader_pool_t        *last;
};


uint64_t                  reader_now;
char                      reader_log[65536];

ngx_uint_t                ngx_http_longpoll_notify_number;
ngx_rbtree_t              ngx_event_timer_rbtree;
volatile ngx_msec_t       ngx_current_msec;
volatile ngx_time_t      *ngx_cached_time;

static ngx_time_t         reader_time;
static ngx_rbtree_node_t  *reader_timers[READER_TIMERS];
static ngx_uint_t         reader_ntimers;


int
gettimeofday(struct timeval *tv, void *tz)
{
    tv->tv_sec = reader_now / 1000;
    tv->tv_usec = reader_now % 1000 * 1000;

    return 0;
}


void
ngx_rbtree_insert(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    if (reader_ntimers == READER_TIMERS) {
        abort();
    }

    reader_timers[reader_ntimers++] = node;
}


void
ngx_rbtree_delete(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    ngx_uint_t  i;

    for (i = 0; i < reader_ntimers && reader_timers[i] != node; i++) ;

    if (i == reader_ntimers) {
        abort();
    }

    reader_timers[i] = reader_timers[--reader_ntimers];
}


void
reader_timers_end(void)
{
    reader_ntimers = 0;
}


ngx_event_t *
reader_timer(void)
{
    ngx_uint_t          i;
    ngx_rbtree_node_t  *node;

    if (reader_ntimers == 0) {
        return NULL;
    }

    for (node = reader_timers[0], i = 1; i < reader_ntimers; i++) {
        if (reader_timers[i]->key < node->key) {
            node = reader_timers[i];
        }
    }

    return ngx_rbtree_data(node, ngx_event_t, timer);
}


void
reader_time_init(void)
{
    reader_now = 1795228800000;
    ngx_current_msec = 1000;
}


void
reader_pass(uint64_t msec)
{
    if (msec > ngx_current_msec) {
        reader_now += msec - ngx_current_msec;
        ngx_current_msec = msec;
    }

    reader_time.sec = reader_now / 1000;
    ngx_cached_time = &reader_time;
}


void
reader_fire(ngx_event_t *ev)
{
    ngx_rbtree_delete(&ngx_event_timer_rbtree, &ev->timer);
    ev->timer_set = 0;
    ev->handler(ev);
}


void
ngx_http_longpoll_notify_wake(uint64_t workers)
{
}


uint64_t
ngx_http_longpoll_notify_alive(void)
{
    return 1;
}


/* a worker that dies leaves its pools: the next pool leads to the last one */

ngx_pool_t *
ngx_create_pool(size_t size, ngx_log_t *log)
{
    reader_pool_t         *pool;
    static reader_pool_t  *pools;

    pool = calloc(1, sizeof(reader_pool_t));
    pool->last = pools;
    pools = pool;

    return (ngx_pool_t *) pool;
}


void
ngx_reset_pool(ngx_pool_t *pool)
{
    reader_piece_t  *piece, *head = (reader_piece_t *) pool;

    while ((piece = head->next) != NULL) {
        head->next = piece->next;
        free(piece);
    }
}


void
ngx_destroy_pool(ngx_pool_t *pool)
{
    ngx_reset_pool(pool);
}


void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    reader_piece_t  *piece, *head = (reader_piece_t *) pool;

    piece = malloc(sizeof(reader_piece_t) + size);
    piece->next = head->next;
    head->next = piece;

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
    return memset(ngx_palloc(pool, size), 0, size);
}


ngx_int_t
ngx_pfree(ngx_pool_t *pool, void *p)
{
    return NGX_DECLINED;
}


/* nginx has no resolver */

ngx_resolver_ctx_t *
ngx_resolve_start(ngx_resolver_t *resolver, ngx_resolver_ctx_t *ctx)
{
    return NGX_NO_RESOLVER;
}


ngx_int_t
ngx_resolve_name(ngx_resolver_ctx_t *ctx)
{
    abort();
}


void
ngx_resolve_name_done(ngx_resolver_ctx_t *ctx)
{
    abort();
}


char *
ngx_resolver_strerror(ngx_int_t err)
{
    abort();
}


void
ngx_inet_set_port(struct sockaddr *sa, in_port_t port)
{
    abort();
}


static u_char *
reader_format(u_char *p, const char *format, va_list args)
{
    ngx_str_t  *s;

    for ( /* void */ ; *format; format++) {

        if (*format != '%') {
            *p++ = *format;

        } else if (strncmp(format, "%08xD", 5) == 0) {
            p += sprintf((char *) p, "%08x", va_arg(args, uint32_t));
            format += 4;

        } else if (format[1] == 'u') {
            p += sprintf((char *) p, "%llu",
                         (unsigned long long) va_arg(args, uint64_t));
            format += 2;

        } else if (format[1] == 's') {
            p += sprintf((char *) p, "%s", va_arg(args, char *));
            format++;

        } else if (format[1] == 'V') {
            s = va_arg(args, ngx_str_t *);
            memcpy(p, s->data, s->len);
            p += s->len;
            format++;

        } else {
            abort();
        }
    }

    return p;
}


u_char *
ngx_sprintf(u_char *p, const char *format, ...)
{
    u_char   text[256], *last;
    va_list  args;

    va_start(args, format);
    last = reader_format(text, format, args);
    va_end(args);

    return memcpy(p, text, last - text) + (last - text);
}


u_char *
ngx_snprintf(u_char *p, size_t max, const char *format, ...)
{
    u_char   text[1024], *last;
    size_t   len;
    va_list  args;

    va_start(args, format);
    last = reader_format(text, format, args);
    va_end(args);

    len = ngx_min(max, (size_t) (last - text));

    return memcpy(p, text, len) + len;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *format, ...)
{
    u_char   *p;
    va_list   args;

    p = (u_char *) reader_log + strlen(reader_log);

    if (p > (u_char *) reader_log + sizeof(reader_log) - 1024) {
        return;
    }

    va_start(args, format);
    p = reader_format(p, format, args);
    va_end(args);

    *p++ = '\n';
    *p = '\0';
}


ngx_uint_t
reader_logged(const char *text)
{
    char        *p;
    ngx_uint_t   n;

    for (n = 0, p = reader_log; (p = strstr(p, text)) != NULL; n++, p++) ;

    return n;
}
