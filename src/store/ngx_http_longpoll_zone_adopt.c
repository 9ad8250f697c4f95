
/*
 * ngx_http_longpoll_zone_adopt.c: a zone of another size replaces the old one.
 *
 *     reload    adopt    the new zone: messages, losses, counters, what is
 *                        known of earlier epochs
 *               commit   the old zone: ids from resize.moved on are only
 *                        there, and are late writes (zone_clock);
 *                        the new zone: gpoll's clients
 *
 * The old zone is copied a few messages in a lock hold, since its workers go on
 * serving.  A batch remembers the last message copied by ref and position; if
 * that message has gone meanwhile, the walk begins at the oldest message again
 * and skips the ids that were copied.
 */


#include "ngx_http_longpoll_zone_adopt.h"
#include "ngx_http_longpoll_zone.h"
#include "ngx_http_longpoll_zone_client.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_epoch.h"
#include "ngx_http_longpoll_zone_load.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"


#define NGX_HTTP_LONGPOLL_ZONE_BATCH  64            /* messages in a hold */
#define NGX_HTTP_LONGPOLL_ZONE_BATCH_BYTES  32768   /* of a batch, at least */


/* the messages of one lock hold, and how far the copy has come */

typedef struct {
    uint64_t                      id;           /* of the last one copied */

    /* the last one passed, copied or not */
    uint64_t                      at;           /* id */
    uint32_t                      ref;
    uint32_t                      slot;
    uint64_t                      pos;
    ngx_uint_t                    more;         /* it ended the hold */

    uint64_t                      upto;         /* visible, at the end */

    u_char                       *bytes;
    size_t                        size;

    ngx_uint_t                    n;
    ngx_http_longpoll_msg_t       msgs[NGX_HTTP_LONGPOLL_ZONE_BATCH];
    ngx_str_t                     names[NGX_HTTP_LONGPOLL_ZONE_BATCH];
    uint64_t                      keys[NGX_HTTP_LONGPOLL_ZONE_BATCH][2];
} ngx_http_longpoll_zone_batch_t;


static ngx_int_t ngx_http_longpoll_zone_adopt_messages(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_t *old,
    ngx_http_longpoll_zone_batch_t *batch, uint64_t now, ngx_log_t *log);
static size_t ngx_http_longpoll_zone_adopt_batch(ngx_http_longpoll_zone_t *old,
    ngx_http_longpoll_zone_batch_t *batch);
static void ngx_http_longpoll_zone_adopt_passed(ngx_http_longpoll_zone_t *old,
    ngx_http_longpoll_zone_batch_t *batch, ngx_http_longpoll_msg_sh_t *msg);
static void ngx_http_longpoll_zone_adopt_losses(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old);
static void ngx_http_longpoll_zone_adopt_words(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t copied, uint64_t now);


ngx_int_t
ngx_http_longpoll_zone_adopt(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now, ngx_log_t *log)
{
    ngx_int_t                        rc;
    ngx_http_longpoll_zone_batch_t  *batch;

    batch = ngx_alloc(sizeof(ngx_http_longpoll_zone_batch_t), log);
    if (batch == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(batch, sizeof(ngx_http_longpoll_zone_batch_t));

    z->sh->clock.last_id = 0;
    z->sh->key[0] = old->sh->key[0];
    z->sh->key[1] = old->sh->key[1];

    rc = ngx_http_longpoll_zone_adopt_messages(z, old, batch, now, log);

    if (rc == NGX_OK) {
        ngx_http_longpoll_zone_adopt_losses(z, old);
        ngx_http_longpoll_zone_adopt_words(z, old, batch->upto, now);
    }

    ngx_free(batch->bytes);
    ngx_free(batch);

    return rc;
}


static ngx_int_t
ngx_http_longpoll_zone_adopt_messages(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, ngx_http_longpoll_zone_batch_t *batch,
    uint64_t now, ngx_log_t *log)
{
    size_t                   wanted;
    ngx_uint_t               i;
    ngx_http_longpoll_cat_t  cat;

    do {
        wanted = ngx_http_longpoll_zone_adopt_batch(old, batch);

        if (wanted) {
            ngx_free(batch->bytes);
            batch->size = wanted;
            batch->bytes = ngx_alloc(wanted, log);

            if (batch->bytes == NULL) {
                return NGX_ERROR;
            }

            continue;
        }

        for (i = 0; i < batch->n; i++) {
            cat.name = batch->names[i];
            ngx_http_longpoll_zone_hash(z, &cat);

            (void) ngx_http_longpoll_zone_load(z, &cat, &batch->msgs[i],
                                   batch->keys[i][0] ? batch->keys[i] : NULL,
                                   now);
        }

    } while (wanted || batch->n || batch->more);

    return NGX_OK;
}


/*
 * Copies the next messages.  Returns 0, or how much memory the next message
 * needs, if the batch has too little.
 */

static size_t
ngx_http_longpoll_zone_adopt_batch(ngx_http_longpoll_zone_t *old,
    ngx_http_longpoll_zone_batch_t *batch)
{
    u_char                      *p;
    size_t                       len;
    uint32_t                     ref;
    uint64_t                    *key;
    ngx_str_t                    name;
    ngx_uint_t                   steps;
    ngx_http_longpoll_msg_t     *m;
    ngx_http_longpoll_msg_sh_t  *msg;

    batch->n = 0;
    batch->more = 0;
    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
    p = batch->bytes;
    len = 0;

    ngx_http_longpoll_zone_lock(old);

    ref = old->sh->list.oldest;

    if (batch->ref
        && ngx_http_longpoll_zone_msg_stands(old, batch->ref, batch->pos,
                                             batch->slot))
    {
        msg = ngx_http_longpoll_zone_msg(old, batch->ref);

        if (msg->id == batch->at) {
            ref = msg->newer;
        }
    }

    for ( /* void */ ; ref; ref = msg->newer) {
        msg = ngx_http_longpoll_zone_msg(old, ref);

        if (msg->id <= batch->id) {

            if (steps-- == 0) {
                ngx_http_longpoll_zone_adopt_passed(old, batch, msg);
                batch->more = 1;
                break;
            }

            continue;
        }

        /* the disk may still refuse messages that are not visible */

        if (batch->n == NGX_HTTP_LONGPOLL_ZONE_BATCH
            || msg->id > old->sh->clock.visible)
        {
            break;
        }

        m = &batch->msgs[batch->n];
        ngx_http_longpoll_zone_disk_msg(old, msg, &name, m);

        len = name.len + m->data.len;

        if (len > batch->size - (size_t) (p - batch->bytes)) {
            break;
        }

        batch->names[batch->n].data = p;
        batch->names[batch->n].len = name.len;
        p = ngx_cpymem(p, name.data, name.len);

        ngx_memcpy(p, m->data.data, m->data.len);
        m->data.data = p;
        p += m->data.len;

        batch->keys[batch->n][0] = 0;

        if (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED) {
            key = ngx_http_longpoll_zone_key(msg);
            batch->keys[batch->n][0] = key[0];
            batch->keys[batch->n][1] = key[1];
        }

        batch->n++;
        batch->id = msg->id;
        ngx_http_longpoll_zone_adopt_passed(old, batch, msg);
        len = 0;
    }

    if (batch->n == 0 && len == 0 && !batch->more) {
        batch->upto = old->sh->clock.visible;
    }

    ngx_http_longpoll_zone_unlock(old);

    if (batch->n == 0 && len) {
        return ngx_max(len, NGX_HTTP_LONGPOLL_ZONE_BATCH_BYTES);
    }

    return 0;
}


static void
ngx_http_longpoll_zone_adopt_passed(ngx_http_longpoll_zone_t *old,
    ngx_http_longpoll_zone_batch_t *batch, ngx_http_longpoll_msg_sh_t *msg)
{
    batch->at = msg->id;
    batch->ref = ngx_http_longpoll_zone_ref(old, msg);
    batch->pos = ngx_http_longpoll_zone_msg_pos(old, batch->ref);
    batch->slot = msg->slot;
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
    ngx_http_longpoll_zone_t *old, uint64_t copied, uint64_t now)
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

    /* old has issued times up to its last_id, too */

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

    /* commit compares this with old's committed, to see if more has come */

    sh->resize.copied = copied;

    /* no file is valid before it was compacted from this zone */

    sh->disk.file_size = (uint64_t) -1;
}


void
ngx_http_longpoll_zone_adopt_commit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old)
{
    uint64_t       last, generation;
    ngx_atomic_t  *upto;

    generation = old->sh->resize.generation;
    upto = ngx_http_longpoll_zone_late_upto(z, generation);

    z->sh->resize.generation = generation + 1;
    z->late->latest = generation + 1;

    /* also late writes of workers that do not know this generation yet */

    ngx_http_longpoll_zone_clock_raise(
                           ngx_http_longpoll_zone_late_upto(z, generation + 1),
                           *upto);

    ngx_http_longpoll_zone_lock(old);

    last = old->sh->clock.last_id;
    ngx_http_longpoll_put(old->sh->resize.moved, last + 1);

    if (z->sh->resize.copied < old->sh->clock.committed) {
        ngx_http_longpoll_zone_clock_late_write(old);

    } else {
        ngx_http_longpoll_zone_clock_issued(old);
    }

    ngx_http_longpoll_zone_unlock(old);

    /* the positions of clients that come from old are not ahead of z's */

    ngx_http_longpoll_zone_lock(z);

    if (z->sh->clock.last_id < last) {
        ngx_http_longpoll_zone_clock_advance(z, last);
    }

    ngx_http_longpoll_zone_unlock(z);

    ngx_http_longpoll_zone_client_adopt(z, old);
}
