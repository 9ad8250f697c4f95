
/*
 * ngx_http_longpoll_arguments.h: the arguments of a poll or a stream.
 */


#ifndef _NGX_HTTP_LONGPOLL_ARGUMENTS_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ARGUMENTS_H_INCLUDED_


#include "ngx_http_longpoll_protocol.h"
#include "ngx_http_longpoll_query.h"


/*
 * As protocol->query, where the client has the cursor.  last_event_id: the
 * header of a stream, empty if there is none; NULL: it is a poll.  The cache is
 * the protocol's.
 */
ngx_int_t ngx_http_longpoll_arguments(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_msec_t *timeout, ngx_http_longpoll_query_cache_t *cache,
    ngx_str_t *last_event_id);


#endif /* _NGX_HTTP_LONGPOLL_ARGUMENTS_H_INCLUDED_ */
