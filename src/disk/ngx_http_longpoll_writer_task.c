
/*
 * ngx_http_longpoll_writer_task.c: what the operations of a writer share.
 *
 * What fails is logged once, until it has succeeded again.  While rounds
 * succeed and a base fails, events are on disk, and the figure disk.failing
 * stays 0.  What is logged says whether events are on disk.
 *
 * Lines are collected in one buffer, which grows to what a publish needs.
 */


#include "ngx_http_longpoll_writer_task.h"
#include "ngx_http_longpoll_notify.h"


void
ngx_http_longpoll_writer_error(ngx_http_longpoll_writer_t *writer,
    const char *failed, ngx_http_longpoll_segment_e file, uint64_t number)
{
    writer->err = errno;
    writer->rc = NGX_ERROR;
    writer->failed = failed;
    writer->file = file;
    writer->number = number;
}


/*
 * A base that fails while rounds do not is less than a round that fails.  So a
 * round is logged after a base, and not the other way round.
 */

void
ngx_http_longpoll_writer_failed(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t unsaved, const char *what)
{
    u_char                        suffix[NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX];
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &writer->zone->sh->disk;

    (void) ngx_atomic_fetch_add(&disk->write_failures, 1);

    if (disk->failing || (writer->failing && !unsaved)) {
        return;
    }

    disk->failing = unsaved;
    writer->failing = writer->last;

    ngx_http_longpoll_segment_suffix(suffix, writer->file, writer->number);

    ngx_log_error(NGX_LOG_ERR, writer->log, writer->err,
                  "longpoll zone \"%V\": %s(\"%V%s\") failed, %s",
                  &writer->zone->name, writer->failed, &writer->zone->persist,
                  suffix, what);
}


void
ngx_http_longpoll_writer_recovered(ngx_http_longpoll_writer_t *writer)
{
    ngx_http_longpoll_disk_sh_t  *disk;

    disk = &writer->zone->sh->disk;

    if (disk->failing) {
        disk->failing = 0;

        ngx_log_error(NGX_LOG_NOTICE, writer->log, 0,
                      "longpoll zone \"%V\": \"%V\" has all events again",
                      &writer->zone->name, &writer->zone->persist);

    } else if (writer->failing != writer->last) {
        return;
    }

    writer->failing = NULL;
}


void
ngx_http_longpoll_writer_refuse(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      wake;
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_zone_sh_t  *sh;

    z = writer->zone;
    sh = z->sh;
    wake = 0;

    if (!sh->conf.durable && sh->disk.says == NGX_HTTP_LONGPOLL_SAYS_NO) {
        (void) ngx_http_longpoll_zone_disk_durable(z, 0, 1, &wake);
    }

    ngx_http_longpoll_zone_disk_failed(z, &wake);
    ngx_http_longpoll_writer_notify(wake);
}


void
ngx_http_longpoll_writer_relax(ngx_http_longpoll_writer_t *writer)
{
    uint64_t                      wake;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = writer->zone->sh;
    wake = 0;

    if (!sh->conf.durable && sh->disk.durable && sh->disk.begun
        && sh->disk.says == NGX_HTTP_LONGPOLL_SAYS_NO)
    {
        (void) ngx_http_longpoll_zone_disk_durable(writer->zone, 0, 1, &wake);
        ngx_http_longpoll_writer_notify(wake);
    }
}


void
ngx_http_longpoll_writer_notify(uint64_t workers)
{
    workers &= ngx_http_longpoll_notify_alive();

    if (workers) {
        ngx_http_longpoll_notify_wake(workers);
    }
}


ngx_int_t
ngx_http_longpoll_writer_memory(ngx_http_longpoll_writer_t *writer, size_t size)
{
    u_char                     *p;
    ngx_http_longpoll_lines_t  *lines;

    lines = &writer->lines;

    if (lines->size >= size) {
        return NGX_OK;
    }

    p = ngx_alloc(size, writer->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (lines->data) {
        ngx_memcpy(p, lines->data, lines->len);
        ngx_free(lines->data);
    }

    lines->data = p;
    lines->size = size;

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_writer_take(ngx_http_longpoll_writer_t *writer,
    ngx_uint_t cursor)
{
    ngx_int_t                   rc;
    ngx_http_longpoll_lines_t  *lines;

    lines = &writer->lines;

    do {
        rc = ngx_http_longpoll_zone_disk_take(writer->zone, cursor, lines);

        if (rc != NGX_DECLINED) {
            return rc;
        }

    } while (ngx_http_longpoll_writer_memory(writer, ngx_max(2 * lines->size,
                                                             lines->wanted))
             == NGX_OK);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_longpoll_writer_losses(ngx_http_longpoll_writer_t *writer)
{
    ngx_int_t                    rc;
    ngx_http_longpoll_losses_t   losses;

    ngx_memzero(&losses, sizeof(ngx_http_longpoll_losses_t));

    do {
        rc = ngx_http_longpoll_zone_disk_losses(writer->zone, &losses,
                                                &writer->lines);
        if (rc == NGX_OK) {
            return NGX_OK;
        }

    } while (ngx_http_longpoll_writer_memory(writer, 2 * writer->lines.size)
             == NGX_OK);

    return NGX_ERROR;
}


void
ngx_http_longpoll_writer_sweep(ngx_http_longpoll_writer_t *writer,
    uint64_t upto)
{
    uint64_t    *numbers;
    ngx_uint_t   i, n;

    if (ngx_http_longpoll_segment_list(&writer->files, &numbers, &n)
        != NGX_OK)
    {
        return;
    }

    if (n && numbers[0] <= upto
        && ngx_http_longpoll_segment_sync_dir(&writer->files) == NGX_OK)
    {
        /* the lowest first: what is left then follows on */

        for (i = 0; i < n && numbers[i] <= upto; i++) {

            if (ngx_http_longpoll_segment_remove(&writer->files,
                                           NGX_HTTP_LONGPOLL_SEGMENT_NUMBER,
                                           numbers[i])
                != NGX_OK)
            {
                break;
            }
        }
    }

    ngx_free(numbers);
}


void
ngx_http_longpoll_writer_close(int *fd)
{
    if (*fd != -1) {
        (void) close(*fd);
        *fd = -1;
    }
}
