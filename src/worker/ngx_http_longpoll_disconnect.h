
/*
 * ngx_http_longpoll_disconnect.h: notices that the client of a waiting request
 * has left.
 */


#ifndef _NGX_HTTP_LONGPOLL_DISCONNECT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_DISCONNECT_H_INCLUDED_


#include "ngx_http_longpoll.h"

#include <ngx_http.h>


/*
 * A main request begins to wait.  nginx calls handler whenever something
 * happens on the request's connection, from the next turn of its loop on; the
 * handler calls ..._disconnect_test().  NGX_OK, or NGX_ERROR: nothing is
 * watched.
 */
ngx_int_t ngx_http_longpoll_disconnect_watch(ngx_http_request_t *r,
    ngx_http_event_handler_pt handler);

/* the request no longer waits */
void ngx_http_longpoll_disconnect_unwatch(ngx_http_request_t *r);

/*
 * If the client has left: calls the request's cleanups whose handler is leave,
 * and then finalizes the request with 499.  nginx may call leave once more.
 */
void ngx_http_longpoll_disconnect_test(ngx_http_request_t *r,
    ngx_http_cleanup_pt leave);


#endif /* _NGX_HTTP_LONGPOLL_DISCONNECT_H_INCLUDED_ */
