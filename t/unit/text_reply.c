
/*
 * text_reply.c: replies of Redis.
 *
 * The bytes come at once, and byte by byte: the replies are the same.  They are
 * written as text: 7 "string" !error nil [ and ].
 */


#include "text.h"

#include <ngx_http_longpoll_reply.h>


#define TEXT_LIMIT  1000


static char  *text_reply_last;
static char  *text_reply_end;


static void
text_reply_put(const char *s, size_t len)
{
    if ((size_t) (text_reply_end - text_reply_last) > len) {
        memcpy(text_reply_last, s, len);
        text_reply_last += len;
        *text_reply_last = '\0';
    }
}


static void
text_reply_show(ngx_http_longpoll_reply_t *reply)
{
    int         len;
    char        number[32];
    ngx_uint_t  i;

    switch (reply->type) {

    case NGX_HTTP_LONGPOLL_REPLY_NIL:
        text_reply_put("nil ", 4);
        break;

    case NGX_HTTP_LONGPOLL_REPLY_INTEGER:
        len = sprintf(number, "%lld ", (long long) reply->integer);
        text_reply_put(number, len);
        break;

    case NGX_HTTP_LONGPOLL_REPLY_ARRAY:
        text_reply_put("[ ", 2);

        for (i = 0; i < reply->nelts; i++) {
            text_reply_show(&reply->elts[i]);
        }

        text_reply_put("] ", 2);
        break;

    default:
        text_reply_put(reply->type == NGX_HTTP_LONGPOLL_REPLY_ERROR
                       ? "!" : "\"", 1);
        text_reply_put((char *) reply->str.data, reply->str.len);
        text_reply_put(reply->type == NGX_HTTP_LONGPOLL_REPLY_ERROR
                       ? " " : "\" ", reply->type
                                      == NGX_HTTP_LONGPOLL_REPLY_ERROR ? 1 : 2);
    }
}


/* in pieces of so many bytes, to text_got */

static void
text_reply_read(u_char *data, size_t len, size_t piece)
{
    size_t                        n;
    ngx_int_t                     rc;
    const char                   *reason;
    ngx_http_longpoll_reply_t    *reply;
    ngx_http_longpoll_replies_t  *replies;

    text_reply_last = text_got;
    text_reply_end = text_got + MODEL_LINE;

    replies = ngx_http_longpoll_reply_create(TEXT_LIMIT, NULL);
    rc = NGX_AGAIN;

    while (len && rc == NGX_AGAIN) {
        n = ngx_min(len, piece);

        if (ngx_http_longpoll_reply_feed(replies, text_piece(data, n), n)
            != NGX_OK)
        {
            rc = NGX_ERROR;
            break;
        }

        data += n;
        len -= n;

        while ((rc = ngx_http_longpoll_reply_next(replies, &reply, &reason))
               == NGX_OK)
        {
            text_reply_show(reply);
        }
    }

    text_reply_put(rc == NGX_AGAIN ? "." : "error", rc == NGX_AGAIN ? 1 : 5);

    ngx_http_longpoll_reply_free(replies);
}


static void
text_reply(u_char *data, size_t len, const char *expected)
{
    text_reply_read(data, len, ngx_max(len, 1));
    text_is("a reply", data, len, expected);

    text_reply_read(data, len, 1);
    text_is("a reply, byte by byte", data, len, expected);
}


#define text_reply_is(s, expected)  text_reply(text_lit(s), expected)


static void
text_reply_good(void)
{
    text_reply_is("+OK\r\n", "\"OK\" .");
    text_reply_is("-ERR no\r\n", "!ERR no .");
    text_reply_is(":42\r\n:-7\r\n", "42 -7 .");
    text_reply_is("$3\r\na\r\n\r\n", "\"a\r\n\" .");
    text_reply_is("$0\r\n\r\n", "\"\" .");
    text_reply_is("$-1\r\n*-1\r\n", "nil nil .");
    text_reply_is("*0\r\n", "[ ] .");
    text_reply_is("*3\r\n:1\r\n$1\r\nx\r\n*2\r\n-E\r\n$-1\r\n+next\r\n",
                  "[ 1 \"x\" [ !E nil ] ] \"next\" .");
    text_reply_is("*1\r\n*1\r\n*2\r\n$3\r\n7-1\r\n*2\r\n$1\r\nn\r\n$1\r\n1\r\n",
                  "[ [ [ \"7-1\" [ \"n\" \"1\" ] ] ] ] .");
    text_reply_is("", ".");
    text_reply_is("*2\r\n:1\r\n", ".");
    text_reply_is("+OK\r\n$5\r\nab", "\"OK\" .");

    text_end("replies are read, in whatever pieces they come");
}


static void
text_reply_bad(void)
{
    u_char  data[20000];

    text_reply_is("HTTP/1.1 400 Bad Request\r\n", "error");
    text_reply_is("+OK\r\nx", "\"OK\" error");
    text_reply_is("*x\r\n", "error");
    text_reply_is("$x\r\n", "error");
    text_reply_is("$-2\r\n", "error");
    text_reply_is(":1 \r\n", "error");
    text_reply_is("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
                  "*1\r\n", "error");
    text_reply_is("*251\r\n", "error");
    text_reply_is("*250\r\n", ".");
    text_reply_is("*2147483647\r\n", "error");
    text_reply_is("$9223372036854775807\r\n", ".");

    memset(data, 'x', sizeof(data));
    data[0] = '+';
    text_reply(data, sizeof(data), "error");
    text_reply(data, TEXT_LIMIT, ".");
    text_reply(data, TEXT_LIMIT + 1, "error");

    memcpy(data, "$1500\r\n", 7);
    text_reply(data, TEXT_LIMIT + 1, "error");
    memcpy(data + 1507, "\r\n", 2);
    text_reply(data, 1509, "error");

    text_end("what is no reply, or too large, ends them");
}


void
text_reply_all(void)
{
    if (ngx_http_longpoll_reply_load()) {
        return;
    }

    text_reply_good();
    text_reply_bad();
}
