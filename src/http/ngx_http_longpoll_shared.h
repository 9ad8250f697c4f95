
/*
 * ngx_http_longpoll_shared.h: the bytes of an answer, on the heap, which
 * several requests send.
 */


#ifndef _NGX_HTTP_LONGPOLL_SHARED_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_SHARED_H_INCLUDED_


#include "ngx_http_longpoll_http.h"
#include "ngx_http_longpoll_read.h"


/* room for the head of a chunk: the length in hex digits, CRLF */

#define NGX_HTTP_LONGPOLL_SHARED_HEAD  (2 * sizeof(size_t) + sizeof(CRLF) - 1)


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
    size_t                           len;       /* of data */
    u_char                          *chunk;     /* data with what is around it
                                                   in a chunk of HTTP/1.1; NULL:
                                                   they are no chunk */
    u_char                           head[NGX_HTTP_LONGPOLL_SHARED_HEAD];
    u_char                           data[1];   /* and room for CRLF */
} ngx_http_longpoll_shared_t;


#define ngx_http_longpoll_shared_chunk_last(shared)                           \
    ((shared)->data + (shared)->len + sizeof(CRLF) - 1)


/* len bytes for what rd has read; the caller has one reference; NULL: no
 * memory */
ngx_http_longpoll_shared_t *ngx_http_longpoll_shared_create(
    ngx_http_longpoll_read_t *rd, size_t len);

/* the first len bytes of data are what is sent, and become a chunk */
void ngx_http_longpoll_shared_chunk(ngx_http_longpoll_shared_t *shared,
    size_t len);

/* gives a reference back */
void ngx_http_longpoll_shared_release(ngx_http_longpoll_shared_t *shared);


#endif /* _NGX_HTTP_LONGPOLL_SHARED_H_INCLUDED_ */
