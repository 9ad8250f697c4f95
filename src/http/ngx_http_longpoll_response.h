
/*
 * ngx_http_longpoll_response.h: bytes -> client.
 *
 * Each call sends a whole answer and returns what the request is to be
 * finalized with.
 */


#ifndef _NGX_HTTP_LONGPOLL_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_RESPONSE_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/* an answer's bytes on the heap, for several requests at once */

typedef struct {
    ngx_uint_t                       refs;
    ngx_uint_t                       missed;    /* the owner's */
    size_t                           len;
    u_char                           data[1];
} ngx_http_longpoll_shared_t;


/* one reference is the caller's; NULL: no memory */
ngx_http_longpoll_shared_t *ngx_http_longpoll_response_share(size_t len,
    ngx_log_t *log);
void ngx_http_longpoll_response_unshare(ngx_http_longpoll_shared_t *shared);

/* the caller's reference becomes the request's */
ngx_int_t ngx_http_longpoll_response_shared(ngx_http_request_t *r,
    ngx_http_longpoll_shared_t *shared);

/* body: from the request's pool, or constant */
ngx_int_t ngx_http_longpoll_response_json(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);

/* the same with another type, for text */
ngx_int_t ngx_http_longpoll_response_text(ngx_http_request_t *r,
    ngx_str_t *type, ngx_str_t *body);

/*
 * Plain text in UTF-8: with these bytes, whose reference becomes the
 * request's; with a body, where status is not 204; headers alone.
 */
ngx_int_t ngx_http_longpoll_response_plain_shared(ngx_http_request_t *r,
    ngx_http_longpoll_shared_t *shared);
ngx_int_t ngx_http_longpoll_response_plain(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);
ngx_int_t ngx_http_longpoll_response_plain_head(ngx_http_request_t *r);

/* headers alone, as a poll's events would have (HEAD) */
ngx_int_t ngx_http_longpoll_response_head(ngx_http_request_t *r);

/* {"success": true} */
ngx_int_t ngx_http_longpoll_response_success(ngx_http_request_t *r);

/* {"error": "text"} */
ngx_int_t ngx_http_longpoll_response_error(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *text);

/* 405 with {"error": "text"}, or to OPTIONS 204; both with Allow */
ngx_int_t ngx_http_longpoll_response_method(ngx_http_request_t *r,
    ngx_str_t *allow, ngx_str_t *text);

/* one more header, before any of the above; the value is kept */
ngx_int_t ngx_http_longpoll_response_header(ngx_http_request_t *r,
    ngx_str_t *key, ngx_str_t *value);


#endif /* _NGX_HTTP_LONGPOLL_RESPONSE_H_INCLUDED_ */
