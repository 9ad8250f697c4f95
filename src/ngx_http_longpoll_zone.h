
/*
 * ngx_http_longpoll_zone.h: the store in shared memory, and its only lock.
 *
 * One zone, one piece of shared memory, the same for all workers and over
 * reloads.  A worker is a number below NGX_HTTP_LONGPOLL_WORKERS, given by
 * whoever claims them (notify); a set of workers is a bit mask.  Every call
 * takes the lock by itself and holds it for a bounded time; nothing is
 * allocated, logged or waited for under it.  now is the wall clock in ms.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_H_INCLUDED_


#include "ngx_http_longpoll_id.h"
#include "ngx_http_longpoll_hash.h"
#include "ngx_http_longpoll_journal.h"
#include "ngx_http_longpoll_log.h"
#include "ngx_http_longpoll_cat.h"
#include "ngx_http_longpoll_place.h"


#if (NGX_PTR_SIZE != 8)
#error "ngx_http_longpoll_module needs a 64-bit platform"
#endif


#define NGX_HTTP_LONGPOLL_WORKERS    64
#define NGX_HTTP_LONGPOLL_NO_WORKER  NGX_HTTP_LONGPOLL_WORKERS

/*
 * A message in the log: 40 bytes; 8 more if OWED; 16 more if KEYED, which are
 * the hash of the publish's idempotency key, the last 16 bits of them how many
 * messages came behind this one; the name; the data.
 */

#define NGX_HTTP_LONGPOLL_MSG_OWED   0x01   /* the workers that owe it */
#define NGX_HTTP_LONGPOLL_MSG_TAKEN  0x02   /* somebody was given it */
#define NGX_HTTP_LONGPOLL_MSG_KEYED  0x04

typedef struct {
    ngx_http_longpoll_rec_sh_t       rec;
    uint32_t                         data_len;
    uint32_t                         slot;
    uint64_t                         id;

    /* index words: written only in steps */
    uint32_t                         next;      /* of its category, by id */
    uint32_t                         prev;
    uint32_t                         newer;     /* of all messages, by id */
    uint32_t                         older;
} ngx_http_longpoll_msg_sh_t;


/* as configured; 0 is off */

typedef struct {
    uint64_t                         buffer;            /* messages */
    uint64_t                         ttl;               /* ms */
    uint64_t                         inactive;          /* ms */
    uint64_t                         delete_on_read;
} ngx_http_longpoll_zone_conf_t;


/* never go back while the zone lives */

typedef struct {
    ngx_atomic_t                     published;         /* messages */
    ngx_atomic_t                     delivered;         /* beside workers' */
    ngx_atomic_t                     expired;
    ngx_atomic_t                     evicted;
    ngx_atomic_t                     timeouts;          /* answers */
    ngx_atomic_t                     missed;
    ngx_atomic_t                     refused;           /* publishes */
    ngx_atomic_t                     disconnected;      /* polls */
} ngx_http_longpoll_counters_t;


typedef struct {
    /* written by the worker alone */
    ngx_atomic_t                     waiting;   /* parked polls */
    ngx_atomic_t                     delivered; /* messages, by all who had the
                                                   number: never goes back */

    /* under the lock */
    uint64_t                         known;     /* to forget_worker */
    uint64_t                         loose;     /* interests without a slot */

    /* set by anyone, taken by the worker */
    ngx_atomic_t                     look_all;

    /* its answer to a question: how many polls of that category it has */
    ngx_atomic_t                     answered;  /* which question */
    ngx_atomic_t                     answer;

    uint64_t                         spare;     /* one cache line */
} ngx_http_longpoll_worker_sh_t;


typedef struct {
    /* written without the lock: each in cache lines of its own */
    ngx_http_longpoll_worker_sh_t    workers[NGX_HTTP_LONGPOLL_WORKERS];
    ngx_http_longpoll_counters_t     counters;

    /* never change */
    uint64_t                         life;      /* see id */
    uint64_t                         born;      /* ms */
    uint64_t                         key[2];    /* of the hash */

    /* changed by a successful reload, under the lock */
    ngx_http_longpoll_zone_conf_t    conf;
    uint64_t                         owing;     /* it was delete_on_read once */

    uint64_t                         loose;     /* workers with loose > 0 */

    /* the question at hand */
    ngx_atomic_t                     question;  /* its number, 0: none yet */
    ngx_atomic_t                     open;      /* it is not settled */
    uint64_t                         asked;     /* ms */
    uint64_t                         about[2];  /* hash of a category */

    /* what has been given out, and what readers may see */
    uint64_t                         last_id;
    uint64_t                         visible;

    /* all messages by age */
    uint32_t                         oldest;
    uint32_t                         newest;
    uint64_t                         events;

    /* unfinished business */
    uint64_t                         busy;      /* publishing: marks may lack */
    uint64_t                         delete_id; /* of delete_slot, up to here */
    uint32_t                         delete_slot;   /* number + 1, 0 is none */
    uint32_t                         sweep;     /* slot of the next look */
    ngx_atomic_t                     second;    /* of the last tick */

    ngx_http_longpoll_log_sh_t       log;
    ngx_http_longpoll_cats_sh_t      cats;
    ngx_http_longpoll_places_sh_t    places;
    ngx_http_longpoll_journal_sh_t   journal;
} ngx_http_longpoll_zone_sh_t;


/* a process's view of a zone */

struct ngx_http_longpoll_zone_s {
    ngx_str_t                        name;
    size_t                           size;      /* as configured */
    ngx_http_longpoll_zone_conf_t    conf;      /* as this cycle wants it */

    ngx_shmtx_t                     *mutex;     /* of the slab pool: the one
                                                   that nginx's master unlocks
                                                   for the dead */
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_cats_t         cats;
    ngx_http_longpoll_log_t          log;
    ngx_http_longpoll_places_t       places;
    ngx_atomic_t                    *dirty;     /* bitmaps of all workers */
    ngx_atomic_t                    *summary;
    ngx_uint_t                       words;     /* of one worker's dirty */
    ngx_uint_t                       sums;      /* of one worker's summary */

    void                            *data;      /* of whoever owns the view */
};


/* where a poll reads on */

typedef struct {
    uint64_t                         id;        /* seen up to here */
    uint64_t                         since;     /* ms: as a since_time the same
                                                   place, whatever happens in
                                                   between */

    /* of a new one, until the first read */
    unsigned                         fresh:1;
    unsigned                         now:1;     /* id is still to be set */
    unsigned                         exact:1;   /* a message's own place */

    unsigned                         lost:1;    /* of an earlier life */
    unsigned                         beginning:1;   /* asked for all there is */
} ngx_http_longpoll_cursor_t;


typedef enum {
    NGX_HTTP_LONGPOLL_READ_PARK = 0,    /* a new poll: read, or register */
    NGX_HTTP_LONGPOLL_READ_WAKE,        /* for those parked here: the same */
    NGX_HTTP_LONGPOLL_READ_LAST,        /* read, or a time-out's time */
    NGX_HTTP_LONGPOLL_READ_PEEK         /* the same, and takes nothing */
} ngx_http_longpoll_read_e;


typedef struct {
    /* the caller's */
    ngx_http_longpoll_read_e         mode;
    ngx_uint_t                       worker;    /* or NO_WORKER */
    ngx_http_longpoll_cat_t         *cats;
    ngx_uint_t                       ncats;
    ngx_http_longpoll_cursor_t       cursor;    /* no longer fresh on return;
                                                   one beyond the newest
                                                   becomes the newest */
    size_t                           limit;     /* bytes of all messages, each
                                                   with its category's cost */
    size_t                          *costs;     /* of ncats */

    /* the caller's, of gpoll; the place is the cursor then */
    ngx_http_longpoll_client_t      *client;    /* NULL: another protocol */
    uint64_t                         have;      /* id of a message whose bytes
                                                   need not come */

    /* the answer */
    ngx_http_longpoll_msg_t         *msgs;
    ngx_uint_t                       nmsgs;
    ngx_uint_t                       missed;
    uint64_t                         timestamp; /* of a time-out: LAST, PEEK */
    uint32_t                        *slots;     /* of ncats, PARK and WAKE: the
                                                   slot that holds the interest,
                                                   NGX_HTTP_LONGPOLL_CAT_NONE
                                                   if it is loose */
} ngx_http_longpoll_read_t;


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
    uint64_t                         first_id;  /* where there are events */
    uint64_t                         last_id;
} ngx_http_longpoll_category_status_t;


/*
 * Makes a zone in size bytes of zeroed memory at addr (or takes the one that
 * is there: exists), for a configured total of z->size; random gives 24 bytes
 * that nobody can guess.  z->conf becomes the zone's with a new one.
 *
 * NGX_OK, or NGX_DECLINED when the memory is too small to be useful.
 */
ngx_int_t ngx_http_longpoll_zone_init(ngx_http_longpoll_zone_t *z, u_char *addr,
    size_t size, ngx_uint_t exists, u_char *random, uint64_t now);

/* the view of an older cycle becomes that of z */
void ngx_http_longpoll_zone_inherit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old);

/*
 * In a new process: has the pages of the index that are used at random mapped
 * from the beginning, so that the first request to each is not the one to
 * fault.
 */
void ngx_http_longpoll_zone_warm(ngx_http_longpoll_zone_t *z);

/* z->conf becomes the zone's */
void ngx_http_longpoll_zone_configure(ngx_http_longpoll_zone_t *z);

/* fills cat->hash from cat->name */
void ngx_http_longpoll_zone_name(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat);

/*
 * Stores n messages, all or none, each under cats[msgs->cat], where no name
 * stands twice and the first message's is the first; their ids are set.  *wake
 * becomes the set of workers to notify.  An idempotency key (NULL: none) is
 * looked for in the first category, whose messages are walked for that.
 *
 * NGX_OK        stored, and seen by every read that begins now
 * NGX_DONE      nothing is stored: what the key stands for still is, and the
 *               last message's id is what it was then
 * NGX_DECLINED  together they need more than a quarter of the zone, or more
 *               categories than it can have
 */
ngx_int_t ngx_http_longpoll_zone_publish(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs, ngx_uint_t n,
    ngx_str_t *key, uint64_t now, uint64_t *wake);

/*
 * Reads behind rd->cursor, oldest first, up to rd->limit, at least one, never
 * cut inside a ms.  Where there is nothing, PARK and WAKE register the worker's
 * interest under the same lock hold, LAST and PEEK find the time of a time-out
 * answer, with which no later message shares its ms.
 *
 * The memory of msgs belongs to the zone's code, one per process: it holds
 * until the next read.  The bytes of the messages stand in the zone itself or
 * in that memory; use them, then ask ..._zone_read_valid().
 *
 * NGX_OK     rd->msgs, rd->nmsgs, rd->missed
 * NGX_AGAIN  nothing: rd->missed, and rd->slots or rd->timestamp
 * NGX_ERROR  no memory
 */
ngx_int_t ngx_http_longpoll_zone_read(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd, uint64_t now);

/*
 * Where rd->client is set, that client's place is the cursor.  The read gives
 * one message, and moves the place on to it under the same lock hold: of all
 * polls with one id only this one gets it.  PARK and WAKE also register that
 * the client has a poll parked in the worker; LAST finds no time.  PEEK leaves
 * the place as it is.  Besides the above it returns
 *
 * NGX_DONE   the client is not known: it never was, was idle for too long, or
 *            was dropped for the room; rd->missed: it has been dropped now, as
 *            something behind its place is gone
 */

/*
 * Whether a new poll's cursor is at the newest place of all, so that a read
 * would find nothing and miss nothing.  Takes no lock, which is right for a
 * category in which the worker has an interest already: whatever is published
 * from now on is marked for it.
 */
ngx_uint_t ngx_http_longpoll_zone_newest(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor);

/*
 * Whether the bytes used since the read were the messages'.  If not, forget
 * them and read again; after a few times it always holds.
 */
ngx_uint_t ngx_http_longpoll_zone_read_valid(ngx_http_longpoll_zone_t *z);

/*
 * The worker's last parked poll of a category left (slot as rd->slots gave
 * it): its interest ends.
 */
void ngx_http_longpoll_zone_unwatch(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, const uint64_t hash[2], uint32_t slot, uint64_t now);

/* the worker's polls have been given what they were owed of a category */
void ngx_http_longpoll_zone_paid(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, const uint64_t hash[2]);

/* one more interest of the worker is counted loose, or one less */
void ngx_http_longpoll_zone_loose(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_int_t n);

/*
 * Takes the next few categories that were published to since they were taken
 * last, as hashes; returns their number, 0 at the end.
 */
#define NGX_HTTP_LONGPOLL_DIRTY  64

ngx_uint_t ngx_http_longpoll_zone_dirty(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t hashes[][2]);

/* whether the worker must look at every parked poll; asked once, answered
 * once */
ngx_uint_t ngx_http_longpoll_zone_look_all(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);

/* a worker begins, or was found dead: nothing of that number remains */
void ngx_http_longpoll_zone_forget_worker(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now);

/*
 * Once a second by every worker.  Recovers what a dead process left; for the
 * first of that second also frees what is expired and inactive.  Returns 1 to
 * that first one.
 */
ngx_uint_t ngx_http_longpoll_zone_tick(ngx_http_longpoll_zone_t *z,
    uint64_t now);

/* alive is the set of workers whose gauges count; counters.delivered is that of
 * all */
void ngx_http_longpoll_zone_status(ngx_http_longpoll_zone_t *z, uint64_t alive,
    ngx_http_longpoll_zone_status_t *st);

/* of one category; looking does not count as use */
void ngx_http_longpoll_zone_category(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now,
    ngx_http_longpoll_category_status_t *st);

/*
 * How many polls are parked for a category, only the workers know.  Whoever
 * wants to know asks, notifies them all, comes again until they have answered,
 * and settles the question.  There is one at a time; after
 * NGX_HTTP_LONGPOLL_ZONE_OPEN ms another one may take its place.
 *
 * ask       its number; 0: another one is open, try later
 * question  whether this worker has one to answer: number and hash
 * answer    answers it
 * answers   NGX_OK        *n is the sum of the answers of alive
 *           NGX_AGAIN     some are still to come; *n is that of the others
 *           NGX_DECLINED  another one has taken its place, *n is as it was
 */
#define NGX_HTTP_LONGPOLL_ZONE_OPEN  200

uint64_t ngx_http_longpoll_zone_ask(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now);
ngx_uint_t ngx_http_longpoll_zone_question(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t *number, uint64_t hash[2]);
void ngx_http_longpoll_zone_answer(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t number, ngx_uint_t n);
ngx_int_t ngx_http_longpoll_zone_answers(ngx_http_longpoll_zone_t *z,
    uint64_t number, uint64_t alive, uint64_t *n);
void ngx_http_longpoll_zone_settled(ngx_http_longpoll_zone_t *z,
    uint64_t number);

/* forgets the messages of a category */
void ngx_http_longpoll_zone_delete(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now);

/*
 * A new client of gpoll's, whose uuid is set: its place is the newest of now,
 * and client->number is set.
 */
void ngx_http_longpoll_zone_enter(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_client_t *client, uint64_t now);

/* whether there is such a client; looking does not count as use */
ngx_uint_t ngx_http_longpoll_zone_knows(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_client_t *client, uint64_t now);

/* the last poll of the client that was parked in the worker left */
void ngx_http_longpoll_zone_part(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_client_t *client, uint64_t now);

/*
 * Walks over everything and compares; only between calls, in tests and debug
 * builds.  NULL, or what is wrong.
 */
const char *ngx_http_longpoll_zone_check(ngx_http_longpoll_zone_t *z);


#define ngx_http_longpoll_zone_count(z, counter, n)                           \
    (void) ngx_atomic_fetch_add(&(z)->sh->counters.counter, n)


#endif /* _NGX_HTTP_LONGPOLL_ZONE_H_INCLUDED_ */
