
/*
 * feed_case.c: the cases by hand.  They use node 0 alone.
 */


#include "feed_model.h"


#define CASE_MS  (MODEL_TIME + 5000000)
#define IDLE     NGX_HTTP_LONGPOLL_ZONE_FEED_IDLE
#define GATHER   NGX_HTTP_LONGPOLL_ZONE_FEED_GATHER

static ngx_http_longpoll_zone_t  *z;
static uint64_t                   case_number;
static uint64_t                   case_wake;


/* a zone that worker 0 reads */

static void
case_zone(void)
{
    ngx_memzero(&m, sizeof(m));

    unit_random_state = unit_seed;

    m.size = 128 * 1024;
    m.mem_size = m.size - 512;
    m.now = CASE_MS;
    m.cats[0].name.data = (u_char *) "a";
    m.cats[0].name.len = 1;

    model_node_init(&m.nodes[0]);

    z = &m.nodes[0].zone;
    case_number = 0;
    case_wake = 0;

    unit_must(ngx_http_longpoll_zone_feed_claim(z, 0, 0) == NGX_OK,
              "nobody may read");
}


static void
case_entry(ngx_http_longpoll_zone_fed_t *entry, uint64_t ms, uint64_t seq)
{
    ngx_memzero(entry, sizeof(ngx_http_longpoll_zone_fed_t));

    entry->now = ms;
    entry->id = ngx_http_longpoll_id(ms, seq);
    entry->at.place.ms = ms;
    entry->at.place.seq = seq;
    entry->at.number = ++case_number;
}


static void
case_begin(uint64_t ms, uint64_t epoch)
{
    ngx_http_longpoll_zone_fed_t  entry;

    case_entry(&entry, ms, 0);

    unit_must(ngx_http_longpoll_zone_feed_begin(z, &entry, epoch, &case_wake)
              == NGX_OK, "an epoch does not begin");
}


/* n events of len bytes */

static ngx_int_t
case_events(uint64_t ms, uint64_t seq, ngx_uint_t n, size_t len,
    ngx_str_t *key)
{
    ngx_uint_t                    i;
    ngx_http_longpoll_cat_t       cat;
    ngx_http_longpoll_msg_t       msgs[8];
    ngx_http_longpoll_zone_fed_t  entry;

    static u_char                 bytes[65536];

    case_entry(&entry, ms, seq);

    cat = m.cats[0];
    ngx_http_longpoll_zone_hash(z, &cat);
    ngx_memzero(msgs, sizeof(msgs));

    for (i = 0; i < n; i++) {
        msgs[i].data.data = bytes;
        msgs[i].data.len = len;
    }

    return ngx_http_longpoll_zone_feed_events(z, &entry, &cat, msgs, n, key,
                                              &case_wake);
}


/* two differences, a second apart: timed, if the epoch began before both */

static void
case_synced(void)
{
    ngx_http_longpoll_zone_feed_clock(z, m.now - 1000, 999000);
    ngx_http_longpoll_zone_feed_clock(z, m.now, 1000000);

    unit_must(ngx_http_longpoll_zone_feed_synced(z, 0, &case_wake) == NGX_OK,
              "the zone is not synced");
}


/* a poll by worker 1, at m.now by the feed clock */

static ngx_int_t
case_read(ngx_http_longpoll_query_t *q, ngx_http_longpoll_read_t *rd,
    ngx_http_longpoll_read_e mode)
{
    static size_t                   cost;
    static uint32_t                 slot;
    static ngx_http_longpoll_cat_t  cat;

    cat = m.cats[0];
    ngx_http_longpoll_zone_hash(z, &cat);

    ngx_memzero(rd, sizeof(ngx_http_longpoll_read_t));

    rd->mode = mode;
    rd->worker = 1;
    rd->cats = &cat;
    rd->ncats = 1;
    rd->limit = 100000;
    rd->costs = &cost;
    rd->slots = &slot;

    ngx_http_longpoll_cursor(z, q, &rd->cursor);

    return ngx_http_longpoll_zone_read(z, rd, m.now);
}


static void
case_query(ngx_http_longpoll_query_t *q, uint64_t id, uint64_t epoch,
    uint64_t since)
{
    ngx_memzero(q, sizeof(ngx_http_longpoll_query_t));

    if (id) {
        q->has_id = 1;
        q->own_id = 1;
        q->id = id;
        q->epoch = epoch;
        ngx_http_longpoll_id_uuid(&q->uuid, id, epoch);
    }

    if (since) {
        q->has_since = 1;
        q->since_time = (int64_t) since;
    }
}


static void
case_end(void)
{
    const char  *wrong;

    wrong = zone_check(z);
    unit_must(wrong == NULL, "zone_check: %s", wrong);

    free(m.nodes[0].mem);
    free(m.nodes[0].copy);
}


static void
case_claim(void *data)
{
    ngx_http_longpoll_zone_fed_t  entry;

    case_zone();

    unit_must(ngx_http_longpoll_zone_feed_claim(z, 1, 7999) == NGX_DECLINED,
              "two workers read");
    unit_must(ngx_http_longpoll_zone_feed_claim(z, 0, 1000) == NGX_OK,
              "a reader cannot go on");
    unit_must(ngx_http_longpoll_zone_feed_claim(z, 1, 8999) == NGX_DECLINED,
              "a reader that goes on is replaced");
    unit_must(ngx_http_longpoll_zone_feed_claim(z, NGX_HTTP_LONGPOLL_NO_WORKER,
                                                20000) == NGX_DECLINED,
              "a worker without a number reads");
    unit_must(ngx_http_longpoll_zone_feed_claim(z, 1, 9000) == NGX_OK,
              "a stopped reader is not replaced");

    case_entry(&entry, CASE_MS, 0);
    unit_must(ngx_http_longpoll_zone_feed_begin(z, &entry, 1, &case_wake)
              == NGX_ABORT && z->sh->clock.visible == 0,
              "a stopped reader comes back");

    ngx_http_longpoll_zone_feed_release(z, 0);
    unit_must(ngx_http_longpoll_zone_feed_claim(z, 0, 9000) == NGX_DECLINED,
              "another worker ends a claim");

    ngx_http_longpoll_zone_tick_reap(z, 1, m.now);
    unit_must(ngx_http_longpoll_zone_feed_claim(z, 0, 9000) == NGX_OK,
              "a dead reader is not replaced");
    case_end();
}


static void
case_wakes(void *data)
{
    ngx_http_longpoll_read_t   rd;
    ngx_http_longpoll_query_t  q;

    case_zone();
    case_begin(CASE_MS, 1);

    case_query(&q, 0, 0, 1);
    unit_must(case_events(CASE_MS + 1, 0, 2, 10, NULL) == NGX_OK
              && case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_PARK) == NGX_AGAIN
              && !rd.missed,
              "a poll is answered before the end of the stream");

    (void) case_events(CASE_MS + 2, 0, 2, 10, NULL);
    unit_must(case_wake == 0, "a worker is woken for nothing");

    m.now = CASE_MS + 2;
    case_synced();
    unit_must(case_wake == (uint64_t) -1
              && ngx_http_longpoll_zone_watch_take_all(z, 1),
              "nobody learns that the zone is synced");

    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_PARK) == NGX_OK
              && rd.nmsgs == 4, "a poll from the beginning lacks events");

    case_query(&q, rd.msgs[3].id, 1, 0);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_PARK) == NGX_AGAIN,
              "an event comes twice");

    case_wake = 0;
    ngx_http_longpoll_zone_feed_await(z, 2, 1);
    (void) case_events(CASE_MS + 3, 0, 1, 10, NULL);
    unit_must(case_wake == 6, "not the worker of the poll and the publisher's");

    case_wake = 0;
    ngx_http_longpoll_zone_feed_await(z, 2, 0);
    case_begin(CASE_MS + 10, 2);
    unit_must(case_wake == 0, "a new epoch wakes somebody");
    case_end();
}


/* the table of cursors that are ahead of a copy */

static void
case_ahead(void *data)
{
    uint64_t                   visible;
    ngx_http_longpoll_read_t   rd;
    ngx_http_longpoll_query_t  q;

    case_zone();
    case_begin(CASE_MS - 2000, 1);
    (void) case_events(CASE_MS + 10, 3, 1, 10, NULL);
    m.now = CASE_MS + 20;
    case_synced();

    visible = ngx_http_longpoll_id(CASE_MS + 10, 3);

    case_query(&q, 0, 0, 0);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_AGAIN
              && rd.cursor.id == visible && rd.timestamp == CASE_MS + 9
              && !rd.missed, "a poll from now on");

    case_query(&q, ngx_http_longpoll_id(CASE_MS + 120, 7), 1, 0);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_AGAIN
              && rd.cursor.id == q.id && rd.timestamp == CASE_MS + 120
              && !rd.missed, "an id of a copy that is ahead");

    case_query(&q, ngx_http_longpoll_id(CASE_MS + 121, 7), 1, 0);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_AGAIN
              && rd.cursor.id == visible && rd.timestamp == CASE_MS + 9,
              "an id of nowhere");

    case_query(&q, 0, 0, CASE_MS + 120);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_AGAIN
              && rd.cursor.id == ngx_http_longpoll_id_last_of(CASE_MS + 120)
              && rd.timestamp == CASE_MS + 120 && !rd.missed,
              "a time of a copy that is ahead");

    case_query(&q, 0, 0, CASE_MS + 121);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_AGAIN
              && rd.timestamp == CASE_MS + 9, "a claim from the future");

    /* another server may have another clock */

    case_query(&q, ngx_http_longpoll_id(CASE_MS + 30000, 7), 2, 0);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_AGAIN
              && rd.cursor.id == q.id && rd.missed,
              "an epoch that has not begun here");

    /* an old id with a later time is a time */

    case_query(&q, ngx_http_longpoll_id(CASE_MS - 50, 7), 9, CASE_MS);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_OK
              && rd.nmsgs == 1 && !rd.missed, "a time behind an old id");

    case_query(&q, ngx_http_longpoll_id(CASE_MS + 10, 3), 9, 0);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_AGAIN
              && rd.missed, "an id of another epoch");
    case_end();
}


/*
 * An entry of this ms was read so many ms late.  Is a time a place that is
 * 300 ms later than the read?
 */

static ngx_uint_t
case_place(uint64_t ms, uint64_t late)
{
    ngx_http_longpoll_read_t   rd;
    ngx_http_longpoll_query_t  q;

    ngx_http_longpoll_zone_feed_clock(z, CASE_MS + ms, 1000000 + ms + late);
    m.now = ngx_http_longpoll_zone_clock_time(z, 0, 1000000 + ms + late);

    if (!ngx_http_longpoll_zone_feed_is_synced(z)) {
        (void) ngx_http_longpoll_zone_feed_synced(z, 0, &case_wake);
    }

    case_query(&q, 0, 0, CASE_MS + ms + late + 300);
    (void) case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST);

    return rd.timestamp == CASE_MS + ms + late + 300;
}


static void
case_settles(void *data)
{
    uint64_t  ms;

    case_zone();
    case_begin(CASE_MS, 1);

    unit_must(case_place(20, 400) && case_place(700, 0) && case_place(1419, 0),
              "the first reads were late");
    unit_must(!case_place(1420, 0), "a second later");

    for (ms = 2000; ms <= 19000; ms += 1000) {
        unit_must(!case_place(ms, 0), "it is measured all the time");
    }

    /* of two periods; the second of these reads is in a third one */

    unit_must(case_place(49500, 400) && case_place(50100, 400)
              && case_place(50899, 0), "behind a silence");
    unit_must(!case_place(50900, 0), "a second behind a silence");

    case_begin(CASE_MS + 52000, 2);
    unit_must(case_place(51900, 0) && case_place(52000, 0)
              && case_place(52999, 0), "a new epoch");
    unit_must(!case_place(53000, 0), "a second of a new epoch");
    case_end();
}


static void
case_gaps(void *data)
{
    ngx_str_t                  key = ngx_string("key");
    ngx_http_longpoll_cat_t    cat;
    ngx_http_longpoll_msg_t    msg;
    ngx_http_longpoll_read_t   rd;
    ngx_http_longpoll_query_t  q;

    case_zone();
    case_begin(CASE_MS, 1);
    (void) case_events(CASE_MS + 1, 0, 3, 10, &key);
    m.now = CASE_MS + 9;
    case_synced();

    /* a publisher's key, and its sizes, are looked up here first */

    ngx_memzero(&msg, sizeof(msg));
    cat = m.cats[0];
    ngx_http_longpoll_zone_hash(z, &cat);

    unit_must(ngx_http_longpoll_zone_publish_check(z, &cat, &msg, 1, &key,
                                                   m.now) == NGX_DONE
              && msg.id == ngx_http_longpoll_id(CASE_MS + 1, 2),
              "a key is not known");

    msg.data.len = m.size / 4;
    unit_must(ngx_http_longpoll_zone_publish_check(z, &cat, &msg, 1, NULL,
                                                   m.now) == NGX_DECLINED,
              "a publish that is too large would be taken");

    /* what is too large here, and not for others, is told */

    unit_must(case_events(CASE_MS + 2, 0, 1, 40000, NULL) == NGX_DECLINED
              && z->sh->feed.bad == 1, "an event that is too large is taken");

    case_query(&q, ngx_http_longpoll_id(CASE_MS + 1, 2), 1, 0);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_AGAIN
              && rd.missed, "an event that is too large is not told");

    case_query(&q, ngx_http_longpoll_id(CASE_MS + 2, 0), 1, 0);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_AGAIN
              && !rd.missed, "a cursor behind it is told, too");

    /* so is what was trimmed, also to polls from the beginning */

    case_number++;
    (void) case_events(CASE_MS + 3, 0, 1, 10, NULL);

    case_query(&q, 0, 0, 1);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_OK
              && rd.nmsgs == 4 && rd.missed, "a gap is not told");

    case_query(&q, ngx_http_longpoll_id(CASE_MS + 3, 0), 1, 0);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_AGAIN
              && !rd.missed && z->sh->feed.gaps == 2,
              "a gap is told behind it");
    case_end();
}


/* another master has fewer entries, and its numbers come again */

static void
case_unread(void *data)
{
    ngx_http_longpoll_read_t        rd;
    ngx_http_longpoll_query_t       q;
    ngx_http_longpoll_entry_life_t  lives[2];

    case_zone();
    case_begin(CASE_MS, 1);
    (void) case_events(CASE_MS + 1, 0, 1, 10, NULL);
    m.now = CASE_MS + 9;
    case_synced();

    ngx_memzero(lives, sizeof(lives));
    lives[0].epoch = 2;
    lives[0].begin = ngx_http_longpoll_id(CASE_MS + 3, 0);
    lives[1].epoch = 1;
    lives[1].begin = ngx_http_longpoll_id(CASE_MS, 0);

    unit_must(ngx_http_longpoll_zone_feed_know(z, 0, lives, 2) == NGX_OK,
              "the epochs are not known");
    unit_must(case_events(CASE_MS + 2, 0, 1, 10, NULL) == NGX_OK
              && z->sh->feed.gaps == 0,
              "what is in front of a beginning is a gap");
    unit_must(case_events(CASE_MS + 4, 0, 1, 10, NULL) == NGX_OK
              && z->sh->feed.gaps == 1, "an unread beginning is no gap");

    case_query(&q, ngx_http_longpoll_id(CASE_MS + 2, 0), 1, 0);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_OK
              && rd.nmsgs == 1 && rd.missed, "that gap is not told");
    case_end();
}


/* with the 16th epoch the first one, and its events, are forgotten */

static void
case_epochs(void *data)
{
    ngx_uint_t                 i;
    ngx_http_longpoll_read_t   rd;
    ngx_http_longpoll_query_t  q;

    case_zone();

    for (i = 1; i <= NGX_HTTP_LONGPOLL_EPOCHS; i++) {
        case_begin(CASE_MS + 10 * i, i);
        (void) case_events(CASE_MS + 10 * i + 1, 0, 1, 10, NULL);
    }

    unit_must(z->sh->list.count == NGX_HTTP_LONGPOLL_EPOCHS,
              "events of known epochs are gone");

    case_begin(CASE_MS + 10 * i, i);

    m.now = CASE_MS + 1000;
    case_synced();

    case_query(&q, 0, 0, 1);
    unit_must(case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_LAST) == NGX_OK
              && rd.nmsgs == NGX_HTTP_LONGPOLL_EPOCHS - 1
              && rd.msgs[0].uuid.low << 6 >> 6 == 2 && rd.missed,
              "not the events of the newest epochs");
    case_end();
}


static void
case_clock(void *data)
{
    uint64_t  day, t;

    day = 24 * 3600 * 1000;
    t = CASE_MS;

    case_zone();

    unit_must(ngx_http_longpoll_zone_clock_time(z, 77, 5) == 77,
              "not the wall clock, and there is no other");

    case_begin(t, 1);
    unit_must(ngx_http_longpoll_zone_clock_time(z, 77, 5) == t,
              "not the time of the last id");

    /* the least delay counts, for half a minute at least */

    ngx_http_longpoll_zone_feed_clock(z, t + 100, day + 100);
    ngx_http_longpoll_zone_feed_clock(z, t + 150, day + 450);

    unit_must(ngx_http_longpoll_zone_clock_time(z, 77, day + 450) == t + 450,
              "a delay sets the clock back");

    ngx_http_longpoll_zone_feed_clock(z, t + 29000, day + 30300);
    unit_must(ngx_http_longpoll_zone_clock_time(z, 77, day + 30300)
              == t + 30300, "the period before does not count");

    /* a clock that was set back */

    ngx_http_longpoll_zone_feed_clock(z, t + 50000, day + 70000);
    unit_must(ngx_http_longpoll_zone_clock_time(z, 77, day + 70000)
              == t + 68700, "two periods before do");

    /* without entries the last difference stands */

    unit_must(ngx_http_longpoll_zone_clock_time(z, 77, 3 * day)
              == t + 2 * day - 1300, "the clock stands still");
    case_end();
}


/* a stream that waits keeps its cursor; later it has the zone's place */

static void
case_streams(void *data)
{
    ngx_http_longpoll_read_t    rd;
    ngx_http_longpoll_query_t   q;
    ngx_http_longpoll_cursor_t  cursor;

    case_zone();

    case_query(&q, ngx_http_longpoll_id(CASE_MS - 5, 0), 9, 0);
    (void) case_read(&q, &rd, NGX_HTTP_LONGPOLL_READ_PARK);
    rd.by_id = 1;
    unit_must(ngx_http_longpoll_zone_read(z, &rd, m.now) == NGX_AGAIN
              && rd.place_id == 0 && !rd.missed,
              "a place before the zone is synced");

    cursor = rd.cursor;
    ngx_http_longpoll_cursor_move(z, &cursor, rd.place_id, 0);
    unit_must(memcmp(&cursor, &rd.cursor, sizeof(cursor)) == 0,
              "a cursor that has no place moves");

    case_begin(CASE_MS, 1);
    case_synced();

    unit_must(ngx_http_longpoll_zone_read(z, &rd, m.now) == NGX_AGAIN
              && rd.missed && rd.epoch == 1
              && rd.place_id == ngx_http_longpoll_id_last_of(CASE_MS),
              "the place of a stream of another epoch");

    ngx_http_longpoll_cursor_move(z, &rd.cursor, rd.place_id, rd.missed);
    unit_must(ngx_http_longpoll_zone_read(z, &rd, m.now) == NGX_AGAIN
              && !rd.missed, "a stream is told twice");
    case_end();
}


/* a poll begins to wait behind the reader's first look */

static void
case_comes(void)
{
    z->sh->workers[2].waiting = 1;
}


static void
case_pauses(void *data)
{
    case_zone();

    unit_must(ngx_http_longpoll_zone_feed_pause(z, 0)
              && ngx_http_longpoll_zone_feed_is_paused(z), "no pause");
    unit_must(ngx_http_longpoll_zone_feed_resume(z, IDLE) == 1
              && !ngx_http_longpoll_zone_feed_is_paused(z),
              "the reader is not woken");
    unit_must(ngx_http_longpoll_zone_feed_resume(z, IDLE) == 0,
              "a reader that does not pause is woken");

    ngx_http_longpoll_zone_count_waiting(z, NGX_HTTP_LONGPOLL_WORKERS - 1, 1);
    unit_must(!ngx_http_longpoll_zone_feed_pause(z, 0)
              && !ngx_http_longpoll_zone_feed_is_paused(z),
              "a pause while a poll waits");

    ngx_http_longpoll_zone_tick_reap(z, NGX_HTTP_LONGPOLL_WORKERS - 1, m.now);
    unit_must(ngx_http_longpoll_zone_feed_pause(z, 0),
              "a dead worker's poll waits");

    (void) ngx_http_longpoll_zone_feed_resume(z, IDLE);
    ngx_http_longpoll_zone_feed_in_flight(z, 1, 1);
    unit_must(!ngx_http_longpoll_zone_feed_pause(z, 0),
              "a pause while a publisher waits");

    ngx_http_longpoll_zone_feed_in_flight(z, 1, 0);
    unit_step_hook = case_comes;
    unit_must(!ngx_http_longpoll_zone_feed_pause(z, 0)
              && !ngx_http_longpoll_zone_feed_is_paused(z),
              "a poll that just begins to wait is not seen");
    unit_step_hook = NULL;

    ngx_http_longpoll_zone_count_waiting(z, 2, -1);
    unit_must(ngx_http_longpoll_zone_feed_pause(z, 0), "no pause");
    ngx_http_longpoll_zone_feed_release(z, 0);
    unit_must(ngx_http_longpoll_zone_feed_resume(z, IDLE) == 0,
              "a reader that is none is woken");
    case_end();
}


/* Redis has stored worker 2's publishes, behind the reader's first look */

static void
case_stored(void)
{
    z->sh->workers[2].stored = ngx_http_longpoll_zone_feed_visible(z) + 1;
}


static void
case_gathers(void *data)
{
    uint64_t  visible;

    case_zone();
    visible = ngx_http_longpoll_zone_feed_visible(z);

    unit_must(ngx_http_longpoll_zone_feed_pause(z, 1) == IDLE, "nobody waits");
    (void) ngx_http_longpoll_zone_feed_resume(z, IDLE);

    ngx_http_longpoll_zone_feed_in_flight(z, 2, 7);
    unit_must(ngx_http_longpoll_zone_feed_pause(z, 1) == GATHER,
              "entries do not gather while somebody waits");
    unit_must(ngx_http_longpoll_zone_feed_resume(z, IDLE) == 0
              && ngx_http_longpoll_zone_feed_is_paused(z),
              "one more who waits ends the pause");
    unit_must(ngx_http_longpoll_zone_feed_stored(z, 2, visible + 1) == 0
              && ngx_http_longpoll_zone_feed_is_paused(z),
              "seven publishers are a crowd");

    ngx_http_longpoll_zone_feed_in_flight(z, 2, 8);
    unit_must(ngx_http_longpoll_zone_feed_stored(z, 2, visible + 1) == 1
              && !ngx_http_longpoll_zone_feed_is_paused(z),
              "a crowd does not wake the reader");
    unit_must(ngx_http_longpoll_zone_feed_stored(z, 2, visible + 1) == 0,
              "a reader that does not pause is woken");

    unit_must(ngx_http_longpoll_zone_feed_pause(z, 1) == 0
              && !ngx_http_longpoll_zone_feed_is_paused(z),
              "a pause while a crowd waits for the reader");

    ngx_http_longpoll_zone_feed_in_flight(z, 2, 7);
    unit_must(ngx_http_longpoll_zone_feed_pause(z, 1) == GATHER,
              "what is left of it is a crowd");
    (void) ngx_http_longpoll_zone_feed_resume(z, GATHER);

    ngx_http_longpoll_zone_feed_in_flight(z, 2, 8);
    z->sh->workers[2].stored = visible;
    unit_must(ngx_http_longpoll_zone_feed_pause(z, 1) == GATHER,
              "the zone has what they wait for");
    (void) ngx_http_longpoll_zone_feed_resume(z, GATHER);

    unit_step_hook = case_stored;
    unit_must(!ngx_http_longpoll_zone_feed_pause(z, 1)
              && !ngx_http_longpoll_zone_feed_is_paused(z),
              "a crowd that has just its replies is not seen");
    unit_step_hook = NULL;

    z->sh->workers[2].stored = visible;
    unit_must(ngx_http_longpoll_zone_feed_pause(z, 0) == 0,
              "a pause while somebody waits, behind one entry");
    case_end();
}


const unit_case_t  feed_cases[] = {
    { "one worker reads, and a stopped one does not come back", case_claim },
    { "polls wait for the end of the stream, then for events", case_wakes },
    { "a cursor that is ahead is another copy's, or means now", case_ahead },
    { "the feed clock counts once it was measured for a second", case_settles },
    { "what was trimmed, or is too large, is told", case_gaps },
    { "a beginning that was not read is a gap", case_unread },
    { "a zone knows fifteen epochs, and their events", case_epochs },
    { "the feed clock is right with any delay", case_clock },
    { "a stream has a place once the zone is synced", case_streams },
    { "the reader pauses while nobody waits", case_pauses },
    { "entries gather, until a crowd of publishers waits", case_gathers },
};

const ngx_uint_t  feed_ncases = sizeof(feed_cases) / sizeof(feed_cases[0]);
