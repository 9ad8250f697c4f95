
/*
 * ngx_http_longpoll_segment.c: the files of a zone's log, in one directory.
 *
 * A name is made from the last component of the zone's path for each call, and
 * used with the directory's descriptor.  So a directory that is renamed while
 * nginx runs is still the same directory, and workers need no rights on the
 * directories above it.
 */


#include "ngx_http_longpoll_segment.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/mman.h>


#define NGX_HTTP_LONGPOLL_SEGMENT_NAME    (255 + 1)
#define NGX_HTTP_LONGPOLL_SEGMENT_DIGITS  8     /* of a number, at least */


/* what processes share of a log; lives as long as the master */

typedef struct ngx_http_longpoll_segment_shared_s
    ngx_http_longpoll_segment_shared_t;

struct ngx_http_longpoll_segment_shared_s {
    dev_t                                dev;   /* of the directory */
    ino_t                                node;
    char                                *name;
    int                                  dir;
    ngx_atomic_t                        *word;
    ngx_http_longpoll_segment_shared_t  *next;
};


static ngx_http_longpoll_segment_shared_t  *ngx_http_longpoll_segment_logs;

static char  *ngx_http_longpoll_segment_suffixes[] = {
    "", "", ".new", ".bad", ".restored"
};


static int ngx_http_longpoll_segment_open_dir(ngx_str_t *path,
    struct stat *st);
static ngx_str_t ngx_http_longpoll_segment_base(ngx_str_t *path);
static char *ngx_http_longpoll_segment_name(char *name,
    ngx_http_longpoll_segment_t *s, ngx_http_longpoll_segment_e file,
    uint64_t number);
static ngx_int_t ngx_http_longpoll_segment_number(const char *digits,
    uint64_t *number);
static int ngx_libc_cdecl ngx_http_longpoll_segment_compare(const void *one,
    const void *two);


ngx_int_t
ngx_http_longpoll_segment_share(ngx_str_t *path, int *dir, ngx_atomic_t **word)
{
    int                                  fd;
    char                                *name;
    struct stat                          st;
    ngx_http_longpoll_segment_shared_t  *log;

    fd = ngx_http_longpoll_segment_open_dir(path, &st);
    if (fd == -1) {
        return NGX_ERROR;
    }

    *dir = fd;
    name = (char *) ngx_http_longpoll_segment_base(path).data;

    for (log = ngx_http_longpoll_segment_logs; log; log = log->next) {

        if (log->dev != st.st_dev || log->node != st.st_ino) {
            continue;
        }

        if (*dir == fd) {
            *dir = log->dir;
            (void) close(fd);
        }

        if (strcmp(log->name, name) == 0) {
            *word = log->word;
            return NGX_OK;
        }
    }

    log = malloc(sizeof(ngx_http_longpoll_segment_shared_t) + strlen(name) + 1);

    *word = mmap(NULL, ngx_pagesize, PROT_READ|PROT_WRITE,
                 MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (log == NULL || *word == MAP_FAILED) {
        errno = ENOMEM;
        return NGX_ERROR;
    }

    log->dev = st.st_dev;
    log->node = st.st_ino;
    log->name = strcpy((char *) (log + 1), name);
    log->dir = *dir;
    log->word = (ngx_atomic_t *) *word;
    log->next = ngx_http_longpoll_segment_logs;

    ngx_http_longpoll_segment_logs = log;

    return NGX_OK;
}


static int
ngx_http_longpoll_segment_open_dir(ngx_str_t *path, struct stat *st)
{
    int     fd, err;
    char    name[NGX_MAX_PATH];
    size_t  len;

    len = path->len - ngx_http_longpoll_segment_base(path).len;

    if (len >= sizeof(name)) {
        errno = ENAMETOOLONG;
        return -1;
    }

    (void) ngx_cpystrn((u_char *) name, path->data, len + 1);

    fd = open(len ? name : ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd != -1 && fstat(fd, st) == -1) {
        err = errno;
        (void) close(fd);
        errno = err;
        return -1;
    }

    return fd;
}


ngx_int_t
ngx_http_longpoll_segment_lock(int dir)
{
    if (flock(dir, LOCK_EX|LOCK_NB) == 0) {
        return NGX_OK;
    }

    return errno == EWOULDBLOCK ? NGX_AGAIN : NGX_ERROR;
}


void
ngx_http_longpoll_segment_unlock(int dir)
{
    (void) flock(dir, LOCK_UN);
}


/* the last component of a path */

static ngx_str_t
ngx_http_longpoll_segment_base(ngx_str_t *path)
{
    ngx_str_t  base;

    base.len = 0;

    while (base.len < path->len
           && path->data[path->len - base.len - 1] != '/')
    {
        base.len++;
    }

    base.data = path->data + path->len - base.len;

    return base;
}


/* NULL with errno: the name is too long */

static char *
ngx_http_longpoll_segment_name(char *name, ngx_http_longpoll_segment_t *s,
    ngx_http_longpoll_segment_e file, uint64_t number)
{
    u_char     *p;
    ngx_str_t   base;

    base = ngx_http_longpoll_segment_base(s->path);

    if (base.len + NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX
        > NGX_HTTP_LONGPOLL_SEGMENT_NAME)
    {
        errno = ENAMETOOLONG;
        return NULL;
    }

    p = ngx_cpymem(name, base.data, base.len);

    ngx_http_longpoll_segment_suffix(p, file, number);

    return name;
}


void
ngx_http_longpoll_segment_suffix(u_char *p, ngx_http_longpoll_segment_e file,
    uint64_t number)
{
    if (file == NGX_HTTP_LONGPOLL_SEGMENT_NUMBER) {
        (void) ngx_sprintf(p, ".%08uL%Z", number);

    } else {
        (void) ngx_sprintf(p, "%s%Z", ngx_http_longpoll_segment_suffixes[file]);
    }
}


ngx_int_t
ngx_http_longpoll_segment_parse(ngx_str_t *path, const char *name,
    uint64_t *number)
{
    ngx_str_t   base;
    ngx_uint_t  i;

    *number = 0;
    base = ngx_http_longpoll_segment_base(path);

    if (strncmp(name, (char *) base.data, base.len) != 0) {
        return NGX_DECLINED;
    }

    name += base.len;

    if (name[0] == '.'
        && ngx_http_longpoll_segment_number(name + 1, number) == NGX_OK)
    {
        return NGX_OK;
    }

    for (i = 0; i <= NGX_HTTP_LONGPOLL_SEGMENT_RESTORED; i++) {

        if (strcmp(name, ngx_http_longpoll_segment_suffixes[i]) == 0) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* a number has one spelling: 8 digits, or more without a leading 0 */

static ngx_int_t
ngx_http_longpoll_segment_number(const char *digits, uint64_t *number)
{
    char         canonical[NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX];
    uint64_t     n;
    const char  *p;

    n = 0;

    for (p = digits; *p >= '0' && *p <= '9' && p - digits < 20; p++) {
        n = n * 10 + (*p - '0');
    }

    if (p - digits < NGX_HTTP_LONGPOLL_SEGMENT_DIGITS || *p != '\0') {
        return NGX_DECLINED;
    }

    (void) ngx_sprintf((u_char *) canonical, "%08uL%Z", n);

    if (n == 0 || strcmp(canonical, digits) != 0) {
        return NGX_DECLINED;
    }

    *number = n;

    return NGX_OK;
}


int
ngx_http_longpoll_segment_open(ngx_http_longpoll_segment_t *s,
    ngx_http_longpoll_segment_e file, uint64_t number, int flags)
{
    int          fd, err;
    char         name[NGX_HTTP_LONGPOLL_SEGMENT_NAME];
    struct stat  st;

    if (ngx_http_longpoll_segment_name(name, s, file, number) == NULL) {
        return -1;
    }

    flags |= flags ? O_WRONLY : O_RDONLY;

    fd = openat(s->dir, name, flags|O_CLOEXEC|O_NOFOLLOW|O_NONBLOCK, 0600);

    if (fd == -1) {
        return -1;
    }

    err = EINVAL;

    if (fstat(fd, &st) == -1) {
        err = errno;

    } else if (S_ISREG(st.st_mode)) {
        return fd;
    }

    (void) close(fd);
    errno = err;

    return -1;
}


ngx_int_t
ngx_http_longpoll_segment_stat(ngx_http_longpoll_segment_t *s,
    ngx_http_longpoll_segment_e file, uint64_t number, uint64_t *size,
    uint64_t *node)
{
    char         name[NGX_HTTP_LONGPOLL_SEGMENT_NAME];
    struct stat  st;

    if (ngx_http_longpoll_segment_name(name, s, file, number) == NULL) {
        return NGX_ERROR;
    }

    if (fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
        return errno == ENOENT ? NGX_DECLINED : NGX_ERROR;
    }

    *size = st.st_size;
    *node = st.st_ino;

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_segment_write(int fd, const u_char *p, size_t len)
{
    ssize_t  n;

    while (len) {
        n = write(fd, p, len);

        if (n == -1) {

            if (errno == EINTR) {
                continue;
            }

            return NGX_ERROR;
        }

        p += n;
        len -= n;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_segment_sync(int fd)
{
    return fdatasync(fd) == -1 ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_longpoll_segment_sync_dir(ngx_http_longpoll_segment_t *s)
{
    return fsync(s->dir) == -1 ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_longpoll_segment_rename(ngx_http_longpoll_segment_t *s)
{
    char  from[NGX_HTTP_LONGPOLL_SEGMENT_NAME];
    char  to[NGX_HTTP_LONGPOLL_SEGMENT_NAME];

    if (ngx_http_longpoll_segment_name(from, s, NGX_HTTP_LONGPOLL_SEGMENT_NEW,
                                       0)
        == NULL
        || ngx_http_longpoll_segment_name(to, s,
                                          NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0)
           == NULL)
    {
        return NGX_ERROR;
    }

    return renameat(s->dir, from, s->dir, to) == -1 ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_longpoll_segment_remove(ngx_http_longpoll_segment_t *s,
    ngx_http_longpoll_segment_e file, uint64_t number)
{
    char  name[NGX_HTTP_LONGPOLL_SEGMENT_NAME];

    if (ngx_http_longpoll_segment_name(name, s, file, number) == NULL
        || (unlinkat(s->dir, name, 0) == -1 && errno != ENOENT))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_segment_list(ngx_http_longpoll_segment_t *s,
    uint64_t **numbers, ngx_uint_t *n)
{
    int             fd, err;
    DIR            *dir;
    uint64_t        number, *all, *more;
    ngx_uint_t      max;
    struct dirent  *entry;

    *numbers = NULL;
    *n = 0;

    /* a descriptor of its own: that of the directory has one place for all */

    fd = openat(s->dir, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    if (fd == -1) {
        return NGX_ERROR;
    }

    dir = fdopendir(fd);

    if (dir == NULL) {
        err = errno;
        (void) close(fd);
        errno = err;
        return NGX_ERROR;
    }

    all = NULL;
    max = 0;

    for ( ;; ) {
        errno = 0;
        entry = readdir(dir);

        if (entry == NULL) {
            break;
        }

        if (ngx_http_longpoll_segment_parse(s->path, entry->d_name, &number)
            != NGX_OK
            || number == 0)
        {
            continue;
        }

        if (*n == max) {
            max = max ? 2 * max : 64;
            more = realloc(all, max * sizeof(uint64_t));

            if (more == NULL) {
                errno = ENOMEM;
                break;
            }

            all = more;
        }

        all[(*n)++] = number;
    }

    err = errno;
    (void) closedir(dir);

    if (err) {
        free(all);
        *n = 0;
        errno = err;
        return NGX_ERROR;
    }

    if (*n) {
        qsort(all, *n, sizeof(uint64_t), ngx_http_longpoll_segment_compare);
    }

    *numbers = all;

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_longpoll_segment_compare(const void *one, const void *two)
{
    const uint64_t  *first = one, *second = two;

    return *first < *second ? -1 : *first > *second;
}
