
/*
 * ngx_http_longpoll_protocol_sse.h: streams of server-sent events.
 */


#ifndef _NGX_HTTP_LONGPOLL_PROTOCOL_SSE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_PROTOCOL_SSE_H_INCLUDED_


#include "ngx_http_longpoll_protocol.h"


extern ngx_http_longpoll_protocol_t  ngx_http_longpoll_protocol_sse;


#endif /* _NGX_HTTP_LONGPOLL_PROTOCOL_SSE_H_INCLUDED_ */
