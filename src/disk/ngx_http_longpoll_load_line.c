
/*
 * ngx_http_longpoll_load_line.c: what a line of a log is.
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
 */


#include "ngx_http_longpoll_load_line.h"
#include "ngx_http_longpoll_json.h"
#include "ngx_http_longpoll_zone_msg.h"


static void ngx_http_longpoll_load_line_look(
    ngx_http_longpoll_load_line_t *line, ngx_str_t *text,
    ngx_http_longpoll_load_bytes_t *bytes, ngx_http_longpoll_load_file_t *file);
static ngx_uint_t ngx_http_longpoll_load_line_has_text(
    ngx_http_longpoll_load_bytes_t *bytes);
static void ngx_http_longpoll_load_line_control(
    ngx_http_longpoll_load_line_t *line, ngx_str_t *text, ngx_uint_t first,
    ngx_http_longpoll_load_file_t *file);
static ngx_uint_t ngx_http_longpoll_load_line_sane(
    ngx_http_longpoll_control_t *control);
static ngx_int_t ngx_http_longpoll_load_line_members(
    ngx_http_longpoll_load_event_t *event,
    ngx_http_longpoll_json_line_t *json);


ngx_int_t
ngx_http_longpoll_load_line_read(ngx_http_longpoll_load_line_t *line,
    ngx_http_longpoll_load_bytes_t *bytes, ngx_http_longpoll_load_file_t *file,
    ngx_http_longpoll_zone_t *z, ngx_pool_t *pool)
{
    ngx_int_t                        rc;
    ngx_str_t                        text;
    ngx_uint_t                       first;
    ngx_http_longpoll_load_event_t  *event;

    ngx_http_longpoll_load_line_look(line, &text, bytes, file);

    first = (bytes->number == 1);

    if (first && line->kind == NGX_HTTP_LONGPOLL_LINE_TORN) {
        file->head = NGX_HTTP_LONGPOLL_HEAD_TORN;
    }

    if (file->number && file->head == NGX_HTTP_LONGPOLL_HEAD_TORN) {
        line->kind = NGX_HTTP_LONGPOLL_LINE_TORN;
    }

    if (line->kind != NGX_HTTP_LONGPOLL_LINE_FOREIGN) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_control_is(text.data, text.len)) {
        ngx_http_longpoll_load_line_control(line, &text,
                                            first && bytes->whole, file);
        return NGX_OK;
    }

    if (file->number && file->head != NGX_HTTP_LONGPOLL_HEAD_OURS) {
        return NGX_OK;
    }

    rc = ngx_http_longpoll_load_line_event(line, text.data, text.len, z, pool);

    event = &line->event;

    if (rc == NGX_OK && file->number
        && (event->id == 0 || event->epoch != file->epoch))
    {
        line->kind = NGX_HTTP_LONGPOLL_LINE_FOREIGN;
    }

    return rc;
}


/* BLANK, TORN, LONG; or FOREIGN, as long as its text was not read */

static void
ngx_http_longpoll_load_line_look(ngx_http_longpoll_load_line_t *line,
    ngx_str_t *text, ngx_http_longpoll_load_bytes_t *bytes,
    ngx_http_longpoll_load_file_t *file)
{
    line->edited = 0;
    ngx_str_null(text);

    if ((bytes->torn && !(file->number == 0
                          && ngx_http_longpoll_load_line_has_text(bytes)))
        || (!bytes->whole
            && (file->number || file->head == NGX_HTTP_LONGPOLL_HEAD_OURS)))
    {
        line->kind = NGX_HTTP_LONGPOLL_LINE_TORN;
        return;
    }

    if (bytes->data == NULL) {
        line->kind = NGX_HTTP_LONGPOLL_LINE_LONG;
        return;
    }

    text->data = bytes->data;
    text->len = bytes->len;

    if (bytes->pos == 0 && text->len >= 3
        && ngx_memcmp(text->data, "\xef\xbb\xbf", 3) == 0)
    {
        text->data += 3;
        text->len -= 3;
        line->edited = 1;
    }

    if (text->len && text->data[text->len - 1] == CR) {
        text->len--;
        line->edited = 1;
    }

    line->kind = text->len ? NGX_HTTP_LONGPOLL_LINE_FOREIGN
                           : NGX_HTTP_LONGPOLL_LINE_BLANK;
}


/* whether a line with a NUL byte has others, and is short enough to be kept */

static ngx_uint_t
ngx_http_longpoll_load_line_has_text(ngx_http_longpoll_load_bytes_t *bytes)
{
    uint64_t  i;

    for (i = 0; bytes->data && i < bytes->len; i++) {

        if (bytes->data[i] != '\0') {
            return 1;
        }
    }

    return 0;
}


/* line->kind becomes CONTROL if the line is one, and may stand there */

static void
ngx_http_longpoll_load_line_control(ngx_http_longpoll_load_line_t *line,
    ngx_str_t *text, ngx_uint_t first, ngx_http_longpoll_load_file_t *file)
{
    ngx_uint_t                    head;
    ngx_http_longpoll_control_t  *control;

    control = &line->control;

    if (ngx_http_longpoll_control_parse(control, text->data, text->len)
        != NGX_OK
        || !ngx_http_longpoll_load_line_sane(control))
    {
        return;
    }

    head = (control->kind == (file->number ? NGX_HTTP_LONGPOLL_CONTROL_AFTER
                                           : NGX_HTTP_LONGPOLL_CONTROL_BASE));
    if (first && head) {
        file->head = NGX_HTTP_LONGPOLL_HEAD_OURS;
        file->epoch = control->epoch;
        file->names = control->number;

    } else if (control->kind == NGX_HTTP_LONGPOLL_CONTROL_BASE
               || (control->kind == NGX_HTTP_LONGPOLL_CONTROL_AFTER && !head))
    {
        return;
    }

    if (file->head == NGX_HTTP_LONGPOLL_HEAD_OURS) {
        line->kind = NGX_HTTP_LONGPOLL_LINE_CONTROL;
    }
}


/* whether times have 47 bits, as those of events, and numbers can grow */

static ngx_uint_t
ngx_http_longpoll_load_line_sane(ngx_http_longpoll_control_t *control)
{
    return control->valid_from >> 47 == 0
           && (control->id | control->upto | control->lost | control->number)
              >> 63 == 0;
}


ngx_int_t
ngx_http_longpoll_load_line_event(ngx_http_longpoll_load_line_t *line,
    u_char *p, size_t len, ngx_http_longpoll_zone_t *z, ngx_pool_t *pool)
{
    uint64_t                         need;
    ngx_int_t                        rc;
    ngx_uint_t                       bits;
    ngx_http_longpoll_msg_t          msg;
    ngx_http_longpoll_json_line_t    json;
    ngx_http_longpoll_load_event_t  *event;

    ngx_reset_pool(pool);

    event = &line->event;
    line->kind = NGX_HTTP_LONGPOLL_LINE_FOREIGN;

    rc = ngx_http_longpoll_json_line(&json, p, len, pool);

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_load_line_members(event, &json);
    }

    if (rc != NGX_OK) {
        return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    bits = event->key[0] ? NGX_HTTP_LONGPOLL_MSG_KEYED : 0;
    msg.data = event->data;
    need = ngx_http_longpoll_zone_msg_need(&event->cat, &msg, bits);

    line->kind = (need > z->size / 4
                  || msg.data.len > NGX_HTTP_LONGPOLL_MSG_MAX)
                 ? NGX_HTTP_LONGPOLL_LINE_LARGE : NGX_HTTP_LONGPOLL_LINE_EVENT;

    return NGX_OK;
}


/* NGX_OK; NGX_DECLINED: one of them is not what it must be */

static ngx_int_t
ngx_http_longpoll_load_line_members(ngx_http_longpoll_load_event_t *event,
    ngx_http_longpoll_json_line_t *json)
{
    off_t  ms;

    ngx_memzero(event, sizeof(ngx_http_longpoll_load_event_t));

    event->cat.name = json->item.category;
    event->data = json->item.data;

    ms = ngx_atoof(json->timestamp.data, json->timestamp.len);

    if (ms == NGX_ERROR || ms >> 47) {
        return NGX_DECLINED;
    }

    event->ms = ms;

    if (json->id.data
        && ngx_http_longpoll_id_parse(json->id.data, json->id.len,
                                      &event->uuid)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    event->own = ngx_http_longpoll_id_read(&event->uuid, &event->id,
                                           &event->epoch);

    if (ngx_http_longpoll_id_ms(event->id) != event->ms) {
        event->id = 0;
    }

    if (json->key.len != 2 * NGX_HTTP_LONGPOLL_ID_WORD_LEN
        || ngx_http_longpoll_id_parse_word(json->key.data, &event->key[0])
           != NGX_OK
        || ngx_http_longpoll_id_parse_word(json->key.data
                                           + NGX_HTTP_LONGPOLL_ID_WORD_LEN,
                                           &event->key[1])
           != NGX_OK)
    {
        event->key[0] = 0;
    }

    return NGX_OK;
}
