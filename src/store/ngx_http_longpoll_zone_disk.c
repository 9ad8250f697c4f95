
/*
 * ngx_http_longpoll_zone_disk.c: what the writer of a zone's log takes from the
 * zone, and what it reports.
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
 *
 * The writer may be killed at any time, and another one goes on from any of its
 * stores.  So they stand in an order in which each makes sense alone, or in one
 * step.
 */


#include "ngx_http_longpoll_zone_disk.h"
#include "ngx_http_longpoll_zone_cursor.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_room.h"
#include "ngx_http_longpoll_zone_watch.h"
#include "ngx_http_longpoll_golongpoll.h"


#define NGX_HTTP_LONGPOLL_ZONE_LINES   32768    /* bytes, in a lock hold */
#define NGX_HTTP_LONGPOLL_ZONE_LOSSES  4096     /* lines of categories without
                                                   messages, at most */


/* a walk over what categories have lost */

typedef struct {
    ngx_uint_t                       n;         /* slot, then tombstone */
    ngx_uint_t                       empty;     /* such lines so far */
    uint64_t                         rest;      /* id of the REST */
} ngx_http_longpoll_losses_t;


static ngx_int_t ngx_http_longpoll_zone_disk_room(
    ngx_http_longpoll_lines_t *lines, size_t size);
static void ngx_http_longpoll_zone_disk_print(ngx_http_longpoll_lines_t *lines,
    ngx_http_longpoll_control_e kind, uint64_t a, uint64_t b, uint64_t c);
static ngx_int_t ngx_http_longpoll_zone_disk_take_hold(
    ngx_http_longpoll_zone_t *z, ngx_uint_t cursor,
    ngx_http_longpoll_lines_t *lines);
static void ngx_http_longpoll_zone_disk_loss(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_losses_t *losses, ngx_http_longpoll_lines_t *lines);
static ngx_uint_t ngx_http_longpoll_zone_disk_expose_hold(
    ngx_http_longpoll_zone_t *z, ngx_uint_t all, uint64_t *wake);
static ngx_uint_t ngx_http_longpoll_zone_disk_is_refused(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_msg_sh_t *msg);
static void ngx_http_longpoll_zone_disk_expose_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_uint_t *steps, uint64_t *wake);


/*
 * lines
 */


ngx_int_t
ngx_http_longpoll_zone_disk_lines(ngx_http_longpoll_lines_t *lines,
    size_t enough)
{
    lines->len = 0;
    lines->more = 0;
    lines->enough = enough;

    return ngx_http_longpoll_zone_disk_room(lines,
                                       enough + NGX_HTTP_LONGPOLL_CONTROL_MAX);
}


/* there is room for so many bytes more; not under the lock */

static ngx_int_t
ngx_http_longpoll_zone_disk_room(ngx_http_longpoll_lines_t *lines, size_t size)
{
    u_char  *p;

    if (lines->size - lines->len >= size) {
        return NGX_OK;
    }

    size = lines->len + ngx_max(size, lines->size);
    p = realloc(lines->data, size);

    if (p == NULL) {
        return NGX_ERROR;
    }

    lines->data = p;
    lines->size = size;

    return NGX_OK;
}


/*
 * Ids below missing_below are those of two nginxes.  The next epoch knows only
 * valid_from.
 */

void
ngx_http_longpoll_zone_disk_head(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_lines_t *lines, ngx_http_longpoll_control_e kind,
    ngx_uint_t says)
{
    ngx_http_longpoll_control_t   control;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    control.kind = kind;
    control.number = kind == NGX_HTTP_LONGPOLL_CONTROL_BASE
                     ? sh->disk.base_number : sh->disk.after;
    control.epoch = sh->epoch;
    control.key[0] = sh->key[0];
    control.key[1] = sh->key[1];
    control.durable = (says == NGX_HTTP_LONGPOLL_SAYS_YES);

    ngx_http_longpoll_zone_lock(z);

    control.id = sh->clock.last_id;
    control.valid_from = ngx_max(sh->previous.valid_from,
                         ngx_http_longpoll_id_ms(sh->previous.missing_below));

    if (sh->disk.says != says) {
        ngx_http_longpoll_put(sh->disk.says, NGX_HTTP_LONGPOLL_SAYS_MAYBE);
    }

    ngx_http_longpoll_zone_unlock(z);

    lines->len = ngx_http_longpoll_control_print(lines->data + lines->len,
                                                 &control)
                 - lines->data;
}


/* another control line, of up to three words */

static void
ngx_http_longpoll_zone_disk_print(ngx_http_longpoll_lines_t *lines,
    ngx_http_longpoll_control_e kind, uint64_t a, uint64_t b, uint64_t c)
{
    ngx_http_longpoll_control_t  control;

    control.kind = kind;
    control.id = a;
    control.uuid.high = a;
    control.uuid.low = b;
    control.name = a;
    control.upto = b;
    control.lost = c;

    lines->len = ngx_http_longpoll_control_print(lines->data + lines->len,
                                                 &control)
                 - lines->data;
}


uint64_t
ngx_http_longpoll_zone_disk_notes(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_lines_t *lines)
{
    uint64_t                        n;
    ngx_http_longpoll_disk_sh_t    *disk;
    ngx_http_longpoll_note_sh_t    *note;
    ngx_http_longpoll_cursor_sh_t  *saved;

    disk = &z->sh->disk;
    saved = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];

    ngx_http_longpoll_zone_lock(z);

    for (n = disk->notes_first;
         n < disk->notes_last && lines->len < lines->enough / 4;
         n++)
    {
        note = &z->notes[n % z->nnotes];

        ngx_http_longpoll_zone_disk_print(lines, note->kind, note->word[0],
                                          note->word[1], note->word[2]);
    }

    /* an earlier round may have failed */

    ngx_http_longpoll_zone_cursor_set(z, NGX_HTTP_LONGPOLL_CURSOR_NEXT,
                                      saved->id, saved->ref);

    ngx_http_longpoll_zone_unlock(z);

    return n;
}


ngx_int_t
ngx_http_longpoll_zone_disk_take(ngx_http_longpoll_zone_t *z, ngx_uint_t cursor,
    ngx_http_longpoll_lines_t *lines)
{
    ngx_int_t  rc;

    lines->wanted = 0;

    do {
        if (ngx_http_longpoll_zone_disk_room(lines, lines->wanted) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_longpoll_zone_lock(z);
        rc = ngx_http_longpoll_zone_disk_take_hold(z, cursor, lines);
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
    ngx_uint_t cursor, ngx_http_longpoll_lines_t *lines)
{
    size_t                         len, end;
    uint32_t                       ref;
    uint64_t                       upto, id, *key;
    ngx_int_t                      rc;
    ngx_str_t                      name;
    ngx_uint_t                     steps;
    ngx_http_longpoll_msg_t        m;
    ngx_http_longpoll_msg_sh_t    *msg;
    ngx_http_longpoll_disk_sh_t   *disk;

    disk = &z->sh->disk;

    upto = cursor == NGX_HTTP_LONGPOLL_CURSOR_BASE ? disk->base_upto
                                                   : z->sh->clock.committed;
    ref = disk->cursors[cursor].ref;
    id = disk->cursors[cursor].id;
    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
    end = lines->len + NGX_HTTP_LONGPOLL_ZONE_LINES;
    rc = NGX_OK;

    for ( /* void */ ; ref; ref = msg->newer) {
        msg = ngx_http_longpoll_zone_msg(z, ref);

        if (msg->id > upto) {
            break;
        }

        if (!lines->more && lines->len >= lines->enough) {
            rc = NGX_AGAIN;
            break;
        }

        if (steps-- == 0 || lines->len >= end) {
            rc = NGX_BUSY;
            break;
        }

        ngx_http_longpoll_zone_disk_msg(z, msg, &name, &m);

        key = msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED
              ? ngx_http_longpoll_zone_key(msg) : NULL;
        len = ngx_http_longpoll_golongpoll_line_len(&name, &m, key);

        if (len > lines->size - lines->len) {
            lines->wanted = len;
            rc = NGX_BUSY;
            break;
        }

        (void) ngx_http_longpoll_golongpoll_line(lines->data + lines->len,
                                                 &name, &m, key);
        lines->len += len;
        lines->more = (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_MORE) != 0;
        id = msg->id;
    }

    if (rc == NGX_OK) {
        id = ngx_max(id, upto);
    }

    /* what is deleted from here on leaves a note */

    ngx_http_longpoll_put(disk->taken_upto, ngx_max(disk->taken_upto, id));
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


ngx_int_t
ngx_http_longpoll_zone_disk_losses(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_lines_t *lines)
{
    ngx_uint_t                    steps, end;
    ngx_http_longpoll_losses_t    losses;
    ngx_http_longpoll_cats_sh_t  *cats;

    cats = &z->sh->cats;
    end = cats->nslots + cats->nbuckets;

    ngx_memzero(&losses, sizeof(ngx_http_longpoll_losses_t));

    do {
        if (ngx_http_longpoll_zone_disk_room(lines,
                                             2 * NGX_HTTP_LONGPOLL_CONTROL_MAX)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_longpoll_zone_lock(z);

        for (steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
             steps && losses.n <= end
             && lines->size - lines->len >= 2 * NGX_HTTP_LONGPOLL_CONTROL_MAX;
             steps--, losses.n++)
        {
            if (losses.n == cats->fresh) {
                losses.n = cats->nslots;
            }

            if (losses.n < end) {
                ngx_http_longpoll_zone_disk_loss(z, &losses, lines);
                continue;
            }

            losses.rest = ngx_max(losses.rest, cats->unknown_upto);

            if (losses.rest) {
                ngx_http_longpoll_zone_disk_print(lines,
                                                NGX_HTTP_LONGPOLL_CONTROL_REST,
                                                losses.rest, 0, 0);
            }
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (losses.n <= end);

    return NGX_OK;
}


/* the loss of a slot, or behind all slots that of a tombstone */

static void
ngx_http_longpoll_zone_disk_loss(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_losses_t *losses, ngx_http_longpoll_lines_t *lines)
{
    uint64_t                           id, name, first;
    ngx_http_longpoll_cat_sh_t        *cat;
    ngx_http_longpoll_tombstone_sh_t  *tombstone;

    first = 0;

    if (losses->n < z->sh->cats.nslots) {
        cat = &z->cats.slots[losses->n];

        name = cat->hash[1];
        id = cat->hash[0] ? ngx_max(cat->dropped, cat->shared) : 0;

        if (id && cat->count) {
            first = ngx_http_longpoll_zone_msg(z, cat->first)->id;
        }

    } else {
        tombstone = &z->cats.tombstones[losses->n - z->sh->cats.nslots];

        name = tombstone->check;
        id = tombstone->id;
    }

    if (id == 0) {
        return;
    }

    if (first == 0
        && (name == 0 || losses->empty++ >= NGX_HTTP_LONGPOLL_ZONE_LOSSES))
    {
        losses->rest = ngx_max(losses->rest, id);
        return;
    }

    /*
     * A zone of another size may lack a message, as it is too large for it, and
     * have earlier ones, which a DROP line must not name.
     */

    if (first && id >= first) {
        losses->rest = ngx_max(losses->rest, id);
        id = first - 1;
    }

    ngx_http_longpoll_zone_disk_print(lines, NGX_HTTP_LONGPOLL_CONTROL_DROP,
                                      name, 0, id);
}


/*
 * reports
 */


/*
 * Each of these words may be set alone: the file has the round.  Messages that
 * are saved and behind SAVED are written once more.
 */

void
ngx_http_longpoll_zone_disk_saved(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_round_t *round, uint64_t *wake)
{
    ngx_http_longpoll_disk_sh_t    *disk;
    ngx_http_longpoll_cursor_sh_t  *next;

    disk = &z->sh->disk;
    next = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT];

    ngx_http_longpoll_zone_lock(z);

    ngx_http_longpoll_put(disk->file_size, round->file_size);
    ngx_http_longpoll_put(disk->notes_first, round->notes);

    if (round->says != -1) {
        ngx_http_longpoll_put(disk->says, (uint64_t) round->says);
        ngx_http_longpoll_put(disk->begun, 1);
    }

    ngx_http_longpoll_zone_cursor_saved(z, next->id, next->ref);

    ngx_http_longpoll_zone_unlock(z);

    ngx_http_longpoll_zone_disk_expose(z, 0, wake);
}


void
ngx_http_longpoll_zone_disk_failed(ngx_http_longpoll_zone_t *z, uint64_t *wake)
{
    uint64_t                         good;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_failure_sh_t  *failure;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;

    ngx_http_longpoll_zone_lock(z);

    /*
     * Saved messages will be visible, also if a writer was killed before it
     * exposed them.
     */

    good = ngx_max(sh->clock.visible,
                   sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id);

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

    ngx_http_longpoll_zone_disk_expose(z, 0, wake);
}


void
ngx_http_longpoll_zone_disk_next_segment(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_disk_sh_t     *disk;
    ngx_http_longpoll_journal_sh_t  *j;

    disk = &z->sh->disk;
    j = &z->sh->journal;

    ngx_http_longpoll_zone_lock(z);

    /* a segment of which nothing counts is none */

    if (disk->file_size) {
        ngx_http_longpoll_set(j, disk->after, disk->segment);
        ngx_http_longpoll_set(j, disk->file_size, 0);
    }

    ngx_http_longpoll_set(j, disk->segment, disk->segment + 1);
    ngx_http_longpoll_done(j);

    ngx_http_longpoll_zone_unlock(z);
}


ngx_int_t
ngx_http_longpoll_zone_disk_end(ngx_http_longpoll_zone_t *z)
{
    ngx_int_t                     rc;
    ngx_http_longpoll_zone_sh_t  *sh;
    ngx_http_longpoll_disk_sh_t  *disk;

    sh = z->sh;
    disk = &sh->disk;
    rc = NGX_AGAIN;

    ngx_http_longpoll_zone_disk_durable(z);

    ngx_http_longpoll_zone_lock(z);

    if (disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].ref == 0
        && !disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE].on
        && disk->notes_first == disk->notes_last
        && !disk->lost)
    {
        ngx_http_longpoll_put(disk->begun, 0);
        ngx_http_longpoll_put(disk->read_upto, sh->clock.last_id);

        /*
         * What was committed since the last round has gone again.  The writer
         * passes it, as a round does.  Later messages are behind SAVED: see
         * ..._zone_clock_took().
         */

        ngx_http_longpoll_put(disk->taken_upto, sh->clock.committed);

        ngx_http_longpoll_zone_cursor_saved(z, sh->clock.committed, 0);

        rc = NGX_OK;
    }

    ngx_http_longpoll_zone_unlock(z);

    return rc;
}


/*
 * a base
 */


/*
 * A base of a log that is lost has all that is committed.  It also replaces a
 * last segment of which nothing counts: that may have lines all the same.
 */

void
ngx_http_longpoll_zone_disk_base_begin(ngx_http_longpoll_zone_t *z)
{
    uint64_t                      upto;
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &z->sh->disk;

    ngx_http_longpoll_zone_disk_next_segment(z);

    ngx_http_longpoll_zone_lock(z);

    upto = disk->lost ? z->sh->clock.committed
                      : disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id;

    ngx_http_longpoll_put(disk->base_number, disk->segment - 1);
    ngx_http_longpoll_put(disk->base_stale, disk->stale);
    ngx_http_longpoll_zone_cursor_base(z, upto);

    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_disk_base_stop(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_zone_lock(z);
    ngx_http_longpoll_put(
                  z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE].on, 0);
    ngx_http_longpoll_zone_unlock(z);
}


/* each of these words may be set alone, but lost comes last */

void
ngx_http_longpoll_zone_disk_based(ngx_http_longpoll_zone_t *z, uint64_t node,
    ngx_uint_t says, uint64_t *wake)
{
    ngx_http_longpoll_disk_sh_t    *disk;
    ngx_http_longpoll_cursor_sh_t  *base;

    disk = &z->sh->disk;
    base = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE];

    ngx_http_longpoll_zone_lock(z);

    ngx_http_longpoll_put(disk->node, node);
    ngx_http_longpoll_put(disk->after, ngx_max(disk->after, disk->base_number));

    if (disk->stale == disk->base_stale) {
        ngx_http_longpoll_put(disk->stale, 0);
    }

    if (base->id > disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id) {
        ngx_http_longpoll_zone_cursor_saved(z, base->id, base->ref);
    }

    ngx_http_longpoll_put(base->on, 0);

    if (disk->lost) {
        ngx_http_longpoll_put(disk->says, says);
        ngx_http_longpoll_put(disk->begun, 1);
        ngx_http_longpoll_put(disk->lost, 0);
    }

    ngx_http_longpoll_zone_unlock(z);

    ngx_http_longpoll_zone_disk_expose(z, 0, wake);
}


/*
 * durable
 */


/* what is published from now on waits; EXPOSED is off before it is set */

void
ngx_http_longpoll_zone_disk_durable(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_disk_sh_t    *disk;
    ngx_http_longpoll_cursor_sh_t  *exposed;

    disk = &z->sh->disk;
    exposed = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];

    if (disk->durable) {
        return;
    }

    ngx_http_longpoll_zone_lock(z);

    ngx_http_longpoll_put(exposed->on, 0);
    ngx_http_longpoll_put(exposed->id, z->sh->clock.committed);
    ngx_http_longpoll_put(exposed->ref, 0);
    ngx_http_longpoll_put(exposed->on, 1);
    ngx_http_longpoll_put(disk->durable, 1);

    ngx_http_longpoll_zone_unlock(z);
}


ngx_int_t
ngx_http_longpoll_zone_disk_decided(ngx_http_longpoll_zone_t *z, uint64_t id,
    uint64_t failed)
{
    uint64_t                         moved, visible, n;
    ngx_http_longpoll_failure_sh_t  *failure;

    /* visible is the last one, once moved is set */

    moved = *(volatile uint64_t *) &z->sh->moved;
    __sync_synchronize();

    /* a failure is stored before anything later becomes visible */

    visible = *(volatile uint64_t *) &z->sh->clock.visible;
    __sync_synchronize();
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


void
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

    /* a publisher that is not in the set yet asks once it is */

    __sync_synchronize();
    *wake |= z->sh->disk.publishers;

    if (z->sh->presence.flying) {
        *wake |= z->sh->presence.worker;
    }
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
    ngx_uint_t                      steps;
    ngx_http_longpoll_msg_sh_t     *msg, *last;
    ngx_http_longpoll_zone_sh_t    *sh;
    ngx_http_longpoll_cursor_sh_t  *exposed;

    sh = z->sh;
    exposed = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];
    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

    upto = ngx_max(sh->clock.visible,
                   sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id);
    upto = all ? sh->clock.committed : upto;

    ngx_http_longpoll_put(sh->work.busy, 1);

    while (exposed->ref) {
        msg = ngx_http_longpoll_zone_msg(z, exposed->ref);

        if (msg->id > ngx_max(upto, sh->disk.refused)) {
            break;
        }

        if (ngx_http_longpoll_zone_is_unsaved(z, msg)) {

            if (steps == 0) {
                ngx_http_longpoll_put(sh->work.busy, 0);
                return 1;
            }

            if (ngx_http_longpoll_zone_disk_is_refused(z, msg)) {
                steps--;
                ngx_http_longpoll_zone_list_drop(z, msg,
                                                 NGX_HTTP_LONGPOLL_ZONE_TAKEN);
                ngx_http_longpoll_zone_list_free_if_unused(z, msg->slot);
                continue;
            }

            last = msg;

            while (last->rec.bits & NGX_HTTP_LONGPOLL_MSG_MORE) {
                last = ngx_http_longpoll_zone_msg(z, last->newer);
            }

            ngx_http_longpoll_put(sh->clock.visible, last->id);
        }

        ngx_http_longpoll_zone_disk_expose_msg(z, msg, &steps, wake);
    }

    ngx_http_longpoll_put(sh->disk.refused, 0);

    if (sh->clock.visible < upto) {
        ngx_http_longpoll_put(sh->clock.visible, upto);
    }

    if (all) {
        ngx_http_longpoll_put(sh->disk.durable, 0);
        ngx_http_longpoll_put(exposed->on, 0);
    }

    ngx_http_longpoll_put(sh->work.busy, 0);

    return 0;
}


/*
 * A failure refuses what was not saved then.  The writer may have been stopped
 * while another worker gave up its round, and save that round all the same.
 */

static ngx_uint_t
ngx_http_longpoll_zone_disk_is_refused(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg)
{
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &z->sh->disk;

    return msg->id <= disk->refused
           && msg->id > disk->failures[(disk->failed - 1)
                                       % NGX_HTTP_LONGPOLL_FAILURES].after
           && ngx_http_longpoll_msg_epoch(msg) == 0;
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

    ngx_http_longpoll_zone_cursor_uncount(z, msg);
    ngx_http_longpoll_zone_cursor_set(z, NGX_HTTP_LONGPOLL_CURSOR_EXPOSED,
                                      msg->id, msg->newer);

    /* the rest of a publish is trimmed, too, when there is no step left */

    few = NGX_HTTP_LONGPOLL_ZONE_FEW;
    (void) ngx_http_longpoll_zone_room_trim(z, msg->slot, &few);

    *steps -= ngx_min(*steps, 1 + NGX_HTTP_LONGPOLL_ZONE_FEW - few);
}
