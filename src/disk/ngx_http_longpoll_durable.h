
/*
 * ngx_http_longpoll_durable.h: requests of this worker that wait until it is
 * decided what becomes of their publishes.
 *
 * A publisher that waits is parked like a poll, but in one queue, in the order
 * of ids: the first to publish is the first to be answered.  Whoever owns the
 * queue says who decides (a log on disk), and calls _decide() when something
 * may have been decided.
 */


#ifndef _NGX_HTTP_LONGPOLL_DURABLE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_DURABLE_H_INCLUDED_


#include "ngx_http_longpoll.h"

#include <ngx_http.h>


/* finalizes the request; rc is NGX_OK, or NGX_ERROR: the publish is refused */
typedef void (*ngx_http_longpoll_durable_pt)(ngx_http_request_t *r,
    ngx_int_t rc);


typedef struct {
    ngx_queue_t                      waiting;
    void                            *data;      /* of the two below */

    /* NGX_OK, NGX_ERROR as above; NGX_AGAIN: not yet */
    ngx_int_t                      (*decided)(void *data, uint64_t id,
                                         uint64_t failed);

    /* the first has come (on), or the last one has gone */
    void                           (*changed)(void *data, ngx_uint_t on);
} ngx_http_longpoll_durable_t;


#define ngx_http_longpoll_durable_empty(d)  ngx_queue_empty(&(d)->waiting)

/*
 * Parks the request until the publish of id is decided.  id and failed are for
 * decided().
 *
 * NGX_DONE   the request is parked
 * otherwise  the status to finalize it with now
 */
ngx_int_t ngx_http_longpoll_durable_wait(ngx_http_longpoll_durable_t *d,
    ngx_http_request_t *r, uint64_t id, uint64_t failed,
    ngx_http_longpoll_durable_pt handler);

/* answers the publishers that are decided */
void ngx_http_longpoll_durable_decide(ngx_http_longpoll_durable_t *d);

/* how long the first publisher has waited, in ms; 0: there is none */
ngx_msec_t ngx_http_longpoll_durable_waited(ngx_http_longpoll_durable_t *d);


#endif /* _NGX_HTTP_LONGPOLL_DURABLE_H_INCLUDED_ */
