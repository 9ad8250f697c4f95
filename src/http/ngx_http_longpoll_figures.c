
/*
 * ngx_http_longpoll_figures.c: a zone's figures, as JSON or for Prometheus.
 *
 * A figure is a row of a table below: its name in both formats, whether it is a
 * gauge or a counter, how it is printed, and which word it is.  To add one, add
 * the row, and its line to the tables of docs/operations.md, Monitoring.  The
 * second table is for zones with a file, the third for zones over Redis; in
 * JSON each is an object, the last.
 *
 * JSON has the figures in the tables' order.  The Prometheus text is version
 * 0.0.4: the name of a counter ends in _total, and the lines of a metric stand
 * together, one for each zone, under its HELP and TYPE.  It begins with
 * longpoll_build_info, which is of no zone.
 *
 * Names of zones are not escaped: the configuration refuses one that would have
 * to be.
 */


#include "ngx_http_longpoll_figures.h"
#include "ngx_http_longpoll_escape.h"
#include "ngx_http_longpoll_id.h"


#define ngx_http_longpoll_figures_gauge(name)                                 \
    NGX_HTTP_LONGPOLL_FIGURES_NUMBER,                                         \
    offsetof(ngx_http_longpoll_figures_t, status.name)
#define ngx_http_longpoll_figures_counter(name)                               \
    NGX_HTTP_LONGPOLL_FIGURES_NUMBER,                                         \
    offsetof(ngx_http_longpoll_figures_t, status.counters.name)
#define ngx_http_longpoll_figures_disk(name)                                  \
    offsetof(ngx_http_longpoll_figures_t, disk.name)
#define ngx_http_longpoll_figures_feed(name)                                  \
    NGX_HTTP_LONGPOLL_FIGURES_NUMBER,                                         \
    offsetof(ngx_http_longpoll_figures_t, feed.name)


/* Prometheus: which module, built for which nginx */

#define NGX_HTTP_LONGPOLL_FIGURES_BUILD                                       \
    "# HELP longpoll_build_info The module, and the nginx it was built for.\n"\
    "# TYPE longpoll_build_info gauge\n"                                      \
    "longpoll_build_info{version=\"" NGX_HTTP_LONGPOLL_VERSION "\","          \
    "nginx=\"" NGINX_VERSION "\"} 1\n"


typedef enum {
    NGX_HTTP_LONGPOLL_FIGURES_NUMBER = 0,
    NGX_HTTP_LONGPOLL_FIGURES_FLAG,             /* Prometheus: 0 or 1 */
    NGX_HTTP_LONGPOLL_FIGURES_MS                /* Prometheus: seconds */
} ngx_http_longpoll_figures_e;


typedef struct {
    const char                       *json;
    const char                       *metric;
    const char                       *type;
    const char                       *help;
    ngx_http_longpoll_figures_e       print;
    size_t                            offset;   /* of a uint64_t */
} ngx_http_longpoll_figure_t;


static size_t ngx_http_longpoll_figures_table_len(ngx_array_t *zones,
    ngx_http_longpoll_figure_t *figure);
static ngx_uint_t ngx_http_longpoll_figures_has(
    ngx_http_longpoll_figures_t *zone, ngx_http_longpoll_figure_t *table);
static u_char *ngx_http_longpoll_figures_json_object(u_char *p,
    ngx_http_longpoll_figures_t *zone, const char *name,
    ngx_http_longpoll_figure_t *table);
static u_char *ngx_http_longpoll_figures_json_table(u_char *p,
    ngx_http_longpoll_figures_t *zone, ngx_http_longpoll_figure_t *table);
static u_char *ngx_http_longpoll_figures_prometheus_table(u_char *p,
    ngx_array_t *zones, ngx_http_longpoll_figure_t *table);
static u_char *ngx_http_longpoll_figures_print(u_char *p,
    ngx_http_longpoll_figures_t *zone, ngx_http_longpoll_figure_t *figure,
    ngx_uint_t json);


static ngx_http_longpoll_figure_t  ngx_http_longpoll_figures_table[] = {

    { "size", "longpoll_size_bytes", "gauge",
      "Size of the zone.",
      ngx_http_longpoll_figures_gauge(size) },

    { "used", "longpoll_used_bytes", "gauge",
      "0 if the zone is empty, its size if the next event evicts one.",
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

    { "trimmed", "longpoll_trimmed_total", "counter",
      "Events dropped as their category had more than buffer.",
      ngx_http_longpoll_figures_counter(trimmed) },

    { "refused", "longpoll_refused_total", "counter",
      "Publishes refused.",
      ngx_http_longpoll_figures_counter(refused) },

    { "disconnected", "longpoll_disconnected_total", "counter",
      "Parked polls whose clients went away.",
      ngx_http_longpoll_figures_counter(disconnected) },

    { NULL, NULL, NULL, NULL, 0, 0 }
};


static ngx_http_longpoll_figure_t  ngx_http_longpoll_figures_disk_table[] = {

    { "ok", "longpoll_disk_ok", "gauge",
      "Whether events are being written to disk.",
      NGX_HTTP_LONGPOLL_FIGURES_FLAG, ngx_http_longpoll_figures_disk(ok) },

    { "lag_ms", "longpoll_disk_lag_seconds", "gauge",
      "Age of the oldest event that is not on disk.",
      NGX_HTTP_LONGPOLL_FIGURES_MS, ngx_http_longpoll_figures_disk(lag) },

    { "failures", "longpoll_disk_failures_total", "counter",
      "Writes to disk that failed.",
      NGX_HTTP_LONGPOLL_FIGURES_NUMBER,
      ngx_http_longpoll_figures_disk(failures) },

    { "bytes", "longpoll_disk_bytes", "gauge",
      "Size of the zone's files.",
      NGX_HTTP_LONGPOLL_FIGURES_NUMBER, ngx_http_longpoll_figures_disk(bytes) },

    { NULL, NULL, NULL, NULL, 0, 0 }
};


static ngx_http_longpoll_figure_t  ngx_http_longpoll_figures_redis_table[] = {

    { "connected", "longpoll_redis_connected", "gauge",
      "Whether events are being read from Redis.",
      ngx_http_longpoll_figures_feed(connected) },

    { "synced", "longpoll_redis_synced", "gauge",
      "Whether the zone has had all events of Redis since it was made.",
      ngx_http_longpoll_figures_feed(synced) },

    { "lag_ms", "longpoll_redis_lag_seconds", "gauge",
      "Age of the newest that was read from Redis.",
      NGX_HTTP_LONGPOLL_FIGURES_MS,
      offsetof(ngx_http_longpoll_figures_t, feed.lag) },

    { "in_flight", "longpoll_redis_in_flight", "gauge",
      "Publishes that wait for Redis.",
      ngx_http_longpoll_figures_feed(in_flight) },

    { "reconnects", "longpoll_redis_reconnects_total", "counter",
      "Connections to Redis that were lost or could not be made.",
      ngx_http_longpoll_figures_feed(reconnects) },

    { "lives", "longpoll_redis_lives_total", "counter",
      "Times that Redis may have lost events.",
      ngx_http_longpoll_figures_feed(lives) },

    { "gaps", "longpoll_redis_gaps_total", "counter",
      "Times that events were dropped in Redis before they were read.",
      ngx_http_longpoll_figures_feed(gaps) },

    { "bad", "longpoll_redis_bad_total", "counter",
      "Entries in Redis that were no events, and were skipped.",
      ngx_http_longpoll_figures_feed(bad) },

    { NULL, NULL, NULL, NULL, 0, 0 }
};


size_t
ngx_http_longpoll_figures_len(ngx_array_t *zones)
{
    size_t                        len;
    ngx_uint_t                    i;
    ngx_http_longpoll_figures_t  *zone;

    len = ngx_max(sizeof("{\"version\":\"\",\"zones\":{}}")
                  + sizeof(NGX_HTTP_LONGPOLL_VERSION),
                  sizeof(NGX_HTTP_LONGPOLL_FIGURES_BUILD))
          + ngx_http_longpoll_figures_table_len(zones,
                                       ngx_http_longpoll_figures_table)
          + ngx_http_longpoll_figures_table_len(zones,
                                       ngx_http_longpoll_figures_disk_table)
          + ngx_http_longpoll_figures_table_len(zones,
                                       ngx_http_longpoll_figures_redis_table);
    zone = zones->elts;

    for (i = 0; i < zones->nelts; i++) {
        len += sizeof(",\"\":{,\"disk\":{},\"redis\":{}}")
               + zone[i].zone->name.len;

        if (zone[i].cat.name.len) {
            len += sizeof(",\"category\":")
                   + ngx_http_longpoll_figures_category_len(&zone[i].cat.name);
        }
    }

    return len;
}


/* a line of Prometheus is longer than what JSON has of a figure */

static size_t
ngx_http_longpoll_figures_table_len(ngx_array_t *zones,
    ngx_http_longpoll_figure_t *figure)
{
    size_t                        len;
    ngx_uint_t                    i;
    ngx_http_longpoll_figures_t  *zone;

    len = 0;
    zone = zones->elts;

    for ( /* void */ ; figure->json; figure++) {
        len += sizeof("# HELP  \n# TYPE  \n") + 2 * ngx_strlen(figure->metric)
               + ngx_strlen(figure->type) + ngx_strlen(figure->help);

        for (i = 0; i < zones->nelts; i++) {
            len += ngx_strlen(figure->metric) + zone[i].zone->name.len
                   + sizeof("{zone=\"\"} .000\n") + NGX_INT64_LEN;
        }
    }

    return len;
}


u_char *
ngx_http_longpoll_figures_json(u_char *p, ngx_array_t *zones)
{
    ngx_uint_t                    i;
    ngx_http_longpoll_figures_t  *zone;

    zone = zones->elts;

    p = ngx_sprintf(p, "{\"version\":\"%s\",\"zones\":{",
                    NGX_HTTP_LONGPOLL_VERSION);

    for (i = 0; i < zones->nelts; i++) {
        p = ngx_sprintf(p, "%s\"%V\":{", i ? "," : "", &zone[i].zone->name);
        p = ngx_http_longpoll_figures_json_table(p, &zone[i],
                                             ngx_http_longpoll_figures_table);

        p = ngx_http_longpoll_figures_json_object(p, &zone[i], "disk",
                                        ngx_http_longpoll_figures_disk_table);
        p = ngx_http_longpoll_figures_json_object(p, &zone[i], "redis",
                                        ngx_http_longpoll_figures_redis_table);

        if (zone[i].cat.name.len) {
            p = ngx_sprintf(p, ",\"category\":");
            p = ngx_http_longpoll_figures_category(p, "name",
                                                   &zone[i].cat.name,
                                                   &zone[i].category,
                                                   zone[i].waiting);
        }

        *p++ = '}';
    }

    *p++ = '}';
    *p++ = '}';

    return p;
}


/* whether the figures of a table are of this zone */

static ngx_uint_t
ngx_http_longpoll_figures_has(ngx_http_longpoll_figures_t *zone,
    ngx_http_longpoll_figure_t *table)
{
    if (table == ngx_http_longpoll_figures_disk_table) {
        return zone->zone->persist.len != 0;
    }

    if (table == ngx_http_longpoll_figures_redis_table) {
        return zone->zone->cluster != NULL;
    }

    return 1;
}


static u_char *
ngx_http_longpoll_figures_json_object(u_char *p,
    ngx_http_longpoll_figures_t *zone, const char *name,
    ngx_http_longpoll_figure_t *table)
{
    if (ngx_http_longpoll_figures_has(zone, table)) {
        p = ngx_sprintf(p, ",\"%s\":{", name);
        p = ngx_http_longpoll_figures_json_table(p, zone, table);
        *p++ = '}';
    }

    return p;
}


static u_char *
ngx_http_longpoll_figures_json_table(u_char *p,
    ngx_http_longpoll_figures_t *zone, ngx_http_longpoll_figure_t *table)
{
    ngx_http_longpoll_figure_t  *figure;

    for (figure = table; figure->json; figure++) {
        p = ngx_sprintf(p, "%s\"%s\":", figure == table ? "" : ",",
                        figure->json);
        p = ngx_http_longpoll_figures_print(p, zone, figure, 1);
    }

    return p;
}


size_t
ngx_http_longpoll_figures_category_len(ngx_str_t *name)
{
    return sizeof("{\"category\":\"\",\"events\":,\"waiting\":,"
                  "\"first_id\":\"\",\"last_id\":\"\",\"present\":false}")
           + ngx_http_longpoll_escape_name_len(name)
           + 2 * NGX_INT64_LEN + 2 * NGX_HTTP_LONGPOLL_ID_LEN;
}


u_char *
ngx_http_longpoll_figures_category(u_char *p, const char *key, ngx_str_t *name,
    ngx_http_longpoll_category_status_t *st, uint64_t waiting)
{
    p = ngx_sprintf(p, "{\"%s\":\"", key);
    p = ngx_http_longpoll_escape(p, name,
                                  ngx_http_longpoll_escape_name_len(name));
    p = ngx_sprintf(p, "\",\"events\":%uL,\"waiting\":%uL", st->events,
                    waiting);
    p = ngx_http_longpoll_figures_id(p, "first_id", &st->first);
    p = ngx_http_longpoll_figures_id(p, "last_id", &st->last);

    if (st->presence) {
        p = ngx_sprintf(p, ",\"present\":%s", st->present ? "true" : "false");
    }

    *p++ = '}';

    return p;
}


u_char *
ngx_http_longpoll_figures_id(u_char *p, const char *key,
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
    p = ngx_cpymem(p, NGX_HTTP_LONGPOLL_FIGURES_BUILD,
                   sizeof(NGX_HTTP_LONGPOLL_FIGURES_BUILD) - 1);
    p = ngx_http_longpoll_figures_prometheus_table(p, zones,
                                             ngx_http_longpoll_figures_table);
    p = ngx_http_longpoll_figures_prometheus_table(p, zones,
                                        ngx_http_longpoll_figures_disk_table);

    return ngx_http_longpoll_figures_prometheus_table(p, zones,
                                        ngx_http_longpoll_figures_redis_table);
}


static u_char *
ngx_http_longpoll_figures_prometheus_table(u_char *p, ngx_array_t *zones,
    ngx_http_longpoll_figure_t *table)
{
    ngx_uint_t                    i;
    ngx_http_longpoll_figure_t   *figure;
    ngx_http_longpoll_figures_t  *zone;

    zone = zones->elts;

    for (i = 0; i < zones->nelts; i++) {

        if (ngx_http_longpoll_figures_has(&zone[i], table)) {
            break;
        }
    }

    if (i == zones->nelts && table != ngx_http_longpoll_figures_table) {
        return p;
    }

    for (figure = table; figure->json; figure++) {
        p = ngx_sprintf(p, "# HELP %s %s\n# TYPE %s %s\n", figure->metric,
                        figure->help, figure->metric, figure->type);

        for (i = 0; i < zones->nelts; i++) {

            if (!ngx_http_longpoll_figures_has(&zone[i], table)) {
                continue;
            }

            p = ngx_sprintf(p, "%s{zone=\"%V\"} ", figure->metric,
                            &zone[i].zone->name);
            p = ngx_http_longpoll_figures_print(p, &zone[i], figure, 0);
            *p++ = '\n';
        }
    }

    return p;
}


static u_char *
ngx_http_longpoll_figures_print(u_char *p, ngx_http_longpoll_figures_t *zone,
    ngx_http_longpoll_figure_t *figure, ngx_uint_t json)
{
    uint64_t  value;

    value = *(uint64_t *) ((u_char *) zone + figure->offset);

    if (json && figure->print == NGX_HTTP_LONGPOLL_FIGURES_FLAG) {
        return ngx_sprintf(p, "%s", value ? "true" : "false");
    }

    if (!json && figure->print == NGX_HTTP_LONGPOLL_FIGURES_MS) {
        return ngx_sprintf(p, "%uL.%03uL", value / 1000, value % 1000);
    }

    return ngx_sprintf(p, "%uL", value);
}
