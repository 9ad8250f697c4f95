
/*
 * ngx_http_longpoll_body.c: the body of a publish -> categories and messages.
 *
 *                ┌─ longpoll_category: one message for each of its values,
 *   POST ─ body ─┤  and the body is their data: one JSON value, or text
 *                └─ otherwise the body is JSON: an object of category and data,
 *                   or an array of them, each a message
 *
 * A body usually lies in one buffer, and the data of its messages points into
 * it.  A body in several buffers or in a file is put together first.  Text, and
 * data that is stored in other words (json's _normalize), are copied as well.
 */


#include "ngx_http_longpoll_body.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_escape.h"
#include "ngx_http_longpoll_json.h"
#include "ngx_http_longpoll_zone.h"


static ngx_int_t ngx_http_longpoll_body_read(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_longpoll_body_copy(ngx_http_request_t *r, u_char *p);
static ngx_int_t ngx_http_longpoll_body_for_configured(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_batch_t *batch,
    ngx_str_t *body, ngx_str_t *error);
static ngx_uint_t ngx_http_longpoll_body_is_json(ngx_http_request_t *r);
static ngx_int_t ngx_http_longpoll_body_text(ngx_http_request_t *r,
    ngx_str_t *data, ngx_str_t *body, ngx_str_t *error);
static ngx_int_t ngx_http_longpoll_body_parse(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_batch_t *batch,
    ngx_str_t *body, ngx_str_t *error);


ngx_int_t
ngx_http_longpoll_body_batch(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_batch_t *batch,
    ngx_str_t *error)
{
    ngx_int_t                      rc;
    ngx_str_t                      body;
    ngx_http_longpoll_loc_conf_t  *llcf;

    if (ngx_http_longpoll_body_read(r, &body) != NGX_OK) {
        return NGX_ERROR;
    }

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    ngx_str_null(error);

    rc = llcf->category
             ? ngx_http_longpoll_body_for_configured(r, z, batch, &body, error)
             : ngx_http_longpoll_body_parse(r, z, batch, &body, error);

    /* NGX_ERROR with a text: the body is invalid; without one: no memory */

    return (rc == NGX_ERROR && error->len) ? NGX_DECLINED : rc;
}


/* the body in one piece: where nginx has it, or a copy */

static ngx_int_t
ngx_http_longpoll_body_read(ngx_http_request_t *r, ngx_str_t *body)
{
    off_t         more;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_str_set(body, "");

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    b = r->request_body->bufs->buf;
    more = 0;

    for (cl = r->request_body->bufs->next; cl; cl = cl->next) {
        more += ngx_buf_size(cl->buf);
    }

    if (more == 0 && !b->in_file) {

        if (b->pos < b->last) {
            body->data = b->pos;
            body->len = b->last - b->pos;
        }

        return NGX_OK;
    }

    body->len = (size_t) (ngx_buf_size(b) + more);
    body->data = ngx_pnalloc(r->pool, body->len);
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_longpoll_body_copy(r, body->data);
}


/* copies the buffers of the body, in memory or in a file, to p */

static ngx_int_t
ngx_http_longpoll_body_copy(ngx_http_request_t *r, u_char *p)
{
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        /* the last one of a chunked body: neither in memory nor in a file */

        if (ngx_buf_special(b)) {
            continue;
        }

        if (!b->in_file) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        n = ngx_read_file(b->file, p, (size_t) (b->file_last - b->file_pos),
                          b->file_pos);

        if (n != b->file_last - b->file_pos) {

            if (n != NGX_ERROR) {
                ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                              "longpoll: read only %z bytes of a "
                              "request body's temporary file", n);
            }

            return NGX_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}


/* one message for each configured category; the body is the data of all */

static ngx_int_t
ngx_http_longpoll_body_for_configured(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_batch_t *batch,
    ngx_str_t *body, ngx_str_t *error)
{
    ngx_int_t   rc;
    ngx_str_t   data;
    ngx_uint_t  i;

    rc = ngx_http_longpoll_category_read(r, z, &batch->cats, &batch->ncats,
                                         error);
    if (rc != NGX_OK) {

        if (rc == NGX_DECLINED) {
            *error = ngx_http_longpoll_json_bad_category;
        }

        return rc == NGX_ABORT ? NGX_DECLINED : rc;
    }

    if (ngx_http_longpoll_body_is_json(r)) {
        rc = ngx_http_longpoll_json_data(&data, body->data, body->len, r->pool,
                                         error);
        if (rc == NGX_OK) {
            rc = ngx_http_longpoll_json_normalize(&data, r->pool);
        }

    } else {
        rc = ngx_http_longpoll_body_text(r, &data, body, error);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    batch->nmsgs = batch->ncats;

    if (ngx_http_longpoll_batch_alloc(batch, r->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < batch->nmsgs; i++) {
        batch->msgs[i].cat = i;
        batch->msgs[i].data = data;
    }

    return NGX_OK;
}


/*
 * Whether the body is JSON: as "format" says, otherwise if the Content-Type is
 * application/json or ends in +json.
 */

static ngx_uint_t
ngx_http_longpoll_body_is_json(ngx_http_request_t *r)
{
    size_t                         len;
    u_char                        *p, *last;
    ngx_table_elt_t               *type;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    if (llcf->format != NGX_HTTP_LONGPOLL_FORMAT_AUTO) {
        return llcf->format == NGX_HTTP_LONGPOLL_FORMAT_JSON;
    }

    type = r->headers_in.content_type;

    if (type == NULL) {
        return 0;
    }

    p = type->value.data;
    last = ngx_strlchr(p, p + type->value.len, ';');

    if (last == NULL) {
        last = p + type->value.len;
    }

    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    len = last - p;

    return (len == sizeof("application/json") - 1
            && ngx_strncasecmp(p, (u_char *) "application/json", len) == 0)
           || (len > sizeof("+json") - 1
               && ngx_strncasecmp(last - (sizeof("+json") - 1),
                                  (u_char *) "+json", sizeof("+json") - 1)
                  == 0);
}


/* data: the text as a JSON string */

static ngx_int_t
ngx_http_longpoll_body_text(ngx_http_request_t *r, ngx_str_t *data,
    ngx_str_t *body, ngx_str_t *error)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   valid;

    len = ngx_http_longpoll_escape_len(body, &valid);

    if (!valid) {
        *error = ngx_http_longpoll_json_bad_body;
        return NGX_ERROR;
    }

    data->len = len + 2;
    data->data = ngx_pnalloc(r->pool, data->len);
    if (data->data == NULL) {
        return NGX_ERROR;
    }

    p = data->data;
    *p++ = '"';
    p = ngx_http_longpoll_escape(p, body, len);
    *p = '"';

    return NGX_OK;
}


/* the body is an object of category and data, or an array of them */

static ngx_int_t
ngx_http_longpoll_body_parse(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_batch_t *batch,
    ngx_str_t *body, ngx_str_t *error)
{
    ngx_uint_t                 i, n;
    ngx_http_longpoll_item_t   item, *items;

    if (ngx_http_longpoll_json_parse(&items, &n, &item, body->data, body->len,
                                     r->pool, error)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (ngx_http_longpoll_json_normalize(&items[i].data, r->pool)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_longpoll_batch_items(batch, z, items, n, r->pool);
}
