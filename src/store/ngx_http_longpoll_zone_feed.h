
/*
 * ngx_http_longpoll_zone_feed.h: a zone that is a copy of a stream.
 *
 * A zone with a cluster (z->cluster) issues neither ids nor times.  They come
 * from the entries of a stream, in its order.  One worker of this nginx is the
 * reader: it claims the zone, and brings it every entry.
 *
 *     claim -> know -> events, delete, heartbeat, begin, skip ... -> synced
 *                ^                                                     |
 *                +---- empty: the zone has what the stream has not ----+
 *
 * An entry changes the zone together with the place up to which the stream was
 * read.  A reader that is killed leaves an entry that is there, or is not; the
 * next reader goes on from the place.  An entry at or in front of the place is
 * ignored.
 *
 * Until the zone has seen the end of the stream (synced), every poll is parked,
 * and keeps the cursor that it came with.
 *
 * Where nothing else is said, a call takes the lock, as often as it needs, and
 * adds the workers that the caller must notify to the set *wake.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_FEED_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_FEED_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * The reader.  now is ms of CLOCK_MONOTONIC (..._zone_clock_elapsed()).  The
 * reader claims once more, each second at least.  If it has not for PATIENCE ms
 * it may be stopped, and another worker takes over.  A dead worker's claim is
 * ended when the worker is reaped (zone_tick).  No call takes the lock.
 */

#define NGX_HTTP_LONGPOLL_ZONE_FEED_PATIENCE  8000

/* NGX_OK: the worker is the reader; NGX_DECLINED: another one is */
ngx_int_t ngx_http_longpoll_zone_feed_claim(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now);

/* the worker is not the reader any more, if it was */
void ngx_http_longpoll_zone_feed_release(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);


/* which entry was read last, whether the zone took it or not */

void ngx_http_longpoll_zone_feed_place(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_place_t *place);


/*
 * An entry that the reader brings.
 *
 * If at.number does not follow the last one, entries in front of this one were
 * lost: cursors below its id are told missed (a gap).  So they are if it is the
 * first entry that the zone gets, unless its number is 1.  A number of 0 cannot
 * be read: the last one stands.
 *
 * An id belongs to the epoch that begins at or in front of it, of those that
 * the zone knows.  So the reader reads the list of epochs before the first
 * entry, and once more before it brings an entry with a gap, any entry while
 * the place has no number, a reply's first entry if that has none, or a
 * beginning that the list does not have; at most eight times in a row
 * (apply.h).
 */

typedef struct {
    ngx_uint_t                       worker;    /* the reader */
    uint64_t                         now;       /* ms, the zone's time */
    uint64_t                         id;        /* of the entry */
    ngx_http_longpoll_zone_place_t   at;
} ngx_http_longpoll_zone_fed_t;

/*
 * All of these return
 *
 *     NGX_OK        the zone has the entry
 *     NGX_DECLINED  it was skipped, and counts as bad.  Of events: they are too
 *                   large for this zone, or older than any epoch that it knows,
 *                   and cursors below the last of them are told missed.  Or the
 *                   id does not follow the newest one
 *     NGX_ABORT     nothing has changed: another worker is the reader
 */

/*
 * n events, as a publish: cats, msgs and key as in ..._zone_publish(), all or
 * none.  Their ids are entry->id and the following.  The call sets the ids and
 * the UUIDs of msgs, and overwrites their pos.
 */
ngx_int_t ngx_http_longpoll_zone_feed_events(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, ngx_http_longpoll_cat_t *cats,
    ngx_http_longpoll_msg_t *msgs, ngx_uint_t n, ngx_str_t *key,
    uint64_t *wake);

/* the messages of n categories are deleted; hashes are set */
ngx_int_t ngx_http_longpoll_zone_feed_delete(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, ngx_http_longpoll_cat_t *cats,
    ngx_uint_t n, uint64_t *wake);

/* the ms of entry->id is over: every later entry has a later one */
ngx_int_t ngx_http_longpoll_zone_feed_heartbeat(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, uint64_t *wake);

/*
 * An epoch begins at entry->id, and its ms is over: cursors of other epochs are
 * told missed when they are answered.
 */
ngx_int_t ngx_http_longpoll_zone_feed_begin(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, uint64_t epoch, uint64_t *wake);

/*
 * An entry that cannot be read.  If its place is no id, entry->id is the last
 * id of its ms.  Returns NGX_DECLINED or NGX_ABORT.
 */
ngx_int_t ngx_http_longpoll_zone_feed_skip(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry);


/*
 * These return NGX_OK, or NGX_ABORT: another worker is the reader.
 */

/*
 * The epochs of the list that the stream has now, n at least 1, the newest
 * first.  Of these and of earlier lists the zone knows the newest
 * NGX_HTTP_LONGPOLL_EPOCHS; messages of one that it does not know any more are
 * evicted.  One that is not in the list, and has not begun here, was lost.
 */
ngx_int_t ngx_http_longpoll_zone_feed_know(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_entry_life_t *lives, ngx_uint_t n);

/*
 * The newest epoch of the list begins behind visible, and the stream lacks its
 * beginning: it is made up for here, with a gap.  The zone knows the epoch.
 *
 * If it does not begin behind visible, and is not the zone's (own_epoch), one
 * that was lost has hidden it: the reader begins another one, above visible.
 * Once the stream is read to its end, its newest epoch is the zone's.
 */
ngx_int_t ngx_http_longpoll_zone_feed_begun(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_entry_life_t *life, uint64_t *wake);

/*
 * The stream is not what the zone has read: it becomes empty, is not synced,
 * and has read nothing.  Every cursor made so far is told missed, and every one
 * below id.  It knows no epochs: the list comes next.
 */
ngx_int_t ngx_http_longpoll_zone_feed_empty(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t id);

/* a read came to the end of the stream: polls are answered from now on */
ngx_int_t ngx_http_longpoll_zone_feed_synced(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t *wake);


/*
 * The feed clock.  A read came to the end of the stream with an entry of this
 * ms; elapsed is the ms of CLOCK_MONOTONIC at which it was received.  The first
 * one comes before synced, and is of an entry that was new then, such as an own
 * heartbeat.  Until it was called for a second, without one in which it was
 * not, a cursor may be a minute ahead (zone_read).  Only the reader calls it;
 * takes no lock.
 */
void ngx_http_longpoll_zone_feed_clock(ngx_http_longpoll_zone_t *z,
    uint64_t ms, uint64_t elapsed);


/*
 * What others ask; none of these takes the lock.
 */

/* the last id that the zone has taken, or that is over */
#define ngx_http_longpoll_zone_feed_visible(z)                                \
    (*(volatile uint64_t *) &(z)->sh->clock.visible)

/* whether the zone has what was published with this last id, or has had it */
#define ngx_http_longpoll_zone_feed_reached(z, id)                            \
    (ngx_http_longpoll_zone_feed_visible(z) >= (id))

/* whether a read has come to the end of the stream */
#define ngx_http_longpoll_zone_feed_is_synced(z)                              \
    (*(volatile uint64_t *) &(z)->sh->feed.synced)

/*
 * The worker has publishers that wait until the zone has what they published
 * (on), or has none any more: it is in *wake whenever visible is raised.  It
 * asks ..._reached() once more behind the call.
 */
void ngx_http_longpoll_zone_feed_await(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_uint_t on);

/*
 * The reader's pauses, in which it lets entries gather:
 *
 *     IDLE    no poll, stream or publisher waits in any worker.  It ends when
 *             somebody begins to wait
 *     GATHER  somebody waits.  It ends when a crowd of publishers, eight or
 *             more in one worker, waits for the reader alone: Redis has stored
 *             what they sent
 *
 * The reader calls ..._pause() first.  It returns the pause that the reader may
 * make, or 0; GATHER only if gather is 1.  The polls, streams and publishers of
 * a dead worker count until its number is reaped.
 *
 * ..._resume() ends these pauses (IDLE | GATHER).  The reader calls it when the
 * time is over.  A worker calls it for IDLE when somebody has begun to wait
 * there, and was counted (..._count_waiting(), ..._in_flight()).  It calls
 * ..._stored() when Redis has stored all that its publishers have sent, up to
 * this id; that does nothing if they are no crowd.  Both return the set of
 * workers that the caller must wake: the reader, or none.
 */
#define NGX_HTTP_LONGPOLL_ZONE_FEED_IDLE    1
#define NGX_HTTP_LONGPOLL_ZONE_FEED_GATHER  2

ngx_uint_t ngx_http_longpoll_zone_feed_pause(ngx_http_longpoll_zone_t *z,
    ngx_uint_t gather);
uint64_t ngx_http_longpoll_zone_feed_resume(ngx_http_longpoll_zone_t *z,
    ngx_uint_t pauses);
uint64_t ngx_http_longpoll_zone_feed_stored(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t id);

#define ngx_http_longpoll_zone_feed_is_paused(z)  ((z)->sh->feed.paused)

/* n publishes of this worker have no answer yet */
static ngx_inline void
ngx_http_longpoll_zone_feed_in_flight(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_uint_t n)
{
    if (worker != NGX_HTTP_LONGPOLL_NO_WORKER) {
        z->sh->workers[worker].in_flight = n;
    }
}



#endif /* _NGX_HTTP_LONGPOLL_ZONE_FEED_H_INCLUDED_ */
