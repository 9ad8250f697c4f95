
/*
 * ngx_http_longpoll_writer_task.h: a writer, and what its operations share.
 *
 * An operation begins in the event loop, which collects what it needs from the
 * zone; the thread does its work; and it ends in the event loop, which tells
 * the zone.  There is one at a time.
 *
 *     writer_meet     the files, and what the zone says of them
 *     writer_round    what is new, appended to the last segment
 *     writer_base     what lives, in a new PATH
 */


#ifndef _NGX_HTTP_LONGPOLL_WRITER_TASK_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_WRITER_TASK_H_INCLUDED_


#include "ngx_http_longpoll_durable.h"
#include "ngx_http_longpoll_segment.h"
#include "ngx_http_longpoll_thread.h"
#include "ngx_http_longpoll_zone_disk.h"


/* bytes: of a round; of a piece of a base; dead ones that are not worth one */

#ifndef NGX_HTTP_LONGPOLL_WRITER_ROUND
#define NGX_HTTP_LONGPOLL_WRITER_ROUND  (128 * 1024)
#define NGX_HTTP_LONGPOLL_WRITER_PIECE  (1024 * 1024)
#define NGX_HTTP_LONGPOLL_WRITER_SLACK  (256 * 1024)
#endif


typedef enum {
    NGX_HTTP_LONGPOLL_WRITER_OUT = 0,   /* another worker is elected, or none */
    NGX_HTTP_LONGPOLL_WRITER_BARRED,    /* another nginx has the lock */
    NGX_HTTP_LONGPOLL_WRITER_READY
} ngx_http_longpoll_writer_e;


/* the files, as a new writer meets them */

typedef enum {
    NGX_HTTP_LONGPOLL_WRITER_OURS = 0,
    NGX_HTTP_LONGPOLL_WRITER_LONGER,    /* the last segment has more than what
                                           counts */
    NGX_HTTP_LONGPOLL_WRITER_LOST,      /* something is gone */
    NGX_HTTP_LONGPOLL_WRITER_FOREIGN    /* another nginx wrote to the log */
} ngx_http_longpoll_writer_met_e;


typedef struct ngx_http_longpoll_writer_s  ngx_http_longpoll_writer_t;

typedef struct {
    const char                      *name;
    void                           (*work)(ngx_http_longpoll_writer_t *writer);
    void                           (*done)(ngx_http_longpoll_writer_t *writer);
} ngx_http_longpoll_writer_op_t;


struct ngx_http_longpoll_writer_s {
    ngx_http_longpoll_zone_t        *zone;
    ngx_log_t                       *log;
    ngx_http_longpoll_durable_t      publishers;
    ngx_http_longpoll_writer_t      *next;      /* of this worker */

    ngx_event_t                      timer;
    ngx_connection_t                 dummy;

    ngx_http_longpoll_writer_e       state;
    unsigned                         due:1;     /* the timer has fired: check
                                                   the files, write, try again
                                                   what failed */
    unsigned                         rebasing:1;    /* a base is begun */
    unsigned                         leaving:1; /* the worker drains */

    ngx_http_longpoll_thread_t      *thread;    /* NULL: none yet */
    ngx_http_longpoll_writer_op_t   *op;        /* NULL: none */
    ngx_http_longpoll_writer_op_t   *last;      /* it, or the one before */
    ngx_http_longpoll_writer_op_t   *failing;   /* it failed the last time, and
                                                   that was logged */

    /* the thread's while there is an operation */

    ngx_http_longpoll_segment_t      files;
    ngx_int_t                        rc;        /* NGX_DECLINED: the log is not
                                                   as it was left */
    const char                      *failed;    /* if NGX_ERROR: the call, the
                                                   file, errno */
    ngx_http_longpoll_segment_e      file;
    uint64_t                         number;
    int                              err;

    int                              fd;        /* the last segment; -1 */
    int                              new_fd;    /* PATH.new; -1 */
    ngx_http_longpoll_lines_t        lines;
    ngx_http_longpoll_round_t        round;
    ngx_uint_t                       check;     /* the files, first */
    ngx_http_longpoll_writer_met_e   met;
    uint64_t                         met_node;  /* inode of PATH */
    uint64_t                         wake;      /* of a merge */

    uint64_t                         new_size;  /* of PATH.new */
    uint64_t                         new_rest;  /* of it, no events */
    uint64_t                         new_node;
    ngx_int_t                        new_says;
    ngx_uint_t                       complete;  /* this piece is the last */

    /* what the log takes, in bytes */

    uint64_t                         first;     /* segment behind the base */
    uint64_t                         closed;    /* of the segments in front of
                                                   the last, when first and the
                                                   last were these */
    uint64_t                         closed_first;
    uint64_t                         closed_last;
    uint64_t                         total;     /* of all files */
    uint64_t                         base_size;
    uint64_t                         base_rest; /* of it, no events */
    uint64_t                         base_live; /* of the zone then; 0: not
                                                   known */

    /* a base failed: the next try.  Each takes a segment, so tries are rare */

    ngx_msec_t                       base_delay;    /* since then; 0: none */
    ngx_msec_t                       base_retry;    /* its time */
};


/* whether events wait for the disk, or could be refused */
#define ngx_http_longpoll_writer_is_awaited(writer)                           \
    ((writer)->zone->sh->disk.durable                                         \
     && (writer)->zone->sh->disk                                              \
            .cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].ref)


/* in the thread: rc is NGX_ERROR, for a call on a file that has set errno */
void ngx_http_longpoll_writer_error(ngx_http_longpoll_writer_t *writer,
    const char *failed, ngx_http_longpoll_segment_e file, uint64_t number);

/*
 * The last operation has failed: logs it, once, and what follows from that.
 * unsaved: events are not on disk.
 */
void ngx_http_longpoll_writer_failed(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t unsaved, const char *what);

/* the last operation has succeeded */
void ngx_http_longpoll_writer_recovered(ngx_http_longpoll_writer_t *writer);

/*
 * Nothing can be written for now.  Events that wait for the disk are refused;
 * if the zone need not be durable, and the log does not say that it is, they
 * become visible.
 */
void ngx_http_longpoll_writer_refuse(ngx_http_longpoll_writer_t *writer);

/* turns durable off once the configuration and the log say so */
void ngx_http_longpoll_writer_relax(ngx_http_longpoll_writer_t *writer);

/* notifies those workers of a set that live */
void ngx_http_longpoll_writer_notify(uint64_t workers);

/*
 * Makes lines at least so large; what is in it stays.  NGX_OK; NGX_ERROR: no
 * memory.
 */
ngx_int_t ngx_http_longpoll_writer_memory(ngx_http_longpoll_writer_t *writer,
    size_t size);

/* lines from the zone, as zone_disk_take and _losses; NGX_ERROR: no memory */
ngx_int_t ngx_http_longpoll_writer_take(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t cursor);
ngx_int_t ngx_http_longpoll_writer_losses(ngx_http_longpoll_writer_t *writer);

/*
 * In the thread: removes the segments up to upto, which PATH has replaced,
 * after the directory is synced.  What fails is tried at the next check.
 */
void ngx_http_longpoll_writer_sweep(ngx_http_longpoll_writer_t *writer,
    uint64_t upto);

/* closes a descriptor if there is one */
void ngx_http_longpoll_writer_close(int *fd);


#endif /* _NGX_HTTP_LONGPOLL_WRITER_TASK_H_INCLUDED_ */
