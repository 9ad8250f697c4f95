
/*
 * ngx_http_longpoll_join.c: what a stream sends goes to the socket in one
 * piece.
 *
 *     chunk's size ─ event ─ chunk's end       writev(), as nginx does it
 *     ╰──────────────┬─────────────────╯
 *                    ▼
 *            one block of bytes                send()
 *
 * Most of a delivery down a stream is its system call, and send() of one block
 * takes 10 to 20 % less than writev() of several.  So the connection's
 * send_chain is replaced while a stream lives: by a function that copies the
 * bytes together if they are few, and calls nginx's own one otherwise.
 */


#include "ngx_http_longpoll_join.h"


#define NGX_HTTP_LONGPOLL_JOIN_SIZE  4096


static ngx_chain_t *ngx_http_longpoll_join_send_chain(ngx_connection_t *c,
    ngx_chain_t *in, off_t limit);
static size_t ngx_http_longpoll_join_copy(u_char *block, ngx_chain_t *in);


void
ngx_http_longpoll_join_begin(ngx_connection_t *c)
{
    if (c->send_chain == ngx_send_chain) {
        c->send_chain = ngx_http_longpoll_join_send_chain;
    }
}


void
ngx_http_longpoll_join_end(ngx_connection_t *c)
{
    if (c->send_chain == ngx_http_longpoll_join_send_chain) {
        c->send_chain = ngx_send_chain;
    }
}


/* as ngx_linux_sendfile_chain() */

static ngx_chain_t *
ngx_http_longpoll_join_send_chain(ngx_connection_t *c, ngx_chain_t *in,
    off_t limit)
{
    size_t   size;
    ssize_t  n;
    u_char   block[NGX_HTTP_LONGPOLL_JOIN_SIZE];

    if (!c->write->ready) {
        return in;
    }

    size = ngx_http_longpoll_join_copy(block, in);

    if (size == 0 || (limit && (off_t) size > limit)) {
        return ngx_send_chain(c, in, limit);
    }

    n = c->send(c, block, size);

    if (n == NGX_ERROR) {
        return NGX_CHAIN_ERROR;
    }

    return (n > 0) ? ngx_chain_update_sent(in, n) : in;
}


/* 0: there is nothing, or it is not all in memory, or too large */

static size_t
ngx_http_longpoll_join_copy(u_char *block, ngx_chain_t *in)
{
    u_char       *p;
    size_t        n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    p = block;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_special(b)) {
            continue;
        }

        if (b->in_file || !ngx_buf_in_memory(b)) {
            return 0;
        }

        n = b->last - b->pos;

        if (n > (size_t) (block + NGX_HTTP_LONGPOLL_JOIN_SIZE - p)) {
            return 0;
        }

        p = ngx_cpymem(p, b->pos, n);
    }

    return p - block;
}
