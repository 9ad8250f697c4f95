
/*
 * ngx_http_longpoll_store.h: the zone's shared memory, as its files know it.
 *
 *   zone_sh | slots | tombstones | buckets | dirty | summary | notes |
 *   unsaved | clients | presence | log ...
 *
 *                first                         last
 *     slot ------> msg <-> msg <-> msg <-> msg <-- slot       by category
 *     zone ------> msg <-> msg <-> msg <-> msg <-- zone       by age
 *                oldest                        newest
 *
 * Every live message stands in two lists, both in the order of ids.  A message
 * is a record of the log; a ref (32 bits, 0 is none) leads to it as long as it
 * is live.
 *
 * Everything is written under the zone's lock, but for the words that are
 * marked.  A word that is read without the lock may be old; its reader asks
 * once more under the lock, or can live with it.
 *
 * A process may be killed at any instruction.  So a word that may
 * change alone is stored by one put(); words that only make sense together
 * change in a step, a list of set() that ends with done(), and the next process
 * that takes the lock undoes a step without done() (ngx_http_longpoll_journal).
 *
 * What the files share, from the ground up; a file uses only those above it in
 * this list:
 *
 *     store          types, and macros on them
 *     zone_msg       one message
 *     zone_clock     the ids that are issued; cursors of earlier epochs
 *     zone_cursor    what the log has of the messages, and what waits for it
 *     zone_list      both lists: append, drop, move; deletes; slots become free
 *     zone_epoch     the epochs of a copy of a stream
 *     zone_lock      the lock, and recovery
 *     zone_room      what makes room: ttl, buffer, inactive, a full zone
 *     zone_watch     which workers wait
 *     zone_client    gpoll's clients
 *     zone_key       idempotency keys
 *     zone_publish, zone_delete, zone_status, zone_page, zone_question,
 *     zone_disk
 *     zone_presence  who waits for what, as events
 *     zone_feed      a copy of a stream
 *     zone_read, zone_tick, zone
 *     zone_load, zone_adopt
 *
 * A debug build adds zone_debug.
 *
 * A function that may need many steps counts them: it takes those it did off
 * *steps, and returns NGX_BUSY when none is left.  Its caller unlocks, and goes
 * on in another lock hold.  What was done so far is valid.
 */


#ifndef _NGX_HTTP_LONGPOLL_STORE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_STORE_H_INCLUDED_


#include "ngx_http_longpoll_id.h"
#include "ngx_http_longpoll_hash.h"
#include "ngx_http_longpoll_control.h"
#include "ngx_http_longpoll_entry.h"
#include "ngx_http_longpoll_journal.h"
#include "ngx_http_longpoll_log.h"
#include "ngx_http_longpoll_cat.h"
#include "ngx_http_longpoll_client.h"
#include "ngx_http_longpoll_presence.h"


#if (NGX_PTR_SIZE != 8)
#error "ngx_http_longpoll_module needs a 64-bit platform"
#endif


/*
 * A message in the log:
 *
 *     msg_sh_t   40 bytes
 *     pending     8 bytes, if PENDING: the workers it is pending for
 *     key        16 bytes, if KEYED: the hash of the publish's idempotency key;
 *                its last 16 bits are how many messages followed this one
 *     UUID       16 bytes, if the epoch is FOREIGN
 *     name, data
 *
 * rec.bits: the lower half are the flags below, the upper half is the number of
 * the message's epoch in sh->epochs.  0 is the zone's own epoch, the others are
 * those of a file that was loaded or of a zone that was replaced.  In a zone
 * that is a copy of a stream all of them are the stream's.
 */

#define NGX_HTTP_LONGPOLL_MSG_PENDING    0x01
#define NGX_HTTP_LONGPOLL_MSG_TAKEN      0x02   /* a poll has received it:
                                                   dropped once it is pending
                                                   for no worker */
#define NGX_HTTP_LONGPOLL_MSG_KEYED      0x04
#define NGX_HTTP_LONGPOLL_MSG_MORE       0x08   /* its publish goes on with the
                                                   next message */

#define NGX_HTTP_LONGPOLL_EPOCHS         15     /* that a zone knows */
#define NGX_HTTP_LONGPOLL_FOREIGN        15     /* none of them */

#define ngx_http_longpoll_msg_epoch(msg)  ((msg)->rec.bits >> 4)

typedef struct {
    ngx_http_longpoll_rec_sh_t       rec;
    uint32_t                         data_len;
    uint32_t                         slot;
    uint64_t                         id;

    /* refs; written only in steps (zone_list) */
    uint32_t                         next;      /* in its category */
    uint32_t                         prev;
    uint32_t                         newer;     /* in the list of all */
    uint32_t                         older;
} ngx_http_longpoll_msg_sh_t;


/* as configured; 0 is off, but buffer is never 0 */

typedef struct {
    uint64_t                         buffer;            /* messages */
    uint64_t                         ttl;               /* ms */
    uint64_t                         inactive;          /* ms */
    uint64_t                         delete_on_read;
    uint64_t                         flush;             /* ms; if the zone has
                                                           a file */
    uint64_t                         durable;
    uint64_t                         grace;             /* ms; if the zone has
                                                           presence */
} ngx_http_longpoll_zone_conf_t;


/* atomic; they only grow while the zone exists */

typedef struct {
    ngx_atomic_t                     published;         /* messages */
    ngx_atomic_t                     delivered;         /* without a number;
                                                           see workers */
    ngx_atomic_t                     expired;
    ngx_atomic_t                     trimmed;           /* over buffer */
    ngx_atomic_t                     evicted;
    ngx_atomic_t                     timeouts;          /* answers */
    ngx_atomic_t                     missed;
    ngx_atomic_t                     refused;           /* publishes */
    ngx_atomic_t                     disconnected;      /* polls */

    ngx_atomic_t                     padding[7];    /* to two cache lines */
} ngx_http_longpoll_counters_t;

/* fill a struct with padding, as in worker_sh_t, when a counter is added */

typedef char ngx_http_longpoll_counters_lines_t
    [sizeof(ngx_http_longpoll_counters_t) % 64 ? -1 : 1];


/*
 * A cursor of the disk's in the list of all messages: ref is the first message
 * behind id, 0 if there is none yet.  When that message is dropped or moved,
 * the cursor is relinked in the same step (zone_cursor).
 */

typedef struct {
    uint64_t                         id;
    uint32_t                         ref;
    uint32_t                         on;
} ngx_http_longpoll_cursor_sh_t;

#define NGX_HTTP_LONGPOLL_CURSOR_SAVED    0     /* in the log, and synced */
#define NGX_HTTP_LONGPOLL_CURSOR_NEXT     1     /* taken by the writer */
#define NGX_HTTP_LONGPOLL_CURSOR_BASE     2     /* taken for a new base */
#define NGX_HTTP_LONGPOLL_CURSOR_EXPOSED  3     /* their workers are marked */
#define NGX_HTTP_LONGPOLL_CURSORS         4

#define NGX_HTTP_LONGPOLL_FAILURES        64


/* what the log on disk says of durable (disk.says) */

#define NGX_HTTP_LONGPOLL_SAYS_NO         0
#define NGX_HTTP_LONGPOLL_SAYS_MAYBE      1     /* a line is on its way */
#define NGX_HTTP_LONGPOLL_SAYS_YES        2

/* what the writer of a log does, by what it means if it fails */

#define NGX_HTTP_LONGPOLL_PASS_SAVE       1     /* events are not on disk */
#define NGX_HTTP_LONGPOLL_PASS_BASE       2     /* they are, but the log
                                                   grows */
#define NGX_HTTP_LONGPOLL_PASS_END        3     /* all are, but the next start
                                                   will not know it */

/* a note for the log: the words of a line (wire/control) */

typedef struct {
    uint64_t                         kind;      /* CONTROL_DELETION or _DROP */
    uint64_t                         word[3];   /* UUID; or name, upto, lost */
} ngx_http_longpoll_note_sh_t;


/*
 * What waits for the disk in a category, with durable: its messages behind
 * EXPOSED.  Each slot of a zone with a file has one.
 */

typedef struct {
    uint32_t                         count;
    uint32_t                         first;     /* the oldest, a ref; 0: none */
} ngx_http_longpoll_unsaved_sh_t;


/* messages with ids in (after, upto] could not be written, and are dropped */

typedef struct {
    uint64_t                         after;
    uint64_t                         upto;
} ngx_http_longpoll_failure_sh_t;


/* what the zone has of a worker's number, in a cache line of its own */

typedef struct {
    /* written by the worker alone, without the lock */
    ngx_atomic_t                     waiting;   /* parked polls */
    ngx_atomic_t                     delivered; /* messages, by all workers that
                                                   had the number */

    /* under the lock */
    uint64_t                         known;     /* it may have something in the
                                                   zone: to be reaped, which
                                                   clears it without the lock */
    uint64_t                         slotless;  /* interests without a slot */
    uint64_t                         spread;    /* it had some: old messages of
                                                   any category may be pending
                                                   for it */

    /* set by any process, taken by the worker */
    ngx_atomic_t                     wake_all;  /* it reads for all its polls */

    ngx_atomic_t                     in_flight; /* publishes that wait for an
                                                   answer of Redis; written by
                                                   the worker alone */

    uint64_t                         stored;    /* the last id for which a crowd
                                                   of them waited; written by
                                                   the worker alone */
} ngx_http_longpoll_worker_sh_t;


/*
 * The clock.  visible <= committed <= last_id, and none of them goes back.
 * Messages behind committed belong to a publish that has not ended.  Messages
 * behind visible are not read yet: with durable they wait for the disk, without
 * it visible follows committed in the same lock hold.  last_id runs ahead of
 * committed when a time-out's answer has used up the rest of its ms.
 *
 * Written under the lock in zone_publish, zone_read (last_id), zone_clock,
 * zone_load and zone_disk; recovery sets visible to committed.  Before a
 * zone's first request also in zone, zone_adopt and disk/load.  visible and
 * last_id are also read without the lock; ahead is written without it, in
 * zone_clock.  In a copy of a stream zone_feed alone writes them, and they go
 * back when the zone is emptied.
 */

#define NGX_HTTP_LONGPOLL_AHEAD_UNKNOWN  1

typedef struct {
    uint64_t                         last_id;   /* highest issued */
    uint64_t                         visible;   /* readers see up to here */
    uint64_t                         committed; /* whole publishes up to here */
    ngx_atomic_t                     ahead;     /* ms: the zone's time less the
                                                   elapsed time, while the wall
                                                   clock is behind; else 0.  In
                                                   a copy of a stream always, or
                                                   AHEAD_UNKNOWN */
} ngx_http_longpoll_clock_sh_t;


/*
 * What is known of earlier epochs, to judge the cursors that they issued.
 * Three kinds of earlier cursors may have missed events: any cursor before
 * valid_from; an id behind end; a time since born, while another nginx has the
 * log and this zone took messages.  Every other one is exact.  Once the zone is
 * loaded, lost_until <= valid_from.
 *
 * Written in zone_load and zone_adopt, and before the zone's first request in
 * zone.  Read without the lock.
 */

typedef struct {
    uint64_t                         valid_from;    /* ms */
    uint64_t                         end;           /* ms: the last that the
                                                       previous epoch issued;
                                                       0: there was none */
    uint64_t                         lost_until;    /* ms: losses of unknown
                                                       categories are before */
    uint64_t                         missing_below; /* id: two nginxes issued
                                                       ids below this one */
} ngx_http_longpoll_previous_sh_t;


/*
 * The zone and its log; in a zone without one, cursors and durable are off.
 * docs/internals/disk.md draws the log.
 *
 * Always true between calls:
 *     SAVED <= NEXT <= taken_upto <= committed; EXPOSED <= visible
 *     BASE <= base_upto, where it is on
 *     no message behind taken_upto has a line in any file
 *     notes_first <= notes_last, at most nnotes apart
 *     with durable, the unsaved_ words count the messages behind EXPOSED;
 *     without it they are 0
 *     says is YES only if all that readers saw is in the log
 *
 * Written in zone_disk, zone_cursor and zone_load; without the lock by the
 * writer alone: lost, skipped, restored and the figures.
 * cursors, durable, contested and the figures are also read without the lock.
 */

typedef struct {
    ngx_http_longpoll_cursor_sh_t    cursors[NGX_HTTP_LONGPOLL_CURSORS];
    uint64_t                         durable;   /* what is not saved is not
                                                   visible */

    /* sets of workers, each changed without the lock */
    ngx_atomic_t                     stays;     /* have the zone, and are not
                                                   leaving: the last one writes
                                                   the end */
    ngx_atomic_t                     publishers;    /* have publishers that
                                                       wait for the disk */

    /* the log */
    uint64_t                         segment;   /* number of the last one */
    uint64_t                         after;     /* number in front of it */
    uint64_t                         file_size; /* bytes of it that count; 0: it
                                                   is to be made */
    uint64_t                         node;      /* inode of PATH; 0: none */
    uint64_t                         begun;     /* the log says that this epoch
                                                   has begun */
    uint64_t                         says;      /* SAYS_ */
    uint64_t                         lost;      /* the log lacks events: a base
                                                   comes before all else */
    uint64_t                         stale;     /* so often the log could not
                                                   say something: it needs a new
                                                   base although it is small */
    uint64_t                         taken_upto;    /* id: a writer has taken
                                                       messages up to here, or
                                                       passed them */

    /* the base that is being written: BASE is on */
    uint64_t                         base_number;   /* replaces segments up to
                                                       this one */
    uint64_t                         base_upto; /* id: has messages up to it */
    uint64_t                         base_stale;    /* stale at its beginning */

    /* another nginx */
    uint64_t                         contested; /* it has, or had, the log since
                                                   this zone read it */
    uint64_t                         read_upto; /* id: of the epochs that the
                                                   zone knows, the log's events
                                                   up to it were read */
    uint64_t                         read_early;    /* id: of other epochs, the
                                                   merge at hand read those up
                                                   to it; 0: none yet */

    /* what the loader found, and the writer does first */
    uint64_t                         skipped;   /* lines that are not ours: they
                                                   go to PATH.bad before a base
                                                   replaces them */
    uint64_t                         restored;  /* PATH.restored is there */

    uint64_t                         unsaved_bytes; /* of the zone's log */
    uint64_t                         unsaved_cats;  /* that have any */

    uint64_t                         notes_first;   /* in the ring; both only */
    uint64_t                         notes_last;    /* grow */

    uint64_t                         refused;   /* messages up to here were not
                                                   written, and are dropped */
    uint64_t                         failed;    /* how often that happened */
    ngx_http_longpoll_failure_sh_t   failures[NGX_HTTP_LONGPOLL_FAILURES];

    /* figures */
    ngx_atomic_t                     failing;   /* PASS_: it failed the last
                                                   time, and that was logged */
    ngx_atomic_t                     write_failures;
    ngx_atomic_t                     bytes;     /* of all files */
} ngx_http_longpoll_disk_sh_t;


/*
 * The list of all messages, by id.  oldest and newest are refs, both 0 or both
 * set; count is the length of the list, and the sum of all categories' counts.
 *
 * Written in zone_list alone, in its steps.
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
 *
 * Written in zone_publish, zone_load, zone_disk, zone_list and zone_lock.
 */

typedef struct {
    uint64_t                         busy;
    uint64_t                         delete_id;
    uint32_t                         delete_slot;   /* number + 1, 0 is none */
    uint32_t                         delete_lost;   /* the messages are lost,
                                                       and the slot is freed */
} ngx_http_longpoll_work_sh_t;


/*
 * The tick: the worker that moves second on sweeps; sweep is the slot that the
 * next sweep begins with.  Written in zone_tick, second without the lock.
 */

typedef struct {
    ngx_atomic_t                     second;    /* of the last tick */
    uint32_t                         sweep;
} ngx_http_longpoll_tick_sh_t;


/*
 * How many polls wait for a category, or for which; zone_question writes it,
 * under the lock.  The workers in missing have still to add their numbers to
 * sum.
 */

typedef struct {
    uint64_t                         number;    /* of the last question */
    uint64_t                         asked;     /* ms, 0: none is open */
    uint64_t                         from;      /* place of the first category
                                                   that it is about */
    uint64_t                         upto;      /* and of the last */
    uint64_t                         sum;
    ngx_atomic_t                     missing;   /* set; read without the lock */
    uint64_t                         late;      /* set: of missing, those that
                                                   did not answer the question
                                                   before in time, either */
} ngx_http_longpoll_question_sh_t;


/*
 * Who waits for what, as events in one category (presence=).  The table has who
 * waits (presence); these words say what is published of it.
 *
 * Always true between calls:
 *     The first `flying` entries of DUE have events that were published.  The
 *     last of these events has the id flight_id.  With FLYING_RESET the event
 *     of the reset was published, and has that id.
 *     The entries are reported once flight_id is visible.  With durable the
 *     disk may refuse the events.  Then flying becomes 0, and the same changes
 *     are published again.
 *     While reset or walk is set, no change of an entry is published.
 *
 * Written in zone_presence; a flight begins in the step that commits its
 * publish (zone_publish), and a merge sets reset (zone_load).
 */

#define NGX_HTTP_LONGPOLL_FLYING_RESET    ((uint64_t) -1)

typedef struct {
    uint64_t                         hash[2];   /* of CATEGORY; hash[0] == 0:
                                                   the zone has no presence */
    uint64_t                         reset;     /* a reset is due */
    uint64_t                         walk;      /* the unit + 1 from which the
                                                   walk behind a reset goes on;
                                                   0: there is none */
    uint64_t                         flights;   /* so many have begun */
    uint64_t                         flying;    /* entries, or FLYING_RESET;
                                                   0: nothing is on its way */
    uint64_t                         flight_id; /* of its last message */
    uint64_t                         failed;    /* disk.failed before it */
    uint64_t                         worker;    /* set: who began it, and is
                                                   woken when it is decided */
    uint64_t                         back;      /* ms: until then the clients of
                                                   the frozen zone come here, if
                                                   this one replaced it.  No
                                                   grace ends before back +
                                                   grace */
    uint64_t                         full;      /* some category had no room,
                                                   since that was logged */
    uint64_t                         logged;    /* ms: when it was */
    ngx_http_longpoll_presences_sh_t  table;
} ngx_http_longpoll_presence_sh_t;


/* an entry of the stream that a zone is a copy of: where it stands */

typedef struct {
    ngx_http_longpoll_entry_place_t  place;     /* 0-0: none */
    uint64_t                         hash[2];   /* of the entry's fields */
    uint64_t                         number;    /* n of the last entry that had
                                                   one; 0: none */
} ngx_http_longpoll_zone_place_t;


/*
 * A zone that is a copy of a stream (zone_feed); in any other zone all is 0.
 *
 * Always true between calls, where it is on:
 *     last_id = committed = visible
 *     epoch began at begin; once the zone is synced, begin <= visible
 *     epochs[i] begins at begins[i]; no message is in front of all of these
 *
 * Written in zone_feed and zone_epoch; without the lock the atomic ones, and
 * those of the feed clock.  The others, but at, are also read without it.
 */

typedef struct {
    uint64_t                         on;        /* set before the first
                                                   request */
    uint64_t                         synced;    /* it has seen the end of the
                                                   stream */
    ngx_http_longpoll_zone_place_t   at;        /* the entry read last */
    uint64_t                         begins[NGX_HTTP_LONGPOLL_EPOCHS];
    uint64_t                         begin;     /* id: of epoch */
    uint64_t                         gap;       /* id: events may be missing
                                                   below it */

    /* the feed clock is clock.ahead, the largest of both differences: ms of an
       entry less the elapsed time; only the reader writes it */
    uint64_t                         latest;    /* the largest of this period */
    uint64_t                         earlier;   /* and of the one before */
    uint64_t                         period;    /* its number */
    uint64_t                         last;      /* elapsed ms: at the last
                                                   difference */
    uint64_t                         since;     /* at the first of the epoch, or
                                                   behind a silence; 0: none */
    uint64_t                         timed;     /* begin, if they have come for
                                                   a second; 0: not yet */

    ngx_atomic_t                     reader;    /* worker + 1; 0: none */
    ngx_atomic_t                     claimed;   /* elapsed ms: by the reader */
    ngx_atomic_t                     paused;    /* IDLE, GATHER (zone_feed.h),
                                                   or 0; cleared by any worker
                                                   that has the reader go on */
    ngx_atomic_t                     publishers;    /* set: workers that have
                                                       some who wait */

    /* figures; those that connect write the first two */
    ngx_atomic_t                     connected;
    ngx_atomic_t                     reconnects;
    ngx_atomic_t                     lives;     /* epochs that began */
    ngx_atomic_t                     gaps;
    ngx_atomic_t                     bad;       /* entries that were skipped */
} ngx_http_longpoll_feed_sh_t;


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

    uint64_t                         slotless;  /* set: the workers that have
                                                   such interests */

    ngx_http_longpoll_question_sh_t  question;
    ngx_http_longpoll_clock_sh_t     clock;
    uint64_t                         moved;     /* frozen: a zone of another
                                                   size has replaced this one;
                                                   written in zone_adopt, also
                                                   read without the lock */
    ngx_http_longpoll_previous_sh_t  previous;
    ngx_http_longpoll_disk_sh_t      disk;
    ngx_http_longpoll_feed_sh_t      feed;
    ngx_http_longpoll_list_sh_t      list;
    ngx_http_longpoll_work_sh_t      work;
    ngx_http_longpoll_tick_sh_t      tick;

    ngx_http_longpoll_log_sh_t       log;
    ngx_http_longpoll_cats_sh_t      cats;
    ngx_http_longpoll_clients_sh_t   clients;
    ngx_http_longpoll_presence_sh_t  presence;
    ngx_http_longpoll_journal_sh_t   journal;
} ngx_http_longpoll_zone_sh_t;


/* a process's view of a zone */

struct ngx_http_longpoll_zone_s {
    ngx_str_t                        name;
    size_t                           size;      /* as configured */
    ngx_str_t                        persist;   /* path of its file; or none */
    ngx_str_t                        presence;  /* category of the events that
                                                   say who is there; or none */
    struct ngx_http_longpoll_cluster_s
                                    *cluster;   /* its Redis; NULL: the zone is
                                                   this nginx's alone */
    ngx_http_longpoll_zone_conf_t    conf;      /* as this cycle wants it */
    ngx_cycle_t                     *cycle;     /* whose configuration has it */

    ngx_shmtx_t                     *mutex;     /* the slab pool's, because
                                                   nginx's master unlocks it
                                                   when its holder dies */
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_cats_t         cats;
    ngx_http_longpoll_log_t          log;
    ngx_http_longpoll_clients_t      clients;
    ngx_http_longpoll_presences_t    present;   /* empty without presence */
    struct ngx_http_longpoll_zone_flight_s
                                    *flight;    /* which this process publishes
                                                   now; NULL: none */

    /* bitmaps of all workers: a bit for each slot, a bit for each word of it */
    ngx_atomic_t                    *dirty;
    ngx_atomic_t                    *summary;
    ngx_uint_t                       words;     /* of one worker's dirty */
    ngx_uint_t                       sums;      /* of one worker's summary */

    ngx_http_longpoll_note_sh_t     *notes;     /* a ring */
    ngx_uint_t                       nnotes;    /* 0: no file */
    ngx_http_longpoll_unsaved_sh_t  *unsaved;   /* of each slot, with a file */

    struct ngx_http_longpoll_wait_s *wait;      /* this worker's waiters */
    struct ngx_http_longpoll_announce_s
                                    *announce;  /* this worker's streams; NULL:
                                                   the zone has no presence */
    void                            *writer;    /* of disk/writer */
    ngx_atomic_t                    *elected;   /* pid << 32 | worker + 1 that
                                                   writes the log; 0: none.
                                                   NULL: there is no log */
    int                              dir;       /* of persist, -1: not open */
    ngx_http_longpoll_zone_t        *old;       /* which this one replaces */
};


/*
 * Bytes of a zone, at most: a ref is 32 bits, and counts units of 16 bytes.
 * Bytes of a message's data, at most: data_len.
 */

#define NGX_HTTP_LONGPOLL_ZONE_MAX    ((uint64_t) 64 << 30)
#define NGX_HTTP_LONGPOLL_MSG_MAX     0xffffffff


#define NGX_HTTP_LONGPOLL_ZONE_STEPS  1000      /* in a lock hold */
#define NGX_HTTP_LONGPOLL_ZONE_FEW    32        /* beside other work */


/* entries for gpoll's clients: a 64th of the zone */

#define ngx_http_longpoll_zone_nclients(z)                                    \
    ngx_min((z)->size / 64 / sizeof(ngx_http_longpoll_client_sh_t), 0x7fffffff)


/* units for those who are present: an eighth of the zone */

#define ngx_http_longpoll_zone_nunits(z)                                      \
    ((z)->presence.len                                                        \
     ? ngx_min((z)->size / 8 / sizeof(ngx_http_longpoll_presence_unit_t),     \
               0x7fffffff)                                                    \
     : 0)


#define ngx_http_longpoll_zone_at(z, ref)                                     \
    ((ngx_http_longpoll_msg_sh_t *) ngx_http_longpoll_log_rec(&(z)->log, ref))


/*
 * A debug build validates the zone's header, a message that a ref leads to, and
 * the order of a message and its neighbours (zone_debug).
 */

#if (NGX_HTTP_LONGPOLL_DEBUG)

void ngx_http_longpoll_zone_validate(ngx_http_longpoll_zone_t *z);
ngx_http_longpoll_msg_sh_t *ngx_http_longpoll_zone_msg(
    ngx_http_longpoll_zone_t *z, uint32_t ref);
void ngx_http_longpoll_zone_validate_order(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg);

#else

#define ngx_http_longpoll_zone_validate(z)
#define ngx_http_longpoll_zone_msg(z, ref)  ngx_http_longpoll_zone_at(z, ref)
#define ngx_http_longpoll_zone_validate_order(z, msg)

#endif


#define ngx_http_longpoll_zone_ref(z, msg)                                    \
    ngx_http_longpoll_log_ref(&(z)->log, msg)

#define ngx_http_longpoll_zone_pending(msg)                                   \
    ((uint64_t *) ((u_char *) (msg) + sizeof(ngx_http_longpoll_msg_sh_t)))

#define ngx_http_longpoll_zone_key(msg)                                       \
    (ngx_http_longpoll_zone_pending(msg)                                      \
     + (((msg)->rec.bits & NGX_HTTP_LONGPOLL_MSG_PENDING) != 0))

#define ngx_http_longpoll_zone_foreign(msg)                                   \
    (ngx_http_longpoll_zone_key(msg)                                          \
     + ((msg)->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED ? 2 : 0))

/* bytes in front of the name */
#define ngx_http_longpoll_zone_front(bits)                                    \
    (sizeof(ngx_http_longpoll_msg_sh_t)                                       \
     + ((bits) & NGX_HTTP_LONGPOLL_MSG_PENDING ? sizeof(uint64_t) : 0)        \
     + ((bits) & NGX_HTTP_LONGPOLL_MSG_KEYED ? 2 * sizeof(uint64_t) : 0)      \
     + ((bits) >> 4 == NGX_HTTP_LONGPOLL_FOREIGN ? 2 * sizeof(uint64_t) : 0))

#define ngx_http_longpoll_zone_bit(worker)  ((uint64_t) 1 << (worker))


/* the flags of a new message */
#define ngx_http_longpoll_zone_bits(z, key)                                   \
    (((z)->sh->conf.delete_on_read ? NGX_HTTP_LONGPOLL_MSG_PENDING : 0)       \
     | ((key) ? NGX_HTTP_LONGPOLL_MSG_KEYED : 0))


/* the later of the wall clock and the last time issued: it never goes back */

#define ngx_http_longpoll_zone_clock(z, now)                                  \
    ngx_max(now, ngx_http_longpoll_id_ms((z)->sh->clock.last_id))


#define ngx_http_longpoll_zone_count(z, counter, n)                           \
    (void) ngx_atomic_fetch_add(&(z)->sh->counters.counter, n)

/* the zone's own epoch */
#define ngx_http_longpoll_zone_own_epoch(z)  ((z)->sh->epoch)

/* how often publishes could not be written: see ..._zone_disk_decided() */
#define ngx_http_longpoll_zone_failed(z)  ((z)->sh->disk.failed)

/* whether a zone of another size has replaced this one; without the lock */
#define ngx_http_longpoll_zone_is_frozen(z)  ((z)->sh->moved)

/* ms that a message lives, 0: for ever; read without the lock */
#define ngx_http_longpoll_zone_ttl(z)  ((z)->sh->conf.ttl)

/* whether a message is neither read nor dropped yet: it waits for the disk */
#define ngx_http_longpoll_zone_is_unsaved(z, msg)                             \
    ((msg)->id > (z)->sh->clock.visible)

/* with a ttl: whether a message is over it (clock: ..._zone_clock()) */
#define ngx_http_longpoll_zone_is_expired(z, msg, clock)                      \
    (ngx_http_longpoll_id_ms((msg)->id) + (z)->sh->conf.ttl <= (clock)        \
     && !ngx_http_longpoll_zone_is_unsaved(z, msg))

/* whether this is the category of presence's events */
#define ngx_http_longpoll_zone_is_presence(z, h)                              \
    ((z)->sh->presence.hash[0] && (z)->sh->presence.hash[0] == (h)[0]         \
     && (z)->sh->presence.hash[1] == (h)[1])

/* set: the workers that have interests without a slot; without the lock */
#define ngx_http_longpoll_zone_slotless(z)                                    \
    (*(volatile uint64_t *) &(z)->sh->slotless)

/* whether messages may be pending for workers (delete_on_read) */
#define ngx_http_longpoll_zone_has_pending(z)  ((z)->sh->has_pending)

/*
 * What a worker counts alone: messages delivered, and polls that wait (n may be
 * negative).  In the middle of a fan-out no cache line of another worker is
 * touched.
 */

static ngx_inline void
ngx_http_longpoll_zone_delivered(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_uint_t n)
{
    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        ngx_http_longpoll_zone_count(z, delivered, n);

    } else {
        z->sh->workers[worker].delivered += n;
    }
}


static ngx_inline void
ngx_http_longpoll_zone_count_waiting(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_int_t n)
{
    if (worker != NGX_HTTP_LONGPOLL_NO_WORKER) {
        z->sh->workers[worker].waiting += n;
    }
}


/* a worker comes into the set stays, or leaves it; NO_WORKER never does */

static ngx_inline void
ngx_http_longpoll_zone_stays(ngx_http_longpoll_zone_t *z, ngx_uint_t worker,
    ngx_uint_t on)
{
    ngx_http_longpoll_step();

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        return;
    }

    if (on) {
        (void) __sync_fetch_and_or(&z->sh->disk.stays,
                                   ngx_http_longpoll_zone_bit(worker));
    } else {
        (void) __sync_fetch_and_and(&z->sh->disk.stays,
                                    ~ngx_http_longpoll_zone_bit(worker));
    }
}


#endif /* _NGX_HTTP_LONGPOLL_STORE_H_INCLUDED_ */
