
/*
 * store_result.c: what must be true of the answer of a call.
 */


#include "store_model.h"


/* a worker that waited is pending in every message of the publish */

static void
model_is_pending(model_op_t *op, uint32_t cat, uint64_t bit)
{
    ngx_uint_t    i;
    model_msg_t  *msg;

    for (i = m.nall - op->n; i < m.nall; i++) {
        msg = m.all[i];

        unit_must(msg->dead || msg->cat != cat || !msg->has_pending
                  || (msg->pending & bit),
                  "a message has no pending bit of a worker that waits");
    }
}


/* what an idempotency key should have found, or not */

static void
model_keyed(model_op_t *op)
{
    ngx_uint_t    i;
    model_msg_t  *msg, *first;

    first = NULL;

    for (i = 0; op->key && i < m.nall && first == NULL; i++) {
        msg = m.all[i];

        if (msg->cat == op->which[0] && msg->key == op->key
            && !msg->dead
            && (op->rc != NGX_OK || msg->id < op->msgs[0].id)
            && !(m.conf.ttl && model_ms(msg->id) + m.conf.ttl
                               <= model_clock(op->now)))
        {
            first = msg;
        }
    }

    if (op->between) {
        return;
    }

    if (op->rc == NGX_DONE) {
        unit_must(first && op->msgs[op->n - 1].id == first->id + first->behind
                  && op->wake == 0 && m.came == 0,
                  "a key is known that should not be, or for another publish");
        unit->known++;

    } else if (op->rc == NGX_OK) {
        unit_must(first == NULL || model_idle(op->which[0], op->now, 1),
                  "a key is not known that should be");
    }
}


/* each worker that waits for a category learns of a publish to it */

static void
model_publish_wakes(model_op_t *op, ngx_uint_t cat)
{
    uint32_t           slot;
    ngx_uint_t         w, before;
    model_cat_t       *c;
    model_interest_t  *in;

    c = &m.cats[cat];
    before = c->count + c->went - c->came;

    slot = ngx_http_longpoll_cat_find(&m.zone.cats, c->cat.hash);
    unit_must(slot != NGX_HTTP_LONGPOLL_CAT_NONE, "no slot for c%lu",
              (unsigned long) cat);

    for (w = 0; w < MODEL_WORKERS; w++) {
        in = &c->interest[w];

        if ((!in->bit && (!in->slotless || before != 0))
            || model_ending(w, cat))
        {
            continue;
        }

        unit_must((op->wake & model_bit(w))
                  || m.sh->workers[m.workers[w]].wake_all
                  || m.waking[w],
                  "worker %lu is not woken for c%lu", (unsigned long) w,
                  (unsigned long) cat);

        /*
         * A kill has cost the interest: the worker checks all its waiters.
         */

        if (in->slotless || (m.zone.cats.slots[slot].waiting & model_bit(w))) {
            in->pending = op->serial;
            model_is_pending(op, cat, model_bit(w));
        }

        unit_must(model_woken(w, cat, c->count),
                  "worker %lu has no dirty bit of c%lu", (unsigned long) w,
                  (unsigned long) cat);
    }
}


static void
model_published(model_op_t *op)
{
    uint64_t      id;
    ngx_uint_t    i, big, next;
    model_cat_t  *c;

    big = op->need > m.size / 4
          || op->distinct > ngx_http_longpoll_cat_max_full(&m.zone.cats);

    if (op->between == 0 && op->rc != NGX_DONE) {
        unit_must((op->rc == NGX_DECLINED) == big,
                  "publishing %lu of %lu bytes returns %ld",
                  (unsigned long) op->need, (unsigned long) m.size,
                  (long) op->rc);
    }

    model_keyed(op);

    if (op->rc == NGX_DONE) {
        return;
    }

    if (op->rc != NGX_OK) {
        unit_must(op->wake == 0, "a refused publish wakes");
        unit->declined++;
        return;
    }

    id = op->last_id;

    for (i = 0; i < op->n; i++) {
        id = ngx_max(ngx_http_longpoll_id(op->clock, 0), id + 1);
        unit_must(op->msgs[i].id == id, "id %lx should be %lx",
                  (unsigned long) op->msgs[i].id, (unsigned long) id);
        unit_must(model_ms(id) > m.floor,
                  "an id shares the ms of a time-out answer");
    }

    unit_must(m.sh->clock.visible == id, "a publish is not visible");
    unit_must(op->between
              || m.sh->counters.published == op->published + op->n,
              "published is wrong");
    unit_must(m.sh->log.live * 20 <= m.sh->log.size * 17,
              "more live messages than should be");

    next = 0;

    for (i = 0; i < op->n; i++) {
        c = &m.cats[op->which[i]];

        if (op->msgs[i].cat != next) {
            continue;
        }

        next++;

        unit_must(c->count <= m.conf.buffer || c->went >= c->came,
                  "%lu messages where %lu may be",
                  (unsigned long) c->count, (unsigned long) m.conf.buffer);

        if (op->between == 0 && model_idle(op->which[i], op->now, 1)) {
            unit_must(c->count <= c->came,
                      "a publish wakes a category that is over its inactive");
        }

        c->used_min = op->now;
        c->used_max = op->now;

        model_publish_wakes(op, op->which[i]);
    }
}


/* the messages of an answer, or NULLs for what should be there and is not */

ngx_uint_t
model_expect(model_op_t *op, uint64_t seen, model_msg_t **found)
{
    ngx_uint_t    i, n;
    model_msg_t  *msg;

    n = 0;

    for (i = model_index(seen + 1); i < m.nall; i++) {
        msg = m.all[i];

        if (model_has(op, msg->cat)
            && (!msg->dead
                || (msg->died == op->serial && msg->why == MODEL_DELETED
                    && model_was_given(op, msg->id))))
        {
            found[n++] = msg;
        }
    }

    return n;
}


/*
 * An answer has whole ms, or for a reader by id single messages: at least one,
 * and otherwise no more than the limit.
 */

static ngx_uint_t
model_cut(model_op_t *op, model_msg_t **found, ngx_uint_t n, uint64_t limit)
{
    uint64_t    bytes, more;
    ngx_uint_t  i, j;

    bytes = 0;

    if (m.conf.delete_on_read) {
        limit = ngx_min(limit, NGX_HTTP_LONGPOLL_ZONE_TAKE_BYTES);
    }

    for (i = 0; i < n; i = j) {
        more = 0;

        for (j = i; j < n && model_ms(found[j]->id) == model_ms(found[i]->id);
             j++)
        {
            if (op->rd.by_id && j > i) {
                break;
            }

            more += op->costs[m.cats[found[j]->cat].index] + found[j]->len;
        }

        /* what is found and copied in one hold has a limit of its own */

        if (i && (bytes + more > limit
                  || ((m.conf.delete_on_read || limit == 262144)
                      && j > NGX_HTTP_LONGPOLL_ZONE_TAKE)))
        {
            break;
        }

        bytes += more;
    }

    return i;
}


static uint64_t
model_arrived(model_op_t *op)
{
    ngx_http_longpoll_cursor_t  *cursor;

    cursor = &op->cursor;

    unit_must(op->rd.cursor.fresh == (op->rd.cursor.recent != 0),
              "a cursor remains fresh, or does not");

    if (op->between) {
        unit_must(op->rd.cursor.id == cursor->id
                  || (cursor->fresh && op->rd.cursor.id >= op->visible
                      && op->rd.cursor.id <= m.visible),
                  "a cursor has moved");

    } else if (cursor->fresh
               && (cursor->now
                   || (cursor->exact ? cursor->id > op->last_id
                                     : model_ms(cursor->id) >= op->clock)))
    {
        unit_must(op->rd.cursor.id == m.visible,
                  "a cursor from now on begins elsewhere");
    } else {
        unit_must(op->rd.cursor.id == cursor->id, "a cursor has moved");
    }

    return op->rd.cursor.id;
}


static void
model_missed(model_op_t *op, uint64_t seen, uint64_t upto)
{
    ngx_uint_t    i, must, may;
    model_cat_t  *c;
    model_msg_t  *msg;

    must = op->cursor.lost;
    may = op->cursor.lost;

    for (i = 0; i < op->rd.ncats; i++) {
        c = &m.cats[op->which[i]];

        if (seen < c->dropped) {
            may = 1;
            must |= !op->between;
        }
    }

    if (op->between) {

        /*
         * A message that was dropped meanwhile but stands in the answer is
         * not missed.
         */

        for (i = model_index(seen + 1); i < m.nall; i++) {
            msg = m.all[i];

            if (model_has(op, msg->cat) && msg->id <= upto && msg->dead
                && !(msg->why & MODEL_DELETED) && !model_was_given(op, msg->id))
            {
                must = 1;
            }
        }
    }

    if (!m.exact) {

        if (op->cursor.beginning) {
            must = op->cursor.lost;

        } else if (seen < m.max_dropped) {
            unit->false_missed += (op->rd.missed && !may);
            may = 1;
        }
    }

    unit->missed += op->rd.missed;

    unit_must(op->rd.missed || !must, "an answer lacks missed (dropped %lx)",
              (unsigned long) m.cats[op->which[0]].dropped);
    unit_must(!op->rd.missed || may, "an answer has missed for nothing");
}


/* while others came between the holds */

static void
model_read_between(model_op_t *op, uint64_t seen, model_msg_t **found,
    ngx_uint_t n)
{
    uint64_t                  last;
    ngx_uint_t                i, k;
    model_msg_t              *msg;
    ngx_http_longpoll_msg_t  *msgs;

    msgs = op->rd.msgs;
    last = op->rd.nmsgs ? msgs[op->rd.nmsgs - 1].id : 0;

    for (k = 0; k < op->rd.nmsgs; k++) {
        i = model_index(msgs[k].id);
        unit_must(i < m.nall && m.all[i]->id == msgs[k].id
                  && msgs[k].id > (k ? msgs[k - 1].id : seen),
                  "an answer out of order");

        msg = m.all[i];
        unit_must(model_has(op, msg->cat)
                  && m.cats[msg->cat].index == msgs[k].cat
                  && msg->len == msgs[k].data.len,
                  "an answer with another message");
        unit_must(!msg->dead || msg->died >= op->serial,
                  "an answer with a message that was dead before");
    }

    for (i = 0; i < n; i++) {
        if (found[i]->id <= last) {
            unit_must(model_was_given(op, found[i]->id),
                      "an answer with a hole");

        } else {
            unit_must(op->rd.by_id || model_ms(found[i]->id) != model_ms(last)
                      || found[i]->id > op->visible,
                      "an answer is cut within a ms");
        }
    }
}


/* the messages of an answer, where nobody came between its holds */

static void
model_read_exactly(model_op_t *op, model_msg_t **found, ngx_uint_t n)
{
    ngx_uint_t                 i, cut;
    ngx_http_longpoll_read_t  *rd;

    rd = &op->rd;
    cut = model_cut(op, found, n, rd->limit);

    if (op->rc == NGX_OK) {

        if (rd->nmsgs != cut && m.invalid > 1) {
            cut = model_cut(op, found, n, ngx_min(rd->limit, 262144));
        }

        unit_must(rd->nmsgs == cut, "an answer of %lu messages, not %lu",
                  (unsigned long) rd->nmsgs, (unsigned long) cut);

        for (i = 0; i < cut; i++) {
            unit_must(rd->msgs[i].id == found[i]->id
                      && rd->msgs[i].cat == m.cats[found[i]->cat].index
                      && rd->msgs[i].data.len == found[i]->len,
                      "another message in an answer");
        }
    }

    for (i = 0; i < rd->nmsgs; i++) {
        unit_must(m.conf.ttl == 0
                  || model_ms(rd->msgs[i].id) + m.conf.ttl > op->clock,
                  "an answer has a message over its ttl");
        unit_must(!(op->idle >> rd->msgs[i].cat & 1),
                  "an answer has a message of an inactive category");
    }
}


/*
 * A poll that begins with the newest messages, while others came between the
 * holds: the newest ones were searched in one of them, and the answer may be
 * cut.  found are those that are there now.
 */

static void
model_recent_between(model_op_t *op, model_msg_t **found, ngx_uint_t n)
{
    uint64_t      first, last;
    ngx_uint_t    i, older, stayed, there, must, may;
    model_msg_t  *msg;

    must = 0;
    may = !m.exact;
    there = 0;
    stayed = 0;
    first = op->rd.nmsgs ? op->rd.msgs[0].id : 0;
    last = op->rd.nmsgs ? op->rd.msgs[op->rd.nmsgs - 1].id : 0;

    for (older = 0; older < n && found[older]->id < first; older++) {
        /* void */
    }

    model_read_between(op, 0, found + older, n - older);

    for (i = older; i < n; i++) {
        stayed += (found[i]->id <= op->visible);
    }

    for (i = model_index(first); i < m.nall; i++) {
        msg = m.all[i];

        if (!model_has(op, msg->cat) || (msg->dead && msg->died < op->serial)) {
            continue;
        }

        there++;

        if (msg->dead && !(msg->why & MODEL_DELETED)) {
            may = 1;
            must |= op->rd.ncats == 1 && msg->id < last
                    && !model_was_given(op, msg->id);
        }
    }

    unit_must(op->rd.nmsgs <= op->cursor.recent
              && stayed <= op->cursor.recent,
              "an answer begins with %lu messages, %lu of them there all the "
              "while, not with %u", (unsigned long) op->rd.nmsgs,
              (unsigned long) stayed, op->cursor.recent);
    unit_must(op->rd.nmsgs == 0 || older == 0 || there >= op->cursor.recent,
              "an answer begins with %lu messages, not with %u",
              (unsigned long) there, op->cursor.recent);

    unit_must(op->rd.missed || !must, "the newest messages lack missed");
    unit_must(!op->rd.missed || may, "the newest have missed for nothing");
}


/* a poll that begins with the newest messages has missed nothing before them */

static void
model_read_recent(model_op_t *op)
{
    ngx_uint_t     n, older;
    model_msg_t  **found;

    found = m.went;
    n = model_expect(op, 0, found);

    unit_must(op->rc == NGX_OK || n == 0, "a read finds nothing of %lu",
              (unsigned long) n);
    unit_must(op->rd.cursor.recent
              == (op->rc == NGX_OK ? op->cursor.recent : 0),
              "a cursor remains without a place");

    unit->recent++;
    unit->missed += op->rd.missed;

    if (op->between) {
        model_recent_between(op, found, n);
        return;
    }

    older = n - ngx_min(n, op->cursor.recent);
    model_read_exactly(op, found + older, n - older);

    unit_must(!op->rd.missed, "the newest messages have missed");
}


/* the messages of an answer by cursor, and whether it says "missed" */

static void
model_read_answer(model_op_t *op, uint64_t seen)
{
    ngx_uint_t                 n;
    model_msg_t              **found;
    ngx_http_longpoll_read_t  *rd;

    rd = &op->rd;
    found = m.went;
    n = model_expect(op, seen, found);

    unit_must(op->rc == NGX_OK || n == 0, "a read finds nothing of %lu",
              (unsigned long) n);

    if (op->between) {
        model_read_between(op, seen, found, n);

    } else {
        model_read_exactly(op, found, n);
    }

    model_missed(op, seen, rd->nmsgs ? rd->msgs[rd->nmsgs - 1].id
                                     : (uint64_t) -1);
}


/* with delete_on_read, what was read goes */

static void
model_read_takes(model_op_t *op)
{
    ngx_uint_t                 i, n, take;
    ngx_http_longpoll_read_t  *rd;

    rd = &op->rd;
    take = m.conf.delete_on_read && rd->mode != NGX_HTTP_LONGPOLL_READ_PEEK;

    for (i = 0; i < rd->nmsgs && take; i++) {
        n = model_index(rd->msgs[i].id);

        if (!m.all[n]->dead) {
            m.all[n]->taken = 1;

            if (op->worker != MODEL_NOBODY
                && rd->mode == NGX_HTTP_LONGPOLL_READ_WAKE)
            {
                m.all[n]->pending |= model_bit(op->worker);
            }

            unit_must(m.all[n]->pending, "a message that was read remains");
        }
    }
}


static void
model_read_timeout(model_op_t *op, uint64_t seen)
{
    ngx_http_longpoll_read_t  *rd;

    rd = &op->rd;

    if (op->by_client) {
        unit_must(op->between || m.last_id == op->last_id,
                  "a client's time-out moves the clock");
        return;
    }

    unit_must(rd->timestamp == op->clock - (model_ms(seen) < op->clock),
              "a time-out answer of another time");
    unit_must(op->between || m.last_id == op->last_id
              || m.last_id == ngx_http_longpoll_id_last_of(rd->timestamp),
              "a time-out answer moves the clock");

    m.floor = ngx_max(m.floor, rd->timestamp);
}


/* all that the reader has not seen, and all that comes, is behind its place */

static void
model_read_place(model_op_t *op, uint64_t seen)
{
    uint64_t  place;

    place = op->rd.place_id;

    unit_must(place >= seen, "a place in front of the cursor");
    unit_must(m.last_id >= place, "a place that events may come before");
    unit_must(op->between || m.last_id == op->last_id || m.last_id == place,
              "a place moves the clock");
    unit_must(op->between || model_index(m.visible + 1) == m.nall
              || place < m.all[model_index(m.visible + 1)]->id,
              "a place behind what is not shown");
}


/* a poll that found nothing waits in each of its categories */

static void
model_read_waits(model_op_t *op)
{
    uint32_t                   slot;
    ngx_uint_t                 i;
    model_cat_t               *c;
    model_interest_t          *in;
    ngx_http_longpoll_read_t  *rd;

    rd = &op->rd;

    for (i = 0; i < rd->ncats; i++) {
        c = &m.cats[op->which[i]];
        slot = op->slots[i];

        if (op->worker == MODEL_NOBODY) {
            unit_must(slot == NGX_HTTP_LONGPOLL_CAT_NONE,
                      "a slot waits for nobody");
            continue;
        }

        in = &c->interest[op->worker];

        if (!in->begun) {
            in->begun = 1;
            in->since = op->rd.since;
        }

        if (slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
            unit_must(m.zone.cats.slots[slot].hash[0] == c->cat.hash[0]
                      && (m.zone.cats.slots[slot].waiting
                          & model_bit(op->worker)),
                      "a poll waits in another's slot");

            if (!in->bit && c->count == 0) {
                in->pending = 0;
            }

            in->bit = 1;
            in->slot = slot;
            continue;
        }

        unit_must(op->between
                  || ngx_http_longpoll_cat_idle(&m.zone.cats)
                     >= ngx_http_longpoll_cat_max_idle(&m.zone.cats)
                  || m.zone.cats.sh->claimed == m.zone.cats.sh->nslots,
                  "interest has no slot though there is one");
        in->bit = 0;
        in->slotless++;
        m.slotless[op->worker]++;
    }
}


static void
model_was_read(model_op_t *op)
{
    uint64_t                   seen;
    ngx_uint_t                 i;
    model_cat_t               *c;
    ngx_http_longpoll_read_t  *rd;

    rd = &op->rd;
    seen = 0;
    unit->reads++;

    if (op->rc == NGX_ERROR) {
        unit_must(unit_no_memory_hit, "a read fails for nothing");
        return;
    }

    if (op->rc == NGX_DONE) {
        unit_must(op->by_client, "a read of no client is declined");
        return;
    }

    model_mark(op);

    if (!op->by_client) {
        unit_must((op->rc == NGX_OK) == (rd->nmsgs != 0),
                  "a read returns %ld with %lu messages", (long) op->rc,
                  (unsigned long) rd->nmsgs);

        seen = model_arrived(op);

        if (op->cursor.recent) {
            model_read_recent(op);

        } else {
            model_read_answer(op, seen);
        }
    }

    model_read_takes(op);

    for (i = 0; i < rd->ncats; i++) {
        c = &m.cats[op->which[i]];

        unit_must(op->between || c->count <= m.conf.buffer,
                  "more than buffer messages after a read");

        c->used_min = ngx_max(c->used_min, op->now);
        c->used_max = ngx_max(c->used_max, op->now);
    }

    if (op->rc == NGX_OK) {
        return;
    }

    if (rd->by_id) {
        model_read_place(op, seen);
    }

    if (rd->mode == NGX_HTTP_LONGPOLL_READ_LAST
        || rd->mode == NGX_HTTP_LONGPOLL_READ_PEEK)
    {
        model_read_timeout(op, seen);
        return;
    }

    model_read_waits(op);
}


/*
 * A worker is pending in no message of a category any more, or of any, up to
 * an id.
 */

static void
model_acknowledged(ngx_uint_t worker, uint32_t cat, uint64_t upto)
{
    ngx_uint_t    i;
    model_msg_t  *msg;

    for (i = 0; i < m.nall; i++) {
        msg = m.all[i];

        if (!msg->dead && msg->has_pending && msg->id <= upto
            && (cat == (uint32_t) -1 || cat == msg->cat))
        {
            msg->pending &= ~model_bit(worker);

            unit_must(msg->pending || !msg->taken,
                      "a message remains that no worker is pending in");
        }
    }
}


static void
model_reaped(model_op_t *op)
{
    uint32_t                        n, ref;
    uint64_t                        bit;
    ngx_uint_t                      i, number;
    model_cat_t                    *c;
    ngx_http_longpoll_msg_sh_t     *msg;
    ngx_http_longpoll_worker_sh_t  *w;

    number = m.workers[op->worker];
    bit = model_bit(op->worker);
    w = &m.sh->workers[number];

    for (n = 0; n < m.ncats; n++) {
        c = &m.cats[n];

        if (c->interest[op->worker].bit) {
            c->used_min = op->between ? ngx_min(c->used_min, op->now) : op->now;
            c->used_max = ngx_max(c->used_max, op->now);
        }

        ngx_memzero(&c->interest[op->worker], sizeof(model_interest_t));
    }

    m.slotless[op->worker] = 0;
    m.waiting[op->worker] = 0;
    m.waking[op->worker] = 0;

    model_acknowledged(op->worker, (uint32_t) -1, (uint64_t) -1);

    unit_must(w->waiting == 0, "the gauge of a dead worker remains");
    unit_must(w->slotless == 0 && !(m.sh->slotless & bit),
              "slotless interest of a dead worker remains");
    for (n = 0; n < m.zone.cats.sh->fresh; n++) {
        unit_must(m.zone.cats.slots[n].hash[0] == 0
                  || !(m.zone.cats.slots[n].waiting & bit),
                  "a slot waits for a dead worker");
    }

    for (i = 0; i < m.zone.words && op->between == 0; i++) {
        unit_must(m.zone.dirty[number * m.zone.words + i] == 0,
                  "dirty bits of a dead worker remain");
    }

    for (ref = m.sh->list.oldest; ref; ref = msg->newer) {
        msg = model_msg(ref);

        unit_must(!(msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING)
                  || !(*(uint64_t *) (msg + 1) & bit),
                  "a dead worker is pending in a message");
    }
}


/* of the newest message; 0: there is none */

static uint64_t
model_newest_bytes(void)
{
    ngx_uint_t  i;

    for (i = m.nall; i; i--) {

        if (!m.all[i - 1]->dead) {
            return m.all[i - 1]->bytes;
        }
    }

    return 0;
}


static void
model_status(model_op_t *op)
{
    uint32_t                          n;
    double                            bytes, slots;
    uint64_t                          waiting, active, least, used;
    ngx_uint_t                        i;
    ngx_http_longpoll_zone_status_t  *st;

    st = &op->st;
    waiting = 0;
    active = 0;
    least = 0;

    for (i = 0; i < MODEL_WORKERS; i++) {
        waiting += m.waiting[i];
    }

    for (n = 0; n < m.ncats; n++) {
        active += (m.cats[n].count || model_pinned(n, 0));
        least += (m.cats[n].count || (m.exact && model_pinned(n, 1)));
    }

    bytes = (double) m.live / model_limit();
    slots = (double) m.full / ngx_http_longpoll_cat_max_full(&m.zone.cats);
    used = m.nlive ? m.size * ngx_max(bytes, slots) : 0;

    unit_must(st->size == m.size && st->events == m.nlive
              && st->waiting == waiting, "status: wrong figures");
    unit_must((st->used <= used + 1 && used <= st->used + 1)
              || (st->used == m.size && m.live + model_newest_bytes()
                                        > model_limit()),
              "status: used is %lu, not %lu", (unsigned long) st->used,
              (unsigned long) used);
    unit_must(st->categories <= active
              && st->categories >= least,
              "status: %lu categories, not %lu",
              (unsigned long) st->categories, (unsigned long) active);
}


static void
model_deleted(model_op_t *op)
{
    ngx_uint_t    i;
    model_cat_t  *c;

    c = &m.cats[op->cat];
    c->used_max = ngx_max(c->used_max, op->now);
    c->used_min = ngx_min(c->used_min, op->now);

    for (i = 0; i < m.nall; i++) {
        unit_must(m.all[i]->dead || m.all[i]->cat != op->cat
                  || m.all[i]->id > op->bound,
                  "a deleted message remains");
    }
}


static void
model_ticked(model_op_t *op)
{
    ngx_uint_t  i;

    if (op->between == 0) {
        unit_must((ngx_uint_t) op->rc == (op->now / 1000 != op->second),
                  "tick returns %ld", (long) op->rc);
    }

    for (i = 0; i < m.nall && op->rc && op->between == 0; i++) {
        unit_must(m.all[i]->dead || m.conf.ttl == 0
                  || model_ms(m.all[i]->id) + m.conf.ttl
                     > model_clock(op->now),
                  "a message over its ttl remains after a tick");
    }
}


void
model_result(model_op_t *op)
{
    ngx_uint_t         i;
    model_cat_t       *c;
    model_interest_t  *in;

    c = &m.cats[op->cat];
    in = op->worker == MODEL_NOBODY ? NULL : &c->interest[op->worker];

    switch (op->kind) {

    case MODEL_PUBLISH:
        model_published(op);
        break;

    case MODEL_READ:
        model_was_read(op);
        break;

    case MODEL_UNWATCH:
        c->used_max = ngx_max(c->used_max, op->now);
        c->used_min = ngx_min(c->used_min, op->now);

        if (in->bit) {
            model_acknowledged(op->worker, op->cat, op->bound);
        }

        in->bit = 0;
        in->pending = 0;
        in->begun = 0;
        in->since = 0;
        break;

    case MODEL_SLOTLESS:
        in->slotless += op->slotless;
        m.slotless[op->worker] += op->slotless;

        if (!in->bit && !in->slotless) {
            in->pending = 0;
        }

        break;

    case MODEL_ACKNOWLEDGE:
        if (in) {
            model_acknowledged(op->worker, op->cat, op->bound);
        }

        break;

    case MODEL_DIRTY:
        unit_must(op->rc <= NGX_HTTP_LONGPOLL_DIRTY, "too many are dirty");

        for (i = 0; i < (ngx_uint_t) op->rc; i++) {
            m.cats[model_find_cat(op->hashes[i])]
                .interest[op->worker].pending = 0;
        }

        break;

    case MODEL_WAKE_ALL:
        m.waking[op->worker] |= op->rc;
        break;

    case MODEL_DELETE:
        model_deleted(op);
        break;

    case MODEL_TICK:
        model_ticked(op);
        break;

    case MODEL_REAP:
        model_reaped(op);
        break;

    case MODEL_CONFIGURE:
        unit_must(memcmp(&m.sh->conf, &op->conf, sizeof(op->conf)) == 0,
                  "configure does not");
        model_conf_is(&op->conf);
        break;

    case MODEL_STATUS:
        model_status(op);
        break;

    default: /* of gpoll's clients alone */
        break;
    }

    model_client_result(op);
}
