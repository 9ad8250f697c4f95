
/*
 * ngx_http_longpoll_delete.h: deletes the events of categories.
 */


#ifndef _NGX_HTTP_LONGPOLL_DELETE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_DELETE_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/*
 * Content handler of DELETE on a delete location, and of POST if the location
 * does not publish.  Returns what to finalize the request with.
 */
ngx_int_t ngx_http_longpoll_delete_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_LONGPOLL_DELETE_H_INCLUDED_ */
