
/*
 * longpoll-bench: drives a long-poll server over keep-alive HTTP/1.1 or HTTP/2,
 * checks every answer, and prints what an operation costs.
 *
 *     longpoll-bench [option...] MODE http[s]://host[:port][,host...][/prefix]
 *
 * The heads of mode*.c describe the modes, the head of proto.c the protocols,
 * the head of check.c what is checked.  docs/benchmark.md shows how to measure
 * a server.
 *
 * Costs are the server's CPU time and memory, as the kernel counted them, if
 * the server runs on this machine.  This program's own time is not counted,
 * though it uses the same processors.  Latencies are measured here.
 *
 * The program is one thread with one epoll loop, and needs libc and OpenSSL.
 * Its exit code is 0 if all was right, 1 if anything was lost, doubled, out of
 * order, misrouted or not an answer, and 2 if there is no result.  No run lasts
 * longer than -t seconds.
 */


#include "base.h"
#include "check.h"
#include "conn.h"
#include "crowd.h"
#include "mode.h"
#include "proc.h"
#include "proto.h"


static const struct {
    const char  *name;
    void       (*run)(void);
    const char  *operation;
    int          many;                  /* can be several processes */
} modes[] = {
    { "get", mode_get, "answer", 0 },
    { "burst", mode_burst, "answer", 0 },
    { "publish", mode_publish, "publish", 0 },
    { "asked", mode_asked, "publish", 0 },
    { "fanout", mode_fanout, "delivery", 1 },
    { "lockstep", mode_lockstep, "round", 0 },
    { "own", mode_own, "event", 0 },
    { "catchup", mode_catchup, "catch-up", 0 },
    { "park", mode_park, "parked poll", 1 },
    { "churn", mode_churn, "visit", 0 },
    { "store", mode_store, "stored event", 0 },
};

static const char  usage[] =
    "usage: longpoll-bench [option...] MODE"
    " http[s]://host[:port][,...][/prefix]\n"
    "\n"
    "MODE is get, burst, publish, asked, fanout, lockstep, own, catchup,\n"
    "park, churn or store.\n"
    "\n"
    "  -p NAME   protocol: %s\n"
    "  -2        HTTP/2\n"
    "  -u PATH   where to publish     -g PATH  where to poll\n"
    "  -G PATH   where to poll from the beginning, if it is another path\n"
    "  -H LINE   another header       -x PIDS  the server's processes\n"
    "  -X PIDS   processes of a backend of the server's, counted apart\n"
    "  -d N      subscribers ask the server so many further in the list than\n"
    "            their publishers (own, lockstep)\n"
    "  -c N      connections          -n N     operations, or rounds\n"
    "  -k N      categories           -s N     bytes of an event\n"
    "  -a N      events of each category before publishing; down each stream\n"
    "            in park\n"
    "  -e        streams instead of polls, in fanout, own, lockstep, park and\n"
    "            churn\n"
    "  -f N      events that the server keeps of a category\n"
    "  -w N      publishers at once (own)\n"
    "  -o N      others that publish during a fan-out\n"
    "  -W MS     after which an event is lost\n"
    "  -T S      timeout of polls     -t S     limit of the run\n"
    "  -l        figures in one line of key=value\n";


static int
times_cmp(const void *one, const void *two)
{
    uint64_t  a = *(const uint64_t *) one, b = *(const uint64_t *) two;

    return (a > b) - (a < b);
}


static int
times_sort(times_t *t)
{
    if (t->n == 0) {
        return 0;
    }

    qsort(t->ns, t->n, sizeof(uint64_t), times_cmp);
    return 1;
}


static double
times_us(times_t *t, double part)
{
    return t->ns[(size_t) ((t->n - 1) * part)] / 1000.0;
}


static void
report_times_line(const char *name, times_t *t)
{
    if (times_sort(t)) {
        printf(" %sp50_us=%.1f %sp90_us=%.1f %sp99_us=%.1f %smax_us=%.1f",
               name, times_us(t, .5), name, times_us(t, .9),
               name, times_us(t, .99), name, times_us(t, 1));
    }
}


static void
report_line(double ops)
{
    printf("ops=%" PRIu64 " seconds=%.3f", count.ops,
           (after.wall - before.wall) / 1e9);

    if (proc_count()) {
        printf(" cpu_us=%.3f pss=%.1f own=%.1f private=%.1f",
               (after.cpu - before.cpu) / 1e3 / ops,
               ((double) after.pss - before.pss) / ops,
               ((double) after.own - before.own) / ops,
               ((double) after.private - before.private) / ops);
    }

    if (proc_backends()) {
        printf(" backend_us=%.3f",
               (after.backend - before.backend) / 1e3 / ops);
    }

    report_times_line("", &latency);
    report_times_line("publisher_", &publishing);
    report_times_line("others_", &others);
    report_times_line("late_", &lateness);

    printf(" checked=%" PRIu64 " timeouts=%" PRIu64 " bad=%" PRIu64
           " misrouted=%" PRIu64 " lost=%" PRId64 " doubled=%" PRId64
           " reordered=%" PRId64 "\n", count.events, count.timeouts, count.bad,
           count.misrouted, count.lost, count.doubled, count.reordered);
}


static void
report_times(const char *name, times_t *t)
{
    if (times_sort(t)) {
        printf("%-22s median %.3f, 90 %% %.3f, 99 %% %.3f, most %.3f ms\n",
               name, times_us(t, .5) / 1e3, times_us(t, .9) / 1e3,
               times_us(t, .99) / 1e3, times_us(t, 1) / 1e3);
    }
}


static void
report(const char *operation, double ops)
{
    double  seconds = (after.wall - before.wall) / 1e9;

    printf("%-22s %.0f in %.3f s\n", operation, ops, seconds);

    if (proc_count()) {
        printf("%-22s %.2f us each, of %u processes\n", "server's CPU",
               (after.cpu - before.cpu) / 1e3 / ops, proc_count());
        printf("%-22s %+.1f kB, %.1f bytes each\n", "server's memory",
               ((double) after.pss - before.pss) / 1024,
               ((double) after.pss - before.pss) / ops);

    } else {
        printf("%-22s not known; it is no server of this machine that this"
               " user may look at\n", "server's CPU");
    }

    if (proc_backends()) {
        printf("%-22s %.2f us each, of %u processes\n", "backend's CPU",
               (after.backend - before.backend) / 1e3 / ops, proc_backends());
    }

    report_times("latency", &latency);
    report_times("publisher's answer", &publishing);
    report_times("others' answers", &others);

    if (!check_wrong()) {
        printf("%-22s %" PRIu64 " events; nothing was lost, doubled, out of"
               " order or misrouted\n", "checked", count.events);
        return;
    }

    printf("%-22s %" PRId64 " lost, %" PRId64 " doubled, %" PRId64
           " out of order, %" PRIu64 " misrouted, %" PRIu64 " bad answers\n",
           "WRONG", count.lost, count.doubled, count.reordered,
           count.misrouted, count.bad);
}


static unsigned
number(int letter, const char *text, unsigned min, unsigned max)
{
    char           *end;
    unsigned long   n;

    n = strtoul(text, &end, 10);

    if (end == text || *end || n < min || n > max) {
        bench_die("-%c takes a number from %u to %u", letter, min, max);
    }

    return n;
}


static void
header(const char *line)
{
    size_t  len = strlen(line);
    buf_t  *b = &opt.headers;

    b->data = bench_need(realloc(b->data, b->len + len + 3));
    b->len += sprintf(b->data + b->len, "%s\r\n", line);
}


static void
pid_list(int letter, char *list)
{
    char  *p;

    for (p = strtok(list, ","); p; p = strtok(NULL, ",")) {
        proc_add(number(letter, p, 1, 1 << 30), letter == 'X');
    }
}


static char *
prefixed(const char *path)
{
    char    *s;
    size_t   len;

    len = strlen(opt.path);
    len -= (len && opt.path[len - 1] == '/');

    s = bench_need(malloc(len + strlen(path) + 1));
    sprintf(s, "%.*s%s", (int) len, opt.path, path);

    return s;
}


/* a mode's own defaults hold unless -c, -n and so on were given */

static unsigned
options(int argc, char **argv)
{
    int       o;
    unsigned  i;

    opt.proto = proto_find("golongpoll");

    while ((o = getopt(argc, argv,
                       "2G:H:T:W:X:a:c:d:ef:g:k:ln:o:p:s:t:u:w:x:")) != -1)
    {
        switch (o) {
        case '2': opt.h2 = 1; break;
        case 'G': opt.begin_path = optarg; break;
        case 'H': header(optarg); break;
        case 'T': opt.timeout = number(o, optarg, 1, 3600); break;
        case 'W': opt.wait_ms = number(o, optarg, 1, 600000); break;
        case 'a': opt.warm = number(o, optarg, 0, MAX_SEQ); break;
        case 'c': opt.conns = number(o, optarg, 1, 1000000); break;
        case 'd': opt.further = number(o, optarg, 0, 1000); break;
        case 'e': opt.streams = 1; break;
        case 'f': opt.buffer = number(o, optarg, 1, MAX_SEQ); break;
        case 'g': opt.poll_path = optarg; break;
        case 'k': opt.cats = number(o, optarg, 1, MAX_CATS); break;
        case 'l': opt.line = 1; break;
        case 'n': opt.ops = number(o, optarg, 1, 1 << 30); break;
        case 'o': opt.others = number(o, optarg, 0, 4000); break;
        case 'p': opt.proto = proto_find(optarg); break;
        case 's': opt.size = number(o, optarg, MARK_LEN, 64 << 20); break;
        case 't': opt.seconds = number(o, optarg, 1, 36000); break;
        case 'u': opt.publish_path = optarg; break;
        case 'w': opt.publishers = number(o, optarg, 1, 4095); break;
        case 'X':
        case 'x': pid_list(o, optarg); break;
        default:  optind = argc; break;
        }
    }

    for (i = 0; optind + 2 == argc && i < sizeof(modes) / sizeof(*modes); i++) {
        if (opt.proto && strcmp(argv[optind], modes[i].name) == 0) {
            return i;
        }
    }

    fprintf(stderr, usage, proto_names());
    exit(2);
}


int
main(int argc, char **argv)
{
    unsigned  mode;

    mode = options(argc, argv);
    opt.url = argv[optind + 1];

    if (opt.streams && opt.proto->stream == NULL) {
        bench_die("%s has no streams", opt.proto->name);
    }

    crowd_limit(modes[mode].many);
    conn_init(opt.url);

    if (opt.publish_path == NULL) {
        opt.publish_path = prefixed(opt.proto->publish_path);
    }

    if (opt.poll_path == NULL) {
        opt.poll_path = prefixed(opt.streams ? opt.proto->stream_path
                                             : opt.proto->poll_path);
    }

    if (proto_plain()) {
        opt.publish_path = opt.path;
        opt.poll_path = opt.path;
    }

    if (opt.begin_path == NULL) {
        opt.begin_path = opt.poll_path;
    }

    deadline = loop_now() + opt.seconds * 1000 * MS;
    check_init();
    modes[mode].run();

    if (!opt.line && isatty(STDERR_FILENO)) {
        fputs("\r\033[K", stderr);
    }

    if (opt.line) {
        report_line(count.ops ? count.ops : 1);

    } else {
        report(modes[mode].operation, count.ops);
    }

    return check_wrong() ? 1 : 0;
}
