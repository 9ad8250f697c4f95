
/*
 * ngx_http_longpoll_conf_content.h: a location with directives of the module
 * has no other directive that answers its requests.
 */


#ifndef _NGX_HTTP_LONGPOLL_CONF_CONTENT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CONF_CONTENT_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/*
 * The directive gives its block the handler.  NGX_CONF_OK, or NGX_CONF_ERROR,
 * which is logged: another directive has given it one.
 */
char *ngx_http_longpoll_conf_content_set(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_longpoll_loc_conf_t *llcf, ngx_http_handler_pt handler);

/*
 * When the block is read, and before it inherits: whether its handler is still
 * there, and is reached.  NGX_CONF_OK, or NGX_CONF_ERROR, which is logged.
 */
char *ngx_http_longpoll_conf_content_check(ngx_conf_t *cf,
    ngx_http_longpoll_loc_conf_t *llcf);


#endif /* _NGX_HTTP_LONGPOLL_CONF_CONTENT_H_INCLUDED_ */
