
/*
 * ngx_http_longpoll_zone_reader.c: a reader merges its categories by id.
 *
 *     iterator of category 1:    seen | next -> msg -> msg
 *     iterator of category 2:    seen |         next -> msg
 *     iterator of category 3:    seen | 0
 *                                        smallest id first, up to reader->upto
 *
 * An iterator first searches the first message behind `seen`, from both ends of
 * the category at once, since a cursor is mostly near one of them.  Then the
 * smallest next message of all iterators is collected, and its iterator moves
 * on.
 *
 * A poll that asks for the newest messages has no `seen`.  Its iterators walk
 * back from the newest visible message of their categories: always the one that
 * stands at the newest, until there are as many as the poll asks for.
 *
 * Between two holds any message may move or die.  So the reader remembers the
 * position of each message that it comes back to; an iterator whose message no
 * longer stands there searches again, behind `seen`.
 */


#include "ngx_http_longpoll_zone_reader.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_msg.h"


static ngx_http_longpoll_zone_iter_t *ngx_http_longpoll_zone_newest(
    ngx_http_longpoll_zone_reader_t *reader);
static void ngx_http_longpoll_zone_back(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_iter_t *it, ngx_http_longpoll_msg_sh_t *msg,
    uint64_t after);
static ngx_int_t ngx_http_longpoll_zone_seek(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_uint_t *steps);
static ngx_int_t ngx_http_longpoll_zone_seek_iter(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_iter_t *it, ngx_uint_t *steps);
static ngx_int_t ngx_http_longpoll_zone_named(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_uint_t *steps);
static ngx_http_longpoll_zone_iter_t *ngx_http_longpoll_zone_next(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_reader_t *reader);
static ngx_uint_t ngx_http_longpoll_zone_full(
    ngx_http_longpoll_zone_reader_t *reader, ngx_uint_t whole, uint64_t id,
    uint64_t bytes);
static ngx_inline ngx_uint_t ngx_http_longpoll_zone_whole(
    ngx_http_longpoll_zone_reader_t *reader);
static void ngx_http_longpoll_zone_add(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_http_longpoll_zone_iter_t *it,
    ngx_http_longpoll_msg_sh_t *msg);


ngx_http_longpoll_zone_scratch_t  ngx_http_longpoll_zone_scratch;


uint64_t
ngx_http_longpoll_zone_reader_recent(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, uint64_t after, ngx_uint_t *steps)
{
    uint64_t                        oldest;
    ngx_uint_t                      i, n;
    ngx_http_longpoll_msg_sh_t     *msg;
    ngx_http_longpoll_zone_iter_t  *it;

    for (i = 0; i < reader->rd->ncats; i++) {
        it = &reader->iters[i];
        msg = NULL;

        if (it->slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
            msg = ngx_http_longpoll_zone_clock_last(z, it->slot);
        }

        it->next = 0;
        ngx_http_longpoll_zone_back(z, it, msg, after);
    }

    oldest = 0;

    for (n = reader->rd->cursor.recent; n; n--) {
        it = ngx_http_longpoll_zone_newest(reader);

        if (it == NULL) {
            break;
        }

        msg = ngx_http_longpoll_zone_msg(z, it->back);
        ngx_http_longpoll_zone_validate_order(z, msg);

        oldest = msg->id;
        it->next = it->back;

        msg = msg->prev ? ngx_http_longpoll_zone_msg(z, msg->prev) : NULL;
        ngx_http_longpoll_zone_back(z, it, msg, after);

        *steps -= (*steps != 0);
    }

    for (i = 0; oldest && i < reader->rd->ncats; i++) {
        it = &reader->iters[i];

        it->seen = it->next ? ngx_http_longpoll_zone_msg(z, it->next)->id - 1
                            : z->sh->clock.visible;
        it->ready = 1;
        it->back = 0;
    }

    return oldest;
}


/* the iterator that has walked back the least; NULL: none can go on */

static ngx_http_longpoll_zone_iter_t *
ngx_http_longpoll_zone_newest(ngx_http_longpoll_zone_reader_t *reader)
{
    uint64_t                        id;
    ngx_uint_t                      i;
    ngx_http_longpoll_zone_iter_t  *it, *newest;

    newest = NULL;
    id = 0;

    for (i = 0; i < reader->rd->ncats; i++) {
        it = &reader->iters[i];

        if (it->seen > id) {
            id = it->seen;
            newest = it;
        }
    }

    return newest;
}


/* an iterator walks back to msg, which is `seen` meanwhile; 0: to none */

static void
ngx_http_longpoll_zone_back(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_iter_t *it, ngx_http_longpoll_msg_sh_t *msg,
    uint64_t after)
{
    it->seen = 0;

    if (msg && msg->id > after) {
        it->seen = msg->id;
        it->back = ngx_http_longpoll_zone_ref(z, msg);
    }
}


ngx_int_t
ngx_http_longpoll_zone_reader_collect(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_uint_t *steps)
{
    uint64_t                        bytes;
    ngx_int_t                       rc;
    ngx_uint_t                      whole;
    ngx_http_longpoll_read_t       *rd;
    ngx_http_longpoll_msg_sh_t     *msg;
    ngx_http_longpoll_zone_iter_t  *it;

    rd = reader->rd;

    rc = ngx_http_longpoll_zone_seek(z, reader, steps);

    if (rc == NGX_OK && rd->cursor.named) {
        rc = ngx_http_longpoll_zone_named(z, reader, steps);
    }

    if (rc == NGX_DONE) {
        reader->started = 0;
        return NGX_BUSY;
    }

    if (rc == NGX_BUSY) {
        ngx_http_longpoll_zone_reader_remember(z, reader);
        return NGX_BUSY;
    }

    /*
     * With delete_on_read, and after TRIES failures, all that is found is
     * copied in this hold, and has a limit of its own.
     */

    whole = ngx_http_longpoll_zone_whole(reader);

    /* the merge looks at the next message of each category twice */

    ngx_http_longpoll_assert_more((20 + 2 * rd->ncats)
                                  * (whole ? NGX_HTTP_LONGPOLL_ZONE_TAKE
                                           : NGX_HTTP_LONGPOLL_ZONE_STEPS));

    while (rd->nmsgs < reader->source->max) {
        it = ngx_http_longpoll_zone_next(z, reader);

        if (it == NULL) {
            break;
        }

        msg = ngx_http_longpoll_zone_msg(z, it->next);
        bytes = it->cost + msg->data_len;

        if (ngx_http_longpoll_zone_full(reader, whole, msg->id, bytes)) {
            rd->more = 1;
            break;
        }

        if (rd->nmsgs == ngx_http_longpoll_zone_scratch.max) {

            if (whole) {
                reader->started = 0;

            } else {
                ngx_http_longpoll_zone_reader_remember(z, reader);
            }

            return NGX_DECLINED;
        }

        if (*steps == 0 && !whole) {
            ngx_http_longpoll_zone_reader_remember(z, reader);
            return NGX_BUSY;
        }

        *steps -= (*steps != 0);

        reader->bytes += bytes;
        ngx_http_longpoll_zone_add(z, reader, it, msg);
    }

    return NGX_OK;
}


/* makes all iterators ready */

static ngx_int_t
ngx_http_longpoll_zone_seek(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_uint_t *steps)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_cat_sh_t     *cat;
    ngx_http_longpoll_zone_iter_t  *it;

    /* all of them before the search, which may end the hold: only the message
     * of a ready iterator is remembered */

    for (i = 0; i < reader->rd->ncats; i++) {
        it = &reader->iters[i];

        if (it->ready
            && it->next
            && !ngx_http_longpoll_zone_msg_stands(z, it->next, it->next_pos,
                                                  it->slot))
        {
            it->ready = 0;
        }
    }

    for (i = 0; i < reader->rd->ncats; i++) {
        it = &reader->iters[i];

        if (it->ready) {
            continue;
        }

        if (it->slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
            cat = &z->cats.slots[it->slot];

            if (cat->last
                && ngx_http_longpoll_zone_msg(z, cat->last)->id > it->seen)
            {
                if (ngx_http_longpoll_zone_seek_iter(z, it, steps) != NGX_OK) {
                    return NGX_BUSY;
                }

                continue;
            }
        }

        it->ready = 1;
        it->next = 0;
    }

    return NGX_OK;
}


/* searches the first message behind it->seen; there is one */

static ngx_int_t
ngx_http_longpoll_zone_seek_iter(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_iter_t *it, ngx_uint_t *steps)
{
    ngx_http_longpoll_cat_sh_t  *cat;
    ngx_http_longpoll_msg_sh_t  *back, *fore;

    cat = &z->cats.slots[it->slot];

    if (!ngx_http_longpoll_zone_msg_stands(z, it->back, it->back_pos, it->slot))
    {
        it->back = cat->last;
    }

    if (!ngx_http_longpoll_zone_msg_stands(z, it->fore, it->fore_pos, it->slot))
    {
        it->fore = cat->first;
    }

    for ( ;; ) {
        fore = ngx_http_longpoll_zone_msg(z, it->fore);

        if (fore->id > it->seen) {
            it->next = it->fore;
            break;
        }

        back = ngx_http_longpoll_zone_msg(z, it->back);

        if (back->prev == 0
            || ngx_http_longpoll_zone_msg(z, back->prev)->id <= it->seen)
        {
            it->next = it->back;
            break;
        }

        if (*steps == 0) {
            it->back_pos = ngx_http_longpoll_zone_msg_pos(z, it->back);
            it->fore_pos = ngx_http_longpoll_zone_msg_pos(z, it->fore);
            return NGX_BUSY;
        }

        (*steps)--;

        ngx_http_longpoll_zone_validate_order(z, fore);
        ngx_http_longpoll_zone_validate_order(z, back);

        it->fore = fore->next;
        it->back = back->prev;
    }

    it->ready = 1;
    it->back = 0;
    it->fore = 0;

    return NGX_OK;
}


/*
 * A cursor that is a time and a UUID is moved behind the message of that UUID,
 * if it is one of that ms, or anywhere behind.  The iterators are moved on by
 * this search.
 *
 * NGX_OK    there is no such message: the iterators are where they were
 * NGX_DONE  the search is over: the read starts anew
 * NGX_BUSY
 */

static ngx_int_t
ngx_http_longpoll_zone_named(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_uint_t *steps)
{
    ngx_uint_t                      i, moved;
    ngx_http_longpoll_uuid_t        uuid;
    ngx_http_longpoll_cursor_t     *cursor;
    ngx_http_longpoll_msg_sh_t     *msg;
    ngx_http_longpoll_zone_iter_t  *it;

    cursor = &reader->rd->cursor;
    moved = 0;

    for (i = 0; i < reader->rd->ncats; i++) {
        it = &reader->iters[i];

        for ( /* void */ ; it->next; it->next = msg->next) {
            msg = ngx_http_longpoll_zone_msg(z, it->next);

            if (ngx_http_longpoll_id_ms(msg->id) > cursor->since
                && !cursor->anywhere)
            {
                break;
            }

            if (*steps == 0) {
                return NGX_BUSY;
            }

            (*steps)--;

            ngx_http_longpoll_zone_msg_uuid(z, msg, &uuid);

            if (uuid.high == cursor->uuid.high && uuid.low == cursor->uuid.low)
            {
                cursor->id = msg->id;
                cursor->exact = 1;
                cursor->named = 0;
                return NGX_DONE;
            }

            it->seen = msg->id;
        }

        moved |= (it->seen != cursor->id);
    }

    cursor->named = 0;

    return moved ? NGX_DONE : NGX_OK;
}


/* the iterator whose next message is next; NULL: none up to reader->upto */

static ngx_http_longpoll_zone_iter_t *
ngx_http_longpoll_zone_next(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    uint64_t                        id;
    ngx_uint_t                      i;
    ngx_http_longpoll_zone_iter_t  *it, *first;

    first = NULL;
    id = reader->upto;

    for (i = 0; i < reader->rd->ncats; i++) {
        it = &reader->iters[i];

        if (it->next && ngx_http_longpoll_zone_msg(z, it->next)->id <= id) {
            id = ngx_http_longpoll_zone_msg(z, it->next)->id;
            first = it;
        }
    }

    return first;
}


/*
 * Whether an answer ends in front of the message of this id.  An answer has all
 * messages of a ms or none, unless its client comes back with an id.  So a full
 * answer gives the messages of its last ms back.  If all its messages share one
 * ms, it takes all of them and exceeds the limit.
 */

static ngx_uint_t
ngx_http_longpoll_zone_full(ngx_http_longpoll_zone_reader_t *reader,
    ngx_uint_t whole, uint64_t id, uint64_t bytes)
{
    size_t                     limit, max;
    uint64_t                   ms;
    ngx_uint_t                 n;
    ngx_http_longpoll_msg_t   *msgs;
    ngx_http_longpoll_read_t  *rd;

    rd = reader->rd;

    if (rd->nmsgs == 0) {
        return 0;
    }

    limit = rd->limit;

    if (whole) {
        max = reader->take ? NGX_HTTP_LONGPOLL_ZONE_TAKE_BYTES
                           : NGX_HTTP_LONGPOLL_ZONE_SLICE;
        limit = ngx_min(limit, max);

        if (rd->nmsgs >= NGX_HTTP_LONGPOLL_ZONE_TAKE) {
            limit = 0;
        }
    }

    if (reader->bytes + bytes <= limit) {
        return 0;
    }

    if (rd->by_id) {
        return 1;
    }

    msgs = ngx_http_longpoll_zone_scratch.msgs;
    ms = ngx_http_longpoll_id_ms(id);
    n = rd->nmsgs;

    if (ngx_http_longpoll_id_ms(msgs[0].id) == ms) {
        return 0;
    }

    while (ngx_http_longpoll_id_ms(msgs[n - 1].id) == ms) {
        n--;
    }

    rd->nmsgs = n;

    return 1;
}


/* whether an answer is found and copied in one hold */

static ngx_inline ngx_uint_t
ngx_http_longpoll_zone_whole(ngx_http_longpoll_zone_reader_t *reader)
{
    return reader->take
           || ngx_http_longpoll_zone_scratch.tries
              >= NGX_HTTP_LONGPOLL_ZONE_TRIES;
}


/* collects the next message of an iterator */

static void
ngx_http_longpoll_zone_add(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_http_longpoll_zone_iter_t *it,
    ngx_http_longpoll_msg_sh_t *msg)
{
    ngx_http_longpoll_msg_t  *m;

    ngx_http_longpoll_zone_validate_order(z, msg);

    m = &ngx_http_longpoll_zone_scratch.msgs[reader->rd->nmsgs++];

    m->id = msg->id;
    ngx_http_longpoll_zone_msg_uuid(z, msg, &m->uuid);
    m->cat = it->cat;
    m->data.len = msg->data_len;
    m->data.data = (u_char *) msg
                   + ngx_http_longpoll_zone_front(msg->rec.bits)
                   + msg->rec.name_len;

    /* the ref, until the position is remembered */

    m->pos = it->next;

    reader->data += msg->data_len;

    it->seen = msg->id;
    it->next = msg->next;
}


void
ngx_http_longpoll_zone_reader_remember(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    ngx_uint_t                         i;
    ngx_http_longpoll_msg_t           *msg;
    ngx_http_longpoll_zone_iter_t     *it;
    ngx_http_longpoll_zone_scratch_t  *scratch;

    scratch = &ngx_http_longpoll_zone_scratch;

    for (i = reader->remembered; i < reader->rd->nmsgs; i++) {
        msg = &scratch->msgs[i];

        msg->pos = ngx_http_longpoll_zone_msg_pos(z, (uint32_t) msg->pos);
        scratch->min_pos = ngx_min(scratch->min_pos, msg->pos);
    }

    reader->remembered = reader->rd->nmsgs;

    for (i = 0; i < reader->rd->ncats; i++) {
        it = &reader->iters[i];

        if (it->ready && it->next) {
            it->next_pos = ngx_http_longpoll_zone_msg_pos(z, it->next);
        }
    }
}


ngx_int_t
ngx_http_longpoll_zone_reader_grow(ngx_http_longpoll_zone_reader_t *reader)
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

    if (scratch->max == 0 || reader->rd->nmsgs == scratch->max) {
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


void
ngx_http_longpoll_zone_reader_take(ngx_http_longpoll_zone_t *z,
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
                                             NGX_HTTP_LONGPOLL_ZONE_TAKEN);
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
