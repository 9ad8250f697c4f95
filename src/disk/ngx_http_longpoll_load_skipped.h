
/*
 * ngx_http_longpoll_load_skipped.h: keeps the lines of a log that a load skips.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOAD_SKIPPED_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOAD_SKIPPED_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Appends those lines of PATH, and of the segments up to number, that a load
 * skips to PATH.bad, and syncs it.  The writer's thread calls it before a base
 * replaces these files.  NGX_OK; NGX_ERROR, not logged: errno.
 */
ngx_int_t ngx_http_longpoll_load_skipped_save(ngx_http_longpoll_zone_t *z,
    uint64_t number, ngx_log_t *log);


#endif /* _NGX_HTTP_LONGPOLL_LOAD_SKIPPED_H_INCLUDED_ */
