
/*
 * ngx_http_longpoll_zone_read_client.c: a read for a client, whose cursor the
 * zone keeps (ngx_http_longpoll_client.h).
 *
 *     begin  looks up the client in each hold: another poll of the same
 *            client may have moved the cursor, and then the read starts anew
 *     lost   the client's next message was dropped, and so is the client
 *     wait   the client waits in the worker
 *     end    the client has polled; it is idle if no other poll of it waits
 *     copy   copies the one message in the same hold in which the cursor moves
 *            to it, so that no other poll of the client gets it
 *
 * All of it runs under the zone's lock.
 */


#include "ngx_http_longpoll_zone_read_client.h"
#include "ngx_http_longpoll_zone_client.h"


static ngx_int_t ngx_http_longpoll_zone_read_client_begin(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_reader_t *reader);
static void ngx_http_longpoll_zone_read_client_lost(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_reader_t *reader);
static void ngx_http_longpoll_zone_read_client_wait(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_reader_t *reader);
static void ngx_http_longpoll_zone_read_client_end(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_reader_t *reader);
static ngx_int_t ngx_http_longpoll_zone_read_client_copy(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_reader_t *reader);


ngx_http_longpoll_zone_source_t  ngx_http_longpoll_zone_read_client_source = {
    1,                                              /* max */
    ngx_http_longpoll_zone_read_client_begin,
    ngx_http_longpoll_zone_read_client_lost,
    ngx_http_longpoll_zone_read_client_wait,
    ngx_http_longpoll_zone_read_client_end,
    ngx_http_longpoll_zone_read_client_copy
};


static ngx_int_t
ngx_http_longpoll_zone_read_client_begin(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    ngx_http_longpoll_read_t  *rd;

    rd = reader->rd;

    rd->nmsgs = 0;
    rd->missed = 0;
    rd->cursor.fresh = 0;
    rd->cursor.lost = 0;
    rd->cursor.beginning = 0;

    reader->entry = ngx_http_longpoll_zone_client_find(z, rd->client,
                                                       reader->now);

    if (reader->entry == NULL) {
        return NGX_DONE;
    }

    if (rd->cursor.id != reader->entry->seen) {
        rd->cursor.id = reader->entry->seen;
        reader->started = 0;
    }

    return NGX_OK;
}


static void
ngx_http_longpoll_zone_read_client_lost(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    if (reader->rd->mode != NGX_HTTP_LONGPOLL_READ_PEEK) {
        ngx_http_longpoll_client_drop(&z->clients, reader->entry);
    }
}


static void
ngx_http_longpoll_zone_read_client_wait(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    ngx_uint_t                      worker;
    ngx_http_longpoll_client_sh_t  *entry;

    worker = reader->rd->worker;
    entry = reader->entry;

    /* a worker without a number has no bit */

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER) {
        ngx_http_longpoll_zone_read_client_end(z, reader);
        return;
    }

    ngx_http_longpoll_client_wait(&z->clients, entry,
                                  entry->waiting
                                  | ngx_http_longpoll_zone_bit(worker),
                                  reader->now);
}


/* the client was here: if it is idle, it becomes the one idle for the least */

static void
ngx_http_longpoll_zone_read_client_end(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    ngx_http_longpoll_client_sh_t  *entry;

    entry = reader->entry;

    if (reader->rd->mode != NGX_HTTP_LONGPOLL_READ_PEEK) {
        ngx_http_longpoll_client_move(&z->clients, entry, entry->seen,
                                      reader->now);
    }
}


static ngx_int_t
ngx_http_longpoll_zone_read_client_copy(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_reader_t *reader)
{
    ngx_http_longpoll_msg_t           *msg;
    ngx_http_longpoll_read_t          *rd;
    ngx_http_longpoll_zone_scratch_t  *scratch;

    rd = reader->rd;
    scratch = &ngx_http_longpoll_zone_scratch;
    msg = &scratch->msgs[0];

    if (msg->id == rd->have) {
        msg->data.len = 0;
    }

    if (msg->data.len > scratch->size) {
        scratch->wanted = msg->data.len;
        reader->started = 0;
        return NGX_DECLINED;
    }

    if (rd->mode != NGX_HTTP_LONGPOLL_READ_PEEK) {

        if (reader->take) {
            ngx_http_longpoll_zone_reader_take(z, reader);
        }

        ngx_http_longpoll_client_move(&z->clients, reader->entry, msg->id,
                                      reader->now);
    }

    ngx_memcpy(scratch->copy, msg->data.data, msg->data.len);
    msg->data.data = scratch->copy;

    scratch->copied = 1;

    return NGX_OK;
}
