
/*
 * ngx_http_longpoll_segment.c: the files of a zone's log, in one directory.
 *
 * A name is made from the last component of the zone's path for each call, and
 * used with the directory's descriptor.  So a directory that is renamed while
 * nginx runs is still the same directory, and workers need no rights on the
 * directories above it.
 */


#include "ngx_http_longpoll_segment.h"
#include "ngx_http_longpoll_control.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/mman.h>


/* what processes share of a log; lives as long as the master */

typedef struct ngx_http_longpoll_segment_shared_s
    ngx_http_longpoll_segment_shared_t;

struct ngx_http_longpoll_segment_shared_s {
    ngx_atomic_t                         word;
    dev_t                                dev;   /* of the directory */
    ino_t                                node;
    int                                  dir;
    char                                 name[NGX_MAX_PATH];
    ngx_http_longpoll_segment_shared_t  *next;
};


static ngx_http_longpoll_segment_shared_t  *ngx_http_longpoll_segment_logs;


static char *ngx_http_longpoll_segment_name(char *name,
    ngx_http_longpoll_zone_t *z, uint64_t file);


/* the last component of a path, which is a full one and ends with 0 */
#define ngx_http_longpoll_segment_base(path)                                  \
    (strrchr((char *) (path)->data, '/') + 1)


ngx_int_t
ngx_http_longpoll_segment_share(ngx_http_longpoll_zone_t *z)
{
    int                                  fd;
    char                                *base, dir[NGX_MAX_PATH];
    struct stat                          st;
    ngx_http_longpoll_segment_shared_t  *log;

    base = ngx_http_longpoll_segment_base(&z->persist);

    (void) ngx_cpystrn((u_char *) dir, z->persist.data,
                       (u_char *) base - z->persist.data + 1);

    fd = open(dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1 || fstat(fd, &st) == -1) {
        return NGX_ERROR;
    }

    z->dir = fd;

    for (log = ngx_http_longpoll_segment_logs; log; log = log->next) {

        if (log->dev != st.st_dev || log->node != st.st_ino) {
            continue;
        }

        if (z->dir == fd) {
            z->dir = log->dir;
            (void) close(fd);
        }

        if (strcmp(log->name, base) == 0) {
            z->elected = &log->word;
            return NGX_OK;
        }
    }

    log = mmap(NULL, sizeof(ngx_http_longpoll_segment_shared_t),
               PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (log == MAP_FAILED) {
        return NGX_ERROR;
    }

    log->dev = st.st_dev;
    log->node = st.st_ino;
    log->dir = z->dir;
    (void) strcpy(log->name, base);

    log->next = ngx_http_longpoll_segment_logs;
    ngx_http_longpoll_segment_logs = log;

    z->elected = &log->word;

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_segment_lock(ngx_http_longpoll_zone_t *z)
{
    if (flock(z->dir, LOCK_EX|LOCK_NB) == 0) {
        return NGX_OK;
    }

    return errno == EWOULDBLOCK ? NGX_AGAIN : NGX_ERROR;
}


void
ngx_http_longpoll_segment_unlock(ngx_http_longpoll_zone_t *z)
{
    (void) flock(z->dir, LOCK_UN);
}


/* the configuration refuses a path that is too long */

static char *
ngx_http_longpoll_segment_name(char *name, ngx_http_longpoll_zone_t *z,
    uint64_t file)
{
    char  *base;

    base = ngx_http_longpoll_segment_base(&z->persist);

    ngx_http_longpoll_segment_suffix(ngx_cpystrn((u_char *) name,
                                                 (u_char *) base,
                                                 NGX_MAX_PATH),
                                     file);
    return name;
}


void
ngx_http_longpoll_segment_suffix(u_char *p, uint64_t file)
{
    static const char  *suffixes[] = { ".restored", ".bad", ".new" };

    if (file >= NGX_HTTP_LONGPOLL_SEGMENT_RESTORED) {
        (void) strcpy((char *) p,
                      suffixes[file - NGX_HTTP_LONGPOLL_SEGMENT_RESTORED]);

    } else if (file != NGX_HTTP_LONGPOLL_SEGMENT_PATH) {
        (void) ngx_sprintf(p, ".%08uL%Z", file);

    } else {
        *p = '\0';
    }
}


/* a number has one spelling: 8 digits, or up to 18 without a leading 0 */

ngx_int_t
ngx_http_longpoll_segment_parse(ngx_str_t *path, const char *name,
    uint64_t *file)
{
    char        *base, suffix[NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX];
    ngx_uint_t   i;

    base = ngx_http_longpoll_segment_base(path);

    if (strncmp(name, base, strlen(base)) != 0) {
        return NGX_DECLINED;
    }

    name += strlen(base);

    /* RESTORED, BAD, NEW, PATH */

    for (i = 0; i < 4; i++) {
        *file = NGX_HTTP_LONGPOLL_SEGMENT_RESTORED + i;

        ngx_http_longpoll_segment_suffix((u_char *) suffix, *file);

        if (strcmp(name, suffix) == 0) {
            return NGX_OK;
        }
    }

    *file = strtoull(name + (*name == '.'), NULL, 10);

    ngx_http_longpoll_segment_suffix((u_char *) suffix, *file);

    return *file <= NGX_HTTP_LONGPOLL_CONTROL_LAST && strcmp(name, suffix) == 0
           ? NGX_OK : NGX_DECLINED;
}


int
ngx_http_longpoll_segment_open(ngx_http_longpoll_zone_t *z, uint64_t file,
    int flags)
{
    int          fd;
    char         name[NGX_MAX_PATH];
    struct stat  st;

    flags |= flags ? O_WRONLY : O_RDONLY;

    fd = openat(z->dir, ngx_http_longpoll_segment_name(name, z, file),
                flags|O_CLOEXEC|O_NOFOLLOW|O_NONBLOCK, 0600);

    if (fd == -1 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))) {
        return fd;
    }

    (void) close(fd);
    errno = EINVAL;

    return -1;
}


ngx_int_t
ngx_http_longpoll_segment_stat(ngx_http_longpoll_zone_t *z, uint64_t file,
    struct stat *st)
{
    char  name[NGX_MAX_PATH];

    if (fstatat(z->dir, ngx_http_longpoll_segment_name(name, z, file), st,
                AT_SYMLINK_NOFOLLOW)
        == 0)
    {
        return NGX_OK;
    }

    ngx_memzero(st, sizeof(struct stat));

    return errno == ENOENT ? NGX_DECLINED : NGX_ERROR;
}


ngx_int_t
ngx_http_longpoll_segment_write(int fd, const u_char *p, size_t len)
{
    ssize_t  n;

    while (len) {
        n = write(fd, p, len);

        if (n != -1) {
            p += n;
            len -= n;

        } else if (errno != EINTR) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_segment_rename(ngx_http_longpoll_zone_t *z)
{
    char  from[NGX_MAX_PATH], to[NGX_MAX_PATH];

    ngx_http_longpoll_segment_name(from, z, NGX_HTTP_LONGPOLL_SEGMENT_NEW);
    ngx_http_longpoll_segment_name(to, z, NGX_HTTP_LONGPOLL_SEGMENT_PATH);

    return renameat(z->dir, from, z->dir, to) == 0 ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_longpoll_segment_remove(ngx_http_longpoll_zone_t *z, uint64_t file)
{
    char  name[NGX_MAX_PATH];

    ngx_http_longpoll_segment_name(name, z, file);

    return unlinkat(z->dir, name, 0) == 0 || errno == ENOENT ? NGX_OK
                                                             : NGX_ERROR;
}


ngx_int_t
ngx_http_longpoll_segment_list(ngx_http_longpoll_zone_t *z, uint64_t **numbers,
    ngx_uint_t *n)
{
    int             fd, err;
    DIR            *dir;
    uint64_t        file, *more;
    ngx_uint_t      i;
    struct dirent  *entry;

    *numbers = NULL;
    *n = 0;

    /* a descriptor of its own: that of the directory has one place for all */

    fd = openat(z->dir, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        return NGX_ERROR;
    }

    dir = fdopendir(fd);

    if (dir == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {

        if (ngx_http_longpoll_segment_parse(&z->persist, entry->d_name, &file)
            != NGX_OK
            || file == NGX_HTTP_LONGPOLL_SEGMENT_PATH
            || file > NGX_HTTP_LONGPOLL_CONTROL_LAST)
        {
            continue;
        }

        more = realloc(*numbers, (*n + 1) * sizeof(uint64_t));

        if (more == NULL) {
            break;
        }

        for (i = (*n)++; i && more[i - 1] > file; i--) {
            more[i] = more[i - 1];
        }

        more[i] = file;
        *numbers = more;
    }

    err = errno;
    (void) closedir(dir);

    if (err) {
        ngx_free(*numbers);
        *numbers = NULL;
        errno = err;
        return NGX_ERROR;
    }

    return NGX_OK;
}
