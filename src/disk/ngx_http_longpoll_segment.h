
/*
 * ngx_http_longpoll_segment.h: the files of a zone's log, in one directory.
 *
 *     PATH             the base: what lived at one moment; or golongpoll's file
 *     PATH.00000008    segments; the last one is written to
 *     PATH.00000009
 *     PATH.new         a base on its way
 *     PATH.bad         lines that are not ours
 *     PATH.restored    an operator says: PATH and segments are an older copy
 *
 * All names are relative to the directory, which the master opens before it
 * forks (..._share).  So all processes of one nginx share that open file, and
 * its lock (flock(2)) is the whole nginx's.
 *
 * A file has one writer at a time, is never cut and never written over; only a
 * segment of which nothing counts is made anew.
 *
 * All calls block, and log nothing; unless said otherwise they return NGX_OK,
 * or NGX_ERROR with errno.  A descriptor of -1 is none.
 */


#ifndef _NGX_HTTP_LONGPOLL_SEGMENT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_SEGMENT_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* a file is the number of a segment, or one of these */

#define NGX_HTTP_LONGPOLL_SEGMENT_PATH      0
#define NGX_HTTP_LONGPOLL_SEGMENT_RESTORED  ((uint64_t) -3)
#define NGX_HTTP_LONGPOLL_SEGMENT_BAD       ((uint64_t) -2)
#define NGX_HTTP_LONGPOLL_SEGMENT_NEW       ((uint64_t) -1)

/* bytes of a name behind PATH's own, at most, with the 0 */
#define NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX    24


/*
 * In the master: what all processes of this nginx share of a zone's log, as
 * long as nginx runs: a descriptor of its directory, one for all logs in it
 * (z->dir); and a word, 0 at first (z->elected).
 */
ngx_int_t ngx_http_longpoll_segment_share(ngx_http_longpoll_zone_t *z);

/*
 * Takes the lock on the directory for this nginx.  NGX_OK, also if it has the
 * lock already; NGX_AGAIN: another nginx has it; NGX_ERROR.
 */
ngx_int_t ngx_http_longpoll_segment_lock(ngx_http_longpoll_zone_t *z);

/* gives the lock back for all processes of this nginx */
void ngx_http_longpoll_segment_unlock(ngx_http_longpoll_zone_t *z);

/*
 * Whether name (which ends with 0) is that of a file of path's log, by its last
 * component.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_http_longpoll_segment_parse(ngx_str_t *path, const char *name,
    uint64_t *file);

/* prints what stands behind PATH in a file's name, with a 0, at most SUFFIX */
void ngx_http_longpoll_segment_suffix(u_char *p, uint64_t file);

/*
 * Opens a file to read it (flags 0), to append to it (O_APPEND), or made anew
 * to append to it (O_APPEND|O_CREAT|O_TRUNC); follows no link.  Returns a
 * descriptor, or -1 with errno; EINVAL: it is no regular file.
 */
int ngx_http_longpoll_segment_open(ngx_http_longpoll_zone_t *z, uint64_t file,
    int flags);

/* NGX_DECLINED: there is no such file, st is zeroed */
ngx_int_t ngx_http_longpoll_segment_stat(ngx_http_longpoll_zone_t *z,
    uint64_t file, struct stat *st);

/* writes all of it */
ngx_int_t ngx_http_longpoll_segment_write(int fd, const u_char *p, size_t len);

/* renames PATH.new to PATH */
ngx_int_t ngx_http_longpoll_segment_rename(ngx_http_longpoll_zone_t *z);

/* removes a file; that there is none is no error */
ngx_int_t ngx_http_longpoll_segment_remove(ngx_http_longpoll_zone_t *z,
    uint64_t file);

/*
 * The numbers of all segments that there are, ascending.  *numbers is for the
 * caller to ngx_free(), also if there is none (NULL).
 */
ngx_int_t ngx_http_longpoll_segment_list(ngx_http_longpoll_zone_t *z,
    uint64_t **numbers, ngx_uint_t *n);


#endif /* _NGX_HTTP_LONGPOLL_SEGMENT_H_INCLUDED_ */
