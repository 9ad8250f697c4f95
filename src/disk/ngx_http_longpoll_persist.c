
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
 * What happens on the disk does so in file; what it means, in zone_save.  Here
 * is only when.  The files on disk and the zone's words about them (file_size,
 * state_size, marks) are brought together by whoever becomes the writer: what
 * stands in the file behind file_size was never finished.
 *
 * A publisher that waits is parked like a poll, but in a plain queue: whoever
 * published first is decided first.
 */


#include "ngx_http_longpoll_persist.h"
#include "ngx_http_longpoll_file.h"
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


typedef struct ngx_http_longpoll_saver_s  ngx_http_longpoll_saver_t;

/* what the thread does, and what is made of it */

typedef struct {
    const char                      *name;
    ngx_int_t                      (*work)(ngx_http_longpoll_saver_t *saver);
    void                           (*done)(ngx_http_longpoll_saver_t *saver,
                                         ngx_int_t rc);
} ngx_http_longpoll_persist_op_t;


struct ngx_http_longpoll_saver_s {
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
    ngx_http_longpoll_saver_t       *saver;
    ngx_http_request_t              *request;
    ngx_http_longpoll_persist_pt     handler;
    uint64_t                         id;
    uint64_t                         failed;
    ngx_uint_t                       parked;
} ngx_http_longpoll_publisher_t;


static void ngx_http_longpoll_persist_step(ngx_http_longpoll_saver_t *saver);
static ngx_http_longpoll_persist_op_t *ngx_http_longpoll_persist_next(
    ngx_http_longpoll_saver_t *saver);
static ngx_uint_t ngx_http_longpoll_persist_claim(
    ngx_http_longpoll_saver_t *saver);
static ngx_uint_t ngx_http_longpoll_persist_stale(
    ngx_http_longpoll_saver_t *saver);
static ngx_uint_t ngx_http_longpoll_persist_late(
    ngx_http_longpoll_saver_t *saver);
static uint64_t ngx_http_longpoll_persist_part(
    ngx_http_longpoll_saver_t *saver);
static ngx_http_longpoll_persist_op_t *ngx_http_longpoll_persist_renew(
    ngx_http_longpoll_saver_t *saver);
static ngx_int_t ngx_http_longpoll_persist_post(
    ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_thread(void *data, ngx_log_t *log);
static void ngx_http_longpoll_persist_finish(ngx_event_t *ev);
static void ngx_http_longpoll_persist_timer(ngx_event_t *ev);
static ngx_int_t ngx_http_longpoll_persist_collect(
    ngx_http_longpoll_saver_t *saver, ngx_uint_t mark);
static ngx_int_t ngx_http_longpoll_persist_memory(
    ngx_http_longpoll_saver_t *saver, size_t size);
static void ngx_http_longpoll_persist_free(ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_failed(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc);
static void ngx_http_longpoll_persist_mended(ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_notify(uint64_t wake);

static ngx_int_t ngx_http_longpoll_persist_open(
    ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_compare(
    ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_opened(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_read(
    ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_had(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_append(
    ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_appended(
    ngx_http_longpoll_saver_t *saver, ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_begin(
    ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_begun(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc);
static void ngx_http_longpoll_persist_stick(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_piece(
    ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_pieced(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_losses(
    ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_lost(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_rename(
    ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_renamed(
    ngx_http_longpoll_saver_t *saver, ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_check(
    ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_checked(
    ngx_http_longpoll_saver_t *saver, ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_head(
    ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_headed(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc);
static ngx_int_t ngx_http_longpoll_persist_close(
    ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_succeed(
    ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_end(ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_closed(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc);

static void ngx_http_longpoll_persist_watch(ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_decide(ngx_http_longpoll_saver_t *saver);
static void ngx_http_longpoll_persist_await(ngx_http_longpoll_saver_t *saver,
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
    ngx_http_longpoll_saver_t  *saver;

    saver = ngx_pcalloc(cycle->pool, sizeof(ngx_http_longpoll_saver_t));
    if (saver == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&name, "default");

    saver->zone = z;
    saver->log = cycle->log;
    saver->pool = ngx_thread_pool_get(cycle, &name);

    if (saver->pool == NULL
        || ngx_http_longpoll_file_init(&saver->file, &z->persist, cycle->pool)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    saver->task = ngx_thread_task_alloc(cycle->pool, sizeof(void *));
    if (saver->task == NULL) {
        return NGX_ERROR;
    }

    *(ngx_http_longpoll_saver_t **) saver->task->ctx = saver;
    saver->task->handler = ngx_http_longpoll_persist_thread;
    saver->task->event.handler = ngx_http_longpoll_persist_finish;
    saver->task->event.data = saver;

    ngx_queue_init(&saver->waiting);

    saver->dummy.fd = (ngx_socket_t) -1;
    saver->timer.handler = ngx_http_longpoll_persist_timer;
    saver->timer.data = &saver->dummy;
    saver->timer.log = cycle->log;
    saver->timer.cancelable = 1;

    saver->dummy.data = saver;

    z->saver = saver;

    ngx_http_longpoll_zone_join(z, ngx_http_longpoll_notify_worker());

    ngx_add_timer(&saver->timer, 1);

    return NGX_OK;
}


void
ngx_http_longpoll_persist_look(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_saver_t  *saver;

    saver = z->saver;

    if (saver) {
        ngx_http_longpoll_persist_decide(saver);
        ngx_http_longpoll_persist_step(saver);
    }
}


/* half of what may be late, as writing takes time, too */

static void
ngx_http_longpoll_persist_timer(ngx_event_t *ev)
{
    ngx_msec_t                  msec;
    ngx_connection_t           *c;
    ngx_http_longpoll_saver_t  *saver;

    c = ev->data;
    saver = c->data;

    saver->due = 1;
    saver->check = 1;
    saver->retry = 0;
    saver->tried = 0;

    ngx_http_longpoll_persist_watch(saver);
    ngx_http_longpoll_persist_look(saver->zone);

    msec = (ngx_msec_t) saver->zone->sh->conf.flush / 2;

    if (saver->state == NGX_HTTP_LONGPOLL_PERSIST_NONE) {
        msec = ngx_min(msec, NGX_HTTP_LONGPOLL_PERSIST_LOCKED);

        if (saver->zone->sh->contested || !ngx_queue_empty(&saver->waiting)) {
            msec = ngx_min(msec, NGX_HTTP_LONGPOLL_PERSIST_WATCH);
        }
    }

    ngx_add_timer(ev, ngx_max(msec, 10));
}


/* publishers that wait for a dead worker do not wait until it is missed */

static void
ngx_http_longpoll_persist_watch(ngx_http_longpoll_saver_t *saver)
{
    uint64_t  writer;

    if (ngx_queue_empty(&saver->waiting)) {
        return;
    }

    writer = saver->zone->sh->writer;

    if (writer
        && !(ngx_http_longpoll_notify_alive() & (uint64_t) 1 << (writer - 1)))
    {
        ngx_http_longpoll_notify_bury();
    }
}


/*
 * one thing after the other
 */


static void
ngx_http_longpoll_persist_step(ngx_http_longpoll_saver_t *saver)
{
    ngx_http_longpoll_persist_op_t  *op;

    while (saver->op == NULL) {
        saver->op = ngx_http_longpoll_persist_next(saver);

        if (saver->op == NULL) {
            ngx_http_longpoll_persist_free(saver);
            return;
        }

        ngx_log_debug2(NGX_LOG_DEBUG_CORE, saver->log, 0,
                       "longpoll persist \"%V\" %s", &saver->zone->name,
                       saver->op->name);

        if (ngx_http_longpoll_persist_post(saver) != NGX_OK) {
            saver->file.failed = "ngx_thread_task_post";
            saver->file.name = saver->file.path;
            saver->file.err = 0;
            saver->rc = NGX_ERROR;

            op = saver->op;
            saver->op = NULL;

            op->done(saver, NGX_ERROR);
        }
    }
}


/* at the end of the process there are no threads any more: all is done here */

static ngx_int_t
ngx_http_longpoll_persist_post(ngx_http_longpoll_saver_t *saver)
{
    if (saver->last_one) {
        saver->rc = saver->op->work(saver);
        ngx_http_longpoll_persist_finish(&saver->task->event);
        return NGX_OK;
    }

    return ngx_thread_task_post(saver->pool, saver->task);
}


static void
ngx_http_longpoll_persist_thread(void *data, ngx_log_t *log)
{
    ngx_http_longpoll_saver_t  *saver;

    saver = *(ngx_http_longpoll_saver_t **) data;

    saver->rc = saver->op->work(saver);
}


static void
ngx_http_longpoll_persist_finish(ngx_event_t *ev)
{
    ngx_http_longpoll_saver_t       *saver;
    ngx_http_longpoll_persist_op_t  *op;

    saver = ev->data;

    op = saver->op;
    saver->op = NULL;

    op->done(saver, saver->rc);

    if (!saver->last_one) {
        ngx_http_longpoll_persist_decide(saver);
        ngx_http_longpoll_persist_step(saver);
    }
}


/* what is to be done now; NULL: nothing */

static ngx_http_longpoll_persist_op_t *
ngx_http_longpoll_persist_next(ngx_http_longpoll_saver_t *saver)
{
    uint64_t                      wake;
    ngx_int_t                     rc;
    ngx_uint_t                    late;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_zone_sh_t  *sh;

    z = saver->zone;
    sh = z->sh;

    if (saver->state == NGX_HTTP_LONGPOLL_PERSIST_NONE) {

        /* nobody will write what comes to a zone whose place is taken */

        if (sh->moved && sh->writer == 0 && sh->durable
            && sh->marks[NGX_HTTP_LONGPOLL_MARK_SHOWN].ref)
        {
            wake = 0;
            ngx_http_longpoll_zone_unsaved(z, &wake);
            ngx_http_longpoll_persist_notify(wake);
        }

        if (saver->retry || !ngx_http_longpoll_persist_claim(saver)) {
            return NULL;
        }

        return &ngx_http_longpoll_persist_op_open;
    }

    /* what failed waits for the timer, unless publishers wait for it */

    if (saver->retry
        && (saver->last_one || !sh->durable
            || sh->marks[NGX_HTTP_LONGPOLL_MARK_SHOWN].ref == 0))
    {
        return NULL;
    }

    if (saver->losses_due) {

        if (saver->save.notes == NULL
            && ngx_http_longpoll_persist_memory(saver, 1) != NGX_OK)
        {
            saver->retry = 1;
            return NULL;
        }

        return &ngx_http_longpoll_persist_op_read;
    }

    if (saver->head_due) {
        return &ngx_http_longpoll_persist_op_head;
    }

    wake = 0;

    if (sh->conf.durable && !sh->durable) {
        (void) ngx_http_longpoll_zone_durable(z, 1, 0, &wake);

    } else if (!sh->conf.durable && sh->durable
               && !saver->file.head.durable)
    {
        (void) ngx_http_longpoll_zone_durable(z, 0, 0, &wake);
    }

    /* what is told on disk may only be less than what is so */

    if (saver->file.head.durable != sh->conf.durable
        && (!sh->conf.durable
            || sh->marks[NGX_HTTP_LONGPOLL_MARK_SAVED].id >= sh->visible))
    {
        saver->file.head.durable = sh->conf.durable;
        return &ngx_http_longpoll_persist_op_head;
    }

    if (saver->again && saver->turn) {
        saver->turn = 0;
        return ngx_http_longpoll_persist_renew(saver);
    }

    saver->turn = 1;

    if (!saver->again && !saver->tried
        && (saver->lost || sh->file_dead
            || ngx_http_longpoll_persist_stale(saver)))
    {
        return &ngx_http_longpoll_persist_op_begin;
    }

    late = ngx_http_longpoll_persist_late(saver);

    if ((saver->due || sh->durable || saver->leaving || saver->last_one)
        && !saver->lost && !late && ngx_http_longpoll_zone_unwritten(z))
    {
        rc = ngx_http_longpoll_persist_collect(saver,
                                               NGX_HTTP_LONGPOLL_MARK_NEXT);
        if (rc == NGX_ERROR) {
            return NULL;
        }

        saver->due = (rc == NGX_AGAIN);

        if (saver->save.len || saver->save.nnotes) {
            return &ngx_http_longpoll_persist_op_append;
        }
    }

    saver->due = (saver->due && late);

    if (saver->again) {
        return ngx_http_longpoll_persist_renew(saver);
    }

    if (!saver->tried) {
        saver->stuck = 0;
    }

    if (saver->check) {
        saver->check = 0;
        return &ngx_http_longpoll_persist_op_check;
    }

    if (saver->leaving && !saver->last_one
        && (sh->moved
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
ngx_http_longpoll_persist_stale(ngx_http_longpoll_saver_t *saver)
{
    uint64_t  live, alive;

    live = saver->zone->sh->log.live;
    alive = ngx_max(live + live / 4 * 3, saver->kept + saver->kept / 8);

    return saver->file.size + saver->file.state_size
           > alive + NGX_HTTP_LONGPOLL_PERSIST_SLACK;
}


/*
 * Whether the old file grows faster than the new one is written, so that both
 * would need too much.  Then the rest of the new one comes first; publishers
 * do not wait for that.
 */

static ngx_uint_t
ngx_http_longpoll_persist_late(ngx_http_longpoll_saver_t *saver)
{
    return saver->again && !saver->zone->sh->durable
           && saver->file.size + saver->file.state_size
              > saver->begun + ngx_http_longpoll_persist_part(saver);
}


/* by so many bytes the files may grow between two looks */

static uint64_t
ngx_http_longpoll_persist_part(ngx_http_longpoll_saver_t *saver)
{
    uint64_t  part;

    part = saver->zone->sh->log.live / 16;

    part = ngx_max(part, NGX_HTTP_LONGPOLL_PERSIST_FEW);
    part = ngx_min(part, NGX_HTTP_LONGPOLL_PERSIST_LINES);

    return part;
}


/* the next piece of a new file, or its end */

static ngx_http_longpoll_persist_op_t *
ngx_http_longpoll_persist_renew(ngx_http_longpoll_saver_t *saver)
{
    ngx_int_t  rc;

    if (!saver->all) {
        rc = ngx_http_longpoll_persist_collect(saver,
                                               NGX_HTTP_LONGPOLL_MARK_AGAIN);
        if (rc == NGX_ERROR) {
            return NULL;
        }

        /* from the last piece to the end nothing comes between */

        saver->tail = (rc == NGX_OK);

        if (saver->save.len) {
            return &ngx_http_longpoll_persist_op_piece;
        }

        ngx_memzero(&saver->losses, sizeof(ngx_http_longpoll_losses_t));
        saver->all = 1;
    }

    saver->save.len = 0;
    saver->save.nnotes = 0;

    if (saver->losses.n != (ngx_uint_t) -1) {
        rc = ngx_http_longpoll_zone_losses(saver->zone, &saver->losses,
                                           &saver->save);
        if (rc == NGX_OK) {
            saver->losses.n = (ngx_uint_t) -1;
        }

        if (saver->save.nnotes) {
            return &ngx_http_longpoll_persist_op_losses;
        }
    }

    /* what the old file got in the meantime */

    rc = ngx_http_longpoll_persist_collect(saver, NGX_HTTP_LONGPOLL_MARK_AGAIN);

    if (rc == NGX_ERROR) {
        return NULL;
    }

    if (saver->save.len) {
        return &ngx_http_longpoll_persist_op_piece;
    }

    return &ngx_http_longpoll_persist_op_rename;
}


static ngx_int_t
ngx_http_longpoll_persist_collect(ngx_http_longpoll_saver_t *saver,
    ngx_uint_t mark)
{
    uint64_t                   wake;
    ngx_int_t                  rc;
    ngx_http_longpoll_save_t  *save;

    save = &saver->save;

    if (save->lines == NULL
        && ngx_http_longpoll_persist_memory(saver,
                                            NGX_HTTP_LONGPOLL_PERSIST_LINES)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    save->len = 0;
    save->nnotes = 0;
    save->enough = NGX_HTTP_LONGPOLL_PERSIST_LINES;

    if (mark == NGX_HTTP_LONGPOLL_MARK_NEXT) {

        /* a round of a small file does not make it a large one */

        save->enough = ngx_http_longpoll_persist_part(saver);

        /* the half of the notes is left to the keys */

        save->max_notes = NGX_HTTP_LONGPOLL_PERSIST_NOTES / 2;
        ngx_http_longpoll_zone_save_gone(saver->zone, save);
        save->max_notes = NGX_HTTP_LONGPOLL_PERSIST_NOTES;
    }

    do {
        rc = ngx_http_longpoll_zone_save(saver->zone, mark, save);

        if (rc != NGX_DECLINED) {
            return rc;
        }

    } while (ngx_http_longpoll_persist_memory(saver,
                                              ngx_max(2 * save->size,
                                                      save->wanted))
             == NGX_OK);

    /* what was taken so far is taken again later */

    if (mark == NGX_HTTP_LONGPOLL_MARK_NEXT) {
        wake = 0;
        ngx_http_longpoll_zone_save_again(saver->zone, &wake);
        ngx_http_longpoll_persist_notify(wake);

    } else {
        ngx_http_longpoll_zone_again(saver->zone, 0);
        saver->again = 0;
    }

    saver->retry = 1;

    return NGX_ERROR;
}


/* what is there already stays */

static ngx_int_t
ngx_http_longpoll_persist_memory(ngx_http_longpoll_saver_t *saver, size_t size)
{
    u_char                    *p;
    ngx_http_longpoll_save_t  *save;

    save = &saver->save;

    if (save->notes == NULL) {
        save->max_notes = NGX_HTTP_LONGPOLL_PERSIST_NOTES;
        save->notes = ngx_alloc(save->max_notes
                                * sizeof(ngx_http_longpoll_note_t), saver->log);
        if (save->notes == NULL) {
            return NGX_ERROR;
        }
    }

    p = ngx_alloc(size, saver->log);
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
ngx_http_longpoll_persist_free(ngx_http_longpoll_saver_t *saver)
{
    ngx_http_longpoll_save_t  *save;

    save = &saver->save;

    if (save->lines && (saver->last_one || !saver->zone->sh->durable)) {
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
ngx_http_longpoll_persist_failed(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc)
{
    saver->retry = 1;

    if (saver->failing) {
        return;
    }

    saver->failing = 1;

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, saver->log, 0,
                      "longpoll zone \"%V\": \"%s\" %s, it is written anew",
                      &saver->zone->name, saver->file.name,
                      saver->file.failed);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, saver->log, saver->file.err,
                  "longpoll zone \"%V\": %s(\"%s\") failed, events are not "
                  "on disk", &saver->zone->name, saver->file.failed,
                  saver->file.name);
}


static void
ngx_http_longpoll_persist_mended(ngx_http_longpoll_saver_t *saver)
{
    saver->retry = 0;

    if (saver->failing) {
        saver->failing = 0;

        ngx_log_error(NGX_LOG_NOTICE, saver->log, 0,
                      "longpoll zone \"%V\": \"%s\" has all events again",
                      &saver->zone->name, saver->file.path);
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
ngx_http_longpoll_persist_claim(ngx_http_longpoll_saver_t *saver)
{
    ngx_uint_t                    self;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = saver->zone->sh;
    self = ngx_http_longpoll_notify_worker();

    if (self == NGX_HTTP_LONGPOLL_NOTIFY_MAX || sh->moved) {
        return 0;
    }

    if (saver->leaving && !saver->last_one
        && ngx_http_longpoll_zone_others(saver->zone, self,
                                         ngx_http_longpoll_notify_alive()))
    {
        (void) ngx_atomic_cmp_set(&sh->writer, self + 1, 0);
        return 0;
    }

    return sh->writer == self + 1
           || (sh->writer == 0
               && ngx_atomic_cmp_set(&sh->writer, 0, self + 1));
}


static ngx_int_t
ngx_http_longpoll_persist_open(ngx_http_longpoll_saver_t *saver)
{
    ngx_int_t                     rc;
    ngx_uint_t                    tries;
    ngx_http_longpoll_file_t     *f;
    ngx_http_longpoll_zone_sh_t  *sh;

    f = &saver->file;
    sh = saver->zone->sh;

    f->unread = (sh->unread != 0);

    for (tries = 0; /* void */ ; tries++) {
        rc = ngx_http_longpoll_file_open(f);

        /* somebody may only be looking, see below */

        if (rc != NGX_AGAIN || !saver->last_one
            || tries == NGX_HTTP_LONGPOLL_PERSIST_WATCH)
        {
            break;
        }

        ngx_msleep(1);
    }

    if (rc != NGX_OK) {
        saver->patience = 0;
        return rc;
    }

    /* workers of another nginx that ends follow each other until it has */

    if (sh->contested && f->head.life != sh->life && !f->head.clean
        && !saver->last_one
        && saver->patience++ < NGX_HTTP_LONGPOLL_PERSIST_PATIENCE)
    {
        ngx_http_longpoll_file_close(f);
        return NGX_AGAIN;
    }

    saver->patience = 0;

    ngx_http_longpoll_persist_compare(saver);

    return NGX_OK;
}


/* the file and what the zone knows of it */

static void
ngx_http_longpoll_persist_compare(ngx_http_longpoll_saver_t *saver)
{
    ngx_uint_t                    own, told;
    ngx_http_longpoll_file_t     *f;
    ngx_http_longpoll_zone_sh_t  *sh;

    f = &saver->file;
    sh = saver->zone->sh;

    own = (f->head.life == sh->life);
    saver->lost = 0;
    saver->others = 0;
    saver->losses_due = 0;
    saver->head_due = (!own || f->head.clean);

    if (f->fd == -1
        || (!own && ngx_http_longpoll_zone_succeeds(saver->zone,
                                                    f->head.life)))
    {

        /* it has what was loaded, or copied; what came later is told as missed
         */

        saver->lost = 1;

    } else if (own || (f->size == sh->file_size && !sh->contested)) {

        /* as this life left it, or found it */

        if (f->size < sh->file_size) {
            saver->lost = 1;

        } else if (f->size > sh->file_size
                   && ftruncate(f->fd, sh->file_size) == -1)
        {
            saver->lost = 1;
        }

        f->size = ngx_min(f->size, sh->file_size);
        f->state_size = ngx_max(ngx_min(f->state_size, sh->state_size),
                                NGX_HTTP_LONGPOLL_FILE_HEAD);

    } else {

        /* others had it after it was loaded; all that they told is there? */

        told = (f->head.clean || f->head.durable);

        saver->last = f->head.last_id;

        if (!f->head.clean) {
            saver->last = ngx_http_longpoll_id(ngx_http_longpoll_now() + 1, 0);
        }

        saver->losses_due = (told && f->size == sh->file_size
                             && f->node == sh->file_node && !sh->file_dead);
        saver->read = sh->state_size;
        saver->others = !saver->losses_due;
        saver->lost = saver->others;
    }
}


static void
ngx_http_longpoll_persist_opened(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc)
{
    uint64_t                      wake;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_zone_sh_t  *sh;

    z = saver->zone;
    sh = z->sh;
    wake = 0;

    if (rc != NGX_OK) {

        if (rc == NGX_ERROR) {
            ngx_http_longpoll_persist_failed(saver, rc);

        } else if (sh->file_size != (uint64_t) -1) {
            sh->contested = 1;
        }

        saver->retry = 1;

        /* nobody can write: whoever need not wait for the disk does not */

        if (sh->conf.durable) {

            if (rc == NGX_ERROR) {
                ngx_http_longpoll_zone_unsaved(z, &wake);
            }

        } else {
            (void) ngx_http_longpoll_zone_durable(z, 0, 1, &wake);
        }

        /* others would fail, and complain, too */

        if (rc == NGX_AGAIN || saver->leaving) {
            (void) ngx_atomic_cmp_set(&sh->writer,
                                      ngx_http_longpoll_notify_worker() + 1,
                                      0);
        }

        ngx_http_longpoll_persist_notify(wake);
        return;
    }

    saver->state = NGX_HTTP_LONGPOLL_PERSIST_READY;
    saver->again = 0;
    saver->due = 1;

    if (saver->others) {
        ngx_http_longpoll_zone_missing(z, saver->last);

        ngx_log_error(NGX_LOG_NOTICE, saver->log, 0,
                      "longpoll zone \"%V\": others wrote to \"%s\" after it "
                      "was loaded, it is written anew", &z->name,
                      saver->file.path);
    }

    /* whoever goes on from here knows that, too */

    if (saver->lost) {
        sh->file_size = (uint64_t) -1;
    }

    if (!saver->losses_due) {
        sh->contested = 0;
    }

    sh->file_node = saver->file.node;

    ngx_http_longpoll_zone_save_begin(z, &wake);

    if (!sh->conf.durable) {
        (void) ngx_http_longpoll_zone_durable(z, 0, 1, &wake);
    }

    ngx_http_longpoll_persist_notify(wake);
}


/* the losses of those who had the file, as their notes say */

static ngx_int_t
ngx_http_longpoll_persist_read(ngx_http_longpoll_saver_t *saver)
{
    return ngx_http_longpoll_file_read(&saver->file, &saver->read,
                                       &saver->save);
}


static void
ngx_http_longpoll_persist_had(ngx_http_longpoll_saver_t *saver, ngx_int_t rc)
{
    ngx_uint_t                 i;
    ngx_http_longpoll_note_t  *note;

    if (rc == NGX_ERROR) {
        ngx_http_longpoll_persist_failed(saver, rc);
        return;
    }

    for (i = 0; i < saver->save.nnotes; i++) {
        note = &saver->save.notes[i];

        /* a tombstone of this life would be told to polls from the beginning */

        if (note->kind == NGX_HTTP_LONGPOLL_NOTE_TOMB) {
            note->word[3] = 0;
        }

        if (note->kind >= NGX_HTTP_LONGPOLL_NOTE_LOST) {
            ngx_http_longpoll_zone_load_loss(saver->zone, note, 0);
        }
    }

    if (rc == NGX_DONE) {
        saver->losses_due = 0;
        ngx_http_longpoll_zone_alone(saver->zone, saver->last,
                                     saver->file.head.trusted);

        ngx_log_error(NGX_LOG_NOTICE, saver->log, 0,
                      "longpoll zone \"%V\": nobody else writes to \"%s\" any "
                      "more, it is as it was loaded", &saver->zone->name,
                      saver->file.path);
    }
}


static ngx_int_t
ngx_http_longpoll_persist_close(ngx_http_longpoll_saver_t *saver)
{
    ngx_http_longpoll_file_close(&saver->file);

    return NGX_OK;
}


static void
ngx_http_longpoll_persist_closed(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc)
{
    saver->state = NGX_HTTP_LONGPOLL_PERSIST_NONE;
    saver->retry = 1;

    (void) ngx_atomic_cmp_set(&saver->zone->sh->writer,
                              ngx_http_longpoll_notify_worker() + 1, 0);

    ngx_http_longpoll_persist_notify(saver->zone->sh->members);
}


/*
 * writing
 */


static ngx_int_t
ngx_http_longpoll_persist_append(ngx_http_longpoll_saver_t *saver)
{
    return ngx_http_longpoll_file_append(&saver->file, &saver->save);
}


static void
ngx_http_longpoll_persist_appended(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc)
{
    uint64_t                      wake;
    ngx_http_longpoll_zone_t     *z;

    z = saver->zone;
    wake = 0;

    switch (rc) {

    case NGX_OK:
        ngx_http_longpoll_zone_saved(z, &saver->save, saver->file.size,
                                     saver->file.state_size, &wake);

        if (!saver->stuck) {
            ngx_http_longpoll_persist_mended(saver);
        }

        break;

    case NGX_DECLINED:
        ngx_http_longpoll_persist_checked(saver, rc);
        ngx_http_longpoll_zone_save_again(z, &wake);
        break;

    default: /* NGX_ERROR */
        ngx_http_longpoll_persist_failed(saver, rc);
        ngx_http_longpoll_zone_unsaved(z, &wake);
    }

    ngx_http_longpoll_persist_notify(wake);
}


static ngx_int_t
ngx_http_longpoll_persist_check(ngx_http_longpoll_saver_t *saver)
{
    return ngx_http_longpoll_file_check(&saver->file);
}


static void
ngx_http_longpoll_persist_checked(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc)
{
    if (rc == NGX_DECLINED) {
        ngx_http_longpoll_persist_failed(saver, rc);
        saver->lost = 1;
        saver->retry = 0;
    }
}


static ngx_int_t
ngx_http_longpoll_persist_head(ngx_http_longpoll_saver_t *saver)
{
    ngx_http_longpoll_file_head_t  *head;
    ngx_http_longpoll_zone_sh_t    *sh;

    head = &saver->file.head;
    sh = saver->zone->sh;

    if (saver->head_due) {
        head->life = sh->life;
        head->trusted = sh->trusted;
        head->last_id = sh->last_id;
        head->key[0] = sh->key[0];
        head->key[1] = sh->key[1];
        head->durable = 0;
        head->clean = 0;
    }

    return ngx_http_longpoll_file_head(&saver->file);
}


static void
ngx_http_longpoll_persist_headed(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc)
{
    uint64_t  wake;

    saver->head_due = 0;

    if (rc != NGX_OK) {
        wake = 0;

        /* it is not known what stands there: the next one says it again */

        saver->head_due = 1;
        ngx_http_longpoll_persist_failed(saver, rc);
        ngx_http_longpoll_zone_unsaved(saver->zone, &wake);
        ngx_http_longpoll_persist_notify(wake);
    }
}


/*
 * writing anew
 */


static ngx_int_t
ngx_http_longpoll_persist_begin(ngx_http_longpoll_saver_t *saver)
{
    return ngx_http_longpoll_file_again(&saver->file);
}


static void
ngx_http_longpoll_persist_begun(ngx_http_longpoll_saver_t *saver, ngx_int_t rc)
{
    if (rc != NGX_OK) {
        ngx_http_longpoll_persist_stick(saver, rc);
        return;
    }

    ngx_http_longpoll_zone_again(saver->zone, 1);

    saver->again = 1;
    saver->all = 0;
    saver->begun = saver->file.size + saver->file.state_size;
}


/*
 * No new file for now.  As long as there is an old one that is no reason not to
 * append to it.
 */

static void
ngx_http_longpoll_persist_stick(ngx_http_longpoll_saver_t *saver, ngx_int_t rc)
{
    uint64_t  wake;

    saver->stuck = 1;
    saver->tried = 1;

    ngx_http_longpoll_persist_failed(saver, rc);

    if (!saver->lost) {
        saver->retry = 0;
        return;
    }

    wake = 0;

    ngx_http_longpoll_zone_unsaved(saver->zone, &wake);
    ngx_http_longpoll_persist_notify(wake);
}


static ngx_int_t
ngx_http_longpoll_persist_piece(ngx_http_longpoll_saver_t *saver)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_file_again_append(&saver->file, &saver->save);

    if (rc != NGX_OK) {
        ngx_http_longpoll_file_again_stop(&saver->file);
    }

    return rc;
}


static void
ngx_http_longpoll_persist_pieced(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc)
{
    if (rc == NGX_OK) {
        saver->turn = saver->tail;
        return;
    }

    ngx_http_longpoll_zone_again(saver->zone, 0);

    saver->again = 0;

    ngx_http_longpoll_persist_stick(saver, rc);
}


static ngx_int_t
ngx_http_longpoll_persist_losses(ngx_http_longpoll_saver_t *saver)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_file_notes(&saver->file, &saver->save);

    if (rc != NGX_OK) {
        ngx_http_longpoll_file_again_stop(&saver->file);
    }

    return rc;
}


static void
ngx_http_longpoll_persist_lost(ngx_http_longpoll_saver_t *saver, ngx_int_t rc)
{
    if (saver->again) {
        ngx_http_longpoll_persist_pieced(saver, rc);
    }
}


static ngx_int_t
ngx_http_longpoll_persist_rename(ngx_http_longpoll_saver_t *saver)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_file_again_done(&saver->file);

    if (rc == NGX_ERROR) {
        ngx_http_longpoll_file_again_stop(&saver->file);
    }

    return rc;
}


static void
ngx_http_longpoll_persist_renamed(ngx_http_longpoll_saver_t *saver,
    ngx_int_t rc)
{
    if (rc == NGX_ERROR) {
        ngx_http_longpoll_persist_pieced(saver, rc);
        return;
    }

    saver->again = 0;
    saver->lost = 0;
    saver->stuck = 0;
    saver->kept = saver->file.size + saver->file.state_size;

    saver->zone->sh->file_node = saver->file.node;

    ngx_http_longpoll_zone_renewed(saver->zone, saver->file.size,
                                   saver->file.state_size);

    if (rc == NGX_OK) {
        ngx_http_longpoll_persist_mended(saver);

    } else {
        ngx_http_longpoll_persist_failed(saver, NGX_ERROR);
    }
}


/*
 * the end
 */


void
ngx_http_longpoll_persist_closing(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_saver_t  *saver;

    saver = z->saver;

    if (saver) {
        saver->leaving = 1;
        ngx_http_longpoll_zone_leaving(z, ngx_http_longpoll_notify_worker());
        ngx_http_longpoll_persist_look(z);
    }
}


/* the threads have ended, and with them what was posted */

void
ngx_http_longpoll_persist_exit_process(ngx_http_longpoll_zone_t *z)
{
    uint64_t                    left;
    ngx_uint_t                  self;
    ngx_http_longpoll_saver_t  *saver;

    saver = z->saver;
    self = ngx_http_longpoll_notify_worker();

    if (saver == NULL || self == NGX_HTTP_LONGPOLL_NOTIFY_MAX) {
        return;
    }

    saver->last_one = 1;

    if (saver->op) {
        ngx_http_longpoll_persist_finish(&saver->task->event);
    }

    left = ngx_http_longpoll_zone_resign(z, self,
                                         ngx_http_longpoll_notify_alive());
    if (left) {
        (void) ngx_http_longpoll_persist_close(saver);
        ngx_http_longpoll_persist_closed(saver, NGX_OK);
        ngx_http_longpoll_persist_free(saver);

        return;
    }

    ngx_http_longpoll_persist_succeed(saver);

    saver->retry = 0;
    saver->check = 1;

    ngx_http_longpoll_persist_step(saver);

    if (saver->state == NGX_HTTP_LONGPOLL_PERSIST_READY) {

        if (!saver->retry && !ngx_http_longpoll_zone_unwritten(z)) {
            ngx_http_longpoll_persist_end(saver);
        }

        (void) ngx_http_longpoll_persist_close(saver);
    }

    ngx_http_longpoll_persist_free(saver);
}


/*
 * The last one writes what is left.  Who was the writer may be between its
 * resigning and its closing the file, which takes no time, or be dead.
 */

static void
ngx_http_longpoll_persist_succeed(ngx_http_longpoll_saver_t *saver)
{
    ngx_uint_t          i, self;
    ngx_atomic_uint_t   writer;
    ngx_atomic_t       *word;

    self = ngx_http_longpoll_notify_worker();
    word = &saver->zone->sh->writer;

    for (i = 0; i < NGX_HTTP_LONGPOLL_PERSIST_ENDING; i++) {
        writer = *word;

        if (writer == 0 || writer == self + 1) {
            return;
        }

        if (!(ngx_http_longpoll_notify_alive() & (uint64_t) 1 << (writer - 1)))
        {
            (void) ngx_atomic_cmp_set(word, writer, 0);
            return;
        }

        ngx_msleep(1);
    }
}


/* all of it is on disk, and now that is said there */

static void
ngx_http_longpoll_persist_end(ngx_http_longpoll_saver_t *saver)
{
    ngx_int_t                     rc;
    ngx_http_longpoll_file_t     *f;
    ngx_http_longpoll_zone_sh_t  *sh;

    f = &saver->file;
    sh = saver->zone->sh;

    if (saver->save.notes == NULL
        && ngx_http_longpoll_persist_memory(saver, 1) != NGX_OK)
    {
        return;
    }

    ngx_memzero(&saver->losses, sizeof(ngx_http_longpoll_losses_t));

    do {
        saver->save.nnotes = 0;

        rc = ngx_http_longpoll_zone_losses(saver->zone, &saver->losses,
                                           &saver->save);

        if (ngx_http_longpoll_file_notes(f, &saver->save) != NGX_OK) {
            ngx_http_longpoll_persist_failed(saver, NGX_ERROR);
            return;
        }

    } while (rc == NGX_AGAIN);

    f->head.last_id = sh->last_id;
    f->head.clean = 1;

    if (ngx_http_longpoll_file_head(f) != NGX_OK) {
        ngx_http_longpoll_persist_failed(saver, NGX_ERROR);
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
    ngx_http_longpoll_saver_t      *saver;
    ngx_http_longpoll_publisher_t  *publisher;

    saver = z->saver;

    publisher = ngx_palloc(r->pool, sizeof(ngx_http_longpoll_publisher_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (publisher == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    publisher->saver = saver;
    publisher->request = r;
    publisher->handler = handler;
    publisher->id = id;
    publisher->failed = failed;
    publisher->parked = 1;

    cln->handler = ngx_http_longpoll_persist_cleanup;
    cln->data = publisher;

    if (ngx_queue_empty(&saver->waiting)) {
        ngx_http_longpoll_persist_await(saver, 1);
    }

    ngx_queue_insert_tail(&saver->waiting, &publisher->queue);

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
ngx_http_longpoll_persist_await(ngx_http_longpoll_saver_t *saver,
    ngx_uint_t on)
{
    uint64_t                      bit;
    ngx_uint_t                    self;
    ngx_http_longpoll_zone_sh_t  *sh;

    self = ngx_http_longpoll_notify_worker();
    sh = saver->zone->sh;

    if (self == NGX_HTTP_LONGPOLL_NOTIFY_MAX) {
        return;
    }

    bit = (uint64_t) 1 << self;

    /* a leaving worker stays until they are answered */

    saver->timer.cancelable = !on;

    if (on) {
        (void) __sync_fetch_and_or(&sh->publishers, bit);
        ngx_http_longpoll_notify_wake(bit);

        if (saver->state == NGX_HTTP_LONGPOLL_PERSIST_NONE
            && saver->timer.timer_set
            && (ngx_msec_int_t) (saver->timer.timer.key - ngx_current_msec)
               > NGX_HTTP_LONGPOLL_PERSIST_WATCH)
        {
            ngx_del_timer(&saver->timer);
            ngx_add_timer(&saver->timer, NGX_HTTP_LONGPOLL_PERSIST_WATCH);
        }

    } else {
        (void) __sync_fetch_and_and(&sh->publishers, ~bit);
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

        if (ngx_queue_empty(&publisher->saver->waiting)) {
            ngx_http_longpoll_persist_await(publisher->saver, 0);
        }
    }
}


/* answers those whose publish is decided: they stand in the order of ids */

static void
ngx_http_longpoll_persist_decide(ngx_http_longpoll_saver_t *saver)
{
    ngx_int_t                       rc;
    ngx_queue_t                    *q;
    ngx_connection_t               *c;
    ngx_http_request_t             *r;
    ngx_http_longpoll_publisher_t  *publisher;

    if (ngx_queue_empty(&saver->waiting)) {
        return;
    }

    while (!ngx_queue_empty(&saver->waiting)) {
        q = ngx_queue_head(&saver->waiting);
        publisher = ngx_queue_data(q, ngx_http_longpoll_publisher_t, queue);

        rc = ngx_http_longpoll_zone_decided(saver->zone, publisher->id,
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

    ngx_http_longpoll_persist_await(saver, 0);
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
ngx_http_longpoll_persist_look(ngx_http_longpoll_zone_t *z)
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
