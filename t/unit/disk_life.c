
/*
 * disk_life.c: worlds of lives, one after the other, of one nginx.
 *
 *     load, begin ─▶ turns, acts ─┬─▶ clean end, and perhaps a power cut
 *                                 ├─▶ all are killed
 *                                 └─▶ a power cut
 */


#include "disk_model.h"

#include <ngx_http_longpoll_segment.h>


#define LIFE_END_CLEAN   0
#define LIFE_END_KILL    1
#define LIFE_END_POWER   2


static ngx_shmtx_t   life_mutex;
static ngx_str_t     life_path = ngx_string("/" MODEL_PATH);


/* whether the hashes of one nginx mean nothing to the other */

static void
life_strangers(void)
{
    ngx_uint_t      i;
    model_nginx_t  *nginx;

    for (i = 0; i < SIM_NGINXES; i++) {
        nginx = &m.nginxes[i];

        if (nginx->mem && memcmp(nginx->zone.sh->key, sh->key, 16) != 0) {
            m.strangers = 1;
        }
    }
}


/* the master makes the zone and loads it */

static ngx_int_t
life_load(model_nginx_t *nginx)
{
    u_char      random[24];
    size_t      size;
    ngx_int_t   rc;
    ngx_uint_t  i;

    ngx_memzero(nginx, sizeof(model_nginx_t));
    nginx->running = 1;
    size = m.size - 512;
    nginx->mem = calloc(1, size);

    for (i = 0; i < sizeof(random); i++) {
        random[i] = (u_char) unit_random();
    }

    worker_enter_nginx(nginx);

    z->size = m.size;
    z->mutex = &life_mutex;
    z->conf = m.conf;
    z->persist = life_path;

    unit_must(ngx_http_longpoll_zone_init(z, nginx->mem, size, 0, random, m.now)
              == NGX_OK, "a zone is not made");
    sh = z->sh;
    z->elected = &nginx->elected;
    z->dir = sim_directory(nginx - m.nginxes);

    rc = ngx_http_longpoll_segment_lock(z);

    return ngx_http_longpoll_load(z, rc == NGX_AGAIN, NULL, &unit_log);
}


void
life_start(model_nginx_t *nginx)
{
    m.processes++;
    sim_process = m.processes;
    worker_time();

    if (life_load(nginx) != NGX_OK) {

        /* nothing of it is a line: nginx does not start until it is removed */

        unit_must(m.damaged, "the log is not loaded");

        sim_nginx_ends(nginx - m.nginxes);
        life_free(nginx);
        sim_remove(MODEL_PATH);

        unit_must(life_load(nginx) == NGX_OK, "no log is not loaded");
    }

    worker_enter_nginx(nginx);
    life_strangers();
    unit->epochs++;
}


void
life_free(model_nginx_t *nginx)
{
    free(nginx->mem);
    nginx->mem = NULL;
}


void
life_between(void)
{
    static ngx_uint_t  within;

    if (within || self == NULL || !unit_once(m.ending ? 2 : 12)
        || worker_any(own) == NULL)
    {
        return;
    }

    /* in a call from its event loop the process has no other turns */

    if (!self->threading && !self->exiting) {
        return;
    }

    within = 1;
    unit->between++;

    /* what the thread has done so far is not the op's that comes */

    worker_look(own, GONE_LOST);

    if (m.ending) {
        worker_exit(own, worker_any(own));

    } else if (unit_once(3)) {
        worker_turn(own, worker_any(own));

    } else {
        act(own);
    }

    within = 0;
}


/* the disk becomes bad, or good again; somebody damages the files */

static void
life_disk(void)
{
    const char  *name;
    ngx_uint_t   i;

    if ((m.flags & MODEL_BAD) && unit_once(60)) {
        sim_failures = sim_failures ? 0 : 5 + unit_below(50);
        sim_room = sim_failures && unit_once(3) ? unit_below(2000) : SIM_NEVER;
    }

    if (!(m.flags & MODEL_DAMAGE) || !unit_once(150)) {
        return;
    }

    for (i = unit_below(6); sim_name(i) == NULL && i; i--) { /* void */ }

    name = sim_name(i);

    if (name == NULL) {
        return;
    }

    if (unit_once(2)) {
        sim_remove(name);

    } else {
        sim_cut(name, unit_below(500));
    }

    m.damaged = 1;
}


void
life_configure(model_nginx_t *nginx)
{
    worker_enter_nginx(nginx);
    z->conf = m.conf;
    ngx_http_longpoll_zone_configure(z);
}


static void
life_reload(model_nginx_t *nginx)
{
    if (!(m.flags & MODEL_DURABLE) && unit_once(150)) {
        m.conf.durable = !m.conf.durable;
        life_configure(nginx);
    }
}


/* workers are replaced: some were killed, some are told to leave (a reload) */

static void
life_workers(model_nginx_t *nginx)
{
    ngx_uint_t       i, n;
    model_worker_t  *worker;

    for (i = 0, n = 0; i < MODEL_WORKERS; i++) {
        n += nginx->workers[i].alive && !nginx->workers[i].leaving;
    }

    if (n < m.nworkers && unit_once(2)) {
        worker_begin(nginx);

    } else if (unit_once(100)) {
        worker = worker_any(nginx);

        if (worker && !worker->leaving) {
            worker_close(nginx, worker);
        }
    }

    worker_exit_left(nginx);
}


static void
life_turns(model_nginx_t *nginx, ngx_uint_t turns)
{
    model_worker_t  *worker;

    while (turns--) {
        m.now += unit_once(3) ? unit_below(4) : unit_once(40) ? unit_below(2000)
                                                              : 0;
        unit->op++;
        unit->ops++;
        snprintf(unit->what, sizeof(unit->what), "life %lu",
                 (unsigned long) figures->lives);

        life_disk();
        life_reload(nginx);
        life_workers(nginx);

        if (unit_once(3)) {
            act(nginx);
        }

        worker = worker_any(nginx);

        if (worker) {
            worker_turn(nginx, worker);
        }

        if (!(m.flags & (MODEL_BAD|MODEL_DAMAGE))) {
            worker_enter_nginx(nginx);
            check_size();
        }
    }
}


void
life_remember(model_nginx_t *nginx)
{
    worker_look(nginx, GONE_LOST);
    worker_enter_nginx(nginx);

    m.before.any = 1;
    m.before.begun = sh->disk.begun;
    m.before.saved = sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id;
    m.before.notes = sh->disk.notes_first;
    m.before.told = sh->disk.says == NGX_HTTP_LONGPOLL_SAYS_YES
                    && sh->conf.durable;
}


/*
 * Segments that a base had replaced may be there again, as the writer does not
 * sync the directory behind their removal.  When it rests they are removed.
 */

static void
life_power_cut(void)
{
    sim_power_cut();
    figures->power_cuts++;

    m.most_live = ngx_max(m.most_live, sim_bytes());
}


/* returns 1 if the end is clean */

static ngx_uint_t
life_end(model_nginx_t *nginx, ngx_uint_t how)
{
    if (how != LIFE_END_CLEAN) {

        /* the last ones die in the middle of something */

        m.doomed = 1;
        life_turns(nginx, unit_below(20));
        m.doomed = 0;

        life_remember(nginx);
        worker_kill_all(nginx);

        if (how == LIFE_END_POWER) {
            life_power_cut();

        } else {
            figures->killed++;
        }

        return 0;
    }

    sim_failures = 0;
    sim_room = SIM_NEVER;
    m.now += 50;
    m.stable = !unit_once(3);

    if (worker_any(nginx) == NULL) {
        worker_begin(nginx);
    }

    if (unit_once(3)) {
        worker_exit_all(nginx);

    } else {
        worker_end_all(nginx);
    }

    life_remember(nginx);
    worker_kill_all(nginx);

    if (unit_once(2)) {
        life_power_cut();
    }

    figures->clean_ends++;

    return m.stable;
}


static void
life_import(void)
{
    int             len;
    u_char         *p;
    uint64_t        ms;
    ngx_str_t       data;
    ngx_uint_t      i, n;
    model_event_t  *ev;

    static u_char   file[65536];

    p = file;
    ms = m.now - 5000;

    for (i = 0; i < 20; i++) {
        n = event_new(unit_below(m.ncats), unit_below(40), 0);
        ev = &m.events[n];
        data = event_data(n);
        ms += unit_below(3);

        ev->uuid.high = (unit_random() & ~0xf000ULL) | 0x4000;
        ev->uuid.low = (unit_random() >> 2) | 1ULL << 63;
        ev->acked = 1;
        ev->visible = 1;
        ev->stored = 1;

        /* a place in front of all others */

        ev->in[0].stored = 1;
        ev->in[0].id = ngx_http_longpoll_id(ms, 0);
        ev->in[0].live = 1;

        len = sprintf((char *) p, "\n{\"timestamp\":%lu,\"category\":\"c%u\","
                      "\"data\":%.*s,\"id\":\"", (unsigned long) ms, ev->cat,
                      (int) data.len, (char *) data.data);
        p = ngx_http_longpoll_id_print(p + len, &ev->uuid);
        p = ngx_cpymem(p, "\"}", 2);
    }

    sim_put(MODEL_PATH, file, p - file);
}


void
life_world(void)
{
    ngx_uint_t      clean, how;
    model_nginx_t  *nginx;

    nginx = &m.nginxes[0];

    if (m.flags & MODEL_IMPORT) {
        life_import();
        m.before.saved = MODEL_NOT;
    }

    life_start(nginx);
    check_loaded(0, (m.flags & MODEL_IMPORT) != 0);
    m.exact_from = 0;

    while (unit->op < m.ops) {
        figures->lives++;
        m.stable = 0;

        sim_between = life_between;
        life_turns(nginx, unit_once(4) ? 1 + unit_below(20)
                                       : 40 + unit_below(300));

        how = unit_below(3);
        clean = life_end(nginx, how);

        sim_between = NULL;
        sim_failures = 0;
        sim_room = SIM_NEVER;
        sim_forget_pages();

        life_free(nginx);
        m.now += 2 + unit_below(10);

        life_start(nginx);
        check_loaded(clean && !m.damaged, m.before.told && m.before.begun
                                          && m.conf.durable && !m.damaged);
        m.damaged = 0;
    }

    life_free(nginx);
}
