
/*
 * ngx_http_longpoll_load_file.h: the files of a log, open to be read, and their
 * lines.
 *
 * The calls block, and log nothing; any thread may use its own files.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOAD_FILE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOAD_FILE_H_INCLUDED_


#include "ngx_http_longpoll_control.h"
#include "ngx_http_longpoll_json.h"
#include "ngx_http_longpoll_segment.h"


typedef enum {
    NGX_HTTP_LONGPOLL_LINE_BLANK = 0,
    NGX_HTTP_LONGPOLL_LINE_TORN,        /* it never was synced */
    NGX_HTTP_LONGPOLL_LINE_CONTROL,
    NGX_HTTP_LONGPOLL_LINE_EVENT,

    /* lines that are skipped, since a log of this zone has none of them */
    NGX_HTTP_LONGPOLL_LINE_FOREIGN,
    NGX_HTTP_LONGPOLL_LINE_LONG,        /* too long to be read */
    NGX_HTTP_LONGPOLL_LINE_LARGE        /* an event, too large for the zone */
} ngx_http_longpoll_line_e;


/* an event; its bytes are valid until the next line is read */

typedef struct {
    ngx_http_longpoll_cat_t          cat;       /* its name */
    ngx_http_longpoll_msg_t          msg;       /* data; uuid: high is 0 if
                                                   there is none; id: of a UUID
                                                   of version 7 with that ms,
                                                   or 0 */
    uint64_t                         ms;        /* its timestamp */
    uint64_t                         epoch;     /* of a UUID of version 7 */
    ngx_uint_t                       own;       /* it is of version 7 */
    uint64_t                         key[2];    /* [0] is 0: there is none */
} ngx_http_longpoll_load_event_t;


/*
 * Where yajl found category, data, timestamp, id and key of an event, in a line
 * that is not too long.
 */

#define NGX_HTTP_LONGPOLL_LOAD_MEMBERS  5

typedef struct {
    uint64_t                         sum;       /* of the line's bytes */
    uint16_t                         len;       /* of the line; 0: not known */
    struct {
        uint16_t                     pos;       /* 0: it has no such member */
        uint16_t                     len;
    } members[NGX_HTTP_LONGPOLL_LOAD_MEMBERS];
} ngx_http_longpoll_load_spans_t;


typedef struct {
    ngx_http_longpoll_line_e         kind;
    u_char                          *data;      /* without a line end.  NULL: it
                                                   is too long, or it is long,
                                                   and torn */
    uint64_t                         len;
    uint64_t                         pos;       /* in the file */
    uint64_t                         number;    /* as editors count */
    ngx_uint_t                       whole;     /* it has a line end */
    ngx_uint_t                       torn;      /* it has a NUL byte */
    ngx_uint_t                       edited;    /* no writer made it so */
    ngx_http_longpoll_control_t      control;
    ngx_http_longpoll_load_event_t   event;
    ngx_http_longpoll_load_spans_t   spans;     /* of an event */
} ngx_http_longpoll_load_line_t;


typedef struct {
    uint64_t                         number;    /* of a segment; 0: PATH */
    u_char                           suffix[NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX];
    int                              fd;        /* -1: it is not there */
    ngx_uint_t                       head;      /* it begins with BASE, or AFTER
                                                   in a segment */
    uint64_t                         names;     /* the number in it */
    uint64_t                         epoch;     /* in it */
} ngx_http_longpoll_load_file_t;


typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_pool_t                      *pool;
    ngx_pool_t                      *scratch;   /* of one line */
    ngx_array_t                      files;     /* PATH, then all segments,
                                                   ascending */
    uint64_t                         node;      /* inode of PATH; 0: none */

    ngx_http_longpoll_load_file_t   *file;      /* at hand */
    ngx_http_longpoll_load_line_t    line;
    ngx_http_longpoll_load_spans_t  *known;     /* of the next line, if it is
                                                   still the same; or NULL */

    /* a piece of the file */
    u_char                          *buf;
    size_t                           size;
    size_t                           len;
    size_t                           next;      /* in buf: the next line */
    uint64_t                         pos;       /* of buf in the file */
} ngx_http_longpoll_load_files_t;


/*
 * Opens all files at one moment: another nginx may replace them meanwhile, but
 * these stay as they are.  NGX_OK; NGX_ERROR with errno: files->file, if it is
 * set, could not be opened.  The caller closes them in any case, and with them
 * goes files->pool.
 */
ngx_int_t ngx_http_longpoll_load_file_open(
    ngx_http_longpoll_load_files_t *files, ngx_http_longpoll_zone_t *z,
    ngx_log_t *log);
void ngx_http_longpoll_load_file_close(ngx_http_longpoll_load_files_t *files);

/* the next line is the one at pos in files[i], which is there */
void ngx_http_longpoll_load_file_seek(ngx_http_longpoll_load_files_t *files,
    ngx_uint_t i, uint64_t pos);

/*
 * NGX_OK        files->line is the next line
 * NGX_DONE      there are no more: files->pos is the size of the file
 * NGX_DECLINED  the file cannot be read: errno
 * NGX_ERROR     no memory
 *
 * The first line of a file is to be read before the others.
 */
ngx_int_t ngx_http_longpoll_load_file_read(
    ngx_http_longpoll_load_files_t *files);


#endif /* _NGX_HTTP_LONGPOLL_LOAD_FILE_H_INCLUDED_ */
