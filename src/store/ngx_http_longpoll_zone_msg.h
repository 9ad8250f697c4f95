
/*
 * ngx_http_longpoll_zone_msg.h: one message in the log.
 *
 * The caller holds the lock in every call but need.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_MSG_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_MSG_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* bytes that a message takes in the log */
uint64_t ngx_http_longpoll_zone_msg_need(ngx_http_longpoll_cat_t *cat,
    ngx_http_longpoll_msg_t *msg, ngx_uint_t bits);

/* the UUID of a message on the wire */
void ngx_http_longpoll_zone_msg_uuid(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_http_longpoll_uuid_t *uuid);

/* the position in the log of a live message */
uint64_t ngx_http_longpoll_zone_msg_pos(ngx_http_longpoll_zone_t *z,
    uint32_t ref);

/*
 * Whether ref, which was a message of the slot at position pos in an earlier
 * hold, is still that message, and live.  ref may be 0.
 */
ngx_uint_t ngx_http_longpoll_zone_msg_stands(ngx_http_longpoll_zone_t *z,
    uint32_t ref, uint64_t pos, uint32_t slot);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_MSG_H_INCLUDED_ */
