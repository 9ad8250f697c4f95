
/*
 * ngx_http_longpoll_gpoll.h: the ids of gpoll's clients, as bytes.
 */


#ifndef _NGX_HTTP_LONGPOLL_GPOLL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_GPOLL_H_INCLUDED_


#include "ngx_http_longpoll.h"


/* a shorter id asks for a new one */
#define NGX_HTTP_LONGPOLL_GPOLL_SHORT     10

/* the most bytes of an id, and of a registration's answer */
#define NGX_HTTP_LONGPOLL_GPOLL_LEN       (NGX_INT32_LEN + sizeof("$") - 1 + 36)
#define NGX_HTTP_LONGPOLL_GPOLL_REGISTERED_LEN                                \
    (sizeof("{\"client-id\":\"\"}") - 1 + NGX_HTTP_LONGPOLL_GPOLL_LEN)


/*
 * Reads an id.  NGX_OK: client is filled; NGX_DECLINED: these bytes are not an
 * id.  A client has one id, to the letter: 007$... and capital letters are
 * declined.
 */
ngx_int_t ngx_http_longpoll_gpoll_parse(ngx_str_t *id,
    ngx_http_longpoll_client_t *client);

/* makes a UUID of version 4 of 16 random bytes */
void ngx_http_longpoll_gpoll_uuid(uint64_t uuid[2]);

/* {"client-id":"N$UUID"}; returns the end */
u_char *ngx_http_longpoll_gpoll_registered(u_char *p,
    ngx_http_longpoll_client_t *client);


#endif /* _NGX_HTTP_LONGPOLL_GPOLL_H_INCLUDED_ */
