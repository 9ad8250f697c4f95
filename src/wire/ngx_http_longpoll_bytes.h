
/*
 * ngx_http_longpoll_bytes.h: sixteen bytes at a time.
 *
 * gcc and clang compile these vectors to what the machine has.
 */


#ifndef _NGX_HTTP_LONGPOLL_BYTES_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_BYTES_H_INCLUDED_


#include "ngx_http_longpoll.h"


typedef u_char    ngx_http_longpoll_bytes_t __attribute__((vector_size(16)));
typedef int8_t    ngx_http_longpoll_chars_t __attribute__((vector_size(16)));
typedef uint64_t  ngx_http_longpoll_words_t __attribute__((vector_size(16)));


/* the highest bit of a byte: of some byte of v; of each byte of v */

#define ngx_http_longpoll_bytes_some(v)                                       \
    ((((ngx_http_longpoll_words_t) (v))[0]                                    \
      | ((ngx_http_longpoll_words_t) (v))[1])                                 \
     & 0x8080808080808080ULL)

#define ngx_http_longpoll_bytes_each(v)                                       \
    ((((ngx_http_longpoll_words_t) (v))[0]                                    \
      & ((ngx_http_longpoll_words_t) (v))[1]                                  \
      & 0x8080808080808080ULL)                                                \
     == 0x8080808080808080ULL)


/*
 * Each byte of found is 0, or has its highest bit set.
 * Returns the place of the first byte that is not 0, or 16.
 */

static ngx_inline ngx_uint_t
ngx_http_longpoll_bytes_first(ngx_http_longpoll_bytes_t found)
{
    ngx_http_longpoll_words_t  words;

    words = (ngx_http_longpoll_words_t) found;

    if ((words[0] | words[1]) == 0) {
        return 16;
    }

#if (NGX_HAVE_LITTLE_ENDIAN)

    return words[0] ? __builtin_ctzll(words[0]) / 8
                    : __builtin_ctzll(words[1]) / 8 + 8;
#else
    {
    ngx_uint_t  i;

    for (i = 0; found[i] == 0; i++) { /* void */ }

    return i;
    }
#endif
}


#endif /* _NGX_HTTP_LONGPOLL_BYTES_H_INCLUDED_ */
