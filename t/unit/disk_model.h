
/*
 * disk_model.h: random worlds of nginxes, their workers, and a disk.
 *
 * A world is a row of lives.  In each life an nginx loads the log, its workers
 * publish, delete and read, one of them writes the log, and some are killed.
 * Then all of it is killed, or the power is cut, or nginx ends cleanly.  In an
 * upgrade two nginxes live at a time.  The store and the log are the real ones;
 * the disk, the event loop and the threads are played.
 *
 * The model knows of each event who published it, what the publisher was told,
 * whether readers saw it, and why it went.  After each loading it checks:
 *
 *     what was acknowledged, and is on disk, is there, once and unchanged
 *     what was deleted, taken or refused, and noted, is not
 *     a cursor that missed something is told, and no other one is if the end
 *       was clean, or all that readers saw was on disk (durable)
 *     the files take no more than was promised
 *
 *     disk_sim.c      the disk
 *     disk_thread.c   threads: what they do is done when the model likes
 *     disk_nginx.c    what src/disk/ uses of nginx
 *     disk_worker.c   workers: they begin, have turns, and end
 *     disk_event.c    what is known of events
 *     disk_act.c      what clients do
 *     disk_check.c    what must be true of a zone that was loaded
 *     disk_life.c     worlds of lives
 *     disk_upgrade.c  worlds of two nginxes
 *     disk_case.c     cases by hand
 */


#ifndef _DISK_MODEL_H_INCLUDED_
#define _DISK_MODEL_H_INCLUDED_


#include "unit.h"
#include "disk_sim.h"
#include "zone_check.h"

#include <ngx_http_longpoll_zone.h>
#include <ngx_http_longpoll_zone_delete.h>
#include <ngx_http_longpoll_zone_disk.h>
#include <ngx_http_longpoll_zone_load.h>
#include <ngx_http_longpoll_zone_publish.h>
#include <ngx_http_longpoll_zone_read.h>
#include <ngx_http_longpoll_zone_status.h>
#include <ngx_http_longpoll_zone_tick.h>
#include <ngx_http_longpoll_cursor.h>
#include <ngx_http_longpoll_load.h>
#include <ngx_http_longpoll_notify.h>
#include <ngx_http_longpoll_writer.h>


/* of a world */

#define MODEL_DURABLE  0x01     /* durable; else it is turned on now and then */
#define MODEL_BAD      0x02     /* the disk fails now and then */
#define MODEL_TAKE     0x04     /* delete_on_read */
#define MODEL_IDLE     0x08     /* inactive, or ttl */
#define MODEL_IMPORT   0x10     /* golongpoll wrote the first file */
#define MODEL_DAMAGE   0x20     /* files are removed and cut */
#define MODEL_UPGRADE  0x40     /* two nginxes */

#define MODEL_PATH     "ev"
#define MODEL_CATS     6
#define MODEL_WORKERS  6        /* numbers of an nginx */
#define MODEL_TIMERS   8        /* of a worker */
#define MODEL_EVENTS   16000
#define MODEL_CURSORS  64
#define MODEL_MESSAGES 4        /* of a publish */
#define MODEL_NOT      ((uint64_t) -1)


/* why an event is no longer in the zone; from DELETED on nobody misses it */

typedef enum {
    GONE_NOT = 0,
    GONE_LOST,                  /* buffer, ttl, or no room */
    GONE_FORGOTTEN,             /* its category was inactive */
    GONE_DELETED,
    GONE_TAKEN,
    GONE_REFUSED
} gone_e;


/* an event in the zone of one nginx */

typedef struct {
    uint64_t                   id;
    gone_e                     gone;
    uint64_t                   note;    /* where the ring ended behind its
                                           note; MODEL_NOT: it has none */
    uint64_t                   when;    /* the op that it went in */
    unsigned                   stored:1;    /* it is there, or was */
    unsigned                   live:1;
    unsigned                   doomed:1;    /* the zone refuses it */
    unsigned                   noted:1; /* the log says that it is gone */
    unsigned                   seen:1;  /* in the walk at hand */
} model_place_t;


typedef struct {
    ngx_http_longpoll_uuid_t   uuid;    /* if it was stored */
    uint64_t                   epoch;   /* that it was published in, 0: in
                                           golongpoll's */
    uint32_t                   cat;
    uint32_t                   len;     /* of its data */
    uint32_t                   keyed;   /* of how many events its publish had
                                           that key; 0: it has none */
    unsigned                   stored:1;
    unsigned                   acked:1;
    unsigned                   refused:1;   /* its publisher was told so */
    unsigned                   visible:1;   /* was */
    unsigned                   absent:1;    /* was not loaded once */
    unsigned                   lost:1;  /* once, whatever came then */
    unsigned                   got:1;   /* by the poll at hand */
    model_place_t              in[SIM_NGINXES];
} model_event_t;


/* a publisher that waits */

typedef struct model_publisher_s  model_publisher_t;

struct model_publisher_s {
    ngx_http_request_t         r;
    ngx_connection_t           c;
    ngx_log_t                  log;
    ngx_http_log_ctx_t         ctx;
    ngx_uint_t                 first;   /* of its events */
    ngx_uint_t                 n;
};


typedef struct model_thread_s  model_thread_t;


/*
 * A client has seen what its nginx had up to the cursor.  What no nginx had any
 * more, when the cursor was made, is none of the client's business.
 */

typedef struct {
    uint64_t                   id;      /* of an event, or a time's last */
    uint64_t                   epoch;
    ngx_http_longpoll_uuid_t   uuid;
    ngx_uint_t                 time;    /* of a time-out */
    u_char                     seen[MODEL_EVENTS / 8];
    ngx_uint_t                 nseen;   /* later events were not seen */
} model_cursor_t;


typedef struct {
    ngx_uint_t                 alive;
    ngx_uint_t                 dead;    /* and not reaped */
    ngx_uint_t                 leaving;
    ngx_uint_t                 exiting; /* nothing else runs in it */
    ngx_uint_t                 threading;   /* its thread runs */
    ngx_uint_t                 process;
    void                      *writer;
    ngx_rbtree_node_t         *timers[MODEL_TIMERS];
    ngx_uint_t                 ntimers;
    model_thread_t            *thread;
    ngx_uint_t                 notified;
    ngx_uint_t                 waiting; /* publishers */
} model_worker_t;


typedef struct {
    ngx_uint_t                 running;
    u_char                    *mem;
    ngx_http_longpoll_zone_t   zone;
    ngx_atomic_t               elected;
    model_worker_t             workers[MODEL_WORKERS];
    uint64_t                   failed;  /* failures that are known */

    /* a base that is being written */
    uint64_t                   base_began;  /* op, 0: there is none */
    uint64_t                   base_number;
    uint64_t                   base_upto;
} model_nginx_t;


typedef struct {
    ngx_uint_t                 flags;
    ngx_uint_t                 ncats;
    ngx_http_longpoll_zone_conf_t  conf;
    size_t                     size;
    ngx_uint_t                 nworkers;
    uint64_t                   now;
    uint64_t                   ops;     /* of the world */
    uint64_t                   op;      /* at hand */
    ngx_uint_t                 processes;
    ngx_uint_t                 damaged;
    ngx_uint_t                 stable;  /* no worker is killed */
    ngx_uint_t                 doomed;  /* workers are killed often */
    ngx_uint_t                 dying;   /* one is, at the next call's first
                                           store */
    ngx_uint_t                 ending;  /* all workers end */
    ngx_uint_t                 strangers;   /* two nginxes began without a log,
                                               and hash with other keys */

    uint32_t                   cat;     /* of the op at hand */
    uint64_t                   most_live;   /* bytes of lines, lately */

    /* the life before */
    struct {
        ngx_uint_t             any;
        ngx_uint_t             begun;
        ngx_uint_t             told;    /* the log says that all is in it */
        uint64_t               saved;
        uint64_t               notes;
    } before;

    uint64_t                   exact_from;  /* ms: earlier cursors may be told
                                               for nothing */
    model_event_t             *events;
    ngx_uint_t                 nevents;
    model_cursor_t             cursors[MODEL_CURSORS];
    ngx_uint_t                 ncursors;

    model_nginx_t              nginxes[SIM_NGINXES];
} model_t;


/* what was done; in memory that the program and its worlds share */

typedef struct {
    uint64_t                   lives;
    uint64_t                   killed;      /* with all workers */
    uint64_t                   power_cuts;
    uint64_t                   clean_ends;
    uint64_t                   workers;     /* that were killed */
    uint64_t                   in_calls;    /* of these in a call of the disk */
    uint64_t                   acked;
    uint64_t                   refused;
    uint64_t                   bases;
    uint64_t                   loaded;
    uint64_t                   cursors;
    uint64_t                   told;
    uint64_t                   missed;
    uint64_t                   upgrades;
    uint64_t                   followed;    /* in which nobody was told */
    uint64_t                   worst;       /* bytes of files of 100 bytes that
                                               live */
} model_figures_t;


extern model_t                         m;
extern model_figures_t                *figures;
extern ngx_http_longpoll_cat_t         model_cats[MODEL_CATS];

/* the worker that runs, and its nginx; NULL: the master does */
extern model_worker_t                 *self;
extern model_nginx_t                  *own;
extern ngx_http_longpoll_zone_t       *z;
extern ngx_http_longpoll_zone_sh_t    *sh;


#define model_place(ev)  (&(ev)->in[own - m.nginxes])

#define model_ms(id)  ngx_http_longpoll_id_ms(id)

#define model_at(ref)                                                         \
    ((ngx_http_longpoll_msg_sh_t *) ngx_http_longpoll_log_rec(&z->log, ref))


/* disk_thread.c */

/* a thread runs now, from its beginning to its end, unless it has */
void thread_run(model_thread_t *thread);


/* disk_worker.c */

/* what others do when a worker has looked who lives; it may be NULL */
extern void                         (*worker_looked)(void);

/* the clock of nginx becomes the model's */
void worker_time(void);

/* looks at an nginx from its master, or from one of its workers */
void worker_enter_nginx(model_nginx_t *nginx);
void worker_enter(model_nginx_t *nginx, model_worker_t *worker);
void worker_leave(void);

/* a worker begins; the first free number */
void worker_begin(model_nginx_t *nginx);

/* a worker of the nginx that has events, by chance; NULL: none does */
model_worker_t *worker_any(model_nginx_t *nginx);

/*
 * Calls in the worker.  It may be killed in the call by chance, and then
 * another worker comes in its place, unless m.stable is set.  Returns 0 if it
 * was killed.
 */
ngx_uint_t worker_call(model_nginx_t *nginx, model_worker_t *worker,
    void (*call)(void *data), void *data);

/* compares the zone with what is known, and looks whether it is sound */
void worker_look(model_nginx_t *nginx, gone_e why);

/* one turn of something in a worker: its timers, its thread, or a wake-up */
void worker_turn(model_nginx_t *nginx, model_worker_t *worker);

/*
 * nginx tells a worker to leave.  It goes in exit_left(), once no publisher
 * waits in it.  end_all: all leave, and have turns until they are gone.
 */
void worker_close(model_nginx_t *nginx, model_worker_t *worker);
void worker_exit_left(model_nginx_t *nginx);
void worker_end_all(model_nginx_t *nginx);

/*
 * A worker ends as it is, or all do.  While one is in a call, others may end,
 * too.
 */
void worker_exit(model_nginx_t *nginx, model_worker_t *worker);
void worker_exit_all(model_nginx_t *nginx);

/* a worker, or an nginx with all of them, is killed */
void worker_kill(model_nginx_t *nginx, model_worker_t *worker);
void worker_kill_all(model_nginx_t *nginx);


/* disk_event.c */

/* an event that is about to be published; returns its number */
ngx_uint_t event_new(uint32_t cat, uint32_t len, uint32_t keyed);

/* its data, which the caller may use until the next call */
ngx_str_t event_data(ngx_uint_t n);

/* the event that a message of the zone is */
ngx_uint_t event_of(ngx_http_longpoll_msg_sh_t *at,
    ngx_http_longpoll_msg_t *msg);

/*
 * What the zone has is compared with what is known.  why: of what went, in the
 * category m.cat if somebody deleted or took it.
 */
void event_diff(gone_e why);

/* the zone has, or had, an event that was published a moment ago */
void event_stored(ngx_uint_t n, ngx_http_longpoll_msg_t *msg);

/* the publisher of n events is answered */
void event_answered(ngx_uint_t first, ngx_uint_t n, ngx_int_t rc);

/* looks whether a base has begun, or taken its place */
void event_base(void);

/* its idempotency key, which the caller may use until the next call */
ngx_str_t event_key(ngx_uint_t n);


/* disk_act.c */

void act(model_nginx_t *nginx);
void act_some(model_nginx_t *nginx, ngx_uint_t n);

/* a publish of some events, in the worker */
void act_publish(model_nginx_t *nginx, model_worker_t *worker);

/*
 * A poll of m.cat from the beginning, in the worker.  Returns why what went
 * did, for worker_look().
 */
gone_e act_take(model_nginx_t *nginx, model_worker_t *worker);

/* a poll in the worker, from which a new client, or an old one, has a cursor */
void act_cursor(model_nginx_t *nginx, model_worker_t *worker);

/* whether a client with that cursor has seen an event */
ngx_uint_t act_seen(model_cursor_t *cursor, ngx_uint_t n);

/*
 * A poll of a category: whether it is told that it missed something.  The
 * events that it returns are those it has got.
 */
ngx_uint_t act_missed(model_cursor_t *cursor, uint32_t cat);


/* disk_check.c */

void check_loaded(ngx_uint_t clean, ngx_uint_t told);
void check_size(void);

/*
 * Whether the client of the last poll, act_missed(), has missed an event: it
 * had not seen the event, and did not get it.  *lost: if not, it may still be
 * told, as there were such events once.
 */
ngx_uint_t check_truth(model_cursor_t *cursor, uint32_t cat,
    ngx_uint_t *lost);


/* disk_life.c */

void life_world(void);
void life_start(model_nginx_t *nginx);
void life_free(model_nginx_t *nginx);

/* a reload gives the zone m.conf */
void life_configure(model_nginx_t *nginx);

/* what the model keeps of a zone that ends */
void life_remember(model_nginx_t *nginx);

/* what others do while a thread is between two calls of the disk */
void life_between(void);


/* disk_upgrade.c */

void upgrade_world(void);

/* an nginx has turns until the log has all of it, and says so */
void upgrade_rest(model_nginx_t *nginx);


#endif /* _DISK_MODEL_H_INCLUDED_ */
