
/*
 * base.c: what every file of the load generator needs.
 *
 * Here are the options, the counts and samples that a run fills in, and the
 * way to end with a message.  It calls no other file.
 *
 * `doing` names the step that the run is at, for a message when its time is up
 * (`deadline`, in loop_now()'s nanoseconds).
 */


#include "base.h"


options_t    opt = {
    .conns = 32, .ops = 10000, .cats = 1, .size = 100, .seconds = 60,
    .buffer = 250, .publishers = 32, .wait_ms = 5000, .timeout = 110
};

count_t      count;
sample_t     before, after;
times_t      latency, publishing, others, lateness;
uint64_t     deadline;
const char  *doing = "starting";


void
bench_die(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    fputs("longpoll-bench: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);

    exit(2);
}


void *
bench_need(void *p)
{
    if (p == NULL) {
        bench_die("no memory");
    }

    return p;
}


void
times_add(times_t *t, uint64_t ns)
{
    if (t->n == t->size) {
        t->size = t->size ? t->size * 2 : 4096;
        t->ns = bench_need(realloc(t->ns, t->size * sizeof(uint64_t)));
    }

    t->ns[t->n++] = ns;
}


void
buf_room(buf_t *b, size_t n)
{
    if (b->size - b->len < n) {
        b->size = b->len + n + b->size / 2;
        b->data = bench_need(realloc(b->data, b->size));
    }
}


void
buf_keep(buf_t *b, const char *data, size_t len)
{
    buf_room(b, len + 1);
    memmove(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}


void
buf_free(buf_t *b)
{
    free(b->data);
    memset(b, 0, sizeof(*b));
}
