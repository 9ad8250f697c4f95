
/*
 * ngx_http_longpoll_conf_location.c: the directives that give a location its
 * handler: longpoll_subscribe, longpoll_publish, longpoll_delete and
 * longpoll_status.
 *
 * The first three may share a location; the request's method says which of them
 * a request is for.  longpoll_status stands alone.
 */


#include "ngx_http_longpoll_conf_location.h"
#include "ngx_http_longpoll_conf_content.h"
#include "ngx_http_longpoll_method.h"
#include "ngx_http_longpoll_protocol_golongpoll.h"
#include "ngx_http_longpoll_protocol_gpoll.h"
#include "ngx_http_longpoll_reference.h"
#include "ngx_http_longpoll_status.h"


static char *ngx_http_longpoll_conf_location_use(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_longpoll_loc_conf_t *llcf,
    ngx_http_longpoll_zone_t **zone);


char *
ngx_http_longpoll_conf_location_subscribe(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_longpoll_loc_conf_t *llcf = conf;

    char                           *rv;
    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_http_longpoll_protocol_t   *protocol;
    ngx_http_longpoll_reference_t  *ref;

    value = cf->args->elts;
    protocol = &ngx_http_longpoll_protocol_golongpoll;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "protocol=golongpoll") == 0) {
            protocol = &ngx_http_longpoll_protocol_golongpoll;

        } else if (ngx_strcmp(value[i].data, "protocol=gpoll") == 0) {
            protocol = &ngx_http_longpoll_protocol_gpoll;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be "
                               "\"protocol=golongpoll\" or \"protocol=gpoll\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    rv = ngx_http_longpoll_conf_location_use(cf, cmd, llcf, &llcf->subscribe);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    llcf->protocol = protocol;

    if (protocol != &ngx_http_longpoll_protocol_gpoll) {
        return NGX_CONF_OK;
    }

    ngx_http_longpoll_reference_line(cf, &llcf->gpoll_line);

    /* the zone may be declared later, so the reference keeps the line */

    ref = ngx_http_longpoll_reference_get(cf, &value[1], &cmd->name);
    if (ref == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ref->gpoll.file == NULL) {
        ref->gpoll = llcf->gpoll_line;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_longpoll_conf_location_publish(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_longpoll_loc_conf_t *llcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "format=auto") == 0) {
            llcf->format = NGX_HTTP_LONGPOLL_FORMAT_AUTO;

        } else if (ngx_strcmp(value[i].data, "format=json") == 0) {
            llcf->format = NGX_HTTP_LONGPOLL_FORMAT_JSON;

        } else if (ngx_strcmp(value[i].data, "format=text") == 0) {
            llcf->format = NGX_HTTP_LONGPOLL_FORMAT_TEXT;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be "
                               "\"format=auto\", \"format=json\" or "
                               "\"format=text\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_longpoll_conf_location_use(cf, cmd, llcf, &llcf->publish);
}


char *
ngx_http_longpoll_conf_location_delete(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_longpoll_loc_conf_t *llcf = conf;

    return ngx_http_longpoll_conf_location_use(cf, cmd, llcf, &llcf->delete);
}


char *
ngx_http_longpoll_conf_location_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_longpoll_loc_conf_t *llcf = conf;

    ngx_str_t                      *value;
    ngx_http_longpoll_reference_t  *ref;

    if (llcf->status) {
        return "is duplicate";
    }

    if (llcf->subscribe || llcf->publish || llcf->delete) {
        return "is incompatible with \"longpoll_subscribe\", "
               "\"longpoll_publish\" and \"longpoll_delete\", it must "
               "have a location of its own";
    }

    value = cf->args->elts;

    llcf->status = 1;

    if (ngx_strcmp(value[1].data, "all") != 0) {
        ref = ngx_http_longpoll_reference_get(cf, &value[1], &cmd->name);
        if (ref == NULL) {
            return NGX_CONF_ERROR;
        }

        llcf->status_zone = ref->zone;
    }

    if (cf->args->nelts > 2) {

        if (ngx_strcmp(value[2].data, "format=json") == 0) {
            llcf->status_format = NGX_HTTP_LONGPOLL_STATUS_JSON;

        } else if (ngx_strcmp(value[2].data, "format=prometheus") == 0) {
            llcf->status_format = NGX_HTTP_LONGPOLL_STATUS_PROMETHEUS;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be "
                               "\"format=json\" or \"format=prometheus\"",
                               &value[2]);
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_longpoll_conf_content_set(cf, cmd, llcf,
                                              ngx_http_longpoll_status_handler);
}


static char *
ngx_http_longpoll_conf_location_use(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_longpoll_loc_conf_t *llcf, ngx_http_longpoll_zone_t **zone)
{
    ngx_str_t                      *value;
    ngx_http_longpoll_reference_t  *ref;

    if (*zone) {
        return "is duplicate";
    }

    if (llcf->status) {
        return "is incompatible with \"longpoll_status\", which must have a "
               "location of its own";
    }

    value = cf->args->elts;

    ref = ngx_http_longpoll_reference_get(cf, &value[1], &cmd->name);
    if (ref == NULL) {
        return NGX_CONF_ERROR;
    }

    *zone = ref->zone;

    return ngx_http_longpoll_conf_content_set(cf, cmd, llcf,
                                              ngx_http_longpoll_method_handler);
}
