
/*
 * ngx_http_longpoll_load_file.c: the files of a log, open to be read, and their
 * lines.
 *
 * In a binary upgrade the old nginx may make a base while this one reads.  It
 * renames the base to PATH, and then removes segments.  So the segments that
 * were listed belong to the PATH that was opened if PATH is still that file
 * once they are open; if not, all are opened again.
 *
 * A file is read in pieces, and not mapped: a process that cuts it would kill
 * this one.  A piece begins with the line that the last one broke off, and
 * grows if a single line needs it, up to the longest line that is wanted.  Of a
 * longer line only the length counts, and of a long one with a NUL byte.  So a
 * file without a line end takes no memory; and holes are not read.
 *
 * A line is one of these:
 *
 *     torn       it has a NUL byte, or no line end.  A power cut leaves such
 *                lines of what was not synced, so nobody was told of them.
 *                PATH was synced before it got its name: there a line is torn
 *                that has nothing but NULs, or that is long.
 *     control    as control.h draws them, where they may stand
 *     event      an event as golongpoll's file has it
 *     foreign    all else: it came from another program, or an editor
 *
 * A segment begins with an AFTER line of its epoch.  If that line is torn, the
 * whole segment never was synced.  Its events have ids of that epoch.
 *
 * PATH begins with a BASE line, or is not ours.  Then it may have events of any
 * program, in any order; and the last line may have no end, as golongpoll puts
 * line ends in front.
 *
 * An event is read twice, and yajl takes most of the time of a read.  So the
 * first read says where yajl found the members in the line, and the second uses
 * that, if the line still has as many bytes and the same sum of them: somebody
 * may have changed the file meanwhile.  What yajl does not check is checked
 * both times.
 */


#include "ngx_http_longpoll_load_file.h"
#include "ngx_http_longpoll_zone_msg.h"


#define NGX_HTTP_LONGPOLL_LOAD_FILE_TRIES  100
#define NGX_HTTP_LONGPOLL_LOAD_FILE_PIECE  (64 * 1024)

/* bytes of a line, at most: yajl reads a longer one as fast as it is summed */
#define NGX_HTTP_LONGPOLL_LOAD_FILE_SPANS  4096

/* bytes of a line, at most */
#define ngx_http_longpoll_load_file_max(z)  ((z)->size / 4 + 8192)


static ngx_int_t ngx_http_longpoll_load_file_add(
    ngx_http_longpoll_load_files_t *files, uint64_t number);
static ngx_int_t ngx_http_longpoll_load_file_next(
    ngx_http_longpoll_load_files_t *files);
static ngx_int_t ngx_http_longpoll_load_file_fill(
    ngx_http_longpoll_load_files_t *files);
static ngx_uint_t ngx_http_longpoll_load_file_hole(
    ngx_http_longpoll_load_files_t *files);
static void ngx_http_longpoll_load_file_control(
    ngx_http_longpoll_load_files_t *files, u_char *p, size_t len);
static ngx_int_t ngx_http_longpoll_load_file_event(
    ngx_http_longpoll_load_files_t *files, u_char *p, size_t len);
static ngx_int_t ngx_http_longpoll_load_file_json(
    ngx_http_longpoll_load_files_t *files, ngx_http_longpoll_json_line_t *json,
    u_char *p, size_t len);
static uint64_t ngx_http_longpoll_load_file_sum(u_char *p, size_t len);


ngx_int_t
ngx_http_longpoll_load_file_open(ngx_http_longpoll_load_files_t *files,
    ngx_http_longpoll_zone_t *z, ngx_log_t *log)
{
    uint64_t    *numbers;
    ngx_int_t    rc;
    ngx_uint_t   i, n, tries;
    struct stat  st;

    ngx_memzero(files, sizeof(ngx_http_longpoll_load_files_t));

    for (tries = 0; tries < NGX_HTTP_LONGPOLL_LOAD_FILE_TRIES; tries++) {
        ngx_http_longpoll_load_file_close(files);

        files->zone = z;
        files->size = NGX_HTTP_LONGPOLL_LOAD_FILE_PIECE;
        files->pool = ngx_create_pool(4096, log);
        files->scratch = ngx_create_pool(4096, log);

        if (files->pool == NULL || files->scratch == NULL
            || ngx_array_init(&files->files, files->pool, 8,
                              sizeof(ngx_http_longpoll_load_file_t))
               != NGX_OK
            || (files->buf = ngx_palloc(files->pool, files->size)) == NULL
            || ngx_http_longpoll_load_file_add(files, 0) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_memzero(&st, sizeof(struct stat));

        if (files->file->fd != -1 && fstat(files->file->fd, &st) == -1) {
            return NGX_ERROR;
        }

        files->node = st.st_ino;

        rc = ngx_http_longpoll_segment_list(z, &numbers, &n);

        for (i = 0; rc == NGX_OK && i < n; i++) {
            rc = ngx_http_longpoll_load_file_add(files, numbers[i]);
        }

        ngx_free(numbers);

        if (rc != NGX_OK
            || ngx_http_longpoll_segment_stat(z, NGX_HTTP_LONGPOLL_SEGMENT_PATH,
                                              &st)
               == NGX_ERROR)
        {
            return NGX_ERROR;
        }

        if (st.st_ino == files->node) {
            return NGX_OK;
        }
    }

    errno = EBUSY;

    return NGX_ERROR;
}


void
ngx_http_longpoll_load_file_close(ngx_http_longpoll_load_files_t *files)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_load_file_t  *file;

    file = files->files.elts;

    for (i = 0; i < files->files.nelts; i++) {

        if (file[i].fd != -1) {
            (void) close(file[i].fd);
        }
    }

    if (files->scratch) {
        ngx_destroy_pool(files->scratch);
    }

    if (files->pool) {
        ngx_destroy_pool(files->pool);
    }

    ngx_memzero(files, sizeof(ngx_http_longpoll_load_files_t));
}


static ngx_int_t
ngx_http_longpoll_load_file_add(ngx_http_longpoll_load_files_t *files,
    uint64_t number)
{
    ngx_http_longpoll_load_file_t  *file;

    file = ngx_array_push(&files->files);
    if (file == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(file, sizeof(ngx_http_longpoll_load_file_t));

    file->number = number;
    file->fd = ngx_http_longpoll_segment_open(files->zone, number, 0);

    ngx_http_longpoll_segment_suffix(file->suffix, number);

    files->file = file;

    /* there is no log yet; or the other nginx has removed the segment */

    return (file->fd == -1 && errno != ENOENT) ? NGX_ERROR : NGX_OK;
}


void
ngx_http_longpoll_load_file_seek(ngx_http_longpoll_load_files_t *files,
    ngx_uint_t i, uint64_t pos)
{
    ngx_http_longpoll_load_file_t  *file;

    file = files->files.elts;

    /* a piece has many lines, mostly in the order in which they are wanted */

    if (files->file != &file[i] || pos < files->pos
        || pos > files->pos + files->len)
    {
        files->file = &file[i];
        files->pos = pos;
        files->len = 0;
    }

    files->next = pos - files->pos;
    files->line.number = 0;
}


ngx_int_t
ngx_http_longpoll_load_file_read(ngx_http_longpoll_load_files_t *files)
{
    u_char                         *p;
    size_t                          len;
    ngx_int_t                       rc;
    ngx_http_longpoll_load_file_t  *file;
    ngx_http_longpoll_load_line_t  *line;

    rc = ngx_http_longpoll_load_file_next(files);

    if (rc != NGX_OK) {
        return rc;
    }

    file = files->file;
    line = &files->line;
    p = line->data;
    len = line->len;

    if (!line->whole && (file->number || file->head)) {
        line->torn = 1;

    } else if (line->torn && file->number == 0 && p
               && (p[0] != '\0' || ngx_memcmp(p, p + 1, len - 1) != 0))
    {
        line->torn = 0;
    }

    line->edited = line->torn;

    if (line->torn) {
        line->kind = NGX_HTTP_LONGPOLL_LINE_TORN;

        if (file->number && line->pos == 0) {

            /* the whole segment never was synced */

            files->pos = lseek(file->fd, 0, SEEK_END);
            files->len = 0;
            files->next = 0;
        }

        return NGX_OK;
    }

    if (p == NULL) {
        line->kind = NGX_HTTP_LONGPOLL_LINE_LONG;
        return NGX_OK;
    }

    if (line->pos == 0 && len >= 3 && ngx_memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        p += 3;
        len -= 3;
    }

    if (len && p[len - 1] == CR) {
        len--;
    }

    line->kind = NGX_HTTP_LONGPOLL_LINE_FOREIGN;
    line->edited = (len == 0 || len != line->len);

    if (len == 0) {
        line->kind = NGX_HTTP_LONGPOLL_LINE_BLANK;
        return NGX_OK;
    }

    if (ngx_http_longpoll_control_is(p, len)) {
        ngx_http_longpoll_load_file_control(files, p, len);
        return NGX_OK;
    }

    if (file->number && !file->head) {
        return NGX_OK;
    }

    return ngx_http_longpoll_load_file_event(files, p, len);
}


/* the next line, as bytes */

static ngx_int_t
ngx_http_longpoll_load_file_next(ngx_http_longpoll_load_files_t *files)
{
    u_char                         *p, *eol;
    size_t                          len, seen;
    ngx_int_t                       rc;
    ngx_uint_t                      nul;
    ngx_http_longpoll_load_line_t  *line;

    line = &files->line;
    line->pos = files->pos + files->next;
    line->data = files->buf;
    line->len = 0;
    line->torn = 0;

    rc = NGX_OK;
    seen = 0;

    for ( ;; ) {
        p = files->buf + files->next;
        len = files->len - files->next;
        eol = memchr(p + seen, LF, len - seen);

        if (eol) {
            len = eol - p;
        }

        nul = (memchr(p, '\0', len) != NULL);

        if (line->data == NULL
            || len > ngx_http_longpoll_load_file_max(files->zone)
            || (nul && len > NGX_HTTP_LONGPOLL_LOAD_FILE_PIECE))
        {
            /* only the length counts */

            line->data = NULL;
            line->len += len;
            line->torn |= nul;

            files->next += len;
            len = 0;
        }

        if (eol || rc == NGX_DONE) {
            break;
        }

        if (line->data == NULL) {
            line->torn |= ngx_http_longpoll_load_file_hole(files);
        }

        seen = len;
        rc = ngx_http_longpoll_load_file_fill(files);

        if (rc != NGX_OK && rc != NGX_DONE) {
            return rc;
        }
    }

    if (line->data) {
        line->data = p;
        line->len = len;
        line->torn = nul;
    }

    if (eol == NULL && line->len == 0) {
        return NGX_DONE;
    }

    line->whole = (eol != NULL);
    line->number++;

    files->next += len + line->whole;

    return NGX_OK;
}


/*
 * Drops what was read of the piece, and reads on.  NGX_OK, NGX_DONE at the end
 * of the file, NGX_DECLINED with errno, or NGX_ERROR: no memory.
 */

static ngx_int_t
ngx_http_longpoll_load_file_fill(ngx_http_longpoll_load_files_t *files)
{
    u_char   *buf;
    ssize_t   n;

    buf = files->buf;

    files->len -= files->next;
    files->pos += files->next;

    if (files->len == files->size) {
        buf = ngx_palloc(files->pool, 2 * files->size);
        if (buf == NULL) {
            return NGX_ERROR;
        }

        files->size *= 2;
    }

    ngx_memmove(buf, files->buf + files->next, files->len);

    files->buf = buf;
    files->next = 0;

    n = pread(files->file->fd, buf + files->len, files->size - files->len,
              files->pos + files->len);

    if (n == -1) {
        return NGX_DECLINED;
    }

    files->len += n;

    return n ? NGX_OK : NGX_DONE;
}


/* whether a hole is behind the piece: it is passed */

static ngx_uint_t
ngx_http_longpoll_load_file_hole(ngx_http_longpoll_load_files_t *files)
{
    off_t  data, last;

    last = files->pos + files->len;
    data = lseek(files->file->fd, last, SEEK_DATA);

    if (data == -1 && errno == ENXIO) {
        data = lseek(files->file->fd, 0, SEEK_END);
    }

    if (data <= last) {
        return 0;
    }

    files->pos = data;
    files->len = 0;
    files->next = 0;

    return 1;
}


/* line->kind becomes CONTROL if the line is one, and may stand there */

static void
ngx_http_longpoll_load_file_control(ngx_http_longpoll_load_files_t *files,
    u_char *p, size_t len)
{
    ngx_uint_t                      head;
    ngx_http_longpoll_control_t    *control;
    ngx_http_longpoll_load_file_t  *file;

    file = files->file;
    control = &files->line.control;

    /* times have 47 bits, as those of events, and numbers can grow */

    if (ngx_http_longpoll_control_parse(control, p, len) != NGX_OK
        || control->valid_from >> 47
        || (control->id | control->upto | control->lost | control->number)
           >> 63)
    {
        return;
    }

    head = (control->kind == (file->number ? NGX_HTTP_LONGPOLL_CONTROL_AFTER
                                           : NGX_HTTP_LONGPOLL_CONTROL_BASE));

    if (head && files->line.pos == 0 && files->line.whole) {
        file->head = 1;
        file->names = control->number;
        file->epoch = control->epoch;

    } else if (control->kind == NGX_HTTP_LONGPOLL_CONTROL_BASE
               || (control->kind == NGX_HTTP_LONGPOLL_CONTROL_AFTER && !head))
    {
        return;
    }

    if (file->head) {
        files->line.kind = NGX_HTTP_LONGPOLL_LINE_CONTROL;
    }
}


/* line->kind becomes EVENT or LARGE, or stays FOREIGN; NGX_ERROR: no memory */

static ngx_int_t
ngx_http_longpoll_load_file_event(ngx_http_longpoll_load_files_t *files,
    u_char *p, size_t len)
{
    off_t                            ms;
    uint64_t                         need;
    ngx_int_t                        rc;
    ngx_http_longpoll_msg_t         *msg;
    ngx_http_longpoll_json_line_t    json;
    ngx_http_longpoll_load_event_t  *event;

    event = &files->line.event;
    msg = &event->msg;

    ngx_reset_pool(files->scratch);

    rc = ngx_http_longpoll_load_file_json(files, &json, p, len);

    if (rc != NGX_OK) {
        return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    ngx_memzero(event, sizeof(ngx_http_longpoll_load_event_t));

    event->cat.name = json.item.category;
    msg->data = json.item.data;

    ms = ngx_atoof(json.timestamp.data, json.timestamp.len);

    if (ms == NGX_ERROR || ms >> 47
        || (json.id.data
            && ngx_http_longpoll_id_parse(json.id.data, json.id.len, &msg->uuid)
               != NGX_OK))
    {
        return NGX_OK;
    }

    event->ms = ms;
    event->own = ngx_http_longpoll_id_read(&msg->uuid, &msg->id, &event->epoch);

    if (ngx_http_longpoll_id_ms(msg->id) != event->ms) {
        msg->id = 0;
    }

    if (files->file->number
        && (msg->id == 0 || event->epoch != files->file->epoch))
    {
        return NGX_OK;
    }

    p = json.key.data;

    if (json.key.len != 2 * NGX_HTTP_LONGPOLL_ID_WORD_LEN
        || ngx_http_longpoll_id_parse_word(p, &event->key[0]) != NGX_OK
        || ngx_http_longpoll_id_parse_word(p + NGX_HTTP_LONGPOLL_ID_WORD_LEN,
                                           &event->key[1])
           != NGX_OK)
    {
        event->key[0] = 0;
    }

    need = ngx_http_longpoll_zone_msg_need(&event->cat, msg, event->key[0]
                                           ? NGX_HTTP_LONGPOLL_MSG_KEYED : 0);

    files->line.kind = (need > files->zone->size / 4
                        || msg->data.len > NGX_HTTP_LONGPOLL_MSG_MAX)
                       ? NGX_HTTP_LONGPOLL_LINE_LARGE
                       : NGX_HTTP_LONGPOLL_LINE_EVENT;

    return NGX_OK;
}


/* as ..._json_line(), if the spans of the members are not known */

static ngx_int_t
ngx_http_longpoll_load_file_json(ngx_http_longpoll_load_files_t *files,
    ngx_http_longpoll_json_line_t *json, u_char *p, size_t len)
{
    size_t                           pos;
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_http_longpoll_load_spans_t  *spans, *known;

    ngx_str_t  *members[NGX_HTTP_LONGPOLL_LOAD_MEMBERS] = {
        &json->item.category, &json->item.data, &json->timestamp, &json->id,
        &json->key
    };

    known = files->known;
    files->known = NULL;
    spans = &files->line.spans;

    if (known && known->len == len
        && known->sum == ngx_http_longpoll_load_file_sum(p, len))
    {
        for (i = 0; i < NGX_HTTP_LONGPOLL_LOAD_MEMBERS; i++) {
            pos = known->members[i].pos;
            members[i]->data = pos ? p + pos : NULL;
            members[i]->len = known->members[i].len;
        }

        return NGX_OK;
    }

    rc = ngx_http_longpoll_json_line(json, p, len, files->scratch);

    spans->len = 0;

    if (rc != NGX_OK || len > NGX_HTTP_LONGPOLL_LOAD_FILE_SPANS) {
        return rc;
    }

    for (i = 0; i < NGX_HTTP_LONGPOLL_LOAD_MEMBERS; i++) {
        pos = members[i]->data
              ? (uintptr_t) members[i]->data - (uintptr_t) p : 0;

        /* a category that was decoded is not in the line */

        if (pos >= len) {
            return NGX_OK;
        }

        spans->members[i].pos = pos;
        spans->members[i].len = members[i]->len;
    }

    spans->len = len;
    spans->sum = ngx_http_longpoll_load_file_sum(p, len);

    return NGX_OK;
}


/* of eight bytes at a time, and first the last eight: an event has more */

static uint64_t
ngx_http_longpoll_load_file_sum(u_char *p, size_t len)
{
    u_char    *last;
    uint64_t   sum, word;

    last = p + len - sizeof(word);

    ngx_memcpy(&word, last, sizeof(word));

    for (sum = 0; p <= last; p += sizeof(word)) {
        sum = (sum ^ word) * 0x9e3779b97f4a7c15;
        sum ^= sum >> 32;

        ngx_memcpy(&word, p, sizeof(word));
    }

    return sum ^ word;
}
