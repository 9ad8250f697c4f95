
/*
 * ngx_http_longpoll_shared.h: the bytes of an answer, on the heap, which
 * several requests send.
 */


#ifndef _NGX_HTTP_LONGPOLL_SHARED_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_SHARED_H_INCLUDED_


#include "ngx_http_longpoll_http.h"
#include "ngx_http_longpoll_read.h"


typedef struct {
    ngx_uint_t                       refs;
    void                            *unsent;    /* of unsent; NULL: all clients
                                                   have taken them */

    /* of the messages, as the read found them */
    ngx_uint_t                       nmsgs;
    ngx_uint_t                       missed;
    uint64_t                         first;     /* id */
    uint64_t                         last;      /* id */
    ngx_http_longpoll_uuid_t         last_uuid;

    size_t                           size;      /* of the block */
    size_t                           len;
    u_char                           data[1];
} ngx_http_longpoll_shared_t;


/* len bytes for what rd has read; the caller has one reference; NULL: no
 * memory */
ngx_http_longpoll_shared_t *ngx_http_longpoll_shared_create(
    ngx_http_longpoll_read_t *rd, size_t len);

/* gives a reference back */
void ngx_http_longpoll_shared_release(ngx_http_longpoll_shared_t *shared);


#endif /* _NGX_HTTP_LONGPOLL_SHARED_H_INCLUDED_ */
