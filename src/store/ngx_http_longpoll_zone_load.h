
/*
 * ngx_http_longpoll_zone_load.h: filling a zone with the messages and losses of
 * earlier epochs.
 *
 * Before the zone's first request (a load): messages in the order of time, then
 * losses in any order, then ..._done().  Or while the zone is in use (a merge):
 * another nginx wrote to the log meanwhile; then messages come at their own
 * places if these are still ahead, else behind all, and ..._merged() ends it.
 * What a merge gives to the zone is on disk, and synced.
 *
 * A merge gives the messages with ids above disk.read_upto, lowest first.  Each
 * raises that word.  So a merge that is begun again, since a worker was killed,
 * gives none twice.  Before these it gives messages of an nginx that ran beside
 * this one, which this zone does not know: they have lower ids, and raise
 * disk.read_early.
 *
 * Every call takes the lock, as often as it needs.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_LOAD_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_LOAD_H_INCLUDED_


#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_room.h"


/* what the loader has found out about the log */

typedef struct {
    uint64_t                         now;       /* ms */
    uint64_t                         last;      /* highest id that was issued,
                                                   as the log shows */
    uint64_t                         events_last;   /* of an event in it */
    uint64_t                         valid_from;    /* ms, as the log says */
    uint64_t                         lost_until;    /* ms: losses of categories
                                                       that are not known */
    uint64_t                         segment;   /* the highest number there is,
                                                   0: none */
    uint64_t                         after;     /* the last segment of the log,
                                                   or its base's number */
    uint64_t                         node;      /* inode of PATH */
    ngx_uint_t                       believed;  /* the log has all that readers
                                                   saw */
    ngx_uint_t                       head;      /* PATH is one of ours */
    ngx_uint_t                       barred;    /* another nginx has the lock */
    ngx_uint_t                       stale;     /* it has lines that a base
                                                   should not have */
    ngx_uint_t                       skipped;   /* lines that are not ours */
    ngx_uint_t                       restored;  /* PATH.restored is there */
    ngx_uint_t                       moved;     /* a merge: a reader here may be
                                                   behind something that came
                                                   now, or that was lost */
} ngx_http_longpoll_loaded_t;


/* whether nothing has been loaded into the zone, and it replaced no other */
#define ngx_http_longpoll_zone_is_new(z)  ((z)->sh->previous.end == 0)

/*
 * Appends a message.  In: msg->id is the id of the earlier epoch; if only the
 * time is known, its ms << 16; if nothing is known, 0.  msg->uuid says of which
 * epoch the message is.  Out: msg->id is the id in this zone; msg->pos is
 * overwritten.  key is the hash of its publish's idempotency key, NULL if there
 * was none.  Adds the workers that the caller must notify to the set *wake.  In
 * a merge publishes that wait for the disk may be refused to make room.
 *
 * NGX_OK
 * NGX_DECLINED  the message is too large for the zone
 */
ngx_int_t ngx_http_longpoll_zone_load(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg,
    const uint64_t *key, uint64_t now, uint64_t *wake);

/* a message that is loaded, for the store's files */

typedef struct {
    ngx_http_longpoll_cat_t         *cat;
    ngx_http_longpoll_msg_t         *msg;
    const uint64_t                  *key;
    uint64_t                         own;       /* id and epoch, as the UUID
                                                   says; 0: the UUID is not one
                                                   of this module */
    uint64_t                         epoch;
    ngx_uint_t                       live;      /* the zone is in use */
    ngx_http_longpoll_zone_room_t    room;      /* now; tail is 0 at first */
} ngx_http_longpoll_zone_load_t;

/*
 * The same in one hold of the lock; the only user of a zone may do without it.
 * The caller sets all, but in room only what is said there.
 *
 * NGX_OK, NGX_DECLINED
 * NGX_BUSY   out of steps: go on in another hold
 * NGX_ABORT  live: messages that wait for the disk have the room
 */
ngx_int_t ngx_http_longpoll_zone_load_msg(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_load_t *load, ngx_uint_t *steps, uint64_t *wake);

/*
 * The category with this hash[1] has lost messages up to an id.  exact: as the
 * category itself says, in the log of a load, or in a zone that is replaced.  A
 * merge sets 0.
 */
void ngx_http_longpoll_zone_load_lost(ngx_http_longpoll_zone_t *z,
    uint64_t name, uint64_t id, ngx_uint_t exact);

/*
 * A merge: drops the messages of which forget() says so, as the other nginx has
 * dropped them.  It is called under the lock, for each message in the order of
 * ids.  name is hash[1] of the category.  own: this zone took the message
 * behind read_upto, so the other nginx has not seen it.  Returns the reason
 * (zone_list), or NGX_DECLINED: the message stays.
 */
typedef ngx_int_t (*ngx_http_longpoll_zone_forget_pt)(void *data,
    uint64_t name, uint64_t id, ngx_http_longpoll_uuid_t *uuid,
    ngx_uint_t own);

void ngx_http_longpoll_zone_load_forget(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_forget_pt forget, void *data);

/*
 * Ends a load.  All losses so far count as losses of an earlier epoch (shared).
 * Until a writer has begun the epoch in the log, publishes wait (durable).
 */
void ngx_http_longpoll_zone_load_done(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_loaded_t *loaded);

/*
 * The words that done sets, for a zone that replaces another: its losses are
 * those of its own epoch.  Takes no lock: nobody else uses the zone yet.
 */
void ngx_http_longpoll_zone_load_words(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_loaded_t *loaded);

/*
 * Ends a merge: the log is this zone's, which is lost: a base comes first.
 *
 * NGX_OK        nobody missed anything: the two nginxes followed each other
 * NGX_DECLINED  every cursor made so far is told
 */
ngx_int_t ngx_http_longpoll_zone_load_merged(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_loaded_t *loaded);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_LOAD_H_INCLUDED_ */
