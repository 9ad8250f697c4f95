
/*
 * ngx_http_longpoll_writer.c: the worker that writes a zone's log.
 *
 * One worker is elected: the word *z->elected, which all zones with this log
 * share, has its number.  A worker that finds the word 0, or the number of a
 * dead worker, takes it.  The lock on the directory keeps other nginxes out.
 *
 *           elected             not ours
 *     OUT ────────────▶ lock ─────────────▶ BARRED ── free ──▶ merge
 *      ▲                 │ ours                                  │
 *      │                 ▼                                       │
 *      │               meet  ◀───────────────────────────────────╯
 *      │                 │
 *      ╰── leaving ── READY ◀──▶ round, or a piece of a base
 *
 * The writer chooses the next operation when one has ended, when the timer has
 * fired, and when it is woken.  writer_task.h says what an operation is.
 */


#include "ngx_http_longpoll_writer.h"
#include "ngx_http_longpoll_writer_base.h"
#include "ngx_http_longpoll_writer_meet.h"
#include "ngx_http_longpoll_writer_round.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_zone_member.h"


#if (NGX_THREADS)

/*
 * ms: the timer, at most, while publishers wait, and in workers that are not
 * the writer; and while publishers wait for a writer, or the zone for its log
 */
#define NGX_HTTP_LONGPOLL_WRITER_AWAITED   1000
#define NGX_HTTP_LONGPOLL_WRITER_WATCH     100

/* ms that a publisher waits, at most: then its publish is refused */
#define NGX_HTTP_LONGPOLL_WRITER_PATIENCE  8000

/* rounds at the end of a process, at most */
#define NGX_HTTP_LONGPOLL_WRITER_ENDING    10000


static void ngx_http_longpoll_writer_timer(ngx_event_t *ev);
static ngx_msec_t ngx_http_longpoll_writer_period(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_reap(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_step(ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_writer_post(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_work(void *data);
static void ngx_http_longpoll_writer_finish(ngx_http_longpoll_writer_t *writer);
static ngx_http_longpoll_writer_op_t *ngx_http_longpoll_writer_next(
    ngx_http_longpoll_writer_t *writer);
static ngx_http_longpoll_writer_op_t *ngx_http_longpoll_writer_next_out(
    ngx_http_longpoll_writer_t *writer);
static ngx_http_longpoll_writer_op_t *ngx_http_longpoll_writer_next_base(
    ngx_http_longpoll_writer_t *writer);
static ngx_uint_t ngx_http_longpoll_writer_round_due(
    ngx_http_longpoll_writer_t *writer);
static ngx_uint_t ngx_http_longpoll_writer_elected(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_writer_lock(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_resign(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_free(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_end(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_unlock(ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_writer_decided(void *data, uint64_t id,
    uint64_t failed);
static void ngx_http_longpoll_writer_changed(void *data, ngx_uint_t on);


/* of this worker */
static ngx_http_longpoll_writer_t  *ngx_http_longpoll_writers;


ngx_int_t
ngx_http_longpoll_writer_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_writer_t  *writer;

    writer = ngx_pcalloc(cycle->pool, sizeof(ngx_http_longpoll_writer_t));
    if (writer == NULL) {
        return NGX_ERROR;
    }

    writer->zone = z;
    writer->log = cycle->log;
    writer->files.path = &z->persist;
    writer->files.dir = z->dir;
    writer->fd = -1;
    writer->new_fd = -1;

    ngx_queue_init(&writer->publishers.waiting);
    writer->publishers.data = writer;
    writer->publishers.decided = ngx_http_longpoll_writer_decided;
    writer->publishers.changed = ngx_http_longpoll_writer_changed;

    writer->dummy.fd = (ngx_socket_t) -1;
    writer->dummy.data = writer;
    writer->timer.handler = ngx_http_longpoll_writer_timer;
    writer->timer.data = &writer->dummy;
    writer->timer.log = cycle->log;
    writer->timer.cancelable = 1;

    writer->next = ngx_http_longpoll_writers;
    ngx_http_longpoll_writers = writer;

    z->writer = writer;

    ngx_http_longpoll_zone_member_join(z, ngx_http_longpoll_notify_worker());

    ngx_add_timer(&writer->timer, 1);

    return NGX_OK;
}


void
ngx_http_longpoll_writer_wake(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_writer_t  *writer;

    writer = z->writer;

    if (writer == NULL) {
        return;
    }

    if (writer->op && ngx_http_longpoll_thread_idle(writer->thread)) {
        ngx_http_longpoll_writer_finish(writer);
    }

    ngx_http_longpoll_durable_decide(&writer->publishers);
    ngx_http_longpoll_writer_step(writer);
}


static void
ngx_http_longpoll_writer_timer(ngx_event_t *ev)
{
    uint64_t                     wake;
    ngx_connection_t            *c;
    ngx_http_longpoll_writer_t  *writer;

    c = ev->data;
    writer = c->data;

    writer->due = 1;

    ngx_http_longpoll_writer_reap(writer);

    /* the writer may be stopped, or the disk hang: any worker may refuse */

    if (ngx_http_longpoll_durable_waited(&writer->publishers)
        >= NGX_HTTP_LONGPOLL_WRITER_PATIENCE)
    {
        wake = 0;
        ngx_http_longpoll_zone_disk_failed(writer->zone, &wake);
        ngx_http_longpoll_writer_notify(wake);
    }

    ngx_http_longpoll_writer_wake(writer->zone);

    ngx_add_timer(ev, ngx_http_longpoll_writer_period(writer));
}


/* half of flush, as writing takes time, too */

static ngx_msec_t
ngx_http_longpoll_writer_period(ngx_http_longpoll_writer_t *writer)
{
    ngx_uint_t  waiting, ready;
    ngx_msec_t  msec;

    waiting = !ngx_http_longpoll_durable_empty(&writer->publishers);
    ready = (writer->state == NGX_HTTP_LONGPOLL_WRITER_READY);

    msec = (ngx_msec_t) writer->zone->sh->conf.flush / 2;

    if (waiting || !ready) {
        msec = ngx_min(msec, NGX_HTTP_LONGPOLL_WRITER_AWAITED);
    }

    if (!ready && (waiting || writer->zone->sh->disk.contested)) {
        msec = ngx_min(msec, NGX_HTTP_LONGPOLL_WRITER_WATCH);
    }

    return ngx_max(msec, 10);
}


/* publishers wait for a writer that died: reap it now, not at the next tick */

static void
ngx_http_longpoll_writer_reap(ngx_http_longpoll_writer_t *writer)
{
    uint64_t  number;

    number = *writer->zone->elected;

    if (number && !ngx_http_longpoll_durable_empty(&writer->publishers)
        && !(ngx_http_longpoll_notify_alive() & (uint64_t) 1 << (number - 1)))
    {
        ngx_http_longpoll_notify_reap();
    }
}


/*
 * operations
 */


static void
ngx_http_longpoll_writer_step(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_writer_op_t  *op;

    while (writer->op == NULL) {
        op = ngx_http_longpoll_writer_next(writer);

        if (op == NULL) {
            ngx_http_longpoll_writer_free(writer);
            return;
        }

        writer->op = op;
        writer->last = op;

        ngx_log_debug2(NGX_LOG_DEBUG_CORE, writer->log, 0,
                       "longpoll writer \"%V\" %s", &writer->zone->name,
                       op->name);

        if (ngx_http_longpoll_writer_post(writer) != NGX_OK) {
            ngx_http_longpoll_writer_error(writer, "pthread_create",
                                           NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0);
            ngx_http_longpoll_writer_finish(writer);
        }
    }
}


static ngx_int_t
ngx_http_longpoll_writer_post(ngx_http_longpoll_writer_t *writer)
{
    if (writer->thread == NULL) {
        writer->thread = ngx_http_longpoll_thread_create(writer->log);

        if (writer->thread == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_http_longpoll_thread_post(writer->thread, ngx_http_longpoll_writer_work,
                                  writer);

    return NGX_OK;
}


static void
ngx_http_longpoll_writer_work(void *data)
{
    ngx_http_longpoll_writer_t *writer = data;

    writer->op->work(writer);
}


static void
ngx_http_longpoll_writer_finish(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_writer_op_t  *op;

    op = writer->op;
    writer->op = NULL;

    op->done(writer);
}


/* the next operation; NULL: there is nothing to do now */

static ngx_http_longpoll_writer_op_t *
ngx_http_longpoll_writer_next(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_zone_sh_t    *sh;
    ngx_http_longpoll_writer_op_t  *op;

    sh = writer->zone->sh;

    if (sh->moved) {
        ngx_http_longpoll_writer_resign(writer);
        return NULL;
    }

    if (writer->state != NGX_HTTP_LONGPOLL_WRITER_READY) {
        return ngx_http_longpoll_writer_next_out(writer);
    }

    /* after a failure the timer is waited for, unless publishers wait */

    if (writer->failing && !writer->due
        && !ngx_http_longpoll_writer_is_awaited(writer))
    {
        return NULL;
    }

    op = ngx_http_longpoll_writer_next_base(writer);

    if (op) {
        return op;
    }

    if (ngx_http_longpoll_writer_round_due(writer)
        && ngx_http_longpoll_writer_round_begin(writer) == NGX_OK)
    {
        return &ngx_http_longpoll_writer_round;
    }

    if (writer->rebasing
        && ngx_http_longpoll_writer_base_collect(writer) == NGX_OK)
    {
        return &ngx_http_longpoll_writer_base;
    }

    writer->due = 0;

    if (writer->leaving
        && ngx_http_longpoll_zone_member_others(writer->zone,
                                         ngx_http_longpoll_notify_worker(),
                                         ngx_http_longpoll_notify_alive()))
    {
        ngx_http_longpoll_writer_resign(writer);
    }

    return NULL;
}


/* this worker is not the writer, or has no lock */

static ngx_http_longpoll_writer_op_t *
ngx_http_longpoll_writer_next_out(ngx_http_longpoll_writer_t *writer)
{
    if ((!writer->due && *writer->zone->elected)
        || !ngx_http_longpoll_writer_elected(writer)
        || ngx_http_longpoll_writer_lock(writer) != NGX_OK)
    {
        return NULL;
    }

    return writer->zone->sh->disk.contested ? &ngx_http_longpoll_writer_merge
                                            : &ngx_http_longpoll_writer_meet;
}


/* a lost log comes before all else; a base and rounds take turns */

static ngx_http_longpoll_writer_op_t *
ngx_http_longpoll_writer_next_base(ngx_http_longpoll_writer_t *writer)
{
    ngx_uint_t  lost;

    lost = writer->zone->sh->disk.lost;

    if (!writer->rebasing && ngx_http_longpoll_writer_base_wanted(writer)) {
        ngx_http_longpoll_writer_base_begin(writer);
    }

    if (!writer->rebasing
        || (writer->last != &ngx_http_longpoll_writer_round && !lost)
        || ngx_http_longpoll_writer_base_collect(writer) != NGX_OK)
    {
        return NULL;
    }

    return &ngx_http_longpoll_writer_base;
}


static ngx_uint_t
ngx_http_longpoll_writer_round_due(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = writer->zone->sh;

    if (sh->disk.lost) {
        return 0;
    }

    return writer->due || writer->leaving || !sh->disk.begun
           || ngx_http_longpoll_writer_is_awaited(writer)
           || sh->disk.says != (sh->conf.durable ? NGX_HTTP_LONGPOLL_SAYS_YES
                                                 : NGX_HTTP_LONGPOLL_SAYS_NO);
}


/*
 * election
 */


/* whether this worker is the writer */

static ngx_uint_t
ngx_http_longpoll_writer_elected(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                   alive;
    ngx_uint_t                 self;
    ngx_atomic_uint_t          number;
    ngx_http_longpoll_zone_t  *z;

    z = writer->zone;
    self = ngx_http_longpoll_notify_worker();

    if (self == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return 0;
    }

    alive = ngx_http_longpoll_notify_alive();

    if (writer->leaving
        && ngx_http_longpoll_zone_member_others(z, self, alive))
    {
        ngx_http_longpoll_writer_resign(writer);
        return 0;
    }

    number = *z->elected;

    if (number == self + 1) {
        return 1;
    }

    if (number && (alive & (uint64_t) 1 << (number - 1))) {
        return 0;
    }

    return ngx_atomic_cmp_set(z->elected, number, self + 1);
}


static ngx_int_t
ngx_http_longpoll_writer_lock(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t                  rc;
    ngx_http_longpoll_zone_t  *z;

    z = writer->zone;

    rc = ngx_http_longpoll_segment_lock(writer->files.dir);

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    writer->due = 0;

    if (rc == NGX_ERROR) {
        writer->last = &ngx_http_longpoll_writer_meet;
        ngx_http_longpoll_writer_error(writer, "flock",
                                       NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0);
        ngx_http_longpoll_writer_failed(writer, 1, "events are not on disk");
        ngx_http_longpoll_writer_refuse(writer);

        return NGX_ERROR;
    }

    if (writer->state != NGX_HTTP_LONGPOLL_WRITER_BARRED) {
        writer->state = NGX_HTTP_LONGPOLL_WRITER_BARRED;

        ngx_log_error(NGX_LOG_NOTICE, writer->log, 0,
                      "longpoll zone \"%V\": another nginx has the directory "
                      "of \"%V\", events are written when it lets go",
                      &z->name, &z->persist);
    }

    ngx_http_longpoll_put(z->sh->disk.contested, 1);

    /* publishers wait only if they must */

    if (!z->sh->conf.durable) {
        ngx_http_longpoll_writer_refuse(writer);
    }

    return NGX_AGAIN;
}


/* another worker may be elected */

static void
ngx_http_longpoll_writer_resign(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_writer_close(&writer->fd);
    ngx_http_longpoll_writer_close(&writer->new_fd);

    if (writer->thread) {
        ngx_http_longpoll_thread_end(writer->thread);
        writer->thread = NULL;
    }

    writer->state = NGX_HTTP_LONGPOLL_WRITER_OUT;
    writer->rebasing = 0;
    writer->failing = NULL;

    if (ngx_atomic_cmp_set(writer->zone->elected,
                           ngx_http_longpoll_notify_worker() + 1, 0))
    {
        ngx_http_longpoll_writer_notify(writer->zone->sh->disk.stays);
    }
}


/* frees the memory of a writer that has nothing to write */

static void
ngx_http_longpoll_writer_free(ngx_http_longpoll_writer_t *writer)
{
    if (writer->lines.data && !writer->zone->sh->disk.durable) {
        ngx_free(writer->lines.data);
        ngx_memzero(&writer->lines, sizeof(ngx_http_longpoll_lines_t));
    }
}


/*
 * the end
 */


void
ngx_http_longpoll_writer_closing(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_writer_t  *writer;

    writer = z->writer;

    if (writer) {
        writer->leaving = 1;
        ngx_http_longpoll_zone_member_leave(z,
                                            ngx_http_longpoll_notify_worker());
        ngx_http_longpoll_writer_wake(z);
    }
}


void
ngx_http_longpoll_writer_exit_process(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_writer_t  *writer;

    writer = z->writer;

    if (writer == NULL
        || ngx_http_longpoll_notify_worker() == NGX_HTTP_LONGPOLL_NO_WORKER)
    {
        return;
    }

    /* the operation at hand comes to its end first */

    if (writer->thread) {
        ngx_http_longpoll_thread_end(writer->thread);
        writer->thread = NULL;
    }

    if (writer->op) {
        ngx_http_longpoll_writer_finish(writer);
    }

    writer->leaving = 1;
    ngx_http_longpoll_zone_member_leave(z, ngx_http_longpoll_notify_worker());

    if (!z->sh->moved
        && !ngx_http_longpoll_zone_member_others(z,
                                         ngx_http_longpoll_notify_worker(),
                                         ngx_http_longpoll_notify_alive()))
    {
        ngx_http_longpoll_writer_end(writer);
    }

    ngx_http_longpoll_writer_resign(writer);
    ngx_free(writer->lines.data);

    z->writer = NULL;
}


/*
 * No worker stays: this one writes what is left, and the end, unless another
 * leaving worker is the writer.  If one of those takes a publish after that, it
 * begins the epoch in the log again, and ends it again.
 */

static void
ngx_http_longpoll_writer_end(ngx_http_longpoll_writer_t *writer)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_writer_op_t  *op;

    writer->due = 1;

    /* a base that failed is tried once more: it has what no note has */

    writer->base_delay = 0;

    for (i = 0; i < NGX_HTTP_LONGPOLL_WRITER_ENDING; i++) {
        op = ngx_http_longpoll_writer_next(writer);

        if (op) {
            writer->op = op;
            writer->last = op;
            op->work(writer);
            ngx_http_longpoll_writer_finish(writer);

            if (writer->rc == NGX_ERROR && writer->zone->sh->disk.failing) {
                break;
            }

            continue;
        }

        if (writer->state != NGX_HTTP_LONGPOLL_WRITER_READY
            || writer->zone->sh->disk.failing
            || ngx_http_longpoll_writer_round_end(writer) != NGX_AGAIN)
        {
            break;
        }

        writer->due = 1;
    }

    if (writer->state == NGX_HTTP_LONGPOLL_WRITER_READY) {
        ngx_http_longpoll_writer_unlock(writer);
    }
}


/* the lock is for all zones with files in the directory */

static void
ngx_http_longpoll_writer_unlock(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_writer_t  *other;

    for (other = ngx_http_longpoll_writers; other; other = other->next) {

        if (other->files.dir == writer->files.dir
            && other->zone->sh->disk.begun)
        {
            return;
        }
    }

    ngx_http_longpoll_segment_unlock(writer->files.dir);
}


/*
 * publishers
 */


ngx_int_t
ngx_http_longpoll_writer_wait(ngx_http_longpoll_zone_t *z,
    ngx_http_request_t *r, uint64_t id, uint64_t failed,
    ngx_http_longpoll_durable_pt handler)
{
    ngx_http_longpoll_writer_t  *writer;

    writer = z->writer;

    return ngx_http_longpoll_durable_wait(&writer->publishers, r, id, failed,
                                          handler);
}


static ngx_int_t
ngx_http_longpoll_writer_decided(void *data, uint64_t id, uint64_t failed)
{
    ngx_http_longpoll_writer_t *writer = data;

    return ngx_http_longpoll_zone_disk_decided(writer->zone, id, failed);
}


/*
 * Tells the writer that publishers wait in this worker, or do not.  The writer
 * may have saved their messages before it saw the bit, so this worker wakes
 * itself to look.
 */

static void
ngx_http_longpoll_writer_changed(void *data, ngx_uint_t on)
{
    ngx_http_longpoll_writer_t *writer = data;

    uint64_t      bit;
    ngx_uint_t    self;
    ngx_msec_t    msec;
    ngx_event_t  *timer;

    self = ngx_http_longpoll_notify_worker();
    timer = &writer->timer;

    /* a leaving worker stays until its publishers are answered */

    timer->cancelable = !on;

    if (self == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    bit = (uint64_t) 1 << self;

    if (!on) {
        (void) __sync_fetch_and_and(&writer->zone->sh->disk.publishers, ~bit);
        return;
    }

    (void) __sync_fetch_and_or(&writer->zone->sh->disk.publishers, bit);
    ngx_http_longpoll_notify_wake(bit);

    msec = writer->state == NGX_HTTP_LONGPOLL_WRITER_READY
           ? NGX_HTTP_LONGPOLL_WRITER_AWAITED : NGX_HTTP_LONGPOLL_WRITER_WATCH;

    if (timer->timer_set
        && (ngx_msec_int_t) (timer->timer.key - ngx_current_msec)
           > (ngx_msec_int_t) msec)
    {
        ngx_del_timer(timer);
        ngx_add_timer(timer, msec);
    }
}

#else

/* without threads no zone has a file */

ngx_int_t
ngx_http_longpoll_writer_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_zone_t *z)
{
    return NGX_OK;
}


void
ngx_http_longpoll_writer_wake(ngx_http_longpoll_zone_t *z)
{
}


void
ngx_http_longpoll_writer_closing(ngx_http_longpoll_zone_t *z)
{
}


void
ngx_http_longpoll_writer_exit_process(ngx_http_longpoll_zone_t *z)
{
}


ngx_int_t
ngx_http_longpoll_writer_wait(ngx_http_longpoll_zone_t *z,
    ngx_http_request_t *r, uint64_t id, uint64_t failed,
    ngx_http_longpoll_durable_pt handler)
{
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

#endif
