
/*
 * check.c: compares the events that came with those that should have come.
 *
 * All data begins with a mark of ten letters of base 64, most significant
 * first; the mark determines the letters behind it:
 *
 *     tt pp ccc sss xxxxxx...      (without the blanks)
 *     |  |  |   `-- sequence number: which event of this run in its category
 *     |  |  `------ category
 *     |  `--------- publisher: the connection that it was published on
 *     `------------ tag: which run; a server may hold events of earlier ones
 *
 * A category has one publisher at a time, so there is one right order.  Each
 * subscriber has a window: the next sequence number, and a bit for each of the
 * last 64 that says whether it came.  A number that is skipped counts as lost;
 * if it comes later, it counts as out of order instead.  A number that comes
 * twice is doubled.  An event of another category, or with other data than was
 * published, is misrouted.  An answer with a wrong status or form is bad.  The
 * first five faults are printed; one is enough for a run to fail.
 */


#include "base.h"
#include "check.h"
#include "conn.h"
#include "proto.h"


static const char   letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char        *event_data;
static unsigned     tag;
static unsigned     shown;
static char        *first_body;
static size_t       first_len;


void
check_init(void)
{
    if (opt.size < MARK_LEN) {
        bench_die("an event needs %d bytes for its mark", MARK_LEN);
    }

    event_data = bench_need(malloc(opt.size + 1));
    event_data[opt.size] = '\0';

    tag = getpid() & 4095;
}


static void
check_put(char *p, unsigned n, unsigned len)
{
    while (len--) {
        p[len] = letters[n & 63];
        n >>= 6;
    }
}


static unsigned
check_number(const char *p, unsigned len)
{
    unsigned     n;
    const char  *letter;

    for (n = 0; len--; p++) {
        letter = memchr(letters, *p, 64);
        if (letter == NULL) {
            return (unsigned) -1;
        }

        n = n << 6 | (unsigned) (letter - letters);
    }

    return n;
}


/* the letters behind a mark differ from mark to mark */

static void
check_fill(char *data, unsigned cat, unsigned seq)
{
    memset(data + MARK_LEN, 'a' + (cat + seq) % 26, opt.size - MARK_LEN);
}


const char *
check_data(unsigned publisher, unsigned cat, unsigned seq)
{
    if (seq >= MAX_SEQ) {
        bench_die("more than %d events in one category", MAX_SEQ);
    }

    check_put(event_data, tag, 2);
    check_put(event_data + 2, publisher & 4095, 2);
    check_put(event_data + 4, cat, 3);
    check_put(event_data + 7, seq, 3);
    check_fill(event_data, cat, seq);

    return event_data;
}


static void
check_show(conn_t *c, const char *what, const char *text, size_t len)
{
    if (shown++ >= 5) {
        return;
    }

    fprintf(stderr, "longpoll-bench: %s, connection %u, category c%u: %s: "
            "%.*s\n", doing, c->number, c->cat, what,
            (int) (len > 200 ? 200 : len), text);
}


static void
check_bad(conn_t *c, const char *what)
{
    char  text[240];
    int   n;

    n = snprintf(text, sizeof(text), "status %d, %.*s", c->status,
                 (int) (c->body_len > 200 ? 200 : c->body_len), c->body);

    count.bad++;
    check_show(c, what, text, n);
}


static void
check_event(conn_t *c, const char *what, event_t *e)
{
    check_show(c, what, e->data, e->data_len);
}


void
check_window(conn_t *c, uint64_t next)
{
    c->window.next = next;
    c->window.seen = (uint64_t) -1;
    c->window.old = (c->from == FROM_BEGIN);
}


static void
check_sequence(conn_t *c, event_t *e, uint64_t seq)
{
    uint64_t   n;
    window_t  *w = &c->window;

    w->old = 0;

    if (seq == w->next) {
        w->seen = w->seen << 1 | 1;
        w->next++;
        return;
    }

    if (seq > w->next) {
        n = seq - w->next;
        count.lost += n;
        w->seen = (n < 63) ? w->seen << (n + 1) | 1 : 1;
        w->next = seq + 1;
        check_event(c, "events before this one did not come", e);
        return;
    }

    n = w->next - 1 - seq;

    if (n < 64 && !(w->seen >> n & 1)) {
        w->seen |= (uint64_t) 1 << n;
        count.lost--;
        count.reordered++;
        check_event(c, "comes after later ones", e);
        return;
    }

    count.doubled++;
    check_event(c, "comes again", e);
}


/* returns 1 for an event of c's category, of this run or another one, or 0 */

static int
check_mark(conn_t *c, event_t *e)
{
    char      name[16];
    size_t    i;
    unsigned  cat, seq;

    if (e->cat) {
        i = snprintf(name, sizeof(name), "c%u", c->cat);

        if (e->cat_len != i || memcmp(e->cat, name, i) != 0) {
            goto misrouted;
        }
    }

    if (e->data_len < MARK_LEN) {
        goto misrouted;
    }

    if (check_number(e->data, 2) != tag) {

        /* only a poll from the beginning receives these, and first */

        if (c->window.old) {
            return 1;
        }

        goto misrouted;
    }

    cat = check_number(e->data + 4, 3);
    seq = check_number(e->data + 7, 3);

    if (cat != c->cat || seq >= MAX_SEQ || e->data_len != opt.size) {
        goto misrouted;
    }

    for (i = MARK_LEN; i < opt.size; i++) {
        if (e->data[i] != (char) ('a' + (cat + seq) % 26)) {
            goto misrouted;
        }
    }

    if (c->window.old && seq < c->window.next) {
        return 1;                       /* the server keeps more than it must */
    }

    check_sequence(c, e, seq);
    return 1;

misrouted:

    count.misrouted++;
    check_event(c, "is not of this category, or not what was published", e);
    return 0;
}


int
check_poll(conn_t *c)
{
    int       n, rc;
    char     *p;
    event_t   e;

    if (c->status == 304 || c->status == 204) {
        count.timeouts++;
        return 0;
    }

    if (c->status != 200) {
        check_bad(c, "not the answer to a poll");
        return -1;
    }

    n = 0;
    p = c->body;

    while ((rc = opt.proto->next(c, &p, &e)) > 0) {
        n += check_mark(c, &e);
        count.events++;
    }

    if (rc < 0) {
        check_bad(c, "not the answer to a poll");
        return -1;
    }

    if (p == c->body) {
        count.timeouts++;
    }

    c->from = FROM_CURSOR;

    return n;
}


int
check_frames(conn_t *c)
{
    int       n, rc;
    char     *p;
    event_t   e;

    n = 0;
    p = c->body;

    while ((rc = proto_frame(c, &p, &e)) > 0) {

        if (rc == 1) {
            n += check_mark(c, &e);
            count.events++;
        }
    }

    if (rc < 0) {
        check_bad(c, "no frames of a stream");
        return -1;
    }

    return n;
}


/* at the end all events of c's category should have come */

void
check_lost(conn_t *c, uint64_t published)
{
    if (c->window.next < published) {
        count.lost += published - c->window.next;
        check_show(c, "the last events did not come", "", 0);
    }
}


void
check_parked(conn_t *c, int n)
{
    if (n > 0 || (n == 0 && !opt.streams)) {
        check_bad(c, "a parked poll was answered");
    }
}


void
check_published(conn_t *c)
{
    if (!opt.proto->published(c)) {
        check_bad(c, "not the answer to a publish");
    }
}


void
check_same(conn_t *c)
{
    if (c->status != 200) {
        check_bad(c, "another status");
        return;
    }

    if (first_body == NULL) {
        first_len = c->body_len;
        first_body = bench_need(malloc(first_len + 1));
        memcpy(first_body, c->body, first_len);
        return;
    }

    if (c->body_len != first_len || memcmp(c->body, first_body, first_len)) {
        check_bad(c, "another body than the first");
    }
}


int
check_wrong(void)
{
    return count.bad || count.misrouted || count.lost || count.doubled
           || count.reordered;
}
