
/*
 * ngx_http_longpoll_notify.h: one eventfd for each worker, and which workers
 * live.
 *
 *                  number     0      1      2     ...    63
 *   shared table   owner    pid|t  pid|t    0            0
 *                  notified   0      1      0            0
 *                  room      16 kB  16 kB  16 kB        16 kB
 *   inherited      eventfd   [ ]    [ ]    [ ]          [ ]
 *
 * The master makes the table and the eventfds for the first configuration with
 * a zone, where a reload can still be refused, and keeps them until one without
 * a zone has taken its place; so every process has every eventfd.  A worker
 * claims a number, which is its bit in every set of workers and in every zone.
 *
 *     claim   compare and swap of the owner word, if it is 0 or its process is
 *             dead; then reap: what the dead process left in the zones is ended
 *     wake    set notified; if it was not set, write the eventfd
 *     woken   clear notified, then check the zones
 *     leave   reap, then owner = 0
 *
 * The worker clears notified before it checks, so a wake-up may be one too many
 * and never one too few.  A process that is killed between setting notified and
 * writing leaves notified set, so nobody writes that eventfd any more.  Until
 * the worker checks for another reason (its own publish), only its ticks find
 * what is new, up to a second late.
 */


#ifndef _NGX_HTTP_LONGPOLL_NOTIFY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_NOTIFY_H_INCLUDED_


#include "ngx_http_longpoll.h"

#include <ngx_event.h>



typedef struct {
    /* a publisher may have changed a zone */
    void                           (*check)(void);

    /* once a second; ten times in a worker without a number */
    void                           (*tick)(void);

    /* nginx has told the worker to leave */
    void                           (*closing)(void);

    /* the number is claimed, given back, or its process was found dead: ends
     * all that the number has in the zones */
    void                           (*reap)(ngx_uint_t worker);
} ngx_http_longpoll_notify_handlers_t;


/*
 * In the master: the cycle holds the table and the eventfds until its pool is
 * destroyed, and the first holder makes them.  A cycle may hold them more than
 * once.  NGX_OK; NGX_ERROR, which is logged: this cycle cannot run.
 */
ngx_int_t ngx_http_longpoll_notify_hold(ngx_cycle_t *cycle);

/*
 * In a worker: claims a number, and has nginx's event loop read its eventfd.  A
 * worker that finds all numbers taken is only woken by its ticks.  NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_http_longpoll_notify_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_notify_handlers_t *handlers);
void ngx_http_longpoll_notify_exit_process(void);

/* this worker's number; NGX_HTTP_LONGPOLL_NO_WORKER: all are taken */
extern ngx_uint_t  ngx_http_longpoll_notify_number;
#define ngx_http_longpoll_notify_worker()  ngx_http_longpoll_notify_number

/*
 * Wakes the workers of the set; this one checks after what runs now.  The
 * master may call it, too.
 */
void ngx_http_longpoll_notify_wake(uint64_t workers);

/* wakes this worker, which has a number; for its other threads */
void ngx_http_longpoll_notify_wake_self(void);

/*
 * The set of workers whose processes live, by their pids alone.  A worker whose
 * pid belongs to a later process counts as living until ..._reap(), which also
 * compares start times, finds it within a second.
 */
uint64_t ngx_http_longpoll_notify_alive(void);

/*
 * Memory that all workers share, for what one of them says: only the worker
 * with this number writes it.  It is zeroed at first, and takes no memory until
 * it is written.
 */
#define NGX_HTTP_LONGPOLL_NOTIFY_ROOM  16384        /* bytes */
u_char *ngx_http_longpoll_notify_room(ngx_uint_t worker);

/* reaps the numbers of dead processes, and gives them back */
void ngx_http_longpoll_notify_reap(void);


#endif /* _NGX_HTTP_LONGPOLL_NOTIFY_H_INCLUDED_ */
