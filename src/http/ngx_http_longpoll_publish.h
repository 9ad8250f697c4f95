
/*
 * ngx_http_longpoll_publish.h: publishes, from the request to the answer.
 */


#ifndef _NGX_HTTP_LONGPOLL_PUBLISH_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_PUBLISH_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/* content handler of POST; returns what to finalize the request with */
ngx_int_t ngx_http_longpoll_publish_handler(ngx_http_request_t *r);

/*
 * Answers a publish or a delete that Redis has not acknowledged, with 503.
 * NGX_DECLINED: nothing is stored; else it may be.  Returns what to finalize
 * the request with.
 */
ngx_int_t ngx_http_longpoll_publish_untaken(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_int_t rc);


#endif /* _NGX_HTTP_LONGPOLL_PUBLISH_H_INCLUDED_ */
