
/*
 * ngx_http_longpoll_subscribe.h: GET and HEAD on a subscribe location.
 */


#ifndef _NGX_HTTP_LONGPOLL_SUBSCRIBE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_SUBSCRIBE_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/* the content handler */
ngx_int_t ngx_http_longpoll_subscribe_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_LONGPOLL_SUBSCRIBE_H_INCLUDED_ */
