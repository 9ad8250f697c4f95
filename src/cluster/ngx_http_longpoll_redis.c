
/*
 * ngx_http_longpoll_redis.c: a connection to a Redis, in nginx's event loop.
 *
 *     CONNECTING ──▶ OPEN ──▶ CLOSED       CONNECTING: with TLS its handshake,
 *          └────────────────────▲           too
 *
 * A command is one block of memory: what its caller wants to know, and its
 * bytes.  It stands in two lists: commands that are not sent, and commands
 * without a reply.  Replies come in the order of the latter.
 *
 *     command ──▶ out ──▶ send ──▶ Redis ──▶ receive ──▶ wire/reply ──▶ handler
 *
 * Commands of one turn of the event loop go out together, as sending is posted.
 * What Redis sends without being asked ends the connection.
 *
 * A handler may close the connection under the function that has called it.
 * The connection's memory therefore stays until that function is done (busy).
 */


#include "ngx_http_longpoll_redis.h"
#include "ngx_http_longpoll_decimal.h"
#include "ngx_http_longpoll_tls.h"

#include <ngx_event.h>
#include <ngx_event_connect.h>


/* bytes of one recv(), and recv()s until others have their turn */
#define NGX_HTTP_LONGPOLL_REDIS_READ    16384
#define NGX_HTTP_LONGPOLL_REDIS_READS   64

/* bytes of a block for a command that is used again; how many are kept */
#define NGX_HTTP_LONGPOLL_REDIS_SPARE   1024
#define NGX_HTTP_LONGPOLL_REDIS_SPARES  64

/* bytes of "*" or "$", a number, CR and LF */
#define NGX_HTTP_LONGPOLL_REDIS_PREFIX  (1 + NGX_INT64_LEN + 2)


typedef enum {
    NGX_HTTP_LONGPOLL_REDIS_CONNECTING = 0,
    NGX_HTTP_LONGPOLL_REDIS_OPEN,
    NGX_HTTP_LONGPOLL_REDIS_CLOSED
} ngx_http_longpoll_redis_e;


typedef struct {
    ngx_queue_t                      queue;
    ngx_http_longpoll_reply_pt       handler;
    void                            *data;
    ngx_msec_t                       since;     /* it was sent */
    ngx_msec_t                       block;

    ngx_http_longpoll_script_t      *script;    /* NULL: none, or it was sent
                                                   with its text */
    ngx_uint_t                       argc;
    u_char                          *args;      /* behind EVALSHA and its sha */

    ngx_chain_t                      link;      /* in out, if it is not sent */
    ngx_buf_t                        buf;
} ngx_http_longpoll_command_t;


struct ngx_http_longpoll_redis_s {
    ngx_http_longpoll_redis_e        state;
    ngx_uint_t                       busy;      /* functions that use it */

    ngx_http_longpoll_cluster_t     *cluster;
    ngx_http_longpoll_cluster_server_t
                                    *server;
    ngx_http_longpoll_redis_pt       handler;
    void                            *data;
    ngx_msec_t                       timeout;

    ngx_pool_t                      *pool;
    ngx_log_t                        log;
    ngx_peer_connection_t            peer;
    ngx_event_t                      refused;   /* posted: it could not begin */
    ngx_err_t                        err;

    ngx_http_longpoll_replies_t     *replies;
    ngx_queue_t                      commands;  /* without a reply */
    ngx_chain_t                     *out;
    ngx_chain_t                    **last;      /* where out ends */
    ngx_queue_t                      spares;    /* blocks for later commands */
    ngx_uint_t                       nspares;

    ngx_str_t                        reason;
    u_char                           text[128];
};


static ngx_int_t ngx_http_longpoll_redis_begin(
    ngx_http_longpoll_redis_t *redis);
static void ngx_http_longpoll_redis_refused_handler(ngx_event_t *ev);
static void ngx_http_longpoll_redis_write_handler(ngx_event_t *wev);
static void ngx_http_longpoll_redis_read_handler(ngx_event_t *rev);
static void ngx_http_longpoll_redis_connected(ngx_http_longpoll_redis_t *redis);
static void ngx_http_longpoll_redis_handshake_handler(ngx_connection_t *c);
static void ngx_http_longpoll_redis_verify(ngx_http_longpoll_redis_t *redis);
static void ngx_http_longpoll_redis_opened(ngx_http_longpoll_redis_t *redis);
static void ngx_http_longpoll_redis_send(ngx_http_longpoll_redis_t *redis);
static void ngx_http_longpoll_redis_receive(ngx_http_longpoll_redis_t *redis);
static ngx_int_t ngx_http_longpoll_redis_replied(
    ngx_http_longpoll_redis_t *redis);
static ngx_int_t ngx_http_longpoll_redis_reply(
    ngx_http_longpoll_redis_t *redis, ngx_http_longpoll_reply_t *reply);
static ngx_http_longpoll_command_t *ngx_http_longpoll_redis_command_create(
    ngx_http_longpoll_redis_t *redis, size_t len);
static void *ngx_http_longpoll_redis_alloc(ngx_http_longpoll_redis_t *redis,
    size_t size);
static void ngx_http_longpoll_redis_free(ngx_http_longpoll_redis_t *redis,
    ngx_http_longpoll_command_t *command);
static u_char *ngx_http_longpoll_redis_print(u_char *p, ngx_str_t *argv,
    ngx_uint_t argc);
static u_char *ngx_http_longpoll_redis_size(u_char *p, u_char type,
    size_t size);
static void ngx_http_longpoll_redis_push(ngx_http_longpoll_redis_t *redis,
    ngx_http_longpoll_command_t *command);
static ngx_int_t ngx_http_longpoll_redis_resend(
    ngx_http_longpoll_redis_t *redis, ngx_http_longpoll_command_t *command);
static void ngx_http_longpoll_redis_timer(ngx_http_longpoll_redis_t *redis);
static ngx_msec_int_t ngx_http_longpoll_redis_left(
    ngx_http_longpoll_redis_t *redis);
static void ngx_http_longpoll_redis_fail(ngx_http_longpoll_redis_t *redis,
    const char *what, ngx_err_t err);
static void ngx_http_longpoll_redis_end(ngx_http_longpoll_redis_t *redis);
static void ngx_http_longpoll_redis_done(ngx_http_longpoll_redis_t *redis);


ngx_http_longpoll_redis_t *
ngx_http_longpoll_redis_connect(ngx_http_longpoll_cluster_t *cluster,
    ngx_http_longpoll_cluster_server_t *server, ngx_addr_t *addr, size_t limit,
    ngx_http_longpoll_redis_pt handler, void *data, ngx_log_t *log)
{
    ngx_pool_t                 *pool;
    ngx_http_longpoll_redis_t  *redis;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);
    if (pool == NULL) {
        return NULL;
    }

    redis = ngx_pcalloc(pool, sizeof(ngx_http_longpoll_redis_t));
    if (redis == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    redis->replies = ngx_http_longpoll_reply_create(limit, log);
    if (redis->replies == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    redis->pool = pool;
    redis->cluster = cluster;
    redis->server = server;
    redis->handler = handler;
    redis->data = data;
    redis->timeout = (ngx_msec_t) cluster->timeout;
    redis->last = &redis->out;

    ngx_queue_init(&redis->commands);
    ngx_queue_init(&redis->spares);

    /* the reason is the owner's to log: nginx would log each try */

    redis->log = *log;

    if (!(log->log_level & NGX_LOG_DEBUG_ALL)) {
        redis->log.log_level = ngx_min(log->log_level, NGX_LOG_ALERT);
    }

    redis->peer.sockaddr = addr->sockaddr;
    redis->peer.socklen = addr->socklen;
    redis->peer.name = &server->name;
    redis->peer.get = ngx_event_get_peer;
    redis->peer.log = &redis->log;
    redis->peer.log_error = NGX_ERROR_INFO;
    redis->peer.so_keepalive = 1;

    if (ngx_http_longpoll_redis_begin(redis) != NGX_OK) {
        redis->refused.handler = ngx_http_longpoll_redis_refused_handler;
        redis->refused.data = redis;
        redis->refused.log = log;

        ngx_post_event(&redis->refused, &ngx_posted_events);
    }

    return redis;
}


static ngx_int_t
ngx_http_longpoll_redis_begin(ngx_http_longpoll_redis_t *redis)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    ngx_set_socket_errno(0);

    rc = ngx_event_connect_peer(&redis->peer);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        redis->err = ngx_socket_errno;
        return NGX_ERROR;
    }

    c = redis->peer.connection;

    c->data = redis;
    c->pool = redis->pool;
    c->read->handler = ngx_http_longpoll_redis_read_handler;
    c->write->handler = ngx_http_longpoll_redis_write_handler;

    ngx_add_timer(c->write, redis->timeout);

    if (rc == NGX_OK) {
        ngx_post_event(c->write, &ngx_posted_events);
    }

    return NGX_OK;
}


static void
ngx_http_longpoll_redis_refused_handler(ngx_event_t *ev)
{
    ngx_http_longpoll_redis_t  *redis;

    redis = ev->data;

    redis->busy++;
    ngx_http_longpoll_redis_fail(redis, "connect() failed", redis->err);
    ngx_http_longpoll_redis_done(redis);
}


/*
 * events
 */


static void
ngx_http_longpoll_redis_write_handler(ngx_event_t *wev)
{
    ngx_connection_t           *c;
    ngx_http_longpoll_redis_t  *redis;

    c = wev->data;
    redis = c->data;

    redis->busy++;

    if (wev->timedout) {
        ngx_http_longpoll_redis_fail(redis, "connecting took too long", 0);

    } else if (redis->state == NGX_HTTP_LONGPOLL_REDIS_CONNECTING) {
        ngx_http_longpoll_redis_connected(redis);

    } else {
        ngx_http_longpoll_redis_send(redis);
    }

    ngx_http_longpoll_redis_done(redis);
}


static void
ngx_http_longpoll_redis_read_handler(ngx_event_t *rev)
{
    ngx_connection_t           *c;
    ngx_http_longpoll_redis_t  *redis;

    c = rev->data;
    redis = c->data;

    redis->busy++;

    if (rev->timedout) {
        rev->timedout = 0;

        if (ngx_http_longpoll_redis_left(redis) <= 0) {
            ngx_http_longpoll_redis_fail(redis, "no answer in time", 0);

        } else {
            ngx_http_longpoll_redis_timer(redis);
        }

    } else if (redis->state == NGX_HTTP_LONGPOLL_REDIS_CONNECTING) {
        ngx_http_longpoll_redis_connected(redis);

    } else {
        ngx_http_longpoll_redis_receive(redis);
    }

    ngx_http_longpoll_redis_done(redis);
}


static void
ngx_http_longpoll_redis_connected(ngx_http_longpoll_redis_t *redis)
{
    int                err;
    ngx_int_t          rc;
    socklen_t          len;
    ngx_connection_t  *c;

    c = redis->peer.connection;
    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_http_longpoll_redis_fail(redis, "connect() failed", err);
        return;
    }

    if (redis->peer.sockaddr->sa_family != AF_UNIX) {
        (void) ngx_tcp_nodelay(c);
    }

    if (redis->cluster->kind != NGX_HTTP_LONGPOLL_CLUSTER_TLS) {
        ngx_http_longpoll_redis_opened(redis);
        return;
    }

    rc = ngx_http_longpoll_tls_connect(redis->cluster, redis->server, c,
                                    ngx_http_longpoll_redis_handshake_handler);
    if (rc != NGX_AGAIN) {
        ngx_http_longpoll_redis_verify(redis);
    }
}


static void
ngx_http_longpoll_redis_handshake_handler(ngx_connection_t *c)
{
    ngx_http_longpoll_redis_t  *redis;

    redis = c->data;

    redis->busy++;

    if (c->write->timedout) {
        ngx_http_longpoll_redis_fail(redis, "connecting took too long", 0);

    } else {
        ngx_http_longpoll_redis_verify(redis);
    }

    ngx_http_longpoll_redis_done(redis);
}


static void
ngx_http_longpoll_redis_verify(ngx_http_longpoll_redis_t *redis)
{
    const char  *reason;

    reason = ngx_http_longpoll_tls_verify(redis->server,
                                          redis->peer.connection);
    if (reason) {
        ngx_http_longpoll_redis_fail(redis, reason, 0);
        return;
    }

    ngx_http_longpoll_redis_opened(redis);
}


static void
ngx_http_longpoll_redis_opened(ngx_http_longpoll_redis_t *redis)
{
    ngx_connection_t  *c;

    c = redis->peer.connection;

    c->read->handler = ngx_http_longpoll_redis_read_handler;
    c->write->handler = ngx_http_longpoll_redis_write_handler;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    redis->state = NGX_HTTP_LONGPOLL_REDIS_OPEN;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_longpoll_redis_fail(redis, "no events", 0);
        return;
    }

    redis->handler(redis->data, NGX_OK, NULL);
}


static void
ngx_http_longpoll_redis_send(ngx_http_longpoll_redis_t *redis)
{
    ngx_chain_t       *out;
    ngx_connection_t  *c;

    c = redis->peer.connection;

    if (redis->out && c->write->ready) {
        out = c->send_chain(c, redis->out, 0);

        if (out == NGX_CHAIN_ERROR) {
            ngx_http_longpoll_redis_fail(redis, "sending failed",
                                         ngx_socket_errno);
            return;
        }

        redis->out = out;

        if (out == NULL) {
            redis->last = &redis->out;
        }
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_longpoll_redis_fail(redis, "no events", 0);
    }
}


static void
ngx_http_longpoll_redis_receive(ngx_http_longpoll_redis_t *redis)
{
    ssize_t            n;
    ngx_uint_t         i;
    ngx_connection_t  *c;
    u_char             buf[NGX_HTTP_LONGPOLL_REDIS_READ];

    c = redis->peer.connection;

    for (i = 0; i < NGX_HTTP_LONGPOLL_REDIS_READS; i++) {
        n = c->recv(c, buf, NGX_HTTP_LONGPOLL_REDIS_READ);

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                ngx_http_longpoll_redis_fail(redis, "no events", 0);
            }

            return;
        }

        if (n == 0) {
            ngx_http_longpoll_redis_fail(redis, "Redis has closed it", 0);
            return;
        }

        if (n == NGX_ERROR) {
            ngx_http_longpoll_redis_fail(redis, "recv() failed",
                                         ngx_socket_errno);
            return;
        }

        if (ngx_http_longpoll_reply_feed(redis->replies, buf, n) != NGX_OK) {
            ngx_http_longpoll_redis_fail(redis, "no memory", 0);
            return;
        }

        if (ngx_http_longpoll_redis_replied(redis) != NGX_OK) {
            return;
        }
    }

    ngx_post_event(c->read, &ngx_posted_next_events);
}


/* NGX_OK, or NGX_DONE: the connection is closed */

static ngx_int_t
ngx_http_longpoll_redis_replied(ngx_http_longpoll_redis_t *redis)
{
    ngx_int_t                   rc;
    const char                 *reason;
    ngx_http_longpoll_reply_t  *reply;

    for ( ;; ) {
        rc = ngx_http_longpoll_reply_next(redis->replies, &reply, &reason);

        if (rc == NGX_AGAIN) {
            ngx_http_longpoll_redis_timer(redis);
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            ngx_http_longpoll_redis_fail(redis, reason, 0);
            return NGX_DONE;
        }

        if (ngx_http_longpoll_redis_reply(redis, reply) != NGX_OK) {
            return NGX_DONE;
        }
    }
}


static ngx_int_t
ngx_http_longpoll_redis_reply(ngx_http_longpoll_redis_t *redis,
    ngx_http_longpoll_reply_t *reply)
{
    ngx_http_longpoll_command_t  *command;

    command = NULL;

    if (!ngx_queue_empty(&redis->commands)) {
        command = ngx_queue_data(ngx_queue_head(&redis->commands),
                                 ngx_http_longpoll_command_t, queue);
    }

    if (command == NULL || ngx_buf_size(&command->buf)) {

        /* such as "max number of clients reached" */

        if (reply->type == NGX_HTTP_LONGPOLL_REPLY_ERROR) {
            redis->reason = reply->str;
        }

        ngx_http_longpoll_redis_fail(redis, "Redis was not asked", 0);
        return NGX_DONE;
    }

    ngx_queue_remove(&command->queue);

    if (command->script && reply->type == NGX_HTTP_LONGPOLL_REPLY_ERROR
        && reply->str.len >= sizeof("NOSCRIPT") - 1
        && ngx_strncmp(reply->str.data, "NOSCRIPT", sizeof("NOSCRIPT") - 1)
           == 0)
    {
        if (ngx_http_longpoll_redis_resend(redis, command) == NGX_OK) {
            ngx_http_longpoll_redis_free(redis, command);
            return NGX_OK;
        }
    }

    command->handler(command->data, reply);

    ngx_http_longpoll_redis_free(redis, command);

    return redis->state == NGX_HTTP_LONGPOLL_REDIS_OPEN ? NGX_OK : NGX_DONE;
}


/*
 * commands
 */


ngx_int_t
ngx_http_longpoll_redis_command(ngx_http_longpoll_redis_t *redis,
    ngx_str_t *argv, ngx_uint_t argc, ngx_msec_t block,
    ngx_http_longpoll_reply_pt handler, void *data)
{
    size_t                        len;
    ngx_uint_t                    i;
    ngx_http_longpoll_command_t  *command;

    len = NGX_HTTP_LONGPOLL_REDIS_PREFIX;

    for (i = 0; i < argc; i++) {
        len += NGX_HTTP_LONGPOLL_REDIS_PREFIX + argv[i].len + 2;
    }

    command = ngx_http_longpoll_redis_command_create(redis, len);
    if (command == NULL) {
        return NGX_ERROR;
    }

    command->handler = handler;
    command->data = data;
    command->block = block;

    command->buf.last = ngx_http_longpoll_redis_size(command->buf.last, '*',
                                                     argc);
    command->buf.last = ngx_http_longpoll_redis_print(command->buf.last, argv,
                                                      argc);

    ngx_http_longpoll_redis_push(redis, command);

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_redis_eval(ngx_http_longpoll_redis_t *redis,
    ngx_http_longpoll_script_t *script, ngx_str_t *argv, ngx_uint_t argc,
    ngx_http_longpoll_reply_pt handler, void *data)
{
    size_t                        len;
    ngx_str_t                     call[2];
    ngx_uint_t                    i;
    ngx_http_longpoll_command_t  *command;

    ngx_str_set(&call[0], "EVALSHA");
    call[1] = script->sha;

    len = 3 * NGX_HTTP_LONGPOLL_REDIS_PREFIX + call[0].len + call[1].len + 4;

    for (i = 0; i < argc; i++) {
        len += NGX_HTTP_LONGPOLL_REDIS_PREFIX + argv[i].len + 2;
    }

    command = ngx_http_longpoll_redis_command_create(redis, len);
    if (command == NULL) {
        return NGX_ERROR;
    }

    command->handler = handler;
    command->data = data;
    command->script = script;
    command->argc = argc;

    command->buf.last = ngx_http_longpoll_redis_size(command->buf.last, '*',
                                                     argc + 2);
    command->args = ngx_http_longpoll_redis_print(command->buf.last, call, 2);
    command->buf.last = ngx_http_longpoll_redis_print(command->args, argv,
                                                      argc);

    ngx_http_longpoll_redis_push(redis, command);

    return NGX_OK;
}


/* Redis does not have the script of a command, which is the caller's to free */

static ngx_int_t
ngx_http_longpoll_redis_resend(ngx_http_longpoll_redis_t *redis,
    ngx_http_longpoll_command_t *command)
{
    size_t                        len, args;
    ngx_str_t                     call[2];
    ngx_http_longpoll_command_t  *again;

    ngx_str_set(&call[0], "EVAL");
    call[1] = command->script->text;

    args = command->buf.last - command->args;
    len = 3 * NGX_HTTP_LONGPOLL_REDIS_PREFIX + call[0].len + call[1].len + 4
          + args;

    again = ngx_http_longpoll_redis_command_create(redis, len);
    if (again == NULL) {
        return NGX_ERROR;
    }

    again->handler = command->handler;
    again->data = command->data;

    again->buf.last = ngx_http_longpoll_redis_size(again->buf.last, '*',
                                                   command->argc + 2);
    again->buf.last = ngx_http_longpoll_redis_print(again->buf.last, call, 2);
    again->buf.last = ngx_cpymem(again->buf.last, command->args, args);

    ngx_http_longpoll_redis_push(redis, again);

    return NGX_OK;
}


static ngx_http_longpoll_command_t *
ngx_http_longpoll_redis_command_create(ngx_http_longpoll_redis_t *redis,
    size_t len)
{
    ngx_http_longpoll_command_t  *command;

    if (redis->state != NGX_HTTP_LONGPOLL_REDIS_OPEN) {
        return NULL;
    }

    len += sizeof(ngx_http_longpoll_command_t);
    len = ngx_max(len, NGX_HTTP_LONGPOLL_REDIS_SPARE);

    command = ngx_http_longpoll_redis_alloc(redis, len);
    if (command == NULL) {
        return NULL;
    }

    ngx_memzero(command, sizeof(ngx_http_longpoll_command_t));

    command->since = ngx_current_msec;

    command->buf.memory = 1;
    command->buf.start = (u_char *) command
                         + sizeof(ngx_http_longpoll_command_t);
    command->buf.pos = command->buf.start;
    command->buf.last = command->buf.start;
    command->buf.end = (u_char *) command + len;

    command->link.buf = &command->buf;

    return command;
}


/*
 * A block of SPARE bytes, if that will do.  Commands are freed by the dozen,
 * more than glibc keeps at hand, and malloc() then takes four times as long.
 */

static void *
ngx_http_longpoll_redis_alloc(ngx_http_longpoll_redis_t *redis, size_t size)
{
    ngx_queue_t  *q;

    if (size > NGX_HTTP_LONGPOLL_REDIS_SPARE
        || ngx_queue_empty(&redis->spares))
    {
        return ngx_alloc(size, &redis->log);
    }

    q = ngx_queue_head(&redis->spares);
    ngx_queue_remove(q);
    redis->nspares--;

    return ngx_queue_data(q, ngx_http_longpoll_command_t, queue);
}


static void
ngx_http_longpoll_redis_free(ngx_http_longpoll_redis_t *redis,
    ngx_http_longpoll_command_t *command)
{
    if (command->buf.end - (u_char *) command > NGX_HTTP_LONGPOLL_REDIS_SPARE
        || redis->nspares == NGX_HTTP_LONGPOLL_REDIS_SPARES)
    {
        ngx_free(command);
        return;
    }

    ngx_queue_insert_head(&redis->spares, &command->queue);
    redis->nspares++;
}


static u_char *
ngx_http_longpoll_redis_print(u_char *p, ngx_str_t *argv, ngx_uint_t argc)
{
    ngx_uint_t  i;

    for (i = 0; i < argc; i++) {
        p = ngx_http_longpoll_redis_size(p, '$', argv[i].len);
        p = ngx_cpymem(p, argv[i].data, argv[i].len);
        *p++ = CR;
        *p++ = LF;
    }

    return p;
}


/* of an array, which begins with '*', or of a string, with '$' */

static u_char *
ngx_http_longpoll_redis_size(u_char *p, u_char type, size_t size)
{
    *p++ = type;
    p = ngx_http_longpoll_decimal(p, size);
    *p++ = CR;
    *p++ = LF;

    return p;
}


static void
ngx_http_longpoll_redis_push(ngx_http_longpoll_redis_t *redis,
    ngx_http_longpoll_command_t *command)
{
    ngx_connection_t  *c;

    *redis->last = &command->link;
    redis->last = &command->link.next;

    ngx_queue_insert_tail(&redis->commands, &command->queue);

    if (ngx_queue_head(&redis->commands) == &command->queue) {
        ngx_http_longpoll_redis_timer(redis);
    }

    c = redis->peer.connection;

    if (c->write->ready) {
        ngx_post_event(c->write, &ngx_posted_events);
    }
}


/* for the reply that comes next; nginx may keep a timer that is a bit early */

static void
ngx_http_longpoll_redis_timer(ngx_http_longpoll_redis_t *redis)
{
    ngx_event_t     *rev;
    ngx_msec_int_t   left;

    rev = redis->peer.connection->read;

    if (!ngx_queue_empty(&redis->commands)) {
        left = ngx_http_longpoll_redis_left(redis);
        ngx_add_timer(rev, (ngx_msec_t) ngx_max(left, 1));

    } else if (rev->timer_set) {
        ngx_del_timer(rev);
    }
}


/* ms until the reply that comes next is late; there is a command */

static ngx_msec_int_t
ngx_http_longpoll_redis_left(ngx_http_longpoll_redis_t *redis)
{
    ngx_http_longpoll_command_t  *command;

    command = ngx_queue_data(ngx_queue_head(&redis->commands),
                             ngx_http_longpoll_command_t, queue);

    return (ngx_msec_int_t) (command->since + command->block + redis->timeout
                             - ngx_current_msec);
}


/*
 * the end
 */


void
ngx_http_longpoll_redis_close(ngx_http_longpoll_redis_t *redis)
{
    redis->busy++;
    ngx_http_longpoll_redis_end(redis);
    ngx_http_longpoll_redis_done(redis);
}


/* the caller is busy; a reason that is set comes first */

static void
ngx_http_longpoll_redis_fail(ngx_http_longpoll_redis_t *redis,
    const char *what, ngx_err_t err)
{
    u_char      *p, *last;
    ngx_uint_t   i;

    if (redis->state == NGX_HTTP_LONGPOLL_REDIS_CLOSED) {
        return;
    }

    p = redis->text;
    last = redis->text + sizeof(redis->text);

    if (redis->reason.len) {
        p = ngx_slprintf(p, last, "%V", &redis->reason);

    } else {
        p = ngx_slprintf(p, last, "%s", what);
    }

    if (err) {
        p = ngx_slprintf(p, last, " (%d: ", err);
        p = ngx_strerror(err, p, last - p);
        p = ngx_slprintf(p, last, ")");
    }

    redis->reason.data = redis->text;
    redis->reason.len = p - redis->text;

    for (i = 0; i < redis->reason.len; i++) {

        if (redis->text[i] < 0x20 || redis->text[i] > 0x7e) {
            redis->text[i] = '?';
        }
    }

    ngx_http_longpoll_redis_end(redis);

    redis->handler(redis->data, NGX_ERROR, &redis->reason);
}


/* nothing comes after the NULLs of the commands */

static void
ngx_http_longpoll_redis_end(ngx_http_longpoll_redis_t *redis)
{
    ngx_queue_t                  *q;
    ngx_http_longpoll_command_t  *command;

    if (redis->state == NGX_HTTP_LONGPOLL_REDIS_CLOSED) {
        return;
    }

    redis->state = NGX_HTTP_LONGPOLL_REDIS_CLOSED;

    if (redis->refused.posted) {
        ngx_delete_posted_event(&redis->refused);
    }

    if (redis->peer.connection) {
        ngx_http_longpoll_tls_close(redis->peer.connection);
        ngx_close_connection(redis->peer.connection);
        redis->peer.connection = NULL;
    }

    while (!ngx_queue_empty(&redis->commands)) {
        q = ngx_queue_head(&redis->commands);
        ngx_queue_remove(q);

        command = ngx_queue_data(q, ngx_http_longpoll_command_t, queue);
        command->handler(command->data, NULL);

        ngx_http_longpoll_redis_free(redis, command);
    }
}


/* the caller was busy, and does not use the connection any more */

static void
ngx_http_longpoll_redis_done(ngx_http_longpoll_redis_t *redis)
{
    ngx_queue_t  *q;

    redis->busy--;

    if (redis->busy || redis->state != NGX_HTTP_LONGPOLL_REDIS_CLOSED) {
        return;
    }

    while (!ngx_queue_empty(&redis->spares)) {
        q = ngx_queue_head(&redis->spares);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_http_longpoll_command_t, queue));
    }

    ngx_http_longpoll_reply_free(redis->replies);
    ngx_destroy_pool(redis->pool);
}
