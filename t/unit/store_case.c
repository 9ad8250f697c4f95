
/*
 * store_case.c: the store, cases by hand.
 */


#include "store_model.h"

#include <ngx_http_longpoll_zone_clock.h>
#include <ngx_http_longpoll_zone_page.h>
#include <ngx_http_longpoll_zone_question.h>


#define CASE_HOLD_DROPS  1000


static ngx_uint_t  case_zones;
static uint32_t    case_script_cat;
static uint64_t    case_bound_evicted;
static ngx_uint_t  case_locks;
static uint64_t    case_moved;


static void case_exact_end(void *data);
static void case_turns(void *data);
static void case_move(void *data, ngx_http_longpoll_rec_sh_t *from,
    uint32_t to);
static uint64_t case_touched(void);
static void case_many_cats(void *data);
static void case_polls(void *data);
static void case_same_ms(void *data);
static void case_holds(void *data);
static void case_wide(void *data);
static void case_moves(void *data);
static void case_turns_for(void *data);
static void case_grows(void *data);
static void case_grow(ngx_uint_t n, uint64_t len);
static void case_recent(void *data);
static void case_recent_holds(void *data);
static void case_long(void *data);
static void case_gone(void *data);
static void case_ends(void *data);
static void case_long_kills(void *data);
static void case_evict(void *data);
static void case_torn(void *data);
static void case_ticks(void *data);
static void case_bound(void *data);
static void case_huge(void *data);
static void case_walks(void *data);
static void case_views(void *data);
static void case_batches(void *data);
static void case_used(void *data);
static ngx_int_t case_dirty(ngx_uint_t worker, uint32_t cat);
static void case_questions(void *data);
static void case_clock(void *data);
static void case_time(uint64_t wall, uint64_t elapsed, uint64_t expected);


static void
case_zone(size_t size, ngx_uint_t ncats, uint64_t buffer, ngx_uint_t flags)
{
    ngx_http_longpoll_zone_conf_t  conf;

    ngx_memzero(&conf, sizeof(conf));
    conf.buffer = buffer;

    unit_random_state = unit_seed + ++case_zones;
    model_world(unit_seed, flags|MODEL_PLAIN, size, ncats, &conf);
}


static void
case_do(model_op_e kind, ngx_uint_t worker, uint32_t cat)
{
    model_op_t  op;

    model_set(&op, kind, worker, cat);
    unit_must(model_op(&op), "a plain op is killed");
}


static void
case_publish(uint32_t cat, ngx_uint_t n, uint64_t len)
{
    model_op_t  op;

    model_set(&op, MODEL_PUBLISH, MODEL_NOBODY, 0);

    for (op.n = 0; n; n--) {
        model_add(&op, cat, len);
    }

    unit_must(model_op(&op) && op.rc == NGX_OK, "a publish fails");
}


static void
case_configure(uint64_t ttl, uint64_t inactive, uint64_t delete_on_read)
{
    model_op_t  op;

    model_set(&op, MODEL_CONFIGURE, MODEL_NOBODY, 0);

    op.conf.buffer = m.conf.buffer;
    op.conf.ttl = ttl;
    op.conf.inactive = inactive;
    op.conf.delete_on_read = delete_on_read;

    (void) model_op(&op);
}


/* reads a category, and the next ones, behind id, 0: from the beginning */

static ngx_int_t
case_read(ngx_http_longpoll_read_e mode, ngx_uint_t worker, uint32_t cat,
    ngx_uint_t n, uint64_t id, uint64_t limit)
{
    model_op_t  op;

    model_set_read(&op, worker);

    ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));
    op.cursor.fresh = (mode != NGX_HTTP_LONGPOLL_READ_WAKE);
    op.cursor.beginning = (id == 0);
    op.cursor.id = id;

    op.rd.mode = mode;
    op.rd.limit = limit;

    for (op.rd.ncats = 0; op.rd.ncats < n; op.rd.ncats++) {
        op.which[op.rd.ncats] = cat + op.rd.ncats;
        op.costs[op.rd.ncats] = 0;
    }

    (void) model_read(&op);

    return op.rc;
}


static void
case_exact_end(void *data)
{
    uint64_t    end, need, max, fixed;
    ngx_uint_t  i, hits;

    case_zone(64 * 1024, 3, 250, 0);

    fixed = model_need(0, 0, 0);
    hits = 0;

    for (i = 0; i < 6000; i++) {
        end = m.sh->log.size - m.sh->log.head % m.sh->log.size;
        max = m.size / 4 - 64;

        need = 64 + 16 * unit_below(100);

        if (end >= fixed + 16 && end <= max && !unit_once(3)) {
            need = end;
            hits++;
        }

        case_publish(0, 1, need - sizeof(ngx_http_longpoll_msg_sh_t)
                           - m.cats[0].cat.name.len);

        unit_must(need != end || m.sh->log.head % m.sh->log.size == 0
                  || i == 0 || end > max, "a record does not end at the end");

        if (unit_once(3)) {
            case_publish(1 + unit_below(2), 1, 1 + unit_below(300));
        }

        (void) case_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY,
                         unit_below(3), 1, 0, 1024 * 1024);
    }

    unit_must(hits > 100, "it happened %lu times", (unsigned long) hits);

    model_check();
    model_end();
}


/*
 * Two categories keep 1 MB each.  Messages for the whole log, twice, go to
 * them: none is moved.  The same is done once more while a third category has
 * messages that stay.  Then a fourth one fills the zone.
 */

static void
case_turns(void *data)
{
    ngx_uint_t  i, n;

    case_zone(16 * 1024 * 1024, 4, 1000, 0);

    n = 2 * m.sh->log.size / 1000;

    case_moved = 0;
    m.zone.log.move = case_move;

    for (i = 0; i < 2 * n; i++) {

        if (i == n) {
            unit_must(m.sh->log.head > 2 * m.sh->log.size, "too few");
            case_publish(2, 50, 1000);
        }

        case_publish(i % 2, 1, 1000);

        if (i % 1000 == 0) {
            model_check();
            unit_must(i > n || case_moved == 0, "messages were moved");
        }
    }

    unit_must(case_touched() < 2 * m.sh->log.live, "%lu bytes for %lu",
              (unsigned long) case_touched(), (unsigned long) m.sh->log.live);

    while (m.sh->log.live < m.sh->log.size / 20 * 16) {
        case_publish(3, 1, 20000);
    }

    unit_must(m.evicted == 0, "a log that has turned has no room");

    model_check();
    model_end();
}


/* counts the bytes that the log moves */

static void
case_move(void *data, ngx_http_longpoll_rec_sh_t *from, uint32_t to)
{
    case_moved += ngx_http_longpoll_log_bytes(from);

    ngx_http_longpoll_zone_list_move(data, from, to);
}


/* bytes of the log, up to the last one that is not 0 */

static uint64_t
case_touched(void)
{
    uint64_t  n;

    for (n = m.sh->log.size; n && m.zone.log.base[n - 1] == 0; n--) {
        /* void */
    }

    return n;
}


static void
case_many_cats(void *data)
{
    uint32_t    n, max;
    ngx_uint_t  i;

    case_zone(1024 * 1024, 30000, 250, 0);

    for (n = 0; n < 30000; n++) {
        m.now += unit_once(10);
        case_publish(n, 1, 1);
    }

    max = ngx_http_longpoll_cat_max_full(&m.zone.cats);

    unit_must(m.full == max, "%lu categories are live, not %u",
              (unsigned long) m.full, max);

    for (n = 30000 - 64; n < 30000; n++) {
        unit_must(m.cats[n].count == 1, "a young category is evicted");
        unit_must(case_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY, n, 1,
                            0, 1024) == NGX_OK, "it is not read");
    }

    for (i = 0; i < 1000; i++) {
        (void) case_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY,
                         unit_below(30000), 1,
                         unit_below(2) * m.last_id / 2, 1024);
    }

    model_check();
    model_end();
}


/* half of the categories have a message, then polls want all slots */

static void
case_polls(void *data)
{
    uint32_t    n;
    ngx_uint_t  i, w, live;
    model_op_t  op;

    case_zone(64 * 1024, 1000, 250, 0);

    for (n = 0; n < 90; n++) {
        case_publish(n, 1, 20);
    }

    live = m.nlive;

    for (i = 0; i < MODEL_PARKS; i++) {
        model_set_read(&op, i % MODEL_WORKERS);

        ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));
        op.cursor.fresh = 1;
        op.cursor.now = 1;
        op.rd.limit = 1024 * 1024;

        for (op.rd.ncats = 0; op.rd.ncats < 64; op.rd.ncats++) {
            op.which[op.rd.ncats] = (i * 64 + op.rd.ncats) % 1000;
            op.costs[op.rd.ncats] = 0;
        }

        unit_must(model_park_op(&op) && op.rc == NGX_AGAIN, "not parked");
    }

    unit_must(m.nlive == live, "a poll has evicted a message");
    unit_must(m.slotless[0] && m.slotless[1] && m.slotless[2],
              "every poll has a slot");
    model_check();

    for (n = 0; n < 1000; n += 1 + unit_below(10)) {
        case_publish(n, 1, 20);

        if (unit_once(20)) {
            for (w = 0; w < MODEL_WORKERS; w++) {
                (void) model_drain(w);
            }
        }
    }

    for (w = 0; w < MODEL_WORKERS; w++) {
        (void) model_drain(w);
        (void) model_reap(w, model_op);
    }

    model_check();
    model_end();
}


/*
 * A poll that waits since this ms gets what comes in it, but not what came
 * before.
 */

static void
case_same_ms(void *data)
{
    uint64_t    seen;
    model_op_t  op;

    case_zone(64 * 1024, 1000, 250, 0);
    case_publish(0, 1, 20);

    seen = m.visible;

    model_set_read(&op, 0);
    ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));

    op.cursor.fresh = 1;
    op.cursor.id = ngx_http_longpoll_id_last_of(m.now);
    op.rd.limit = 1024;
    op.rd.ncats = 1;
    op.which[0] = 0;
    op.costs[0] = 0;

    unit_must(model_park_op(&op) && op.rc == NGX_AGAIN, "not parked");
    unit_must(op.rd.cursor.id == seen, "the cursor stands elsewhere");

    case_publish(0, 1, 20);

    unit_must(model_ms(m.visible) == model_ms(seen), "not in the same ms");
    unit_must(case_read(NGX_HTTP_LONGPOLL_READ_WAKE, 0, 0, 1,
                        op.rd.cursor.id, 1024)
              == NGX_OK, "a waiting poll does not get the message");

    unit_must(case_read(NGX_HTTP_LONGPOLL_READ_PEEK, 0, 0, 1,
                        ngx_http_longpoll_id_last_of(m.now), 1024)
              == NGX_AGAIN, "a poll gets a message that came before it");
    model_end();
}


static void
case_script_delete(void)
{
    case_do(MODEL_DELETE, MODEL_NOBODY, case_script_cat);
}


static void
case_script_publish(void)
{
    case_publish(1, 1, 100);
    case_publish(0, 3, 100);
    case_publish(1, 1, 100);
}


static void
case_script_huge(void)
{
    case_publish(1, 1, m.size / 4 - 200);
    case_publish(1, 1, m.size / 4 - 200);
}


/* once around the log, in records of the same size */

static void
case_script_lap(void)
{
    ngx_uint_t  n;

    for (n = m.sh->log.size / model_need(0, 10, 0) / 100; n; n--) {
        case_publish(0, 100, 10);
    }
}


/* messages come and go until the live ones have been moved */

static void
case_script_move(void)
{
    ngx_uint_t  n;

    for (n = m.sh->log.size / model_need(0, 10, 0) / 100; n; n--) {
        case_publish(2, 100, 10);
        case_do(MODEL_DELETE, MODEL_NOBODY, 2);
    }
}


static void
case_script_take(void)
{
    case_configure(0, 0, !m.conf.delete_on_read);
}


static void
case_script_idle(void)
{
    m.now += 100000;
    case_do(MODEL_TICK, MODEL_NOBODY, 0);
}


/* longer than a client may be idle */

static void
case_script_hours(void)
{
    m.now += 4000000;
    case_do(MODEL_TICK, MODEL_NOBODY, 0);
}


static void
case_script_read(void)
{
    (void) case_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY,
                     case_script_cat, 1, 0, 1024 * 1024);
}


static void
case_script_unwatch(void)
{
    case_do(MODEL_TICK, MODEL_NOBODY, 0);

    if (m.parks[0].busy) {
        (void) model_leave(&m.parks[0]);
    }
}


static void
case_script_check(void)
{
    case_do(MODEL_STATUS, MODEL_NOBODY, 0);
    model_check();
}


/* a poll from now on waits in worker 0 */

static void
case_park(uint32_t cat)
{
    model_op_t  op;

    model_set_read(&op, 0);
    ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));
    op.cursor.fresh = 1;
    op.cursor.now = 1;
    op.rd.ncats = 1;
    op.which[0] = cat;

    (void) model_park_op(&op);
}


static void
case_fill(ngx_uint_t n)
{
    for ( /* void */ ; n; n -= 100) {
        m.now++;
        case_publish(0, 100, 10);
    }
}


/* a read of a few thousand messages, from the middle, behind and before it */

static void
case_holds(void *data)
{
    uint64_t    id;
    ngx_uint_t  i, lock;

    static void  (*scripts[])(void) = {
        case_script_publish, case_script_delete, case_script_huge,
        case_script_take, case_script_idle, case_script_lap, case_script_move
    };

    for (i = 0; i < 7 * 6 * 4; i++) {
        lock = 1 + i / 7 % 6;

        case_zone(1024 * 1024, 3, 20000, MODEL_BETWEEN|MODEL_IDLE);
        case_configure(0, i % 7 == 4 ? 5000 : 0, 0);
        case_fill(5000);

        case_script_cat = 0;
        id = m.all[i / 42 * 1600]->id;

        m.script = scripts[i % 7];
        m.script_lock = lock;
        unit_hook = model_hook;

        (void) case_read(i & 1 ? NGX_HTTP_LONGPOLL_READ_LAST
                               : NGX_HTTP_LONGPOLL_READ_PARK, 0, 0,
                         1 + (i & 1), id, 1024 * 1024);

        unit_hook = NULL;

        model_check();
        model_end();
    }
}


/* a read of a thousand messages of 64 categories follows few links */

static void
case_wide(void *data)
{
    ngx_uint_t  i;

    case_zone(4 * 1024 * 1024, 64, 100, 0);

    for (i = 0; i < 6400; i++) {
        m.now += unit_below(2);
        case_publish(i % 64, 1, 20);
    }

    unit_must(case_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY, 0, 64, 0,
                        1024 * 1024)
              == NGX_OK, "64 categories are not read");

    case_configure(0, 0, 1);

    unit_must(case_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY, 0, 64, 0,
                        1024 * 1024)
              == NGX_OK && m.nlive == 0, "64 categories are not taken");

    model_end();
}


/* a poll that begins with the newest messages; op is how it went */

static void
case_read_recent(model_op_t *op, ngx_http_longpoll_read_e mode,
    ngx_uint_t ncats, ngx_uint_t recent)
{
    model_set_read(op, 0);

    ngx_memzero(&op->cursor, sizeof(ngx_http_longpoll_cursor_t));
    op->cursor.fresh = 1;
    op->cursor.now = 1;
    op->cursor.recent = recent;

    op->rd.mode = mode;
    op->rd.limit = 1024 * 1024;

    for (op->rd.ncats = 0; op->rd.ncats < ncats; op->rd.ncats++) {
        op->which[op->rd.ncats] = op->rd.ncats;
        op->costs[op->rd.ncats] = 0;
    }

    unit_must(model_park_op(op), "a plain op is killed");
}


static void
case_count_locks(void)
{
    case_locks++;
}


/*
 * Messages die in any order, and the zone has room: what is moved for that
 * stays an eighth of what is published.
 */

static void
case_moves(void *data)
{
    uint64_t    published;
    ngx_uint_t  i;

    case_zone(16 * 1024 * 1024, 1000, 1, 0);

    case_moved = 0;
    m.zone.log.move = case_move;
    published = 0;

    for (i = 0; i < 40000; i++) {
        case_publish(unit_below(1000), 1, 1000);
        published += model_need(0, 1000, 0);
    }

    unit_must(m.sh->log.turned && case_moved > 100000, "the log did not turn");
    unit_must(case_moved <= published / 8 + 1024 * 1024, "%lu moved for %lu",
              (unsigned long) case_moved, (unsigned long) published);

    model_check();
    model_end();
}


/* publishes that are larger than the room that a turn needs beside them */

static void
case_turns_for(void *data)
{
    ngx_uint_t  i;

    case_zone(16 * 1024 * 1024, 1, 30, 0);

    case_moved = 0;
    m.zone.log.move = case_move;

    for (i = 0; i < 100; i++) {
        case_publish(0, 20, 100000);
    }

    unit_must(m.sh->log.turned, "the log did not turn");
    unit_must(case_moved == 0, "%lu bytes were moved",
              (unsigned long) case_moved);

    model_check();
    model_end();
}


/*
 * A category is full, and the log has turned.  A second one grows until the log
 * has no room in front of the pad of that turn, by few messages at once or by
 * many: no publish waits for the room that is behind it, for all of them take
 * one hold of the lock.
 */

static void
case_grows(void *data)
{
    case_grow(1, 200);
    case_grow(20, 150000);
}


static void
case_grow(ngx_uint_t n, uint64_t len)
{
    case_zone(16 * 1024 * 1024, 2, 10000, 0);

    while (m.sh->log.tail >= m.sh->log.turned) {
        case_publish(0, 1, 200);
    }

    unit_hook = case_count_locks;

    while (m.sh->log.live < 4500000) {
        case_locks = 0;
        case_publish(1, n, len);

        unit_must(case_locks == 1, "it takes %lu holds",
                  (unsigned long) case_locks);
    }

    unit_hook = NULL;

    unit_must(m.sh->log.tail > m.sh->log.turned && m.evicted == 0,
              "it did not grow over the pad");

    model_check();
    model_end();
}


/*
 * The newest messages of 64 categories together.  One category had many more,
 * which its buffer pushed out behind the oldest of the others.
 */

static void
case_recent(void *data)
{
    ngx_uint_t  i, k, n;
    model_op_t  op;

    static const ngx_uint_t  counts[] = { 1, 2, 63, 64, 65, 500, 999, 1000 };

    case_zone(4 * 1024 * 1024, 70, 100, 0);

    case_read_recent(&op, NGX_HTTP_LONGPOLL_READ_PARK, 64, 10);
    unit_must(op.rc == NGX_AGAIN && m.parks[0].busy, "it finds nothing");

    case_publish(65, 10, 20);
    case_read_recent(&op, NGX_HTTP_LONGPOLL_READ_LAST, 64, 10);
    unit_must(op.rc == NGX_AGAIN, "it finds others' messages");

    case_publish(1, 1, 20);
    unit_must(case_read(NGX_HTTP_LONGPOLL_READ_WAKE, 0, 0, 64, m.parks[0].id,
                        1024)
              == NGX_OK, "a poll from now on does not go on");

    for (i = 0; i < 10; i++) {
        m.now++;
        case_publish(0, 100, 20);
    }

    case_read_recent(&op, NGX_HTTP_LONGPOLL_READ_LAST, 64, 1000);
    unit_must(op.rc == NGX_OK && op.rd.nmsgs == 101 && op.rd.msgs[0].cat == 1,
              "it does not begin with the oldest");

    for (i = 0; i < 4000; i++) {
        m.now += unit_below(2);
        case_publish(unit_below(64), 1, 20);
    }

    unit_hook = case_count_locks;

    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {

        for (n = 0, k = 1; k <= 64; k++) {
            n += m.cats[k - 1].count;
            case_locks = 0;

            case_read_recent(&op, NGX_HTTP_LONGPOLL_READ_PARK, k, counts[i]);

            unit_must(op.rc == NGX_OK && op.rd.nmsgs == ngx_min(counts[i], n),
                      "%lu messages of %lu", (unsigned long) op.rd.nmsgs,
                      (unsigned long) n);
            unit_must(case_locks <= 2, "it takes %lu holds",
                      (unsigned long) case_locks);
        }
    }

    unit_hook = NULL;

    model_check();
    model_end();
}


/* the same in several holds, whatever happens between them */

static void
case_recent_holds(void *data)
{
    ngx_uint_t  i, missed;
    model_op_t  op;

    static void  (*scripts[])(void) = {
        case_script_publish, case_script_delete, case_script_huge,
        case_script_take, case_script_idle, case_script_lap, case_script_move
    };

    missed = 0;

    for (i = 0; i < 7 * 3 * 4; i++) {
        case_zone(1024 * 1024, 3, 20000, MODEL_BETWEEN|MODEL_IDLE);
        case_configure(0, i % 7 == 4 ? 5000 : 0, 0);
        case_fill(5000);

        case_script_cat = 0;

        m.script = scripts[i % 7];
        m.script_lock = 1 + i / 7 % 3;
        unit_hook = model_hook;

        case_read_recent(&op, i & 1 ? NGX_HTTP_LONGPOLL_READ_LAST
                                    : NGX_HTTP_LONGPOLL_READ_PARK,
                         1 + (i & 1), i & 2 ? 1000 : 600);
        missed += op.rd.missed;

        unit_hook = NULL;

        model_check();
        model_end();
    }

    unit_must(missed, "nothing is lost between two holds");
}


/* publishes, deletes, ticks and expiry in several holds */

static void
case_long(void *data)
{
    ngx_uint_t  i, k, lock;

    static void  (*scripts[])(void) = {
        case_script_publish, case_script_delete, case_script_huge,
        case_script_take, case_script_read, case_script_unwatch
    };

    for (i = 0; i < 4 * 6 * 5 * 5; i++) {
        lock = 1 + i / 6 % 5;

        case_zone(1024 * 1024, 3, 20000, MODEL_BETWEEN|MODEL_TAKE);
        case_configure(0, 0, unit_below(2));
        case_fill(3500);
        case_script_cat = 0;

        if (unit_once(2)) {
            case_park(0);
        }

        m.script = scripts[i % 6];
        m.script_lock = lock;
        unit_hook = model_hook;

        switch (i / 30 % 5) {

        case 0:
        case 1:
            case_do(MODEL_DELETE, 1, 0);
            break;

        case 2:
            case_publish(2, 1, m.size / 4 - 200);
            case_publish(2, 1, m.size / 4 - 200);
            break;

        case 3:

            /* 16 bytes more for each with delete_on_read */

            for (k = 0; k < 5; k++) {
                case_publish(2, 950, 256 - model_need(2, 0, 0)
                                     + (m.conf.delete_on_read ? 8 : 0));
            }

            break;

        case 4:
            unit_hook = NULL;
            case_configure(1, 0, m.conf.delete_on_read);
            unit_hook = model_hook;
            m.now += 10000;
            case_do(MODEL_TICK, 1, 0);
        }

        unit_hook = NULL;
        m.script = NULL;

        case_publish(0, 1, 10);
        (void) model_drain(0);

        model_check();
        model_end();
    }
}


/* it needs more memory for the message, and so another hold */

static void
case_gone(void *data)
{
    model_op_t  add, op;

    case_zone(1024 * 1024, 1, 250, 0);

    model_set(&add, MODEL_ADD_CLIENT, 0, 0);
    add.by_client = 1;
    add.client.number = 0;
    add.client.uuid[0] = (uint64_t) 1 << 63;
    (void) model_op(&add);

    case_publish(0, 1, 100000);

    model_set_read(&op, 0);

    ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));
    op.rd.mode = NGX_HTTP_LONGPOLL_READ_WAKE;
    op.rd.limit = 1024 * 1024;
    op.rd.ncats = 1;
    op.which[0] = 0;
    op.costs[0] = 0;
    op.by_client = 1;
    op.client = add.client;

    m.script = case_script_hours;
    m.script_lock = 2;
    unit_hook = model_hook;

    (void) model_read(&op);

    unit_must(op.locks == 2 && op.rc == NGX_DONE, "the client did not go");

    m.script = NULL;
    model_end();
}


/*
 * A worker waits for a category of 2,500 pending messages, and its interest
 * ends over several holds: the worker is dead, its last poll leaves, or it
 * acknowledges and waits on.
 */

static void
case_ends(void *data)
{
    ngx_uint_t  i;

    static void  (*scripts[])(void) = {
        case_script_publish, case_script_delete, case_script_read,
        case_script_idle, case_script_check
    };

    for (i = 0; i < 5 * 5 * 3; i++) {
        case_zone(1024 * 1024, 3, 20000, MODEL_BETWEEN|MODEL_TAKE|MODEL_IDLE);
        case_configure(0, i / 5 % 5 ? 50000 : 0, 1);
        case_script_cat = 0;

        case_park(0);
        case_fill(2500);

        m.script = scripts[i % 5];
        m.script_lock = 1 + i / 5 % 5;
        unit_hook = model_hook;

        switch (i / 25) {

        case 0:
            (void) model_reap(0, model_op);
            break;

        case 1:
            (void) model_leave(&m.parks[0]);
            break;

        case 2:
            case_do(MODEL_ACKNOWLEDGE, 0, 0);
        }

        unit_hook = NULL;
        m.script = NULL;

        /* whatever is left is read, and goes when nobody is pending in it */

        case_publish(0, 1, 10);
        case_script_read();
        (void) model_drain(0);

        model_check();
        model_end();
    }
}


/* kills in what takes several holds of the lock */

static void
case_long_kills(void *data)
{
    ngx_uint_t  i;
    model_op_t  op;

    for (i = 0; i < 10; i++) {
        case_zone(512 * 1024, 3, 20000, MODEL_BETWEEN|MODEL_TAKE|MODEL_IDLE);
        case_configure(0, 0, i & 1);
        case_fill(2200);

        if (i & 2) {
            case_park(0);
        }

        switch (i % 5) {

        case 0:
        case 1:
            model_set(&op, MODEL_DELETE, 1, 0);
            break;

        case 2:
        case 3:
            case_configure(i % 5 == 2 ? 1 : 0, i % 5 == 3 ? 1 : 0, i & 1);
            m.now += 10000;
            model_set(&op, MODEL_TICK, 1, 0);
            break;

        default:
            case_publish(1, 1, m.size / 4 - 200);
            model_set(&op, MODEL_PUBLISH, 1, 0);
            op.n = 0;
            model_add(&op, 1, m.size / 4 - 200);
        }

        m.flags |= MODEL_CRASH;
        (void) model_op(&op);
        m.flags &= ~MODEL_CRASH;

        case_publish(0, 1, 10);
        model_check();
        model_end();
    }
}


/* categories of more messages than one hold drops, when no slot is left */

static void
case_evict(void *data)
{
    uint32_t    n, max;
    ngx_uint_t  i;

    case_zone(1024 * 1024, 2000, 20000, 0);

    max = ngx_http_longpoll_cat_max_full(&m.zone.cats);

    for (n = 0; n < max; n++) {
        m.now += 10;

        for (i = n < 64 && n % 16 == 0 ? 1500 : 1; i; i -= ngx_min(i, 100)) {
            case_publish(n, ngx_min(i, 100), 1);
        }
    }

    for ( /* void */ ; n < 2000; n++) {
        m.now += 10;
        case_publish(n, 1, 1);
        unit_must(m.full == max,
                  "%lu categories are live", (unsigned long) m.full);
    }

    model_check();
    model_end();
}


/* large answers, overwritten while they are copied */

static void
case_torn(void *data)
{
    uint64_t    torn;
    ngx_uint_t  i;

    case_zone(1024 * 1024, 4, 250, MODEL_BETWEEN);
    m.small = 20000;

    torn = unit->invalid;

    for (i = 0; i < 4000 || unit->invalid - torn < 50; i++) {
        unit_must(i < 100000, "answers are hardly ever overwritten");

        (void) model_publish(MODEL_NOBODY);
        m.now += unit_below(3);

        (void) case_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY,
                         unit_below(4), 1, unit_once(2) ? 0 : m.last_id / 2,
                         unit_once(2) ? 300000 : 1024 * 1024);
    }

    model_check();
    model_end();
}


/* within two seconds, without a poll or a publish */

static void
case_ticks(void *data)
{
    uint32_t    n;
    ngx_uint_t  i;

    for (i = 0; i < 20; i++) {
        case_zone(256 * 1024, 300, 250, MODEL_IDLE);
        case_configure(i & 1 ? 3000 : 0, i & 1 ? 0 : 5000, 0);

        for (n = 0; n < 1000; n++) {
            m.now++;
            case_publish(unit_below(300), 1, 30);
        }

        m.now += 6000;
        case_publish(300 - 1, 1, 30);

        case_do(MODEL_TICK, MODEL_NOBODY, 0);
        m.now += 1000;
        case_do(MODEL_TICK, MODEL_NOBODY, 0);

        unit_must(m.nlive == 1, "%lu messages remain",
                  (unsigned long) m.nlive);

        case_do(MODEL_STATUS, MODEL_NOBODY, 0);
        model_check();
        model_end();
    }
}


static void
case_bound_hook(void)
{
    uint64_t  evicted;

    evicted = m.sh->counters.evicted;

    unit_must(evicted - case_bound_evicted <= CASE_HOLD_DROPS,
              "%lu messages are dropped in one hold",
              (unsigned long) (evicted - case_bound_evicted));

    case_bound_evicted = evicted;
    unit->holds++;
}


static void
case_bound(void *data)
{
    uint64_t                 wake, n, holds;
    ngx_http_longpoll_cat_t  cat;
    ngx_http_longpoll_msg_t  msg;

    static u_char  bytes[8 * 1024 * 1024];

    case_zone(32 * 1024 * 1024, 10, 10000000, 0);

    ngx_memzero(&msg, sizeof(msg));
    msg.data.data = bytes;
    cat = m.cats[0].cat;

    for (n = 0; m.sh->counters.evicted == 0; n++) {
        msg.data.len = 1;
        unit_must(ngx_http_longpoll_zone_publish(&m.zone, &cat, &msg, 1, NULL,
                                                 m.now, &wake)
                  == NGX_OK, "a small one is refused");
    }

    case_bound_evicted = m.sh->counters.evicted;
    holds = unit->holds;
    unit_hook = case_bound_hook;

    msg.data.len = m.size / 4 - 1024;
    unit_must(ngx_http_longpoll_zone_publish(&m.zone, &cat, &msg, 1, NULL,
                                             m.now, &wake)
              == NGX_OK, "a large one is refused");

    case_bound_hook();

    unit_must(unit->holds - holds > 64, "it took only %lu holds",
              (unsigned long) (unit->holds - holds));
}


/*
 * A category of 70,000 messages.  A hold that walked over all of them would
 * follow more links than the debug build allows.
 */

static void
case_walks(void *data)
{
    size_t                         cost;
    uint64_t                       wake;
    uint32_t                       slot;
    ngx_uint_t                     i, n;
    ngx_http_longpoll_cat_t        cat;
    ngx_http_longpoll_msg_t       *msgs;
    ngx_http_longpoll_read_t       rd;
    ngx_http_longpoll_zone_conf_t  conf;

    ngx_memzero(&conf, sizeof(conf));
    conf.buffer = 100000;
    conf.delete_on_read = 1;

    unit_random_state = unit_seed;
    model_world(unit_seed, MODEL_PLAIN, 8 << 20, 3, &conf);

    msgs = calloc(1000, sizeof(ngx_http_longpoll_msg_t));
    cat = m.cats[0].cat;

    for (i = 0; i < 70; i++, m.now++) {

        for (n = 0; n < 1000; n++) {
            msgs[n].cat = 0;
            msgs[n].data.data = (u_char *) "1";
            msgs[n].data.len = 1;
        }

        unit_must(ngx_http_longpoll_zone_publish(&m.zone, &cat, msgs, 1000,
                                                 NULL, m.now, &wake)
                  == NGX_OK, "a publish fails");
    }

    unit_must(m.sh->list.count == 70000, "not 70,000");

    /* a poll from now on waits */

    ngx_memzero(&rd, sizeof(rd));
    cost = 100;
    rd.mode = NGX_HTTP_LONGPOLL_READ_PARK;
    rd.cats = &cat;
    rd.ncats = 1;
    rd.costs = &cost;
    rd.slots = &slot;
    rd.limit = 100;
    rd.cursor.fresh = 1;
    rd.cursor.now = 1;

    unit_must(ngx_http_longpoll_zone_read(&m.zone, &rd, m.now) == NGX_AGAIN,
              "it finds something");

    ngx_http_longpoll_zone_watch_acknowledge(&m.zone, 0, cat.hash, 0,
                                             (uint64_t) -1);
    ngx_http_longpoll_zone_watch_end(&m.zone, 0, cat.hash, slot, 0, 0, m.now);

    (void) ngx_http_longpoll_zone_read(&m.zone, &rd, m.now);
    ngx_http_longpoll_zone_tick_reap(&m.zone, 0, m.now);

    unit_must(m.zone.cats.slots[slot].waiting == 0, "it still waits");

    /* one in the middle is searched and taken, by a UUID that is not there */

    rd.mode = NGX_HTTP_LONGPOLL_READ_LAST;
    ngx_memzero(&rd.cursor, sizeof(rd.cursor));
    rd.cursor.fresh = 1;
    rd.cursor.named = 1;
    rd.cursor.since = ngx_http_longpoll_id_ms(msgs[0].id) - 35;
    rd.cursor.id = ngx_http_longpoll_id(rd.cursor.since, 0) - 1;
    rd.cursor.uuid.high = 1;

    unit_must(ngx_http_longpoll_zone_read(&m.zone, &rd, m.now) == NGX_OK
              && rd.nmsgs, "nothing is found in the middle");

    /* all of it is asked for */

    rd.limit = (size_t) -1;
    ngx_memzero(&rd.cursor, sizeof(rd.cursor));
    rd.cursor.fresh = 1;
    rd.cursor.beginning = 1;

    unit_must(ngx_http_longpoll_zone_read(&m.zone, &rd, m.now) == NGX_OK,
              "nothing is found");

    free(msgs);
    model_end();
}


/* the length of a message's data is stored in 32 bits */

static void
case_huge(void *data)
{
    uint64_t                 wake;
    ngx_uint_t               i;
    ngx_http_longpoll_cat_t  cat;
    ngx_http_longpoll_msg_t  msg;

    case_zone(64 * 1024, 3, 250, 0);

    cat = m.cats[0].cat;
    ngx_memzero(&msg, sizeof(msg));

    /* a zone of which this is no quarter; nothing is copied */

    m.zone.size = (size_t) 64 << 30;

    for (i = 0; i < 2; i++) {
        msg.data.len = ((size_t) 4 << 30) + i * 100;
        unit_must(ngx_http_longpoll_zone_publish(&m.zone, &cat, &msg, 1, NULL,
                                                 m.now, &wake)
                  == NGX_DECLINED, "a publish of 4 GB is not refused");
        unit_must(ngx_http_longpoll_zone_load(&m.zone, &cat, &msg, NULL, m.now,
                                              &wake)
                  == NGX_DECLINED, "an event of 4 GB is loaded");
    }

    m.zone.size = m.size;
    model_end();
}


static void
case_views(void *data)
{
    u_char                    *addr, random[24];
    ngx_http_longpoll_zone_t   z, old;

    ngx_memzero(&z, sizeof(z));
    ngx_memzero(random, sizeof(random));

    z.size = 32 * 1024;
    addr = calloc(1, z.size);

    unit_must(ngx_http_longpoll_zone_init(&z, addr, z.size / 2, 0, random, 1)
              == NGX_DECLINED, "a zone of half the memory is made");
    free(addr);

    case_zone(64 * 1024, 10, 250, 0);
    case_publish(1, 10, 100);

    old = m.zone;
    ngx_memzero(&m.zone, sizeof(m.zone));
    m.zone.mutex = old.mutex;
    m.zone.size = m.size;

    model_zone_init(1);
    case_publish(1, 10, 100);
    (void) case_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY, 1, 1, 0,
                     1 << 20);
    model_check();

    ngx_memzero(&m.zone, sizeof(m.zone));
    m.zone.size = m.size;
    ngx_http_longpoll_zone_inherit(&m.zone, &old);

    case_publish(1, 100, 100);
    (void) case_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY, 1, 1, 0,
                     1 << 20);
    model_check();
    model_end();
}


/* the largest publish, to one category and to the most categories */

static void
case_batches(void *data)
{
    ngx_uint_t  i;
    model_op_t  op;

    case_zone(256 * 1024, 1000, 5000, 0);

    case_publish(0, 1000, 10);
    case_publish(1, 1000, 10);

    for (i = 380; i < 390; i++) {
        model_set(&op, MODEL_PUBLISH, MODEL_NOBODY, 0);

        for (op.n = 0; op.n < i; /* void */ ) {
            model_add(&op, op.n, 10);
        }

        unit_must(model_op(&op), "killed");
    }

    model_check();
    model_end();
}


/* asks how many polls wait for a category */

static ngx_int_t
case_count(uint32_t cat, uint64_t alive, uint64_t *question, uint64_t *n)
{
    uint64_t  place;

    place = ngx_http_longpoll_hash_place(m.cats[cat].cat.hash[1]);

    return ngx_http_longpoll_zone_question_count(&m.zone, place, place, alive,
                                                 m.now, question, n);
}


static ngx_int_t
case_list(uint64_t alive, uint64_t *question)
{
    uint64_t  n;

    return ngx_http_longpoll_zone_question_count(&m.zone, 0, 1, alive, m.now,
                                                 question, &n);
}


/* a worker answers with n, if it is asked, and about this category */

static ngx_uint_t
case_answer(uint32_t cat, ngx_uint_t worker, ngx_uint_t n)
{
    uint64_t  number, from, upto, place;

    if (!ngx_http_longpoll_zone_question_asked(&m.zone, worker, &number, &from,
                                               &upto))
    {
        return 0;
    }

    place = ngx_http_longpoll_hash_place(m.cats[cat].cat.hash[1]);

    unit_must(from == place && upto == place, "another category");

    ngx_http_longpoll_zone_question_answer(&m.zone, worker, number, n);

    return 1;
}


static void
case_questions(void *data)
{
    uint64_t  one, two, three, list, n;

    case_zone(64 * 1024, 2, 250, 0);
    one = 0;
    two = 0;

    unit_must(!case_answer(0, 0, 1), "a question before the first");

    /* workers 0 and 2; the second question waits for the first */

    unit_must(case_count(0, 5, &one, &n) == NGX_DONE, "not asked");
    unit_must(case_count(1, 5, &two, &n) == NGX_AGAIN && two == 0, "replaced");
    unit_must(!case_answer(0, 1, 9), "worker 1 is asked");
    unit_must(!case_answer(0, NGX_HTTP_LONGPOLL_NO_WORKER, 9), "any is asked");

    unit_must(case_answer(0, 0, 3), "worker 0 is not asked");
    unit_must(!case_answer(0, 0, 9), "worker 0 is asked twice");
    unit_must(case_count(0, 5, &one, &n) == NGX_AGAIN && n == 3, "not 3");
    unit_must(case_answer(0, 2, 4), "worker 2 is not asked");
    unit_must(case_count(0, 5, &one, &n) == NGX_OK && n == 7, "not 7");

    /* worker 2 dies */

    unit_must(case_count(1, 5, &two, &n) == NGX_DONE, "not the next");
    unit_must(case_answer(1, 0, 1), "worker 0 is not asked");
    unit_must(case_count(1, 1, &two, &n) == NGX_OK && n == 1, "not 1");

    /* the first question is open for 200 ms; no client comes for its number */

    one = 0;
    two = 0;

    unit_must(case_count(0, 1, &one, &n) == NGX_DONE, "not asked");
    m.now += 199;
    unit_must(case_count(1, 1, &two, &n) == NGX_AGAIN, "replaced too early");
    m.now += 1;
    unit_must(case_count(1, 1, &two, &n) == NGX_DONE, "not replaced");

    /* an answer that comes too late, and the first one's request */

    ngx_http_longpoll_zone_question_answer(&m.zone, 0, one, 9);
    unit_must(case_count(0, 1, &one, &n) == NGX_AGAIN, "answered");
    unit_must(case_answer(1, 0, 2), "worker 0 is not asked");
    unit_must(case_count(1, 1, &two, &n) == NGX_OK && n == 2, "not 2");
    unit_must(case_count(0, 1, &one, &n) == NGX_DONE, "not asked anew");
    unit_must(case_answer(0, 0, 1), "worker 0 is not asked");
    unit_must(case_count(0, 1, &one, &n) == NGX_OK && n == 1, "not 1");

    /* worker 2 is late: who has the others' sum does not ask anew until then */

    one = 0;
    two = 0;
    three = 0;

    unit_must(case_count(0, 5, &one, &n) == NGX_DONE, "not asked");
    unit_must(case_answer(0, 0, 3), "worker 0 is not asked");
    unit_must(case_count(0, 5, &one, &n) == NGX_AGAIN && n == 3, "not 3");
    m.now += 200;
    unit_must(case_count(1, 5, &two, &n) == NGX_DONE, "not replaced");
    m.now += 5;
    unit_must(case_count(1, 5, &three, &n) == NGX_AGAIN, "0 has no time");
    unit_must(case_answer(1, 0, 1), "worker 0 is not asked");
    unit_must(case_count(0, 5, &one, &n) == NGX_AGAIN, "asked anew");
    unit_must(case_count(1, 5, &three, &n) == NGX_DONE, "2 is waited for");
    unit_must(case_answer(1, 0, 1) && case_answer(1, 2, 4), "not asked");
    unit_must(case_count(1, 5, &three, &n) == NGX_OK && n == 5, "not 5");
    unit_must(case_count(0, 5, &one, &n) == NGX_DONE, "not asked anew");

    /* a list has no use for a sum: it asks anew while workers are late, too */

    list = 0;
    three = 0;

    m.now += 200;
    unit_must(case_list(5, &list) == NGX_DONE, "a list is not asked for");
    m.now += 200;
    unit_must(case_count(1, 5, &three, &n) == NGX_DONE, "not replaced");
    m.now += 5;
    unit_must(case_list(5, &list) == NGX_DONE, "a list is not asked for anew");

    /* the clock is set back */

    two = 0;
    m.now -= 1000;
    unit_must(case_count(1, 1, &two, &n) == NGX_DONE, "open for a second");

    model_end();
}


/*
 * Pages of the categories, while others come and go: the first 100 categories
 * always have messages, for the next 60 polls wait.
 */

#define CASE_STAY   100
#define CASE_PARK   160
#define CASE_PAGED  440     /* of 512 slots */

static void
case_pages(void *data)
{
    uint32_t                        n;
    ngx_uint_t                      i, pages, seen[CASE_PAGED];
    model_op_t                      op;
    u_char                          names[4 * NGX_HTTP_LONGPOLL_MAX_CATEGORY];
    ngx_http_longpoll_zone_page_t   page;
    ngx_http_longpoll_zone_entry_t  entries[9];

    case_zone(256 * 1024, CASE_PAGED, 3, 0);

    for (n = CASE_STAY; n < CASE_PARK; n += 60) {
        model_set_read(&op, 0);

        ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));
        op.cursor.fresh = 1;
        op.cursor.now = 1;
        op.rd.limit = 1024;

        for (op.rd.ncats = 0; op.rd.ncats < 60; op.rd.ncats++) {
            op.which[op.rd.ncats] = n + op.rd.ncats;
            op.costs[op.rd.ncats] = 0;
        }

        unit_must(model_park_op(&op) && op.rc == NGX_AGAIN, "not parked");
    }

    ngx_memzero(seen, sizeof(seen));
    ngx_memzero(&page, sizeof(page));

    page.entries = entries;

    for (pages = 0; !page.complete; pages++) {

        for (i = 0; i < 10; i++) {
            m.now += 1;
            n = CASE_PARK + unit_below(CASE_PAGED - CASE_PARK);

            if (unit_once(3)) {
                case_do(MODEL_DELETE, MODEL_NOBODY, n);
            } else {
                case_publish(n, 1, 1 + unit_below(300));
            }
        }

        for (n = 0; n < CASE_STAY; n++) {
            case_publish(n, 1, 10);
        }

        page.n = 0;
        page.max = 1 + unit_below(9);
        page.names = names;
        page.end = names + sizeof(names);

        (void) ngx_http_longpoll_zone_page_read(&m.zone, &page, unit_once(2)
                               ? (uint64_t) -1
                               : page.from | (uint64_t) -1 >> unit_below(12));

        for (i = 0; i < page.n; i++) {

            for (n = 0; n < CASE_PAGED; n++) {

                if (ngx_http_longpoll_hash_place(m.cats[n].cat.hash[1])
                    == entries[i].place)
                {
                    break;
                }
            }

            unit_must(n < CASE_PAGED, "an unknown category");
            unit_must(!seen[n]++, "a category stands twice");
            unit_must(entries[i].status.events == m.cats[n].count,
                      "not its messages");
            unit_must((entries[i].name.len != 0) == (m.cats[n].count != 0)
                      && (m.cats[n].count == 0
                          || (entries[i].name.len == m.cats[n].cat.name.len
                              && memcmp(entries[i].name.data,
                                        m.cats[n].cat.name.data,
                                        entries[i].name.len) == 0)),
                      "not its name");
            unit_must((entries[i].workers != 0)
                      == (n >= CASE_STAY && n < CASE_PARK), "who waits");
        }
    }

    for (n = 0; n < CASE_PARK; n++) {
        unit_must(seen[n] == 1, "category %u is left out", n);
    }

    unit_must(pages > 20, "few pages");

    (void) model_drain(0);
    (void) model_reap(0, model_op);

    model_check();
    model_end();
}


/*
 * All slots that one word of a summary stands for are in use.  The mark of the
 * next slot, which is in the next word, lies beyond what a worker looks at
 * until that slot is in use, too.  So it stands while the worker does not look,
 * and the worker finds it as soon as it does.
 */

static void
case_used(void *data)
{
    uint32_t       n;
    ngx_uint_t     number;
    ngx_atomic_t  *dirty, *summary;

    case_zone(4 * 1024 * 1024, 4097, 1, 0);

    for (n = 0; n < 4096; n++) {
        case_publish(n, 1, 1);
    }

    (void) case_read(NGX_HTTP_LONGPOLL_READ_PARK, 0, 4095, 1,
                     m.last_id, 1024);
    case_publish(4095, 1, 1);

    unit_must(case_dirty(0, 4095) == 1, "the last slot of a word is not found");

    number = m.workers[0];
    dirty = &m.zone.dirty[number * m.zone.words + 64];
    summary = &m.zone.summary[number * m.zone.sums + 1];

    *dirty = 1;
    *summary = 1;

    unit_must(m.sh->cats.fresh == 4096 && m.zone.sums > 1, "other slots");
    unit_must(case_dirty(0, 0) == 0 && *dirty && *summary,
              "a slot is looked at that is not in use");

    (void) case_read(NGX_HTTP_LONGPOLL_READ_PARK, 0, 4096, 1,
                     m.last_id, 1024);

    unit_must(m.sh->cats.fresh == 4097, "another slot");

    case_publish(4096, 1, 1);

    unit_must(case_dirty(0, 4096) == 1 && *dirty == 0 && *summary == 0,
              "the first slot of a word is not found");
    unit_must(case_dirty(0, 0) == 0, "it is found twice");

    (void) model_reap(0, model_op);

    model_check();
    model_end();
}


/* takes what is dirty; cat must be all of it */

static ngx_int_t
case_dirty(ngx_uint_t worker, uint32_t cat)
{
    model_op_t  op;

    model_set(&op, MODEL_DIRTY, worker, 0);
    unit_must(model_op(&op), "a plain op is killed");

    unit_must(op.rc == 0 || model_find_cat(op.hashes[0]) == cat,
              "another category is dirty");

    return op.rc;
}


/*
 * The zone's time: the wall clock, and while that is behind the last id, what
 * has elapsed since then.
 */

static void
case_clock(void *data)
{
    uint64_t  last;

    case_zone(65536, 2, 1000, 0);

    last = m.now;
    m.zone.sh->clock.last_id = ngx_http_longpoll_id(last, 7);

    case_time(last + 50, 100, last + 50);
    case_time(last - 1000, 200, last - 1000);

    /* more than a second behind: it stands at the id, and goes on */

    case_time(last - 1001, 5000, last);
    case_time(last - 1001, 5001, last + 1);
    case_time(last - 86400000, 9000, last + 4000);

    /* a later id, within the second, and behind it */

    m.zone.sh->clock.last_id = ngx_http_longpoll_id(last + 5000, 0);
    case_time(last - 1000, 9000, last + 4000);
    m.zone.sh->clock.last_id = ngx_http_longpoll_id(last + 9000, 0);
    case_time(last - 1000, 9000, last + 9000);
    case_time(last - 1000, 9500, last + 9500);

    /* the wall clock reaches the id, but the zone's time is past it */

    case_time(last + 9000, 10000, last + 10000);
    case_time(last + 9600, 10600, last + 10600);

    /* set forward, it is the zone's time again, also when it goes back a bit */

    case_time(last + 20000, 10700, last + 20000);
    case_time(last + 19000, 10800, last + 19000);
    case_time(last + 8000, 20000, last + 8000);
    case_time(last + 7999, 20000, last + 9000);
    case_time(last + 7999, 20001, last + 9001);

    /* the zone's clock never runs backwards past its last id */

    unit_must(ngx_http_longpoll_zone_clock(&m.zone, last) == last + 9000,
              "the clock is not at the last id");

    model_end();
}


static void
case_time(uint64_t wall, uint64_t elapsed, uint64_t expected)
{
    uint64_t  time;

    time = ngx_http_longpoll_zone_clock_time(&m.zone, wall, elapsed);

    unit_must(time == expected, "the zone's time is %ld ms off",
              (long) (time - expected));
}


const unit_case_t  store_cases[] = {

    { "a record may end exactly at the end of the log", case_exact_end },
    { "a log touches little more memory than its messages need", case_turns },
    { "it moves an eighth of what is published for that", case_moves },
    { "a log turns only if what is published has room then", case_turns_for },
    { "messages that stay take a log that has turned as far as it goes",
      case_grows },
    { "30,000 categories of one message go through 1 MB", case_many_cats },
    { "polls in all slots evict no message", case_polls },
    { "a poll that waits since a ms gets what comes in that ms",
      case_same_ms },
    { "a read in many holds is right, whatever happens between them",
      case_holds },
    { "so are a publish, a delete and a tick", case_long },
    { "a client that goes while it reads gets no message", case_gone },
    { "what a worker ends in several holds is due to nobody in between",
      case_ends },
    { "a hold of a read follows few links, whatever its categories are",
      case_wide },
    { "a poll begins with the newest messages of its categories together",
      case_recent },
    { "so it does in many holds, whatever happens between them",
      case_recent_holds },
    { "also when they are killed", case_long_kills },
    { "a large publish drops no more than a thousand messages in a hold",
      case_bound },
    { "no hold walks over a category of 70,000 messages", case_walks },
    { "data of 4 GB is refused, also by a zone of 64 GB", case_huge },
    { "a category whose slot is needed is evicted as a whole", case_evict },
    { "an answer that is copied outside the lock is whole", case_torn },
    { "a message over its ttl is dropped within two ticks", case_ticks },
    { "1,000 messages are published at once in a small zone", case_batches },
    { "a worker looks at the marks of all slots in use, and of no others",
      case_used },
    { "another process finds the same zone in the memory", case_views },
    { "one question at a time counts the polls of a category", case_questions },
    { "a category that stays is on one page, whatever comes and goes",
      case_pages },
    { "the zone's time goes on while the wall clock is behind", case_clock },
};


const ngx_uint_t  store_ncases = sizeof(store_cases) / sizeof(store_cases[0]);
