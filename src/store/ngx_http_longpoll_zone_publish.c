
/*
 * ngx_http_longpoll_zone_publish.c: a publish.
 *
 *     key        is the idempotency key in its category?      own lock holds
 *     room       expire a few, evict, clean the log           own lock holds
 *     busy = 1                                                one lock hold
 *     append     for each message: a slot, the record, one step that links it
 *     committed  = last_id: this store commits the publish
 *     visible    = committed: readers see it (with durable, later: the writer)
 *     mark       the category is dirty for the workers that wait for it
 *     trim       a category over its buffer loses its oldest messages
 *     busy = 0
 *
 * A process that is killed in front of `committed` has published nothing:
 * recovery drops its messages.  One that is killed behind it has published all
 * of it, and recovery wakes every worker (zone_lock).
 */


#include "ngx_http_longpoll_zone_publish.h"
#include "ngx_http_longpoll_zone_key.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_watch.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_cursor.h"


/*
 * After so many holds a publish is not making way: others take what it clears.
 * It then goes on without a bound.
 */

#define ngx_http_longpoll_zone_rounds(z)                                      \
    (64 + 4 * (z)->log.sh->size / NGX_HTTP_LONGPOLL_LOG_UNIT                  \
          / NGX_HTTP_LONGPOLL_ZONE_STEPS)


static void ngx_http_longpoll_zone_append(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg,
    const uint64_t *key, uint64_t now, uint64_t first, ngx_uint_t more);


ngx_int_t
ngx_http_longpoll_zone_publish(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs, ngx_uint_t n,
    ngx_str_t *name, uint64_t now, uint64_t *wake)
{
    uint32_t                       slot;
    uint64_t                       need;
    ngx_int_t                      rc;
    ngx_uint_t                     i, ncats, round, steps;
    ngx_http_longpoll_zone_sh_t   *sh;
    ngx_http_longpoll_zone_key_t   key;

    sh = z->sh;
    *wake = 0;

    if (name) {
        ngx_http_longpoll_zone_key_init(z, &key, name, n);
    }

    for (round = 0; /* void */ ; round++) {
        steps = round < ngx_http_longpoll_zone_rounds(z)
                ? NGX_HTTP_LONGPOLL_ZONE_STEPS : (ngx_uint_t) -1;
        need = 0;
        ncats = 0;

        ngx_http_longpoll_zone_lock(z);

        /* what a message needs goes by the zone's parameters */

        for (i = 0; i < n; i++) {
            ncats = ngx_max(ncats, msgs[i].cat + 1);
            need += ngx_http_longpoll_zone_need(&cats[msgs[i].cat], &msgs[i],
                              ngx_http_longpoll_zone_bits(z, name && i == 0));
        }

        if (name) {
            rc = ngx_http_longpoll_zone_key_find(z, &key, cats, now, &steps);

            if (rc == NGX_OK) {
                ngx_http_longpoll_zone_unlock(z);

                msgs[n - 1].id = key.last_id;
                msgs[n - 1].uuid = key.last;
                return NGX_DONE;
            }

            if (rc == NGX_BUSY) {
                ngx_http_longpoll_zone_unlock(z);
                continue;
            }
        }

        if (need > z->size / 4
            || ncats > ngx_http_longpoll_cat_max_full(&z->cats))
        {
            ngx_http_longpoll_zone_unlock(z);
            return NGX_DECLINED;
        }

        if (ngx_http_longpoll_zone_room(z, &cats[msgs[0].cat], need, now,
                                        &steps)
            == NGX_OK)
        {
            break;
        }

        ngx_http_longpoll_zone_unlock(z);
    }

    ngx_http_longpoll_put(sh->work.busy, 1);

    /* later than all that the zones which have its place gave: nobody who reads
     * here, too, goes back */

    if (sh->resize.moved && z->late && sh->clock.last_id < z->late->issued) {
        ngx_http_longpoll_put(sh->clock.last_id, z->late->issued);
    }

    for (i = 0; i < n; i++) {
        ngx_http_longpoll_zone_append(z, &cats[msgs[i].cat], &msgs[i],
                                      name && i == 0 ? key.hash : NULL, now,
                                      i ? msgs[0].id : (uint64_t) -1,
                                      i + 1 < n);
    }

    if (sh->resize.moved) {
        ngx_http_longpoll_zone_late_write(z);

    } else {
        ngx_http_longpoll_zone_note_issued(z);
    }

    /* who is killed here has counted too many, and not too few */

    if (!sh->disk.durable) {
        ngx_http_longpoll_zone_count(z, published, n);
    }

    ngx_http_longpoll_put(sh->clock.committed, sh->clock.last_id);

    if (sh->disk.durable) {
        *wake = ngx_http_longpoll_zone_writer(z);
        rc = NGX_AGAIN;

    } else {
        ngx_http_longpoll_put(sh->clock.visible, sh->clock.committed);
        rc = NGX_OK;

        for (i = 0; i < n; i++) {
            slot = (uint32_t) msgs[i].pos;
            *wake |= ngx_http_longpoll_zone_mark_workers(z, slot, msgs[0].id);

            steps = NGX_HTTP_LONGPOLL_ZONE_FEW;
            (void) ngx_http_longpoll_zone_trim(z, slot, &steps);
        }
    }

    ngx_http_longpoll_put(sh->work.busy, 0);

    ngx_http_longpoll_zone_unlock(z);

    return rc;
}


/*
 * first: the id from which on all is of this publish; more: of which this is
 * not the last
 */

static void
ngx_http_longpoll_zone_append(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg,
    const uint64_t *key, uint64_t now, uint64_t first, ngx_uint_t more)
{
    uint32_t                      slot;
    uint64_t                      owed;
    ngx_uint_t                    bits;
    ngx_http_longpoll_cat_sh_t   *c;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    slot = ngx_http_longpoll_zone_slot(z, cat, now);
    c = &z->cats.slots[slot];
    msg->pos = slot;

    msg->id = ngx_max(ngx_http_longpoll_id(now, 0), sh->clock.last_id + 1);
    ngx_http_longpoll_id_uuid(&msg->uuid, msg->id, sh->epoch);
    ngx_http_longpoll_put(sh->clock.last_id, msg->id);
    ngx_http_longpoll_put(c->used, now);

    bits = ngx_http_longpoll_zone_bits(z, key);
    owed = bits & NGX_HTTP_LONGPOLL_MSG_PENDING
           ? ngx_http_longpoll_zone_waits(z, c, first) : 0;

    if (more) {
        bits |= NGX_HTTP_LONGPOLL_MSG_MORE;
    }

    ngx_http_longpoll_zone_put(z, cat, msg, bits, owed, key);
}
