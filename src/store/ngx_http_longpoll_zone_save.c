
/*
 * ngx_http_longpoll_zone_save.c: what a zone and its file have to do with each
 * other.
 *
 * The list of all messages by age is what is written, in that order.  Marks
 * stand in it and move on by themselves when their message is dropped or moved
 * (zone.c calls ..._remark() within those steps):
 *
 *     SAVED   what is in front of it is on disk
 *     NEXT    what is in front of it was given to the writer; with a new
 *             writer it goes back to SAVED
 *     SHOWN   those who wait for what is in front of it have been told
 *     AGAIN   the same as NEXT, of a file that is being written anew
 *
 * With durable a message is committed when its publish is whole, and visible
 * when it is saved; without, it is visible at once and SHOWN does not matter.
 * What could not be written is dropped, and its range of ids remembered for
 * those who wait for the disk.
 *
 * A message that goes without being lost (deleted, taken), and which the file
 * may have, leaves its UUID in a ring; the writer notes it beside the file,
 * and what its category has lost: what it had pushed out would be loaded else.
 * When the ring is full the file is written anew instead.
 */


#include "ngx_http_longpoll_zone_save.h"
#include "ngx_http_longpoll_zone.h"
#include "ngx_http_longpoll_zone_client.h"
#include "ngx_http_longpoll_zone_inner.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_watch.h"
#include "ngx_http_longpoll_golongpoll.h"


#define NGX_HTTP_LONGPOLL_ZONE_LINES  32768     /* bytes, in a lock hold */


static ngx_int_t ngx_http_longpoll_zone_save_hold(ngx_http_longpoll_zone_t *z,
    ngx_uint_t mark, ngx_http_longpoll_save_t *save);
static void ngx_http_longpoll_zone_save_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_str_t *name,
    ngx_http_longpoll_msg_t *m);
static void ngx_http_longpoll_zone_set_cursor(ngx_http_longpoll_zone_t *z,
    ngx_uint_t to, uint64_t id, uint32_t ref);
static void ngx_http_longpoll_zone_expose(ngx_http_longpoll_zone_t *z,
    uint64_t *wake);
static void ngx_http_longpoll_zone_refuse(ngx_http_longpoll_zone_t *z);
static void ngx_http_longpoll_zone_loss(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_losses_t *losses, ngx_http_longpoll_save_t *save);
static ngx_uint_t ngx_http_longpoll_zone_epoch(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_t *msg);
static uint64_t ngx_http_longpoll_zone_overlap(ngx_http_longpoll_zone_t *z);


void
ngx_http_longpoll_zone_relink_cursors(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, uint32_t to)
{
    uint32_t                      ref;
    ngx_uint_t                    i;
    ngx_http_longpoll_cursor_sh_t  *marks;

    marks = z->sh->disk.cursors;
    ref = msg ? ngx_http_longpoll_zone_ref(z, msg) : 0;

    for (i = 0; i < NGX_HTTP_LONGPOLL_CURSORS; i++) {

        if (marks[i].on && marks[i].ref == ref) {
            ngx_http_longpoll_set(&z->sh->journal, marks[i].ref, to);
        }
    }
}


void
ngx_http_longpoll_zone_record_deletion(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg)
{
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_deletion_sh_t  *gone;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    if (msg->id > sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT].id) {
        return;
    }

    if (sh->disk.deletions_last - sh->disk.deletions_first == z->ndeletions) {
        ngx_http_longpoll_put(sh->disk.file_dead, NGX_HTTP_LONGPOLL_FILE_DEAD);
        return;
    }

    cat = &z->cats.slots[msg->slot];
    gone = &z->deletions[sh->disk.deletions_last % z->ndeletions];

    ngx_http_longpoll_step();
    ngx_http_longpoll_zone_uuid(z, msg, &gone->uuid);
    gone->dropped = cat->dropped;
    gone->name = cat->hash[1];

    ngx_http_longpoll_set(&sh->journal, sh->disk.deletions_last, sh->disk.deletions_last + 1);
}


void
ngx_http_longpoll_zone_count_unexposed(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    /* not what is of no publish, or is refused */

    if (sh->disk.durable
        && msg->id > sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].id
        && msg->id <= sh->clock.committed
        && (msg->id <= sh->clock.visible || msg->id > sh->disk.refused))
    {
        ngx_http_longpoll_zone_count(z, published, 1);
    }
}


uint64_t
ngx_http_longpoll_zone_writer(ngx_http_longpoll_zone_t *z)
{
    ngx_atomic_uint_t  writer;

    writer = z->sh->disk.writer;

    ngx_http_longpoll_assert(writer <= NGX_HTTP_LONGPOLL_WORKERS,
                             "the writer's number");

    return writer ? ngx_http_longpoll_zone_bit(writer - 1) : 0;
}


ngx_http_longpoll_msg_sh_t *
ngx_http_longpoll_zone_last(ngx_http_longpoll_zone_t *z, uint32_t slot)
{
    uint32_t                     ref;
    ngx_http_longpoll_msg_sh_t  *msg;

    for (ref = z->cats.slots[slot].last; ref; ref = msg->prev) {
        msg = ngx_http_longpoll_zone_msg(z, ref);

        if (msg->id <= z->sh->clock.visible) {
            return msg;
        }
    }

    return NULL;
}


uint64_t
ngx_http_longpoll_zone_horizon(ngx_http_longpoll_zone_t *z, uint64_t now)
{
    uint64_t                      clock, first;
    ngx_http_longpoll_msg_sh_t   *msg;
    ngx_http_longpoll_zone_sh_t  *sh;
    ngx_http_longpoll_cursor_sh_t  *shown;

    sh = z->sh;
    clock = ngx_http_longpoll_zone_clock(z, now);

    if (sh->clock.visible == sh->clock.committed) {
        return clock;
    }

    /* SHOWN is at the first that waits, or on its way there */

    first = sh->clock.visible + 1;
    shown = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];

    if (shown->ref) {
        msg = ngx_http_longpoll_zone_msg(z, shown->ref);
        first = ngx_max(first, msg->id);
    }

    return ngx_min(clock, ngx_http_longpoll_id_ms(first));
}


/*
 * the writer
 */


void
ngx_http_longpoll_zone_save_begin(ngx_http_longpoll_zone_t *z, uint64_t *wake)
{
    ngx_http_longpoll_zone_compact(z, 0);
    ngx_http_longpoll_zone_save_retry(z, wake);
}


void
ngx_http_longpoll_zone_save_retry(ngx_http_longpoll_zone_t *z, uint64_t *wake)
{
    ngx_http_longpoll_cursor_sh_t  *saved;

    ngx_http_longpoll_zone_expose(z, wake);
    ngx_http_longpoll_zone_refuse(z);

    ngx_http_longpoll_zone_lock(z);

    saved = &z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];

    ngx_http_longpoll_zone_set_cursor(z, NGX_HTTP_LONGPOLL_CURSOR_NEXT, saved->id,
                                    saved->ref);

    ngx_http_longpoll_zone_unlock(z);
}


static void
ngx_http_longpoll_zone_set_cursor(ngx_http_longpoll_zone_t *z, ngx_uint_t to,
    uint64_t id, uint32_t ref)
{
    ngx_http_longpoll_journal_sh_t  *j;

    j = &z->sh->journal;

    ngx_http_longpoll_set(j, z->sh->disk.cursors[to].id, id);
    ngx_http_longpoll_set(j, z->sh->disk.cursors[to].ref, ref);
    ngx_http_longpoll_done(j);
}


void
ngx_http_longpoll_zone_save_deletions(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_save_t *save)
{
    uint64_t                      n;
    ngx_http_longpoll_note_t     *note;
    ngx_http_longpoll_deletion_sh_t  *gone;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    ngx_http_longpoll_zone_lock(z);

    for (n = sh->disk.deletions_first;
         n < sh->disk.deletions_last && save->nnotes < save->max_notes;
         n++)
    {
        gone = &z->deletions[n % z->ndeletions];
        note = &save->notes[save->nnotes++];

        note->kind = NGX_HTTP_LONGPOLL_NOTE_DELETION;
        note->word[0] = gone->uuid.high;
        note->word[1] = gone->uuid.low;
        note->word[2] = gone->dropped;
        note->word[3] = gone->name;
    }

    ngx_http_longpoll_zone_unlock(z);

    save->deletions = n;
}


ngx_int_t
ngx_http_longpoll_zone_save(ngx_http_longpoll_zone_t *z, ngx_uint_t mark,
    ngx_http_longpoll_save_t *save)
{
    ngx_int_t  rc;

    if (save->len == 0) {
        save->more = 0;
    }

    do {
        ngx_http_longpoll_zone_lock(z);
        rc = ngx_http_longpoll_zone_save_hold(z, mark, save);
        ngx_http_longpoll_zone_unlock(z);

    } while (rc == NGX_BUSY);

    return rc;
}


/*
 * The messages of one publish stay together, however many they are: more says
 * whether the last one taken is to be followed by another.
 */

static ngx_int_t
ngx_http_longpoll_zone_save_hold(ngx_http_longpoll_zone_t *z, ngx_uint_t mark,
    ngx_http_longpoll_save_t *save)
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

    if (mark == NGX_HTTP_LONGPOLL_CURSOR_COMPACT) {
        upto = sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id;
    }

    ref = sh->disk.cursors[mark].ref;
    id = sh->disk.cursors[mark].id;
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

        /* a key is that of the first message of a publish */

        if ((msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED)
            && save->nnotes == save->max_notes)
        {
            rc = NGX_AGAIN;
            break;
        }

        ngx_http_longpoll_zone_save_msg(z, msg, &name, &m);
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

    ngx_http_longpoll_zone_set_cursor(z, mark, id, ref);

    return rc;
}


static void
ngx_http_longpoll_zone_save_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_str_t *name,
    ngx_http_longpoll_msg_t *m)
{
    name->data = (u_char *) msg + ngx_http_longpoll_zone_front(msg->rec.bits);
    name->len = msg->rec.name_len;

    m->id = msg->id;
    m->data.data = name->data + name->len;
    m->data.len = msg->data_len;

    ngx_http_longpoll_zone_uuid(z, msg, &m->uuid);
}


void
ngx_http_longpoll_zone_saved(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_save_t *save, uint64_t size, uint64_t notes,
    uint64_t *wake)
{
    ngx_http_longpoll_cursor_sh_t     *next, *saved;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;
    next = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT];
    saved = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];

    ngx_http_longpoll_zone_lock(z);

    /* in this order: a note that stands there twice does no harm */

    ngx_http_longpoll_put(sh->disk.state_size, notes);
    ngx_http_longpoll_put(sh->disk.deletions_first, save->deletions);

    ngx_http_longpoll_set(j, sh->disk.file_size, size);
    ngx_http_longpoll_set(j, saved->id, next->id);
    ngx_http_longpoll_set(j, saved->ref, next->ref);
    ngx_http_longpoll_done(j);

    ngx_http_longpoll_zone_unlock(z);

    ngx_http_longpoll_zone_expose(z, wake);

    /* who comes too late for this looks again */

    ngx_memory_barrier();
    *wake |= sh->disk.publishers;
}


/* what is saved becomes visible, and those who wait are told */

static void
ngx_http_longpoll_zone_expose(ngx_http_longpoll_zone_t *z, uint64_t *wake)
{
    uint64_t                      first;
    ngx_uint_t                    few, more, steps;
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_msg_sh_t   *msg;
    ngx_http_longpoll_cursor_sh_t  *shown, *saved;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    shown = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];
    saved = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];

    do {
        more = 0;
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);

        if (!sh->disk.durable) {
            ngx_http_longpoll_zone_unlock(z);
            return;
        }

        ngx_http_longpoll_put(sh->work.busy, 1);

        if (sh->clock.visible < saved->id) {
            ngx_http_longpoll_put(sh->clock.visible, saved->id);
        }

        while (shown->ref) {
            msg = ngx_http_longpoll_zone_msg(z, shown->ref);

            if (msg->id > sh->clock.visible) {
                break;
            }

            if (steps-- == 0) {
                more = 1;
                break;
            }

            first = msg->id;
            cat = &z->cats.slots[msg->slot];

            if (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING) {
                ngx_http_longpoll_put(*ngx_http_longpoll_zone_pending(msg),
                            ngx_http_longpoll_zone_waits(z, cat, first));
            }

            *wake |= ngx_http_longpoll_zone_mark_workers(z, msg->slot, first);
            ngx_http_longpoll_zone_count(z, published, 1);

            /* the mark moves on by itself, should the next one go here */

            ngx_http_longpoll_zone_set_cursor(z, NGX_HTTP_LONGPOLL_CURSOR_EXPOSED,
                                            msg->id, msg->newer);

            few = NGX_HTTP_LONGPOLL_ZONE_STEPS;
            (void) ngx_http_longpoll_zone_trim(z, msg->slot, &few);
        }

        ngx_http_longpoll_put(sh->work.busy, 0);

        ngx_http_longpoll_zone_unlock(z);

    } while (more);
}


ngx_uint_t
ngx_http_longpoll_zone_unwritten(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    return sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT].ref != 0
           || sh->disk.deletions_first != sh->disk.deletions_last;
}


void
ngx_http_longpoll_zone_unsaved(ngx_http_longpoll_zone_t *z, uint64_t *wake)
{
    uint64_t                         good;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_failure_sh_t  *failure;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;

    ngx_http_longpoll_zone_lock(z);

    /* what is saved will be visible, if a writer was killed in between */

    good = ngx_max(sh->clock.visible, sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id);

    if (sh->disk.durable && sh->clock.committed > good && sh->disk.refused == 0) {

        /* in one step with the promise that all of it goes */

        failure = &sh->disk.failures[sh->disk.failed % NGX_HTTP_LONGPOLL_FAILURES];

        ngx_http_longpoll_put(failure->after, good);
        ngx_http_longpoll_put(failure->upto, sh->clock.committed);

        ngx_http_longpoll_set(j, sh->disk.failed, sh->disk.failed + 1);
        ngx_http_longpoll_set(j, sh->disk.refused, sh->clock.committed);
        ngx_http_longpoll_done(j);

        *wake = (uint64_t) -1;
    }

    ngx_http_longpoll_zone_unlock(z);

    ngx_http_longpoll_zone_save_retry(z, wake);
}


/* what was refused goes */

static void
ngx_http_longpoll_zone_refuse(ngx_http_longpoll_zone_t *z)
{
    ngx_uint_t                    steps;
    ngx_http_longpoll_msg_sh_t   *msg;
    ngx_http_longpoll_cursor_sh_t  *shown;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    shown = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);

        while (sh->disk.refused && steps--) {
            msg = NULL;

            if (shown->ref) {
                msg = ngx_http_longpoll_zone_msg(z, shown->ref);
            }

            if (msg == NULL || msg->id > sh->disk.refused) {
                ngx_http_longpoll_put(sh->disk.refused, 0);
                break;
            }

            ngx_http_longpoll_zone_drop(z, msg, NGX_HTTP_LONGPOLL_ZONE_TAKEN);
            ngx_http_longpoll_zone_release(z, msg->slot);
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (sh->disk.refused);
}


ngx_int_t
ngx_http_longpoll_zone_decided(ngx_http_longpoll_zone_t *z, uint64_t id,
    uint64_t failed)
{
    uint64_t                         visible, n;
    ngx_http_longpoll_failure_sh_t  *failure;

    /* what failed did so before anything later became visible */

    visible = *(volatile uint64_t *) &z->sh->clock.visible;
    ngx_memory_barrier();
    n = *(volatile uint64_t *) &z->sh->disk.failed;

    /* the next one may be being written over the first of these */

    if (n - failed >= NGX_HTTP_LONGPOLL_FAILURES) {
        return NGX_ERROR;
    }

    for ( /* void */ ; failed < n; failed++) {
        failure = &z->sh->disk.failures[failed % NGX_HTTP_LONGPOLL_FAILURES];

        if (id > failure->after && id <= failure->upto) {
            return NGX_ERROR;
        }
    }

    return id <= visible ? NGX_OK : NGX_AGAIN;
}


ngx_int_t
ngx_http_longpoll_zone_durable(ngx_http_longpoll_zone_t *z, ngx_uint_t on,
    ngx_uint_t must, uint64_t *wake)
{
    ngx_int_t                     rc;
    ngx_http_longpoll_cursor_sh_t  *shown;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    shown = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];
    rc = NGX_OK;

    if (must) {

        /* what was refused goes; what waits for the disk is shown without */

        ngx_http_longpoll_zone_expose(z, wake);
        ngx_http_longpoll_zone_refuse(z);

        ngx_http_longpoll_zone_lock(z);
        ngx_http_longpoll_put(sh->clock.visible, sh->clock.committed);
        ngx_http_longpoll_zone_unlock(z);

        ngx_http_longpoll_zone_expose(z, wake);
    }

    ngx_http_longpoll_zone_lock(z);

    if (on && !sh->disk.durable) {
        ngx_http_longpoll_zone_set_cursor(z, NGX_HTTP_LONGPOLL_CURSOR_EXPOSED,
                                        sh->clock.committed, 0);
        ngx_http_longpoll_put(shown->on, 1);
        ngx_http_longpoll_put(sh->disk.durable, 1);

    } else if (!on && sh->disk.durable) {

        if (sh->clock.visible == sh->clock.committed && shown->ref == 0) {
            ngx_http_longpoll_put(sh->disk.durable, 0);
            ngx_http_longpoll_put(shown->on, 0);

        } else {
            rc = NGX_AGAIN;
        }
    }

    ngx_http_longpoll_zone_unlock(z);

    return rc;
}


/*
 * a file that is written anew
 */


void
ngx_http_longpoll_zone_compact(ngx_http_longpoll_zone_t *z, ngx_uint_t on)
{
    ngx_http_longpoll_zone_lock(z);

    ngx_http_longpoll_put(z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_COMPACT].on, 0);

    if (on) {
        ngx_http_longpoll_zone_set_cursor(z, NGX_HTTP_LONGPOLL_CURSOR_COMPACT, 0,
                                        z->sh->list.oldest);
        ngx_http_longpoll_put(z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_COMPACT].on, 1);

        if (z->sh->disk.file_dead) {
            ngx_http_longpoll_put(z->sh->disk.file_dead,
                                  NGX_HTTP_LONGPOLL_FILE_MENDED);
        }
    }

    ngx_http_longpoll_zone_unlock(z);
}


ngx_int_t
ngx_http_longpoll_zone_renewed(ngx_http_longpoll_zone_t *z, uint64_t size,
    uint64_t notes)
{
    ngx_int_t                     rc;
    ngx_http_longpoll_cursor_sh_t  *again, *saved;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    again = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_COMPACT];
    saved = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];
    rc = NGX_AGAIN;

    ngx_http_longpoll_zone_lock(z);

    if (again->on && again->ref == saved->ref) {

        /*
         * The new file has its name already.  Who dies here leaves a size that
         * is right, or more than there is: then it is written once more.
         */

        ngx_http_longpoll_put(sh->disk.state_size, notes);
        ngx_http_longpoll_put(sh->disk.file_size, size);
        ngx_http_longpoll_put(again->on, 0);

        /* not if more went meanwhile than there was room for */

        if (sh->disk.file_dead == NGX_HTTP_LONGPOLL_FILE_MENDED) {
            ngx_http_longpoll_put(sh->disk.file_dead, 0);
        }

        rc = NGX_OK;
    }

    ngx_http_longpoll_zone_unlock(z);

    return rc;
}


ngx_int_t
ngx_http_longpoll_zone_losses(ngx_http_longpoll_zone_t *z,
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

            ngx_http_longpoll_zone_loss(z, losses, save);
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


/* that of a slot, or behind all slots that of a tombstone */

static void
ngx_http_longpoll_zone_loss(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_losses_t *losses, ngx_http_longpoll_save_t *save)
{
    uint64_t                      id;
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_note_t     *note;
    ngx_http_longpoll_tomb_sh_t  *tomb;

    cat = NULL;
    tomb = NULL;

    if (losses->n < z->sh->cats.nslots) {
        cat = &z->cats.slots[losses->n];
        id = cat->hash[0] ? ngx_max(cat->dropped, cat->shared) : 0;

    } else {
        tomb = &z->cats.tombs[losses->n - z->sh->cats.nslots];
        id = tomb->id;
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

    note->kind = NGX_HTTP_LONGPOLL_NOTE_TOMB;
    note->word[0] = losses->n - z->sh->cats.nslots;
    note->word[1] = z->sh->cats.nbuckets;
    note->word[2] = id;
    note->word[3] = tomb->check;
}


/*
 * what an earlier life left
 */


ngx_int_t
ngx_http_longpoll_zone_load(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg,
    const uint64_t *key, uint64_t now)
{
    uint64_t                      need;
    ngx_uint_t                    bits, steps;
    ngx_http_longpoll_cat_sh_t   *c;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    bits = key ? NGX_HTTP_LONGPOLL_MSG_KEYED : 0;
    bits |= ngx_http_longpoll_zone_epoch(z, msg) << 4;

    need = ngx_http_longpoll_zone_need(cat, msg, bits);

    if (need > z->size / 4) {
        return NGX_DECLINED;
    }

    ngx_http_longpoll_zone_lock(z);

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
    } while (ngx_http_longpoll_zone_room(z, cat, need, now, &steps) != NGX_OK);

    msg->pos = ngx_http_longpoll_zone_slot(z, cat, now);
    c = &z->cats.slots[msg->pos];

    /* behind all that is there, and all that its category lost */

    msg->id = ngx_max(msg->id, sh->clock.last_id + 1);
    msg->id = ngx_max(msg->id, c->dropped + 1);

    sh->clock.last_id = msg->id;

    ngx_http_longpoll_zone_put(z, cat, msg, bits, 0, key);

    sh->clock.committed = sh->clock.last_id;
    sh->clock.visible = sh->clock.last_id;
    c->used = now;

    steps = (ngx_uint_t) -1;
    (void) ngx_http_longpoll_zone_trim(z, (uint32_t) msg->pos, &steps);

    ngx_http_longpoll_zone_unlock(z);

    return NGX_OK;
}


/* the number of the life in which a message got its id */

static ngx_uint_t
ngx_http_longpoll_zone_epoch(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_t *msg)
{
    uint64_t    id, life;
    ngx_uint_t  i;

    if (!ngx_http_longpoll_id_read(&msg->uuid, &id, &life)
        || ngx_http_longpoll_id_ms(id) != ngx_http_longpoll_id_ms(msg->id)
        || id <= z->sh->clock.last_id)
    {
        return NGX_HTTP_LONGPOLL_FOREIGN;
    }

    for (i = 1; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {

        if (z->sh->epochs[i] == 0) {
            z->sh->epochs[i] = life;
        }

        if (z->sh->epochs[i] == life) {
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
    uint64_t                      id;
    ngx_http_longpoll_tomb_sh_t  *tomb;
    ngx_http_longpoll_zone_sh_t  *sh;

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

    } else if (note->kind == NGX_HTTP_LONGPOLL_NOTE_TOMB
               && note->word[1] == sh->cats.nbuckets
               && note->word[0] < sh->cats.nbuckets)
    {
        tomb = &z->cats.tombs[note->word[0]];

        if (tomb->id < note->word[2]) {
            tomb->id = note->word[2];
            tomb->check = note->word[3];
        }

    } else {

        /* whose it was is not known any more */

        sh->previous.lost_until = ngx_max(sh->previous.lost_until, ngx_http_longpoll_id_ms(
                    note->kind == NGX_HTTP_LONGPOLL_NOTE_TOMB ? note->word[2]
                                                           : note->word[0])
                                           + 1);
    }

    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_loaded(ngx_http_longpoll_zone_t *z, ngx_uint_t earlier,
    uint64_t now)
{
    ngx_uint_t                    i;
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_zone_sh_t  *sh;
    ngx_http_longpoll_cursor_sh_t  *marks;

    sh = z->sh;
    marks = sh->disk.cursors;

    ngx_http_longpoll_zone_lock(z);

    for (i = 0; earlier && i < sh->cats.fresh; i++) {
        cat = &z->cats.slots[i];

        cat->shared = ngx_max(cat->shared, cat->dropped);
        cat->dropped = 0;
    }

    for (i = 0; earlier && i < sh->cats.nbuckets; i++) {
        z->cats.tombs[i].check = 0;
    }

    sh->clock.last_id = ngx_max(sh->clock.last_id, ngx_http_longpoll_id(now, 0));
    sh->clock.committed = sh->clock.last_id;
    sh->clock.visible = sh->clock.last_id;
    sh->born = ngx_http_longpoll_id_ms(sh->clock.last_id);

    if (z->ndeletions) {

        for (i = 0; i < NGX_HTTP_LONGPOLL_CURSORS; i++) {
            marks[i].id = sh->clock.last_id;
            marks[i].ref = 0;
            marks[i].on = (i != NGX_HTTP_LONGPOLL_CURSOR_COMPACT);
        }

        /* until a writer has said on disk that this life has begun */

        sh->disk.durable = 1;
    }

    ngx_http_longpoll_zone_unlock(z);
}


/*
 * a zone of another size
 */


#define NGX_HTTP_LONGPOLL_ZONE_BATCH  64          /* messages in a lock hold */


/* where the copy of a zone has come to */

typedef struct {
    uint64_t                      id;
    uint32_t                      ref;
    uint32_t                      slot;
    uint64_t                      pos;
    uint64_t                      upto;         /* all that was given out */

    u_char                       *bytes;
    size_t                        size;

    ngx_uint_t                    n;
    ngx_http_longpoll_msg_t       msgs[NGX_HTTP_LONGPOLL_ZONE_BATCH];
    ngx_str_t                     names[NGX_HTTP_LONGPOLL_ZONE_BATCH];
    uint64_t                      keys[NGX_HTTP_LONGPOLL_ZONE_BATCH][2];
} ngx_http_longpoll_zone_batch_t;


static size_t ngx_http_longpoll_zone_adopt_batch(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_batch_t *lot);
static void ngx_http_longpoll_zone_raise(ngx_atomic_t *word, uint64_t id);


ngx_int_t
ngx_http_longpoll_zone_adopt(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now, ngx_log_t *log)
{
    size_t                         wanted;
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    ngx_http_longpoll_cat_t        cat;
    ngx_http_longpoll_note_t       note;
    ngx_http_longpoll_save_t       save;
    ngx_http_longpoll_losses_t     losses;
    ngx_http_longpoll_zone_sh_t   *sh, *osh;
    ngx_http_longpoll_zone_batch_t  *lot;

    sh = z->sh;
    osh = old->sh;

    lot = ngx_alloc(sizeof(ngx_http_longpoll_zone_batch_t), log);
    if (lot == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(lot, sizeof(ngx_http_longpoll_zone_batch_t));

    sh->clock.last_id = 0;
    sh->key[0] = osh->key[0];
    sh->key[1] = osh->key[1];

    do {
        wanted = ngx_http_longpoll_zone_adopt_batch(old, lot);

        if (wanted) {
            ngx_free(lot->bytes);
            lot->size = wanted;
            lot->bytes = ngx_alloc(wanted, log);

            if (lot->bytes == NULL) {
                ngx_free(lot);
                return NGX_ERROR;
            }

            continue;
        }

        for (i = 0; i < lot->n; i++) {
            cat.name = lot->names[i];
            ngx_http_longpoll_zone_name(z, &cat);

            (void) ngx_http_longpoll_zone_load(z, &cat, &lot->msgs[i],
                                     lot->keys[i][0] ? lot->keys[i] : NULL,
                                     now);
        }

    } while (wanted || lot->n);

    ngx_memzero(&losses, sizeof(ngx_http_longpoll_losses_t));
    ngx_memzero(&save, sizeof(ngx_http_longpoll_save_t));

    save.notes = &note;
    save.max_notes = 1;

    do {
        save.nnotes = 0;
        rc = ngx_http_longpoll_zone_losses(old, &losses, &save);

        if (save.nnotes) {
            ngx_http_longpoll_zone_load_loss(z, &note, 1);
        }

    } while (rc == NGX_AGAIN);

    sh->counters = osh->counters;

    for (i = 0; i < NGX_HTTP_LONGPOLL_WORKERS; i++) {
        sh->counters.delivered += osh->workers[i].delivered;
    }

    /* what it has given out as the time of an answer, too */

    sh->clock.last_id = ngx_max(sh->clock.last_id, osh->clock.last_id);

    ngx_http_longpoll_zone_loaded(z, 0, now);

    sh->born = osh->born;
    sh->previous.valid_from = ngx_max(osh->previous.valid_from, sh->previous.lost_until);
    sh->previous.end = ngx_http_longpoll_id_ms(sh->clock.last_id);
    sh->previous.overlap_until = ngx_http_longpoll_zone_overlap(old);
    sh->previous.missing_below = osh->previous.missing_below;
    sh->disk.contested = osh->disk.contested;
    sh->previous.epochs[0] = osh->epoch;

    for (i = 1; i < NGX_HTTP_LONGPOLL_PREVIOUS; i++) {
        sh->previous.epochs[i] = osh->previous.epochs[i - 1];
    }

    /* so that ..._moved() knows what came later */

    sh->resize.copied = lot->upto;

    /* no file is all of it before it was written anew, whoever does so */

    sh->disk.file_size = (uint64_t) -1;

    ngx_free(lot->bytes);
    ngx_free(lot);

    return NGX_OK;
}


/* the next messages; returns how much memory one of them needs, 0: enough */

static size_t
ngx_http_longpoll_zone_adopt_batch(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_batch_t *lot)
{
    u_char                      *p;
    size_t                       len;
    uint32_t                     ref;
    uint64_t                    *key;
    ngx_str_t                    name;
    ngx_http_longpoll_msg_sh_t  *msg;

    lot->n = 0;
    p = lot->bytes;
    len = 0;

    ngx_http_longpoll_zone_lock(z);

    ref = z->sh->list.oldest;

    if (lot->ref
        && ngx_http_longpoll_zone_stands(z, lot->ref, lot->pos, lot->slot))
    {
        msg = ngx_http_longpoll_zone_msg(z, lot->ref);

        if (msg->id == lot->id) {
            ref = msg->newer;
        }
    }

    for ( /* void */ ; ref; ref = msg->newer) {
        msg = ngx_http_longpoll_zone_msg(z, ref);

        if (msg->id <= lot->id) {
            continue;
        }

        /* what waits for the disk may still be refused there */

        if (lot->n == NGX_HTTP_LONGPOLL_ZONE_BATCH || msg->id > z->sh->clock.visible) {
            break;
        }

        ngx_http_longpoll_zone_save_msg(z, msg, &name, &lot->msgs[lot->n]);

        len = name.len + lot->msgs[lot->n].data.len;

        if (len > lot->size - (size_t) (p - lot->bytes)) {
            break;
        }

        lot->names[lot->n].data = p;
        lot->names[lot->n].len = name.len;
        p = ngx_cpymem(p, name.data, name.len);

        ngx_memcpy(p, lot->msgs[lot->n].data.data,
                   lot->msgs[lot->n].data.len);
        lot->msgs[lot->n].data.data = p;
        p += lot->msgs[lot->n].data.len;

        lot->keys[lot->n][0] = 0;

        if (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED) {
            key = ngx_http_longpoll_zone_key(msg);
            lot->keys[lot->n][0] = key[0];
            lot->keys[lot->n][1] = key[1];
        }

        lot->n++;
        lot->id = msg->id;
        lot->ref = ref;
        lot->pos = ngx_http_longpoll_zone_pos(z, ref);
        lot->slot = msg->slot;
        len = 0;
    }

    if (lot->n == 0 && len == 0) {
        lot->upto = z->sh->clock.visible;
    }

    ngx_http_longpoll_zone_unlock(z);

    return lot->n == 0 && len ? ngx_max(len, NGX_HTTP_LONGPOLL_ZONE_LINES) : 0;
}


void
ngx_http_longpoll_zone_moved(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old)
{
    uint64_t  last;

    z->sh->resize.generation = old->sh->resize.generation + 1;
    z->late->latest = z->sh->resize.generation;

    /* also by who did not see this generation yet */

    ngx_http_longpoll_zone_raise(
                      ngx_http_longpoll_zone_late_upto(z, z->sh->resize.generation),
                      *ngx_http_longpoll_zone_late_upto(z, old->sh->resize.generation));

    ngx_http_longpoll_zone_lock(old);

    last = old->sh->clock.last_id;
    ngx_http_longpoll_put(old->sh->resize.moved, last + 1);

    if (z->sh->resize.copied < old->sh->clock.committed) {
        ngx_http_longpoll_zone_late_write(old);

    } else {
        ngx_http_longpoll_zone_note_issued(old);
    }

    ngx_http_longpoll_zone_unlock(old);

    /* who comes from there is not sent back in time */

    ngx_http_longpoll_zone_lock(z);

    if (z->sh->clock.last_id < last) {
        ngx_http_longpoll_zone_advance(z, last);
    }

    ngx_http_longpoll_zone_unlock(z);

    ngx_http_longpoll_zone_adopt_clients(z, old);
}


/* its writer may not have come to say so in the file */

ngx_uint_t
ngx_http_longpoll_zone_succeeds(ngx_http_longpoll_zone_t *z, uint64_t life)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_LONGPOLL_PREVIOUS; i++) {

        if (life && z->sh->previous.epochs[i] == life) {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_longpoll_zone_alone(ngx_http_longpoll_zone_t *z, uint64_t last,
    uint64_t trusted)
{
    uint64_t                      ms;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    ms = ngx_http_longpoll_id_ms(last);

    ngx_http_longpoll_zone_lock(z);

    if (ngx_http_longpoll_zone_overlap(z)) {
        ngx_http_longpoll_put(sh->previous.overlap_until, ms + 1);

    } else {
        ngx_http_longpoll_put(sh->previous.end, ngx_max(sh->previous.end, ms));
    }

    ngx_http_longpoll_put(sh->previous.valid_from, ngx_max(trusted, sh->previous.lost_until));
    ngx_http_longpoll_put(sh->disk.contested, 0);

    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_missing(ngx_http_longpoll_zone_t *z, uint64_t last)
{
    uint64_t                      id, ms;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    ngx_http_longpoll_zone_lock(z);

    /* a time of that last ms is not now any more */

    ms = ngx_http_longpoll_id_ms(ngx_max(sh->clock.last_id, last)) + 1;
    id = ngx_http_longpoll_id(ms, 0);

    /* an earlier call may have named a later id, if publishes still wait */

    ngx_http_longpoll_put(sh->previous.missing_below, ngx_max(sh->previous.missing_below, id));
    ngx_http_longpoll_put(sh->disk.contested, 0);
    ngx_http_longpoll_put(sh->previous.overlap_until, 0);

    ngx_http_longpoll_zone_unlock(z);

    /* so that a page that begins now is behind it */

    (void) ngx_http_longpoll_zone_latest(z);
}


/*
 * While another nginx gives out times, too, and after that until the last of
 * these (ms), a time may be that of who has not seen what came here before.
 */

static uint64_t
ngx_http_longpoll_zone_overlap(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    if (sh->disk.contested
        && sh->clock.committed > sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id)
    {
        return (uint64_t) -1;
    }

    return sh->previous.overlap_until;
}


void
ngx_http_longpoll_zone_advance(ngx_http_longpoll_zone_t *z, uint64_t id)
{
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;

    /* what waits for the disk is in front of it, so that comes first */

    if (sh->clock.visible != sh->clock.committed) {
        return;
    }

    /* times that were given out may be behind it */

    id = ngx_max(id, sh->previous.missing_below);
    id = ngx_max(id, sh->clock.last_id);

    ngx_http_longpoll_put(sh->clock.last_id, id);
    ngx_http_longpoll_set(j, sh->clock.committed, id);
    ngx_http_longpoll_set(j, sh->clock.visible, id);
    ngx_http_longpoll_done(j);

    ngx_http_longpoll_zone_note_issued(z);
}


uint64_t
ngx_http_longpoll_zone_latest(ngx_http_longpoll_zone_t *z)
{
    if (ngx_http_longpoll_zone_has_late(z, z->sh->clock.visible, 0)) {
        ngx_http_longpoll_zone_lock(z);
        ngx_http_longpoll_zone_unlock(z);
    }

    return z->sh->clock.visible;
}


/*
 * Two zones give out ids and times of their own.  What strays must be missed by
 * every cursor that the later zones have given, so its word is behind all of
 * them; and they, before they give another one, say so, and then look at the
 * word (..._strayed()).  So one of the two sees the other.
 */

void
ngx_http_longpoll_zone_note_issued(ngx_http_longpoll_zone_t *z)
{
    if (z->late == NULL || z->late->latest == 0) {
        return;
    }

    ngx_http_longpoll_zone_raise(&z->late->issued, z->sh->clock.last_id);
    __sync_synchronize();
}


void
ngx_http_longpoll_zone_late_write(ngx_http_longpoll_zone_t *z)
{
    uint64_t  given, generation;

    if (z->late == NULL) {
        return;
    }

    ngx_http_longpoll_zone_note_issued(z);

    do {
        given = z->late->issued;

        for (generation = z->sh->resize.generation + 1;
             generation <= z->late->latest;
             generation++)
        {
            ngx_http_longpoll_zone_raise(
                                 ngx_http_longpoll_zone_late_upto(z, generation),
                                 given + 1);
        }

        __sync_synchronize();

    } while (z->late->issued != given);
}


/* workers of several zones may be at it */

static void
ngx_http_longpoll_zone_raise(ngx_atomic_t *word, uint64_t id)
{
    ngx_atomic_uint_t  was;

    ngx_http_longpoll_step();

    do {
        was = *word;

        if (was >= id) {
            return;
        }

    } while (!ngx_atomic_cmp_set(word, was, id));
}


ngx_uint_t
ngx_http_longpoll_zone_lost(ngx_http_longpoll_zone_t *z, uint64_t ms,
    ngx_uint_t id)
{
    if (ms < z->sh->previous.valid_from) {
        return 1;
    }

    if (id) {
        return ms > z->sh->previous.end;
    }

    return ms >= z->sh->born && ms < ngx_http_longpoll_zone_overlap(z);
}


ngx_uint_t
ngx_http_longpoll_zone_knows_epoch(ngx_http_longpoll_zone_t *z, uint64_t life)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_LONGPOLL_EPOCHS; i++) {

        if (life && z->sh->epochs[i] == life) {
            return 1;
        }
    }

    return 0;
}


/*
 * who has the zone
 */


void
ngx_http_longpoll_zone_join(ngx_http_longpoll_zone_t *z, ngx_uint_t worker)
{
    uint64_t                      bit;
    ngx_http_longpoll_zone_sh_t  *sh;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    sh = z->sh;
    bit = ngx_http_longpoll_zone_bit(worker);

    ngx_http_longpoll_zone_lock(z);
    ngx_http_longpoll_put(sh->disk.leaving, sh->disk.leaving & ~bit);
    ngx_http_longpoll_put(sh->disk.members, sh->disk.members | bit);
    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_leaving(ngx_http_longpoll_zone_t *z, ngx_uint_t worker)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    sh = z->sh;

    ngx_http_longpoll_zone_lock(z);
    ngx_http_longpoll_put(sh->disk.leaving,
                          sh->disk.leaving | ngx_http_longpoll_zone_bit(worker));
    ngx_http_longpoll_zone_unlock(z);
}


uint64_t
ngx_http_longpoll_zone_others(ngx_http_longpoll_zone_t *z, ngx_uint_t worker,
    uint64_t alive)
{
    return z->sh->disk.members & ~z->sh->disk.leaving & alive
           & ~ngx_http_longpoll_zone_bit(worker);
}


uint64_t
ngx_http_longpoll_zone_resign(ngx_http_longpoll_zone_t *z, ngx_uint_t worker,
    uint64_t alive)
{
    uint64_t                      left;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    ngx_http_longpoll_zone_lock(z);

    left = sh->disk.members & ~ngx_http_longpoll_zone_bit(worker);
    ngx_http_longpoll_put(sh->disk.members, left);

    ngx_http_longpoll_zone_unlock(z);

    return left & alive;
}
