
/*
 * ngx_http_longpoll_stream.h: one stream: events down a request that stays
 * open.
 */


#ifndef _NGX_HTTP_LONGPOLL_STREAM_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_STREAM_H_INCLUDED_


#include "ngx_http_longpoll_protocol.h"


/*
 * Sends the head and the first frame, and what is behind the cursor; then the
 * request waits.  timeout: ms until it ends, from its own start; 0: never.
 * Returns what the request is to be finalized with; NGX_DONE: it goes on.
 */
ngx_int_t ngx_http_longpoll_stream(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_msec_t timeout);


#endif /* _NGX_HTTP_LONGPOLL_STREAM_H_INCLUDED_ */
