
/*
 * ngx_http_longpoll_zone_clock.c: the ids that a zone issues, how far readers
 * see, and the cursors of earlier epochs, and of another nginx.
 *
 *     visible <= committed <= last_id
 *
 * last_id is the highest id issued, committed the end of the last whole
 * publish.  Readers see messages up to visible.  With durable, visible follows
 * when the messages are saved; without, in the same lock hold.
 *
 * The zone's time.  The wall clock may have been wrong: a year ahead when an id
 * was issued, and right now; or a file has an event of the year 2100.  Ids and
 * times never go back, so the zone's time stays at that id.  If it stood still
 * there, nothing would be over its ttl until the wall clock comes by.  So it
 * goes on by the time that elapses (CLOCK_MONOTONIC, which is the same for all
 * processes), until the wall clock is set forward, beyond it:
 *
 *     time = wall                  if wall >= ms(last_id) - SLACK
 *     time = ahead + elapsed       else; ahead = ms(last_id) - elapsed, once
 *
 * Within SLACK nothing is done.  The ids of a busy ms reach into the next one,
 * and a clock that is set back a little is soon there again.
 *
 * The feed clock.  The time of a copy of a stream is that of the stream's ids,
 * as far as the copy knows it: what has elapsed, and the largest difference of
 * an entry's ms and the elapsed time at which it was received.  A copy that
 * lags, or whose wall clock is wrong, has the same time.  Without a difference
 * the time is that of the last id.
 *
 * Earlier epochs.
 *
 *              valid_from                 end      born
 *     ------------+------------------------+---------+----------------> ms
 *       all lost  |  an earlier epoch's    | ids:    |  this epoch's
 *                 |  ids are valid         | lost    |  own cursors
 *
 * While another nginx has the log, a time since born may also be one of that
 * nginx: its client has not seen what this zone took.  A poll with such a time
 * gets missed.  So does every poll whose cursor is below missing_below.
 */


#include "ngx_http_longpoll_zone_clock.h"


static uint64_t ngx_http_longpoll_zone_clock_fed(ngx_http_longpoll_zone_t *z,
    uint64_t wall, uint64_t elapsed);


uint64_t
ngx_http_longpoll_zone_clock_elapsed(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


uint64_t
ngx_http_longpoll_zone_clock_behind(ngx_http_longpoll_zone_t *z, uint64_t wall)
{
    return ngx_http_longpoll_zone_clock_time(z, wall,
                                       ngx_http_longpoll_zone_clock_elapsed());
}


/*
 * Two workers that store ahead at the same time know the same clocks.  Should
 * the one that stores last have seen an older id, the next call corrects it.
 */

uint64_t
ngx_http_longpoll_zone_clock_time(ngx_http_longpoll_zone_t *z, uint64_t wall,
    uint64_t elapsed)
{
    uint64_t  ahead, last, now;

    if (z->sh->feed.on) {
        return ngx_http_longpoll_zone_clock_fed(z, wall, elapsed);
    }

    now = wall;
    ahead = z->sh->clock.ahead;
    last = ngx_http_longpoll_zone_clock_last_ms(z);

    if (ahead) {
        now = ngx_max(wall, ahead + elapsed);

        if (now == wall) {
            ngx_http_longpoll_put(z->sh->clock.ahead, 0);
        }
    }

    if (now + NGX_HTTP_LONGPOLL_ZONE_SLACK < last) {
        ngx_http_longpoll_put(z->sh->clock.ahead, last - elapsed);
        now = last;
    }

    return now;
}


static uint64_t
ngx_http_longpoll_zone_clock_fed(ngx_http_longpoll_zone_t *z, uint64_t wall,
    uint64_t elapsed)
{
    uint64_t  ahead, last;

    ahead = z->sh->clock.ahead;
    last = ngx_http_longpoll_zone_clock_last_ms(z);

    if (ahead != NGX_HTTP_LONGPOLL_AHEAD_UNKNOWN) {
        return ngx_max(ahead + elapsed, last);
    }

    return last ? last : wall;
}


uint64_t
ngx_http_longpoll_zone_clock_horizon(ngx_http_longpoll_zone_t *z, uint64_t now)
{
    uint64_t                        clock, first;
    ngx_http_longpoll_msg_sh_t     *msg;
    ngx_http_longpoll_zone_sh_t    *sh;
    ngx_http_longpoll_cursor_sh_t  *exposed;

    sh = z->sh;
    clock = ngx_http_longpoll_zone_clock(z, now);

    if (sh->clock.visible == sh->clock.committed) {
        return clock;
    }

    /* EXPOSED is at the first message that waits, or on its way there */

    first = sh->clock.visible + 1;
    exposed = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];

    if (exposed->ref) {
        msg = ngx_http_longpoll_zone_msg(z, exposed->ref);
        first = ngx_max(first, msg->id);
    }

    return ngx_min(clock, ngx_http_longpoll_id_ms(first));
}


ngx_http_longpoll_msg_sh_t *
ngx_http_longpoll_zone_clock_last(ngx_http_longpoll_zone_t *z, uint32_t slot)
{
    uint32_t                     ref;
    ngx_http_longpoll_msg_sh_t  *msg;

    ref = z->cats.slots[slot].last;

    if (ref == 0) {
        return NULL;
    }

    msg = ngx_http_longpoll_zone_msg(z, ref);

    if (!ngx_http_longpoll_zone_is_unsaved(z, msg)) {
        return msg;
    }

    /*
     * It stands in front of the first unsaved one.  A writer that was killed
     * may have left messages of one hold visible that it had not exposed.
     */

    msg = ngx_http_longpoll_zone_msg(z, z->unsaved[slot].first);

    while (!ngx_http_longpoll_zone_is_unsaved(z, msg)) {
        msg = ngx_http_longpoll_zone_msg(z, msg->next);
    }

    return msg->prev ? ngx_http_longpoll_zone_msg(z, msg->prev) : NULL;
}


void
ngx_http_longpoll_zone_clock_advance(ngx_http_longpoll_zone_t *z)
{
    uint64_t                         id;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;

    /*
     * Messages that wait for the disk must become visible first.  A frozen
     * zone's clock stands still.
     */

    if (sh->clock.visible != sh->clock.committed || sh->moved) {
        return;
    }

    /* times that were issued may be later */

    id = ngx_max(sh->previous.missing_below, sh->clock.last_id);

    ngx_http_longpoll_put(sh->clock.last_id, id);
    ngx_http_longpoll_set(j, sh->clock.committed, id);
    ngx_http_longpoll_set(j, sh->clock.visible, id);
    ngx_http_longpoll_done(j);
}


ngx_uint_t
ngx_http_longpoll_zone_clock_lost(ngx_http_longpoll_zone_t *z, uint64_t ms,
    ngx_uint_t id)
{
    if (ms < z->sh->previous.valid_from) {
        return 1;
    }

    if (id) {
        return ms > z->sh->previous.end;
    }

    return z->sh->disk.contested && ms >= z->sh->born
           && ngx_http_longpoll_zone_clock_took(z);
}


ngx_uint_t
ngx_http_longpoll_zone_clock_known(ngx_http_longpoll_zone_t *z, uint64_t epoch)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {

        if (epoch && z->sh->epochs[i] == epoch) {
            return 1;
        }
    }

    return 0;
}
