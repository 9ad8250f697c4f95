
/*
 * ngx_http_longpoll_hash.h: a category's identity, 128 bits under a secret key.
 *
 * SipHash-2-4 with 128 bits of output (J.-P. Aumasson, D. J. Bernstein,
 * "SipHash: a fast short-input PRF", 2012, and its 128-bit variant).  Nobody
 * who does not know the key can make two names meet, so a slot of the zone
 * keeps the hash and not the name.
 */


#ifndef _NGX_HTTP_LONGPOLL_HASH_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_HASH_H_INCLUDED_


#include "ngx_http_longpoll.h"


/* hash[0] is never 0: that is what a free slot has */
void ngx_http_longpoll_hash(uint64_t hash[2], const uint64_t key[2],
    const u_char *p, size_t len);


#endif /* _NGX_HTTP_LONGPOLL_HASH_H_INCLUDED_ */
