
/*
 * ngx_http_longpoll_cursor.c: a poll's since_time and last_id -> a cursor, and
 * back.
 *
 *     since_time  last_id
 *     -           -          now: what is published from now on; with `recent`
 *                            also the newest messages that there are
 *     -           own        behind that very message, also if a merge has
 *                            moved it
 *     -           other      from the beginning, with missed (Last-Event-ID)
 *     ms          -          behind that ms; 0 and less: from the beginning
 *     ms          own, of    behind that very message
 *                 that ms
 *     ms          other      from that ms on; if a message of that ms has this
 *                            UUID, behind that one
 *
 * An id is own if this module made it.  One of an epoch that the zone does not
 * know is a place between its messages: what the zone has lost of that ms may
 * be behind it.
 *
 * In a copy of a stream every own id is known, as another copy may be ahead.
 * Whether its epoch is the newest one is asked when the poll is answered.  A
 * since_time behind the ms of an own id is a time alone.
 */


#include "ngx_http_longpoll_cursor.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_epoch.h"


/*
 * A since_time from here on is a real date (September 2001); a smaller one asks
 * for everything there is.
 */

#define NGX_HTTP_LONGPOLL_REAL_DATE  1000000000000ULL


static void ngx_http_longpoll_cursor_of_id(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_query_t *q, ngx_uint_t known,
    ngx_http_longpoll_cursor_t *cursor);
static void ngx_http_longpoll_cursor_of_time(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_query_t *q, ngx_uint_t current, ngx_uint_t known,
    ngx_http_longpoll_cursor_t *cursor);


void
ngx_http_longpoll_cursor(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_query_t *q, ngx_http_longpoll_cursor_t *cursor)
{
    ngx_uint_t  current, known;

    ngx_memzero(cursor, sizeof(ngx_http_longpoll_cursor_t));
    cursor->fresh = 1;

    current = known = q->own_id && q->epoch == z->sh->epoch;

    if (z->sh->feed.on) {
        known = q->own_id;
        cursor->epoch = known ? q->epoch : 0;

    } else if (q->own_id && !current) {
        known = ngx_http_longpoll_zone_clock_known(z, q->epoch);
        cursor->lost = ngx_http_longpoll_zone_clock_lost(z,
                                           ngx_http_longpoll_id_ms(q->id), 1);
    }

    if (q->has_since) {
        ngx_http_longpoll_cursor_of_time(z, q, current, known, cursor);

    } else {
        ngx_http_longpoll_cursor_of_id(z, q, known, cursor);
    }
}


/*
 * The messages that a merge has moved keep ids that are earlier than their
 * places, all below missing_below, or lost in later epochs.  A client that has
 * such an id alone would get the message again and again.
 */

static void
ngx_http_longpoll_cursor_of_id(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_query_t *q, ngx_uint_t known,
    ngx_http_longpoll_cursor_t *cursor)
{
    if (!q->own_id) {

        /* an id of another server's: nobody knows what it stands behind */

        cursor->now = !q->has_id;
        cursor->lost = q->has_id;
        cursor->recent = q->recent;
        return;
    }

    cursor->since = ngx_http_longpoll_id_ms(q->id);
    cursor->id = known ? q->id : ngx_http_longpoll_id_last_of(cursor->since);
    cursor->exact = known;
    cursor->uuid = q->uuid;

    if (cursor->lost || ngx_http_longpoll_zone_clock_missing(z, q->id, 0)) {
        cursor->named = 1;
        cursor->anywhere = 1;
    }
}


static void
ngx_http_longpoll_cursor_of_time(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_query_t *q, ngx_uint_t current, ngx_uint_t known,
    ngx_http_longpoll_cursor_t *cursor)
{
    uint64_t    since;
    ngx_uint_t  exact, behind;

    since = q->since_time < 0 ? 0 : (uint64_t) q->since_time;
    cursor->since = since;

    exact = (known && ngx_http_longpoll_id_ms(q->id) == since);

    /*
     * Clients keep their last_id while the answers to time-outs move their
     * since_time on.  Then since_time says what they have seen.
     */

    behind = (q->own_id && since > ngx_http_longpoll_id_ms(q->id));

    if (behind) {
        cursor->lost = 0;
        cursor->epoch = 0;
    }

    if (since < NGX_HTTP_LONGPOLL_REAL_DATE) {
        cursor->beginning = 1;

    } else if (!(exact && current)
               && ngx_http_longpoll_zone_clock_lost(z, since, 0))
    {
        cursor->lost = 1;
    }

    if (since >> 47) {
        cursor->now = 1;

    } else if (exact) {
        cursor->id = q->id;
        cursor->uuid = q->uuid;
        cursor->exact = 1;

    } else if (q->has_id && !(behind && z->sh->feed.on)) {
        cursor->id = since ? ngx_http_longpoll_id(since, 0) - 1 : 0;
        cursor->uuid = q->uuid;
        cursor->named = 1;

    } else if (since) {
        cursor->id = ngx_http_longpoll_id_last_of(since);
    }
}


/*
 * What earlier epochs lost behind the cursor has been told.  So until the
 * cursor is behind all of their messages, it counts as one from the beginning.
 */

void
ngx_http_longpoll_cursor_move(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor, uint64_t id, ngx_uint_t missed)
{
    uint64_t    earlier, epoch;
    ngx_uint_t  warned;

    if (id == 0) {
        return;
    }

    warned = missed || cursor->beginning;
    earlier = ngx_max(z->sh->cats.earlier, z->sh->previous.missing_below);
    earlier = ngx_max(earlier, z->sh->feed.begin);
    epoch = (id == cursor->id && !missed) ? cursor->epoch : 0;

    ngx_memzero(cursor, sizeof(ngx_http_longpoll_cursor_t));

    cursor->id = id;
    cursor->epoch = epoch;
    cursor->since = ngx_http_longpoll_id_ms(id);
    cursor->exact = 1;
    cursor->beginning = (warned && id < earlier);
}


/*
 * After a time-out the client goes on from the zone's time.  A client that is
 * sent away goes on from its own cursor: the new workers may be another nginx's
 * by now, with messages that this read did not see.  An answer that says
 * `missed` has the zone's time all the same: from its own cursor the client
 * would be told so again.  A read of a frozen zone has found the time itself,
 * and the time of a copy of a stream holds in all copies.
 */

uint64_t
ngx_http_longpoll_cursor_timestamp(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd, ngx_uint_t closing)
{
    if (closing && !z->sh->moved && !z->sh->feed.on && !rd->missed) {
        return ngx_max(rd->cursor.since, z->sh->born);
    }

    return rd->timestamp;
}
