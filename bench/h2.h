
/*
 * h2.h: HTTP/2 in place of HTTP/1.1, below a connection's requests and answers.
 */


#ifndef BENCH_H2_H
#define BENCH_H2_H


/* a new connection: its first request has the preface in front */

void h2_init(conn_t *c);

/* frames of a request of HTTP/1.1, until the next call */

buf_t *h2_request(conn_t *c, const char *text);

/*
 * What came, after what was left of it before, as text of HTTP/1.1 with chunks,
 * until the next call.
 */

buf_t *h2_answer(conn_t *c, const char *data, size_t len);


#endif /* BENCH_H2_H */
