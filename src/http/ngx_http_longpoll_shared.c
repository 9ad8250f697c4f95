
/*
 * ngx_http_longpoll_shared.c: the bytes of an answer, on the heap, which
 * several requests send.
 *
 * One block with a count of references.  Each request that sends the bytes has
 * one, and releases it by the cleanup of its pool: when the last byte is sent,
 * or when the client is gone.
 */


#include "ngx_http_longpoll_shared.h"


ngx_http_longpoll_shared_t *
ngx_http_longpoll_shared_create(ngx_http_longpoll_read_t *rd, size_t len)
{
    size_t                       size;
    ngx_http_longpoll_msg_t     *last;
    ngx_http_longpoll_shared_t  *shared;

    size = offsetof(ngx_http_longpoll_shared_t, data) + len + sizeof(CRLF) - 1;

    shared = ngx_alloc(size, ngx_cycle->log);

    if (shared) {
        last = &rd->msgs[rd->nmsgs - 1];

        shared->refs = 1;
        shared->unsent = NULL;
        shared->nmsgs = rd->nmsgs;
        shared->missed = rd->missed;
        shared->first = rd->msgs[0].id;
        shared->last = last->id;
        shared->last_uuid = last->uuid;
        shared->size = size;
        shared->len = len;
        shared->chunk = NULL;
    }

    return shared;
}


void
ngx_http_longpoll_shared_chunk(ngx_http_longpoll_shared_t *shared, size_t len)
{
    size_t   n;
    u_char   head[NGX_HTTP_LONGPOLL_SHARED_HEAD];

    n = ngx_sprintf(head, "%xO" CRLF, (off_t) len) - head;

    shared->len = len;
    shared->chunk = shared->data - n;

    ngx_memcpy(shared->chunk, head, n);
    ngx_memcpy(shared->data + len, CRLF, sizeof(CRLF) - 1);
}


void
ngx_http_longpoll_shared_release(ngx_http_longpoll_shared_t *shared)
{
    if (--shared->refs == 0) {
        ngx_free(shared);
    }
}
