
/*
 * mode.c: what all modes share, and the modes that publish nothing.
 *
 *     get       each connection requests one path, again after each answer
 *     burst     all connections request it at once, and again when all have
 *               their answer
 *     park      polls are parked, and none may be answered; or streams are
 *               opened, and with -a events go down them
 *
 * The others are in mode_publish.c, mode_deliver.c and mode_churn.c.  Each mode
 * begins with operations that are not measured, so that connections are
 * accepted and tables have grown, and takes its samples when the server is
 * quiet.
 */


#include "base.h"
#include "check.h"
#include "conn.h"
#include "crowd.h"
#include "mode.h"
#include "proc.h"


#define QUIET_BACKEND   5                /* looks */
#define PARK_WARM       10
#define PARK_UNDER_WAY  16               /* events */


conn_t    *conns;
uint32_t  *published;
uint64_t   done;

static uint64_t  started, target;


/* a server with a backend is never quiet for long: they talk by themselves */

void
mode_quiet(unsigned looks)
{
    unsigned  still;
    uint64_t  events, end;

    looks = (proc_backends() && looks > QUIET_BACKEND) ? QUIET_BACKEND : looks;
    end = loop_now() + 3000 * MS;
    (void) proc_busy();

    for (still = 0; still < looks && loop_now() < end; /* void */) {
        events = loop_events + crowd->events;
        loop_turn(proc_count() ? 2 : 25);

        if (proc_busy() || loop_events + crowd->events != events) {
            still = 0;

        } else {
            still++;
        }
    }
}


void
mode_measure_begin(void)
{
    mode_quiet(5);
    proc_memory(&before);
    proc_cpu(&before);
    before.wall = loop_now();
}


void
mode_measure_end(void)
{
    after.wall = loop_now();
    mode_quiet(5);
    proc_cpu(&after);
    proc_memory(&after);
}


void
mode_run_until(uint64_t *what, uint64_t wanted)
{
    while (*what < wanted) {
        loop_turn(100);
        mode_progress(*what, wanted);
    }
}


void
mode_progress(uint64_t n, uint64_t all)
{
    uint64_t         t;
    static int       shows = -1;
    static uint64_t  next;

    if (shows == -1) {
        shows = !opt.line && isatty(STDERR_FILENO);
    }

    if (!shows || (t = loop_now()) < next) {
        return;
    }

    next = t + 200 * MS;
    fprintf(stderr, "\r\033[K%s: %" PRIu64 " of %" PRIu64, doing, n, all);
}


conn_t *
mode_open_some(unsigned n, unsigned first, int fast)
{
    conn_t    *c;
    unsigned   i;

    doing = "connecting";
    c = bench_need(calloc(n, sizeof(conn_t)));

    for (i = 0; i < n; i++) {
        conn_open(&c[i], first + i, first + i, fast);
        mode_progress(i, n);
    }

    return c;
}


void
mode_come(conn_t *c, unsigned first, unsigned n, unsigned cats,
    answer_pt answer)
{
    unsigned  i;

    doing = "parking";

    for (i = 0; i < n; i++) {
        conn_open(&c[i], first + i, first + i, 0);
        c[i].cat = (first + i) % cats;
        check_window(&c[i], crowd->published);
        mode_ask(&c[i], answer);

        if (i % 64 == 0) {
            loop_turn(0);
            mode_progress(i, n);
        }
    }
}


void
mode_send(conn_t *c, answer_pt answer)
{
    const char  *data;

    data = check_data(c->number, c->cat, published[c->cat]++);
    opt.proto->publish(c, answer, data);
}


void
mode_ask(conn_t *c, answer_pt answer)
{
    if (opt.streams) {
        opt.proto->stream(c, answer);

    } else {
        opt.proto->poll(c, answer);
    }
}


int
mode_received(conn_t *c)
{
    return opt.streams ? check_frames(c) : check_poll(c);
}


void
mode_again(conn_t *c, answer_pt answer)
{
    if (!opt.streams) {
        opt.proto->poll(c, answer);
    }
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

    mode_run_until(&done, n);
}


void
mode_get(void)
{
    conns = mode_open_some(opt.conns, 0, 0);
    doing = "getting";

    get_some(opt.conns);
    latency.n = 0;

    mode_measure_begin();
    get_some(opt.ops);
    mode_measure_end();

    count.ops = opt.ops;
}


/* burst: the rhythm of a fan-out */

void
mode_burst(void)
{
    unsigned  i;

    conns = mode_open_some(opt.conns, 0, 0);
    doing = "getting";

    get_some(opt.conns);
    latency.n = 0;

    mode_measure_begin();

    for (i = 0; i < opt.ops; i++) {
        get_some(opt.conns);
        mode_quiet(2);
    }

    mode_measure_end();

    count.ops = (uint64_t) opt.ops * opt.conns;
}


/* park */


static void
park_answer(conn_t *c)
{
    int  n;

    n = mode_received(c);

    if (opt.warm && n > 0) {
        crowd_delivered(n, 0);

    } else {
        check_parked(c, n);
    }

    mode_again(c, park_answer);
}


static void
park_published(conn_t *c)
{
    check_published(c);
}


/* n events for so many streams of one category, a few under way at a time */

static void
park_publish(conn_t *pub, uint64_t streams, uint64_t n)
{
    uint64_t  i, wanted;

    crowd->delivered = 0;
    doing = "delivering";

    for (i = 0; i < n; i++) {
        mode_send(pub, park_published);
        wanted = i < PARK_UNDER_WAY ? 0 : (i - PARK_UNDER_WAY) * streams;

        while (pub->busy || crowd->delivered < wanted) {
            loop_turn(5);
        }

        mode_progress(i, n);
    }

    while (crowd->delivered < n * streams) {
        loop_turn(5);
    }

    latency.n = 0;
    crowd->ntimes = 0;
}


/*
 * Ten polls that are not counted make the worker's tables; with -a they get as
 * many events as the server keeps.
 */

void
mode_park(void)
{
    conn_t        *pub;
    unsigned       i, first, n, self;
    static conn_t  warm[PARK_WARM];

    if (opt.warm && (!opt.streams || opt.cats != 1)) {
        bench_die("-a in park is for streams of one category");
    }

    published = bench_need(calloc(opt.cats, sizeof(uint32_t)));

    self = crowd_begin(&first, &n);
    conns = bench_need(calloc(n, sizeof(conn_t)));

    if (self) {
        mode_come(conns, first, n, opt.cats, park_answer);
        crowd_serve();

    } else {
        pub = mode_open_some(1, 0, 1);
        mode_come(warm, 0, PARK_WARM, opt.cats, park_answer);
        mode_quiet(25);
        park_publish(pub, PARK_WARM, opt.warm ? opt.buffer : 0);
        mode_measure_begin();

        crowd->published = published[0];
        crowd->go = 1;
        mode_come(conns, first, n, opt.cats, park_answer);
        crowd_await();

        mode_quiet(25);
        park_publish(pub, opt.conns + PARK_WARM, opt.warm);
        mode_measure_end();
        crowd->published = published[0];
    }

    for (i = 0; opt.warm && i < n; i++) {
        check_lost(&conns[i], crowd->published);
    }

    if (self) {
        crowd_leave();
    }

    crowd_end();

    count.ops = opt.conns;
}
