
/*
 * ngx_http_longpoll_writer.h: the worker that writes a zone's log, and the
 * publishers that wait for it.
 *
 * Each worker has a writer for each zone with a log; one of them is elected.
 */


#ifndef _NGX_HTTP_LONGPOLL_WRITER_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_WRITER_H_INCLUDED_


#include "ngx_http_longpoll_await.h"
#include "ngx_http_longpoll_store.h"


/* a worker begins; z has a log; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_longpoll_writer_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_zone_t *z);

/* answers publishers that are decided, and writes what there is to write */
void ngx_http_longpoll_writer_wake(ngx_http_longpoll_zone_t *z);

/* the worker is leaving: it lets another one be the writer */
void ngx_http_longpoll_writer_closing(ngx_http_longpoll_zone_t *z);

/* the process ends: if no worker stays, it writes what is left, and the end */
void ngx_http_longpoll_writer_exit_process(ngx_http_longpoll_zone_t *z);

/*
 * Parks the request until its publish is decided; id is its last, failed is
 * disk.failed as it was before.  If the client leaves, the publish is stored
 * all the same.  handler gets NGX_OK, or NGX_ERROR: the publish is refused.
 *
 * NGX_DONE   the request is parked
 * otherwise  the status to finalize it with now
 */
ngx_int_t ngx_http_longpoll_writer_wait(ngx_http_longpoll_zone_t *z,
    ngx_http_request_t *r, uint64_t id, uint64_t failed,
    ngx_http_longpoll_await_pt handler);


#endif /* _NGX_HTTP_LONGPOLL_WRITER_H_INCLUDED_ */
