
/*
 * ngx_http_longpoll_wire.h: structs -> response bytes, as golongpoll's server
 * writes them.
 *
 *  {"events":[{"timestamp":N,"category":"C","data":D,"id":"I"},{...}]}
 *  {"timeout":"no events before timeout","timestamp":N}
 *  {"error": "E"}            {"success": true}
 *
 * with ,"missed":true in front of the last brace where it is so.
 *
 * Two passes: a length, then the bytes; the second returns the end.  Nothing
 * fails, nothing is allocated.  Names and data are what came in through json
 * or query: names UTF-8, data JSON without line ends.
 */


#ifndef _NGX_HTTP_LONGPOLL_WIRE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_WIRE_H_INCLUDED_


#include "ngx_http_longpoll.h"
#include "ngx_http_longpoll_id.h"


/*
 * A category as a JSON string without its quotes, as Go's encoding/json
 * writes it: besides '"', '\\' and control bytes also <, >, & and U+2028,
 * U+2029 are escaped (\u003c), \b \f \n \r \t have their short forms, DEL has
 * none.  The first gives the length, the second writes and returns the end.
 */
size_t ngx_http_longpoll_wire_name_len(ngx_str_t *name);
u_char *ngx_http_longpoll_wire_name(u_char *p, ngx_str_t *name);

/*
 * Bytes of one event without its data, the comma behind it included; exact for
 * a timestamp of 13 digits (the years 2001 to 2286).  Meant for budgets: the
 * size of a buffer is what ..._wire_events_len() says.
 */
size_t ngx_http_longpoll_wire_event_cost(ngx_str_t *name);

/*
 * An answer with n messages; cats are what their cat indexes.  The first gives
 * exactly how many bytes the second will write.
 */
size_t ngx_http_longpoll_wire_events_len(ngx_http_longpoll_cat_t *cats,
    ngx_http_longpoll_msg_t *msgs, ngx_uint_t n, ngx_uint_t missed);
u_char *ngx_http_longpoll_wire_events(u_char *p, ngx_http_longpoll_cat_t *cats,
    ngx_http_longpoll_msg_t *msgs, ngx_uint_t n, ngx_uint_t missed);

/*
 * A line of golongpoll's file: a line end, and the event as in an answer.  The
 * first gives exactly how many bytes the second will write.
 */
size_t ngx_http_longpoll_wire_line_len(ngx_str_t *name,
    ngx_http_longpoll_msg_t *msg);
u_char *ngx_http_longpoll_wire_line(u_char *p, ngx_str_t *name,
    ngx_http_longpoll_msg_t *msg);

/* a time-out answer, of at most so many bytes */
#define NGX_HTTP_LONGPOLL_WIRE_TIMEOUT_LEN                                    \
    (sizeof("{\"timeout\":\"no events before timeout\",\"timestamp\":"        \
            ",\"missed\":true}") - 1 + NGX_INT64_LEN)
u_char *ngx_http_longpoll_wire_timeout(u_char *p, uint64_t ms,
    ngx_uint_t missed);

/* {"error": "text"}: text goes in as it is */
size_t ngx_http_longpoll_wire_error_len(ngx_str_t *text);
u_char *ngx_http_longpoll_wire_error(u_char *p, ngx_str_t *text);


#endif /* _NGX_HTTP_LONGPOLL_WIRE_H_INCLUDED_ */
