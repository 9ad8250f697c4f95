
/*
 * ngx_http_longpoll_cat.h: the categories that a zone knows.
 *
 * A slot of 64 bytes stands for a category that has messages or parked polls,
 * or whose losses are still known exactly.  Slots are found by the keyed hash
 * of the category's name in a table of buckets, by its second word alone: that
 * is the category's name in the log on disk.  The number of slots is fixed when
 * the zone is made.
 *
 * When a category loses its slot, the highest id that it has lost goes into a
 * tombstone {id, check}, one for each bucket.  If check is the category's, the
 * id is exact.  With another check the id may belong to any category of the
 * bucket ("shared"), and so may an id of an earlier epoch.  A poll may then
 * report messages as missed that its category never had.  A poll from the
 * beginning ignores a shared id, so it may also leave a real loss out.
 *
 * The caller holds the zone's lock in every call.
 */


#ifndef _NGX_HTTP_LONGPOLL_CAT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CAT_H_INCLUDED_


#include "ngx_http_longpoll_journal.h"
#include "ngx_http_longpoll_assert.h"


#define NGX_HTTP_LONGPOLL_CAT_NONE  ((uint32_t) -1)


typedef struct {
    /* identity */
    uint64_t                         hash[2];   /* hash[0] == 0: a free slot */

    /* losses: a cursor below one of these ids may have missed a message */
    uint64_t                         dropped;   /* highest id that this category
                                                   has lost in this epoch */
    uint64_t                         shared;    /* the loss may be another
                                                   category's, or of an earlier
                                                   epoch */

    /* use */
    uint64_t                         used;      /* ms of last publish or poll */
    uint64_t                         waiting;   /* a bit for each worker that
                                                   has parked polls */

    /* messages by id, as refs into the log */
    uint32_t                         first;
    uint32_t                         last;
    uint32_t                         count;

    uint32_t                         next;      /* bucket, or free list: slot
                                                   number + 1, 0 is none */
} ngx_http_longpoll_cat_sh_t;


/* a tombstone: what the categories of a bucket lost that have no slot */

typedef struct {
    uint64_t                         id;        /* highest id of them all */
    uint64_t                         check;     /* hash[1] of the category that
                                                   lost it; 0: not known */
} ngx_http_longpoll_tombstone_sh_t;


typedef struct {
    /* these two never change */
    uint32_t                         nslots;
    uint32_t                         nbuckets;  /* a power of two */

    uint32_t                         free;      /* free list, slot number + 1 */
    uint32_t                         fresh;     /* slots from this number on
                                                   were never used */
    uint32_t                         claimed;   /* slots in use */
    uint32_t                         full;      /* of these, with messages */
    uint32_t                         active;    /* with messages or polls */
    uint32_t                         hand;      /* clock hand: where the search
                                                   for a victim goes on */

    uint64_t                         earlier;   /* id: tombstones up to it are
                                                   of an earlier epoch; set when
                                                   the zone is loaded */
    uint64_t                         unknown_upto;  /* id: up to it a tombstone
                                                       may also have losses of
                                                       others than check */
} ngx_http_longpoll_cats_sh_t;


/* a process's view of the table */

typedef struct {
    ngx_http_longpoll_cats_sh_t       *sh;
    ngx_http_longpoll_journal_sh_t    *journal;
    ngx_http_longpoll_cat_sh_t        *slots;
    uint32_t                          *buckets;
    ngx_http_longpoll_tombstone_sh_t  *tombstones;
} ngx_http_longpoll_cats_t;


/* limits of slots with messages (full), and of slots without (idle) */

#define ngx_http_longpoll_cat_max_full(cats)                                  \
    ((cats)->sh->nslots - (cats)->sh->nslots / 4)
#define ngx_http_longpoll_cat_max_idle(cats)                                  \
    ((cats)->sh->nslots / 4)
#define ngx_http_longpoll_cat_idle(cats)                                      \
    ((cats)->sh->claimed - (cats)->sh->full)


/* checks a slot's number + 1 before the slot is read */

#define ngx_http_longpoll_cat_assert(cats, n)                                 \
    ngx_http_longpoll_assert_step();                                          \
    ngx_http_longpoll_assert((n) - 1 < (cats)->sh->nslots, "a slot's number")


/* returns the category's slot, or NGX_HTTP_LONGPOLL_CAT_NONE */
uint32_t ngx_http_longpoll_cat_find(ngx_http_longpoll_cats_t *cats,
    const uint64_t hash[2]);

/* the same for the category with this hash[1] */
uint32_t ngx_http_longpoll_cat_named(ngx_http_longpoll_cats_t *cats,
    uint64_t name);

/*
 * The slot with the lowest place from `from` on, of those in the bucket of this
 * place; NGX_HTTP_LONGPOLL_CAT_NONE if there is none.
 */
uint32_t ngx_http_longpoll_cat_next(ngx_http_longpoll_cats_t *cats,
    uint64_t from);

/*
 * Gives a slot to a category that has none, with the losses that its bucket's
 * tombstone knows.  Returns NGX_HTTP_LONGPOLL_CAT_NONE if no slot is free.
 */
uint32_t ngx_http_longpoll_cat_claim(ngx_http_longpoll_cats_t *cats,
    const uint64_t hash[2], uint64_t now);

/* frees a slot without messages and polls; its losses go to the tombstone */
void ngx_http_longpoll_cat_free(ngx_http_longpoll_cats_t *cats, uint32_t n);

/*
 * Notes that the category with this hash[1] has lost messages up to id: itself
 * (exact), or perhaps another one of its bucket.
 */
void ngx_http_longpoll_cat_lost(ngx_http_longpoll_cats_t *cats, uint64_t name,
    uint64_t id, ngx_uint_t exact);

/*
 * Returns whether a reader at cursor has missed messages of the category; n is
 * its slot, or NGX_HTTP_LONGPOLL_CAT_NONE.  A reader that asks for all there is
 * (beginning) misses nothing of an earlier epoch.
 */
ngx_uint_t ngx_http_longpoll_cat_missed(ngx_http_longpoll_cats_t *cats,
    uint32_t n, const uint64_t hash[2], uint64_t cursor, ngx_uint_t beginning);


#endif /* _NGX_HTTP_LONGPOLL_CAT_H_INCLUDED_ */
