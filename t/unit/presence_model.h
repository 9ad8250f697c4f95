
/*
 * presence_model.h: what a zone must tell of who is present, said again.
 *
 * The model has what is true: which workers have waiters of a category, and
 * when it was last there.  A follower reads the events of presence behind every
 * op, and has what it was told, its belief.  After every op, and after every
 * kill, the two must fit what stands in the zone:
 *
 *     each event changes the belief; a reset empties it
 *     an entry that is ARRIVED is not believed, any other one is, and what has
 *     no entry is not; entries that fly are believed as they will be
 *
 * Once all is told (settle), a category is believed present if it has a waiter,
 * or was there within grace; and not if it was not.  The pages of a list name
 * those who are believed present.
 *
 *     presence_act.c     ops: something happens to the zone, perhaps killed
 *     presence_check.c   the follower, and what is compared
 */


#ifndef _PRESENCE_MODEL_H_INCLUDED_
#define _PRESENCE_MODEL_H_INCLUDED_


#include "unit.h"
#include "zone_check.h"

#include <ngx_http_longpoll_zone.h>
#include <ngx_http_longpoll_zone_adopt.h>
#include <ngx_http_longpoll_zone_delete.h>
#include <ngx_http_longpoll_zone_disk.h>
#include <ngx_http_longpoll_zone_load.h>
#include <ngx_http_longpoll_zone_lock.h>
#include <ngx_http_longpoll_zone_msg.h>
#include <ngx_http_longpoll_zone_page.h>
#include <ngx_http_longpoll_zone_presence.h>
#include <ngx_http_longpoll_zone_publish.h>
#include <ngx_http_longpoll_zone_read.h>
#include <ngx_http_longpoll_zone_tick.h>
#include <ngx_http_longpoll_zone_watch.h>


/* of a world */

#define MODEL_CRASH     0x01    /* kills */
#define MODEL_DURABLE   0x02    /* events wait for the disk, which may fail */
#define MODEL_CROWDED   0x04    /* more categories than there is room for */

#define MODEL_LARGE     0x08    /* a zone of 2 MB */

#define MODEL_WORKERS   3
#define MODEL_CATS      200
#define MODEL_GRACE     5000
#define MODEL_EPOCH     1700000000000ULL


typedef struct {
    ngx_http_longpoll_cat_t    cat;
    u_char                     name[NGX_HTTP_LONGPOLL_MAX_CATEGORY];

    /* true */
    uint64_t                   workers;     /* with waiters */
    uint64_t                   away;        /* of them: in a frozen zone */
    ngx_uint_t                 old;         /* the zone takes it for one of
                                               these, until it forgets them: */
    uint64_t                   forgotten;   /* then */
    uint64_t                   last;        /* ms: was there */
    uint64_t                   maybe;       /* or then, as it was killed */
    ngx_uint_t                 unknown;     /* there was no room once */

    /* told */
    ngx_uint_t                 believed;
    ngx_uint_t                 unsettled;   /* the zone has not settled it */
    uint64_t                   told;        /* ms: when it had */
} model_cat_t;


typedef enum {
    MODEL_PARK = 0,
    MODEL_VISIT,
    MODEL_PEEK,
    MODEL_LEAVE,
    MODEL_TICK,
    MODEL_PUBLISH,
    MODEL_REAP,
    MODEL_OTHERS,
    MODEL_DELETE,
    MODEL_SAVE,
    MODEL_FAIL,
    MODEL_OPS
} model_op_e;


typedef struct {
    model_op_e                 kind;
    ngx_uint_t                 worker;
    ngx_uint_t                 stream;      /* a stream leaves */
    uint32_t                   cats[3];
    ngx_uint_t                 ncats;
    ngx_int_t                  rc;
} model_op_t;


typedef struct {
    ngx_uint_t                 flags;
    size_t                     size;
    size_t                     mem_size;
    u_char                    *mem;
    u_char                    *copy;
    ngx_http_longpoll_zone_t   zone;
    ngx_shmtx_t                mutex;
    uint64_t                   now;
    uint64_t                   back;        /* ms: until then all come back from
                                               the frozen zone */
    uint64_t                   seen;        /* by the follower */
    ngx_uint_t                 settling;    /* no kill is kept */
    ngx_uint_t                 ncats;
    model_cat_t                cats[MODEL_CATS];
    model_cat_t                saved[MODEL_CATS];
} model_t;


extern model_t  m;


/* presence_act.c */

void model_world(ngx_uint_t flags);
void model_end(void);
void model_act(void);
void model_adopt(void);
void model_settle(void);


/* presence_check.c */

void model_follow(void);
void model_check(void);
void model_check_settled(void);


#endif /* _PRESENCE_MODEL_H_INCLUDED_ */
