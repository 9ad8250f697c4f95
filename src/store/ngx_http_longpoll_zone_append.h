
/*
 * ngx_http_longpoll_zone_append.h: messages into the log: what a publish
 * (zone_publish) and a stream's entry (zone_feed) have in common.
 *
 * For the store's files.  The caller holds the lock.  Inlined, as a publish
 * pays for each call.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_APPEND_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_APPEND_H_INCLUDED_


#include "ngx_http_longpoll_zone_key.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_watch.h"


/* what is to be published */

typedef struct {
    ngx_http_longpoll_cat_t       *cats;
    ngx_http_longpoll_msg_t       *msgs;
    ngx_uint_t                     n;
    ngx_http_longpoll_zone_key_t  *key;         /* NULL: none */
    ngx_http_longpoll_zone_room_t  room;
    uint64_t                       now;
} ngx_http_longpoll_zone_append_t;


/*
 * Fills pub, but for its key: NULL.  Takes no lock.  NGX_OK; NGX_DECLINED: a
 * message has more than 4 GB.
 */

static ngx_inline ngx_int_t
ngx_http_longpoll_zone_append_init(ngx_http_longpoll_zone_append_t *pub,
    ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs, ngx_uint_t n,
    uint64_t now)
{
    ngx_uint_t  i;

    pub->cats = cats;
    pub->msgs = msgs;
    pub->n = n;
    pub->key = NULL;
    pub->room.cats = cats;
    pub->room.now = now;
    pub->room.tail = 0;
    pub->now = now;

    for (i = 0; i < n; i++) {

        if (msgs[i].data.len > NGX_HTTP_LONGPOLL_MSG_MAX) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* NGX_OK: room->need and room->ncats are set; NGX_DECLINED */

static ngx_inline ngx_int_t
ngx_http_longpoll_zone_append_need(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_append_t *pub)
{
    uint64_t                  need;
    ngx_uint_t                i, ncats;
    ngx_http_longpoll_msg_t  *msgs;

    msgs = pub->msgs;
    need = 0;
    ncats = 0;

    /* in every hold anew: a reload may turn delete_on_read on */

    for (i = 0; i < pub->n; i++) {
        ncats = ngx_max(ncats, msgs[i].cat + 1);
        need += ngx_http_longpoll_zone_msg_need(&pub->cats[msgs[i].cat],
                          &msgs[i],
                          ngx_http_longpoll_zone_bits(z, pub->key && i == 0));
    }

    if (need > z->size / 4
        || ncats > ngx_http_longpoll_cat_max_full(&z->cats))
    {
        return NGX_DECLINED;
    }

    pub->room.ncats = ncats;
    pub->room.need = need;

    return NGX_OK;
}


/*
 * Makes room for all messages, for which they must be appended in this hold.
 *
 * NGX_OK, NGX_BUSY
 * NGX_ABORT     messages that wait for the disk have the room
 * NGX_DECLINED  the messages are too large for the zone
 */

static ngx_inline ngx_int_t
ngx_http_longpoll_zone_append_room(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_append_t *pub, ngx_uint_t *steps)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_zone_append_need(z, pub);

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_zone_room(z, &pub->room, steps);
        rc = rc == NGX_DECLINED ? NGX_ABORT : rc;
    }

    return rc;
}


/*
 * Appends message i, which has its id, in order.  epoch is its epoch's number.
 * Nobody sees it until the caller commits it.
 */

static ngx_inline void
ngx_http_longpoll_zone_append_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_append_t *pub, ngx_uint_t i, ngx_uint_t epoch)
{
    uint32_t                     slot;
    uint64_t                     first, pending;
    const uint64_t              *key;
    ngx_uint_t                   bits;
    ngx_http_longpoll_cat_t     *cat;
    ngx_http_longpoll_msg_t     *msg;
    ngx_http_longpoll_cat_sh_t  *c;

    msg = &pub->msgs[i];
    cat = &pub->cats[msg->cat];

    /* ids from this one on are this publish's */

    first = i ? pub->msgs[0].id : (uint64_t) -1;
    key = pub->key && i == 0 ? pub->key->hash : NULL;

    slot = ngx_http_longpoll_zone_room_slot(z, cat, pub->now);
    c = &z->cats.slots[slot];
    msg->pos = slot;

    bits = ngx_http_longpoll_zone_bits(z, key);
    pending = bits & NGX_HTTP_LONGPOLL_MSG_PENDING
              ? ngx_http_longpoll_zone_watch_interested(z, c, first) : 0;

    bits |= epoch << 4;

    if (i + 1 < pub->n) {
        bits |= NGX_HTTP_LONGPOLL_MSG_MORE;
    }

    ngx_http_longpoll_zone_list_append(z, cat, msg, bits, pending, key);
}


/*
 * The messages are visible: marks the workers that wait for them, and returns
 * their set; drops what is over the buffer.
 */

static ngx_inline uint64_t
ngx_http_longpoll_zone_append_mark(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_append_t *pub)
{
    uint32_t    slot;
    uint64_t    wake;
    ngx_uint_t  i, steps;

    wake = 0;

    for (i = 0; i < pub->n; i++) {
        slot = (uint32_t) pub->msgs[i].pos;
        wake |= ngx_http_longpoll_zone_watch_mark(z, slot, pub->msgs[0].id);

        steps = NGX_HTTP_LONGPOLL_ZONE_FEW;
        (void) ngx_http_longpoll_zone_room_trim(z, slot, &steps);
    }

    return wake;
}


#endif /* _NGX_HTTP_LONGPOLL_ZONE_APPEND_H_INCLUDED_ */
