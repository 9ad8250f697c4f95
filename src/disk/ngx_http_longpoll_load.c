
/*
 * ngx_http_longpoll_load.c: a zone's file is read, before the first request.
 *
 *     notes   the head; what is gone, which keys there were
 *     index   every line is parsed once: time and place of the good ones
 *     sort    by time, if they are not; lines of one ms keep their order
 *     load    each good one that is not gone or lost, nor over its ttl, into
 *             the zone
 *     losses  what the notes say that categories lost
 *
 * The file is read in pieces, so what it takes is memory for the index, 24
 * bytes a line, and for the longest line.  It may be written to meanwhile by an
 * older nginx (a binary upgrade): then its last line may be torn.  It is not
 * mapped: whoever may write to it could cut it off under our feet.
 *
 * Cursors of earlier lives are good if those ended well: their notes say so,
 * or all that was told was on disk (durable), or the file is golongpoll's.
 */


#include "ngx_http_longpoll_load.h"
#include "ngx_http_longpoll_file.h"
#include "ngx_http_longpoll_zone_epoch.h"
#include "ngx_http_longpoll_zone_load.h"
#include "ngx_http_longpoll_json.h"
#include "ngx_http_longpoll_zone.h"

#include <sys/file.h>


#define NGX_HTTP_LONGPOLL_LOAD_PIECE   (1024 * 1024)
#define NGX_HTTP_LONGPOLL_LOAD_TALK    3000     /* ms between two words */
#define NGX_HTTP_LONGPOLL_LOAD_BROKEN  100      /* lines that are named */
#define NGX_HTTP_LONGPOLL_LOAD_WAIT    5000     /* ms, for who is ending */


typedef struct {
    uint64_t                         ms;
    uint64_t                         pos;
    uint32_t                         len;
    uint32_t                         order;     /* in the file */
} ngx_http_longpoll_load_line_t;


/*
 * UUIDs of what is gone, and of what had a key: open addressing.  A category
 * that has lost something is among them: its upper half is 0, which that of no
 * UUID is that an RFC knows, the lower one that of its hash.
 */

typedef struct {
    ngx_http_longpoll_uuid_t         uuid;
    uint64_t                         key[2];
    uint64_t                         deleted;
    uint64_t                         lost;      /* id, up to which */
} ngx_http_longpoll_load_entry_t;


typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_log_t                       *log;
    char                            *name;
    int                              fd;
    uint64_t                         now;       /* ms */
    ngx_msec_t                       talked;

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
    uint64_t                         own;       /* ids of version 7 */
    uint64_t                         last;      /* id that was given out, as
                                                   head and notes have it */

    ngx_http_longpoll_file_head_t    head;
    ngx_uint_t                       has_head;
    uint64_t                         state_size;
    ngx_http_longpoll_note_t        *notes;
    ngx_uint_t                       nnotes;

    ngx_http_longpoll_load_entry_t  *entries;
    ngx_uint_t                       nentries;  /* a power of two */

    ngx_pool_t                      *pool;      /* of one line */
} ngx_http_longpoll_load_t;


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
static ngx_int_t ngx_http_longpoll_load_all(ngx_http_longpoll_load_t *load);
static ngx_int_t ngx_http_longpoll_load_event(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_load_line_t *line);
static uint64_t ngx_http_longpoll_load_lost(
    ngx_http_longpoll_load_t *load, ngx_http_longpoll_cat_t *cat, uint64_t ms,
    ngx_http_longpoll_uuid_t *uuid);
static void ngx_http_longpoll_load_talk(ngx_http_longpoll_load_t *load,
    const char *what, ngx_uint_t n, ngx_uint_t of);
static void ngx_http_longpoll_load_trust(ngx_http_longpoll_load_t *load);
static uint64_t ngx_http_longpoll_load_last(ngx_http_longpoll_load_t *load);
static ngx_int_t ngx_http_longpoll_load_grow(void **p, size_t old,
    size_t new, ngx_log_t *log);
static uint64_t ngx_http_longpoll_load_clock(void);


ngx_int_t
ngx_http_longpoll_load(ngx_http_longpoll_zone_t *z, ngx_log_t *log)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i;
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
    load.now = ngx_http_longpoll_load_clock();
    load.talked = (ngx_msec_t) load.now;

    load.pool = ngx_create_pool(4096, log);

    if (load.pool == NULL
        || ngx_http_longpoll_file_init(&f, &z->persist, pool) != NGX_OK)
    {
        rc = NGX_ERROR;
        goto done;
    }

    rc = ngx_http_longpoll_load_notes(&load, &f);

    if (rc == NGX_OK) {
        load.name = f.path;
        load.fd = ngx_http_longpoll_load_open(&load, f.path);

        if (load.fd == -1) {
            z->sh->disk.unread = (errno != ENOENT);

        } else {
            rc = ngx_http_longpoll_load_index(&load);
        }
    }

    if (rc != NGX_OK) {
        goto done;
    }

    /* what stands in the zone begins with the oldest of it */

    z->sh->clock.last_id = 0;

    if (load.has_head) {
        z->sh->key[0] = load.head.key[0];
        z->sh->key[1] = load.head.key[1];

        /* its ids are places, whether or not one of them is loaded */

        z->sh->epochs[1] = load.head.epoch;
    }

    rc = ngx_http_longpoll_load_all(&load);

    if (rc != NGX_OK) {
        goto done;
    }

    for (i = 0; i < load.nnotes; i++) {

        if (load.notes[i].kind >= NGX_HTTP_LONGPOLL_NOTE_LOST) {
            ngx_http_longpoll_zone_load_loss(z, &load.notes[i], 0);
        }
    }

    ngx_http_longpoll_load_trust(&load);

    z->sh->disk.file_node = load.file_node;
    z->sh->disk.file_size = load.file_size;
    z->sh->disk.state_size = load.state_size;
    z->sh->disk.file_dead = (load.broken || load.unsorted || load.edited
                        || load.lost);

    /* what is new is later than all of it, even if the clock was set back */

    ngx_http_longpoll_zone_loaded(z, 1,
                                  ngx_max(load.now,
                                      ngx_http_longpoll_load_last(&load) + 1));

    if (load.fd != -1) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "longpoll zone \"%V\": loaded %ui of %ui events from "
                      "\"%s\"", &z->name, load.loaded, load.nlines,
                      load.name);
    }

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


/* -1: there is none, or it cannot be read */

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

        /* a note that is torn is the last one */

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
                      "longpoll zone \"%V\": \"%s\" is broken, and is "
                      "passed over", &load->zone->name, f->state);
    }

    ngx_free(buf);

    load->zone->sh->disk.contested = (rc != NGX_OK);

    return ngx_http_longpoll_load_entries(load);
}


/*
 * Whether somebody writes at this moment.  An nginx that has freed its port and
 * is about to end is waited for; the one that this is to take the place of is
 * not (a binary upgrade: it has handed over its sockets in the environment).
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
    uint64_t                         name, id, life;
    ngx_uint_t                       i;
    ngx_http_longpoll_note_t        *note;
    ngx_http_longpoll_uuid_t         uuid;
    ngx_http_longpoll_load_entry_t  *entry;

    /* two of a note at most */

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

        /* what is not loaded may have been the last one */

        if (note->kind <= NGX_HTTP_LONGPOLL_NOTE_KEY
            && ngx_http_longpoll_id_read(&uuid, &id, &life)
            && life == load->head.epoch)
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

        case NGX_HTTP_LONGPOLL_NOTE_TOMB:
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


/* goes over all lines; an empty one is none */

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
    uint64_t                        ms, id, life;
    ngx_int_t                       rc;
    ngx_uint_t                      max;
    ngx_http_longpoll_item_t        item;
    ngx_http_longpoll_uuid_t        uuid;
    ngx_http_longpoll_load_line_t  *line;

    /* somebody may have edited it */

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
                          "longpoll zone \"%V\": no event in \"%s\" line %ui, "
                          "it is passed over", &load->zone->name, load->name,
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

    load->own |= ngx_http_longpoll_id_read(&uuid, &id, &life);
    load->nlines++;

    if (load->nlines % 65536 == 0) {
        ngx_http_longpoll_load_talk(load, "read", load->nlines, 0);
    }

    return NGX_OK;
}


/* NGX_DECLINED: it is no event */

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
            ngx_http_longpoll_load_talk(load, "loaded", i + 1, load->nlines);
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

    /* lines that lie one behind the other come in one piece */

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

        /* it was good a moment ago, so somebody writes over it */

        load->broken++;
        return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    entry = ngx_http_longpoll_load_entry(load, &msg.uuid, 0);

    if (entry && entry->deleted) {
        return NGX_OK;
    }

    cat.name = item.category;
    ngx_http_longpoll_zone_name(load->zone, &cat);

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
 * What goes because of others comes back when these are gone themselves; but
 * its category knows.  Within a ms the places of the life that wrote it count.
 * Returns the id up to which it has lost everything, or 0: not this one.
 */

static uint64_t
ngx_http_longpoll_load_lost(ngx_http_longpoll_load_t *load,
    ngx_http_longpoll_cat_t *cat, uint64_t ms, ngx_http_longpoll_uuid_t *uuid)
{
    uint64_t                         id, life, last;
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
        || (ms == last && ngx_http_longpoll_id_read(uuid, &id, &life)
            && life == load->head.epoch && id <= entry->lost))
    {
        return entry->lost;
    }

    return 0;
}


static void
ngx_http_longpoll_load_talk(ngx_http_longpoll_load_t *load, const char *what,
    ngx_uint_t n, ngx_uint_t of)
{
    uint64_t  now;

    now = ngx_http_longpoll_load_clock();

    if (now - load->talked < NGX_HTTP_LONGPOLL_LOAD_TALK) {
        return;
    }

    load->talked = (ngx_msec_t) now;

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


/* which cursors of earlier lives may be believed */

static void
ngx_http_longpoll_load_trust(ngx_http_longpoll_load_t *load)
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

        /* whoever writes to it may end well, see ..._zone_alone() */

        if (sh->disk.contested) {
            sh->previous.end = sh->previous.valid_from - 1;
        }

        return;
    }

    /* losses that nobody can be named for have raised it */

    sh->previous.valid_from = ngx_max(load->head.trusted,
                          load->zone->sh->previous.lost_until);
    sh->previous.end = ngx_max(load->now, last);
}


/* the ms of the last id that is known to have been given out */

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


static uint64_t
ngx_http_longpoll_load_clock(void)
{
    struct timeval  tv;

    ngx_gettimeofday(&tv);

    return (uint64_t) tv.tv_sec * 1000 + tv.tv_usec / 1000;
}
