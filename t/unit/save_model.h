
/*
 * save_model.h: what a zone and its file must be to each other, said again with
 * plain arrays.
 *
 * The model keeps every message that is live, or in the file, in one array by
 * id.  The file is a list of ids, its notes are a list of notes.  Both are
 * cut to what the zone calls good of them whenever a writer begins, as persist
 * does.  The store's own model knows why a message may go and what a read
 * returns; this one knows what must be on disk, and what readers may get:
 *
 *     what is saved and live is in the file, once, in the order of ids
 *     what is in the file and was deleted, read or refused has a note, or waits
 *       for one, or the file is to be compacted
 *     with durable what is saved is visible, and nothing else
 *     a publish is visible, saved and refused as a whole
 *
 *     save_model.c    the lists, and copies of them
 *     save_act.c      random ops of workers and of the writer
 *     save_op.c       an op runs: one call of the store, or one round of the
 *                     writer; in a crash world it is killed at every store
 *     save_result.c   what must be true after it
 *     save_check.c    zone and file as a whole
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
#include <ngx_http_longpoll_zone_epoch.h>
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
    unsigned                   noted:1;
    unsigned                   kept:1;
} model_msg_t;


/* a publish that waits for the disk */

typedef struct {
    uint64_t                   id;
    uint64_t                   failed;
} model_pub_t;


#define model_lists(X)                                                        \
    X(msgs, model_msg_t)                                                      \
    X(file, uint64_t)                                                         \
    X(fresh, uint64_t)                                                        \
    X(notes, ngx_http_longpoll_note_t)                                        \
    X(fresh_notes, ngx_http_longpoll_note_t)                                  \
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
    uint64_t                   missing;
    ngx_uint_t                 killed;      /* ever */

    /* the writer */
    ngx_uint_t                 ready;
    ngx_uint_t                 round;       /* the writer has lines to write */
    ngx_uint_t                 compacting;
    ngx_uint_t                 all;
    ngx_uint_t                 lost;

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
    OP_MISSING,         /* another nginx had the file */

    /* the writer's */
    OP_BEGIN,
    OP_COLLECT,
    OP_SAVED,
    OP_UNSAVED,
    OP_RETRY,           /* save_again */
    OP_COMPACT,
    OP_STOP,
    OP_PIECE,
    OP_RENEWED,
    OP_DURABLE
} op_e;


typedef struct {
    op_e                       kind;
    uint64_t                   now;
    uint32_t                   cat;
    ngx_uint_t                 worker;
    ngx_uint_t                 on;
    uint64_t                   last;        /* id of another nginx */
    ngx_uint_t                 must;
    ngx_http_longpoll_zone_conf_t  conf;
    size_t                     bytes;       /* of the writer's memory */
    ngx_uint_t                 max_notes;

    /* publish */
    ngx_uint_t                 n;
    ngx_http_longpoll_msg_t    msgs[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    uint32_t                   which[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    ngx_http_longpoll_cat_t    cats[MODEL_CATS];
    uint32_t                   uid;
    uint32_t                   len;
    uint32_t                   name;        /* key, 0: none */

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
    uint64_t                   next;
    uint64_t                   compact;
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

/* the writer's own memory, and the messages that it took */
extern ngx_http_longpoll_save_t        model_save;
extern uint64_t                        model_pend[MODEL_MAX];
extern ngx_uint_t                      model_npend;


#define SAVED  NGX_HTTP_LONGPOLL_CURSOR_SAVED
#define NEXT   NGX_HTTP_LONGPOLL_CURSOR_NEXT
#define COMPACT  NGX_HTTP_LONGPOLL_CURSOR_COMPACT
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
void model_open(void);


/* save_check.c */

void model_check(ngx_uint_t exact);


/* save_op.c */

int op_run(op_t *op);


/* save_result.c */

void op_published(op_t *op, ngx_uint_t killed);
void op_diff(op_t *op, ngx_uint_t killed);
void op_lines(op_t *op, uint64_t after, uint64_t upto, ngx_uint_t gone);
void op_noted(void);
void op_was_read(op_t *op);


/* save_epoch.c */

void epoch_zone(size_t size, ngx_http_longpoll_zone_conf_t *conf);
void epoch_world(size_t size, ngx_http_longpoll_zone_conf_t *conf);
void epoch_end(void);
void epoch_losses(ngx_uint_t fresh);
void epoch_next(void);
void epoch_adopt(size_t size);


/* save_act.c */

void act_conf(ngx_http_longpoll_zone_conf_t *conf);
void act_set(op_e kind);
void act(void);


#endif /* _SAVE_MODEL_H_INCLUDED_ */
