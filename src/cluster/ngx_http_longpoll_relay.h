
/*
 * ngx_http_longpoll_relay.h: what this worker sends to a zone's Redis:
 * publishes, deletes, and the reader's commands.
 */


#ifndef _NGX_HTTP_LONGPOLL_RELAY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_RELAY_H_INCLUDED_


#include "ngx_http_longpoll_await.h"
#include "ngx_http_longpoll_redis.h"


/*
 * In a worker, for each zone with z->cluster: sets z->cluster->relay.  It
 * connects at first use.  NGX_OK or NGX_ERROR, no memory.
 */
ngx_int_t ngx_http_longpoll_relay_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_zone_t *z);

/*
 * Publishes n messages, all or none, each under cats[msgs->cat]; or deletes
 * what ncats categories have.  All bytes stay until the request ends.  key is
 * an idempotency key as the client sent it, or NULL.
 *
 * NGX_DONE      the request waits; the handler is called later:
 *                 NGX_OK        stored, and the zone has it; or stored, but
 *                               the reader is late.  id is the last event's
 *                 NGX_DONE      the same, of an earlier publish with this key
 *                 NGX_DECLINED  nothing is stored: Redis takes no events now
 *                 NGX_ERROR     no answer from Redis: the events may be stored
 * NGX_DECLINED  as above, at once
 * NGX_ERROR     nothing is stored: no memory
 */
ngx_int_t ngx_http_longpoll_relay_publish(ngx_http_longpoll_zone_t *z,
    ngx_http_request_t *r, ngx_http_longpoll_cat_t *cats,
    ngx_http_longpoll_msg_t *msgs, ngx_uint_t n, ngx_str_t *key,
    ngx_http_longpoll_await_pt handler);
ngx_int_t ngx_http_longpoll_relay_delete(ngx_http_longpoll_zone_t *z,
    ngx_http_request_t *r, ngx_http_longpoll_cat_t *cats, ngx_uint_t ncats,
    ngx_http_longpoll_await_pt handler);

/*
 * The reader's commands: as ..._redis_command() and ..._redis_eval().
 * NGX_ERROR also while the relay is not connected; then it begins to connect.
 */
ngx_int_t ngx_http_longpoll_relay_command(ngx_http_longpoll_zone_t *z,
    ngx_str_t *argv, ngx_uint_t argc, ngx_http_longpoll_reply_pt handler,
    void *data);
ngx_int_t ngx_http_longpoll_relay_eval(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_script_t *script, ngx_str_t *argv, ngx_uint_t argc,
    ngx_http_longpoll_reply_pt handler, void *data);

/* the zone may have been fed: answers publishers whose events it has now */
void ngx_http_longpoll_relay_check(ngx_http_longpoll_zone_t *z);

/* publishers and deletes of this worker that are not answered */
ngx_uint_t ngx_http_longpoll_relay_in_flight(ngx_http_longpoll_zone_t *z);

/* the process ends: closes the connection, and answers nobody any more */
void ngx_http_longpoll_relay_exit_process(ngx_http_longpoll_zone_t *z);


#endif /* _NGX_HTTP_LONGPOLL_RELAY_H_INCLUDED_ */
