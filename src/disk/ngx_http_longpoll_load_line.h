
/*
 * ngx_http_longpoll_load_line.h: what a line of a log is.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOAD_LINE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOAD_LINE_H_INCLUDED_


#include "ngx_http_longpoll_control.h"
#include "ngx_http_longpoll_load_file.h"
#include "ngx_http_longpoll_load_scan.h"


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

#define ngx_http_longpoll_load_line_is_skipped(line)                          \
    ((line)->kind >= NGX_HTTP_LONGPOLL_LINE_FOREIGN)


/* an event; the bytes belong to the scan, or to the pool */

typedef struct {
    ngx_http_longpoll_cat_t          cat;       /* its name */
    ngx_str_t                        data;
    uint64_t                         ms;        /* its timestamp */
    ngx_http_longpoll_uuid_t         uuid;      /* high is 0: there is none */
    uint64_t                         id;        /* of a UUID of version 7 with
                                                   that ms; or 0 */
    uint64_t                         epoch;     /* of a UUID of version 7 */
    ngx_uint_t                       own;       /* it is of version 7 */
    uint64_t                         key[2];    /* [0] is 0: there is none */
} ngx_http_longpoll_load_event_t;


typedef struct {
    ngx_http_longpoll_line_e         kind;
    ngx_uint_t                       edited;    /* it has a CR at its end, or a
                                                   BOM in front */
    ngx_http_longpoll_control_t      control;
    ngx_http_longpoll_load_event_t   event;
} ngx_http_longpoll_load_line_t;


/*
 * Reads the next line of a file.  The first one is read into file->head, too.
 * The pool is reset.  NGX_OK; NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_longpoll_load_line_read(ngx_http_longpoll_load_line_t *line,
    ngx_http_longpoll_load_bytes_t *bytes, ngx_http_longpoll_load_file_t *file,
    ngx_http_longpoll_zone_t *z, ngx_pool_t *pool);

/*
 * Reads an event from its bytes.  NGX_OK: line->kind is EVENT, LARGE, or
 * FOREIGN; NGX_ERROR as above.
 */
ngx_int_t ngx_http_longpoll_load_line_event(
    ngx_http_longpoll_load_line_t *line, u_char *p, size_t len,
    ngx_http_longpoll_zone_t *z, ngx_pool_t *pool);

/* bytes of a line, at most */
#define ngx_http_longpoll_load_line_max(z)  ((z)->size / 4 + 8192)


#endif /* _NGX_HTTP_LONGPOLL_LOAD_LINE_H_INCLUDED_ */
