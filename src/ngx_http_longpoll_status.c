
/*
 * ngx_http_longpoll_status.c: what operators see, as JSON or for Prometheus.
 *
 * One table says what there is: a gauge or a counter, where it stands in the
 * zone's status, its name in both formats (CONTRACT, section 7).  The JSON has
 * the table's order.  The Prometheus text is version 0.0.4: counters end in
 * _total, a metric's zones stand together under its HELP and TYPE.
 *
 * Zone names need no escaping: the configuration refuses those that would.
 */


#include "ngx_http_longpoll_status.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_zone.h"


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
    ngx_http_longpoll_zone_t         *zone;
    ngx_http_longpoll_zone_status_t   status;
} ngx_http_longpoll_status_zone_t;


static ngx_int_t ngx_http_longpoll_status_zones(ngx_http_request_t *r,
    ngx_array_t *zones);
static uint64_t ngx_http_longpoll_status_value(
    ngx_http_longpoll_status_zone_t *zone,
    ngx_http_longpoll_status_item_t *item);
static u_char *ngx_http_longpoll_status_json(u_char *p, ngx_array_t *zones);
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
    size_t                            len;
    ngx_int_t                         rc;
    ngx_str_t                         body;
    ngx_uint_t                        i;
    ngx_array_t                       zones;
    ngx_http_longpoll_loc_conf_t     *llcf;
    ngx_http_longpoll_status_zone_t  *zone;
    ngx_http_longpoll_status_item_t  *item;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_longpoll_response_method(r,
                                              &ngx_http_longpoll_status_allow,
                                              &ngx_http_longpoll_status_method);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_longpoll_status_zones(r, &zones) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* an upper bound for both formats */

    len = sizeof("{\"version\":\"\",\"zones\":{}}")
          + sizeof(NGX_HTTP_LONGPOLL_VERSION);
    zone = zones.elts;

    for (item = ngx_http_longpoll_status_items; item->json; item++) {
        len += sizeof("# HELP  \n# TYPE  \n") + 2 * ngx_strlen(item->metric)
               + ngx_strlen(item->type) + ngx_strlen(item->help);

        for (i = 0; i < zones.nelts; i++) {
            len += zone[i].zone->name.len + ngx_strlen(item->metric)
                   + sizeof("{zone=\"\"} \n") + NGX_INT64_LEN + 8;
        }
    }

    body.data = ngx_pnalloc(r->pool, len);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    if (llcf->status_format == NGX_HTTP_LONGPOLL_STATUS_PROMETHEUS) {
        body.len = ngx_http_longpoll_status_prometheus(body.data, &zones)
                   - body.data;

        return ngx_http_longpoll_response_text(r,
                                               &ngx_http_longpoll_status_text,
                                               &body);
    }

    body.len = ngx_http_longpoll_status_json(body.data, &zones) - body.data;

    return ngx_http_longpoll_response_json(r, NGX_HTTP_OK, &body);
}


static ngx_int_t
ngx_http_longpoll_status_zones(ngx_http_request_t *r, ngx_array_t *zones)
{
    uint64_t                          alive;
    ngx_uint_t                        i;
    ngx_http_longpoll_mention_t      *mention;
    ngx_http_longpoll_loc_conf_t     *llcf;
    ngx_http_longpoll_main_conf_t    *lmcf;
    ngx_http_longpoll_status_zone_t  *zone;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);
    lmcf = ngx_http_get_module_main_conf(r, ngx_http_longpoll_module);

    if (ngx_array_init(zones, r->pool, ngx_max(lmcf->mentions.nelts, 1),
                       sizeof(ngx_http_longpoll_status_zone_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    alive = ngx_http_longpoll_notify_alive();
    mention = lmcf->mentions.elts;

    for (i = 0; i < lmcf->mentions.nelts; i++) {

        if (llcf->status_zone && llcf->status_zone != mention[i].zone) {
            continue;
        }

        zone = ngx_array_push(zones);
        if (zone == NULL) {
            return NGX_ERROR;
        }

        zone->zone = mention[i].zone;
        ngx_http_longpoll_zone_status(zone->zone, alive, &zone->status);
    }

    return NGX_OK;
}


static uint64_t
ngx_http_longpoll_status_value(ngx_http_longpoll_status_zone_t *zone,
    ngx_http_longpoll_status_item_t *item)
{
    return *(uint64_t *) ((u_char *) &zone->status + item->offset);
}


static u_char *
ngx_http_longpoll_status_json(u_char *p, ngx_array_t *zones)
{
    ngx_uint_t                        i;
    ngx_http_longpoll_status_zone_t  *zone;
    ngx_http_longpoll_status_item_t  *item;

    zone = zones->elts;

    p = ngx_sprintf(p, "{\"version\":\"%s\",\"zones\":{",
                    NGX_HTTP_LONGPOLL_VERSION);

    for (i = 0; i < zones->nelts; i++) {
        p = ngx_sprintf(p, "%s\"%V\":{", i ? "," : "", &zone[i].zone->name);

        for (item = ngx_http_longpoll_status_items; item->json; item++) {
            p = ngx_sprintf(p, "%s\"%s\":%uL",
                            item == ngx_http_longpoll_status_items ? "" : ",",
                            item->json,
                            ngx_http_longpoll_status_value(&zone[i], item));
        }

        *p++ = '}';
    }

    *p++ = '}';
    *p++ = '}';

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
