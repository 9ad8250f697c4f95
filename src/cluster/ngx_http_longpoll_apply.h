
/*
 * ngx_http_longpoll_apply.h: an entry of the stream, as Redis replies it, is
 * brought to the zone; and found again.
 */


#ifndef _NGX_HTTP_LONGPOLL_APPLY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_APPLY_H_INCLUDED_


#include "ngx_http_longpoll_lives.h"
#include "ngx_http_longpoll_redis.h"
#include "ngx_http_longpoll_zone_feed.h"


typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_uint_t                       worker;    /* the reader */
    ngx_str_t                       *server;    /* for the log */
    ngx_log_t                       *log;
    time_t                           logged;    /* when an entry was skipped */

    ngx_http_longpoll_lives_t       *lives;
    ngx_http_longpoll_zone_place_t   at;        /* the entry read last */
    ngx_http_longpoll_entry_place_t  asked;     /* the entry for which the
                                                   reader looked last */
    ngx_uint_t                       asks;      /* NGX_AGAIN in a row */
    ngx_uint_t                       first;     /* the caller's: the entry is a
                                                   reply's first */
    uint64_t                         ms;        /* of the entry read last; 0: it
                                                   was skipped */
    ngx_uint_t                       taken;     /* the zone took so many; the
                                                   caller's to clear */
    uint64_t                         wake;      /* workers to be woken */
} ngx_http_longpoll_apply_t;


/*
 * An entry behind at, [ID, [name, value, ...]].  The pool is the caller's, who
 * resets it behind each reply.  The caller clears asked and asks with each new
 * connection, and asks when a read brought nothing.
 *
 * NGX_OK        it is read, whether the zone took it or not; at is moved
 * NGX_AGAIN     nothing has changed: the list of epochs must be read again
 *               first, and at be looked for, as there is a gap, or at has no
 *               number, or an epoch is not in the list, or a reply begins with
 *               an entry without a number.  The second time the entry is taken
 *               as it is; and so is any entry behind eight NGX_AGAIN in a row
 * NGX_ABORT     nothing has changed: another worker is the reader
 * NGX_ERROR     nothing has changed: no memory, or this is not an entry at all
 */
ngx_int_t ngx_http_longpoll_apply(ngx_http_longpoll_apply_t *apply,
    ngx_http_longpoll_reply_t *reply, ngx_pool_t *pool);

/*
 * Whether a reply, [ID, [name, value, ...]], is the entry at: NGX_OK, or
 * NGX_DECLINED.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_longpoll_apply_is(ngx_http_longpoll_apply_t *apply,
    ngx_http_longpoll_reply_t *reply, ngx_pool_t *pool);

/*
 * The stream has no entry at, and this is XINFO's reply.
 *
 * NGX_OK        the stream is the one that was read: at was trimmed, as the
 *               stream begins behind it, or is empty and was there.  Or at, or
 *               an entry behind it, was deleted by XDEL
 * NGX_DECLINED  the stream is another one
 * NGX_ERROR     the reply is not one of XINFO
 */
ngx_int_t ngx_http_longpoll_apply_trimmed(ngx_http_longpoll_apply_t *apply,
    ngx_http_longpoll_reply_t *reply);


#endif /* _NGX_HTTP_LONGPOLL_APPLY_H_INCLUDED_ */
