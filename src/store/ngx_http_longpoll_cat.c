
/*
 * ngx_http_longpoll_cat.c: the categories that a zone knows.
 *
 *     bucket -> slot -> slot            free -> slot -> slot
 *
 * One step takes a slot from the free list (or from those never used) into its
 * bucket, and one step takes it back.  Nobody reads a slot before it is in a
 * bucket, so its words are written with put, not set.  Only hash[0] matters
 * before that: it says whether a slot is in use to a caller that walks over all
 * slots.
 */


#include "ngx_http_longpoll_cat.h"
#include "ngx_http_longpoll_hash.h"


static void ngx_http_longpoll_cat_entomb(ngx_http_longpoll_cats_t *cats,
    uint64_t name, uint64_t id, ngx_uint_t exact);


#define ngx_http_longpoll_cat_bucket(cats, name)                              \
    ((name) & ((cats)->sh->nbuckets - 1))

/* whether the tombstone has what this category has lost in this epoch */
#define ngx_http_longpoll_cat_entombed(cats, tombstone, name)                 \
    ((tombstone)->check == (name) && (tombstone)->id > (cats)->sh->earlier)


uint32_t
ngx_http_longpoll_cat_find(ngx_http_longpoll_cats_t *cats,
    const uint64_t hash[2])
{
    uint32_t                     n;
    ngx_http_longpoll_cat_sh_t  *cat;

    n = cats->buckets[ngx_http_longpoll_cat_bucket(cats, hash[1])];

    while (n) {
        ngx_http_longpoll_cat_assert(cats, n);
        cat = &cats->slots[n - 1];

        if (cat->hash[0] == hash[0] && cat->hash[1] == hash[1]) {
            return n - 1;
        }

        n = cat->next;
    }

    return NGX_HTTP_LONGPOLL_CAT_NONE;
}


uint32_t
ngx_http_longpoll_cat_named(ngx_http_longpoll_cats_t *cats, uint64_t name)
{
    uint32_t  n;

    n = cats->buckets[ngx_http_longpoll_cat_bucket(cats, name)];

    while (n) {
        ngx_http_longpoll_cat_assert(cats, n);

        if (cats->slots[n - 1].hash[1] == name) {
            return n - 1;
        }

        n = cats->slots[n - 1].next;
    }

    return NGX_HTTP_LONGPOLL_CAT_NONE;
}


uint32_t
ngx_http_longpoll_cat_next(ngx_http_longpoll_cats_t *cats, uint64_t from)
{
    uint32_t  n, next;
    uint64_t  place, lowest;

    next = NGX_HTTP_LONGPOLL_CAT_NONE;
    lowest = 0;

    n = cats->buckets[ngx_http_longpoll_hash_bucket(from,
                                                    cats->sh->nbuckets)];

    for ( /* void */ ; n; n = cats->slots[n - 1].next) {
        ngx_http_longpoll_cat_assert(cats, n);

        place = ngx_http_longpoll_hash_place(cats->slots[n - 1].hash[1]);

        if (place >= from
            && (next == NGX_HTTP_LONGPOLL_CAT_NONE || place < lowest))
        {
            next = n - 1;
            lowest = place;
        }
    }

    return next;
}


uint32_t
ngx_http_longpoll_cat_claim(ngx_http_longpoll_cats_t *cats,
    const uint64_t hash[2], uint64_t now)
{
    uint32_t                           n, *bucket;
    ngx_uint_t                         own;
    ngx_http_longpoll_cat_sh_t        *cat;
    ngx_http_longpoll_tombstone_sh_t  *tombstone;
    ngx_http_longpoll_cats_sh_t       *sh;
    ngx_http_longpoll_journal_sh_t    *j;

    sh = cats->sh;
    j = cats->journal;

    if (sh->free) {
        n = sh->free;

    } else if (sh->fresh < sh->nslots) {
        n = sh->fresh + 1;

    } else {
        return NGX_HTTP_LONGPOLL_CAT_NONE;
    }

    ngx_http_longpoll_cat_assert(cats, n);

    cat = &cats->slots[n - 1];
    bucket = &cats->buckets[ngx_http_longpoll_cat_bucket(cats, hash[1])];
    tombstone = &cats->tombstones[ngx_http_longpoll_cat_bucket(cats, hash[1])];
    own = ngx_http_longpoll_cat_entombed(cats, tombstone, hash[1]);

    ngx_http_longpoll_put(cat->hash[1], hash[1]);
    ngx_http_longpoll_put(cat->dropped, own ? tombstone->id : 0);
    ngx_http_longpoll_put(cat->shared, own ? 0 : tombstone->id);
    ngx_http_longpoll_put(cat->used, now);
    ngx_http_longpoll_put(cat->waiting, 0);
    ngx_http_longpoll_put(cat->first, 0);
    ngx_http_longpoll_put(cat->last, 0);
    ngx_http_longpoll_put(cat->count, 0);

    if (n == sh->free) {
        ngx_http_longpoll_set(j, sh->free, cat->next);

    } else {
        ngx_http_longpoll_set(j, sh->fresh, n);
    }

    ngx_http_longpoll_set(j, cat->next, *bucket);
    ngx_http_longpoll_set(j, cat->hash[0], hash[0]);
    ngx_http_longpoll_set(j, *bucket, n);
    ngx_http_longpoll_set(j, sh->claimed, sh->claimed + 1);
    ngx_http_longpoll_done(j);

    return n - 1;
}


void
ngx_http_longpoll_cat_free(ngx_http_longpoll_cats_t *cats, uint32_t n)
{
    uint32_t                        *prev;
    ngx_http_longpoll_cat_sh_t      *cat;
    ngx_http_longpoll_cats_sh_t     *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = cats->sh;
    j = cats->journal;

    cat = &cats->slots[n];
    prev = &cats->buckets[ngx_http_longpoll_cat_bucket(cats, cat->hash[1])];

    if (cat->dropped) {
        ngx_http_longpoll_cat_entomb(cats, cat->hash[1], cat->dropped, 1);
    }

    if (cat->shared) {
        ngx_http_longpoll_cat_entomb(cats, cat->hash[1], cat->shared, 0);
    }

    while (*prev != n + 1) {
        ngx_http_longpoll_cat_assert(cats, *prev);
        prev = &cats->slots[*prev - 1].next;
    }

    ngx_http_longpoll_set(j, *prev, cat->next);
    ngx_http_longpoll_set(j, cat->next, sh->free);
    ngx_http_longpoll_set(j, cat->hash[0], 0);
    ngx_http_longpoll_set(j, sh->free, n + 1);
    ngx_http_longpoll_set(j, sh->claimed, sh->claimed - 1);
    ngx_http_longpoll_done(j);
}


static void
ngx_http_longpoll_cat_entomb(ngx_http_longpoll_cats_t *cats, uint64_t name,
    uint64_t id, ngx_uint_t exact)
{
    uint64_t                           hidden;
    ngx_http_longpoll_cats_sh_t       *sh;
    ngx_http_longpoll_tombstone_sh_t  *tombstone;

    sh = cats->sh;
    tombstone = &cats->tombstones[ngx_http_longpoll_cat_bucket(cats, name)];

    hidden = exact ? tombstone->id : ngx_min(tombstone->id, id);

    if (tombstone->check != name && sh->unknown_upto < hidden) {
        ngx_http_longpoll_put(sh->unknown_upto, hidden);
    }

    if (!exact && tombstone->id >= id) {
        return;
    }

    /*
     * check is cleared before id is stored.  If the process is killed in
     * between, no category takes the id as its own.
     */

    id = ngx_max(tombstone->id, id);

    ngx_http_longpoll_put(tombstone->check, 0);
    ngx_http_longpoll_put(tombstone->id, id);

    if (exact) {
        ngx_http_longpoll_put(tombstone->check, name);
    }
}


void
ngx_http_longpoll_cat_lost(ngx_http_longpoll_cats_t *cats, uint64_t name,
    uint64_t id, ngx_uint_t exact)
{
    uint32_t  n;

    n = ngx_http_longpoll_cat_named(cats, name);

    if (n == NGX_HTTP_LONGPOLL_CAT_NONE) {
        ngx_http_longpoll_cat_entomb(cats, name, id, exact);

    } else if (exact && id > cats->sh->earlier) {
        ngx_http_longpoll_put(cats->slots[n].dropped,
                              ngx_max(cats->slots[n].dropped, id));

    } else {
        ngx_http_longpoll_put(cats->slots[n].shared,
                              ngx_max(cats->slots[n].shared, id));
    }
}


ngx_uint_t
ngx_http_longpoll_cat_missed(ngx_http_longpoll_cats_t *cats, uint32_t n,
    const uint64_t hash[2], uint64_t cursor, ngx_uint_t beginning)
{
    uint64_t                           dropped, shared;
    ngx_uint_t                         own;
    ngx_http_longpoll_tombstone_sh_t  *tombstone;

    if (n != NGX_HTTP_LONGPOLL_CAT_NONE) {
        dropped = cats->slots[n].dropped;
        shared = cats->slots[n].shared;

    } else {
        tombstone =
                &cats->tombstones[ngx_http_longpoll_cat_bucket(cats, hash[1])];
        own = ngx_http_longpoll_cat_entombed(cats, tombstone, hash[1]);

        dropped = own ? tombstone->id : 0;
        shared = own ? 0 : tombstone->id;
    }

    return cursor < dropped || (cursor < shared && !beginning);
}
