
/*
 * walk.c: every walk of a zone over memory that holds anything.
 *
 * A zone is made and filled as the bytes say; then some of its memory is
 * overwritten, and calls are made.  Each must answer, or stop with a message,
 * as a debug build does (NGX_HTTP_LONGPOLL_DEBUG): it never reads or writes
 * outside of the zone, and never takes the lock for ever.
 *
 * A process that finds its zone corrupt ends in ngx_log_error_core(); here the
 * input ends there.
 */


#include "fuzz.h"

#include "../unit/zone_check.h"

#include <ngx_http_longpoll_zone.h>
#include <ngx_http_longpoll_zone_client.h>
#include <ngx_http_longpoll_zone_delete.h>
#include <ngx_http_longpoll_zone_publish.h>
#include <ngx_http_longpoll_zone_page.h>
#include <ngx_http_longpoll_zone_question.h>
#include <ngx_http_longpoll_zone_read.h>
#include <ngx_http_longpoll_zone_status.h>
#include <ngx_http_longpoll_zone_tick.h>
#include <ngx_http_longpoll_zone_watch.h>

#include <setjmp.h>
#include <stdarg.h>


#define WALK_SIZE   (32 * 1024)
#define WALK_CATS   24
#define WALK_CLIENTS  12            /* more than there is room for */
#define WALK_HOLDS  20000           /* in one call */
#define WALK_EPOCH  1700000000000ULL


int LLVMFuzzerInitialize(int *argc, char ***argv);


static ngx_log_t          walk_log;
static ngx_cycle_t        walk_cycle;
volatile ngx_cycle_t     *ngx_cycle = &walk_cycle;
ngx_uint_t                ngx_pagesize = 4096;

static jmp_buf            walk_stopped;
static ngx_uint_t         walk_held;
static ngx_uint_t         walk_holds;
static uint64_t           walk_now;

static u_char            *walk_mem;
static ngx_shmtx_t        walk_mutex;
static ngx_http_longpoll_zone_t  walk_zone;
static ngx_http_longpoll_cat_t   walk_cats[WALK_CATS];
static u_char             walk_names[WALK_CATS][8];
static ngx_http_longpoll_client_t  walk_clients[WALK_CLIENTS];
static u_char             walk_data[WALK_SIZE];


void
ngx_http_longpoll_lock(ngx_shmtx_t *mtx)
{
    fuzz_must(!walk_held, "a process takes the lock twice");
    fuzz_must(walk_holds++ < WALK_HOLDS, "a call that does not end");
    walk_held = 1;
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    fuzz_must(walk_held, "a process unlocks without the lock");
    walk_held = 0;
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    fuzz_must(size <= 4 * WALK_SIZE, "too much memory is asked for");
    return malloc(size);
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    va_list      args;
    const char  *what;

    va_start(args, fmt);
    what = va_arg(args, const char *);
    va_end(args);

    fuzz_must(strstr(fmt, "zone is corrupt: %s") && what && *what,
              "it stops without a message");

    if (getenv("FUZZ_VERBOSE")) {
        fprintf(stderr, "stopped: %s\n", what);
    }

    longjmp(walk_stopped, 1);
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    walk_log.log_level = NGX_LOG_DEBUG;
    walk_cycle.log = &walk_log;
    memset(walk_data, 'd', sizeof(walk_data));

    return 0;
}


/*
 * calls
 */


static void
walk_publish(fuzz_bytes_t *b)
{
    uint64_t                 wake;
    ngx_str_t                key;
    ngx_uint_t               i, n, bits;
    ngx_http_longpoll_cat_t  cats[4];
    ngx_http_longpoll_msg_t  msgs[4];

    bits = fuzz_take(b, 1);
    n = bits & 3 ? 1 : 1 + (bits >> 6);

    ngx_memzero(msgs, sizeof(msgs));

    for (i = 0; i < n; i++) {
        cats[i] = walk_cats[((bits >> 2) + i) % WALK_CATS];
        msgs[i].cat = i;
        msgs[i].data.data = walk_data;
        msgs[i].data.len = 1 + fuzz_take(b, 1) * (bits & 0x80 ? 32 : 1);
    }

    key.data = (u_char *) "key1" + (bits & 3);
    key.len = 1;

    (void) ngx_http_longpoll_zone_publish(&walk_zone, cats, msgs, n,
                                          bits & 0x20 ? &key : NULL, walk_now,
                                          &wake);
}


static void
walk_read(fuzz_bytes_t *b)
{
    size_t                    costs[WALK_CATS];
    u_char                   *copy;
    uint32_t                  slots[WALK_CATS];
    ngx_uint_t                i, bits;
    ngx_http_longpoll_cat_t   cats[WALK_CATS];
    ngx_http_longpoll_read_t  rd;

    ngx_memzero(&rd, sizeof(ngx_http_longpoll_read_t));

    bits = fuzz_take(b, 2);

    rd.mode = bits & 3;
    rd.worker = bits & 4 ? 0 : 63;
    rd.cats = cats;
    rd.costs = costs;
    rd.slots = slots;
    rd.ncats = bits & 8 ? WALK_CATS : 1;
    rd.limit = bits & 0x10 ? 100 : 1024 * 1024;
    rd.cursor.fresh = (bits >> 5) & 1;
    rd.cursor.exact = (bits >> 6) & 1;
    rd.cursor.beginning = (bits >> 7) & 1;

    rd.cursor.now = (bits >> 15) & 1;
    rd.cursor.recent = bits & 0x8000 ? NGX_HTTP_LONGPOLL_MAX_RECENT : 0;

    if (!(bits & 0x80)) {
        rd.cursor.id = ngx_http_longpoll_id(WALK_EPOCH, 0)
                       + ((uint64_t) fuzz_take(b, 1) << 15);
    }

    for (i = 0; i < rd.ncats; i++) {
        cats[i] = walk_cats[((bits >> 8) + i) % WALK_CATS];
        costs[i] = 100;
    }

    if (ngx_http_longpoll_zone_read(&walk_zone, &rd, walk_now) != NGX_OK) {
        return;
    }

    for (i = 0; i < rd.nmsgs; i++) {
        copy = fuzz_copy(rd.msgs[i].data.data, rd.msgs[i].data.len);
        free(copy);
    }

    (void) ngx_http_longpoll_zone_read_valid(&walk_zone);
}


/* gpoll's: of a few that may be there */

static void
walk_client(fuzz_bytes_t *b)
{
    size_t                       costs[WALK_CATS];
    uint32_t                     slots[WALK_CATS];
    ngx_uint_t                   bits, i, worker;
    ngx_http_longpoll_read_t     rd;
    ngx_http_longpoll_client_t  *client;

    bits = fuzz_take(b, 1);
    client = &walk_clients[bits % WALK_CLIENTS];
    worker = bits & 0x80 ? 63 : 0;

    switch (bits >> 4 & 7) {

    case 0:
    case 1:
        client->uuid[0] = 1 + bits;
        ngx_http_longpoll_zone_client_add(&walk_zone, client, walk_now);
        return;

    case 2:
        client->number = fuzz_take(b, 1);
        return;

    case 3:
        ngx_http_longpoll_zone_client_leave(&walk_zone, worker, client,
                                            walk_now);
        return;
    }

    ngx_memzero(&rd, sizeof(ngx_http_longpoll_read_t));

    rd.mode = bits >> 4 & 3;
    rd.worker = worker;
    rd.cats = walk_cats;
    rd.ncats = 1 + fuzz_take(b, 1) % WALK_CATS;
    rd.costs = costs;
    rd.slots = slots;
    rd.client = client;

    for (i = 0; i < rd.ncats; i++) {
        costs[i] = 0;
    }

    if (ngx_http_longpoll_zone_read(&walk_zone, &rd, walk_now) != NGX_OK) {
        return;
    }

    free(fuzz_copy(rd.msgs[0].data.data, rd.msgs[0].data.len));

    (void) ngx_http_longpoll_zone_read_valid(&walk_zone);
}


/* a question of how many wait for a category, and its answer */

static void
walk_question(ngx_http_longpoll_cat_t *cat, ngx_uint_t worker)
{
    uint64_t  n, number, place, from, upto;

    number = 0;
    place = ngx_http_longpoll_hash_place(cat->hash[1]);

    (void) ngx_http_longpoll_zone_question_count(&walk_zone, place, place,
                                                 (uint64_t) 1 << worker,
                                                 walk_now, &number, &n);

    if (ngx_http_longpoll_zone_question_asked(&walk_zone, worker, &number,
                                              &from, &upto))
    {
        ngx_http_longpoll_zone_question_answer(&walk_zone, worker, number, 1);
    }

    (void) ngx_http_longpoll_zone_question_count(&walk_zone, place, place,
                                                 (uint64_t) 1 << worker,
                                                 walk_now, &number, &n);
}


/* all pages of the categories */

static void
walk_pages(void)
{
    u_char                          names[NGX_HTTP_LONGPOLL_MAX_CATEGORY];
    ngx_http_longpoll_zone_page_t   page;
    ngx_http_longpoll_zone_entry_t  entry;

    ngx_memzero(&page, sizeof(ngx_http_longpoll_zone_page_t));

    page.entries = &entry;
    page.max = 1;

    while (!page.complete) {
        page.n = 0;
        page.names = names;
        page.end = names + sizeof(names);

        (void) ngx_http_longpoll_zone_page_read(&walk_zone, &page,
                                                (uint64_t) -1);
    }
}


static void
walk_configure(fuzz_bytes_t *b)
{
    walk_zone.conf.buffer = 1 + fuzz_take(b, 1);
    walk_zone.conf.ttl = 100 * fuzz_take(b, 1);
    walk_zone.conf.inactive = 100 * fuzz_take(b, 1);
    walk_zone.conf.delete_on_read = fuzz_take(b, 1) & 1;
    ngx_http_longpoll_zone_configure(&walk_zone);
}


static void
walk_call(fuzz_bytes_t *b)
{
    uint64_t                             hashes[64][2];
    ngx_uint_t                           worker;
    ngx_http_longpoll_cat_t             *cat;
    ngx_http_longpoll_zone_status_t      st;
    ngx_http_longpoll_category_status_t  cst;

    walk_holds = 0;
    walk_now += fuzz_take(b, 1) & 3;

    switch (fuzz_take(b, 1) % 16) {

    case 0:
    case 1:
    case 2:
        walk_publish(b);
        return;

    case 3:
    case 4:
    case 5:
        walk_read(b);
        return;

    case 6:
        walk_now += 1000 * fuzz_take(b, 1);
        (void) ngx_http_longpoll_zone_tick(&walk_zone, walk_now);
        return;

    case 7:
        walk_configure(b);
        return;

    case 13:
    case 14:
    case 15:
        walk_client(b);
        return;
    }

    cat = &walk_cats[fuzz_take(b, 1) % WALK_CATS];
    worker = fuzz_take(b, 1) & 1 ? 63 : 0;

    switch (fuzz_take(b, 1) % 8) {

    case 0:
        ngx_http_longpoll_zone_delete(&walk_zone, cat, walk_now);
        return;

    case 1:
        ngx_http_longpoll_zone_watch_end(&walk_zone, worker, cat->hash,
                                         fuzz_take(b, 1) % 16, 0, 0, walk_now);
        return;

    case 2:
        ngx_http_longpoll_zone_watch_acknowledge(&walk_zone, worker, cat->hash,
                                                 0, (uint64_t) -1);
        return;

    case 3:
        ngx_http_longpoll_zone_watch_count_slotless(&walk_zone, worker, 1);
        return;

    case 4:
        while (ngx_http_longpoll_zone_watch_take(&walk_zone, worker, hashes)) {
            /* void */
        }

        (void) ngx_http_longpoll_zone_watch_take_all(&walk_zone, worker);
        return;

    case 5:
        ngx_http_longpoll_zone_tick_reap(&walk_zone, worker, walk_now);
        return;

    case 6:
        ngx_http_longpoll_zone_status(&walk_zone, (uint64_t) -1, &st);
        ngx_http_longpoll_zone_status_category(&walk_zone, cat, walk_now, &cst);
        return;

    default:
        walk_question(cat, worker);
        walk_pages();
    }
}


/*
 * memory
 */


static void
walk_make(fuzz_bytes_t *b)
{
    size_t      size;
    ngx_uint_t  i;

    static u_char  random[24] = "what nobody can guess..";

    ngx_memzero(&walk_zone, sizeof(ngx_http_longpoll_zone_t));

    size = WALK_SIZE - 512;
    walk_mem = calloc(1, size);
    ngx_memzero(walk_clients, sizeof(walk_clients));
    walk_now = WALK_EPOCH;
    walk_held = 0;

    walk_zone.size = WALK_SIZE;
    walk_zone.mutex = &walk_mutex;
    walk_zone.conf.buffer = 250;
    walk_zone.conf.delete_on_read = fuzz_take(b, 1) & 1;

    fuzz_must(ngx_http_longpoll_zone_init(&walk_zone, walk_mem, size, 0,
                                          random, walk_now)
              == NGX_OK, "no zone");

    for (i = 0; i < WALK_CATS; i++) {
        walk_cats[i].name.data = walk_names[i];
        walk_cats[i].name.len = sprintf((char *) walk_names[i], "c%lu",
                                        (unsigned long) i);
        ngx_http_longpoll_zone_hash(&walk_zone, &walk_cats[i]);
    }

    /* nothing of the input before is remembered */

    (void) ngx_http_longpoll_zone_read_valid(&walk_zone);
}


/* bytes of some kind: most of them are read by some call */

static u_char *
walk_place(ngx_uint_t kind, uint64_t n, size_t *left)
{
    u_char                       *p, *start;
    size_t                        skip;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = walk_zone.sh;
    start = (u_char *) sh;

    switch (kind % 8) {

    case 0:
    case 1:
        skip = offsetof(ngx_http_longpoll_zone_sh_t, conf);
        p = start + skip + n * 4 % (sizeof(*sh) - skip);
        break;

    case 2:
        p = (u_char *) walk_zone.cats.slots
            + n * 4 % (8 * sizeof(ngx_http_longpoll_cat_sh_t));
        break;

    case 3:
        p = (u_char *) walk_zone.cats.buckets
            + n * 4 % ((u_char *) walk_zone.log.base
                       - (u_char *) walk_zone.cats.buckets);
        break;

    case 4:
    case 5:
        p = walk_zone.log.base + n * 4 % 1024;
        break;

    case 6:
        p = (u_char *) walk_zone.clients.entries
            + n * 4 % (8 * sizeof(ngx_http_longpoll_client_sh_t));
        break;

    default:
        p = start + n % (walk_zone.log.base + walk_zone.log.size - start);
    }

    *left = walk_zone.log.base + walk_zone.log.size - p;

    return p;
}


/* a process died within a step that no process makes */

static void
walk_journal(fuzz_bytes_t *b)
{
    ngx_uint_t                       i;
    ngx_http_longpoll_journal_sh_t  *j;

    j = &walk_zone.sh->journal;
    j->n = fuzz_take(b, 1) % (NGX_HTTP_LONGPOLL_JOURNAL_MAX + 2);

    for (i = 0; i < NGX_HTTP_LONGPOLL_JOURNAL_MAX && i < j->n; i++) {
        j->undo[i].offset = (int16_t) fuzz_take(b, 2) * 8;
        j->undo[i].old = fuzz_take(b, 1);
    }
}


static void
walk_spoil(fuzz_bytes_t *b)
{
    u_char      *p;
    size_t       left;
    uint64_t     value;
    ngx_uint_t   n, kind, len;

    for (n = fuzz_take(b, 1) % 8; n; n--) {
        kind = fuzz_take(b, 1);

        if (kind >> 7) {
            walk_journal(b);
            continue;
        }

        p = walk_place(kind, fuzz_take(b, 2), &left);

        len = (kind >> 3) & 3 ? 4 : 8;
        len = ngx_min(len, left);

        value = fuzz_take(b, kind >> 5 & 1 ? len : 1);

        if (kind >> 6 & 1) {
            value = -value;
        }

        memcpy(p, &value, len);
    }
}


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    ngx_uint_t             n;
    static fuzz_bytes_t    b;

    b.pos = data;
    b.last = data + size;

    walk_make(&b);

    if (setjmp(walk_stopped) == 0) {

        for (n = fuzz_take(&b, 1) % 32; n; n--) {
            walk_call(&b);
        }

        fuzz_must(zone_check(&walk_zone) == NULL,
                  "the zone is corrupt before it is spoilt");
    } else {
        fuzz_must(0, "the zone is corrupt before it is spoilt");
    }

    walk_spoil(&b);

    if (setjmp(walk_stopped) == 0) {
        (void) zone_check(&walk_zone);
    }

    if (setjmp(walk_stopped) == 0) {

        do {
            walk_call(&b);

            if (b.pos < b.last && *b.pos == 0xff) {
                walk_spoil(&b);
            }
        } while (b.pos < b.last);
    }

    free(walk_mem);

    return 0;
}
