
/*
 * ngx_http_longpoll_status.c: the figures of the zones, for operators.
 *
 *   GET /status             the figures of the zones
 *   GET /status?category=x  JSON: and those of one category in each zone
 *   GET /status?list        JSON: the categories of the zone, a page of them
 *                           (ngx_http_longpoll_list.c)
 *
 * Only the workers know how many polls wait for a category.  So the request
 * asks them, and reads their answers every ms, for a second at most: see
 * zone_question.  A worker that does not answer in that time is left out.
 */


#include "ngx_http_longpoll_status.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_discard.h"
#include "ngx_http_longpoll_figures.h"
#include "ngx_http_longpoll_hash.h"
#include "ngx_http_longpoll_list.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_query.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_question.h"


#define NGX_HTTP_LONGPOLL_STATUS_INTERVAL  1        /* ms */
#define NGX_HTTP_LONGPOLL_STATUS_PATIENCE  1000     /* ms */


typedef struct {
    ngx_http_request_t              *request;
    ngx_array_t                      zones;     /* of figures_t */

    ngx_http_longpoll_list_t        *list;      /* NULL: no list is asked for */

    /* with ?category= or ?list: the workers are asked how many polls wait */
    ngx_msec_t                       start;
    ngx_event_t                      timer;
} ngx_http_longpoll_status_t;


static ngx_int_t ngx_http_longpoll_status_category(ngx_http_request_t *r,
    ngx_str_t *category, ngx_str_t *error);
static ngx_int_t ngx_http_longpoll_status_zones(ngx_http_request_t *r,
    ngx_array_t *zones, ngx_str_t *category);
static ngx_int_t ngx_http_longpoll_status_wait(ngx_http_longpoll_status_t *st);
static void ngx_http_longpoll_status_cleanup(void *data);
static void ngx_http_longpoll_status_timer_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_longpoll_status_ask(
    ngx_http_longpoll_status_t *st);
static ngx_int_t ngx_http_longpoll_status_answer(
    ngx_http_longpoll_status_t *st, ngx_uint_t patient);
static ngx_int_t ngx_http_longpoll_status_send(ngx_http_request_t *r,
    ngx_array_t *zones);


static ngx_str_t  ngx_http_longpoll_status_allow =
    ngx_string("GET, HEAD, OPTIONS");

static ngx_str_t  ngx_http_longpoll_status_method =
    ngx_string("Invalid HTTP Method. Only GET allowed.");

static ngx_str_t  ngx_http_longpoll_status_text =
    ngx_string("text/plain; version=0.0.4; charset=utf-8");


ngx_int_t
ngx_http_longpoll_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_str_t                    category, error;
    ngx_http_longpoll_status_t  *st;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_longpoll_response_method(r,
                                              &ngx_http_longpoll_status_allow,
                                              &ngx_http_longpoll_status_method);
    }

    rc = ngx_http_longpoll_discard(r);
    if (rc != NGX_OK) {
        return rc;
    }

    st = ngx_pcalloc(r->pool, sizeof(ngx_http_longpoll_status_t));
    if (st == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_null(&category);

    rc = ngx_http_longpoll_list_read(r, &st->list, &error);

    if (rc == NGX_OK && st->list == NULL) {
        rc = ngx_http_longpoll_status_category(r, &category, &error);
    }

    switch (rc) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return ngx_http_longpoll_response_error(r, NGX_HTTP_BAD_REQUEST,
                                                &error);

    default: /* NGX_ERROR */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_longpoll_status_zones(r, &st->zones, &category) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (category.len == 0 && st->list == NULL) {
        return ngx_http_longpoll_status_send(r, &st->zones);
    }

    st->request = r;

    return ngx_http_longpoll_status_wait(st);
}


/*
 * NGX_OK        *category: the name asked for, or as it was: only the zones'
 *               figures
 * NGX_DECLINED  it is invalid: *error
 * NGX_ERROR     no memory
 */

static ngx_int_t
ngx_http_longpoll_status_category(ngx_http_request_t *r, ngx_str_t *category,
    ngx_str_t *error)
{
    u_char                        *buf;
    ngx_int_t                      rc;
    ngx_str_t                      name;
    ngx_uint_t                     n;
    ngx_http_longpoll_cat_t       *cats;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    if (llcf->status_format != NGX_HTTP_LONGPOLL_STATUS_JSON) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_category_buffer(r, &buf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_set(&name, "category");
    ngx_http_longpoll_query_value(&r->args, buf, &name, category);

    if (category->len == 0) {
        return NGX_OK;
    }

    rc = ngx_http_longpoll_category_args(r, NULL, &cats, &n, error);

    if (rc == NGX_OK) {
        *category = cats[0].name;
    }

    return rc == NGX_ABORT ? NGX_DECLINED : rc;
}


/* the zones of the location, with their figures, but for counted polls */

static ngx_int_t
ngx_http_longpoll_status_zones(ngx_http_request_t *r, ngx_array_t *zones,
    ngx_str_t *category)
{
    uint64_t                        alive;
    ngx_uint_t                      i;
    ngx_http_longpoll_figures_t    *zone;
    ngx_http_longpoll_loc_conf_t   *llcf;
    ngx_http_longpoll_reference_t  *ref;
    ngx_http_longpoll_main_conf_t  *lmcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);
    lmcf = ngx_http_get_module_main_conf(r, ngx_http_longpoll_module);

    if (ngx_array_init(zones, r->pool, ngx_max(lmcf->references.nelts, 1),
                       sizeof(ngx_http_longpoll_figures_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    alive = ngx_http_longpoll_notify_alive();
    ref = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {

        if (llcf->status_zone && llcf->status_zone != ref[i].zone) {
            continue;
        }

        zone = ngx_array_push(zones);
        if (zone == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(zone, sizeof(ngx_http_longpoll_figures_t));

        zone->zone = ref[i].zone;
        ngx_http_longpoll_zone_status(zone->zone, alive, &zone->status);

        if (zone->zone->persist.len) {
            ngx_http_longpoll_zone_status_disk(zone->zone,
                               ngx_http_longpoll_zone_clock_now(zone->zone),
                               &zone->disk);
        }

        if (zone->zone->cluster) {
            ngx_http_longpoll_zone_status_feed(zone->zone, alive,
                               ngx_http_longpoll_zone_clock_now(zone->zone),
                               &zone->feed);
        }

        if (category->len) {
            zone->cat.name = *category;
            ngx_http_longpoll_category_hash(zone->zone, &zone->cat, 1);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_status_wait(ngx_http_longpoll_status_t *st)
{
    ngx_http_cleanup_t  *cln;
    ngx_http_request_t  *r;

    r = st->request;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_longpoll_status_cleanup;
    cln->data = st;

    st->start = ngx_current_msec;
    st->timer.handler = ngx_http_longpoll_status_timer_handler;
    st->timer.data = st;
    st->timer.log = r->connection->log;

    r->main->count++;

    ngx_add_timer(&st->timer, NGX_HTTP_LONGPOLL_STATUS_INTERVAL);

    (void) ngx_http_longpoll_status_ask(st);

    return NGX_DONE;
}


static void
ngx_http_longpoll_status_cleanup(void *data)
{
    ngx_http_longpoll_status_t *st = data;

    if (st->timer.timer_set) {
        ngx_del_timer(&st->timer);
    }
}


static void
ngx_http_longpoll_status_timer_handler(ngx_event_t *ev)
{
    ngx_int_t                    rc;
    ngx_uint_t                   patient;
    ngx_connection_t            *c;
    ngx_http_request_t          *r;
    ngx_http_longpoll_status_t  *st;

    st = ev->data;
    r = st->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    patient = (ngx_current_msec - st->start
               < NGX_HTTP_LONGPOLL_STATUS_PATIENCE);

    rc = NGX_AGAIN;

    if (ngx_http_longpoll_status_ask(st) || !patient) {
        rc = ngx_http_longpoll_status_answer(st, patient);
    }

    if (rc == NGX_AGAIN) {
        ngx_add_timer(ev, NGX_HTTP_LONGPOLL_STATUS_INTERVAL);
        return;
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/* NGX_AGAIN, if it is patient: the workers are to be asked anew */

static ngx_int_t
ngx_http_longpoll_status_answer(ngx_http_longpoll_status_t *st,
    ngx_uint_t patient)
{
    uint64_t                      now;
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_longpoll_figures_t  *zone;

    zone = st->zones.elts;

    if (st->list) {
        rc = ngx_http_longpoll_list_send(st->request, st->list,
                                         zone->question,
                                         ngx_http_longpoll_notify_alive(),
                                         patient);
        if (rc == NGX_AGAIN) {
            zone->question = 0;
            zone->counted = 0;
        }

        return rc;
    }

    for (i = 0; i < st->zones.nelts; i++) {
        now = ngx_http_longpoll_zone_clock_now(zone[i].zone);

        ngx_http_longpoll_zone_status_category(zone[i].zone, &zone[i].cat, now,
                                               &zone[i].category);
    }

    return ngx_http_longpoll_status_send(st->request, &st->zones);
}


/* asks the workers, or reads their answers; 1: all zones have all of them */

static ngx_uint_t
ngx_http_longpoll_status_ask(ngx_http_longpoll_status_t *st)
{
    uint64_t                      now, alive, from, upto;
    ngx_int_t                     rc;
    ngx_uint_t                    i, complete;
    ngx_http_longpoll_figures_t  *zone;

    complete = 1;
    alive = ngx_http_longpoll_notify_alive();
    zone = st->zones.elts;

    for (i = 0; i < st->zones.nelts; i++) {

        if (zone[i].counted) {
            continue;
        }

        now = ngx_http_longpoll_zone_clock_now(zone[i].zone);
        from = ngx_http_longpoll_hash_place(zone[i].cat.hash[1]);
        upto = from;

        if (st->list) {
            from = st->list->page.from;
            upto = (uint64_t) -1;
        }

        rc = ngx_http_longpoll_zone_question_count(zone[i].zone, from, upto,
                                              alive, now, &zone[i].question,
                                              &zone[i].waiting);
        if (rc == NGX_OK) {
            zone[i].counted = 1;
            continue;
        }

        if (rc == NGX_DONE) {
            ngx_http_longpoll_notify_wake(alive);
        }

        complete = 0;
    }

    return complete;
}


static ngx_int_t
ngx_http_longpoll_status_send(ngx_http_request_t *r, ngx_array_t *zones)
{
    ngx_str_t                      body;
    ngx_http_longpoll_loc_conf_t  *llcf;

    body.data = ngx_pnalloc(r->pool, ngx_http_longpoll_figures_len(zones));
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    if (llcf->status_format == NGX_HTTP_LONGPOLL_STATUS_PROMETHEUS) {
        body.len = ngx_http_longpoll_figures_prometheus(body.data, zones)
                   - body.data;

        return ngx_http_longpoll_response_typed(r,
                                               &ngx_http_longpoll_status_text,
                                               &body);
    }

    body.len = ngx_http_longpoll_figures_json(body.data, zones) - body.data;

    return ngx_http_longpoll_response_json(r, NGX_HTTP_OK, &body);
}
