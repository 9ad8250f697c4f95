
/*
 * ngx_http_longpoll_category.h: longpoll_category, the categories that the
 * configuration names.
 */


#ifndef _NGX_HTTP_LONGPOLL_CATEGORY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CATEGORY_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/* the directive */
char *ngx_http_longpoll_category(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * What the directive's values are for this request, from its pool.
 *
 * NGX_OK        given is set
 * NGX_DECLINED  no longpoll_category here: the request names its own
 * NGX_ERROR     no memory
 */
ngx_int_t ngx_http_longpoll_category_configured(ngx_http_request_t *r,
    ngx_http_longpoll_configured_t *given);


#endif /* _NGX_HTTP_LONGPOLL_CATEGORY_H_INCLUDED_ */
