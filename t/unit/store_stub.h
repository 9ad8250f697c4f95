
/*
 * store_stub.h: the world around the store: nginx's functions, death, chance.
 *
 * A part of store.c and of save.c.  It gives the store's files what they use
 * of nginx, the two hooks of NGX_HTTP_LONGPOLL_STEPS, a seeded source of random
 * numbers, and a way to fail.  Every test runs in a child of its own; what it
 * has counted and found out stands in memory that the parent shares with it.
 */


#ifndef _STORE_STUB_H_INCLUDED_
#define _STORE_STUB_H_INCLUDED_


#include <ngx_http_longpoll_zone.h>
#include <ngx_http_longpoll_zone_client.h>
#include <ngx_http_longpoll_zone_delete.h>
#include <ngx_http_longpoll_zone_publish.h>
#include <ngx_http_longpoll_zone_read.h>
#include <ngx_http_longpoll_zone_adopt.h>
#include <ngx_http_longpoll_zone_disk.h>
#include <ngx_http_longpoll_zone_epoch.h>
#include <ngx_http_longpoll_zone_load.h>
#include <ngx_http_longpoll_zone_status.h>
#include <ngx_http_longpoll_zone_tick.h>
#include <ngx_http_longpoll_zone_watch.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>


#if !(NGX_HTTP_LONGPOLL_STEPS)
#error "compile everything with -DNGX_HTTP_LONGPOLL_STEPS=1"
#endif


#define STUB_SITES  1024
#define STUB_NEVER  ((uint64_t) -1)


/* a store under the journal */

typedef struct {
    const char   *file;
    ngx_uint_t    line;
    uint64_t      seed;     /* of the crash world that hit it first, or 0 */
} stub_site_t;


/* shared by parent and children */

typedef struct {
    stub_site_t   sites[STUB_SITES];

    /* where the child is */
    uint64_t      seed;
    uint64_t      op;
    char          what[512];
    char          wrong[1024];

    /* what was done */
    uint64_t      ops;
    uint64_t      between;      /* of these, between lock holds of another */
    uint64_t      holds;        /* more than one for an op */
    uint64_t      reads;
    uint64_t      messages;
    uint64_t      kills;
    uint64_t      rekills;      /* during recovery */
    uint64_t      epochs;        /* kills after which life went on */
    uint64_t      dropped;
    uint64_t      emergencies;
    uint64_t      missed;
    uint64_t      false_missed;
    uint64_t      torn;         /* answers said to be invalid */
    uint64_t      declined;
    uint64_t      known;            /* idempotency keys */
    uint64_t      given;            /* to gpoll's clients */
    uint64_t      lost;             /* of these that had to go */
    uint64_t      strangers;        /* that asked */
} stub_shared_t;


static stub_shared_t  *stub;

static uint64_t        stub_random_state;

/* chance is what stands here, until it ends (t/fuzz/zone.c) */

static const u_char   *stub_bytes;
static const u_char   *stub_bytes_last;

static ngx_uint_t      stub_held;           /* the mutex */
static void          (*stub_hook)(void);    /* before every lock */

static uint64_t        stub_steps;
static uint64_t        stub_kill = STUB_NEVER;
static jmp_buf         stub_killed;

static stub_site_t    *stub_plain;          /* the site that is not journaled */
static ngx_uint_t      stub_plain_hit;
static ngx_uint_t      stub_plain_ops;      /* that hit it */
static uint64_t        stub_crash_seed;

static ngx_uint_t      stub_no_memory;      /* the next allocations fail */
static ngx_uint_t      stub_no_memory_hit;


static ngx_log_t       stub_log;
static ngx_cycle_t     stub_cycle;
volatile ngx_cycle_t  *ngx_cycle = &stub_cycle;
ngx_uint_t             ngx_pagesize = 4096;


/* splitmix64 (S. Vigna), public domain */

static uint64_t
stub_random(void)
{
    uint64_t  x;

    x = (stub_random_state += 0x9e3779b97f4a7c15ULL);
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;

    return x ^ x >> 31;
}


/* below n */

static uint64_t
stub_below(uint64_t n)
{
    uint64_t  x, left;

    if (stub_bytes == stub_bytes_last) {
        return stub_random() % n;
    }

    x = 0;

    for (left = n - 1; left && stub_bytes < stub_bytes_last; left >>= 8) {
        x = x << 8 | *stub_bytes++;
    }

    return x % n;
}


/* once in n */

static ngx_uint_t
stub_once(uint64_t n)
{
    return stub_below(n) == 0;
}


/* from min to max, small ones oftener */

static uint64_t
stub_skewed(uint64_t min, uint64_t max)
{
    uint64_t  n, bits;

    n = max - min;

    for (bits = 0; bits < 63 && n >> bits; bits++) { /* void */ }

    bits = stub_below(bits + 1);

    return min + ngx_min(n, stub_below(((uint64_t) 1 << bits)));
}


/* ends the test, that is the child */

static void
stub_fail(const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    vsnprintf(stub->wrong, sizeof(stub->wrong), format, args);
    va_end(args);

    if (getenv("STORE_ABORT")) {
        fprintf(stderr, "%s\nseed %lu op %lu: %s\n", stub->wrong,
                (unsigned long) stub->seed, (unsigned long) stub->op,
                stub->what);
        abort();
    }

    _exit(1);
}


#define stub_must(condition, ...)                                             \
    do {                                                                      \
        if (!(condition)) {                                                   \
            stub_fail(__VA_ARGS__);                                           \
        }                                                                     \
    } while (0)


/*
 * death
 */


void
ngx_http_longpoll_step(void)
{
    if (stub_steps++ == stub_kill) {
        stub_kill = STUB_NEVER;
        longjmp(stub_killed, 1);
    }
}


ngx_uint_t
ngx_http_longpoll_journaled(const char *file, ngx_uint_t line)
{
    ngx_uint_t    n;
    stub_site_t  *site;

    for (n = line % STUB_SITES; /* void */ ; n = (n + 1) % STUB_SITES) {
        site = &stub->sites[n];

        if (site->file == NULL) {
            site->file = file;
            site->line = line;
        }

        if (site->file == file && site->line == line) {
            break;
        }
    }

    if (site->seed == 0) {
        site->seed = stub_crash_seed;
    }

    if (site == stub_plain) {
        stub_plain_hit = 1;
        return 0;
    }

    return 1;
}


/*
 * nginx
 */


void
ngx_http_longpoll_lock(ngx_shmtx_t *mtx)
{
    stub_must(!stub_held, "the lock is taken by who has it");

    if (stub_hook) {
        stub_hook();
    }

    stub_held = 1;
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    stub_must(stub_held, "the lock is let go by who has it not");
    stub_held = 0;
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    stub_must(!stub_held, "memory is allocated under the lock");

    if (stub_no_memory) {
        stub_no_memory_hit = 1;
        return NULL;
    }

    return malloc(size);
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    void  *p;

    p = ngx_alloc(size, log);

    if (p) {
        ngx_memzero(p, size);
    }

    return p;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    stub_must(!stub_held, "something is logged under the lock");
}


static void
stub_init(void)
{
    stub_cycle.log = &stub_log;

    stub = mmap(NULL, sizeof(stub_shared_t), PROT_READ|PROT_WRITE,
                MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (stub == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
}


/*
 * Runs test in a child, for seconds at most.  NULL, or what it died of, which
 * is then also in stub->wrong.
 */

static const char *
stub_run(void (*test)(void *data), void *data, ngx_uint_t seconds)
{
    int    status;
    pid_t  pid;

    stub->wrong[0] = '\0';
    stub->what[0] = '\0';

    fflush(NULL);

    pid = fork();

    if (pid == 0) {
        alarm(seconds);
        test(data);
        fflush(NULL);
        _exit(0);
    }

    if (pid == -1 || waitpid(pid, &status, 0) != pid) {
        perror("fork");
        exit(2);
    }

    if (status == 0) {
        return NULL;
    }

    if (stub->wrong[0] == '\0') {
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
            snprintf(stub->wrong, sizeof(stub->wrong),
                     "does not end within %lu s", (unsigned long) seconds);
        } else {
            snprintf(stub->wrong, sizeof(stub->wrong),
                     "died, wait status %d", status);
        }
    }

    return stub->wrong;
}


#endif /* _STORE_STUB_H_INCLUDED_ */
