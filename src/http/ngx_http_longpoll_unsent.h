
/*
 * ngx_http_longpoll_unsent.h: the answers that this worker's clients have not
 * taken yet.
 *
 *     send ── all taken ───────────────────▶ the answer is freed
 *      └───── not all ──▶ add ──▶ find       equal answers have the same bytes
 *                          │
 *                          └─ too many ──▶ the connection is closed
 *
 * A client that does not read lets its answer stay in the worker's memory.  So
 * a poll that finds the same events gets the same bytes, and all such bytes
 * together are bounded by longpoll_max_unsent: over it, the requests whose
 * clients have taken nothing for the longest time are ended, and their
 * connections closed.  A client goes on from its cursor.
 */


#ifndef _NGX_HTTP_LONGPOLL_UNSENT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_UNSENT_H_INCLUDED_


#include "ngx_http_longpoll_response.h"


/*
 * Which messages an answer has.  All those of one category between two of its
 * messages are the same whenever their number is: messages may be dropped, but
 * none is ever added between others.
 */

typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_http_longpoll_protocol_t    *protocol;
    uint64_t                         set[2];    /* the hashes of the categories,
                                                   added up; 0 with a single
                                                   message */
    uint64_t                         first;     /* id */
    ngx_http_longpoll_uuid_t         last;
    ngx_uint_t                       nmsgs;
    ngx_uint_t                       missed;
} ngx_http_longpoll_unsent_key_t;


/* max: bytes */
void ngx_http_longpoll_unsent_init_process(ngx_cycle_t *cycle, size_t max);

/*
 * An answer with these messages that some client has not taken yet; NULL: there
 * is none.  The caller gets a reference.
 */
ngx_http_longpoll_shared_t *ngx_http_longpoll_unsent_find(
    ngx_http_longpoll_unsent_key_t *key);

/*
 * The request's client has not taken all of bytes.  NGX_OK, or NGX_ERROR: no
 * memory.  Ends no request in this call.
 */
ngx_int_t ngx_http_longpoll_unsent_add(ngx_http_request_t *r,
    ngx_http_longpoll_shared_t *bytes, ngx_http_longpoll_unsent_key_t *key);

/* how many there are; find() finds nothing if it is 0 */
extern ngx_uint_t  ngx_http_longpoll_unsent_answers;

/*
 * Whether more is unsent than allowed.  In this turn of nginx's loop requests
 * will be ended; a new answer better waits for the next turn.
 */
ngx_uint_t ngx_http_longpoll_unsent_full(void);


#endif /* _NGX_HTTP_LONGPOLL_UNSENT_H_INCLUDED_ */
