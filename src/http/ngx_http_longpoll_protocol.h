
/*
 * ngx_http_longpoll_protocol.h: what the protocols of polls differ in.
 *
 *                        golongpoll                   gpoll
 *     cursor             the client's: since_time,    the zone's: client-id
 *                        last_id
 *     answer             all messages up to the       the next message, as
 *                        limit, as JSON               text
 *     nothing in time    200 {"timeout": ...}         204
 *     client unknown     -                            404
 *     error              {"error": ...}               text
 *
 * A golongpoll location also has streams (sse): golongpoll's arguments, errors
 * and messages, the latter in frames, and an answer does not end the request.
 *
 * A protocol is a table of functions, which "protocol" of longpoll_subscribe
 * chooses.  Everything else is the same for all of them: subscribe, poll and
 * deliver call the table, and know no protocol by name.  A request comes
 * through it like this:
 *
 *     query ──┬─▶ done                              an error, a registration
 *             ├─▶ head                              HEAD of a poll
 *             └─▶ read: cost ──┬─▶ encode ─▶ send   messages
 *                              ├─▶ nothing          a time-out, or leaving
 *                              └─▶ unknown          no such client
 *
 * Functions that answer return what the request is to be finalized with.
 */


#ifndef _NGX_HTTP_LONGPOLL_PROTOCOL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_PROTOCOL_H_INCLUDED_


#include "ngx_http_longpoll_http.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_zone_read.h"


/* deliver keeps for each protocol the last answer to a waiter it has woken */

typedef struct ngx_http_longpoll_answer_s  ngx_http_longpoll_answer_t;

struct ngx_http_longpoll_answer_s {
    ngx_http_longpoll_shared_t      *bytes;     /* NULL: there is none */
    ngx_http_longpoll_zone_t        *zone;
    uint64_t                         hash[2];   /* of the category */
    uint64_t                         from;      /* cursor; -1: for no other */
    size_t                           limit;
    ngx_uint_t                       more;      /* it left messages out */
    uint64_t                         expires;   /* ms, 0: never */

    ngx_http_longpoll_answer_t      *next;      /* that is kept */
};


struct ngx_http_longpoll_protocol_s {
    /*
     * An answer does not end the request: stream sends what encode returns, and
     * send, nothing and unknown are NULL.
     */
    ngx_uint_t                       streams;

    /* another protocol, for requests that want it; NULL: none */
    ngx_http_longpoll_protocol_t    *stream;
    ngx_uint_t                     (*wanted)(ngx_http_request_t *r);

    /*
     * An answer that was encoded for one waiter serves all whose cursors it
     * fits.  Otherwise each waiter reads for itself.
     */
    ngx_uint_t                       shared;

    /*
     * Reads the request's arguments: the categories and, where the zone has the
     * cursor, the client into ctx; the cursor, zeroed where the zone has it;
     * and how long to wait, 0: for ever (streams).
     *
     * NGX_OK    it is a poll
     * NGX_DONE  it has been answered: an error, a registration
     * else      what to finalize the request with
     */
    ngx_int_t                      (*query)(ngx_http_request_t *r,
                                         ngx_http_longpoll_ctx_t *ctx,
                                         ngx_http_longpoll_cursor_t *cursor,
                                         ngx_msec_t *timeout);

    /* HEAD: the headers that GET would have; sets ctx->result */
    ngx_int_t                      (*head)(ngx_http_request_t *r,
                                         ngx_http_longpoll_ctx_t *ctx);

    /* the bytes of a message in an answer, without its data */
    size_t                         (*cost)(ngx_str_t *category);

    /*
     * What was read, as bytes; one reference is the caller's.  NULL: no memory.
     *
     * rd->msgs may point into the log, which other processes may overwrite
     * meanwhile, since the lock is not held.  So encode must cope with any
     * bytes; deliver finds out, and calls it once more.
     */
    ngx_http_longpoll_shared_t    *(*encode)(ngx_http_longpoll_read_t *rd);

    /* answers with these bytes; the caller's reference becomes the request's */
    ngx_int_t                      (*send)(ngx_http_request_t *r,
                                         ngx_http_longpoll_shared_t *bytes);

    /* answers that no message came in time; closing: the worker leaves */
    ngx_int_t                      (*nothing)(ngx_http_request_t *r,
                                         ngx_http_longpoll_ctx_t *ctx,
                                         ngx_http_longpoll_read_t *rd,
                                         ngx_uint_t closing);

    /* answers that the zone does not know ctx->client */
    ngx_int_t                      (*unknown)(ngx_http_request_t *r);

    /* answers that the request is wrong */
    ngx_int_t                      (*error)(ngx_http_request_t *r,
                                         ngx_uint_t status, ngx_str_t *text);

    ngx_http_longpoll_answer_t       answer;
};


#endif /* _NGX_HTTP_LONGPOLL_PROTOCOL_H_INCLUDED_ */
