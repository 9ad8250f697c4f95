
/*
 * ngx_http_longpoll_file.h: the file of a zone, and the notes beside it.
 *
 *     PATH             events, one a line, as golongpoll's FilePersistorAddOn
 *                      writes them: a line end, then the event as in an answer
 *     PATH.state       a head: whose epoch the file is of, and how that ended;
 *                      then notes
 *     PATH.new         the two files that take their place when they are
 *     PATH.state.new   compacted
 *
 * All calls block: a thread makes them, or the end of a process.  They log
 * nothing: failed, name and err say what failed.  The holder of the lock
 * (flock(2)) on PATH.state is the writer.
 *
 * Unless said otherwise a call returns NGX_OK or NGX_ERROR.
 */


#ifndef _NGX_HTTP_LONGPOLL_FILE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_FILE_H_INCLUDED_


#include "ngx_http_longpoll_zone_disk.h"


typedef struct {
    uint64_t                         epoch;     /* 0: there is no head */
    uint64_t                         valid_from;    /* ms: cursors since then
                                                   have lost no event with an
                                                   epoch that ended badly */
    uint64_t                         last_id;   /* highest issued id, of those
                                                   known when it was written;
                                                   of all, if clean */
    uint64_t                         key[2];    /* of the hashes in the notes */
    uint64_t                         durable;   /* all that readers saw is on
                                                   disk */
    uint64_t                         clean;     /* the epoch has ended, and all
                                                   of it is on disk */
} ngx_http_longpoll_file_head_t;


typedef struct {
    char                            *path;
    char                            *state;
    char                            *path_new;
    char                            *state_new;

    int                              fd;        /* -1: not open */
    int                              state_fd;
    int                              new_fd;
    int                              new_state_fd;

    uint64_t                         node;      /* inode of path */
    uint64_t                         size;      /* that counts */
    uint64_t                         state_size;
    uint64_t                         new_size;
    uint64_t                         new_state_size;

    ngx_http_longpoll_file_head_t    head;      /* as it is on disk */
    ngx_uint_t                       unread;    /* the file could not be read
                                                   when the zone was made */

    const char                      *failed;    /* the call that failed */
    const char                      *name;      /* of its file */
    int                              err;
} ngx_http_longpoll_file_t;


/* of the four names above, in the order of the fields */
#define NGX_HTTP_LONGPOLL_FILE_SUFFIXES  4

extern const char  *ngx_http_longpoll_file_suffixes[];

/* makes the names; NGX_ERROR: no memory */
ngx_int_t ngx_http_longpoll_file_init(ngx_http_longpoll_file_t *f,
    ngx_str_t *path, ngx_pool_t *pool);

/* read a head and a note from their bytes; NGX_OK, or NGX_DECLINED: broken */
ngx_int_t ngx_http_longpoll_file_read_head(u_char *p, size_t len,
    ngx_http_longpoll_file_head_t *head);
ngx_int_t ngx_http_longpoll_file_read_note(u_char *p,
    ngx_http_longpoll_note_t *note);

#define NGX_HTTP_LONGPOLL_FILE_HEAD  96     /* bytes on disk */
#define NGX_HTTP_LONGPOLL_FILE_NOTE  40

/*
 * Opens both files, creates them if need be, and takes the lock.
 *
 * NGX_OK     f->head, f->size and f->state_size are as on disk; f->fd is -1 if
 *            only the master could read the file: it must be compacted
 * NGX_AGAIN  another process is the writer
 * NGX_ERROR
 */
ngx_int_t ngx_http_longpoll_file_open(ngx_http_longpoll_file_t *f);

/* closes all files, and so releases the lock */
void ngx_http_longpoll_file_close(ngx_http_longpoll_file_t *f);

/* writes f->head */
ngx_int_t ngx_http_longpoll_file_head(ngx_http_longpoll_file_t *f);

/*
 * Reads notes from *at on, save->max_notes at most, and moves *at behind them.
 * NGX_OK; NGX_DONE: there are no more; NGX_ERROR.
 */
ngx_int_t ngx_http_longpoll_file_read(ngx_http_longpoll_file_t *f,
    uint64_t *at, ngx_http_longpoll_save_t *save);

/*
 * Checks that both names are still those of the open files, and that the file
 * is not shorter than f->size.  NGX_OK; NGX_DECLINED: f->failed says why not.
 */
ngx_int_t ngx_http_longpoll_file_check(ngx_http_longpoll_file_t *f);

/*
 * Checks, then appends lines and notes, and syncs.  While the files are being
 * compacted, notes of deletions go into the new notes, too.  NGX_OK: all is on
 * disk; NGX_DECLINED as above; NGX_ERROR: nothing counts of what was written.
 */
ngx_int_t ngx_http_longpoll_file_append(ngx_http_longpoll_file_t *f,
    ngx_http_longpoll_save_t *save);

/*
 * The new files: _compact() creates them, _append() writes to them, _done()
 * renames them over the old ones, _stop() removes them.  _done() returns
 * NGX_DECLINED if only the events were renamed, or the directory not synced.
 */
ngx_int_t ngx_http_longpoll_file_compact(ngx_http_longpoll_file_t *f);
ngx_int_t ngx_http_longpoll_file_compact_append(ngx_http_longpoll_file_t *f,
    ngx_http_longpoll_save_t *save);
ngx_int_t ngx_http_longpoll_file_compact_done(ngx_http_longpoll_file_t *f);
void ngx_http_longpoll_file_compact_stop(ngx_http_longpoll_file_t *f);

/* appends notes to the old notes, and to the new ones if there are any */
ngx_int_t ngx_http_longpoll_file_notes(ngx_http_longpoll_file_t *f,
    ngx_http_longpoll_save_t *save);


#endif /* _NGX_HTTP_LONGPOLL_FILE_H_INCLUDED_ */
