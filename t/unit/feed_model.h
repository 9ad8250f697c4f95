
/*
 * feed_model.h: what zones that are copies of a stream must hold and tell.
 *
 * A world has one stream and some nodes, each a zone with a reader.  The stream
 * is Redis's, as the zone's readers and publishers use it: entries with ids and
 * numbers, the list of epochs, and faults: it is trimmed, loses its tail, is
 * restarted or wiped.  Clients poll one node after the other.
 *
 *     stream   ... | entry | entry | entry      feed_stream.c
 *                      |        |       |
 *     node 0  ---------+        |       |       feed_node.c: reads, is cut off,
 *     node 1  ------------------+       |       is killed, begins anew
 *     node 2  --------------------------+
 *     client: cursor -> any node -> cursor      feed_client.c: it is given
 *                                               events, or is told
 *
 * After every op a node holds exactly the events of the entries that it has
 * read (feed_check.c).  A client is given every event behind its cursor once,
 * or is told missed.  Where nothing but connections is cut, none is told.
 *
 * In a crash world a node's calls are killed at their first store, then at the
 * second, and so on; after each kill the zone has the entry or has it not.
 */


#ifndef _FEED_MODEL_H_INCLUDED_
#define _FEED_MODEL_H_INCLUDED_


#include "unit.h"
#include "zone_check.h"

#include <ngx_http_longpoll_cursor.h>
#include <ngx_http_longpoll_zone.h>
#include <ngx_http_longpoll_zone_clock.h>
#include <ngx_http_longpoll_zone_epoch.h>
#include <ngx_http_longpoll_zone_feed.h>
#include <ngx_http_longpoll_zone_lock.h>
#include <ngx_http_longpoll_zone_msg.h>
#include <ngx_http_longpoll_zone_publish.h>
#include <ngx_http_longpoll_zone_read.h>
#include <ngx_http_longpoll_zone_tick.h>
#include <ngx_http_longpoll_zone_watch.h>


/* of a world */

#define MODEL_CRASH    0x01     /* kills */
#define MODEL_FAULTS   0x02     /* the stream loses something */
#define MODEL_SKEW     0x04     /* a new Redis has another clock; then no client
                                   has times alone */

#define MODEL_NODES    3
#define MODEL_WORKERS  3
#define MODEL_CATS     6
#define MODEL_CLIENTS  12
#define MODEL_BATCH    5
#define MODEL_ENTRIES  20000
#define MODEL_EVENTS   6000
#define MODEL_LIVES    NGX_HTTP_LONGPOLL_EPOCHS
#define MODEL_TIME     1700000000000ULL


/* an event that was published; the place in m.events is its number */

typedef struct {
    uint64_t                   id;
    uint64_t                   epoch;
    ngx_uint_t                 cat;
    ngx_uint_t                 deleted;     /* or of an id that came again */
} model_event_t;


typedef enum {
    MODEL_EVENTS_E = 0,
    MODEL_DELETE,
    MODEL_BEAT,
    MODEL_LIFE,
    MODEL_STRANGE
} model_entry_e;


typedef struct {
    model_entry_e              kind;
    ngx_http_longpoll_entry_place_t  place;
    uint64_t                   number;      /* 0: it cannot be read */
    uint64_t                   hash;
    ngx_uint_t                 n;           /* events, or categories */
    ngx_uint_t                 first;       /* event */
    ngx_uint_t                 cats[MODEL_BATCH];
    ngx_uint_t                 key;         /* 0: none */
    uint64_t                   epoch;
} model_entry_t;


/* all that a Redis has, but for the entries themselves */

typedef struct {
    ngx_uint_t                 first;       /* entries, in m.entries */
    ngx_uint_t                 last;
    ngx_http_longpoll_entry_place_t  top;   /* last generated id */
    uint64_t                   number;
    ngx_http_longpoll_entry_life_t  lives[MODEL_LIVES];
    ngx_uint_t                 nlives;
    uint64_t                   run;         /* that began the newest one */
} model_stream_t;


/* what a zone must have */

typedef struct {
    uint64_t                   visible;
    ngx_http_longpoll_entry_place_t  place;
    uint64_t                   hash;
    uint64_t                   number;
    uint64_t                   gap;
    uint64_t                   begin;
    uint64_t                   epoch;
    ngx_uint_t                 synced;
    ngx_http_longpoll_entry_life_t  lives[MODEL_LIVES + 1];
    ngx_uint_t                 nlives;
    ngx_uint_t                 n;
    ngx_uint_t                 events[MODEL_EVENTS];
} model_state_t;


typedef struct {
    ngx_http_longpoll_zone_t   zone;
    u_char                    *mem;
    u_char                    *copy;
    uint64_t                   skew;        /* of CLOCK_MONOTONIC */
    ngx_uint_t                 life;        /* how often it began anew */
    ngx_uint_t                 connected;
    uint64_t                   run;         /* of its connection's Redis */
    ngx_uint_t                 cut;         /* turns that it is cut off */
    ngx_uint_t                 worker;      /* the reader */
    ngx_http_longpoll_entry_life_t  first;      /* of the list it knows */
    model_entry_t              entry;       /* as it read it last */
    model_state_t              state;
    model_state_t              next;        /* behind the call at hand */
} model_node_t;


typedef enum {
    MODEL_BY_ID = 0,            /* last_id alone */
    MODEL_BY_BOTH,
    MODEL_BY_TIME               /* since_time alone */
} model_client_e;


typedef struct {
    model_client_e             kind;
    ngx_uint_t                 ncats;
    ngx_uint_t                 cats[3];
    ngx_http_longpoll_query_t  q;
    ngx_http_longpoll_cursor_t cursor;      /* while it is parked */
    ngx_uint_t                 now;         /* it came without a cursor, or
                                               with one too far ahead */
    ngx_uint_t                 wall;        /* its time is a wall clock's: the
                                               zone was not synced */
    ngx_uint_t                 parked;      /* node + 1 */
    ngx_uint_t                 life;        /* of that node */
    uint64_t                   start;       /* it was given all up to here */
    uint64_t                   epoch;       /* and was told of what earlier
                                               epochs lost */
    u_char                     got[MODEL_EVENTS];
} model_client_t;


typedef struct {
    ngx_uint_t                 flags;
    uint64_t                   now;         /* ms */
    uint64_t                   skew;        /* of Redis's clock */
    uint64_t                   nlives;      /* epochs that began, */
    uint64_t                   begins[MODEL_ENTRIES];   /* and where */
    uint64_t                   run;
    uint64_t                   elapsed;     /* of the node at hand */
    size_t                     size;
    size_t                     mem_size;
    ngx_shmtx_t                mutex;
    model_stream_t             stream;
    model_stream_t             replica;
    ngx_uint_t                 stalled;     /* the replica stays behind */
    ngx_uint_t                 nentries;
    model_entry_t              entries[MODEL_ENTRIES];
    ngx_uint_t                 nevents;
    model_event_t              events[MODEL_EVENTS];
    model_node_t               nodes[MODEL_NODES];
    model_client_t             clients[MODEL_CLIENTS];
    ngx_http_longpoll_cat_t    cats[MODEL_CATS];
} model_t;


extern model_t  m;


#define model_id(place)                                                       \
    ((place).ms << 16 | ngx_min((place).seq, 0xffff))


/* feed_stream.c */

int model_compare(ngx_http_longpoll_entry_place_t *a,
    ngx_http_longpoll_entry_place_t *b);
ngx_uint_t model_publish(uint64_t epoch, ngx_uint_t n, ngx_uint_t key);
ngx_uint_t model_delete(uint64_t epoch);
ngx_uint_t model_beat(uint64_t epoch);
void model_strange(void);
void model_begin(uint64_t first, uint64_t above);
void model_trim(void);
void model_restart(void);
void model_failover(void);
void model_wipe(void);


/* feed_node.c */

void model_node_init(model_node_t *node);
void model_fresh(model_node_t *node);
void model_step(model_node_t *node, ngx_uint_t count);
uint64_t model_clock(model_node_t *node);


/* feed_client.c */

void model_client_init(model_client_t *c, ngx_uint_t kind);
void model_poll(model_client_t *c, model_node_t *node);


/* feed_check.c */

/* the zone is as state says; partly: it may lack some events of these */
void model_check(model_node_t *node, model_state_t *state, ngx_uint_t partly);

/* behind a kill: the zone is as before the call, or as behind it */
void model_check_killed(model_node_t *node);

/* two nodes that have read the stream to its end answer the same */
void model_check_same(model_node_t *a, model_node_t *b);


#endif /* _FEED_MODEL_H_INCLUDED_ */
