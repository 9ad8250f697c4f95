
/*
 * ngx_http_longpoll_reply.c: bytes that Redis sends -> replies.
 *
 * hiredis' reader calls the create functions below for each value that it has
 * read whole.  They put it where it belongs in the reply: the elements of an
 * array lie side by side, and task->idx is the index.  All of a reply lies in
 * one pool, which is emptied before the next reply.
 *
 * Redis is believed to be Redis, but it costs little to be sure that whatever
 * sends these bytes cannot do harm: a reply is bounded (limit), and so is an
 * array by the bytes that its elements must have at least.
 *
 * Only this file knows hiredis.  Its asynchronous connections are not used:
 * docs/internals/cluster.md says why.  The module is not linked with it, so it
 * runs without hiredis as long as no zone is over Redis.
 */


#include "ngx_http_longpoll_reply.h"


#if (NGX_HTTP_LONGPOLL_HIREDIS)


#include <dlfcn.h>
#include <hiredis/hiredis.h>


/* bytes of the shortest element, ":0\r\n" */
#define NGX_HTTP_LONGPOLL_REPLY_ELEMENT  4

/* bytes of a line, at most: hiredis looks for its end again and again */
#define NGX_HTTP_LONGPOLL_REPLY_LINE     16384

/* bytes of a reply whose memory is given back when it is gone */
#define NGX_HTTP_LONGPOLL_REPLY_LARGE    65536


#define ngx_http_longpoll_reply_string_of(token)   #token
#define ngx_http_longpoll_reply_soname(version)                               \
    "libhiredis.so." ngx_http_longpoll_reply_string_of(version)


struct ngx_http_longpoll_replies_s {
    redisReader                     *reader;
    ngx_pool_t                      *pool;
    ngx_log_t                       *log;
    size_t                           limit;
    size_t                           fed;       /* since the last reply */
    size_t                           size;      /* of the reply that was handed
                                                   out; 0: none */
};


/* its functions, from when they are loaded on */

typedef struct {
    redisReader                   *(*create)(redisReplyObjectFunctions *fn);
    void                           (*free)(redisReader *reader);
    int                            (*feed)(redisReader *reader,
                                        const char *data, size_t len);
    int                            (*get)(redisReader *reader, void **reply);
} ngx_http_longpoll_hiredis_t;


#if (HIREDIS_MAJOR == 0)
typedef int     ngx_http_longpoll_reply_size_t;
#else
typedef size_t  ngx_http_longpoll_reply_size_t;
#endif


static ngx_int_t ngx_http_longpoll_reply_reset(
    ngx_http_longpoll_replies_t *replies);
static ngx_http_longpoll_reply_t *ngx_http_longpoll_reply_value(
    const redisReadTask *task, ngx_http_longpoll_reply_e type);
static void *ngx_http_longpoll_reply_string(const redisReadTask *task,
    char *data, size_t len);
static void *ngx_http_longpoll_reply_array(const redisReadTask *task,
    ngx_http_longpoll_reply_size_t nelts);
static void *ngx_http_longpoll_reply_integer(const redisReadTask *task,
    long long integer);
static void *ngx_http_longpoll_reply_nil(const redisReadTask *task);
static void ngx_http_longpoll_reply_forget(void *reply);


static redisReplyObjectFunctions  ngx_http_longpoll_reply_functions = {
    .createString = ngx_http_longpoll_reply_string,
    .createArray = ngx_http_longpoll_reply_array,
    .createInteger = ngx_http_longpoll_reply_integer,
    .createNil = ngx_http_longpoll_reply_nil,
    .freeObject = ngx_http_longpoll_reply_forget
};


static ngx_http_longpoll_hiredis_t  ngx_http_longpoll_hiredis;


const char *
ngx_http_longpoll_reply_load(void)
{
    void        *lib, *symbol;
    ngx_uint_t   i;

    static const struct {
        const char  *name;
        void        *function;
    } symbols[] = {
        { "redisReaderCreateWithFunctions", &ngx_http_longpoll_hiredis.create },
        { "redisReaderFree", &ngx_http_longpoll_hiredis.free },
        { "redisReaderFeed", &ngx_http_longpoll_hiredis.feed },
        { "redisReaderGetReply", &ngx_http_longpoll_hiredis.get }
    };

    if (ngx_http_longpoll_hiredis.get) {
        return NULL;
    }

    lib = dlopen(ngx_http_longpoll_reply_soname(HIREDIS_SONAME),
                 RTLD_NOW|RTLD_LOCAL);
    if (lib == NULL) {
        return dlerror();
    }

    for (i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        symbol = dlsym(lib, symbols[i].name);
        if (symbol == NULL) {
            return dlerror();
        }

        ngx_memcpy(symbols[i].function, &symbol, sizeof(symbol));
    }

    return NULL;
}


ngx_http_longpoll_replies_t *
ngx_http_longpoll_reply_create(size_t limit, ngx_log_t *log)
{
    ngx_http_longpoll_replies_t  *replies;

    replies = ngx_calloc(sizeof(ngx_http_longpoll_replies_t), log);
    if (replies == NULL) {
        return NULL;
    }

    replies->limit = limit;
    replies->log = log;
    replies->pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);
    replies->reader = ngx_http_longpoll_hiredis.create(
                                           &ngx_http_longpoll_reply_functions);

    if (replies->pool == NULL || replies->reader == NULL) {
        ngx_http_longpoll_reply_free(replies);
        return NULL;
    }

    replies->reader->privdata = replies;

    return replies;
}


void
ngx_http_longpoll_reply_free(ngx_http_longpoll_replies_t *replies)
{
    if (replies->reader) {
        ngx_http_longpoll_hiredis.free(replies->reader);
    }

    if (replies->pool) {
        ngx_destroy_pool(replies->pool);
    }

    ngx_free(replies);
}


ngx_int_t
ngx_http_longpoll_reply_feed(ngx_http_longpoll_replies_t *replies,
    u_char *data, size_t len)
{
    replies->fed += len;

    return ngx_http_longpoll_hiredis.feed(replies->reader, (char *) data, len)
           == REDIS_OK ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_longpoll_reply_next(ngx_http_longpoll_replies_t *replies,
    ngx_http_longpoll_reply_t **reply, const char **reason)
{
    void         *value;
    size_t        rest;
    redisReader  *reader;

    reader = replies->reader;

    if (ngx_http_longpoll_reply_reset(replies) != NGX_OK) {
        *reason = "no memory";
        return NGX_ERROR;
    }

    if (ngx_http_longpoll_hiredis.get(reader, &value) != REDIS_OK) {
        *reason = reader->errstr;
        return NGX_ERROR;
    }

    rest = reader->len - reader->pos;

    if (value) {

        if (replies->fed > replies->limit + rest) {
            *reason = "the reply is too large";
            return NGX_ERROR;
        }

        replies->size = replies->fed - rest;
        replies->fed = rest;
        *reply = value;

        return NGX_OK;
    }

    if (replies->fed > replies->limit
        || (rest > NGX_HTTP_LONGPOLL_REPLY_LINE
            && memchr(reader->buf + reader->pos, '\n',
                      NGX_HTTP_LONGPOLL_REPLY_LINE)
               == NULL))
    {
        *reason = "the reply is too large";
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


/* the last reply is gone */

static ngx_int_t
ngx_http_longpoll_reply_reset(ngx_http_longpoll_replies_t *replies)
{
    if (replies->size > NGX_HTTP_LONGPOLL_REPLY_LARGE) {
        ngx_destroy_pool(replies->pool);
        replies->pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, replies->log);

    } else if (replies->size) {
        ngx_reset_pool(replies->pool);
    }

    replies->size = 0;

    return replies->pool ? NGX_OK : NGX_ERROR;
}


/* the value that the task has read, where it belongs */

static ngx_http_longpoll_reply_t *
ngx_http_longpoll_reply_value(const redisReadTask *task,
    ngx_http_longpoll_reply_e type)
{
    ngx_http_longpoll_reply_t    *reply, *parent;
    ngx_http_longpoll_replies_t  *replies;

    replies = task->privdata;

    if (task->parent) {
        parent = task->parent->obj;
        reply = &parent->elts[task->idx];

    } else {
        reply = ngx_pcalloc(replies->pool, sizeof(ngx_http_longpoll_reply_t));
    }

    if (reply) {
        reply->type = type;
    }

    return reply;
}


static void *
ngx_http_longpoll_reply_string(const redisReadTask *task, char *data,
    size_t len)
{
    ngx_http_longpoll_reply_t    *reply;
    ngx_http_longpoll_replies_t  *replies;

    replies = task->privdata;

    reply = ngx_http_longpoll_reply_value(task,
                                          task->type == REDIS_REPLY_ERROR
                                          ? NGX_HTTP_LONGPOLL_REPLY_ERROR
                                          : NGX_HTTP_LONGPOLL_REPLY_STRING);
    if (reply == NULL) {
        return NULL;
    }

    reply->str.len = len;
    reply->str.data = ngx_pnalloc(replies->pool, len);
    if (reply->str.data == NULL) {
        return NULL;
    }

    ngx_memcpy(reply->str.data, data, len);

    return reply;
}


static void *
ngx_http_longpoll_reply_array(const redisReadTask *task,
    ngx_http_longpoll_reply_size_t nelts)
{
    ngx_http_longpoll_reply_t    *reply;
    ngx_http_longpoll_replies_t  *replies;

    replies = task->privdata;

    if ((size_t) nelts > replies->limit / NGX_HTTP_LONGPOLL_REPLY_ELEMENT) {
        return NULL;
    }

    reply = ngx_http_longpoll_reply_value(task, NGX_HTTP_LONGPOLL_REPLY_ARRAY);
    if (reply == NULL) {
        return NULL;
    }

    reply->nelts = nelts;
    reply->elts = ngx_pcalloc(replies->pool,
                              nelts * sizeof(ngx_http_longpoll_reply_t));

    return reply->elts ? reply : NULL;
}


static void *
ngx_http_longpoll_reply_integer(const redisReadTask *task, long long integer)
{
    ngx_http_longpoll_reply_t  *reply;

    reply = ngx_http_longpoll_reply_value(task,
                                          NGX_HTTP_LONGPOLL_REPLY_INTEGER);
    if (reply) {
        reply->integer = integer;
    }

    return reply;
}


static void *
ngx_http_longpoll_reply_nil(const redisReadTask *task)
{
    return ngx_http_longpoll_reply_value(task, NGX_HTTP_LONGPOLL_REPLY_NIL);
}


/* the pool has it */

static void
ngx_http_longpoll_reply_forget(void *reply)
{
}


#else


const char *
ngx_http_longpoll_reply_load(void)
{
    return "the module was built without its headers, build it again";
}


ngx_http_longpoll_replies_t *
ngx_http_longpoll_reply_create(size_t limit, ngx_log_t *log)
{
    return NULL;
}


void
ngx_http_longpoll_reply_free(ngx_http_longpoll_replies_t *replies)
{
}


ngx_int_t
ngx_http_longpoll_reply_feed(ngx_http_longpoll_replies_t *replies,
    u_char *data, size_t len)
{
    return NGX_ERROR;
}


ngx_int_t
ngx_http_longpoll_reply_next(ngx_http_longpoll_replies_t *replies,
    ngx_http_longpoll_reply_t **reply, const char **reason)
{
    *reason = ngx_http_longpoll_reply_load();
    return NGX_ERROR;
}


#endif
