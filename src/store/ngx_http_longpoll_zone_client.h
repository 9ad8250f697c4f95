
/*
 * ngx_http_longpoll_zone_client.h: gpoll's clients.
 *
 * The zone keeps a cursor for each client of gpoll's (see client.h).  A read
 * with rd->client set reads behind that cursor, and moves it.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_CLIENT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_CLIENT_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/*
 * Adds a new client; its uuid is set.  Its cursor is at the newest message, and
 * client->number is set.  Takes the lock.  NGX_OK; NGX_DECLINED: the zone is
 * frozen, and nothing is added.
 */
ngx_int_t ngx_http_longpoll_zone_client_add(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_client_t *client, uint64_t now);

/* the last poll of the client that was parked in the worker left; locks */
void ngx_http_longpoll_zone_client_leave(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_client_t *client, uint64_t now);


/*
 * For the store's files.
 */

/*
 * Finds the client's entry; NULL: the client is not known.  Drops a client that
 * was idle for too long, and returns NULL.  The caller holds the lock.
 */
ngx_http_longpoll_client_sh_t *ngx_http_longpoll_zone_client_find(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_client_t *client,
    uint64_t now);

/* drops the clients that were idle for too long; locks, as often as it needs */
void ngx_http_longpoll_zone_client_idle(ngx_http_longpoll_zone_t *z,
    uint64_t now);

/* no client waits in the worker any more; locks, as often as it needs */
void ngx_http_longpoll_zone_client_reap(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now);

/*
 * Copies the clients of old, which is frozen, into z, which nobody uses yet,
 * under their numbers.  Takes the lock of old, as often as it needs.
 */
void ngx_http_longpoll_zone_client_adopt(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_CLIENT_H_INCLUDED_ */
