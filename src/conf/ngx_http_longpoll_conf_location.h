
/*
 * ngx_http_longpoll_conf_location.h: the directives that give a
 * location its handler.
 */


#ifndef _NGX_HTTP_LONGPOLL_CONF_LOCATION_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CONF_LOCATION_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/*
 * longpoll_subscribe, longpoll_publish, longpoll_delete, longpoll_status:
 * NGX_CONF_OK; a text for nginx to log; or NGX_CONF_ERROR, which is logged.
 */

char *ngx_http_longpoll_conf_location_subscribe(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_longpoll_conf_location_publish(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_longpoll_conf_location_delete(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_longpoll_conf_location_status(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);



#endif /* _NGX_HTTP_LONGPOLL_CONF_LOCATION_H_INCLUDED_ */
