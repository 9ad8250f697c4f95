
/*
 * store_world.c: a zone in plain memory, and the model of it.
 */


#include "store_model.h"


model_t  m;
u_char   model_pattern[MODEL_PATTERN];


void
model_zone_init(ngx_uint_t exists)
{
    ngx_uint_t  i;
    u_char      random[24];

    for (i = 0; i < sizeof(random); i++) {
        random[i] = exists ? 0 : (u_char) unit_random();
    }

    unit_must(ngx_http_longpoll_zone_init(&m.zone, m.mem, m.mem_size, exists,
                                          random, m.now)
              == NGX_OK, "zone_init(%lu) fails", (unsigned long) exists);

    m.sh = m.zone.sh;
}


static void
model_add_cat(ngx_uint_t n)
{
    size_t        len;
    u_char       *p;
    uint32_t      h;
    model_cat_t  *c;

    c = &m.cats[n];

    len = !(m.flags & MODEL_PLAIN) && unit_once(10)
          ? 10 + unit_below(NGX_HTTP_LONGPOLL_MAX_CATEGORY - 9) : 0;

    p = malloc(NGX_HTTP_LONGPOLL_MAX_CATEGORY + 1);
    memset(p, 'x', NGX_HTTP_LONGPOLL_MAX_CATEGORY);

    c->cat.name.data = p;
    c->cat.name.len = sprintf((char *) p, "c%lu", (unsigned long) n);
    p[c->cat.name.len] = 'x';
    c->cat.name.len = ngx_max(c->cat.name.len, len);

    ngx_http_longpoll_zone_hash(&m.zone, &c->cat);

    h = c->cat.hash[0] % m.nmap;

    while (m.map[h]) {
        h = (h + 1) % m.nmap;
    }

    m.map[h] = n + 1;
}


uint32_t
model_find_cat(const uint64_t hash[2])
{
    uint32_t  h;

    for (h = hash[0] % m.nmap; m.map[h]; h = (h + 1) % m.nmap) {

        if (m.cats[m.map[h] - 1].cat.hash[0] == hash[0]
            && m.cats[m.map[h] - 1].cat.hash[1] == hash[1])
        {
            return m.map[h] - 1;
        }
    }

    unit_fail("an unknown category");

    return 0;
}


void
model_random_conf(ngx_http_longpoll_zone_conf_t *conf)
{
    static const uint64_t  buffers[] = { 1, 2, 5, 20, 250, 10000 };

    conf->buffer = buffers[unit_below(6)];
    conf->ttl = unit_once(2) ? 0 : unit_skewed(1, 20000);
    conf->inactive = 0;
    conf->delete_on_read = 0;

    if ((m.flags & MODEL_IDLE) && !unit_once(4)) {
        conf->inactive = unit_skewed(1, 20000);
    }

    if ((m.flags & MODEL_TAKE) && !unit_once(4)) {
        conf->delete_on_read = 1;
    }
}


void
model_conf_is(ngx_http_longpoll_zone_conf_t *conf)
{
    uint64_t  lag;

    lag = conf->inactive ? ngx_min(conf->inactive / 16, 1000) : 1000;

    m.conf = *conf;
    m.lag = ngx_max(m.lag, lag);
}


void
model_world(uint64_t seed, ngx_uint_t flags, size_t size, ngx_uint_t ncats,
    ngx_http_longpoll_zone_conf_t *conf)
{
    ngx_uint_t  i, invalid;

    static const ngx_uint_t  numbers[] = { 0, 1, 31, 32, 62, 63 };

    /* how many reads were invalid is of the process, not of the world */

    invalid = m.invalid;

    ngx_memzero(&m, sizeof(m));

    m.invalid = invalid;
    m.flags = flags;
    m.size = size;
    m.mem_size = size - 512;
    m.now = MODEL_EPOCH + unit_below(1000000);
    m.ncats = ncats;
    m.exact = (ncats < size / 512 / 4 - 1) && !(flags & MODEL_IDLE);
    m.every = flags & MODEL_LARGE ? 2000 : 50;
    m.small = unit_skewed(20, 600);

    /* malloc, so that its end is guarded under ASan */

    m.mem = malloc(m.mem_size);
    m.copy = malloc(m.mem_size);
    ngx_memzero(m.mem, m.mem_size);

    m.nmap = ncats * 2 + 1;
    m.map = calloc(m.nmap, sizeof(uint32_t));
    m.cats = calloc(ncats, sizeof(model_cat_t));

    m.max_all = size / 16 + 10000;
    m.all = malloc(m.max_all * sizeof(model_msg_t *));
    m.went = malloc(m.max_all * sizeof(model_msg_t *));

    m.max_clients = size / 64 / sizeof(ngx_http_longpoll_client_sh_t);
    m.clients = calloc(m.max_clients, sizeof(model_client_t));

    m.zone.size = size;
    m.zone.mutex = &m.mutex;
    m.zone.conf = *conf;

    model_conf_is(conf);
    model_zone_init(0);

    m.last_id = m.sh->clock.last_id;
    m.visible = m.sh->clock.visible;

    for (i = 0; i < ncats; i++) {
        model_add_cat(i);
    }

    m.workers[0] = numbers[unit_below(2)];
    m.workers[1] = numbers[2 + unit_below(2)];
    m.workers[2] = numbers[4 + unit_below(2)];

    unit->seed = seed;
    unit->op = 0;
}


void
model_random_world(uint64_t seed, ngx_uint_t flags)
{
    size_t                         size;
    ngx_uint_t                     nslots, ncats;
    ngx_http_longpoll_zone_conf_t  conf;

    static const size_t  small[] = { 32, 32, 48, 100, 256 };
    static const size_t  large[] = { 512, 1024, 2048, 4096 };

    unit_random_state = seed;
    m.flags = flags;
    model_random_conf(&conf);

    if (flags & MODEL_CRASH) {
        size = small[unit_below(3)] * 1024;

    } else if (flags & MODEL_LARGE) {
        size = large[unit_below(4)] * 1024;

    } else {
        size = small[unit_below(5)] * 1024;
    }

    nslots = size / 512;

    if (flags & MODEL_CROWDED) {
        ncats = nslots / 2 + unit_below(nslots);

    } else {
        ncats = 1 + unit_below(ngx_min(nslots / 4 - 2, 100));
    }

    model_world(seed, flags, size, ncats, &conf);
    m.scarce = 1;
}


void
model_end(void)
{
    ngx_uint_t  i;

    for (i = 0; i < m.nall; i++) {
        free(m.all[i]);
    }

    for (i = 0; i < m.ncats; i++) {
        free(m.cats[i].cat.name.data);
    }

    free(m.clients);
    free(m.all);
    free(m.went);
    free(m.cats);
    free(m.map);
    free(m.copy);
    free(m.mem);

    m.mem = NULL;
}
