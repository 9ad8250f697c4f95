
/*
 * ngx_http_longpoll_tls.h: TLS to a Redis, as nginx does it.
 */


#ifndef _NGX_HTTP_LONGPOLL_TLS_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_TLS_H_INCLUDED_


#include "ngx_http_longpoll_cluster.h"


/* whether this nginx has TLS; without it the others return errors */
ngx_uint_t ngx_http_longpoll_tls_available(void);

/*
 * Sets cluster->tls, with the certificates of cluster->ca, or the system's.
 * NGX_OK, or NGX_ERROR, which is logged.
 */
ngx_int_t ngx_http_longpoll_tls_create(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster);

/*
 * Begins TLS on a connection with a pool.
 *
 * NGX_OK     the handshake is over
 * NGX_AGAIN  handler is called when it is, or when a timer of the connection
 *            has fired; until then the connection's handlers are nginx's
 * NGX_ERROR  it has failed
 */
ngx_int_t ngx_http_longpoll_tls_connect(ngx_http_longpoll_cluster_t *cluster,
    ngx_http_longpoll_cluster_server_t *server, ngx_connection_t *c,
    ngx_connection_handler_pt handler);

/* after the handshake: NULL, or why the peer is not the server */
const char *ngx_http_longpoll_tls_verify(
    ngx_http_longpoll_cluster_server_t *server, ngx_connection_t *c);

/* in front of ngx_close_connection(): frees what TLS has of the connection */
void ngx_http_longpoll_tls_close(ngx_connection_t *c);


#endif /* _NGX_HTTP_LONGPOLL_TLS_H_INCLUDED_ */
