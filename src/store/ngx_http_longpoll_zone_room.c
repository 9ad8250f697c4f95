
/*
 * ngx_http_longpoll_zone_room.c: what makes room.
 *
 *     expire     over the ttl, from the oldest of all on
 *     trim       over its category's buffer, from the category's oldest on
 *     touch      both, and inactive, for one category that is read
 *     room       before a publish: expire a few, evict the oldest until live
 *                messages and the new ones are at most 85 % of the log, clean
 *                the log until the new ones fit in one piece
 *     slot       a slot for the category of a publish: its own, a free one, or
 *                the one used longest ago
 *
 * Slots with messages may be three quarters of all.  A publish may take any
 * slot; polls may only take slots without messages (zone_watch).
 */


#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_list.h"


#define NGX_HTTP_LONGPOLL_ZONE_SAMPLE  16       /* slots, for a victim */


static ngx_int_t ngx_http_longpoll_zone_reserve(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now, ngx_uint_t *steps,
    uint32_t *slot);
static void ngx_http_longpoll_zone_evict(ngx_http_longpoll_zone_t *z);
static void ngx_http_longpoll_zone_end_interests(ngx_http_longpoll_zone_t *z,
    uint32_t slot);


ngx_int_t
ngx_http_longpoll_zone_room(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t need, uint64_t now,
    ngx_uint_t *steps)
{
    uint32_t                      slot;
    uint64_t                      tail, moved;
    ngx_uint_t                    few;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    if (sh->conf.ttl) {
        few = NGX_HTTP_LONGPOLL_ZONE_FEW;
        (void) ngx_http_longpoll_zone_room_expire(z, now, &few);
    }

    if (ngx_http_longpoll_zone_reserve(z, cat, now, steps, &slot) != NGX_OK) {
        return NGX_BUSY;
    }

    while (sh->log.live + need > ngx_http_longpoll_zone_room_limit(z)) {

        if (*steps == 0) {
            return NGX_BUSY;
        }

        (*steps)--;

        ngx_http_longpoll_zone_evict(z);
    }

    ngx_http_longpoll_log_pace(&z->log, need);

    tail = sh->log.tail;

    while (!ngx_http_longpoll_log_fits(&z->log, need)) {

        if (*steps == 0) {
            return NGX_BUSY;
        }

        moved = ngx_http_longpoll_log_clean(&z->log);
        *steps -= ngx_min(*steps, 1 + moved / 4096);

        /*
         * The tail has gone twice around the log without making room: evict one
         * message.
         */

        if (sh->log.tail - tail > 2 * sh->log.size && sh->list.oldest) {
            tail = sh->log.tail;
            ngx_http_longpoll_zone_evict(z);
        }
    }

    return NGX_OK;
}


/* drops the oldest message of all */

static void
ngx_http_longpoll_zone_evict(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_msg_sh_t  *msg;

    msg = ngx_http_longpoll_zone_msg(z, z->sh->list.oldest);

    ngx_http_longpoll_zone_list_drop(z, msg, NGX_HTTP_LONGPOLL_ZONE_LOST);
    ngx_http_longpoll_zone_count(z, evicted, 1);
}


/*
 * Before a category is published to: first drops the category if it is
 * inactive.  If it needs a slot and three quarters of the slots hold messages,
 * drops a category that was used longest ago.
 */

static ngx_int_t
ngx_http_longpoll_zone_reserve(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now, ngx_uint_t *steps,
    uint32_t *slot)
{
    uint32_t  victim;

    *slot = ngx_http_longpoll_cat_find(&z->cats, cat->hash);

    if (*slot != NGX_HTTP_LONGPOLL_CAT_NONE
        && ngx_http_longpoll_zone_list_inactive(z, *slot, now))
    {
        if (ngx_http_longpoll_zone_list_drop_cat(z, *slot,
                                                 &z->sh->counters.expired,
                                                 steps)
            != NGX_OK)
        {
            return NGX_BUSY;
        }

        *slot = NGX_HTTP_LONGPOLL_CAT_NONE;
    }

    if (*slot != NGX_HTTP_LONGPOLL_CAT_NONE && z->cats.slots[*slot].count) {
        return NGX_OK;
    }

    if (z->sh->cats.full < ngx_http_longpoll_cat_max_full(&z->cats)) {
        return NGX_OK;
    }

    victim = ngx_http_longpoll_zone_room_victim(z, 1, 1);

    if (victim == NGX_HTTP_LONGPOLL_CAT_NONE) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_zone_list_drop_cat(z, victim,
                                             &z->sh->counters.evicted,
                                             steps)
        != NGX_OK)
    {
        /* the next publish goes on with this victim, and takes no other */

        ngx_http_longpoll_put(z->cats.slots[victim].used, 0);
        ngx_http_longpoll_put(z->sh->cats.hand, victim);

        return NGX_BUSY;
    }

    return NGX_OK;
}


uint32_t
ngx_http_longpoll_zone_room_slot(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now)
{
    uint32_t    slot;
    ngx_uint_t  steps;

    steps = (ngx_uint_t) -1;
    (void) ngx_http_longpoll_zone_reserve(z, cat, now, &steps, &slot);

    if (slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
        return slot;
    }

    for ( ;; ) {
        slot = ngx_http_longpoll_cat_claim(&z->cats, cat->hash, now);

        if (slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
            return slot;
        }

        do {
            slot = ngx_http_longpoll_zone_room_victim(z, 0, 1);

            if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
                slot = ngx_http_longpoll_zone_room_victim(z, 1, 1);
            }

        } while (slot == NGX_HTTP_LONGPOLL_CAT_NONE);

        if (z->cats.slots[slot].waiting) {
            ngx_http_longpoll_zone_end_interests(z, slot);
        }

        (void) ngx_http_longpoll_zone_list_drop_cat(z, slot,
                                                    &z->sh->counters.evicted,
                                                    &steps);
    }
}


/*
 * The clock hand passes over the slots until it has seen 16 candidates, or has
 * passed over 1,000; the candidate used longest ago is the victim.  That comes
 * near to a list by use, and no poll has to keep such a list.
 */

uint32_t
ngx_http_longpoll_zone_room_victim(ngx_http_longpoll_zone_t *z, ngx_uint_t full,
    ngx_uint_t watched)
{
    uint32_t                      n, best[2];
    ngx_uint_t                    i, seen, interest;
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_msg_sh_t   *last;
    ngx_http_longpoll_cats_sh_t  *cats;

    cats = &z->sh->cats;

    best[0] = NGX_HTTP_LONGPOLL_CAT_NONE;
    best[1] = NGX_HTTP_LONGPOLL_CAT_NONE;

    seen = 0;

    for (i = 0;
         i < ngx_min(cats->fresh, NGX_HTTP_LONGPOLL_ZONE_STEPS)
         && seen < NGX_HTTP_LONGPOLL_ZONE_SAMPLE;
         i++)
    {
        ngx_http_longpoll_assert_step();

        n = cats->hand < cats->fresh ? cats->hand : 0;
        ngx_http_longpoll_put(cats->hand, n + 1);

        cat = &z->cats.slots[n];

        if (cat->hash[0] == 0 || (cat->count != 0) != full) {
            continue;
        }

        /* a publish does not make room by dropping its own messages */

        if (cat->last) {
            last = ngx_http_longpoll_zone_msg(z, cat->last);

            if (last->id > z->sh->clock.visible) {
                continue;
            }
        }

        interest = (cat->waiting != 0);
        seen += !interest;

        if (best[interest] == NGX_HTTP_LONGPOLL_CAT_NONE
            || cat->used < z->cats.slots[best[interest]].used)
        {
            best[interest] = n;
        }
    }

    if (best[0] == NGX_HTTP_LONGPOLL_CAT_NONE && watched) {
        return best[1];
    }

    return best[0];
}


/*
 * A publish takes a slot in which workers are interested: they read for all of
 * their polls, and register again, now slotless.
 */

static void
ngx_http_longpoll_zone_end_interests(ngx_http_longpoll_zone_t *z, uint32_t slot)
{
    ngx_uint_t                       i;
    ngx_http_longpoll_cat_sh_t      *cat;
    ngx_http_longpoll_journal_sh_t  *j;

    cat = &z->cats.slots[slot];
    j = &z->sh->journal;

    for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS; i++) {

        if (cat->waiting & ngx_http_longpoll_zone_bit(i)) {
            ngx_http_longpoll_put(z->sh->workers[i].wake_all, 1);
        }
    }

    ngx_http_longpoll_set(j, cat->waiting, 0);

    if (cat->count == 0) {
        ngx_http_longpoll_set(j, z->sh->cats.active, z->sh->cats.active - 1);
    }

    ngx_http_longpoll_done(j);
}


/* drops what is over its ttl; returns whether there is more */

ngx_uint_t
ngx_http_longpoll_zone_room_expire(ngx_http_longpoll_zone_t *z, uint64_t now,
    ngx_uint_t *steps)
{
    uint64_t                      clock;
    ngx_http_longpoll_msg_sh_t   *msg;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    if (sh->conf.ttl == 0) {
        return 0;
    }

    clock = ngx_http_longpoll_zone_clock(z, now);

    while (sh->list.oldest) {
        msg = ngx_http_longpoll_zone_msg(z, sh->list.oldest);

        if (!ngx_http_longpoll_zone_is_expired(z, msg, clock)) {
            return 0;
        }

        if (*steps == 0) {
            return 1;
        }

        (*steps)--;

        ngx_http_longpoll_zone_list_drop(z, msg,
                                         NGX_HTTP_LONGPOLL_ZONE_LOST);
        ngx_http_longpoll_zone_count(z, expired, 1);
    }

    return 0;
}


ngx_int_t
ngx_http_longpoll_zone_room_trim(ngx_http_longpoll_zone_t *z, uint32_t slot,
    ngx_uint_t *steps)
{
    uint64_t                        n;
    uint32_t                        ref;
    ngx_http_longpoll_cat_sh_t     *cat;
    ngx_http_longpoll_msg_sh_t     *msg;
    ngx_http_longpoll_cursor_sh_t  *exposed;

    cat = &z->cats.slots[slot];
    exposed = &z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];

    if (cat->count <= z->sh->conf.buffer) {
        return NGX_OK;
    }

    n = cat->count;

    /* messages that wait for the disk do not count yet */

    for (ref = cat->last; ref; ref = msg->prev, n--) {
        msg = ngx_http_longpoll_zone_msg(z, ref);

        if (msg->id <= z->sh->clock.visible) {
            break;
        }
    }

    for ( /* void */ ; n > z->sh->conf.buffer; n--) {

        if (*steps == 0) {
            return NGX_BUSY;
        }

        (*steps)--;

        msg = ngx_http_longpoll_zone_msg(z, cat->first);

        if (z->sh->disk.durable && msg->id > exposed->id) {

            /* its workers are not marked, and it is not counted yet */

            return NGX_OK;
        }

        ngx_http_longpoll_zone_list_drop(z, msg, NGX_HTTP_LONGPOLL_ZONE_LOST);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_zone_room_touch(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now, ngx_uint_t use,
    ngx_uint_t *steps, uint32_t *slot)
{
    uint32_t                      n;
    uint64_t                      clock, age;
    ngx_http_longpoll_cat_sh_t   *c;
    ngx_http_longpoll_msg_sh_t   *msg;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    *slot = NGX_HTTP_LONGPOLL_CAT_NONE;

    n = ngx_http_longpoll_cat_find(&z->cats, cat->hash);

    if (n == NGX_HTTP_LONGPOLL_CAT_NONE) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_zone_list_inactive(z, n, now)) {
        return ngx_http_longpoll_zone_list_drop_cat(z, n, &sh->counters.expired,
                                                    steps);
    }

    c = &z->cats.slots[n];
    age = now > c->used ? now - c->used : 0;

    if (use
        && age > (sh->conf.inactive ? ngx_min(1000, sh->conf.inactive / 16)
                                    : 1000))
    {
        ngx_http_longpoll_put(c->used, now);
    }

    if (sh->conf.ttl) {
        clock = ngx_http_longpoll_zone_clock(z, now);

        while (c->first) {
            msg = ngx_http_longpoll_zone_msg(z, c->first);

            if (!ngx_http_longpoll_zone_is_expired(z, msg, clock)) {
                break;
            }

            if (*steps == 0) {
                return NGX_BUSY;
            }

            (*steps)--;

            ngx_http_longpoll_zone_list_drop(z, msg,
                                             NGX_HTTP_LONGPOLL_ZONE_LOST);
            ngx_http_longpoll_zone_count(z, expired, 1);
        }
    }

    *slot = n;

    return ngx_http_longpoll_zone_room_trim(z, n, steps);
}
