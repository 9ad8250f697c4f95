
/*
 * tls.h: TLS of a connection whose socket is connected.
 */


#ifndef BENCH_TLS_H
#define BENCH_TLS_H


/* shakes hands, and makes the socket one that does not block */

void tls_connect(conn_t *c);
void tls_close(conn_t *c);

/* as send(2) and recv(2) without waiting: -1 with errno, or 0 at the end */

ssize_t tls_send(conn_t *c, const char *data, size_t len);
ssize_t tls_recv(conn_t *c, char *data, size_t size);


#endif /* BENCH_TLS_H */
