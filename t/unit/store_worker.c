
/*
 * store_worker.c: what workers do: publish, read, park, wake, leave, die.
 *
 * Each function returns 0 if the worker was killed in one of its ops, and 1
 * otherwise.
 */


#include "store_model.h"


int
model_publish(ngx_uint_t worker)
{
    ngx_uint_t  n;
    model_op_t  op;

    model_set(&op, MODEL_PUBLISH, worker, 0);
    op.n = 0;
    op.key = unit_once(3) ? 1 + unit_below(3) : 0;

    if (unit_once(8)) {
        n = 1 + unit_skewed(0, 20);

        if (unit_once(20)) {
            n = 1 + unit_below(m.flags & MODEL_LARGE ? 1000 : 150);
        }

        while (n--) {
            model_add(&op, model_some_cat(), 1 + unit_below(m.small));
        }

    } else {
        model_add(&op, model_some_cat(), model_some_len());
    }

    return model_op(&op);
}


/*
 * A read, and what a worker does with the answer: it copies the bytes, while
 * others may overwrite them, and asks whether they were what they should be.
 */

int
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
        half = unit_below(op->rd.nmsgs + 1);

        for (i = 0; i < op->rd.nmsgs; i++) {

            if (i == half && (m.flags & MODEL_BETWEEN) && m.depth == 0
                && unit_once(3))
            {
                outer = m.op;
                m.depth = 1;

                for (n = unit_skewed(1, 300); n; n--) {
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

        unit_must(tries < 5, "a read is never valid");
        unit_must(m.flags & MODEL_BETWEEN, "a read is invalid for nothing");

        unit->invalid++;
        m.invalid++;
        op->cursor = op->rd.cursor;
    }

    m.invalid = 0;
    p = copy;

    for (i = 0; i < op->rd.nmsgs; i++) {
        msg = &op->rd.msgs[i];
        unit_must(memcmp(p, model_bytes(m.all[model_index(msg->id)]->uid),
                         msg->data.len) == 0,
                  "an answer with a torn message");
        p += msg->data.len;
    }

    free(copy);

    return 1;
}


/*
 * A worker's interest in a category is counted once, in its slot or without
 * one.
 */

static int
model_count_slotless(ngx_uint_t worker, uint32_t *cats, ngx_uint_t n,
    ngx_uint_t refs)
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
            unit_must(more, "the model has lost an interest");
            more--;
        }

        if (more) {
            model_set(&op, MODEL_SLOTLESS, worker, cats[i]);
            op.slotless = -(ngx_int_t) more;

            if (!model_op(&op)) {
                return 0;
            }
        }
    }

    return 1;
}


static int
model_gauge(ngx_uint_t worker, ngx_int_t n)
{
    m.waiting[worker] += n;
    m.sh->workers[m.workers[worker]].waiting += n;

    return 1;
}


/* 1: it is parked, or was answered */

int
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
           && model_count_slotless(op->worker, park->cats, park->ncats, 1);
}


static int
model_park(ngx_uint_t worker)
{
    model_op_t  op;

    model_set_read(&op, worker);
    model_some_cursor(&op.cursor);

    if (unit_once(3)) {
        ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));
        model_some_client(&op);

        if (m.nall && unit_once(4)) {
            op.rd.have = m.all[unit_below(m.nall)]->id;
        }

    } else {
        op.rd.by_id = unit_once(4);
    }

    switch (unit_below(8)) {
    case 0:
        op.rd.mode = NGX_HTTP_LONGPOLL_READ_LAST;
        break;
    case 1:
        op.rd.mode = NGX_HTTP_LONGPOLL_READ_PEEK;
    }

    return model_park_op(&op);
}


/* the last poll of a client in a worker ends the client's waiting there */

static int
model_leave_client(model_park_t *park)
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

    model_set(&op, MODEL_LEAVE_CLIENT, park->worker, 0);
    op.by_client = 1;
    op.client = park->client;

    return model_op(&op);
}


int
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

    return model_count_slotless(park->worker, park->cats, park->ncats, 0)
           && model_leave_client(park);
}


static int
model_add_client(ngx_uint_t worker)
{
    model_op_t  op;

    model_set(&op, MODEL_ADD_CLIENT, worker, 0);
    op.by_client = 1;
    op.client.number = 0;
    op.client.uuid[0] = unit_random() | (uint64_t) 1 << 63;
    op.client.uuid[1] = unit_random();

    return model_op(&op);
}


static int
model_acknowledge(ngx_uint_t worker, uint32_t cat)
{
    model_op_t  op;

    if (!(m.flags & MODEL_TAKE)) {
        return 1;
    }

    model_set(&op, MODEL_ACKNOWLEDGE, worker, cat);

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
            return model_count_slotless(park->worker, park->cats,
                                        park->ncats, 0);
        }

        if (op.rc != NGX_OK) {
            break;
        }

        park->id = op.rd.msgs[op.rd.nmsgs - 1].id;

        for (i = 0; i < park->ncats; i++) {
            if (!model_acknowledge(park->worker, park->cats[i])) {
                return 0;
            }
        }

        if (park->by_client || unit_once(2)) {
            break;
        }
    }

    return model_leave(park);
}


/* a worker was woken, or a second has gone by */

int
model_drain(ngx_uint_t worker)
{
    uint32_t       n, woken[4096];
    uint64_t       since;
    ngx_uint_t     i, k, all, nwoken;
    model_op_t     op;
    model_park_t  *park;

    since = m.serial;

    model_set(&op, MODEL_WAKE_ALL, worker, 0);

    if (!model_op(&op)) {
        return 0;
    }

    all = op.rc;
    nwoken = 0;

    do {
        model_set(&op, MODEL_DIRTY, worker, 0);

        if (!model_op(&op)) {
            return 0;
        }

        for (i = 0; i < (ngx_uint_t) op.rc && nwoken < 4096; i++) {
            woken[nwoken++] = model_find_cat(op.hashes[i]);
        }

    } while (op.rc);

    for (n = 0; n < m.ncats; n++) {
        since = ngx_max(since, 1);

        if (m.cats[n].interest[worker].pending > since) {
            continue;
        }

        unit_must(all || !m.cats[n].interest[worker].pending
                  || model_woken(worker, n, m.cats[n].count),
                  "worker %lu never learnt of c%u", (unsigned long) worker, n);

        m.cats[n].interest[worker].pending = 0;
    }

    for (i = 0; i < MODEL_PARKS; i++) {
        park = &m.parks[i];

        if (!park->busy || park->worker != worker) {
            continue;
        }

        for (k = 0; k < park->ncats && !all; k++) {
            for (n = 0; n < nwoken && woken[n] != park->cats[k]; n++) {
                /* void */
            }

            if (n < nwoken) {
                break;
            }
        }

        if (k < park->ncats && !model_wake(park)) {
            return 0;
        }
    }

    m.waking[worker] = 0;

    for (n = 0; n < nwoken; n++) {
        if (!model_acknowledge(worker, woken[n])) {
            return 0;
        }
    }

    return 1;
}


/* polls wait in all slots, and no category has messages: c0 gets one */

void
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
        (void) model_count_slotless(0, &i, 1, 1);

        model_set(&op, MODEL_DELETE, MODEL_NOBODY, i);
        (void) model_op(&op);
    }

    model_set(&op, MODEL_PUBLISH, MODEL_NOBODY, 0);
    op.n = 0;
    model_add(&op, 0, 1);
    (void) model_op(&op);

    (void) model_reap(0, model_op);
    m.immortal = 0;
}


static void
model_time(void)
{
    ngx_uint_t  n;

    n = unit_below(200);

    if (n < 120) {
        m.now += unit_below(2);

    } else if (n < 190) {
        m.now += unit_below(50);

    } else if (n < 198) {
        m.now += unit_below(3000);

    } else {
        m.now -= unit_skewed(0, 5000);
    }
}


/*
 * The newest message seldom stands at the tail, so it is put there: the log is
 * cleaned when it is the only one.
 */

void
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

        done = unit_call_and_kill(model_clean, NULL, k++);
        model_recover();
        model_check();
    } while (!done);
}


/* something happens, in any worker but other */

void
model_act(ngx_uint_t other, ngx_uint_t reads)
{
    ngx_uint_t  n, worker;
    model_op_t  op;

    model_time();

    do {
        worker = unit_below(MODEL_WORKERS + 1);
    } while (worker == other && worker != MODEL_NOBODY);

    n = unit_below(108);

    if (n >= 100) {
        (void) model_add_client(worker);

    } else if (n < 50 || (n < 84 && !reads)) {
        (void) model_publish(worker);

    } else if (n < 70) {
        (void) model_park(worker);

    } else if (n < 84) {
        if (worker != MODEL_NOBODY) {
            (void) model_drain(worker);
        }

    } else if (n < 89) {
        n = unit_below(MODEL_PARKS);

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
            (void) model_reap(worker, model_op);
        }

    } else {
        if (worker != MODEL_NOBODY) {
            (void) model_acknowledge(worker, model_some_cat());
        }
    }
}
