
/*
 * ngx_http_longpoll_log.c: a circular log of records of any size.
 *
 * Order of stores.  Nobody reads free space (the gap), so it is written with
 * put.  A record becomes part of the log in the step that moves the head over
 * it; space becomes free in the one store that moves the tail:
 *
 *     reserve   pad header into the gap (put)
 *     the zone  record into the gap (put), then one step with the new head
 *     clean     dead record: tail (put, one store)
 *     move      copy into the gap (put), then one step: head, links, tail
 *     rotate    pads into the gap (put), then one step: head, tail
 *     turn      pad header into the gap (put), head (put, one store)
 *
 * Pacing.  All bytes are live, dead or gap.  Once the dead ones are more than
 * three quarters of those that are not live, room is short: a publish of n
 * bytes then moves live records.  If V bytes are live, cleaning a whole lap
 * copies V bytes and frees the rest; so to free n bytes, about n * V / gap
 * bytes are copied.  The publish pays for that much and for its own size, so
 * that the gap grows faster than publishes use it, before the zone has to clean
 * without a limit.
 *
 * Room that is not short is no reason to leave dead records where they are: the
 * memory behind the tail was used already, and that in front of the head
 * perhaps never.  So a publish of n bytes also cleans while there are more dead
 * bytes than a quarter of the live ones and a slack.  It pays n / 8 bytes for
 * that; what it does not use, n bytes at most, is kept for the next one.  Where
 * records die in the order in which they came, it moves none.
 *
 * Turning.  When the room in front of the tail, down to offset 0, is a quarter
 * of what lies between tail and head, and the slack, pace pads the rest of the
 * end.  That pad counts neither as dead nor as gap, so pace does not hurry to
 * get its bytes back.  But live records may grow, or a large one may come.  So
 * once the gap is under an eighth of the live bytes, or under what is
 * published, the log turns back: tail and head step over all records up to the
 * pad, and over the pad, at once.  Nothing is copied, and the end is free.
 */


#include "ngx_http_longpoll_log.h"


#define NGX_HTTP_LONGPOLL_LOG_SKIPS  256    /* records in a call that are passed
                                               and not moved */
#define NGX_HTTP_LONGPOLL_LOG_MOVES  128    /* times n, in a call */


static void ngx_http_longpoll_log_pad(ngx_http_longpoll_log_t *log,
    uint64_t pos, uint64_t n);
static uint64_t ngx_http_longpoll_log_move(ngx_http_longpoll_log_t *log,
    ngx_http_longpoll_rec_sh_t *rec, uint64_t n);
static uint64_t ngx_http_longpoll_log_rotate(ngx_http_longpoll_log_t *log,
    uint64_t n);
static ngx_inline uint64_t ngx_http_longpoll_log_dead(
    ngx_http_longpoll_log_t *log);
static void ngx_http_longpoll_log_turn(ngx_http_longpoll_log_t *log,
    uint64_t n);
static void ngx_http_longpoll_log_turn_back(ngx_http_longpoll_log_t *log);


/* beyond a quarter: what is too little to be worth a turn */

#define ngx_http_longpoll_log_slack(log)                                      \
    ngx_min((log)->sh->size / 16, 256 * 1024)

#define ngx_http_longpoll_log_at(log, pos)                                    \
    ((void *) ((log)->base + (pos) % (log)->sh->size))


uint64_t
ngx_http_longpoll_log_pos(ngx_http_longpoll_log_t *log, uint32_t ref)
{
    uint64_t  offset, tail;

    offset = (uint64_t) (ref - 1) * NGX_HTTP_LONGPOLL_LOG_UNIT;
    tail = log->sh->tail % log->sh->size;

    return log->sh->tail
           + (offset >= tail ? offset - tail : offset + log->sh->size - tail);
}


ngx_uint_t
ngx_http_longpoll_log_fits(ngx_http_longpoll_log_t *log, uint64_t n)
{
    uint64_t  gap, end;

    gap = ngx_http_longpoll_log_gap(log);
    end = log->sh->size - log->sh->head % log->sh->size;

    return end >= n ? gap >= n : gap >= end + n;
}


void *
ngx_http_longpoll_log_reserve(ngx_http_longpoll_log_t *log, uint64_t n,
    uint64_t *head)
{
    uint64_t  pos, end;

    /* readers that copy without the lock read the tail after their copy */

    __sync_synchronize();

    pos = log->sh->head;
    end = log->sh->size - pos % log->sh->size;

    if (end < n) {
        ngx_http_longpoll_log_pad(log, pos, end);
        pos += end;
    }

    *head = pos + n;

    return ngx_http_longpoll_log_at(log, pos);
}


static void
ngx_http_longpoll_log_pad(ngx_http_longpoll_log_t *log, uint64_t pos,
    uint64_t n)
{
    ngx_http_longpoll_rec_sh_t  *rec;

    /* as in reserve */

    __sync_synchronize();

    rec = ngx_http_longpoll_log_at(log, pos);

    ngx_http_longpoll_put(rec->units,
                          (uint32_t) (n / NGX_HTTP_LONGPOLL_LOG_UNIT));
    ngx_http_longpoll_put(rec->state, NGX_HTTP_LONGPOLL_LOG_PAD);
}


uint64_t
ngx_http_longpoll_log_clean(ngx_http_longpoll_log_t *log)
{
    uint64_t                     n, start;
    ngx_http_longpoll_rec_sh_t  *rec;
    ngx_http_longpoll_log_sh_t  *sh;

    sh = log->sh;

    if (sh->head == sh->tail) {
        start = (sh->head + sh->size - 1) / sh->size * sh->size;

        if (start != sh->head) {
            ngx_http_longpoll_set(log->journal, sh->head, start);
            ngx_http_longpoll_set(log->journal, sh->tail, start);
            ngx_http_longpoll_done(log->journal);
        }

        return 0;
    }

    rec = ngx_http_longpoll_log_at(log, sh->tail);
    n = ngx_http_longpoll_log_bytes(rec);

    ngx_http_longpoll_assert_step();
    ngx_http_longpoll_assert(n && n <= sh->size - sh->tail % sh->size
                             && n <= sh->head - sh->tail,
                             "a record's size");

    if (rec->state != NGX_HTTP_LONGPOLL_LOG_LIVE) {
        ngx_http_longpoll_put(sh->tail, sh->tail + n);
        return 0;
    }

    if (ngx_http_longpoll_log_fits(log, n)) {
        return ngx_http_longpoll_log_move(log, rec, n);
    }

    return ngx_http_longpoll_log_rotate(log, n);
}


static uint64_t
ngx_http_longpoll_log_move(ngx_http_longpoll_log_t *log,
    ngx_http_longpoll_rec_sh_t *rec, uint64_t n)
{
    void      *to;
    uint64_t   head;

    to = ngx_http_longpoll_log_reserve(log, n, &head);

    ngx_http_longpoll_step();
    ngx_memcpy(to, rec, n);

    ngx_http_longpoll_set(log->journal, log->sh->head, head);
    log->move(log->data, rec, ngx_http_longpoll_log_ref(log, to));
    ngx_http_longpoll_set(log->journal, log->sh->tail, log->sh->tail + n);
    ngx_http_longpoll_done(log->journal);

    return n;
}


static uint64_t
ngx_http_longpoll_log_rotate(ngx_http_longpoll_log_t *log, uint64_t n)
{
    uint64_t  gap, end, head;

    head = log->sh->head;
    gap = ngx_http_longpoll_log_gap(log);
    end = log->sh->size - head % log->sh->size;

    if (gap > end) {
        ngx_http_longpoll_log_pad(log, head, end);
        ngx_http_longpoll_log_pad(log, head + end, gap - end);

    } else if (gap) {
        ngx_http_longpoll_log_pad(log, head, gap);
    }

    ngx_http_longpoll_set(log->journal, log->sh->head, head + gap + n);
    ngx_http_longpoll_set(log->journal, log->sh->tail, log->sh->tail + n);
    ngx_http_longpoll_done(log->journal);

    return 0;
}


void
ngx_http_longpoll_log_pace(ngx_http_longpoll_log_t *log, uint64_t n,
    ngx_uint_t *steps)
{
    int64_t                      credit;
    uint64_t                     gap, dead, left, moved;
    ngx_uint_t                   skips;
    ngx_http_longpoll_log_sh_t  *sh;

    sh = log->sh;
    gap = ngx_http_longpoll_log_gap(log);

    if (sh->tail < sh->turned && gap < ngx_max(sh->live / 8, n)) {
        ngx_http_longpoll_log_turn_back(log);
        gap = ngx_http_longpoll_log_gap(log);
    }

    dead = ngx_http_longpoll_log_dead(log);
    left = (gap + dead) / 4 * 3;

    if (dead > left) {
        gap = ngx_max(gap, NGX_HTTP_LONGPOLL_LOG_UNIT);

        credit = n + n * ngx_min(sh->live / gap, NGX_HTTP_LONGPOLL_LOG_MOVES)
                 + n * (sh->live % gap) / gap;

    } else {
        left = sh->live / 4 + ngx_http_longpoll_log_slack(log) / 2;
        credit = n / 8;

        if (dead <= left + ngx_http_longpoll_log_slack(log) / 2) {
            return;
        }
    }

    credit += sh->credit;

    for (skips = 0;
         credit > 0 && *steps && skips < NGX_HTTP_LONGPOLL_LOG_SKIPS
         && sh->head != sh->tail && ngx_http_longpoll_log_dead(log) > left;
         /* void */)
    {
        moved = ngx_http_longpoll_log_clean(log);

        if (moved) {
            credit -= moved;
            *steps -= ngx_min(*steps, 1 + moved / 4096);

        } else {
            skips++;
        }
    }

    /* at most n of unused credit is kept */

    ngx_http_longpoll_put(sh->credit, ngx_min(credit, (int64_t) n));

    ngx_http_longpoll_log_turn(log, n);
}


/* bytes of dead records and of pads, but not of the pad of a turn: see above */

static ngx_inline uint64_t
ngx_http_longpoll_log_dead(ngx_http_longpoll_log_t *log)
{
    uint64_t                     dead;
    ngx_http_longpoll_log_sh_t  *sh;

    sh = log->sh;
    dead = sh->head - sh->tail - sh->live;

    if (sh->tail < sh->turned) {
        dead -= sh->size - sh->turned % sh->size;
    }

    return dead;
}


/*
 * Pads the end if it is time to turn, and room for n bytes is there.  If the
 * process is killed before its last store, the pad counts as dead at once, and
 * pace hurries: it costs time, and nothing else.
 */

static void
ngx_http_longpoll_log_turn(ngx_http_longpoll_log_t *log, uint64_t n)
{
    uint64_t                     front, used, end, head;
    ngx_http_longpoll_log_sh_t  *sh;

    sh = log->sh;
    head = sh->head;

    used = head - sh->tail;
    front = sh->tail % sh->size;
    end = sh->size - front;

    if (used >= end
        || front < used / 4 + ngx_http_longpoll_log_slack(log) + n)
    {
        return;
    }

    ngx_http_longpoll_log_pad(log, head, end - used);
    ngx_http_longpoll_put(sh->head, head + end - used);
    ngx_http_longpoll_put(sh->turned, head);
}


/* a log that has turned has its gap in one piece, in front of the tail */

static void
ngx_http_longpoll_log_turn_back(ngx_http_longpoll_log_t *log)
{
    (void) ngx_http_longpoll_log_rotate(log,
                                        log->sh->turned - log->sh->tail);
    (void) ngx_http_longpoll_log_clean(log);
}
