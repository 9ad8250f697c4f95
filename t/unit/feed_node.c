
/*
 * feed_node.c: a node reads the stream, and is killed.
 *
 * model_step() is what the reader does: it connects, which may begin an epoch
 * or empty the zone, and reads some entries.  Each call into the zone runs in
 * model_call(): in a crash world it is killed at one store after the other.
 */


#include "feed_model.h"


typedef enum {
    MODEL_APPLY = 0,
    MODEL_KNOW,
    MODEL_BEGUN,
    MODEL_EMPTY,
    MODEL_CLOCK,
    MODEL_SYNCED
} model_call_e;


/* the feed clock, and whether it counts */

typedef struct {
    uint64_t                   ahead;
    ngx_uint_t                 counts;
} model_ahead_t;


typedef struct {
    model_node_t              *node;
    model_call_e               kind;
    model_entry_t             *entry;
    ngx_http_longpoll_entry_life_t  *life;
    uint64_t                   id;
    ngx_int_t                  rc;
    uint64_t                   wake;
    model_ahead_t              before;
    model_ahead_t              behind;
} model_call_t;


static void model_forget(model_state_t *state, uint64_t id);
static void model_learn(model_state_t *state,
    ngx_http_longpoll_entry_life_t *life);
static ngx_uint_t model_epoch_of(model_state_t *state, uint64_t id,
    uint64_t *epoch);
static void model_foretell(model_call_t *call);
static void model_do(model_call_t *call);


int __wrap_clock_gettime(clockid_t id, struct timespec *ts);


/* of the node that reads now */

int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
    ts->tv_sec = m.elapsed / 1000;
    ts->tv_nsec = m.elapsed % 1000 * 1000000;

    return 0;
}


/* every node's wall clock is right */

int
gettimeofday(struct timeval *tv, void *tz)
{
    tv->tv_sec = m.now / 1000;
    tv->tv_usec = m.now % 1000 * 1000;

    return 0;
}


uint64_t
model_clock(model_node_t *node)
{
    m.elapsed = m.now + node->skew - MODEL_TIME;

    return ngx_http_longpoll_zone_clock_time(&node->zone, MODEL_TIME,
                                             m.elapsed);
}


void
model_node_init(model_node_t *node)
{
    node->skew = 1000 + unit_below(1000000);
    node->mem = malloc(m.mem_size);
    node->copy = malloc(m.mem_size);

    model_fresh(node);
}


/* nginx is started anew */

void
model_fresh(model_node_t *node)
{
    ngx_uint_t  i;
    u_char      random[24];

    static ngx_uint_t  cluster;

    for (i = 0; i < sizeof(random); i++) {
        random[i] = (u_char) unit_random();
    }

    ngx_memzero(&node->zone, sizeof(ngx_http_longpoll_zone_t));
    ngx_memzero(&node->state, sizeof(model_state_t));
    ngx_memzero(node->mem, m.mem_size);

    node->zone.size = m.size;
    node->zone.mutex = &m.mutex;
    node->zone.cluster = (void *) &cluster;
    node->zone.conf.buffer = MODEL_EVENTS;
    node->connected = 0;
    node->life++;
    node->worker = 0;

    unit_must(ngx_http_longpoll_zone_init(&node->zone, node->mem, m.mem_size,
                                          0, random, m.now)
              == NGX_OK, "zone_init() fails");
}


/* a category's hash is another one in each zone */

static void
model_cat(model_node_t *node, ngx_http_longpoll_cat_t *cat, ngx_uint_t n)
{
    *cat = m.cats[n];
    ngx_http_longpoll_zone_hash(&node->zone, cat);
}


static void
model_apply(model_call_t *call)
{
    uint32_t                      index[MODEL_CATS];
    ngx_str_t                     key;
    ngx_uint_t                    i, ncats;
    ngx_http_longpoll_cat_t       cats[MODEL_BATCH];
    ngx_http_longpoll_msg_t       msgs[MODEL_BATCH];
    uint64_t                      numbers[MODEL_BATCH];
    model_entry_t                *entry;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_zone_fed_t  fed;

    z = &call->node->zone;
    entry = call->entry;

    ngx_memzero(&fed, sizeof(fed));
    fed.worker = call->node->worker;
    fed.now = model_clock(call->node);
    fed.id = model_id(entry->place);
    fed.at.place = entry->place;
    fed.at.hash[0] = entry->hash;
    fed.at.hash[1] = ~entry->hash;
    fed.at.number = entry->number;

    for (i = 0; i < MODEL_CATS; i++) {
        index[i] = MODEL_CATS;
    }

    for (i = 0, ncats = 0; i < entry->n; i++) {

        if (index[entry->cats[i]] == MODEL_CATS) {
            model_cat(call->node, &cats[ncats], entry->cats[i]);
            index[entry->cats[i]] = ncats++;
        }

        msgs[i].cat = index[entry->cats[i]];
        numbers[i] = entry->first + i;
        msgs[i].data.data = (u_char *) &numbers[i];
        msgs[i].data.len = sizeof(uint64_t);
    }

    key.data = (u_char *) &entry->key;
    key.len = sizeof(entry->key);

    switch (entry->kind) {

    case MODEL_EVENTS_E:
        call->rc = ngx_http_longpoll_zone_feed_events(z, &fed, cats, msgs,
                                                      entry->n,
                                                      entry->key ? &key : NULL,
                                                      &call->wake);
        break;

    case MODEL_DELETE:
        call->rc = ngx_http_longpoll_zone_feed_delete(z, &fed, cats, ncats,
                                                      &call->wake);
        break;

    case MODEL_BEAT:
        call->rc = ngx_http_longpoll_zone_feed_heartbeat(z, &fed, &call->wake);
        break;

    case MODEL_LIFE:
        call->rc = ngx_http_longpoll_zone_feed_begin(z, &fed, entry->epoch,
                                                     &call->wake);
        break;

    default:
        call->rc = ngx_http_longpoll_zone_feed_skip(z, &fed);
    }
}


static void
model_do(model_call_t *call)
{
    ngx_uint_t                 worker;
    ngx_http_longpoll_zone_t  *z;

    z = &call->node->zone;
    worker = call->node->worker;
    call->rc = NGX_OK;
    call->wake = 0;

    switch (call->kind) {

    case MODEL_APPLY:
        model_apply(call);
        break;

    case MODEL_KNOW:
        call->rc = ngx_http_longpoll_zone_feed_know(z, worker,
                                                    m.stream.lives,
                                                    m.stream.nlives);
        break;

    case MODEL_BEGUN:
        call->rc = ngx_http_longpoll_zone_feed_begun(z, worker,
                                                     call->life,
                                                     &call->wake);
        break;

    case MODEL_EMPTY:
        call->rc = ngx_http_longpoll_zone_feed_empty(z, worker, call->id);
        break;

    case MODEL_CLOCK:
        ngx_http_longpoll_zone_feed_clock(z, call->id,
                                          m.now + call->node->skew
                                          - MODEL_TIME);
        break;

    default:
        call->rc = ngx_http_longpoll_zone_feed_synced(z, worker, &call->wake);
    }
}


/*
 * what the zone must have behind a call
 */


/* its events in front of id */

static void
model_forget(model_state_t *state, uint64_t id)
{
    ngx_uint_t  i;

    for (i = 0; i < state->n && m.events[state->events[i]].id < id; i++) {
        /* void */
    }

    state->n -= i;
    ngx_memmove(&state->events[0], &state->events[i],
                state->n * sizeof(ngx_uint_t));
}


/* the lives are sorted, the newest first */

static void
model_learn(model_state_t *state, ngx_http_longpoll_entry_life_t *life)
{
    ngx_uint_t  i, k;

    for (i = 0; i < state->nlives; i++) {
        if (state->lives[i].epoch == life->epoch) {
            return;
        }
    }

    for (i = 0; i < state->nlives && state->lives[i].begin > life->begin; i++) {
        /* void */
    }

    for (k = state->nlives; k > i; k--) {
        state->lives[k] = state->lives[k - 1];
    }

    state->lives[i] = *life;

    if (++state->nlives > MODEL_LIVES) {
        state->nlives = MODEL_LIVES;

        if (i < MODEL_LIVES) {
            model_forget(state, state->lives[MODEL_LIVES - 1].begin);
        }
    }
}


/* one that has not begun, and is not in the list, was lost */

static void
model_learn_all(model_state_t *state)
{
    ngx_uint_t  i, k, n;

    for (i = 0, n = 0; i < state->nlives; i++) {

        for (k = 0; k < m.stream.nlives; k++) {
            if (m.stream.lives[k].epoch == state->lives[i].epoch) {
                break;
            }
        }

        if (k < m.stream.nlives || state->lives[i].begin <= state->visible) {
            state->lives[n++] = state->lives[i];
        }
    }

    state->nlives = n;

    for (k = m.stream.nlives; k; k--) {
        model_learn(state, &m.stream.lives[k - 1]);
    }
}


static ngx_uint_t
model_epoch_of(model_state_t *state, uint64_t id, uint64_t *epoch)
{
    ngx_uint_t  i;

    for (i = 0; i < state->nlives; i++) {
        if (state->lives[i].begin <= id) {
            *epoch = state->lives[i].epoch;
            return 1;
        }
    }

    return 0;
}


/* whether an epoch that the node knows begins in front of id, unread */

static ngx_uint_t
model_skips(model_state_t *state, uint64_t id)
{
    ngx_uint_t  i;

    for (i = 0; i < state->nlives; i++) {
        if (state->lives[i].begin > state->visible
            && state->lives[i].begin < id)
        {
            return 1;
        }
    }

    return 0;
}


static void
model_foretell_entry(model_state_t *state, model_entry_t *entry)
{
    uint64_t      id, epoch;
    ngx_uint_t    i, k;
    ngx_http_longpoll_entry_life_t  life;

    id = model_id(entry->place);

    if (model_compare(&entry->place, &state->place) <= 0) {
        return;
    }

    if (entry->number
        && (model_skips(state, id)
            || (entry->number != state->number + 1
                && !(entry->kind == MODEL_LIFE
                     && entry->number <= state->number))))
    {
        state->gap = ngx_max(state->gap, id);
    }

    state->place = entry->place;
    state->hash = entry->hash;
    state->number = entry->number ? entry->number : state->number;

    if (id <= state->visible) {
        return;
    }

    switch (entry->kind) {

    case MODEL_EVENTS_E:
        if (!model_epoch_of(state, id, &epoch)) {
            state->gap = ngx_max(state->gap, id + entry->n - 1);

        } else {
            for (i = 0; i < entry->n; i++) {
                state->events[state->n++] = entry->first + i;
            }
        }

        state->visible = id + entry->n - 1;
        break;

    case MODEL_DELETE:
        for (i = 0, k = 0; i < state->n; i++) {
            epoch = m.events[state->events[i]].cat;

            if (epoch != entry->cats[0]
                && (entry->n == 1 || epoch != entry->cats[1]))
            {
                state->events[k++] = state->events[i];
            }
        }

        state->n = k;
        state->visible = id;
        break;

    case MODEL_LIFE:
        life.epoch = entry->epoch;
        life.begin = id;
        model_learn(state, &life);
        state->epoch = entry->epoch;
        state->begin = id;

        /* fall through */

    case MODEL_BEAT:
        state->visible = id | 0xffff;
        break;

    default:
        break;
    }
}


static void
model_foretell(model_call_t *call)
{
    model_state_t  *state;

    state = &call->node->next;
    *state = call->node->state;

    switch (call->kind) {

    case MODEL_APPLY:
        model_foretell_entry(state, call->entry);
        break;

    case MODEL_KNOW:
        model_learn_all(state);
        break;

    case MODEL_BEGUN:
        state->number = 0;
        state->epoch = call->life->epoch;
        state->begin = call->life->begin;
        state->visible = call->life->begin | 0xffff;
        state->gap = ngx_max(state->gap, call->life->begin + 1);
        break;

    case MODEL_EMPTY:
        state->gap = ngx_max(state->gap, call->id);
        state->gap = ngx_max(state->gap, state->visible + 1);
        state->visible = 0;
        state->n = 0;
        state->nlives = 0;
        state->number = 0;
        state->synced = 0;
        ngx_memzero(&state->place, sizeof(state->place));
        break;

    case MODEL_CLOCK:
        break;

    default:
        state->synced = 1;
    }
}


/*
 * kills
 */


static void
model_kill(void *data)
{
    model_do(data);
}


static void
model_any_call(void *data)
{
    model_call_t *call = data;

    ngx_http_longpoll_zone_lock(&call->node->zone);
    ngx_http_longpoll_zone_unlock(&call->node->zone);
}


static model_ahead_t
model_ahead(model_node_t *node)
{
    model_ahead_t                 clock;
    ngx_http_longpoll_feed_sh_t  *feed;

    feed = &node->zone.sh->feed;

    clock.ahead = node->zone.sh->clock.ahead;
    clock.counts = (feed->timed && feed->timed == feed->begin);

    return clock;
}


/*
 * A kill leaves the clock as it was, or as it will be, or ahead of both; and if
 * it counts only now, as it will be.  When the next reader has measured the
 * same, it counts as if nothing had been killed, and is not behind.
 */

static void
model_check_clock(model_call_t *call)
{
    model_ahead_t   clock;

    clock = model_ahead(call->node);

    unit_must(!clock.counts || call->before.counts
              || clock.ahead >= call->behind.ahead,
              "a feed clock counts that was not measured");
    unit_must(clock.ahead >= ngx_min(call->before.ahead, call->behind.ahead),
              "a kill sets the feed clock back");

    model_do(call);
    clock = model_ahead(call->node);

    unit_must(clock.counts == call->behind.counts,
              "behind a kill it is wrong whether a feed clock counts");
    unit_must(clock.ahead >= call->behind.ahead,
              "behind a kill the feed clock is late");
}


/* 1: it was killed in front of that store; 0: it has fewer, and is done */

static ngx_uint_t
model_killed(model_call_t *call, uint64_t store)
{
    ngx_uint_t     n;
    model_node_t  *node;

    node = call->node;

    ngx_memcpy(node->mem, node->copy, m.mem_size);

    if (unit_call_and_kill(model_kill, call, store)) {
        return 0;
    }

    unit->kills++;

    for (n = unit_below(3); n; n--) {
        if (unit_call_and_kill(model_any_call, call, unit_skewed(0, 40))) {
            break;
        }

        unit->rekills++;
    }

    model_any_call(call);

    model_check_killed(node);

    if (call->kind == MODEL_CLOCK) {
        model_check_clock(call);
    }

    return 1;
}


/* 0: the worker was killed, and the next one has done the same */

static ngx_uint_t
model_call(model_call_t *call)
{
    uint64_t       store;
    ngx_uint_t     killed;
    model_node_t  *node;

    node = call->node;
    killed = 0;

    unit->op++;
    unit->ops++;

    snprintf(unit->what, sizeof(unit->what), "node %lu call %u entry %u",
             (unsigned long) (node - m.nodes), call->kind,
             call->entry ? call->entry->kind : 0);

    model_foretell(call);

    /* the clock is measured with most reads, and has few stores */

    if (m.flags & MODEL_CRASH
        && (call->kind != MODEL_CLOCK || unit_once(4)))
    {
        ngx_memcpy(node->copy, node->mem, m.mem_size);

        if (call->kind == MODEL_CLOCK) {
            call->before = model_ahead(node);
            model_do(call);
            call->behind = model_ahead(node);
        }

        for (store = 0; model_killed(call, store); store += 1 + unit_below(2)) {
            /* void */
        }

    } else {
        store = 0;
        model_do(call);
    }

    if (!unit_plain && store && unit_once(8)) {
        unit->kept++;
        killed = 1;
        (void) model_killed(call, unit_below(store));

        ngx_http_longpoll_zone_tick_reap(&node->zone, node->worker,
                                         model_clock(node));
        node->worker = (node->worker + 1) % MODEL_WORKERS;
        node->connected = 0;

        /* the next reader comes to the same */

        (void) ngx_http_longpoll_zone_feed_claim(&node->zone, node->worker,
                                                 m.now);
        model_do(call);
    }

    unit_must(call->rc == NGX_OK || call->rc == NGX_DECLINED,
              "a call returns %ld", (long) call->rc);

    node->state = node->next;

    return !killed;
}


static ngx_uint_t
model_call_life(model_node_t *node, model_call_e kind,
    ngx_http_longpoll_entry_life_t *life, uint64_t id)
{
    model_call_t  call;

    ngx_memzero(&call, sizeof(call));

    call.node = node;
    call.kind = kind;
    call.life = life;
    call.id = id;

    return model_call(&call);
}


/*
 * the reader
 */


/* the epochs of the stream; 0: killed */

static ngx_uint_t
model_know(model_node_t *node)
{
    node->first = m.stream.lives[0];

    return model_call_life(node, MODEL_KNOW, NULL, 0);
}


static model_entry_t *
model_find(ngx_http_longpoll_entry_place_t *place)
{
    ngx_uint_t  i;

    for (i = m.stream.first; i < m.stream.last; i++) {
        if (model_compare(&m.entries[i].place, place) == 0) {
            return &m.entries[i];
        }
    }

    return NULL;
}


/* whether the stream has, or had, what the node has read */

static ngx_uint_t
model_is_there(model_node_t *node)
{
    model_entry_t   *entry;
    model_state_t   *state;
    model_stream_t  *s;

    s = &m.stream;
    state = &node->state;

    if (state->place.ms == 0) {
        return 1;
    }

    entry = model_find(&state->place);

    if (entry) {
        return entry->hash == node->entry.hash;
    }

    if (s->first != s->last) {
        return model_compare(&m.entries[s->first].place, &state->place) > 0;
    }

    return model_compare(&s->top, &state->place) >= 0;
}


static ngx_uint_t
model_connect(model_node_t *node)
{
    ngx_http_longpoll_entry_life_t   *first;
    ngx_http_longpoll_entry_place_t   place;

    first = &m.stream.lives[0];

    if (m.stream.nlives == 0 || m.stream.run != m.run) {
        model_begin(m.stream.nlives ? first->epoch : 0,
                    node->state.visible + 1);
    }

    if (!model_know(node)) {
        return 0;
    }

    if (!model_is_there(node)) {

        if (node->state.visible >= first->begin) {
            model_begin(first->epoch, node->state.visible + 1);

            if (!model_know(node)) {
                return 0;
            }
        }

        if (!model_call_life(node, MODEL_EMPTY, NULL,
                             ngx_max(first->begin, node->state.visible + 1))
            || !model_know(node))
        {
            return 0;
        }
    }

    if (first->begin <= node->state.visible
        && first->epoch != node->state.epoch)
    {
        model_begin(first->epoch, node->state.visible + 1);

        if (!model_know(node)) {
            return 0;
        }
    }

    place.ms = first->begin >> 16;
    place.seq = first->begin & 0xffff;

    if (first->begin > node->state.visible && model_find(&place) == NULL
        && !model_call_life(node, MODEL_BEGUN, first, 0))
    {
        return 0;
    }

    node->connected = 1;
    node->run = m.run;

    return 1;
}


void
model_step(model_node_t *node, ngx_uint_t count)
{
    uint64_t       ms;
    ngx_uint_t     i, first;
    model_call_t   call;

    if (node->cut) {
        node->cut--;
        node->connected = 0;
        return;
    }

    (void) ngx_http_longpoll_zone_feed_claim(&node->zone, node->worker,
                                             m.now);
    if (node->run != m.run) {
        node->connected = 0;
    }

    if (!node->connected && !model_connect(node)) {
        return;
    }

    ngx_memzero(&call, sizeof(call));
    call.node = node;
    ms = 0;
    first = 1;

    for (i = m.stream.first; i < m.stream.last && count; i++) {
        call.kind = MODEL_APPLY;
        call.entry = &m.entries[i];

        if (model_compare(&call.entry->place, &node->state.place) <= 0) {
            continue;
        }

        /*
         * The list of epochs before a gap, or what may be one.  With another
         * list the stream may be another one.
         */

        if ((call.entry->number ? call.entry->number != node->state.number + 1
                                : first)
            || call.entry->kind == MODEL_LIFE)
        {
            if (m.stream.lives[0].epoch != node->first.epoch) {
                node->connected = 0;
                return;
            }

            if (!model_know(node)) {
                return;
            }
        }

        first = 0;
        node->entry = *call.entry;
        ms = call.entry->place.ms;
        count--;

        if (!model_call(&call)) {
            return;
        }

        model_check(node, &node->state, 0);
    }

    if (i < m.stream.last) {
        return;
    }

    if (ms) {
        if (!model_call_life(node, MODEL_CLOCK, NULL, ms)) {
            return;
        }
    }

    /* nothing was read: perhaps the stream is another one */

    if (m.stream.nlives == 0 || m.stream.lives[0].epoch != node->state.epoch) {
        node->connected = 0;
        return;
    }

    if (node->state.synced) {
        return;
    }

    /* an entry that is new says what time it is */

    if (ms == 0 || node->entry.kind != MODEL_BEAT) {
        (void) model_beat(node->first.epoch);
        model_step(node, 1);
        return;
    }

    (void) model_call_life(node, MODEL_SYNCED, NULL, 0);
}
