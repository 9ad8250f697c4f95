
/*
 * feed_client.c: a client polls one node, then another one.
 *
 * A poll that finds nothing is parked, and read for again when the client has
 * its next turn; or it times out, and the client goes on from the timestamp of
 * that answer.
 */


#include "feed_model.h"


/* no id; all that follows `start` is due */

void
model_client_init(model_client_t *c, ngx_uint_t kind)
{
    ngx_uint_t  i, first;

    ngx_memzero(c, sizeof(model_client_t));

    c->kind = kind;
    c->ncats = 1 + unit_below(3);
    first = unit_below(MODEL_CATS);

    for (i = 0; i < c->ncats; i++) {
        c->cats[i] = (first + i) % MODEL_CATS;
    }
}


static ngx_uint_t
model_wants(model_client_t *c, ngx_uint_t cat)
{
    ngx_uint_t  i;

    for (i = 0; i < c->ncats; i++) {
        if (c->cats[i] == cat) {
            return 1;
        }
    }

    return 0;
}


/*
 * The client was told nothing: it has every event in (start, end].  An epoch
 * before the client's was told when that began.  One behind the node's will be,
 * and has such ids only if another clock made them.
 */

static void
model_complete(model_client_t *c, model_node_t *node, uint64_t end)
{
    uint64_t        start;
    ngx_uint_t      i;
    model_event_t  *event;

    start = c->start;

    for (i = 0; i < m.nevents; i++) {
        event = &m.events[i];

        if ((m.flags & MODEL_SKEW) && event->epoch > node->state.epoch) {
            continue;
        }

        unit_must(event->id <= start || event->id > end || event->deleted
                  || event->epoch < c->epoch
                  || c->got[i] || !model_wants(c, event->cat),
                  "event %lu, id %lx of %lx, is lost without a word to a "
                  "client %u from %lx of %lx to %lx", (unsigned long) i,
                  (unsigned long) event->id, (unsigned long) event->epoch,
                  c->kind, (unsigned long) start, (unsigned long) c->q.epoch,
                  (unsigned long) end);
    }
}


static void
model_read(model_client_t *c, model_node_t *node, ngx_http_longpoll_read_t *rd)
{
    ngx_int_t                       rc;
    ngx_uint_t                      i;

    static size_t                   costs[3];
    static uint32_t                 slots[3];
    static ngx_http_longpoll_cat_t  cats[3];

    for (i = 0; i < c->ncats; i++) {
        cats[i] = m.cats[c->cats[i]];
        ngx_http_longpoll_zone_hash(&node->zone, &cats[i]);
        costs[i] = 8;
    }

    ngx_memzero(rd, sizeof(ngx_http_longpoll_read_t));

    rd->mode = unit_once(2) ? NGX_HTTP_LONGPOLL_READ_PARK
                            : NGX_HTTP_LONGPOLL_READ_LAST;
    rd->worker = unit_below(MODEL_WORKERS);
    rd->cats = cats;
    rd->ncats = c->ncats;
    rd->cursor = c->cursor;
    rd->limit = unit_once(2) ? 1 : 1 + unit_below(1000);
    rd->costs = costs;
    rd->slots = slots;

    rc = ngx_http_longpoll_zone_read(&node->zone, rd, model_clock(node));

    unit_must(rc == NGX_OK || rc == NGX_AGAIN, "a read returns %ld", (long) rc);
    unit->reads++;
}


/*
 * With another clock, an epoch's ids may be in front of those that a node has
 * of the one before.  A client that goes from one of them to the other is told,
 * and gets from there on what it may have had.
 */

static void
model_again(model_client_t *c, uint64_t number)
{
    ngx_uint_t      i;
    model_event_t  *first;

    first = &m.events[number];

    for (i = 0; first->epoch != c->epoch && i < m.nevents; i++) {
        if (m.events[i].epoch == first->epoch && m.events[i].id >= first->id) {
            c->got[i] = 0;
        }
    }
}


/* events: the client goes on behind the last one */

static void
model_given(model_client_t *c, model_node_t *node,
    ngx_http_longpoll_read_t *rd)
{
    uint64_t                    number, id, epoch;
    ngx_uint_t                  i;
    ngx_http_longpoll_msg_t    *msg;
    ngx_http_longpoll_query_t  *q;

    number = 0;

    if ((m.flags & MODEL_SKEW) && rd->missed) {
        ngx_memcpy(&number, rd->msgs[0].data.data, sizeof(number));
        model_again(c, number);
    }

    for (i = 0; i < rd->nmsgs; i++) {
        msg = &rd->msgs[i];
        ngx_memcpy(&number, msg->data.data, sizeof(number));

        unit_must(!c->got[number], "event %lu is doubled to a client %u",
                  (unsigned long) number, c->kind);
        unit_must(model_wants(c, m.events[number].cat), "a foreign event");

        c->got[number] = 1;
        unit->messages++;
    }

    msg = &rd->msgs[rd->nmsgs - 1];
    q = &c->q;

    if (!rd->missed) {
        model_complete(c, node, msg->id);
    }

    ngx_memzero(q, sizeof(ngx_http_longpoll_query_t));

    c->wall = 0;
    c->start = msg->id;
    c->epoch = m.events[number].epoch;

    if (c->kind != MODEL_BY_TIME) {
        q->has_id = 1;
        q->own_id = 1;
        q->uuid = msg->uuid;
        (void) ngx_http_longpoll_id_read(&msg->uuid, &id, &epoch);
        q->id = id;
        q->epoch = epoch;
    }

    if (c->kind != MODEL_BY_ID) {
        q->has_since = 1;
        q->since_time = ngx_http_longpoll_id_ms(msg->id);
    }

    if (c->kind == MODEL_BY_TIME) {
        c->start |= 0xffff;
    }
}


/* a time-out: last_id is not touched */

static void
model_timed_out(model_client_t *c, model_node_t *node,
    ngx_http_longpoll_read_t *rd)
{
    uint64_t  t, end;

    t = ngx_http_longpoll_cursor_timestamp(&node->zone, rd, unit_once(4));
    end = ngx_http_longpoll_id_last_of(t);

    if (c->q.has_id && t == ngx_http_longpoll_id_ms(c->q.id)) {
        end = c->start;
    }

    if (c->kind == MODEL_BY_ID) {

        /* one that has no id yet comes without a cursor again */

        return;
    }

    unit_must(!c->q.has_since || c->now || t >= (uint64_t) c->q.since_time,
              "a timestamp goes back");

    c->wall = rd->cursor.early && (c->wall || rd->cursor.now);

    if (!rd->missed && end > c->start) {
        model_complete(c, node, end);
    }

    c->q.has_since = 1;
    c->q.since_time = (int64_t) t;

    /* a poll without a cursor may see older events of its own ms */

    if (c->now || end > c->start) {
        c->start = end;
    }
}


void
model_poll(model_client_t *c, model_node_t *node)
{
    ngx_uint_t                early;
    ngx_http_longpoll_read_t  rd;

    if (c->parked) {
        node = &m.nodes[c->parked - 1];

        if (c->life != node->life) {

            /* its nginx is gone, and its connection */

            c->parked = 0;
            return;
        }

    } else {
        (void) model_clock(node);
        ngx_http_longpoll_cursor(&node->zone, &c->q, &c->cursor);
        c->cursor.age = unit_once(4) ? unit_below(50) : 0;
        c->now = 0;
    }

    model_read(c, node, &rd);

    early = rd.cursor.early;
    c->now |= rd.cursor.now;

    if (!early && c->cursor.fresh
        && rd.cursor.id != c->cursor.id && !rd.cursor.exact)
    {
        /* a poll from now on, perhaps of a cursor too far ahead */

        c->now = 1;
        c->start = rd.cursor.id;
        c->epoch = node->state.epoch;
    }

    if (rd.missed) {
        unit->missed++;

        /*
         * The first epoch may begin while a poll without a cursor waits, or
         * behind the wall clock's time that it is answered before that.
         */

        unit_must((m.flags & MODEL_FAULTS)
                  || (c->now && early)
                  || ((c->now || c->wall)
                      && rd.cursor.id < node->state.begin),
                  "a client %u at %lx is told missed, gap %lx, begin %lx",
                  c->kind, (unsigned long) rd.cursor.id,
                  (unsigned long) node->state.gap,
                  (unsigned long) node->state.begin);
    }

    if (rd.nmsgs) {
        c->parked = 0;
        model_given(c, node, &rd);
        return;
    }

    c->cursor = rd.cursor;

    if (rd.mode == NGX_HTTP_LONGPOLL_READ_PARK) {
        c->parked = node - m.nodes + 1;
        c->life = node->life;
        return;
    }

    c->parked = 0;
    model_timed_out(c, node, &rd);
}
