
/*
 * proc.c: what the kernel counted for the server's processes (proc(5)).
 *
 * These are the processes that hold the port's listening socket open: nginx's
 * master and its workers, or the one process of another server.  A user may
 * also name them, and those of a backend behind the server.
 *
 * CPU time is what a process's own clock says (clock_getcpuclockid(3)).  It has
 * the time of threads that have ended, too: each pass of this module's writer
 * is a thread.  It does not contain a task's current time slice, so samples are
 * taken when the server is quiet: no task is running, and the sum does not
 * change.
 *
 * Memory is PSS, which divides a page among the processes that map it, so that
 * the sum over all processes is what they use together.
 */


#include "base.h"
#include "proc.h"

#include <dirent.h>
#include <sys/stat.h>


static struct {
    int          pid;
    int          backend;
} procs[MAX_PIDS];

static unsigned  nprocs, nbackends;


static FILE *
proc_open(const char *fmt, ...)
{
    char     path[96];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(path, sizeof(path), fmt, args);
    va_end(args);

    return fopen(path, "r");
}


void
proc_add(int pid, int backend)
{
    unsigned  i;

    for (i = 0; i < nprocs; i++) {
        if (procs[i].pid == pid) {
            return;
        }
    }

    if (nprocs == MAX_PIDS) {
        bench_die("more than %d processes", MAX_PIDS);
    }

    procs[nprocs].pid = pid;
    procs[nprocs++].backend = backend;
    nbackends += backend;
}


unsigned
proc_count(void)
{
    return nprocs - nbackends;
}


unsigned
proc_backends(void)
{
    return nbackends;
}


static int
proc_listening(unsigned port, unsigned long *inode, int max)
{
    int                 n, i;
    FILE               *f;
    char                line[512];
    unsigned            local, state;
    unsigned long       ino;
    static const char  *tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };

    n = 0;

    for (i = 0; i < 2; i++) {
        f = fopen(tables[i], "r");
        if (f == NULL) {
            continue;
        }

        while (n < max && fgets(line, sizeof(line), f)) {
            if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x"
                       " %*s %*s %*s %*d %*d %lu", &local, &state, &ino) == 3
                && local == port && state == 0x0A)
            {
                inode[n++] = ino;
            }
        }

        fclose(f);
    }

    return n;
}


static int
proc_holds(const char *pid, unsigned long *inode, int n)
{
    int             i, found;
    DIR            *dir;
    char            path[300];
    struct stat     st;
    struct dirent  *de;

    snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);

    dir = opendir(path);
    if (dir == NULL) {
        return 0;
    }

    found = 0;

    while (!found && (de = readdir(dir)) != NULL) {
        if (fstatat(dirfd(dir), de->d_name, &st, 0) == 0
            && S_ISSOCK(st.st_mode))
        {
            for (i = 0; i < n; i++) {
                found |= (st.st_ino == inode[i]);
            }
        }
    }

    closedir(dir);
    return found;
}


unsigned
proc_find(unsigned port)
{
    int             n;
    DIR            *dir;
    unsigned long   inode[64];
    struct dirent  *de;

    n = proc_listening(port, inode, 64);
    dir = opendir("/proc");

    if (n == 0 || dir == NULL) {
        return 0;
    }

    while ((de = readdir(dir)) != NULL) {
        if (isdigit((unsigned char) de->d_name[0])
            && proc_holds(de->d_name, inode, n))
        {
            proc_add(atoi(de->d_name), 0);
        }
    }

    closedir(dir);
    return proc_count();
}


/* whether a task is on a CPU or waits for one */

static int
proc_runs(int pid, const char *task)
{
    int    n;
    FILE  *f;
    char   line[1024], *p, state;

    f = proc_open("/proc/%d/task/%.16s/stat", pid, task);
    if (f == NULL) {
        return 0;
    }

    /* pid (name) state */

    p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
    fclose(f);

    n = p ? sscanf(p, ") %c", &state) : 0;

    return n == 1 && (state == 'R' || state == 'D');
}


static int
proc_running(void)
{
    int             running;
    DIR            *dir;
    char            path[64];
    unsigned        i;
    struct dirent  *de;

    running = 0;

    for (i = 0; i < nprocs; i++) {
        snprintf(path, sizeof(path), "/proc/%d/task", procs[i].pid);

        dir = opendir(path);
        if (dir == NULL) {
            bench_die("process %d of the server has ended", procs[i].pid);
        }

        while ((de = readdir(dir)) != NULL) {
            if (isdigit((unsigned char) de->d_name[0])) {
                running |= proc_runs(procs[i].pid, de->d_name);
            }
        }

        closedir(dir);
    }

    return running;
}


void
proc_cpu(sample_t *s)
{
    uint64_t        *ns;
    unsigned         i;
    clockid_t        clock;
    struct timespec  ts;

    s->cpu = 0;
    s->backend = 0;

    for (i = 0; i < nprocs; i++) {
        ns = procs[i].backend ? &s->backend : &s->cpu;

        if (clock_getcpuclockid(procs[i].pid, &clock) != 0
            || clock_gettime(clock, &ts) != 0)
        {
            bench_die("process %d of the server has ended", procs[i].pid);
        }

        *ns += ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
    }
}


int
proc_busy(void)
{
    sample_t         s;
    static uint64_t  last;

    proc_cpu(&s);

    if (s.cpu + s.backend != last) {
        last = s.cpu + s.backend;
        return 1;
    }

    return proc_running();
}


void
proc_memory(sample_t *s)
{
    FILE      *f;
    char       line[256];
    uint64_t   kb;
    unsigned   i;

    s->pss = 0;
    s->own = 0;
    s->private = 0;

    for (i = 0; i < nprocs; i++) {
        f = procs[i].backend ? NULL
                             : proc_open("/proc/%d/smaps_rollup", procs[i].pid);
        if (f == NULL) {
            continue;
        }

        while (fgets(line, sizeof(line), f)) {
            if (sscanf(line, "Pss: %" SCNu64, &kb) == 1) {
                s->pss += kb * 1024;

            } else if (sscanf(line, "Pss_Anon: %" SCNu64, &kb) == 1) {
                s->own += kb * 1024;
                s->private += kb * 1024;

            } else if (sscanf(line, "Pss_Shmem: %" SCNu64, &kb) == 1) {
                s->own += kb * 1024;
            }
        }

        fclose(f);
    }
}
