
/*
 * ngx_http_longpoll_link.c: the way to the master of a zone's Redis.
 *
 *     open ──▶ resolve ──▶ connect ──▶ AUTH, SELECT, INFO ──▶ up
 *                 │           │                 │              │
 *                 └───────────┴─────────────────┴──────────────┴──▶ down
 *
 * The three commands are sent together.  The first reply that is an error says
 * why the link is down.  INFO says whether this is a Redis that the zone can
 * use: 7.0 or newer, a master, no node of a Redis Cluster, its data loaded.
 *
 * Sentinels are asked each time, and once more every two seconds while the link
 * is up: a master that was replaced may not know it yet.  The Sentinel that has
 * named a master is asked first the next time, unless that one was no use.
 */


#include "ngx_http_longpoll_link.h"
#include "ngx_http_longpoll_info.h"
#include "ngx_http_longpoll_lives.h"


#define NGX_HTTP_LONGPOLL_LINK_VERSION  7

/* ms between two questions to the Sentinels */
#define NGX_HTTP_LONGPOLL_LINK_ASK      2000


static void ngx_http_longpoll_link_resolved(void *data, ngx_addr_t *addr,
    const char *reason);
static void ngx_http_longpoll_link_connect(ngx_http_longpoll_link_t *link,
    ngx_addr_t *addr);
static void ngx_http_longpoll_link_connected(void *data, ngx_int_t rc,
    ngx_str_t *reason);
static void ngx_http_longpoll_link_lost(ngx_http_longpoll_link_t *link,
    ngx_str_t *reason);
static void ngx_http_longpoll_link_ask(ngx_http_longpoll_link_t *link);
static void ngx_http_longpoll_link_timer(ngx_event_t *ev);
static void ngx_http_longpoll_link_sentinel_handler(void *data, ngx_int_t rc,
    ngx_addr_t *addr);
static ngx_int_t ngx_http_longpoll_link_greet(ngx_http_longpoll_link_t *link);
static ngx_int_t ngx_http_longpoll_link_ask_info(
    ngx_http_longpoll_link_t *link, ngx_http_longpoll_redis_t *redis,
    ngx_msec_t block);
static void ngx_http_longpoll_link_greeted(void *data,
    ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_link_informed(void *data,
    ngx_http_longpoll_reply_t *reply);
static const char *ngx_http_longpoll_link_check(ngx_http_longpoll_link_t *link,
    ngx_str_t *text);
static void ngx_http_longpoll_link_refuse(ngx_http_longpoll_link_t *link,
    const char *fmt, ...);
static void ngx_http_longpoll_link_refused(ngx_event_t *ev);


void
ngx_http_longpoll_link_open(ngx_http_longpoll_link_t *link)
{
    ngx_http_longpoll_cluster_server_t  *server;

    link->reason.len = 0;
    link->reason.data = link->text;
    link->informing = 0;

    link->refused.handler = ngx_http_longpoll_link_refused;
    link->refused.data = link;
    link->refused.log = link->log;

    server = &link->cluster->servers[0];
    link->name = &server->name;

    if (link->cluster->kind == NGX_HTTP_LONGPOLL_CLUSTER_SENTINEL) {
        ngx_http_longpoll_link_ask(link);

    } else {
        link->resolve.cluster = link->cluster;
        link->resolve.handler = ngx_http_longpoll_link_resolved;
        link->resolve.data = link;

        ngx_http_longpoll_resolve(&link->resolve, server);
    }
}


void
ngx_http_longpoll_link_close(ngx_http_longpoll_link_t *link)
{
    ngx_http_longpoll_redis_t  *redis;

    if (link->refused.posted) {
        ngx_delete_posted_event(&link->refused);
    }

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    ngx_http_longpoll_sentinel_stop(&link->sentinel);
    ngx_http_longpoll_resolve_stop(&link->resolve);

    redis = link->redis ? link->redis : link->opening;

    link->redis = NULL;
    link->opening = NULL;

    if (redis) {
        ngx_http_longpoll_redis_close(redis);
    }
}


/*
 * the address
 */


static void
ngx_http_longpoll_link_resolved(void *data, ngx_addr_t *addr,
    const char *reason)
{
    ngx_http_longpoll_link_t *link = data;

    if (addr) {
        ngx_http_longpoll_link_connect(link, addr);
        return;
    }

    ngx_http_longpoll_link_refuse(link, "the name was not resolved: %s",
                                  reason);
}


static void
ngx_http_longpoll_link_connect(ngx_http_longpoll_link_t *link,
    ngx_addr_t *addr)
{
    link->opening = ngx_http_longpoll_redis_connect(link->cluster,
                                          &link->cluster->servers[0], addr,
                                          link->limit,
                                          ngx_http_longpoll_link_connected,
                                          link, link->log);
    if (link->opening == NULL) {
        ngx_http_longpoll_link_refuse(link, "no memory");
    }
}


/* the connection is there; or it could not be made, or is lost */

static void
ngx_http_longpoll_link_connected(void *data, ngx_int_t rc, ngx_str_t *reason)
{
    ngx_http_longpoll_link_t *link = data;

    if (rc == NGX_OK) {

        if (ngx_http_longpoll_link_greet(link) != NGX_OK) {
            ngx_http_longpoll_link_close(link);
            ngx_http_longpoll_link_refuse(link, "no memory");
        }

        return;
    }

    ngx_http_longpoll_link_lost(link, reason);
}


/*
 * A link that was never up may have been to a server that is not the master:
 * then the next Sentinel is asked first.
 */

static void
ngx_http_longpoll_link_lost(ngx_http_longpoll_link_t *link, ngx_str_t *reason)
{
    if (link->redis == NULL) {
        link->sentinel.next++;
    }

    ngx_http_longpoll_link_close(link);

    link->handler(link->data, NGX_ERROR, reason);
}


/*
 * Sentinels
 */


static void
ngx_http_longpoll_link_ask(ngx_http_longpoll_link_t *link)
{
    link->sentinel.cluster = link->cluster;
    link->sentinel.log = link->log;
    link->sentinel.handler = ngx_http_longpoll_link_sentinel_handler;
    link->sentinel.data = link;

    link->dummy.fd = (ngx_socket_t) -1;
    link->dummy.data = link;
    link->timer.handler = ngx_http_longpoll_link_timer;
    link->timer.data = &link->dummy;
    link->timer.log = link->log;
    link->timer.cancelable = 1;

    ngx_http_longpoll_sentinel_ask(&link->sentinel);
}


static void
ngx_http_longpoll_link_timer(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_http_longpoll_link_t  *link;

    c = ev->data;
    link = c->data;

    ngx_add_timer(ev, NGX_HTTP_LONGPOLL_LINK_ASK);

    if (!ngx_http_longpoll_sentinel_is_asking(&link->sentinel)) {
        ngx_http_longpoll_sentinel_ask(&link->sentinel);
    }
}


/* while the link is up, only another address means something */

static void
ngx_http_longpoll_link_sentinel_handler(void *data, ngx_int_t rc,
    ngx_addr_t *addr)
{
    ngx_str_t                  reason;
    ngx_http_longpoll_link_t  *link = data;

    if (link->redis == NULL) {

        if (rc != NGX_OK) {
            ngx_http_longpoll_link_refuse(link, "no Sentinel knows \"%V\"",
                                          &link->cluster->master);
            return;
        }

        ngx_memcpy(&link->sockaddr, addr->sockaddr, addr->socklen);
        link->addr.sockaddr = &link->sockaddr.sockaddr;
        link->addr.socklen = addr->socklen;

        link->master.data = link->master_text;
        link->master.len = ngx_sock_ntop(addr->sockaddr, addr->socklen,
                                         link->master_text,
                                         NGX_SOCKADDR_STRLEN, 1);
        link->name = &link->master;

        ngx_http_longpoll_link_connect(link, &link->addr);
        return;
    }

    if (rc == NGX_OK
        && ngx_cmp_sockaddr(addr->sockaddr, addr->socklen, link->addr.sockaddr,
                            link->addr.socklen, 1)
           != NGX_OK)
    {
        ngx_str_set(&reason, "the Sentinels name another master");

        ngx_http_longpoll_link_lost(link, &reason);
    }
}


/*
 * the greeting
 */


static ngx_int_t
ngx_http_longpoll_link_greet(ngx_http_longpoll_link_t *link)
{
    ngx_str_t                     argv[3];
    ngx_uint_t                    argc;
    ngx_http_longpoll_redis_t    *redis;
    ngx_http_longpoll_cluster_t  *cluster;

    redis = link->opening;
    cluster = link->cluster;

    if (cluster->password.len) {
        argc = 0;
        ngx_str_set(&argv[argc], "AUTH");
        argc++;

        if (cluster->user.len) {
            argv[argc++] = cluster->user;
        }

        argv[argc++] = cluster->password;

        if (ngx_http_longpoll_redis_command(redis, argv, argc, 0,
                                            ngx_http_longpoll_link_greeted,
                                            link)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_str_set(&argv[0], "SELECT");
    argv[1] = cluster->db;

    if ((cluster->db.len > 1 || cluster->db.data[0] != '0')
        && ngx_http_longpoll_redis_command(redis, argv, 2, 0,
                                           ngx_http_longpoll_link_greeted, link)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_longpoll_link_ask_info(link, redis, 0);
}


void
ngx_http_longpoll_link_inform(ngx_http_longpoll_link_t *link, ngx_msec_t block)
{
    if (link->redis && !link->informing) {
        (void) ngx_http_longpoll_link_ask_info(link, link->redis, block);
    }
}


static ngx_int_t
ngx_http_longpoll_link_ask_info(ngx_http_longpoll_link_t *link,
    ngx_http_longpoll_redis_t *redis, ngx_msec_t block)
{
    ngx_int_t  rc;
    ngx_str_t  word;

    ngx_str_set(&word, "INFO");

    rc = ngx_http_longpoll_redis_command(redis, &word, 1, block,
                                         ngx_http_longpoll_link_informed, link);

    link->informing = (rc == NGX_OK);

    return rc;
}


static void
ngx_http_longpoll_link_greeted(void *data, ngx_http_longpoll_reply_t *reply)
{
    u_char                    *p;
    ngx_uint_t                 i;
    ngx_http_longpoll_link_t  *link = data;

    if (reply == NULL || reply->type != NGX_HTTP_LONGPOLL_REPLY_ERROR
        || link->reason.len)
    {
        return;
    }

    p = ngx_slprintf(link->text, link->text + sizeof(link->text),
                     "Redis says \"%V\"", &reply->str);
    link->reason.len = p - link->text;

    for (i = 0; i < link->reason.len; i++) {

        if (link->text[i] < 0x20 || link->text[i] > 0x7e) {
            link->text[i] = '?';
        }
    }
}


static void
ngx_http_longpoll_link_informed(void *data, ngx_http_longpoll_reply_t *reply)
{
    const char                *why;
    ngx_http_longpoll_link_t  *link = data;

    link->informing = 0;

    if (reply == NULL) {
        return;
    }

    ngx_http_longpoll_link_greeted(link, reply);

    if (link->reason.len == 0) {
        why = "INFO is no text";

        if (reply->type == NGX_HTTP_LONGPOLL_REPLY_STRING) {
            why = ngx_http_longpoll_link_check(link, &reply->str);
        }

        if (why == NULL && link->redis) {
            return;
        }

        if (why == NULL) {
            link->redis = link->opening;
            link->opening = NULL;

            if (link->timer.handler) {
                ngx_add_timer(&link->timer, NGX_HTTP_LONGPOLL_LINK_ASK);
            }

            link->handler(link->data, NGX_OK, NULL);
            return;
        }

        ngx_http_longpoll_link_refuse(link, "%s", why);
    }

    ngx_http_longpoll_link_lost(link, &link->reason);
}


/* NULL, or why the zone cannot use this Redis */

static const char *
ngx_http_longpoll_link_check(ngx_http_longpoll_link_t *link, ngx_str_t *text)
{
    u_char                    buf[NGX_HTTP_LONGPOLL_LINK_RUN];
    ngx_str_t                 run, none;
    ngx_http_longpoll_info_t  info;

    if (ngx_http_longpoll_info_parse(&info, text) != NGX_OK) {
        return "INFO says too little";
    }

    if (info.major < NGX_HTTP_LONGPOLL_LINK_VERSION) {
        return "it is older than Redis 7.0";
    }

    if (info.cluster) {
        return "it is a node of a Redis Cluster";
    }

    if (!info.master) {
        return "it is not a master";
    }

    if (info.loading) {
        return "it is loading its data";
    }

    link->evicts = info.policy.len
                   && (info.policy.len != sizeof("noeviction") - 1
                       || ngx_strncmp(info.policy.data, "noeviction",
                                      info.policy.len)
                          != 0);

    ngx_str_set(&none, "0");

    run.data = buf;
    run.len = ngx_slprintf(buf, buf + sizeof(buf), "%V.%V", &info.run_id,
                           info.unpromoted ? &none : &info.replid)
              - buf;

    if (link->redis && !ngx_http_longpoll_lives_same(&link->run, &run)) {
        return "it is another master than before";
    }

    link->run.data = link->run_text;
    link->run.len = run.len;
    ngx_memcpy(link->run_text, run.data, run.len);

    return NULL;
}


/*
 * no way
 */


/* sets the reason, and tells the owner in the next turn */

static void
ngx_http_longpoll_link_refuse(ngx_http_longpoll_link_t *link,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    link->reason.len = ngx_vslprintf(link->text,
                                     link->text + sizeof(link->text), fmt,
                                     args)
                       - link->text;
    va_end(args);

    ngx_post_event(&link->refused, &ngx_posted_events);
}


static void
ngx_http_longpoll_link_refused(ngx_event_t *ev)
{
    ngx_http_longpoll_link_t  *link;

    link = ev->data;

    link->handler(link->data, NGX_ERROR, &link->reason);
}
