
/*
 * ngx_http_longpoll_batch.h: what is published at once: categories and
 * messages.
 */


#ifndef _NGX_HTTP_LONGPOLL_BATCH_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_BATCH_H_INCLUDED_


#include "ngx_http_longpoll_zone.h"
#include "ngx_http_longpoll_json.h"


/* as ..._zone_publish() takes it */

typedef struct {
    ngx_http_longpoll_cat_t         *cats;      /* no name stands twice */
    ngx_uint_t                       ncats;
    ngx_http_longpoll_msg_t         *msgs;
    ngx_uint_t                       nmsgs;
    ngx_http_longpoll_msg_t          msg;       /* room for a single message */
} ngx_http_longpoll_batch_t;


/* batch->msgs for batch->nmsgs messages; NGX_OK, or NGX_ERROR: no memory */
ngx_int_t ngx_http_longpoll_batch_alloc(ngx_http_longpoll_batch_t *batch,
    ngx_pool_t *pool);

/*
 * A message for each of n items, NGX_HTTP_LONGPOLL_MAX_MESSAGES at most, and
 * their categories, each once, in their order, with hashes under the zone's
 * key.  Names and data are the items'.  NGX_OK, or NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_longpoll_batch_items(ngx_http_longpoll_batch_t *batch,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_item_t *items, ngx_uint_t n,
    ngx_pool_t *pool);


#endif /* _NGX_HTTP_LONGPOLL_BATCH_H_INCLUDED_ */
