
/*
 * log.c: any bytes as the files of a log.
 *
 * The first byte says whether the last file is there from the beginning, or
 * was written by another nginx since then, and is merged.  The rest are files,
 * each up to a byte 0xff: PATH, then segments 8, 9 and so on.  Files are real
 * ones, in a directory of memory if there is one.
 *
 * Must hold: the zone is valid; what was loaded can be written as a base, and
 * that is loaded as it is: all of it, and no line is skipped; or PATH is
 * refused.
 */


#include "fuzz.h"

#include "../unit/zone_check.h"

#include <ngx_http_longpoll_load.h>
#include <ngx_http_longpoll_segment.h>
#include <ngx_http_longpoll_zone.h>
#include <ngx_http_longpoll_zone_disk.h>

#include <fcntl.h>
#include <unistd.h>


#define LOG_SIZE   (256 * 1024)
#define LOG_FIRST  8                    /* number of a segment */
#define LOG_LAST   11


int LLVMFuzzerInitialize(int *argc, char ***argv);


static ngx_log_t                    log_log;
static ngx_cycle_t                  log_cycle;
volatile ngx_cycle_t               *ngx_cycle = &log_cycle;

static ngx_shmtx_t                  log_mutex;
static ngx_uint_t                   log_held;
static char                         log_dir[64];
static ngx_http_longpoll_zone_t     log_files;


void
ngx_http_longpoll_lock(ngx_shmtx_t *mtx)
{
    fuzz_must(!log_held, "a process takes the lock twice");
    log_held = 1;
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    log_held = 0;
}


static void
log_remove(void)
{
    uint64_t  i;

    /* from RESTORED on the numbers run over to PATH, and to the segments */

    for (i = 0; i <= LOG_LAST + 3; i++) {
        (void) ngx_http_longpoll_segment_remove(&log_files,
                                        NGX_HTTP_LONGPOLL_SEGMENT_RESTORED + i);
    }
}


static void
log_exit(void)
{
    log_remove();
    (void) rmdir(log_dir);
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static u_char  path[80];

    log_cycle.log = &log_log;

    strcpy(log_dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/fuzz-log-XXXXXX"
                                                  : "/tmp/fuzz-log-XXXXXX");

    fuzz_must(mkdtemp(log_dir) != NULL, "no directory");

    log_files.persist.data = path;
    log_files.persist.len = sprintf((char *) path, "%s/ev", log_dir);
    log_files.dir = open(log_dir, O_RDONLY|O_DIRECTORY);

    atexit(log_exit);

    return 0;
}


/* number 0 is PATH */

static void
log_write(uint64_t number, const u_char *p, size_t len)
{
    int  fd;

    fd = ngx_http_longpoll_segment_open(&log_files, number,
                                        O_APPEND|O_CREAT|O_TRUNC);

    fuzz_must(fd != -1
              && ngx_http_longpoll_segment_write(fd, p, len) == NGX_OK,
              "a file cannot be written");
    close(fd);
}


/* returns the zone's memory */

static u_char *
log_make(ngx_http_longpoll_zone_t *z)
{
    u_char  *mem;

    static u_char  random[24] = "what nobody can guess..";

    ngx_memzero(z, sizeof(ngx_http_longpoll_zone_t));

    z->size = LOG_SIZE;
    z->mutex = &log_mutex;
    z->conf.buffer = 1000000;
    z->persist = log_files.persist;
    random[0]++;

    mem = calloc(1, LOG_SIZE);

    fuzz_must(ngx_http_longpoll_zone_init(z, mem, LOG_SIZE, 0, random,
                                          ngx_http_longpoll_now())
              == NGX_OK, "no zone");

    z->dir = log_files.dir;

    return mem;
}


static void
log_valid(ngx_http_longpoll_zone_t *z)
{
    const char  *wrong;

    wrong = zone_check(z);
    fuzz_must(wrong == NULL, wrong);
}


/* what the zone has, as the only file of the log */

static void
log_base(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_lines_t  lines;

    ngx_memzero(&lines, sizeof(lines));

    fuzz_must(ngx_http_longpoll_zone_disk_lines(&lines, 8 * LOG_SIZE)
              == NGX_OK,
              "there is no memory");

    ngx_http_longpoll_zone_disk_base_begin(z);
    ngx_http_longpoll_zone_disk_head(z, &lines, NGX_HTTP_LONGPOLL_CONTROL_BASE,
                                     NGX_HTTP_LONGPOLL_SAYS_YES);

    fuzz_must(ngx_http_longpoll_zone_disk_take(z,
                                               NGX_HTTP_LONGPOLL_CURSOR_BASE,
                                               &lines)
              == NGX_OK
              && ngx_http_longpoll_zone_disk_losses(z, &lines) == NGX_OK,
              "a base cannot be taken");

    log_remove();
    log_write(0, lines.data, lines.len);

    free(lines.data);
}


static void
log_again(ngx_http_longpoll_zone_t *z)
{
    u_char                    *mem;
    ngx_http_longpoll_zone_t   other;

    log_base(z);

    mem = log_make(&other);

    fuzz_must(ngx_http_longpoll_load(&other, 0, NULL, &log_log) == NGX_OK,
              "a base is refused");
    log_valid(&other);

    fuzz_must(other.sh->list.count == z->sh->list.count,
              "a base has other events");
    fuzz_must(!other.sh->disk.lost && !other.sh->disk.stale
              && !other.sh->disk.skipped, "a base has lines that are not ours");

    free(mem);
}


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    u_char                    *mem;
    uint64_t                   number, wake;
    const u_char              *p, *end, *last;
    ngx_uint_t                 later;
    ngx_http_longpoll_zone_t   z;

    if (size == 0) {
        return 0;
    }

    last = data + size;
    later = data[0] & 1;
    number = 0;
    p = data + 1;

    log_remove();

    for ( ;; ) {
        end = memchr(p, 0xff, last - p);

        if (end == NULL || number == LOG_LAST) {
            break;
        }

        log_write(number, p, end - p);

        p = end + 1;
        number = number ? number + 1 : LOG_FIRST;
    }

    if (!later) {
        log_write(number, p, last - p);
    }

    mem = log_make(&z);

    if (ngx_http_longpoll_load(&z, later, NULL, &log_log) == NGX_OK) {
        log_valid(&z);

        if (later) {
            log_write(number, p, last - p);
            wake = 0;

            fuzz_must(ngx_http_longpoll_load(&z, 0, &wake, &log_log)
                      == NGX_OK, "a merge fails");
            log_valid(&z);
        }

        fuzz_must(ngx_http_longpoll_load_skipped_save(&z, LOG_LAST, &log_log)
                  == NGX_OK, "what is skipped is not saved");

        log_again(&z);
    }

    free(mem);

    return 0;
}
