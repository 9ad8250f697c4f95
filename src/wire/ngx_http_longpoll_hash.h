
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


#endif /* _NGX_HTTP_LONGPOLL_HASH_H_INCLUDED_ */
