
/*
 * ngx_http_longpoll_load.h: reads a zone's log.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOAD_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOAD_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * A load, wake is NULL: fills a new zone from its log, if there is one.  The
 * master calls it.  barred: another nginx has the directory's lock.
 *
 * A merge: reads what another nginx wrote to the log since this zone read it,
 * into the zone, which is in use.  The writer's thread calls it, and holds the
 * directory's lock.  Adds to *wake as zone_load.
 *
 * Both only read; they sync what they have read, as nobody may be shown what a
 * power cut can still take.  Lines that cannot be read are logged and skipped.
 *
 * NGX_OK
 * NGX_ERROR     no memory, or the files cannot be read; logged.  After a load
 *               nginx must not start with this zone; a merge may be called
 *               again
 */
ngx_int_t ngx_http_longpoll_load(ngx_http_longpoll_zone_t *z,
    ngx_uint_t barred, uint64_t *wake, ngx_log_t *log);

/*
 * Appends those lines of PATH, and of the segments up to number, that a load
 * skips to PATH.bad, and syncs it.  The writer's thread calls it before a base
 * replaces these files.  NGX_OK; NGX_ERROR, not logged: errno.
 */
ngx_int_t ngx_http_longpoll_load_skipped_save(ngx_http_longpoll_zone_t *z,
    uint64_t number, ngx_log_t *log);


#endif /* _NGX_HTTP_LONGPOLL_LOAD_H_INCLUDED_ */
