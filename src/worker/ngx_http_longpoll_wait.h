
/*
 * ngx_http_longpoll_wait.h: the queues of a worker in which polls are parked.
 *
 *     wait ── buckets ──▶ category ── parked ──▶ link ─ link ─ link ...
 *       │      by hash               ── waking ──▶ link ─ link ...
 *       │                                           │
 *       └──── periods ──▶ period ───────────────▶ waiter ─ waiter ...
 *             tree by ms    its timer is the first one's deadline
 *
 *              park                  leave
 *       NEW ─────────▶ PARKED ─────────────────▶ LEFT
 *                      │ ▲  ▲  wake: it stays     ▲
 *                      │ │  └────┐                │
 *                 hold │ │ park  └ (PARKED)       │
 *                      ▼ │                        │
 *                      HELD ──────────────────────╯
 *
 * A waiter stands in the queue of each category that it waits for, by a link,
 * and in the queue of its period.  A wake-up calls the waiter's wake handler,
 * which reads the zone: then the waiter leaves or stays.  It leaves once, for
 * whatever reason, by ngx_http_longpoll_wait_leave().  A waiter that is HELD
 * waits for its client to read: it stands in no category and no period.  What
 * brings it here and what ends it is drawn in ngx_http_longpoll_poll.c and
 * ngx_http_longpoll_stream.c.
 *
 * Clients ask for few different time-outs, and waiters with the same time-out
 * end in the order in which they came.  So each time-out has a period with one
 * queue and one timer.  nginx's tree of timers has nothing to do for a waiter.
 *
 * This file knows no zone.  What the last waiter of a category means to others
 * is the handlers' business.
 */


#ifndef _NGX_HTTP_LONGPOLL_WAIT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_WAIT_H_INCLUDED_


#include "ngx_http_longpoll.h"

#include <ngx_http.h>


typedef struct ngx_http_longpoll_waiter_s    ngx_http_longpoll_waiter_t;
typedef struct ngx_http_longpoll_wait_s      ngx_http_longpoll_wait_t;
typedef struct ngx_http_longpoll_wait_cat_s  ngx_http_longpoll_wait_cat_t;
typedef struct ngx_http_longpoll_period_s    ngx_http_longpoll_period_t;


typedef enum {
    NGX_HTTP_LONGPOLL_WAIT_NEW = 0,
    NGX_HTTP_LONGPOLL_WAIT_PARKED,
    NGX_HTTP_LONGPOLL_WAIT_HELD,
    NGX_HTTP_LONGPOLL_WAIT_LEFT
} ngx_http_longpoll_wait_e;


/* what waiters wait for: a category, or a client of gpoll's */

struct ngx_http_longpoll_wait_cat_s {
    uint64_t                          hash[2];
    ngx_http_longpoll_wait_cat_t     *next;     /* in the bucket */
    ngx_queue_t                       parked;
    ngx_queue_t                       waking;   /* a slice at a time */
    ngx_uint_t                        polls;    /* in both queues */

    ngx_http_longpoll_wait_cat_t     *ready_next;
    unsigned                          ready:1;  /* on the list of the ready */

    /* of ngx_http_longpoll_interest.h */
    unsigned                          interest:1;   /* since is set */
    unsigned                          slotless:1;
    unsigned                          lost:1;   /* its slot may be taken */
    unsigned                          client:1; /* hash is a client's UUID */
    uint32_t                          slot;     /* or the client's number */
    uint64_t                          since;    /* no message up to this id is
                                                   pending; 0: not known */
    uint64_t                          woken;    /* what since becomes once all
                                                   have been woken: they have
                                                   been given all up to it */
};


typedef struct {
    ngx_queue_t                       queue;
    ngx_http_longpoll_wait_cat_t     *cat;
    ngx_http_longpoll_waiter_t       *w;
} ngx_http_longpoll_link_t;


/* set by the waiter's owner */

typedef struct {
    /* something may be there: the waiter leaves, is held, or stays */
    void                            (*wake)(ngx_http_longpoll_waiter_t *w);

    /* its time is over, or the worker leaves: as wake; where ngx_exiting is
       set, it does not stay */
    void                            (*expire)(ngx_http_longpoll_waiter_t *w);

    /* the categories that it waits for, with their names, in the order in which
       it was parked for them; *n is their number */
    ngx_http_longpoll_cat_t        *(*cats)(ngx_http_longpoll_waiter_t *w,
                                          ngx_uint_t *n);

    /* bytes in front of the waiter that wake uses, if it mostly stays; 0: it
       mostly leaves with an answer */
    size_t                            used;
} ngx_http_longpoll_waiter_handlers_t;


struct ngx_http_longpoll_waiter_s {
    ngx_http_request_t               *request;
    ngx_http_longpoll_wait_t         *wait;
    ngx_http_longpoll_waiter_handlers_t  *handlers;
    ngx_http_longpoll_period_t       *period;
    ngx_queue_t                       queue;    /* of the period, or of those
                                                   that are held */
    ngx_msec_t                        deadline;
    ngx_http_longpoll_wait_e          state;

    ngx_uint_t                        nlinks;
    ngx_http_longpoll_link_t          links[1];
};


struct ngx_http_longpoll_period_s {
    ngx_rbtree_node_t                 node;     /* by its ms */
    ngx_queue_t                       waiters;  /* in order of deadlines */
    ngx_http_longpoll_wait_t         *wait;
    ngx_event_t                       timer;    /* runs all the time; one that
                                                   finds nobody frees it */
    unsigned                          expiring:1;   /* its timer's handler runs,
                                                       and frees it */
};


/* the waiters of one zone in this worker */

struct ngx_http_longpoll_wait_s {
    ngx_http_longpoll_wait_cat_t    **buckets;
    ngx_uint_t                        nbuckets;     /* a power of two */
    ngx_uint_t                        ncats;

    ngx_rbtree_t                      periods;
    ngx_rbtree_node_t                 sentinel;
    ngx_uint_t                        nidle;        /* periods with nobody */
    ngx_uint_t                        parked;
    ngx_queue_t                       held;     /* waiters */
    ngx_uint_t                        nheld;

    /* categories with waiters to wake: a list, and the event that wakes them */
    ngx_http_longpoll_wait_cat_t     *ready;
    ngx_http_longpoll_wait_cat_t    **ready_last;
    ngx_event_t                       slice;

    /* set by the owner before ..._init() */
    void                             *data;     /* its zone */

    /* the waiters of a category are going to be woken */
    void                            (*wake)(ngx_http_longpoll_wait_t *wait,
                                          ngx_http_longpoll_wait_cat_t *cat);

    /* all waiters of a category have been woken */
    void                            (*woken)(ngx_http_longpoll_wait_t *wait,
                                          ngx_http_longpoll_wait_cat_t *cat);

    /* the last waiter of a category has left; cat is freed after this call */
    void                            (*empty)(ngx_http_longpoll_wait_t *wait,
                                          ngx_http_longpoll_wait_cat_t *cat);
};


#define ngx_http_longpoll_waiter_size(nlinks)                                 \
    (offsetof(ngx_http_longpoll_waiter_t, links)                              \
     + (nlinks) * sizeof(ngx_http_longpoll_link_t))


/* wait is zeroed but for the handlers; NGX_OK or NGX_ERROR: no memory */
ngx_int_t ngx_http_longpoll_wait_init(ngx_http_longpoll_wait_t *wait,
    ngx_log_t *log);

/* frees wait's memory at the end of the process, when no waiter is left */
void ngx_http_longpoll_wait_exit(ngx_http_longpoll_wait_t *wait);

/*
 * Parks a waiter that is NEW or HELD, whose request, wait and handlers are set,
 * for n categories and msec ms.  Only the hashes of cats are used.
 *
 * NGX_OK     the waiter is PARKED
 * NGX_ERROR  no memory: the waiter is what it was; wait->empty may have been
 *            called for categories that it was the first in
 */
ngx_int_t ngx_http_longpoll_wait_park(ngx_http_longpoll_waiter_t *w,
    ngx_http_longpoll_cat_t *cats, ngx_uint_t n, ngx_msec_t msec);

/* a PARKED waiter has msec ms from now on; without memory it keeps its time */
void ngx_http_longpoll_wait_renew(ngx_http_longpoll_waiter_t *w,
    ngx_msec_t msec);

/* a waiter that is NEW or PARKED is HELD; calls wait->empty as leave does */
void ngx_http_longpoll_wait_hold(ngx_http_longpoll_waiter_t *w);

/*
 * A waiter that is PARKED or HELD leaves; calls wait->empty for categories
 * without others.
 */
void ngx_http_longpoll_wait_leave(ngx_http_longpoll_waiter_t *w);

/* any PARKED waiter, the oldest of its period; NULL: there is none */
ngx_http_longpoll_waiter_t *ngx_http_longpoll_wait_any(
    ngx_http_longpoll_wait_t *wait);

/* NULL: nobody waits for the category */
ngx_http_longpoll_wait_cat_t *ngx_http_longpoll_wait_find(
    ngx_http_longpoll_wait_t *wait, const uint64_t hash[2]);

/*
 * Wakes all that are parked now for a category, or for any: not in this call,
 * but in slices, one in each turn of the event loop.
 */
void ngx_http_longpoll_wait_wake(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_wait_cat_t *cat);
void ngx_http_longpoll_wait_wake_all(ngx_http_longpoll_wait_t *wait);

/*
 * Called from the wake or expire handler of a waiter that stays PARKED, and has
 * not been given all that was there: it is woken once more, in a slice.  Until
 * then none of its categories counts as woken.
 */
void ngx_http_longpoll_wait_rewake(ngx_http_longpoll_waiter_t *w);


#endif /* _NGX_HTTP_LONGPOLL_WAIT_H_INCLUDED_ */
