
/*
 * h2.h: HTTP/2 in place of HTTP/1.1, below a connection's requests and answers.
 */


#ifndef BENCH_H2_H
#define BENCH_H2_H


/* a session, for as long as the connection is open */

void h2_open(conn_t *c);
void h2_close(conn_t *c);

/* takes a request of HTTP/1.1; copies what it needs */

void h2_request(conn_t *c, const char *text);

/*
 * The frames that may be sent now, until the next call.  A part of a body may
 * have to wait for the server, so ask again after each h2_answer().
 */

buf_t *h2_frames(conn_t *c);

/*
 * What came, as text of HTTP/1.1 with chunks, until the next call.  Sets
 * c->closing if the server takes no further request.
 */

buf_t *h2_answer(conn_t *c, const char *data, size_t len);


#endif /* BENCH_H2_H */
