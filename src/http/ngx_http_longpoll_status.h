
/*
 * ngx_http_longpoll_status.h: the figures of the zones, for operators.
 */


#ifndef _NGX_HTTP_LONGPOLL_STATUS_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_STATUS_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/* content handler of a status location; returns what to finalize with */
ngx_int_t ngx_http_longpoll_status_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_LONGPOLL_STATUS_H_INCLUDED_ */
