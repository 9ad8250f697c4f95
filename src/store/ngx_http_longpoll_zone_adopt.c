
/*
 * ngx_http_longpoll_zone_adopt.c: a zone of another size replaces the old one.
 *
 *     copy      messages, a few in a hold of old's lock; its workers go on
 *     freeze    in the hold that finds no more to copy: old->sh->moved
 *     compare   what old has dropped since it was copied goes again
 *     losses, words, clients
 *
 * A frozen zone gives nothing and takes nothing, so each message is in both
 * zones or in none.  Publishers and deletes are refused, polls are sent away;
 * messages that still wait for the disk are refused as well (zone_disk).  The
 * last ms of the frozen zone is closed: every later id is behind all times that
 * it has issued.  Its messages and clients do not change any more.
 *
 * Copying goes from log to log, so it needs no memory.  The new zone is locked
 * only where old is not; nobody else uses it yet.
 *
 * Between two holds the last message passed is remembered by ref and position.
 * If it has gone meanwhile, the walk begins at the oldest message again and
 * skips the ids that were copied.
 */


#include "ngx_http_longpoll_zone_adopt.h"
#include "ngx_http_longpoll_zone.h"
#include "ngx_http_longpoll_zone_client.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_cursor.h"
#include "ngx_http_longpoll_zone_epoch.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_load.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"


/* steps of a message: a hold copies 62, or 32 kB */

#define ngx_http_longpoll_zone_adopt_cost(len)  (15 + (len) / 32)


/* how far the copy has come */

typedef struct {
    uint64_t                       id;      /* of the last message copied */

    /* the last one passed, copied or not */
    uint32_t                       ref;
    uint32_t                       slot;
    uint64_t                       pos;

    /* the next one, for which room is made */
    uint64_t                       next;    /* id */
    ngx_http_longpoll_cat_t        cat;
    ngx_http_longpoll_zone_room_t  room;
} ngx_http_longpoll_zone_copy_t;


static void ngx_http_longpoll_zone_adopt_copy(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now);
static ngx_int_t ngx_http_longpoll_zone_adopt_hold(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, ngx_http_longpoll_zone_copy_t *copy,
    ngx_uint_t steps);
static ngx_int_t ngx_http_longpoll_zone_adopt_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, ngx_http_longpoll_zone_copy_t *copy,
    ngx_http_longpoll_msg_sh_t *msg, ngx_uint_t *steps);
static void ngx_http_longpoll_zone_adopt_freeze(ngx_http_longpoll_zone_t *old);
static void ngx_http_longpoll_zone_adopt_compare(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old);
static void ngx_http_longpoll_zone_adopt_losses(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old);
static void ngx_http_longpoll_zone_adopt_words(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now);


uint64_t
ngx_http_longpoll_zone_adopt(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now)
{
    z->sh->clock.last_id = 0;
    z->sh->key[0] = old->sh->key[0];
    z->sh->key[1] = old->sh->key[1];

    /* old's own ids stay places, also without a message that has one */

    z->sh->epochs[1] = old->sh->epoch;

    ngx_http_longpoll_zone_adopt_copy(z, old, now);
    ngx_http_longpoll_zone_adopt_compare(z, old);
    ngx_http_longpoll_zone_adopt_losses(z, old);
    ngx_http_longpoll_zone_adopt_words(z, old, now);
    ngx_http_longpoll_zone_client_adopt(z, old);

    /* a publisher that is not in the set yet asks once it is */

    ngx_memory_barrier();

    return old->sh->disk.publishers | ngx_http_longpoll_zone_cursor_writer(old);
}


/*
 * Once all is copied that was there when the copy began, each hold may take
 * twice the steps of the one before.  So the copy catches up with publishers,
 * however fast they are.
 */

static void
ngx_http_longpoll_zone_adopt_copy(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now)
{
    uint64_t                       upto;
    ngx_int_t                      rc;
    ngx_uint_t                     steps;
    ngx_http_longpoll_zone_copy_t  copy;

    ngx_memzero(&copy, sizeof(ngx_http_longpoll_zone_copy_t));

    copy.room.cats = &copy.cat;
    copy.room.now = now;

    upto = old->sh->clock.visible;
    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

    do {
        ngx_http_longpoll_zone_lock(old);
        ngx_http_longpoll_assert_more(8 * steps);

        rc = ngx_http_longpoll_zone_adopt_hold(z, old, &copy, steps);

        ngx_http_longpoll_zone_unlock(old);

        if (copy.id >= upto) {
            steps *= 2;
        }

    } while (rc == NGX_BUSY);
}


/* NGX_OK: all is copied, and old is frozen; NGX_BUSY */

static ngx_int_t
ngx_http_longpoll_zone_adopt_hold(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, ngx_http_longpoll_zone_copy_t *copy,
    ngx_uint_t steps)
{
    uint32_t                     ref;
    ngx_http_longpoll_msg_sh_t  *msg;

    ref = old->sh->list.oldest;

    if (ngx_http_longpoll_zone_msg_stands(old, copy->ref, copy->pos,
                                          copy->slot))
    {
        ref = ngx_http_longpoll_zone_msg(old, copy->ref)->newer;
    }

    for ( /* void */ ; ref; ref = msg->newer) {
        msg = ngx_http_longpoll_zone_msg(old, ref);

        /* the others wait for the disk, and are refused */

        if (msg->id > old->sh->clock.visible) {
            break;
        }

        if (steps == 0) {
            return NGX_BUSY;
        }

        steps--;

        if (msg->id > copy->id
            && ngx_http_longpoll_zone_adopt_msg(z, old, copy, msg, &steps)
               != NGX_OK)
        {
            return NGX_BUSY;
        }

        copy->ref = ref;
        copy->slot = msg->slot;
        copy->pos = ngx_http_longpoll_zone_msg_pos(old, ref);
    }

    /* a delete is under way: each hold of the lock works on it */

    if (old->sh->work.delete_slot) {
        return NGX_BUSY;
    }

    ngx_http_longpoll_zone_adopt_freeze(old);

    return NGX_OK;
}


/* NGX_OK, NGX_BUSY: there is no room yet */

static ngx_int_t
ngx_http_longpoll_zone_adopt_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, ngx_http_longpoll_zone_copy_t *copy,
    ngx_http_longpoll_msg_sh_t *msg, ngx_uint_t *steps)
{
    uint64_t                 *key;
    ngx_int_t                 rc;
    ngx_uint_t                epoch;
    ngx_http_longpoll_msg_t   m;

    if (copy->next != msg->id) {
        copy->next = msg->id;
        copy->room.tail = 0;
    }

    ngx_http_longpoll_zone_disk_msg(old, msg, &copy->cat.name, &m);
    ngx_http_longpoll_zone_hash(z, &copy->cat);

    key = NULL;
    epoch = NGX_HTTP_LONGPOLL_FOREIGN;

    if (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED) {
        key = ngx_http_longpoll_zone_key(msg);
    }

    if (ngx_http_longpoll_msg_epoch(msg) != NGX_HTTP_LONGPOLL_FOREIGN) {
        epoch = ngx_http_longpoll_zone_load_epoch(z, &m);
    }

    rc = ngx_http_longpoll_zone_load_msg(z, &copy->room, &m, epoch, key, steps);

    if (rc == NGX_BUSY) {
        return NGX_BUSY;
    }

    if (rc == NGX_DECLINED) {

        /* it is too large for the new zone */

        ngx_http_longpoll_cat_lost(&z->cats, copy->cat.hash, msg->id, 1);
    }

    copy->id = msg->id;
    *steps -= ngx_min(*steps, ngx_http_longpoll_zone_adopt_cost(m.data.len));

    return NGX_OK;
}


/* moved comes last: a master that is killed before leaves old in use */

static void
ngx_http_longpoll_zone_adopt_freeze(ngx_http_longpoll_zone_t *old)
{
    uint64_t  ms;

    ms = ngx_http_longpoll_id_ms(old->sh->clock.last_id);

    ngx_http_longpoll_put(old->sh->clock.last_id,
                          ngx_http_longpoll_id_last_of(ms));
    ngx_http_longpoll_put(old->sh->moved, 1);
}


static void
ngx_http_longpoll_zone_adopt_compare(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old)
{
    uint32_t                     ref, there, slot;
    ngx_uint_t                   steps;
    ngx_http_longpoll_msg_sh_t  *msg, *kept;

    ref = z->sh->list.oldest;
    there = old->sh->list.oldest;

    while (ref) {
        ngx_http_longpoll_zone_lock(old);

        for (steps = NGX_HTTP_LONGPOLL_ZONE_STEPS; steps && ref; steps--) {
            msg = ngx_http_longpoll_zone_msg(z, ref);
            kept = there ? ngx_http_longpoll_zone_msg(old, there) : NULL;

            if (kept && kept->id < msg->id) {
                there = kept->newer;
                continue;
            }

            ref = msg->newer;

            if (kept == NULL || kept->id > msg->id) {
                slot = msg->slot;

                ngx_http_longpoll_zone_list_drop(z, msg,
                                             NGX_HTTP_LONGPOLL_ZONE_UNMISSED);
                ngx_http_longpoll_zone_list_free_if_unused(z, slot);
            }
        }

        ngx_http_longpoll_zone_unlock(old);
    }
}


static void
ngx_http_longpoll_zone_adopt_losses(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old)
{
    ngx_int_t                   rc;
    ngx_http_longpoll_note_t    note;
    ngx_http_longpoll_save_t    save;
    ngx_http_longpoll_losses_t  losses;

    ngx_memzero(&losses, sizeof(ngx_http_longpoll_losses_t));
    ngx_memzero(&save, sizeof(ngx_http_longpoll_save_t));

    save.notes = &note;
    save.max_notes = 1;

    do {
        save.nnotes = 0;
        rc = ngx_http_longpoll_zone_disk_losses(old, &losses, &save);

        if (save.nnotes) {
            ngx_http_longpoll_zone_load_loss(z, &note, 1);
        }

    } while (rc == NGX_AGAIN);
}


/* counters, clock, and what old knew of earlier epochs */

static void
ngx_http_longpoll_zone_adopt_words(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now)
{
    ngx_uint_t                        i;
    ngx_http_longpoll_zone_sh_t      *sh, *osh;
    ngx_http_longpoll_previous_sh_t  *previous;

    sh = z->sh;
    osh = old->sh;
    previous = &sh->previous;

    sh->counters = osh->counters;

    for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS; i++) {
        sh->counters.delivered += osh->workers[i].delivered;
    }

    /* ids begin behind the last ms in which old issued times */

    sh->clock.last_id = ngx_max(sh->clock.last_id, osh->clock.last_id);

    ngx_http_longpoll_zone_load_done(z, 0, now);

    sh->born = osh->born;
    sh->disk.contested = osh->disk.contested;

    previous->valid_from = ngx_max(osh->previous.valid_from,
                                   previous->lost_until);
    previous->end = ngx_http_longpoll_id_ms(sh->clock.last_id);
    previous->contested_until =
                             ngx_http_longpoll_zone_epoch_contested_until(old);
    previous->missing_below = osh->previous.missing_below;
    previous->epochs[0] = osh->epoch;

    for (i = 1; i < NGX_HTTP_LONGPOLL_PREVIOUS; i++) {
        previous->epochs[i] = osh->previous.epochs[i - 1];
    }

    /* no file is valid before it was compacted from this zone */

    sh->disk.file_size = (uint64_t) -1;
}
