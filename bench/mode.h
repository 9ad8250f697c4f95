
/*
 * mode.h: the modes, and what mode.c does for all of them.
 *
 * A mode is a whole run.  When it returns, the number of operations, the times
 * and the samples before and after are set (base.h).
 */


#ifndef BENCH_MODE_H
#define BENCH_MODE_H


void mode_get(void);
void mode_burst(void);
void mode_park(void);

/* mode_publish.c */

void mode_publish(void);
void mode_asked(void);
void mode_catchup(void);
void mode_store(void);

/* mode_deliver.c */

void mode_fanout(void);
void mode_lockstep(void);
void mode_own(void);

/* mode_churn.c */

void mode_churn(void);


/* for the modes */

extern conn_t    *conns;
extern uint32_t  *published;            /* events of each category */
extern uint64_t   done;


/*
 * Returns when the server has nothing to do and nothing more came, in so many
 * looks in a row of 2 ms each.
 */

void mode_quiet(unsigned looks);

/* take the samples before and after, each when the server is quiet */

void mode_measure_begin(void);
void mode_measure_end(void);

/* runs the loop until *what is as large as wanted */

void mode_run_until(uint64_t *what, uint64_t wanted);

/* on a terminal, shows how far the run is */

void mode_progress(uint64_t n, uint64_t all);

/* n connections, numbered from first on */

conn_t *mode_open_some(unsigned n, unsigned first, int fast);

/*
 * n connections, numbered from first on, each of which asks for events of one
 * of so many categories as soon as it is there
 */

void mode_come(conn_t *c, unsigned first, unsigned n, unsigned cats,
    answer_pt answer);

/*
 * Asks for events of c's category: by a stream with -e, otherwise by a poll.
 * When something came, mode_received() looks through it and returns how many
 * events there were, or -1; mode_again() sends the next poll.
 */

void mode_ask(conn_t *c, answer_pt answer);
int mode_received(conn_t *c);
void mode_again(conn_t *c, answer_pt answer);

/* publishes the next event of c's category */

void mode_send(conn_t *c, answer_pt answer);


#endif /* BENCH_MODE_H */
