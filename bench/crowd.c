
/*
 * crowd.c: further processes that hold a part of the polls.
 *
 * The number of open files of a process is limited.  For more polls than that
 * this program forks before it opens a connection, and each process has its
 * share of the connections, which are numbered across all of them.  Only the
 * first process publishes and measures; the others poll and check what comes.
 * They share these words in memory:
 *
 *     go         the first one says: begin to poll
 *     ready      how many of the others have sent their last poll
 *     events     how many events the others' loops have handled, see
 *                mode_quiet()
 *     delivered  how many polls have received the event of this round
 *     end        the first one says: add up what you found, and exit
 *
 * If the first process ends in any way, the kernel kills the others.
 */


#include "base.h"
#include "conn.h"
#include "crowd.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>


#define MAX_CROWD    64
#define SPARE        64                 /* files that are no connections */


static pid_t     others_pid[MAX_CROWD];
static unsigned  nothers;

static crowd_t   nobody;

crowd_t         *crowd = &nobody;


static void *
crowd_map(size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
             -1, 0);

    if (p == MAP_FAILED) {
        bench_die("no memory");
    }

    return p;
}


/* raises the limit as far as allowed; returns how many polls that permits */

static unsigned
crowd_files(unsigned wanted)
{
    struct rlimit  rl;

    if (getrlimit(RLIMIT_NOFILE, &rl) == -1) {
        bench_die("getrlimit: %s", strerror(errno));
    }

    if (rl.rlim_cur < wanted) {
        rl.rlim_cur = wanted < rl.rlim_max ? wanted : rl.rlim_max;

        if (setrlimit(RLIMIT_NOFILE, &rl) == -1) {
            bench_die("%u open files: %s", wanted, strerror(errno));
        }
    }

    return rl.rlim_cur < wanted ? rl.rlim_cur : wanted;
}


void
crowd_limit(int many)
{
    unsigned  own, wanted, can;

    own = opt.publishers + opt.others + SPARE;
    wanted = opt.conns + own;
    can = crowd_files(wanted);

    if (can == wanted) {
        return;
    }

    if (!many || can <= own) {
        bench_die("%u connections need %u open files, and a process may have"
                  " %u here", opt.conns, wanted, can);
    }

    nothers = (opt.conns - 1) / (can - own);

    if (nothers > MAX_CROWD) {
        bench_die("%u connections are too many for %u open files in a process",
                  opt.conns, can);
    }
}


/* returns in each process, with its number: the first one is 0 */

unsigned
crowd_begin(unsigned *first, unsigned *n)
{
    unsigned  i, each, self;
    uint64_t  room;

    room = (uint64_t) opt.conns * (opt.ops + 1) * (nothers != 0);

    crowd = crowd_map(sizeof(crowd_t) + room * sizeof(uint64_t));
    crowd->room = room;

    each = (opt.conns + nothers) / (nothers + 1);
    self = 0;

    for (i = 1; i <= nothers && self == 0; i++) {
        others_pid[i - 1] = fork();

        if (others_pid[i - 1] == -1) {
            bench_die("fork: %s", strerror(errno));
        }

        if (others_pid[i - 1] == 0) {
            (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
            loop_init();
            self = i;
        }
    }

    *first = self * each;
    *n = (*first + each <= opt.conns) ? each : opt.conns - *first;

    while (self && !crowd->go) {
        usleep(1000);
    }

    return self;
}


/* the loop of the others, until the first one sets end */

void
crowd_serve(void)
{
    uint64_t  events;

    __atomic_add_fetch(&crowd->ready, 1, __ATOMIC_SEQ_CST);

    for (events = loop_events; !crowd->end; events = loop_events) {
        loop_turn(5);
        __atomic_add_fetch(&crowd->events, loop_events - events,
                           __ATOMIC_SEQ_CST);
    }
}


void
crowd_leave(void)
{
    count_t  *all = &crowd->count;

    __atomic_add_fetch(&all->events, count.events, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&all->timeouts, count.timeouts, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&all->bad, count.bad, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&all->misrouted, count.misrouted, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&all->lost, count.lost, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&all->doubled, count.doubled, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&all->reordered, count.reordered, __ATOMIC_SEQ_CST);

    exit(0);
}


void
crowd_delivered(unsigned n, uint64_t ns)
{
    uint64_t  i;

    __atomic_add_fetch(&crowd->delivered, n, __ATOMIC_SEQ_CST);

    if (crowd->room == 0) {
        times_add(&latency, ns);
        return;
    }

    i = __atomic_fetch_add(&crowd->ntimes, 1, __ATOMIC_SEQ_CST);

    if (i < crowd->room) {
        crowd->times[i] = ns;
    }
}


void
crowd_await(void)
{
    unsigned  i;

    while (crowd->ready < nothers) {
        loop_turn(5);

        for (i = 0; i < nothers; i++) {
            if (waitpid(others_pid[i], NULL, WNOHANG) != 0) {
                bench_die("process %d has ended", others_pid[i]);
            }
        }
    }
}


void
crowd_end(void)
{
    int       status;
    uint64_t  i;
    count_t  *all = &crowd->count;

    crowd->end = 1;

    for (i = 0; i < nothers; i++) {
        if (waitpid(others_pid[i], &status, 0) == -1 || status != 0) {
            bench_die("process %d failed", others_pid[i]);
        }
    }

    for (i = 0; i < crowd->ntimes && i < crowd->room; i++) {
        times_add(&latency, crowd->times[i]);
    }

    count.events += all->events;
    count.timeouts += all->timeouts;
    count.bad += all->bad;
    count.misrouted += all->misrouted;
    count.lost += all->lost;
    count.doubled += all->doubled;
    count.reordered += all->reordered;
}
