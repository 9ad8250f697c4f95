
/*
 * ngx_http_longpoll_lock.c: nginx's mutex, taken away from dead processes.
 *
 * A process that is killed keeps its lock.  nginx's master unlocks it when it
 * learns of the death, but only in the zones of its configuration.  That is not
 * enough: in a reload the master learns of no death, and waits for the same
 * lock itself; a zone that another one has replaced is in no configuration any
 * more; and the master may be dead.  So a process that waits here checks now
 * and then whether the holder is alive.
 *
 * A waiting process spins, yields, then sleeps for a millisecond at a time.
 * It does not use the semaphore of ngx_shmtx_lock(), since a death posts none.
 * The lock is held for microseconds; nearly always the first attempt gets it.
 */


#include "ngx_http_longpoll_lock.h"

#include <sys/wait.h>


#define NGX_HTTP_LONGPOLL_LOCK_SPIN    2048     /* pauses; nginx's number */
#define NGX_HTTP_LONGPOLL_LOCK_YIELDS  16       /* rounds before it sleeps */


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

        /* if another process has taken the lock since, it keeps it */

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


/*
 * A dead child that this process has not reaped yet counts as dead, too;
 * WNOWAIT leaves it for nginx's master to reap.
 */

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
