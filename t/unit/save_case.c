
/*
 * save_case.c: a zone and its log, cases by hand.
 */


#include "save_model.h"

#include <ngx_http_longpoll_zone_cursor.h>


static void
case_world(ngx_uint_t inactive, ngx_uint_t durable)
{
    ngx_http_longpoll_zone_conf_t  conf;

    unit_random_state = unit_seed;
    unit->op = 0;

    ngx_memzero(&m, sizeof(m));
    m.now = MODEL_EPOCH;
    m.ncats = MODEL_FEW;
    m.inexact = inactive != 0;

    ngx_memzero(&conf, sizeof(conf));
    conf.buffer = 250;
    conf.inactive = inactive;
    conf.durable = durable;

    epoch_world(64 * 1024, &conf);
}


static void
case_op(op_e kind)
{
    act_set(kind);
    act_op.bytes = 1000;
    (void) op_run(&act_op);
}


/* the first writer of a log that is not there */

static void
case_begin(void)
{
    case_op(OP_BEGIN);
    case_op(OP_BASE);
    case_op(OP_PIECE);
    case_op(OP_BASED);

    if (!sh->conf.durable) {
        act_set(OP_DURABLE);
        (void) op_run(&act_op);
    }
}


static uint64_t
case_publish(uint32_t cat)
{
    act_set(OP_PUBLISH);
    act_op.uid = ++m.uid;
    act_op.n = 1;
    act_op.which[0] = cat;
    act_op.cats[0] = model_cats[cat];
    act_op.msgs[0].cat = 0;
    act_op.msgs[0].data.len = 3;
    act_op.msgs[0].data.data = model_bytes(m.uid, 3);
    (void) op_run(&act_op);

    return act_op.msgs[0].id;
}


static ngx_uint_t
case_missed(uint32_t cat, uint64_t id, ngx_uint_t beginning)
{
    size_t                    cost;
    ngx_http_longpoll_cat_t   c;
    ngx_http_longpoll_read_t  rd;

    ngx_memzero(&rd, sizeof(rd));
    cost = 1;
    c = model_cats[cat];
    rd.mode = NGX_HTTP_LONGPOLL_READ_PEEK;
    rd.worker = NGX_HTTP_LONGPOLL_NO_WORKER;
    rd.cats = &c;
    rd.ncats = 1;
    rd.costs = &cost;
    rd.limit = 1000;
    rd.cursor.fresh = 1;
    rd.cursor.id = id;
    rd.cursor.beginning = beginning;
    rd.cursor.lost = !beginning
                     && ngx_http_longpoll_zone_clock_lost(z, model_ms(id), 0);

    unit_must(ngx_http_longpoll_zone_read(z, &rd, m.now) != NGX_ERROR,
              "no memory");
    (void) ngx_http_longpoll_zone_read_valid(z);

    return rd.missed;
}


/* a publisher that slept over many failures learns of its own, or of none */

static void
case_unsaved(void *wake)
{
    ngx_http_longpoll_zone_disk_failed(z, wake);
}


static void
case_failures(void *data)
{
    uint64_t    id, other, kill;
    ngx_uint_t  i;

    case_world(0, 1);
    case_begin();

    id = case_publish(0);

    case_op(OP_UNSAVED);
    (void) case_publish(1);
    case_op(OP_COLLECT);
    case_op(OP_SAVED);

    for (i = 1; i < NGX_HTTP_LONGPOLL_FAILURES; i++) {
        (void) case_publish(1);
        unit_must(ngx_http_longpoll_zone_disk_decided(z, id, 0) == NGX_ERROR,
                  "after %lu failures the zone lost the first",
                  (unsigned long) i);
        case_op(OP_UNSAVED);
    }

    (void) case_publish(1);

    other = sh->disk.failed;
    unit_must(other == NGX_HTTP_LONGPOLL_FAILURES, "not so many failures");

    for (kill = 0; kill < 12; kill++) {
        model_snapshot();
        (void) unit_call_and_kill(case_unsaved, &other, kill);

        unit_must(ngx_http_longpoll_zone_disk_decided(z, id, 0) == NGX_ERROR,
                  "a kill overwrites the first failure");
        model_restore();
    }

    epoch_end();
}


static void
case_expired(void *data)
{
    uint64_t    id;
    ngx_uint_t  i;

    case_world(1000, 1);
    case_begin();

    id = case_publish(0);
    (void) case_publish(0);
    case_op(OP_COLLECT);
    case_op(OP_SAVED);

    for (i = 0; i < 3; i++) {
        m.now += 2000;
        case_op(OP_TICK);
    }

    unit_must(sh->list.count == 0, "the events have not expired");
    unit_must(case_missed(0, id, 0), "an expired event is not missed");

    case_op(OP_COLLECT);
    case_op(OP_SAVED);
    epoch_next();

    unit_must(sh->list.count == 0, "an expired event came back");
    unit_must(case_missed(0, id, 0), "the next epoch misses no expired event");
    unit_must(!case_missed(0, 0, 1),
              "a poll from the beginning misses what a previous epoch dropped");
    epoch_end();
}


/* a clean end passes what was committed, and went before a writer took it */

static void
case_gone(void *data)
{
    ngx_uint_t  durable, i;

    for (durable = 0; durable < 2; durable++) {
        case_world(0, durable);
        case_begin();
        (void) case_publish(0);

        if (durable) {
            case_op(OP_UNSAVED);

        } else {
            sh->conf.ttl = 1000;

            for (i = 0; i < 3; i++) {
                m.now += 2000;
                case_op(OP_TICK);
            }
        }

        unit_must(sh->list.count == 0
                  && sh->clock.committed > sh->disk.taken_upto,
                  "a writer has taken what was to go before");

        case_op(OP_END);
        unit_must(m.writing, "the log has no end");

        case_op(OP_SAVED);
        (void) case_publish(0);
        case_op(OP_COLLECT);
        case_op(OP_SAVED);
        unit_must(sh->disk.begun && sh->list.count == 1,
                  "the epoch does not go on");
        epoch_end();
    }
}


/* a zone, and a new one of another size; which of them is z */

typedef struct {
    ngx_http_longpoll_zone_t  zone;
    u_char                   *mem;
    u_char                   *copy;
    size_t                    size;
    size_t                    mem_size;
} case_zone_t;


static case_zone_t  case_old;
static case_zone_t  case_new;
static ngx_uint_t   case_turn;
static uint64_t     case_last;


static void
case_keep(case_zone_t *c)
{
    c->zone = *z;
    c->zone.log.data = &c->zone;
    c->mem = m.mem;
    c->copy = m.copy;
    c->size = m.size;
    c->mem_size = m.mem_size;
}


static void
case_use(case_zone_t *c)
{
    *z = c->zone;
    z->log.data = z;
    sh = z->sh;
    cursors = sh->disk.cursors;
    m.mem = c->mem;
    m.copy = c->copy;
    m.size = c->size;
    m.mem_size = c->mem_size;
}


/* z is the old zone, and stays it */

static void
case_replace(size_t size)
{
    ngx_http_longpoll_zone_conf_t  conf;

    conf = sh->conf;
    case_keep(&case_old);
    epoch_zone(size, &conf);
    case_keep(&case_new);
    case_use(&case_old);
}


static void
case_adopt(void *data)
{
    (void) ngx_http_longpoll_zone_adopt(&case_new.zone, &case_old.zone, m.now,
                                         m.now);
}


static ngx_int_t
case_raw_publish(ngx_http_longpoll_zone_t *zone, uint32_t cat, uint64_t *id)
{
    uint64_t                 wake;
    ngx_int_t                rc;
    ngx_http_longpoll_cat_t  c;
    ngx_http_longpoll_msg_t  msg;

    ngx_memzero(&msg, sizeof(msg));
    c = model_cats[cat];
    msg.data.data = (u_char *) "\"0123456789\"";
    msg.data.len = 12;

    rc = ngx_http_longpoll_zone_publish(zone, &c, &msg, 1, NULL, m.now, &wake);
    *id = msg.id;

    return rc;
}


static ngx_int_t
case_raw_read(ngx_http_longpoll_zone_t *zone, uint32_t cat, uint64_t id,
    ngx_http_longpoll_read_t *rd)
{
    static size_t                   cost = 1;
    static ngx_http_longpoll_cat_t  c;

    c = model_cats[cat];

    ngx_memzero(rd, sizeof(*rd));
    rd->mode = NGX_HTTP_LONGPOLL_READ_PARK;
    rd->worker = NGX_HTTP_LONGPOLL_NO_WORKER;
    rd->cats = &c;
    rd->ncats = 1;
    rd->costs = &cost;
    rd->slots = op_slots[0];
    rd->limit = 1000;
    rd->cursor.id = id;
    rd->cursor.since = model_ms(id);

    return ngx_http_longpoll_zone_read(zone, rd, m.now);
}


/*
 * A poll that begins with the newest messages gets n of them, the oldest of
 * which is first; or n is 0, and it returns rc.
 */

static void
case_newest(ngx_http_longpoll_zone_t *zone, ngx_uint_t recent, ngx_int_t rc,
    ngx_uint_t n, uint64_t first, ngx_http_longpoll_read_t *rd)
{
    size_t                   cost;
    ngx_http_longpoll_cat_t  c;

    cost = 1;
    c = model_cats[0];

    ngx_memzero(rd, sizeof(*rd));
    rd->mode = NGX_HTTP_LONGPOLL_READ_PEEK;
    rd->worker = NGX_HTTP_LONGPOLL_NO_WORKER;
    rd->cats = &c;
    rd->ncats = 1;
    rd->costs = &cost;
    rd->limit = 1000;
    rd->cursor.fresh = 1;
    rd->cursor.now = 1;
    rd->cursor.recent = recent;

    unit_must(ngx_http_longpoll_zone_read(zone, rd, m.now) == rc
              && rd->nmsgs == n && !rd->missed,
              "%lu messages, not %lu", (unsigned long) rd->nmsgs,
              (unsigned long) n);
    unit_must(n == 0 || rd->msgs[0].id == first, "it begins with another");

    (void) ngx_http_longpoll_zone_read_valid(zone);
}


/* both zones have the same messages */

static void
case_same(void)
{
    uint32_t                     one, two;
    ngx_http_longpoll_zone_t    *from, *to;
    ngx_http_longpoll_msg_sh_t  *a, *b;

    from = &case_old.zone;
    to = &case_new.zone;
    one = from->sh->list.oldest;
    two = to->sh->list.oldest;

    while (one && two) {
        a = ngx_http_longpoll_zone_at(from, one);
        b = ngx_http_longpoll_zone_at(to, two);

        if (a->id > from->sh->clock.visible) {
            break;
        }

        unit_must(a->id == b->id, "the new zone has %lx, the old one %lx",
                  (unsigned long) b->id, (unsigned long) a->id);

        one = a->newer;
        two = b->newer;
    }

    unit_must(two == 0
              && (one == 0 || ngx_http_longpoll_zone_at(from, one)->id
                              > from->sh->clock.visible),
              "one zone has more messages");
}


/* a frozen zone gives nothing and takes nothing */

static void
case_frozen(void *data)
{
    uint64_t                    seen, waits, id, visible, wake;
    ngx_uint_t                  i;
    ngx_http_longpoll_read_t    rd;
    ngx_http_longpoll_client_t  client;

    case_world(0, 1);
    case_begin();

    seen = case_publish(0);
    case_newest(z, 9, NGX_AGAIN, 0, 0, &rd);
    m.now += 5;
    (void) case_publish(0);
    case_op(OP_COLLECT);
    case_op(OP_SAVED);
    waits = case_publish(0);
    case_op(OP_COLLECT);

    case_newest(z, 9, NGX_OK, 2, seen, &rd);
    case_newest(z, 1, NGX_OK, 1, rd.msgs[1].id, &rd);

    case_replace(128 * 1024);
    case_adopt(NULL);

    unit_must(sh->moved, "the old zone goes on");
    unit_must((sh->clock.last_id & 0xffff) == 0xffff, "its last ms is open");
    case_same();

    for (i = 0; i < 2; i++) {
        unit_must(case_raw_publish(&case_old.zone, 0, &id) == NGX_ERROR,
                  "it takes a publish");
        unit_must(ngx_http_longpoll_zone_delete(&case_old.zone, &model_cats[0],
                                                m.now)
                  == NGX_DECLINED, "it takes a delete");
        unit_must(ngx_http_longpoll_zone_client_add(&case_old.zone, &client,
                                                    m.now)
                  == NGX_DECLINED, "it takes a client");
        unit_must(case_raw_read(&case_old.zone, 0, seen, &rd) == NGX_ABORT
                  && rd.nmsgs == 0 && !rd.missed,
                  "it gives a message, or missed");
        unit_must(rd.timestamp <= model_ms(sh->clock.last_id),
                  "its time is not closed");

        case_newest(&case_old.zone, 9, NGX_ABORT, 0, 0, &rd);
        unit_must(rd.timestamp == model_ms(seen) - 1,
                  "its newest messages are not read in the new zone");
        case_newest(&case_old.zone, 1, NGX_ABORT, 0, 0, &rd);
        unit_must(rd.timestamp >= model_ms(seen) && rd.timestamp < m.now,
                  "the newest one is not, or older ones are");

        /* the new zone drops the oldest, and would say missed */

        case_old.zone.sh->conf.ttl = m.now - model_ms(seen);
        id = rd.timestamp;
        case_newest(&case_old.zone, 9, NGX_ABORT, 0, 0, &rd);
        unit_must(rd.timestamp == id, "one over its ttl is the oldest");
        case_old.zone.sh->conf.ttl = 0;

        unit_must(ngx_http_longpoll_zone_disk_decided(&case_old.zone, waits, 0)
                  == NGX_ERROR, "what waits for the disk is not refused");

        /* the old writer goes on for a moment */

        m.now += 10000;
        id = sh->clock.last_id;
        visible = sh->clock.visible;
        case_use(&case_old);
        ngx_http_longpoll_zone_disk_saved(z, &m.report, &wake);
        ngx_http_longpoll_zone_disk_failed(z, &wake);
        ngx_http_longpoll_zone_disk_expose(z, 1, &wake);
        (void) ngx_http_longpoll_zone_tick(z, m.now);
        unit_must(sh->clock.last_id == id && sh->clock.visible == visible,
                  "its clock goes on");
    }

    case_use(&case_new);
    ngx_http_longpoll_zone_disk_expose(z, 1, &wake);
    unit_must(!case_missed(0, seen, 0), "a SIZE is missed");
    unit_must(case_raw_publish(z, 0, &id) == NGX_OK
              && id > case_old.zone.sh->clock.last_id,
              "an id of the new zone is not behind all of the old one's");
}


/* other workers' calls in front of each hold of the copy */

static void
case_others_go_on(void)
{
    uint64_t                  id;
    ngx_http_longpoll_zone_t  *old;

    old = &case_old.zone;

    if (case_turn++ % 2 || unit_hook == NULL) {
        return;
    }

    unit_hook = NULL;
    m.now++;

    if (case_turn == 3) {
        unit_must(ngx_http_longpoll_zone_delete(old, &model_cats[1], m.now)
                  == (old->sh->moved ? NGX_DECLINED : NGX_OK),
                  "a delete is not decided");
    }

    if (case_turn < 40
        && case_raw_publish(old, case_turn % 3, &id) == NGX_OK)
    {
        unit_must(!old->sh->moved, "a frozen zone takes a publish");
        case_last = id;
    }

    unit_hook = case_others_go_on;
}


static void
case_meanwhile(void *data)
{
    uint64_t                  first, id, wake;
    ngx_uint_t                i, n, small;
    ngx_http_longpoll_read_t  rd;

    /* with a small buffer the old zone loses messages meanwhile */

    for (small = 0; small < 2; small++) {
        case_world(0, 0);
        ngx_http_longpoll_zone_disk_expose(z, 1, &wake);
        sh->conf.buffer = small ? 2 : 250;
        first = 0;

        for (i = 0; i < 300; i++) {
            m.now++;
            unit_must(case_raw_publish(z, i % 3, &id) == NGX_OK, "refused");

            if (i == 3) {
                first = id;
            }
        }

        case_replace(256 * 1024);
        case_turn = 0;
        case_last = 0;
        unit_hook = case_others_go_on;
        case_adopt(NULL);
        unit_hook = NULL;

        unit_must(case_last && case_last <= case_old.zone.sh->clock.visible,
                  "nothing was published meanwhile");
        case_same();

        n = case_new.zone.sh->list.count;
        case_use(&case_new);
        ngx_http_longpoll_zone_disk_expose(z, 1, &wake);

        unit_must(case_missed(0, first, 0) == small,
                  "a loss is missed wrongly");
        unit_must(!case_missed(0, case_last, 0), "a cursor misses a SIZE");
        unit_must(case_raw_read(z, 0, case_last, &rd) == NGX_AGAIN
                  && sh->list.count == n, "a message comes twice");
    }
}


/* a message that is too large for a smaller zone is a loss */

static void
case_too_large(void *data)
{
    uint64_t                  id, wake;
    ngx_http_longpoll_cat_t   c;
    ngx_http_longpoll_msg_t   msg;

    case_world(0, 0);
    ngx_http_longpoll_zone_disk_expose(z, 1, &wake);

    (void) case_raw_publish(z, 0, &id);

    ngx_memzero(&msg, sizeof(msg));
    c = model_cats[0];
    msg.data.data = model_bytes(1, 12000);
    msg.data.len = 12000;
    unit_must(ngx_http_longpoll_zone_publish(z, &c, &msg, 1, NULL, m.now, &wake)
              == NGX_OK, "refused");

    case_replace(32 * 1024);
    case_adopt(NULL);
    case_use(&case_new);
    m.now += 10;

    unit_must(sh->list.count == 1, "the other message does not come along");
    unit_must(case_missed(0, id, 0), "it is not missed");
    unit_must(!case_missed(0, msg.id, 0), "it is missed by who has seen it");
}


/* the master is killed while it adopts: the old zone goes on, or is frozen */

static void
case_master(void *data)
{
    uint64_t                  kill, seen, id, wake;
    ngx_uint_t                i, done, frozen;
    u_char                   *before;
    ngx_http_longpoll_read_t  rd;

    case_world(0, 0);
    ngx_http_longpoll_zone_disk_expose(z, 1, &wake);

    seen = 0;

    for (i = 0; i < 12; i++) {
        m.now++;
        (void) case_raw_publish(z, i % 3, &id);
        seen = i ? seen : id;
    }

    before = malloc(m.mem_size);
    memcpy(before, m.mem, m.mem_size);
    frozen = 0;

    for (kill = 0, done = 0; !done; kill++) {
        case_replace(48 * 1024);
        done = unit_call_and_kill(case_adopt, NULL, kill);

        if (sh->moved) {
            frozen = 1;
            unit_must(case_raw_publish(&case_old.zone, 0, &id) == NGX_ERROR,
                      "a frozen zone takes a publish");

        } else {
            unit_must(!frozen && !done, "a later store is not done");
            unit_must(case_raw_publish(&case_old.zone, 0, &id) == NGX_OK,
                      "the old zone does not go on");
            unit_must(case_raw_read(&case_old.zone, 0, seen, &rd) == NGX_OK
                      && rd.nmsgs == 4 && !rd.missed,
                      "the old zone has other messages");
            (void) ngx_http_longpoll_zone_read_valid(&case_old.zone);
        }

        memcpy(m.mem, before, m.mem_size);
        free(case_new.mem);
        free(case_new.copy);
    }

    unit_must(frozen, "the zone is never frozen");
    free(before);
    epoch_end();
}


/* another nginx has the log, and lets go of it */

static void
case_merge(void *data)
{
    uint64_t    at, last;
    ngx_uint_t  took;

    for (took = 0; took < 2; took++) {
        case_world(0, 0);
        case_begin();

        m.now += 100;
        at = sh->born + 10;
        sh->disk.contested = 1;
        m.followed = 1;

        unit_must(!ngx_http_longpoll_zone_clock_lost(z, at, 0),
                  "a time is lost, and nothing is");
        unit_must(ngx_http_longpoll_zone_clock_lost(z, at, 1),
                  "an id of the other nginx is valid before that has ended");

        if (took) {
            (void) case_publish(0);
            unit_must(ngx_http_longpoll_zone_clock_lost(z, at, 0),
                      "a time of the other nginx is valid, which does not know "
                      "what this one took");
        }

        m.ready = 0;
        act_op.last = last = ngx_http_longpoll_id(m.now + 5, 7);
        act_set(OP_LOAD);
        act_foreign(99);
        (void) op_run(&act_op);

        act_set(OP_MERGED);
        act_op.on = 1;
        (void) op_run(&act_op);

        unit_must(act_op.rc == (took ? NGX_DECLINED : NGX_OK),
                  "two nginxes followed each other, or did not");
        unit_must(!took || case_missed(0, last, 0),
                  "a cursor of the other nginx misses nothing");
        unit_must(took || !ngx_http_longpoll_zone_clock_lost(z, at, 1),
                  "an id of the other nginx is not valid");
        unit_must(!case_missed(0, 0, 1),
                  "a poll from the beginning misses something");

        case_begin();
        (void) case_publish(0);
        m.now += 10;
        unit_must(!case_missed(0, ngx_http_longpoll_id(m.now, 0), 0),
                  "it is missed for ever");
        epoch_end();
    }
}


/* a loss of categories that the log does not name, in a load and in a merge */

static void
case_unnamed(void *data)
{
    ngx_http_longpoll_loaded_t  loaded;

    case_world(0, 0);

    ngx_memzero(&loaded, sizeof(loaded));
    loaded.now = m.now;
    loaded.head = 1;
    loaded.believed = 1;
    loaded.valid_from = 1000;
    loaded.lost_until = 2000;

    ngx_http_longpoll_zone_load_done(z, &loaded);
    unit_must(ngx_http_longpoll_zone_clock_lost(z, 1999, 1)
              && !ngx_http_longpoll_zone_clock_lost(z, 2000, 1),
              "a load tells others, or not all");

    loaded.lost_until = 0;
    (void) ngx_http_longpoll_zone_load_merged(z, &loaded);
    unit_must(ngx_http_longpoll_zone_clock_lost(z, 1999, 1),
              "a merge forgets what a load told");

    loaded.lost_until = 3000;
    (void) ngx_http_longpoll_zone_load_merged(z, &loaded);
    unit_must(ngx_http_longpoll_zone_clock_lost(z, 2999, 1)
              && !ngx_http_longpoll_zone_clock_lost(z, 3000, 1),
              "a merge tells others, or not all");

    loaded.lost_until = 0;
    (void) ngx_http_longpoll_zone_load_merged(z, &loaded);
    unit_must(ngx_http_longpoll_zone_clock_lost(z, 2999, 1),
              "a merge forgets what another one told");

    epoch_end();
}


/*
 * A message of another nginx waits for the disk, in the ms of an event that is
 * visible.  A delete takes that event only, and the next delete both: the log
 * says so to a load, which can compare the ms of one and the id of the other.
 */

static void
case_same_ms(void *data)
{
    uint64_t    id;
    ngx_uint_t  own;

    for (own = 0; own < 2; own++) {
        case_world(0, 1);
        case_begin();
        (void) case_publish(0);
        case_op(OP_COLLECT);
        case_op(OP_SAVED);

        /* the writer is killed before it exposes what it saved */

        m.now += 5;
        id = case_publish(0);
        case_op(OP_COLLECT);
        act_set(OP_SAVED);
        writer_before(&act_op);
        ngx_http_longpoll_zone_cursor_saved(z, cursors[NEXT].id,
                                            cursors[NEXT].ref);
        writer_died(&act_op);

        sh->disk.contested = 1;
        act_set(OP_LOAD);
        act_op.cat = 0;
        act_op.last = own ? id : id - (1 << 17);
        act_foreign(99);
        (void) op_run(&act_op);

        unit_must(sh->clock.visible == id && sh->clock.committed > id,
                  "the message does not wait, or the event does");

        act_set(OP_DELETE);
        act_op.cat = 0;
        (void) op_run(&act_op);
        unit_must(sh->list.count == 1, "the message does not stay");

        /* a round with the first note, and with the message */

        case_begin();
        case_op(OP_COLLECT);
        case_op(OP_SAVED);
        unit_must(sh->clock.visible == act_op.committed,
                  "the message is not visible");

        act_set(OP_DELETE);
        act_op.cat = 0;
        (void) op_run(&act_op);

        while (sh->disk.notes_first < sh->disk.notes_last) {
            case_op(OP_COLLECT);
            case_op(OP_SAVED);
        }

        epoch_next();
        unit_must(sh->list.count == 0, "a deleted message came back");
        epoch_end();
    }
}


const unit_case_t  save_cases[] = {

    { "a publisher that slept over 63 failures learns of its own",
      case_failures },
    { "losses of a previous epoch are missed by its cursors only",
      case_expired },
    { "a log ends behind events that went before a writer took them",
      case_gone },
    { "a frozen zone gives nothing and takes nothing",
      case_frozen },
    { "a zone of another size has what the old one has, whatever came "
      "meanwhile",
      case_meanwhile },
    { "an event that a smaller zone has no room for is missed",
      case_too_large },
    { "a master that is killed leaves the old zone in use, or frozen",
      case_master },
    { "cursors are told what they missed in another nginx that had the log",
      case_merge },
    { "cursors are told of losses that no category can be named for",
      case_unnamed },
    { "a delete takes no event that another nginx had, and is in its ms",
      case_same_ms },
};


const ngx_uint_t  save_ncases = sizeof(save_cases) / sizeof(save_cases[0]);
