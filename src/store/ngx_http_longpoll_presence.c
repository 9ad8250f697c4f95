
/*
 * ngx_http_longpoll_presence.c: the categories that somebody waits for.
 *
 * Units come from the free list.  If that is too short for a new entry and its
 * name, reserve() adds units that were never used, each in a step of its own.
 * So memory that is not needed yet is not touched, and all units of an entry
 * come from one list.
 *
 * Nobody reads a unit before it is an entry, or the part of one; so its words
 * are written with put, not set.  Only state matters before that: it says
 * whether a unit is an entry to a caller that walks over all units.
 */


#include "ngx_http_longpoll_presence.h"
#include "ngx_http_longpoll_hash.h"


#define ngx_http_longpoll_presence_bucket(table, hash)                        \
    (&(table)->buckets[(hash)[1] & ((table)->sh->nbuckets - 1)])

#define ngx_http_longpoll_presence_parts(len)                                 \
    (((len) + NGX_HTTP_LONGPOLL_PRESENCE_PART - 1)                            \
     / NGX_HTTP_LONGPOLL_PRESENCE_PART)


static ngx_inline void ngx_http_longpoll_presence_left(
    ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_presence_unit_t *unit, uint64_t now);
static ngx_int_t ngx_http_longpoll_presence_create(
    ngx_http_longpoll_presences_t *table, ngx_http_longpoll_cat_t *cat,
    ngx_http_longpoll_presence_e state, uint64_t workers, uint64_t old,
    uint64_t left);
static ngx_int_t ngx_http_longpoll_presence_reserve(
    ngx_http_longpoll_presences_t *table, ngx_uint_t n);
static void ngx_http_longpoll_presence_free(
    ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_presence_unit_t *unit);
static ngx_inline void ngx_http_longpoll_presence_append(
    ngx_http_longpoll_presences_t *table, ngx_uint_t which,
    ngx_http_longpoll_presence_unit_t *unit, uint64_t left);
static void ngx_http_longpoll_presence_requeue(
    ngx_http_longpoll_presences_t *table, ngx_uint_t which,
    ngx_http_longpoll_presence_unit_t *unit, uint64_t left);
static ngx_inline void ngx_http_longpoll_presence_remove(
    ngx_http_longpoll_presences_t *table, ngx_uint_t which,
    ngx_http_longpoll_presence_unit_t *unit);


ngx_http_longpoll_presence_unit_t *
ngx_http_longpoll_presence_find(ngx_http_longpoll_presences_t *table,
    const uint64_t hash[2])
{
    uint32_t                            n;
    ngx_http_longpoll_presence_unit_t  *unit;

    for (n = *ngx_http_longpoll_presence_bucket(table, hash);
         n;
         n = unit->next)
    {
        ngx_http_longpoll_presence_assert(table, n);
        unit = ngx_http_longpoll_presence_at(table, n);

        if (unit->u.entry.hash[0] == hash[0]
            && unit->u.entry.hash[1] == hash[1])
        {
            return unit;
        }
    }

    return NULL;
}


ngx_http_longpoll_presence_unit_t *
ngx_http_longpoll_presence_next(ngx_http_longpoll_presences_t *table,
    uint64_t from)
{
    uint32_t                            n;
    uint64_t                            place, lowest;
    ngx_http_longpoll_presence_unit_t  *unit, *next;

    next = NULL;
    lowest = 0;

    n = table->buckets[ngx_http_longpoll_hash_bucket(from,
                                                     table->sh->nbuckets)];

    for ( /* void */ ; n; n = unit->next) {
        ngx_http_longpoll_presence_assert(table, n);
        unit = ngx_http_longpoll_presence_at(table, n);

        place = ngx_http_longpoll_hash_place(unit->u.entry.hash[1]);

        if (place >= from && (next == NULL || place < lowest)) {
            next = unit;
            lowest = place;
        }
    }

    return next;
}


ngx_int_t
ngx_http_longpoll_presence_come(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_cat_t *cat, uint64_t workers, uint64_t now)
{
    ngx_http_longpoll_journal_sh_t     *j;
    ngx_http_longpoll_presence_unit_t  *unit;

    j = table->journal;
    unit = ngx_http_longpoll_presence_find(table, cat->hash);

    if (unit == NULL) {
        return ngx_http_longpoll_presence_create(table, cat,
                                         NGX_HTTP_LONGPOLL_PRESENCE_ARRIVED,
                                         workers, 0, now);
    }

    if (unit->state == NGX_HTTP_LONGPOLL_PRESENCE_LEAVING) {
        ngx_http_longpoll_put(unit->state,
                              NGX_HTTP_LONGPOLL_PRESENCE_RETURNED);
    }

    workers |= unit->u.entry.workers;

    if (ngx_http_longpoll_presence_in_grace(unit)) {
        ngx_http_longpoll_presence_remove(table,
                                 NGX_HTTP_LONGPOLL_PRESENCE_GRACE, unit);

        if (workers == 0) {
            ngx_http_longpoll_set(j, unit->u.entry.left, now);
            ngx_http_longpoll_presence_requeue(table,
                                   NGX_HTTP_LONGPOLL_PRESENCE_GRACE, unit, now);
        }

    } else if (workers == unit->u.entry.workers) {
        return NGX_OK;
    }

    ngx_http_longpoll_set(j, unit->u.entry.workers, workers);
    ngx_http_longpoll_done(j);

    return NGX_OK;
}


void
ngx_http_longpoll_presence_leave(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_presence_unit_t *unit, uint64_t workers, uint64_t now)
{
    ngx_http_longpoll_journal_sh_t  *j;

    j = table->journal;

    if (unit == NULL || (unit->u.entry.workers & workers) == 0) {
        return;
    }

    ngx_http_longpoll_set(j, unit->u.entry.workers,
                          unit->u.entry.workers & ~workers);
    ngx_http_longpoll_presence_left(table, unit, now);
}


void
ngx_http_longpoll_presence_leave_old(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_presence_unit_t *unit, uint64_t now)
{
    ngx_http_longpoll_journal_sh_t  *j;

    j = table->journal;

    if (unit->u.entry.old) {
        ngx_http_longpoll_set(j, unit->u.entry.old, 0);
        ngx_http_longpoll_presence_left(table, unit, now);
    }
}


/* ends the caller's step: if nobody waits any more, grace begins */

static ngx_inline void
ngx_http_longpoll_presence_left(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_presence_unit_t *unit, uint64_t now)
{
    if (ngx_http_longpoll_presence_in_grace(unit)) {
        ngx_http_longpoll_presence_append(table,
                                   NGX_HTTP_LONGPOLL_PRESENCE_GRACE, unit, now);
    }

    ngx_http_longpoll_done(table->journal);
}


ngx_uint_t
ngx_http_longpoll_presence_expire(ngx_http_longpoll_presences_t *table,
    uint64_t upto)
{
    uint32_t                            n;
    ngx_http_longpoll_journal_sh_t     *j;
    ngx_http_longpoll_presence_unit_t  *unit;

    j = table->journal;
    n = table->sh->queues[NGX_HTTP_LONGPOLL_PRESENCE_GRACE].oldest;

    if (n == 0) {
        return 0;
    }

    ngx_http_longpoll_presence_assert(table, n);
    unit = ngx_http_longpoll_presence_at(table, n);

    if (unit->u.entry.left > upto) {
        return 0;
    }

    ngx_http_longpoll_presence_remove(table, NGX_HTTP_LONGPOLL_PRESENCE_GRACE,
                                      unit);
    ngx_http_longpoll_set(j, unit->state, NGX_HTTP_LONGPOLL_PRESENCE_LEAVING);
    ngx_http_longpoll_presence_requeue(table, NGX_HTTP_LONGPOLL_PRESENCE_DUE,
                                       unit, 0);
    ngx_http_longpoll_done(j);

    return 1;
}


void
ngx_http_longpoll_presence_reported(ngx_http_longpoll_presences_t *table,
    uint64_t now)
{
    uint32_t                            n;
    ngx_http_longpoll_journal_sh_t     *j;
    ngx_http_longpoll_presence_unit_t  *unit;

    j = table->journal;
    n = table->sh->queues[NGX_HTTP_LONGPOLL_PRESENCE_DUE].oldest;

    ngx_http_longpoll_presence_assert(table, n);
    unit = ngx_http_longpoll_presence_at(table, n);

    ngx_http_longpoll_presence_remove(table, NGX_HTTP_LONGPOLL_PRESENCE_DUE,
                                      unit);

    switch (unit->state) {

    case NGX_HTTP_LONGPOLL_PRESENCE_ARRIVED:
        ngx_http_longpoll_set(j, unit->state,
                              NGX_HTTP_LONGPOLL_PRESENCE_PRESENT);

        if (ngx_http_longpoll_presence_is_idle(unit)) {
            ngx_http_longpoll_presence_requeue(table,
                                   NGX_HTTP_LONGPOLL_PRESENCE_GRACE, unit, now);
        }

        break;

    case NGX_HTTP_LONGPOLL_PRESENCE_RETURNED:
        ngx_http_longpoll_set(j, unit->state,
                              NGX_HTTP_LONGPOLL_PRESENCE_ARRIVED);
        ngx_http_longpoll_presence_requeue(table,
                                   NGX_HTTP_LONGPOLL_PRESENCE_DUE, unit, 0);
        break;

    default: /* LEAVING */
        ngx_http_longpoll_presence_free(table, unit);
    }
}


void
ngx_http_longpoll_presence_reset(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_presence_unit_t *unit)
{
    ngx_http_longpoll_journal_sh_t  *j;

    j = table->journal;

    switch (unit->state) {

    case NGX_HTTP_LONGPOLL_PRESENCE_PRESENT:

        if (ngx_http_longpoll_presence_is_idle(unit)) {
            ngx_http_longpoll_presence_remove(table,
                                      NGX_HTTP_LONGPOLL_PRESENCE_GRACE, unit);
        }

        ngx_http_longpoll_set(j, unit->state,
                              NGX_HTTP_LONGPOLL_PRESENCE_ARRIVED);
        ngx_http_longpoll_presence_requeue(table,
                                   NGX_HTTP_LONGPOLL_PRESENCE_DUE, unit, 0);
        break;

    case NGX_HTTP_LONGPOLL_PRESENCE_RETURNED:
        ngx_http_longpoll_put(unit->state, NGX_HTTP_LONGPOLL_PRESENCE_ARRIVED);
        return;

    case NGX_HTTP_LONGPOLL_PRESENCE_LEAVING:
        ngx_http_longpoll_presence_remove(table, NGX_HTTP_LONGPOLL_PRESENCE_DUE,
                                          unit);
        ngx_http_longpoll_presence_free(table, unit);
        break;

    default: /* ARRIVED, or no entry */
        return;
    }

    ngx_http_longpoll_done(j);
}


ngx_int_t
ngx_http_longpoll_presence_copy(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_presence_unit_t *from)
{
    return ngx_http_longpoll_presence_create(table, cat, from->state, 0,
                                     !ngx_http_longpoll_presence_is_idle(from),
                                     from->u.entry.left);
}


u_char *
ngx_http_longpoll_presence_name(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_presence_unit_t *unit, u_char *p)
{
    size_t                              n, left;
    uint32_t                            number;
    ngx_http_longpoll_presence_unit_t  *part;

    number = unit->u.entry.name;

    for (left = unit->u.entry.len; left; left -= n) {
        ngx_http_longpoll_presence_assert(table, number);
        part = ngx_http_longpoll_presence_at(table, number);

        n = ngx_min(left, NGX_HTTP_LONGPOLL_PRESENCE_PART);
        p = ngx_cpymem(p, part->u.part, n);
        number = part->next;
    }

    return p;
}


/* NGX_OK, NGX_DECLINED: there is no room */

static ngx_int_t
ngx_http_longpoll_presence_create(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_presence_e state,
    uint64_t workers, uint64_t old, uint64_t left)
{
    size_t                              n, rest;
    u_char                             *p;
    uint32_t                            number, *bucket;
    ngx_uint_t                          units;
    ngx_http_longpoll_journal_sh_t     *j;
    ngx_http_longpoll_presences_sh_t   *sh;
    ngx_http_longpoll_presence_unit_t  *unit, *part;

    sh = table->sh;
    j = table->journal;
    units = 1 + ngx_http_longpoll_presence_parts(cat->name.len);

    if (ngx_http_longpoll_presence_reserve(table, units) != NGX_OK) {
        return NGX_DECLINED;
    }

    number = (uint32_t) sh->free;
    ngx_http_longpoll_presence_assert(table, number);
    unit = ngx_http_longpoll_presence_at(table, number);
    part = unit;
    p = cat->name.data;

    /* the parts are the units behind it in the free list */

    for (rest = cat->name.len; rest; rest -= n) {
        ngx_http_longpoll_presence_assert(table, part->next);
        part = ngx_http_longpoll_presence_at(table, part->next);

        ngx_http_longpoll_step();

        n = ngx_min(rest, NGX_HTTP_LONGPOLL_PRESENCE_PART);
        ngx_memcpy(part->u.part, p, n);
        p += n;
    }

    ngx_http_longpoll_put(unit->u.entry.hash[0], cat->hash[0]);
    ngx_http_longpoll_put(unit->u.entry.hash[1], cat->hash[1]);
    ngx_http_longpoll_put(unit->u.entry.workers, workers);
    ngx_http_longpoll_put(unit->u.entry.old, old);
    ngx_http_longpoll_put(unit->u.entry.name, unit->next);
    ngx_http_longpoll_put(unit->u.entry.len, (uint32_t) cat->name.len);

    bucket = ngx_http_longpoll_presence_bucket(table, cat->hash);

    ngx_http_longpoll_set(j, sh->free, part->next);
    ngx_http_longpoll_set(j, sh->nfree, sh->nfree - units);
    ngx_http_longpoll_set(j, unit->next, *bucket);
    ngx_http_longpoll_set(j, *bucket, number);
    ngx_http_longpoll_put(unit->state, state);  /* one word with next */

    if (ngx_http_longpoll_presence_in_grace(unit)) {
        ngx_http_longpoll_presence_append(table,
                                  NGX_HTTP_LONGPOLL_PRESENCE_GRACE, unit, left);

    } else if (state != NGX_HTTP_LONGPOLL_PRESENCE_PRESENT) {
        ngx_http_longpoll_presence_append(table,
                                  NGX_HTTP_LONGPOLL_PRESENCE_DUE, unit, left);
    }

    ngx_http_longpoll_done(j);

    return NGX_OK;
}


/* puts n units into the free list; NGX_OK, NGX_DECLINED: there are too few */

static ngx_int_t
ngx_http_longpoll_presence_reserve(ngx_http_longpoll_presences_t *table,
    ngx_uint_t n)
{
    ngx_http_longpoll_journal_sh_t     *j;
    ngx_http_longpoll_presences_sh_t   *sh;
    ngx_http_longpoll_presence_unit_t  *unit;

    sh = table->sh;
    j = table->journal;

    if (n > sh->nfree + (sh->nunits - sh->fresh)) {
        return NGX_DECLINED;
    }

    while (sh->nfree < n) {
        unit = &table->units[sh->fresh];

        ngx_http_longpoll_put(unit->state, NGX_HTTP_LONGPOLL_PRESENCE_NONE);
        ngx_http_longpoll_put(unit->next, (uint32_t) sh->free);

        ngx_http_longpoll_set(j, sh->fresh, sh->fresh + 1);
        ngx_http_longpoll_set(j, sh->free, sh->fresh);
        ngx_http_longpoll_set(j, sh->nfree, sh->nfree + 1);
        ngx_http_longpoll_done(j);
    }

    return NGX_OK;
}


/* within the caller's step; the entry is in no queue */

static void
ngx_http_longpoll_presence_free(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_presence_unit_t *unit)
{
    uint32_t                            number, last, *prev;
    ngx_uint_t                          i, parts;
    ngx_http_longpoll_journal_sh_t     *j;
    ngx_http_longpoll_presences_sh_t   *sh;
    ngx_http_longpoll_presence_unit_t  *part;

    sh = table->sh;
    j = table->journal;
    number = ngx_http_longpoll_presence_number(table, unit);
    parts = ngx_http_longpoll_presence_parts(unit->u.entry.len);

    prev = ngx_http_longpoll_presence_bucket(table, unit->u.entry.hash);

    while (*prev != number) {
        ngx_http_longpoll_presence_assert(table, *prev);
        prev = &ngx_http_longpoll_presence_at(table, *prev)->next;
    }

    last = unit->u.entry.name;

    for (i = 1; i < parts; i++) {
        ngx_http_longpoll_presence_assert(table, last);
        last = ngx_http_longpoll_presence_at(table, last)->next;
    }

    ngx_http_longpoll_presence_assert(table, last);
    part = ngx_http_longpoll_presence_at(table, last);

    /*
     * The next of a name's last part is read nowhere, so put may change it: an
     * undone step does not mind.  The entry's own next is in the journal, since
     * it is one word with state.
     */

    ngx_http_longpoll_put(part->next, (uint32_t) sh->free);

    ngx_http_longpoll_set(j, *prev, unit->next);
    ngx_http_longpoll_set(j, unit->state, NGX_HTTP_LONGPOLL_PRESENCE_NONE);
    ngx_http_longpoll_put(unit->next, unit->u.entry.name);
    ngx_http_longpoll_set(j, sh->free, number);
    ngx_http_longpoll_set(j, sh->nfree, sh->nfree + 1 + parts);
}


/*
 * Within the caller's step: an entry goes to the end of a queue.  It was in
 * none before the step, so nobody reads its words if the step is undone.
 */

static ngx_inline void
ngx_http_longpoll_presence_append(ngx_http_longpoll_presences_t *table,
    ngx_uint_t which, ngx_http_longpoll_presence_unit_t *unit, uint64_t left)
{
    uint32_t                                number;
    ngx_http_longpoll_journal_sh_t         *j;
    ngx_http_longpoll_presence_unit_t      *newest;
    ngx_http_longpoll_presence_queue_sh_t  *queue;

    j = table->journal;
    queue = &table->sh->queues[which];
    number = ngx_http_longpoll_presence_number(table, unit);

    ngx_http_longpoll_put(unit->u.entry.older, queue->newest);
    ngx_http_longpoll_put(unit->u.entry.newer, 0);

    if (queue->newest) {
        ngx_http_longpoll_presence_assert(table, queue->newest);
        newest = ngx_http_longpoll_presence_at(table, queue->newest);

        left = ngx_max(left, newest->u.entry.left);
        ngx_http_longpoll_set(j, newest->u.entry.newer, number);

    } else {
        ngx_http_longpoll_set(j, queue->oldest, number);
    }

    if (which == NGX_HTTP_LONGPOLL_PRESENCE_GRACE) {
        ngx_http_longpoll_put(unit->u.entry.left, left);
    }

    ngx_http_longpoll_set(j, queue->newest, number);
}


/*
 * The same for an entry that was in a queue when the step began, and has left
 * it: if the step is undone, its words must be as they were.
 */

static void
ngx_http_longpoll_presence_requeue(ngx_http_longpoll_presences_t *table,
    ngx_uint_t which, ngx_http_longpoll_presence_unit_t *unit, uint64_t left)
{
    /* older and newer are one word: the journal has both */

    ngx_http_longpoll_set(table->journal, unit->u.entry.older, 0);

    ngx_http_longpoll_presence_append(table, which, unit, left);
}


/* within the caller's step: an entry leaves its queue */

static ngx_inline void
ngx_http_longpoll_presence_remove(ngx_http_longpoll_presences_t *table,
    ngx_uint_t which, ngx_http_longpoll_presence_unit_t *unit)
{
    ngx_http_longpoll_journal_sh_t         *j;
    ngx_http_longpoll_presence_unit_t      *other;
    ngx_http_longpoll_presence_queue_sh_t  *queue;

    j = table->journal;
    queue = &table->sh->queues[which];

    if (unit->u.entry.newer) {
        ngx_http_longpoll_presence_assert(table, unit->u.entry.newer);
        other = ngx_http_longpoll_presence_at(table, unit->u.entry.newer);
        ngx_http_longpoll_set(j, other->u.entry.older, unit->u.entry.older);

    } else {
        ngx_http_longpoll_set(j, queue->newest, unit->u.entry.older);
    }

    if (unit->u.entry.older) {
        ngx_http_longpoll_presence_assert(table, unit->u.entry.older);
        other = ngx_http_longpoll_presence_at(table, unit->u.entry.older);
        ngx_http_longpoll_set(j, other->u.entry.newer, unit->u.entry.newer);

    } else {
        ngx_http_longpoll_set(j, queue->oldest, unit->u.entry.newer);
    }
}
