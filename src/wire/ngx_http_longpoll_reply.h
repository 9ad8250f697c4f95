
/*
 * ngx_http_longpoll_reply.h: bytes that Redis sends -> replies.
 *
 * hiredis parses them, if the module was built with its headers.
 */


#ifndef _NGX_HTTP_LONGPOLL_REPLY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_REPLY_H_INCLUDED_


#include "ngx_http_longpoll.h"


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
    ngx_str_t                        str;       /* of a STRING or an ERROR */
    ngx_http_longpoll_reply_t       *elts;      /* of an ARRAY */
    ngx_uint_t                       nelts;
};


typedef struct ngx_http_longpoll_replies_s  ngx_http_longpoll_replies_t;


/*
 * Loads hiredis, for this process and those that it forks; it stays.  Returns
 * NULL, or why it cannot be had: then there are no replies.
 */
const char *ngx_http_longpoll_reply_load(void);

/*
 * The replies of one connection.  limit is the bytes that a reply may have.
 * hiredis is loaded.  NULL: no memory.
 */
ngx_http_longpoll_replies_t *ngx_http_longpoll_reply_create(size_t limit,
    ngx_log_t *log);
void ngx_http_longpoll_reply_free(ngx_http_longpoll_replies_t *replies);

/* takes bytes as they come, and copies them; NGX_OK, or NGX_ERROR: no memory */
ngx_int_t ngx_http_longpoll_reply_feed(ngx_http_longpoll_replies_t *replies,
    u_char *data, size_t len);

/*
 * The next reply, which lives until the next call.
 *
 * NGX_OK     *reply is set
 * NGX_AGAIN  it is not complete
 * NGX_ERROR  there will be no other: *reason, in a few words
 */
ngx_int_t ngx_http_longpoll_reply_next(ngx_http_longpoll_replies_t *replies,
    ngx_http_longpoll_reply_t **reply, const char **reason);


#endif /* _NGX_HTTP_LONGPOLL_REPLY_H_INCLUDED_ */
