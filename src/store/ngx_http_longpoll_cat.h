
/*
 * ngx_http_longpoll_cat.h: the categories that a zone knows.
 *
 * A slot of 64 bytes stands for a category that has messages, or parked polls,
 * or whose last dropped message is still known.  Slots are found by the keyed
 * hash of the name over a table of buckets; their number is fixed when the zone
 * is made.
 *
 * For a category that is forgotten a tombstone keeps the highest id it lost,
 * one for each bucket: {id, check}.  Where check is the category's, the id is
 * exact; else it is that of a neighbour, or a mix ("shared").
 *
 * All calls are made under the zone's lock.
 */


#ifndef _NGX_HTTP_LONGPOLL_CAT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CAT_H_INCLUDED_


#include "ngx_http_longpoll_journal.h"
#include "ngx_http_longpoll_assert.h"


#define NGX_HTTP_LONGPOLL_CAT_NONE  ((uint32_t) -1)


typedef struct {
    /* identity */
    uint64_t                         hash[2];   /* hash[0] == 0: a free slot */

    /* what it lost */
    uint64_t                         dropped;   /* highest id of its own */
    uint64_t                         shared;    /* perhaps of its own, or of an
                                                   earlier life */

    /* who cares */
    uint64_t                         used;      /* ms of last publish or poll */
    uint64_t                         waiting;   /* a bit for each worker */

    /* messages, oldest first, as refs into the log */
    uint32_t                         first;
    uint32_t                         last;
    uint32_t                         count;

    uint32_t                         next;      /* in the bucket, or free:
                                                   slot number + 1, 0 is none */
} ngx_http_longpoll_cat_sh_t;


typedef struct {
    uint64_t                         id;
    uint64_t                         check;     /* hash[1] of its category */
} ngx_http_longpoll_tomb_sh_t;


typedef struct {
    uint32_t                         nslots;    /* never changes */
    uint32_t                         nbuckets;  /* a power of two */
    uint32_t                         free;      /* list, slot number + 1 */
    uint32_t                         fresh;     /* slots from here were never
                                                   used */
    uint32_t                         claimed;
    uint32_t                         full;      /* of these, with messages */
    uint32_t                         active;    /* with messages or polls */
    uint32_t                         hand;      /* looks for a victim */
} ngx_http_longpoll_cats_sh_t;


typedef struct {
    ngx_http_longpoll_cats_sh_t     *sh;
    ngx_http_longpoll_journal_sh_t  *journal;
    ngx_http_longpoll_cat_sh_t      *slots;
    uint32_t                        *buckets;
    ngx_http_longpoll_tomb_sh_t     *tombs;
} ngx_http_longpoll_cats_t;


/* slots with messages, and slots without: so many at most */

#define ngx_http_longpoll_cat_max_full(cats)                                  \
    ((cats)->sh->nslots - (cats)->sh->nslots / 4)
#define ngx_http_longpoll_cat_max_idle(cats)                                  \
    ((cats)->sh->nslots / 4)
#define ngx_http_longpoll_cat_idle(cats)                                      \
    ((cats)->sh->claimed - (cats)->sh->full)


/* of a slot's number + 1, before the slot is looked at */

#define ngx_http_longpoll_cat_assert(cats, n)                                  \
    ngx_http_longpoll_assert_step();                                           \
    ngx_http_longpoll_assert((n) - 1 < (cats)->sh->nslots, "a slot's number")


/* the slot's number, or NGX_HTTP_LONGPOLL_CAT_NONE */
uint32_t ngx_http_longpoll_cat_find(ngx_http_longpoll_cats_t *cats,
    const uint64_t hash[2]);

/*
 * A slot for a category that has none; its tombstone is taken into account.
 * NGX_HTTP_LONGPOLL_CAT_NONE when no slot is free.
 */
uint32_t ngx_http_longpoll_cat_claim(ngx_http_longpoll_cats_t *cats,
    const uint64_t hash[2], uint64_t now);

/* gives back a slot without messages and polls; leaves a tombstone */
void ngx_http_longpoll_cat_free(ngx_http_longpoll_cats_t *cats, uint32_t n);

/*
 * The category lost what is up to id.  Exact: in this life; in an earlier one
 * it was lost to those who do not ask for all there is.
 */
void ngx_http_longpoll_cat_lost(ngx_http_longpoll_cats_t *cats,
    const uint64_t hash[2], uint64_t id, ngx_uint_t exact);

/*
 * Whether a reader behind cursor lost something of the category; n may be
 * NGX_HTTP_LONGPOLL_CAT_NONE.  Beginning: the reader asks for all there is.
 */
ngx_uint_t ngx_http_longpoll_cat_missed(ngx_http_longpoll_cats_t *cats,
    uint32_t n, const uint64_t hash[2], uint64_t cursor, ngx_uint_t beginning);


#endif /* _NGX_HTTP_LONGPOLL_CAT_H_INCLUDED_ */
