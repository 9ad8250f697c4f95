
/*
 * conn.c: connections, the loop, and as much of HTTP/1.1 as they need.  TLS is
 * in tls.c, and h2.c turns frames of HTTP/2 into text of HTTP/1.1 and back.
 *
 * Each connection has one request under way at most.  c->answer is called with
 * the answer in c->status, c->head and c->body, which are valid until it
 * returns; it may send the next request.
 *
 * An answer that came in one piece, as most do, stays where it was received, in
 * a buffer that all connections share; only the parts of a larger one are kept
 * with the connection.  Requests work in the same way.  So 30,000 parked polls
 * cost this program nothing but their structs.
 *
 * There are two sets of connections.  After every few events of the others, the
 * loop handles those that are "fast" and calls loop_tick(); and for their
 * answers the kernel says when it received them.  So a time that is measured on
 * a fast connection is the server's, and does not contain this program's wait
 * for a processor.
 *
 * A source address has some 28,000 ports, so further connections to this
 * machine come from 127.0.0.2, 127.0.0.3 and so on.
 *
 * A stream is an answer without an end.  Its text is taken out of its chunks,
 * and what belongs to a frame whose end has not come is kept, too.
 *
 * If the server closes a connection after it announced that, or while no
 * request is under way, the next request opens it anew; if it closes it during
 * a request, the run ends.
 */


#include "base.h"
#include "conn.h"
#include "h2.h"
#include "proc.h"
#include "tls.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>


#define SHARED       (256 * 1024)
#define PER_ADDRESS  20000
#define MAX_SERVERS  64
#define IN_ONE_GO    4


uint64_t                   loop_events;
void                     (*loop_tick)(void);

static int                 slow_ep = -1;
static int                 fast_ep;
static unsigned            fast_busy;
static struct sockaddr_in  servers[MAX_SERVERS];
static unsigned            nservers;
static char                host[280];           /* the first of them */
static char               *shared;


uint64_t
loop_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/* each process of a crowd calls it for itself */

void
loop_init(void)
{
    struct epoll_event  ev;

    if (slow_ep != -1) {
        close(slow_ep);
        close(fast_ep);
    }

    slow_ep = epoll_create1(EPOLL_CLOEXEC);
    fast_ep = epoll_create1(EPOLL_CLOEXEC);

    ev.events = EPOLLIN;
    ev.data.ptr = NULL;

    if (slow_ep == -1 || fast_ep == -1
        || epoll_ctl(slow_ep, EPOLL_CTL_ADD, fast_ep, &ev) == -1)
    {
        bench_die("epoll: %s", strerror(errno));
    }
}


static int
conn_local(struct sockaddr_in *server)
{
    return ntohl(server->sin_addr.s_addr) >> 24 == 127;
}


/* host[:port]; returns what is behind it */

static const char *
conn_server(const char *p)
{
    int                  rc;
    char                 name[256], port[8];
    size_t               n;
    struct addrinfo      hints, *res;
    struct sockaddr_in  *server;

    n = strcspn(p, ":,/");
    snprintf(name, sizeof(name), "%.*s", (int) (n > 250 ? 250 : n), p);
    snprintf(port, sizeof(port), opt.tls ? "443" : "80");

    p += n;

    if (*p == ':') {
        n = strspn(++p, "0123456789");
        snprintf(port, sizeof(port), "%.*s", (int) (n > 5 ? 5 : n), p);
        p += n;
    }

    memset(&hints, 0, sizeof(hints));
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;

    rc = getaddrinfo(name, port, &hints, &res);
    if (rc) {
        bench_die("%s: %s", name, gai_strerror(rc));
    }

    if (nservers == MAX_SERVERS) {
        bench_die("more than %d servers", MAX_SERVERS);
    }

    server = &servers[nservers];
    memcpy(server, res->ai_addr, sizeof(*server));
    freeaddrinfo(res);

    if (nservers++ == 0) {
        snprintf(host, sizeof(host), "%s:%s", name, port);
    }

    if (conn_local(server)) {
        (void) proc_find(ntohs(server->sin_port));
    }

    return p;
}


/* http[s]://host[:port][,host[:port]...][/path]; sets opt.tls and opt.path */

void
conn_init(const char *url)
{
    const char  *p;

    opt.tls = (strncmp(url, "https://", 8) == 0);

    if (!opt.tls && strncmp(url, "http://", 7) != 0) {
        bench_die("'%s' is no URL of http", url);
    }

    p = conn_server(url + 7 + opt.tls);

    while (*p == ',') {
        p = conn_server(p + 1);
    }

    opt.path = *p ? p : "/";
    shared = bench_need(malloc(SHARED));
    loop_init();
}


static void
conn_want(conn_t *c, int op, uint32_t events)
{
    struct epoll_event  ev;

    ev.events = events;
    ev.data.ptr = c;

    if (epoll_ctl(c->fast ? fast_ep : slow_ep, op, c->fd, &ev) == -1) {
        bench_die("epoll_ctl() failed: %s", strerror(errno));
    }
}


static void
conn_connect(conn_t *c)
{
    int                 one = 1;
    struct linger       linger = { 1, 0 };      /* leaves no TIME_WAIT */
    struct sockaddr_in  from, *server;

    server = &servers[c->server];
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (c->fd == -1) {
        bench_die("connection %u: %s", c->number, strerror(errno));
    }

    if (c->number >= PER_ADDRESS && conn_local(server)) {
        memset(&from, 0, sizeof(from));
        from.sin_family = AF_INET;
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK
                                     + c->number / PER_ADDRESS);

        if (setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
                       sizeof(one)) == -1
            || bind(c->fd, (struct sockaddr *) &from, sizeof(from)) == -1)
        {
            bench_die("connection %u: %s", c->number, strerror(errno));
        }
    }

    if (connect(c->fd, (struct sockaddr *) server, sizeof(*server)) == -1
        || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == -1
        || setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger))
           == -1)
    {
        bench_die("connection %u to %s: %s", c->number, host,
                  strerror(errno));
    }

    if (c->fast) {
        (void) setsockopt(c->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
    }

    if (opt.tls) {
        tls_connect(c);
    }

    if (opt.h2) {
        h2_open(c);
    }

    c->closing = 0;
    conn_want(c, EPOLL_CTL_ADD, EPOLLIN);
}


void
conn_open(conn_t *c, unsigned number, unsigned server, int fast)
{
    memset(c, 0, sizeof(*c));

    c->number = number;
    c->server = server % nservers;
    c->cat = number;
    c->fast = fast;

    conn_connect(c);
}


void
conn_close(conn_t *c)
{
    if (c->fd != -1) {
        h2_close(c);
        tls_close(c);
        close(c->fd);
        c->fd = -1;
    }

    fast_busy -= (c->fast && c->busy);
    c->busy = 0;
    c->blocked = 0;
    c->in.len = 0;
}


/* what cannot be sent at once is kept with the connection */

static void
conn_send(conn_t *c, const char *data, size_t len)
{
    ssize_t  n;

    n = opt.tls ? tls_send(c, data, len)
                : send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n == -1 && errno != EAGAIN && errno != EINTR) {
        bench_die("sending on connection %u failed: %s", c->number,
                  strerror(errno));
    }

    n = (n > 0) ? n : 0;

    if ((size_t) n < len) {
        if (!c->blocked) {
            c->out.len = 0;
            c->sent = 0;
            buf_keep(&c->out, data + n, len - n);
            c->blocked = 1;
            conn_want(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);

        } else {
            c->sent += n;
        }

    } else if (c->blocked) {
        c->blocked = 0;
        buf_free(&c->out);
        conn_want(c, EPOLL_CTL_MOD, EPOLLIN);
    }
}


/* what is blocked goes first; loop_event() asks again behind it */

static void
conn_send_frames(conn_t *c)
{
    buf_t  *frames;

    if (c->blocked) {
        return;
    }

    frames = h2_frames(c);

    if (frames->len) {
        conn_send(c, frames->data, frames->len);
    }
}


/* fmt is the request line and more: headers, the empty line, the body */

void
conn_request(conn_t *c, answer_pt answer, const char *fmt, ...)
{
    int           n;
    va_list       args;
    static buf_t  line;

    if (c->busy) {
        bench_die("connection %u is asked for two things at once", c->number);
    }

    if (c->fd == -1) {
        conn_connect(c);
    }

    for ( ;; ) {
        va_start(args, fmt);
        n = vsnprintf(line.data, line.size, fmt, args);
        va_end(args);

        if ((size_t) n < line.size) {
            break;
        }

        buf_room(&line, n + 1);
    }

    c->in.len = 0;
    c->busy = 1;
    c->stream = 0;
    c->answer = answer;
    c->start = loop_now();
    fast_busy += c->fast;

    if (opt.h2) {
        h2_request(c, line.data);
        conn_send_frames(c);
        return;
    }

    conn_send(c, line.data, n);
}


void
conn_get(conn_t *c, answer_pt answer, const char *path)
{
    conn_request(c, answer, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path,
                 host, opt.headers.len ? opt.headers.data : "");
}


void
conn_stream(conn_t *c)
{
    c->stream = 1;
    c->opened = 0;
    c->chunked = 0;
    c->text = 0;
}


/* returns 0 if the answer has no such header */

int
conn_header(conn_t *c, const char *name, char *value, size_t size)
{
    char    *p, *end, *next;
    size_t   len, n;

    len = strlen(name);
    end = c->body - 2;

    for (p = c->head; p < end; p = next + 2) {
        next = memmem(p, end - p, "\r\n", 2);

        if (next == NULL) {
            return 0;
        }

        if (p[len] == ':' && strncasecmp(p, name, len) == 0) {
            p += len + 1;
            p += strspn(p, " ");
            n = next - p;

            if (n >= size) {
                bench_die("a header %s of %zu bytes", name, n);
            }

            memcpy(value, p, n);
            value[n] = '\0';
            return 1;
        }
    }

    return 0;
}


/*
 * Returns the end of a chunked body at c->body, or NULL if more has to come;
 * with `move` joins its chunks.
 */

static char *
conn_chunks(conn_t *c, char *last, int move)
{
    char    *p, *line, *to;
    size_t   n;

    p = c->body;
    to = p;

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


/* returns 1 if the answer is complete, with status, head and body set */

static int
conn_parse(conn_t *c, char *data, size_t len)
{
    char  *end, *last, value[64];
    long   length;

    last = data + len;

    end = memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }

    if (strncmp(data, "HTTP/1.", 7) != 0) {
        bench_die("this is no HTTP/1: %.60s", data);
    }

    c->head = data;
    c->body = end + 4;
    c->status = atoi(data + 9);

    if (conn_header(c, "Content-Length", value, sizeof(value))) {
        length = atol(value);

    } else if (c->status == 204 || c->status == 304) {
        length = 0;

    } else if (conn_header(c, "Transfer-Encoding", value, sizeof(value))
               && strcasecmp(value, "chunked") == 0)
    {
        length = -1;

    } else {
        bench_die("an answer of status %d has no length", c->status);
    }

    if (length == -1) {
        end = conn_chunks(c, last, 0);
        if (end == NULL) {
            return 0;
        }

        (void) conn_chunks(c, last, 1);

    } else {
        if (last - c->body < length) {
            return 0;
        }

        c->body_len = length;
        end = c->body + length;
    }

    if (end < last) {
        bench_die("bytes behind the answer on connection %u: %.60s",
                  c->number, end);
    }

    if (conn_header(c, "Connection", value, sizeof(value))
        && strcasecmp(value, "close") == 0)
    {
        c->closing = 1;
    }

    c->body[c->body_len] = '\0';
    return 1;
}


/* returns what is behind the head of a stream, or NULL if more has to come */

static char *
conn_stream_head(conn_t *c, char *data, size_t len)
{
    char  *end, value[64];

    end = memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL) {
        return NULL;
    }

    c->head = data;
    c->body = end + 4;
    c->status = strncmp(data, "HTTP/1.", 7) == 0 ? atoi(data + 9) : 0;

    if (c->status != 200) {
        bench_die("connection %u got no stream: %.60s", c->number, data);
    }

    c->opened = 1;
    c->chunked = conn_header(c, "Transfer-Encoding", value, sizeof(value))
                 && strcasecmp(value, "chunked") == 0;

    return c->body;
}


/*
 * Joins the chunks in *p .. last to the text in front of them, which ends at
 * `to`; returns the end of the text, and sets *p to the first chunk that is not
 * whole.
 */

static char *
conn_stream_text(conn_t *c, char **p, char *to, char *last)
{
    char    *line;
    size_t   n;

    if (!c->chunked) {
        memmove(to, *p, last - *p);
        to += last - *p;
        *p = last;

        return to;
    }

    while ((line = memmem(*p, last - *p, "\r\n", 2)) != NULL) {

        n = strtoul(*p, NULL, 16);
        line += 2;

        if (n == 0) {
            bench_die("the stream of connection %u has ended while %s",
                      c->number, doing);
        }

        if ((size_t) (last - line) < n + 2) {
            break;
        }

        memmove(to, line, n);
        to += n;
        *p = line + n + 2;
    }

    return to;
}


/* the end of the last frame in text .. end; text if there is none */

static char *
conn_stream_frames(char *text, char *end)
{
    for ( /* void */ ; end - text >= 2; end--) {

        if (end[-1] == '\n'
            && (end[-2] == '\n'
                || (end - text >= 3 && end[-2] == '\r' && end[-3] == '\n')))
        {
            return end;
        }
    }

    return text;
}


static void
conn_stream_receive(conn_t *c, char *data, size_t len)
{
    char    *p, *text, *end, *last, first;
    size_t   more, chunks;

    last = data + len;
    text = data;
    p = data + c->text;

    if (!c->opened) {
        text = conn_stream_head(c, data, len);
        p = text;
    }

    if (text == NULL) {
        if (c->in.len == 0) {
            buf_keep(&c->in, data, len);
        }

        return;
    }

    end = conn_stream_text(c, &p, text + c->text, last);
    more = end - text;
    end = conn_stream_frames(text, end);
    more -= end - text;
    chunks = last - p;

    memmove(end + more, p, chunks);

    if (end > text) {
        c->body = text;
        c->body_len = end - text;
        first = *end;
        *end = '\0';

        c->answer(c);

        *end = first;
    }

    c->in.len = 0;
    c->text = more;

    if (more + chunks) {
        buf_keep(&c->in, end, more + chunks);

    } else {
        buf_free(&c->in);
    }
}


/*
 * Sets c->answered: to now, or, on a fast connection, to when the kernel
 * received the last bytes.
 */

static ssize_t
conn_recv(conn_t *c)
{
    ssize_t           n;
    int64_t           age;
    struct iovec      iov = { shared, SHARED - 1 };
    struct msghdr     msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    struct cmsghdr   *cm;
    struct timespec   ts, real;
    union {
        struct cmsghdr  align;
        char            data[256];
    } control;

    if (opt.tls || !c->fast) {
        n = opt.tls ? tls_recv(c, shared, SHARED - 1)
                    : recv(c->fd, shared, SHARED - 1, MSG_DONTWAIT);
        c->answered = loop_now();
        return n;
    }

    msg.msg_control = &control;
    msg.msg_controllen = sizeof(control);

    n = recvmsg(c->fd, &msg, MSG_DONTWAIT);
    c->answered = loop_now();
    clock_gettime(CLOCK_REALTIME, &real);

    for (cm = CMSG_FIRSTHDR(&msg); n > 0 && cm; cm = CMSG_NXTHDR(&msg, cm)) {
        if (cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(&ts, CMSG_DATA(cm), sizeof(ts));
            age = (int64_t) (real.tv_sec - ts.tv_sec) * 1000000000
                  + real.tv_nsec - ts.tv_nsec;

            if (age > 0 && c->answered - age >= c->start) {
                c->answered -= age;
            }
        }
    }

    return n;
}


static void
conn_receive(conn_t *c)
{
    char     *data, *came;
    size_t    len;
    buf_t    *text;
    ssize_t   n;

    n = conn_recv(c);

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    if (n <= 0) {
        if (!c->busy) {
            conn_close(c);
            return;
        }

        bench_die("connection %u was lost while %s: %s", c->number, doing,
                  n ? strerror(errno) : "closed by the server");
    }

    came = shared;
    came[n] = '\0';

    if (opt.h2) {
        text = h2_answer(c, came, n);
        came = text->data;
        n = text->len;

        if (n == 0) {
            if (c->closing && !c->busy) {
                conn_close(c);
            }

            return;
        }
    }

    if (!c->busy) {
        bench_die("an answer on connection %u that nobody asked for",
                  c->number);
    }

    data = came;
    len = n;

    if (c->in.len) {
        buf_keep(&c->in, came, n);
        data = c->in.data;
        len = c->in.len;
    }

    if (c->stream) {
        conn_stream_receive(c, data, len);
        return;
    }

    if (!conn_parse(c, data, len)) {
        if (c->in.len == 0) {
            buf_keep(&c->in, came, n);
        }

        return;
    }

    c->busy = 0;
    fast_busy -= c->fast;

    if (c->closing) {
        conn_close(c);
    }

    c->answer(c);

    if (data != came && !c->busy) {
        buf_free(&c->in);
    }
}


static void
loop_event(struct epoll_event *ev)
{
    conn_t  *c = ev->data.ptr;

    loop_events++;

    if (ev->events & EPOLLOUT) {
        conn_send(c, c->out.data + c->sent, c->out.len - c->sent);
    }

    if (ev->events & ~EPOLLOUT && c->fd != -1) {
        conn_receive(c);
    }

    if (opt.h2 && c->fd != -1) {
        conn_send_frames(c);
    }
}


static void
loop_fast(void)
{
    int                 i, n;
    struct epoll_event  ev[32];

    if (fast_busy) {
        n = epoll_wait(fast_ep, ev, 32, 0);

        for (i = 0; i < n; i++) {
            loop_event(&ev[i]);
        }
    }

    if (loop_tick) {
        loop_tick();
    }
}


/* one turn handles so few events that none is of a closed connection */

void
loop_turn(int ms)
{
    int                 i, n;
    struct epoll_event  ev[128];

    if (loop_now() > deadline) {
        bench_die("time is up after %u seconds, while %s", opt.seconds, doing);
    }

    loop_fast();
    n = epoll_wait(slow_ep, ev, 128, ms);

    for (i = 0; i < n; i++) {
        if (i % IN_ONE_GO == 0) {
            loop_fast();
        }

        if (ev[i].data.ptr) {
            loop_event(&ev[i]);
        }
    }

    loop_fast();
}
