
/*
 * ngx_http_longpoll_zone_read.h: messages behind a cursor are read, or the
 * worker's interest is registered, in one lock hold.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_READ_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_READ_H_INCLUDED_


#include "ngx_http_longpoll_read.h"


/*
 * Reads behind rd->cursor, oldest first, up to rd->limit: at least one message,
 * and never only a part of those that share a ms.  Takes the lock, as often as
 * it needs.
 *
 * Where there is no message, PARK and WAKE register the worker's interest in
 * the same lock hold; LAST and PEEK find the time of a time-out's answer, and
 * no later message will share its ms.
 *
 * With rd->client set, the client's cursor is read in every hold.  The read
 * returns one message, and moves the cursor to it in the same lock hold: of all
 * polls with one client id only this one gets the message.  PARK and WAKE also
 * register that the client waits in the worker; LAST finds no time.
 *
 * The memory of msgs belongs to the store, one for each process, and is valid
 * until the next read.  The bytes of the messages stand in the zone itself or
 * in that memory: use them, then ask ..._zone_read_valid().
 *
 * NGX_OK     rd->msgs, rd->nmsgs, rd->missed
 * NGX_AGAIN  no message: rd->missed, and rd->slots or rd->timestamp
 * NGX_DONE   the client is not known: it never was, was idle for too long, or
 *            made room for another.  With rd->missed it has been dropped now,
 *            because an event behind its cursor is gone
 * NGX_ABORT  the zone is frozen: rd->timestamp, from which the client goes on
 *            in the zone that replaced this one.  Nothing is registered, and a
 *            client's cursor stays
 * NGX_ERROR  no memory
 */
ngx_int_t ngx_http_longpoll_zone_read(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd, uint64_t now);

/*
 * Whether the bytes used since the read were the messages'.  If not, throw away
 * what was made of them and read again.  The third read copies under the lock,
 * so it is always valid.
 */
ngx_uint_t ngx_http_longpoll_zone_read_valid(ngx_http_longpoll_zone_t *z);

/*
 * Whether a new poll's cursor is at the newest message of all, so that a read
 * would find nothing and miss nothing.  If so, the cursor counts as read:
 * cursor->fresh is cleared.
 *
 * Takes no lock.  Only call it when this worker is already interested in the
 * poll's category, so that every later message is marked for the worker; else a
 * message may be lost.
 */
ngx_uint_t ngx_http_longpoll_zone_read_newest(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_READ_H_INCLUDED_ */
