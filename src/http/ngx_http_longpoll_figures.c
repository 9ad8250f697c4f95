
/*
 * ngx_http_longpoll_figures.c: a zone's figures, as JSON or for Prometheus.
 *
 * A figure is a row of the table below: its name in both formats, whether it is
 * a gauge or a counter, and which word of the zone's status it is.  To add one,
 * add the row, and its line to the tables of docs/operations.md, Monitoring.
 *
 * JSON has the figures in the table's order.  The Prometheus text is version
 * 0.0.4: the name of a counter ends in _total, and the lines of a metric stand
 * together, one for each zone, under its HELP and TYPE.
 *
 * Names of zones are not escaped: the configuration refuses one that would have
 * to be.
 */


#include "ngx_http_longpoll_figures.h"
#include "ngx_http_longpoll_golongpoll.h"
#include "ngx_http_longpoll_id.h"


#define ngx_http_longpoll_figures_gauge(name)                                 \
    offsetof(ngx_http_longpoll_zone_status_t, name)
#define ngx_http_longpoll_figures_counter(name)                               \
    offsetof(ngx_http_longpoll_zone_status_t, counters)                       \
    + offsetof(ngx_http_longpoll_counters_t, name)


typedef struct {
    const char                       *json;
    const char                       *metric;
    const char                       *type;
    const char                       *help;
    size_t                            offset;   /* of a uint64_t */
} ngx_http_longpoll_figure_t;


static uint64_t ngx_http_longpoll_figures_value(
    ngx_http_longpoll_figures_t *zone, ngx_http_longpoll_figure_t *figure);
static u_char *ngx_http_longpoll_figures_json_category(u_char *p,
    ngx_http_longpoll_figures_t *zone);
static u_char *ngx_http_longpoll_figures_json_id(u_char *p, const char *key,
    const ngx_http_longpoll_uuid_t *uuid);


static ngx_http_longpoll_figure_t  ngx_http_longpoll_figures_table[] = {

    { "size", "longpoll_size_bytes", "gauge",
      "Size of the zone.",
      ngx_http_longpoll_figures_gauge(size) },

    { "used", "longpoll_used_bytes", "gauge",
      "What a new event could not have without evicting a live one.",
      ngx_http_longpoll_figures_gauge(used) },

    { "categories", "longpoll_categories", "gauge",
      "Categories with an event or a parked poll.",
      ngx_http_longpoll_figures_gauge(categories) },

    { "events", "longpoll_events", "gauge",
      "Events stored.",
      ngx_http_longpoll_figures_gauge(events) },

    { "waiting", "longpoll_waiting", "gauge",
      "Parked polls.",
      ngx_http_longpoll_figures_gauge(waiting) },

    { "published", "longpoll_published_total", "counter",
      "Events published.",
      ngx_http_longpoll_figures_counter(published) },

    { "delivered", "longpoll_delivered_total", "counter",
      "Events delivered, once for each poll.",
      ngx_http_longpoll_figures_counter(delivered) },

    { "timeouts", "longpoll_timeouts_total", "counter",
      "Time-out answers.",
      ngx_http_longpoll_figures_counter(timeouts) },

    { "missed", "longpoll_missed_total", "counter",
      "Answers that told a client it missed something.",
      ngx_http_longpoll_figures_counter(missed) },

    { "evicted", "longpoll_evicted_total", "counter",
      "Live events dropped for room.",
      ngx_http_longpoll_figures_counter(evicted) },

    { "expired", "longpoll_expired_total", "counter",
      "Events dropped by ttl or inactive.",
      ngx_http_longpoll_figures_counter(expired) },

    { "refused", "longpoll_refused_total", "counter",
      "Publishes refused.",
      ngx_http_longpoll_figures_counter(refused) },

    { "disconnected", "longpoll_disconnected_total", "counter",
      "Parked polls whose clients went away.",
      ngx_http_longpoll_figures_counter(disconnected) },

    { NULL, NULL, NULL, NULL, 0 }
};


size_t
ngx_http_longpoll_figures_len(ngx_array_t *zones)
{
    size_t                        len;
    ngx_uint_t                    i;
    ngx_http_longpoll_figure_t   *figure;
    ngx_http_longpoll_figures_t  *zone;

    len = sizeof("{\"version\":\"\",\"zones\":{}}")
          + sizeof(NGX_HTTP_LONGPOLL_VERSION);
    zone = zones->elts;

    for (figure = ngx_http_longpoll_figures_table; figure->json; figure++) {
        len += sizeof("# HELP  \n# TYPE  \n") + 2 * ngx_strlen(figure->metric)
               + ngx_strlen(figure->type) + ngx_strlen(figure->help);

        for (i = 0; i < zones->nelts; i++) {
            len += zone[i].zone->name.len + ngx_strlen(figure->metric)
                   + sizeof("{zone=\"\"} \n") + NGX_INT64_LEN + 8;
        }
    }

    for (i = 0; i < zones->nelts; i++) {

        if (zone[i].cat.name.len == 0) {
            continue;
        }

        len += sizeof(",\"category\":{\"name\":\"\",\"events\":,\"waiting\":,"
                      "\"first_id\":\"\",\"last_id\":\"\"}")
               + ngx_http_longpoll_golongpoll_name_len(&zone[i].cat.name)
               + 2 * NGX_INT64_LEN + 2 * NGX_HTTP_LONGPOLL_ID_LEN;
    }

    return len;
}


u_char *
ngx_http_longpoll_figures_json(u_char *p, ngx_array_t *zones)
{
    ngx_uint_t                    i;
    ngx_http_longpoll_figure_t   *figure;
    ngx_http_longpoll_figures_t  *zone;

    zone = zones->elts;

    p = ngx_sprintf(p, "{\"version\":\"%s\",\"zones\":{",
                    NGX_HTTP_LONGPOLL_VERSION);

    for (i = 0; i < zones->nelts; i++) {
        p = ngx_sprintf(p, "%s\"%V\":{", i ? "," : "", &zone[i].zone->name);

        for (figure = ngx_http_longpoll_figures_table;
             figure->json;
             figure++)
        {
            p = ngx_sprintf(p, "%s\"%s\":%uL",
                            figure == ngx_http_longpoll_figures_table ? ""
                                                                      : ",",
                            figure->json,
                            ngx_http_longpoll_figures_value(&zone[i], figure));
        }

        if (zone[i].cat.name.len) {
            p = ngx_http_longpoll_figures_json_category(p, &zone[i]);
        }

        *p++ = '}';
    }

    *p++ = '}';
    *p++ = '}';

    return p;
}


static u_char *
ngx_http_longpoll_figures_json_category(u_char *p,
    ngx_http_longpoll_figures_t *zone)
{
    p = ngx_cpymem(p, ",\"category\":{\"name\":\"",
                   sizeof(",\"category\":{\"name\":\"") - 1);
    p = ngx_http_longpoll_golongpoll_name(p, &zone->cat.name);
    p = ngx_sprintf(p, "\",\"events\":%uL,\"waiting\":%uL",
                    zone->category.events, zone->waiting);
    p = ngx_http_longpoll_figures_json_id(p, "first_id", &zone->category.first);
    p = ngx_http_longpoll_figures_json_id(p, "last_id", &zone->category.last);
    *p++ = '}';

    return p;
}


static u_char *
ngx_http_longpoll_figures_json_id(u_char *p, const char *key,
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


u_char *
ngx_http_longpoll_figures_prometheus(u_char *p, ngx_array_t *zones)
{
    ngx_uint_t                    i;
    ngx_http_longpoll_figure_t   *figure;
    ngx_http_longpoll_figures_t  *zone;

    zone = zones->elts;

    for (figure = ngx_http_longpoll_figures_table; figure->json; figure++) {
        p = ngx_sprintf(p, "# HELP %s %s\n# TYPE %s %s\n", figure->metric,
                        figure->help, figure->metric, figure->type);

        for (i = 0; i < zones->nelts; i++) {
            p = ngx_sprintf(p, "%s{zone=\"%V\"} %uL\n", figure->metric,
                            &zone[i].zone->name,
                            ngx_http_longpoll_figures_value(&zone[i], figure));
        }
    }

    return p;
}


static uint64_t
ngx_http_longpoll_figures_value(ngx_http_longpoll_figures_t *zone,
    ngx_http_longpoll_figure_t *figure)
{
    return *(uint64_t *) ((u_char *) &zone->status + figure->offset);
}
