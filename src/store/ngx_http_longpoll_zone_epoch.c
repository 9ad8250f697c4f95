
/*
 * ngx_http_longpoll_zone_epoch.c: the epochs of a copy of a stream.
 *
 *     epochs[i], begins[i]     in no order; epochs[i] == 0: none
 *
 *          begins[2]        begins[0]            begins[1]
 *     ---------+----------------+--------------------+-----------> id
 *      unknown |   epochs[2]    |     epochs[0]      |  epochs[1]
 *
 * A message has the number i for as long as it lives, so the words of a number
 * change only when no message has it.
 */


#include "ngx_http_longpoll_zone_epoch.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"


static ngx_uint_t ngx_http_longpoll_zone_epoch_oldest(
    ngx_http_longpoll_zone_t *z, uint64_t *next);


ngx_uint_t
ngx_http_longpoll_zone_epoch_of(ngx_http_longpoll_zone_t *z, uint64_t id)
{
    uint64_t    begin, *begins;
    ngx_uint_t  i, n;

    begins = z->sh->feed.begins;
    begin = 0;
    n = NGX_HTTP_LONGPOLL_EPOCHS;

    for (i = 0; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {

        if (z->sh->epochs[i] && begins[i] >= begin && begins[i] <= id) {
            begin = begins[i];
            n = i;
        }
    }

    return n;
}


ngx_uint_t
ngx_http_longpoll_zone_epoch_begins(ngx_http_longpoll_zone_t *z,
    uint64_t epoch)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {

        if (z->sh->epochs[i] == epoch) {
            return epoch && z->sh->feed.begins[i] > z->sh->feed.begin;
        }
    }

    return epoch != 0;
}


void
ngx_http_longpoll_zone_epoch_uuid(ngx_http_longpoll_zone_t *z, uint64_t id,
    ngx_http_longpoll_uuid_t *uuid)
{
    uint64_t    epoch;
    ngx_uint_t  n;

    ngx_http_longpoll_zone_lock(z);

    n = ngx_http_longpoll_zone_epoch_of(z, id);
    epoch = (n == NGX_HTTP_LONGPOLL_EPOCHS) ? z->sh->epoch : z->sh->epochs[n];

    ngx_http_longpoll_zone_unlock(z);

    ngx_http_longpoll_id_uuid(uuid, id, epoch);
}


ngx_int_t
ngx_http_longpoll_zone_epoch_add(ngx_http_longpoll_zone_t *z, uint64_t epoch,
    uint64_t id, ngx_uint_t *steps)
{
    uint32_t                         slot;
    uint64_t                         next;
    ngx_uint_t                       n;
    ngx_http_longpoll_msg_sh_t      *msg;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;

    for (n = 0; n < NGX_HTTP_LONGPOLL_EPOCHS; n++) {

        if (sh->epochs[n] == epoch) {
            return NGX_OK;
        }
    }

    n = ngx_http_longpoll_zone_epoch_oldest(z, &next);

    if (sh->epochs[n]) {

        if (id < sh->feed.begins[n]) {
            return NGX_OK;
        }

        next = ngx_min(next, id);

        while (sh->list.oldest) {
            msg = ngx_http_longpoll_zone_msg(z, sh->list.oldest);

            if (msg->id >= next) {
                break;
            }

            if (*steps == 0) {
                return NGX_BUSY;
            }

            (*steps)--;

            slot = msg->slot;
            ngx_http_longpoll_zone_list_drop(z, msg,
                                             NGX_HTTP_LONGPOLL_ZONE_LOST);
            ngx_http_longpoll_zone_list_free_if_unused(z, slot);
            ngx_http_longpoll_zone_count(z, evicted, 1);
        }
    }

    ngx_http_longpoll_set(j, sh->epochs[n], epoch);
    ngx_http_longpoll_set(j, sh->feed.begins[n], id);
    ngx_http_longpoll_done(j);

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_zone_epoch_list(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_entry_life_t *lives, ngx_uint_t n, ngx_uint_t *steps)
{
    uint64_t    *epochs;
    ngx_uint_t   i, k;

    epochs = z->sh->epochs;

    for (i = 0; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {

        if (z->sh->feed.begins[i] <= z->sh->clock.visible) {
            continue;
        }

        for (k = 0; k < n && lives[k].epoch != epochs[i]; k++) { /* void */ }

        if (k == n) {
            ngx_http_longpoll_put(epochs[i], 0);
        }
    }

    for (k = n; k; k--) {

        if (ngx_http_longpoll_zone_epoch_add(z, lives[k - 1].epoch,
                                             lives[k - 1].begin, steps)
            != NGX_OK)
        {
            return NGX_BUSY;
        }
    }

    return NGX_OK;
}


void
ngx_http_longpoll_zone_epoch_clear(ngx_http_longpoll_zone_t *z)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {
        ngx_http_longpoll_put(z->sh->epochs[i], 0);
    }
}


/*
 * The number of no epoch, or of the one that begins first; *next becomes the
 * beginning of the one behind it.
 */

static ngx_uint_t
ngx_http_longpoll_zone_epoch_oldest(ngx_http_longpoll_zone_t *z,
    uint64_t *next)
{
    uint64_t    *begins;
    ngx_uint_t   i, n;

    begins = z->sh->feed.begins;
    *next = (uint64_t) -1;
    n = 0;

    for (i = 0; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {

        if (z->sh->epochs[i] == 0) {
            return i;
        }

        if (begins[i] < begins[n]) {
            n = i;
        }
    }

    for (i = 0; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {

        if (i != n) {
            *next = ngx_min(*next, begins[i]);
        }
    }

    return n;
}
