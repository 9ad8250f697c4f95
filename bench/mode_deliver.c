
/*
 * mode_deliver.c: the modes in which a client waits for each event.
 *
 *     fanout    polls are parked on one category; an event is published, and
 *               the next one when each poll has received it and is parked
 *               again.  With -o, others publish to other categories meanwhile,
 *               one event each millisecond, without waiting for answers
 *     own       each poll is parked on a category of its own; a publisher takes
 *               the next category when its event has arrived
 *     lockstep  the same with one publisher
 *
 * In the last two, with -d, an event's subscriber asks another server than its
 * publisher: the one so many further in the list.
 *
 * A delivery ends when its client's next poll is parked.  With -e the clients
 * have streams, and a delivery ends when the event has come.
 */


#include "base.h"
#include "check.h"
#include "conn.h"
#include "crowd.h"
#include "mode.h"


static conn_t  *pubs;


/* fanout */


static uint64_t  delivered_at;

static void
fanout_answer(conn_t *c)
{
    int  n;

    n = mode_received(c);

    if (n > 0) {
        crowd_delivered(n, c->answered - crowd->published_at);
    }

    mode_again(c, fanout_answer);
}


static void
fanout_published(conn_t *c)
{
    times_add(&publishing, c->answered - c->start);
    check_published(c);
}


/* others: connection i is due at i ms, i + n ms, i + 2n ms ... */

static conn_t  *bystanders;

/* publishes of others between a publish and the last delivery of its event */

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

        /* if the server made it late, it counts from when it was due */

        c->begun = c->due;

        if (c->answered <= c->due) {
            c->begun = t;

            if (others_counts(c)) {
                times_add(&lateness, t - c->due);
            }
        }

        mode_send(c, others_answer);
    }
}


static void
fanout_round(void)
{
    uint64_t  end;

    delivered_at = 0;
    crowd->delivered = 0;
    crowd->published_at = loop_now();

    mode_send(&pubs[0], fanout_published);
    crowd->published = published[0];

    end = crowd->published_at + opt.wait_ms * MS;

    while (pubs[0].busy || (crowd->delivered < opt.conns && loop_now() < end))
    {
        loop_turn(opt.others || crowd->room ? 1 : 100);
    }

    delivered_at = loop_now();
    count.ops += crowd->delivered;

    if (opt.others == 0) {
        mode_quiet(2);
        return;
    }

    /* the server is never quiet now: wait a while for the last polls */

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
    conns = bench_need(calloc(n, sizeof(conn_t)));
    mode_come(conns, first, n, 1, fanout_answer);

    if (self) {
        doing = "delivering";
        crowd_serve();
        fanout_lost(n);
        crowd_leave();
    }

    pubs = mode_open_some(1, 0, 1);
    bystanders = mode_open_some(opt.others, 1, 1);

    /* an event that is published before a poll is parked does not reach it */

    crowd_await();
    mode_quiet(25);

    doing = "delivering";
    fanout_round();                     /* not measured */
    latency.n = 0;
    crowd->ntimes = 0;
    publishing.n = 0;
    count.ops = 0;

    mode_measure_begin();

    if (opt.others) {
        for (i = 0; i < opt.others; i++) {
            bystanders[i].cat = 1 + i;
            bystanders[i].due = loop_now() + i * MS;
        }

        loop_tick = others_tick;
    }

    for (i = 0; i < opt.ops; i++) {
        fanout_round();
        mode_progress(i, opt.ops);
    }

    loop_tick = NULL;
    mode_measure_end();

    fanout_lost(n);
    crowd_end();
}


/*
 * lockstep and own: publisher i has the categories i, i + publishers, ..., each
 * with one subscriber.  It takes the next one when its event was received and
 * its own request answered, or when the event is lost.
 */


static void own_next(conn_t *c);

static void
own_received(conn_t *c)
{
    int      n;
    conn_t  *p;

    n = mode_received(c);
    p = &pubs[c->cat % opt.publishers];

    if (n > 0 && p->cat == c->cat && p->due) {
        times_add(&latency, c->answered - p->due);
        p->due = 0;
        done++;
    }

    mode_again(c, own_received);

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

    mode_send(c, own_published);
    c->due = c->start;
}


/* gives up events that do not come; they are counted at the end */

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

    mode_run_until(&done, n * opt.publishers);

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

    pubs = mode_open_some(opt.publishers, 0, 0);
    conns = bench_need(calloc(opt.conns, sizeof(conn_t)));

    doing = "parking";

    for (i = 0; i < opt.conns; i++) {
        conn_open(&conns[i], i, i % opt.publishers + opt.further, 0);
        check_window(&conns[i], 0);
        mode_ask(&conns[i], own_received);
    }

    mode_quiet(25);
    loop_tick = own_tick;

    for (i = 0; i < opt.publishers; i++) {
        pubs[i].cat = opt.conns;
    }

    doing = "warming up";
    own_some(opt.conns);
    mode_quiet(2);
    latency.n = 0;
    publishing.n = 0;

    doing = "delivering";
    mode_measure_begin();
    count.ops = own_some(opt.ops);
    mode_measure_end();

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
