
/*
 * ngx_http_longpoll_lock.c: nginx's mutex, taken by who may not wait for ever.
 *
 * A process that is killed keeps its lock.  nginx's master takes it away, when
 * it is told of the death, from the zones of its configuration.  But in a
 * reload it is told of nothing, and waits for the same lock itself; a zone
 * whose place another took is in no configuration any more; and the master may
 * be dead.  So whoever waits looks now and then whether the holder is there.
 *
 * Who sleeps here sleeps by the clock: nobody tells nginx's semaphore of a
 * death.  The lock is held for microseconds, and mostly had at the first go.
 */


#include "ngx_http_longpoll_lock.h"

#include <sys/wait.h>


#define NGX_HTTP_LONGPOLL_LOCK_SPIN    2048     /* pauses; as nginx has it */
#define NGX_HTTP_LONGPOLL_LOCK_YIELDS  16       /* times, then it sleeps */


static ngx_uint_t ngx_http_longpoll_lock_spin(ngx_shmtx_t *mtx);
static ngx_uint_t ngx_http_longpoll_lock_dead(ngx_pid_t pid);


void
ngx_http_longpoll_lock(ngx_shmtx_t *mtx)
{
    ngx_pid_t   pid;
    ngx_uint_t  i;

    for (i = 0; !ngx_http_longpoll_lock_spin(mtx); i++) {

        if (i < NGX_HTTP_LONGPOLL_LOCK_YIELDS) {
            ngx_sched_yield();
            continue;
        }

        /* it is unlocked for this holder only, not for one that came since */

        pid = (ngx_pid_t) *mtx->lock;

        if (pid && ngx_http_longpoll_lock_dead(pid)) {
            (void) ngx_shmtx_force_unlock(mtx, pid);

        } else {
            ngx_msleep(1);
        }
    }
}


static ngx_uint_t
ngx_http_longpoll_lock_spin(ngx_shmtx_t *mtx)
{
    ngx_uint_t  i, n;

    if (ngx_shmtx_trylock(mtx)) {
        return 1;
    }

    for (n = 1; ngx_ncpu > 1 && n < NGX_HTTP_LONGPOLL_LOCK_SPIN; n <<= 1) {

        for (i = 0; i < n; i++) {
            ngx_cpu_pause();
        }

        if (ngx_shmtx_trylock(mtx)) {
            return 1;
        }
    }

    return 0;
}


/* one that this master has not asked for yet is dead, and stays to be asked */

static ngx_uint_t
ngx_http_longpoll_lock_dead(ngx_pid_t pid)
{
    siginfo_t  info;

    if (kill(pid, 0) == -1) {
        return ngx_errno == NGX_ESRCH;
    }

    info.si_pid = 0;

    return waitid(P_PID, (id_t) pid, &info, WEXITED|WNOHANG|WNOWAIT) == 0
           && info.si_pid == pid;
}
