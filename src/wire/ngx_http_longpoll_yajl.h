
/*
 * ngx_http_longpoll_yajl.h: the yajl library over a body in one piece.
 *
 * yajl says whether a text is JSON, and calls back where its keys and brackets
 * are.  Only json and this file include yajl.
 */


#ifndef _NGX_HTTP_LONGPOLL_YAJL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_YAJL_H_INCLUDED_


#include <setjmp.h>

#include <yajl/yajl_parse.h>

#include "ngx_http_longpoll.h"


#define NGX_HTTP_LONGPOLL_YAJL_ARENA  4096

/* in front of each block of memory; keeps the block aligned for any type */

#define NGX_HTTP_LONGPOLL_YAJL_HEAD   16


typedef struct {
    yajl_handle   handle;
    u_char       *piece;            /* of the body, that yajl reads */

    ngx_pool_t   *pool;             /* the caller's, for more than the arena */
    u_char       *free;             /* in the arena */
    jmp_buf       no_memory;
    u_char        arena[NGX_HTTP_LONGPOLL_YAJL_ARENA]
                      __attribute__((aligned(NGX_HTTP_LONGPOLL_YAJL_HEAD)));
} ngx_http_longpoll_yajl_t;


/* in a callback: the byte of the body behind the token that yajl has read */

#define ngx_http_longpoll_yajl_pos(y)                                         \
    ((y)->piece + yajl_get_bytes_consumed((y)->handle))


/*
 * Parses p to last, and passes data to the callbacks.  The caller has set
 * y->pool, and has checked that the text is UTF-8, and whether some byte of it
 * is below 0x20 (control).  With boxed set, yajl is given '[' before and ']'
 * after the text, so the text may be any value.
 * A key of more than 16 bytes may come to its callback shortened, but not below
 * 16.
 *
 * NGX_OK        yajl has read the text, which may not be complete
 * NGX_DECLINED  the text is not JSON, or a callback returned 0
 * NGX_ERROR     no memory
 */
ngx_int_t ngx_http_longpoll_yajl_parse(ngx_http_longpoll_yajl_t *y,
    yajl_callbacks *callbacks, void *data, u_char *p, u_char *last,
    ngx_uint_t control, ngx_uint_t boxed);


#endif /* _NGX_HTTP_LONGPOLL_YAJL_H_INCLUDED_ */
