
/*
 * ngx_http_longpoll_persist.h: the worker that writes a zone's file, and the
 * publishers that wait for the disk.
 */


#ifndef _NGX_HTTP_LONGPOLL_PERSIST_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_PERSIST_H_INCLUDED_


#include "ngx_http_longpoll_store.h"

#include <ngx_http.h>


/* for a zone with a file; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_longpoll_persist_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_zone_t *z);

/* something may have happened: look at the file, and at who waits */
void ngx_http_longpoll_persist_wake(ngx_http_longpoll_zone_t *z);

/* the worker is leaving: another one may write */
void ngx_http_longpoll_persist_closing(ngx_http_longpoll_zone_t *z);

/* at the end of the process: the last one writes what is left, and the end */
void ngx_http_longpoll_persist_exit_process(ngx_http_longpoll_zone_t *z);

/*
 * The request waits until the publish of id is decided: handler is called then
 * with NGX_OK, or NGX_ERROR, and finalizes the request.  failed is sh->disk.failed
 * of before the publish.  NGX_DONE, or what to finalize it with now.
 */
typedef void (*ngx_http_longpoll_persist_pt)(ngx_http_request_t *r,
    ngx_int_t rc);

ngx_int_t ngx_http_longpoll_persist_wait(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, uint64_t id, uint64_t failed,
    ngx_http_longpoll_persist_pt handler);


#endif /* _NGX_HTTP_LONGPOLL_PERSIST_H_INCLUDED_ */
