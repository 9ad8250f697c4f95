
/*
 * ngx_http_longpoll_assert.h: checks that only a debug build has.
 *
 * The store trusts its shared memory: nobody else writes there.  What is
 * compiled with NGX_HTTP_LONGPOLL_DEBUG=1 does not: the header is looked over
 * at every taking of the lock, each ref and each slot's number before it is
 * followed, and a hold of the lock follows only so many.  What is not sound
 * ends the process with an alert that says what, before anything outside of
 * the zone is touched.  Without it all of this is nothing.
 */


#ifndef _NGX_HTTP_LONGPOLL_ASSERT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ASSERT_H_INCLUDED_


#include "ngx_http_longpoll.h"


#if (NGX_HTTP_LONGPOLL_DEBUG)

/* says what is wrong, and does not return */
void ngx_http_longpoll_assert_failed(const char *what);

/* how many may still be followed */
extern uint64_t  ngx_http_longpoll_assert_left;


#define ngx_http_longpoll_assert(condition, what)                              \
    do {                                                                      \
        if (!(condition)) {                                                   \
            ngx_http_longpoll_assert_failed(what);                               \
        }                                                                     \
    } while (0)

#define ngx_http_longpoll_assert_step()                                        \
    ngx_http_longpoll_assert(ngx_http_longpoll_assert_left--,                   \
                            "a walk without an end")

#else

#define ngx_http_longpoll_assert(condition, what)
#define ngx_http_longpoll_assert_step()

#endif


#endif /* _NGX_HTTP_LONGPOLL_ASSERT_H_INCLUDED_ */
