
/*
 * ngx_http_longpoll_module.c: directives, and what nginx calls.
 *
 *   configuration   zones are mentioned (subscribe, publish, delete, status)
 *                   and declared (longpoll_zone), in any order; at the end of
 *                   http every mention must have been declared
 *   init_zone       makes the zone, or finds it again after a reload; changes
 *                   nothing that a live zone says, for the reload may still
 *                   fail
 *   init_module     the reload has succeeded: new parameters
 *   init_process    a worker gets a number and looks after its polls
 *
 * A location that subscribes, publishes and deletes has one handler, which goes
 * by the method.
 */


#include "ngx_http_longpoll_http.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_delete.h"
#include "ngx_http_longpoll_load.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_persist.h"
#include "ngx_http_longpoll_publish.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_status.h"
#include "ngx_http_longpoll_subscribe.h"
#include "ngx_http_longpoll_variable.h"
#include "ngx_http_longpoll_worker.h"
#include "ngx_http_longpoll_zone.h"

#include <sys/random.h>


static ngx_int_t ngx_http_longpoll_handler(ngx_http_request_t *r);

static ngx_int_t ngx_http_longpoll_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_longpoll_init_persist(ngx_shm_zone_t *shm_zone);
static ngx_int_t ngx_http_longpoll_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_longpoll_init_process(ngx_cycle_t *cycle);
static void ngx_http_longpoll_exit_process(ngx_cycle_t *cycle);
static ngx_uint_t ngx_http_longpoll_zones(ngx_cycle_t *cycle);

static void *ngx_http_longpoll_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_longpoll_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_longpoll_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_longpoll_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

static char *ngx_http_longpoll_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_longpoll_zone_name_size(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *name, ssize_t *size);
static char *ngx_http_longpoll_zone_parameter(ngx_conf_t *cf,
    ngx_str_t *value, ngx_http_longpoll_zone_conf_t *zcf);
static char *ngx_http_longpoll_zone_persist(ngx_conf_t *cf,
    ngx_str_t *value, ngx_str_t *path);
#if (NGX_THREADS)
static ngx_int_t ngx_http_longpoll_same_files(ngx_conf_t *cf, ngx_str_t *one,
    ngx_str_t *two);
static ngx_int_t ngx_http_longpoll_directory(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *dir);
#endif
static ngx_http_longpoll_reference_t *ngx_http_longpoll_reference(ngx_conf_t *cf,
    ngx_str_t *name, ngx_str_t *directive);
static char *ngx_http_longpoll_subscribe(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_longpoll_publish(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_longpoll_delete(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_longpoll_use(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_longpoll_loc_conf_t *llcf, ngx_http_longpoll_zone_t **zone);
static char *ngx_http_longpoll_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_longpoll_check_timeout(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_longpoll_check_error_status(ngx_conf_t *cf, void *post,
    void *data);


static ngx_conf_post_t  ngx_http_longpoll_timeout_post =
    { ngx_http_longpoll_check_timeout };

static ngx_conf_post_t  ngx_http_longpoll_error_status_post =
    { ngx_http_longpoll_check_error_status };


static ngx_command_t  ngx_http_longpoll_commands[] = {

    { ngx_string("longpoll_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_longpoll_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_subscribe"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_HTTP_LMT_CONF|NGX_CONF_1MORE,
      ngx_http_longpoll_subscribe,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_publish"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_HTTP_LMT_CONF|NGX_CONF_1MORE,
      ngx_http_longpoll_publish,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_delete"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_HTTP_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_longpoll_delete,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_category"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF
                        |NGX_CONF_1MORE,
      ngx_http_longpoll_category,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_longpoll_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("longpoll_max_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF
                        |NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_longpoll_loc_conf_t, max_timeout),
      &ngx_http_longpoll_timeout_post },

    { ngx_string("longpoll_max_response_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF
                        |NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_longpoll_loc_conf_t, max_response_size),
      NULL },

    { ngx_string("longpoll_error_status"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF
                        |NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_longpoll_loc_conf_t, error_status),
      &ngx_http_longpoll_error_status_post },

    { ngx_string("longpoll_drain"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_longpoll_main_conf_t, drain),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_longpoll_module_ctx = {
    ngx_http_longpoll_variable_add,        /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_longpoll_create_main_conf,    /* create main configuration */
    ngx_http_longpoll_init_main_conf,      /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_longpoll_create_loc_conf,     /* create location configuration */
    ngx_http_longpoll_merge_loc_conf       /* merge location configuration */
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


static ngx_str_t  ngx_http_longpoll_no_file = ngx_string("none");


/* what a location allows: 1 subscribing, 2 publishing, 4 deleting */

typedef struct {
    ngx_str_t  allow;
    ngx_str_t  error;
} ngx_http_longpoll_methods_t;

static ngx_http_longpoll_methods_t  ngx_http_longpoll_methods[] = {

    { ngx_null_string, ngx_null_string },

    { ngx_string("GET, HEAD, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only GET allowed.") },

    { ngx_string("POST, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only POST allowed.") },

    { ngx_string("GET, HEAD, POST, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only GET and POST allowed.") },

    { ngx_string("POST, DELETE, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only POST and DELETE allowed.") },

    { ngx_string("GET, HEAD, POST, DELETE, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only GET, POST and DELETE allowed.") },

    { ngx_string("POST, DELETE, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only POST and DELETE allowed.") },

    { ngx_string("GET, HEAD, POST, DELETE, OPTIONS"),
      ngx_string("Invalid HTTP Method. Only GET, POST and DELETE allowed.") }
};


static ngx_int_t
ngx_http_longpoll_handler(ngx_http_request_t *r)
{
    ngx_http_longpoll_ctx_t       *ctx;
    ngx_http_longpoll_methods_t   *methods;
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);

    if (llcf->subscribe && (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_longpoll_subscribe_handler(r);
    }

    if (llcf->publish && (r->method & NGX_HTTP_POST)) {
        return ngx_http_longpoll_publish_handler(r);
    }

    if (llcf->remove && (r->method & (NGX_HTTP_DELETE|NGX_HTTP_POST))) {
        return ngx_http_longpoll_delete_handler(r);
    }

    methods = &ngx_http_longpoll_methods[(llcf->subscribe != NULL)
                                         | (llcf->publish != NULL) << 1
                                         | (llcf->remove != NULL) << 2];

    if (r->method != NGX_HTTP_OPTIONS) {
        ctx = ngx_http_longpoll_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->result = NGX_HTTP_LONGPOLL_ERROR;
    }

    return ngx_http_longpoll_response_method(r, &methods->allow,
                                             &methods->error);
}


static ngx_int_t
ngx_http_longpoll_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_longpoll_zone_t *old = data;

    size_t                     size;
    u_char                    *addr, random[3 * sizeof(uint64_t)];
    ngx_slab_pool_t           *shpool;
    ngx_http_longpoll_zone_t  *z;

    z = shm_zone->data;

    if (ngx_http_longpoll_init_persist(shm_zone) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the newer nginx hands over the data of a zone of another size, too */

    if (old && (u_char *) old->sh > shm_zone->shm.addr
        && (u_char *) old->sh < shm_zone->shm.addr + shm_zone->shm.size)
    {
        ngx_http_longpoll_zone_inherit(z, old);
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    z->mutex = &shpool->mutex;

    if (shm_zone->shm.exists) {
        addr = shpool->data;
        size = shpool->end - addr;

        return ngx_http_longpoll_zone_init(z, addr, size, 1, NULL, 0);
    }

    /* all of it in one piece, once: the slab has nothing more to do */

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
                      "longpoll_zone \"%V\" is too small", &z->name);
        return NGX_ERROR;
    }

    if (z->old) {
        return ngx_http_longpoll_zone_adopt(z, z->old, ngx_http_longpoll_now(),
                                           shm_zone->shm.log);
    }

    return NGX_OK;
}


/*
 * A file belongs to a zone from its making on: what is in the one and in the
 * other must agree.
 */

static ngx_int_t
ngx_http_longpoll_init_persist(ngx_shm_zone_t *shm_zone)
{
    ngx_uint_t                 i;
    ngx_list_part_t           *part;
    ngx_shm_zone_t            *zones;
    ngx_http_longpoll_zone_t  *z, *old;

    z = shm_zone->data;

    /* in a reload the cycle is still the old one; before it has none */

    part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;

    for (zones = part->elts, i = 0; part; i++) {

        if (i >= part->nelts) {
            part = part->next;

            if (part == NULL) {
                break;
            }

            zones = part->elts;
            i = 0;
        }

        if (zones[i].tag != &ngx_http_longpoll_module
            || zones[i].shm.name.len != z->name.len
            || ngx_strncmp(zones[i].shm.name.data, z->name.data, z->name.len)
               != 0)
        {
            continue;
        }

        old = zones[i].data;

        if (old->persist.len != z->persist.len
            || (z->persist.len
                && ngx_strncmp(old->persist.data, z->persist.data,
                               z->persist.len)
                   != 0))
        {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "longpoll_zone \"%V\": \"persist\" cannot be "
                          "changed from \"%V\" to \"%V\" by a reload, "
                          "only by a restart", &z->name,
                          old->persist.len ? &old->persist
                                           : &ngx_http_longpoll_no_file,
                          z->persist.len ? &z->persist
                                         : &ngx_http_longpoll_no_file);
            return NGX_ERROR;
        }

        z->old = old;

        break;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_zone_t       *z;
    ngx_http_longpoll_reference_t    *mention;
    ngx_http_longpoll_main_conf_t  *lmcf;

    if (ngx_test_config || !ngx_http_longpoll_zones(cycle)) {
        return NGX_OK;
    }

    lmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_longpoll_module);
    mention = lmcf->references.elts;

    if (ngx_http_longpoll_notify_init_module(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < lmcf->references.nelts; i++) {
        z = mention[i].zone;

        if (z->persist.len && z->sh->previous.epochs[0] == 0
            && !z->sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].on
            && ngx_http_longpoll_load(z, cycle->log) != NGX_OK)
        {
            return NGX_ERROR;
        }

        z->late = ngx_http_longpoll_notify_shared(&z->name);

        if (z->old && z->old->sh != z->sh) {
            ngx_http_longpoll_zone_moved(z, z->old);
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
    ngx_http_longpoll_reference_t    *mention;
    ngx_http_longpoll_main_conf_t  *lmcf;

    /* cache managers and loaders are processes, too */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    if (!ngx_http_longpoll_zones(cycle)) {
        return NGX_OK;
    }

    if (ngx_http_longpoll_subscribe_init_process(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    lmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_longpoll_module);
    mention = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {
        z = mention[i].zone;

        if (z->persist.len
            && ngx_http_longpoll_persist_init_process(cycle, z) != NGX_OK)
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
    ngx_http_longpoll_reference_t    *mention;
    ngx_http_longpoll_main_conf_t  *lmcf;

    if (!ngx_http_longpoll_zones(cycle)) {
        return;
    }

    lmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_longpoll_module);
    mention = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {
        ngx_http_longpoll_persist_exit_process(mention[i].zone);
    }

    ngx_http_longpoll_worker_exit_process();
}


/* how many zones there are */

static ngx_uint_t
ngx_http_longpoll_zones(ngx_cycle_t *cycle)
{
    ngx_http_longpoll_main_conf_t  *lmcf;

    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {
        return 0;
    }

    lmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_longpoll_module);

    return lmcf->references.nelts;
}


/*
 * configuration
 */


static void *
ngx_http_longpoll_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_longpoll_main_conf_t  *lmcf;

    lmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_longpoll_main_conf_t));
    if (lmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&lmcf->references, cf->pool, 4,
                       sizeof(ngx_http_longpoll_reference_t))
        != NGX_OK)
    {
        return NULL;
    }

    lmcf->drain = NGX_CONF_UNSET_MSEC;

    return lmcf;
}


/* called behind the whole of http: what was mentioned is declared by now */

static char *
ngx_http_longpoll_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_longpoll_main_conf_t *lmcf = conf;

    ngx_uint_t                    i;
    ngx_http_longpoll_reference_t  *mention;

    ngx_conf_init_msec_value(lmcf->drain, 1000);

    mention = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {

        if (mention[i].shm_zone == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown zone \"%V\" in \"%V\" in %s:%ui",
                          &mention[i].zone->name, &mention[i].directive,
                          mention[i].file, mention[i].line);
            return NGX_CONF_ERROR;
        }

        if (mention[i].gpoll_file && mention[i].zone->conf.delete_on_read) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"protocol=gpoll\" of \"longpoll_subscribe\" is "
                          "incompatible with \"delete_on_read\" of zone "
                          "\"%V\" in %s:%ui", &mention[i].zone->name,
                          mention[i].gpoll_file, mention[i].gpoll_line);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_longpoll_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_longpoll_loc_conf_t  *llcf;

    llcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_longpoll_loc_conf_t));
    if (llcf == NULL) {
        return NULL;
    }

    llcf->max_timeout = NGX_CONF_UNSET_MSEC;
    llcf->max_response_size = NGX_CONF_UNSET_SIZE;
    llcf->error_status = NGX_CONF_UNSET_UINT;
    llcf->category = NGX_CONF_UNSET_PTR;

    return llcf;
}


static char *
ngx_http_longpoll_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_longpoll_loc_conf_t *prev = parent;
    ngx_http_longpoll_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_msec_value(conf->max_timeout, prev->max_timeout, 120000);
    ngx_conf_merge_size_value(conf->max_response_size,
                              prev->max_response_size, 1024 * 1024);
    ngx_conf_merge_uint_value(conf->error_status, prev->error_status,
                              NGX_HTTP_OK);

    ngx_conf_merge_ptr_value(conf->category, prev->category, NULL);

    /* as proxy_pass is: nginx itself hands on no content handler */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname
        && conf->subscribe == NULL && conf->publish == NULL
        && conf->remove == NULL && !conf->status)
    {
        conf->subscribe = prev->subscribe;
        conf->gpoll = prev->gpoll;
        conf->gpoll_file = prev->gpoll_file;
        conf->gpoll_line = prev->gpoll_line;
        conf->publish = prev->publish;
        conf->format = prev->format;
        conf->remove = prev->remove;
        conf->status = prev->status;
        conf->status_zone = prev->status_zone;
        conf->status_format = prev->status_format;
    }

    if (conf->gpoll && conf->category == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"longpoll_category\" is defined for "
                      "\"protocol=gpoll\" of \"longpoll_subscribe\" in %s:%ui",
                      conf->gpoll_file, conf->gpoll_line);
        return NGX_CONF_ERROR;
    }

    if (clcf->lmt_excpt && clcf->handler == NULL) {

        if (conf->status) {
            clcf->handler = ngx_http_longpoll_status_handler;

        } else if (conf->subscribe || conf->publish || conf->remove) {
            clcf->handler = ngx_http_longpoll_handler;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_longpoll_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                           *rv;
    ssize_t                         size;
    ngx_str_t                      *value, name, path;
    ngx_uint_t                      i;
    ngx_http_longpoll_zone_t       *z;
    ngx_http_longpoll_reference_t    *mention;
    ngx_http_longpoll_zone_conf_t   zcf;

    value = cf->args->elts;
    name.len = 0;
    size = 0;

    ngx_str_null(&path);
    ngx_memzero(&zcf, sizeof(ngx_http_longpoll_zone_conf_t));
    zcf.buffer = 250;
    zcf.durable = (uint64_t) -1;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0) {
            rv = ngx_http_longpoll_zone_name_size(cf, &value[i], &name, &size);

        } else if (ngx_strncmp(value[i].data, "persist=", 8) == 0) {
            rv = ngx_http_longpoll_zone_persist(cf, &value[i], &path);

        } else {
            rv = ngx_http_longpoll_zone_parameter(cf, &value[i], &zcf);
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have \"zone\" parameter", &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (path.len == 0 && (zcf.flush || zcf.durable != (uint64_t) -1)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"flush\" and \"durable\" need \"persist\"");
        return NGX_CONF_ERROR;
    }

    if (path.len) {
        zcf.flush = zcf.flush ? zcf.flush : 5000;
    }

    zcf.durable = (zcf.durable == 1);

    mention = ngx_http_longpoll_reference(cf, &name, &cmd->name);
    if (mention == NULL) {
        return NGX_CONF_ERROR;
    }

    if (mention->shm_zone) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate %V \"%V\"", &cmd->name, &name);
        return NGX_CONF_ERROR;
    }

    mention->shm_zone = ngx_shared_memory_add(cf, &name, size,
                                              &ngx_http_longpoll_module);
    if (mention->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    z = mention->zone;
    z->size = size;
    z->conf = zcf;
    z->persist = path;

    mention->shm_zone->init = ngx_http_longpoll_init_zone;
    mention->shm_zone->data = z;

    return NGX_CONF_OK;
}


/* NAME:SIZE; a name can stand as it is in JSON, in a metric, in a log */

static char *
ngx_http_longpoll_zone_name_size(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *name, ssize_t *size)
{
    u_char     *p, *colon;
    ngx_str_t   s;

    name->data = value->data + 5;

    colon = (u_char *) ngx_strchr(name->data, ':');

    if (colon == NULL || colon == name->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    name->len = colon - name->data;

    for (p = name->data; p < colon; p++) {

        if (*p <= ' ' || *p >= 0x7f || *p == '"' || *p == '\\') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid zone name in \"%V\"", value);
            return NGX_CONF_ERROR;
        }
    }

    s.data = colon + 1;
    s.len = value->data + value->len - s.data;

    *size = ngx_parse_size(&s);

    if (*size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    if (*size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small", value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_longpoll_zone_parameter(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_longpoll_zone_conf_t *zcf)
{
    u_char      *p;
    uint64_t    *time, *flag;
    ngx_int_t    n;
    ngx_str_t    s;

    p = (u_char *) ngx_strchr(value->data, '=');

    if (p == NULL) {
        goto invalid;
    }

    p++;
    s.data = p;
    s.len = value->data + value->len - p;

    if (ngx_strncmp(value->data, "buffer=", 7) == 0) {
        n = ngx_atoi(s.data, s.len);

        if (n < 1 || n > 0x7fffffff) {
            goto invalid;
        }

        zcf->buffer = n;

        return NGX_CONF_OK;
    }

    flag = NULL;

    if (ngx_strncmp(value->data, "delete_on_read=", 15) == 0) {
        flag = &zcf->delete_on_read;

    } else if (ngx_strncmp(value->data, "durable=", 8) == 0) {
        flag = &zcf->durable;
    }

    if (flag) {

        if (ngx_strcmp(s.data, "on") == 0) {
            *flag = 1;

        } else if (ngx_strcmp(s.data, "off") == 0) {
            *flag = 0;

        } else {
            goto invalid;
        }

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "ttl=", 4) == 0) {
        time = &zcf->ttl;

    } else if (ngx_strncmp(value->data, "inactive=", 9) == 0) {
        time = &zcf->inactive;

    } else if (ngx_strncmp(value->data, "flush=", 6) == 0) {
        time = &zcf->flush;

    } else {
        goto invalid;
    }

    if (time != &zcf->flush && ngx_strcmp(s.data, "off") == 0) {
        *time = 0;
        return NGX_CONF_OK;
    }

    n = ngx_parse_time(&s, 0);

    if (n == NGX_ERROR || n == 0) {
        goto invalid;
    }

    *time = n;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", value);
    return NGX_CONF_ERROR;
}


/*
 * The workers write the file, so whoever tests the configuration can only say
 * whether there is a directory, and whether he himself could.
 */

static char *
ngx_http_longpoll_zone_persist(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *path)
{
#if (NGX_THREADS)

    ngx_str_t                       dir, name;
    ngx_uint_t                      i;
    ngx_http_longpoll_reference_t    *mention;
    ngx_http_longpoll_main_conf_t  *lmcf;

    path->data = value->data + 8;
    path->len = value->len - 8;

    if (path->len == 0 || path->data[path->len - 1] == '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_longpoll_directory(cf, path, &dir) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (access((char *) dir.data, W_OK|X_OK) == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "directory \"%V\" of \"%V\" cannot be written to",
                           &dir, value);
        return NGX_CONF_ERROR;
    }

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_longpoll_module);
    mention = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {

        if (mention[i].zone->persist.len == 0) {
            continue;
        }

        switch (ngx_http_longpoll_same_files(cf, &mention[i].zone->persist,
                                             path))
        {

        case NGX_DECLINED:
            break;

        case NGX_OK:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is the file of zone \"%V\" already",
                               value, &mention[i].zone->name);
            /* fall through */

        default:
            return NGX_CONF_ERROR;
        }
    }

    ngx_str_set(&name, "default");

    if (ngx_thread_pool_add(cf, &name) == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" needs an nginx that was built "
                       "--with-threads", value);
    return NGX_CONF_ERROR;

#endif
}


#if (NGX_THREADS)

/*
 * Whether two zones would write to the same file: NGX_OK, NGX_DECLINED, or
 * NGX_ERROR: no memory.  A directory has many names; the file itself is never
 * followed as a link.
 */

static ngx_int_t
ngx_http_longpoll_same_files(ngx_conf_t *cf, ngx_str_t *one, ngx_str_t *two)
{
    ngx_str_t        *file, dirs[2], names[2];
    ngx_uint_t        i, longer;
    ngx_file_info_t   infos[2];

    static ngx_str_t  endings[] = {
        ngx_string(""),
        ngx_string(".state"),
        ngx_string(".new"),
        ngx_string(".state.new")
    };

    for (i = 0; i < 2; i++) {
        file = i ? two : one;

        if (ngx_http_longpoll_directory(cf, file, &dirs[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        names[i].data = (u_char *) strrchr((char *) file->data, '/') + 1;
        names[i].len = file->data + file->len - names[i].data;
    }

    longer = (names[1].len > names[0].len);

    if (ngx_strncmp(names[0].data, names[1].data, names[!longer].len) != 0) {
        return NGX_DECLINED;
    }

    for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {

        if (ngx_strcmp(names[longer].data + names[!longer].len,
                       endings[i].data)
            == 0)
        {
            break;
        }
    }

    if (i == sizeof(endings) / sizeof(endings[0])
        || ngx_file_info(dirs[0].data, &infos[0]) == NGX_FILE_ERROR
        || ngx_file_info(dirs[1].data, &infos[1]) == NGX_FILE_ERROR
        || infos[0].st_dev != infos[1].st_dev
        || ngx_file_uniq(&infos[0]) != ngx_file_uniq(&infos[1]))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* that of a file, which has a slash in it */

static ngx_int_t
ngx_http_longpoll_directory(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *dir)
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

#endif


/* the zone of that name, mentioned before, or now for the first time */

static ngx_http_longpoll_reference_t *
ngx_http_longpoll_reference(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *directive)
{
    ngx_uint_t                      i;
    ngx_http_longpoll_reference_t    *mention;
    ngx_http_longpoll_main_conf_t  *lmcf;

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_longpoll_module);

    mention = lmcf->references.elts;

    for (i = 0; i < lmcf->references.nelts; i++) {

        if (mention[i].zone->name.len == name->len
            && ngx_strncmp(mention[i].zone->name.data, name->data, name->len)
               == 0)
        {
            return &mention[i];
        }
    }

    mention = ngx_array_push(&lmcf->references);
    if (mention == NULL) {
        return NULL;
    }

    mention->zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_longpoll_zone_t));
    if (mention->zone == NULL) {
        return NULL;
    }

    mention->zone->name = *name;
    mention->shm_zone = NULL;
    mention->directive = *directive;
    mention->file = cf->conf_file->file.name.data;
    mention->line = cf->conf_file->line;
    mention->gpoll_file = NULL;

    return mention;
}


static char *
ngx_http_longpoll_subscribe(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_longpoll_loc_conf_t *llcf = conf;

    char                         *rv;
    ngx_str_t                    *value;
    ngx_uint_t                    i, gpoll;
    ngx_http_longpoll_reference_t  *mention;

    value = cf->args->elts;
    gpoll = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "protocol=golongpoll") == 0) {
            gpoll = 0;

        } else if (ngx_strcmp(value[i].data, "protocol=gpoll") == 0) {
            gpoll = 1;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    rv = ngx_http_longpoll_use(cf, cmd, llcf, &llcf->subscribe);

    if (rv != NGX_CONF_OK || !gpoll) {
        return rv;
    }

    llcf->gpoll = 1;
    llcf->gpoll_file = cf->conf_file->file.name.data;
    llcf->gpoll_line = cf->conf_file->line;

    /* what the zone is like shows when it is declared */

    mention = ngx_http_longpoll_reference(cf, &value[1], &cmd->name);
    if (mention == NULL) {
        return NGX_CONF_ERROR;
    }

    if (mention->gpoll_file == NULL) {
        mention->gpoll_file = llcf->gpoll_file;
        mention->gpoll_line = llcf->gpoll_line;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_longpoll_publish(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_longpoll_loc_conf_t *llcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "format=auto") == 0) {
            llcf->format = NGX_HTTP_LONGPOLL_FORMAT_AUTO;

        } else if (ngx_strcmp(value[i].data, "format=json") == 0) {
            llcf->format = NGX_HTTP_LONGPOLL_FORMAT_JSON;

        } else if (ngx_strcmp(value[i].data, "format=text") == 0) {
            llcf->format = NGX_HTTP_LONGPOLL_FORMAT_TEXT;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_longpoll_use(cf, cmd, llcf, &llcf->publish);
}


static char *
ngx_http_longpoll_delete(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_longpoll_loc_conf_t *llcf = conf;

    return ngx_http_longpoll_use(cf, cmd, llcf, &llcf->remove);
}


static char *
ngx_http_longpoll_use(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_longpoll_loc_conf_t *llcf, ngx_http_longpoll_zone_t **zone)
{
    ngx_str_t                    *value;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_longpoll_reference_t  *mention;

    if (*zone) {
        return "is duplicate";
    }

    if (llcf->status) {
        return "is incompatible with \"longpoll_status\"";
    }

    value = cf->args->elts;

    mention = ngx_http_longpoll_reference(cf, &value[1], &cmd->name);
    if (mention == NULL) {
        return NGX_CONF_ERROR;
    }

    *zone = mention->zone;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_longpoll_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_longpoll_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_longpoll_loc_conf_t *llcf = conf;

    ngx_str_t                    *value;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_longpoll_reference_t  *mention;

    if (llcf->status) {
        return "is duplicate";
    }

    if (llcf->subscribe || llcf->publish || llcf->remove) {
        return "is incompatible with \"longpoll_subscribe\", "
               "\"longpoll_publish\" and \"longpoll_delete\"";
    }

    value = cf->args->elts;

    llcf->status = 1;

    if (ngx_strcmp(value[1].data, "all") != 0) {
        mention = ngx_http_longpoll_reference(cf, &value[1], &cmd->name);
        if (mention == NULL) {
            return NGX_CONF_ERROR;
        }

        llcf->status_zone = mention->zone;
    }

    if (cf->args->nelts > 2) {

        if (ngx_strcmp(value[2].data, "format=json") == 0) {
            llcf->status_format = NGX_HTTP_LONGPOLL_STATUS_JSON;

        } else if (ngx_strcmp(value[2].data, "format=prometheus") == 0) {
            llcf->status_format = NGX_HTTP_LONGPOLL_STATUS_PROMETHEUS;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_longpoll_status_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_longpoll_check_timeout(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t *timeout = data;

    if (*timeout < 1000) {
        return "must be at least 1s";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_longpoll_check_error_status(ngx_conf_t *cf, void *post, void *data)
{
    ngx_int_t *status = data;

    if (*status != NGX_HTTP_OK && (*status < 400 || *status > 499)) {
        return "must be 200 or between 400 and 499";
    }

    return NGX_CONF_OK;
}
