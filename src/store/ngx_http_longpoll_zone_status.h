
/*
 * ngx_http_longpoll_zone_status.h: figures for operators.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_STATUS_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_STATUS_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


typedef struct {
    uint64_t                         size;      /* bytes */
    uint64_t                         used;
    uint64_t                         categories;
    uint64_t                         events;
    uint64_t                         waiting;
    ngx_http_longpoll_counters_t     counters;
} ngx_http_longpoll_zone_status_t;


typedef struct {
    uint64_t                         events;
    ngx_http_longpoll_uuid_t         first;     /* set if there are events */
    ngx_http_longpoll_uuid_t         last;
} ngx_http_longpoll_category_status_t;


/*
 * The figures of the zone.  waiting is the sum over the workers in alive;
 * counters.delivered is that of all workers.
 */
void ngx_http_longpoll_zone_status(ngx_http_longpoll_zone_t *z, uint64_t alive,
    ngx_http_longpoll_zone_status_t *st);

/* the figures of one category; asking for them does not count as use */
void ngx_http_longpoll_zone_category(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now,
    ngx_http_longpoll_category_status_t *st);

/*
 * How many polls are parked for a category: only the workers know.  A request
 * that wants the number asks, notifies all workers, comes again until they have
 * answered, and settles the question.  One question is open at a time; after
 * NGX_HTTP_LONGPOLL_ZONE_OPEN ms another one may take its place.
 *
 * ask       returns the question's number; 0: another question is open
 * question  whether the worker has a question to answer: number and hash
 * answer    answers it with n
 * answers   NGX_OK        *n is the sum of the answers of alive
 *           NGX_AGAIN     some are still to come; *n is the sum of the others
 *           NGX_DECLINED  another question has taken its place; *n is untouched
 */
#define NGX_HTTP_LONGPOLL_ZONE_OPEN  200

uint64_t ngx_http_longpoll_zone_ask(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, uint64_t now);
ngx_uint_t ngx_http_longpoll_zone_question(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t *number, uint64_t hash[2]);
void ngx_http_longpoll_zone_answer(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t number, ngx_uint_t n);
ngx_int_t ngx_http_longpoll_zone_answers(ngx_http_longpoll_zone_t *z,
    uint64_t number, uint64_t alive, uint64_t *n);
void ngx_http_longpoll_zone_settled(ngx_http_longpoll_zone_t *z,
    uint64_t number);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_STATUS_H_INCLUDED_ */
