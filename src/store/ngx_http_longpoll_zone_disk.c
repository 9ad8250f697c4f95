
/*
 * ngx_http_longpoll_zone_disk.c: what the writer of a zone's file takes from
 * the zone, and what it reports.
 *
 * The writer takes messages in the order of the list of all messages.
 * zone_cursor.h says what its cursors are.
 *
 * With durable, a message is committed when its publish is whole, and visible
 * when it is saved; then expose marks the workers that wait for it.  Without
 * durable a message is visible at once, and EXPOSED is off.  Messages that
 * could not be written are dropped (refuse); a ring of ranges of ids, failures,
 * tells so to the publishers that wait for the disk.
 *
 * A message that is dropped by no limit (deleted, taken), and that the file may
 * have, leaves a deletion record; the writer notes it beside the file.  The
 * writer also notes what the category has lost.  The deleted message may have
 * pushed others out of the buffer.  Without the note they would be loaded once
 * more.  When the ring of deletions is full, the file is compacted instead.
 */


#include "ngx_http_longpoll_zone_disk.h"
#include "ngx_http_longpoll_zone_cursor.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_unsaved.h"
#include "ngx_http_longpoll_zone_watch.h"
#include "ngx_http_longpoll_golongpoll.h"


#define NGX_HTTP_LONGPOLL_ZONE_LINES  32768     /* bytes, in a lock hold */


static ngx_int_t ngx_http_longpoll_zone_disk_take_hold(
    ngx_http_longpoll_zone_t *z, ngx_uint_t cursor,
    ngx_http_longpoll_save_t *save);
static void ngx_http_longpoll_zone_disk_expose(ngx_http_longpoll_zone_t *z,
    ngx_uint_t all, uint64_t *wake);
static ngx_uint_t ngx_http_longpoll_zone_disk_expose_hold(
    ngx_http_longpoll_zone_t *z, ngx_uint_t all, uint64_t *wake);
static void ngx_http_longpoll_zone_disk_expose_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_uint_t *steps, uint64_t *wake);
static void ngx_http_longpoll_zone_disk_refuse(ngx_http_longpoll_zone_t *z);
static void ngx_http_longpoll_zone_disk_loss(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_losses_t *losses, ngx_http_longpoll_save_t *save);


/*
 * appending to the file
 */


void
ngx_http_longpoll_zone_disk_begin(ngx_http_longpoll_zone_t *z, uint64_t *wake)
{
    ngx_http_longpoll_zone_disk_compact(z, 0);
    ngx_http_longpoll_zone_disk_retry(z, wake);
}


void
ngx_http_longpoll_zone_disk_retry(ngx_http_longpoll_zone_t *z, uint64_t *wake)
{
    ngx_http_longpoll_cursor_sh_t  *saved;

    ngx_http_longpoll_zone_disk_expose(z, 0, wake);
    ngx_http_longpoll_zone_disk_refuse(z);

    ngx_http_longpoll_zone_lock(z);

    saved = &z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];

    ngx_http_longpoll_zone_cursor_set(z, NGX_HTTP_LONGPOLL_CURSOR_NEXT,
                                      saved->id, saved->ref);

    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_disk_deletions(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_save_t *save)
{
    uint64_t                          n;
    ngx_http_longpoll_note_t         *note;
    ngx_http_longpoll_disk_sh_t      *disk;
    ngx_http_longpoll_deletion_sh_t  *deletion;

    disk = &z->sh->disk;

    ngx_http_longpoll_zone_lock(z);

    for (n = disk->deletions_first;
         n < disk->deletions_last && save->nnotes < save->max_notes;
         n++)
    {
        deletion = &z->deletions[n % z->ndeletions];
        note = &save->notes[save->nnotes++];

        note->kind = NGX_HTTP_LONGPOLL_NOTE_DELETION;
        note->word[0] = deletion->uuid.high;
        note->word[1] = deletion->uuid.low;
        note->word[2] = deletion->dropped;
        note->word[3] = deletion->name;
    }

    ngx_http_longpoll_zone_unlock(z);

    save->deletions = n;
}


ngx_int_t
ngx_http_longpoll_zone_disk_take(ngx_http_longpoll_zone_t *z, ngx_uint_t cursor,
    ngx_http_longpoll_save_t *save)
{
    ngx_int_t  rc;

    if (save->len == 0) {
        save->more = 0;
    }

    do {
        ngx_http_longpoll_zone_lock(z);
        rc = ngx_http_longpoll_zone_disk_take_hold(z, cursor, save);
        ngx_http_longpoll_zone_unlock(z);

    } while (rc == NGX_BUSY);

    return rc;
}


/*
 * The messages of one publish stay together, however many they are: more says
 * whether the publish of the last message taken goes on.
 */

static ngx_int_t
ngx_http_longpoll_zone_disk_take_hold(ngx_http_longpoll_zone_t *z,
    ngx_uint_t cursor, ngx_http_longpoll_save_t *save)
{
    size_t                         len, end;
    uint32_t                       ref;
    uint64_t                       upto, id, *key;
    ngx_int_t                      rc;
    ngx_str_t                      name;
    ngx_uint_t                     steps;
    ngx_http_longpoll_msg_t        m;
    ngx_http_longpoll_note_t      *note;
    ngx_http_longpoll_msg_sh_t    *msg;
    ngx_http_longpoll_zone_sh_t   *sh;

    sh = z->sh;

    upto = sh->clock.committed;

    if (cursor == NGX_HTTP_LONGPOLL_CURSOR_COMPACT) {
        upto = sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id;
    }

    ref = sh->disk.cursors[cursor].ref;
    id = sh->disk.cursors[cursor].id;
    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
    end = save->len + NGX_HTTP_LONGPOLL_ZONE_LINES;
    rc = NGX_OK;

    for ( /* void */ ; ref; ref = msg->newer) {
        msg = ngx_http_longpoll_zone_msg(z, ref);

        if (msg->id > upto) {
            break;
        }

        if (!save->more && save->len >= save->enough) {
            rc = NGX_AGAIN;
            break;
        }

        if (steps == 0 || save->len >= end) {
            rc = NGX_BUSY;
            break;
        }

        steps--;

        /* the first message of a publish has its key */

        if ((msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED)
            && save->nnotes == save->max_notes)
        {
            rc = NGX_AGAIN;
            break;
        }

        ngx_http_longpoll_zone_disk_msg(z, msg, &name, &m);
        len = ngx_http_longpoll_golongpoll_line_len(&name, &m);

        if (len > save->size - save->len) {
            rc = NGX_AGAIN;

            if (save->len == 0 || save->more) {
                save->wanted = save->len + len;
                rc = NGX_DECLINED;
            }

            break;
        }

        (void) ngx_http_longpoll_golongpoll_line(save->lines + save->len,
                                                 &name, &m);
        save->len += len;

        if (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED) {
            key = ngx_http_longpoll_zone_key(msg);
            note = &save->notes[save->nnotes++];

            note->kind = NGX_HTTP_LONGPOLL_NOTE_KEY;
            note->word[0] = m.uuid.high;
            note->word[1] = m.uuid.low;
            note->word[2] = key[0];
            note->word[3] = key[1];
        }

        id = msg->id;
        save->more = msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_MORE;
    }

    if (rc == NGX_OK) {
        id = ngx_max(id, upto);
    }

    ngx_http_longpoll_zone_cursor_set(z, cursor, id, ref);

    return rc;
}


void
ngx_http_longpoll_zone_disk_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_str_t *name,
    ngx_http_longpoll_msg_t *m)
{
    name->data = (u_char *) msg + ngx_http_longpoll_zone_front(msg->rec.bits);
    name->len = msg->rec.name_len;

    m->id = msg->id;
    m->data.data = name->data + name->len;
    m->data.len = msg->data_len;

    ngx_http_longpoll_zone_msg_uuid(z, msg, &m->uuid);
}


void
ngx_http_longpoll_zone_disk_saved(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_save_t *save, uint64_t size, uint64_t notes,
    uint64_t *wake)
{
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_cursor_sh_t   *next, *saved;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;
    next = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT];
    saved = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];

    ngx_http_longpoll_zone_lock(z);

    /* in this order: a deletion that is noted twice does no harm */

    ngx_http_longpoll_put(sh->disk.state_size, notes);
    ngx_http_longpoll_put(sh->disk.deletions_first, save->deletions);

    ngx_http_longpoll_set(j, sh->disk.file_size, size);
    ngx_http_longpoll_set(j, saved->id, next->id);
    ngx_http_longpoll_set(j, saved->ref, next->ref);
    ngx_http_longpoll_done(j);

    ngx_http_longpoll_zone_unlock(z);

    ngx_http_longpoll_zone_disk_expose(z, 0, wake);

    /* a publisher that is not in the set yet asks once it is */

    ngx_memory_barrier();
    *wake |= sh->disk.publishers;
}


ngx_uint_t
ngx_http_longpoll_zone_disk_unwritten(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    return sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT].ref != 0
           || sh->disk.deletions_first != sh->disk.deletions_last;
}


/*
 * visible and refused
 */


/*
 * Makes saved messages visible, or with all set those that are not saved, too.
 * Marks the workers that wait for them.
 */

static void
ngx_http_longpoll_zone_disk_expose(ngx_http_longpoll_zone_t *z, ngx_uint_t all,
    uint64_t *wake)
{
    ngx_uint_t  more;

    do {
        ngx_http_longpoll_zone_lock(z);

        /* what was not visible when the zone was frozen is refused */

        more = z->sh->disk.durable && !z->sh->moved
               && ngx_http_longpoll_zone_disk_expose_hold(z, all, wake);

        ngx_http_longpoll_zone_unlock(z);

    } while (more);
}


/*
 * A publish becomes visible as a whole, in the hold in which its workers are
 * marked.  So a message is visible and not exposed only if a writer was killed
 * in between, or in this hold.  Returns 1 if there is more.
 */

static ngx_uint_t
ngx_http_longpoll_zone_disk_expose_hold(ngx_http_longpoll_zone_t *z,
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

        ngx_http_longpoll_zone_disk_expose_msg(z, msg, &steps, wake);
    }

    if (!more && sh->clock.visible < upto) {
        ngx_http_longpoll_put(sh->clock.visible, upto);
    }

    ngx_http_longpoll_put(sh->work.busy, 0);

    return more;
}


static void
ngx_http_longpoll_zone_disk_expose_msg(ngx_http_longpoll_zone_t *z,
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
ngx_http_longpoll_zone_disk_failed(ngx_http_longpoll_zone_t *z, uint64_t *wake)
{
    uint64_t                         good;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_cursor_sh_t   *saved;
    ngx_http_longpoll_failure_sh_t  *failure;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;

    ngx_http_longpoll_zone_lock(z);

    /*
     * Saved messages will be visible, also if a writer was killed before it
     * exposed them.
     */

    saved = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];
    good = ngx_max(sh->clock.visible, saved->id);

    if (sh->disk.durable && sh->clock.committed > good
        && sh->disk.refused == 0)
    {
        /* in one step with refused, which lets all of them be dropped */

        failure = &sh->disk.failures[sh->disk.failed
                                     % NGX_HTTP_LONGPOLL_FAILURES];

        ngx_http_longpoll_put(failure->after, good);
        ngx_http_longpoll_put(failure->upto, sh->clock.committed);

        ngx_http_longpoll_set(j, sh->disk.failed, sh->disk.failed + 1);
        ngx_http_longpoll_set(j, sh->disk.refused, sh->clock.committed);
        ngx_http_longpoll_done(j);

        *wake = (uint64_t) -1;
    }

    ngx_http_longpoll_zone_unlock(z);

    ngx_http_longpoll_zone_disk_retry(z, wake);
}


/* drops the messages that were refused */

static void
ngx_http_longpoll_zone_disk_refuse(ngx_http_longpoll_zone_t *z)
{
    ngx_uint_t                      steps;
    ngx_http_longpoll_msg_sh_t     *msg;
    ngx_http_longpoll_zone_sh_t    *sh;
    ngx_http_longpoll_cursor_sh_t  *exposed;

    sh = z->sh;
    exposed = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);

        while (sh->disk.refused && steps--) {
            msg = NULL;

            if (exposed->ref) {
                msg = ngx_http_longpoll_zone_msg(z, exposed->ref);
            }

            if (msg == NULL || msg->id > sh->disk.refused) {
                ngx_http_longpoll_put(sh->disk.refused, 0);
                break;
            }

            ngx_http_longpoll_zone_list_drop(z, msg,
                                             NGX_HTTP_LONGPOLL_ZONE_UNMISSED);
            ngx_http_longpoll_zone_list_free_if_unused(z, msg->slot);
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (sh->disk.refused);
}


ngx_int_t
ngx_http_longpoll_zone_disk_decided(ngx_http_longpoll_zone_t *z, uint64_t id,
    uint64_t failed)
{
    uint64_t                         moved, visible, n;
    ngx_http_longpoll_failure_sh_t  *failure;

    /* visible is the last one, once moved is set */

    moved = *(volatile uint64_t *) &z->sh->moved;
    ngx_memory_barrier();

    /* a failure is stored before anything later becomes visible */

    visible = *(volatile uint64_t *) &z->sh->clock.visible;
    ngx_memory_barrier();
    n = *(volatile uint64_t *) &z->sh->disk.failed;

    /* the ring is full: the next failure may be overwriting the first */

    if (n - failed >= NGX_HTTP_LONGPOLL_FAILURES) {
        return NGX_ERROR;
    }

    for ( /* void */ ; failed < n; failed++) {
        failure = &z->sh->disk.failures[failed % NGX_HTTP_LONGPOLL_FAILURES];

        if (id > failure->after && id <= failure->upto) {
            return NGX_ERROR;
        }
    }

    if (id <= visible) {
        return NGX_OK;
    }

    return moved ? NGX_ERROR : NGX_AGAIN;
}


ngx_int_t
ngx_http_longpoll_zone_disk_durable(ngx_http_longpoll_zone_t *z, ngx_uint_t on,
    ngx_uint_t must, uint64_t *wake)
{
    ngx_int_t                       rc;
    ngx_http_longpoll_zone_sh_t    *sh;
    ngx_http_longpoll_cursor_sh_t  *exposed;

    sh = z->sh;
    exposed = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];
    rc = NGX_OK;

    if (must) {

        /* refused messages are dropped; the others become visible */

        ngx_http_longpoll_zone_disk_expose(z, 0, wake);
        ngx_http_longpoll_zone_disk_refuse(z);
        ngx_http_longpoll_zone_disk_expose(z, 1, wake);
    }

    ngx_http_longpoll_zone_lock(z);

    if (on && !sh->disk.durable) {
        ngx_http_longpoll_zone_cursor_set(z, NGX_HTTP_LONGPOLL_CURSOR_EXPOSED,
                                          sh->clock.committed, 0);
        ngx_http_longpoll_put(exposed->on, 1);
        ngx_http_longpoll_put(sh->disk.durable, 1);

    } else if (!on && sh->disk.durable) {

        if (sh->clock.visible == sh->clock.committed && exposed->ref == 0) {
            ngx_http_longpoll_put(sh->disk.durable, 0);
            ngx_http_longpoll_put(exposed->on, 0);

        } else {
            rc = NGX_AGAIN;
        }
    }

    ngx_http_longpoll_zone_unlock(z);

    return rc;
}


/*
 * compaction
 */


void
ngx_http_longpoll_zone_disk_compact(ngx_http_longpoll_zone_t *z, ngx_uint_t on)
{
    ngx_http_longpoll_disk_sh_t    *disk;
    ngx_http_longpoll_cursor_sh_t  *compact;

    disk = &z->sh->disk;
    compact = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_COMPACT];

    ngx_http_longpoll_zone_lock(z);

    ngx_http_longpoll_put(compact->on, 0);

    if (on) {
        ngx_http_longpoll_zone_cursor_set(z, NGX_HTTP_LONGPOLL_CURSOR_COMPACT,
                                          0, z->sh->list.oldest);
        ngx_http_longpoll_put(compact->on, 1);

        if (disk->file_dead) {
            ngx_http_longpoll_put(disk->file_dead,
                                  NGX_HTTP_LONGPOLL_FILE_MENDED);
        }
    }

    ngx_http_longpoll_zone_unlock(z);
}


ngx_int_t
ngx_http_longpoll_zone_disk_compacted(ngx_http_longpoll_zone_t *z,
    uint64_t size, uint64_t notes)
{
    ngx_int_t                       rc;
    ngx_http_longpoll_zone_sh_t    *sh;
    ngx_http_longpoll_cursor_sh_t  *compact, *saved;

    sh = z->sh;
    compact = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_COMPACT];
    saved = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];
    rc = NGX_AGAIN;

    ngx_http_longpoll_zone_lock(z);

    if (compact->on && compact->ref == saved->ref) {

        /*
         * The new file has its name already.  A writer that is killed between
         * these stores leaves a file_size that is right, or larger than the
         * file: then the file is compacted once more.
         */

        ngx_http_longpoll_put(sh->disk.state_size, notes);
        ngx_http_longpoll_put(sh->disk.file_size, size);
        ngx_http_longpoll_put(compact->on, 0);

        /* DEAD: the ring of deletions filled up again meanwhile */

        if (sh->disk.file_dead == NGX_HTTP_LONGPOLL_FILE_MENDED) {
            ngx_http_longpoll_put(sh->disk.file_dead, 0);
        }

        rc = NGX_OK;
    }

    ngx_http_longpoll_zone_unlock(z);

    return rc;
}


/*
 * losses
 */


ngx_int_t
ngx_http_longpoll_zone_disk_losses(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_losses_t *losses, ngx_http_longpoll_save_t *save)
{
    ngx_int_t                     rc;
    ngx_uint_t                    steps, end;
    ngx_http_longpoll_note_t     *note;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    do {
        rc = NGX_OK;
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);

        end = sh->cats.nslots + sh->cats.nbuckets;

        for ( /* void */ ; losses->n < end; losses->n++) {

            if (losses->n == sh->cats.fresh) {
                losses->n = sh->cats.nslots;
            }

            if (steps-- == 0) {
                rc = NGX_BUSY;
                break;
            }

            if (save->nnotes == save->max_notes) {
                rc = NGX_AGAIN;
                break;
            }

            ngx_http_longpoll_zone_disk_loss(z, losses, save);
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (rc == NGX_BUSY);

    if (rc == NGX_OK && losses->rest) {

        if (save->nnotes == save->max_notes) {
            return NGX_AGAIN;
        }

        note = &save->notes[save->nnotes++];

        ngx_memzero(note, sizeof(ngx_http_longpoll_note_t));
        note->kind = NGX_HTTP_LONGPOLL_NOTE_REST;
        note->word[0] = losses->rest;
        losses->rest = 0;
    }

    return rc;
}


/* notes the loss of a slot, or behind all slots that of a tombstone */

static void
ngx_http_longpoll_zone_disk_loss(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_losses_t *losses, ngx_http_longpoll_save_t *save)
{
    uint64_t                           id;
    ngx_http_longpoll_cat_sh_t        *cat;
    ngx_http_longpoll_note_t          *note;
    ngx_http_longpoll_tombstone_sh_t  *tombstone;

    cat = NULL;
    tombstone = NULL;

    if (losses->n < z->sh->cats.nslots) {
        cat = &z->cats.slots[losses->n];
        id = cat->hash[0] ? ngx_max(cat->dropped, cat->shared) : 0;

    } else {
        tombstone = &z->cats.tombstones[losses->n - z->sh->cats.nslots];
        id = tombstone->id;
    }

    if (id == 0) {
        return;
    }

    if (cat == NULL || cat->count == 0) {

        if (losses->empty == NGX_HTTP_LONGPOLL_LOSSES) {
            losses->rest = ngx_max(losses->rest, id);
            return;
        }

        losses->empty++;
    }

    note = &save->notes[save->nnotes++];

    if (cat) {
        note->kind = NGX_HTTP_LONGPOLL_NOTE_LOST;
        note->word[0] = cat->hash[0];
        note->word[1] = cat->hash[1];
        note->word[2] = cat->dropped;
        note->word[3] = cat->shared;
        return;
    }

    note->kind = NGX_HTTP_LONGPOLL_NOTE_TOMBSTONE;
    note->word[0] = losses->n - z->sh->cats.nslots;
    note->word[1] = z->sh->cats.nbuckets;
    note->word[2] = id;
    note->word[3] = tombstone->check;
}
