
/*
 * ngx_http_longpoll_response.h: sends an answer.
 *
 * Each function sends a whole answer, and returns what to finalize the request
 * with, unless it says otherwise.
 */


#ifndef _NGX_HTTP_LONGPOLL_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_RESPONSE_H_INCLUDED_


#include "ngx_http_longpoll_shared.h"


/*
 * JSON; the request takes over the caller's reference, on errors as well.  What
 * its client does not take at once is handed to unsent.
 */
ngx_int_t ngx_http_longpoll_response_shared(ngx_http_request_t *r,
    ngx_http_longpoll_shared_t *shared);

/* the body is from the request's pool, or constant */
ngx_int_t ngx_http_longpoll_response_json(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);

/* status 200 with another type, which ends in "; charset=utf-8" */
ngx_int_t ngx_http_longpoll_response_typed(ngx_http_request_t *r,
    ngx_str_t *type, ngx_str_t *body);

/*
 * Plain text in UTF-8.  _shared: as above.  plain: a body, unless the status is
 * 204.  _head: the headers alone.
 */
ngx_int_t ngx_http_longpoll_response_plain_shared(ngx_http_request_t *r,
    ngx_http_longpoll_shared_t *shared);
ngx_int_t ngx_http_longpoll_response_plain(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);
ngx_int_t ngx_http_longpoll_response_plain_to_head(ngx_http_request_t *r);

/* to HEAD: the headers that the events of a poll would have */
ngx_int_t ngx_http_longpoll_response_to_head(ngx_http_request_t *r);

/*
 * The head of an event stream, or all of it to HEAD.  NGX_OK; or NGX_AGAIN, if
 * the client has not taken it yet; otherwise, and if r->header_only is set, the
 * request is to be finalized with the result.
 */
ngx_int_t ngx_http_longpoll_response_stream(ngx_http_request_t *r);

/* {"success": true} */
ngx_int_t ngx_http_longpoll_response_success(ngx_http_request_t *r);

/* {"error": "text"} */
ngx_int_t ngx_http_longpoll_response_error(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *text);

/* to OPTIONS 204, to any other method 405 with {"error": "text"}; Allow */
ngx_int_t ngx_http_longpoll_response_method(ngx_http_request_t *r,
    ngx_str_t *allow, ngx_str_t *text);

/*
 * Adds a header; call it before any function above.  The value is not copied.
 * NGX_OK, or NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_longpoll_response_add_header(ngx_http_request_t *r,
    ngx_str_t *key, ngx_str_t *value);


#endif /* _NGX_HTTP_LONGPOLL_RESPONSE_H_INCLUDED_ */
