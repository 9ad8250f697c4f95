
/*
 * ngx_http_longpoll_zone_delete.h: the messages of a category are deleted.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_DELETE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_DELETE_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Deletes the messages that a category has now, if it has any; that of
 * presence's events keeps them.  No cursor misses them.  Takes the lock, as
 * often as it needs; a delete that a killed process has begun is finished by
 * the next process that takes the lock.
 *
 * NGX_OK
 * NGX_DECLINED  nothing is deleted: the zone is frozen
 */
ngx_int_t ngx_http_longpoll_zone_delete(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now);

/*
 * One hold of a delete; *begun is 0 in its first one.  The caller holds the
 * lock, and the zone is not frozen.  Returns 1 if there is more to do.
 */
ngx_uint_t ngx_http_longpoll_zone_delete_hold(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now, ngx_uint_t *begun);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_DELETE_H_INCLUDED_ */
