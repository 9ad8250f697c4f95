
/*
 * ngx_http_longpoll_zone_read.h: messages behind a cursor are read, or the
 * worker's interest is registered, in one lock hold.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_READ_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_READ_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* where a poll reads on */

typedef struct {
    uint64_t                         id;        /* seen up to here */
    uint64_t                         since;     /* ms: the since_time that means
                                                   the same, also in a later
                                                   epoch */
    ngx_http_longpoll_uuid_t         uuid;      /* if named */

    /* of a new cursor, until the first read */
    unsigned                         fresh:1;
    unsigned                         now:1;     /* the first read sets id */
    unsigned                         exact:1;   /* id is a message's own */

    unsigned                         lost:1;    /* of an earlier epoch, with
                                                   events lost behind it */
    unsigned                         named:1;   /* read behind the message of
                                                   uuid, if it is in the ms */
    unsigned                         beginning:1;   /* asked for all events */
} ngx_http_longpoll_cursor_t;


/*
 *        nothing behind the cursor            a gpoll client's cursor
 *
 * PARK   registers interest                   moves
 * WAKE   the same, for polls parked here      moves
 * LAST   finds the time of a time-out         moves
 * PEEK   the same                             stays; nothing is taken
 */

typedef enum {
    NGX_HTTP_LONGPOLL_READ_PARK = 0,
    NGX_HTTP_LONGPOLL_READ_WAKE,
    NGX_HTTP_LONGPOLL_READ_LAST,
    NGX_HTTP_LONGPOLL_READ_PEEK
} ngx_http_longpoll_read_e;


typedef struct {
    /* set by the caller */
    ngx_http_longpoll_read_e         mode;
    ngx_uint_t                       worker;    /* or NO_WORKER */
    ngx_http_longpoll_cat_t         *cats;
    ngx_uint_t                       ncats;
    ngx_http_longpoll_cursor_t       cursor;    /* not fresh after the read; one
                                                   beyond the newest message
                                                   becomes the newest */
    size_t                           limit;     /* bytes of all messages, each
                                                   with its category's cost */
    size_t                          *costs;     /* of ncats */

    /* set by the caller, to read one message behind the cursor of a client */
    ngx_http_longpoll_client_t      *client;    /* NULL: cursor counts */
    uint64_t                         have;      /* id of a message whose bytes
                                                   the caller has: its data is
                                                   empty then */

    /* the answer */
    ngx_http_longpoll_msg_t         *msgs;
    ngx_uint_t                       nmsgs;
    ngx_uint_t                       missed;
    uint64_t                         timestamp; /* of a time-out: LAST, PEEK */
    uint32_t                        *slots;     /* of ncats, PARK and WAKE: the
                                                   slot that holds the interest,
                                                   NGX_HTTP_LONGPOLL_CAT_NONE
                                                   if it is slotless */
} ngx_http_longpoll_read_t;


/*
 * Reads behind rd->cursor, oldest first, up to rd->limit: at least one message,
 * and never only a part of those that share a ms.  Takes the lock, as often as
 * it needs.
 *
 * Where there is no message, PARK and WAKE register the worker's interest in
 * the same lock hold; LAST and PEEK find the time of a time-out's answer, and
 * no later message will share its ms.
 *
 * With rd->client set, the client's cursor is read in every hold.  The read
 * returns one message, and moves the cursor to it in the same lock hold: of all
 * polls with one client id only this one gets the message.  PARK and WAKE also
 * register that the client waits in the worker; LAST finds no time.
 *
 * The memory of msgs belongs to the store, one for each process, and is valid
 * until the next read.  The bytes of the messages stand in the zone itself or
 * in that memory: use them, then ask ..._zone_read_valid().
 *
 * NGX_OK     rd->msgs, rd->nmsgs, rd->missed
 * NGX_AGAIN  no message: rd->missed, and rd->slots or rd->timestamp
 * NGX_DONE   the client is not known: it never was, was idle for too long, or
 *            made room for another.  With rd->missed it has been dropped now,
 *            because an event behind its cursor is gone
 * NGX_ERROR  no memory
 */
ngx_int_t ngx_http_longpoll_zone_read(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd, uint64_t now);

/*
 * Whether the bytes used since the read were the messages'.  If not, throw away
 * what was made of them and read again; after a few times it always holds.
 */
ngx_uint_t ngx_http_longpoll_zone_read_valid(ngx_http_longpoll_zone_t *z);

/*
 * Whether a new poll's cursor is at the newest message of all, so that a read
 * would find nothing and miss nothing.  Takes no lock; that is right for a
 * category in which the worker is interested already, because every message
 * from now on is marked for the worker.
 */
ngx_uint_t ngx_http_longpoll_zone_newest(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_READ_H_INCLUDED_ */
