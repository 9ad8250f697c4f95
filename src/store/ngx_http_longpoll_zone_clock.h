
/*
 * ngx_http_longpoll_zone_clock.h: the ids that a zone issues, how far readers
 * see, and the cursors of earlier epochs, and of another nginx.
 *
 * Every new zone begins an epoch; its messages' ids carry it.  A zone that was
 * loaded from a log, or that replaced another one, also gets cursors that
 * earlier epochs issued, and must know which of them may have missed events.
 *
 * The caller holds the zone's lock in horizon, last and advance.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_CLOCK_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_CLOCK_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


#define NGX_HTTP_LONGPOLL_ZONE_SLACK  1000      /* ms */


#define ngx_http_longpoll_zone_clock_last_ms(z)                               \
    ngx_http_longpoll_id_ms(                                                  \
                       *(volatile uint64_t *) &(z)->sh->clock.last_id)


/*
 * The zone's time, which callers pass to the other functions of the store: the
 * wall clock's, or while that is behind the last id, that id's and what has
 * elapsed since then.  _time: of a wall clock and an elapsed time, both in ms.
 * Without the lock.
 */
uint64_t ngx_http_longpoll_zone_clock_time(ngx_http_longpoll_zone_t *z,
    uint64_t wall, uint64_t elapsed);

/* ms of CLOCK_MONOTONIC, which is the same for all processes */
uint64_t ngx_http_longpoll_zone_clock_elapsed(void);

/* the zone's time, if the wall clock may be behind */
uint64_t ngx_http_longpoll_zone_clock_behind(ngx_http_longpoll_zone_t *z,
    uint64_t wall);

static ngx_inline uint64_t
ngx_http_longpoll_zone_clock_now(ngx_http_longpoll_zone_t *z)
{
    uint64_t  wall;

    wall = ngx_http_longpoll_now();

    if (z->sh->clock.ahead == 0
        && wall + NGX_HTTP_LONGPOLL_ZONE_SLACK
           >= ngx_http_longpoll_zone_clock_last_ms(z))
    {
        return wall;
    }

    return ngx_http_longpoll_zone_clock_behind(z, wall);
}

/*
 * The first ms that may still get messages: every message of an earlier ms is
 * visible, and no other one will have such an id.
 */
uint64_t ngx_http_longpoll_zone_clock_horizon(ngx_http_longpoll_zone_t *z,
    uint64_t now);

/*
 * In a copy of a stream: the last ms that is over.  Every event of it and of
 * earlier ones is here, every other one is later, in all copies.
 */
#define ngx_http_longpoll_zone_clock_closed(z)                                \
    (ngx_http_longpoll_id_ms((z)->sh->clock.visible + 1)                      \
     - (ngx_http_longpoll_id_ms((z)->sh->clock.visible + 1) != 0))

/* the last visible message of a category; NULL: there is none */
ngx_http_longpoll_msg_sh_t *ngx_http_longpoll_zone_clock_last(
    ngx_http_longpoll_zone_t *z, uint32_t slot);

/*
 * Raises last_id, committed and visible to missing_below at least: every later
 * message gets a higher id.  Does nothing while messages wait for the disk, nor
 * in a frozen zone.
 */
void ngx_http_longpoll_zone_clock_advance(ngx_http_longpoll_zone_t *z);

/*
 * Whether events behind id may have gone to another nginx that had the file.
 * They belong to another epoch: a poll from the beginning does not miss them.
 */
#define ngx_http_longpoll_zone_clock_missing(z, id, beginning)                \
    ((id) < (z)->sh->previous.missing_below && !(beginning))

/*
 * Whether events behind a cursor may have been lost with an earlier epoch: a
 * cursor that is an id of that epoch (id), or a time.
 */
ngx_uint_t ngx_http_longpoll_zone_clock_lost(ngx_http_longpoll_zone_t *z,
    uint64_t ms, ngx_uint_t id);

/*
 * Whether the zone has, or had, messages of that epoch: then the epoch's ids
 * are positions in the zone's list.
 */
ngx_uint_t ngx_http_longpoll_zone_clock_known(ngx_http_longpoll_zone_t *z,
    uint64_t epoch);

/*
 * While another nginx has the log: whether this zone took messages of its own
 * since it was loaded, or since it ended its epoch.
 */
#define ngx_http_longpoll_zone_clock_took(z)                                  \
    (*(volatile uint64_t *) &(z)->sh->clock.committed                         \
     > *(volatile uint64_t *)                                                 \
           &(z)->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id)


#endif /* _NGX_HTTP_LONGPOLL_ZONE_CLOCK_H_INCLUDED_ */
