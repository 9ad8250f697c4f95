
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

    sim_clear();
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

    life_start(nginx);
    check_loaded(0, 0);
    upgrade_rest(nginx);

    do {
        act_publish(nginx, worker_any(nginx));
        worker_look(nginx, GONE_LOST);
    } while (m.nevents < 5);

    upgrade_rest(nginx);

    m.conf.buffer = 2;
    life_configure(nginx);

    why = act_take(nginx, worker_any(nginx));
    worker_look(nginx, why);
    unit_must(sh->list.count == 0, "the poll leaves an event");

    upgrade_rest(nginx);

    life_remember(nginx);
    worker_kill_all(nginx);
    life_free(nginx);
    life_start(nginx);
    unit_must(sh->list.count == 2, "what was lost does not come back");
    check_loaded(0, 0);
}


const unit_case_t  disk_cases[] = {
    { "a log that is not there is empty", case_nothing },
    { "what the buffer pushed out may be back if the rest was taken",
      case_take_over_buffer },
};


const ngx_uint_t  disk_ncases = sizeof(disk_cases) / sizeof(disk_cases[0]);
