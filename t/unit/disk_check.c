
/*
 * disk_check.c: what must be true of a zone that was loaded, and of the size of
 * the files.
 */


#include <ngx_http_longpoll_zone_clock.h>

#include "disk_model.h"

#include <ngx_http_longpoll_zone_room.h>


/* small constants of the writer, so that worlds may be small (Makefile) */

#define CHECK_CONSTANT  (4 * NGX_HTTP_LONGPOLL_WRITER_SLACK)
#define CHECK_LINE      100     /* bytes of a line without its data */
#define CHECK_KEY       41
#define CHECK_DROP      62      /* bytes of a DROP line */


/* of the zone that was loaded */

static ngx_uint_t  check_count[MODEL_CATS];
static uint64_t    check_first[MODEL_CATS];
static uint64_t    check_oldest;


/*
 * whether an event that is not there may have been pushed out by what is, or by
 * its age
 */

static ngx_uint_t
check_pushed_out(model_event_t *ev)
{
    uint64_t  id;

    id = model_place(ev)->id;

    if (sh->conf.ttl && model_ms(id) + sh->conf.ttl <= m.now) {
        return 1;
    }

    if (check_count[ev->cat] >= sh->conf.buffer
        && (id < check_first[ev->cat]
            || (ev->epoch == 0
                && model_ms(id) <= model_ms(check_first[ev->cat]))))
    {
        return 1;
    }

    return sh->log.live + 1000 > ngx_http_longpoll_zone_room_limit(z)
           && id < check_oldest;
}


/* an event is there */

static void
check_present(ngx_uint_t n, ngx_uint_t clean, ngx_http_longpoll_msg_t *msg)
{
    model_event_t  *ev;
    model_place_t  *place;

    static const char  *how[] = {
        "", "lost", "forgotten", "deleted", "taken", "refused"
    };

    ev = &m.events[n];
    place = model_place(ev);

    unit_must(!place->seen, "event %lu is there twice", (unsigned long) n);
    unit_must(!ev->stored || (ev->uuid.high == msg->uuid.high
                              && ev->uuid.low == msg->uuid.low),
              "event %lu has another UUID", (unsigned long) n);

    if (!m.damaged) {
        unit_must(!ev->absent, "event %lu was not there, and is again",
                  (unsigned long) n);
        unit_must(place->gone <= GONE_LOST
                  || !(place->noted || place->note <= m.before.notes),
                  "event %lu was %s, and is back", (unsigned long) n,
                  how[place->gone]);
        unit_must(!clean || place->gone == GONE_NOT || ev->epoch == 0,
                  "event %lu was %s, and is back after a clean end",
                  (unsigned long) n, how[place->gone]);
    }

    ev->stored = 1;
    ev->uuid = msg->uuid;
    ev->visible = 1;
    ev->absent = 0;

    place->id = msg->id;
    place->gone = GONE_NOT;
    place->note = MODEL_NOT;
    place->stored = 1;
    place->live = 1;
    place->noted = 0;
    place->doomed = 0;
    place->seen = 1;

    check_count[ev->cat]++;
    check_first[ev->cat] = ngx_min(check_first[ev->cat], msg->id);
    check_oldest = ngx_min(check_oldest, msg->id);

    figures->loaded++;
}


/* what was live and saved must be there; what is absent stays so */

static void
check_absent(ngx_uint_t n)
{
    ngx_uint_t      pushed;
    model_event_t  *ev;
    model_place_t  *place;

    ev = &m.events[n];
    place = model_place(ev);

    if (!place->live && place->gone == GONE_NOT) {
        return;
    }

    pushed = check_pushed_out(ev);

    unit_must(!place->live || m.damaged || place->id > m.before.saved
              || pushed,
              "event %lu was on disk, and is not there (acknowledged: %u)",
              (unsigned long) n, ev->acked);

    /* it may have come back, and been lost then */

    ev->lost |= pushed;

    if (place->gone >= GONE_FORGOTTEN && place->gone != GONE_REFUSED) {
        ev->absent = place->noted || place->note <= m.before.notes;

    } else if (place->gone == GONE_NOT && pushed) {
        place->gone = GONE_LOST;

    } else if (place->gone != GONE_LOST) {
        ev->absent = !pushed;
    }

    place->live = 0;
    place->doomed = 0;
    place->note = MODEL_NOT;
}


/* a bucket has one tombstone, which says less of two categories than of one */

static ngx_uint_t
check_shares(uint32_t one, uint32_t two)
{
    return ((model_cats[one].hash[1] ^ model_cats[two].hash[1])
            & (sh->cats.nbuckets - 1))
           == 0;
}


ngx_uint_t
check_truth(model_cursor_t *cursor, uint32_t cat, ngx_uint_t *lost)
{
    ngx_uint_t      i, k, gone, ms_only;
    model_event_t  *ev;
    model_place_t  *place;

    *lost = 0;

    ms_only = !cursor->time && cursor->epoch != z->sh->epoch
              && !ngx_http_longpoll_zone_clock_known(z, cursor->epoch);

    for (i = 0; i < m.nevents; i++) {
        ev = &m.events[i];
        place = model_place(ev);

        if (!ev->stored) {
            continue;
        }

        if (ev->cat != cat) {
            *lost |= ev->lost && place->id > cursor->id
                     && check_shares(ev->cat, cat);
            continue;
        }

        if (act_seen(cursor, i)) {

            /* an id of an epoch without events is no more than its ms */

            *lost |= ev->lost && model_ms(place->id) == model_ms(cursor->id);
            continue;
        }

        for (k = 0, gone = 0; k < SIM_NGINXES; k++) {
            gone |= ev->in[k].gone >= GONE_DELETED;
        }

        *lost |= ev->lost;

        /* an id of an epoch that the zone does not know names its ms */

        if (ms_only && model_ms(place->id) == model_ms(cursor->id)) {
            continue;
        }

        if ((ev->acked || ev->visible) && !gone && !ev->got) {
            return 1;
        }
    }

    return 0;
}


static void
check_cursors(ngx_uint_t good)
{
    uint32_t         cat;
    ngx_uint_t       i, told, truth, lost, unknown;
    model_cursor_t  *cursor;

    /* where a loss has no name, all cursors before it are told */

    m.exact_from = ngx_max(m.exact_from, sh->previous.lost_until);

    /* an epoch of which nothing reached the disk is not known to have been */

    unknown = m.damaged || (m.before.any && !m.before.begun && !good);

    for (i = 0; i < 40 && m.ncursors; i++) {
        cursor = &m.cursors[unit_below(m.ncursors)];
        cat = unit_below(m.ncats);

        told = act_missed(cursor, cat);
        truth = check_truth(cursor, cat, &lost);

        figures->cursors++;
        figures->told += told;
        figures->missed += truth;

        unit_must(!truth || told || unknown,
                  "a cursor (%s %lx, epoch %lx) has missed events of c%u, and "
                  "is not told", cursor->time ? "time" : "id",
                  (unsigned long) cursor->id, (unsigned long) cursor->epoch,
                  cat);

        unit_must(truth || lost || !told || !good || m.damaged
                  || model_ms(cursor->id) < m.exact_from,
                  "a cursor (%s %lx, epoch %lx) has missed nothing of c%u, and "
                  "is told", cursor->time ? "time" : "id",
                  (unsigned long) cursor->id, (unsigned long) cursor->epoch,
                  cat);
    }
}


void
check_loaded(ngx_uint_t clean, ngx_uint_t told)
{
    uint32_t                     ref;
    uint64_t                     last;
    ngx_uint_t                   i, n, forget;
    model_place_t               *place;
    ngx_http_longpoll_msg_t      msg;
    ngx_http_longpoll_msg_sh_t  *at;

    ngx_memzero(check_count, sizeof(check_count));
    memset(check_first, 0xff, sizeof(check_first));
    check_oldest = MODEL_NOT;
    last = 0;

    for (ref = sh->list.oldest; ref; ref = at->newer) {
        at = model_at(ref);
        n = event_of(at, &msg);

        unit_must(msg.id > last, "event %lu is out of order",
                  (unsigned long) n);
        last = msg.id;

        check_present(n, clean, &msg);
    }

    for (i = 0; i < m.nevents; i++) {
        if (!model_place(&m.events[i])->seen) {
            check_absent(i);
        }
    }

    check_cursors(clean || told);

    /* somebody cut it off, or nobody knows of its epoch */

    forget = m.damaged || (m.before.any && !m.before.begun && !clean);

    for (i = 0; i < m.nevents; i++) {
        place = model_place(&m.events[i]);

        if (forget && !place->live) {
            m.events[i].acked = 0;
            m.events[i].visible = 0;
        }

        place->seen = 0;
    }

    if (!clean && !told) {
        m.exact_from = m.now + 1;
        m.ncursors = unit_once(2) ? 0 : m.ncursors;
    }
}


/* the bytes of what lives, in lines */

static uint64_t
check_live(void)
{
    uint64_t        live;
    ngx_uint_t      i;
    model_event_t  *ev;

    live = MODEL_CATS * CHECK_DROP;

    for (i = 0; i < m.nevents; i++) {
        ev = &m.events[i];

        if (model_place(ev)->live) {
            live += CHECK_LINE + ev->len + (ev->keyed ? CHECK_KEY : 0);
        }
    }

    return live;
}


/* all is written, no base is under way, and none is wanted */

static ngx_uint_t
check_rests(void)
{
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &sh->disk;

    return disk->begun && !disk->lost
           && !disk->stale
           && !disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE].on
           && disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].ref == 0
           && disk->notes_first == disk->notes_last;
}


/*
 * The files take at most three times what lives, and a constant.  What lives is
 * the most that lived since the writer rested.
 */

void
check_size(void)
{
    uint64_t  live, bytes;

    live = check_live();
    m.most_live = check_rests() ? live : ngx_max(m.most_live, live);
    bytes = sim_bytes();

    if (bytes > CHECK_CONSTANT) {
        figures->worst = ngx_max(figures->worst,
                                 (bytes - CHECK_CONSTANT) * 100 / m.most_live);
    }

    unit_must(bytes <= 3 * m.most_live + CHECK_CONSTANT,
              "%lu bytes of files for %lu of lines",
              (unsigned long) bytes, (unsigned long) m.most_live);
}
