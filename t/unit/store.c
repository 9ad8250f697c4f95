
/*
 * store.c: the unit tests of the store.
 *
 * The store's files (src/ngx_http_longpoll_{id,hash,log,cat,zone}.c) over plain
 * memory.  Three machines, and some cases by hand:
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
 *        src/ngx_http_longpoll_{id,hash,log,cat,zone}.c
 *
 * and, for the sanitizers, -O1 -g -fsanitize=address,undefined.
 *
 *     store [SEED]                    all tests, as TAP
 *     store soak SECONDS [SEED]       model and crash with ever new seeds
 *     store world FLAGS SEED OPS      one world again, as a failure names it
 *     store mutate [SEED]             only the mutations
 *
 * STORE_SEED is a seed too.  STORE_ABORT=1 aborts where a test fails, for a
 * debugger.  Every test runs in a child, so that one that dies or hangs is a
 * failure and not the end.
 */


#include "store_model.h"

#include <time.h>


#if (__SANITIZE_ADDRESS__)
#define TEST_SLOWER  6
#else
#define TEST_SLOWER  1
#endif


#define TEST_MUTANT_WORLDS   100
#define TEST_MUTANT_OPS      600
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

        if (t->flags & MODEL_CROWDED) {
            (void) model_pin_all();
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
           "%lu invalid, %lu declined\n",
           (unsigned long) stub->dropped, (unsigned long) stub->emergencies,
           (unsigned long) stub->missed, (unsigned long) stub->false_missed,
           (unsigned long) stub->torn, (unsigned long) stub->declined);
    printf("# %lu kills, %lu kills in recovery, %lu times life went on\n",
           (unsigned long) stub->kills, (unsigned long) stub->rekills,
           (unsigned long) stub->lives);
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
    ngx_uint_t    i, n, tried, caught;
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

        if (stub_run(test_mutant, site, TEST_MUTANT_SECONDS)) {
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

    if (argc == 2) {
        test_seed = strtoul(argv[1], NULL, 0);
    }

    printf("# seed %lu\n", (unsigned long) test_seed);

    for (i = 0; i < sizeof(test_models) / sizeof(test_models[0]); i++) {
        test_worlds(&test_models[i]);
    }

    test_numbers();
    test_mutations();

    printf("1..%lu\n", (unsigned long) test_number);

    return test_failed != 0;
}
