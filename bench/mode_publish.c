
/*
 * mode_publish.c: the modes whose events are read from the beginning.
 *
 *     publish   each publisher publishes its next event after each answer, to
 *               categories of its own; at the end all categories are read and
 *               checked
 *     asked     as publish, but first each category gets one event, which is
 *               read: a server over Redis may do less for a category that no
 *               client has asked for
 *     store     as publish, with events that the server keeps
 *     catchup   categories are filled; then each reader reads one, again after
 *               each answer
 *
 * A reader must receive all events of a category, or as many as the server
 * keeps (-f).  If the server has more, or events of earlier runs, these come
 * first.
 */


#include "base.h"
#include "check.h"
#include "conn.h"
#include "mode.h"
#include "proto.h"


static uint64_t  started, target;


/*
 * publish: connection i has the categories i, i + conns, i + 2 * conns ..., and
 * publishes the same number of events to each
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

    mode_send(c, c->answer);
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

    mode_run_until(&done, all);

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
    conns = mode_open_some(opt.conns, 0, 0);

    /* each connection begins with the category of its own number */

    for (i = 0; i < opt.conns; i++) {
        conns[i].cat = opt.cats;
    }
}


/*
 * A reader that receives fewer events than it should waits for the rest, on
 * some servers for ever: after a while it gives up.
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


/* reads c's category from where the server's buffer must begin at the latest */

static void
readback_begin(conn_t *c, answer_pt answer)
{
    unsigned  n = published[c->cat];

    c->from = FROM_BEGIN;
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

    if (proto_plain()) {
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

    mode_run_until(&done, opt.conns);
    loop_tick = NULL;
}


void
mode_publish(void)
{
    publish_open();

    /* with -a every category has so many events before the run */

    doing = "warming up";
    publish_some(opt.warm ? (uint64_t) opt.warm * opt.cats : opt.conns);
    latency.n = 0;

    doing = "publishing";
    mode_measure_begin();
    count.ops = publish_some(opt.ops);
    mode_measure_end();

    readback();
}


/* one event first makes the entry of each category */

static void
publish_again(int asked, const char *what)
{
    publish_open();

    doing = "warming up";
    publish_some(opt.cats);

    if (asked) {
        readback();
    }

    latency.n = 0;
    doing = what;
    mode_measure_begin();
    count.ops = publish_some(opt.ops);
    mode_measure_end();

    readback();
}


void
mode_store(void)
{
    publish_again(0, "storing");
}


void
mode_asked(void)
{
    publish_again(1, "publishing");
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

    mode_run_until(&done, n);
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
    conns = mode_open_some(opt.conns, 0, 0);

    doing = "catching up";
    give_up = catchup_got;
    loop_tick = give_up_tick;
    catchup_some(opt.conns);
    latency.n = 0;

    mode_measure_begin();
    catchup_some(opt.ops);
    mode_measure_end();

    count.ops = opt.ops;
}
