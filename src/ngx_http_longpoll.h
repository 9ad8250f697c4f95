
/*
 * ngx_http_longpoll.h: the words that every file of the module uses.
 *
 *     zone      the store in shared memory
 *     category  a topic
 *     message   what is stored; an event, on the wire
 *     waiter    a request that is parked until a message comes
 *     cursor    what a client has seen: its next poll goes on behind it
 *     epoch     of a zone: from its making to the end of that nginx, over all
 *               reloads; the bits that its ids have in common
 *     interest  that polls of a worker wait for a category; slotless, if the
 *               zone has no slot free for the category
 *     dirty     of a worker: a category with something new, whose waiters
 *               are not woken yet
 *     pending   of a worker: a message that waits for it (delete_on_read)
 *     reap      to end all that a dead worker has in the zones
 *     drain     to answer the polls of a worker that leaves, one by one
 *     step      stores that are undone together if their process is killed
 *     frozen    of a zone that one of another size has replaced: it gives
 *               nothing and takes nothing
 *
 * A time is milliseconds since 1970, uint64_t, unless its name says otherwise.
 */


#ifndef _NGX_HTTP_LONGPOLL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_LONGPOLL_VERSION         "0.1.0"

/* limits of the protocol */

#define NGX_HTTP_LONGPOLL_MAX_CATEGORY    1024    /* bytes of one name */
#define NGX_HTTP_LONGPOLL_MAX_CATEGORIES  64      /* in one poll */
#define NGX_HTTP_LONGPOLL_MAX_MESSAGES    1000    /* in one publish */
#define NGX_HTTP_LONGPOLL_MAX_RECENT      1000    /* to begin a poll with */

/*
 * Workers that can share a zone, which is the bits of a set of them.  A worker
 * beyond them has the number NO_WORKER.
 */

#define NGX_HTTP_LONGPOLL_WORKERS         64
#define NGX_HTTP_LONGPOLL_NO_WORKER       NGX_HTTP_LONGPOLL_WORKERS

/*
 * A point outside the zone's lock where a test may kill the worker
 * (t/faults/die.c).  In a release it is nothing.
 */

#if (NGX_HTTP_LONGPOLL_STEPS)
void ngx_http_longpoll_point(const char *name);
#else
#define ngx_http_longpoll_point(name)
#endif


typedef struct ngx_http_longpoll_zone_s  ngx_http_longpoll_zone_t;


/* a category of a request */

typedef struct {
    ngx_str_t                 name;
    uint64_t                  hash[2];      /* of the name, with the zone's
                                               key */
    uint32_t                  slot;         /* the zone's own, while it is
                                               published to */
} ngx_http_longpoll_cat_t;


/* a client of gpoll, as its id names it */

typedef struct {
    uint64_t                  uuid[2];      /* uuid[1] is the first half */
    uint32_t                  number;       /* of its entry in the zone */
} ngx_http_longpoll_client_t;


/* a UUID: its first and its last eight bytes, as they read */

typedef struct {
    uint64_t                  high;         /* 0: none */
    uint64_t                  low;
} ngx_http_longpoll_uuid_t;


/*
 * A message on its way into the zone or out of it.  The bytes of data belong to
 * the caller, or to the zone's log.
 */

typedef struct {
    uint64_t                  id;           /* see ngx_http_longpoll_id.h */
    ngx_http_longpoll_uuid_t  uuid;         /* the id as clients see it */
    ngx_uint_t                cat;          /* index into an array of
                                               categories */
    ngx_str_t                 data;         /* JSON without line ends */
    uint64_t                  pos;          /* the zone's own: while it is
                                               published, the slot; while it is
                                               read, the ref, then the log's
                                               position */
} ngx_http_longpoll_msg_t;


/*
 * The wall clock, in ms.  nginx's cached time is as old as the turn of its
 * event loop, which may have lasted a tenth of a second.
 */

static ngx_inline uint64_t
ngx_http_longpoll_now(void)
{
    struct timeval  tv;

    ngx_gettimeofday(&tv);

    return (uint64_t) tv.tv_sec * 1000 + tv.tv_usec / 1000;
}


#endif /* _NGX_HTTP_LONGPOLL_H_INCLUDED_ */
