
/*
 * ngx_http_longpoll_interest.c: what the zone knows of this worker's waiters.
 *
 * A publisher wakes the workers that have an interest in its category.  The
 * zone stores one interest of a worker in a category, however many requests
 * wait for it there.  So the interest belongs to the category of wait: it
 * begins with the first waiter and ends with the last one.
 *
 * An interest stands in the slot that the zone has for the category.  Where the
 * zone has no slot free it is slotless, and the zone only counts it: the worker
 * is woken for the category's first message, and for no other.  A publish that
 * needs a slot may take one in which interests stand (lost): the worker reads
 * for all of its waiters with the next tick.  So of such a category a waiter
 * reads until a read finds nothing, which registers the interest anew.
 *
 * A poll of gpoll's has one more link, to its client, under the client's UUID.
 * Nothing is published to a client.  By the link the worker knows when the last
 * poll of the client has left; the zone does not drop a client before.
 */


#include "ngx_http_longpoll_interest.h"
#include "ngx_http_longpoll_announce.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_zone_client.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_feed.h"
#include "ngx_http_longpoll_zone_watch.h"


void
ngx_http_longpoll_interest_keep(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_waiter_t *w, ngx_uint_t n,
    ngx_http_longpoll_client_t *client, const uint32_t *slots, uint64_t since)
{
    ngx_uint_t                     i, worker;
    ngx_http_longpoll_wait_cat_t  *cat;

    worker = ngx_http_longpoll_notify_worker();

    if (client) {
        cat = w->links[n].cat;
        cat->slot = client->number;
        cat->client = 1;
    }

    for (i = 0; i < n; i++) {
        cat = w->links[i].cat;
        cat->slot = slots[i];
        cat->lost = 0;

        if (!cat->interest) {
            cat->interest = 1;
            cat->since = since;
        }

        /*
         * Every read that found no slot has added 1 to the worker's count.  A
         * category counts once: what is too much is taken back here.
         */

        if (slots[i] == NGX_HTTP_LONGPOLL_CAT_NONE) {

            if (cat->slotless) {
                ngx_http_longpoll_zone_watch_count_slotless(z, worker, -1);
            }

            cat->slotless = 1;

        } else if (cat->slotless) {
            cat->slotless = 0;
            ngx_http_longpoll_zone_watch_count_slotless(z, worker, -1);
        }
    }
}


void
ngx_http_longpoll_interest_cancel(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_uint_t n,
    ngx_http_longpoll_client_t *client, const uint32_t *slots, uint64_t since)
{
    uint64_t    now;
    ngx_uint_t  i, worker, waits;

    now = ngx_http_longpoll_zone_clock_now(z);
    worker = ngx_http_longpoll_notify_worker();

    for (i = 0; i < n; i++) {
        waits = (ngx_http_longpoll_wait_find(z->wait, cats[i].hash) != NULL);

        if (slots[i] == NGX_HTTP_LONGPOLL_CAT_NONE) {
            ngx_http_longpoll_zone_watch_count_slotless(z, worker, -1);

            if (!waits) {
                ngx_http_longpoll_announce_left(z, cats[i].hash);
            }

        } else if (!waits) {
            ngx_http_longpoll_zone_watch_end(z, worker, cats[i].hash, slots[i],
                            since,
                            ngx_http_longpoll_announce_leaves(z, cats[i].hash),
                            now);
        }
    }

    if (client && ngx_http_longpoll_wait_find(z->wait, client->uuid) == NULL) {
        ngx_http_longpoll_zone_client_leave(z, worker, client, now);
    }
}


void
ngx_http_longpoll_interest_wake(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_wait_cat_t *cat)
{
    cat->woken = ngx_http_longpoll_zone_watch_since(z);
}


void
ngx_http_longpoll_interest_acknowledge(ngx_http_longpoll_zone_t *z,
    const uint64_t hash[2], ngx_http_longpoll_wait_cat_t *cat)
{
    ngx_uint_t  worker;

    if (!ngx_http_longpoll_zone_has_pending(z)) {
        return;
    }

    worker = ngx_http_longpoll_notify_worker();
    ngx_http_longpoll_zone_watch_acknowledge(z, worker, hash,
                                             cat ? cat->since : 0,
                                             cat ? cat->woken : (uint64_t) -1);

    if (cat) {
        cat->since = ngx_max(cat->since, cat->woken);
    }
}


void
ngx_http_longpoll_interest_end(ngx_http_longpoll_wait_t *wait,
    ngx_http_longpoll_wait_cat_t *cat)
{
    ngx_uint_t                  worker;
    ngx_http_longpoll_zone_t   *z;
    ngx_http_longpoll_client_t  client;

    z = wait->data;
    worker = ngx_http_longpoll_notify_worker();

    if (cat->client) {
        client.uuid[0] = cat->hash[0];
        client.uuid[1] = cat->hash[1];
        client.number = cat->slot;

        ngx_http_longpoll_zone_client_leave(z, worker, &client,
                                          ngx_http_longpoll_zone_clock_now(z));
        return;
    }

    if (cat->slotless) {
        ngx_http_longpoll_announce_left(z, cat->hash);
        ngx_http_longpoll_zone_watch_count_slotless(z, worker, -1);
        ngx_http_longpoll_interest_acknowledge(z, cat->hash, cat);
        return;
    }

    ngx_http_longpoll_zone_watch_end(z, worker, cat->hash, cat->slot,
                              cat->since,
                              ngx_http_longpoll_announce_leaves(z, cat->hash),
                              ngx_http_longpoll_zone_clock_now(z));
}


void
ngx_http_longpoll_interest_count(ngx_http_longpoll_zone_t *z, ngx_int_t n)
{
    ngx_http_longpoll_zone_count_waiting(z, ngx_http_longpoll_notify_worker(),
                                         n);

    if (z->cluster && n > 0) {
        ngx_http_longpoll_notify_wake(
            ngx_http_longpoll_zone_feed_resume(z,
                                          NGX_HTTP_LONGPOLL_ZONE_FEED_IDLE));
    }
}
