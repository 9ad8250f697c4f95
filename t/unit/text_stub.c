
/*
 * text_stub.c: what the text files use of nginx, for text.c.
 *
 * A pool of single malloc()s, so that AddressSanitizer sees one byte too many,
 * with a count of what was asked for and a way to run out: the allocation that
 * finds text_stub_left at 0 fails.  ngx_sprintf() knows what is used, "%ui".
 */


#include <ngx_config.h>
#include <ngx_core.h>


#define TEXT_STUB_PIECES  4096


void text_stub_reset(void);


ngx_uint_t   text_stub_left = (ngx_uint_t) -1;
ngx_uint_t   text_stub_allocs;
size_t       text_stub_bytes;           /* held now */
size_t       text_stub_peak;

static void        *text_stub_pieces[TEXT_STUB_PIECES];
static size_t       text_stub_sizes[TEXT_STUB_PIECES];
static ngx_uint_t   text_stub_n;


void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    if (text_stub_left == 0 || text_stub_n == TEXT_STUB_PIECES) {
        return NULL;
    }

    text_stub_left--;
    text_stub_allocs++;

    text_stub_bytes += size;
    text_stub_peak = ngx_max(text_stub_peak, text_stub_bytes);

    p = malloc(size);

    text_stub_pieces[text_stub_n] = p;
    text_stub_sizes[text_stub_n] = size;
    text_stub_n++;

    return p;
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


ngx_int_t
ngx_pfree(ngx_pool_t *pool, void *p)
{
    ngx_uint_t  i;

    for (i = 0; i < text_stub_n; i++) {
        if (text_stub_pieces[i] == p) {
            text_stub_bytes -= text_stub_sizes[i];
            text_stub_pieces[i] = NULL;
            free(p);
            return NGX_OK;
        }
    }

    /* not from here: free() says so, loudly */

    free(p);
    abort();
}


void
text_stub_reset(void)
{
    ngx_uint_t  i;

    for (i = 0; i < text_stub_n; i++) {
        free(text_stub_pieces[i]);
    }

    text_stub_n = 0;
    text_stub_left = (ngx_uint_t) -1;
    text_stub_allocs = 0;
    text_stub_bytes = 0;
    text_stub_peak = 0;
}


ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    return strncasecmp((char *) s1, (char *) s2, n);
}


u_char *
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    int      len;
    char     number[NGX_INT64_LEN + 1];
    va_list  args;

    va_start(args, fmt);

    while (*fmt) {

        if (*fmt == '%') {
            if (fmt[1] != 'u' || fmt[2] != 'i') {
                abort();
            }

            len = sprintf(number, "%lu",
                          (unsigned long) va_arg(args, ngx_uint_t));
            buf = ngx_cpymem(buf, number, len);
            fmt += 3;
            continue;
        }

        *buf++ = (u_char) *fmt++;
    }

    va_end(args);

    return buf;
}


/* NGX_ERROR: it is no number, or too large */

ngx_int_t
ngx_atoi(u_char *line, size_t n)
{
    ngx_int_t  value;

    if (n == 0 || n > 18) {
        return NGX_ERROR;
    }

    for (value = 0; n; n--, line++) {

        if (*line < '0' || *line > '9') {
            return NGX_ERROR;
        }

        value = value * 10 + (*line - '0');
    }

    return value;
}
