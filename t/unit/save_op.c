
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
    "configure", "late write", "missing", "begin", "collect", "saved",
    "unsaved",
    "retry", "compact", "stop", "piece", "renewed", "durable"
};


static ngx_uint_t
op_writes(op_t *op)
{
    return op->kind >= OP_BEGIN;
}


static void
op_memory(size_t bytes)
{
    u_char  *p;

    p = malloc(bytes);
    memcpy(p, model_save.lines, model_save.len);
    free(model_save.lines);
    model_save.lines = p;
    model_save.size = bytes;
}


/* as persist does it */

static void
op_collect(op_t *op, ngx_uint_t mark)
{
    ngx_uint_t  tries;

    free(model_save.lines);
    free(model_save.notes);
    model_save.lines = malloc(op->bytes);
    model_save.size = op->bytes;
    model_save.enough = op->bytes / 2;
    model_save.notes = malloc(op->max_notes
                              * sizeof(ngx_http_longpoll_note_t));
    model_save.len = 0;
    model_save.nnotes = 0;
    model_save.wanted = 0;

    if (mark == NEXT) {
        model_save.max_notes = op->max_notes / 2;
        ngx_http_longpoll_zone_disk_deletions(z, &model_save);
    }

    model_save.max_notes = op->max_notes;

    for (tries = 0; /* void */ ; tries++) {
        op->rc = ngx_http_longpoll_zone_disk_take(z, mark, &model_save);

        if (op->rc != NGX_DECLINED) {
            return;
        }

        unit_must(tries < 200, "a publish never fits");
        unit_must(model_save.wanted > model_save.size,
                  "more memory is wanted where there is enough");
        op_memory(model_save.wanted + unit_below(3));
    }
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
                                         op_slots[op->worker][op->cat], 0,
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

    case OP_MISSING:
        ngx_http_longpoll_zone_epoch_missing(z, op->last);
        break;

    case OP_BEGIN:
        ngx_http_longpoll_zone_disk_begin(z, &op->wake);
        break;

    case OP_COLLECT:
        op_collect(op, NEXT);
        break;

    case OP_SAVED:
        ngx_http_longpoll_zone_disk_saved(z, &model_save,
                                          m.n_file + model_npend,
                                          m.n_notes + model_save.nnotes,
                                          &op->wake);
        break;

    case OP_UNSAVED:
        ngx_http_longpoll_zone_disk_failed(z, &op->wake);
        break;

    case OP_RETRY:
        ngx_http_longpoll_zone_disk_retry(z, &op->wake);
        break;

    case OP_COMPACT:
    case OP_STOP:
        ngx_http_longpoll_zone_disk_compact(z, op->kind == OP_COMPACT);
        break;

    case OP_PIECE:
        op_collect(op, COMPACT);
        break;

    case OP_RENEWED:
        op->rc = ngx_http_longpoll_zone_disk_compacted(z, m.n_fresh,
                                                       m.n_fresh_notes);
        break;

    case OP_DURABLE:
        op->rc = ngx_http_longpoll_zone_disk_durable(z, op->on, op->must,
                                                     &op->wake);
        break;
    }
}


static void
op_begin(op_t *op)
{
    if (op->kind == OP_BEGIN) {
        m.lost = 0;
        model_open();
        m.compacting = 0;
        m.round = 0;
    }

    if (op->kind == OP_RENEWED) {

        /* the new file is renamed before the call to the zone */

        memcpy(m.file, m.fresh, m.n_fresh * sizeof(uint64_t));
        memcpy(m.notes, m.fresh_notes,
               m.n_fresh_notes * sizeof(ngx_http_longpoll_note_t));
        m.n_file = m.n_fresh;
        m.n_notes = m.n_fresh_notes;
    }

    op->last_id = sh->clock.last_id;
    op->visible = sh->clock.visible;
    op->committed = sh->clock.committed;
    op->failed = 0;
    op->next = cursors[NEXT].id;
    op->compact = cursors[COMPACT].id;
    op->saved = cursors[SAVED].id;
    op->durable = sh->disk.durable;

    if (op->kind == OP_UNSAVED) {
        op->failed = op->durable && sh->disk.refused == 0
                     && op->committed > ngx_max(op->visible, op->saved);
    }
}


/*
 * Every cursor so far misses events: those of this zone, up to its last id, and
 * those of the other nginx, up to op->last.  Where nothing waits for the disk
 * the call advances the zone behind an earlier call of the same kind, before it
 * reads the last id.
 */

static void
op_missing(op_t *op, ngx_uint_t killed)
{
    uint64_t  id, last;

    last = ngx_max(op->last_id, op->last);

    if (op->visible == op->committed) {
        last = ngx_max(last, m.missing);
    }

    last = ngx_http_longpoll_id(model_ms(last) + 1, 0);
    last = ngx_max(last, m.missing);

    id = sh->previous.missing_below;

    unit_must(id == last || (killed && id == m.missing),
              "cursors miss events below %lx, not below %lx",
              (unsigned long) id, (unsigned long) last);

    m.missing = id;
}


/* where nothing waits for the disk, every call advances behind missing_below */

static void
op_advanced(op_t *op, ngx_uint_t killed)
{
    if (m.visible < m.missing) {

        if (sh->clock.visible >= m.missing) {
            m.exempt = ngx_max(m.exempt, sh->clock.visible);
        }

        unit_must(sh->clock.visible >= m.missing || killed
                  || op->kind != OP_MISSING
                  || sh->clock.visible != sh->clock.committed,
                  "the clock is not advanced behind another nginx");
    }

    m.visible = sh->clock.visible;
}


/* what the writer took is in the file */

static void
op_saved(void)
{
    ngx_uint_t  i;

    for (i = 0; i < model_npend; i++) {
        model_push(file, model_pend[i]);
    }

    op_noted();
}


/* the process of the op is dead; a writer's lines are on disk, or not */

static void
op_died(op_t *op)
{
    m.killed = 1;

    if (!op_writes(op)) {
        return;
    }

    if (op->kind == OP_SAVED
        || (m.round && op->kind != OP_COLLECT && unit_once(2)))
    {
        op_saved();
    }

    m.ready = 0;
    m.round = 0;
    m.compacting = 0;
    model_npend = 0;
    model_open();
}


/* what one step of the writer took is on its way to the file */

static void
op_collected(op_t *op)
{
    ngx_uint_t  i;

    for (i = 0; i < model_save.nnotes
                && model_save.notes[i].kind
                   == NGX_HTTP_LONGPOLL_NOTE_DELETION; i++) { /* void */ }

    op_lines(op, op->next, op->committed, i);
    m.round = 1;
}


/* one step of the writer is in the new file */

static void
op_compacted(op_t *op)
{
    ngx_uint_t  i;

    op_lines(op, op->compact, op->saved, 0);

    for (i = 0; i < model_npend; i++) {
        model_push(fresh, model_pend[i]);
    }

    for (i = 0; i < model_save.nnotes; i++) {
        model_push(fresh_notes, model_save.notes[i]);
    }

    m.all = (model_npend == 0 && op->rc == NGX_OK);
    model_npend = 0;
}


static void
op_done(op_t *op, ngx_uint_t killed)
{
    if (op->kind == OP_PUBLISH) {
        op_published(op, killed);
    }

    if (op->kind == OP_DURABLE) {
        if (op->must) {
            m.exempt = ngx_max(m.exempt, sh->clock.visible);
        }

        if (sh->disk.durable && !op->durable) {
            m.exempt = sh->clock.committed;
        }
    }

    if (op->kind == OP_MISSING) {
        op_missing(op, killed);
    }

    op_advanced(op, killed);

    op_diff(op, killed);

    if (killed) {
        op_died(op);
        return;
    }

    switch (op->kind) {

    case OP_READ:
        op_was_read(op);
        break;

    case OP_BEGIN:
        m.ready = 1;
        m.compacting = 0;
        m.round = 0;
        break;

    case OP_COLLECT:
        op_collected(op);
        break;

    case OP_SAVED:
        op_saved();
        model_npend = 0;
        m.round = 0;
        break;

    case OP_UNSAVED:
    case OP_RETRY:
        model_npend = 0;
        m.round = 0;
        break;

    case OP_COMPACT:
        m.compacting = 1;
        m.all = 0;
        m.n_fresh = 0;
        m.n_fresh_notes = 0;
        break;

    case OP_STOP:
        m.compacting = 0;
        break;

    case OP_PIECE:
        op_compacted(op);
        break;

    case OP_RENEWED:
        unit_must(op->rc == NGX_OK, "a new file lacks something");
        m.compacting = 0;
        m.lost = 0;
        break;

    default:
        break;
    }
}


static ngx_uint_t
op_exact(op_t *op)
{
    return op->kind == OP_BEGIN || op->kind == OP_SAVED
           || op->kind == OP_UNSAVED || op->kind == OP_RETRY;
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


/* the next writer begins, and finds a zone that it can go on with */

static void
op_next_writer(op_t *op)
{
    op_t  begin;

    ngx_memzero(&begin, sizeof(begin));
    begin.now = op->now;

    if (!m.ready && sh->disk.durable && unit_once(2)) {

        /* a first writer cannot open the file */

        begin.kind = OP_UNSAVED;
        op_begin(&begin);
        op_call(&begin);
        op_done(&begin, 0);
        model_check(0);
    }

    begin.kind = OP_BEGIN;
    op_begin(&begin);
    op_call(&begin);
    op_done(&begin, 0);
    model_check(1);
    unit_must(sh->disk.refused == 0, "refused messages stay");
}


/* from the first store to the last, each time from the same memory */

static int
op_kill_everywhere(op_t *op)
{
    uint64_t  kill, npend;

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

        npend = model_npend;
        op_recover();
        op_done(op, 1);
        model_check(0);

        if (unit_once(3)) {
            op_next_writer(op);
        }

        if (unit_once(100)) {
            unit->kept++;
            return 0;
        }

        model_npend = npend;
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
