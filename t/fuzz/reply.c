
/*
 * reply.c: any bytes as what Redis sends.
 *
 * The first byte says in which pieces they come, the second how often the pool
 * gives memory (255: always).  Must hold: the replies are those of the bytes in
 * one piece; every text and every element lies in the pool; behind an error
 * there is no other reply.
 */


#include "fuzz.h"

#include <ngx_http_longpoll_reply.h>


#define REPLY_LIMIT  2000


void text_stub_reset(void);

extern ngx_uint_t  text_stub_left;


/* a sum over all that a reply has; the sanitizer sees what is not there */

static uint64_t
reply_sum(ngx_http_longpoll_reply_t *reply, uint64_t sum)
{
    size_t      i;
    ngx_uint_t  n;

    sum = sum * 31 + reply->type;

    switch (reply->type) {

    case NGX_HTTP_LONGPOLL_REPLY_INTEGER:
        return sum * 31 + (uint64_t) reply->integer;

    case NGX_HTTP_LONGPOLL_REPLY_STRING:
    case NGX_HTTP_LONGPOLL_REPLY_ERROR:

        for (i = 0; i < reply->str.len; i++) {
            sum = sum * 31 + reply->str.data[i];
        }

        return sum;

    case NGX_HTTP_LONGPOLL_REPLY_ARRAY:

        for (n = 0; n < reply->nelts; n++) {
            sum = reply_sum(&reply->elts[n], sum);
        }

        return sum;

    default:
        fuzz_must(reply->type == NGX_HTTP_LONGPOLL_REPLY_NIL,
                  "a type that is not known");
        return sum;
    }
}


static uint64_t
reply_read(const u_char *data, size_t len, size_t piece, ngx_uint_t memory)
{
    size_t                        n;
    u_char                       *copy;
    uint64_t                      sum;
    ngx_int_t                     rc;
    const char                   *reason;
    ngx_http_longpoll_reply_t    *reply;
    ngx_http_longpoll_replies_t  *replies;

    fuzz_must(ngx_http_longpoll_reply_load() == NULL, "there is no hiredis");

    replies = ngx_http_longpoll_reply_create(REPLY_LIMIT, NULL);
    fuzz_must(replies != NULL, "no replies");

    if (memory != 255) {
        text_stub_left = memory;
    }

    sum = 0;
    rc = NGX_AGAIN;

    while (len && rc == NGX_AGAIN) {
        n = ngx_min(len, piece);
        copy = fuzz_copy(data, n);
        rc = ngx_http_longpoll_reply_feed(replies, copy, n);
        free(copy);

        data += n;
        len -= n;

        while (rc == NGX_OK) {
            rc = ngx_http_longpoll_reply_next(replies, &reply, &reason);

            if (rc == NGX_OK) {
                sum = reply_sum(reply, sum * 31 + 1);
            }
        }
    }

    if (rc == NGX_ERROR) {
        fuzz_must(ngx_http_longpoll_reply_next(replies, &reply, &reason)
                  == NGX_ERROR, "a reply after an error");
        fuzz_must(reason[0] != '\0', "an error without a reason");
    }

    ngx_http_longpoll_reply_free(replies);

    return sum * 31 + (rc == NGX_ERROR);
}


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    size_t  piece;

    if (size < 2 || size > REPLY_LIMIT) {
        return 0;
    }

    piece = data[0] + 1;

    if (data[1] != 255) {
        (void) reply_read(data + 2, size - 2, piece, data[1]);
        return 0;
    }

    fuzz_must(reply_read(data + 2, size - 2, piece, 255)
              == reply_read(data + 2, size - 2, size, 255),
              "pieces make a difference");

    return 0;
}
