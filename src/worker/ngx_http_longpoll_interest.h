
/*
 * ngx_http_longpoll_interest.h: what the zone knows of this worker's waiters.
 *
 *     zone_read     finds nothing, and registers the interest in the same hold
 *                   of the lock
 *     keep          notes with the category of wait where it is registered
 *     cancel        the request could not be parked: takes it back
 *     acknowledge   all waiters have been given what was published
 *     end           the last waiter has left
 *     count         polls and streams begin to wait, or leave
 */


#ifndef _NGX_HTTP_LONGPOLL_INTEREST_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_INTEREST_H_INCLUDED_


#include "ngx_http_longpoll_wait.h"


/*
 * The waiter w is parked, for n categories and, if client is not NULL, behind
 * these for a client; slots and since are what the read has registered.
 */
void ngx_http_longpoll_interest_keep(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_waiter_t *w, ngx_uint_t n,
    ngx_http_longpoll_client_t *client, const uint32_t *slots, uint64_t since);

/*
 * Whether the worker is woken for every message of a category in which its
 * waiters have an interest.  If not, a waiter is parked, or stays, only behind
 * a read that finds nothing.
 */
#define ngx_http_longpoll_interest_stands(cat)                                \
    (!(cat)->slotless && !(cat)->lost)

/* the same was registered, but nothing is parked for it */
void ngx_http_longpoll_interest_cancel(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_uint_t n,
    ngx_http_longpoll_client_t *client, const uint32_t *slots, uint64_t since);

/*
 * The waiters of a category are going to be woken.  Those that wait for it
 * afterwards have been given all that is there now.
 */
void ngx_http_longpoll_interest_wake(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_wait_cat_t *cat);

/*
 * With delete_on_read a message stays until each worker that was woken for it
 * has acknowledged it.  cat is NULL if nobody waits for the category; else its
 * waiters have been given what was there when they were last woken.  Some of
 * them may not have what came since.
 */
void ngx_http_longpoll_interest_acknowledge(ngx_http_longpoll_zone_t *z,
    const uint64_t hash[2], ngx_http_longpoll_wait_cat_t *cat);

/* wait->empty: nobody waits for the category any more */
void ngx_http_longpoll_interest_end(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_wait_cat_t *cat);

/*
 * Adds n, which may be negative, to the number of polls and streams that wait
 * in this worker.  When some begin to wait in a zone over Redis, a reader that
 * pauses goes on.
 */
void ngx_http_longpoll_interest_count(ngx_http_longpoll_zone_t *z,
    ngx_int_t n);


#endif /* _NGX_HTTP_LONGPOLL_INTEREST_H_INCLUDED_ */
