
/*
 * ngx_http_longpoll_zone_question.h: how many polls wait for categories.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_QUESTION_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_QUESTION_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Counts the polls that wait for categories with places from `from` to `upto`,
 * in the workers of the set alive.  *question is 0 at first; the caller keeps
 * it, calls again every ms until NGX_OK, and may give up at any time.  Takes
 * the lock.
 *
 * NGX_OK     *n is the number
 * NGX_DONE   the question stands in the zone now: wake the workers
 * NGX_AGAIN  some workers have not answered; *n is the sum so far.  While
 *            another question is open, *n does not change
 */
ngx_int_t ngx_http_longpoll_zone_question_count(ngx_http_longpoll_zone_t *z,
    uint64_t from, uint64_t upto, uint64_t alive, uint64_t now,
    uint64_t *question, uint64_t *n);

/* whether some worker may have to answer; takes no lock */
#define ngx_http_longpoll_zone_question_is_open(z)                            \
    ((z)->sh->question.missing != 0)

/*
 * In a worker: 1 if it has to answer a question; number and places are those of
 * the question.  Takes the lock only then.
 */
ngx_uint_t ngx_http_longpoll_zone_question_asked(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t *number, uint64_t *from, uint64_t *upto);

/*
 * The tag of the zone's question with this number: no other question, of this
 * zone or another one, has it.
 */
#define ngx_http_longpoll_zone_question_tag(z, number)                        \
    (ngx_http_longpoll_zone_own_epoch(z) ^ (number) << 32)

/* n polls of the worker wait for the categories; takes the lock */
void ngx_http_longpoll_zone_question_answer(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t number, ngx_uint_t n);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_QUESTION_H_INCLUDED_ */
