
/*
 * ngx_http_longpoll_zone_inner.h: what zone_save.c has for the other files of
 * the store.
 *
 * The caller holds the lock in every call.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_INNER_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_INNER_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Marks (zone_save.c).  Within the step: what stands for a message (NULL: at
 * the end) stands for the ref to from now on.
 */
void ngx_http_longpoll_zone_relink_cursors(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, uint32_t to);

/* within the step: a message goes that the file may have */
void ngx_http_longpoll_zone_record_deletion(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg);

/* a message goes: one that was published, but not yet shown, is counted now */
void ngx_http_longpoll_zone_count_unexposed(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg);

/* the worker that writes, as a set */
uint64_t ngx_http_longpoll_zone_writer(ngx_http_longpoll_zone_t *z);

/* the last message of a category that is visible; NULL: there is none */
ngx_http_longpoll_msg_sh_t *ngx_http_longpoll_zone_last(
    ngx_http_longpoll_zone_t *z, uint32_t slot);

/*
 * Where there are several zones of that name.  gave: last_id has moved on; in
 * the same hold, before anybody is told of it.  stray: and it is that of a
 * message which those who read in later zones must be told they missed; before
 * the message is there.
 */
void ngx_http_longpoll_zone_note_issued(ngx_http_longpoll_zone_t *z);
void ngx_http_longpoll_zone_late_write(ngx_http_longpoll_zone_t *z);

/*
 * Whether events behind an id may have gone to another zone of that name, or
 * to another nginx that had the file; these are of another life, and who asks
 * for all there is does not miss them.
 */
#define ngx_http_longpoll_zone_has_late(z, id, beginning)                      \
    (((z)->late                                                             \
      && (id) < *ngx_http_longpoll_zone_late_upto(z, (z)->sh->resize.generation))       \
     || ((id) < (z)->sh->previous.missing_below && !(beginning)))

/*
 * The newest place becomes that id, or one behind it: what was given elsewhere
 * is behind it.
 */
void ngx_http_longpoll_zone_advance(ngx_http_longpoll_zone_t *z, uint64_t id);

/* up to this ms all is visible that there will ever be: it is not over */
uint64_t ngx_http_longpoll_zone_horizon(ngx_http_longpoll_zone_t *z,
    uint64_t now);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_INNER_H_INCLUDED_ */
