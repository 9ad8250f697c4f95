
/*
 * ngx_http_longpoll_direct.h: bytes go to the connection past nginx's filters.
 */


#ifndef _NGX_HTTP_LONGPOLL_DIRECT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_DIRECT_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/* a worker begins: finds out whether all modules with filters are known */
void ngx_http_longpoll_direct_init_process(ngx_cycle_t *cycle);

/*
 * Whether the filters would send a body as it is, in chunks of HTTP/1.1.  The
 * head and a first piece of the body have gone through the filters, so that
 * each of them has decided.
 */
ngx_uint_t ngx_http_longpoll_direct_allowed(ngx_http_request_t *r);

/*
 * Sends b, a whole chunk in memory, behind what nginx has of this request.  The
 * bytes stay the caller's, and must stay there until b is empty.
 *
 * NGX_OK     all is sent
 * NGX_AGAIN  nginx keeps the rest, as it does for a filter
 * NGX_ERROR
 */
ngx_int_t ngx_http_longpoll_direct_send(ngx_http_request_t *r, ngx_buf_t *b);


#endif /* _NGX_HTTP_LONGPOLL_DIRECT_H_INCLUDED_ */
