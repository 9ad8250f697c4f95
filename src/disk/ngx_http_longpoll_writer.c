
/*
 * ngx_http_longpoll_writer.c: the worker that writes a zone's log, and the
 * publishers that wait for it.
 *
 * One worker is elected: the word *z->elected, which all zones with this log
 * share, has its pid and number.  A worker that finds the word 0, or of a dead
 * worker, takes it.  The number alone would not do: a new worker may have got
 * it, and be elected, since this one looked.  docs/internals/disk.md draws the
 * writer's states.
 *
 * What the writer does with the files is a pass, in a thread of its own, which
 * ends with the pass.  There is one at a time.  It is begun when the timer has
 * fired, and when the worker is woken.  When the thread is about to end, it
 * wakes the worker as another worker would.  docs/internals/disk.md says why
 * nginx's pools of threads are not used.
 *
 * Publishers that wait stand in one queue (worker/await), in the order of ids.
 */


#include "ngx_http_longpoll_writer.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_pass.h"
#include "ngx_http_longpoll_segment.h"
#include "ngx_http_longpoll_zone_cursor.h"


/*
 * ms: the timer, at most, while publishers wait, and in workers that are not
 * the writer; and while publishers wait for a writer, or the zone for its log
 */
#define NGX_HTTP_LONGPOLL_WRITER_AWAITED   1000
#define NGX_HTTP_LONGPOLL_WRITER_WATCH     100

/* ms that a publisher waits, at most: then its publish is refused */
#define NGX_HTTP_LONGPOLL_WRITER_PATIENCE  8000


static void ngx_http_longpoll_writer_timer(ngx_event_t *ev);
static ngx_msec_t ngx_http_longpoll_writer_period(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_step(ngx_http_longpoll_writer_t *writer);
static ngx_uint_t ngx_http_longpoll_writer_wanted(
    ngx_http_longpoll_writer_t *writer);
static ngx_uint_t ngx_http_longpoll_writer_elected(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_begin(ngx_http_longpoll_writer_t *writer);
static void *ngx_http_longpoll_writer_thread(void *data);
static void ngx_http_longpoll_writer_resign(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_end(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_await(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_decide(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_left(ngx_http_longpoll_await_t *await,
    ngx_http_longpoll_publisher_t *publisher);


/* of this worker */
static ngx_http_longpoll_writer_t  *ngx_http_longpoll_writers;


/* this worker, as *z->elected names it */
#define ngx_http_longpoll_writer_self()                                       \
    ((uint64_t) ngx_pid << 32 | (ngx_http_longpoll_notify_worker() + 1))


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
    writer->fd = -1;

    ngx_http_longpoll_await_init(&writer->publishers,
                                 ngx_http_longpoll_writer_left, writer);

    writer->dummy.fd = (ngx_socket_t) -1;
    writer->dummy.data = writer;
    writer->timer.handler = ngx_http_longpoll_writer_timer;
    writer->timer.data = &writer->dummy;
    writer->timer.log = cycle->log;
    writer->timer.cancelable = 1;

    writer->next = ngx_http_longpoll_writers;
    ngx_http_longpoll_writers = writer;

    z->writer = writer;

    ngx_http_longpoll_zone_stays(z, ngx_http_longpoll_notify_worker(), 1);

    ngx_add_timer(&writer->timer, 1);

    return NGX_OK;
}


void
ngx_http_longpoll_writer_wake(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_writer_t  *writer;

    writer = z->writer;

    if (writer) {
        ngx_http_longpoll_writer_decide(writer);
        ngx_http_longpoll_writer_step(writer);
    }
}


static void
ngx_http_longpoll_writer_timer(ngx_event_t *ev)
{
    uint64_t                        wake;
    ngx_connection_t               *c;
    ngx_http_longpoll_writer_t     *writer;
    ngx_http_longpoll_publisher_t  *publisher;

    c = ev->data;
    writer = c->data;

    writer->due = 1;
    ngx_add_timer(ev, ngx_http_longpoll_writer_period(writer));

    /* the writer may be stopped, or the disk hang: any worker may refuse */

    publisher = ngx_http_longpoll_await_first(&writer->publishers);

    if (publisher
        && ngx_current_msec - publisher->since
           >= NGX_HTTP_LONGPOLL_WRITER_PATIENCE)
    {
        wake = 0;
        ngx_http_longpoll_zone_disk_failed(writer->zone, &wake);
        ngx_http_longpoll_notify_wake(wake & ngx_http_longpoll_notify_alive());
    }

    ngx_http_longpoll_writer_wake(writer->zone);
}


/* half of flush, as writing takes time, too */

static ngx_msec_t
ngx_http_longpoll_writer_period(ngx_http_longpoll_writer_t *writer)
{
    ngx_uint_t  waiting;
    ngx_msec_t  msec;

    waiting = ngx_http_longpoll_await_first(&writer->publishers) != NULL;
    msec = (ngx_msec_t) writer->zone->sh->conf.flush / 2;

    if (waiting || !writer->ready) {
        msec = ngx_min(msec, NGX_HTTP_LONGPOLL_WRITER_AWAITED);
    }

    if (!writer->ready && (waiting || writer->zone->sh->disk.contested)) {
        msec = ngx_min(msec, NGX_HTTP_LONGPOLL_WRITER_WATCH);
    }

    return ngx_max(msec, 10);
}


/*
 * passes
 */


static void
ngx_http_longpoll_writer_step(ngx_http_longpoll_writer_t *writer)
{
    if (writer->running) {

        if (!writer->done) {
            return;
        }

        (void) pthread_join(writer->thread, NULL);
        writer->running = 0;
    }

    if (ngx_http_longpoll_pass_is_over(writer)) {
        ngx_http_longpoll_writer_resign(writer);

    } else if (ngx_http_longpoll_writer_wanted(writer)
               && ngx_http_longpoll_writer_elected(writer))
    {
        ngx_http_longpoll_writer_begin(writer);
    }
}


static ngx_uint_t
ngx_http_longpoll_writer_wanted(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = writer->zone->sh;

    if (writer->due) {
        return 1;
    }

    if (!writer->ready) {
        return *writer->zone->elected == 0;
    }

    if (ngx_http_longpoll_pass_awaited(writer)) {
        return 1;
    }

    /*
     * After a failure the writer waits for its timer, unless publishers or a
     * flight of presence wait.
     */

    return !sh->disk.failing
           && (!sh->disk.begun
               || sh->disk.says != (sh->conf.durable
                                    ? NGX_HTTP_LONGPOLL_SAYS_YES
                                    : NGX_HTTP_LONGPOLL_SAYS_NO));
}


/* whether this worker is the writer */

static ngx_uint_t
ngx_http_longpoll_writer_elected(ngx_http_longpoll_writer_t *writer)
{
    ngx_atomic_uint_t  self, elected;

    self = ngx_http_longpoll_writer_self();
    elected = *writer->zone->elected;

    if (elected == self
        || ngx_http_longpoll_notify_worker() == NGX_HTTP_LONGPOLL_NO_WORKER)
    {
        return elected == self;
    }

    if (ngx_http_longpoll_notify_alive()
        & ngx_http_longpoll_zone_cursor_writer(writer->zone))
    {
        writer->due = 0;
        return 0;
    }

    return ngx_atomic_cmp_set(writer->zone->elected, elected, self);
}


static void
ngx_http_longpoll_writer_begin(ngx_http_longpoll_writer_t *writer)
{
    sigset_t  all, old;

    ngx_log_debug1(NGX_LOG_DEBUG_CORE, writer->log, 0,
                   "longpoll writer \"%V\" begins a pass", &writer->zone->name);

    writer->done = 0;

    /* the thread is born with this mask: signals are nginx's main thread's */

    sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &old);

    errno = pthread_create(&writer->thread, NULL,
                           ngx_http_longpoll_writer_thread, writer);

    writer->running = (errno == 0);

    if (!writer->running) {
        writer->due = 0;
        (void) ngx_http_longpoll_pass_failed(writer, "pthread_create",
                                             NGX_HTTP_LONGPOLL_SEGMENT_PATH);
    }

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
}


static void *
ngx_http_longpoll_writer_thread(void *data)
{
    ngx_http_longpoll_writer_t  *writer = data;

    ngx_http_longpoll_pass(writer);

    __sync_synchronize();
    writer->done = 1;

    ngx_http_longpoll_notify_wake_self();

    return NULL;
}


/* another worker may be elected */

static void
ngx_http_longpoll_writer_resign(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_zone_t  *z;

    z = writer->zone;

    if (writer->fd != -1) {
        (void) close(writer->fd);
        writer->fd = -1;
    }

    writer->ready = 0;

    if (ngx_atomic_cmp_set(z->elected, ngx_http_longpoll_writer_self(), 0)) {
        ngx_http_longpoll_notify_wake(z->sh->disk.stays
                                      & ngx_http_longpoll_notify_alive());
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
        writer->due = 1;
        ngx_http_longpoll_zone_stays(z, ngx_http_longpoll_notify_worker(), 0);
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

    writer->leaving = 1;
    ngx_http_longpoll_zone_stays(z, ngx_http_longpoll_notify_worker(), 0);

    if (writer->running) {
        (void) pthread_join(writer->thread, NULL);
    }

    if (ngx_http_longpoll_pass_is_over(writer)) {
        ngx_http_longpoll_writer_resign(writer);
    }

    /* the last other worker may have ended while this one was still elected */

    if (!ngx_http_longpoll_pass_is_over(writer)) {
        ngx_http_longpoll_writer_end(writer);
        ngx_http_longpoll_writer_resign(writer);
    }

    z->writer = NULL;
}


/*
 * No worker stays: this one writes what is left, and the end, unless another
 * leaving worker is the writer.  If one of those takes a publish after that, it
 * begins the epoch in the log again, and ends it again.  The lock is given back
 * when no zone has its files in the directory any more.
 */

static void
ngx_http_longpoll_writer_end(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_writer_t  *other;

    if (!ngx_http_longpoll_writer_elected(writer)) {
        return;
    }

    /* a base that failed is tried once more: it has what no note has */

    writer->base_delay = 0;
    writer->due = 1;
    writer->ending = 1;

    ngx_http_longpoll_pass(writer);

    if (!writer->ready) {
        return;
    }

    for (other = ngx_http_longpoll_writers; other; other = other->next) {

        if (other->zone->dir == writer->zone->dir
            && other->zone->sh->disk.begun)
        {
            return;
        }
    }

    ngx_http_longpoll_segment_unlock(writer->zone);
}


/*
 * publishers
 */


ngx_int_t
ngx_http_longpoll_writer_wait(ngx_http_longpoll_zone_t *z,
    ngx_http_request_t *r, uint64_t id, uint64_t failed,
    ngx_http_longpoll_await_pt handler)
{
    ngx_http_longpoll_writer_t     *writer;
    ngx_http_longpoll_publisher_t  *publisher;

    writer = z->writer;

    publisher = ngx_http_longpoll_await_add(&writer->publishers, r, handler);
    if (publisher == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    publisher->id = id;
    publisher->failed = failed;

    if (ngx_http_longpoll_await_first(&writer->publishers) == publisher) {
        ngx_http_longpoll_writer_await(writer);
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "longpoll publish %uL waits", id);

    return NGX_DONE;
}


/*
 * Tells the writer that publishers wait in this worker.  The writer may have
 * saved their messages before it saw the bit, so this worker wakes itself to
 * look.
 */

static void
ngx_http_longpoll_writer_await(ngx_http_longpoll_writer_t *writer)
{
    uint64_t      bit;
    ngx_msec_t    msec;
    ngx_event_t  *timer;

    timer = &writer->timer;

    /* a leaving worker stays until its publishers are answered */

    timer->cancelable = 0;

    if (ngx_http_longpoll_notify_worker() == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    bit = ngx_http_longpoll_zone_bit(ngx_http_longpoll_notify_worker());

    (void) __sync_fetch_and_or(&writer->zone->sh->disk.publishers, bit);
    ngx_http_longpoll_notify_wake(bit);

    msec = ngx_http_longpoll_writer_period(writer);

    if ((ngx_msec_int_t) (timer->timer.key - ngx_current_msec)
        > (ngx_msec_int_t) msec)
    {
        ngx_del_timer(timer);
        ngx_add_timer(timer, msec);
    }
}


/* the queue is in the order of ids */

static void
ngx_http_longpoll_writer_decide(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t                       rc;
    ngx_http_longpoll_publisher_t  *publisher;

    while ((publisher = ngx_http_longpoll_await_first(&writer->publishers))
           != NULL)
    {
        rc = ngx_http_longpoll_zone_disk_decided(writer->zone, publisher->id,
                                                 publisher->failed);
        if (rc == NGX_AGAIN) {
            return;
        }

        ngx_http_longpoll_await_answer(publisher, rc);
    }
}


static void
ngx_http_longpoll_writer_left(ngx_http_longpoll_await_t *await,
    ngx_http_longpoll_publisher_t *publisher)
{
    uint64_t                     bit;
    ngx_http_longpoll_writer_t  *writer;

    if (ngx_http_longpoll_await_first(await)) {
        return;
    }

    writer = await->data;
    writer->timer.cancelable = 1;

    if (ngx_http_longpoll_notify_worker() != NGX_HTTP_LONGPOLL_NO_WORKER) {
        bit = ngx_http_longpoll_zone_bit(ngx_http_longpoll_notify_worker());
        (void) __sync_fetch_and_and(&writer->zone->sh->disk.publishers, ~bit);
    }
}
