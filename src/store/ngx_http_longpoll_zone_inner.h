
/*
 * ngx_http_longpoll_zone_inner.h: what the files of the zone share.
 *
 *     zone.c         making, the lock, what everything is made of, publishing,
 *                    interest, time
 *     zone_read.c    reading
 *     zone_place.c   gpoll's clients
 *     zone_check.c   a walk over everything, for tests
 *
 * Every function here is called with the lock held, but for those that take
 * it.  Those that count steps do no more of them than *steps, take off what
 * they did, and return NGX_BUSY when something is left: the caller lets go of
 * the lock and comes again.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_INNER_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_INNER_H_INCLUDED_


#include "ngx_http_longpoll_zone.h"
#include "ngx_http_longpoll_lock.h"


#define NGX_HTTP_LONGPOLL_ZONE_STEPS  1000      /* in a lock hold */


/* room for gpoll's clients: a 64th of the zone */

#define ngx_http_longpoll_zone_nclients(z)                                     \
    ngx_min((z)->size / 64 / sizeof(ngx_http_longpoll_client_sh_t), 0x7fffffff)


#define ngx_http_longpoll_zone_at(z, ref)                                     \
    ((ngx_http_longpoll_msg_sh_t *) ngx_http_longpoll_log_rec(&(z)->log, ref))


/* in a debug build: header, message, and the ids of a message's neighbours */

#if (NGX_HTTP_LONGPOLL_DEBUG)

void ngx_http_longpoll_zone_validate(ngx_http_longpoll_zone_t *z);
ngx_http_longpoll_msg_sh_t *ngx_http_longpoll_zone_msg(
    ngx_http_longpoll_zone_t *z, uint32_t ref);
void ngx_http_longpoll_zone_validate_order(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg);

#else

#define ngx_http_longpoll_zone_validate(z)
#define ngx_http_longpoll_zone_msg(z, ref)  ngx_http_longpoll_zone_at(z, ref)
#define ngx_http_longpoll_zone_validate_order(z, msg)

#endif


#define ngx_http_longpoll_zone_ref(z, msg)                                    \
    ngx_http_longpoll_log_ref(&(z)->log, msg)

#define ngx_http_longpoll_zone_pending(msg)                                      \
    ((uint64_t *) ((u_char *) (msg) + sizeof(ngx_http_longpoll_msg_sh_t)))

#define ngx_http_longpoll_zone_key(msg)                                       \
    (ngx_http_longpoll_zone_pending(msg)                                         \
     + (((msg)->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING) != 0))

#define ngx_http_longpoll_zone_foreign(msg)                                   \
    (ngx_http_longpoll_zone_key(msg)                                          \
     + ((msg)->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED ? 2 : 0))

/* bytes in front of the name */
#define ngx_http_longpoll_zone_front(bits)                                    \
    (sizeof(ngx_http_longpoll_msg_sh_t)                                       \
     + ((bits) & NGX_HTTP_LONGPOLL_MSG_PENDING ? sizeof(uint64_t) : 0)           \
     + ((bits) & NGX_HTTP_LONGPOLL_MSG_KEYED ? 2 * sizeof(uint64_t) : 0)      \
     + ((bits) >> 4 == NGX_HTTP_LONGPOLL_FOREIGN ? 2 * sizeof(uint64_t) : 0))

#define ngx_http_longpoll_zone_bit(worker)  ((uint64_t) 1 << (worker))


/* why a message goes */

typedef enum {
    NGX_HTTP_LONGPOLL_ZONE_LOST = 0,    /* by a limit: who had not seen it is
                                           told; in a file it may be */
    NGX_HTTP_LONGPOLL_ZONE_FORGOTTEN,   /* the same, and not in a file */
    NGX_HTTP_LONGPOLL_ZONE_TAKEN        /* nobody misses it: deleted, given
                                           away, or never there */
} ngx_http_longpoll_zone_why_e;


/* of a new message */
#define ngx_http_longpoll_zone_bits(z, key)                                   \
    (((z)->sh->conf.delete_on_read ? NGX_HTTP_LONGPOLL_MSG_PENDING : 0)          \
     | ((key) ? NGX_HTTP_LONGPOLL_MSG_KEYED : 0))


/* an idempotency key on its way through a category */

typedef struct {
    uint64_t                      hash[2];      /* the last 16 bits of it are
                                                   n - 1 */
    uint32_t                      slot;
    uint32_t                      ref;          /* the last one looked at, which
                                                   stood at pos; 0: none */
    uint64_t                      pos;
    uint64_t                      last_id;      /* of the publish it was in */
    ngx_http_longpoll_uuid_t      last;
} ngx_http_longpoll_zone_key_t;


/* takes the lock, and recovers what a dead process left */
void ngx_http_longpoll_zone_lock(ngx_http_longpoll_zone_t *z);
void ngx_http_longpoll_zone_unlock(ngx_http_longpoll_zone_t *z);

/* the later of the wall clock and the last time given: it never goes back */
uint64_t ngx_http_longpoll_zone_clock(ngx_http_longpoll_zone_t *z,
    uint64_t now);

/* whether the message of ref, which stood at pos, is still there and alive */
ngx_uint_t ngx_http_longpoll_zone_stands(ngx_http_longpoll_zone_t *z,
    uint32_t ref, uint64_t pos, uint32_t slot);

/* where a message stands that is there: only then has it a place */
uint64_t ngx_http_longpoll_zone_pos(ngx_http_longpoll_zone_t *z, uint32_t ref);

/* what a message is told by */
void ngx_http_longpoll_zone_uuid(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_http_longpoll_uuid_t *uuid);

/* drops a message */
void ngx_http_longpoll_zone_drop(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_http_longpoll_zone_why_e why);

/*
 * Makes room for need bytes in one piece, and for the category.  NGX_OK or
 * NGX_BUSY.
 */
ngx_int_t ngx_http_longpoll_zone_room(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t need, uint64_t now,
    ngx_uint_t *steps);

/* bytes of a message in the log */
uint64_t ngx_http_longpoll_zone_need(ngx_http_longpoll_cat_t *cat,
    ngx_http_longpoll_msg_t *msg, ngx_uint_t bits);

/* the slot of a category that is being published to */
uint32_t ngx_http_longpoll_zone_slot(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now);

/* a message becomes the newest: its slot is msg->pos, and there is room */
void ngx_http_longpoll_zone_put(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg, ngx_uint_t bits,
    uint64_t owed, const uint64_t *key);

/*
 * The workers that wait for a category; and telling them.  first: see
 * ..._zone_append().
 */
uint64_t ngx_http_longpoll_zone_waits(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_sh_t *cat, uint64_t first);
uint64_t ngx_http_longpoll_zone_mark_workers(ngx_http_longpoll_zone_t *z,
    uint32_t slot, uint64_t first);

/*
 * Marks (zone_save.c).  Within the step: what stands for a message (NULL: at
 * the end) stands for the ref to from now on.
 */
void ngx_http_longpoll_zone_relink_cursors(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, uint32_t to);

/* within the step: a message goes that the file may have */
void ngx_http_longpoll_zone_record_deletion(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg);

/* a message goes: one that was published, but not yet shown, is counted now */
void ngx_http_longpoll_zone_count_unexposed(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg);

/* the worker that writes, as a set */
uint64_t ngx_http_longpoll_zone_writer(ngx_http_longpoll_zone_t *z);

/* the last message of a category that is visible; NULL: there is none */
ngx_http_longpoll_msg_sh_t *ngx_http_longpoll_zone_last(
    ngx_http_longpoll_zone_t *z, uint32_t slot);

/*
 * Where there are several zones of that name.  gave: last_id has moved on; in
 * the same hold, before anybody is told of it.  stray: and it is that of a
 * message which those who read in later zones must be told they missed; before
 * the message is there.
 */
void ngx_http_longpoll_zone_note_issued(ngx_http_longpoll_zone_t *z);
void ngx_http_longpoll_zone_late_write(ngx_http_longpoll_zone_t *z);

/*
 * Whether events behind an id may have gone to another zone of that name, or
 * to another nginx that had the file; these are of another life, and who asks
 * for all there is does not miss them.
 */
#define ngx_http_longpoll_zone_has_late(z, id, beginning)                      \
    (((z)->late                                                             \
      && (id) < *ngx_http_longpoll_zone_late_upto(z, (z)->sh->resize.generation))       \
     || ((id) < (z)->sh->previous.missing_below && !(beginning)))

/*
 * gpoll's clients of a zone whose place is taken go along; it gives them
 * nothing any more.
 */
void ngx_http_longpoll_zone_adopt_clients(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old);

/*
 * The newest place becomes that id, or one behind it: what was given elsewhere
 * is behind it.
 */
void ngx_http_longpoll_zone_advance(ngx_http_longpoll_zone_t *z, uint64_t id);

/* up to this ms all is visible that there will ever be: it is not over */
uint64_t ngx_http_longpoll_zone_horizon(ngx_http_longpoll_zone_t *z,
    uint64_t now);

/* a slot that nothing is known of becomes free */
void ngx_http_longpoll_zone_release(ngx_http_longpoll_zone_t *z, uint32_t slot);

/* whether nobody published to it, polled it or waits for it for too long */
ngx_uint_t ngx_http_longpoll_zone_inactive(ngx_http_longpoll_zone_t *z,
    uint32_t slot, uint64_t now);

/*
 * Drops all messages, counting them; gives the slot back if nobody waits.
 * NGX_OK or NGX_BUSY.
 */
ngx_int_t ngx_http_longpoll_zone_forget(ngx_http_longpoll_zone_t *z,
    uint32_t slot, ngx_atomic_t *counter, ngx_uint_t *steps);

/* drops what is over the category's buffer; NGX_OK or NGX_BUSY */
ngx_int_t ngx_http_longpoll_zone_trim(ngx_http_longpoll_zone_t *z,
    uint32_t slot, ngx_uint_t *steps);

/*
 * Registers the worker's interest in a category.  The slot, or
 * NGX_HTTP_LONGPOLL_CAT_NONE: it is loose.
 */
uint32_t ngx_http_longpoll_zone_watch(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_cat_t *cat, uint64_t now);

/*
 * Finds a category and brings it up to date: NGX_OK and *slot, which may be
 * NGX_HTTP_LONGPOLL_CAT_NONE; or NGX_BUSY.
 */
ngx_int_t ngx_http_longpoll_zone_touch(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now, ngx_uint_t use,
    ngx_uint_t *steps, uint32_t *slot);

/*
 * The place of a client; NULL: it is not known.  One that was idle for too
 * long is not, and is dropped.
 */
ngx_http_longpoll_client_sh_t *ngx_http_longpoll_zone_client(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_client_t *client,
    uint64_t now);

/*
 * These two take the lock, as often as they need: drops the clients that were
 * idle for too long; ends what clients have in a worker that is no more.
 */
void ngx_http_longpoll_zone_idle_clients(ngx_http_longpoll_zone_t *z,
    uint64_t now);
void ngx_http_longpoll_zone_reap_clients(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now);

/*
 * Looks for a key among the messages of a category, behind key->ref.
 *
 * NGX_OK        it is there: key->last_id
 * NGX_DECLINED  it is not
 * NGX_BUSY
 */
ngx_int_t ngx_http_longpoll_zone_known(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_zone_key_t *key,
    uint64_t now, ngx_uint_t *steps);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_INNER_H_INCLUDED_ */
