
/*
 * ngx_http_longpoll_load_file.h: the files of a log, open to be read.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOAD_FILE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOAD_FILE_H_INCLUDED_


#include "ngx_http_longpoll_segment.h"
#include "ngx_http_longpoll_store.h"


/* what the first line of a file is, once it was read */

typedef enum {
    NGX_HTTP_LONGPOLL_HEAD_NONE = 0,    /* nothing of ours */
    NGX_HTTP_LONGPOLL_HEAD_TORN,        /* it never was synced */
    NGX_HTTP_LONGPOLL_HEAD_OURS         /* BASE, or AFTER in a segment */
} ngx_http_longpoll_head_e;


typedef struct {
    uint64_t                         number;    /* of a segment; 0: PATH */
    int                              fd;        /* -1: there is no PATH */
    ngx_http_longpoll_head_e         head;
    uint64_t                         epoch;     /* of the head */
    uint64_t                         names;     /* the number in it */
} ngx_http_longpoll_load_file_t;


typedef struct {
    ngx_http_longpoll_segment_t      path;
    ngx_http_longpoll_load_file_t   *files;     /* PATH, then all segments,
                                                   ascending */
    ngx_uint_t                       n;
    uint64_t                         node;      /* inode of PATH; 0: none */
    uint64_t                         failed;    /* number, if they could not be
                                                   opened */
} ngx_http_longpoll_load_files_t;


/*
 * Opens all files at one moment: another nginx may replace them meanwhile, but
 * these stay as they are.  NGX_OK; NGX_ERROR with errno.  The caller closes
 * them in any case.
 */
ngx_int_t ngx_http_longpoll_load_file_open(
    ngx_http_longpoll_load_files_t *files, ngx_http_longpoll_zone_t *z,
    ngx_log_t *log);

/* keeps errno */
void ngx_http_longpoll_load_file_close(ngx_http_longpoll_load_files_t *files);

/* prints what stands behind PATH in the name of a file, with a 0 */
void ngx_http_longpoll_load_file_suffix(
    u_char suffix[NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX], uint64_t number);


#endif /* _NGX_HTTP_LONGPOLL_LOAD_FILE_H_INCLUDED_ */
