
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
 * there were two nginxes: they followed each other (zone_epoch).
 */


#include "ngx_http_longpoll_zone_load.h"
#include "ngx_http_longpoll_zone_cursor.h"
#include "ngx_http_longpoll_zone_disk.h"
#include "ngx_http_longpoll_zone_epoch.h"
#include "ngx_http_longpoll_zone_expose.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_watch.h"


/* how often publishes that wait for the disk are refused for one message */

#define NGX_HTTP_LONGPOLL_ZONE_LOAD_TRIES  8


static ngx_int_t ngx_http_longpoll_zone_load_prepare(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_load_t *load,
    ngx_uint_t *steps);
static ngx_uint_t ngx_http_longpoll_zone_load_epoch(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load);
static void ngx_http_longpoll_zone_load_append(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load, uint64_t *wake);
static void ngx_http_longpoll_zone_load_commit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load, ngx_uint_t saved, uint64_t *wake);


/* the next number: of all segments there are, and of the base */

#define ngx_http_longpoll_zone_load_segment(loaded)                           \
    (ngx_max((loaded)->segment, (loaded)->after) + 1)


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
    load.id = msg->id;
    load.live = z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].on;
    load.room.now = now;
    load.room.tail = 0;

    if (!ngx_http_longpoll_id_read(&msg->uuid, &load.own, &load.epoch)) {
        load.own = 0;
    }

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

    if (rc == NGX_OK && load.live && z->sh->disk.durable) {
        ngx_http_longpoll_zone_expose(z, 0, wake);
    }

    return rc;
}


ngx_int_t
ngx_http_longpoll_zone_load_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load, ngx_uint_t *steps, uint64_t *wake)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_zone_load_prepare(z, load, steps);

    if (rc == NGX_OK) {
        ngx_http_longpoll_zone_load_append(z, load, wake);
    }

    return rc;
}


/*
 * NGX_OK: there is room; NGX_BUSY: out of steps; NGX_ABORT: messages that wait
 * for the disk have the room; NGX_DECLINED as the load returns it.
 */

static ngx_int_t
ngx_http_longpoll_zone_load_prepare(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load, ngx_uint_t *steps)
{
    ngx_int_t  rc;

    /* in every hold anew: in a merge other messages are published */

    load->msg->id = load->id;

    load->bits = load->live ? ngx_http_longpoll_zone_bits(z, load->key)
                            : load->key ? NGX_HTTP_LONGPOLL_MSG_KEYED : 0;
    load->bits |= ngx_http_longpoll_zone_load_epoch(z, load) << 4;

    load->room.cats = load->cat;
    load->room.ncats = 1;
    load->room.need = ngx_http_longpoll_zone_msg_need(load->cat, load->msg,
                                                      load->bits);

    if (load->room.need > z->size / 4) {
        return NGX_DECLINED;
    }

    rc = ngx_http_longpoll_zone_room(z, &load->room, steps);

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

    if (load->own == 0
        || ngx_http_longpoll_id_ms(load->own)
           != ngx_http_longpoll_id_ms(load->id)
        || load->own <= z->sh->clock.last_id)
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
    ngx_http_longpoll_zone_load_t *load, uint64_t *wake)
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

    saved = msg->id > sh->clock.last_id
            && !ngx_http_longpoll_zone_epoch_took(z);

    /* behind all messages, and all that the category has lost */

    msg->id = ngx_max(msg->id, sh->clock.last_id + 1);
    msg->id = ngx_max(msg->id, c->dropped + 1);

    if (load->live && load->bits >> 4 == NGX_HTTP_LONGPOLL_FOREIGN) {

        /*
         * A load compares its time alone with that of notes, also of one that
         * drops what is visible while this message waits for the disk.
         */

        ms = sh->disk.durable ? sh->clock.visible : 0;
        ms = ngx_http_longpoll_id_ms(ngx_max(ms, sh->disk.noted)) + 1;
        msg->id = ngx_max(msg->id, ngx_http_longpoll_id(ms, 0));
    }

    ngx_http_longpoll_put(sh->clock.last_id, msg->id);
    ngx_http_longpoll_put(c->used, load->room.now);

    pending = load->bits & NGX_HTTP_LONGPOLL_MSG_PENDING
              ? ngx_http_longpoll_zone_watch_interested(z, c, msg->id) : 0;

    ngx_http_longpoll_zone_list_append(z, load->cat, msg, load->bits, pending,
                                       load->key);

    if (load->live) {
        ngx_http_longpoll_zone_load_commit(z, load, saved, wake);

    } else {
        ngx_http_longpoll_put(sh->clock.committed, msg->id);
        ngx_http_longpoll_put(sh->clock.visible, msg->id);
    }

    if (!sh->disk.durable) {
        *wake |= ngx_http_longpoll_zone_watch_mark(z, (uint32_t) msg->pos,
                                                   msg->id);

        few = NGX_HTTP_LONGPOLL_ZONE_FEW;
        (void) ngx_http_longpoll_zone_room_trim(z, (uint32_t) msg->pos, &few);
    }

    ngx_http_longpoll_put(sh->work.busy, 0);
}


/* a message of a merge: the log has it, and it is synced */

static void
ngx_http_longpoll_zone_load_commit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load, ngx_uint_t saved, uint64_t *wake)
{
    uint64_t                         id;
    ngx_uint_t                       i;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;
    id = load->msg->id;

    for (i = NGX_HTTP_LONGPOLL_CURSOR_SAVED;
         saved && i <= NGX_HTTP_LONGPOLL_CURSOR_NEXT;
         i++)
    {
        ngx_http_longpoll_set(j, sh->disk.cursors[i].id, id);
        ngx_http_longpoll_set(j, sh->disk.cursors[i].ref, 0);
    }

    ngx_http_longpoll_set(j, sh->disk.taken_upto,
                          ngx_max(sh->disk.taken_upto, id));

    if (load->own > sh->disk.read_upto) {
        ngx_http_longpoll_set(j, sh->disk.read_upto, load->own);

    } else {
        ngx_http_longpoll_set(j, sh->disk.read_early, load->own);
    }

    if (!sh->disk.durable) {
        ngx_http_longpoll_zone_count(z, published, 1);
        ngx_http_longpoll_set(j, sh->clock.visible, id);

    } else if (!saved) {
        *wake |= ngx_http_longpoll_zone_cursor_writer(z);
    }

    ngx_http_longpoll_set(j, sh->clock.committed, id);
    ngx_http_longpoll_done(j);
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
ngx_http_longpoll_zone_load_rest(ngx_http_longpoll_zone_t *z, uint64_t id)
{
    uint64_t                          ms;
    ngx_http_longpoll_previous_sh_t  *previous;

    previous = &z->sh->previous;
    ms = ngx_http_longpoll_id_ms(id) + 1;

    ngx_http_longpoll_zone_lock(z);
    ngx_http_longpoll_put(previous->lost_until,
                          ngx_max(previous->lost_until, ms));
    ngx_http_longpoll_zone_unlock(z);
}


uint64_t
ngx_http_longpoll_zone_load_drop(ngx_http_longpoll_zone_t *z, uint64_t name,
    uint64_t upto, uint64_t lost)
{
    uint32_t                     slot;
    ngx_uint_t                   more, steps;
    ngx_http_longpoll_cat_sh_t  *cat;
    ngx_http_longpoll_msg_sh_t  *msg;

    do {
        more = 0;
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);

        slot = ngx_http_longpoll_cat_named(&z->cats, name);

        if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
            ngx_http_longpoll_zone_unlock(z);
            break;
        }

        cat = &z->cats.slots[slot];

        while (cat->first) {
            msg = ngx_http_longpoll_zone_msg(z, cat->first);

            if (msg->id > ngx_max(upto, lost)) {
                break;
            }

            if (ngx_http_longpoll_msg_epoch(msg) == 0
                && msg->id > z->sh->disk.read_upto)
            {
                lost = ngx_min(lost, msg->id - 1);
                break;
            }

            if (steps-- == 0) {
                more = 1;
                break;
            }

            ngx_http_longpoll_zone_list_drop(z, msg,
                                      msg->id <= lost
                                      ? NGX_HTTP_LONGPOLL_ZONE_LOST
                                      : NGX_HTTP_LONGPOLL_ZONE_DELETED);
        }

        ngx_http_longpoll_zone_list_free_if_unused(z, slot);

        ngx_http_longpoll_zone_unlock(z);

    } while (more);

    return lost;
}


void
ngx_http_longpoll_zone_load_delete(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_deleted_pt deleted, void *data)
{
    uint32_t                     slot, ref;
    uint64_t                     pos;
    ngx_uint_t                   steps;
    ngx_http_longpoll_uuid_t     uuid;
    ngx_http_longpoll_msg_sh_t  *msg;

    slot = 0;
    ref = 0;
    pos = 0;

    while (slot < z->sh->cats.fresh) {
        ngx_http_longpoll_zone_lock(z);

        for (steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
             steps && slot < z->sh->cats.fresh;
             steps--)
        {
            if (!ngx_http_longpoll_zone_msg_stands(z, ref, pos, slot)) {
                ref = z->cats.slots[slot].first;
            }

            if (ref == 0) {
                slot++;
                continue;
            }

            msg = ngx_http_longpoll_zone_msg(z, ref);
            ref = msg->next;

            ngx_http_longpoll_zone_msg_uuid(z, msg, &uuid);

            if (deleted(data, &uuid)) {
                ngx_http_longpoll_zone_list_drop(z, msg,
                                                 NGX_HTTP_LONGPOLL_ZONE_TAKEN);
            }

            if (ref == 0) {
                ngx_http_longpoll_zone_list_free_if_unused(z, slot);
                slot++;

            } else {
                pos = ngx_http_longpoll_zone_msg_pos(z, ref);
            }
        }

        ngx_http_longpoll_zone_unlock(z);
    }
}


void
ngx_http_longpoll_zone_load_done(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_loaded_t *loaded)
{
    ngx_uint_t                    i;
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    /* nobody else uses the zone yet */

    for (i = 0; i < sh->cats.fresh; i++) {
        cat = &z->cats.slots[i];

        cat->shared = ngx_max(cat->shared, cat->dropped);
        cat->dropped = 0;
    }

    ngx_http_longpoll_zone_load_words(z, loaded);

    sh->cats.earlier = sh->clock.last_id;
}


void
ngx_http_longpoll_zone_load_words(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_loaded_t *loaded)
{
    uint64_t                        id, ms;
    ngx_uint_t                      i;
    ngx_http_longpoll_disk_sh_t    *disk;
    ngx_http_longpoll_zone_sh_t    *sh;
    ngx_http_longpoll_cursor_sh_t  *cursors;

    sh = z->sh;
    disk = &sh->disk;
    cursors = disk->cursors;

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

    if (loaded->believed && !loaded->barred) {
        sh->previous.valid_from = ngx_max(loaded->valid_from,
                                          sh->previous.lost_until);
    }

    if (z->nnotes == 0) {
        return;
    }

    for (i = 0; i < NGX_HTTP_LONGPOLL_CURSORS; i++) {
        cursors[i].id = id;
        cursors[i].ref = 0;
        cursors[i].on = (i != NGX_HTTP_LONGPOLL_CURSOR_BASE);
    }

    disk->segment = ngx_http_longpoll_zone_load_segment(loaded);
    disk->after = loaded->after;
    disk->file_size = 0;
    disk->node = loaded->node;
    disk->lost = !loaded->head;
    disk->stale = loaded->stale || loaded->skipped
                  ? NGX_HTTP_LONGPOLL_STALE_WANTED
                  : NGX_HTTP_LONGPOLL_STALE_NO;
    disk->skipped = loaded->skipped;
    disk->restored = loaded->restored;
    disk->taken_upto = id;
    disk->contested = loaded->barred;
    disk->read_upto = loaded->events_last;

    /* until a writer has begun the epoch in the log */

    disk->begun = 0;
    disk->durable = 1;
    disk->says = z->conf.durable && !loaded->barred
                 ? NGX_HTTP_LONGPOLL_SAYS_YES : NGX_HTTP_LONGPOLL_SAYS_NO;
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

    disk->skipped |= loaded->skipped;
    disk->restored |= loaded->restored;

    ngx_http_longpoll_zone_lock(z);

    follows = loaded->believed && !loaded->moved
              && !ngx_http_longpoll_zone_epoch_took(z);

    /* the other nginx issued no later time */

    id = ngx_max(sh->clock.last_id, loaded->last);
    ms = ngx_max(loaded->now, ngx_http_longpoll_id_ms(id));
    id = ngx_http_longpoll_id_last_of(ms);

    ngx_http_longpoll_put(sh->clock.last_id, id);

    valid_from = loaded->believed ? loaded->valid_from : previous->valid_from;

    ngx_http_longpoll_set(j, previous->end, ngx_max(previous->end, ms));
    ngx_http_longpoll_set(j, previous->valid_from,
                          ngx_max(valid_from, previous->lost_until));

    /* while publishes wait for the disk, an earlier merge may have set more */

    if (!follows) {
        ngx_http_longpoll_set(j, previous->missing_below,
                              ngx_max(previous->missing_below, id + 1));
    }

    ngx_http_longpoll_set(j, disk->segment,
                          ngx_http_longpoll_zone_load_segment(loaded));
    ngx_http_longpoll_set(j, disk->after, 0);
    ngx_http_longpoll_set(j, disk->file_size, 0);
    ngx_http_longpoll_set(j, disk->node, loaded->node);
    ngx_http_longpoll_set(j, disk->lost, 1);
    ngx_http_longpoll_set(j, disk->begun, 0);

    /* as the other nginx left it */

    ngx_http_longpoll_set(j, disk->says, NGX_HTTP_LONGPOLL_SAYS_MAYBE);
    ngx_http_longpoll_set(j, disk->read_upto, id);
    ngx_http_longpoll_set(j, disk->read_early, 0);
    ngx_http_longpoll_set(j, disk->contested, 0);
    ngx_http_longpoll_done(j);

    ngx_http_longpoll_zone_unlock(z);

    /* a poll that begins now begins behind missing_below */

    (void) ngx_http_longpoll_zone_epoch_latest(z);

    return follows ? NGX_OK : NGX_DECLINED;
}
