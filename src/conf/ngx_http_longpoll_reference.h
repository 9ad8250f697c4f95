
/*
 * ngx_http_longpoll_reference.h: the zones that the configuration names.
 */


#ifndef _NGX_HTTP_LONGPOLL_REFERENCE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_REFERENCE_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/*
 * The reference to the zone of that name: the one there is, or else a new one
 * for this directive, with an empty zone.  NULL: no memory.  The pointer leads
 * into an array, which the next call may move.
 */
ngx_http_longpoll_reference_t *ngx_http_longpoll_reference_get(ngx_conf_t *cf,
    ngx_str_t *name, ngx_str_t *directive);

/*
 * At the end of http: whether every zone is declared, and fits the locations
 * that use it.  NGX_OK, or NGX_ERROR, which is logged.
 */
ngx_int_t ngx_http_longpoll_reference_check(ngx_conf_t *cf,
    ngx_http_longpoll_main_conf_t *lmcf);

/* the line of the directive that is being read */
void ngx_http_longpoll_reference_line(ngx_conf_t *cf,
    ngx_http_longpoll_conf_line_t *line);



#endif /* _NGX_HTTP_LONGPOLL_REFERENCE_H_INCLUDED_ */
