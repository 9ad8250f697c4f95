
/*
 * ngx_http_longpoll_lock.h: nginx's mutex, taken away from dead processes.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOCK_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOCK_H_INCLUDED_


#include "ngx_http_longpoll.h"


/*
 * Returns when this process holds the lock, however long that takes.  The
 * caller unlocks with ngx_shmtx_unlock().
 */
void ngx_http_longpoll_lock(ngx_shmtx_t *mtx);


#endif /* _NGX_HTTP_LONGPOLL_LOCK_H_INCLUDED_ */
