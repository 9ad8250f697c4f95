
/*
 * save.c: the unit tests of a zone and its file.
 *
 * The store's files over plain memory, and a file that is a list.  As in
 * store.c there are random worlds, whose every op is compared with a model
 * (save_model.h says what is compared), the same with a kill at every single
 * store, worlds that end and are loaded again, cases by hand, and mutations:
 * each journaled store of zone_disk.c, zone_cursor.c and zone_clock.c is made a
 * plain one in turn.
 *
 *     save [SEED]                     all tests, as TAP
 *     save soak SECONDS [SEED]        random worlds with ever new seeds
 *     save case N [SEED]              one case again, as a failure names it
 *     save world FLAGS SEED OPS       one world again, the same
 *
 * STORE_SEED is a seed too.  STORE_ABORT=1 aborts where a test fails.
 */


#include "save_model.h"
#include "save_op.h"
#include "save_life.h"

#include <time.h>


#if (__SANITIZE_ADDRESS__)
#define TEST_SLOWER  3
#else
#define TEST_SLOWER  1
#endif

#define TEST_MUTANT_WORLDS   60
#define TEST_MUTANT_OPS      400
#define TEST_MUTANT_SECONDS  (4 * TEST_SLOWER)


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
static op_t        test_op;


/*
 * worlds
 */


static void
test_random_conf(ngx_http_longpoll_zone_conf_t *conf)
{
    static const uint64_t  buffers[] = { 1, 2, 5, 20, 250, 10000 };

    ngx_memzero(conf, sizeof(*conf));

    conf->buffer = buffers[stub_below(6)];
    conf->ttl = stub_once(2) ? 0 : stub_skewed(1, 20000);
    conf->flush = 1000;
    conf->durable = stub_below(2);

    if ((m.flags & MODEL_IDLE) && !stub_once(3)) {
        conf->inactive = stub_skewed(1, 20000);
    }

    if ((m.flags & MODEL_TAKE) && !stub_once(4)) {
        conf->delete_on_read = 1;
    }
}


static void
test_set(op_e kind)
{
    test_op.kind = kind;
    test_op.now = m.now;
    test_op.n = 0;
    test_op.name = 0;
    test_op.on = 0;
    test_op.must = 0;
    test_op.cat = stub_below(MODEL_CATS);
}


static void
test_random_publish(void)
{
    ngx_uint_t  i, k, n, ncats;
    uint32_t    index[MODEL_CATS], cat;

    n = stub_once(3) ? 1 + stub_skewed(0, MODEL_BATCH) : 1;

    for (i = 0; i < MODEL_CATS; i++) {
        index[i] = MODEL_CATS;
    }

    test_op.uid = m.uid;
    m.uid += n;

    for (i = 0, ncats = 0; i < n; i++) {
        cat = stub_once(2) ? stub_below(2) : stub_below(MODEL_CATS);

        if (index[cat] == MODEL_CATS) {
            index[cat] = ncats;
            test_op.cats[ncats++] = model_cats[cat];
        }

        k = 1 + (stub_once(30) && n == 1 ? stub_skewed(0, m.size / 6)
                                         : stub_below(200));

        test_op.which[i] = cat;
        test_op.msgs[i].cat = index[cat];
        test_op.msgs[i].data.len = k;
        test_op.msgs[i].data.data = malloc(k);
        memcpy(test_op.msgs[i].data.data, model_bytes(test_op.uid + i, k), k);
    }

    test_op.n = n;
    test_op.name = stub_once(3) ? 1 + stub_below(12) : 0;

    (void) op_run(&test_op);

    for (i = 0; i < n; i++) {
        free(test_op.msgs[i].data.data);
    }
}


static void
test_random_cursor(ngx_http_longpoll_cursor_t *cursor)
{
    ngx_uint_t  i;

    ngx_memzero(cursor, sizeof(*cursor));
    cursor->fresh = 1;

    switch (stub_below(4)) {

    case 0:
        cursor->now = 1;
        break;

    case 1:
        cursor->beginning = 1;
        break;

    default:
        if (m.n_msgs) {
            i = model_index(sh->clock.visible + 1);
            i = i ? stub_below(i) : 0;

            if (m.msgs[i].id <= sh->clock.visible) {
                cursor->id = m.msgs[i].id;
                cursor->since = model_ms(cursor->id);
                cursor->exact = 1;
            }
        }
    }
}


static void
test_random_read(void)
{
    ngx_uint_t  i, k, n;

    n = stub_once(2) ? 1 : 1 + stub_below(3);
    test_op.rd.ncats = n;

    for (i = 0; i < n; i++) {
        do {
            test_op.which[i] = stub_below(MODEL_CATS);
            for (k = 0; k < i && test_op.which[k] != test_op.which[i]; k++) ;
        } while (k < i);

        test_op.cats[i] = model_cats[test_op.which[i]];
        test_op.costs[i] = 10;
    }

    test_random_cursor(&test_op.cursor);

    test_op.worker = NGX_HTTP_LONGPOLL_NO_WORKER;
    test_op.rd.mode = stub_once(2) ? NGX_HTTP_LONGPOLL_READ_LAST
                                   : NGX_HTTP_LONGPOLL_READ_PEEK;

    if (stub_once(3)) {
        test_op.rd.mode = NGX_HTTP_LONGPOLL_READ_PARK;
        test_op.worker = stub_below(MODEL_WORKERS);
    }

    if (op_run(&test_op) && test_op.rc == NGX_AGAIN
        && test_op.rd.mode == NGX_HTTP_LONGPOLL_READ_PARK)
    {
        for (i = 0; i < n; i++) {
            op_slots[test_op.worker][test_op.which[i]] = test_op.slots[i] + 1;
        }
    }
}


static void
test_random_leave(void)
{
    ngx_uint_t  w;

    w = stub_below(MODEL_WORKERS);
    test_op.worker = w;

    if (test_op.kind == OP_FORGET) {
        (void) op_run(&test_op);
        ngx_memzero(op_slots[w], sizeof(op_slots[w]));
        return;
    }

    if (op_slots[w][test_op.cat]) {
        op_slots[w][test_op.cat]--;
        (void) op_run(&test_op);
        op_slots[w][test_op.cat] = 0;
    }
}


/* the writer goes on */

static void
test_random_writer(void)
{
    op_e        kind;

    test_op.bytes = stub_once(3) ? 100 + stub_below(1000) : 20000;
    test_op.max_notes = stub_once(3) ? 2 + stub_below(6) : 64;

    if (!m.ready) {
        kind = OP_BEGIN;

        if (stub_once(6)) {

            /* it cannot open its file */

            if (sh->disk.durable && sh->conf.durable) {
                kind = OP_UNSAVED;

            } else {
                kind = OP_DURABLE;
                test_op.must = 1;
            }
        }

    } else if (m.round) {
        kind = stub_once(4) ? stub_once(2) ? OP_UNSAVED : OP_RETRY : OP_SAVED;

        if (kind == OP_RETRY && stub_once(4)) {
            kind = OP_BEGIN;
        }

    } else if (m.again && stub_once(2)) {
        kind = m.all ? OP_RENEWED : OP_PIECE;

        if (stub_once(20)) {
            kind = OP_STOP;
        }

    } else if (m.lost) {
        kind = m.again ? OP_PIECE : OP_AGAIN;

        if (stub_once(10)) {
            kind = OP_UNSAVED;
        }

    } else if (!m.again && (stub_once(sh->disk.file_dead ? 3 : 30)
                            || m.n_file > 4000 || m.n_notes > 4000))
    {
        kind = OP_AGAIN;

    } else if (stub_once(10)) {
        kind = OP_DURABLE;
        test_op.on = sh->conf.durable;

    } else {
        kind = OP_COLLECT;
    }

    test_op.kind = kind;

    if (kind == OP_RENEWED) {
        life_losses(1);

        if (marks[AGAIN].id < marks[SAVED].id
            && marks[AGAIN].ref != marks[SAVED].ref)
        {
            test_op.kind = OP_PIECE;
        }
    }

    (void) op_run(&test_op);
}


static void
test_act(void)
{
    m.now += stub_once(3) ? 0 : stub_once(40) ? stub_below(20000)
                                              : stub_below(30);

    switch (stub_below(20)) {

    case 0: case 1: case 2: case 3: case 4: case 5:
        test_set(OP_PUBLISH);
        test_random_publish();
        break;

    case 6: case 7: case 8:
        test_set(OP_READ);
        test_random_read();
        break;

    case 9:
        test_set(stub_once(5) ? OP_FORGET : OP_UNWATCH);
        test_random_leave();
        break;

    case 10:
        test_set(OP_DELETE);
        (void) op_run(&test_op);
        break;

    case 11:
        test_set(OP_TICK);
        (void) op_run(&test_op);
        break;

    case 12:
        if (stub_once(4)) {
            test_set(OP_CONFIGURE);
            test_random_conf(&test_op.conf);
            (void) op_run(&test_op);

        } else if (stub_once(10)) {
            test_set(stub_once(2) ? OP_STRAY : OP_MISSING);
            test_op.last = ngx_http_longpoll_id(model_ms(sh->clock.last_id)
                                                + stub_below(40), 0);
            (void) op_run(&test_op);
        }

        break;

    default:
        test_set(OP_BEGIN);
        test_random_writer();
    }
}


static void
test_world(void *data)
{
    test_worlds_t  *t = data;

    ngx_http_longpoll_zone_conf_t  conf;

    static const size_t  sizes[] = { 32, 32, 48, 64, 128 };

    stub_random_state = t->seed;
    stub->seed = t->seed;
    stub->op = 0;
    stub_crash_seed = t->flags & MODEL_CRASH ? t->seed : 0;

    ngx_memzero(&m, sizeof(m));
    m.flags = t->flags;
    m.now = MODEL_EPOCH + stub_below(1000000);
    m.inexact = (t->flags & MODEL_IDLE) != 0;
    test_random_conf(&conf);

    life_world(sizes[stub_below(t->flags & MODEL_CRASH ? 3 : 5)] * 1024,
               &conf);

    while (stub->op < t->ops) {
        test_act();

        if ((t->flags & MODEL_LIVES) && stub_once(300)) {
            life_again();
        }

        if ((t->flags & MODEL_ADOPT) && stub_once(400)) {
            life_adopt(sizes[stub_below(5)] * 1024);
        }
    }

    life_end();
}


static const test_worlds_t  test_models[] = {

    { "what is saved is in the file, and what is refused is not seen",
      0, 30, 3000, 0 },

    { "what is deleted, taken or forgotten has a note",
      MODEL_TAKE|MODEL_IDLE, 30, 3000, 0 },

    { "a life goes on with what an earlier one left",
      MODEL_LIVES, 30, 3000, 0 },

    { "also with delete_on_read and inactive",
      MODEL_LIVES|MODEL_TAKE|MODEL_IDLE, 30, 3000, 0 },

    { "a zone of another size has what fits",
      MODEL_ADOPT|MODEL_LIVES, 30, 3000, 0 },

    { "a kill at any store leaves zone and file as one",
      MODEL_CRASH, 12, 300, 0 },

    { "also with delete_on_read and inactive",
      MODEL_CRASH|MODEL_TAKE|MODEL_IDLE, 12, 300, 0 },
};


#include "save_case.h"


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
            printf("# again: save world %lu %lu %lu\n", (unsigned long) flags,
                   (unsigned long) stub->seed, (unsigned long) ops);
        }
    }

    fflush(stdout);
}


static void
test_worlds(const test_worlds_t *worlds)
{
    ngx_uint_t      i;
    const char     *wrong;
    test_worlds_t   t;

    t = *worlds;
    wrong = NULL;

    for (i = 0; i < t.worlds / TEST_SLOWER + 1 && wrong == NULL; i++) {
        t.seed = test_seed + i;
        wrong = stub_run(test_world, &t, 60);
    }

    test_report(t.title, wrong, t.flags, t.ops);
}


static void
test_one_case(ngx_uint_t i)
{
    const char  *wrong;

    stub->op = 0;
    wrong = stub_run(test_cases[i].run, NULL, 60);
    test_report(test_cases[i].title, wrong, 0, 0);

    if (wrong) {
        printf("# again: save case %lu %lu\n", (unsigned long) i,
               (unsigned long) test_seed);
    }
}


/*
 * mutations
 */


static ngx_uint_t
test_crash_flags(uint64_t seed)
{
    return MODEL_CRASH | (seed & 1 ? MODEL_TAKE|MODEL_IDLE : 0);
}


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
    }
}


static void
test_mutations(void)
{
    ngx_uint_t    i, k, tried, caught;
    const char   *file, *wrong;
    stub_site_t  *site;

    tried = caught = 0;

    for (i = 0; i < STUB_SITES; i++) {
        site = &stub->sites[i];

        if (site->file == NULL
            || (strstr(site->file, "zone_disk.c") == NULL
                && strstr(site->file, "zone_cursor.c") == NULL
                && strstr(site->file, "zone_clock.c") == NULL))
        {
            continue;
        }

        file = strrchr(site->file, '/');
        file = file ? file + 1 : site->file;

        if (site->seed == 0) {
            printf("# never killed at: %s:%lu\n", file,
                   (unsigned long) site->line);
            continue;
        }

        tried++;
        wrong = NULL;

        for (k = 0; k < 3 && wrong == NULL; k++) {
            wrong = stub_run(test_mutant, site, TEST_MUTANT_SECONDS);

            if (wrong && strncmp(wrong, "does not end", 12) == 0) {
                wrong = NULL;
            }

            site->seed += TEST_MUTANT_WORLDS;
        }

        if (wrong) {
            caught++;

        } else {
            printf("# survives as a plain store: %s:%lu\n", file,
                   (unsigned long) site->line);
        }

        if (getenv("STORE_VERBOSE")) {
            printf("# %s:%lu: %s\n", file, (unsigned long) site->line,
                   wrong ? wrong : "-");
        }
    }

    printf("# %lu journaled stores tried, %lu caught\n",
           (unsigned long) tried, (unsigned long) caught);

    test_report("each journaled store is journaled for a reason",
                tried && caught == tried ? NULL : "some are not noticed", 0,
                0);
}


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

            wrong = stub_run(test_world, &t, 120 * TEST_SLOWER);

            if (wrong) {
                test_report(t.title, wrong, t.flags, t.ops);
                return;
            }
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

    seed = getenv("STORE_SEED");
    test_seed = seed ? strtoul(seed, NULL, 0) : (uint64_t) time(NULL);

    if (argc == 5 && strcmp(argv[1], "world") == 0) {
        t.flags = strtoul(argv[2], NULL, 0);
        t.seed = strtoul(argv[3], NULL, 0);
        t.ops = strtoul(argv[4], NULL, 0);
        test_report("one world", stub_run(test_world, &t, 3600), t.flags,
                    t.ops);

    } else if (argc >= 3 && strcmp(argv[1], "soak") == 0) {
        test_seed = argc > 3 ? strtoul(argv[3], NULL, 0) : test_seed;
        printf("# seed %lu\n", (unsigned long) test_seed);
        test_soak(time(NULL) + atoi(argv[2]));

    } else if (argc >= 3 && strcmp(argv[1], "case") == 0) {
        test_seed = argc > 3 ? strtoul(argv[3], NULL, 0) : test_seed;
        test_one_case(strtoul(argv[2], NULL, 0));

    } else {
        test_seed = argc > 1 ? strtoul(argv[1], NULL, 0) : test_seed;
        printf("# seed %lu\n", (unsigned long) test_seed);

        for (i = 0; i < sizeof(test_cases) / sizeof(test_cases[0]); i++) {
            test_one_case(i);
        }

        for (i = 0; i < sizeof(test_models) / sizeof(test_models[0]); i++) {
            test_worlds(&test_models[i]);
        }

        test_mutations();

        printf("# %lu ops, %lu reads, %lu messages, %lu missed, %lu known\n",
               (unsigned long) stub->ops, (unsigned long) stub->reads,
               (unsigned long) stub->messages, (unsigned long) stub->missed,
               (unsigned long) stub->known);
        printf("# %lu kills, %lu in recovery, %lu times life went on\n",
               (unsigned long) stub->kills, (unsigned long) stub->rekills,
               (unsigned long) stub->epochs);
    }

    printf("1..%lu\n", (unsigned long) test_number);

    return test_failed ? 1 : 0;
}
