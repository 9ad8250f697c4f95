
/*
 * ngx_http_longpoll_zone_member.c: the workers that have a zone with a log on
 * disk, and stay.
 *
 *     join ─▶ stays ─┬─ leave, it is about to exit ─▶ does not count
 *                    └─ leave, it died and is reaped ────▲
 *
 * The workers that stay are a set, a word of disk that is written under the
 * lock.
 */


#include "ngx_http_longpoll_zone_member.h"
#include "ngx_http_longpoll_zone_lock.h"


void
ngx_http_longpoll_zone_member_join(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker)
{
    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    ngx_http_longpoll_zone_lock(z);
    ngx_http_longpoll_put(z->sh->disk.stays,
                          z->sh->disk.stays
                          | ngx_http_longpoll_zone_bit(worker));
    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_member_leave(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker)
{
    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    ngx_http_longpoll_zone_lock(z);
    ngx_http_longpoll_put(z->sh->disk.stays,
                          z->sh->disk.stays
                          & ~ngx_http_longpoll_zone_bit(worker));
    ngx_http_longpoll_zone_unlock(z);
}


uint64_t
ngx_http_longpoll_zone_member_others(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t alive)
{
    if (worker != NGX_HTTP_LONGPOLL_NO_WORKER) {
        alive &= ~ngx_http_longpoll_zone_bit(worker);
    }

    return z->sh->disk.stays & alive;
}
