
/*
 * ngx_http_longpoll_query.h: a poll's query string -> struct, or the error.
 *
 * No request, no pool, no log: bytes in, struct or error out.  An error is
 * the text between the quotes of {"error": "..."}.
 *
 * Sources: docs/protocol.md, Polling; golongpoll
 * getLongPollSubscriptionHandler; Go's net/url ParseQuery and
 * strconv.ParseInt.
 */


#ifndef _NGX_HTTP_LONGPOLL_QUERY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_QUERY_H_INCLUDED_


#include "ngx_http_longpoll.h"
#include "ngx_http_longpoll_id.h"


/* bytes that errbuf must have */

#define NGX_HTTP_LONGPOLL_QUERY_ERROR  128


typedef struct {
    ngx_uint_t                timeout;      /* s */
    int64_t                   since_time;   /* ms, may be negative */
    ngx_http_longpoll_uuid_t  uuid;         /* last_id */
    uint64_t                  id;           /* of it, if own */
    uint64_t                  epoch;

    ngx_uint_t                ncats;
    ngx_http_longpoll_cat_t  *cats;         /* the caller's, with room for 64
                                               (MAX_CATEGORIES); names point
                                               into what was read or into buf,
                                               hashes are left alone */
    unsigned                  has_since:1;
    unsigned                  has_id:1;     /* last_id was a UUID */
    unsigned                  own_id:1;     /* of version 7: id, life set */
} ngx_http_longpoll_query_t;


/*
 * A query that was read, for the next one that is the same: when an event has
 * gone to a thousand clients, a thousand come back and ask with the same bytes.
 * Begins as zeros.
 */

#define NGX_HTTP_LONGPOLL_QUERY_CACHE   256  /* bytes; longer ones are not */

typedef struct {
    void                     *owner;
    ngx_http_longpoll_query_t  query;
    ngx_http_longpoll_cat_t   cat;
    size_t                    len;
    u_char                    args[NGX_HTTP_LONGPOLL_QUERY_CACHE];
} ngx_http_longpoll_query_cache_t;


/*
 * Reads args (without the '?').  Where categories are given (NULL: not), those
 * in args do not count.  The caller has set q->cats, and nothing else
 * of q; buf has room for args->len bytes and takes what had to be decoded, and
 * may be NULL where there is neither '%' nor '+' in args;
 * max_timeout is in seconds.  The same category twice counts once.
 *
 * NGX_OK     q is filled
 * NGX_ERROR  *error is set: to a static string, but for the text that names
 *            max_timeout, which is written to errbuf.  The errors are checked
 *            in the order of docs/protocol.md; the first one is reported.
 *            Of q only cats and ncats are defined (what was read of them).
 */
ngx_int_t ngx_http_longpoll_query_parse(ngx_http_longpoll_query_t *q,
    ngx_str_t *args, u_char *buf, ngx_http_longpoll_configured_t *given,
    ngx_uint_t max_timeout, u_char *errbuf, ngx_str_t *error);

/*
 * Keeps q, read of args alone with nothing given, and with the hashes of its
 * categories.  The owner stands for what else it was read with.  What cannot be
 * kept is not, which is more than one category, or one that was decoded.
 */
void ngx_http_longpoll_query_cache(ngx_http_longpoll_query_cache_t *kept,
    void *owner, ngx_str_t *args, ngx_http_longpoll_query_t *q);

/*
 * 1 if the owner's query that is kept is the same as args: q is as it was, with
 * the category in q->cats, whose name points into args.
 */
ngx_uint_t ngx_http_longpoll_query_cached(ngx_http_longpoll_query_cache_t *kept,
    void *owner, ngx_str_t *args, ngx_http_longpoll_query_t *q);

/*
 * The same of the categories alone.
 *
 * NGX_OK        q->cats, q->ncats
 * NGX_ERROR     there is none, or a bad one: *error
 * NGX_DECLINED  there are too many: *error
 */
ngx_int_t ngx_http_longpoll_query_categories(ngx_http_longpoll_query_t *q,
    ngx_str_t *args, u_char *buf, ngx_http_longpoll_configured_t *given,
    ngx_str_t *error);

/*
 * The first value of that name in args that counts; value->len is 0 where there
 * is none.  buf as above.
 */
void ngx_http_longpoll_query_value(ngx_str_t *args, u_char *buf,
    ngx_str_t *name, ngx_str_t *value);

/* whether buf must be there */
ngx_uint_t ngx_http_longpoll_query_escaped(ngx_str_t *args);


#endif /* _NGX_HTTP_LONGPOLL_QUERY_H_INCLUDED_ */
