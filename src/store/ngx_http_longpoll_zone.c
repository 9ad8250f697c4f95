
/*
 * ngx_http_longpoll_zone.c: the store in shared memory, and its only lock.
 *
 *   zone_sh | slots | buckets | tombs | dirty | summary | places | log ...
 *
 *              first                         last
 *   slot ------> msg <-> msg <-> msg <-> msg <-- slot       by category
 *   zone ------> msg <-> msg <-> msg <-> msg <-- zone       by age
 *              oldest                        newest
 *
 * Every living message stands in two lists, both in the order of ids.  The log
 * knows nothing of them: who dies is decided here, at the heads of the lists
 * (over its category's buffer, expired, evicted because the zone is full),
 * and means marked dead and unlinked in one step; the bytes come back when the
 * log's tail passes.  The tail is not the oldest: never decide anything there.
 *
 * A publish
 *
 *     known     is the idempotency key in its category?    if it has one
 *     room      expire a little, evict the oldest while the living are over
 *               85 % of the log, pay for some cleaning       own steps each
 *     busy = 1
 *     append    a slot, the record into free space, then one step that links
 *     visible   = the last id: this store commits the publish
 *     mark      the dirty bits of the workers that wait for its categories
 *     cap       over-full categories lose their oldest
 *     busy = 0
 *
 * Whoever takes the lock and finds a journal, busy or an unfinished delete
 * recovers first: undoes the step, drops what never became visible, and makes
 * every worker look at all its polls.
 *
 * Long work is cut: a lock hold does about NGX_HTTP_LONGPOLL_ZONE_STEPS steps,
 * then the call lets go and comes again.  Functions that may run out of steps
 * return NGX_BUSY; what they did so far is sound.
 */


#include "ngx_http_longpoll_zone_inner.h"


#define NGX_HTTP_LONGPOLL_ZONE_FEW     32       /* steps, by the way */
#define NGX_HTTP_LONGPOLL_ZONE_SAMPLE  16       /* slots, for a victim */


/*
 * After so many holds a publish is not making way: others take what it clears.
 * It then goes on without a bound.
 */

#define ngx_http_longpoll_zone_rounds(z)                                      \
    (64 + 4 * (z)->log.sh->size / NGX_HTTP_LONGPOLL_LOG_UNIT                  \
          / NGX_HTTP_LONGPOLL_ZONE_STEPS)


/* the living may have so much of the log: what is left pays for cleaning */

#define ngx_http_longpoll_zone_limit(z)                                       \
    ((z)->log.sh->size / 20 * 17)


static void ngx_http_longpoll_zone_layout(ngx_http_longpoll_zone_t *z,
    u_char *addr, size_t size, uint64_t *log_size);
static void ngx_http_longpoll_zone_recover(ngx_http_longpoll_zone_t *z);
static void ngx_http_longpoll_zone_move(void *data,
    ngx_http_longpoll_rec_sh_t *from, uint32_t to);
static void ngx_http_longpoll_zone_free(ngx_http_longpoll_zone_t *z,
    uint32_t slot);
static void ngx_http_longpoll_zone_unpin(ngx_http_longpoll_zone_t *z,
    uint32_t slot);
static uint32_t ngx_http_longpoll_zone_victim(ngx_http_longpoll_zone_t *z,
    ngx_uint_t full, ngx_uint_t pinned);
static void ngx_http_longpoll_zone_delete_some(ngx_http_longpoll_zone_t *z,
    ngx_uint_t *steps);
static ngx_uint_t ngx_http_longpoll_zone_expire(ngx_http_longpoll_zone_t *z,
    uint64_t now, ngx_uint_t *steps);
static ngx_int_t ngx_http_longpoll_zone_reserve(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now, ngx_uint_t *steps,
    uint32_t *slot);
static void ngx_http_longpoll_zone_append(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg,
    const uint64_t *key, uint64_t now, uint64_t first, ngx_uint_t more);
static void ngx_http_longpoll_zone_acknowledge_slot(ngx_http_longpoll_zone_t *z,
    uint32_t slot, ngx_uint_t worker);
static void ngx_http_longpoll_zone_leave(ngx_http_longpoll_zone_t *z,
    uint32_t slot, ngx_uint_t worker, uint64_t now);


/*
 * making and finding
 */


ngx_int_t
ngx_http_longpoll_zone_init(ngx_http_longpoll_zone_t *z, u_char *addr,
    size_t size, ngx_uint_t exists, u_char *random, uint64_t now)
{
    uint64_t                      log_size, life;
    ngx_http_longpoll_zone_sh_t  *sh;

    ngx_http_longpoll_zone_layout(z, addr, size, &log_size);

    if (exists) {
        return NGX_OK;
    }

    /* the largest publish needs a quarter of the zone, and it is not alone */

    if (log_size < z->size / 5 * 2) {
        return NGX_DECLINED;
    }

    sh = z->sh;

    ngx_memcpy(sh->key, random, sizeof(sh->key));
    ngx_memcpy(&life, random + sizeof(sh->key), sizeof(uint64_t));

    sh->epoch = life & NGX_HTTP_LONGPOLL_EPOCH_MASK;
    sh->epochs[0] = sh->epoch;
    sh->born = now;
    sh->previous.valid_from = now;
    sh->conf = z->conf;
    sh->has_pending = z->conf.delete_on_read;
    sh->clock.last_id = ngx_http_longpoll_id(now, 0);
    sh->clock.committed = sh->clock.last_id;
    sh->clock.visible = sh->clock.last_id;

    sh->log.size = log_size;

    /* these two are filled at random: have their pages from the beginning */

    ngx_memzero(z->cats.buckets, sh->cats.nbuckets * sizeof(uint32_t));
    ngx_memzero(z->cats.tombs,
                sh->cats.nbuckets * sizeof(ngx_http_longpoll_tomb_sh_t));

    return NGX_OK;
}


static void
ngx_http_longpoll_zone_layout(ngx_http_longpoll_zone_t *z, u_char *addr,
    size_t size, uint64_t *log_size)
{
    u_char      *p;
    ngx_uint_t   nslots, nbuckets, nplaces;

    nslots = ngx_min(z->size / 512, 0x7fffffff);

    for (nbuckets = 1; nbuckets < nslots; nbuckets *= 2) { /* void */ }

    nplaces = ngx_http_longpoll_zone_nclients(z);

    z->words = (nslots + 63) / 64;
    z->sums = (z->words + 63) / 64;

    p = ngx_align_ptr(addr, 64);

    z->sh = (ngx_http_longpoll_zone_sh_t *) p;
    p += ngx_align(sizeof(ngx_http_longpoll_zone_sh_t), 64);

    z->cats.slots = (ngx_http_longpoll_cat_sh_t *) p;
    p += nslots * sizeof(ngx_http_longpoll_cat_sh_t);

    z->cats.tombs = (ngx_http_longpoll_tomb_sh_t *) p;
    p += nbuckets * sizeof(ngx_http_longpoll_tomb_sh_t);

    z->cats.buckets = (uint32_t *) p;
    p += ngx_align(nbuckets * sizeof(uint32_t), 64);

    z->dirty = (ngx_atomic_t *) p;
    p += NGX_HTTP_LONGPOLL_WORKERS * z->words * sizeof(ngx_atomic_t);

    z->summary = (ngx_atomic_t *) p;
    p += NGX_HTTP_LONGPOLL_WORKERS * z->sums * sizeof(ngx_atomic_t);

    z->deletions = (ngx_http_longpoll_deletion_sh_t *) p;
    z->ndeletions = 0;

    if (z->persist.len) {
        z->ndeletions = z->size / 128 / sizeof(ngx_http_longpoll_deletion_sh_t);
        p += z->ndeletions * sizeof(ngx_http_longpoll_deletion_sh_t);
    }

    p = ngx_align_ptr(p, 64);

    z->clients.entries = (ngx_http_longpoll_client_sh_t *) p;
    p += nplaces * sizeof(ngx_http_longpoll_client_sh_t);

    z->log.base = p;

    *log_size = 0;

    if (p < addr + size) {
        *log_size = (addr + size - p) / 64 * 64;
    }

    z->log.sh = &z->sh->log;
    z->log.journal = &z->sh->journal;
    z->log.move = ngx_http_longpoll_zone_move;
    z->log.data = z;

#if (NGX_HTTP_LONGPOLL_DEBUG)
    z->log.size = *log_size;
#endif

    z->cats.sh = &z->sh->cats;
    z->cats.journal = &z->sh->journal;

    z->clients.sh = &z->sh->clients;
    z->clients.journal = &z->sh->journal;

    if (*log_size && z->sh->cats.nslots == 0) {
        z->sh->cats.nslots = nslots;
        z->sh->cats.nbuckets = nbuckets;
        z->sh->clients.max = nplaces;
    }
}


void
ngx_http_longpoll_zone_inherit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old)
{
    z->mutex = old->mutex;
    z->sh = old->sh;
    z->cats = old->cats;
    z->log = old->log;
    z->log.data = z;
    z->clients = old->clients;
    z->dirty = old->dirty;
    z->summary = old->summary;
    z->words = old->words;
    z->sums = old->sums;
    z->deletions = old->deletions;
    z->ndeletions = old->ndeletions;
}


void
ngx_http_longpoll_zone_warm(ngx_http_longpoll_zone_t *z)
{
    u_char  *p, *last;

    /* tombs and buckets lie one behind the other */

    last = (u_char *) (z->cats.buckets + z->sh->cats.nbuckets);

    for (p = (u_char *) z->cats.tombs; p < last; p += ngx_pagesize) {
        (void) *(volatile u_char *) p;
    }
}


void
ngx_http_longpoll_zone_configure(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_zone_lock(z);
    z->sh->conf = z->conf;
    z->sh->has_pending |= z->conf.delete_on_read;
    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_name(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat)
{
    ngx_http_longpoll_hash(cat->hash, z->sh->key, cat->name.data,
                           cat->name.len);
}


/*
 * the lock
 */


void
ngx_http_longpoll_zone_lock(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_lock(z->mutex);

    ngx_http_longpoll_zone_validate(z);

    if (z->sh->journal.n || z->sh->work.busy || z->sh->work.delete_slot) {
        ngx_http_longpoll_zone_recover(z);
        ngx_http_longpoll_zone_validate(z);
    }

    if (ngx_http_longpoll_zone_has_late(z, z->sh->clock.visible, 0)) {
        ngx_http_longpoll_zone_advance(z,
                      z->late ? *ngx_http_longpoll_zone_late_upto(z,
                                                        z->sh->resize.generation) : 0);
    }
}


void
ngx_http_longpoll_zone_unlock(ngx_http_longpoll_zone_t *z)
{
    ngx_shmtx_unlock(z->mutex);
}


static void
ngx_http_longpoll_zone_recover(ngx_http_longpoll_zone_t *z)
{
    ngx_uint_t                    i, steps;
    ngx_http_longpoll_zone_sh_t  *sh;
    ngx_http_longpoll_msg_sh_t   *msg;

    sh = z->sh;

    ngx_http_longpoll_journal_undo(&sh->journal);
    ngx_http_longpoll_zone_validate(z);

    if (sh->work.busy) {

        while (sh->list.newest) {
            msg = ngx_http_longpoll_zone_msg(z, sh->list.newest);

            if (msg->id <= sh->clock.committed) {
                break;
            }

            ngx_http_longpoll_zone_drop(z, msg,
                                        NGX_HTTP_LONGPOLL_ZONE_TAKEN);
            ngx_http_longpoll_zone_release(z, msg->slot);
        }

        if (!sh->disk.durable) {
            ngx_http_longpoll_put(sh->clock.visible, sh->clock.committed);
        }

        for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS; i++) {
            ngx_http_longpoll_put(sh->workers[i].wake_all, 1);
        }

        ngx_http_longpoll_put(sh->work.busy, 0);
    }

    if (sh->work.delete_slot) {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
        ngx_http_longpoll_zone_delete_some(z, &steps);
    }
}


uint64_t
ngx_http_longpoll_zone_clock(ngx_http_longpoll_zone_t *z, uint64_t now)
{
    return ngx_max(now, ngx_http_longpoll_id_ms(z->sh->clock.last_id));
}


void
ngx_http_longpoll_zone_uuid(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_http_longpoll_uuid_t *uuid)
{
    ngx_uint_t  life;

    life = ngx_http_longpoll_msg_epoch(msg);

    if (life == NGX_HTTP_LONGPOLL_FOREIGN) {
        uuid->high = ngx_http_longpoll_zone_foreign(msg)[0];
        uuid->low = ngx_http_longpoll_zone_foreign(msg)[1];
        return;
    }

    ngx_http_longpoll_id_uuid(uuid, msg->id, z->sh->epochs[life]);
}


/*
 * steps that everything is made of
 */


static void
ngx_http_longpoll_zone_move(void *data, ngx_http_longpoll_rec_sh_t *from,
    uint32_t to)
{
    ngx_http_longpoll_zone_t *z = data;

    ngx_http_longpoll_cat_sh_t      *cat;
    ngx_http_longpoll_msg_sh_t      *msg;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;
    msg = (ngx_http_longpoll_msg_sh_t *) from;

    ngx_http_longpoll_assert(msg->slot < sh->cats.nslots, "a message's slot");
    cat = &z->cats.slots[msg->slot];

    if (msg->prev) {
        ngx_http_longpoll_set(j, ngx_http_longpoll_zone_msg(z, msg->prev)->next,
                              to);
    } else {
        ngx_http_longpoll_set(j, cat->first, to);
    }

    if (msg->next) {
        ngx_http_longpoll_set(j, ngx_http_longpoll_zone_msg(z, msg->next)->prev,
                              to);
    } else {
        ngx_http_longpoll_set(j, cat->last, to);
    }

    if (msg->older) {
        ngx_http_longpoll_set(j,
                              ngx_http_longpoll_zone_msg(z, msg->older)->newer,
                              to);
    } else {
        ngx_http_longpoll_set(j, sh->list.oldest, to);
    }

    if (msg->newer) {
        ngx_http_longpoll_set(j,
                              ngx_http_longpoll_zone_msg(z, msg->newer)->older,
                              to);
    } else {
        ngx_http_longpoll_set(j, sh->list.newest, to);
    }

    if (z->ndeletions) {
        ngx_http_longpoll_zone_relink_cursors(z, msg, to);
    }
}


void
ngx_http_longpoll_zone_drop(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_http_longpoll_zone_why_e why)
{
    ngx_http_longpoll_cat_sh_t      *cat;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_cats_sh_t     *cats;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    cats = &sh->cats;
    j = &sh->journal;
    cat = &z->cats.slots[msg->slot];

    ngx_http_longpoll_assert(msg->rec.state == NGX_HTTP_LONGPOLL_LOG_LIVE,
                            "a dead message in a list");

    if (why != NGX_HTTP_LONGPOLL_ZONE_TAKEN && cat->dropped < msg->id) {
        ngx_http_longpoll_set(j, cat->dropped, msg->id);
    }

    if (z->ndeletions) {
        ngx_http_longpoll_zone_relink_cursors(z, msg, msg->newer);

        if (why != NGX_HTTP_LONGPOLL_ZONE_LOST) {
            ngx_http_longpoll_zone_record_deletion(z, msg);
        }

        ngx_http_longpoll_zone_count_unexposed(z, msg);
    }

    ngx_http_longpoll_set(j, msg->rec.state, NGX_HTTP_LONGPOLL_LOG_DEAD);

    if (msg->prev) {
        ngx_http_longpoll_set(j, ngx_http_longpoll_zone_msg(z, msg->prev)->next,
                              msg->next);
    } else {
        ngx_http_longpoll_set(j, cat->first, msg->next);
    }

    if (msg->next) {
        ngx_http_longpoll_set(j, ngx_http_longpoll_zone_msg(z, msg->next)->prev,
                              msg->prev);
    } else {
        ngx_http_longpoll_set(j, cat->last, msg->prev);
    }

    if (msg->older) {
        ngx_http_longpoll_set(j,
                              ngx_http_longpoll_zone_msg(z, msg->older)->newer,
                              msg->newer);
    } else {
        ngx_http_longpoll_set(j, sh->list.oldest, msg->newer);
    }

    if (msg->newer) {
        ngx_http_longpoll_set(j,
                              ngx_http_longpoll_zone_msg(z, msg->newer)->older,
                              msg->older);
    } else {
        ngx_http_longpoll_set(j, sh->list.newest, msg->older);
    }

    ngx_http_longpoll_set(j, cat->count, cat->count - 1);

    if (cat->count == 0) {
        ngx_http_longpoll_set(j, cats->full, cats->full - 1);

        if (cat->waiting == 0) {
            ngx_http_longpoll_set(j, cats->active, cats->active - 1);
        }
    }

    ngx_http_longpoll_set(j, sh->log.live,
                          sh->log.live
                          - ngx_http_longpoll_log_bytes(&msg->rec));
    ngx_http_longpoll_set(j, sh->list.count, sh->list.count - 1);
    ngx_http_longpoll_done(j);
}


void
ngx_http_longpoll_zone_release(ngx_http_longpoll_zone_t *z, uint32_t slot)
{
    ngx_http_longpoll_cat_sh_t  *cat;

    ngx_http_longpoll_cat_assert(&z->cats, slot + 1);
    cat = &z->cats.slots[slot];

    if (cat->count == 0 && cat->waiting == 0
        && cat->dropped == 0 && cat->shared == 0)
    {
        ngx_http_longpoll_zone_free(z, slot);
    }
}


/* whatever was to be deleted of the category is gone with it */

static void
ngx_http_longpoll_zone_free(ngx_http_longpoll_zone_t *z, uint32_t slot)
{
    if (z->sh->work.delete_slot == slot + 1) {
        ngx_http_longpoll_put(z->sh->work.delete_slot, 0);
    }

    ngx_http_longpoll_cat_free(&z->cats, slot);
}


ngx_uint_t
ngx_http_longpoll_zone_inactive(ngx_http_longpoll_zone_t *z, uint32_t slot,
    uint64_t now)
{
    uint64_t                     inactive;
    ngx_http_longpoll_cat_sh_t  *cat;

    cat = &z->cats.slots[slot];
    inactive = z->sh->conf.inactive;

    return inactive && cat->waiting == 0 && now >= cat->used + inactive;
}


ngx_int_t
ngx_http_longpoll_zone_forget(ngx_http_longpoll_zone_t *z, uint32_t slot,
    ngx_atomic_t *counter, ngx_uint_t *steps)
{
    ngx_http_longpoll_cat_sh_t  *cat;

    cat = &z->cats.slots[slot];

    while (cat->first) {

        if (*steps == 0) {
            return NGX_BUSY;
        }

        (*steps)--;

        ngx_http_longpoll_zone_drop(z,
                                    ngx_http_longpoll_zone_msg(z, cat->first),
                                    NGX_HTTP_LONGPOLL_ZONE_FORGOTTEN);
        (void) ngx_atomic_fetch_add(counter, 1);
    }

    if (cat->waiting == 0) {

        ngx_http_longpoll_zone_free(z, slot);
    }

    return NGX_OK;
}


/* a publish needs the slot more: its polls become loose */

static void
ngx_http_longpoll_zone_unpin(ngx_http_longpoll_zone_t *z, uint32_t slot)
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


/*
 * Of a few slots from a hand on, the one used longest ago: it does nearly as
 * well as a list by age, and nothing has to be kept.  Full: of those with
 * messages, else of those without.  One with parked polls only where pinned
 * ones may be taken and no other was seen in a long look.
 */

static uint32_t
ngx_http_longpoll_zone_victim(ngx_http_longpoll_zone_t *z, ngx_uint_t full,
    ngx_uint_t pinned)
{
    uint32_t                      n, best[2];
    ngx_uint_t                    i, seen, pin;
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

        /* what is being published now is not dropped for its own sake */

        if (cat->last
            && ngx_http_longpoll_zone_msg(z, cat->last)->id > z->sh->clock.visible)
        {
            continue;
        }

        pin = (cat->waiting != 0);
        seen += !pin;

        if (best[pin] == NGX_HTTP_LONGPOLL_CAT_NONE
            || cat->used < z->cats.slots[best[pin]].used)
        {
            best[pin] = n;
        }
    }

    if (best[0] == NGX_HTTP_LONGPOLL_CAT_NONE && pinned) {
        return best[1];
    }

    return best[0];
}


static void
ngx_http_longpoll_zone_delete_some(ngx_http_longpoll_zone_t *z,
    ngx_uint_t *steps)
{
    uint32_t                      slot;
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_msg_sh_t   *msg;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    slot = sh->work.delete_slot - 1;
    cat = &z->cats.slots[slot];

    while (cat->first) {
        msg = ngx_http_longpoll_zone_msg(z, cat->first);

        if (msg->id > sh->work.delete_id) {
            break;
        }

        if (*steps == 0) {
            return;
        }

        (*steps)--;

        ngx_http_longpoll_zone_drop(z, msg,
                                    NGX_HTTP_LONGPOLL_ZONE_TAKEN);
    }

    ngx_http_longpoll_put(sh->work.delete_slot, 0);

    ngx_http_longpoll_zone_release(z, slot);
}


/*
 * publishing
 */


ngx_int_t
ngx_http_longpoll_zone_publish(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs, ngx_uint_t n,
    ngx_str_t *name, uint64_t now, uint64_t *wake)
{
    uint32_t                       slot;
    uint64_t                       need;
    ngx_int_t                      rc;
    ngx_uint_t                     i, ncats, round, steps;
    ngx_http_longpoll_zone_sh_t   *sh;
    ngx_http_longpoll_zone_key_t   key;

    sh = z->sh;
    *wake = 0;

    if (name) {
        ngx_http_longpoll_hash(key.hash, sh->key, name->data, name->len);
        key.hash[1] = (key.hash[1] & ~0xffffULL) | (n - 1);
        key.slot = NGX_HTTP_LONGPOLL_CAT_NONE;
        key.ref = 0;
    }

    for (round = 0; /* void */ ; round++) {
        steps = round < ngx_http_longpoll_zone_rounds(z)
                ? NGX_HTTP_LONGPOLL_ZONE_STEPS : (ngx_uint_t) -1;
        need = 0;
        ncats = 0;

        ngx_http_longpoll_zone_lock(z);

        /* what a message needs goes by the zone's parameters */

        for (i = 0; i < n; i++) {
            ncats = ngx_max(ncats, msgs[i].cat + 1);
            need += ngx_http_longpoll_zone_need(&cats[msgs[i].cat], &msgs[i],
                              ngx_http_longpoll_zone_bits(z, name && i == 0));
        }

        if (name) {
            rc = ngx_http_longpoll_zone_known(z, cats, &key, now, &steps);

            if (rc == NGX_OK) {
                ngx_http_longpoll_zone_unlock(z);

                msgs[n - 1].id = key.last_id;
                msgs[n - 1].uuid = key.last;
                return NGX_DONE;
            }

            if (rc == NGX_BUSY) {
                ngx_http_longpoll_zone_unlock(z);
                continue;
            }
        }

        if (need > z->size / 4
            || ncats > ngx_http_longpoll_cat_max_full(&z->cats))
        {
            ngx_http_longpoll_zone_unlock(z);
            return NGX_DECLINED;
        }

        if (ngx_http_longpoll_zone_room(z, &cats[msgs[0].cat], need, now,
                                        &steps)
            == NGX_OK)
        {
            break;
        }

        ngx_http_longpoll_zone_unlock(z);
    }

    ngx_http_longpoll_put(sh->work.busy, 1);

    /* later than all that the zones which have its place gave: nobody who reads
     * here, too, goes back */

    if (sh->resize.moved && z->late && sh->clock.last_id < z->late->issued) {
        ngx_http_longpoll_put(sh->clock.last_id, z->late->issued);
    }

    for (i = 0; i < n; i++) {
        ngx_http_longpoll_zone_append(z, &cats[msgs[i].cat], &msgs[i],
                                      name && i == 0 ? key.hash : NULL, now,
                                      i ? msgs[0].id : (uint64_t) -1,
                                      i + 1 < n);
    }

    if (sh->resize.moved) {
        ngx_http_longpoll_zone_late_write(z);

    } else {
        ngx_http_longpoll_zone_note_issued(z);
    }

    /* who is killed here has counted too many, and not too few */

    if (!sh->disk.durable) {
        ngx_http_longpoll_zone_count(z, published, n);
    }

    ngx_http_longpoll_put(sh->clock.committed, sh->clock.last_id);

    if (sh->disk.durable) {
        *wake = ngx_http_longpoll_zone_writer(z);
        rc = NGX_AGAIN;

    } else {
        ngx_http_longpoll_put(sh->clock.visible, sh->clock.committed);
        rc = NGX_OK;

        for (i = 0; i < n; i++) {
            slot = (uint32_t) msgs[i].pos;
            *wake |= ngx_http_longpoll_zone_mark_workers(z, slot, msgs[0].id);

            steps = NGX_HTTP_LONGPOLL_ZONE_FEW;
            (void) ngx_http_longpoll_zone_trim(z, slot, &steps);
        }
    }

    ngx_http_longpoll_put(sh->work.busy, 0);

    ngx_http_longpoll_zone_unlock(z);

    return rc;
}


uint64_t
ngx_http_longpoll_zone_need(ngx_http_longpoll_cat_t *cat,
    ngx_http_longpoll_msg_t *msg, ngx_uint_t bits)
{
    return ngx_align(ngx_http_longpoll_zone_front(bits)
                     + cat->name.len + msg->data.len,
                     NGX_HTTP_LONGPOLL_LOG_UNIT);
}


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

    few = NGX_HTTP_LONGPOLL_ZONE_FEW;
    (void) ngx_http_longpoll_zone_expire(z, now, &few);

    if (ngx_http_longpoll_zone_reserve(z, cat, now, steps, &slot) != NGX_OK) {
        return NGX_BUSY;
    }

    while (sh->log.live + need > ngx_http_longpoll_zone_limit(z)) {

        if (*steps == 0) {
            return NGX_BUSY;
        }

        (*steps)--;

        ngx_http_longpoll_zone_drop(z,
                                    ngx_http_longpoll_zone_msg(z, sh->list.oldest),
                                    NGX_HTTP_LONGPOLL_ZONE_LOST);
        ngx_http_longpoll_zone_count(z, evicted, 1);
    }

    ngx_http_longpoll_log_pace(&z->log, need);

    tail = sh->log.tail;

    while (!ngx_http_longpoll_log_fits(&z->log, need)) {

        if (*steps == 0) {
            return NGX_BUSY;
        }

        moved = ngx_http_longpoll_log_clean(&z->log);
        *steps -= ngx_min(*steps, 1 + moved / 4096);

        if (sh->log.tail - tail > 2 * sh->log.size && sh->list.oldest) {
            tail = sh->log.tail;

            ngx_http_longpoll_zone_drop(z,
                                        ngx_http_longpoll_zone_msg(z,
                                                                   sh->list.oldest),
                                        NGX_HTTP_LONGPOLL_ZONE_LOST);
            ngx_http_longpoll_zone_count(z, evicted, 1);
        }
    }

    return NGX_OK;
}


/* drops what is over its ttl; returns whether there is more */

static ngx_uint_t
ngx_http_longpoll_zone_expire(ngx_http_longpoll_zone_t *z, uint64_t now,
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

        if (ngx_http_longpoll_id_ms(msg->id) + sh->conf.ttl > clock) {
            return 0;
        }

        if (*steps == 0) {
            return 1;
        }

        (*steps)--;

        ngx_http_longpoll_zone_drop(z, msg,
                                    NGX_HTTP_LONGPOLL_ZONE_LOST);
        ngx_http_longpoll_zone_count(z, expired, 1);
    }

    return 0;
}


/*
 * Before a category is published to: what is inactive does not come to life
 * again.  And categories with messages may have three quarters of the slots;
 * when they have, the one used longest ago is forgotten for a new one.
 */

static ngx_int_t
ngx_http_longpoll_zone_reserve(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now, ngx_uint_t *steps,
    uint32_t *slot)
{
    uint32_t  victim;

    *slot = ngx_http_longpoll_cat_find(&z->cats, cat->hash);

    if (*slot != NGX_HTTP_LONGPOLL_CAT_NONE
        && ngx_http_longpoll_zone_inactive(z, *slot, now))
    {
        if (ngx_http_longpoll_zone_forget(z, *slot, &z->sh->counters.expired,
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

    victim = ngx_http_longpoll_zone_victim(z, 1, 1);

    if (victim == NGX_HTTP_LONGPOLL_CAT_NONE) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_zone_forget(z, victim, &z->sh->counters.evicted,
                                      steps)
        != NGX_OK)
    {
        /* whoever comes next goes on with this one: one goes, and not many */

        ngx_http_longpoll_put(z->cats.slots[victim].used, 0);
        ngx_http_longpoll_put(z->sh->cats.hand, victim);

        return NGX_BUSY;
    }

    return NGX_OK;
}


uint32_t
ngx_http_longpoll_zone_slot(ngx_http_longpoll_zone_t *z,
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
            slot = ngx_http_longpoll_zone_victim(z, 0, 1);

            if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
                slot = ngx_http_longpoll_zone_victim(z, 1, 1);
            }

        } while (slot == NGX_HTTP_LONGPOLL_CAT_NONE);

        if (z->cats.slots[slot].waiting) {
            ngx_http_longpoll_zone_unpin(z, slot);
        }

        (void) ngx_http_longpoll_zone_forget(z, slot,
                                             &z->sh->counters.evicted, &steps);
    }
}


/*
 * first: the id from which on all is of this publish; more: of which this is
 * not the last
 */

static void
ngx_http_longpoll_zone_append(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg,
    const uint64_t *key, uint64_t now, uint64_t first, ngx_uint_t more)
{
    uint32_t                      slot;
    uint64_t                      owed;
    ngx_uint_t                    bits;
    ngx_http_longpoll_cat_sh_t   *c;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    slot = ngx_http_longpoll_zone_slot(z, cat, now);
    c = &z->cats.slots[slot];
    msg->pos = slot;

    msg->id = ngx_max(ngx_http_longpoll_id(now, 0), sh->clock.last_id + 1);
    ngx_http_longpoll_id_uuid(&msg->uuid, msg->id, sh->epoch);
    ngx_http_longpoll_put(sh->clock.last_id, msg->id);
    ngx_http_longpoll_put(c->used, now);

    bits = ngx_http_longpoll_zone_bits(z, key);
    owed = bits & NGX_HTTP_LONGPOLL_MSG_PENDING
           ? ngx_http_longpoll_zone_waits(z, c, first) : 0;

    if (more) {
        bits |= NGX_HTTP_LONGPOLL_MSG_MORE;
    }

    ngx_http_longpoll_zone_put(z, cat, msg, bits, owed, key);
}


void
ngx_http_longpoll_zone_put(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg, ngx_uint_t bits,
    uint64_t owed, const uint64_t *key)
{
    u_char                          *p;
    uint32_t                         slot, ref;
    uint64_t                         need, head;
    ngx_http_longpoll_cat_sh_t      *c;
    ngx_http_longpoll_msg_sh_t      *m;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_cats_sh_t     *cats;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    cats = &sh->cats;
    j = &sh->journal;

    slot = (uint32_t) msg->pos;
    c = &z->cats.slots[slot];

    need = ngx_http_longpoll_zone_need(cat, msg, bits);
    m = ngx_http_longpoll_log_reserve(&z->log, need, &head);
    ref = ngx_http_longpoll_zone_ref(z, m);

    ngx_http_longpoll_step();

    m->rec.units = (uint32_t) (need / NGX_HTTP_LONGPOLL_LOG_UNIT);
    m->rec.state = NGX_HTTP_LONGPOLL_LOG_LIVE;
    m->rec.bits = (u_char) bits;
    m->rec.name_len = (uint16_t) cat->name.len;
    m->data_len = (uint32_t) msg->data.len;
    m->slot = slot;
    m->id = msg->id;
    m->next = 0;
    m->prev = c->last;
    m->newer = 0;
    m->older = sh->list.newest;

    if (bits & NGX_HTTP_LONGPOLL_MSG_PENDING) {
        *ngx_http_longpoll_zone_pending(m) = owed;
    }

    if (bits & NGX_HTTP_LONGPOLL_MSG_KEYED) {
        ngx_memcpy(ngx_http_longpoll_zone_key(m), key, 2 * sizeof(uint64_t));
    }

    if (bits >> 4 == NGX_HTTP_LONGPOLL_FOREIGN) {
        ngx_http_longpoll_zone_foreign(m)[0] = msg->uuid.high;
        ngx_http_longpoll_zone_foreign(m)[1] = msg->uuid.low;
    }

    p = (u_char *) m + ngx_http_longpoll_zone_front(bits);
    p = ngx_cpymem(p, cat->name.data, cat->name.len);
    ngx_memcpy(p, msg->data.data, msg->data.len);

    ngx_http_longpoll_set(j, sh->log.head, head);

    if (c->last) {
        ngx_http_longpoll_set(j, ngx_http_longpoll_zone_msg(z, c->last)->next,
                              ref);
    } else {
        ngx_http_longpoll_set(j, c->first, ref);
        ngx_http_longpoll_set(j, cats->full, cats->full + 1);

        if (c->waiting == 0) {
            ngx_http_longpoll_set(j, cats->active, cats->active + 1);
        }
    }

    if (sh->list.newest) {
        ngx_http_longpoll_set(j,
                              ngx_http_longpoll_zone_msg(z, sh->list.newest)->newer,
                              ref);
    } else {
        ngx_http_longpoll_set(j, sh->list.oldest, ref);
    }

    if (z->ndeletions) {
        ngx_http_longpoll_zone_relink_cursors(z, NULL, ref);
    }

    ngx_http_longpoll_set(j, c->last, ref);
    ngx_http_longpoll_set(j, sh->list.newest, ref);
    ngx_http_longpoll_set(j, c->count, c->count + 1);
    ngx_http_longpoll_set(j, sh->log.live, sh->log.live + need);
    ngx_http_longpoll_set(j, sh->list.count, sh->list.count + 1);
    ngx_http_longpoll_done(j);
}


/*
 * The workers that wait for a category; one that had no messages before this
 * publish may be waited for loosely.
 */

uint64_t
ngx_http_longpoll_zone_waits(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_sh_t *cat, uint64_t first)
{
    if (cat->first == 0
        || ngx_http_longpoll_zone_msg(z, cat->first)->id >= first)
    {
        return cat->waiting | z->sh->slotless;
    }

    return cat->waiting;
}


/* tells the workers that wait for the category */

uint64_t
ngx_http_longpoll_zone_mark_workers(ngx_http_longpoll_zone_t *z, uint32_t slot,
    uint64_t first)
{
    uint64_t    workers, left, bit, sum;
    ngx_uint_t  i, word;

    workers = ngx_http_longpoll_zone_waits(z, &z->cats.slots[slot], first);

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


ngx_int_t
ngx_http_longpoll_zone_trim(ngx_http_longpoll_zone_t *z, uint32_t slot,
    ngx_uint_t *steps)
{
    uint64_t                      n;
    uint32_t                      ref;
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_msg_sh_t   *msg;
    ngx_http_longpoll_cursor_sh_t  *shown;

    cat = &z->cats.slots[slot];
    shown = &z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];

    if (cat->count <= z->sh->conf.buffer) {
        return NGX_OK;
    }

    n = cat->count;

    /* what waits for the disk pushes nothing out yet */

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

        if (z->sh->disk.durable && msg->id > shown->id) {

            /* nobody has been told of it, and it is not counted yet */

            return NGX_OK;
        }

        ngx_http_longpoll_zone_drop(z, msg, NGX_HTTP_LONGPOLL_ZONE_LOST);
    }

    return NGX_OK;
}


/*
 * interest
 */


/*
 * A poll takes a slot that is free, or one that was emptied and that nobody
 * waits on, within a quarter of all; never one with messages.  Without a slot
 * it is loose: a publish to a category without messages tells its worker.
 */

uint32_t
ngx_http_longpoll_zone_watch(ngx_http_longpoll_zone_t *z, ngx_uint_t worker,
    ngx_http_longpoll_cat_t *cat, uint64_t now)
{
    uint32_t                         slot, victim;
    uint64_t                         bit;
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
            victim = ngx_http_longpoll_zone_victim(z, 0, 0);

            if (victim != NGX_HTTP_LONGPOLL_CAT_NONE) {
                ngx_http_longpoll_zone_free(z, victim);
            }
        }

        if (ngx_http_longpoll_cat_idle(&z->cats)
            < ngx_http_longpoll_cat_max_idle(&z->cats))
        {
            slot = ngx_http_longpoll_cat_claim(&z->cats, cat->hash, now);
        }
    }

    if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
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
ngx_http_longpoll_zone_unwatch(ngx_http_longpoll_zone_t *z, ngx_uint_t worker,
    const uint64_t hash[2], uint32_t slot, uint64_t now)
{
    ngx_http_longpoll_cat_sh_t  *cat;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER
        || slot == NGX_HTTP_LONGPOLL_CAT_NONE)
    {
        return;
    }

    ngx_http_longpoll_zone_lock(z);

    cat = &z->cats.slots[slot];

    if (cat->hash[0] == hash[0] && cat->hash[1] == hash[1]) {
        ngx_http_longpoll_zone_leave(z, slot, worker, now);
    }

    ngx_http_longpoll_zone_unlock(z);
}


/* the worker no longer waits on a slot */

static void
ngx_http_longpoll_zone_leave(ngx_http_longpoll_zone_t *z, uint32_t slot,
    ngx_uint_t worker, uint64_t now)
{
    uint64_t                         bit;
    ngx_http_longpoll_cat_sh_t      *cat;
    ngx_http_longpoll_cats_sh_t     *cats;
    ngx_http_longpoll_journal_sh_t  *j;

    cat = &z->cats.slots[slot];
    cats = &z->sh->cats;
    j = &z->sh->journal;

    bit = ngx_http_longpoll_zone_bit(worker);

    if (!(cat->waiting & bit)) {
        return;
    }

    ngx_http_longpoll_put(cat->used, ngx_max(cat->used, now));
    ngx_http_longpoll_zone_acknowledge_slot(z, slot, worker);

    if (cat->waiting == bit && cat->count == 0) {
        ngx_http_longpoll_set(j, cats->active, cats->active - 1);
    }

    ngx_http_longpoll_set(j, cat->waiting, cat->waiting & ~bit);
    ngx_http_longpoll_done(j);

    ngx_http_longpoll_zone_release(z, slot);
}


void
ngx_http_longpoll_zone_acknowledge(ngx_http_longpoll_zone_t *z, ngx_uint_t worker,
    const uint64_t hash[2])
{
    uint32_t  slot;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    ngx_http_longpoll_zone_lock(z);

    slot = ngx_http_longpoll_cat_find(&z->cats, hash);

    if (slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
        ngx_http_longpoll_zone_acknowledge_slot(z, slot, worker);
    }

    ngx_http_longpoll_zone_unlock(z);
}


static void
ngx_http_longpoll_zone_acknowledge_slot(ngx_http_longpoll_zone_t *z, uint32_t slot,
    ngx_uint_t worker)
{
    uint32_t                     ref;
    uint64_t                    *owed;
    ngx_http_longpoll_msg_sh_t  *msg;

    if (!z->sh->has_pending) {
        return;
    }

    for (ref = z->cats.slots[slot].first; ref; ref = msg->next) {
        msg = ngx_http_longpoll_zone_msg(z, ref);

        if (!(msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING)) {
            continue;
        }

        owed = ngx_http_longpoll_zone_pending(msg);

        ngx_http_longpoll_put(*owed,
                              *owed & ~ngx_http_longpoll_zone_bit(worker));

        if (*owed == 0 && (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_TAKEN)) {
            ngx_http_longpoll_zone_drop(z, msg,
                                        NGX_HTTP_LONGPOLL_ZONE_TAKEN);
        }
    }
}


void
ngx_http_longpoll_zone_count_slotless(ngx_http_longpoll_zone_t *z, ngx_uint_t worker,
    ngx_int_t n)
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


ngx_uint_t
ngx_http_longpoll_zone_dirty(ngx_http_longpoll_zone_t *z, ngx_uint_t worker,
    uint64_t hashes[][2])
{
    uint64_t                     slots;
    ngx_uint_t                   i, n, sum, word;
    ngx_atomic_t                *summary, *dirty;
    ngx_http_longpoll_cat_sh_t  *cat;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return 0;
    }

    summary = &z->summary[worker * z->sums];
    dirty = &z->dirty[worker * z->words];

    for (i = 0; i < z->sums; i++) {

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
ngx_http_longpoll_zone_wake_all(ngx_http_longpoll_zone_t *z, ngx_uint_t worker)
{
    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return 1;
    }

    if (z->sh->workers[worker].wake_all == 0) {
        return 0;
    }

    return __sync_fetch_and_and(&z->sh->workers[worker].wake_all, 0) != 0;
}


void
ngx_http_longpoll_zone_reap_worker(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now)
{
    ngx_uint_t                      n, steps, more;
    ngx_http_longpoll_worker_sh_t  *w;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    w = &z->sh->workers[worker];

    if (z->sh->disk.writer == worker + 1) {
        ngx_http_longpoll_put(z->sh->disk.writer, 0);
    }

    if (z->sh->disk.members & ngx_http_longpoll_zone_bit(worker)) {
        (void) ngx_http_longpoll_zone_resign(z, worker, 0);
    }

    if (!w->known) {
        return;
    }

    ngx_http_longpoll_zone_reap_clients(z, worker, now);

    n = 0;

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);

        for ( /* void */ ; steps && n < z->sh->cats.fresh; n++, steps--) {

            /* it may owe where it does not wait: while it was loose */

            if (z->cats.slots[n].hash[0]) {
                ngx_http_longpoll_zone_acknowledge_slot(z, n, worker);
                ngx_http_longpoll_zone_leave(z, n, worker, now);
            }
        }

        more = n < z->sh->cats.fresh;

        if (!more) {
            ngx_http_longpoll_put(w->waiting, 0);
            ngx_http_longpoll_put(w->slotless, 0);
            ngx_http_longpoll_put(w->wake_all, 0);
            ngx_http_longpoll_put(z->sh->slotless, z->sh->slotless
                                  & ~ngx_http_longpoll_zone_bit(worker));
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (more);

    ngx_http_longpoll_step();

    ngx_memzero((void *) &z->dirty[worker * z->words],
                z->words * sizeof(ngx_atomic_t));
    ngx_memzero((void *) &z->summary[worker * z->sums],
                z->sums * sizeof(ngx_atomic_t));

    /* whoever dies before this leaves all of it to be done again */

    ngx_http_longpoll_put(w->known, 0);
}


/*
 * time
 */


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

    second = sh->tick.second;

    if (second == now / 1000
        || !ngx_atomic_cmp_set(&sh->tick.second, second, now / 1000))
    {
        return 0;
    }

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);
        more = ngx_http_longpoll_zone_expire(z, now, &steps);
        ngx_http_longpoll_zone_unlock(z);

    } while (more);

    ngx_http_longpoll_zone_idle_clients(z, now);

    if (sh->conf.inactive == 0) {
        return 1;
    }

    /* over half of all slots in a second */

    left = sh->cats.fresh / 2 + 1;

    while (left) {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);

        while (steps && left) {
            n = sh->tick.sweep < sh->cats.fresh ? sh->tick.sweep : 0;

            if (z->cats.slots[n].hash[0]
                && ngx_http_longpoll_zone_inactive(z, n, now)
                && ngx_http_longpoll_zone_forget(z, n, &sh->counters.expired,
                                                 &steps)
                   != NGX_OK)
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


/*
 * what operators and tests ask for
 */


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
    st->used = z->size - (ngx_http_longpoll_zone_limit(z)
                          - ngx_min(sh->log.live,
                                    ngx_http_longpoll_zone_limit(z)));
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


void
ngx_http_longpoll_zone_category(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now,
    ngx_http_longpoll_category_status_t *st)
{
    uint32_t                     slot;
    ngx_int_t                    rc;
    ngx_uint_t                   steps;
    ngx_http_longpoll_cat_sh_t  *c;
    ngx_http_longpoll_msg_sh_t  *last;

    ngx_memzero(st, sizeof(ngx_http_longpoll_category_status_t));

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);

        rc = ngx_http_longpoll_zone_touch(z, cat, now, 0, &steps, &slot);

        if (rc == NGX_OK && slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
            c = &z->cats.slots[slot];

            if (c->count) {
                st->events = c->count;
                ngx_http_longpoll_zone_uuid(z,
                                    ngx_http_longpoll_zone_msg(z, c->first),
                                    &st->first);
                last = ngx_http_longpoll_zone_last(z, slot);

                if (last) {
                    ngx_http_longpoll_zone_uuid(z, last, &st->last);
                }
            }
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (rc == NGX_BUSY);
}


uint64_t
ngx_http_longpoll_zone_ask(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now)
{
    uint64_t                      number;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    number = 0;

    ngx_http_longpoll_zone_lock(z);

    if (!sh->question.open || now < sh->question.asked
        || now >= sh->question.asked + NGX_HTTP_LONGPOLL_ZONE_OPEN)
    {
        number = sh->question.number + 1;

        ngx_http_longpoll_put(sh->question.open, 1);
        ngx_http_longpoll_put(sh->question.asked, now);
        ngx_http_longpoll_put(sh->question.about[0], cat->hash[0]);
        ngx_http_longpoll_put(sh->question.about[1], cat->hash[1]);
        ngx_http_longpoll_put(sh->question.number, number);
    }

    ngx_http_longpoll_zone_unlock(z);

    return number;
}


ngx_uint_t
ngx_http_longpoll_zone_question(ngx_http_longpoll_zone_t *z, ngx_uint_t worker,
    uint64_t *number, uint64_t hash[2])
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER
        || sh->workers[worker].answered == sh->question.number)
    {
        return 0;
    }

    ngx_http_longpoll_zone_lock(z);

    *number = sh->question.number;
    hash[0] = sh->question.about[0];
    hash[1] = sh->question.about[1];

    ngx_http_longpoll_zone_unlock(z);

    return 1;
}


void
ngx_http_longpoll_zone_answer(ngx_http_longpoll_zone_t *z, ngx_uint_t worker,
    uint64_t number, ngx_uint_t n)
{
    ngx_http_longpoll_put(z->sh->workers[worker].answer, n);
    ngx_memory_barrier();
    ngx_http_longpoll_put(z->sh->workers[worker].answered, number);
}


ngx_int_t
ngx_http_longpoll_zone_answers(ngx_http_longpoll_zone_t *z, uint64_t number,
    uint64_t alive, uint64_t *n)
{
    uint64_t                        left;
    ngx_int_t                       rc;
    ngx_http_longpoll_worker_sh_t  *w;

    if (z->sh->question.number != number) {
        return NGX_DECLINED;
    }

    rc = NGX_OK;
    *n = 0;

    for (left = alive; left; left &= left - 1) {
        w = &z->sh->workers[__builtin_ctzll(left)];

        if (w->answered == number) {
            ngx_memory_barrier();
            *n += w->answer;

        } else {
            rc = NGX_AGAIN;
        }
    }

    return rc;
}


void
ngx_http_longpoll_zone_settled(ngx_http_longpoll_zone_t *z, uint64_t number)
{
    ngx_http_longpoll_zone_lock(z);

    if (z->sh->question.number == number) {
        ngx_http_longpoll_put(z->sh->question.open, 0);
    }

    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_delete(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now)
{
    uint32_t                      slot;
    ngx_uint_t                    begun, more, steps;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    begun = 0;

    do {
        more = 0;

        ngx_http_longpoll_zone_lock(z);

        if (sh->work.delete_slot) {

            /* its own, or somebody else's before it */

            more = 1;

        } else if (!begun) {
            begun = 1;
            slot = ngx_http_longpoll_cat_find(&z->cats, cat->hash);

            if (slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
                ngx_http_longpoll_put(z->cats.slots[slot].used, now);
                ngx_http_longpoll_put(sh->work.delete_id, sh->clock.visible);
                ngx_http_longpoll_put(sh->work.delete_slot, slot + 1);

                steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
                ngx_http_longpoll_zone_delete_some(z, &steps);

                more = (sh->work.delete_slot != 0);
            }
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (more);
}
