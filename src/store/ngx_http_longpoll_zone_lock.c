
/*
 * ngx_http_longpoll_zone_lock.c: the lock, and what a killed process left.
 *
 * The process that takes the lock first looks for three things:
 *
 *     journal      a step without its done(): undone
 *     work.busy    a publish was under way.  What came behind committed is
 *                  dropped: nobody has seen it.  What is committed becomes
 *                  visible (with durable, the writer does that).  The process
 *                  may have been killed before it marked all workers, so every
 *                  worker reads for all of its polls.
 *     work.delete_slot
 *                  a delete was under way: it goes on
 *
 * A recovery that is itself killed is done again by the next process.  What a
 * dead worker had registered in the zone is reaped later (zone_tick).
 */


#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_lock.h"


static void ngx_http_longpoll_zone_recover(ngx_http_longpoll_zone_t *z);


void
ngx_http_longpoll_zone_lock(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_lock(z->mutex);

    ngx_http_longpoll_zone_validate(z);

    if (z->sh->journal.n || z->sh->work.busy || z->sh->work.delete_slot) {
        ngx_http_longpoll_zone_recover(z);
        ngx_http_longpoll_zone_validate(z);
    }

    ngx_http_longpoll_assert_bound();

    /* new cursors are behind what another nginx took, and miss nothing */

    if (ngx_http_longpoll_zone_clock_missing(z, z->sh->clock.visible, 0)) {
        ngx_http_longpoll_zone_clock_advance(z);
    }
}


void
ngx_http_longpoll_zone_unlock(ngx_http_longpoll_zone_t *z)
{
    ngx_shmtx_unlock(z->mutex);
}


static void
ngx_http_longpoll_zone_recover(ngx_http_longpoll_zone_t *z)
{
    ngx_uint_t                    i, steps;
    ngx_http_longpoll_zone_sh_t  *sh;
    ngx_http_longpoll_msg_sh_t   *msg;

    sh = z->sh;

    ngx_http_longpoll_journal_undo(&sh->journal);
    ngx_http_longpoll_zone_validate(z);

    if (sh->work.busy) {

        while (sh->list.newest) {
            msg = ngx_http_longpoll_zone_msg(z, sh->list.newest);

            if (msg->id <= sh->clock.committed) {
                break;
            }

            /* nobody has seen it, so no cursor misses it */

            ngx_http_longpoll_zone_list_drop(z, msg,
                                             NGX_HTTP_LONGPOLL_ZONE_TAKEN);
            ngx_http_longpoll_zone_list_free_if_unused(z, msg->slot);
        }

        if (!sh->disk.durable) {
            ngx_http_longpoll_put(sh->clock.visible, sh->clock.committed);
        }

        for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS; i++) {
            ngx_http_longpoll_put(sh->workers[i].wake_all, 1);
        }

        ngx_http_longpoll_put(sh->work.busy, 0);
    }

    if (sh->work.delete_slot) {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
        ngx_http_longpoll_zone_list_delete(z, &steps);
    }
}
