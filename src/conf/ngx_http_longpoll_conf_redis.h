
/*
 * ngx_http_longpoll_conf_redis.h: the parameters of longpoll_zone for a zone
 * over Redis.
 */


#ifndef _NGX_HTTP_LONGPOLL_CONF_REDIS_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CONF_REDIS_H_INCLUDED_


#include "ngx_http_longpoll_cluster.h"


/*
 * Before any argument is shown: whether none has a password, whatever it may
 * be called.  NGX_CONF_OK, or NGX_CONF_ERROR, which is logged.
 */
char *ngx_http_longpoll_conf_redis_secrets(ngx_conf_t *cf);

/*
 * Reads "redis=URL", "auth=FILE" or "ca=FILE".  NGX_OK; NGX_ERROR, which is
 * logged; NGX_DECLINED: it is another parameter.
 */
ngx_int_t ngx_http_longpoll_conf_redis(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *value);

/*
 * When all parameters of the zone are read: sets what was not set, and the keys
 * in Redis.  The numbers of cluster are NGX_HTTP_LONGPOLL_CONF_REDIS_UNSET at
 * first.  NGX_CONF_OK, or NGX_CONF_ERROR, which is logged.
 */
#define NGX_HTTP_LONGPOLL_CONF_REDIS_UNSET  ((uint64_t) -1)
char *ngx_http_longpoll_conf_redis_complete(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *zone, size_t size);


#endif /* _NGX_HTTP_LONGPOLL_CONF_REDIS_H_INCLUDED_ */
