
/*
 * store_model.h: what a zone must do, said again with plain arrays.
 *
 * The model keeps every message in one array by id, and for each category what
 * it lost, when it was used, and which workers are interested.  It foretells
 * answers exactly.  It does not foretell which messages a call drops; after
 * every call it compares, finds the messages that went, and asks that each had
 * a reason:
 *
 *     TTL      its time was over
 *     TRIM     its category had more than buffer, it was the oldest of them
 *     ROOM     a publish needed room, it was the oldest of all
 *     SLOT     a publish needed a slot, its whole category went
 *     IDLED    its category was inactive, all of it went
 *     DELETED  deleted, or read with delete_on_read
 *
 * All but the last are losses, which older cursors miss.
 *
 *     store_world.c    a zone and its model are made
 *     store_call.c     an op is made: one call of the store
 *     store_op.c       an op runs, in a plain world or in a crash world
 *     store_judge.c    which messages came and went, and why
 *     store_result.c   the answer of a call
 *     store_client.c   gpoll's clients
 *     store_check.c    the whole zone
 *     store_worker.c   what workers do with ops
 *
 * model_op() runs an op in one of two ways.  In a plain world ops of other
 * workers may come in front of every hold of the lock (MODEL_BETWEEN).  In a
 * crash world the call is first killed at its first store, then at its second,
 * and so on, each time from the same memory, until it comes to its end.
 *
 * The model takes over what an op has done when the op is over.  Some ops end
 * interests and pending bits hold by hold (m.begun): a reap, an unwatch, an
 * acknowledgement.  Between two holds those may be there or not, and no wake-up
 * is due for an interest that ends: no poll is left that wants it.
 */


#ifndef _STORE_MODEL_H_INCLUDED_
#define _STORE_MODEL_H_INCLUDED_


#include "unit.h"
#include "zone_check.h"

#include <ngx_http_longpoll_zone.h>
#include <ngx_http_longpoll_zone_client.h>
#include <ngx_http_longpoll_zone_delete.h>
#include <ngx_http_longpoll_zone_publish.h>
#include <ngx_http_longpoll_zone_read.h>
#include <ngx_http_longpoll_zone_reader.h>
#include <ngx_http_longpoll_zone_adopt.h>
#include <ngx_http_longpoll_zone_disk.h>
#include <ngx_http_longpoll_zone_clock.h>
#include <ngx_http_longpoll_zone_load.h>
#include <ngx_http_longpoll_zone_status.h>
#include <ngx_http_longpoll_zone_tick.h>
#include <ngx_http_longpoll_zone_watch.h>


/* of a world */

#define MODEL_CRASH     0x01    /* kills */
#define MODEL_BETWEEN   0x02    /* ops between lock holds */
#define MODEL_CROWDED   0x04    /* more categories than slots */
#define MODEL_IDLE      0x08    /* inactive is set now and then */
#define MODEL_TAKE      0x10    /* delete_on_read is set now and then */
#define MODEL_LARGE     0x20    /* megabytes */
#define MODEL_PLAIN     0x40    /* directed: no random configuration */


#define MODEL_WORKERS   3
#define MODEL_NOBODY    MODEL_WORKERS
#define MODEL_PARKS     24
#define MODEL_PATTERN   (1024 * 1024 + 65536 + 65521)
#define MODEL_EPOCH     1700000000000ULL

#define MODEL_TTL       0x01
#define MODEL_TRIM       0x02
#define MODEL_ROOM      0x04
#define MODEL_SLOT      0x08
#define MODEL_IDLED     0x10
#define MODEL_DELETED      0x20


typedef struct {
    uint64_t                   id;
    uint32_t                   cat;
    uint32_t                   uid;         /* which bytes */
    uint32_t                   len;
    uint32_t                   bytes;       /* in the log */
    uint32_t                   key;         /* 0: none */
    uint32_t                   behind;      /* how many of its publish */
    uint64_t                   pending;
    unsigned                   has_pending:1;   /* there is a mask of pending
                                                   workers */
    unsigned                   taken:1;
    unsigned                   dead:1;
    unsigned                   fresh:1;     /* came in this op */
    unsigned                   why:6;
    unsigned                   oldest:1;    /* of all, when it went */
    unsigned                   skipped:1;   /* an older one of its category
                                               stayed */
    uint64_t                   died;        /* in which op */
} model_msg_t;


/* a worker's interest in a category */

typedef struct {
    ngx_uint_t                 refs;        /* parks */
    ngx_uint_t                 bit;         /* is in the slot */
    ngx_uint_t                 slotless;    /* how often it is counted without
                                               a slot */
    uint32_t                   slot;
    ngx_uint_t                 begun;       /* since is set */
    uint64_t                   since;       /* what is pending is later */
    uint64_t                   pending;     /* op that published, 0: woken */
} model_interest_t;


typedef struct {
    ngx_http_longpoll_cat_t    cat;
    uint64_t                   count;
    uint64_t                   dropped;     /* highest id lost */
    uint64_t                   used_min;    /* used last, at least */
    uint64_t                   used_max;    /* and at most */
    model_interest_t           interest[MODEL_WORKERS];

    /* in one op */
    uint64_t                   mark;
    uint64_t                   index;
    uint64_t                   pass;        /* of these */
    uint64_t                   went;
    uint64_t                   went_old;    /* that did not come in this op */
    uint64_t                   came;
    uint64_t                   given;       /* of these that went, taken */
    uint64_t                   lost;
    uint64_t                   survivor;    /* in which pass */
} model_cat_t;


/* an entry of the clients, by number */

typedef struct {
    uint64_t                   uuid[2];     /* uuid[0] == 0: nobody's */
    uint64_t                   seen;
    uint64_t                   used;
    uint64_t                   waiting;
    uint64_t                   order;       /* among the idle */
} model_client_t;


typedef struct {
    ngx_uint_t                 busy;
    ngx_uint_t                 worker;
    ngx_uint_t                 by_client;   /* it is gpoll's, of client */
    ngx_http_longpoll_client_t client;
    uint64_t                   id;
    ngx_uint_t                 ncats;
    uint32_t                   cats[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
} model_park_t;


typedef enum {
    MODEL_PUBLISH = 0,
    MODEL_READ,
    MODEL_UNWATCH,
    MODEL_SLOTLESS,
    MODEL_ACKNOWLEDGE,
    MODEL_DIRTY,
    MODEL_WAKE_ALL,
    MODEL_DELETE,
    MODEL_TICK,
    MODEL_REAP,
    MODEL_CONFIGURE,
    MODEL_STATUS,
    MODEL_ADD_CLIENT,
    MODEL_LEAVE_CLIENT
} model_op_e;


typedef struct {
    model_op_e                 kind;
    uint64_t                   now;
    ngx_uint_t                 worker;      /* index, or MODEL_NOBODY */
    uint32_t                   cat;         /* unwatch, slotless, acknowledge,
                                               delete */
    uint32_t                   slot;
    ngx_int_t                  slotless;
    ngx_http_longpoll_zone_conf_t  conf;

    /* publish: n, read: ncats */
    ngx_uint_t                 n;
    uint32_t                   which[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    uint32_t                   uids[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    ngx_http_longpoll_cat_t    cats[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    ngx_http_longpoll_msg_t    msgs[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    ngx_uint_t                 key;         /* 0: none */
    uint64_t                   need;
    ngx_uint_t                 distinct;

    ngx_http_longpoll_read_t   rd;
    ngx_http_longpoll_cursor_t cursor;
    size_t                     costs[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    uint32_t                   slots[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];

    /* of a client of gpoll's */
    ngx_uint_t                 by_client;
    ngx_http_longpoll_client_t client;
    model_client_t             previous;      /* before the last hold */

    /* how it went */
    uint64_t                   serial;
    ngx_uint_t                 locks;
    ngx_uint_t                 between;     /* ops of others */
    ngx_uint_t                 done;        /* no longer on its way */
    uint64_t                   visible;     /* at the beginning */
    uint64_t                   idle;        /* then, a bit for each category */
    uint64_t                   second;      /* then */
    uint64_t                   published;   /* then */
    uint64_t                   last_id;     /* before the last hold */
    uint64_t                   clock;       /* then */
    uint64_t                   bound;       /* visible at the first hold */
    ngx_int_t                  rc;
    uint64_t                   wake;
    uint64_t                   hashes[NGX_HTTP_LONGPOLL_DIRTY][2];
    ngx_http_longpoll_zone_status_t  st;
} model_op_t;


typedef struct {
    ngx_uint_t                 flags;
    ngx_uint_t                 exact;       /* no category is ever evicted or
                                               inactive */
    size_t                     size;
    size_t                     mem_size;
    u_char                    *mem;
    u_char                    *copy;        /* of mem, in a crash world */

    ngx_http_longpoll_zone_t   zone;
    ngx_shmtx_t                mutex;
    ngx_http_longpoll_zone_sh_t  *sh;
    ngx_http_longpoll_zone_conf_t  conf;    /* in force */
    uint64_t                   lag;         /* of slot->used */

    uint64_t                   now;
    uint64_t                   last_id;
    uint64_t                   visible;
    uint64_t                   floor;       /* ms of a time-out answer: later
                                               ids are beyond */
    uint64_t                   max_dropped;
    uint32_t                   uid;
    uint64_t                   expired;
    uint64_t                   evicted;

    ngx_uint_t                 ncats;
    model_cat_t               *cats;
    ngx_uint_t                 full;        /* with messages */
    uint32_t                  *map;         /* by hash */
    ngx_uint_t                 nmap;

    model_msg_t              **all;
    ngx_uint_t                 nall;
    ngx_uint_t                 max_all;
    ngx_uint_t                 nlive;
    uint64_t                   live;

    model_msg_t              **went;        /* in one op */
    ngx_uint_t                 nwent;
    ngx_uint_t                 came;

    uint32_t                   max_clients;
    uint32_t                   nclients;
    uint32_t                   nidle;
    model_client_t            *clients;

    model_park_t               parks[MODEL_PARKS];
    ngx_uint_t                 workers[MODEL_WORKERS];
    ngx_uint_t                 slotless[MODEL_WORKERS];
    ngx_uint_t                 waking[MODEL_WORKERS];
    uint64_t                   waiting[MODEL_WORKERS];
    ngx_uint_t                 invalid;     /* reads, one after another */

    ngx_uint_t                 immortal;    /* every kill is undone */
    uint64_t                   serial;      /* of ops */
    uint64_t                   pass;        /* of model_diff() */
    ngx_uint_t                 scarce;      /* a read may get no memory */
    ngx_uint_t                 depth;
    model_op_t                *op;
    model_op_t                *begun;       /* its first hold has been, or is
                                               next */

    /* in place of random ops, before the lock of that number */
    void                     (*script)(void);
    ngx_uint_t                 script_lock;

    uint64_t                   small;       /* bytes of most messages */
    ngx_uint_t                 every;       /* ops between checks */
} model_t;


extern model_t  m;
extern u_char   model_pattern[MODEL_PATTERN];


#define model_ms(id)   ngx_http_longpoll_id_ms(id)
#define model_bit(w)   ((uint64_t) 1 << m.workers[w])

#define model_msg(ref)                                                        \
    ((ngx_http_longpoll_msg_sh_t *) ngx_http_longpoll_log_rec(&m.zone.log,    \
                                                              ref))

#define model_bytes(uid)                                                      \
    (&model_pattern[(uint64_t) (uid) * 2654435761U % 65521])
#define model_entry(n)  (&m.zone.clients.entries[n])


/* store_world.c */

void model_zone_init(ngx_uint_t exists);
uint32_t model_find_cat(const uint64_t hash[2]);
void model_random_conf(ngx_http_longpoll_zone_conf_t *conf);
void model_conf_is(ngx_http_longpoll_zone_conf_t *conf);
void model_world(uint64_t seed, ngx_uint_t flags, size_t size, ngx_uint_t
    ncats, ngx_http_longpoll_zone_conf_t *conf);
void model_random_world(uint64_t seed, ngx_uint_t flags);
void model_end(void);


/* store_check.c */

void model_check_log(void);
ngx_uint_t model_woken(ngx_uint_t w, uint32_t n, uint64_t count);
void model_check(void);


/* store_judge.c */

uint64_t model_clock(uint64_t now);
ngx_uint_t model_index(uint64_t id);
uint64_t model_need(uint32_t n, uint64_t len, ngx_uint_t keyed);
void model_diff(model_op_t *op, ngx_uint_t killed, ngx_uint_t final,
    ngx_uint_t all);
void model_mark(model_op_t *op);
ngx_uint_t model_has(model_op_t *op, uint32_t n);
ngx_uint_t model_was_given(model_op_t *op, uint64_t id);
ngx_uint_t model_ending(ngx_uint_t w, uint32_t n);
ngx_uint_t model_pinned(uint32_t n, ngx_uint_t sure);
ngx_uint_t model_idle(uint32_t n, uint64_t now, ngx_uint_t must);
uint64_t model_limit(void);
void model_judge(model_op_t *op, ngx_uint_t killed);
void model_unapply(void);
void model_apply(model_op_t *op);
void model_sync(model_op_t *op, ngx_uint_t killed, ngx_uint_t final);
void model_prune(void);


/* store_client.c */

void model_judge_clients(model_op_t *op, ngx_uint_t killed);
void model_apply_clients(void);
void model_check_clients(void);
void model_client_result(model_op_t *op);
void model_some_client(model_op_t *op);


/* store_call.c */

const char *model_name(model_op_t *op);
void model_begin(model_op_t *op);
void model_call(model_op_t *op);
void model_set(model_op_t *op, model_op_e kind, ngx_uint_t worker, uint32_t
    cat);
void model_set_read(model_op_t *op, ngx_uint_t worker);
uint32_t model_some_cat(void);
uint64_t model_some_len(void);
void model_some_cursor(ngx_http_longpoll_cursor_t *cursor);
void model_add(model_op_t *op, uint32_t cat, uint64_t len);


/* store_result.c */

ngx_uint_t model_expect(model_op_t *op, uint64_t seen, model_msg_t **found);
void model_result(model_op_t *op);


/* store_op.c */

void model_hook(void);
void model_recover(void);
int model_reap(ngx_uint_t worker, int (*call)(model_op_t *op));
void model_clean(void *data);
void model_crash_empty_log(void);
int model_op(model_op_t *op);


/* store_worker.c */

int model_publish(ngx_uint_t worker);
int model_read(model_op_t *op);
int model_park_op(model_op_t *op);
int model_leave(model_park_t *left);
int model_drain(ngx_uint_t worker);
void model_pin_all(void);
void model_crash_newest(void);
void model_act(ngx_uint_t other, ngx_uint_t reads);


#endif /* _STORE_MODEL_H_INCLUDED_ */
