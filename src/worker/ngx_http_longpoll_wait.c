
/*
 * ngx_http_longpoll_wait.c: the queues of a worker in which polls are parked.
 *
 * A category is on the heap while somebody waits for it.  A table finds it by
 * the zone's hash of its name, and doubles when it is full.
 *
 * A wake-up moves the parked waiters of a category to its queue `waking`, and
 * the category to the list of the ready.  The event `slice` wakes 64 waiters
 * and posts itself for the next turn of nginx's loop, so that a fan-out to ten
 * thousand lets other requests through.  A waiter that comes meanwhile is only
 * parked; so a fan-out ends.  A waiter that has not been given all stands
 * behind the others once more.
 *
 * The wake handler may answer its request, and an answer may end any number of
 * other requests, waiters of the same category among them.  Therefore a waiter
 * is put back to the parked before its handler is called, and a category on the
 * list of the ready is not freed with its last waiter, but when it is taken off
 * the list.
 *
 * A period is on the heap, too.  When its last waiter leaves, another is likely
 * to come; so up to 16 periods without waiters stay until their timers find
 * nobody.  More of them are freed at once: a client may ask for any number of
 * different time-outs, and give them up.  The timers do not keep a worker that
 * leaves: the drain answers its waiters.
 */


#include "ngx_http_longpoll_wait.h"


#define NGX_HTTP_LONGPOLL_WAIT_SLICE    64      /* waiters */
#define NGX_HTTP_LONGPOLL_WAIT_BUCKETS  256     /* at first */
#define NGX_HTTP_LONGPOLL_WAIT_IDLE     16      /* periods with nobody */

/*
 * While a waiter is woken, the memory of the next ones is prefetched.  Without
 * it (0) a delivery takes 7 to 11 % more CPU in fan-outs to 1,000 waiters, 10 %
 * to 3,000, 4 % to 10,000: docs/internals/wait.md, "Where a delivery's time
 * goes".
 */

#define NGX_HTTP_LONGPOLL_WAIT_PREFETCH  1

/* bytes around the end of a pool, and of an answer's list of headers */

#define NGX_HTTP_LONGPOLL_WAIT_AROUND    512
#define NGX_HTTP_LONGPOLL_WAIT_HEADERS   256

/* bytes of a request from its `out` on, and from the waiter on */

#define NGX_HTTP_LONGPOLL_WAIT_REQUEST   128
#define NGX_HTTP_LONGPOLL_WAIT_BEHIND    128


static ngx_http_longpoll_wait_cat_t *ngx_http_longpoll_wait_cat(
    ngx_http_longpoll_wait_t *wait, const uint64_t hash[2]);
static void ngx_http_longpoll_wait_grow(ngx_http_longpoll_wait_t *wait);
static ngx_inline ngx_http_longpoll_period_t *ngx_http_longpoll_wait_period(
    ngx_http_longpoll_wait_t *wait, ngx_msec_t msec);
static ngx_http_longpoll_period_t *ngx_http_longpoll_wait_period_create(
    ngx_http_longpoll_wait_t *wait, ngx_msec_t msec);
static ngx_inline void ngx_http_longpoll_wait_enter(
    ngx_http_longpoll_waiter_t *w, ngx_http_longpoll_period_t *period,
    ngx_msec_t msec);
static ngx_inline void ngx_http_longpoll_wait_quit(
    ngx_http_longpoll_waiter_t *w);
static ngx_inline void ngx_http_longpoll_wait_unpark(
    ngx_http_longpoll_waiter_t *w);
static void ngx_http_longpoll_wait_timer_handler(ngx_event_t *ev);
static void ngx_http_longpoll_wait_period_free(
    ngx_http_longpoll_period_t *period);
static void ngx_http_longpoll_wait_unlink(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_link_t *link);
static void ngx_http_longpoll_wait_free(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_wait_cat_t *cat);
static void ngx_http_longpoll_wait_ready(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_wait_cat_t *cat);
static void ngx_http_longpoll_wait_slice_handler(ngx_event_t *ev);
static ngx_http_longpoll_waiter_t *ngx_http_longpoll_wait_next(
    ngx_http_longpoll_wait_cat_t *cat);


#define ngx_http_longpoll_wait_bucket(wait, hash)                             \
    (&(wait)->buckets[(hash)[1] & ((wait)->nbuckets - 1)])


#define ngx_http_longpoll_wait_waiter(q)                                      \
    (((ngx_http_longpoll_link_t *)                                            \
      ngx_queue_data(q, ngx_http_longpoll_link_t, queue))->w)

#if (NGX_HTTP_LONGPOLL_WAIT_PREFETCH)

static void ngx_http_longpoll_wait_prefetch(
    ngx_http_longpoll_wait_cat_t *cat);
static ngx_inline void ngx_http_longpoll_wait_prefetch_next(
    ngx_http_longpoll_waiter_t *w);
static ngx_inline void ngx_http_longpoll_wait_prefetch_second(
    ngx_http_longpoll_waiter_t *w);
static ngx_inline void ngx_http_longpoll_wait_prefetch_third(
    ngx_http_longpoll_waiter_t *w);
static ngx_inline void ngx_http_longpoll_wait_fetch(void *start, size_t size);

#else

#define ngx_http_longpoll_wait_prefetch(cat)

#endif


ngx_int_t
ngx_http_longpoll_wait_init(ngx_http_longpoll_wait_t *wait, ngx_log_t *log)
{
    wait->nbuckets = NGX_HTTP_LONGPOLL_WAIT_BUCKETS;
    wait->buckets = ngx_calloc(wait->nbuckets
                               * sizeof(ngx_http_longpoll_wait_cat_t *), log);
    if (wait->buckets == NULL) {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&wait->periods, &wait->sentinel, ngx_rbtree_insert_value);

    ngx_queue_init(&wait->held);
    wait->ready_last = &wait->ready;

    wait->slice.handler = ngx_http_longpoll_wait_slice_handler;
    wait->slice.data = wait;
    wait->slice.log = log;

    return NGX_OK;
}


void
ngx_http_longpoll_wait_exit(ngx_http_longpoll_wait_t *wait)
{
    ngx_uint_t                     i;
    ngx_http_longpoll_wait_cat_t  *cat;

    for (i = 0; i < wait->nbuckets; i++) {

        while (wait->buckets[i]) {
            cat = wait->buckets[i];
            wait->buckets[i] = cat->next;
            ngx_free(cat);
        }
    }

    while (wait->periods.root != &wait->sentinel) {
        ngx_http_longpoll_wait_period_free(
                            (ngx_http_longpoll_period_t *) wait->periods.root);
    }

    ngx_free(wait->buckets);
}


ngx_int_t
ngx_http_longpoll_wait_park(ngx_http_longpoll_waiter_t *w,
    ngx_http_longpoll_cat_t *cats, ngx_uint_t n, ngx_msec_t msec)
{
    ngx_uint_t                     i;
    ngx_http_longpoll_link_t      *link;
    ngx_http_longpoll_wait_t      *wait;
    ngx_http_longpoll_period_t    *period;
    ngx_http_longpoll_wait_cat_t  *cat;

    wait = w->wait;

    period = ngx_http_longpoll_wait_period(wait, msec);
    if (period == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        cat = ngx_http_longpoll_wait_cat(wait, cats[i].hash);

        if (cat == NULL) {

            while (i) {
                ngx_http_longpoll_wait_unlink(wait, &w->links[--i]);
            }

            return NGX_ERROR;
        }

        link = &w->links[i];

        link->cat = cat;
        link->w = w;
        ngx_queue_insert_tail(&cat->parked, &link->queue);
        cat->polls++;
    }

    if (w->state == NGX_HTTP_LONGPOLL_WAIT_HELD) {
        ngx_queue_remove(&w->queue);
        wait->nheld--;
    }

    w->nlinks = n;
    w->state = NGX_HTTP_LONGPOLL_WAIT_PARKED;
    wait->parked++;

    ngx_http_longpoll_wait_enter(w, period, msec);

    return NGX_OK;
}


void
ngx_http_longpoll_wait_renew(ngx_http_longpoll_waiter_t *w, ngx_msec_t msec)
{
    ngx_http_longpoll_period_t  *period;

    period = w->period;

    if (period->node.key != msec) {
        period = ngx_http_longpoll_wait_period(w->wait, msec);
    }

    if (period && period != w->period) {
        ngx_http_longpoll_wait_quit(w);
        ngx_http_longpoll_wait_enter(w, period, msec);
        return;
    }

    period = w->period;

    w->deadline = ngx_current_msec + period->node.key;
    ngx_queue_remove(&w->queue);
    ngx_queue_insert_tail(&period->waiters, &w->queue);
}


static ngx_inline void
ngx_http_longpoll_wait_enter(ngx_http_longpoll_waiter_t *w,
    ngx_http_longpoll_period_t *period, ngx_msec_t msec)
{
    if (ngx_queue_empty(&period->waiters)) {
        w->wait->nidle--;
    }

    w->period = period;
    w->deadline = ngx_current_msec + msec;
    ngx_queue_insert_tail(&period->waiters, &w->queue);

    if (!period->timer.timer_set && !period->expiring) {
        ngx_add_timer(&period->timer, msec);
    }
}


static ngx_inline ngx_http_longpoll_period_t *
ngx_http_longpoll_wait_period(ngx_http_longpoll_wait_t *wait, ngx_msec_t msec)
{
    ngx_rbtree_node_t  *node;

    node = wait->periods.root;

    while (node != &wait->sentinel) {

        if (node->key == msec) {
            return (ngx_http_longpoll_period_t *) node;
        }

        node = msec < node->key ? node->left : node->right;
    }

    return ngx_http_longpoll_wait_period_create(wait, msec);
}


/* NULL: no memory */

static ngx_http_longpoll_period_t *
ngx_http_longpoll_wait_period_create(ngx_http_longpoll_wait_t *wait,
    ngx_msec_t msec)
{
    ngx_http_longpoll_period_t  *period;

    period = ngx_calloc(sizeof(ngx_http_longpoll_period_t), wait->slice.log);
    if (period == NULL) {
        return NULL;
    }

    ngx_queue_init(&period->waiters);

    period->wait = wait;
    period->timer.handler = ngx_http_longpoll_wait_timer_handler;
    period->timer.data = period;
    period->timer.log = wait->slice.log;
    period->timer.cancelable = 1;

    period->node.key = msec;
    ngx_rbtree_insert(&wait->periods, &period->node);
    wait->nidle++;

    return period;
}


static void
ngx_http_longpoll_wait_timer_handler(ngx_event_t *ev)
{
    ngx_uint_t                    left;
    ngx_queue_t                  *q;
    ngx_msec_int_t                ms;
    ngx_http_longpoll_period_t   *period;
    ngx_http_longpoll_waiter_t   *w;

    period = ev->data;
    period->expiring = 1;

    for (left = NGX_HTTP_LONGPOLL_WAIT_SLICE;
         !ngx_queue_empty(&period->waiters);
         left--)
    {
        q = ngx_queue_head(&period->waiters);
        w = ngx_queue_data(q, ngx_http_longpoll_waiter_t, queue);

        ms = (ngx_msec_int_t) (w->deadline - ngx_current_msec);

        if (ms > 0 || left == 0) {
            period->expiring = 0;
            ngx_add_timer(ev, ngx_max(ms, 1));
            return;
        }

        w->handlers->expire(w);
    }

    ngx_http_longpoll_wait_period_free(period);
}


static void
ngx_http_longpoll_wait_period_free(ngx_http_longpoll_period_t *period)
{
    ngx_http_longpoll_wait_t  *wait;

    wait = period->wait;

    if (period->timer.timer_set) {
        ngx_del_timer(&period->timer);
    }

    ngx_rbtree_delete(&wait->periods, &period->node);
    wait->nidle--;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, wait->slice.log, 0,
                   "longpoll period freed, %ui are idle", wait->nidle);

    ngx_free(period);
}


ngx_http_longpoll_waiter_t *
ngx_http_longpoll_wait_any(ngx_http_longpoll_wait_t *wait)
{
    ngx_queue_t                 *q;
    ngx_rbtree_node_t           *node;
    ngx_http_longpoll_period_t  *period;

    if (wait->parked == 0) {
        return NULL;
    }

    /* few periods have nobody */

    for (node = ngx_rbtree_min(wait->periods.root, &wait->sentinel);
         node;
         node = ngx_rbtree_next(&wait->periods, node))
    {
        period = (ngx_http_longpoll_period_t *) node;

        if (!ngx_queue_empty(&period->waiters)) {
            q = ngx_queue_head(&period->waiters);
            return ngx_queue_data(q, ngx_http_longpoll_waiter_t, queue);
        }
    }

    return NULL;
}


void
ngx_http_longpoll_wait_leave(ngx_http_longpoll_waiter_t *w)
{
    if (w->state == NGX_HTTP_LONGPOLL_WAIT_PARKED) {
        w->state = NGX_HTTP_LONGPOLL_WAIT_LEFT;
        ngx_http_longpoll_wait_unpark(w);
        return;
    }

    w->state = NGX_HTTP_LONGPOLL_WAIT_LEFT;
    ngx_queue_remove(&w->queue);
    w->wait->nheld--;
}


void
ngx_http_longpoll_wait_hold(ngx_http_longpoll_waiter_t *w)
{
    if (w->state == NGX_HTTP_LONGPOLL_WAIT_PARKED) {
        ngx_http_longpoll_wait_unpark(w);
    }

    w->state = NGX_HTTP_LONGPOLL_WAIT_HELD;
    ngx_queue_insert_tail(&w->wait->held, &w->queue);
    w->wait->nheld++;
}


static ngx_inline void
ngx_http_longpoll_wait_unpark(ngx_http_longpoll_waiter_t *w)
{
    ngx_uint_t  i;

    ngx_http_longpoll_wait_quit(w);
    w->wait->parked--;

    for (i = 0; i < w->nlinks; i++) {
        ngx_http_longpoll_wait_unlink(w->wait, &w->links[i]);
    }
}


/* the period that the last waiter leaves may be freed */

static ngx_inline void
ngx_http_longpoll_wait_quit(ngx_http_longpoll_waiter_t *w)
{
    ngx_http_longpoll_period_t  *period;

    period = w->period;

    ngx_queue_remove(&w->queue);

    if (ngx_queue_empty(&period->waiters)
        && ++w->wait->nidle > NGX_HTTP_LONGPOLL_WAIT_IDLE
        && !period->expiring)
    {
        ngx_http_longpoll_wait_period_free(period);
    }
}


ngx_http_longpoll_wait_cat_t *
ngx_http_longpoll_wait_find(ngx_http_longpoll_wait_t *wait,
    const uint64_t hash[2])
{
    ngx_http_longpoll_wait_cat_t  *cat;

    for (cat = *ngx_http_longpoll_wait_bucket(wait, hash);
         cat;
         cat = cat->next)
    {
        if (cat->hash[0] == hash[0] && cat->hash[1] == hash[1]) {
            break;
        }
    }

    return cat;
}


void
ngx_http_longpoll_wait_wake(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_wait_cat_t *cat)
{
    wait->wake(wait, cat);

    if (!ngx_queue_empty(&cat->parked)) {
        ngx_queue_add(&cat->waking, &cat->parked);
        ngx_queue_init(&cat->parked);
    }

    ngx_http_longpoll_wait_ready(wait, cat);

    if (!wait->slice.posted) {
        ngx_post_event(&wait->slice, &ngx_posted_events);
    }
}


void
ngx_http_longpoll_wait_rewake(ngx_http_longpoll_waiter_t *w)
{
    ngx_uint_t                 i;
    ngx_http_longpoll_link_t  *link;

    for (i = 0; i < w->nlinks; i++) {

        if (w->links[i].cat->ready) {
            break;
        }
    }

    if (i == w->nlinks) {
        ngx_http_longpoll_wait_ready(w->wait, w->links[0].cat);
    }

    /* none of those that are being woken is done before this waiter */

    for (i = 0; i < w->nlinks; i++) {
        link = &w->links[i];

        if (link->cat->ready) {
            ngx_queue_remove(&link->queue);
            ngx_queue_insert_tail(&link->cat->waking, &link->queue);
        }
    }

    if (!w->wait->slice.posted) {
        ngx_post_event(&w->wait->slice, &ngx_posted_next_events);
    }
}


static void
ngx_http_longpoll_wait_ready(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_wait_cat_t *cat)
{
    if (!cat->ready) {
        cat->ready = 1;
        cat->ready_next = NULL;
        *wait->ready_last = cat;
        wait->ready_last = &cat->ready_next;
    }
}


void
ngx_http_longpoll_wait_wake_all(ngx_http_longpoll_wait_t *wait)
{
    ngx_uint_t                     i;
    ngx_http_longpoll_wait_cat_t  *cat;

    for (i = 0; i < wait->nbuckets; i++) {

        for (cat = wait->buckets[i]; cat; cat = cat->next) {
            cat->lost = 1;
            ngx_http_longpoll_wait_wake(wait, cat);
        }
    }
}


static ngx_http_longpoll_wait_cat_t *
ngx_http_longpoll_wait_cat(ngx_http_longpoll_wait_t *wait,
    const uint64_t hash[2])
{
    ngx_http_longpoll_wait_cat_t  *cat, **bucket;

    cat = ngx_http_longpoll_wait_find(wait, hash);
    if (cat) {
        return cat;
    }

    if (wait->ncats == wait->nbuckets) {
        ngx_http_longpoll_wait_grow(wait);
    }

    cat = ngx_calloc(sizeof(ngx_http_longpoll_wait_cat_t), wait->slice.log);
    if (cat == NULL) {
        return NULL;
    }

    cat->hash[0] = hash[0];
    cat->hash[1] = hash[1];
    ngx_queue_init(&cat->parked);
    ngx_queue_init(&cat->waking);

    bucket = ngx_http_longpoll_wait_bucket(wait, hash);

    cat->next = *bucket;
    *bucket = cat;
    wait->ncats++;

    return cat;
}


/* without memory the table stays as it is, and finds more slowly */

static void
ngx_http_longpoll_wait_grow(ngx_http_longpoll_wait_t *wait)
{
    ngx_uint_t                      i, n;
    ngx_http_longpoll_wait_cat_t   *cat, *next, **old, **bucket, **buckets;

    n = wait->nbuckets;

    buckets = ngx_calloc(2 * n * sizeof(ngx_http_longpoll_wait_cat_t *),
                         wait->slice.log);
    if (buckets == NULL) {
        return;
    }

    old = wait->buckets;

    wait->buckets = buckets;
    wait->nbuckets = 2 * n;

    for (i = 0; i < n; i++) {

        for (cat = old[i]; cat; cat = next) {
            next = cat->next;
            bucket = ngx_http_longpoll_wait_bucket(wait, cat->hash);
            cat->next = *bucket;
            *bucket = cat;
        }
    }

    ngx_free(old);
}


static void
ngx_http_longpoll_wait_unlink(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_link_t *link)
{
    ngx_http_longpoll_wait_cat_t  *cat;

    cat = link->cat;

    ngx_queue_remove(&link->queue);
    cat->polls--;

    if (!cat->ready && cat->polls == 0) {
        ngx_http_longpoll_wait_free(wait, cat);
    }
}


static void
ngx_http_longpoll_wait_free(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_wait_cat_t *cat)
{
    ngx_http_longpoll_wait_cat_t  **prev;

    wait->empty(wait, cat);

    prev = ngx_http_longpoll_wait_bucket(wait, cat->hash);

    while (*prev != cat) {
        prev = &(*prev)->next;
    }

    *prev = cat->next;
    wait->ncats--;

    ngx_free(cat);
}


static void
ngx_http_longpoll_wait_slice_handler(ngx_event_t *ev)
{
    ngx_uint_t                     left;
    ngx_http_longpoll_wait_t      *wait;
    ngx_http_longpoll_waiter_t    *w;
    ngx_http_longpoll_wait_cat_t  *cat;

    wait = ev->data;
    left = NGX_HTTP_LONGPOLL_WAIT_SLICE;

    while (wait->ready) {
        cat = wait->ready;

        while (!ngx_queue_empty(&cat->waking)) {

            if (left-- == 0) {
                ngx_post_event(ev, &ngx_posted_next_events);
                return;
            }

            w = ngx_http_longpoll_wait_next(cat);
            w->handlers->wake(w);
        }

        wait->ready = cat->ready_next;

        if (wait->ready == NULL) {
            wait->ready_last = &wait->ready;
        }

        cat->ready = 0;

        wait->woken(wait, cat);

        if (cat->polls == 0) {
            ngx_http_longpoll_wait_free(wait, cat);
        }
    }
}


/* takes the next waiter to wake; it is parked again, and so stays by default */

static ngx_http_longpoll_waiter_t *
ngx_http_longpoll_wait_next(ngx_http_longpoll_wait_cat_t *cat)
{
    ngx_queue_t  *q;

    q = ngx_queue_head(&cat->waking);

    ngx_queue_remove(q);
    ngx_queue_insert_tail(&cat->parked, q);

    ngx_http_longpoll_wait_prefetch(cat);

    return ngx_http_longpoll_wait_waiter(q);
}


#if (NGX_HTTP_LONGPOLL_WAIT_PREFETCH)

/*
 * A waiter that has waited for long is in no near cache.  To wake it touches
 * some eighty cache lines, most of which are found by an address in another
 * one; those of a waiter that stays are some twenty.  So the memory of the next
 * three waiters is fetched in steps.  From the waiter that is woken next to the
 * one that is woken last:
 *
 *     next     what the connection leads to
 *     second   its connection.  Of one that leaves: where the pool ends, since
 *              the waiter was taken from there, and the answer will be
 *     third    the link, by which the waiter is found.  Of one that leaves: its
 *              request, which has the head of its pool in front, and the list
 *              of the answer's headers behind.  Of one that stays: the two
 *              lines of the request that a sender reads, and what is around
 *              the waiter, where it has what it sends
 */

static void
ngx_http_longpoll_wait_prefetch(ngx_http_longpoll_wait_cat_t *cat)
{
    ngx_queue_t                 *q;
    ngx_http_longpoll_waiter_t  *next, *second, *third;

    q = ngx_queue_head(&cat->waking);

    if (q == &cat->waking) {
        return;
    }

    next = ngx_http_longpoll_wait_waiter(q);
    q = ngx_queue_next(q);

    if (q == &cat->waking) {
        ngx_http_longpoll_wait_prefetch_next(next);
        return;
    }

    second = ngx_http_longpoll_wait_waiter(q);
    q = ngx_queue_next(q);

    if (q != &cat->waking) {
        third = ngx_http_longpoll_wait_waiter(q);

        ngx_http_longpoll_wait_prefetch_third(third);
        ngx_http_longpoll_wait_fetch((u_char *) ngx_queue_next(q)
                                     - offsetof(ngx_http_longpoll_waiter_t,
                                                links),
                                     ngx_http_longpoll_waiter_size(1));
    }

    ngx_http_longpoll_wait_prefetch_next(next);
    ngx_http_longpoll_wait_prefetch_second(second);
}


static ngx_inline void
ngx_http_longpoll_wait_prefetch_next(ngx_http_longpoll_waiter_t *w)
{
    ngx_pool_t          *pool;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = w->request;
    c = r->connection;

    ngx_http_longpoll_wait_fetch(c->write, sizeof(ngx_event_t));
    ngx_http_longpoll_wait_fetch(c->log, sizeof(ngx_log_t));
    ngx_http_longpoll_wait_fetch(c->log->data, 1);

    if (w->handlers->used) {
        return;
    }

    ngx_http_longpoll_wait_fetch(c->read, sizeof(ngx_event_t));

    if (r->header_in) {
        ngx_http_longpoll_wait_fetch(r->header_in->start, 1);
    }

    pool = r->pool->d.next;

    if (pool) {
        ngx_http_longpoll_wait_fetch(pool->d.last,
                                     NGX_HTTP_LONGPOLL_WAIT_AROUND);
    }
}


static ngx_inline void
ngx_http_longpoll_wait_prefetch_second(ngx_http_longpoll_waiter_t *w)
{
    ngx_pool_t          *pool;
    ngx_http_request_t  *r;

    r = w->request;

    ngx_http_longpoll_wait_fetch(r->connection, sizeof(ngx_connection_t));

    if (w->handlers->used) {
        return;
    }

    pool = r->pool;

    ngx_http_longpoll_wait_fetch(r->header_in, 1);
    ngx_http_longpoll_wait_fetch(pool->d.last - NGX_HTTP_LONGPOLL_WAIT_AROUND,
                                 2 * NGX_HTTP_LONGPOLL_WAIT_AROUND);
    ngx_http_longpoll_wait_fetch(pool->d.next, 1);
}


static ngx_inline void
ngx_http_longpoll_wait_prefetch_third(ngx_http_longpoll_waiter_t *w)
{
    ngx_http_request_t  *r;

    r = w->request;

    if (w->handlers->used) {
        ngx_http_longpoll_wait_fetch((u_char *) w - w->handlers->used,
                                     w->handlers->used
                                     + NGX_HTTP_LONGPOLL_WAIT_BEHIND);
        ngx_http_longpoll_wait_fetch(r, 1);
        ngx_http_longpoll_wait_fetch(&r->out, NGX_HTTP_LONGPOLL_WAIT_REQUEST);
        return;
    }

    ngx_http_longpoll_wait_fetch((u_char *) r - sizeof(ngx_pool_t),
                                 sizeof(ngx_pool_t)
                                 + sizeof(ngx_http_request_t)
                                 + NGX_HTTP_LONGPOLL_WAIT_HEADERS);
}


static ngx_inline void
ngx_http_longpoll_wait_fetch(void *start, size_t size)
{
    u_char  *p;

    /* without this gcc takes the function for one that does nothing */

    __sync_synchronize();

    for (p = start; p < (u_char *) start + size; p += NGX_CPU_CACHE_LINE) {
        __builtin_prefetch(p);
    }
}

#endif
