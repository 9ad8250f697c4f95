
/*
 * ngx_http_longpoll_wait.h: the requests parked in this worker.
 *
 *                       +----------------- wait ------------------+
 *   hash -> category -> | parked: waiter, waiter ...              |
 *                       | waking: waiter, waiter ...  -> slices   |
 *                       +-----------------------------------------+
 *
 *              park                wake, leave
 *       NEW ---------> PARKED -----------------> LEFT
 *
 * A waiter may wait on several categories, by a link in each.  It leaves once,
 * for whatever reason, through ..._wait_leave().  Waking is telling: the wake
 * handler looks, and the waiter leaves or stays.
 *
 * Clients ask for few different time-outs, and those with the same end in the
 * order in which they came.  So each period has a queue and one timer for its
 * head, and no parked request costs nginx's tree of timers anything.
 *
 * This file knows no zone: what a category's last waiter means to others is
 * the business of the handlers.
 */


#ifndef _NGX_HTTP_LONGPOLL_WAIT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_WAIT_H_INCLUDED_


#include "ngx_http_longpoll.h"

#include <ngx_http.h>


typedef struct ngx_http_longpoll_waiter_s    ngx_http_longpoll_waiter_t;
typedef struct ngx_http_longpoll_wait_s      ngx_http_longpoll_wait_t;
typedef struct ngx_http_longpoll_wait_cat_s  ngx_http_longpoll_wait_cat_t;
typedef struct ngx_http_longpoll_period_s    ngx_http_longpoll_period_t;


#define NGX_HTTP_LONGPOLL_WAIT_PERIODS  64      /* buckets */


typedef enum {
    NGX_HTTP_LONGPOLL_WAIT_NEW = 0,
    NGX_HTTP_LONGPOLL_WAIT_PARKED,
    NGX_HTTP_LONGPOLL_WAIT_LEFT
} ngx_http_longpoll_wait_e;


struct ngx_http_longpoll_wait_cat_s {
    uint64_t                          hash[2];
    ngx_http_longpoll_wait_cat_t     *next;     /* in the bucket */
    ngx_queue_t                       parked;
    ngx_queue_t                       waking;
    ngx_http_longpoll_wait_cat_t     *ready_next;
    ngx_uint_t                        polls;    /* in both queues */
    uint32_t                          slot;     /* the owner's */
    unsigned                          ready:1;
    unsigned                          slotless:1;  /* the owner's */
    unsigned                          client:1; /* the owner's: none of the
                                                   zone's categories */
};


typedef struct {
    ngx_queue_t                       queue;
    ngx_http_longpoll_wait_cat_t     *cat;
    ngx_http_longpoll_waiter_t       *w;
} ngx_http_longpoll_link_t;


struct ngx_http_longpoll_waiter_s {
    ngx_http_request_t               *request;
    ngx_http_longpoll_wait_t         *wait;
    ngx_queue_t                       queue;    /* of its period */
    ngx_msec_t                        deadline;
    ngx_http_longpoll_wait_e          state;

    ngx_uint_t                        nlinks;
    ngx_http_longpoll_link_t          links[1];
};


struct ngx_http_longpoll_period_s {
    ngx_queue_t                       waiters;  /* in order of deadlines */
    ngx_msec_t                        msec;
    ngx_http_longpoll_period_t       *next;
    ngx_http_longpoll_wait_t         *wait;
    ngx_event_t                       timer;    /* while there are waiters, or
                                                   were a period ago */
};


/* the waiters of one zone in this worker */

struct ngx_http_longpoll_wait_s {
    ngx_http_longpoll_wait_cat_t    **buckets;
    ngx_uint_t                        nbuckets;     /* a power of two */
    ngx_uint_t                        ncats;

    ngx_http_longpoll_period_t       *periods[NGX_HTTP_LONGPOLL_WAIT_PERIODS];
    ngx_uint_t                        parked;

    ngx_http_longpoll_wait_cat_t     *ready;        /* to be told, a list */
    ngx_http_longpoll_wait_cat_t    **ready_last;
    ngx_event_t                       slice;

    /* the owner's */
    void                             *data;

    /* look: leave, or stay */
    void                            (*wake)(ngx_http_longpoll_waiter_t *w);

    /* its time is over: leave */
    void                            (*expire)(ngx_http_longpoll_waiter_t *w);

    /* all of a category have been told */
    void                            (*woken)(ngx_http_longpoll_wait_t *wait,
                                          ngx_http_longpoll_wait_cat_t *cat);

    /* nobody waits for it any more; it is freed behind this call */
    void                            (*empty)(ngx_http_longpoll_wait_t *wait,
                                          ngx_http_longpoll_wait_cat_t *cat);
};


#define ngx_http_longpoll_waiter_size(nlinks)                                 \
    (offsetof(ngx_http_longpoll_waiter_t, links)                              \
     + (nlinks) * sizeof(ngx_http_longpoll_link_t))


/* NGX_OK or NGX_ERROR: no memory */
ngx_int_t ngx_http_longpoll_wait_init(ngx_http_longpoll_wait_t *wait,
    ngx_log_t *log);

/* at the end of the process, when nobody is parked any more or to be told */
void ngx_http_longpoll_wait_exit(ngx_http_longpoll_wait_t *wait);

/*
 * Parks a new waiter (request and wait are set) for n categories and so many
 * ms.  NGX_OK, or NGX_ERROR: no memory, nothing is parked.
 */
ngx_int_t ngx_http_longpoll_wait_park(ngx_http_longpoll_waiter_t *w,
    ngx_http_longpoll_cat_t *cats, ngx_uint_t n, ngx_msec_t msec);

/* a parked waiter leaves; wait->empty may be called */
void ngx_http_longpoll_wait_leave(ngx_http_longpoll_waiter_t *w);

/* any one of the parked; NULL: there is none */
ngx_http_longpoll_waiter_t *ngx_http_longpoll_wait_any(
    ngx_http_longpoll_wait_t *wait);

/* NULL if nobody waits for it */
ngx_http_longpoll_wait_cat_t *ngx_http_longpoll_wait_find(
    ngx_http_longpoll_wait_t *wait, const uint64_t hash[2]);

/* tells those who are parked now, a few in each turn of the event loop */
void ngx_http_longpoll_wait_wake(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_wait_cat_t *cat);
void ngx_http_longpoll_wait_wake_all(ngx_http_longpoll_wait_t *wait);


#endif /* _NGX_HTTP_LONGPOLL_WAIT_H_INCLUDED_ */
