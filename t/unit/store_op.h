
/*
 * store_op.h: ops, one call of the zone's each, and what workers do with them.
 *
 * The end of store_model.h, which explains it.
 */


#ifndef _STORE_OP_H_INCLUDED_
#define _STORE_OP_H_INCLUDED_


/*
 * one op
 */


static void
model_describe(model_op_t *op)
{
    int     n;
    size_t  size;

    size = sizeof(stub->what);

    n = snprintf(stub->what, size, "%s now %lu worker %lu", model_name(op),
                 (unsigned long) op->now, (unsigned long) op->worker);

    if (op->kind == MODEL_PUBLISH) {
        snprintf(stub->what + n, size - n, " n %lu c%u need %lu",
                 (unsigned long) op->n, op->which[0],
                 (unsigned long) op->need);

    } else if (op->kind == MODEL_READ) {
        snprintf(stub->what + n, size - n,
                 "%s mode %u ncats %lu c%u cursor %lx%s%s%s%s limit %lu",
                 op->by_client ? " client" : "", op->rd.mode,
                 (unsigned long) op->rd.ncats, op->which[0],
                 (unsigned long) op->cursor.id,
                 op->cursor.fresh ? " fresh" : "",
                 op->cursor.now ? " now" : "",
                 op->cursor.exact ? " exact" : "",
                 op->cursor.beginning ? " beginning" : "",
                 (unsigned long) op->rd.limit);

    } else {
        snprintf(stub->what + n, size - n, " c%u", op->cat);
    }
}


static void
model_begin(model_op_t *op)
{
    ngx_uint_t    i;
    model_cat_t  *c;

    if (m.depth == 0) {
        model_compact();
        stub->op++;
    }

    op->serial = ++m.serial;
    op->locks = 0;
    op->between = 0;
    op->rc = NGX_OK;
    op->visible = m.sh->clock.visible;
    op->second = m.sh->tick.second;
    op->published = m.sh->counters.published;
    op->bound = m.sh->clock.visible;

    op->need = 0;

    if (op->kind == MODEL_PUBLISH) {

        op->distinct = 0;

        for (i = 0; i < op->n; i++) {
            op->need += model_need(op->which[i], op->msgs[i].data.len,
                                   i == 0 && op->key);

            c = &m.cats[op->which[i]];

            if (c->mark != op->serial) {
                c->mark = op->serial;
                c->index = op->distinct;
                op->cats[op->distinct++] = c->cat;
            }

            op->msgs[i].cat = c->index;
        }
    }

    if (op->kind == MODEL_READ) {

        op->idle = 0;

        for (i = 0; i < op->rd.ncats; i++) {
            c = &m.cats[op->which[i]];

            op->cats[i] = c->cat;
            op->idle |= (uint64_t) model_idle(op->which[i], op->now, 1) << i;

            /* when is not known, others may come between */

            c->used_max = ngx_max(c->used_max, op->now);
        }
    }

    m.op = op;
    stub->ops++;

    if (m.depth) {
        stub->between++;

    } else {
        model_describe(op);
    }
}


static void
model_call(model_op_t *op)
{
    ngx_str_t                  key;
    ngx_uint_t                 number;
    model_cat_t               *c;
    ngx_http_longpoll_zone_t  *z;

    z = &m.zone;
    c = &m.cats[op->cat];
    number = op->worker == MODEL_NOBODY ? NGX_HTTP_LONGPOLL_NO_WORKER
                                        : m.workers[op->worker];
    op->locks = 0;
    op->done = 0;

    switch (op->kind) {

    case MODEL_PUBLISH:
        key.data = (u_char *) "key";
        key.len = op->key;
        op->rc = ngx_http_longpoll_zone_publish(z, op->cats, op->msgs, op->n,
                                                op->key ? &key : NULL,
                                                op->now, &op->wake);
        break;

    case MODEL_READ:
        op->rd.worker = number;
        op->rd.cats = op->cats;
        op->rd.cursor = op->cursor;
        op->rd.costs = op->costs;
        op->rd.slots = op->slots;
        op->rd.client = op->by_client ? &op->client : NULL;
        op->rc = ngx_http_longpoll_zone_read(z, &op->rd, op->now);
        break;

    case MODEL_UNWATCH:
        ngx_http_longpoll_zone_unwatch(z, number, c->cat.hash, op->slot,
                                       op->now);
        break;

    case MODEL_LOOSE:
        ngx_http_longpoll_zone_count_slotless(z, number, op->slotless);
        break;

    case MODEL_PAID:
        ngx_http_longpoll_zone_acknowledge(z, number, c->cat.hash);
        break;

    case MODEL_DIRTY:
        op->rc = ngx_http_longpoll_zone_dirty(z, number, op->hashes);
        break;

    case MODEL_LOOK:
        op->rc = ngx_http_longpoll_zone_wake_all(z, number);
        break;

    case MODEL_DELETE:
        ngx_http_longpoll_zone_delete(z, &c->cat, op->now);
        break;

    case MODEL_TICK:
        op->rc = ngx_http_longpoll_zone_tick(z, op->now);
        break;

    case MODEL_FORGET:
        ngx_http_longpoll_zone_reap_worker(z, number, op->now);
        break;

    case MODEL_CONFIGURE:
        z->conf = op->conf;
        ngx_http_longpoll_zone_configure(z);
        break;

    case MODEL_STATUS:
        ngx_http_longpoll_zone_status(z, (uint64_t) -1, &op->st);
        break;

    case MODEL_ENTER:
        ngx_http_longpoll_zone_add_client(z, &op->client, op->now);
        break;

    case MODEL_PART:
        ngx_http_longpoll_zone_leave_client(z, number, &op->client, op->now);
        break;
    }

    op->done = 1;
}


/*
 * what must be true after it
 */


/* all that was published of a category is owed by a worker that waited */

static void
model_owes(model_op_t *op, uint32_t cat, uint64_t bit)
{
    ngx_uint_t    i;
    model_msg_t  *msg;

    for (i = m.nall - op->n; i < m.nall; i++) {
        msg = m.all[i];

        stub_must(msg->dead || msg->cat != cat || !msg->owes
                  || (msg->owed & bit),
                  "a message is not owed by who waits for it");
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
        stub_must(first && op->msgs[op->n - 1].id == first->id + first->behind
                  && op->wake == 0 && m.came == 0,
                  "a key is known that should not be, or for another publish");
        stub->known++;

    } else if (op->rc == NGX_OK) {
        stub_must(first == NULL || model_idle(op->which[0], op->now, 1),
                  "a key is not known that should be");
    }
}


static void
model_published(model_op_t *op)
{
    uint32_t           slot;
    uint64_t           id;
    ngx_uint_t         i, w, big, next, before;
    model_cat_t       *c;
    model_interest_t  *in;

    big = op->need > m.size / 4
          || op->distinct > ngx_http_longpoll_cat_max_full(&m.zone.cats);

    if (op->between == 0 && op->rc != NGX_DONE) {
        stub_must((op->rc == NGX_DECLINED) == big,
                  "publishing %lu of %lu bytes returns %ld",
                  (unsigned long) op->need, (unsigned long) m.size,
                  (long) op->rc);
    }

    model_keyed(op);

    if (op->rc == NGX_DONE) {
        return;
    }

    if (op->rc != NGX_OK) {
        stub_must(op->wake == 0, "a refused publish wakes");
        stub->declined++;
        return;
    }

    id = op->last_id;

    for (i = 0; i < op->n; i++) {
        id = ngx_max(ngx_http_longpoll_id(op->clock, 0), id + 1);
        stub_must(op->msgs[i].id == id, "id %lx should be %lx",
                  (unsigned long) op->msgs[i].id, (unsigned long) id);
        stub_must(model_ms(id) > m.floor,
                  "an id shares the ms of a time-out answer");
    }

    stub_must(m.sh->clock.visible == id, "a publish is not visible");
    stub_must(op->between
              || m.sh->counters.published == op->published + op->n,
              "published is wrong");
    stub_must(m.sh->log.live * 20 <= m.sh->log.size * 17,
              "more lives than should");

    next = 0;

    for (i = 0; i < op->n; i++) {
        c = &m.cats[op->which[i]];

        if (op->msgs[i].cat != next) {
            continue;
        }

        next++;

        before = c->count + c->went - c->came;

        stub_must(c->count <= m.conf.buffer || c->went >= c->came,
                  "%lu messages where %lu may be",
                  (unsigned long) c->count, (unsigned long) m.conf.buffer);

        if (op->between == 0 && model_idle(op->which[i], op->now, 1)) {
            stub_must(c->count <= c->came,
                      "a publish wakes a category that is over its inactive");
        }

        c->used_min = op->now;
        c->used_max = op->now;

        slot = ngx_http_longpoll_cat_find(&m.zone.cats, c->cat.hash);
        stub_must(slot != NGX_HTTP_LONGPOLL_CAT_NONE, "no slot for c%u",
                  op->which[i]);

        for (w = 0; w < MODEL_WORKERS; w++) {
            in = &c->interest[w];

            if (in->bit || (in->slotless && before == 0)) {
                stub_must((op->wake & model_bit(w))
                          || m.sh->workers[m.workers[w]].wake_all
                          || m.looking[w],
                          "worker %lu is not woken for c%u",
                          (unsigned long) w, op->which[i]);

                /* else a kill has cost the interest: it looks at all it has */

                if (in->slotless || (m.zone.cats.slots[slot].waiting
                                  & model_bit(w)))
                {
                    in->pending = op->serial;
                    model_owes(op, op->which[i], model_bit(w));
                }

                stub_must(model_told(w, op->which[i], c->count),
                          "worker %lu is not told of c%u", (unsigned long) w,
                          op->which[i]);
            }
        }
    }
}


/* the messages of an answer, or NULLs for what should be there and is not */

static ngx_uint_t
model_expect(model_op_t *op, uint64_t seen, model_msg_t **found)
{
    ngx_uint_t    i, n;
    model_msg_t  *msg;

    n = 0;

    for (i = model_index(seen + 1); i < m.nall; i++) {
        msg = m.all[i];

        if (model_has(op, msg->cat)
            && (!msg->dead
                || (msg->died == op->serial && msg->why == MODEL_GONE
                    && model_was_given(op, msg->id))))
        {
            found[n++] = msg;
        }
    }

    return n;
}


/* whole ms, at least one, not over the limit otherwise */

static ngx_uint_t
model_cut(model_op_t *op, model_msg_t **found, ngx_uint_t n, uint64_t limit)
{
    uint64_t    bytes, more;
    ngx_uint_t  i, j;

    bytes = 0;

    for (i = 0; i < n; i = j) {
        more = 0;

        for (j = i; j < n && model_ms(found[j]->id) == model_ms(found[i]->id);
             j++)
        {
            more += op->costs[m.cats[found[j]->cat].index] + found[j]->len;
        }

        if (i && bytes + more > limit) {
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

    stub_must(!op->rd.cursor.fresh, "a cursor remains fresh");

    if (op->between) {
        stub_must(op->rd.cursor.id == cursor->id
                  || (cursor->fresh && op->rd.cursor.id >= op->visible
                      && op->rd.cursor.id <= m.visible),
                  "a cursor has moved");

    } else if (cursor->fresh
               && (cursor->now
                   || (cursor->exact ? cursor->id > op->last_id
                                     : model_ms(cursor->id) >= op->clock)))
    {
        stub_must(op->rd.cursor.id == m.visible,
                  "a cursor from now on begins elsewhere");
    } else {
        stub_must(op->rd.cursor.id == cursor->id, "a cursor has moved");
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

        /* what was lost on the way and stands in the answer is not missed */

        for (i = model_index(seen + 1); i < m.nall; i++) {
            msg = m.all[i];

            if (model_has(op, msg->cat) && msg->id <= upto && msg->dead
                && !(msg->why & MODEL_GONE) && !model_was_given(op, msg->id))
            {
                must = 1;
            }
        }
    }

    if (!m.exact) {

        if (op->cursor.beginning) {
            must = op->cursor.lost;

        } else if (seen < m.max_dropped) {
            stub->false_missed += (op->rd.missed && !may);
            may = 1;
        }
    }

    stub->missed += op->rd.missed;

    stub_must(op->rd.missed || !must, "missed is not said (dropped %lx)",
              (unsigned long) m.cats[op->which[0]].dropped);
    stub_must(!op->rd.missed || may, "missed is said for nothing");
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
        stub_must(i < m.nall && m.all[i]->id == msgs[k].id
                  && msgs[k].id > (k ? msgs[k - 1].id : seen),
                  "an answer out of order");

        msg = m.all[i];
        stub_must(model_has(op, msg->cat)
                  && m.cats[msg->cat].index == msgs[k].cat
                  && msg->len == msgs[k].data.len,
                  "an answer with another message");
        stub_must(!msg->dead || msg->died >= op->serial,
                  "an answer with a message that was dead before");
    }

    for (i = 0; i < n; i++) {
        if (found[i]->id <= last) {
            stub_must(model_was_given(op, found[i]->id),
                      "an answer with a hole");

        } else {
            stub_must(model_ms(found[i]->id) != model_ms(last)
                      || found[i]->id > op->visible,
                      "an answer is cut within a ms");
        }
    }
}


static void
model_was_read(model_op_t *op)
{
    uint64_t                   seen;
    uint32_t                   slot;
    ngx_uint_t                 i, n, cut, take;
    model_cat_t               *c;
    model_msg_t              **found;
    model_interest_t          *in;
    ngx_http_longpoll_read_t  *rd;

    rd = &op->rd;
    found = m.went;
    seen = 0;
    stub->reads++;

    if (op->rc == NGX_ERROR) {
        stub_must(stub_no_memory_hit, "a read fails for nothing");
        return;
    }

    if (op->rc == NGX_DONE) {
        stub_must(op->by_client, "nobody is not there");
        return;
    }

    model_mark(op);

    if (op->by_client) {
        goto after;
    }

    seen = model_arrived(op);
    n = model_expect(op, seen, found);
    cut = model_cut(op, found, n, rd->limit);

    stub_must((op->rc == NGX_OK) == (rd->nmsgs != 0),
              "a read returns %ld with %lu messages", (long) op->rc,
              (unsigned long) rd->nmsgs);
    stub_must(op->rc == NGX_OK || n == 0, "a read finds nothing of %lu",
              (unsigned long) n);

    if (op->between) {
        model_read_between(op, seen, found, n);

    } else if (op->rc == NGX_OK) {

        if (rd->nmsgs != cut && m.invalid > 1) {
            cut = model_cut(op, found, n, ngx_min(rd->limit, 262144));
        }

        stub_must(rd->nmsgs == cut, "an answer of %lu messages, not %lu",
                  (unsigned long) rd->nmsgs, (unsigned long) cut);

        for (i = 0; i < cut; i++) {
            stub_must(rd->msgs[i].id == found[i]->id
                      && rd->msgs[i].cat == m.cats[found[i]->cat].index
                      && rd->msgs[i].data.len == found[i]->len,
                      "another message in an answer");
        }
    }

    model_missed(op, seen, rd->nmsgs ? rd->msgs[rd->nmsgs - 1].id
                                     : (uint64_t) -1);

    for (i = 0; i < rd->nmsgs && op->between == 0; i++) {
        stub_must(m.conf.ttl == 0
                  || model_ms(rd->msgs[i].id) + m.conf.ttl > op->clock,
                  "a message over its ttl is given");
        stub_must(!(op->idle >> rd->msgs[i].cat & 1),
                  "a message of an inactive category is given");
    }

after:

    take = m.conf.delete_on_read && rd->mode != NGX_HTTP_LONGPOLL_READ_PEEK;

    for (i = 0; i < rd->nmsgs && take; i++) {
        n = model_index(rd->msgs[i].id);

        if (!m.all[n]->dead) {
            m.all[n]->taken = 1;

            if (op->worker != MODEL_NOBODY
                && rd->mode == NGX_HTTP_LONGPOLL_READ_WAKE)
            {
                m.all[n]->owed |= model_bit(op->worker);
            }

            stub_must(m.all[n]->owed, "a message that was read remains");
        }
    }

    for (i = 0; i < rd->ncats; i++) {
        c = &m.cats[op->which[i]];

        stub_must(op->between || c->count <= m.conf.buffer,
                  "more than buffer messages after a read");

        c->used_min = ngx_max(c->used_min, op->now);
        c->used_max = ngx_max(c->used_max, op->now);
    }

    if (op->rc == NGX_OK) {
        return;
    }

    if (op->by_client && (rd->mode == NGX_HTTP_LONGPOLL_READ_LAST
                          || rd->mode == NGX_HTTP_LONGPOLL_READ_PEEK))
    {
        stub_must(op->between || m.last_id == op->last_id,
                  "a client's time-out moves the clock");
        return;
    }

    if (rd->mode == NGX_HTTP_LONGPOLL_READ_LAST
        || rd->mode == NGX_HTTP_LONGPOLL_READ_PEEK)
    {
        stub_must(rd->timestamp
                  == op->clock - (model_ms(seen) < op->clock),
                  "a time-out answer of another time");
        stub_must(op->between || m.last_id == op->last_id
                  || m.last_id == ngx_http_longpoll_id_last_of(rd->timestamp),
                  "a time-out answer moves the clock");

        m.floor = ngx_max(m.floor, rd->timestamp);
        return;
    }

    for (i = 0; i < rd->ncats; i++) {
        c = &m.cats[op->which[i]];
        slot = op->slots[i];

        if (op->worker == MODEL_NOBODY) {
            stub_must(slot == NGX_HTTP_LONGPOLL_CAT_NONE,
                      "a slot waits for nobody");
            continue;
        }

        in = &c->interest[op->worker];

        if (slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
            stub_must(m.zone.cats.slots[slot].hash[0] == c->cat.hash[0]
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

        stub_must(op->between
                  || ngx_http_longpoll_cat_idle(&m.zone.cats)
                     >= ngx_http_longpoll_cat_max_idle(&m.zone.cats)
                  || m.zone.cats.sh->claimed == m.zone.cats.sh->nslots,
                  "a poll is loose though there is a slot");
        in->bit = 0;
        in->slotless++;
        m.slotless[op->worker]++;
    }
}


/* a worker owes nothing more of a category, or of any */

static void
model_pay(ngx_uint_t worker, uint32_t cat)
{
    ngx_uint_t    i;
    model_msg_t  *msg;

    for (i = 0; i < m.nall; i++) {
        msg = m.all[i];

        if (!msg->dead && msg->owes && (cat == (uint32_t) -1
                                        || cat == msg->cat))
        {
            msg->owed &= ~model_bit(worker);

            stub_must(msg->owed || !msg->taken,
                      "a message that nobody owes remains");
        }
    }
}


static void
model_forgotten(model_op_t *op)
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
            c->used_min = op->now;
            c->used_max = ngx_max(c->used_max, op->now);
        }

        ngx_memzero(&c->interest[op->worker], sizeof(model_interest_t));
    }

    m.slotless[op->worker] = 0;
    m.waiting[op->worker] = 0;
    m.looking[op->worker] = 0;

    model_pay(op->worker, (uint32_t) -1);

    stub_must(w->waiting == 0, "the gauge of a dead worker remains");
    stub_must(w->slotless == 0 && !(m.sh->slotless & bit),
              "loose interests of a dead worker remain");
    for (n = 0; n < m.zone.cats.sh->fresh; n++) {
        stub_must(m.zone.cats.slots[n].hash[0] == 0
                  || !(m.zone.cats.slots[n].waiting & bit),
                  "a slot waits for a dead worker");
    }

    for (i = 0; i < m.zone.words && op->between == 0; i++) {
        stub_must(m.zone.dirty[number * m.zone.words + i] == 0,
                  "dirty bits of a dead worker remain");
    }

    for (ref = m.sh->list.oldest; ref; ref = msg->newer) {
        msg = model_msg(ref);

        stub_must(!(msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING)
                  || !(*(uint64_t *) (msg + 1) & bit),
                  "a dead worker owes a message");
    }
}


static void
model_status(model_op_t *op)
{
    uint32_t                          n;
    uint64_t                          waiting, active, used;
    ngx_uint_t                        i;
    ngx_http_longpoll_zone_status_t  *st;

    st = &op->st;
    waiting = 0;
    active = 0;

    for (i = 0; i < MODEL_WORKERS; i++) {
        waiting += m.waiting[i];
    }

    for (n = 0; n < m.ncats; n++) {
        active += (m.cats[n].count || model_pinned(n, 0));
    }

    used = m.size - ngx_min(m.size, model_limit() - m.live);

    stub_must(st->size == m.size && st->events == m.nlive
              && st->waiting == waiting, "status: wrong figures");
    stub_must(st->used <= used + 32 && used <= st->used + 32,
              "status: used is %lu, not %lu", (unsigned long) st->used,
              (unsigned long) used);
    stub_must(st->categories <= active
              && st->categories >= (m.exact ? active : m.full),
              "status: %lu categories, not %lu",
              (unsigned long) st->categories, (unsigned long) active);
}


static void
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
            model_pay(op->worker, op->cat);
        }

        in->bit = 0;
        in->pending = 0;
        break;

    case MODEL_LOOSE:
        in->slotless += op->slotless;
        m.slotless[op->worker] += op->slotless;

        if (!in->bit && !in->slotless) {
            in->pending = 0;
        }

        break;

    case MODEL_PAID:
        if (in) {
            model_pay(op->worker, op->cat);
        }

        break;

    case MODEL_DIRTY:
        stub_must(op->rc <= NGX_HTTP_LONGPOLL_DIRTY, "too many are dirty");

        for (i = 0; i < (ngx_uint_t) op->rc; i++) {
            m.cats[model_find_cat(op->hashes[i])]
                .interest[op->worker].pending = 0;
        }

        break;

    case MODEL_LOOK:
        m.looking[op->worker] |= op->rc;
        break;

    case MODEL_DELETE:
        c->used_max = ngx_max(c->used_max, op->now);
        c->used_min = ngx_min(c->used_min, op->now);

        for (i = 0; i < m.nall; i++) {
            stub_must(m.all[i]->dead || m.all[i]->cat != op->cat
                      || m.all[i]->id > op->bound,
                      "a deleted message remains");
        }

        break;

    case MODEL_TICK:
        if (op->between == 0) {
            stub_must((ngx_uint_t) op->rc == (op->now / 1000 != op->second),
                      "tick returns %ld", (long) op->rc);
        }

        for (i = 0; i < m.nall && op->rc && op->between == 0; i++) {
            stub_must(m.all[i]->dead || m.conf.ttl == 0
                      || model_ms(m.all[i]->id) + m.conf.ttl
                         > model_clock(op->now),
                      "a message over its ttl remains after a tick");
        }

        break;

    case MODEL_FORGET:
        model_forgotten(op);
        break;

    case MODEL_CONFIGURE:
        stub_must(memcmp(&m.sh->conf, &op->conf, sizeof(op->conf)) == 0,
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


/*
 * a plain world
 */


/* ops of other workers come between the lock holds of outer */

static void
model_between(model_op_t *outer, ngx_uint_t n)
{
    ngx_uint_t                     dirty;
    ngx_http_longpoll_zone_conf_t  conf;

    m.depth = 1;
    conf = m.zone.conf;

    model_sync(outer, 0, 0);
    outer->between += n;

    /* what it has taken it is going to tell */

    dirty = outer->kind == MODEL_DIRTY && !m.looking[outer->worker];

    if (dirty) {
        m.looking[outer->worker] = 1;
    }

    while (n--) {
        if (m.script) {
            m.script();

        } else {
            model_act(outer->worker, outer->kind != MODEL_READ);
        }
    }

    if (dirty) {
        m.looking[outer->worker] = 0;
    }

    m.depth = 0;
    m.op = outer;
    m.zone.conf = conf;
}


/* before every lock */

static void
model_hook(void)
{
    model_op_t  *outer;

    outer = m.op;

    if (m.depth || outer == NULL) {
        return;
    }

    outer->locks++;
    stub->holds += (outer->locks > 1);

    if (m.script) {
        if (outer->locks == m.script_lock) {
            model_between(outer, 1);
        }

    } else if (stub_once(outer->locks > 1 ? 2 : 16)) {
        model_between(outer, 1 + stub_below(3));
    }

    if (outer->kind == MODEL_DELETE && m.deleting == NULL) {
        outer->bound = m.sh->clock.visible;
        m.deleting = outer;
    }
}


static int
model_plain_op(model_op_t *op)
{
    model_op_t  *outer;

    outer = m.op;
    model_begin(op);

    if (m.depth == 0 && op->kind == MODEL_READ && stub_once(200)) {
        stub_no_memory = 1;
    }

    stub_no_memory_hit = 0;

    model_call(op);

    stub_no_memory = 0;

    if (m.deleting == op) {
        m.deleting = NULL;
    }

    model_sync(op, 0, 1);
    model_result(op);

    if (stub_once(m.every)) {
        model_check();
    }

    m.op = outer;

    return 1;
}


/*
 * a crash world
 */


/* 1: it came to its end; 0: it was killed before it did step n */

static ngx_uint_t
model_call_and_kill(void (*call)(void *data), void *data, uint64_t n)
{
    stub_steps = 0;
    stub_kill = n;

    if (setjmp(stub_killed) == 0) {
        call(data);
        stub_kill = STUB_NEVER;
        return 1;
    }

    /* nginx's master */

    stub_held = 0;

    return 0;
}


static void
model_call_data(void *data)
{
    model_call(data);
}


/* a call that does nothing but what every call does first */

static void
model_any_call(void *data)
{
    uint64_t                         hash[2];
    ngx_http_longpoll_zone_status_t  st;

    hash[0] = 1;
    hash[1] = 1;

    switch (*(ngx_uint_t *) data) {

    case 0:
        ngx_http_longpoll_zone_status(&m.zone, 0, &st);
        break;

    case 1:
        ngx_http_longpoll_zone_acknowledge(&m.zone, m.workers[0], hash);
        break;

    default:
        ngx_http_longpoll_zone_count_slotless(&m.zone, 40, 0);
    }
}


static void
model_recover(void)
{
    ngx_uint_t  i, n, busy, call;

    busy = m.sh->work.busy;
    call = stub_below(3);

    for (n = stub_below(4); n; n--) {

        if (stub_once(2)) {
            model_zone_init(1);
        }

        if (model_call_and_kill(model_any_call, &call, stub_skewed(0, 120))) {
            break;
        }

        stub->rekills++;
    }

    do {
        model_any_call(&call);
    } while (m.sh->work.delete_slot);

    stub_must(m.sh->journal.n == 0 && m.sh->work.busy == 0,
              "something is unfinished after recovery");

    for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS && busy; i++) {
        stub_must(m.sh->workers[i].wake_all,
                  "a killed publish does not make worker %lu look",
                  (unsigned long) i);
    }
}


/* what a kept life goes on with: owed is as far as the dead one came */

static void
model_reread_owed(void)
{
    uint32_t                     ref;
    ngx_uint_t                   i;
    ngx_http_longpoll_msg_sh_t  *msg;

    i = 0;

    for (ref = m.sh->list.oldest; ref; ref = msg->newer) {
        msg = model_msg(ref);

        while (m.all[i]->dead) {
            i++;
        }

        if (m.all[i]->owes) {
            m.all[i]->owed = *(uint64_t *) (msg + 1);
            m.all[i]->taken = (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_TAKEN)
                              != 0;
        }

        i++;
    }
}


/* the worker of op is dead: its parked polls too */

static int
model_bury(ngx_uint_t worker, int (*call)(model_op_t *op))
{
    ngx_uint_t  i;
    model_op_t  forget;

    for (i = 0; i < MODEL_PARKS; i++) {
        if (m.parks[i].busy && m.parks[i].worker == worker) {
            m.parks[i].busy = 0;
        }
    }

    for (i = 0; i < m.ncats; i++) {
        m.cats[i].interest[worker].refs = 0;
    }

    forget.kind = MODEL_FORGET;
    forget.now = m.now;
    forget.worker = worker;
    forget.cat = 0;
    forget.by_client = 0;

    return call(&forget);
}


/* what the zone says of an op that was killed, and of its worker */

static void
model_after_kill(model_op_t *op, ngx_uint_t keep)
{
    uint32_t           n, slot;
    uint64_t           k;
    ngx_uint_t         i, tries;
    model_op_t         forget;
    const char        *wrong;
    model_cat_t       *c;
    model_interest_t  *in;

    model_diff(op, 1, 1, 1);
    model_judge(op, 1);

    if (op->kind == MODEL_DELETE) {
        c = &m.cats[op->cat];
        stub_must(c->went == 0 || m.nwent == 0 || c->went == c->count,
                  "a category is half deleted");
    }

    wrong = zone_check(&m.zone);
    stub_must(wrong == NULL, "zone_check: %s", wrong);

    model_check_log();

    for (n = 0; n < m.ncats; n++) {
        c = &m.cats[n];

        for (i = 0; i < MODEL_WORKERS; i++) {
            in = &c->interest[i];

            if (i == op->worker || (!in->bit && !in->slotless)) {
                continue;
            }

            /* what was published meanwhile, it must hear of */

            if (in->pending || (m.came && model_has(op, n))) {
                k = c->pass == m.pass ? c->came - c->went : 0;

                stub_must(model_told(i, n, c->count + k),
                          "worker %lu will not hear of c%u",
                          (unsigned long) i, n);
            }

            slot = ngx_http_longpoll_cat_find(&m.zone.cats, c->cat.hash);

            if (in->bit) {
                stub_must(m.sh->workers[m.workers[i]].wake_all
                          || m.looking[i]
                          || (slot != NGX_HTTP_LONGPOLL_CAT_NONE
                              && (m.zone.cats.slots[slot].waiting
                                  & model_bit(i))),
                          "an interest is lost");
            }
        }
    }

    if (keep) {
        op->rc = m.came ? NGX_OK : NGX_ERROR;
        model_apply(op);
        model_reread_owed();

        stub->epochs++;

        for (n = 0; n < m.ncats; n++) {
            c = &m.cats[n];
            c->used_min = ngx_min(c->used_min, op->now);
            c->used_max = ngx_max(c->used_max, op->now);

            if (m.came && model_has(op, n)) {
                for (i = 0; i < MODEL_WORKERS; i++) {
                    in = &c->interest[i];
                    in->pending = (in->bit || in->slotless) ? op->serial : 0;
                }
            }
        }

        if (op->kind == MODEL_CONFIGURE) {

            /* a killed reload begins again */

            ngx_http_longpoll_zone_configure(&m.zone);
            model_conf_is(&op->conf);
        }

        return;
    }

    if (op->worker == MODEL_NOBODY
        || (op->kind != MODEL_FORGET && !stub_once(4)))
    {
        return;
    }

    /* whoever finds the worker dead may be killed too */

    forget.kind = MODEL_FORGET;
    forget.now = op->now;
    forget.worker = op->worker;
    forget.cat = 0;
    forget.by_client = 0;

    for (tries = stub_below(3); tries; tries--) {

        k = stub_skewed(0, 60);

        if (model_call_and_kill(model_call_data, &forget, k)) {
            break;
        }
    }

    ngx_http_longpoll_zone_reap_worker(&m.zone, m.workers[op->worker],
                                         op->now);

    wrong = zone_check(&m.zone);
    stub_must(wrong == NULL, "zone_check after reap_worker: %s", wrong);

    i = m.workers[op->worker];

    stub_must(m.sh->workers[i].waiting == 0 && m.sh->workers[i].slotless == 0
              && !(m.sh->slotless & model_bit(op->worker)),
              "a worker that died twice is not forgotten");

    for (n = 0; n < m.zone.cats.sh->fresh; n++) {
        stub_must(m.zone.cats.slots[n].hash[0] == 0
                  || !(m.zone.cats.slots[n].waiting & model_bit(op->worker)),
                  "a slot waits for a worker that died twice");
    }
}


static void
model_clean(void *data)
{
    (void) ngx_http_longpoll_log_clean(&m.zone.log);
}


/*
 * An empty log begins again at its front: nothing of the zone's needs that, so
 * it is asked for.  It then begins anywhere.
 */

static void
model_crash_empty_log(void)
{
    uint64_t    k, pos;
    ngx_uint_t  done;

    pos = 16 + stub_below(m.sh->log.size / 16 - 1) * 16;

    k = 0;

    do {
        m.sh->log.head = pos;
        m.sh->log.tail = pos;

        done = model_call_and_kill(model_clean, NULL, k++);
        model_recover();

        stub_must(m.sh->log.head == m.sh->log.tail
                  && m.sh->log.head == (done ? m.sh->log.size : pos),
                  "an empty log is killed and has messages");
    } while (!done);

    m.sh->log.head = pos;
    m.sh->log.tail = pos;
}


/* from the first store to the last, each time from the same memory */

static void
model_kill_everywhere(model_op_t *op)
{
    uint64_t  k;

    for (k = 0; /* void */ ; k += 1 + stub_below(1 + k / 150)) {

        memcpy(m.mem, m.copy, m.mem_size);

        if (model_call_and_kill(model_call_data, op, k)) {
            break;
        }

        stub->kills++;

        model_recover();
        model_after_kill(op, 0);
        model_unapply();
    }
}


/*
 * What happens next must not depend on how often the op is killed: a mutation
 * is looked for in the world that is known to come by.
 */

static int
model_crash_op(model_op_t *op)
{
    uint64_t    keep, state;
    ngx_uint_t  done;

    keep = !m.immortal && stub_once(12) ? stub_skewed(0, 100) : STUB_NEVER;
    state = stub_random_state;

    model_begin(op);
    memcpy(m.copy, m.mem, m.mem_size);

    if (stub_plain) {
        stub_plain_hit = 0;
        model_call(op);
        stub_plain_ops += stub_plain_hit;
    }

    if (stub_plain == NULL || stub_plain_hit) {
        model_kill_everywhere(op);
    }

    stub_random_state = state;

    if (keep != STUB_NEVER) {
        memcpy(m.mem, m.copy, m.mem_size);

        done = model_call_and_kill(model_call_data, op, keep);

        if (!done) {
            stub->kills++;

            model_recover();
            model_after_kill(op, 1);

            if (op->worker != MODEL_NOBODY) {
                (void) model_bury(op->worker, model_plain_op);
            }

            model_check();

            return 0;
        }
    }

    model_sync(op, 0, 1);
    model_result(op);

    if (stub_once(10)) {
        model_check();
    }

    return 1;
}


/* 0: its worker has died of it */

static int
model_op(model_op_t *op)
{
    return m.flags & MODEL_CRASH ? model_crash_op(op) : model_plain_op(op);
}


/*
 * what workers do
 */


static void
model_set(model_op_t *op, model_op_e kind, ngx_uint_t worker, uint32_t cat)
{
    op->kind = kind;
    op->now = m.now;
    op->worker = worker;
    op->cat = cat;
    op->key = 0;
    op->by_client = 0;
    op->rd.have = 0;
}


static uint32_t
model_some_cat(void)
{
    if (stub_once(2)) {
        return stub_below(ngx_min(m.ncats, 4));
    }

    return stub_below(m.ncats);
}


static uint64_t
model_some_len(void)
{
    switch (stub_below(40)) {

    case 0:
        return 1 + stub_below(m.size / 4 + 64);

    case 1:
    case 2:
    case 3:
        return 1 + stub_skewed(0, m.size / 8);

    default:
        return 1 + stub_below(m.small);
    }
}


static void
model_add(model_op_t *op, uint32_t cat, uint64_t len)
{
    op->which[op->n] = cat;
    op->uids[op->n] = ++m.uid;
    op->msgs[op->n].data.len = len;
    op->msgs[op->n].data.data = model_bytes(m.uid);
    op->n++;
}


static int
model_publish(ngx_uint_t worker)
{
    ngx_uint_t  n;
    model_op_t  op;

    model_set(&op, MODEL_PUBLISH, worker, 0);
    op.n = 0;
    op.key = stub_once(3) ? 1 + stub_below(3) : 0;

    if (stub_once(8)) {
        n = 1 + stub_skewed(0, 20);

        if (stub_once(20)) {
            n = 1 + stub_below(m.flags & MODEL_LARGE ? 1000 : 150);
        }

        while (n--) {
            model_add(&op, model_some_cat(), 1 + stub_below(m.small));
        }

    } else {
        model_add(&op, model_some_cat(), model_some_len());
    }

    return model_op(&op);
}


static void
model_some_cats(model_op_t *op)
{
    ngx_uint_t  i, n;

    n = 1;

    if ((m.flags & MODEL_CROWDED) && stub_once(8)) {
        n = 1 + stub_below(63);

    } else if (stub_once(3)) {
        n = 1 + stub_skewed(0, stub_once(20) ? 63 : 5);
    }

    n = ngx_min(n, m.ncats);

    op->rd.ncats = 0;

    while (op->rd.ncats < n) {
        op->which[op->rd.ncats] = n > 8 ? stub_below(m.ncats)
                                        : model_some_cat();

        for (i = 0; op->which[i] != op->which[op->rd.ncats]; i++) {
            /* void */
        }

        if (i != op->rd.ncats) {
            n--;
            continue;
        }

        op->costs[op->rd.ncats++] = stub_below(200);
    }
}


static void
model_some_cursor(ngx_http_longpoll_cursor_t *cursor)
{
    uint64_t  id;

    ngx_memzero(cursor, sizeof(ngx_http_longpoll_cursor_t));

    cursor->fresh = 1;
    cursor->lost = stub_once(20);

    id = m.nall ? m.all[stub_below(m.nall)]->id : m.last_id;

    switch (stub_below(8)) {

    case 0:
        cursor->now = 1;
        return;

    case 1:
        cursor->beginning = 1;
        cursor->id = ngx_http_longpoll_id_last_of(stub_below(3));
        return;

    case 2:
    case 3:
        cursor->exact = 1;
        cursor->id = id;
        return;

    case 4:
        cursor->exact = stub_once(2);
        cursor->id = m.last_id + stub_skewed(0, 1000000000);
        return;

    case 5:
        cursor->id = ngx_http_longpoll_id_last_of(m.now - stub_skewed(0, 3));
        return;

    default:
        cursor->id = ngx_http_longpoll_id_last_of(model_ms(id));
    }
}


/*
 * A read, and what a worker does with the answer: it copies the bytes, while
 * others may overwrite them, and asks whether they were what they should be.
 */

static int
model_read(model_op_t *op)
{
    size_t                    size;
    u_char                   *copy, *p;
    ngx_uint_t                i, n, tries, half;
    model_op_t               *outer;
    ngx_http_longpoll_msg_t  *msg;

    for (tries = 0; /* void */ ; tries++) {

        if (!model_op(op)) {
            return 0;
        }

        if (op->rc != NGX_OK) {
            m.invalid = 0;
            return 1;
        }

        size = 1;

        for (i = 0; i < op->rd.nmsgs; i++) {
            size += op->rd.msgs[i].data.len;
        }

        p = copy = malloc(size);
        half = stub_below(op->rd.nmsgs + 1);

        for (i = 0; i < op->rd.nmsgs; i++) {

            if (i == half && (m.flags & MODEL_BETWEEN) && m.depth == 0
                && stub_once(3))
            {
                outer = m.op;
                m.depth = 1;

                for (n = stub_skewed(1, 300); n; n--) {
                    model_act(op->worker, 0);
                }

                m.depth = 0;
                m.op = outer;
            }

            msg = &op->rd.msgs[i];
            p = ngx_cpymem(p, msg->data.data, msg->data.len);
        }

        if (ngx_http_longpoll_zone_read_valid(&m.zone)) {
            break;
        }

        free(copy);

        stub_must(tries < 5, "a read is never valid");
        stub_must(m.flags & MODEL_BETWEEN, "a read is invalid for nothing");

        stub->torn++;
        m.invalid++;
        op->cursor = op->rd.cursor;
    }

    m.invalid = 0;
    p = copy;

    for (i = 0; i < op->rd.nmsgs; i++) {
        msg = &op->rd.msgs[i];
        stub_must(memcmp(p, model_bytes(m.all[model_index(msg->id)]->uid),
                         msg->data.len) == 0,
                  "an answer with a torn message");
        p += msg->data.len;
    }

    free(copy);

    return 1;
}


/* interest is counted once for a category, by slot or loose */

static int
model_settle(ngx_uint_t worker, uint32_t *cats, ngx_uint_t n, ngx_uint_t refs)
{
    ngx_uint_t         i, more;
    model_op_t         op;
    model_interest_t  *in;

    for (i = 0; i < n; i++) {
        m.cats[cats[i]].interest[worker].refs += refs;
    }

    for (i = 0; i < n; i++) {
        in = &m.cats[cats[i]].interest[worker];
        more = in->slotless;

        if (in->refs && !in->bit) {
            stub_must(more, "the model has lost an interest");
            more--;
        }

        if (more) {
            model_set(&op, MODEL_LOOSE, worker, cats[i]);
            op.slotless = -(ngx_int_t) more;

            if (!model_op(&op)) {
                return 0;
            }
        }
    }

    return 1;
}


static void
model_set_read(model_op_t *op, ngx_uint_t worker)
{
    model_set(op, MODEL_READ, worker, 0);
    model_some_cats(op);

    op->rd.mode = NGX_HTTP_LONGPOLL_READ_PARK;

    switch (stub_below(4)) {
    case 0:
        op->rd.limit = stub_skewed(1, 5000);
        break;
    case 1:
        op->rd.limit = 32768;
        break;
    default:
        op->rd.limit = 1024 * 1024;
    }
}


static int
model_gauge(ngx_uint_t worker, ngx_int_t n)
{
    m.waiting[worker] += n;
    m.sh->workers[m.workers[worker]].waiting += n;

    return 1;
}


/* 1: it is parked, or was answered */

static int
model_park_op(model_op_t *op)
{
    ngx_uint_t     i;
    model_park_t  *park;

    for (i = 0; i < MODEL_PARKS && m.parks[i].busy; i++) { /* void */ }

    if ((i == MODEL_PARKS || op->worker == MODEL_NOBODY)
        && op->rd.mode == NGX_HTTP_LONGPOLL_READ_PARK)
    {
        op->rd.mode = NGX_HTTP_LONGPOLL_READ_LAST;
        return model_read(op);
    }

    if (!model_read(op)) {
        return 0;
    }

    if (op->rc != NGX_AGAIN || op->rd.mode != NGX_HTTP_LONGPOLL_READ_PARK) {
        return 1;
    }

    park = &m.parks[i];
    park->busy = 1;
    park->worker = op->worker;
    park->by_client = op->by_client;
    park->client = op->client;
    park->id = op->rd.cursor.id;
    park->ncats = op->rd.ncats;
    ngx_memcpy(park->cats, op->which, op->rd.ncats * sizeof(uint32_t));

    return model_gauge(op->worker, 1)
           && model_settle(op->worker, park->cats, park->ncats, 1);
}


static int
model_park(ngx_uint_t worker)
{
    model_op_t  op;

    model_set_read(&op, worker);
    model_some_cursor(&op.cursor);

    if (stub_once(3)) {
        ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));
        model_some_client(&op);

        if (m.nall && stub_once(4)) {
            op.rd.have = m.all[stub_below(m.nall)]->id;
        }
    }

    switch (stub_below(8)) {
    case 0:
        op.rd.mode = NGX_HTTP_LONGPOLL_READ_LAST;
        break;
    case 1:
        op.rd.mode = NGX_HTTP_LONGPOLL_READ_PEEK;
    }

    return model_park_op(&op);
}


static int model_part(model_park_t *park);


static int
model_leave(model_park_t *left)
{
    ngx_uint_t         i;
    model_op_t         op;
    model_park_t       copy, *park;
    model_interest_t  *in;

    /* another may park there while this one goes */

    copy = *left;
    park = &copy;
    left->busy = 0;
    model_gauge(park->worker, -1);

    for (i = 0; i < park->ncats; i++) {
        m.cats[park->cats[i]].interest[park->worker].refs--;
    }

    for (i = 0; i < park->ncats; i++) {
        in = &m.cats[park->cats[i]].interest[park->worker];

        if (in->refs || !in->bit) {
            continue;
        }

        model_set(&op, MODEL_UNWATCH, park->worker, park->cats[i]);
        op.slot = in->slot;

        if (!model_op(&op)) {
            return 0;
        }
    }

    return model_settle(park->worker, park->cats, park->ncats, 0)
           && model_part(park);
}


/* the last of its client in that worker ends the waiting */

static int
model_part(model_park_t *park)
{
    ngx_uint_t     i;
    model_op_t     op;
    model_park_t  *p;

    if (!park->by_client) {
        return 1;
    }

    for (i = 0; i < MODEL_PARKS; i++) {
        p = &m.parks[i];

        if (p->busy && p->by_client && p->worker == park->worker
            && p->client.uuid[0] == park->client.uuid[0]
            && p->client.uuid[1] == park->client.uuid[1])
        {
            return 1;
        }
    }

    model_set(&op, MODEL_PART, park->worker, 0);
    op.by_client = 1;
    op.client = park->client;

    return model_op(&op);
}


static int
model_enter(ngx_uint_t worker)
{
    model_op_t  op;

    model_set(&op, MODEL_ENTER, worker, 0);
    op.by_client = 1;
    op.client.number = 0;
    op.client.uuid[0] = stub_random() | (uint64_t) 1 << 63;
    op.client.uuid[1] = stub_random();

    return model_op(&op);
}


static int
model_paid(ngx_uint_t worker, uint32_t cat)
{
    model_op_t  op;

    if (!(m.flags & MODEL_TAKE)) {
        return 1;
    }

    model_set(&op, MODEL_PAID, worker, cat);

    return model_op(&op);
}


static int
model_wake(model_park_t *park)
{
    ngx_uint_t  i, n;
    model_op_t  op;

    for (n = 0; n < 8; n++) {
        model_set_read(&op, park->worker);

        op.rd.mode = NGX_HTTP_LONGPOLL_READ_WAKE;
        op.rd.ncats = park->ncats;

        for (i = 0; i < park->ncats; i++) {
            op.which[i] = park->cats[i];
            op.costs[i] = 100;
        }

        ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));
        op.cursor.id = park->id;
        op.by_client = park->by_client;
        op.client = park->client;

        if (!model_read(&op)) {
            return 0;
        }

        if (op.rc == NGX_AGAIN) {
            return model_settle(park->worker, park->cats, park->ncats, 0);
        }

        if (op.rc != NGX_OK) {
            break;
        }

        park->id = op.rd.msgs[op.rd.nmsgs - 1].id;

        for (i = 0; i < park->ncats; i++) {
            if (!model_paid(park->worker, park->cats[i])) {
                return 0;
            }
        }

        if (park->by_client || stub_once(2)) {
            break;
        }
    }

    return model_leave(park);
}


/* a worker was woken, or a second has gone by */

static int
model_drain(ngx_uint_t worker)
{
    uint32_t       n, told[4096];
    uint64_t       since;
    ngx_uint_t     i, k, all, ntold;
    model_op_t     op;
    model_park_t  *park;

    since = m.serial;

    model_set(&op, MODEL_LOOK, worker, 0);

    if (!model_op(&op)) {
        return 0;
    }

    all = op.rc;
    ntold = 0;

    do {
        model_set(&op, MODEL_DIRTY, worker, 0);

        if (!model_op(&op)) {
            return 0;
        }

        for (i = 0; i < (ngx_uint_t) op.rc && ntold < 4096; i++) {
            told[ntold++] = model_find_cat(op.hashes[i]);
        }

    } while (op.rc);

    for (n = 0; n < m.ncats; n++) {
        since = ngx_max(since, 1);

        if (m.cats[n].interest[worker].pending > since) {
            continue;
        }

        stub_must(all || !m.cats[n].interest[worker].pending
                  || model_told(worker, n, m.cats[n].count),
                  "worker %lu never heard of c%u", (unsigned long) worker, n);

        m.cats[n].interest[worker].pending = 0;
    }

    for (i = 0; i < MODEL_PARKS; i++) {
        park = &m.parks[i];

        if (!park->busy || park->worker != worker) {
            continue;
        }

        for (k = 0; k < park->ncats && !all; k++) {
            for (n = 0; n < ntold && told[n] != park->cats[k]; n++) {
                /* void */
            }

            if (n < ntold) {
                break;
            }
        }

        if (k < park->ncats && !model_wake(park)) {
            return 0;
        }
    }

    m.looking[worker] = 0;

    for (n = 0; n < ntold; n++) {
        if (!model_paid(worker, told[n])) {
            return 0;
        }
    }

    return 1;
}


/* polls wait in all slots, and no category has messages: c0 gets one */

static void
model_pin_all(void)
{
    uint32_t    n, i;
    model_op_t  op;

    m.immortal = 1;
    n = ngx_min(m.zone.cats.sh->nslots, m.ncats - 1);

    for (i = 1; i <= n; i++) {
        model_set(&op, MODEL_PUBLISH, MODEL_NOBODY, 0);
        op.n = 0;
        model_add(&op, i, 1);
        (void) model_op(&op);

        model_set_read(&op, 0);
        ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));
        op.cursor.fresh = 1;
        op.cursor.now = 1;
        op.rd.ncats = 1;
        op.which[0] = i;
        op.costs[0] = 1;
        (void) model_read(&op);
        (void) model_settle(0, &i, 1, 1);

        model_set(&op, MODEL_DELETE, MODEL_NOBODY, i);
        (void) model_op(&op);
    }

    model_set(&op, MODEL_PUBLISH, MODEL_NOBODY, 0);
    op.n = 0;
    model_add(&op, 0, 1);
    (void) model_op(&op);

    (void) model_bury(0, model_op);
    m.immortal = 0;
}


static void
model_time(void)
{
    ngx_uint_t  n;

    n = stub_below(200);

    if (n < 120) {
        m.now += stub_below(2);

    } else if (n < 190) {
        m.now += stub_below(50);

    } else if (n < 198) {
        m.now += stub_below(3000);

    } else {
        m.now -= stub_skewed(0, 5000);
    }
}


/*
 * The newest message seldom stands at the tail, so it is put there: the log is
 * cleaned when it is the only one.
 */

static void
model_crash_newest(void)
{
    uint64_t    k;
    ngx_uint_t  done;
    model_op_t  op;

    m.immortal = 1;

    model_set(&op, MODEL_PUBLISH, MODEL_NOBODY, 0);
    op.n = 0;
    model_add(&op, 0, 100);
    (void) model_op(&op);

    m.immortal = 0;

    while (ngx_http_longpoll_log_pos(&m.zone.log, m.sh->list.newest)
           != m.sh->log.tail)
    {
        model_clean(NULL);
    }

    memcpy(m.copy, m.mem, m.mem_size);

    k = 0;

    do {
        memcpy(m.mem, m.copy, m.mem_size);

        done = model_call_and_kill(model_clean, NULL, k++);
        model_recover();
        model_check();
    } while (!done);
}


/* something happens, in any worker but other */

static void
model_act(ngx_uint_t other, ngx_uint_t reads)
{
    ngx_uint_t  n, worker;
    model_op_t  op;

    model_time();

    do {
        worker = stub_below(MODEL_WORKERS + 1);
    } while (worker == other && worker != MODEL_NOBODY);

    n = stub_below(108);

    if (n >= 100) {
        (void) model_enter(worker);

    } else if (n < 50 || (n < 84 && !reads)) {
        (void) model_publish(worker);

    } else if (n < 70) {
        (void) model_park(worker);

    } else if (n < 84) {
        if (worker != MODEL_NOBODY) {
            (void) model_drain(worker);
        }

    } else if (n < 89) {
        n = stub_below(MODEL_PARKS);

        if (m.parks[n].busy && m.parks[n].worker != other) {
            (void) model_leave(&m.parks[n]);
        }

    } else if (n < 92) {
        model_set(&op, MODEL_TICK, worker, 0);
        (void) model_op(&op);

    } else if (n < 94) {
        model_set(&op, MODEL_DELETE, worker, model_some_cat());
        (void) model_op(&op);

    } else if (n < 96) {
        model_set(&op, MODEL_STATUS, worker, 0);
        (void) model_op(&op);

    } else if (n < 97) {
        if (!(m.flags & MODEL_PLAIN)) {
            model_set(&op, MODEL_CONFIGURE, MODEL_NOBODY, 0);
            model_random_conf(&op.conf);
            (void) model_op(&op);
        }

    } else if (n < 98) {
        if (worker != MODEL_NOBODY) {
            (void) model_bury(worker, model_op);
        }

    } else {
        if (worker != MODEL_NOBODY) {
            (void) model_paid(worker, model_some_cat());
        }
    }
}


#endif /* _STORE_OP_H_INCLUDED_ */
