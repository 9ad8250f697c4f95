
/*
 * ngx_http_longpoll_file.c: the file of a zone, and the notes beside it.
 *
 * Only bytes that were synced count.  f->size says how many these are: it grows
 * with each append, and only a new file makes it smaller.  Bytes behind it come
 * from an append that did not finish, and are cut off before the next one.
 *
 * New files take the place of the old ones in this order.  A process may be
 * killed between any two steps:
 *
 *     losses into the old notes     they are true of either file
 *     fsync new, rename PATH        old notes may name lines that are not there
 *     lock, rename PATH.state       the writer holds the lock all the time
 *     fsync the directory
 */


#include "ngx_http_longpoll_file.h"

#include <sys/file.h>


#define NGX_HTTP_LONGPOLL_FILE_MAGIC  "longpoll state 1"


/* as it is on disk, in the machine's own byte order */

typedef struct {
    u_char                           magic[16];
    uint64_t                         word[9];
    uint64_t                         crc;
} ngx_http_longpoll_file_disk_t;

typedef struct {
    uint32_t                         kind;
    uint32_t                         crc;
    uint64_t                         word[4];
} ngx_http_longpoll_file_disk_note_t;


static ngx_int_t ngx_http_longpoll_file_failed(ngx_http_longpoll_file_t *f,
    const char *failed, const char *name);
static ngx_int_t ngx_http_longpoll_file_lock(ngx_http_longpoll_file_t *f);
static ngx_int_t ngx_http_longpoll_file_same(const char *name, int fd);
static ngx_int_t ngx_http_longpoll_file_write(ngx_http_longpoll_file_t *f,
    int fd, const char *name, const void *p, size_t len, uint64_t *size);
static ngx_int_t ngx_http_longpoll_file_write_notes(
    ngx_http_longpoll_file_t *f, int fd, const char *name,
    ngx_http_longpoll_note_t *notes, ngx_uint_t n, ngx_uint_t kinds,
    uint64_t *size);
static ngx_int_t ngx_http_longpoll_file_write_head(
    ngx_http_longpoll_file_t *f, int fd, const char *name);
static ngx_int_t ngx_http_longpoll_file_sync(ngx_http_longpoll_file_t *f,
    int fd, const char *name);
static ngx_int_t ngx_http_longpoll_file_sync_dir(ngx_http_longpoll_file_t *f);
static void ngx_http_longpoll_file_shut(int *fd);


#define ngx_http_longpoll_file_kind(kind)  ((ngx_uint_t) 1 << (kind))
#define NGX_HTTP_LONGPOLL_FILE_ALL         ((ngx_uint_t) -1)
#define NGX_HTTP_LONGPOLL_FILE_DELETIONS                                      \
    ngx_http_longpoll_file_kind(NGX_HTTP_LONGPOLL_NOTE_DELETION)


const char  *ngx_http_longpoll_file_suffixes[] = {
    "", ".state", ".new", ".state.new"
};


ngx_int_t
ngx_http_longpoll_file_init(ngx_http_longpoll_file_t *f, ngx_str_t *path,
    ngx_pool_t *pool)
{
    u_char      *p;
    ngx_uint_t   i;

    char  **names[] = { &f->path, &f->state, &f->path_new, &f->state_new };

    ngx_memzero(f, sizeof(ngx_http_longpoll_file_t));

    for (i = 0; i < NGX_HTTP_LONGPOLL_FILE_SUFFIXES; i++) {
        p = ngx_pnalloc(pool, path->len + sizeof(".state.new"));
        if (p == NULL) {
            return NGX_ERROR;
        }

        *names[i] = (char *) p;
        (void) ngx_sprintf(p, "%V%s%Z", path,
                           ngx_http_longpoll_file_suffixes[i]);
    }

    f->fd = -1;
    f->state_fd = -1;
    f->new_fd = -1;
    f->new_state_fd = -1;

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_file_read_head(u_char *p, size_t len,
    ngx_http_longpoll_file_head_t *head)
{
    ngx_http_longpoll_file_disk_t  disk;

    if (len < NGX_HTTP_LONGPOLL_FILE_HEAD) {
        return NGX_DECLINED;
    }

    ngx_memcpy(&disk, p, sizeof(disk));

    if (ngx_memcmp(disk.magic, NGX_HTTP_LONGPOLL_FILE_MAGIC,
                   sizeof(disk.magic))
        != 0
        || disk.crc != ngx_crc32_long((u_char *) disk.word, sizeof(disk.word))
        || disk.word[0] == 0)
    {
        return NGX_DECLINED;
    }

    head->epoch = disk.word[0];
    head->valid_from = disk.word[1];
    head->last_id = disk.word[2];
    head->key[0] = disk.word[3];
    head->key[1] = disk.word[4];
    head->durable = disk.word[5];
    head->clean = disk.word[6];

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_file_read_note(u_char *p, ngx_http_longpoll_note_t *note)
{
    ngx_http_longpoll_file_disk_note_t  disk;

    ngx_memcpy(&disk, p, sizeof(disk));

    if (disk.kind == 0
        || disk.crc != (uint32_t) ngx_crc32_long((u_char *) disk.word,
                                                 sizeof(disk.word)))
    {
        return NGX_DECLINED;
    }

    note->kind = disk.kind;
    ngx_memcpy(note->word, disk.word, sizeof(disk.word));

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_file_open(ngx_http_longpoll_file_t *f)
{
    u_char       buf[NGX_HTTP_LONGPOLL_FILE_HEAD];
    ssize_t      n;
    ngx_int_t    rc;
    struct stat  st;

    rc = ngx_http_longpoll_file_lock(f);
    if (rc != NGX_OK) {
        return rc;
    }

    f->fd = open(f->path, O_RDWR|O_CREAT|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (f->fd == -1 && (errno != EACCES || f->unread)) {
        rc = ngx_http_longpoll_file_failed(f, "open", f->path);
        goto failed;
    }

    /* EACCES: the master could read the file, which is another user's */

    f->size = 0;

    if (f->fd != -1) {

        if (fstat(f->fd, &st) == -1) {
            rc = ngx_http_longpoll_file_failed(f, "fstat", f->path);
            goto failed;
        }

        if (!S_ISREG(st.st_mode)) {
            errno = EINVAL;
            rc = ngx_http_longpoll_file_failed(f, "open", f->path);
            goto failed;
        }

        (void) fchmod(f->fd, 0600);

        f->node = st.st_ino;
        f->size = st.st_size;
    }

    if (fstat(f->state_fd, &st) == -1) {
        rc = ngx_http_longpoll_file_failed(f, "fstat", f->state);
        goto failed;
    }

    f->state_size = st.st_size;

    n = pread(f->state_fd, buf, sizeof(buf), 0);

    if (n == -1) {
        rc = ngx_http_longpoll_file_failed(f, "read", f->state);
        goto failed;
    }

    if (ngx_http_longpoll_file_read_head(buf, n, &f->head) != NGX_OK) {
        ngx_memzero(&f->head, sizeof(ngx_http_longpoll_file_head_t));
    }

    return NGX_OK;

failed:

    ngx_http_longpoll_file_close(f);

    return rc;
}


static ngx_int_t
ngx_http_longpoll_file_failed(ngx_http_longpoll_file_t *f, const char *failed,
    const char *name)
{
    f->err = errno;
    f->failed = failed;
    f->name = name;

    return NGX_ERROR;
}


/* another writer may replace the notes between open() and flock() */

static ngx_int_t
ngx_http_longpoll_file_lock(ngx_http_longpoll_file_t *f)
{
    ngx_uint_t  tries;

    for (tries = 0; tries < 10; tries++) {
        f->state_fd = open(f->state, O_RDWR|O_CREAT|O_CLOEXEC|O_NOFOLLOW, 0600);

        if (f->state_fd == -1) {
            return ngx_http_longpoll_file_failed(f, "open", f->state);
        }

        if (flock(f->state_fd, LOCK_EX|LOCK_NB) == -1) {

            if (errno == EWOULDBLOCK) {
                ngx_http_longpoll_file_shut(&f->state_fd);
                return NGX_AGAIN;
            }

            (void) ngx_http_longpoll_file_failed(f, "flock", f->state);
            ngx_http_longpoll_file_shut(&f->state_fd);
            return NGX_ERROR;
        }

        if (ngx_http_longpoll_file_same(f->state, f->state_fd) == NGX_OK) {
            return NGX_OK;
        }

        ngx_http_longpoll_file_shut(&f->state_fd);
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_longpoll_file_same(const char *name, int fd)
{
    struct stat  a, b;

    if (fstat(fd, &a) == -1 || lstat(name, &b) == -1
        || a.st_ino != b.st_ino || a.st_dev != b.st_dev)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_http_longpoll_file_close(ngx_http_longpoll_file_t *f)
{
    ngx_http_longpoll_file_compact_stop(f);
    ngx_http_longpoll_file_shut(&f->fd);
    ngx_http_longpoll_file_shut(&f->state_fd);
}


static void
ngx_http_longpoll_file_shut(int *fd)
{
    if (*fd != -1) {
        (void) close(*fd);
        *fd = -1;
    }
}


ngx_int_t
ngx_http_longpoll_file_head(ngx_http_longpoll_file_t *f)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_file_write_head(f, f->state_fd, f->state);

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_file_sync(f, f->state_fd, f->state);
    }

    /* the file may be new */

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_file_sync_dir(f);
    }

    return rc;
}


static ngx_int_t
ngx_http_longpoll_file_write_head(ngx_http_longpoll_file_t *f, int fd,
    const char *name)
{
    uint64_t                       at;
    ngx_http_longpoll_file_disk_t  disk;

    ngx_memzero(&disk, sizeof(disk));
    ngx_memcpy(disk.magic, NGX_HTTP_LONGPOLL_FILE_MAGIC, sizeof(disk.magic));

    disk.word[0] = f->head.epoch;
    disk.word[1] = f->head.valid_from;
    disk.word[2] = f->head.last_id;
    disk.word[3] = f->head.key[0];
    disk.word[4] = f->head.key[1];
    disk.word[5] = f->head.durable;
    disk.word[6] = f->head.clean;
    disk.crc = ngx_crc32_long((u_char *) disk.word, sizeof(disk.word));

    at = 0;

    return ngx_http_longpoll_file_write(f, fd, name, &disk, sizeof(disk), &at);
}


ngx_int_t
ngx_http_longpoll_file_read(ngx_http_longpoll_file_t *f, uint64_t *at,
    ngx_http_longpoll_save_t *save)
{
    ssize_t  n;
    u_char   buf[NGX_HTTP_LONGPOLL_FILE_NOTE];

    save->nnotes = 0;

    while (save->nnotes < save->max_notes) {
        n = pread(f->state_fd, buf, sizeof(buf), *at);

        if (n == -1) {
            return ngx_http_longpoll_file_failed(f, "pread", f->state);
        }

        if (n < (ssize_t) sizeof(buf)
            || ngx_http_longpoll_file_read_note(buf,
                                               &save->notes[save->nnotes])
               != NGX_OK)
        {
            return NGX_DONE;
        }

        save->nnotes++;
        *at += sizeof(buf);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_file_check(ngx_http_longpoll_file_t *f)
{
    struct stat  st;

    f->failed = NULL;
    f->name = f->path;
    f->err = 0;

    if (ngx_http_longpoll_file_same(f->path, f->fd) != NGX_OK) {
        f->failed = "was removed or replaced";
        return NGX_DECLINED;
    }

    if (fstat(f->fd, &st) == 0 && (uint64_t) st.st_size < f->size) {
        f->failed = "was truncated";
        return NGX_DECLINED;
    }

    if (ngx_http_longpoll_file_same(f->state, f->state_fd) != NGX_OK) {
        f->failed = "was removed or replaced";
        f->name = f->state;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_file_append(ngx_http_longpoll_file_t *f,
    ngx_http_longpoll_save_t *save)
{
    uint64_t   size, notes;
    ngx_int_t  rc;

    rc = ngx_http_longpoll_file_check(f);
    if (rc != NGX_OK) {
        return rc;
    }

    size = f->size;
    notes = f->state_size;

    if (save->len) {
        rc = ngx_http_longpoll_file_write(f, f->fd, f->path, save->lines,
                                          save->len, &size);
        if (rc == NGX_OK) {
            rc = ngx_http_longpoll_file_sync(f, f->fd, f->path);
        }
    }

    if (rc == NGX_OK && save->nnotes) {
        rc = ngx_http_longpoll_file_write_notes(f, f->state_fd, f->state,
                                                save->notes, save->nnotes,
                                                NGX_HTTP_LONGPOLL_FILE_ALL,
                                                &notes);
        if (rc == NGX_OK) {
            rc = ngx_http_longpoll_file_sync(f, f->state_fd, f->state);
        }

        if (rc == NGX_OK && f->new_state_fd != -1) {
            rc = ngx_http_longpoll_file_write_notes(f, f->new_state_fd,
                     f->state_new, save->notes, save->nnotes,
                     NGX_HTTP_LONGPOLL_FILE_DELETIONS, &f->new_state_size);
        }
    }

    if (rc != NGX_OK) {

        /* a part of a line must not be taken for an event */

        (void) !ftruncate(f->fd, f->size);
        return rc;
    }

    f->size = size;
    f->state_size = notes;

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_file_notes(ngx_http_longpoll_file_t *f,
    ngx_http_longpoll_save_t *save)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_file_write_notes(f, f->state_fd, f->state,
                                            save->notes, save->nnotes,
                                            NGX_HTTP_LONGPOLL_FILE_ALL,
                                            &f->state_size);
    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_file_sync(f, f->state_fd, f->state);
    }

    if (rc == NGX_OK && f->new_state_fd != -1) {
        rc = ngx_http_longpoll_file_write_notes(f, f->new_state_fd,
                                                f->state_new, save->notes,
                                                save->nnotes,
                                                NGX_HTTP_LONGPOLL_FILE_ALL,
                                                &f->new_state_size);
    }

    return rc;
}


static ngx_int_t
ngx_http_longpoll_file_write(ngx_http_longpoll_file_t *f, int fd,
    const char *name, const void *buf, size_t len, uint64_t *size)
{
    ssize_t       n;
    const u_char *p;

    p = buf;

    while (len) {
        n = pwrite(fd, p, len, *size);

        if (n == -1) {

            if (errno == EINTR) {
                continue;
            }

            return ngx_http_longpoll_file_failed(f, "write", name);
        }

        p += n;
        len -= n;
        *size += n;
    }

    return NGX_OK;
}


/* writes the notes whose kinds are in the set */

static ngx_int_t
ngx_http_longpoll_file_write_notes(ngx_http_longpoll_file_t *f, int fd,
    const char *name, ngx_http_longpoll_note_t *notes, ngx_uint_t n,
    ngx_uint_t kinds, uint64_t *size)
{
    uint64_t                             at;
    ngx_int_t                            rc;
    ngx_uint_t                           i, m;
    ngx_http_longpoll_file_disk_note_t  *disk, some[64];

    at = *size;
    m = 0;

    for (i = 0; i < n; i++) {

        if (kinds & ngx_http_longpoll_file_kind(notes[i].kind)) {
            disk = &some[m++];

            disk->kind = (uint32_t) notes[i].kind;
            ngx_memcpy(disk->word, notes[i].word, sizeof(disk->word));
            disk->crc = (uint32_t) ngx_crc32_long((u_char *) disk->word,
                                                  sizeof(disk->word));
        }

        if (m == 64 || (m && i + 1 == n)) {
            rc = ngx_http_longpoll_file_write(f, fd, name, some,
                                              m * sizeof(some[0]), &at);
            if (rc != NGX_OK) {
                return rc;
            }

            m = 0;
        }
    }

    *size = at;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_file_sync(ngx_http_longpoll_file_t *f, int fd,
    const char *name)
{
    if (fsync(fd) == -1) {
        return ngx_http_longpoll_file_failed(f, "fsync", name);
    }

    return NGX_OK;
}


/* syncs the directory, in which the entry of a new file may be missing */

static ngx_int_t
ngx_http_longpoll_file_sync_dir(ngx_http_longpoll_file_t *f)
{
    int    fd, rc;
    char  *slash, dir[NGX_MAX_PATH];

    slash = strrchr(f->path, '/');

    if (slash == NULL || (size_t) (slash - f->path) >= sizeof(dir)) {
        return NGX_OK;
    }

    (void) ngx_cpystrn((u_char *) dir, (u_char *) f->path,
                       ngx_max(slash - f->path, 1) + 1);

    fd = open(dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        return ngx_http_longpoll_file_failed(f, "open", f->path);
    }

    rc = fsync(fd);

    if (rc == -1) {
        (void) ngx_http_longpoll_file_failed(f, "fsync", f->path);
    }

    (void) close(fd);

    return rc == -1 ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_longpoll_file_compact(ngx_http_longpoll_file_t *f)
{
    ngx_http_longpoll_file_compact_stop(f);

    f->new_size = 0;
    f->new_state_size = NGX_HTTP_LONGPOLL_FILE_HEAD;

    /* left by a writer that was killed */

    (void) unlink(f->path_new);
    (void) unlink(f->state_new);

    f->new_fd = open(f->path_new,
                     O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (f->new_fd == -1) {
        return ngx_http_longpoll_file_failed(f, "open", f->path_new);
    }

    f->new_state_fd = open(f->state_new,
                           O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (f->new_state_fd == -1) {
        (void) ngx_http_longpoll_file_failed(f, "open", f->state_new);
        ngx_http_longpoll_file_compact_stop(f);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_longpoll_file_compact_stop(ngx_http_longpoll_file_t *f)
{
    if (f->new_fd != -1) {
        (void) unlink(f->path_new);
    }

    if (f->new_state_fd != -1) {
        (void) unlink(f->state_new);
    }

    ngx_http_longpoll_file_shut(&f->new_fd);
    ngx_http_longpoll_file_shut(&f->new_state_fd);
}


ngx_int_t
ngx_http_longpoll_file_compact_append(ngx_http_longpoll_file_t *f,
    ngx_http_longpoll_save_t *save)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_file_write(f, f->new_fd, f->path_new, save->lines,
                                      save->len, &f->new_size);
    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_file_write_notes(f, f->new_state_fd,
                                                f->state_new, save->notes,
                                                save->nnotes,
                                                NGX_HTTP_LONGPOLL_FILE_ALL,
                                                &f->new_state_size);
    }

    /* each piece is synced, so that the sync of the last one is short */

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_file_sync(f, f->new_fd, f->path_new);
    }

    return rc;
}


ngx_int_t
ngx_http_longpoll_file_compact_done(ngx_http_longpoll_file_t *f)
{
    struct stat  st;

    if (fstat(f->new_fd, &st) == -1) {
        return ngx_http_longpoll_file_failed(f, "fstat", f->path_new);
    }

    if (ngx_http_longpoll_file_write_head(f, f->new_state_fd, f->state_new)
        != NGX_OK
        || ngx_http_longpoll_file_sync(f, f->new_fd, f->path_new) != NGX_OK
        || ngx_http_longpoll_file_sync(f, f->new_state_fd, f->state_new)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (flock(f->new_state_fd, LOCK_EX|LOCK_NB) == -1) {
        return ngx_http_longpoll_file_failed(f, "flock", f->state_new);
    }

    if (rename(f->path_new, f->path) == -1) {
        return ngx_http_longpoll_file_failed(f, "rename", f->path_new);
    }

    /* from here on the new file counts, also if the next steps fail */

    ngx_http_longpoll_file_shut(&f->fd);
    f->fd = f->new_fd;
    f->node = st.st_ino;
    f->size = f->new_size;
    f->new_fd = -1;

    if (rename(f->state_new, f->state) == -1) {
        (void) ngx_http_longpoll_file_failed(f, "rename", f->state_new);
        ngx_http_longpoll_file_compact_stop(f);
        return NGX_DECLINED;
    }

    ngx_http_longpoll_file_shut(&f->state_fd);
    f->state_fd = f->new_state_fd;
    f->state_size = f->new_state_size;
    f->new_state_fd = -1;

    return ngx_http_longpoll_file_sync_dir(f) == NGX_OK ? NGX_OK
                                                        : NGX_DECLINED;
}
