
/*
 * mode_churn.c: clients that connect, poll and leave.
 *
 *     churn   all clients connect and poll; when their polls are parked, all
 *             leave, and come again in the next round.  From a plain server
 *             each gets its answer before it leaves
 *
 * A last round, which is not measured, ends with an event for all: so their
 * polls were parked.
 */


#include "base.h"
#include "check.h"
#include "conn.h"
#include "mode.h"
#include "proto.h"


static void
churn_answer(conn_t *c)
{
    int  n;

    if (proto_plain()) {
        check_same(c);
        done++;
        return;
    }

    n = mode_received(c);

    if (published[0] == 0) {
        check_parked(c, n);

    } else if (n > 0) {
        done++;
    }
}


static void
churn_come(void)
{
    unsigned  i;

    done = 0;

    for (i = 0; i < opt.conns; i++) {
        mode_ask(&conns[i], churn_answer);

        if (i % 64 == 0) {
            loop_turn(0);
        }
    }

    if (proto_plain()) {
        mode_run_until(&done, opt.conns);
    }

    mode_quiet(2);
}


static void
churn_leave(void)
{
    unsigned  i;

    for (i = 0; i < opt.conns; i++) {
        conn_close(&conns[i]);
    }
}


static void
churn_published(conn_t *c)
{
    check_published(c);
}


static void
churn_wake(void)
{
    conn_t    *pub;
    unsigned   i;
    uint64_t   end;

    pub = mode_open_some(1, 0, 0);
    doing = "delivering";
    end = loop_now() + opt.wait_ms * MS;

    mode_send(pub, churn_published);

    while (pub->busy || (done < opt.conns && loop_now() < end)) {
        loop_turn(100);
    }

    for (i = 0; i < opt.conns; i++) {
        check_lost(&conns[i], 1);
    }
}


void
mode_churn(void)
{
    unsigned  i;

    opt.cats = 1;
    published = bench_need(calloc(1, sizeof(uint32_t)));
    conns = mode_open_some(opt.conns, 0, 0);

    for (i = 0; i < opt.conns; i++) {
        conns[i].cat = 0;
        check_window(&conns[i], 0);
    }

    doing = "coming and leaving";
    churn_come();                       /* not measured */
    churn_leave();

    mode_measure_begin();

    for (i = 0; i < opt.ops; i++) {
        churn_come();
        churn_leave();
        mode_progress(i, opt.ops);
    }

    mode_measure_end();
    count.ops = (uint64_t) opt.ops * opt.conns;

    if (!proto_plain()) {
        churn_come();
        churn_wake();
    }
}
