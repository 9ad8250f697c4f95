
/*
 * ngx_http_longpoll_json.h: a publish body -> categories and the spans of data.
 *
 * The only file that sees yajl.
 */


#ifndef _NGX_HTTP_LONGPOLL_JSON_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_JSON_H_INCLUDED_


#include "ngx_http_longpoll.h"


#define NGX_HTTP_LONGPOLL_JSON_DEPTH  100       /* of the whole body */


typedef struct {
    ngx_str_t   category;       /* decoded; in the body, or from pool */
    ngx_str_t   data;           /* the publisher's own text, in the body, no
                                   blanks around it; may hold line ends between
                                   tokens */
} ngx_http_longpoll_item_t;


/*
 * Reads the body (one contiguous piece, not changed): one object of category
 * and data, or an array of 1 to NGX_HTTP_LONGPOLL_MAX_MESSAGES of them.  Memory
 * comes from pool: for an array, when a category holds escapes, or when yajl
 * needs more than a small arena on the stack.
 *
 * NGX_OK     *items (of which one may be one) and *n are set
 * NGX_ERROR  *error is set to the text between the quotes of {"error": "..."},
 *            a static string.  error->len is 0 when pool had no memory: that is
 *            no mistake of the publisher's (500).
 *
 * Checked in this order: the body's JSON as a whole (UTF-8, depth, nothing
 * behind it, an array's length, categories that are strings), then for each
 * object category, data.
 *
 * Sources: docs/protocol.md, Publishing; golongpoll getLongPollPublishHandler;
 * RFC 8259; RFC 3629 for UTF-8.
 */
ngx_int_t ngx_http_longpoll_json_parse(ngx_http_longpoll_item_t **items,
    ngx_uint_t *n, ngx_http_longpoll_item_t *one, u_char *body, size_t len,
    ngx_pool_t *pool, ngx_str_t *error);

/*
 * Reads a body that is one JSON value of any kind but null; *data becomes its
 * span.  Memory, return codes and errors are those of ..._parse().
 */
ngx_int_t ngx_http_longpoll_json_data(ngx_str_t *data, u_char *body,
    size_t len, ngx_pool_t *pool, ngx_str_t *error);

/*
 * Reads a line of golongpoll's file, an event as in an answer: *item as above,
 * and the spans of its timestamp (decimal digits) and its id (between the
 * quotes).
 *
 * NGX_OK
 * NGX_DECLINED  it is no event
 * NGX_ERROR     no memory
 */
ngx_int_t ngx_http_longpoll_json_line(ngx_http_longpoll_item_t *item,
    ngx_str_t *timestamp, ngx_str_t *id, u_char *line, size_t len,
    ngx_pool_t *pool);

/*
 * What data, as it was stored, is as plain text: of a JSON string the content,
 * anything else as it stands.  Writes to dst, which has room for data->len
 * bytes, and returns the end.  A lone surrogate becomes U+FFFD.
 */
u_char *ngx_http_longpoll_json_text(u_char *dst, ngx_str_t *data);

/* what a publish without a category is told, and one that is not UTF-8 */
extern ngx_str_t  ngx_http_longpoll_json_bad_category;
extern ngx_str_t  ngx_http_longpoll_json_bad_body;

/*
 * Whether text is UTF-8 as RFC 3629 has it: no overlong forms, no surrogates,
 * nothing above U+10FFFF.
 */
ngx_uint_t ngx_http_longpoll_json_utf8(u_char *p, size_t len);


#endif /* _NGX_HTTP_LONGPOLL_JSON_H_INCLUDED_ */
