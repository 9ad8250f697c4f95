
/*
 * save_result.c: what must be true after an op.
 */


#include "save_model.h"


static void
op_add(op_t *op)
{
    ngx_uint_t    i;
    model_msg_t   msg;

    for (i = 0; i < op->n; i++) {
        ngx_memzero(&msg, sizeof(msg));

        msg.id = op->msgs[i].id;
        msg.uuid = op->msgs[i].uuid;
        msg.first = op->msgs[0].id;
        msg.last = op->msgs[op->n - 1].id;
        msg.cat = op->which[i];
        msg.uid = op->uid + i;
        msg.len = op->msgs[i].data.len;
        msg.name = i == 0 ? op->name : 0;
        msg.live = 1;
        msg.merged = op->kind == OP_LOAD;

        if (msg.name) {
            ngx_http_longpoll_hash(msg.key, sh->key,
                                   (u_char *) "keykeykeykey", op->name);
            msg.key[1] = (msg.key[1] & ~0xffffULL) | (op->n - 1);
        }

        unit_must(m.n_msgs == 0 || msg.id > m.msgs[m.n_msgs - 1].id,
                  "an id is not new");
        unit_must(model_ms(msg.id) > m.floor,
                  "an id shares the ms of a time-out's answer");

        model_push(msgs, msg);
        unit->messages++;
        m.used[msg.cat] = op->now;
    }
}


/*
 * A message of the other nginx is there, at its own place or behind all others.
 * Nobody need be told as long as it is at its own, and nothing was published
 * here.
 */

void
op_loaded(op_t *op, ngx_uint_t killed)
{
    uint64_t  id;

    id = op->msgs[0].id;

    if (op->rc != NGX_OK || (killed && sh->clock.committed < id)
        || (killed && id <= op->last_id))
    {
        return;
    }

    unit_must(id > op->last_id && id >= op->last,
              "a message of another nginx goes back");

    if (id != op->last || op->committed > op->saved) {
        m.followed = 0;
    }

    op_add(op);
}


void
op_merged(op_t *op, ngx_uint_t killed)
{
    uint64_t  below;

    below = sh->previous.missing_below;

    if (!killed) {
        unit_must(!sh->disk.contested && sh->disk.lost && !sh->disk.begun,
                  "a merge has no end");
        unit_must(op->rc != NGX_OK
                  || (m.followed && op->on && op->committed == op->saved),
                  "cursors are not told, and may have missed something");
        unit_must(op->rc == NGX_OK
                  || below > ngx_max(op->last_id, op->last),
                  "cursors so far are not told");
    }

    m.missing = below;

    if (sh->clock.visible > op->visible) {
        m.exempt = ngx_max(m.exempt, sh->clock.visible);
    }
}


/* a publish is refused only if what waits for the disk has the room */

static void
op_refused(op_t *op)
{
    uint32_t    slot;
    uint64_t    need;
    ngx_uint_t  i, k, ncats, bits;

    need = 0;
    ncats = 0;

    for (i = 0; i < op->n; i++) {
        bits = (sh->conf.delete_on_read ? NGX_HTTP_LONGPOLL_MSG_PENDING : 0)
               | (op->name && i == 0 ? NGX_HTTP_LONGPOLL_MSG_KEYED : 0);
        need += ngx_http_longpoll_zone_msg_need(&op->cats[op->msgs[i].cat],
                                                &op->msgs[i], bits);

        for (k = 0; k < i && op->which[k] != op->which[i]; k++) ;

        if (k == i) {
            slot = ngx_http_longpoll_cat_find(&z->cats,
                                              model_cats[op->which[i]].hash);
            ncats += (slot == NGX_HTTP_LONGPOLL_CAT_NONE
                      || z->unsaved[slot].count == 0);
        }
    }

    unit_must(op->durable
              && (sh->disk.unsaved_cats + ncats
                  > ngx_http_longpoll_cat_max_full(&z->cats)
                  || sh->disk.unsaved_bytes + need
                     > ngx_http_longpoll_zone_room_limit(z)
                  || model_at(sh->list.oldest)->id > sh->clock.visible),
              "a publish is refused for no reason");

    unit->refused++;
}


void
op_published(op_t *op, ngx_uint_t killed)
{
    uint64_t      last;
    ngx_uint_t    i;
    model_msg_t  *msg, *known;
    model_pub_t   pub;

    last = op->msgs[op->n - 1].id;

    if (killed) {
        if (last && sh->clock.committed >= last && op->rc == NGX_OK) {
            op_add(op);
        }

        return;
    }

    if (op->rc == NGX_ABORT) {
        op_refused(op);
        return;
    }

    if (op->rc == NGX_DECLINED) {
        unit->declined++;
        return;
    }

    known = NULL;

    /*
     * A key is there twice if the first message was over its ttl for a
     * while.
     */

    for (i = 0; op->name && i < m.n_msgs; i++) {
        msg = &m.msgs[i];

        if (msg->cat == op->which[0] && msg->name == op->name && msg->live
            && !msg->refused && (op->rc != NGX_DONE || msg->last == last))
        {
            known = msg;
        }
    }

    pub.id = last;
    pub.failed = op->failed;

    if (op->rc == NGX_DONE) {
        unit_must(known, "a key is known that should not be");
        unit->known++;
        msg = model_find(last);

        if (last > sh->clock.visible && msg) {
            model_push(pubs, pub);
        }

        return;
    }

    unit_must(known == NULL || sh->conf.ttl || sh->conf.inactive,
              "a key is not known");
    unit_must(op->rc == (op->durable ? NGX_AGAIN : NGX_OK),
              "publish returns %ld", (long) op->rc);

    op_add(op);

    if (op->rc == NGX_AGAIN) {
        model_push(pubs, pub);
    }
}


/* which messages went, and why */

static ngx_uint_t
op_over(op_t *op, model_msg_t *msg)
{
    uint64_t    clock;
    ngx_uint_t  i, n;

    clock = ngx_max(op->now, model_ms(sh->clock.last_id));

    if (sh->conf.ttl && model_ms(msg->id) + sh->conf.ttl <= clock) {
        return 1;
    }

    /* a publish makes room, and so does a message of a merge */

    if (op->kind == OP_PUBLISH || op->kind == OP_LOAD
        || (sh->conf.inactive
            && op->now + 1000 >= m.used[msg->cat] + sh->conf.inactive))
    {
        return 1;
    }

    for (i = model_index(msg->id + 1), n = 0; i < m.n_msgs; i++) {
        n += m.msgs[i].cat == msg->cat && m.msgs[i].id <= sh->clock.visible
             && (m.msgs[i].live || !m.msgs[i].deleted);
    }

    return n >= sh->conf.buffer;
}


static void
op_dropped(op_t *op, model_msg_t *msg)
{
    uint32_t     slot;
    ngx_uint_t   i, missed, doomed;

    doomed = 0;
    msg->live = 0;
    unit->dropped++;

    if (msg->refused
        || (op->kind == OP_DELETE && op->cat == msg->cat
            && msg->id <= op->visible))
    {
        msg->deleted = 1;
        doomed = msg->refused;
    }

    slot = ngx_http_longpoll_cat_find(&z->cats, model_cats[msg->cat].hash);
    missed = ngx_http_longpoll_cat_missed(&z->cats, slot,
                                          model_cats[msg->cat].hash,
                                          msg->id - 1, 0);

    /* a message that goes while it waits for the disk counts as published */

    if (!msg->exposed && !msg->refused) {
        m.published++;
        msg->counted = 1;
    }

    if (msg->deleted) {

        /* a refused message that is still there may go as others do */

        if (doomed && missed) {
            m.dropped[msg->cat] = ngx_max(m.dropped[msg->cat], msg->id);
        }

        return;
    }

    if ((m.flags & MODEL_TAKE) && msg->id <= op->visible
        && (op->kind == OP_READ || op->kind == OP_REAP
            || op->kind == OP_UNWATCH)
        && (!missed || !op_over(op, msg)))
    {
        msg->deleted = 1;
        return;
    }

    unit_must(missed, "a loss of c%u is not missed", msg->cat);
    unit_must(op_over(op, msg), "a message of c%u goes for no reason",
              msg->cat);

    m.dropped[msg->cat] = ngx_max(m.dropped[msg->cat], msg->id);

    /* a category that goes as a whole was inactive */

    if (sh->conf.inactive && sh->conf.ttl == 0
        && (op->kind == OP_TICK
            || (op->kind == OP_READ && !sh->conf.delete_on_read)))
    {
        for (i = 0; i < m.n_msgs; i++) {
            if (m.msgs[i].cat == msg->cat && m.msgs[i].live && m.msgs[i].seen)
            {
                return;
            }
        }

        msg->deleted = 1;
    }
}


static void
op_woken(op_t *op, model_msg_t *msg)
{
    uint32_t    slot;
    uint64_t    left, bit;
    ngx_uint_t  i;

    slot = ngx_http_longpoll_cat_find(&z->cats, model_cats[msg->cat].hash);

    if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
        return;
    }

    for (left = z->cats.slots[slot].waiting; left; left &= left - 1) {
        i = __builtin_ctzll(left);
        bit = (uint64_t) 1 << slot % 64;

        unit_must(((op->wake & (uint64_t) 1 << i)
                   && (z->dirty[i * z->words + slot / 64] & bit))
                  || sh->workers[i].wake_all,
                  "worker %lu has no dirty bit of c%u", (unsigned long) i,
                  msg->cat);
    }
}


/*
 * A merged message is not refused with those around it: it becomes visible,
 * and nothing in front of it waits any more.
 */

static void
op_merged_visible(void)
{
    ngx_uint_t    i;
    uint64_t      upto;
    model_msg_t  *msg;

    upto = ngx_max(m.exempt, cursors[SAVED].id);
    msg = model_find(sh->clock.visible);

    if (!sh->disk.durable || sh->clock.visible <= upto || msg == NULL
        || !msg->merged)
    {
        return;
    }

    for (i = model_index(upto + 1); m.msgs[i].id < sh->clock.visible; i++) {
        unit_must(!m.msgs[i].live || m.msgs[i].merged,
                  "a message that is not saved is visible");
    }

    m.exempt = sh->clock.visible;
}


void
op_diff(op_t *op, ngx_uint_t killed)
{
    uint32_t                     ref;
    ngx_uint_t                   i;
    model_msg_t                 *msg;
    ngx_http_longpoll_msg_sh_t  *at;

    if (sh->disk.failed != m.failed) {

        /* what waits for the disk makes room for a message of a merge */

        unit_must((op->kind == OP_UNSAVED && sh->disk.failed == m.failed + 1)
                  || (op->kind == OP_LOAD && op->durable),
                  "a message was refused without a failure");
        m.failed = sh->disk.failed;

        for (i = 0; i < m.n_msgs; i++) {
            msg = &m.msgs[i];

            if (!msg->merged && msg->id > ngx_max(op->visible, op->saved)
                && msg->id <= op->committed)
            {
                msg->refused = 1;
            }
        }
    }

    for (i = 0; i < m.n_msgs; i++) {
        m.msgs[i].seen = 0;
    }

    for (ref = sh->list.oldest; ref; ref = at->newer) {
        at = model_at(ref);
        msg = model_find(at->id);

        unit_must(msg && msg->live, "a message that nobody published: %lx",
                  (unsigned long) at->id);
        msg->seen = 1;
    }

    for (i = 0; i < m.n_msgs; i++) {
        msg = &m.msgs[i];

        if (msg->live && !msg->seen) {
            op_dropped(op, msg);
        }

        if (msg->refused) {
            unit_must(!msg->live || killed || m.killed
                      || op->kind != OP_UNSAVED || op->failed == 0,
                      "a refused message is still there");
            unit_must(!msg->live || msg->id > sh->clock.visible,
                      "a refused message is visible");
            continue;
        }

        if (msg->id <= sh->clock.visible && !msg->exposed) {
            msg->exposed = 1;

            if (!killed && msg->live) {
                op_woken(op, msg);
            }

            m.published += !msg->counted;
        }
    }

    op_merged_visible();
}


void
op_was_read(op_t *op)
{
    uint64_t                  id;
    ngx_uint_t                i, k, n, must;
    model_msg_t              *msg;
    ngx_http_longpoll_msg_t  *got;

    id = op->rd.cursor.id;
    n = 0;

    if (op->cursor.fresh && op->cursor.now) {
        unit_must(id == sh->clock.visible,
                  "a poll from now on begins elsewhere");
    }

    for (i = model_index(id + 1); i < m.n_msgs; i++) {
        msg = &m.msgs[i];

        for (k = 0; k < op->rd.ncats && op->which[k] != msg->cat; k++) ;

        if (k == op->rd.ncats) {
            continue;
        }

        got = n < op->rd.nmsgs ? &op->rd.msgs[n] : NULL;

        if (got && got->id == msg->id) {
            unit_must(msg->exposed && !msg->refused && got->cat == k
                      && (msg->live || msg->deleted || (m.flags & MODEL_TAKE))
                      && got->uuid.high == msg->uuid.high
                      && got->uuid.low == msg->uuid.low
                      && got->data.len == msg->len
                      && memcmp(got->data.data,
                                model_bytes(msg->uid, msg->len), msg->len)
                         == 0,
                      "a read returns a wrong message, or other bytes");
            n++;
            continue;
        }

        unit_must(!msg->live || msg->id > sh->clock.visible,
                  "a read does not return a message of c%u", msg->cat);

        if (op->rc == NGX_AGAIN && msg->live
            && (op->rd.mode == NGX_HTTP_LONGPOLL_READ_LAST
                || op->rd.mode == NGX_HTTP_LONGPOLL_READ_PEEK))
        {
            /* a poll that got a message of that ms has its id */

            unit_must(model_ms(msg->id) > op->rd.timestamp
                      || model_ms(msg->id) == model_ms(id),
                      "a message on its way to disk is older than an answer");
        }
    }

    unit_must(n == op->rd.nmsgs && (op->rc == NGX_OK) == (n != 0),
              "a read returns %lu too many",
              (unsigned long) (op->rd.nmsgs - n));

    if (op->rc == NGX_AGAIN
        && (op->rd.mode == NGX_HTTP_LONGPOLL_READ_LAST
            || op->rd.mode == NGX_HTTP_LONGPOLL_READ_PEEK))
    {
        m.floor = ngx_max(m.floor, op->rd.timestamp);
    }

    must = op->cursor.lost || (id < m.missing && !op->cursor.beginning);

    for (k = 0; k < op->rd.ncats; k++) {
        must |= (id < m.dropped[op->which[k]]
                 && !(m.inexact && op->cursor.beginning));
        m.used[op->which[k]] = op->now;
    }

    unit_must(op->rd.missed || !must, "an answer lacks missed");
    unit_must(!op->rd.missed || must || m.inexact,
              "an answer has missed for nothing");

    unit->missed += op->rd.missed;
    unit->reads++;

    (void) ngx_http_longpoll_zone_read_valid(z);
}
