
/*
 * ngx_http_longpoll_persist.c: the worker that writes a zone's file, and the
 * publishers that wait for the disk.
 *
 * One of the workers is the writer.  It does one operation at a time, in a
 * thread of nginx's pool, and chooses the next one when that has ended:
 *
 *      NONE ── open ──▶ READY ─┬─ head       the epoch has begun, or durable
 *        ▲     │ locked        │             has changed
 *        │     ▼ by another    ├─ append     messages that are not saved: flush
 *        │    (later)          │             is due, or publishers wait
 *        │                     ├─ new files, pieces, losses, rename
 *        │                     │             the files are compacted: most of
 *        │                     │             them is dead, or they are lost
 *        └──────────── close ──┴─ check      is the file still there?
 *
 * While the files are compacted, pieces of the new file and appends to the old
 * one take turns.  From the last piece to the rename nothing comes between: so
 * the compaction ends, and the losses that are noted are complete.  The new
 * file has all messages that the old one has, and takes its place.
 *
 * file does what happens on the disk, and zone_disk what it means for the zone;
 * this file decides when.  The writer brings the files and the zone's words
 * about them (file_size, state_size, cursors) together when it opens them:
 * bytes behind file_size belong to an append that did not finish.
 *
 * A publisher that waits is parked like a poll, but in one queue: the first to
 * publish is the first to be answered.
 */


#include "ngx_http_longpoll_persist.h"
#include "ngx_http_longpoll_file.h"
#include "ngx_http_longpoll_disconnect.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_disk.h"
#include "ngx_http_longpoll_zone_epoch.h"
#include "ngx_http_longpoll_zone_load.h"
#include "ngx_http_longpoll_zone_member.h"
#include "ngx_http_longpoll_notify.h"


#if (NGX_THREADS)

/* bytes of a round, at most, and of one of a small file; notes of a round */
#define NGX_HTTP_LONGPOLL_PERSIST_LINES     (1024 * 1024)
#define NGX_HTTP_LONGPOLL_PERSIST_FEW       (128 * 1024)
#define NGX_HTTP_LONGPOLL_PERSIST_NOTES     4096

/* dead bytes that are not worth a compaction */
#define NGX_HTTP_LONGPOLL_PERSIST_SLACK     (256 * 1024)

/* ms: the timer while publishers wait, and while another nginx is the writer */
#define NGX_HTTP_LONGPOLL_PERSIST_WATCH     100
#define NGX_HTTP_LONGPOLL_PERSIST_LOCKED    1000

/* how often another nginx's lock must be found free before it is taken */
#define NGX_HTTP_LONGPOLL_PERSIST_PATIENCE  10

/* ms that an exiting worker waits for the writer before it */
#define NGX_HTTP_LONGPOLL_PERSIST_ENDING    1000


typedef enum {
    NGX_HTTP_LONGPOLL_PERSIST_NONE = 0,
    NGX_HTTP_LONGPOLL_PERSIST_READY
} ngx_http_longpoll_persist_e;


typedef struct ngx_http_longpoll_writer_s  ngx_http_longpoll_writer_t;

/* an operation: work runs in the thread, done in the event loop behind it */

typedef struct {
    const char                      *name;
    ngx_int_t                      (*work)(ngx_http_longpoll_writer_t *writer);
    void                           (*done)(ngx_http_longpoll_writer_t *writer,
                                         ngx_int_t rc);
} ngx_http_longpoll_persist_op_t;


/* each worker has one for each zone with a file, and one of them is READY */

struct ngx_http_longpoll_writer_s {
    ngx_http_longpoll_zone_t        *zone;
    ngx_thread_pool_t               *pool;
    ngx_log_t                       *log;

    /* the operation at hand */
    ngx_http_longpoll_persist_e      state;
    ngx_http_longpoll_persist_op_t  *op;        /* NULL: none */
    ngx_thread_task_t               *task;
    ngx_int_t                        rc;        /* of its work */
    ngx_http_longpoll_file_t         file;      /* the thread's while there is
                                                   an op */
    ngx_http_longpoll_save_t         save;      /* the same */

    ngx_event_t                      timer;     /* half of flush, or less */
    ngx_connection_t                 dummy;
    unsigned                         flush_due:1;   /* the timer has fired */
    unsigned                         check_due:1;
    unsigned                         later:1;   /* nothing before the timer */
    unsigned                         failing:1; /* and that was logged */

    /* the opening of a file that another nginx may have written to */
    ngx_uint_t                       tries;     /* in which the lock was free */
    uint64_t                         foreign_last_id;   /* no later id was
                                                   issued by that nginx */
    uint64_t                         notes_pos; /* of its first note */
    unsigned                         foreign:1; /* it wrote events */
    unsigned                         losses_due:1;  /* its notes of losses must
                                                   be read */
    unsigned                         head_due:1;    /* the epoch has begun, and
                                                   the head does not say so */

    /* compaction */
    ngx_http_longpoll_losses_t       losses;
    uint64_t                         compacted_size;    /* of both, when they
                                                   were new */
    uint64_t                         compact_from;  /* the size of both, when
                                                   it began */
    unsigned                         file_lost:1;   /* the old file is bad */
    unsigned                         compacting:1;
    unsigned                         all_lines:1;   /* the new file has all */
    unsigned                         compact_next:1;    /* it is its turn */
    unsigned                         last_piece:1;
    unsigned                         no_new_file:1; /* the last try failed */
    unsigned                         new_file_later:1;  /* not before the
                                                   timer */

    /* the end */
    unsigned                         leaving:1; /* the worker drains */
    unsigned                         exiting:1; /* there are no threads now */

    ngx_queue_t                      waiting;   /* publishers */
};


/* a publisher that waits */

typedef struct {
    ngx_queue_t                      queue;
    ngx_http_longpoll_writer_t      *writer;
    ngx_http_request_t              *request;
    ngx_http_longpoll_persist_pt     handler;
    uint64_t                         id;        /* of its last message */
    uint64_t                         failed;    /* sh->disk.failed before it */
    ngx_uint_t                       parked;
} ngx_http_longpoll_publisher_t;


static void ngx_http_longpoll_persist_step(ngx_http_longpoll_writer_t *writer);
static ngx_http_longpoll_persist_op_t *ngx_http_longpoll_persist_next(
    ngx_http_longpoll_writer_t *writer);
static ngx_http_longpoll_persist_op_t *ngx_http_longpoll_persist_next_open(
    ngx_http_longpoll_writer_t *writer);
static ngx_http_longpoll_persist_op_t *ngx_http_longpoll_persist_next_notes(
    ngx_http_longpoll_writer_t *writer);
static ngx_uint_t ngx_http_longpoll_persist_durable(
    ngx_http_longpoll_writer_t *writer);
static ngx_http_longpoll_persist_op_t *ngx_http_longpoll_persist_next_events(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_persist_flush(
    ngx_http_longpoll_writer_t *writer, ngx_uint_t late);
static ngx_http_longpoll_persist_op_t *ngx_http_longpoll_persist_next_idle(
    ngx_http_longpoll_writer_t *writer);
static ngx_uint_t ngx_http_longpoll_persist_claim(
    ngx_http_longpoll_writer_t *writer);
static ngx_uint_t ngx_http_longpoll_persist_stale(
    ngx_http_longpoll_writer_t *writer);
static ngx_uint_t ngx_http_longpoll_persist_compact_late(
    ngx_http_longpoll_writer_t *writer);
static uint64_t ngx_http_longpoll_persist_round_size(
    ngx_http_longpoll_writer_t *writer);
static ngx_http_longpoll_persist_op_t *ngx_http_longpoll_persist_compact(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_persist_post(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_thread(void *data, ngx_log_t *log);
static void ngx_http_longpoll_persist_finish(ngx_event_t *ev);
static void ngx_http_longpoll_persist_timer(ngx_event_t *ev);
static ngx_int_t ngx_http_longpoll_persist_collect(
    ngx_http_longpoll_writer_t *writer, ngx_uint_t cursor);
static ngx_int_t ngx_http_longpoll_persist_memory(
    ngx_http_longpoll_writer_t *writer, size_t size);
static void ngx_http_longpoll_persist_free(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_failed(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc);
static void ngx_http_longpoll_persist_recovered(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_notify(uint64_t wake);

static ngx_int_t ngx_http_longpoll_persist_open(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_compare(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_opened(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_read_notes(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_notes_read(
    ngx_http_longpoll_writer_t *writer, ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_append(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_appended(
    ngx_http_longpoll_writer_t *writer, ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_new_files(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_new_files_opened(
    ngx_http_longpoll_writer_t *writer, ngx_int_t rc);
static void ngx_http_longpoll_persist_no_new_files(
    ngx_http_longpoll_writer_t *writer, ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_write_piece(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_piece_written(
    ngx_http_longpoll_writer_t *writer, ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_write_losses(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_losses_written(
    ngx_http_longpoll_writer_t *writer, ngx_int_t rc);
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
static void ngx_http_longpoll_persist_head_written(
    ngx_http_longpoll_writer_t *writer, ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_close(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_take_over(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_end(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_closed(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc);

static void ngx_http_longpoll_persist_reap_writer(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_decide(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_persist_waiting(
    ngx_http_longpoll_writer_t *writer, ngx_uint_t on);
static void ngx_http_longpoll_persist_client_handler(ngx_http_request_t *r);
static void ngx_http_longpoll_persist_cleanup(void *data);


static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_open =
    { "open", ngx_http_longpoll_persist_open,
      ngx_http_longpoll_persist_opened };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_read_notes =
    { "read notes", ngx_http_longpoll_persist_read_notes,
      ngx_http_longpoll_persist_notes_read };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_append =
    { "append", ngx_http_longpoll_persist_append,
      ngx_http_longpoll_persist_appended };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_new_files =
    { "new files", ngx_http_longpoll_persist_new_files,
      ngx_http_longpoll_persist_new_files_opened };
static ngx_http_longpoll_persist_op_t
    ngx_http_longpoll_persist_op_write_piece =
    { "write piece", ngx_http_longpoll_persist_write_piece,
      ngx_http_longpoll_persist_piece_written };
static ngx_http_longpoll_persist_op_t
    ngx_http_longpoll_persist_op_write_losses =
    { "write losses", ngx_http_longpoll_persist_write_losses,
      ngx_http_longpoll_persist_losses_written };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_rename =
    { "rename", ngx_http_longpoll_persist_rename,
      ngx_http_longpoll_persist_renamed };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_check =
    { "check", ngx_http_longpoll_persist_check,
      ngx_http_longpoll_persist_checked };
static ngx_http_longpoll_persist_op_t  ngx_http_longpoll_persist_op_head =
    { "head", ngx_http_longpoll_persist_head,
      ngx_http_longpoll_persist_head_written };
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

    ngx_http_longpoll_zone_member_join(z, ngx_http_longpoll_notify_worker());

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


/* half of flush, as writing takes time, too */

static void
ngx_http_longpoll_persist_timer(ngx_event_t *ev)
{
    ngx_msec_t                  msec;
    ngx_connection_t           *c;
    ngx_http_longpoll_writer_t  *writer;

    c = ev->data;
    writer = c->data;

    writer->flush_due = 1;
    writer->check_due = 1;
    writer->later = 0;
    writer->new_file_later = 0;

    ngx_http_longpoll_persist_reap_writer(writer);
    ngx_http_longpoll_persist_wake(writer->zone);

    msec = (ngx_msec_t) writer->zone->sh->conf.flush / 2;

    if (writer->state == NGX_HTTP_LONGPOLL_PERSIST_NONE) {
        msec = ngx_min(msec, NGX_HTTP_LONGPOLL_PERSIST_LOCKED);

        if (writer->zone->sh->disk.contested
            || !ngx_queue_empty(&writer->waiting))
        {
            msec = ngx_min(msec, NGX_HTTP_LONGPOLL_PERSIST_WATCH);
        }
    }

    ngx_add_timer(ev, ngx_max(msec, 10));
}


/* publishers wait for a writer that died: reap it now, not at the next tick */

static void
ngx_http_longpoll_persist_reap_writer(ngx_http_longpoll_writer_t *writer)
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
 * operations
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


/* an exiting process has no threads: the operation runs here */

static ngx_int_t
ngx_http_longpoll_persist_post(ngx_http_longpoll_writer_t *writer)
{
    if (writer->exiting) {
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

    if (!writer->exiting) {
        ngx_http_longpoll_persist_decide(writer);
        ngx_http_longpoll_persist_step(writer);
    }
}


/* the next operation; NULL: there is nothing to do now */

static ngx_http_longpoll_persist_op_t *
ngx_http_longpoll_persist_next(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = writer->zone->sh;

    if (writer->state == NGX_HTTP_LONGPOLL_PERSIST_NONE) {
        return ngx_http_longpoll_persist_next_open(writer);
    }

    /* the file is the new zone's, which has all that this one has */

    if (sh->moved) {
        return &ngx_http_longpoll_persist_op_close;
    }

    /* after a failure the timer is waited for, unless publishers wait */

    if (writer->later
        && (writer->exiting || !sh->disk.durable
            || sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].ref == 0))
    {
        return NULL;
    }

    if (writer->losses_due) {
        return ngx_http_longpoll_persist_next_notes(writer);
    }

    if (writer->head_due || ngx_http_longpoll_persist_durable(writer)) {
        return &ngx_http_longpoll_persist_op_head;
    }

    return ngx_http_longpoll_persist_next_events(writer);
}


/* the writer has no file */

static ngx_http_longpoll_persist_op_t *
ngx_http_longpoll_persist_next_open(ngx_http_longpoll_writer_t *writer)
{
    if (writer->later || !ngx_http_longpoll_persist_claim(writer)) {
        return NULL;
    }

    return &ngx_http_longpoll_persist_op_open;
}


/* the notes are read before anything is written */

static ngx_http_longpoll_persist_op_t *
ngx_http_longpoll_persist_next_notes(ngx_http_longpoll_writer_t *writer)
{
    if (writer->save.notes == NULL
        && ngx_http_longpoll_persist_memory(writer, 1) != NGX_OK)
    {
        writer->later = 1;
        return NULL;
    }

    return &ngx_http_longpoll_persist_op_read_notes;
}


/*
 * The zone becomes durable, or not, as it is configured.  Returns 1 if the head
 * must be written to say so.
 */

static ngx_uint_t
ngx_http_longpoll_persist_durable(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      wake;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_zone_sh_t  *sh;

    z = writer->zone;
    sh = z->sh;
    wake = 0;

    if (sh->conf.durable && !sh->disk.durable) {
        (void) ngx_http_longpoll_zone_disk_durable(z, 1, 0, &wake);

    } else if (!sh->conf.durable && sh->disk.durable
               && !writer->file.head.durable)
    {
        (void) ngx_http_longpoll_zone_disk_durable(z, 0, 0, &wake);
    }

    /* the head may say durable only when all that readers saw is saved */

    if (writer->file.head.durable != sh->conf.durable
        && (!sh->conf.durable
            || sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id
               >= sh->clock.visible))
    {
        writer->file.head.durable = sh->conf.durable;
        return 1;
    }

    return 0;
}


/* the compaction and appends take turns; then what may wait */

static ngx_http_longpoll_persist_op_t *
ngx_http_longpoll_persist_next_events(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t   rc;
    ngx_uint_t  late;

    if (writer->compacting && writer->compact_next) {
        writer->compact_next = 0;
        return ngx_http_longpoll_persist_compact(writer);
    }

    writer->compact_next = 1;

    if (!writer->compacting && !writer->new_file_later
        && (writer->file_lost || writer->zone->sh->disk.file_dead
            || ngx_http_longpoll_persist_stale(writer)))
    {
        return &ngx_http_longpoll_persist_op_new_files;
    }

    late = ngx_http_longpoll_persist_compact_late(writer);

    rc = ngx_http_longpoll_persist_flush(writer, late);

    if (rc != NGX_DECLINED) {
        return rc == NGX_OK ? &ngx_http_longpoll_persist_op_append : NULL;
    }

    writer->flush_due = (writer->flush_due && late);

    if (writer->compacting) {
        return ngx_http_longpoll_persist_compact(writer);
    }

    return ngx_http_longpoll_persist_next_idle(writer);
}


/*
 * Collects what is to be appended.  NGX_OK: an append can begin; NGX_DECLINED:
 * nothing is due; NGX_ERROR: no memory, the timer is waited for.
 */

static ngx_int_t
ngx_http_longpoll_persist_flush(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t late)
{
    ngx_int_t                  rc;
    ngx_http_longpoll_zone_t  *z;

    z = writer->zone;

    if (!(writer->flush_due || z->sh->disk.durable || writer->leaving
          || writer->exiting)
        || writer->file_lost || late
        || !ngx_http_longpoll_zone_disk_unwritten(z))
    {
        return NGX_DECLINED;
    }

    rc = ngx_http_longpoll_persist_collect(writer,
                                           NGX_HTTP_LONGPOLL_CURSOR_NEXT);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    writer->flush_due = (rc == NGX_AGAIN);

    if (writer->save.len || writer->save.nnotes) {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* all is written: is the file still there, and is this worker still needed? */

static ngx_http_longpoll_persist_op_t *
ngx_http_longpoll_persist_next_idle(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_zone_t  *z;

    z = writer->zone;

    if (!writer->new_file_later) {
        writer->no_new_file = 0;
    }

    if (writer->check_due) {
        writer->check_due = 0;
        return &ngx_http_longpoll_persist_op_check;
    }

    if (writer->leaving && !writer->exiting
        && ngx_http_longpoll_zone_member_others(z,
                                         ngx_http_longpoll_notify_worker(),
                                         ngx_http_longpoll_notify_alive()))
    {
        return &ngx_http_longpoll_persist_op_close;
    }

    return NULL;
}


/*
 * Whether most of the files is dead.  Small events, and those with many notes,
 * take more bytes in the files than in the log.  So the files must also have
 * grown since they were new; otherwise they would be compacted for ever.
 */

static ngx_uint_t
ngx_http_longpoll_persist_stale(ngx_http_longpoll_writer_t *writer)
{
    uint64_t  live, alive;

    live = writer->zone->sh->log.live;
    alive = ngx_max(live + live / 4 * 3,
                    writer->compacted_size + writer->compacted_size / 8);

    return writer->file.size + writer->file.state_size
           > alive + NGX_HTTP_LONGPOLL_PERSIST_SLACK;
}


/*
 * Whether the old file grows faster than the new one is written, so that both
 * would take too much of the disk.  Then the rest of the new file comes before
 * appends; no publisher waits, as the zone is not durable.
 */

static ngx_uint_t
ngx_http_longpoll_persist_compact_late(ngx_http_longpoll_writer_t *writer)
{
    return writer->compacting && !writer->zone->sh->disk.durable
           && writer->file.size + writer->file.state_size
              > writer->compact_from
                + ngx_http_longpoll_persist_round_size(writer);
}


/* the bytes of a round: a small file must not become a large one by one */

static uint64_t
ngx_http_longpoll_persist_round_size(ngx_http_longpoll_writer_t *writer)
{
    uint64_t  part;

    part = writer->zone->sh->log.live / 16;

    part = ngx_max(part, NGX_HTTP_LONGPOLL_PERSIST_FEW);
    part = ngx_min(part, NGX_HTTP_LONGPOLL_PERSIST_LINES);

    return part;
}


/* the next operation of the compaction */

static ngx_http_longpoll_persist_op_t *
ngx_http_longpoll_persist_compact(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t  rc;

    if (!writer->all_lines) {
        rc = ngx_http_longpoll_persist_collect(writer,
                                              NGX_HTTP_LONGPOLL_CURSOR_COMPACT);
        if (rc == NGX_ERROR) {
            return NULL;
        }

        /* no append comes between the last piece and the rename */

        writer->last_piece = (rc == NGX_OK);

        if (writer->save.len) {
            return &ngx_http_longpoll_persist_op_write_piece;
        }

        ngx_memzero(&writer->losses, sizeof(ngx_http_longpoll_losses_t));
        writer->all_lines = 1;
    }

    writer->save.len = 0;
    writer->save.nnotes = 0;

    if (writer->losses.n != (ngx_uint_t) -1) {
        rc = ngx_http_longpoll_zone_disk_losses(writer->zone, &writer->losses,
                                                &writer->save);
        if (rc == NGX_OK) {
            writer->losses.n = (ngx_uint_t) -1;
        }

        if (writer->save.nnotes) {
            return &ngx_http_longpoll_persist_op_write_losses;
        }
    }

    /* messages that were appended to the old file in the meantime */

    rc = ngx_http_longpoll_persist_collect(writer,
                                           NGX_HTTP_LONGPOLL_CURSOR_COMPACT);

    if (rc == NGX_ERROR) {
        return NULL;
    }

    if (writer->save.len) {
        return &ngx_http_longpoll_persist_op_write_piece;
    }

    return &ngx_http_longpoll_persist_op_rename;
}


static ngx_int_t
ngx_http_longpoll_persist_collect(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t cursor)
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

    if (cursor == NGX_HTTP_LONGPOLL_CURSOR_NEXT) {

        save->enough = ngx_http_longpoll_persist_round_size(writer);

        /* the other half of the notes is for keys */

        save->max_notes = NGX_HTTP_LONGPOLL_PERSIST_NOTES / 2;
        ngx_http_longpoll_zone_disk_deletions(writer->zone, save);
        save->max_notes = NGX_HTTP_LONGPOLL_PERSIST_NOTES;
    }

    do {
        rc = ngx_http_longpoll_zone_disk_take(writer->zone, cursor, save);

        if (rc != NGX_DECLINED) {
            return rc;
        }

    } while (ngx_http_longpoll_persist_memory(writer,
                                              ngx_max(2 * save->size,
                                                      save->wanted))
             == NGX_OK);

    /* no memory: the messages that were taken are given back */

    if (cursor == NGX_HTTP_LONGPOLL_CURSOR_NEXT) {
        wake = 0;
        ngx_http_longpoll_zone_disk_retry(writer->zone, &wake);
        ngx_http_longpoll_persist_notify(wake);

    } else {
        ngx_http_longpoll_zone_disk_compact(writer->zone, 0);
        writer->compacting = 0;
    }

    writer->later = 1;

    return NGX_ERROR;
}


/* the lines that are there stay */

static ngx_int_t
ngx_http_longpoll_persist_memory(ngx_http_longpoll_writer_t *writer,
    size_t size)
{
    u_char                    *p;
    ngx_http_longpoll_save_t  *save;

    save = &writer->save;

    if (save->notes == NULL) {
        save->max_notes = NGX_HTTP_LONGPOLL_PERSIST_NOTES;
        save->notes = ngx_alloc(save->max_notes
                                * sizeof(ngx_http_longpoll_note_t),
                                writer->log);
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


/* frees the buffers of a worker that has nothing to write */

static void
ngx_http_longpoll_persist_free(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_save_t  *save;

    save = &writer->save;

    if (save->lines && (writer->exiting || !writer->zone->sh->disk.durable)) {
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
    writer->later = 1;

    if (writer->failing) {
        return;
    }

    writer->failing = 1;

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, writer->log, 0,
                      "longpoll zone \"%V\": \"%s\" %s, rewriting it",
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
ngx_http_longpoll_persist_recovered(ngx_http_longpoll_writer_t *writer)
{
    writer->later = 0;

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

    if (self == NGX_HTTP_LONGPOLL_WORKERS || sh->moved) {
        return 0;
    }

    if (writer->leaving && !writer->exiting
        && ngx_http_longpoll_zone_member_others(writer->zone, self,
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

        /* another nginx may hold the lock for a moment, see below */

        if (rc != NGX_AGAIN || !writer->exiting
            || tries == NGX_HTTP_LONGPOLL_PERSIST_WATCH)
        {
            break;
        }

        ngx_msleep(1);
    }

    if (rc != NGX_OK) {
        writer->tries = 0;
        return rc;
    }

    /*
     * Another nginx that ends may pass the lock from worker to worker: its head
     * is not clean yet.  The lock must have been free a few times.
     */

    if (sh->disk.contested && f->head.epoch != sh->epoch && !f->head.clean
        && !writer->exiting
        && writer->tries++ < NGX_HTTP_LONGPOLL_PERSIST_PATIENCE)
    {
        ngx_http_longpoll_file_close(f);
        return NGX_AGAIN;
    }

    writer->tries = 0;

    ngx_http_longpoll_persist_compare(writer);

    return NGX_OK;
}


/* compares the files with the zone's words about them */

static void
ngx_http_longpoll_persist_compare(ngx_http_longpoll_writer_t *writer)
{
    ngx_uint_t                    own, complete;
    ngx_http_longpoll_file_t     *f;
    ngx_http_longpoll_zone_sh_t  *sh;

    f = &writer->file;
    sh = writer->zone->sh;

    own = (f->head.epoch == sh->epoch);
    writer->file_lost = 0;
    writer->foreign = 0;
    writer->losses_due = 0;
    writer->head_due = (!own || f->head.clean);

    if (f->fd == -1
        || (!own && ngx_http_longpoll_zone_epoch_succeeds(writer->zone,
                                                          f->head.epoch)))
    {

        /*
         * The zone has all that the file has: it was loaded from it, or copied.
         */

        writer->file_lost = 1;

    } else if (own || (f->size == sh->disk.file_size && !sh->disk.contested)) {

        /* as this epoch left the file, or found it */

        if (f->size < sh->disk.file_size) {
            writer->file_lost = 1;

        } else if (f->size > sh->disk.file_size
                   && ftruncate(f->fd, sh->disk.file_size) == -1)
        {
            writer->file_lost = 1;
        }

        f->size = ngx_min(f->size, sh->disk.file_size);
        f->state_size = ngx_max(ngx_min(f->state_size, sh->disk.state_size),
                                NGX_HTTP_LONGPOLL_FILE_HEAD);

    } else {

        /* another nginx had the file: has it all that readers there saw? */

        complete = (f->head.clean || f->head.durable);

        writer->foreign_last_id = f->head.last_id;

        if (!f->head.clean) {
            writer->foreign_last_id = ngx_http_longpoll_id(
                     ngx_http_longpoll_zone_clock_now(writer->zone) + 1, 0);
        }

        writer->losses_due = (complete && f->size == sh->disk.file_size
                              && f->node == sh->disk.file_node
                              && !sh->disk.file_dead);
        writer->notes_pos = sh->disk.state_size;
        writer->foreign = !writer->losses_due;
        writer->file_lost = writer->foreign;
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

        writer->later = 1;

        /* nobody can write: publishers wait only if they must */

        if (sh->conf.durable) {

            if (rc == NGX_ERROR) {
                ngx_http_longpoll_zone_disk_failed(z, &wake);
            }

        } else {
            (void) ngx_http_longpoll_zone_disk_durable(z, 0, 1, &wake);
        }

        /* after an error this worker stays the writer, or all would log it */

        if (rc == NGX_AGAIN || writer->leaving) {
            (void) ngx_atomic_cmp_set(&sh->disk.writer,
                                      ngx_http_longpoll_notify_worker() + 1,
                                      0);
        }

        ngx_http_longpoll_persist_notify(wake);
        return;
    }

    writer->state = NGX_HTTP_LONGPOLL_PERSIST_READY;
    writer->compacting = 0;
    writer->flush_due = 1;

    if (writer->foreign) {
        ngx_http_longpoll_zone_epoch_missing(z, writer->foreign_last_id);

        ngx_log_error(NGX_LOG_NOTICE, writer->log, 0,
                      "longpoll zone \"%V\": another nginx wrote to \"%s\" "
                      "after it was loaded, rewriting it", &z->name,
                      writer->file.path);
    }

    /* the next writer must know that the file is lost */

    if (writer->file_lost) {
        sh->disk.file_size = (uint64_t) -1;
    }

    if (!writer->losses_due) {
        sh->disk.contested = 0;
    }

    sh->disk.file_node = writer->file.node;

    ngx_http_longpoll_zone_disk_begin(z, &wake);

    if (!sh->conf.durable) {
        (void) ngx_http_longpoll_zone_disk_durable(z, 0, 1, &wake);
    }

    ngx_http_longpoll_persist_notify(wake);
}


/* the losses of the nginx that had the file, from its notes */

static ngx_int_t
ngx_http_longpoll_persist_read_notes(ngx_http_longpoll_writer_t *writer)
{
    return ngx_http_longpoll_file_read(&writer->file, &writer->notes_pos,
                                       &writer->save);
}


static void
ngx_http_longpoll_persist_notes_read(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    ngx_uint_t                 i;
    ngx_http_longpoll_note_t  *note;

    if (rc == NGX_ERROR) {
        ngx_http_longpoll_persist_failed(writer, rc);
        return;
    }

    for (i = 0; i < writer->save.nnotes; i++) {
        note = &writer->save.notes[i];

        /* a loss of this epoch would be reported to polls from the beginning */

        if (note->kind == NGX_HTTP_LONGPOLL_NOTE_TOMBSTONE) {
            note->word[3] = 0;
        }

        if (note->kind >= NGX_HTTP_LONGPOLL_NOTE_LOST) {
            ngx_http_longpoll_zone_load_loss(writer->zone, note, 0);
        }
    }

    if (rc == NGX_DONE) {
        writer->losses_due = 0;
        ngx_http_longpoll_zone_epoch_alone(writer->zone,
                                           writer->foreign_last_id,
                                           writer->file.head.valid_from);

        ngx_log_error(NGX_LOG_NOTICE, writer->log, 0,
                      "longpoll zone \"%V\": the other nginx has left \"%s\", "
                      "which is as it was loaded", &writer->zone->name,
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
    writer->later = 1;

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
        ngx_http_longpoll_zone_disk_saved(z, &writer->save, writer->file.size,
                                          writer->file.state_size, &wake);

        if (!writer->no_new_file) {
            ngx_http_longpoll_persist_recovered(writer);
        }

        break;

    case NGX_DECLINED:
        ngx_http_longpoll_persist_checked(writer, rc);
        ngx_http_longpoll_zone_disk_retry(z, &wake);
        break;

    default: /* NGX_ERROR */
        ngx_http_longpoll_persist_failed(writer, rc);
        ngx_http_longpoll_zone_disk_failed(z, &wake);
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
        writer->file_lost = 1;
        writer->later = 0;
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
        head->valid_from = sh->previous.valid_from;
        head->last_id = sh->clock.last_id;
        head->key[0] = sh->key[0];
        head->key[1] = sh->key[1];
        head->durable = 0;
        head->clean = 0;
    }

    return ngx_http_longpoll_file_head(&writer->file);
}


static void
ngx_http_longpoll_persist_head_written(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    uint64_t  wake;

    writer->head_due = 0;

    if (rc != NGX_OK) {
        wake = 0;

        /* what the head says now is unknown: it is written again */

        writer->head_due = 1;
        ngx_http_longpoll_persist_failed(writer, rc);
        ngx_http_longpoll_zone_disk_failed(writer->zone, &wake);
        ngx_http_longpoll_persist_notify(wake);
    }
}


/*
 * compaction
 */


static ngx_int_t
ngx_http_longpoll_persist_new_files(ngx_http_longpoll_writer_t *writer)
{
    return ngx_http_longpoll_file_compact(&writer->file);
}


static void
ngx_http_longpoll_persist_new_files_opened(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    if (rc != NGX_OK) {
        ngx_http_longpoll_persist_no_new_files(writer, rc);
        return;
    }

    ngx_http_longpoll_zone_disk_compact(writer->zone, 1);

    writer->compacting = 1;
    writer->all_lines = 0;
    writer->compact_from = writer->file.size + writer->file.state_size;
}


/*
 * There is no new file for now.  The old file is appended to, unless it is bad.
 */

static void
ngx_http_longpoll_persist_no_new_files(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    uint64_t  wake;

    writer->no_new_file = 1;
    writer->new_file_later = 1;

    ngx_http_longpoll_persist_failed(writer, rc);

    if (!writer->file_lost) {
        writer->later = 0;
        return;
    }

    wake = 0;

    ngx_http_longpoll_zone_disk_failed(writer->zone, &wake);
    ngx_http_longpoll_persist_notify(wake);
}


static ngx_int_t
ngx_http_longpoll_persist_write_piece(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_file_compact_append(&writer->file, &writer->save);

    if (rc != NGX_OK) {
        ngx_http_longpoll_file_compact_stop(&writer->file);
    }

    return rc;
}


static void
ngx_http_longpoll_persist_piece_written(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    if (rc == NGX_OK) {
        writer->compact_next = writer->last_piece;
        return;
    }

    ngx_http_longpoll_zone_disk_compact(writer->zone, 0);

    writer->compacting = 0;

    ngx_http_longpoll_persist_no_new_files(writer, rc);
}


static ngx_int_t
ngx_http_longpoll_persist_write_losses(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_file_notes(&writer->file, &writer->save);

    if (rc != NGX_OK) {
        ngx_http_longpoll_file_compact_stop(&writer->file);
    }

    return rc;
}


static void
ngx_http_longpoll_persist_losses_written(ngx_http_longpoll_writer_t *writer,
    ngx_int_t rc)
{
    if (writer->compacting) {
        ngx_http_longpoll_persist_piece_written(writer, rc);
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
        ngx_http_longpoll_persist_piece_written(writer, rc);
        return;
    }

    writer->compacting = 0;
    writer->file_lost = 0;
    writer->no_new_file = 0;
    writer->compacted_size = writer->file.size + writer->file.state_size;

    writer->zone->sh->disk.file_node = writer->file.node;

    ngx_http_longpoll_zone_disk_compacted(writer->zone, writer->file.size,
                                          writer->file.state_size);

    if (rc == NGX_OK) {
        ngx_http_longpoll_persist_recovered(writer);

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
        ngx_http_longpoll_zone_member_leave(z,
                                            ngx_http_longpoll_notify_worker());
        ngx_http_longpoll_persist_wake(z);
    }
}


/* the threads have ended, and with them the operation at hand */

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

    writer->exiting = 1;

    if (writer->op) {
        ngx_http_longpoll_persist_finish(&writer->task->event);
    }

    left = ngx_http_longpoll_zone_member_resign(z, self,
                                              ngx_http_longpoll_notify_alive());
    if (left) {
        (void) ngx_http_longpoll_persist_close(writer);
        ngx_http_longpoll_persist_closed(writer, NGX_OK);
        ngx_http_longpoll_persist_free(writer);

        return;
    }

    ngx_http_longpoll_persist_take_over(writer);

    writer->later = 0;
    writer->check_due = 1;

    ngx_http_longpoll_persist_step(writer);

    if (writer->state == NGX_HTTP_LONGPOLL_PERSIST_READY) {

        if (!writer->later && !ngx_http_longpoll_zone_disk_unwritten(z)) {
            ngx_http_longpoll_persist_end(writer);
        }

        (void) ngx_http_longpoll_persist_close(writer);
    }

    ngx_http_longpoll_persist_free(writer);
}


/*
 * The last member writes what is left.  The writer before it may have resigned
 * and not yet closed the file, which takes no time; or it is dead.
 */

static void
ngx_http_longpoll_persist_take_over(ngx_http_longpoll_writer_t *writer)
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


/* all messages are on disk: writes the losses, and a clean head */

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

        rc = ngx_http_longpoll_zone_disk_losses(writer->zone, &writer->losses,
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

    /* a subrequest and a post action have no client of their own */

    if (r == r->main && !r->post_action
        && ngx_http_longpoll_disconnect_watch(r,
                                      ngx_http_longpoll_persist_client_handler)
           != NGX_OK)
    {
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
        ngx_http_longpoll_persist_waiting(writer, 1);
    }

    ngx_queue_insert_tail(&writer->waiting, &publisher->queue);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "longpoll publish waits for the disk, zone \"%V\"",
                   &z->name);

    return NGX_DONE;
}


/*
 * Sets or clears the bit that tells the writer that publishers wait in this
 * worker.  The writer may have saved their messages before it saw the bit, so
 * this worker wakes itself to look.
 */

static void
ngx_http_longpoll_persist_waiting(ngx_http_longpoll_writer_t *writer,
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

    /* a leaving worker stays until its publishers are answered */

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


static void
ngx_http_longpoll_persist_client_handler(ngx_http_request_t *r)
{
    ngx_http_longpoll_disconnect_test(r, ngx_http_longpoll_persist_cleanup);
}


/* the client has left, or the request ends */

static void
ngx_http_longpoll_persist_cleanup(void *data)
{
    ngx_http_longpoll_publisher_t  *publisher = data;

    if (publisher->parked) {
        publisher->parked = 0;
        ngx_queue_remove(&publisher->queue);

        if (ngx_queue_empty(&publisher->writer->waiting)) {
            ngx_http_longpoll_persist_waiting(publisher->writer, 0);
        }
    }
}


/* answers the publishers that are decided; the queue is in the order of ids */

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

        rc = ngx_http_longpoll_zone_disk_decided(writer->zone, publisher->id,
                                                 publisher->failed);
        if (rc == NGX_AGAIN) {
            return;
        }

        publisher->parked = 0;
        ngx_queue_remove(q);

        r = publisher->request;
        c = r->connection;

        if (r == r->main) {
            ngx_http_longpoll_disconnect_unwatch(r);
        }

        ngx_http_set_log_request(c->log, r);

        publisher->handler(r, rc);

        ngx_http_run_posted_requests(c);
    }

    ngx_http_longpoll_persist_waiting(writer, 0);
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
