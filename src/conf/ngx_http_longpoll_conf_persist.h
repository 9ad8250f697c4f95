
/*
 * ngx_http_longpoll_conf_persist.h: the parameter "persist" of longpoll_zone.
 */


#ifndef _NGX_HTTP_LONGPOLL_CONF_PERSIST_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CONF_PERSIST_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/*
 * Reads "persist=PATH" into path, and checks what can be checked now: that the
 * files can be files, and are no other zone's.  NGX_CONF_OK, or NGX_CONF_ERROR,
 * which is logged.
 */
char *ngx_http_longpoll_conf_persist(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *path);

/*
 * Whether the file belongs to no zone of another name that runs now.
 * NGX_CONF_OK, or NGX_CONF_ERROR, which is logged.
 */
char *ngx_http_longpoll_conf_persist_running(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *path);

/*
 * When the whole configuration is read, so that the workers' user is known:
 * whether that user can create files in the directory.  NGX_OK, or NGX_ERROR,
 * which is logged.
 */
ngx_int_t ngx_http_longpoll_conf_persist_check(ngx_http_longpoll_zone_t *z,
    ngx_log_t *log);


#endif /* _NGX_HTTP_LONGPOLL_CONF_PERSIST_H_INCLUDED_ */
