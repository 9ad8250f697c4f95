
/*
 * ngx_http_longpoll_cluster.h: where the Redis of a zone is, and how the zone
 * uses it, as the configuration says.
 *
 * The configuration makes one of these for each zone with "redis", which leads
 * to it (z->cluster, NULL for any other zone).  It lives as long as its cycle,
 * and nobody changes it but for feed and relay, each its own word.  The
 * password is here alone: it is never logged.
 */


#ifndef _NGX_HTTP_LONGPOLL_CLUSTER_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CLUSTER_H_INCLUDED_


#include "ngx_http_longpoll_store.h"

#include <ngx_http.h>


typedef enum {
    NGX_HTTP_LONGPOLL_CLUSTER_TCP = 0,              /* redis:// */
    NGX_HTTP_LONGPOLL_CLUSTER_TLS,                  /* rediss:// */
    NGX_HTTP_LONGPOLL_CLUSTER_UNIX,                 /* unix: */
    NGX_HTTP_LONGPOLL_CLUSTER_SENTINEL              /* sentinel:// */
} ngx_http_longpoll_cluster_e;


/* a Redis, or a Sentinel */

typedef struct {
    ngx_str_t                        host;      /* a name or an address without
                                                   brackets, or the path of a
                                                   socket; ends with NUL */
    in_port_t                        port;      /* 0: a socket */
    ngx_str_t                        name;      /* HOST:PORT for logs, or
                                                   unix:PATH; ends with NUL */

    /* as resolved when the configuration was read; an address has one */
    ngx_addr_t                      *addrs;
    ngx_uint_t                       naddrs;
    ngx_uint_t                       numeric;   /* host is no name */
} ngx_http_longpoll_cluster_server_t;


typedef struct ngx_http_longpoll_cluster_s {
    ngx_http_longpoll_cluster_e      kind;
    ngx_str_t                        url;       /* as configured; it has no
                                                   password */

    ngx_http_longpoll_cluster_server_t
                                    *servers;   /* one, or the Sentinels */
    ngx_uint_t                       nservers;
    ngx_str_t                        master;    /* the name that Sentinels know
                                                   it by */
    ngx_str_t                        db;        /* a number, for SELECT */
    ngx_str_t                        user;      /* empty: AUTH has one
                                                   argument */
    ngx_str_t                        password;  /* empty: no AUTH */
    ngx_str_t                        ca;        /* a file for TLS; empty: the
                                                   system's */

    /* the keys in Redis: PREFIX:{ZONE}:log, :life, :number, and :key: before
       a hash */
    ngx_str_t                        log;
    ngx_str_t                        life;
    ngx_str_t                        number;
    ngx_str_t                        key;

    uint64_t                         keep;      /* bytes of the stream */
    uint64_t                         keys;      /* ms that a key is known */
    uint64_t                         replicas;  /* WAIT; 0: none */
    uint64_t                         timeout;   /* ms */
    uint64_t                         same;      /* restart=same */

    void                            *tls;       /* cluster/tls's; NULL: without
                                                   rediss:// */
    ngx_resolver_t                  *resolver;  /* of http; NULL: none */
    ngx_msec_t                       resolver_timeout;

    /* of this worker */
    void                            *feed;      /* cluster/feed's */
    void                            *relay;     /* cluster/relay's */
} ngx_http_longpoll_cluster_t;


#endif /* _NGX_HTTP_LONGPOLL_CLUSTER_H_INCLUDED_ */
