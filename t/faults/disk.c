
/*
 * t/faults/disk.c: a disk that a test can make slow, full or forgetful, for one
 * nginx.
 *
 * build/persist/disk.so is preloaded.  LONGPOLL_DISK names the directory whose
 * files are meant.  LONGPOLL_DISK_SET names a file that the test and nginx
 * share, of numbers of 8 bytes in the machine's byte order:
 *
 *     0   ms that each fsync of a file takes longer; one that is under way
 *         ends when this is lowered
 *     1   fsyncs so far; counted here
 *     2   1 + the bytes that may still be written; 0: no limit
 *     3   the errno with which each open for writing, write, fsync, rename and
 *         unlink fails; 0: none
 *     4   such calls so far; counted here
 *     5   the process that is killed (-9) when 6 comes to 0; 0: none
 *     6   counts down with each such call
 *     7   the errno with which rename alone fails; 0: none
 *
 * An fdatasync is an fsync here, and that of the directory is one that takes no
 * longer.
 *
 * LONGPOLL_DISK_SHADOW, if it is set, names a directory for what a power cut
 * would leave.  For each file that was fsynced it has a file INODE, with the
 * bytes of the last fsync.  `names` has the names and inodes of the directory,
 * when that was fsynced last.  A file that was never fsynced is not there: a
 * power cut leaves it empty.
 */


#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>


enum { DISK_DELAY, DISK_SYNCS, DISK_ROOM, DISK_ERROR, DISK_CALLS, DISK_VICTIM,
       DISK_WHEN, DISK_RENAME, DISK_WORDS };


static volatile int64_t  *disk_set;
static const char        *disk_dir;
static const char        *disk_shadow;


/* the system's own calls */

static int
disk_open(int at, const char *name, int flags, mode_t mode)
{
    return (int) syscall(SYS_openat, at, name, flags, mode);
}


static int
disk_rename(const char *from, const char *to)
{
    return (int) syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}


static __attribute__((constructor)) void
disk_begin(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("LONGPOLL_DISK_SET");
    if (name == NULL) {
        return;
    }

    /* nginx will write its process title over the environment */

    disk_dir = getenv("LONGPOLL_DISK");
    disk_dir = disk_dir ? strdup(disk_dir) : NULL;
    disk_shadow = getenv("LONGPOLL_DISK_SHADOW");
    disk_shadow = disk_shadow ? strdup(disk_shadow) : NULL;

    fd = disk_open(AT_FDCWD, name, O_RDWR|O_CLOEXEC, 0);
    if (fd == -1 || disk_dir == NULL) {
        abort();
    }

    p = mmap(NULL, DISK_WORDS * sizeof(int64_t), PROT_READ|PROT_WRITE,
             MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        abort();
    }

    (void) close(fd);

    disk_set = p;
}


/* whether name, of an open directory, is a file of the disk; its whole name */

static int
disk_ours(int at, const char *name, char *whole)
{
    char     link[64];
    ssize_t  n;

    if (disk_set == NULL) {
        return 0;
    }

    n = 0;

    if (name[0] != '/' && at != AT_FDCWD) {
        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", at);

        n = readlink(link, whole, PATH_MAX - 2);
        if (n < 0) {
            return 0;
        }

        whole[n++] = '/';
    }

    (void) snprintf(whole + n, PATH_MAX - n, "%s", name);

    return strncmp(whole, disk_dir, strlen(disk_dir)) == 0;
}


static int
disk_fd_ours(int fd)
{
    char     link[64], name[PATH_MAX];
    ssize_t  n;

    if (disk_set == NULL) {
        return 0;
    }

    (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

    n = readlink(link, name, sizeof(name) - 1);
    if (n < 0) {
        return 0;
    }

    name[n] = '\0';

    return strncmp(name, disk_dir, strlen(disk_dir)) == 0;
}


static void
disk_wait(int64_t ms)
{
    struct timespec  ts;

    ts.tv_sec = ms / 1000;
    ts.tv_nsec = ms % 1000 * 1000000;
    (void) nanosleep(&ts, NULL);
}


static int64_t
disk_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* in front of a call that changes something; -1: the call fails */

static int
disk_call(void)
{
    (void) __sync_fetch_and_add(&disk_set[DISK_CALLS], 1);

    if (disk_set[DISK_VICTIM]
        && __sync_sub_and_fetch(&disk_set[DISK_WHEN], 1) == 0)
    {
        (void) kill((pid_t) disk_set[DISK_VICTIM], SIGKILL);

        for ( ;; ) {
            (void) kill(getpid(), SIGKILL);
        }
    }

    if (disk_set[DISK_ERROR]) {
        errno = (int) disk_set[DISK_ERROR];
        return -1;
    }

    return 0;
}


/* the bytes of the file as they are now survive a power cut */

static void
disk_keep(int fd)
{
    int          from, to;
    char         part[PATH_MAX + 8], name[PATH_MAX], kept[PATH_MAX];
    char         buf[65536];
    ssize_t      n;
    struct stat  st;

    if (disk_shadow == NULL || fstat(fd, &st) == -1) {
        return;
    }

    (void) snprintf(kept, sizeof(kept), "%s/%lu", disk_shadow,
                    (unsigned long) st.st_ino);
    (void) snprintf(part, sizeof(part), "%s.part", kept);

    to = disk_open(AT_FDCWD, part, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666);
    if (to == -1) {
        abort();
    }

    /* the writer's own descriptor cannot be read */

    (void) snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);

    from = disk_open(AT_FDCWD, name, O_RDONLY|O_CLOEXEC, 0);
    if (from == -1) {
        abort();
    }

    while ((n = read(from, buf, sizeof(buf))) > 0) {

        if (syscall(SYS_write, to, buf, n) != n) {
            abort();
        }
    }

    (void) close(from);

    (void) close(to);

    if (disk_rename(part, kept) == -1) {
        abort();
    }
}


/* inodes whose names are gone may be used again */

static void
disk_forget(void)
{
    DIR            *dir;
    char           *end, name[PATH_MAX];
    struct dirent  *entry;

    dir = opendir(disk_shadow);
    if (dir == NULL) {
        abort();
    }

    while ((entry = readdir(dir)) != NULL) {
        end = strrchr(entry->d_name, '.');

        if (end && strcmp(end, ".was") == 0) {
            (void) snprintf(name, sizeof(name), "%s/%s", disk_shadow,
                            entry->d_name);
            (void) unlink(name);
        }
    }

    (void) closedir(dir);
}


/*
 * Until the directory is fsynced a power cut may bring a name back that is
 * about to go.  The link keeps its inode from being used again before that.
 */

static void
disk_keep_inode(const char *name)
{
    char         kept[PATH_MAX];
    struct stat  st;

    if (disk_shadow && lstat(name, &st) == 0) {
        (void) snprintf(kept, sizeof(kept), "%s/%lu.was", disk_shadow,
                        (unsigned long) st.st_ino);
        (void) link(name, kept);
    }
}


static void
disk_keep_names(void)
{
    DIR            *dir;
    FILE           *to;
    char            part[PATH_MAX + 8], name[PATH_MAX];
    struct dirent  *entry;

    if (disk_shadow == NULL) {
        return;
    }

    (void) snprintf(name, sizeof(name), "%s/names", disk_shadow);
    (void) snprintf(part, sizeof(part), "%s.part", name);

    dir = opendir(disk_dir);
    to = fopen(part, "we");

    if (dir == NULL || to == NULL) {
        abort();
    }

    for ( ;; ) {
        entry = readdir(dir);

        if (entry == NULL) {
            break;
        }

        if (entry->d_name[0] != '.') {
            (void) fprintf(to, "%lu %s\n", (unsigned long) entry->d_ino,
                           entry->d_name);
        }
    }

    (void) closedir(dir);

    disk_forget();

    if (fclose(to) != 0 || disk_rename(part, name) == -1) {
        abort();
    }
}


static int
disk_open_at(int at, const char *name, int flags, mode_t mode)
{
    int          fd;
    char         whole[PATH_MAX], old[PATH_MAX];
    struct stat  st;

    if ((flags & O_ACCMODE) == O_RDONLY || !disk_ours(at, name, whole)) {
        return disk_open(at, name, flags, mode);
    }

    if (disk_call() == -1) {
        return -1;
    }

    fd = disk_open(at, name, flags, mode);

    /* the inode of a file that was removed may be used again */

    if (fd != -1 && disk_shadow && (flags & O_CREAT) && fstat(fd, &st) == 0
        && st.st_size == 0)
    {
        (void) snprintf(old, sizeof(old), "%s/%lu", disk_shadow,
                        (unsigned long) st.st_ino);
        (void) unlink(old);
    }

    return fd;
}


int
open(const char *name, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return disk_open_at(AT_FDCWD, name, flags, mode);
}


int
openat(int at, const char *name, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return disk_open_at(at, name, flags, mode);
}


ssize_t
write(int fd, const void *p, size_t len)
{
    int64_t  room;

    if (!disk_fd_ours(fd)) {
        return syscall(SYS_write, fd, p, len);
    }

    if (disk_call() == -1) {
        return -1;
    }

    room = disk_set[DISK_ROOM];

    if (room == 1) {
        errno = ENOSPC;
        return -1;
    }

    if (room) {
        len = len < (size_t) room ? len : (size_t) room - 1;
        disk_set[DISK_ROOM] = room - (int64_t) len;
    }

    return syscall(SYS_write, fd, p, len);
}


int
fsync(int fd)
{
    int64_t      begin, left;
    struct stat  st;

    if (!disk_fd_ours(fd)) {
        return (int) syscall(SYS_fsync, fd);
    }

    if (disk_call() == -1) {
        return -1;
    }

    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        disk_keep_names();
        return (int) syscall(SYS_fsync, fd);
    }

    begin = disk_now();

    while ((left = begin + disk_set[DISK_DELAY] - disk_now()) > 0) {
        disk_wait(left < 10 ? left : 10);
    }

    disk_keep(fd);
    (void) __sync_fetch_and_add(&disk_set[DISK_SYNCS], 1);

    return (int) syscall(SYS_fsync, fd);
}


int
fdatasync(int fd)
{
    return fsync(fd);
}


int
renameat(int from_at, const char *from, int to_at, const char *to)
{
    char  whole[PATH_MAX];

    if (disk_ours(to_at, to, whole)) {

        if (disk_call() == -1) {
            return -1;
        }

        if (disk_set[DISK_RENAME]) {
            errno = (int) disk_set[DISK_RENAME];
            return -1;
        }

        disk_keep_inode(whole);
    }

    return (int) syscall(SYS_renameat2, from_at, from, to_at, to, 0);
}


int
unlinkat(int at, const char *name, int flags)
{
    char  whole[PATH_MAX];

    if (disk_ours(at, name, whole)) {

        if (disk_call() == -1) {
            return -1;
        }

        disk_keep_inode(whole);
    }

    return (int) syscall(SYS_unlinkat, at, name, flags);
}


/* the same calls, as they are named with _FILE_OFFSET_BITS=64 */

int
open64(const char *name, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return disk_open_at(AT_FDCWD, name, flags, mode);
}


int
openat64(int at, const char *name, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return disk_open_at(at, name, flags, mode);
}
