
/*
 * ngx_http_longpoll_method.c: GET, POST and DELETE on a location.
 *
 * One location may subscribe, publish and delete.  The method says which of
 * them a request is for: GET and HEAD poll, POST publishes, DELETE deletes, and
 * POST deletes where the location does not publish.  OPTIONS is answered with
 * the methods that are allowed, any other method with 405.
 */


#include "ngx_http_longpoll_method.h"
#include "ngx_http_longpoll_delete.h"
#include "ngx_http_longpoll_publish.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_subscribe.h"


/*
 * What a location allows, by the directives that it has: the sum of 1 for
 * longpoll_subscribe, 2 for longpoll_publish and 4 for longpoll_delete.
 */

typedef struct {
    ngx_str_t  allow;
    ngx_str_t  error;
} ngx_http_longpoll_method_t;

static ngx_http_longpoll_method_t  ngx_http_longpoll_method_table[] = {

    { ngx_null_string, ngx_null_string },

    { ngx_string("GET, HEAD, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only GET allowed.") },

    { ngx_string("POST, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only POST allowed.") },

    { ngx_string("GET, HEAD, POST, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only GET and POST allowed.") },

    { ngx_string("POST, DELETE, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only POST and DELETE allowed.") },

    { ngx_string("GET, HEAD, POST, DELETE, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only GET, POST and DELETE allowed.") },

    { ngx_string("POST, DELETE, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only POST and DELETE allowed.") },

    { ngx_string("GET, HEAD, POST, DELETE, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only GET, POST and DELETE allowed.") }
};


ngx_int_t
ngx_http_longpoll_method_handler(ngx_http_request_t *r)
{
    ngx_http_longpoll_ctx_t       *ctx;
    ngx_http_longpoll_method_t    *method;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    if (llcf->subscribe && (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_longpoll_subscribe_handler(r);
    }

    if (llcf->publish && (r->method & NGX_HTTP_POST)) {
        return ngx_http_longpoll_publish_handler(r);
    }

    if (llcf->delete && (r->method & (NGX_HTTP_DELETE|NGX_HTTP_POST))) {
        return ngx_http_longpoll_delete_handler(r);
    }

    method = &ngx_http_longpoll_method_table[(llcf->subscribe != NULL)
                                         | (llcf->publish != NULL) << 1
                                         | (llcf->delete != NULL) << 2];

    if (r->method != NGX_HTTP_OPTIONS) {
        ctx = ngx_http_longpoll_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->result = NGX_HTTP_LONGPOLL_ERROR;
    }

    return ngx_http_longpoll_response_method(r, &method->allow,
                                             &method->error);
}
