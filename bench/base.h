
/*
 * base.h: the types and the words that all files of the load generator use.
 *
 *     main           options, the table of modes, the report
 *     mode_publish,  the modes that publish: what each does, from its first
 *     mode_deliver,  request to its last
 *     mode_churn
 *     mode           what all modes share, and those that publish nothing
 *     crowd          further processes, for more connections than one can have
 *     check          compares what came with what should have come
 *     proto          how a server is asked, and where its answers hold events
 *     conn           connections, the loop, HTTP/1.1
 *     h2, tls        what may stand between these and the socket
 *     proc           what the kernel counted for the server's processes
 *     base           this file
 *
 * A file calls files below it only; `make check` holds that (tools/layout.pl).
 */


#ifndef BENCH_BASE_H
#define BENCH_BASE_H


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
 * The sequence numbers that came: the next one, a bit for each of the last 64,
 * and whether events of earlier runs may still come first.
 */

typedef struct {
    uint64_t              next;
    uint64_t              seen;
    int                   old;
} window_t;

typedef enum {
    FROM_NOW = 0,                       /* events from now on */
    FROM_BEGIN,                         /* all events that there are */
    FROM_CURSOR                         /* events behind since and id */
} from_e;

struct conn_s {
    int                   fd;
    unsigned              number;
    unsigned              server;       /* which one of the URL */
    unsigned              fast:1;       /* is handled before all others */
    unsigned              busy:1;       /* a request is under way */
    unsigned              blocked:1;    /* and was not sent at once */
    unsigned              closing:1;    /* the server will close it */
    unsigned              stream:1;     /* the answer has no end */
    unsigned              opened:1;     /* and its head has come */
    unsigned              chunked:1;
    void                 *tls;

    void                 *h2;           /* the session */
    int32_t               h2_stream;    /* of the last request */
    buf_t                 upload;       /* its body */
    size_t                uploaded;

    buf_t                 out;
    size_t                sent;
    uint64_t              start;
    buf_t                 in;
    size_t                text;         /* bytes of in that are text of the
                                           stream, without its chunks */
    answer_pt             answer;

    /* the answer, or what came of it, while c->answer() runs */
    uint64_t              answered;
    int                   status;
    char                 *head;
    char                 *body;
    size_t                body_len;

    /* what it publishes or polls */
    unsigned              cat;
    uint64_t              due;          /* when the publish should begin */
    uint64_t              begun;
    uint64_t              share;        /* events still to be published */
    window_t              window;
    from_e                from;
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
    const char           *stream_path;  /* NULL: it has no streams */
    void                (*publish)(conn_t *c, answer_pt answer,
                                   const char *data);
    void                (*poll)(conn_t *c, answer_pt answer);
    void                (*stream)(conn_t *c, answer_pt answer);
    int                 (*published)(conn_t *c);

    /*
     * Returns 1 with an event in *e and *p behind it, 0 if there is no more,
     * -1 if this is not the answer to a poll.
     */
    int                 (*next)(conn_t *c, char **p, event_t *e);

    /* the event in the data of a stream's frame; returns 0 if it is none */
    int                 (*data)(conn_t *c, char *p, size_t len, event_t *e);
};

/* what the kernel counted for the server */

typedef struct {
    uint64_t              wall;         /* ns */
    uint64_t              cpu;          /* ns */
    uint64_t              backend;      /* ns, of the backend's processes */
    uint64_t              pss;          /* bytes */
    uint64_t              own;          /* of pss, what no file is mapped to */
    uint64_t              private;      /* of that, what is not shared */
} sample_t;


/* options, and what a run finds */

typedef struct {
    const proto_t        *proto;
    const char           *url;
    const char           *publish_path, *poll_path, *begin_path;
    const char           *path;         /* of the URL */
    buf_t                 headers;
    unsigned              conns, ops, cats, size, seconds, buffer;
    unsigned              publishers, others, wait_ms, timeout, warm, further;
    int                   line, streams, tls, h2;
} options_t;

typedef struct {
    uint64_t              ops, events, timeouts, bad, misrouted;
    int64_t               lost, doubled, reordered;
} count_t;


extern options_t          opt;
extern count_t            count;
extern sample_t           before, after;
extern times_t            latency, publishing, others, lateness;
extern uint64_t           deadline;
extern const char        *doing;


/* ends the run with exit code 2 */

void bench_die(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/* p, or the end of the run if it is NULL */

void *bench_need(void *p);

void times_add(times_t *t, uint64_t ns);

/* room for n more bytes; n more bytes, and '\0' behind them */

void buf_room(buf_t *b, size_t n);
void buf_keep(buf_t *b, const char *data, size_t len);
void buf_free(buf_t *b);


#endif /* BENCH_BASE_H */
