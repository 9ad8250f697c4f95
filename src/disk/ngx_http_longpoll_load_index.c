
/*
 * ngx_http_longpoll_load_index.c: what a log says, and where its events stand.
 *
 * Each line is read once.  What heads and notes say is kept; of an event only
 * where it stands, in 32 bytes.
 *
 * Then PATH is sorted by time, if need be; lines of one ms keep their order.
 * Segments are sorted by id, if need be.  A segment that is torn may have a
 * later event and lack an earlier one, which then comes again in the next
 * segment.  Of an event that is there twice the later copy counts.
 *
 * What was read is synced, as nobody may be shown what a power cut can still
 * take.
 */


#include "ngx_http_longpoll_load_index.h"
#include "ngx_http_longpoll_zone_epoch.h"


#define NGX_HTTP_LONGPOLL_LOAD_INDEX_PROGRESS  3000     /* ms */
#define NGX_HTTP_LONGPOLL_LOAD_INDEX_AHEAD     60000    /* ms */
#define NGX_HTTP_LONGPOLL_LOAD_INDEX_FIRST     4096     /* events */

/* a log with more files than that wants a base */

#define NGX_HTTP_LONGPOLL_LOAD_INDEX_FILES     64


static ngx_int_t ngx_http_longpoll_load_index_open(
    ngx_http_longpoll_load_index_t *index);
static ngx_int_t ngx_http_longpoll_load_index_file(
    ngx_http_longpoll_load_index_t *index);
static ngx_int_t ngx_http_longpoll_load_index_line(
    ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_load_bytes_t *bytes);
static ngx_int_t ngx_http_longpoll_load_index_control(
    ngx_http_longpoll_load_index_t *index);
static void ngx_http_longpoll_load_index_head(
    ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_control_t *control);
static void ngx_http_longpoll_load_index_epoch(
    ngx_http_longpoll_load_index_t *index, uint64_t epoch);
static void ngx_http_longpoll_load_index_count(
    ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_load_named_t *named);
static ngx_int_t ngx_http_longpoll_load_index_event(
    ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_load_bytes_t *bytes);
static ngx_uint_t ngx_http_longpoll_load_index_is_news(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_load_event_t *event);
static ngx_int_t ngx_http_longpoll_load_index_moved(
    ngx_http_longpoll_load_index_t *index);
static ngx_int_t ngx_http_longpoll_load_index_push(
    ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_load_bytes_t *bytes, uint64_t key, ngx_uint_t unique);
static void ngx_http_longpoll_load_index_sort_times(
    ngx_http_longpoll_load_index_t *index);
static void ngx_http_longpoll_load_index_sort_ids(
    ngx_http_longpoll_load_index_t *index);
static int ngx_libc_cdecl ngx_http_longpoll_load_index_compare(
    const void *one, const void *two);
static int ngx_libc_cdecl ngx_http_longpoll_load_index_compare_ids(
    const void *one, const void *two);
static void ngx_http_longpoll_load_index_sync(
    ngx_http_longpoll_load_index_t *index);
static void ngx_http_longpoll_load_index_failed(
    ngx_http_longpoll_load_index_t *index, ngx_uint_t level, ngx_err_t err,
    const char *call, uint64_t number);
static ngx_int_t ngx_http_longpoll_load_index_is_log(
    ngx_http_longpoll_load_index_t *index);
static void ngx_http_longpoll_load_index_complain(
    ngx_http_longpoll_load_index_t *index);


/* what is wrong with a line that is skipped, by its kind */

static const char  *ngx_http_longpoll_load_index_reasons[] = {
    "is not an event",
    "is longer than any event of the zone",
    "is an event too large for the zone"
};


ngx_int_t
ngx_http_longpoll_load_index_read(ngx_http_longpoll_load_index_t *index)
{
    ngx_uint_t                       i;
    ngx_http_longpoll_load_file_t   *file;
    ngx_http_longpoll_load_files_t  *files;

    files = &index->files;

    if (ngx_http_longpoll_load_index_open(index) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < files->n; i++) {
        file = &files->files[i];
        index->file = i;

        if (file->number && (!index->head || file->number <= index->base)) {
            continue;
        }

        if (file->fd != -1
            && ngx_http_longpoll_load_index_file(index) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (i == 0 && ngx_http_longpoll_load_index_is_log(index) != NGX_OK) {
            return NGX_ERROR;
        }

        if (i == 0 && !index->merge) {
            ngx_http_longpoll_load_index_sort_times(index);
        }
    }

    ngx_http_longpoll_load_index_sort_ids(index);
    ngx_http_longpoll_load_index_sync(index);
    ngx_http_longpoll_load_index_complain(index);

    return NGX_OK;
}


void
ngx_http_longpoll_load_index_free(ngx_http_longpoll_load_index_t *index)
{
    ngx_http_longpoll_load_file_close(&index->files);
    ngx_http_longpoll_load_scan_free(&index->scan);
    ngx_http_longpoll_load_set_free(&index->set);
    ngx_free(index->places);

    if (index->pool) {
        ngx_destroy_pool(index->pool);
    }
}


static ngx_int_t
ngx_http_longpoll_load_index_open(ngx_http_longpoll_load_index_t *index)
{
    ngx_http_longpoll_zone_t        *z;
    ngx_http_longpoll_load_files_t  *files;

    z = index->zone;
    files = &index->files;

    index->now = ngx_http_longpoll_now();
    index->logged = index->now;
    index->set.log = index->log;

    index->pool = ngx_create_pool(4096, index->log);

    if (index->pool == NULL
        || ngx_http_longpoll_load_scan_init(&index->scan,
                                            ngx_http_longpoll_load_line_max(z),
                                            index->log)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_longpoll_load_file_open(files, z, index->log) != NGX_OK) {
        ngx_http_longpoll_load_index_failed(index, NGX_LOG_EMERG, errno,
                                            "open", files->failed);
        return NGX_ERROR;
    }

    index->stale = (files->n > NGX_HTTP_LONGPOLL_LOAD_INDEX_FILES);

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_load_index_file(ngx_http_longpoll_load_index_t *index)
{
    ngx_int_t                        rc;
    ngx_http_longpoll_load_file_t   *file;
    ngx_http_longpoll_load_bytes_t   bytes;

    file = &index->files.files[index->file];

    ngx_http_longpoll_load_scan_begin(&index->scan, file->fd);

    index->torn = 0;
    index->has_end = 0;

    for ( ;; ) {
        rc = ngx_http_longpoll_load_scan_next(&index->scan, &bytes);

        if (rc == NGX_OK) {
            rc = ngx_http_longpoll_load_index_line(index, &bytes);
        }

        if (rc != NGX_OK) {
            break;
        }
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_longpoll_load_index_failed(index, NGX_LOG_ERR, errno, "read",
                                            file->number);
        index->unread = 1;
    }

    index->bytes += index->scan.pos;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_load_index_line(ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_load_bytes_t *bytes)
{
    ngx_http_longpoll_load_file_t   *file;
    ngx_http_longpoll_load_line_t   *line;
    ngx_http_longpoll_load_named_t   named;

    file = &index->files.files[index->file];
    line = &index->line;

    if (ngx_http_longpoll_load_line_read(line, bytes, file, index->zone,
                                         index->pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    named.kind = line->kind;
    named.file = file->number;
    named.number = bytes->number;

    index->stale |= line->edited;

    if (line->kind == NGX_HTTP_LONGPOLL_LINE_EVENT
        || line->kind == NGX_HTTP_LONGPOLL_LINE_LARGE)
    {
        ngx_http_longpoll_load_index_count(index, &named);
    }

    switch (line->kind) {

    case NGX_HTTP_LONGPOLL_LINE_BLANK:
        index->stale = 1;
        return NGX_OK;

    case NGX_HTTP_LONGPOLL_LINE_TORN:
        index->stale = 1;
        index->torn = 1;
        return NGX_OK;

    case NGX_HTTP_LONGPOLL_LINE_CONTROL:
        return ngx_http_longpoll_load_index_control(index);

    case NGX_HTTP_LONGPOLL_LINE_EVENT:
        return ngx_http_longpoll_load_index_event(index, bytes);

    default: /* skipped */

        if (index->nskipped < NGX_HTTP_LONGPOLL_LOAD_NAMED) {
            index->skipped[index->nskipped] = named;
        }

        index->nskipped++;

        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_longpoll_load_index_control(ngx_http_longpoll_load_index_t *index)
{
    uint64_t                      id, epoch;
    ngx_http_longpoll_control_t  *control;

    control = &index->line.control;

    switch (control->kind) {

    case NGX_HTTP_LONGPOLL_CONTROL_BASE:
    case NGX_HTTP_LONGPOLL_CONTROL_AFTER:
        ngx_http_longpoll_load_index_head(index, control);
        break;

    case NGX_HTTP_LONGPOLL_CONTROL_DELETION:

        if (ngx_http_longpoll_id_read(&control->uuid, &id, &epoch)
            && id >> 63 == 0)
        {
            index->last = ngx_max(index->last, id);
        }

        return ngx_http_longpoll_load_set_delete(&index->set, &control->uuid);

    case NGX_HTTP_LONGPOLL_CONTROL_DROP:
        id = ngx_max(control->upto, control->lost);
        index->last = ngx_max(index->last, id);

        return ngx_http_longpoll_load_set_drop(&index->set, control->name,
                                               control->upto, control->lost);

    case NGX_HTTP_LONGPOLL_CONTROL_REST:
        index->rest = ngx_max(index->rest, control->id);
        break;

    default: /* NGX_HTTP_LONGPOLL_CONTROL_END */

        /* what is behind a torn line never was synced */

        index->has_end = !index->torn;
        index->end_bytes = control->bytes;
    }

    index->last = ngx_max(index->last, control->id);

    return NGX_OK;
}


static void
ngx_http_longpoll_load_index_head(ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_control_t *control)
{
    uint64_t  number;

    number = index->files.files[index->file].number;

    if (control->kind == NGX_HTTP_LONGPOLL_CONTROL_BASE) {
        index->head = 1;
        index->base = control->number;
        index->after = control->number;

    } else if (index->after != number) {

        /*
         * The first line of a segment names the one in front of it.  The base
         * may have replaced that one, and empty ones behind it.
         */

        if (control->number != index->after
            && !(index->after == index->base && control->number < index->base))
        {
            index->gap = 1;
        }

        index->after = number;
    }

    if (!control->durable || !index->torn) {
        index->durable = control->durable;
    }

    index->key[0] = control->key[0];
    index->key[1] = control->key[1];
    index->valid_from = control->valid_from;

    ngx_http_longpoll_load_index_epoch(index, control->epoch);
}


static void
ngx_http_longpoll_load_index_epoch(ngx_http_longpoll_load_index_t *index,
    uint64_t epoch)
{
    ngx_uint_t  i;

    /* an epoch that is known moves to the front; else the last one goes */

    for (i = 0; i < NGX_HTTP_LONGPOLL_LOAD_EPOCHS - 1; i++) {

        if (index->epochs[i] == epoch) {
            break;
        }
    }

    for ( /* void */ ; i; i--) {
        index->epochs[i] = index->epochs[i - 1];
    }

    index->epochs[0] = epoch;
}


static void
ngx_http_longpoll_load_index_count(ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_load_named_t *named)
{
    ngx_http_longpoll_load_event_t  *event;

    event = &index->line.event;

    index->own |= event->own;
    index->last = ngx_max(index->last, event->id);
    index->events_last = ngx_max(index->events_last, event->id);

    index->nevents++;

    if (index->nevents % 65536 == 0) {
        ngx_http_longpoll_load_index_progress(index, "read", index->nevents, 0);
    }

    if (event->ms > index->now + NGX_HTTP_LONGPOLL_LOAD_INDEX_AHEAD
        && index->nahead++ == 0)
    {
        index->ahead = *named;
    }
}


static ngx_int_t
ngx_http_longpoll_load_index_event(ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_load_bytes_t *bytes)
{
    ngx_http_longpoll_load_event_t  *event;

    event = &index->line.event;

    if (index->merge) {

        if (!ngx_http_longpoll_load_index_is_news(index->zone, event)) {
            return ngx_http_longpoll_load_index_moved(index);
        }

        return ngx_http_longpoll_load_index_push(index, bytes, event->id, 1);
    }

    if (index->file) {
        return ngx_http_longpoll_load_index_push(index, bytes, event->id, 1);
    }

    return ngx_http_longpoll_load_index_push(index, bytes, event->ms, 0);
}


/*
 * In a merge, whether the zone lacks the event.  The zone has all events of
 * earlier epochs.  Of an epoch that it knows it has those up to read_upto.  An
 * epoch that it does not know began later: an nginx that ran beside this one
 * took its publishes before it had the log, and this zone has none of them.
 */

static ngx_uint_t
ngx_http_longpoll_load_index_is_news(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_load_event_t *event)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    if (event->id == 0 || event->epoch == sh->epoch) {
        return 0;
    }

    return event->id > sh->disk.read_upto
           || (event->ms >= sh->born && event->id > sh->disk.read_early
               && !ngx_http_longpoll_zone_epoch_known(z, event->epoch));
}


/* in a merge, a message of this zone that the other nginx has elsewhere */

static ngx_int_t
ngx_http_longpoll_load_index_moved(ngx_http_longpoll_load_index_t *index)
{
    uint64_t                         id, epoch, hash[2];
    ngx_http_longpoll_load_event_t  *event;

    event = &index->line.event;

    if (event->id || !event->own || event->epoch != index->zone->sh->epoch) {
        return NGX_OK;
    }

    (void) ngx_http_longpoll_id_read(&event->uuid, &id, &epoch);

    ngx_http_longpoll_hash(hash, index->key, event->cat.name.data,
                           event->cat.name.len);

    return ngx_http_longpoll_load_set_move(&index->set, hash[1], id, event->ms);
}


/* unique: the key must be behind the one before */

static ngx_int_t
ngx_http_longpoll_load_index_push(ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_load_bytes_t *bytes, uint64_t key, ngx_uint_t unique)
{
    ngx_uint_t                       max;
    ngx_http_longpoll_load_place_t  *place;

    if (index->n == index->max) {
        max = index->max ? index->max * 2 : NGX_HTTP_LONGPOLL_LOAD_INDEX_FIRST;

        place = ngx_alloc(max * sizeof(ngx_http_longpoll_load_place_t),
                          index->log);
        if (place == NULL) {
            return NGX_ERROR;
        }

        if (index->n) {
            ngx_memcpy(place, index->places,
                       index->n * sizeof(ngx_http_longpoll_load_place_t));
        }

        ngx_free(index->places);

        index->places = place;
        index->max = max;
    }

    place = &index->places[index->n];

    place->key = key;
    place->pos = bytes->pos;
    place->len = bytes->len;
    place->file = index->file;

    if (index->n > index->from && key < place[-1].key + unique) {
        index->unsorted = 1;
    }

    index->n++;

    return NGX_OK;
}


/* the events of PATH */

static void
ngx_http_longpoll_load_index_sort_times(ngx_http_longpoll_load_index_t *index)
{
    if (index->unsorted) {
        ngx_qsort(index->places, index->n,
                  sizeof(ngx_http_longpoll_load_place_t),
                  ngx_http_longpoll_load_index_compare);
        index->stale = 1;
    }

    index->unsorted = 0;
    index->from = index->n;
}


/* those of segments; in a merge all */

static void
ngx_http_longpoll_load_index_sort_ids(ngx_http_longpoll_load_index_t *index)
{
    ngx_uint_t                       i, n;
    ngx_http_longpoll_load_place_t  *places;

    if (!index->unsorted) {
        return;
    }

    places = index->places + index->from;
    n = 0;

    ngx_qsort(places, index->n - index->from,
              sizeof(ngx_http_longpoll_load_place_t),
              ngx_http_longpoll_load_index_compare_ids);

    for (i = 0; i < index->n - index->from; i++) {

        if (n == 0 || places[i].key != places[n - 1].key) {
            places[n++] = places[i];
        }
    }

    index->n = index->from + n;
}


static int ngx_libc_cdecl
ngx_http_longpoll_load_index_compare(const void *one, const void *two)
{
    const ngx_http_longpoll_load_place_t  *first = one, *second = two;

    if (first->key != second->key) {
        return first->key < second->key ? -1 : 1;
    }

    return first->pos < second->pos ? -1 : 1;
}


/* of the copies of an event the last one comes first */

static int ngx_libc_cdecl
ngx_http_longpoll_load_index_compare_ids(const void *one, const void *two)
{
    const ngx_http_longpoll_load_place_t  *first = one, *second = two;

    if (first->key != second->key) {
        return first->key < second->key ? -1 : 1;
    }

    if (first->file != second->file) {
        return first->file > second->file ? -1 : 1;
    }

    return first->pos > second->pos ? -1 : 1;
}


static void
ngx_http_longpoll_load_index_sync(ngx_http_longpoll_load_index_t *index)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_load_file_t  *file;

    for (i = 0; i < index->files.n; i++) {
        file = &index->files.files[i];

        if (file->fd == -1 || (file->number && file->number <= index->base)) {
            continue;
        }

        if (ngx_http_longpoll_segment_sync(file->fd) != NGX_OK) {
            ngx_http_longpoll_load_index_failed(index, NGX_LOG_ERR, errno,
                                                "fdatasync", file->number);
            index->unread = 1;
        }
    }

    if (ngx_http_longpoll_segment_sync_dir(&index->files.path) != NGX_OK) {
        ngx_http_longpoll_load_index_failed(index, NGX_LOG_ERR, errno,
                                            "fsync of the directory", 0);
        index->unread = 1;
    }
}


static void
ngx_http_longpoll_load_index_failed(ngx_http_longpoll_load_index_t *index,
    ngx_uint_t level, ngx_err_t err, const char *call, uint64_t number)
{
    u_char                     suffix[NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX];
    ngx_http_longpoll_zone_t  *z;

    z = index->zone;

    ngx_http_longpoll_load_file_suffix(suffix, number);

    ngx_log_error(level, index->log, err,
                  "longpoll zone \"%V\": %s failed, file \"%V%s\"",
                  &z->name, call, &z->persist, suffix);

    errno = err;
}


/*
 * A base would replace PATH.  So PATH must be a log, or have events of some
 * program.
 */

static ngx_int_t
ngx_http_longpoll_load_index_is_log(ngx_http_longpoll_load_index_t *index)
{
    ngx_http_longpoll_zone_t  *z;

    if (index->head || index->nevents || index->merge
        || (index->nskipped == 0 && !index->torn))
    {
        return NGX_OK;
    }

    z = index->zone;

    ngx_log_error(NGX_LOG_EMERG, index->log, 0,
                  "longpoll zone \"%V\": \"%V\" is no file of events, none of "
                  "its lines is one; move it away, or name another file",
                  &z->name, &z->persist);

    return NGX_ERROR;
}


/* names the lines that are skipped, or of a time to come */

static void
ngx_http_longpoll_load_index_complain(ngx_http_longpoll_load_index_t *index)
{
    u_char                           suffix[NGX_HTTP_LONGPOLL_SEGMENT_SUFFIX];
    ngx_uint_t                       i, n, reason;
    ngx_http_longpoll_zone_t        *z;
    ngx_http_longpoll_load_named_t  *line;

    z = index->zone;
    n = ngx_min(index->nskipped, NGX_HTTP_LONGPOLL_LOAD_NAMED);

    for (i = 0; i < n; i++) {
        line = &index->skipped[i];

        reason = line->kind - NGX_HTTP_LONGPOLL_LINE_FOREIGN;

        ngx_http_longpoll_load_file_suffix(suffix, line->file);

        ngx_log_error(NGX_LOG_ERR, index->log, 0,
                      "longpoll zone \"%V\": \"%V%s\" line %uL %s, "
                      "skipping it",
                      &z->name, &z->persist, suffix, line->number,
                      ngx_http_longpoll_load_index_reasons[reason]);
    }

    if (index->nskipped > n) {
        ngx_log_error(NGX_LOG_ERR, index->log, 0,
                      "longpoll zone \"%V\": %ui more lines are skipped",
                      &z->name, index->nskipped - n);
    }

    if (index->nahead) {
        ngx_http_longpoll_load_file_suffix(suffix, index->ahead.file);

        ngx_log_error(NGX_LOG_WARN, index->log, 0,
                      "longpoll zone \"%V\": \"%V%s\" line %uL is the first of "
                      "%ui events that are ahead of the clock", &z->name,
                      &z->persist, suffix, index->ahead.number, index->nahead);
    }

    if (!index->head && index->files.n > 1) {
        ngx_log_error(NGX_LOG_ERR, index->log, 0,
                      "longpoll zone \"%V\": \"%V\" does not say which "
                      "segments are behind it, they are not read",
                      &z->name, &z->persist);
    }
}


ngx_int_t
ngx_http_longpoll_load_index_reread(ngx_http_longpoll_load_index_t *index,
    ngx_http_longpoll_load_place_t *place)
{
    u_char                          *p;
    size_t                           len;
    ngx_http_longpoll_load_line_t   *line;

    line = &index->line;
    len = place->len;

    p = ngx_http_longpoll_load_scan_reread(&index->scan,
                                          index->files.files[place->file].fd,
                                          place->pos, len);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    if (place->pos == 0 && ngx_memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        p += 3;
        len -= 3;
    }

    if (ngx_http_longpoll_load_line_event(line, p, len, index->zone,
                                          index->pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return line->kind == NGX_HTTP_LONGPOLL_LINE_EVENT ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_longpoll_load_index_progress(ngx_http_longpoll_load_index_t *index,
    const char *what, ngx_uint_t n, ngx_uint_t of)
{
    uint64_t                   now;
    ngx_http_longpoll_zone_t  *z;

    z = index->zone;
    now = ngx_http_longpoll_now();

    if (now - index->logged < NGX_HTTP_LONGPOLL_LOAD_INDEX_PROGRESS) {
        return;
    }

    index->logged = now;

    if (of) {
        ngx_log_error(NGX_LOG_NOTICE, index->log, 0,
                      "longpoll zone \"%V\": %s %ui of %ui events",
                      &z->name, what, n, of);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, index->log, 0,
                  "longpoll zone \"%V\": %s %ui events", &z->name, what, n);
}
