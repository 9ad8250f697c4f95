
/*
 * ngx_http_longpoll_drain.c: a worker that leaves answers its waiters.
 *
 * The clients of a leaving worker ask again at once, all of them in the workers
 * that stay.  So the waiters are answered one after the other, evenly over the
 * time that they may take.  Until its turn comes, a waiter is woken as ever.
 * Streams whose clients do not read (HELD) have all of that time.
 *
 *     PARKED
 *     total  |*
 *            | *      every 10 ms as many are answered as are above the line
 *            |   *
 *          0 |_____*___
 *            0    time
 */


#include "ngx_http_longpoll_drain.h"
#include "ngx_http_longpoll_store.h"


#define NGX_HTTP_LONGPOLL_DRAIN_STEP  10    /* ms between two batches */


static void ngx_http_longpoll_drain_handler(ngx_event_t *ev);
static void ngx_http_longpoll_drain_held(ngx_http_longpoll_wait_t *wait);
static ngx_uint_t ngx_http_longpoll_drain_count(ngx_uint_t held);


static ngx_array_t      *ngx_http_longpoll_drain_zones;
static ngx_msec_t        ngx_http_longpoll_drain_start;
static ngx_msec_t        ngx_http_longpoll_drain_time;
static ngx_uint_t        ngx_http_longpoll_drain_total;     /* at the start */

static ngx_event_t       ngx_http_longpoll_drain_event;
static ngx_connection_t  ngx_http_longpoll_drain_dummy;


void
ngx_http_longpoll_drain(ngx_array_t *zones, ngx_msec_t time)
{
    ngx_event_t  *ev;

    ngx_http_longpoll_drain_zones = zones;
    ngx_http_longpoll_drain_start = ngx_current_msec;
    ngx_http_longpoll_drain_time = time;
    ngx_http_longpoll_drain_total = ngx_http_longpoll_drain_count(0);

    ngx_http_longpoll_drain_dummy.fd = (ngx_socket_t) -1;

    ev = &ngx_http_longpoll_drain_event;

    ev->handler = ngx_http_longpoll_drain_handler;
    ev->log = ngx_cycle->log;
    ev->data = &ngx_http_longpoll_drain_dummy;

    ngx_http_longpoll_drain_handler(ev);
}


static void
ngx_http_longpoll_drain_handler(ngx_event_t *ev)
{
    ngx_uint_t                   i, remaining, target;
    ngx_msec_t                   elapsed;
    ngx_http_longpoll_wait_t    *wait;
    ngx_http_longpoll_zone_t   **zones;
    ngx_http_longpoll_waiter_t  *w;

    elapsed = ngx_current_msec - ngx_http_longpoll_drain_start;
    remaining = ngx_http_longpoll_drain_count(0);
    target = 0;

    if (elapsed < ngx_http_longpoll_drain_time) {
        target = (ngx_uint_t)
                 ((uint64_t) ngx_http_longpoll_drain_total
                  * (ngx_http_longpoll_drain_time - elapsed)
                  / ngx_http_longpoll_drain_time);
    }

    zones = ngx_http_longpoll_drain_zones->elts;

    for (i = 0; i < ngx_http_longpoll_drain_zones->nelts; i++) {
        wait = zones[i]->wait;

        while (remaining > target && wait->parked) {
            w = ngx_http_longpoll_wait_any(wait);
            w->handlers->expire(w);

            ngx_http_longpoll_point("drained");

            /* an answer may end other requests as well */

            remaining = ngx_http_longpoll_drain_count(0);
        }

        if (elapsed >= ngx_http_longpoll_drain_time) {
            ngx_http_longpoll_drain_held(wait);
        }
    }

    if (ngx_http_longpoll_drain_count(1)) {
        ngx_add_timer(ev, NGX_HTTP_LONGPOLL_DRAIN_STEP);
    }
}


static void
ngx_http_longpoll_drain_held(ngx_http_longpoll_wait_t *wait)
{
    ngx_http_longpoll_waiter_t  *w;

    while (wait->nheld) {
        w = ngx_queue_data(ngx_queue_head(&wait->held),
                           ngx_http_longpoll_waiter_t, queue);
        w->handlers->expire(w);
    }
}


/* the waiters of all zones in this worker: PARKED, and with held also HELD */

static ngx_uint_t
ngx_http_longpoll_drain_count(ngx_uint_t held)
{
    ngx_uint_t                  i, n;
    ngx_http_longpoll_wait_t   *wait;
    ngx_http_longpoll_zone_t  **zones;

    zones = ngx_http_longpoll_drain_zones->elts;
    n = 0;

    for (i = 0; i < ngx_http_longpoll_drain_zones->nelts; i++) {
        wait = zones[i]->wait;
        n += wait->parked + (held ? wait->nheld : 0);
    }

    return n;
}
