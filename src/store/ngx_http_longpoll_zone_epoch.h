
/*
 * ngx_http_longpoll_zone_epoch.h: cursors of earlier epochs, and of another
 * nginx.
 *
 * Every new zone begins an epoch; its messages' ids carry it.  A zone that was
 * loaded from a log, or that replaced another one, also gets cursors that
 * earlier epochs issued, and must know which of them may have missed events.
 *
 * latest takes the lock only where cursors so far are told; the others take
 * none.
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

/*
 * While another nginx has the log: whether this zone took messages of its own
 * since it was loaded, or since it ended its epoch.
 */
#define ngx_http_longpoll_zone_epoch_took(z)                                  \
    (*(volatile uint64_t *) &(z)->sh->clock.committed                         \
     > *(volatile uint64_t *)                                                 \
           &(z)->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id)

/* the newest position now, as an id */
uint64_t ngx_http_longpoll_zone_epoch_latest(ngx_http_longpoll_zone_t *z);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_EPOCH_H_INCLUDED_ */
