
/*
 * ngx_http_longpoll_zone_epoch.h: the epochs of a copy of a stream, and which
 * cursors are told missed because of them.
 *
 * The stream begins an epoch whenever it may have lost something.  An id
 * belongs to the newest epoch that begins at or in front of it.  The zone knows
 * up to NGX_HTTP_LONGPOLL_EPOCHS of them; a message has the number of its own.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_EPOCH_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_EPOCH_H_INCLUDED_


#include "ngx_http_longpoll_read.h"


/*
 * The number of the epoch to which an id belongs; NGX_HTTP_LONGPOLL_EPOCHS: the
 * zone knows none that old.  The caller holds the lock.
 */
ngx_uint_t ngx_http_longpoll_zone_epoch_of(ngx_http_longpoll_zone_t *z,
    uint64_t id);

/* the UUID of an id, in the epoch to which it belongs; takes the lock */
void ngx_http_longpoll_zone_epoch_uuid(ngx_http_longpoll_zone_t *z,
    uint64_t id, ngx_http_longpoll_uuid_t *uuid);

/*
 * The zone gets to know an epoch that begins at id.  If it knows as many as it
 * can, it forgets the oldest one, whose messages are evicted before; an epoch
 * that would be the oldest itself is ignored.  The caller holds the lock.
 *
 * NGX_OK
 * NGX_BUSY   out of steps: go on in another hold
 */
ngx_int_t ngx_http_longpoll_zone_epoch_add(ngx_http_longpoll_zone_t *z,
    uint64_t epoch, uint64_t id, ngx_uint_t *steps);

/*
 * The epochs of the stream's list, the newest first.  One that is not in it and
 * has not begun here is forgotten; the others are added.  The caller holds the
 * lock.  NGX_OK, NGX_BUSY.
 */
ngx_int_t ngx_http_longpoll_zone_epoch_list(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_entry_life_t *lives, ngx_uint_t n, ngx_uint_t *steps);

/* forgets all of them; the zone has no messages.  The caller holds the lock */
void ngx_http_longpoll_zone_epoch_clear(ngx_http_longpoll_zone_t *z);

/*
 * Whether an epoch, of a cursor, may have begun in another copy and not here
 * yet; 0: the cursor has none.  The caller holds the lock.
 */
ngx_uint_t ngx_http_longpoll_zone_epoch_begins(ngx_http_longpoll_zone_t *z,
    uint64_t epoch);

/*
 * Whether a cursor comes from another epoch than the newest one here.  No
 * answer that was made for others is right for it.  Takes no lock.
 */
#define ngx_http_longpoll_zone_epoch_other(z, cursor)                         \
    ((cursor)->epoch && (cursor)->epoch != (z)->sh->epoch)

/*
 * Whether events behind a cursor may be missing: the stream had a gap behind
 * it, or the newest epoch began behind it.  A poll from the beginning misses no
 * event of an earlier epoch.  Also without the lock: what comes meanwhile is
 * told later.  In a zone that is no copy the answer is 0.
 */
#define ngx_http_longpoll_zone_epoch_missing(z, cursor)                       \
    ((z)->sh->feed.on                                                         \
     && ((cursor)->id < (z)->sh->feed.gap                                     \
         || ((cursor)->id < (z)->sh->feed.begin && !(cursor)->beginning)      \
         || ngx_http_longpoll_zone_epoch_other(z, cursor)))


#endif /* _NGX_HTTP_LONGPOLL_ZONE_EPOCH_H_INCLUDED_ */
