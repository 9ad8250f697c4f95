
/*
 * ngx_http_longpoll_assert.c: how a debug build ends when the shared memory is
 * corrupt.
 *
 * The process keeps the lock, as any process that dies with it; nginx's master
 * unlocks it.  The next process finds the same corruption and ends in the same
 * way.  So the zone is lost, but can be inspected as it is.
 */


#include "ngx_http_longpoll_assert.h"


#if (NGX_HTTP_LONGPOLL_DEBUG)

uint64_t  ngx_http_longpoll_assert_left;


void
ngx_http_longpoll_assert_failed(const char *what)
{
    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                  "longpoll: the zone is corrupt: %s", what);
    ngx_abort();
}

#endif
