
/*
 * ngx_http_longpoll_zone_unsaved.c: what waits for the disk.
 *
 *     category:   msg <-> msg <-> | msg <-> msg        unsaved: count, first
 *     all:        ....... EXPOSED | .............      bytes, categories
 *
 * A message is added when it is appended, and removed when it is exposed or
 * refused.  All of it is journaled with the lists.  While durable is off
 * nothing is counted: it is turned off when nothing waits, and turned on with
 * EXPOSED at the end.
 */


#include "ngx_http_longpoll_zone_unsaved.h"


void
ngx_http_longpoll_zone_unsaved_add(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg)
{
    ngx_http_longpoll_disk_sh_t     *disk;
    ngx_http_longpoll_journal_sh_t  *j;
    ngx_http_longpoll_unsaved_sh_t  *unsaved;

    disk = &z->sh->disk;
    j = &z->sh->journal;

    if (!disk->durable) {
        return;
    }

    unsaved = &z->unsaved[msg->slot];

    if (unsaved->count == 0) {
        ngx_http_longpoll_set(j, unsaved->first,
                              ngx_http_longpoll_zone_ref(z, msg));
        ngx_http_longpoll_set(j, disk->unsaved_cats, disk->unsaved_cats + 1);
    }

    ngx_http_longpoll_set(j, unsaved->count, unsaved->count + 1);
    ngx_http_longpoll_set(j, disk->unsaved_bytes,
                          disk->unsaved_bytes
                          + ngx_http_longpoll_log_bytes(&msg->rec));
}


void
ngx_http_longpoll_zone_unsaved_remove(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg)
{
    ngx_http_longpoll_disk_sh_t     *disk;
    ngx_http_longpoll_journal_sh_t  *j;
    ngx_http_longpoll_unsaved_sh_t  *unsaved;

    disk = &z->sh->disk;
    j = &z->sh->journal;

    if (!disk->durable
        || msg->id <= disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].id)
    {
        return;
    }

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
ngx_http_longpoll_zone_unsaved_move(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, uint32_t to)
{
    ngx_http_longpoll_unsaved_sh_t  *unsaved;

    unsaved = &z->unsaved[msg->slot];

    if (unsaved->first == ngx_http_longpoll_zone_ref(z, msg)) {
        ngx_http_longpoll_set(&z->sh->journal, unsaved->first, to);
    }
}


ngx_uint_t
ngx_http_longpoll_zone_unsaved_fit(ngx_http_longpoll_zone_t *z, uint64_t bytes,
    uint64_t limit, ngx_uint_t ncats)
{
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &z->sh->disk;

    return disk->unsaved_bytes + bytes <= limit
           && disk->unsaved_cats + ncats
              <= ngx_http_longpoll_cat_max_full(&z->cats);
}
