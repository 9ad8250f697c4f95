
/*
 * ngx_http_longpoll_read.h: what a poll asks the zone for, and what it gets.
 */


#ifndef _NGX_HTTP_LONGPOLL_READ_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_READ_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* where a poll reads on */

typedef struct {
    uint64_t                         id;        /* seen up to here */
    uint64_t                         since;     /* ms: the same position as a
                                                   since_time; valid in later
                                                   epochs, too */
    ngx_http_longpoll_uuid_t         uuid;      /* of the id that the client
                                                   sent; or if named */
    uint64_t                         epoch;     /* of that id, if it counts: a
                                                   copy of a stream compares it
                                                   when it answers; else 0 */
    uint64_t                         age;       /* ms: of a poll that nginx held
                                                   back; 0: it comes now */
    uint64_t                         came;      /* early: elapsed ms when the
                                                   poll came */

    unsigned                         fresh:1;   /* no read has used it yet */
    unsigned                         early:1;   /* it waits fresh, until the
                                                   zone is synced */
    unsigned                         now:1;     /* the first read sets id to the
                                                   newest, less age */
    unsigned                         exact:1;   /* id is a message's own */

    unsigned                         lost:1;    /* of an earlier epoch, with
                                                   events lost behind it */
    unsigned                         named:1;   /* read behind the message of
                                                   uuid, if it is in the ms */
    unsigned                         anywhere:1;    /* named: in any ms */
    unsigned                         beginning:1;   /* asked for all events */

    uint32_t                         recent;    /* of a new poll, with now: up
                                                   to MAX_RECENT messages come
                                                   before all later ones.  A
                                                   read that finds none clears
                                                   it; after another one the
                                                   cursor is still fresh */
} ngx_http_longpoll_cursor_t;


/*
 * PARK   a new poll; without a message behind its cursor the read registers the
 *        worker's interest
 * WAKE   the parked polls of this worker; as PARK
 * LAST   a poll whose time is over; without a message the read finds the time
 *        of the time-out's answer
 * PEEK   as LAST, but a message that is found is not taken (delete_on_read),
 *        and a gpoll client's cursor stays
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
    ngx_http_longpoll_cursor_t       cursor;    /* the first read clears fresh;
                                                   an id beyond the newest
                                                   message becomes the newest */
    size_t                           limit;     /* bytes of all messages, each
                                                   with its category's cost */
    size_t                          *costs;     /* of ncats */
    ngx_uint_t                       by_id;     /* a stream: it comes back with
                                                   an id, so its answers may end
                                                   inside a ms; without a
                                                   message it wants place_id.
                                                   It is there also while it
                                                   does not wait (presence) */

    /* set by the caller, to read one message behind the cursor of a client */
    ngx_http_longpoll_client_t      *client;    /* NULL: cursor counts */
    uint64_t                         have;      /* the caller has the bytes of
                                                   the message with this id: if
                                                   it is read, its data is left
                                                   out */

    /* the answer */
    ngx_http_longpoll_msg_t         *msgs;
    ngx_uint_t                       nmsgs;
    ngx_uint_t                       missed;
    ngx_uint_t                       more;      /* the limit left messages out
                                                   that the read has seen */
    uint64_t                         epoch;     /* of the zone's own ids, and of
                                                   place_id */
    uint64_t                         timestamp; /* of a time-out: LAST, PEEK, or
                                                   of a frozen zone */
    uint64_t                         place_id;  /* an id of epoch's: messages
                                                   that the reader has not seen
                                                   are behind it.  0: the zone
                                                   cannot say yet */
    uint32_t                        *slots;     /* of ncats, PARK and WAKE: the
                                                   slot that holds the interest,
                                                   NGX_HTTP_LONGPOLL_CAT_NONE
                                                   if it is slotless */
    uint64_t                         since;     /* PARK and WAKE: only messages
                                                   with later ids are, or will
                                                   be, pending for it; 0: not
                                                   known */
} ngx_http_longpoll_read_t;


#endif /* _NGX_HTTP_LONGPOLL_READ_H_INCLUDED_ */
