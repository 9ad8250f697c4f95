
/*
 * ngx_http_longpoll_discard.c: waits for the body of a request that needs none,
 * and throws it away.
 *
 * Some clients send the body of a GET in a packet of its own.  With HTTP/1 it
 * stands in front of the next request and of the client's FIN, so a request
 * must not wait for anything else before all of it has been read.
 * ngx_http_discard_request_body() would read it beside the answer, and knows
 * neither client_max_body_size nor client_body_timeout.  Therefore it is read
 * like a body that a proxy passes on unbuffered, a buffer at a time.
 *
 * HTTP/2 and HTTP/3 have streams.  There nginx discards the body beside the
 * request, and still sees when its client leaves.
 */


#include "ngx_http_longpoll_discard.h"


static void ngx_http_longpoll_discard_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_longpoll_discard_read(ngx_http_request_t *r);


ngx_int_t
ngx_http_longpoll_discard(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked
        && r->http_version <= NGX_HTTP_VERSION_11)
    {
        return NGX_OK;
    }

    if (r != r->main || r->post_action) {
        return NGX_OK;
    }

    if (r->discard_body) {

        /* an error_page sent it here, and nginx reads the body on its own */

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "longpoll: redirected before the body had come");

        return NGX_HTTP_BAD_REQUEST;
    }

    if (r->reading_body) {

        /* after "proxy_request_buffering off" a part of it is left */

        r->main->count++;
        ngx_http_longpoll_discard_handler(r);

        return NGX_DONE;
    }

    if (r->http_version > NGX_HTTP_VERSION_11 || r->request_body) {
        return ngx_http_discard_request_body(r);
    }

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_longpoll_discard_handler);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


/* something has come, or the client has been silent for too long */

static void
ngx_http_longpoll_discard_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_request_body_t  *rb;

    (void) ngx_http_longpoll_discard_read(r);

    while (r->reading_body) {
        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc != NGX_OK && rc != NGX_AGAIN) {
            ngx_http_finalize_request(r, rc == NGX_ERROR
                                         ? NGX_HTTP_INTERNAL_SERVER_ERROR
                                         : rc);
            return;
        }

        if (!ngx_http_longpoll_discard_read(r) && rc == NGX_AGAIN) {
            r->read_event_handler = ngx_http_longpoll_discard_handler;
            return;
        }
    }

    r->read_event_handler = ngx_http_block_reading;

    rb = r->request_body;

    if (rb->buf) {

        /* not while the request waits; NGX_DECLINED if it is a small one */

        (void) ngx_pfree(r->pool, rb->buf->start);
        rb->buf = NULL;
    }

    ngx_http_finalize_request(r, r->content_handler(r));
}


/* throws away what has been read; returns 0 if that was nothing */

static ngx_uint_t
ngx_http_longpoll_discard_read(ngx_http_request_t *r)
{
    ngx_chain_t              *cl, *next;
    ngx_http_request_body_t  *rb;

    rb = r->request_body;
    cl = rb->bufs;

    if (cl == NULL) {
        return 0;
    }

    do {
        next = cl->next;
        cl->buf->pos = cl->buf->last;
        ngx_free_chain(r->pool, cl);
        cl = next;
    } while (cl);

    rb->bufs = NULL;

    return 1;
}
