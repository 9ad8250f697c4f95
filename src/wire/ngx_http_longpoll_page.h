
/*
 * ngx_http_longpoll_page.h: the arguments that ask for a page of a list, and
 * the token that leads to the next one.
 *
 *     ?list&limit=N&after=TOKEN&prefix=TEXT
 *
 * A list has the order of places: the place of a category follows from the hash
 * of its name (..._hash_place()).  A token is 32 hexadecimal digits: the place
 * where the next page begins, and a hash of it under the zone's key.  So a
 * token holds as long as the key, and one that no page had is known as such.
 *
 * Bytes in, struct or error out: no request, no pool, no log.
 */


#ifndef _NGX_HTTP_LONGPOLL_PAGE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_PAGE_H_INCLUDED_


#include "ngx_http_longpoll.h"


#define NGX_HTTP_LONGPOLL_PAGE_LIMIT      1000      /* categories, at most */
#define NGX_HTTP_LONGPOLL_PAGE_DEFAULT    100
#define NGX_HTTP_LONGPOLL_PAGE_TOKEN_LEN  32        /* bytes */


typedef struct {
    ngx_uint_t                       limit;     /* categories */
    uint64_t                         from;      /* the place of the first */
    ngx_uint_t                       first;     /* without a token */
    ngx_str_t                        prefix;    /* of the names; may be empty,
                                                   points into args or buf */
} ngx_http_longpoll_page_t;


/*
 * Reads args, as ..._query_value() does; buf has room for args->len bytes, and
 * may be NULL where nothing is escaped.  key is the zone's.
 *
 * NGX_OK        page is filled
 * NGX_DECLINED  limit or after is wrong: *error, a static string
 */
ngx_int_t ngx_http_longpoll_page_parse(ngx_http_longpoll_page_t *page,
    ngx_str_t *args, u_char *buf, const uint64_t key[2], ngx_str_t *error);

/*
 * whether a name of n bytes begins with the prefix, an ngx_str_t; where none
 * was given, its data is NULL, which memcmp() must not get
 */
#define ngx_http_longpoll_page_begins(prefix, text, n)                        \
    ((prefix)->len == 0                                                       \
     || ((prefix)->len <= (n)                                                 \
         && ngx_memcmp(text, (prefix)->data, (prefix)->len) == 0))

/* writes the token of a place, TOKEN_LEN bytes; returns the end */
u_char *ngx_http_longpoll_page_token(u_char *p, uint64_t from,
    const uint64_t key[2]);


#endif /* _NGX_HTTP_LONGPOLL_PAGE_H_INCLUDED_ */
