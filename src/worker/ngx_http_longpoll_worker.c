
/*
 * ngx_http_longpoll_worker.c: what a worker does for its zones.
 *
 *     eventfd, or posted by itself ──▶ check: changed categories ──▶ wait
 *     once a second ─────────────────▶ tick: the zone's, the dead; then check
 *     nginx leaves ──────────────────▶ closing: drain
 *
 * Here the zone's changes become wake-ups.  (interest tells the zone about
 * waiters, drain ends them.)  wait, notify and the store do not know each
 * other.
 *
 * A wake-up is a hint to check, and a check asks the zone.  So a wake-up may be
 * lost, doubled or late and costs nothing but time: the tick checks as well.
 */


#include "ngx_http_longpoll_worker.h"
#include "ngx_http_longpoll_announce.h"
#include "ngx_http_longpoll_census.h"
#include "ngx_http_longpoll_drain.h"
#include "ngx_http_longpoll_interest.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_zone.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_question.h"
#include "ngx_http_longpoll_zone_tick.h"
#include "ngx_http_longpoll_zone_watch.h"


#define NGX_HTTP_LONGPOLL_WORKER_HEAP  (4 * 1024 * 1024)


static ngx_int_t ngx_http_longpoll_worker_add(ngx_cycle_t *cycle,
    ngx_http_longpoll_zone_t *z);
static void ngx_http_longpoll_worker_heap(ngx_log_t *log);
static void ngx_http_longpoll_worker_check(void);
static void ngx_http_longpoll_worker_check_zone(ngx_http_longpoll_zone_t *z);
static void ngx_http_longpoll_worker_wake(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_wait_cat_t *cat);
static void ngx_http_longpoll_worker_woken(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_wait_cat_t *cat);
static void ngx_http_longpoll_worker_tick(void);
static void ngx_http_longpoll_worker_closing(void);
static void ngx_http_longpoll_worker_reap(ngx_uint_t worker);


static ngx_http_longpoll_notify_handlers_t  ngx_http_longpoll_worker_events = {
    ngx_http_longpoll_worker_check,                 /* check */
    ngx_http_longpoll_worker_tick,                  /* tick */
    ngx_http_longpoll_worker_closing,               /* closing */
    ngx_http_longpoll_worker_reap                   /* reap */
};


static ngx_array_t                          *ngx_http_longpoll_worker_zones;
static ngx_msec_t                            ngx_http_longpoll_worker_drain;
static ngx_http_longpoll_worker_handlers_t  *ngx_http_longpoll_worker_handlers;


#define ngx_http_longpoll_worker_zone(i)                                      \
    (((ngx_http_longpoll_zone_t **) ngx_http_longpoll_worker_zones->elts)[i])


ngx_int_t
ngx_http_longpoll_worker_init_process(ngx_cycle_t *cycle, ngx_array_t *zones,
    ngx_msec_t drain, ngx_http_longpoll_worker_handlers_t *handlers)
{
    ngx_uint_t  i;

    ngx_http_longpoll_worker_zones = zones;
    ngx_http_longpoll_worker_drain = drain;
    ngx_http_longpoll_worker_handlers = handlers;

    ngx_http_longpoll_worker_heap(cycle->log);

    for (i = 0; i < zones->nelts; i++) {

        if (ngx_http_longpoll_worker_add(cycle,
                                         ngx_http_longpoll_worker_zone(i))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_longpoll_notify_init_process(cycle,
                                             &ngx_http_longpoll_worker_events);
}


static ngx_int_t
ngx_http_longpoll_worker_add(ngx_cycle_t *cycle, ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_wait_t  *wait;

    wait = ngx_pcalloc(cycle->pool, sizeof(ngx_http_longpoll_wait_t));
    if (wait == NULL) {
        return NGX_ERROR;
    }

    wait->data = z;
    wait->wake = ngx_http_longpoll_worker_wake;
    wait->woken = ngx_http_longpoll_worker_woken;
    wait->empty = ngx_http_longpoll_interest_end;

    if (ngx_http_longpoll_wait_init(wait, cycle->log) != NGX_OK) {
        return NGX_ERROR;
    }

    z->wait = wait;

    ngx_http_longpoll_zone_warm(z);

    return ngx_http_longpoll_announce_init(cycle, z);
}


/*
 * Answered requests free their pools by the thousand, and the next requests of
 * their clients want the same memory a moment later.  In between glibc would
 * give it back to the system, and have each page faulted in again.  Freeing one
 * mapped block of 4 MB makes glibc keep up to 8 MB of free heap from then on
 * (mallopt(3), M_MMAP_THRESHOLD).  With another malloc() nothing happens here.
 */

static void
ngx_http_longpoll_worker_heap(ngx_log_t *log)
{
    void  *p;

    p = ngx_alloc(NGX_HTTP_LONGPOLL_WORKER_HEAP, log);

    if (p) {
        ngx_free(p);
    }
}


void
ngx_http_longpoll_worker_exit_process(void)
{
    ngx_uint_t  i;

    ngx_http_longpoll_notify_exit_process();

    for (i = 0; i < ngx_http_longpoll_worker_zones->nelts; i++) {
        ngx_http_longpoll_announce_exit(ngx_http_longpoll_worker_zone(i));
        ngx_http_longpoll_wait_exit(ngx_http_longpoll_worker_zone(i)->wait);
    }
}


static void
ngx_http_longpoll_worker_check(void)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_http_longpoll_worker_zones->nelts; i++) {
        ngx_http_longpoll_worker_check_zone(ngx_http_longpoll_worker_zone(i));
    }
}


static void
ngx_http_longpoll_worker_check_zone(ngx_http_longpoll_zone_t *z)
{
    uint64_t                       hashes[NGX_HTTP_LONGPOLL_DIRTY][2];
    ngx_uint_t                     i, n, worker;
    ngx_http_longpoll_wait_t      *wait;
    ngx_http_longpoll_wait_cat_t  *cat;

    wait = z->wait;
    worker = ngx_http_longpoll_notify_worker();

    for ( ;; ) {
        n = ngx_http_longpoll_zone_watch_take(z, worker, hashes);

        if (n == 0) {
            break;
        }

        ngx_http_longpoll_point("taken");

        for (i = 0; i < n; i++) {
            cat = ngx_http_longpoll_wait_find(wait, hashes[i]);

            if (cat) {
                ngx_http_longpoll_wait_wake(wait, cat);

            } else {
                /*
                 * Nobody waits for it here any more.  A message that is pending
                 * for this worker (delete_on_read) must not stay for that.
                 */

                ngx_http_longpoll_interest_acknowledge(z, hashes[i], NULL);
            }
        }
    }

    if (ngx_http_longpoll_zone_watch_take_all(z, worker)) {
        ngx_http_longpoll_wait_wake_all(wait);
    }

    ngx_http_longpoll_worker_handlers->check(z);
    ngx_http_longpoll_announce_check(z);

    if (ngx_http_longpoll_zone_question_is_open(z)) {
        ngx_http_longpoll_census_answer(z, worker);
    }
}


/*
 * If waiters are being woken already, those whose turn has not come must read
 * what is new, too.
 */

static void
ngx_http_longpoll_worker_wake(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_wait_cat_t *cat)
{
    if (cat->ready) {
        ngx_http_longpoll_worker_handlers->woken();
    }

    ngx_http_longpoll_interest_wake(wait->data, cat);
}


static void
ngx_http_longpoll_worker_woken(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_wait_cat_t *cat)
{
    ngx_http_longpoll_worker_handlers->woken();

    ngx_http_longpoll_interest_acknowledge(wait->data, cat->hash, cat);
}


static void
ngx_http_longpoll_worker_tick(void)
{
    ngx_uint_t                 i, own, first;
    ngx_http_longpoll_zone_t  *z;

    first = 0;

    for (i = 0; i < ngx_http_longpoll_worker_zones->nelts; i++) {
        z = ngx_http_longpoll_worker_zone(i);
        own = ngx_http_longpoll_zone_tick(z,
                                          ngx_http_longpoll_zone_clock_now(z));
        ngx_http_longpoll_announce_tick(z, own);

        first |= own;
    }

    /* the first worker of this second, in any zone, reaps the dead ones */

    if (first) {
        ngx_http_longpoll_point("ticked");

        ngx_http_longpoll_notify_reap();
    }

    ngx_http_longpoll_worker_check();
}


static void
ngx_http_longpoll_worker_closing(void)
{
    ngx_uint_t        i;
    ngx_msec_t        time;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    time = ngx_http_longpoll_worker_drain;

    if (ccf->shutdown_timeout) {
        time = ngx_min(time, ccf->shutdown_timeout / 2);
    }

    for (i = 0; i < ngx_http_longpoll_worker_zones->nelts; i++) {
        ngx_http_longpoll_worker_handlers->closing(
                                             ngx_http_longpoll_worker_zone(i));
    }

    ngx_http_longpoll_drain(ngx_http_longpoll_worker_zones, time);
}


static void
ngx_http_longpoll_worker_reap(ngx_uint_t worker)
{
    ngx_uint_t                 i;
    ngx_http_longpoll_zone_t  *z;

    for (i = 0; i < ngx_http_longpoll_worker_zones->nelts; i++) {
        z = ngx_http_longpoll_worker_zone(i);
        ngx_http_longpoll_zone_tick_reap(z, worker,
                                         ngx_http_longpoll_zone_clock_now(z));
    }
}
