
/*
 * ngx_http_longpoll_query.h: a poll's query string -> struct, or the error.
 *
 * No request, no pool, no log: bytes in, struct or error out.  An error is
 * the text between the quotes of {"error": "..."}.
 *
 * Sources: CONTRACT section 2; golongpoll getLongPollSubscriptionHandler; Go's
 * net/url ParseQuery and strconv.ParseInt.
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
    uint64_t                  id;           /* of last_id, if own */
    uint64_t                  life;

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
 * Reads args (without the '?').  The caller has set q->cats, and nothing else
 * of q; buf has room for args->len bytes and takes what had to be decoded;
 * max_timeout is in seconds.  The same category twice counts once.
 *
 * NGX_OK     q is filled
 * NGX_ERROR  *error is set: to a static string, but for the text that names
 *            max_timeout, which is written to errbuf.  The errors are checked
 *            in the order of the contract; of several the first is told.
 *            Of q only cats and ncats are defined (what was read of them).
 */
ngx_int_t ngx_http_longpoll_query_parse(ngx_http_longpoll_query_t *q,
    ngx_str_t *args, u_char *buf, ngx_uint_t max_timeout, u_char *errbuf,
    ngx_str_t *error);

/*
 * Reads only the category arguments (status, and whoever needs no more).
 *
 * NGX_OK     q->cats and q->ncats are set (which may be 0), nothing else
 * NGX_ERROR  *error is set, to a static string
 */
ngx_int_t ngx_http_longpoll_query_categories(ngx_http_longpoll_query_t *q,
    ngx_str_t *args, u_char *buf, ngx_str_t *error);

/*
 * Takes the categories from the n values of longpoll_category, which are not
 * decoded; each is split at the separator, unless that is 0.  Empty ones are
 * dropped, the same one twice counts once.
 *
 * NGX_OK     q->cats and q->ncats (1 or more) are set, nothing else
 * NGX_ERROR  none, too many, a long one, or one that is not UTF-8: q->ncats is
 *            0 and *error the text about the category (polling)
 */
ngx_int_t ngx_http_longpoll_query_values(ngx_http_longpoll_query_t *q,
    ngx_str_t *values, ngx_uint_t n, u_char separator, ngx_str_t *error);

/*
 * As ..._query_parse(), but the categories are there already, from
 * ..._query_values(); category arguments do not count, and q->ncats == 0 is
 * the error about the category, told at its place in the order.
 */
ngx_int_t ngx_http_longpoll_query_parse_rest(ngx_http_longpoll_query_t *q,
    ngx_str_t *args, u_char *buf, ngx_uint_t max_timeout, u_char *errbuf,
    ngx_str_t *error);


#endif /* _NGX_HTTP_LONGPOLL_QUERY_H_INCLUDED_ */
