
/*
 * fuzz.h: what the fuzz targets have in common.
 *
 * A target is one program, made of its own file, files of src/ and parts of
 * t/unit/, under libFuzzer, AddressSanitizer and UBSan.  It gives what the
 * fuzzer throws at it to the code, from pieces of malloc() that are exactly as
 * long as they say, and asks for what must hold whatever the bytes are; what
 * does not ends the program with a sentence, and the fuzzer keeps the input.
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <stdio.h>
#include <stdlib.h>


#define fuzz_must(condition, text)                                            \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, text);         \
            abort();                                                          \
        }                                                                     \
    } while (0)


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);


/* the input, taken from the front */

typedef struct {
    const u_char  *pos;
    const u_char  *last;
} fuzz_bytes_t;


/* zeros, when there are no more */

static ngx_inline uint64_t
fuzz_take(fuzz_bytes_t *b, ngx_uint_t n)
{
    uint64_t  x;

    for (x = 0; n && b->pos < b->last; n--) {
        x = x << 8 | *b->pos++;
    }

    return x;
}


/* a piece of its own, with an end that is guarded */

static ngx_inline u_char *
fuzz_copy(const u_char *data, size_t size)
{
    u_char  *p;

    p = malloc(size);

    if (size) {
        memcpy(p, data, size);
    }

    return p;
}


static ngx_inline ngx_uint_t
fuzz_inside(ngx_str_t *s, u_char *start, size_t size)
{
    return s->data >= start && s->data <= start + size
           && s->len <= (size_t) (start + size - s->data);
}


static ngx_inline ngx_uint_t
fuzz_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}


#endif /* _FUZZ_H_INCLUDED_ */
