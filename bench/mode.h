
/*
 * mode.h: what mode.c has for the other modes.
 *
 * mode_quiet() returns when the server has nothing to do and nothing more has
 * come, in so many looks, one behind the other and 2 ms each.  mode_send()
 * publishes the next event of c's category.
 */


#ifndef MODE_H
#define MODE_H


extern conn_t    *conns;
extern uint32_t  *published;            /* events of each category */
extern uint64_t   done;


void mode_quiet(unsigned looks);
void mode_measure_begin(void);
void mode_measure_end(void);
void mode_run_until(uint64_t *what, uint64_t wanted);
conn_t *mode_open_some(unsigned n, unsigned first, int fast);
void mode_send(conn_t *c, answer_pt answer);


#endif /* MODE_H */
