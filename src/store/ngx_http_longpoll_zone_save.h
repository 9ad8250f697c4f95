
/*
 * ngx_http_longpoll_zone_save.h: the zone and its file, its epochs, and zones of
 * another size.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_SAVE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_SAVE_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Whether events behind a cursor of that ms may have been lost with an earlier
 * life: one of an id that was made in it, or of a time.
 */
ngx_uint_t ngx_http_longpoll_zone_lost(ngx_http_longpoll_zone_t *z,
    uint64_t ms, ngx_uint_t id);

/* whether the zone has, or had, messages of that life: their ids are places */
ngx_uint_t ngx_http_longpoll_zone_knows_epoch(ngx_http_longpoll_zone_t *z,
    uint64_t life);

/* the newest place now, as an id */
uint64_t ngx_http_longpoll_zone_latest(ngx_http_longpoll_zone_t *z);

/*
 * A file (zone_save.c).  One worker writes, with nobody beside it: it begins,
 * takes what is not saved, puts it on disk, says so, and takes more.
 *
 *     oldest ... SAVED ... NEXT ... newest
 *                  |         | not looked at
 *                  | being written
 *       AGAIN ->   in the file
 */

/* what the writer is given: lines of the file, and notes beside it */

#define NGX_HTTP_LONGPOLL_NOTE_DELETION   1     /* UUID: not lost, but not there;
                                               what its category lost, id, in
                                               this life, and half its hash */
#define NGX_HTTP_LONGPOLL_NOTE_KEY    2     /* UUID, hash of its key */
#define NGX_HTTP_LONGPOLL_NOTE_LOST   3     /* hash of a category, ids: what it
                                               lost up to there in this life,
                                               and perhaps or earlier */
#define NGX_HTTP_LONGPOLL_NOTE_TOMB   4     /* bucket, their number, and what
                                               the tombstone says */
#define NGX_HTTP_LONGPOLL_NOTE_REST   5     /* id: some category lost what is up
                                               to there */

typedef struct {
    uint64_t                         kind;
    uint64_t                         word[4];
} ngx_http_longpoll_note_t;

typedef struct {
    u_char                          *lines;
    size_t                           len;
    size_t                           size;
    size_t                           enough;    /* no publish is begun then */
    ngx_uint_t                       more;      /* one is not all in yet */
    size_t                           wanted;    /* if size is too small */

    ngx_http_longpoll_note_t        *notes;
    ngx_uint_t                       nnotes;
    ngx_uint_t                       max_notes;

    uint64_t                         deletions;      /* taken up to here */
} ngx_http_longpoll_save_t;

/*
 * A writer begins, or begins again: what another one had not finished is done
 * now, or once more.  *wake, here and below: workers to notify are added.
 */
void ngx_http_longpoll_zone_save_begin(ngx_http_longpoll_zone_t *z,
    uint64_t *wake);

/* the same, for a writer that tries once more */
void ngx_http_longpoll_zone_save_retry(ngx_http_longpoll_zone_t *z,
    uint64_t *wake);

/*
 * With durable a message becomes visible when it is saved.  Turning it off is
 * NGX_AGAIN as long as some wait for that; must: they are shown without.
 */
ngx_int_t ngx_http_longpoll_zone_durable(ngx_http_longpoll_zone_t *z,
    ngx_uint_t on, ngx_uint_t must, uint64_t *wake);

/* notes of what is gone; to be called first */
void ngx_http_longpoll_zone_save_deletions(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_save_t *save);

/*
 * Takes messages behind a mark, NEXT or AGAIN, until save is full.
 *
 * NGX_OK        that was all there is for now
 * NGX_AGAIN     it is full, or has enough
 * NGX_DECLINED  the next line alone needs save->wanted bytes
 */
ngx_int_t ngx_http_longpoll_zone_save(ngx_http_longpoll_zone_t *z,
    ngx_uint_t mark, ngx_http_longpoll_save_t *save);

/*
 * What was taken is on disk, the file and the notes have these sizes: with
 * durable it becomes visible.
 */
void ngx_http_longpoll_zone_saved(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_save_t *save, uint64_t size, uint64_t notes,
    uint64_t *wake);

/* it is not: what waits for the disk is refused, and begins again */
void ngx_http_longpoll_zone_unsaved(ngx_http_longpoll_zone_t *z,
    uint64_t *wake);

/* the file is to be written anew, from the oldest on; or is no longer */
void ngx_http_longpoll_zone_compact(ngx_http_longpoll_zone_t *z, ngx_uint_t on);

/*
 * A new file has all that the mark AGAIN has passed, and becomes the one.
 * NGX_AGAIN: it lacks something that the old one has.
 */
ngx_int_t ngx_http_longpoll_zone_renewed(ngx_http_longpoll_zone_t *z,
    uint64_t size, uint64_t notes);

/*
 * Notes of what categories have lost; those without messages have room for so
 * many, the rest is one note.  The caller zeroes the state and calls until it
 * is no longer NGX_AGAIN: save is full.
 */
#define NGX_HTTP_LONGPOLL_LOSSES  8192

typedef struct {
    ngx_uint_t                       n;
    ngx_uint_t                       empty;
    uint64_t                         rest;
} ngx_http_longpoll_losses_t;

ngx_int_t ngx_http_longpoll_zone_losses(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_losses_t *losses, ngx_http_longpoll_save_t *save);

/* whether there is something to write */
ngx_uint_t ngx_http_longpoll_zone_unwritten(ngx_http_longpoll_zone_t *z);

/*
 * Whether a publish is decided: NGX_OK: it is visible; NGX_ERROR: it could not
 * be written, and is not there; NGX_AGAIN.  failed is sh->disk.failed of before the
 * publish.
 */
ngx_int_t ngx_http_longpoll_zone_decided(ngx_http_longpoll_zone_t *z,
    uint64_t id, uint64_t failed);

/*
 * Workers that have the zone: one begins; is about to go; and has gone, which
 * returns those that are left.  Others are those that will stay.
 */
void ngx_http_longpoll_zone_join(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);
void ngx_http_longpoll_zone_leaving(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);
uint64_t ngx_http_longpoll_zone_resign(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t alive);
uint64_t ngx_http_longpoll_zone_others(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t alive);

/*
 * Before the first request: a message of an earlier life, in the order of
 * time; msg->id is where it stood (0: not known, only its ms), and becomes
 * where it stands.  key (NULL: none) is the hash of its publish's key.
 * NGX_OK; NGX_DECLINED: it is too large.
 */
ngx_int_t ngx_http_longpoll_zone_load(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg,
    const uint64_t *key, uint64_t now);

/* a note about losses; exact: they are this life's */
void ngx_http_longpoll_zone_load_loss(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_note_t *note, ngx_uint_t exact);

/* that was all; earlier: what did not fit was lost by an earlier life */
void ngx_http_longpoll_zone_loaded(ngx_http_longpoll_zone_t *z,
    ngx_uint_t earlier, uint64_t now);

/*
 * A zone of another size takes the place of old, and all that it has.  Nothing
 * of old is changed before ..._zone_moved(): what it gets from then on, and got
 * in between, is told as missed.  NGX_OK, or NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_longpoll_zone_adopt(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now, ngx_log_t *log);
void ngx_http_longpoll_zone_moved(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old);

/* whether it has the place of a zone of that life */
ngx_uint_t ngx_http_longpoll_zone_succeeds(ngx_http_longpoll_zone_t *z,
    uint64_t life);

/*
 * The zone is the only one of its file from now on; whose the file was has
 * given out ids and times up to last.  alone: it took nothing that was not
 * loaded, and cursors of earlier lives are to be believed from trusted (ms) on.
 * missing: it may have; all cursors of before are told.
 */
void ngx_http_longpoll_zone_alone(ngx_http_longpoll_zone_t *z, uint64_t last,
    uint64_t trusted);
void ngx_http_longpoll_zone_missing(ngx_http_longpoll_zone_t *z,
    uint64_t last);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_SAVE_H_INCLUDED_ */
