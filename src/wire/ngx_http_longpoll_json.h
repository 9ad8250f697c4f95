
/*
 * ngx_http_longpoll_json.h: a publish body -> categories and the spans of data.
 *
 * Nothing is copied where the text can be used as it is: a result points into
 * the body, which must live as long as the result.
 *
 * Sources: docs/protocol.md, Publishing; golongpoll's
 * getLongPollPublishHandler; RFC 8259.
 */


#ifndef _NGX_HTTP_LONGPOLL_JSON_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_JSON_H_INCLUDED_


#include "ngx_http_longpoll.h"


/*
 * Objects and arrays nest so deep, at most, in data and in any other member.
 * The object and the array around data do not count: so data that may be
 * published in one way may be published in each, and may stand in a file.
 */

#define NGX_HTTP_LONGPOLL_JSON_DEPTH  100


typedef struct {
    ngx_str_t   category;       /* decoded; in the body, or from the pool */
    ngx_str_t   data;           /* the publisher's own text, in the body, no
                                   blanks around it; may have line ends between
                                   tokens */
} ngx_http_longpoll_item_t;


/* an event of a file; the spans are in its line */

typedef struct {
    ngx_http_longpoll_item_t  item;         /* its data may be null */
    ngx_str_t                 timestamp;    /* as it is written */
    ngx_str_t                 id;           /* between the quotes; NULL: there
                                               is none */
    ngx_str_t                 key;          /* likewise; of any text */
} ngx_http_longpoll_json_line_t;


/*
 * Reads a body, which is one object with category and data, or an array of 1 to
 * NGX_HTTP_LONGPOLL_MAX_MESSAGES of them.  The pool gives memory for an array,
 * for a category with escapes, and for yajl where its arena is used up.
 *
 * NGX_OK     *items and *n are set; *items is one if the body is an object
 * NGX_ERROR  *error is set to the text between the quotes of {"error": "..."},
 *            a static string; or error->len is 0: no memory
 *
 * The body is checked as a whole first: UTF-8, JSON, depth, the length of the
 * array, and that categories are strings.  Then each object is checked in its
 * order, its category before its data.
 */
ngx_int_t ngx_http_longpoll_json_parse(ngx_http_longpoll_item_t **items,
    ngx_uint_t *n, ngx_http_longpoll_item_t *one, u_char *body, size_t len,
    ngx_pool_t *pool, ngx_str_t *error);

/*
 * Reads a body that is one JSON value of any kind but null; *data becomes its
 * span.  Pool, return codes and errors as in ..._parse().
 */
ngx_int_t ngx_http_longpoll_json_data(ngx_str_t *data, u_char *body,
    size_t len, ngx_pool_t *pool, ngx_str_t *error);

/*
 * Makes of data, a valid JSON value, what is stored:
 *
 *   - Line ends become blanks, as a zone's file has one event on a line, like
 *     golongpoll's.
 *   - Surrogates without their other half become \ufffd.
 *
 * The changes are made in a copy from the pool, since others may read the body,
 * too.  NGX_OK; NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_longpoll_json_normalize(ngx_str_t *data, ngx_pool_t *pool);

/*
 * Reads a line of a file, without its line end: an event as in an answer.  id
 * may be missing (golongpoll before 1.2), and key may be there, the hash of an
 * idempotency key.
 *
 * NGX_OK
 * NGX_DECLINED  the line is not an event
 * NGX_ERROR     no memory
 */
ngx_int_t ngx_http_longpoll_json_line(ngx_http_longpoll_json_line_t *line,
    u_char *p, size_t len, ngx_pool_t *pool);


/* the errors of a publish without a category, and of one that is not UTF-8 */
extern ngx_str_t  ngx_http_longpoll_json_bad_category;
extern ngx_str_t  ngx_http_longpoll_json_bad_body;


#endif /* _NGX_HTTP_LONGPOLL_JSON_H_INCLUDED_ */
