
/*
 * ngx_http_longpoll_zone_note.h: notes for the log on disk: what a later load
 * must leave out although the log has its line.
 *
 * The notes stand in a ring, notes_first up to notes_last, from where the
 * writer takes them.  When the ring is full, a note is left out, and the log
 * gets a new base instead (stale).  A zone without a log has no ring.
 *
 * Each call belongs to the caller's step.  The caller holds the lock.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_NOTE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_NOTE_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * The caller drops msg, which is not lost: it was taken, or refused.  There is
 * no note if no writer has taken the message.
 */
void ngx_http_longpoll_zone_note_deletion(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg);

/*
 * The caller drops all messages of the category up to the id upto, and the
 * category has lost messages up to the id lost.
 */
void ngx_http_longpoll_zone_note_drop(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_sh_t *cat, uint64_t upto, uint64_t lost);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_NOTE_H_INCLUDED_ */
