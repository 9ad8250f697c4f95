
/*
 * ngx_http_longpoll_writer_meet.h: a new writer meets the files.
 */


#ifndef _NGX_HTTP_LONGPOLL_WRITER_MEET_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_WRITER_MEET_H_INCLUDED_


#include "ngx_http_longpoll_writer_task.h"


/*
 * Compares the files with the zone's words.  The writer is READY behind it; or
 * the zone is contested: another nginx wrote to the log, and a merge comes
 * first; or it failed.
 */
extern ngx_http_longpoll_writer_op_t  ngx_http_longpoll_writer_meet;

/* takes what another nginx wrote to the log into the zone; a meet comes next */
extern ngx_http_longpoll_writer_op_t  ngx_http_longpoll_writer_merge;

/*
 * In the thread: compares the files with the zone's words again, and adds up
 * their sizes.  rc is NGX_OK; NGX_DECLINED: the log lacks something, file and
 * number say what; NGX_ERROR.
 */
void ngx_http_longpoll_writer_check(ngx_http_longpoll_writer_t *writer);


#endif /* _NGX_HTTP_LONGPOLL_WRITER_MEET_H_INCLUDED_ */
