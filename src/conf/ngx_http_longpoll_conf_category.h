
/*
 * ngx_http_longpoll_conf_category.h: the directive longpoll_category.
 */


#ifndef _NGX_HTTP_LONGPOLL_CONF_CATEGORY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CONF_CATEGORY_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/* NGX_CONF_OK; a text for nginx to log; or NGX_CONF_ERROR, which is logged */
char *ngx_http_longpoll_conf_category(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_LONGPOLL_CONF_CATEGORY_H_INCLUDED_ */
