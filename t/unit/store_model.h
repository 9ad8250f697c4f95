
/*
 * store_model.h: what a zone must do, said again with plain arrays.
 *
 * A part of store.c.  The model keeps every message in one array by id, and for
 * each category what was lost, when it was used, and who is interested.  It
 * foretells answers exactly.  What it does not foretell is which messages a
 * call drops; after every call it compares, finds what has gone, and asks that
 * each had a reason:
 *
 *     TTL    its time was over
 *     CAP    its category had more than buffer, it was the oldest of them
 *     ROOM   a publish needed room, it was the oldest of all
 *     SLOT   a publish needed a slot, its whole category went
 *     IDLE   nobody cared for its category for too long, all of it went
 *     GONE   deleted, or read with delete_on_read
 *
 * All but the last are losses, of which the category must tell.
 *
 * An op is one call of the zone's.  model_op() makes it, in one of two ways: in
 * a plain world, perhaps with ops of other workers in front of every hold of
 * the lock; in a crash world first with a kill at the first store, at the
 * second, and so on, each time from the same memory, until it gets through.
 */


#ifndef _STORE_MODEL_H_INCLUDED_
#define _STORE_MODEL_H_INCLUDED_


#include "store_stub.h"
#include "zone_check.h"


/* of a world */

#define MODEL_CRASH     0x01    /* kills */
#define MODEL_BETWEEN   0x02    /* ops between lock holds */
#define MODEL_CROWDED   0x04    /* more categories than slots */
#define MODEL_IDLE      0x08    /* inactive is set now and then */
#define MODEL_TAKE      0x10    /* delete_on_read is set now and then */
#define MODEL_LARGE     0x20    /* megabytes */
#define MODEL_PLAIN     0x40    /* directed: no random configuration */


#define MODEL_WORKERS   3
#define MODEL_NOBODY    MODEL_WORKERS
#define MODEL_PARKS     24
#define MODEL_PATTERN   (1024 * 1024 + 65536 + 65521)
#define MODEL_EPOCH     1700000000000ULL

#define MODEL_TTL       0x01
#define MODEL_CAP       0x02
#define MODEL_ROOM      0x04
#define MODEL_SLOT      0x08
#define MODEL_IDLED     0x10
#define MODEL_GONE      0x20


typedef struct {
    uint64_t                   id;
    uint32_t                   cat;
    uint32_t                   uid;         /* which bytes */
    uint32_t                   len;
    uint32_t                   bytes;       /* in the log */
    uint32_t                   key;         /* 0: none */
    uint32_t                   behind;      /* how many of its publish */
    uint64_t                   owed;
    unsigned                   owes:1;      /* there is an owed */
    unsigned                   taken:1;
    unsigned                   dead:1;
    unsigned                   fresh:1;     /* came in this op */
    unsigned                   why:6;
    unsigned                   oldest:1;    /* of all, when it went */
    unsigned                   skipped:1;   /* an older one of its category
                                               stayed */
    uint64_t                   died;        /* in which op */
} model_msg_t;


/* a worker's interest in a category */

typedef struct {
    ngx_uint_t                 refs;        /* parks */
    ngx_uint_t                 bit;         /* is in the slot */
    ngx_uint_t                 slotless;       /* is counted loose so often */
    uint32_t                   slot;
    uint64_t                   pending;     /* op that published, 0: told */
} model_interest_t;


typedef struct {
    ngx_http_longpoll_cat_t    cat;
    uint64_t                   count;
    uint64_t                   dropped;     /* highest id lost */
    uint64_t                   used_min;    /* used last, at least */
    uint64_t                   used_max;    /* and at most */
    model_interest_t           interest[MODEL_WORKERS];

    /* in one op */
    uint64_t                   mark;
    uint64_t                   index;
    uint64_t                   pass;        /* of these */
    uint64_t                   went;
    uint64_t                   went_old;    /* that did not come in this op */
    uint64_t                   came;
    uint64_t                   given;       /* of these that went, taken */
    uint64_t                   lost;
    uint64_t                   survivor;    /* in which pass */
} model_cat_t;


/* an entry of the places, by number */

typedef struct {
    uint64_t                   uuid[2];     /* uuid[0] == 0: nobody's */
    uint64_t                   seen;
    uint64_t                   used;
    uint64_t                   waiting;
    uint64_t                   order;       /* among the idle */
} model_client_t;


typedef struct {
    ngx_uint_t                 busy;
    ngx_uint_t                 worker;
    ngx_uint_t                 by_client;   /* it is gpoll's, of client */
    ngx_http_longpoll_client_t client;
    uint64_t                   id;
    ngx_uint_t                 ncats;
    uint32_t                   cats[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
} model_park_t;


typedef enum {
    MODEL_PUBLISH = 0,
    MODEL_READ,
    MODEL_UNWATCH,
    MODEL_LOOSE,
    MODEL_PAID,
    MODEL_DIRTY,
    MODEL_LOOK,
    MODEL_DELETE,
    MODEL_TICK,
    MODEL_FORGET,
    MODEL_CONFIGURE,
    MODEL_STATUS,
    MODEL_ENTER,
    MODEL_PART
} model_op_e;


typedef struct {
    model_op_e                 kind;
    uint64_t                   now;
    ngx_uint_t                 worker;      /* index, or MODEL_NOBODY */
    uint32_t                   cat;         /* unwatch, loose, paid, delete */
    uint32_t                   slot;
    ngx_int_t                  slotless;
    ngx_http_longpoll_zone_conf_t  conf;

    /* publish: n, read: ncats */
    ngx_uint_t                 n;
    uint32_t                   which[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    uint32_t                   uids[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    ngx_http_longpoll_cat_t    cats[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    ngx_http_longpoll_msg_t    msgs[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    ngx_uint_t                 key;         /* 0: none */
    uint64_t                   need;
    ngx_uint_t                 distinct;

    ngx_http_longpoll_read_t   rd;
    ngx_http_longpoll_cursor_t cursor;
    size_t                     costs[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    uint32_t                   slots[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];

    /* enter, part, and a read where it is by_client */
    ngx_uint_t                 by_client;
    ngx_http_longpoll_client_t client;
    model_client_t             previous;      /* before the last hold */

    /* how it went */
    uint64_t                   serial;
    ngx_uint_t                 locks;
    ngx_uint_t                 between;     /* ops of others */
    ngx_uint_t                 done;        /* no longer on its way */
    uint64_t                   visible;     /* at the beginning */
    uint64_t                   idle;        /* then, a bit for each category */
    uint64_t                   second;      /* then */
    uint64_t                   published;   /* then */
    uint64_t                   last_id;     /* before the last hold */
    uint64_t                   clock;       /* then */
    uint64_t                   bound;       /* of a delete */
    ngx_int_t                  rc;
    uint64_t                   wake;
    uint64_t                   hashes[NGX_HTTP_LONGPOLL_DIRTY][2];
    ngx_http_longpoll_zone_status_t  st;
} model_op_t;


typedef struct {
    ngx_uint_t                 flags;
    ngx_uint_t                 exact;       /* nothing is ever forgotten */
    size_t                     size;
    size_t                     mem_size;
    u_char                    *mem;
    u_char                    *copy;        /* of mem, in a crash world */

    ngx_http_longpoll_zone_t   zone;
    ngx_shmtx_t                mutex;
    ngx_http_longpoll_zone_sh_t  *sh;
    ngx_http_longpoll_zone_conf_t  conf;    /* in force */
    uint64_t                   lag;         /* of slot->used */

    uint64_t                   now;
    uint64_t                   last_id;
    uint64_t                   visible;
    uint64_t                   floor;       /* ms of a time-out answer: later
                                               ids are beyond */
    uint64_t                   max_dropped;
    uint32_t                   uid;
    uint64_t                   expired;
    uint64_t                   evicted;

    ngx_uint_t                 ncats;
    model_cat_t               *cats;
    ngx_uint_t                 full;        /* with messages */
    uint32_t                  *map;         /* by hash */
    ngx_uint_t                 nmap;

    model_msg_t              **all;
    ngx_uint_t                 nall;
    ngx_uint_t                 max_all;
    ngx_uint_t                 nlive;
    uint64_t                   live;

    model_msg_t              **went;        /* in one op */
    ngx_uint_t                 nwent;
    ngx_uint_t                 came;

    uint32_t                   nplaces;
    uint32_t                   nclients;
    uint32_t                   nidle;
    model_client_t            *clients;

    model_park_t               parks[MODEL_PARKS];
    ngx_uint_t                 workers[MODEL_WORKERS];
    ngx_uint_t                 slotless[MODEL_WORKERS];
    ngx_uint_t                 looking[MODEL_WORKERS];
    uint64_t                   waiting[MODEL_WORKERS];
    ngx_uint_t                 invalid;     /* reads, one after another */

    ngx_uint_t                 immortal;    /* after each kill all is as it
                                               was */
    uint64_t                   serial;      /* of ops */
    uint64_t                   pass;        /* of model_diff() */
    ngx_uint_t                 depth;
    model_op_t                *op;
    model_op_t                *deleting;

    /* in place of random ops, before the lock of that number */
    void                     (*script)(void);
    ngx_uint_t                 script_lock;

    uint64_t                   small;       /* bytes of most messages */
    ngx_uint_t                 every;       /* ops between checks */
} model_t;


static model_t  m;
static u_char   model_pattern[MODEL_PATTERN];


static int model_op(model_op_t *op);
static void model_check_clients(void);
static void model_judge_clients(model_op_t *op, ngx_uint_t killed);
static void model_apply_clients(void);
static void model_act(ngx_uint_t other, ngx_uint_t reads);


#define model_ms(id)   ngx_http_longpoll_id_ms(id)
#define model_bit(w)   ((uint64_t) 1 << m.workers[w])

#define model_msg(ref)                                                        \
    ((ngx_http_longpoll_msg_sh_t *) ngx_http_longpoll_log_rec(&m.zone.log,    \
                                                              ref))

#define model_bytes(uid)                                                      \
    (&model_pattern[(uint64_t) (uid) * 2654435761U % 65521])


static const char *
model_name(model_op_t *op)
{
    static const char  *names[] = {
        "publish", "read", "unwatch", "loose", "paid", "dirty", "look",
        "delete", "tick", "forget", "configure", "status", "enter", "part"
    };

    return names[op->kind];
}


/* before the op at hand */

static uint64_t
model_clock(uint64_t now)
{
    return ngx_max(now, model_ms(m.last_id));
}


/*
 * a world
 */


static void
model_zone_init(ngx_uint_t exists)
{
    ngx_uint_t  i;
    u_char      random[24];

    for (i = 0; i < sizeof(random); i++) {
        random[i] = exists ? 0 : (u_char) stub_random();
    }

    stub_must(ngx_http_longpoll_zone_init(&m.zone, m.mem, m.mem_size, exists,
                                          random, m.now)
              == NGX_OK, "zone_init(%lu) fails", (unsigned long) exists);

    m.sh = m.zone.sh;
}


static void
model_add_cat(ngx_uint_t n)
{
    size_t        len;
    u_char       *p;
    uint32_t      h;
    model_cat_t  *c;

    c = &m.cats[n];

    len = !(m.flags & MODEL_PLAIN) && stub_once(10)
          ? 10 + stub_below(NGX_HTTP_LONGPOLL_MAX_CATEGORY - 9) : 0;

    p = malloc(NGX_HTTP_LONGPOLL_MAX_CATEGORY + 1);
    memset(p, 'x', NGX_HTTP_LONGPOLL_MAX_CATEGORY);

    c->cat.name.data = p;
    c->cat.name.len = sprintf((char *) p, "c%lu", (unsigned long) n);
    p[c->cat.name.len] = 'x';
    c->cat.name.len = ngx_max(c->cat.name.len, len);

    ngx_http_longpoll_zone_name(&m.zone, &c->cat);

    h = c->cat.hash[0] % m.nmap;

    while (m.map[h]) {
        h = (h + 1) % m.nmap;
    }

    m.map[h] = n + 1;
}


static uint32_t
model_find_cat(const uint64_t hash[2])
{
    uint32_t  h;

    for (h = hash[0] % m.nmap; m.map[h]; h = (h + 1) % m.nmap) {

        if (m.cats[m.map[h] - 1].cat.hash[0] == hash[0]
            && m.cats[m.map[h] - 1].cat.hash[1] == hash[1])
        {
            return m.map[h] - 1;
        }
    }

    stub_fail("a category that nobody knows");

    return 0;
}


static void
model_random_conf(ngx_http_longpoll_zone_conf_t *conf)
{
    static const uint64_t  buffers[] = { 1, 2, 5, 20, 250, 10000 };

    conf->buffer = buffers[stub_below(6)];
    conf->ttl = stub_once(2) ? 0 : stub_skewed(1, 20000);
    conf->inactive = 0;
    conf->delete_on_read = 0;

    if ((m.flags & MODEL_IDLE) && !stub_once(4)) {
        conf->inactive = stub_skewed(1, 20000);
    }

    if ((m.flags & MODEL_TAKE) && !stub_once(4)) {
        conf->delete_on_read = 1;
    }
}


static void
model_conf_is(ngx_http_longpoll_zone_conf_t *conf)
{
    uint64_t  lag;

    lag = conf->inactive ? ngx_min(conf->inactive / 16, 1000) : 1000;

    m.conf = *conf;
    m.lag = ngx_max(m.lag, lag);
}


static void
model_world(uint64_t seed, ngx_uint_t flags, size_t size, ngx_uint_t ncats,
    ngx_http_longpoll_zone_conf_t *conf)
{
    ngx_uint_t  i, invalid;

    static const ngx_uint_t  numbers[] = { 0, 1, 31, 32, 62, 63 };

    /* what reads have behind them is the process's */

    invalid = m.invalid;

    ngx_memzero(&m, sizeof(m));

    m.invalid = invalid;
    m.flags = flags;
    m.size = size;
    m.mem_size = size - 512;
    m.now = MODEL_EPOCH + stub_below(1000000);
    m.ncats = ncats;
    m.exact = (ncats < size / 512 / 4 - 1) && !(flags & MODEL_IDLE);
    m.every = flags & MODEL_LARGE ? 2000 : 50;
    m.small = stub_skewed(20, 600);

    /* malloc, so that its end is guarded under ASan */

    m.mem = malloc(m.mem_size);
    m.copy = malloc(m.mem_size);
    ngx_memzero(m.mem, m.mem_size);

    m.nmap = ncats * 2 + 1;
    m.map = calloc(m.nmap, sizeof(uint32_t));
    m.cats = calloc(ncats, sizeof(model_cat_t));

    m.max_all = size / 16 + 10000;
    m.all = malloc(m.max_all * sizeof(model_msg_t *));
    m.went = malloc(m.max_all * sizeof(model_msg_t *));

    m.nplaces = size / 64 / sizeof(ngx_http_longpoll_client_sh_t);
    m.clients = calloc(m.nplaces, sizeof(model_client_t));

    m.zone.size = size;
    m.zone.mutex = &m.mutex;
    m.zone.conf = *conf;

    model_conf_is(conf);
    model_zone_init(0);

    m.last_id = m.sh->clock.last_id;
    m.visible = m.sh->clock.visible;

    for (i = 0; i < ncats; i++) {
        model_add_cat(i);
    }

    m.workers[0] = numbers[stub_below(2)];
    m.workers[1] = numbers[2 + stub_below(2)];
    m.workers[2] = numbers[4 + stub_below(2)];

    stub->seed = seed;
    stub->op = 0;
}


static void
model_random_world(uint64_t seed, ngx_uint_t flags)
{
    size_t                         size;
    ngx_uint_t                     nslots, ncats;
    ngx_http_longpoll_zone_conf_t  conf;

    static const size_t  small[] = { 32, 32, 48, 100, 256 };
    static const size_t  large[] = { 512, 1024, 2048, 4096 };

    stub_random_state = seed;
    m.flags = flags;
    model_random_conf(&conf);

    if (flags & MODEL_CRASH) {
        size = small[stub_below(3)] * 1024;

    } else if (flags & MODEL_LARGE) {
        size = large[stub_below(4)] * 1024;

    } else {
        size = small[stub_below(5)] * 1024;
    }

    nslots = size / 512;

    if (flags & MODEL_CROWDED) {
        ncats = nslots / 2 + stub_below(nslots);

    } else {
        ncats = 1 + stub_below(ngx_min(nslots / 4 - 2, 100));
    }

    model_world(seed, flags, size, ncats, &conf);
}


static void
model_end(void)
{
    ngx_uint_t  i;

    for (i = 0; i < m.nall; i++) {
        free(m.all[i]);
    }

    for (i = 0; i < m.ncats; i++) {
        free(m.cats[i].cat.name.data);
    }

    free(m.clients);
    free(m.all);
    free(m.went);
    free(m.cats);
    free(m.map);
    free(m.copy);
    free(m.mem);

    m.mem = NULL;
}


/*
 * the whole zone: everything is where it should be
 */


static void
model_check_log(void)
{
    uint64_t                     pos, n, live, events;
    ngx_http_longpoll_log_sh_t  *log;
    ngx_http_longpoll_rec_sh_t  *rec;

    log = m.zone.log.sh;
    live = 0;
    events = 0;

    stub_must(log->tail <= log->head && log->head - log->tail <= log->size,
              "log: head and tail");

    for (pos = log->tail; pos != log->head; pos += n) {
        rec = (void *) (m.zone.log.base + pos % log->size);
        n = ngx_http_longpoll_log_bytes(rec);

        stub_must(n && pos + n <= log->head
                  && pos % log->size + n <= log->size, "log: a record");

        if (rec->state == NGX_HTTP_LONGPOLL_LOG_LIVE) {
            live += n;
            events++;
        }
    }

    stub_must(live == log->live, "log: live is %lu, not %lu",
              (unsigned long) log->live, (unsigned long) live);
    stub_must(events == m.sh->list.count, "log: %lu messages, not %lu",
              (unsigned long) m.sh->list.count, (unsigned long) events);
}


static ngx_uint_t
model_check_ref(uint32_t ref)
{
    uint64_t                     pos;
    ngx_http_longpoll_log_sh_t  *log;

    log = m.zone.log.sh;

    if (ref == 0 || ref > log->size / NGX_HTTP_LONGPOLL_LOG_UNIT) {
        return 0;
    }

    pos = ngx_http_longpoll_log_pos(&m.zone.log, ref);

    return pos < log->head && model_msg(ref)->id <= m.sh->clock.visible
           && model_msg(ref)->rec.state == NGX_HTTP_LONGPOLL_LOG_LIVE;
}


static void
model_check_cat(uint32_t slot)
{
    uint32_t                     ref, prev;
    uint64_t                     id, n;
    ngx_http_longpoll_cat_sh_t  *cat;
    ngx_http_longpoll_msg_sh_t  *msg;

    cat = &m.zone.cats.slots[slot];
    id = 0;
    n = 0;
    prev = 0;

    for (ref = cat->first; ref; ref = msg->next) {
        stub_must(model_check_ref(ref) && n++ < cat->count, "cat: a ref");
        msg = model_msg(ref);
        stub_must(msg->id > id && msg->prev == prev && msg->slot == slot,
                  "cat: its list");
        id = msg->id;
        prev = ref;
    }

    stub_must(n == cat->count && cat->last == prev, "cat: its end");
}


static void
model_check_slots(void)
{
    uint32_t                      n, i, full, active, claimed, chained, left;
    uint64_t                      waiting;
    model_cat_t                  *c;
    model_interest_t             *in;
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_cats_sh_t  *sh;

    sh = m.zone.cats.sh;
    full = active = claimed = chained = 0;

    stub_must(sh->fresh <= sh->nslots, "slots: fresh");

    for (n = 0; n < sh->fresh; n++) {
        cat = &m.zone.cats.slots[n];

        if (cat->hash[0] == 0) {
            continue;
        }

        model_check_cat(n);

        claimed++;
        full += (cat->count != 0);
        active += (cat->count || cat->waiting);

        c = &m.cats[model_find_cat(cat->hash)];
        waiting = 0;

        for (i = 0; i < MODEL_WORKERS; i++) {
            in = &c->interest[i];

            if (in->bit) {
                waiting |= model_bit(i);

                stub_must((cat->waiting & model_bit(i)) || m.looking[i]
                          || m.sh->workers[m.workers[i]].wake_all,
                          "slots: an interest of worker %lu is lost",
                          (unsigned long) i);
            }
        }

        stub_must((cat->waiting & ~waiting) == 0,
                  "slots: somebody waits who does not");
    }

    stub_must(claimed == sh->claimed, "slots: claimed is %u, not %u",
              sh->claimed, claimed);
    stub_must(full == sh->full, "slots: full is %u, not %u", sh->full, full);
    stub_must(active == sh->active, "slots: active is %u, not %u", sh->active,
              active);

    for (i = 0; i < sh->nbuckets; i++) {

        for (n = m.zone.cats.buckets[i]; n; n = cat->next) {
            stub_must(n <= sh->fresh && chained++ < claimed,
                      "slots: a bucket");
            cat = &m.zone.cats.slots[n - 1];
            stub_must(cat->hash[0] && (cat->hash[0] & (sh->nbuckets - 1)) == i,
                      "slots: a slot is in another's bucket");
        }
    }

    stub_must(chained == claimed, "slots: %u of %u in buckets", chained,
              claimed);

    left = sh->fresh - claimed;

    for (n = sh->free; n; n = m.zone.cats.slots[n - 1].next) {
        stub_must(n <= sh->fresh && m.zone.cats.slots[n - 1].hash[0] == 0
                  && left--, "slots: the free ones");
    }

    stub_must(left == 0, "slots: %u have leaked", left);
}


static void
model_check_workers(void)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_worker_sh_t  *w;

    for (i = 0; i < MODEL_WORKERS; i++) {
        w = &m.sh->workers[m.workers[i]];

        stub_must(w->slotless == m.slotless[i], "worker: loose is %lu, not %lu",
                  (unsigned long) w->slotless, (unsigned long) m.slotless[i]);
        stub_must((m.sh->slotless & model_bit(i))
                  == (m.slotless[i] ? model_bit(i) : 0), "worker: the loose bit");
    }
}


/* whether the worker is to hear of what was published */

static ngx_uint_t
model_told(ngx_uint_t w, uint32_t n, uint64_t count)
{
    uint32_t      slot;
    ngx_uint_t    number;
    model_cat_t  *c;

    c = &m.cats[n];
    number = m.workers[w];

    if (m.sh->workers[number].wake_all || m.looking[w]) {
        return 1;
    }

    slot = ngx_http_longpoll_cat_find(&m.zone.cats, c->cat.hash);

    if (!c->interest[w].bit && count == 0) {

        /* loose, and forgotten since: the time-out will say missed */

        return 1;
    }

    if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
        return 0;
    }

    return (m.zone.dirty[number * m.zone.words + slot / 64] >> slot % 64 & 1)
           && (m.zone.summary[number * m.zone.sums + slot / 4096]
               >> slot / 64 % 64 & 1);
}


static void
model_check(void)
{
    uint32_t      n, slot;
    ngx_uint_t    i;
    const char   *wrong;
    model_cat_t  *c;

    wrong = zone_check(&m.zone);
    stub_must(wrong == NULL, "zone_check: %s", wrong);

    model_check_log();
    model_check_slots();
    model_check_workers();
    model_check_clients();

    for (n = 0; n < m.ncats; n++) {
        c = &m.cats[n];

        for (i = 0; i < MODEL_WORKERS; i++) {
            stub_must(!c->interest[i].pending || model_told(i, n, c->count),
                      "worker %lu will not hear of c%u", (unsigned long) i, n);
        }

        if (m.exact) {
            slot = ngx_http_longpoll_cat_find(&m.zone.cats, c->cat.hash);

            stub_must(slot == NGX_HTTP_LONGPOLL_CAT_NONE
                      ? c->dropped == 0
                      : m.zone.cats.slots[slot].dropped == c->dropped,
                      "c%u: what it lost is not what the zone says", n);
        }
    }
}


/*
 * what has come, what has gone
 */


static ngx_uint_t
model_index(uint64_t id)
{
    ngx_uint_t  low, high, mid;

    low = 0;
    high = m.nall;

    while (low < high) {
        mid = (low + high) / 2;

        if (m.all[mid]->id < id) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return low;
}


/* bytes of a message in the log */

static uint64_t
model_need(uint32_t n, uint64_t len, ngx_uint_t keyed)
{
    return ngx_align(sizeof(ngx_http_longpoll_msg_sh_t)
                     + (m.conf.delete_on_read ? sizeof(uint64_t) : 0)
                     + (keyed ? 2 * sizeof(uint64_t) : 0)
                     + m.cats[n].cat.name.len + len,
                     NGX_HTTP_LONGPOLL_LOG_UNIT);
}


static void
model_same(ngx_http_longpoll_msg_sh_t *msg, uint32_t n, uint32_t uid,
    uint32_t len)
{
    u_char       *p;
    model_cat_t  *c;

    c = &m.cats[n];
    p = (u_char *) msg + sizeof(ngx_http_longpoll_msg_sh_t);

    if (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING) {
        p += sizeof(uint64_t);
    }

    if (msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED) {
        p += 2 * sizeof(uint64_t);
    }

    stub_must(m.zone.cats.slots[msg->slot].hash[0] == c->cat.hash[0]
              && msg->rec.name_len == c->cat.name.len
              && msg->data_len == len,
              "a message of c%u has another head", n);
    stub_must(memcmp(p, c->cat.name.data, c->cat.name.len) == 0
              && memcmp(p + c->cat.name.len, model_bytes(uid), len) == 0,
              "a message of c%u has other bytes", n);
}


/*
 * What a publish stored becomes a part of m.all, for now; some of it may be
 * gone already, if it alone is more than buffer.
 */

static void
model_come(model_op_t *op, ngx_uint_t killed)
{
    uint32_t                     ref;
    ngx_uint_t                   i;
    model_msg_t                 *msg;
    ngx_http_longpoll_msg_sh_t  *s;

    ref = m.sh->list.newest;

    if (killed && (ref == 0 || model_msg(ref)->id <= m.last_id)) {
        return;
    }

    m.came = op->n;

    stub_must(m.nall + op->n <= m.max_all, "the model is full");

    for (i = 0; i < op->n; i++) {
        msg = calloc(1, sizeof(model_msg_t));
        m.all[m.nall++] = msg;

        msg->id = op->msgs[i].id;
        msg->cat = op->which[i];
        msg->uid = op->uids[i];
        msg->len = op->msgs[i].data.len;
        msg->owes = m.conf.delete_on_read;
        msg->fresh = 1;
        msg->key = i ? 0 : op->key;
        msg->behind = op->n - 1 - i;
        msg->bytes = model_need(msg->cat, msg->len, msg->key);
    }

    while (i--) {
        msg = m.all[m.nall - op->n + i];
        s = model_msg(ref);

        if (ref && s->id == msg->id) {
            model_same(s, msg->cat, msg->uid, msg->len);

            stub_must(msg->bytes == ngx_http_longpoll_log_bytes(&s->rec)
                      && msg->owes == ((s->rec.bits
                                        & NGX_HTTP_LONGPOLL_MSG_PENDING) != 0)
                      && (msg->key != 0) == ((s->rec.bits
                                              & NGX_HTTP_LONGPOLL_MSG_KEYED)
                                             != 0),
                      "a message takes more than it needs");

            msg->owed = msg->owes ? *(uint64_t *) (s + 1) : 0;
            ref = s->older;
        }
    }

    stub_must(ref == 0 || model_msg(ref)->id <= m.last_id,
              "a message that nobody published");
    stub_must(model_msg(m.sh->list.newest)->id == op->msgs[op->n - 1].id,
              "a publish is not there, or not all of it");
}


/* m.came and m.went, by id; all: looks at every message */

static void
model_diff(model_op_t *op, ngx_uint_t killed, ngx_uint_t final, ngx_uint_t all)
{
    uint32_t                     ref;
    uint64_t                     id;
    ngx_uint_t                   i, left, survivors;
    model_cat_t                 *c;
    model_msg_t                 *msg;
    ngx_http_longpoll_msg_sh_t  *s;

    m.came = 0;
    m.nwent = 0;
    m.pass++;

    survivors = 0;

    stub_must(m.sh->clock.last_id >= m.last_id && m.sh->clock.visible >= m.visible
              && m.sh->clock.visible <= m.sh->clock.last_id, "ids go back");

    if (op->kind == MODEL_PUBLISH && final && (killed || op->rc == NGX_OK)) {
        model_come(op, killed);
    }

    stub_must(m.nlive + m.came >= m.sh->list.count, "messages from nowhere");
    left = m.nlive + m.came - m.sh->list.count;

    ref = m.sh->list.oldest;

    for (i = 0; i < m.nall && (left || all); i++) {
        msg = m.all[i];

        if (msg->dead) {
            continue;
        }

        c = &m.cats[msg->cat];

        if (ref) {
            s = model_msg(ref);
            id = s->id;

            if (id == msg->id) {
                if (all) {
                    model_same(s, msg->cat, msg->uid, msg->len);
                }

                c->survivor = m.pass;
                survivors++;
                ref = s->newer;
                continue;
            }

            stub_must(id > msg->id, "a message that nobody published");
        }

        stub_must(left, "more messages have gone than the zone says");
        left--;

        m.went[m.nwent++] = msg;

        msg->oldest = (survivors == 0);
        msg->skipped = (c->survivor == m.pass);
    }

    stub_must(left == 0, "fewer messages have gone than the zone says");

    stub_must(!all || ref == 0, "a message that nobody published");
}


static void
model_mark(model_op_t *op)
{
    ngx_uint_t  i, n;

    n = op->kind == MODEL_PUBLISH ? op->n : 0;
    n = op->kind == MODEL_READ ? op->rd.ncats : n;

    for (i = 0; i < n; i++) {
        m.cats[op->which[i]].mark = op->serial;
        m.cats[op->which[i]].index = op->kind == MODEL_READ ? i
                                                            : op->msgs[i].cat;
    }
}


static ngx_uint_t
model_has(model_op_t *op, uint32_t n)
{
    return m.cats[n].mark == op->serial;
}


static ngx_uint_t
model_was_given(model_op_t *op, uint64_t id)
{
    ngx_uint_t  low, high, mid;

    if (!op->done || op->rc != NGX_OK) {
        return 0;
    }

    low = 0;
    high = op->rd.nmsgs;

    while (low < high) {
        mid = (low + high) / 2;

        if (op->rd.msgs[mid].id < id) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return low < op->rd.nmsgs && op->rd.msgs[low].id == id;
}


/* whether taking, or paying, was right to drop it */

static ngx_uint_t
model_may_go(model_op_t *op, model_msg_t *msg, ngx_uint_t killed)
{
    uint64_t  bit;

    if ((op->kind == MODEL_DELETE && msg->cat == op->cat
         && msg->id <= op->bound)
        || (m.deleting && m.deleting->cat == msg->cat
            && msg->id <= m.deleting->bound))
    {
        return 1;
    }

    bit = op->worker == MODEL_NOBODY ? 0 : model_bit(op->worker);

    switch (op->kind) {

    case MODEL_READ:
        return m.conf.delete_on_read && model_has(op, msg->cat)
               && op->rd.mode != NGX_HTTP_LONGPOLL_READ_PEEK
               && (killed || model_was_given(op, msg->id))
               && (!msg->owes
                   || (msg->owed == 0
                       && (op->rd.mode != NGX_HTTP_LONGPOLL_READ_WAKE
                           || bit == 0)));

    case MODEL_PAID:
    case MODEL_UNWATCH:
        return msg->cat == op->cat && msg->owes && msg->taken
               && (msg->owed & ~bit) == 0;

    case MODEL_FORGET:
        return msg->owes && msg->taken && (msg->owed & ~bit) == 0;

    default:
        return 0;
    }
}


/* sure: not where a publish may have needed the slot more */

static ngx_uint_t
model_pinned(uint32_t n, ngx_uint_t sure)
{
    ngx_uint_t  i;

    for (i = 0; i < MODEL_WORKERS; i++) {
        if (m.cats[n].interest[i].bit
            && !(sure && (m.looking[i]
                          || m.sh->workers[m.workers[i]].wake_all)))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
model_idle(uint32_t n, uint64_t now, ngx_uint_t must)
{
    uint64_t      used;
    model_cat_t  *c;

    c = &m.cats[n];
    used = must ? c->used_max : c->used_min;

    return m.conf.inactive && !model_pinned(n, !must)
           && now + (must ? 0 : m.lag) >= used + m.conf.inactive;
}


static uint64_t
model_limit(void)
{
    return m.sh->log.size / 20 * 17;
}


static uint64_t
model_largest(void)
{
    ngx_uint_t  i;

    static uint64_t  bytes, pass;

    if (pass != m.pass) {
        pass = m.pass;
        bytes = 0;

        for (i = 0; i < m.nall; i++) {
            if (!m.all[i]->dead) {
                bytes = ngx_max(bytes, m.all[i]->bytes);
            }
        }
    }

    return bytes;
}


/* why a message may have gone; older: bytes that went before it */

static ngx_uint_t
model_why(model_op_t *op, model_msg_t *msg, uint64_t older, ngx_uint_t killed)
{
    ngx_uint_t    why;
    model_cat_t  *c;

    c = &m.cats[msg->cat];
    why = 0;

    if (model_may_go(op, msg, killed)) {
        why |= MODEL_GONE;

        if (op->kind == MODEL_READ && !killed) {
            return why;
        }
    }

    if (op->kind != MODEL_PUBLISH && op->kind != MODEL_TICK
        && op->kind != MODEL_READ)
    {
        return why;
    }

    if (op->kind == MODEL_READ && !model_has(op, msg->cat)) {
        return why;
    }

    if (m.conf.ttl && model_ms(msg->id) + m.conf.ttl <= model_clock(op->now)) {
        why |= MODEL_TTL;
    }

    if (op->kind != MODEL_TICK && model_has(op, msg->cat)
        && c->count - c->went + c->came + c->given >= m.conf.buffer)
    {
        why |= MODEL_CAP;
    }

    if (model_idle(msg->cat, op->now, 0)) {
        why |= MODEL_IDLED;
    }

    if (op->kind == MODEL_PUBLISH && msg->oldest && !msg->fresh) {

        /* it is the oldest of all, but for those that went before it */

        if (m.live - older + op->need > model_limit()) {
            why |= MODEL_ROOM;

        } else if (ngx_max(op->need, model_largest()) * 12
                   > m.sh->log.size - (m.live - older))
        {
            /*
             * Beside messages as large as this, and in so little free space,
             * cleaning does not always bring it together in one piece.
             */

            stub->emergencies += (why == 0 && !killed);
            why |= MODEL_ROOM;
        }
    }

    return why;
}


/* categories that went as a whole because a publish needed their slots */

static void
model_judge_slots(model_op_t *op, ngx_uint_t killed)
{
    uint32_t      max;
    ngx_uint_t    i, next, allowed, forgotten;
    model_msg_t  *msg;
    model_cat_t  *c;

    max = ngx_http_longpoll_cat_max_full(&m.zone.cats);
    allowed = m.full;

    next = 0;

    for (i = 0; op->kind == MODEL_PUBLISH && i < op->n; i++) {
        c = &m.cats[op->which[i]];

        if (op->msgs[i].cat == next) {
            allowed += (c->count == c->went_old);
            next++;
        }
    }

    allowed = allowed > max ? allowed - max : 0;
    forgotten = 0;

    for (i = 0; i < m.nwent; i++) {
        msg = m.went[i];
        c = &m.cats[msg->cat];

        if (msg->why) {
            if (allowed && !msg->fresh) {
                msg->why |= MODEL_SLOT;
            }

            continue;
        }

        stub_must(op->kind == MODEL_PUBLISH && !msg->fresh,
                  "a message of c%u, %lu of %lu, has gone for nothing",
                  msg->cat, (unsigned long) i, (unsigned long) m.nwent);

        stub_must(killed || !op->done || c->went == c->count,
                  "a message of c%u went for no reason, with %lu others "
                  "(%lu + %lu of %lu bytes, largest %lu%s)", msg->cat,
                  (unsigned long) m.nwent, (unsigned long) m.live,
                  (unsigned long) op->need,
                  (unsigned long) m.sh->log.size,
                  (unsigned long) model_largest(),
                  msg->oldest ? ", the oldest" : "");

        msg->why = MODEL_SLOT;

        if (c->lost == 0) {
            forgotten++;
        }

        c->lost = msg->id;
    }

    stub_must(forgotten <= allowed,
              "%lu categories were forgotten, %lu would have done",
              (unsigned long) forgotten, (unsigned long) allowed);
}


static void
model_clear(model_cat_t *c)
{
    c->pass = m.pass;
    c->went = 0;
    c->went_old = 0;
    c->came = 0;
    c->given = 0;
    c->lost = 0;
}


static void
model_judge(model_op_t *op, ngx_uint_t killed)
{
    uint32_t      slot;
    uint64_t      older, id;
    ngx_uint_t    i, loss, expired[2], evicted[2];
    model_msg_t  *msg;
    model_cat_t  *c;

    model_mark(op);
    model_judge_clients(op, killed);

    older = 0;
    expired[0] = expired[1] = evicted[0] = evicted[1] = 0;

    for (i = 0; i < m.nwent; i++) {
        model_clear(&m.cats[m.went[i]->cat]);
    }

    for (i = 0; op->kind == MODEL_PUBLISH && i < op->n; i++) {
        model_clear(&m.cats[op->which[i]]);
    }

    for (i = 0; i < m.came; i++) {
        m.cats[op->which[i]].came++;
    }

    for (i = 0; i < m.nwent; i++) {
        c = &m.cats[m.went[i]->cat];
        c->went++;
        c->went_old += !m.went[i]->fresh;
        c->given += model_may_go(op, m.went[i], killed);
    }

    for (i = 0; i < m.nwent; i++) {
        msg = m.went[i];
        msg->why = model_why(op, msg, older, killed);
        older += msg->bytes;
    }

    model_judge_slots(op, killed);

    for (i = 0; i < m.nwent; i++) {
        m.cats[m.went[i]->cat].lost = 0;
    }

    for (i = 0; i < m.nwent; i++) {
        msg = m.went[i];
        c = &m.cats[msg->cat];
        slot = ngx_http_longpoll_cat_find(&m.zone.cats, c->cat.hash);

        loss = ngx_http_longpoll_cat_missed(&m.zone.cats, slot, c->cat.hash,
                                            msg->id - 1, 0);

        if (!(msg->why & MODEL_GONE)) {
            stub_must(!msg->skipped, "an older message of c%u stays",
                      msg->cat);
            stub_must(loss, "c%u does not tell what it lost", msg->cat);

        } else if (loss && msg->why != MODEL_GONE) {
            msg->why &= ~MODEL_GONE;

        } else {
            msg->why = MODEL_GONE;
        }

        if (!(msg->why & MODEL_GONE)) {
            c->lost = msg->id;
        }

        expired[0] += !(msg->why & ~(MODEL_TTL|MODEL_IDLED));
        expired[1] += ((msg->why & (MODEL_TTL|MODEL_IDLED)) != 0);
        evicted[0] += !(msg->why & ~(MODEL_ROOM|MODEL_SLOT));
        evicted[1] += ((msg->why & (MODEL_ROOM|MODEL_SLOT)) != 0);
    }

    if (m.exact) {

        for (i = 0; i < m.nwent; i++) {
            c = &m.cats[m.went[i]->cat];
            id = ngx_max(c->dropped, c->lost);
            slot = ngx_http_longpoll_cat_find(&m.zone.cats, c->cat.hash);

            stub_must(slot == NGX_HTTP_LONGPOLL_CAT_NONE
                      ? id == 0 : m.zone.cats.slots[slot].dropped == id,
                      "c%u does not tell exactly what it lost",
                      m.went[i]->cat);
        }
    }

    expired[0] += m.expired;
    expired[1] += m.expired;
    evicted[0] += m.evicted;
    evicted[1] += m.evicted;

    stub_must(m.sh->counters.expired + killed >= expired[0]
              && m.sh->counters.expired <= expired[1],
              "expired is %lu, not %lu to %lu",
              (unsigned long) m.sh->counters.expired,
              (unsigned long) expired[0], (unsigned long) expired[1]);
    stub_must(m.sh->counters.evicted + killed >= evicted[0]
              && m.sh->counters.evicted <= evicted[1],
              "evicted is %lu, not %lu to %lu",
              (unsigned long) m.sh->counters.evicted,
              (unsigned long) evicted[0], (unsigned long) evicted[1]);
}


/* a killed op is tried again: all is as it was */

static void
model_unapply(void)
{
    while (m.came) {
        free(m.all[--m.nall]);
        m.came--;
    }
}


static void
model_apply(model_op_t *op)
{
    ngx_uint_t    i;
    model_cat_t  *c;
    model_msg_t  *msg;

    for (i = m.nall - m.came; i < m.nall; i++) {
        msg = m.all[i];
        c = &m.cats[msg->cat];

        msg->fresh = 0;

        m.nlive++;
        m.live += msg->bytes;
        m.full += (c->count++ == 0);
        stub->messages++;
    }

    for (i = 0; i < m.nwent; i++) {
        msg = m.went[i];
        c = &m.cats[msg->cat];

        msg->dead = 1;
        msg->died = op->serial;

        m.nlive--;
        m.live -= msg->bytes;
        m.full -= (--c->count == 0);

        if (!(msg->why & MODEL_GONE)) {
            c->dropped = ngx_max(c->dropped, msg->id);
            m.max_dropped = ngx_max(m.max_dropped, msg->id);
            stub->dropped++;
        }
    }

    stub_must(m.nlive == m.sh->list.count && m.live == m.sh->log.live,
              "live: %lu and %lu bytes, not %lu and %lu",
              (unsigned long) m.sh->list.count, (unsigned long) m.sh->log.live,
              (unsigned long) m.nlive, (unsigned long) m.live);

    model_apply_clients();

    op->last_id = m.last_id;
    op->clock = model_clock(op->now);

    m.last_id = m.sh->clock.last_id;
    m.visible = m.sh->clock.visible;
    m.expired = m.sh->counters.expired;
    m.evicted = m.sh->counters.evicted;
}


static void
model_sync(model_op_t *op, ngx_uint_t killed, ngx_uint_t final)
{
    model_diff(op, killed, final, killed || stub_once(m.every));
    model_judge(op, killed);
    model_apply(op);
}


/* the dead of earlier ops are forgotten */

static void
model_compact(void)
{
    ngx_uint_t  i, n;

    if (m.nall - m.nlive < 64 + m.nlive / 4) {
        return;
    }

    n = 0;

    for (i = 0; i < m.nall; i++) {
        if (m.all[i]->dead) {
            free(m.all[i]);

        } else {
            m.all[n++] = m.all[i];
        }
    }

    m.nall = n;
}


#include "store_client.h"
#include "store_op.h"


#endif /* _STORE_MODEL_H_INCLUDED_ */
