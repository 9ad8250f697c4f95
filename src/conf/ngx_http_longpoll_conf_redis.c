
/*
 * ngx_http_longpoll_conf_redis.c: the parameters of longpoll_zone for a zone
 * over Redis.
 *
 *     redis://HOST[:PORT][/DB[/PREFIX]]           and rediss://
 *     unix:PATH[:/DB[/PREFIX]]
 *     sentinel://HOST[:PORT],.../NAME[/DB[/PREFIX]]
 *
 * Names are resolved here, as nginx does with those of its other directives.
 * Nothing is connected.
 *
 * A password stands in the file that "auth" names.  nginx shows directives in
 * its errors and by -T, so one in the URL is refused, without showing it.
 */


#include "ngx_http_longpoll_conf_redis.h"
#include "ngx_http_longpoll_reply.h"
#include "ngx_http_longpoll_tls.h"


#define NGX_HTTP_LONGPOLL_CONF_REDIS_SENTINELS  16
#define NGX_HTTP_LONGPOLL_CONF_REDIS_NAME       256     /* bytes, at most */
#define NGX_HTTP_LONGPOLL_CONF_REDIS_AUTH       1024

#define NGX_HTTP_LONGPOLL_CONF_REDIS_UNREADABLE                               \
    "the file \"%V\" of \"auth\" cannot be read, the user who starts nginx "  \
    "must be able to"


static ngx_uint_t ngx_http_longpoll_conf_redis_secret(ngx_str_t *value);
static ngx_int_t ngx_http_longpoll_conf_redis_url(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *value);
static ngx_int_t ngx_http_longpoll_conf_redis_built(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster);
static ngx_int_t ngx_http_longpoll_conf_redis_unix(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, u_char **rest);
static ngx_int_t ngx_http_longpoll_conf_redis_servers(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, u_char *p, u_char *last);
static ngx_int_t ngx_http_longpoll_conf_redis_server(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_server_t *server, ngx_str_t *text,
    in_port_t port);
static ngx_int_t ngx_http_longpoll_conf_redis_path(
    ngx_http_longpoll_cluster_t *cluster, u_char *p);
static ngx_uint_t ngx_http_longpoll_conf_redis_name(ngx_str_t *name);
static ngx_int_t ngx_http_longpoll_conf_redis_auth(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *value);
static ngx_int_t ngx_http_longpoll_conf_redis_password(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *file, u_char *p, size_t n);
static ngx_int_t ngx_http_longpoll_conf_redis_ca(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *value);
static ngx_int_t ngx_http_longpoll_conf_redis_key(ngx_conf_t *cf,
    ngx_str_t *key, ngx_str_t *prefix, ngx_str_t *zone, const char *what);


char *
ngx_http_longpoll_conf_redis_secrets(ngx_conf_t *cf)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_longpoll_conf_redis_secret(&value[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the URL of \"redis\" must not have a user or a "
                               "password, as nginx shows its configuration; "
                               "\"auth=FILE\" names a file for them");
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_longpoll_conf_redis(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *value)
{
    if (ngx_strncmp(value->data, "redis=", 6) == 0) {
        return ngx_http_longpoll_conf_redis_url(cf, cluster, value);
    }

    if (ngx_strncmp(value->data, "auth=", 5) == 0) {
        return ngx_http_longpoll_conf_redis_auth(cf, cluster, value);
    }

    if (ngx_strncmp(value->data, "ca=", 3) == 0) {
        return ngx_http_longpoll_conf_redis_ca(cf, cluster, value);
    }

    return NGX_DECLINED;
}


/* an "@" in what is, or was to be, a URL */

static ngx_uint_t
ngx_http_longpoll_conf_redis_secret(ngx_str_t *value)
{
    u_char  *p;

    p = (u_char *) ngx_strstr(value->data, "://");

    if (p == NULL) {
        p = ngx_strncmp(value->data, "redis=", 6) == 0 ? value->data : NULL;

    } else if (ngx_strncmp(value->data, "persist=", 8) == 0
               || ngx_strncmp(value->data, "presence=", 9) == 0)
    {
        p = NULL;
    }

    return p && ngx_strchr(p, '@');
}


static ngx_int_t
ngx_http_longpoll_conf_redis_url(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *value)
{
    u_char     *p, *last;
    ngx_int_t   rc;
    ngx_str_t  *url;

    url = &cluster->url;
    url->data = value->data + 6;
    url->len = value->len - 6;

    if (ngx_strncmp(url->data, "unix:", 5) == 0) {
        cluster->kind = NGX_HTTP_LONGPOLL_CLUSTER_UNIX;
        rc = ngx_http_longpoll_conf_redis_unix(cf, cluster, &last);

    } else {

        if (ngx_strncmp(url->data, "redis://", 8) == 0) {
            cluster->kind = NGX_HTTP_LONGPOLL_CLUSTER_TCP;

        } else if (ngx_strncmp(url->data, "rediss://", 9) == 0) {
            cluster->kind = NGX_HTTP_LONGPOLL_CLUSTER_TLS;

        } else if (ngx_strncmp(url->data, "sentinel://", 11) == 0) {
            cluster->kind = NGX_HTTP_LONGPOLL_CLUSTER_SENTINEL;

        } else {
            goto invalid;
        }

        p = (u_char *) ngx_strstr(url->data, "://") + 3;

        for (last = p; *last && *last != '/'; last++) { /* void */ }

        rc = ngx_http_longpoll_conf_redis_servers(cf, cluster, p, last);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK
        && ngx_http_longpoll_conf_redis_path(cluster, last) == NGX_OK)
    {
        return ngx_http_longpoll_conf_redis_built(cf, cluster);
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\", it must be "
                       "\"redis://host[:port][/db[/prefix]]\", the same with "
                       "\"rediss:\", \"unix:path[:/db[/prefix]]\", or "
                       "\"sentinel://host[:port],.../name[/db[/prefix]]\"",
                       value);
    return NGX_ERROR;
}


/* whether this module has what it takes */

static ngx_int_t
ngx_http_longpoll_conf_redis_built(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster)
{
    const char  *reason;

    reason = ngx_http_longpoll_reply_load();

    if (reason) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"redis\" needs the library hiredis, install it: "
                           "%s", reason);
        return NGX_ERROR;
    }

    if (cluster->kind == NGX_HTTP_LONGPOLL_CLUSTER_TLS
        && !ngx_http_longpoll_tls_available())
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rediss://\" needs an nginx and a module that "
                           "were built --with-http_ssl_module");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* *rest: what is behind the path.  NGX_DECLINED: the URL is invalid */

static ngx_int_t
ngx_http_longpoll_conf_redis_unix(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, u_char **rest)
{
    u_char     *p;
    ngx_str_t   text;

    text = cluster->url;

    p = (u_char *) ngx_strchr(text.data + 5, ':');

    if (p) {
        text.len = p - text.data;
    }

    *rest = text.data + text.len + (p != NULL);

    if (text.len == 5 || text.data[5] != '/' || (p && **rest != '/')) {
        return NGX_DECLINED;
    }

    cluster->servers = ngx_pcalloc(cf->pool,
                                   sizeof(ngx_http_longpoll_cluster_server_t));
    if (cluster->servers == NULL) {
        return NGX_ERROR;
    }

    cluster->nservers = 1;

    return ngx_http_longpoll_conf_redis_server(cf, cluster->servers, &text, 0);
}


/* one server, or Sentinels, up to last.  NGX_DECLINED: the URL is invalid */

static ngx_int_t
ngx_http_longpoll_conf_redis_servers(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, u_char *p, u_char *last)
{
    u_char      *q;
    in_port_t    port;
    ngx_int_t    rc;
    ngx_str_t    text;
    ngx_uint_t   n, max;

    if (cluster->kind == NGX_HTTP_LONGPOLL_CLUSTER_SENTINEL) {
        max = NGX_HTTP_LONGPOLL_CONF_REDIS_SENTINELS;
        port = 26379;

    } else {
        max = 1;
        port = 6379;
    }

    cluster->servers = ngx_pcalloc(cf->pool,
                             max * sizeof(ngx_http_longpoll_cluster_server_t));
    if (cluster->servers == NULL) {
        return NGX_ERROR;
    }

    for (n = 0; n < max; n++) {

        for (q = p; q < last && *q != ','; q++) { /* void */ }

        text.data = p;
        text.len = q - p;

        if (text.len == 0) {
            return NGX_DECLINED;
        }

        rc = ngx_http_longpoll_conf_redis_server(cf, &cluster->servers[n],
                                                 &text, port);
        if (rc != NGX_OK) {
            return rc;
        }

        if (q == last) {
            cluster->nservers = n + 1;
            return NGX_OK;
        }

        p = q + 1;
    }

    return NGX_DECLINED;
}


/* port: of a server that has none; 0: text is unix:PATH */

static ngx_int_t
ngx_http_longpoll_conf_redis_server(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_server_t *server, ngx_str_t *text,
    in_port_t port)
{
    u_char     *p;
    ngx_str_t   host;
    ngx_url_t   u;

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = *text;
    u.default_port = port;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {

        if (u.err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%s in \"%V\" of \"redis\", it must be a %s",
                               u.err, text,
                               port ? "name that can be resolved, or an "
                                      "address, and a port from 1 to 65535"
                                    : "path of at most 107 bytes");
        }

        return NGX_ERROR;
    }

    host = u.host;

    if (port == 0) {
        host.data = text->data + 5;
        host.len = text->len - 5;

    } else if (host.len && host.data[0] == '[') {
        host.data++;
        host.len -= 2;
    }

    server->addrs = u.addrs;
    server->naddrs = u.naddrs;
    server->port = u.port;
    server->numeric = (u.naddrs == 1 && port
                       && (u.family == AF_INET6
                           || ngx_inet_addr(host.data, host.len)
                              != INADDR_NONE));

    server->host.len = host.len;
    server->host.data = ngx_pnalloc(cf->pool, host.len + 1);
    server->name.data = ngx_pnalloc(cf->pool, text->len + sizeof(":65535"));

    if (server->host.data == NULL || server->name.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(server->host.data, host.data, host.len + 1);

    p = ngx_cpymem(server->name.data, text->data, text->len);

    if (u.no_port) {
        p = ngx_sprintf(p, ":%d", (int) port);
    }

    *p = '\0';
    server->name.len = p - server->name.data;

    return NGX_OK;
}


/* p: [/NAME][/DB[/PREFIX]].  NGX_OK, or NGX_DECLINED: it is not */

static ngx_int_t
ngx_http_longpoll_conf_redis_path(ngx_http_longpoll_cluster_t *cluster,
    u_char *p)
{
    ngx_str_t   *part[3], prefix;
    ngx_uint_t   i, n;

    n = 0;

    if (cluster->kind == NGX_HTTP_LONGPOLL_CLUSTER_SENTINEL) {
        part[n++] = &cluster->master;
    }

    part[n++] = &cluster->db;
    part[n++] = &prefix;

    ngx_str_set(&cluster->db, "0");
    ngx_str_set(&prefix, "longpoll");

    for (i = 0; i < n && *p; i++) {
        p++;
        part[i]->data = p;

        while (*p && *p != '/') { p++; }

        part[i]->len = p - part[i]->data;

        if (!ngx_http_longpoll_conf_redis_name(part[i])) {
            return NGX_DECLINED;
        }
    }

    if (*p || cluster->db.len > 6
        || ngx_atoi(cluster->db.data, cluster->db.len) == NGX_ERROR
        || (cluster->kind == NGX_HTTP_LONGPOLL_CLUSTER_SENTINEL
            && cluster->master.len == 0))
    {
        return NGX_DECLINED;
    }

    /* until the keys are made */
    cluster->key = prefix;

    return NGX_OK;
}


/* braces would begin another hash tag of Redis Cluster */

static ngx_uint_t
ngx_http_longpoll_conf_redis_name(ngx_str_t *name)
{
    size_t  i;

    for (i = 0; i < name->len; i++) {

        if (name->data[i] <= ' ' || name->data[i] >= 0x7f
            || ngx_strchr("{}\"\\", name->data[i]))
        {
            return 0;
        }
    }

    return name->len && name->len <= NGX_HTTP_LONGPOLL_CONF_REDIS_NAME;
}


/* auth=FILE: one line, "password" or "user:password" */

static ngx_int_t
ngx_http_longpoll_conf_redis_auth(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *value)
{
    ngx_int_t         rc;
    u_char            buf[NGX_HTTP_LONGPOLL_CONF_REDIS_AUTH + 2];
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_str_t         file;
    ngx_file_info_t   fi;

    file.data = value->data + 5;
    file.len = value->len - 5;

    if (file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", it must be the path of a "
                           "file", value);
        return NGX_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(file.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           NGX_HTTP_LONGPOLL_CONF_REDIS_UNREADABLE, &file);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"auth\" is not a file, it must be "
                           "one with the password", &file);

    } else if (fi.st_mode & (S_IROTH|S_IWOTH)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the file \"%V\" of \"auth\" can be read or written "
                           "by everybody, give it mode 600", &file);

    } else {
        n = ngx_read_fd(fd, buf, sizeof(buf));

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               NGX_HTTP_LONGPOLL_CONF_REDIS_UNREADABLE, &file);
        } else {
            rc = ngx_http_longpoll_conf_redis_password(cf, cluster, &file, buf,
                                                       n);
        }
    }

    (void) ngx_close_file(fd);

    ngx_explicit_memzero(buf, sizeof(buf));

    return rc;
}


static ngx_int_t
ngx_http_longpoll_conf_redis_password(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *file, u_char *p, size_t n)
{
    u_char     *colon;
    ngx_str_t   line;

    if (n && p[n - 1] == '\n') {
        n--;
    }

    if (n && p[n - 1] == '\r') {
        n--;
    }

    if (n == 0 || n > NGX_HTTP_LONGPOLL_CONF_REDIS_AUTH
        || memchr(p, '\n', n) || memchr(p, '\0', n))
    {
        goto invalid;
    }

    line.len = n;
    line.data = ngx_pnalloc(cf->pool, n);
    if (line.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(line.data, p, n);

    colon = ngx_strlchr(line.data, line.data + n, ':');

    if (colon) {
        cluster->user.data = line.data;
        cluster->user.len = colon - line.data;
        line.len -= cluster->user.len + 1;
        line.data = colon + 1;
    }

    if (line.len == 0) {
        goto invalid;
    }

    cluster->password = line;

    return NGX_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "the file \"%V\" of \"auth\" must have one line of at "
                       "most %d bytes, \"password\" or \"user:password\"",
                       file, NGX_HTTP_LONGPOLL_CONF_REDIS_AUTH);
    return NGX_ERROR;
}


/* ca=FILE */

static ngx_int_t
ngx_http_longpoll_conf_redis_ca(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *value)
{
    ngx_file_info_t  fi;

    cluster->ca.data = value->data + 3;
    cluster->ca.len = value->len - 3;

    if (cluster->ca.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", it must be the path of a "
                           "file", value);
        return NGX_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, &cluster->ca, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_file_info(cluster->ca.data, &fi) == NGX_FILE_ERROR
        || !ngx_is_file(&fi))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "there is no file \"%V\" for \"ca\", it must have "
                           "the certificates to trust, as PEM", &cluster->ca);
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_http_longpoll_conf_redis_complete(ngx_conf_t *cf,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *zone, size_t size)
{
    ngx_str_t  prefix;

    if (cluster->url.len == 0) {

        if (cluster->password.len || cluster->ca.len
            || cluster->keep != NGX_HTTP_LONGPOLL_CONF_REDIS_UNSET
            || cluster->keys != NGX_HTTP_LONGPOLL_CONF_REDIS_UNSET
            || cluster->replicas != NGX_HTTP_LONGPOLL_CONF_REDIS_UNSET
            || cluster->timeout != NGX_HTTP_LONGPOLL_CONF_REDIS_UNSET
            || cluster->same != NGX_HTTP_LONGPOLL_CONF_REDIS_UNSET)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"auth\", \"ca\", \"keep\", \"keys\", "
                               "\"replicas\", \"timeout\" and \"restart\" need "
                               "\"redis=URL\"");
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (cluster->ca.len && cluster->kind != NGX_HTTP_LONGPOLL_CLUSTER_TLS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ca\" needs \"redis=rediss://...\"");
        return NGX_CONF_ERROR;
    }

#define ngx_http_longpoll_conf_redis_default(field, value)                    \
    if (cluster->field == NGX_HTTP_LONGPOLL_CONF_REDIS_UNSET) {               \
        cluster->field = value;                                               \
    }

    ngx_http_longpoll_conf_redis_default(keep, size);
    ngx_http_longpoll_conf_redis_default(keys, 600 * 1000);
    ngx_http_longpoll_conf_redis_default(replicas, 0);
    ngx_http_longpoll_conf_redis_default(timeout, 5000);
    ngx_http_longpoll_conf_redis_default(same, 0);

    if (cluster->kind == NGX_HTTP_LONGPOLL_CLUSTER_TLS
        && ngx_http_longpoll_tls_create(cf, cluster) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    prefix = cluster->key;

    if (ngx_http_longpoll_conf_redis_key(cf, &cluster->log, &prefix, zone,
                                         "log")
        != NGX_OK
        || ngx_http_longpoll_conf_redis_key(cf, &cluster->life, &prefix, zone,
                                            "life")
           != NGX_OK
        || ngx_http_longpoll_conf_redis_key(cf, &cluster->number, &prefix, zone,
                                            "number")
           != NGX_OK
        || ngx_http_longpoll_conf_redis_key(cf, &cluster->key, &prefix, zone,
                                            "key:")
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* PREFIX:{ZONE}:WHAT; the braces keep the keys together in Redis Cluster */

static ngx_int_t
ngx_http_longpoll_conf_redis_key(ngx_conf_t *cf, ngx_str_t *key,
    ngx_str_t *prefix, ngx_str_t *zone, const char *what)
{
    key->len = prefix->len + zone->len + ngx_strlen(what) + 4;
    key->data = ngx_pnalloc(cf->pool, key->len);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(key->data, "%V:{%V}:%s", prefix, zone, what);

    return NGX_OK;
}
