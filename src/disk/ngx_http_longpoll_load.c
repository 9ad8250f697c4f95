
/*
 * ngx_http_longpoll_load.c: fills a zone from its log.
 *
 *     read      each line once.  What heads and notes say is kept; of an event
 *               only where it and its members stand, in 64 bytes
 *     sort      PATH by time, if need be; lines of one ms keep their order.
 *               Segments by id, if need be: a torn one may have a later event
 *               and lack an earlier one, which comes again in the next one.  Of
 *               an event that is there twice the later copy counts
 *     place     each event into the zone, but for those that are gone: notes
 *               hold for every event, wherever they stand.  yajl reads its
 *               line again only if a byte of it has changed meanwhile
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
#include "ngx_http_longpoll_load_file.h"
#include "ngx_http_longpoll_string.h"
#include "ngx_http_longpoll_zone.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_load.h"
#include "ngx_http_longpoll_zone_presence.h"


#define NGX_HTTP_LONGPOLL_LOAD_AHEAD     60000      /* ms */

#define NGX_HTTP_LONGPOLL_LOAD_NAMED     100        /* skipped lines, at most */
#define NGX_HTTP_LONGPOLL_LOAD_EPOCHS    8          /* of heads, at most */
#define NGX_HTTP_LONGPOLL_LOAD_FILES     64         /* more want a base */

/* in the key of a place: it is an id, and not a time */

#define NGX_HTTP_LONGPOLL_LOAD_BY_ID     (1ULL << 63)


/* where a line stands */

typedef struct {
    uint64_t                         key;       /* of the order; or its number,
                                                   if it is named */
    uint64_t                         n;         /* of lines with the same key */
    uint64_t                         pos;
    uint32_t                         file;      /* index */
    ngx_http_longpoll_line_e         kind;
    ngx_http_longpoll_load_spans_t   spans;
} ngx_http_longpoll_load_place_t;


/*
 * What the log says of a message that is gone; or of a category, which has 0
 * and hash[1] as UUID.  No UUID begins with eight zeros: such a one is no id.
 */

typedef struct {
    ngx_http_longpoll_uuid_t         uuid;
    uint64_t                         upto;      /* ids */
    uint64_t                         lost;
    uint64_t                         end;       /* in a merge both hold up to
                                                   here: what is behind has a
                                                   later place */
} ngx_http_longpoll_load_note_t;


typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_log_t                       *log;
    ngx_uint_t                       merge;     /* only events that the zone
                                                   lacks are wanted */

    ngx_http_longpoll_load_files_t   files;
    ngx_http_longpoll_loaded_t       loaded;

    ngx_array_t                      places;    /* of events, in the order in
                                                   which they come */
    ngx_array_t                      named;     /* of lines that are skipped */
    ngx_array_t                      notes;     /* one for each UUID, sorted */
    ngx_array_t                      moved;     /* in a merge, messages of this
                                                   zone that the other nginx
                                                   has elsewhere: category, id
                                                   (upto), and new ms (lost) */

    uint64_t                         base;      /* number of PATH's head */
    uint64_t                         key[2];    /* of the last head */
    uint64_t                         rest;      /* id */
    uint64_t                         bytes;     /* of the files */
    uint64_t                         end_bytes; /* as an END of the last file
                                                   says */
    uint64_t                         wake;      /* a set of workers */
    ngx_uint_t                       events;

    ngx_uint_t                       ahead;     /* events ahead of the clock */
    ngx_http_longpoll_load_file_t   *ahead_file;    /* of the first */
    uint64_t                         ahead_line;

    unsigned                         durable:1; /* as the last head says */
    unsigned                         unsorted:1;
    unsigned                         torn:1;    /* a line of the file is */
    unsigned                         own:1;     /* some UUIDs have version 7 */
    unsigned                         broken:1;  /* a segment is not there, or
                                                   not all could be read, or
                                                   synced */
} ngx_http_longpoll_load_t;


static ngx_int_t ngx_http_longpoll_load_read(ngx_http_longpoll_load_t *load);
static ngx_int_t ngx_http_longpoll_load_file(ngx_http_longpoll_load_t *load,
    ngx_uint_t i);
static ngx_int_t ngx_http_longpoll_load_line(ngx_http_longpoll_load_t *load);
static ngx_int_t ngx_http_longpoll_load_control(ngx_http_longpoll_load_t *load);
static void ngx_http_longpoll_load_head(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_control_t *control);
static ngx_int_t ngx_http_longpoll_load_note(ngx_array_t *notes, uint64_t high,
    uint64_t low, uint64_t upto, uint64_t lost);
static ngx_int_t ngx_http_longpoll_load_event(ngx_http_longpoll_load_t *load);
static ngx_uint_t ngx_http_longpoll_load_is_news(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_load_event_t *event);
static ngx_int_t ngx_http_longpoll_load_push(ngx_http_longpoll_load_t *load,
    ngx_array_t *places, uint64_t key);
static void ngx_http_longpoll_load_complain(ngx_http_longpoll_load_t *load);
static void ngx_http_longpoll_load_found(ngx_http_longpoll_load_t *load);
static void ngx_http_longpoll_load_sort(ngx_http_longpoll_load_t *load);
static int ngx_libc_cdecl ngx_http_longpoll_load_compare(const void *one,
    const void *two);
static ngx_int_t ngx_http_longpoll_load_events(ngx_http_longpoll_load_t *load);
static ngx_uint_t ngx_http_longpoll_load_place(ngx_http_longpoll_load_t *load);
static uint64_t ngx_http_longpoll_load_name(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_load_event_t *event);
static ngx_http_longpoll_load_note_t *ngx_http_longpoll_load_find(
    ngx_http_longpoll_load_t *load, uint64_t high, uint64_t low);
static ngx_uint_t ngx_http_longpoll_load_is_dropped(
    ngx_http_longpoll_load_t *load, uint64_t name, uint64_t id, uint64_t ms);
static void ngx_http_longpoll_load_losses(ngx_http_longpoll_load_t *load);
static ngx_int_t ngx_http_longpoll_load_forgets(void *data, uint64_t name,
    uint64_t id, ngx_http_longpoll_uuid_t *uuid, ngx_uint_t own);
static void ngx_http_longpoll_load_failed(ngx_http_longpoll_load_t *load,
    ngx_uint_t level, const char *call, ngx_http_longpoll_load_file_t *file);
static ngx_int_t ngx_http_longpoll_load_skipped_copy(
    ngx_http_longpoll_load_files_t *files, int *fd);


#define ngx_http_longpoll_load_is_deleted(load, uuid)                         \
    ((uuid)->high                                                             \
     && ngx_http_longpoll_load_find(load, (uuid)->high, (uuid)->low))

#define ngx_http_longpoll_load_is_foreign(load)                               \
    (ngx_memcmp((load)->key, (load)->zone->sh->key, sizeof((load)->key)) != 0)


/* what is wrong with a line that is skipped, by its kind */

static const char  *ngx_http_longpoll_load_reasons[] = {
    "is not an event",
    "is longer than any event of the zone",
    "is an event too large for the zone"
};


ngx_int_t
ngx_http_longpoll_load(ngx_http_longpoll_zone_t *z, ngx_uint_t barred,
    uint64_t *wake, ngx_log_t *log)
{
    ngx_int_t                  rc;
    ngx_http_longpoll_load_t   load;

    ngx_memzero(&load, sizeof(ngx_http_longpoll_load_t));

    load.zone = z;
    load.log = log;
    load.merge = (wake != NULL);
    load.loaded.barred = barred;

    if (!load.merge) {

        /* messages are loaded with their own ids, which are older */

        z->sh->clock.last_id = 0;
    }

    rc = ngx_http_longpoll_load_read(&load);

    /* in a merge losses come first: a reader must not pass them unseen */

    if (rc == NGX_OK && load.merge) {
        ngx_http_longpoll_load_losses(&load);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_load_events(&load);
    }

    if (rc == NGX_OK && !load.merge) {
        ngx_http_longpoll_load_losses(&load);
        ngx_http_longpoll_zone_load_done(z, &load.loaded);

    } else if (rc == NGX_OK
               && ngx_http_longpoll_zone_load_merged(z, &load.loaded)
                  == NGX_DECLINED)
    {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "longpoll zone \"%V\": another nginx had its file, polls "
                      "may have missed events", &z->name);
    }

    ngx_http_longpoll_load_file_close(&load.files);

    if (wake) {
        *wake |= load.wake;
    }

    return rc;
}


/* reads and syncs all files; NGX_OK, or NGX_ERROR, which is logged */

static ngx_int_t
ngx_http_longpoll_load_read(ngx_http_longpoll_load_t *load)
{
    ngx_uint_t                       i;
    ngx_http_longpoll_load_file_t   *file;
    ngx_http_longpoll_load_files_t  *files;

    files = &load->files;

    load->loaded.now = ngx_http_longpoll_now();

    if (ngx_http_longpoll_load_file_open(files, load->zone, load->log)
        != NGX_OK)
    {
        ngx_http_longpoll_load_failed(load, NGX_LOG_EMERG, "open", files->file);
        return NGX_ERROR;
    }

    if (ngx_array_init(&load->places, files->pool, 4096,
                       sizeof(ngx_http_longpoll_load_place_t))
        != NGX_OK
        || ngx_array_init(&load->named, files->pool, 8,
                          sizeof(ngx_http_longpoll_load_place_t))
           != NGX_OK
        || ngx_array_init(&load->notes, files->pool, 64,
                          sizeof(ngx_http_longpoll_load_note_t))
           != NGX_OK
        || ngx_array_init(&load->moved, files->pool, 8,
                          sizeof(ngx_http_longpoll_load_note_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    file = files->files.elts;

    for (i = 0; i < files->files.nelts; i++) {

        if (file[i].fd != -1
            && (i == 0 || (file->head && file[i].number > file->names))
            && ngx_http_longpoll_load_file(load, i) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (fsync(load->zone->dir) == -1) {
        ngx_http_longpoll_load_failed(load, NGX_LOG_ERR,
                                      "fsync of the directory", file);
    }

    load->loaded.segment = file[i - 1].number;

    ngx_http_longpoll_load_found(load);
    ngx_http_longpoll_load_complain(load);
    ngx_http_longpoll_load_sort(load);

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_load_file(ngx_http_longpoll_load_t *load, ngx_uint_t i)
{
    ngx_int_t                        rc;
    ngx_http_longpoll_load_files_t  *files;

    files = &load->files;

    load->torn = 0;
    load->end_bytes = 0;

    ngx_http_longpoll_load_file_seek(files, i, 0);

    do {
        rc = ngx_http_longpoll_load_file_read(files);

        if (rc == NGX_OK) {
            rc = ngx_http_longpoll_load_line(load);
        }

    } while (rc == NGX_OK);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_longpoll_load_failed(load, NGX_LOG_ERR, "read", files->file);
    }

    load->bytes += files->pos;

    /* nobody may be shown what a power cut can still take */

    if (fdatasync(files->file->fd) == -1) {
        ngx_http_longpoll_load_failed(load, NGX_LOG_ERR, "fdatasync",
                                      files->file);
    }

    /* a base would replace PATH, which must be a log, or have events */

    if (load->loaded.head || load->events || load->merge
        || (load->loaded.skipped == 0 && !load->torn))
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, load->log, 0,
                  "longpoll zone \"%V\": \"%V\" is no file of events, none of "
                  "its lines is one; move it away, or name another file",
                  &load->zone->name, &load->zone->persist);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_longpoll_load_line(ngx_http_longpoll_load_t *load)
{
    ngx_http_longpoll_loaded_t      *loaded;
    ngx_http_longpoll_load_line_t   *line;
    ngx_http_longpoll_load_event_t  *event;

    loaded = &load->loaded;
    line = &load->files.line;
    event = &line->event;

    loaded->stale |= line->edited;
    load->torn |= (line->kind == NGX_HTTP_LONGPOLL_LINE_TORN);

    if (line->kind == NGX_HTTP_LONGPOLL_LINE_CONTROL) {
        return ngx_http_longpoll_load_control(load);
    }

    if (line->kind == NGX_HTTP_LONGPOLL_LINE_EVENT
        || line->kind == NGX_HTTP_LONGPOLL_LINE_LARGE)
    {
        load->own |= event->own;

        loaded->last = ngx_max(loaded->last, event->msg.id);
        loaded->events_last = ngx_max(loaded->events_last, event->msg.id);

        load->events++;

        if (event->ms > loaded->now + NGX_HTTP_LONGPOLL_LOAD_AHEAD
            && load->ahead++ == 0)
        {
            load->ahead_file = load->files.file;
            load->ahead_line = line->number;
        }
    }

    if (line->kind == NGX_HTTP_LONGPOLL_LINE_EVENT) {
        return ngx_http_longpoll_load_event(load);
    }

    if (line->kind >= NGX_HTTP_LONGPOLL_LINE_FOREIGN
        && loaded->skipped++ < NGX_HTTP_LONGPOLL_LOAD_NAMED)
    {
        return ngx_http_longpoll_load_push(load, &load->named, line->number);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_load_control(ngx_http_longpoll_load_t *load)
{
    ngx_http_longpoll_loaded_t   *loaded;
    ngx_http_longpoll_control_t  *control;

    loaded = &load->loaded;
    control = &load->files.line.control;

    /* what a line does not have is 0 */

    loaded->last = ngx_max(loaded->last, control->id);
    loaded->last = ngx_max(loaded->last, control->upto);
    loaded->last = ngx_max(loaded->last, control->lost);

    switch (control->kind) {

    case NGX_HTTP_LONGPOLL_CONTROL_BASE:
    case NGX_HTTP_LONGPOLL_CONTROL_AFTER:
        ngx_http_longpoll_load_head(load, control);
        return NGX_OK;

    case NGX_HTTP_LONGPOLL_CONTROL_DELETION:
        return ngx_http_longpoll_load_note(&load->notes, control->uuid.high,
                                           control->uuid.low, 0, 0);

    case NGX_HTTP_LONGPOLL_CONTROL_DROP:
        return ngx_http_longpoll_load_note(&load->notes, 0, control->name,
                                           control->upto, control->lost);

    case NGX_HTTP_LONGPOLL_CONTROL_REST:
        load->rest = ngx_max(load->rest, control->id);
        return NGX_OK;

    default: /* NGX_HTTP_LONGPOLL_CONTROL_END */

        /* what is behind a torn line never was synced */

        load->end_bytes = load->torn ? 0 : control->bytes;
        return NGX_OK;
    }
}


static void
ngx_http_longpoll_load_head(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_control_t *control)
{
    uint64_t                     *epochs, number;
    ngx_uint_t                    i;
    ngx_http_longpoll_loaded_t   *loaded;
    ngx_http_longpoll_zone_sh_t  *sh;

    loaded = &load->loaded;
    number = load->files.file->number;

    if (number == 0) {
        loaded->head = 1;
        loaded->after = control->number;
        load->base = control->number;

    } else if (loaded->after != number) {

        /*
         * The first line of a segment names the one in front of it.  The base
         * may have replaced that one, and empty ones behind it.
         */

        if (control->number != loaded->after
            && (loaded->after != load->base || control->number > load->base))
        {
            load->broken = 1;
        }

        loaded->after = number;
    }

    if (!control->durable || !load->torn) {
        load->durable = control->durable;
    }

    loaded->valid_from = control->valid_from;

    load->key[0] = control->key[0];
    load->key[1] = control->key[1];

    if (load->merge) {
        return;
    }

    /*
     * The zone's order has the ids of these epochs, loaded or not.  One that is
     * known moves to the front; else the last one goes.
     */

    sh = load->zone->sh;
    epochs = &sh->epochs[1];

    for (i = 0;
         i < NGX_HTTP_LONGPOLL_LOAD_EPOCHS - 1 && epochs[i] != control->epoch;
         i++)
    { /* void */ }

    ngx_memmove(&epochs[1], epochs, i * sizeof(uint64_t));

    epochs[0] = control->epoch;

    sh->key[0] = control->key[0];
    sh->key[1] = control->key[1];

    ngx_http_longpoll_zone_presence_init(load->zone);
}


static ngx_int_t
ngx_http_longpoll_load_note(ngx_array_t *notes, uint64_t high, uint64_t low,
    uint64_t upto, uint64_t lost)
{
    ngx_http_longpoll_load_note_t  *note;

    note = ngx_array_push(notes);
    if (note == NULL) {
        return NGX_ERROR;
    }

    note->uuid.high = high;
    note->uuid.low = low;
    note->upto = upto;
    note->lost = lost;
    note->end = (uint64_t) -1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_load_event(ngx_http_longpoll_load_t *load)
{
    uint64_t                         id, epoch, key;
    ngx_uint_t                       n;
    ngx_http_longpoll_zone_t        *z;
    ngx_http_longpoll_load_event_t  *event;
    ngx_http_longpoll_load_place_t  *places;

    z = load->zone;
    event = &load->files.line.event;
    key = event->msg.id | NGX_HTTP_LONGPOLL_LOAD_BY_ID;

    if (load->merge && !ngx_http_longpoll_load_is_news(z, event)) {

        if (event->msg.id || !event->own || event->epoch != z->sh->epoch) {
            return NGX_OK;
        }

        (void) ngx_http_longpoll_id_read(&event->msg.uuid, &id, &epoch);

        return ngx_http_longpoll_load_note(&load->moved, 0,
                                     ngx_http_longpoll_load_name(load, event),
                                     id, event->ms);
    }

    if (!load->merge && load->files.file->number == 0) {
        key = event->ms;
    }

    places = load->places.elts;
    n = load->places.nelts;

    /* an id stands there once, a time does not */

    if (n && key < places[n - 1].key + (key >> 63)) {
        load->unsorted = 1;
        load->loaded.stale |= (key == event->ms);
    }

    return ngx_http_longpoll_load_push(load, &load->places, key);
}


/*
 * In a merge, whether the zone lacks the event.  The zone has all events of
 * earlier epochs.  Of an epoch that it knows it has those up to read_upto.  An
 * epoch that it does not know began later: an nginx that ran beside this one
 * took its publishes before it had the log, and this zone has none of them.
 */

static ngx_uint_t
ngx_http_longpoll_load_is_news(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_load_event_t *event)
{
    if (event->msg.id == 0 || event->epoch == z->sh->epoch) {
        return 0;
    }

    return event->msg.id > z->sh->disk.read_upto
           || (event->ms >= z->sh->born
               && event->msg.id > z->sh->disk.read_early
               && !ngx_http_longpoll_zone_clock_known(z, event->epoch));
}


static ngx_int_t
ngx_http_longpoll_load_push(ngx_http_longpoll_load_t *load, ngx_array_t *places,
    uint64_t key)
{
    ngx_http_longpoll_load_place_t  *place;

    place = ngx_array_push(places);
    if (place == NULL) {
        return NGX_ERROR;
    }

    place->key = key;
    place->n = places->nelts;
    place->pos = load->files.line.pos;
    place->file = load->files.file
                  - (ngx_http_longpoll_load_file_t *) load->files.files.elts;
    place->kind = load->files.line.kind;
    place->spans = load->files.line.spans;

    return NGX_OK;
}


/* names the lines that are skipped, or of a time to come */

static void
ngx_http_longpoll_load_complain(ngx_http_longpoll_load_t *load)
{
    ngx_uint_t                       i;
    ngx_http_longpoll_zone_t        *z;
    ngx_http_longpoll_load_file_t   *file;
    ngx_http_longpoll_load_place_t  *named;

    z = load->zone;
    file = load->files.files.elts;
    named = load->named.elts;

    for (i = 0; i < load->named.nelts; i++) {
        ngx_log_error(NGX_LOG_ERR, load->log, 0,
                      "longpoll zone \"%V\": \"%V%s\" line %uL %s, "
                      "skipping it", &z->name, &z->persist,
                      file[named[i].file].suffix, named[i].key,
                      ngx_http_longpoll_load_reasons[named[i].kind
                                            - NGX_HTTP_LONGPOLL_LINE_FOREIGN]);
    }

    if (load->loaded.skipped > i) {
        ngx_log_error(NGX_LOG_ERR, load->log, 0,
                      "longpoll zone \"%V\": %ui more lines are skipped",
                      &z->name, load->loaded.skipped - i);
    }

    if (load->ahead) {
        ngx_log_error(NGX_LOG_WARN, load->log, 0,
                      "longpoll zone \"%V\": \"%V%s\" line %uL is the first of "
                      "%ui events that are ahead of the clock", &z->name,
                      &z->persist, load->ahead_file->suffix, load->ahead_line,
                      load->ahead);
    }

    if (!load->loaded.head && load->files.files.nelts > 1) {
        ngx_log_error(NGX_LOG_ERR, load->log, 0,
                      "longpoll zone \"%V\": \"%V\" does not say which "
                      "segments are behind it, they are not read",
                      &z->name, &z->persist);
    }
}


/* what was read, as the zone needs it */

static void
ngx_http_longpoll_load_found(ngx_http_longpoll_load_t *load)
{
    ngx_uint_t                   whole;
    struct stat                  st;
    ngx_http_longpoll_loaded_t  *loaded;

    loaded = &load->loaded;

    loaded->node = load->files.node;

    /* a gap would be one at the next start, too */

    loaded->stale |= load->broken
                     || load->files.files.nelts > NGX_HTTP_LONGPOLL_LOAD_FILES;

    loaded->restored = (ngx_http_longpoll_segment_stat(load->zone,
                                            NGX_HTTP_LONGPOLL_SEGMENT_RESTORED,
                                            &st)
                        == NGX_OK);

    whole = loaded->head ? load->end_bytes == load->bytes
                         : load->events && !load->own;

    loaded->believed = !loaded->restored && !load->broken
                       && (load->durable || (whole && loaded->skipped == 0));
}


/* events; and notes, each once */

static void
ngx_http_longpoll_load_sort(ngx_http_longpoll_load_t *load)
{
    ngx_uint_t                      i, n;
    ngx_http_longpoll_load_note_t  *notes, *note;

    if (load->unsorted) {
        ngx_qsort(load->places.elts, load->places.nelts,
                  sizeof(ngx_http_longpoll_load_place_t),
                  ngx_http_longpoll_load_compare);
    }

    notes = load->notes.elts;

    ngx_qsort(notes, load->notes.nelts, sizeof(ngx_http_longpoll_load_note_t),
              ngx_http_longpoll_load_compare);

    for (i = 0, n = 0; i < load->notes.nelts; i++) {

        if (n == 0
            || ngx_http_longpoll_load_compare(&notes[i], &notes[n - 1]) != 0)
        {
            notes[n++] = notes[i];
            continue;
        }

        note = &notes[n - 1];
        note->upto = ngx_max(note->upto, notes[i].upto);
        note->lost = ngx_max(note->lost, notes[i].lost);
    }

    load->notes.nelts = n;
}


/* by the first two words: key and n, or UUID */

static int ngx_libc_cdecl
ngx_http_longpoll_load_compare(const void *one, const void *two)
{
    ngx_uint_t       i;
    const uint64_t  *first = one, *second = two;

    i = (first[0] == second[0]);

    return first[i] < second[i] ? -1 : first[i] > second[i];
}


static ngx_int_t
ngx_http_longpoll_load_events(ngx_http_longpoll_load_t *load)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i, n;
    ngx_http_longpoll_load_place_t  *place;

    n = 0;
    place = load->places.elts;

    for (i = 0; i < load->places.nelts; i++) {

        /* of the copies of an event the last one counts */

        if (i + 1 < load->places.nelts && place[i].key == place[i + 1].key
            && place[i].key & NGX_HTTP_LONGPOLL_LOAD_BY_ID)
        {
            continue;
        }

        ngx_http_longpoll_load_file_seek(&load->files, place[i].file,
                                         place[i].pos);
        load->files.known = &place[i].spans;

        rc = ngx_http_longpoll_load_file_read(&load->files);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK
            && load->files.line.kind == NGX_HTTP_LONGPOLL_LINE_EVENT)
        {
            n += ngx_http_longpoll_load_place(load);

        } else {

            /* it was an event a moment ago */

            load->loaded.believed = 0;
        }
    }

    if (load->files.node) {
        ngx_log_error(NGX_LOG_NOTICE, load->log, 0,
                      "longpoll zone \"%V\": loaded %ui of %ui events from "
                      "\"%V\"", &load->zone->name, n, load->events,
                      &load->zone->persist);
    }

    return NGX_OK;
}


/* returns whether the event was placed */

static ngx_uint_t
ngx_http_longpoll_load_place(ngx_http_longpoll_load_t *load)
{
    u_char                          *p, *last;
    uint64_t                         id, name, *key;
    ngx_http_longpoll_msg_t         *msg;
    ngx_http_longpoll_zone_t        *z;
    ngx_http_longpoll_load_event_t  *event;

    z = load->zone;
    event = &load->files.line.event;
    msg = &event->msg;
    id = msg->id;

    if (load->notes.nelts) {
        name = ngx_http_longpoll_load_name(load, event);

        if (ngx_http_longpoll_load_is_deleted(load, &msg->uuid)
            || ngx_http_longpoll_load_is_dropped(load, name, id, event->ms))
        {
            return 0;
        }
    }

    ngx_http_longpoll_zone_hash(z, &event->cat);

    /* the line may be of another program, and has never been published */

    p = msg->data.data;
    last = p + msg->data.len;

    ngx_http_longpoll_string_replace(p, last);

    for ( /* void */ ; (p = memchr(p, CR, last - p)) != NULL; p++) {
        *p = ' ';
    }

    if (id == 0) {
        msg->id = ngx_http_longpoll_id(event->ms, 0);
    }

    if (msg->uuid.high == 0) {

        /* golongpoll before 1.2 */

        ngx_http_longpoll_id_uuid(&msg->uuid,
                                  ngx_max(msg->id, z->sh->clock.last_id + 1),
                                  z->sh->epoch);
    }

    key = event->key[0] && !ngx_http_longpoll_load_is_foreign(load)
          ? event->key : NULL;

    if (ngx_http_longpoll_zone_load(z, &event->cat, msg, key, load->loaded.now,
                                    &load->wake)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, load->log, 0,
                      "longpoll zone \"%V\": an event of \"%V\" is too large "
                      "for it", &z->name, &z->persist);
        load->loaded.believed = 0;
        return 0;
    }

    load->loaded.moved |= load->merge && msg->id != id;

    return 1;
}


/* as a note names the category */

static uint64_t
ngx_http_longpoll_load_name(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_load_event_t *event)
{
    uint64_t  hash[2];

    ngx_http_longpoll_hash(hash, load->key, event->cat.name.data,
                           event->cat.name.len);

    return hash[1];
}


static ngx_http_longpoll_load_note_t *
ngx_http_longpoll_load_find(ngx_http_longpoll_load_t *load, uint64_t high,
    uint64_t low)
{
    uint64_t  uuid[] = { high, low };

    return bsearch(uuid, load->notes.elts, load->notes.nelts,
                   sizeof(ngx_http_longpoll_load_note_t),
                   ngx_http_longpoll_load_compare);
}


/*
 * Whether a message of that category was dropped.  Where the id is not of this
 * module, or of another time, it is 0, and only the time can be compared.  What
 * a delete dropped in its own ms has a note of its own.
 */

static ngx_uint_t
ngx_http_longpoll_load_is_dropped(ngx_http_longpoll_load_t *load,
    uint64_t name, uint64_t id, uint64_t ms)
{
    uint64_t                        upto;
    ngx_http_longpoll_load_note_t  *note;

    note = ngx_http_longpoll_load_find(load, 0, name);

    if (note == NULL) {
        return 0;
    }

    upto = ngx_max(note->upto, note->lost);

    return id ? id <= upto : ms < ngx_http_longpoll_id_ms(upto);
}


/*
 * What categories lost, as the log says; in a merge also what the other nginx
 * deleted, and whether a reader here may be behind a loss, as it has a cursor
 * that was made here since then.
 */

static void
ngx_http_longpoll_load_losses(ngx_http_longpoll_load_t *load)
{
    uint64_t                        lost, rest, read;
    ngx_uint_t                      i, behind;
    ngx_http_longpoll_zone_t       *z;
    ngx_http_longpoll_load_note_t  *note, *notes, *moved;

    z = load->zone;
    rest = load->rest;
    read = z->sh->disk.read_upto;
    notes = load->notes.elts;
    moved = load->moved.elts;
    behind = 0;

    /* what the other nginx has in a later place, its notes do not mean here */

    for (i = 0; i < load->moved.nelts; i++) {
        note = ngx_http_longpoll_load_find(load, 0, moved[i].uuid.low);

        if (note
            && !ngx_http_longpoll_load_is_dropped(load, moved[i].uuid.low, 0,
                                                  moved[i].lost))
        {
            note->end = ngx_min(note->end, moved[i].upto - 1);
        }
    }

    if (load->merge && load->notes.nelts) {
        ngx_http_longpoll_zone_load_forget(z, ngx_http_longpoll_load_forgets,
                                           load);
    }

    for (i = 0; i < load->notes.nelts && notes[i].uuid.high == 0; i++) {
        note = &notes[i];

        if (ngx_http_longpoll_load_is_foreign(load)) {
            rest = ngx_max(rest, note->lost);
            continue;
        }

        behind |= (note->lost > read && note->lost <= z->sh->clock.last_id);

        lost = ngx_min(note->lost, note->end);

        if (lost) {
            ngx_http_longpoll_zone_load_lost(z, note->uuid.low, lost,
                                             !load->merge);
        }
    }

    if (rest) {
        load->loaded.lost_until = ngx_http_longpoll_id_ms(rest) + 1;
        behind |= (rest > read);
    }

    load->loaded.moved |= load->merge && behind;
}


/* whether the other nginx has dropped a message of the zone, and why */

static ngx_int_t
ngx_http_longpoll_load_forgets(void *data, uint64_t name, uint64_t id,
    ngx_http_longpoll_uuid_t *uuid, ngx_uint_t own)
{
    ngx_http_longpoll_load_t *load = data;

    ngx_http_longpoll_load_note_t  *note;

    if (ngx_http_longpoll_load_is_deleted(load, uuid)) {
        return NGX_HTTP_LONGPOLL_ZONE_TAKEN;
    }

    note = ngx_http_longpoll_load_find(load, 0, name);

    if (note == NULL) {
        return NGX_DECLINED;
    }

    /* it had not seen this message, nor what is behind it */

    if (own) {
        note->end = ngx_min(note->end, id - 1);
    }

    if (id > ngx_min(ngx_max(note->upto, note->lost), note->end)) {
        return NGX_DECLINED;
    }

    return id <= note->lost ? NGX_HTTP_LONGPOLL_ZONE_LOST
                            : NGX_HTTP_LONGPOLL_ZONE_DELETED;
}


static void
ngx_http_longpoll_load_failed(ngx_http_longpoll_load_t *load,
    ngx_uint_t level, const char *call, ngx_http_longpoll_load_file_t *file)
{
    ngx_err_t  err;

    err = errno;
    load->broken = 1;

    ngx_log_error(level, load->log, err,
                  "longpoll zone \"%V\": %s failed, file \"%V%s\"",
                  &load->zone->name, call, &load->zone->persist,
                  file ? file->suffix : (u_char *) "");

    errno = err;
}


ngx_int_t
ngx_http_longpoll_load_skipped_save(ngx_http_longpoll_zone_t *z,
    uint64_t number, ngx_log_t *log)
{
    int                              fd, err;
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_http_longpoll_load_file_t   *file;
    ngx_http_longpoll_load_files_t   files;

    fd = -1;
    rc = ngx_http_longpoll_load_file_open(&files, z, log);
    file = files.files.elts;

    for (i = 0; rc == NGX_OK && i < files.files.nelts; i++) {

        /* a base has replaced what is not behind it */

        if (file[i].fd == -1 || file[i].number > number
            || (i && file[i].number <= file->names))
        {
            continue;
        }

        ngx_http_longpoll_load_file_seek(&files, i, 0);

        do {
            rc = ngx_http_longpoll_load_file_read(&files);

            if (rc == NGX_OK
                && files.line.kind >= NGX_HTTP_LONGPOLL_LINE_FOREIGN)
            {
                rc = ngx_http_longpoll_load_skipped_copy(&files, &fd);
            }

        } while (rc == NGX_OK);

        /* what cannot be read is not to be kept */

        rc = (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
    }

    if (rc == NGX_OK && fd != -1
        && (fdatasync(fd) == -1 || fsync(z->dir) == -1))
    {
        rc = NGX_ERROR;
    }

    err = errno;

    if (fd != -1) {
        (void) close(fd);
    }

    ngx_http_longpoll_load_file_close(&files);

    errno = err;

    return rc;
}


/* opens PATH.bad with the first line; NGX_OK, or NGX_ERROR with errno */

static ngx_int_t
ngx_http_longpoll_load_skipped_copy(ngx_http_longpoll_load_files_t *files,
    int *fd)
{
    u_char    buf[4096];
    ssize_t   n;
    uint64_t  pos, last;

    if (*fd == -1) {
        *fd = ngx_http_longpoll_segment_open(files->zone,
                                             NGX_HTTP_LONGPOLL_SEGMENT_BAD,
                                             O_APPEND|O_CREAT);
        if (*fd == -1) {
            return NGX_ERROR;
        }
    }

    last = files->line.pos + files->line.len;

    for (pos = files->line.pos; pos < last; pos += n) {
        n = pread(files->file->fd, buf, ngx_min(last - pos, sizeof(buf)), pos);

        if (n <= 0) {
            break;
        }

        if (ngx_http_longpoll_segment_write(*fd, buf, n) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_http_longpoll_segment_write(*fd, (u_char *) "\n", 1);
}
