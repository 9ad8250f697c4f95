
/*
 * crowd.h: further processes that hold a part of the polls.
 *
 * crowd_begin() returns in each process with its share of the connections: in
 * the first one it returns 0, and that process calls crowd_await() and
 * crowd_end(); the others call crowd_serve() and crowd_leave(), which does not
 * return.  Without further processes this one is the first.
 */


#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H


/* shared memory of all processes of a crowd */

typedef struct {
    volatile int          go, end;
    volatile unsigned     ready;
    volatile uint64_t     events;
    volatile uint64_t     delivered;
    volatile uint64_t     published_at;
    volatile uint64_t     published;    /* in the category of the fan-out */
    count_t               count;
    uint64_t              room;         /* of times; 0: one process only */
    volatile uint64_t     ntimes;
    uint64_t              times[];
} crowd_t;

extern crowd_t           *crowd;


/* decides how many processes there are */

void crowd_limit(int many);

unsigned crowd_begin(unsigned *first, unsigned *n);
void crowd_await(void);
void crowd_delivered(unsigned n, uint64_t ns);
void crowd_serve(void);
void crowd_leave(void);
void crowd_end(void);


#endif /* BENCH_CROWD_H */
