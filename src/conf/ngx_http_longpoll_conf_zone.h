
/*
 * ngx_http_longpoll_conf_zone.h: the directive longpoll_zone.
 */


#ifndef _NGX_HTTP_LONGPOLL_CONF_ZONE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CONF_ZONE_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/*
 * Declares a zone: adds the shared memory to nginx's, and fills in the zone of
 * the reference.  The caller sets shm_zone->init of each reference later.
 * NGX_CONF_OK, or NGX_CONF_ERROR, which is logged.
 */
char *ngx_http_longpoll_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);



#endif /* _NGX_HTTP_LONGPOLL_CONF_ZONE_H_INCLUDED_ */
