
/*
 * unit.h: what the programs of the store's models have in common.
 *
 * A program is a suite: some cases by hand, some rows of random worlds, and the
 * model behind them.  Every case and every world runs in a child of its own.  A
 * child that dies or hangs is a failure and not the end of the program, and a
 * world is the same when it runs alone.  Parent and child share the memory in
 * which the child counts and says what went wrong (unit).
 *
 *     unit_chance.c   random numbers, all of them from one seed
 *     unit_child.c    a test in a child; how it fails
 *     unit_kill.c     death at a store, and stores that are not journaled
 *     unit_nginx.c    what the store uses of nginx
 *     unit_suite.c    cases, worlds, mutations, soak; TAP; the command line
 *
 * A kill is a longjmp() in front of a store: the store's files are compiled
 * with NGX_HTTP_LONGPOLL_STEPS, so that each of their stores into shared memory
 * calls ngx_http_longpoll_step() first.  What the process had done so far stays
 * as it is, which is what a kill -9 leaves of shared memory.
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


#define UNIT_SITES  1024
#define UNIT_NEVER  ((uint64_t) -1)

#if (__SANITIZE_ADDRESS__)
#define UNIT_SLOWER  3
#else
#define UNIT_SLOWER  1
#endif


/* a journaled store of the sources */

typedef struct {
    const char               *file;
    ngx_uint_t                line;
    uint64_t                  seed;         /* of the crash world that came by
                                               first, or 0 */
} unit_site_t;


/* shared by parent and children */

typedef struct {
    unit_site_t               sites[UNIT_SITES];

    /* where the child is */
    uint64_t                  seed;
    uint64_t                  op;
    char                      what[512];
    char                      wrong[1024];

    /* what was done */
    uint64_t                  ops;
    uint64_t                  between;      /* of these, between lock holds of
                                               another */
    uint64_t                  holds;        /* more than one for an op */
    uint64_t                  reads;
    uint64_t                  recent;       /* of these from the newest
                                               messages */
    uint64_t                  messages;
    uint64_t                  kills;
    uint64_t                  rekills;      /* during recovery */
    uint64_t                  kept;         /* kills that are not undone */
    uint64_t                  epochs;
    uint64_t                  dropped;
    uint64_t                  emergencies;
    uint64_t                  missed;
    uint64_t                  false_missed;
    uint64_t                  invalid;      /* answers, overwritten meanwhile */
    uint64_t                  declined;
    uint64_t                  refused;      /* for what waits for the disk */
    uint64_t                  known;        /* idempotency keys */
    uint64_t                  given;        /* to gpoll's clients */
    uint64_t                  lost;         /* of these that had to go */
    uint64_t                  strangers;    /* that asked */
} unit_shared_t;


typedef struct {
    const char               *title;
    void                    (*run)(void *data);
} unit_case_t;


/* a row of worlds: the seeds are those from the suite's own on */

typedef struct {
    const char               *title;
    ngx_uint_t                flags;
    ngx_uint_t                worlds;
    ngx_uint_t                ops;          /* in each */
    ngx_uint_t                vary;         /* flags are those of the seed */
    uint64_t                  seed;         /* of the one at hand */
} unit_worlds_t;


typedef struct {
    const char               *name;         /* of the program */

    const unit_case_t        *cases;
    ngx_uint_t                ncases;
    const unit_worlds_t      *worlds;
    ngx_uint_t                nworlds;

    void                    (*world)(unit_worlds_t *t);
    void                    (*numbers)(void);

    /* mutations of the journaled stores in these files, NULL: in all */
    const char *const        *journaled;
    ngx_uint_t              (*crash_flags)(uint64_t seed);
    ngx_uint_t                mutant_worlds;    /* 0: there are no mutations */
    ngx_uint_t                mutant_ops;
    ngx_uint_t                mutant_tries;
    ngx_uint_t                mutant_hits;  /* are enough, 0: no number is */
    ngx_uint_t                mutant_seconds;
} unit_suite_t;


extern unit_shared_t         *unit;


/*
 * unit_chance.c
 */

/* the state of the random numbers; setting it is seeding them */
extern uint64_t               unit_random_state;

/* where bytes stand here, they are taken for chance (t/fuzz/zone.c) */
extern const u_char          *unit_bytes;
extern const u_char          *unit_bytes_last;

uint64_t unit_random(void);

/* below n */
uint64_t unit_below(uint64_t n);

/* 1 once in n */
ngx_uint_t unit_once(uint64_t n);

/* from min to max, small ones oftener */
uint64_t unit_skewed(uint64_t min, uint64_t max);


/*
 * unit_child.c
 */

void unit_init(void);

/* ends the test, that is the child; UNIT_ABORT=1 aborts, for a debugger */
void unit_fail(const char *format, ...);

#define unit_must(condition, ...)                                             \
    do {                                                                      \
        if (!(condition)) {                                                   \
            unit_fail(__VA_ARGS__);                                           \
        }                                                                     \
    } while (0)

/*
 * Runs test in a child, for so many seconds of CPU time at most.  Returns NULL,
 * or what the child died of, which is then also in unit->wrong.
 */
const char *unit_run(void (*test)(void *data), void *data, ngx_uint_t seconds);

/* the child has that many seconds from now on */
void unit_limit(ngx_uint_t seconds);


/*
 * unit_kill.c
 */

/* stores so far in the call at hand */
extern uint64_t               unit_steps;

/* of the crash world that runs, 0: of none */
extern uint64_t               unit_crash_seed;

/* the site that is not journaled, and what came by there */
extern unit_site_t           *unit_plain;
extern ngx_uint_t             unit_plain_hit;
extern ngx_uint_t             unit_plain_ops;

/*
 * Calls, and kills in front of store number n (from 0; UNIT_NEVER: never).
 * Returns 1 if the call came to its end, and 0 if it was killed; then the lock
 * is free again, as nginx's master leaves it.
 */
ngx_uint_t unit_call_and_kill(void (*call)(void *data), void *data,
    uint64_t n);

/* the process of that call is killed here */
void unit_die(void);
extern void                 (*unit_step_hook)(void);    /* in front of each
                                                           store */


/*
 * unit_nginx.c
 */

extern ngx_uint_t             unit_held;            /* the lock */
extern void                 (*unit_hook)(void);     /* in front of each hold */
extern ngx_uint_t             unit_no_memory;       /* allocations fail */
extern ngx_uint_t             unit_no_memory_hit;
extern ngx_log_t              unit_log;


/*
 * unit_suite.c
 *
 *     NAME [SEED]                     all tests, as TAP
 *     NAME soak SECONDS [SEED]        worlds and cases with ever new seeds
 *     NAME case N [SEED]              one case again, as a failure names it
 *     NAME world FLAGS SEED OPS       one world again, the same
 *
 * Without a SEED the tests take UNIT_SEED, or 1, and a soak takes the time.
 * UNIT_VERBOSE=1 says how each mutation was noticed.
 */

/* of the cases */
extern uint64_t               unit_seed;

int unit_main(const unit_suite_t *suite, int argc, char *argv[]);


#endif /* _UNIT_H_INCLUDED_ */
