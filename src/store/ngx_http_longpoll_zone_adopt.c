
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
#include "ngx_http_longpoll_zone_disk.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_load.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_presence.h"


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
    ngx_http_longpoll_zone_load_t  load;
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
static void ngx_http_longpoll_zone_adopt_tombstone(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, ngx_uint_t bucket);
static void ngx_http_longpoll_zone_adopt_words(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now);
static void ngx_http_longpoll_zone_adopt_log(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now);


uint64_t
ngx_http_longpoll_zone_adopt(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now, uint64_t back)
{
    z->sh->clock.last_id = 0;
    z->sh->key[0] = old->sh->key[0];
    z->sh->key[1] = old->sh->key[1];

    /* old's own ids stay places, also without a message that has one */

    z->sh->epochs[1] = old->sh->epoch;

    ngx_http_longpoll_zone_presence_init(z);

    ngx_http_longpoll_zone_adopt_copy(z, old, now);
    ngx_http_longpoll_zone_adopt_compare(z, old);
    ngx_http_longpoll_zone_adopt_losses(z, old);
    ngx_http_longpoll_zone_adopt_words(z, old, now);
    ngx_http_longpoll_zone_client_adopt(z, old);
    ngx_http_longpoll_zone_presence_adopt(z, old, now, back);

    /* a publisher that is not in the set yet asks once it is */

    __sync_synchronize();

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

    copy.load.cat = &copy.cat;
    copy.load.room.now = now;

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
    uint64_t                        wake;
    ngx_int_t                       rc;
    ngx_http_longpoll_msg_t         m;
    ngx_http_longpoll_zone_load_t  *load;

    load = &copy->load;
    wake = 0;

    if (copy->next != msg->id) {
        copy->next = msg->id;
        load->room.tail = 0;
    }

    ngx_http_longpoll_zone_disk_msg(old, msg, &copy->cat.name, &m);
    ngx_http_longpoll_zone_hash(z, &copy->cat);

    load->msg = &m;
    load->key = msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED
                ? ngx_http_longpoll_zone_key(msg) : NULL;

    /* a message keeps its place, and a FOREIGN one has another id there */

    if (ngx_http_longpoll_msg_epoch(msg) == NGX_HTTP_LONGPOLL_FOREIGN
        || !ngx_http_longpoll_id_read(&m.uuid, &load->own, &load->epoch))
    {
        load->own = 0;
    }

    rc = ngx_http_longpoll_zone_load_msg(z, load, steps, &wake);

    if (rc == NGX_BUSY) {
        return NGX_BUSY;
    }

    if (rc == NGX_DECLINED) {

        /* it is too large for the new zone */

        ngx_http_longpoll_cat_lost(&z->cats, copy->cat.hash[1], msg->id,
                                   1);
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
                                             NGX_HTTP_LONGPOLL_ZONE_DELETED);
                ngx_http_longpoll_zone_list_free_if_unused(z, slot);
            }
        }

        ngx_http_longpoll_zone_unlock(old);
    }
}


/* some slots, then tombstones, in a hold */

static void
ngx_http_longpoll_zone_adopt_losses(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old)
{
    ngx_uint_t                   n, end, steps;
    ngx_http_longpoll_cats_t    *cats;
    ngx_http_longpoll_cat_sh_t  *cat;

    cats = &old->cats;
    n = 0;

    z->sh->cats.earlier = cats->sh->earlier;
    z->sh->cats.unknown_upto = cats->sh->unknown_upto;

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(old);

        end = cats->sh->nslots + cats->sh->nbuckets;

        for ( /* void */ ; n < end && steps--; n++) {

            if (n >= cats->sh->nslots) {
                ngx_http_longpoll_zone_adopt_tombstone(z, old,
                                                       n - cats->sh->nslots);
                continue;
            }

            if (n >= cats->sh->fresh) {
                n = cats->sh->nslots - 1;
                continue;
            }

            cat = &cats->slots[n];

            if (cat->hash[0] == 0) {
                continue;
            }

            if (cat->dropped) {
                ngx_http_longpoll_cat_lost(&z->cats, cat->hash[1],
                                           cat->dropped, 1);
            }

            if (cat->shared) {
                ngx_http_longpoll_cat_lost(&z->cats, cat->hash[1],
                                           cat->shared, 0);
            }
        }

        ngx_http_longpoll_zone_unlock(old);

    } while (n < end);
}


/*
 * What others than the tombstone's own category lost may belong to any category
 * of its bucket.  In a larger zone they have several buckets.
 */

static void
ngx_http_longpoll_zone_adopt_tombstone(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, ngx_uint_t bucket)
{
    uint64_t                           id, name;
    ngx_http_longpoll_cats_sh_t       *cats;
    ngx_http_longpoll_tombstone_sh_t  *tombstone;

    cats = old->cats.sh;
    tombstone = &old->cats.tombstones[bucket];
    id = tombstone->check ? ngx_min(tombstone->id, cats->unknown_upto)
                          : tombstone->id;

    if (id) {
        name = bucket;

        do {
            ngx_http_longpoll_cat_lost(&z->cats, name, id, 0);
            name += cats->nbuckets;

        } while (name < z->sh->cats.nbuckets);
    }

    if (tombstone->check) {
        ngx_http_longpoll_cat_lost(&z->cats, tombstone->check, tombstone->id,
                                   1);
    }
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

    ngx_http_longpoll_zone_adopt_log(z, old, now);

    sh->born = osh->born;

    previous->valid_from = osh->previous.valid_from;
    previous->lost_until = osh->previous.lost_until;
    previous->missing_below = osh->previous.missing_below;
}


/*
 * The log is that of old, and lacks what old had not written: a base comes
 * first.
 */

static void
ngx_http_longpoll_zone_adopt_log(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now)
{
    ngx_uint_t                    i;
    ngx_http_longpoll_loaded_t    loaded;
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &z->sh->disk;

    ngx_memzero(&loaded, sizeof(ngx_http_longpoll_loaded_t));

    loaded.now = now;
    loaded.last = old->sh->clock.last_id;
    loaded.segment = old->sh->disk.segment;
    loaded.barred = (old->sh->disk.contested != 0);
    loaded.skipped = old->sh->disk.skipped;
    loaded.restored = old->sh->disk.restored;

    ngx_http_longpoll_zone_load_words(z, &loaded);

    disk->says = NGX_HTTP_LONGPOLL_SAYS_NO;

    if (!disk->contested) {
        disk->read_upto = z->sh->clock.last_id;
        return;
    }

    /* what old took counts as taken here (..._zone_clock_took()) */

    disk->read_upto = old->sh->disk.read_upto;

    for (i = NGX_HTTP_LONGPOLL_CURSOR_SAVED;
         ngx_http_longpoll_zone_clock_took(old)
         && i <= NGX_HTTP_LONGPOLL_CURSOR_NEXT;
         i++)
    {
        disk->cursors[i].id = 0;
        disk->cursors[i].ref = z->sh->list.oldest;
    }
}
