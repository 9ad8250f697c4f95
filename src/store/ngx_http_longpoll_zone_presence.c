
/*
 * ngx_http_longpoll_zone_presence.c: who waits for what, as events.
 *
 *     DUE:  entry - entry - entry - entry - entry - entry
 *           `---- flying: they     `---- are next
 *                 have events
 *
 *     land      the flight is decided.  Visible: its entries are reported, a
 *               step for each.  Refused (durable): they stay, and fly once more
 *     walk      behind a reset followers know of nobody: it goes over all
 *               units, so that the arrival of each present category is due
 *     collect   the next entries of DUE become messages, outside the lock
 *     publish   as any publish; the step that commits it begins the flight
 *
 * A process may be killed anywhere: the flight is in the zone, so another
 * process lands it, and publishes nothing twice.  While a flight is not
 * decided no other begins, so events stay in the order of the changes.
 */


#include "ngx_http_longpoll_zone_presence.h"
#include "ngx_http_longpoll_escape.h"
#include "ngx_http_longpoll_zone_disk.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_publish.h"


#define NGX_HTTP_LONGPOLL_ZONE_FLIGHT  64       /* events, at most */

/* text of an event, at most: each byte of a name may become \u00.. */
#define NGX_HTTP_LONGPOLL_ZONE_FLIGHT_TEXT                                    \
    (6 * NGX_HTTP_LONGPOLL_MAX_CATEGORY + 64)


/* memory for a flight that is collected */

typedef struct {
    ngx_http_longpoll_msg_t        msgs[NGX_HTTP_LONGPOLL_ZONE_FLIGHT];
    u_char                         name[NGX_HTTP_LONGPOLL_MAX_CATEGORY];
    u_char                         text[2 * NGX_HTTP_LONGPOLL_ZONE_FLIGHT_TEXT];
} ngx_http_longpoll_zone_flight_buffer_t;


static ngx_int_t ngx_http_longpoll_zone_land(ngx_http_longpoll_zone_t *z,
    uint64_t now, ngx_uint_t *steps);
static ngx_int_t ngx_http_longpoll_zone_walk(ngx_http_longpoll_zone_t *z,
    ngx_uint_t *steps);
static void ngx_http_longpoll_zone_collect(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_zone_flight_t *flight);
static u_char *ngx_http_longpoll_zone_presence_text(u_char *p,
    ngx_str_t *name, ngx_uint_t present);
static ngx_int_t ngx_http_longpoll_zone_presence_copy(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_zone_t *old,
    ngx_http_longpoll_presence_unit_t *unit);
static void ngx_http_longpoll_zone_presence_forget(ngx_http_longpoll_zone_t *z,
    uint64_t workers, uint64_t now);


/* of this process */
static ngx_http_longpoll_zone_flight_buffer_t
    ngx_http_longpoll_zone_flight_buffer;

static ngx_str_t  ngx_http_longpoll_zone_reset =
    ngx_string("{\"present\":\"reset\"}");


void
ngx_http_longpoll_zone_presence_init(ngx_http_longpoll_zone_t *z)
{
    if (z->presence.len == 0) {
        return;
    }

    ngx_http_longpoll_hash(z->sh->presence.hash, z->sh->key, z->presence.data,
                           z->presence.len);
    z->sh->presence.reset = 1;
}


void
ngx_http_longpoll_zone_presence_come(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_cat_t *cats, ngx_uint_t n,
    ngx_uint_t stays, uint64_t now)
{
    uint64_t    workers;
    ngx_uint_t  i;

    workers = 0;

    if (stays && worker != NGX_HTTP_LONGPOLL_NO_WORKER) {
        workers = ngx_http_longpoll_zone_bit(worker);

        if (!z->sh->workers[worker].known) {
            ngx_http_longpoll_put(z->sh->workers[worker].known, 1);
        }
    }

    for (i = 0; i < n; i++) {

        if (ngx_http_longpoll_zone_is_presence(z, cats[i].hash)) {
            continue;
        }

        if (ngx_http_longpoll_presence_come(&z->present, &cats[i], workers, now)
            != NGX_OK
            && !z->sh->presence.full)
        {
            ngx_http_longpoll_put(z->sh->presence.full, 1);
        }
    }
}


ngx_uint_t
ngx_http_longpoll_zone_presence_has(ngx_http_longpoll_zone_t *z,
    const uint64_t hash[2])
{
    ngx_http_longpoll_presence_unit_t  *unit;

    unit = ngx_http_longpoll_presence_find(&z->present, hash);

    return ngx_http_longpoll_presence_is_present(unit);
}


void
ngx_http_longpoll_zone_presence_leave(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, const uint64_t hash[2], uint64_t now)
{
    if (!ngx_http_longpoll_zone_has_presence(z)
        || worker == NGX_HTTP_LONGPOLL_NO_WORKER)
    {
        return;
    }

    ngx_http_longpoll_zone_lock(z);

    if (!z->sh->moved) {
        ngx_http_longpoll_presence_leave(&z->present,
                           ngx_http_longpoll_presence_find(&z->present, hash),
                           ngx_http_longpoll_zone_bit(worker), now);
    }

    ngx_http_longpoll_zone_unlock(z);
}


ngx_int_t
ngx_http_longpoll_zone_presence_tick(ngx_http_longpoll_zone_t *z, uint64_t now,
    ngx_uint_t *full)
{
    uint64_t                          grace;
    ngx_uint_t                        steps, more;
    ngx_http_longpoll_presence_sh_t  *presence;

    *full = 0;

    if (!ngx_http_longpoll_zone_has_presence(z)) {
        return NGX_OK;
    }

    presence = &z->sh->presence;
    more = 0;

    if (presence->back && now >= presence->back) {
        ngx_http_longpoll_zone_presence_forget(z, 0, now);
        ngx_http_longpoll_put(presence->back, 0);
    }

    ngx_http_longpoll_zone_lock(z);

    grace = z->sh->conf.grace;

    /* behind a reset all are due once more before anybody leaves */

    if (!z->sh->moved && !presence->reset && !presence->walk) {
        for (steps = NGX_HTTP_LONGPOLL_ZONE_STEPS; steps; steps--) {
            more = ngx_http_longpoll_presence_expire(&z->present, now - grace);

            if (!more) {
                break;
            }
        }
    }

    if (presence->full
        && now >= presence->logged + NGX_HTTP_LONGPOLL_ZONE_PRESENCE_LOG)
    {
        ngx_http_longpoll_put(presence->logged, now);
        ngx_http_longpoll_put(presence->full, 0);
        *full = 1;
    }

    ngx_http_longpoll_zone_unlock(z);

    return more ? NGX_BUSY : NGX_OK;
}


void
ngx_http_longpoll_zone_presence_reap(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now)
{
    if (ngx_http_longpoll_zone_has_presence(z)) {
        ngx_http_longpoll_zone_presence_forget(z,
                                            ngx_http_longpoll_zone_bit(worker),
                                            now);
    }
}


/* who waits in these workers has left; 0: in those of the zone before */

static void
ngx_http_longpoll_zone_presence_forget(ngx_http_longpoll_zone_t *z,
    uint64_t workers, uint64_t now)
{
    ngx_uint_t                          n, steps, more;
    ngx_http_longpoll_presence_unit_t  *unit;

    n = 0;

    do {
        ngx_http_longpoll_zone_lock(z);

        for (steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;
             steps && n < z->present.sh->fresh && !z->sh->moved;
             steps--)
        {
            unit = &z->present.units[n++];

            if (unit->state == NGX_HTTP_LONGPOLL_PRESENCE_NONE) {
                continue;
            }

            if (workers) {
                ngx_http_longpoll_presence_leave(&z->present, unit, workers,
                                                 now);

            } else {
                ngx_http_longpoll_presence_leave_old(&z->present, unit, now);
            }
        }

        more = n < z->present.sh->fresh && !z->sh->moved;

        ngx_http_longpoll_zone_unlock(z);

    } while (more);
}


ngx_int_t
ngx_http_longpoll_zone_presence_publish(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now, uint64_t *wake)
{
    ngx_int_t                        rc;
    ngx_uint_t                       steps;
    ngx_http_longpoll_cat_t          cat;
    ngx_http_longpoll_zone_flight_t  flight;

    *wake = 0;

    if (!ngx_http_longpoll_zone_has_presence(z)) {
        return NGX_DONE;
    }

    flight.msgs = ngx_http_longpoll_zone_flight_buffer.msgs;
    flight.n = 0;
    flight.worker = worker == NGX_HTTP_LONGPOLL_NO_WORKER
                    ? 0 : ngx_http_longpoll_zone_bit(worker);

    cat.name = z->presence;
    cat.hash[0] = z->sh->presence.hash[0];
    cat.hash[1] = z->sh->presence.hash[1];
    cat.slot = NGX_HTTP_LONGPOLL_CAT_NONE;

    steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

    ngx_http_longpoll_zone_lock(z);

    rc = z->sh->moved ? NGX_DECLINED
                      : ngx_http_longpoll_zone_land(z, now, &steps);

    if (rc == NGX_OK) {
        rc = ngx_http_longpoll_zone_walk(z, &steps);
    }

    if (rc == NGX_OK) {
        ngx_http_longpoll_zone_collect(z, &cat, &flight);
    }

    ngx_http_longpoll_zone_unlock(z);

    if (rc == NGX_BUSY) {
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (flight.n == 0) {
        return NGX_DONE;
    }

    rc = ngx_http_longpoll_zone_publish_flight(z, &cat, &flight, now, wake);

    switch (rc) {

    case NGX_OK:
    case NGX_AGAIN:
        return rc;

    case NGX_DONE: /* another process was faster */
        return NGX_OK;

    default:
        return NGX_DECLINED;
    }
}


/*
 * NGX_OK: nothing is on its way; NGX_AGAIN: the flight is not decided yet;
 * NGX_DECLINED: it was refused, and is over; NGX_BUSY
 */

static ngx_int_t
ngx_http_longpoll_zone_land(ngx_http_longpoll_zone_t *z, uint64_t now,
    ngx_uint_t *steps)
{
    ngx_int_t                         rc;
    ngx_http_longpoll_journal_sh_t   *j;
    ngx_http_longpoll_presence_sh_t  *presence;

    presence = &z->sh->presence;
    j = &z->sh->journal;

    if (presence->flying == 0) {
        return NGX_OK;
    }

    rc = ngx_http_longpoll_zone_disk_decided(z, presence->flight_id,
                                             presence->failed);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        ngx_http_longpoll_put(presence->flying, 0);
        return NGX_DECLINED;
    }

    if (presence->flying == NGX_HTTP_LONGPOLL_FLYING_RESET) {
        /* flying comes last: until then the same is done once more */

        ngx_http_longpoll_put(presence->walk, 1);
        ngx_http_longpoll_put(presence->reset, 0);
        ngx_http_longpoll_put(presence->flying, 0);

        return NGX_OK;
    }

    while (presence->flying) {

        if (*steps == 0) {
            return NGX_BUSY;
        }

        (*steps)--;

        ngx_http_longpoll_presence_reported(&z->present, now);
        ngx_http_longpoll_set(j, presence->flying, presence->flying - 1);
        ngx_http_longpoll_done(j);
    }

    return NGX_OK;
}


/* NGX_OK: no walk is under way any more; NGX_BUSY */

static ngx_int_t
ngx_http_longpoll_zone_walk(ngx_http_longpoll_zone_t *z, ngx_uint_t *steps)
{
    ngx_http_longpoll_presence_sh_t  *presence;

    presence = &z->sh->presence;

    while (presence->walk) {

        if (presence->walk > z->present.sh->fresh) {
            ngx_http_longpoll_put(presence->walk, 0);
            break;
        }

        if (*steps == 0) {
            return NGX_BUSY;
        }

        (*steps)--;

        /* killed in between: the unit is done again, which changes nothing */

        ngx_http_longpoll_presence_reset(&z->present,
                                         &z->present.units[presence->walk - 1]);
        ngx_http_longpoll_put(presence->walk, presence->walk + 1);
    }

    return NGX_OK;
}


static void
ngx_http_longpoll_zone_collect(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_zone_flight_t *flight)
{
    u_char                             *p, *last, *end;
    uint32_t                            n;
    uint64_t                            need;
    ngx_str_t                           name;
    ngx_http_longpoll_msg_t            *msg;
    ngx_http_longpoll_presence_unit_t  *unit;

    flight->flights = z->sh->presence.flights;
    flight->flying = NGX_HTTP_LONGPOLL_FLYING_RESET;

    if (z->sh->presence.reset) {
        flight->msgs[0].cat = 0;
        flight->msgs[0].data = ngx_http_longpoll_zone_reset;
        flight->n = 1;

        return;
    }

    need = 0;
    p = ngx_http_longpoll_zone_flight_buffer.text;
    last = p + NGX_HTTP_LONGPOLL_ZONE_FLIGHT_TEXT;

    n = z->present.sh->queues[NGX_HTTP_LONGPOLL_PRESENCE_DUE].oldest;

    while (n && flight->n < NGX_HTTP_LONGPOLL_ZONE_FLIGHT && p <= last
           && need <= z->size / 16)
    {
        msg = &flight->msgs[flight->n++];
        msg->cat = 0;
        msg->data.data = p;

        ngx_http_longpoll_presence_assert(&z->present, n);
        unit = ngx_http_longpoll_presence_at(&z->present, n);

        name.data = ngx_http_longpoll_zone_flight_buffer.name;
        end = ngx_http_longpoll_presence_name(&z->present, unit, name.data);
        name.len = end - name.data;

        p = ngx_http_longpoll_zone_presence_text(p, &name,
                           unit->state == NGX_HTTP_LONGPOLL_PRESENCE_ARRIVED);
        msg->data.len = p - msg->data.data;

        need += ngx_http_longpoll_zone_msg_need(cat, msg, 0);
        n = unit->u.entry.newer;
    }

    flight->flying = flight->n;
}


/* {"category":"user:ann","present":true} */

static u_char *
ngx_http_longpoll_zone_presence_text(u_char *p, ngx_str_t *name,
    ngx_uint_t present)
{
    p = ngx_cpymem(p, "{\"category\":\"", sizeof("{\"category\":\"") - 1);
    p = ngx_http_longpoll_escape(p, name,
                                  ngx_http_longpoll_escape_name_len(name));

    if (present) {
        return ngx_cpymem(p, "\",\"present\":true}",
                          sizeof("\",\"present\":true}") - 1);
    }

    return ngx_cpymem(p, "\",\"present\":false}",
                      sizeof("\",\"present\":false}") - 1);
}


/*
 * The entries keep their states, and DUE and GRACE their order.  The waiters of
 * old's workers are not here: their categories have waiters in old workers
 * until these have left (back).
 */

void
ngx_http_longpoll_zone_presence_adopt(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, uint64_t now, uint64_t back)
{
    uint32_t                            n;
    ngx_int_t                           rc;
    ngx_uint_t                          i, steps;
    ngx_http_longpoll_presence_unit_t  *unit;

    if (!ngx_http_longpoll_zone_has_presence(z)) {
        return;
    }

    ngx_http_longpoll_zone_presence_init(z);

    /* what is not visible in the frozen zone is refused */

    do {
        steps = NGX_HTTP_LONGPOLL_ZONE_STEPS;

        ngx_http_longpoll_zone_lock(old);
        rc = ngx_http_longpoll_zone_land(old, now, &steps);
        ngx_http_longpoll_zone_unlock(old);

    } while (rc == NGX_BUSY);

    /* from here on old's table does not change */

    rc = NGX_OK;

    for (i = 0; i < NGX_HTTP_LONGPOLL_PRESENCE_QUEUES; i++) {

        for (n = old->present.sh->queues[i].oldest; n; n = unit->u.entry.newer)
        {
            unit = ngx_http_longpoll_presence_at(&old->present, n);

            if (ngx_http_longpoll_zone_presence_copy(z, old, unit) != NGX_OK) {
                rc = NGX_DECLINED;
            }
        }
    }

    for (n = 0; n < old->present.sh->fresh; n++) {
        unit = &old->present.units[n];

        if (unit->state == NGX_HTTP_LONGPOLL_PRESENCE_PRESENT
            && !ngx_http_longpoll_presence_is_idle(unit)
            && ngx_http_longpoll_zone_presence_copy(z, old, unit) != NGX_OK)
        {
            rc = NGX_DECLINED;
        }
    }

    /* of an entry without room here no event would ever say that it left */

    z->sh->presence.reset = (rc != NGX_OK || old->sh->presence.reset);
    z->sh->presence.walk = (old->sh->presence.walk != 0);
    z->sh->presence.back = ngx_max(back, old->sh->presence.back);
    z->sh->presence.logged = old->sh->presence.logged;
}


static ngx_int_t
ngx_http_longpoll_zone_presence_copy(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old, ngx_http_longpoll_presence_unit_t *unit)
{
    u_char                   *end;
    ngx_http_longpoll_cat_t   cat;

    cat.name.data = ngx_http_longpoll_zone_flight_buffer.name;
    end = ngx_http_longpoll_presence_name(&old->present, unit, cat.name.data);
    cat.name.len = end - cat.name.data;
    cat.hash[0] = unit->u.entry.hash[0];
    cat.hash[1] = unit->u.entry.hash[1];

    return ngx_http_longpoll_presence_copy(&z->present, &cat, unit);
}
