
/*
 * body.c: any bytes as a publish body.
 *
 * The first byte says how often the pool gives memory (255: always), the rest
 * is the body.  Must hold: a category is 1 to 1024 bytes of UTF-8; a span of
 * data lies in the body, has no blanks around it and is, read as a body of its
 * own, the same; an object and an array of it say the same; the items of an
 * array stand in their order and do not overlap; data as plain text is UTF-8,
 * and not longer; data that is a number fits into a double; data without lone
 * surrogates is a value, too, and the same text; the body is not changed, all
 * errors are known texts; what a line of a file may be, a body may be, too, but
 * for null.
 */


#include "fuzz.h"

#include <ngx_http_longpoll_json.h>
#include <ngx_http_longpoll_string.h>
#include <ngx_http_longpoll_utf8.h>

#include <math.h>


void text_stub_reset(void);

extern ngx_uint_t  text_stub_left;


typedef struct {
    ngx_int_t                  rc;
    ngx_uint_t                 n;
    ngx_http_longpoll_item_t  *items;
    ngx_http_longpoll_item_t   one;
    ngx_str_t                  error;
} body_answer_t;


#define body_blank(c)  ((c) == ' ' || (c) == '\t' || (c) == '\n' || (c) == '\r')


static void
body_parse(body_answer_t *a, u_char *body, size_t len)
{
    memset(a, 0, sizeof(body_answer_t));

    a->rc = ngx_http_longpoll_json_parse(&a->items, &a->n, &a->one, body, len,
                                         NULL, &a->error);

    if (a->rc == NGX_OK) {
        fuzz_must(a->n >= 1 && a->n <= NGX_HTTP_LONGPOLL_MAX_MESSAGES,
                  "number of items");

    } else {
        fuzz_must(a->rc == NGX_ERROR, "a code that is not known");
        fuzz_must(a->error.len == 0
                  || memchr(a->error.data, '"', a->error.len) == NULL,
                  "an error that is not a sentence");
        fuzz_must(a->error.len || text_stub_left == 0, "memory is missing");
    }
}


/* data, which is one value, as the zone stores it; its text is n bytes */

static void
body_stored(ngx_str_t *data, u_char *text, size_t n)
{
    u_char     *copy, *stored, *number;
    size_t      i;
    ngx_str_t   again, error;

    copy = fuzz_copy(data->data, data->len);

    ngx_http_longpoll_string_replace(copy, copy + data->len);

    fuzz_must(ngx_http_longpoll_string_lone(copy, copy + data->len) == NULL,
              "a surrogate is still alone");
    fuzz_must(ngx_http_longpoll_json_data(&again, copy, data->len, NULL,
                                          &error)
              == NGX_OK && again.data == copy && again.len == data->len,
              "no value is stored");

    for (i = 0; i < data->len; i++) {
        fuzz_must(copy[i] == data->data[i] || strchr("fd", copy[i]),
                  "another byte is stored");
    }

    if (copy[0] == '"') {
        stored = malloc(data->len);
        fuzz_must((size_t) (ngx_http_longpoll_string_text(stored, &again)
                            - stored) == n && memcmp(stored, text, n) == 0,
                  "another text is stored");
        free(stored);
    }

    if (copy[0] == '-' || (copy[0] >= '0' && copy[0] <= '9')) {
        number = (u_char *) strndup((char *) copy, data->len);
        fuzz_must(isfinite(strtod((char *) number, NULL)),
                  "a number is too large");
        free(number);
    }

    free(copy);
}


/* the span of data is one value, and all of it */

static void
body_span(ngx_str_t *data, u_char *body, size_t len)
{
    u_char     *copy, *text;
    size_t      n;
    ngx_str_t   again, error;

    fuzz_must(fuzz_inside(data, body, len) && data->len, "a span outside");
    fuzz_must(!body_blank(data->data[0])
              && !body_blank(data->data[data->len - 1]),
              "blanks around a value");

    copy = fuzz_copy(data->data, data->len);

    fuzz_must(ngx_http_longpoll_json_data(&again, copy, data->len, NULL,
                                          &error)
              == NGX_OK,
              "a span is not a value");
    fuzz_must(again.data == copy && again.len == data->len,
              "a span is not one value");

    text = malloc(data->len);
    n = ngx_http_longpoll_string_text(text, &again) - text;

    fuzz_must(n <= data->len && ngx_http_longpoll_utf8_valid(text, n),
              "a text that is none");
    fuzz_must(copy[0] == '"' ? n < data->len
                             : n == data->len && memcmp(text, copy, n) == 0,
              "another text");

    body_stored(data, text, n);

    free(text);
    free(copy);
}


static void
body_items(body_answer_t *a, u_char *body, size_t len)
{
    u_char                    *behind;
    ngx_uint_t                 i;
    ngx_http_longpoll_item_t  *item;

    behind = body;

    for (i = 0; i < a->n; i++) {
        item = &a->items[i];

        fuzz_must(item->category.len >= 1
                  && item->category.len <= NGX_HTTP_LONGPOLL_MAX_CATEGORY,
                  "a category's length");
        fuzz_must(ngx_http_longpoll_utf8_valid(item->category.data,
                                              item->category.len),
                  "a category is not UTF-8");

        body_span(&item->data, body, len);

        fuzz_must(item->data.data >= behind, "items overlap");
        behind = item->data.data + item->data.len;
    }
}


/*
 * An object in an array of its own.  What is refused alone, as `{}, {}` is, may
 * be two there, but not one.
 */

static void
body_around(body_answer_t *a, u_char *body, size_t len)
{
    u_char         *p;
    body_answer_t   b;

    p = malloc(len + 2);
    p[0] = '[';
    memcpy(p + 1, body, len);
    p[len + 1] = ']';

    body_parse(&b, p, len + 2);

    if (a->rc == NGX_OK) {
        fuzz_must(b.rc == NGX_OK && b.n == 1, "one is not one");
        fuzz_must(fuzz_same(&a->items[0].category, &b.items[0].category)
                  && fuzz_same(&a->items[0].data, &b.items[0].data)
                  && a->items[0].data.data - body
                     == b.items[0].data.data - p - 1,
                  "in an array it says another thing");
    } else {
        fuzz_must(b.rc != NGX_OK || b.n > 1, "what is refused alone is one");
    }

    free(p);
}


/*
 * Whether a body that may be published may be no data: the members other than
 * data may be numbers that no double holds; and all members nest one or two
 * deeper in the body than data does.
 */

static ngx_uint_t
body_large(u_char *body, size_t len)
{
    char        *s;
    size_t       i, brackets;
    ngx_uint_t   large;

    s = strndup((char *) body, len);
    brackets = 0;

    for (large = 0, i = 0; !large && s[i]; i++) {
        large = (s[i] >= '0' && s[i] <= '9' && isinf(strtod(s + i, NULL)));
        brackets += (s[i] == '{' || s[i] == '[');
    }

    free(s);

    return large || brackets > NGX_HTTP_LONGPOLL_JSON_DEPTH;
}


/* without memory: an error, or what is said with it */

static void
body_starve(body_answer_t *full, u_char *body, size_t len, ngx_uint_t left)
{
    ngx_uint_t     i;
    body_answer_t  a;

    text_stub_left = left;
    body_parse(&a, body, len);
    text_stub_left = (ngx_uint_t) -1;

    if (a.rc == NGX_ERROR && a.error.len == 0) {
        return;
    }

    fuzz_must(a.rc == full->rc, "little memory, another answer");

    if (a.rc == NGX_OK) {
        fuzz_must(a.n == full->n, "little memory, fewer items");

        for (i = 0; i < a.n; i++) {
            fuzz_must(fuzz_same(&a.items[i].category,
                                &full->items[i].category)
                      && a.items[i].data.data == full->items[i].data.data
                      && a.items[i].data.len == full->items[i].data.len,
                      "little memory, another item");
        }

        return;
    }

    fuzz_must(a.error.data == full->error.data, "little memory, other error");
}


/* the body as a line of a file */

static void
body_line(body_answer_t *a, u_char *body, size_t len)
{
    ngx_http_longpoll_item_t       *item;
    ngx_http_longpoll_json_line_t   line;

    if (ngx_http_longpoll_json_line(&line, body, len, NULL) != NGX_OK) {
        return;
    }

    item = &line.item;

    fuzz_must(fuzz_inside(&item->data, body, len) && item->data.len
              && fuzz_inside(&line.timestamp, body, len)
              && (line.id.data == NULL || fuzz_inside(&line.id, body, len))
              && (line.key.data == NULL || fuzz_inside(&line.key, body, len)),
              "a span outside of a line");

    if (item->data.data[0] == 'n') {
        fuzz_must(a->rc != NGX_OK, "null is published");
        return;
    }

    fuzz_must(a->rc == NGX_OK && a->n == 1
              && fuzz_same(&item->category, &a->items[0].category)
              && item->data.data == a->items[0].data.data
              && item->data.len == a->items[0].data.len,
              "a line is another event");
}


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    u_char         *body, *first;
    size_t          len;
    ngx_str_t       value, error;
    ngx_int_t       rc;
    ngx_uint_t      left;
    fuzz_bytes_t    b;
    body_answer_t   a;

    b.pos = data;
    b.last = data + size;

    left = fuzz_take(&b, 1);

    len = b.last - b.pos;
    body = fuzz_copy(b.pos, len);

    body_parse(&a, body, len);

    if (a.rc == NGX_OK) {
        body_items(&a, body, len);
    }

    for (first = body; first < body + len && body_blank(*first); first++) {
        /* void */
    }

    if (first < body + len && *first == '{') {
        body_around(&a, body, len);
    }

    body_line(&a, body, len);

    if (left != 255) {
        body_starve(&a, body, len, left % 8);
    }

    rc = ngx_http_longpoll_json_data(&value, body, len, NULL, &error);

    if (rc == NGX_OK) {
        body_span(&value, body, len);

    } else {
        fuzz_must(error.len && memchr(error.data, '"', error.len) == NULL,
                  "an error that is not a sentence");
        fuzz_must(a.rc != NGX_OK || body_large(body, len),
                  "a body is no value");
    }

    fuzz_must(len == 0 || memcmp(body, b.pos, len) == 0,
              "the body has changed");

    text_stub_reset();
    free(body);

    return 0;
}
