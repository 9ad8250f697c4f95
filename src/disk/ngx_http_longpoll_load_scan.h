
/*
 * ngx_http_longpoll_load_scan.h: the lines of a file, in bounded memory.
 *
 * A scan reads one file after the other.  It blocks, logs nothing, and may be
 * used by any thread.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOAD_SCAN_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOAD_SCAN_H_INCLUDED_


#include "ngx_http_longpoll.h"


typedef struct {
    ngx_log_t                       *log;       /* of what allocates */
    size_t                           max;       /* bytes of a line; of a longer
                                                   one only the length counts */

    /* the piece at hand */
    u_char                          *buf;
    size_t                           size;
    size_t                           len;
    size_t                           next;      /* in buf: the next line */
    uint64_t                         pos;       /* of buf in the file */

    int                              fd;
    uint64_t                         number;    /* of the last line */
} ngx_http_longpoll_load_scan_t;


typedef struct {
    u_char                          *data;      /* without a line end; valid
                                                   until the next call.  NULL:
                                                   the line is too long, or it
                                                   is long, and torn */
    uint64_t                         len;       /* less than there is, if torn
                                                   and long */
    uint64_t                         pos;       /* in the file */
    uint64_t                         number;    /* from 1, as editors count */
    unsigned                         whole:1;   /* it has a line end */
    unsigned                         torn:1;    /* it has a NUL byte */
} ngx_http_longpoll_load_bytes_t;


/* NGX_OK, or NGX_ERROR: no memory.  The caller frees a scan in any case */
ngx_int_t ngx_http_longpoll_load_scan_init(ngx_http_longpoll_load_scan_t *scan,
    size_t max, ngx_log_t *log);
void ngx_http_longpoll_load_scan_free(ngx_http_longpoll_load_scan_t *scan);

/* the next line is the first one of a file, which is open to be read */
void ngx_http_longpoll_load_scan_begin(ngx_http_longpoll_load_scan_t *scan,
    int fd);

/*
 * NGX_OK        *line is the next line
 * NGX_DONE      there are no more: scan->pos is the size of the file
 * NGX_DECLINED  the file cannot be read: errno
 * NGX_ERROR     no memory
 */
ngx_int_t ngx_http_longpoll_load_scan_next(ngx_http_longpoll_load_scan_t *scan,
    ngx_http_longpoll_load_bytes_t *line);

/*
 * The bytes of a line that had data, once more; valid until the next call.
 * NULL: they cannot be read.
 */
u_char *ngx_http_longpoll_load_scan_reread(ngx_http_longpoll_load_scan_t *scan,
    int fd, uint64_t pos, size_t len);


#endif /* _NGX_HTTP_LONGPOLL_LOAD_SCAN_H_INCLUDED_ */
