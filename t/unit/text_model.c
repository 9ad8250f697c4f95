
/*
 * text_model.c: second opinions about UTF-8 and UUIDs.
 */


#include "text_model.h"


void
model_show(char *line, const char *open, const unsigned char *p, size_t len,
    const char *close)
{
    static const char  hex[] = "0123456789abcdef";

    line += strlen(line);
    line = stpcpy(line, open);

    for ( /* void */ ; len; p++, len--) {
        if (*p < 0x20 || *p > 0x7e || *p == '\\' || *p == ']') {
            *line++ = '\\';
            *line++ = hex[*p >> 4];
            *line++ = hex[*p & 0xf];

        } else {
            *line++ = (char) *p;
        }
    }

    strcpy(line, close);
}


/* the code point at p and its length, or -1 */

long
model_rune(const unsigned char *p, size_t len, size_t *size)
{
    int            i, n;
    long           c;
    static long    least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (p[0] < 0x80) {
        *size = 1;
        return p[0];
    }

    for (n = 0; p[0] & (0x80 >> n); n++) { /* void */ }

    if (n < 2 || n > 4 || (size_t) n > len) {
        return -1;
    }

    c = p[0] & (0x7f >> n);

    for (i = 1; i < n; i++) {
        if (p[i] / 64 != 2) {
            return -1;
        }

        c = c * 64 + p[i] % 64;
    }

    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
        return -1;
    }

    *size = n;

    return c;
}


int
model_utf8(const unsigned char *p, size_t len)
{
    size_t  n;

    while (len) {
        if (model_rune(p, len, &n) < 0) {
            return 0;
        }

        p += n;
        len -= n;
    }

    return 1;
}


size_t
model_put(unsigned char *dst, long c)
{
    if (c < 0x80) {
        dst[0] = c;
        return 1;
    }

    if (c < 0x800) {
        dst[0] = 192 + c / 64;
        dst[1] = 128 + c % 64;
        return 2;
    }

    if (c < 0x10000) {
        dst[0] = 224 + c / 4096;
        dst[1] = 128 + c / 64 % 64;
        dst[2] = 128 + c % 64;
        return 3;
    }

    dst[0] = 240 + c / 262144;
    dst[1] = 128 + c / 4096 % 64;
    dst[2] = 128 + c / 64 % 64;
    dst[3] = 128 + c % 64;
    return 4;
}


/* UUID: 7, another version (1), or none (0) */

int
model_uuid(const unsigned char *p, size_t len, unsigned long long *id,
    unsigned long long *epoch)
{
    char                 s[64], word[17];
    size_t               i, n;
    unsigned long long   high, low;

    if (len > 60) {
        return 0;
    }

    memcpy(s, p, len);
    s[len] = '\0';

    if (strlen(s) != len) {
        return 0;
    }

    if (s[0] == '{' && len > 2 && s[len - 1] == '}') {
        s[len - 1] = '\0';
        memmove(s, s + 1, len - 1);

    } else if (strncmp(s, "urn:uuid:", 9) == 0) {
        memmove(s, s + 9, len - 8);
    }

    if (strlen(s) == 36) {
        for (i = n = 0; i < 36; i++) {
            if (i == 8 || i == 13 || i == 18 || i == 23) {
                if (s[i] != '-') {
                    return 0;
                }

                continue;
            }

            s[n++] = s[i];
        }

        s[n] = '\0';
    }

    if (strlen(s) != 32 || strspn(s, "0123456789abcdefABCDEF") != 32) {
        return 0;
    }

    memcpy(word, s, 16);
    word[16] = '\0';
    high = strtoull(word, NULL, 16);
    low = strtoull(s + 16, NULL, 16);

    if ((high / 0x1000) % 16 != 7 || low / 0x4000000000000000ULL != 2) {
        return 1;
    }

    *id = high / 65536 * 65536 + (high % 4096) * 16
          + low / 0x400000000000000ULL % 16;
    *epoch = low % 0x400000000000000ULL;

    return 7;
}
