
/*
 * ngx_http_longpoll_join.h: what a stream sends goes to the socket in one
 * piece.
 */


#ifndef _NGX_HTTP_LONGPOLL_JOIN_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_JOIN_H_INCLUDED_


#include "ngx_http_longpoll.h"

#include <ngx_event.h>


/*
 * From here until end, what is small goes to the connection's socket in one
 * piece.  Does nothing for TLS, HTTP/2 and HTTP/3.
 */
void ngx_http_longpoll_join_begin(ngx_connection_t *c);
void ngx_http_longpoll_join_end(ngx_connection_t *c);


#endif /* _NGX_HTTP_LONGPOLL_JOIN_H_INCLUDED_ */
