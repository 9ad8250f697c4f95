
/*
 * ngx_http_longpoll_zone_status.c: figures for operators.
 *
 * The figures of a zone are read in one hold of the lock, so they fit together.
 * Two of them are counted by each worker in its own slot, without the lock:
 * "waiting" is the sum over the workers that are alive, "delivered" is the sum
 * over all slots, as a counter must not go back when a worker leaves.
 *
 * How many polls wait for one category is no word of the zone: see
 * zone_question.
 */


#include "ngx_http_longpoll_zone_status.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_presence.h"
#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_clock.h"


static uint64_t ngx_http_longpoll_zone_status_used(
    ngx_http_longpoll_zone_t *z);


void
ngx_http_longpoll_zone_status(ngx_http_longpoll_zone_t *z, uint64_t alive,
    ngx_http_longpoll_zone_status_t *st)
{
    uint64_t                      left;
    ngx_uint_t                    i;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    ngx_http_longpoll_zone_lock(z);

    st->size = z->size;
    st->used = ngx_http_longpoll_zone_status_used(z);
    st->categories = sh->cats.active;
    st->events = sh->list.count;
    st->counters = sh->counters;
    st->waiting = 0;

    for (left = alive; left; left &= left - 1) {
        st->waiting += sh->workers[__builtin_ctzll(left)].waiting;
    }

    for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS; i++) {
        st->counters.delivered += sh->workers[i].delivered;
    }

    ngx_http_longpoll_zone_unlock(z);
}


/*
 * The share that is full of what fills first, the log or the slots for
 * categories with messages, in bytes of the zone.  The log is full if another
 * message as large as the newest one would evict.
 */

static uint64_t
ngx_http_longpoll_zone_status_used(ngx_http_longpoll_zone_t *z)
{
    double                        bytes, slots;
    uint64_t                      limit, next;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    if (sh->list.newest == 0) {
        return 0;
    }

    limit = ngx_http_longpoll_zone_room_limit(z);
    next = ngx_http_longpoll_zone_msg(z, sh->list.newest)->rec.units
           * NGX_HTTP_LONGPOLL_LOG_UNIT;

    if (sh->log.live + next > limit) {
        return z->size;
    }

    bytes = (double) sh->log.live / limit;
    slots = (double) sh->cats.full / ngx_http_longpoll_cat_max_full(&z->cats);

    return (uint64_t) (z->size * ngx_min(ngx_max(bytes, slots), 1));
}


void
ngx_http_longpoll_zone_status_cursor(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_uuid_t *uuid)
{
    ngx_uint_t  locked;

    /*
     * The epoch of a copy may change.  And who takes the lock goes behind
     * missing_below, if nothing waits.
     */

    locked = z->cluster
             || ngx_http_longpoll_zone_clock_missing(z, z->sh->clock.visible,
                                                     0);

    if (locked) {
        ngx_http_longpoll_zone_lock(z);
    }

    ngx_http_longpoll_id_uuid(uuid, z->sh->clock.visible,
                              ngx_http_longpoll_zone_own_epoch(z));

    if (locked) {
        ngx_http_longpoll_zone_unlock(z);
    }
}


void
ngx_http_longpoll_zone_status_disk(ngx_http_longpoll_zone_t *z, uint64_t now,
    ngx_http_longpoll_disk_status_t *st)
{
    uint32_t                      ref;
    uint64_t                      oldest;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    ngx_http_longpoll_zone_lock(z);

    ref = sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].ref;
    oldest = ref ? ngx_http_longpoll_id_ms(
                                      ngx_http_longpoll_zone_msg(z, ref)->id)
                 : 0;

    ngx_http_longpoll_zone_unlock(z);

    st->lag = (oldest && oldest < now) ? now - oldest : 0;
    st->failures = sh->disk.write_failures;
    st->bytes = sh->disk.bytes;
    st->ok = (sh->disk.failing == 0
              || sh->disk.failing == NGX_HTTP_LONGPOLL_PASS_BASE)
             && st->lag <= 2 * sh->conf.flush;
}


void
ngx_http_longpoll_zone_status_feed(ngx_http_longpoll_zone_t *z, uint64_t alive,
    uint64_t now, ngx_http_longpoll_feed_status_t *st)
{
    uint64_t                      ms, left;
    ngx_http_longpoll_feed_sh_t  *feed;

    feed = &z->sh->feed;
    ms = ngx_http_longpoll_id_ms(z->sh->clock.visible);

    st->connected = feed->connected;
    st->synced = feed->synced;
    st->lag = (ms && ms < now) ? now - ms : 0;
    st->in_flight = 0;
    st->reconnects = feed->reconnects;
    st->lives = feed->lives;
    st->gaps = feed->gaps;
    st->bad = feed->bad;

    for (left = alive; left; left &= left - 1) {
        st->in_flight += z->sh->workers[__builtin_ctzll(left)].in_flight;
    }
}


void
ngx_http_longpoll_zone_status_category(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now,
    ngx_http_longpoll_category_status_t *st)
{
    uint32_t    slot;
    ngx_int_t   rc;
    ngx_uint_t  steps;

    ngx_memzero(st, sizeof(ngx_http_longpoll_category_status_t));

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);

        if (z->sh->moved) {
            slot = ngx_http_longpoll_cat_find(&z->cats, cat->hash);
            rc = NGX_OK;

        } else {
            rc = ngx_http_longpoll_zone_room_touch(z, cat, now, 0, &steps,
                                                   &slot);
        }

        if (ngx_http_longpoll_zone_has_presence(z)) {
            st->presence = 1;
            st->present = ngx_http_longpoll_zone_presence_has(z, cat->hash);
        }

        if (rc == NGX_OK && slot != NGX_HTTP_LONGPOLL_CAT_NONE
            && z->cats.slots[slot].count)
        {
            ngx_http_longpoll_zone_status_slot_locked(z, slot, st);
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (rc == NGX_BUSY);
}


void
ngx_http_longpoll_zone_status_slot_locked(ngx_http_longpoll_zone_t *z,
    uint32_t slot, ngx_http_longpoll_category_status_t *st)
{
    ngx_http_longpoll_cat_sh_t  *cat;
    ngx_http_longpoll_msg_sh_t  *last;

    cat = &z->cats.slots[slot];

    st->events = cat->count;
    ngx_http_longpoll_zone_msg_uuid(z,
                                    ngx_http_longpoll_zone_msg(z, cat->first),
                                    &st->first);

    last = ngx_http_longpoll_zone_clock_last(z, slot);

    if (last) {
        ngx_http_longpoll_zone_msg_uuid(z, last, &st->last);
    }
}
