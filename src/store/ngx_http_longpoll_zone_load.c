
/*
 * ngx_http_longpoll_zone_load.c: filling a new zone with an earlier epoch's
 * messages and losses.
 *
 * Loading makes room as a publish does, so a smaller zone keeps the newest
 * messages.  Messages keep their UUIDs: a record has the number of the epoch
 * that gave it its id, one of those that the zone knows, or its 16 bytes of
 * UUID (FOREIGN).
 *
 * Nobody else uses the zone yet, so most stores are plain ones.
 */


#include "ngx_http_longpoll_zone_load.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_room.h"


ngx_int_t
ngx_http_longpoll_zone_load(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg,
    const uint64_t *key, uint64_t now)
{
    ngx_int_t                       rc;
    ngx_uint_t                      epoch, steps;
    ngx_http_longpoll_zone_room_t   room;

    if (msg->data.len > NGX_HTTP_LONGPOLL_MSG_MAX) {
        return NGX_DECLINED;
    }

    epoch = ngx_http_longpoll_zone_load_epoch(z, msg);

    room.cats = cat;
    room.now = now;
    room.tail = 0;

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);
        rc = ngx_http_longpoll_zone_load_msg(z, &room, msg, epoch, key, &steps);
        ngx_http_longpoll_zone_unlock(z);

    } while (rc == NGX_BUSY);

    return rc;
}


ngx_int_t
ngx_http_longpoll_zone_load_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_room_t *room, ngx_http_longpoll_msg_t *msg,
    ngx_uint_t epoch, const uint64_t *key, ngx_uint_t *steps)
{
    ngx_uint_t                    bits, few;
    ngx_http_longpoll_cat_t      *cat;
    ngx_http_longpoll_cat_sh_t   *c;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    cat = room->cats;

    bits = key ? NGX_HTTP_LONGPOLL_MSG_KEYED : 0;
    bits |= epoch << 4;

    room->ncats = 1;
    room->need = ngx_http_longpoll_zone_msg_need(cat, msg, bits);

    if (room->need > z->size / 4) {
        return NGX_DECLINED;
    }

    if (ngx_http_longpoll_zone_room(z, room, steps) != NGX_OK) {
        return NGX_BUSY;
    }

    msg->pos = ngx_http_longpoll_zone_room_slot(z, cat, room->now);
    c = &z->cats.slots[msg->pos];

    /* behind all messages, and all that the category has lost */

    msg->id = ngx_max(msg->id, sh->clock.last_id + 1);
    msg->id = ngx_max(msg->id, c->dropped + 1);

    sh->clock.last_id = msg->id;

    ngx_http_longpoll_zone_list_append(z, cat, msg, bits, 0, key);

    sh->clock.committed = sh->clock.last_id;
    sh->clock.visible = sh->clock.last_id;
    c->used = room->now;

    few = NGX_HTTP_LONGPOLL_ZONE_FEW;
    (void) ngx_http_longpoll_zone_room_trim(z, (uint32_t) msg->pos, &few);

    return NGX_OK;
}


ngx_uint_t
ngx_http_longpoll_zone_load_epoch(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_t *msg)
{
    uint64_t    id, epoch;
    ngx_uint_t  i;

    if (!ngx_http_longpoll_id_read(&msg->uuid, &id, &epoch)
        || ngx_http_longpoll_id_ms(id) != ngx_http_longpoll_id_ms(msg->id)
        || id <= z->sh->clock.last_id)
    {
        return NGX_HTTP_LONGPOLL_FOREIGN;
    }

    for (i = 1; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {

        if (z->sh->epochs[i] == 0) {
            z->sh->epochs[i] = epoch;
        }

        if (z->sh->epochs[i] == epoch) {
            msg->id = id;
            return i;
        }
    }

    return NGX_HTTP_LONGPOLL_FOREIGN;
}


void
ngx_http_longpoll_zone_load_loss(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_note_t *note, ngx_uint_t exact)
{
    uint64_t                           id;
    ngx_http_longpoll_tombstone_sh_t  *tombstone;
    ngx_http_longpoll_zone_sh_t       *sh;

    sh = z->sh;

    ngx_http_longpoll_zone_lock(z);

    if (note->kind == NGX_HTTP_LONGPOLL_NOTE_LOST) {
        id = ngx_max(note->word[2], note->word[3]);

        if (exact && note->word[2]) {
            ngx_http_longpoll_cat_lost(&z->cats, note->word, note->word[2], 1);
            id = note->word[3];
        }

        if (id) {
            ngx_http_longpoll_cat_lost(&z->cats, note->word, id, 0);
        }

    } else if (note->kind == NGX_HTTP_LONGPOLL_NOTE_TOMBSTONE
               && note->word[1] == sh->cats.nbuckets
               && note->word[0] < sh->cats.nbuckets)
    {
        tombstone = &z->cats.tombstones[note->word[0]];

        if (tombstone->id < note->word[2]) {
            tombstone->id = note->word[2];
            tombstone->check = note->word[3];
        }

    } else {

        /* the category that lost it is not known any more */

        id = note->kind == NGX_HTTP_LONGPOLL_NOTE_TOMBSTONE ? note->word[2]
                                                            : note->word[0];
        sh->previous.lost_until = ngx_max(sh->previous.lost_until,
                                          ngx_http_longpoll_id_ms(id) + 1);
    }

    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_load_done(ngx_http_longpoll_zone_t *z,
    ngx_uint_t earlier, uint64_t now)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_cat_sh_t     *cat;
    ngx_http_longpoll_zone_sh_t    *sh;
    ngx_http_longpoll_cursor_sh_t  *cursors;

    sh = z->sh;
    cursors = sh->disk.cursors;

    ngx_http_longpoll_zone_lock(z);

    for (i = 0; earlier && i < sh->cats.fresh; i++) {
        cat = &z->cats.slots[i];

        cat->shared = ngx_max(cat->shared, cat->dropped);
        cat->dropped = 0;
    }

    for (i = 0; earlier && i < sh->cats.nbuckets; i++) {
        z->cats.tombstones[i].check = 0;
    }

    sh->clock.last_id = ngx_max(sh->clock.last_id,
                                ngx_http_longpoll_id(now, 0));
    sh->clock.committed = sh->clock.last_id;
    sh->clock.visible = sh->clock.last_id;
    sh->born = ngx_http_longpoll_id_ms(sh->clock.last_id);

    if (z->ndeletions) {

        for (i = 0; i < NGX_HTTP_LONGPOLL_CURSORS; i++) {
            cursors[i].id = sh->clock.last_id;
            cursors[i].ref = 0;
            cursors[i].on = (i != NGX_HTTP_LONGPOLL_CURSOR_COMPACT);
        }

        /* until a writer has noted in the file that this epoch has begun */

        sh->disk.durable = 1;
    }

    ngx_http_longpoll_zone_unlock(z);
}
