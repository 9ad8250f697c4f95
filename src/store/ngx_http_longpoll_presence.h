
/*
 * ngx_http_longpoll_presence.h: the categories that somebody waits for.
 *
 * A category that is present has an entry, which has its name and the workers
 * that have waiters of it.  The names cannot be had elsewhere: a slot has none.
 * Entries and names are made of units of 64 bytes, in a part of the zone whose
 * size is fixed when the zone is made: an entry is one unit, its name has one
 * for each 56 bytes.
 *
 *     bucket -> entry -> entry           by the hash of the name
 *                 |
 *                 `-> name -> name       its parts
 *     free   -> unit -> unit
 *
 * The states of an entry.  Events report changes (zone_presence):
 *
 *                in the queue DUE                 in the queue GRACE, while
 *                                                 nobody waits; else in none
 *     --- comes --> ARRIVED --------- reported ------> PRESENT
 *                      ^                                  |
 *             reported |          in the queue DUE        | grace is over
 *                      |                                  v
 *                   RETURNED <---------- comes ------- LEAVING
 *                                                         |
 *                                                         reported: freed
 *
 * The event of ARRIVED says that the category is present, that of LEAVING and
 * RETURNED that it is not.  So there are two views of an entry.  The zone's
 * status and lists have the truth: all but LEAVING are present (is_present).
 * A follower knows what the events have said so far: all but ARRIVED are
 * present.  The events that are due lead from the second view to the first.
 *
 * DUE is in the order in which the changes came; GRACE in the order of leaving,
 * since grace is the same for all.
 *
 * The caller holds the zone's lock in every call.  Each change is one step of
 * the journal, or a put; come takes a step more for each unit that was never
 * used.
 */


#ifndef _NGX_HTTP_LONGPOLL_PRESENCE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_PRESENCE_H_INCLUDED_


#include "ngx_http_longpoll_journal.h"
#include "ngx_http_longpoll_assert.h"


typedef enum {
    NGX_HTTP_LONGPOLL_PRESENCE_NONE = 0,        /* no entry */
    NGX_HTTP_LONGPOLL_PRESENCE_ARRIVED,
    NGX_HTTP_LONGPOLL_PRESENCE_PRESENT,         /* in grace, if nobody waits */
    NGX_HTTP_LONGPOLL_PRESENCE_LEAVING,
    NGX_HTTP_LONGPOLL_PRESENCE_RETURNED
} ngx_http_longpoll_presence_e;


#define NGX_HTTP_LONGPOLL_PRESENCE_PART  56     /* bytes of a name in a unit */


/* a unit: an entry, or the part of a name */

typedef struct {
    uint32_t                         next;      /* the next unit in the bucket,
                                                   name or free list: its
                                                   number + 1, 0 is none */
    uint32_t                         state;     /* _NONE: not an entry */

    union {
        struct {
            uint64_t                 hash[2];   /* of the name */
            uint64_t                 workers;   /* a bit for each that has
                                                   waiters of the category */
            uint64_t                 left;      /* ms, in grace: when the last
                                                   waiter left; no less than
                                                   that of the one before it in
                                                   the queue */
            uint32_t                 newer;     /* in its queue: number + 1 */
            uint32_t                 older;
            uint32_t                 name;      /* first part: number + 1 */
            uint32_t                 len;       /* of the name */
            uint64_t                 old;       /* 1: workers of the zone that
                                                   this one replaced may have
                                                   waiters */
        } entry;

        u_char                       part[NGX_HTTP_LONGPOLL_PRESENCE_PART];
    } u;
} ngx_http_longpoll_presence_unit_t;


#define NGX_HTTP_LONGPOLL_PRESENCE_DUE     0
#define NGX_HTTP_LONGPOLL_PRESENCE_GRACE   1
#define NGX_HTTP_LONGPOLL_PRESENCE_QUEUES  2

typedef struct {
    uint32_t                         oldest;    /* number + 1, 0 is none */
    uint32_t                         newest;
} ngx_http_longpoll_presence_queue_sh_t;


typedef struct {
    /* these two never change; 0: the zone has no presence */
    uint32_t                         nunits;
    uint32_t                         nbuckets;  /* a power of two */

    uint64_t                         free;      /* free list, number + 1 */
    uint64_t                         nfree;     /* its length */
    uint64_t                         fresh;     /* units from this number on
                                                   were never used */

    ngx_http_longpoll_presence_queue_sh_t
                                queues[NGX_HTTP_LONGPOLL_PRESENCE_QUEUES];
} ngx_http_longpoll_presences_sh_t;


/* a process's view of the table */

typedef struct {
    ngx_http_longpoll_presences_sh_t   *sh;
    ngx_http_longpoll_journal_sh_t     *journal;
    ngx_http_longpoll_presence_unit_t  *units;
    uint32_t                           *buckets;
} ngx_http_longpoll_presences_t;


/* returns the category's entry; NULL: it has none */
ngx_http_longpoll_presence_unit_t *ngx_http_longpoll_presence_find(
    ngx_http_longpoll_presences_t *table, const uint64_t hash[2]);

/*
 * Returns the entry with the lowest place (..._hash_place()) from that one on
 * in the bucket that it belongs to; NULL: there is none up to ..._hash_last().
 */
ngx_http_longpoll_presence_unit_t *ngx_http_longpoll_presence_next(
    ngx_http_longpoll_presences_t *table, uint64_t from);

/*
 * Somebody waits for the category, in the workers of the set: one of them, or
 * none if the poll was answered at once.
 *
 * NGX_OK
 * NGX_DECLINED  the category has no entry, and there is no room for one
 */
ngx_int_t ngx_http_longpoll_presence_come(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_cat_t *cat, uint64_t workers, uint64_t now);

/* nobody waits for the category, or NULL, in these workers any more */
void ngx_http_longpoll_presence_leave(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_presence_unit_t *unit, uint64_t workers, uint64_t now);

/* nor in the workers of the zone that this one replaced */
void ngx_http_longpoll_presence_leave_old(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_presence_unit_t *unit, uint64_t now);

/*
 * The oldest entry of GRACE becomes LEAVING, if it left at the time upto or
 * before.  Returns 1 if it did, and 0 if there is none.
 */
ngx_uint_t ngx_http_longpoll_presence_expire(
    ngx_http_longpoll_presences_t *table, uint64_t upto);

/*
 * Within the caller's step: the oldest entry of DUE was reported.  The caller
 * ends the step.
 */
void ngx_http_longpoll_presence_reported(ngx_http_longpoll_presences_t *table,
    uint64_t now);

/*
 * A reset was reported, so followers know of nobody.  If the unit is an entry
 * of a category that is present, its arrival is due, once more perhaps; an
 * entry that is LEAVING is freed.
 */
void ngx_http_longpoll_presence_reset(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_presence_unit_t *unit);

/*
 * Puts an entry of another table, with its state, to the end of its queue, if
 * it is in one.  Its workers have not come here: they are old ones.  The caller
 * begins with the oldest.  NGX_OK, NGX_DECLINED: there is no room.
 */
ngx_int_t ngx_http_longpoll_presence_copy(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_presence_unit_t *from);

/* writes the entry's name, and returns the end */
u_char *ngx_http_longpoll_presence_name(ngx_http_longpoll_presences_t *table,
    ngx_http_longpoll_presence_unit_t *unit, u_char *p);


/* whether nobody waits for the category */

#define ngx_http_longpoll_presence_is_idle(unit)                              \
    (((unit)->u.entry.workers | (unit)->u.entry.old) == 0)

/* whether the entry is in the queue GRACE */

#define ngx_http_longpoll_presence_in_grace(unit)                             \
    ((unit)->state == NGX_HTTP_LONGPOLL_PRESENCE_PRESENT                      \
     && ngx_http_longpoll_presence_is_idle(unit))

/* whether the entry, or NULL, is of a category that is present now */

#define ngx_http_longpoll_presence_is_present(unit)                           \
    ((unit) && (unit)->state != NGX_HTTP_LONGPOLL_PRESENCE_LEAVING)

#define ngx_http_longpoll_presence_at(table, n)                               \
    (&(table)->units[(n) - 1])

#define ngx_http_longpoll_presence_number(table, unit)                        \
    ((uint32_t) ((unit) - (table)->units) + 1)

/* checks a unit's number + 1 before the unit is read */

#define ngx_http_longpoll_presence_assert(table, n)                           \
    ngx_http_longpoll_assert_step();                                          \
    ngx_http_longpoll_assert((n) - 1 < (table)->sh->fresh, "a unit's number")


#endif /* _NGX_HTTP_LONGPOLL_PRESENCE_H_INCLUDED_ */
