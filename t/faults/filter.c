
/*
 * t/faults/filter.c: a module with a body filter that keeps nothing for a
 * request, for tests.
 *
 * The filter logs how many bytes it is given, at the level notice.
 * tools/build.sh makes build/filter/filter.so of it, for the nginx that is
 * installed.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


static ngx_int_t ngx_http_faults_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_faults_filter_init(ngx_conf_t *cf);


static ngx_http_module_t  ngx_http_faults_filter_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_faults_filter_init,           /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_faults_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_faults_filter_ctx,           /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* what nginx's configure writes for a dynamic module */

ngx_module_t  *ngx_modules[] = { &ngx_http_faults_filter_module, NULL };

char  *ngx_module_names[] = { "ngx_http_faults_filter_module", NULL };

char  *ngx_module_order[] = {
    "ngx_http_faults_filter_module",
    "ngx_http_copy_filter_module",
    NULL
};


static ngx_http_output_body_filter_pt  ngx_http_faults_filter_next;


static ngx_int_t
ngx_http_faults_filter_init(ngx_conf_t *cf)
{
    ngx_http_faults_filter_next = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_faults_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_http_faults_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    off_t         size;
    ngx_chain_t  *cl;

    size = 0;

    for (cl = in; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size) {
        ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                      "faults filter: %O bytes", size);
    }

    return ngx_http_faults_filter_next(r, in);
}
