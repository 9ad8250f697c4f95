
/*
 * ngx_http_longpoll_variable.h: $longpoll_...
 */


#ifndef _NGX_HTTP_LONGPOLL_VARIABLE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_VARIABLE_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/* preconfiguration */
ngx_int_t ngx_http_longpoll_variable_add(ngx_conf_t *cf);


#endif /* _NGX_HTTP_LONGPOLL_VARIABLE_H_INCLUDED_ */
