
/*
 * ngx_http_longpoll_zone.h: a zone is made, inherited and configured.
 *
 * One zone is one piece of shared memory, the same for all workers and over
 * reloads.  Every verb has a header of its own: zone_publish, zone_read,
 * zone_watch, zone_delete, zone_status, zone_page, zone_question, zone_client,
 * zone_tick, zone_disk, zone_load, zone_adopt.  A verb of requests takes the
 * lock itself, holds it for a bounded time, and neither allocates, logs nor
 * waits under it.
 * A worker is a number below NGX_HTTP_LONGPOLL_WORKERS, a set of workers a bit
 * mask; now is the wall clock in ms.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Makes a zone in size bytes of zeroed memory at addr; exists: takes the one
 * that is there, and only fills the view z.  z->size is the configured size,
 * z->persist, z->presence and z->cluster say what it has.  A new zone takes
 * z->conf.
 * random is 24 bytes that nobody can guess; with exists, random and now do not
 * count.  The caller holds no lock: nobody else knows a new zone yet.  The
 * caller sets z->elected and z->dir afterwards.
 *
 * NGX_OK
 * NGX_DECLINED  the memory is too small to be useful
 */
ngx_int_t ngx_http_longpoll_zone_init(ngx_http_longpoll_zone_t *z, u_char *addr,
    size_t size, ngx_uint_t exists, u_char *random, uint64_t now);

/*
 * z becomes a view of the shared memory that old, of an older cycle, views.
 * The caller sets z->elected and z->dir itself.
 */
void ngx_http_longpoll_zone_inherit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old);

/*
 * Touches the pages of the index that are used at random, once in a new
 * process, so that no request has to wait for a page fault.
 */
void ngx_http_longpoll_zone_warm(ngx_http_longpoll_zone_t *z);

/* the zone takes z->conf; takes the lock */
void ngx_http_longpoll_zone_configure(ngx_http_longpoll_zone_t *z);

/* fills cat->hash from cat->name; takes no lock */
void ngx_http_longpoll_zone_hash(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat);

#endif /* _NGX_HTTP_LONGPOLL_ZONE_H_INCLUDED_ */
