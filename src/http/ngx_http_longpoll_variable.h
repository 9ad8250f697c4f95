
/*
 * ngx_http_longpoll_variable.h: the variables $longpoll_...
 */


#ifndef _NGX_HTTP_LONGPOLL_VARIABLE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_VARIABLE_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/* preconfiguration: declares the variables; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_longpoll_variable_add(ngx_conf_t *cf);


#endif /* _NGX_HTTP_LONGPOLL_VARIABLE_H_INCLUDED_ */
