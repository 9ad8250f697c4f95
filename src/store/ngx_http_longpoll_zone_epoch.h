
/*
 * ngx_http_longpoll_zone_epoch.h: cursors of earlier epochs, and of another
 * nginx.
 *
 * Every new zone begins an epoch; its messages' ids carry it.  A zone that was
 * loaded from a file, or that replaced another one, also gets cursors that
 * earlier epochs issued, and must know which of them may have missed events.
 *
 * alone and missing take the lock; latest takes it only if the zone has still
 * to advance behind what another nginx took; the others take none.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_EPOCH_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_EPOCH_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Whether events behind a cursor may have been lost with an earlier epoch: a
 * cursor that is an id of that epoch (id), or a time.
 */
ngx_uint_t ngx_http_longpoll_zone_epoch_lost(ngx_http_longpoll_zone_t *z,
    uint64_t ms, ngx_uint_t id);

/*
 * Whether the zone has, or had, messages of that epoch: then the epoch's ids
 * are positions in the zone's list.
 */
ngx_uint_t ngx_http_longpoll_zone_epoch_known(ngx_http_longpoll_zone_t *z,
    uint64_t epoch);

/* whether the zone replaced one of that epoch */
ngx_uint_t ngx_http_longpoll_zone_epoch_succeeds(ngx_http_longpoll_zone_t *z,
    uint64_t epoch);

/*
 * Returns a time in ms.  Before that time another nginx may have issued times
 * of its own.  A client with such a time may not have seen this zone's earlier
 * messages.  0: no other nginx has; -1: one still does.
 */
uint64_t ngx_http_longpoll_zone_epoch_contested_until(
    ngx_http_longpoll_zone_t *z);

/*
 * These two end the time of two nginxes with one file: the file now belongs to
 * this zone alone.  The other nginx has issued ids and times up to last.
 *
 * alone: it took no message that is not loaded here, and cursors of earlier
 * epochs are valid from that ms on.  missing: it may have; every poll with a
 * cursor that was issued so far gets missed.
 */
void ngx_http_longpoll_zone_epoch_alone(ngx_http_longpoll_zone_t *z,
    uint64_t last, uint64_t valid_from);
void ngx_http_longpoll_zone_epoch_missing(ngx_http_longpoll_zone_t *z,
    uint64_t last);

/* the newest position now, as an id */
uint64_t ngx_http_longpoll_zone_epoch_latest(ngx_http_longpoll_zone_t *z);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_EPOCH_H_INCLUDED_ */
