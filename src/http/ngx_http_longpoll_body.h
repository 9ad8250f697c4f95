
/*
 * ngx_http_longpoll_body.h: the body of a publish -> categories and messages.
 */


#ifndef _NGX_HTTP_LONGPOLL_BODY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_BODY_H_INCLUDED_


#include "ngx_http_longpoll_http.h"


/* what one request publishes, as ..._zone_publish() takes it */

typedef struct {
    ngx_http_longpoll_cat_t         *cats;      /* no name stands twice */
    ngx_uint_t                       ncats;
    ngx_http_longpoll_msg_t         *msgs;
    ngx_uint_t                       nmsgs;
    ngx_http_longpoll_msg_t          msg;       /* room for a single message */
} ngx_http_longpoll_batch_t;


/*
 * Reads the body that nginx has read.  The bytes stay in it or come from the
 * request's pool; the hashes are under the zone's key.
 *
 * NGX_OK        batch is set
 * NGX_DECLINED  the publish is invalid: *error
 * NGX_ERROR     no memory, or the body's file cannot be read (that is logged)
 */
ngx_int_t ngx_http_longpoll_body_batch(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_batch_t *batch,
    ngx_str_t *error);


#endif /* _NGX_HTTP_LONGPOLL_BODY_H_INCLUDED_ */
