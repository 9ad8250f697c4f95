
/*
 * ngx_http_longpoll_protocol_golongpoll.h: polls as golongpoll has them.
 */


#ifndef _NGX_HTTP_LONGPOLL_PROTOCOL_GOLONGPOLL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_PROTOCOL_GOLONGPOLL_H_INCLUDED_


#include "ngx_http_longpoll_protocol.h"


extern ngx_http_longpoll_protocol_t  ngx_http_longpoll_protocol_golongpoll;


#endif /* _NGX_HTTP_LONGPOLL_PROTOCOL_GOLONGPOLL_H_INCLUDED_ */
