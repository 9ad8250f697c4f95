
/*
 * disk_event.c: what is known of events.
 *
 * The data of an event is its number, and bytes that follow from it.  So an
 * event is known wherever it comes back.  After each op the zone is compared
 * with what is known of it: what came must have been published, and what went
 * went for the reason that the op is (gone_e).  A poll that takes what there is
 * applies the ttl and the buffer first: what is over these is lost.
 *
 * A note says for how long an event that went may still come back: while the
 * ring has its note.  Where the ring was full, a base that begins later leaves
 * the event out.
 */


#include "disk_model.h"

#include <ngx_http_longpoll_zone_msg.h>


static u_char  event_bytes[8192];


ngx_uint_t
event_new(uint32_t cat, uint32_t len, uint32_t keyed)
{
    model_event_t  *ev;

    unit_must(m.nevents < MODEL_EVENTS, "the model is full");

    ev = &m.events[m.nevents];
    ngx_memzero(ev, sizeof(model_event_t));
    ev->cat = cat;
    ev->len = len;
    ev->keyed = keyed;

    return m.nevents++;
}


ngx_str_t
event_data(ngx_uint_t n)
{
    int        len;
    uint32_t   i;
    ngx_str_t  data;

    len = sprintf((char *) event_bytes, "\"%lu ", (unsigned long) n);

    for (i = 0; i < m.events[n].len; i++) {
        event_bytes[len++] = 'a' + (n + i) % 26;
    }

    event_bytes[len++] = '"';

    data.data = event_bytes;
    data.len = len;

    return data;
}


ngx_str_t
event_key(ngx_uint_t n)
{
    ngx_str_t  key;

    static char  name[32];

    key.len = sprintf(name, "key %lu", (unsigned long) n);
    key.data = (u_char *) name;

    return key;
}


ngx_uint_t
event_of(ngx_http_longpoll_msg_sh_t *at, ngx_http_longpoll_msg_t *msg)
{
    uint64_t        key[2];
    ngx_str_t       name, data, cat;
    ngx_uint_t      n;
    model_event_t  *ev;

    ngx_http_longpoll_zone_disk_msg(z, at, &name, msg);

    n = msg->data.len > 2 ? strtoul((char *) msg->data.data + 1, NULL, 10)
                          : MODEL_EVENTS;

    unit_must(n < m.nevents, "the zone has an event that nobody published");

    ev = &m.events[n];
    data = event_data(n);
    cat = model_cats[ev->cat].name;

    unit_must(data.len == msg->data.len
              && memcmp(data.data, msg->data.data, data.len) == 0
              && cat.len == name.len
              && memcmp(cat.data, name.data, name.len) == 0,
              "event %lu has changed", (unsigned long) n);

    if (m.strangers && !(at->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED)) {
        return n;
    }

    unit_must(!!ev->keyed
              == !!(at->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED),
              "event %lu has lost its key, or got one", (unsigned long) n);

    if (ev->keyed) {
        cat = event_key(n);
        ngx_http_longpoll_hash(key, sh->key, cat.data, cat.len);
        key[1] = (key[1] & ~0xffffULL) | (ev->keyed - 1);

        unit_must(memcmp(key, ngx_http_longpoll_zone_key(at), sizeof(key))
                  == 0, "event %lu has another key", (unsigned long) n);
    }

    return n;
}


/*
 * What a failure refuses is known before it goes.  The zone keeps the last
 * failures only.
 */

static void
event_failures(void)
{
    ngx_uint_t                       i;
    model_place_t                   *place;
    ngx_http_longpoll_failure_sh_t  *failure;

    for ( /* void */ ; own->failed < sh->disk.failed; own->failed++) {

        failure = &sh->disk.failures[own->failed % NGX_HTTP_LONGPOLL_FAILURES];

        for (i = 0; i < m.nevents; i++) {
            place = model_place(&m.events[i]);

            if (place->live && place->id > failure->after
                && place->id <= failure->upto)
            {
                place->doomed = 1;
            }
        }
    }
}


/*
 * A category that is not there any more was inactive.  A merge drops what was
 * deleted in the other nginx.
 */

static gone_e
event_reason(model_event_t *ev, gone_e why)
{
    ngx_uint_t  i;

    if (model_place(ev)->doomed) {
        return GONE_REFUSED;
    }

    if (why != GONE_LOST && ev->cat == m.cat) {
        return why;
    }

    if (sh->conf.inactive
        && ngx_http_longpoll_cat_find(&z->cats, model_cats[ev->cat].hash)
           == NGX_HTTP_LONGPOLL_CAT_NONE)
    {
        return GONE_FORGOTTEN;
    }

    for (i = 0; i < SIM_NGINXES; i++) {
        if (ev->in[i].gone >= GONE_DELETED) {
            return ev->in[i].gone;
        }
    }

    return GONE_LOST;
}


/*
 * In front of an op that takes what m.cat has: the id of its last event that is
 * over the ttl, or the buffer; 0: none is.  Of what waits for the disk none is.
 */

static uint64_t
event_over(void)
{
    uint64_t                        n, id, clock;
    ngx_uint_t                      i;
    model_event_t                  *ev;
    model_place_t                  *place;
    ngx_http_longpoll_cursor_sh_t  *exposed;

    exposed = &sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];
    clock = ngx_http_longpoll_zone_clock(z, m.now);
    id = 0;

    for (i = m.nevents, n = 0; i > 0 && id == 0; i--) {
        ev = &m.events[i - 1];
        place = model_place(ev);

        if (!place->live || ev->cat != m.cat) {
            continue;
        }

        n += !sh->disk.durable || place->id <= exposed->id;

        if (n > sh->conf.buffer
            || (sh->conf.ttl
                && ngx_http_longpoll_zone_is_expired(z, place, clock)))
        {
            id = place->id;
        }
    }

    return id;
}


static void
event_went(model_event_t *ev, gone_e why)
{
    model_place_t  *place;

    place = model_place(ev);

    place->gone = event_reason(ev, why);
    place->live = 0;

    unit_must(place->gone != GONE_LOST || !(m.flags & MODEL_UPGRADE),
              "event %lu goes for no reason", (unsigned long) (ev - m.events));
    place->when = m.op;
    place->noted = 0;

    /* a note is left out while the ring is full, up to the next base */

    place->note = sh->disk.stale
                  && !(sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE].on
                       && sh->disk.stale == sh->disk.base_stale)
                  ? MODEL_NOT : sh->disk.notes_last;

    if (place->gone == GONE_LOST) {
        place->note = MODEL_NOT;

    } else if (place->id > sh->disk.taken_upto) {

        /* no file has a line of it */

        place->noted = 1;
    }

    ev->lost |= place->gone == GONE_LOST || place->gone == GONE_FORGOTTEN;
    ev->visible |= !place->doomed && place->id <= sh->clock.visible;
}


/* a message that was published a moment ago, or that another nginx wrote */

void
event_stored(ngx_uint_t n, ngx_http_longpoll_msg_t *msg)
{
    model_event_t  *ev;
    model_place_t  *place;

    ev = &m.events[n];
    place = model_place(ev);

    place->stored = 1;
    place->live = 1;
    place->id = msg->id;

    if (ev->stored) {
        unit_must((m.flags & MODEL_UPGRADE) && ev->epoch != sh->epoch,
                  "event %lu comes out of nothing", (unsigned long) n);
        return;
    }

    ev->stored = 1;
    ev->uuid = msg->uuid;
    ev->epoch = sh->epoch;
}


void
event_diff(gone_e why)
{
    uint32_t                     ref;
    uint64_t                     last, over;
    ngx_uint_t                   i, n;
    model_event_t               *ev;
    model_place_t               *place;
    ngx_http_longpoll_msg_t      msg;
    ngx_http_longpoll_msg_sh_t  *at;

    last = 0;
    over = why == GONE_TAKEN ? event_over() : 0;

    for (ref = sh->list.oldest; ref; ref = at->newer) {
        at = model_at(ref);
        n = event_of(at, &msg);
        ev = &m.events[n];
        place = model_place(ev);

        if (!place->stored) {
            event_stored(n, &msg);
        }

        unit_must(place->live && !place->seen,
                  "event %lu is there twice, or again", (unsigned long) n);
        unit_must(ev->uuid.high == msg.uuid.high
                  && ev->uuid.low == msg.uuid.low && place->id == msg.id,
                  "event %lu has another id", (unsigned long) n);
        unit_must(msg.id > last, "event %lu is out of order",
                  (unsigned long) n);

        last = msg.id;
        place->seen = 1;
    }

    event_failures();

    for (i = 0; i < m.nevents; i++) {
        ev = &m.events[i];
        place = model_place(ev);

        if (place->live && !place->seen) {
            event_went(ev, place->id <= over ? GONE_LOST : why);
        }

        place->seen = 0;
        ev->visible |= place->live && !place->doomed
                       && place->id <= sh->clock.visible;
    }
}


void
event_answered(ngx_uint_t first, ngx_uint_t n, ngx_int_t rc)
{
    ngx_uint_t      i;
    model_event_t  *ev;
    model_place_t  *place;

    event_diff(GONE_LOST);

    for (i = first; i < first + n; i++) {
        ev = &m.events[i];
        place = model_place(ev);

        if (rc == NGX_OK) {
            unit_must(!place->doomed, "event %lu is acknowledged and refused",
                      (unsigned long) i);
            unit_must(place->id <= sh->clock.visible,
                      "event %lu is acknowledged and not visible",
                      (unsigned long) i);
            ev->acked = 1;
            ev->visible = 1;
            figures->acked++;

        } else {
            ev->refused = 1;
            figures->refused++;
        }
    }
}


/* the number of the base that PATH is, and stays in a power cut; 0: of none */

static uint64_t
event_base_number(void)
{
    size_t                        n;
    const u_char                 *p, *end;
    ngx_http_longpoll_control_t   base;

    p = sim_content(MODEL_PATH, &n);

    if (p == NULL || !sim_is_synced(MODEL_PATH)) {
        return 0;
    }

    end = memchr(p, LF, n);

    if (end == NULL
        || ngx_http_longpoll_control_parse(&base, (u_char *) p, end - p)
           != NGX_OK
        || base.kind != NGX_HTTP_LONGPOLL_CONTROL_BASE
        || base.epoch != sh->epoch)
    {
        return 0;
    }

    return base.number;
}


void
event_base(void)
{
    ngx_uint_t                    i;
    model_place_t                *place;
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &sh->disk;

    if (own->base_began && event_base_number() == own->base_number) {

        for (i = 0; i < m.nevents; i++) {
            place = model_place(&m.events[i]);

            if (place->gone > GONE_LOST && place->when < own->base_began
                && place->id <= own->base_upto)
            {
                place->noted = 1;
            }
        }

        own->base_began = 0;
        figures->bases++;
    }

    if (disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE].on
        && own->base_number != disk->base_number)
    {
        own->base_began = m.op;
        own->base_number = disk->base_number;
        own->base_upto = disk->base_upto;
    }
}
