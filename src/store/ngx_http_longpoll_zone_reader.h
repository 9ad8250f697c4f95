
/*
 * ngx_http_longpoll_zone_reader.h: a reader, which merges the messages of its
 * categories by id.
 *
 * A reader has an iterator for each category.  It lives as long as one read,
 * over several lock holds.  The messages that it has collected stand in scratch
 * memory, which the process keeps from read to read.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_READER_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_READER_H_INCLUDED_


#include "ngx_http_longpoll_read.h"


#define NGX_HTTP_LONGPOLL_ZONE_COPY    32768    /* bytes: answers up to this are
                                                   copied under the lock */
#define NGX_HTTP_LONGPOLL_ZONE_SLICE   262144   /* the most that is copied once
                                                   TRIES reads were not valid */
#define NGX_HTTP_LONGPOLL_ZONE_TRIES   2

/* of what is taken in one hold, beside the rest of a ms: messages, bytes */
#define NGX_HTTP_LONGPOLL_ZONE_TAKE        10000
#define NGX_HTTP_LONGPOLL_ZONE_TAKE_BYTES  1048576


/* an iterator over one category */

typedef struct {
    uint32_t                       cat;         /* which one: index, slot */
    uint32_t                       slot;
    size_t                         cost;        /* bytes beside the data */
    uint64_t                       seen;        /* id: of the cursor, or of the
                                                   message collected last */

    /* if ready: the next message and its position; 0: there is none */
    ngx_uint_t                     ready;
    uint32_t                       next;
    uint64_t                       next_pos;

    /* if not: the search for it has come so far, from the oldest message on
       and from the newest one back */
    uint32_t                       fore;
    uint64_t                       fore_pos;
    uint32_t                       back;
    uint64_t                       back_pos;
} ngx_http_longpoll_zone_iter_t;


typedef struct ngx_http_longpoll_zone_reader_s  ngx_http_longpoll_zone_reader_t;


/*
 * Who keeps the cursor: the poll that reads, or the zone, for a client.  The
 * read calls these under the lock.
 */

typedef struct {
    /* messages that one read returns, at most */
    ngx_uint_t                     max;

    /*
     * In each hold: sets rd->cursor to the cursor as it is now; NULL: the poll
     * has set it.
     *
     * NGX_OK     read
     * NGX_AGAIN  there is no message for this reader here, now or later
     * NGX_DONE   the client is not known; nothing else is called
     */
    ngx_int_t                    (*begin)(ngx_http_longpoll_zone_t *z,
                                       ngx_http_longpoll_zone_reader_t *reader);

    /* a message behind the cursor was dropped: the read ends with NGX_DONE;
     * NULL: it goes on, and the answer says missed */
    void                         (*lost)(ngx_http_longpoll_zone_t *z,
                                       ngx_http_longpoll_zone_reader_t *reader);

    /* PARK and WAKE found no message, and the worker's interest is registered;
     * NULL: that is all */
    void                         (*wait)(ngx_http_longpoll_zone_t *z,
                                       ngx_http_longpoll_zone_reader_t *reader);

    /* LAST and PEEK found no message */
    void                         (*end)(ngx_http_longpoll_zone_t *z,
                                       ngx_http_longpoll_zone_reader_t *reader);

    /*
     * Messages are collected: takes and copies them, and moves the cursor.
     * NGX_OK, NGX_DECLINED: the scratch memory is too small.  NULL: the read
     * takes and copies them, or leaves the copying to the caller.
     */
    ngx_int_t                    (*copy)(ngx_http_longpoll_zone_t *z,
                                       ngx_http_longpoll_zone_reader_t *reader);
} ngx_http_longpoll_zone_source_t;


struct ngx_http_longpoll_zone_reader_s {
    ngx_http_longpoll_read_t      *rd;
    ngx_http_longpoll_zone_source_t  *source;
    uint64_t                       now;

    ngx_uint_t                     started;     /* 0: nothing below is valid */
    ngx_uint_t                     holds;
    uint64_t                       take;        /* delete_on_read */
    uint64_t                       upto;        /* visible in the first hold */
    uint64_t                       bytes;       /* as the limit counts */
    uint64_t                       data;        /* bytes of data alone */
    ngx_uint_t                     remembered;  /* msgs: these have a position
                                                   in pos, the rest a ref */

    ngx_http_longpoll_client_sh_t *entry;       /* the client's, looked up in
                                                   this hold */
    ngx_http_longpoll_zone_iter_t  iters[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
};


/* what reads return, until the next read; one for the process */

typedef struct {
    ngx_http_longpoll_msg_t       *msgs;
    ngx_uint_t                     max;

    u_char                        *copy;        /* the bytes of the messages */
    size_t                         size;
    size_t                         wanted;      /* of copy */
    ngx_uint_t                     copied;      /* copy has the bytes */

    uint64_t                       min_pos;     /* of msgs, while not copied */
    ngx_uint_t                     tries;       /* reads in a row that were not
                                                   valid */
} ngx_http_longpoll_zone_scratch_t;

extern ngx_http_longpoll_zone_scratch_t  ngx_http_longpoll_zone_scratch;


/*
 * A poll begins with the newest messages of all its categories together, up to
 * rd->cursor.recent, and only with those behind the id after.  Makes the
 * iterators, whose slots are set, ready at the first of them: it has missed
 * nothing.  Takes a step for each of them, at most MAX_RECENT even if fewer are
 * left.  The caller holds the lock.
 *
 * Returns the id of the oldest of them, or 0: there is none, and the iterators
 * are not ready.
 */
uint64_t ngx_http_longpoll_zone_reader_recent(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, uint64_t after,
    ngx_uint_t *steps);

/*
 * Collects the next messages by id, up to rd->limit or to the end.  The caller
 * holds the lock.
 *
 * NGX_OK        done; nothing may have been found
 * NGX_BUSY      out of steps: go on in another hold
 * NGX_DECLINED  the scratch memory is too small: unlock, grow, go on
 */
ngx_int_t ngx_http_longpoll_zone_reader_collect(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader, ngx_uint_t *steps);

/*
 * delete_on_read: drops the messages that this read returns.  A message may be
 * pending for parked polls of several workers; then it is dropped when the last
 * of them acknowledges it.  A new poll drops a message at once if it is pending
 * for no worker.  The bytes of a dropped record are there until the caller
 * releases the lock.
 */
void ngx_http_longpoll_zone_reader_take(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);

/*
 * Before the lock is released: remembers at which positions the next messages
 * and the collected ones stand, so that a later hold, or the caller, can tell
 * whether they still do.
 */
void ngx_http_longpoll_zone_reader_remember(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader);

/* grows the scratch memory; without the lock; NGX_OK, NGX_ERROR: no memory */
ngx_int_t ngx_http_longpoll_zone_reader_grow(
    ngx_http_longpoll_zone_reader_t *reader);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_READER_H_INCLUDED_ */
