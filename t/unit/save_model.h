
/*
 * save_model.h: what a zone and its log must be to each other, said again with
 * plain arrays.
 *
 * The model keeps every message that is live, or in the log, in one array by
 * id.  The log is a list of lines, each of PATH or of a segment; the writer's
 * round, and the base that it writes, are lists, too.  The zone's own lines are
 * parsed, so that nothing depends on how they are printed.  The store's own
 * model knows why a message may go and what a read returns; this one knows what
 * must be on disk, and what readers may get:
 *
 *     what is saved and live is in the log
 *     what is in the log and was deleted, read or refused is noted in it, or
 *       waits to be, or the log gets a new base
 *     what lives is not noted
 *     with durable what is saved is visible, and nothing else
 *     a publish is visible, saved and refused as a whole
 *     the log says no more of the epoch and of durable than is true
 *
 *     save_model.c    the lists, and copies of them
 *     save_act.c      random ops of workers
 *     save_writer.c   random ops of the writer; what its lines are
 *     save_op.c       an op runs: one call of the store, or one round of the
 *                     writer; in a crash world it is killed at every store
 *     save_result.c   what must be true after it
 *     save_check.c    zone and log as a whole
 *     save_epoch.c    a zone is made, ends, is loaded again, or is adopted by
 *                     a zone of another size
 *
 * All that a kill may undo stands in model_t and its lists, so that it can be
 * copied with the zone.
 */


#ifndef _SAVE_MODEL_H_INCLUDED_
#define _SAVE_MODEL_H_INCLUDED_


#include "unit.h"
#include "zone_check.h"

#include <ngx_http_longpoll_zone.h>
#include <ngx_http_longpoll_zone_client.h>
#include <ngx_http_longpoll_zone_delete.h>
#include <ngx_http_longpoll_zone_publish.h>
#include <ngx_http_longpoll_zone_msg.h>
#include <ngx_http_longpoll_zone_read.h>
#include <ngx_http_longpoll_zone_room.h>
#include <ngx_http_longpoll_zone_adopt.h>
#include <ngx_http_longpoll_zone_disk.h>
#include <ngx_http_longpoll_zone_clock.h>
#include <ngx_http_longpoll_zone_load.h>
#include <ngx_http_longpoll_zone_status.h>
#include <ngx_http_longpoll_zone_tick.h>
#include <ngx_http_longpoll_zone_watch.h>
#include <ngx_http_longpoll_golongpoll.h>


/* of a world */

#define MODEL_CRASH    0x01     /* kills */
#define MODEL_TAKE     0x02     /* delete_on_read is set now and then */
#define MODEL_IDLE     0x04     /* inactive is set now and then */
#define MODEL_EPOCHS    0x08    /* the zone ends, and is loaded again */
#define MODEL_ADOPT    0x10     /* a zone of another size adopts it */

#define MODEL_CROWDED  0x20     /* more categories than slots */

#define MODEL_FEW      8        /* categories, if not CROWDED */
#define MODEL_CATS     100
#define MODEL_WORKERS  3
#define MODEL_EPOCH    1700000000000ULL
#define MODEL_BATCH    24
#define MODEL_MAX      20000            /* of each list */


typedef struct {
    uint64_t                   id;
    ngx_http_longpoll_uuid_t   uuid;
    uint64_t                   first;   /* of its publish */
    uint64_t                   last;
    uint64_t                   key[2];  /* its hash, 0: none */
    uint32_t                   name;    /* its key */
    uint32_t                   cat;
    uint32_t                   uid;
    uint32_t                   len;
    unsigned                   live:1;
    unsigned                   exposed:1;     /* was visible */
    unsigned                   counted:1;   /* before it was */
    unsigned                   deleted:1;   /* deleted, read, refused, or with
                                               its category */
    unsigned                   refused:1;
    unsigned                   seen:1;
    unsigned                   noted:1; /* by a line of the log */
    unsigned                   logged:1;    /* has a line in it */
    unsigned                   sure:1;      /* and not only where nothing
                                               counts */
    unsigned                   merged:1;    /* of another nginx: on disk */
    unsigned                   kept:1;
} model_msg_t;


/* a line of the log */

typedef enum {
    LINE_EVENT = 0,
    LINE_HEAD,
    LINE_GONE,
    LINE_DROP,
    LINE_REST,
    LINE_END
} line_e;


typedef struct {
    line_e                     kind;
    uint64_t                   segment;     /* 0: PATH */
    uint64_t                   len;
    uint64_t                   id;      /* of an event; the epoch of a HEAD */
    uint64_t                   word[3]; /* of a GONE: UUID; of a DROP as in a
                                           note; of a HEAD: number, durable */
} model_line_t;


/* a publish that waits for the disk */

typedef struct {
    uint64_t                   id;
    uint64_t                   failed;
} model_pub_t;


#define model_lists(X)                                                        \
    X(msgs, model_msg_t)                                                      \
    X(lines, model_line_t)                                                    \
    X(round, model_line_t)                                                    \
    X(fresh, model_line_t)                                                    \
    X(pubs, model_pub_t)

#define model_list(name, type)  type *name; ngx_uint_t n_##name;

typedef struct {
    ngx_uint_t                 flags;
    ngx_uint_t                 ncats;
    size_t                     size;
    size_t                     mem_size;
    u_char                    *mem;
    u_char                    *copy;
    uint64_t                   now;
    uint32_t                   uid;
    uint64_t                   floor;       /* ms of a time-out's answer */
    uint64_t                   published;
    uint64_t                   failed;
    uint64_t                   visible;     /* after the op before */
    uint64_t                   exempt;      /* up to here visible, saved or
                                               not */
    uint64_t                   dropped[MODEL_CATS];
    uint64_t                   used[MODEL_CATS];
    ngx_uint_t                 inexact;     /* missed may be said where the
                                               model knows no loss */
    uint64_t                   missing; /* cursors below are told */
    ngx_uint_t                 killed;      /* ever */

    /* the log */
    uint64_t                   base;    /* PATH replaces segments up to it */
    ngx_uint_t                 damaged; /* somebody removed files */

    /* the writer */
    ngx_uint_t                 ready;
    ngx_uint_t                 followed;    /* no cursor need be told of what
                                               was merged so far */
    uint64_t                   other;   /* epoch of the other nginx */
    ngx_uint_t                 writing; /* it has lines to write */
    ngx_http_longpoll_round_t  report;  /* of them */
    ngx_uint_t                 rebasing;
    ngx_uint_t                 complete;    /* fresh has all */
    ngx_uint_t                 fresh_says;

    model_lists(model_list)
} model_t;


typedef enum {
    OP_PUBLISH = 0,
    OP_READ,
    OP_UNWATCH,
    OP_REAP,          /* a worker */
    OP_DELETE,
    OP_TICK,
    OP_CONFIGURE,

    /* the writer's */
    OP_BEGIN,
    OP_NEXT,            /* segment */
    OP_COLLECT,
    OP_SAVED,
    OP_UNSAVED,
    OP_RETRY,
    OP_LOST,
    OP_BASE,
    OP_STOP,
    OP_PIECE,
    OP_BASED,
    OP_END,
    OP_DURABLE,

    /* another nginx had the log, and this one reads what that wrote */
    OP_LOAD,
    OP_MERGED
} op_e;


typedef struct {
    op_e                       kind;
    uint64_t                   now;
    uint32_t                   cat;
    ngx_uint_t                 worker;
    ngx_uint_t                 on;
    ngx_uint_t                 must;
    ngx_http_longpoll_zone_conf_t  conf;
    size_t                     bytes;       /* of the writer's memory */

    /* publish */
    ngx_uint_t                 n;
    ngx_http_longpoll_msg_t    msgs[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    uint32_t                   which[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    ngx_http_longpoll_cat_t    cats[MODEL_CATS];
    uint32_t                   uid;
    uint32_t                   len;
    uint32_t                   name;        /* key, 0: none */
    uint64_t                   last;        /* id in another nginx */
    uint64_t                   key[2];

    /* read */
    ngx_http_longpoll_read_t   rd;
    ngx_http_longpoll_cursor_t cursor;
    size_t                     costs[MODEL_CATS];
    uint32_t                   slots[MODEL_CATS];

    /* before */
    uint64_t                   last_id;
    uint64_t                   visible;
    uint64_t                   committed;
    uint64_t                   failed;
    uint64_t                   base;
    uint64_t                   base_upto;
    uint64_t                   saved;
    uint64_t                   saved_ref;
    uint64_t                   durable;

    /* how it went */
    ngx_int_t                  rc;
    ngx_int_t                  decided;
    uint64_t                   wake;
} op_t;


extern model_t                         m;
extern op_t                            act_op;
extern ngx_http_longpoll_zone_t       *z;
extern ngx_http_longpoll_zone_sh_t    *sh;
extern ngx_http_longpoll_cursor_sh_t  *cursors;
extern ngx_http_longpoll_cat_t         model_cats[MODEL_CATS];

/* slots in which a worker waits; 0: in none */
extern uint32_t                        op_slots[MODEL_WORKERS][MODEL_CATS];

/* the writer's own memory */
extern ngx_http_longpoll_lines_t       model_memory;


#define SAVED  NGX_HTTP_LONGPOLL_CURSOR_SAVED
#define NEXT   NGX_HTTP_LONGPOLL_CURSOR_NEXT
#define BASE  NGX_HTTP_LONGPOLL_CURSOR_BASE
#define EXPOSED  NGX_HTTP_LONGPOLL_CURSOR_EXPOSED

#define model_ms(id)  ngx_http_longpoll_id_ms(id)

#define model_at(ref)                                                         \
    ((ngx_http_longpoll_msg_sh_t *) ngx_http_longpoll_log_rec(&z->log, ref))


#define model_push(list, value)                                               \
    do {                                                                      \
        unit_must(m.n_##list < MODEL_MAX, "the model is full");               \
        m.list[m.n_##list++] = (value);                                       \
    } while (0)


/* save_model.c */

void model_make_lists(void);
void model_free_lists(void);
void model_snapshot(void);
void model_restore(void);
ngx_uint_t model_index(uint64_t id);
model_msg_t *model_find(uint64_t id);
model_msg_t *model_named(uint64_t high, uint64_t low);
void model_prune(void);
u_char *model_bytes(uint32_t uid, uint32_t len);
size_t model_line(u_char *p, model_msg_t *msg);

/* whether a line stands in a file that counts */
#define model_counts(line)  ((line)->segment == 0 || (line)->segment > m.base)

/* bytes of a segment; its lines go, if it is made anew or was replaced */
uint64_t model_bytes_of(uint64_t segment);
void model_remove(uint64_t segment);


/* save_check.c */

void model_check(ngx_uint_t exact);

/* which messages the log has, and notes as gone; ring: or the zone does */
void model_read_log(ngx_uint_t ring);

/* the last head of the log; NULL: it has none */
model_line_t *model_head(void);


/* save_op.c */

int op_run(op_t *op);


/* save_result.c */

void op_published(op_t *op, ngx_uint_t killed);
void op_loaded(op_t *op, ngx_uint_t killed);
void op_merged(op_t *op, ngx_uint_t killed);
void op_diff(op_t *op, ngx_uint_t killed);
void op_was_read(op_t *op);


/* save_writer.c */

void writer_call(op_t *op);
void writer_before(op_t *op);
void writer_done(op_t *op);
void writer_died(op_t *op);
void act_writer(void);


/* save_epoch.c */

void epoch_zone(size_t size, ngx_http_longpoll_zone_conf_t *conf);
void epoch_world(size_t size, ngx_http_longpoll_zone_conf_t *conf);
void epoch_end(void);
void epoch_next(void);
void epoch_adopt(size_t size);


/* save_act.c */

void act_conf(ngx_http_longpoll_zone_conf_t *conf);
void act_set(op_e kind);
void act_foreign(uint64_t epoch);
void act(void);


#endif /* _SAVE_MODEL_H_INCLUDED_ */
