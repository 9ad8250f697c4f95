
/*
 * ngx_http_longpoll_discard.h: waits for the body of a request that needs none,
 * and throws it away.
 */


#ifndef _NGX_HTTP_LONGPOLL_DISCARD_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_DISCARD_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/*
 * A content handler calls this before anything else.
 *
 * NGX_OK     there is no body to wait for
 * NGX_DONE   the content handler returns this, and is called again when the
 *            body has come
 * otherwise  the status to finalize the request with
 */
ngx_int_t ngx_http_longpoll_discard(ngx_http_request_t *r);


#endif /* _NGX_HTTP_LONGPOLL_DISCARD_H_INCLUDED_ */
