
/*
 * ngx_http_longpoll_zone_presence.h: who waits for what, as events.
 *
 *     come, leave     a poll or a stream comes, or its worker's last one leaves
 *     tick            what is over grace leaves for good
 *     publish         what is due is reported, by events in CATEGORY
 *     reap            a dead worker's waiters have left
 *
 * come, leave, tick and reap change the table (ngx_http_longpoll_presence.h),
 * where a change becomes due.  They publish no event: a worker that sees that
 * something is due (..._is_due()) calls publish (announce).
 *
 * z->presence is the name of CATEGORY, z->sh->presence what is published, and
 * z->present the table.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_PRESENCE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_PRESENCE_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* whether the zone has presence; never changes */
#define ngx_http_longpoll_zone_has_presence(z)  ((z)->presence.len != 0)

/* whether something is to be published; without the lock */
#define ngx_http_longpoll_zone_presence_is_due(z)                             \
    (((z)->present.sh->queues[NGX_HTTP_LONGPOLL_PRESENCE_DUE].oldest          \
      || (z)->sh->presence.reset || (z)->sh->presence.walk)                   \
     && !(z)->sh->moved)

/* ms in which the lack of room is logged once */
#define NGX_HTTP_LONGPOLL_ZONE_PRESENCE_LOG  60000


/*
 * Before the zone's first request: hashes CATEGORY, with the zone's key as it
 * is now.  A new zone begins with a reset.
 */
void ngx_http_longpoll_zone_presence_init(ngx_http_longpoll_zone_t *z);


/*
 * For the store's files.  The caller holds the lock, and the zone has presence.
 */

/*
 * Somebody reads these categories.  stays: somebody waits for them from now on
 * in the worker, until leave; else it has been there at this moment only.
 */
void ngx_http_longpoll_zone_presence_come(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_cat_t *cats, ngx_uint_t n,
    ngx_uint_t stays, uint64_t now);

/* whether the category is present */
ngx_uint_t ngx_http_longpoll_zone_presence_has(ngx_http_longpoll_zone_t *z,
    const uint64_t hash[2]);



/*
 * All of these take the lock, as often as they need, and do nothing in a zone
 * without presence.
 */

/*
 * z has another size, and nobody uses it yet.  It takes over the entries of
 * old, which is frozen.  The clients that wait in old come to z before the time
 * back.
 */
void ngx_http_longpoll_zone_presence_adopt(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now, uint64_t back);

/*
 * Nobody waits for the category in this worker any more.  If the worker has an
 * interest in a slot that ends as well, call ..._zone_watch_end() instead,
 * which does both in one hold.
 */
void ngx_http_longpoll_zone_presence_leave(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, const uint64_t hash[2], uint64_t now);

/*
 * Once a second: the categories whose grace is over become due, up to 1,000 in
 * a call.  *full becomes 1 if categories had no room, and that was not logged
 * for a minute: the caller logs it.
 *
 * NGX_OK
 * NGX_BUSY  there are more: call again in a next turn of nginx's loop
 */
ngx_int_t ngx_http_longpoll_zone_presence_tick(ngx_http_longpoll_zone_t *z,
    uint64_t now, ngx_uint_t *full);

/* a dead worker's waiters have left */
void ngx_http_longpoll_zone_presence_reap(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now);

/*
 * Publishes the next few events that are due, in order; or passes the next
 * 1,000 units behind a reset.  *wake becomes the set of workers to notify.
 *
 * NGX_OK        there may be more: call again
 * NGX_DONE      nothing is due
 * NGX_AGAIN     what was published waits for the disk; this worker is notified
 *               when that is decided
 * NGX_DECLINED  there is no room now, the disk has refused what was published,
 *               or the zone is frozen: try again later
 */
ngx_int_t ngx_http_longpoll_zone_presence_publish(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now, uint64_t *wake);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_PRESENCE_H_INCLUDED_ */
