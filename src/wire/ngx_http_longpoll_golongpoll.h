
/*
 * ngx_http_longpoll_golongpoll.h: answers as golongpoll's server writes them,
 * and lines as its FilePersistorAddOn reads them.
 *
 *  {"events":[{"timestamp":N,"category":"C","data":D,"id":"I"},{...}]}
 *  {"timeout":"no events before timeout","timestamp":N}
 *  {"error": "E"}
 *
 * An answer to a poll that missed events has ,"missed":true in front of its
 * last brace.
 *
 * Writing takes two calls: the first returns a length, the second writes that
 * many bytes and returns their end.  No call fails or allocates.  Names must be
 * UTF-8 and data must be JSON without line ends, as json and query let them in.
 */


#ifndef _NGX_HTTP_LONGPOLL_GOLONGPOLL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_GOLONGPOLL_H_INCLUDED_


#include "ngx_http_longpoll.h"
#include "ngx_http_longpoll_id.h"


/*
 * The bytes that an event adds to an answer, with its comma and without its
 * data.  The result is exact for a timestamp of 13 digits (the years 2001 to
 * 2286), so it serves to limit an answer, and not to size a buffer.
 */
size_t ngx_http_longpoll_golongpoll_event_cost(ngx_str_t *name);

/* an answer with n messages; msgs[i].cat is an index into cats */
size_t ngx_http_longpoll_golongpoll_events_len(ngx_http_longpoll_cat_t *cats,
    ngx_http_longpoll_msg_t *msgs, ngx_uint_t n, ngx_uint_t missed);
u_char *ngx_http_longpoll_golongpoll_events(u_char *p,
    ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs, ngx_uint_t n,
    ngx_uint_t missed);

/*
 * A line of a file: the event as in an answer, then a line end.  key is the
 * hash of its publish's idempotency key, two words, or NULL; the line has it as
 * one more member, of 32 hexadecimal digits.
 */
size_t ngx_http_longpoll_golongpoll_line_len(ngx_str_t *name,
    ngx_http_longpoll_msg_t *msg, const uint64_t *key);
u_char *ngx_http_longpoll_golongpoll_line(u_char *p, ngx_str_t *name,
    ngx_http_longpoll_msg_t *msg, const uint64_t *key);

/* a time-out's answer, and the most bytes that it has */
#define NGX_HTTP_LONGPOLL_GOLONGPOLL_TIMEOUT_LEN                              \
    (sizeof("{\"timeout\":\"no events before timeout\",\"timestamp\":"        \
            ",\"missed\":true}") - 1 + NGX_INT64_LEN)
u_char *ngx_http_longpoll_golongpoll_timeout(u_char *p, uint64_t ms,
    ngx_uint_t missed);

/* {"error": "text"}: the text is not escaped */
size_t ngx_http_longpoll_golongpoll_error_len(ngx_str_t *text);
u_char *ngx_http_longpoll_golongpoll_error(u_char *p, ngx_str_t *text);


#endif /* _NGX_HTTP_LONGPOLL_GOLONGPOLL_H_INCLUDED_ */
