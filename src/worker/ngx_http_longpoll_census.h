
/*
 * ngx_http_longpoll_census.h: which categories the polls of all workers wait
 * for, under which names, and how many.
 *
 *     request   question ── wake ─▶ worker   answer: counts, and writes what it
 *               has found into its room (notify) with the question's tag
 *     request   read: adds up what the workers have written
 *
 * The categories are in the order of their places (..._hash_place()).  A worker
 * may have more than it has room for.  Then it names those with the lowest
 * places, and says up to which place these are all.
 */


#ifndef _NGX_HTTP_LONGPOLL_CENSUS_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CENSUS_H_INCLUDED_


#include "ngx_http_longpoll_wait.h"


#define NGX_HTTP_LONGPOLL_CENSUS_MAX  512       /* categories */


typedef struct {
    uint64_t                          place;
    uint64_t                          polls;
    ngx_str_t                         name;
} ngx_http_longpoll_census_entry_t;


typedef struct {
    uint64_t                          from;     /* places: all categories from
                                                   here up to there are known */
    uint64_t                          upto;
    uint64_t                          answered; /* set: the workers that have */
    ngx_uint_t                        n;
    size_t                            size;     /* of all entries in a room */
    ngx_http_longpoll_census_entry_t  entries[NGX_HTTP_LONGPOLL_CENSUS_MAX];
} ngx_http_longpoll_census_t;


/* in a worker: answers a question about the zone, if there is one */
void ngx_http_longpoll_census_answer(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker);

/* nothing is known yet of the places from here up to the last */
void ngx_http_longpoll_census_begin(ngx_http_longpoll_census_t *census,
    uint64_t from, uint64_t upto);

/*
 * Adds what a worker has answered to the question with this tag.  The names are
 * copied into the pool.
 *
 * NGX_OK
 * NGX_DECLINED  the worker's room has another answer, or none
 * NGX_ERROR     no memory
 */
ngx_int_t ngx_http_longpoll_census_read(ngx_http_longpoll_census_t *census,
    ngx_uint_t worker, uint64_t tag, ngx_pool_t *pool);


#endif /* _NGX_HTTP_LONGPOLL_CENSUS_H_INCLUDED_ */
