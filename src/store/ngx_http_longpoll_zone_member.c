
/*
 * ngx_http_longpoll_zone_member.c: the workers that have a zone with a file.
 *
 *     join ─▶ member ── leave ─▶ leaving member ── resign ─▶ no member
 *                └────────── resign, if it died ────────────────▲
 *
 * Members and leaving members are two sets, words of disk, written under the
 * lock.
 */


#include "ngx_http_longpoll_zone_member.h"
#include "ngx_http_longpoll_zone_lock.h"


void
ngx_http_longpoll_zone_member_join(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker)
{
    uint64_t                      bit;
    ngx_http_longpoll_zone_sh_t  *sh;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    sh = z->sh;
    bit = ngx_http_longpoll_zone_bit(worker);

    ngx_http_longpoll_zone_lock(z);
    ngx_http_longpoll_put(sh->disk.leaving, sh->disk.leaving & ~bit);
    ngx_http_longpoll_put(sh->disk.members, sh->disk.members | bit);
    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_member_leave(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    sh = z->sh;

    ngx_http_longpoll_zone_lock(z);
    ngx_http_longpoll_put(sh->disk.leaving,
                          sh->disk.leaving
                          | ngx_http_longpoll_zone_bit(worker));
    ngx_http_longpoll_zone_unlock(z);
}


uint64_t
ngx_http_longpoll_zone_member_resign(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t alive)
{
    uint64_t                      left;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    ngx_http_longpoll_zone_lock(z);

    left = sh->disk.members & ~ngx_http_longpoll_zone_bit(worker);
    ngx_http_longpoll_put(sh->disk.members, left);

    ngx_http_longpoll_zone_unlock(z);

    return left & alive;
}


uint64_t
ngx_http_longpoll_zone_member_others(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t alive)
{
    return z->sh->disk.members & ~z->sh->disk.leaving & alive
           & ~ngx_http_longpoll_zone_bit(worker);
}
