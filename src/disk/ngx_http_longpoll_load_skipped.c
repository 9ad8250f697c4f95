
/*
 * ngx_http_longpoll_load_skipped.c: keeps the lines of a log that a load skips.
 *
 * The files are read again, and each line that is not of this zone's log is
 * copied as it is: what an editor or another program wrote, and what is too
 * large for the zone.
 *
 * Lines that are torn, and notes, are not copied.  After an error the writer
 * tries again, and PATH.bad may have a line twice.
 */


#include "ngx_http_longpoll_load_skipped.h"
#include "ngx_http_longpoll_load_line.h"


#define NGX_HTTP_LONGPOLL_LOAD_SKIPPED_PIECE  (64 * 1024)


typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_pool_t                      *pool;      /* of one line */
    ngx_http_longpoll_load_files_t   files;
    ngx_http_longpoll_load_scan_t    scan;
    ngx_http_longpoll_load_line_t    line;
    int                              fd;        /* PATH.bad; -1: not open */
    u_char                          *buf;       /* a piece */
} ngx_http_longpoll_load_skipped_t;


static ngx_int_t ngx_http_longpoll_load_skipped_files(
    ngx_http_longpoll_load_skipped_t *skipped, uint64_t number);
static ngx_int_t ngx_http_longpoll_load_skipped_file(
    ngx_http_longpoll_load_skipped_t *skipped,
    ngx_http_longpoll_load_file_t *file);
static ngx_int_t ngx_http_longpoll_load_skipped_copy(
    ngx_http_longpoll_load_skipped_t *skipped, int fd,
    ngx_http_longpoll_load_bytes_t *bytes);


ngx_int_t
ngx_http_longpoll_load_skipped_save(ngx_http_longpoll_zone_t *z,
    uint64_t number, ngx_log_t *log)
{
    int                                err;
    ngx_int_t                          rc;
    ngx_http_longpoll_load_skipped_t   skipped;

    ngx_memzero(&skipped, sizeof(ngx_http_longpoll_load_skipped_t));

    rc = NGX_ERROR;
    err = ENOMEM;

    skipped.zone = z;
    skipped.fd = -1;
    skipped.buf = ngx_alloc(NGX_HTTP_LONGPOLL_LOAD_SKIPPED_PIECE, log);
    skipped.pool = ngx_create_pool(4096, log);

    if (skipped.buf && skipped.pool
        && ngx_http_longpoll_load_scan_init(&skipped.scan,
                                            ngx_http_longpoll_load_line_max(z),
                                            log)
           == NGX_OK)
    {
        rc = ngx_http_longpoll_load_file_open(&skipped.files, z, log);

        if (rc == NGX_OK) {
            rc = ngx_http_longpoll_load_skipped_files(&skipped, number);
        }

        err = errno;
    }

    if (skipped.fd != -1) {
        (void) close(skipped.fd);
    }

    ngx_http_longpoll_load_file_close(&skipped.files);
    ngx_http_longpoll_load_scan_free(&skipped.scan);
    ngx_free(skipped.buf);

    if (skipped.pool) {
        ngx_destroy_pool(skipped.pool);
    }

    errno = err;

    return rc;
}


static ngx_int_t
ngx_http_longpoll_load_skipped_files(ngx_http_longpoll_load_skipped_t *skipped,
    uint64_t number)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_load_file_t  *file, *path;

    path = skipped->files.files;

    for (i = 0; i < skipped->files.n; i++) {
        file = &path[i];

        /* a base has replaced what is not behind it */

        if (file->fd == -1 || file->number > number
            || (i && file->number <= path->names))
        {
            continue;
        }

        if (ngx_http_longpoll_load_skipped_file(skipped, file) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (skipped->fd != -1
        && (ngx_http_longpoll_segment_sync(skipped->fd) != NGX_OK
            || ngx_http_longpoll_segment_sync_dir(&skipped->files.path)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_load_skipped_file(ngx_http_longpoll_load_skipped_t *skipped,
    ngx_http_longpoll_load_file_t *file)
{
    ngx_int_t                        rc;
    ngx_http_longpoll_load_bytes_t   bytes;

    ngx_http_longpoll_load_scan_begin(&skipped->scan, file->fd);

    for ( ;; ) {
        rc = ngx_http_longpoll_load_scan_next(&skipped->scan, &bytes);

        if (rc != NGX_OK) {
            break;
        }

        if (ngx_http_longpoll_load_line_read(&skipped->line, &bytes, file,
                                             skipped->zone, skipped->pool)
            != NGX_OK)
        {
            errno = ENOMEM;
            return NGX_ERROR;
        }

        if (ngx_http_longpoll_load_line_is_skipped(&skipped->line)
            && ngx_http_longpoll_load_skipped_copy(skipped, file->fd, &bytes)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (rc == NGX_ERROR) {
        errno = ENOMEM;
        return NGX_ERROR;
    }

    /* NGX_DONE; or NGX_DECLINED: what cannot be read is not to be kept */

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_load_skipped_copy(ngx_http_longpoll_load_skipped_t *skipped,
    int fd, ngx_http_longpoll_load_bytes_t *bytes)
{
    ssize_t   n;
    uint64_t  pos, last;

    if (skipped->fd == -1) {
        skipped->fd = ngx_http_longpoll_segment_open(&skipped->files.path,
                                                NGX_HTTP_LONGPOLL_SEGMENT_BAD,
                                                0, O_APPEND|O_CREAT);
        if (skipped->fd == -1) {
            return NGX_ERROR;
        }
    }

    pos = bytes->pos;
    last = bytes->pos + bytes->len;

    while (pos < last) {
        n = pread(fd, skipped->buf,
                  ngx_min(last - pos, NGX_HTTP_LONGPOLL_LOAD_SKIPPED_PIECE),
                  pos);

        if (n <= 0) {
            break;
        }

        if (ngx_http_longpoll_segment_write(skipped->fd, skipped->buf, n)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        pos += n;
    }

    return ngx_http_longpoll_segment_write(skipped->fd, (u_char *) "\n", 1);
}
