
/*
 * disk.c: the unit tests of a zone's log on a disk that fails.
 *
 * unit.h shows how the program is run, disk_model.h what is played and what is
 * real.
 */


#include "disk_model.h"

#include <sys/mman.h>


#define DISK_BAD  (MODEL_BAD|MODEL_DURABLE)


extern const unit_case_t  disk_cases[];
extern const ngx_uint_t   disk_ncases;


model_t                   m;
model_figures_t          *figures;
ngx_http_longpoll_cat_t   model_cats[MODEL_CATS];


static const unit_worlds_t  disk_worlds[] = {

    { "an event that is acknowledged and on disk is there after any end",
      0, 40, 1500, 0, 0 },

    { "with durable every event that is acknowledged is there",
      MODEL_DURABLE, 40, 1500, 0, 0 },

    { "also with a disk that fails",
      DISK_BAD, 40, 1500, 0, 0 },

    { "an event that was taken does not come back",
      MODEL_TAKE, 30, 1500, 0, 0 },

    { "also with durable, and a disk that fails",
      DISK_BAD|MODEL_TAKE, 30, 1500, 0, 0 },

    { "events that go by their age, or with their category, are missed",
      MODEL_IDLE, 30, 1500, 0, 0 },

    { "also in front of a poll that takes what is left",
      MODEL_IDLE|MODEL_TAKE, 20, 1500, 0, 0 },

    { "golongpoll's file is taken over",
      MODEL_IMPORT, 20, 1000, 0, 0 },

    { "files that somebody removes or cuts do no other harm",
      MODEL_DAMAGE, 20, 1000, 0, 0 },

    { "in a binary upgrade nothing that is acknowledged is lost",
      MODEL_UPGRADE, 60, 1000, 0, 0 },
};


static void
disk_configure(void)
{
    static const uint64_t  buffers[] = { 2, 5, 12, 1000 };

    m.conf.buffer = buffers[unit_below(4)];
    m.conf.flush = 20 + unit_below(200);
    m.conf.durable = (m.flags & MODEL_DURABLE) || unit_once(2);
    m.conf.delete_on_read = (m.flags & MODEL_TAKE) != 0;

    if (m.flags & MODEL_IDLE) {
        if (unit_once(2)) {
            m.conf.ttl = 200 + unit_below(5000);
        } else {
            m.conf.inactive = 1000 + unit_below(5000);
        }
    }
}


static void
disk_world(unit_worlds_t *t)
{
    static const size_t  sizes[] = { 48, 64, 256, 256 };

    unit_random_state = t->seed;
    unit->seed = t->seed;
    unit->op = 0;
    unit_crash_seed = 0;

    ngx_memzero(&m, sizeof(m));
    m.flags = t->flags;
    m.ops = t->ops;
    m.now = 1700000000000ULL + unit_below(1000000);
    m.ncats = 1 + unit_below(MODEL_CATS);
    m.size = sizes[unit_below(4)] * 1024;
    m.nworkers = 1 + unit_below(3);
    m.events = calloc(MODEL_EVENTS, sizeof(model_event_t));

    sim_clear();
    disk_configure();

    if (m.flags & MODEL_UPGRADE) {
        upgrade_world();

    } else {
        life_world();
    }

    free(m.events);
}


static void
disk_numbers(void)
{
    printf("# %lu lives: %lu killed, %lu power cuts, %lu clean ends; %lu "
           "workers killed, %lu of them in a call\n",
           (unsigned long) figures->lives, (unsigned long) figures->killed,
           (unsigned long) figures->power_cuts,
           (unsigned long) figures->clean_ends,
           (unsigned long) figures->workers,
           (unsigned long) figures->in_calls);
    printf("# %lu events, %lu acknowledged, %lu refused, %lu loaded; %lu "
           "bases; at most %lu %% of what lives, and a constant\n",
           (unsigned long) unit->messages, (unsigned long) figures->acked,
           (unsigned long) figures->refused, (unsigned long) figures->loaded,
           (unsigned long) figures->bases, (unsigned long) figures->worst);
    printf("# %lu cursors, %lu told, %lu missed something; %lu upgrades, in "
           "%lu nobody was told\n",
           (unsigned long) figures->cursors, (unsigned long) figures->told,
           (unsigned long) figures->missed, (unsigned long) figures->upgrades,
           (unsigned long) figures->followed);
    fflush(stdout);
}


int
main(int argc, char *argv[])
{
    unit_suite_t  suite;

    figures = mmap(NULL, sizeof(model_figures_t), PROT_READ|PROT_WRITE,
                   MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (figures == MAP_FAILED) {
        perror("mmap");
        return 2;
    }

    ngx_memzero(&suite, sizeof(suite));

    suite.name = "disk";
    suite.cases = disk_cases;
    suite.ncases = disk_ncases;
    suite.worlds = disk_worlds;
    suite.nworlds = sizeof(disk_worlds) / sizeof(disk_worlds[0]);
    suite.world = disk_world;
    suite.numbers = disk_numbers;

    return unit_main(&suite, argc, argv);
}
