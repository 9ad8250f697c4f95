
/*
 * ngx_http_longpoll_zone_disk.h: what the writer of a zone's log takes from the
 * zone, and what it reports.
 *
 * The writer is one worker at a time.  A new one gives up the base of the one
 * before, and exposes what that has saved.  Then it works in rounds: it takes
 * notes, and messages behind NEXT, appends their lines to the last segment, and
 * reports the round as saved or failed.  For a base it takes all messages
 * behind BASE, up to base_upto, and then the losses; when the base has its
 * name, the writer reports that it is based.  Rounds and pieces of a base may
 * take turns.  The cursors are zone_cursor's.
 *
 * Every call but decided and msg takes the lock, as often as it needs.  A call
 * adds the workers that the caller must notify to the set *wake.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_DISK_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_DISK_H_INCLUDED_


#include "ngx_http_longpoll_control.h"
#include "ngx_http_longpoll_store.h"


/* lines of the log, in memory of the writer's, which grows with them */

typedef struct {
    u_char                          *data;
    size_t                           len;
    size_t                           size;
    size_t                           enough;    /* from here on no publish is
                                                   begun */
    size_t                           wanted;    /* by the next message */
    ngx_uint_t                       more;      /* the last publish that was
                                                   taken goes on */
} ngx_http_longpoll_lines_t;


/* a round, as it is reported */

typedef struct {
    uint64_t                         file_size; /* of the segment, with it */
    uint64_t                         notes;     /* of the ring, up to here */
    ngx_int_t                        says;      /* SAYS_: the segment says so,
                                                   and that the epoch has begun;
                                                   -1: as before */
} ngx_http_longpoll_round_t;


/*
 * Begins with no lines, and room for enough bytes and a control line.  NGX_OK,
 * or NGX_ERROR, here and below: there is no memory, and errno says so.
 */
ngx_int_t ngx_http_longpoll_zone_disk_lines(ngx_http_longpoll_lines_t *lines,
    size_t enough);

/* appends a BASE or AFTER line that says SAYS_, for which there is room */
void ngx_http_longpoll_zone_disk_head(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_lines_t *lines, ngx_http_longpoll_control_e kind,
    ngx_uint_t says);

/*
 * Begins a round: sets NEXT to SAVED, and appends notes of the ring, while
 * lines has less than a quarter of enough.  Returns up to where the ring was
 * taken.
 */
uint64_t ngx_http_longpoll_zone_disk_notes(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_lines_t *lines);

/*
 * Appends messages behind a cursor, NEXT or BASE.
 *
 * NGX_OK     that was all there is for now
 * NGX_AGAIN  lines has enough
 * NGX_ERROR
 */
ngx_int_t ngx_http_longpoll_zone_disk_take(ngx_http_longpoll_zone_t *z,
    ngx_uint_t cursor, ngx_http_longpoll_lines_t *lines);

/* under the lock: the message as the log has it, in place */
void ngx_http_longpoll_zone_disk_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_str_t *name,
    ngx_http_longpoll_msg_t *m);

/*
 * Appends DROP lines for what categories have lost, and a REST for those that
 * are too many.  Behind that there is room for a control line.
 */
ngx_int_t ngx_http_longpoll_zone_disk_losses(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_lines_t *lines);

/* the round is on disk.  With durable its messages become visible */
void ngx_http_longpoll_zone_disk_saved(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_round_t *round, uint64_t *wake);

/*
 * The round is not on disk, or there cannot be one.  With durable the call
 * refuses all messages that wait for the disk, and *wake becomes all workers.
 */
void ngx_http_longpoll_zone_disk_failed(ngx_http_longpoll_zone_t *z,
    uint64_t *wake);

/* the last segment is not written again: the next round makes the next one */
void ngx_http_longpoll_zone_disk_next_segment(ngx_http_longpoll_zone_t *z);

/*
 * Begins a clean end: from now on publishes wait, and are not visible, until a
 * writer has begun the epoch again.
 *
 * NGX_OK
 * NGX_AGAIN  there is something to write first
 */
ngx_int_t ngx_http_longpoll_zone_disk_end(ngx_http_longpoll_zone_t *z);

/*
 * A base begins: it will replace the segments up to base_number, and rounds go
 * to a segment behind that.  BASE stands at the beginning.
 */
void ngx_http_longpoll_zone_disk_base_begin(ngx_http_longpoll_zone_t *z);

/* the base is given up */
void ngx_http_longpoll_zone_disk_base_stop(ngx_http_longpoll_zone_t *z);

/*
 * PATH is the base, with this inode, and the directory is synced.  If the log
 * was lost, the base's events are saved now, and says is what its first line
 * says.
 */
void ngx_http_longpoll_zone_disk_based(ngx_http_longpoll_zone_t *z,
    uint64_t node, ngx_uint_t says, uint64_t *wake);

/* turns durable on, if it is off */
void ngx_http_longpoll_zone_disk_durable(ngx_http_longpoll_zone_t *z);

/*
 * With durable: saved messages become visible, and their workers are marked;
 * refused ones are dropped.  all: the others become visible, too, and durable
 * goes off.
 */
void ngx_http_longpoll_zone_disk_expose(ngx_http_longpoll_zone_t *z,
    ngx_uint_t all, uint64_t *wake);

/*
 * The outcome of a publish that waits for the disk; id is its last, failed is
 * disk.failed as it was before the publish.  NGX_OK: the publish is visible;
 * NGX_ERROR: it was refused; NGX_AGAIN: not yet known.  Takes no lock.
 */
ngx_int_t ngx_http_longpoll_zone_disk_decided(ngx_http_longpoll_zone_t *z,
    uint64_t id, uint64_t failed);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_DISK_H_INCLUDED_ */
