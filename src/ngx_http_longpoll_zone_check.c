
/*
 * ngx_http_longpoll_zone_check.c: a walk over everything, for tests.
 *
 * The log from tail to head, record by record; the list by age; each category's
 * list and its place in its bucket; the free slots.  All that is counted must
 * come to what the zone says.  Only between calls, when nothing is unfinished.
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
    ngx_http_longpoll_zone_must(events == z->sh->events, "number of messages");

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
           && msg->id <= z->sh->visible;
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

    for (ref = z->sh->oldest; ref; ref = msg->newer) {
        ngx_http_longpoll_zone_must(ngx_http_longpoll_zone_check_ref(z, ref),
                                    "a ref in the list by age");
        msg = ngx_http_longpoll_zone_msg(z, ref);

        ngx_http_longpoll_zone_must(msg->older == older && msg->id > id
                                    && n < z->sh->events,
                                    "the list by age");
        id = msg->id;
        older = ref;
        n++;
    }

    ngx_http_longpoll_zone_must(z->sh->newest == older && n == z->sh->events,
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


const char *
ngx_http_longpoll_zone_check(ngx_http_longpoll_zone_t *z)
{
    uint32_t                      n, events, claimed, full, active, left;
    const char                   *wrong;
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_cats_sh_t  *cats;

    cats = &z->sh->cats;
    events = claimed = full = active = 0;

    ngx_http_longpoll_zone_must(z->sh->journal.n == 0 && !z->sh->busy,
                                "unfinished business");

    wrong = ngx_http_longpoll_zone_check_log(z);

    if (wrong == NULL) {
        wrong = ngx_http_longpoll_zone_check_ages(z);
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
    ngx_http_longpoll_zone_must(events == z->sh->events,
                                "messages of all categories");
    ngx_http_longpoll_zone_must(claimed == cats->claimed && full == cats->full
                                && active == cats->active,
                                "numbers of categories");
    return NULL;
}
