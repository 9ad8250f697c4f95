
/*
 * ngx_http_longpoll_writer_meet.c: a new writer meets the files.
 *
 * The zone knows what its last writer left: the inode of PATH, the number of
 * the last segment, and how many bytes of it count.  Nothing else is compared:
 *
 *     a segment or a base behind the last one,    another nginx wrote: merge
 *     or a PATH of another epoch and inode
 *     no PATH, or none of ours                    lost: a base comes first
 *     the last segment has another size           the next one is begun
 */


#include "ngx_http_longpoll_writer_meet.h"
#include "ngx_http_longpoll_load.h"


static ngx_int_t ngx_http_longpoll_writer_meet_base(
    ngx_http_longpoll_writer_t *writer, ngx_http_longpoll_control_t *base);
static void ngx_http_longpoll_writer_meet_work(
    ngx_http_longpoll_writer_t *writer);
static ngx_http_longpoll_writer_met_e ngx_http_longpoll_writer_meet_compare(
    ngx_http_longpoll_writer_t *writer, uint64_t highest,
    ngx_http_longpoll_control_t *base);
static void ngx_http_longpoll_writer_meet_done(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_merge_work(
    ngx_http_longpoll_writer_t *writer);
static void ngx_http_longpoll_writer_merge_done(
    ngx_http_longpoll_writer_t *writer);
static ngx_int_t ngx_http_longpoll_writer_check_segments(
    ngx_http_longpoll_writer_t *writer, uint64_t *numbers, ngx_uint_t n);


ngx_http_longpoll_writer_op_t  ngx_http_longpoll_writer_meet = {
    "meet",
    ngx_http_longpoll_writer_meet_work,
    ngx_http_longpoll_writer_meet_done
};

ngx_http_longpoll_writer_op_t  ngx_http_longpoll_writer_merge = {
    "merge",
    ngx_http_longpoll_writer_merge_work,
    ngx_http_longpoll_writer_merge_done
};


/* NGX_OK; NGX_DECLINED: the first line of PATH is no base; NGX_ERROR: errno */

static ngx_int_t
ngx_http_longpoll_writer_meet_base(ngx_http_longpoll_writer_t *writer,
    ngx_http_longpoll_control_t *base)
{
    int       fd, err;
    u_char   *end, line[NGX_HTTP_LONGPOLL_CONTROL_MAX];
    ssize_t   n;

    fd = ngx_http_longpoll_segment_open(&writer->files,
                                        NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0, 0);
    if (fd == -1) {
        return errno == ENOENT ? NGX_DECLINED : NGX_ERROR;
    }

    n = read(fd, line, sizeof(line));

    err = errno;
    (void) close(fd);
    errno = err;

    if (n == -1) {
        return NGX_ERROR;
    }

    end = n ? memchr(line, LF, n) : NULL;

    if (end == NULL
        || ngx_http_longpoll_control_parse(base, line, end - line) != NGX_OK
        || base->kind != NGX_HTTP_LONGPOLL_CONTROL_BASE)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_longpoll_writer_meet_work(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      highest, *numbers;
    ngx_int_t                     rc;
    ngx_uint_t                    n;
    ngx_http_longpoll_zone_sh_t  *sh;
    ngx_http_longpoll_control_t   base;

    sh = writer->zone->sh;

    rc = ngx_http_longpoll_writer_meet_base(writer, &base);

    /* EACCES: only the master can read it, as another user */

    if (rc == NGX_ERROR && errno != EACCES) {
        ngx_http_longpoll_writer_error(writer, "read",
                                       NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0);
        return;
    }

    writer->met_node = 0;
    writer->base_size = 0;

    (void) ngx_http_longpoll_segment_stat(&writer->files,
                                          NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0,
                                          &writer->base_size,
                                          &writer->met_node);

    if (ngx_http_longpoll_segment_list(&writer->files, &numbers, &n) != NGX_OK)
    {
        ngx_http_longpoll_writer_error(writer, "readdir",
                                       NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0);
        return;
    }

    highest = n ? numbers[n - 1] : 0;
    ngx_free(numbers);

    writer->rc = NGX_OK;
    writer->met = ngx_http_longpoll_writer_meet_compare(writer, highest,
                                                   rc == NGX_OK ? &base : NULL);

    if (writer->met == NGX_HTTP_LONGPOLL_WRITER_FOREIGN) {
        return;
    }

    (void) ngx_http_longpoll_segment_remove(&writer->files,
                                            NGX_HTTP_LONGPOLL_SEGMENT_NEW, 0);

    writer->first = sh->disk.segment;

    if (writer->met != NGX_HTTP_LONGPOLL_WRITER_LOST) {
        writer->first = base.number + 1;
        ngx_http_longpoll_writer_sweep(writer, base.number);
    }
}


/* highest: the highest number of a segment; base: of PATH, NULL: it has none */

static ngx_http_longpoll_writer_met_e
ngx_http_longpoll_writer_meet_compare(ngx_http_longpoll_writer_t *writer,
    uint64_t highest, ngx_http_longpoll_control_t *base)
{
    uint64_t                      size, node;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = writer->zone->sh;

    if (highest > sh->disk.segment
        || (base && base->number >= sh->disk.segment))
    {
        return NGX_HTTP_LONGPOLL_WRITER_FOREIGN;
    }

    /* lost: of a zone that was replaced, whose writer may have made a base */

    if (base == NULL || sh->disk.lost) {
        return NGX_HTTP_LONGPOLL_WRITER_LOST;
    }

    if (base->epoch != sh->epoch && writer->met_node != sh->disk.node) {
        return NGX_HTTP_LONGPOLL_WRITER_FOREIGN;
    }

    size = 0;

    (void) ngx_http_longpoll_segment_stat(&writer->files,
                                          NGX_HTTP_LONGPOLL_SEGMENT_NUMBER,
                                          sh->disk.segment, &size, &node);

    if (sh->disk.file_size == 0 || size == sh->disk.file_size) {
        return NGX_HTTP_LONGPOLL_WRITER_OURS;
    }

    return size > sh->disk.file_size ? NGX_HTTP_LONGPOLL_WRITER_LONGER
                                     : NGX_HTTP_LONGPOLL_WRITER_LOST;
}


static void
ngx_http_longpoll_writer_meet_done(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      wake;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_disk_sh_t  *disk;

    z = writer->zone;
    disk = &z->sh->disk;
    wake = 0;

    if (writer->rc == NGX_ERROR) {
        writer->due = 0;
        ngx_http_longpoll_writer_failed(writer, 1, "events are not on disk");
        ngx_http_longpoll_writer_refuse(writer);
        return;
    }

    switch (writer->met) {

    case NGX_HTTP_LONGPOLL_WRITER_FOREIGN:
        ngx_http_longpoll_put(disk->contested, 1);
        return;

    case NGX_HTTP_LONGPOLL_WRITER_LOST:

        /* what has taken the place of PATH may be somebody's */

        if (writer->met_node && writer->met_node != disk->node) {
            ngx_http_longpoll_put(disk->skipped, 1);
        }

        ngx_http_longpoll_zone_disk_lost(z);
        break;

    case NGX_HTTP_LONGPOLL_WRITER_LONGER:
        ngx_http_longpoll_zone_disk_next_segment(z);
        break;

    default: /* NGX_HTTP_LONGPOLL_WRITER_OURS */
        break;
    }

    ngx_http_longpoll_put(disk->node, writer->met_node);

    ngx_http_longpoll_zone_disk_begin(z, &wake);
    ngx_http_longpoll_writer_notify(wake);

    writer->state = NGX_HTTP_LONGPOLL_WRITER_READY;
    writer->due = 1;
    writer->rebasing = 0;
    writer->base_live = 0;
    writer->total = writer->base_size;
}


static void
ngx_http_longpoll_writer_merge_work(ngx_http_longpoll_writer_t *writer)
{
    writer->wake = 0;
    writer->rc = ngx_http_longpoll_load_merge(writer->zone, &writer->wake,
                                              writer->log);

    if (writer->rc != NGX_OK) {
        ngx_http_longpoll_writer_error(writer, "read",
                                       NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0);
    }
}


static void
ngx_http_longpoll_writer_merge_done(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_writer_notify(writer->wake);

    if (writer->rc == NGX_ERROR) {
        writer->due = 0;
        ngx_http_longpoll_writer_failed(writer, 1, "events are not on disk");
        ngx_http_longpoll_writer_refuse(writer);
    }
}


void
ngx_http_longpoll_writer_check(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      size, node, *numbers;
    ngx_uint_t                    n, leftovers;
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &writer->zone->sh->disk;

    if (ngx_http_longpoll_segment_stat(&writer->files,
                                       NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0,
                                       &size, &node)
        != NGX_OK
        || node != disk->node || size < writer->base_size)
    {
        writer->rc = NGX_DECLINED;
        writer->file = NGX_HTTP_LONGPOLL_SEGMENT_PATH;
        return;
    }

    if (ngx_http_longpoll_segment_list(&writer->files, &numbers, &n) != NGX_OK)
    {
        ngx_http_longpoll_writer_error(writer, "readdir",
                                       NGX_HTTP_LONGPOLL_SEGMENT_PATH, 0);
        return;
    }

    writer->total = size;
    writer->rc = ngx_http_longpoll_writer_check_segments(writer, numbers, n);

    leftovers = (n && numbers[0] < writer->first);
    ngx_free(numbers);

    if (writer->rc == NGX_OK && leftovers) {
        ngx_http_longpoll_writer_sweep(writer, writer->first - 1);
    }

    /* once the epoch has begun, the log itself says what it is */

    if (disk->restored && disk->begun
        && ngx_http_longpoll_segment_remove(&writer->files,
                                       NGX_HTTP_LONGPOLL_SEGMENT_RESTORED, 0)
           == NGX_OK)
    {
        ngx_http_longpoll_put(disk->restored, 0);
    }
}


/*
 * The last segment, and the one in front of it, must be there.  Those in front
 * of the last one are not written any more: they must have the bytes that they
 * had at the last check.
 */

static ngx_int_t
ngx_http_longpoll_writer_check_segments(ngx_http_longpoll_writer_t *writer,
    uint64_t *numbers, ngx_uint_t n)
{
    uint64_t                      size, node, closed;
    ngx_uint_t                    i, after, last;
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &writer->zone->sh->disk;
    closed = 0;

    after = (disk->after < writer->first);
    last = (disk->file_size == 0);

    for (i = 0; i < n; i++) {

        if (numbers[i] < writer->first
            || ngx_http_longpoll_segment_stat(&writer->files,
                                              NGX_HTTP_LONGPOLL_SEGMENT_NUMBER,
                                              numbers[i], &size, &node)
               != NGX_OK)
        {
            continue;
        }

        writer->total += size;
        closed += numbers[i] < disk->segment ? size : 0;

        after |= (numbers[i] == disk->after);
        last |= (numbers[i] == disk->segment && size >= disk->file_size);
    }

    if (writer->closed_first != writer->first
        || writer->closed_last != disk->segment)
    {
        writer->closed_first = writer->first;
        writer->closed_last = disk->segment;
        writer->closed = closed;
    }

    if (after && last && closed == writer->closed) {
        return NGX_OK;
    }

    writer->file = NGX_HTTP_LONGPOLL_SEGMENT_NUMBER;
    writer->number = last ? disk->after : disk->segment;

    return NGX_DECLINED;
}
