
/*
 * ngx_http_longpoll_sse.c: frames of an event stream, and the request for one.
 *
 *     events ──▶ missed?, event, event ...   one answer, which many share
 *     missed, place                          what a stream says by itself
 *     accepted                               whether a client asks for a stream
 *
 * A line of a stream ends at LF or CR.  Data have no LF (json), but may have a
 * CR between two tokens, which becomes a blank.
 */


#include "ngx_http_longpoll_sse.h"
#include "ngx_http_longpoll_golongpoll.h"


static ngx_uint_t ngx_http_longpoll_sse_named(u_char *p, u_char *last);
static u_char *ngx_http_longpoll_sse_end(u_char *p, u_char *last, u_char c);
static ngx_uint_t ngx_http_longpoll_sse_is_zero(u_char *p, u_char *last);
static u_char *ngx_http_longpoll_sse_trim(u_char *p, u_char **last);
static u_char *ngx_http_longpoll_sse_event(u_char *p, ngx_str_t *name,
    ngx_http_longpoll_msg_t *msg, uint64_t epoch);


static ngx_str_t  ngx_http_longpoll_sse_type = ngx_string("text/event-stream");

static ngx_str_t  ngx_http_longpoll_sse_missed_frame =
    ngx_string("event: missed\ndata: {\"missed\":true}\n\n");


/* bytes of an event's frame beside its line, which has one line end */

#define NGX_HTTP_LONGPOLL_SSE_AROUND                                          \
    (sizeof("id: \ndata: \n") - 1 + NGX_HTTP_LONGPOLL_ID_LEN)


ngx_uint_t
ngx_http_longpoll_sse_accepted(ngx_str_t *value)
{
    u_char  *p, *end, *last;

    last = value->data + value->len;

    for (p = value->data; p < last; p = end + 1) {
        end = ngx_http_longpoll_sse_end(p, last, ',');

        if (ngx_http_longpoll_sse_named(p, end)) {
            return 1;
        }
    }

    return 0;
}


/* whether a media range is text/event-stream, and its weight is not 0 */

static ngx_uint_t
ngx_http_longpoll_sse_named(u_char *p, u_char *last)
{
    u_char  *start, *end, *stop;

    end = ngx_http_longpoll_sse_end(p, last, ';');
    stop = end;
    start = ngx_http_longpoll_sse_trim(p, &stop);

    if ((size_t) (stop - start) != ngx_http_longpoll_sse_type.len
        || ngx_strncasecmp(start, ngx_http_longpoll_sse_type.data,
                           ngx_http_longpoll_sse_type.len)
           != 0)
    {
        return 0;
    }

    while (end < last) {
        p = end + 1;
        end = ngx_http_longpoll_sse_end(p, last, ';');
        stop = end;
        start = ngx_http_longpoll_sse_trim(p, &stop);

        if (stop - start > 2 && (start[0] | 0x20) == 'q' && start[1] == '=') {
            return !ngx_http_longpoll_sse_is_zero(start + 2, stop);
        }
    }

    return 1;
}


/* the first c that is in no quoted string, or last */

static u_char *
ngx_http_longpoll_sse_end(u_char *p, u_char *last, u_char c)
{
    ngx_uint_t  quoted;

    quoted = 0;

    for ( /* void */ ; p < last; p++) {

        if (*p == '"') {
            quoted = !quoted;

        } else if (quoted && *p == '\\' && p + 1 < last) {
            p++;

        } else if (!quoted && *p == c) {
            break;
        }
    }

    return p;
}


/* 0, 0., 0.0, ... */

static ngx_uint_t
ngx_http_longpoll_sse_is_zero(u_char *p, u_char *last)
{
    while (p < last && (*p == '0' || *p == '.')) {
        p++;
    }

    return p == last;
}


static u_char *
ngx_http_longpoll_sse_trim(u_char *p, u_char **last)
{
    while (p < *last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (p < *last && ((*last)[-1] == ' ' || (*last)[-1] == '\t')) {
        (*last)--;
    }

    return p;
}


size_t
ngx_http_longpoll_sse_event_cost(ngx_str_t *name)
{
    return NGX_HTTP_LONGPOLL_SSE_AROUND
           + ngx_http_longpoll_golongpoll_event_cost(name);
}


size_t
ngx_http_longpoll_sse_events_len(ngx_http_longpoll_cat_t *cats,
    ngx_http_longpoll_msg_t *msgs, ngx_uint_t n, ngx_uint_t missed)
{
    size_t      len;
    ngx_uint_t  i;

    len = missed ? ngx_http_longpoll_sse_missed_frame.len : 0;

    for (i = 0; i < n; i++) {
        len += NGX_HTTP_LONGPOLL_SSE_AROUND
               + ngx_http_longpoll_golongpoll_line_len(
                                                    &cats[msgs[i].cat].name,
                                                    &msgs[i], NULL);
    }

    return len;
}


u_char *
ngx_http_longpoll_sse_events(u_char *p, ngx_http_longpoll_cat_t *cats,
    ngx_http_longpoll_msg_t *msgs, ngx_uint_t n, ngx_uint_t missed,
    uint64_t epoch)
{
    ngx_uint_t  i;

    if (missed) {
        p = ngx_http_longpoll_sse_missed(p);
    }

    for (i = 0; i < n; i++) {
        p = ngx_http_longpoll_sse_event(p, &cats[msgs[i].cat].name, &msgs[i],
                                        epoch);
    }

    return p;
}


static u_char *
ngx_http_longpoll_sse_event(u_char *p, ngx_str_t *name,
    ngx_http_longpoll_msg_t *msg, uint64_t epoch)
{
    u_char                    *line;
    uint64_t                   id, other;
    ngx_http_longpoll_uuid_t   uuid;

    uuid = msg->uuid;

    if (!ngx_http_longpoll_id_read(&uuid, &id, &other)) {

        /* golongpoll wrote the event: its place stands for it */

        ngx_http_longpoll_id_uuid(&uuid, msg->id, epoch);
    }

    p = ngx_cpymem(p, "id: ", sizeof("id: ") - 1);
    p = ngx_http_longpoll_id_print(p, &uuid);
    p = ngx_cpymem(p, "\ndata: ", sizeof("\ndata: ") - 1);

    line = p;
    p = ngx_http_longpoll_golongpoll_line(p, name, msg, NULL);

    while ((line = memchr(line, CR, p - line)) != NULL) {
        *line++ = ' ';
    }

    *p++ = LF;

    return p;
}


u_char *
ngx_http_longpoll_sse_missed(u_char *p)
{
    return ngx_cpymem(p, ngx_http_longpoll_sse_missed_frame.data,
                      ngx_http_longpoll_sse_missed_frame.len);
}


u_char *
ngx_http_longpoll_sse_place(u_char *p, ngx_uint_t retry,
    const ngx_http_longpoll_uuid_t *uuid)
{
    if (retry) {
        p = ngx_sprintf(p, "retry: %ui\n", retry);
    }

    p = ngx_cpymem(p, "event: place\n", sizeof("event: place\n") - 1);

    if (uuid) {
        p = ngx_cpymem(p, "id: ", sizeof("id: ") - 1);
        p = ngx_http_longpoll_id_print(p, uuid);
        *p++ = LF;
    }

    return ngx_cpymem(p, "data: {}\n\n", sizeof("data: {}\n\n") - 1);
}
