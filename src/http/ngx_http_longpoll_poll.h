
/*
 * ngx_http_longpoll_poll.h: a request that waits.
 *
 *                    woken: nothing for it
 *                       ┌──────────┐
 *                       ▼          │
 *      NEW ────────▶ PARKED ───────┘
 *       │    park       │
 *       │               │ leave
 *       │               ├── woken: messages ──────────────▶ answer
 *       │ messages,     ├── its time is over ─────────────▶ answer
 *       │ error         ├── the worker leaves (drain) ────▶ answer
 *       ▼               ├── nginx ends it: client gone ───▶ 499, no answer
 *     answer            ▼
 *                     LEFT
 *
 *   NEW     the handler runs.  One hold of the zone's lock either reads or
 *           registers the interest; so no message can come in between.
 *   PARKED  the waiter stands in the queues of wait.  The request has nothing
 *           but its memory.  ngx_http_test_reading() watches the client.
 *   LEFT    once, for whatever reason, by ngx_http_longpoll_wait_leave(), before
 *           the answer: what an answer ends cannot find the waiter any more.
 *
 * The cleanup of the request finds a waiter that is still PARKED when nginx has
 * finalized the request itself: then the client is gone.
 *
 * A stream (one request, many answers) would be woken with messages and, when
 * these are written, stay PARKED behind the last of them.
 */


#ifndef _NGX_HTTP_LONGPOLL_POLL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_POLL_H_INCLUDED_


#include "ngx_http_longpoll_http.h"
#include "ngx_http_longpoll_zone_read.h"


/*
 * Answers a new request with what is behind the cursor, or parks it for at most
 * timeout ms.  Returns what the content handler is to return: NGX_DONE if the
 * request is parked.
 */
ngx_int_t ngx_http_longpoll_poll(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_msec_t timeout);

/* in a worker: ready to park requests for the zones of the configuration */
ngx_int_t ngx_http_longpoll_poll_init_process(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_LONGPOLL_POLL_H_INCLUDED_ */
