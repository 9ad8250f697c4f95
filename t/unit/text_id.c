
/*
 * text_id.c: ids, written and read back.
 */


#include "text.h"


/* id */

static const char *
text_print(uint64_t id, uint64_t epoch)
{
    u_char                    *p, *end;
    static char                line[NGX_HTTP_LONGPOLL_ID_LEN + 1];
    ngx_http_longpoll_uuid_t   uuid;

    ngx_http_longpoll_id_uuid(&uuid, id, epoch);

    p = text_piece(NULL, NGX_HTTP_LONGPOLL_ID_LEN);
    end = ngx_http_longpoll_id_print(p, &uuid);

    text_ok(end == p + NGX_HTTP_LONGPOLL_ID_LEN, "an id has 36 bytes");

    memcpy(line, p, NGX_HTTP_LONGPOLL_ID_LEN);
    text_drop(1);

    return line;
}


/* NGX_DECLINED: a UUID, but none of version 7 */

static void
text_parse(const char *in, ngx_int_t rc, uint64_t id, uint64_t epoch)
{
    size_t                     len;
    u_char                    *p;
    uint64_t                   got, got_epoch;
    ngx_int_t                  got_rc;
    ngx_http_longpoll_uuid_t   uuid;

    got = got_epoch = uuid.high = uuid.low = 0x5555;

    len = strlen(in);
    p = text_piece(in, len);

    got_rc = ngx_http_longpoll_id_parse(p, len, &uuid);

    if (got_rc == NGX_OK && !ngx_http_longpoll_id_read(&uuid, &got, &got_epoch))
    {
        got_rc = NGX_DECLINED;
    }

    if (got_rc != rc
        || (rc == NGX_ERROR && (uuid.high != 0x5555 || uuid.low != 0x5555))
        || got != (rc == NGX_OK ? id : 0x5555)
        || got_epoch != (rc == NGX_OK ? epoch : 0x5555))
    {
        text_say("id", (u_char *) in, len, "", "");
    }

    text_drop(1);
}


static void
text_id_print(uint64_t id, uint64_t epoch)
{
    text_ok(strcmp(text_print(id, epoch), TEXT_V7) == 0, "known id");
    text_ok(strcmp(text_print(0, 0),
                   "00000000-0000-7000-8000-000000000000") == 0, "zero");
    text_ok(strcmp(text_print(~0ULL, ~0ULL),
                   "ffffffff-ffff-7fff-bfff-ffffffffffff") == 0, "all ones");
    text_ok(strcmp(text_print(0xf, 0),
                   "00000000-0000-7000-bc00-000000000000") == 0, "counter");
    text_ok(strcmp(text_print(0x10, 1ULL << 57),
                   "00000000-0000-7001-8200-000000000000") == 0, "epoch's top");
    text_end("an id is printed as ms, 7, counter, variant and epoch");
}


static void
text_id_forms(uint64_t id, uint64_t epoch)
{
    text_parse(TEXT_V7, NGX_OK, id, epoch);
    text_parse("{" TEXT_V7 "}", NGX_OK, id, epoch);
    text_parse("urn:uuid:" TEXT_V7, NGX_OK, id, epoch);
    text_parse("0198c0de00017abc9123456789abcdef", NGX_OK, id, epoch);
    text_parse("{0198c0de00017abc9123456789abcdef}", NGX_OK, id, epoch);
    text_parse("urn:uuid:0198c0de00017abc9123456789abcdef", NGX_OK, id, epoch);
    text_parse("0198C0DE-0001-7ABC-9123-456789ABCDEF", NGX_OK, id, epoch);
    text_end("an id is read in each of golongpoll's forms and in any case");

    text_parse(TEXT_V4, NGX_DECLINED, 0, 0);
    text_parse("00000000-0000-0000-0000-000000000000", NGX_DECLINED, 0, 0);
    text_parse("0198c0de-0001-6abc-9123-456789abcdef", NGX_DECLINED, 0, 0);
    text_parse("0198c0de-0001-8abc-9123-456789abcdef", NGX_DECLINED, 0, 0);
    text_parse("0198c0de-0001-7abc-7123-456789abcdef", NGX_DECLINED, 0, 0);
    text_parse("0198c0de-0001-7abc-c123-456789abcdef", NGX_DECLINED, 0, 0);
    text_parse("{6ba7b8109dad41d180b400c04fd430c8}", NGX_DECLINED, 0, 0);
    text_end("a UUID of another version or variant is not the module's own");
}


static void
text_id_errors(void)
{
    text_parse("", NGX_ERROR, 0, 0);
    text_parse("{}", NGX_ERROR, 0, 0);
    text_parse("urn:uuid:", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcde", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcdef0", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcdeg", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcde`", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcde:", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcde/", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc-9123-456789abcde\xe6", NGX_ERROR, 0, 0);
    text_parse("0198c0de00001-7abc-9123-456789abcdef", NGX_ERROR, 0, 0);
    text_parse("0198c0de-0001-7abc091230456789abcdef", NGX_ERROR, 0, 0);
    text_parse("0198c0de0-001-7abc-9123-456789abcdef", NGX_ERROR, 0, 0);
    text_parse("00000000-0000-0000-0000-00000000000g", NGX_ERROR, 0, 0);
    text_parse("0000000g-0000-7000-8000-000000000000", NGX_ERROR, 0, 0);
    text_parse("00000000-0000 0000-0000-000000000000", NGX_ERROR, 0, 0);
    text_parse("00000000-0000-7000-8000/000000000000", NGX_ERROR, 0, 0);
    text_parse("-198c0de00017abc9123456789abcdef", NGX_ERROR, 0, 0);
    text_parse("{0198c0de-0001-7abc-9123-456789abcdef)", NGX_ERROR, 0, 0);
    text_parse("(0198c0de-0001-7abc-9123-456789abcdef}", NGX_ERROR, 0, 0);
    text_parse("[0198c0de00017abc9123456789abcdef]", NGX_ERROR, 0, 0);
    text_parse("URN:UUID:" TEXT_V7, NGX_ERROR, 0, 0);
    text_parse("urn-uuid:" TEXT_V7, NGX_ERROR, 0, 0);
    text_parse("urn:uuid;" TEXT_V7, NGX_ERROR, 0, 0);
    text_parse("urn:uuid:{0198c0de00017abc9123456789abcde}", NGX_ERROR, 0, 0);
    text_parse(" " TEXT_V7, NGX_ERROR, 0, 0);
    text_parse(TEXT_V7 "\n", NGX_ERROR, 0, 0);
    text_end("a text that is no UUID is an error");
}


static void
text_id_bytes(void)
{
    char      s[64];
    size_t    i, n;
    uint64_t  id, epoch;

    for (i = 0; i < 36; i++) {
        for (n = 0; n < 256; n++) {
            strcpy(s, TEXT_V7);
            s[i] = (char) n;

            if (n == 0) {
                continue;
            }

            id = epoch = 0;

            switch (model_uuid((u_char *) s, 36, (unsigned long long *) &id,
                               (unsigned long long *) &epoch))
            {
            case 7:
                text_parse(s, NGX_OK, id, epoch);
                break;
            case 1:
                text_parse(s, NGX_DECLINED, 0, 0);
                break;
            default:
                text_parse(s, NGX_ERROR, 0, 0);
            }
        }
    }

    text_end("each byte at each place of an id is read as the model reads it");
}


static void
text_id_random(void)
{
    char         s[64], t[64];
    uint64_t     id, epoch, id2;
    ngx_uint_t   round;

    for (round = 0; round < text_rounds; round++) {
        id = unit_random() >> unit_below(64);
        epoch = unit_random() & NGX_HTTP_LONGPOLL_EPOCH_MASK;

        strcpy(s, text_print(id, epoch));
        text_parse(s, NGX_OK, id, epoch);

        id2 = unit_below(2) ? id + 1 + unit_below(0x20000)
                            : unit_random() >> unit_below(64);

        strcpy(t, text_print(id2, epoch));

        if (id2 != id && (id2 > id) != (strcmp(t, s) > 0)) {
            text_say("order", (u_char *) s, 36, t, "");
        }
    }

    text_end("printed and read again an id is the same, texts sort as ids");
}


void
text_id(void)
{
    uint64_t  id, epoch;

    id = ngx_http_longpoll_id(0x0198c0de0001ULL, 0xabc4);
    epoch = 0x123456789abcdefULL;

    text_id_print(id, epoch);
    text_id_forms(id, epoch);
    text_id_errors();
    text_id_bytes();
    text_id_random();
}
