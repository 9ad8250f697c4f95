
/*
 * save_op.c: an op runs.
 *
 * An op is one call of the store, or one thing that the writer does.  In a
 * crash world it is killed at every store.  After each kill another process
 * recovers, perhaps killed as well; perhaps another writer begins; and zone and
 * file must be as before the op or as behind it.
 */


#include "save_model.h"


static const char  *op_names[] = {
    "publish", "read", "unwatch", "reap worker", "delete", "tick",
    "configure", "begin", "next segment", "collect", "saved", "unsaved",
    "retry", "lost", "base", "stop", "piece", "based", "end", "durable",
    "load", "merged"
};


static ngx_uint_t
op_writes(op_t *op)
{
    return op->kind >= OP_BEGIN;
}


static void
op_call_publish(op_t *op)
{
    ngx_str_t   key;
    ngx_uint_t  i;

    for (i = 0; i < op->n; i++) {
        op->msgs[i].id = 0;
    }

    key.data = (u_char *) "keykeykeykey";
    key.len = op->name;
    op->failed = sh->disk.failed;
    op->rc = ngx_http_longpoll_zone_publish(z, op->cats, op->msgs, op->n,
                                            op->name ? &key : NULL,
                                            op->now, &op->wake);
}


static void
op_call_read(op_t *op)
{
    op->rd.client = NULL;
    op->rd.cats = op->cats;
    op->rd.cursor = op->cursor;
    op->rd.costs = op->costs;
    op->rd.slots = op->slots;
    op->rd.limit = 1 << 24;
    op->rd.worker = op->worker;
    op->rc = ngx_http_longpoll_zone_read(z, &op->rd, op->now);
}


static void
op_call(op_t *op)
{
    op->wake = 0;
    op->rc = NGX_OK;

    switch (op->kind) {

    case OP_PUBLISH:
        op_call_publish(op);
        break;

    case OP_READ:
        op_call_read(op);
        break;

    case OP_UNWATCH:
        ngx_http_longpoll_zone_watch_end(z, op->worker,
                                         model_cats[op->cat].hash,
                                         op_slots[op->worker][op->cat], 0, 0,
                                         op->now);
        break;

    case OP_REAP:
        ngx_http_longpoll_zone_tick_reap(z, op->worker, op->now);
        break;

    case OP_DELETE:
        ngx_http_longpoll_zone_delete(z, &model_cats[op->cat], op->now);
        break;

    case OP_TICK:
        (void) ngx_http_longpoll_zone_tick(z, op->now);
        break;

    case OP_CONFIGURE:
        z->conf = op->conf;
        ngx_http_longpoll_zone_configure(z);
        break;

    default:
        writer_call(op);
    }
}


static void
op_begin(op_t *op)
{
    if (op_writes(op)) {
        writer_before(op);
    }

    op->last_id = sh->clock.last_id;
    op->visible = sh->clock.visible;
    op->committed = sh->clock.committed;
    op->failed = 0;
    op->base = cursors[BASE].id;
    op->base_upto = sh->disk.base_upto;
    op->saved = cursors[SAVED].id;
    op->durable = sh->disk.durable;

    if (op->kind == OP_UNSAVED) {
        op->failed = op->durable && sh->disk.refused == 0
                     && op->committed > ngx_max(op->visible, op->saved);
    }
}


static void
op_done(op_t *op, ngx_uint_t killed)
{
    if (op->kind == OP_PUBLISH) {
        op_published(op, killed);
    }

    if (op->kind == OP_LOAD) {
        op_loaded(op, killed);
    }

    if (op->kind == OP_MERGED) {
        op_merged(op, killed);
    }

    if (op->kind == OP_DURABLE && !op->on) {
        m.exempt = ngx_max(m.exempt, sh->clock.visible);
    }

    if (sh->disk.durable && !op->durable) {
        m.exempt = sh->clock.committed;
    }

    /* where nothing waits, any call goes behind what cursors may miss */

    if (m.visible < m.missing && sh->clock.visible >= m.missing) {
        m.exempt = ngx_max(m.exempt, sh->clock.visible);
    }

    m.visible = sh->clock.visible;

    op_diff(op, killed);

    if (killed) {
        m.killed = 1;

        if (op_writes(op)) {
            writer_died(op);
        }

        return;
    }

    if (op->kind == OP_READ) {
        op_was_read(op);
    }

    if (op_writes(op)) {
        writer_done(op);
    }
}


static ngx_uint_t
op_exact(op_t *op)
{
    return op->kind == OP_BEGIN || op->kind == OP_SAVED
           || op->kind == OP_UNSAVED || op->kind == OP_RETRY
           || op->kind == OP_BASED;
}


static void
op_call_data(void *data)
{
    op_call(data);
}


/* a call that does nothing but what every call does first */

static void
op_call_status(void *data)
{
    ngx_http_longpoll_zone_status_t  st;

    ngx_http_longpoll_zone_status(z, 0, &st);
}


static void
op_recover(void)
{
    while (!unit_call_and_kill(op_call_status, NULL,
                               unit_once(4) ? unit_below(40) : UNIT_NEVER))
    {
        unit->rekills++;
    }
}


static void
op_describe(op_t *op)
{
    snprintf(unit->what, sizeof(unit->what),
             "%s now %lu n %lu c%u on %lu must %lu durable %lu",
             op_names[op->kind], (unsigned long) op->now,
             (unsigned long) op->n, op->cat, (unsigned long) op->on,
             (unsigned long) op->must, (unsigned long) sh->disk.durable);
}


static void
op_once(op_e kind, uint64_t now)
{
    op_t  op;

    ngx_memzero(&op, sizeof(op));
    op.kind = kind;
    op.now = now;

    op_begin(&op);
    op_call(&op);
    op_done(&op, 0);
    model_check(op_exact(&op));
}


/* the next writer begins, and finds a zone that it can go on with */

static void
op_next_writer(op_t *op)
{
    if (m.ready) {
        writer_died(op);
    }

    if (sh->disk.durable && unit_once(2)) {

        /* a first writer cannot open the file */

        op_once(OP_UNSAVED, op->now);
    }

    if (sh->disk.file_size
        && model_bytes_of(sh->disk.segment) != sh->disk.file_size)
    {
        op_once(OP_NEXT, op->now);
    }

    op_once(OP_BEGIN, op->now);

    unit_must(sh->disk.refused == 0, "refused messages stay");
}


/* from the first store to the last, each time from the same memory */

static int
op_kill_everywhere(op_t *op)
{
    uint64_t  kill;

    model_snapshot();
    unit_plain_hit = 0;

    for (kill = 0; /* void */ ; kill += 1 + (kill > 200 ? unit_below(30) : 0))
    {
        if (unit_call_and_kill(op_call_data, op, kill)) {
            op_done(op, 0);
            model_check(op_exact(op));
            unit_plain_ops += unit_plain_hit;
            return 1;
        }

        unit->kills++;

        op_recover();
        op_done(op, 1);
        model_check(0);

        if (unit_once(3)) {
            op_next_writer(op);
        }

        /* a crowded zone is to be filled by what waits for the disk */

        if (unit_once(m.flags & MODEL_CROWDED ? 2000 : 100)) {
            unit->kept++;
            return 0;
        }

        model_restore();
    }
}


int
op_run(op_t *op)
{
    unit->op++;
    unit->ops++;
    op_describe(op);
    model_prune();
    op_begin(op);

    if (m.flags & MODEL_CRASH) {
        return op_kill_everywhere(op);
    }

    op_call(op);
    op_done(op, 0);
    model_check(op_exact(op));

    return 1;
}
