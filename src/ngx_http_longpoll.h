
/*
 * ngx_http_longpoll.h: the words that every file of the module uses.
 *
 * A stored thing is a message (on the wire it is called an event), a topic is
 * a category, a parked request a waiter, the store in shared memory a zone.
 * Times are milliseconds since the epoch, uint64_t, unless a name says
 * otherwise.
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

/*
 * Workers that can share a zone, which is the bits of a set of them.  A worker
 * beyond them has the number NO_WORKER.
 */

#define NGX_HTTP_LONGPOLL_WORKERS         64
#define NGX_HTTP_LONGPOLL_NO_WORKER       NGX_HTTP_LONGPOLL_WORKERS

/*
 * A place outside the zone's lock where a worker may be killed; it is so for a
 * test (t/faults/die.c), and nothing otherwise.
 */

#if (NGX_HTTP_LONGPOLL_STEPS)
void ngx_http_longpoll_point(const char *name);
#else
#define ngx_http_longpoll_point(name)
#endif

/*
 * A since_time from here on is a real date (September 2001); a smaller one
 * asks for everything there is.
 */

#define NGX_HTTP_LONGPOLL_REAL_DATE       1000000000000ULL


typedef struct ngx_http_longpoll_zone_s  ngx_http_longpoll_zone_t;


/* a category as a request names it */

typedef struct {
    ngx_str_t             name;
    uint64_t              hash[2];      /* of the name, under the zone's key */
} ngx_http_longpoll_cat_t;


/* a client of gpoll's, as its id names it: see place */

typedef struct {
    uint64_t              uuid[2];      /* the second half is uuid[0] */
    uint32_t              number;
} ngx_http_longpoll_client_t;


/* categories that the configuration names */

typedef struct {
    ngx_str_t            *values;
    ngx_uint_t            n;
    ngx_int_t             separator;    /* that cuts them up, -1: none */
} ngx_http_longpoll_configured_t;


/* an id as it is told: the first and the last eight bytes, as they read */

typedef struct {
    uint64_t              high;         /* 0: none */
    uint64_t              low;
} ngx_http_longpoll_uuid_t;


/* a message, going in or coming out; the bytes belong to somebody else */

typedef struct {
    uint64_t              id;           /* see ngx_http_longpoll_id.h */
    ngx_http_longpoll_uuid_t  uuid;     /* that it is told by */
    ngx_uint_t            cat;          /* index into the categories at hand */
    ngx_str_t             data;         /* JSON text without line ends */
    uint64_t              pos;          /* the zone's */
} ngx_http_longpoll_msg_t;


/* how a request ended: $longpoll_result */

typedef enum {
    NGX_HTTP_LONGPOLL_NONE = 0,
    NGX_HTTP_LONGPOLL_EVENTS,
    NGX_HTTP_LONGPOLL_TIMEOUT,
    NGX_HTTP_LONGPOLL_CLOSING,
    NGX_HTTP_LONGPOLL_GONE,
    NGX_HTTP_LONGPOLL_ERROR,
    NGX_HTTP_LONGPOLL_PUBLISHED,
    NGX_HTTP_LONGPOLL_DELETED,
    NGX_HTTP_LONGPOLL_REGISTERED
} ngx_http_longpoll_result_e;


/* the wall clock, in ms; nginx's own is as old as the turn of its loop */

static ngx_inline uint64_t
ngx_http_longpoll_now(void)
{
    struct timeval  tv;

    ngx_gettimeofday(&tv);

    return (uint64_t) tv.tv_sec * 1000 + tv.tv_usec / 1000;
}


#endif /* _NGX_HTTP_LONGPOLL_H_INCLUDED_ */
