
/*
 * ngx_http_longpoll_conf_content.c: a location with directives of the module
 * has no other directive that answers its requests.
 *
 * A block has one content handler, and nginx lets the last directive have it:
 * proxy_pass would be dead before longpoll_subscribe, and the other way round.
 * "return" is no handler: the rewrite module runs it before, so behind it no
 * handler is ever reached.  But an "if" may hold a "return", or what passes one
 * by:
 *
 *     if ($bad)  { return 403; }      if ($good) { break; }
 *                                     return 403;
 */


#include "ngx_http_longpoll_conf_content.h"
#include "ngx_http_longpoll_method.h"
#include "ngx_http_longpoll_reference.h"
#include "ngx_http_longpoll_status.h"


#define NGX_HTTP_LONGPOLL_CONF_CONTENT_OTHER                                  \
    "\"%V\" is incompatible with \"proxy_pass\" and other directives that "   \
    "answer requests, each must have a location of its own"


static ngx_uint_t ngx_http_longpoll_conf_content_returns(ngx_conf_t *cf);


char *
ngx_http_longpoll_conf_content_set(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_longpoll_loc_conf_t *llcf, ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler && clcf->handler != handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           NGX_HTTP_LONGPOLL_CONF_CONTENT_OTHER, &cmd->name);
        return NGX_CONF_ERROR;
    }

    clcf->handler = handler;

    if (llcf->directive == NULL) {
        llcf->directive = &cmd->name;
        ngx_http_longpoll_reference_line(cf, &llcf->line);
    }

    return NGX_CONF_OK;
}


char *
ngx_http_longpoll_conf_content_check(ngx_conf_t *cf,
    ngx_http_longpoll_loc_conf_t *llcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (llcf->directive == NULL) {
        return NGX_CONF_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != (llcf->status ? ngx_http_longpoll_status_handler
                                       : ngx_http_longpoll_method_handler))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      NGX_HTTP_LONGPOLL_CONF_CONTENT_OTHER " in %s:%ui",
                      llcf->directive, llcf->line.file, llcf->line.number);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_longpoll_conf_content_returns(cf)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" is never reached beside \"return\", which must "
                      "be in an \"if\" or in another location in %s:%ui",
                      llcf->directive, llcf->line.file, llcf->line.number);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * Whether the location has a "return" that each request comes to.  The rewrite
 * module compiles a location into an array of codes, one behind the other, and
 * the codes of an "if" lie within it.  Each begins with the address of a
 * function, which can be found word by word.  The array is the first field of
 * the module's configuration, which no header declares.
 */

static ngx_uint_t
ngx_http_longpoll_conf_content_returns(ngx_conf_t *cf)
{
    u_char                        *p, *last, *inner;
    ngx_uint_t                     i;
    ngx_array_t                   *codes;
    ngx_module_t                 **modules;
    ngx_http_conf_ctx_t           *ctx;
    ngx_http_script_code_pt        code;

    ctx = cf->ctx;
    codes = NULL;
    modules = cf->cycle->modules;

    /* nginx may have been built without the module */

    for (i = 0; modules[i]; i++) {

        if (ngx_strcmp(modules[i]->name, "ngx_http_rewrite_module") == 0) {
            codes = *(ngx_array_t **) ctx->loc_conf[modules[i]->ctx_index];
        }
    }

    if (codes == NULL) {
        return 0;
    }

    p = codes->elts;
    last = p + codes->nelts;
    inner = p;                          /* the end of the "if" at hand */

    for ( /* void */ ; p < last; p += sizeof(uintptr_t)) {
        code = *(ngx_http_script_code_pt *) p;

        if (code == ngx_http_script_if_code) {
            inner = ngx_max(inner,
                            p + ((ngx_http_script_if_code_t *) p)->next);

        } else if (code == ngx_http_script_return_code) {

            if (p >= inner) {
                return 1;
            }

        } else if (code == ngx_http_script_break_code) {
            return 0;

#if (NGX_PCRE)

        } else if (code == ngx_http_script_regex_start_code
                   && !((ngx_http_script_regex_code_t *) p)->test)
        {
            /* "rewrite" may end the codes, too */

            return 0;
#endif

        }
    }

    return 0;
}
