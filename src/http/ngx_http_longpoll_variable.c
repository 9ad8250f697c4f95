
/*
 * ngx_http_longpoll_variable.c: $longpoll_...
 *
 *   $longpoll_category     of the request, several joined by ","
 *   $longpoll_result       how it ended
 *   $longpoll_events       how many were sent or stored
 *   $longpoll_event_id     the last one's id
 *   $longpoll_cursor_NAME  the newest place of zone NAME, whatever the request
 *
 * A category is a client's text; control bytes are escaped, so that it can
 * stand in a header or a line of a log.
 */


#include "ngx_http_longpoll_variable.h"
#include "ngx_http_longpoll_id.h"
#include "ngx_http_longpoll_zone_epoch.h"


static ngx_int_t ngx_http_longpoll_variable_category(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static u_char *ngx_http_longpoll_variable_escape(u_char *p, ngx_str_t *name);
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
    u_char                   *p;
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

    v->data = p;

    for (i = 0; i < ctx->ncats; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_http_longpoll_variable_escape(p, &ctx->cats[i].name);
    }

    v->len = p - v->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static u_char *
ngx_http_longpoll_variable_escape(u_char *p, ngx_str_t *name)
{
    u_char  *s, *last;

    last = name->data + name->len;

    for (s = name->data; s < last; s++) {

        if (*s < 0x20 || *s == 0x7f) {
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

    v->len = result->len;
    v->data = result->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_variable_events(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_longpoll_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    if (ctx == NULL || ctx->result == NGX_HTTP_LONGPOLL_NONE) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_sprintf(v->data, "%ui", ctx->nevents) - v->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

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
            ngx_http_longpoll_id_uuid(&uuid, ngx_http_longpoll_zone_latest(z),
                                      z->sh->epoch);

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
    v->data = ngx_pnalloc(r->pool, NGX_HTTP_LONGPOLL_ID_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_http_longpoll_id_print(v->data, uuid);

    v->len = NGX_HTTP_LONGPOLL_ID_LEN;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
