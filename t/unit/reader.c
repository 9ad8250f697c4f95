
/*
 * reader.c: the unit test of the worker that reads a stream; reader.h says what
 * is tested.
 *
 *     reader [SEED]              all tests, as TAP; the seed is for the worlds
 *     reader soak SECONDS [SEED] random worlds with ever new seeds
 *     reader world SEED          one world, as a failure names it
 *
 * A case ends with what the zone must have been told.  In a random world the
 * Redis is cut off, restarted, trimmed, loses its end, is wiped, or talks
 * nonsense; an event that the zone lacks is in front of what its clients are
 * told missed.  In half of them a restart begins no epoch (restart=same).
 */


#include "reader.h"


#define READER_WORLDS  60
#define READER_STEPS   400


typedef struct {
    ngx_uint_t      n;
    uint64_t        ids[100000];
    uint64_t        epochs[100000];
    ngx_uint_t      places;     /* redis.places, when it lost its end */
} reader_all_t;


static ngx_cycle_t  cycle;
static ngx_log_t    log_all;

static ngx_uint_t   tests, failed, good = 1;
static uint64_t     world;                      /* its seed; 0: none */


static void
end(const char *title)
{
    printf("%sok %lu - %s\n", good ? "" : "not ", (unsigned long) ++tests,
           title);
    failed += !good;
    good = 1;
}


#define is(what, expected)                                                    \
    do {                                                                      \
        unsigned long long  got_ = (what);                                    \
        if (got_ != (unsigned long long) (expected)) {                        \
            printf("# %s:%d: %s is %llu, not %llu\n", __FILE__, __LINE__,     \
                   #what, got_, (unsigned long long) (expected));             \
            good = 0;                                                         \
        }                                                                     \
    } while (0)


void
unit_fail(const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    printf("# ");
    vprintf(format, args);
    va_end(args);

    printf("\n# world %llu\n%s\nnot ok %lu - it goes on\n",
           (unsigned long long) world, reader_log, (unsigned long) ++tests);

    exit(1);
}


/* a worker with another number, as the one before has died */

static void
worker(void)
{
    reader_timers_end();
    reader_forget();

    zone.cluster.feed = NULL;
    ngx_http_longpoll_notify_number++;

    if (ngx_http_longpoll_feed_init_process(&cycle, &zone.z) != NGX_OK) {
        abort();
    }
}


static void
begin(void)
{
    log_all.log_level = NGX_LOG_DEBUG;
    cycle.log = &log_all;

    reader_timers_end();

    if (cycle.pool) {
        ngx_reset_pool(cycle.pool);
    } else {
        cycle.pool = ngx_create_pool(1, &log_all);
    }

    reader_log[0] = '\0';
    reader_time_init();
    reader_redis_init();
    reader_zone_init();
    ngx_http_longpoll_notify_number = 0;

    if (ngx_http_longpoll_feed_init_process(&cycle, &zone.z) != NGX_OK) {
        abort();
    }
}


/* some seconds pass; the old worker's pools are freed with the process */

static void
run(uint64_t ms)
{
    uint64_t    until;
    ngx_uint_t  steps;

    until = ngx_current_msec + ms;

    for (steps = 0; ngx_current_msec < until; steps++) {
        unit_must(steps < 100 * (ms + 10), "it turns in a circle");

        reader_step(until);
    }
}


static uint64_t
visible(void)
{
    return zone.z.sh->clock.visible;
}


static ngx_uint_t
synced(void)
{
    return zone.z.sh->feed.synced && zone.z.sh->feed.connected;
}


static void
reader_first(void)
{
    uint64_t  id;

    begin();
    run(100);
    is(redis.begins, 1);
    is(zone.begins, 1);
    is(visible() & 0xffff, 0xffff);
    is(zone.z.sh->epoch, zone.lives[0].epoch);
    is(reader_logged("redis host:1 connected"), 1);
    is(reader_logged("a new life"), 0);
    end("the first reader of an empty Redis begins a life");

    is(synced(), 0);
    run(350);
    is(synced(), 1);
    is(redis.beats, 1);
    end("the zone is synced by what comes behind the first read");

    id = reader_publish(3);
    (void) reader_publish(1);
    (void) reader_add(NULL, "x", "farm", "x", "barn", NULL);
    run(10);
    is(zone.nevents, 4);
    is(zone.events[2], id);
    is(zone.events[3], id + 1);
    is(zone.deletes, 2);
    is(zone.missed, zone.lives[0].begin);
    end("entries come to the zone in their order");

    redis.beats = 0;
    run(2000);
    is(redis.beats >= 5 && redis.beats <= 8, 1);
    is(visible() & 0xffff, 0xffff);
    is(ngx_http_longpoll_id_ms(visible()) + 400 > reader_now, 1);
    is(zone.z.sh->feed.latest + 400 > reader_now, 1);

    redis.beats = 0;
    for (id = 0; id < 20; id++) {
        reader_publish(1);
        run(100);
    }
    is(redis.beats, 0);
    is(zone.nevents, 24);
    end("a reader that reads nothing for a third of a second beats");
}


static void
reader_comes_back(void)
{
    begin();
    run(100);
    reader_publish(2);
    run(1000);
    reader_publish(2);
    reader_cut();
    run(3000);
    is(zone.nevents, 4);
    is(zone.empties, 0);
    is(zone.gaps, 0);
    is(redis.begins, 1);
    is(reader_logged("lost: it was cut"), 1);
    is(reader_logged("connected"), 2);
    is(zone.z.sh->feed.reconnects, 1);
    is(synced(), 1);
    end("a reader that was cut off goes on where it was");

    redis.up = 0;
    reader_cut();
    run(60000);
    is(reader_logged("lost:"), 2);
    is(zone.z.sh->feed.connected, 0);
    is(zone.z.sh->feed.reconnects > 10 && zone.z.sh->feed.reconnects < 40, 1);
    redis.up = 1;
    reader_publish(1);
    run(6000);
    is(zone.nevents, 5);
    end("it tries again, at most each five seconds, and says so once");

    worker();
    run(2000);
    reader_publish(1);
    run(1500);
    is(zone.nevents, 6);
    is(zone.gaps + zone.empties, 0);
    end("so does its successor");

    zone.other = 1;
    run(2000);
    is(zone.z.sh->feed.connected, 0);
    reader_publish(1);
    run(2000);
    is(zone.nevents, 6);
    zone.other = 0;
    run(2000);
    is(zone.nevents, 7);
    end("a worker reads while no other one does");

    ngx_http_longpoll_feed_closing(&zone.z);
    is(zone.z.sh->feed.reader, 0);
    reader_publish(1);
    run(5000);
    is(zone.nevents, 7);
    ngx_http_longpoll_feed_exit_process(&zone.z);
    is(zone.cluster.feed == NULL, 1);
    end("a worker that leaves does not read");
}


static void
reader_restarts(void)
{
    uint64_t  epoch, newest;

    begin();
    run(100);
    reader_publish(2);
    run(1000);
    epoch = zone.z.sh->epoch;
    redis.run++;
    reader_cut();
    run(3000);
    is(redis.begins, 2);
    is(zone.nevents, 2);
    is(zone.empties, 0);
    is(zone.z.sh->epoch != epoch, 1);
    is(zone.missed > zone.events[1], 1);
    is(reader_logged("a new life: Redis was restarted or replaced"), 1);
    end("with a Redis that was restarted begins a life");

    redis.run++;
    run(3000);
    is(redis.begins, 3);
    end("also with one that has kept its connections");

    redis.begins = 2;
    zone.cluster.same = 1;
    redis.run++;
    reader_publish(1);
    reader_cut();
    run(3000);
    is(redis.begins, 2);
    is(zone.nevents, 3);
    end("not if the operator says that it loses nothing");

    reader_publish(1);
    run(100);
    reader_publish(1);
    run(100);
    newest = zone.events[zone.nevents - 1];
    reader_lose(1);
    redis.run++;
    redis.behind = 3600000;
    reader_cut();
    run(3000);
    is(redis.begins, 3);
    is(zone.empties, 1);
    is(zone.nevents, 4);
    is(zone.missed > newest, 1);
    is(reader_publish(1) > newest, 1);
    run(100);
    is(zone.nevents, 5);
    is(synced(), 1);
    end("a lost end begins a life above it, and the zone is loaded anew");

    reader_publish(1);
    run(100);
    reader_lose(1);
    reader_publish(2);
    reader_cut();
    redis.begins = 0;
    run(3000);
    is(redis.begins, 1);
    is(zone.empties, 2);
    end("so does another entry in its place");
}


static void
reader_is_wiped(void)
{
    begin();
    run(100);
    reader_publish(2);
    run(500);
    reader_flush();
    run(3000);
    is(redis.begins, 2);
    is(zone.empties, 0);
    is(zone.nevents, 2);
    reader_publish(1);
    run(100);
    is(zone.nevents, 3);
    is(zone.missed > zone.events[1], 1);
    end("a Redis that was wiped gets a life, and the zone keeps its events");

    reader_trim(redis.nentries);
    redis.exists = 0;
    redis.last.ms = redis.last.seq = 0;
    run(3000);
    is(redis.begins, 3);
    is(zone.empties, 1);
    reader_publish(1);
    run(100);
    is(zone.nevents, 1);
    is(synced(), 1);
    end("so does one whose stream alone was deleted");

    /* without beats, which would be refused */

    begin();
    run(1000);
    redis.full = 1;
    reader_publish(1);
    run(100);
    reader_trim(redis.nentries);
    reader_add("1700000000000-0", "l", "000000000000002", NULL);
    redis.last.seq = NGX_HTTP_LONGPOLL_ENTRY_SEQ_MAX;
    redis.behind = 100000000000;
    strcpy(redis.life, "000000000000002 1700000000000-0 run1.id\n");
    run(3000);
    redis.full = 0;
    reader_publish(1);
    run(100);
    is(zone.empties, 1);
    is(zone.nevents, 1);
    is(reader_epoch(visible()) != 2, 1);
    end("a stream that another node made anew below is found");

    begin();
    strcpy(redis.life, "000000000000001 7-0 run1.id\n");
    run(3000);
    is(redis.begins, 1);
    is(redis.exists, 1);
    is(zone.begins, 1);
    is(synced(), 1);
    end("also if nobody has read it");

    begin();
    strcpy(redis.life, "this is no list");
    run(500);
    is(redis.begins, 1);
    is(strlen(redis.life) < 60 && strchr(redis.life, '\n') != NULL, 1);
    is(synced(), 1);
    end("a list of lives that cannot be read is replaced");

    begin();
    run(100);
    for (redis.run = 2; redis.run < 20; redis.run++) {
        reader_cut();
        run(1000);
    }
    is(redis.begins, 19);
    {
        char        *p;
        ngx_uint_t   lines;

        for (lines = 0, p = redis.life; (p = strstr(p, "run")); p++) {
            lines++;
        }

        is(lines, 15);
    }
    is(synced(), 1);
    end("the list has the newest 15");
}


/*
 * The stream is made anew below the zone's place, and has another entry at that
 * place.  The first entry behind it is a stranger's.
 */

static void
made_anew(void)
{
    char                             id[64];
    ngx_http_longpoll_entry_place_t  *at;

    at = &zone.z.sh->feed.at.place;
    sprintf(id, "%llu-%llu", (unsigned long long) at->ms,
            (unsigned long long) at->seq);
    reader_flush();
    redis.exists = 1;
    strcpy(redis.life, "000000000000002 1700000000000-0 run1.id\n");
    reader_add(id, "c", "farm", "d", "2", NULL);
    reader_strange();
    run(3000);
}


/* the list of epochs is read before what may be another one's */

static void
reader_asks(void)
{
    ngx_uint_t  i, reads, gets;

    begin();
    run(100);
    strcpy(redis.life, "000000000000002 1895228800000-0 run1.id\n");
    reader_publish(1);
    redis.last.ms = 1895228800000;
    reader_publish(1);
    reader_trim(redis.nentries - 1);
    run(3000);
    is(zone.z.sh->epoch, 2);
    is(zone.gaps, 1);
    end("a life that began in a gap is known before what follows");

    /* a zone without a number, as the beginning was trimmed; and no beats */

    begin();
    run(100);
    reader_trim(redis.nentries);
    redis.full = 1;
    reader_zone_init();
    worker();
    run(500);
    is(zone.begun, 1);
    is(zone.z.sh->feed.at.number, 0);
    strcpy(redis.life, "000000000000002 1895228800000-0 run1.id\n");
    redis.last.ms = 1895228800000;
    reader_publish(1);
    run(100);
    is(zone.z.sh->epoch, 2);
    is(zone.nevents, 1);
    end("so is one while the zone has no number");

    begin();
    run(100);
    reader_publish(1);
    run(500);
    redis.full = 1;
    reader_trim(redis.nentries);
    strcpy(redis.life, "000000000000002 1895228800000-0 run1.id\n");
    redis.last.ms = 1895228800000;
    run(3000);
    is(zone.begun, 1);
    strcpy(redis.life, "000000000000003 1895228900000-0 run1.id\n");
    redis.last.ms = 1895228900000;
    reader_publish(1);
    run(100);
    is(zone.z.sh->epoch, 3);
    end("also if its reader had one");

    begin();
    run(100);
    reader_publish(1);
    run(100);
    made_anew();
    is(zone.empties, 1);
    is(redis.begins, 2);
    is(zone.nevents, 1);
    end("a stranger's entry does not hide that the stream is another one");

    begin();
    run(100);
    zone.waits = 1;
    reads = redis.reads;

    for (i = 0; i < 5; i++) {
        reader_strange();
    }

    run(100);
    is(zone.skips, 5);
    is(redis.reads - reads, 3);
    end("for strangers' entries of one reply the list is read one time");

    /* each entry follows, and no read is without one; so beats tell */

    begin();
    run(500);
    strcpy(redis.life, "000000000000002 1700000000000-0 run1.id\n");

    for (i = 0; i < 3; i++) {
        reader_publish(1);
        run(700);
    }

    is(redis.begins, 2);
    is(synced(), 1);
    gets = redis.gets;

    for (i = 0; i < 5; i++) {
        reader_publish(1);
        run(100);
    }

    is(redis.gets - gets, 0);
    end("a beat that was refused makes a reader look, once");
}


/* a stranger who writes all the time */

static void
reader_goes_on(void)
{
    ngx_uint_t  i, skips, begins, gaps;

    begin();

    for (i = 0; i < 20; i++) {
        reader_strange();
        run(100);
    }

    is(synced(), 1);
    is(redis.beats >= 5 && redis.beats <= 8, 1);
    is(ngx_http_longpoll_id_ms(visible()) + 400 > reader_now, 1);
    end("a zone is synced, and beats are written, while a stranger writes");

    skips = zone.skips;
    redis.restless = 1;
    reader_strange();
    run(100);
    is(zone.skips - skips, 1);
    end("a stranger who trims what he writes does not keep a reader waiting");

    redis.restless = 0;
    reader_publish(1);
    reader_publish(1);
    run(100);
    reader_lose(1);
    reader_strange();
    run(100);
    is(zone.empties, 1);
    end("behind eight looks the reader looks again");

    /* without beats, which would be read in between */

    begin();
    run(500);
    redis.full = 1;

    for (i = 0; i < 8; i++) {
        redis.withdrawn = 1;
        reader_strange();
        run(1500);
    }

    is(redis.withdrawn, 0);
    made_anew();
    is(zone.empties, 1);
    end("a read that brings nothing begins the count of looks anew");

    begin();
    run(500);
    reader_publish(1);
    begins = redis.begins;

    for (i = 0; i < 20; i++) {
        reader_strange();
        run(20);
        reader_delete();
        run(30);
    }

    is(zone.empties, 0);
    is(redis.begins - begins, 0);
    end("a stranger who deletes what was read is no loss");

    reader_publish(1);
    reader_publish(1);
    run(100);
    begins = redis.begins;
    gaps = zone.gaps;
    zone.cluster.same = 1;
    reader_lose(2);
    reader_publish(1);
    reader_delete();
    reader_publish(1);
    reader_cut();
    run(3000);
    is(redis.begins - begins, 0);
    is(zone.empties, 0);
    is(zone.gaps - gaps, 1);
    zone.cluster.same = 0;
    end("what is deleted behind a lost end hides that, and is a gap");

    redis.beats = 0;

    for (i = 0; i < 40; i++) {
        reader_publish(1);
        reader_strange();
        run(50);
    }

    is(redis.beats, 0);
    end("a stranger's entry behind another one makes no beat due");
}


/* the list of epochs is as before, and the end of the stream is another one */

static void
reader_asks_for_place(void)
{
    uint64_t    id;
    ngx_uint_t  i;

    for (i = 0; i < 2; i++) {
        begin();
        zone.cluster.same = 1;
        run(100);
        reader_publish(1);
        run(100);
        reader_publish(2);
        run(100);
        reader_lose(1);

        if (i) {
            reader_strange();
        } else {
            reader_publish(1);
        }

        run(3000);
        is(zone.empties, 1);
        is(redis.begins, 2);
        end(i ? "a stranger's entry does not hide that the end was lost"
              : "a gap does not hide that the end was lost");
    }

    /* a stream of a stranger's, below all that was read: no read brings it */

    begin();
    run(500);
    reader_publish(1);
    run(100);
    reader_trim(redis.nentries);
    redis.last.ms = redis.last.seq = 0;
    redis.behind = 60000;
    reader_strange();
    run(3000);
    is(zone.empties, 1);
    is(redis.begins, 2);
    id = reader_publish(1);
    run(100);
    is(zone.events[zone.nevents - 1], id);
    is(synced(), 1);
    end("silence does not hide that the stream is another one");
}


static void
reader_trims(void)
{
    ngx_uint_t  i;

    begin();
    run(100);
    reader_publish(2);
    run(500);
    redis.up = 0;
    reader_cut();
    run(500);
    reader_publish(3);
    reader_publish(3);
    reader_trim(redis.nentries - 1);
    redis.up = 1;
    run(10000);
    is(zone.empties, 0);
    is(redis.begins, 1);
    is(zone.nevents, 5);
    is(zone.gaps, 1);
    is(zone.missed, zone.events[2]);
    is(reader_logged("entries were trimmed unread"), 1);
    end("what was trimmed unread is a gap");

    reader_publish(1);
    reader_publish(1);
    reader_trim(redis.nentries - 1);
    run(100);
    is(zone.gaps, 2);
    end("also while it reads");

    run(1000);
    reader_trim(redis.nentries);
    reader_cut();
    run(1000);
    is(zone.gaps, 2);
    is(zone.empties, 0);
    is(redis.begins, 1);
    end("an empty stream whose entries were read has no gap");

    reader_zone_init();
    worker();
    run(1000);
    is(zone.begun, 1);
    is(zone.z.sh->epoch != 0, 1);
    reader_publish(1);
    run(100);
    is(zone.nevents, 1);
    is(zone.gaps, 1);
    is(synced(), 1);
    end("a fresh node knows of a life whose beginning was trimmed");

    begin();
    run(100);
    redis.trims = 0;
    for (i = 0; i < 1000; i++) {
        reader_publish(1);
    }
    redis.bytes = 1500000;
    run(1500);
    is(redis.trims, 1);
    is(redis.nentries < 700, 1);
    is(zone.nevents, 1000);
    redis.bytes = 900000;
    run(3000);
    is(redis.trims, 1);
    end("a stream over keep is trimmed");

    zone.z.sh->conf.ttl = 1000;
    run(3000);
    is(redis.trims >= 3, 1);
    end("and what is over ttl");
}


/* who waits from now on; if it is somebody, the reader's pause ends */

static void
waits(ngx_uint_t who)
{
    zone.waits = who;

    if (who) {
        zone.z.sh->feed.paused = 0;
        ngx_http_longpoll_feed_check(&zone.z);
    }
}


static void
reader_paces(void)
{
    ngx_uint_t  i;

    begin();
    run(100);
    zone.waits = 1;

    for (i = 0; i < 4; i++) {
        reader_publish(1);
        reader_publish(1);
        reader_step(ngx_current_msec);
        is(zone.nevents, 2);
    }

    run(2);
    is(zone.nevents, 8);
    end("behind several entries the reader waits a millisecond");

    for (i = 0; i < 2000; i++) {
        reader_publish(1);
    }

    run(2);
    is(zone.nevents, 2008);
    end("while a reply is full it does not wait");

    for (i = 1; i <= 2; i++) {
        reader_publish(1);
        reader_step(ngx_current_msec);
        is(zone.nevents, 2008 + i);
    }

    end("nor behind one entry");

    zone.nevents = 0;
    reader_publish(1);
    reader_publish(1);
    reader_step(ngx_current_msec);
    is(zone.z.sh->feed.paused, NGX_HTTP_LONGPOLL_ZONE_FEED_GATHER);
    reader_publish(1);
    ngx_http_longpoll_feed_check(&zone.z);
    reader_step(ngx_current_msec);
    is(zone.nevents, 2);
    waits(2);
    reader_step(ngx_current_msec);
    is(zone.nevents, 3);
    end("a crowd of publishers ends that millisecond");

    for (i = 1; i <= 3; i++) {
        reader_publish(1);
        reader_publish(1);
        reader_step(ngx_current_msec);
        is(zone.nevents, 3 + 2 * i);
    }

    end("and while it waits, the reader reads at once");
}


static void
reader_pauses(void)
{
    ngx_uint_t  i;

    begin();
    run(500);

    for (i = 0; i < 28; i++) {
        reader_publish(1);
        ngx_http_longpoll_feed_check(&zone.z);
        run(1);
        is(zone.nevents, i / 5 * 5 + 1);
    }

    end("while nobody waits entries gather for five milliseconds");

    waits(1);
    reader_step(ngx_current_msec);
    is(zone.nevents, 28);
    run(2);
    reader_publish(1);
    reader_step(ngx_current_msec);
    is(zone.nevents, 29);
    end("they are read at once when somebody begins to wait");

    waits(0);
    reader_publish(1);
    run(10);
    is(zone.z.sh->feed.paused, 0);
    end("a pause ends by itself");

    reader_publish(1);
    run(1);
    reader_cut();
    reader_publish(1);
    run(200);
    is(zone.nevents, 32);
    zone.other = 1;
    reader_publish(1);
    run(2000);
    is(zone.z.sh->feed.connected, 0);
    zone.other = 0;
    run(2000);
    is(zone.nevents, 33);
    end("a reader that pauses may be cut off, and replaced");

    redis.bytes = zone.cluster.keep + 1;
    redis.trims = 0;

    for (i = 0; i < 3000; i++) {
        reader_publish(1);
        run(1);
    }

    is(redis.trims, 3);
    end("it trims the stream all the same");
}


static void
reader_of_strangers(void)
{
    char  id[64];

    begin();
    run(100);
    reader_publish(1);
    reader_add(NULL, "c", "farm", "d", "oink", NULL);
    reader_publish(1);
    reader_add(NULL, NULL);
    reader_publish(1);
    sprintf(id, "%llu-70000", (unsigned long long) redis.last.ms);
    reader_add(id, "c", "farm", "d", "1", NULL);
    redis.last.seq = NGX_HTTP_LONGPOLL_ENTRY_SEQ_MAX;
    reader_publish(1);
    run(100);
    is(zone.nevents, 4);
    is(zone.skips, 3);
    is(zone.gaps, 0);
    is(reader_logged("is skipped: its data is not JSON"), 1);
    is(reader_logged("is skipped"), 1);
    end("a stranger's entry is skipped, and logged once a second");

    redis.error = "UNBLOCKED force unblock\001";
    run(1000);
    reader_publish(1);
    run(3000);
    is(reader_logged("lost: XREAD: UNBLOCKED force unblock?"), 1);
    is(zone.nevents, 5);
    end("an error closes the connection, which is made anew");

    redis.full = 1;
    run(3000);
    is(synced(), 1);
    is(reader_logged("lost"), 1);
    end("a full Redis is read all the same");
}


static void
resolved(void *data, ngx_addr_t *addr, const char *reason)
{
    *(ngx_addr_t **) data = addr;
}


static void
reader_resolves(void)
{
    ngx_uint_t                           i;
    ngx_addr_t                           addrs[3], *addr;
    ngx_http_longpoll_resolve_t          resolve;
    ngx_http_longpoll_cluster_t          cluster;
    ngx_http_longpoll_cluster_server_t   server;

    memset(&cluster, 0, sizeof(cluster));
    memset(&server, 0, sizeof(server));
    memset(&resolve, 0, sizeof(resolve));

    server.addrs = addrs;
    server.naddrs = 3;
    server.port = 6379;

    resolve.cluster = &cluster;
    resolve.handler = resolved;
    resolve.data = &addr;

    for (i = 0; i < 6; i++) {

        /* without a `resolver` nginx may have one that has no server */

        cluster.resolver = (i % 2) ? (ngx_resolver_t *) &cluster : NULL;

        ngx_http_longpoll_resolve(&resolve, &server);
        is(addr == &addrs[i % 3], 1);
    }

    end("without a resolver a server's addresses are tried in turn");
}


/* whether Redis has lost its end, and the reader may not have looked yet */

static ngx_uint_t
world_lost(reader_all_t *all)
{
    return redis.places == all->places;
}


static int
world_compare(const void *a, const void *b)
{
    const uint64_t  *one = a, *two = b;

    return *one < *two ? -1 : *one > *two;
}


/*
 * The zone lacks nothing that clients are not told of.  A cursor of another
 * life is told, too.  With restart=same a life begins only when the reader has
 * found that the end was lost.
 */

static void
world_check(reader_all_t *all)
{
    ngx_uint_t  i;

    if (zone.nonsense || (zone.cluster.same && world_lost(all))) {
        return;
    }

    for (i = 0; i < all->n; i++) {

        if (all->ids[i] < zone.missed || all->ids[i] > visible()
            || all->epochs[i] != reader_epoch(all->ids[i]))
        {
            continue;
        }

        unit_must(bsearch(&all->ids[i], zone.events, zone.nevents,
                          sizeof(uint64_t), world_compare) != NULL,
                  "the event %llu-%llu is lost without a word",
                  (unsigned long long) all->ids[i] >> 16,
                  (unsigned long long) all->ids[i] & 0xffff);
    }
}


static void
world_publish(reader_all_t *all)
{
    uint64_t    id;
    ngx_uint_t  n, i;

    if (!redis.exists || !redis.life[0]
        || strstr(redis.life, "run") == NULL
        || (!zone.cluster.same
            && strtoul(strstr(redis.life, "run") + 3, NULL, 10) != redis.run))
    {
        return;
    }

    n = 1 + unit_below(3);
    id = reader_publish(n);

    for (i = 0; i < n; i++) {
        all->epochs[all->n] = strtoull(redis.life, NULL, 16);
        all->ids[all->n++] = id - n + 1 + i;
    }
}


/*
 * With restart=same nobody tells of events that are lost with Redis's end, if
 * the zone has not read them.  A master that was a replica for a while keeps
 * its connections.
 */

static void
world_lose(reader_all_t *all)
{
    ngx_uint_t  cut;

    cut = redis.behind || unit_once(2);
    run(1);

    redis.run++;
    reader_lose(unit_once(2) ? unit_below(4) : 0);

    if (zone.cluster.same || !cut) {
        all->places = redis.places;
    }

    while (zone.cluster.same && all->n
           && all->ids[all->n - 1]
              > (redis.last.ms << 16) + redis.last.seq)
    {
        all->n--;
    }

    if (cut) {
        reader_cut();
    }
}


static void
world_step(reader_all_t *all)
{
    switch (unit_below(40)) {

    case 0:

        /* with a number that follows by chance, a trim hides a lost end */

        if (!world_lost(all)) {
            reader_trim(unit_below(redis.nentries + 1));
        }
        break;

    case 1:
        world_lose(all);
        break;

    case 2:
        reader_cut();
        break;

    case 3:
        if (unit_once(3)) {
            reader_flush();
        }
        break;

    case 4:
        if (unit_once(3)) {
            reader_trim(redis.nentries);
            redis.exists = 0;
            redis.last.ms = redis.last.seq = 0;
        }
        break;

    case 5:
        worker();
        break;

    case 6:
        redis.up = unit_once(2);
        if (!redis.up) {
            reader_cut();
        }
        break;

    case 7:

        /* so does a clock that is behind */

        if (!world_lost(all)) {
            redis.behind = unit_once(2) ? 0 : unit_below(100000);
        }
        break;

    case 8:
        redis.garbage = zone.nonsense && unit_once(3) ? 3 : 0;
        break;

    case 9:
        if (redis.exists && unit_once(3)) {
            if (unit_once(2)) {
                reader_strange();
            } else {
                reader_add(NULL, "stranger", "1", NULL);
            }
        }
        break;

    default:
        world_publish(all);
    }

    waits(unit_below(2));
    run(unit_below(800));
}


static void
worlds(ngx_uint_t n, time_t until)
{
    ngx_uint_t            i, seen;
    static reader_all_t   all;

    for (seen = 0; n && (until == 0 || time(NULL) < until); n--) {
        world = unit_random_state;
        srandom(world);
        begin();
        all.n = 0;
        all.places = (ngx_uint_t) -1;
        zone.nonsense = unit_once(2);
        zone.cluster.same = unit_once(2);

        for (i = 0; i < READER_STEPS; i++) {
            world_step(&all);

            world_check(&all);

            if (zone.nevents > READER_ENTRIES - 100) {
                break;
            }
        }

        redis.up = 1;
        redis.garbage = 0;
        run(20000);

        if (!synced() || zone.z.sh->feed.at.place.ms == 0) {
            printf("# world %llu\n%s\n", (unsigned long long) world,
                   reader_log);
        }

        is(synced(), 1);
        world_publish(&all);
        run(1000);
        is(visible() >= all.ids[all.n - 1], 1);

        world_check(&all);
        seen += zone.nevents;
    }

    printf("# %lu events\n", (unsigned long) seen);
    end("in random worlds nothing is lost without a word");
}


int
main(int argc, char *const *argv)
{
    char        *seed;
    time_t       until;
    ngx_uint_t   n;

    until = 0;
    n = READER_WORLDS;

    if (argc > 2 && strcmp(argv[1], "soak") == 0) {
        until = time(NULL) + atoi(argv[2]);
        n = (ngx_uint_t) -1;
        argv += 2;
        argc -= 2;

    } else if (argc > 2 && strcmp(argv[1], "world") == 0) {
        n = 1;
        argv++;
        argc--;
    }

    seed = (argc > 1) ? argv[1] : getenv("UNIT_SEED");
    unit_random_state = seed ? strtoull(seed, NULL, 0)
                             : until ? (uint64_t) until : 1;

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("# seed %llu\n", (unsigned long long) unit_random_state);

    if (n == READER_WORLDS) {
        reader_first();
        reader_comes_back();
        reader_restarts();
        reader_is_wiped();
        reader_asks();
        reader_goes_on();
        reader_asks_for_place();
        reader_trims();
        reader_paces();
        reader_pauses();
        reader_of_strangers();
        reader_resolves();
    }

    worlds(n, until);

    printf("1..%lu\n", (unsigned long) tests);

    return failed ? 1 : 0;
}
