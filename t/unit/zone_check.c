
/*
 * zone_check.c: a walk over all of a zone, for tests.
 *
 * It walks the log from tail to head, record by record; the list of all
 * messages; each category's list and its bucket; the free slots; gpoll's
 * clients; who is present; and the cursors of the file.  All that it counts
 * must be what the zone has counted.  It may be called only between calls of
 * the store, when no step is unfinished.
 *
 * It trusts nothing: a ref must lie in the log and name a live message before
 * it is followed, and no list may be longer than its count.
 */


#include "zone_check.h"

#include <ngx_http_longpoll_zone_msg.h>


#define check_must(condition, text)                                           \
    if (!(condition)) {                                                       \
        return text;                                                          \
    }


static const char *check_log(ngx_http_longpoll_zone_t *z);
static ngx_uint_t check_ref(ngx_http_longpoll_zone_t *z, uint32_t ref);
static const char *check_ages(ngx_http_longpoll_zone_t *z);
static const char *check_slot(ngx_http_longpoll_zone_t *z, uint32_t slot);
static const char *check_clients(ngx_http_longpoll_zone_t *z);
static const char *check_presence(ngx_http_longpoll_zone_t *z);
static const char *check_queue(ngx_http_longpoll_zone_t *z, ngx_uint_t i,
    uint32_t *left);
static const char *check_cursors(ngx_http_longpoll_zone_t *z);
static const char *check_unsaved(ngx_http_longpoll_zone_t *z);
static const char *check_feed(ngx_http_longpoll_zone_t *z);


static const char *
check_log(ngx_http_longpoll_zone_t *z)
{
    uint64_t                      pos, end, n, live, events;
    ngx_http_longpoll_log_sh_t   *log;
    ngx_http_longpoll_rec_sh_t   *rec;
    ngx_http_longpoll_msg_sh_t   *msg;

    log = z->log.sh;
    live = 0;
    events = 0;

    check_must(log->tail <= log->head && log->head <= log->tail + log->size,
               "head and tail");

    for (pos = log->tail; pos < log->head; pos += n) {
        rec = (ngx_http_longpoll_rec_sh_t *) (z->log.base + pos % log->size);
        n = ngx_http_longpoll_log_bytes(rec);
        end = log->size - pos % log->size;

        check_must(n && n <= end && pos + n <= log->head, "a record's size");

        if (rec->state != NGX_HTTP_LONGPOLL_LOG_LIVE) {
            continue;
        }

        msg = (ngx_http_longpoll_msg_sh_t *) rec;

        check_must(n >= sizeof(ngx_http_longpoll_msg_sh_t), "a message's size");
        check_must(msg->slot < z->sh->cats.fresh
                   && z->cats.slots[msg->slot].hash[0],
                   "a live message's slot");
        check_must(ngx_http_longpoll_zone_front(rec->bits) + rec->name_len
                   + (uint64_t) msg->data_len <= n,
                   "a message's lengths");
        live += n;
        events++;
    }

    check_must(live == log->live, "bytes of live messages");
    check_must(events == z->sh->list.count, "number of messages");

    return NULL;
}


static ngx_uint_t
check_ref(ngx_http_longpoll_zone_t *z, uint32_t ref)
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
check_ages(ngx_http_longpoll_zone_t *z)
{
    uint32_t                     ref, older;
    uint64_t                     id, n;
    ngx_http_longpoll_msg_sh_t  *msg;

    id = 0;
    n = 0;
    older = 0;

    for (ref = z->sh->list.oldest; ref; ref = msg->newer) {
        check_must(check_ref(z, ref), "a ref in the list by age");
        msg = ngx_http_longpoll_zone_msg(z, ref);

        check_must(msg->older == older && msg->id > id && n < z->sh->list.count,
                   "the list by age");
        id = msg->id;
        older = ref;
        n++;
    }

    check_must(z->sh->list.newest == older && n == z->sh->list.count,
               "the end of the list by age");
    return NULL;
}


static const char *
check_slot(ngx_http_longpoll_zone_t *z, uint32_t slot)
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
        check_must(check_ref(z, ref), "a ref in a category");
        msg = ngx_http_longpoll_zone_msg(z, ref);

        check_must(msg->prev == prev && msg->id > id
                   && msg->slot == slot && n < cat->count,
                   "a category's list");
        id = msg->id;
        prev = ref;
        n++;
    }

    check_must(cat->last == prev && n == cat->count,
               "the end of a category's list");
    check_must(ngx_http_longpoll_cat_find(&z->cats, cat->hash) == slot,
               "a slot that is not in its bucket");
    return NULL;
}


static const char *
check_clients(ngx_http_longpoll_zone_t *z)
{
    uint32_t                        n, prev, clients, idle, left;
    uint64_t                        used;
    ngx_http_longpoll_client_sh_t   *entry;
    ngx_http_longpoll_clients_sh_t  *sh;

    sh = &z->sh->clients;
    clients = idle = 0;

    check_must(sh->fresh <= sh->max, "fresh entries of clients");

    for (n = 0; n < sh->fresh; n++) {
        entry = &z->clients.entries[n];

        if (entry->uuid[0]) {
            clients++;
            idle += (entry->waiting == 0);

            check_must(entry->seen <= z->sh->clock.visible,
                       "a client ahead of the newest message");
        }
    }

    check_must(clients == sh->clients, "number of clients");

    used = 0;
    prev = 0;
    left = idle;

    for (n = sh->first; n && left; n = entry->next) {
        check_must(n <= sh->fresh, "a client in the idle list");
        entry = &z->clients.entries[n - 1];

        check_must(entry->uuid[0] && entry->waiting == 0
                   && entry->prev == prev && entry->used >= used,
                   "the idle list");
        used = entry->used;
        prev = n;
        left--;
    }

    check_must(n == 0 && left == 0 && sh->last == prev,
               "length of the idle list");

    left = sh->fresh - clients;

    for (n = sh->free; n && left; n = z->clients.entries[n - 1].next) {
        check_must(n <= sh->fresh && z->clients.entries[n - 1].uuid[0] == 0,
                   "the free list of clients");
        left--;
    }

    check_must(n == 0 && left == 0, "length of the free list of clients");

    return NULL;
}


static const char *
check_presence(ngx_http_longpoll_zone_t *z)
{
    uint32_t                            n, entries, parts, queued, left;
    const char                         *wrong;
    ngx_uint_t                          i;
    ngx_http_longpoll_presences_sh_t   *sh;
    ngx_http_longpoll_presence_unit_t  *unit;

    sh = z->present.sh;
    entries = parts = queued = 0;

    check_must(sh->fresh <= sh->nunits, "fresh units");

    for (n = 0; n < sh->fresh; n++) {
        unit = &z->present.units[n];

        if (unit->state == NGX_HTTP_LONGPOLL_PRESENCE_NONE) {
            continue;
        }

        check_must(ngx_http_longpoll_presence_find(&z->present,
                                                   unit->u.entry.hash)
                   == unit, "an entry that is not in its bucket");

        entries++;
        parts += (unit->u.entry.len + NGX_HTTP_LONGPOLL_PRESENCE_PART - 1)
                 / NGX_HTTP_LONGPOLL_PRESENCE_PART;
        queued += unit->state != NGX_HTTP_LONGPOLL_PRESENCE_PRESENT
                  || ngx_http_longpoll_presence_is_idle(unit);
    }

    check_must(entries + parts + sh->nfree == sh->fresh, "number of units");

    for (i = 0; i < NGX_HTTP_LONGPOLL_PRESENCE_QUEUES; i++) {
        wrong = check_queue(z, i, &queued);

        if (wrong) {
            return wrong;
        }
    }

    check_must(queued == 0, "length of the queues of entries");

    left = sh->nfree;

    for (n = sh->free; n && left; n = z->present.units[n - 1].next) {
        check_must(n <= sh->fresh && z->present.units[n - 1].state
                                     == NGX_HTTP_LONGPOLL_PRESENCE_NONE,
                   "the free list of units");
        left--;
    }

    check_must(n == 0 && left == 0, "length of the free list of units");
    check_must(z->sh->presence.flying == NGX_HTTP_LONGPOLL_FLYING_RESET
               || z->sh->presence.flying <= entries, "what is on its way");

    return NULL;
}


/* *left becomes less by the length of the queue */

static const char *
check_queue(ngx_http_longpoll_zone_t *z, ngx_uint_t i, uint32_t *left)
{
    uint32_t                                n, prev;
    uint64_t                                last;
    ngx_uint_t                              grace;
    ngx_http_longpoll_presence_unit_t      *unit;
    ngx_http_longpoll_presence_queue_sh_t  *queue;

    queue = &z->present.sh->queues[i];
    prev = 0;
    last = 0;

    for (n = queue->oldest; n && *left; n = unit->u.entry.newer) {
        check_must(n <= z->present.sh->fresh, "an entry in a queue");
        unit = &z->present.units[n - 1];
        grace = (unit->state == NGX_HTTP_LONGPOLL_PRESENCE_PRESENT);

        check_must(unit->state != NGX_HTTP_LONGPOLL_PRESENCE_NONE
                   && i == grace && unit->u.entry.older == prev,
                   "a queue of entries");
        check_must(!grace || (unit->u.entry.left >= last
                              && ngx_http_longpoll_presence_is_idle(unit)),
                   "who is in grace");
        last = unit->u.entry.left;
        prev = n;
        (*left)--;
    }

    check_must(n == 0 && queue->newest == prev,
               "the end of a queue of entries");

    return NULL;
}


/*
 * Each cursor is at the first message behind its id, and none passes
 * another.
 */

static const char *
check_cursors(ngx_http_longpoll_zone_t *z)
{
    uint32_t                        ref;
    ngx_uint_t                      i;
    ngx_http_longpoll_msg_sh_t     *msg;
    ngx_http_longpoll_disk_sh_t    *disk;
    ngx_http_longpoll_clock_sh_t   *clock;
    ngx_http_longpoll_cursor_sh_t  *saved, *next, *base, *exposed, *cursor;

    disk = &z->sh->disk;
    clock = &z->sh->clock;

    saved = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];
    next = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT];
    base = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE];
    exposed = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];

    check_must(clock->visible <= clock->committed
               && clock->committed <= clock->last_id,
               "visible, committed, issued");
    check_must(disk->durable || clock->visible == clock->committed,
               "a message waits for a file that there is not");

    for (i = 0; i < NGX_HTTP_LONGPOLL_CURSORS; i++) {

        cursor = &disk->cursors[i];

        if (!cursor->on) {
            continue;
        }

        for (ref = z->sh->list.oldest; ref; ref = msg->newer) {
            msg = ngx_http_longpoll_zone_msg(z, ref);

            if (msg->id > cursor->id) {
                break;
            }
        }

        check_must(z->nnotes && cursor->ref == ref, "a cursor's message");
    }

    if (!saved->on) {
        check_must(!disk->durable, "durable without a file");
        return NULL;
    }

    check_must(next->on && saved->id <= next->id
               && next->id <= clock->committed,
               "saved, given to the writer, committed");
    check_must(next->id <= disk->taken_upto,
               "the highest id that a writer took");
    check_must(!base->on || base->id <= disk->base_upto,
               "a base has more than it should");
    check_must(!disk->durable || (exposed->on && exposed->id <= clock->visible),
               "exposed, visible");
    check_must(disk->notes_first <= disk->notes_last
               && disk->notes_last - disk->notes_first <= z->nnotes,
               "the ring of notes");
    check_must(disk->refused <= clock->committed, "refused, committed");

    return NULL;
}


/* what waits for the disk is counted; without durable nothing does */

static const char *
check_unsaved(ngx_http_longpoll_zone_t *z)
{
    uint32_t                         n, ref, count, first;
    uint64_t                         bytes, cats, exposed;
    ngx_http_longpoll_msg_sh_t      *msg;
    ngx_http_longpoll_unsaved_sh_t  *unsaved;

    exposed = z->sh->disk.durable
              ? z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED].id
              : (uint64_t) -1;
    bytes = cats = 0;

    for (n = 0; z->nnotes && n < z->sh->cats.nslots; n++) {
        count = first = 0;

        ref = n < z->sh->cats.fresh && z->cats.slots[n].hash[0]
              ? z->cats.slots[n].first : 0;

        for ( /* void */ ; ref; ref = msg->next) {
            msg = ngx_http_longpoll_zone_msg(z, ref);

            if (msg->id > exposed) {
                first = first ? first : ref;
                bytes += ngx_http_longpoll_log_bytes(&msg->rec);
                count++;
            }
        }

        unsaved = &z->unsaved[n];
        cats += (count != 0);

        check_must(unsaved->count == count
                   && (count == 0 || unsaved->first == first),
                   "what waits for the disk in a category");
    }

    check_must(bytes == z->sh->disk.unsaved_bytes
               && cats == z->sh->disk.unsaved_cats,
               "what waits for the disk");

    return NULL;
}


/* each message of a copy is of an epoch that it knows */

static const char *
check_feed(ngx_http_longpoll_zone_t *z)
{
    uint32_t                      ref;
    ngx_uint_t                    n;
    ngx_http_longpoll_msg_sh_t   *msg;
    ngx_http_longpoll_feed_sh_t  *feed;

    feed = &z->sh->feed;

    for (ref = z->sh->list.oldest; ref; ref = msg->newer) {
        msg = ngx_http_longpoll_zone_msg(z, ref);
        n = ngx_http_longpoll_msg_epoch(msg);

        check_must(n < NGX_HTTP_LONGPOLL_EPOCHS && z->sh->epochs[n],
                   "a message without an epoch");

        check_must(feed->begins[n] <= msg->id, "a message of a later epoch");
    }

    return NULL;
}


const char *
zone_check(ngx_http_longpoll_zone_t *z)
{
    uint32_t                      n, events, claimed, full, active, left;
    const char                   *wrong;
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_cats_sh_t  *cats;

    cats = &z->sh->cats;
    events = claimed = full = active = 0;

    ngx_http_longpoll_zone_validate(z);

    check_must(z->sh->journal.n == 0 && !z->sh->work.busy,
               "an unfinished step");

    wrong = check_log(z);

    if (wrong == NULL) {
        wrong = check_ages(z);
    }

    if (wrong == NULL) {
        wrong = check_clients(z);
    }

    if (wrong == NULL) {
        wrong = check_presence(z);
    }

    if (wrong == NULL) {
        wrong = check_cursors(z);
    }

    if (wrong == NULL) {
        wrong = check_unsaved(z);
    }

    if (wrong == NULL && z->sh->feed.on) {
        wrong = check_feed(z);
    }

    for (n = 0; wrong == NULL && n < cats->fresh; n++) {
        cat = &z->cats.slots[n];

        if (cat->hash[0]) {
            wrong = check_slot(z, n);

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
        check_must(n <= cats->fresh && z->cats.slots[n - 1].hash[0] == 0,
                   "the list of free slots");
        left--;
    }

    check_must(n == 0 && left == 0, "number of free slots");
    check_must(events == z->sh->list.count, "messages of all categories");
    check_must(claimed == cats->claimed && full == cats->full
               && active == cats->active,
               "numbers of categories");
    return NULL;
}
