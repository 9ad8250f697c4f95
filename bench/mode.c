
/*
 * mode.c: what each mode does, from its first request to its last.
 *
 *     get       connections in a closed loop ask for one path
 *     burst     all ask at once, and again when all have their answer
 *     publish   as get, with publishes; a category belongs to one connection;
 *               at the end all categories are read back and looked through
 *     fanout    polls are parked on one category; an event is published, and
 *               the next only when each poll has got it and is parked again.
 *               With -o, others publish elsewhere meanwhile, one each
 *               millisecond, whether the one before was answered or not
 *     lockstep  one publishes, one receives, then it is the next one's turn
 *     own       polls are parked on categories of their own; each publisher
 *               goes on when its event has arrived, with the next category
 *     catchup   categories are filled; connections in a closed loop read one
 *               from the beginning
 *     park      polls are parked, and nothing may answer
 *     store     events are published that stay, and are read back
 *
 * All begin with something that is not measured, so that connections have been
 * accepted and tables have grown, and take their samples when the server is
 * quiet.  A delivery is over when its client's next poll is parked.
 */


#include "bench.h"


static conn_t    *conns, *pubs;
static uint32_t  *published;            /* events of each category */
static uint64_t   started, done, target;


/* Returns when the server has nothing to do, and nothing more has come. */

static void
quiet(void)
{
    int       still;
    uint64_t  events, end;

    end = loop_now() + 3000 * MS;
    (void) proc_busy();

    for (still = 0; still < 2 && loop_now() < end; /* void */) {
        events = loop_events + crowd->events;
        loop_turn(proc_count() ? 2 : 25);

        if (proc_busy() || loop_events + crowd->events != events) {
            still = 0;

        } else {
            still++;
        }
    }
}


static void
measure_begin(void)
{
    quiet();
    proc_memory(&before);
    proc_cpu(&before);
    before.wall = loop_now();
}


static void
measure_end(void)
{
    after.wall = loop_now();
    quiet();
    proc_cpu(&after);
    proc_memory(&after);
}


static void
run_until(uint64_t *what, uint64_t wanted)
{
    while (*what < wanted) {
        loop_turn(100);
        bench_progress(*what, wanted);
    }
}


static conn_t *
open_some(unsigned n, unsigned first, int fast)
{
    conn_t    *c;
    unsigned   i;

    doing = "connecting";
    c = bench_need(calloc(n, sizeof(conn_t)));

    for (i = 0; i < n; i++) {
        conn_open(&c[i], first + i, fast);
        bench_progress(i, n);
    }

    return c;
}


static void
publish(conn_t *c, answer_pt answer)
{
    const char  *data;

    data = check_data(c->number, c->cat, published[c->cat]++);
    opt.proto->publish(c, answer, data);
}


/* get */


static void
get_answer(conn_t *c)
{
    times_add(&latency, c->answered - c->start);
    done++;
    check_same(c);

    if (started < target) {
        started++;
        conn_get(c, get_answer, opt.path);
    }
}


static void
get_some(uint64_t n)
{
    unsigned  i;

    done = 0;
    target = n;
    started = n < opt.conns ? n : opt.conns;

    for (i = 0; i < opt.conns && i < n; i++) {
        conn_get(&conns[i], get_answer, opt.path);
    }

    run_until(&done, n);
}


void
mode_get(void)
{
    conns = open_some(opt.conns, 0, 0);
    doing = "getting";

    get_some(opt.conns);
    latency.n = 0;

    measure_begin();
    get_some(opt.ops);
    measure_end();

    count.ops = opt.ops;
}


/* burst: the rhythm of a fan-out */

void
mode_burst(void)
{
    unsigned  i;

    conns = open_some(opt.conns, 0, 0);
    doing = "getting";

    get_some(opt.conns);
    latency.n = 0;

    measure_begin();

    for (i = 0; i < opt.ops; i++) {
        get_some(opt.conns);
        quiet();
    }

    measure_end();

    count.ops = (uint64_t) opt.ops * opt.conns;
}


/*
 * publish; connection i has the categories i, i + conns, i + 2 * conns ... and
 * as many events to publish as make the same number in each
 */


static void
publish_next(conn_t *c)
{
    if (c->share == 0) {
        return;
    }

    c->share--;
    c->cat += opt.conns;

    if (c->cat >= opt.cats) {
        c->cat = c->number;
    }

    publish(c, c->answer);
}


static void
publish_answer(conn_t *c)
{
    times_add(&latency, c->answered - c->start);
    done++;
    check_published(c);
    publish_next(c);
}


/* n events or a little less; returns how many */

static uint64_t
publish_some(uint64_t n)
{
    conn_t    *c;
    uint64_t   all;
    unsigned   i;

    all = 0;
    done = 0;

    for (i = 0; i < opt.conns; i++) {
        c = &conns[i];
        c->share = (n < opt.cats)
                   ? n / opt.conns
                   : n / opt.cats * ((opt.cats - i - 1) / opt.conns + 1);
        all += c->share;
    }

    for (i = 0; i < opt.conns; i++) {
        conns[i].answer = publish_answer;
        publish_next(&conns[i]);
    }

    run_until(&done, all);

    return all;
}


static void
publish_open(void)
{
    unsigned  i;

    if (opt.conns > opt.cats) {
        opt.conns = opt.cats;
    }

    published = bench_need(calloc(opt.cats, sizeof(uint32_t)));
    conns = open_some(opt.conns, 0, 0);

    /* the first is then that of its own number */

    for (i = 0; i < opt.conns; i++) {
        conns[i].cat = opt.cats;
    }
}


/*
 * Who reads from the beginning and finds less than there should be waits for
 * the rest, some servers without an end; that is given up.
 */

static void  (*give_up)(conn_t *c, int n);

static void
give_up_tick(void)
{
    conn_t          *c;
    uint64_t         t;
    unsigned         i;
    static uint64_t  last;

    t = loop_now();

    if (t - last < 10 * MS) {
        return;
    }

    last = t;

    for (i = 0; i < opt.conns; i++) {
        c = &conns[i];

        if (c->busy && t - c->start > opt.wait_ms * MS) {
            conn_close(c);
            give_up(c, 0);
        }
    }
}


/* c's category from where the buffer must begin at the latest */

static void
readback_begin(conn_t *c, answer_pt answer)
{
    unsigned  n = published[c->cat];

    c->place = PLACE_BEGIN;
    check_window(c, n > opt.buffer ? n - opt.buffer : 0);
    opt.proto->poll(c, answer);
}


static int
readback_category(conn_t *c)
{
    for ( /* void */ ; c->cat < opt.cats; c->cat += opt.conns) {
        if (published[c->cat]) {
            return 1;
        }
    }

    return 0;
}


static void  readback_answer(conn_t *c);

static void
readback_got(conn_t *c, int n)
{
    if (n > 0 && c->window.next < published[c->cat]) {
        opt.proto->poll(c, readback_answer);
        return;
    }

    check_lost(c, published[c->cat]);
    c->cat += opt.conns;

    if (readback_category(c)) {
        readback_begin(c, readback_answer);
        return;
    }

    done++;
}


static void
readback_answer(conn_t *c)
{
    readback_got(c, check_poll(c));
}


static void
readback(void)
{
    unsigned  i;

    if (opt.proto->poll_path[0] == '\0') {
        return;
    }

    doing = "reading back";
    done = 0;
    opt.timeout = 1;
    give_up = readback_got;
    loop_tick = give_up_tick;

    for (i = 0; i < opt.conns; i++) {
        conns[i].cat = i;

        if (readback_category(&conns[i])) {
            readback_begin(&conns[i], readback_answer);

        } else {
            done++;
        }
    }

    run_until(&done, opt.conns);
    loop_tick = NULL;
}


void
mode_publish(void)
{
    publish_open();

    /* with -a every category has so many events to begin with */

    doing = "warming up";
    publish_some(opt.warm ? (uint64_t) opt.warm * opt.cats : opt.conns);
    latency.n = 0;

    doing = "publishing";
    measure_begin();
    count.ops = publish_some(opt.ops);
    measure_end();

    readback();
}


/* store: each category gets one event first, which makes its entry */

void
mode_store(void)
{
    publish_open();

    doing = "warming up";
    publish_some(opt.cats);

    doing = "storing";
    measure_begin();
    count.ops = publish_some(opt.ops);
    measure_end();

    readback();
}


/* fanout */


static uint64_t  delivered_at;

static void
fanout_answer(conn_t *c)
{
    int  n;

    n = check_poll(c);

    if (n > 0) {
        crowd_delivered(n, c->answered - crowd->published_at);
    }

    opt.proto->poll(c, fanout_answer);
}


static void
fanout_published(conn_t *c)
{
    times_add(&publishing, c->answered - c->start);
    check_published(c);
}


/* others: connection i is due at i ms, i + n ms, i + 2n ms ... */

static conn_t  *bystanders;

/* due between a publish and the last delivery of its event, so far */

static int
others_counts(conn_t *c)
{
    return c->due >= crowd->published_at
           && (delivered_at == 0 || c->due <= delivered_at);
}


static void
others_answer(conn_t *c)
{
    if (others_counts(c)) {
        times_add(&others, c->answered - c->begun);
    }

    check_published(c);
    c->due += opt.others * MS;
}


static void
others_tick(void)
{
    conn_t    *c;
    uint64_t   t;
    unsigned   i;

    t = loop_now();

    for (i = 0; i < opt.others; i++) {
        c = &bystanders[i];

        if (c->busy || c->due > t) {
            continue;
        }

        /* if it is late by the server's fault it began when it was due */

        c->begun = c->due;

        if (c->answered <= c->due) {
            c->begun = t;

            if (others_counts(c)) {
                times_add(&lateness, t - c->due);
            }
        }

        publish(c, others_answer);
    }
}


static void
fanout_round(void)
{
    uint64_t  end;

    delivered_at = 0;
    crowd->delivered = 0;
    crowd->published_at = loop_now();

    publish(&pubs[0], fanout_published);
    crowd->published = published[0];

    end = crowd->published_at + opt.wait_ms * MS;

    while (pubs[0].busy || (crowd->delivered < opt.conns && loop_now() < end))
    {
        loop_turn(opt.others || crowd->room ? 1 : 100);
    }

    delivered_at = loop_now();
    count.ops += crowd->delivered;

    if (opt.others == 0) {
        quiet();
        return;
    }

    /* the server is never quiet now: a while for the last polls */

    while (loop_now() - delivered_at < 100 * MS) {
        loop_turn(1);
    }
}


static void
fanout_lost(unsigned n)
{
    while (n--) {
        check_lost(&conns[n], crowd->published);
    }
}


void
mode_fanout(void)
{
    unsigned  i, first, n, self;

    opt.cats = 1 + opt.others;
    published = bench_need(calloc(opt.cats, sizeof(uint32_t)));

    self = crowd_begin(&first, &n);
    crowd->go = 1;
    conns = open_some(n, first, 0);

    doing = "parking";

    for (i = 0; i < n; i++) {
        conns[i].cat = 0;
        check_window(&conns[i], 0);
        opt.proto->poll(&conns[i], fanout_answer);
    }

    if (self) {
        doing = "delivering";
        crowd_serve();
        fanout_lost(n);
        crowd_leave();
    }

    pubs = open_some(1, 0, 1);
    bystanders = open_some(opt.others, 1, 1);

    /* an event published before a poll was parked is not for it */

    crowd_await();
    quiet();

    doing = "delivering";
    fanout_round();                     /* not measured */
    latency.n = 0;
    crowd->ntimes = 0;
    publishing.n = 0;
    count.ops = 0;

    measure_begin();

    if (opt.others) {
        for (i = 0; i < opt.others; i++) {
            bystanders[i].cat = 1 + i;
            bystanders[i].due = loop_now() + i * MS;
        }

        loop_tick = others_tick;
    }

    for (i = 0; i < opt.ops; i++) {
        fanout_round();
        bench_progress(i, opt.ops);
    }

    loop_tick = NULL;
    measure_end();

    fanout_lost(n);
    crowd_end();
}


/*
 * lockstep and own: publisher i takes the categories i, i + publishers, ...,
 * each the category of one subscriber; it goes on when its event was received
 * and its own request answered, or when the event is lost.
 */


static void own_next(conn_t *c);

static void
own_received(conn_t *c)
{
    int      n;
    conn_t  *p;

    n = check_poll(c);
    p = &pubs[c->cat % opt.publishers];

    if (n > 0 && p->cat == c->cat && p->due) {
        times_add(&latency, c->answered - p->due);
        p->due = 0;
        done++;
    }

    opt.proto->poll(c, own_received);

    if (!p->busy && p->due == 0) {
        own_next(p);
    }
}


static void
own_published(conn_t *c)
{
    times_add(&publishing, c->answered - c->start);
    check_published(c);

    if (c->due == 0) {
        own_next(c);
    }
}


static void
own_next(conn_t *c)
{
    if (c->share == 0) {
        return;
    }

    c->share--;
    c->cat += opt.publishers;

    if (c->cat >= opt.conns) {
        c->cat = c->number;
    }

    publish(c, own_published);
    c->due = c->start;
}


/* what did not come is counted at the end; here it is only given up */

static void
own_tick(void)
{
    conn_t          *p;
    uint64_t         t;
    unsigned         i;
    static uint64_t  last;

    t = loop_now();

    if (t - last < 10 * MS) {
        return;
    }

    last = t;

    for (i = 0; i < opt.publishers; i++) {
        p = &pubs[i];

        if (p->due && !p->busy && t - p->due > opt.wait_ms * MS) {
            p->due = 0;
            done++;
            own_next(p);
        }
    }
}


static uint64_t
own_some(uint64_t n)
{
    unsigned  i;

    done = 0;
    n = (n + opt.publishers - 1) / opt.publishers;

    for (i = 0; i < opt.publishers; i++) {
        pubs[i].share = n;
        own_next(&pubs[i]);
    }

    run_until(&done, n * opt.publishers);

    return n * opt.publishers;
}


void
mode_own(void)
{
    unsigned  i;

    if (opt.publishers > opt.conns) {
        opt.publishers = opt.conns;
    }

    opt.cats = opt.conns;
    published = bench_need(calloc(opt.cats, sizeof(uint32_t)));

    pubs = open_some(opt.publishers, 0, 0);
    conns = open_some(opt.conns, 0, 0);

    doing = "parking";

    for (i = 0; i < opt.conns; i++) {
        check_window(&conns[i], 0);
        opt.proto->poll(&conns[i], own_received);
    }

    quiet();
    loop_tick = own_tick;

    for (i = 0; i < opt.publishers; i++) {
        pubs[i].cat = opt.conns;
    }

    doing = "warming up";
    own_some(opt.conns);
    quiet();
    latency.n = 0;
    publishing.n = 0;

    doing = "delivering";
    measure_begin();
    count.ops = own_some(opt.ops);
    measure_end();

    for (i = 0; i < opt.conns; i++) {
        check_lost(&conns[i], published[i]);
    }
}


void
mode_lockstep(void)
{
    opt.publishers = 1;

    mode_own();
}


/* catchup */


static void  catchup_answer(conn_t *c);

static void
catchup_begin(conn_t *c)
{
    started++;
    c->due = loop_now();
    readback_begin(c, catchup_answer);
}


static void
catchup_got(conn_t *c, int n)
{
    if (n > 0 && c->window.next < published[c->cat]) {
        opt.proto->poll(c, catchup_answer);
        return;
    }

    check_lost(c, published[c->cat]);
    times_add(&latency, c->answered - c->due);
    done++;

    if (started < target) {
        c->cat = (c->cat + 1) % opt.cats;
        catchup_begin(c);
    }
}


static void
catchup_answer(conn_t *c)
{
    catchup_got(c, check_poll(c));
}


static void
catchup_some(uint64_t n)
{
    unsigned  i;

    done = 0;
    started = 0;
    target = n;

    for (i = 0; i < opt.conns && started < n; i++) {
        conns[i].cat = i % opt.cats;
        catchup_begin(&conns[i]);
    }

    run_until(&done, n);
}


void
mode_catchup(void)
{
    unsigned  i, readers;

    readers = opt.conns;
    publish_open();

    doing = "filling";
    publish_some((uint64_t) opt.cats * opt.buffer);

    for (i = 0; i < opt.conns; i++) {
        conn_close(&conns[i]);
    }

    free(conns);
    opt.conns = readers;
    opt.timeout = 1;
    conns = open_some(opt.conns, 0, 0);

    doing = "catching up";
    give_up = catchup_got;
    loop_tick = give_up_tick;
    catchup_some(opt.conns);
    latency.n = 0;

    measure_begin();
    catchup_some(opt.ops);
    measure_end();

    count.ops = opt.ops;
}


/* park */


static void
park_answer(conn_t *c)
{
    if (check_poll(c) >= 0) {
        count.bad++;
        fprintf(stderr, "longpoll-bench: a parked poll was answered\n");
    }

    opt.proto->poll(c, park_answer);
}


static void
park_some(conn_t *c, unsigned first, unsigned n)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        conn_open(&c[i], first + i, 0);
        c[i].cat = (first + i) % opt.cats;
        opt.proto->poll(&c[i], park_answer);

        if (i % 64 == 0) {
            loop_turn(0);
            bench_progress(i, n);
        }
    }
}


/* ten that are not counted make their worker's tables */

void
mode_park(void)
{
    unsigned       first, n, self;
    static conn_t  warm[10];

    doing = "parking";

    self = crowd_begin(&first, &n);
    conns = bench_need(calloc(n, sizeof(conn_t)));

    if (self) {
        park_some(conns, first, n);
        crowd_serve();
        crowd_leave();
    }

    park_some(warm, 0, 10);
    measure_begin();

    crowd->go = 1;
    park_some(conns, first, n);
    crowd_await();

    measure_end();
    crowd_end();

    count.ops = opt.conns;
}
