
/*
 * ngx_http_longpoll_census.c: which categories the polls of all workers wait
 * for, under which names, and how many.
 *
 * A room is one answer:
 *
 *     tag  upto  size | place  polls  name_len  name | place ...
 *
 * Only its worker writes it, and without a lock: the tag is 0 meanwhile.  A
 * reader copies the room and then compares the tag once more.  Questions of two
 * zones may be open at once, so one's answer may replace the other's before it
 * was read; whoever finds another tag asks anew.
 */


#include "ngx_http_longpoll_census.h"
#include "ngx_http_longpoll_hash.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_zone_question.h"


/*
 * Buckets of wait that one answer looks at, at most: wait's table never
 * shrinks, so it may have many buckets and few categories.
 */

#define NGX_HTTP_LONGPOLL_CENSUS_BUCKETS  16384


typedef struct {
    ngx_atomic_t                      tag;
    uint64_t                          upto;
    uint64_t                          size;     /* of what follows */
    u_char                            entries[1];
} ngx_http_longpoll_census_room_t;


typedef struct {
    uint64_t                          place;
    uint32_t                          polls;
    uint32_t                          name_len;
} ngx_http_longpoll_census_head_t;


#define NGX_HTTP_LONGPOLL_CENSUS_SIZE                                         \
    (NGX_HTTP_LONGPOLL_NOTIFY_ROOM                                            \
     - offsetof(ngx_http_longpoll_census_room_t, entries))


static void ngx_http_longpoll_census_count(
    ngx_http_longpoll_census_t *census, ngx_http_longpoll_wait_t *wait);
static ngx_str_t *ngx_http_longpoll_census_name(
    ngx_http_longpoll_wait_cat_t *cat);
static void ngx_http_longpoll_census_write(ngx_http_longpoll_census_t *census,
    ngx_http_longpoll_census_room_t *room, uint64_t tag);
static void ngx_http_longpoll_census_add(ngx_http_longpoll_census_t *census,
    uint64_t place, uint64_t polls, ngx_str_t *name);


/* of this worker */
static ngx_http_longpoll_census_t  ngx_http_longpoll_census_own;


void
ngx_http_longpoll_census_answer(ngx_http_longpoll_zone_t *z, ngx_uint_t worker)
{
    uint64_t                     number, from, upto, polls;
    ngx_http_longpoll_census_t  *census;

    if (!ngx_http_longpoll_zone_question_asked(z, worker, &number, &from,
                                               &upto))
    {
        return;
    }

    census = &ngx_http_longpoll_census_own;
    polls = 0;

    ngx_http_longpoll_census_begin(census, from, upto);
    ngx_http_longpoll_census_count(census, z->wait);

    if (from != upto) {
        ngx_http_longpoll_census_write(census, (void *)
                                       ngx_http_longpoll_notify_room(worker),
                                 ngx_http_longpoll_zone_question_tag(z,
                                                                     number));

    } else if (census->n) {
        polls = census->entries[0].polls;
    }

    ngx_http_longpoll_zone_question_answer(z, worker, number, polls);
}


void
ngx_http_longpoll_census_begin(ngx_http_longpoll_census_t *census,
    uint64_t from, uint64_t upto)
{
    census->from = from;
    census->upto = upto;
    census->answered = 0;
    census->n = 0;
    census->size = 0;
}


/*
 * This worker's polls and streams that wait, and then its streams that do not
 * wait as their clients have not taken all (held).
 */

static void
ngx_http_longpoll_census_count(ngx_http_longpoll_census_t *census,
    ngx_http_longpoll_wait_t *wait)
{
    uint64_t                       place;
    ngx_uint_t                     i, n, left;
    ngx_queue_t                   *q;
    ngx_http_longpoll_cat_t       *cats;
    ngx_http_longpoll_waiter_t    *w;
    ngx_http_longpoll_wait_cat_t  *cat;

    place = census->from;

    for (left = NGX_HTTP_LONGPOLL_CENSUS_BUCKETS; /* void */ ; left--) {

        for (cat = wait->buckets[ngx_http_longpoll_hash_bucket(place,
                                                          wait->nbuckets)];
             cat;
             cat = cat->next)
        {
            if (cat->polls && !cat->client) {
                ngx_http_longpoll_census_add(census,
                                   ngx_http_longpoll_hash_place(cat->hash[1]),
                                   cat->polls,
                                   ngx_http_longpoll_census_name(cat));
            }
        }

        place = ngx_http_longpoll_hash_last(place, wait->nbuckets);

        if (left == 1) {
            census->upto = ngx_min(census->upto, place);
        }

        if (place++ >= census->upto) {
            break;
        }
    }

    for (q = ngx_queue_head(&wait->held);
         q != ngx_queue_sentinel(&wait->held);
         q = ngx_queue_next(q))
    {
        w = ngx_queue_data(q, ngx_http_longpoll_waiter_t, queue);
        cats = w->handlers->cats(w, &n);

        for (i = 0; i < n; i++) {
            ngx_http_longpoll_census_add(census,
                                ngx_http_longpoll_hash_place(cats[i].hash[1]),
                                1, &cats[i].name);
        }
    }
}


/* the name of a category for which somebody waits here */

static ngx_str_t *
ngx_http_longpoll_census_name(ngx_http_longpoll_wait_cat_t *cat)
{
    ngx_uint_t                 n;
    ngx_queue_t               *q;
    ngx_http_longpoll_link_t  *link;

    q = ngx_queue_head(ngx_queue_empty(&cat->parked) ? &cat->waking
                                                     : &cat->parked);
    link = ngx_queue_data(q, ngx_http_longpoll_link_t, queue);

    return &link->w->handlers->cats(link->w, &n)[link - link->w->links].name;
}


static void
ngx_http_longpoll_census_write(ngx_http_longpoll_census_t *census,
    ngx_http_longpoll_census_room_t *room, uint64_t tag)
{
    u_char                            *p;
    ngx_uint_t                         i;
    ngx_http_longpoll_census_head_t    head;
    ngx_http_longpoll_census_entry_t  *entry;

    room->tag = 0;
    __sync_synchronize();

    room->upto = census->upto;
    room->size = census->size;

    p = room->entries;

    for (i = 0; i < census->n; i++) {
        entry = &census->entries[i];

        head.place = entry->place;
        head.polls = (uint32_t) entry->polls;
        head.name_len = (uint32_t) entry->name.len;

        p = ngx_cpymem(p, &head, sizeof(ngx_http_longpoll_census_head_t));
        p = ngx_cpymem(p, entry->name.data, entry->name.len);
    }

    __sync_synchronize();
    room->tag = tag;
}


ngx_int_t
ngx_http_longpoll_census_read(ngx_http_longpoll_census_t *census,
    ngx_uint_t worker, uint64_t tag, ngx_pool_t *pool)
{
    u_char                           *p, *last;
    size_t                            size;
    uint64_t                          upto;
    ngx_str_t                         name;
    ngx_http_longpoll_census_head_t   head;
    ngx_http_longpoll_census_room_t  *room;

    room = (void *) ngx_http_longpoll_notify_room(worker);

    if (room->tag != tag) {
        return NGX_DECLINED;
    }

    __sync_synchronize();

    upto = room->upto;
    size = ngx_min(room->size, NGX_HTTP_LONGPOLL_CENSUS_SIZE);

    p = ngx_pnalloc(pool, size + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, room->entries, size);
    __sync_synchronize();

    if (room->tag != tag) {
        return NGX_DECLINED;
    }

    census->answered |= (uint64_t) 1 << worker;
    census->upto = ngx_min(census->upto, upto);

    for (last = p + size; p < last; p += head.name_len) {
        ngx_memcpy(&head, p, sizeof(ngx_http_longpoll_census_head_t));
        p += sizeof(ngx_http_longpoll_census_head_t);

        name.data = p;
        name.len = head.name_len;

        ngx_http_longpoll_census_add(census, head.place, head.polls, &name);
    }

    return NGX_OK;
}


/*
 * If there is no room, the entries with the last places go, and the census ends
 * in front of them (upto).
 */

static void
ngx_http_longpoll_census_add(ngx_http_longpoll_census_t *census,
    uint64_t place, uint64_t polls, ngx_str_t *name)
{
    ngx_uint_t                         low, high, mid;
    ngx_http_longpoll_census_entry_t  *entries;

    if (place < census->from || place > census->upto) {
        return;
    }

    entries = census->entries;
    low = 0;
    high = census->n;

    while (low < high) {
        mid = (low + high) / 2;

        if (entries[mid].place < place) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    if (low < census->n && entries[low].place == place) {
        entries[low].polls += polls;
        return;
    }

    while (census->n == NGX_HTTP_LONGPOLL_CENSUS_MAX
           || census->size + sizeof(ngx_http_longpoll_census_head_t)
              + name->len > NGX_HTTP_LONGPOLL_CENSUS_SIZE)
    {
        /* the one that comes may be the last */

        if (low == census->n) {
            census->upto = place - 1;
            return;
        }

        census->n--;
        census->upto = entries[census->n].place - 1;
        census->size -= sizeof(ngx_http_longpoll_census_head_t)
                        + entries[census->n].name.len;
    }

    ngx_memmove(&entries[low + 1], &entries[low],
                (census->n - low) * sizeof(ngx_http_longpoll_census_entry_t));

    entries[low].place = place;
    entries[low].polls = polls;
    entries[low].name = *name;

    census->n++;
    census->size += sizeof(ngx_http_longpoll_census_head_t) + name->len;
}
