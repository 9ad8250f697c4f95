
/*
 * ngx_http_longpoll_persist.h: the worker that writes a zone's file, and the
 * publishers that wait for the disk.
 */


#ifndef _NGX_HTTP_LONGPOLL_PERSIST_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_PERSIST_H_INCLUDED_


#include "ngx_http_longpoll_store.h"

#include <ngx_http.h>


/* a worker begins; z has a file; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_longpoll_persist_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_zone_t *z);

/* answers publishers that are decided, and starts the next operation */
void ngx_http_longpoll_persist_wake(ngx_http_longpoll_zone_t *z);

/* the worker is leaving: it lets another one be the writer */
void ngx_http_longpoll_persist_closing(ngx_http_longpoll_zone_t *z);

/* the process ends: the last member writes what is left, and a clean head */
void ngx_http_longpoll_persist_exit_process(ngx_http_longpoll_zone_t *z);

/*
 * Parks the request until the publish of id is decided.  Then handler is called
 * with NGX_OK or NGX_ERROR, and finalizes the request.  failed is what
 * sh->disk.failed was before the publish.
 *
 * NGX_DONE   the request is parked
 * otherwise  the status to finalize it with now
 */
typedef void (*ngx_http_longpoll_persist_pt)(ngx_http_request_t *r,
    ngx_int_t rc);

ngx_int_t ngx_http_longpoll_persist_wait(ngx_http_request_t *r,
    ngx_http_longpoll_zone_t *z, uint64_t id, uint64_t failed,
    ngx_http_longpoll_persist_pt handler);


#endif /* _NGX_HTTP_LONGPOLL_PERSIST_H_INCLUDED_ */
