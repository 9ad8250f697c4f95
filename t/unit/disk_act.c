
/*
 * disk_act.c: what clients do, in some worker: they publish, read and delete,
 * and keep cursors.
 */


#include "disk_model.h"


/* a publish at hand; a worker that is killed in it may have stored it */

static ngx_uint_t           act_first;
static ngx_uint_t           act_n;
static ngx_http_longpoll_msg_t  act_msgs[MODEL_MESSAGES];

/* why the events of a poll's category go that takes them */

static gone_e               act_why;


/*
 * publish
 */


static void
act_answer(ngx_http_longpoll_publisher_t *publisher, ngx_int_t rc)
{
    model_publisher_t  *p;

    p = (model_publisher_t *) publisher->request;
    self->waiting--;

    event_answered(p->first, p->n, rc);
}


static void
act_wait(uint64_t id, uint64_t failed)
{
    model_publisher_t  *p;

    p = calloc(1, sizeof(model_publisher_t));

    p->r.main = &p->r;
    p->r.connection = &p->c;
    p->c.log = &p->log;
    p->log.data = &p->ctx;
    p->first = act_first;
    p->n = act_n;

    if (ngx_http_longpoll_writer_wait(z, &p->r, id, failed, act_answer)
        == NGX_DONE)
    {
        self->waiting++;
    }
}


/* some may have gone at once, as others of the publish have their room */

static void
act_stored(void)
{
    ngx_uint_t  i;

    for (i = 0; i < act_n; i++) {
        event_stored(act_first + i, &act_msgs[i]);
    }
}


static void
act_publish_call(void *data)
{
    uint64_t                 failed, wake;
    ngx_int_t                rc;
    ngx_str_t                key, bytes;
    ngx_uint_t               i, k, ncats;
    ngx_http_longpoll_cat_t  cats[MODEL_CATS];
    ngx_http_longpoll_msg_t *msgs;
    u_char                   copies[MODEL_MESSAGES][2048];

    ncats = 0;
    msgs = act_msgs;

    for (i = 0; i < act_n; i++) {
        for (k = 0; k < ncats; k++) {
            if (cats[k].name.data
                == model_cats[m.events[act_first + i].cat].name.data)
            {
                break;
            }
        }

        if (k == ncats) {
            cats[ncats++] = model_cats[m.events[act_first + i].cat];
        }

        bytes = event_data(act_first + i);
        memcpy(copies[i], bytes.data, bytes.len);

        msgs[i].id = 0;
        msgs[i].cat = k;
        msgs[i].data.data = copies[i];
        msgs[i].data.len = bytes.len;
    }

    key = event_key(act_first);
    failed = sh->disk.failed;
    wake = 0;

    rc = ngx_http_longpoll_zone_publish(z, cats, msgs, act_n,
                                        m.events[act_first].keyed ? &key : NULL,
                                        m.now, &wake);
    ngx_http_longpoll_notify_wake(wake);

    if (rc == NGX_OK) {
        act_stored();
        event_answered(act_first, act_n, NGX_OK);

    } else if (rc == NGX_AGAIN) {
        act_stored();
        event_diff(GONE_LOST);
        act_wait(msgs[act_n - 1].id, failed);

    } else {
        unit_must(rc == NGX_ABORT || rc == NGX_DECLINED,
                  "a publish returns %ld", (long) rc);
        unit->refused++;
    }
}


void
act_publish(model_nginx_t *nginx, model_worker_t *worker)
{
    ngx_uint_t  i, n, keyed;

    n = unit_once(4) ? 1 + unit_below(MODEL_MESSAGES) : 1;
    keyed = unit_once(6) ? n : 0;

    act_n = n;
    act_first = m.nevents;

    for (i = 0; i < n; i++) {
        (void) event_new(unit_below(m.ncats),
                         unit_once(8) ? unit_below(400) : unit_below(40),
                         i ? 0 : keyed);
    }

    unit->messages += n;

    act_msgs[n - 1].id = 0;

    if (!worker_call(nginx, worker, act_publish_call, NULL)
        && act_msgs[n - 1].id && act_msgs[n - 1].id <= sh->clock.committed)
    {
        act_stored();
    }
}


/*
 * read
 */


static ngx_int_t
act_read_call(ngx_http_longpoll_read_t *rd, ngx_http_longpoll_cat_t *cat,
    ngx_http_longpoll_read_e mode)
{
    size_t     cost;
    ngx_int_t  rc;

    cost = 1;

    rd->mode = mode;
    rd->worker = NGX_HTTP_LONGPOLL_NO_WORKER;
    rd->cats = cat;
    rd->ncats = 1;
    rd->costs = &cost;
    rd->limit = 1 << 20;

    rc = ngx_http_longpoll_zone_read(z, rd, m.now);

    unit_must(rc == NGX_OK || rc == NGX_AGAIN, "a read returns %ld", (long) rc);
    (void) ngx_http_longpoll_zone_read_valid(z);

    unit->reads++;

    return rc;
}


/* from the beginning; with delete_on_read this takes what there is */

static void
act_take_call(void *data)
{
    uint32_t                  slot;
    ngx_http_longpoll_cat_t   cat;
    ngx_http_longpoll_read_t  rd;

    ngx_memzero(&rd, sizeof(rd));
    rd.cursor.fresh = 1;
    rd.cursor.beginning = 1;
    rd.limit = 1;
    cat = model_cats[m.cat];

    slot = ngx_http_longpoll_cat_find(&z->cats, cat.hash);

    if (slot != NGX_HTTP_LONGPOLL_CAT_NONE
        && ngx_http_longpoll_zone_list_inactive(z, slot, m.now))
    {
        act_why = GONE_FORGOTTEN;
    }

    (void) act_read_call(&rd, &cat, NGX_HTTP_LONGPOLL_READ_LAST);
}


gone_e
act_take(model_nginx_t *nginx, model_worker_t *worker)
{
    act_why = m.conf.delete_on_read ? GONE_TAKEN : GONE_LOST;

    (void) worker_call(nginx, worker, act_take_call, NULL);

    return act_why;
}


static void
act_delete_call(void *data)
{
    ngx_http_longpoll_zone_delete(z, &model_cats[m.cat], m.now);
}


/*
 * cursors
 */


static void
act_query(model_cursor_t *cursor, ngx_http_longpoll_query_t *q)
{
    ngx_memzero(q, sizeof(ngx_http_longpoll_query_t));

    if (cursor->time) {
        q->has_since = 1;
        q->since_time = model_ms(cursor->id);
        return;
    }

    q->has_id = 1;
    q->uuid = cursor->uuid;
    q->own_id = ngx_http_longpoll_id_read(&q->uuid, &q->id, &q->epoch);

    if (!q->own_id || cursor->id % 2) {
        q->has_since = 1;
        q->since_time = model_ms(cursor->id);
    }
}


ngx_uint_t
act_missed(model_cursor_t *cursor, uint32_t cat)
{
    ngx_uint_t                 i, n;
    ngx_http_longpoll_cat_t    c;
    ngx_http_longpoll_read_t   rd;
    ngx_http_longpoll_query_t  q;

    ngx_memzero(&rd, sizeof(rd));
    act_query(cursor, &q);
    ngx_http_longpoll_cursor(z, &q, &rd.cursor);
    c = model_cats[cat];

    (void) act_read_call(&rd, &c, NGX_HTTP_LONGPOLL_READ_PEEK);

    for (i = 0; i < m.nevents; i++) {
        m.events[i].got = 0;
    }

    for (i = 0; i < rd.nmsgs; i++) {
        n = strtoul((char *) rd.msgs[i].data.data + 1, NULL, 10);

        unit_must(n < m.nevents && model_place(&m.events[n])->live
                  && m.events[n].cat == cat, "a read returns no event");
        m.events[n].got = 1;
    }

    return rd.missed;
}


ngx_uint_t
act_seen(model_cursor_t *cursor, ngx_uint_t n)
{
    return n < cursor->nseen && (cursor->seen[n / 8] & 1 << n % 8);
}


static void
act_cursor_seen(model_cursor_t *cursor)
{
    ngx_uint_t      i, k, seen;
    model_event_t  *ev;
    model_place_t  *place;

    ngx_memzero(cursor->seen, sizeof(cursor->seen));
    cursor->nseen = m.nevents;

    for (i = 0; i < m.nevents; i++) {
        ev = &m.events[i];
        place = model_place(ev);
        seen = place->stored ? place->id <= cursor->id : 1;

        for (k = 0; k < SIM_NGINXES && !place->stored; k++) {
            seen &= !(ev->in[k].live && m.nginxes[k].running);
        }

        cursor->seen[i / 8] |= seen << i % 8;
    }
}


/* that of a client that has read an event; 0: none is found */

static ngx_uint_t
act_cursor_of_event(model_cursor_t *cursor)
{
    ngx_uint_t      i, n;
    model_event_t  *ev;
    model_place_t  *place;

    for (i = 0; i < 4 && m.nevents; i++) {
        n = unit_below(unit_once(2) ? m.nevents : ngx_min(m.nevents, 20));
        ev = &m.events[m.nevents - 1 - n];
        place = model_place(ev);

        if (place->live && place->id <= sh->clock.visible) {
            cursor->id = place->id;
            cursor->uuid = ev->uuid;
            cursor->epoch = ev->epoch;
            cursor->time = 0;
            return 1;
        }
    }

    return 0;
}


static void
act_cursor_call(void *data)
{
    model_cursor_t           *cursor;
    ngx_http_longpoll_cat_t   cat;
    ngx_http_longpoll_read_t  rd;

    cursor = data;

    if (!act_cursor_of_event(cursor)) {

        /* that of a poll whose time is over */

        ngx_memzero(&rd, sizeof(rd));
        rd.cursor.fresh = 1;
        rd.cursor.now = 1;
        cat = model_cats[unit_below(m.ncats)];

        unit_must(act_read_call(&rd, &cat, NGX_HTTP_LONGPOLL_READ_PEEK)
                  == NGX_AGAIN, "there is an event behind now");

        cursor->time = 1;
        cursor->id = ngx_http_longpoll_id_last_of(rd.timestamp);
        cursor->epoch = sh->epoch;
    }

    act_cursor_seen(cursor);
}


/* a client whose worker is killed keeps the cursor that it had, if any */

void
act_cursor(model_nginx_t *nginx, model_worker_t *worker)
{
    ngx_uint_t  i;

    i = m.ncursors < MODEL_CURSORS ? m.ncursors : unit_below(MODEL_CURSORS);

    if (worker_call(nginx, worker, act_cursor_call, &m.cursors[i])
        && i == m.ncursors)
    {
        m.ncursors++;
    }
}


void
act(model_nginx_t *nginx)
{
    gone_e           why;
    model_worker_t  *worker;

    worker = worker_any(nginx);

    if (worker == NULL) {
        return;
    }

    why = GONE_LOST;
    m.cat = unit_below(m.ncats);

    switch (unit_below(16)) {

    case 0:
        why = GONE_DELETED;
        (void) worker_call(nginx, worker, act_delete_call, NULL);
        break;

    case 1: case 2: case 3:
        why = act_take(nginx, worker);
        break;

    case 4: case 5:
        act_cursor(nginx, worker);
        break;

    default:
        act_publish(nginx, worker);
    }

    worker_look(nginx, why);
}


void
act_some(model_nginx_t *nginx, ngx_uint_t n)
{
    while (n--) {
        act(nginx);
    }
}
