
/*
 * disk_sim.c: the simulated disk of disk_sim.h.
 *
 *     names  "ev" ─▶ inode     as processes see them
 *     safe   "ev" ─▶ inode     as the directory was synced last
 *     late   what names has and safe has not: in its order
 *
 * An inode has data and safe in the same way.  lost is the range of data that a
 * failed fsync should have written: it is in memory, and not on disk, and no
 * later fsync writes it.
 */


#include "disk_sim.h"

#include <sys/file.h>
#include <dirent.h>


#define SIM_FDS    256
#define SIM_DIRS   256      /* in a world; none of them is used twice */
#define SIM_FIRST  1000     /* smaller descriptors are the program's own */
#define SIM_BLOCK  64       /* a hole is a block of zeros */
#define SIM_LATE   8192


typedef struct {
    u_char                   *data;
    size_t                    len;
    size_t                    size;
} sim_bytes_t;


typedef struct {
    ngx_uint_t                used;
    uint64_t                  node;
    sim_bytes_t               data;
    sim_bytes_t               safe;
    size_t                    lost;
    size_t                    lost_end;
} sim_inode_t;


typedef struct {
    char                      name[SIM_NAME];
    ngx_uint_t                inode;
} sim_link_t;


typedef struct {
    sim_link_t                links[SIM_FILES];
    ngx_uint_t                n;
} sim_names_t;


typedef enum {
    SIM_LINK = 0,
    SIM_UNLINK,
    SIM_RENAME
} sim_late_e;


typedef struct {
    sim_late_e                kind;
    char                      name[SIM_NAME];
    char                      to[SIM_NAME];
    ngx_uint_t                inode;
} sim_late_t;


typedef struct {
    ngx_uint_t                used;
    ngx_uint_t                directory;
    ngx_uint_t                nginx;        /* of a directory */
    ngx_uint_t                process;
    ngx_uint_t                inode;
    int                       flags;
    size_t                    pos;
} sim_fd_t;


/* how a call ends: it comes to its end, or its process is killed */

typedef enum {
    SIM_LIVES = 0,
    SIM_DIES_BEFORE,
    SIM_DIES_BEHIND
} sim_end_e;


ngx_uint_t            sim_process;
ngx_uint_t            sim_nginx;
uint64_t              sim_left = SIM_NEVER;
uint64_t              sim_failures;
uint64_t              sim_room = SIM_NEVER;
void                (*sim_between)(void);
uint64_t              sim_calls;

static sim_inode_t    sim_inodes[SIM_FILES];
static uint64_t       sim_node;
static sim_names_t    sim_names;
static sim_names_t    sim_safe;
static sim_late_t     sim_late[SIM_LATE];
static ngx_uint_t     sim_nlate;
static sim_fd_t       sim_fds[SIM_FDS + SIM_DIRS];
static ngx_uint_t     sim_ndirs;
static ngx_uint_t     sim_lock;         /* nginx + 1, 0: nobody's */


/*
 * bytes
 */


static void
sim_grow(sim_bytes_t *b, size_t len)
{
    if (len > b->size) {
        b->size = len * 2 + 256;
        b->data = realloc(b->data, b->size);
    }

    if (len > b->len) {
        ngx_memzero(b->data + b->len, len - b->len);
    }

    b->len = len;
}


static void
sim_copy(sim_bytes_t *to, sim_bytes_t *from)
{
    sim_grow(to, from->len);

    if (from->len) {
        memcpy(to->data, from->data, from->len);
    }
}


static void
sim_zero(sim_bytes_t *b, size_t from, size_t end)
{
    end = ngx_min(end, b->len);

    if (from < end) {
        ngx_memzero(b->data + from, end - from);
    }
}


/*
 * names
 */


static sim_link_t *
sim_find(sim_names_t *names, const char *name)
{
    ngx_uint_t  i;

    for (i = 0; i < names->n; i++) {
        if (strcmp(names->links[i].name, name) == 0) {
            return &names->links[i];
        }
    }

    return NULL;
}


static void
sim_add(sim_names_t *names, const char *name, ngx_uint_t inode)
{
    sim_link_t  *link;

    link = sim_find(names, name);

    if (link == NULL) {
        unit_must(names->n < SIM_FILES, "the directory is full");
        link = &names->links[names->n++];
        snprintf(link->name, SIM_NAME, "%s", name);
    }

    link->inode = inode;
}


static void
sim_drop(sim_names_t *names, const char *name)
{
    sim_link_t  *link;

    link = sim_find(names, name);

    if (link) {
        *link = names->links[--names->n];
    }
}


static void
sim_apply(sim_names_t *names, sim_late_t *late)
{
    switch (late->kind) {

    case SIM_LINK:
        sim_add(names, late->name, late->inode);
        break;

    case SIM_UNLINK:
        sim_drop(names, late->name);
        break;

    case SIM_RENAME:
        sim_drop(names, late->name);
        sim_add(names, late->to, late->inode);
        break;
    }
}


static void
sim_change(sim_late_e kind, const char *name, const char *to, ngx_uint_t inode)
{
    sim_late_t  *late;

    unit_must(sim_nlate < SIM_LATE, "the directory is never synced");

    late = &sim_late[sim_nlate++];
    late->kind = kind;
    late->inode = inode;
    snprintf(late->name, SIM_NAME, "%s", name);
    snprintf(late->to, SIM_NAME, "%s", to);

    sim_apply(&sim_names, late);
}


/*
 * inodes
 */


/* an inode without a name and a descriptor is free */

static void
sim_collect(void)
{
    ngx_uint_t  i;
    u_char      keep[SIM_FILES];

    ngx_memzero(keep, sizeof(keep));

    for (i = 0; i < sim_names.n; i++) {
        keep[sim_names.links[i].inode] = 1;
    }

    for (i = 0; i < sim_safe.n; i++) {
        keep[sim_safe.links[i].inode] = 1;
    }

    for (i = 0; i < sim_nlate; i++) {
        keep[sim_late[i].inode] = 1;
    }

    for (i = 0; i < SIM_FDS; i++) {
        if (sim_fds[i].used && !sim_fds[i].directory) {
            keep[sim_fds[i].inode] = 1;
        }
    }

    for (i = 0; i < SIM_FILES; i++) {
        sim_inodes[i].used = keep[i];
    }
}


static ngx_uint_t
sim_inode(void)
{
    ngx_uint_t    i;
    sim_inode_t  *inode;

    sim_collect();

    for (i = 0; i < SIM_FILES && sim_inodes[i].used; i++) { /* void */ }

    unit_must(i < SIM_FILES, "the disk has no inode left");

    inode = &sim_inodes[i];
    inode->used = 1;
    inode->node = ++sim_node;
    inode->data.len = 0;
    inode->safe.len = 0;
    inode->lost = 0;
    inode->lost_end = 0;

    return i;
}


static void
sim_sync(sim_inode_t *inode)
{
    sim_copy(&inode->safe, &inode->data);
    sim_zero(&inode->safe, inode->lost, inode->lost_end);
}


/* where data is no longer what was synced and more, it was made anew */

static void
sim_cut_power_of(sim_inode_t *inode)
{
    size_t       n, at, end;
    sim_bytes_t  *data, *safe;

    data = &inode->data;
    safe = &inode->safe;

    if (data->len < safe->len
        || (safe->len && memcmp(data->data, safe->data, safe->len) != 0))
    {
        if (data->len >= safe->len || unit_once(2)) {
            sim_copy(data, safe);

        } else {
            sim_grow(data, unit_below(data->len + 1));
        }

        n = data->len;

    } else {
        n = unit_once(3) ? safe->len
                         : unit_once(2) ? data->len
                            : safe->len + unit_below(data->len - safe->len + 1);

        for (at = safe->len, end = unit_once(3) ? n : 0; at < end;
             at = (at / SIM_BLOCK + 1) * SIM_BLOCK)
        {
            if (unit_once(2)) {
                sim_zero(data, at,
                         ngx_min((at / SIM_BLOCK + 1) * SIM_BLOCK, n));
            }
        }
    }

    sim_zero(data, inode->lost, inode->lost_end);
    sim_grow(data, n);

    inode->lost = 0;
    inode->lost_end = 0;
    sim_sync(inode);
}


/*
 * what the model does
 */


void
sim_clear(void)
{
    sim_names.n = 0;
    sim_safe.n = 0;
    sim_nlate = 0;
    sim_node = 100;
    sim_left = SIM_NEVER;
    sim_room = SIM_NEVER;
    sim_failures = 0;
    sim_between = NULL;
    sim_lock = 0;
    sim_ndirs = 0;

    ngx_memzero(sim_fds, sizeof(sim_fds));
    sim_collect();
}


static int
sim_fd_of(ngx_uint_t i, ngx_uint_t directory, ngx_uint_t inode, int flags)
{
    sim_fds[i].used = 1;
    sim_fds[i].directory = directory;
    sim_fds[i].nginx = sim_nginx;
    sim_fds[i].process = sim_process;
    sim_fds[i].inode = inode;
    sim_fds[i].flags = flags;
    sim_fds[i].pos = 0;

    return SIM_FIRST + i;
}


static int
sim_fd(ngx_uint_t directory, ngx_uint_t inode, int flags)
{
    ngx_uint_t  i;

    for (i = 0; i < SIM_FDS && sim_fds[i].used; i++) { /* void */ }

    unit_must(i < SIM_FDS, "descriptors are never closed");

    return sim_fd_of(i, directory, inode, flags);
}


int
sim_directory(ngx_uint_t nginx)
{
    int  fd;

    unit_must(sim_ndirs < SIM_DIRS, "too many nginxes");

    fd = sim_fd_of(SIM_FDS + sim_ndirs++, 1, 0, 0);
    sim_fds[fd - SIM_FIRST].nginx = nginx;
    sim_fds[fd - SIM_FIRST].process = (ngx_uint_t) -1;

    return fd;
}


void
sim_process_ends(ngx_uint_t process)
{
    ngx_uint_t  i;

    for (i = 0; i < SIM_FDS + SIM_DIRS; i++) {
        if (sim_fds[i].process == process) {
            sim_fds[i].used = 0;
        }
    }
}


void
sim_nginx_ends(ngx_uint_t nginx)
{
    ngx_uint_t  i;

    for (i = 0; i < SIM_FDS + SIM_DIRS; i++) {
        if (sim_fds[i].nginx == nginx) {
            sim_fds[i].used = 0;
        }
    }

    if (sim_lock == nginx + 1) {
        sim_lock = 0;
    }
}


ngx_uint_t
sim_locked(ngx_uint_t nginx)
{
    return sim_lock == nginx + 1;
}


void
sim_forget_pages(void)
{
    ngx_uint_t    i;
    sim_inode_t  *inode;

    for (i = 0; i < SIM_FILES; i++) {
        inode = &sim_inodes[i];
        sim_zero(&inode->data, inode->lost, inode->lost_end);
        inode->lost = 0;
        inode->lost_end = 0;
    }
}


/* of the names that are late none, the first few, some, or all are there */

void
sim_power_cut(void)
{
    uint64_t    share, mode;
    ngx_uint_t  i;

    ngx_memzero(sim_fds, sizeof(sim_fds));
    sim_lock = 0;

    mode = unit_below(4);
    share = unit_below(101);

    for (i = 0; i < sim_nlate && mode; i++) {
        if (mode == 1 && unit_once(5)) {
            break;
        }

        if (mode != 2 || unit_below(100) < share) {
            sim_apply(&sim_safe, &sim_late[i]);
        }
    }

    sim_nlate = 0;
    sim_names = sim_safe;
    sim_collect();

    for (i = 0; i < SIM_FILES; i++) {
        if (sim_inodes[i].used) {
            sim_cut_power_of(&sim_inodes[i]);
        }
    }
}


void
sim_put(const char *name, const u_char *p, size_t n)
{
    ngx_uint_t  i;

    i = sim_inode();
    sim_grow(&sim_inodes[i].data, n);
    memcpy(sim_inodes[i].data.data, p, n);
    sim_sync(&sim_inodes[i]);

    sim_add(&sim_names, name, i);
    sim_add(&sim_safe, name, i);
}


void
sim_remove(const char *name)
{
    sim_drop(&sim_names, name);
    sim_drop(&sim_safe, name);
}


void
sim_cut(const char *name, size_t n)
{
    sim_link_t   *link;
    sim_inode_t  *inode;

    link = sim_find(&sim_names, name);

    if (link && sim_inodes[link->inode].data.len > n) {
        inode = &sim_inodes[link->inode];
        sim_grow(&inode->data, n);
        sim_sync(inode);
    }
}


const u_char *
sim_content(const char *name, size_t *n)
{
    sim_link_t  *link;

    link = sim_find(&sim_names, name);

    if (link == NULL) {
        return NULL;
    }

    *n = sim_inodes[link->inode].data.len;

    return *n ? sim_inodes[link->inode].data.data : (const u_char *) "";
}


ngx_uint_t
sim_is_synced(const char *name)
{
    sim_link_t  *link, *safe;

    link = sim_find(&sim_names, name);
    safe = sim_find(&sim_safe, name);

    return link && safe && link->inode == safe->inode;
}


const char *
sim_name(ngx_uint_t i)
{
    return i < sim_names.n ? sim_names.links[i].name : NULL;
}


uint64_t
sim_bytes(void)
{
    uint64_t    n;
    ngx_uint_t  i;

    for (i = 0, n = 0; i < sim_names.n; i++) {
        n += sim_inodes[sim_names.links[i].inode].data.len;
    }

    return n;
}


/*
 * calls
 *
 * Their names are the linker's.  With large files glibc's headers call them
 * open64, fstat64 and so on.
 */


/* each call is a place for others to run, and to be killed */

static sim_end_e
sim_begin(void)
{
    uint64_t  left;

    unit_must(!unit_held, "a system call is made under the lock");

    sim_calls++;

    if (sim_between) {
        left = sim_left;
        sim_left = SIM_NEVER;

        sim_between();

        sim_left = left;
    }

    if (sim_left == SIM_NEVER || sim_left-- > 0) {
        return SIM_LIVES;
    }

    sim_left = SIM_NEVER;

    if (unit_once(2)) {
        return SIM_DIES_BEHIND;
    }

    unit_die();

    return SIM_DIES_BEFORE;
}


static int
sim_end(sim_end_e end, int rc, ngx_err_t err)
{
    if (end != SIM_LIVES) {
        unit_die();
    }

    if (rc == -1) {
        errno = err;
    }

    return rc;
}


static ngx_uint_t
sim_fails(void)
{
    return sim_failures && unit_below(100) < sim_failures;
}


static sim_fd_t *
sim_file(int fd)
{
    unit_must(fd >= SIM_FIRST && fd < SIM_FIRST + SIM_FDS + SIM_DIRS
              && sim_fds[fd - SIM_FIRST].used, "%d is no open file", fd);

    return &sim_fds[fd - SIM_FIRST];
}


static sim_inode_t *
sim_inode_of(int fd)
{
    sim_fd_t  *file;

    file = sim_file(fd);
    unit_must(!file->directory, "a directory is used as a file");

    return &sim_inodes[file->inode];
}


int
__wrap_openat64(int dir, const char *name, int flags, ...)
{
    sim_end_e    end;
    ngx_uint_t   i;
    sim_link_t  *link;

    unit_must(sim_file(dir)->directory, "a file is used as a directory");

    if (flags & O_DIRECTORY) {
        return sim_fd(1, 0, flags);
    }

    unit_must(strlen(name) < SIM_NAME, "a name is too long");

    end = sim_begin();

    if (sim_fails()) {
        return sim_end(end, -1, NGX_EMFILE);
    }

    link = sim_find(&sim_names, name);

    if (link == NULL) {
        if (!(flags & O_CREAT)) {
            return sim_end(end, -1, NGX_ENOENT);
        }

        if (sim_room == 0) {
            return sim_end(end, -1, NGX_ENOSPC);
        }

        i = sim_inode();
        sim_change(SIM_LINK, name, "", i);

    } else {
        i = link->inode;

        if ((flags & O_CREAT) && (flags & O_EXCL)) {
            return sim_end(end, -1, NGX_EEXIST);
        }

        if (flags & O_TRUNC) {
            sim_inodes[i].data.len = 0;
            sim_inodes[i].lost = 0;
            sim_inodes[i].lost_end = 0;
        }
    }

    return sim_end(end, sim_fd(0, i, flags), 0);
}


int
__wrap_close(int fd)
{
    extern int  __real_close(int fd);

    sim_end_e  end;

    if (fd < SIM_FIRST) {
        return __real_close(fd);
    }

    end = sim_begin();

    sim_file(fd)->used = 0;

    return sim_end(end, 0, 0);
}


ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
    size_t        k, at;
    sim_end_e     end;
    ngx_uint_t    full, failed;
    sim_inode_t  *inode;

    end = sim_begin();
    inode = sim_inode_of(fd);
    at = inode->data.len;
    k = n;

    unit_must(sim_file(fd)->flags & O_APPEND, "a file is written over");

    if (end != SIM_LIVES && unit_once(2)) {
        k = unit_below(n + 1);
    }

    failed = sim_fails();

    if (failed) {
        k = unit_below(k + 1);
    }

    full = k > sim_room;

    if (full) {
        k = sim_room;
    }

    if (sim_room != SIM_NEVER) {
        sim_room -= k;
    }

    sim_grow(&inode->data, at + k);

    if (k) {
        memcpy(inode->data.data + at, p, k);
    }

    if (k == 0 && n && (full || failed)) {
        return sim_end(end, -1, full ? NGX_ENOSPC : EIO);
    }

    return sim_end(end, (int) k, 0);
}


static int
sim_fsync_file(sim_inode_t *inode)
{
    if (!sim_fails()) {
        sim_sync(inode);
        return 0;
    }

    if (unit_once(2)) {
        if (inode->lost_end <= inode->lost) {
            inode->lost = ngx_min(inode->safe.len, inode->data.len);
        }

        inode->lost_end = inode->data.len;
    }

    return -1;
}


int
__wrap_fsync(int fd)
{
    int        rc;
    sim_end_e  end;

    end = sim_begin();

    if (!sim_file(fd)->directory) {
        rc = sim_fsync_file(sim_inode_of(fd));
        return sim_end(end, rc, EIO);
    }

    if (sim_fails()) {
        return sim_end(end, -1, EIO);
    }

    sim_safe = sim_names;
    sim_nlate = 0;

    return sim_end(end, 0, 0);
}


int
__wrap_fdatasync(int fd)
{
    return __wrap_fsync(fd);
}


int
__wrap_renameat(int dir, const char *from, int to_dir, const char *to)
{
    sim_end_e    end;
    sim_link_t  *link;

    end = sim_begin();

    (void) sim_file(dir);
    (void) sim_file(to_dir);

    link = sim_find(&sim_names, from);

    if (link == NULL) {
        return sim_end(end, -1, NGX_ENOENT);
    }

    if (sim_fails()) {
        return sim_end(end, -1, EIO);
    }

    sim_change(SIM_RENAME, from, to, link->inode);

    return sim_end(end, 0, 0);
}


int
__wrap_unlinkat(int dir, const char *name, int flags)
{
    sim_end_e    end;
    sim_link_t  *link;

    end = sim_begin();

    (void) sim_file(dir);

    link = sim_find(&sim_names, name);

    if (link == NULL) {
        return sim_end(end, -1, NGX_ENOENT);
    }

    if (sim_fails()) {
        return sim_end(end, -1, EIO);
    }

    sim_change(SIM_UNLINK, name, "", link->inode);

    return sim_end(end, 0, 0);
}


static void
sim_stat(ngx_uint_t i, struct stat *st)
{
    ngx_uint_t  k;

    ngx_memzero(st, sizeof(struct stat));

    for (k = 0; k < sim_names.n; k++) {
        st->st_nlink += sim_names.links[k].inode == i;
    }

    st->st_mode = S_IFREG | 0600;
    st->st_ino = sim_inodes[i].node;
    st->st_size = sim_inodes[i].data.len;
}


int
__wrap_fstatat64(int dir, const char *name, struct stat *st, int flags)
{
    sim_end_e    end;
    sim_link_t  *link;

    end = sim_begin();

    (void) sim_file(dir);

    link = sim_find(&sim_names, name);

    if (link == NULL) {
        return sim_end(end, -1, NGX_ENOENT);
    }

    sim_stat(link->inode, st);

    return sim_end(end, 0, 0);
}


int
__wrap_fstat64(int fd, struct stat *st)
{
    sim_fd_t  *file;

    file = sim_file(fd);

    if (file->directory) {
        ngx_memzero(st, sizeof(struct stat));
        st->st_mode = S_IFDIR | 0700;
        return 0;
    }

    sim_stat(file->inode, st);

    return 0;
}


ssize_t
__wrap_pread64(int fd, void *p, size_t n, off_t at)
{
    sim_bytes_t  *data;

    data = &sim_inode_of(fd)->data;

    if ((size_t) at >= data->len) {
        return 0;
    }

    n = ngx_min(n, data->len - at);
    memcpy(p, data->data + at, n);

    return n;
}


ssize_t
__wrap_read(int fd, void *p, size_t n)
{
    extern ssize_t  __real_read(int fd, void *p, size_t n);

    ssize_t    rc;
    sim_fd_t  *file;

    if (fd < SIM_FIRST) {
        return __real_read(fd, p, n);
    }

    file = sim_file(fd);
    rc = __wrap_pread64(fd, p, n, file->pos);

    if (rc > 0) {
        file->pos += rc;
    }

    return rc;
}


/* a file has no holes that its reader could know of */

off_t
__wrap_lseek64(int fd, off_t at, int whence)
{
    size_t     len;
    sim_fd_t  *file;

    file = sim_file(fd);
    len = sim_inode_of(fd)->data.len;

    switch (whence) {

    case SEEK_DATA:
    case SEEK_HOLE:
        if ((size_t) at >= len) {
            errno = ENXIO;
            return -1;
        }

        file->pos = whence == SEEK_DATA ? (size_t) at : len;
        break;

    case SEEK_END:
        file->pos = len + at;
        break;

    case SEEK_CUR:
        file->pos += at;
        break;

    default:
        file->pos = at;
    }

    return file->pos;
}


int
__wrap_flock(int fd, int how)
{
    sim_fd_t  *file;

    file = sim_file(fd);

    unit_must(file->directory, "a lock on a file");

    if (how & LOCK_UN) {
        if (sim_lock == file->nginx + 1) {
            sim_lock = 0;
        }

        return 0;
    }

    unit_must(how & LOCK_NB, "a process waits for a lock");

    if (sim_lock && sim_lock != file->nginx + 1) {
        errno = EWOULDBLOCK;
        return -1;
    }

    sim_lock = file->nginx + 1;

    return 0;
}


/*
 * A walk over the directory sees the names of its beginning.  The program has
 * one at a time.
 */

static sim_names_t    sim_walk;
static ngx_uint_t     sim_walked;
static int            sim_walk_fd;
static struct dirent  sim_dirent;


DIR *
__wrap_fdopendir(int fd)
{
    unit_must(sim_file(fd)->directory, "a walk over a file");

    sim_walk = sim_names;
    sim_walked = 0;
    sim_walk_fd = fd;

    return (DIR *) &sim_walk;
}


struct dirent *
__wrap_readdir64(DIR *dir)
{
    if (sim_walked == sim_walk.n) {
        return NULL;
    }

    if (sim_fails()) {
        errno = EIO;
        return NULL;
    }

    ngx_memzero(&sim_dirent, sizeof(sim_dirent));
    snprintf(sim_dirent.d_name, sizeof(sim_dirent.d_name), "%s",
             sim_walk.links[sim_walked++].name);
    sim_dirent.d_type = DT_REG;

    return &sim_dirent;
}


int
__wrap_closedir(DIR *dir)
{
    return __wrap_close(sim_walk_fd);
}
