
/*
 * disk_case.c: cases by hand.
 */


#include "disk_model.h"


static void
case_world(ngx_uint_t flags)
{
    unit_random_state = unit_seed;
    unit->op = 0;

    ngx_memzero(&m, sizeof(m));
    m.flags = flags;
    m.now = 1700000000000ULL;
    m.ncats = 2;
    m.size = 256 * 1024;
    m.nworkers = 1;
    m.stable = 1;
    m.conf.buffer = 1000;
    m.conf.flush = 20;
    m.conf.durable = (flags & MODEL_DURABLE) != 0;
    m.events = calloc(MODEL_EVENTS, sizeof(model_event_t));

    worker_looked = NULL;

    sim_clear();
}


/* an nginx begins without a log */

static void
case_begin(model_nginx_t *nginx)
{
    life_start(nginx);
    check_loaded(0, 0);
    upgrade_rest(nginx);
}


/* there are n events, or a few more, and they are on disk */

static void
case_publish(model_nginx_t *nginx, ngx_uint_t n)
{
    do {
        act_publish(nginx, worker_any(nginx));
        worker_look(nginx, GONE_LOST);
    } while (m.nevents < n);

    upgrade_rest(nginx);
}


/* the nginx is killed, and the log is loaded again */

static void
case_again(model_nginx_t *nginx)
{
    life_remember(nginx);
    worker_kill_all(nginx);
    life_free(nginx);
    life_start(nginx);
}


static model_worker_t *
case_writer(model_nginx_t *nginx)
{
    return &nginx->workers[(uint32_t) nginx->elected - 1];
}


static void
case_nothing(void *data)
{
    case_world(MODEL_DURABLE);
    life_start(&m.nginxes[0]);
    check_loaded(0, 0);
}


/*
 * A reload makes the buffer smaller.  So the poll that takes what there is
 * drops the oldest events first, and these are lost.  The log has notes of the
 * taken ones only, and nothing pushes the lost ones out when it is loaded.
 */

static void
case_take_over_buffer(void *data)
{
    gone_e          why;
    model_nginx_t  *nginx;

    nginx = &m.nginxes[0];

    case_world(MODEL_TAKE);
    m.ncats = 1;
    m.conf.delete_on_read = 1;

    case_begin(nginx);
    case_publish(nginx, 5);

    m.conf.buffer = 2;
    life_configure(nginx);

    why = act_take(nginx, worker_any(nginx));
    worker_look(nginx, why);
    unit_must(sh->list.count == 0, "the poll leaves an event");

    upgrade_rest(nginx);

    case_again(nginx);
    unit_must(sh->list.count == 2, "what was lost does not come back");
    check_loaded(0, 0);
}


/*
 * A client's worker is killed while it answers the client's first poll.  So the
 * client has no cursor, and misses nothing later.
 */

static void
case_cursor_killed(void *data)
{
    model_nginx_t   *nginx;
    model_worker_t  *worker;

    nginx = &m.nginxes[0];

    case_world(0);
    m.ncats = 1;
    m.conf.buffer = 2;

    case_begin(nginx);

    worker = worker_any(nginx);
    m.dying = 1;
    act_cursor(nginx, worker);
    worker_look(nginx, GONE_LOST);
    unit_must(!worker->alive, "no worker is killed");

    worker_begin(nginx);
    case_publish(nginx, 5);

    case_again(nginx);
    check_loaded(0, 0);
}


/* the other workers end, once, while the writer is in a call */

static void
case_exit_others(void)
{
    sim_between = NULL;

    while (worker_any(own)) {
        worker_exit(own, worker_any(own));
    }
}


/*
 * All workers end at once, as nginx is told to stop.  The writer sees that
 * others are still there, and these end while the writer is still elected.
 */

static void
case_exit_all(void *data)
{
    model_nginx_t  *nginx;

    nginx = &m.nginxes[0];

    case_world(0);
    m.nworkers = 2;

    case_begin(nginx);
    worker_begin(nginx);
    case_publish(nginx, 5);

    act_publish(nginx, worker_any(nginx));
    worker_look(nginx, GONE_LOST);

    sim_between = case_exit_others;
    worker_exit(nginx, case_writer(nginx));

    unit_must(worker_any(nginx) == NULL, "a worker is left");
    unit_must(!sh->disk.begun, "nobody writes the end");

    case_again(nginx);
    check_loaded(1, 0);
}


/*
 * A worker finds that the writer is dead.  Before it takes the writer's place,
 * a new worker has got the dead one's number, and is the writer.
 */

static model_worker_t  *case_dead;


static void
case_new_writer(void)
{
    worker_looked = NULL;

    worker_begin(own);

    while (own->elected == 0) {
        m.now += 10;
        worker_turn(own, case_dead);
    }
}


static void
case_one_writer(void *data)
{
    model_nginx_t   *nginx;

    nginx = &m.nginxes[0];

    case_world(MODEL_DURABLE);
    m.nworkers = MODEL_WORKERS;

    case_begin(nginx);
    case_publish(nginx, 5);

    case_dead = case_writer(nginx);
    worker_kill(nginx, case_dead);

    for (worker_looked = case_new_writer; worker_looked; m.now += 10) {
        worker_turn(nginx, worker_any(nginx));
    }

    unit_must(case_writer(nginx) == case_dead, "two workers write");

    case_publish(nginx, 10);
    case_again(nginx);
    check_loaded(0, 0);
}


const unit_case_t  disk_cases[] = {
    { "a log that is not there is empty", case_nothing },
    { "what the buffer pushed out may be back if the rest was taken",
      case_take_over_buffer },
    { "a client whose worker is killed in its first poll misses nothing",
      case_cursor_killed },
    { "workers that end at once leave a whole log", case_exit_all },
    { "a number that a new worker has got is not a dead one's",
      case_one_writer },
};


const ngx_uint_t  disk_ncases = sizeof(disk_cases) / sizeof(disk_cases[0]);
