
/*
 * ngx_http_longpoll_zone_watch.c: which workers wait for a category.
 *
 *     slot.waiting           bit per worker: has parked polls of the category
 *     worker.slotless        number of its interests that have no slot
 *     dirty, summary         per worker: bit per slot that was published to,
 *                            bit per word of dirty that is not 0
 *     worker.wake_all        the worker reads for all of its polls: recovery
 *                            or a slot that was taken away may have hidden
 *                            something from it
 *
 * A publisher sets the dirty bit, then the summary bit; a worker clears the
 * summary bit, then takes the dirty word.  So no bit is ever left behind.  Both
 * sides use atomic operations and no lock.
 *
 * A worker looks only at the summaries of slots that have been in use, and
 * reads without the lock how many these are (cats.fresh).  A publisher that
 * takes a new slot meanwhile marks it later, and notifies the worker after
 * that.  The worker cleared its flag `notified` before it looked.  So that
 * publisher wakes the worker again, and then the worker finds the mark.
 */


#include "ngx_http_longpoll_zone_watch.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_room.h"


static ngx_int_t ngx_http_longpoll_zone_watch_walk(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint32_t slot, ngx_http_longpoll_zone_walk_t *walk,
    ngx_uint_t *steps);


uint32_t
ngx_http_longpoll_zone_watch(ngx_http_longpoll_zone_t *z, ngx_uint_t worker,
    ngx_http_longpoll_cat_t *cat, uint64_t now)
{
    uint32_t                         slot, victim;
    uint64_t                         bit;
    ngx_uint_t                       steps;
    ngx_http_longpoll_cat_sh_t      *c;
    ngx_http_longpoll_cats_sh_t     *cats;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    cats = &sh->cats;
    j = &sh->journal;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return NGX_HTTP_LONGPOLL_CAT_NONE;
    }

    if (!sh->workers[worker].known) {
        ngx_http_longpoll_put(sh->workers[worker].known, 1);
    }

    bit = ngx_http_longpoll_zone_bit(worker);
    slot = ngx_http_longpoll_cat_find(&z->cats, cat->hash);

    if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {

        if (ngx_http_longpoll_cat_idle(&z->cats)
            >= ngx_http_longpoll_cat_max_idle(&z->cats))
        {
            steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
            victim = ngx_http_longpoll_zone_room_victim(z, 0, 0, &steps);

            if (victim != NGX_HTTP_LONGPOLL_CAT_NONE) {
                ngx_http_longpoll_zone_list_free_slot(z, victim);
            }
        }

        if (ngx_http_longpoll_cat_idle(&z->cats)
            < ngx_http_longpoll_cat_max_idle(&z->cats))
        {
            slot = ngx_http_longpoll_cat_claim(&z->cats, cat->hash, now);
        }
    }

    if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
        ngx_http_longpoll_put(sh->workers[worker].spread, 1);
        ngx_http_longpoll_put(sh->workers[worker].slotless,
                              sh->workers[worker].slotless + 1);
        ngx_http_longpoll_put(sh->slotless, sh->slotless | bit);

        return NGX_HTTP_LONGPOLL_CAT_NONE;
    }

    c = &z->cats.slots[slot];

    if (c->waiting & bit) {
        return slot;
    }

    if (c->waiting == 0 && c->count == 0) {
        ngx_http_longpoll_set(j, cats->active, cats->active + 1);
    }

    ngx_http_longpoll_set(j, c->waiting, c->waiting | bit);
    ngx_http_longpoll_done(j);

    return slot;
}


void
ngx_http_longpoll_zone_watch_end(ngx_http_longpoll_zone_t *z, ngx_uint_t worker,
    const uint64_t hash[2], uint32_t slot, uint64_t since, ngx_uint_t left,
    uint64_t now)
{
    ngx_int_t                       rc;
    ngx_uint_t                      steps;
    ngx_http_longpoll_cat_sh_t     *cat;
    ngx_http_longpoll_zone_walk_t   walk;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER
        || slot == NGX_HTTP_LONGPOLL_CAT_NONE)
    {
        return;
    }

    walk.upto = (uint64_t) -1;
    walk.since = since;
    walk.ref = 0;

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
        rc = NGX_OK;

        ngx_http_longpoll_zone_lock(z);

        if (left && !z->sh->moved) {
            ngx_http_longpoll_presence_leave(&z->present,
                           ngx_http_longpoll_presence_find(&z->present, hash),
                           ngx_http_longpoll_zone_bit(worker), now);
            left = 0;
        }

        cat = &z->cats.slots[slot];

        if (cat->hash[0] == hash[0] && cat->hash[1] == hash[1]) {
            rc = ngx_http_longpoll_zone_watch_end_slot(z, worker, slot, &walk,
                                                       now, &steps);
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (rc == NGX_BUSY);
}


/* the bit goes first, so that no message becomes pending during the walk */

ngx_int_t
ngx_http_longpoll_zone_watch_end_slot(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint32_t slot, ngx_http_longpoll_zone_walk_t *walk,
    uint64_t now, ngx_uint_t *steps)
{
    uint64_t                         bit;
    ngx_http_longpoll_cat_sh_t      *cat;
    ngx_http_longpoll_cats_sh_t     *cats;
    ngx_http_longpoll_journal_sh_t  *j;

    cat = &z->cats.slots[slot];
    cats = &z->sh->cats;
    j = &z->sh->journal;

    bit = ngx_http_longpoll_zone_bit(worker);

    if (cat->waiting & bit) {
        ngx_http_longpoll_put(cat->used, ngx_max(cat->used, now));

        if (cat->waiting == bit && cat->count == 0) {
            ngx_http_longpoll_set(j, cats->active, cats->active - 1);
        }

        ngx_http_longpoll_set(j, cat->waiting, cat->waiting & ~bit);
        ngx_http_longpoll_done(j);
    }

    if (ngx_http_longpoll_zone_watch_walk(z, worker, slot, walk, steps)
        != NGX_OK)
    {
        return NGX_BUSY;
    }

    ngx_http_longpoll_zone_list_free_if_unused(z, slot);

    return NGX_OK;
}


void
ngx_http_longpoll_zone_watch_count_slotless(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_int_t n)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    sh = z->sh;

    ngx_http_longpoll_zone_lock(z);

    ngx_http_longpoll_put(sh->workers[worker].slotless,
                          sh->workers[worker].slotless + n);

    if (sh->workers[worker].slotless == 0) {
        ngx_http_longpoll_put(sh->slotless,
                         sh->slotless & ~ngx_http_longpoll_zone_bit(worker));
    } else {
        ngx_http_longpoll_put(sh->slotless,
                         sh->slotless | ngx_http_longpoll_zone_bit(worker));
    }

    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_watch_acknowledge(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, const uint64_t hash[2], uint64_t since, uint64_t upto)
{
    uint32_t                       slot;
    ngx_int_t                      rc;
    ngx_uint_t                     steps;
    ngx_http_longpoll_zone_walk_t  walk;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    walk.upto = upto;
    walk.since = since;
    walk.ref = 0;

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
        rc = NGX_OK;

        ngx_http_longpoll_zone_lock(z);

        slot = ngx_http_longpoll_cat_find(&z->cats, hash);

        if (slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
            rc = ngx_http_longpoll_zone_watch_walk(z, worker, slot, &walk,
                                                   &steps);
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (rc == NGX_BUSY);
}


/*
 * What is appended becomes pending, and with durable once more what is exposed,
 * in place of what it was.
 */

uint64_t
ngx_http_longpoll_zone_watch_since(ngx_http_longpoll_zone_t *z)
{
    volatile uint64_t            *id;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    id = sh->disk.durable
         ? &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].id
         : &sh->clock.visible;

    return *id;
}


/*
 * Acknowledges the messages of a slot, from the last visible one up to
 * walk->upto back to walk->since.  NGX_OK, NGX_BUSY.
 */

static ngx_int_t
ngx_http_longpoll_zone_watch_walk(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint32_t slot, ngx_http_longpoll_zone_walk_t *walk,
    ngx_uint_t *steps)
{
    uint32_t                     ref;
    uint64_t                    *pending;
    ngx_http_longpoll_msg_sh_t  *msg;

    if (!z->sh->has_pending || z->sh->moved) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_zone_msg_stands(z, walk->ref, walk->pos, slot)) {
        msg = ngx_http_longpoll_zone_msg(z, walk->ref);

    } else {
        msg = ngx_http_longpoll_zone_clock_last(z, slot);
    }

    for ( /* void */ ; msg && msg->id > walk->since;
         msg = ref ? ngx_http_longpoll_zone_msg(z, ref) : NULL)
    {
        if (*steps == 0) {
            walk->ref = ngx_http_longpoll_zone_ref(z, msg);
            walk->pos = ngx_http_longpoll_zone_msg_pos(z, walk->ref);
            return NGX_BUSY;
        }

        (*steps)--;

        ref = msg->prev;

        if (msg->id > walk->upto
            || !(msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING))
        {
            continue;
        }

        pending = ngx_http_longpoll_zone_pending(msg);

        ngx_http_longpoll_put(*pending,
                              *pending & ~ngx_http_longpoll_zone_bit(worker));

        if (*pending == 0 && (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_TAKEN)) {
            ngx_http_longpoll_zone_list_drop(z, msg,
                                             NGX_HTTP_LONGPOLL_ZONE_TAKEN);
        }
    }

    walk->ref = 0;

    return NGX_OK;
}


uint64_t
ngx_http_longpoll_zone_watch_interested(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_sh_t *cat, uint64_t first)
{
    if (cat->first == 0
        || ngx_http_longpoll_zone_msg(z, cat->first)->id >= first)
    {
        return cat->waiting | z->sh->slotless;
    }

    return cat->waiting;
}


uint64_t
ngx_http_longpoll_zone_watch_mark(ngx_http_longpoll_zone_t *z, uint32_t slot,
    uint64_t first)
{
    uint64_t    workers, left, bit, sum;
    ngx_uint_t  i, word;

    workers = ngx_http_longpoll_zone_watch_interested(z, &z->cats.slots[slot],
                                                      first);

    word = slot / 64;
    bit = ngx_http_longpoll_zone_bit(slot % 64);
    sum = ngx_http_longpoll_zone_bit(word % 64);

    for (left = workers; left; left &= left - 1) {
        i = __builtin_ctzll(left);

        ngx_http_longpoll_step();

        if (!(z->dirty[i * z->words + word] & bit)) {
            (void) __sync_fetch_and_or(&z->dirty[i * z->words + word], bit);
        }

        ngx_http_longpoll_step();

        if (!(z->summary[i * z->sums + word / 64] & sum)) {
            (void) __sync_fetch_and_or(&z->summary[i * z->sums + word / 64],
                                       sum);
        }
    }

    return workers;
}


ngx_uint_t
ngx_http_longpoll_zone_watch_take(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t hashes[][2])
{
    uint64_t                     slots;
    ngx_uint_t                   i, n, last, sum, word;
    ngx_atomic_t                *summary, *dirty;
    volatile uint32_t           *fresh;
    ngx_http_longpoll_cat_sh_t  *cat;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return 0;
    }

    summary = &z->summary[worker * z->sums];
    dirty = &z->dirty[worker * z->words];

    fresh = &z->sh->cats.fresh;
    last = (*fresh + 4095) / 4096;

    ngx_http_longpoll_assert(last <= z->sums, "the number of slots in use");

    for (i = 0; i < last; i++) {

        while (summary[i]) {
            sum = __builtin_ctzll(summary[i]);
            word = i * 64 + sum;

            ngx_http_longpoll_assert(word < z->words, "a summary's bit");

            (void) __sync_fetch_and_and(&summary[i],
                                        ~ngx_http_longpoll_zone_bit(sum));
            ngx_http_longpoll_step();

            slots = __sync_fetch_and_and(&dirty[word], 0);

            if (slots == 0) {
                continue;
            }

            n = 0;

            ngx_http_longpoll_zone_lock(z);

            for ( /* void */ ; slots; slots &= slots - 1) {
                ngx_http_longpoll_cat_assert(&z->cats, word * 64
                                            + __builtin_ctzll(slots) + 1);
                cat = &z->cats.slots[word * 64 + __builtin_ctzll(slots)];

                if (cat->hash[0]) {
                    hashes[n][0] = cat->hash[0];
                    hashes[n][1] = cat->hash[1];
                    n++;
                }
            }

            ngx_http_longpoll_zone_unlock(z);

            if (n) {
                return n;
            }
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_longpoll_zone_watch_take_all(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker)
{
    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return 1;
    }

    if (z->sh->workers[worker].wake_all == 0) {
        return 0;
    }

    return __sync_fetch_and_and(&z->sh->workers[worker].wake_all, 0) != 0;
}
