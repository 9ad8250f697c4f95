
/*
 * ngx_http_longpoll_redis.h: a connection to a Redis, in nginx's event loop.
 *
 * Commands are sent in the order of the calls, without waiting for replies, and
 * replies come in the same order.  Nothing blocks.  A connection that is lost
 * stays lost.
 */


#ifndef _NGX_HTTP_LONGPOLL_REDIS_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_REDIS_H_INCLUDED_


#include "ngx_http_longpoll_cluster.h"
#include "ngx_http_longpoll_reply.h"
#include "ngx_http_longpoll_script.h"


typedef struct ngx_http_longpoll_redis_s  ngx_http_longpoll_redis_t;


/*
 * NGX_OK     the connection is there: commands may be sent
 * NGX_ERROR  it could not be made, or is lost.  *reason says why, for the log,
 *            in a few printable words.  All commands have got their NULL
 *            before.  The connection is gone when the handler returns
 */
typedef void (*ngx_http_longpoll_redis_pt)(void *data, ngx_int_t rc,
    ngx_str_t *reason);

/*
 * Called once for each command.  The reply is gone when the handler returns.
 * NULL: there will be none, as the connection is lost or closed; Redis may have
 * executed the command or not.
 */
typedef void (*ngx_http_longpoll_reply_pt)(void *data,
    ngx_http_longpoll_reply_t *reply);


/*
 * Begins to connect to addr, which must stay.  limit is the largest reply in
 * bytes; a larger one ends the connection.  cluster->timeout is for connecting,
 * and for each reply from the sending of its command on.
 *
 * The handlers are called later, never from within a call other than close().
 * Each of them may call whatever is declared here, close() as well.  NULL: no
 * memory.
 */
ngx_http_longpoll_redis_t *ngx_http_longpoll_redis_connect(
    ngx_http_longpoll_cluster_t *cluster,
    ngx_http_longpoll_cluster_server_t *server, ngx_addr_t *addr, size_t limit,
    ngx_http_longpoll_redis_pt handler, void *data, ngx_log_t *log);

/*
 * Sends a command of argc words, which are copied.  block is how many ms Redis
 * may take by the command's own meaning (BLOCK, WAIT), besides the timeout.
 *
 * NGX_OK     handler will be called once
 * NGX_ERROR  it will not: no memory, or the connection is not there
 */
ngx_int_t ngx_http_longpoll_redis_command(ngx_http_longpoll_redis_t *redis,
    ngx_str_t *argv, ngx_uint_t argc, ngx_msec_t block,
    ngx_http_longpoll_reply_pt handler, void *data);

/*
 * Runs a script.  argv are the number of keys, the keys, and the arguments.  If
 * Redis does not have the script, it is sent once more with its text, behind
 * the commands that were sent meanwhile.  Codes as above.
 */
ngx_int_t ngx_http_longpoll_redis_eval(ngx_http_longpoll_redis_t *redis,
    ngx_http_longpoll_script_t *script, ngx_str_t *argv, ngx_uint_t argc,
    ngx_http_longpoll_reply_pt handler, void *data);

/*
 * Ends the connection: commands get their NULL now; the connection's own
 * handler is not called any more.
 */
void ngx_http_longpoll_redis_close(ngx_http_longpoll_redis_t *redis);


#endif /* _NGX_HTTP_LONGPOLL_REDIS_H_INCLUDED_ */
