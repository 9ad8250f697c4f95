
/*
 * ngx_http_longpoll_zone_client.c: gpoll's clients.
 *
 * The table of clients (ngx_http_longpoll_client.h) under the zone's lock.  A
 * client is dropped
 *
 *     when it was idle for longer than inactive (an hour where that is off): at
 *     its next poll, or by the tick
 *     when an event behind its cursor is gone: at its next poll (zone_read)
 *     when a new client needs the entry, and it is idle longest
 *
 * A poll of the client that is still parked finds that out at its next read.
 */


#include "ngx_http_longpoll_zone_client.h"
#include "ngx_http_longpoll_zone_lock.h"


#define NGX_HTTP_LONGPOLL_ZONE_IDLE  3600000    /* ms, where inactive is off */


static ngx_uint_t ngx_http_longpoll_zone_is_idle(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_client_sh_t *entry, uint64_t now);


ngx_int_t
ngx_http_longpoll_zone_client_add(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_client_t *client, uint64_t now)
{
    ngx_int_t  rc;

    rc = NGX_DECLINED;

    ngx_http_longpoll_zone_lock(z);

    if (!z->sh->moved) {
        ngx_http_longpoll_client_add(&z->clients, client, z->sh->clock.visible,
                                     now);
        rc = NGX_OK;
    }

    ngx_http_longpoll_zone_unlock(z);

    return rc;
}


ngx_http_longpoll_client_sh_t *
ngx_http_longpoll_zone_client_find(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_client_t *client, uint64_t now)
{
    ngx_http_longpoll_client_sh_t  *entry;

    entry = ngx_http_longpoll_client_find(&z->clients, client);

    if (entry && ngx_http_longpoll_zone_is_idle(z, entry, now)) {
        ngx_http_longpoll_client_drop(&z->clients, entry);
        return NULL;
    }

    return entry;
}


static ngx_uint_t
ngx_http_longpoll_zone_is_idle(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_client_sh_t *entry, uint64_t now)
{
    uint64_t  inactive;

    inactive = z->sh->conf.inactive;

    if (inactive == 0) {
        inactive = NGX_HTTP_LONGPOLL_ZONE_IDLE;
    }

    return entry->waiting == 0 && now >= entry->used + inactive;
}


void
ngx_http_longpoll_zone_client_leave(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_client_t *client, uint64_t now)
{
    ngx_http_longpoll_client_sh_t  *entry;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    ngx_http_longpoll_zone_lock(z);

    entry = ngx_http_longpoll_client_find(&z->clients, client);

    if (entry && !z->sh->moved) {
        ngx_http_longpoll_client_wait(&z->clients, entry,
                                     entry->waiting
                                     & ~ngx_http_longpoll_zone_bit(worker),
                                     now);
    }

    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_client_idle(ngx_http_longpoll_zone_t *z, uint64_t now)
{
    ngx_uint_t                     more, steps;
    ngx_http_longpoll_client_sh_t  *entry;

    do {
        ngx_http_longpoll_zone_lock(z);

        for (steps = NGX_HTTP_LONGPOLL_ZONE_STEPS; steps; steps--) {

            entry = ngx_http_longpoll_client_longest_idle(&z->clients);

            if (entry == NULL
                || !ngx_http_longpoll_zone_is_idle(z, entry, now))
            {
                break;
            }

            ngx_http_longpoll_client_drop(&z->clients, entry);
        }

        more = (steps == 0);

        ngx_http_longpoll_zone_unlock(z);

    } while (more);
}


void
ngx_http_longpoll_zone_client_reap(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now)
{
    ngx_uint_t                     n, more, steps;
    ngx_http_longpoll_client_sh_t  *entry;

    n = 0;

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);

        for ( /* void */ ; steps && n < z->sh->clients.fresh; n++, steps--) {
            entry = &z->clients.entries[n];

            if (entry->uuid[0]
                && (entry->waiting & ngx_http_longpoll_zone_bit(worker)))
            {
                ngx_http_longpoll_client_wait(&z->clients, entry,
                                     entry->waiting
                                     & ~ngx_http_longpoll_zone_bit(worker),
                                     now);
            }
        }

        more = n < z->sh->clients.fresh;

        ngx_http_longpoll_zone_unlock(z);

    } while (more);
}


void
ngx_http_longpoll_zone_client_adopt(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old)
{
    uint64_t                        now;
    uint32_t                        n, max;
    ngx_uint_t                      steps;
    ngx_http_longpoll_client_sh_t  *entry;

    max = ngx_min(old->sh->clients.fresh, z->sh->clients.max);
    now = ngx_http_longpoll_id_ms(z->sh->clock.last_id);

    for (n = 0; n < max; /* void */ ) {

        ngx_http_longpoll_zone_lock(old);

        for (steps = NGX_HTTP_LONGPOLL_ZONE_STEPS; steps && n < max; steps--) {
            ngx_http_longpoll_client_copy(&z->clients, n,
                                          &old->clients.entries[n]);
            n++;
        }

        ngx_http_longpoll_zone_unlock(old);
    }

    /* the idle ones in their order, and behind them those that wait */

    for (n = old->sh->clients.first; n; /* void */ ) {

        ngx_http_longpoll_zone_lock(old);

        for (steps = NGX_HTTP_LONGPOLL_ZONE_STEPS; steps && n; steps--) {
            entry = &old->clients.entries[n - 1];

            if (n <= max) {
                ngx_http_longpoll_client_idle(&z->clients, n - 1, entry->used);
            }

            n = entry->next;
        }

        ngx_http_longpoll_zone_unlock(old);
    }

    for (n = 0; n < max; n++) {
        entry = &old->clients.entries[n];

        if (entry->uuid[0] && entry->waiting) {
            ngx_http_longpoll_client_idle(&z->clients, n, now);
        }
    }
}
