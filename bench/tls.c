
/*
 * tls.c: TLS of a connection, by OpenSSL.
 *
 * The server's certificate is not verified.  The handshake waits for the
 * server; after it nothing waits.
 *
 * A record is read as a whole, into a buffer that is larger than any.  So what
 * is not read yet is in the socket, where epoll sees it.
 */


#include "base.h"
#include "tls.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>


static const unsigned char  h2[] = "\2h2";

static SSL_CTX             *ctx;


static void
tls_init(void)
{
    ctx = bench_need(SSL_CTX_new(TLS_client_method()));

    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE
                          |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                          |SSL_MODE_RELEASE_BUFFERS);

    if (opt.h2 && SSL_CTX_set_alpn_protos(ctx, h2, sizeof(h2) - 1) != 0) {
        bench_die("no ALPN");
    }
}


void
tls_connect(conn_t *c)
{
    SSL  *ssl;

    if (ctx == NULL) {
        tls_init();
    }

    ssl = bench_need(SSL_new(ctx));
    c->tls = ssl;

    if (SSL_set_fd(ssl, c->fd) != 1 || SSL_connect(ssl) != 1
        || fcntl(c->fd, F_SETFL, O_NONBLOCK) == -1)
    {
        bench_die("connection %u: no TLS: %s", c->number,
                  ERR_error_string(ERR_get_error(), NULL));
    }
}


void
tls_close(conn_t *c)
{
    SSL_free(c->tls);
    c->tls = NULL;
}


static ssize_t
tls_result(conn_t *c, int n)
{
    if (n > 0) {
        return n;
    }

    switch (SSL_get_error(c->tls, n)) {

    case SSL_ERROR_ZERO_RETURN:
        return 0;

    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;

    default:
        errno = errno ? errno : EPROTO;
        return -1;
    }
}


ssize_t
tls_send(conn_t *c, const char *data, size_t len)
{
    ERR_clear_error();
    errno = 0;

    return tls_result(c, SSL_write(c->tls, data, len));
}


ssize_t
tls_recv(conn_t *c, char *data, size_t size)
{
    ERR_clear_error();
    errno = 0;

    return tls_result(c, SSL_read(c->tls, data, size));
}
