
/*
 * ngx_http_longpoll_zone_status.h: figures for operators.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_STATUS_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_STATUS_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


typedef struct {
    uint64_t                         size;      /* bytes */
    uint64_t                         used;
    uint64_t                         categories;
    uint64_t                         events;
    uint64_t                         waiting;
    ngx_http_longpoll_counters_t     counters;
} ngx_http_longpoll_zone_status_t;


typedef struct {
    uint64_t                         events;
    ngx_http_longpoll_uuid_t         first;     /* set if there are events */
    ngx_http_longpoll_uuid_t         last;
    ngx_uint_t                       presence;  /* present is set */
    ngx_uint_t                       present;
} ngx_http_longpoll_category_status_t;


/* of a zone with a file: whether its log is being written */

typedef struct {
    uint64_t                         ok;        /* 1: the last write succeeded,
                                                   and none is overdue by more
                                                   than flush */
    uint64_t                         lag;       /* ms: age of the oldest message
                                                   that is not in the log */
    uint64_t                         failures;
    uint64_t                         bytes;     /* of all files */
} ngx_http_longpoll_disk_status_t;


/* of a zone that is a copy of a stream: whether it is being fed */

typedef struct {
    uint64_t                         connected; /* 1: so is the reader */
    uint64_t                         synced;    /* 1: the zone has seen the end
                                                   of the stream */
    uint64_t                         lag;       /* ms: age of what was read
                                                   last */
    uint64_t                         in_flight; /* publishes that wait */
    uint64_t                         reconnects;
    uint64_t                         lives;     /* epochs that began */
    uint64_t                         gaps;
    uint64_t                         bad;       /* entries that were skipped */
} ngx_http_longpoll_feed_status_t;


/*
 * The figures of the zone.  waiting is the sum over the workers in alive;
 * counters.delivered is that of all workers.
 */
void ngx_http_longpoll_zone_status(ngx_http_longpoll_zone_t *z, uint64_t alive,
    ngx_http_longpoll_zone_status_t *st);

/* a cursor at the newest position now; takes the lock, but mostly not if the
   zone is no copy */
void ngx_http_longpoll_zone_status_cursor(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_uuid_t *uuid);

/* takes the lock */
void ngx_http_longpoll_zone_status_disk(ngx_http_longpoll_zone_t *z,
    uint64_t now, ngx_http_longpoll_disk_status_t *st);

/* in_flight is the sum over the workers in alive; takes no lock */
void ngx_http_longpoll_zone_status_feed(ngx_http_longpoll_zone_t *z,
    uint64_t alive, uint64_t now, ngx_http_longpoll_feed_status_t *st);

/* the figures of one category; asking for them does not count as use */
void ngx_http_longpoll_zone_status_category(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now,
    ngx_http_longpoll_category_status_t *st);


/* the same of a slot that has messages; the caller holds the lock */
void ngx_http_longpoll_zone_status_slot_locked(ngx_http_longpoll_zone_t *z,
    uint32_t slot, ngx_http_longpoll_category_status_t *st);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_STATUS_H_INCLUDED_ */
