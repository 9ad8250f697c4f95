
/*
 * ngx_http_longpoll_list.h: the categories of a zone, for operators, page by
 * page.
 */


#ifndef _NGX_HTTP_LONGPOLL_LIST_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LIST_H_INCLUDED_


#include "ngx_http_longpoll_http.h"
#include "ngx_http_longpoll_page.h"


typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_http_longpoll_page_t         page;      /* what is asked for */
    ngx_http_longpoll_uuid_t         cursor;    /* of the first page: the
                                                   zone's newest place before
                                                   anything was read */
} ngx_http_longpoll_list_t;


/*
 * Reads the arguments of a request for the status.
 *
 * NGX_OK        *list, from the request's pool; NULL: no list is asked for
 * NGX_DECLINED  the request is wrong: *error
 * NGX_ERROR     no memory
 */
ngx_int_t ngx_http_longpoll_list_read(ngx_http_request_t *r,
    ngx_http_longpoll_list_t **list, ngx_str_t *error);

/*
 * Sends the page, once the workers of the set alive have answered the question
 * with this number about all places from list->page.from on, or have not in
 * time.  Returns what to finalize the request with.
 *
 * NGX_AGAIN  with patient: an answer was replaced by another one, so the
 *            workers are to be asked anew
 */
ngx_int_t ngx_http_longpoll_list_send(ngx_http_request_t *r,
    ngx_http_longpoll_list_t *list, uint64_t number, uint64_t alive,
    ngx_uint_t patient);


#endif /* _NGX_HTTP_LONGPOLL_LIST_H_INCLUDED_ */
