
/*
 * ngx_http_longpoll_zone_cursor.c: the disk's cursors in the list of all
 * messages.
 *
 * These are the parts of publishing, dropping and moving a message that only a
 * zone with a log on disk needs.  They make no step of their own (but
 * cursor_set): their stores belong to the step that links or unlinks the
 * message, so a cursor is never wrong, and the writer finds the next message
 * without a search.
 */


#include "ngx_http_longpoll_zone_cursor.h"


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
    ngx_atomic_uint_t  elected;

    elected = z->elected ? *z->elected : 0;

    ngx_http_longpoll_assert(elected <= NGX_HTTP_LONGPOLL_WORKERS,
                             "the writer's number");

    return elected ? ngx_http_longpoll_zone_bit(elected - 1) : 0;
}
