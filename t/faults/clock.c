
/*
 * t/faults/clock.c: a wall clock that a test can set, for one nginx.
 *
 * build/chaos/clock.so is preloaded.  LONGPOLL_CLOCK names a file of 8 bytes:
 * by how many microseconds nginx's wall clock is ahead of the machine's, in the
 * machine's byte order.  A test that writes them sets the clock of the master
 * and of all workers at once.  The monotonic clocks are the machine's, as they
 * are when an administrator sets the time.
 *
 * Debian's libfaketime can do that, too.  But it reads a file for each call
 * (1.8 us, this takes 0.3), and keeps semaphores in the machine's /dev/shm,
 * which a kill -9 leaves behind.
 */


#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


#define CLOCK_SECOND  1000000


static const int64_t  *clock_ahead;


static __attribute__((constructor)) void
clock_begin(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("LONGPOLL_CLOCK");
    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        abort();
    }

    p = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        abort();
    }

    (void) close(fd);

    clock_ahead = p;
}


/* a system call: the vdso would have to be found first, and calls come early */

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int64_t  us;

    if (syscall(SYS_clock_gettime, id, ts) == -1) {
        return -1;
    }

    if (clock_ahead && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        us = ts->tv_nsec / 1000 + __atomic_load_n(clock_ahead,
                                                  __ATOMIC_RELAXED);

        ts->tv_sec += us / CLOCK_SECOND - (us % CLOCK_SECOND < 0);
        us = us % CLOCK_SECOND + (us % CLOCK_SECOND < 0 ? CLOCK_SECOND : 0);
        ts->tv_nsec = us * 1000 + ts->tv_nsec % 1000;
    }

    return 0;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec  ts;

    (void) zone;

    if (clock_gettime(CLOCK_REALTIME, &ts) == -1) {
        return -1;
    }

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


time_t
time(time_t *t)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    if (t) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
