
/*
 * ngx_http_longpoll_durable.c: requests of this worker that wait until it is
 * decided what becomes of their publishes.
 *
 *     publish ── wait ─▶ parked ── decide ─▶ handler answers
 *                          └────── the client leaves, or the request ends
 *
 * A publish whose client has left is stored all the same.
 */


#include "ngx_http_longpoll_durable.h"
#include "ngx_http_longpoll_disconnect.h"


typedef struct {
    ngx_queue_t                      queue;
    ngx_http_longpoll_durable_t     *durable;
    ngx_http_request_t              *request;
    ngx_http_longpoll_durable_pt     handler;
    uint64_t                         id;        /* of its last message */
    uint64_t                         failed;
    ngx_msec_t                       since;
    ngx_uint_t                       parked;
} ngx_http_longpoll_publisher_t;


static void ngx_http_longpoll_durable_client_handler(ngx_http_request_t *r);
static void ngx_http_longpoll_durable_cleanup(void *data);


ngx_int_t
ngx_http_longpoll_durable_wait(ngx_http_longpoll_durable_t *d,
    ngx_http_request_t *r, uint64_t id, uint64_t failed,
    ngx_http_longpoll_durable_pt handler)
{
    ngx_http_cleanup_t             *cln;
    ngx_http_longpoll_publisher_t  *publisher;

    publisher = ngx_palloc(r->pool, sizeof(ngx_http_longpoll_publisher_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (publisher == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a subrequest and a post action have no client of their own */

    if (r == r->main && !r->post_action
        && ngx_http_longpoll_disconnect_watch(r,
                                      ngx_http_longpoll_durable_client_handler)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    publisher->durable = d;
    publisher->request = r;
    publisher->handler = handler;
    publisher->id = id;
    publisher->failed = failed;
    publisher->since = ngx_current_msec;
    publisher->parked = 1;

    cln->handler = ngx_http_longpoll_durable_cleanup;
    cln->data = publisher;

    if (ngx_queue_empty(&d->waiting)) {
        d->changed(d->data, 1);
    }

    ngx_queue_insert_tail(&d->waiting, &publisher->queue);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "longpoll publish %uL waits", id);

    return NGX_DONE;
}


static void
ngx_http_longpoll_durable_client_handler(ngx_http_request_t *r)
{
    ngx_http_longpoll_disconnect_test(r, ngx_http_longpoll_durable_cleanup);
}


/* the client has left, or the request ends */

static void
ngx_http_longpoll_durable_cleanup(void *data)
{
    ngx_http_longpoll_publisher_t  *publisher = data;

    ngx_http_longpoll_durable_t  *d;

    if (!publisher->parked) {
        return;
    }

    d = publisher->durable;

    publisher->parked = 0;
    ngx_queue_remove(&publisher->queue);

    if (ngx_queue_empty(&d->waiting)) {
        d->changed(d->data, 0);
    }
}


/* the queue is in the order of ids */

void
ngx_http_longpoll_durable_decide(ngx_http_longpoll_durable_t *d)
{
    ngx_int_t                       rc;
    ngx_queue_t                    *q;
    ngx_connection_t               *c;
    ngx_http_request_t             *r;
    ngx_http_longpoll_publisher_t  *publisher;

    if (ngx_queue_empty(&d->waiting)) {
        return;
    }

    while (!ngx_queue_empty(&d->waiting)) {
        q = ngx_queue_head(&d->waiting);
        publisher = ngx_queue_data(q, ngx_http_longpoll_publisher_t, queue);

        rc = d->decided(d->data, publisher->id, publisher->failed);

        if (rc == NGX_AGAIN) {
            return;
        }

        publisher->parked = 0;
        ngx_queue_remove(q);

        r = publisher->request;
        c = r->connection;

        if (r == r->main) {
            ngx_http_longpoll_disconnect_unwatch(r);
        }

        ngx_http_set_log_request(c->log, r);

        publisher->handler(r, rc);

        ngx_http_run_posted_requests(c);
    }

    d->changed(d->data, 0);
}


ngx_msec_t
ngx_http_longpoll_durable_waited(ngx_http_longpoll_durable_t *d)
{
    ngx_http_longpoll_publisher_t  *publisher;

    if (ngx_queue_empty(&d->waiting)) {
        return 0;
    }

    publisher = ngx_queue_data(ngx_queue_head(&d->waiting),
                               ngx_http_longpoll_publisher_t, queue);

    return ngx_current_msec - publisher->since;
}
