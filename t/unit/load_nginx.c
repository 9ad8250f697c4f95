
/*
 * load_nginx.c: what src/disk/ uses of nginx, for load.c.
 *
 * A pool is a list of single malloc()s, so that AddressSanitizer sees one byte
 * too many.  What is logged stands in load_log.
 */


#include "load.h"


typedef struct load_piece_s  load_piece_t;

struct load_piece_s {
    load_piece_t  *next;
};


char        load_log[LOAD_LINE];

ngx_uint_t  ngx_pagesize = 4096;


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return malloc(size);
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    return calloc(1, size);
}


ngx_pool_t *
ngx_create_pool(size_t size, ngx_log_t *log)
{
    return calloc(1, sizeof(load_piece_t));
}


void
ngx_reset_pool(ngx_pool_t *pool)
{
    load_piece_t  *piece, *head = (load_piece_t *) pool;

    while ((piece = head->next) != NULL) {
        head->next = piece->next;
        free(piece);
    }
}


void
ngx_destroy_pool(ngx_pool_t *pool)
{
    ngx_reset_pool(pool);
    free(pool);
}


void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    load_piece_t  *piece, *head = (load_piece_t *) pool;

    piece = malloc(sizeof(load_piece_t) + size);
    piece->next = head->next;
    head->next = piece;

    return piece + 1;
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


ngx_int_t
ngx_pfree(ngx_pool_t *pool, void *p)
{
    return NGX_DECLINED;        /* at the end of the pool */
}

void *
ngx_array_push(ngx_array_t *a)
{
    void  *elts;

    if (a->nelts == a->nalloc) {
        elts = ngx_palloc(a->pool, 2 * a->size * a->nalloc);

        if (elts == NULL) {
            return NULL;
        }

        a->elts = memcpy(elts, a->elts, a->size * a->nelts);
        a->nalloc *= 2;
    }

    return (u_char *) a->elts + a->size * a->nelts++;
}


off_t
ngx_atoof(u_char *line, size_t n)
{
    off_t  value;

    for (value = 0; n; n--, line++) {

        if (*line < '0' || *line > '9' || value > (1LL << 62) / 10) {
            return NGX_ERROR;
        }

        value = value * 10 + (*line - '0');
    }

    return value;
}


u_char *
ngx_cpystrn(u_char *to, u_char *from, size_t n)
{
    if (n == 0) {
        return to;
    }

    while (--n && *from) {
        *to++ = *from++;
    }

    *to = '\0';

    return to;
}


/* %V, %s, %Z, and numbers as %ui and %08uL */

static u_char *
load_format(u_char *p, const char *format, va_list args)
{
    int         width;
    uint64_t    n;
    ngx_str_t  *v;

    for ( /* void */ ; *format; format++) {

        if (*format != '%') {
            *p++ = (u_char) *format;
            continue;
        }

        width = (int) strtol(format + 1, (char **) &format, 10);

        switch (*format) {

        case 'V':
            v = va_arg(args, ngx_str_t *);
            p = ngx_cpymem(p, v->data, v->len);
            break;

        case 's':
            p += sprintf((char *) p, "%s", va_arg(args, char *));
            break;

        case 'Z':
            *p++ = '\0';
            break;

        default: /* 'u' */
            n = (*++format == 'D') ? va_arg(args, uint32_t)
                                   : va_arg(args, uint64_t);
            p += sprintf((char *) p, "%0*llu", width, (unsigned long long) n);
        }
    }

    return p;
}


u_char *
ngx_sprintf(u_char *p, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    p = load_format(p, format, args);
    va_end(args);

    return p;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *format, ...)
{
    u_char   *p;
    va_list   args;

    p = (u_char *) load_log + strlen(load_log);

    if (p > (u_char *) load_log + LOAD_LINE - 1024) {
        return;
    }

    va_start(args, format);
    p = load_format(p, format, args);
    va_end(args);

    (void) sprintf((char *) p, "\n");
}
