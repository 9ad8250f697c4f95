
/*
 * ngx_http_longpoll_conf_zone.c: the directive longpoll_zone.
 *
 *     longpoll_zone zone=events:64m buffer=1000 persist=/var/lib/x/events;
 *
 * "zone", "persist", "presence" and those of conf_redis have functions and
 * messages of their own; any other parameter is a row of a table, which says
 * how its value is read and where it is stored.
 */


#include "ngx_http_longpoll_conf_zone.h"
#include "ngx_http_longpoll_conf.h"
#include "ngx_http_longpoll_conf_persist.h"
#include "ngx_http_longpoll_conf_redis.h"
#include "ngx_http_longpoll_reference.h"
#include "ngx_http_longpoll_utf8.h"
#include "ngx_http_longpoll_zone.h"


#define NGX_HTTP_LONGPOLL_CONF_ZONE_UNSET  ((uint64_t) -1)

/* in a smaller zone the index leaves too little room */
#define NGX_HTTP_LONGPOLL_CONF_ZONE_LEAST  (64 * 1024)

#define NGX_HTTP_LONGPOLL_CONF_ZONE_YEAR       ((uint64_t) 31536000 * 1000)
#define NGX_HTTP_LONGPOLL_CONF_ZONE_REPLICAS   100


/* the directive's parameters */

typedef struct {
    ngx_str_t                        name;
    ssize_t                          size;
    ngx_str_t                        persist;
    ngx_str_t                        presence;
    ngx_http_longpoll_zone_conf_t    conf;
    ngx_http_longpoll_cluster_t      cluster;
} ngx_http_longpoll_conf_zone_t;


typedef struct {
    ngx_str_t                        name;
    ngx_int_t                      (*parse)(ngx_str_t *s, uint64_t *field);
    size_t                           offset;
    const char                      *values;    /* what it may be */
} ngx_http_longpoll_conf_param_t;


static char *ngx_http_longpoll_conf_zone_parse(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone);
static ngx_uint_t ngx_http_longpoll_conf_zone_twice(ngx_str_t *value,
    ngx_uint_t n);
static char *ngx_http_longpoll_conf_zone_name(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone, ngx_str_t *value);
static char *ngx_http_longpoll_conf_zone_presence(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone, ngx_str_t *value);
static char *ngx_http_longpoll_conf_zone_parameter(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone, ngx_str_t *value);
static char *ngx_http_longpoll_conf_zone_log(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone);
static char *ngx_http_longpoll_conf_zone_grace(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone);
static char *ngx_http_longpoll_conf_zone_redis(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone);
static ngx_int_t ngx_http_longpoll_conf_zone_number(ngx_str_t *s,
    uint64_t *field);
static ngx_int_t ngx_http_longpoll_conf_zone_flag(ngx_str_t *s,
    uint64_t *field);
static ngx_int_t ngx_http_longpoll_conf_zone_time(ngx_str_t *s,
    uint64_t *field);
static ngx_int_t ngx_http_longpoll_conf_zone_time_or_off(ngx_str_t *s,
    uint64_t *field);
static ngx_int_t ngx_http_longpoll_conf_zone_keep(ngx_str_t *s,
    uint64_t *field);
static ngx_int_t ngx_http_longpoll_conf_zone_keys(ngx_str_t *s,
    uint64_t *field);
static ngx_int_t ngx_http_longpoll_conf_zone_replicas(ngx_str_t *s,
    uint64_t *field);
static ngx_int_t ngx_http_longpoll_conf_zone_restart(ngx_str_t *s,
    uint64_t *field);


#define ngx_http_longpoll_conf_zone_field(name)                               \
    offsetof(ngx_http_longpoll_conf_zone_t, name)

static ngx_http_longpoll_conf_param_t  ngx_http_longpoll_conf_params[] = {

    { ngx_string("buffer="), ngx_http_longpoll_conf_zone_number,
      ngx_http_longpoll_conf_zone_field(conf.buffer),
      "a number from 1 to 2147483647" },

    { ngx_string("ttl="), ngx_http_longpoll_conf_zone_time_or_off,
      ngx_http_longpoll_conf_zone_field(conf.ttl),
      "a time, such as \"1h\", or \"off\"" },

    { ngx_string("inactive="), ngx_http_longpoll_conf_zone_time_or_off,
      ngx_http_longpoll_conf_zone_field(conf.inactive),
      "a time, such as \"1h\", or \"off\"" },

    { ngx_string("delete_on_read="), ngx_http_longpoll_conf_zone_flag,
      ngx_http_longpoll_conf_zone_field(conf.delete_on_read),
      "\"on\" or \"off\"" },

    { ngx_string("flush="), ngx_http_longpoll_conf_zone_time,
      ngx_http_longpoll_conf_zone_field(conf.flush),
      "a time, such as \"5s\"" },

    { ngx_string("grace="), ngx_http_longpoll_conf_zone_time,
      ngx_http_longpoll_conf_zone_field(conf.grace),
      "a time, such as \"5s\"" },

    { ngx_string("durable="), ngx_http_longpoll_conf_zone_flag,
      ngx_http_longpoll_conf_zone_field(conf.durable),
      "\"on\" or \"off\"" },

    { ngx_string("keep="), ngx_http_longpoll_conf_zone_keep,
      ngx_http_longpoll_conf_zone_field(cluster.keep),
      "a size of at least 64k, such as \"256m\"" },

    { ngx_string("keys="), ngx_http_longpoll_conf_zone_keys,
      ngx_http_longpoll_conf_zone_field(cluster.keys),
      "a time of at most a year, such as \"10m\"" },

    { ngx_string("replicas="), ngx_http_longpoll_conf_zone_replicas,
      ngx_http_longpoll_conf_zone_field(cluster.replicas),
      "a number from 0 to 100" },

    { ngx_string("timeout="), ngx_http_longpoll_conf_zone_time,
      ngx_http_longpoll_conf_zone_field(cluster.timeout),
      "a time, such as \"5s\"" },

    { ngx_string("restart="), ngx_http_longpoll_conf_zone_restart,
      ngx_http_longpoll_conf_zone_field(cluster.same),
      "\"new\" or \"same\"" },

    { ngx_null_string, NULL, 0, NULL }
};


char *
ngx_http_longpoll_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_longpoll_zone_t       *z;
    ngx_http_longpoll_conf_zone_t   zone;
    ngx_http_longpoll_reference_t  *ref;

    if (ngx_http_longpoll_conf_zone_parse(cf, &zone) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    ref = ngx_http_longpoll_reference_get(cf, &zone.name, &cmd->name);
    if (ref == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ref->shm_zone) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate %V \"%V\", each must have a name of its "
                           "own", &cmd->name, &zone.name);
        return NGX_CONF_ERROR;
    }

    ref->shm_zone = ngx_shared_memory_add(cf, &zone.name, zone.size,
                                          &ngx_http_longpoll_module);
    if (ref->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    z = ref->zone;
    z->size = zone.size;
    z->conf = zone.conf;
    z->persist = zone.persist;
    z->presence = zone.presence;
    z->cycle = cf->cycle;

    if (zone.cluster.url.len) {
        z->cluster = ngx_palloc(cf->pool, sizeof(ngx_http_longpoll_cluster_t));
        if (z->cluster == NULL) {
            return NGX_CONF_ERROR;
        }

        *z->cluster = zone.cluster;
    }

    ref->shm_zone->data = z;

    return NGX_CONF_OK;
}


static char *
ngx_http_longpoll_conf_zone_parse(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone)
{
    char        *rv;
    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;

    ngx_memzero(zone, sizeof(ngx_http_longpoll_conf_zone_t));
    zone->conf.buffer = 250;
    zone->conf.durable = NGX_HTTP_LONGPOLL_CONF_ZONE_UNSET;
    zone->cluster.keep = NGX_HTTP_LONGPOLL_CONF_REDIS_UNSET;
    zone->cluster.keys = NGX_HTTP_LONGPOLL_CONF_REDIS_UNSET;
    zone->cluster.replicas = NGX_HTTP_LONGPOLL_CONF_REDIS_UNSET;
    zone->cluster.timeout = NGX_HTTP_LONGPOLL_CONF_REDIS_UNSET;
    zone->cluster.same = NGX_HTTP_LONGPOLL_CONF_REDIS_UNSET;

    value = cf->args->elts;

    if (ngx_http_longpoll_conf_redis_secrets(cf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_longpoll_conf_zone_twice(value, i)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               NGX_HTTP_LONGPOLL_CONF_DUPLICATE, &value[i]);
            return NGX_CONF_ERROR;
        }

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0) {
            rv = ngx_http_longpoll_conf_zone_name(cf, zone, &value[i]);

        } else if (ngx_strncmp(value[i].data, "persist=", 8) == 0) {
            rv = ngx_http_longpoll_conf_persist(cf, &value[i], &zone->persist);

        } else if (ngx_strncmp(value[i].data, "presence=", 9) == 0) {
            rv = ngx_http_longpoll_conf_zone_presence(cf, zone, &value[i]);

        } else {
            rc = ngx_http_longpoll_conf_redis(cf, &zone->cluster, &value[i]);

            rv = rc == NGX_OK ? NGX_CONF_OK
                 : rc == NGX_ERROR ? NGX_CONF_ERROR
                 : ngx_http_longpoll_conf_zone_parameter(cf, zone, &value[i]);
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (zone->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have \"zone=name:size\" parameter",
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_longpoll_conf_zone_log(cf, zone) != NGX_CONF_OK
        || ngx_http_longpoll_conf_zone_grace(cf, zone) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_longpoll_conf_zone_redis(cf, zone);
}


/* what belongs to "persist" */

static char *
ngx_http_longpoll_conf_zone_log(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone)
{
    if (zone->persist.len == 0) {

        if (zone->conf.flush
            || zone->conf.durable != NGX_HTTP_LONGPOLL_CONF_ZONE_UNSET)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"flush\" and \"durable\" need "
                               "\"persist=path\"");
            return NGX_CONF_ERROR;
        }

    } else if (ngx_http_longpoll_conf_persist_running(cf, &zone->name,
                                                      &zone->persist)
               != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;

    } else if (zone->conf.flush == 0) {
        zone->conf.flush = 5000;
    }

    if (zone->conf.durable == NGX_HTTP_LONGPOLL_CONF_ZONE_UNSET) {
        zone->conf.durable = 0;
    }

    return NGX_CONF_OK;
}


/* what belongs to "presence" */

static char *
ngx_http_longpoll_conf_zone_grace(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone)
{
    if (zone->presence.len == 0) {

        if (zone->conf.grace) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"grace\" needs \"presence=category\"");
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (zone->conf.delete_on_read) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"presence\" cannot be used with "
                           "\"delete_on_read\", as its events are for all who "
                           "ask; remove one of them");
        return NGX_CONF_ERROR;
    }

    if (zone->conf.grace == 0) {
        zone->conf.grace = 5000;
    }

    return NGX_CONF_OK;
}


/* what belongs to "redis" */

static char *
ngx_http_longpoll_conf_zone_redis(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone)
{
    const char  *other;

    other = zone->persist.len ? "persist"
            : zone->presence.len ? "presence"
            : zone->conf.delete_on_read ? "delete_on_read" : NULL;

    if (zone->cluster.url.len && other) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"redis\" cannot be used with \"%s\", remove one "
                           "of them", other);
        return NGX_CONF_ERROR;
    }

    return ngx_http_longpoll_conf_redis_complete(cf, &zone->cluster,
                                                 &zone->name, zone->size);
}


/* whether an earlier argument is the same parameter */

static ngx_uint_t
ngx_http_longpoll_conf_zone_twice(ngx_str_t *value, ngx_uint_t n)
{
    u_char      *p;
    ngx_uint_t   i;

    p = (u_char *) ngx_strchr(value[n].data, '=');

    for (i = 1; p && i < n; i++) {

        if (ngx_strncmp(value[i].data, value[n].data, p + 1 - value[n].data)
            == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * zone=NAME:SIZE.  The characters of a name need no escaping in JSON, in a
 * metric's label, or in a log line.
 */

static char *
ngx_http_longpoll_conf_zone_name(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone, ngx_str_t *value)
{
    size_t      least;
    u_char     *p, *colon;
    ngx_str_t   s;

    zone->name.data = value->data + 5;

    colon = (u_char *) ngx_strchr(zone->name.data, ':');

    if (colon == NULL || colon == zone->name.data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", it must be "
                           "\"zone=name:size\"", value);
        return NGX_CONF_ERROR;
    }

    zone->name.len = colon - zone->name.data;

    for (p = zone->name.data; p < colon; p++) {

        if (*p <= ' ' || *p >= 0x7f || *p == '"' || *p == '\\') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid zone name in \"%V\", it must be of "
                               "visible ASCII characters without \":\", a "
                               "quote and a backslash", value);
            return NGX_CONF_ERROR;
        }
    }

    if (zone->name.len == 3 && ngx_strncmp(zone->name.data, "all", 3) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone name in \"%V\", as "
                           "\"longpoll_status all\" means all zones; give it "
                           "another one", value);
        return NGX_CONF_ERROR;
    }

    s.data = colon + 1;
    s.len = value->data + value->len - s.data;

    zone->size = ngx_parse_size(&s);

    if (zone->size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\", it must be in bytes, "
                           "kilobytes or megabytes, such as \"1024m\"", value);
        return NGX_CONF_ERROR;
    }

    least = ngx_max(NGX_HTTP_LONGPOLL_CONF_ZONE_LEAST, 8 * ngx_pagesize);

    if ((size_t) zone->size < least) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, the least size is %uzk",
                           value, least / 1024);
        return NGX_CONF_ERROR;
    }

    if ((uint64_t) zone->size > NGX_HTTP_LONGPOLL_ZONE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too large, at most 65536m",
                           value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* presence=CATEGORY */

static char *
ngx_http_longpoll_conf_zone_presence(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone, ngx_str_t *value)
{
    zone->presence.data = value->data + 9;
    zone->presence.len = value->len - 9;

    if (zone->presence.len == 0
        || zone->presence.len > NGX_HTTP_LONGPOLL_MAX_CATEGORY
        || !ngx_http_longpoll_utf8_valid(zone->presence.data,
                                         zone->presence.len))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"presence\" must be a category of 1 to 1024 bytes "
                           "of UTF-8");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_longpoll_conf_zone_parameter(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone, ngx_str_t *value)
{
    uint64_t                        *field;
    ngx_str_t                        s;
    ngx_http_longpoll_conf_param_t  *p;

    for (p = ngx_http_longpoll_conf_params; p->name.len; p++) {

        if (ngx_strncmp(value->data, p->name.data, p->name.len) != 0) {
            continue;
        }

        s.data = value->data + p->name.len;
        s.len = value->len - p->name.len;
        field = (uint64_t *) ((u_char *) zone + p->offset);

        if (p->parse(&s, field) == NGX_OK) {
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", it must be %s",
                           value, p->values);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\", it must be \"zone=\", "
                       "\"buffer=\", \"ttl=\", \"inactive=\", "
                       "\"delete_on_read=\", \"persist=\", \"flush=\", "
                       "\"durable=\", \"presence=\", \"grace=\", "
                       "\"redis=\", \"auth=\", \"ca=\", \"keep=\", "
                       "\"keys=\", \"replicas=\", \"timeout=\" or "
                       "\"restart=\", and a value", value);
    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_longpoll_conf_zone_number(ngx_str_t *s, uint64_t *field)
{
    ngx_int_t  n;

    n = ngx_atoi(s->data, s->len);

    if (n < 1 || n > 0x7fffffff) {
        return NGX_ERROR;
    }

    *field = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_conf_zone_flag(ngx_str_t *s, uint64_t *field)
{
    if (ngx_strcmp(s->data, "on") == 0) {
        *field = 1;
        return NGX_OK;
    }

    if (ngx_strcmp(s->data, "off") == 0) {
        *field = 0;
        return NGX_OK;
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_longpoll_conf_zone_time(ngx_str_t *s, uint64_t *field)
{
    ngx_int_t  n;

    n = ngx_parse_time(s, 0);

    if (n == NGX_ERROR || n == 0) {
        return NGX_ERROR;
    }

    *field = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_conf_zone_time_or_off(ngx_str_t *s, uint64_t *field)
{
    if (ngx_strcmp(s->data, "off") == 0) {
        *field = 0;
        return NGX_OK;
    }

    return ngx_http_longpoll_conf_zone_time(s, field);
}


static ngx_int_t
ngx_http_longpoll_conf_zone_keep(ngx_str_t *s, uint64_t *field)
{
    off_t  size;

    size = ngx_parse_offset(s);

    if (size < NGX_HTTP_LONGPOLL_CONF_ZONE_LEAST) {
        return NGX_ERROR;
    }

    *field = size;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_conf_zone_keys(ngx_str_t *s, uint64_t *field)
{
    if (ngx_http_longpoll_conf_zone_time(s, field) != NGX_OK
        || *field > NGX_HTTP_LONGPOLL_CONF_ZONE_YEAR)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_conf_zone_replicas(ngx_str_t *s, uint64_t *field)
{
    ngx_int_t  n;

    n = ngx_atoi(s->data, s->len);

    if (n == NGX_ERROR || n > NGX_HTTP_LONGPOLL_CONF_ZONE_REPLICAS) {
        return NGX_ERROR;
    }

    *field = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_conf_zone_restart(ngx_str_t *s, uint64_t *field)
{
    if (ngx_strcmp(s->data, "new") != 0 && ngx_strcmp(s->data, "same") != 0) {
        return NGX_ERROR;
    }

    *field = (s->data[0] == 's');

    return NGX_OK;
}
