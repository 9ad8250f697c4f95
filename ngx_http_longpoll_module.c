
/*
 * ngx_http_longpoll_module.c: the directives, nginx's hooks, and a zone's life.
 *
 * src/conf/ parses the directives.  nginx calls, in this order:
 *
 *   init_main_conf  the whole of http is read: every zone is declared
 *   init_zone       makes the memory of a zone, or finds it again in a reload,
 *                   and takes what else the configuration needs.  An error here
 *                   refuses the reload.  The reload may still fail later, so
 *                   init_zone changes nothing in a zone that workers use.
 *   init_module     the reload has succeeded, or nginx starts: sets the new
 *                   parameters; at a start, loads the files.  A zone of another
 *                   size is a new zone, and takes over what the old one has.
 *                   An error here ends the master, so at a reload there is
 *                   none.
 *   init_process    a worker takes a slot, and begins to serve its polls
 *   exit_process    a worker closes what it writes and reads, and leaves
 *
 *   start         init_zone: make ──▶ init_module: load, configure
 *   reload        init_zone: inherit ─────────────┐
 *   a new zone    init_zone: make, load ──────────┼─▶ init_module: configure
 *   another size  init_zone: make ──▶ init_module: adopt the old, configure
 *   over Redis    the same without load and adopt: the workers fill the zone
 *
 * nginx -t runs init_zone and init_module as well; the latter does nothing
 * then.
 */


#include "ngx_http_longpoll_http.h"
#include "ngx_http_longpoll_cluster.h"
#include "ngx_http_longpoll_conf.h"
#include "ngx_http_longpoll_conf_category.h"
#include "ngx_http_longpoll_conf_location.h"
#include "ngx_http_longpoll_conf_persist.h"
#include "ngx_http_longpoll_conf_zone.h"
#include "ngx_http_longpoll_feed.h"
#include "ngx_http_longpoll_load.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_poll.h"
#include "ngx_http_longpoll_relay.h"
#include "ngx_http_longpoll_segment.h"
#include "ngx_http_longpoll_variable.h"
#include "ngx_http_longpoll_worker.h"
#include "ngx_http_longpoll_writer.h"
#include "ngx_http_longpoll_zone.h"
#include "ngx_http_longpoll_zone_adopt.h"
#include "ngx_http_longpoll_zone_clock.h"
#include "ngx_http_longpoll_zone_load.h"

#include <sys/random.h>


static char *ngx_http_longpoll_init_main_conf(ngx_conf_t *cf, void *conf);

static ngx_int_t ngx_http_longpoll_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_longpoll_make_zone(ngx_shm_zone_t *shm_zone);
static ngx_http_longpoll_zone_t *ngx_http_longpoll_running_zone(
    ngx_http_longpoll_zone_t *z);
static ngx_int_t ngx_http_longpoll_check_same(ngx_shm_zone_t *shm_zone,
    const char *what, ngx_str_t *from, ngx_str_t *to);
static ngx_int_t ngx_http_longpoll_open_log(ngx_http_longpoll_zone_t *z,
    ngx_log_t *log);
static ngx_int_t ngx_http_longpoll_load_zone(ngx_http_longpoll_zone_t *z,
    ngx_log_t *log);

static ngx_int_t ngx_http_longpoll_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_longpoll_init_process(ngx_cycle_t *cycle);
static void ngx_http_longpoll_exit_process(ngx_cycle_t *cycle);
static ngx_http_longpoll_main_conf_t *ngx_http_longpoll_cycle_conf(
    ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_longpoll_commands[] = {

    { ngx_string("longpoll_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_longpoll_conf_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_subscribe"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_HTTP_LMT_CONF|NGX_CONF_1MORE,
      ngx_http_longpoll_conf_location_subscribe,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_publish"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_HTTP_LMT_CONF|NGX_CONF_1MORE,
      ngx_http_longpoll_conf_location_publish,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_delete"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_HTTP_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_longpoll_conf_location_delete,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_category"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF
                        |NGX_CONF_1MORE,
      ngx_http_longpoll_conf_category,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_longpoll_conf_location_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_max_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_longpoll_conf_time,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_longpoll_loc_conf_t, max_timeout),
      &ngx_http_longpoll_conf_max_timeout },

    { ngx_string("longpoll_max_response_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_longpoll_conf_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_longpoll_loc_conf_t, max_response_size),
      NULL },

    { ngx_string("longpoll_stream"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_longpoll_conf_stream,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_heartbeat"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_longpoll_conf_time,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_longpoll_loc_conf_t, heartbeat),
      NULL },

    { ngx_string("longpoll_error_status"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_longpoll_conf_error_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_drain"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_longpoll_conf_time,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_longpoll_main_conf_t, drain),
      NULL },

    { ngx_string("longpoll_max_unsent"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_longpoll_conf_size,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_longpoll_main_conf_t, max_unsent),
      &ngx_http_longpoll_conf_max_unsent },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_longpoll_module_ctx = {
    ngx_http_longpoll_variable_add,        /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_longpoll_conf_create_main,    /* create main configuration */
    ngx_http_longpoll_init_main_conf,      /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_longpoll_conf_create_loc,     /* create location configuration */
    ngx_http_longpoll_conf_merge_loc       /* merge location configuration */
};


ngx_module_t  ngx_http_longpoll_module = {
    NGX_MODULE_V1,
    &ngx_http_longpoll_module_ctx,         /* module context */
    ngx_http_longpoll_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_longpoll_init_module,         /* init module */
    ngx_http_longpoll_init_process,        /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_longpoll_exit_process,        /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_longpoll_none = ngx_string("none");
static ngx_str_t  ngx_http_longpoll_empty = ngx_null_string;


/* ms: so long after a reload old workers begin to leave, at the latest */

#define NGX_HTTP_LONGPOLL_LEAVING  1000


#define ngx_http_longpoll_redis_url(z)                                        \
    ((z)->cluster ? &(z)->cluster->url : &ngx_http_longpoll_empty)


static char *
ngx_http_longpoll_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_longpoll_main_conf_t *lmcf = conf;

    ngx_uint_t                      i;
    ngx_http_longpoll_reference_t  *ref;

    if (ngx_http_longpoll_conf_init_main(cf, lmcf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    ref = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {
        ref[i].shm_zone->init = ngx_http_longpoll_init_zone;
    }

    return NGX_CONF_OK;
}


/*
 * data is the old zone, if nginx keeps its memory.  Newer versions of nginx
 * also pass it when the size has changed.
 */

static ngx_int_t
ngx_http_longpoll_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_longpoll_zone_t *old = data;

    ngx_slab_pool_t           *shpool;
    ngx_http_longpoll_zone_t  *z;

    z = shm_zone->data;
    z->old = ngx_http_longpoll_running_zone(z);

    if (z->old
        && (ngx_http_longpoll_check_same(shm_zone, "persist", &z->old->persist,
                                         &z->persist)
            != NGX_OK
            || ngx_http_longpoll_check_same(shm_zone, "presence",
                                            &z->old->presence, &z->presence)
               != NGX_OK
            || ngx_http_longpoll_check_same(shm_zone, "redis",
                                            ngx_http_longpoll_redis_url(z->old),
                                            ngx_http_longpoll_redis_url(z))
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (ngx_http_longpoll_conf_check_connections(z->cycle) != NGX_OK
        || ngx_http_longpoll_conf_persist_check(z, shm_zone->shm.log) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_test_config
        && (ngx_http_longpoll_notify_hold(z->cycle) != NGX_OK
            || ngx_http_longpoll_open_log(z, shm_zone->shm.log) != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (old && (u_char *) old->sh > shm_zone->shm.addr
        && (u_char *) old->sh < shm_zone->shm.addr + shm_zone->shm.size)
    {
        ngx_http_longpoll_zone_inherit(z, old);
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    z->mutex = &shpool->mutex;

    if (shm_zone->shm.exists) {
        return ngx_http_longpoll_zone_init(z, shpool->data,
                                           shpool->end
                                           - (u_char *) shpool->data,
                                           1, NULL, 0);
    }

    if (ngx_http_longpoll_make_zone(shm_zone) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * When nginx starts, it must have its sockets first, and a zone of another
     * size takes over the old one once the reload has succeeded: init_module.
     */

    if (z->old || ngx_test_config || ngx_is_init_cycle(ngx_cycle)) {
        return NGX_OK;
    }

    return ngx_http_longpoll_load_zone(z, shm_zone->shm.log);
}


static ngx_int_t
ngx_http_longpoll_make_zone(ngx_shm_zone_t *shm_zone)
{
    size_t                     size;
    u_char                    *addr, random[3 * sizeof(uint64_t)];
    ngx_slab_pool_t           *shpool;
    ngx_http_longpoll_zone_t  *z;

    z = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    /* the zone takes all pages at once; nothing else is allocated here */

    size = shpool->pfree * ngx_pagesize;
    addr = ngx_slab_alloc(shpool, size);

    if (addr == NULL) {
        return NGX_ERROR;
    }

    shpool->data = addr;
    shpool->log_nomem = 0;

    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, ngx_errno,
                      "longpoll_zone \"%V\": getrandom() failed", &z->name);
        return NGX_ERROR;
    }

    if (ngx_http_longpoll_zone_init(z, addr, size, 0, random,
                                    ngx_http_longpoll_now())
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "longpoll_zone \"%V\" is too small, give it a larger "
                      "size", &z->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * The zone of this name in the configuration that runs now; NULL: none.  While
 * nginx reloads, ngx_cycle is still the old cycle; when it starts, that has no
 * zones.
 */

static ngx_http_longpoll_zone_t *
ngx_http_longpoll_running_zone(ngx_http_longpoll_zone_t *z)
{
    ngx_str_t        *name;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_shm_zone_t   *zones;

    part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;

    for ( /* void */ ; part; part = part->next) {
        zones = part->elts;

        for (i = 0; i < part->nelts; i++) {
            name = &zones[i].shm.name;

            if (zones[i].tag == &ngx_http_longpoll_module
                && name->len == z->name.len
                && ngx_strncmp(name->data, z->name.data, name->len) == 0)
            {
                return zones[i].data;
            }
        }
    }

    return NULL;
}


/*
 * A zone and its file are loaded and written as one, so a reload cannot give
 * the zone another file; nor another category of presence, which belongs to
 * those who follow its events; nor another Redis, whose ids the events have.
 */

static ngx_int_t
ngx_http_longpoll_check_same(ngx_shm_zone_t *shm_zone, const char *what,
    ngx_str_t *from, ngx_str_t *to)
{
    ngx_http_longpoll_zone_t  *z;

    z = shm_zone->data;

    if (from->len == to->len
        && (to->len == 0 || ngx_strncmp(from->data, to->data, to->len) == 0))
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                  "longpoll_zone \"%V\": \"%s\" cannot be changed from "
                  "\"%V\" to \"%V\" by a reload, only by a restart", &z->name,
                  what, from->len ? from : &ngx_http_longpoll_none,
                  to->len ? to : &ngx_http_longpoll_none);

    return NGX_ERROR;
}


/* what all processes of this nginx share of the zone's log */

static ngx_int_t
ngx_http_longpoll_open_log(ngx_http_longpoll_zone_t *z, ngx_log_t *log)
{
    if (z->persist.len == 0) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_segment_share(z) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "longpoll_zone \"%V\": the directory of \"%V\" cannot "
                      "be opened, the user who starts nginx must be able "
                      "to read it", &z->name, &z->persist);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Fills a new zone from its log.  Another nginx may write to it: one that is
 * about to end, or the old one in a binary upgrade.
 */

static ngx_int_t
ngx_http_longpoll_load_zone(ngx_http_longpoll_zone_t *z, ngx_log_t *log)
{
    if (z->persist.len == 0 || !ngx_http_longpoll_zone_is_new(z)) {
        return NGX_OK;
    }

    return ngx_http_longpoll_load(z, ngx_http_longpoll_segment_lock(z)
                                     != NGX_OK, NULL, log);
}


static ngx_int_t
ngx_http_longpoll_init_module(ngx_cycle_t *cycle)
{
    uint64_t                        wake, now;
    ngx_msec_t                      drain;
    ngx_uint_t                      i;
    ngx_http_longpoll_zone_t       *z;
    ngx_http_longpoll_reference_t  *ref;
    ngx_http_longpoll_main_conf_t  *lmcf, *old;

    lmcf = ngx_http_longpoll_cycle_conf(cycle);

    if (ngx_test_config || lmcf == NULL) {
        return NGX_OK;
    }

    ref = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {
        z = ref[i].zone;

        if (z->cluster) {

            /* a new zone is filled from Redis */

        } else if (z->old && z->old->sh != z->sh) {
            /*
             * Old workers drain by their own configuration, and begin after
             * this: nginx starts new ones first, and waits for 100 ms.
             */

            old = ngx_http_longpoll_cycle_conf(cycle->old_cycle);
            drain = old ? ngx_max(old->drain, lmcf->drain) : lmcf->drain;

            now = ngx_http_longpoll_zone_clock_now(z->old);
            wake = ngx_http_longpoll_zone_adopt(z, z->old, now,
                                       now + drain
                                       + NGX_HTTP_LONGPOLL_LEAVING);
            ngx_http_longpoll_notify_wake(wake
                                          & ngx_http_longpoll_notify_alive());

        } else if (ngx_http_longpoll_load_zone(z, cycle->log) != NGX_OK) {
            return NGX_ERROR;
        }

        z->old = NULL;

        ngx_http_longpoll_zone_configure(z);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_zone_t       *z;
    ngx_http_longpoll_reference_t  *ref;
    ngx_http_longpoll_main_conf_t  *lmcf;

    /* cache manager and cache loader are processes, too */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    lmcf = ngx_http_longpoll_cycle_conf(cycle);

    if (lmcf == NULL) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_poll_init_process(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ref = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {
        z = ref[i].zone;

        if (z->persist.len
            && ngx_http_longpoll_writer_init_process(cycle, z) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (z->cluster
            && (ngx_http_longpoll_relay_init_process(cycle, z) != NGX_OK
                || ngx_http_longpoll_feed_init_process(cycle, z) != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_longpoll_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_reference_t  *ref;
    ngx_http_longpoll_main_conf_t  *lmcf;

    lmcf = ngx_http_longpoll_cycle_conf(cycle);

    if (lmcf == NULL) {
        return;
    }

    ref = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {
        ngx_http_longpoll_writer_exit_process(ref[i].zone);

        if (ref[i].zone->cluster) {
            ngx_http_longpoll_relay_exit_process(ref[i].zone);
            ngx_http_longpoll_feed_exit_process(ref[i].zone);
        }
    }

    ngx_http_longpoll_worker_exit_process();
}


/* NULL: there is no http, or no zone in it */

static ngx_http_longpoll_main_conf_t *
ngx_http_longpoll_cycle_conf(ngx_cycle_t *cycle)
{
    ngx_http_longpoll_main_conf_t  *lmcf;

    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {
        return NULL;
    }

    lmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_longpoll_module);

    return lmcf->references.nelts ? lmcf : NULL;
}
