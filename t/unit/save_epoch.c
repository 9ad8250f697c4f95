
/*
 * save_epoch.c: a zone is made, ends, is loaded in the next epoch, or is
 * adopted by a zone of another size.
 */


#include "save_model.h"


static void epoch_load_done(ngx_uint_t believed, uint64_t now);


static ngx_shmtx_t   epoch_mutex;
static ngx_atomic_t  epoch_elected;


/* the store's own calls see the model's clock */

int
gettimeofday(struct timeval *tv, void *tz)
{
    tv->tv_sec = m.now / 1000;
    tv->tv_usec = m.now % 1000 * 1000;

    return 0;
}


void
epoch_zone(size_t size, ngx_http_longpoll_zone_conf_t *conf)
{
    u_char      random[24];
    ngx_uint_t  i;

    m.size = size;
    m.mem_size = size - 512;
    m.mem = calloc(1, m.mem_size);
    m.copy = calloc(1, m.mem_size);

    for (i = 0; i < sizeof(random); i++) {
        random[i] = (u_char) unit_random();
    }

    ngx_memzero(z, sizeof(*z));
    z->size = size;
    z->mutex = &epoch_mutex;
    z->conf = *conf;
    z->persist.len = 1;
    z->elected = &epoch_elected;
    z->dir = -1;

    unit_must(ngx_http_longpoll_zone_init(z, m.mem, m.mem_size, 0, random,
                                          m.now)
              == NGX_OK, "a zone is not made");

    sh = z->sh;
    cursors = sh->disk.cursors;
}


static void
epoch_cats(void)
{
    ngx_uint_t  i;

    for (i = 0; i < m.ncats; i++) {
        free(model_cats[i].name.data);
        model_cats[i].name.data = malloc(32);
        model_cats[i].name.len = sprintf((char *) model_cats[i].name.data,
                                         "c%lu", (unsigned long) i);
        ngx_http_longpoll_zone_hash(z, &model_cats[i]);
    }
}


static void
epoch_begin(void)
{
    m.failed = 0;
    m.exempt = sh->clock.visible;
    m.ready = 0;
    m.writing = 0;
    m.rebasing = 0;
    m.n_round = 0;
    m.n_fresh = 0;
    m.published = sh->counters.published;
    m.n_pubs = 0;

    ngx_memzero(op_slots, sizeof(op_slots));
}


void
epoch_world(size_t size, ngx_http_longpoll_zone_conf_t *conf)
{
    model_make_lists();

    epoch_zone(size, conf);
    epoch_cats();
    epoch_load_done(0, m.now);
    epoch_begin();
    model_check(1);
}


void
epoch_end(void)
{
    model_free_lists();
    free(m.mem);
    free(m.copy);
    free(model_memory.data);
    model_memory.data = NULL;
}


/*
 * The messages of the model become those of the zone, in the same order; some
 * have another id now.  Messages that are missing were lost for a reason that
 * store.c knows.
 */

static void
epoch_take(ngx_uint_t exact)
{
    uint32_t                     ref;
    ngx_uint_t                   i, n;
    model_msg_t                 *msg;
    ngx_http_longpoll_uuid_t     uuid;
    ngx_http_longpoll_msg_sh_t  *at;

    for (i = 0; i < m.n_msgs; i++) {
        m.msgs[i].seen = m.msgs[i].live;
        m.msgs[i].live = 0;
        m.msgs[i].deleted = 0;
        m.msgs[i].exposed = 1;

        /* its line may have arrived all the same */

        m.msgs[i].refused = 0;
    }

    n = 0;

    for (ref = sh->list.oldest; ref; ref = at->newer) {
        at = model_at(ref);

        if (ngx_http_longpoll_msg_epoch(at) == NGX_HTTP_LONGPOLL_FOREIGN) {
            uuid.high = *(uint64_t *) ((u_char *) (at + 1)
                        + (at->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING ? 8 : 0)
                        + (at->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED ? 16
                                                                      : 0));
            uuid.low = *((uint64_t *) ((u_char *) (at + 1)
                        + (at->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING ? 8 : 0)
                        + (at->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED ? 16
                                                                      : 0))
                         + 1);
        } else {
            ngx_http_longpoll_id_uuid(&uuid, at->id,
                           sh->epochs[ngx_http_longpoll_msg_epoch(at)]);
        }

        for ( /* void */ ; n < m.n_msgs; n++) {
            if (m.msgs[n].uuid.high == uuid.high
                && m.msgs[n].uuid.low == uuid.low)
            {
                break;
            }
        }

        unit_must(n < m.n_msgs, "a message that was not loaded, or not in its "
                  "order");

        msg = &m.msgs[n++];
        unit_must(msg->seen || !exact, "a message came back");
        msg->live = 1;
        msg->id = at->id;
    }
}


/* foreign ids: what golongpoll wrote has them */

static void
epoch_foreign(void)
{
    ngx_uint_t    i;
    model_msg_t  *msg;

    for (i = 0; i < m.n_msgs; i++) {
        msg = &m.msgs[i];

        if (msg->logged && !msg->noted && msg->name == 0 && unit_once(20)) {
            msg->uuid.high = (unit_random() & ~0xf000ULL) | 0x4000;
            msg->uuid.low = (unit_random() >> 2) | (1ULL << 63);
        }
    }
}


/* reads of everything, from cursors of a previous epoch */

static void
epoch_cursor(model_msg_t *msg, ngx_http_longpoll_cursor_t *cursor,
    ngx_uint_t since)
{
    uint64_t    id, epoch;
    ngx_uint_t  own, v7;

    ngx_memzero(cursor, sizeof(*cursor));
    cursor->fresh = 1;

    v7 = ngx_http_longpoll_id_read(&msg->uuid, &id, &epoch);
    own = v7 && ngx_http_longpoll_zone_clock_known(z, epoch);

    cursor->lost = v7 && epoch != sh->epoch
                   && ngx_http_longpoll_zone_clock_lost(z, model_ms(id), 1);

    cursor->since = model_ms(msg->id);

    if (ngx_http_longpoll_zone_clock_lost(z, cursor->since, 0)) {
        cursor->lost = 1;
    }

    if (own && model_ms(id) == cursor->since) {
        cursor->id = id;
        cursor->exact = 1;

    } else if (since) {
        cursor->id = ngx_http_longpoll_id_last_of(cursor->since);

    } else {
        cursor->id = ngx_http_longpoll_id(cursor->since, 0) - 1;
        cursor->uuid = msg->uuid;
        cursor->named = 1;
    }
}


static void
epoch_reads(ngx_uint_t good)
{
    uint64_t                    id, from;
    ngx_uint_t                  i, k, n, since;
    model_msg_t                *msg;
    ngx_http_longpoll_read_t    rd;
    ngx_http_longpoll_cat_t     cat;
    size_t                      cost;

    for (k = 0; k < 40 && m.n_msgs; k++) {
        msg = &m.msgs[unit_below(m.n_msgs)];
        since = unit_once(3);

        ngx_memzero(&rd, sizeof(rd));
        cat = model_cats[msg->cat];
        cost = 10;
        rd.mode = NGX_HTTP_LONGPOLL_READ_PEEK;
        rd.worker = NGX_HTTP_LONGPOLL_NO_WORKER;
        rd.cats = &cat;
        rd.ncats = 1;
        rd.costs = &cost;
        rd.limit = 1 << 24;

        if (msg->live && !unit_once(3)) {
            epoch_cursor(msg, &rd.cursor, since);
            from = msg->id;

            if (since && !rd.cursor.exact) {
                from = ngx_http_longpoll_id_last_of(model_ms(msg->id));
            }

        } else {

            /* from the beginning: only losses of this epoch are missed */

            rd.cursor.fresh = 1;
            rd.cursor.beginning = 1;
            from = 0;
        }

        unit_must(ngx_http_longpoll_zone_read(z, &rd, m.now) != NGX_ERROR,
                  "no memory");

        id = rd.cursor.id;
        unit_must(rd.nmsgs == 0 || !rd.cursor.exact || id <= from,
                  "a cursor has moved on");

        for (i = 0, n = 0; i < m.n_msgs; i++) {

            if (!m.msgs[i].live || m.msgs[i].cat != msg->cat
                || m.msgs[i].id <= from)
            {
                continue;
            }

            unit_must(n < rd.nmsgs && rd.msgs[n].id == m.msgs[i].id
                      && rd.msgs[n].uuid.high == m.msgs[i].uuid.high
                      && rd.msgs[n].uuid.low == m.msgs[i].uuid.low
                      && rd.msgs[n].data.len == m.msgs[i].len
                      && memcmp(rd.msgs[n].data.data,
                                model_bytes(m.msgs[i].uid, m.msgs[i].len),
                                m.msgs[i].len) == 0,
                      "a read from a previous epoch's cursor (%s%s) is wrong: "
                      "%lx",
                      rd.cursor.exact ? "exact" : "", since ? "since" : "",
                      (unsigned long) m.msgs[i].id);
            n++;
        }

        unit_must(n == rd.nmsgs,
                  "a read from a previous epoch's cursor has %lu more",
                  (unsigned long) (rd.nmsgs - n));

        if (!rd.cursor.beginning && !good) {
            unit_must(rd.missed,
                      "a cursor before an unclean end misses nothing");
        }

        if (rd.cursor.beginning) {
            unit_must(!rd.missed,
                      "a poll from the beginning misses losses of a "
                      "previous epoch");
        }

        (void) ngx_http_longpoll_zone_read_valid(z);
        unit->reads++;
    }
}


/* what is not in the log, or noted as gone, is not loaded */

static void
epoch_keep(void)
{
    ngx_uint_t  i;

    for (i = 0; i < m.n_msgs; i++) {
        m.msgs[i].kept = m.msgs[i].logged && !m.msgs[i].noted;
    }
}


/* a zone with the old one's key, of the same or another size */

static void
epoch_replace_zone(void)
{
    u_char                         *old, *copy;
    size_t                          size;
    uint64_t                        key[2];
    ngx_http_longpoll_zone_conf_t   conf;

    static const size_t  sizes[] = { 32, 48, 64, 128 };

    conf = sh->conf;
    conf.ttl = 0;
    conf.inactive = 0;
    key[0] = sh->key[0];
    key[1] = sh->key[1];
    old = m.mem;
    copy = m.copy;
    size = unit_once(3) ? sizes[unit_below(4)] * 1024 : m.size;

    m.missing = 0;
    epoch_zone(size, &conf);
    free(old);
    free(copy);

    sh->clock.last_id = 0;
    sh->key[0] = key[0];
    sh->key[1] = key[1];
    epoch_cats();
}


/* loads what the log has; a smaller zone may not have room for a message */

static void
epoch_load_msgs(void)
{
    uint64_t                  id, epoch, wake;
    ngx_uint_t                i;
    model_msg_t              *msg;
    ngx_http_longpoll_cat_t   cat;
    ngx_http_longpoll_msg_t   in;

    wake = 0;

    for (i = 0; i < m.n_msgs; i++) {
        msg = &m.msgs[i];

        if (!msg->kept) {
            continue;
        }

        cat = model_cats[msg->cat];

        in.uuid = msg->uuid;
        in.id = ngx_http_longpoll_id(model_ms(msg->id), 0);

        if (ngx_http_longpoll_id_read(&msg->uuid, &id, &epoch)
            && model_ms(id) == model_ms(msg->id))
        {
            in.id = id;
        }

        in.data.len = msg->len;
        in.data.data = malloc(msg->len);
        memcpy(in.data.data, model_bytes(msg->uid, msg->len), msg->len);

        msg->kept = (ngx_http_longpoll_zone_load(z, &cat, &in,
                                                 msg->name ? msg->key : NULL,
                                                 m.now, &wake)
                     == NGX_OK);
        free(in.data.data);

        if (!msg->kept) {
            continue;
        }

        unit_must(model_ms(in.id) >= model_ms(msg->id),
                  "a message goes back in time");
        msg->id = in.id;
    }
}


static void
epoch_load_losses(void)
{
    ngx_uint_t     i;
    model_line_t  *line;

    for (i = 0; i < m.n_lines; i++) {
        line = &m.lines[i];

        if (line->kind == LINE_DROP && line->word[2] && model_counts(line)) {
            ngx_http_longpoll_zone_load_lost(z, line->word[0], line->word[2],
                                             1);
        }
    }
}


/* forgets the messages that were not loaded */

static void
epoch_drop(void)
{
    ngx_uint_t  i, dropped;

    dropped = 0;

    for (i = 0; i < m.n_msgs; i++) {
        if (!m.msgs[i].kept) {
            dropped++;

        } else if (dropped) {
            m.msgs[i - dropped] = m.msgs[i];
        }
    }

    m.n_msgs -= dropped;
}


/* what the loader finds out about the log */

static void
epoch_load_done(ngx_uint_t believed, uint64_t now)
{
    ngx_uint_t                   i;
    model_line_t                *line, *head;
    ngx_http_longpoll_loaded_t   loaded;

    ngx_memzero(&loaded, sizeof(loaded));
    loaded.now = now;
    loaded.believed = believed;
    loaded.after = m.base;
    head = model_head();

    if (head) {
        loaded.valid_from = head->word[2];
    }

    for (i = 0; i < m.n_lines; i++) {
        line = &m.lines[i];
        loaded.segment = ngx_max(loaded.segment, line->segment);

        if (!model_counts(line)) {
            continue;
        }

        loaded.head |= line->kind == LINE_HEAD && line->segment == 0;
        loaded.after = ngx_max(loaded.after, line->segment);

        if (line->kind == LINE_EVENT) {
            loaded.events_last = ngx_max(loaded.events_last, line->id);
        }

        if (line->kind == LINE_EVENT || line->kind == LINE_END) {
            loaded.last = ngx_max(loaded.last, line->id);
        }

        if (line->kind == LINE_REST) {
            loaded.lost_until = ngx_max(loaded.lost_until,
                                        model_ms(line->id) + 1);
        }
    }

    loaded.segment = ngx_max(loaded.segment, m.base);

    ngx_http_longpoll_zone_load_done(z, &loaded);
}


/* each event's line finds its message by its index, while ids change */

static void
epoch_lines(void)
{
    ngx_uint_t    i;
    model_msg_t  *msg;

    for (i = 0; i < m.n_lines; i++) {
        if (m.lines[i].kind == LINE_EVENT) {
            msg = model_find(m.lines[i].id);
            m.lines[i].word[0] = msg ? (uint64_t) (msg - m.msgs) : MODEL_MAX;
        }
    }
}


/*
 * The log is as it was.  The model names its events by their new ids, and
 * forgets the lines of those that were not loaded.  Messages that were not
 * loaded go.
 */

static void
epoch_rename(void)
{
    ngx_uint_t     i, n;
    model_line_t  *line;

    static ngx_uint_t  index[MODEL_MAX + 1];

    for (i = 0, n = 0; i < m.n_msgs; i++) {
        index[i] = m.msgs[i].kept ? n++ : MODEL_MAX;
    }

    index[MODEL_MAX] = MODEL_MAX;
    epoch_drop();

    for (i = 0, n = 0; i < m.n_lines; i++) {
        line = &m.lines[i];

        if (!model_counts(line)) {
            continue;
        }

        if (line->kind == LINE_EVENT) {
            if (index[line->word[0]] == MODEL_MAX) {
                continue;
            }

            line->id = m.msgs[index[line->word[0]]].id;
        }

        m.lines[n++] = *line;
    }

    m.n_lines = n;
}


/*
 * A clean end: all is in the log, and then it says so.  In other ends the
 * writer is at work.  The log is believed, too, if it says that all that
 * readers saw is in it.
 */

static ngx_uint_t
epoch_end_cleanly(void)
{
    if (!m.ready || m.writing || m.rebasing || m.damaged) {
        return 0;
    }

    act_set(OP_END);
    act_op.bytes = 20000;
    (void) op_run(&act_op);

    if (!m.writing) {
        return 0;
    }

    act_set(OP_SAVED);
    act_op.bytes = 20000;
    (void) op_run(&act_op);

    return 1;
}


/* an epoch ends, cleanly or not, and the next one begins */

void
epoch_next(void)
{
    uint64_t       last_id;
    ngx_uint_t     clean, good, i;
    model_line_t  *head;

    clean = epoch_end_cleanly();
    head = model_head();
    good = clean || (head && head->word[1] && !m.damaged);

    model_read_log(0);
    epoch_foreign();
    last_id = sh->clock.last_id;

    epoch_keep();
    epoch_lines();
    epoch_replace_zone();
    epoch_load_msgs();
    epoch_load_losses();

    /* ids of the log are those it was written with */

    epoch_load_done(good, ngx_max(m.now, clean ? model_ms(last_id) : 0));

    epoch_rename();

    epoch_take(0);
    epoch_begin();

    ngx_memzero(m.dropped, sizeof(m.dropped));
    m.inexact = 1;
    m.floor = 0;
    m.damaged = 0;
    unit->epochs++;

    for (i = 0; i < m.n_msgs; i++) {
        m.used[m.msgs[i].cat] = m.now;
    }

    model_check(1);
    epoch_reads(good);
}


/* a zone of another size adopts this one */

void
epoch_adopt(size_t size)
{
    u_char                         *mem, *copy;
    uint32_t                        slot;
    ngx_uint_t                      i, k, n, over, missed;
    ngx_http_longpoll_zone_t        old;
    ngx_http_longpoll_zone_conf_t   conf;
    ngx_http_longpoll_counters_t    counters;

    old = *z;
    old.cats.journal = &old.sh->journal;
    old.log.data = &old;
    conf = sh->conf;
    counters = sh->counters;
    mem = m.mem;
    copy = m.copy;
    missed = 0;

    /* room is made for one more UUID than may be needed */

    over = size < m.size
           || old.sh->log.live + sizeof(ngx_http_longpoll_uuid_t)
              > old.sh->log.size / 20 * 17;

    for (i = 0; i < m.ncats; i++) {
        slot = ngx_http_longpoll_cat_find(&z->cats, model_cats[i].hash);
        missed |= ngx_http_longpoll_cat_missed(&z->cats, slot,
                                               model_cats[i].hash, 0, 1) << i;
    }

    epoch_zone(size, &conf);

    (void) ngx_http_longpoll_zone_adopt(z, &old, m.now, m.now);

    unit_must(old.sh->moved, "the old zone goes on");
    unit_must(sh->clock.last_id >= old.sh->clock.last_id
              && (old.sh->clock.last_id & 0xffff) == 0xffff,
              "a time of the old zone has later ids");
    unit_must(sh->counters.published == counters.published
              && sh->counters.missed == counters.missed,
              "counters go back");

    epoch_take(1);

    for (i = 0; i < m.n_msgs; i++) {

        if (!m.msgs[i].live && m.msgs[i].seen
            && m.msgs[i].id <= old.sh->clock.visible)
        {
            for (n = 0, k = i + 1; k < m.n_msgs; k++) {
                n += m.msgs[k].cat == m.msgs[i].cat && m.msgs[k].seen;
            }

            unit_must(over || sh->conf.ttl || sh->conf.inactive
                      || n >= sh->conf.buffer,
                      "a message does not come along");
        }

        if (m.msgs[i].live) {
            m.used[m.msgs[i].cat] = m.now;
        }
    }

    free(mem);
    free(copy);

    m.published = sh->counters.published;
    epoch_begin();
    m.n_lines = 0;
    m.base = 0;
    m.damaged = 1;
    m.inexact = 1;

    /* a poll from the beginning misses only the losses of this epoch */

    for (i = 0; i < m.n_msgs; i++) {
        if (m.msgs[i].seen && !m.msgs[i].live) {
            missed |= 1 << m.msgs[i].cat;
        }
    }

    for (i = 0; i < m.ncats; i++) {
        slot = ngx_http_longpoll_cat_find(&z->cats, model_cats[i].hash);

        unit_must((missed & 1 << i)
                  || !ngx_http_longpoll_cat_missed(&z->cats, slot,
                                                   model_cats[i].hash, 0, 1),
                  "the new zone counts a loss of the old one for c%lu",
                  (unsigned long) i);
    }

    ngx_memzero(m.dropped, sizeof(m.dropped));
    model_check(1);
    unit->epochs++;
}
