
/*
 * bench.h: what the files of the load generator know of each other.
 *
 *     main     options, the table of modes, the report
 *     mode*    what each mode does, from its first request to its last
 *     proto    how a server is asked, and where its answers hold events
 *     crowd    further processes, for more connections than one can have
 *     check    what came, and whether it is what should have come
 *     conn     connections, the loop, HTTP/1.1
 *     proc     what the kernel counted for the server's processes
 *
 * A file calls those below it only, and bench_die() whoever must.
 */


#ifndef BENCH_H
#define BENCH_H


#define _GNU_SOURCE

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>


#define MARK_LEN     10
#define MAX_CATS     (1 << 18)
#define MAX_SEQ      (1 << 18)
#define MAX_PIDS     256
#define MS           1000000ULL


typedef struct conn_s  conn_t;
typedef struct proto_s  proto_t;
typedef void (*answer_pt)(conn_t *c);


typedef struct {
    char                 *data;
    size_t                len;
    size_t                size;
} buf_t;

typedef struct {
    uint64_t             *ns;
    size_t                n;
    size_t                size;
} times_t;

/*
 * The sequence numbers that came: which is next, which of the last 64 came; and
 * whether events of before may still come, in one answer or in several.
 */

typedef struct {
    uint64_t              next;
    uint64_t              seen;
    int                   old;
} window_t;

typedef enum {
    PLACE_NOW = 0,                      /* only what comes from now on */
    PLACE_BEGIN,                        /* all there is */
    PLACE_BEHIND                        /* what comes behind since and id */
} place_e;

struct conn_s {
    int                   fd;
    unsigned              number;
    unsigned              fast:1;       /* is looked at before all others */
    unsigned              busy:1;       /* a request is under way */
    unsigned              blocked:1;    /* and did not go out at once */
    unsigned              closing:1;    /* the server will close it */

    buf_t                 out;
    size_t                sent;
    uint64_t              start;
    buf_t                 in;
    answer_pt             answer;

    /* the answer, while c->answer() runs */
    uint64_t              answered;
    int                   status;
    char                 *head;
    char                 *body;
    size_t                body_len;

    /* what it publishes or polls */
    unsigned              cat;
    uint64_t              due;          /* when that should begin */
    uint64_t              begun;
    uint64_t              share;        /* what it has still to publish */
    window_t              window;
    place_e               place;
    char                  since[40];
    char                  id[64];
};

typedef struct {
    char                 *cat;          /* NULL where the answer has none */
    size_t                cat_len;
    char                 *data;
    size_t                data_len;
} event_t;

struct proto_s {
    const char           *name;
    const char           *publish_path;
    const char           *poll_path;
    void                (*publish)(conn_t *c, answer_pt answer,
                                   const char *data);
    void                (*poll)(conn_t *c, answer_pt answer);
    int                 (*published)(conn_t *c);

    /* 1 and an event, with *p moved on; 0: no more; -1: this is no answer */
    int                 (*next)(conn_t *c, char **p, event_t *e);
};

/* what the kernel counted; of memory pss, and what of it is of no file */

typedef struct {
    uint64_t              wall;         /* ns */
    uint64_t              cpu;          /* ns */
    uint64_t              pss;          /* bytes */
    uint64_t              own;
} sample_t;


/* options, and what a run finds out */

typedef struct {
    const proto_t        *proto;
    const char           *url;
    const char           *publish_path, *poll_path, *begin_path;
    const char           *path;         /* of the URL */
    buf_t                 headers;
    unsigned              conns, ops, cats, size, seconds, buffer;
    unsigned              publishers, others, wait_ms, timeout, warm;
    int                   line;
} options_t;

typedef struct {
    uint64_t              ops, events, timeouts, bad, misrouted;
    int64_t               lost, doubled, reordered;
} count_t;

/* what the processes of a crowd have in common */

typedef struct {
    volatile int          go, end;
    volatile unsigned     ready;
    volatile uint64_t     events;
    volatile uint64_t     delivered;
    volatile uint64_t     published_at;
    volatile uint64_t     published;    /* in the category of the fan-out */
    count_t               count;
    uint64_t              room;         /* of times; 0: they are not shared */
    volatile uint64_t     ntimes;
    uint64_t              times[];
} crowd_t;

extern options_t          opt;
extern count_t            count;
extern sample_t           before, after;
extern times_t            latency, publishing, others, lateness;
extern uint64_t           deadline;
extern const char        *doing;


/* main */

void bench_die(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));
void *bench_need(void *p);
void bench_progress(uint64_t done, uint64_t all);
void times_add(times_t *t, uint64_t ns);


/* mode: the run; ops, times and samples are set when it returns */

void mode_get(void);
void mode_burst(void);
void mode_publish(void);
void mode_fanout(void);
void mode_lockstep(void);
void mode_own(void);
void mode_catchup(void);
void mode_park(void);
void mode_store(void);


/*
 * crowd: where there are no others, it is this process alone.  crowd_begin()
 * returns in each of them with its share of the connections, and 0 in the first
 * one, which calls crowd_await() and crowd_end(); the others crowd_serve() and
 * crowd_leave(), which does not return.
 */

extern crowd_t           *crowd;

void crowd_limit(int many);
unsigned crowd_begin(unsigned *first, unsigned *n);
void crowd_await(void);
void crowd_delivered(unsigned n, uint64_t ns);
void crowd_serve(void);
void crowd_leave(void);
void crowd_end(void);


/* proto: NULL if there is none of that name */

const proto_t *proto_find(const char *name);
const char *proto_names(void);


/*
 * check.  An event's data begins with a mark: of this run, its publisher, its
 * category and its place there.  check_poll() looks through a poll's answer
 * and moves the connection's window; it returns how many events of the category
 * there were, or -1 for what is no answer to a poll, which was counted.
 */

void check_init(void);
const char *check_data(unsigned publisher, unsigned cat, unsigned seq);
int check_poll(conn_t *c);
void check_published(conn_t *c);
void check_same(conn_t *c);
void check_window(conn_t *c, uint64_t next);
void check_lost(conn_t *c, uint64_t published);
int check_wrong(void);


/* conn: loop_turn() waits for ms at most; loop_events counts what it saw */

extern uint64_t           loop_events;
extern void             (*loop_tick)(void);

void conn_init(const char *url);
void loop_init(void);
void conn_open(conn_t *c, unsigned number, int fast);
void conn_close(conn_t *c);
void conn_request(conn_t *c, answer_pt answer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void conn_get(conn_t *c, answer_pt answer, const char *path);
int conn_header(conn_t *c, const char *name, char *value, size_t size);
void loop_turn(int ms);
uint64_t loop_now(void);


/*
 * proc.  Without processes of the server on this machine, proc_find() returns
 * 0 and samples are of time only.  proc_busy() is 0 when no task of the server
 * runs and none has since the last call.
 */

unsigned proc_find(unsigned port);
void proc_add(int pid);
unsigned proc_count(void);
void proc_cpu(sample_t *s);
void proc_memory(sample_t *s);
int proc_busy(void);


#endif /* BENCH_H */
