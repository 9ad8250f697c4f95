
/*
 * ngx_http_longpoll_zone_room.h: messages and categories make room.
 *
 * A message is dropped when it is over its ttl (expire), over its category's
 * buffer (trim), or the oldest in a full zone (evict); a category when it is
 * inactive, or used longest ago in a full index.
 *
 * The caller holds the lock in every call.  A function that counts steps takes
 * those it did off *steps, and returns NGX_BUSY when none are left: the caller
 * unlocks, and goes on in another hold.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_ROOM_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_ROOM_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* live messages may have this much of the log; the rest pays for cleaning */

#define ngx_http_longpoll_zone_room_limit(z)                                  \
    ((z)->log.sh->size / 20 * 17)


/* messages that the category of presence's events keeps, at least */

#define NGX_HTTP_LONGPOLL_ZONE_PRESENCE_BUFFER  10000


/* what a publish needs */

typedef struct {
    ngx_http_longpoll_cat_t         *cats;
    ngx_uint_t                       ncats;
    uint64_t                         need;      /* bytes of the log, in one
                                                   piece */
    uint64_t                         now;
    uint64_t                         tail;      /* of the log, when an event was
                                                   last evicted to break up the
                                                   rest; 0: never */
} ngx_http_longpoll_zone_room_t;


/*
 * Makes room for a publish, and sets the slot of each of its categories, NONE
 * if it has none.  The caller zeroes tail, and goes on with the same struct.
 *
 * NGX_OK        in this hold, so many messages can be appended, and so many
 *               slots be taken (..._slot())
 * NGX_BUSY
 * NGX_DECLINED  messages that wait for the disk have the room
 */
ngx_int_t ngx_http_longpoll_zone_room(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_room_t *room, ngx_uint_t *steps);

/* the slot of a category for which room was made in this hold */
uint32_t ngx_http_longpoll_zone_room_slot(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now);

/* drops the messages over their ttl; 1: there are more */
ngx_uint_t ngx_http_longpoll_zone_room_expire(ngx_http_longpoll_zone_t *z,
    uint64_t now, ngx_uint_t *steps);

/* drops the messages over the category's buffer; NGX_OK, NGX_BUSY */
ngx_int_t ngx_http_longpoll_zone_room_trim(ngx_http_longpoll_zone_t *z,
    uint32_t slot, ngx_uint_t *steps);

/*
 * Finds a category and applies all limits to it: inactive, ttl, buffer.  With
 * use, the category is in use now.  NGX_OK: *slot is set, to
 * NGX_HTTP_LONGPOLL_CAT_NONE if there is no such category; NGX_BUSY.
 */
ngx_int_t ngx_http_longpoll_zone_room_touch(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now, ngx_uint_t use,
    ngx_uint_t *steps, uint32_t *slot);

/*
 * The slot that a new category may take.  full: only slots with messages, none
 * of which waits for the disk; else only slots without.  watched: if no
 * unwatched slot is found, a slot with interested workers may be taken.  Takes
 * a step for each 16 slots.
 * NGX_HTTP_LONGPOLL_CAT_NONE: none was found this time.
 */
uint32_t ngx_http_longpoll_zone_room_victim(ngx_http_longpoll_zone_t *z,
    ngx_uint_t full, ngx_uint_t watched, ngx_uint_t *steps);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_ROOM_H_INCLUDED_ */
