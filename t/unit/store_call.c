
/*
 * store_call.c: an op is one call of the store; its random arguments.
 */


#include "store_model.h"


static void model_some_cats(model_op_t *op);


const char *
model_name(model_op_t *op)
{
    static const char  *names[] = {
        "publish", "read", "unwatch", "slotless", "acknowledge", "dirty",
        "wake all", "delete", "tick", "reap", "configure", "status",
        "add client", "leave client"
    };

    return names[op->kind];
}


static void
model_describe(model_op_t *op)
{
    int     n;
    size_t  size;

    size = sizeof(unit->what);

    n = snprintf(unit->what, size, "%s now %lu worker %lu", model_name(op),
                 (unsigned long) op->now, (unsigned long) op->worker);

    if (op->kind == MODEL_PUBLISH) {
        snprintf(unit->what + n, size - n, " n %lu c%u need %lu",
                 (unsigned long) op->n, op->which[0],
                 (unsigned long) op->need);

    } else if (op->kind == MODEL_READ) {
        snprintf(unit->what + n, size - n,
                 "%s mode %u ncats %lu c%u cursor %lx%s%s%s%s recent %u "
                 "limit %lu",
                 op->by_client ? " client" : "", op->rd.mode,
                 (unsigned long) op->rd.ncats, op->which[0],
                 (unsigned long) op->cursor.id,
                 op->cursor.fresh ? " fresh" : "",
                 op->cursor.now ? " now" : "",
                 op->cursor.exact ? " exact" : "",
                 op->cursor.beginning ? " beginning" : "",
                 op->cursor.recent,
                 (unsigned long) op->rd.limit);

    } else {
        snprintf(unit->what + n, size - n, " c%u", op->cat);
    }
}


void
model_begin(model_op_t *op)
{
    ngx_uint_t    i;
    model_cat_t  *c;

    if (m.depth == 0) {
        model_prune();
        unit->op++;
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

            /* the exact time is not known, as others may come between */

            c->used_max = ngx_max(c->used_max, op->now);
        }
    }

    m.op = op;
    unit->ops++;

    if (m.depth) {
        unit->between++;

    } else {
        model_describe(op);
    }
}


void
model_call(model_op_t *op)
{
    uint64_t                   since;
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
        ngx_http_longpoll_zone_watch_end(z, number, c->cat.hash, op->slot,
                                         c->interest[op->worker].since, 0,
                                         op->now);
        break;

    case MODEL_SLOTLESS:
        ngx_http_longpoll_zone_watch_count_slotless(z, number, op->slotless);
        break;

    case MODEL_ACKNOWLEDGE:
        since = op->worker == MODEL_NOBODY
                ? 0 : c->interest[op->worker].since;
        ngx_http_longpoll_zone_watch_acknowledge(z, number, c->cat.hash,
                                                 since, (uint64_t) -1);
        break;

    case MODEL_DIRTY:
        op->rc = ngx_http_longpoll_zone_watch_take(z, number, op->hashes);
        break;

    case MODEL_WAKE_ALL:
        op->rc = ngx_http_longpoll_zone_watch_take_all(z, number);
        break;

    case MODEL_DELETE:
        ngx_http_longpoll_zone_delete(z, &c->cat, op->now);
        break;

    case MODEL_TICK:
        op->rc = ngx_http_longpoll_zone_tick(z, op->now);
        break;

    case MODEL_REAP:
        ngx_http_longpoll_zone_tick_reap(z, number, op->now);
        break;

    case MODEL_CONFIGURE:
        z->conf = op->conf;
        ngx_http_longpoll_zone_configure(z);
        break;

    case MODEL_STATUS:
        ngx_http_longpoll_zone_status(z, (uint64_t) -1, &op->st);
        break;

    case MODEL_ADD_CLIENT:
        ngx_http_longpoll_zone_client_add(z, &op->client, op->now);
        break;

    case MODEL_LEAVE_CLIENT:
        ngx_http_longpoll_zone_client_leave(z, number, &op->client, op->now);
        break;
    }

    op->done = 1;
}


void
model_set(model_op_t *op, model_op_e kind, ngx_uint_t worker, uint32_t cat)
{
    op->kind = kind;
    op->now = m.now;
    op->worker = worker;
    op->cat = cat;
    op->key = 0;
    op->by_client = 0;
    op->rd.have = 0;
    op->rd.by_id = 0;
}


void
model_set_read(model_op_t *op, ngx_uint_t worker)
{
    model_set(op, MODEL_READ, worker, 0);
    model_some_cats(op);

    op->rd.mode = NGX_HTTP_LONGPOLL_READ_PARK;

    switch (unit_below(4)) {
    case 0:
        op->rd.limit = unit_skewed(1, 5000);
        break;
    case 1:
        op->rd.limit = 32768;
        break;
    default:
        op->rd.limit = 1024 * 1024;
    }
}


static void
model_some_cats(model_op_t *op)
{
    ngx_uint_t  i, n;

    n = 1;

    if ((m.flags & MODEL_CROWDED) && unit_once(8)) {
        n = 1 + unit_below(63);

    } else if (unit_once(3)) {
        n = 1 + unit_skewed(0, unit_once(20) ? 63 : 5);
    }

    n = ngx_min(n, m.ncats);

    op->rd.ncats = 0;

    while (op->rd.ncats < n) {
        op->which[op->rd.ncats] = n > 8 ? unit_below(m.ncats)
                                        : model_some_cat();

        for (i = 0; op->which[i] != op->which[op->rd.ncats]; i++) {
            /* void */
        }

        if (i != op->rd.ncats) {
            n--;
            continue;
        }

        op->costs[op->rd.ncats++] = unit_below(200);
    }
}


uint32_t
model_some_cat(void)
{
    if (unit_once(2)) {
        return unit_below(ngx_min(m.ncats, 4));
    }

    return unit_below(m.ncats);
}


uint64_t
model_some_len(void)
{
    switch (unit_below(40)) {

    case 0:
        return 1 + unit_below(m.size / 4 + 64);

    case 1:
    case 2:
    case 3:
        return 1 + unit_skewed(0, m.size / 8);

    default:
        return 1 + unit_below(m.small);
    }
}


void
model_some_cursor(ngx_http_longpoll_cursor_t *cursor)
{
    uint64_t  id;

    ngx_memzero(cursor, sizeof(ngx_http_longpoll_cursor_t));

    cursor->fresh = 1;
    cursor->lost = unit_once(20);

    id = m.nall ? m.all[unit_below(m.nall)]->id : m.last_id;

    switch (unit_below(8)) {

    case 0:
        cursor->now = 1;

        if (unit_once(2)) {
            cursor->lost = 0;
            cursor->recent = 1 + unit_skewed(0, NGX_HTTP_LONGPOLL_MAX_RECENT
                                                - 1);
        }

        return;

    case 1:
        cursor->beginning = 1;
        cursor->id = ngx_http_longpoll_id_last_of(unit_below(3));
        return;

    case 2:
    case 3:
        cursor->exact = 1;
        cursor->id = id;
        return;

    case 4:
        cursor->exact = unit_once(2);
        cursor->id = m.last_id + unit_skewed(0, 1000000000);
        return;

    case 5:
        cursor->id = ngx_http_longpoll_id_last_of(m.now - unit_skewed(0, 3));
        return;

    default:
        cursor->id = ngx_http_longpoll_id_last_of(model_ms(id));
    }
}


void
model_add(model_op_t *op, uint32_t cat, uint64_t len)
{
    op->which[op->n] = cat;
    op->uids[op->n] = ++m.uid;
    op->msgs[op->n].data.len = len;
    op->msgs[op->n].data.data = model_bytes(m.uid);
    op->n++;
}
