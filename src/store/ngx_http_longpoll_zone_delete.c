
/*
 * ngx_http_longpoll_zone_delete.c: the messages of a category are deleted.
 *
 *     work.delete_slot    the category's slot + 1; 0: no delete is under way
 *     work.delete_id      messages up to this id are dropped
 *     work.delete_lost    they are lost: the category was inactive
 *
 * The step that begins a delete also notes it for the log on disk.  Every
 * process that takes the lock while a delete is under way works on it for a
 * hold's steps (zone_lock), so the delete ends even if its own process is
 * killed.  Messages that are published meanwhile stay.
 */


#include "ngx_http_longpoll_zone_delete.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"


ngx_int_t
ngx_http_longpoll_zone_delete(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now)
{
    ngx_int_t   rc;
    ngx_uint_t  begun, more;

    begun = 0;
    rc = NGX_OK;

    if (ngx_http_longpoll_zone_is_presence(z, cat->hash)) {
        return NGX_OK;
    }

    do {
        more = 0;

        ngx_http_longpoll_zone_lock(z);

        if (z->sh->moved) {
            rc = begun ? NGX_OK : NGX_DECLINED;

        } else {
            more = ngx_http_longpoll_zone_delete_hold(z, cat, now, &begun);
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (more);

    return rc;
}


ngx_uint_t
ngx_http_longpoll_zone_delete_hold(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now, ngx_uint_t *begun)
{
    uint32_t                      slot;
    ngx_uint_t                    steps;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    if (sh->work.delete_slot) {

        /* this delete, or one of another process before it */

        return 1;
    }

    if (*begun) {
        return 0;
    }

    *begun = 1;
    slot = ngx_http_longpoll_cat_find(&z->cats, cat->hash);

    if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
        return 0;
    }

    ngx_http_longpoll_put(z->cats.slots[slot].used, now);
    ngx_http_longpoll_zone_list_begin_delete(z, slot, sh->clock.visible, 0);

    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
    ngx_http_longpoll_zone_list_delete(z, &steps);

    return sh->work.delete_slot != 0;
}
