
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


const unit_case_t  disk_cases[] = {
    { "a log that is not there is empty", case_nothing },
};


const ngx_uint_t  disk_ncases = sizeof(disk_cases) / sizeof(disk_cases[0]);
