
/*
 * ngx_http_longpoll_zone_load.h: filling a new zone with an earlier epoch's
 * messages and losses.
 *
 * Before the zone's first request: messages in the order of time, losses in
 * any order, then ..._load_done().
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_LOAD_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_LOAD_H_INCLUDED_


#include "ngx_http_longpoll_zone_disk.h"
#include "ngx_http_longpoll_zone_room.h"


/* whether nothing has been loaded into the zone, and it replaced no other */
#define ngx_http_longpoll_zone_is_new(z)                                      \
    ((z)->sh->previous.epochs[0] == 0                                         \
     && !(z)->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].on)

/*
 * Appends a message.  In: msg->id is the id of the earlier epoch; if only the
 * time is known, its ms << 16; if nothing is known, 0.  msg->uuid says of which
 * epoch the message is.  Out: msg->id is the id in this zone; msg->pos is
 * overwritten.  key is the hash of its publish's idempotency key, NULL if there
 * was none.  Takes the lock, as often as it needs.
 *
 * NGX_OK
 * NGX_DECLINED  the message is too large for the zone
 */
ngx_int_t ngx_http_longpoll_zone_load(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg,
    const uint64_t *key, uint64_t now);

/*
 * The same for the store's files, of room->cats[0], in one hold of the lock; a
 * zone's only user may do without it.  The caller sets room->now, and zeroes
 * room->tail before it loads another message.  epoch is a number in sh->epochs,
 * or FOREIGN.  NGX_BUSY: out of steps, go on in another hold.
 */
ngx_int_t ngx_http_longpoll_zone_load_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_room_t *room, ngx_http_longpoll_msg_t *msg,
    ngx_uint_t epoch, const uint64_t *key, ngx_uint_t *steps);

/*
 * The number of the epoch in which a message got its id, from its UUID.  Sets
 * msg->id to that id, if the number is not FOREIGN.
 */
ngx_uint_t ngx_http_longpoll_zone_load_epoch(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_t *msg);

/*
 * Adds a note about losses.  exact: word[2] of NOTE_LOST is what the category
 * itself has lost.  Takes the lock.
 */
void ngx_http_longpoll_zone_load_loss(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_note_t *note, ngx_uint_t exact);

/*
 * Ends the load.  With earlier set, all losses so far count as losses of an
 * earlier epoch (shared).  Takes the lock.
 */
void ngx_http_longpoll_zone_load_done(ngx_http_longpoll_zone_t *z,
    ngx_uint_t earlier, uint64_t now);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_LOAD_H_INCLUDED_ */
