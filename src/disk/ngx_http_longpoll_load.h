
/*
 * ngx_http_longpoll_load.h: reads a zone's file before the first request.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOAD_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOAD_H_INCLUDED_


#include "ngx_http_longpoll.h"


/*
 * Fills a new zone from the file z->persist, if there is one, and applies the
 * notes beside it.  The master calls it, and only reads.  Lines that cannot be
 * read are logged and skipped, and nginx starts without them.
 *
 * NGX_OK, or NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_longpoll_load(ngx_http_longpoll_zone_t *z,
    ngx_log_t *log);


#endif /* _NGX_HTTP_LONGPOLL_LOAD_H_INCLUDED_ */
