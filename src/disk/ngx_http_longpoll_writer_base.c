
/*
 * ngx_http_longpoll_writer_base.c: a base is what lives at one moment, in a new
 * PATH.
 *
 *     begin     rounds go to a segment behind number N from now on
 *     pieces    PATH.new: BASE N, and all events up to base_upto; each piece is
 *               synced, and takes turns with rounds
 *     the last  losses; PATH.bad; PATH.new is renamed to PATH; the directory is
 *               synced; the segments up to N go, the lowest first
 *
 * What is deleted meanwhile is noted in a segment behind N, which holds for the
 * base, too.  N and base_upto are those of the beginning: a round may fail, and
 * take the next number, meanwhile.
 */


#include "ngx_http_longpoll_writer_base.h"
#include "ngx_http_longpoll_load_skipped.h"


/* ms between two tries to make a base, at most */

#define NGX_HTTP_LONGPOLL_WRITER_BASE_DELAY  3600000


static void ngx_http_longpoll_writer_base_work(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_writer_base_write(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_base_rename(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_base_done(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_base_stop(
    ngx_http_longpoll_writer_t *writer);


ngx_http_longpoll_writer_op_t  ngx_http_longpoll_writer_base = {
    "base",
    ngx_http_longpoll_writer_base_work,
    ngx_http_longpoll_writer_base_done
};


/*
 * Living bytes of the zone, times what a byte took in the last base, are what a
 * new base would take.  For each eight bytes of a base there is one of a round;
 * so all files together stay below three times that, and a megabyte.
 */

ngx_uint_t
ngx_http_longpoll_writer_base_wanted(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      events, expected;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = writer->zone->sh;

    if (sh->disk.lost) {
        return 1;
    }

    if (writer->base_delay
        && (ngx_msec_int_t) (ngx_current_msec - writer->base_retry) < 0)
    {
        return 0;
    }

    if (sh->disk.stale == NGX_HTTP_LONGPOLL_STALE_WANTED) {
        return 1;
    }

    expected = sh->log.live;

    if (writer->base_live) {
        events = writer->base_size - writer->base_rest;
        expected = (uint64_t) (ngx_min((double) events / writer->base_live, 3.0)
                               * expected)
                   + writer->base_rest;
    }

    return writer->total > expected + expected / 4 * 3
                           + NGX_HTTP_LONGPOLL_WRITER_SLACK;
}


void
ngx_http_longpoll_writer_base_begin(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      wake;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;
    wake = 0;

    if (disk->lost && z->sh->conf.durable && !disk->durable) {
        (void) ngx_http_longpoll_zone_disk_durable(z, 1, 0, &wake);
    }

    ngx_http_longpoll_zone_disk_base_begin(z);

    ngx_http_longpoll_writer_close(&writer->new_fd);

    writer->rebasing = 1;
    writer->complete = 0;
    writer->new_size = 0;
    writer->new_says = (z->sh->conf.durable && disk->durable
                        && (disk->says == NGX_HTTP_LONGPOLL_SAYS_YES
                            || (disk->lost
                                && disk->base_upto >= z->sh->clock.visible)))
                       ? NGX_HTTP_LONGPOLL_SAYS_YES : NGX_HTTP_LONGPOLL_SAYS_NO;
}


ngx_int_t
ngx_http_longpoll_writer_base_collect(ngx_http_longpoll_writer_t *writer)
{
    size_t                      len;
    ngx_int_t                   rc;
    ngx_http_longpoll_zone_t   *z;
    ngx_http_longpoll_lines_t  *lines;

    z = writer->zone;
    lines = &writer->lines;

    lines->len = 0;
    lines->more = 0;
    lines->enough = NGX_HTTP_LONGPOLL_WRITER_PIECE;

    if (ngx_http_longpoll_writer_memory(writer,
                                        NGX_HTTP_LONGPOLL_WRITER_PIECE
                                        + NGX_HTTP_LONGPOLL_CONTROL_MAX)
        != NGX_OK)
    {
        goto failed;
    }

    if (writer->new_size == 0) {
        ngx_http_longpoll_zone_disk_head(z, lines,
                             NGX_HTTP_LONGPOLL_CONTROL_BASE,
                             z->sh->disk.base_number,
                             writer->new_says == NGX_HTTP_LONGPOLL_SAYS_YES);
    }

    rc = ngx_http_longpoll_writer_take(writer, NGX_HTTP_LONGPOLL_CURSOR_BASE);

    if (rc == NGX_ERROR) {
        goto failed;
    }

    writer->complete = (rc == NGX_OK);

    if (writer->complete) {
        len = lines->len;

        if (ngx_http_longpoll_writer_losses(writer) != NGX_OK) {
            goto failed;
        }

        writer->new_rest = lines->len - len + NGX_HTTP_LONGPOLL_CONTROL_MAX;
    }

    return NGX_OK;

failed:

    ngx_http_longpoll_writer_base_stop(writer);

    return NGX_ERROR;
}


static void
ngx_http_longpoll_writer_base_work(ngx_http_longpoll_writer_t *writer)
{
    writer->rc = NGX_OK;

    if (ngx_http_longpoll_writer_base_write(writer) == NGX_OK
        && writer->complete)
    {
        ngx_http_longpoll_writer_base_rename(writer);
    }

    if (writer->rc != NGX_OK) {
        (void) ngx_http_longpoll_segment_remove(&writer->files,
                                            NGX_HTTP_LONGPOLL_SEGMENT_NEW, 0);
    }
}


static ngx_int_t
ngx_http_longpoll_writer_base_write(ngx_http_longpoll_writer_t *writer)
{
    const char  *failed;

    failed = "open";

    if (writer->new_fd == -1) {
        writer->new_fd = ngx_http_longpoll_segment_open(&writer->files,
                                              NGX_HTTP_LONGPOLL_SEGMENT_NEW, 0,
                                              O_APPEND|O_CREAT|O_TRUNC);
        if (writer->new_fd == -1) {
            goto failed;
        }
    }

    failed = "write";

    if (ngx_http_longpoll_segment_write(writer->new_fd, writer->lines.data,
                                        writer->lines.len)
        != NGX_OK)
    {
        goto failed;
    }

    failed = "fsync";

    if (ngx_http_longpoll_segment_sync(writer->new_fd) != NGX_OK) {
        goto failed;
    }

    writer->new_size += writer->lines.len;

    return NGX_OK;

failed:

    ngx_http_longpoll_writer_error(writer, failed,
                                   NGX_HTTP_LONGPOLL_SEGMENT_NEW, 0);
    return NGX_ERROR;
}


static void
ngx_http_longpoll_writer_base_rename(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      size;
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &writer->zone->sh->disk;

    size = 0;

    if (ngx_http_longpoll_segment_stat(&writer->files,
                                       NGX_HTTP_LONGPOLL_SEGMENT_NEW, 0, &size,
                                       &writer->new_node)
        != NGX_OK
        || size != writer->new_size)
    {
        errno = ENOENT;
        ngx_http_longpoll_writer_error(writer, "stat",
                                       NGX_HTTP_LONGPOLL_SEGMENT_NEW, 0);
        return;
    }

    if (disk->skipped
        && ngx_http_longpoll_load_skipped_save(writer->zone, disk->base_number,
                                               writer->log)
           != NGX_OK)
    {
        ngx_http_longpoll_writer_error(writer, "write",
                                       NGX_HTTP_LONGPOLL_SEGMENT_BAD, 0);
        return;
    }

    /*
     * A segment of which nothing counts may have lines of a round that failed.
     * They are not in the base, and no note need be left of them.
     */

    if (disk->file_size == 0
        && ngx_http_longpoll_segment_remove(&writer->files,
                                            NGX_HTTP_LONGPOLL_SEGMENT_NUMBER,
                                            disk->segment)
           != NGX_OK)
    {
        ngx_http_longpoll_writer_error(writer, "unlink",
                                       NGX_HTTP_LONGPOLL_SEGMENT_NUMBER,
                                       disk->segment);
        return;
    }

    if (ngx_http_longpoll_segment_rename(&writer->files) != NGX_OK) {
        ngx_http_longpoll_writer_error(writer, "rename",
                                       NGX_HTTP_LONGPOLL_SEGMENT_NEW, 0);
        return;
    }

    /* if this fails, the next check finds out which PATH it is */

    if (ngx_http_longpoll_segment_sync_dir(&writer->files) != NGX_OK) {
        ngx_http_longpoll_writer_error(writer, "fsync",
                                       NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0);
        return;
    }

    ngx_http_longpoll_writer_sweep(writer, disk->base_number);
}


static void
ngx_http_longpoll_writer_base_done(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      wake;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;
    wake = 0;

    if (writer->rc != NGX_OK) {
        ngx_http_longpoll_writer_base_stop(writer);

        if (disk->lost) {
            writer->due = 0;
            ngx_http_longpoll_writer_failed(writer, 1,
                                            "events are not on disk");
            ngx_http_longpoll_writer_refuse(writer);
            return;
        }

        writer->base_delay = ngx_min(ngx_max(2 * writer->base_delay,
                                             (ngx_msec_t) z->sh->conf.flush),
                                     NGX_HTTP_LONGPOLL_WRITER_BASE_DELAY);
        writer->base_retry = ngx_current_msec + writer->base_delay;

        ngx_http_longpoll_writer_failed(writer, 0, "events are on disk, but "
                                        "their files cannot be made smaller");
        return;
    }

    if (!writer->complete) {
        return;
    }

    ngx_http_longpoll_writer_close(&writer->new_fd);

    writer->rebasing = 0;
    writer->base_delay = 0;
    writer->first = disk->base_number + 1;
    writer->base_size = writer->new_size;
    writer->base_rest = writer->new_rest;
    writer->base_live = ngx_max(z->sh->log.live, 1);
    writer->total = writer->new_size + disk->file_size;
    writer->due = 1;

    ngx_http_longpoll_put(disk->skipped, 0);

    ngx_http_longpoll_zone_disk_based(z, writer->new_node, writer->new_says,
                                      &wake);
    ngx_http_longpoll_writer_notify(wake);

    disk->bytes = writer->total;

    ngx_http_longpoll_writer_relax(writer);
    ngx_http_longpoll_writer_recovered(writer);
}


static void
ngx_http_longpoll_writer_base_stop(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_writer_close(&writer->new_fd);
    ngx_http_longpoll_zone_disk_base_stop(writer->zone);

    writer->rebasing = 0;
}
