
/*
 * ngx_http_longpoll_pass.c: what the writer of a zone's log does with the
 * files.
 *
 *     meet, if it is due ─▶ base, if one is wanted ─▶ round ─▶ ...
 *
 * A meeting compares the files with what the zone says of them.
 *
 *     a segment or a base behind the last one,    another nginx wrote: the log
 *     or a PATH of another epoch and inode        is read again
 *     no PATH, or none of ours; less bytes        lost: a base comes first
 *     the last segment has more                   the next one is begun
 *
 * A round is appended to the last segment.  A segment on which a call failed is
 * never written to again.
 *
 *     AFTER    if the segment is new, the epoch has not begun, or durable goes
 *              off: it is said before it is so
 *     notes    of the ring
 *     events   whole publishes
 *     losses, AFTER
 *              if durable goes on, and all is in this round: it is so before it
 *              is said
 *
 * A base is what lives at one moment, in a new PATH.  What is deleted meanwhile
 * is noted in a segment behind N, which holds for the base, too.  N and
 * base_upto are those of the beginning: a round may fail, and take the next
 * number.
 *
 *     begin     rounds go to a segment behind number N from now on
 *     pieces    PATH.new: BASE N, and all events up to base_upto; each piece is
 *               synced, and takes turns with rounds
 *     the last  losses; PATH.bad; PATH.new is renamed to PATH; the directory is
 *               synced; the next meeting removes the segments up to N
 */


#include "ngx_http_longpoll_pass.h"
#include "ngx_http_longpoll_load.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_segment.h"


/* bytes: of a round; of a piece of a base; dead ones that are not worth one */

#ifndef NGX_HTTP_LONGPOLL_WRITER_ROUND
#define NGX_HTTP_LONGPOLL_WRITER_ROUND  (128 * 1024)
#define NGX_HTTP_LONGPOLL_WRITER_PIECE  (1024 * 1024)
#define NGX_HTTP_LONGPOLL_WRITER_SLACK  (256 * 1024)
#endif

/* ms between two tries to make a base, at most */
#define NGX_HTTP_LONGPOLL_WRITER_DELAY  3600000


/* bytes of the messages that live, and are in the log */
#define ngx_http_longpoll_pass_live(writer)                                   \
    ((writer)->zone->sh->log.live                                             \
     - ngx_min((writer)->zone->sh->log.live,                                  \
               (writer)->zone->sh->disk.unsaved_bytes))


static ngx_int_t ngx_http_longpoll_pass_step(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_pass_meet(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_pass_lock(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_pass_read(
    ngx_http_longpoll_writer_t *writer, ngx_http_longpoll_control_t *base);
static ngx_int_t ngx_http_longpoll_pass_sum(
    ngx_http_longpoll_writer_t *writer, uint64_t *numbers, ngx_uint_t n,
    uint64_t bytes);
static void ngx_http_longpoll_pass_lost(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t ours, uint64_t node);
static ngx_int_t ngx_http_longpoll_pass_round(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_pass_collect(
    ngx_http_longpoll_writer_t *writer);
static ngx_uint_t ngx_http_longpoll_pass_base_wanted(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_pass_base(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_pass_piece(
    ngx_http_longpoll_writer_t *writer, int *fd, uint64_t size, ngx_uint_t says,
    uint64_t *rest);
static ngx_int_t ngx_http_longpoll_pass_rename(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_pass_append(
    ngx_http_longpoll_writer_t *writer, int *fd, uint64_t file, uint64_t size);
static ngx_int_t ngx_http_longpoll_pass_room(
    ngx_http_longpoll_writer_t *writer, size_t size);
static ngx_int_t ngx_http_longpoll_pass_begin(
    ngx_http_longpoll_writer_t *writer, size_t enough);
static ngx_int_t ngx_http_longpoll_pass_take(
    ngx_http_longpoll_writer_t *writer, ngx_uint_t cursor);
static ngx_int_t ngx_http_longpoll_pass_losses(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_pass_succeeded(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_pass_refuse(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_pass_relax(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_pass_notify(ngx_http_longpoll_writer_t *writer);


void
ngx_http_longpoll_pass(ngx_http_longpoll_writer_t *writer)
{
    while (ngx_http_longpoll_pass_step(writer) == NGX_AGAIN) { /* void */ }

    if (!writer->zone->sh->disk.durable) {
        ngx_free(writer->lines.data);
        ngx_memzero(&writer->lines, sizeof(ngx_http_longpoll_lines_t));
    }

    ngx_http_longpoll_pass_notify(writer);
}


/* NGX_AGAIN: there is more to do; otherwise the pass ends */

static ngx_int_t
ngx_http_longpoll_pass_step(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t                     rc;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;

    if (ngx_http_longpoll_pass_is_over(writer)) {
        return NGX_DONE;
    }

    /* before the epoch begins, this nginx must have the lock, still or again */

    if (!writer->ready || writer->due || !disk->begun) {
        rc = ngx_http_longpoll_pass_meet(writer);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (z->sh->conf.durable) {
        ngx_http_longpoll_zone_disk_durable(z);
    }

    /* no round comes before the base of a log that is lost */

    rc = disk->lost ? NGX_OK : ngx_http_longpoll_pass_round(writer);

    if (rc == NGX_ERROR
        || (ngx_http_longpoll_pass_base_wanted(writer)
            && ngx_http_longpoll_pass_base(writer) == NGX_ERROR
            && disk->lost))
    {
        return NGX_ERROR;
    }

    if (writer->due || disk->lost
        || (rc == NGX_OK && ngx_http_longpoll_pass_awaited(writer)))
    {
        return NGX_AGAIN;
    }

    return rc;
}


/*
 * the files
 */


/* NGX_OK: the writer is ready; NGX_DONE: not yet; NGX_ERROR */

static ngx_int_t
ngx_http_longpoll_pass_meet(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      highest, *numbers;
    ngx_int_t                     rc;
    ngx_uint_t                    n, ours;
    struct stat                   st;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;
    ngx_http_longpoll_control_t   base;

    z = writer->zone;
    disk = &z->sh->disk;

    writer->due = 0;
    writer->doing = NGX_HTTP_LONGPOLL_PASS_SAVE;

    rc = ngx_http_longpoll_pass_lock(writer);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_longpoll_pass_read(writer, &base);

    if (rc == NGX_ERROR) {
        return ngx_http_longpoll_pass_failed(writer, "read",
                                             NGX_HTTP_LONGPOLL_SEGMENT_PATH);
    }

    if (ngx_http_longpoll_segment_list(z, &numbers, &n) != NGX_OK) {
        return ngx_http_longpoll_pass_failed(writer, "readdir",
                                             NGX_HTTP_LONGPOLL_SEGMENT_PATH);
    }

    (void) ngx_http_longpoll_segment_stat(z, NGX_HTTP_LONGPOLL_SEGMENT_PATH,
                                          &st);

    /* lost: of a zone that was replaced, whose writer may have made a base */

    ours = (rc == NGX_OK && !disk->lost);
    highest = n ? numbers[n - 1] : 0;

    if (!writer->ready
        && (highest > disk->segment
            || (rc == NGX_OK && base.number >= disk->segment)
            || (ours && base.epoch != z->sh->epoch && st.st_ino != disk->node)))
    {
        ngx_free(numbers);
        ngx_http_longpoll_put(disk->contested, 1);
        writer->due = 1;
        return NGX_DONE;
    }

    if (st.st_ino != disk->node) {

        /* a writer that was killed may have made a base */

        ours = ours && !writer->ready;
        disk->bytes = 0;
    }

    if (ours) {
        writer->first = base.number + 1;
        ours = ngx_http_longpoll_pass_sum(writer, numbers, n, st.st_size)
               == NGX_OK;
    }

    ngx_free(numbers);

    if (!ours) {
        ngx_http_longpoll_pass_lost(writer, rc == NGX_OK, st.st_ino);
    }

    if (!writer->ready) {
        (void) ngx_http_longpoll_segment_remove(z,
                                                NGX_HTTP_LONGPOLL_SEGMENT_NEW);

        ngx_http_longpoll_put(disk->node, st.st_ino);
        ngx_http_longpoll_zone_disk_base_stop(z);
        ngx_http_longpoll_zone_disk_expose(z, 0, &writer->wake);

        writer->ready = 1;
        writer->barred = 0;
        writer->base_size = 0;
        writer->base_rest = 0;
        writer->base_live = 0;

        ngx_log_error(NGX_LOG_NOTICE, writer->log, 0,
                      "longpoll zone \"%V\": this worker writes \"%V\"",
                      &z->name, &z->persist);
    }

    return NGX_OK;
}


/*
 * Takes the lock, and into the zone what another nginx wrote meanwhile.
 * NGX_OK; NGX_DONE: another nginx has the lock; NGX_ERROR.
 */

static ngx_int_t
ngx_http_longpoll_pass_lock(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t                  rc;
    ngx_http_longpoll_zone_t  *z;

    z = writer->zone;

    rc = ngx_http_longpoll_segment_lock(z);

    if (rc == NGX_ERROR) {
        return ngx_http_longpoll_pass_failed(writer, "flock",
                                             NGX_HTTP_LONGPOLL_SEGMENT_PATH);
    }

    if (rc == NGX_OK) {

        if (z->sh->disk.contested
            && ngx_http_longpoll_load_merge(z, &writer->wake, writer->log)
               != NGX_OK)
        {
            return ngx_http_longpoll_pass_failed(writer, "read",
                                               NGX_HTTP_LONGPOLL_SEGMENT_PATH);
        }

        return NGX_OK;
    }

    if (!writer->barred) {
        writer->barred = 1;

        ngx_log_error(NGX_LOG_NOTICE, writer->log, 0,
                      "longpoll zone \"%V\": another nginx has the directory "
                      "of \"%V\", events are written when it lets go",
                      &z->name, &z->persist);
    }

    writer->ready = 0;
    ngx_http_longpoll_put(z->sh->disk.contested, 1);

    /* publishers wait only if they must */

    if (!z->sh->conf.durable) {
        ngx_http_longpoll_pass_refuse(writer);
    }

    return NGX_DONE;
}


/*
 * The first line of PATH.  NGX_OK; NGX_DECLINED: it is no base, or only the
 * master can read it, as another user; NGX_ERROR: errno.
 */

static ngx_int_t
ngx_http_longpoll_pass_read(ngx_http_longpoll_writer_t *writer,
    ngx_http_longpoll_control_t *base)
{
    int       fd;
    u_char   *end, line[NGX_HTTP_LONGPOLL_CONTROL_MAX];
    ssize_t   n;

    fd = ngx_http_longpoll_segment_open(writer->zone,
                                        NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0);
    if (fd == -1) {
        return errno == ENOENT || errno == EACCES ? NGX_DECLINED : NGX_ERROR;
    }

    n = read(fd, line, sizeof(line));
    (void) close(fd);

    if (n == -1) {
        return NGX_ERROR;
    }

    end = memchr(line, LF, n);

    if (end == NULL
        || ngx_http_longpoll_control_parse(base, line, end - line) != NGX_OK
        || base->kind != NGX_HTTP_LONGPOLL_CONTROL_BASE)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * All files together must not get less; bytes are PATH's.  A segment of which
 * nothing counts is not added.  NGX_OK, or NGX_DECLINED.
 */

static ngx_int_t
ngx_http_longpoll_pass_sum(ngx_http_longpoll_writer_t *writer,
    uint64_t *numbers, ngx_uint_t n, uint64_t bytes)
{
    ngx_uint_t                    i, replaced, longer;
    struct stat                   st;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;

    /*
     * What PATH has replaced goes, once PATH has its name on disk, too.  The
     * lowest first: what is left then follows on.
     */

    replaced = (n && numbers[0] < writer->first && fsync(z->dir) == 0);
    longer = 0;

    for (i = 0; i < n; i++) {

        if (numbers[i] < writer->first) {
            replaced = replaced
                       && ngx_http_longpoll_segment_remove(z, numbers[i])
                          == NGX_OK;

        } else if (numbers[i] != disk->segment || disk->file_size) {
            (void) ngx_http_longpoll_segment_stat(z, numbers[i], &st);

            bytes += st.st_size;
            longer |= (numbers[i] == disk->segment
                       && (uint64_t) st.st_size > disk->file_size);
        }
    }

    if (bytes < disk->bytes) {
        return NGX_DECLINED;
    }

    disk->bytes = bytes;

    if (longer) {
        ngx_http_longpoll_pass_close(&writer->fd);
        ngx_http_longpoll_zone_disk_next_segment(z);
    }

    /* once the epoch has begun, the log itself says what it is */

    if (disk->restored && disk->begun
        && ngx_http_longpoll_segment_remove(z,
                                            NGX_HTTP_LONGPOLL_SEGMENT_RESTORED)
           == NGX_OK)
    {
        ngx_http_longpoll_put(disk->restored, 0);
    }

    return NGX_OK;
}


/*
 * A base comes first.  ours: PATH is the zone's.  What has taken the place of a
 * file may be somebody's.
 */

static void
ngx_http_longpoll_pass_lost(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t ours, uint64_t node)
{
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;

    if ((ours || writer->ready) && !disk->lost) {
        ngx_http_longpoll_put(disk->skipped, 1);

        ngx_log_error(NGX_LOG_ERR, writer->log, 0,
                      "longpoll zone \"%V\": a file of \"%V\" was removed, "
                      "replaced or cut, writing all events anew",
                      &z->name, &z->persist);

    } else if (node && node != disk->node) {
        ngx_http_longpoll_put(disk->skipped, 1);
    }

    ngx_http_longpoll_pass_close(&writer->fd);

    /* a base that is under way may lack what is lost */

    ngx_http_longpoll_zone_disk_base_stop(z);
    ngx_http_longpoll_put(disk->lost, 1);
}


/*
 * a round
 */


/*
 * NGX_OK     it is on disk
 * NGX_AGAIN  there is more to do
 * NGX_DONE   there was nothing to do
 * NGX_ERROR
 */

static ngx_int_t
ngx_http_longpoll_pass_round(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t                     rc;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;

    writer->doing = NGX_HTTP_LONGPOLL_PASS_SAVE;

    rc = ngx_http_longpoll_pass_collect(writer);

    if (rc != NGX_ERROR && writer->lines.len) {

        switch (ngx_http_longpoll_pass_append(writer, &writer->fd,
                                              disk->segment, disk->file_size))
        {
        case NGX_OK:
            break;

        case NGX_DECLINED:
            ngx_http_longpoll_pass_lost(writer, 1, disk->node);
            return NGX_AGAIN;

        default: /* NGX_ERROR */
            rc = NGX_ERROR;
        }
    }

    if (rc == NGX_ERROR) {
        ngx_http_longpoll_pass_close(&writer->fd);

        if (disk->file_size) {
            ngx_http_longpoll_zone_disk_next_segment(z);
        }

        return NGX_ERROR;
    }

    if (rc == NGX_OK && writer->lines.len == 0
        && disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT].id
           == disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id)
    {
        rc = NGX_DONE;
    }

    disk->bytes += writer->lines.len;
    writer->round.file_size = disk->file_size + writer->lines.len;

    ngx_http_longpoll_zone_disk_saved(z, &writer->round, &writer->wake);
    ngx_http_longpoll_pass_succeeded(writer);

    return rc;
}


/* NGX_OK: these are all lines; NGX_AGAIN: there are more; NGX_ERROR */

static ngx_int_t
ngx_http_longpoll_pass_collect(ngx_http_longpoll_writer_t *writer)
{
    size_t                        len;
    ngx_int_t                     rc;
    ngx_uint_t                    off, head;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_lines_t    *lines;
    ngx_http_longpoll_round_t    *round;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;
    lines = &writer->lines;
    round = &writer->round;

    round->says = -1;

    off = (!z->sh->conf.durable && disk->says != NGX_HTTP_LONGPOLL_SAYS_NO);
    head = (off || !disk->begun);

    if (ngx_http_longpoll_pass_begin(writer, NGX_HTTP_LONGPOLL_WRITER_ROUND)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (head || disk->file_size == 0) {
        round->says = (disk->says == NGX_HTTP_LONGPOLL_SAYS_YES && !off)
                      ? NGX_HTTP_LONGPOLL_SAYS_YES : NGX_HTTP_LONGPOLL_SAYS_NO;

        ngx_http_longpoll_zone_disk_head(z, lines,
                             NGX_HTTP_LONGPOLL_CONTROL_AFTER, disk->after,
                             round->says == NGX_HTTP_LONGPOLL_SAYS_YES);
    }

    len = lines->len;

    round->notes = ngx_http_longpoll_zone_disk_notes(z, lines);

    rc = ngx_http_longpoll_pass_take(writer, NGX_HTTP_LONGPOLL_CURSOR_NEXT);

    if (rc == NGX_OK && z->sh->conf.durable
        && disk->says != NGX_HTTP_LONGPOLL_SAYS_YES)
    {
        /* all that readers saw is in the log with this round */

        if (ngx_http_longpoll_pass_losses(writer) != NGX_OK) {
            return NGX_ERROR;
        }

        round->says = NGX_HTTP_LONGPOLL_SAYS_YES;

        ngx_http_longpoll_zone_disk_head(z, lines,
                             NGX_HTTP_LONGPOLL_CONTROL_AFTER, disk->after, 1);
    }

    /* a new segment is not made for its head alone */

    if (lines->len == len && !head) {
        lines->len = 0;
        round->says = -1;
    }

    if (rc == NGX_OK && round->notes != disk->notes_last) {
        rc = NGX_AGAIN;
    }

    return rc;
}


/*
 * a base
 */


/*
 * What a new base would take is known from the last one, and from the bytes
 * that lived then.  For each eight bytes of a base there is one of a round.  So
 * all files together stay below three times that, and a megabyte.
 */

static ngx_uint_t
ngx_http_longpoll_pass_base_wanted(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      live, expected;
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &writer->zone->sh->disk;

    if (disk->lost) {
        return 1;
    }

    if (writer->base_delay
        && (ngx_msec_int_t) (ngx_current_msec - writer->base_retry) < 0)
    {
        return 0;
    }

    live = ngx_http_longpoll_pass_live(writer);

    if (live >= writer->base_live) {
        expected = writer->base_size + live - writer->base_live;

    } else {
        expected = writer->base_rest
                   + (uint64_t) ((double) live / writer->base_live
                                 * (writer->base_size - writer->base_rest));
    }

    return disk->stale
           || disk->bytes > expected + expected / 4 * 3
                            + NGX_HTTP_LONGPOLL_WRITER_SLACK;
}


/* NGX_OK; NGX_DECLINED: it was given up; NGX_ERROR */

static ngx_int_t
ngx_http_longpoll_pass_base(ngx_http_longpoll_writer_t *writer)
{
    int                           fd;
    uint64_t                      size, rest;
    ngx_int_t                     rc;
    ngx_uint_t                    says;
    struct stat                   st;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_zone_sh_t  *sh;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    sh = z->sh;
    disk = &sh->disk;

    ngx_http_longpoll_zone_disk_base_begin(z);

    says = (sh->conf.durable && disk->durable
            && (disk->says == NGX_HTTP_LONGPOLL_SAYS_YES
                || (disk->lost && disk->base_upto >= sh->clock.visible)))
           ? NGX_HTTP_LONGPOLL_SAYS_YES : NGX_HTTP_LONGPOLL_SAYS_NO;

    fd = -1;
    size = 0;
    rest = 0;

    do {
        writer->doing = disk->lost ? NGX_HTTP_LONGPOLL_PASS_SAVE
                                   : NGX_HTTP_LONGPOLL_PASS_BASE;

        rc = ngx_http_longpoll_pass_piece(writer, &fd, size, says, &rest);

        size += writer->lines.len;

        if (rc == NGX_AGAIN) {

            if (!disk->lost) {
                (void) ngx_http_longpoll_pass_round(writer);
            }

            if (!disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE].on
                || ngx_http_longpoll_pass_is_over(writer))
            {
                rc = NGX_DECLINED;
            }
        }

    } while (rc == NGX_AGAIN);

    if (rc == NGX_OK
        && (fstat(fd, &st) == -1
            || ngx_http_longpoll_pass_rename(writer) != NGX_OK))
    {
        rc = NGX_ERROR;
    }

    ngx_http_longpoll_pass_close(&fd);

    if (rc != NGX_OK) {
        (void) ngx_http_longpoll_segment_remove(z,
                                                NGX_HTTP_LONGPOLL_SEGMENT_NEW);
        ngx_http_longpoll_zone_disk_base_stop(z);

        writer->base_delay = ngx_max(2 * writer->base_delay,
                                     (ngx_msec_t) sh->conf.flush);
        writer->base_delay = ngx_min(writer->base_delay,
                                     NGX_HTTP_LONGPOLL_WRITER_DELAY);
        writer->base_retry = ngx_current_msec + writer->base_delay;

        return rc;
    }

    writer->due = 1;
    writer->doing = NGX_HTTP_LONGPOLL_PASS_BASE;
    writer->base_delay = 0;
    writer->first = disk->base_number + 1;
    writer->base_size = size;
    writer->base_rest = rest;
    writer->base_live = ngx_http_longpoll_pass_live(writer);

    ngx_http_longpoll_put(disk->skipped, 0);
    disk->bytes = size + disk->file_size;

    ngx_http_longpoll_zone_disk_based(z, st.st_ino, says, &writer->wake);
    ngx_http_longpoll_pass_succeeded(writer);

    return NGX_OK;
}


/*
 * Appends a piece of a base to PATH.new, which has so many bytes; rest is set
 * to what a base has besides events.
 *
 * NGX_OK        it was the last
 * NGX_AGAIN
 * NGX_DECLINED  somebody removed PATH.new
 * NGX_ERROR
 */

static ngx_int_t
ngx_http_longpoll_pass_piece(ngx_http_longpoll_writer_t *writer, int *fd,
    uint64_t size, ngx_uint_t says, uint64_t *rest)
{
    size_t                      len;
    ngx_int_t                   rc, appended;
    ngx_http_longpoll_lines_t  *lines;

    lines = &writer->lines;

    if (ngx_http_longpoll_pass_begin(writer, NGX_HTTP_LONGPOLL_WRITER_PIECE)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (size == 0) {
        ngx_http_longpoll_zone_disk_head(writer->zone, lines,
                                         NGX_HTTP_LONGPOLL_CONTROL_BASE,
                                         writer->zone->sh->disk.base_number,
                                         says == NGX_HTTP_LONGPOLL_SAYS_YES);
    }

    rc = ngx_http_longpoll_pass_take(writer, NGX_HTTP_LONGPOLL_CURSOR_BASE);

    if (rc == NGX_OK) {
        len = lines->len;
        rc = ngx_http_longpoll_pass_losses(writer);
        *rest = lines->len - len + NGX_HTTP_LONGPOLL_CONTROL_MAX;
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    appended = ngx_http_longpoll_pass_append(writer, fd,
                                             NGX_HTTP_LONGPOLL_SEGMENT_NEW,
                                             size);

    return appended == NGX_OK ? rc : appended;
}


static ngx_int_t
ngx_http_longpoll_pass_rename(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;

    if (disk->skipped
        && ngx_http_longpoll_load_skipped_save(z, disk->base_number,
                                               writer->log)
           != NGX_OK)
    {
        return ngx_http_longpoll_pass_failed(writer, "write",
                                             NGX_HTTP_LONGPOLL_SEGMENT_BAD);
    }

    /*
     * A segment of which nothing counts may have lines of a round that failed.
     * They are not in the base, and no note need be left of them.
     */

    if (disk->file_size == 0
        && ngx_http_longpoll_segment_remove(z, disk->segment) != NGX_OK)
    {
        return ngx_http_longpoll_pass_failed(writer, "unlink", disk->segment);
    }

    if (ngx_http_longpoll_segment_rename(z) != NGX_OK) {
        return ngx_http_longpoll_pass_failed(writer, "rename",
                                             NGX_HTTP_LONGPOLL_SEGMENT_NEW);
    }

    /* if this fails, the next check finds out which PATH it is */

    if (fsync(z->dir) == -1) {
        return ngx_http_longpoll_pass_failed(writer, "fsync",
                                             NGX_HTTP_LONGPOLL_SEGMENT_PATH);
    }

    return NGX_OK;
}


/*
 * the end
 */


ngx_int_t
ngx_http_longpoll_pass_end(ngx_http_longpoll_writer_t *writer)
{
    u_char                       *p;
    uint64_t                      bytes;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_lines_t    *lines;
    ngx_http_longpoll_disk_sh_t  *disk;
    ngx_http_longpoll_control_t   end;

    z = writer->zone;
    disk = &z->sh->disk;
    lines = &writer->lines;

    if (ngx_http_longpoll_pass_meet(writer) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_longpoll_zone_disk_end(z) != NGX_OK) {
        return NGX_AGAIN;
    }

    writer->doing = NGX_HTTP_LONGPOLL_PASS_END;

    if (ngx_http_longpoll_pass_begin(writer, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (disk->file_size == 0) {
        ngx_http_longpoll_zone_disk_head(z, lines,
                             NGX_HTTP_LONGPOLL_CONTROL_AFTER, disk->after,
                             disk->says == NGX_HTTP_LONGPOLL_SAYS_YES);
    }

    if (ngx_http_longpoll_pass_losses(writer) != NGX_OK) {
        return NGX_ERROR;
    }

    end.kind = NGX_HTTP_LONGPOLL_CONTROL_END;
    end.id = z->sh->clock.last_id;
    end.bytes = 0;

    /* the line counts itself, and its length depends on the sum */

    do {
        bytes = end.bytes;
        p = ngx_http_longpoll_control_print(lines->data + lines->len, &end);
        end.bytes = disk->bytes + (p - lines->data);

    } while (end.bytes != bytes);

    lines->len = p - lines->data;

    if (ngx_http_longpoll_pass_append(writer, &writer->fd, disk->segment,
                                      disk->file_size)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    disk->bytes = bytes;

    writer->round.notes = disk->notes_first;
    writer->round.says = -1;
    writer->round.file_size = disk->file_size + lines->len;

    ngx_http_longpoll_zone_disk_saved(z, &writer->round, &writer->wake);

    return NGX_OK;
}


/*
 * Appends the lines to a file of which size bytes count, and syncs it; with 0
 * the file is made anew, and the directory is synced, too.  NGX_OK;
 * NGX_DECLINED: it was removed or cut; NGX_ERROR.
 */

static ngx_int_t
ngx_http_longpoll_pass_append(ngx_http_longpoll_writer_t *writer, int *fd,
    uint64_t file, uint64_t size)
{
    const char                *call;
    struct stat                st;
    ngx_http_longpoll_zone_t  *z;

    z = writer->zone;

    if (size == 0) {
        ngx_http_longpoll_pass_close(fd);
    }

    if (*fd == -1) {
        call = "open";

        *fd = ngx_http_longpoll_segment_open(z, file,
                                             size ? O_APPEND
                                                  : O_APPEND|O_CREAT|O_TRUNC);
        if (*fd == -1) {
            goto failed;
        }
    }

    call = "fstat";

    if (fstat(*fd, &st) == -1) {
        goto failed;
    }

    if (st.st_nlink == 0 || (uint64_t) st.st_size < size) {
        return NGX_DECLINED;
    }

    call = "write";

    if (ngx_http_longpoll_segment_write(*fd, writer->lines.data,
                                        writer->lines.len)
        != NGX_OK)
    {
        goto failed;
    }

    call = "fsync";

    if (fdatasync(*fd) == -1 || (size == 0 && fsync(z->dir) == -1)) {
        goto failed;
    }

    return NGX_OK;

failed:

    return ngx_http_longpoll_pass_failed(writer, call, file);
}


void
ngx_http_longpoll_pass_close(int *fd)
{
    if (*fd != -1) {
        (void) close(*fd);
        *fd = -1;
    }
}


/*
 * lines; NGX_ERROR: no memory
 */


/* lines are empty, with room for enough, and for a control line */

static ngx_int_t
ngx_http_longpoll_pass_begin(ngx_http_longpoll_writer_t *writer, size_t enough)
{
    writer->lines.len = 0;
    writer->lines.more = 0;
    writer->lines.enough = enough;

    return ngx_http_longpoll_pass_room(writer, enough
                                               + NGX_HTTP_LONGPOLL_CONTROL_MAX);
}


/* there is room for so many bytes more */

static ngx_int_t
ngx_http_longpoll_pass_room(ngx_http_longpoll_writer_t *writer, size_t size)
{
    u_char                     *p;
    ngx_http_longpoll_lines_t  *lines;

    lines = &writer->lines;

    if (lines->size - lines->len >= size) {
        return NGX_OK;
    }

    p = realloc(lines->data, lines->len + size);

    if (p == NULL) {
        errno = ENOMEM;
        return ngx_http_longpoll_pass_failed(writer, "realloc",
                                             NGX_HTTP_LONGPOLL_SEGMENT_PATH);
    }

    lines->data = p;
    lines->size = lines->len + size;

    return NGX_OK;
}


/* as zone_disk_take */

static ngx_int_t
ngx_http_longpoll_pass_take(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t cursor)
{
    ngx_int_t                   rc;
    ngx_http_longpoll_lines_t  *lines;

    lines = &writer->lines;

    for ( ;; ) {
        rc = ngx_http_longpoll_zone_disk_take(writer->zone, cursor, lines);

        if (rc != NGX_DECLINED) {
            return rc;
        }

        if (ngx_http_longpoll_pass_room(writer,
                                        ngx_max(lines->size,
                                                lines->wanted - lines->len))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }
}


/* what categories have lost; behind that there is room for a control line */

static ngx_int_t
ngx_http_longpoll_pass_losses(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_losses_t  losses;

    ngx_memzero(&losses, sizeof(ngx_http_longpoll_losses_t));

    while (ngx_http_longpoll_zone_disk_losses(writer->zone, &losses,
                                              &writer->lines)
           == NGX_AGAIN)
    {
        if (ngx_http_longpoll_pass_room(writer, writer->lines.size
                                                + NGX_HTTP_LONGPOLL_CONTROL_MAX)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_longpoll_pass_room(writer, NGX_HTTP_LONGPOLL_CONTROL_MAX);
}


/*
 * success and failure
 */


static void
ngx_http_longpoll_pass_succeeded(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;

    if (disk->begun) {
        ngx_http_longpoll_pass_relax(writer);
    }

    ngx_http_longpoll_pass_notify(writer);

    if (disk->failing) {
        ngx_log_error(NGX_LOG_NOTICE, writer->log, 0,
                      "longpoll zone \"%V\": \"%V\" has all events again",
                      &z->name, &z->persist);

    } else if (writer->failing != writer->doing) {
        return;
    }

    disk->failing = 0;
    writer->failing = NGX_HTTP_LONGPOLL_PASS_NONE;
}


/*
 * A base that fails while rounds do not is less than a round that fails.  So a
 * round is logged after a base, and not the other way round.
 */

ngx_int_t
ngx_http_longpoll_pass_failed(ngx_http_longpoll_writer_t *writer,
    const char *call, uint64_t file)
{
    u_char                        suffix[NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX];
    ngx_err_t                     err;
    ngx_uint_t                    unsaved;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    static const char  *what[] = {
        "",
        "events are not on disk",
        "events are on disk, but their files cannot be made smaller",
        "the next start will not know that all events are on disk"
    };

    err = errno;

    z = writer->zone;
    disk = &z->sh->disk;

    unsaved = (writer->doing != NGX_HTTP_LONGPOLL_PASS_BASE);

    (void) ngx_atomic_fetch_add(&disk->write_failures, 1);

    if (!disk->failing && (unsaved || !writer->failing)) {
        disk->failing = unsaved;
        writer->failing = writer->doing;

        ngx_http_longpoll_segment_suffix(suffix, file);

        ngx_log_error(NGX_LOG_ERR, writer->log, err,
                      "longpoll zone \"%V\": %s(\"%V%s\") failed, %s",
                      &z->name, call, &z->persist, suffix,
                      what[writer->doing]);
    }

    if (writer->doing == NGX_HTTP_LONGPOLL_PASS_SAVE) {
        ngx_http_longpoll_pass_refuse(writer);
    }

    return NGX_ERROR;
}


/* nothing can be written for now: what waits for the disk is refused */

static void
ngx_http_longpoll_pass_refuse(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_pass_relax(writer);
    ngx_http_longpoll_zone_disk_failed(writer->zone, &writer->wake);
    ngx_http_longpoll_pass_notify(writer);
}


/* turns durable off if the configuration and the log say so */

static void
ngx_http_longpoll_pass_relax(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = writer->zone->sh;

    if (!sh->conf.durable && sh->disk.durable
        && sh->disk.says == NGX_HTTP_LONGPOLL_SAYS_NO)
    {
        ngx_http_longpoll_zone_disk_expose(writer->zone, 1, &writer->wake);
    }
}


/* a thread wakes its own worker as another worker would */

static void
ngx_http_longpoll_pass_notify(ngx_http_longpoll_writer_t *writer)
{
    uint64_t  self, wake;

    if (writer->wake == 0) {
        return;
    }

    self = ngx_http_longpoll_zone_bit(ngx_http_longpoll_notify_worker());
    wake = writer->wake & ngx_http_longpoll_notify_alive();

    writer->wake = 0;

    ngx_http_longpoll_notify_wake(wake & ~self);

    if (wake & self) {
        ngx_http_longpoll_notify_wake_self();
    }
}
