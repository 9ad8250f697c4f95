
/*
 * ngx_http_longpoll_pass.h: a writer of a zone's log, and what it does with the
 * files.
 */


#ifndef _NGX_HTTP_LONGPOLL_PASS_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_PASS_H_INCLUDED_


#include "ngx_http_longpoll_await.h"
#include "ngx_http_longpoll_zone_disk.h"

#include <ngx_event.h>
#include <pthread.h>


typedef struct ngx_http_longpoll_writer_s  ngx_http_longpoll_writer_t;

struct ngx_http_longpoll_writer_s {
    ngx_http_longpoll_zone_t        *zone;
    ngx_log_t                       *log;
    ngx_http_longpoll_writer_t      *next;      /* of this worker */

    ngx_http_longpoll_await_t        publishers;    /* of this worker, that
                                                   wait; in the order of ids */
    ngx_event_t                      timer;
    ngx_connection_t                 dummy;

    pthread_t                        thread;    /* if it is running */
    ngx_uint_t                       running;

    /* between the event loop and the thread */

    ngx_atomic_t                     done;      /* the pass is */
    ngx_atomic_t                     due;       /* the timer has fired: check
                                                   the files, write, try again
                                                   what failed */
    ngx_atomic_t                     leaving;   /* the worker drains */

    /* the thread's while it runs */

    ngx_uint_t                       ready;     /* it has met the files */
    ngx_uint_t                       barred;    /* another nginx has the lock */
    ngx_uint_t                       ending;    /* no worker stays: the end is
                                                   behind all there is */
    ngx_uint_t                       doing;     /* PASS_ */
    uint64_t                         wake;      /* workers to be notified */

    int                              fd;        /* of the file that was appended
                                                   to last; -1: none */
    uint64_t                         file;
    ngx_http_longpoll_lines_t        lines;
    ngx_http_longpoll_round_t        round;

    uint64_t                         base_size; /* in bytes; 0: not known */
    uint64_t                         base_live; /* of the zone then */

    /* a base failed: the next try.  Each takes a segment, so tries are rare */

    ngx_msec_t                       base_delay;    /* since then; 0: none */
    ngx_msec_t                       base_retry;    /* its time */
};


/* whether whole publishes wait for the disk */
#define ngx_http_longpoll_pass_awaited(writer)                                \
    ((writer)->zone->sh->disk.durable                                         \
     && (writer)->zone->sh->disk                                              \
            .cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].ref                    \
     && (writer)->zone->sh->disk                                              \
            .cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id                       \
        != (writer)->zone->sh->clock.committed)


/* whether another worker, or another zone's, should be the writer */
#define ngx_http_longpoll_pass_is_over(writer)                                \
    ((writer)->zone->sh->moved                                                \
     || ((writer)->leaving                                                    \
         && ((writer)->zone->sh->disk.stays                                   \
             & ngx_http_longpoll_notify_alive())))


/*
 * Writes what there is to write.  A new writer compares the files with the
 * zone's words first, and is ready behind that.  The pass ends when all is
 * written, a call failed, or another worker should go on.
 */
void ngx_http_longpoll_pass(ngx_http_longpoll_writer_t *writer);

/* a call on a file has failed, and set errno; NGX_ERROR */
ngx_int_t ngx_http_longpoll_pass_failed(ngx_http_longpoll_writer_t *writer,
    const char *call, uint64_t file);


#endif /* _NGX_HTTP_LONGPOLL_PASS_H_INCLUDED_ */
