
/*
 * ngx_http_longpoll_cursor.h: a poll's since_time and last_id -> a cursor, and
 * back.
 */


#ifndef _NGX_HTTP_LONGPOLL_CURSOR_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CURSOR_H_INCLUDED_


#include "ngx_http_longpoll_query.h"
#include "ngx_http_longpoll_zone_read.h"


/*
 * Fills the cursor of a new poll: where the poll reads on, and whether it has
 * missed something that an earlier epoch lost (docs/protocol.md, What is
 * promised).  Takes no lock.
 */
void ngx_http_longpoll_cursor(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_query_t *q, ngx_http_longpoll_cursor_t *cursor);

/*
 * A stream has given all messages up to id, and missed if the read said so: it
 * reads on from there.  With 0 the cursor stays.  Takes no lock.
 */
void ngx_http_longpoll_cursor_move(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cursor_t *cursor, uint64_t id, ngx_uint_t missed);

/*
 * The timestamp of an answer without messages, from which the client goes on:
 * rd is a read that returned NGX_AGAIN or NGX_ABORT.  closing: the client is
 * sent away.
 */
uint64_t ngx_http_longpoll_cursor_timestamp(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_read_t *rd, ngx_uint_t closing);


#endif /* _NGX_HTTP_LONGPOLL_CURSOR_H_INCLUDED_ */
