
/*
 * ngx_http_longpoll_zone_page.c: the categories that have a slot, page by page,
 * in the order of their places.
 *
 * A walk goes bucket by bucket.  A bucket that is empty is a step, a category
 * with messages is some more, since its first and its last message are
 * elsewhere in the log.
 */


#include "ngx_http_longpoll_zone_page.h"
#include "ngx_http_longpoll_page.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"


#define NGX_HTTP_LONGPOLL_ZONE_PAGE_STEPS  16       /* of an entry */


static void ngx_http_longpoll_zone_page_add(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_page_t *page, uint32_t slot, ngx_uint_t *steps);


ngx_int_t
ngx_http_longpoll_zone_page_read(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_page_t *page, uint64_t upto)
{
    uint32_t    slot;
    uint64_t    place;
    ngx_int_t   rc;
    ngx_uint_t  steps;

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

        slot = ngx_http_longpoll_cat_next(&z->cats, page->from);

        if (slot == NGX_HTTP_LONGPOLL_CAT_NONE) {
            place = ngx_http_longpoll_hash_last(page->from,
                                         (uint64_t) z->cats.sh->nbuckets);
        } else {
            place = ngx_http_longpoll_hash_place(z->cats.slots[slot].hash[1]);
        }

        if (slot != NGX_HTTP_LONGPOLL_CAT_NONE && place <= upto) {
            ngx_http_longpoll_zone_page_add(z, page, slot, &steps);
        }

        place = ngx_min(place, upto);

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


static void
ngx_http_longpoll_zone_page_add(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_page_t *page, uint32_t slot, ngx_uint_t *steps)
{
    u_char                          *name;
    ngx_http_longpoll_cat_sh_t      *cat;
    ngx_http_longpoll_msg_sh_t      *msg;
    ngx_http_longpoll_zone_entry_t  *entry;

    cat = &z->cats.slots[slot];

    if (cat->count == 0 && cat->waiting == 0) {
        return;
    }

    *steps -= ngx_min(*steps, NGX_HTTP_LONGPOLL_ZONE_PAGE_STEPS);

    entry = &page->entries[page->n];

    ngx_memzero(entry, sizeof(ngx_http_longpoll_zone_entry_t));

    entry->place = ngx_http_longpoll_hash_place(cat->hash[1]);
    entry->workers = cat->waiting;

    if (cat->count) {
        msg = ngx_http_longpoll_zone_msg(z, cat->first);
        name = (u_char *) msg + ngx_http_longpoll_zone_front(msg->rec.bits);

        ngx_http_longpoll_assert(msg->rec.name_len
                                 <= NGX_HTTP_LONGPOLL_MAX_CATEGORY,
                                 "a name's length");

        if (!ngx_http_longpoll_page_begins(&page->prefix, name,
                                           msg->rec.name_len))
        {
            return;
        }

        entry->name.data = page->names;
        entry->name.len = msg->rec.name_len;
        page->names = ngx_cpymem(page->names, name, msg->rec.name_len);

        ngx_http_longpoll_zone_status_slot_locked(z, slot, &entry->status);
    }

    page->n++;
}
