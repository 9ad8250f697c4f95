
/*
 * ngx_http_longpoll_tls.c: TLS to a Redis, as nginx does it.
 *
 *     create ──▶ connect ──▶ verify ──▶ close
 *
 * The peer must have a certificate for the host of the URL, a name or an
 * address, from one of the authorities of "ca".  The handshake does not look at
 * it (nginx proxies the same way), so verify must be asked.
 */


#include "ngx_http_longpoll_tls.h"

#include <ngx_event.h>


#if (NGX_SSL)


/* certificates between the peer's and an authority's */
#define NGX_HTTP_LONGPOLL_TLS_DEPTH  10


ngx_uint_t
ngx_http_longpoll_tls_available(void)
{
    return 1;
}


ngx_int_t
ngx_http_longpoll_tls_create(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_ERROR;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (cluster->ca.len) {

        if (ngx_ssl_trusted_certificate(cf, ssl, &cluster->ca,
                                        NGX_HTTP_LONGPOLL_TLS_DEPTH)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else if (SSL_CTX_set_default_verify_paths(ssl->ctx) == 0) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return NGX_ERROR;
    }

    cluster->tls = ssl;

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_tls_connect(ngx_http_longpoll_cluster_t *cluster,
    ngx_http_longpoll_cluster_server_t *server, ngx_connection_t *c,
    ngx_connection_handler_pt handler)
{
    ngx_int_t  rc;

    if (ngx_ssl_create_connection(cluster->tls, c, NGX_SSL_CLIENT) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!server->numeric
        && SSL_set_tlsext_host_name(c->ssl->connection,
                                    (char *) server->host.data)
           == 0)
    {
        return NGX_ERROR;
    }

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = handler;
    }

    return rc;
}


const char *
ngx_http_longpoll_tls_verify(ngx_http_longpoll_cluster_server_t *server,
    ngx_connection_t *c)
{
    int    match;
    long   rc;
    X509  *cert;

    if (c->ssl == NULL || !c->ssl->handshaked) {
        return "the TLS handshake failed";
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        return X509_verify_cert_error_string(rc);
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);

    if (cert == NULL) {
        return "it has no certificate";
    }

    match = server->numeric
            ? X509_check_ip_asc(cert, (char *) server->host.data, 0)
            : X509_check_host(cert, (char *) server->host.data,
                              server->host.len, 0, NULL);

    X509_free(cert);

    return match == 1 ? NULL : "its certificate is for another host";
}


void
ngx_http_longpoll_tls_close(ngx_connection_t *c)
{
    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;

        (void) ngx_ssl_shutdown(c);
    }
}


#else


ngx_uint_t
ngx_http_longpoll_tls_available(void)
{
    return 0;
}


ngx_int_t
ngx_http_longpoll_tls_create(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster)
{
    return NGX_ERROR;
}


ngx_int_t
ngx_http_longpoll_tls_connect(ngx_http_longpoll_cluster_t *cluster,
    ngx_http_longpoll_cluster_server_t *server, ngx_connection_t *c,
    ngx_connection_handler_pt handler)
{
    return NGX_ERROR;
}


const char *
ngx_http_longpoll_tls_verify(ngx_http_longpoll_cluster_server_t *server,
    ngx_connection_t *c)
{
    return "this nginx has no TLS";
}


void
ngx_http_longpoll_tls_close(ngx_connection_t *c)
{
}


#endif
