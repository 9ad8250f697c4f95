
/*
 * ngx_http_longpoll_conf_zone.c: the directive longpoll_zone.
 *
 *     longpoll_zone zone=events:64m buffer=1000 persist=/var/lib/x/events;
 *
 * "zone" and "persist" have functions and messages of their own; any other
 * parameter is a row of a table, which says how its value is read and where it
 * is stored.
 *
 * A test of the configuration creates no file.  It can only tell whether the
 * directory of "persist" is there, and whether the process that runs the test
 * could write to it.
 */


#include "ngx_http_longpoll_conf_zone.h"
#include "ngx_http_longpoll_file.h"
#include "ngx_http_longpoll_reference.h"
#include "ngx_http_longpoll_zone.h"


#define NGX_HTTP_LONGPOLL_CONF_ZONE_UNSET  ((uint64_t) -1)


/* the directive's parameters */

typedef struct {
    ngx_str_t                        name;
    ssize_t                          size;
    ngx_str_t                        persist;
    ngx_http_longpoll_zone_conf_t    conf;
} ngx_http_longpoll_conf_zone_t;


typedef struct {
    ngx_str_t                        name;
    ngx_int_t                      (*parse)(ngx_str_t *s, uint64_t *field);
    size_t                           offset;
} ngx_http_longpoll_conf_param_t;


static char *ngx_http_longpoll_conf_zone_parse(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone);
static char *ngx_http_longpoll_conf_zone_name(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone, ngx_str_t *value);
static char *ngx_http_longpoll_conf_zone_parameter(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone, ngx_str_t *value);
static ngx_int_t ngx_http_longpoll_conf_zone_number(ngx_str_t *s,
    uint64_t *field);
static ngx_int_t ngx_http_longpoll_conf_zone_flag(ngx_str_t *s,
    uint64_t *field);
static ngx_int_t ngx_http_longpoll_conf_zone_time(ngx_str_t *s,
    uint64_t *field);
static ngx_int_t ngx_http_longpoll_conf_zone_time_or_off(ngx_str_t *s,
    uint64_t *field);
static char *ngx_http_longpoll_conf_zone_persist(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone, ngx_str_t *value);
#if (NGX_THREADS)
static char *ngx_http_longpoll_conf_zone_unique(ngx_conf_t *cf,
    ngx_str_t *path, ngx_str_t *value);
static ngx_int_t ngx_http_longpoll_conf_zone_same_files(ngx_conf_t *cf,
    ngx_str_t *one, ngx_str_t *two);
static ngx_int_t ngx_http_longpoll_conf_zone_directory(ngx_conf_t *cf,
    ngx_str_t *path, ngx_str_t *dir);
#endif


#define ngx_http_longpoll_conf_zone_field(name)                               \
    offsetof(ngx_http_longpoll_zone_conf_t, name)

static ngx_http_longpoll_conf_param_t  ngx_http_longpoll_conf_params[] = {

    { ngx_string("buffer="), ngx_http_longpoll_conf_zone_number,
      ngx_http_longpoll_conf_zone_field(buffer) },

    { ngx_string("ttl="), ngx_http_longpoll_conf_zone_time_or_off,
      ngx_http_longpoll_conf_zone_field(ttl) },

    { ngx_string("inactive="), ngx_http_longpoll_conf_zone_time_or_off,
      ngx_http_longpoll_conf_zone_field(inactive) },

    { ngx_string("delete_on_read="), ngx_http_longpoll_conf_zone_flag,
      ngx_http_longpoll_conf_zone_field(delete_on_read) },

    { ngx_string("flush="), ngx_http_longpoll_conf_zone_time,
      ngx_http_longpoll_conf_zone_field(flush) },

    { ngx_string("durable="), ngx_http_longpoll_conf_zone_flag,
      ngx_http_longpoll_conf_zone_field(durable) },

    { ngx_null_string, NULL, 0 }
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
                           "duplicate %V \"%V\"", &cmd->name, &zone.name);
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
    z->cycle = cf->cycle;

    ref->shm_zone->data = z;

    return NGX_CONF_OK;
}


static char *
ngx_http_longpoll_conf_zone_parse(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone)
{
    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    ngx_memzero(zone, sizeof(ngx_http_longpoll_conf_zone_t));
    zone->conf.buffer = 250;
    zone->conf.durable = NGX_HTTP_LONGPOLL_CONF_ZONE_UNSET;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0) {
            rv = ngx_http_longpoll_conf_zone_name(cf, zone, &value[i]);

        } else if (ngx_strncmp(value[i].data, "persist=", 8) == 0) {
            rv = ngx_http_longpoll_conf_zone_persist(cf, zone, &value[i]);

        } else {
            rv = ngx_http_longpoll_conf_zone_parameter(cf, zone, &value[i]);
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (zone->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have \"zone\" parameter", &value[0]);
        return NGX_CONF_ERROR;
    }

    if (zone->persist.len == 0) {

        if (zone->conf.flush
            || zone->conf.durable != NGX_HTTP_LONGPOLL_CONF_ZONE_UNSET)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"flush\" and \"durable\" need \"persist\"");
            return NGX_CONF_ERROR;
        }

    } else if (zone->conf.flush == 0) {
        zone->conf.flush = 5000;
    }

    if (zone->conf.durable == NGX_HTTP_LONGPOLL_CONF_ZONE_UNSET) {
        zone->conf.durable = 0;
    }

    return NGX_CONF_OK;
}


/*
 * zone=NAME:SIZE.  The characters of a name need no escaping in JSON, in a
 * metric's label, or in a log line.
 */

static char *
ngx_http_longpoll_conf_zone_name(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone, ngx_str_t *value)
{
    u_char     *p, *colon;
    ngx_str_t   s;

    zone->name.data = value->data + 5;

    colon = (u_char *) ngx_strchr(zone->name.data, ':');

    if (colon == NULL || colon == zone->name.data) {
        goto invalid;
    }

    zone->name.len = colon - zone->name.data;

    for (p = zone->name.data; p < colon; p++) {

        if (*p <= ' ' || *p >= 0x7f || *p == '"' || *p == '\\') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid zone name in \"%V\"", value);
            return NGX_CONF_ERROR;
        }
    }

    s.data = colon + 1;
    s.len = value->data + value->len - s.data;

    zone->size = ngx_parse_size(&s);

    if (zone->size == NGX_ERROR) {
        goto invalid;
    }

    if (zone->size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small", value);
        return NGX_CONF_ERROR;
    }

    if ((uint64_t) zone->size > NGX_HTTP_LONGPOLL_ZONE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too large, at most 65536m",
                           value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid zone size \"%V\"", value);
    return NGX_CONF_ERROR;
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
        field = (uint64_t *) ((u_char *) &zone->conf + p->offset);

        if (p->parse(&s, field) != NGX_OK) {
            break;
        }

        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", value);
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


#if (NGX_THREADS)

static char *
ngx_http_longpoll_conf_zone_persist(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone, ngx_str_t *value)
{
    ngx_str_t  *path, dir, name;

    path = &zone->persist;
    path->data = value->data + 8;
    path->len = value->len - 8;

    if (path->len == 0 || path->data[path->len - 1] == '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, path, 0) != NGX_OK
        || ngx_http_longpoll_conf_zone_directory(cf, path, &dir) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (access((char *) dir.data, W_OK|X_OK) == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "directory \"%V\" of \"%V\" cannot be written to",
                           &dir, value);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_longpoll_conf_zone_unique(cf, path, value) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&name, "default");

    if (ngx_thread_pool_add(cf, &name) == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* whether no other zone has one of the files of this path */

static char *
ngx_http_longpoll_conf_zone_unique(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *value)
{
    ngx_int_t                       rc;
    ngx_uint_t                      i;
    ngx_http_longpoll_reference_t  *ref;
    ngx_http_longpoll_main_conf_t  *lmcf;

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_longpoll_module);
    ref = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {

        if (ref[i].zone->persist.len == 0) {
            continue;
        }

        rc = ngx_http_longpoll_conf_zone_same_files(cf, &ref[i].zone->persist,
                                                    path);
        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc == NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is the file of zone \"%V\" already",
                               value, &ref[i].zone->name);
        }

        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * NGX_OK        the two paths have a file in common: they are in the same
 *               directory, under whatever names, and one path is the other one
 *               with the suffix of a file beside it
 * NGX_DECLINED  they have none
 * NGX_ERROR     no memory
 */

static ngx_int_t
ngx_http_longpoll_conf_zone_same_files(ngx_conf_t *cf, ngx_str_t *one,
    ngx_str_t *two)
{
    ngx_str_t        *path, dirs[2], names[2];
    ngx_uint_t        i, longer;
    ngx_file_info_t   infos[2];

    for (i = 0; i < 2; i++) {
        path = i ? two : one;

        if (ngx_http_longpoll_conf_zone_directory(cf, path, &dirs[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        names[i].data = (u_char *) strrchr((char *) path->data, '/') + 1;
        names[i].len = path->data + path->len - names[i].data;
    }

    longer = (names[1].len > names[0].len);

    if (ngx_strncmp(names[0].data, names[1].data, names[!longer].len) != 0) {
        return NGX_DECLINED;
    }

    for (i = 0; i < NGX_HTTP_LONGPOLL_FILE_SUFFIXES; i++) {

        if (ngx_strcmp(names[longer].data + names[!longer].len,
                       ngx_http_longpoll_file_suffixes[i])
            == 0)
        {
            break;
        }
    }

    if (i == NGX_HTTP_LONGPOLL_FILE_SUFFIXES
        || ngx_file_info(dirs[0].data, &infos[0]) == NGX_FILE_ERROR
        || ngx_file_info(dirs[1].data, &infos[1]) == NGX_FILE_ERROR
        || infos[0].st_dev != infos[1].st_dev
        || ngx_file_uniq(&infos[0]) != ngx_file_uniq(&infos[1]))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* dir: the path up to its last slash */

static ngx_int_t
ngx_http_longpoll_conf_zone_directory(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *dir)
{
    u_char  *p;

    for (p = path->data + path->len; p[-1] != '/'; p--) { /* void */ }

    dir->len = ngx_max(p - 1 - path->data, 1);
    dir->data = ngx_pnalloc(cf->pool, dir->len + 1);
    if (dir->data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(dir->data, path->data, dir->len + 1);

    return NGX_OK;
}

#else

static char *
ngx_http_longpoll_conf_zone_persist(ngx_conf_t *cf,
    ngx_http_longpoll_conf_zone_t *zone, ngx_str_t *value)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" needs an nginx that was built "
                       "--with-threads", value);
    return NGX_CONF_ERROR;
}

#endif
