
/*
 * ngx_http_longpoll_writer_base.h: a base is what lives at one moment, in a new
 * PATH.
 */


#ifndef _NGX_HTTP_LONGPOLL_WRITER_BASE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_WRITER_BASE_H_INCLUDED_


#include "ngx_http_longpoll_writer_task.h"


/* whether the log lacks events, or most of it is dead */
ngx_uint_t ngx_http_longpoll_writer_base_wanted(
    ngx_http_longpoll_writer_t *writer);

/* a base begins; no operation is at hand */
void ngx_http_longpoll_writer_base_begin(ngx_http_longpoll_writer_t *writer);

/*
 * Collects the next piece; the last one has the losses, too.  NGX_OK: the
 * operation can begin; NGX_ERROR: no memory, the base is given up.
 */
ngx_int_t ngx_http_longpoll_writer_base_collect(
    ngx_http_longpoll_writer_t *writer);

extern ngx_http_longpoll_writer_op_t  ngx_http_longpoll_writer_base;


#endif /* _NGX_HTTP_LONGPOLL_WRITER_BASE_H_INCLUDED_ */
