
/*
 * ngx_http_longpoll_load.c: fills a zone from its log.
 *
 *     index     what the log says, and where its events stand (load_index)
 *     place     each event into the zone, but for those that are gone
 *     losses    what categories lost
 *
 * A load comes before the first request.  Cursors of earlier epochs are valid
 * if the log is believed, that is, if all that readers saw is in it:
 *
 *     durable:1    is said last: whatever happened then, the log has it all
 *     end          is the last line of all, and no byte is missing
 *     no head      golongpoll wrote PATH
 *
 * A merge reads the same files, and takes what another nginx published.  An
 * event that cannot have its own place any more stands behind all (moved).
 */


#include "ngx_http_longpoll_load.h"
#include "ngx_http_longpoll_load_index.h"
#include "ngx_http_longpoll_string.h"
#include "ngx_http_longpoll_zone.h"
#include "ngx_http_longpoll_zone_load.h"


static void ngx_http_longpoll_load_begin(ngx_http_longpoll_load_index_t *index);
static void ngx_http_longpoll_load_found(ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_loaded_t *loaded);
static ngx_uint_t ngx_http_longpoll_load_is_believed(
    ngx_http_longpoll_load_index_t *index);
static ngx_int_t ngx_http_longpoll_load_events(
    ngx_http_longpoll_load_index_t *index, ngx_http_longpoll_loaded_t *loaded,
    uint64_t *wake);
static ngx_int_t ngx_http_longpoll_load_event(
    ngx_http_longpoll_load_index_t *index, ngx_http_longpoll_loaded_t *loaded,
    uint64_t *wake);
static ngx_uint_t ngx_http_longpoll_load_is_foreign(
    ngx_http_longpoll_load_index_t *index);
static ngx_uint_t ngx_http_longpoll_load_is_dropped(
    ngx_http_longpoll_load_index_t *index);
static void ngx_http_longpoll_load_normalize(ngx_str_t *data);
static void ngx_http_longpoll_load_losses(
    ngx_http_longpoll_load_index_t *index);
static ngx_uint_t ngx_http_longpoll_load_merge_losses(
    ngx_http_longpoll_load_index_t *index);
static ngx_uint_t ngx_http_longpoll_load_is_deleted(void *data,
    ngx_http_longpoll_uuid_t *uuid);


ngx_int_t
ngx_http_longpoll_load(ngx_http_longpoll_zone_t *z, ngx_uint_t barred,
    ngx_log_t *log)
{
    uint64_t                         wake;
    ngx_int_t                        rc;
    ngx_http_longpoll_loaded_t       loaded;
    ngx_http_longpoll_load_index_t   index;

    ngx_memzero(&index, sizeof(ngx_http_longpoll_load_index_t));

    index.zone = z;
    index.log = log;
    wake = 0;

    rc = ngx_http_longpoll_load_index_read(&index);

    if (rc == NGX_OK) {
        ngx_http_longpoll_load_begin(&index);
        ngx_http_longpoll_load_found(&index, &loaded);
        loaded.barred = barred;

        rc = ngx_http_longpoll_load_events(&index, &loaded, &wake);
    }

    if (rc == NGX_OK) {
        ngx_http_longpoll_load_losses(&index);
        ngx_http_longpoll_zone_load_done(z, &loaded);
    }

    ngx_http_longpoll_load_index_free(&index);

    return rc;
}


ngx_int_t
ngx_http_longpoll_load_merge(ngx_http_longpoll_zone_t *z, uint64_t *wake,
    ngx_log_t *log)
{
    ngx_int_t                        rc;
    ngx_http_longpoll_loaded_t       loaded;
    ngx_http_longpoll_load_index_t   index;

    ngx_memzero(&index, sizeof(ngx_http_longpoll_load_index_t));

    index.zone = z;
    index.log = log;
    index.merge = 1;

    rc = ngx_http_longpoll_load_index_read(&index);

    if (rc == NGX_OK) {
        ngx_http_longpoll_load_found(&index, &loaded);

        /* losses come first: a reader must not pass them unseen */

        loaded.moved = ngx_http_longpoll_load_merge_losses(&index);

        rc = ngx_http_longpoll_load_events(&index, &loaded, wake);
    }

    if (rc == NGX_OK
        && ngx_http_longpoll_zone_load_merged(z, &loaded) == NGX_DECLINED)
    {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "longpoll zone \"%V\": another nginx had its file, polls "
                      "may have missed events", &z->name);
    }

    ngx_http_longpoll_load_index_free(&index);

    return rc;
}


/* what the zone must know before the first event is placed */

static void
ngx_http_longpoll_load_begin(ngx_http_longpoll_load_index_t *index)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = index->zone->sh;

    /* messages are loaded with their own ids, which are older */

    sh->clock.last_id = 0;

    if (index->head) {
        sh->key[0] = index->key[0];
        sh->key[1] = index->key[1];

        /* the zone's order has the ids of these epochs, loaded or not */

        ngx_memcpy(&sh->epochs[1], index->epochs, sizeof(index->epochs));
    }
}


static void
ngx_http_longpoll_load_found(ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_loaded_t *loaded)
{
    uint64_t                         size, node;
    ngx_http_longpoll_load_files_t  *files;

    files = &index->files;

    ngx_memzero(loaded, sizeof(ngx_http_longpoll_loaded_t));

    loaded->now = index->now;
    loaded->last = index->last;
    loaded->events_last = index->events_last;
    loaded->valid_from = index->valid_from;
    loaded->segment = files->files[files->n - 1].number;
    loaded->after = index->after;
    loaded->node = files->node;
    loaded->head = index->head;

    /* a gap would be one at the next start, too */

    loaded->stale = index->stale || index->gap || index->unread;
    loaded->skipped = index->nskipped;
    loaded->restored = (ngx_http_longpoll_segment_stat(&files->path,
                                            NGX_HTTP_LONGPOLL_SEGMENT_RESTORED,
                                            0, &size, &node)
                        == NGX_OK);

    loaded->believed = !loaded->restored
                       && ngx_http_longpoll_load_is_believed(index);
}


static ngx_uint_t
ngx_http_longpoll_load_is_believed(ngx_http_longpoll_load_index_t *index)
{
    if (index->unread || index->gap) {
        return 0;
    }

    if (index->head) {
        return index->durable
               || (index->has_end && index->end_bytes == index->bytes
                   && index->nskipped == 0);
    }

    return index->nevents && !index->own && index->nskipped == 0;
}


static ngx_int_t
ngx_http_longpoll_load_events(ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_loaded_t *loaded, uint64_t *wake)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i, n;
    ngx_http_longpoll_zone_t  *z;

    z = index->zone;
    n = 0;

    for (i = 0; i < index->n; i++) {
        rc = ngx_http_longpoll_load_index_reread(index, &index->places[i]);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {

            /* it was an event a moment ago */

            loaded->believed = 0;
            continue;
        }

        rc = ngx_http_longpoll_load_event(index, loaded, wake);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        n += (rc == NGX_OK);

        if (i % 65536 == 65535) {
            ngx_http_longpoll_load_index_progress(index, "loaded", i + 1,
                                                  index->n);
        }
    }

    if (index->files.node) {
        ngx_log_error(NGX_LOG_NOTICE, index->log, 0,
                      "longpoll zone \"%V\": loaded %ui of %ui events from "
                      "\"%V\"", &z->name, n, index->nevents, &z->persist);
    }

    return NGX_OK;
}


/* NGX_OK; NGX_DECLINED: it is not placed; NGX_ERROR: no memory */

static ngx_int_t
ngx_http_longpoll_load_event(ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_loaded_t *loaded, uint64_t *wake)
{
    const uint64_t                  *key;
    ngx_http_longpoll_msg_t          msg;
    ngx_http_longpoll_zone_t        *z;
    ngx_http_longpoll_load_event_t  *event;

    z = index->zone;
    event = &index->line.event;

    ngx_http_longpoll_zone_hash(z, &event->cat);

    if (ngx_http_longpoll_load_set_is_deleted(&index->set, &event->uuid)
        || ngx_http_longpoll_load_is_dropped(index))
    {
        return NGX_DECLINED;
    }

    ngx_http_longpoll_load_normalize(&event->data);

    msg.id = event->id ? event->id : ngx_http_longpoll_id(event->ms, 0);
    msg.uuid = event->uuid;
    msg.data = event->data;

    if (msg.uuid.high == 0) {

        /* golongpoll before 1.2 */

        ngx_http_longpoll_id_uuid(&msg.uuid,
                                  ngx_max(msg.id, z->sh->clock.last_id + 1),
                                  z->sh->epoch);
    }

    key = event->key[0] && !ngx_http_longpoll_load_is_foreign(index)
          ? event->key : NULL;

    if (ngx_http_longpoll_zone_load(z, &event->cat, &msg, key, index->now, wake)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, index->log, 0,
                      "longpoll zone \"%V\": an event of \"%V\" is too large "
                      "for it", &z->name, &z->persist);
        loaded->believed = 0;
        return NGX_DECLINED;
    }

    if (index->merge && msg.id != event->id) {
        loaded->moved = 1;
    }

    return NGX_OK;
}


/*
 * Whether the log's hashes mean nothing here.  In a load there is no head.  In
 * a merge both nginxes began without a log, and hash with keys of their own.
 */

static ngx_uint_t
ngx_http_longpoll_load_is_foreign(ngx_http_longpoll_load_index_t *index)
{
    uint64_t  *key;

    key = index->zone->sh->key;

    return index->key[0] != key[0] || index->key[1] != key[1];
}


/* whether the event's category was dropped up to it */

static ngx_uint_t
ngx_http_longpoll_load_is_dropped(ngx_http_longpoll_load_index_t *index)
{
    uint64_t                         hash[2];
    ngx_http_longpoll_load_event_t  *event;
    ngx_http_longpoll_load_entry_t  *entry;

    event = &index->line.event;

    if (index->set.size == 0) {
        return 0;
    }

    ngx_http_longpoll_hash(hash, index->key, event->cat.name.data,
                           event->cat.name.len);

    entry = ngx_http_longpoll_load_set_dropped(&index->set, hash[1]);

    if (entry == NULL) {
        return 0;
    }

    return ngx_http_longpoll_load_set_is_dropped(entry, event->id, event->ms);
}


/* the line may be of another program, and has never been published */

static void
ngx_http_longpoll_load_normalize(ngx_str_t *data)
{
    u_char  *p, *last;

    last = data->data + data->len;

    ngx_http_longpoll_string_replace(data->data, last);

    for (p = data->data; (p = memchr(p, CR, last - p)) != NULL; p++) {
        *p = ' ';
    }
}


/* what categories lost, as the log says */

static void
ngx_http_longpoll_load_losses(ngx_http_longpoll_load_index_t *index)
{
    ngx_uint_t                       i;
    ngx_http_longpoll_load_entry_t  *entry;

    for (i = 0; i < index->set.size; i++) {
        entry = &index->set.entries[i];

        if (ngx_http_longpoll_load_set_is_category(entry) && entry->lost) {
            ngx_http_longpoll_zone_load_lost(index->zone, entry->uuid.low,
                                             entry->lost, 1);
        }
    }

    if (index->rest) {
        ngx_http_longpoll_zone_load_rest(index->zone, index->rest);
    }
}


/*
 * What the other nginx deleted and lost.  Returns whether a reader here may be
 * behind a loss, as it has a cursor that was made here since then.
 */

static ngx_uint_t
ngx_http_longpoll_load_merge_losses(ngx_http_longpoll_load_index_t *index)
{
    uint64_t                         lost, rest, upto, read;
    ngx_uint_t                       i, moved;
    ngx_http_longpoll_zone_t        *z;
    ngx_http_longpoll_load_entry_t  *entry;

    z = index->zone;
    rest = index->rest;
    read = z->sh->disk.read_upto;
    moved = 0;

    if (index->set.n) {
        ngx_http_longpoll_zone_load_delete(z, ngx_http_longpoll_load_is_deleted,
                                         &index->set);
    }

    ngx_http_longpoll_load_set_spare(&index->set);

    for (i = 0; i < index->set.size; i++) {
        entry = &index->set.entries[i];
        lost = entry->lost;

        if (!ngx_http_longpoll_load_set_is_category(entry)) {
            continue;
        }

        if (ngx_http_longpoll_load_is_foreign(index)) {
            rest = ngx_max(rest, lost);
            continue;
        }

        /* what the other nginx has in a later place it had not seen then */

        upto = entry->upto;

        if (entry->spared) {
            upto = ngx_min(upto, entry->spared - 1);
            lost = ngx_min(lost, entry->spared - 1);
        }

        lost = ngx_http_longpoll_zone_load_drop(z, entry->uuid.low, upto, lost);
        if (lost) {
            ngx_http_longpoll_zone_load_lost(z, entry->uuid.low, lost, 0);
        }

        moved |= (entry->lost > read
                  && entry->lost <= z->sh->clock.last_id);
    }

    if (rest) {
        ngx_http_longpoll_zone_load_rest(z, rest);
        moved |= (rest > read);
    }

    return moved;
}


static ngx_uint_t
ngx_http_longpoll_load_is_deleted(void *data, ngx_http_longpoll_uuid_t *uuid)
{
    return ngx_http_longpoll_load_set_is_deleted(data, uuid);
}
