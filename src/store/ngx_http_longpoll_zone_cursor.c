
/*
 * ngx_http_longpoll_zone_cursor.c: the file's cursors in the list of all
 * messages, and the deletion records.
 *
 * These are the parts of publishing, dropping and moving a message that only a
 * zone with a file needs.  They make no step of their own (but cursor_set):
 * their stores belong to the step that links or unlinks the message, so a
 * cursor is never wrong, and the writer finds the next message without a
 * search.
 *
 * A message that is deleted or taken (not lost by a limit) must not come back
 * when the file is loaded.  Its UUID goes into a ring, deletions_first up to
 * deletions_last, from where the writer notes it beside the file.
 */


#include "ngx_http_longpoll_zone_cursor.h"
#include "ngx_http_longpoll_zone_msg.h"


void
ngx_http_longpoll_zone_cursor_relink(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, uint32_t to)
{
    uint32_t                        ref;
    ngx_uint_t                      i;
    ngx_http_longpoll_cursor_sh_t  *cursors;

    cursors = z->sh->disk.cursors;
    ref = msg ? ngx_http_longpoll_zone_ref(z, msg) : 0;

    for (i = 0; i < NGX_HTTP_LONGPOLL_CURSORS; i++) {

        if (cursors[i].on && cursors[i].ref == ref) {
            ngx_http_longpoll_set(&z->sh->journal, cursors[i].ref, to);
        }
    }
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


void
ngx_http_longpoll_zone_cursor_record_deletion(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg)
{
    ngx_http_longpoll_cat_sh_t       *cat;
    ngx_http_longpoll_disk_sh_t      *disk;
    ngx_http_longpoll_deletion_sh_t  *deletion;

    disk = &z->sh->disk;

    if (msg->id > disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT].id) {
        return;
    }

    if (disk->deletions_last - disk->deletions_first == z->ndeletions) {
        ngx_http_longpoll_put(disk->file_dead, NGX_HTTP_LONGPOLL_FILE_DEAD);
        return;
    }

    cat = &z->cats.slots[msg->slot];
    deletion = &z->deletions[disk->deletions_last % z->ndeletions];

    ngx_http_longpoll_step();
    ngx_http_longpoll_zone_msg_uuid(z, msg, &deletion->uuid);
    deletion->dropped = cat->dropped;
    deletion->name = cat->hash[1];

    ngx_http_longpoll_set(&z->sh->journal, disk->deletions_last,
                          disk->deletions_last + 1);
}


void
ngx_http_longpoll_zone_cursor_count_unexposed(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg)
{
    ngx_http_longpoll_disk_sh_t   *disk;
    ngx_http_longpoll_clock_sh_t  *clock;

    disk = &z->sh->disk;
    clock = &z->sh->clock;

    /* not a message of an unfinished publish, nor one that was refused */

    if (disk->durable
        && msg->id > disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].id
        && msg->id <= clock->committed
        && (msg->id <= clock->visible || msg->id > disk->refused))
    {
        ngx_http_longpoll_zone_count(z, published, 1);
    }
}


uint64_t
ngx_http_longpoll_zone_cursor_writer(ngx_http_longpoll_zone_t *z)
{
    ngx_atomic_uint_t  writer;

    writer = z->sh->disk.writer;

    ngx_http_longpoll_assert(writer <= NGX_HTTP_LONGPOLL_WORKERS,
                             "the writer's number");

    return writer ? ngx_http_longpoll_zone_bit(writer - 1) : 0;
}
