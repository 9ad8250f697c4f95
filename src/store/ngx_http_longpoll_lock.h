
/*
 * ngx_http_longpoll_lock.h: nginx's mutex, taken by who may not wait for ever.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOCK_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOCK_H_INCLUDED_


#include "ngx_http_longpoll.h"


/* returns when this process has it; to be given back by ngx_shmtx_unlock() */
void ngx_http_longpoll_lock(ngx_shmtx_t *mtx);


#endif /* _NGX_HTTP_LONGPOLL_LOCK_H_INCLUDED_ */
