
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


#include "ngx_http_longpoll_shared.h"


/* a request that has bytes unsent; zeroed by its owner */

typedef struct {
    ngx_queue_t                      queue;
    ngx_http_request_t              *request;
    ngx_http_longpoll_shared_t      *bytes;     /* NULL: none are unsent */
    off_t                            sent;      /* bytes on the connection */
    ngx_msec_t                       since;     /* when sent last grew */
} ngx_http_longpoll_unsent_entry_t;


/* max: bytes */
void ngx_http_longpoll_unsent_init_process(ngx_cycle_t *cycle, size_t max);

/*
 * An answer for ctx with these messages that some client has not taken yet;
 * NULL: there is none.  The caller gets a reference.
 */
ngx_http_longpoll_shared_t *ngx_http_longpoll_unsent_find(
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_read_t *rd);

/*
 * The request's client has not taken all of bytes.  add: until the request's
 * pool is destroyed.  enter: until leave, which may be called at any time, also
 * for an entry that is not entered; the entry and a reference to the bytes are
 * the caller's.  NGX_OK, or NGX_ERROR: no memory.  No request ends in these
 * calls.
 */
ngx_int_t ngx_http_longpoll_unsent_add(ngx_http_request_t *r,
    ngx_http_longpoll_shared_t *bytes);
ngx_int_t ngx_http_longpoll_unsent_enter(
    ngx_http_longpoll_unsent_entry_t *entry, ngx_http_request_t *r,
    ngx_http_longpoll_shared_t *bytes);
void ngx_http_longpoll_unsent_leave(ngx_http_longpoll_unsent_entry_t *entry);

/* how many there are; find() finds nothing if it is 0 */
extern ngx_uint_t  ngx_http_longpoll_unsent_answers;

/*
 * Whether more is unsent than allowed.  In this turn of nginx's loop requests
 * will be ended; a new answer better waits for the next turn.
 */
ngx_uint_t ngx_http_longpoll_unsent_full(void);


#endif /* _NGX_HTTP_LONGPOLL_UNSENT_H_INCLUDED_ */
