
/*
 * ngx_http_longpoll_load_scan.c: the lines of a file, in bounded memory.
 *
 * A file is read in pieces.  A piece begins with the line that the last one
 * broke off, and grows if a single line needs it, up to the longest line that
 * is wanted.
 *
 *      | line | line | li      the end of a piece
 *                    | line | line | line | li
 *
 * Of a line that is longer only the length counts, and of a long one with a NUL
 * byte.  So a file without a line end, or with a hole of terabytes, takes no
 * memory; and holes are not read.
 *
 * Files are not mapped: a process that cuts one would kill this one.
 */


#include "ngx_http_longpoll_load_scan.h"


#define NGX_HTTP_LONGPOLL_LOAD_SCAN_PIECE  (1024 * 1024)
#define NGX_HTTP_LONGPOLL_LOAD_SCAN_TORN   (64 * 1024)
#define NGX_HTTP_LONGPOLL_LOAD_SCAN_AGAIN  (64 * 1024)


static ngx_int_t ngx_http_longpoll_load_scan_read(
    ngx_http_longpoll_load_scan_t *scan);
static ngx_uint_t ngx_http_longpoll_load_scan_is_long(
    ngx_http_longpoll_load_scan_t *scan, u_char *p, size_t len);
static ngx_int_t ngx_http_longpoll_load_scan_long(
    ngx_http_longpoll_load_scan_t *scan, ngx_http_longpoll_load_bytes_t *line);
static ngx_uint_t ngx_http_longpoll_load_scan_hole(
    ngx_http_longpoll_load_scan_t *scan);


ngx_int_t
ngx_http_longpoll_load_scan_init(ngx_http_longpoll_load_scan_t *scan,
    size_t max, ngx_log_t *log)
{
    ngx_memzero(scan, sizeof(ngx_http_longpoll_load_scan_t));

    scan->log = log;
    scan->max = max;
    scan->fd = -1;
    scan->size = NGX_HTTP_LONGPOLL_LOAD_SCAN_PIECE;

    scan->buf = ngx_alloc(scan->size, log);

    return scan->buf ? NGX_OK : NGX_ERROR;
}


void
ngx_http_longpoll_load_scan_free(ngx_http_longpoll_load_scan_t *scan)
{
    ngx_free(scan->buf);
    scan->buf = NULL;
}


void
ngx_http_longpoll_load_scan_begin(ngx_http_longpoll_load_scan_t *scan, int fd)
{
    scan->fd = fd;
    scan->len = 0;
    scan->next = 0;
    scan->pos = 0;
    scan->number = 0;
}


ngx_int_t
ngx_http_longpoll_load_scan_next(ngx_http_longpoll_load_scan_t *scan,
    ngx_http_longpoll_load_bytes_t *line)
{
    u_char     *p, *eol;
    size_t      searched, len;
    ngx_int_t   rc;

    ngx_memzero(line, sizeof(ngx_http_longpoll_load_bytes_t));

    line->pos = scan->pos + scan->next;
    searched = 0;

    for ( ;; ) {
        p = scan->buf + scan->next;
        len = scan->len - scan->next;
        eol = memchr(p + searched, LF, len - searched);

        if (eol) {
            len = eol - p;
            line->whole = 1;
            break;
        }

        if (ngx_http_longpoll_load_scan_is_long(scan, p, len)) {
            return ngx_http_longpoll_load_scan_long(scan, line);
        }

        searched = len;
        rc = ngx_http_longpoll_load_scan_read(scan);

        if (rc == NGX_DONE && len) {
            p = scan->buf + scan->next;
            break;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    line->data = ngx_http_longpoll_load_scan_is_long(scan, p, len) ? NULL : p;
    line->len = len;
    line->torn = (memchr(p, 0, len) != NULL);
    line->number = ++scan->number;

    scan->next += len + line->whole;

    return NGX_OK;
}


/*
 * Drops the lines of the piece that were given, and reads on.  NGX_OK, NGX_DONE
 * at the end of the file, NGX_DECLINED with errno, or NGX_ERROR: no memory.
 */

static ngx_int_t
ngx_http_longpoll_load_scan_read(ngx_http_longpoll_load_scan_t *scan)
{
    u_char   *buf;
    ssize_t   n;

    scan->len -= scan->next;
    scan->pos += scan->next;
    ngx_memmove(scan->buf, scan->buf + scan->next, scan->len);
    scan->next = 0;

    if (scan->len == scan->size) {
        buf = ngx_alloc(scan->size * 2, scan->log);
        if (buf == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(buf, scan->buf, scan->len);
        ngx_free(scan->buf);

        scan->buf = buf;
        scan->size *= 2;
    }

    n = pread(scan->fd, scan->buf + scan->len, scan->size - scan->len,
              scan->pos + scan->len);

    if (n == -1) {
        return NGX_DECLINED;
    }

    scan->len += n;

    return n ? NGX_OK : NGX_DONE;
}


/* whether the bytes of a line that begins with these are not wanted */

static ngx_uint_t
ngx_http_longpoll_load_scan_is_long(ngx_http_longpoll_load_scan_t *scan,
    u_char *p, size_t len)
{
    return len > scan->max
           || (len > NGX_HTTP_LONGPOLL_LOAD_SCAN_TORN
               && memchr(p, 0, len) != NULL);
}


/* the rest of a line whose bytes are not wanted */

static ngx_int_t
ngx_http_longpoll_load_scan_long(ngx_http_longpoll_load_scan_t *scan,
    ngx_http_longpoll_load_bytes_t *line)
{
    u_char     *p, *eol;
    size_t      len;
    ngx_int_t   rc;

    do {
        p = scan->buf + scan->next;
        len = scan->len - scan->next;
        eol = memchr(p, LF, len);

        if (eol) {
            len = eol - p;
            line->whole = 1;
        }

        line->len += len;
        line->torn |= (memchr(p, 0, len) != NULL);

        scan->next += len + line->whole;
        rc = NGX_OK;

        if (!line->whole) {
            line->torn |= ngx_http_longpoll_load_scan_hole(scan);

            rc = ngx_http_longpoll_load_scan_read(scan);
        }

    } while (rc == NGX_OK && !line->whole);

    if (rc == NGX_OK || rc == NGX_DONE) {
        line->number = ++scan->number;
        return NGX_OK;
    }

    return rc;
}


/*
 * All bytes of the piece were given: if a hole is behind it, which returns 1,
 * the next piece is the one behind the hole.
 */

static ngx_uint_t
ngx_http_longpoll_load_scan_hole(ngx_http_longpoll_load_scan_t *scan)
{
#ifdef SEEK_DATA

    off_t     data;
    uint64_t  pos;

    pos = scan->pos + scan->len;
    data = lseek(scan->fd, pos, SEEK_DATA);

    if (data == -1 && errno == ENXIO) {
        data = lseek(scan->fd, 0, SEEK_END);
    }

    if (data == -1 || (uint64_t) data <= pos) {
        return 0;
    }

    scan->pos = data;
    scan->len = 0;
    scan->next = 0;

    return 1;

#else

    return 0;

#endif
}


u_char *
ngx_http_longpoll_load_scan_reread(ngx_http_longpoll_load_scan_t *scan, int fd,
    uint64_t pos, size_t len)
{
    ssize_t  n;

    /* a piece has many lines, mostly in the order in which they are wanted */

    if (fd != scan->fd || pos < scan->pos
        || pos + len > scan->pos + scan->len)
    {
        n = pread(fd, scan->buf,
                  ngx_min(scan->size,
                          ngx_max(len, NGX_HTTP_LONGPOLL_LOAD_SCAN_AGAIN)),
                  pos);

        scan->fd = fd;
        scan->pos = pos;
        scan->len = (n == -1) ? 0 : n;

        if (len > scan->len) {
            return NULL;
        }
    }

    return scan->buf + (pos - scan->pos);
}
