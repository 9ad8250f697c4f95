
/*
 * holds.c: how long the store holds its lock.
 *
 * The store's files over plain memory, without nginx and without other
 * processes: each time the lock is taken and let go is measured in the CPU time
 * of this thread, less what the measuring itself takes.
 *
 *     holds               all cases, as a table in Markdown; microseconds
 *     holds CASE...       these, by their names
 *
 * A case is a fixed sequence of calls, run RUNS times over from the same seed.
 * The same hold is thus measured RUNS times, and the quickest counts: an
 * interrupt or a cold cache that is somebody else's work does not make it long.
 * `make holds` builds and runs it.
 */


#include <ngx_http_longpoll_zone.h>
#include <ngx_http_longpoll_zone_client.h>
#include <ngx_http_longpoll_zone_delete.h>
#include <ngx_http_longpoll_zone_page.h>
#include <ngx_http_longpoll_zone_presence.h>
#include <ngx_http_longpoll_zone_publish.h>
#include <ngx_http_longpoll_zone_read.h>
#include <ngx_http_longpoll_zone_status.h>
#include <ngx_http_longpoll_zone_tick.h>
#include <ngx_http_longpoll_zone_watch.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>


#define HOLDS_RUNS   5
#define HOLDS_MAX    4000000
#define HOLDS_EPOCH  1700000000000ULL

#define HOLDS_KB     1024
#define HOLDS_MB     (1024 * 1024)


typedef struct {
    const char  *title;
    size_t       size;              /* of the zone */
    uint64_t     buffer;
    void       (*before)(void);     /* not measured */
    void       (*run)(void);
    ngx_uint_t   presence;
} holds_case_t;


static ngx_log_t          holds_log;
static ngx_cycle_t        holds_cycle;
volatile ngx_cycle_t     *ngx_cycle = &holds_cycle;
ngx_uint_t                ngx_pagesize = 4096;

static ngx_http_longpoll_zone_t  holds_zone;
static uint64_t                  holds_now;
static uint64_t                  holds_chance;
static u_char                   *holds_data;

static ngx_uint_t                holds_on;
static uint64_t                  holds_began;
static uint64_t                  holds_clock;      /* what reading it takes */
static uint32_t                 *holds_ns;
static ngx_uint_t                holds_n;
static ngx_uint_t                holds_again;
static ngx_uint_t                holds_calls;
static ngx_uint_t                holds_first;      /* hold of this call */
static ngx_uint_t                holds_most;       /* of one call */


static uint64_t
holds_cpu(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/*
 * what the store uses of nginx
 */


void
ngx_http_longpoll_lock(ngx_shmtx_t *mtx)
{
    if (holds_on) {
        holds_began = holds_cpu();
    }
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    uint64_t  ns;

    if (!holds_on) {
        return;
    }

    ns = holds_cpu() - holds_began;
    ns -= ngx_min(ns, holds_clock);

    if (holds_n == HOLDS_MAX) {
        fprintf(stderr, "too many holds\n");
        exit(2);
    }

    holds_ns[holds_n] = holds_again ? ngx_min(holds_ns[holds_n], ns) : ns;
    holds_n++;
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return malloc(size);
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}


/*
 * calls
 */


/* splitmix64 (S. Vigna), public domain */

static uint64_t
holds_below(uint64_t n)
{
    uint64_t  x;

    x = (holds_chance += 0x9e3779b97f4a7c15ULL);
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;

    return (x ^ x >> 31) % n;
}


static void
holds_cat(ngx_http_longpoll_cat_t *cat, u_char *name, ngx_uint_t n)
{
    cat->name.data = name;
    cat->name.len = sprintf((char *) name, "category-%lu", (unsigned long) n);

    ngx_http_longpoll_zone_hash(&holds_zone, cat);
}


static void
holds_call(void)
{
    if (!holds_on) {
        return;
    }

    holds_most = ngx_max(holds_most, holds_n - holds_first);
    holds_first = holds_n;
    holds_calls++;
}


static void
holds_publish_n(ngx_uint_t first, ngx_uint_t ncats, ngx_uint_t n, size_t len,
    const char *key)
{
    uint64_t                  wake;
    ngx_str_t                 word;
    ngx_uint_t                i;
    ngx_http_longpoll_cat_t   cats[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    ngx_http_longpoll_msg_t   msgs[NGX_HTTP_LONGPOLL_MAX_MESSAGES];

    static u_char  names[NGX_HTTP_LONGPOLL_MAX_MESSAGES][32];

    for (i = 0; i < ncats; i++) {
        holds_cat(&cats[i], names[i], first + i);
    }

    for (i = 0; i < n; i++) {
        msgs[i].cat = i % ncats;
        msgs[i].data.data = holds_data;
        msgs[i].data.len = len;
    }

    if (key) {
        word.data = (u_char *) key;
        word.len = strlen(key);
    }

    if (ngx_http_longpoll_zone_publish(&holds_zone, cats, msgs, n,
                                       key ? &word : NULL, holds_now, &wake)
        == NGX_DECLINED)
    {
        fprintf(stderr, "a publish of %lu bytes is declined\n",
                (unsigned long) len);
        exit(2);
    }

    holds_call();
}


static void
holds_publish(ngx_uint_t cat, size_t len)
{
    holds_publish_n(cat, 1, 1, len, NULL);
}


#define HOLDS_CLIENTS  16384

static ngx_http_longpoll_client_t   holds_clients[HOLDS_CLIENTS];
static ngx_http_longpoll_client_t  *holds_client;
static uint32_t                     holds_slot;     /* of the last read */
static ngx_uint_t                   holds_worker;   /* that reads */


static ngx_int_t
holds_read(ngx_http_longpoll_read_e mode, ngx_uint_t cat, uint64_t id,
    size_t limit)
{
    size_t                    cost;
    u_char                    name[32];
    ngx_int_t                 rc;
    ngx_http_longpoll_cat_t   c;
    ngx_http_longpoll_read_t  rd;

    holds_cat(&c, name, cat);
    cost = 0;

    ngx_memzero(&rd, sizeof(rd));

    rd.mode = mode;
    rd.worker = holds_worker;
    rd.cats = &c;
    rd.ncats = 1;
    rd.cursor.fresh = 1;
    rd.cursor.id = id;
    rd.cursor.beginning = (id == 0);
    rd.cursor.exact = (mode == NGX_HTTP_LONGPOLL_READ_PARK
                       || mode == NGX_HTTP_LONGPOLL_READ_WAKE);
    rd.limit = limit;
    rd.costs = &cost;
    rd.slots = &holds_slot;
    rd.client = holds_client;

    rc = ngx_http_longpoll_zone_read(&holds_zone, &rd, holds_now);

    if (rc == NGX_ERROR) {
        fprintf(stderr, "no memory\n");
        exit(2);
    }

    holds_call();

    return rc;
}


/*
 * cases
 */


static void
holds_fill(ngx_uint_t ncats, size_t len)
{
    ngx_uint_t                        i;
    ngx_http_longpoll_zone_status_t   st;

    for (i = 0; i < 4 * holds_zone.size / (len + 60); i++) {
        holds_now += i % 16 == 0;
        holds_publish(i % ncats, len);
    }

    ngx_http_longpoll_zone_status(&holds_zone, 0, &st);

    if (st.counters.evicted == 0) {
        fprintf(stderr, "the zone is not full\n");
        exit(2);
    }
}


/* 250 in each of 1,000 */

static void
holds_some_100(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 250000; i++) {
        holds_now += i % 16 == 0;
        holds_publish(i % 1000, 100);
    }
}


static void
holds_full_100(void)
{
    holds_fill(1000, 100);
}


static void
holds_full_10(void)
{
    holds_fill(1000, 10);
}


static void
holds_full_cold(void)
{
    holds_fill(90000, 100);
}


static void
holds_full_single(void)
{
    holds_fill(30000, 10);
}


static void
holds_run_1k(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 300000; i++) {
        holds_now += i % 16 == 0;
        holds_publish(holds_below(1000), 100);
    }
}


static void
holds_run_cold(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 300000; i++) {
        holds_now += i % 16 == 0;
        holds_publish(holds_below(90000), 100);
    }
}


/* a byte to a quarter of the zone, small ones oftener */

static void
holds_run_mix(void)
{
    size_t      len, quarter;
    ngx_uint_t  i;

    quarter = holds_zone.size / 4 - 4096;

    for (i = 0; i < 100000; i++) {
        holds_now++;
        len = quarter >> holds_below(holds_zone.size > HOLDS_MB ? 23 : 17);
        holds_publish(holds_below(1000), 1 + holds_below(len + 1));
    }
}


static void
holds_run_kb(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 100000; i++) {
        holds_now++;
        holds_publish(holds_below(1000), 1 + holds_below(64 * HOLDS_KB));
    }
}


static void
holds_run_huge(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 3; i++) {
        holds_now++;
        holds_publish(1, holds_zone.size / 4 - 4096);
    }
}


static void
holds_run_mb(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 300; i++) {
        holds_now++;
        holds_publish(holds_below(1000), HOLDS_MB);
        holds_publish(holds_below(1000), 100);
    }
}


static void
holds_run_single(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 120000; i++) {
        holds_now += i % 16 == 0;
        holds_publish(i % 30000, 10);
    }
}


static void
holds_run_batch(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 300; i++) {
        holds_now++;
        holds_publish_n(i * 100, 1000, 1000, 100, NULL);
    }
}


static void
holds_one_long(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 100000; i++) {
        holds_now += i % 16 == 0;
        holds_publish_n(0, 1, 1, 100, i ? NULL : "the first");
    }
}


static void
holds_run_key(void)
{
    ngx_uint_t  i;
    char        key[32];

    for (i = 0; i < 20; i++) {
        sprintf(key, "key-%lu", (unsigned long) i);
        holds_now++;
        holds_publish_n(0, 1, 1, 100, key);
    }
}


static void
holds_run_delete(void)
{
    u_char                   name[32];
    ngx_http_longpoll_cat_t  cat;

    holds_cat(&cat, name, 0);
    ngx_http_longpoll_zone_delete(&holds_zone, &cat, holds_now);
    holds_call();
}


static void
holds_run_buffer(void)
{
    holds_zone.conf.buffer = 1;
    ngx_http_longpoll_zone_configure(&holds_zone);
    holds_call();

    holds_publish(0, 100);
    holds_read(NGX_HTTP_LONGPOLL_READ_PEEK, 0, 0, HOLDS_MB);
}


static void
holds_run_expire(void)
{
    holds_zone.conf.ttl = 1000;
    ngx_http_longpoll_zone_configure(&holds_zone);
    holds_call();

    holds_now += 10000;
    (void) ngx_http_longpoll_zone_tick(&holds_zone, holds_now);
    holds_call();
}


/* as many as a category keeps without a word about it */

static void
holds_run_catch_up(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 20000; i++) {
        holds_read(NGX_HTTP_LONGPOLL_READ_PEEK, holds_below(1000), 0, HOLDS_MB);
    }
}


static void
holds_run_place(void)
{
    ngx_uint_t  i;
    uint64_t    first;

    first = ngx_http_longpoll_id_ms(holds_zone.sh->clock.visible) - 6250;

    for (i = 0; i < 300; i++) {
        holds_read(NGX_HTTP_LONGPOLL_READ_PEEK, 0,
                   ngx_http_longpoll_id(first + holds_below(6250), 0),
                   HOLDS_KB);
    }
}


static void
holds_run_unknown(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 100000; i++) {
        holds_read(NGX_HTTP_LONGPOLL_READ_PARK, 1000000 + i,
                   holds_zone.sh->clock.visible, HOLDS_MB);
    }
}


/* gpoll's, as many as there is room for, and a message for each */

static void
holds_clients_come(void)
{
    ngx_uint_t  i;

    for (i = 0; i < HOLDS_CLIENTS; i++) {
        holds_clients[i].uuid[0] = i + 1;
        holds_clients[i].uuid[1] = i;

        ngx_http_longpoll_zone_client_add(&holds_zone, &holds_clients[i],
                                     holds_now);
        holds_call();
    }
}


static void
holds_told(void)
{
    holds_clients_come();
    holds_publish_n(0, 1, 1, 100, NULL);
}


static void
holds_run_clients(void)
{
    ngx_uint_t  i;

    for (i = 0; i < HOLDS_CLIENTS; i++) {
        holds_client = &holds_clients[i];
        holds_read(NGX_HTTP_LONGPOLL_READ_LAST, 0, 0, HOLDS_MB);
    }

    holds_client = NULL;
}


static void
holds_run_idle(void)
{
    holds_now += 4000000;
    (void) ngx_http_longpoll_zone_tick(&holds_zone, holds_now);
    holds_call();
}


/* each event has a poll that waits for it, and comes back for the next */

static void
holds_watched(void)
{
    ngx_uint_t  i;

    holds_some_100();

    for (i = 0; i < 1000; i++) {
        holds_read(NGX_HTTP_LONGPOLL_READ_PARK, i, holds_zone.sh->clock.visible,
                   HOLDS_MB);
    }
}


static void
holds_run_wake(void)
{
    uint64_t    id, hashes[NGX_HTTP_LONGPOLL_DIRTY][2];
    ngx_uint_t  i, cat;

    for (i = 0; i < 100000; i++) {
        holds_now += i % 16 == 0;
        cat = holds_below(1000);
        id = holds_zone.sh->clock.visible;

        holds_publish(cat, 100);

        while (ngx_http_longpoll_zone_watch_take(&holds_zone, 0, hashes)) {
            /* void */
        }

        if (holds_read(NGX_HTTP_LONGPOLL_READ_WAKE, cat, id, HOLDS_MB) != NGX_OK
            || holds_read(NGX_HTTP_LONGPOLL_READ_PARK, cat,
                          holds_zone.sh->clock.visible, HOLDS_MB) != NGX_AGAIN)
        {
            fprintf(stderr, "the event did not come once\n");
            exit(2);
        }
    }

    holds_calls = i;
}


/*
 * Workers have polls of one category.  A worker reads an event once for all its
 * polls.  Its interest ends when all have left; the first that comes back is
 * read for and registers it anew, and the others need no lock.
 */

static uint32_t  holds_interest[8];


static void
holds_park(ngx_uint_t workers)
{
    for (holds_worker = 0; holds_worker < workers; holds_worker++) {
        holds_read(NGX_HTTP_LONGPOLL_READ_PARK, 0, holds_zone.sh->clock.visible,
                   HOLDS_MB);
        holds_interest[holds_worker] = holds_slot;
    }

    holds_worker = 0;
}


static void
holds_deliver(ngx_uint_t worker, uint64_t id)
{
    u_char                   name[32];
    uint64_t                 hashes[NGX_HTTP_LONGPOLL_DIRTY][2];
    ngx_http_longpoll_cat_t  cat;

    holds_worker = worker;
    holds_cat(&cat, name, 0);

    while (ngx_http_longpoll_zone_watch_take(&holds_zone, worker, hashes)) {
        /* void */
    }

    if (holds_read(NGX_HTTP_LONGPOLL_READ_WAKE, 0, id, HOLDS_MB) != NGX_OK) {
        fprintf(stderr, "the event did not come to all\n");
        exit(2);
    }

    ngx_http_longpoll_zone_watch_end(&holds_zone, worker, cat.hash,
                                     holds_interest[worker], 0, 0, holds_now);
}


static void
holds_fan_out(ngx_uint_t workers)
{
    uint64_t    id;
    ngx_uint_t  i, worker;

    holds_on = 0;
    holds_park(workers);
    holds_on = 1;

    for (i = 0; i < 20000; i++) {
        holds_now++;
        id = holds_zone.sh->clock.visible;
        holds_publish(0, 100);

        for (worker = 0; worker < workers; worker++) {
            holds_deliver(worker, id);
        }

        holds_park(workers);
    }

    holds_calls = i;
}


static void
holds_run_fan_out_2(void)
{
    holds_fan_out(2);
}


static void
holds_run_fan_out_4(void)
{
    holds_fan_out(4);
}


static void
holds_run_fan_out_8(void)
{
    holds_fan_out(8);
}


/* of few categories, which stay in the processor's cache */

static void
holds_run_catch_up_10(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 20000; i++) {
        holds_read(NGX_HTTP_LONGPOLL_READ_PEEK, holds_below(10), 0, HOLDS_MB);
    }
}


static void
holds_run_status(void)
{
    ngx_uint_t                       i;
    ngx_http_longpoll_zone_status_t  st;

    for (i = 0; i < 100000; i++) {
        ngx_http_longpoll_zone_status(&holds_zone, (uint64_t) -1, &st);
        holds_call();
    }
}


/*
 * All categories, a hundred on a page; and with a prefix that none has.
 * between: called between two pages, not measured, or NULL.
 */

static void
holds_pages(const char *prefix, void (*between)(void))
{
    static u_char                          names[HOLDS_KB * 128];
    ngx_http_longpoll_zone_page_t          page;
    static ngx_http_longpoll_zone_entry_t  entries[100];

    ngx_memzero(&page, sizeof(ngx_http_longpoll_zone_page_t));

    page.prefix.data = (u_char *) prefix;
    page.prefix.len = strlen(prefix);
    page.entries = entries;
    page.max = 100;

    while (!page.complete) {
        page.n = 0;
        page.names = names;
        page.end = names + sizeof(names);

        while (ngx_http_longpoll_zone_page_read(&holds_zone, &page,
                                                (uint64_t) -1)
               == NGX_BUSY)
        {
            /* void */
        }

        holds_call();

        if (between) {
            holds_on = 0;
            between();
            holds_on = 1;
        }
    }
}


static void
holds_run_pages(void)
{
    holds_pages("", NULL);
}


static void
holds_run_prefix(void)
{
    holds_pages("none", NULL);
}


/*
 * Polls come and go, each with a category of its own.  What is due is published
 * at once, as by a worker that has nothing else to do.
 */

#define HOLDS_COME  100000

static uint32_t  holds_slots[HOLDS_COME];


static void
holds_come(ngx_uint_t n)
{
    (void) holds_read(NGX_HTTP_LONGPOLL_READ_PARK, 1000000 + n,
                      holds_zone.sh->clock.visible, HOLDS_MB);
    holds_slots[n % HOLDS_COME] = holds_slot;
}


static void
holds_go(ngx_uint_t n)
{
    u_char                   name[32];
    uint32_t                 slot;
    ngx_http_longpoll_cat_t  cat;

    holds_cat(&cat, name, 1000000 + n);
    slot = holds_slots[n % HOLDS_COME];

    if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
        ngx_http_longpoll_zone_watch_count_slotless(&holds_zone, 0, -1);
        ngx_http_longpoll_zone_presence_leave(&holds_zone, 0, cat.hash,
                                              holds_now);
        return;
    }

    ngx_http_longpoll_zone_watch_end(&holds_zone, 0, cat.hash, slot, 0,
                                     holds_zone.presence.len != 0, holds_now);
}


static void
holds_tell(void)
{
    uint64_t    wake;
    ngx_uint_t  full;

    if (ngx_http_longpoll_zone_tick(&holds_zone, holds_now)) {
        while (ngx_http_longpoll_zone_presence_tick(&holds_zone, holds_now,
                                                    &full)
               == NGX_BUSY)
        {
            /* void */
        }
    }

    while (ngx_http_longpoll_zone_presence_publish(&holds_zone, 0, holds_now,
                                                   &wake)
           == NGX_OK)
    {
        /* void */
    }
}


/* 100,000 in a minute; each stays for three seconds */

#define HOLDS_STAY  5000

static void
holds_come_and_go(ngx_uint_t n)
{
    static uint64_t  begin;

    begin = n ? begin : holds_now;
    holds_now = begin + n * 60000 / HOLDS_COME;

    if (n >= HOLDS_STAY) {
        holds_go(n - HOLDS_STAY);
    }

    holds_come(n);
    holds_tell();
}


/* 100,000 are there; between two pages a hundred come, and a hundred go */

static ngx_uint_t  holds_last;


static void
holds_present(void)
{
    for (holds_last = 0; holds_last < HOLDS_COME; holds_last++) {
        holds_come(holds_last);
    }

    holds_tell();
}


static void
holds_change(void)
{
    ngx_uint_t  i;

    holds_now += 100;

    for (i = 0; i < 100; i++) {
        holds_go(holds_last - HOLDS_COME);
        holds_come(holds_last++);
    }

    holds_tell();
}


static void
holds_run_present(void)
{
    holds_pages("", holds_change);
}


static void
holds_run_present_prefix(void)
{
    holds_pages("none", holds_change);
}


static void
holds_run_beside(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 3 * HOLDS_COME; i++) {

        if (i % 3 == 0) {
            holds_on = 0;
            holds_come_and_go(i / 3);
            holds_on = 1;
        }

        holds_publish(holds_below(1000), 100);
    }
}


static void
holds_run_come_and_go(void)
{
    ngx_uint_t  i;

    for (i = 0; i < HOLDS_COME; i++) {
        holds_come_and_go(i);
        holds_call();
    }

    holds_calls = i;
}


static const holds_case_t  holds_cases[] = {

    { "publish 100 B, 1,000 categories, full",
      64 * HOLDS_MB, 100000, holds_full_100, holds_run_1k, 0 },

    { "publish 100 B, 90,000 categories, full",
      64 * HOLDS_MB, 100000, holds_full_cold, holds_run_cold, 0 },

    { "publish 10 B, 30,000 categories in 1 MB",
      HOLDS_MB, 100000, holds_full_single, holds_run_single, 0 },

    { "publish 1 B to 64 kB, full of 100 B",
      64 * HOLDS_MB, 100000, holds_full_100, holds_run_kb, 0 },

    { "publish 1 B to a quarter of 1 MB, full of 10 B",
      HOLDS_MB, 100000, holds_full_10, holds_run_mix, 0 },

    { "publish 1 MB and 100 B in turn, full of 10 B",
      64 * HOLDS_MB, 100000, holds_full_10, holds_run_mb, 0 },

    { "publish 16 MB, full of 10 B",
      64 * HOLDS_MB, 100000, holds_full_10, holds_run_huge, 0 },

    { "publish 1,000 at once to 1,000 categories, full",
      64 * HOLDS_MB, 100000, holds_full_cold, holds_run_batch, 0 },

    { "publish with a new key behind 100,000",
      64 * HOLDS_MB, 100000, holds_one_long, holds_run_key, 0 },

    { "delete a category of 100,000",
      64 * HOLDS_MB, 100000, holds_one_long, holds_run_delete, 0 },

    { "buffer from 100,000 to 1, publish, poll",
      64 * HOLDS_MB, 100000, holds_one_long, holds_run_buffer, 0 },

    { "the second in which 100,000 expire",
      64 * HOLDS_MB, 100000, holds_one_long, holds_run_expire, 0 },

    { "poll, 250 x 100 B there",
      64 * HOLDS_MB, 250, holds_some_100, holds_run_catch_up, 0 },

    { "poll from anywhere in 100,000",
      64 * HOLDS_MB, 100000, holds_one_long, holds_run_place, 0 },

    { "polls of 100,000 unknown categories, full",
      64 * HOLDS_MB, 100000, holds_full_100, holds_run_unknown, 0 },

    { "status of a zone with 90,000 categories",
      64 * HOLDS_MB, 100000, holds_full_cold, holds_run_status, 0 },

    { "a list of 90,000 categories, 100 on a page",
      64 * HOLDS_MB, 100000, holds_full_cold, holds_run_pages, 0 },

    { "the same with a prefix that none has",
      64 * HOLDS_MB, 100000, holds_full_cold, holds_run_prefix, 0 },

    { "a list of an empty zone",
      64 * HOLDS_MB, 100000, NULL, holds_run_pages, 0 },

    { "16,384 clients of gpoll's register",
      64 * HOLDS_MB, 100000, holds_full_100, holds_clients_come, 0 },

    { "each of them takes its message of 100 B",
      64 * HOLDS_MB, 100000, holds_told, holds_run_clients, 0 },

    { "the second in which they are idle for too long",
      64 * HOLDS_MB, 100000, holds_told, holds_run_idle, 0 },

    { "publish 100 B, wake, next poll, 1,000 categories",
      64 * HOLDS_MB, 250, holds_watched, holds_run_wake, 0 },

    { "publish 100 B, 2 workers wake, polls come back",
      64 * HOLDS_MB, 250, holds_some_100, holds_run_fan_out_2, 0 },

    { "publish 100 B, 4 workers wake, polls come back",
      64 * HOLDS_MB, 250, holds_some_100, holds_run_fan_out_4, 0 },

    { "publish 100 B, 8 workers wake, polls come back",
      64 * HOLDS_MB, 250, holds_some_100, holds_run_fan_out_8, 0 },

    { "poll, 250 x 100 B there, of 10 categories",
      64 * HOLDS_MB, 250, holds_some_100, holds_run_catch_up_10, 0 },

    { "publish 100 B, full, 100,000 come and go in a minute",
      64 * HOLDS_MB, 100000, holds_full_100, holds_run_beside, 0 },

    { "the same with presence",
      64 * HOLDS_MB, 100000, holds_full_100, holds_run_beside, 1 },

    { "each of them comes, goes, and is told of",
      64 * HOLDS_MB, 100000, holds_full_100, holds_run_come_and_go, 1 },

    { "a list of 100,000 present ones in 128 MB, which change",
      128 * HOLDS_MB, 100000, holds_present, holds_run_present, 1 },

    { "the same list with a prefix that none has",
      128 * HOLDS_MB, 100000, holds_present, holds_run_present_prefix, 1 },
};


static void
holds_world(const holds_case_t *test)
{
    u_char       *mem;
    u_char        random[24];
    static char   mutex;

    mem = mmap(NULL, test->size, PROT_READ|PROT_WRITE,
               MAP_SHARED|MAP_ANONYMOUS|MAP_POPULATE, -1, 0);

    if (mem == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }

    ngx_memzero(&holds_zone, sizeof(holds_zone));
    ngx_memzero(random, sizeof(random));

    holds_now = HOLDS_EPOCH;
    holds_chance = 1;

    holds_zone.size = test->size;
    holds_zone.conf.buffer = test->buffer;
    holds_zone.mutex = (ngx_shmtx_t *) &mutex;

    if (test->presence) {
        ngx_str_set(&holds_zone.presence, "who");
        holds_zone.conf.grace = 5000;
    }

    if (ngx_http_longpoll_zone_init(&holds_zone, mem, test->size, 0, random,
                                    holds_now)
        != NGX_OK)
    {
        fprintf(stderr, "no zone\n");
        exit(2);
    }

    if (test->before) {
        test->before();
    }

    holds_n = 0;
    holds_calls = 0;
    holds_first = 0;
    holds_most = 0;

    holds_on = 1;
    test->run();
    holds_on = 0;

    if (munmap(mem, test->size) == -1) {
        perror("munmap");
        exit(2);
    }
}


static int
holds_cmp(const void *one, const void *two)
{
    uint32_t  a, b;

    a = *(const uint32_t *) one;
    b = *(const uint32_t *) two;

    return (a > b) - (a < b);
}


static double
holds_us(ngx_uint_t per_million)
{
    return holds_ns[(uint64_t) (holds_n - 1) * per_million / 1000000] / 1000.0;
}


static void
holds_case(ngx_uint_t i)
{
    double               sum;
    ngx_uint_t           n;
    const holds_case_t  *test = &holds_cases[i];

    for (holds_again = 0; holds_again < HOLDS_RUNS; holds_again++) {
        holds_world(test);
    }

    qsort(holds_ns, holds_n, sizeof(uint32_t), holds_cmp);

    for (sum = 0, n = 0; n < holds_n; n++) {
        sum += holds_ns[n] / 1000.0;
    }

    printf("| %lu | %s | %lu | %.2f | %lu | %.2f | %.2f | %.1f | **%.1f** |\n",
           (unsigned long) i + 1, test->title, (unsigned long) holds_calls,
           sum / holds_calls, (unsigned long) holds_most, holds_us(500000),
           holds_us(990000), holds_us(999900), holds_us(1000000));
    fflush(stdout);
}


int
main(int argc, char **argv)
{
    int         n;
    uint64_t    ns;
    ngx_uint_t  i;

    holds_cycle.log = &holds_log;
    holds_ns = malloc(HOLDS_MAX * sizeof(uint32_t));
    holds_data = malloc(16 * HOLDS_MB);

    if (holds_ns == NULL || holds_data == NULL) {
        perror("malloc");
        return 2;
    }

    memset(holds_data, 'x', 16 * HOLDS_MB);

    holds_clock = (uint64_t) -1;

    for (i = 0; i < 100000; i++) {
        ns = holds_cpu();
        ns = holds_cpu() - ns;
        holds_clock = ngx_min(holds_clock, ns);
    }

    printf("| | what | calls | all holds of one | holds of one call, at most |"
           " median | 99 %% | 99.99 %% | longest |\n"
           "|--|---|--:|--:|--:|--:|--:|--:|--:|\n");

    for (i = 0; i < sizeof(holds_cases) / sizeof(holds_cases[0]); i++) {

        for (n = 1; n < argc && strcmp(argv[n], holds_cases[i].title); n++) {
            /* void */
        }

        if (argc == 1 || n < argc) {
            holds_case(i);
        }
    }

    return 0;
}
