
/*
 * ngx_http_longpoll_assert.h: checks of shared memory that only a debug build
 * has.
 *
 * The store trusts its shared memory: nobody else writes there.  A build with
 * NGX_HTTP_LONGPOLL_DEBUG=1 does not trust it.  It validates the zone's header
 * whenever the lock is taken, and each ref and each slot's number before it
 * follows them; one hold of the lock may follow only so many links.  When a
 * check fails, the process logs an alert that says what is wrong, and ends
 * before it touches anything outside the zone.
 *
 * In other builds these macros are empty.
 */


#ifndef _NGX_HTTP_LONGPOLL_ASSERT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ASSERT_H_INCLUDED_


#include "ngx_http_longpoll.h"


#if (NGX_HTTP_LONGPOLL_DEBUG)

/* logs what is wrong and ends the process; does not return */
void ngx_http_longpoll_assert_failed(const char *what)
    __attribute__((noreturn));

/*
 * Links that this hold of the lock may still follow.  HOLD is far above what a
 * thousand steps and the largest publish follow.
 */
extern uint64_t  ngx_http_longpoll_assert_left;

#define NGX_HTTP_LONGPOLL_ASSERT_HOLD  60000


#define ngx_http_longpoll_assert(condition, what)                             \
    do {                                                                      \
        if (!(condition)) {                                                   \
            ngx_http_longpoll_assert_failed(what);                            \
        }                                                                     \
    } while (0)

/* counts one link that is followed */

#define ngx_http_longpoll_assert_step()                                       \
    ngx_http_longpoll_assert(ngx_http_longpoll_assert_left--,                 \
                             "a walk without an end")

/* a hold begins; a walk over all of a zone, in tests, has no such bound */

#define ngx_http_longpoll_assert_bound()                                      \
    (ngx_http_longpoll_assert_left = NGX_HTTP_LONGPOLL_ASSERT_HOLD)

/* a part of a hold has a bound of its own */

#define ngx_http_longpoll_assert_more(n)                                      \
    (ngx_http_longpoll_assert_left += (n))

#else

#define ngx_http_longpoll_assert(condition, what)
#define ngx_http_longpoll_assert_bound()
#define ngx_http_longpoll_assert_more(n)
#define ngx_http_longpoll_assert_step()

#endif


#endif /* _NGX_HTTP_LONGPOLL_ASSERT_H_INCLUDED_ */
