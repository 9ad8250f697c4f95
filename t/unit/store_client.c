
/*
 * store_client.c: gpoll's clients, as the model knows them.
 *
 * For every entry in use the model keeps the last message that the client was
 * given, and the order of the clients in the idle list.  After every call, and
 * between the holds of one, it compares.  A change must be one that such a call
 * may make, and is then taken over.  Whether a call made the change that it
 * must make is asked with its result.
 */


#include "store_model.h"


static uint64_t
model_client_inactive(void)
{
    return m.conf.inactive ? m.conf.inactive : 3600000;
}


static ngx_uint_t
model_client_idle(model_client_t *c, uint64_t now)
{
    return c->uuid[0] && c->waiting == 0
           && now >= c->used + model_client_inactive();
}


/* the client that op names, NULL: there is none */

static model_client_t *
model_client_of(model_op_t *op)
{
    model_client_t  *c;

    if (op->client.number >= m.max_clients || op->client.uuid[0] == 0) {
        return NULL;
    }

    c = &m.clients[op->client.number];

    return c->uuid[0] == op->client.uuid[0] && c->uuid[1] == op->client.uuid[1]
           ? c : NULL;
}


/* whether the entry may look as it does, and not as it did */

static void
model_judge_client(model_op_t *op, uint32_t n, ngx_uint_t killed)
{
    uint64_t                       bit;
    ngx_uint_t                     i, k, own;
    model_msg_t                   *msg;
    model_client_t                *c;
    ngx_http_longpoll_client_sh_t  *e;

    c = &m.clients[n];
    e = model_entry(n);
    own = (op->kind == MODEL_READ || op->kind == MODEL_LEAVE_CLIENT)
          && model_client_of(op) == c && op->by_client;
    bit = op->worker == MODEL_NOBODY ? 0 : model_bit(op->worker);

    if (e->uuid[0] == 0) {
        unit_must(c->uuid[0] != 0 || e->seen == c->seen
                  || op->kind == MODEL_ADD_CLIENT,
                  "a free entry is written to");

        if (c->uuid[0] == 0) {
            return;
        }

        switch (op->kind) {

        case MODEL_READ:
            unit_must(own, "a read drops another's client");
            return;

        case MODEL_ADD_CLIENT:
            unit_must(m.nclients == m.max_clients,
                      "a client goes for no room");

            for (i = 0; i < m.max_clients; i++) {
                unit_must(m.clients[i].waiting
                          || (!c->waiting && m.clients[i].order >= c->order),
                          "the zone removes another client than the idlest");
            }

            return;

        case MODEL_TICK:
            unit_must(model_client_idle(c, op->now),
                      "a tick drops a client that is not idle");
            return;

        default:
            unit_fail("%s drops a client", model_name(op));
        }
    }

    if (e->uuid[0] != c->uuid[0] || e->uuid[1] != c->uuid[1]) {
        unit_must(op->kind == MODEL_ADD_CLIENT
                  && e->uuid[0] == op->client.uuid[0]
                  && e->uuid[1] == op->client.uuid[1],
                  "an unknown client");
        unit_must(e->seen == m.sh->clock.visible && e->waiting == 0,
                  "a client that does not begin now");
        return;
    }

    if (e->seen != c->seen) {
        unit_must(own && op->rd.mode != NGX_HTTP_LONGPOLL_READ_PEEK
                  && op->kind == MODEL_READ && e->seen > c->seen,
                  "a cursor moves for nothing");

        for (i = model_index(c->seen + 1); i < m.nall; i++) {
            msg = m.all[i];

            for (k = 0; k < m.nwent && m.went[k] != msg; k++) { /* void */ }

            if (!msg->dead && model_has(op, msg->cat)
                && (k == m.nwent || msg->id == e->seen))
            {
                break;
            }
        }

        unit_must(i < m.nall && (m.all[i]->id == e->seen),
                  "a cursor moves too far");
    }

    if (e->waiting != c->waiting) {
        unit_must((op->kind == MODEL_READ && own
                   && e->waiting == (c->waiting | bit)
                   && (op->rd.mode == NGX_HTTP_LONGPOLL_READ_PARK
                       || op->rd.mode == NGX_HTTP_LONGPOLL_READ_WAKE))
                  || ((op->kind == MODEL_REAP
                       || (op->kind == MODEL_LEAVE_CLIENT && own))
                      && e->waiting == (c->waiting & ~bit)),
                  "a client waits, or does not, for nothing");
    }
}


/* the idle list: a client that was touched stands behind all others */

static void
model_judge_idle(model_op_t *op)
{
    uint32_t                       n, left;
    uint64_t                       used, order;
    ngx_uint_t                     same, touched;
    model_client_t                *c;
    ngx_http_longpoll_client_sh_t  *e;

    used = 0;
    order = 0;
    touched = 0;
    left = m.sh->clients.fresh;

    for (n = m.sh->clients.first; n; n = e->next) {
        unit_must(n <= m.sh->clients.fresh && left--, "the idle list");

        e = model_entry(n - 1);
        c = &m.clients[n - 1];

        same = c->uuid[0] == e->uuid[0] && c->waiting == 0
               && c->used == e->used && c->order > order;

        if (touched || !same) {
            touched++;
            unit_must(e->used == ngx_max(op->now, used)
                      || (c->used == e->used && op->kind == MODEL_READ),
                      "a client was used at another time");
        } else {
            order = c->order;
        }

        used = e->used;
    }

    unit_must(touched <= 1 || op->kind == MODEL_REAP,
              "%s touches %lu clients", model_name(op),
              (unsigned long) touched);
}


void
model_judge_clients(model_op_t *op, ngx_uint_t killed)
{
    uint32_t  n;

    if (op->by_client && model_client_of(op)) {
        op->previous = *model_client_of(op);

    } else {
        ngx_memzero(&op->previous, sizeof(model_client_t));
    }

    for (n = 0; n < m.max_clients; n++) {
        model_judge_client(op, n, killed);
    }

    model_judge_idle(op);
}


void
model_apply_clients(void)
{
    uint32_t                       n;
    ngx_http_longpoll_client_sh_t  *e;

    m.nclients = 0;
    m.nidle = 0;

    for (n = 0; n < m.max_clients; n++) {
        e = model_entry(n);

        m.clients[n].uuid[0] = e->uuid[0];
        m.clients[n].uuid[1] = e->uuid[1];
        m.clients[n].seen = e->seen;
        m.clients[n].used = e->used;
        m.clients[n].waiting = e->waiting;
        m.nclients += (e->uuid[0] != 0);
    }

    for (n = m.sh->clients.first; n; n = model_entry(n - 1)->next) {
        m.clients[n - 1].order = ++m.nidle;
    }
}


void
model_check_clients(void)
{
    uint32_t         n;
    uint64_t         waiting;
    ngx_uint_t       i;
    model_park_t    *park;
    model_client_t  *c;

    for (n = 0; n < m.max_clients; n++) {
        c = &m.clients[n];

        unit_must(model_entry(n)->uuid[0] == c->uuid[0]
                  && model_entry(n)->uuid[1] == c->uuid[1]
                  && model_entry(n)->seen == c->seen
                  && model_entry(n)->used == c->used
                  && model_entry(n)->waiting == c->waiting,
                  "entry %u is not as it was left", n);

        if (c->uuid[0] == 0 || m.depth) {
            continue;
        }

        waiting = 0;

        for (i = 0; i < MODEL_PARKS; i++) {
            park = &m.parks[i];

            if (park->busy && park->by_client && park->client.number == n
                && park->client.uuid[0] == c->uuid[0])
            {
                waiting |= model_bit(park->worker);
            }
        }

        /* one that is on its way is not yet among the parks, or still is */

        unit_must(m.op || c->waiting == waiting,
                  "client %u waits where it does not", n);
    }
}


/* the result of a read */

static void
model_client_read(model_op_t *op)
{
    ngx_uint_t                 i, n, may, must;
    model_cat_t               *cat;
    model_msg_t              **found;
    model_client_t            *before, *after;
    ngx_http_longpoll_read_t  *rd;

    rd = &op->rd;
    before = &op->previous;
    after = model_client_of(op);
    found = m.went;

    if (op->rc == NGX_ERROR) {
        unit_must(after == NULL || after->seen == before->seen,
                  "a cursor moves over what could not be read");
        return;
    }

    unit_must(rd->nmsgs == (op->rc == NGX_OK),
              "a client gets %lu messages",
              (unsigned long) rd->nmsgs);

    if (before->uuid[0] == 0 || model_client_idle(before, op->now)) {
        unit_must(op->rc == NGX_DONE && !rd->missed && after == NULL,
                  "an unknown client reads");
        unit->strangers++;
        return;
    }

    must = 0;

    for (i = 0; i < rd->ncats; i++) {
        cat = &m.cats[op->which[i]];
        must |= before->seen < cat->dropped;
    }

    may = must || (!m.exact && before->seen < m.max_dropped);

    if (op->rc == NGX_DONE) {
        unit_must(rd->missed && may, "a client is removed for nothing");
        unit_must(after == NULL || rd->mode == NGX_HTTP_LONGPOLL_READ_PEEK,
                  "a client stays that lost a message");
        unit->lost++;
        return;
    }

    unit_must(!must && !rd->missed, "a client that lost a message still reads");
    unit_must(after != NULL, "a client is not there any more");

    n = model_expect(op, before->seen, found);

    unit_must((op->rc == NGX_OK) == (n != 0), "a client reads %ld of %lu",
              (long) op->rc, (unsigned long) n);

    if (op->rc == NGX_OK) {
        unit_must(rd->msgs[0].id == found[0]->id
                  && rd->msgs[0].cat == m.cats[found[0]->cat].index
                  && rd->msgs[0].data.len == (rd->have == found[0]->id
                                              ? 0 : found[0]->len),
                  "a client gets another message");
        unit_must(m.conf.ttl == 0
                  || model_ms(found[0]->id) + m.conf.ttl > op->clock,
                  "a client gets a message over its ttl");
        unit_must(rd->mode == NGX_HTTP_LONGPOLL_READ_PEEK
                  ? after->seen == before->seen
                  : after->seen == found[0]->id, "a cursor does not move on");
        unit->given++;
        return;
    }

    unit_must(after->seen == before->seen, "a cursor moves over nothing");

    if (op->worker != MODEL_NOBODY
        && (rd->mode == NGX_HTTP_LONGPOLL_READ_PARK
            || rd->mode == NGX_HTTP_LONGPOLL_READ_WAKE))
    {
        unit_must(after->waiting == (before->waiting | model_bit(op->worker)),
                  "a client does not wait");

    } else if (rd->mode != NGX_HTTP_LONGPOLL_READ_PEEK && !after->waiting) {
        unit_must(after->order == m.nidle, "a client that asks was not used");
    }
}


void
model_client_result(model_op_t *op)
{
    ngx_uint_t  i;

    switch (op->kind) {

    case MODEL_READ:
        if (op->by_client) {
            model_client_read(op);
        }

        break;

    case MODEL_ADD_CLIENT:
        unit_must(model_client_of(op), "a client does not come in");
        unit_must(model_client_of(op)->order == m.nidle,
                  "a new client is not the last");
        break;

    case MODEL_LEAVE_CLIENT:
        unit_must(model_client_of(op) == NULL || op->worker == MODEL_NOBODY
                  || !(model_client_of(op)->waiting & model_bit(op->worker)),
                  "a client waits that has left");
        break;

    case MODEL_REAP:
        for (i = 0; i < m.max_clients; i++) {
            unit_must(m.clients[i].uuid[0] == 0
                      || !(m.clients[i].waiting & model_bit(op->worker)),
                      "a client waits in a dead worker");
        }

        break;

    case MODEL_TICK:
        for (i = 0; i < m.max_clients && op->rc && op->between == 0; i++) {
            unit_must(!model_client_idle(&m.clients[i], op->now),
                      "an idle client remains after a tick");
        }

        break;

    default:
        break;
    }
}


/* a client that is there, one that was, or one that never was */

void
model_some_client(model_op_t *op)
{
    ngx_uint_t  i;

    op->by_client = 1;
    op->client.number = unit_below(m.max_clients);

    for (i = 0; i < 8 && m.clients[op->client.number].uuid[0] == 0; i++) {
        op->client.number = unit_below(m.max_clients);
    }

    op->client.uuid[0] = m.clients[op->client.number].uuid[0];
    op->client.uuid[1] = m.clients[op->client.number].uuid[1];

    switch (unit_below(40)) {

    case 0:
        op->client.uuid[0] ^= 1;
        break;

    case 1:
        op->client.uuid[1] ^= (uint64_t) 1 << 63;
        break;

    case 2:
        op->client.number = unit_below(3) ? (op->client.number + 1)
                                            % m.max_clients
                                          : m.max_clients + unit_below(1000);
    }

    /* only uuid[0] says that an entry is free */

    if (op->client.uuid[0] == 0 && op->client.number < m.max_clients) {
        op->client.uuid[0] = unit_below(2);
        op->client.uuid[1] = model_entry(op->client.number)->uuid[1];
    }
}
