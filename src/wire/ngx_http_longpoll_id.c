
/*
 * ngx_http_longpoll_id.c: the id of a message, printed and read.
 *
 * Owns the mapping between the number and the UUID, as the header draws it.
 * The zone decides which id comes next, and which epochs it knows.
 *
 * A UUID is two words of 64 bits, its first and its last eight bytes as they
 * read:
 *
 *      high   mmmmmmmm mmmm 7ccc       m ms, 7 version, c counter 15..4
 *      low    veee eeeeeeeeeeee        v variant and counter 3..0, e epoch
 *
 * An id is printed for every event of every answer, and read for every poll.
 * So both use a table for each byte, and have no branch for it.
 */


#include "ngx_http_longpoll_id.h"


#define ngx_http_longpoll_id_byte(p, word, shift)                             \
    ngx_cpymem(p, &ngx_http_longpoll_id_hex[((word) >> (shift) & 0xff) * 2], 2)


static ngx_inline u_char *ngx_http_longpoll_id_word(u_char *p, ngx_uint_t n,
    uint64_t *word, ngx_uint_t *bad);


static const u_char  ngx_http_longpoll_id_hex[] =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
    "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
    "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
    "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
    "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
    "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
    "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";


/* the value of a hexadecimal digit, or 16 */

static const u_char  ngx_http_longpoll_id_digits[256] = {
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
     0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 16, 16, 16, 16, 16, 16,
    16, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16
};


void
ngx_http_longpoll_id_uuid(ngx_http_longpoll_uuid_t *uuid, uint64_t id,
    uint64_t epoch)
{
    uuid->high = (id & ~0xffffULL) | 0x7000 | (id & 0xffff) >> 4;
    uuid->low = 2ULL << 62 | (id & 0xf) << 58
                | (epoch & NGX_HTTP_LONGPOLL_EPOCH_MASK);
}


ngx_uint_t
ngx_http_longpoll_id_read(const ngx_http_longpoll_uuid_t *uuid, uint64_t *id,
    uint64_t *epoch)
{
    if ((uuid->high >> 12 & 0xf) != 7 || uuid->low >> 62 != 2) {
        return 0;
    }

    *id = (uuid->high & ~0xffffULL) | (uuid->high & 0xfff) << 4
          | (uuid->low >> 58 & 0xf);
    *epoch = uuid->low & NGX_HTTP_LONGPOLL_EPOCH_MASK;

    return 1;
}


u_char *
ngx_http_longpoll_id_print(u_char *p, const ngx_http_longpoll_uuid_t *uuid)
{
    uint64_t  high, low;

    high = uuid->high;
    low = uuid->low;

    p = ngx_http_longpoll_id_byte(p, high, 56);
    p = ngx_http_longpoll_id_byte(p, high, 48);
    p = ngx_http_longpoll_id_byte(p, high, 40);
    p = ngx_http_longpoll_id_byte(p, high, 32);
    *p++ = '-';
    p = ngx_http_longpoll_id_byte(p, high, 24);
    p = ngx_http_longpoll_id_byte(p, high, 16);
    *p++ = '-';
    p = ngx_http_longpoll_id_byte(p, high, 8);
    p = ngx_http_longpoll_id_byte(p, high, 0);
    *p++ = '-';
    p = ngx_http_longpoll_id_byte(p, low, 56);
    p = ngx_http_longpoll_id_byte(p, low, 48);
    *p++ = '-';
    p = ngx_http_longpoll_id_byte(p, low, 40);
    p = ngx_http_longpoll_id_byte(p, low, 32);
    p = ngx_http_longpoll_id_byte(p, low, 24);
    p = ngx_http_longpoll_id_byte(p, low, 16);
    p = ngx_http_longpoll_id_byte(p, low, 8);
    p = ngx_http_longpoll_id_byte(p, low, 0);

    return p;
}


ngx_int_t
ngx_http_longpoll_id_parse(u_char *p, size_t len,
    ngx_http_longpoll_uuid_t *uuid)
{
    uint64_t    high, low;
    ngx_uint_t  bad;

    if (len == 34 || len == 38) {

        if (p[0] != '{' || p[len - 1] != '}') {
            return NGX_ERROR;
        }

        p += 1;
        len -= 2;

    } else if (len == 41 || len == 45) {

        if (ngx_memcmp(p, "urn:uuid:", 9) != 0) {
            return NGX_ERROR;
        }

        p += 9;
        len -= 9;
    }

    if (len != 32 && len != NGX_HTTP_LONGPOLL_ID_LEN) {
        return NGX_ERROR;
    }

    high = 0;
    low = 0;
    bad = 0;

    if (len == 32) {
        p = ngx_http_longpoll_id_word(p, 16, &high, &bad);
        (void) ngx_http_longpoll_id_word(p, 16, &low, &bad);

    } else {

        if (p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-') {
            return NGX_ERROR;
        }

        p = ngx_http_longpoll_id_word(p, 8, &high, &bad) + 1;
        p = ngx_http_longpoll_id_word(p, 4, &high, &bad) + 1;
        p = ngx_http_longpoll_id_word(p, 4, &high, &bad) + 1;
        p = ngx_http_longpoll_id_word(p, 4, &low, &bad) + 1;
        (void) ngx_http_longpoll_id_word(p, 12, &low, &bad);
    }

    if (bad > 15) {
        return NGX_ERROR;
    }

    uuid->high = high;
    uuid->low = low;

    return NGX_OK;
}


u_char *
ngx_http_longpoll_id_print_word(u_char *p, uint64_t word)
{
    ngx_int_t  shift;

    for (shift = 56; shift >= 0; shift -= 8) {
        p = ngx_http_longpoll_id_byte(p, word, shift);
    }

    return p;
}


ngx_int_t
ngx_http_longpoll_id_parse_word(u_char *p, uint64_t *word)
{
    uint64_t    w;
    ngx_uint_t  bad;

    w = 0;
    bad = 0;

    (void) ngx_http_longpoll_id_word(p, NGX_HTTP_LONGPOLL_ID_WORD_LEN, &w,
                                     &bad);

    if (bad > 15) {
        return NGX_ERROR;
    }

    *word = w;

    return NGX_OK;
}


/* appends n digits to the word; *bad exceeds 15 if one is not a digit */

static ngx_inline u_char *
ngx_http_longpoll_id_word(u_char *p, ngx_uint_t n, uint64_t *word,
    ngx_uint_t *bad)
{
    u_char  *last, digit;

    for (last = p + n; p < last; p++) {
        digit = ngx_http_longpoll_id_digits[*p];
        *bad |= digit;
        *word = *word << 4 | digit;
    }

    return p;
}
