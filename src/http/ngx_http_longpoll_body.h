
/*
 * ngx_http_longpoll_body.h: the body of a publish -> categories and messages.
 */


#ifndef _NGX_HTTP_LONGPOLL_BODY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_BODY_H_INCLUDED_


#include "ngx_http_longpoll_batch.h"
#include "ngx_http_longpoll_http.h"


/*
 * Reads the body that nginx has read.  The bytes stay in it or come from the
 * request's pool; the hashes are under the zone's key.
 *
 * NGX_OK        batch is set
 * NGX_DECLINED  the publish is invalid: *error
 * NGX_ERROR     no memory, or the body's file cannot be read (that is logged)
 */
ngx_int_t ngx_http_longpoll_body_batch(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_batch_t *batch,
    ngx_str_t *error);


#endif /* _NGX_HTTP_LONGPOLL_BODY_H_INCLUDED_ */
