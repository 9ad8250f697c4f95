
/*
 * ngx_http_longpoll_status.c: what operators see, as JSON or for Prometheus.
 *
 * One table says what there is: a gauge or a counter, where it stands in the
 * zone's status, its name in both formats (docs/protocol.md, Status).  The JSON
 * has the table's order.  The Prometheus text is version 0.0.4: counters end in
 * _total, a metric's zones stand together under its HELP and TYPE.
 *
 * Zone names need no escaping: the configuration refuses those that would.
 *
 * With ?category= the JSON also has that category's figures in each zone.  How
 * many polls wait for it only the workers know; so the request asks them, and
 * looks every ms until they have answered, for a second at most.
 */


#include "ngx_http_longpoll_status.h"
#include "ngx_http_longpoll_id.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_query.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_golongpoll.h"
#include "ngx_http_longpoll_zone.h"
#include "ngx_http_longpoll_zone_status.h"


#define NGX_HTTP_LONGPOLL_STATUS_RETRY      1        /* ms */
#define NGX_HTTP_LONGPOLL_STATUS_PATIENCE  1000


#define ngx_http_longpoll_status_gauge(name)                                  \
    offsetof(ngx_http_longpoll_zone_status_t, name)
#define ngx_http_longpoll_status_counter(name)                                \
    offsetof(ngx_http_longpoll_zone_status_t, counters)                       \
    + offsetof(ngx_http_longpoll_counters_t, name)


typedef struct {
    const char                       *json;
    const char                       *metric;
    const char                       *type;
    const char                       *help;
    size_t                            offset;   /* of a word */
} ngx_http_longpoll_status_item_t;


typedef struct {
    ngx_http_longpoll_zone_t             *zone;
    ngx_http_longpoll_zone_status_t       status;

    /* of a category */
    ngx_http_longpoll_cat_t               cat;
    uint64_t                              question; /* 0: to be asked */
    ngx_uint_t                            counted;
    uint64_t                              waiting;
    ngx_http_longpoll_category_status_t   category;
} ngx_http_longpoll_status_zone_t;


/* a request for the status */

typedef struct {
    ngx_http_request_t                   *request;
    ngx_array_t                           zones;
    ngx_str_t                             category; /* len 0: none */
    ngx_msec_t                            start;
    ngx_event_t                           check;
} ngx_http_longpoll_status_t;


static ngx_int_t ngx_http_longpoll_status_category(ngx_http_request_t *r,
    ngx_http_longpoll_status_t *st);
static ngx_int_t ngx_http_longpoll_status_zones(ngx_http_request_t *r,
    ngx_array_t *zones);
static ngx_int_t ngx_http_longpoll_status_ask(ngx_http_request_t *r,
    ngx_http_longpoll_status_t *st);
static void ngx_http_longpoll_status_retry_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_longpoll_status_answers(
    ngx_http_longpoll_status_t *st);
static void ngx_http_longpoll_status_cleanup(void *data);
static ngx_int_t ngx_http_longpoll_status_send(ngx_http_request_t *r,
    ngx_http_longpoll_status_t *st);
static size_t ngx_http_longpoll_status_len(ngx_http_longpoll_status_t *st);
static uint64_t ngx_http_longpoll_status_value(
    ngx_http_longpoll_status_zone_t *zone,
    ngx_http_longpoll_status_item_t *item);
static u_char *ngx_http_longpoll_status_json(u_char *p,
    ngx_http_longpoll_status_t *st);
static u_char *ngx_http_longpoll_status_json_category(u_char *p,
    ngx_http_longpoll_status_zone_t *zone);
static u_char *ngx_http_longpoll_status_json_id(u_char *p, const char *key,
    const ngx_http_longpoll_uuid_t *uuid);
static u_char *ngx_http_longpoll_status_prometheus(u_char *p,
    ngx_array_t *zones);


static ngx_http_longpoll_status_item_t  ngx_http_longpoll_status_items[] = {

    { "size", "longpoll_size_bytes", "gauge",
      "Size of the zone.",
      ngx_http_longpoll_status_gauge(size) },

    { "used", "longpoll_used_bytes", "gauge",
      "What a new event could not have without evicting a live one.",
      ngx_http_longpoll_status_gauge(used) },

    { "categories", "longpoll_categories", "gauge",
      "Categories with an event or a parked poll.",
      ngx_http_longpoll_status_gauge(categories) },

    { "events", "longpoll_events", "gauge",
      "Events stored.",
      ngx_http_longpoll_status_gauge(events) },

    { "waiting", "longpoll_waiting", "gauge",
      "Parked polls.",
      ngx_http_longpoll_status_gauge(waiting) },

    { "published", "longpoll_published_total", "counter",
      "Events published.",
      ngx_http_longpoll_status_counter(published) },

    { "delivered", "longpoll_delivered_total", "counter",
      "Events delivered, once for each poll.",
      ngx_http_longpoll_status_counter(delivered) },

    { "timeouts", "longpoll_timeouts_total", "counter",
      "Time-out answers.",
      ngx_http_longpoll_status_counter(timeouts) },

    { "missed", "longpoll_missed_total", "counter",
      "Answers that told a client it missed something.",
      ngx_http_longpoll_status_counter(missed) },

    { "evicted", "longpoll_evicted_total", "counter",
      "Live events dropped for room.",
      ngx_http_longpoll_status_counter(evicted) },

    { "expired", "longpoll_expired_total", "counter",
      "Events dropped by ttl or inactive.",
      ngx_http_longpoll_status_counter(expired) },

    { "refused", "longpoll_refused_total", "counter",
      "Publishes refused.",
      ngx_http_longpoll_status_counter(refused) },

    { "disconnected", "longpoll_disconnected_total", "counter",
      "Parked polls whose clients went away.",
      ngx_http_longpoll_status_counter(disconnected) },

    { NULL, NULL, NULL, NULL, 0 }
};


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
    ngx_http_longpoll_status_t  *st;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_longpoll_response_method(r,
                                              &ngx_http_longpoll_status_allow,
                                              &ngx_http_longpoll_status_method);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    st = ngx_pcalloc(r->pool, sizeof(ngx_http_longpoll_status_t));
    if (st == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_longpoll_status_category(r, st);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    if (ngx_http_longpoll_status_zones(r, &st->zones) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (st->category.len == 0) {
        return ngx_http_longpoll_status_send(r, st);
    }

    return ngx_http_longpoll_status_ask(r, st);
}


/* NGX_OK, NGX_DONE when an error was answered, or what to finalize with */

static ngx_int_t
ngx_http_longpoll_status_category(ngx_http_request_t *r,
    ngx_http_longpoll_status_t *st)
{
    u_char                        *buf;
    ngx_int_t                      rc;
    ngx_str_t                      name, value, error;
    ngx_http_longpoll_cat_t        cats[NGX_HTTP_LONGPOLL_MAX_CATEGORIES];
    ngx_http_longpoll_query_t      q;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    if (llcf->status_format != NGX_HTTP_LONGPOLL_STATUS_JSON
        || r->args.len == 0)
    {
        return NGX_OK;
    }

    buf = ngx_pnalloc(r->pool, r->args.len);
    if (buf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&name, "category");
    ngx_http_longpoll_query_value(&r->args, buf, &name, &value);

    if (value.len == 0) {
        return NGX_OK;
    }

    q.cats = cats;

    if (ngx_http_longpoll_query_categories(&q, &r->args, buf, NULL, &error)
        != NGX_OK)
    {
        rc = ngx_http_longpoll_response_error(r, NGX_HTTP_BAD_REQUEST, &error);

        return rc == NGX_OK ? NGX_DONE : rc;
    }

    st->category = cats[0].name;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_status_zones(ngx_http_request_t *r, ngx_array_t *zones)
{
    uint64_t                          alive;
    ngx_uint_t                        i;
    ngx_http_longpoll_reference_t    *ref;
    ngx_http_longpoll_loc_conf_t     *llcf;
    ngx_http_longpoll_main_conf_t    *lmcf;
    ngx_http_longpoll_status_zone_t  *zone;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);
    lmcf = ngx_http_get_module_main_conf(r, ngx_http_longpoll_module);

    if (ngx_array_init(zones, r->pool, ngx_max(lmcf->references.nelts, 1),
                       sizeof(ngx_http_longpoll_status_zone_t))
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

        ngx_memzero(zone, sizeof(ngx_http_longpoll_status_zone_t));

        zone->zone = ref[i].zone;
        ngx_http_longpoll_zone_status(zone->zone, alive, &zone->status);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_status_ask(ngx_http_request_t *r,
    ngx_http_longpoll_status_t *st)
{
    ngx_uint_t                        i;
    ngx_http_cleanup_t               *cln;
    ngx_http_longpoll_status_zone_t  *zone;

    zone = st->zones.elts;

    for (i = 0; i < st->zones.nelts; i++) {
        zone[i].cat.name = st->category;

        ngx_http_longpoll_zone_name(zone[i].zone, &zone[i].cat);
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_longpoll_status_cleanup;
    cln->data = st;

    st->request = r;
    st->start = ngx_current_msec;
    st->check.handler = ngx_http_longpoll_status_retry_handler;
    st->check.data = st;
    st->check.log = r->connection->log;

    r->main->count++;

    ngx_add_timer(&st->check, NGX_HTTP_LONGPOLL_STATUS_RETRY);

    (void) ngx_http_longpoll_status_answers(st);

    return NGX_DONE;
}


static void
ngx_http_longpoll_status_retry_handler(ngx_event_t *ev)
{
    ngx_uint_t                        i;
    ngx_connection_t                 *c;
    ngx_http_request_t               *r;
    ngx_http_longpoll_status_t       *st;
    ngx_http_longpoll_status_zone_t  *zone;

    st = ev->data;
    r = st->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (!ngx_http_longpoll_status_answers(st)
        && ngx_current_msec - st->start < NGX_HTTP_LONGPOLL_STATUS_PATIENCE)
    {
        ngx_add_timer(ev, NGX_HTTP_LONGPOLL_STATUS_RETRY);
        return;
    }

    zone = st->zones.elts;

    for (i = 0; i < st->zones.nelts; i++) {
        ngx_http_longpoll_zone_category(zone[i].zone, &zone[i].cat,
                                        ngx_http_longpoll_now(),
                                        &zone[i].category);
    }

    ngx_http_finalize_request(r, ngx_http_longpoll_status_send(r, st));
    ngx_http_run_posted_requests(c);
}


/* asks, or looks for answers; returns whether all are there */

static ngx_uint_t
ngx_http_longpoll_status_answers(ngx_http_longpoll_status_t *st)
{
    uint64_t                          alive;
    ngx_int_t                         rc;
    ngx_uint_t                        i, all;
    ngx_http_longpoll_status_zone_t  *zone;

    all = 1;
    alive = ngx_http_longpoll_notify_alive();
    zone = st->zones.elts;

    for (i = 0; i < st->zones.nelts; i++) {

        if (zone[i].counted) {
            continue;
        }

        if (zone[i].question) {
            rc = ngx_http_longpoll_zone_answers(zone[i].zone,
                                                zone[i].question, alive,
                                                &zone[i].waiting);
            if (rc == NGX_OK) {
                zone[i].counted = 1;
                ngx_http_longpoll_zone_settled(zone[i].zone,
                                               zone[i].question);
                continue;
            }

            if (rc == NGX_DECLINED) {
                zone[i].question = 0;
            }
        }

        if (zone[i].question == 0) {
            zone[i].question = ngx_http_longpoll_zone_ask(zone[i].zone,
                                                     &zone[i].cat,
                                                     ngx_http_longpoll_now());
            if (zone[i].question) {
                ngx_http_longpoll_notify_wake(alive);
            }
        }

        all = 0;
    }

    return all;
}


/* answered, or its client gone: others may ask */

static void
ngx_http_longpoll_status_cleanup(void *data)
{
    ngx_http_longpoll_status_t *st = data;

    ngx_uint_t                        i;
    ngx_http_longpoll_status_zone_t  *zone;

    zone = st->zones.elts;

    for (i = 0; i < st->zones.nelts; i++) {

        if (zone[i].question && !zone[i].counted) {
            ngx_http_longpoll_zone_settled(zone[i].zone, zone[i].question);
        }
    }

    if (st->check.timer_set) {
        ngx_del_timer(&st->check);
    }
}


static ngx_int_t
ngx_http_longpoll_status_send(ngx_http_request_t *r,
    ngx_http_longpoll_status_t *st)
{
    ngx_str_t                      body;
    ngx_http_longpoll_loc_conf_t  *llcf;

    body.data = ngx_pnalloc(r->pool, ngx_http_longpoll_status_len(st));
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    if (llcf->status_format == NGX_HTTP_LONGPOLL_STATUS_PROMETHEUS) {
        body.len = ngx_http_longpoll_status_prometheus(body.data, &st->zones)
                   - body.data;

        return ngx_http_longpoll_response_text(r,
                                               &ngx_http_longpoll_status_text,
                                               &body);
    }

    body.len = ngx_http_longpoll_status_json(body.data, st) - body.data;

    return ngx_http_longpoll_response_json(r, NGX_HTTP_OK, &body);
}


/* an upper bound for both formats */

static size_t
ngx_http_longpoll_status_len(ngx_http_longpoll_status_t *st)
{
    size_t                            len;
    ngx_uint_t                        i;
    ngx_http_longpoll_status_zone_t  *zone;
    ngx_http_longpoll_status_item_t  *item;

    len = sizeof("{\"version\":\"\",\"zones\":{}}")
          + sizeof(NGX_HTTP_LONGPOLL_VERSION);
    zone = st->zones.elts;

    for (item = ngx_http_longpoll_status_items; item->json; item++) {
        len += sizeof("# HELP  \n# TYPE  \n") + 2 * ngx_strlen(item->metric)
               + ngx_strlen(item->type) + ngx_strlen(item->help);

        for (i = 0; i < st->zones.nelts; i++) {
            len += zone[i].zone->name.len + ngx_strlen(item->metric)
                   + sizeof("{zone=\"\"} \n") + NGX_INT64_LEN + 8;
        }
    }

    if (st->category.len) {
        len += st->zones.nelts
               * (sizeof(",\"category\":{\"name\":\"\",\"events\":,"
                         "\"waiting\":,\"first_id\":\"\",\"last_id\":\"\"}")
                  + ngx_http_longpoll_golongpoll_name_len(&st->category)
                  + 2 * NGX_INT64_LEN + 2 * NGX_HTTP_LONGPOLL_ID_LEN);
    }

    return len;
}


static uint64_t
ngx_http_longpoll_status_value(ngx_http_longpoll_status_zone_t *zone,
    ngx_http_longpoll_status_item_t *item)
{
    return *(uint64_t *) ((u_char *) &zone->status + item->offset);
}


static u_char *
ngx_http_longpoll_status_json(u_char *p, ngx_http_longpoll_status_t *st)
{
    ngx_uint_t                        i;
    ngx_http_longpoll_status_zone_t  *zone;
    ngx_http_longpoll_status_item_t  *item;

    zone = st->zones.elts;

    p = ngx_sprintf(p, "{\"version\":\"%s\",\"zones\":{",
                    NGX_HTTP_LONGPOLL_VERSION);

    for (i = 0; i < st->zones.nelts; i++) {
        p = ngx_sprintf(p, "%s\"%V\":{", i ? "," : "", &zone[i].zone->name);

        for (item = ngx_http_longpoll_status_items; item->json; item++) {
            p = ngx_sprintf(p, "%s\"%s\":%uL",
                            item == ngx_http_longpoll_status_items ? "" : ",",
                            item->json,
                            ngx_http_longpoll_status_value(&zone[i], item));
        }

        if (st->category.len) {
            p = ngx_http_longpoll_status_json_category(p, &zone[i]);
        }

        *p++ = '}';
    }

    *p++ = '}';
    *p++ = '}';

    return p;
}


static u_char *
ngx_http_longpoll_status_json_category(u_char *p,
    ngx_http_longpoll_status_zone_t *zone)
{
    p = ngx_cpymem(p, ",\"category\":{\"name\":\"",
                   sizeof(",\"category\":{\"name\":\"") - 1);
    p = ngx_http_longpoll_golongpoll_name(p, &zone->cat.name);
    p = ngx_sprintf(p, "\",\"events\":%uL,\"waiting\":%uL",
                    zone->category.events, zone->waiting);
    p = ngx_http_longpoll_status_json_id(p, "first_id", &zone->category.first);
    p = ngx_http_longpoll_status_json_id(p, "last_id", &zone->category.last);
    *p++ = '}';

    return p;
}


static u_char *
ngx_http_longpoll_status_json_id(u_char *p, const char *key,
    const ngx_http_longpoll_uuid_t *uuid)
{
    p = ngx_sprintf(p, ",\"%s\":", key);

    if (uuid->high == 0) {
        return ngx_cpymem(p, "null", 4);
    }

    *p++ = '"';
    p = ngx_http_longpoll_id_print(p, uuid);
    *p++ = '"';

    return p;
}


static u_char *
ngx_http_longpoll_status_prometheus(u_char *p, ngx_array_t *zones)
{
    ngx_uint_t                        i;
    ngx_http_longpoll_status_zone_t  *zone;
    ngx_http_longpoll_status_item_t  *item;

    zone = zones->elts;

    for (item = ngx_http_longpoll_status_items; item->json; item++) {
        p = ngx_sprintf(p, "# HELP %s %s\n# TYPE %s %s\n", item->metric,
                        item->help, item->metric, item->type);

        for (i = 0; i < zones->nelts; i++) {
            p = ngx_sprintf(p, "%s{zone=\"%V\"} %uL\n", item->metric,
                            &zone[i].zone->name,
                            ngx_http_longpoll_status_value(&zone[i], item));
        }
    }

    return p;
}
