
/*
 * ngx_http_longpoll_await.c: publishers that wait in this worker until it is
 * known what has become of their events.
 *
 *     add ──▶ WAITS ──▶ answer ──▶ left ──▶ handler
 *               │
 *               ├──▶ its client leaves ──▶ left ──▶ 499
 *               └──▶ the request ends ───▶ left
 *
 * A publisher is parked like a poll, but in a queue: the first to publish is
 * the first to be answered.  The owner of the queue knows what they wait for.
 * If a client leaves, its events are stored all the same.
 */


#include "ngx_http_longpoll_await.h"
#include "ngx_http_longpoll_disconnect.h"


static void ngx_http_longpoll_await_client_handler(ngx_http_request_t *r);
static void ngx_http_longpoll_await_cleanup(void *data);


void
ngx_http_longpoll_await_init(ngx_http_longpoll_await_t *await,
    ngx_http_longpoll_await_left_pt left, void *data)
{
    ngx_queue_init(&await->publishers);

    await->left = left;
    await->data = data;
}


ngx_http_longpoll_publisher_t *
ngx_http_longpoll_await_add(ngx_http_longpoll_await_t *await,
    ngx_http_request_t *r, ngx_http_longpoll_await_pt handler)
{
    ngx_http_cleanup_t             *cln;
    ngx_http_longpoll_publisher_t  *publisher;

    publisher = ngx_pcalloc(r->pool, sizeof(ngx_http_longpoll_publisher_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (publisher == NULL || cln == NULL) {
        return NULL;
    }

    /* a subrequest and a post action have no client of their own */

    if (r == r->main && !r->post_action
        && ngx_http_longpoll_disconnect_watch(r,
                                       ngx_http_longpoll_await_client_handler)
           != NGX_OK)
    {
        return NULL;
    }

    publisher->await = await;
    publisher->request = r;
    publisher->handler = handler;
    publisher->since = ngx_current_msec;

    cln->handler = ngx_http_longpoll_await_cleanup;
    cln->data = publisher;

    ngx_queue_insert_tail(&await->publishers, &publisher->queue);

    return publisher;
}


ngx_http_longpoll_publisher_t *
ngx_http_longpoll_await_first(ngx_http_longpoll_await_t *await)
{
    if (ngx_queue_empty(&await->publishers)) {
        return NULL;
    }

    return ngx_queue_data(ngx_queue_head(&await->publishers),
                          ngx_http_longpoll_publisher_t, queue);
}


void
ngx_http_longpoll_await_answer(ngx_http_longpoll_publisher_t *publisher,
    ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    ngx_http_longpoll_await_cleanup(publisher);

    r = publisher->request;
    c = r->connection;

    if (r == r->main) {
        ngx_http_longpoll_disconnect_unwatch(r);
    }

    ngx_http_set_log_request(c->log, r);

    publisher->handler(publisher, rc);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_longpoll_await_client_handler(ngx_http_request_t *r)
{
    ngx_http_longpoll_disconnect_test(r, ngx_http_longpoll_await_cleanup);
}


/* the publisher is answered, its client has left, or the request ends */

static void
ngx_http_longpoll_await_cleanup(void *data)
{
    ngx_http_longpoll_publisher_t  *publisher = data;

    ngx_http_longpoll_await_t  *await;

    await = publisher->await;

    if (await == NULL) {
        return;
    }

    publisher->await = NULL;
    ngx_queue_remove(&publisher->queue);

    await->left(await, publisher);
}
