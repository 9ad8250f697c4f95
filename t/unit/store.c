
/*
 * store.c: the unit tests of the store.
 *
 * The store's files over plain memory.  Three machines, and some cases by hand:
 *
 *   model     random calls, their answers compared with plain arrays'
 *             (store_model.h says what is compared)
 *   crash     the same, but each call is first killed before its first store,
 *             then before its second, and so on
 *   mutation  each journaled store is made a plain one in turn: the crash
 *             machine must see it
 *
 * It is one program of these files and store_*.h.  With nginx configured, say
 * in N:
 *
 *     cc -std=gnu11 -O2 -Wall -Wextra -Wno-unused-parameter \
 *        -DNGX_HTTP_LONGPOLL_STEPS=1 -Isrc -IN/src/core -IN/src/event \
 *        -IN/src/os/unix -IN/objs -o store t/unit/store.c \
 *        src/ngx_http_longpoll_{id,hash,log,cat,place,zone*}.c
 *
 * and, for the sanitizers, -O1 -g -fsanitize=address,undefined.
 *
 *     store [SEED]                    all tests, as TAP
 *     store soak SECONDS [SEED]       model and crash with ever new seeds
 *     store case N [SEED]             one case again, as a failure names it
 *     store world FLAGS SEED OPS      one world again, the same
 *
 * STORE_SEED is a seed too.  STORE_ABORT=1 aborts where a test fails, for a
 * debugger.  Every test runs in a child, so that one that dies or hangs is a
 * failure and not the end.
 */


#include "store_model.h"

#include <time.h>


#if (__SANITIZE_ADDRESS__)
#define TEST_SLOWER  3
#else
#define TEST_SLOWER  1
#endif


#define TEST_HOLD_DROPS      1000
#define TEST_MUTANT_WORLDS   100
#define TEST_MUTANT_OPS      600
#define TEST_MUTANT_TRIES    5
#define TEST_MUTANT_HITS     300
#define TEST_MUTANT_SECONDS  (5 * TEST_SLOWER)


typedef struct {
    const char  *title;
    ngx_uint_t   flags;
    ngx_uint_t   worlds;
    ngx_uint_t   ops;           /* in each */
    uint64_t     seed;          /* of the one at hand */
} test_worlds_t;


typedef struct {
    const char  *title;
    void       (*run)(void *data);
} test_case_t;


static ngx_uint_t  test_number;
static ngx_uint_t  test_failed;
static uint64_t    test_seed;
static ngx_uint_t  test_zones;


/*
 * worlds
 */


static void
test_world(void *data)
{
    test_worlds_t  *t = data;

    model_random_world(t->seed, t->flags);

    stub_hook = t->flags & MODEL_BETWEEN ? model_hook : NULL;
    stub_crash_seed = t->flags & MODEL_CRASH ? t->seed : 0;

    if (t->flags & MODEL_CRASH) {
        model_crash_empty_log();
        model_crash_newest();

        if (t->flags & MODEL_CROWDED) {
            model_pin_all();
        }
    }

    while (stub->op < t->ops) {
        model_act(MODEL_NOBODY, 1);
    }

    model_check();
    model_end();
}


static const test_worlds_t  test_models[] = {

    { "what was published is read, in order, once, or missed is said",
      0, 300, 5000, 0 },

    { "categories may be more than slots",
      MODEL_CROWDED, 200, 5000, 0 },

    { "an inactive category is forgotten, and no other",
      MODEL_CROWDED|MODEL_IDLE, 200, 5000, 0 },

    { "with delete_on_read a message is given and goes",
      MODEL_TAKE, 200, 5000, 0 },

    { "others may come between any two holds of the lock",
      MODEL_BETWEEN|MODEL_CROWDED|MODEL_IDLE|MODEL_TAKE, 200, 5000, 0 },

    { "a large zone is no different",
      MODEL_LARGE, 20, 20000, 0 },

    { "nor is a large one in which others come between",
      MODEL_LARGE|MODEL_BETWEEN|MODEL_IDLE|MODEL_TAKE, 20, 20000, 0 },

    { "a kill at any store loses nothing that was acknowledged",
      MODEL_CRASH, 100, 600, 0 },
};


/* of a crash world the seed says all */

static ngx_uint_t
test_crash_flags(uint64_t seed)
{
    static const ngx_uint_t  flags[] = {
        0, MODEL_CROWDED, MODEL_TAKE, MODEL_CROWDED|MODEL_IDLE|MODEL_TAKE
    };

    return MODEL_CRASH | flags[seed % 4];
}


/*
 * cases by hand
 */


static void
test_zone(size_t size, ngx_uint_t ncats, uint64_t buffer, ngx_uint_t flags)
{
    ngx_http_longpoll_zone_conf_t  conf;

    ngx_memzero(&conf, sizeof(conf));
    conf.buffer = buffer;

    stub_random_state = test_seed + ++test_zones;
    model_world(test_seed, flags|MODEL_PLAIN, size, ncats, &conf);
}


static void
test_do(model_op_e kind, ngx_uint_t worker, uint32_t cat)
{
    model_op_t  op;

    model_set(&op, kind, worker, cat);
    stub_must(model_op(&op), "a plain op is killed");
}


static void
test_publish(uint32_t cat, ngx_uint_t n, uint64_t len)
{
    model_op_t  op;

    model_set(&op, MODEL_PUBLISH, MODEL_NOBODY, 0);

    for (op.n = 0; n; n--) {
        model_add(&op, cat, len);
    }

    stub_must(model_op(&op) && op.rc == NGX_OK, "a publish fails");
}


static void
test_configure(uint64_t ttl, uint64_t inactive, uint64_t delete_on_read)
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
test_read(ngx_http_longpoll_read_e mode, ngx_uint_t worker, uint32_t cat,
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
test_exact_end(void *data)
{
    uint64_t    end, need, max, fixed;
    ngx_uint_t  i, hits;

    test_zone(64 * 1024, 3, 250, 0);

    fixed = model_need(0, 0, 0);
    hits = 0;

    for (i = 0; i < 6000; i++) {
        end = m.sh->log.size - m.sh->log.head % m.sh->log.size;
        max = m.size / 4 - 64;

        need = 64 + 16 * stub_below(100);

        if (end >= fixed + 16 && end <= max && !stub_once(3)) {
            need = end;
            hits++;
        }

        test_publish(0, 1, need - sizeof(ngx_http_longpoll_msg_sh_t)
                           - m.cats[0].cat.name.len);

        stub_must(need != end || m.sh->log.head % m.sh->log.size == 0
                  || i == 0 || end > max, "a record does not end at the end");

        if (stub_once(3)) {
            test_publish(1 + stub_below(2), 1, 1 + stub_below(300));
        }

        (void) test_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY,
                         stub_below(3), 1, 0, 1024 * 1024);
    }

    stub_must(hits > 100, "it happened %lu times", (unsigned long) hits);

    model_check();
    model_end();
}


static void
test_many_cats(void *data)
{
    uint32_t    n, max;
    ngx_uint_t  i;

    test_zone(1024 * 1024, 30000, 250, 0);

    for (n = 0; n < 30000; n++) {
        m.now += stub_once(10);
        test_publish(n, 1, 1);
    }

    max = ngx_http_longpoll_cat_max_full(&m.zone.cats);

    stub_must(m.full == max, "%lu categories live, not %u",
              (unsigned long) m.full, max);

    for (n = 30000 - 64; n < 30000; n++) {
        stub_must(m.cats[n].count == 1, "a young category is forgotten");
        stub_must(test_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY, n, 1,
                            0, 1024) == NGX_OK, "it is not read");
    }

    for (i = 0; i < 1000; i++) {
        (void) test_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY,
                         stub_below(30000), 1,
                         stub_below(2) * m.last_id / 2, 1024);
    }

    model_check();
    model_end();
}


/* half of the categories have a message, then polls want all slots */

static void
test_polls(void *data)
{
    uint32_t    n;
    ngx_uint_t  i, w, live;
    model_op_t  op;

    test_zone(64 * 1024, 1000, 250, 0);

    for (n = 0; n < 90; n++) {
        test_publish(n, 1, 20);
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

        stub_must(model_park_op(&op) && op.rc == NGX_AGAIN, "not parked");
    }

    stub_must(m.nlive == live, "polls have cost a message its place");
    stub_must(m.slotless[0] && m.slotless[1] && m.slotless[2], "no poll is loose");
    model_check();

    for (n = 0; n < 1000; n += 1 + stub_below(10)) {
        test_publish(n, 1, 20);

        if (stub_once(20)) {
            for (w = 0; w < MODEL_WORKERS; w++) {
                (void) model_drain(w);
            }
        }
    }

    for (w = 0; w < MODEL_WORKERS; w++) {
        (void) model_drain(w);
        (void) model_bury(w, model_op);
    }

    model_check();
    model_end();
}


/* who waits since this ms is given what comes in it, but not what has come */

static void
test_same_ms(void *data)
{
    uint64_t    seen;
    model_op_t  op;

    test_zone(64 * 1024, 1000, 250, 0);
    test_publish(0, 1, 20);

    seen = m.visible;

    model_set_read(&op, 0);
    ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));

    op.cursor.fresh = 1;
    op.cursor.id = ngx_http_longpoll_id_last_of(m.now);
    op.rd.limit = 1024;
    op.rd.ncats = 1;
    op.which[0] = 0;
    op.costs[0] = 0;

    stub_must(model_park_op(&op) && op.rc == NGX_AGAIN, "not parked");
    stub_must(op.rd.cursor.id == seen, "the cursor stands elsewhere");

    test_publish(0, 1, 20);

    stub_must(model_ms(m.visible) == model_ms(seen), "not in the same ms");
    stub_must(test_read(NGX_HTTP_LONGPOLL_READ_WAKE, 0, 0, 1,
                        op.rd.cursor.id, 1024)
              == NGX_OK, "who waits is not given it");

    stub_must(test_read(NGX_HTTP_LONGPOLL_READ_PEEK, 0, 0, 1,
                        ngx_http_longpoll_id_last_of(m.now), 1024)
              == NGX_AGAIN, "what had come is given");
    model_end();
}


/* scripts: what another worker does between two lock holds */

static uint32_t  test_script_cat;


static void
test_script_delete(void)
{
    test_do(MODEL_DELETE, MODEL_NOBODY, test_script_cat);
}


static void
test_script_publish(void)
{
    test_publish(1, 1, 100);
    test_publish(0, 3, 100);
    test_publish(1, 1, 100);
}


static void
test_script_huge(void)
{
    test_publish(1, 1, m.size / 4 - 200);
    test_publish(1, 1, m.size / 4 - 200);
}


/* once around the log, in records of the same size */

static void
test_script_lap(void)
{
    ngx_uint_t  n;

    for (n = m.sh->log.size / model_need(0, 10, 0) / 100; n; n--) {
        test_publish(0, 100, 10);
    }
}


/* others come and go, again and again, until the living have been moved */

static void
test_script_move(void)
{
    ngx_uint_t  n;

    for (n = m.sh->log.size / model_need(0, 10, 0) / 100; n; n--) {
        test_publish(2, 100, 10);
        test_do(MODEL_DELETE, MODEL_NOBODY, 2);
    }
}


static void
test_script_take(void)
{
    test_configure(0, 0, !m.conf.delete_on_read);
}


static void
test_script_idle(void)
{
    m.now += 100000;
    test_do(MODEL_TICK, MODEL_NOBODY, 0);
}


static void
test_script_read(void)
{
    (void) test_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY,
                     test_script_cat, 1, 0, 1024 * 1024);
}


static void
test_script_unwatch(void)
{
    test_do(MODEL_TICK, MODEL_NOBODY, 0);

    if (m.parks[0].busy) {
        (void) model_leave(&m.parks[0]);
    }
}


static void
test_fill(ngx_uint_t n)
{
    for ( /* void */ ; n; n -= 100) {
        m.now++;
        test_publish(0, 100, 10);
    }
}


/* a read of a few thousand messages, from the middle, behind and before it */

static void
test_holds(void *data)
{
    uint64_t    id;
    ngx_uint_t  i, lock;

    static void  (*scripts[])(void) = {
        test_script_publish, test_script_delete, test_script_huge,
        test_script_take, test_script_idle, test_script_lap, test_script_move
    };

    for (i = 0; i < 7 * 6 * 4; i++) {
        lock = 1 + i / 7 % 6;

        test_zone(1024 * 1024, 3, 20000, MODEL_BETWEEN|MODEL_IDLE);
        test_configure(0, i % 7 == 4 ? 5000 : 0, 0);
        test_fill(5000);

        test_script_cat = 0;
        id = m.all[i / 42 * 1600]->id;

        m.script = scripts[i % 7];
        m.script_lock = lock;
        stub_hook = model_hook;

        (void) test_read(i & 1 ? NGX_HTTP_LONGPOLL_READ_LAST
                               : NGX_HTTP_LONGPOLL_READ_PARK, 0, 0,
                         1 + (i & 1), id, 1024 * 1024);

        stub_hook = NULL;

        model_check();
        model_end();
    }
}


/* publishes, deletes, ticks and forgetting in several holds */

static void
test_long(void *data)
{
    ngx_uint_t  i, k, lock;
    model_op_t  op;

    static void  (*scripts[])(void) = {
        test_script_publish, test_script_delete, test_script_huge,
        test_script_take, test_script_read, test_script_unwatch
    };

    for (i = 0; i < 4 * 6 * 5 * 5; i++) {
        lock = 1 + i / 6 % 5;

        test_zone(1024 * 1024, 3, 20000, MODEL_BETWEEN|MODEL_TAKE);
        test_configure(0, 0, stub_below(2));
        test_fill(3500);
        test_script_cat = 0;

        model_set_read(&op, 0);
        ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));
        op.cursor.fresh = 1;
        op.cursor.now = 1;
        op.rd.ncats = 1;
        op.which[0] = 0;

        if (stub_once(2)) {
            (void) model_park_op(&op);
        }

        m.script = scripts[i % 6];
        m.script_lock = lock;
        stub_hook = model_hook;

        switch (i / 30 % 5) {

        case 0:
        case 1:
            test_do(MODEL_DELETE, 1, 0);
            break;

        case 2:
            test_publish(2, 1, m.size / 4 - 200);
            test_publish(2, 1, m.size / 4 - 200);
            break;

        case 3:


            /* 16 bytes more for each with delete_on_read */

            for (k = 0; k < 5; k++) {
                test_publish(2, 950, 256 - model_need(2, 0, 0)
                                     + (m.conf.delete_on_read ? 8 : 0));
            }

            break;

        case 4:
            stub_hook = NULL;
            test_configure(1, 0, m.conf.delete_on_read);
            stub_hook = model_hook;
            m.now += 10000;
            test_do(MODEL_TICK, 1, 0);
        }

        stub_hook = NULL;
        m.script = NULL;

        test_publish(0, 1, 10);
        (void) model_drain(0);

        model_check();
        model_end();
    }
}


/* kills in what takes several holds of the lock */

static void
test_long_kills(void *data)
{
    ngx_uint_t  i;
    model_op_t  op;

    for (i = 0; i < 10; i++) {
        test_zone(512 * 1024, 3, 20000, MODEL_BETWEEN|MODEL_TAKE|MODEL_IDLE);
        test_configure(0, 0, i & 1);
        test_fill(2200);

        model_set_read(&op, 0);
        ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));
        op.cursor.fresh = 1;
        op.cursor.now = 1;
        op.rd.ncats = 1;
        op.which[0] = 0;

        if (i & 2) {
            (void) model_park_op(&op);
        }

        switch (i % 5) {

        case 0:
        case 1:
            model_set(&op, MODEL_DELETE, 1, 0);
            break;

        case 2:
        case 3:
            test_configure(i % 5 == 2 ? 1 : 0, i % 5 == 3 ? 1 : 0, i & 1);
            m.now += 10000;
            model_set(&op, MODEL_TICK, 1, 0);
            break;

        default:
            test_publish(1, 1, m.size / 4 - 200);
            model_set(&op, MODEL_PUBLISH, 1, 0);
            op.n = 0;
            model_add(&op, 1, m.size / 4 - 200);
        }

        m.flags |= MODEL_CRASH;
        (void) model_op(&op);
        m.flags &= ~MODEL_CRASH;

        test_publish(0, 1, 10);
        model_check();
        model_end();
    }
}


/* categories of more messages than one lock hold drops, and no slot left */

static void
test_forget(void *data)
{
    uint32_t    n, max;
    ngx_uint_t  i;

    test_zone(1024 * 1024, 2000, 20000, 0);

    max = ngx_http_longpoll_cat_max_full(&m.zone.cats);

    for (n = 0; n < max; n++) {
        m.now += 10;

        for (i = n < 64 && n % 16 == 0 ? 1500 : 1; i; i -= ngx_min(i, 100)) {
            test_publish(n, ngx_min(i, 100), 1);
        }
    }

    for ( /* void */ ; n < 2000; n++) {
        m.now += 10;
        test_publish(n, 1, 1);
        stub_must(m.full == max, "%lu categories live", (unsigned long) m.full);
    }

    model_check();
    model_end();
}


/* large answers, overwritten while they are copied */

static void
test_torn(void *data)
{
    uint64_t    torn;
    ngx_uint_t  i;

    test_zone(1024 * 1024, 4, 250, MODEL_BETWEEN);
    m.small = 20000;

    torn = stub->torn;

    for (i = 0; i < 4000 || stub->torn - torn < 50; i++) {
        stub_must(i < 100000, "answers are hardly ever overwritten");

        (void) model_publish(MODEL_NOBODY);
        m.now += stub_below(3);

        (void) test_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY,
                         stub_below(4), 1, stub_once(2) ? 0 : m.last_id / 2,
                         stub_once(2) ? 300000 : 1024 * 1024);
    }

    model_check();
    model_end();
}


/* within two seconds, without a poll or a publish */

static void
test_ticks(void *data)
{
    uint32_t    n;
    ngx_uint_t  i;

    for (i = 0; i < 20; i++) {
        test_zone(256 * 1024, 300, 250, MODEL_IDLE);
        test_configure(i & 1 ? 3000 : 0, i & 1 ? 0 : 5000, 0);

        for (n = 0; n < 1000; n++) {
            m.now++;
            test_publish(stub_below(300), 1, 30);
        }

        m.now += 6000;
        test_publish(300 - 1, 1, 30);

        test_do(MODEL_TICK, MODEL_NOBODY, 0);
        m.now += 1000;
        test_do(MODEL_TICK, MODEL_NOBODY, 0);

        stub_must(m.nlive == 1, "%lu messages live on",
                  (unsigned long) m.nlive);

        test_do(MODEL_STATUS, MODEL_NOBODY, 0);
        model_check();
        model_end();
    }
}


/*
 * A message that takes the place of a hundred thousand: whatever it costs, it
 * costs in small holds.  Too many for the model, so only the zone is here.
 */

static uint64_t  test_bound_evicted;


static void
test_bound_hook(void)
{
    uint64_t  evicted;

    evicted = m.sh->counters.evicted;

    stub_must(evicted - test_bound_evicted <= TEST_HOLD_DROPS,
              "%lu messages are dropped in one hold",
              (unsigned long) (evicted - test_bound_evicted));

    test_bound_evicted = evicted;
    stub->holds++;
}


static void
test_bound(void *data)
{
    uint64_t                 wake, n, holds;
    ngx_http_longpoll_cat_t  cat;
    ngx_http_longpoll_msg_t  msg;

    static u_char  bytes[8 * 1024 * 1024];

    test_zone(32 * 1024 * 1024, 10, 10000000, 0);

    ngx_memzero(&msg, sizeof(msg));
    msg.data.data = bytes;
    cat = m.cats[0].cat;

    for (n = 0; m.sh->counters.evicted == 0; n++) {
        msg.data.len = 1;
        stub_must(ngx_http_longpoll_zone_publish(&m.zone, &cat, &msg, 1, NULL,
                                                 m.now, &wake)
                  == NGX_OK, "a small one is refused");
    }

    test_bound_evicted = m.sh->counters.evicted;
    holds = stub->holds;
    stub_hook = test_bound_hook;

    msg.data.len = m.size / 4 - 1024;
    stub_must(ngx_http_longpoll_zone_publish(&m.zone, &cat, &msg, 1, NULL,
                                             m.now, &wake)
              == NGX_OK, "a large one is refused");

    test_bound_hook();

    stub_must(stub->holds - holds > 64, "it took only %lu holds",
              (unsigned long) (stub->holds - holds));
}


static void
test_views(void *data)
{
    u_char                    *addr, random[24];
    ngx_http_longpoll_zone_t   z, old;

    ngx_memzero(&z, sizeof(z));
    ngx_memzero(random, sizeof(random));

    z.size = 32 * 1024;
    addr = calloc(1, z.size);

    stub_must(ngx_http_longpoll_zone_init(&z, addr, z.size / 2, 0, random, 1)
              == NGX_DECLINED, "a zone of half the memory is made");
    free(addr);

    test_zone(64 * 1024, 10, 250, 0);
    test_publish(1, 10, 100);

    old = m.zone;
    ngx_memzero(&m.zone, sizeof(m.zone));
    m.zone.mutex = old.mutex;
    m.zone.size = m.size;

    model_zone_init(1);
    test_publish(1, 10, 100);
    (void) test_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY, 1, 1, 0,
                     1 << 20);
    model_check();

    ngx_memzero(&m.zone, sizeof(m.zone));
    m.zone.size = m.size;
    ngx_http_longpoll_zone_inherit(&m.zone, &old);

    test_publish(1, 100, 100);
    (void) test_read(NGX_HTTP_LONGPOLL_READ_LAST, MODEL_NOBODY, 1, 1, 0,
                     1 << 20);
    model_check();
    model_end();
}


/* as many as may be, of one category and of as many as there may be */

static void
test_batches(void *data)
{
    ngx_uint_t  i;
    model_op_t  op;

    test_zone(256 * 1024, 1000, 5000, 0);

    test_publish(0, 1000, 10);
    test_publish(1, 1000, 10);

    for (i = 380; i < 390; i++) {
        model_set(&op, MODEL_PUBLISH, MODEL_NOBODY, 0);

        for (op.n = 0; op.n < i; /* void */ ) {
            model_add(&op, op.n, 10);
        }

        stub_must(model_op(&op), "killed");
    }

    model_check();
    model_end();
}


static const test_case_t  test_cases[] = {

    { "a record may end exactly at the end of the log", test_exact_end },
    { "30,000 categories of one message go through 1 MB", test_many_cats },
    { "polls in all slots cost no message its place", test_polls },
    { "who waits in a ms is given what comes in it", test_same_ms },
    { "a read in many holds bears anything between them", test_holds },
    { "so do a publish, a delete and a tick", test_long },
    { "and a kill, too", test_long_kills },
    { "a large publish drops a thousand in one hold, at most", test_bound },
    { "a category goes as a whole where its slot is needed", test_forget },
    { "an answer that is copied outside the lock is whole", test_torn },
    { "what is over its time is gone after two ticks", test_ticks },
    { "1,000 messages are published at once in a small zone", test_batches },
    { "a zone can be viewed anew", test_views },
};


/*
 * TAP
 */


static void
test_report(const char *title, const char *wrong, ngx_uint_t flags,
    ngx_uint_t ops)
{
    test_number++;

    printf("%sok %lu - %s\n", wrong ? "not " : "", (unsigned long) test_number,
           title);

    if (wrong) {
        test_failed++;

        printf("# %s\n", wrong);
        printf("# op %lu: %s\n", (unsigned long) stub->op, stub->what);

        if (ops) {
            printf("# again: store world %lu %lu %lu\n", (unsigned long) flags,
                   (unsigned long) stub->seed, (unsigned long) ops);
        }
    }

    fflush(stdout);
}


static void
test_numbers(void)
{
    printf("# %lu ops, %lu further holds, %lu ops between, %lu reads, "
           "%lu messages\n",
           (unsigned long) stub->ops, (unsigned long) stub->holds,
           (unsigned long) stub->between, (unsigned long) stub->reads,
           (unsigned long) stub->messages);
    printf("# %lu dropped, %lu emergencies, %lu missed, %lu falsely, "
           "%lu invalid, %lu declined, %lu known\n",
           (unsigned long) stub->dropped, (unsigned long) stub->emergencies,
           (unsigned long) stub->missed, (unsigned long) stub->false_missed,
           (unsigned long) stub->torn, (unsigned long) stub->declined,
           (unsigned long) stub->known);
    printf("# %lu messages to clients of gpoll's, %lu lost one and went, "
           "%lu strangers\n",
           (unsigned long) stub->given, (unsigned long) stub->lost,
           (unsigned long) stub->strangers);
    printf("# %lu kills, %lu kills in recovery, %lu times life went on\n",
           (unsigned long) stub->kills, (unsigned long) stub->rekills,
           (unsigned long) stub->epochs);
    fflush(stdout);
}


/* each world is a process, so that it is the same when it runs alone */

static void
test_worlds(const test_worlds_t *worlds)
{
    ngx_uint_t      i, crash;
    const char     *wrong;
    test_worlds_t   t;

    t = *worlds;
    crash = t.flags & MODEL_CRASH;
    wrong = NULL;

    for (i = 0; i < t.worlds / TEST_SLOWER + 1 && wrong == NULL; i++) {
        t.seed = test_seed + i;
        t.flags = crash ? test_crash_flags(t.seed) : t.flags;
        wrong = stub_run(test_world, &t, 60);
    }

    test_report(t.title, wrong, t.flags, t.ops);
}


static void
test_one_case(ngx_uint_t i)
{
    const char  *wrong;

    wrong = stub_run(test_cases[i].run, NULL, 60 * TEST_SLOWER);
    test_report(test_cases[i].title, wrong, 0, 0);

    if (wrong) {
        printf("# again: store case %lu %lu\n", (unsigned long) i,
               (unsigned long) test_seed);
    }
}


/*
 * mutations
 */


/* ends well where the mutation is not noticed */

static void
test_mutant(void *data)
{
    ngx_uint_t     i;
    test_worlds_t  t;

    stub_plain = data;

    for (i = 0; i < TEST_MUTANT_WORLDS; i++) {
        t.seed = stub_plain->seed + i;
        t.flags = test_crash_flags(t.seed);
        t.ops = TEST_MUTANT_OPS;

        test_world(&t);

        if (stub_plain_ops > TEST_MUTANT_HITS) {
            return;
        }
    }
}


static int
test_by_place(const void *a, const void *b)
{
    int                  rc;
    const stub_site_t   *one, *two;

    one = *(stub_site_t **) a;
    two = *(stub_site_t **) b;

    rc = strcmp(one->file, two->file);

    return rc ? rc : (int) (one->line - two->line);
}


static void
test_mutations(void)
{
    ngx_uint_t    i, k, n, tried, caught;
    const char   *file;
    stub_site_t  *site, *sites[STUB_SITES];

    n = 0;

    for (i = 0; i < STUB_SITES; i++) {
        if (stub->sites[i].file) {
            sites[n++] = &stub->sites[i];
        }
    }

    qsort(sites, n, sizeof(stub_site_t *), test_by_place);

    tried = caught = 0;

    for (i = 0; i < n; i++) {
        site = sites[i];
        file = strrchr(site->file, '/');
        file = file ? file + 1 : site->file;

        if (site->seed == 0) {
            printf("# never killed at: %s:%lu\n", file,
                   (unsigned long) site->line);
            continue;
        }

        tried++;

        /* some show only in rare states: other worlds have their turn */

        for (k = 0; k < TEST_MUTANT_TRIES; k++) {

            if (stub_run(test_mutant, site, TEST_MUTANT_SECONDS)) {
                break;
            }

            site->seed += TEST_MUTANT_WORLDS;
        }

        if (k < TEST_MUTANT_TRIES) {
            caught++;

        } else {
            printf("# survives as a plain store: %s:%lu (seed %lu)\n", file,
                   (unsigned long) site->line, (unsigned long) site->seed);
        }

        if (getenv("STORE_VERBOSE")) {
            printf("# %s:%lu: %s\n", file, (unsigned long) site->line,
                   stub->wrong);
        }
    }

    printf("# %lu journaled stores, %lu tried, %lu caught\n",
           (unsigned long) n, (unsigned long) tried, (unsigned long) caught);

    test_report("each journaled store is journaled for a reason",
                n && caught == n ? NULL : "some are not noticed", 0, 0);
}


/* ever new worlds; ends at the first that goes wrong */

static void
test_soak(time_t until)
{
    ngx_uint_t     i, n;
    const char    *wrong;
    test_worlds_t  t;

    for (n = 0; time(NULL) < until; n++) {

        for (i = 0; i < sizeof(test_models) / sizeof(test_models[0]); i++) {
            t = test_models[i];
            t.seed = test_seed + n;

            if (t.flags & MODEL_CRASH) {
                t.flags = test_crash_flags(t.seed);
            }

            wrong = stub_run(test_world, &t, 120 * TEST_SLOWER);

            if (wrong) {
                test_report(t.title, wrong, t.flags, t.ops);
                return;
            }
        }

        for (i = 0; i < sizeof(test_cases) / sizeof(test_cases[0])
                    && n % 20 == 0; i++)
        {
            test_seed += 1000000;
            wrong = stub_run(test_cases[i].run, NULL, 120 * TEST_SLOWER);

            if (wrong) {
                test_report(test_cases[i].title, wrong, 0, 0);
                printf("# again: store case %lu %lu\n", (unsigned long) i,
                       (unsigned long) test_seed);
                return;
            }

            test_seed -= 1000000;
        }
    }

    test_report("nothing is found", NULL, 0, 0);
}


int
main(int argc, char *argv[])
{
    size_t          i;
    char           *seed;
    test_worlds_t   t;

    stub_init();

    stub_random_state = 1;

    for (i = 0; i < MODEL_PATTERN; i++) {
        model_pattern[i] = (u_char) stub_random();
    }

    seed = getenv("STORE_SEED");
    test_seed = seed ? strtoul(seed, NULL, 0) : (uint64_t) time(NULL);

    if (argc == 5 && strcmp(argv[1], "world") == 0) {
        t.flags = strtoul(argv[2], NULL, 0);
        t.seed = strtoul(argv[3], NULL, 0);
        t.ops = strtoul(argv[4], NULL, 0);
        test_report("one world", stub_run(test_world, &t, 3600), t.flags,
                    t.ops);
        test_numbers();
        return test_failed != 0;
    }

    if (argc >= 3 && strcmp(argv[1], "case") == 0) {
        i = strtoul(argv[2], NULL, 0);
        test_seed = argc == 4 ? strtoul(argv[3], NULL, 0) : test_seed;

        if (i < sizeof(test_cases) / sizeof(test_cases[0])) {
            test_one_case(i);
        }

        return test_failed != 0;
    }

    if (argc >= 3 && strcmp(argv[1], "soak") == 0) {
        test_seed = argc == 4 ? strtoul(argv[3], NULL, 0) : test_seed;
        printf("# seed %lu\n", (unsigned long) test_seed);

        test_soak(time(NULL) + strtoul(argv[2], NULL, 0));
        test_numbers();
        printf("1..%lu\n", (unsigned long) test_number);

        return test_failed != 0;
    }

    if (argc == 2) {
        test_seed = strtoul(argv[1], NULL, 0);
    }

    printf("# seed %lu\n", (unsigned long) test_seed);

    for (i = 0; i < sizeof(test_cases) / sizeof(test_cases[0]); i++) {
        test_one_case(i);
    }

    for (i = 0; i < sizeof(test_models) / sizeof(test_models[0]); i++) {
        test_worlds(&test_models[i]);
    }

    test_numbers();
    test_mutations();

    printf("1..%lu\n", (unsigned long) test_number);

    return test_failed != 0;
}
