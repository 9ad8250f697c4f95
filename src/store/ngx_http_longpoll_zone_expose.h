
/*
 * ngx_http_longpoll_zone_expose.h: messages that waited for the disk become
 * visible, or are dropped.
 *
 * Both calls take the lock, as often as they need, and add the workers that the
 * caller must notify to the set *wake.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_EXPOSE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_EXPOSE_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Makes saved messages visible, or with all set those that are not saved, too.
 * Marks the workers that wait for them.
 */
void ngx_http_longpoll_zone_expose(ngx_http_longpoll_zone_t *z, ngx_uint_t all,
    uint64_t *wake);

/*
 * Drops the messages up to disk.refused that are not visible.  The caller has
 * exposed those that are saved.
 */
void ngx_http_longpoll_zone_expose_refuse(ngx_http_longpoll_zone_t *z,
    uint64_t *wake);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_EXPOSE_H_INCLUDED_ */
