
/*
 * ngx_http_longpoll_batch.c: what is published at once: categories and
 * messages.
 *
 *     messages    msg  msg  msg  msg
 *                  |  \__  |   __/
 *     categories  farm   barn
 *
 * A batch finds a category that it has already by a table of hashes.
 */


#include "ngx_http_longpoll_batch.h"


#define NGX_HTTP_LONGPOLL_BATCH_BUCKETS  2048   /* twice MAX_MESSAGES */


static void ngx_http_longpoll_batch_categories(
    ngx_http_longpoll_batch_t *batch, ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_item_t *items);


ngx_int_t
ngx_http_longpoll_batch_alloc(ngx_http_longpoll_batch_t *batch,
    ngx_pool_t *pool)
{
    if (batch->nmsgs == 1) {
        batch->msgs = &batch->msg;
        return NGX_OK;
    }

    batch->msgs = ngx_palloc(pool,
                             batch->nmsgs * sizeof(ngx_http_longpoll_msg_t));

    return batch->msgs ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_longpoll_batch_items(ngx_http_longpoll_batch_t *batch,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_item_t *items, ngx_uint_t n,
    ngx_pool_t *pool)
{
    ngx_uint_t  i;

    batch->nmsgs = n;
    batch->cats = ngx_palloc(pool, n * sizeof(ngx_http_longpoll_cat_t));

    if (batch->cats == NULL
        || ngx_http_longpoll_batch_alloc(batch, pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (n == 1) {
        batch->msgs->data = items->data;
        batch->msgs->cat = 0;
        batch->cats->name = items->category;
        batch->ncats = 1;

        ngx_http_longpoll_zone_hash(z, batch->cats);

        return NGX_OK;
    }

    for (i = 0; i < n; i++) {
        batch->msgs[i].data = items[i].data;
    }

    ngx_http_longpoll_batch_categories(batch, z, items);

    return NGX_OK;
}


/* of several items */

static void
ngx_http_longpoll_batch_categories(ngx_http_longpoll_batch_t *batch,
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_item_t *items)
{
    uint16_t                  buckets[NGX_HTTP_LONGPOLL_BATCH_BUCKETS];
    uint16_t                 *bucket;   /* 1 more than an index, 0: empty */
    ngx_uint_t                i, h;
    ngx_http_longpoll_cat_t  *cat, *known;

    batch->ncats = 0;
    ngx_memzero(buckets, sizeof(buckets));

    for (i = 0; i < batch->nmsgs; i++) {
        cat = &batch->cats[batch->ncats];
        cat->name = items[i].category;
        batch->msgs[i].cat = batch->ncats;

        ngx_http_longpoll_zone_hash(z, cat);

        for (h = cat->hash[0]; /* void */ ; h++) {
            bucket = &buckets[h % NGX_HTTP_LONGPOLL_BATCH_BUCKETS];

            if (*bucket == 0) {
                *bucket = (uint16_t) ++batch->ncats;
                break;
            }

            known = &batch->cats[*bucket - 1];

            if (known->hash[0] == cat->hash[0]
                && known->hash[1] == cat->hash[1])
            {
                batch->msgs[i].cat = *bucket - 1;
                break;
            }
        }
    }
}
