
/*
 * ngx_http_longpoll_zone_watch.h: which workers wait for a category.
 *
 * A worker that has parked polls of a category is interested in it: it has a
 * bit in the category's slot.  Without a free slot the interest is slotless:
 * the zone only counts it, and every category that gets its first message wakes
 * the worker.  A publish marks its categories dirty for the interested workers;
 * a worker that is notified takes its dirty categories.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_WATCH_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_WATCH_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * For worker's files.  All of these take the lock.
 */

/*
 * The worker's last parked poll of a category left: the interest ends.  slot is
 * what the read returned in rd->slots.  since: no message up to this id is
 * pending for the worker; 0: not known.  left: no stream of the worker counts
 * for the category, so the worker's bit in presence ends, too.
 */
void ngx_http_longpoll_zone_watch_end(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, const uint64_t hash[2], uint32_t slot, uint64_t since,
    ngx_uint_t left, uint64_t now);

/* n more slotless interests of the worker; n may be negative */
void ngx_http_longpoll_zone_watch_count_slotless(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_int_t n);

/*
 * The worker's parked polls have received the messages of a category up to the
 * id upto that were pending for them (delete_on_read).  since as in end.
 */
void ngx_http_longpoll_zone_watch_acknowledge(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, const uint64_t hash[2], uint64_t since, uint64_t upto);

/*
 * An id: for a poll that finds no message from now on, only messages with later
 * ids will be pending.  Needs no lock.
 */
uint64_t ngx_http_longpoll_zone_watch_since(ngx_http_longpoll_zone_t *z);

/*
 * Takes the worker's next few dirty categories, as hashes.  Returns their
 * number, 0 if none is left.
 */
#define NGX_HTTP_LONGPOLL_DIRTY  64

ngx_uint_t ngx_http_longpoll_zone_watch_take(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t hashes[][2]);

/*
 * Whether the worker must read for all of its parked polls.  Clears the mark,
 * so a worker gets the answer 1 once; NO_WORKER always gets it.  Takes no lock.
 */
ngx_uint_t ngx_http_longpoll_zone_watch_take_all(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);


/*
 * For the store's files.  The caller holds the lock.
 */

/*
 * Registers the worker's interest.  Returns the slot that holds it,
 * NGX_HTTP_LONGPOLL_CAT_NONE if the interest is slotless.
 *
 * A poll takes a free slot, or one without messages in which no worker is
 * interested; such slots may be a quarter of all.
 *
 * Every call that finds no slot adds one to the worker's slotless interests.  A
 * caller that had counted the category already takes one back
 * (..._zone_count_slotless()).  NO_WORKER registers nothing.
 */
uint32_t ngx_http_longpoll_zone_watch(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_cat_t *cat, uint64_t now);

/*
 * The workers that are interested in a category.  Those with slotless interests
 * are included if this publish, whose ids begin at first, brought the
 * category's first message.
 */
uint64_t ngx_http_longpoll_zone_watch_interested(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_sh_t *cat, uint64_t first);

/* marks the category dirty for these workers, and returns them */
uint64_t ngx_http_longpoll_zone_watch_mark(ngx_http_longpoll_zone_t *z,
    uint32_t slot, uint64_t first);

/* a walk over messages that may be pending, from the newest on */

typedef struct {
    uint64_t                       upto;        /* its begin, an id */
    uint64_t                       since;       /* its end, an id */
    uint32_t                       ref;         /* the next one; 0: begin */
    uint64_t                       pos;
} ngx_http_longpoll_zone_walk_t;

/*
 * Ends what the worker has in a slot: takes its bit back, acknowledges its
 * pending messages.  The slot is released if nothing else needs it.  NGX_OK,
 * NGX_BUSY: the walk goes on in another hold.
 */
ngx_int_t ngx_http_longpoll_zone_watch_end_slot(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint32_t slot, ngx_http_longpoll_zone_walk_t *walk,
    uint64_t now, ngx_uint_t *steps);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_WATCH_H_INCLUDED_ */
