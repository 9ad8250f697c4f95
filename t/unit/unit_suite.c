
/*
 * unit_suite.c: cases, worlds, mutations and soak of a suite; TAP; the command
 * line, which unit.h shows.
 *
 * A world that fails is shrunk: the ops behind the one that failed are left
 * out, and some other seeds are tried for a world of fewer ops.  What is then
 * printed runs again as it stands.
 *
 * A mutation is a journaled store that is made a plain one.  The crash world
 * that came by there first, and those of the next seeds, must fail with it.  A
 * store whose mutation survives would need no journal.
 */


#include "unit.h"

#include <time.h>


#define UNIT_SECONDS  (60 * UNIT_SLOWER)    /* CPU time of a world or a case */
#define UNIT_SHRINK   10                    /* seconds, or as many seeds */


uint64_t                    unit_seed;

static const unit_suite_t  *unit_suite;
static ngx_uint_t           unit_number;
static ngx_uint_t           unit_failed;


static ngx_uint_t unit_case(ngx_uint_t n);
static ngx_uint_t unit_worlds(const unit_worlds_t *worlds, ngx_uint_t n);


/*
 * TAP
 */


static void
unit_report(const char *title, const char *wrong)
{
    unit_number++;

    printf("%sok %lu - %s\n", wrong ? "not " : "",
           (unsigned long) unit_number, title);

    if (wrong) {
        unit_failed++;

        printf("# %s\n", wrong);
        printf("# op %lu: %s\n", (unsigned long) unit->op, unit->what);
    }

    fflush(stdout);
}


/*
 * worlds
 */


static void
unit_world(void *data)
{
    unit_suite->world(data);
}


/* 1 if it fails within t->ops, which are then no more than those it took */

static ngx_uint_t
unit_fails(unit_worlds_t *t)
{
    if (t->vary) {
        t->flags = unit_suite->crash_flags(t->seed);
    }

    if (unit_run(unit_world, t, UNIT_SECONDS) == NULL) {
        return 0;
    }

    /* it may have failed behind that op, on the way to the next one */

    t->ops = ngx_min(t->ops, unit->op + 1);

    return 1;
}


static void
unit_shrink(unit_worlds_t *t)
{
    time_t         end;
    ngx_uint_t     i;
    unit_worlds_t  other;

    end = time(NULL) + UNIT_SHRINK;

    for (i = 1; i <= UNIT_SHRINK && t->ops > 1 && time(NULL) < end; i++) {
        other = *t;
        other.seed = t->seed + i;
        other.ops = t->ops - 1;

        if (unit_fails(&other)) {
            *t = other;
        }
    }

    /* says once more what the one that is left fails with */

    (void) unit_fails(t);

    printf("# %s\n", unit->wrong);
    printf("# op %lu: %s\n", (unsigned long) unit->op, unit->what);
    printf("# again: %s world %lu %lu %lu\n", unit_suite->name,
           (unsigned long) t->flags, (unsigned long) t->seed,
           (unsigned long) t->ops);
}


/* n of a row; 1 if none fails */

static ngx_uint_t
unit_worlds(const unit_worlds_t *worlds, ngx_uint_t n)
{
    ngx_uint_t     i;
    unit_worlds_t  t;

    for (i = 0; i < n; i++) {
        t = *worlds;
        t.seed = unit_seed + i;

        if (unit_fails(&t)) {
            unit_report(t.title, unit->wrong);
            unit_shrink(&t);
            return 0;
        }
    }

    return 1;
}


/*
 * cases
 */


static ngx_uint_t
unit_case(ngx_uint_t n)
{
    const char         *wrong;
    const unit_case_t  *c;

    c = &unit_suite->cases[n];

    unit->op = 0;
    wrong = unit_run(c->run, NULL, UNIT_SECONDS);

    if (wrong == NULL) {
        return 1;
    }

    unit_report(c->title, wrong);

    printf("# again: %s case %lu %lu\n", unit_suite->name, (unsigned long) n,
           (unsigned long) unit_seed);

    return 0;
}


/*
 * mutations
 */


/* returns where the mutation is not noticed */

static void
unit_mutant(void *data)
{
    clock_t        end;
    ngx_uint_t     i;
    unit_worlds_t  t;

    end = clock() + unit_suite->mutant_seconds * UNIT_SLOWER * CLOCKS_PER_SEC;

    unit_plain = data;

    for (i = 0; i < unit_suite->mutant_worlds && clock() < end; i++) {
        ngx_memzero(&t, sizeof(t));

        t.seed = unit_plain->seed + i;
        t.flags = unit_suite->crash_flags(t.seed);
        t.ops = unit_suite->mutant_ops;

        unit_limit(unit_suite->mutant_seconds * UNIT_SLOWER);
        unit_suite->world(&t);

        if (unit_suite->mutant_hits
            && unit_plain_ops > unit_suite->mutant_hits)
        {
            return;
        }
    }
}


/* some show only in rare states, so that other worlds have their turn */

static ngx_uint_t
unit_noticed(unit_site_t *site)
{
    ngx_uint_t  i;

    for (i = 0; i < unit_suite->mutant_tries; i++) {

        if (unit_run(unit_mutant, site, UNIT_SECONDS)) {
            return 1;
        }

        site->seed += unit_suite->mutant_worlds;
    }

    return 0;
}


static ngx_uint_t
unit_is_mutated(const char *file)
{
    const char *const  *names;

    if (unit_suite->journaled == NULL) {
        return 1;
    }

    for (names = unit_suite->journaled; *names; names++) {
        if (strstr(file, *names)) {
            return 1;
        }
    }

    return 0;
}


static int
unit_by_place(const void *a, const void *b)
{
    int                 rc;
    const unit_site_t  *one, *two;

    one = *(unit_site_t **) a;
    two = *(unit_site_t **) b;

    rc = strcmp(one->file, two->file);

    return rc ? rc : (int) (one->line - two->line);
}


static void
unit_mutations(void)
{
    ngx_uint_t    i, n, caught;
    const char   *file, *how;
    unit_site_t  *site, *sites[UNIT_SITES];

    for (i = 0, n = 0; i < UNIT_SITES; i++) {
        site = &unit->sites[i];

        if (site->file && unit_is_mutated(site->file)) {
            sites[n++] = site;
        }
    }

    qsort(sites, n, sizeof(unit_site_t *), unit_by_place);

    for (i = 0, caught = 0; i < n; i++) {
        site = sites[i];
        file = strrchr(site->file, '/');
        file = file ? file + 1 : site->file;
        how = NULL;

        if (site->seed == 0) {
            how = "no kill comes by";

        } else if (!unit_noticed(site)) {
            how = "survives as a plain store";

        } else {
            caught++;

            if (getenv("UNIT_VERBOSE")) {
                how = unit->wrong;
            }
        }

        if (how) {
            printf("# %s:%lu: %s\n", file, (unsigned long) site->line, how);
        }
    }

    printf("# %lu journaled stores, %lu caught\n", (unsigned long) n,
           (unsigned long) caught);

    unit_report("each journaled store is journaled for a reason",
                n && caught == n ? NULL : "some are not noticed");
}


/*
 * programs
 */


static void
unit_all(void)
{
    ngx_uint_t            i;
    const unit_worlds_t  *t;

    for (i = 0; i < unit_suite->ncases; i++) {
        if (unit_case(i)) {
            unit_report(unit_suite->cases[i].title, NULL);
        }
    }

    for (i = 0; i < unit_suite->nworlds; i++) {
        t = &unit_suite->worlds[i];

        if (unit_worlds(t, t->worlds / UNIT_SLOWER + 1)) {
            unit_report(t->title, NULL);
        }
    }

    unit_suite->numbers();

    if (unit_suite->mutant_worlds) {
        unit_mutations();
    }
}


/* ever new worlds; ends at the first that fails */

static void
unit_soak(time_t until)
{
    ngx_uint_t  i, n;

    for (n = 0; time(NULL) < until; n++) {

        for (i = 0; i < unit_suite->nworlds && time(NULL) < until; i++) {
            if (!unit_worlds(&unit_suite->worlds[i], 1)) {
                return;
            }
        }

        for (i = 0; i < unit_suite->ncases && n % 20 == 0
                    && time(NULL) < until; i++)
        {
            if (!unit_case(i)) {
                return;
            }
        }

        unit_seed++;
    }

    unit_report("nothing is found", NULL);
}


static void
unit_one_world(char *argv[])
{
    unit_worlds_t  t;

    ngx_memzero(&t, sizeof(t));

    t.flags = strtoul(argv[0], NULL, 0);
    t.seed = strtoul(argv[1], NULL, 0);
    t.ops = strtoul(argv[2], NULL, 0);

    unit_report("one world", unit_run(unit_world, &t, 3600));
}


static void
unit_set_seed(const char *arg, uint64_t otherwise)
{
    if (arg == NULL) {
        arg = getenv("UNIT_SEED");
    }

    unit_seed = arg ? strtoul(arg, NULL, 0) : otherwise;
    printf("# seed %lu\n", (unsigned long) unit_seed);
}


int
unit_main(const unit_suite_t *suite, int argc, char *argv[])
{
    ngx_uint_t   n;
    const char  *how;

    unit_init();

    unit_suite = suite;
    how = argc > 1 ? argv[1] : "";

    if (argc == 5 && strcmp(how, "world") == 0) {
        unit_one_world(&argv[2]);

    } else if (argc > 2 && strcmp(how, "case") == 0) {
        unit_set_seed(argc > 3 ? argv[3] : NULL, 1);
        n = strtoul(argv[2], NULL, 0);

        if (n < suite->ncases && unit_case(n)) {
            unit_report(suite->cases[n].title, NULL);
        }

    } else if (argc > 2 && strcmp(how, "soak") == 0) {
        unit_set_seed(argc > 3 ? argv[3] : NULL, (uint64_t) time(NULL));
        unit_soak(time(NULL) + strtoul(argv[2], NULL, 0));
        suite->numbers();

    } else {
        unit_set_seed(argc > 1 ? argv[1] : NULL, 1);
        unit_all();
    }

    printf("1..%lu\n", (unsigned long) unit_number);

    return unit_failed != 0;
}
