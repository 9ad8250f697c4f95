
/*
 * unit_child.c: a test in a child, and how it fails.
 *
 * The time that a test may take is CPU time, so that a busy machine fails none.
 */


#include "unit.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>


unit_shared_t  *unit;


void
unit_init(void)
{
    unit = mmap(NULL, sizeof(unit_shared_t), PROT_READ|PROT_WRITE,
                MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (unit == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
}


void
unit_fail(const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    vsnprintf(unit->wrong, sizeof(unit->wrong), format, args);
    va_end(args);

    if (getenv("UNIT_ABORT")) {
        fprintf(stderr, "%s\nseed %lu op %lu: %s\n", unit->wrong,
                (unsigned long) unit->seed, (unsigned long) unit->op,
                unit->what);
        abort();
    }

    _exit(1);
}


void
unit_limit(ngx_uint_t seconds)
{
    struct itimerval  timer;

    ngx_memzero(&timer, sizeof(timer));
    timer.it_value.tv_sec = seconds;

    (void) setitimer(ITIMER_PROF, &timer, NULL);
}


const char *
unit_run(void (*test)(void *data), void *data, ngx_uint_t seconds)
{
    int    status;
    pid_t  pid;

    unit->wrong[0] = '\0';
    unit->what[0] = '\0';

    fflush(NULL);

    pid = fork();

    if (pid == 0) {
        unit_limit(seconds);
        test(data);
        fflush(NULL);
        _exit(0);
    }

    if (pid == -1 || waitpid(pid, &status, 0) != pid) {
        perror("fork");
        exit(2);
    }

    if (status == 0) {
        return NULL;
    }

    if (unit->wrong[0] == '\0') {
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF) {
            snprintf(unit->wrong, sizeof(unit->wrong),
                     "does not end within its time");
        } else {
            snprintf(unit->wrong, sizeof(unit->wrong),
                     "died, wait status %d", status);
        }
    }

    return unit->wrong;
}
