
/*
 * ngx_http_longpoll_shared.h: the bytes of an answer, on the heap, which
 * several requests send.
 */


#ifndef _NGX_HTTP_LONGPOLL_SHARED_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_SHARED_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


typedef struct {
    ngx_uint_t                       refs;
    ngx_uint_t                       missed;    /* both are of the messages, */
    uint64_t                         first;     /* an id; encode() sets them */
    void                            *unsent;    /* of unsent; NULL: all clients
                                                   have taken them */
    size_t                           size;      /* of the block */
    size_t                           len;
    u_char                           data[1];
} ngx_http_longpoll_shared_t;


/* the caller has one reference; NULL: no memory */
ngx_http_longpoll_shared_t *ngx_http_longpoll_shared_create(size_t len,
    ngx_log_t *log);

/* gives a reference back */
void ngx_http_longpoll_shared_release(ngx_http_longpoll_shared_t *shared);


#endif /* _NGX_HTTP_LONGPOLL_SHARED_H_INCLUDED_ */
