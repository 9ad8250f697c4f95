
/*
 * save_act.c: random ops of workers.
 */


#include "save_model.h"


op_t      act_op;
uint32_t  op_slots[MODEL_WORKERS][MODEL_CATS];


void
act_conf(ngx_http_longpoll_zone_conf_t *conf)
{
    static const uint64_t  buffers[] = { 1, 2, 5, 20, 250, 10000 };

    ngx_memzero(conf, sizeof(*conf));

    conf->buffer = buffers[unit_below(6)];
    conf->ttl = unit_once(2) ? 0 : unit_skewed(1, 20000);
    conf->flush = 1000;
    conf->durable = unit_below(2);

    if ((m.flags & MODEL_IDLE) && !unit_once(3)) {
        conf->inactive = unit_skewed(1, 20000);
    }

    if ((m.flags & MODEL_TAKE) && !unit_once(4)) {
        conf->delete_on_read = 1;
    }
}


void
act_set(op_e kind)
{
    act_op.kind = kind;
    act_op.now = m.now;
    act_op.n = 0;
    act_op.name = 0;
    act_op.on = 0;
    act_op.must = 0;
    act_op.cat = unit_below(m.ncats);
}


static void
act_publish(void)
{
    ngx_uint_t  i, k, n, ncats, large;
    uint32_t    index[MODEL_CATS], cat;

    /* so that the log goes round while messages wait for the disk */

    large = (m.flags & MODEL_CROWDED) && (m.flags & MODEL_CRASH);

    n = unit_once(3) ? 1 + unit_skewed(0, MODEL_BATCH) : 1;

    for (i = 0; i < MODEL_CATS; i++) {
        index[i] = MODEL_CATS;
    }

    act_op.uid = m.uid;
    m.uid += n;

    for (i = 0, ncats = 0; i < n; i++) {
        cat = unit_once(2) && m.ncats == MODEL_FEW ? unit_below(2)
                                                 : unit_below(m.ncats);

        if (index[cat] == MODEL_CATS) {
            index[cat] = ncats;
            act_op.cats[ncats++] = model_cats[cat];
        }

        k = 1 + (unit_once(30) && n == 1 ? unit_skewed(0, m.size / 6)
                                         : unit_below(large ? 900 : 200));

        act_op.which[i] = cat;
        act_op.msgs[i].cat = index[cat];
        act_op.msgs[i].data.len = k;
        act_op.msgs[i].data.data = malloc(k);
        memcpy(act_op.msgs[i].data.data, model_bytes(act_op.uid + i, k), k);
    }

    act_op.n = n;
    act_op.name = unit_once(3) ? 1 + unit_below(12) : 0;

    (void) op_run(&act_op);

    for (i = 0; i < n; i++) {
        free(act_op.msgs[i].data.data);
    }
}


/* a message of another nginx, that act_op.last is the id of */

void
act_foreign(uint64_t epoch)
{
    static u_char  bytes[256];

    act_op.uid = m.uid++;
    act_op.n = 1;
    act_op.which[0] = act_op.cat;
    act_op.cats[0] = model_cats[act_op.cat];
    act_op.msgs[0].cat = 0;
    act_op.msgs[0].data.len = 1 + unit_below(200);
    act_op.msgs[0].data.data = bytes;
    memcpy(bytes, model_bytes(act_op.uid, act_op.msgs[0].data.len),
           act_op.msgs[0].data.len);
    ngx_http_longpoll_id_uuid(&act_op.msgs[0].uuid, act_op.last, epoch);
}


static void
act_cursor(ngx_http_longpoll_cursor_t *cursor)
{
    ngx_uint_t  i;

    ngx_memzero(cursor, sizeof(*cursor));
    cursor->fresh = 1;

    switch (unit_below(4)) {

    case 0:
        cursor->now = 1;
        break;

    case 1:
        cursor->beginning = 1;
        break;

    default:
        if (m.n_msgs) {
            i = model_index(sh->clock.visible + 1);
            i = i ? unit_below(i) : 0;

            if (m.msgs[i].id <= sh->clock.visible) {
                cursor->id = m.msgs[i].id;
                cursor->since = model_ms(cursor->id);
                cursor->exact = 1;
            }
        }
    }
}


static void
act_read(void)
{
    ngx_uint_t  i, k, n;

    n = unit_once(2) ? 1 : 1 + unit_below(3);
    act_op.rd.ncats = n;

    for (i = 0; i < n; i++) {
        do {
            act_op.which[i] = unit_below(m.ncats);
            for (k = 0; k < i && act_op.which[k] != act_op.which[i]; k++) ;
        } while (k < i);

        act_op.cats[i] = model_cats[act_op.which[i]];
        act_op.costs[i] = 10;
    }

    act_cursor(&act_op.cursor);

    act_op.worker = NGX_HTTP_LONGPOLL_NO_WORKER;
    act_op.rd.mode = unit_once(2) ? NGX_HTTP_LONGPOLL_READ_LAST
                                   : NGX_HTTP_LONGPOLL_READ_PEEK;

    if (unit_once(3)) {
        act_op.rd.mode = NGX_HTTP_LONGPOLL_READ_PARK;
        act_op.worker = unit_below(MODEL_WORKERS);
    }

    if (op_run(&act_op) && act_op.rc == NGX_AGAIN
        && act_op.rd.mode == NGX_HTTP_LONGPOLL_READ_PARK)
    {
        for (i = 0; i < n; i++) {
            op_slots[act_op.worker][act_op.which[i]] = act_op.slots[i] + 1;
        }
    }
}


static void
act_leave(void)
{
    ngx_uint_t  w;

    w = unit_below(MODEL_WORKERS);
    act_op.worker = w;

    if (act_op.kind == OP_REAP) {
        (void) op_run(&act_op);
        ngx_memzero(op_slots[w], sizeof(op_slots[w]));
        return;
    }

    if (op_slots[w][act_op.cat]) {
        op_slots[w][act_op.cat]--;
        (void) op_run(&act_op);
        op_slots[w][act_op.cat] = 0;
    }
}


void
act(void)
{
    m.now += unit_once(3) ? 0 : unit_once(40) ? unit_below(20000)
                                              : unit_below(30);

    switch (unit_below(20)) {

    case 0: case 1: case 2: case 3: case 4: case 5:
        act_set(OP_PUBLISH);
        act_publish();
        break;

    case 6: case 7: case 8:
        act_set(OP_READ);
        act_read();
        break;

    case 9:
        act_set(unit_once(5) ? OP_REAP : OP_UNWATCH);
        act_leave();
        break;

    case 10:
        act_set(OP_DELETE);
        (void) op_run(&act_op);
        break;

    case 11:
        act_set(OP_TICK);
        (void) op_run(&act_op);
        break;

    case 12:
        if (unit_once(4)) {
            act_set(OP_CONFIGURE);
            act_conf(&act_op.conf);
            (void) op_run(&act_op);
        }

        break;

    default:

        /* what waits for the disk fills a crowded zone */

        if (!(m.flags & MODEL_CROWDED) || unit_once(4)) {
            act_set(OP_BEGIN);
            act_writer();
        }
    }
}
