
/*
 * ngx_http_longpoll_zone_clock.h: the ids that a zone issues, and how far
 * readers see.
 *
 * The caller holds the zone's lock in every call but now, time, has_late and
 * raise.
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

/* the same, if the wall clock may be behind */
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

/* the last visible message of a category; NULL: there is none */
ngx_http_longpoll_msg_sh_t *ngx_http_longpoll_zone_clock_last(
    ngx_http_longpoll_zone_t *z, uint32_t slot);

/*
 * Raises last_id, committed and visible to id at least: every later message
 * gets a higher id.  Does nothing while messages wait for the disk.
 */
void ngx_http_longpoll_zone_clock_advance(ngx_http_longpoll_zone_t *z,
    uint64_t id);

/*
 * Tells the other zones of this name how far last_id is.  The caller calls this
 * after it has raised last_id, in the same hold, before anybody learns of the
 * id.  Does nothing if there is one zone.
 */
void ngx_http_longpoll_zone_clock_issued(ngx_http_longpoll_zone_t *z);

/*
 * A zone that was replaced calls this before its new messages become visible.
 * Polls of the later zones are then told that they missed something.
 */
void ngx_http_longpoll_zone_clock_late_write(ngx_http_longpoll_zone_t *z);

/*
 * Stores id in word, if that is higher.  Several workers may do so at a time;
 * needs no lock.
 */
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
