
/*
 * ngx_http_longpoll_zone_page.c: the categories that have a slot, or are
 * present, page by page, in the order of their places.
 *
 * A walk goes bucket by bucket, in the index of categories and in the table of
 * presence.  A bucket of the smaller table is a range of buckets of the larger
 * one, so an empty zone takes as many steps as the larger one has buckets.  A
 * category counts as more steps than a bucket, as it takes longer: its name,
 * its first and its last message lie elsewhere in memory.
 */


#include "ngx_http_longpoll_zone_page.h"
#include "ngx_http_longpoll_page.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_presence.h"


#define NGX_HTTP_LONGPOLL_ZONE_PAGE_STEPS  16       /* for a category */


/* what stands at a place in the zone's tables */

typedef struct {
    uint64_t                            place;
    uint32_t                            slot;   /* _CAT_NONE: none */
    ngx_http_longpoll_presence_unit_t  *unit;   /* NULL: none */
} ngx_http_longpoll_zone_at_t;


static void ngx_http_longpoll_zone_page_next(ngx_http_longpoll_zone_t *z,
    uint64_t from, ngx_http_longpoll_zone_at_t *at);
static void ngx_http_longpoll_zone_page_add(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_page_t *page, ngx_http_longpoll_zone_at_t *at,
    ngx_uint_t *steps);
static void ngx_http_longpoll_zone_page_name(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_at_t *at, u_char *buf, ngx_str_t *name);


ngx_int_t
ngx_http_longpoll_zone_page_read(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_page_t *page, uint64_t upto)
{
    uint64_t                     place;
    ngx_int_t                    rc;
    ngx_uint_t                   steps;
    ngx_http_longpoll_zone_at_t  at;

    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
    rc = NGX_BUSY;

    ngx_http_longpoll_zone_lock(z);

    while (steps) {

        if (page->n == page->max
            || page->end - page->names < NGX_HTTP_LONGPOLL_MAX_CATEGORY)
        {
            rc = NGX_DONE;
            break;
        }

        steps--;

        ngx_http_longpoll_zone_page_next(z, page->from, &at);

        if (at.place <= upto) {
            ngx_http_longpoll_zone_page_add(z, page, &at, &steps);
        }

        place = ngx_min(at.place, upto);

        page->from = place + 1;
        page->complete = (page->from == 0);

        if (place == upto) {
            rc = NGX_OK;
            break;
        }
    }

    ngx_http_longpoll_zone_unlock(z);

    return rc;
}


/* the first place from that one on where something stands, or a bucket ends */

static void
ngx_http_longpoll_zone_page_next(ngx_http_longpoll_zone_t *z, uint64_t from,
    ngx_http_longpoll_zone_at_t *at)
{
    uint64_t                            place;
    ngx_http_longpoll_presence_unit_t  *unit;

    at->slot = ngx_http_longpoll_cat_next(&z->cats, from);
    at->unit = NULL;

    if (at->slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
        at->place = ngx_http_longpoll_hash_last(from,
                                         (uint64_t) z->cats.sh->nbuckets);
    } else {
        at->place = ngx_http_longpoll_hash_place(
                                         z->cats.slots[at->slot].hash[1]);
    }

    if (!ngx_http_longpoll_zone_has_presence(z)) {
        return;
    }

    unit = ngx_http_longpoll_presence_next(&z->present, from);

    if (unit == NULL) {
        place = ngx_http_longpoll_hash_last(from,
                                         (uint64_t) z->present.sh->nbuckets);
    } else {
        place = ngx_http_longpoll_hash_place(unit->u.entry.hash[1]);
    }

    if (place <= at->place) {
        at->unit = unit;
    }

    if (place < at->place) {
        at->slot = NGX_HTTP_LONGPOLL_CAT_NONE;
        at->place = place;
    }
}


static void
ngx_http_longpoll_zone_page_add(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_page_t *page, ngx_http_longpoll_zone_at_t *at,
    ngx_uint_t *steps)
{
    uint64_t                         workers;
    ngx_str_t                        name;
    ngx_uint_t                       count, present;
    ngx_http_longpoll_zone_entry_t  *entry;

    count = 0;
    workers = 0;
    present = ngx_http_longpoll_presence_is_present(at->unit);

    if (at->slot != NGX_HTTP_LONGPOLL_CAT_NONE) {
        count = z->cats.slots[at->slot].count;
        workers = z->cats.slots[at->slot].waiting;
    }

    if (count == 0 && workers == 0 && !present) {
        return;
    }

    *steps -= ngx_min(*steps, NGX_HTTP_LONGPOLL_ZONE_PAGE_STEPS);

    entry = &page->entries[page->n];

    ngx_memzero(entry, sizeof(ngx_http_longpoll_zone_entry_t));

    entry->place = at->place;
    entry->workers = workers;
    entry->status.presence = ngx_http_longpoll_zone_has_presence(z);
    entry->status.present = present;

    ngx_http_longpoll_zone_page_name(z, at, page->names, &name);

    if (name.len) {

        if (!ngx_http_longpoll_page_begins(&page->prefix, name.data, name.len))
        {
            return;
        }

        entry->name.data = page->names;
        entry->name.len = name.len;
        page->names = ngx_movemem(page->names, name.data, name.len);
    }

    if (count) {
        ngx_http_longpoll_zone_status_slot_locked(z, at->slot, &entry->status);
    }

    page->n++;
}


/* the category's name, in the zone or in buf; empty: it is not known */

static void
ngx_http_longpoll_zone_page_name(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_at_t *at, u_char *buf, ngx_str_t *name)
{
    ngx_http_longpoll_msg_sh_t  *msg;

    ngx_str_null(name);

    if (at->slot != NGX_HTTP_LONGPOLL_CAT_NONE
        && z->cats.slots[at->slot].count)
    {
        msg = ngx_http_longpoll_zone_msg(z, z->cats.slots[at->slot].first);

        name->data = (u_char *) msg
                     + ngx_http_longpoll_zone_front(msg->rec.bits);
        name->len = msg->rec.name_len;

    } else if (at->unit) {
        name->data = buf;
        name->len = ngx_http_longpoll_presence_name(&z->present, at->unit, buf)
                    - buf;
    }

    ngx_http_longpoll_assert(name->len <= NGX_HTTP_LONGPOLL_MAX_CATEGORY,
                             "a name's length");
}
