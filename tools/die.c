
/*
 * tools/die.c: a module whose workers can be told at which store to die.
 *
 * build/chaos/ngx_http_longpoll_module.so is the module with
 * NGX_HTTP_LONGPOLL_STEPS (see src/ngx_http_longpoll_journal.h) and this.  The
 * environment's LONGPOLL_DIE names a file of 8 bytes, a number in the machine's
 * own order.  Every store into a zone takes one off it; who takes the last one
 * off is killed in front of that store, most often with the lock in its hand.
 * 0 is off.  The process that loaded the module, nginx's master, is spared.
 */


#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>


void ngx_http_longpoll_step(void);
unsigned long ngx_http_longpoll_journaled(const char *file,
    unsigned long line);


static uint64_t  *die_left;
static pid_t      die_master;


static __attribute__((constructor)) void
die_begin(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("LONGPOLL_DIE");
    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDWR|O_CLOEXEC);
    if (fd == -1) {
        abort();
    }

    p = mmap(NULL, sizeof(uint64_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        abort();
    }

    (void) close(fd);

    die_left = p;
    die_master = getpid();
}


void
ngx_http_longpoll_step(void)
{
    uint64_t  n;

    if (die_left == NULL) {
        return;
    }

    do {
        n = __atomic_load_n(die_left, __ATOMIC_RELAXED);

        if (n == 0 || getpid() == die_master) {
            return;
        }

    } while (!__sync_bool_compare_and_swap(die_left, n, n - 1));

    if (n == 1) {
        (void) kill(getpid(), SIGKILL);
    }
}


/* every set is journaled, as in the module itself */

unsigned long
ngx_http_longpoll_journaled(const char *file, unsigned long line)
{
    return 1;
}
