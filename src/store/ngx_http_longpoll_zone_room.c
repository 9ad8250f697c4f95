
/*
 * ngx_http_longpoll_zone_room.c: what makes room.
 *
 *     expire     over the ttl, from the oldest of all on
 *     trim       over its category's buffer, from the category's oldest on
 *     touch      both, and inactive, for one category that is read
 *     room       before a publish: expire a few, drop categories used longest
 *                ago until there are slots, evict the oldest messages until the
 *                live and the new ones are at most 85 % of the log, clean the
 *                log until the new ones fit in one piece
 *     slot       a slot for a category of the publish: its own, or a free one
 *
 * Slots with messages may be three quarters of all.  A publish may take any
 * slot; polls may only take slots without messages (zone_watch).
 *
 * A message that waits for the disk is dropped by none of these.  If it is over
 * a limit, it is dropped once it has been exposed.  What can be dropped always
 * suffices for a publish that ..._cursor_fits():
 *
 *   slots    Let the publish's categories be added to those with messages.  If
 *            these are too many, one of them has nothing unsaved, and can be
 *            dropped.  If they are not, at least a quarter of all slots are
 *            beside them: enough are free, or without messages.  A category of
 *            the publish may be dropped, too, but once only: it is published
 *            to only when all have their room.
 *   bytes    The unsaved messages and the new ones are at most 85 %.
 *   a piece  Once cleaning has gone twice around the log without making one,
 *            the oldest message is evicted.
 */


#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_cursor.h"


#define NGX_HTTP_LONGPOLL_ZONE_SAMPLE  16       /* slots, for a victim */


static ngx_int_t ngx_http_longpoll_zone_room_slots(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_room_t *room, ngx_uint_t *steps);
static ngx_int_t ngx_http_longpoll_zone_room_lack(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_room_t *room, ngx_uint_t *full, ngx_uint_t *n,
    ngx_uint_t *steps);
static ngx_uint_t ngx_http_longpoll_zone_room_drop(ngx_http_longpoll_zone_t *z,
    ngx_uint_t full, ngx_uint_t *steps);
static ngx_int_t ngx_http_longpoll_zone_evict(ngx_http_longpoll_zone_t *z);
static void ngx_http_longpoll_zone_end_interests(ngx_http_longpoll_zone_t *z,
    uint32_t slot);


ngx_int_t
ngx_http_longpoll_zone_room(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_room_t *room, ngx_uint_t *steps)
{
    uint64_t                      moved;
    ngx_int_t                     rc;
    ngx_uint_t                    few;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    if (sh->conf.ttl) {
        few = NGX_HTTP_LONGPOLL_ZONE_FEW;
        (void) ngx_http_longpoll_zone_room_expire(z, room->now, &few);
    }

    rc = ngx_http_longpoll_zone_room_slots(z, room, steps);

    if (rc != NGX_OK) {
        return rc;
    }

    while (sh->log.live + room->need > ngx_http_longpoll_zone_room_limit(z)) {

        if (*steps == 0) {
            return NGX_BUSY;
        }

        (*steps)--;

        if (ngx_http_longpoll_zone_evict(z) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    ngx_http_longpoll_log_pace(&z->log, room->need, steps);

    if (room->tail == 0) {
        room->tail = sh->log.tail;
    }

    while (!ngx_http_longpoll_log_fits(&z->log, room->need)) {

        if (*steps == 0) {
            return NGX_BUSY;
        }

        moved = ngx_http_longpoll_log_clean(&z->log);
        *steps -= ngx_min(*steps, 1 + moved / 4096);

        if (sh->log.tail - room->tail > 2 * sh->log.size && sh->list.oldest) {
            room->tail = sh->log.tail;

            if (ngx_http_longpoll_zone_evict(z) != NGX_OK) {
                return NGX_DECLINED;
            }
        }
    }

    return NGX_OK;
}


/* drops the oldest message of all; NGX_DECLINED: it waits for the disk */

static ngx_int_t
ngx_http_longpoll_zone_evict(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_msg_sh_t  *msg;

    msg = ngx_http_longpoll_zone_msg(z, z->sh->list.oldest);

    if (ngx_http_longpoll_zone_is_unsaved(z, msg)) {
        return NGX_DECLINED;
    }

    ngx_http_longpoll_zone_list_drop(z, msg, NGX_HTTP_LONGPOLL_ZONE_LOST);
    ngx_http_longpoll_zone_count(z, evicted, 1);

    return NGX_OK;
}


/* slots for the categories; as room */

static ngx_int_t
ngx_http_longpoll_zone_room_slots(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_room_t *room, ngx_uint_t *steps)
{
    ngx_int_t   rc;
    ngx_uint_t  full, n;

    rc = ngx_http_longpoll_zone_room_lack(z, room, &full, &n, steps);

    if (rc != NGX_OK || n == 0) {
        return rc;
    }

    while (n && *steps) {
        n -= ngx_http_longpoll_zone_room_drop(z, full, steps);
    }

    if (n) {
        return NGX_BUSY;
    }

    /* one that was dropped may have been a category of the publish */

    rc = ngx_http_longpoll_zone_room_lack(z, room, &full, &n, steps);

    return rc == NGX_OK && n ? NGX_BUSY : rc;
}


/*
 * Finds the slots of the categories, and drops those that are inactive.  *n
 * becomes the number of slots that must be dropped: of these with messages
 * (full), or of these without.
 */

static ngx_int_t
ngx_http_longpoll_zone_room_lack(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_room_t *room, ngx_uint_t *full, ngx_uint_t *n,
    ngx_uint_t *steps)
{
    uint32_t                      slot, max;
    ngx_uint_t                    i, empty, missing, saved;
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    empty = 0;
    missing = 0;
    saved = 0;

    for (i = 0; i < room->ncats; i++) {
        slot = ngx_http_longpoll_cat_find(&z->cats, room->cats[i].hash);

        if (slot != NGX_HTTP_LONGPOLL_CAT_NONE
            && ngx_http_longpoll_zone_list_inactive(z, slot, room->now))
        {
            if (ngx_http_longpoll_zone_list_forget(z, slot, steps) != NGX_OK)
            {
                return NGX_BUSY;
            }

            slot = NGX_HTTP_LONGPOLL_CAT_NONE;
        }

        room->cats[i].slot = slot;

        if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
            missing++;
            empty++;
            saved++;
            continue;
        }

        cat = &z->cats.slots[slot];
        ngx_http_longpoll_put(cat->used, room->now);

        empty += (cat->count == 0);
        saved += (sh->disk.durable && z->unsaved[slot].count == 0);
    }

    if (sh->disk.durable
        && !ngx_http_longpoll_zone_cursor_fits(z, room->need,
                                       ngx_http_longpoll_zone_room_limit(z),
                                       saved))
    {
        return NGX_DECLINED;
    }

    max = ngx_http_longpoll_cat_max_full(&z->cats);
    *full = (sh->cats.full + empty > max);

    if (*full) {
        *n = sh->cats.full + empty - max;

    } else {
        *n = sh->cats.nslots - sh->cats.claimed;
        *n = missing > *n ? missing - *n : 0;
    }

    return NGX_OK;
}


/* drops a category that was used longest ago; returns how many were: 0, 1 */

static ngx_uint_t
ngx_http_longpoll_zone_room_drop(ngx_http_longpoll_zone_t *z, ngx_uint_t full,
    ngx_uint_t *steps)
{
    uint32_t  victim;

    victim = ngx_http_longpoll_zone_room_victim(z, full, 1, steps);

    if (victim == NGX_HTTP_LONGPOLL_CAT_NONE) {
        return 0;
    }

    if (!full && z->cats.slots[victim].waiting) {
        ngx_http_longpoll_zone_end_interests(z, victim);
    }

    if (ngx_http_longpoll_zone_list_drop_cat(z, victim, steps) != NGX_OK) {
        /* the next publish goes on with this victim, and takes no other */

        ngx_http_longpoll_put(z->cats.slots[victim].used, 0);
        ngx_http_longpoll_put(z->sh->cats.hand, victim);

        return 0;
    }

    return 1;
}


uint32_t
ngx_http_longpoll_zone_room_slot(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now)
{
    if (cat->slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
        cat->slot = ngx_http_longpoll_cat_claim(&z->cats, cat->hash, now);

        ngx_http_longpoll_assert(cat->slot != NGX_HTTP_LONGPOLL_CAT_NONE,
                                 "no slot for a publish");
    }

    return cat->slot;
}


/*
 * The clock hand passes over the slots until it has seen 16 candidates, or has
 * passed over 1,000; the candidate used longest ago is the victim.  That comes
 * near to a list by use, and no poll has to keep such a list.
 */

uint32_t
ngx_http_longpoll_zone_room_victim(ngx_http_longpoll_zone_t *z, ngx_uint_t full,
    ngx_uint_t watched, ngx_uint_t *steps)
{
    uint32_t                      n, best[2];
    ngx_uint_t                    i, seen, interest;
    ngx_http_longpoll_cat_sh_t   *cat;
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

        if (z->sh->disk.durable && z->unsaved[n].count) {
            continue;
        }

        interest = (cat->waiting != 0);
        seen += !interest;

        if (best[interest] == NGX_HTTP_LONGPOLL_CAT_NONE
            || cat->used < z->cats.slots[best[interest]].used)
        {
            best[interest] = n;
        }
    }

    *steps -= ngx_min(*steps, 1 + i / NGX_HTTP_LONGPOLL_ZONE_SAMPLE);

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
    uint64_t                     n, buffer;
    ngx_http_longpoll_cat_sh_t  *cat;

    cat = &z->cats.slots[slot];
    n = cat->count;
    buffer = z->sh->conf.buffer;

    if (n <= buffer) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_zone_is_presence(z, cat->hash)) {
        buffer = ngx_max(buffer, NGX_HTTP_LONGPOLL_ZONE_PRESENCE_BUFFER);
    }

    if (z->sh->disk.durable) {
        n -= z->unsaved[slot].count;
    }

    for ( /* void */ ; n > buffer; n--) {

        if (*steps == 0) {
            return NGX_BUSY;
        }

        (*steps)--;

        ngx_http_longpoll_zone_list_drop(z,
                                    ngx_http_longpoll_zone_msg(z, cat->first),
                                    NGX_HTTP_LONGPOLL_ZONE_LOST);
        ngx_http_longpoll_zone_count(z, trimmed, 1);
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
        return ngx_http_longpoll_zone_list_forget(z, n, steps);
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
