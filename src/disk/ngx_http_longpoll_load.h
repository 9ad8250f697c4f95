
/*
 * ngx_http_longpoll_load.h: a zone's file is read, before the first request.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOAD_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOAD_H_INCLUDED_


#include "ngx_http_longpoll.h"


/*
 * Fills a new zone from the file z->persist, if there is one, and takes up
 * what the notes beside it say.  Called by the master, which only reads.  What
 * cannot be read is logged, line by line, and is no reason not to start.
 *
 * NGX_OK, or NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_longpoll_load(ngx_http_longpoll_zone_t *z,
    ngx_log_t *log);


#endif /* _NGX_HTTP_LONGPOLL_LOAD_H_INCLUDED_ */
