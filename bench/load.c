
/*
 * load.c: drives a server on this machine over keep-alive HTTP/1.1 and tells
 * what an operation cost it.  One thread, epoll, nothing but libc.
 *
 *     load [option...] get|publish|fanout|park
 *
 *     get      -c connections in a closed loop ask for -u until -n answers
 *              are there; with -e each body must be that text.
 *     publish  the same with POSTs of golongpoll's body to -u, -s bytes of
 *              data each, over -k categories.  A category belongs to one
 *              connection, so what stands in it has one right order; with -g
 *              all categories are read back at the end and looked through.
 *     fanout   -c polls of -g are parked on one category; -n times an event
 *              is published to -u, and the next round begins when each poll
 *              has got it and is parked again.
 *     park     -c connections ask for -u, in which # is the number of the
 *              connection, and nothing may answer.
 *
 * With -i each connection has asked for that path before the costs are counted,
 * so that these are without accept().
 *
 * "Parked" is what the server says: the number behind -w in the answer of -q,
 * less -o, which is what the server counts for that question itself.
 *
 * Costs are what the kernel counted for the processes of -P between the first
 * request and the last answer: time on a CPU of all their threads, and memory
 * (PSS, and that of the shared mapping of -z bytes alone).
 *
 * All data carries a number that says which run, category and event it is:
 *
 *     5f0e33a1:000123:00000017:xxxxxxxxxxxxxxx...
 *
 * What was lost, doubled, reordered or led astray is counted, as is every
 * answer with another status or body than it should have.  Whoever reads the
 * figures finds them in one line of key=value; the exit code is 0 only when
 * nothing was wrong.  No run goes on for longer than -t seconds.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define MAX_PIDS     64
#define MAX_CATS     1000000            /* six digits in the data */
#define MARK_LEN     25                 /* of tag, category and sequence */
#define ROUND_NS     5000000000ULL      /* after which an event is lost */
#define POLL_SECS    110


typedef struct conn_s  conn_t;
typedef void (*answer_pt)(conn_t *c);

typedef struct {
    char                 *data;
    size_t                len;
    size_t                size;
} buf_t;

/* the sequence numbers that came: which is next, which of the last 64 came */

typedef struct {
    uint64_t              next;
    uint64_t              seen;
} window_t;

struct conn_s {
    int                   fd;
    unsigned              number;
    unsigned              busy:1;       /* a request is under way */
    unsigned              blocked:1;    /* and did not go out at once */

    buf_t                 out;
    size_t                sent;
    uint64_t              start;

    buf_t                 in;
    int                   status;
    char                 *body;
    size_t                body_len;
    answer_pt             answer;

    unsigned              cat;          /* the category it is at */
    window_t              window;
    uint64_t              since;        /* cursor of its next poll */
    char                  last_id[64];
};

typedef struct {
    uint64_t              time;
    char                 *cat, *data, *id;
    size_t                cat_len, data_len, id_len;
} event_t;

/* what the kernel counted */

typedef struct {
    uint64_t              wall;         /* ns */
    uint64_t              cpu;          /* ns */
    uint64_t              pss;          /* bytes */
    uint64_t              own;          /* of these not mapped from a file */
    uint64_t              zone;
} sample_t;

typedef struct {
    uint64_t             *ns;
    size_t                n;
    size_t                size;
} times_t;


static void case_get(void);
static void case_publish(void);
static void case_fanout(void);
static void case_park(void);


static struct {
    int                   port;
    unsigned              conns, requests, cats, size, seconds, own;
    unsigned              buffer;
    const char           *path, *events, *status, *key, *body, *first;
    uint64_t              zone;
    int                   pids[MAX_PIDS];
    unsigned              npids;
} opt = {
    .conns = 1, .requests = 1, .cats = 1, .size = 100, .seconds = 60,
    .buffer = 250, .path = "/", .key = "\"waiting\":"
};

static struct {
    uint64_t              ops, bad_status, bad_body, misled, missed;
    int64_t               lost, doubled, reordered;
    uint64_t              timeouts, asked;
} count;

static struct {
    const char           *name;
    void                (*run)(void);
} cases[] = {
    { "get", case_get },
    { "publish", case_publish },
    { "fanout", case_fanout },
    { "park", case_park },
};

static const char         success[] = "{\"success\": true}";

static int                ep;
static unsigned           tag;          /* of this run's data */
static uint64_t           deadline;
static const char        *doing = "connecting";
static conn_t            *conns, control;
static unsigned           started;
static unsigned           wrong_shown;
static uint32_t          *published;    /* events per category */
static char              *data, *scratch;
static sample_t           before, after;
static times_t            latency, publisher;


/* small things */


static void
die(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    fputs("load: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);

    exit(2);
}


static void *
need(void *p)
{
    if (p == NULL) {
        die("no memory");
    }

    return p;
}


static uint64_t
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


static void
buf_room(buf_t *b, size_t n)
{
    if (b->size - b->len < n) {
        b->size = b->len + n + b->size / 2;
        b->data = need(realloc(b->data, b->size));
    }
}


static void
times_add(times_t *t, uint64_t ns)
{
    if (t->n == t->size) {
        t->size = t->size ? t->size * 2 : 4096;
        t->ns = need(realloc(t->ns, t->size * sizeof(uint64_t)));
    }

    t->ns[t->n++] = ns;
}


static int
times_cmp(const void *one, const void *two)
{
    uint64_t  a = *(const uint64_t *) one, b = *(const uint64_t *) two;

    return (a > b) - (a < b);
}


static double
times_us(times_t *t, double part)
{
    return t->n ? t->ns[(size_t) ((t->n - 1) * part)] / 1000.0 : 0;
}


/* what the kernel counts */


static uint64_t
task_cpu(const char *dir)
{
    FILE      *f;
    char       path[96], line[1024], *p;
    uint64_t   ns, user, sys;

    ns = 0;
    snprintf(path, sizeof(path), "%s/schedstat", dir);

    f = fopen(path, "r");
    if (f) {
        if (fscanf(f, "%" SCNu64, &ns) != 1) {
            ns = 0;
        }

        fclose(f);
        return ns;
    }

    snprintf(path, sizeof(path), "%s/stat", dir);

    f = fopen(path, "r");
    if (f == NULL) {
        return 0;
    }

    /* pid (name) state and ten more, then utime and stime in ticks */

    p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;

    if (p && sscanf(p, ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                    " %" SCNu64 " %" SCNu64, &user, &sys) == 2)
    {
        ns = (user + sys) * (1000000000 / sysconf(_SC_CLK_TCK));
    }

    fclose(f);
    return ns;
}


static uint64_t
process_cpu(int pid)
{
    DIR            *dir;
    char            path[64], task[80];
    uint64_t        ns;
    struct dirent  *de;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);

    dir = opendir(path);
    if (dir == NULL) {
        die("process %d of the server is gone", pid);
    }

    ns = 0;

    while ((de = readdir(dir)) != NULL) {
        if (isdigit((unsigned char) de->d_name[0])) {
            snprintf(task, sizeof(task), "%s/%.10s", path, de->d_name);
            ns += task_cpu(task);
        }
    }

    closedir(dir);
    return ns;
}


static void
process_pss(int pid, sample_t *s)
{
    FILE      *f;
    char       path[64], line[256];
    uint64_t   kb;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);

    f = fopen(path, "r");
    if (f == NULL) {
        die("cannot read %s: %s", path, strerror(errno));
    }

    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "Pss: %" SCNu64, &kb) == 1) {
            s->pss += kb * 1024;

        } else if (sscanf(line, "Pss_Anon: %" SCNu64, &kb) == 1
                   || sscanf(line, "Pss_Shmem: %" SCNu64, &kb) == 1)
        {
            s->own += kb * 1024;
        }
    }

    fclose(f);
}


/* the parts of the zone that each process maps add up to what is resident */

static uint64_t
process_zone(int pid)
{
    int        in;
    FILE      *f;
    char       path[64], line[512];
    uint64_t   from, to, kb, sum;

    snprintf(path, sizeof(path), "/proc/%d/smaps", pid);

    f = fopen(path, "r");
    if (f == NULL) {
        die("cannot read %s: %s", path, strerror(errno));
    }

    in = 0;
    sum = 0;

    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &from, &to) == 2) {
            in = (to - from == opt.zone && strstr(line, "/dev/zero"));

        } else if (in && sscanf(line, "Pss: %" SCNu64, &kb) == 1) {
            sum += kb * 1024;
        }
    }

    fclose(f);
    return sum;
}


static void
sample_memory(sample_t *s)
{
    unsigned  i;

    s->pss = 0;
    s->own = 0;
    s->zone = 0;

    for (i = 0; i < opt.npids; i++) {
        process_pss(opt.pids[i], s);

        if (opt.zone) {
            s->zone += process_zone(opt.pids[i]);
        }
    }
}


static void
sample_cpu(sample_t *s)
{
    unsigned  i;

    s->cpu = 0;

    for (i = 0; i < opt.npids; i++) {
        s->cpu += process_cpu(opt.pids[i]);
    }

    s->wall = now();
}


static void
measure_begin(void)
{
    sample_memory(&before);
    usleep(2000);                       /* a running task's time stands still */
    sample_cpu(&before);
}


static void
measure_end(void)
{
    uint64_t  wall = now();

    usleep(2000);
    sample_cpu(&after);
    after.wall = wall;
    sample_memory(&after);
}


/* connections */


static void
conn_want(conn_t *c, int op, uint32_t events)
{
    struct epoll_event  ev;

    ev.events = events;
    ev.data.ptr = c;

    if (epoll_ctl(ep, op, c->fd, &ev) == -1) {
        die("epoll_ctl() failed: %s", strerror(errno));
    }
}


static void
conn_open(conn_t *c, unsigned number)
{
    int                 one = 1;
    struct linger       linger = { 1, 0 };      /* leaves no TIME_WAIT */
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(opt.port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->number = number;
    c->cat = number;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == -1
        || setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger))
           == -1)
    {
        die("connection %u to port %d failed: %s", number, opt.port,
            strerror(errno));
    }

    conn_want(c, EPOLL_CTL_ADD, EPOLLIN);
}


static void
conn_send(conn_t *c)
{
    ssize_t  n;

    n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent,
             MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n == -1 && errno != EAGAIN && errno != EINTR) {
        die("sending on connection %u failed: %s", c->number, strerror(errno));
    }

    c->sent += n > 0 ? n : 0;

    if (c->blocked != (c->sent < c->out.len)) {
        c->blocked = !c->blocked;
        conn_want(c, EPOLL_CTL_MOD, c->blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}


/* sends a request; `answer` is called with what comes back */

static void
conn_request(conn_t *c, answer_pt answer, const char *fmt, ...)
{
    int      n;
    va_list  args;

    if (c->busy) {
        die("connection %u is asked for two things at once", c->number);
    }

    c->out.len = 0;

    for ( ;; ) {
        va_start(args, fmt);
        n = vsnprintf(c->out.data, c->out.size, fmt, args);
        va_end(args);

        if ((size_t) n < c->out.size) {
            break;
        }

        buf_room(&c->out, n + 1);
    }

    c->out.len = n;
    c->sent = 0;
    c->in.len = 0;
    c->busy = 1;
    c->answer = answer;
    c->start = now();

    conn_send(c);
}


static void
conn_get(conn_t *c, answer_pt answer, const char *path)
{
    conn_request(c, answer, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
}


static void
conn_publish(conn_t *c, answer_pt answer, unsigned cat, unsigned seq)
{
    int   n;
    char  mark[64];

    snprintf(mark, sizeof(mark), "%08x:%06u:%08u:", tag, cat, seq);
    memcpy(data, mark, MARK_LEN);

    n = sprintf(scratch, "{\"category\":\"c%u\",\"data\":\"%s\"}", cat, data);

    conn_request(c, answer, "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                 "Content-Type: application/json\r\nContent-Length: %d\r\n"
                 "\r\n%s", opt.path, n, scratch);
}


/* a poll of the connection's category from its cursor */

static void
conn_poll(conn_t *c, answer_pt answer, unsigned seconds)
{
    int   n;
    char  path[1024];

    n = snprintf(path, 768, "%s?timeout=%u&category=c%u", opt.events, seconds,
                 c->cat);

    if (c->since != (uint64_t) -1) {
        n += sprintf(path + n, "&since_time=%" PRIu64, c->since);

        if (c->last_id[0]) {
            sprintf(path + n, "&last_id=%s", c->last_id);
        }
    }

    conn_get(c, answer, path);
}


/*
 * The end of a chunked body at p, or NULL while it is not all there; from the
 * second time on its bytes are moved together.
 */

static char *
chunked_body(conn_t *c, char *p, int move)
{
    char    *last, *line, *to;
    size_t   n;

    to = p;
    last = c->in.data + c->in.len;

    for ( ;; ) {
        line = memmem(p, last - p, "\r\n", 2);
        if (line == NULL) {
            return NULL;
        }

        n = strtoul(p, NULL, 16);
        p = line + 2;

        if ((size_t) (last - p) < n + 2) {
            return NULL;
        }

        if (n == 0) {
            c->body_len = to - c->body;
            return p + 2;
        }

        if (move) {
            memmove(to, p, n);
        }

        to += n;
        p += n + 2;
    }
}


/* 1 when all of the answer is there, with status and body set */

static int
conn_parse(conn_t *c)
{
    int     chunked;
    char   *p, *end, *next;
    long    length;

    end = memmem(c->in.data, c->in.len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }

    if (strncmp(c->in.data, "HTTP/1.1 ", 9) != 0) {
        die("this is no HTTP/1.1: %.60s", c->in.data);
    }

    c->status = atoi(c->in.data + 9);
    c->body = end + 4;
    length = (c->status == 204 || c->status == 304) ? 0 : -1;
    chunked = 0;

    for (p = c->in.data; p < end; p = next) {
        next = (char *) memmem(p, end + 2 - p, "\r\n", 2) + 2;

        if (strncasecmp(p, "Content-Length:", 15) == 0) {
            length = atol(p + 15);

        } else if (strncasecmp(p, "Transfer-Encoding: chunked", 26) == 0) {
            chunked = 1;

        } else if (strncasecmp(p, "Connection: close", 17) == 0) {
            die("the server closes connection %u with status %d", c->number,
                c->status);
        }
    }

    if (chunked) {
        end = chunked_body(c, c->body, 0);
        if (end == NULL) {
            return 0;
        }

        (void) chunked_body(c, c->body, 1);

    } else if (length == -1) {
        die("an answer of status %d has no length", c->status);

    } else {
        c->body_len = length;
        end = c->body + length;
    }

    if (end > c->in.data + c->in.len) {
        return 0;
    }

    if (end < c->in.data + c->in.len) {
        die("bytes behind the answer on connection %u", c->number);
    }

    c->body[c->body_len] = '\0';
    return 1;
}


static void
conn_receive(conn_t *c)
{
    ssize_t  n;

    buf_room(&c->in, 2048);

    n = recv(c->fd, c->in.data + c->in.len, c->in.size - c->in.len - 1,
             MSG_DONTWAIT);

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    if (n <= 0) {
        die("connection %u was lost while %s: %s", c->number, doing,
            n ? strerror(errno) : "closed by the server");
    }

    if (!c->busy) {
        die("an answer on connection %u that nobody asked for", c->number);
    }

    c->in.len += n;
    c->in.data[c->in.len] = '\0';

    if (conn_parse(c)) {
        c->busy = 0;
        c->answer(c);
    }
}


/* one turn of the loop, of ms milliseconds at most */

static void
turn(int ms)
{
    int                 i, n;
    conn_t             *c;
    struct epoll_event  ev[256];

    if (now() > deadline) {
        die("time is up after %u seconds, while %s", opt.seconds, doing);
    }

    n = epoll_wait(ep, ev, 256, ms);

    for (i = 0; i < n; i++) {
        c = ev[i].data.ptr;

        if (ev[i].events & EPOLLOUT) {
            conn_send(c);
        }

        if (ev[i].events & ~EPOLLOUT) {
            conn_receive(c);
        }
    }
}


/* what came, and whether it is what should have come */


static void
wrong(conn_t *c, uint64_t *counter, const char *what)
{
    ++*counter;

    if (wrong_shown++ < 5) {
        fprintf(stderr, "load: connection %u: %s: %d %.300s\n", c->number,
                what, c->status, c->body);
    }
}


static int
expect(conn_t *c, const char *body)
{
    if (c->status != 200) {
        wrong(c, &count.bad_status, "another status");
        return 0;
    }

    if (body && strcmp(c->body, body) != 0) {
        wrong(c, &count.bad_body, "another body");
        return 0;
    }

    return 1;
}


static void
window_set(window_t *w, uint64_t next)
{
    w->next = next;
    w->seen = (uint64_t) -1;
}


static void
window_see(window_t *w, uint64_t seq)
{
    uint64_t  n;

    if (seq >= w->next) {
        n = seq - w->next;
        count.lost += n;
        w->seen = (n < 63) ? w->seen << (n + 1) | 1 : 1;
        w->next = seq + 1;
        return;
    }

    n = w->next - 1 - seq;

    if (n < 64 && !(w->seen >> n & 1)) {
        w->seen |= (uint64_t) 1 << n;
        count.lost--;
        count.reordered++;
        return;
    }

    count.doubled++;
}


static int
skip(char **p, const char *text)
{
    size_t  n = strlen(text);

    if (strncmp(*p, text, n) != 0) {
        return 0;
    }

    *p += n;
    return 1;
}


static int
string(char **p, char **s, size_t *len)
{
    char  *end;

    end = strchr(*p, '"');
    if (end == NULL) {
        return 0;
    }

    *s = *p;
    *len = end - *p;
    *p = end + 1;
    return 1;
}


/* one event of an answer, to the byte; nothing in ours is escaped */

static int
event_parse(char **p, event_t *e)
{
    if (!skip(p, "{\"timestamp\":")) {
        return 0;
    }

    e->time = strtoull(*p, p, 10);

    return skip(p, ",\"category\":\"") && string(p, &e->cat, &e->cat_len)
           && skip(p, ",\"data\":\"") && string(p, &e->data, &e->data_len)
           && skip(p, ",\"id\":\"") && string(p, &e->id, &e->id_len)
           && e->id_len < sizeof(((conn_t *) 0)->last_id)
           && skip(p, "}");
}


/* -1: of another run; -2: not what was published to this category */

static int64_t
event_seq(conn_t *c, event_t *e)
{
    char      name[32], *p;
    unsigned  run, cat, seq;

    sprintf(name, "c%u", c->cat);

    if (e->cat_len != strlen(name) || memcmp(e->cat, name, e->cat_len) != 0
        || e->data_len < MARK_LEN)
    {
        return -2;
    }

    p = e->data;
    run = strtoul(p, &p, 16);
    cat = strtoul(p + 1, &p, 10);
    seq = strtoul(p + 1, &p, 10);

    if (run != tag) {
        return -1;
    }

    if (cat != c->cat || e->data_len != opt.size
        || memcmp(e->data + MARK_LEN, data + MARK_LEN, opt.size - MARK_LEN))
    {
        return -2;
    }

    return seq;
}


/*
 * Takes a poll's answer apart and moves the cursor on.  Returns the number of
 * this run's events in it, 0 for a time-out, -1 if it is neither.
 */

static int
poll_answer(conn_t *c)
{
    int        n;
    char      *p;
    event_t    e;
    int64_t    seq;
    uint64_t   from;

    from = c->since;

    if (!expect(c, NULL)) {
        return -1;
    }

    p = c->body;

    if (skip(&p, "{\"timeout\":\"no events before timeout\",\"timestamp\":")) {
        c->since = strtoull(p, &p, 10);
        count.timeouts++;
        n = 0;
        goto done;
    }

    if (!skip(&p, "{\"events\":[")) {
        wrong(c, &count.bad_body, "no events");
        return -1;
    }

    n = 0;

    do {
        if (!event_parse(&p, &e)) {
            wrong(c, &count.bad_body, "not an event");
            return -1;
        }

        c->since = e.time;
        memcpy(c->last_id, e.id, e.id_len);
        c->last_id[e.id_len] = '\0';

        seq = event_seq(c, &e);

        if (seq >= 0) {
            window_see(&c->window, seq);
            n++;

        } else if (seq == -2) {
            wrong(c, &count.misled, "an event of something else");
        }

    } while (skip(&p, ","));

    if (!skip(&p, "]")) {
        wrong(c, &count.bad_body, "no end of events");
        return -1;
    }

done:

    /* who asks for all there is may hear that there was more */

    if (skip(&p, ",\"missed\":true") && from != 0) {
        wrong(c, &count.missed, "missed");
    }

    if (strcmp(p, "}") != 0) {
        wrong(c, &count.bad_body, "something behind the events");
        return -1;
    }

    return n;
}


/* opens all connections, and sees that the server has accepted them */

static unsigned  opening;

static void
open_answer(conn_t *c)
{
    (void) expect(c, NULL);
    opening--;
}


static void
open_all(void)
{
    unsigned  i;

    conns = need(calloc(opt.conns, sizeof(conn_t)));

    for (i = 0; i < opt.conns; i++) {
        conn_open(&conns[i], i);

        if (opt.first) {
            opening++;
            conn_get(&conns[i], open_answer, opt.first);
        }
    }

    while (opening) {
        turn(100);
    }

    if (opt.status) {
        conn_open(&control, 0);
    }
}


/* asks the server how many are parked, until it says that all are */

static int64_t  parked;

static void
parked_answer(conn_t *c)
{
    char  *p;

    p = strstr(c->body, opt.key);

    if (!expect(c, NULL) || p == NULL) {
        die("%s does not tell '%s'", opt.status, opt.key);
    }

    parked = atol(p + strlen(opt.key)) - opt.own;
}


static void
parked_await(unsigned wanted)
{
    for ( ;; ) {
        conn_get(&control, parked_answer, opt.status);
        count.asked++;

        while (control.busy) {
            turn(100);
        }

        if (parked == wanted) {
            return;
        }

        turn(1);
    }
}


/* cases */


static void
get_next(conn_t *c)
{
    if (started < opt.requests) {
        started++;
        conn_get(c, c->answer, opt.path);
    }
}


static void
get_answer(conn_t *c)
{
    times_add(&latency, now() - c->start);
    count.ops++;
    (void) expect(c, opt.body);
    get_next(c);
}


static void
case_get(void)
{
    unsigned  i;

    open_all();
    measure_begin();
    doing = "getting";

    for (i = 0; i < opt.conns; i++) {
        conns[i].answer = get_answer;
        get_next(&conns[i]);
    }

    while (count.ops < opt.requests) {
        turn(100);
    }

    measure_end();
}


/* connection i publishes to the categories i, i + conns, i + 2 * conns ... */

static void
publish_next(conn_t *c)
{
    if (started == opt.requests) {
        return;
    }

    started++;
    conn_publish(c, c->answer, c->cat, published[c->cat]++);

    c->cat += opt.conns;

    if (c->cat >= opt.cats) {
        c->cat = c->number;
    }
}


static void
publish_answer(conn_t *c)
{
    times_add(&latency, now() - c->start);
    count.ops++;
    (void) expect(c, success);
    publish_next(c);
}


/* reads its category from the beginning, or goes to its next one */

static unsigned  reading;

static void
readback_answer(conn_t *c)
{
    int  n;

    n = poll_answer(c);

    if (n > 0 && c->window.next < published[c->cat]) {
        conn_poll(c, readback_answer, 1);
        return;
    }

    count.lost += published[c->cat] - c->window.next;

    do {
        c->cat += opt.conns;

        if (c->cat >= opt.cats) {
            reading--;
            return;
        }
    } while (published[c->cat] == 0);

    c->since = 0;
    c->last_id[0] = '\0';
    window_set(&c->window, published[c->cat] > opt.buffer
                           ? published[c->cat] - opt.buffer : 0);
    conn_poll(c, readback_answer, 1);
}


static void
readback(void)
{
    unsigned  i;

    doing = "reading back";
    reading = opt.conns;

    for (i = 0; i < opt.conns; i++) {
        if (published[i] == 0) {
            reading--;
            continue;
        }

        conns[i].cat = i;
        conns[i].since = 0;
        window_set(&conns[i].window, published[i] > opt.buffer
                                     ? published[i] - opt.buffer : 0);
        conn_poll(&conns[i], readback_answer, 1);
    }

    while (reading) {
        turn(100);
    }
}


static void
case_publish(void)
{
    unsigned  i;

    if (opt.conns > opt.cats) {
        opt.conns = opt.cats;
    }

    published = need(calloc(opt.cats, sizeof(uint32_t)));

    open_all();
    measure_begin();
    doing = "publishing";

    for (i = 0; i < opt.conns; i++) {
        conns[i].answer = publish_answer;
        publish_next(&conns[i]);
    }

    while (count.ops < opt.requests) {
        turn(100);
    }

    measure_end();

    if (opt.events) {
        readback();
    }
}


static unsigned  delivered;
static uint64_t  published_at;

static void
fanout_answer(conn_t *c)
{
    int  n;

    n = poll_answer(c);

    if (n > 0) {
        times_add(&latency, now() - published_at);
        delivered += n;
        count.ops += n;
    }

    conn_poll(c, fanout_answer, POLL_SECS);
}


static void
fanout_published(conn_t *c)
{
    times_add(&publisher, now() - c->start);
    (void) expect(c, success);
}


static void
fanout_round(unsigned seq)
{
    delivered = 0;
    published_at = now();

    doing = "delivering";
    conn_publish(&control, fanout_published, 0, seq);

    while (control.busy
           || (delivered < opt.conns && now() - published_at < ROUND_NS))
    {
        turn(100);
    }

    doing = "parking again";
    parked_await(opt.conns);
}


static void
case_fanout(void)
{
    unsigned  i;

    if (opt.events == NULL || opt.status == NULL) {
        die("fanout needs -g and -q");
    }

    open_all();

    doing = "parking";

    for (i = 0; i < opt.conns; i++) {
        conns[i].cat = 0;
        conns[i].since = (uint64_t) -1;
        window_set(&conns[i].window, 0);
        conn_poll(&conns[i], fanout_answer, POLL_SECS);
    }

    parked_await(opt.conns);
    count.asked = 0;

    measure_begin();

    for (i = 0; i < opt.requests; i++) {
        fanout_round(i);
    }

    measure_end();

    for (i = 0; i < opt.conns; i++) {
        count.lost += opt.requests - conns[i].window.next;
    }
}


static void
park_answer(conn_t *c)
{
    wrong(c, &count.bad_body, "an answer to a parked request");
}


static void
case_park(void)
{
    char         path[1024];
    unsigned     i;
    const char  *hash;

    if (opt.status == NULL) {
        die("park needs -q");
    }

    hash = opt.path + strcspn(opt.path, "#");

    conns = need(calloc(opt.conns, sizeof(conn_t)));
    conn_open(&control, 0);
    parked_await(0);

    measure_begin();
    doing = "parking";

    for (i = 0; i < opt.conns; i++) {
        conn_open(&conns[i], i);

        if (*hash == '#') {
            snprintf(path, sizeof(path), "%.*s%06u%s",
                     (int) (hash - opt.path), opt.path, i, hash + 1);
        }

        conn_get(&conns[i], park_answer, *hash ? path : opt.path);
        count.ops++;
    }

    parked_await(opt.conns);
    measure_end();
}


static void
report(void)
{
    double  ops = count.ops ? count.ops : 1;

    qsort(latency.ns, latency.n, sizeof(uint64_t), times_cmp);
    qsort(publisher.ns, publisher.n, sizeof(uint64_t), times_cmp);

    printf("ops=%" PRIu64 " seconds=%.3f cpu_us=%.3f p50_us=%.1f p99_us=%.1f"
           " publisher_p99_us=%.1f timeouts=%" PRIu64 " asked=%" PRIu64,
           count.ops, (after.wall - before.wall) / 1e9,
           (after.cpu - before.cpu) / 1e3 / ops, times_us(&latency, .5),
           times_us(&latency, .99), times_us(&publisher, .99), count.timeouts,
           count.asked);

    printf(" pss=%.1f own=%.1f zone=%.1f zone_before=%" PRIu64
           " zone_after=%" PRIu64,
           ((double) after.pss - before.pss) / ops,
           ((double) after.own - before.own) / ops,
           ((double) after.zone - before.zone) / ops,
           before.zone, after.zone);

    printf(" bad_status=%" PRIu64 " bad_body=%" PRIu64 " misled=%" PRIu64
           " missed=%" PRIu64 " lost=%" PRId64 " doubled=%" PRId64
           " reordered=%" PRId64 "\n", count.bad_status, count.bad_body,
           count.misled, count.missed, count.lost, count.doubled,
           count.reordered);
}


static unsigned
number(int letter, const char *text, unsigned min, unsigned max)
{
    char           *end;
    unsigned long   n;

    n = strtoul(text, &end, 10);

    if (end == text || *end || n < min || n > max) {
        die("-%c takes a number from %u to %u", letter, min, max);
    }

    return n;
}


static void
pid_list(char *list)
{
    char  *p;

    for (p = strtok(list, ","); p; p = strtok(NULL, ",")) {
        if (opt.npids == MAX_PIDS) {
            die("more than %d processes", MAX_PIDS);
        }

        opt.pids[opt.npids++] = number('P', p, 1, 1 << 30);
    }
}


static void
options(int argc, char **argv)
{
    int  o;

    while ((o = getopt(argc, argv, "P:b:c:e:g:i:k:n:o:p:q:s:t:u:w:z:")) != -1) {
        switch (o) {
        case 'P': pid_list(optarg); break;
        case 'b': opt.buffer = number(o, optarg, 1, 1000000000); break;
        case 'c': opt.conns = number(o, optarg, 1, 1000000); break;
        case 'e': opt.body = optarg; break;
        case 'g': opt.events = optarg; break;
        case 'i': opt.first = optarg; break;
        case 'k': opt.cats = number(o, optarg, 1, MAX_CATS); break;
        case 'n': opt.requests = number(o, optarg, 0, 99999999); break;
        case 'o': opt.own = number(o, optarg, 0, 1000); break;
        case 'p': opt.port = number(o, optarg, 1, 65535); break;
        case 'q': opt.status = optarg; break;
        case 's': opt.size = number(o, optarg, MARK_LEN, 16 << 20); break;
        case 't': opt.seconds = number(o, optarg, 1, 3600); break;
        case 'u': opt.path = optarg; break;
        case 'w': opt.key = optarg; break;
        case 'z': opt.zone = (uint64_t) number(o, optarg, 0, 1 << 20) << 20;
                  break;
        default:  exit(2);
        }
    }

    if (optind + 1 != argc || opt.port == 0) {
        die("usage: load -p port [option...] get|publish|fanout|park\n"
            "      -c connections   -n requests, or rounds   -k categories\n"
            "      -s data bytes    -b buffer, to read back  -t seconds\n"
            "      -u path          -g path of polls         -e body\n"
            "      -q status path   -w key in it             -o own requests\n"
            "      -P pid,...       -z megabytes of the zone -i first path");
    }
}


int
main(int argc, char **argv)
{
    unsigned       i;
    struct rlimit  rl;

    options(argc, argv);

    if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
        rl.rlim_cur = rl.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &rl);

        if (opt.conns + 16 > rl.rlim_max) {
            die("%u connections, but only %lu open files", opt.conns,
                (unsigned long) rl.rlim_max);
        }
    }

    ep = epoll_create1(EPOLL_CLOEXEC);
    if (ep == -1) {
        die("epoll_create1() failed: %s", strerror(errno));
    }

    deadline = now() + (uint64_t) opt.seconds * 1000000000;
    tag = now() >> 10 ^ (unsigned) getpid() << 20;

    data = need(malloc(opt.size + 1));
    memset(data, 'x', opt.size);
    data[opt.size] = '\0';
    scratch = need(malloc(opt.size + 64));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (strcmp(argv[optind], cases[i].name) == 0) {
            cases[i].run();
            report();

            return (count.bad_status || count.bad_body || count.misled
                    || count.missed || count.lost || count.doubled
                    || count.reordered);
        }
    }

    die("there is no case '%s'", argv[optind]);
}
