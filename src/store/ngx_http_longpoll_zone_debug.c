
/*
 * ngx_http_longpoll_zone_check.c: a walk over everything, for tests.
 *
 * The log from tail to head, record by record; the list by age; each category's
 * list and its place in its bucket; the free slots; gpoll's clients; the marks
 * of a file.  All that is counted must come to what the zone says.  Only
 * between calls, when nothing is unfinished.
 *
 * It trusts nothing that it follows: a ref must lie in the log and be alive
 * before it is looked at, and no list is longer than it says.
 */


#include "ngx_http_longpoll_zone_inner.h"


#define ngx_http_longpoll_zone_must(condition, text)                          \
    if (!(condition)) {                                                       \
        return text;                                                          \
    }


static const char *ngx_http_longpoll_zone_check_log(
    ngx_http_longpoll_zone_t *z);
static ngx_uint_t ngx_http_longpoll_zone_check_ref(ngx_http_longpoll_zone_t *z,
    uint32_t ref);
static const char *ngx_http_longpoll_zone_check_ages(
    ngx_http_longpoll_zone_t *z);
static const char *ngx_http_longpoll_zone_check_slot(
    ngx_http_longpoll_zone_t *z, uint32_t slot);
static const char *ngx_http_longpoll_zone_check_clients(
    ngx_http_longpoll_zone_t *z);
static const char *ngx_http_longpoll_zone_check_cursors(
    ngx_http_longpoll_zone_t *z);


static const char *
ngx_http_longpoll_zone_check_log(ngx_http_longpoll_zone_t *z)
{
    uint64_t                      pos, end, n, live, events;
    ngx_http_longpoll_log_sh_t   *log;
    ngx_http_longpoll_rec_sh_t   *rec;
    ngx_http_longpoll_msg_sh_t   *msg;

    log = z->log.sh;
    live = 0;
    events = 0;

    ngx_http_longpoll_zone_must(log->tail <= log->head
                                && log->head <= log->tail + log->size,
                                "head and tail");

    for (pos = log->tail; pos < log->head; pos += n) {
        rec = (ngx_http_longpoll_rec_sh_t *) (z->log.base + pos % log->size);
        n = ngx_http_longpoll_log_bytes(rec);
        end = log->size - pos % log->size;

        ngx_http_longpoll_zone_must(n && n <= end && pos + n <= log->head,
                                    "a record's size");

        if (rec->state != NGX_HTTP_LONGPOLL_LOG_LIVE) {
            continue;
        }

        msg = (ngx_http_longpoll_msg_sh_t *) rec;

        ngx_http_longpoll_zone_must(n >= sizeof(ngx_http_longpoll_msg_sh_t),
                                    "a message's size");
        ngx_http_longpoll_zone_must(msg->slot < z->sh->cats.fresh
                                    && z->cats.slots[msg->slot].hash[0],
                                    "a living message's slot");
        ngx_http_longpoll_zone_must(ngx_http_longpoll_zone_front(rec->bits)
                                    + rec->name_len
                                    + (uint64_t) msg->data_len <= n,
                                    "a message's lengths");
        live += n;
        events++;
    }

    ngx_http_longpoll_zone_must(live == log->live, "bytes of the living");
    ngx_http_longpoll_zone_must(events == z->sh->list.count, "number of messages");

    return NULL;
}


static ngx_uint_t
ngx_http_longpoll_zone_check_ref(ngx_http_longpoll_zone_t *z, uint32_t ref)
{
    uint64_t                     pos;
    ngx_http_longpoll_msg_sh_t  *msg;

    if (ref == 0 || ref - 1 >= z->log.sh->size / NGX_HTTP_LONGPOLL_LOG_UNIT) {
        return 0;
    }

    pos = ngx_http_longpoll_log_pos(&z->log, ref);
    msg = ngx_http_longpoll_zone_msg(z, ref);

    return pos < z->log.sh->head
           && msg->rec.state == NGX_HTTP_LONGPOLL_LOG_LIVE
           && msg->id <= z->sh->clock.committed;
}


static const char *
ngx_http_longpoll_zone_check_ages(ngx_http_longpoll_zone_t *z)
{
    uint32_t                     ref, older;
    uint64_t                     id, n;
    ngx_http_longpoll_msg_sh_t  *msg;

    id = 0;
    n = 0;
    older = 0;

    for (ref = z->sh->list.oldest; ref; ref = msg->newer) {
        ngx_http_longpoll_zone_must(ngx_http_longpoll_zone_check_ref(z, ref),
                                    "a ref in the list by age");
        msg = ngx_http_longpoll_zone_msg(z, ref);

        ngx_http_longpoll_zone_must(msg->older == older && msg->id > id
                                    && n < z->sh->list.count,
                                    "the list by age");
        id = msg->id;
        older = ref;
        n++;
    }

    ngx_http_longpoll_zone_must(z->sh->list.newest == older && n == z->sh->list.count,
                                "the end of the list by age");
    return NULL;
}


static const char *
ngx_http_longpoll_zone_check_slot(ngx_http_longpoll_zone_t *z, uint32_t slot)
{
    uint32_t                     ref, prev;
    uint64_t                     id, n;
    ngx_http_longpoll_cat_sh_t  *cat;
    ngx_http_longpoll_msg_sh_t  *msg;

    cat = &z->cats.slots[slot];
    id = 0;
    n = 0;
    prev = 0;

    for (ref = cat->first; ref; ref = msg->next) {
        ngx_http_longpoll_zone_must(ngx_http_longpoll_zone_check_ref(z, ref),
                                    "a ref in a category");
        msg = ngx_http_longpoll_zone_msg(z, ref);

        ngx_http_longpoll_zone_must(msg->prev == prev && msg->id > id
                                    && msg->slot == slot && n < cat->count,
                                    "a category's list");
        id = msg->id;
        prev = ref;
        n++;
    }

    ngx_http_longpoll_zone_must(cat->last == prev && n == cat->count,
                                "the end of a category's list");
    ngx_http_longpoll_zone_must(ngx_http_longpoll_cat_find(&z->cats, cat->hash)
                                == slot,
                                "a slot's place in its bucket");
    return NULL;
}


static const char *
ngx_http_longpoll_zone_check_clients(ngx_http_longpoll_zone_t *z)
{
    uint32_t                        n, prev, clients, idle, left;
    uint64_t                        used;
    ngx_http_longpoll_client_sh_t   *place;
    ngx_http_longpoll_clients_sh_t  *sh;

    sh = &z->sh->clients;
    clients = idle = 0;

    ngx_http_longpoll_zone_must(sh->fresh <= sh->max, "fresh places");

    for (n = 0; n < sh->fresh; n++) {
        place = &z->clients.entries[n];

        if (place->uuid[0]) {
            clients++;
            idle += (place->waiting == 0);

            ngx_http_longpoll_zone_must(place->seen <= z->sh->clock.visible,
                                        "a place that nobody can have");
        }
    }

    ngx_http_longpoll_zone_must(clients == sh->clients, "number of clients");

    used = 0;
    prev = 0;
    left = idle;

    for (n = sh->first; n && left; n = place->next) {
        ngx_http_longpoll_zone_must(n <= sh->fresh, "a place in the list");
        place = &z->clients.entries[n - 1];

        ngx_http_longpoll_zone_must(place->uuid[0] && place->waiting == 0
                                    && place->prev == prev
                                    && place->used >= used,
                                    "the list of idle clients");
        used = place->used;
        prev = n;
        left--;
    }

    ngx_http_longpoll_zone_must(n == 0 && left == 0 && sh->last == prev,
                                "number of idle clients");

    left = sh->fresh - clients;

    for (n = sh->free; n && left; n = z->clients.entries[n - 1].next) {
        ngx_http_longpoll_zone_must(n <= sh->fresh
                                    && z->clients.entries[n - 1].uuid[0] == 0,
                                    "the list of free places");
        left--;
    }

    ngx_http_longpoll_zone_must(n == 0 && left == 0, "number of free places");

    return NULL;
}


/* each stands at the first message behind its id, and they do not overtake */

static const char *
ngx_http_longpoll_zone_check_cursors(ngx_http_longpoll_zone_t *z)
{
    uint32_t                      ref;
    ngx_uint_t                    i;
    ngx_http_longpoll_msg_sh_t   *msg;
    ngx_http_longpoll_zone_sh_t  *sh;
    ngx_http_longpoll_cursor_sh_t  *marks;

    sh = z->sh;
    marks = sh->disk.cursors;

    ngx_http_longpoll_zone_must(sh->clock.visible <= sh->clock.committed
                                && sh->clock.committed <= sh->clock.last_id,
                                "what is visible");
    ngx_http_longpoll_zone_must(sh->disk.durable || sh->clock.visible == sh->clock.committed,
                                "something waits for nothing");

    for (i = 0; i < NGX_HTTP_LONGPOLL_CURSORS; i++) {

        if (!marks[i].on) {
            continue;
        }

        for (ref = sh->list.oldest; ref; ref = msg->newer) {
            msg = ngx_http_longpoll_zone_msg(z, ref);

            if (msg->id > marks[i].id) {
                break;
            }
        }

        ngx_http_longpoll_zone_must(z->ndeletions && marks[i].ref == ref,
                                    "a mark's place");
    }

    if (!marks[NGX_HTTP_LONGPOLL_CURSOR_SAVED].on) {
        ngx_http_longpoll_zone_must(!sh->disk.durable, "durable without a file");
        return NULL;
    }

    ngx_http_longpoll_zone_must(marks[NGX_HTTP_LONGPOLL_CURSOR_NEXT].on
                                && marks[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id
                                   <= marks[NGX_HTTP_LONGPOLL_CURSOR_NEXT].id
                                && marks[NGX_HTTP_LONGPOLL_CURSOR_NEXT].id
                                   <= sh->clock.committed,
                                "saved, given to the writer, committed");
    ngx_http_longpoll_zone_must(!marks[NGX_HTTP_LONGPOLL_CURSOR_COMPACT].on
                                || marks[NGX_HTTP_LONGPOLL_CURSOR_COMPACT].id
                                   <= marks[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id,
                                "a new file has more than the old one");
    ngx_http_longpoll_zone_must(!sh->disk.durable
                                || (marks[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].on
                                    && marks[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].id
                                       <= sh->clock.visible),
                                "shown, visible");
    ngx_http_longpoll_zone_must(sh->disk.deletions_first <= sh->disk.deletions_last
                                && sh->disk.deletions_last - sh->disk.deletions_first <= z->ndeletions,
                                "the ring of what is gone");
    ngx_http_longpoll_zone_must(sh->disk.refused <= sh->clock.committed,
                                "what was refused");
    return NULL;
}


const char *
ngx_http_longpoll_zone_check(ngx_http_longpoll_zone_t *z)
{
    uint32_t                      n, events, claimed, full, active, left;
    const char                   *wrong;
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_cats_sh_t  *cats;

    cats = &z->sh->cats;
    events = claimed = full = active = 0;

    ngx_http_longpoll_zone_validate(z);

    ngx_http_longpoll_zone_must(z->sh->journal.n == 0 && !z->sh->work.busy,
                                "unfinished business");

    wrong = ngx_http_longpoll_zone_check_log(z);

    if (wrong == NULL) {
        wrong = ngx_http_longpoll_zone_check_ages(z);
    }

    if (wrong == NULL) {
        wrong = ngx_http_longpoll_zone_check_clients(z);
    }

    if (wrong == NULL) {
        wrong = ngx_http_longpoll_zone_check_cursors(z);
    }

    for (n = 0; wrong == NULL && n < cats->fresh; n++) {
        cat = &z->cats.slots[n];

        if (cat->hash[0]) {
            wrong = ngx_http_longpoll_zone_check_slot(z, n);

            claimed++;
            events += cat->count;
            full += (cat->count != 0);
            active += (cat->count || cat->waiting);
        }
    }

    if (wrong) {
        return wrong;
    }

    left = cats->fresh - claimed;

    for (n = cats->free; n && left; n = z->cats.slots[n - 1].next) {
        ngx_http_longpoll_zone_must(n <= cats->fresh
                                    && z->cats.slots[n - 1].hash[0] == 0,
                                    "the list of free slots");
        left--;
    }

    ngx_http_longpoll_zone_must(n == 0 && left == 0, "number of free slots");
    ngx_http_longpoll_zone_must(events == z->sh->list.count,
                                "messages of all categories");
    ngx_http_longpoll_zone_must(claimed == cats->claimed && full == cats->full
                                && active == cats->active,
                                "numbers of categories");
    return NULL;
}


#if (NGX_HTTP_LONGPOLL_DEBUG)

static void ngx_http_longpoll_zone_validate_journal(ngx_http_longpoll_zone_t *z);


/*
 * What whoever takes the lock relies on.  In the midst of a step only the
 * journal holds; it is asked again when that is undone.
 */

void
ngx_http_longpoll_zone_validate(ngx_http_longpoll_zone_t *z)
{
    uint64_t                      unit;
    ngx_http_longpoll_log_sh_t   *log;
    ngx_http_longpoll_cats_sh_t  *cats;

    log = z->log.sh;
    cats = &z->sh->cats;
    unit = NGX_HTTP_LONGPOLL_LOG_UNIT;

    /* far more than any hold needs */

    ngx_http_longpoll_assert_left = 1000000 + 8 * z->log.size;

    ngx_http_longpoll_zone_validate_journal(z);

    ngx_http_longpoll_assert(log->size == z->log.size
                            && cats->nslots
                               == (ngx_http_longpoll_cat_sh_t *) z->cats.tombs
                                  - z->cats.slots
                            && cats->nbuckets
                               == (ngx_http_longpoll_tomb_sh_t *)
                                  z->cats.buckets - z->cats.tombs
                            && z->sh->clients.max
                               == ngx_http_longpoll_zone_nclients(z),
                            "sizes that never change");

    if (z->sh->journal.n) {
        return;
    }

    ngx_http_longpoll_assert(log->head % unit == 0 && log->tail % unit == 0
                            && log->head < (uint64_t) 1 << 62
                            && log->tail <= log->head
                            && log->head - log->tail <= log->size,
                            "head and tail");
    ngx_http_longpoll_assert(log->live <= log->head - log->tail
                            && log->credit <= (int64_t) log->size
                            && log->credit >= -(int64_t) log->size * 256,
                            "the log's accounts");
    ngx_http_longpoll_assert(cats->fresh <= cats->nslots
                            && cats->free <= cats->fresh
                            && cats->claimed <= cats->fresh
                            && cats->full <= cats->claimed,
                            "the slots' accounts");
    ngx_http_longpoll_assert(z->sh->clients.fresh <= z->sh->clients.max
                            && z->sh->clients.free <= z->sh->clients.fresh
                            && z->sh->clients.clients <= z->sh->clients.fresh
                            && z->sh->clients.first <= z->sh->clients.fresh
                            && z->sh->clients.last <= z->sh->clients.fresh,
                            "the places' accounts");
    ngx_http_longpoll_assert(z->sh->work.delete_slot <= cats->fresh,
                            "the slot that is deleted from");
    ngx_http_longpoll_assert((z->sh->list.oldest == 0) == (z->sh->list.newest == 0),
                            "the ends of the list by age");
}


/* it undoes only words of the zone */

static void
ngx_http_longpoll_zone_validate_journal(ngx_http_longpoll_zone_t *z)
{
    int64_t                          first, last;
    ngx_uint_t                       i;
    ngx_http_longpoll_journal_sh_t  *j;

    j = &z->sh->journal;

    first = (u_char *) z->sh - (u_char *) j;
    last = z->log.base + z->log.size - (u_char *) j - sizeof(uint64_t);

    ngx_http_longpoll_assert(j->n <= NGX_HTTP_LONGPOLL_JOURNAL_MAX,
                            "the journal's length");

    for (i = 0; i < j->n; i++) {
        ngx_http_longpoll_assert(j->undo[i].offset >= first
                                && j->undo[i].offset <= last
                                && j->undo[i].offset % 8 == 0
                                && (j->undo[i].offset < 0
                                    || j->undo[i].offset
                                       >= (int64_t) sizeof(*j)),
                                "a word in the journal");
    }
}


ngx_http_longpoll_msg_sh_t *
ngx_http_longpoll_zone_msg(ngx_http_longpoll_zone_t *z, uint32_t ref)
{
    uint64_t                     place, n;
    ngx_http_longpoll_msg_sh_t  *msg;

    place = (uint64_t) (ref - 1) * NGX_HTTP_LONGPOLL_LOG_UNIT;

    ngx_http_longpoll_assert_step();
    ngx_http_longpoll_assert(ref && place + sizeof(ngx_http_longpoll_msg_sh_t)
                                   <= z->log.size,
                            "a ref");

    msg = ngx_http_longpoll_zone_at(z, ref);
    n = ngx_http_longpoll_log_bytes(&msg->rec);

    ngx_http_longpoll_assert(place + n <= z->log.size
                            && ngx_http_longpoll_zone_front(msg->rec.bits)
                               + msg->rec.name_len + (uint64_t) msg->data_len
                               <= n,
                            "a message's lengths");
    ngx_http_longpoll_assert(msg->slot < z->sh->cats.nslots,
                            "a message's slot");
    return msg;
}


/* a walk along ids that rise comes to an end */

void
ngx_http_longpoll_zone_validate_order(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg)
{
    ngx_http_longpoll_assert(msg->prev == 0
                            || ngx_http_longpoll_zone_msg(z, msg->prev)->id
                               < msg->id,
                            "the order of a category");
    ngx_http_longpoll_assert(msg->next == 0
                            || ngx_http_longpoll_zone_msg(z, msg->next)->id
                               > msg->id,
                            "the order of a category");
}

#endif
