
/*
 * ngx_http_longpoll_redis.h: a connection to a Redis, in nginx's event loop.
 *
 * Commands are sent in the order of the calls, without waiting for replies, and
 * replies come in the same order.  Nothing blocks.  Nobody tries again: a
 * connection that is lost stays lost.
 *
 * The caller of the module's init decides when there is a build without hiredis:
 * NGX_HTTP_LONGPOLL_HIREDIS is 0 there, and redis_connect() fails.
 */


#ifndef _NGX_HTTP_LONGPOLL_REDIS_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_REDIS_H_INCLUDED_


#include "ngx_http_longpoll_cluster.h"
#include "ngx_http_longpoll_script.h"


typedef struct ngx_http_longpoll_redis_s  ngx_http_longpoll_redis_t;


typedef enum {
    NGX_HTTP_LONGPOLL_REPLY_NIL = 0,
    NGX_HTTP_LONGPOLL_REPLY_INTEGER,
    NGX_HTTP_LONGPOLL_REPLY_STRING,                 /* or a status */
    NGX_HTTP_LONGPOLL_REPLY_ERROR,
    NGX_HTTP_LONGPOLL_REPLY_ARRAY
} ngx_http_longpoll_reply_e;


typedef struct ngx_http_longpoll_reply_s  ngx_http_longpoll_reply_t;

struct ngx_http_longpoll_reply_s {
    ngx_http_longpoll_reply_e        type;
    int64_t                          integer;
    ngx_str_t                        str;       /* STRING or ERROR, then 0 */
    ngx_http_longpoll_reply_t       *elts;      /* ARRAY */
    ngx_uint_t                       nelts;
};


/*
 * NGX_OK     the connection is there; commands may be sent
 * NGX_ERROR  it could not be made, or is lost.  reason says why, for the log: a
 *            few printable words.  All commands have got their NULL before.  The
 *            connection frees itself when the handler returns
 *
 * A handler may close any connection, this one as well.
 */
typedef void (*ngx_http_longpoll_redis_pt)(void *data, ngx_int_t rc,
    ngx_str_t *reason);

/*
 * Called once for each command.  The reply is gone when the handler returns.
 * NULL: there will be none, as the connection is lost or closed; the command
 * may have been executed or not.
 */
typedef void (*ngx_http_longpoll_reply_pt)(void *data,
    ngx_http_longpoll_reply_t *reply);


/*
 * Begins to connect to addr, which must stay.  limit is the largest reply in
 * bytes; a larger one ends the connection.  With cluster->kind TLS the peer must
 * have a certificate for server's host.  timeout is cluster->timeout, for
 * connecting and for each reply.
 *
 * handler is called later, never from within this call.  NULL: no memory, no
 * free connection of nginx's, or a build without hiredis.
 */
ngx_http_longpoll_redis_t *ngx_http_longpoll_redis_connect(
    ngx_http_longpoll_cluster_t *cluster,
    ngx_http_longpoll_cluster_server_t *server, ngx_addr_t *addr, size_t limit,
    ngx_http_longpoll_redis_pt handler, void *data, ngx_log_t *log);

/*
 * Sends a command of argc words, which are copied.  block is how many ms Redis
 * may take by the command's own meaning (BLOCK, WAIT), before the timeout
 * counts.
 *
 * NGX_OK     handler will be called once, never from within this call
 * NGX_ERROR  it will not: no memory, or the connection is not there
 */
ngx_int_t ngx_http_longpoll_redis_command(ngx_http_longpoll_redis_t *redis,
    ngx_str_t *argv, ngx_uint_t argc, ngx_msec_t block,
    ngx_http_longpoll_reply_pt handler, void *data);

/*
 * Runs a script: EVALSHA, and EVAL if Redis does not have it.  argv are NUMKEYS,
 * the keys, and the arguments.  Codes as above.
 */
ngx_int_t ngx_http_longpoll_redis_eval(ngx_http_longpoll_redis_t *redis,
    ngx_http_longpoll_script_t *script, ngx_str_t *argv, ngx_uint_t argc,
    ngx_http_longpoll_reply_pt handler, void *data);

/*
 * Ends the connection: commands get their NULL, now; the connection's own
 * handler is not called any more.
 */
void ngx_http_longpoll_redis_close(ngx_http_longpoll_redis_t *redis);

/* bytes of the commands that have no reply yet */
size_t ngx_http_longpoll_redis_in_flight(ngx_http_longpoll_redis_t *redis);


#endif /* _NGX_HTTP_LONGPOLL_REDIS_H_INCLUDED_ */
