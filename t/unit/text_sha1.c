
/*
 * text_sha1.c: nginx's SHA-1 for wire/entry, as OpenSSL has it, in hexadecimal.
 *
 * Debian's nginx-dev has headers alone.  What is hashed is collected, and
 * hashed at the end.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_sha1.h>

#include <openssl/sha.h>


static u_char  text_sha1_bytes[4096];


void
ngx_sha1_init(ngx_sha1_t *ctx)
{
    ctx->bytes = 0;
}


void
ngx_sha1_update(ngx_sha1_t *ctx, const void *data, size_t size)
{
    if (size > sizeof(text_sha1_bytes) - ctx->bytes) {
        abort();
    }

    ngx_memcpy(text_sha1_bytes + ctx->bytes, data, size);
    ctx->bytes += size;
}


void
ngx_sha1_final(u_char result[20], ngx_sha1_t *ctx)
{
    (void) SHA1(text_sha1_bytes, ctx->bytes, result);
}


u_char *
ngx_hex_dump(u_char *dst, u_char *src, size_t len)
{
    for ( /* void */ ; len; len--, src++) {
        *dst++ = "0123456789abcdef"[*src >> 4];
        *dst++ = "0123456789abcdef"[*src & 15];
    }

    return dst;
}
