
/*
 * ngx_http_longpoll_zone_note.c: notes for the log on disk: what a later load
 * must leave out although the log has its line.
 *
 * A message that is deleted or taken must not come back when the log is loaded,
 * nor what it had pushed out of its category's buffer.  A message that a limit
 * drops has no note: a load finds the limit again.
 *
 * The entry behind notes_last is free space.  It becomes a note in the step
 * that moves notes_last over it.
 */


#include "ngx_http_longpoll_zone_note.h"
#include "ngx_http_longpoll_zone_msg.h"


static void ngx_http_longpoll_zone_note(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_note_sh_t *note);


void
ngx_http_longpoll_zone_note_deletion(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg)
{
    ngx_http_longpoll_uuid_t     uuid;
    ngx_http_longpoll_note_sh_t  note;

    if (msg->id > z->sh->disk.taken_upto) {
        return;
    }

    ngx_http_longpoll_zone_msg_uuid(z, msg, &uuid);

    note.kind = NGX_HTTP_LONGPOLL_NOTE_DELETION;
    note.word[0] = uuid.high;
    note.word[1] = uuid.low;
    note.word[2] = 0;

    ngx_http_longpoll_zone_note(z, &note);
}


void
ngx_http_longpoll_zone_note_drop(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_sh_t *cat, uint64_t upto, uint64_t lost)
{
    ngx_http_longpoll_note_sh_t   note;
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &z->sh->disk;

    ngx_http_longpoll_set(&z->sh->journal, disk->noted,
                          ngx_max(disk->noted, upto));

    note.kind = NGX_HTTP_LONGPOLL_NOTE_DROP;
    note.word[0] = cat->hash[1];
    note.word[1] = upto;
    note.word[2] = lost;

    ngx_http_longpoll_zone_note(z, &note);
}


static void
ngx_http_longpoll_zone_note(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_note_sh_t *note)
{
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &z->sh->disk;

    if (disk->notes_last - disk->notes_first == z->nnotes) {
        ngx_http_longpoll_put(disk->stale, NGX_HTTP_LONGPOLL_STALE_WANTED);
        return;
    }

    ngx_http_longpoll_put(z->notes[disk->notes_last % z->nnotes], *note);
    ngx_http_longpoll_set(&z->sh->journal, disk->notes_last,
                          disk->notes_last + 1);
}
