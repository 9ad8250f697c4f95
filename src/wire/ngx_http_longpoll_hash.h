
/*
 * ngx_http_longpoll_hash.h: the hash of a category's name, or of an idempotency
 * key: 128 bits with a secret key.
 *
 * SipHash-2-4 with 128 bits of output (J.-P. Aumasson, D. J. Bernstein,
 * "SipHash: a fast short-input PRF", 2012, and its 128-bit variant).  Without
 * the key nobody can find two names with the same hash, so the zone compares
 * hashes, and has no names in its slots.
 */


#ifndef _NGX_HTTP_LONGPOLL_HASH_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_HASH_H_INCLUDED_


#include "ngx_http_longpoll.h"


/* hash[0] is never 0, which marks a free slot */
void ngx_http_longpoll_hash(uint64_t hash[2], const uint64_t key[2],
    const u_char *p, size_t len);

/*
 * The hash of n texts, each with its length: "ab", "c" is not "a", "bc".  It is
 * SipHash-1-3: the reader compares it only with that of the last entry that it
 * has read, and no other node or file has it.
 */
void ngx_http_longpoll_hash_list(uint64_t hash[2], const uint64_t key[2],
    ngx_str_t *texts, ngx_uint_t n);

/*
 * Tables find a category by the lower bits of hash[1], more of them the larger
 * the table is.  Its place is hash[1] with the bits in reverse, so that each
 * bucket of a table of any size is a range of places: a walk in the order of
 * places goes bucket by bucket, and can go on in a table of another size.
 */
uint64_t ngx_http_longpoll_hash_place(uint64_t hash1);

/* the bucket of a place in a table of n buckets, a power of two; the last
   place in that bucket */
#define ngx_http_longpoll_hash_bucket(place, n)                               \
    (ngx_http_longpoll_hash_place(place) & ((n) - 1))
#define ngx_http_longpoll_hash_last(place, n)                                 \
    ((place) | (uint64_t) -1 / (n))


#endif /* _NGX_HTTP_LONGPOLL_HASH_H_INCLUDED_ */
