
/*
 * ngx_http_longpoll_zone_load.h: filling a new zone with an earlier epoch's
 * messages and losses.
 *
 * Before the zone's first request: messages in the order of time, losses in
 * any order, then loaded.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_LOAD_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_LOAD_H_INCLUDED_


#include "ngx_http_longpoll_zone_disk.h"


/* whether nothing has been loaded into the zone, and it replaced no other */
#define ngx_http_longpoll_zone_is_new(z)                                      \
    ((z)->sh->previous.epochs[0] == 0                                         \
     && !(z)->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].on)

/*
 * Appends a message.  msg->id is its position in the earlier epoch, or only its
 * ms (0: not known), and becomes its position here.  key is the hash of its
 * publish's idempotency key, NULL if there was none.  NGX_OK, or NGX_DECLINED:
 * the message is too large for the zone.
 */
ngx_int_t ngx_http_longpoll_zone_load(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg,
    const uint64_t *key, uint64_t now);

/* a note about losses; exact: they are of the same epoch as the zone */
void ngx_http_longpoll_zone_load_loss(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_note_t *note, ngx_uint_t exact);

/*
 * That was all.  earlier: the messages that found no room were lost in an
 * earlier epoch.
 */
void ngx_http_longpoll_zone_load_done(ngx_http_longpoll_zone_t *z,
    ngx_uint_t earlier, uint64_t now);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_LOAD_H_INCLUDED_ */
