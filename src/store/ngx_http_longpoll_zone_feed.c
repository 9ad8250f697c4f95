
/*
 * ngx_http_longpoll_zone_feed.c: a zone that is a copy of a stream.
 *
 *     events     room (own steps) | busy = 1 | append* | commit | mark, trim |
 *                busy = 0
 *     a delete   its categories, one by one | commit
 *     others     commit
 *
 *     commit     at, gap            one step: the entry is read, and the zone
 *                visible            has it.  Those of a beginning have
 *                epoch, begin       these two, too
 *
 * A process that is killed in front of a commit has read nothing: recovery
 * drops the messages, and the next reader brings the entry again.  Deletes are
 * done once more, by then of nothing.
 *
 * A worker that was stopped may come back with old entries while another one
 * reads.  So every hold asks whether the worker is still the reader.
 */


#include "ngx_http_longpoll_zone_feed.h"
#include "ngx_http_longpoll_zone_append.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_delete.h"
#include "ngx_http_longpoll_zone_epoch.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"


/* ms, of the feed clock */
#define NGX_HTTP_LONGPOLL_ZONE_FEED_PERIOD  30000
#define NGX_HTTP_LONGPOLL_ZONE_FEED_SETTLE  1000

/* publishers of a worker, at least, for which the reader does not pause */
#define NGX_HTTP_LONGPOLL_ZONE_FEED_CROWD   8

#define ngx_http_longpoll_zone_feed_is_crowd(worker)                          \
    ((worker)->in_flight >= NGX_HTTP_LONGPOLL_ZONE_FEED_CROWD)


static ngx_int_t ngx_http_longpoll_zone_feed_lock(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);
static ngx_int_t ngx_http_longpoll_zone_feed_enter(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry);
static ngx_int_t ngx_http_longpoll_zone_feed_end(ngx_http_longpoll_zone_t *z,
    uint64_t *wake);
static ngx_int_t ngx_http_longpoll_zone_feed_bad(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, uint64_t visible, uint64_t *wake);
static void ngx_http_longpoll_zone_feed_epoch(ngx_http_longpoll_zone_t *z,
    uint64_t epoch, uint64_t id);
static void ngx_http_longpoll_zone_feed_commit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, uint64_t visible, uint64_t gap);
static ngx_uint_t ngx_http_longpoll_zone_feed_follows(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_fed_t *entry);
static void ngx_http_longpoll_zone_feed_advance(ngx_http_longpoll_zone_t *z,
    uint64_t visible, uint64_t gap);
static ngx_uint_t ngx_http_longpoll_zone_feed_may_pause(
    ngx_http_longpoll_zone_t *z, ngx_uint_t gather);


ngx_int_t
ngx_http_longpoll_zone_feed_claim(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now)
{
    ngx_atomic_uint_t             reader;
    ngx_http_longpoll_feed_sh_t  *feed;

    feed = &z->sh->feed;
    reader = feed->reader;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return NGX_DECLINED;
    }

    if (reader != worker + 1
        && reader
        && now < feed->claimed + NGX_HTTP_LONGPOLL_ZONE_FEED_PATIENCE)
    {
        return NGX_DECLINED;
    }

    ngx_http_longpoll_step();

    if (!ngx_atomic_cmp_set(&feed->reader, reader, worker + 1)) {
        return NGX_DECLINED;
    }

    ngx_http_longpoll_put(feed->claimed, now);

    return NGX_OK;
}


void
ngx_http_longpoll_zone_feed_release(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker)
{
    ngx_http_longpoll_step();
    (void) ngx_atomic_cmp_set(&z->sh->feed.reader, worker + 1, 0);
}


void
ngx_http_longpoll_zone_feed_place(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_place_t *place)
{
    ngx_http_longpoll_zone_lock(z);
    *place = z->sh->feed.at;
    ngx_http_longpoll_zone_unlock(z);
}


/* NGX_OK: the lock is held; NGX_ABORT: it is not, another worker reads */

static ngx_int_t
ngx_http_longpoll_zone_feed_lock(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker)
{
    ngx_http_longpoll_zone_lock(z);

    if (z->sh->feed.reader == worker + 1) {
        return NGX_OK;
    }

    ngx_http_longpoll_zone_unlock(z);

    return NGX_ABORT;
}


/*
 * NGX_AGAIN: the lock is held, and the entry is to be applied.  Else it is not
 * held: NGX_OK: the entry was read before; NGX_ABORT.
 */

static ngx_int_t
ngx_http_longpoll_zone_feed_enter(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry)
{
    ngx_http_longpoll_entry_place_t  *at, *place;

    if (ngx_http_longpoll_zone_feed_lock(z, entry->worker) != NGX_OK) {
        return NGX_ABORT;
    }

    at = &z->sh->feed.at.place;
    place = &entry->at.place;

    if (place->ms > at->ms || (place->ms == at->ms && place->seq > at->seq)) {
        return NGX_AGAIN;
    }

    ngx_http_longpoll_zone_unlock(z);

    return NGX_OK;
}


/* ends the last hold of an entry that the zone has taken */

static ngx_int_t
ngx_http_longpoll_zone_feed_end(ngx_http_longpoll_zone_t *z, uint64_t *wake)
{
    ngx_http_longpoll_zone_unlock(z);

    /* a publisher that is not in the set yet asks once it is */

    __sync_synchronize();
    *wake |= z->sh->feed.publishers;

    return NGX_OK;
}


/*
 * Ends the hold of an entry that is skipped.  visible: events up to there are
 * told as missed; 0: none are.
 */

static ngx_int_t
ngx_http_longpoll_zone_feed_bad(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, uint64_t visible, uint64_t *wake)
{
    (void) ngx_atomic_fetch_add(&z->sh->feed.bad, 1);

    ngx_http_longpoll_zone_feed_commit(z, entry, visible, visible);
    (void) ngx_http_longpoll_zone_feed_end(z, wake);

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_longpoll_zone_feed_events(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, ngx_http_longpoll_cat_t *cats,
    ngx_http_longpoll_msg_t *msgs, ngx_uint_t n, ngx_str_t *name,
    uint64_t *wake)
{
    uint64_t                         last, workers;
    ngx_int_t                        rc;
    ngx_uint_t                       i, epoch, large, steps;
    ngx_http_longpoll_zone_key_t     key;
    ngx_http_longpoll_zone_append_t  pub;

    last = entry->id + n - 1;
    rc = ngx_http_longpoll_zone_append_init(&pub, cats, msgs, n, entry->now);
    large = (rc != NGX_OK);

    if (name) {
        ngx_http_longpoll_zone_key_init(z, &key, name, n);
        pub.key = &key;
    }

    for ( ;; ) {
        rc = ngx_http_longpoll_zone_feed_enter(z, entry);

        if (rc != NGX_AGAIN) {
            return rc;
        }

        if (entry->id <= z->sh->clock.visible) {
            return ngx_http_longpoll_zone_feed_bad(z, entry, 0, wake);
        }

        epoch = ngx_http_longpoll_zone_epoch_of(z, entry->id);

        if (large || epoch == NGX_HTTP_LONGPOLL_EPOCHS) {
            return ngx_http_longpoll_zone_feed_bad(z, entry, last, wake);
        }

        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
        rc = ngx_http_longpoll_zone_append_room(z, &pub, &steps);

        if (rc == NGX_OK) {
            break;
        }

        if (rc == NGX_DECLINED) {
            return ngx_http_longpoll_zone_feed_bad(z, entry, last, wake);
        }

        ngx_http_longpoll_zone_unlock(z);
    }

    ngx_http_longpoll_put(z->sh->work.busy, 1);

    for (i = 0; i < n; i++) {
        msgs[i].id = entry->id + i;
        ngx_http_longpoll_id_uuid(&msgs[i].uuid, msgs[i].id,
                                  z->sh->epochs[epoch]);
        ngx_http_longpoll_zone_append_msg(z, &pub, i, epoch);
    }

    ngx_http_longpoll_zone_count(z, published, n);
    ngx_http_longpoll_zone_feed_commit(z, entry, last, 0);

    /* until the zone is synced nobody can be answered */

    workers = ngx_http_longpoll_zone_append_mark(z, &pub);
    *wake |= z->sh->feed.synced ? workers : 0;

    ngx_http_longpoll_put(z->sh->work.busy, 0);

    return ngx_http_longpoll_zone_feed_end(z, wake);
}


ngx_int_t
ngx_http_longpoll_zone_feed_delete(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, ngx_http_longpoll_cat_t *cats,
    ngx_uint_t n, uint64_t *wake)
{
    ngx_int_t   rc;
    ngx_uint_t  i, begun;

    for (i = 0, begun = 0; ; /* void */ ) {
        rc = ngx_http_longpoll_zone_feed_enter(z, entry);

        if (rc != NGX_AGAIN) {
            return rc;
        }

        if (entry->id <= z->sh->clock.visible) {
            return ngx_http_longpoll_zone_feed_bad(z, entry, 0, wake);
        }

        if (i == n) {
            break;
        }

        if (!ngx_http_longpoll_zone_delete_hold(z, &cats[i], entry->now,
                                                &begun))
        {
            begun = 0;
            i++;
        }

        ngx_http_longpoll_zone_unlock(z);
    }

    ngx_http_longpoll_zone_feed_commit(z, entry, entry->id, 0);

    return ngx_http_longpoll_zone_feed_end(z, wake);
}


ngx_int_t
ngx_http_longpoll_zone_feed_heartbeat(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, uint64_t *wake)
{
    uint64_t   id;
    ngx_int_t  rc;

    rc = ngx_http_longpoll_zone_feed_enter(z, entry);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    if (entry->id <= z->sh->clock.visible) {
        return ngx_http_longpoll_zone_feed_bad(z, entry, 0, wake);
    }

    id = ngx_http_longpoll_id_last_of(ngx_http_longpoll_id_ms(entry->id));
    ngx_http_longpoll_zone_feed_commit(z, entry, id, 0);

    return ngx_http_longpoll_zone_feed_end(z, wake);
}


ngx_int_t
ngx_http_longpoll_zone_feed_begin(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, uint64_t epoch, uint64_t *wake)
{
    uint64_t                      id;
    ngx_int_t                     rc;
    ngx_uint_t                    steps;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    for ( ;; ) {
        rc = ngx_http_longpoll_zone_feed_enter(z, entry);

        if (rc != NGX_AGAIN) {
            return rc;
        }

        if (entry->id <= sh->clock.visible) {
            return ngx_http_longpoll_zone_feed_bad(z, entry, 0, wake);
        }

        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        if (ngx_http_longpoll_zone_epoch_add(z, epoch, entry->id, &steps)
            == NGX_OK)
        {
            break;
        }

        ngx_http_longpoll_zone_unlock(z);
    }

    id = ngx_http_longpoll_id_last_of(ngx_http_longpoll_id_ms(entry->id));

    ngx_http_longpoll_zone_feed_epoch(z, epoch, entry->id);
    ngx_http_longpoll_zone_feed_commit(z, entry, id, 0);

    return ngx_http_longpoll_zone_feed_end(z, wake);
}


ngx_int_t
ngx_http_longpoll_zone_feed_skip(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry)
{
    uint64_t   wake;
    ngx_int_t  rc;

    rc = ngx_http_longpoll_zone_feed_enter(z, entry);

    if (rc != NGX_AGAIN) {
        return rc == NGX_OK ? NGX_DECLINED : rc;
    }

    wake = 0;

    return ngx_http_longpoll_zone_feed_bad(z, entry, 0, &wake);
}


/* within the caller's step: a new epoch is the zone's */

static void
ngx_http_longpoll_zone_feed_epoch(ngx_http_longpoll_zone_t *z, uint64_t epoch,
    uint64_t id)
{
    ngx_http_longpoll_journal_sh_t  *j;

    j = &z->sh->journal;

    (void) ngx_atomic_fetch_add(&z->sh->feed.lives, 1);

    ngx_http_longpoll_set(j, z->sh->epoch, epoch);
    ngx_http_longpoll_set(j, z->sh->feed.begin, id);
    ngx_http_longpoll_put(z->sh->feed.since, 0);
}


/*
 * Ends a step: the entry is the last one that was read, and the zone has all up
 * to visible, if that is not 0.  Events may be missing below gap, and below an
 * entry whose number does not follow.
 */

static void
ngx_http_longpoll_zone_feed_commit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, uint64_t visible, uint64_t gap)
{
    ngx_http_longpoll_journal_sh_t  *j;
    ngx_http_longpoll_zone_place_t  *at;

    j = &z->sh->journal;
    at = &z->sh->feed.at;

    if (!ngx_http_longpoll_zone_feed_follows(z, entry)) {
        gap = ngx_max(gap, entry->id);
    }

    ngx_http_longpoll_set(j, at->place.ms, entry->at.place.ms);
    ngx_http_longpoll_set(j, at->place.seq, entry->at.place.seq);
    ngx_http_longpoll_set(j, at->hash[0], entry->at.hash[0]);
    ngx_http_longpoll_set(j, at->hash[1], entry->at.hash[1]);

    if (entry->at.number) {
        ngx_http_longpoll_set(j, at->number, entry->at.number);
    }

    ngx_http_longpoll_zone_feed_advance(z, visible, gap);
}


/*
 * The numbers of a stream that was wiped begin again with 1, and an epoch with
 * them.  Those of a stream whose end was lost begin again there: a number may
 * by chance be the next, but an epoch has begun in between.
 */

static ngx_uint_t
ngx_http_longpoll_zone_feed_follows(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry)
{
    uint64_t                      next;
    ngx_uint_t                    i;
    ngx_http_longpoll_feed_sh_t  *feed;

    if (entry->at.number == 0) {
        return 1;
    }

    feed = &z->sh->feed;

    for (i = 0; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {

        if (z->sh->epochs[i] && feed->begins[i] > z->sh->clock.visible
            && feed->begins[i] < entry->id)
        {
            return 0;
        }
    }

    next = feed->at.number + 1;

    return entry->at.number == next
           || (entry->at.number < next && entry->id == feed->begin);
}


/* ends a step: visible and gap are raised to these */

static void
ngx_http_longpoll_zone_feed_advance(ngx_http_longpoll_zone_t *z,
    uint64_t visible, uint64_t gap)
{
    ngx_http_longpoll_clock_sh_t    *clock;
    ngx_http_longpoll_journal_sh_t  *j;

    j = &z->sh->journal;
    clock = &z->sh->clock;

    if (gap > z->sh->feed.gap) {
        (void) ngx_atomic_fetch_add(&z->sh->feed.gaps, 1);
        ngx_http_longpoll_set(j, z->sh->feed.gap, gap);
    }

    if (visible > clock->visible) {
        ngx_http_longpoll_set(j, clock->last_id, visible);
        ngx_http_longpoll_set(j, clock->committed, visible);
        ngx_http_longpoll_set(j, clock->visible, visible);
    }

    ngx_http_longpoll_done(j);
}


ngx_int_t
ngx_http_longpoll_zone_feed_know(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_entry_life_t *lives, ngx_uint_t n)
{
    ngx_int_t   rc;
    ngx_uint_t  steps;

    do {
        rc = ngx_http_longpoll_zone_feed_lock(z, worker);

        if (rc != NGX_OK) {
            return rc;
        }

        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
        rc = ngx_http_longpoll_zone_epoch_list(z, lives, n, &steps);

        ngx_http_longpoll_zone_unlock(z);

    } while (rc == NGX_BUSY);

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_zone_feed_begun(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_entry_life_t *life, uint64_t *wake)
{
    uint64_t  id;

    if (ngx_http_longpoll_zone_feed_lock(z, worker) != NGX_OK) {
        return NGX_ABORT;
    }

    if (life->begin > z->sh->clock.visible) {
        id = ngx_http_longpoll_id_last_of(
                                        ngx_http_longpoll_id_ms(life->begin));

        /* numbers that were lost with an epoch may come again */

        ngx_http_longpoll_set(&z->sh->journal, z->sh->feed.at.number, 0);

        ngx_http_longpoll_zone_feed_epoch(z, life->epoch, life->begin);
        ngx_http_longpoll_zone_feed_advance(z, id, life->begin + 1);
    }

    return ngx_http_longpoll_zone_feed_end(z, wake);
}


/*
 * A reader that is killed here leaves a zone that is not synced, and a place
 * that the stream does not have: the next one does this once more.
 */

ngx_int_t
ngx_http_longpoll_zone_feed_empty(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t id)
{
    uint32_t                         slot;
    uint64_t                         gap;
    ngx_uint_t                       steps;
    ngx_http_longpoll_msg_sh_t      *msg;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;

    for ( ;; ) {

        if (ngx_http_longpoll_zone_feed_lock(z, worker) != NGX_OK) {
            return NGX_ABORT;
        }

        ngx_http_longpoll_put(sh->feed.synced, 0);

        for (steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
             steps && sh->list.oldest;
             steps--)
        {
            msg = ngx_http_longpoll_zone_msg(z, sh->list.oldest);
            slot = msg->slot;

            ngx_http_longpoll_zone_list_drop(z, msg,
                                             NGX_HTTP_LONGPOLL_ZONE_DELETED);
            ngx_http_longpoll_zone_list_free_if_unused(z, slot);
        }

        if (sh->list.oldest == 0) {
            break;
        }

        ngx_http_longpoll_zone_unlock(z);
    }

    ngx_http_longpoll_zone_epoch_clear(z);

    gap = ngx_max(id, sh->clock.visible + 1);

    ngx_http_longpoll_set(j, sh->feed.at.place.ms, 0);
    ngx_http_longpoll_set(j, sh->feed.at.place.seq, 0);
    ngx_http_longpoll_set(j, sh->feed.at.number, 0);
    ngx_http_longpoll_set(j, sh->clock.last_id, 0);
    ngx_http_longpoll_set(j, sh->clock.committed, 0);
    ngx_http_longpoll_set(j, sh->clock.visible, 0);
    ngx_http_longpoll_zone_feed_advance(z, 0, gap);

    ngx_http_longpoll_zone_unlock(z);

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_zone_feed_synced(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t *wake)
{
    ngx_uint_t                    i;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    if (ngx_http_longpoll_zone_feed_lock(z, worker) != NGX_OK) {
        return NGX_ABORT;
    }

    if (!sh->feed.synced) {

        /* whoever reads for all of its polls after this hold finds synced */

        for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS; i++) {
            ngx_http_longpoll_put(sh->workers[i].wake_all, 1);
        }

        ngx_http_longpoll_put(sh->feed.synced, 1);

        *wake = (uint64_t) -1;
    }

    ngx_http_longpoll_zone_unlock(z);

    return NGX_OK;
}


/*
 * The largest difference is that of the least delay.  Each period has its own,
 * so that one of a clock that was set back is forgotten within a minute.
 *
 * The first reads may all have been late, and a clock that is late takes other
 * copies' cursors for a claim from the future.  So it is timed (zone_read) only
 * when differences have come for a second, in each epoch, and anew when none
 * came for a second.
 *
 * A kill between two stores loses no difference.  It may leave one of the
 * period before in this one, and so for half a minute longer.
 */

void
ngx_http_longpoll_zone_feed_clock(ngx_http_longpoll_zone_t *z, uint64_t ms,
    uint64_t elapsed)
{
    uint64_t                      sample, period;
    ngx_http_longpoll_feed_sh_t  *feed;

    feed = &z->sh->feed;
    sample = ms > elapsed ? ms - elapsed : 0;
    period = elapsed / NGX_HTTP_LONGPOLL_ZONE_FEED_PERIOD;

    if (period != feed->period) {
        if (period == feed->period + 1) {
            ngx_http_longpoll_put(feed->earlier, feed->latest);

        } else {
            ngx_http_longpoll_put(feed->earlier, 0);
            ngx_http_longpoll_put(feed->latest, 0);
        }

        ngx_http_longpoll_put(feed->period, period);
        ngx_http_longpoll_put(feed->latest, 0);
    }

    if (elapsed > feed->last + NGX_HTTP_LONGPOLL_ZONE_FEED_SETTLE) {
        ngx_http_longpoll_put(feed->timed, 0);
        ngx_http_longpoll_put(feed->since, 0);
    }

    ngx_http_longpoll_put(feed->last, elapsed);
    ngx_http_longpoll_put(feed->latest, ngx_max(feed->latest, sample));
    ngx_http_longpoll_put(z->sh->clock.ahead,
                          ngx_max(feed->latest, feed->earlier));

    if (ms < ngx_http_longpoll_id_ms(feed->begin)) {
        return;
    }

    if (feed->since == 0) {
        ngx_http_longpoll_put(feed->since, elapsed);
    }

    if (elapsed >= feed->since + NGX_HTTP_LONGPOLL_ZONE_FEED_SETTLE) {
        ngx_http_longpoll_put(feed->timed, feed->begin);
    }
}


void
ngx_http_longpoll_zone_feed_await(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_uint_t on)
{
    ngx_http_longpoll_step();

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    if (on) {
        (void) __sync_fetch_and_or(&z->sh->feed.publishers,
                                   ngx_http_longpoll_zone_bit(worker));
    } else {
        (void) __sync_fetch_and_and(&z->sh->feed.publishers,
                                    ~ngx_http_longpoll_zone_bit(worker));
    }
}


/*
 * The reader sets paused, and then looks for those who would end the pause.  A
 * worker writes that they are there, and then looks at paused.  So at least one
 * of them sees what the other has written.
 */

ngx_uint_t
ngx_http_longpoll_zone_feed_pause(ngx_http_longpoll_zone_t *z,
    ngx_uint_t gather)
{
    ngx_uint_t  pause;

    pause = ngx_http_longpoll_zone_feed_may_pause(z, gather);

    if (pause) {
        ngx_http_longpoll_put(z->sh->feed.paused, pause);
        __sync_synchronize();

        if (ngx_http_longpoll_zone_feed_may_pause(z, gather) != pause) {
            ngx_http_longpoll_put(z->sh->feed.paused, 0);
            return 0;
        }
    }

    return pause;
}


/*
 * Dead workers' numbers are looked at, too.  To learn which workers live, the
 * reader would need a system call for each of them with every read.
 */

static ngx_uint_t
ngx_http_longpoll_zone_feed_may_pause(ngx_http_longpoll_zone_t *z,
    ngx_uint_t gather)
{
    ngx_uint_t                      i, pause;
    ngx_http_longpoll_worker_sh_t  *worker;

    pause = NGX_HTTP_LONGPOLL_ZONE_FEED_IDLE;

    for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS; i++) {
        worker = &z->sh->workers[i];

        if (worker->waiting || worker->in_flight) {

            if (!gather) {
                return 0;
            }

            pause = NGX_HTTP_LONGPOLL_ZONE_FEED_GATHER;
        }

        if (ngx_http_longpoll_zone_feed_is_crowd(worker)
            && !ngx_http_longpoll_zone_feed_reached(z, worker->stored))
        {
            return 0;
        }
    }

    return pause;
}


uint64_t
ngx_http_longpoll_zone_feed_resume(ngx_http_longpoll_zone_t *z,
    ngx_uint_t pauses)
{
    ngx_uint_t                    reader;
    ngx_atomic_uint_t             pause;
    ngx_http_longpoll_feed_sh_t  *feed;

    feed = &z->sh->feed;

    __sync_synchronize();

    pause = feed->paused;

    if (!(pause & pauses) || !ngx_atomic_cmp_set(&feed->paused, pause, 0)) {
        return 0;
    }

    reader = feed->reader;

    return reader ? ngx_http_longpoll_zone_bit(reader - 1) : 0;
}


uint64_t
ngx_http_longpoll_zone_feed_stored(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t id)
{
    ngx_http_longpoll_worker_sh_t  *sh;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return 0;
    }

    sh = &z->sh->workers[worker];

    if (!ngx_http_longpoll_zone_feed_is_crowd(sh)) {
        return 0;
    }

    ngx_http_longpoll_put(sh->stored, id);

    return ngx_http_longpoll_zone_feed_resume(z,
                                          NGX_HTTP_LONGPOLL_ZONE_FEED_GATHER);
}
