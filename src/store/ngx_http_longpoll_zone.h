
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
#include "ngx_http_longpoll_client.h"


#if (NGX_PTR_SIZE != 8)
#error "ngx_http_longpoll_module needs a 64-bit platform"
#endif


/*
 * A message in the log: 40 bytes; 8 more if OWED; 16 more if KEYED, which are
 * the hash of the publish's idempotency key, the last 16 bits of them how many
 * messages came behind this one; 16 more if it is FOREIGN, its UUID; the name;
 * the data.  The upper half of the bits is the number of its life: 0 is the
 * zone's own, others are those of a file that was loaded.
 */

#define NGX_HTTP_LONGPOLL_MSG_PENDING   0x01   /* the workers that owe it */
#define NGX_HTTP_LONGPOLL_MSG_TAKEN  0x02   /* somebody was given it */
#define NGX_HTTP_LONGPOLL_MSG_KEYED  0x04
#define NGX_HTTP_LONGPOLL_MSG_MORE   0x08   /* its publish goes on behind it */

#define NGX_HTTP_LONGPOLL_EPOCHS      15     /* that a zone knows */
#define NGX_HTTP_LONGPOLL_FOREIGN    15     /* none of them */
#define NGX_HTTP_LONGPOLL_PREVIOUS     8

#define ngx_http_longpoll_msg_epoch(msg)  ((msg)->rec.bits >> 4)

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
    uint64_t                         flush;             /* ms; of a zone that
                                                           has a file */
    uint64_t                         durable;
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


/*
 * A place in the list of all messages: ref is the first one behind id, 0 if
 * there is none yet; it moves on when that one goes, and with it.
 */

typedef struct {
    uint64_t                         id;
    uint32_t                         ref;
    uint32_t                         on;
} ngx_http_longpoll_cursor_sh_t;

#define NGX_HTTP_LONGPOLL_CURSOR_SAVED  0     /* up to here it is in the file */
#define NGX_HTTP_LONGPOLL_CURSOR_NEXT   1     /* given to the writer */
#define NGX_HTTP_LONGPOLL_CURSOR_COMPACT  2     /* it is in a new one */
#define NGX_HTTP_LONGPOLL_CURSOR_EXPOSED  3     /* those who wait have been told */
#define NGX_HTTP_LONGPOLL_CURSORS       4

#define NGX_HTTP_LONGPOLL_FILE_DEAD   1
#define NGX_HTTP_LONGPOLL_FILE_MENDED 2

#define NGX_HTTP_LONGPOLL_FAILURES    64


/* a message that went without being lost, until it is noted beside the file */

typedef struct {
    ngx_http_longpoll_uuid_t         uuid;
    uint64_t                         dropped;   /* id, of its category */
    uint64_t                         name;      /* hash[1] of that */
} ngx_http_longpoll_deletion_sh_t;


/* publishes that could not be written: their ids lie in (after, upto] */

typedef struct {
    uint64_t                         after;
    uint64_t                         upto;
} ngx_http_longpoll_failure_sh_t;


typedef struct {
    /* written by the worker alone */
    ngx_atomic_t                     waiting;   /* parked polls */
    ngx_atomic_t                     delivered; /* messages, by all who had the
                                                   number: never goes back */

    /* under the lock */
    uint64_t                         known;     /* to forget_worker */
    uint64_t                         slotless;    /* interests without a slot */

    /* set by anyone, taken by the worker */
    ngx_atomic_t                     wake_all;

    /* its answer to a question: how many polls of that category it has */
    ngx_atomic_t                     answered;  /* which question */
    ngx_atomic_t                     answer;

    uint64_t                         spare;     /* one cache line */
} ngx_http_longpoll_worker_sh_t;


/*
 * The clock.  visible <= committed <= last_id, and none of them goes back.
 * Messages behind committed belong to a publish that has not ended; messages
 * behind visible are not read yet: with durable they wait for the disk, without
 * durable visible follows committed in the same lock hold.  last_id runs ahead
 * of committed where a time-out's answer has used up the rest of its ms.
 *
 * Written in zone_publish, in zone_read (last_id), in zone_save; recovery sets
 * visible to committed.  Under the lock, but some read visible without it.
 */

typedef struct {
    uint64_t                         last_id;   /* highest issued */
    uint64_t                         visible;   /* readers see up to here */
    uint64_t                         committed; /* whole publishes up to here */
} ngx_http_longpoll_clock_sh_t;


/*
 * A zone of another size takes this one's place, or this one took another's.
 * moved is 0 as long as the zone is the latest of its name.  generation never
 * changes once the zone is the latest; copied matters only while it is made.
 *
 * Written in zone_save (adopt, moved).
 */

typedef struct {
    uint64_t                         moved;     /* ids from this one on are only
                                                   here: the later zone has
                                                   copied what is before */
    uint64_t                         copied;    /* id: copied up to here */
    uint64_t                         generation;    /* of the zone's name */
} ngx_http_longpoll_resize_sh_t;


/*
 * What is known of earlier epochs, to judge the cursors that they issued.  A
 * cursor before valid_from may have missed events; so may an id behind end, and
 * a time in [born, overlap_until).  Any other cursor of an earlier epoch is as
 * good as one of this epoch.  lost_until <= valid_from once the zone is loaded.
 *
 * Written in zone_save (load, adopt, alone, missing).
 */

typedef struct {
    uint64_t                         valid_from;    /* ms */
    uint64_t                         end;           /* ms: the last that the
                                                       previous epoch issued */
    uint64_t                         lost_until;    /* ms: losses of unknown
                                                       categories are before */
    uint64_t                         overlap_until; /* ms: until then another
                                                       nginx issued times of its
                                                       own */
    uint64_t                         missing_below; /* ids below this one were
                                                       also issued by another
                                                       nginx; events between
                                                       may be missing here */
    uint64_t                         epochs[NGX_HTTP_LONGPOLL_PREVIOUS];
                                                    /* of the zones that this
                                                       one replaced, the newest
                                                       first */
} ngx_http_longpoll_previous_sh_t;


/*
 * The zone and its file; in a zone without one, cursors and durable are off.
 * Between calls SAVED <= NEXT <= committed, and where they are on, COMPACT <=
 * SAVED and EXPOSED <= visible.  refused is 0, or the upto of the last failure.
 * deletions_first <= deletions_last, at most ndeletions apart.
 *
 * Written in zone_save, the file_ words also in persist and load.  publishers
 * and writer are written without the lock.
 */

typedef struct {
    ngx_http_longpoll_cursor_sh_t    cursors[NGX_HTTP_LONGPOLL_CURSORS];
    uint64_t                         durable;   /* what is not saved is not
                                                   visible */
    uint64_t                         members;   /* workers that have the zone */
    uint64_t                         leaving;   /* members that are about to
                                                   exit */
    ngx_atomic_t                     publishers;    /* workers with publishers
                                                       that wait for the disk */
    ngx_atomic_t                     writer;    /* number of the worker + 1 */

    uint64_t                         unread;    /* the file could not be read */
    uint64_t                         contested; /* another nginx is, or was, the
                                                   writer since it was loaded */
    uint64_t                         file_node; /* inode */
    uint64_t                         file_size; /* that is good */
    uint64_t                         file_dead; /* the file is to be compacted:
                                                   DEAD, or MENDED while it is,
                                                   which may be given up */
    uint64_t                         state_size;

    uint64_t                         deletions_first;   /* in the ring; both */
    uint64_t                         deletions_last;    /* only grow */

    uint64_t                         refused;   /* messages up to here could not
                                                   be written, and are dropped */
    uint64_t                         failed;    /* how often that happened */
    ngx_http_longpoll_failure_sh_t   failures[NGX_HTTP_LONGPOLL_FAILURES];
} ngx_http_longpoll_disk_sh_t;


/*
 * The list of all messages, by id.  oldest and newest are refs, both 0 or both
 * set; count is the length of the list, and the sum of all categories' counts.
 *
 * Written in zone_publish, zone_watch (drop) and by the log's moves, always in
 * a step.
 */

typedef struct {
    uint32_t                         oldest;
    uint32_t                         newest;
    uint64_t                         count;
} ngx_http_longpoll_list_sh_t;


/*
 * Work that is not finished, for the next process that takes the lock: busy
 * while a publish's messages are appended and their workers marked; a delete
 * drops the messages up to delete_id of the category in delete_slot.
 */

typedef struct {
    uint64_t                         busy;
    uint64_t                         delete_id;
    uint32_t                         delete_slot;   /* number + 1, 0 is none */
} ngx_http_longpoll_work_sh_t;


/*
 * The tick: the worker that moves second on sweeps; sweep is the slot that the
 * next sweep begins with.
 */

typedef struct {
    ngx_atomic_t                     second;    /* of the last tick */
    uint32_t                         sweep;
} ngx_http_longpoll_tick_sh_t;


/*
 * The question at hand: how many polls wait for a category (zone_status).  The
 * workers compare number with the number that they answered last.
 */

typedef struct {
    ngx_atomic_t                     number;    /* 0: none yet */
    ngx_atomic_t                     open;      /* it is not settled */
    uint64_t                         asked;     /* ms */
    uint64_t                         about[2];  /* hash of a category */
} ngx_http_longpoll_question_sh_t;


typedef struct {
    /* written without the lock: each in cache lines of its own */
    ngx_http_longpoll_worker_sh_t    workers[NGX_HTTP_LONGPOLL_WORKERS];
    ngx_http_longpoll_counters_t     counters;

    /* who the zone is: set before the first request */
    uint64_t                         epoch;     /* of its own ids */
    uint64_t                         born;      /* ms */
    uint64_t                         key[2];    /* of the hash */
    uint64_t                         epochs[NGX_HTTP_LONGPOLL_EPOCHS];
                                                /* of its messages; its own
                                                   comes first */

    /* changed by a successful reload, under the lock */
    ngx_http_longpoll_zone_conf_t    conf;
    uint64_t                         has_pending;   /* delete_on_read was on
                                                       once */

    uint64_t                         slotless;  /* workers with slotless > 0 */

    ngx_http_longpoll_question_sh_t  question;
    ngx_http_longpoll_clock_sh_t     clock;
    ngx_http_longpoll_resize_sh_t    resize;
    ngx_http_longpoll_previous_sh_t  previous;
    ngx_http_longpoll_disk_sh_t      disk;
    ngx_http_longpoll_list_sh_t      list;
    ngx_http_longpoll_work_sh_t      work;
    ngx_http_longpoll_tick_sh_t      tick;

    ngx_http_longpoll_log_sh_t       log;
    ngx_http_longpoll_cats_sh_t      cats;
    ngx_http_longpoll_clients_sh_t   clients;
    ngx_http_longpoll_journal_sh_t   journal;
} ngx_http_longpoll_zone_sh_t;


/*
 * Zones of one name, of other sizes, follow each other, and workers of several
 * of them may be there at a time.  Each has a word, written by those before it:
 * behind ids below that, events have gone to them and not to it.
 */

#define NGX_HTTP_LONGPOLL_GENERATIONS  16

typedef struct {
    ngx_atomic_t                     latest;    /* generation */
    ngx_atomic_t                     issued;    /* the last id of all of them,
                                                   when there are several */
    ngx_atomic_t                     upto[NGX_HTTP_LONGPOLL_GENERATIONS];
} ngx_http_longpoll_late_sh_t;

#define ngx_http_longpoll_zone_late_upto(z, generation)                          \
    (&(z)->late->upto[(generation) % NGX_HTTP_LONGPOLL_GENERATIONS])


/* a process's view of a zone */

struct ngx_http_longpoll_zone_s {
    ngx_str_t                        name;
    size_t                           size;      /* as configured */
    ngx_str_t                        persist;   /* path of its file; or none */
    ngx_http_longpoll_zone_conf_t    conf;      /* as this cycle wants it */

    ngx_shmtx_t                     *mutex;     /* of the slab pool: the one
                                                   that nginx's master unlocks
                                                   for the dead */
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_cats_t         cats;
    ngx_http_longpoll_log_t          log;
    ngx_http_longpoll_clients_t       clients;
    ngx_atomic_t                    *dirty;     /* bitmaps of all workers */
    ngx_atomic_t                    *summary;
    ngx_uint_t                       words;     /* of one worker's dirty */
    ngx_uint_t                       sums;      /* of one worker's summary */
    ngx_http_longpoll_deletion_sh_t     *deletions;    /* a ring */
    ngx_uint_t                       ndeletions;    /* 0: it has no file */
    ngx_http_longpoll_late_sh_t   *late;    /* of all zones of its name */

    void                            *data;      /* of whoever parks polls */
    void                            *writer;    /* of persist */
    ngx_http_longpoll_zone_t        *old;       /* whose place it takes */
};


/* where a poll reads on */

typedef struct {
    uint64_t                         id;        /* seen up to here */
    uint64_t                         since;     /* ms: as a since_time the same
                                                   place, whatever happens in
                                                   between */
    ngx_http_longpoll_uuid_t         uuid;      /* if named */

    /* of a new one, until the first read */
    unsigned                         fresh:1;
    unsigned                         now:1;     /* id is still to be set */
    unsigned                         exact:1;   /* a message's own place */

    unsigned                         lost:1;    /* of an earlier life */
    unsigned                         named:1;   /* in its ms a message may have
                                                   this UUID: behind that */
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
    ngx_http_longpoll_uuid_t         first;     /* where there are events */
    ngx_http_longpoll_uuid_t         last;
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

/*
 * Whether events behind a cursor of that ms may have been lost with an earlier
 * life: one of an id that was made in it, or of a time.
 */
ngx_uint_t ngx_http_longpoll_zone_lost(ngx_http_longpoll_zone_t *z,
    uint64_t ms, ngx_uint_t id);

/* whether the zone has, or had, messages of that life: their ids are places */
ngx_uint_t ngx_http_longpoll_zone_knows_epoch(ngx_http_longpoll_zone_t *z,
    uint64_t life);

/* fills cat->hash from cat->name */
void ngx_http_longpoll_zone_name(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat);

/*
 * Stores n messages, all or none, each under cats[msgs->cat], where no name
 * stands twice and the first message's is the first; their ids and UUIDs are
 * set.  *wake
 * becomes the set of workers to notify.  An idempotency key (NULL: none) is
 * looked for in the first category, whose messages are walked for that.
 *
 * NGX_OK        stored, and seen by every read that begins now
 * NGX_AGAIN     stored, or known to be, and seen when it is saved: see
 *               ..._zone_decided()
 * NGX_DONE      nothing is stored: what the key stands for still is, and the
 *               last message's UUID is what it was then
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
void ngx_http_longpoll_zone_acknowledge(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, const uint64_t hash[2]);

/* one more interest of the worker is counted loose, or one less */
void ngx_http_longpoll_zone_count_slotless(ngx_http_longpoll_zone_t *z,
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
ngx_uint_t ngx_http_longpoll_zone_wake_all(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);

/* a worker begins, or was found dead: nothing of that number remains */
void ngx_http_longpoll_zone_reap_worker(ngx_http_longpoll_zone_t *z,
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

/* the newest place now, as an id */
uint64_t ngx_http_longpoll_zone_latest(ngx_http_longpoll_zone_t *z);

/* forgets the messages of a category */
void ngx_http_longpoll_zone_delete(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now);

/*
 * A file (zone_save.c).  One worker writes, with nobody beside it: it begins,
 * takes what is not saved, puts it on disk, says so, and takes more.
 *
 *     oldest ... SAVED ... NEXT ... newest
 *                  |         | not looked at
 *                  | being written
 *       AGAIN ->   in the file
 */

/* what the writer is given: lines of the file, and notes beside it */

#define NGX_HTTP_LONGPOLL_NOTE_DELETION   1     /* UUID: not lost, but not there;
                                               what its category lost, id, in
                                               this life, and half its hash */
#define NGX_HTTP_LONGPOLL_NOTE_KEY    2     /* UUID, hash of its key */
#define NGX_HTTP_LONGPOLL_NOTE_LOST   3     /* hash of a category, ids: what it
                                               lost up to there in this life,
                                               and perhaps or earlier */
#define NGX_HTTP_LONGPOLL_NOTE_TOMB   4     /* bucket, their number, and what
                                               the tombstone says */
#define NGX_HTTP_LONGPOLL_NOTE_REST   5     /* id: some category lost what is up
                                               to there */

typedef struct {
    uint64_t                         kind;
    uint64_t                         word[4];
} ngx_http_longpoll_note_t;

typedef struct {
    u_char                          *lines;
    size_t                           len;
    size_t                           size;
    size_t                           enough;    /* no publish is begun then */
    ngx_uint_t                       more;      /* one is not all in yet */
    size_t                           wanted;    /* if size is too small */

    ngx_http_longpoll_note_t        *notes;
    ngx_uint_t                       nnotes;
    ngx_uint_t                       max_notes;

    uint64_t                         deletions;      /* taken up to here */
} ngx_http_longpoll_save_t;

/*
 * A writer begins, or begins again: what another one had not finished is done
 * now, or once more.  *wake, here and below: workers to notify are added.
 */
void ngx_http_longpoll_zone_save_begin(ngx_http_longpoll_zone_t *z,
    uint64_t *wake);

/* the same, for a writer that tries once more */
void ngx_http_longpoll_zone_save_retry(ngx_http_longpoll_zone_t *z,
    uint64_t *wake);

/*
 * With durable a message becomes visible when it is saved.  Turning it off is
 * NGX_AGAIN as long as some wait for that; must: they are shown without.
 */
ngx_int_t ngx_http_longpoll_zone_durable(ngx_http_longpoll_zone_t *z,
    ngx_uint_t on, ngx_uint_t must, uint64_t *wake);

/* notes of what is gone; to be called first */
void ngx_http_longpoll_zone_save_deletions(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_save_t *save);

/*
 * Takes messages behind a mark, NEXT or AGAIN, until save is full.
 *
 * NGX_OK        that was all there is for now
 * NGX_AGAIN     it is full, or has enough
 * NGX_DECLINED  the next line alone needs save->wanted bytes
 */
ngx_int_t ngx_http_longpoll_zone_save(ngx_http_longpoll_zone_t *z,
    ngx_uint_t mark, ngx_http_longpoll_save_t *save);

/*
 * What was taken is on disk, the file and the notes have these sizes: with
 * durable it becomes visible.
 */
void ngx_http_longpoll_zone_saved(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_save_t *save, uint64_t size, uint64_t notes,
    uint64_t *wake);

/* it is not: what waits for the disk is refused, and begins again */
void ngx_http_longpoll_zone_unsaved(ngx_http_longpoll_zone_t *z,
    uint64_t *wake);

/* the file is to be written anew, from the oldest on; or is no longer */
void ngx_http_longpoll_zone_compact(ngx_http_longpoll_zone_t *z, ngx_uint_t on);

/*
 * A new file has all that the mark AGAIN has passed, and becomes the one.
 * NGX_AGAIN: it lacks something that the old one has.
 */
ngx_int_t ngx_http_longpoll_zone_renewed(ngx_http_longpoll_zone_t *z,
    uint64_t size, uint64_t notes);

/*
 * Notes of what categories have lost; those without messages have room for so
 * many, the rest is one note.  The caller zeroes the state and calls until it
 * is no longer NGX_AGAIN: save is full.
 */
#define NGX_HTTP_LONGPOLL_LOSSES  8192

typedef struct {
    ngx_uint_t                       n;
    ngx_uint_t                       empty;
    uint64_t                         rest;
} ngx_http_longpoll_losses_t;

ngx_int_t ngx_http_longpoll_zone_losses(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_losses_t *losses, ngx_http_longpoll_save_t *save);

/* whether there is something to write */
ngx_uint_t ngx_http_longpoll_zone_unwritten(ngx_http_longpoll_zone_t *z);

/*
 * Whether a publish is decided: NGX_OK: it is visible; NGX_ERROR: it could not
 * be written, and is not there; NGX_AGAIN.  failed is sh->disk.failed of before the
 * publish.
 */
ngx_int_t ngx_http_longpoll_zone_decided(ngx_http_longpoll_zone_t *z,
    uint64_t id, uint64_t failed);

/*
 * Workers that have the zone: one begins; is about to go; and has gone, which
 * returns those that are left.  Others are those that will stay.
 */
void ngx_http_longpoll_zone_join(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);
void ngx_http_longpoll_zone_leaving(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);
uint64_t ngx_http_longpoll_zone_resign(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t alive);
uint64_t ngx_http_longpoll_zone_others(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t alive);

/*
 * Before the first request: a message of an earlier life, in the order of
 * time; msg->id is where it stood (0: not known, only its ms), and becomes
 * where it stands.  key (NULL: none) is the hash of its publish's key.
 * NGX_OK; NGX_DECLINED: it is too large.
 */
ngx_int_t ngx_http_longpoll_zone_load(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg,
    const uint64_t *key, uint64_t now);

/* a note about losses; exact: they are this life's */
void ngx_http_longpoll_zone_load_loss(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_note_t *note, ngx_uint_t exact);

/* that was all; earlier: what did not fit was lost by an earlier life */
void ngx_http_longpoll_zone_loaded(ngx_http_longpoll_zone_t *z,
    ngx_uint_t earlier, uint64_t now);

/*
 * A zone of another size takes the place of old, and all that it has.  Nothing
 * of old is changed before ..._zone_moved(): what it gets from then on, and got
 * in between, is told as missed.  NGX_OK, or NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_longpoll_zone_adopt(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now, ngx_log_t *log);
void ngx_http_longpoll_zone_moved(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old);

/* whether it has the place of a zone of that life */
ngx_uint_t ngx_http_longpoll_zone_succeeds(ngx_http_longpoll_zone_t *z,
    uint64_t life);

/*
 * The zone is the only one of its file from now on; whose the file was has
 * given out ids and times up to last.  alone: it took nothing that was not
 * loaded, and cursors of earlier lives are to be believed from trusted (ms) on.
 * missing: it may have; all cursors of before are told.
 */
void ngx_http_longpoll_zone_alone(ngx_http_longpoll_zone_t *z, uint64_t last,
    uint64_t trusted);
void ngx_http_longpoll_zone_missing(ngx_http_longpoll_zone_t *z,
    uint64_t last);

/*
 * A new client of gpoll's, whose uuid is set: its place is the newest of now,
 * and client->number is set.
 */
void ngx_http_longpoll_zone_add_client(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_client_t *client, uint64_t now);

/* the last poll of the client that was parked in the worker left */
void ngx_http_longpoll_zone_leave_client(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_client_t *client, uint64_t now);


#define ngx_http_longpoll_zone_count(z, counter, n)                           \
    (void) ngx_atomic_fetch_add(&(z)->sh->counters.counter, n)


#endif /* _NGX_HTTP_LONGPOLL_ZONE_H_INCLUDED_ */
