
/*
 * ngx_http_longpoll_zone_cursor.c: what a zone with a log on disk knows of the
 * messages in its lists.
 *
 *     all:        ..... SAVED | ..... NEXT | .........        cursors
 *                 ..... EXPOSED | ....................        bytes, categories
 *     category:   msg <-> msg <-> | msg <-> msg               count, first
 *
 * While durable is off nothing is counted: it is turned off when nothing waits,
 * and turned on with EXPOSED at the end.
 */


#include "ngx_http_longpoll_zone_cursor.h"
#include "ngx_http_longpoll_zone_msg.h"


static void ngx_http_longpoll_zone_cursor_relink(ngx_http_longpoll_zone_t *z,
    uint32_t ref, uint32_t to);


void
ngx_http_longpoll_zone_cursor_append(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg)
{
    uint32_t                         ref;
    ngx_http_longpoll_disk_sh_t     *disk;
    ngx_http_longpoll_journal_sh_t  *j;
    ngx_http_longpoll_unsaved_sh_t  *unsaved;

    disk = &z->sh->disk;
    j = &z->sh->journal;
    ref = ngx_http_longpoll_zone_ref(z, msg);

    ngx_http_longpoll_zone_cursor_relink(z, 0, ref);

    if (!disk->durable) {
        return;
    }

    unsaved = &z->unsaved[msg->slot];

    if (unsaved->count == 0) {
        ngx_http_longpoll_put(unsaved->first, ref);
        ngx_http_longpoll_set(j, disk->unsaved_cats, disk->unsaved_cats + 1);
    }

    ngx_http_longpoll_set(j, unsaved->count, unsaved->count + 1);
    ngx_http_longpoll_set(j, disk->unsaved_bytes,
                          disk->unsaved_bytes
                          + ngx_http_longpoll_log_bytes(&msg->rec));
}


void
ngx_http_longpoll_zone_cursor_drop(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_uint_t noted)
{
    ngx_http_longpoll_uuid_t      uuid;
    ngx_http_longpoll_disk_sh_t  *disk;
    ngx_http_longpoll_work_sh_t  *work;

    disk = &z->sh->disk;
    work = &z->sh->work;

    ngx_http_longpoll_zone_cursor_relink(z, ngx_http_longpoll_zone_ref(z, msg),
                                         msg->newer);

    /* of a foreign UUID a load can only compare the ms */

    noted |= ngx_http_longpoll_msg_epoch(msg) == NGX_HTTP_LONGPOLL_FOREIGN
             && work->delete_slot == msg->slot + 1
             && msg->id <= work->delete_id
             && ngx_http_longpoll_id_ms(msg->id)
                == ngx_http_longpoll_id_ms(work->delete_id);

    if (noted && msg->id <= disk->taken_upto) {
        ngx_http_longpoll_zone_msg_uuid(z, msg, &uuid);
        ngx_http_longpoll_zone_cursor_note(z,
                                         NGX_HTTP_LONGPOLL_CONTROL_DELETION,
                                         uuid.high, uuid.low, 0);
    }

    if (!disk->durable
        || msg->id <= disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].id)
    {
        return;
    }

    /*
     * Published, and its workers are not marked yet: not a message of an
     * unfinished publish, nor one that was refused.
     */

    if (msg->id <= z->sh->clock.committed
        && (msg->id <= z->sh->clock.visible || msg->id > disk->refused))
    {
        ngx_http_longpoll_zone_count(z, published, 1);
    }

    ngx_http_longpoll_zone_cursor_uncount(z, msg);
}


void
ngx_http_longpoll_zone_cursor_uncount(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg)
{
    ngx_http_longpoll_disk_sh_t     *disk;
    ngx_http_longpoll_journal_sh_t  *j;
    ngx_http_longpoll_unsaved_sh_t  *unsaved;

    disk = &z->sh->disk;
    j = &z->sh->journal;
    unsaved = &z->unsaved[msg->slot];

    ngx_http_longpoll_assert(unsaved->count, "a message that is not counted");

    if (unsaved->first == ngx_http_longpoll_zone_ref(z, msg)) {
        ngx_http_longpoll_set(j, unsaved->first, msg->next);
    }

    if (unsaved->count == 1) {
        ngx_http_longpoll_set(j, disk->unsaved_cats, disk->unsaved_cats - 1);
    }

    ngx_http_longpoll_set(j, unsaved->count, unsaved->count - 1);
    ngx_http_longpoll_set(j, disk->unsaved_bytes,
                          disk->unsaved_bytes
                          - ngx_http_longpoll_log_bytes(&msg->rec));
}


void
ngx_http_longpoll_zone_cursor_move(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, uint32_t to)
{
    uint32_t                         ref;
    ngx_http_longpoll_unsaved_sh_t  *unsaved;

    ref = ngx_http_longpoll_zone_ref(z, msg);
    unsaved = &z->unsaved[msg->slot];

    ngx_http_longpoll_zone_cursor_relink(z, ref, to);

    if (unsaved->count && unsaved->first == ref) {
        ngx_http_longpoll_set(&z->sh->journal, unsaved->first, to);
    }
}


/* the cursors at ref go to the ref to; 0: those at the end of the list */

static void
ngx_http_longpoll_zone_cursor_relink(ngx_http_longpoll_zone_t *z, uint32_t ref,
    uint32_t to)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_cursor_sh_t  *cursors;

    cursors = z->sh->disk.cursors;

    for (i = 0; i < NGX_HTTP_LONGPOLL_CURSORS; i++) {

        if (cursors[i].on && cursors[i].ref == ref) {
            ngx_http_longpoll_set(&z->sh->journal, cursors[i].ref, to);
        }
    }
}


/*
 * The entry behind notes_last is free space.  It becomes a note in the step
 * that moves notes_last over it.
 */

void
ngx_http_longpoll_zone_cursor_note(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_control_e kind, uint64_t a, uint64_t b, uint64_t c)
{
    ngx_http_longpoll_disk_sh_t  *disk;
    ngx_http_longpoll_note_sh_t  *note;

    disk = &z->sh->disk;

    if (disk->notes_last - disk->notes_first == z->nnotes) {
        ngx_http_longpoll_put(disk->stale, disk->stale + 1);
        return;
    }

    ngx_http_longpoll_step();

    note = &z->notes[disk->notes_last % z->nnotes];
    note->kind = kind;
    note->word[0] = a;
    note->word[1] = b;
    note->word[2] = c;

    ngx_http_longpoll_set(&z->sh->journal, disk->notes_last,
                          disk->notes_last + 1);
}


void
ngx_http_longpoll_zone_cursor_saved(ngx_http_longpoll_zone_t *z, uint64_t id,
    uint32_t ref)
{
    ngx_http_longpoll_cursor_sh_t  *next;

    next = &z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT];

    ngx_http_longpoll_set(&z->sh->journal, next->id, id);
    ngx_http_longpoll_set(&z->sh->journal, next->ref, ref);

    ngx_http_longpoll_zone_cursor_set(z, NGX_HTTP_LONGPOLL_CURSOR_SAVED, id,
                                      ref);
}


void
ngx_http_longpoll_zone_cursor_base(ngx_http_longpoll_zone_t *z, uint64_t upto)
{
    ngx_http_longpoll_disk_sh_t    *disk;
    ngx_http_longpoll_cursor_sh_t  *base;

    disk = &z->sh->disk;
    base = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE];

    ngx_http_longpoll_put(disk->taken_upto, ngx_max(disk->taken_upto, upto));
    ngx_http_longpoll_put(disk->base_upto, upto);

    ngx_http_longpoll_put(base->on, 0);
    ngx_http_longpoll_put(base->id, 0);
    ngx_http_longpoll_put(base->ref, z->sh->list.oldest);
    ngx_http_longpoll_put(base->on, 1);
}


void
ngx_http_longpoll_zone_cursor_set(ngx_http_longpoll_zone_t *z,
    ngx_uint_t cursor, uint64_t id, uint32_t ref)
{
    ngx_http_longpoll_journal_sh_t  *j;

    j = &z->sh->journal;

    ngx_http_longpoll_set(j, z->sh->disk.cursors[cursor].id, id);
    ngx_http_longpoll_set(j, z->sh->disk.cursors[cursor].ref, ref);
    ngx_http_longpoll_done(j);
}


uint64_t
ngx_http_longpoll_zone_cursor_writer(ngx_http_longpoll_zone_t *z)
{
    uint32_t  number;

    number = z->elected ? (uint32_t) *z->elected : 0;

    ngx_http_longpoll_assert(number <= NGX_HTTP_LONGPOLL_WORKERS,
                             "the writer's number");

    return number ? ngx_http_longpoll_zone_bit(number - 1) : 0;
}
