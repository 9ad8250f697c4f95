
/*
 * unit_chance.c: random numbers, all of them from one seed.
 */


#include "unit.h"


uint64_t        unit_random_state;
const u_char   *unit_bytes;
const u_char   *unit_bytes_last;


/* splitmix64 (S. Vigna), public domain */

uint64_t
unit_random(void)
{
    uint64_t  x;

    x = (unit_random_state += 0x9e3779b97f4a7c15ULL);
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;

    return x ^ x >> 31;
}


uint64_t
unit_below(uint64_t n)
{
    uint64_t  x, left;

    if (unit_bytes == unit_bytes_last) {
        return unit_random() % n;
    }

    x = 0;

    for (left = n - 1; left && unit_bytes < unit_bytes_last; left >>= 8) {
        x = x << 8 | *unit_bytes++;
    }

    return x % n;
}


ngx_uint_t
unit_once(uint64_t n)
{
    return unit_below(n) == 0;
}


uint64_t
unit_skewed(uint64_t min, uint64_t max)
{
    uint64_t  n, bits;

    n = max - min;

    for (bits = 0; bits < 63 && n >> bits; bits++) { /* void */ }

    bits = unit_below(bits + 1);

    return min + ngx_min(n, unit_below(((uint64_t) 1 << bits)));
}
