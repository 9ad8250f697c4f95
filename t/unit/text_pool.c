
/*
 * text_pool.c: pools of nginx for the text files, and memory beside them.
 *
 * There is one pool at a time: what text_stub.c has given.
 */


#include <ngx_config.h>
#include <ngx_core.h>


void text_stub_reset(void);


ngx_pool_t *
ngx_create_pool(size_t size, ngx_log_t *log)
{
    return calloc(1, sizeof(ngx_pool_t));
}


void
ngx_destroy_pool(ngx_pool_t *pool)
{
    text_stub_reset();
    free(pool);
}


void
ngx_reset_pool(ngx_pool_t *pool)
{
    text_stub_reset();
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    p = ngx_palloc(pool, size);

    if (p) {
        ngx_memzero(p, size);
    }

    return p;
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    return calloc(1, size);
}
