
/*
 * ngx_http_longpoll_poll.h: one poll: reads, parks, is woken, is answered.
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
