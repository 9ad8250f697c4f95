
/*
 * ngx_http_longpoll_protocol_sse.c: streams of server-sent events.
 *
 *     GET ?category=farm                          Accept: text/event-stream
 *         ?category=farm&since_time=1616040198000
 *
 *     id: 0198...
 *     data: {"timestamp":...,"category":"farm","data":...,"id":...}
 *
 * The arguments are those of golongpoll's polls, but timeout may be left out.
 * A browser that comes back sends the last id that it has seen as the header
 * Last-Event-ID, which takes the place of since_time and last_id.
 */


#include "ngx_http_longpoll_protocol_sse.h"
#include "ngx_http_longpoll_arguments.h"
#include "ngx_http_longpoll_sse.h"


static ngx_uint_t ngx_http_longpoll_protocol_sse_wanted(ngx_http_request_t *r);
static ngx_int_t ngx_http_longpoll_protocol_sse_query(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_msec_t *timeout);
static ngx_table_elt_t *ngx_http_longpoll_protocol_sse_header(
    ngx_http_request_t *r, ngx_str_t *name, ngx_uint_t n);
static ngx_int_t ngx_http_longpoll_protocol_sse_head(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx);
static ngx_http_longpoll_shared_t *ngx_http_longpoll_protocol_sse_encode(
    ngx_http_longpoll_read_t *rd);


ngx_http_longpoll_protocol_t  ngx_http_longpoll_protocol_sse = {
    1,                                              /* streams */
    NULL,                                           /* stream */
    ngx_http_longpoll_protocol_sse_wanted,
    1,                                              /* shared */
    ngx_http_longpoll_protocol_sse_query,
    ngx_http_longpoll_protocol_sse_head,
    ngx_http_longpoll_sse_event_cost,
    ngx_http_longpoll_protocol_sse_encode,
    NULL,                                           /* send */
    NULL,                                           /* nothing */
    NULL,                                           /* unknown */
    ngx_http_longpoll_response_error,
    { NULL }
};


static ngx_str_t  ngx_http_longpoll_protocol_sse_accept = ngx_string("accept");
static ngx_str_t  ngx_http_longpoll_protocol_sse_last_event_id =
    ngx_string("last-event-id");

static ngx_http_longpoll_query_cache_t  ngx_http_longpoll_protocol_sse_cache;


static ngx_uint_t
ngx_http_longpoll_protocol_sse_wanted(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    for (i = 0; /* void */ ; i++) {
        h = ngx_http_longpoll_protocol_sse_header(r,
                                     &ngx_http_longpoll_protocol_sse_accept, i);
        if (h == NULL) {
            return 0;
        }

        if (ngx_http_longpoll_sse_accepted(&h->value)) {
            return 1;
        }
    }
}


static ngx_int_t
ngx_http_longpoll_protocol_sse_query(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_cursor_t *cursor,
    ngx_msec_t *timeout)
{
    ngx_str_t         id;
    ngx_table_elt_t  *h;

    ngx_str_null(&id);

    h = ngx_http_longpoll_protocol_sse_header(r,
                              &ngx_http_longpoll_protocol_sse_last_event_id, 0);
    if (h) {
        id = h->value;
    }

    return ngx_http_longpoll_arguments(r, ctx, cursor, timeout,
                                       &ngx_http_longpoll_protocol_sse_cache,
                                       &id);
}


/* the n-th header of this name, from 0; NULL: there are not so many */

static ngx_table_elt_t *
ngx_http_longpoll_protocol_sse_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_uint_t n)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == name->len
                && ngx_strncasecmp(h[i].key.data, name->data, name->len) == 0
                && n-- == 0)
            {
                return &h[i];
            }
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_longpoll_protocol_sse_head(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx)
{
    ctx->result = NGX_HTTP_LONGPOLL_NONE;

    return ngx_http_longpoll_response_stream(r);
}


static ngx_http_longpoll_shared_t *
ngx_http_longpoll_protocol_sse_encode(ngx_http_longpoll_read_t *rd)
{
    u_char                      *end;
    size_t                       len;
    ngx_http_longpoll_shared_t  *bytes;

    len = ngx_http_longpoll_sse_events_len(rd->cats, rd->msgs, rd->nmsgs,
                                           rd->missed);

    bytes = ngx_http_longpoll_shared_create(rd, len);

    if (bytes) {
        end = ngx_http_longpoll_sse_events(bytes->data, rd->cats, rd->msgs,
                                           rd->nmsgs, rd->missed, rd->epoch);
        ngx_http_longpoll_shared_chunk(bytes, end - bytes->data);
    }

    return bytes;
}
