
/*
 * store_judge.c: which messages came and went with a call, and why.
 *
 * model_sync() compares the zone with the model (model_diff), asks that every
 * message had a reason to go (model_judge), and takes over what changed
 * (model_apply).  A killed call that is undone stops behind model_judge.
 */


#include "store_model.h"


/* before the op at hand */

uint64_t
model_clock(uint64_t now)
{
    return ngx_max(now, model_ms(m.last_id));
}


ngx_uint_t
model_index(uint64_t id)
{
    ngx_uint_t  low, high, mid;

    low = 0;
    high = m.nall;

    while (low < high) {
        mid = (low + high) / 2;

        if (m.all[mid]->id < id) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return low;
}


/* bytes of a message in the log */

uint64_t
model_need(uint32_t n, uint64_t len, ngx_uint_t keyed)
{
    return ngx_align(sizeof(ngx_http_longpoll_msg_sh_t)
                     + (m.conf.delete_on_read ? sizeof(uint64_t) : 0)
                     + (keyed ? 2 * sizeof(uint64_t) : 0)
                     + m.cats[n].cat.name.len + len,
                     NGX_HTTP_LONGPOLL_LOG_UNIT);
}


static void
model_same(ngx_http_longpoll_msg_sh_t *msg, uint32_t n, uint32_t uid,
    uint32_t len)
{
    u_char       *p;
    model_cat_t  *c;

    c = &m.cats[n];
    p = (u_char *) msg + sizeof(ngx_http_longpoll_msg_sh_t);

    if (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING) {
        p += sizeof(uint64_t);
    }

    if (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED) {
        p += 2 * sizeof(uint64_t);
    }

    unit_must(m.zone.cats.slots[msg->slot].hash[0] == c->cat.hash[0]
              && msg->rec.name_len == c->cat.name.len
              && msg->data_len == len,
              "a message of c%u has another head", n);
    unit_must(memcmp(p, c->cat.name.data, c->cat.name.len) == 0
              && memcmp(p + c->cat.name.len, model_bytes(uid), len) == 0,
              "a message of c%u has other bytes", n);
}


/*
 * What a publish stored becomes a part of m.all, for now; some of it may be
 * gone already, if it alone is more than buffer.
 */

static void
model_come(model_op_t *op, ngx_uint_t killed)
{
    uint32_t                     ref;
    ngx_uint_t                   i;
    model_msg_t                 *msg;
    ngx_http_longpoll_msg_sh_t  *s;

    ref = m.sh->list.newest;

    if (killed && (ref == 0 || model_msg(ref)->id <= m.last_id)) {
        return;
    }

    m.came = op->n;

    unit_must(m.nall + op->n <= m.max_all, "the model is full");

    for (i = 0; i < op->n; i++) {
        msg = calloc(1, sizeof(model_msg_t));
        m.all[m.nall++] = msg;

        msg->id = op->msgs[i].id;
        msg->cat = op->which[i];
        msg->uid = op->uids[i];
        msg->len = op->msgs[i].data.len;
        msg->has_pending = m.conf.delete_on_read;
        msg->fresh = 1;
        msg->key = i ? 0 : op->key;
        msg->behind = op->n - 1 - i;
        msg->bytes = model_need(msg->cat, msg->len, msg->key);
    }

    while (i--) {
        msg = m.all[m.nall - op->n + i];
        s = model_msg(ref);

        if (ref && s->id == msg->id) {
            model_same(s, msg->cat, msg->uid, msg->len);

            unit_must(msg->bytes == ngx_http_longpoll_log_bytes(&s->rec)
                      && msg->has_pending == ((s->rec.bits
                                        & NGX_HTTP_LONGPOLL_MSG_PENDING) != 0)
                      && (msg->key != 0) == ((s->rec.bits
                                              & NGX_HTTP_LONGPOLL_MSG_KEYED)
                                             != 0),
                      "a message takes more than it needs");

            msg->pending = msg->has_pending ? *(uint64_t *) (s + 1) : 0;
            ref = s->older;
        }
    }

    unit_must(ref == 0 || model_msg(ref)->id <= m.last_id,
              "a message that nobody published");
    unit_must(model_msg(m.sh->list.newest)->id == op->msgs[op->n - 1].id,
              "a publish is not there, or not all of it");
}


/* m.came and m.went, by id; all: looks at every message */

void
model_diff(model_op_t *op, ngx_uint_t killed, ngx_uint_t final, ngx_uint_t all)
{
    uint32_t                     ref;
    uint64_t                     id;
    ngx_uint_t                   i, left, survivors;
    model_cat_t                 *c;
    model_msg_t                 *msg;
    ngx_http_longpoll_msg_sh_t  *s;

    m.came = 0;
    m.nwent = 0;
    m.pass++;

    survivors = 0;

    unit_must(m.sh->clock.last_id >= m.last_id
              && m.sh->clock.visible >= m.visible
              && m.sh->clock.visible <= m.sh->clock.last_id, "ids go back");

    if (op->kind == MODEL_PUBLISH && final && (killed || op->rc == NGX_OK)) {
        model_come(op, killed);
    }

    unit_must(m.nlive + m.came >= m.sh->list.count,
              "messages that nobody published");
    left = m.nlive + m.came - m.sh->list.count;

    ref = m.sh->list.oldest;

    for (i = 0; i < m.nall && (left || all); i++) {
        msg = m.all[i];

        if (msg->dead) {
            continue;
        }

        c = &m.cats[msg->cat];

        if (ref) {
            s = model_msg(ref);
            id = s->id;

            if (id == msg->id) {
                if (all) {
                    model_same(s, msg->cat, msg->uid, msg->len);
                }

                c->survivor = m.pass;
                survivors++;
                ref = s->newer;
                continue;
            }

            unit_must(id > msg->id, "a message that nobody published");
        }

        unit_must(left, "more messages went than the zone says");
        left--;

        m.went[m.nwent++] = msg;

        msg->oldest = (survivors == 0);
        msg->skipped = (c->survivor == m.pass);
    }

    unit_must(left == 0, "fewer messages went than the zone says");

    unit_must(!all || ref == 0, "a message that nobody published");
}


void
model_mark(model_op_t *op)
{
    ngx_uint_t  i, n;

    n = op->kind == MODEL_PUBLISH ? op->n : 0;
    n = op->kind == MODEL_READ ? op->rd.ncats : n;

    for (i = 0; i < n; i++) {
        m.cats[op->which[i]].mark = op->serial;
        m.cats[op->which[i]].index = op->kind == MODEL_READ ? i
                                                            : op->msgs[i].cat;
    }
}


ngx_uint_t
model_has(model_op_t *op, uint32_t n)
{
    return m.cats[n].mark == op->serial;
}


ngx_uint_t
model_was_given(model_op_t *op, uint64_t id)
{
    ngx_uint_t  low, high, mid;

    if (!op->done || op->rc != NGX_OK) {
        return 0;
    }

    low = 0;
    high = op->rd.nmsgs;

    while (low < high) {
        mid = (low + high) / 2;

        if (op->rd.msgs[mid].id < id) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return low < op->rd.nmsgs && op->rd.msgs[low].id == id;
}


/*
 * The call that has begun ends the worker's interest in the category.  The
 * worker is dead, or its last poll of the category has left.
 */

ngx_uint_t
model_ending(ngx_uint_t w, uint32_t n)
{
    return m.begun && m.begun->worker == w
           && (m.begun->kind == MODEL_REAP
               || (m.begun->kind == MODEL_UNWATCH && m.begun->cat == n));
}


/* the workers pending in a message, without that of a call that ends this */

static uint64_t
model_pending(model_msg_t *msg)
{
    model_op_t  *op;

    op = m.begun;

    if (op && op->worker != MODEL_NOBODY
        && (model_ending(op->worker, msg->cat)
            || (op->kind == MODEL_ACKNOWLEDGE && op->cat == msg->cat)))
    {
        return msg->pending & ~model_bit(op->worker);
    }

    return msg->pending;
}


/* whether a delete, a read, or an acknowledgement was right to drop it */

static ngx_uint_t
model_may_go(model_op_t *op, model_msg_t *msg, ngx_uint_t killed)
{
    uint64_t  bit, pending;

    if ((op->kind == MODEL_DELETE && msg->cat == op->cat
         && msg->id <= op->bound)
        || (m.begun && m.begun->kind == MODEL_DELETE
            && m.begun->cat == msg->cat && msg->id <= m.begun->bound))
    {
        return 1;
    }

    bit = op->worker == MODEL_NOBODY ? 0 : model_bit(op->worker);
    pending = model_pending(msg);

    switch (op->kind) {

    case MODEL_READ:
        return m.conf.delete_on_read && model_has(op, msg->cat)
               && op->rd.mode != NGX_HTTP_LONGPOLL_READ_PEEK
               && (killed || model_was_given(op, msg->id))
               && (!msg->has_pending
                   || (pending == 0
                       && (op->rd.mode != NGX_HTTP_LONGPOLL_READ_WAKE
                           || bit == 0)));

    case MODEL_ACKNOWLEDGE:
    case MODEL_UNWATCH:
        return msg->cat == op->cat && msg->has_pending && msg->taken
               && (pending & ~bit) == 0;

    case MODEL_REAP:
        return msg->has_pending && msg->taken && (pending & ~bit) == 0;

    default:
        return 0;
    }
}


/*
 * sure: not where a publish may have taken the slot, or where the interest is
 * about to end
 */

ngx_uint_t
model_pinned(uint32_t n, ngx_uint_t sure)
{
    ngx_uint_t  i;

    for (i = 0; i < MODEL_WORKERS; i++) {
        if (m.cats[n].interest[i].bit
            && !(sure && (m.waking[i] || model_ending(i, n)
                          || m.sh->workers[m.workers[i]].wake_all)))
        {
            return 1;
        }
    }

    return 0;
}


/* whether a publish on its way may have used the category in an earlier hold */

static ngx_uint_t
model_using(uint32_t n)
{
    ngx_uint_t  i;

    if (m.depth == 0 || m.begun == NULL || m.begun->kind != MODEL_PUBLISH) {
        return 0;
    }

    for (i = 0; i < m.begun->n; i++) {
        if (m.begun->which[i] == n) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
model_idle(uint32_t n, uint64_t now, ngx_uint_t must)
{
    uint64_t      used;
    model_cat_t  *c;

    c = &m.cats[n];
    used = must ? c->used_max : c->used_min;

    return m.conf.inactive && !model_pinned(n, !must)
           && !(must && model_using(n))
           && now + (must ? 0 : m.lag) >= used + m.conf.inactive;
}


uint64_t
model_limit(void)
{
    return m.sh->log.size / 20 * 17;
}


static uint64_t
model_largest(void)
{
    ngx_uint_t  i;

    static uint64_t  bytes, pass;

    if (pass != m.pass) {
        pass = m.pass;
        bytes = 0;

        for (i = 0; i < m.nall; i++) {
            if (!m.all[i]->dead) {
                bytes = ngx_max(bytes, m.all[i]->bytes);
            }
        }
    }

    return bytes;
}


/* why a message may have gone; older: bytes that went before it */

static ngx_uint_t
model_why(model_op_t *op, model_msg_t *msg, uint64_t older, ngx_uint_t killed)
{
    ngx_uint_t    why;
    model_cat_t  *c;

    c = &m.cats[msg->cat];
    why = 0;

    if (model_may_go(op, msg, killed)) {
        why |= MODEL_DELETED;

        if (op->kind == MODEL_READ && !killed) {
            return why;
        }
    }

    if (op->kind != MODEL_PUBLISH && op->kind != MODEL_TICK
        && op->kind != MODEL_READ)
    {
        return why;
    }

    if (op->kind == MODEL_READ && !model_has(op, msg->cat)) {
        return why;
    }

    if (m.conf.ttl && model_ms(msg->id) + m.conf.ttl <= model_clock(op->now)) {
        why |= MODEL_TTL;
    }

    if (op->kind != MODEL_TICK && model_has(op, msg->cat)
        && c->count - c->went + c->came + c->given >= m.conf.buffer)
    {
        why |= MODEL_TRIM;
    }

    if (model_idle(msg->cat, op->now, 0)) {
        why |= MODEL_IDLED;
    }

    if (op->kind == MODEL_PUBLISH && msg->oldest && !msg->fresh) {

        /* it is the oldest of all, but for those that went before it */

        if (m.live - older + op->need > model_limit()) {
            why |= MODEL_ROOM;

        } else if (ngx_max(op->need, model_largest()) * 12
                   > m.sh->log.size - (m.live - older))
        {
            /*
             * Beside messages as large as this, and in so little free space,
             * cleaning does not always bring it together in one piece.
             */

            unit->emergencies += (why == 0 && !killed);
            why |= MODEL_ROOM;
        }
    }

    return why;
}


/* categories that went as a whole because a publish needed their slots */

static void
model_judge_slots(model_op_t *op, ngx_uint_t killed)
{
    uint32_t      max;
    ngx_uint_t    i, next, allowed, evicted;
    model_msg_t  *msg;
    model_cat_t  *c;

    max = ngx_http_longpoll_cat_max_full(&m.zone.cats);
    allowed = m.full;

    next = 0;

    for (i = 0; op->kind == MODEL_PUBLISH && i < op->n; i++) {
        c = &m.cats[op->which[i]];

        if (op->msgs[i].cat == next) {
            allowed += (c->count == c->went_old);
            next++;
        }
    }

    allowed = allowed > max ? allowed - max : 0;
    evicted = 0;

    for (i = 0; i < m.nwent; i++) {
        msg = m.went[i];
        c = &m.cats[msg->cat];

        if (msg->why) {
            if (allowed && !msg->fresh) {
                msg->why |= MODEL_SLOT;
            }

            continue;
        }

        unit_must(op->kind == MODEL_PUBLISH && !msg->fresh,
                  "a message of c%u, %lu of %lu, went for nothing",
                  msg->cat, (unsigned long) i, (unsigned long) m.nwent);

        unit_must(killed || !op->done || c->went == c->count,
                  "a message of c%u went for no reason, with %lu others "
                  "(%lu + %lu of %lu bytes, largest %lu%s)", msg->cat,
                  (unsigned long) m.nwent, (unsigned long) m.live,
                  (unsigned long) op->need,
                  (unsigned long) m.sh->log.size,
                  (unsigned long) model_largest(),
                  msg->oldest ? ", the oldest" : "");

        msg->why = MODEL_SLOT;

        if (c->lost == 0) {
            evicted++;
        }

        c->lost = msg->id;
    }

    unit_must(evicted <= allowed,
              "%lu categories were evicted, %lu would have done",
              (unsigned long) evicted, (unsigned long) allowed);
}


static void
model_clear(model_cat_t *c)
{
    c->pass = m.pass;
    c->went = 0;
    c->went_old = 0;
    c->came = 0;
    c->given = 0;
    c->lost = 0;
}


/* counts what came to a category and what went from it */

static void
model_judge_counts(model_op_t *op, ngx_uint_t killed)
{
    ngx_uint_t    i;
    model_cat_t  *c;

    for (i = 0; i < m.nwent; i++) {
        model_clear(&m.cats[m.went[i]->cat]);
    }

    for (i = 0; op->kind == MODEL_PUBLISH && i < op->n; i++) {
        model_clear(&m.cats[op->which[i]]);
    }

    for (i = 0; i < m.came; i++) {
        m.cats[op->which[i]].came++;
    }

    for (i = 0; i < m.nwent; i++) {
        c = &m.cats[m.went[i]->cat];
        c->went++;
        c->went_old += !m.went[i]->fresh;
        c->given += model_may_go(op, m.went[i], killed);
    }
}


/* cursors below a message that went are missed, unless it was deleted */

static void
model_judge_losses(void)
{
    uint32_t      slot;
    ngx_uint_t    i, loss;
    model_msg_t  *msg;
    model_cat_t  *c;

    for (i = 0; i < m.nwent; i++) {
        m.cats[m.went[i]->cat].lost = 0;
    }

    for (i = 0; i < m.nwent; i++) {
        msg = m.went[i];
        c = &m.cats[msg->cat];
        slot = ngx_http_longpoll_cat_find(&m.zone.cats, c->cat.hash);

        loss = ngx_http_longpoll_cat_missed(&m.zone.cats, slot, c->cat.hash,
                                            msg->id - 1, 0);

        if (!(msg->why & MODEL_DELETED)) {
            unit_must(!msg->skipped, "an older message of c%u stays",
                      msg->cat);
            unit_must(loss, "a cursor before a loss of c%u misses nothing",
                      msg->cat);

        } else if (loss && msg->why != MODEL_DELETED) {
            msg->why &= ~MODEL_DELETED;

        } else {
            msg->why = MODEL_DELETED;
        }

        if (!(msg->why & MODEL_DELETED)) {
            c->lost = msg->id;
        }
    }
}


static void
model_judge_exactly(void)
{
    uint32_t      slot;
    uint64_t      id;
    ngx_uint_t    i;
    model_cat_t  *c;

    for (i = 0; i < m.nwent; i++) {
        c = &m.cats[m.went[i]->cat];
        id = ngx_max(c->dropped, c->lost);
        slot = ngx_http_longpoll_cat_find(&m.zone.cats, c->cat.hash);

        unit_must(slot == NGX_HTTP_LONGPOLL_CAT_NONE
                  ? id == 0 : m.zone.cats.slots[slot].dropped == id,
                  "c%u does not know exactly what it lost",
                  m.went[i]->cat);
    }
}


/* the zone's counters are between the least and the most that the op allows */

static void
model_judge_counters(ngx_uint_t killed)
{
    ngx_uint_t    i, expired[2], evicted[2];
    model_msg_t  *msg;

    expired[0] = expired[1] = evicted[0] = evicted[1] = 0;

    for (i = 0; i < m.nwent; i++) {
        msg = m.went[i];

        expired[0] += !(msg->why & ~(MODEL_TTL|MODEL_IDLED));
        expired[1] += ((msg->why & (MODEL_TTL|MODEL_IDLED)) != 0);
        evicted[0] += !(msg->why & ~(MODEL_ROOM|MODEL_SLOT));
        evicted[1] += ((msg->why & (MODEL_ROOM|MODEL_SLOT)) != 0);
    }

    expired[0] += m.expired;
    expired[1] += m.expired;
    evicted[0] += m.evicted;
    evicted[1] += m.evicted;

    unit_must(m.sh->counters.expired + killed >= expired[0]
              && m.sh->counters.expired <= expired[1],
              "expired is %lu, not %lu to %lu",
              (unsigned long) m.sh->counters.expired,
              (unsigned long) expired[0], (unsigned long) expired[1]);
    unit_must(m.sh->counters.evicted + killed >= evicted[0]
              && m.sh->counters.evicted <= evicted[1],
              "evicted is %lu, not %lu to %lu",
              (unsigned long) m.sh->counters.evicted,
              (unsigned long) evicted[0], (unsigned long) evicted[1]);
}


void
model_judge(model_op_t *op, ngx_uint_t killed)
{
    uint64_t      older;
    ngx_uint_t    i;
    model_msg_t  *msg;

    model_mark(op);
    model_judge_clients(op, killed);
    model_judge_counts(op, killed);

    older = 0;

    for (i = 0; i < m.nwent; i++) {
        msg = m.went[i];
        msg->why = model_why(op, msg, older, killed);
        older += msg->bytes;
    }

    model_judge_slots(op, killed);
    model_judge_losses();

    if (m.exact) {
        model_judge_exactly();
    }

    model_judge_counters(killed);
}


/* a killed op is repeated: the model goes back */

void
model_unapply(void)
{
    while (m.came) {
        free(m.all[--m.nall]);
        m.came--;
    }
}


void
model_apply(model_op_t *op)
{
    ngx_uint_t    i;
    model_cat_t  *c;
    model_msg_t  *msg;

    for (i = m.nall - m.came; i < m.nall; i++) {
        msg = m.all[i];
        c = &m.cats[msg->cat];

        msg->fresh = 0;

        m.nlive++;
        m.live += msg->bytes;
        m.full += (c->count++ == 0);
        unit->messages++;
    }

    for (i = 0; i < m.nwent; i++) {
        msg = m.went[i];
        c = &m.cats[msg->cat];

        msg->dead = 1;
        msg->died = op->serial;

        m.nlive--;
        m.live -= msg->bytes;
        m.full -= (--c->count == 0);

        if (!(msg->why & MODEL_DELETED)) {
            c->dropped = ngx_max(c->dropped, msg->id);
            m.max_dropped = ngx_max(m.max_dropped, msg->id);
            unit->dropped++;
        }
    }

    unit_must(m.nlive == m.sh->list.count && m.live == m.sh->log.live,
              "live: %lu and %lu bytes, not %lu and %lu",
              (unsigned long) m.sh->list.count, (unsigned long) m.sh->log.live,
              (unsigned long) m.nlive, (unsigned long) m.live);

    model_apply_clients();

    op->last_id = m.last_id;
    op->clock = model_clock(op->now);

    m.last_id = m.sh->clock.last_id;
    m.visible = m.sh->clock.visible;
    m.expired = m.sh->counters.expired;
    m.evicted = m.sh->counters.evicted;
}


void
model_sync(model_op_t *op, ngx_uint_t killed, ngx_uint_t final)
{
    model_diff(op, killed, final, killed || unit_once(m.every));
    model_judge(op, killed);
    model_apply(op);
}


/* frees the dead messages of earlier ops */

void
model_prune(void)
{
    ngx_uint_t  i, n;

    if (m.nall - m.nlive < 64 + m.nlive / 4) {
        return;
    }

    n = 0;

    for (i = 0; i < m.nall; i++) {
        if (m.all[i]->dead) {
            free(m.all[i]);

        } else {
            m.all[n++] = m.all[i];
        }
    }

    m.nall = n;
}
