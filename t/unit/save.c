
/*
 * save.c: the unit tests of a zone and its file.
 *
 * The store's files over plain memory, and a file that is a list.  unit.h shows
 * how the program is run, save_model.h says what is compared.
 */


#include "save_model.h"


extern const unit_case_t  save_cases[];
extern const ngx_uint_t   save_ncases;


static const unit_worlds_t  save_worlds[] = {

    { "a saved event is in the file, and a refused one is never read",
      0, 30, 3000, 0, 0 },

    { "an event that was deleted, read or inactive has a note",
      MODEL_TAKE|MODEL_IDLE, 30, 3000, 0, 0 },

    { "an epoch continues with the events of the previous one",
      MODEL_EPOCHS, 30, 3000, 0, 0 },

    { "also with delete_on_read and inactive",
      MODEL_EPOCHS|MODEL_TAKE|MODEL_IDLE, 30, 3000, 0, 0 },

    { "a zone of another size adopts what fits",
      MODEL_ADOPT|MODEL_EPOCHS, 30, 3000, 0, 0 },

    { "more categories than slots wait for the disk, or are refused",
      MODEL_CROWDED, 30, 3000, 0, 0 },

    { "a kill at any store leaves zone and file consistent",
      MODEL_CRASH, 12, 300, 0, 0 },

    { "also with delete_on_read and inactive",
      MODEL_CRASH|MODEL_TAKE|MODEL_IDLE, 12, 300, 0, 0 },

    { "also with more categories than slots",
      MODEL_CRASH|MODEL_CROWDED, 12, 300, 0, 0 },
};


static void
save_world(unit_worlds_t *t)
{
    ngx_http_longpoll_zone_conf_t  conf;

    static const size_t  sizes[] = { 32, 32, 48, 64, 128 };

    unit_random_state = t->seed;
    unit->seed = t->seed;
    unit->op = 0;
    unit_crash_seed = t->flags & MODEL_CRASH ? t->seed : 0;

    ngx_memzero(&m, sizeof(m));
    m.flags = t->flags;
    m.now = MODEL_EPOCH + unit_below(1000000);
    m.ncats = t->flags & MODEL_CROWDED ? MODEL_CATS : MODEL_FEW;
    m.inexact = (t->flags & (MODEL_IDLE|MODEL_CROWDED)) != 0;
    act_conf(&conf);

    epoch_world(sizes[unit_below(t->flags & MODEL_CRASH ? 3 : 5)] * 1024,
               &conf);

    while (unit->op < t->ops) {
        act();

        if ((t->flags & MODEL_EPOCHS) && unit_once(300)) {
            epoch_next();
        }

        if ((t->flags & MODEL_ADOPT) && unit_once(400)) {
            epoch_adopt(sizes[unit_below(5)] * 1024);
        }
    }

    epoch_end();
}


static ngx_uint_t
save_flags(uint64_t seed)
{
    return MODEL_CRASH | (seed & 1 ? MODEL_TAKE|MODEL_IDLE : 0)
           | (seed % 3 == 0 ? MODEL_CROWDED : 0);
}


static void
save_numbers(void)
{
    printf("# %lu ops, %lu reads, %lu messages, %lu missed, %lu known\n",
           (unsigned long) unit->ops, (unsigned long) unit->reads,
           (unsigned long) unit->messages, (unsigned long) unit->missed,
           (unsigned long) unit->known);
    printf("# %lu kills, %lu in recovery, %lu kept, %lu epochs, %lu refused\n",
           (unsigned long) unit->kills, (unsigned long) unit->rekills,
           (unsigned long) unit->kept, (unsigned long) unit->epochs,
           (unsigned long) unit->refused);
    fflush(stdout);
}


int
main(int argc, char *argv[])
{
    unit_suite_t  suite;

    static const char *const  journaled[] = {
        "zone_cursor.c", "zone_clock.c", "zone_disk.c", NULL
    };

    ngx_memzero(&suite, sizeof(suite));

    suite.name = "save";
    suite.cases = save_cases;
    suite.ncases = save_ncases;
    suite.worlds = save_worlds;
    suite.nworlds = sizeof(save_worlds) / sizeof(save_worlds[0]);
    suite.world = save_world;
    suite.numbers = save_numbers;
    suite.journaled = journaled;
    suite.crash_flags = save_flags;
    suite.mutant_worlds = 60;
    suite.mutant_ops = 400;
    suite.mutant_tries = 3;
    suite.mutant_seconds = 4;

    return unit_main(&suite, argc, argv);
}
