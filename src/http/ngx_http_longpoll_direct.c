
/*
 * ngx_http_longpoll_direct.c: bytes go to the connection past nginx's filters.
 *
 *     ngx_http_output_filter() ─▶ gzip, sub, ... ─▶ copy ─▶ chunked ─╮
 *                                                                    ▼
 *     direct_send() ───────────── what send() does not take ──▶ write filter
 *           │                                                        │
 *           ╰──────────▶ send()                     writev() ◀───────╯
 *
 * A delivery down a stream is one system call, and little else.  Two of nginx's
 * body filters work for every answer in chunks: one copies what lies in files,
 * the other writes the chunk's size and end.  A stream's events lie in memory,
 * as a chunk that all streams share, so both have nothing to do for them.
 *
 * A filter of nginx's that changes a body keeps its state in the request's
 * contexts, as gzip, sub and ssi do, or asks for bytes in memory.  The write
 * filter begins nginx's chain of filters, so any other filter is of a module
 * behind it.  A request for which such a module has a context goes through all
 * filters.
 *
 * A filter of others may keep nothing for a request.  nginx does not tell which
 * modules have filters, but a module puts its filter in the chain in its
 * postconfiguration.  So if a module behind the write filter has one, and is
 * none of those below, all requests go through all filters.
 *
 * send() of one block takes 10 to 20 % less than writev() does.
 */


#include "ngx_http_longpoll_direct.h"


static ngx_uint_t ngx_http_longpoll_direct_is_known(ngx_module_t *module);


extern ngx_module_t  ngx_http_write_filter_module;
extern ngx_module_t  ngx_http_copy_filter_module;
extern ngx_module_t  ngx_http_chunked_filter_module;


/*
 * nginx's own modules with filters, and modules of others that have no body
 * filter, or one that keeps a context.
 */

static char  *ngx_http_longpoll_direct_known[] = {
    "ngx_http_header_filter_module",
    "ngx_http_chunked_filter_module",
    "ngx_http_v2_filter_module",
    "ngx_http_v3_filter_module",
    "ngx_http_range_header_filter_module",
    "ngx_http_gzip_filter_module",
    "ngx_http_postpone_filter_module",
    "ngx_http_ssi_filter_module",
    "ngx_http_charset_filter_module",
    "ngx_http_xslt_filter_module",
    "ngx_http_image_filter_module",
    "ngx_http_sub_filter_module",
    "ngx_http_addition_filter_module",
    "ngx_http_gunzip_filter_module",
    "ngx_http_userid_filter_module",
    "ngx_http_headers_filter_module",
    "ngx_http_copy_filter_module",
    "ngx_http_range_body_filter_module",
    "ngx_http_not_modified_filter_module",
    "ngx_http_slice_filter_module",
    "ngx_http_longpoll_module",
    "ngx_http_js_module",
    "ndk_http_module",
    "ngx_http_lua_module",
    "ngx_http_subs_filter_module",
    "ngx_http_headers_more_filter_module",
    NULL
};

static ngx_uint_t  ngx_http_longpoll_direct_possible;


void
ngx_http_longpoll_direct_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t     filters;
    ngx_module_t  *module, **modules;

    ngx_http_longpoll_direct_possible = 0;
    filters = 0;

    for (modules = cycle->modules; *modules; modules++) {
        module = *modules;

        if (module == &ngx_http_write_filter_module) {
            filters = 1;

        } else if (filters && !ngx_http_longpoll_direct_is_known(module)) {
            ngx_log_error(NGX_LOG_INFO, cycle->log, 0,
                          "longpoll: events of streams go through the filters "
                          "of nginx, since \"%s\" may have one", module->name);
            return;
        }
    }

    ngx_http_longpoll_direct_possible = 1;
}


/* whether a module has no filter that keeps nothing for a request */

static ngx_uint_t
ngx_http_longpoll_direct_is_known(ngx_module_t *module)
{
    char               **name;
    ngx_http_module_t   *ctx;

    if (module->type != NGX_HTTP_MODULE) {
        return 1;
    }

    ctx = module->ctx;

    if (ctx->postconfiguration == NULL) {
        return 1;
    }

    for (name = ngx_http_longpoll_direct_known; *name; name++) {

        if (ngx_strcmp(module->name, *name) == 0) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_longpoll_direct_allowed(ngx_http_request_t *r)
{
    ngx_uint_t     filters;
    ngx_module_t  *module, **modules;

    if (!ngx_http_longpoll_direct_possible || !r->chunked
        || r->filter_need_in_memory || r->filter_need_temporary)
    {
        return 0;
    }

    filters = 0;

    for (modules = ngx_cycle->modules; *modules; modules++) {
        module = *modules;

        if (module == &ngx_http_write_filter_module) {
            filters = 1;
            continue;
        }

        if (filters
            && module->type == NGX_HTTP_MODULE
            && r->ctx[module->ctx_index]
            && module != &ngx_http_copy_filter_module
            && module != &ngx_http_chunked_filter_module
            && module != &ngx_http_longpoll_module)
        {
            return 0;
        }
    }

    return filters;
}


ngx_int_t
ngx_http_longpoll_direct_send(ngx_http_request_t *r, ngx_buf_t *b)
{
    ssize_t            n;
    ngx_chain_t        out;
    ngx_connection_t  *c;

    c = r->connection;

    /* not TLS, and nothing that the write filter would have to wait for */

    if (c->send_chain == ngx_send_chain && r->out == NULL && r->limit_rate == 0
        && c->write->ready && !c->write->delayed)
    {
        n = c->send(c, b->pos, b->last - b->pos);

        if (n == NGX_ERROR) {
            c->error = 1;
            return NGX_ERROR;
        }

        if (n > 0) {
            b->pos += n;
        }

        if (b->pos == b->last) {
            return NGX_OK;
        }
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_write_filter(r, &out);
}
