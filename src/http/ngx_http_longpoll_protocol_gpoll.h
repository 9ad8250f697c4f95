
/*
 * ngx_http_longpoll_protocol_gpoll.h: polls as gpoll has them.
 */


#ifndef _NGX_HTTP_LONGPOLL_PROTOCOL_GPOLL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_PROTOCOL_GPOLL_H_INCLUDED_


#include "ngx_http_longpoll_protocol.h"


extern ngx_http_longpoll_protocol_t  ngx_http_longpoll_protocol_gpoll;


#endif /* _NGX_HTTP_LONGPOLL_PROTOCOL_GPOLL_H_INCLUDED_ */
