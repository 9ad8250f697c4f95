
/*
 * ngx_http_longpoll_conf.c: the configuration of http and of a location: made,
 * inherited, and checked as a whole.
 *
 *   conf            structs with their defaults; the simple directives' bounds
 *   conf_zone       longpoll_zone
 *   conf_persist    its parameter "persist"
 *   conf_redis      its parameters "redis", "auth" and "ca"
 *   conf_location   longpoll_subscribe, _publish, _delete, _status
 *   conf_content    and that nothing else answers their requests
 *   conf_category   longpoll_category
 *   reference       the zones by name, declared or not yet
 */


#include "ngx_http_longpoll_conf.h"
#include "ngx_http_longpoll_cluster.h"
#include "ngx_http_longpoll_conf_content.h"
#include "ngx_http_longpoll_method.h"
#include "ngx_http_longpoll_reference.h"
#include "ngx_http_longpoll_status.h"


/* client_body_buffer_size of a publish, where it has its default */

#define NGX_HTTP_LONGPOLL_CONF_BODY  (128 * 1024)


static void ngx_http_longpoll_conf_resolvers(ngx_conf_t *cf,
    ngx_http_longpoll_main_conf_t *lmcf);
static void ngx_http_longpoll_conf_inherit(ngx_http_longpoll_loc_conf_t *prev,
    ngx_http_longpoll_loc_conf_t *conf);
static char *ngx_http_longpoll_conf_check_timeout(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_longpoll_conf_check_unsent(ngx_conf_t *cf, void *post,
    void *data);


ngx_conf_post_t  ngx_http_longpoll_conf_max_timeout =
    { ngx_http_longpoll_conf_check_timeout };

ngx_conf_post_t  ngx_http_longpoll_conf_max_unsent =
    { ngx_http_longpoll_conf_check_unsent };


void *
ngx_http_longpoll_conf_create_main(ngx_conf_t *cf)
{
    ngx_http_longpoll_main_conf_t  *lmcf;

    lmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_longpoll_main_conf_t));
    if (lmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&lmcf->references, cf->pool, 4,
                       sizeof(ngx_http_longpoll_reference_t))
        != NGX_OK)
    {
        return NULL;
    }

    lmcf->drain = NGX_CONF_UNSET_MSEC;
    lmcf->max_unsent = NGX_CONF_UNSET_SIZE;

    return lmcf;
}


char *
ngx_http_longpoll_conf_init_main(ngx_conf_t *cf, void *conf)
{
    ngx_http_longpoll_main_conf_t *lmcf = conf;

    ngx_conf_init_msec_value(lmcf->drain, 1000);
    ngx_conf_init_size_value(lmcf->max_unsent, 64 * 1024 * 1024);

    /* nginx calls this after it has read the whole of http */

    if (ngx_http_longpoll_reference_check(cf, lmcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_longpoll_conf_resolvers(cf, lmcf);

    return NGX_CONF_OK;
}


/* the zones over Redis use http's "resolver" */

static void
ngx_http_longpoll_conf_resolvers(ngx_conf_t *cf,
    ngx_http_longpoll_main_conf_t *lmcf)
{
    ngx_uint_t                      i;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_longpoll_cluster_t    *cluster;
    ngx_http_longpoll_reference_t  *ref;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    ref = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {
        cluster = ref[i].zone->cluster;

        if (cluster) {
            cluster->resolver = clcf->resolver;
            cluster->resolver_timeout = clcf->resolver_timeout;
            ngx_conf_init_msec_value(cluster->resolver_timeout, 30000);
        }
    }
}


void *
ngx_http_longpoll_conf_create_loc(ngx_conf_t *cf)
{
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_longpoll_loc_conf_t));
    if (llcf == NULL) {
        return NULL;
    }

    llcf->max_timeout = NGX_CONF_UNSET_MSEC;
    llcf->max_response_size = NGX_CONF_UNSET_SIZE;
    llcf->stream = NGX_CONF_UNSET_MSEC;
    llcf->heartbeat = NGX_CONF_UNSET_MSEC;
    llcf->error_status = NGX_CONF_UNSET_UINT;
    llcf->category = NGX_CONF_UNSET_PTR;

    return llcf;
}


char *
ngx_http_longpoll_conf_merge_loc(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_longpoll_loc_conf_t *prev = parent;
    ngx_http_longpoll_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_msec_value(conf->max_timeout, prev->max_timeout, 120000);
    ngx_conf_merge_size_value(conf->max_response_size,
                              prev->max_response_size, 1024 * 1024);
    ngx_conf_merge_msec_value(conf->stream, prev->stream,
                              NGX_HTTP_LONGPOLL_STREAM_ENDLESS);
    ngx_conf_merge_msec_value(conf->heartbeat, prev->heartbeat, 15000);
    ngx_conf_merge_uint_value(conf->error_status, prev->error_status,
                              NGX_HTTP_OK);

    ngx_conf_merge_ptr_value(conf->category, prev->category, NULL);

    if (ngx_http_longpoll_conf_content_check(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname) {
        ngx_http_longpoll_conf_inherit(prev, conf);
    }

    if (conf->gpoll_line.file && conf->category == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"protocol=gpoll\" of \"longpoll_subscribe\" needs a "
                      "\"longpoll_category\" in its location in %s:%ui",
                      conf->gpoll_line.file, conf->gpoll_line.number);
        return NGX_CONF_ERROR;
    }

    /* a request keeps its handler in an "if", but not in a limit_except */

    if (clcf->lmt_excpt && clcf->handler == NULL) {

        if (conf->status) {
            clcf->handler = ngx_http_longpoll_status_handler;

        } else if (conf->subscribe || conf->publish || conf->delete) {
            clcf->handler = ngx_http_longpoll_method_handler;
        }
    }

    /* to write a body to a file and to read it back takes most of a publish */

    if (conf->publish
        && clcf->client_body_buffer_size == (size_t) 2 * ngx_pagesize)
    {
        clcf->client_body_buffer_size = NGX_HTTP_LONGPOLL_CONF_BODY;
    }

    return NGX_CONF_OK;
}


/*
 * In an "if" or limit_except block: the handlers of the location around it, as
 * proxy_pass is inherited, unless the block has one of its own.
 */

static void
ngx_http_longpoll_conf_inherit(ngx_http_longpoll_loc_conf_t *prev,
    ngx_http_longpoll_loc_conf_t *conf)
{
    if (conf->subscribe || conf->publish || conf->delete || conf->status) {
        return;
    }

    conf->subscribe = prev->subscribe;
    conf->protocol = prev->protocol;
    conf->gpoll_line = prev->gpoll_line;
    conf->publish = prev->publish;
    conf->format = prev->format;
    conf->delete = prev->delete;
    conf->status = prev->status;
    conf->status_zone = prev->status_zone;
    conf->status_format = prev->status_format;
}


char *
ngx_http_longpoll_conf_stream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_longpoll_loc_conf_t *llcf = conf;

    ngx_str_t  *value;

    if (llcf->stream != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        llcf->stream = NGX_HTTP_LONGPOLL_STREAM_ENDLESS;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        llcf->stream = NGX_HTTP_LONGPOLL_STREAM_OFF;
        return NGX_CONF_OK;
    }

    llcf->stream = ngx_parse_time(&value[1], 0);

    if (llcf->stream == (ngx_msec_t) NGX_ERROR || llcf->stream == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", it must be \"on\", "
                           "\"off\", or the longest time that a stream lasts, "
                           "such as \"1h\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_longpoll_conf_time(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_parse_time(&value[1], 0) == NGX_ERROR) {
        return "must be a time, such as \"15s\"";
    }

    return ngx_conf_set_msec_slot(cf, cmd, conf);
}


char *
ngx_http_longpoll_conf_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_parse_size(&value[1]) == NGX_ERROR) {
        return "must be in bytes, kilobytes or megabytes, such as \"64k\"";
    }

    return ngx_conf_set_size_slot(cf, cmd, conf);
}


char *
ngx_http_longpoll_conf_error_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_longpoll_loc_conf_t *llcf = conf;

    ngx_int_t   status;
    ngx_str_t  *value;

    if (llcf->error_status != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    status = ngx_atoi(value[1].data, value[1].len);

    if (status != NGX_HTTP_OK && (status < 400 || status > 499)) {
        return "must be 200 or between 400 and 499";
    }

    llcf->error_status = status;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_longpoll_conf_check_connections(ngx_cycle_t *cycle)
{
    ngx_uint_t        i, n;
    ngx_listening_t  *ls;

    n = 0;
    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {
#if (NGX_HAVE_REUSEPORT)

        /* each worker opens its own */

        if (ls[i].reuseport && ls[i].worker != 0) {
            continue;
        }

#endif

        n++;
    }

    /* nginx itself asks for one more than that */

    if (cycle->connection_n < n + 2) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "%ui worker_connections are not enough for %ui "
                      "listening sockets and \"longpoll_zone\", there must be "
                      "at least %ui", cycle->connection_n, n, n + 2);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_http_longpoll_conf_check_timeout(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t *timeout = data;

    if (*timeout < 1000) {
        return "must be at least 1s";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_longpoll_conf_check_unsent(ngx_conf_t *cf, void *post, void *data)
{
    size_t *max = data;

    if (*max == 0) {
        return "must not be 0; the default is 64m";
    }

    return NGX_CONF_OK;
}
