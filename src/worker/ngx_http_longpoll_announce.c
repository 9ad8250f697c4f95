
/*
 * ngx_http_longpoll_announce.c: this worker's part of presence.
 *
 * Streams are counted here, in one node for each category that has any: a
 * stream whose client does not read stands in no queue of wait, and its
 * category is present all the same.  So a category has left this worker when no
 * stream counts for it and no waiter stands in wait.
 *
 * What is due is published in a later turn of nginx's loop, so one publish
 * tells of all that have come in this turn.  If the zone has no room for it,
 * the worker tries again at its next tick.
 */


#include "ngx_http_longpoll_announce.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_wait.h"
#include "ngx_http_longpoll_zone_clock.h"


#define NGX_HTTP_LONGPOLL_ANNOUNCE_FLIGHTS  4   /* in a turn */


/* the streams of a category in this worker */

typedef struct {
    ngx_rbtree_node_t          node;            /* key: hash[0] */
    uint64_t                   hash[2];
    ngx_uint_t                 streams;
} ngx_http_longpoll_announce_cat_t;


struct ngx_http_longpoll_announce_s {
    ngx_rbtree_t               cats;
    ngx_rbtree_node_t          sentinel;
    ngx_event_t                turn;
    unsigned                   waits:1;         /* no publish before the next
                                                   tick */
    unsigned                   expires:1;       /* the next turn ends grace */
};


static ngx_http_longpoll_announce_cat_t *ngx_http_longpoll_announce_find(
    ngx_http_longpoll_zone_t *z, const uint64_t hash[2]);
static void ngx_http_longpoll_announce_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_longpoll_announce_expire(
    ngx_http_longpoll_zone_t *z);


ngx_int_t
ngx_http_longpoll_announce_init(ngx_cycle_t *cycle, ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_announce_t  *announce;

    if (!ngx_http_longpoll_zone_has_presence(z)) {
        return NGX_OK;
    }

    announce = ngx_pcalloc(cycle->pool, sizeof(ngx_http_longpoll_announce_t));
    if (announce == NULL) {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&announce->cats, &announce->sentinel,
                    ngx_rbtree_insert_value);

    announce->turn.handler = ngx_http_longpoll_announce_handler;
    announce->turn.data = z;
    announce->turn.log = cycle->log;

    z->announce = announce;

    return NGX_OK;
}


void
ngx_http_longpoll_announce_exit(ngx_http_longpoll_zone_t *z)
{
    ngx_rbtree_node_t             *node;
    ngx_http_longpoll_announce_t  *announce;

    announce = z->announce;

    while (announce && announce->cats.root != &announce->sentinel) {
        node = announce->cats.root;
        ngx_rbtree_delete(&announce->cats, node);
        ngx_free(node);
    }
}


/* categories whose first words are equal stand anywhere to the right */

static ngx_http_longpoll_announce_cat_t *
ngx_http_longpoll_announce_find(ngx_http_longpoll_zone_t *z,
    const uint64_t hash[2])
{
    ngx_rbtree_node_t                 *node;
    ngx_http_longpoll_announce_t      *announce;
    ngx_http_longpoll_announce_cat_t  *cat;

    announce = z->announce;
    node = announce->cats.root;

    while (node != &announce->sentinel) {
        cat = (ngx_http_longpoll_announce_cat_t *) node;

        if (cat->hash[0] == hash[0] && cat->hash[1] == hash[1]) {
            return cat;
        }

        node = (ngx_rbtree_key_t) hash[0] < node->key ? node->left
                                                       : node->right;
    }

    return NULL;
}


ngx_int_t
ngx_http_longpoll_announce_begin(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_uint_t n)
{
    ngx_uint_t                         i;
    ngx_http_longpoll_announce_t      *announce;
    ngx_http_longpoll_announce_cat_t  *cat;

    announce = z->announce;

    for (i = 0; announce && i < n; i++) {
        cat = ngx_http_longpoll_announce_find(z, cats[i].hash);

        if (cat == NULL) {
            cat = ngx_calloc(sizeof(ngx_http_longpoll_announce_cat_t),
                             announce->turn.log);
            if (cat == NULL) {
                ngx_http_longpoll_announce_end(z, cats, i);
                return NGX_ERROR;
            }

            cat->hash[0] = cats[i].hash[0];
            cat->hash[1] = cats[i].hash[1];
            cat->node.key = cats[i].hash[0];
            ngx_rbtree_insert(&announce->cats, &cat->node);
        }

        cat->streams++;
    }

    return NGX_OK;
}


void
ngx_http_longpoll_announce_end(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_uint_t n)
{
    ngx_uint_t                         i;
    ngx_http_longpoll_announce_t      *announce;
    ngx_http_longpoll_announce_cat_t  *cat;

    announce = z->announce;

    for (i = 0; announce && i < n; i++) {
        cat = ngx_http_longpoll_announce_find(z, cats[i].hash);

        if (--cat->streams == 0) {
            ngx_rbtree_delete(&announce->cats, &cat->node);
            ngx_free(cat);
        }

        if (ngx_http_longpoll_wait_find(z->wait, cats[i].hash) == NULL) {
            ngx_http_longpoll_announce_left(z, cats[i].hash);
        }
    }
}


ngx_uint_t
ngx_http_longpoll_announce_has_stream(ngx_http_longpoll_zone_t *z,
    const uint64_t hash[2])
{
    return ngx_http_longpoll_announce_find(z, hash) != NULL;
}


void
ngx_http_longpoll_announce_left(ngx_http_longpoll_zone_t *z,
    const uint64_t hash[2])
{
    if (ngx_http_longpoll_announce_leaves(z, hash)) {
        ngx_http_longpoll_zone_presence_leave(z,
                                        ngx_http_longpoll_notify_worker(), hash,
                                        ngx_http_longpoll_zone_clock_now(z));
    }
}


void
ngx_http_longpoll_announce_post(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_announce_t  *announce;

    announce = z->announce;

    if (!announce->waits && !announce->turn.posted) {
        ngx_post_event(&announce->turn, &ngx_posted_next_events);
    }
}


void
ngx_http_longpoll_announce_tick(ngx_http_longpoll_zone_t *z, ngx_uint_t first)
{
    if (z->announce == NULL) {
        return;
    }

    z->announce->waits = 0;

    if (first) {
        z->announce->expires = 1;
        ngx_http_longpoll_announce_post(z);
    }

    ngx_http_longpoll_announce_check(z);
}


static void
ngx_http_longpoll_announce_handler(ngx_event_t *ev)
{
    uint64_t                   wake;
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_http_longpoll_zone_t  *z;

    z = ev->data;
    rc = NGX_DONE;

    if (z->announce->expires) {
        z->announce->expires = ngx_http_longpoll_announce_expire(z);
    }

    for (i = 0;
         i < NGX_HTTP_LONGPOLL_ANNOUNCE_FLIGHTS && !z->announce->waits;
         i++)
    {
        rc = ngx_http_longpoll_zone_presence_publish(z,
                                           ngx_http_longpoll_notify_worker(),
                                           ngx_http_longpoll_zone_clock_now(z),
                                           &wake);

        ngx_http_longpoll_point("announced");

        if (wake) {
            ngx_http_longpoll_notify_wake(wake);
        }

        if (rc != NGX_OK) {
            z->announce->waits = (rc == NGX_DECLINED);
            break;
        }
    }

    if (rc == NGX_OK || z->announce->expires) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


/* returns whether there is more to do in a next turn */

static ngx_uint_t
ngx_http_longpoll_announce_expire(ngx_http_longpoll_zone_t *z)
{
    ngx_int_t   rc;
    ngx_uint_t  full;

    rc = ngx_http_longpoll_zone_presence_tick(z,
                                           ngx_http_longpoll_zone_clock_now(z),
                                           &full);
    if (full) {
        ngx_log_error(NGX_LOG_WARN, z->announce->turn.log, 0,
                      "longpoll zone \"%V\" has no room for more present "
                      "categories, further ones are not reported", &z->name);
    }

    return rc == NGX_BUSY;
}
