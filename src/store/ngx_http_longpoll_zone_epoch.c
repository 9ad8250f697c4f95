
/*
 * ngx_http_longpoll_zone_epoch.c: cursors of earlier epochs, and of another
 * nginx.
 *
 *              valid_from                 end      born
 *     ------------+------------------------+---------+----------------> ms
 *       all lost  |  an earlier epoch's    | ids:    |  this epoch's
 *                 |  ids are valid         | lost    |  own cursors
 *
 * A time between born and contested_until may also be one of another nginx,
 * which is being replaced and still had the file: a poll with such a time gets
 * missed.  So does every poll whose cursor is below missing_below.
 *
 * The words are those of previous; they are written when the zone is loaded or
 * adopts another one, and here.
 */


#include "ngx_http_longpoll_zone_epoch.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_lock.h"


ngx_uint_t
ngx_http_longpoll_zone_epoch_lost(ngx_http_longpoll_zone_t *z, uint64_t ms,
    ngx_uint_t id)
{
    if (ms < z->sh->previous.valid_from) {
        return 1;
    }

    if (id) {
        return ms > z->sh->previous.end;
    }

    return ms >= z->sh->born
           && ms < ngx_http_longpoll_zone_epoch_contested_until(z);
}


ngx_uint_t
ngx_http_longpoll_zone_epoch_known(ngx_http_longpoll_zone_t *z, uint64_t epoch)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {

        if (epoch && z->sh->epochs[i] == epoch) {
            return 1;
        }
    }

    return 0;
}


/* the zone's writer may not have noted so in the file yet */

ngx_uint_t
ngx_http_longpoll_zone_epoch_succeeds(ngx_http_longpoll_zone_t *z,
    uint64_t epoch)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_LONGPOLL_PREVIOUS; i++) {

        if (epoch && z->sh->previous.epochs[i] == epoch) {
            return 1;
        }
    }

    return 0;
}


uint64_t
ngx_http_longpoll_zone_epoch_contested_until(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_zone_sh_t    *sh;
    ngx_http_longpoll_cursor_sh_t  *saved;

    sh = z->sh;

    saved = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];

    if (sh->disk.contested && sh->clock.committed > saved->id) {
        return (uint64_t) -1;
    }

    return sh->previous.contested_until;
}


void
ngx_http_longpoll_zone_epoch_alone(ngx_http_longpoll_zone_t *z, uint64_t last,
    uint64_t valid_from)
{
    uint64_t                          ms;
    ngx_http_longpoll_previous_sh_t  *previous;

    previous = &z->sh->previous;
    ms = ngx_http_longpoll_id_ms(last);

    ngx_http_longpoll_zone_lock(z);

    if (ngx_http_longpoll_zone_epoch_contested_until(z)) {
        ngx_http_longpoll_put(previous->contested_until, ms + 1);

    } else {
        ngx_http_longpoll_put(previous->end, ngx_max(previous->end, ms));
    }

    ngx_http_longpoll_put(previous->valid_from,
                          ngx_max(valid_from, previous->lost_until));
    ngx_http_longpoll_put(z->sh->disk.contested, 0);

    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_epoch_missing(ngx_http_longpoll_zone_t *z, uint64_t last)
{
    uint64_t                          id, ms;
    ngx_http_longpoll_zone_sh_t      *sh;
    ngx_http_longpoll_previous_sh_t  *previous;

    sh = z->sh;
    previous = &sh->previous;

    ngx_http_longpoll_zone_lock(z);

    /* from now on no cursor is issued with a time of that last ms */

    ms = ngx_http_longpoll_id_ms(ngx_max(sh->clock.last_id, last)) + 1;
    id = ngx_http_longpoll_id(ms, 0);

    /* while publishes wait for the disk, an earlier call may have set more */

    ngx_http_longpoll_put(previous->missing_below,
                          ngx_max(previous->missing_below, id));
    ngx_http_longpoll_put(sh->disk.contested, 0);
    ngx_http_longpoll_put(previous->contested_until, 0);

    ngx_http_longpoll_zone_unlock(z);

    /* a poll that begins now begins behind it */

    (void) ngx_http_longpoll_zone_epoch_latest(z);
}


uint64_t
ngx_http_longpoll_zone_epoch_latest(ngx_http_longpoll_zone_t *z)
{
    if (ngx_http_longpoll_zone_clock_missing(z, z->sh->clock.visible, 0)) {
        ngx_http_longpoll_zone_lock(z);
        ngx_http_longpoll_zone_unlock(z);
    }

    return z->sh->clock.visible;
}
