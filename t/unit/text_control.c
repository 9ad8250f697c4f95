
/*
 * text_control.c: the lines of a log that are not events.
 */


#include "text.h"


#define TEXT_KINDS  6

#define TEXT_AFTER  TEXT_AFTER_NUMBER("1")
#define TEXT_AFTER_NUMBER(n)                                                  \
    "#{\"after\":" n ",\"life\":\"0000000000000001\",\"hash\":"               \
    "\"00000000000000020000000000000003\",\"last\":4,\"trusted\":5,"          \
    "\"durable\":"


/* the fields of a kind, as printf() prints them */

static void
text_control_expect(char *line, ngx_http_longpoll_control_t *c)
{
    char                id[NGX_HTTP_LONGPOLL_ID_LEN + 1];
    static const char  *heads[] = { "base", "after" };

#define text_ull(n)  (unsigned long long) (n)

    switch (c->kind) {

    case NGX_HTTP_LONGPOLL_CONTROL_BASE:
    case NGX_HTTP_LONGPOLL_CONTROL_AFTER:
        sprintf(line, "#{\"%s\":%llu,\"life\":\"%016llx\",\"hash\":\"%016llx"
                "%016llx\",\"last\":%llu,\"trusted\":%llu,\"durable\":%s}\n",
                heads[c->kind], text_ull(c->number), text_ull(c->epoch),
                text_ull(c->key[0]), text_ull(c->key[1]), text_ull(c->id),
                text_ull(c->valid_from), c->durable ? "1" : "0");
        break;

    case NGX_HTTP_LONGPOLL_CONTROL_DELETION:
        *ngx_http_longpoll_id_print((u_char *) id, &c->uuid) = '\0';
        sprintf(line, "#{\"gone\":\"%s\"}\n", id);
        break;

    case NGX_HTTP_LONGPOLL_CONTROL_DROP:
        sprintf(line, "#{\"drop\":\"%016llx\",\"upto\":%llu,\"lost\":%llu}\n",
                text_ull(c->name), text_ull(c->upto), text_ull(c->lost));
        break;

    case NGX_HTTP_LONGPOLL_CONTROL_REST:
        sprintf(line, "#{\"rest\":%llu}\n", text_ull(c->id));
        break;

    default: /* NGX_HTTP_LONGPOLL_CONTROL_END */
        sprintf(line, "#{\"end\":%llu,\"bytes\":%llu}\n", text_ull(c->id),
                text_ull(c->bytes));
    }
}


static uint64_t
text_control_number(void)
{
    static const uint64_t  edges[] = {
        0, 1, 9, 10, ~0ULL, ~0ULL - 1, 10000000000000000000ULL,
        9999999999999999999ULL, 1ULL << 63
    };

    return unit_below(3) ? unit_random() >> unit_below(64)
                         : edges[unit_below(sizeof(edges) / sizeof(uint64_t))];
}


/* a line with random values in the fields that its kind has */

static void
text_control_random(ngx_http_longpoll_control_t *c, ngx_uint_t kind)
{
    memset(c, 0, sizeof(ngx_http_longpoll_control_t));

    c->kind = kind;

    switch (kind) {

    case NGX_HTTP_LONGPOLL_CONTROL_BASE:
    case NGX_HTTP_LONGPOLL_CONTROL_AFTER:
        c->number = text_control_number()
                    % (NGX_HTTP_LONGPOLL_CONTROL_LAST + 1);
        c->epoch = text_control_number();
        c->key[0] = text_control_number();
        c->key[1] = text_control_number();
        c->id = text_control_number();
        c->valid_from = text_control_number();
        c->durable = unit_below(2);
        break;

    case NGX_HTTP_LONGPOLL_CONTROL_DELETION:
        c->uuid.high = text_control_number();
        c->uuid.low = text_control_number();
        break;

    case NGX_HTTP_LONGPOLL_CONTROL_DROP:
        c->name = text_control_number();
        c->upto = text_control_number();
        c->lost = text_control_number();
        break;

    case NGX_HTTP_LONGPOLL_CONTROL_REST:
        c->id = text_control_number();
        break;

    default: /* NGX_HTTP_LONGPOLL_CONTROL_END */
        c->id = text_control_number();
        c->bytes = text_control_number();
    }
}


static ngx_uint_t
text_control_same(ngx_http_longpoll_control_t *a,
    ngx_http_longpoll_control_t *b)
{
    return a->kind == b->kind && a->number == b->number && a->epoch == b->epoch
           && a->key[0] == b->key[0] && a->key[1] == b->key[1]
           && a->valid_from == b->valid_from && a->durable == b->durable
           && a->id == b->id && a->uuid.high == b->uuid.high
           && a->uuid.low == b->uuid.low && a->name == b->name
           && a->upto == b->upto && a->lost == b->lost && a->bytes == b->bytes;
}


static ngx_int_t
text_control_parse(ngx_http_longpoll_control_t *c, const void *in, size_t len)
{
    u_char     *p;
    ngx_int_t   rc;

    p = text_piece(in, len);
    rc = ngx_http_longpoll_control_parse(c, p, len);
    text_drop(1);

    return rc;
}


/*
 * A line that is changed in one byte is none; or it is another one, which the
 * changed bytes are the text of.
 */

static void
text_control_changed(const char *line, size_t len)
{
    char                         other[NGX_HTTP_LONGPOLL_CONTROL_MAX];
    size_t                       i;
    u_char                       byte;
    ngx_http_longpoll_control_t  c;

    for (i = 0; i < len; i++) {
        byte = line[i];

        do {
            char  changed[NGX_HTTP_LONGPOLL_CONTROL_MAX + 1];

            memcpy(changed, line, len + 1);
            changed[i] = ++byte;

            if (text_control_parse(&c, changed, len) == NGX_OK) {
                text_control_expect(other, &c);
                other[strlen(other) - 1] = '\0';
                text_ok(strlen(other) == len && !memcmp(other, changed, len),
                        "a changed line is read as what it says");
            }

        } while (byte != (u_char) line[i]);
    }
}


static void
text_control_cases(void)
{
    ngx_uint_t                    i;
    ngx_http_longpoll_control_t   c;

    static const char  *bad[] = {
        "", "#", "#{", "#{}", "{\"rest\":1}", "# {\"rest\":1}", "#{\"rest\":}",
        "#{\"rest\":-1}", "#{\"rest\":+1}", "#{\"rest\": 1}", "#{\"rest\":1 }",
        "#{\"rest\":01}", "#{\"rest\":00}", "#{\"rest\":1.0}",
        "#{\"rest\":18446744073709551616}", "#{\"rest\":1}\n",
        "#{\"rest\":1}\r",
        "#{\"rest\":340282366920938463463374607431768211456}",
        "#{\"rest\":184467440737095516150}", "#{\"rest\":1}}",
        "#{\"rest\":\"1\"}",
        "#{\"Rest\":1}", "#{\"rest\":1,\"end\":2}", "#{\"end\":1}",
        "#{\"bytes\":1,\"end\":1}", "#{\"gone\":\"\"}",
        "#{\"gone\":" TEXT_V7 "}",
        "#{\"gone\":\"0198C0DE-0001-7abc-9123-456789abcdef\"}",
        "#{\"gone\":\"0198c0de00017abc9123456789abcdef\"}",
        "#{\"gone\":\"0198c0de00017abc9123456789abcdef\"}    ",
        "#{\"gone\":\"{0198c0de00017abc9123456789abcdef}\"}",
        "#{\"drop\":\"E220a8397b1dcdaf\",\"upto\":0,\"lost\":1}",
        "#{\"drop\":\"220a8397b1dcdaf\",\"upto\":0,\"lost\":1}",
        "#{\"drop\":\"0e220a8397b1dcdaf\",\"upto\":0,\"lost\":1}",
        "#{\"drop\":\"e220a8397b1dcdaf\",\"lost\":1,\"upto\":0}",
        TEXT_AFTER_NUMBER("1000000000000000000") "1}",
        TEXT_AFTER "2}", TEXT_AFTER "}", TEXT_AFTER "01}", TEXT_AFTER "1",
        "#{\"N\":1}", "#{\"what\":1}"
    };

    text_ok(text_control_parse(&c, text_lit("#{\"rest\":18446744073709551615}"))
            == NGX_OK && c.kind == NGX_HTTP_LONGPOLL_CONTROL_REST
            && c.id == ~0ULL, "the largest number");
    text_ok(text_control_parse(&c, text_lit("#{\"gone\":\"" TEXT_V7 "\"}"))
            == NGX_OK && c.kind == NGX_HTTP_LONGPOLL_CONTROL_DELETION
            && c.uuid.high == 0x0198c0de00017abcULL
            && c.uuid.low == 0x9123456789abcdefULL, "a UUID");
    text_ok(text_control_parse(&c, text_lit("#{\"end\":7,\"bytes\":812}"))
            == NGX_OK && c.kind == NGX_HTTP_LONGPOLL_CONTROL_END
            && c.id == 7 && c.bytes == 812, "an end");
    text_ok(text_control_parse(&c, text_lit(TEXT_AFTER "1}")) == NGX_OK
            && c.kind == NGX_HTTP_LONGPOLL_CONTROL_AFTER && c.number == 1
            && c.epoch == 1 && c.key[0] == 2 && c.key[1] == 3 && c.id == 4
            && c.valid_from == 5 && c.durable == 1, "a head");
    text_ok(text_control_parse(&c, text_lit(
                               TEXT_AFTER_NUMBER("999999999999999999") "1}"))
            == NGX_OK && c.number == NGX_HTTP_LONGPOLL_CONTROL_LAST,
            "the last segment");
    text_end("a control line is read");

    for (i = 0; i < sizeof(bad) / sizeof(char *); i++) {
        text_ok(text_control_parse(&c, bad[i], strlen(bad[i]))
                == NGX_DECLINED, bad[i]);
    }

    text_end("a control line that is not as it is printed is none");
}


void
text_controls(void)
{
    char                         *line;
    u_char                       *p, *end;
    size_t                        len, i;
    ngx_uint_t                    round, kind;
    ngx_http_longpoll_control_t   c, again;

    line = text_model_line;

    for (round = 0; round < text_rounds && text_good; round++) {
        kind = round % TEXT_KINDS;
        text_control_random(&c, kind);

        text_control_expect(line, &c);
        len = strlen(line);

        p = text_piece(NULL, len);
        end = ngx_http_longpoll_control_print(p, &c);

        sprintf(text_got, "%.*s", (int) len, p);
        text_ok((size_t) (end - p) == len
                && len <= NGX_HTTP_LONGPOLL_CONTROL_MAX, "its length");
        text_is("control", NULL, 0, line);
        text_ok(ngx_http_longpoll_control_is(p, len), "it claims to be one");

        text_drop(1);

        memset(&again, 0x55, sizeof(again));
        text_ok(text_control_parse(&again, line, len - 1) == NGX_OK
                && text_control_same(&c, &again), "it is read as it was");
    }

    text_end("each control line is printed as printf() does, and read back");

    text_control_cases();

    for (kind = 0; kind < TEXT_KINDS; kind++) {
        text_control_random(&c, kind);
        text_control_expect(line, &c);
        len = strlen(line) - 1;
        line[len] = '\0';

        for (i = 0; i < len; i++) {
            text_ok(text_control_parse(&again, line, i) == NGX_DECLINED,
                    "a beginning of a line");
        }

        text_ok(text_control_parse(&again, line, len) == NGX_OK, "a line");
        text_control_changed(line, len);
    }

    text_end("a control line that is cut off, or changed, is never misread");
}
