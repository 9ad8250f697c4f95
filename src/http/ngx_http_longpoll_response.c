
/*
 * ngx_http_longpoll_response.c: sends an answer.
 *
 * The headers are those of golongpoll.  No answer may be cached, and all but
 * those to a POST say so, since caches store no answer to a POST.  The same
 * headers may be there already, from a backend that sent the request here by
 * X-Accel-Redirect; they are removed.
 *
 * Cache-Control goes into the list of headers only, not into
 * r->headers_out.cache_control: the directive "expires" of a server would
 * replace it there.  If that adds a Cache-Control of its own, no-store still
 * wins (RFC 9111, section 5.2.2.5).
 */


#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_golongpoll.h"
#include "ngx_http_longpoll_unsent.h"


static ngx_int_t ngx_http_longpoll_response_bytes(ngx_http_request_t *r,
    ngx_http_longpoll_shared_t *shared, ngx_str_t *type);
static void ngx_http_longpoll_response_release(void *data);
static ngx_int_t ngx_http_longpoll_response_to_head_of(ngx_http_request_t *r,
    ngx_str_t *type);
static ngx_int_t ngx_http_longpoll_response_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *type, ngx_str_t *body);
static ngx_int_t ngx_http_longpoll_response_set_headers(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *type, size_t len);
static void ngx_http_longpoll_response_clean(ngx_http_request_t *r);


static ngx_str_t  ngx_http_longpoll_response_type =
    ngx_string("application/json");

static ngx_str_t  ngx_http_longpoll_response_plain_type =
    ngx_string("text/plain; charset=utf-8");

static ngx_str_t  ngx_http_longpoll_response_stream_type =
    ngx_string("text/event-stream");

/* nginx's versions have other members behind the value: they are 0 */

#define ngx_http_longpoll_response_header(name, text)                         \
    { .hash = 1, .key = ngx_string(name), .value = ngx_string(text) }

static ngx_table_elt_t  ngx_http_longpoll_response_fixed[] = {
    ngx_http_longpoll_response_header("X-Content-Type-Options", "nosniff"),
    ngx_http_longpoll_response_header("Cache-Control",
                                      "no-cache, no-store, must-revalidate"),
    ngx_http_longpoll_response_header("Pragma", "no-cache"),
    ngx_http_longpoll_response_header("Expires", "0")
};

#define NGX_HTTP_LONGPOLL_RESPONSE_FIXED                                      \
    (sizeof(ngx_http_longpoll_response_fixed) / sizeof(ngx_table_elt_t))


ngx_int_t
ngx_http_longpoll_response_shared(ngx_http_request_t *r,
    ngx_http_longpoll_shared_t *shared)
{
    return ngx_http_longpoll_response_bytes(r, shared,
                                            &ngx_http_longpoll_response_type);
}


ngx_int_t
ngx_http_longpoll_response_plain_shared(ngx_http_request_t *r,
    ngx_http_longpoll_shared_t *shared)
{
    return ngx_http_longpoll_response_bytes(r, shared,
                                       &ngx_http_longpoll_response_plain_type);
}


static ngx_int_t
ngx_http_longpoll_response_bytes(ngx_http_request_t *r,
    ngx_http_longpoll_shared_t *shared, ngx_str_t *type)
{
    ngx_int_t            rc;
    ngx_str_t            body;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        ngx_http_longpoll_shared_release(shared);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_longpoll_response_release;
    cln->data = shared;

    body.len = shared->len;
    body.data = shared->data;

    rc = ngx_http_longpoll_response_send(r, NGX_HTTP_OK, type, &body);

    /* a client that has not taken all; a subrequest does not tell */

    if (rc == NGX_AGAIN
        || (rc == NGX_OK && r != r->main && !r->header_only))
    {
        if (ngx_http_longpoll_unsent_add(r, shared) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return rc;
}


static void
ngx_http_longpoll_response_release(void *data)
{
    ngx_http_longpoll_shared_release(data);
}


ngx_int_t
ngx_http_longpoll_response_json(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    return ngx_http_longpoll_response_send(r, status,
                                           &ngx_http_longpoll_response_type,
                                           body);
}


ngx_int_t
ngx_http_longpoll_response_success(ngx_http_request_t *r)
{
    ngx_str_t  body;

    ngx_str_set(&body, "{\"success\": true}");

    return ngx_http_longpoll_response_json(r, NGX_HTTP_OK, &body);
}


ngx_int_t
ngx_http_longpoll_response_typed(ngx_http_request_t *r, ngx_str_t *type,
    ngx_str_t *body)
{
    return ngx_http_longpoll_response_send(r, NGX_HTTP_OK, type, body);
}


ngx_int_t
ngx_http_longpoll_response_plain(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    ngx_int_t  rc;
    ngx_str_t  key;

    if (status != NGX_HTTP_NO_CONTENT) {
        return ngx_http_longpoll_response_send(r, status,
                                       &ngx_http_longpoll_response_plain_type,
                                       body);
    }

    rc = ngx_http_longpoll_response_set_headers(r, status,
                                       &ngx_http_longpoll_response_plain_type,
                                       0);
    if (rc != NGX_OK) {
        return rc;
    }

    /* nginx removes the type of a 204 */

    ngx_str_set(&key, "Content-Type");

    if (ngx_http_longpoll_response_add_header(r, &key,
                                       &ngx_http_longpoll_response_plain_type)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->header_only = 1;

    return ngx_http_send_header(r);
}


ngx_int_t
ngx_http_longpoll_response_to_head(ngx_http_request_t *r)
{
    return ngx_http_longpoll_response_to_head_of(r,
                                       &ngx_http_longpoll_response_type);
}


ngx_int_t
ngx_http_longpoll_response_plain_to_head(ngx_http_request_t *r)
{
    return ngx_http_longpoll_response_to_head_of(r,
                                       &ngx_http_longpoll_response_plain_type);
}


static ngx_int_t
ngx_http_longpoll_response_to_head_of(ngx_http_request_t *r, ngx_str_t *type)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_response_set_headers(r, NGX_HTTP_OK, type, 0);
    if (rc != NGX_OK) {
        return rc;
    }

    /* the length of a GET's answer is not known: it would wait for an event */

    r->headers_out.content_length_n = -1;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


ngx_int_t
ngx_http_longpoll_response_stream(ngx_http_request_t *r)
{
    ngx_int_t  rc;
    ngx_str_t  key, value;

    rc = ngx_http_longpoll_response_set_headers(r, NGX_HTTP_OK,
                                      &ngx_http_longpoll_response_stream_type,
                                      0);
    if (rc != NGX_OK) {
        return rc;
    }

    /* for a proxy in front of nginx, which may be nginx */

    ngx_str_set(&key, "X-Accel-Buffering");
    ngx_str_set(&value, "no");

    if (ngx_http_longpoll_response_add_header(r, &key, &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.content_length_n = -1;

    return ngx_http_send_header(r);
}


ngx_int_t
ngx_http_longpoll_response_error(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *text)
{
    ngx_str_t  body;

    body.len = ngx_http_longpoll_golongpoll_error_len(text);
    body.data = ngx_pnalloc(r->pool, body.len);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) ngx_http_longpoll_golongpoll_error(body.data, text);

    return ngx_http_longpoll_response_json(r, status, &body);
}


ngx_int_t
ngx_http_longpoll_response_method(ngx_http_request_t *r, ngx_str_t *allow,
    ngx_str_t *text)
{
    ngx_int_t  rc;
    ngx_str_t  key;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_str_set(&key, "Allow");

    if (ngx_http_longpoll_response_add_header(r, &key, allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method != NGX_HTTP_OPTIONS) {
        return ngx_http_longpoll_response_error(r, NGX_HTTP_NOT_ALLOWED, text);
    }

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


ngx_int_t
ngx_http_longpoll_response_add_header(ngx_http_request_t *r, ngx_str_t *key,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key = *key;
    h->value = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_response_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *body)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    rc = ngx_http_longpoll_response_set_headers(r, status, type, body->len);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    if (body->len == 0) {
        return ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->start = body->data;
    b->pos = body->data;
    b->last = body->data + body->len;
    b->end = b->last;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_output_filter(r, &out);

    ngx_http_longpoll_point("sent");

    return rc;
}


static ngx_int_t
ngx_http_longpoll_response_set_headers(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, size_t len)
{
    ngx_uint_t        i, n;
    ngx_table_elt_t  *h;

    if (r->headers_out.headers.part.nelts) {
        ngx_http_longpoll_response_clean(r);
    }

    /* to a POST only the first, nosniff */

    n = (r->method == NGX_HTTP_POST) ? 1 : NGX_HTTP_LONGPOLL_RESPONSE_FIXED;

    for (i = 0; i < n; i++) {
        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        *h = ngx_http_longpoll_response_fixed[i];
    }

    /* an answer has no date or tag that a conditional request could name */

    r->disable_not_modified = 1;

    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_null(&r->headers_out.charset);

    /*
     * Filters compare the type without its charset, and the charset filter adds
     * none to an answer that has one, as with an upstream.
     */

    if (type != &ngx_http_longpoll_response_type
        && type != &ngx_http_longpoll_response_stream_type)
    {
        r->headers_out.content_type_len = type->len
                                          - (sizeof("; charset=utf-8") - 1);
        ngx_str_set(&r->headers_out.charset, "utf-8");
    }

    return NGX_OK;
}


/* removes the same headers that another module has set */

static void
ngx_http_longpoll_response_clean(ngx_http_request_t *r)
{
    ngx_str_t        *key;
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            for (n = 0; n < NGX_HTTP_LONGPOLL_RESPONSE_FIXED; n++) {
                key = &ngx_http_longpoll_response_fixed[n].key;

                if (h[i].key.len == key->len
                    && ngx_strncasecmp(h[i].key.data, key->data, key->len) == 0)
                {
                    h[i].hash = 0;
                }
            }
        }
    }

    r->headers_out.expires = NULL;

#if (nginx_version >= 1023000)
    r->headers_out.cache_control = NULL;
#else
    r->headers_out.cache_control.nelts = 0;
#endif
}
