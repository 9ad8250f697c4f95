
/*
 * ngx_http_longpoll_category.h: the categories of a request.
 */


#ifndef _NGX_HTTP_LONGPOLL_CATEGORY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CATEGORY_H_INCLUDED_


#include "ngx_http_longpoll_http.h"
#include "ngx_http_longpoll_query.h"


/*
 * The values of longpoll_category for this request, from its pool.
 *
 * NGX_OK        conf is set
 * NGX_DECLINED  there is no longpoll_category here: the client names the
 *               categories
 * NGX_ERROR     no memory
 */
ngx_int_t ngx_http_longpoll_category_values(ngx_http_request_t *r,
    ngx_http_longpoll_configured_t *conf);

/*
 * The categories of a request, with their hashes under the zone's key: from
 * longpoll_category if it is set, otherwise from the arguments "category".
 * (A poll of golongpoll reads its other arguments in the same pass, by
 * ngx_http_longpoll_query_parse(), and calls only the parts of this.)
 *
 * NGX_OK        *cats and *ncats are set; the array has room for one more
 * NGX_DECLINED  there is none, or an invalid one: *error
 * NGX_ABORT     there are more than 64: *error.  (A publish refuses with this
 *               text, but with another one instead of NGX_DECLINED's.)
 * NGX_ERROR     no memory
 */
ngx_int_t ngx_http_longpoll_category_read(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_cat_t **cats,
    ngx_uint_t *ncats, ngx_str_t *error);

/* the same, from the arguments alone; without a zone no hashes are set */
ngx_int_t ngx_http_longpoll_category_args(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_cat_t **cats,
    ngx_uint_t *ncats, ngx_str_t *error);

/*
 * The parts.  _buffer: memory for the arguments that have to be decoded, NULL
 * if there are none; NGX_ERROR: no memory.  _hash: the hashes of n names.
 */
ngx_int_t ngx_http_longpoll_category_buffer(ngx_http_request_t *r,
    u_char **buf);
void ngx_http_longpoll_category_hash(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_uint_t n);


#endif /* _NGX_HTTP_LONGPOLL_CATEGORY_H_INCLUDED_ */
