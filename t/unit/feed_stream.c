
/*
 * feed_stream.c: a zone's stream in Redis, and what may happen to it.
 *
 * Ids are made as Redis and the scripts make them: the clock's ms, or the last
 * one if the clock is behind; a ms that is full, or that a heartbeat or a
 * beginning has ended, gets no more.
 */


#include "feed_model.h"


int
model_compare(ngx_http_longpoll_entry_place_t *a,
    ngx_http_longpoll_entry_place_t *b)
{
    if (a->ms != b->ms) {
        return a->ms < b->ms ? -1 : 1;
    }

    return a->seq == b->seq ? 0 : a->seq < b->seq ? -1 : 1;
}


/* a new entry, with the next id */

static model_entry_t *
model_add(model_entry_e kind, uint64_t ms)
{
    model_entry_t   *entry;
    model_stream_t  *s;

    s = &m.stream;

    unit_must(m.nentries < MODEL_ENTRIES, "the model has too many entries");

    if (s->last == s->first) {
        s->first = s->last = m.nentries;
    }

    /* what a tail that was lost had is not overwritten */

    if (s->last != m.nentries) {
        ngx_memmove(&m.entries[m.nentries], &m.entries[s->first],
                    (s->last - s->first) * sizeof(model_entry_t));
        s->last = m.nentries + s->last - s->first;
        s->first = m.nentries;
        m.nentries = s->last;
    }

    entry = &m.entries[m.nentries++];
    s->last++;

    ngx_memzero(entry, sizeof(model_entry_t));

    if (ms > s->top.ms) {
        s->top.ms = ms;
        s->top.seq = 0;

    } else if (s->top.seq == NGX_HTTP_LONGPOLL_ENTRY_SEQ_MAX) {
        s->top.ms++;
        s->top.seq = 0;

    } else {
        s->top.seq++;
    }

    entry->kind = kind;
    entry->place = s->top;
    entry->hash = unit_random();

    if (kind != MODEL_STRANGE || unit_once(2)) {
        entry->number = ++s->number;
    }

    if (!m.stalled) {
        m.replica = *s;
    }

    return entry;
}


static void
model_added(ngx_uint_t full)
{
    if (full) {
        m.stream.top.seq = NGX_HTTP_LONGPOLL_ENTRY_SEQ_MAX;
    }

    if (!m.stalled) {
        m.replica = m.stream;
    }
}


/* whether the scripts would do anything */

static ngx_uint_t
model_takes(uint64_t epoch)
{
    return m.stream.nlives && m.stream.lives[0].epoch == epoch;
}


ngx_uint_t
model_publish(uint64_t epoch, ngx_uint_t n, ngx_uint_t key)
{
    ngx_uint_t      i, k;
    model_entry_t  *entry;
    model_event_t  *event;

    if (!model_takes(epoch) || m.nevents + n > MODEL_EVENTS) {
        return 0;
    }

    entry = model_add(MODEL_EVENTS_E, m.now + m.skew);
    entry->n = n;
    entry->first = m.nevents;
    entry->key = key;

    for (i = 0; i < n; i++) {
        event = &m.events[m.nevents++];
        event->id = model_id(entry->place) + i;
        event->epoch = epoch;
        event->cat = unit_below(MODEL_CATS);
        entry->cats[i] = event->cat;

        /* an event of a tail that was lost may have had this id */

        for (k = 0; k + 1 < m.nevents; k++) {
            if (m.events[k].id == event->id) {
                unit_must(m.events[k].epoch != epoch, "an id twice");
                m.events[k].deleted = 1;
            }
        }
    }

    m.stream.top.seq += n - 1;
    model_added(m.stream.top.seq > 64535);

    return 1;
}


ngx_uint_t
model_delete(uint64_t epoch)
{
    ngx_uint_t      i, k;
    model_entry_t  *entry;

    if (!model_takes(epoch)) {
        return 0;
    }

    entry = model_add(MODEL_DELETE, m.now + m.skew);
    entry->n = 1 + unit_below(2);
    entry->cats[0] = unit_below(MODEL_CATS);
    entry->cats[1] = (entry->cats[0] + 1) % MODEL_CATS;

    for (i = 0; i < entry->n; i++) {
        for (k = 0; k < m.nevents; k++) {
            m.events[k].deleted |= (m.events[k].cat == entry->cats[i]);
        }
    }

    model_added(0);

    return 1;
}


ngx_uint_t
model_beat(uint64_t epoch)
{
    if (!model_takes(epoch)) {
        return 0;
    }

    (void) model_add(MODEL_BEAT, m.now + m.skew);
    model_added(1);

    return 1;
}


/* an entry that nobody can read, perhaps with an id that does not fit */

void
model_strange(void)
{
    model_entry_t  *entry;

    if (m.stream.nlives == 0) {
        return;
    }

    entry = model_add(MODEL_STRANGE, m.now + m.skew);

    if (unit_once(3)) {
        entry->place.seq = 70000;
        m.stream.top.seq = NGX_HTTP_LONGPOLL_ENTRY_SEQ_MAX;
    }

    model_added(0);
}


/* an epoch begins, if the newest one is first (0: none) */

void
model_begin(uint64_t first, uint64_t above)
{
    uint64_t         ms;
    ngx_uint_t       i;
    model_entry_t   *entry;
    model_stream_t  *s;

    s = &m.stream;

    if (first != (s->nlives ? s->lives[0].epoch : 0)) {
        return;
    }

    ms = ngx_max(m.now + m.skew, s->top.ms);
    ms = ngx_max(ms, above >> 16) + 1;

    /* not where one has begun that is lost (docs/internals/cluster.md) */

    for (i = 1; i <= m.nlives; i++) {
        if (m.begins[i] >> 16 == ms) {
            ms++;
            i = 0;
        }
    }

    entry = model_add(MODEL_LIFE, ms);

    /* its number is in front, so that later ones are larger */

    entry->epoch = ++m.nlives << 32 | (uint32_t) unit_random();
    m.begins[m.nlives] = model_id(entry->place);

    if (s->nlives == MODEL_LIVES) {
        s->nlives--;
    }

    ngx_memmove(&s->lives[1], &s->lives[0],
                s->nlives * sizeof(ngx_http_longpoll_entry_life_t));
    s->nlives++;

    s->lives[0].epoch = entry->epoch;
    s->lives[0].begin = model_id(entry->place);
    s->run = m.run;

    model_added(1);
}


/* whether an epoch that the node does not have begins below what it has */

static ngx_uint_t
model_is_below(model_state_t *state)
{
    ngx_uint_t                       i;
    ngx_http_longpoll_entry_life_t  *life;

    for (i = 0; i < m.stream.nlives; i++) {
        life = &m.stream.lives[i];

        if (life->epoch > state->epoch && life->begin <= state->visible) {
            return 1;
        }
    }

    return 0;
}


/*
 * Whether a node whose epoch is not in the stream would take what is left of
 * it, from the entry first on, for what comes behind the node's own stream
 * (docs/internals/cluster.md).
 */

static ngx_uint_t
model_mistakes(ngx_uint_t first)
{
    uint64_t        number;
    ngx_uint_t      i, k;
    model_state_t  *state;

    for (i = first; i < m.stream.last && m.entries[i].number == 0; i++) {
        /* void */
    }

    number = i < m.stream.last ? m.entries[i].number : m.stream.number + 1;

    for (i = 0; i < MODEL_NODES; i++) {
        state = &m.nodes[i].state;

        for (k = 0; k < m.stream.nlives; k++) {

            if (m.stream.lives[k].epoch == state->epoch) {
                break;
            }
        }

        if (k && k == m.stream.nlives
            && (state->number + 1 == number
                || model_is_below(state)))
        {
            return 1;
        }
    }

    return 0;
}


void
model_trim(void)
{
    ngx_uint_t  n;

    static const ngx_uint_t  keep[] = { 0, 2, 10, 100 };

    n = keep[unit_below(4)];

    if (m.stream.last - m.stream.first > n
        && !model_mistakes(m.stream.last - n))
    {
        m.stream.first = m.stream.last - n;
    }

    model_added(0);
}


void
model_restart(void)
{
    m.run++;
}


/* the replica takes over */

void
model_failover(void)
{
    m.run++;
    m.stream = m.replica;
    m.stalled = 0;

    if (m.flags & MODEL_SKEW) {
        m.skew = unit_below(4) * 1000;
    }

    model_added(0);
}


void
model_wipe(void)
{
    ngx_memzero(&m.stream, sizeof(model_stream_t));
    m.stalled = 0;
    model_added(0);
}
