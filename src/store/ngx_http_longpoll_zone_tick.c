
/*
 * ngx_http_longpoll_zone_tick.c: once a second, and when a worker died.
 *
 * When a worker dies while it publishes, or in any other call, the next process
 * that takes the lock repairs the zone at once (zone_lock).  What the dead
 * worker had registered stays until its number is found dead by another worker
 * or taken by a new one, which reaps it:
 *
 *     the writer's role, its bit in stays       another worker may write
 *     the reader's role, what is in flight      another worker may read
 *     clients that wait in it                   they become idle
 *     presence of what waits in it              grace begins
 *     interest and pending messages, slot by slot
 *     gauges, slotless interests
 *     dirty bits
 *     known = 0
 */


#include "ngx_http_longpoll_zone_tick.h"
#include "ngx_http_longpoll_zone_client.h"
#include "ngx_http_longpoll_zone_feed.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_presence.h"
#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_watch.h"


ngx_uint_t
ngx_http_longpoll_zone_tick(ngx_http_longpoll_zone_t *z, uint64_t now)
{
    uint32_t                      n;
    ngx_uint_t                    left, more, steps;
    ngx_atomic_uint_t             second;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    ngx_http_longpoll_zone_lock(z);
    ngx_http_longpoll_zone_unlock(z);

    if (sh->moved) {
        return 0;
    }

    second = sh->tick.second;

    if (second == now / 1000
        || !ngx_atomic_cmp_set(&sh->tick.second, second, now / 1000))
    {
        return 0;
    }

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);
        more = ngx_http_longpoll_zone_room_expire(z, now, &steps);
        ngx_http_longpoll_zone_unlock(z);

    } while (more);

    ngx_http_longpoll_zone_client_idle(z, now);

    if (sh->conf.inactive == 0) {
        return 1;
    }

    /* half of all slots in a second */

    left = sh->cats.fresh / 2 + 1;

    while (left) {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);

        while (steps && left) {
            n = sh->tick.sweep < sh->cats.fresh ? sh->tick.sweep : 0;

            if (z->cats.slots[n].hash[0]
                && ngx_http_longpoll_zone_list_inactive(z, n, now)
                && ngx_http_longpoll_zone_list_forget(z, n, &steps) != NGX_OK)
            {
                break;
            }

            ngx_http_longpoll_put(sh->tick.sweep, n + 1);

            left--;
            steps -= ngx_min(steps, 1);
        }

        ngx_http_longpoll_zone_unlock(z);
    }

    return 1;
}


void
ngx_http_longpoll_zone_tick_reap(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now)
{
    ngx_uint_t                      n, steps, more;
    ngx_atomic_uint_t               elected;
    ngx_http_longpoll_zone_walk_t   walk;
    ngx_http_longpoll_worker_sh_t  *w;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    w = &z->sh->workers[worker];

    if (z->elected) {
        ngx_http_longpoll_step();
        elected = *z->elected;

        if ((uint32_t) elected == worker + 1) {
            (void) ngx_atomic_cmp_set(z->elected, elected, 0);
        }

        ngx_http_longpoll_zone_stays(z, worker, 0);
    }

    if (z->sh->feed.on) {
        ngx_http_longpoll_zone_feed_release(z, worker);
        ngx_http_longpoll_zone_feed_await(z, worker, 0);
        ngx_http_longpoll_put(w->in_flight, 0);
    }

    if (!w->known || z->sh->moved) {

        /* a stream is counted before the zone knows its worker */

        ngx_http_longpoll_put(w->waiting, 0);
        return;
    }

    ngx_http_longpoll_zone_client_reap(z, worker, now);
    ngx_http_longpoll_zone_presence_reap(z, worker, now);

    n = 0;
    walk.upto = (uint64_t) -1;
    walk.since = 0;
    walk.ref = 0;

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);

        /* no message becomes pending in a slot that has been passed */

        ngx_http_longpoll_put(z->sh->slotless, z->sh->slotless
                              & ~ngx_http_longpoll_zone_bit(worker));

        while (steps && n < z->sh->cats.fresh) {

            /* a message may be pending for a slotless interest, too */

            if (z->cats.slots[n].hash[0]
                && ngx_http_longpoll_zone_watch_end_slot(z, worker, n, &walk,
                                                         now, &steps)
                   != NGX_OK)
            {
                break;
            }

            n++;
            steps -= ngx_min(steps, 1);
        }

        more = n < z->sh->cats.fresh;

        if (!more) {
            ngx_http_longpoll_put(w->waiting, 0);
            ngx_http_longpoll_put(w->slotless, 0);
            ngx_http_longpoll_put(w->spread, 0);
            ngx_http_longpoll_put(w->wake_all, 0);
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (more);

    ngx_http_longpoll_step();

    ngx_memzero((void *) &z->dirty[worker * z->words],
                z->words * sizeof(ngx_atomic_t));
    ngx_memzero((void *) &z->summary[worker * z->sums],
                z->sums * sizeof(ngx_atomic_t));

    /*
     * A process that is killed before this store leaves the worker known: it is
     * reaped once more.
     */

    ngx_http_longpoll_put(w->known, 0);
}
