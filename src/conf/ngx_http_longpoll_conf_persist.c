
/*
 * ngx_http_longpoll_conf_persist.c: the parameter "persist" of longpoll_zone.
 *
 *     parameter   a file's path, of no other zone of this configuration; what
 *                 is there is a regular file
 *     running     a reload: of no zone that runs now under another name
 *     check       all is read: the workers' user can write to the directory
 *
 * No file is created, as nginx -t must leave nothing behind.  The workers'
 * rights are those of a short-lived child that becomes their user.
 */


#include "ngx_http_longpoll_conf_persist.h"
#include "ngx_http_longpoll_reference.h"
#include "ngx_http_longpoll_segment.h"
#include "ngx_http_longpoll_store.h"

#if (NGX_THREADS)

#include <grp.h>
#include <sys/syscall.h>
#include <sys/wait.h>


#define NGX_HTTP_LONGPOLL_CONF_PERSIST_GROUPS  1024


static char *ngx_http_longpoll_conf_persist_files(ngx_conf_t *cf,
    ngx_str_t *path, ngx_str_t *value);
static char *ngx_http_longpoll_conf_persist_unique(ngx_conf_t *cf,
    ngx_str_t *path, ngx_str_t *value);
static ngx_int_t ngx_http_longpoll_conf_persist_same_files(ngx_pool_t *pool,
    ngx_str_t *one, ngx_str_t *two);
static ngx_int_t ngx_http_longpoll_conf_persist_directory(ngx_pool_t *pool,
    ngx_str_t *path, ngx_str_t *dir);
static ngx_err_t ngx_http_longpoll_conf_persist_access(ngx_core_conf_t *ccf,
    u_char *dir);


char *
ngx_http_longpoll_conf_persist(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *path)
{
    path->data = value->data + 8;
    path->len = value->len - 8;

    if (path->len == 0 || path->data[path->len - 1] == '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", it must be the path of a "
                           "file", value);
        return NGX_CONF_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, path, 0) != NGX_OK
        || ngx_http_longpoll_conf_persist_files(cf, path, value)
           != NGX_CONF_OK
        || ngx_http_longpoll_conf_persist_unique(cf, path, value)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* whether the names can be those of files */

static char *
ngx_http_longpoll_conf_persist_files(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *value)
{
    long              max;
    size_t            suffix;
    ngx_str_t         dir;
    ngx_file_info_t   fi;

    if (ngx_http_longpoll_conf_persist_directory(cf->pool, path, &dir)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_file_info(dir.data, &fi) == NGX_FILE_ERROR
        ? ngx_errno != NGX_EACCES : !ngx_is_dir(&fi))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "there is no directory \"%V\" for \"%V\", make it "
                           "for the user of the workers", &dir, value);
        return NGX_CONF_ERROR;
    }

    suffix = NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX - 1;

    max = pathconf((char *) dir.data, _PC_NAME_MAX);
    max = (max == -1 ? 255 : max) - suffix;

    if (strlen(strrchr((char *) path->data, '/') + 1) > (size_t) max
        || path->len + suffix >= NGX_MAX_PATH)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is too long, a file's name may have %l "
                           "characters and its path %uz",
                           value, max, NGX_MAX_PATH - suffix - 1);
        return NGX_CONF_ERROR;
    }

    if (lstat((char *) path->data, &fi) == 0 && !ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is a %s, \"persist\" must be the path of a "
                           "file", value,
                           ngx_is_dir(&fi) ? "directory"
                           : ngx_is_link(&fi) ? "symbolic link"
                                              : "device, a pipe or a socket");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* whether no other zone has one of the files of this path */

static char *
ngx_http_longpoll_conf_persist_unique(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *value)
{
    ngx_int_t                       rc;
    ngx_uint_t                      i;
    ngx_http_longpoll_reference_t  *ref;
    ngx_http_longpoll_main_conf_t  *lmcf;

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_longpoll_module);
    ref = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {

        if (ref[i].zone->persist.len == 0) {
            continue;
        }

        rc = ngx_http_longpoll_conf_persist_same_files(cf->pool,
                                                       &ref[i].zone->persist,
                                                       path);
        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc == NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is the file of zone \"%V\" already, "
                               "each must have one of its own",
                               value, &ref[i].zone->name);
        }

        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * NGX_OK        the two paths have a file in common: they are in the same
 *               directory, under whatever names, and the file of one path is a
 *               file of the other one's log
 * NGX_DECLINED  they have none
 * NGX_ERROR     no memory
 */

static ngx_int_t
ngx_http_longpoll_conf_persist_same_files(ngx_pool_t *pool, ngx_str_t *one,
    ngx_str_t *two)
{
    uint64_t          file;
    ngx_str_t         dirs[2];
    ngx_file_info_t   infos[2];

    if (ngx_http_longpoll_segment_parse(one, strrchr((char *) two->data, '/')
                                             + 1, &file)
        != NGX_OK
        && ngx_http_longpoll_segment_parse(two, strrchr((char *) one->data, '/')
                                                + 1, &file)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_longpoll_conf_persist_directory(pool, one, &dirs[0]) != NGX_OK
        || ngx_http_longpoll_conf_persist_directory(pool, two, &dirs[1])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_file_info(dirs[0].data, &infos[0]) == NGX_FILE_ERROR
        || ngx_file_info(dirs[1].data, &infos[1]) == NGX_FILE_ERROR
        || infos[0].st_dev != infos[1].st_dev
        || ngx_file_uniq(&infos[0]) != ngx_file_uniq(&infos[1]))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* dir: the path up to its last slash */

static ngx_int_t
ngx_http_longpoll_conf_persist_directory(ngx_pool_t *pool, ngx_str_t *path,
    ngx_str_t *dir)
{
    u_char  *p;

    for (p = path->data + path->len; p[-1] != '/'; p--) { /* void */ }

    dir->len = ngx_max(p - 1 - path->data, 1);
    dir->data = ngx_pnalloc(pool, dir->len + 1);
    if (dir->data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(dir->data, path->data, dir->len + 1);

    return NGX_OK;
}


char *
ngx_http_longpoll_conf_persist_running(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *path)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_list_part_t           *part;
    ngx_shm_zone_t            *zones;
    ngx_http_longpoll_zone_t  *z;

    /* while nginx reads a configuration, ngx_cycle is the one that runs */

    part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;

    for ( /* void */ ; part; part = part->next) {
        zones = part->elts;

        for (i = 0; i < part->nelts; i++) {
            z = zones[i].data;

            if (zones[i].tag != &ngx_http_longpoll_module
                || z->persist.len == 0
                || (z->name.len == name->len
                    && ngx_strncmp(z->name.data, name->data, name->len) == 0))
            {
                continue;
            }

            rc = ngx_http_longpoll_conf_persist_same_files(cf->pool,
                                                           &z->persist, path);
            if (rc == NGX_DECLINED) {
                continue;
            }

            if (rc == NGX_OK) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"persist=%V\" is the file of the running "
                                   "zone \"%V\", only a restart can give it to "
                                   "zone \"%V\"", path, &z->name, name);
            }

            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_longpoll_conf_persist_check(ngx_http_longpoll_zone_t *z,
    ngx_log_t *log)
{
    ngx_err_t         err;
    ngx_str_t         dir;
    ngx_core_conf_t  *ccf;

    if (z->persist.len == 0) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_conf_persist_directory(z->cycle->pool, &z->persist,
                                                 &dir)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(z->cycle->conf_ctx, ngx_core_module);

    err = ngx_http_longpoll_conf_persist_access(ccf, dir.data);

    if (err == 0) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, log, err,
                  "longpoll_zone \"%V\": \"persist=%V\" needs a directory in "
                  "which user \"%s\" can create files", &z->name, &z->persist,
                  geteuid() == 0 ? ccf->username : "who runs nginx");

    return NGX_ERROR;
}


/*
 * Returns 0, or why the workers' user cannot create files in dir.  If the
 * master is not root, that is its own user.  The child is made without SIGCHLD,
 * which would tell the master to reap it, and makes no calls but the system's.
 */

static ngx_err_t
ngx_http_longpoll_conf_persist_access(ngx_core_conf_t *ccf, u_char *dir)
{
    int        n, status;
    gid_t      groups[NGX_HTTP_LONGPOLL_CONF_PERSIST_GROUPS];
    ngx_pid_t  pid;

    if (geteuid() != 0 || ccf->user == 0) {
        return access((char *) dir, W_OK|X_OK) == -1 ? ngx_errno : 0;
    }

    n = NGX_HTTP_LONGPOLL_CONF_PERSIST_GROUPS;

    if (getgrouplist(ccf->username, ccf->group, groups, &n) == -1) {
        n = NGX_HTTP_LONGPOLL_CONF_PERSIST_GROUPS;
    }

    pid = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);

    if (pid == -1) {
        return 0;
    }

    if (pid == 0) {

        if (syscall(SYS_setgroups, n, groups) == -1
            || syscall(SYS_setgid, ccf->group) == -1
            || syscall(SYS_setuid, ccf->user) == -1)
        {
            /* the workers will say so themselves */
            _exit(0);
        }

        _exit(access((char *) dir, W_OK|X_OK) == -1 ? ngx_errno : 0);
    }

    while (waitpid(pid, &status, __WALL) == -1) {

        if (ngx_errno != NGX_EINTR) {
            return 0;
        }
    }

    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

#else

char *
ngx_http_longpoll_conf_persist(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *path)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" needs an nginx and a module that were built "
                       "--with-threads", value);
    return NGX_CONF_ERROR;
}


char *
ngx_http_longpoll_conf_persist_running(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *path)
{
    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_longpoll_conf_persist_check(ngx_http_longpoll_zone_t *z,
    ngx_log_t *log)
{
    return NGX_OK;
}

#endif
