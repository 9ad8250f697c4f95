
/*
 * ngx_http_longpoll_assert.c: how a debug build ends when the shared memory is
 * not what it should be.
 *
 * The lock stays with the dead process, as with any other that died; nginx's
 * master takes it from there.  The next one finds the same and ends the same
 * way: the zone is lost, and what is in it can be looked at.
 */


#include "ngx_http_longpoll_assert.h"


#if (NGX_HTTP_LONGPOLL_DEBUG)

uint64_t  ngx_http_longpoll_assert_left;


void
ngx_http_longpoll_assert_failed(const char *what)
{
    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                  "longpoll: the zone is not sound: %s", what);
    ngx_abort();
}

#endif
