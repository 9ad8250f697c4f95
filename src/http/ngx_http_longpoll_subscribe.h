
/*
 * ngx_http_longpoll_subscribe.h: polls, from the request to the answer.
 */


#ifndef _NGX_HTTP_LONGPOLL_SUBSCRIBE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_SUBSCRIBE_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/* content handler of GET and HEAD on a subscribe location */
ngx_int_t ngx_http_longpoll_subscribe_handler(ngx_http_request_t *r);

/* in a worker: ready to park polls for the zones of the configuration */
ngx_int_t ngx_http_longpoll_subscribe_init_process(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_LONGPOLL_SUBSCRIBE_H_INCLUDED_ */
