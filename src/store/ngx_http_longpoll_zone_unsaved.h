
/*
 * ngx_http_longpoll_zone_unsaved.h: what waits for the disk.
 *
 * With durable, messages behind the cursor EXPOSED are counted, by category and
 * in all.  Nothing drops them but a failed write.  So a publish is only taken
 * if they leave it the room and the slots that it needs.
 *
 * Each call but fit belongs to the caller's step.  The caller holds the lock in
 * every call.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_UNSAVED_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_UNSAVED_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* a new message, which is not linked yet */
void ngx_http_longpoll_zone_unsaved_add(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg);

/* a message is exposed, or is about to be unlinked; counted or not */
void ngx_http_longpoll_zone_unsaved_remove(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg);

/* a message got another ref */
void ngx_http_longpoll_zone_unsaved_move(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, uint32_t to);

/*
 * Whether everything that may be dropped makes room for so many bytes of the
 * log up to limit, and for so many categories that have nothing unsaved yet.
 */
ngx_uint_t ngx_http_longpoll_zone_unsaved_fit(ngx_http_longpoll_zone_t *z,
    uint64_t bytes, uint64_t limit, ngx_uint_t ncats);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_UNSAVED_H_INCLUDED_ */
