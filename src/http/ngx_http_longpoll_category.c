
/*
 * ngx_http_longpoll_category.c: longpoll_category, the categories that the
 * configuration names.
 *
 *     longpoll_category user:$remote_user $sent_groups separator=,;
 *
 * Values are nginx's complex values.  What is done with them (cut up, dropped
 * where empty, checked, counted) is the query's, as with those of a client.
 */


#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_query.h"
#include "ngx_http_longpoll_zone.h"


static char *ngx_http_longpoll_category_separator(ngx_conf_t *cf,
    ngx_http_longpoll_category_conf_t *ccf, ngx_str_t *value);
static ngx_int_t ngx_http_longpoll_category_parse(ngx_http_request_t *r,
    ngx_http_longpoll_configured_t *conf, ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t **cats, ngx_uint_t *ncats, ngx_str_t *error);


char *
ngx_http_longpoll_category(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_longpoll_loc_conf_t *llcf = conf;

    ngx_str_t                          *value;
    ngx_uint_t                          i;
    ngx_http_complex_value_t           *cv;
    ngx_http_compile_complex_value_t    ccv;
    ngx_http_longpoll_category_conf_t  *ccf;

    if (llcf->category != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    ccf = ngx_palloc(cf->pool, sizeof(ngx_http_longpoll_category_conf_t));
    if (ccf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_array_init(&ccf->values, cf->pool, cf->args->nelts - 1,
                       sizeof(ngx_http_complex_value_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ccf->separator = -1;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "separator=", 10) == 0) {

            if (ngx_http_longpoll_category_separator(cf, ccf, &value[i])
                != NGX_CONF_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        cv = ngx_array_push(&ccf->values);
        if (cv == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &value[i];
        ccv.complex_value = cv;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (ccf->values.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have a value", &cmd->name);
        return NGX_CONF_ERROR;
    }

    llcf->category = ccf;

    return NGX_CONF_OK;
}


static char *
ngx_http_longpoll_category_separator(ngx_conf_t *cf,
    ngx_http_longpoll_category_conf_t *ccf, ngx_str_t *value)
{
    if (ccf->separator != -1 || value->len != sizeof("separator=")) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           value);
        return NGX_CONF_ERROR;
    }

    ccf->separator = value->data[value->len - 1];

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_longpoll_category_configured(ngx_http_request_t *r,
    ngx_http_longpoll_configured_t *conf)
{
    ngx_uint_t                          i;
    ngx_http_complex_value_t           *cv;
    ngx_http_longpoll_loc_conf_t       *llcf;
    ngx_http_longpoll_category_conf_t  *ccf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);
    ccf = llcf->category;

    if (ccf == NULL) {
        return NGX_DECLINED;
    }

    conf->separator = ccf->separator;
    conf->n = ccf->values.nelts;
    conf->values = ngx_palloc(r->pool, conf->n * sizeof(ngx_str_t));
    if (conf->values == NULL) {
        return NGX_ERROR;
    }

    cv = ccf->values.elts;

    for (i = 0; i < conf->n; i++) {

        if (ngx_http_complex_value(r, &cv[i], &conf->values[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_category_read(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_cat_t **cats,
    ngx_uint_t *ncats, ngx_str_t *error)
{
    ngx_int_t                       rc;
    ngx_http_longpoll_configured_t  conf;

    rc = ngx_http_longpoll_category_configured(r, &conf);

    switch (rc) {

    case NGX_OK:
        return ngx_http_longpoll_category_parse(r, &conf, z, cats, ncats,
                                                error);

    case NGX_DECLINED:
        return ngx_http_longpoll_category_args(r, z, cats, ncats, error);

    default: /* NGX_ERROR */
        return NGX_ERROR;
    }
}


ngx_int_t
ngx_http_longpoll_category_args(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_cat_t **cats,
    ngx_uint_t *ncats, ngx_str_t *error)
{
    return ngx_http_longpoll_category_parse(r, NULL, z, cats, ncats, error);
}


/* conf is NULL: from the arguments */

static ngx_int_t
ngx_http_longpoll_category_parse(ngx_http_request_t *r,
    ngx_http_longpoll_configured_t *conf, ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t **cats, ngx_uint_t *ncats, ngx_str_t *error)
{
    u_char                     *buf;
    ngx_int_t                   rc;
    ngx_str_t                   args;
    ngx_http_longpoll_cat_t     parsed[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    ngx_http_longpoll_query_t   q;

    buf = NULL;
    ngx_str_null(&args);

    if (conf == NULL) {
        args = r->args;

        if (ngx_http_longpoll_category_buffer(r, &buf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    q.cats = parsed;

    rc = ngx_http_longpoll_query_categories(&q, &args, buf, conf, error);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_ABORT : NGX_DECLINED;
    }

    *cats = ngx_palloc(r->pool,
                       (q.ncats + 1) * sizeof(ngx_http_longpoll_cat_t));
    if (*cats == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(*cats, parsed, q.ncats * sizeof(ngx_http_longpoll_cat_t));
    *ncats = q.ncats;

    ngx_http_longpoll_category_hash(z, *cats, q.ncats);

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_category_buffer(ngx_http_request_t *r, u_char **buf)
{
    *buf = NULL;

    if (ngx_http_longpoll_query_escaped(&r->args)) {
        *buf = ngx_pnalloc(r->pool, r->args.len);
        if (*buf == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_http_longpoll_category_hash(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        ngx_http_longpoll_zone_name(z, &cats[i]);
    }
}
