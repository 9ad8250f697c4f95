
/*
 * ngx_http_longpoll_notify.c: one eventfd for each worker, and which workers
 * live.
 *
 * The owner word is pid << 32 | start time: the start time tells a process from
 * a later one with the same pid.
 *
 * With epoll nobody reads an eventfd: epoll reports each write() (EPOLLET), and
 * the counter would be full only after 2^64 writes.  poll and select (`use`)
 * report an eventfd until it is read.  So the worker reads it there: otherwise
 * it would never sleep.
 *
 * nginx has no hook for a worker that leaves, but it closes idle connections
 * then.  So the eventfd's connection is marked idle; nginx sets its `close` and
 * calls its read handler.  The waiters are answered a ms later and not in that
 * call: otherwise nginx would send no GOAWAY to the HTTP/2 connections that it
 * has not come to yet.
 */


#include "ngx_http_longpoll_notify.h"

#include <sys/eventfd.h>


typedef struct {
    ngx_atomic_t                          owner;    /* pid << 32 | start */
    ngx_atomic_t                          notified;
    ngx_atomic_t                          padding[6]; /* to a cache line */
} ngx_http_longpoll_notify_sh_t;


static ngx_int_t ngx_http_longpoll_notify_make(ngx_log_t *log);
static void ngx_http_longpoll_notify_release(void *data);
static void ngx_http_longpoll_notify_free(ngx_uint_t n);
static void ngx_http_longpoll_notify_event(ngx_event_t *ev,
    ngx_event_handler_pt handler, ngx_log_t *log);
static ngx_int_t ngx_http_longpoll_notify_claim(void);
static void ngx_http_longpoll_notify_write(ngx_uint_t worker);
static ngx_uint_t ngx_http_longpoll_notify_is_alive(ngx_atomic_uint_t owner);
static uint32_t ngx_http_longpoll_notify_start(ngx_pid_t pid);
static void ngx_http_longpoll_notify_read_handler(ngx_event_t *rev);
static void ngx_http_longpoll_notify_check_handler(ngx_event_t *ev);
static void ngx_http_longpoll_notify_tick_handler(ngx_event_t *ev);
static void ngx_http_longpoll_notify_closing_handler(ngx_event_t *ev);


/* the master has none */
ngx_uint_t  ngx_http_longpoll_notify_number = NGX_HTTP_LONGPOLL_NO_WORKER;

static ngx_uint_t                            ngx_http_longpoll_notify_holders;
static ngx_shm_t                             ngx_http_longpoll_notify_shm;
static ngx_http_longpoll_notify_sh_t        *ngx_http_longpoll_notify_table;
static int        ngx_http_longpoll_notify_fds[NGX_HTTP_LONGPOLL_WORKERS];

static ngx_atomic_uint_t                     ngx_http_longpoll_notify_self;
static ngx_http_longpoll_notify_handlers_t  *ngx_http_longpoll_notify_handlers;
static ngx_connection_t                      ngx_http_longpoll_notify_dummy;
static ngx_event_t                           ngx_http_longpoll_notify_check;
static ngx_event_t                           ngx_http_longpoll_notify_tick;
static ngx_event_t                           ngx_http_longpoll_notify_closing;


/* ms between two ticks */
#define ngx_http_longpoll_notify_period()                                     \
    (ngx_http_longpoll_notify_number == NGX_HTTP_LONGPOLL_NO_WORKER ? 100     \
                                                                    : 1000)


ngx_int_t
ngx_http_longpoll_notify_hold(ngx_cycle_t *cycle)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cycle->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_longpoll_notify_holders == 0
        && ngx_http_longpoll_notify_make(cycle->log) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_longpoll_notify_holders++;

    cln->handler = ngx_http_longpoll_notify_release;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_notify_make(ngx_log_t *log)
{
    ngx_shm_t   *shm;
    ngx_uint_t   i;

    shm = &ngx_http_longpoll_notify_shm;

    shm->size = NGX_HTTP_LONGPOLL_WORKERS
                * (sizeof(ngx_http_longpoll_notify_sh_t)
                   + NGX_HTTP_LONGPOLL_NOTIFY_ROOM);
    ngx_str_set(&shm->name, "longpoll_notify");
    shm->log = log;

    if (ngx_shm_alloc(shm) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS; i++) {
        ngx_http_longpoll_notify_fds[i] = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

        if (ngx_http_longpoll_notify_fds[i] == -1) {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                          "longpoll: eventfd() failed; it needs %d file "
                          "descriptors", NGX_HTTP_LONGPOLL_WORKERS);
            ngx_http_longpoll_notify_free(i);
            return NGX_ERROR;
        }
    }

    ngx_http_longpoll_notify_table =
                                   (ngx_http_longpoll_notify_sh_t *) shm->addr;

    return NGX_OK;
}


static void
ngx_http_longpoll_notify_release(void *data)
{
    if (--ngx_http_longpoll_notify_holders == 0) {
        ngx_http_longpoll_notify_free(NGX_HTTP_LONGPOLL_WORKERS);
    }
}


/* n: how many eventfds there are */

static void
ngx_http_longpoll_notify_free(ngx_uint_t n)
{
    while (n) {
        (void) close(ngx_http_longpoll_notify_fds[--n]);
    }

    /* the pool's log may be gone */

    ngx_http_longpoll_notify_shm.log = ngx_cycle->log;
    ngx_shm_free(&ngx_http_longpoll_notify_shm);

    ngx_http_longpoll_notify_table = NULL;
}


ngx_int_t
ngx_http_longpoll_notify_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_notify_handlers_t *handlers)
{
    ngx_connection_t  *c;

    ngx_http_longpoll_notify_handlers = handlers;

    ngx_http_longpoll_notify_dummy.fd = (ngx_socket_t) -1;

    ngx_http_longpoll_notify_event(&ngx_http_longpoll_notify_check,
                                   ngx_http_longpoll_notify_check_handler,
                                   cycle->log);
    ngx_http_longpoll_notify_event(&ngx_http_longpoll_notify_tick,
                                   ngx_http_longpoll_notify_tick_handler,
                                   cycle->log);
    ngx_http_longpoll_notify_event(&ngx_http_longpoll_notify_closing,
                                   ngx_http_longpoll_notify_closing_handler,
                                   cycle->log);

    ngx_http_longpoll_notify_tick.cancelable = 1;

    if (ngx_http_longpoll_notify_claim() != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "longpoll: more than %d workers, this one looks "
                      "for events ten times a second",
                      NGX_HTTP_LONGPOLL_WORKERS);

        /*
         * It needs a connection all the same, since nginx tells it by that to
         * leave.  Any eventfd will do: it is not added to epoll.
         */

        ngx_http_longpoll_notify_number = NGX_HTTP_LONGPOLL_NO_WORKER;
    }

    ngx_add_timer(&ngx_http_longpoll_notify_tick,
                  ngx_http_longpoll_notify_period());

    c = ngx_get_connection(ngx_http_longpoll_notify_fds[
                                             ngx_http_longpoll_notify_number
                                             % NGX_HTTP_LONGPOLL_WORKERS],
                           cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->idle = 1;
    c->read->channel = 1;
    c->read->log = cycle->log;
    c->read->handler = ngx_http_longpoll_notify_read_handler;

    if (ngx_http_longpoll_notify_number == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return NGX_OK;
    }

    return ngx_handle_read_event(c->read, 0);
}


static void
ngx_http_longpoll_notify_event(ngx_event_t *ev, ngx_event_handler_pt handler,
    ngx_log_t *log)
{
    ev->handler = handler;
    ev->data = &ngx_http_longpoll_notify_dummy;
    ev->log = log;
}


static ngx_int_t
ngx_http_longpoll_notify_claim(void)
{
    ngx_uint_t                      i;
    ngx_atomic_uint_t               owner;
    ngx_http_longpoll_notify_sh_t  *sh;

    ngx_http_longpoll_notify_self =
                           (ngx_atomic_uint_t) ngx_pid << 32
                           | ngx_http_longpoll_notify_start(ngx_pid);

    for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS; i++) {
        sh = &ngx_http_longpoll_notify_table[i];
        owner = sh->owner;

        if (owner && ngx_http_longpoll_notify_is_alive(owner)) {
            continue;
        }

        if (ngx_atomic_cmp_set(&sh->owner, owner,
                               ngx_http_longpoll_notify_self))
        {
            ngx_http_longpoll_point("claimed");

            ngx_http_longpoll_notify_number = i;
            ngx_http_longpoll_notify_handlers->reap(i);
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


void
ngx_http_longpoll_notify_exit_process(void)
{
    if (ngx_http_longpoll_notify_handlers == NULL
        || ngx_http_longpoll_notify_number == NGX_HTTP_LONGPOLL_NO_WORKER)
    {
        return;
    }

    ngx_http_longpoll_point("leaving");

    ngx_http_longpoll_notify_handlers->reap(ngx_http_longpoll_notify_number);

    ngx_http_longpoll_point("left");

    (void) ngx_atomic_cmp_set(
        &ngx_http_longpoll_notify_table[ngx_http_longpoll_notify_number].owner,
        ngx_http_longpoll_notify_self, 0);
}


void
ngx_http_longpoll_notify_wake(uint64_t workers)
{
    ngx_uint_t  i;

    for ( /* void */ ; workers; workers &= workers - 1) {
        i = __builtin_ctzll(workers);

        if (i == ngx_http_longpoll_notify_number) {
            ngx_post_event(&ngx_http_longpoll_notify_check, &ngx_posted_events);
            continue;
        }

        if (__sync_lock_test_and_set(
                &ngx_http_longpoll_notify_table[i].notified, 1)
            == 0)
        {
            ngx_http_longpoll_point("notified");

            ngx_http_longpoll_notify_write(i);
        }
    }
}


void
ngx_http_longpoll_notify_wake_self(void)
{
    ngx_http_longpoll_notify_write(ngx_http_longpoll_notify_number);
}


static void
ngx_http_longpoll_notify_write(ngx_uint_t worker)
{
    uint64_t  one;

    one = 1;

    /* EAGAIN: the counter is full, and so the worker is woken already */

    if (ngx_write_fd(ngx_http_longpoll_notify_fds[worker], &one,
                     sizeof(uint64_t))
        == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "longpoll: write() to eventfd failed");
    }
}


uint64_t
ngx_http_longpoll_notify_alive(void)
{
    uint64_t           alive;
    ngx_uint_t         i;
    ngx_atomic_uint_t  owner;

    alive = 0;

    if (ngx_http_longpoll_notify_table == NULL) {
        return 0;
    }

    for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS; i++) {
        owner = ngx_http_longpoll_notify_table[i].owner;

        if (owner
            && (kill((ngx_pid_t) (owner >> 32), 0) == 0
                || ngx_errno != NGX_ESRCH))
        {
            alive |= (uint64_t) 1 << i;
        }
    }

    return alive;
}


u_char *
ngx_http_longpoll_notify_room(ngx_uint_t worker)
{
    /* the rooms are behind the table */

    return (u_char *) (ngx_http_longpoll_notify_table
                       + NGX_HTTP_LONGPOLL_WORKERS)
           + worker * NGX_HTTP_LONGPOLL_NOTIFY_ROOM;
}


/*
 * A process owns the number that it reaps meanwhile.  Otherwise a new worker
 * could claim the number and lose what it has just begun.
 */

void
ngx_http_longpoll_notify_reap(void)
{
    ngx_uint_t                      i;
    ngx_atomic_uint_t               owner;
    ngx_http_longpoll_notify_sh_t  *sh;

    for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS; i++) {
        sh = &ngx_http_longpoll_notify_table[i];
        owner = sh->owner;

        if (owner == 0 || owner == ngx_http_longpoll_notify_self
            || ngx_http_longpoll_notify_is_alive(owner))
        {
            continue;
        }

        if (ngx_atomic_cmp_set(&sh->owner, owner,
                               ngx_http_longpoll_notify_self))
        {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "longpoll: forgetting the polls of dead worker %P",
                          (ngx_pid_t) (owner >> 32));

            ngx_http_longpoll_point("reaping");

            ngx_http_longpoll_notify_handlers->reap(i);

            ngx_http_longpoll_point("reaped");

            sh->owner = 0;
        }
    }
}


static ngx_uint_t
ngx_http_longpoll_notify_is_alive(ngx_atomic_uint_t owner)
{
    uint32_t  start;

    if (owner == ngx_http_longpoll_notify_self) {
        return 1;
    }

    if (kill((ngx_pid_t) (owner >> 32), 0) == -1 && ngx_errno == NGX_ESRCH) {
        return 0;
    }

    start = ngx_http_longpoll_notify_start((ngx_pid_t) (owner >> 32));

    /* without /proc a process that exists is taken for the owner */

    return start == 0 || start == (uint32_t) owner;
}


/*
 * The start time of a process, in ticks since the system's: field 22 of
 * /proc/PID/stat (proc(5)).  0: unknown.  1: the process is dead, and its
 * parent has not waited for it yet.
 */

static uint32_t
ngx_http_longpoll_notify_start(ngx_pid_t pid)
{
    u_char      *p, *last, name[sizeof("/proc//stat") + NGX_INT64_LEN];
    u_char       buf[1024];
    ssize_t      n;
    uint32_t     start;
    ngx_fd_t     fd;
    ngx_uint_t   field;

    (void) ngx_sprintf(name, "/proc/%P/stat%Z", pid);

    fd = ngx_open_file(name, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    (void) ngx_close_file(fd);

    if (n <= 0) {
        return 0;
    }

    last = buf + n;

    /* field 2 is a name in parentheses, of any characters */

    for (p = last; p > buf && p[-1] != ')'; p--) { /* void */ }

    if (p == buf) {
        return 0;
    }

    if (p + 1 < last && (p[1] == 'Z' || p[1] == 'X')) {
        return 1;
    }

    for (field = 2; p < last && field < 22; p++) {
        field += (*p == ' ');
    }

    for (start = 0; p < last && *p >= '0' && *p <= '9'; p++) {
        start = start * 10 + (*p - '0');
    }

    return ngx_max(start, 2);
}


static void
ngx_http_longpoll_notify_read_handler(ngx_event_t *rev)
{
    uint64_t           n;
    ngx_connection_t  *c;

    c = rev->data;

    if (c->close) {
        c->close = 0;
        c->idle = 0;

        ngx_add_timer(&ngx_http_longpoll_notify_closing, 1);
        return;
    }

    if (!(ngx_event_flags & NGX_USE_CLEAR_EVENT)
        && ngx_read_fd(c->fd, &n, sizeof(uint64_t)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_log_error(NGX_LOG_ALERT, rev->log, ngx_errno,
                      "longpoll: read() from eventfd failed");
    }

    ngx_http_longpoll_notify_check_handler(&ngx_http_longpoll_notify_check);
}


static void
ngx_http_longpoll_notify_check_handler(ngx_event_t *ev)
{
    /* a full barrier: the zones must not be read before notified is cleared */

    if (ngx_http_longpoll_notify_number != NGX_HTTP_LONGPOLL_NO_WORKER) {
        (void) __sync_fetch_and_and(&ngx_http_longpoll_notify_table[
                                ngx_http_longpoll_notify_number].notified, 0);
    }

    ngx_http_longpoll_point("cleared");

    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, ev->log, 0, "longpoll check");

    ngx_http_longpoll_notify_handlers->check();
}


static void
ngx_http_longpoll_notify_tick_handler(ngx_event_t *ev)
{
    ngx_http_longpoll_notify_handlers->tick();

    ngx_add_timer(ev, ngx_http_longpoll_notify_period());
}


static void
ngx_http_longpoll_notify_closing_handler(ngx_event_t *ev)
{
    ngx_http_longpoll_notify_handlers->closing();
}
