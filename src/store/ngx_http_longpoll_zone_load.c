
/*
 * ngx_http_longpoll_zone_load.c: filling a zone with the messages and losses of
 * earlier epochs.
 *
 * A load makes room as a publish does, so a smaller zone keeps the newest
 * messages.  Messages keep their UUIDs: a record has the number of the epoch
 * that gave it its id, one of those that the zone knows, or its 16 bytes of
 * UUID (FOREIGN).
 *
 * Before the zone's first request a message is visible at once.  In a merge the
 * zone is in use, and a message is committed as a publish of its own:
 *
 *     SAVED = NEXT = msg    if it is ahead of all cursors, and this zone took
 *                           no messages of its own: the log has all there is
 *     read_upto, or         a merge that is begun again does not give it twice
 *     read_early
 *     committed, visible    with durable it waits for the disk, as a publish
 *                           does, but for what SAVED has passed
 *
 * These are one step.  As long as SAVED is at the end, no cursor is told that
 * there were two nginxes: they followed each other (zone_clock).
 */


#include "ngx_http_longpoll_zone_load.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_cursor.h"
#include "ngx_http_longpoll_zone_disk.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_watch.h"


/* how often publishes that wait for the disk are refused for one message */

#define NGX_HTTP_LONGPOLL_ZONE_LOAD_TRIES  8


static ngx_uint_t ngx_http_longpoll_zone_load_epoch(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load);
static void ngx_http_longpoll_zone_load_append(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load, ngx_uint_t bits, uint64_t *wake);
static void ngx_http_longpoll_zone_load_commit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load, ngx_uint_t saved);
static void ngx_http_longpoll_zone_load_log(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_loaded_t *loaded);


ngx_int_t
ngx_http_longpoll_zone_load(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg,
    const uint64_t *key, uint64_t now, uint64_t *wake)
{
    ngx_int_t                      rc;
    ngx_uint_t                     steps, tries;
    ngx_http_longpoll_zone_load_t  load;

    if (msg->data.len > NGX_HTTP_LONGPOLL_MSG_MAX) {
        return NGX_DECLINED;
    }

    load.cat = cat;
    load.msg = msg;
    load.key = key;
    load.live = z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].on;
    load.own = 0;
    load.room.now = now;
    load.room.tail = 0;

    (void) ngx_http_longpoll_id_read(&msg->uuid, &load.own, &load.epoch);

    tries = 0;

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);
        rc = ngx_http_longpoll_zone_load_msg(z, &load, &steps, wake);
        ngx_http_longpoll_zone_unlock(z);

        if (rc == NGX_ABORT) {

            if (tries++ == NGX_HTTP_LONGPOLL_ZONE_LOAD_TRIES) {
                return NGX_DECLINED;
            }

            /* this message was acknowledged, those in its way were not */

            ngx_http_longpoll_zone_disk_failed(z, wake);
        }

    } while (rc == NGX_BUSY || rc == NGX_ABORT);

    if (rc == NGX_OK && load.live) {
        ngx_http_longpoll_zone_disk_expose(z, 0, wake);
    }

    return rc;
}


ngx_int_t
ngx_http_longpoll_zone_load_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load, ngx_uint_t *steps, uint64_t *wake)
{
    ngx_int_t   rc;
    ngx_uint_t  bits;

    bits = load->live ? ngx_http_longpoll_zone_bits(z, load->key)
                      : load->key ? NGX_HTTP_LONGPOLL_MSG_KEYED : 0;

    load->room.cats = load->cat;
    load->room.ncats = 1;
    load->room.need = ngx_http_longpoll_zone_msg_need(load->cat, load->msg,
                                                      bits);

    if (load->room.need > z->size / 4) {
        return NGX_DECLINED;
    }

    /* the UUID may have to be kept */

    load->room.need += sizeof(ngx_http_longpoll_uuid_t);

    rc = ngx_http_longpoll_zone_room(z, &load->room, steps);

    if (rc == NGX_OK) {
        bits |= ngx_http_longpoll_zone_load_epoch(z, load) << 4;
        ngx_http_longpoll_zone_load_append(z, load, bits, wake);
    }

    return rc == NGX_DECLINED ? NGX_ABORT : rc;
}


/*
 * The number of the epoch in which a message got its id.  The message keeps the
 * id, if that is ahead.
 */

static ngx_uint_t
ngx_http_longpoll_zone_load_epoch(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load)
{
    uint64_t    *epochs;
    ngx_uint_t   i;

    epochs = z->sh->epochs;

    if (load->own <= z->sh->clock.last_id
        || ngx_http_longpoll_id_ms(load->own)
           != ngx_http_longpoll_id_ms(load->msg->id))
    {
        return NGX_HTTP_LONGPOLL_FOREIGN;
    }

    for (i = 1; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {

        if (epochs[i] == 0) {
            ngx_http_longpoll_put(epochs[i], load->epoch);
        }

        if (epochs[i] == load->epoch) {
            load->msg->id = load->own;
            return i;
        }
    }

    return NGX_HTTP_LONGPOLL_FOREIGN;
}


static void
ngx_http_longpoll_zone_load_append(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load, ngx_uint_t bits, uint64_t *wake)
{
    uint64_t                      ms, pending;
    ngx_uint_t                    saved, few;
    ngx_http_longpoll_msg_t      *msg;
    ngx_http_longpoll_cat_sh_t   *c;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    msg = load->msg;

    ngx_http_longpoll_put(sh->work.busy, 1);

    msg->pos = ngx_http_longpoll_zone_room_slot(z, load->cat, load->room.now);
    c = &z->cats.slots[msg->pos];

    saved = load->live && msg->id > sh->clock.last_id
            && !ngx_http_longpoll_zone_clock_took(z);

    /* behind all messages, and all that the category has lost */

    msg->id = ngx_max(msg->id, sh->clock.last_id + 1);
    msg->id = ngx_max(msg->id, c->dropped + 1);

    /* in the ms of its UUID's id a load would compare that id with notes */

    ms = ngx_http_longpoll_id_ms(msg->id);

    if (load->live && msg->id != load->own
        && ms == ngx_http_longpoll_id_ms(load->own))
    {
        msg->id = ngx_http_longpoll_id(ms + 1, 0);
    }

    ngx_http_longpoll_put(sh->clock.last_id, msg->id);
    ngx_http_longpoll_put(c->used, load->room.now);

    pending = bits & NGX_HTTP_LONGPOLL_MSG_PENDING
              ? ngx_http_longpoll_zone_watch_interested(z, c, msg->id) : 0;

    ngx_http_longpoll_zone_list_append(z, load->cat, msg, bits, pending,
                                       load->key);

    ngx_http_longpoll_zone_load_commit(z, load, saved);

    if (!sh->disk.durable) {
        *wake |= ngx_http_longpoll_zone_watch_mark(z, (uint32_t) msg->pos,
                                                   msg->id);

        few = NGX_HTTP_LONGPOLL_ZONE_FEW;
        (void) ngx_http_longpoll_zone_room_trim(z, (uint32_t) msg->pos, &few);

    } else if (!saved) {
        *wake |= ngx_http_longpoll_zone_cursor_writer(z);
    }

    ngx_http_longpoll_put(sh->work.busy, 0);
}


/* in a merge the log has the message, and it is synced */

static void
ngx_http_longpoll_zone_load_commit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load, ngx_uint_t saved)
{
    uint64_t                         id;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;
    id = load->msg->id;

    if (load->live) {
        ngx_http_longpoll_set(j, sh->disk.taken_upto,
                              ngx_max(sh->disk.taken_upto, id));

        if (load->own > sh->disk.read_upto) {
            ngx_http_longpoll_set(j, sh->disk.read_upto, load->own);

        } else {
            ngx_http_longpoll_set(j, sh->disk.read_early, load->own);
        }

        if (!sh->disk.durable) {
            ngx_http_longpoll_zone_count(z, published, 1);
        }
    }

    if (!sh->disk.durable) {
        ngx_http_longpoll_set(j, sh->clock.visible, id);
    }

    ngx_http_longpoll_set(j, sh->clock.committed, id);

    if (saved) {
        ngx_http_longpoll_zone_cursor_saved(z, id, 0);

    } else {
        ngx_http_longpoll_done(j);
    }
}


void
ngx_http_longpoll_zone_load_lost(ngx_http_longpoll_zone_t *z, uint64_t name,
    uint64_t id, ngx_uint_t exact)
{
    ngx_http_longpoll_zone_lock(z);
    ngx_http_longpoll_cat_lost(&z->cats, name, id, exact);
    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_load_forget(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_forget_pt forget, void *data)
{
    uint32_t                        slot;
    ngx_int_t                       why;
    ngx_uint_t                      steps, own;
    ngx_http_longpoll_uuid_t        uuid;
    ngx_http_longpoll_msg_sh_t     *msg;
    ngx_http_longpoll_disk_sh_t    *disk;
    ngx_http_longpoll_cursor_sh_t  *base;

    disk = &z->sh->disk;
    base = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE];

    /* what drops or moves the message at BASE moves BASE, too */

    ngx_http_longpoll_zone_lock(z);
    ngx_http_longpoll_zone_cursor_base(z, z->sh->clock.committed);
    ngx_http_longpoll_zone_unlock(z);

    do {
        ngx_http_longpoll_zone_lock(z);

        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        for ( /* void */ ; steps && base->ref; steps--) {
            msg = ngx_http_longpoll_zone_msg(z, base->ref);

            if (msg->id > disk->base_upto) {
                break;
            }

            slot = msg->slot;
            own = (ngx_http_longpoll_msg_epoch(msg) == 0
                   && msg->id > disk->read_upto);

            ngx_http_longpoll_zone_msg_uuid(z, msg, &uuid);

            why = forget(data, z->cats.slots[slot].hash[1], msg->id, &uuid,
                         own);

            if (why == NGX_DECLINED) {
                ngx_http_longpoll_zone_cursor_set(z,
                                                NGX_HTTP_LONGPOLL_CURSOR_BASE,
                                                msg->id, msg->newer);
                continue;
            }

            ngx_http_longpoll_zone_list_drop(z, msg, why);
            ngx_http_longpoll_zone_list_free_if_unused(z, slot);
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (steps == 0);

    ngx_http_longpoll_zone_disk_base_stop(z);
}


void
ngx_http_longpoll_zone_load_done(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_loaded_t *loaded)
{
    ngx_uint_t                   i;
    ngx_http_longpoll_cat_sh_t  *cat;

    /* nobody else uses the zone yet */

    for (i = 0; i < z->sh->cats.fresh; i++) {
        cat = &z->cats.slots[i];

        cat->shared = ngx_max(cat->shared, cat->dropped);
        cat->dropped = 0;
    }

    ngx_http_longpoll_zone_load_words(z, loaded);

    z->sh->cats.earlier = z->sh->clock.last_id;
}


void
ngx_http_longpoll_zone_load_words(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_loaded_t *loaded)
{
    uint64_t                      id, ms;
    ngx_uint_t                    i;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    /* new ids are later than all of these, even if the clock was set back */

    id = ngx_max(sh->clock.last_id, loaded->last);
    ms = ngx_max(loaded->now, ngx_http_longpoll_id_ms(id) + 1);
    id = ngx_http_longpoll_id(ms, 0);

    sh->clock.last_id = id;
    sh->clock.committed = id;
    sh->clock.visible = id;
    sh->born = ms;

    sh->previous.end = ms;
    sh->previous.valid_from = ms;
    sh->previous.lost_until = loaded->lost_until;

    if (loaded->believed && !loaded->barred) {
        sh->previous.valid_from = ngx_max(loaded->valid_from,
                                          loaded->lost_until);
    }

    if (z->nnotes == 0) {
        return;
    }

    for (i = 0; i < NGX_HTTP_LONGPOLL_CURSORS; i++) {
        sh->disk.cursors[i].id = id;
        sh->disk.cursors[i].on = (i != NGX_HTTP_LONGPOLL_CURSOR_BASE);
    }

    ngx_http_longpoll_zone_load_log(z, loaded);
    ngx_http_longpoll_done(&sh->journal);

    sh->disk.lost = !loaded->head;
    sh->disk.taken_upto = id;
    sh->disk.read_upto = loaded->events_last;
    sh->disk.says = z->conf.durable && !loaded->barred
                    ? NGX_HTTP_LONGPOLL_SAYS_YES : NGX_HTTP_LONGPOLL_SAYS_NO;

    /* until a writer has begun the epoch in the log */

    sh->disk.durable = 1;
}


/* within the caller's step: what the log is, and what it is to become */

static void
ngx_http_longpoll_zone_load_log(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_loaded_t *loaded)
{
    ngx_http_longpoll_disk_sh_t     *disk;
    ngx_http_longpoll_journal_sh_t  *j;

    disk = &z->sh->disk;
    j = &z->sh->journal;

    ngx_http_longpoll_put(disk->skipped, disk->skipped | loaded->skipped);
    ngx_http_longpoll_put(disk->restored, disk->restored | loaded->restored);

    ngx_http_longpoll_set(j, disk->segment,
                          ngx_max(loaded->segment, loaded->after) + 1);
    ngx_http_longpoll_set(j, disk->after, loaded->after);
    ngx_http_longpoll_set(j, disk->file_size, 0);
    ngx_http_longpoll_set(j, disk->node, loaded->node);
    ngx_http_longpoll_set(j, disk->begun, 0);
    ngx_http_longpoll_set(j, disk->stale, loaded->stale || loaded->skipped);
    ngx_http_longpoll_set(j, disk->contested, loaded->barred);
}


ngx_int_t
ngx_http_longpoll_zone_load_merged(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_loaded_t *loaded)
{
    uint64_t                          id, ms, valid_from;
    ngx_uint_t                        follows;
    ngx_http_longpoll_disk_sh_t      *disk;
    ngx_http_longpoll_zone_sh_t      *sh;
    ngx_http_longpoll_journal_sh_t   *j;
    ngx_http_longpoll_previous_sh_t  *previous;

    sh = z->sh;
    disk = &sh->disk;
    previous = &sh->previous;
    j = &sh->journal;

    ngx_http_longpoll_zone_lock(z);

    follows = loaded->believed && !loaded->moved
              && !ngx_http_longpoll_zone_clock_took(z);

    /* the other nginx issued no later time */

    id = ngx_max(sh->clock.last_id, loaded->last);
    ms = ngx_max(loaded->now, ngx_http_longpoll_id_ms(id));
    id = ngx_http_longpoll_id_last_of(ms);

    ngx_http_longpoll_put(sh->clock.last_id, id);

    valid_from = loaded->believed ? loaded->valid_from : previous->valid_from;

    ngx_http_longpoll_put(previous->lost_until,
                          ngx_max(previous->lost_until, loaded->lost_until));
    ngx_http_longpoll_set(j, previous->end, ngx_max(previous->end, ms));
    ngx_http_longpoll_set(j, previous->valid_from,
                          ngx_max(valid_from, previous->lost_until));

    /* while publishes wait for the disk, an earlier merge may have set more */

    if (!follows) {
        ngx_http_longpoll_set(j, previous->missing_below,
                              ngx_max(previous->missing_below, id + 1));
    }

    ngx_http_longpoll_zone_load_log(z, loaded);
    ngx_http_longpoll_set(j, disk->lost, 1);
    ngx_http_longpoll_set(j, disk->read_upto, id);
    ngx_http_longpoll_set(j, disk->read_early, 0);

    /* as the other nginx left it */

    ngx_http_longpoll_set(j, disk->says, NGX_HTTP_LONGPOLL_SAYS_MAYBE);

    /* the other nginx told who was there, and not that they have left */

    if (sh->presence.hash[0]) {
        ngx_http_longpoll_set(j, sh->presence.reset, 1);

        if (sh->presence.flying == NGX_HTTP_LONGPOLL_FLYING_RESET) {
            ngx_http_longpoll_set(j, sh->presence.flying, 0);
        }
    }

    ngx_http_longpoll_done(j);

    /* a poll that begins now begins behind missing_below */

    if (ngx_http_longpoll_zone_clock_missing(z, sh->clock.visible, 0)) {
        ngx_http_longpoll_zone_clock_advance(z);
    }

    ngx_http_longpoll_zone_unlock(z);

    return follows ? NGX_OK : NGX_DECLINED;
}
