
/*
 * ngx_http_longpoll_gpoll.h: gpoll's protocol: who asks, and what it is told.
 *
 * Places are the zone's (ngx_http_longpoll_client.h); reading and parking are as
 * for any other poll, in subscribe.
 */


#ifndef _NGX_HTTP_LONGPOLL_GPOLL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_GPOLL_H_INCLUDED_


#include "ngx_http_longpoll_http.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_zone_read.h"


/*
 * Reads the request, and answers what is no poll.
 *
 * NGX_OK    a poll: ctx->client and ctx->cats are set.  Behind the categories,
 *           not counted in ctx->ncats, stands the client itself, as what the
 *           poll also waits on
 * NGX_DONE  it is answered: a registration, a HEAD, an error
 * else      what to finalize the request with
 */
ngx_int_t ngx_http_longpoll_gpoll_query(ngx_http_request_t *r,
    ngx_http_longpoll_ctx_t *ctx);

/* 404: such a client is not known, or no longer */
ngx_int_t ngx_http_longpoll_gpoll_unknown(ngx_http_request_t *r);

/*
 * The message of a read as text.  One reference is the caller's; NULL: no
 * memory.  What was read for a parked poll is kept until they have all been
 * told: _has() is the id of the kept one, 0: none, and _told() lets it go.
 */
ngx_http_longpoll_shared_t *ngx_http_longpoll_gpoll_text(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_read_t *rd);
uint64_t ngx_http_longpoll_gpoll_has(ngx_http_longpoll_zone_t *z);
void ngx_http_longpoll_gpoll_woken(void);


#endif /* _NGX_HTTP_LONGPOLL_GPOLL_H_INCLUDED_ */
