
/*
 * reader.h: the unit test of src/cluster/feed and what it is made of: lives,
 * apply, upkeep.  And of resolve, which the link has.
 *
 *     reader.c         cases by hand, random worlds
 *     reader_redis.c   a Redis, with the link, the relay and the scripts
 *     reader_zone.c    a zone: what the reader told it
 *     reader_nginx.c   time, timers, memory, the log
 *
 * All is in one process, and time is the model's.  A step is one reply, or one
 * timer.
 */


#ifndef _READER_H_INCLUDED_
#define _READER_H_INCLUDED_


#include <ngx_http_longpoll_feed.h>
#include <ngx_http_longpoll_apply.h>
#include <ngx_http_longpoll_lives.h>
#include <ngx_http_longpoll_notify.h>
#include <ngx_http_longpoll_link.h>
#include <ngx_http_longpoll_relay.h>
#include <ngx_http_longpoll_resolve.h>
#include <ngx_http_longpoll_zone_feed.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unit.h"


#define READER_FIELDS   16
#define READER_ENTRIES  4000
#define READER_LINES    4096


typedef struct {
    ngx_http_longpoll_entry_place_t   id;
    ngx_http_longpoll_entry_place_t   last;      /* of the stream, when the next
                                                   one came */
    ngx_uint_t                        n;
    char                             *fields[READER_FIELDS];
} reader_entry_t;


/* the Redis; the test changes it between steps */

typedef struct {
    ngx_uint_t                        up;
    ngx_uint_t                        run;       /* number of its run id */
    uint64_t                          behind;    /* ms: its clock is */
    ngx_uint_t                        exists;    /* the stream */
    ngx_uint_t                        nentries;
    reader_entry_t                    entries[READER_ENTRIES];
    ngx_http_longpoll_entry_place_t   last;
    ngx_http_longpoll_entry_place_t   deleted;   /* the last one, by XDEL */
    uint64_t                          number;
    char                              life[READER_LINES];
    ngx_uint_t                        bytes;     /* that MEMORY USAGE says */

    ngx_uint_t                        garbage;   /* 1 reply of so many is */
    const char                       *error;     /* XREAD says this once */
    ngx_uint_t                        full;      /* it takes no beats */
    ngx_uint_t                        restless;  /* at each GET a stranger
                                                   writes, and trims the rest */
    ngx_uint_t                        withdrawn; /* so many GETs delete the last
                                                   entry */

    /* what was asked of it */
    ngx_uint_t                        begins;
    ngx_uint_t                        beats;
    ngx_uint_t                        trims;
    ngx_uint_t                        reads;
    ngx_uint_t                        gets;
    ngx_uint_t                        places;    /* looks for the zone's last
                                                    entry */
} reader_redis_t;

extern reader_redis_t  redis;


/* the zone, and what it was told */

typedef struct {
    ngx_http_longpoll_zone_t          z;
    ngx_http_longpoll_cluster_t       cluster;
    ngx_http_longpoll_cluster_server_t  server;

    ngx_uint_t                        nevents;
    uint64_t                          events[READER_ENTRIES];
    uint64_t                          missed;    /* cursors below are told */
    ngx_uint_t                        empties;
    ngx_uint_t                        begins;
    ngx_uint_t                        begun;
    ngx_uint_t                        skips;
    ngx_uint_t                        deletes;
    ngx_uint_t                        gaps;
    ngx_uint_t                        nlives;
    struct {
        uint64_t                      epoch;
        uint64_t                      begin;
    }                                 lives[64];
    ngx_uint_t                        other;     /* another worker reads */
    ngx_uint_t                        waits;     /* 1: somebody waits; 2: a
                                                   crowd for the reader alone */
    ngx_uint_t                        nonsense;  /* Redis may say anything */
} reader_zone_t;

extern reader_zone_t   zone;


/* reader_nginx.c */

extern uint64_t        reader_now;              /* ms */
extern char            reader_log[65536];

/* the timer that is due next; NULL: none.  It fires */
ngx_event_t *reader_timer(void);
void reader_fire(ngx_event_t *ev);

/* time is as at the beginning */
void reader_time_init(void);

/* it is so late */
void reader_pass(uint64_t msec);

/* all timers are forgotten, with their worker */
void reader_timers_end(void);

/* how often a text is in the log */
ngx_uint_t reader_logged(const char *text);


/* reader_redis.c */

void reader_redis_init(void);

/* does what is due until then: one reply, or one timer; or time passes */
void reader_step(uint64_t until);

/* an entry with fields behind n, NULL at the end; with id NULL the next one */
uint64_t reader_add(const char *id, ...);

/* an entry without a number */
void reader_strange(void);

/* an entry of so many events, as the script writes it; its last id */
uint64_t reader_publish(ngx_uint_t n);

/* the first entries are trimmed; the last ones lost; all that is in Redis */
void reader_trim(ngx_uint_t n);
void reader_lose(ngx_uint_t n);

/* the last entry is deleted, as by XDEL; the next one is behind it */
void reader_delete(void);
void reader_flush(void);

/* the connections break */
void reader_cut(void);

/* the worker that had them has died */
void reader_forget(void);


/* reader_zone.c */

void reader_zone_init(void);

/* the life of an id, as the zone knows it; 0: none */
uint64_t reader_epoch(uint64_t id);


#endif /* _READER_H_INCLUDED_ */
