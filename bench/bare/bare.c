
/*
 * bare.c: the least that a delivery down a stream of events can cost.
 *
 *     bare ADDRESS:PORT WORKERS
 *
 * It sends the bytes that this module sends, to each stream of the category,
 * with one send() for each, and does nothing else: it keeps no events, has no
 * cursors, sends no heartbeats, and ends if a client is slow.  It knows two
 * requests,
 *
 *     GET  ...category=cN                      a stream
 *     POST {"category":"cN","data":"..."}      a publish
 *
 * and one answer to each.  Like nginx it has processes with a listening socket
 * each, and an event goes from one to the others through shared memory and an
 * eventfd.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>


#define MAX_WORKERS  64
#define MAX_CATS     (1 << 18)
#define SLOTS        256
#define SLOT_SIZE    8192
#define UUID_LEN     36


/* an event, as it is sent */

typedef struct {
    unsigned       cat;
    size_t         len;
    char           data[SLOT_SIZE - 16];
} slot_t;

typedef struct {
    int            lock;
    uint64_t       next;                /* the number of the next event */
    slot_t         slots[SLOTS];
} shared_t;

typedef struct {
    int            fd;
    unsigned       cat;
    unsigned       place;               /* among the category's streams */
    unsigned       stream:1;
    char          *in;                  /* a request that is not whole */
    size_t         len;
} conn_t;

/* the streams of a category in this process */

typedef struct {
    conn_t       **conns;
    unsigned       n;
    unsigned       size;
} cat_t;


static const char  head[] =
    "HTTP/1.1 200 OK\r\n"
    "Server: nginx/1.22.1\r\n"
    "Date: Mon, 30 Nov 2026 08:28:51 GMT\r\n"
    "Content-Type: text/event-stream\r\n"
    "Transfer-Encoding: chunked\r\n"
    "Connection: keep-alive\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Cache-Control: no-cache, no-store, must-revalidate\r\n"
    "Pragma: no-cache\r\n"
    "Expires: 0\r\n"
    "X-Accel-Buffering: no\r\n"
    "\r\n"
    "4c\r\n"
    "retry: 1037\n"
    "event: place\n"
    "id: 01a22b92-3361-7fff-bc8c-75b3618efa1c\n"
    "data: {}\n"
    "\n"
    "\r\n";

static const char  success[] =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 17\r\n"
    "\r\n"
    "{\"success\": true}";

static shared_t  *shared;
static cat_t     *cats;
static uint64_t   seen;                 /* events that went to this process's
                                           streams */
static int        wake[MAX_WORKERS];
static unsigned   workers;
static unsigned   self;
static int        ep;
static char       buf[65536];


static void
die(const char *what)
{
    fprintf(stderr, "bare: %s: %s\n", what, strerror(errno));
    exit(1);
}


static void *
need(void *p)
{
    if (p == NULL) {
        die("no memory");
    }

    return p;
}


static void
want(int fd, void *p)
{
    struct epoll_event  ev;

    ev.events = EPOLLIN;
    ev.data.ptr = p;

    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == -1) {
        die("epoll_ctl()");
    }
}


static int
listening(char *address)
{
    int                 fd, one = 1;
    char               *port;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    port = strchr(address, ':');

    if (port == NULL) {
        die(address);
    }

    *port = '\0';
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = inet_addr(address);
    sin.sin_port = htons(atoi(port + 1));

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == -1
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(fd, 4096) == -1)
    {
        die(address);
    }

    return fd;
}


/* connections */


static void
accept_some(int listener)
{
    int      fd;
    conn_t  *c;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) != -1) {
        c = need(calloc(1, sizeof(conn_t)));
        c->fd = fd;
        want(fd, c);
    }
}


static void
leave(conn_t *c)
{
    cat_t   *cat;
    conn_t  *last;

    if (c->stream) {
        cat = &cats[c->cat];
        last = cat->conns[--cat->n];
        cat->conns[c->place] = last;
        last->place = c->place;
    }

    close(c->fd);
    free(c->in);
    free(c);
}


static void
put(conn_t *c, const char *data, size_t len)
{
    ssize_t  n;

    n = send(c->fd, data, len, MSG_NOSIGNAL);

    if (n != (ssize_t) len && errno != ECONNRESET && errno != EPIPE) {
        die("a client does not read");
    }
}


/* requests */


static void
subscribe(conn_t *c, const char *request)
{
    int          one = 1;
    cat_t       *cat;
    const char  *p;

    p = strstr(request, "category=c");
    c->cat = p ? atoi(p + 10) : 0;

    if (c->cat >= MAX_CATS) {
        die("a category of too high a number");
    }

    cat = &cats[c->cat];

    if (cat->n == cat->size) {
        cat->size = cat->size ? 2 * cat->size : 1;
        cat->conns = need(realloc(cat->conns, cat->size * sizeof(conn_t *)));
    }

    c->stream = 1;
    c->place = cat->n;
    cat->conns[cat->n++] = c;

    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    put(c, head, sizeof(head) - 1);
}


static void
encode(slot_t *slot, uint64_t number, unsigned cat, const char *data, int len)
{
    int              n;
    char             text[SLOT_SIZE - 32], id[UUID_LEN + 1];
    uint64_t         ms;
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    ms = ts.tv_sec * UINT64_C(1000) + ts.tv_nsec / 1000000;

    snprintf(id, sizeof(id), "%08x-%04x-7%03x-808c-75b3618efa1c",
             (unsigned) (ms >> 16), (unsigned) (ms & 0xffff),
             (unsigned) (number & 0xfff));

    n = snprintf(text, sizeof(text),
                 "id: %s\ndata: {\"timestamp\":%" PRIu64
                 ",\"category\":\"c%u\",\"data\":%.*s,\"id\":\"%s\"}\n\n",
                 id, ms, cat, len, data, id);

    if (n >= (int) sizeof(text)) {
        die("an event is too large");
    }

    slot->cat = cat;
    slot->len = sprintf(slot->data, "%x\r\n%s\r\n", n, text);
}


/* sends what this process's streams have not got yet */

static void
deliver(void)
{
    cat_t     *cat;
    slot_t    *slot;
    unsigned   i;
    uint64_t   next;

    next = __atomic_load_n(&shared->next, __ATOMIC_ACQUIRE);

    if (next - seen > SLOTS / 2) {
        die("a process is too far behind");
    }

    for ( /* void */ ; seen < next; seen++) {
        slot = &shared->slots[seen % SLOTS];
        cat = &cats[slot->cat];

        for (i = 0; i < cat->n; i++) {
            put(cat->conns[i], slot->data, slot->len);
        }
    }
}


static void
publish(conn_t *c, const char *body)
{
    uint64_t     one = 1;
    unsigned     i, cat;
    const char  *data, *end;

    data = strstr(body, "\"data\":");
    end = strrchr(body, '}');

    if (sscanf(body, "{\"category\":\"c%u\"", &cat) != 1 || cat >= MAX_CATS
        || data == NULL || end == NULL)
    {
        die("this is no event");
    }

    data += 7;

    while (__atomic_exchange_n(&shared->lock, 1, __ATOMIC_ACQUIRE)) { }

    encode(&shared->slots[shared->next % SLOTS], shared->next, cat, data,
           end - data);

    __atomic_add_fetch(&shared->next, 1, __ATOMIC_RELEASE);
    __atomic_store_n(&shared->lock, 0, __ATOMIC_RELEASE);

    put(c, success, sizeof(success) - 1);

    for (i = 0; i < workers; i++) {
        if (i != self && write(wake[i], &one, sizeof(one)) == -1) {
            die("write()");
        }
    }

    deliver();
}


/* returns 0 if more of the request has to come */

static int
request(conn_t *c, char *data, size_t len)
{
    char  *body, *length;

    body = strstr(data, "\r\n\r\n");
    if (body == NULL) {
        return 0;
    }

    body += 4;

    if (strncmp(data, "GET ", 4) == 0) {
        subscribe(c, data);
        return 1;
    }

    length = strcasestr(data, "\r\nContent-Length:");

    if (length == NULL
        || len - (body - data) < strtoul(length + 17, NULL, 10))
    {
        return 0;
    }

    publish(c, body);
    return 1;
}


static void
receive(conn_t *c)
{
    char     *data;
    ssize_t   n;

    n = recv(c->fd, buf, sizeof(buf) - 1, 0);

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    if (n <= 0) {
        leave(c);
        return;
    }

    data = buf;

    if (c->len) {
        c->in = need(realloc(c->in, c->len + n + 1));
        memcpy(c->in + c->len, buf, n);
        n += c->len;
        data = c->in;
    }

    data[n] = '\0';

    if (request(c, data, n)) {
        free(c->in);
        c->in = NULL;
        c->len = 0;
        return;
    }

    if (data == buf) {
        c->in = need(malloc(n + 1));
        memcpy(c->in, buf, n + 1);
    }

    c->len = n;
}


static void
work(char *address)
{
    int                 i, n, listener;
    uint64_t            woken;
    static int          is_listener, is_wake;
    struct epoll_event  ev[256];

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);

    ep = epoll_create1(0);
    listener = listening(address);
    cats = need(calloc(MAX_CATS, sizeof(cat_t)));

    want(listener, &is_listener);
    want(wake[self], &is_wake);

    for ( ;; ) {
        n = epoll_wait(ep, ev, 256, -1);

        for (i = 0; i < n; i++) {

            if (ev[i].data.ptr == &is_listener) {
                accept_some(listener);

            } else if (ev[i].data.ptr == &is_wake) {
                if (read(wake[self], &woken, sizeof(woken)) != -1) {
                    deliver();
                }

            } else {
                receive(ev[i].data.ptr);
            }
        }
    }
}


int
main(int argc, char **argv)
{
    struct rlimit  rl;

    workers = argc == 3 ? atoi(argv[2]) : 0;

    if (workers < 1 || workers > MAX_WORKERS) {
        fprintf(stderr, "usage: bare ADDRESS:PORT WORKERS\n");
        return 2;
    }

    if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
        rl.rlim_cur = rl.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &rl);
    }

    shared = mmap(NULL, sizeof(shared_t), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        die("mmap()");
    }

    for (self = 0; self < workers; self++) {
        wake[self] = eventfd(0, EFD_NONBLOCK);

        if (wake[self] == -1) {
            die("eventfd()");
        }
    }

    for (self = 0; self < workers; self++) {

        switch (fork()) {

        case -1:
            die("fork()");
            break;

        case 0:
            work(argv[1]);
            break;

        default:
            break;
        }
    }

    /* the kernel ends the others with this process */

    (void) waitpid(-1, NULL, 0);
    return 1;
}
