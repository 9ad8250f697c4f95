
/*
 * ngx_http_longpoll_pass.c: what the writer of a zone's log does with the
 * files.
 *
 *     meet, if it is due ─▶ round ─▶ base, if one is wanted ─▶ ...
 *
 * A meeting compares the files with what the zone says of them.
 *
 *     a segment or a base behind the last one,    another nginx wrote: the log
 *     or a PATH of another epoch and inode        is read again
 *     no PATH, or none of ours; less bytes        lost: a base comes first
 *     the last segment has more                   the next one is begun
 *
 * A round is appended to the last segment.
 *
 *     AFTER    if the segment is new, the epoch has not begun, or durable goes
 *              off: it is said before it is so
 *     notes    of the ring
 *     events   whole publishes
 *     losses   if all is in this round, and durable goes on: it is so before it
 *              is said; or if it is the last round
 *     AFTER, or END
 *
 * A base is what lives at one moment, in a new PATH.
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


static ngx_int_t ngx_http_longpoll_pass_step(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_pass_meet(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_pass_lock(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_pass_read(
    ngx_http_longpoll_writer_t *writer, ngx_http_longpoll_control_t *base);
static ngx_int_t ngx_http_longpoll_pass_sum(
    ngx_http_longpoll_writer_t *writer, uint64_t base, uint64_t *numbers,
    ngx_uint_t n, uint64_t bytes);
static void ngx_http_longpoll_pass_lost(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t ours, uint64_t node);
static ngx_int_t ngx_http_longpoll_pass_round(
    ngx_http_longpoll_writer_t *writer, ngx_uint_t doing);
static ngx_int_t ngx_http_longpoll_pass_collect(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_pass_end_line(ngx_http_longpoll_writer_t *writer);
static ngx_uint_t ngx_http_longpoll_pass_base_wanted(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_pass_base(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_pass_piece(
    ngx_http_longpoll_writer_t *writer, uint64_t size, ngx_uint_t says);
static ngx_int_t ngx_http_longpoll_pass_rename(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_pass_append(
    ngx_http_longpoll_writer_t *writer, uint64_t file, uint64_t size);
static void ngx_http_longpoll_pass_succeeded(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_pass_refuse(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_pass_relax(ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_pass_notify(ngx_http_longpoll_writer_t *writer);


/*
 * Whether a failure now would be worse than what has failed: it is logged, and
 * success says nothing of that.  A base that fails while rounds do not is less
 * than a round that fails.
 */
#define ngx_http_longpoll_pass_is_worse(disk, doing)                          \
    ((disk)->failing == 0                                                     \
     || ((disk)->failing == NGX_HTTP_LONGPOLL_PASS_BASE                       \
         && (doing) != NGX_HTTP_LONGPOLL_PASS_BASE))


void
ngx_http_longpoll_pass(ngx_http_longpoll_writer_t *writer)
{
    while (ngx_http_longpoll_pass_step(writer) == NGX_AGAIN) { /* void */ }

    ngx_free(writer->lines.data);
    ngx_memzero(&writer->lines, sizeof(ngx_http_longpoll_lines_t));

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

    rc = disk->lost ? NGX_OK
                    : ngx_http_longpoll_pass_round(writer,
                                               NGX_HTTP_LONGPOLL_PASS_SAVE);

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

    if (rc != NGX_OK || !writer->ending) {
        return rc;
    }

    return ngx_http_longpoll_zone_disk_end(z) == NGX_OK
           ? ngx_http_longpoll_pass_round(writer, NGX_HTTP_LONGPOLL_PASS_END)
           : NGX_AGAIN;
}


/*
 * the files
 */


/*
 * NGX_OK     the writer is ready
 * NGX_AGAIN  another nginx wrote: the next meeting reads that
 * NGX_DONE   another nginx has the lock
 * NGX_ERROR
 */

static ngx_int_t
ngx_http_longpoll_pass_meet(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                     *numbers;
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

    if (!writer->ready
        && ((n && numbers[n - 1] > disk->segment)
            || (rc == NGX_OK && base.number >= disk->segment)
            || (ours && base.epoch != z->sh->epoch && st.st_ino != disk->node)))
    {
        ngx_free(numbers);
        ngx_http_longpoll_put(disk->contested, 1);
        return NGX_AGAIN;
    }

    if (st.st_ino != disk->node) {

        /* a writer that was killed may have made a base */

        ours = ours && !writer->ready;
        disk->bytes = 0;
    }

    ours = ours && ngx_http_longpoll_pass_sum(writer, base.number, numbers, n,
                                              st.st_size)
                   == NGX_OK;

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
    const char                *call;
    ngx_http_longpoll_zone_t  *z;

    z = writer->zone;

    call = "flock";
    rc = ngx_http_longpoll_segment_lock(z);

    if (rc == NGX_OK && z->sh->disk.contested) {
        call = "read";
        rc = ngx_http_longpoll_load(z, 0, &writer->wake, writer->log);
    }

    if (rc != NGX_AGAIN) {
        return rc == NGX_OK
               ? NGX_OK
               : ngx_http_longpoll_pass_failed(writer, call,
                                               NGX_HTTP_LONGPOLL_SEGMENT_PATH);
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
 * All files together must not get less; bytes are PATH's, which has replaced
 * the segments up to the number base.  A segment of which nothing counts is not
 * added.  NGX_OK, or NGX_DECLINED.
 */

static ngx_int_t
ngx_http_longpoll_pass_sum(ngx_http_longpoll_writer_t *writer, uint64_t base,
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

    replaced = (n && numbers[0] <= base && fsync(z->dir) == 0);
    longer = 0;

    for (i = 0; i < n; i++) {

        if (numbers[i] <= base) {
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

    /* a base that is under way may lack what is lost */

    ngx_http_longpoll_zone_disk_base_stop(z);
    ngx_http_longpoll_put(disk->lost, 1);
}


/*
 * a round
 */


/* NGX_OK: all is on disk; NGX_AGAIN: there is more to do; NGX_ERROR */

static ngx_int_t
ngx_http_longpoll_pass_round(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t doing)
{
    ngx_int_t                     rc, appended;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;

    writer->doing = doing;

    rc = ngx_http_longpoll_pass_collect(writer);

    if (rc == NGX_ERROR) {
        return ngx_http_longpoll_pass_failed(writer, "realloc",
                                             NGX_HTTP_LONGPOLL_SEGMENT_PATH);
    }

    if (writer->lines.len) {
        appended = ngx_http_longpoll_pass_append(writer, disk->segment,
                                                 disk->file_size);
        rc = appended == NGX_OK ? rc : appended;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_longpoll_pass_lost(writer, 1, disk->node);
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR) {

        if (disk->file_size) {
            ngx_http_longpoll_zone_disk_next_segment(z);
        }

        return NGX_ERROR;
    }

    disk->bytes += writer->lines.len;
    writer->round.file_size = disk->file_size + writer->lines.len;

    ngx_http_longpoll_zone_disk_saved(z, &writer->round, &writer->wake);
    ngx_http_longpoll_pass_succeeded(writer);

    return rc;
}


/*
 * NGX_OK: these are all lines; NGX_AGAIN: there are more; NGX_ERROR: there is
 * no memory.
 */

static ngx_int_t
ngx_http_longpoll_pass_collect(ngx_http_longpoll_writer_t *writer)
{
    size_t                        len;
    ngx_int_t                     rc;
    ngx_uint_t                    off, head, end;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_lines_t    *lines;
    ngx_http_longpoll_round_t    *round;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;
    lines = &writer->lines;
    round = &writer->round;

    round->says = -1;

    end = (writer->doing == NGX_HTTP_LONGPOLL_PASS_END);
    off = (!z->sh->conf.durable && disk->says != NGX_HTTP_LONGPOLL_SAYS_NO);
    head = (off || !disk->begun) && !end;

    if (ngx_http_longpoll_zone_disk_lines(lines, NGX_HTTP_LONGPOLL_WRITER_ROUND)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (head || disk->file_size == 0) {
        round->says = (disk->says == NGX_HTTP_LONGPOLL_SAYS_YES && !off)
                      ? NGX_HTTP_LONGPOLL_SAYS_YES : NGX_HTTP_LONGPOLL_SAYS_NO;

        ngx_http_longpoll_zone_disk_head(z, lines,
                                         NGX_HTTP_LONGPOLL_CONTROL_AFTER,
                                         round->says);
    }

    len = lines->len;

    round->notes = ngx_http_longpoll_zone_disk_notes(z, lines);

    rc = ngx_http_longpoll_zone_disk_take(z, NGX_HTTP_LONGPOLL_CURSOR_NEXT,
                                          lines);

    if (rc == NGX_OK
        && (end || (z->sh->conf.durable
                    && disk->says != NGX_HTTP_LONGPOLL_SAYS_YES)))
    {
        /* all that readers saw is in the log with this round */

        if (ngx_http_longpoll_zone_disk_losses(z, lines) != NGX_OK) {
            return NGX_ERROR;
        }

        if (end) {
            ngx_http_longpoll_pass_end_line(writer);

        } else {
            round->says = NGX_HTTP_LONGPOLL_SAYS_YES;

            ngx_http_longpoll_zone_disk_head(z, lines,
                                             NGX_HTTP_LONGPOLL_CONTROL_AFTER,
                                             round->says);
        }
    }

    /* a new segment is not made for its head alone */

    if (lines->len == len && !head) {
        lines->len = 0;
    }

    /* END does not begin the epoch */

    if (lines->len == 0 || end) {
        round->says = -1;
    }

    if (rc == NGX_OK && round->notes != disk->notes_last) {
        rc = NGX_AGAIN;
    }

    return rc;
}


/* the line counts itself, and its length depends on the sum */

static void
ngx_http_longpoll_pass_end_line(ngx_http_longpoll_writer_t *writer)
{
    u_char                       *p;
    uint64_t                      bytes;
    ngx_http_longpoll_lines_t    *lines;
    ngx_http_longpoll_zone_sh_t  *sh;
    ngx_http_longpoll_control_t   end;

    sh = writer->zone->sh;
    lines = &writer->lines;

    end.kind = NGX_HTTP_LONGPOLL_CONTROL_END;
    end.id = sh->clock.last_id;
    end.bytes = 0;

    do {
        bytes = end.bytes;
        p = ngx_http_longpoll_control_print(lines->data + lines->len, &end);
        end.bytes = sh->disk.bytes + (p - lines->data);

    } while (end.bytes != bytes);

    lines->len = p - lines->data;
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

    live = writer->zone->sh->log.live;

    if (live >= writer->base_live) {
        expected = writer->base_size + live - writer->base_live;

    } else {
        expected = (uint64_t) ((double) live / writer->base_live
                               * writer->base_size);
    }

    return disk->stale
           || disk->bytes > expected + expected / 4 * 3
                            + NGX_HTTP_LONGPOLL_WRITER_SLACK;
}


/* NGX_OK; NGX_DECLINED: it was given up; NGX_ERROR */

static ngx_int_t
ngx_http_longpoll_pass_base(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      size;
    ngx_int_t                     rc;
    ngx_uint_t                    says;
    ngx_msec_t                    delay;
    struct stat                   st;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_zone_sh_t  *sh;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    sh = z->sh;
    disk = &sh->disk;

    ngx_http_longpoll_zone_disk_base_begin(z);

    says = (sh->conf.durable && disk->durable
            && (disk->says == NGX_HTTP_LONGPOLL_SAYS_YES || disk->lost))
           ? NGX_HTTP_LONGPOLL_SAYS_YES : NGX_HTTP_LONGPOLL_SAYS_NO;

    size = 0;

    do {
        writer->doing = disk->lost ? NGX_HTTP_LONGPOLL_PASS_SAVE
                                   : NGX_HTTP_LONGPOLL_PASS_BASE;

        rc = ngx_http_longpoll_pass_piece(writer, size, says);

        size += writer->lines.len;

        if (rc == NGX_AGAIN) {

            if (!disk->lost) {
                (void) ngx_http_longpoll_pass_round(writer,
                                               NGX_HTTP_LONGPOLL_PASS_SAVE);
            }

            if (!disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_BASE].on
                || ngx_http_longpoll_pass_is_over(writer))
            {
                rc = NGX_DECLINED;
            }
        }

    } while (rc == NGX_AGAIN);

    if (rc == NGX_OK) {
        (void) ngx_http_longpoll_segment_stat(z, NGX_HTTP_LONGPOLL_SEGMENT_NEW,
                                              &st);
        rc = ngx_http_longpoll_pass_rename(writer);
    }

    if (rc != NGX_OK) {
        (void) ngx_http_longpoll_segment_remove(z,
                                                NGX_HTTP_LONGPOLL_SEGMENT_NEW);
        ngx_http_longpoll_zone_disk_base_stop(z);

        delay = ngx_max(2 * writer->base_delay, (ngx_msec_t) sh->conf.flush);

        writer->base_delay = ngx_min(delay, NGX_HTTP_LONGPOLL_WRITER_DELAY);
        writer->base_retry = ngx_current_msec + writer->base_delay;

        return rc;
    }

    writer->due = 1;
    writer->doing = NGX_HTTP_LONGPOLL_PASS_BASE;
    writer->base_delay = 0;
    writer->base_size = size;
    writer->base_live = sh->log.live;

    ngx_http_longpoll_put(disk->skipped, 0);
    disk->bytes = size + disk->file_size;

    ngx_http_longpoll_zone_disk_based(z, st.st_ino, says, &writer->wake);
    ngx_http_longpoll_pass_succeeded(writer);

    return NGX_OK;
}


/*
 * Appends a piece of a base to PATH.new, which has so many bytes.
 *
 * NGX_OK        it was the last
 * NGX_AGAIN
 * NGX_DECLINED  somebody removed PATH.new
 * NGX_ERROR
 */

static ngx_int_t
ngx_http_longpoll_pass_piece(ngx_http_longpoll_writer_t *writer, uint64_t size,
    ngx_uint_t says)
{
    ngx_int_t                   rc, appended;
    ngx_http_longpoll_zone_t   *z;
    ngx_http_longpoll_lines_t  *lines;

    z = writer->zone;
    lines = &writer->lines;

    rc = ngx_http_longpoll_zone_disk_lines(lines,
                                           NGX_HTTP_LONGPOLL_WRITER_PIECE);

    if (rc == NGX_OK && size == 0) {
        ngx_http_longpoll_zone_disk_head(z, lines,
                                         NGX_HTTP_LONGPOLL_CONTROL_BASE, says);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_zone_disk_take(z, NGX_HTTP_LONGPOLL_CURSOR_BASE,
                                              lines);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_zone_disk_losses(z, lines);
    }

    if (rc == NGX_ERROR) {
        return ngx_http_longpoll_pass_failed(writer, "realloc",
                                             NGX_HTTP_LONGPOLL_SEGMENT_PATH);
    }

    appended = ngx_http_longpoll_pass_append(writer,
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
 * Appends the lines to a file of which size bytes count, and syncs it; with 0
 * the file is made anew, and the directory is synced, too.  NGX_OK;
 * NGX_DECLINED: it was removed or cut; NGX_ERROR.
 */

static ngx_int_t
ngx_http_longpoll_pass_append(ngx_http_longpoll_writer_t *writer, uint64_t file,
    uint64_t size)
{
    struct stat                st;
    ngx_http_longpoll_zone_t  *z;

    z = writer->zone;

    if (writer->fd == -1 || writer->file != file || size == 0) {

        if (writer->fd != -1) {
            (void) close(writer->fd);
        }

        writer->file = file;
        writer->fd = ngx_http_longpoll_segment_open(z, file,
                                             size ? O_APPEND
                                                  : O_APPEND|O_CREAT|O_TRUNC);
        if (writer->fd == -1) {
            return size && errno == ENOENT
                   ? NGX_DECLINED
                   : ngx_http_longpoll_pass_failed(writer, "open", file);
        }
    }

    if (fstat(writer->fd, &st) == 0
        && (st.st_nlink == 0 || (uint64_t) st.st_size < size))
    {
        return NGX_DECLINED;
    }

    if (ngx_http_longpoll_segment_write(writer->fd, writer->lines.data,
                                        writer->lines.len)
        != NGX_OK)
    {
        return ngx_http_longpoll_pass_failed(writer, "write", file);
    }

    if (fdatasync(writer->fd) == -1 || (size == 0 && fsync(z->dir) == -1)) {
        return ngx_http_longpoll_pass_failed(writer, "fsync", file);
    }

    return NGX_OK;
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

    if (ngx_http_longpoll_pass_is_worse(disk, writer->doing)) {
        return;
    }

    if (disk->failing != NGX_HTTP_LONGPOLL_PASS_BASE) {
        ngx_log_error(NGX_LOG_NOTICE, writer->log, 0,
                      "longpoll zone \"%V\": \"%V\" has all events again",
                      &z->name, &z->persist);
    }

    disk->failing = 0;
}


ngx_int_t
ngx_http_longpoll_pass_failed(ngx_http_longpoll_writer_t *writer,
    const char *call, uint64_t file)
{
    u_char                        suffix[NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX];
    ngx_err_t                     err;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    static const char  *what[] = {
        NULL,
        "events are not on disk",
        "events are on disk, but their files cannot be made smaller",
        "the next start will not know that all events are on disk"
    };

    err = errno;

    z = writer->zone;
    disk = &z->sh->disk;

    (void) ngx_atomic_fetch_add(&disk->write_failures, 1);

    if (ngx_http_longpoll_pass_is_worse(disk, writer->doing)) {
        disk->failing = writer->doing;

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
