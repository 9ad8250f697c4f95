
/*
 * ngx_http_longpoll_query.h: a poll's query string -> struct, or the error.
 *
 * Bytes in, struct or error out: no request, no pool, no log.  An error is the
 * text between the quotes of {"error": "..."}.
 *
 * Values that have escapes are decoded into buf.  buf has room for args->len
 * bytes, and may be NULL if ..._query_escaped() says that nothing is escaped.
 *
 * Sources: docs/protocol.md, Polling; golongpoll's
 * getLongPollSubscriptionHandler; Go's net/url ParseQuery and strconv.ParseInt.
 */


#ifndef _NGX_HTTP_LONGPOLL_QUERY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_QUERY_H_INCLUDED_


#include "ngx_http_longpoll.h"
#include "ngx_http_longpoll_id.h"


/* the bytes of errbuf */

#define NGX_HTTP_LONGPOLL_QUERY_ERROR  128


/* the categories that the configuration names; empty values do not count */

typedef struct {
    ngx_str_t                *values;
    ngx_uint_t                n;
    ngx_int_t                 separator;    /* within a value; -1: none */
} ngx_http_longpoll_configured_t;


typedef struct {
    /* set by the caller of ..._parse() */
    ngx_str_t                *last_event_id;    /* of a stream, which may leave
                                               timeout out: in place of
                                               since_time and last_id, if it is
                                               not empty.  NULL: it is a poll */

    ngx_uint_t                timeout;      /* s; 0: none */
    int64_t                   since_time;   /* ms, may be negative */
    ngx_http_longpoll_uuid_t  uuid;         /* last_id */
    uint64_t                  id;           /* of last_id, if own_id */
    uint64_t                  epoch;        /* of last_id, if own_id */
    ngx_uint_t                recent;       /* begin with so many events; 0: not
                                               asked for, or ignored as there is
                                               a since_time or last_id */

    ngx_uint_t                ncats;
    ngx_http_longpoll_cat_t  *cats;         /* the caller's, MAX_CATEGORIES;
                                               names point into args, buf or the
                                               configuration, hashes are not
                                               set */
    unsigned                  has_since:1;  /* with has_id alone, the UUID of
                                               last_event_id may be foreign */
    unsigned                  has_id:1;     /* last_id is a UUID */
    unsigned                  own_id:1;     /* it is of version 7, as the
                                               module's own ids are */
} ngx_http_longpoll_query_t;


/*
 * A cache of one query: when an event has gone to a thousand clients, they all
 * come back with the same bytes.  An empty cache is all zeros.
 */

#define NGX_HTTP_LONGPOLL_QUERY_CACHE   256     /* bytes of args, at most */

typedef struct {
    void                     *owner;
    ngx_http_longpoll_query_t  query;
    ngx_http_longpoll_cat_t   cat;
    size_t                    len;
    u_char                    args[NGX_HTTP_LONGPOLL_QUERY_CACHE];
} ngx_http_longpoll_query_cache_t;


/*
 * Reads args (without the '?').  Where conf is not NULL the categories are
 * those of the configuration, and those in args do not count.  A category that
 * is named twice counts once.  max_timeout is in seconds.
 *
 * NGX_OK     q is filled
 * NGX_ERROR  *error is set, to a static string or into errbuf.  Errors are
 *            checked in the order of docs/protocol.md, and the first one is
 *            returned.  Of q only cats and ncats are defined.
 */
ngx_int_t ngx_http_longpoll_query_parse(ngx_http_longpoll_query_t *q,
    ngx_str_t *args, u_char *buf, ngx_http_longpoll_configured_t *conf,
    ngx_uint_t max_timeout, u_char *errbuf, ngx_str_t *error);

/*
 * Puts q into the cache: read from args, without conf or last_event_id, and
 * with the hash of its category.  The owner stands for all else that the
 * result depends on, such as max_timeout.  A query of several categories, of a
 * category with escapes, or with args of more than QUERY_CACHE bytes is not
 * cached.
 */
void ngx_http_longpoll_query_cache(ngx_http_longpoll_query_cache_t *cache,
    void *owner, ngx_str_t *args, ngx_http_longpoll_query_t *q);

/*
 * Returns 1 if this owner's query with the same args is cached: then q is as
 * ..._parse() would fill it, with its category and the hash in q->cats.
 */
ngx_uint_t ngx_http_longpoll_query_cached(
    ngx_http_longpoll_query_cache_t *cache, void *owner, ngx_str_t *args,
    ngx_http_longpoll_query_t *q);

/*
 * Reads the categories alone.
 *
 * NGX_OK        q->cats, q->ncats
 * NGX_DECLINED  there is none, or an invalid one: *error
 * NGX_ABORT     there are too many: *error
 */
ngx_int_t ngx_http_longpoll_query_categories(ngx_http_longpoll_query_t *q,
    ngx_str_t *args, u_char *buf, ngx_http_longpoll_configured_t *conf,
    ngx_str_t *error);

/*
 * Reads one argument: its first value that is not empty and can be decoded.
 * value->len is 0 where there is none.
 */
void ngx_http_longpoll_query_value(ngx_str_t *args, u_char *buf,
    ngx_str_t *name, ngx_str_t *value);

/* returns 1 if the argument is there, with a value or without */
ngx_uint_t ngx_http_longpoll_query_has(ngx_str_t *args, ngx_str_t *name);

/* returns 1 if something is escaped, and decoding needs buf */
ngx_uint_t ngx_http_longpoll_query_escaped(ngx_str_t *args);


#endif /* _NGX_HTTP_LONGPOLL_QUERY_H_INCLUDED_ */
