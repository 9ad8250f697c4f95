
/*
 * ngx_http_longpoll_load_file.c: the files of a log, open to be read.
 *
 * In a binary upgrade the old nginx may make a base while this one reads.  It
 * renames the base to PATH, and then removes segments.  So the segments that
 * were listed belong to the PATH that was opened if PATH is still that file
 * once they are open; if not, all are opened again.
 */


#include "ngx_http_longpoll_load_file.h"


#define NGX_HTTP_LONGPOLL_LOAD_FILE_TRIES  100


static ngx_int_t ngx_http_longpoll_load_file_path(
    ngx_http_longpoll_load_files_t *files, ngx_log_t *log);
static ngx_int_t ngx_http_longpoll_load_file_segments(
    ngx_http_longpoll_load_files_t *files, ngx_log_t *log);


ngx_int_t
ngx_http_longpoll_load_file_open(ngx_http_longpoll_load_files_t *files,
    ngx_http_longpoll_zone_t *z, ngx_log_t *log)
{
    uint64_t    size, node;
    ngx_uint_t  tries;

    ngx_memzero(files, sizeof(ngx_http_longpoll_load_files_t));

    files->path.path = &z->persist;
    files->path.dir = z->dir;

    for (tries = 0; tries < NGX_HTTP_LONGPOLL_LOAD_FILE_TRIES; tries++) {

        ngx_http_longpoll_load_file_close(files);

        if (ngx_http_longpoll_load_file_path(files, log) != NGX_OK
            || ngx_http_longpoll_load_file_segments(files, log) != NGX_OK)
        {
            return NGX_ERROR;
        }

        node = 0;

        if (ngx_http_longpoll_segment_stat(&files->path,
                                           NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0,
                                           &size, &node)
            == NGX_ERROR)
        {
            return NGX_ERROR;
        }

        if (node == files->node) {
            return NGX_OK;
        }
    }

    errno = EBUSY;

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_longpoll_load_file_path(ngx_http_longpoll_load_files_t *files,
    ngx_log_t *log)
{
    struct stat                     st;
    ngx_http_longpoll_load_file_t  *path;

    path = ngx_calloc(sizeof(ngx_http_longpoll_load_file_t), log);
    if (path == NULL) {
        return NGX_ERROR;
    }

    files->files = path;
    files->n = 1;
    files->node = 0;

    path->fd = ngx_http_longpoll_segment_open(&files->path,
                                              NGX_HTTP_LONGPOLL_SEGMENT_PATH,
                                              0, 0);
    if (path->fd == -1) {
        return errno == ENOENT ? NGX_OK : NGX_ERROR;
    }

    if (fstat(path->fd, &st) == -1) {
        return NGX_ERROR;
    }

    files->node = st.st_ino;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_load_file_segments(ngx_http_longpoll_load_files_t *files,
    ngx_log_t *log)
{
    int                             fd;
    uint64_t                       *numbers;
    ngx_int_t                       rc;
    ngx_uint_t                      i, n;
    ngx_http_longpoll_load_file_t  *all;

    if (ngx_http_longpoll_segment_list(&files->path, &numbers, &n) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    all = ngx_calloc((n + 1) * sizeof(ngx_http_longpoll_load_file_t), log);
    if (all == NULL) {
        goto done;
    }

    all[0] = files->files[0];

    ngx_free(files->files);
    files->files = all;

    for (i = 0; i < n; i++) {
        fd = ngx_http_longpoll_segment_open(&files->path,
                                            NGX_HTTP_LONGPOLL_SEGMENT_NUMBER,
                                            numbers[i], 0);
        if (fd == -1) {

            /* the other nginx has removed it */

            if (errno == ENOENT) {
                continue;
            }

            files->failed = numbers[i];
            goto done;
        }

        all[files->n].number = numbers[i];
        all[files->n].fd = fd;
        files->n++;
    }

    rc = NGX_OK;

done:

    ngx_free(numbers);

    return rc;
}


void
ngx_http_longpoll_load_file_close(ngx_http_longpoll_load_files_t *files)
{
    int         err;
    ngx_uint_t  i;

    err = errno;

    for (i = 0; i < files->n; i++) {

        if (files->files[i].fd != -1) {
            (void) close(files->files[i].fd);
        }
    }

    ngx_free(files->files);

    files->files = NULL;
    files->n = 0;

    errno = err;
}


void
ngx_http_longpoll_load_file_suffix(
    u_char suffix[NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX], uint64_t number)
{
    ngx_http_longpoll_segment_suffix(suffix,
                                     number ? NGX_HTTP_LONGPOLL_SEGMENT_NUMBER
                                            : NGX_HTTP_LONGPOLL_SEGMENT_PATH,
                                     number);
}
