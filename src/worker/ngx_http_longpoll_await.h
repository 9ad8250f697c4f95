
/*
 * ngx_http_longpoll_await.h: publishers that wait in this worker until it is
 * known what has become of their events.
 */


#ifndef _NGX_HTTP_LONGPOLL_AWAIT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_AWAIT_H_INCLUDED_


#include "ngx_http_longpoll.h"

#include <ngx_http.h>


typedef struct ngx_http_longpoll_await_s      ngx_http_longpoll_await_t;
typedef struct ngx_http_longpoll_publisher_s  ngx_http_longpoll_publisher_t;


/* finalizes the request; rc is what the owner of the queue has decided */
typedef void (*ngx_http_longpoll_await_pt)(
    ngx_http_longpoll_publisher_t *publisher, ngx_int_t rc);


/* the owner's: a publisher has left the queue, answered or not */
typedef void (*ngx_http_longpoll_await_left_pt)(
    ngx_http_longpoll_await_t *await, ngx_http_longpoll_publisher_t *publisher);


/* a queue of publishers, which belongs to its owner */

struct ngx_http_longpoll_await_s {
    ngx_queue_t                      publishers;    /* the first has waited
                                                       longest */
    ngx_http_longpoll_await_left_pt  left;
    void                            *data;          /* the owner's */
};


struct ngx_http_longpoll_publisher_s {
    ngx_queue_t                      queue;
    ngx_http_longpoll_await_t       *await;     /* NULL: it has left */
    ngx_http_request_t              *request;
    ngx_http_longpoll_await_pt       handler;
    ngx_msec_t                       since;

    /* the owner's of the queue */
    uint64_t                         id;        /* of its last event */
    uint64_t                         epoch;     /* of that, as Redis has it; 0:
                                                   what the zone says */
    uint64_t                         failed;    /* writes, before it */
    void                            *data;
};


/* begins with no publishers */
void ngx_http_longpoll_await_init(ngx_http_longpoll_await_t *await,
    ngx_http_longpoll_await_left_pt left, void *data);

/*
 * Puts the request at the end of the queue.  If its client leaves, or the
 * request ends, it leaves the queue without an answer.  The publisher lives in
 * the request's pool.
 *
 * NULL  no memory, or the client's connection cannot be watched
 */
ngx_http_longpoll_publisher_t *ngx_http_longpoll_await_add(
    ngx_http_longpoll_await_t *await, ngx_http_request_t *r,
    ngx_http_longpoll_await_pt handler);

/* the publisher that has waited longest; NULL: none waits */
ngx_http_longpoll_publisher_t *ngx_http_longpoll_await_first(
    ngx_http_longpoll_await_t *await);

/*
 * The publisher leaves the queue, and then its handler is called.  It runs what
 * the request's connection has posted, too, so any publisher may leave.
 */
void ngx_http_longpoll_await_answer(ngx_http_longpoll_publisher_t *publisher,
    ngx_int_t rc);


#endif /* _NGX_HTTP_LONGPOLL_AWAIT_H_INCLUDED_ */
