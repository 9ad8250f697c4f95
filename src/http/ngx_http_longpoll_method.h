
/*
 * ngx_http_longpoll_method.h: GET, POST and DELETE on a location.
 */


#ifndef _NGX_HTTP_LONGPOLL_METHOD_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_METHOD_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/*
 * Content handler of a location that subscribes, publishes or deletes, or that
 * does several of these.
 */
ngx_int_t ngx_http_longpoll_method_handler(ngx_http_request_t *r);



#endif /* _NGX_HTTP_LONGPOLL_METHOD_H_INCLUDED_ */
