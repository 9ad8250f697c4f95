
/*
 * ngx_http_longpoll_zone_disk.h: what the writer of a zone's file takes from
 * the zone, and what it reports.
 *
 * One worker at a time is the writer.  It begins, takes messages that are not
 * saved, writes them, reports them as saved, and takes more.
 *
 *     oldest ... COMPACT ... SAVED ... NEXT ... newest
 *                              |         | not taken yet
 *                in the file   | being written
 *
 * Every call but unwritten, decided and msg takes the lock, as often as it
 * needs.  A call adds the workers that the caller must notify to the set *wake.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_DISK_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_DISK_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* notes beside the file: what each kind says in word[] */

#define NGX_HTTP_LONGPOLL_NOTE_DELETION   1 /* UUID of a message that is not to
                                               be loaded; id up to which its
                                               category has lost messages in
                                               this epoch, hash[1] of the
                                               category */
#define NGX_HTTP_LONGPOLL_NOTE_KEY        2 /* UUID of a message; hash of its
                                               publish's idempotency key */
#define NGX_HTTP_LONGPOLL_NOTE_LOST       3 /* hash of a category; ids up to
                                               which it has lost messages: in
                                               this epoch, and perhaps or in an
                                               earlier one */
#define NGX_HTTP_LONGPOLL_NOTE_TOMBSTONE  4 /* bucket, number of buckets; id
                                               and check of its tombstone */
#define NGX_HTTP_LONGPOLL_NOTE_REST       5 /* id: some category has lost
                                               messages up to there */

typedef struct {
    uint64_t                         kind;
    uint64_t                         word[4];
} ngx_http_longpoll_note_t;


/* what the writer takes: lines of the file, and notes beside it */

typedef struct {
    u_char                          *lines;
    size_t                           len;
    size_t                           size;
    size_t                           enough;    /* from here on no publish is
                                                   begun */
    ngx_uint_t                       more;      /* the last publish taken goes
                                                   on */
    size_t                           wanted;    /* if size is too small */

    ngx_http_longpoll_note_t        *notes;
    ngx_uint_t                       nnotes;
    ngx_uint_t                       max_notes;

    uint64_t                         deletions; /* records taken up to here */
} ngx_http_longpoll_save_t;


/*
 * A walk over what categories have lost.  LOSSES is the most notes for
 * categories without messages.  All further ones share NOTE_REST.
 */

#define NGX_HTTP_LONGPOLL_LOSSES  8192

typedef struct {
    ngx_uint_t                       n;         /* slot, then tombstone */
    ngx_uint_t                       empty;     /* notes so far */
    uint64_t                         rest;      /* id of NOTE_REST */
} ngx_http_longpoll_losses_t;


/*
 * A new writer calls begin.  A writer whose write failed calls retry.  Both
 * expose saved messages, drop refused ones, and set NEXT back to SAVED.  begin
 * also gives up a compaction.
 */
void ngx_http_longpoll_zone_disk_begin(ngx_http_longpoll_zone_t *z,
    uint64_t *wake);
void ngx_http_longpoll_zone_disk_retry(ngx_http_longpoll_zone_t *z,
    uint64_t *wake);

/* takes notes of deletions; to be called before messages are taken */
void ngx_http_longpoll_zone_disk_deletions(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_save_t *save);

/*
 * Takes messages behind a cursor, NEXT or COMPACT, until save is full.
 *
 * NGX_OK        that was all there is for now
 * NGX_AGAIN     save is full, or has enough
 * NGX_DECLINED  the next line alone needs save->wanted bytes
 */
ngx_int_t ngx_http_longpoll_zone_disk_take(ngx_http_longpoll_zone_t *z,
    ngx_uint_t cursor, ngx_http_longpoll_save_t *save);

/*
 * What was taken is on disk; file and notes have these sizes.  With durable the
 * messages become visible.
 */
void ngx_http_longpoll_zone_disk_saved(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_save_t *save, uint64_t size, uint64_t notes,
    uint64_t *wake);

/*
 * What was taken could not be written.  With durable the call refuses all
 * messages that wait for the disk, and *wake becomes all workers.  Then it does
 * what retry does.
 */
void ngx_http_longpoll_zone_disk_failed(ngx_http_longpoll_zone_t *z,
    uint64_t *wake);

/* whether there is something to write; takes no lock */
ngx_uint_t ngx_http_longpoll_zone_disk_unwritten(ngx_http_longpoll_zone_t *z);

/* a compaction begins with the oldest message (on), or is given up */
void ngx_http_longpoll_zone_disk_compact(ngx_http_longpoll_zone_t *z,
    ngx_uint_t on);

/*
 * The new file has all that COMPACT has passed, and replaces the old one.
 *
 * NGX_OK     the zone takes over its sizes
 * NGX_AGAIN  nothing has changed: the new file lacks messages that the old one
 *            has, or the compaction was given up
 */
ngx_int_t ngx_http_longpoll_zone_disk_compacted(ngx_http_longpoll_zone_t *z,
    uint64_t size, uint64_t notes);

/*
 * Takes notes of what categories have lost.  The caller zeroes losses, and
 * calls as long as the result is NGX_AGAIN.
 *
 * NGX_OK     that was all
 * NGX_AGAIN  save is full
 */
ngx_int_t ngx_http_longpoll_zone_disk_losses(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_losses_t *losses, ngx_http_longpoll_save_t *save);

/*
 * Turns durable on or off.  With must set, the messages that wait for the disk
 * become visible although they are not saved.
 *
 * NGX_OK
 * NGX_AGAIN  it cannot be turned off yet: messages wait for the disk
 */
ngx_int_t ngx_http_longpoll_zone_disk_durable(ngx_http_longpoll_zone_t *z,
    ngx_uint_t on, ngx_uint_t must, uint64_t *wake);

/*
 * The outcome of a publish that waits for the disk; id is its last, failed is
 * disk.failed as it was before the publish.  NGX_OK: the publish is visible;
 * NGX_ERROR: it was refused; NGX_AGAIN: not yet known.  Takes no lock.
 */
ngx_int_t ngx_http_longpoll_zone_disk_decided(ngx_http_longpoll_zone_t *z,
    uint64_t id, uint64_t failed);

/* under the lock: the message as the log has it, in place */
void ngx_http_longpoll_zone_disk_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_str_t *name,
    ngx_http_longpoll_msg_t *m);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_DISK_H_INCLUDED_ */
