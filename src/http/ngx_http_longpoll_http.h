
/*
 * ngx_http_longpoll_http.h: what the handlers share: the configuration that
 * src/conf/ fills in, and the context of a request.
 *
 * Only src/conf/ and src/http/ include it.  The floors below know nothing of
 * HTTP, so they also run in the unit tests.
 */


#ifndef _NGX_HTTP_LONGPOLL_HTTP_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_HTTP_H_INCLUDED_


#include "ngx_http_longpoll_wait.h"


#define NGX_HTTP_LONGPOLL_FORMAT_AUTO        0
#define NGX_HTTP_LONGPOLL_FORMAT_JSON        1
#define NGX_HTTP_LONGPOLL_FORMAT_TEXT        2

#define NGX_HTTP_LONGPOLL_STATUS_JSON        0
#define NGX_HTTP_LONGPOLL_STATUS_PROMETHEUS  1


/* longpoll_stream off, and on */

#define NGX_HTTP_LONGPOLL_STREAM_OFF         0
#define NGX_HTTP_LONGPOLL_STREAM_ENDLESS     NGX_MAX_INT_T_VALUE


typedef struct ngx_http_longpoll_protocol_s  ngx_http_longpoll_protocol_t;


/* how a request ended: $longpoll_result */

typedef enum {
    NGX_HTTP_LONGPOLL_NONE = 0,
    NGX_HTTP_LONGPOLL_EVENTS,
    NGX_HTTP_LONGPOLL_TIMEOUT,
    NGX_HTTP_LONGPOLL_CLOSING,
    NGX_HTTP_LONGPOLL_GONE,
    NGX_HTTP_LONGPOLL_ERROR,
    NGX_HTTP_LONGPOLL_PUBLISHED,
    NGX_HTTP_LONGPOLL_DELETED,
    NGX_HTTP_LONGPOLL_REGISTERED
} ngx_http_longpoll_result_e;


/* a line of the configuration */

typedef struct {
    u_char                          *file;      /* NULL: none */
    ngx_uint_t                       number;
} ngx_http_longpoll_conf_line_t;


/* a zone that the configuration names */

typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_shm_zone_t                  *shm_zone;  /* NULL until it is declared */

    ngx_str_t                        directive; /* the first that names it */
    ngx_http_longpoll_conf_line_t    line;
    ngx_http_longpoll_conf_line_t    gpoll;     /* the first protocol=gpoll */
} ngx_http_longpoll_reference_t;


typedef struct {
    ngx_array_t                      references;    /* of the zones */
    ngx_msec_t                       drain;
    size_t                           max_unsent;
} ngx_http_longpoll_main_conf_t;


/* longpoll_category */

typedef struct {
    ngx_array_t                      values;    /* ngx_http_complex_value_t */
    ngx_int_t                        separator; /* -1: none */
} ngx_http_longpoll_category_conf_t;


typedef struct {
    ngx_str_t                       *directive; /* the first of this block that
                                                   answers requests, or NULL */
    ngx_http_longpoll_conf_line_t    line;      /* of that */

    ngx_http_longpoll_zone_t        *subscribe;
    ngx_http_longpoll_zone_t        *publish;
    ngx_http_longpoll_zone_t        *delete;    /* longpoll_delete */

    ngx_http_longpoll_protocol_t    *protocol;  /* of polls */
    ngx_http_longpoll_conf_line_t    gpoll_line;    /* of protocol=gpoll */
    ngx_uint_t                       format;    /* of what is published */
    ngx_http_longpoll_category_conf_t  *category;   /* NULL: the client names
                                                       the categories */

    ngx_uint_t                       status;    /* a status location */
    ngx_http_longpoll_zone_t        *status_zone;   /* NULL: all */
    ngx_uint_t                       status_format;

    ngx_msec_t                       max_timeout;
    ngx_msec_t                       stream;    /* how long one may last */
    ngx_msec_t                       heartbeat; /* of streams; 0: none */
    size_t                           max_response_size;
    ngx_uint_t                       error_status;
} ngx_http_longpoll_loc_conf_t;


/* a request's context: set by its handler, read by the variables */

typedef struct {
    ngx_http_longpoll_result_e       result;
    ngx_uint_t                       nevents;   /* sent or stored */
    ngx_http_longpoll_uuid_t         last;      /* of these events */

    ngx_http_longpoll_zone_t        *zone;
    ngx_http_longpoll_cat_t         *cats;
    ngx_uint_t                       ncats;

    /* of a poll */
    ngx_http_longpoll_protocol_t    *protocol;
    ngx_uint_t                       nlinks;    /* of cats that it waits for:
                                                   ncats, and with gpoll one
                                                   more, for the client */
    ngx_http_longpoll_client_t      *client;    /* whose cursor the zone has */
    ngx_msec_t                       age;       /* nginx held it back so long */
    ngx_http_longpoll_waiter_t      *waiter;    /* NULL: never parked */
} ngx_http_longpoll_ctx_t;


extern ngx_module_t  ngx_http_longpoll_module;


/* the request's context, made if there is none; NULL: no memory */

static ngx_inline ngx_http_longpoll_ctx_t *
ngx_http_longpoll_ctx(ngx_http_request_t *r)
{
    ngx_http_longpoll_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_longpoll_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_longpoll_ctx_t));

        if (ctx) {
            ngx_http_set_ctx(r, ctx, ngx_http_longpoll_module);
        }
    }

    return ctx;
}


#endif /* _NGX_HTTP_LONGPOLL_HTTP_H_INCLUDED_ */
