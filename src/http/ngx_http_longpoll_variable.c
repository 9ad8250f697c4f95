
/*
 * ngx_http_longpoll_variable.c: the variables $longpoll_...
 *
 *   $longpoll_category     the categories of the request, joined by ","
 *   $longpoll_result       how the request ended
 *   $longpoll_events       how many events were sent or stored
 *   $longpoll_event_id     the id of the last of these events
 *   $longpoll_cursor_NAME  a last_id that stands for now in zone NAME; set in
 *                          requests of any location
 *
 * The client chooses the names of categories.  Control characters in them are
 * escaped, so that the variable can be used in a header or in a log; so is `%`,
 * so that two names never look alike.
 */


#include "ngx_http_longpoll_variable.h"
#include "ngx_http_longpoll_id.h"
#include "ngx_http_longpoll_zone_feed.h"
#include "ngx_http_longpoll_zone_status.h"


static ngx_int_t ngx_http_longpoll_variable_category(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static u_char *ngx_http_longpoll_variable_escape(u_char *p, ngx_str_t *name);
static void ngx_http_longpoll_variable_set(ngx_http_variable_value_t *v,
    u_char *data, size_t len);
static ngx_int_t ngx_http_longpoll_variable_result(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_longpoll_variable_events(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_longpoll_variable_event_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_longpoll_variable_cursor(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_longpoll_variable_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_longpoll_uuid_t *uuid);


static ngx_http_variable_t  ngx_http_longpoll_variables[] = {

    { ngx_string("longpoll_category"), NULL,
      ngx_http_longpoll_variable_category, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("longpoll_result"), NULL,
      ngx_http_longpoll_variable_result, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("longpoll_events"), NULL,
      ngx_http_longpoll_variable_events, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("longpoll_event_id"), NULL,
      ngx_http_longpoll_variable_event_id, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("longpoll_cursor_"), NULL,
      ngx_http_longpoll_variable_cursor, 0,
      NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX, 0 },

      ngx_http_null_variable
};


/* in the order of ngx_http_longpoll_result_e */

static ngx_str_t  ngx_http_longpoll_variable_results[] = {
    ngx_null_string,
    ngx_string("events"),
    ngx_string("timeout"),
    ngx_string("closing"),
    ngx_string("gone"),
    ngx_string("error"),
    ngx_string("published"),
    ngx_string("deleted"),
    ngx_string("registered")
};


ngx_int_t
ngx_http_longpoll_variable_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_longpoll_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_variable_category(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                   *p, *start;
    size_t                    len;
    ngx_uint_t                i;
    ngx_http_longpoll_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    if (ctx == NULL || ctx->ncats == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    len = ctx->ncats - 1;

    for (i = 0; i < ctx->ncats; i++) {
        len += 3 * ctx->cats[i].name.len;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    start = p;

    for (i = 0; i < ctx->ncats; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_http_longpoll_variable_escape(p, &ctx->cats[i].name);
    }

    ngx_http_longpoll_variable_set(v, start, p - start);

    return NGX_OK;
}


static u_char *
ngx_http_longpoll_variable_escape(u_char *p, ngx_str_t *name)
{
    u_char  *s, *last;

    last = name->data + name->len;

    for (s = name->data; s < last; s++) {

        if (*s < 0x20 || *s == 0x7f || *s == '%') {
            p = ngx_sprintf(p, "%%%02Xd", (ngx_int_t) *s);

        } else {
            *p++ = *s;
        }
    }

    return p;
}


static ngx_int_t
ngx_http_longpoll_variable_result(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                *result;
    ngx_http_longpoll_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    if (ctx == NULL || ctx->result == NGX_HTTP_LONGPOLL_NONE) {
        v->not_found = 1;
        return NGX_OK;
    }

    result = &ngx_http_longpoll_variable_results[ctx->result];

    ngx_http_longpoll_variable_set(v, result->data, result->len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_variable_events(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                   *p;
    ngx_http_longpoll_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    if (ctx == NULL || ctx->result == NGX_HTTP_LONGPOLL_NONE) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_http_longpoll_variable_set(v, p,
                                   ngx_sprintf(p, "%ui", ctx->nevents) - p);

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_variable_event_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_longpoll_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    if (ctx == NULL || ctx->last.high == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_longpoll_variable_id(r, v, &ctx->last);
}


static ngx_int_t
ngx_http_longpoll_variable_cursor(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t *name = (ngx_str_t *) data;

    size_t                          skip;
    ngx_uint_t                      i;
    ngx_http_longpoll_uuid_t        uuid;
    ngx_http_longpoll_zone_t       *z;
    ngx_http_longpoll_reference_t  *ref;
    ngx_http_longpoll_main_conf_t  *lmcf;

    lmcf = ngx_http_get_module_main_conf(r, ngx_http_longpoll_module);

    skip = sizeof("longpoll_cursor_") - 1;
    ref = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {
        z = ref[i].zone;

        if (z->name.len == name->len - skip
            && ngx_strncasecmp(z->name.data, name->data + skip, z->name.len)
               == 0)
        {
            if (z->cluster && !ngx_http_longpoll_zone_feed_is_synced(z)) {
                break;
            }

            ngx_http_longpoll_zone_status_cursor(z, &uuid);

            return ngx_http_longpoll_variable_id(r, v, &uuid);
        }
    }

    v->not_found = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_variable_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_longpoll_uuid_t *uuid)
{
    u_char  *data;

    data = ngx_pnalloc(r->pool, NGX_HTTP_LONGPOLL_ID_LEN);
    if (data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_http_longpoll_id_print(data, uuid);

    ngx_http_longpoll_variable_set(v, data, NGX_HTTP_LONGPOLL_ID_LEN);

    return NGX_OK;
}


static void
ngx_http_longpoll_variable_set(ngx_http_variable_value_t *v, u_char *data,
    size_t len)
{
    v->len = len;
    v->data = data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
}
