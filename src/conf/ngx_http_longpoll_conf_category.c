
/*
 * ngx_http_longpoll_conf_category.c: the directive longpoll_category.
 *
 *     longpoll_category user:$remote_user $sent_groups separator=,;
 *
 * The values are compiled here, and split and checked for each request: see
 * category.  What no request could use is refused here.
 */


#include "ngx_http_longpoll_conf_category.h"
#include "ngx_http_longpoll_conf.h"
#include "ngx_http_longpoll_query.h"


static char *ngx_http_longpoll_conf_category_separator(ngx_conf_t *cf,
    ngx_http_longpoll_category_conf_t *ccf, ngx_str_t *value);
static char *ngx_http_longpoll_conf_category_check(ngx_conf_t *cf,
    ngx_http_longpoll_category_conf_t *ccf, ngx_str_t *name);


char *
ngx_http_longpoll_conf_category(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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

            if (ngx_http_longpoll_conf_category_separator(cf, ccf, &value[i])
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
                           "\"%V\" must have a category beside the separator",
                           &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_longpoll_conf_category_check(cf, ccf, &cmd->name)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    llcf->category = ccf;

    return NGX_CONF_OK;
}


static char *
ngx_http_longpoll_conf_category_separator(ngx_conf_t *cf,
    ngx_http_longpoll_category_conf_t *ccf, ngx_str_t *value)
{
    if (ccf->separator != -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           NGX_HTTP_LONGPOLL_CONF_DUPLICATE, value);
        return NGX_CONF_ERROR;
    }

    if (value->len != sizeof("separator=")) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", it must be one character",
                           value);
        return NGX_CONF_ERROR;
    }

    ccf->separator = value->data[value->len - 1];

    return NGX_CONF_OK;
}


/* the values without variables are read as those of a request will be */

static char *
ngx_http_longpoll_conf_category_check(ngx_conf_t *cf,
    ngx_http_longpoll_category_conf_t *ccf, ngx_str_t *name)
{
    ngx_int_t                       rc;
    ngx_str_t                       none, error;
    ngx_uint_t                      i;
    ngx_http_complex_value_t       *cv;
    ngx_http_longpoll_cat_t         cats[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    ngx_http_longpoll_query_t       q;
    ngx_http_longpoll_configured_t  conf;

    ngx_str_null(&none);

    conf.separator = ccf->separator;
    conf.n = 0;
    conf.values = ngx_palloc(cf->temp_pool,
                             ccf->values.nelts * sizeof(ngx_str_t));
    if (conf.values == NULL) {
        return NGX_CONF_ERROR;
    }

    cv = ccf->values.elts;

    for (i = 0; i < ccf->values.nelts; i++) {

        if (cv[i].lengths == NULL) {
            conf.values[conf.n++] = cv[i].value;
        }
    }

    q.cats = cats;

    rc = ngx_http_longpoll_query_categories(&q, &none, NULL, &conf, &error);

    if (rc == NGX_ABORT) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has too many categories, there may be %d",
                           name, NGX_HTTP_LONGPOLL_MAX_CATEGORIES);
        return NGX_CONF_ERROR;
    }

    /* a variable may have the category that is missing */

    if (rc != NGX_OK && conf.n == ccf->values.nelts) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have a category of 1 to %d bytes of "
                           "UTF-8, and none that is longer or not UTF-8",
                           name, NGX_HTTP_LONGPOLL_MAX_CATEGORY);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
