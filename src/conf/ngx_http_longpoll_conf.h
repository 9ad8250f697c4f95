
/*
 * ngx_http_longpoll_conf.h: the configuration of http and of a location.
 */


#ifndef _NGX_HTTP_LONGPOLL_CONF_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CONF_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


#define NGX_HTTP_LONGPOLL_CONF_DUPLICATE                                      \
    "duplicate parameter \"%V\", it may be there once"


/* NULL: no memory */
void *ngx_http_longpoll_conf_create_main(ngx_conf_t *cf);
void *ngx_http_longpoll_conf_create_loc(ngx_conf_t *cf);

/* NGX_CONF_OK, or NGX_CONF_ERROR, which is logged */
char *ngx_http_longpoll_conf_init_main(ngx_conf_t *cf, void *conf);
char *ngx_http_longpoll_conf_merge_loc(ngx_conf_t *cf, void *parent,
    void *child);

/* a time in milliseconds, a size: as nginx's own, but say what to write */
char *ngx_http_longpoll_conf_time(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_longpoll_conf_size(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* longpoll_stream on|off|TIME */
char *ngx_http_longpoll_conf_stream(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* longpoll_error_status STATUS */
char *ngx_http_longpoll_conf_error_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * When the whole configuration is read: whether a worker has a connection for
 * itself, beside the listening sockets' and nginx's own.  NGX_OK, or NGX_ERROR,
 * which is logged.
 */
ngx_int_t ngx_http_longpoll_conf_check_connections(ngx_cycle_t *cycle);

/* the bounds of directives */
extern ngx_conf_post_t  ngx_http_longpoll_conf_max_timeout;
extern ngx_conf_post_t  ngx_http_longpoll_conf_max_unsent;



#endif /* _NGX_HTTP_LONGPOLL_CONF_H_INCLUDED_ */
