
/*
 * ngx_http_longpoll_zone_epoch.c: cursors of earlier epochs, and of another
 * nginx.
 *
 *              valid_from                 end      born
 *     ------------+------------------------+---------+----------------> ms
 *       all lost  |  an earlier epoch's    | ids:    |  this epoch's
 *                 |  ids are valid         | lost    |  own cursors
 *
 * While another nginx has the log, a time since born may also be one of that
 * nginx: its client has not seen what this zone took.  A poll with such a time
 * gets missed.  So does every poll whose cursor is below missing_below
 * (zone_clock).
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

    return z->sh->disk.contested && ms >= z->sh->born
           && ngx_http_longpoll_zone_epoch_took(z);
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


uint64_t
ngx_http_longpoll_zone_epoch_latest(ngx_http_longpoll_zone_t *z)
{
    if (ngx_http_longpoll_zone_clock_missing(z, z->sh->clock.visible, 0)) {
        ngx_http_longpoll_zone_lock(z);
        ngx_http_longpoll_zone_unlock(z);
    }

    return z->sh->clock.visible;
}
