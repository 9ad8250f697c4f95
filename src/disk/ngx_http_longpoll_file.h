
/*
 * ngx_http_longpoll_file.h: the file of a zone, and the notes beside it.
 *
 *     PATH             events, one a line, as golongpoll's FilePersistorAddOn
 *                      writes them: a line end, then the event as in an answer
 *     PATH.state       a head: whose life it is, and how that ended; then notes
 *     PATH.new         either of them while it is written anew
 *     PATH.state.new
 *
 * Everything here blocks, and is called by a thread, or at the end of a
 * process.  Nothing is logged: what failed is told by failed, name and err.
 * PATH.state carries the lock (flock(2)) that makes its holder the writer.
 */


#ifndef _NGX_HTTP_LONGPOLL_FILE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_FILE_H_INCLUDED_


#include "ngx_http_longpoll_zone_disk.h"


typedef struct {
    uint64_t                         epoch;      /* 0: there is no head */
    uint64_t                         trusted;   /* ms: nothing made since was
                                                   lost with a life */
    uint64_t                         last_id;   /* given out before; clean: the
                                                   last one */
    uint64_t                         key[2];    /* of the hash in the notes */
    uint64_t                         durable;   /* what was told is on disk */
    uint64_t                         clean;     /* it has ended, and all of it
                                                   is on disk */
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
    uint64_t                         size;      /* that is good */
    uint64_t                         state_size;
    uint64_t                         new_size;
    uint64_t                         new_state_size;

    ngx_http_longpoll_file_head_t    head;      /* as it is on disk */
    ngx_uint_t                       unread;    /* whatever stands there, nobody
                                                   knows it */

    const char                      *failed;    /* the call */
    const char                      *name;      /* of the file */
    int                              err;
} ngx_http_longpoll_file_t;


/* of the files at PATH, as above */
#define NGX_HTTP_LONGPOLL_FILE_SUFFIXES  4

extern const char  *ngx_http_longpoll_file_suffixes[];

/* the names; NGX_OK, or NGX_ERROR: no memory */
ngx_int_t ngx_http_longpoll_file_init(ngx_http_longpoll_file_t *f,
    ngx_str_t *path, ngx_pool_t *pool);

/* a head and notes as they are on disk; NGX_OK, or NGX_DECLINED: broken */
ngx_int_t ngx_http_longpoll_file_read_head(u_char *p, size_t len,
    ngx_http_longpoll_file_head_t *head);
ngx_int_t ngx_http_longpoll_file_read_note(u_char *p,
    ngx_http_longpoll_note_t *note);

#define NGX_HTTP_LONGPOLL_FILE_HEAD  96     /* bytes on disk */
#define NGX_HTTP_LONGPOLL_FILE_NOTE  40

/*
 * Opens both files, makes them if need be, and becomes the writer.
 *
 * NGX_OK     f->head; f->size and f->state_size are those on disk.  f->fd is
 *            -1 where the file is another user's: it must be written anew
 * NGX_AGAIN  somebody else is the writer
 * NGX_ERROR
 */
ngx_int_t ngx_http_longpoll_file_open(ngx_http_longpoll_file_t *f);

/* closes all of them; who was the writer is it no longer */
void ngx_http_longpoll_file_close(ngx_http_longpoll_file_t *f);

/* writes f->head; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_longpoll_file_head(ngx_http_longpoll_file_t *f);

/*
 * Reads notes from *at on, save->max_notes at most, and moves *at behind them.
 * NGX_OK; NGX_DONE: these were the last; NGX_ERROR.
 */
ngx_int_t ngx_http_longpoll_file_read(ngx_http_longpoll_file_t *f,
    uint64_t *at, ngx_http_longpoll_save_t *save);

/*
 * Whether the file is still the one of that name, and has all that is good.
 * NGX_OK; NGX_DECLINED: it is gone, another one, or was cut: f->failed says
 * which.
 */
ngx_int_t ngx_http_longpoll_file_check(ngx_http_longpoll_file_t *f);

/*
 * Checks; appends to both files, and to the new notes those of what is gone, if
 * they are being written; all of it is on disk when NGX_OK is returned.
 * NGX_DECLINED as above; NGX_ERROR.
 */
ngx_int_t ngx_http_longpoll_file_append(ngx_http_longpoll_file_t *f,
    ngx_http_longpoll_save_t *save);

/* new files: begins them, appends, makes them the ones, or gives them up */
ngx_int_t ngx_http_longpoll_file_compact(ngx_http_longpoll_file_t *f);
ngx_int_t ngx_http_longpoll_file_compact_append(ngx_http_longpoll_file_t *f,
    ngx_http_longpoll_save_t *save);
ngx_int_t ngx_http_longpoll_file_compact_done(ngx_http_longpoll_file_t *f);
void ngx_http_longpoll_file_compact_stop(ngx_http_longpoll_file_t *f);

/* notes alone, to the old ones and to the new ones, if they are written */
ngx_int_t ngx_http_longpoll_file_notes(ngx_http_longpoll_file_t *f,
    ngx_http_longpoll_save_t *save);


#endif /* _NGX_HTTP_LONGPOLL_FILE_H_INCLUDED_ */
