
/*
 * ngx_http_longpoll_reference.c: the zones that the configuration names.
 *
 * A zone may be used before longpoll_zone declares it.  So the first directive
 * that names a zone makes a reference with an empty ngx_http_longpoll_zone_t,
 * and the declaration fills it in.  At the end of http every reference must
 * have been declared.
 */


#include "ngx_http_longpoll_reference.h"
#include "ngx_http_longpoll_zone.h"


ngx_http_longpoll_reference_t *
ngx_http_longpoll_reference_get(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *directive)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_reference_t  *ref;
    ngx_http_longpoll_main_conf_t  *lmcf;

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_longpoll_module);

    ref = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {

        if (ref[i].zone->name.len == name->len
            && ngx_strncmp(ref[i].zone->name.data, name->data, name->len)
               == 0)
        {
            return &ref[i];
        }
    }

    ref = ngx_array_push(&lmcf->references);
    if (ref == NULL) {
        return NULL;
    }

    ref->zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_longpoll_zone_t));
    if (ref->zone == NULL) {
        return NULL;
    }

    ref->zone->name = *name;
    ref->shm_zone = NULL;
    ref->directive = *directive;
    ngx_http_longpoll_reference_line(cf, &ref->line);
    ref->gpoll.file = NULL;

    return ref;
}


ngx_int_t
ngx_http_longpoll_reference_check(ngx_conf_t *cf,
    ngx_http_longpoll_main_conf_t *lmcf)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_zone_t       *z;
    ngx_http_longpoll_reference_t  *ref;

    ref = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {

        if (ref[i].shm_zone == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown zone \"%V\" in \"%V\", it must be the name "
                          "of a \"longpoll_zone\" in %s:%ui",
                          &ref[i].zone->name, &ref[i].directive,
                          ref[i].line.file, ref[i].line.number);
            return NGX_ERROR;
        }

        z = ref[i].zone;

        if (ref[i].gpoll.file && (z->conf.delete_on_read || z->cluster)) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"protocol=gpoll\" of \"longpoll_subscribe\" needs "
                          "a zone without \"%s\", which \"%V\" has in %s:%ui",
                          z->cluster ? "redis" : "delete_on_read", &z->name,
                          ref[i].gpoll.file, ref[i].gpoll.number);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_http_longpoll_reference_line(ngx_conf_t *cf,
    ngx_http_longpoll_conf_line_t *line)
{
    line->file = cf->conf_file->file.name.data;
    line->number = cf->conf_file->line;
}
