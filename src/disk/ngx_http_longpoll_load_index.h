
/*
 * ngx_http_longpoll_load_index.h: what a log says, and where its events stand.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOAD_INDEX_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOAD_INDEX_H_INCLUDED_


#include "ngx_http_longpoll_load_line.h"
#include "ngx_http_longpoll_load_set.h"


/* lines that are named in the error log, at most */
#define NGX_HTTP_LONGPOLL_LOAD_NAMED   100

/* epochs of heads that are kept */
#define NGX_HTTP_LONGPOLL_LOAD_EPOCHS  8


/* where an event stands */

typedef struct {
    uint64_t                         key;       /* of the order: its id, or its
                                                   time, if it stands in PATH */
    uint64_t                         pos;
    size_t                           len;
    ngx_uint_t                       file;      /* index */
} ngx_http_longpoll_load_place_t;


typedef struct {
    ngx_http_longpoll_line_e         kind;
    uint64_t                         file;      /* number; 0: PATH */
    uint64_t                         number;    /* of the line */
} ngx_http_longpoll_load_named_t;


typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_log_t                       *log;
    ngx_pool_t                      *pool;      /* of one line */
    uint64_t                         now;       /* ms */
    uint64_t                         logged;    /* ms: the last progress */

    ngx_uint_t                       merge;     /* only events that the zone
                                                   lacks are wanted */

    ngx_http_longpoll_load_files_t   files;
    ngx_http_longpoll_load_scan_t    scan;
    ngx_http_longpoll_load_line_t    line;

    /* the events, in the order in which they are to be placed */
    ngx_http_longpoll_load_place_t  *places;
    ngx_uint_t                       n;
    ngx_uint_t                       max;
    ngx_uint_t                       from;      /* events of the order at hand
                                                   begin with this one */
    ngx_uint_t                       unsorted;

    /* the file at hand */
    ngx_uint_t                       file;      /* index */
    ngx_uint_t                       torn;      /* a line of it is */

    /* heads */
    ngx_uint_t                       head;      /* PATH has one */
    uint64_t                         base;      /* its number */
    uint64_t                         after;     /* number of the last file that
                                                   has one */
    uint64_t                         key[2];
    uint64_t                         valid_from;
    uint64_t                         epochs[NGX_HTTP_LONGPOLL_LOAD_EPOCHS];
                                                /* the latest first */
    ngx_uint_t                       durable;   /* as the last one says */
    ngx_uint_t                       gap;       /* a segment is not there */

    /* notes */
    ngx_http_longpoll_load_set_t     set;
    uint64_t                         rest;      /* id */
    ngx_uint_t                       has_end;   /* the last file has an END */
    uint64_t                         end_bytes; /* of all files, as it says */

    uint64_t                         last;      /* highest id in any line */
    uint64_t                         events_last;   /* of an event */
    uint64_t                         bytes;     /* of the files that were
                                                   read */
    ngx_uint_t                       nevents;
    ngx_uint_t                       own;       /* some have ids of version 7 */
    ngx_uint_t                       unread;    /* not all could be read, or
                                                   synced */
    ngx_uint_t                       stale;     /* PATH is unsorted, or a line
                                                   is blank, torn or edited */

    ngx_uint_t                       nskipped;
    ngx_http_longpoll_load_named_t   skipped[NGX_HTTP_LONGPOLL_LOAD_NAMED];
    ngx_uint_t                       nahead;    /* of the clock */
    ngx_http_longpoll_load_named_t   ahead;     /* the first of them */
} ngx_http_longpoll_load_index_t;


/*
 * Reads and syncs all files.  The caller has zeroed the index, and set zone,
 * log and merge; and calls _free() in any case.
 *
 * NGX_OK
 * NGX_ERROR     no memory, the files cannot be opened, or PATH is no log;
 *               logged
 */
ngx_int_t ngx_http_longpoll_load_index_read(
    ngx_http_longpoll_load_index_t *index);
void ngx_http_longpoll_load_index_free(ngx_http_longpoll_load_index_t *index);

/*
 * Reads an event once more, into index->line.  NGX_OK; NGX_DECLINED: it is not
 * there any more; NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_longpoll_load_index_reread(
    ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_load_place_t *place);

/* logs how far it is, from time to time; of is 0: not known */
void ngx_http_longpoll_load_index_progress(
    ngx_http_longpoll_load_index_t *index, const char *what, ngx_uint_t n,
    ngx_uint_t of);


#endif /* _NGX_HTTP_LONGPOLL_LOAD_INDEX_H_INCLUDED_ */
