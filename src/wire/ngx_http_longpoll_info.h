
/*
 * ngx_http_longpoll_info.h: what a Redis says of itself, its answer to INFO.
 */


#ifndef _NGX_HTTP_LONGPOLL_INFO_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_INFO_H_INCLUDED_


#include "ngx_http_longpoll.h"


typedef struct {
    ngx_str_t                        run_id;    /* another at each start */
    ngx_str_t                        replid;    /* another at each promotion,
                                                   and when it gets the first
                                                   replica */
    ngx_str_t                        policy;    /* maxmemory_policy; or none */
    ngx_uint_t                       major;     /* of redis_version */
    unsigned                         unpromoted:1;  /* it never took over from
                                                   another, as far as it knows:
                                                   master_replid2 is zeros */
    unsigned                         master:1;
    unsigned                         cluster:1; /* Redis Cluster */
    unsigned                         loading:1; /* its data, from disk */
} ngx_http_longpoll_info_t;


/*
 * Reads the answer; the texts point into it.  NGX_OK; NGX_DECLINED: what is
 * needed is not there, or is no word (run_id, replid).
 */
ngx_int_t ngx_http_longpoll_info_parse(ngx_http_longpoll_info_t *info,
    ngx_str_t *text);


#endif /* _NGX_HTTP_LONGPOLL_INFO_H_INCLUDED_ */
