
/*
 * ngx_http_longpoll_yajl.c: the yajl library over a body in one piece.
 *
 * Owns yajl's memory, and which bytes of the body yajl reads.
 *
 * Memory.  yajl asks for memory for itself, and for each string that does not
 * come in one piece.  Blocks are taken from an arena on the stack, then from
 * the pool; each has its size in front, as yajl's realloc does not pass it:
 *
 *      arena  | size | block    | size | block           |      free      |
 *
 * yajl never checks whether it got memory, so a failed allocation leaves yajl
 * by longjmp().  That is safe: yajl holds nothing but these blocks, which end
 * with the caller's stack frame and the pool.
 *
 * Bytes.  yajl spends several instructions on each byte of a string, and a run
 * of plain characters tells it nothing.  So the middle of a long run is left
 * out:
 *
 *      {"data": "It was a dark and | stormy night; t | \nThe rain fell."}
 *      \___________________________/                 \_________________/
 *                  piece                 left out           piece
 *
 * The start of the run stays, so that a long key is not taken for a short one.
 * yajl copies a string that comes in pieces, and scans the copy again from its
 * beginning, so each string is cut once at most.  A body of short strings has
 * nothing to cut.  So the search has a budget, which grows with each cut, and
 * ends when that is used up.  In a plain body, in which no byte is below 0x20
 * or a backslash, each string is one run, and memchr() finds its end.
 *
 * In instructions of the module and yajl, for a publish (nginx 1.22.1, gcc 12):
 *
 *      data of 100 characters, all read by yajl              4,992
 *      data of 1,000 characters                              5,663
 *      data of 10,000 characters                             9,779
 *      data of 20 lines of 46 characters, by \n             13,699
 *
 * The first two are the rows "publish" and "large" of `make cost`.
 */


#include "ngx_http_longpoll_yajl.h"
#include "ngx_http_longpoll_string.h"


/*
 * A run of more bytes than RUN is cut, and KEPT bytes of it stay; but not in a
 * string that has more than LEFT other bytes, as yajl would copy them.
 */

#define NGX_HTTP_LONGPOLL_YAJL_RUN     128
#define NGX_HTTP_LONGPOLL_YAJL_KEPT    16
#define NGX_HTTP_LONGPOLL_YAJL_LEFT    512

/*
 * The search ends when it has used up its budget.  To look for the end of a run
 * takes as long as yajl takes for STEP bytes; bytes that are cut are added.
 */

#define NGX_HTTP_LONGPOLL_YAJL_BUDGET  256
#define NGX_HTTP_LONGPOLL_YAJL_STEP    32

/* a shorter body is not searched for long runs */

#define NGX_HTTP_LONGPOLL_YAJL_SHORT   256


static u_char *ngx_http_longpoll_yajl_quote(u_char *p, u_char *last);
static yajl_status ngx_http_longpoll_yajl_feed(ngx_http_longpoll_yajl_t *y,
    u_char *p, u_char *last, ngx_uint_t plain);
static void *ngx_http_longpoll_yajl_alloc(void *data, size_t size);
static void *ngx_http_longpoll_yajl_realloc(void *data, void *p, size_t size);
static void ngx_http_longpoll_yajl_free(void *data, void *p);


ngx_int_t
ngx_http_longpoll_yajl_parse(ngx_http_longpoll_yajl_t *y,
    yajl_callbacks *callbacks, void *data, u_char *p, u_char *last,
    ngx_uint_t control, ngx_uint_t boxed)
{
    ngx_uint_t        plain;
    yajl_status       status;
    yajl_alloc_funcs  funcs;

    y->free = y->arena;
    y->piece = p;

    funcs.malloc = ngx_http_longpoll_yajl_alloc;
    funcs.realloc = ngx_http_longpoll_yajl_realloc;
    funcs.free = ngx_http_longpoll_yajl_free;
    funcs.ctx = y;

    if (setjmp(y->no_memory)) {
        return NGX_ERROR;
    }

    y->handle = yajl_alloc(callbacks, &funcs, data);

    /* UTF-8 was checked, and more strictly */

    (void) yajl_config(y->handle, yajl_dont_validate_strings, 1);

    if (boxed) {
        (void) yajl_parse(y->handle, (u_char *) "[", 1);
    }

    if (last - p < NGX_HTTP_LONGPOLL_YAJL_SHORT) {
        status = yajl_parse(y->handle, p, last - p);

    } else {
        plain = !control && memchr(p, '\\', last - p) == NULL;
        status = ngx_http_longpoll_yajl_feed(y, p, last, plain);
    }

    if (status == yajl_status_ok && boxed) {
        y->piece = last;
        status = yajl_parse(y->handle, (u_char *) "]", 1);
    }

    yajl_free(y->handle);

    return status == yajl_status_ok ? NGX_OK : NGX_DECLINED;
}


/* in a plain text each string is one run, which ends with the next quote */

static yajl_status
ngx_http_longpoll_yajl_feed(ngx_http_longpoll_yajl_t *y, u_char *p,
    u_char *last, ngx_uint_t plain)
{
    u_char       *start, *run, *from, *to;
    ngx_int_t     budget;
    yajl_status   status;

    budget = NGX_HTTP_LONGPOLL_YAJL_BUDGET;

    while (budget >= 0 && (p = memchr(p, '"', last - p)) != NULL) {

        start = ++p;
        from = p;
        to = p;

        while (p < last && *p != '"' && budget >= 0) {
            run = p;
            p = plain ? ngx_http_longpoll_yajl_quote(p, last)
                      : ngx_http_longpoll_string_plain(p, last);

            if (p - run > to - from) {
                from = run;
                to = p;
            }

            budget -= NGX_HTTP_LONGPOLL_YAJL_STEP;

            if (p < last && *p != '"') {

                /* an escape, or a control character, which yajl refuses */

                p += ngx_min(2, last - p);
            }
        }

        if ((p == last || *p == '"')
            && to - from > NGX_HTTP_LONGPOLL_YAJL_RUN
            && (p - start) - (to - from) <= NGX_HTTP_LONGPOLL_YAJL_LEFT)
        {
            from += NGX_HTTP_LONGPOLL_YAJL_KEPT;
            status = yajl_parse(y->handle, y->piece, from - y->piece);

            if (status != yajl_status_ok) {
                return status;
            }

            y->piece = to;
            budget += to - from;
        }

        p += (p < last);
    }

    return yajl_parse(y->handle, y->piece, last - y->piece);
}


static u_char *
ngx_http_longpoll_yajl_quote(u_char *p, u_char *last)
{
    p = memchr(p, '"', last - p);

    return p ? p : last;
}


static void *
ngx_http_longpoll_yajl_alloc(void *data, size_t size)
{
    u_char                    *p;
    size_t                     room;
    ngx_http_longpoll_yajl_t  *y = data;

    room = y->arena + NGX_HTTP_LONGPOLL_YAJL_ARENA - y->free;

    if (room >= NGX_HTTP_LONGPOLL_YAJL_HEAD
        && size <= room - NGX_HTTP_LONGPOLL_YAJL_HEAD)
    {
        p = y->free;
        y->free += NGX_HTTP_LONGPOLL_YAJL_HEAD
                   + ngx_align(size, NGX_HTTP_LONGPOLL_YAJL_HEAD);

    } else {
        p = ngx_palloc(y->pool, NGX_HTTP_LONGPOLL_YAJL_HEAD + size);
        if (p == NULL) {
            longjmp(y->no_memory, 1);
        }
    }

    *(size_t *) p = size;

    return p + NGX_HTTP_LONGPOLL_YAJL_HEAD;
}


static void *
ngx_http_longpoll_yajl_realloc(void *data, void *p, size_t size)
{
    void    *block;
    size_t   old;

    if (p == NULL) {
        return ngx_http_longpoll_yajl_alloc(data, size);
    }

    old = *(size_t *) ((u_char *) p - NGX_HTTP_LONGPOLL_YAJL_HEAD);

    if (size <= old) {
        return p;
    }

    block = ngx_http_longpoll_yajl_alloc(data, size);

    ngx_memcpy(block, p, old);

    ngx_http_longpoll_yajl_free(data, p);

    return block;
}


static void
ngx_http_longpoll_yajl_free(void *data, void *p)
{
    uintptr_t                  at;
    ngx_http_longpoll_yajl_t  *y = data;

    at = (uintptr_t) p - (uintptr_t) y->arena;

    if (p == NULL || at < NGX_HTTP_LONGPOLL_YAJL_ARENA) {
        return;
    }

    (void) ngx_pfree(y->pool, (u_char *) p - NGX_HTTP_LONGPOLL_YAJL_HEAD);
}
