
/*
 * t/faults/die.c: kills a worker at a chosen point, for tests.
 *
 * build/chaos/ngx_http_longpoll_module.so is the module, built with
 * NGX_HTTP_LONGPOLL_STEPS, and this file.  The variable LONGPOLL_DIE of the
 * environment names a file that nginx and the test share: numbers of 8 bytes,
 * in the machine's byte order, and names of at most 8 bytes:
 *
 *     left  name arm hits deaths  name arm hits deaths  ...
 *
 * left counts down with every store into a zone
 * (ngx_http_longpoll_journal.h).  The process whose store brings it to 0 is
 * killed in front of that store, mostly while it holds the lock.
 *
 * Each name is a point outside the lock (ngx_http_longpoll.h); the test has
 * written it.  A process that comes to the point adds one to hits and takes one
 * from arm, and is killed when arm comes to 0.  A point that is not in the file
 * is an error.
 *
 * A count that is 0 is off.  nginx's master, which loaded the module, is never
 * killed.
 */


#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>


typedef struct {
    char      name[8];
    uint64_t  arm;
    uint64_t  hits;
    uint64_t  deaths;
} die_point_t;


void ngx_http_longpoll_step(void);
void ngx_http_longpoll_point(const char *name);
unsigned long ngx_http_longpoll_journaled(const char *file,
    unsigned long line);


static int die_take(uint64_t *left);


static uint64_t     *die_left;
static die_point_t  *die_points;
static size_t        die_npoints;
static pid_t         die_master;


static __attribute__((constructor)) void
die_begin(void)
{
    int          fd;
    void        *p;
    const char  *name;
    struct stat  st;

    name = getenv("LONGPOLL_DIE");
    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDWR|O_CLOEXEC);
    if (fd == -1 || fstat(fd, &st) == -1) {
        abort();
    }

    p = mmap(NULL, st.st_size, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        abort();
    }

    (void) close(fd);

    die_left = p;
    die_points = (die_point_t *) (die_left + 1);
    die_npoints = (st.st_size - sizeof(uint64_t)) / sizeof(die_point_t);
    die_master = getpid();
}


void
ngx_http_longpoll_step(void)
{
    if (die_left && die_take(die_left)) {
        (void) kill(getpid(), SIGKILL);
    }
}


void
ngx_http_longpoll_point(const char *name)
{
    size_t  i;

    if (die_left == NULL || getpid() == die_master) {
        return;
    }

    for (i = 0; i < die_npoints; i++) {

        if (strncmp(die_points[i].name, name, 8) == 0) {
            (void) __sync_fetch_and_add(&die_points[i].hits, 1);

            if (die_take(&die_points[i].arm)) {
                (void) __sync_fetch_and_add(&die_points[i].deaths, 1);
                (void) kill(getpid(), SIGKILL);
            }

            return;
        }
    }

    abort();
}


/* takes one off; returns 1 if that was the last one */

static int
die_take(uint64_t *left)
{
    uint64_t  n;

    do {
        n = __atomic_load_n(left, __ATOMIC_RELAXED);

        if (n == 0 || getpid() == die_master) {
            return 0;
        }

    } while (!__sync_bool_compare_and_swap(left, n, n - 1));

    return n == 1;
}


/* no store skips the journal, as t/unit's programs can make it do */

unsigned long
ngx_http_longpoll_journaled(const char *file, unsigned long line)
{
    return 1;
}
