
/*
 * ngx_http_longpoll_zone_cursor.h: the disk's cursors in the list of all
 * messages.
 *
 * These four cursors are the writer's progress marks.  They have nothing to do
 * with the cursors of polls (read.h) and of gpoll's clients (client.h).
 *
 * With a cursor {id, ref} everything up to id is done.  ref is the first
 * message behind id; 0: there is none yet.  When that message is dropped or
 * moved, or a message is appended behind the end, the cursor is relinked in the
 * same step.
 *
 *     SAVED    messages up to here are in the log, and synced
 *     NEXT     messages up to here were taken by the writer
 *     BASE     messages up to here were taken for a new base
 *     EXPOSED  with durable: the workers that wait for messages up to here are
 *              marked
 *
 * The caller holds the lock in every call.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_CURSOR_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_CURSOR_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Within the caller's step: the cursors at msg (NULL: those at the end of the
 * list) go to the ref to.
 */
void ngx_http_longpoll_zone_cursor_relink(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, uint32_t to);

/* a step of its own: sets a cursor */
void ngx_http_longpoll_zone_cursor_set(ngx_http_longpoll_zone_t *z,
    ngx_uint_t cursor, uint64_t id, uint32_t ref);

/*
 * Within the caller's step: if a published message is dropped before its
 * workers were marked, this counts it as published.
 */
void ngx_http_longpoll_zone_cursor_count_unexposed(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg);

/* the worker that writes the log, as a set */
uint64_t ngx_http_longpoll_zone_cursor_writer(ngx_http_longpoll_zone_t *z);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_CURSOR_H_INCLUDED_ */
