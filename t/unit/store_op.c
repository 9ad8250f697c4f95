
/*
 * store_op.c: an op runs.
 *
 * In a plain world model_hook() stands in front of every hold of the lock and
 * lets other workers do something there.  In a crash world the call is killed
 * at every store; after each kill another process recovers, perhaps killed as
 * well, and the zone must be as before the call or as behind it.
 */


#include "store_model.h"


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

    /* the worker has taken dirty bits and is going to wake its waiters */

    dirty = outer->kind == MODEL_DIRTY && !m.waking[outer->worker];

    if (dirty) {
        m.waking[outer->worker] = 1;
    }

    while (n--) {
        if (m.script) {
            m.script();

        } else {
            model_act(outer->worker, outer->kind != MODEL_READ);
        }
    }

    if (dirty) {
        m.waking[outer->worker] = 0;
    }

    m.depth = 0;
    m.op = outer;
    m.zone.conf = conf;
}


/* before every lock */

void
model_hook(void)
{
    model_op_t  *outer;

    outer = m.op;

    if (m.depth || outer == NULL) {
        return;
    }

    outer->locks++;
    unit->holds += (outer->locks > 1);

    if (m.script) {
        if (outer->locks == m.script_lock) {
            model_between(outer, 1);
        }

    } else if (unit_once(outer->locks > 1 ? 2 : 16)) {
        model_between(outer, 1 + unit_below(3));
    }

    if (outer->locks == 1) {
        outer->bound = m.sh->clock.visible;
        m.begun = outer;
    }
}


static int
model_plain_op(model_op_t *op)
{
    model_op_t  *outer;

    outer = m.op;
    model_begin(op);

    if (m.scarce && m.depth == 0 && op->kind == MODEL_READ
        && unit_once(200))
    {
        unit_no_memory = 1;
    }

    unit_no_memory_hit = 0;

    model_call(op);

    unit_no_memory = 0;

    if (m.begun == op) {
        m.begun = NULL;
    }

    model_sync(op, 0, 1);
    model_result(op);

    if (unit_once(m.every)) {
        model_check();
    }

    m.op = outer;

    return 1;
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
        ngx_http_longpoll_zone_watch_acknowledge(&m.zone, m.workers[0], hash,
                                                 0, (uint64_t) -1);
        break;

    default:
        ngx_http_longpoll_zone_watch_count_slotless(&m.zone, 40, 0);
    }
}


void
model_recover(void)
{
    ngx_uint_t  i, n, busy, call;

    busy = m.sh->work.busy;
    call = unit_below(3);

    for (n = unit_below(4); n; n--) {

        if (unit_once(2)) {
            model_zone_init(1);
        }

        if (unit_call_and_kill(model_any_call, &call, unit_skewed(0, 120))) {
            break;
        }

        unit->rekills++;
    }

    do {
        model_any_call(&call);
    } while (m.sh->work.delete_slot);

    unit_must(m.sh->journal.n == 0 && m.sh->work.busy == 0,
              "something is unfinished after recovery");

    for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS && busy; i++) {
        unit_must(m.sh->workers[i].wake_all,
                  "a killed publish does not wake all of worker %lu",
                  (unsigned long) i);
    }
}


/*
 * After a kill that is kept: the masks of pending workers are as the dead
 * process left them.
 */

static void
model_reread_pending(void)
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

        if (m.all[i]->has_pending) {
            m.all[i]->pending = *(uint64_t *) (msg + 1);
            m.all[i]->taken = (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_TAKEN)
                              != 0;
        }

        i++;
    }
}


/* a worker is dead, and its parked polls with it */

int
model_reap(ngx_uint_t worker, int (*call)(model_op_t *op))
{
    ngx_uint_t  i;
    model_op_t  reap;

    for (i = 0; i < MODEL_PARKS; i++) {
        if (m.parks[i].busy && m.parks[i].worker == worker) {
            m.parks[i].busy = 0;
        }
    }

    for (i = 0; i < m.ncats; i++) {
        m.cats[i].interest[worker].refs = 0;
    }

    reap.kind = MODEL_REAP;
    reap.now = m.now;
    reap.worker = worker;
    reap.cat = 0;
    reap.by_client = 0;

    return call(&reap);
}


/* no worker has lost an interest, or the news of what was published */

static void
model_keeps_interest(model_op_t *op, ngx_uint_t n)
{
    uint32_t           slot;
    uint64_t           k;
    ngx_uint_t         i;
    model_cat_t       *c;
    model_interest_t  *in;

    c = &m.cats[n];

    for (i = 0; i < MODEL_WORKERS; i++) {
        in = &c->interest[i];

        if (i == op->worker || (!in->bit && !in->slotless)) {
            continue;
        }

        /* the worker must learn of what was published meanwhile */

        if (in->pending || (m.came && model_has(op, n))) {
            k = c->pass == m.pass ? c->came - c->went : 0;

            unit_must(model_woken(i, n, c->count + k),
                      "worker %lu will not learn of c%u",
                      (unsigned long) i, n);
        }

        slot = ngx_http_longpoll_cat_find(&m.zone.cats, c->cat.hash);

        if (in->bit) {
            unit_must(m.sh->workers[m.workers[i]].wake_all
                      || m.waking[i]
                      || (slot != NGX_HTTP_LONGPOLL_CAT_NONE
                          && (m.zone.cats.slots[slot].waiting
                              & model_bit(i))),
                      "an interest is lost");
        }
    }
}


/* the zone is kept after a kill: the model takes over what the op has done */

static void
model_keep(model_op_t *op)
{
    uint32_t           n;
    ngx_uint_t         i;
    model_cat_t       *c;
    model_interest_t  *in;

    op->rc = m.came ? NGX_OK : NGX_ERROR;
    model_apply(op);
    model_reread_pending();

    unit->epochs++;

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

        /* a killed reload is repeated */

        ngx_http_longpoll_zone_configure(&m.zone);
        model_conf_is(&op->conf);
    }
}


/* the process that reaps the worker may be killed too */

static void
model_reap_again(model_op_t *op)
{
    uint32_t     n;
    ngx_uint_t   i, tries;
    model_op_t   reap;
    const char  *wrong;

    reap.kind = MODEL_REAP;
    reap.now = op->now;
    reap.worker = op->worker;
    reap.cat = 0;
    reap.by_client = 0;

    for (tries = unit_below(3); tries; tries--) {

        if (unit_call_and_kill(model_call_data, &reap, unit_skewed(0, 60))) {
            break;
        }
    }

    ngx_http_longpoll_zone_tick_reap(&m.zone, m.workers[op->worker], op->now);

    wrong = zone_check(&m.zone);
    unit_must(wrong == NULL, "zone_check after reap_worker: %s", wrong);

    i = m.workers[op->worker];

    unit_must(m.sh->workers[i].waiting == 0 && m.sh->workers[i].slotless == 0
              && !(m.sh->slotless & model_bit(op->worker)),
              "a worker that was reaped twice is not reaped");

    for (n = 0; n < m.zone.cats.sh->fresh; n++) {
        unit_must(m.zone.cats.slots[n].hash[0] == 0
                  || !(m.zone.cats.slots[n].waiting & model_bit(op->worker)),
                  "a slot waits for a worker that was reaped twice");
    }
}


/* what must be true of the zone after a kill, and when the worker is reaped */

static void
model_after_kill(model_op_t *op, ngx_uint_t keep)
{
    uint32_t      n;
    const char   *wrong;
    model_cat_t  *c;

    model_diff(op, 1, 1, 1);
    model_judge(op, 1);

    if (op->kind == MODEL_DELETE) {
        c = &m.cats[op->cat];
        unit_must(c->went == 0 || m.nwent == 0 || c->went == c->count,
                  "a category is half deleted");
    }

    wrong = zone_check(&m.zone);
    unit_must(wrong == NULL, "zone_check: %s", wrong);

    model_check_log();

    for (n = 0; n < m.ncats; n++) {
        model_keeps_interest(op, n);
    }

    if (keep) {
        model_keep(op);
        return;
    }

    if (op->worker != MODEL_NOBODY
        && (op->kind == MODEL_REAP || unit_once(4)))
    {
        model_reap_again(op);
    }
}


void
model_clean(void *data)
{
    (void) ngx_http_longpoll_log_clean(&m.zone.log);
}


/*
 * An empty log begins again at its front: nothing of the zone's needs that, so
 * it is asked for.  It then begins anywhere.
 */

void
model_crash_empty_log(void)
{
    uint64_t    k, pos;
    ngx_uint_t  done;

    pos = 16 + unit_below(m.sh->log.size / 16 - 1) * 16;

    k = 0;

    do {
        m.sh->log.head = pos;
        m.sh->log.tail = pos;

        done = unit_call_and_kill(model_clean, NULL, k++);
        model_recover();

        unit_must(m.sh->log.head == m.sh->log.tail
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

    for (k = 0; /* void */ ; k += 1 + unit_below(1 + k / 150)) {

        memcpy(m.mem, m.copy, m.mem_size);

        if (unit_call_and_kill(model_call_data, op, k)) {
            break;
        }

        unit->kills++;

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

    keep = !m.immortal && unit_once(12) ? unit_skewed(0, 100) : UNIT_NEVER;
    state = unit_random_state;

    model_begin(op);
    memcpy(m.copy, m.mem, m.mem_size);

    if (unit_plain) {
        unit_plain_hit = 0;
        model_call(op);
        unit_plain_ops += unit_plain_hit;
    }

    if (unit_plain == NULL || unit_plain_hit) {
        model_kill_everywhere(op);
    }

    unit_random_state = state;

    if (keep != UNIT_NEVER) {
        memcpy(m.mem, m.copy, m.mem_size);

        done = unit_call_and_kill(model_call_data, op, keep);

        if (!done) {
            unit->kills++;

            model_recover();
            model_after_kill(op, 1);

            if (op->worker != MODEL_NOBODY) {
                (void) model_reap(op->worker, model_plain_op);
            }

            model_check();

            return 0;
        }
    }

    model_sync(op, 0, 1);
    model_result(op);

    if (unit_once(10)) {
        model_check();
    }

    return 1;
}


/* 0: its worker was killed */

int
model_op(model_op_t *op)
{
    return m.flags & MODEL_CRASH ? model_crash_op(op) : model_plain_op(op);
}
