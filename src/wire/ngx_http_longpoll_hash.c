
/*
 * ngx_http_longpoll_hash.c: SipHash-2-4-128 over a category's name, and
 * SipHash-1-3-128 over a list of texts.
 *
 * Each word of a name takes two rounds, and each half of the result four more.
 * A word of a list takes one round, and each half of the result three.  Words
 * are little-endian on every machine, so the published test vectors hold for
 * names.
 *
 * Names are short: a dozen bytes are two words, some 40 ns.  nginx's own hashes
 * (crc32, murmur) are as fast, but anybody can find names that collide.
 */


#include "ngx_http_longpoll_hash.h"


/* rounds of a word, and of half a result */
#define NGX_HTTP_LONGPOLL_HASH_NAME       2
#define NGX_HTTP_LONGPOLL_HASH_NAME_END   4
#define NGX_HTTP_LONGPOLL_HASH_LIST       1
#define NGX_HTTP_LONGPOLL_HASH_LIST_END   3

/* in the word of a length: no text below 8 bytes has a word with this bit */
#define NGX_HTTP_LONGPOLL_HASH_LONG       (1ULL << 63)


#define ngx_http_longpoll_hash_rotl(x, b)                                     \
    (((x) << (b)) | ((x) >> (64 - (b))))


static ngx_inline void ngx_http_longpoll_hash_begin(uint64_t v[4],
    const uint64_t key[2]);
static ngx_inline void ngx_http_longpoll_hash_bytes(uint64_t v[4],
    const u_char *p, size_t len, ngx_uint_t rounds);
static ngx_inline void ngx_http_longpoll_hash_end(uint64_t v[4],
    uint64_t hash[2], ngx_uint_t rounds);
static ngx_inline void ngx_http_longpoll_hash_word(uint64_t v[4],
    uint64_t word, ngx_uint_t rounds);
static ngx_inline void ngx_http_longpoll_hash_rounds(uint64_t v[4],
    ngx_uint_t n);
static ngx_inline uint64_t ngx_http_longpoll_hash_full(const u_char *p);
static ngx_inline uint64_t ngx_http_longpoll_hash_part(const u_char *p,
    size_t len);


void
ngx_http_longpoll_hash(uint64_t hash[2], const uint64_t key[2],
    const u_char *p, size_t len)
{
    uint64_t  v[4];

    ngx_http_longpoll_hash_begin(v, key);
    ngx_http_longpoll_hash_bytes(v, p, len, NGX_HTTP_LONGPOLL_HASH_NAME);
    ngx_http_longpoll_hash_end(v, hash, NGX_HTTP_LONGPOLL_HASH_NAME_END);
}


/*
 * A text of less than 8 bytes is one word, with its length.  In front of a
 * longer one stands the word of its length.  So no two lists are the same
 * words.
 */

void
ngx_http_longpoll_hash_list(uint64_t hash[2], const uint64_t key[2],
    ngx_str_t *texts, ngx_uint_t n)
{
    uint64_t  v[4];

    ngx_http_longpoll_hash_begin(v, key);

    for ( /* void */ ; n; n--, texts++) {

        if (texts->len >= 8) {
            ngx_http_longpoll_hash_word(v, NGX_HTTP_LONGPOLL_HASH_LONG
                                           | texts->len,
                                        NGX_HTTP_LONGPOLL_HASH_LIST);
        }

        ngx_http_longpoll_hash_bytes(v, texts->data, texts->len,
                                     NGX_HTTP_LONGPOLL_HASH_LIST);
    }

    ngx_http_longpoll_hash_end(v, hash, NGX_HTTP_LONGPOLL_HASH_LIST_END);
}


static ngx_inline void
ngx_http_longpoll_hash_begin(uint64_t v[4], const uint64_t key[2])
{
    v[0] = key[0] ^ 0x736f6d6570736575ULL;
    v[1] = key[1] ^ 0x646f72616e646f6dULL ^ 0xee;
    v[2] = key[0] ^ 0x6c7967656e657261ULL;
    v[3] = key[1] ^ 0x7465646279746573ULL;
}


static ngx_inline void
ngx_http_longpoll_hash_bytes(uint64_t v[4], const u_char *p, size_t len,
    ngx_uint_t rounds)
{
    size_t  left;

    for (left = len; left >= 8; left -= 8, p += 8) {
        ngx_http_longpoll_hash_word(v, ngx_http_longpoll_hash_full(p), rounds);
    }

    ngx_http_longpoll_hash_word(v, ngx_http_longpoll_hash_part(p, left)
                                   | (uint64_t) len << 56, rounds);
}


static ngx_inline void
ngx_http_longpoll_hash_end(uint64_t v[4], uint64_t hash[2], ngx_uint_t rounds)
{
    v[2] ^= 0xee;
    ngx_http_longpoll_hash_rounds(v, rounds);
    hash[0] = v[0] ^ v[1] ^ v[2] ^ v[3];

    v[1] ^= 0xdd;
    ngx_http_longpoll_hash_rounds(v, rounds);
    hash[1] = v[0] ^ v[1] ^ v[2] ^ v[3];

    if (hash[0] == 0) {
        hash[0] = 1;
    }
}


static ngx_inline void
ngx_http_longpoll_hash_word(uint64_t v[4], uint64_t word, ngx_uint_t rounds)
{
    v[3] ^= word;
    ngx_http_longpoll_hash_rounds(v, rounds);
    v[0] ^= word;
}


static ngx_inline void
ngx_http_longpoll_hash_rounds(uint64_t v[4], ngx_uint_t n)
{
    while (n--) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = ngx_http_longpoll_hash_rotl(v[1], 13) ^ v[0];
        v[3] = ngx_http_longpoll_hash_rotl(v[3], 16) ^ v[2];
        v[0] = ngx_http_longpoll_hash_rotl(v[0], 32);

        v[2] += v[1];
        v[0] += v[3];
        v[1] = ngx_http_longpoll_hash_rotl(v[1], 17) ^ v[2];
        v[3] = ngx_http_longpoll_hash_rotl(v[3], 21) ^ v[0];
        v[2] = ngx_http_longpoll_hash_rotl(v[2], 32);
    }
}


static ngx_inline uint64_t
ngx_http_longpoll_hash_full(const u_char *p)
{
#if (NGX_HAVE_LITTLE_ENDIAN)

    uint64_t  word;

    ngx_memcpy(&word, p, sizeof(word));

    return word;
#else
    return ngx_http_longpoll_hash_part(p, 8);
#endif
}


static ngx_inline uint64_t
ngx_http_longpoll_hash_part(const u_char *p, size_t len)
{
    uint64_t  word;

    word = 0;

    while (len--) {
        word = word << 8 | p[len];
    }

    return word;
}


uint64_t
ngx_http_longpoll_hash_place(uint64_t hash1)
{
    uint64_t  p;

    p = __builtin_bswap64(hash1);
    p = (p >> 4 & 0x0f0f0f0f0f0f0f0f) | (p & 0x0f0f0f0f0f0f0f0f) << 4;
    p = (p >> 2 & 0x3333333333333333) | (p & 0x3333333333333333) << 2;

    return (p >> 1 & 0x5555555555555555) | (p & 0x5555555555555555) << 1;
}
