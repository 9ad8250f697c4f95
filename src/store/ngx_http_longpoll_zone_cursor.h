
/*
 * ngx_http_longpoll_zone_cursor.h: what a zone with a log on disk knows of the
 * messages in its lists: which of them the log has, which wait for the disk,
 * and which went and must not come back.
 *
 * Cursors.  With a cursor {id, ref} everything up to id is done.  ref is the
 * first message behind id; 0: there is none yet.  These cursors are the
 * writer's progress marks.  They have nothing to do with the cursors of polls
 * (read.h) and of gpoll's clients (client.h).
 *
 *     SAVED    messages up to here are in the log, and synced
 *     NEXT     messages up to here were taken by the writer
 *     BASE     messages up to here were taken for a new base, or looked at by a
 *              merge
 *     EXPOSED  with durable: the workers that wait for messages up to here are
 *              marked
 *
 * What waits for the disk.  With durable, messages behind EXPOSED are counted,
 * by category and in all.  Nothing drops them but a failed write.  So a publish
 * is only taken if they leave it the room and the slots that it needs.
 *
 * Notes.  A message that is deleted or taken must not come back when the log is
 * loaded.  So the step that drops it leaves a note in a ring, notes_first up to
 * notes_last, from where the writer takes it.  When the ring is full, a note is
 * left out, and the log gets a new base instead (stale).  A message that a
 * limit drops has no note: a load finds the limit again.
 *
 * The caller holds the lock in every call.  append, drop, uncount, move and
 * note belong to its step.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_CURSOR_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_CURSOR_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* msg comes to the end of the list of all; it is not linked yet */
void ngx_http_longpoll_zone_cursor_append(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg);

/*
 * msg is dropped; it is still linked.  noted: it is not lost, so there is a
 * note, unless no writer has taken the message.  A message that the note of the
 * delete at hand does not name has one, too.
 */
void ngx_http_longpoll_zone_cursor_drop(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_uint_t noted);

/* with durable: msg does not wait for the disk any more */
void ngx_http_longpoll_zone_cursor_uncount(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg);

/* msg goes to the ref to */
void ngx_http_longpoll_zone_cursor_move(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, uint32_t to);

/*
 * A note: the words of a DELETION (UUID) or of a DROP (name, upto, lost).  A
 * DROP does not name messages with a foreign UUID in the ms of upto.
 */
void ngx_http_longpoll_zone_cursor_note(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_control_e kind, uint64_t a, uint64_t b, uint64_t c);

/* SAVED, and NEXT with it, goes to an id; ends the caller's step */
void ngx_http_longpoll_zone_cursor_saved(ngx_http_longpoll_zone_t *z,
    uint64_t id, uint32_t ref);

/* BASE goes to the beginning; base_upto is the end of its way */
void ngx_http_longpoll_zone_cursor_base(ngx_http_longpoll_zone_t *z,
    uint64_t upto);

/* a cursor goes to an id; ends the caller's step */
void ngx_http_longpoll_zone_cursor_set(ngx_http_longpoll_zone_t *z,
    ngx_uint_t cursor, uint64_t id, uint32_t ref);

/*
 * Whether everything that may be dropped makes room for so many bytes of the
 * log up to limit, and for so many categories that have nothing unsaved yet.
 */
#define ngx_http_longpoll_zone_cursor_fits(z, bytes, limit, ncats)            \
    ((z)->sh->disk.unsaved_bytes + (bytes) <= (limit)                         \
     && (z)->sh->disk.unsaved_cats + (ncats)                                  \
        <= ngx_http_longpoll_cat_max_full(&(z)->cats))

/* the worker that writes the log, as a set */
uint64_t ngx_http_longpoll_zone_cursor_writer(ngx_http_longpoll_zone_t *z);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_CURSOR_H_INCLUDED_ */
