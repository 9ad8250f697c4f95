
/*
 * ngx_http_longpoll_writer_round.h: a round appends what is new to the last
 * segment.
 */


#ifndef _NGX_HTTP_LONGPOLL_WRITER_ROUND_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_WRITER_ROUND_H_INCLUDED_


#include "ngx_http_longpoll_writer_task.h"


/*
 * Collects a round from the zone.  If the writer is due, the round also checks
 * the files; what does not fit leaves the writer due.
 *
 * NGX_OK        the operation can begin
 * NGX_DECLINED  there is nothing to do
 * NGX_ERROR     no memory
 */
ngx_int_t ngx_http_longpoll_writer_round_begin(
    ngx_http_longpoll_writer_t *writer);

extern ngx_http_longpoll_writer_op_t  ngx_http_longpoll_writer_round;

/*
 * The clean end, at the end of a process: all is written, and no operation is
 * at hand.  Appends losses and the END line.  NGX_OK; NGX_AGAIN: something is
 * not written yet; NGX_ERROR, logged.
 */
ngx_int_t ngx_http_longpoll_writer_round_end(
    ngx_http_longpoll_writer_t *writer);


#endif /* _NGX_HTTP_LONGPOLL_WRITER_ROUND_H_INCLUDED_ */
