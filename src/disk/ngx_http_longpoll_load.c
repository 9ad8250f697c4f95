
/*
 * ngx_http_longpoll_load.c: reads a zone's file before the first request.
 *
 *     notes   the head; deletions, keys and losses
 *     index   each line is parsed once: the time and position of each event
 *     sort    by time, if need be; lines of one ms keep their order
 *     load    each event into the zone, but for those that were deleted or
 *             lost, or are over their ttl
 *     losses  what categories lost, as the notes say
 *
 * The file is read in pieces.  So it takes memory for the index, 24 bytes a
 * line, and for the longest line.  An older nginx may write to the file
 * meanwhile (a binary upgrade): then the last line may be torn.  The file is
 * not mapped, as a process that truncates it would kill this one.
 *
 * Cursors of previous epochs are valid if those epochs ended well: the notes
 * say so, or all that readers saw was on disk (durable), or golongpoll wrote
 * the file.
 */


#include "ngx_http_longpoll_load.h"
#include "ngx_http_longpoll_file.h"
#include "ngx_http_longpoll_zone_epoch.h"
#include "ngx_http_longpoll_zone_load.h"
#include "ngx_http_longpoll_json.h"
#include "ngx_http_longpoll_string.h"
#include "ngx_http_longpoll_zone.h"

#include <sys/file.h>


#define NGX_HTTP_LONGPOLL_LOAD_PIECE     (1024 * 1024)
#define NGX_HTTP_LONGPOLL_LOAD_PROGRESS  3000   /* ms between two log lines */
#define NGX_HTTP_LONGPOLL_LOAD_BROKEN    100    /* lines that are logged */
#define NGX_HTTP_LONGPOLL_LOAD_WAIT      5000   /* ms, for an nginx that ends */


typedef struct {
    uint64_t                         ms;
    uint64_t                         pos;
    uint32_t                         len;
    uint32_t                         order;     /* in the file */
} ngx_http_longpoll_load_line_t;


/*
 * A hash table, with open addressing, of UUIDs that were deleted or had a key,
 * and of categories with losses.  A category has 0 for the first half, which no
 * UUID of an RFC has, and half its hash for the second.
 */

typedef struct {
    ngx_http_longpoll_uuid_t         uuid;
    uint64_t                         key[2];
    uint64_t                         deleted;
    uint64_t                         lost;      /* id: messages up to it */
} ngx_http_longpoll_load_entry_t;


typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_log_t                       *log;
    char                            *name;
    int                              fd;
    uint64_t                         now;       /* ms */
    ngx_msec_t                       logged;    /* the last progress */

    /* the piece at hand */
    u_char                          *buf;
    size_t                           size;
    size_t                           len;
    uint64_t                         pos;       /* of buf in the file */

    ngx_http_longpoll_load_line_t   *lines;
    ngx_uint_t                       nlines;
    ngx_uint_t                       max_lines;
    ngx_uint_t                       broken;
    ngx_uint_t                       unsorted;
    ngx_uint_t                       edited;    /* CRLF */
    ngx_uint_t                       loaded;
    ngx_uint_t                       lost;
    uint64_t                         file_node;
    uint64_t                         file_size;
    uint64_t                         own;       /* there are ids of version 7 */
    uint64_t                         last;      /* highest issued id, as head
                                                   and notes say */

    ngx_http_longpoll_file_head_t    head;
    ngx_uint_t                       has_head;
    uint64_t                         state_size;
    ngx_http_longpoll_note_t        *notes;
    ngx_uint_t                       nnotes;

    ngx_http_longpoll_load_entry_t  *entries;
    ngx_uint_t                       nentries;  /* a power of two */

    ngx_pool_t                      *pool;      /* of one line */
} ngx_http_longpoll_load_t;


static ngx_int_t ngx_http_longpoll_load_read(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_file_t *f);
static ngx_int_t ngx_http_longpoll_load_notes(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_file_t *f);
static ngx_int_t ngx_http_longpoll_load_locked(ngx_http_longpoll_load_t *load,
    int fd);
static ngx_int_t ngx_http_longpoll_load_entries(
    ngx_http_longpoll_load_t *load);
static ngx_http_longpoll_load_entry_t *ngx_http_longpoll_load_entry(
    ngx_http_longpoll_load_t *load, ngx_http_longpoll_uuid_t *uuid,
    ngx_uint_t make);
static int ngx_http_longpoll_load_open(ngx_http_longpoll_load_t *load,
    char *name);
static ngx_int_t ngx_http_longpoll_load_index(ngx_http_longpoll_load_t *load);
static ngx_int_t ngx_http_longpoll_load_line(ngx_http_longpoll_load_t *load,
    u_char *p, size_t len, ngx_uint_t number);
static ngx_int_t ngx_http_longpoll_load_parse(ngx_http_longpoll_load_t *load,
    u_char *p, size_t len, ngx_http_longpoll_item_t *item, uint64_t *ms,
    ngx_http_longpoll_uuid_t *uuid);
static int ngx_libc_cdecl ngx_http_longpoll_load_compare(const void *one,
    const void *two);
static void ngx_http_longpoll_load_begin(ngx_http_longpoll_load_t *load);
static ngx_int_t ngx_http_longpoll_load_all(ngx_http_longpoll_load_t *load);
static ngx_int_t ngx_http_longpoll_load_event(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_load_line_t *line);
static uint64_t ngx_http_longpoll_load_lost(
    ngx_http_longpoll_load_t *load, ngx_http_longpoll_cat_t *cat, uint64_t ms,
    ngx_http_longpoll_uuid_t *uuid);
static void ngx_http_longpoll_load_losses(ngx_http_longpoll_load_t *load);
static void ngx_http_longpoll_load_progress(ngx_http_longpoll_load_t *load,
    const char *what, ngx_uint_t n, ngx_uint_t of);
static void ngx_http_longpoll_load_valid_from(ngx_http_longpoll_load_t *load);
static void ngx_http_longpoll_load_end(ngx_http_longpoll_load_t *load);
static uint64_t ngx_http_longpoll_load_last(ngx_http_longpoll_load_t *load);
static ngx_int_t ngx_http_longpoll_load_grow(void **p, size_t old,
    size_t new, ngx_log_t *log);


ngx_int_t
ngx_http_longpoll_load(ngx_http_longpoll_zone_t *z, ngx_log_t *log)
{
    ngx_int_t                  rc;
    ngx_pool_t                *pool;
    ngx_http_longpoll_file_t   f;
    ngx_http_longpoll_load_t   load;

    ngx_memzero(&load, sizeof(ngx_http_longpoll_load_t));

    pool = ngx_create_pool(4096, log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    load.zone = z;
    load.log = log;
    load.fd = -1;
    load.now = ngx_http_longpoll_now();
    load.logged = (ngx_msec_t) load.now;

    load.pool = ngx_create_pool(4096, log);

    if (load.pool == NULL
        || ngx_http_longpoll_file_init(&f, &z->persist, pool) != NGX_OK)
    {
        rc = NGX_ERROR;
        goto done;
    }

    rc = ngx_http_longpoll_load_read(&load, &f);

    if (rc != NGX_OK) {
        goto done;
    }

    ngx_http_longpoll_load_begin(&load);

    rc = ngx_http_longpoll_load_all(&load);

    if (rc != NGX_OK) {
        goto done;
    }

    ngx_http_longpoll_load_losses(&load);
    ngx_http_longpoll_load_valid_from(&load);
    ngx_http_longpoll_load_end(&load);

done:

    if (load.fd != -1) {
        (void) close(load.fd);
    }

    ngx_free(load.buf);
    ngx_free(load.lines);
    ngx_free(load.notes);
    ngx_free(load.entries);

    if (load.pool) {
        ngx_destroy_pool(load.pool);
    }

    ngx_destroy_pool(pool);

    return rc;
}


/* reads the notes and makes the index; that there is no file is no error */

static ngx_int_t
ngx_http_longpoll_load_read(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_file_t *f)
{
    if (ngx_http_longpoll_load_notes(load, f) != NGX_OK) {
        return NGX_ERROR;
    }

    load->name = f->path;
    load->fd = ngx_http_longpoll_load_open(load, f->path);

    if (load->fd == -1) {
        load->zone->sh->disk.unread = (errno != ENOENT);
        return NGX_OK;
    }

    return ngx_http_longpoll_load_index(load);
}


/* opens a file; -1: there is none, or it cannot be read */

static int
ngx_http_longpoll_load_open(ngx_http_longpoll_load_t *load, char *name)
{
    int          fd, err;
    struct stat  st;

    fd = open(name, O_RDONLY|O_CLOEXEC|O_NOFOLLOW|O_NONBLOCK);

    if (fd == -1) {

        if (errno != ENOENT) {
            err = errno;
            ngx_log_error(NGX_LOG_ERR, load->log, err,
                          "longpoll zone \"%V\": open(\"%s\") failed, "
                          "nothing is loaded", &load->zone->name, name);
            errno = err;
        }

        return -1;
    }

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        ngx_log_error(NGX_LOG_ERR, load->log, 0,
                      "longpoll zone \"%V\": \"%s\" is not a file, "
                      "nothing is loaded", &load->zone->name, name);
        (void) close(fd);
        errno = EINVAL;
        return -1;
    }

    return fd;
}


static ngx_int_t
ngx_http_longpoll_load_notes(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_file_t *f)
{
    int          fd;
    u_char      *p, *last, *buf;
    size_t       size;
    ssize_t      n;
    ngx_int_t    rc;
    struct stat  st;

    fd = ngx_http_longpoll_load_open(load, f->state);

    if (fd == -1) {
        return NGX_OK;
    }

    rc = ngx_http_longpoll_load_locked(load, fd);

    if (fstat(fd, &st) == -1) {
        st.st_size = 0;
    }

    size = st.st_size;
    buf = ngx_alloc(size + 1, load->log);
    load->notes = ngx_alloc((size / NGX_HTTP_LONGPOLL_FILE_NOTE + 1)
                            * sizeof(ngx_http_longpoll_note_t), load->log);

    if (buf == NULL || load->notes == NULL) {
        (void) close(fd);
        ngx_free(buf);
        return NGX_ERROR;
    }

    for (p = buf; (size_t) (p - buf) < size; p += n) {
        n = read(fd, p, size - (p - buf));

        if (n <= 0) {
            break;
        }
    }

    (void) close(fd);

    last = p;
    load->state_size = NGX_HTTP_LONGPOLL_FILE_HEAD;

    if (ngx_http_longpoll_file_read_head(buf, last - buf, &load->head)
        == NGX_OK)
    {
        load->has_head = 1;
        p = buf + NGX_HTTP_LONGPOLL_FILE_HEAD;

        /* notes end with the first that is torn */

        while (last - p >= NGX_HTTP_LONGPOLL_FILE_NOTE
               && ngx_http_longpoll_file_read_note(p,
                                               &load->notes[load->nnotes])
                  == NGX_OK)
        {
            load->nnotes++;
            p += NGX_HTTP_LONGPOLL_FILE_NOTE;
        }

        load->state_size = p - buf;
        load->last = load->head.last_id;

    } else if (last > buf) {
        ngx_log_error(NGX_LOG_ERR, load->log, 0,
                      "longpoll zone \"%V\": \"%s\" is broken, ignoring it",
                      &load->zone->name, f->state);
    }

    ngx_free(buf);

    load->zone->sh->disk.contested = (rc != NGX_OK);

    return ngx_http_longpoll_load_entries(load);
}


/*
 * NGX_OK: nobody writes to the file; NGX_DECLINED: another nginx does.  If that
 * one has freed its port and is about to end, this one waits for it.  In a
 * binary upgrade this one does not wait, as the old nginx goes on: then the
 * environment has the sockets.
 */

static ngx_int_t
ngx_http_longpoll_load_locked(ngx_http_longpoll_load_t *load, int fd)
{
    ngx_uint_t  waited;

    for (waited = 0; /* void */ ; waited += 50) {

        if (flock(fd, LOCK_SH|LOCK_NB) == 0) {
            (void) flock(fd, LOCK_UN);
            return NGX_OK;
        }

        if (getenv("NGINX") || waited >= NGX_HTTP_LONGPOLL_LOAD_WAIT) {
            ngx_log_error(NGX_LOG_NOTICE, load->log, 0,
                          "longpoll zone \"%V\": another nginx writes to its "
                          "file", &load->zone->name);
            return NGX_DECLINED;
        }

        ngx_msleep(50);
    }
}


static ngx_int_t
ngx_http_longpoll_load_entries(ngx_http_longpoll_load_t *load)
{
    size_t                           size;
    uint64_t                         name, id, epoch;
    ngx_uint_t                       i;
    ngx_http_longpoll_note_t        *note;
    ngx_http_longpoll_uuid_t         uuid;
    ngx_http_longpoll_load_entry_t  *entry;

    /* a note makes two entries at most */

    load->nentries = 16;

    while (load->nentries < 3 * load->nnotes) {
        load->nentries *= 2;
    }

    size = load->nentries * sizeof(ngx_http_longpoll_load_entry_t);

    load->entries = ngx_calloc(size, load->log);
    if (load->entries == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < load->nnotes; i++) {
        note = &load->notes[i];

        uuid.high = note->word[0];
        uuid.low = note->word[1];
        name = 0;

        /* the message with the highest id may have been deleted */

        if (note->kind <= NGX_HTTP_LONGPOLL_NOTE_KEY
            && ngx_http_longpoll_id_read(&uuid, &id, &epoch)
            && epoch == load->head.epoch)
        {
            load->last = ngx_max(load->last, id);
        }

        switch (note->kind) {

        case NGX_HTTP_LONGPOLL_NOTE_DELETION:
            entry = ngx_http_longpoll_load_entry(load, &uuid, 1);
            entry->deleted = 1;
            name = note->word[3];
            break;

        case NGX_HTTP_LONGPOLL_NOTE_KEY:
            entry = ngx_http_longpoll_load_entry(load, &uuid, 1);
            entry->key[0] = note->word[2];
            entry->key[1] = note->word[3];
            break;

        case NGX_HTTP_LONGPOLL_NOTE_LOST:
            name = note->word[1];
            break;

        case NGX_HTTP_LONGPOLL_NOTE_TOMBSTONE:
            name = note->word[3];
            break;
        }

        if (name && note->word[2]) {
            uuid.high = 0;
            uuid.low = name;

            entry = ngx_http_longpoll_load_entry(load, &uuid, 1);
            entry->lost = ngx_max(entry->lost, note->word[2]);
        }

        if (name) {
            load->last = ngx_max(load->last, note->word[2]);
        }
    }

    return NGX_OK;
}


static ngx_http_longpoll_load_entry_t *
ngx_http_longpoll_load_entry(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_uuid_t *uuid, ngx_uint_t make)
{
    uint64_t                         h;
    ngx_http_longpoll_load_entry_t  *entry;

    if (load->entries == NULL) {
        return NULL;
    }

    h = (uuid->high ^ uuid->low ^ uuid->low >> 29 ^ uuid->high >> 17)
        * 0x9e3779b97f4a7c15ULL >> 20;

    for ( /* void */ ; ; h++) {
        entry = &load->entries[h & (load->nentries - 1)];

        if (entry->uuid.high == uuid->high && entry->uuid.low == uuid->low) {
            return entry;
        }

        if (entry->uuid.high == 0 && entry->uuid.low == 0) {

            if (!make) {
                return NULL;
            }

            entry->uuid = *uuid;
            return entry;
        }
    }
}


/* makes the index of all lines; empty lines do not count */

static ngx_int_t
ngx_http_longpoll_load_index(ngx_http_longpoll_load_t *load)
{
    u_char      *p, *eol, *last;
    size_t       size;
    ssize_t      n;
    ngx_uint_t   number, eof;
    struct stat  st;

    if (fstat(load->fd, &st) == 0) {
        load->file_node = st.st_ino;
    }

    load->size = NGX_HTTP_LONGPOLL_LOAD_PIECE;
    load->buf = ngx_alloc(load->size, load->log);
    if (load->buf == NULL) {
        return NGX_ERROR;
    }

    number = 0;
    eof = 0;

    while (!eof) {

        if (load->len == load->size) {
            size = load->size * 2;

            if (ngx_http_longpoll_load_grow((void **) &load->buf, load->len,
                                            size, load->log)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            load->size = size;
        }

        n = pread(load->fd, load->buf + load->len, load->size - load->len,
                  load->pos + load->len);

        if (n == -1) {
            ngx_log_error(NGX_LOG_ERR, load->log, errno,
                          "longpoll zone \"%V\": read(\"%s\") failed",
                          &load->zone->name, load->name);
            load->broken++;
            n = 0;
        }

        eof = (n == 0);
        load->len += n;

        p = load->buf;
        last = load->buf + load->len;

        while (p < last) {
            eol = memchr(p, LF, last - p);

            if (eol == NULL && !eof) {
                break;
            }

            if (eol == NULL) {
                eol = last;
            }

            number++;

            if (ngx_http_longpoll_load_line(load, p, eol - p, number)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            p = eol + (eol < last);
        }

        ngx_memmove(load->buf, p, last - p);

        load->pos += p - load->buf;
        load->len = last - p;
    }

    load->file_size = load->pos + load->len;

    if (load->unsorted) {
        ngx_qsort(load->lines, load->nlines,
                  sizeof(ngx_http_longpoll_load_line_t),
                  ngx_http_longpoll_load_compare);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_load_line(ngx_http_longpoll_load_t *load, u_char *p,
    size_t len, ngx_uint_t number)
{
    uint64_t                        ms, id, epoch;
    ngx_int_t                       rc;
    ngx_uint_t                      max;
    ngx_http_longpoll_item_t        item;
    ngx_http_longpoll_uuid_t        uuid;
    ngx_http_longpoll_load_line_t  *line;

    /* an editor may have changed the line ends */

    if (len && p[len - 1] == CR) {
        load->edited = 1;
        len--;
    }

    if (len == 0) {
        return NGX_OK;
    }

    rc = ngx_http_longpoll_load_parse(load, p, len, &item, &ms, &uuid);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {

        if (load->broken++ < NGX_HTTP_LONGPOLL_LOAD_BROKEN) {
            ngx_log_error(NGX_LOG_ERR, load->log, 0,
                          "longpoll zone \"%V\": \"%s\" line %ui is not an "
                          "event, skipping it", &load->zone->name, load->name,
                          number);
        }

        return NGX_OK;
    }

    if (load->nlines == load->max_lines) {
        max = load->max_lines ? load->max_lines * 2 : 4096;

        if (ngx_http_longpoll_load_grow((void **) &load->lines,
                                        load->nlines
                                        * sizeof(ngx_http_longpoll_load_line_t),
                                        max
                                        * sizeof(ngx_http_longpoll_load_line_t),
                                        load->log)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        load->max_lines = max;
    }

    line = &load->lines[load->nlines];

    line->ms = ms;
    line->pos = load->pos + (p - load->buf);
    line->len = (uint32_t) len;
    line->order = (uint32_t) load->nlines;

    if (load->nlines && ms < line[-1].ms) {
        load->unsorted = 1;
    }

    load->own |= ngx_http_longpoll_id_read(&uuid, &id, &epoch);
    load->nlines++;

    if (load->nlines % 65536 == 0) {
        ngx_http_longpoll_load_progress(load, "read", load->nlines, 0);
    }

    return NGX_OK;
}


/* NGX_DECLINED: the line is not an event; NGX_ERROR: no memory */

static ngx_int_t
ngx_http_longpoll_load_parse(ngx_http_longpoll_load_t *load, u_char *p,
    size_t len, ngx_http_longpoll_item_t *item, uint64_t *ms,
    ngx_http_longpoll_uuid_t *uuid)
{
    off_t      n;
    ngx_int_t  rc;
    ngx_str_t  timestamp, id;

    ngx_reset_pool(load->pool);

    rc = ngx_http_longpoll_json_line(item, &timestamp, &id, p, len,
                                     load->pool);
    if (rc != NGX_OK) {
        return rc;
    }

    n = ngx_atoof(timestamp.data, timestamp.len);

    if (n == NGX_ERROR || n >> 47
        || ngx_http_longpoll_id_parse(id.data, id.len, uuid) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    *ms = n;

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_longpoll_load_compare(const void *one, const void *two)
{
    const ngx_http_longpoll_load_line_t  *first = one, *second = two;

    if (first->ms != second->ms) {
        return first->ms < second->ms ? -1 : 1;
    }

    return first->order < second->order ? -1 : 1;
}


/* what the zone must know before the first event is loaded */

static void
ngx_http_longpoll_load_begin(ngx_http_longpoll_load_t *load)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = load->zone->sh;

    /* messages are loaded with their own ids, which are older */

    sh->clock.last_id = 0;

    if (load->has_head) {
        sh->key[0] = load->head.key[0];
        sh->key[1] = load->head.key[1];

        /* ids of that epoch are in the zone's order, loaded or not */

        sh->epochs[1] = load->head.epoch;
    }
}


static ngx_int_t
ngx_http_longpoll_load_all(ngx_http_longpoll_load_t *load)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_load_line_t  *line;

    load->pos = 0;
    load->len = 0;

    for (i = 0; i < load->nlines; i++) {
        line = &load->lines[i];

        if (ngx_http_longpoll_load_event(load, line) != NGX_OK) {
            return NGX_ERROR;
        }

        if (i % 65536 == 65535) {
            ngx_http_longpoll_load_progress(load, "loaded", i + 1,
                                            load->nlines);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_load_event(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_load_line_t *line)
{
    ssize_t                          n;
    uint64_t                         ms, lost;
    ngx_int_t                        rc;
    ngx_http_longpoll_cat_t          cat;
    ngx_http_longpoll_msg_t          msg;
    ngx_http_longpoll_note_t         note;
    ngx_http_longpoll_item_t         item;
    ngx_http_longpoll_load_entry_t  *entry;

    /* a piece has many lines, mostly in the order of the index */

    if (line->pos < load->pos || line->pos + line->len > load->pos + load->len)
    {
        n = pread(load->fd, load->buf, load->size, line->pos);

        if (n < (ssize_t) line->len) {
            load->broken++;
            return NGX_OK;
        }

        load->pos = line->pos;
        load->len = n;
    }

    rc = ngx_http_longpoll_load_parse(load,
                                      load->buf + (line->pos - load->pos),
                                      line->len, &item, &ms, &msg.uuid);
    if (rc != NGX_OK) {

        /* it was an event a moment ago: a process writes over the file */

        load->broken++;
        return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    entry = ngx_http_longpoll_load_entry(load, &msg.uuid, 0);

    if (entry && entry->deleted) {
        return NGX_OK;
    }

    cat.name = item.category;
    ngx_http_longpoll_zone_hash(load->zone, &cat);

    lost = ngx_http_longpoll_load_lost(load, &cat, ms, &msg.uuid);

    if (lost) {
        ngx_memzero(&note, sizeof(ngx_http_longpoll_note_t));
        note.kind = NGX_HTTP_LONGPOLL_NOTE_LOST;
        note.word[0] = cat.hash[0];
        note.word[1] = cat.hash[1];
        note.word[2] = lost;

        ngx_http_longpoll_zone_load_loss(load->zone, &note, 0);

        load->lost++;
        return NGX_OK;
    }

    msg.id = ngx_http_longpoll_id(ms, 0);
    msg.data = item.data;

    /* the line may be of another program, and has never been published */

    ngx_http_longpoll_string_replace(msg.data.data,
                                     msg.data.data + msg.data.len);

    rc = ngx_http_longpoll_zone_load(load->zone, &cat, &msg,
                                     entry && entry->key[0] ? entry->key
                                                            : NULL,
                                     load->now);
    if (rc == NGX_OK) {
        load->loaded++;

    } else {
        ngx_log_error(NGX_LOG_ERR, load->log, 0,
                      "longpoll zone \"%V\": an event of \"%s\" is too large "
                      "for it", &load->zone->name, load->name);
        load->broken++;
    }

    return NGX_OK;
}


/*
 * A message that was dropped for others must not come back when those are
 * deleted.  Its category has noted up to which id it has lost all.  Within that
 * ms only ids of the epoch that wrote the note can be compared.  Returns that
 * id, or 0: this message is not lost.
 */

static uint64_t
ngx_http_longpoll_load_lost(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_cat_t *cat, uint64_t ms, ngx_http_longpoll_uuid_t *uuid)
{
    uint64_t                         id, epoch, last;
    ngx_http_longpoll_uuid_t         name;
    ngx_http_longpoll_load_entry_t  *entry;

    name.high = 0;
    name.low = cat->hash[1];

    entry = ngx_http_longpoll_load_entry(load, &name, 0);

    if (entry == NULL) {
        return 0;
    }

    last = ngx_http_longpoll_id_ms(entry->lost);

    if (ms < last
        || (ms == last && ngx_http_longpoll_id_read(uuid, &id, &epoch)
            && epoch == load->head.epoch && id <= entry->lost))
    {
        return entry->lost;
    }

    return 0;
}


/* what categories lost, as the notes say */

static void
ngx_http_longpoll_load_losses(ngx_http_longpoll_load_t *load)
{
    ngx_uint_t                 i;
    ngx_http_longpoll_note_t  *note;

    for (i = 0; i < load->nnotes; i++) {
        note = &load->notes[i];

        if (note->kind >= NGX_HTTP_LONGPOLL_NOTE_LOST) {
            ngx_http_longpoll_zone_load_loss(load->zone, note, 0);
        }
    }
}


static void
ngx_http_longpoll_load_progress(ngx_http_longpoll_load_t *load,
    const char *what, ngx_uint_t n, ngx_uint_t of)
{
    uint64_t  now;

    now = ngx_http_longpoll_now();

    if (now - load->logged < NGX_HTTP_LONGPOLL_LOAD_PROGRESS) {
        return;
    }

    load->logged = (ngx_msec_t) now;

    if (of) {
        ngx_log_error(NGX_LOG_NOTICE, load->log, 0,
                      "longpoll zone \"%V\": %s %ui of %ui events",
                      &load->zone->name, what, n, of);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, load->log, 0,
                  "longpoll zone \"%V\": %s %ui events",
                  &load->zone->name, what, n);
}


/* from when on cursors of previous epochs are valid */

static void
ngx_http_longpoll_load_valid_from(ngx_http_longpoll_load_t *load)
{
    uint64_t                      last;
    ngx_uint_t                    good;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = load->zone->sh;

    if (load->fd == -1 || sh->disk.contested) {
        good = 0;

    } else if (load->has_head) {
        good = load->head.durable || (load->head.clean && !load->broken);

    } else {
        good = load->nlines && !load->own && !load->broken;
    }

    last = ngx_http_longpoll_load_last(load);

    if (!good) {
        sh->previous.valid_from = ngx_max(load->now, last + 1);

        /* the nginx that writes to it may end well, see zone_epoch */

        if (sh->disk.contested) {
            sh->previous.end = sh->previous.valid_from - 1;
        }

        return;
    }

    /* losses of categories that are not known count against all cursors */

    sh->previous.valid_from = ngx_max(load->head.valid_from,
                                      sh->previous.lost_until);
    sh->previous.end = ngx_max(load->now, last);
}


/* tells the zone how the files were found, and ends the loading */

static void
ngx_http_longpoll_load_end(ngx_http_longpoll_load_t *load)
{
    ngx_http_longpoll_zone_t     *z;
    ngx_http_longpoll_zone_sh_t  *sh;

    z = load->zone;
    sh = z->sh;

    sh->disk.file_node = load->file_node;
    sh->disk.file_size = load->file_size;
    sh->disk.state_size = load->state_size;
    sh->disk.file_dead = (load->broken || load->unsorted || load->edited
                          || load->lost);

    /* new ids are later than all of these, even if the clock was set back */

    ngx_http_longpoll_zone_load_done(z, 1,
                                     ngx_max(load->now,
                                             ngx_http_longpoll_load_last(load)
                                             + 1));

    if (load->fd != -1) {
        ngx_log_error(NGX_LOG_NOTICE, load->log, 0,
                      "longpoll zone \"%V\": loaded %ui of %ui events from "
                      "\"%s\"", &z->name, load->loaded, load->nlines,
                      load->name);
    }
}


/* the ms of the highest id that is known to be issued */

static uint64_t
ngx_http_longpoll_load_last(ngx_http_longpoll_load_t *load)
{
    return ngx_http_longpoll_id_ms(ngx_max(load->zone->sh->clock.last_id,
                                           load->last));
}


static ngx_int_t
ngx_http_longpoll_load_grow(void **p, size_t old, size_t new, ngx_log_t *log)
{
    void  *q;

    q = ngx_alloc(new, log);
    if (q == NULL) {
        return NGX_ERROR;
    }

    if (*p) {
        ngx_memcpy(q, *p, old);
        ngx_free(*p);
    }

    *p = q;

    return NGX_OK;
}
