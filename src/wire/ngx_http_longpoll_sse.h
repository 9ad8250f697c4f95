
/*
 * ngx_http_longpoll_sse.h: frames of an event stream, and the request for one.
 *
 *     id: 0198c0de-...                     an event, as in an events answer
 *     data: {"timestamp":N,"category":"C","data":D,"id":"I"}
 *
 *     event: missed                        events in front of the next frame
 *     data: {"missed":true}                were dropped; no id
 *
 *     retry: N                             in the first frame alone
 *     event: place                         the client has seen all up to here
 *     id: 0198c0de-...                     may be left out in the first frame
 *     data: {}
 *
 * A blank line ends each frame.  Browsers keep the id of a frame, and send it
 * as Last-Event-ID when they come back.
 *
 * Source: the HTML standard, section 9.2, Server-sent events.
 */


#ifndef _NGX_HTTP_LONGPOLL_SSE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_SSE_H_INCLUDED_


#include "ngx_http_longpoll.h"
#include "ngx_http_longpoll_id.h"


/*
 * Whether a value of the header Accept names text/event-stream, with a weight
 * above 0.  A range with an asterisk does not name it.
 */
ngx_uint_t ngx_http_longpoll_sse_accepted(ngx_str_t *value);

/* the bytes that an event adds, without its data: to limit an answer */
size_t ngx_http_longpoll_sse_event_cost(ngx_str_t *name);

/*
 * n events, with a missed frame in front if missed is set.  The first call
 * returns a length, the second writes at most that many bytes, whatever bytes
 * the data have, and returns their end.  epoch is for the ids of events that
 * have none of version 7.
 */
size_t ngx_http_longpoll_sse_events_len(ngx_http_longpoll_cat_t *cats,
    ngx_http_longpoll_msg_t *msgs, ngx_uint_t n, ngx_uint_t missed);
u_char *ngx_http_longpoll_sse_events(u_char *p, ngx_http_longpoll_cat_t *cats,
    ngx_http_longpoll_msg_t *msgs, ngx_uint_t n, ngx_uint_t missed,
    uint64_t epoch);

/* a missed frame */
u_char *ngx_http_longpoll_sse_missed(u_char *p);

/* a place frame; retry in ms, 0: none; uuid NULL: without an id */
u_char *ngx_http_longpoll_sse_place(u_char *p, ngx_uint_t retry,
    const ngx_http_longpoll_uuid_t *uuid);

/* bytes of a place frame with retry, a missed frame and a place frame */
#define NGX_HTTP_LONGPOLL_SSE_FRAMES  256


#endif /* _NGX_HTTP_LONGPOLL_SSE_H_INCLUDED_ */
