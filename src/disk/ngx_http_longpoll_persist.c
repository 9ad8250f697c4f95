
/*
 * ngx_http_longpoll_persist.c: the worker that writes a zone's file, and the
 * publishers that wait for the disk.
 *
 * Of all workers one writes.  It does one thing at a time, in a thread of
 * nginx's pool, and looks what is next when that is done:
 *
 *      NONE ── open ──▶ READY ─┬─ head     this life has begun
 *        ▲     │ locked        ├─ append   what is not saved: when flush asks,
 *        │     ▼ by another    │           or publishers wait for it
 *        │    (later)          ├─ again    a piece of a new file, when half of
 *        │                     │           the old one is dead, or it is gone
 *        └──────────── close ──┴─ check    is it still there?
 *
 * While a new file is written, pieces of it and appends to the old one take
 * turns, but for the last piece, the notes of what was lost, and the end: so it
 * comes, and no loss is forgotten.  The new file then has all that the old one
 * has, and takes its place.
 *
 * What happens on the disk does so in file; what it means, in zone_disk.  Here
 * is only when.  The files on disk and the zone's words about them (file_size,
 * state_size, marks) are brought together by whoever becomes the writer: what
 * stands in the file behind file_size was never finished.
 *
 * A publisher that waits is parked like a poll, but in a plain queue: whoever
 * published first is decided first.
 */


#include "ngx_http_longpoll_persist.h"
#include "ngx_http_longpoll_file.h"
#include "ngx_http_longpoll_zone_disk.h"
#include "ngx_http_longpoll_zone_epoch.h"
#include "ngx_http_longpoll_zone_load.h"
#include "ngx_http_longpoll_zone_member.h"
#include "ngx_http_longpoll_notify.h"


#if (NGX_THREADS)

#define NGX_HTTP_LONGPOLL_PERSIST_LINES  (1024 * 1024)  /* bytes at a time */
#define NGX_HTTP_LONGPOLL_PERSIST_FEW    (128 * 1024)   /* of a small file */
#define NGX_HTTP_LONGPOLL_PERSIST_NOTES  4096
#define NGX_HTTP_LONGPOLL_PERSIST_SLACK  (256 * 1024)   /* bytes, dead or not */
#define NGX_HTTP_LONGPOLL_PERSIST_WATCH  100            /* ms */
#define NGX_HTTP_LONGPOLL_PERSIST_LOCKED 1000           /* ms */
#define NGX_HTTP_LONGPOLL_PERSIST_PATIENCE 10           /* times, of WATCH */
#define NGX_HTTP_LONGPOLL_PERSIST_ENDING 1000           /* ms */


typedef enum {
    NGX_HTTP_LONGPOLL_PERSIST_NONE = 0,
    NGX_HTTP_LONGPOLL_PERSIST_READY
} ngx_http_longpoll_persist_e;


typedef struct ngx_http_longpoll_writer_s  ngx_http_longpoll_writer_t;

/* what the thread does, and what is made of it */

typedef struct {
    const char                      *name;
    ngx_int_t                      (*work)(ngx_http_longpoll_writer_t *writer);
    void                           (*done)(ngx_http_longpoll_writer_t *writer,
                                         ngx_int_t rc);
} ngx_http_longpoll_persist_op_t;


struct ngx_http_longpoll_writer_s {
    ngx_http_longpoll_zone_t        *zone;
    ngx_thread_pool_t               *pool;
    ngx_log_t                       *log;

    ngx_http_longpoll_persist_e      state;
    ngx_http_longpoll_persist_op_t  *op;        /* the thread's, NULL: none */
    ngx_thread_task_t               *task;
    ngx_int_t                        rc;        /* of op, the thread's */

    ngx_http_longpoll_file_t         file;
    ngx_http_longpoll_save_t         save;
    ngx_http_longpoll_losses_t       losses;
    uint64_t                         kept;      /* bytes, when they were new */
    uint64_t                         begun;     /* when new ones were begun */
    uint64_t                         last;      /* id: those who had the file
                                                   gave out no later one */
    uint64_t                         read;      /* bytes of their notes */
    ngx_uint_t                       patience;  /* times that it was had */

    ngx_queue_t                      waiting;   /* publishers */
    ngx_event_t                      timer;
    ngx_connection_t                 dummy;

    unsigned                         due:1;     /* flush asks */
    unsigned                         check:1;
    unsigned                         others:1;  /* wrote to it meanwhile */
    unsigned                         losses_due:1;  /* theirs are to be read */
    unsigned                         head_due:1;    /* that this life has begun
                                                       is to be said */
    unsigned                         lost:1;    /* the file */
    unsigned                         again:1;   /* a new file is written */
    unsigned                         all:1;     /* and has all lines */
    unsigned                         turn:1;    /* it is its turn */
    unsigned                         tail:1;    /* its last piece is written */
    unsigned                         leaving:1;
    unsigned                         last_one:1;
    unsigned                         failing:1; /* and it was logged */
    unsigned                         stuck:1;   /* for want of a new file */
    unsigned                         tried:1;   /* the timer tries again */
    unsigned                         retry:1;   /* not before the timer */
};


/* a publisher that waits */

typedef struct {
    ngx_queue_t                      queue;
    ngx_http_longpoll_writer_t       *writer;
    ngx_http_request_t              *request;
    ngx_http_longpoll_persist_pt     handler;
    uint64_t                         id;
    uint64_t                         failed;
    ngx_uint_t                       parked;
} ngx_http_longpoll_publisher_t;


static void ngx_http_longpoll_persist_step(ngx_http_longpoll_writer_t *writer);
static ngx_http_longpoll_persist_op_t *ngx_http_longpoll_persist_next(
    ngx_http_longpoll_writer_t *writer);
static ngx_uint_t ngx_http_longpoll_persist_claim(
    ngx_http_longpoll_writer_t *writer);
static ngx_uint_t ngx_http_longpoll_persist_stale(
    ngx_http_longpoll_writer_t *writer);
static ngx_uint_t ngx_http_longpoll_persist_late(
    ngx_http_longpoll_writer_t *writer);
static uint64_t ngx_http_longpoll_persist_part(
    ngx_http_longpoll_writer_t *writer);
static ngx_http_longpoll_persist_op_t *ngx_http_longpoll_persist_renew(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_persist_post(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_thread(void *data, ngx_log_t *log);
static void ngx_http_longpoll_persist_finish(ngx_event_t *ev);
static void ngx_http_longpoll_persist_timer(ngx_event_t *ev);
static ngx_int_t ngx_http_longpoll_persist_collect(
    ngx_http_longpoll_writer_t *writer, ngx_uint_t mark);
static ngx_int_t ngx_http_longpoll_persist_memory(
    ngx_http_longpoll_writer_t *writer, size_t size);
static void ngx_http_longpoll_persist_free(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_failed(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc);
static void ngx_http_longpoll_persist_mended(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_notify(uint64_t wake);

static ngx_int_t ngx_http_longpoll_persist_open(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_compare(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_opened(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_read(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_had(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_append(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_appended(
    ngx_http_longpoll_writer_t *writer, ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_begin(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_begun(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc);
static void ngx_http_longpoll_persist_stick(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_piece(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_pieced(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_losses(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_lost(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_rename(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_renamed(
    ngx_http_longpoll_writer_t *writer, ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_check(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_checked(
    ngx_http_longpoll_writer_t *writer, ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_head(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_headed(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_close(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_succeed(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_end(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_closed(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc);

static void ngx_http_longpoll_persist_watch(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_decide(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_await(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t on);
static void ngx_http_longpoll_persist_cleanup(void *data);


static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_open =
    { "open", ngx_http_longpoll_persist_open,
      ngx_http_longpoll_persist_opened };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_read =
    { "read", ngx_http_longpoll_persist_read,
      ngx_http_longpoll_persist_had };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_append =
    { "append", ngx_http_longpoll_persist_append,
      ngx_http_longpoll_persist_appended };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_begin =
    { "again", ngx_http_longpoll_persist_begin,
      ngx_http_longpoll_persist_begun };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_piece =
    { "piece", ngx_http_longpoll_persist_piece,
      ngx_http_longpoll_persist_pieced };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_losses =
    { "losses", ngx_http_longpoll_persist_losses,
      ngx_http_longpoll_persist_lost };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_rename =
    { "rename", ngx_http_longpoll_persist_rename,
      ngx_http_longpoll_persist_renamed };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_check =
    { "check", ngx_http_longpoll_persist_check,
      ngx_http_longpoll_persist_checked };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_head =
    { "head", ngx_http_longpoll_persist_head,
      ngx_http_longpoll_persist_headed };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_close =
    { "close", ngx_http_longpoll_persist_close,
      ngx_http_longpoll_persist_closed };


ngx_int_t
ngx_http_longpoll_persist_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_zone_t *z)
{
    ngx_str_t                   name;
    ngx_http_longpoll_writer_t  *writer;

    writer = ngx_pcalloc(cycle->pool, sizeof(ngx_http_longpoll_writer_t));
    if (writer == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&name, "default");

    writer->zone = z;
    writer->log = cycle->log;
    writer->pool = ngx_thread_pool_get(cycle, &name);

    if (writer->pool == NULL
        || ngx_http_longpoll_file_init(&writer->file, &z->persist, cycle->pool)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    writer->task = ngx_thread_task_alloc(cycle->pool, sizeof(void *));
    if (writer->task == NULL) {
        return NGX_ERROR;
    }

    *(ngx_http_longpoll_writer_t **) writer->task->ctx = writer;
    writer->task->handler = ngx_http_longpoll_persist_thread;
    writer->task->event.handler = ngx_http_longpoll_persist_finish;
    writer->task->event.data = writer;

    ngx_queue_init(&writer->waiting);

    writer->dummy.fd = (ngx_socket_t) -1;
    writer->timer.handler = ngx_http_longpoll_persist_timer;
    writer->timer.data = &writer->dummy;
    writer->timer.log = cycle->log;
    writer->timer.cancelable = 1;

    writer->dummy.data = writer;

    z->writer = writer;

    ngx_http_longpoll_zone_join(z, ngx_http_longpoll_notify_worker());

    ngx_add_timer(&writer->timer, 1);

    return NGX_OK;
}


void
ngx_http_longpoll_persist_wake(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_writer_t  *writer;

    writer = z->writer;

    if (writer) {
        ngx_http_longpoll_persist_decide(writer);
        ngx_http_longpoll_persist_step(writer);
    }
}


/* half of what may be late, as writing takes time, too */

static void
ngx_http_longpoll_persist_timer(ngx_event_t *ev)
{
    ngx_msec_t                  msec;
    ngx_connection_t           *c;
    ngx_http_longpoll_writer_t  *writer;

    c = ev->data;
    writer = c->data;

    writer->due = 1;
    writer->check = 1;
    writer->retry = 0;
    writer->tried = 0;

    ngx_http_longpoll_persist_watch(writer);
    ngx_http_longpoll_persist_wake(writer->zone);

    msec = (ngx_msec_t) writer->zone->sh->conf.flush / 2;

    if (writer->state == NGX_HTTP_LONGPOLL_PERSIST_NONE) {
        msec = ngx_min(msec, NGX_HTTP_LONGPOLL_PERSIST_LOCKED);

        if (writer->zone->sh->disk.contested || !ngx_queue_empty(&writer->waiting)) {
            msec = ngx_min(msec, NGX_HTTP_LONGPOLL_PERSIST_WATCH);
        }
    }

    ngx_add_timer(ev, ngx_max(msec, 10));
}


/* publishers that wait for a dead worker do not wait until it is missed */

static void
ngx_http_longpoll_persist_watch(ngx_http_longpoll_writer_t *writer)
{
    uint64_t  number;

    if (ngx_queue_empty(&writer->waiting)) {
        return;
    }

    number = writer->zone->sh->disk.writer;

    if (number
        && !(ngx_http_longpoll_notify_alive() & (uint64_t) 1 << (number - 1)))
    {
        ngx_http_longpoll_notify_reap();
    }
}


/*
 * one thing after the other
 */


static void
ngx_http_longpoll_persist_step(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_persist_op_t  *op;

    while (writer->op == NULL) {
        writer->op = ngx_http_longpoll_persist_next(writer);

        if (writer->op == NULL) {
            ngx_http_longpoll_persist_free(writer);
            return;
        }

        ngx_log_debug2(NGX_LOG_DEBUG_CORE, writer->log, 0,
                       "longpoll persist \"%V\" %s", &writer->zone->name,
                       writer->op->name);

        if (ngx_http_longpoll_persist_post(writer) != NGX_OK) {
            writer->file.failed = "ngx_thread_task_post";
            writer->file.name = writer->file.path;
            writer->file.err = 0;
            writer->rc = NGX_ERROR;

            op = writer->op;
            writer->op = NULL;

            op->done(writer, NGX_ERROR);
        }
    }
}


/* at the end of the process there are no threads any more: all is done here */

static ngx_int_t
ngx_http_longpoll_persist_post(ngx_http_longpoll_writer_t *writer)
{
    if (writer->last_one) {
        writer->rc = writer->op->work(writer);
        ngx_http_longpoll_persist_finish(&writer->task->event);
        return NGX_OK;
    }

    return ngx_thread_task_post(writer->pool, writer->task);
}


static void
ngx_http_longpoll_persist_thread(void *data, ngx_log_t *log)
{
    ngx_http_longpoll_writer_t  *writer;

    writer = *(ngx_http_longpoll_writer_t **) data;

    writer->rc = writer->op->work(writer);
}


static void
ngx_http_longpoll_persist_finish(ngx_event_t *ev)
{
    ngx_http_longpoll_writer_t       *writer;
    ngx_http_longpoll_persist_op_t  *op;

    writer = ev->data;

    op = writer->op;
    writer->op = NULL;

    op->done(writer, writer->rc);

    if (!writer->last_one) {
        ngx_http_longpoll_persist_decide(writer);
        ngx_http_longpoll_persist_step(writer);
    }
}


/* what is to be done now; NULL: nothing */

static ngx_http_longpoll_persist_op_t *
ngx_http_longpoll_persist_next(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      wake;
    ngx_int_t                     rc;
    ngx_uint_t                    late;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_zone_sh_t  *sh;

    z = writer->zone;
    sh = z->sh;

    if (writer->state == NGX_HTTP_LONGPOLL_PERSIST_NONE) {

        /* nobody will write what comes to a zone whose place is taken */

        if (sh->resize.moved && sh->disk.writer == 0 && sh->disk.durable
            && sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].ref)
        {
            wake = 0;
            ngx_http_longpoll_zone_unsaved(z, &wake);
            ngx_http_longpoll_persist_notify(wake);
        }

        if (writer->retry || !ngx_http_longpoll_persist_claim(writer)) {
            return NULL;
        }

        return &ngx_http_longpoll_persist_op_open;
    }

    /* what failed waits for the timer, unless publishers wait for it */

    if (writer->retry
        && (writer->last_one || !sh->disk.durable
            || sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].ref == 0))
    {
        return NULL;
    }

    if (writer->losses_due) {

        if (writer->save.notes == NULL
            && ngx_http_longpoll_persist_memory(writer, 1) != NGX_OK)
        {
            writer->retry = 1;
            return NULL;
        }

        return &ngx_http_longpoll_persist_op_read;
    }

    if (writer->head_due) {
        return &ngx_http_longpoll_persist_op_head;
    }

    wake = 0;

    if (sh->conf.durable && !sh->disk.durable) {
        (void) ngx_http_longpoll_zone_durable(z, 1, 0, &wake);

    } else if (!sh->conf.durable && sh->disk.durable
               && !writer->file.head.durable)
    {
        (void) ngx_http_longpoll_zone_durable(z, 0, 0, &wake);
    }

    /* what is told on disk may only be less than what is so */

    if (writer->file.head.durable != sh->conf.durable
        && (!sh->conf.durable
            || sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id >= sh->clock.visible))
    {
        writer->file.head.durable = sh->conf.durable;
        return &ngx_http_longpoll_persist_op_head;
    }

    if (writer->again && writer->turn) {
        writer->turn = 0;
        return ngx_http_longpoll_persist_renew(writer);
    }

    writer->turn = 1;

    if (!writer->again && !writer->tried
        && (writer->lost || sh->disk.file_dead
            || ngx_http_longpoll_persist_stale(writer)))
    {
        return &ngx_http_longpoll_persist_op_begin;
    }

    late = ngx_http_longpoll_persist_late(writer);

    if ((writer->due || sh->disk.durable || writer->leaving || writer->last_one)
        && !writer->lost && !late && ngx_http_longpoll_zone_unwritten(z))
    {
        rc = ngx_http_longpoll_persist_collect(writer,
                                               NGX_HTTP_LONGPOLL_CURSOR_NEXT);
        if (rc == NGX_ERROR) {
            return NULL;
        }

        writer->due = (rc == NGX_AGAIN);

        if (writer->save.len || writer->save.nnotes) {
            return &ngx_http_longpoll_persist_op_append;
        }
    }

    writer->due = (writer->due && late);

    if (writer->again) {
        return ngx_http_longpoll_persist_renew(writer);
    }

    if (!writer->tried) {
        writer->stuck = 0;
    }

    if (writer->check) {
        writer->check = 0;
        return &ngx_http_longpoll_persist_op_check;
    }

    if (writer->leaving && !writer->last_one
        && (sh->resize.moved
            || ngx_http_longpoll_zone_others(z,
                                         ngx_http_longpoll_notify_worker(),
                                         ngx_http_longpoll_notify_alive())))
    {
        return &ngx_http_longpoll_persist_op_close;
    }

    return NULL;
}


/*
 * Whether most of the files is dead.  What lives has more bytes in them than in
 * the log, if events are small or have many notes: new files that are no
 * smaller than those before would be written for ever.
 */

static ngx_uint_t
ngx_http_longpoll_persist_stale(ngx_http_longpoll_writer_t *writer)
{
    uint64_t  live, alive;

    live = writer->zone->sh->log.live;
    alive = ngx_max(live + live / 4 * 3, writer->kept + writer->kept / 8);

    return writer->file.size + writer->file.state_size
           > alive + NGX_HTTP_LONGPOLL_PERSIST_SLACK;
}


/*
 * Whether the old file grows faster than the new one is written, so that both
 * would need too much.  Then the rest of the new one comes first; publishers
 * do not wait for that.
 */

static ngx_uint_t
ngx_http_longpoll_persist_late(ngx_http_longpoll_writer_t *writer)
{
    return writer->again && !writer->zone->sh->disk.durable
           && writer->file.size + writer->file.state_size
              > writer->begun + ngx_http_longpoll_persist_part(writer);
}


/* by so many bytes the files may grow between two looks */

static uint64_t
ngx_http_longpoll_persist_part(ngx_http_longpoll_writer_t *writer)
{
    uint64_t  part;

    part = writer->zone->sh->log.live / 16;

    part = ngx_max(part, NGX_HTTP_LONGPOLL_PERSIST_FEW);
    part = ngx_min(part, NGX_HTTP_LONGPOLL_PERSIST_LINES);

    return part;
}


/* the next piece of a new file, or its end */

static ngx_http_longpoll_persist_op_t *
ngx_http_longpoll_persist_renew(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t  rc;

    if (!writer->all) {
        rc = ngx_http_longpoll_persist_collect(writer,
                                               NGX_HTTP_LONGPOLL_CURSOR_COMPACT);
        if (rc == NGX_ERROR) {
            return NULL;
        }

        /* from the last piece to the end nothing comes between */

        writer->tail = (rc == NGX_OK);

        if (writer->save.len) {
            return &ngx_http_longpoll_persist_op_piece;
        }

        ngx_memzero(&writer->losses, sizeof(ngx_http_longpoll_losses_t));
        writer->all = 1;
    }

    writer->save.len = 0;
    writer->save.nnotes = 0;

    if (writer->losses.n != (ngx_uint_t) -1) {
        rc = ngx_http_longpoll_zone_losses(writer->zone, &writer->losses,
                                           &writer->save);
        if (rc == NGX_OK) {
            writer->losses.n = (ngx_uint_t) -1;
        }

        if (writer->save.nnotes) {
            return &ngx_http_longpoll_persist_op_losses;
        }
    }

    /* what the old file got in the meantime */

    rc = ngx_http_longpoll_persist_collect(writer, NGX_HTTP_LONGPOLL_CURSOR_COMPACT);

    if (rc == NGX_ERROR) {
        return NULL;
    }

    if (writer->save.len) {
        return &ngx_http_longpoll_persist_op_piece;
    }

    return &ngx_http_longpoll_persist_op_rename;
}


static ngx_int_t
ngx_http_longpoll_persist_collect(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t mark)
{
    uint64_t                   wake;
    ngx_int_t                  rc;
    ngx_http_longpoll_save_t  *save;

    save = &writer->save;

    if (save->lines == NULL
        && ngx_http_longpoll_persist_memory(writer,
                                            NGX_HTTP_LONGPOLL_PERSIST_LINES)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    save->len = 0;
    save->nnotes = 0;
    save->enough = NGX_HTTP_LONGPOLL_PERSIST_LINES;

    if (mark == NGX_HTTP_LONGPOLL_CURSOR_NEXT) {

        /* a round of a small file does not make it a large one */

        save->enough = ngx_http_longpoll_persist_part(writer);

        /* the half of the notes is left to the keys */

        save->max_notes = NGX_HTTP_LONGPOLL_PERSIST_NOTES / 2;
        ngx_http_longpoll_zone_save_deletions(writer->zone, save);
        save->max_notes = NGX_HTTP_LONGPOLL_PERSIST_NOTES;
    }

    do {
        rc = ngx_http_longpoll_zone_save(writer->zone, mark, save);

        if (rc != NGX_DECLINED) {
            return rc;
        }

    } while (ngx_http_longpoll_persist_memory(writer,
                                              ngx_max(2 * save->size,
                                                      save->wanted))
             == NGX_OK);

    /* what was taken so far is taken again later */

    if (mark == NGX_HTTP_LONGPOLL_CURSOR_NEXT) {
        wake = 0;
        ngx_http_longpoll_zone_save_retry(writer->zone, &wake);
        ngx_http_longpoll_persist_notify(wake);

    } else {
        ngx_http_longpoll_zone_compact(writer->zone, 0);
        writer->again = 0;
    }

    writer->retry = 1;

    return NGX_ERROR;
}


/* what is there already stays */

static ngx_int_t
ngx_http_longpoll_persist_memory(ngx_http_longpoll_writer_t *writer, size_t size)
{
    u_char                    *p;
    ngx_http_longpoll_save_t  *save;

    save = &writer->save;

    if (save->notes == NULL) {
        save->max_notes = NGX_HTTP_LONGPOLL_PERSIST_NOTES;
        save->notes = ngx_alloc(save->max_notes
                                * sizeof(ngx_http_longpoll_note_t), writer->log);
        if (save->notes == NULL) {
            return NGX_ERROR;
        }
    }

    p = ngx_alloc(size, writer->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (save->lines) {
        ngx_memcpy(p, save->lines, save->len);
        ngx_free(save->lines);
    }

    save->lines = p;
    save->size = size;

    return NGX_OK;
}


/* a worker that has nothing to write needs no memory for it */

static void
ngx_http_longpoll_persist_free(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_save_t  *save;

    save = &writer->save;

    if (save->lines && (writer->last_one || !writer->zone->sh->disk.durable)) {
        ngx_free(save->lines);
        ngx_free(save->notes);
        save->lines = NULL;
        save->notes = NULL;
        save->size = 0;
        save->len = 0;
        save->nnotes = 0;
    }
}


static void
ngx_http_longpoll_persist_failed(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    writer->retry = 1;

    if (writer->failing) {
        return;
    }

    writer->failing = 1;

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, writer->log, 0,
                      "longpoll zone \"%V\": \"%s\" %s, it is written anew",
                      &writer->zone->name, writer->file.name,
                      writer->file.failed);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, writer->log, writer->file.err,
                  "longpoll zone \"%V\": %s(\"%s\") failed, events are not "
                  "on disk", &writer->zone->name, writer->file.failed,
                  writer->file.name);
}


static void
ngx_http_longpoll_persist_mended(ngx_http_longpoll_writer_t *writer)
{
    writer->retry = 0;

    if (writer->failing) {
        writer->failing = 0;

        ngx_log_error(NGX_LOG_NOTICE, writer->log, 0,
                      "longpoll zone \"%V\": \"%s\" has all events again",
                      &writer->zone->name, writer->file.path);
    }
}


static void
ngx_http_longpoll_persist_notify(uint64_t wake)
{
    wake &= ngx_http_longpoll_notify_alive();

    if (wake) {
        ngx_http_longpoll_notify_wake(wake);
    }
}


/*
 * becoming the writer
 */


static ngx_uint_t
ngx_http_longpoll_persist_claim(ngx_http_longpoll_writer_t *writer)
{
    ngx_uint_t                    self;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = writer->zone->sh;
    self = ngx_http_longpoll_notify_worker();

    if (self == NGX_HTTP_LONGPOLL_WORKERS || sh->resize.moved) {
        return 0;
    }

    if (writer->leaving && !writer->last_one
        && ngx_http_longpoll_zone_others(writer->zone, self,
                                         ngx_http_longpoll_notify_alive()))
    {
        (void) ngx_atomic_cmp_set(&sh->disk.writer, self + 1, 0);
        return 0;
    }

    return sh->disk.writer == self + 1
           || (sh->disk.writer == 0
               && ngx_atomic_cmp_set(&sh->disk.writer, 0, self + 1));
}


static ngx_int_t
ngx_http_longpoll_persist_open(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t                     rc;
    ngx_uint_t                    tries;
    ngx_http_longpoll_file_t     *f;
    ngx_http_longpoll_zone_sh_t  *sh;

    f = &writer->file;
    sh = writer->zone->sh;

    f->unread = (sh->disk.unread != 0);

    for (tries = 0; /* void */ ; tries++) {
        rc = ngx_http_longpoll_file_open(f);

        /* somebody may only be looking, see below */

        if (rc != NGX_AGAIN || !writer->last_one
            || tries == NGX_HTTP_LONGPOLL_PERSIST_WATCH)
        {
            break;
        }

        ngx_msleep(1);
    }

    if (rc != NGX_OK) {
        writer->patience = 0;
        return rc;
    }

    /* workers of another nginx that ends follow each other until it has */

    if (sh->disk.contested && f->head.epoch != sh->epoch && !f->head.clean
        && !writer->last_one
        && writer->patience++ < NGX_HTTP_LONGPOLL_PERSIST_PATIENCE)
    {
        ngx_http_longpoll_file_close(f);
        return NGX_AGAIN;
    }

    writer->patience = 0;

    ngx_http_longpoll_persist_compare(writer);

    return NGX_OK;
}


/* the file and what the zone knows of it */

static void
ngx_http_longpoll_persist_compare(ngx_http_longpoll_writer_t *writer)
{
    ngx_uint_t                    own, told;
    ngx_http_longpoll_file_t     *f;
    ngx_http_longpoll_zone_sh_t  *sh;

    f = &writer->file;
    sh = writer->zone->sh;

    own = (f->head.epoch == sh->epoch);
    writer->lost = 0;
    writer->others = 0;
    writer->losses_due = 0;
    writer->head_due = (!own || f->head.clean);

    if (f->fd == -1
        || (!own && ngx_http_longpoll_zone_succeeds(writer->zone,
                                                    f->head.epoch)))
    {

        /* it has what was loaded, or copied; what came later is told as missed
         */

        writer->lost = 1;

    } else if (own || (f->size == sh->disk.file_size && !sh->disk.contested)) {

        /* as this life left it, or found it */

        if (f->size < sh->disk.file_size) {
            writer->lost = 1;

        } else if (f->size > sh->disk.file_size
                   && ftruncate(f->fd, sh->disk.file_size) == -1)
        {
            writer->lost = 1;
        }

        f->size = ngx_min(f->size, sh->disk.file_size);
        f->state_size = ngx_max(ngx_min(f->state_size, sh->disk.state_size),
                                NGX_HTTP_LONGPOLL_FILE_HEAD);

    } else {

        /* others had it after it was loaded; all that they told is there? */

        told = (f->head.clean || f->head.durable);

        writer->last = f->head.last_id;

        if (!f->head.clean) {
            writer->last = ngx_http_longpoll_id(ngx_http_longpoll_now() + 1, 0);
        }

        writer->losses_due = (told && f->size == sh->disk.file_size
                             && f->node == sh->disk.file_node && !sh->disk.file_dead);
        writer->read = sh->disk.state_size;
        writer->others = !writer->losses_due;
        writer->lost = writer->others;
    }
}


static void
ngx_http_longpoll_persist_opened(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    uint64_t                      wake;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_zone_sh_t  *sh;

    z = writer->zone;
    sh = z->sh;
    wake = 0;

    if (rc != NGX_OK) {

        if (rc == NGX_ERROR) {
            ngx_http_longpoll_persist_failed(writer, rc);

        } else if (sh->disk.file_size != (uint64_t) -1) {
            sh->disk.contested = 1;
        }

        writer->retry = 1;

        /* nobody can write: whoever need not wait for the disk does not */

        if (sh->conf.durable) {

            if (rc == NGX_ERROR) {
                ngx_http_longpoll_zone_unsaved(z, &wake);
            }

        } else {
            (void) ngx_http_longpoll_zone_durable(z, 0, 1, &wake);
        }

        /* others would fail, and complain, too */

        if (rc == NGX_AGAIN || writer->leaving) {
            (void) ngx_atomic_cmp_set(&sh->disk.writer,
                                      ngx_http_longpoll_notify_worker() + 1,
                                      0);
        }

        ngx_http_longpoll_persist_notify(wake);
        return;
    }

    writer->state = NGX_HTTP_LONGPOLL_PERSIST_READY;
    writer->again = 0;
    writer->due = 1;

    if (writer->others) {
        ngx_http_longpoll_zone_missing(z, writer->last);

        ngx_log_error(NGX_LOG_NOTICE, writer->log, 0,
                      "longpoll zone \"%V\": others wrote to \"%s\" after it "
                      "was loaded, it is written anew", &z->name,
                      writer->file.path);
    }

    /* whoever goes on from here knows that, too */

    if (writer->lost) {
        sh->disk.file_size = (uint64_t) -1;
    }

    if (!writer->losses_due) {
        sh->disk.contested = 0;
    }

    sh->disk.file_node = writer->file.node;

    ngx_http_longpoll_zone_save_begin(z, &wake);

    if (!sh->conf.durable) {
        (void) ngx_http_longpoll_zone_durable(z, 0, 1, &wake);
    }

    ngx_http_longpoll_persist_notify(wake);
}


/* the losses of those who had the file, as their notes say */

static ngx_int_t
ngx_http_longpoll_persist_read(ngx_http_longpoll_writer_t *writer)
{
    return ngx_http_longpoll_file_read(&writer->file, &writer->read,
                                       &writer->save);
}


static void
ngx_http_longpoll_persist_had(ngx_http_longpoll_writer_t *writer, ngx_int_t rc)
{
    ngx_uint_t                 i;
    ngx_http_longpoll_note_t  *note;

    if (rc == NGX_ERROR) {
        ngx_http_longpoll_persist_failed(writer, rc);
        return;
    }

    for (i = 0; i < writer->save.nnotes; i++) {
        note = &writer->save.notes[i];

        /* a tombstone of this life would be told to polls from the beginning */

        if (note->kind == NGX_HTTP_LONGPOLL_NOTE_TOMB) {
            note->word[3] = 0;
        }

        if (note->kind >= NGX_HTTP_LONGPOLL_NOTE_LOST) {
            ngx_http_longpoll_zone_load_loss(writer->zone, note, 0);
        }
    }

    if (rc == NGX_DONE) {
        writer->losses_due = 0;
        ngx_http_longpoll_zone_alone(writer->zone, writer->last,
                                     writer->file.head.trusted);

        ngx_log_error(NGX_LOG_NOTICE, writer->log, 0,
                      "longpoll zone \"%V\": nobody else writes to \"%s\" any "
                      "more, it is as it was loaded", &writer->zone->name,
                      writer->file.path);
    }
}


static ngx_int_t
ngx_http_longpoll_persist_close(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_file_close(&writer->file);

    return NGX_OK;
}


static void
ngx_http_longpoll_persist_closed(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    writer->state = NGX_HTTP_LONGPOLL_PERSIST_NONE;
    writer->retry = 1;

    (void) ngx_atomic_cmp_set(&writer->zone->sh->disk.writer,
                              ngx_http_longpoll_notify_worker() + 1, 0);

    ngx_http_longpoll_persist_notify(writer->zone->sh->disk.members);
}


/*
 * writing
 */


static ngx_int_t
ngx_http_longpoll_persist_append(ngx_http_longpoll_writer_t *writer)
{
    return ngx_http_longpoll_file_append(&writer->file, &writer->save);
}


static void
ngx_http_longpoll_persist_appended(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    uint64_t                      wake;
    ngx_http_longpoll_zone_t     *z;

    z = writer->zone;
    wake = 0;

    switch (rc) {

    case NGX_OK:
        ngx_http_longpoll_zone_saved(z, &writer->save, writer->file.size,
                                     writer->file.state_size, &wake);

        if (!writer->stuck) {
            ngx_http_longpoll_persist_mended(writer);
        }

        break;

    case NGX_DECLINED:
        ngx_http_longpoll_persist_checked(writer, rc);
        ngx_http_longpoll_zone_save_retry(z, &wake);
        break;

    default: /* NGX_ERROR */
        ngx_http_longpoll_persist_failed(writer, rc);
        ngx_http_longpoll_zone_unsaved(z, &wake);
    }

    ngx_http_longpoll_persist_notify(wake);
}


static ngx_int_t
ngx_http_longpoll_persist_check(ngx_http_longpoll_writer_t *writer)
{
    return ngx_http_longpoll_file_check(&writer->file);
}


static void
ngx_http_longpoll_persist_checked(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    if (rc == NGX_DECLINED) {
        ngx_http_longpoll_persist_failed(writer, rc);
        writer->lost = 1;
        writer->retry = 0;
    }
}


static ngx_int_t
ngx_http_longpoll_persist_head(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_file_head_t  *head;
    ngx_http_longpoll_zone_sh_t    *sh;

    head = &writer->file.head;
    sh = writer->zone->sh;

    if (writer->head_due) {
        head->epoch = sh->epoch;
        head->trusted = sh->previous.valid_from;
        head->last_id = sh->clock.last_id;
        head->key[0] = sh->key[0];
        head->key[1] = sh->key[1];
        head->durable = 0;
        head->clean = 0;
    }

    return ngx_http_longpoll_file_head(&writer->file);
}


static void
ngx_http_longpoll_persist_headed(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    uint64_t  wake;

    writer->head_due = 0;

    if (rc != NGX_OK) {
        wake = 0;

        /* it is not known what stands there: the next one says it again */

        writer->head_due = 1;
        ngx_http_longpoll_persist_failed(writer, rc);
        ngx_http_longpoll_zone_unsaved(writer->zone, &wake);
        ngx_http_longpoll_persist_notify(wake);
    }
}


/*
 * writing anew
 */


static ngx_int_t
ngx_http_longpoll_persist_begin(ngx_http_longpoll_writer_t *writer)
{
    return ngx_http_longpoll_file_compact(&writer->file);
}


static void
ngx_http_longpoll_persist_begun(ngx_http_longpoll_writer_t *writer, ngx_int_t rc)
{
    if (rc != NGX_OK) {
        ngx_http_longpoll_persist_stick(writer, rc);
        return;
    }

    ngx_http_longpoll_zone_compact(writer->zone, 1);

    writer->again = 1;
    writer->all = 0;
    writer->begun = writer->file.size + writer->file.state_size;
}


/*
 * No new file for now.  As long as there is an old one that is no reason not to
 * append to it.
 */

static void
ngx_http_longpoll_persist_stick(ngx_http_longpoll_writer_t *writer, ngx_int_t rc)
{
    uint64_t  wake;

    writer->stuck = 1;
    writer->tried = 1;

    ngx_http_longpoll_persist_failed(writer, rc);

    if (!writer->lost) {
        writer->retry = 0;
        return;
    }

    wake = 0;

    ngx_http_longpoll_zone_unsaved(writer->zone, &wake);
    ngx_http_longpoll_persist_notify(wake);
}


static ngx_int_t
ngx_http_longpoll_persist_piece(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_file_compact_append(&writer->file, &writer->save);

    if (rc != NGX_OK) {
        ngx_http_longpoll_file_compact_stop(&writer->file);
    }

    return rc;
}


static void
ngx_http_longpoll_persist_pieced(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    if (rc == NGX_OK) {
        writer->turn = writer->tail;
        return;
    }

    ngx_http_longpoll_zone_compact(writer->zone, 0);

    writer->again = 0;

    ngx_http_longpoll_persist_stick(writer, rc);
}


static ngx_int_t
ngx_http_longpoll_persist_losses(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_file_notes(&writer->file, &writer->save);

    if (rc != NGX_OK) {
        ngx_http_longpoll_file_compact_stop(&writer->file);
    }

    return rc;
}


static void
ngx_http_longpoll_persist_lost(ngx_http_longpoll_writer_t *writer, ngx_int_t rc)
{
    if (writer->again) {
        ngx_http_longpoll_persist_pieced(writer, rc);
    }
}


static ngx_int_t
ngx_http_longpoll_persist_rename(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_file_compact_done(&writer->file);

    if (rc == NGX_ERROR) {
        ngx_http_longpoll_file_compact_stop(&writer->file);
    }

    return rc;
}


static void
ngx_http_longpoll_persist_renamed(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    if (rc == NGX_ERROR) {
        ngx_http_longpoll_persist_pieced(writer, rc);
        return;
    }

    writer->again = 0;
    writer->lost = 0;
    writer->stuck = 0;
    writer->kept = writer->file.size + writer->file.state_size;

    writer->zone->sh->disk.file_node = writer->file.node;

    ngx_http_longpoll_zone_renewed(writer->zone, writer->file.size,
                                   writer->file.state_size);

    if (rc == NGX_OK) {
        ngx_http_longpoll_persist_mended(writer);

    } else {
        ngx_http_longpoll_persist_failed(writer, NGX_ERROR);
    }
}


/*
 * the end
 */


void
ngx_http_longpoll_persist_closing(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_writer_t  *writer;

    writer = z->writer;

    if (writer) {
        writer->leaving = 1;
        ngx_http_longpoll_zone_leaving(z, ngx_http_longpoll_notify_worker());
        ngx_http_longpoll_persist_wake(z);
    }
}


/* the threads have ended, and with them what was posted */

void
ngx_http_longpoll_persist_exit_process(ngx_http_longpoll_zone_t *z)
{
    uint64_t                    left;
    ngx_uint_t                  self;
    ngx_http_longpoll_writer_t  *writer;

    writer = z->writer;
    self = ngx_http_longpoll_notify_worker();

    if (writer == NULL || self == NGX_HTTP_LONGPOLL_WORKERS) {
        return;
    }

    writer->last_one = 1;

    if (writer->op) {
        ngx_http_longpoll_persist_finish(&writer->task->event);
    }

    left = ngx_http_longpoll_zone_resign(z, self,
                                         ngx_http_longpoll_notify_alive());
    if (left) {
        (void) ngx_http_longpoll_persist_close(writer);
        ngx_http_longpoll_persist_closed(writer, NGX_OK);
        ngx_http_longpoll_persist_free(writer);

        return;
    }

    ngx_http_longpoll_persist_succeed(writer);

    writer->retry = 0;
    writer->check = 1;

    ngx_http_longpoll_persist_step(writer);

    if (writer->state == NGX_HTTP_LONGPOLL_PERSIST_READY) {

        if (!writer->retry && !ngx_http_longpoll_zone_unwritten(z)) {
            ngx_http_longpoll_persist_end(writer);
        }

        (void) ngx_http_longpoll_persist_close(writer);
    }

    ngx_http_longpoll_persist_free(writer);
}


/*
 * The last one writes what is left.  Who was the writer may be between its
 * resigning and its closing the file, which takes no time, or be dead.
 */

static void
ngx_http_longpoll_persist_succeed(ngx_http_longpoll_writer_t *writer)
{
    ngx_uint_t          i, self;
    ngx_atomic_uint_t   number;
    ngx_atomic_t       *word;

    self = ngx_http_longpoll_notify_worker();
    word = &writer->zone->sh->disk.writer;

    for (i = 0; i < NGX_HTTP_LONGPOLL_PERSIST_ENDING; i++) {
        number = *word;

        if (number == 0 || number == self + 1) {
            return;
        }

        if (!(ngx_http_longpoll_notify_alive() & (uint64_t) 1 << (number - 1)))
        {
            (void) ngx_atomic_cmp_set(word, number, 0);
            return;
        }

        ngx_msleep(1);
    }
}


/* all of it is on disk, and now that is said there */

static void
ngx_http_longpoll_persist_end(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t                     rc;
    ngx_http_longpoll_file_t     *f;
    ngx_http_longpoll_zone_sh_t  *sh;

    f = &writer->file;
    sh = writer->zone->sh;

    if (writer->save.notes == NULL
        && ngx_http_longpoll_persist_memory(writer, 1) != NGX_OK)
    {
        return;
    }

    ngx_memzero(&writer->losses, sizeof(ngx_http_longpoll_losses_t));

    do {
        writer->save.nnotes = 0;

        rc = ngx_http_longpoll_zone_losses(writer->zone, &writer->losses,
                                           &writer->save);

        if (ngx_http_longpoll_file_notes(f, &writer->save) != NGX_OK) {
            ngx_http_longpoll_persist_failed(writer, NGX_ERROR);
            return;
        }

    } while (rc == NGX_AGAIN);

    f->head.last_id = sh->clock.last_id;
    f->head.clean = 1;

    if (ngx_http_longpoll_file_head(f) != NGX_OK) {
        ngx_http_longpoll_persist_failed(writer, NGX_ERROR);
    }
}


/*
 * publishers
 */


ngx_int_t
ngx_http_longpoll_persist_wait(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, uint64_t id, uint64_t failed,
    ngx_http_longpoll_persist_pt handler)
{
    ngx_http_cleanup_t             *cln;
    ngx_http_longpoll_writer_t      *writer;
    ngx_http_longpoll_publisher_t  *publisher;

    writer = z->writer;

    publisher = ngx_palloc(r->pool, sizeof(ngx_http_longpoll_publisher_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (publisher == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    publisher->writer = writer;
    publisher->request = r;
    publisher->handler = handler;
    publisher->id = id;
    publisher->failed = failed;
    publisher->parked = 1;

    cln->handler = ngx_http_longpoll_persist_cleanup;
    cln->data = publisher;

    if (ngx_queue_empty(&writer->waiting)) {
        ngx_http_longpoll_persist_await(writer, 1);
    }

    ngx_queue_insert_tail(&writer->waiting, &publisher->queue);

    if (r != r->main) {
        return NGX_DONE;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "longpoll publish waits for the disk, zone \"%V\"",
                   &z->name);

    return NGX_DONE;
}


/*
 * Whoever writes is told that somebody waits in this worker.  It may have
 * written it just before: so look.
 */

static void
ngx_http_longpoll_persist_await(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t on)
{
    uint64_t                      bit;
    ngx_uint_t                    self;
    ngx_http_longpoll_zone_sh_t  *sh;

    self = ngx_http_longpoll_notify_worker();
    sh = writer->zone->sh;

    if (self == NGX_HTTP_LONGPOLL_WORKERS) {
        return;
    }

    bit = (uint64_t) 1 << self;

    /* a leaving worker stays until they are answered */

    writer->timer.cancelable = !on;

    if (on) {
        (void) __sync_fetch_and_or(&sh->disk.publishers, bit);
        ngx_http_longpoll_notify_wake(bit);

        if (writer->state == NGX_HTTP_LONGPOLL_PERSIST_NONE
            && writer->timer.timer_set
            && (ngx_msec_int_t) (writer->timer.timer.key - ngx_current_msec)
               > NGX_HTTP_LONGPOLL_PERSIST_WATCH)
        {
            ngx_del_timer(&writer->timer);
            ngx_add_timer(&writer->timer, NGX_HTTP_LONGPOLL_PERSIST_WATCH);
        }

    } else {
        (void) __sync_fetch_and_and(&sh->disk.publishers, ~bit);
    }
}


/* of the request, however it ends */

static void
ngx_http_longpoll_persist_cleanup(void *data)
{
    ngx_http_longpoll_publisher_t  *publisher = data;

    if (publisher->parked) {
        publisher->parked = 0;
        ngx_queue_remove(&publisher->queue);

        if (ngx_queue_empty(&publisher->writer->waiting)) {
            ngx_http_longpoll_persist_await(publisher->writer, 0);
        }
    }
}


/* answers those whose publish is decided: they stand in the order of ids */

static void
ngx_http_longpoll_persist_decide(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t                       rc;
    ngx_queue_t                    *q;
    ngx_connection_t               *c;
    ngx_http_request_t             *r;
    ngx_http_longpoll_publisher_t  *publisher;

    if (ngx_queue_empty(&writer->waiting)) {
        return;
    }

    while (!ngx_queue_empty(&writer->waiting)) {
        q = ngx_queue_head(&writer->waiting);
        publisher = ngx_queue_data(q, ngx_http_longpoll_publisher_t, queue);

        rc = ngx_http_longpoll_zone_decided(writer->zone, publisher->id,
                                            publisher->failed);
        if (rc == NGX_AGAIN) {
            return;
        }

        publisher->parked = 0;
        ngx_queue_remove(q);

        r = publisher->request;
        c = r->connection;

        if (r == r->main) {
            r->read_event_handler = ngx_http_block_reading;
        }

        ngx_http_set_log_request(c->log, r);

        publisher->handler(r, rc);

        ngx_http_run_posted_requests(c);
    }

    ngx_http_longpoll_persist_await(writer, 0);
}

#else

/* without threads no zone has a file */

ngx_int_t
ngx_http_longpoll_persist_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_zone_t *z)
{
    return NGX_OK;
}


void
ngx_http_longpoll_persist_wake(ngx_http_longpoll_zone_t *z)
{
}


void
ngx_http_longpoll_persist_closing(ngx_http_longpoll_zone_t *z)
{
}


void
ngx_http_longpoll_persist_exit_process(ngx_http_longpoll_zone_t *z)
{
}


ngx_int_t
ngx_http_longpoll_persist_wait(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, uint64_t id, uint64_t failed,
    ngx_http_longpoll_persist_pt handler)
{
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

#endif
