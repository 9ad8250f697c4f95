
/*
 * save_op.h: ops, one call of the zone's each, or one thing that the writer
 * does; what must be true after them; and death in the midst of them.
 *
 * The end of save_model.h, which explains it.
 */


#ifndef _SAVE_OP_H_INCLUDED_
#define _SAVE_OP_H_INCLUDED_


typedef enum {
    OP_PUBLISH = 0,
    OP_READ,
    OP_UNWATCH,
    OP_FORGET,          /* a worker */
    OP_DELETE,
    OP_TICK,
    OP_CONFIGURE,
    OP_STRAY,           /* something has gone to a zone before it */
    OP_MISSING,         /* others had the file */

    /* the writer's */
    OP_BEGIN,
    OP_COLLECT,
    OP_SAVED,
    OP_UNSAVED,
    OP_RETRY,           /* save_again */
    OP_AGAIN,
    OP_STOP,
    OP_PIECE,
    OP_RENEWED,
    OP_DURABLE
} op_e;


static const char  *op_names[] = {
    "publish", "read", "unwatch", "forget worker", "delete", "tick",
    "configure", "stray", "missing", "begin", "collect", "saved", "unsaved",
    "save again", "again", "stop", "piece", "renewed", "durable"
};


typedef struct {
    op_e                       kind;
    uint64_t                   now;
    uint32_t                   cat;
    ngx_uint_t                 worker;
    ngx_uint_t                 on;
    uint64_t                   last;        /* id that others have given */
    ngx_uint_t                 must;
    ngx_http_longpoll_zone_conf_t  conf;
    size_t                     bytes;       /* of the writer's memory */
    ngx_uint_t                 max_notes;

    /* publish */
    ngx_uint_t                 n;
    ngx_http_longpoll_msg_t    msgs[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    uint32_t                   which[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    ngx_http_longpoll_cat_t    cats[MODEL_CATS];
    uint32_t                   uid;
    uint32_t                   len;
    uint32_t                   name;        /* key, 0: none */

    /* read */
    ngx_http_longpoll_read_t   rd;
    ngx_http_longpoll_cursor_t cursor;
    size_t                     costs[MODEL_CATS];
    uint32_t                   slots[MODEL_CATS];

    /* before */
    uint64_t                   last_id;
    uint64_t                   visible;
    uint64_t                   committed;
    uint64_t                   failed;
    uint64_t                   next;
    uint64_t                   again;
    uint64_t                   saved;
    uint64_t                   saved_ref;
    uint64_t                   durable;

    /* how it went */
    ngx_int_t                  rc;
    ngx_int_t                  decided;
    uint64_t                   wake;
} op_t;


/* a worker waits there */
static uint32_t  op_slots[MODEL_WORKERS][MODEL_CATS];


static ngx_uint_t
op_writes(op_t *op)
{
    return op->kind >= OP_BEGIN;
}


static void
op_memory(size_t bytes)
{
    u_char  *p;

    p = malloc(bytes);
    memcpy(p, model_save.lines, model_save.len);
    free(model_save.lines);
    model_save.lines = p;
    model_save.size = bytes;
}


/* as persist does it */

static void
op_collect(op_t *op, ngx_uint_t mark)
{
    ngx_uint_t  tries;

    free(model_save.lines);
    free(model_save.notes);
    model_save.lines = malloc(op->bytes);
    model_save.size = op->bytes;
    model_save.enough = op->bytes / 2;
    model_save.notes = malloc(op->max_notes
                              * sizeof(ngx_http_longpoll_note_t));
    model_save.len = 0;
    model_save.nnotes = 0;
    model_save.wanted = 0;

    if (mark == NEXT) {
        model_save.max_notes = op->max_notes / 2;
        ngx_http_longpoll_zone_save_deletions(z, &model_save);
    }

    model_save.max_notes = op->max_notes;

    for (tries = 0; /* void */ ; tries++) {
        op->rc = ngx_http_longpoll_zone_save(z, mark, &model_save);

        if (op->rc != NGX_DECLINED) {
            return;
        }

        stub_must(tries < 200, "a publish never fits");
        stub_must(model_save.wanted > model_save.size,
                  "more memory is wanted where there is enough");
        op_memory(model_save.wanted + stub_below(3));
    }
}


static void
op_call(op_t *op)
{
    ngx_str_t   key;
    ngx_uint_t  i;

    op->wake = 0;
    op->rc = NGX_OK;

    switch (op->kind) {

    case OP_PUBLISH:
        for (i = 0; i < op->n; i++) {
            op->msgs[i].id = 0;
        }

        key.data = (u_char *) "keykeykeykey";
        key.len = op->name;
        op->failed = sh->disk.failed;
        op->rc = ngx_http_longpoll_zone_publish(z, op->cats, op->msgs, op->n,
                                                op->name ? &key : NULL,
                                                op->now, &op->wake);
        break;

    case OP_READ:
        op->rd.client = NULL;
        op->rd.cats = op->cats;
        op->rd.cursor = op->cursor;
        op->rd.costs = op->costs;
        op->rd.slots = op->slots;
        op->rd.limit = 1 << 24;
        op->rd.worker = op->worker;
        op->rc = ngx_http_longpoll_zone_read(z, &op->rd, op->now);
        break;

    case OP_UNWATCH:
        ngx_http_longpoll_zone_unwatch(z, op->worker,
                                       model_cats[op->cat].hash,
                                       op_slots[op->worker][op->cat],
                                       op->now);
        break;

    case OP_FORGET:
        ngx_http_longpoll_zone_reap_worker(z, op->worker, op->now);
        break;

    case OP_DELETE:
        ngx_http_longpoll_zone_delete(z, &model_cats[op->cat], op->now);
        break;

    case OP_TICK:
        (void) ngx_http_longpoll_zone_tick(z, op->now);
        break;

    case OP_CONFIGURE:
        z->conf = op->conf;
        ngx_http_longpoll_zone_configure(z);
        break;

    case OP_STRAY:
        model_stray = ngx_max(model_stray, op->last);
        (void) ngx_http_longpoll_zone_latest(z);
        break;

    case OP_MISSING:
        ngx_http_longpoll_zone_missing(z, op->last);
        break;

    case OP_BEGIN:
        ngx_http_longpoll_zone_save_begin(z, &op->wake);
        break;

    case OP_COLLECT:
        op_collect(op, NEXT);
        break;

    case OP_SAVED:
        ngx_http_longpoll_zone_saved(z, &model_save, m.n_file + model_npend,
                                     m.n_notes + model_save.nnotes,
                                     &op->wake);
        break;

    case OP_UNSAVED:
        ngx_http_longpoll_zone_unsaved(z, &op->wake);
        break;

    case OP_RETRY:
        ngx_http_longpoll_zone_save_retry(z, &op->wake);
        break;

    case OP_AGAIN:
    case OP_STOP:
        ngx_http_longpoll_zone_compact(z, op->kind == OP_AGAIN);
        break;

    case OP_PIECE:
        op_collect(op, AGAIN);
        break;

    case OP_RENEWED:
        op->rc = ngx_http_longpoll_zone_renewed(z, m.n_fresh,
                                                m.n_fresh_notes);
        break;

    case OP_DURABLE:
        op->rc = ngx_http_longpoll_zone_durable(z, op->on, op->must,
                                                &op->wake);
        break;
    }
}


/*
 * what must be true after it
 */


static void
op_add(op_t *op)
{
    ngx_uint_t    i;
    model_msg_t   msg;

    for (i = 0; i < op->n; i++) {
        ngx_memzero(&msg, sizeof(msg));

        msg.id = op->msgs[i].id;
        msg.uuid = op->msgs[i].uuid;
        msg.first = op->msgs[0].id;
        msg.last = op->msgs[op->n - 1].id;
        msg.cat = op->which[i];
        msg.uid = op->uid + i;
        msg.len = op->msgs[i].data.len;
        msg.name = i == 0 ? op->name : 0;
        msg.live = 1;

        if (msg.name) {
            ngx_http_longpoll_hash(msg.key, sh->key,
                                   (u_char *) "keykeykeykey", op->name);
            msg.key[1] = (msg.key[1] & ~0xffffULL) | (op->n - 1);
        }

        stub_must(m.n_msgs == 0 || msg.id > m.msgs[m.n_msgs - 1].id,
                  "an id is not new");
        stub_must(model_ms(msg.id) > m.floor,
                  "an id shares the ms of a time-out's answer");

        model_push(msgs, msg);
        stub->messages++;
        m.used[msg.cat] = op->now;
    }
}


static void
op_published(op_t *op, ngx_uint_t killed)
{
    uint64_t      last;
    ngx_uint_t    i;
    model_msg_t  *msg, *known;
    model_pub_t   pub;

    last = op->msgs[op->n - 1].id;

    if (killed) {
        if (last && sh->clock.committed >= last && op->rc == NGX_OK) {
            op_add(op);
        }

        return;
    }

    if (op->rc == NGX_DECLINED) {
        stub->declined++;
        return;
    }

    known = NULL;

    /* a key is there twice where the first was over its time for a while */

    for (i = 0; op->name && i < m.n_msgs; i++) {
        msg = &m.msgs[i];

        if (msg->cat == op->which[0] && msg->name == op->name && msg->live
            && !msg->refused && (op->rc != NGX_DONE || msg->last == last))
        {
            known = msg;
        }
    }

    pub.id = last;
    pub.failed = op->failed;

    if (op->rc == NGX_DONE) {
        stub_must(known, "a key is known that should not be");
        stub->known++;
        msg = model_find(last);

        if (last > sh->clock.visible && msg) {
            model_push(pubs, pub);
        }

        return;
    }

    stub_must(known == NULL || sh->conf.ttl || sh->conf.inactive,
              "a key is not known");
    stub_must(op->rc == (op->durable ? NGX_AGAIN : NGX_OK),
              "publish returns %ld", (long) op->rc);

    op_add(op);

    if (op->rc == NGX_AGAIN) {
        model_push(pubs, pub);
    }
}


/* what has gone, and why */

static ngx_uint_t
op_over(op_t *op, model_msg_t *msg)
{
    uint64_t    clock;
    ngx_uint_t  i, n;

    clock = ngx_max(op->now, model_ms(sh->clock.last_id));

    if (sh->conf.ttl && model_ms(msg->id) + sh->conf.ttl <= clock) {
        return 1;
    }

    if (op->kind == OP_PUBLISH
        || (sh->conf.inactive
            && op->now + 1000 >= m.used[msg->cat] + sh->conf.inactive))
    {
        return 1;
    }

    for (i = model_index(msg->id + 1), n = 0; i < m.n_msgs; i++) {
        n += m.msgs[i].cat == msg->cat && m.msgs[i].id <= sh->clock.visible
             && (m.msgs[i].live || !m.msgs[i].deleted);
    }

    return n >= sh->conf.buffer;
}


static void
op_gone(op_t *op, model_msg_t *msg)
{
    uint32_t     slot;
    ngx_uint_t   i, missed, doomed;

    doomed = 0;
    msg->live = 0;
    stub->dropped++;

    if (msg->refused
        || (op->kind == OP_DELETE && op->cat == msg->cat
            && msg->id <= op->visible))
    {
        msg->deleted = 1;
        doomed = msg->refused;
    }

    slot = ngx_http_longpoll_cat_find(&z->cats, model_cats[msg->cat].hash);
    missed = ngx_http_longpoll_cat_missed(&z->cats, slot,
                                          model_cats[msg->cat].hash,
                                          msg->id - 1, 0);

    /* what goes while it waits was published, too */

    if (!msg->shown && !msg->refused) {
        m.published++;
        msg->counted = 1;
    }

    if (msg->deleted) {

        /* what was refused, but did not go at once, may go as others do */

        if (doomed && missed) {
            m.dropped[msg->cat] = ngx_max(m.dropped[msg->cat], msg->id);
        }

        return;
    }

    if ((m.flags & MODEL_TAKE) && msg->id <= op->visible
        && (op->kind == OP_READ || op->kind == OP_FORGET
            || op->kind == OP_UNWATCH)
        && (!missed || !op_over(op, msg)))
    {
        msg->deleted = 1;
        return;
    }

    stub_must(missed, "what is lost from c%u is not missed", msg->cat);
    stub_must(op_over(op, msg), "a message of c%u goes for no reason",
              msg->cat);

    m.dropped[msg->cat] = ngx_max(m.dropped[msg->cat], msg->id);

    /* what goes as a whole was forgotten */

    if (sh->conf.inactive && sh->conf.ttl == 0
        && (op->kind == OP_TICK
            || (op->kind == OP_READ && !sh->conf.delete_on_read)))
    {
        for (i = 0; i < m.n_msgs; i++) {
            if (m.msgs[i].cat == msg->cat && m.msgs[i].live && m.msgs[i].seen)
            {
                return;
            }
        }

        msg->deleted = 1;
    }
}


static void
op_told(op_t *op, model_msg_t *msg)
{
    uint32_t    slot;
    uint64_t    left, bit;
    ngx_uint_t  i;

    slot = ngx_http_longpoll_cat_find(&z->cats, model_cats[msg->cat].hash);

    if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
        return;
    }

    for (left = z->cats.slots[slot].waiting; left; left &= left - 1) {
        i = __builtin_ctzll(left);
        bit = (uint64_t) 1 << slot % 64;

        stub_must(((op->wake & (uint64_t) 1 << i)
                   && (z->dirty[i * z->words + slot / 64] & bit))
                  || sh->workers[i].wake_all,
                  "worker %lu is not told of c%u", (unsigned long) i,
                  msg->cat);
    }
}


static void
op_diff(op_t *op, ngx_uint_t killed)
{
    uint32_t                     ref;
    ngx_uint_t                   i;
    model_msg_t                 *msg;
    ngx_http_longpoll_msg_sh_t  *at;

    if (sh->disk.failed != m.failed) {
        stub_must(op->kind == OP_UNSAVED && sh->disk.failed == m.failed + 1,
                  "something was refused");
        m.failed = sh->disk.failed;

        for (i = 0; i < m.n_msgs; i++) {
            msg = &m.msgs[i];

            if (msg->id > ngx_max(op->visible, op->saved)
                && msg->id <= op->committed)
            {
                msg->refused = 1;
            }
        }
    }

    for (i = 0; i < m.n_msgs; i++) {
        m.msgs[i].seen = 0;
    }

    for (ref = sh->list.oldest; ref; ref = at->newer) {
        at = model_at(ref);
        msg = model_find(at->id);

        stub_must(msg && msg->live, "a message of nobody: %lx",
                  (unsigned long) at->id);
        msg->seen = 1;
    }

    for (i = 0; i < m.n_msgs; i++) {
        msg = &m.msgs[i];

        if (msg->live && !msg->seen) {
            op_gone(op, msg);
        }

        if (msg->refused) {
            stub_must(!msg->live || killed || m.killed
                      || op->kind != OP_UNSAVED || op->failed == 0,
                      "what was refused is still there");
            stub_must(!msg->live || msg->id > sh->clock.visible,
                      "what was refused is visible");
            continue;
        }

        if (msg->id <= sh->clock.visible && !msg->shown) {
            msg->shown = 1;

            if (!killed && msg->live) {
                op_told(op, msg);
            }

            m.published += !msg->counted;
        }
    }
}


/* lines and notes: what the zone had behind a mark, to the byte */

static void
op_lines(op_t *op, uint64_t after, uint64_t upto, ngx_uint_t gone)
{
    u_char                    *p, *last;
    size_t                     n;
    ngx_uint_t                 i, k;
    model_msg_t               *msg;
    ngx_http_longpoll_note_t  *note;

    static u_char  line[70000];

    model_npend = 0;
    p = model_save.lines;
    last = p + model_save.len;
    k = gone;

    for (i = model_index(after + 1); i < m.n_msgs; i++) {
        msg = &m.msgs[i];

        if (!msg->live || msg->id > upto) {
            continue;
        }

        if (p == last) {
            stub_must(op->rc == NGX_AGAIN, "the writer is not given c%u",
                      msg->cat);
            break;
        }

        n = model_line(line, msg);

        stub_must(n <= (size_t) (last - p) && memcmp(p, line, n) == 0,
                  "a wrong line: %.*s", (int) ngx_min(last - p, 200), p);
        p += n;

        model_pend[model_npend++] = msg->id;

        if (msg->name) {
            note = &model_save.notes[k++];

            stub_must(k <= model_save.nnotes
                      && note->kind == NGX_HTTP_LONGPOLL_NOTE_KEY
                      && note->word[0] == msg->uuid.high
                      && note->word[1] == msg->uuid.low
                      && note->word[2] == msg->key[0]
                      && note->word[3] == msg->key[1], "a key has no note");
        }
    }

    stub_must(p == last && k == model_save.nnotes, "too many lines or notes");
}


static void
op_noted(void)
{
    ngx_uint_t  i;

    for (i = 0; i < model_save.nnotes; i++) {
        model_push(notes, model_save.notes[i]);

        if (m.again && model_save.notes[i].kind == NGX_HTTP_LONGPOLL_NOTE_DELETION)
        {
            model_push(fresh_notes, model_save.notes[i]);
        }
    }
}


static void
op_was_read(op_t *op)
{
    uint64_t                  id;
    ngx_uint_t                i, k, n, must;
    model_msg_t              *msg;
    ngx_http_longpoll_msg_t  *got;

    id = op->rd.cursor.id;
    n = 0;

    if (op->cursor.fresh && op->cursor.now) {
        stub_must(id == sh->clock.visible, "a poll from now on begins elsewhere");
    }

    for (i = model_index(id + 1); i < m.n_msgs; i++) {
        msg = &m.msgs[i];

        for (k = 0; k < op->rd.ncats && op->which[k] != msg->cat; k++) ;

        if (k == op->rd.ncats) {
            continue;
        }

        got = n < op->rd.nmsgs ? &op->rd.msgs[n] : NULL;

        if (got && got->id == msg->id) {
            stub_must(msg->shown && !msg->refused && got->cat == k
                      && (msg->live || msg->deleted || (m.flags & MODEL_TAKE))
                      && got->uuid.high == msg->uuid.high
                      && got->uuid.low == msg->uuid.low
                      && got->data.len == msg->len
                      && memcmp(got->data.data,
                                model_bytes(msg->uid, msg->len), msg->len)
                         == 0,
                      "a read is given what it should not be, or otherwise");
            n++;
            continue;
        }

        stub_must(!msg->live || msg->id > sh->clock.visible,
                  "a read is not given a message of c%u", msg->cat);

        if (op->rc == NGX_AGAIN && msg->live
            && (op->rd.mode == NGX_HTTP_LONGPOLL_READ_LAST
                || op->rd.mode == NGX_HTTP_LONGPOLL_READ_PEEK))
        {
            /* a poll that has seen something of that very ms has its id */

            stub_must(model_ms(msg->id) > op->rd.timestamp
                      || model_ms(msg->id) == model_ms(id),
                      "what waits for the disk is not later than an answer");
        }
    }

    stub_must(n == op->rd.nmsgs && (op->rc == NGX_OK) == (n != 0),
              "a read is given %lu too many",
              (unsigned long) (op->rd.nmsgs - n));

    if (op->rc == NGX_AGAIN
        && (op->rd.mode == NGX_HTTP_LONGPOLL_READ_LAST
            || op->rd.mode == NGX_HTTP_LONGPOLL_READ_PEEK))
    {
        m.floor = ngx_max(m.floor, op->rd.timestamp);
    }

    must = op->cursor.lost || id < model_stray
           || (id < m.missing && !op->cursor.beginning);

    for (k = 0; k < op->rd.ncats; k++) {
        must |= (id < m.dropped[op->which[k]]
                 && !(m.inexact && op->cursor.beginning));
        m.used[op->which[k]] = op->now;
    }

    stub_must(op->rd.missed || !must, "missed is not said");
    stub_must(!op->rd.missed || must || m.inexact, "missed is said");

    stub->missed += op->rd.missed;
    stub->reads++;

    (void) ngx_http_longpoll_zone_read_valid(z);
}


static void
op_begin(op_t *op)
{
    if (op->kind == OP_BEGIN) {
        m.lost = 0;
        model_open();
        m.again = 0;
        m.round = 0;
    }

    if (op->kind == OP_RENEWED) {

        /* it has its name before the zone is told */

        memcpy(m.file, m.fresh, m.n_fresh * sizeof(uint64_t));
        memcpy(m.notes, m.fresh_notes,
               m.n_fresh_notes * sizeof(ngx_http_longpoll_note_t));
        m.n_file = m.n_fresh;
        m.n_notes = m.n_fresh_notes;
    }

    op->last_id = sh->clock.last_id;
    op->visible = sh->clock.visible;
    op->committed = sh->clock.committed;
    op->failed = 0;
    op->next = marks[NEXT].id;
    op->again = marks[AGAIN].id;
    op->saved = marks[SAVED].id;
    op->durable = sh->disk.durable;

    if (op->kind == OP_UNSAVED) {
        op->failed = op->durable && sh->disk.refused == 0
                     && op->committed > ngx_max(op->visible, op->saved);
    }
}


static void
op_done(op_t *op, ngx_uint_t killed)
{
    uint64_t    last;
    ngx_uint_t  i, gone;

    if (op->kind == OP_PUBLISH) {
        op_published(op, killed);
    }

    if (op->kind == OP_DURABLE) {
        if (op->must) {
            m.exempt = ngx_max(m.exempt, sh->clock.visible);
        }

        if (sh->disk.durable && !op->durable) {
            m.exempt = sh->clock.committed;
        }
    }

    /*
     * Every cursor given so far is told: by this zone, up to its last id, and
     * by the other nginx, up to op->last.  Where nothing waits for the disk the
     * call advances the zone behind late writes, and behind an earlier call of
     * the same kind, before it looks at the last id.
     */

    if (op->kind == OP_MISSING) {
        last = ngx_max(op->last_id, op->last);

        if (op->visible == op->committed) {
            last = ngx_max(last, model_stray);
            last = ngx_max(last, m.missing);
        }

        last = ngx_http_longpoll_id(model_ms(last) + 1, 0);
        last = ngx_max(last, m.missing);

        stub_must(sh->previous.missing_below == last || (killed && sh->previous.missing_below == m.missing),
                  "not all of before is missed: %lx, not %lx",
                  (unsigned long) sh->previous.missing_below, (unsigned long) last);

        m.missing = sh->previous.missing_below;
    }

    last = ngx_max(model_stray, m.missing);

    if (m.visible < last) {

        if (sh->clock.visible >= last) {
            m.exempt = ngx_max(m.exempt, sh->clock.visible);
        }

        stub_must(sh->clock.visible >= last || killed
                  || (op->kind != OP_STRAY && op->kind != OP_MISSING)
                  || sh->clock.visible != sh->clock.committed,
                  "what strays is not overtaken");
    }

    m.visible = sh->clock.visible;

    op_diff(op, killed);

    if (killed) {
        m.killed = 1;

        if (!op_writes(op)) {
            return;
        }

        if (op->kind == OP_SAVED
            || (m.round && op->kind != OP_COLLECT && stub_once(2)))
        {

            /* some of it is on disk, or all */

            for (i = 0; i < model_npend; i++) {
                model_push(file, model_pend[i]);
            }

            op_noted();
        }

        m.ready = 0;
        m.round = 0;
        m.again = 0;
        model_npend = 0;
        model_open();
        return;
    }

    switch (op->kind) {

    case OP_READ:
        op_was_read(op);
        break;

    case OP_BEGIN:
        m.ready = 1;
        m.again = 0;
        m.round = 0;
        break;

    case OP_COLLECT:
        for (gone = 0; gone < model_save.nnotes
             && model_save.notes[gone].kind == NGX_HTTP_LONGPOLL_NOTE_DELETION;
             gone++) ;

        op_lines(op, op->next, op->committed, gone);
        m.round = 1;
        break;

    case OP_SAVED:
        for (i = 0; i < model_npend; i++) {
            model_push(file, model_pend[i]);
        }

        op_noted();
        model_npend = 0;
        m.round = 0;
        break;

    case OP_UNSAVED:
    case OP_RETRY:
        model_npend = 0;
        m.round = 0;
        break;

    case OP_AGAIN:
        m.again = 1;
        m.all = 0;
        m.n_fresh = 0;
        m.n_fresh_notes = 0;
        break;

    case OP_STOP:
        m.again = 0;
        break;

    case OP_PIECE:
        op_lines(op, op->again, op->saved, 0);

        for (i = 0; i < model_npend; i++) {
            model_push(fresh, model_pend[i]);
        }

        for (i = 0; i < model_save.nnotes; i++) {
            model_push(fresh_notes, model_save.notes[i]);
        }

        m.all = (model_npend == 0 && op->rc == NGX_OK);
        model_npend = 0;
        break;

    case OP_RENEWED:
        stub_must(op->rc == NGX_OK, "a new file lacks something");
        m.again = 0;
        m.lost = 0;
        break;

    default:
        break;
    }
}


static ngx_uint_t
op_exact(op_t *op)
{
    return op->kind == OP_BEGIN || op->kind == OP_SAVED
           || op->kind == OP_UNSAVED || op->kind == OP_RETRY;
}


static void
op_recover(void)
{
    ngx_http_longpoll_zone_status_t  st;

    for ( ;; ) {
        stub_held = 0;
        stub_steps = 0;
        stub_kill = stub_once(4) ? stub_below(40) : STUB_NEVER;

        if (setjmp(stub_killed) == 0) {
            ngx_http_longpoll_zone_status(z, 0, &st);
            stub_kill = STUB_NEVER;
            return;
        }

        stub->rekills++;
    }
}


static void
op_describe(op_t *op)
{
    snprintf(stub->what, sizeof(stub->what),
             "%s now %lu n %lu c%u on %lu must %lu durable %lu",
             op_names[op->kind], (unsigned long) op->now,
             (unsigned long) op->n, op->cat, (unsigned long) op->on,
             (unsigned long) op->must, (unsigned long) sh->disk.durable);
}


/* 0: it was killed, and life goes on */

static int
op_run(op_t *op)
{
    uint64_t  k;
    op_t      begin;

    static op_t      *now;
    static uint64_t   kill;

    stub->op++;
    stub->ops++;
    op_describe(op);
    model_compact();
    op_begin(op);

    if (!(m.flags & MODEL_CRASH)) {
        op_call(op);
        op_done(op, 0);
        model_check(op_exact(op));
        return 1;
    }

    model_snapshot();
    now = op;
    stub_plain_hit = 0;

    for (kill = 0; /* void */ ; kill += 1 + (kill > 200 ? stub_below(30) : 0))
    {
        stub_steps = 0;
        stub_kill = kill;

        if (setjmp(stub_killed) == 0) {
            op_call(now);
            stub_kill = STUB_NEVER;
            op_done(now, 0);
            model_check(op_exact(now));
            stub_plain_ops += stub_plain_hit;
            return 1;
        }

        stub->kills++;

        k = model_npend;
        op_recover();
        op_done(now, 1);
        model_check(0);

        if (stub_once(3)) {

            /* another writer begins at once */

            ngx_memzero(&begin, sizeof(begin));
            begin.now = now->now;

            if (!m.ready && sh->disk.durable && stub_once(2)) {

                /* the first one cannot open the file */

                begin.kind = OP_UNSAVED;
                op_begin(&begin);
                op_call(&begin);
                op_done(&begin, 0);
                model_check(0);
            }

            begin.kind = OP_BEGIN;
            op_begin(&begin);
            op_call(&begin);
            op_done(&begin, 0);
            model_check(1);
            stub_must(sh->disk.refused == 0, "what is refused stays");
        }

        if (stub_once(100)) {
            stub->epochs++;
            return 0;
        }

        model_npend = k;
        model_restore();
    }
}


#endif /* _SAVE_OP_H_INCLUDED_ */
