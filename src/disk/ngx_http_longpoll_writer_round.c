
/*
 * ngx_http_longpoll_writer_round.c: a round appends what is new to the last
 * segment.
 *
 *     AFTER    if the segment is new, the epoch has not begun, or durable goes
 *              off: it is said before it is so
 *     notes    of the ring
 *     events   whole publishes
 *     losses, AFTER
 *              if durable goes on, and all is in this round: it is so before it
 *              is said
 *
 * The thread appends all of it, and syncs the segment, and the directory if the
 * segment is new.  A segment on which a call failed is never written to again.
 */


#include "ngx_http_longpoll_writer_round.h"
#include "ngx_http_longpoll_writer_meet.h"


static ngx_int_t ngx_http_longpoll_writer_round_collect(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_writer_round_claim(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_round_work(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_writer_round_open(
    ngx_http_longpoll_writer_t *writer, ngx_uint_t create);
static void ngx_http_longpoll_writer_round_append(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_round_done(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_round_saved(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_round_lost(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_writer_round_end_lines(
    ngx_http_longpoll_writer_t *writer);


ngx_http_longpoll_writer_op_t  ngx_http_longpoll_writer_round = {
    "round",
    ngx_http_longpoll_writer_round_work,
    ngx_http_longpoll_writer_round_done
};


ngx_int_t
ngx_http_longpoll_writer_round_begin(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      wake;
    ngx_int_t                     rc;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;

    writer->check = writer->due;

    rc = ngx_http_longpoll_writer_round_collect(writer);

    if (rc == NGX_ERROR) {
        wake = 0;
        ngx_http_longpoll_zone_disk_retry(z, &wake);
        ngx_http_longpoll_writer_notify(wake);
        return NGX_ERROR;
    }

    writer->due = (rc == NGX_AGAIN);
    writer->round.file_size = disk->file_size + writer->lines.len;

    if (writer->lines.len == 0 && !writer->check
        && disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT].id
           == disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* NGX_OK; NGX_AGAIN: there is more; NGX_ERROR: no memory */

static ngx_int_t
ngx_http_longpoll_writer_round_collect(ngx_http_longpoll_writer_t *writer)
{
    size_t                        len;
    uint64_t                      wake;
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
    wake = 0;

    lines->len = 0;
    lines->more = 0;
    lines->enough = NGX_HTTP_LONGPOLL_WRITER_ROUND;

    round->begun = 0;
    round->says = -1;

    if (ngx_http_longpoll_writer_memory(writer,
                                        NGX_HTTP_LONGPOLL_WRITER_ROUND
                                        + NGX_HTTP_LONGPOLL_CONTROL_MAX)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (z->sh->conf.durable && !disk->durable) {
        (void) ngx_http_longpoll_zone_disk_durable(z, 1, 0, &wake);
    }

    off = (!z->sh->conf.durable && disk->says != NGX_HTTP_LONGPOLL_SAYS_NO);
    head = (off || !disk->begun);

    if (head || disk->file_size == 0) {
        round->begun = 1;
        round->says = (disk->says == NGX_HTTP_LONGPOLL_SAYS_YES && !off)
                      ? NGX_HTTP_LONGPOLL_SAYS_YES : NGX_HTTP_LONGPOLL_SAYS_NO;

        ngx_http_longpoll_zone_disk_head(z, lines,
                             NGX_HTTP_LONGPOLL_CONTROL_AFTER, disk->after,
                             round->says == NGX_HTTP_LONGPOLL_SAYS_YES);
    }

    len = lines->len;

    round->notes = ngx_http_longpoll_zone_disk_notes(z, lines);

    rc = ngx_http_longpoll_writer_take(writer, NGX_HTTP_LONGPOLL_CURSOR_NEXT);

    if (rc == NGX_OK && z->sh->conf.durable
        && disk->says != NGX_HTTP_LONGPOLL_SAYS_YES
        && ngx_http_longpoll_writer_round_claim(writer) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* a new segment is not made for its head alone */

    if (lines->len == len && !head) {
        lines->len = 0;
        round->begun = 0;
        round->says = -1;
    }

    return rc;
}


/* all that readers saw is in the log with this round */

static ngx_int_t
ngx_http_longpoll_writer_round_claim(ngx_http_longpoll_writer_t *writer)
{
    if (ngx_http_longpoll_writer_losses(writer) != NGX_OK
        || ngx_http_longpoll_writer_memory(writer,
                                           writer->lines.len
                                           + NGX_HTTP_LONGPOLL_CONTROL_MAX)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_longpoll_zone_disk_head(writer->zone, &writer->lines,
                                     NGX_HTTP_LONGPOLL_CONTROL_AFTER,
                                     writer->zone->sh->disk.after, 1);

    writer->round.begun = 1;
    writer->round.says = NGX_HTTP_LONGPOLL_SAYS_YES;

    return NGX_OK;
}


static void
ngx_http_longpoll_writer_round_work(ngx_http_longpoll_writer_t *writer)
{
    writer->rc = NGX_OK;

    if (writer->check) {
        ngx_http_longpoll_writer_check(writer);
    }

    if (writer->rc == NGX_OK && writer->lines.len) {
        ngx_http_longpoll_writer_round_append(writer);
    }
}


static void
ngx_http_longpoll_writer_round_append(ngx_http_longpoll_writer_t *writer)
{
    ngx_uint_t                    create;
    struct stat                   st;
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &writer->zone->sh->disk;
    create = (disk->file_size == 0);

    if (ngx_http_longpoll_writer_round_open(writer, create) != NGX_OK) {
        return;
    }

    if (fstat(writer->fd, &st) == -1) {
        ngx_http_longpoll_writer_error(writer, "fstat",
                                       NGX_HTTP_LONGPOLL_SEGMENT_NUMBER,
                                       disk->segment);
        return;
    }

    if (st.st_nlink == 0 || (uint64_t) st.st_size < disk->file_size) {
        writer->rc = NGX_DECLINED;
        writer->file = NGX_HTTP_LONGPOLL_SEGMENT_NUMBER;
        writer->number = disk->segment;
        return;
    }

    if (ngx_http_longpoll_segment_write(writer->fd, writer->lines.data,
                                        writer->lines.len)
        != NGX_OK)
    {
        ngx_http_longpoll_writer_error(writer, "write",
                                       NGX_HTTP_LONGPOLL_SEGMENT_NUMBER,
                                       disk->segment);
        return;
    }

    if (ngx_http_longpoll_segment_sync(writer->fd) != NGX_OK
        || (create
            && ngx_http_longpoll_segment_sync_dir(&writer->files) != NGX_OK))
    {
        ngx_http_longpoll_writer_error(writer, "fsync",
                                       NGX_HTTP_LONGPOLL_SEGMENT_NUMBER,
                                       disk->segment);
    }
}


/* before the epoch begins, this nginx must have the lock, still or again */

static ngx_int_t
ngx_http_longpoll_writer_round_open(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t create)
{
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &writer->zone->sh->disk;

    if (!disk->begun
        && ngx_http_longpoll_segment_lock(writer->files.dir) != NGX_OK)
    {
        ngx_http_longpoll_writer_error(writer, "flock",
                                       NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0);
        return NGX_ERROR;
    }

    if (create) {
        ngx_http_longpoll_writer_close(&writer->fd);
    }

    if (writer->fd != -1) {
        return NGX_OK;
    }

    writer->fd = ngx_http_longpoll_segment_open(&writer->files,
                                            NGX_HTTP_LONGPOLL_SEGMENT_NUMBER,
                                            disk->segment,
                                            create ? O_APPEND|O_CREAT|O_TRUNC
                                                   : O_APPEND);
    if (writer->fd == -1) {
        ngx_http_longpoll_writer_error(writer, "open",
                                       NGX_HTTP_LONGPOLL_SEGMENT_NUMBER,
                                       disk->segment);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_longpoll_writer_round_done(ngx_http_longpoll_writer_t *writer)
{
    switch (writer->rc) {

    case NGX_OK:
        ngx_http_longpoll_writer_round_saved(writer);
        break;

    case NGX_DECLINED:
        ngx_http_longpoll_writer_round_lost(writer);
        break;

    default: /* NGX_ERROR */
        ngx_http_longpoll_writer_close(&writer->fd);

        if (writer->zone->sh->disk.file_size) {
            ngx_http_longpoll_zone_disk_next_segment(writer->zone);
        }

        ngx_http_longpoll_writer_failed(writer, 1, "events are not on disk");
        ngx_http_longpoll_writer_refuse(writer);
    }
}


static void
ngx_http_longpoll_writer_round_saved(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      wake;
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &writer->zone->sh->disk;
    wake = 0;

    if (writer->lines.len
        || disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_NEXT].id
           != disk->cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id)
    {
        ngx_http_longpoll_zone_disk_saved(writer->zone, &writer->round, &wake);
        ngx_http_longpoll_writer_notify(wake);
    }

    writer->total += writer->lines.len;
    disk->bytes = writer->total;

    ngx_http_longpoll_writer_relax(writer);
    ngx_http_longpoll_writer_recovered(writer);
}


/* somebody removed, replaced or cut a file: nothing of the round counts */

static void
ngx_http_longpoll_writer_round_lost(ngx_http_longpoll_writer_t *writer)
{
    u_char    suffix[NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX];
    uint64_t  wake;

    ngx_http_longpoll_segment_suffix(suffix, writer->file, writer->number);

    ngx_log_error(NGX_LOG_ERR, writer->log, 0,
                  "longpoll zone \"%V\": \"%V%s\" was removed, replaced or "
                  "cut, writing all events anew", &writer->zone->name,
                  &writer->zone->persist, suffix);

    wake = 0;

    /* what has taken the place of PATH may be somebody's */

    if (writer->file == NGX_HTTP_LONGPOLL_SEGMENT_PATH) {
        ngx_http_longpoll_put(writer->zone->sh->disk.skipped, 1);
    }

    ngx_http_longpoll_writer_close(&writer->fd);
    ngx_http_longpoll_zone_disk_lost(writer->zone);
    ngx_http_longpoll_zone_disk_retry(writer->zone, &wake);
    ngx_http_longpoll_writer_notify(wake);

    writer->rebasing = 0;
    writer->due = 1;
}


ngx_int_t
ngx_http_longpoll_writer_round_end(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      wake;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;
    wake = 0;

    ngx_http_longpoll_writer_check(writer);

    if (writer->rc != NGX_OK) {
        ngx_http_longpoll_writer_round_done(writer);
        return NGX_AGAIN;
    }

    if (ngx_http_longpoll_zone_disk_end(z) != NGX_OK) {
        return NGX_AGAIN;
    }

    writer->rc = ngx_http_longpoll_writer_round_end_lines(writer);

    if (writer->rc == NGX_OK) {
        ngx_http_longpoll_writer_round_append(writer);
    }

    if (writer->rc != NGX_OK) {
        ngx_http_longpoll_writer_failed(writer, 1, "the next start will not "
                                        "know that all events are on disk");
        return NGX_ERROR;
    }

    writer->round.file_size = disk->file_size + writer->lines.len;

    ngx_http_longpoll_zone_disk_saved(z, &writer->round, &wake);

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_writer_round_end_lines(ngx_http_longpoll_writer_t *writer)
{
    size_t                        len;
    uint64_t                      bytes;
    ngx_http_longpoll_lines_t    *lines;
    ngx_http_longpoll_disk_sh_t  *disk;
    ngx_http_longpoll_control_t   control;

    lines = &writer->lines;
    disk = &writer->zone->sh->disk;

    lines->len = 0;

    writer->round.notes = disk->notes_first;
    writer->round.begun = 0;
    writer->round.says = -1;

    if (ngx_http_longpoll_writer_memory(writer,
                                        2 * NGX_HTTP_LONGPOLL_CONTROL_MAX)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (disk->file_size == 0) {
        ngx_http_longpoll_zone_disk_head(writer->zone, lines,
                             NGX_HTTP_LONGPOLL_CONTROL_AFTER, disk->after,
                             disk->says == NGX_HTTP_LONGPOLL_SAYS_YES);
    }

    if (ngx_http_longpoll_writer_losses(writer) != NGX_OK
        || ngx_http_longpoll_writer_memory(writer,
                                           lines->len
                                           + NGX_HTTP_LONGPOLL_CONTROL_MAX)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* the line counts itself, and its length depends on the sum */

    control.kind = NGX_HTTP_LONGPOLL_CONTROL_END;
    control.id = writer->zone->sh->clock.last_id;
    control.bytes = 0;

    do {
        bytes = control.bytes;

        len = ngx_http_longpoll_control_print(lines->data + lines->len,
                                              &control)
              - lines->data;

        control.bytes = writer->total + len;

    } while (control.bytes != bytes);

    lines->len = len;

    return NGX_OK;
}
