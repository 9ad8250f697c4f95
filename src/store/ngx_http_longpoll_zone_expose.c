
/*
 * ngx_http_longpoll_zone_expose.c: messages that waited for the disk become
 * visible, or are dropped.
 *
 * With durable, a message is committed when its publish is whole, and visible
 * when it is saved; then the workers that wait for it are marked.  Without
 * durable a message is visible at once, and EXPOSED is off.
 *
 *     all:   ... EXPOSED | msg <-> msg <-> msg | SAVED  msg <-> msg
 *                          visible, marked              refused, dropped
 *
 * Messages of another epoch that wait for the disk came by a merge: the log has
 * them.  So they are never refused.  They become visible in place of that.
 */


#include "ngx_http_longpoll_zone_expose.h"
#include "ngx_http_longpoll_zone_cursor.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_unsaved.h"
#include "ngx_http_longpoll_zone_watch.h"


static ngx_uint_t ngx_http_longpoll_zone_expose_hold(
    ngx_http_longpoll_zone_t *z, ngx_uint_t all, uint64_t *wake);
static void ngx_http_longpoll_zone_expose_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_uint_t *steps, uint64_t *wake);
static ngx_uint_t ngx_http_longpoll_zone_expose_refuse_hold(
    ngx_http_longpoll_zone_t *z, uint64_t *wake);


void
ngx_http_longpoll_zone_expose(ngx_http_longpoll_zone_t *z, ngx_uint_t all,
    uint64_t *wake)
{
    ngx_uint_t  more;

    do {
        ngx_http_longpoll_zone_lock(z);

        /* what was not visible when the zone was frozen is refused */

        more = z->sh->disk.durable && !z->sh->moved
               && ngx_http_longpoll_zone_expose_hold(z, all, wake);

        ngx_http_longpoll_zone_unlock(z);

    } while (more);
}


/*
 * A publish becomes visible as a whole, in the hold in which its workers are
 * marked.  So a message is visible and not exposed only if a writer was killed
 * in between, or in this hold.  Returns 1 if there is more.
 */

static ngx_uint_t
ngx_http_longpoll_zone_expose_hold(ngx_http_longpoll_zone_t *z,
    ngx_uint_t all, uint64_t *wake)
{
    uint64_t                        upto;
    ngx_uint_t                      more, steps;
    ngx_http_longpoll_msg_sh_t     *msg, *last;
    ngx_http_longpoll_zone_sh_t    *sh;
    ngx_http_longpoll_cursor_sh_t  *cursors;

    sh = z->sh;
    cursors = sh->disk.cursors;
    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
    more = 0;

    upto = ngx_max(cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id,
                   sh->clock.visible);
    upto = all ? sh->clock.committed : upto;

    ngx_http_longpoll_put(sh->work.busy, 1);

    while (cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].ref) {
        msg = ngx_http_longpoll_zone_msg(z,
                             cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].ref);

        if (msg->id > upto) {
            break;
        }

        if (ngx_http_longpoll_zone_is_unsaved(z, msg)) {

            if (steps == 0) {
                more = 1;
                break;
            }

            last = msg;

            while (last->rec.bits & NGX_HTTP_LONGPOLL_MSG_MORE) {
                last = ngx_http_longpoll_zone_msg(z, last->newer);
            }

            ngx_http_longpoll_put(sh->clock.visible, last->id);
        }

        ngx_http_longpoll_zone_expose_msg(z, msg, &steps, wake);
    }

    if (!more && sh->clock.visible < upto) {
        ngx_http_longpoll_put(sh->clock.visible, upto);
    }

    ngx_http_longpoll_put(sh->work.busy, 0);

    return more;
}


static void
ngx_http_longpoll_zone_expose_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_uint_t *steps, uint64_t *wake)
{
    ngx_uint_t                   few;
    ngx_http_longpoll_cat_sh_t  *cat;

    cat = &z->cats.slots[msg->slot];

    if (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING) {
        ngx_http_longpoll_put(*ngx_http_longpoll_zone_pending(msg),
                         ngx_http_longpoll_zone_watch_interested(z, cat,
                                                                 msg->id));
    }

    *wake |= ngx_http_longpoll_zone_watch_mark(z, msg->slot, msg->id);
    ngx_http_longpoll_zone_count(z, published, 1);

    /* one step; if trim drops the next message, the cursor is relinked */

    ngx_http_longpoll_zone_unsaved_remove(z, msg);
    ngx_http_longpoll_zone_cursor_set(z, NGX_HTTP_LONGPOLL_CURSOR_EXPOSED,
                                      msg->id, msg->newer);

    /* the rest of a publish is trimmed, too, when there is no step left */

    few = NGX_HTTP_LONGPOLL_ZONE_FEW;
    (void) ngx_http_longpoll_zone_room_trim(z, msg->slot, &few);

    *steps -= ngx_min(*steps, 1 + NGX_HTTP_LONGPOLL_ZONE_FEW - few);
}


void
ngx_http_longpoll_zone_expose_refuse(ngx_http_longpoll_zone_t *z,
    uint64_t *wake)
{
    ngx_uint_t  more;

    do {
        ngx_http_longpoll_zone_lock(z);

        more = z->sh->disk.refused
               && ngx_http_longpoll_zone_expose_refuse_hold(z, wake);

        ngx_http_longpoll_zone_unlock(z);

    } while (more);
}


/* returns 1 if there is more */

static ngx_uint_t
ngx_http_longpoll_zone_expose_refuse_hold(ngx_http_longpoll_zone_t *z,
    uint64_t *wake)
{
    ngx_uint_t                      steps;
    ngx_http_longpoll_msg_sh_t     *msg;
    ngx_http_longpoll_zone_sh_t    *sh;
    ngx_http_longpoll_cursor_sh_t  *exposed;

    sh = z->sh;
    exposed = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];
    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

    ngx_http_longpoll_put(sh->work.busy, 1);

    while (steps) {
        msg = exposed->ref ? ngx_http_longpoll_zone_msg(z, exposed->ref) : NULL;

        if (msg == NULL || msg->id > sh->disk.refused) {
            ngx_http_longpoll_put(sh->disk.refused, 0);
            break;
        }

        if (ngx_http_longpoll_msg_epoch(msg)) {

            /* all in front of it have been dropped */

            ngx_http_longpoll_put(sh->clock.visible,
                                  ngx_max(sh->clock.visible, msg->id));
            ngx_http_longpoll_zone_expose_msg(z, msg, &steps, wake);
            continue;
        }

        steps--;

        ngx_http_longpoll_zone_list_drop(z, msg, NGX_HTTP_LONGPOLL_ZONE_TAKEN);
        ngx_http_longpoll_zone_list_free_if_unused(z, msg->slot);
    }

    ngx_http_longpoll_put(sh->work.busy, 0);

    return sh->disk.refused != 0;
}
