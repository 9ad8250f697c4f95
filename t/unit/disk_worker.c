
/*
 * disk_worker.c: the workers of the nginxes begin, have turns, and end.
 *
 * A worker is what differs between processes of one nginx: its number, its
 * writer, its timers, its thread, and whether it was woken.  Only one of them
 * runs at a time (self).  While a thread is between two calls of the disk,
 * other workers have turns, and so has the rest of its own process.
 */


#include "disk_model.h"


#define WORKER_END_TURNS  20000

/* stores and calls of the disk in a call of a worker that may be killed */
#define WORKER_STORES     300
#define WORKER_CALLS      12


model_worker_t               *self;
model_nginx_t                *own;
ngx_http_longpoll_zone_t     *z;
ngx_http_longpoll_zone_sh_t  *sh;

void                        (*worker_looked)(void);

static ngx_uint_t             worker_nested;


/* two nginxes that began without a log have keys of their own */

static void
worker_cats(void)
{
    ngx_uint_t  i;

    static u_char  names[MODEL_CATS][8];

    for (i = 0; i < MODEL_CATS; i++) {
        model_cats[i].name.data = names[i];
        model_cats[i].name.len = sprintf((char *) names[i], "c%lu",
                                         (unsigned long) i);
        ngx_http_longpoll_zone_hash(z, &model_cats[i]);
    }
}


void
worker_enter_nginx(model_nginx_t *nginx)
{
    static uint64_t  key;

    worker_leave();

    own = nginx;
    z = &nginx->zone;
    sh = z->sh;
    sim_nginx = nginx - m.nginxes;

    if (sh && sh->key[0] != key) {
        key = sh->key[0];
        worker_cats();
    }
}


void
worker_enter(model_nginx_t *nginx, model_worker_t *worker)
{
    worker_enter_nginx(nginx);

    self = worker;
    z->writer = worker->writer;
    sim_process = worker->process;
    ngx_pid = worker->process;
    ngx_http_longpoll_notify_number = worker - nginx->workers;

    worker_time();
}


void
worker_leave(void)
{
    if (self) {
        self->writer = z->writer;
        z->writer = NULL;
        self = NULL;
        ngx_http_longpoll_notify_number = NGX_HTTP_LONGPOLL_NO_WORKER;
    }
}


model_worker_t *
worker_any(model_nginx_t *nginx)
{
    ngx_uint_t       i, n;
    model_worker_t  *worker;

    n = unit_below(MODEL_WORKERS);

    for (i = 0; i < MODEL_WORKERS; i++) {
        worker = &nginx->workers[(n + i) % MODEL_WORKERS];

        if (worker->alive && !worker->exiting) {
            return worker;
        }
    }

    return NULL;
}


/* a number is free, or of a dead process, whose things the new one ends */

static void
worker_begins(void *data)
{
    static ngx_cycle_t  cycle;

    cycle.log = &unit_log;

    if (self->dead) {
        ngx_http_longpoll_zone_tick_reap(z, self - own->workers, m.now);
        self->dead = 0;
    }

    unit_must(ngx_http_longpoll_writer_init_process(&cycle, z) == NGX_OK,
              "a worker does not begin");
}


void
worker_begin(model_nginx_t *nginx)
{
    ngx_uint_t       i, n, dead;
    model_worker_t  *worker;

    n = unit_below(MODEL_WORKERS);

    for (i = 0; i < MODEL_WORKERS; i++) {
        worker = &nginx->workers[(n + i) % MODEL_WORKERS];

        if (worker->alive) {
            continue;
        }

        dead = worker->dead;
        ngx_memzero(worker, sizeof(model_worker_t));
        worker->dead = dead;
        worker->alive = 1;
        worker->process = ++m.processes;

        (void) worker_call(nginx, worker, worker_begins, NULL);
        return;
    }
}


static void
worker_dies(model_nginx_t *nginx, model_worker_t *worker)
{
    worker_leave();
    sim_process_ends(worker->process);

    worker->alive = 0;
    worker->dead = 1;
    worker->writer = NULL;
    worker->thread = NULL;
    worker->ntimers = 0;
    worker->notified = 0;
    worker->waiting = 0;
}


void
worker_kill(model_nginx_t *nginx, model_worker_t *worker)
{
    if (worker->alive) {
        worker_dies(nginx, worker);
        figures->workers++;
    }
}


void
worker_kill_all(model_nginx_t *nginx)
{
    ngx_uint_t  i;

    for (i = 0; i < MODEL_WORKERS; i++) {
        if (nginx->workers[i].alive) {
            worker_dies(nginx, &nginx->workers[i]);
        }

        nginx->workers[i].dead = 0;
    }

    sim_nginx_ends(nginx - m.nginxes);
    nginx->running = 0;
}


/* a call that does nothing but what every call does first: it recovers */

static void
worker_recover(void *data)
{
    ngx_http_longpoll_zone_status_t  st;

    ngx_http_longpoll_zone_status(z, 0, &st);
}


static ngx_uint_t
worker_is_killed(uint64_t *store)
{
    if (m.dying) {
        m.dying = 0;
        *store = 0;
        return 1;
    }

    *store = UNIT_NEVER;

    if (m.stable || !unit_once(m.doomed ? 8 : 80)) {
        return 0;
    }

    if (unit_once(3)) {
        *store = unit_below(WORKER_STORES);
        return 1;
    }

    sim_left = unit_below(WORKER_CALLS);

    return 1;
}


ngx_uint_t
worker_call(model_nginx_t *nginx, model_worker_t *worker,
    void (*call)(void *data), void *data)
{
    void           (*between)(void);
    uint64_t         store;
    ngx_uint_t       lives, killed;
    model_nginx_t   *nginx_before;
    model_worker_t  *before;

    before = self;
    nginx_before = own;

    worker_enter(nginx, worker);

    if (worker_nested) {
        call(data);
        lives = 1;

    } else {
        killed = worker_is_killed(&store);
        worker_nested = 1;

        /* stores of others are not counted: they wait */

        between = sim_between;
        sim_between = store == UNIT_NEVER ? between : NULL;

        lives = unit_call_and_kill(call, data, store);

        sim_between = between;

        worker_nested = 0;
        sim_left = SIM_NEVER;

        if (killed && !lives) {
            figures->workers++;
            figures->in_calls += store == UNIT_NEVER;
        }
    }

    if (!lives) {
        worker_dies(nginx, worker);
        worker_enter_nginx(nginx);
        worker_recover(NULL);
    }

    if (before) {
        worker_enter(nginx_before, before);

    } else {
        worker_enter_nginx(nginx);
    }

    return lives;
}


/*
 * turns
 */


static void
worker_thread(void *data)
{
    thread_run(self->thread);
}


static void
worker_woken(void *data)
{
    self->notified = 0;
    ngx_http_longpoll_writer_wake(z);
}


/* the first timer that is due; NULL: none is */

static ngx_event_t *
worker_due(model_worker_t *worker)
{
    ngx_uint_t   i;
    ngx_event_t  *ev;

    for (i = 0; i < worker->ntimers; i++) {
        ev = ngx_rbtree_data(worker->timers[i], ngx_event_t, timer);

        if (ev->timer.key <= m.now) {
            return ev;
        }
    }

    return NULL;
}


static void
worker_timer(void *data)
{
    ngx_event_t  *ev;

    ev = worker_due(self);

    if (ev) {
        ngx_rbtree_delete(&ngx_event_timer_rbtree, &ev->timer);
        ev->timer_set = 0;
        ev->timedout = 1;
        ev->handler(ev);
    }
}


static void
worker_tick(void *data)
{
    if (ngx_http_longpoll_zone_tick(z, m.now)) {
        ngx_http_longpoll_notify_reap();
    }

    ngx_http_longpoll_writer_wake(z);
}


void
worker_look(model_nginx_t *nginx, gone_e why)
{
    const char       *wrong;
    model_nginx_t   *nginx_before;
    model_worker_t  *before;

    before = self;
    nginx_before = own;

    worker_enter_nginx(nginx);

    m.op++;
    event_base();
    event_diff(why);

    if (unit_once(16)) {
        wrong = zone_check(z);
        unit_must(wrong == NULL, "zone_check: %s", wrong);
    }

    if (before) {
        worker_enter(nginx_before, before);
    }
}


void
worker_turn(model_nginx_t *nginx, model_worker_t *worker)
{
    if (worker->thread && unit_once(2))
    {
        (void) worker_call(nginx, worker, worker_thread, NULL);

    } else if (worker->notified && !unit_once(3)) {
        (void) worker_call(nginx, worker, worker_woken, NULL);

    } else if (worker_due(worker)) {
        (void) worker_call(nginx, worker, worker_timer, NULL);

    } else if (unit_once(20)) {
        (void) worker_call(nginx, worker, worker_tick, NULL);
    }

    worker_look(nginx, GONE_LOST);
}


/*
 * ends
 */


static void
worker_closing(void *data)
{
    ngx_http_longpoll_writer_closing(z);
}


/* as the module does it: the writer ends, and what the number had is ended */

static void
worker_exits(void *data)
{
    self->exiting = 1;

    ngx_http_longpoll_writer_exit_process(z);
    ngx_http_longpoll_zone_tick_reap(z, self - own->workers, m.now);
}


void
worker_close(model_nginx_t *nginx, model_worker_t *worker)
{
    worker->leaving = 1;
    (void) worker_call(nginx, worker, worker_closing, NULL);
}


void
worker_exit(model_nginx_t *nginx, model_worker_t *worker)
{
    if (worker_call(nginx, worker, worker_exits, NULL)) {
        sim_process_ends(worker->process);
        ngx_memzero(worker, sizeof(model_worker_t));
    }

    worker_look(nginx, GONE_LOST);
}


/* a worker that is told to leave goes when nobody waits in it */

void
worker_exit_left(model_nginx_t *nginx)
{
    ngx_uint_t       i;
    model_worker_t  *worker;

    for (i = 0; i < MODEL_WORKERS; i++) {
        worker = &nginx->workers[i];

        if (!worker->alive || !worker->leaving || worker->waiting
            || unit_once(3))
        {
            continue;
        }

        worker_exit(nginx, worker);
    }
}


void
worker_end_all(model_nginx_t *nginx)
{
    ngx_uint_t       i;
    model_worker_t  *worker;

    for (i = 0; i < MODEL_WORKERS; i++) {
        if (nginx->workers[i].alive && !nginx->workers[i].leaving) {
            worker_close(nginx, &nginx->workers[i]);
        }
    }

    for (i = 0; i < WORKER_END_TURNS; i++) {
        worker = worker_any(nginx);

        if (worker == NULL) {
            return;
        }

        m.now += unit_below(3);
        worker_turn(nginx, worker);
        worker_exit_left(nginx);
    }

    unit_fail("nginx does not come to its end");
}


void
worker_exit_all(model_nginx_t *nginx)
{
    model_worker_t  *worker;

    m.ending = 1;

    for ( ;; ) {
        worker = worker_any(nginx);

        if (worker == NULL) {
            break;
        }

        worker_exit(nginx, worker);
    }

    m.ending = 0;
}
