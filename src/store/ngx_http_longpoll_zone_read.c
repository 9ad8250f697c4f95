
/*
 * ngx_http_longpoll_zone_read.c: reading behind a cursor.
 *
 *                  +--------------------------------------------------+
 *                  v        out of steps: remember, unlock, lock      |
 *     start ---> touch ---> found ---> seek ---> merge ---> copy ---> OK
 *                  |          (zone_reader)                   \---> OK, valid?
 *                  +------> nothing: interest, or a time ---> AGAIN
 *
 *     touch    applies its limits to each category: inactive, ttl, buffer.  So
 *              missed is exact: an event behind the cursor is gone
 *     found    whether there is a message behind the cursor.  For a poll that
 *              asks for the newest ones: which these are, so seek has nothing
 *              to do
 *     merge    up to what was visible in the first hold, within rd->limit
 *     copy     under the lock, if the messages are small
 *
 * A hold does about NGX_HTTP_LONGPOLL_ZONE_STEPS steps.  The read starts anew
 * if between two holds the client's cursor moved, delete_on_read changed, or
 * all messages that were found have been dropped.  Then, and if a read was not
 * valid, the newest messages are found anew.  A message that is dropped between
 * two holds, behind the last one collected, has been missed.
 *
 * The bytes of large answers stay in the log.  The caller uses them without the
 * lock, and then asks ..._zone_read_valid() whether the log's tail has passed
 * any of them.  After two reads that were not valid, the next one copies up to
 * 256 kB under the lock.
 *
 * This file has the read, and what a poll with a cursor of its own differs in.
 * For a cursor that the zone keeps see zone_read_client.
 */


#include "ngx_http_longpoll_zone_read.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_presence.h"
#include "ngx_http_longpoll_zone_read_client.h"
#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_watch.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_epoch.h"


/*
 * ms: a cursor that is no more than that ahead of the feed clock is another
 * copy's.  In an epoch that has not begun here, or has only begun, another
 * server may make the ids, with another clock; and a feed clock that has only
 * begun may be late.
 */

#define NGX_HTTP_LONGPOLL_ZONE_AHEAD      100
#define NGX_HTTP_LONGPOLL_ZONE_AHEAD_NEW  60000


static ngx_int_t ngx_http_longpoll_zone_read_hold(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);
static void ngx_http_longpoll_zone_moved(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);
static uint64_t ngx_http_longpoll_zone_moved_recent(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_reader_t *reader);
static ngx_uint_t ngx_http_longpoll_zone_unseen(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd);
static void ngx_http_longpoll_zone_start_cursor(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor, uint64_t now);
static void ngx_http_longpoll_zone_early(ngx_http_longpoll_read_t *rd);
static void ngx_http_longpoll_zone_start_fed(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor, uint64_t now);
static ngx_int_t ngx_http_longpoll_zone_touch_all(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_uint_t *steps,
    ngx_uint_t *found);
static ngx_uint_t ngx_http_longpoll_zone_found_recent(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_reader_t *reader,
    ngx_uint_t *steps);
static void ngx_http_longpoll_zone_is_there(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_int_t rc)
    __attribute__((noinline));
static void ngx_http_longpoll_zone_nothing(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);
static void ngx_http_longpoll_zone_issue_time(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);
static void ngx_http_longpoll_zone_issue_place(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);
static void ngx_http_longpoll_zone_fed_time(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd);
static void ngx_http_longpoll_zone_fed_place(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd);
static void ngx_http_longpoll_zone_close_ms(ngx_http_longpoll_zone_t *z,
    uint64_t ms);
static ngx_int_t ngx_http_longpoll_zone_copy(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);


/* the cursor is the poll's own */

static ngx_http_longpoll_zone_source_t  ngx_http_longpoll_zone_read_source = {
    (ngx_uint_t) -1,                            /* max */
    NULL,                                       /* begin */
    NULL,                                       /* lost */
    NULL,                                       /* wait */
    ngx_http_longpoll_zone_issue_time,          /* end */
    NULL                                        /* copy */
};


ngx_int_t
ngx_http_longpoll_zone_read(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd, uint64_t now)
{
    ngx_int_t                          rc;
    ngx_http_longpoll_zone_reader_t    reader;
    ngx_http_longpoll_zone_scratch_t  *scratch;

    scratch = &ngx_http_longpoll_zone_scratch;

    reader.rd = rd;
    reader.source = rd->client ? &ngx_http_longpoll_zone_read_client_source
                               : &ngx_http_longpoll_zone_read_source;
    reader.now = now;
    reader.started = 0;
    reader.take = 0;

    rd->nmsgs = 0;
    rd->more = 0;
    rd->epoch = z->sh->epoch;

    if (scratch->size == 0
        && ngx_http_longpoll_zone_reader_grow(&reader) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for ( ;; ) {
        ngx_http_longpoll_zone_lock(z);
        rc = ngx_http_longpoll_zone_read_hold(z, &reader);

        if (rc == NGX_AGAIN) {
            ngx_http_longpoll_zone_nothing(z, &reader);
        }

        if (ngx_http_longpoll_zone_has_presence(z)) {
            ngx_http_longpoll_zone_is_there(z, &reader, rc);
        }

        ngx_http_longpoll_zone_unlock(z);

        switch (rc) {

        case NGX_BUSY:
            break;

        case NGX_DECLINED:
            if (ngx_http_longpoll_zone_reader_grow(&reader) != NGX_OK) {
                scratch->tries = 0;
                return NGX_ERROR;
            }

            break;

        case NGX_OK:
            rd->msgs = scratch->msgs;
            return NGX_OK;

        default:

            /* the caller has no bytes to ask ..._zone_read_valid() about */

            scratch->tries = 0;
            return rc;
        }
    }
}


ngx_uint_t
ngx_http_longpoll_zone_read_valid(ngx_http_longpoll_zone_t *z)
{
    uint64_t                           tail;
    ngx_http_longpoll_zone_scratch_t  *scratch;

    scratch = &ngx_http_longpoll_zone_scratch;

    /* writers move the tail first, then write where it was */

    __sync_synchronize();
    tail = *(volatile uint64_t *) &z->sh->log.tail;

    if (scratch->copied || scratch->min_pos >= tail) {
        scratch->tries = 0;

        /* a large answer does not keep its memory */

        if (scratch->size > NGX_HTTP_LONGPOLL_ZONE_SLICE) {
            ngx_free(scratch->copy);
            scratch->copy = NULL;
            scratch->size = 0;
        }

        scratch->wanted = 0;

        return 1;
    }

    scratch->tries++;

    return 0;
}


ngx_uint_t
ngx_http_longpoll_zone_read_newest(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor)
{
    if (!cursor->exact || cursor->lost || z->sh->moved
        || ngx_http_longpoll_zone_clock_missing(z, cursor->id,
                                                cursor->beginning)
        || ngx_http_longpoll_zone_epoch_missing(z, cursor)
        || z->sh->feed.on != z->sh->feed.synced
        || cursor->id != *(volatile uint64_t *) &z->sh->clock.visible)
    {
        return 0;
    }

    cursor->fresh = 0;

    return 1;
}


/*
 * One lock hold of a read.
 *
 * NGX_OK        messages
 * NGX_AGAIN     no message
 * NGX_DONE      the client is not known
 * NGX_ABORT     the zone is frozen
 * NGX_BUSY      out of steps: go on in another hold
 * NGX_DECLINED  the scratch memory is too small
 */

static ngx_int_t
ngx_http_longpoll_zone_read_hold(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    ngx_int_t                         rc;
    ngx_uint_t                        found, steps;
    ngx_http_longpoll_read_t         *rd;
    ngx_http_longpoll_zone_source_t  *source;

    rd = reader->rd;
    source = reader->source;
    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

    if (z->sh->moved) {
        ngx_http_longpoll_zone_moved(z, reader);
        return NGX_ABORT;
    }

    if (z->sh->feed.on) {
        rd->epoch = z->sh->epoch;

        if (!z->sh->feed.synced) {
            ngx_http_longpoll_zone_early(rd);
            return NGX_AGAIN;
        }
    }

    if (rd->cursor.fresh) {
        ngx_http_longpoll_zone_start_cursor(z, &rd->cursor, reader->now);
    }

    if (source->begin) {
        rc = source->begin(z, reader);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    /* a reload may change this between two holds */

    if (reader->take != z->sh->conf.delete_on_read) {
        reader->take = z->sh->conf.delete_on_read;
        reader->started = 0;
    }

    rc = ngx_http_longpoll_zone_touch_all(z, reader, &steps, &found);

    if (rc != NGX_OK) {
        return rc;
    }

    if (rd->missed && source->lost) {
        source->lost(z, reader);
        return NGX_DONE;
    }

    if (!reader->started) {

        if (!found
            && !ngx_http_longpoll_zone_found_recent(z, reader, &steps))
        {
            return NGX_AGAIN;
        }

        reader->started = 1;
        rd->more = 0;
        reader->holds = 0;
        reader->upto = z->sh->clock.visible;
        reader->bytes = 0;
        reader->data = 0;
        reader->remembered = 0;
        ngx_http_longpoll_zone_scratch.min_pos = (uint64_t) -1;
        ngx_http_longpoll_zone_scratch.copied = 0;
    }

    reader->holds++;

    rc = ngx_http_longpoll_zone_reader_collect(z, reader, &steps);

    if (rc != NGX_OK) {
        return rc;
    }

    if (rd->nmsgs == 0) {

        /* all messages went while other holds searched for the first */

        ngx_http_longpoll_assert(reader->holds > 1,
                                 "a category's last message");

        reader->started = 0;
        return NGX_BUSY;
    }

    return source->copy ? source->copy(z, reader)
                        : ngx_http_longpoll_zone_copy(z, reader);
}


/*
 * The time from which the client goes on in the zone that replaced this one.
 * Every id of that zone is behind the last ms of this one.  A new poll goes on
 * from its own time, which may be that zone's; without one from the last ms, or
 * from the ms before the first of the newest messages that it asks for.  A poll
 * that was parked in the middle of a ms (start_cursor), and has not seen what
 * was published behind it there, reads that ms once more.
 */

static void
ngx_http_longpoll_zone_moved(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    uint64_t                     first, last;
    ngx_http_longpoll_read_t    *rd;
    ngx_http_longpoll_cursor_t  *cursor;

    rd = reader->rd;
    cursor = &rd->cursor;
    last = ngx_http_longpoll_id_ms(z->sh->clock.last_id);

    rd->nmsgs = 0;
    rd->missed = 0;
    rd->timestamp = cursor->since;

    if (cursor->fresh && !cursor->now) {
        return;
    }

    if (cursor->fresh) {
        ngx_http_longpoll_zone_start_cursor(z, cursor, reader->now);
    }

    if (cursor->recent) {
        first = ngx_http_longpoll_zone_moved_recent(z, reader);

        if (first) {
            rd->timestamp = ngx_http_longpoll_id_ms(first) - 1;
            return;
        }
    }

    rd->timestamp = ngx_min(cursor->since, last);

    if (!cursor->exact
        && ngx_http_longpoll_id_ms(cursor->id) == rd->timestamp
        && cursor->id != ngx_http_longpoll_id_last_of(rd->timestamp)
        && ngx_http_longpoll_zone_unseen(z, rd))
    {
        rd->timestamp--;
    }
}


/*
 * The oldest of the newest messages that a poll asks for, of those that the
 * other zone will not drop for their ttl; 0: there is none.
 */

static uint64_t
ngx_http_longpoll_zone_moved_recent(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    uint64_t    after, clock;
    ngx_uint_t  i, steps;

    clock = ngx_http_longpoll_zone_clock(z, reader->now);
    after = 0;

    if (z->sh->conf.ttl && z->sh->conf.ttl <= clock) {
        after = ngx_http_longpoll_id_last_of(clock - z->sh->conf.ttl);
    }

    for (i = 0; i < reader->rd->ncats; i++) {
        reader->iters[i].slot = ngx_http_longpoll_cat_find(&z->cats,
                                                     reader->rd->cats[i].hash);
    }

    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

    return ngx_http_longpoll_zone_reader_recent(z, reader, after, &steps);
}


/* whether there is a message behind the cursor */

static ngx_uint_t
ngx_http_longpoll_zone_unseen(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd)
{
    uint32_t                     slot;
    ngx_uint_t                   i;
    ngx_http_longpoll_msg_sh_t  *last;

    for (i = 0; i < rd->ncats; i++) {
        slot = ngx_http_longpoll_cat_find(&z->cats, rd->cats[i].hash);

        if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
            continue;
        }

        last = ngx_http_longpoll_zone_clock_last(z, slot);

        if (last && last->id > rd->cursor.id) {
            return 1;
        }
    }

    return 0;
}


/*
 * A new cursor may lie in the future or in the current ms.  Then it is set to
 * the newest message, so the poll also gets what is published later in this ms,
 * as with golongpoll.  If nginx held the poll back, the cursor is set to the ms
 * in which the poll came, by the zone's clock.  A poll that asks for the newest
 * messages asks for those of this moment.
 */

static void
ngx_http_longpoll_zone_start_cursor(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor, uint64_t now)
{
    uint64_t  clock, start;

    cursor->fresh = 0;

    if (z->sh->feed.on) {
        ngx_http_longpoll_zone_start_fed(z, cursor, now);
        return;
    }

    clock = ngx_http_longpoll_zone_clock_horizon(z, now);

    if (!cursor->now
        && (cursor->exact ? cursor->id <= z->sh->clock.last_id
                          : ngx_http_longpoll_id_ms(cursor->id) < clock))
    {
        return;
    }

    start = ngx_http_longpoll_zone_clock(z, now) - cursor->age;

    if (cursor->age && cursor->recent == 0 && start < clock) {
        cursor->id = ngx_http_longpoll_id_last_of(start);
        cursor->since = start;
        cursor->exact = 0;

    } else {
        cursor->id = z->sh->clock.visible;
        cursor->since = ngx_max(ngx_http_longpoll_id_ms(cursor->id),
                                clock - 1);

        /* so that the next hold finds nothing behind it, either */

        cursor->fresh = (cursor->recent != 0);
    }
}


/*
 * The zone has not seen the end of its stream: nobody can tell yet what is
 * behind a cursor.
 */

static void
ngx_http_longpoll_zone_early(ngx_http_longpoll_read_t *rd)
{
    ngx_http_longpoll_cursor_t  *cursor;

    cursor = &rd->cursor;

    rd->nmsgs = 0;
    rd->missed = 0;

    if (cursor->fresh && !cursor->early) {
        cursor->early = 1;
        cursor->came = ngx_http_longpoll_zone_clock_elapsed() - cursor->age;
    }
}


/*
 * In a copy of a stream a cursor ahead of the newest message may be another
 * copy's: then the poll gets what comes behind it.  One that is too far ahead
 * is a poll from now on.  Such a poll has seen nothing but what is over: since
 * is no more than that.
 */

static void
ngx_http_longpoll_zone_start_fed(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor, uint64_t now)
{
    uint64_t  clock, closed, start, ahead;

    clock = ngx_http_longpoll_zone_clock(z, now);
    closed = ngx_http_longpoll_zone_clock_closed(z);

    if (cursor->early) {
        cursor->early = 0;
        cursor->age = ngx_http_longpoll_zone_clock_elapsed() - cursor->came;
    }

    ahead = NGX_HTTP_LONGPOLL_ZONE_AHEAD;

    if (z->sh->feed.timed != z->sh->feed.begin
        || ngx_http_longpoll_zone_epoch_begins(z, cursor->epoch))
    {
        ahead = NGX_HTTP_LONGPOLL_ZONE_AHEAD_NEW;
    }

    if (!cursor->now && ngx_http_longpoll_id_ms(cursor->id) <= clock + ahead) {
        return;
    }

    start = clock - ngx_min(cursor->age, clock);

    cursor->exact = 0;

    if (cursor->age && cursor->recent == 0 && start <= closed) {
        cursor->id = ngx_http_longpoll_id_last_of(start);
        cursor->since = start;

        /* one that came with a cursor has had events of earlier epochs */

        if (!cursor->now) {
            cursor->id = ngx_max(cursor->id, z->sh->feed.begin);
        }

    } else {
        cursor->id = z->sh->clock.visible;
        cursor->since = closed;
        cursor->fresh = (cursor->recent != 0);
    }
}


/*
 * Applies their limits to all categories, finds what the reader has missed, and
 * whether there is a message behind its cursor.  NGX_OK, NGX_BUSY.
 */

static ngx_int_t
ngx_http_longpoll_zone_touch_all(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_uint_t *steps,
    ngx_uint_t *found)
{
    uint32_t                        slot;
    ngx_int_t                       rc;
    ngx_uint_t                      i;
    ngx_http_longpoll_read_t       *rd;
    ngx_http_longpoll_msg_sh_t     *last;
    ngx_http_longpoll_zone_iter_t  *it;

    rd = reader->rd;
    *found = 0;

    if (!reader->started) {
        rd->nmsgs = 0;
        rd->missed = rd->cursor.lost
                     || ngx_http_longpoll_zone_clock_missing(z, rd->cursor.id,
                                                          rd->cursor.beginning)
                     || ngx_http_longpoll_zone_epoch_missing(z, &rd->cursor);
    }

    for (i = 0; i < rd->ncats; i++) {
        it = &reader->iters[i];

        if (!reader->started) {
            it->cat = i;
            it->cost = rd->costs[i];
            it->seen = rd->cursor.id;
            it->ready = 0;
            it->back = 0;
            it->fore = 0;
        }

        rc = ngx_http_longpoll_zone_room_touch(z, &rd->cats[i], reader->now, 1,
                                               steps, &slot);
        if (rc != NGX_OK) {
            return rc;
        }

        if (ngx_http_longpoll_cat_missed(&z->cats, slot, rd->cats[i].hash,
                                         it->seen, rd->cursor.beginning))
        {
            rd->missed = 1;
        }

        it->slot = slot;

        if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
            continue;
        }

        last = ngx_http_longpoll_zone_clock_last(z, slot);

        if (last && last->id > it->seen) {
            *found = 1;
        }
    }

    return NGX_OK;
}


/*
 * There is no message behind the cursor.  A poll that asks for the newest
 * messages begins with them; it came without a cursor, so it has missed nothing
 * in front of them.  Without any it is a poll from now on.
 */

static ngx_uint_t
ngx_http_longpoll_zone_found_recent(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_uint_t *steps)
{
    ngx_http_longpoll_read_t  *rd;

    rd = reader->rd;

    if (rd->cursor.recent == 0) {
        return 0;
    }

    rd->missed = 0;

    if (ngx_http_longpoll_zone_reader_recent(z, reader, 0, steps)) {
        return 1;
    }

    rd->cursor.recent = 0;
    rd->cursor.fresh = 0;

    return 0;
}


/*
 * What polls and streams ask for is present; a subrequest's is not.  Not
 * inlined: a read of a zone without presence pays for its registers.
 */

static void
ngx_http_longpoll_zone_is_there(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_int_t rc)
{
    ngx_uint_t                 stays;
    ngx_http_longpoll_read_t  *rd;

    rd = reader->rd;

    if ((rc != NGX_OK && rc != NGX_AGAIN)
        || rd->mode == NGX_HTTP_LONGPOLL_READ_PEEK)
    {
        return;
    }

    stays = (rd->mode != NGX_HTTP_LONGPOLL_READ_LAST
             && (rc == NGX_AGAIN || rd->by_id));

    ngx_http_longpoll_zone_presence_come(z, rd->worker, rd->cats, rd->ncats,
                                         stays, reader->now);
}


/* no message: the poll is going to wait, or times out */

static void
ngx_http_longpoll_zone_nothing(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    ngx_uint_t                 i;
    ngx_http_longpoll_read_t  *rd;

    rd = reader->rd;

    if (rd->by_id) {
        ngx_http_longpoll_zone_issue_place(z, reader);
    }

    if (rd->mode == NGX_HTTP_LONGPOLL_READ_LAST
        || rd->mode == NGX_HTTP_LONGPOLL_READ_PEEK)
    {
        reader->source->end(z, reader);
        return;
    }

    rd->since = 0;

    if (z->sh->has_pending && rd->worker != NGX_HTTP_LONGPOLL_NO_WORKER
        && !z->sh->workers[rd->worker].spread)
    {
        rd->since = ngx_http_longpoll_zone_watch_since(z);
    }

    for (i = 0; i < rd->ncats; i++) {
        rd->slots[i] = ngx_http_longpoll_zone_watch(z, rd->worker,
                                                    &rd->cats[i], reader->now);
    }

    if (reader->source->wait) {
        reader->source->wait(z, reader);
    }
}


/*
 * The answer of a time-out names a ms.  The clock's last_id becomes the last id
 * of that ms, so every later message is behind it, whatever the wall clock does
 * meanwhile.  The answer takes the last whole ms, or the current one if the
 * cursor is in it already.
 */

static void
ngx_http_longpoll_zone_issue_time(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    uint64_t                   t;
    ngx_http_longpoll_read_t  *rd;

    rd = reader->rd;

    if (z->sh->feed.on) {
        ngx_http_longpoll_zone_fed_time(z, rd);
        return;
    }

    t = ngx_http_longpoll_zone_clock_horizon(z, reader->now);

    if (ngx_http_longpoll_id_ms(rd->cursor.id) < t) {
        t--;
    }

    ngx_http_longpoll_zone_close_ms(z, t);

    rd->timestamp = t;
}


/*
 * The same as an id, that of no message.  While messages of the cursor's own ms
 * wait for the disk, the place is the newest one that readers see.
 */

static void
ngx_http_longpoll_zone_issue_place(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    uint64_t                   t;
    ngx_http_longpoll_read_t  *rd;

    rd = reader->rd;

    if (z->sh->feed.on) {
        ngx_http_longpoll_zone_fed_place(z, rd);
        return;
    }

    t = ngx_http_longpoll_zone_clock_horizon(z, reader->now);

    if (ngx_http_longpoll_id_ms(rd->cursor.id) < t) {
        t--;

    } else if (z->sh->clock.visible != z->sh->clock.committed) {
        rd->place_id = ngx_max(rd->cursor.id, z->sh->clock.visible);
        return;
    }

    ngx_http_longpoll_zone_close_ms(z, t);

    rd->place_id = ngx_http_longpoll_id_last_of(t);
}


/*
 * The same in a copy of a stream, which closes no ms: the last one that is
 * over, or what the client came with.  Before the zone is synced only that
 * counts.  A poll without a cursor is told that it may miss what it has waited
 * for.
 */

static void
ngx_http_longpoll_zone_fed_time(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd)
{
    if (z->sh->feed.synced) {
        rd->timestamp = ngx_max(rd->cursor.since,
                                ngx_http_longpoll_zone_clock_closed(z));

    } else if (rd->cursor.early && rd->cursor.now) {
        rd->missed = 1;
        rd->timestamp = ngx_http_longpoll_now();

    } else {
        rd->timestamp = rd->cursor.since;
    }
}


static void
ngx_http_longpoll_zone_fed_place(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd)
{
    ngx_uint_t                    epoch;
    ngx_http_longpoll_cursor_t   *cursor;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    cursor = &rd->cursor;

    if (!sh->feed.synced) {
        rd->place_id = 0;
        return;
    }

    rd->place_id = ngx_max(cursor->id, sh->clock.visible);

    if (rd->place_id == cursor->id && cursor->epoch) {
        rd->epoch = cursor->epoch;
        return;
    }

    epoch = ngx_http_longpoll_zone_epoch_of(z, rd->place_id);

    if (epoch != NGX_HTTP_LONGPOLL_EPOCHS) {
        rd->epoch = sh->epochs[epoch];
    }
}


/* no later message is of this ms */

static void
ngx_http_longpoll_zone_close_ms(ngx_http_longpoll_zone_t *z, uint64_t ms)
{
    uint64_t  id;

    id = ngx_http_longpoll_id_last_of(ms);

    if (z->sh->clock.last_id < id) {
        ngx_http_longpoll_put(z->sh->clock.last_id, id);
    }
}


/*
 * The end of a read: copies a small answer, or one that must be copied.  The
 * caller of the read copies others, and asks whether they were valid.
 *
 * NGX_OK, NGX_BUSY, NGX_DECLINED, as a hold returns them
 */

static ngx_int_t
ngx_http_longpoll_zone_copy(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    u_char                            *p;
    ngx_uint_t                         i, must;
    ngx_http_longpoll_msg_t           *msg;
    ngx_http_longpoll_zone_scratch_t  *scratch;

    scratch = &ngx_http_longpoll_zone_scratch;

    must = reader->take
           || scratch->tries >= NGX_HTTP_LONGPOLL_ZONE_TRIES;

    if (must && reader->data > scratch->size) {
        scratch->wanted = reader->data;
        reader->started = 0;
        return NGX_DECLINED;
    }

    if (reader->data > scratch->size
        || (!must
            && (reader->holds > 1
                || reader->data > NGX_HTTP_LONGPOLL_ZONE_COPY)))
    {
        ngx_http_longpoll_zone_reader_remember(z, reader);
        return NGX_OK;
    }

    if (reader->take
        && reader->rd->mode != NGX_HTTP_LONGPOLL_READ_PEEK)
    {
        ngx_http_longpoll_zone_reader_take(z, reader);
    }

    p = scratch->copy;

    for (i = 0; i < reader->rd->nmsgs; i++) {
        msg = &scratch->msgs[i];

        ngx_memcpy(p, msg->data.data, msg->data.len);
        msg->data.data = p;
        p += msg->data.len;
    }

    scratch->copied = 1;

    return NGX_OK;
}
