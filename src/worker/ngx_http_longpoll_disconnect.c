
/*
 * ngx_http_longpoll_disconnect.c: notices that the client of a waiting request
 * has left.
 *
 *     event on the connection ──▶ handler ──▶ disconnect_test ──▶ leave ──▶ 499
 *                                                 │
 *                                                 └──▶ the client is there
 *
 * ngx_http_test_reading() would finalize the request at once.  Before its
 * cleanups nginx then runs the location's post_action, which may last, and uses
 * the same request.  A request that still stood in a queue would be answered
 * meanwhile.  Therefore it leaves the queue first.
 *
 * A client that leaves sends FIN or RST, with HTTP/2 RST_STREAM, with HTTP/3
 * RESET_STREAM or STOP_SENDING, or ends its connection.  STOP_SENDING is a
 * write event: the client's side of the stream may be finished, so that there
 * is nothing to read.
 */


#include "ngx_http_longpoll_disconnect.h"


static ngx_uint_t ngx_http_longpoll_disconnect_left(ngx_http_request_t *r);


ngx_int_t
ngx_http_longpoll_disconnect_watch(ngx_http_request_t *r,
    ngx_http_event_handler_pt handler)
{
    ngx_connection_t  *c;

    c = r->connection;

    /* a FIN may have come with the request */

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_ERROR;
    }

#if (NGX_HTTP_V3)

    /* and so may a STOP_SENDING */

    if (c->quic && c->write->error) {
        ngx_post_event(c->write, &ngx_posted_events);
    }

#endif

    r->read_event_handler = handler;
    r->write_event_handler = handler;

    return NGX_OK;
}


void
ngx_http_longpoll_disconnect_unwatch(ngx_http_request_t *r)
{
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
}


void
ngx_http_longpoll_disconnect_test(ngx_http_request_t *r,
    ngx_http_cleanup_pt leave)
{
    ngx_event_t         *rev;
    ngx_connection_t    *c;
    ngx_http_cleanup_t  *cln;

    c = r->connection;
    rev = c->read;

    if (!ngx_http_longpoll_disconnect_left(r)) {

        /* what has come is the next request, which is read later */

        if (!(ngx_event_flags & NGX_USE_LEVEL_EVENT)
            || !rev->active || !rev->ready
            || ngx_del_event(rev, NGX_READ_EVENT, 0) == NGX_OK)
        {
            return;
        }
    }

    c->error = 1;

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        c->ssl->no_send_shutdown = 1;
    }
#endif

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "client prematurely closed connection");

    for (cln = r->main->cleanup; cln; cln = cln->next) {

        if (cln->handler == leave) {
            leave(cln->data);
        }
    }

    ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}


static ngx_uint_t
ngx_http_longpoll_disconnect_left(ngx_http_request_t *r)
{
    u_char             buf[1];
    ssize_t            n;
    ngx_connection_t  *c;

    c = r->connection;

    if (c->error) {
        return 1;
    }

#if (NGX_HTTP_V2)

    if (r->stream) {
        return 0;
    }

#endif

#if (NGX_HTTP_V3)

    if (c->quic) {
        return c->read->error || c->write->error;
    }

#endif

#if (NGX_HAVE_KQUEUE)

    if (ngx_event_flags & NGX_USE_KQUEUE_EVENT) {
        return c->read->pending_eof;
    }

#endif

#if (NGX_HAVE_EPOLLRDHUP)

    if ((ngx_event_flags & NGX_USE_EPOLL_EVENT) && ngx_use_epoll_rdhup) {
        return c->read->pending_eof;
    }

#endif

    n = recv(c->fd, (char *) buf, 1, MSG_PEEK);

    return n == 0 || (n == -1 && ngx_socket_errno != NGX_EAGAIN);
}
