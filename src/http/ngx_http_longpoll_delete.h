
/*
 * ngx_http_longpoll_delete.h: forgetting the events of categories.
 */


#ifndef _NGX_HTTP_LONGPOLL_DELETE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_DELETE_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/* a content handler's part, for DELETE, or POST where nobody publishes */
ngx_int_t ngx_http_longpoll_delete_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_LONGPOLL_DELETE_H_INCLUDED_ */
