
/*
 * ngx_http_longpoll_zone_read.c: reading behind a cursor.
 *
 *     hold 1    touch each category: forgotten if inactive, its expired
 *               dropped, its buffer's limit applied; missed is exact then
 *               nothing behind the cursor: register, done
 *     hold 1..  place: the first message behind the cursor, from both ends
 *               collect: the next by id of all categories, up to what was
 *               visible in the first hold, within the limit
 *     last      copy what is small
 *
 * A hold does about NGX_HTTP_LONGPOLL_ZONE_STEPS steps.  Between two of them
 * anything may happen: what a reader remembers is a ref with the position at
 * which it stood.  If the tail has not passed it and it lives, it is the same;
 * else the place is looked for again.  What was dropped meanwhile behind the
 * last message given has been missed.
 *
 * Large answers are copied by the caller, without the lock, and are right if
 * the tail has passed none of them; after two attempts that were not, they are
 * copied in one hold, in slices.
 *
 * What a client of gpoll's gets is copied in one hold with the move of its
 * place.  Its cursor is read from the place in every hold: if another poll of
 * its has moved it meanwhile, the read begins anew.
 *
 * The results stand in memory of this file, one for the process, until the
 * next read.
 */


#include "ngx_http_longpoll_zone_read.h"
#include "ngx_http_longpoll_zone_client.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_watch.h"
#include "ngx_http_longpoll_zone_clock.h"


#define NGX_HTTP_LONGPOLL_ZONE_COPY    32768    /* bytes, under the lock */
#define NGX_HTTP_LONGPOLL_ZONE_SLICE   262144   /* the same, when all else
                                                   failed */
#define NGX_HTTP_LONGPOLL_ZONE_TRIES   2        /* to copy outside the lock */


/* a category on a reader's way */

typedef struct {
    uint32_t                      slot;
    uint64_t                      seen;         /* id: cursor, or last given */

    /* the next to give, once placed; 0: no more */
    uint32_t                      next;
    uint64_t                      next_pos;
    ngx_uint_t                    placed;

    /* two walkers that look for the place, from both ends */
    uint32_t                      back;
    uint64_t                      back_pos;
    uint32_t                      fore;
    uint64_t                      fore_pos;
} ngx_http_longpoll_zone_way_t;


typedef struct {
    ngx_http_longpoll_read_t     *rd;
    ngx_uint_t                    begun;
    ngx_uint_t                    holds;
    uint64_t                      take;         /* delete_on_read */
    uint64_t                      upto;
    uint64_t                      bytes;        /* as the limit counts */
    uint64_t                      data;         /* bytes of data alone */
    uint64_t                      now;
    ngx_http_longpoll_client_sh_t *place;        /* gpoll's, in this hold */
    ngx_uint_t                    sited;        /* messages with a pos */
    ngx_http_longpoll_zone_way_t  ways[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
} ngx_http_longpoll_zone_walk_t;


/* what a read gives out stands here, until the next one */

typedef struct {
    ngx_http_longpoll_msg_t      *msgs;
    ngx_uint_t                    max;
    u_char                       *copy;
    size_t                        size;
    ngx_uint_t                    copied;
    uint64_t                      min_pos;
    ngx_uint_t                    tries;
    size_t                        wanted;       /* of copy */
} ngx_http_longpoll_zone_scratch_t;


static ngx_int_t ngx_http_longpoll_zone_read_hold(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk);
static ngx_int_t ngx_http_longpoll_zone_find_client(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk);
static void ngx_http_longpoll_zone_stay(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk);
static void ngx_http_longpoll_zone_arrive(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor, uint64_t now);
static void ngx_http_longpoll_zone_register(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd, uint64_t now);
static ngx_int_t ngx_http_longpoll_zone_seek(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_way_t *way, ngx_uint_t *steps);
static ngx_int_t ngx_http_longpoll_zone_collect(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk, ngx_uint_t *steps);
static ngx_uint_t ngx_http_longpoll_zone_named(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk);
static ngx_uint_t ngx_http_longpoll_zone_full(ngx_http_longpoll_zone_walk_t *walk, uint64_t id,
    uint64_t bytes);
static void ngx_http_longpoll_zone_give(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk, ngx_uint_t i,
    ngx_http_longpoll_msg_sh_t *msg);
static ngx_int_t ngx_http_longpoll_zone_copy(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk);
static ngx_int_t ngx_http_longpoll_zone_hand_over(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk);
static void ngx_http_longpoll_zone_take(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk);
static void ngx_http_longpoll_zone_site(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk);
static ngx_int_t ngx_http_longpoll_zone_grow(ngx_http_longpoll_zone_walk_t *walk);


static ngx_http_longpoll_zone_scratch_t  ngx_http_longpoll_zone_scratch;


ngx_int_t
ngx_http_longpoll_zone_read(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd, uint64_t now)
{
    ngx_int_t                          rc;
    ngx_http_longpoll_zone_walk_t      walk;
    ngx_http_longpoll_zone_scratch_t  *scratch;

    scratch = &ngx_http_longpoll_zone_scratch;

    walk.rd = rd;
    walk.now = now;
    walk.begun = 0;
    walk.take = 0;

    rd->nmsgs = 0;

    if (scratch->size == 0 && ngx_http_longpoll_zone_grow(&walk) != NGX_OK) {
        return NGX_ERROR;
    }

    for ( ;; ) {
        ngx_http_longpoll_zone_lock(z);
        rc = ngx_http_longpoll_zone_read_hold(z, &walk);
        ngx_http_longpoll_zone_unlock(z);

        switch (rc) {

        case NGX_BUSY:
            break;

        case NGX_DECLINED:
            if (ngx_http_longpoll_zone_grow(&walk) != NGX_OK) {
                scratch->tries = 0;
                return NGX_ERROR;
            }

            break;

        case NGX_OK:
            rd->msgs = scratch->msgs;

            /* what went to later zones before that is behind its place */

            if (rd->client == NULL && z->sh->resize.moved
                && rd->msgs[rd->nmsgs - 1].id >= z->sh->resize.moved)
            {
                rd->missed = 1;
            }

            return NGX_OK;

        default:

            /* there is nothing to be valid */

            scratch->tries = 0;
            return rc;
        }
    }
}


ngx_uint_t
ngx_http_longpoll_zone_newest(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor)
{
    if (!cursor->exact || cursor->lost
        || ngx_http_longpoll_zone_has_late(z, cursor->id, cursor->beginning)
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
 * NGX_OK        done
 * NGX_AGAIN     nothing there
 * NGX_DONE      nobody there
 * NGX_BUSY      out of steps: go on in another hold
 * NGX_DECLINED  the scratch memory is too small
 */

static ngx_int_t
ngx_http_longpoll_zone_read_hold(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk)
{
    uint64_t                       t;
    uint32_t                       slot;
    ngx_int_t                      rc;
    ngx_uint_t                     i, found, gone, park, steps;
    ngx_http_longpoll_read_t      *rd;
    ngx_http_longpoll_msg_sh_t    *last;
    ngx_http_longpoll_zone_way_t  *way;

    rd = walk->rd;
    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

    if (rd->client == NULL) {
        ngx_http_longpoll_zone_arrive(z, &rd->cursor, walk->now);

    } else if (ngx_http_longpoll_zone_find_client(z, walk) != NGX_OK) {
        return NGX_DONE;
    }

    /* a reload may change this between two holds */

    if (walk->take != z->sh->conf.delete_on_read) {
        walk->take = z->sh->conf.delete_on_read;
        walk->begun = 0;
    }

    /* a client that has gone to another zone is given everything there */

    gone = (rd->client && z->sh->resize.moved);

    if (gone) {
        walk->begun = 0;
    }

    if (!walk->begun) {
        rd->nmsgs = 0;
        rd->missed = rd->cursor.lost
                     || ngx_http_longpoll_zone_has_late(z, rd->cursor.id,
                                                       rd->cursor.beginning);
    }

    found = 0;

    for (i = 0; i < rd->ncats; i++) {
        way = &walk->ways[i];

        if (!walk->begun) {
            way->seen = rd->cursor.id;
            way->placed = 0;
            way->back = 0;
            way->fore = 0;
        }

        rc = ngx_http_longpoll_zone_touch(z, &rd->cats[i], walk->now, 1,
                                          &steps, &slot);
        if (rc != NGX_OK) {
            return rc;
        }

        if (ngx_http_longpoll_cat_missed(&z->cats, slot, rd->cats[i].hash,
                                         way->seen, rd->cursor.beginning))
        {
            rd->missed = 1;
        }

        way->slot = slot;

        if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
            continue;
        }

        last = ngx_http_longpoll_zone_last(z, slot);

        if (last && last->id > way->seen && !gone) {
            found = 1;
        }
    }

    if (rd->client && rd->missed && !gone) {

        if (rd->mode != NGX_HTTP_LONGPOLL_READ_PEEK) {
            ngx_http_longpoll_client_drop(&z->clients, walk->place);
        }

        return NGX_DONE;
    }

    if (!walk->begun && !found) {

        park = (rd->mode == NGX_HTTP_LONGPOLL_READ_PARK
                || rd->mode == NGX_HTTP_LONGPOLL_READ_WAKE);

        if (park) {
            ngx_http_longpoll_zone_register(z, rd, walk->now);
        }

        if (rd->client) {
            ngx_http_longpoll_zone_stay(z, walk);
            return NGX_AGAIN;
        }

        if (park) {
            return NGX_AGAIN;
        }

        /*
         * What is published later must be later than this answer, whatever the
         * wall clock does meanwhile.  A ms that is over costs the clock
         * nothing.
         */

        t = ngx_http_longpoll_zone_horizon(z, walk->now);

        if (ngx_http_longpoll_id_ms(rd->cursor.id) < t) {
            t--;
        }

        if (z->sh->clock.last_id < ngx_http_longpoll_id_last_of(t)) {
            ngx_http_longpoll_put(z->sh->clock.last_id,
                                  ngx_http_longpoll_id_last_of(t));
        }

        ngx_http_longpoll_zone_note_issued(z);

        /* what has gone elsewhere meanwhile may be earlier than that */

        if (ngx_http_longpoll_zone_has_late(z, rd->cursor.id,
                                           rd->cursor.beginning))
        {
            rd->missed = 1;
        }

        rd->timestamp = t;

        return NGX_AGAIN;
    }

    if (!walk->begun) {
        walk->begun = 1;
        walk->holds = 0;
        walk->upto = z->sh->clock.visible;
        walk->bytes = 0;
        walk->data = 0;
        walk->sited = 0;
        ngx_http_longpoll_zone_scratch.min_pos = (uint64_t) -1;
        ngx_http_longpoll_zone_scratch.copied = 0;
    }

    walk->holds++;

    return ngx_http_longpoll_zone_collect(z, walk, &steps);
}


/* the cursor of gpoll's client: where it is now */

static ngx_int_t
ngx_http_longpoll_zone_find_client(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk)
{
    ngx_http_longpoll_read_t  *rd;

    rd = walk->rd;

    rd->missed = 0;
    rd->cursor.fresh = 0;
    rd->cursor.lost = 0;
    rd->cursor.beginning = 0;

    walk->place = ngx_http_longpoll_zone_client(z, rd->client, walk->now);

    if (walk->place == NULL) {
        return NGX_DECLINED;
    }

    if (rd->cursor.id != walk->place->seen) {
        rd->cursor.id = walk->place->seen;
        walk->begun = 0;
    }

    return NGX_OK;
}


/* nothing is there for it: it waits, or has asked at least */

static void
ngx_http_longpoll_zone_stay(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk)
{
    ngx_http_longpoll_read_t      *rd;
    ngx_http_longpoll_client_sh_t  *place;

    rd = walk->rd;
    place = walk->place;

    if (rd->mode == NGX_HTTP_LONGPOLL_READ_PEEK) {
        return;
    }

    if (rd->mode == NGX_HTTP_LONGPOLL_READ_LAST
        || rd->worker == NGX_HTTP_LONGPOLL_NO_WORKER)
    {
        ngx_http_longpoll_client_move(&z->clients, place, place->seen,
                                     walk->now);
        return;
    }

    ngx_http_longpoll_client_wait(&z->clients, place,
                                 place->waiting
                                 | ngx_http_longpoll_zone_bit(rd->worker),
                                 walk->now);
}


/*
 * Nobody is told of, or moves, a time that has not come.  Nor one that is not
 * over: what is published later in that ms comes to those who wait, as with
 * golongpoll.
 */

static void
ngx_http_longpoll_zone_arrive(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor, uint64_t now)
{
    uint64_t  clock;

    if (!cursor->fresh) {
        return;
    }

    cursor->fresh = 0;

    clock = ngx_http_longpoll_zone_horizon(z, now);

    if (cursor->now
        || (cursor->exact ? cursor->id > z->sh->clock.last_id
                          : ngx_http_longpoll_id_ms(cursor->id) >= clock))
    {
        cursor->id = z->sh->clock.visible;
        cursor->since = ngx_max(ngx_http_longpoll_id_ms(cursor->id),
                                clock - 1);
    }
}


static void
ngx_http_longpoll_zone_register(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd, uint64_t now)
{
    ngx_uint_t  i;

    for (i = 0; i < rd->ncats; i++) {
        rd->slots[i] = ngx_http_longpoll_zone_watch(z, rd->worker,
                                                    &rd->cats[i], now);
    }
}


/*
 * Finds the first message behind way->seen from both ends of the category at
 * once; there is one.
 */

static ngx_int_t
ngx_http_longpoll_zone_seek(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_way_t *way, ngx_uint_t *steps)
{
    ngx_http_longpoll_cat_sh_t  *cat;
    ngx_http_longpoll_msg_sh_t  *back, *fore;

    cat = &z->cats.slots[way->slot];

    if (!ngx_http_longpoll_zone_stands(z, way->back, way->back_pos, way->slot))
    {
        way->back = cat->last;
    }

    if (!ngx_http_longpoll_zone_stands(z, way->fore, way->fore_pos, way->slot))
    {
        way->fore = cat->first;
    }

    for ( ;; ) {
        fore = ngx_http_longpoll_zone_msg(z, way->fore);

        if (fore->id > way->seen) {
            way->next = way->fore;
            break;
        }

        back = ngx_http_longpoll_zone_msg(z, way->back);

        if (back->prev == 0
            || ngx_http_longpoll_zone_msg(z, back->prev)->id <= way->seen)
        {
            way->next = way->back;
            break;
        }

        if (*steps == 0) {
            way->back_pos = ngx_http_longpoll_zone_pos(z, way->back);
            way->fore_pos = ngx_http_longpoll_zone_pos(z, way->fore);
            return NGX_BUSY;
        }

        (*steps)--;

        ngx_http_longpoll_zone_validate_order(z, fore);
        ngx_http_longpoll_zone_validate_order(z, back);

        way->fore = fore->next;
        way->back = back->prev;
    }

    way->placed = 1;
    way->back = 0;
    way->fore = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_zone_collect(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk, ngx_uint_t *steps)
{
    uint64_t                       bytes;
    ngx_uint_t                     i, best;
    ngx_http_longpoll_read_t      *rd;
    ngx_http_longpoll_cat_sh_t    *cat;
    ngx_http_longpoll_msg_sh_t    *msg, *first;
    ngx_http_longpoll_zone_way_t  *way;

    rd = walk->rd;

    /* what is taken away, or copied at last, is so in one hold */

    if (walk->take
        || ngx_http_longpoll_zone_scratch.tries
           >= NGX_HTTP_LONGPOLL_ZONE_TRIES)
    {
        *steps = (ngx_uint_t) -1;
    }

    /* all of them first: if this hold breaks off, what is placed is sited */

    for (i = 0; i < rd->ncats; i++) {
        way = &walk->ways[i];

        if (way->placed
            && way->next
            && !ngx_http_longpoll_zone_stands(z, way->next, way->next_pos,
                                              way->slot))
        {
            way->placed = 0;
        }
    }

    for (i = 0; i < rd->ncats; i++) {
        way = &walk->ways[i];

        if (way->placed) {
            continue;
        }

        if (way->slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
            cat = &z->cats.slots[way->slot];

            if (cat->last
                && ngx_http_longpoll_zone_msg(z, cat->last)->id > way->seen)
            {
                if (ngx_http_longpoll_zone_seek(z, way, steps) != NGX_OK) {
                    goto busy;
                }

                continue;
            }
        }

        way->placed = 1;
        way->next = 0;
    }

    if (rd->cursor.named && ngx_http_longpoll_zone_named(z, walk)) {
        walk->begun = 0;
        return NGX_BUSY;
    }

    while (rd->client == NULL || rd->nmsgs == 0) {
        first = NULL;
        best = 0;

        for (i = 0; i < rd->ncats; i++) {
            way = &walk->ways[i];

            if (way->next == 0) {
                continue;
            }

            msg = ngx_http_longpoll_zone_msg(z, way->next);

            ngx_http_longpoll_assert(msg->id <= z->sh->clock.committed,
                                    "a message of no publish");

            if (msg->id <= walk->upto && (!first || msg->id < first->id)) {
                first = msg;
                best = i;
            }
        }

        if (first == NULL) {
            break;
        }

        bytes = rd->costs[best] + first->data_len;

        if (ngx_http_longpoll_zone_full(walk, first->id, bytes)) {
            break;
        }

        if (rd->nmsgs == ngx_http_longpoll_zone_scratch.max) {

            if (*steps > NGX_HTTP_LONGPOLL_ZONE_STEPS) {
                walk->begun = 0;

            } else {
                ngx_http_longpoll_zone_site(z, walk);
            }

            return NGX_DECLINED;
        }

        if (*steps == 0) {
            goto busy;
        }

        (*steps)--;

        walk->bytes += bytes;
        ngx_http_longpoll_zone_give(z, walk, best, first);
    }

    return ngx_http_longpoll_zone_copy(z, walk);

busy:

    ngx_http_longpoll_zone_site(z, walk);

    return NGX_BUSY;
}


/* behind the message of the cursor's UUID, if it is in the cursor's ms */

static ngx_uint_t
ngx_http_longpoll_zone_named(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk)
{
    uint32_t                     ref;
    ngx_uint_t                   i;
    ngx_http_longpoll_uuid_t     uuid;
    ngx_http_longpoll_cursor_t  *cursor;
    ngx_http_longpoll_msg_sh_t  *msg;

    cursor = &walk->rd->cursor;
    cursor->named = 0;

    for (i = 0; i < walk->rd->ncats; i++) {

        for (ref = walk->ways[i].next; ref; ref = msg->next) {
            msg = ngx_http_longpoll_zone_msg(z, ref);

            if (ngx_http_longpoll_id_ms(msg->id) > cursor->since) {
                break;
            }

            ngx_http_longpoll_zone_uuid(z, msg, &uuid);

            if (uuid.high == cursor->uuid.high && uuid.low == cursor->uuid.low)
            {
                cursor->id = msg->id;
                cursor->exact = 1;
                return 1;
            }
        }
    }

    return 0;
}


/*
 * Whether an answer ends before the message of id.  It may go over the limit
 * for the sake of its only ms; of several it gives up the last.
 */

static ngx_uint_t
ngx_http_longpoll_zone_full(ngx_http_longpoll_zone_walk_t *walk, uint64_t id,
    uint64_t bytes)
{
    size_t                     limit;
    uint64_t                   ms;
    ngx_uint_t                 n;
    ngx_http_longpoll_msg_t   *msgs;
    ngx_http_longpoll_read_t  *rd;

    rd = walk->rd;
    limit = rd->limit;

    if (ngx_http_longpoll_zone_scratch.tries >= NGX_HTTP_LONGPOLL_ZONE_TRIES) {
        limit = ngx_min(limit, NGX_HTTP_LONGPOLL_ZONE_SLICE);
    }

    if (rd->nmsgs == 0 || walk->bytes + bytes <= limit) {
        return 0;
    }

    msgs = ngx_http_longpoll_zone_scratch.msgs;
    ms = ngx_http_longpoll_id_ms(id);
    n = rd->nmsgs;

    while (n && ngx_http_longpoll_id_ms(msgs[n - 1].id) == ms) {
        n--;
    }

    if (n == 0) {
        return 0;
    }

    rd->nmsgs = n;

    return 1;
}


static void
ngx_http_longpoll_zone_give(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk, ngx_uint_t i,
    ngx_http_longpoll_msg_sh_t *msg)
{
    ngx_http_longpoll_msg_t       *m;
    ngx_http_longpoll_zone_way_t  *way;

    ngx_http_longpoll_zone_validate_order(z, msg);

    m = &ngx_http_longpoll_zone_scratch.msgs[walk->rd->nmsgs++];

    m->id = msg->id;
    ngx_http_longpoll_zone_uuid(z, msg, &m->uuid);
    m->cat = i;
    m->data.len = msg->data_len;
    m->data.data = (u_char *) msg
                   + ngx_http_longpoll_zone_front(msg->rec.bits)
                   + msg->rec.name_len;
    m->pos = ngx_http_longpoll_zone_ref(z, msg);

    walk->data += msg->data_len;

    way = &walk->ways[i];
    way->seen = msg->id;
    way->next = msg->next;
}


/*
 * The end of a read.  Small answers are copied here and now, large ones by the
 * caller, who then asks whether they were overwritten meanwhile.
 */

static ngx_int_t
ngx_http_longpoll_zone_copy(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk)
{
    u_char                            *p;
    ngx_uint_t                         i, must;
    ngx_http_longpoll_msg_t           *msg;
    ngx_http_longpoll_zone_scratch_t  *scratch;

    scratch = &ngx_http_longpoll_zone_scratch;

    if (walk->rd->nmsgs == 0) {

        /* all of it went while the place was looked for, in other holds */

        ngx_http_longpoll_assert(walk->holds > 1, "a category's last message");

        walk->begun = 0;
        return NGX_BUSY;
    }

    if (walk->rd->client) {
        return ngx_http_longpoll_zone_hand_over(z, walk);
    }

    must = walk->take
           || scratch->tries >= NGX_HTTP_LONGPOLL_ZONE_TRIES;

    if (must && walk->data > scratch->size) {
        scratch->wanted = walk->data;
        walk->begun = 0;
        return NGX_DECLINED;
    }

    if (walk->data > scratch->size
        || (!must
            && (walk->holds > 1 || walk->data > NGX_HTTP_LONGPOLL_ZONE_COPY)))
    {
        ngx_http_longpoll_zone_site(z, walk);
        return NGX_OK;
    }

    if (walk->take
        && walk->rd->mode != NGX_HTTP_LONGPOLL_READ_PEEK)
    {
        ngx_http_longpoll_zone_take(z, walk);
    }

    p = scratch->copy;

    for (i = 0; i < walk->rd->nmsgs; i++) {
        msg = &scratch->msgs[i];

        ngx_memcpy(p, msg->data.data, msg->data.len);
        msg->data.data = p;
        p += msg->data.len;
    }

    scratch->copied = 1;

    return NGX_OK;
}


/* one message for gpoll's client, whose place moves on to it */

static ngx_int_t
ngx_http_longpoll_zone_hand_over(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk)
{
    ngx_http_longpoll_msg_t           *msg;
    ngx_http_longpoll_read_t          *rd;
    ngx_http_longpoll_zone_scratch_t  *scratch;

    rd = walk->rd;
    scratch = &ngx_http_longpoll_zone_scratch;
    msg = &scratch->msgs[0];

    if (msg->id == rd->have) {
        msg->data.len = 0;
    }

    if (msg->data.len > scratch->size) {
        scratch->wanted = msg->data.len;
        walk->begun = 0;
        return NGX_DECLINED;
    }

    if (rd->mode != NGX_HTTP_LONGPOLL_READ_PEEK) {

        if (walk->take) {
            ngx_http_longpoll_zone_take(z, walk);
        }

        ngx_http_longpoll_client_move(&z->clients, walk->place, msg->id,
                                     walk->now);
    }

    ngx_memcpy(scratch->copy, msg->data.data, msg->data.len);
    msg->data.data = scratch->copy;

    scratch->copied = 1;

    return NGX_OK;
}


/*
 * delete_on_read.  Parked polls of several workers may be owed the same
 * message: it goes when the last worker has paid.  A new poll's it is at once,
 * if it is owed to nobody.  A dropped record keeps its bytes until the lock is
 * let go.
 */

static void
ngx_http_longpoll_zone_take(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk)
{
    uint32_t                     ref;
    uint64_t                    *owed;
    ngx_uint_t                   i, wake;
    ngx_http_longpoll_msg_sh_t  *msg;

    wake = walk->rd->mode == NGX_HTTP_LONGPOLL_READ_WAKE
           && walk->rd->worker != NGX_HTTP_LONGPOLL_NO_WORKER;

    for (i = 0; i < walk->rd->nmsgs; i++) {
        ref = (uint32_t) ngx_http_longpoll_zone_scratch.msgs[i].pos;
        msg = ngx_http_longpoll_zone_msg(z, ref);
        owed = ngx_http_longpoll_zone_pending(msg);

        if (!(msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING)
            || (*owed == 0 && !wake))
        {
            ngx_http_longpoll_zone_drop(z, msg,
                                        NGX_HTTP_LONGPOLL_ZONE_TAKEN);
            continue;
        }

        if (wake) {
            ngx_http_longpoll_put(*owed, *owed
                          | ngx_http_longpoll_zone_bit(walk->rd->worker));
        }

        ngx_http_longpoll_put(msg->rec.bits,
                              msg->rec.bits | NGX_HTTP_LONGPOLL_MSG_TAKEN);
    }

    for (i = 0; i < walk->rd->ncats; i++) {

        if (walk->ways[i].slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
            ngx_http_longpoll_zone_release(z, walk->ways[i].slot);
        }
    }
}


/*
 * Before the lock is let go: where things stand, so that it can be seen later
 * whether they still do.
 */

static void
ngx_http_longpoll_zone_site(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_walk_t *walk)
{
    uint32_t                           ref;
    ngx_uint_t                         i;
    ngx_http_longpoll_msg_t           *msg;
    ngx_http_longpoll_zone_way_t      *way;
    ngx_http_longpoll_zone_scratch_t  *scratch;

    scratch = &ngx_http_longpoll_zone_scratch;

    for (i = walk->sited; i < walk->rd->nmsgs; i++) {
        msg = &scratch->msgs[i];
        ref = (uint32_t) msg->pos;

        msg->pos = ngx_http_longpoll_zone_pos(z, ref);
        scratch->min_pos = ngx_min(scratch->min_pos, msg->pos);
    }

    walk->sited = walk->rd->nmsgs;

    for (i = 0; i < walk->rd->ncats; i++) {
        way = &walk->ways[i];

        if (way->placed && way->next) {
            way->next_pos = ngx_http_longpoll_zone_pos(z, way->next);
        }
    }
}


static ngx_int_t
ngx_http_longpoll_zone_grow(ngx_http_longpoll_zone_walk_t *walk)
{
    u_char                            *copy;
    ngx_uint_t                         max;
    ngx_http_longpoll_msg_t           *msgs;
    ngx_http_longpoll_zone_scratch_t  *scratch;

    scratch = &ngx_http_longpoll_zone_scratch;

    if (scratch->size == 0 || scratch->wanted > scratch->size) {
        scratch->wanted = ngx_max(scratch->wanted,
                                  NGX_HTTP_LONGPOLL_ZONE_COPY);

        copy = ngx_alloc(scratch->wanted, ngx_cycle->log);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        if (scratch->copy) {
            ngx_free(scratch->copy);
        }

        scratch->copy = copy;
        scratch->size = scratch->wanted;
    }

    if (scratch->max == 0 || walk->rd->nmsgs == scratch->max) {
        max = scratch->max ? scratch->max * 2 : NGX_HTTP_LONGPOLL_ZONE_STEPS;

        msgs = ngx_alloc(max * sizeof(ngx_http_longpoll_msg_t),
                         ngx_cycle->log);
        if (msgs == NULL) {
            return NGX_ERROR;
        }

        if (scratch->msgs) {
            ngx_memcpy(msgs, scratch->msgs,
                       scratch->max * sizeof(ngx_http_longpoll_msg_t));
            ngx_free(scratch->msgs);
        }

        scratch->msgs = msgs;
        scratch->max = max;
    }

    return NGX_OK;
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
