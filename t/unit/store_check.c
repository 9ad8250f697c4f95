
/*
 * store_check.c: everything in the zone is where it should be.
 */


#include "store_model.h"


void
model_check_log(void)
{
    uint64_t                     pos, n, live, events;
    ngx_http_longpoll_log_sh_t  *log;
    ngx_http_longpoll_rec_sh_t  *rec;

    log = m.zone.log.sh;
    live = 0;
    events = 0;

    unit_must(log->tail <= log->head && log->head - log->tail <= log->size,
              "log: head and tail");

    for (pos = log->tail; pos != log->head; pos += n) {
        rec = (void *) (m.zone.log.base + pos % log->size);
        n = ngx_http_longpoll_log_bytes(rec);

        unit_must(n && pos + n <= log->head
                  && pos % log->size + n <= log->size, "log: a record");

        if (rec->state == NGX_HTTP_LONGPOLL_LOG_LIVE) {
            live += n;
            events++;
        }
    }

    if (log->tail < log->turned) {
        pos = log->turned % log->size;
        rec = (void *) (m.zone.log.base + pos);

        unit_must(log->turned < log->head
                  && rec->state == NGX_HTTP_LONGPOLL_LOG_PAD
                  && pos + ngx_http_longpoll_log_bytes(rec) == log->size,
                  "log: where it turned");
    }

    unit_must(live == log->live, "log: live is %lu, not %lu",
              (unsigned long) log->live, (unsigned long) live);
    unit_must(events == m.sh->list.count, "log: %lu messages, not %lu",
              (unsigned long) m.sh->list.count, (unsigned long) events);
}


static ngx_uint_t
model_check_ref(uint32_t ref)
{
    uint64_t                     pos;
    ngx_http_longpoll_log_sh_t  *log;

    log = m.zone.log.sh;

    if (ref == 0 || ref > log->size / NGX_HTTP_LONGPOLL_LOG_UNIT) {
        return 0;
    }

    pos = ngx_http_longpoll_log_pos(&m.zone.log, ref);

    return pos < log->head && model_msg(ref)->id <= m.sh->clock.visible
           && model_msg(ref)->rec.state == NGX_HTTP_LONGPOLL_LOG_LIVE;
}


static void
model_check_cat(uint32_t slot)
{
    uint32_t                     ref, prev;
    uint64_t                     id, n;
    ngx_http_longpoll_cat_sh_t  *cat;
    ngx_http_longpoll_msg_sh_t  *msg;

    cat = &m.zone.cats.slots[slot];
    id = 0;
    n = 0;
    prev = 0;

    for (ref = cat->first; ref; ref = msg->next) {
        unit_must(model_check_ref(ref) && n++ < cat->count, "cat: a ref");
        msg = model_msg(ref);
        unit_must(msg->id > id && msg->prev == prev && msg->slot == slot,
                  "cat: its list");
        id = msg->id;
        prev = ref;
    }

    unit_must(n == cat->count && cat->last == prev, "cat: its end");
}


static void
model_check_slots(void)
{
    uint32_t                      n, i, full, active, claimed, chained, left;
    uint64_t                      waiting;
    model_cat_t                  *c;
    model_interest_t             *in;
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_cats_sh_t  *sh;

    sh = m.zone.cats.sh;
    full = active = claimed = chained = 0;

    unit_must(sh->fresh <= sh->nslots, "slots: fresh");

    for (n = 0; n < sh->fresh; n++) {
        cat = &m.zone.cats.slots[n];

        if (cat->hash[0] == 0) {
            continue;
        }

        model_check_cat(n);

        claimed++;
        full += (cat->count != 0);
        active += (cat->count || cat->waiting);

        c = &m.cats[model_find_cat(cat->hash)];
        waiting = 0;

        for (i = 0; i < MODEL_WORKERS; i++) {
            in = &c->interest[i];

            if (in->bit) {
                waiting |= model_bit(i);

                unit_must((cat->waiting & model_bit(i)) || m.waking[i]
                          || model_ending(i, c - m.cats)
                          || m.sh->workers[m.workers[i]].wake_all,
                          "slots: an interest of worker %lu is lost",
                          (unsigned long) i);
            }
        }

        unit_must((cat->waiting & ~waiting) == 0,
                  "slots: a worker waits that does not");
    }

    unit_must(claimed == sh->claimed, "slots: claimed is %u, not %u",
              sh->claimed, claimed);
    unit_must(full == sh->full, "slots: full is %u, not %u", sh->full, full);
    unit_must(active == sh->active, "slots: active is %u, not %u", sh->active,
              active);

    for (i = 0; i < sh->nbuckets; i++) {

        for (n = m.zone.cats.buckets[i]; n; n = cat->next) {
            unit_must(n <= sh->fresh && chained++ < claimed,
                      "slots: a bucket");
            cat = &m.zone.cats.slots[n - 1];
            unit_must(cat->hash[0] && (cat->hash[1] & (sh->nbuckets - 1)) == i,
                      "slots: a slot is in another's bucket");
        }
    }

    unit_must(chained == claimed, "slots: %u of %u in buckets", chained,
              claimed);

    left = sh->fresh - claimed;

    for (n = sh->free; n; n = m.zone.cats.slots[n - 1].next) {
        unit_must(n <= sh->fresh && m.zone.cats.slots[n - 1].hash[0] == 0
                  && left--, "slots: the free ones");
    }

    unit_must(left == 0, "slots: %u have leaked", left);
}


static void
model_check_workers(void)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_worker_sh_t  *w;

    for (i = 0; i < MODEL_WORKERS; i++) {
        w = &m.sh->workers[m.workers[i]];

        unit_must(w->slotless == m.slotless[i],
                  "worker: slotless is %lu, not %lu",
                  (unsigned long) w->slotless, (unsigned long) m.slotless[i]);
        unit_must((m.sh->slotless & model_bit(i))
                  == (m.slotless[i] ? model_bit(i) : 0)
                  || (m.begun && m.begun->kind == MODEL_REAP
                      && m.begun->worker == i),
                  "worker: the bit of slotless interest");
    }
}


/* whether the worker will learn of what was published, or has no need to */

ngx_uint_t
model_woken(ngx_uint_t w, uint32_t n, uint64_t count)
{
    uint32_t      slot;
    ngx_uint_t    number;
    model_cat_t  *c;

    c = &m.cats[n];
    number = m.workers[w];

    if (m.sh->workers[number].wake_all || m.waking[w] || model_ending(w, n)) {
        return 1;
    }

    slot = ngx_http_longpoll_cat_find(&m.zone.cats, c->cat.hash);

    if (!c->interest[w].bit && count == 0) {

        /*
         * Interest without a slot, dropped since: the time-out will say
         * missed.
         */

        return 1;
    }

    if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
        return 0;
    }

    return (m.zone.dirty[number * m.zone.words + slot / 64] >> slot % 64 & 1)
           && (m.zone.summary[number * m.zone.sums + slot / 4096]
               >> slot / 64 % 64 & 1);
}


void
model_check(void)
{
    uint32_t      n, slot;
    ngx_uint_t    i;
    const char   *wrong;
    model_cat_t  *c;

    wrong = zone_check(&m.zone);
    unit_must(wrong == NULL, "zone_check: %s", wrong);

    model_check_log();
    model_check_slots();
    model_check_workers();
    model_check_clients();

    for (n = 0; n < m.ncats; n++) {
        c = &m.cats[n];

        for (i = 0; i < MODEL_WORKERS; i++) {
            unit_must(!c->interest[i].pending || model_woken(i, n, c->count),
                      "worker %lu will not learn of c%u",
                      (unsigned long) i, n);
        }

        if (m.exact) {
            slot = ngx_http_longpoll_cat_find(&m.zone.cats, c->cat.hash);

            unit_must(slot == NGX_HTTP_LONGPOLL_CAT_NONE
                      ? c->dropped == 0
                      : m.zone.cats.slots[slot].dropped == c->dropped,
                      "c%u: what it lost is not what the zone says", n);
        }
    }
}
