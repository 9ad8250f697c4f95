
/*
 * presence_act.c: something happens to a zone with presence.
 *
 * In a crash world each op is killed at its first store, then at its second,
 * and so on, each time from the same memory; after each kill another process
 * recovers.  Now and then the op ends with one of these kills: its worker is
 * dead, and is reaped.
 */


#include "presence_model.h"


model_t  m;

static ngx_atomic_t  model_elected;
static u_char        model_lines[64 * 1024];
static u_char        model_data[4096];


static void model_name(model_cat_t *c, ngx_uint_t n);
static void model_read(model_op_t *op);
static void model_leave(model_op_t *op);
static void model_call(void *data);
static void model_apply(model_op_t *op);
static ngx_uint_t model_killed(model_op_t *op, uint64_t store);
static void model_kill(model_op_t *op);
static void model_recover(void);
static void model_settled(void);
static void model_merge(void);
static void model_reaped(ngx_uint_t worker);
static void model_left(model_cat_t *c, ngx_uint_t worker);
static void model_come_back(ngx_uint_t all);
static void model_forgotten(void);


#define model_bit(worker)  ngx_http_longpoll_zone_bit(worker)


static void
model_zone(ngx_http_longpoll_zone_t *z, u_char *mem, size_t size,
    ngx_uint_t adopts)
{
    ngx_uint_t                  i;
    u_char                      random[24];
    ngx_http_longpoll_loaded_t  loaded;

    ngx_memzero(z, sizeof(ngx_http_longpoll_zone_t));

    for (i = 0; i < sizeof(random); i++) {
        random[i] = (u_char) unit_random();
    }

    z->size = size;
    z->mutex = &m.mutex;
    z->presence.data = (u_char *) "who \"is\" there";
    z->presence.len = sizeof("who \"is\" there") - 1;
    z->conf.buffer = 250;
    z->conf.grace = MODEL_GRACE;

    if (m.flags & MODEL_DURABLE) {
        z->persist.len = 1;
        z->elected = &model_elected;
        z->conf.flush = 5000;
        z->conf.durable = 1;
    }

    unit_must(ngx_http_longpoll_zone_init(z, mem, size - 512, 0, random, m.now)
              == NGX_OK, "zone_init() fails");

    if ((m.flags & MODEL_DURABLE) && !adopts) {
        ngx_memzero(&loaded, sizeof(loaded));
        loaded.now = m.now;
        ngx_http_longpoll_zone_load_words(z, &loaded);
    }
}


void
model_world(ngx_uint_t flags)
{
    ngx_uint_t  i;

    ngx_memzero(&m, sizeof(m));

    m.flags = flags;
    m.size = (flags & (MODEL_CRASH|MODEL_CROWDED) ? 64 : 64 + unit_below(200))
             * 1024;
    m.size = flags & MODEL_LARGE ? 2 * 1024 * 1024 : m.size;
    m.mem_size = m.size - 512;
    m.now = MODEL_EPOCH + unit_below(1000000);
    m.mem = calloc(1, m.mem_size);
    m.copy = malloc(m.mem_size);

    model_zone(&m.zone, m.mem, m.size, 0);

    m.ncats = flags & MODEL_CROWDED ? MODEL_CATS : 1 + unit_below(12);

    for (i = 0; i < m.ncats; i++) {
        model_name(&m.cats[i], i);
    }

    unit->op = 0;
}


static void
model_name(model_cat_t *c, ngx_uint_t n)
{
    size_t  len;

    static const size_t  lens[] = { 8, 8, 8, 55, 56, 57, 112, 1024 };

    len = (m.flags & MODEL_CROWDED) ? 300 : lens[unit_below(8)];

    memset(c->name, unit_once(4) ? 1 : 'x', len);
    c->cat.name.data = c->name;
    c->cat.name.len = len;
    (void) sprintf((char *) c->name, "c%lu", (unsigned long) n);
    c->name[strlen((char *) c->name)] = '_';

    ngx_http_longpoll_zone_hash(&m.zone, &c->cat);
}


void
model_end(void)
{
    free(m.mem);
    free(m.copy);
}


static void
model_read(model_op_t *op)
{
    uint32_t                   slots[3];
    size_t                     costs[3] = { 0, 0, 0 };
    ngx_uint_t                 i;
    ngx_http_longpoll_cat_t    cats[3];
    ngx_http_longpoll_read_t   rd;

    ngx_memzero(&rd, sizeof(rd));

    rd.mode = op->kind == MODEL_PARK ? NGX_HTTP_LONGPOLL_READ_PARK
              : op->kind == MODEL_PEEK ? NGX_HTTP_LONGPOLL_READ_PEEK
                                       : NGX_HTTP_LONGPOLL_READ_LAST;
    rd.worker = op->worker;
    rd.cats = cats;
    rd.ncats = op->ncats;
    rd.cursor.fresh = 1;
    rd.cursor.now = 1;
    rd.limit = 1000;
    rd.costs = costs;
    rd.slots = slots;

    for (i = 0; i < op->ncats; i++) {
        cats[i] = m.cats[op->cats[i]].cat;
    }

    op->rc = ngx_http_longpoll_zone_read(&m.zone, &rd, m.now);
}


/* the last poll has left, or the last stream, which had no interest */

static void
model_leave(model_op_t *op)
{
    uint32_t   slot;
    uint64_t  *hash;

    hash = m.cats[op->cats[0]].cat.hash;
    slot = ngx_http_longpoll_cat_find(&m.zone.cats, hash);

    if (op->stream || slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
        ngx_http_longpoll_zone_presence_leave(&m.zone, op->worker, hash, m.now);
        return;
    }

    ngx_http_longpoll_zone_watch_end(&m.zone, op->worker, hash, slot, 0, 1,
                                     m.now);
}


static void
model_call(void *data)
{
    model_op_t *op = data;

    uint64_t                    wake;
    ngx_uint_t                  full;
    ngx_http_longpoll_cat_t     cat;
    ngx_http_longpoll_msg_t     msg;
    ngx_http_longpoll_lines_t   lines;
    ngx_http_longpoll_round_t   round;

    wake = 0;

    switch (op->kind) {

    case MODEL_LEAVE:
        model_leave(op);
        break;

    case MODEL_TICK:
        (void) ngx_http_longpoll_zone_presence_tick(&m.zone, m.now, &full);
        break;

    case MODEL_PUBLISH:
        op->rc = ngx_http_longpoll_zone_presence_publish(&m.zone, op->worker,
                                                         m.now, &wake);
        break;

    case MODEL_REAP:
        ngx_http_longpoll_zone_tick_reap(&m.zone, op->worker, m.now);
        break;

    case MODEL_OTHERS:
        cat.name.data = (u_char *) "others";
        cat.name.len = 6;
        ngx_http_longpoll_zone_hash(&m.zone, &cat);
        msg.cat = 0;
        msg.data.data = model_data;
        msg.data.len = 100;
        op->rc = ngx_http_longpoll_zone_publish(&m.zone, &cat, &msg, 1, NULL,
                                                m.now, &wake);
        break;

    case MODEL_DELETE:
        cat.hash[0] = m.zone.sh->presence.hash[0];
        cat.hash[1] = m.zone.sh->presence.hash[1];
        (void) ngx_http_longpoll_zone_delete(&m.zone, &cat, m.now);
        break;

    case MODEL_SAVE:
    case MODEL_FAIL:
        ngx_memzero(&lines, sizeof(lines));
        lines.data = model_lines;
        lines.size = sizeof(model_lines);
        lines.enough = 20000;

        round.notes = ngx_http_longpoll_zone_disk_notes(&m.zone, &lines);
        (void) ngx_http_longpoll_zone_disk_take(&m.zone,
                                             NGX_HTTP_LONGPOLL_CURSOR_NEXT,
                                             &lines);
        round.file_size = 1;
        round.says = NGX_HTTP_LONGPOLL_SAYS_YES;

        if (op->kind == MODEL_SAVE) {
            ngx_http_longpoll_zone_disk_saved(&m.zone, &round, &wake);

        } else {
            ngx_http_longpoll_zone_disk_failed(&m.zone, &wake);
        }

        break;

    default:
        model_read(op);
    }
}


/* what is true behind the op */

/* whether the table has room for another entry, of that name */

static ngx_uint_t
model_has_room(model_cat_t *c)
{
    size_t                             len;
    ngx_http_longpoll_presences_sh_t  *table;

    table = m.zone.present.sh;
    len = c->cat.name.len + NGX_HTTP_LONGPOLL_PRESENCE_PART - 1;

    return 1 + len / NGX_HTTP_LONGPOLL_PRESENCE_PART
           <= table->nfree + table->nunits - table->fresh;
}


static void
model_apply(model_op_t *op)
{
    ngx_uint_t    i;
    model_cat_t  *c;

    switch (op->kind) {

    case MODEL_PARK:
    case MODEL_VISIT:
        for (i = 0; i < op->ncats; i++) {
            c = &m.cats[op->cats[i]];
            c->last = m.now;

            if (op->kind == MODEL_PARK) {
                c->workers |= model_bit(op->worker);
                c->away &= ~model_bit(op->worker);
            }

            if (ngx_http_longpoll_presence_find(&m.zone.present, c->cat.hash)
                == NULL)
            {
                unit_must(m.zone.sh->presence.full && !model_has_room(c),
                          "c%u has no entry", op->cats[i]);
                c->unknown = 1;
            }
        }

        break;

    case MODEL_LEAVE:
        c = &m.cats[op->cats[0]];

        model_left(c, op->worker);

        break;

    case MODEL_REAP:
        model_reaped(op->worker);
        break;

    case MODEL_PUBLISH:
        model_settled();
        break;

    case MODEL_TICK:
        if (m.back && m.now >= m.back) {
            model_forgotten();
        }

        break;

    default:
        break;
    }
}


/* the old workers have left */

static void
model_forgotten(void)
{
    ngx_uint_t  i;

    m.back = 0;

    for (i = 0; i < m.ncats; i++) {
        if (m.cats[i].old) {
            m.cats[i].old = 0;
            m.cats[i].forgotten = m.now;
        }
    }
}


/* a publish settles what was told before */

static void
model_settled(void)
{
    ngx_uint_t  i;

    for (i = 0; i < m.ncats; i++) {
        if (m.cats[i].unsettled) {
            m.cats[i].unsettled = 0;
            m.cats[i].told = m.now;
        }
    }
}


static void
model_reaped(ngx_uint_t worker)
{
    ngx_uint_t  i;

    for (i = 0; i < m.ncats; i++) {
        model_left(&m.cats[i], worker);
    }
}


static void
model_left(model_cat_t *c, ngx_uint_t worker)
{
    if (c->workers & model_bit(worker)) {
        c->last = m.now;
        c->workers &= ~model_bit(worker);
        c->away &= ~model_bit(worker);
    }
}


static void
model_any_call(void *data)
{
    ngx_http_longpoll_zone_lock(&m.zone);
    ngx_http_longpoll_zone_unlock(&m.zone);
}


/* recovery may be killed as well */

static void
model_recover(void)
{
    ngx_uint_t  n;

    for (n = unit_below(3); n; n--) {
        if (unit_call_and_kill(model_any_call, NULL, unit_skewed(0, 40))) {
            break;
        }

        unit->rekills++;
    }

    model_any_call(NULL);
}


/* 1: it was killed in front of that store; 0: it has fewer, and is done */

static ngx_uint_t
model_killed(model_op_t *op, uint64_t store)
{
    memcpy(m.mem, m.copy, m.mem_size);

    if (unit_call_and_kill(model_call, op, store)) {
        return 0;
    }

    unit->kills++;

    /* the next process has a view of its own */

    m.zone.flight = NULL;

    model_recover();
    model_check();

    return 1;
}


static void
model_kill(model_op_t *op)
{
    uint64_t    store, seen;
    ngx_uint_t  i;

    memcpy(m.copy, m.mem, m.mem_size);
    memcpy(m.saved, m.cats, sizeof(m.cats));
    seen = m.seen;

    for (store = 0;
         model_killed(op, store);
         store += 1 + unit_below(1 + store / 150))
    {
        memcpy(m.cats, m.saved, sizeof(m.cats));
        m.seen = seen;
    }

    if (unit_plain || m.settling || store == 0 || !unit_once(5)) {
        return;
    }

    unit->kept++;
    (void) model_killed(op, unit_below(store));

    /* it may have come before it was killed */

    for (i = 0; i < op->ncats; i++) {
        m.cats[op->cats[i]].maybe = m.now;
    }

    op->kind = MODEL_REAP;
    model_call(op);
}


static void
model_op(model_op_t *op)
{
    unit->op++;
    unit->ops++;

    snprintf(unit->what, sizeof(unit->what), "op %u worker %lu c%u of %lu",
             op->kind, (unsigned long) op->worker, op->cats[0],
             (unsigned long) op->ncats);

    if (m.flags & MODEL_CRASH) {
        model_kill(op);

    } else {
        model_call(op);
    }

    model_apply(op);
    model_check();
}


/* all that is due is told; the disk works, and each op ends */

void
model_settle(void)
{
    ngx_uint_t  tries;
    model_op_t  op;

    ngx_memzero(&op, sizeof(op));
    m.settling = 1;

    for (tries = 0; tries < 1000; tries++) {
        op.kind = MODEL_TICK;
        model_op(&op);

        op.kind = MODEL_PUBLISH;
        model_op(&op);

        if (op.kind == MODEL_PUBLISH && op.rc == NGX_DONE
            && !ngx_http_longpoll_zone_presence_is_due(&m.zone))
        {
            m.settling = 0;
            model_check_settled();
            return;
        }

        if (m.flags & MODEL_DURABLE) {
            op.kind = MODEL_SAVE;
            model_op(&op);
        }
    }

    unit_fail("there is always more to tell");
}


void
model_act(void)
{
    uint64_t    later;
    ngx_uint_t  i;
    model_op_t  op;

    static const model_op_e  kinds[] = {
        MODEL_PARK, MODEL_PARK, MODEL_PARK, MODEL_VISIT, MODEL_PEEK,
        MODEL_LEAVE, MODEL_LEAVE, MODEL_LEAVE, MODEL_LEAVE, MODEL_TICK,
        MODEL_PUBLISH, MODEL_PUBLISH, MODEL_PUBLISH, MODEL_REAP, MODEL_OTHERS,
        MODEL_DELETE, MODEL_SAVE, MODEL_FAIL
    };

    ngx_memzero(&op, sizeof(op));

    later = m.now + (unit_once(10) ? unit_skewed(0, 6000) : unit_below(100));

    if (m.now < m.back) {
        model_come_back(later >= m.back);
    }

    m.now = later;

    op.kind = kinds[unit_below((m.flags & MODEL_DURABLE) ? 18 : 16)];
    op.worker = unit_below(MODEL_WORKERS);
    op.stream = unit_once(4);
    op.ncats = 1;
    op.cats[0] = unit_below(m.ncats);

    if (m.ncats >= 3 && unit_once(4)) {
        op.ncats = 3;

        for (i = 1; i < 3; i++) {
            op.cats[i] = (op.cats[0] + i) % m.ncats;
        }
    }

    model_op(&op);

    if (unit_once(100)) {
        model_merge();
    }

    if (unit_once(30)) {
        model_settle();
    }

    if (unit_once(m.flags & MODEL_CRASH ? 50 : 500)) {
        model_adopt();
    }
}


/* what another nginx wrote was read (..._zone_load_merged()) */

static void
model_merge(void)
{
    if (m.zone.sh->presence.flying != NGX_HTTP_LONGPOLL_FLYING_RESET) {
        m.zone.sh->presence.reset = 1;
    }
}


/* a zone of another size: those who wait in the old one come back one by one */

void
model_adopt(void)
{
    size_t                     size;
    u_char                    *mem;
    uint64_t                   back;
    ngx_uint_t                 i;
    ngx_http_longpoll_zone_t   old;

    old = m.zone;
    mem = m.mem;
    size = m.flags & MODEL_CRASH ? m.size : (64 + unit_below(300)) * 1024;

    m.size = size;
    m.mem_size = size - 512;
    m.mem = calloc(1, m.mem_size);
    m.copy = realloc(m.copy, m.mem_size);

    back = m.now + 1 + unit_below(3 * MODEL_GRACE);
    m.back = ngx_max(m.back, back);

    model_zone(&m.zone, m.mem, size, 1);
    (void) ngx_http_longpoll_zone_adopt(&m.zone, &old, m.now, back);
    ngx_http_longpoll_zone_configure(&m.zone);

    free(mem);

    for (i = 0; i < m.ncats; i++) {
        m.cats[i].away = m.cats[i].workers;

        m.cats[i].old |= (m.cats[i].workers != 0);

        if (ngx_http_longpoll_presence_find(&m.zone.present,
                                            m.cats[i].cat.hash)
            == NULL)
        {
            m.cats[i].unknown = 1;
        }
    }

    model_settled();
}


static void
model_come_back(ngx_uint_t all)
{
    ngx_uint_t  i, worker;
    model_op_t  op;

    ngx_memzero(&op, sizeof(op));
    op.kind = MODEL_PARK;
    op.ncats = 1;

    for (i = 0; i < m.ncats; i++) {
        for (worker = 0; worker < MODEL_WORKERS; worker++) {
            if ((m.cats[i].away & model_bit(worker)) && (all || unit_once(20)))
            {
                op.cats[0] = i;
                op.worker = worker;
                model_op(&op);
            }
        }
    }
}
