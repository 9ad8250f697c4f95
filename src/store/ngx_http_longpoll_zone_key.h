
/*
 * ngx_http_longpoll_zone_key.h: idempotency keys.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_KEY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_KEY_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* a key, and how far its category has been searched for it */

typedef struct {
    uint64_t                         hash[2];   /* the last 16 bits are the
                                                   publish's messages - 1 */

    uint32_t                         slot;      /* of the category */
    uint32_t                         ref;       /* the last message that was
                                                   searched; 0: none */
    uint64_t                         pos;       /* its position then */

    /* once found: the last message of the publish that had the key */
    uint64_t                         last_id;
    ngx_http_longpoll_uuid_t         last;
} ngx_http_longpoll_zone_key_t;


/* a search begins, for a publish of n messages */
void ngx_http_longpoll_zone_key_init(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_key_t *key, ngx_str_t *name, ngx_uint_t n);

/*
 * Searches the category for the key, behind the message that was searched last.
 * Counts steps; the caller holds the lock.
 *
 * NGX_OK        found; key->last_id and key->last are set
 * NGX_DECLINED  no message of the category has the key
 * NGX_BUSY      out of steps: go on in another lock hold
 */
ngx_int_t ngx_http_longpoll_zone_key_find(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_key_t *key, ngx_http_longpoll_cat_t *cat,
    uint64_t now, ngx_uint_t *steps);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_KEY_H_INCLUDED_ */
