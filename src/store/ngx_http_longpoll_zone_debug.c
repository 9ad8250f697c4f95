
/*
 * ngx_http_longpoll_zone_debug.c: a debug build validates the zone before it
 * trusts it.
 *
 * ..._zone_lock() calls ..._zone_validate() whenever it has taken the lock, and
 * once more after recovery: the journal, the sizes and the counts of the zone's
 * header must be possible.  ..._zone_msg() validates a ref and its message, and
 * so stands in front of every read of one.  ..._zone_validate_order() checks
 * that a walk along a category's list ends.
 *
 * A check that fails ends the process (assert).  In other builds this file is
 * empty, and ..._zone_msg() is a cast.
 */


#include "ngx_http_longpoll_store.h"


#if (NGX_HTTP_LONGPOLL_DEBUG)

static void ngx_http_longpoll_zone_validate_journal(
    ngx_http_longpoll_zone_t *z);
static void ngx_http_longpoll_zone_validate_disk(ngx_http_longpoll_zone_t *z);
static void ngx_http_longpoll_zone_validate_feed(ngx_http_longpoll_zone_t *z);


/*
 * In the middle of a step only the journal and the sizes are valid; the caller
 * undoes the step and validates again.
 */

void
ngx_http_longpoll_zone_validate(ngx_http_longpoll_zone_t *z)
{
    uint64_t                           unit;
    ngx_http_longpoll_log_sh_t        *log;
    ngx_http_longpoll_cats_sh_t       *cats;
    ngx_http_longpoll_list_sh_t       *list;
    ngx_http_longpoll_presences_sh_t  *present;

    present = &z->sh->presence.table;
    log = z->log.sh;
    cats = &z->sh->cats;
    list = &z->sh->list;
    unit = NGX_HTTP_LONGPOLL_LOG_UNIT;

    /* far more links than any hold of the lock follows */

    ngx_http_longpoll_assert_left = 1000000 + 8 * z->log.size;

    ngx_http_longpoll_zone_validate_journal(z);

    ngx_http_longpoll_assert(log->size == z->log.size
                             && cats->nslots
                                == (ngx_http_longpoll_cat_sh_t *)
                                   z->cats.tombstones - z->cats.slots
                             && cats->nbuckets
                                == (ngx_http_longpoll_tombstone_sh_t *)
                                   z->cats.buckets - z->cats.tombstones
                             && z->sh->clients.max
                                == ngx_http_longpoll_zone_nclients(z)
                             && present->nunits
                                == ngx_http_longpoll_zone_nunits(z),
                             "sizes that never change");

    if (z->sh->journal.n) {
        return;
    }

    ngx_http_longpoll_assert(log->head % unit == 0 && log->tail % unit == 0
                             && log->head < (uint64_t) 1 << 62
                             && log->tail <= log->head
                             && log->head - log->tail <= log->size
                             && log->turned <= log->head
                             && log->turned % unit == 0,
                             "head, tail and the last turn");
    ngx_http_longpoll_assert(log->live <= log->head - log->tail
                             && log->credit <= (int64_t) log->size
                             && log->credit >= -(int64_t) log->size * 256,
                             "the log's counts");
    ngx_http_longpoll_assert(cats->fresh <= cats->nslots
                             && cats->free <= cats->fresh
                             && cats->claimed <= cats->fresh
                             && cats->full <= cats->claimed,
                             "the slots' counts");
    ngx_http_longpoll_assert(z->sh->clients.fresh <= z->sh->clients.max
                             && z->sh->clients.free <= z->sh->clients.fresh
                             && z->sh->clients.clients <= z->sh->clients.fresh
                             && z->sh->clients.first <= z->sh->clients.fresh
                             && z->sh->clients.last <= z->sh->clients.fresh,
                             "the clients' counts");
    ngx_http_longpoll_assert(present->fresh <= present->nunits
                             && present->free <= present->fresh
                             && present->nfree <= present->fresh,
                             "the counts of who is present");
    ngx_http_longpoll_assert(z->sh->work.delete_slot <= cats->fresh,
                             "the slot that is deleted from");
    ngx_http_longpoll_assert((list->oldest == 0) == (list->newest == 0),
                             "the ends of the list by age");

    if (z->nnotes) {
        ngx_http_longpoll_zone_validate_disk(z);
    }

    if (z->sh->feed.on) {
        ngx_http_longpoll_zone_validate_feed(z);
    }
}


/* what store.h says of a copy of a stream */

static void
ngx_http_longpoll_zone_validate_feed(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_feed_sh_t   *feed;
    ngx_http_longpoll_clock_sh_t  *clock;

    feed = &z->sh->feed;
    clock = &z->sh->clock;

    ngx_http_longpoll_assert(clock->last_id == clock->committed
                             && clock->committed == clock->visible,
                             "a copy issues no ids");
    ngx_http_longpoll_assert(feed->on == 1 && feed->synced <= 1
                             && feed->reader <= NGX_HTTP_LONGPOLL_WORKERS
                             && clock->ahead,
                             "a copy's words");
    ngx_http_longpoll_assert(!feed->synced || feed->begin <= clock->visible,
                             "an epoch that has not begun");
}


/* what store.h says of the disk's words, also after a kill */

static void
ngx_http_longpoll_zone_validate_disk(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_disk_sh_t    *disk;
    ngx_http_longpoll_clock_sh_t   *clock;
    ngx_http_longpoll_cursor_sh_t  *saved, *next, *base, *exposed;

    disk = &z->sh->disk;
    clock = &z->sh->clock;

    saved = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED];
    next = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT];
    base = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE];
    exposed = &disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_EXPOSED];

    ngx_http_longpoll_assert(saved->id <= next->id
                             && next->id <= disk->taken_upto
                             && disk->taken_upto <= clock->committed,
                             "saved, taken by the writer, committed");
    ngx_http_longpoll_assert(!base->on
                             || (base->id <= disk->base_upto
                                 && disk->base_upto <= disk->taken_upto
                                 && disk->base_number < disk->segment),
                             "a base");
    ngx_http_longpoll_assert(!disk->durable
                             || (exposed->on && exposed->id <= clock->visible),
                             "exposed, visible");
    ngx_http_longpoll_assert(disk->durable
                             || (disk->unsaved_bytes == 0
                                 && disk->unsaved_cats == 0),
                             "nothing waits for the disk");
    ngx_http_longpoll_assert(disk->notes_first <= disk->notes_last
                             && disk->notes_last - disk->notes_first
                                <= z->nnotes,
                             "the ring of notes");
    ngx_http_longpoll_assert(disk->says <= NGX_HTTP_LONGPOLL_SAYS_YES,
                             "what the log says");
}


/* the journal may undo only words of the zone, and none of its own */

static void
ngx_http_longpoll_zone_validate_journal(ngx_http_longpoll_zone_t *z)
{
    int64_t                          first, last;
    ngx_uint_t                       i;
    ngx_http_longpoll_journal_sh_t  *j;

    j = &z->sh->journal;

    first = (u_char *) z->sh - (u_char *) j;
    last = z->log.base + z->log.size - (u_char *) j - sizeof(uint64_t);

    ngx_http_longpoll_assert(j->n <= NGX_HTTP_LONGPOLL_JOURNAL_MAX,
                             "the journal's length");

    for (i = 0; i < j->n; i++) {
        ngx_http_longpoll_assert(j->undo[i].offset >= first
                                 && j->undo[i].offset <= last
                                 && j->undo[i].offset % 8 == 0
                                 && (j->undo[i].offset < 0
                                     || j->undo[i].offset
                                        >= (int64_t) sizeof(*j)),
                                 "a word in the journal");
    }
}


ngx_http_longpoll_msg_sh_t *
ngx_http_longpoll_zone_msg(ngx_http_longpoll_zone_t *z, uint32_t ref)
{
    uint64_t                     offset, n;
    ngx_http_longpoll_msg_sh_t  *msg;

    offset = (uint64_t) (ref - 1) * NGX_HTTP_LONGPOLL_LOG_UNIT;

    ngx_http_longpoll_assert_step();
    ngx_http_longpoll_assert(ref && offset + sizeof(ngx_http_longpoll_msg_sh_t)
                                     <= z->log.size,
                             "a ref");

    msg = ngx_http_longpoll_zone_at(z, ref);
    n = ngx_http_longpoll_log_bytes(&msg->rec);

    ngx_http_longpoll_assert(offset + n <= z->log.size
                             && ngx_http_longpoll_zone_front(msg->rec.bits)
                                + msg->rec.name_len + (uint64_t) msg->data_len
                                <= n,
                             "a message's lengths");
    ngx_http_longpoll_assert(msg->slot < z->sh->cats.nslots,
                             "a message's slot");
    return msg;
}


/* ids rise along a category's list, so a walk along it ends */

void
ngx_http_longpoll_zone_validate_order(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg)
{
    ngx_http_longpoll_assert(msg->prev == 0
                             || ngx_http_longpoll_zone_msg(z, msg->prev)->id
                                < msg->id,
                             "the order of a category");
    ngx_http_longpoll_assert(msg->next == 0
                             || ngx_http_longpoll_zone_msg(z, msg->next)->id
                                > msg->id,
                             "the order of a category");
}

#endif
