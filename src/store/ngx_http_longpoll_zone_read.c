
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
 *     merge    up to what was visible in the first hold, within rd->limit
 *     copy     under the lock, if the messages are small
 *
 * A hold does about NGX_HTTP_LONGPOLL_ZONE_STEPS steps.  The read starts anew
 * if between two holds the client's cursor moved, delete_on_read changed, or
 * all messages that were found have been dropped.  A message that is dropped
 * between two holds, behind the last one collected, has been missed.
 *
 * The bytes of large answers stay in the log.  The caller uses them without the
 * lock, and then asks ..._zone_read_valid() whether the log's tail has passed
 * any of them.  After two reads that were not valid, the next one copies up to
 * 256 kB under the lock.
 *
 * The message for a client of gpoll's is copied in the same hold in which the
 * client's cursor moves to it.
 */


#include "ngx_http_longpoll_zone_read.h"
#include "ngx_http_longpoll_zone_client.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_reader.h"
#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_watch.h"
#include "ngx_http_longpoll_zone_clock.h"


static ngx_int_t ngx_http_longpoll_zone_read_hold(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);
static void ngx_http_longpoll_zone_start_cursor(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor, uint64_t now);
static ngx_int_t ngx_http_longpoll_zone_client_cursor(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_reader_t *reader);
static ngx_int_t ngx_http_longpoll_zone_touch_all(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_uint_t *steps,
    ngx_uint_t *found);
static void ngx_http_longpoll_zone_nothing(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);
static void ngx_http_longpoll_zone_client_waits(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);
static void ngx_http_longpoll_zone_issue_time(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd, uint64_t now);
static ngx_int_t ngx_http_longpoll_zone_copy(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);
static ngx_int_t ngx_http_longpoll_zone_copy_one(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);
static void ngx_http_longpoll_zone_take(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);


ngx_int_t
ngx_http_longpoll_zone_read(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd, uint64_t now)
{
    ngx_int_t                          rc;
    ngx_http_longpoll_zone_reader_t    reader;
    ngx_http_longpoll_zone_scratch_t  *scratch;

    scratch = &ngx_http_longpoll_zone_scratch;

    reader.rd = rd;
    reader.now = now;
    reader.started = 0;
    reader.take = 0;

    rd->nmsgs = 0;

    if (scratch->size == 0
        && ngx_http_longpoll_zone_reader_grow(&reader) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for ( ;; ) {
        ngx_http_longpoll_zone_lock(z);
        rc = ngx_http_longpoll_zone_read_hold(z, &reader);
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

            /* the cursor behind this answer is behind what later zones got */

            if (rd->client == NULL && z->sh->resize.moved
                && rd->msgs[rd->nmsgs - 1].id >= z->sh->resize.moved)
            {
                rd->missed = 1;
            }

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

    ngx_memory_barrier();
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
ngx_http_longpoll_zone_newest(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor)
{
    if (!cursor->exact || cursor->lost
        || ngx_http_longpoll_zone_clock_has_late(z, cursor->id,
                                                 cursor->beginning)
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
 * NGX_BUSY      out of steps: go on in another hold
 * NGX_DECLINED  the scratch memory is too small
 */

static ngx_int_t
ngx_http_longpoll_zone_read_hold(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    ngx_int_t                  rc;
    ngx_uint_t                 found, moved, steps;
    ngx_http_longpoll_read_t  *rd;

    rd = reader->rd;
    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

    if (rd->client == NULL) {
        ngx_http_longpoll_zone_start_cursor(z, &rd->cursor, reader->now);

    } else if (ngx_http_longpoll_zone_client_cursor(z, reader) != NGX_OK) {
        return NGX_DONE;
    }

    /* a reload may change this between two holds */

    if (reader->take != z->sh->conf.delete_on_read) {
        reader->take = z->sh->conf.delete_on_read;
        reader->started = 0;
    }

    /* clients have moved to the zone that took this one's place, and get their
     * messages there */

    moved = (rd->client && z->sh->resize.moved);

    if (moved) {
        reader->started = 0;
    }

    rc = ngx_http_longpoll_zone_touch_all(z, reader, &steps, &found);

    if (rc != NGX_OK) {
        return rc;
    }

    if (rd->client && rd->missed && !moved) {

        if (rd->mode != NGX_HTTP_LONGPOLL_READ_PEEK) {
            ngx_http_longpoll_client_drop(&z->clients, reader->entry);
        }

        return NGX_DONE;
    }

    if (!reader->started) {

        if (!found || moved) {
            ngx_http_longpoll_zone_nothing(z, reader);
            return NGX_AGAIN;
        }

        reader->started = 1;
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

    return rc == NGX_OK ? ngx_http_longpoll_zone_copy(z, reader) : rc;
}


/*
 * A new cursor may lie in the future or in the current ms.  Then it is set to
 * the newest message, so the poll also gets what is published later in this ms,
 * as with golongpoll.
 */

static void
ngx_http_longpoll_zone_start_cursor(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor, uint64_t now)
{
    uint64_t  clock;

    if (!cursor->fresh) {
        return;
    }

    cursor->fresh = 0;

    clock = ngx_http_longpoll_zone_clock_horizon(z, now);

    if (cursor->now
        || (cursor->exact ? cursor->id > z->sh->clock.last_id
                          : ngx_http_longpoll_id_ms(cursor->id) >= clock))
    {
        cursor->id = z->sh->clock.visible;
        cursor->since = ngx_max(ngx_http_longpoll_id_ms(cursor->id),
                                clock - 1);
    }
}


/*
 * Takes the cursor from the client's entry.  NGX_OK, NGX_DECLINED: the client
 * is not known.
 */

static ngx_int_t
ngx_http_longpoll_zone_client_cursor(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    ngx_http_longpoll_read_t  *rd;

    rd = reader->rd;

    rd->missed = 0;
    rd->cursor.fresh = 0;
    rd->cursor.lost = 0;
    rd->cursor.beginning = 0;

    reader->entry = ngx_http_longpoll_zone_find_client(z, rd->client,
                                                       reader->now);

    if (reader->entry == NULL) {
        return NGX_DECLINED;
    }

    if (rd->cursor.id != reader->entry->seen) {
        rd->cursor.id = reader->entry->seen;
        reader->started = 0;
    }

    return NGX_OK;
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
                     || ngx_http_longpoll_zone_clock_has_late(z, rd->cursor.id,
                                                          rd->cursor.beginning);
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


/* no message: the poll is going to wait, or times out */

static void
ngx_http_longpoll_zone_nothing(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    ngx_uint_t                 i, park;
    ngx_http_longpoll_read_t  *rd;

    rd = reader->rd;

    park = (rd->mode == NGX_HTTP_LONGPOLL_READ_PARK
            || rd->mode == NGX_HTTP_LONGPOLL_READ_WAKE);

    for (i = 0; park && i < rd->ncats; i++) {
        rd->slots[i] = ngx_http_longpoll_zone_watch(z, rd->worker,
                                                    &rd->cats[i], reader->now);
    }

    if (rd->client) {
        ngx_http_longpoll_zone_client_waits(z, reader);

    } else if (!park) {
        ngx_http_longpoll_zone_issue_time(z, rd, reader->now);
    }
}


/*
 * PARK and WAKE note that the client waits in the worker.  LAST, and these
 * two without a worker, move an idle client to the end of the idle list.  PEEK
 * does nothing.
 */

static void
ngx_http_longpoll_zone_client_waits(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    ngx_http_longpoll_read_t       *rd;
    ngx_http_longpoll_client_sh_t  *entry;

    rd = reader->rd;
    entry = reader->entry;

    if (rd->mode == NGX_HTTP_LONGPOLL_READ_PEEK) {
        return;
    }

    if (rd->mode == NGX_HTTP_LONGPOLL_READ_LAST
        || rd->worker == NGX_HTTP_LONGPOLL_NO_WORKER)
    {
        ngx_http_longpoll_client_move(&z->clients, entry, entry->seen,
                                      reader->now);
        return;
    }

    ngx_http_longpoll_client_wait(&z->clients, entry,
                                  entry->waiting
                                  | ngx_http_longpoll_zone_bit(rd->worker),
                                  reader->now);
}


/*
 * The answer of a time-out names a ms.  The clock's last_id becomes the last id
 * of that ms, so every later message is behind it, whatever the wall clock does
 * meanwhile.  The answer takes the last whole ms, or the current one if the
 * cursor is in it already.
 */

static void
ngx_http_longpoll_zone_issue_time(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd, uint64_t now)
{
    uint64_t  t;

    t = ngx_http_longpoll_zone_clock_horizon(z, now);

    if (ngx_http_longpoll_id_ms(rd->cursor.id) < t) {
        t--;
    }

    if (z->sh->clock.last_id < ngx_http_longpoll_id_last_of(t)) {
        ngx_http_longpoll_put(z->sh->clock.last_id,
                              ngx_http_longpoll_id_last_of(t));
    }

    ngx_http_longpoll_zone_clock_issued(z);

    /* a message may have gone to another zone meanwhile, with an earlier id */

    if (ngx_http_longpoll_zone_clock_has_late(z, rd->cursor.id,
                                              rd->cursor.beginning))
    {
        rd->missed = 1;
    }

    rd->timestamp = t;
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

    if (reader->rd->nmsgs == 0) {

        /* all messages went while other holds searched for the first */

        ngx_http_longpoll_assert(reader->holds > 1,
                                 "a category's last message");

        reader->started = 0;
        return NGX_BUSY;
    }

    if (reader->rd->client) {
        return ngx_http_longpoll_zone_copy_one(z, reader);
    }

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
        ngx_http_longpoll_zone_take(z, reader);
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


/* copies the message for a client of gpoll's, whose cursor moves to it */

static ngx_int_t
ngx_http_longpoll_zone_copy_one(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    ngx_http_longpoll_msg_t           *msg;
    ngx_http_longpoll_read_t          *rd;
    ngx_http_longpoll_zone_scratch_t  *scratch;

    rd = reader->rd;
    scratch = &ngx_http_longpoll_zone_scratch;
    msg = &scratch->msgs[0];

    if (msg->id == rd->have) {
        msg->data.len = 0;
    }

    if (msg->data.len > scratch->size) {
        scratch->wanted = msg->data.len;
        reader->started = 0;
        return NGX_DECLINED;
    }

    if (rd->mode != NGX_HTTP_LONGPOLL_READ_PEEK) {

        if (reader->take) {
            ngx_http_longpoll_zone_take(z, reader);
        }

        ngx_http_longpoll_client_move(&z->clients, reader->entry, msg->id,
                                      reader->now);
    }

    ngx_memcpy(scratch->copy, msg->data.data, msg->data.len);
    msg->data.data = scratch->copy;

    scratch->copied = 1;

    return NGX_OK;
}


/*
 * delete_on_read: drops the messages that this read returns.  A message may be
 * pending for parked polls of several workers; then it is dropped when the last
 * of them acknowledges it.  A new poll drops a message at once if it is pending
 * for no worker.  The bytes of a dropped record are there until the lock is
 * released.
 */

static void
ngx_http_longpoll_zone_take(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    uint32_t                     ref;
    uint64_t                    *pending;
    ngx_uint_t                   i, wake;
    ngx_http_longpoll_msg_sh_t  *msg;

    wake = reader->rd->mode == NGX_HTTP_LONGPOLL_READ_WAKE
           && reader->rd->worker != NGX_HTTP_LONGPOLL_NO_WORKER;

    for (i = 0; i < reader->rd->nmsgs; i++) {
        ref = (uint32_t) ngx_http_longpoll_zone_scratch.msgs[i].pos;
        msg = ngx_http_longpoll_zone_msg(z, ref);
        pending = ngx_http_longpoll_zone_pending(msg);

        if (!(msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING)
            || (*pending == 0 && !wake))
        {
            ngx_http_longpoll_zone_list_drop(z, msg,
                                             NGX_HTTP_LONGPOLL_ZONE_UNMISSED);
            continue;
        }

        if (wake) {
            ngx_http_longpoll_put(*pending, *pending
                          | ngx_http_longpoll_zone_bit(reader->rd->worker));
        }

        ngx_http_longpoll_put(msg->rec.bits,
                              msg->rec.bits | NGX_HTTP_LONGPOLL_MSG_TAKEN);
    }

    for (i = 0; i < reader->rd->ncats; i++) {

        if (reader->iters[i].slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
            ngx_http_longpoll_zone_list_free_if_unused(z,
                                                    reader->iters[i].slot);
        }
    }
}
