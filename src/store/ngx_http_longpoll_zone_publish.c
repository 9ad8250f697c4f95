
/*
 * ngx_http_longpoll_zone_publish.c: a publish.
 *
 *     prepare    search the idempotency key, make room        own lock holds
 *
 *     busy = 1                                                one lock hold
 *     append     for each message: a slot, the record, one step that links it
 *     committed  = last_id: this store commits the publish.  In the same step
 *                  a flight of presence's events begins
 *     visible    = committed: readers see it (with durable, later: the writer)
 *     mark       its categories are dirty for the workers that wait for them
 *     trim       a category over its buffer loses its oldest messages
 *     busy = 0
 *
 * A process that is killed in front of `committed` has published nothing:
 * recovery drops its messages.  One that is killed behind it has published all
 * of it, and recovery wakes every worker (zone_lock).
 */


#include "ngx_http_longpoll_zone_publish.h"
#include "ngx_http_longpoll_zone_append.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_cursor.h"


static ngx_int_t ngx_http_longpoll_zone_prepare(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_append_t *pub, ngx_uint_t *steps);
static ngx_inline ngx_int_t ngx_http_longpoll_zone_known(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_append_t *pub,
    ngx_uint_t *steps);
static void ngx_http_longpoll_zone_publish_msgs(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_append_t *pub);
static ngx_int_t ngx_http_longpoll_zone_commit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_append_t *pub, uint64_t *wake);
static void ngx_http_longpoll_zone_take_off(ngx_http_longpoll_zone_t *z)
    __attribute__((noinline));


ngx_int_t
ngx_http_longpoll_zone_publish(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs, ngx_uint_t n,
    ngx_str_t *name, uint64_t now, uint64_t *wake)
{
    ngx_int_t                        rc;
    ngx_uint_t                       steps;
    ngx_http_longpoll_zone_key_t     key;
    ngx_http_longpoll_zone_append_t  pub;

    *wake = 0;

    if (ngx_http_longpoll_zone_append_init(&pub, cats, msgs, n, now)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (name) {
        ngx_http_longpoll_zone_key_init(z, &key, name, n);
        pub.key = &key;
    }

    for ( ;; ) {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);

        rc = ngx_http_longpoll_zone_prepare(z, &pub, &steps);

        if (rc == NGX_OK) {
            break;
        }

        ngx_http_longpoll_zone_unlock(z);

        if (rc != NGX_BUSY) {
            return rc;
        }
    }

    ngx_http_longpoll_put(z->sh->work.busy, 1);

    ngx_http_longpoll_zone_publish_msgs(z, &pub);
    rc = ngx_http_longpoll_zone_commit(z, &pub, wake);

    ngx_http_longpoll_put(z->sh->work.busy, 0);

    ngx_http_longpoll_zone_unlock(z);

    return rc;
}


ngx_int_t
ngx_http_longpoll_zone_publish_flight(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_zone_flight_t *flight,
    uint64_t now, uint64_t *wake)
{
    ngx_int_t  rc;

    z->flight = flight;

    rc = ngx_http_longpoll_zone_publish(z, cat, flight->msgs, flight->n, NULL,
                                        now, wake);
    z->flight = NULL;

    return rc;
}


ngx_int_t
ngx_http_longpoll_zone_publish_check(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs, ngx_uint_t n,
    ngx_str_t *name, uint64_t now)
{
    ngx_int_t                        rc;
    ngx_uint_t                       steps;
    ngx_http_longpoll_zone_key_t     key;
    ngx_http_longpoll_zone_append_t  pub;

    if (ngx_http_longpoll_zone_append_init(&pub, cats, msgs, n, now)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (name) {
        ngx_http_longpoll_zone_key_init(z, &key, name, n);
        pub.key = &key;
    }

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(z);
        rc = ngx_http_longpoll_zone_known(z, &pub, &steps);

        if (rc == NGX_OK) {
            rc = ngx_http_longpoll_zone_append_need(z, &pub);
        }

        ngx_http_longpoll_zone_unlock(z);

    } while (rc == NGX_BUSY);

    return rc;
}


/*
 * NGX_OK: there is room; NGX_BUSY: out of steps; NGX_DONE, NGX_DECLINED,
 * NGX_ABORT, NGX_ERROR as the publish returns them.
 */

static ngx_int_t
ngx_http_longpoll_zone_prepare(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_append_t *pub, ngx_uint_t *steps)
{
    ngx_int_t  rc;

    rc = ngx_http_longpoll_zone_known(z, pub, steps);

    return rc == NGX_OK ? ngx_http_longpoll_zone_append_room(z, pub, steps)
                        : rc;
}


/* NGX_OK: no earlier publish has the key; NGX_BUSY; NGX_DONE, NGX_ERROR */

static ngx_inline ngx_int_t
ngx_http_longpoll_zone_known(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_append_t *pub, ngx_uint_t *steps)
{
    ngx_int_t                 rc;
    ngx_http_longpoll_msg_t  *last;

    if (z->sh->moved) {
        return NGX_ERROR;
    }

    if (z->flight && z->flight->flights != z->sh->presence.flights) {
        return NGX_DONE;
    }

    if (pub->key == NULL) {
        return NGX_OK;
    }

    rc = ngx_http_longpoll_zone_key_find(z, pub->key, pub->cats, pub->now,
                                         steps);

    if (rc != NGX_OK) {
        return rc == NGX_BUSY ? NGX_BUSY : NGX_OK;
    }

    last = &pub->msgs[pub->n - 1];
    last->id = pub->key->last_id;
    last->uuid = pub->key->last;

    return NGX_DONE;
}


static void
ngx_http_longpoll_zone_publish_msgs(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_append_t *pub)
{
    ngx_uint_t                    i;
    ngx_http_longpoll_msg_t      *msg;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    for (i = 0; i < pub->n; i++) {
        msg = &pub->msgs[i];

        msg->id = ngx_max(ngx_http_longpoll_id(pub->now, 0),
                          sh->clock.last_id + 1);
        ngx_http_longpoll_id_uuid(&msg->uuid, msg->id, sh->epoch);
        ngx_http_longpoll_put(sh->clock.last_id, msg->id);

        ngx_http_longpoll_zone_append_msg(z, pub, i, 0);
    }
}


/* NGX_OK: readers see the publish; NGX_AGAIN: they see it when it is saved */

static ngx_int_t
ngx_http_longpoll_zone_commit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_append_t *pub, uint64_t *wake)
{
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;

    if (sh->disk.durable) {

        if (z->flight) {
            ngx_http_longpoll_zone_take_off(z);

        } else {
            ngx_http_longpoll_put(sh->clock.committed, sh->clock.last_id);
        }

        *wake = ngx_http_longpoll_zone_cursor_writer(z);

        return NGX_AGAIN;
    }

    /*
     * Counted before it is committed: a process that is killed in between has
     * counted too many messages, never too few.
     */

    ngx_http_longpoll_zone_count(z, published, pub->n);

    if (z->flight) {
        ngx_http_longpoll_zone_take_off(z);

    } else {
        ngx_http_longpoll_put(sh->clock.committed, sh->clock.last_id);
    }

    ngx_http_longpoll_put(sh->clock.visible, sh->clock.committed);

    *wake |= ngx_http_longpoll_zone_append_mark(z, pub);

    return NGX_OK;
}


/*
 * Commits a publish, and begins its flight.  Not inlined: other publishes pay
 * for its registers.
 */

static void
ngx_http_longpoll_zone_take_off(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_journal_sh_t   *j;
    ngx_http_longpoll_presence_sh_t  *presence;

    j = &z->sh->journal;
    presence = &z->sh->presence;

    ngx_http_longpoll_put(presence->flight_id, z->sh->clock.last_id);
    ngx_http_longpoll_put(presence->failed, z->sh->disk.failed);
    ngx_http_longpoll_put(presence->worker, z->flight->worker);

    ngx_http_longpoll_set(j, presence->flights, presence->flights + 1);
    ngx_http_longpoll_set(j, presence->flying, z->flight->flying);
    ngx_http_longpoll_set(j, z->sh->clock.committed, z->sh->clock.last_id);
    ngx_http_longpoll_done(j);
}
