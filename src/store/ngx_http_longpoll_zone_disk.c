
/*
 * ngx_http_longpoll_zone_disk.c: what the writer of a zone's log takes from the
 * zone, and what it reports.
 *
 * The writer takes messages in the order of the list of all messages.
 * zone_cursor.h says what its cursors are, zone_note.h what its notes are, and
 * zone_expose.h how messages become visible that waited for the disk.
 *
 * Words of the disk that only make sense together change in one step.  Another
 * writer goes on from any of them, since this one may be killed at any time.
 */


#include "ngx_http_longpoll_zone_disk.h"
#include "ngx_http_longpoll_zone_cursor.h"
#include "ngx_http_longpoll_zone_expose.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_golongpoll.h"


#define NGX_HTTP_LONGPOLL_ZONE_LINES  32768     /* bytes, in a lock hold */


static void ngx_http_longpoll_zone_disk_print(ngx_http_longpoll_lines_t *lines,
    ngx_http_longpoll_control_t *control);
static void ngx_http_longpoll_zone_disk_note(ngx_http_longpoll_lines_t *lines,
    ngx_http_longpoll_note_sh_t *note);
static ngx_int_t ngx_http_longpoll_zone_disk_take_hold(
    ngx_http_longpoll_zone_t *z, ngx_uint_t cursor,
    ngx_http_longpoll_lines_t *lines, size_t begin);
static void ngx_http_longpoll_zone_disk_next(ngx_http_longpoll_zone_t *z);
static void ngx_http_longpoll_zone_disk_wait(ngx_http_longpoll_zone_t *z);
static void ngx_http_longpoll_zone_disk_loss(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_losses_t *losses, ngx_http_longpoll_lines_t *lines);


/*
 * a round
 */


void
ngx_http_longpoll_zone_disk_begin(ngx_http_longpoll_zone_t *z, uint64_t *wake)
{
    ngx_http_longpoll_zone_disk_base_stop(z);
    ngx_http_longpoll_zone_disk_retry(z, wake);
}


void
ngx_http_longpoll_zone_disk_retry(ngx_http_longpoll_zone_t *z, uint64_t *wake)
{
    ngx_http_longpoll_cursor_sh_t  *saved;

    ngx_http_longpoll_zone_expose(z, 0, wake);
    ngx_http_longpoll_zone_expose_refuse(z, wake);

    ngx_http_longpoll_zone_lock(z);

    saved = &z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];

    ngx_http_longpoll_zone_cursor_set(z, NGX_HTTP_LONGPOLL_CURSOR_NEXT,
                                      saved->id, saved->ref);

    ngx_http_longpoll_zone_unlock(z);
}


/*
 * Ids below missing_below are those of two nginxes.  The next epoch knows only
 * valid_from.
 */

void
ngx_http_longpoll_zone_disk_head(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_lines_t *lines, ngx_http_longpoll_control_e kind,
    uint64_t number, ngx_uint_t durable)
{
    uint64_t                      says;
    ngx_http_longpoll_control_t   control;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    says = durable ? NGX_HTTP_LONGPOLL_SAYS_YES : NGX_HTTP_LONGPOLL_SAYS_NO;

    ngx_memzero(&control, sizeof(ngx_http_longpoll_control_t));

    control.kind = kind;
    control.number = number;
    control.epoch = sh->epoch;
    control.key[0] = sh->key[0];
    control.key[1] = sh->key[1];
    control.durable = durable;

    ngx_http_longpoll_zone_lock(z);

    control.id = sh->clock.last_id;
    control.valid_from = ngx_max(sh->previous.valid_from,
                         ngx_http_longpoll_id_ms(sh->previous.missing_below));

    if (sh->disk.says != says) {
        ngx_http_longpoll_put(sh->disk.says, NGX_HTTP_LONGPOLL_SAYS_MAYBE);
    }

    ngx_http_longpoll_zone_unlock(z);

    ngx_http_longpoll_zone_disk_print(lines, &control);
}


static void
ngx_http_longpoll_zone_disk_print(ngx_http_longpoll_lines_t *lines,
    ngx_http_longpoll_control_t *control)
{
    u_char  *p;

    p = lines->data + lines->len;
    lines->len += ngx_http_longpoll_control_print(p, control) - p;
}


uint64_t
ngx_http_longpoll_zone_disk_notes(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_lines_t *lines)
{
    size_t                        end;
    uint64_t                      n;
    ngx_uint_t                    more;
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &z->sh->disk;
    n = 0;

    do {
        more = 0;
        end = lines->len + NGX_HTTP_LONGPOLL_ZONE_LINES;

        ngx_http_longpoll_zone_lock(z);

        for (n = ngx_max(n, disk->notes_first);
             n < disk->notes_last
             && lines->len < lines->enough / 2
             && lines->size - lines->len >= NGX_HTTP_LONGPOLL_CONTROL_MAX;
             n++)
        {
            if (lines->len >= end) {
                more = 1;
                break;
            }

            ngx_http_longpoll_zone_disk_note(lines, &z->notes[n % z->nnotes]);
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (more);

    return n;
}


static void
ngx_http_longpoll_zone_disk_note(ngx_http_longpoll_lines_t *lines,
    ngx_http_longpoll_note_sh_t *note)
{
    ngx_http_longpoll_control_t  control;

    ngx_memzero(&control, sizeof(ngx_http_longpoll_control_t));

    if (note->kind == NGX_HTTP_LONGPOLL_NOTE_DELETION) {
        control.kind = NGX_HTTP_LONGPOLL_CONTROL_DELETION;
        control.uuid.high = note->word[0];
        control.uuid.low = note->word[1];

    } else {
        control.kind = NGX_HTTP_LONGPOLL_CONTROL_DROP;
        control.name = note->word[0];
        control.upto = note->word[1];
        control.lost = note->word[2];
    }

    ngx_http_longpoll_zone_disk_print(lines, &control);
}


ngx_int_t
ngx_http_longpoll_zone_disk_take(ngx_http_longpoll_zone_t *z, ngx_uint_t cursor,
    ngx_http_longpoll_lines_t *lines)
{
    size_t     begin;
    ngx_int_t  rc;

    begin = lines->len;

    do {
        ngx_http_longpoll_zone_lock(z);
        rc = ngx_http_longpoll_zone_disk_take_hold(z, cursor, lines, begin);
        ngx_http_longpoll_zone_unlock(z);

    } while (rc == NGX_BUSY);

    return rc;
}


/*
 * The messages of one publish stay together, however many they are: more says
 * whether the publish of the last message taken goes on.  begin is where the
 * lines of this call begin.
 */

static ngx_int_t
ngx_http_longpoll_zone_disk_take_hold(ngx_http_longpoll_zone_t *z,
    ngx_uint_t cursor, ngx_http_longpoll_lines_t *lines, size_t begin)
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

        if (steps == 0 || lines->len >= end) {
            rc = NGX_BUSY;
            break;
        }

        steps--;

        ngx_http_longpoll_zone_disk_msg(z, msg, &name, &m);

        key = msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED
              ? ngx_http_longpoll_zone_key(msg) : NULL;
        len = ngx_http_longpoll_golongpoll_line_len(&name, &m, key);

        if (len > lines->size - lines->len) {
            rc = NGX_AGAIN;

            if (lines->len == begin || lines->more) {
                lines->wanted = lines->len + len;
                rc = NGX_DECLINED;
            }

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


/*
 * NEXT may have been set back since the round was taken: the round was given up
 * while its writer was stopped.  Then SAVED stays where it is, and the messages
 * are written once more.
 */

void
ngx_http_longpoll_zone_disk_saved(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_round_t *round, uint64_t *wake)
{
    ngx_http_longpoll_disk_sh_t     *disk;
    ngx_http_longpoll_cursor_sh_t   *next, *saved;
    ngx_http_longpoll_journal_sh_t  *j;

    disk = &z->sh->disk;
    j = &z->sh->journal;
    next = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT];
    saved = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];

    ngx_http_longpoll_zone_lock(z);

    ngx_http_longpoll_set(j, disk->file_size, round->file_size);
    ngx_http_longpoll_set(j, saved->id, next->id);
    ngx_http_longpoll_set(j, saved->ref, next->ref);
    ngx_http_longpoll_set(j, disk->notes_first,
                          ngx_max(disk->notes_first, round->notes));

    if (round->begun) {
        ngx_http_longpoll_set(j, disk->begun, 1);
    }

    if (round->says != -1) {
        ngx_http_longpoll_set(j, disk->says, (uint64_t) round->says);
    }

    ngx_http_longpoll_done(j);

    ngx_http_longpoll_zone_unlock(z);

    ngx_http_longpoll_zone_expose(z, 0, wake);

    /* a publisher that is not in the set yet asks once it is */

    ngx_memory_barrier();
    *wake |= disk->publishers;
}


ngx_uint_t
ngx_http_longpoll_zone_disk_unwritten(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    return sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT].ref != 0
           || sh->disk.notes_first != sh->disk.notes_last;
}


void
ngx_http_longpoll_zone_disk_next_segment(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_zone_lock(z);

    ngx_http_longpoll_zone_disk_next(z);
    ngx_http_longpoll_done(&z->sh->journal);

    ngx_http_longpoll_zone_unlock(z);
}


/* within the caller's step: a segment of which nothing counts is none */

static void
ngx_http_longpoll_zone_disk_next(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_disk_sh_t     *disk;
    ngx_http_longpoll_journal_sh_t  *j;

    disk = &z->sh->disk;
    j = &z->sh->journal;

    if (disk->file_size) {
        ngx_http_longpoll_set(j, disk->after, disk->segment);
        ngx_http_longpoll_set(j, disk->file_size, 0);
    }

    ngx_http_longpoll_set(j, disk->segment, disk->segment + 1);
}


ngx_int_t
ngx_http_longpoll_zone_disk_end(ngx_http_longpoll_zone_t *z)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_cursor_sh_t   *cursors;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;
    cursors = sh->disk.cursors;
    rc = NGX_AGAIN;

    ngx_http_longpoll_zone_lock(z);

    if (cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].ref == 0
        && !cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE].on
        && sh->disk.notes_first == sh->disk.notes_last
        && !sh->disk.lost)
    {
        if (!sh->disk.durable) {
            ngx_http_longpoll_zone_disk_wait(z);
        }

        /* later messages are behind SAVED: see ..._zone_epoch_took() */

        for (i = NGX_HTTP_LONGPOLL_CURSOR_SAVED;
             i <= NGX_HTTP_LONGPOLL_CURSOR_NEXT;
             i++)
        {
            ngx_http_longpoll_set(j, cursors[i].id, sh->clock.committed);
            ngx_http_longpoll_set(j, cursors[i].ref, 0);
        }

        ngx_http_longpoll_set(j, sh->disk.read_upto, sh->clock.last_id);
        ngx_http_longpoll_set(j, sh->disk.begun, 0);
        ngx_http_longpoll_done(j);

        rc = NGX_OK;
    }

    ngx_http_longpoll_zone_unlock(z);

    return rc;
}


uint64_t
ngx_http_longpoll_zone_disk_oldest(ngx_http_longpoll_zone_t *z)
{
    uint32_t  ref;
    uint64_t  ms;

    ngx_http_longpoll_zone_lock(z);

    ref = z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].ref;
    ms = ref ? ngx_http_longpoll_id_ms(ngx_http_longpoll_zone_msg(z, ref)->id)
             : 0;

    ngx_http_longpoll_zone_unlock(z);

    return ms;
}


/*
 * durable
 */


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


/* within the caller's step: from now on what is published waits */

static void
ngx_http_longpoll_zone_disk_wait(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_cursor_sh_t   *exposed;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;
    exposed = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];

    ngx_http_longpoll_set(j, exposed->id, sh->clock.committed);
    ngx_http_longpoll_set(j, exposed->ref, 0);
    ngx_http_longpoll_set(j, exposed->on, 1);
    ngx_http_longpoll_set(j, sh->disk.durable, 1);
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

        ngx_http_longpoll_zone_expose(z, 0, wake);
        ngx_http_longpoll_zone_expose_refuse(z, wake);
        ngx_http_longpoll_zone_expose(z, 1, wake);
    }

    ngx_http_longpoll_zone_lock(z);

    if (on && !sh->disk.durable) {
        ngx_http_longpoll_zone_disk_wait(z);
        ngx_http_longpoll_done(&sh->journal);

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
 * a base
 */


void
ngx_http_longpoll_zone_disk_lost(ngx_http_longpoll_zone_t *z)
{
    /* a base that is under way may lack what is lost */

    ngx_http_longpoll_zone_disk_base_stop(z);

    ngx_http_longpoll_zone_lock(z);
    ngx_http_longpoll_put(z->sh->disk.lost, 1);
    ngx_http_longpoll_zone_unlock(z);
}


/*
 * A base of a log that is lost has all that is committed.  The last segment may
 * have lines that never counted, also if it has none that counts.
 */

void
ngx_http_longpoll_zone_disk_base_begin(ngx_http_longpoll_zone_t *z)
{
    uint64_t                         upto;
    ngx_http_longpoll_disk_sh_t     *disk;
    ngx_http_longpoll_cursor_sh_t   *base;
    ngx_http_longpoll_journal_sh_t  *j;

    disk = &z->sh->disk;
    j = &z->sh->journal;
    base = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE];

    ngx_http_longpoll_zone_lock(z);

    upto = disk->lost ? z->sh->clock.committed
                      : disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id;

    ngx_http_longpoll_put(disk->taken_upto, ngx_max(disk->taken_upto, upto));

    if (disk->file_size || disk->lost) {
        ngx_http_longpoll_zone_disk_next(z);
    }

    ngx_http_longpoll_set(j, disk->base_number, disk->segment - 1);
    ngx_http_longpoll_set(j, disk->base_upto, upto);
    ngx_http_longpoll_set(j, base->id, 0);
    ngx_http_longpoll_set(j, base->ref, z->sh->list.oldest);
    ngx_http_longpoll_set(j, base->on, 1);

    if (disk->stale == NGX_HTTP_LONGPOLL_STALE_WANTED) {
        ngx_http_longpoll_set(j, disk->stale, NGX_HTTP_LONGPOLL_STALE_BEGUN);
    }

    ngx_http_longpoll_done(j);

    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_disk_base_stop(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &z->sh->disk;

    ngx_http_longpoll_zone_lock(z);

    if (disk->stale == NGX_HTTP_LONGPOLL_STALE_BEGUN) {
        ngx_http_longpoll_put(disk->stale, NGX_HTTP_LONGPOLL_STALE_WANTED);
    }

    ngx_http_longpoll_put(disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE].on, 0);

    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_disk_based(ngx_http_longpoll_zone_t *z, uint64_t node,
    ngx_uint_t says, uint64_t *wake)
{
    ngx_http_longpoll_disk_sh_t     *disk;
    ngx_http_longpoll_cursor_sh_t   *saved, *next, *base;
    ngx_http_longpoll_journal_sh_t  *j;

    disk = &z->sh->disk;
    j = &z->sh->journal;
    saved = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];
    next = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT];
    base = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE];

    ngx_http_longpoll_zone_lock(z);

    ngx_http_longpoll_set(j, disk->node, node);
    ngx_http_longpoll_set(j, disk->after,
                          ngx_max(disk->after, disk->base_number));
    ngx_http_longpoll_set(j, base->on, 0);

    if (disk->stale == NGX_HTTP_LONGPOLL_STALE_BEGUN) {
        ngx_http_longpoll_set(j, disk->stale, NGX_HTTP_LONGPOLL_STALE_NO);
    }

    if (disk->lost) {
        ngx_http_longpoll_set(j, disk->lost, 0);
        ngx_http_longpoll_set(j, disk->begun, 1);
        ngx_http_longpoll_set(j, disk->says, says);
    }

    if (saved->id < base->id) {
        ngx_http_longpoll_set(j, saved->id, base->id);
        ngx_http_longpoll_set(j, saved->ref, base->ref);
    }

    if (next->id < saved->id) {
        ngx_http_longpoll_set(j, next->id, saved->id);
        ngx_http_longpoll_set(j, next->ref, saved->ref);
    }

    ngx_http_longpoll_done(j);

    ngx_http_longpoll_zone_unlock(z);

    ngx_http_longpoll_zone_expose(z, 0, wake);

    ngx_memory_barrier();
    *wake |= disk->publishers;
}


/*
 * losses
 */


ngx_int_t
ngx_http_longpoll_zone_disk_losses(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_losses_t *losses, ngx_http_longpoll_lines_t *lines)
{
    ngx_int_t                     rc;
    ngx_uint_t                    steps, end;
    ngx_http_longpoll_control_t   control;
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

            if (lines->size - lines->len < NGX_HTTP_LONGPOLL_CONTROL_MAX) {
                rc = NGX_AGAIN;
                break;
            }

            ngx_http_longpoll_zone_disk_loss(z, losses, lines);
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (rc == NGX_BUSY);

    losses->rest = ngx_max(losses->rest, sh->cats.unknown_upto);

    if (rc == NGX_OK && losses->rest) {

        if (lines->size - lines->len < NGX_HTTP_LONGPOLL_CONTROL_MAX) {
            return NGX_AGAIN;
        }

        ngx_memzero(&control, sizeof(ngx_http_longpoll_control_t));

        control.kind = NGX_HTTP_LONGPOLL_CONTROL_REST;
        control.id = losses->rest;

        ngx_http_longpoll_zone_disk_print(lines, &control);
    }

    return rc;
}


/* the loss of a slot, or behind all slots that of a tombstone */

static void
ngx_http_longpoll_zone_disk_loss(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_losses_t *losses, ngx_http_longpoll_lines_t *lines)
{
    uint64_t                           id, name, first;
    ngx_uint_t                         empty;
    ngx_http_longpoll_cat_sh_t        *cat;
    ngx_http_longpoll_control_t        control;
    ngx_http_longpoll_tombstone_sh_t  *tombstone;

    cat = NULL;

    if (losses->n < z->sh->cats.nslots) {
        cat = &z->cats.slots[losses->n];

        name = cat->hash[1];
        id = cat->hash[0] ? ngx_max(cat->dropped, cat->shared) : 0;
        empty = (cat->count == 0);

    } else {
        tombstone = &z->cats.tombstones[losses->n - z->sh->cats.nslots];

        name = tombstone->check;
        id = tombstone->id;
        empty = 1;
    }

    if (id == 0) {
        return;
    }

    /*
     * A zone of another size may lack a message, as it is too large for it, and
     * have earlier ones, which a DROP line must not name.
     */

    if (!empty) {
        first = ngx_http_longpoll_zone_msg(z, cat->first)->id;

        if (id >= first) {
            losses->rest = ngx_max(losses->rest, id);
            id = first - 1;
        }
    }

    if (empty) {

        if (name == 0 || losses->empty == NGX_HTTP_LONGPOLL_LOSSES) {
            losses->rest = ngx_max(losses->rest, id);
            return;
        }

        losses->empty++;
    }

    ngx_memzero(&control, sizeof(ngx_http_longpoll_control_t));

    control.kind = NGX_HTTP_LONGPOLL_CONTROL_DROP;
    control.name = name;
    control.lost = id;

    ngx_http_longpoll_zone_disk_print(lines, &control);
}
