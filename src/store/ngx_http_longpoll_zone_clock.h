
/*
 * ngx_http_longpoll_zone_clock.h: the ids that a zone issues, and how far
 * readers see.
 *
 * All calls hold the lock, but for has_late.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_CLOCK_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_CLOCK_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * The first ms that may still get messages: every message of an earlier ms is
 * visible, and no other one will have such an id.
 */
uint64_t ngx_http_longpoll_zone_clock_horizon(ngx_http_longpoll_zone_t *z,
    uint64_t now);

/* the last visible message of a category; NULL: there is none */
ngx_http_longpoll_msg_sh_t *ngx_http_longpoll_zone_clock_last(
    ngx_http_longpoll_zone_t *z, uint32_t slot);

/*
 * The newest position becomes id, or one behind it: what comes from now on is
 * behind id.  Does nothing while messages wait for the disk.
 */
void ngx_http_longpoll_zone_clock_advance(ngx_http_longpoll_zone_t *z,
    uint64_t id);

/*
 * Where several zones of this name exist (a zone was resized): last_id has
 * moved on.  To be called in the same hold, before anybody learns of the id.
 */
void ngx_http_longpoll_zone_clock_issued(ngx_http_longpoll_zone_t *z);

/*
 * The same, of a publish to a zone that has been replaced: its messages are
 * only here, so polls in the later zones must get missed.  To be called before
 * the messages are visible.
 */
void ngx_http_longpoll_zone_clock_late_write(ngx_http_longpoll_zone_t *z);

/* word becomes id, if that is higher; several workers may do so at a time */
void ngx_http_longpoll_zone_clock_raise(ngx_atomic_t *word, uint64_t id);

/*
 * Whether events behind id may have gone to an earlier zone of this name, or
 * to another nginx that had the file.  The latter belong to another epoch: a
 * poll from the beginning does not miss them.
 */
#define ngx_http_longpoll_zone_clock_has_late(z, id, beginning)               \
    (((z)->late                                                               \
      && (id) < *ngx_http_longpoll_zone_late_upto(z,                          \
                                              (z)->sh->resize.generation))    \
     || ((id) < (z)->sh->previous.missing_below && !(beginning)))


#endif /* _NGX_HTTP_LONGPOLL_ZONE_CLOCK_H_INCLUDED_ */
