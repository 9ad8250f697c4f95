
/*
 * store.c: the unit tests of the store.
 *
 * The store's files over plain memory.  unit.h shows how the program is run,
 * store_model.h says what is compared.
 */


#include "store_model.h"


extern const unit_case_t  store_cases[];
extern const ngx_uint_t   store_ncases;


static const unit_worlds_t  store_worlds[] = {

    { "readers get every event once and in order, or missed",
      0, 120, 5000, 0, 0 },

    { "more categories than slots: each loss is missed",
      MODEL_CROWDED, 80, 5000, 0, 0 },

    { "an inactive category is dropped, and no other one",
      MODEL_CROWDED|MODEL_IDLE, 80, 5000, 0, 0 },

    { "with delete_on_read an event is dropped once a poll has it",
      MODEL_TAKE, 80, 5000, 0, 0 },

    { "other workers may do anything between two holds of the lock",
      MODEL_BETWEEN|MODEL_CROWDED|MODEL_IDLE|MODEL_TAKE, 80, 5000, 0, 0 },

    { "the same in a large zone",
      MODEL_LARGE, 10, 20000, 0, 0 },

    { "the same in a large zone with other workers between holds",
      MODEL_LARGE|MODEL_BETWEEN|MODEL_IDLE|MODEL_TAKE, 10, 20000, 0, 0 },

    { "a kill at any store loses no acknowledged event",
      MODEL_CRASH, 100, 600, 1, 0 },
};


static void
store_world(unit_worlds_t *t)
{
    model_random_world(t->seed, t->flags);

    unit_hook = t->flags & MODEL_BETWEEN ? model_hook : NULL;
    unit_crash_seed = t->flags & MODEL_CRASH ? t->seed : 0;

    if (t->flags & MODEL_CRASH) {
        model_crash_empty_log();
        model_crash_newest();

        if (t->flags & MODEL_CROWDED) {
            model_pin_all();
        }
    }

    while (unit->op < t->ops) {
        model_act(MODEL_NOBODY, 1);
    }

    model_check();
    model_end();
}


/* the seed of a crash world decides its flags */

static ngx_uint_t
store_flags(uint64_t seed)
{
    static const ngx_uint_t  flags[] = {
        0, MODEL_CROWDED, MODEL_TAKE, MODEL_CROWDED|MODEL_IDLE|MODEL_TAKE
    };

    return MODEL_CRASH | flags[seed % 4];
}


static void
store_numbers(void)
{
    printf("# %lu ops, %lu further holds, %lu ops between, %lu reads, "
           "%lu messages\n",
           (unsigned long) unit->ops, (unsigned long) unit->holds,
           (unsigned long) unit->between, (unsigned long) unit->reads,
           (unsigned long) unit->messages);
    printf("# %lu dropped, %lu emergencies, %lu missed, %lu falsely, "
           "%lu invalid, %lu declined, %lu known\n",
           (unsigned long) unit->dropped, (unsigned long) unit->emergencies,
           (unsigned long) unit->missed, (unsigned long) unit->false_missed,
           (unsigned long) unit->invalid, (unsigned long) unit->declined,
           (unsigned long) unit->known);
    printf("# %lu reads of the newest messages\n",
           (unsigned long) unit->recent);
    printf("# %lu messages to clients of gpoll's, %lu lost one and went, "
           "%lu strangers\n",
           (unsigned long) unit->given, (unsigned long) unit->lost,
           (unsigned long) unit->strangers);
    printf("# %lu kills, %lu kills in recovery, %lu kills kept\n",
           (unsigned long) unit->kills, (unsigned long) unit->rekills,
           (unsigned long) unit->epochs);
    fflush(stdout);
}


int
main(int argc, char *argv[])
{
    ngx_uint_t    i;
    unit_suite_t  suite;

    unit_random_state = 1;

    for (i = 0; i < MODEL_PATTERN; i++) {
        model_pattern[i] = (u_char) unit_random();
    }

    ngx_memzero(&suite, sizeof(suite));

    suite.name = "store";
    suite.cases = store_cases;
    suite.ncases = store_ncases;
    suite.worlds = store_worlds;
    suite.nworlds = sizeof(store_worlds) / sizeof(store_worlds[0]);
    suite.world = store_world;
    suite.numbers = store_numbers;
    suite.crash_flags = store_flags;
    suite.mutant_worlds = 100;
    suite.mutant_ops = 600;
    suite.mutant_tries = 5;
    suite.mutant_hits = 300;
    suite.mutant_seconds = 5;

    return unit_main(&suite, argc, argv);
}
