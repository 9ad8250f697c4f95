
/*
 * ngx_http_longpoll_category.c: the categories of a request.
 *
 *   longpoll_category ── values of the variables ─┐
 *                                                 ├─▶ query ── names ── hashes
 *   otherwise: "category=" of the request's URI ──┘
 *
 * query splits the values at the separator, drops empty ones, checks and counts
 * them, wherever they come from.  The hashes are under the key of a zone, which
 * finds a category by its hash.
 */


#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_query.h"
#include "ngx_http_longpoll_zone.h"


static ngx_int_t ngx_http_longpoll_category_parse(ngx_http_request_t *r,
    ngx_http_longpoll_configured_t *conf, ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t **cats, ngx_uint_t *ncats, ngx_str_t *error);


ngx_int_t
ngx_http_longpoll_category_values(ngx_http_request_t *r,
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

    rc = ngx_http_longpoll_category_values(r, &conf);

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
        return rc;
    }

    *cats = ngx_palloc(r->pool,
                       (q.ncats + 1) * sizeof(ngx_http_longpoll_cat_t));
    if (*cats == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(*cats, parsed, q.ncats * sizeof(ngx_http_longpoll_cat_t));
    *ncats = q.ncats;

    if (z) {
        ngx_http_longpoll_category_hash(z, *cats, q.ncats);
    }

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
        ngx_http_longpoll_zone_hash(z, &cats[i]);
    }
}
