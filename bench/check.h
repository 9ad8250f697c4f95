
/*
 * check.h: is what came what should have come?
 *
 * The data of an event begins with a mark: its run, its publisher, its category
 * and its number there.
 */


#ifndef BENCH_CHECK_H
#define BENCH_CHECK_H


/* makes the tag of this run and the letters of the data */

void check_init(void);

/* the data of an event, until the next call */

const char *check_data(unsigned publisher, unsigned cat, unsigned seq);

/*
 * Looks through the answer to a poll and moves the connection's window.
 * Returns how many events of its category there were, or -1 if this was no
 * answer to a poll, which is counted.
 */

int check_poll(conn_t *c);

/* looks through frames of a stream in the same way; -1: they are none */

int check_frames(conn_t *c);

/* counts n events, or an answer, to a poll or a stream that should be parked */

void check_parked(conn_t *c, int n);

/* counts an answer to a publish that is not the protocol's success */

void check_published(conn_t *c);

/* counts an answer that differs from the first one */

void check_same(conn_t *c);

/* events of c's category are expected from this number on */

void check_window(conn_t *c, uint64_t next);

/* counts what was published and did not come */

void check_lost(conn_t *c, uint64_t published);

/* true if anything was wrong in this run */

int check_wrong(void);


#endif /* BENCH_CHECK_H */
