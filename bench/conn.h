
/*
 * conn.h: connections, each with one request under way at most, and the loop.
 */


#ifndef BENCH_CONN_H
#define BENCH_CONN_H


/* how many events the loop has handled, and what it calls between them */

extern uint64_t           loop_events;
extern void             (*loop_tick)(void);


/* takes the URL apart, and finds the servers' addresses and processes */

void conn_init(const char *url);

void loop_init(void);

/* waits for ms milliseconds at most, and handles what came */

void loop_turn(int ms);

/* nanoseconds of the monotonic clock */

uint64_t loop_now(void);

/* `server` is a place in the URL's list, which begins again behind its end */

void conn_open(conn_t *c, unsigned number, unsigned server, int fast);
void conn_close(conn_t *c);

/* sends a request; answer() is called when its answer is whole */

void conn_request(conn_t *c, answer_pt answer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void conn_get(conn_t *c, answer_pt answer, const char *path);

/*
 * The answer to the request that was just sent is a stream: answer() is called
 * whenever some of its frames are whole, with these in c->body.
 */

void conn_stream(conn_t *c);

/* copies a header of the answer to value; returns 0 if there is none */

int conn_header(conn_t *c, const char *name, char *value, size_t size);


#endif /* BENCH_CONN_H */
