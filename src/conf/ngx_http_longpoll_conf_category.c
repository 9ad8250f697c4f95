
/*
 * ngx_http_longpoll_conf_category.c: the directive longpoll_category.
 *
 *     longpoll_category user:$remote_user $sent_groups separator=,;
 *
 * The values are compiled here, and split and checked for each request: see
 * category.
 */


#include "ngx_http_longpoll_conf_category.h"


static char *ngx_http_longpoll_conf_category_separator(ngx_conf_t *cf,
    ngx_http_longpoll_category_conf_t *ccf, ngx_str_t *value);


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
                           "\"%V\" must have a value", &cmd->name);
        return NGX_CONF_ERROR;
    }

    llcf->category = ccf;

    return NGX_CONF_OK;
}


static char *
ngx_http_longpoll_conf_category_separator(ngx_conf_t *cf,
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
