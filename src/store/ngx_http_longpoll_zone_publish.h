
/*
 * ngx_http_longpoll_zone_publish.h: messages are stored.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_PUBLISH_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_PUBLISH_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Stores n messages, all or none, each under cats[msgs->cat].  No name stands
 * twice in cats, and the first message's category is cats[0].  Sets the ids and
 * UUIDs of msgs, and overwrites their pos.  *wake becomes the set of workers
 * to notify.  Takes the lock, as often as it needs.
 *
 * key is an idempotency key, NULL for none.  It is looked up in the first
 * category, by a walk over that category's messages.
 *
 * NGX_OK        stored; every read that begins now sees the messages
 * NGX_AGAIN     stored, but not on disk yet: readers see the messages once they
 *               are saved (..._zone_disk_decided())
 * NGX_DONE      nothing is stored: the messages of an earlier publish with this
 *               key are there, and the last of msgs has the id and the UUID of
 *               their last.  With durable they may not be on disk yet: ask
 *               ..._zone_disk_decided() about that id
 * NGX_ABORT     nothing is stored: messages that wait for the disk (durable)
 *               have the room, or the categories
 * NGX_ERROR     nothing is stored: the zone is frozen
 * NGX_DECLINED  the messages need more than a quarter of the zone, or more
 *               categories than the zone can have, or one has more than 4 GB
 */
ngx_int_t ngx_http_longpoll_zone_publish(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs, ngx_uint_t n,
    ngx_str_t *key, uint64_t now, uint64_t *wake);

/*
 * Whether a publish would be taken, without a store: how the message sizes and
 * the key are.  msgs and key as above; takes the lock, as often as it needs.
 *
 * NGX_OK        it would be
 * NGX_DONE, NGX_ERROR, NGX_DECLINED  as above
 */
ngx_int_t ngx_http_longpoll_zone_publish_check(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs, ngx_uint_t n,
    ngx_str_t *key, uint64_t now);


/* a flight of presence's events; its messages are in one category */

typedef struct ngx_http_longpoll_zone_flight_s {
    ngx_http_longpoll_msg_t         *msgs;
    ngx_uint_t                       n;
    uint64_t                         flying;    /* n entries, or FLYING_RESET */
    uint64_t                         flights;   /* that had begun when it was
                                                   collected */
    uint64_t                         worker;    /* set: to be woken when it is
                                                   decided */
} ngx_http_longpoll_zone_flight_t;

/*
 * Publishes the events of a flight.  The step that commits them begins the
 * flight.  Returns what the publish returns, except for NGX_DONE: nothing is
 * stored, since another process has begun a flight meanwhile.
 */
ngx_int_t ngx_http_longpoll_zone_publish_flight(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_zone_flight_t *flight,
    uint64_t now, uint64_t *wake);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_PUBLISH_H_INCLUDED_ */
