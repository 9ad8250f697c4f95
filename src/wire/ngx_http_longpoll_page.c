
/*
 * ngx_http_longpoll_page.c: the arguments that ask for a page of a list, and
 * the token that leads to the next one.
 *
 *     token   2f40c7d1e36a9b58 c4817700a1b2d3e4
 *             place            hash of the place, second half
 *
 * The arguments are those of a query string, so an empty one, or one that
 * cannot be decoded, counts as left out.
 */


#include "ngx_http_longpoll_page.h"
#include "ngx_http_longpoll_hash.h"
#include "ngx_http_longpoll_id.h"
#include "ngx_http_longpoll_query.h"


static ngx_int_t ngx_http_longpoll_page_parse_token(ngx_str_t *token,
    const uint64_t key[2], uint64_t *from);
static uint64_t ngx_http_longpoll_page_check(uint64_t from,
    const uint64_t key[2]);


static ngx_str_t  ngx_http_longpoll_page_names[] = {
    ngx_string("limit"),
    ngx_string("after"),
    ngx_string("prefix")
};

static ngx_str_t  ngx_http_longpoll_page_bad_limit = ngx_string(
    "Invalid 'limit' arg.  Must be 1-1000.");
static ngx_str_t  ngx_http_longpoll_page_bad_after = ngx_string(
    "Invalid 'after' arg.  Must be the 'next' of a page of this zone.");


ngx_int_t
ngx_http_longpoll_page_parse(ngx_http_longpoll_page_t *page, ngx_str_t *args,
    u_char *buf, const uint64_t key[2], ngx_str_t *error)
{
    ngx_int_t   n;
    ngx_str_t   value;
    ngx_str_t  *names;

    names = ngx_http_longpoll_page_names;

    page->limit = NGX_HTTP_LONGPOLL_PAGE_DEFAULT;
    page->from = 0;
    page->first = 1;

    ngx_http_longpoll_query_value(args, buf, &names[0], &value);

    if (value.len) {
        n = ngx_atoi(value.data, value.len);

        if (n < 1 || n > NGX_HTTP_LONGPOLL_PAGE_LIMIT) {
            *error = ngx_http_longpoll_page_bad_limit;
            return NGX_DECLINED;
        }

        page->limit = n;
    }

    ngx_http_longpoll_query_value(args, buf, &names[1], &value);

    if (value.len) {

        if (ngx_http_longpoll_page_parse_token(&value, key, &page->from)
            != NGX_OK)
        {
            *error = ngx_http_longpoll_page_bad_after;
            return NGX_DECLINED;
        }

        page->first = 0;
    }

    /* the last: it stays in buf */

    ngx_http_longpoll_query_value(args, buf, &names[2], &page->prefix);

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_page_parse_token(ngx_str_t *token, const uint64_t key[2],
    uint64_t *from)
{
    uint64_t  check;

    if (token->len != NGX_HTTP_LONGPOLL_PAGE_TOKEN_LEN
        || ngx_http_longpoll_id_parse_word(token->data, from) != NGX_OK
        || ngx_http_longpoll_id_parse_word(token->data
                                           + NGX_HTTP_LONGPOLL_PAGE_TOKEN_LEN
                                             / 2, &check)
           != NGX_OK
        || check != ngx_http_longpoll_page_check(*from, key))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


u_char *
ngx_http_longpoll_page_token(u_char *p, uint64_t from, const uint64_t key[2])
{
    p = ngx_http_longpoll_id_print_word(p, from);

    return ngx_http_longpoll_id_print_word(p,
                                     ngx_http_longpoll_page_check(from, key));
}


static uint64_t
ngx_http_longpoll_page_check(uint64_t from, const uint64_t key[2])
{
    uint64_t  hash[2];

    ngx_http_longpoll_hash(hash, key, (u_char *) &from, sizeof(uint64_t));

    return hash[1];
}
