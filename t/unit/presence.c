
/*
 * presence.c: the unit tests of presence.
 *
 * The store's files over plain memory.  unit.h shows how the program is run,
 * presence_model.h says what is compared.
 */


#include "presence_model.h"


static void case_life(void *data);
static void case_full(void *data);
static void case_turns(void *data);


static const unit_case_t  presence_cases[] = {
    { "a life begins with a reset, and in the end all have left", case_life },
    { "where there is no room some are not told of", case_full },
    { "a walk and the end of grace take several turns", case_turns },
};

static const unit_worlds_t  presence_worlds[] = {

    { "what a follower believes is true",
      0, 50, 2000, 0, 0 },

    { "where events wait for the disk, and the disk fails",
      MODEL_DURABLE, 50, 2000, 0, 0 },

    { "with more categories than there is room for",
      MODEL_CROWDED, 10, 2000, 0, 0 },

    { "a kill at any store loses no event, and doubles none",
      MODEL_CRASH, 30, 500, 1, 0 },
};


static void
presence_world(unit_worlds_t *t)
{
    unit_random_state = t->seed;

    model_world(t->flags);

    unit->seed = t->seed;
    unit_crash_seed = t->flags & MODEL_CRASH ? t->seed : 0;

    while (unit->op < t->ops) {
        model_act();
    }

    model_settle();
    model_end();
}


static ngx_uint_t
presence_flags(uint64_t seed)
{
    return MODEL_CRASH | (seed & 1 ? MODEL_DURABLE : 0)
           | (seed & 2 ? MODEL_CROWDED : 0);
}


static void
presence_numbers(void)
{
    printf("# %lu ops, %lu events, %lu kills, %lu in recovery, %lu kept\n",
           (unsigned long) unit->ops, (unsigned long) unit->messages,
           (unsigned long) unit->kills, (unsigned long) unit->rekills,
           (unsigned long) unit->kept);
    fflush(stdout);
}


static void
case_life(void *data)
{
    ngx_uint_t                         i;
    ngx_http_longpoll_presences_sh_t  *table;

    unit_random_state = unit_seed;
    model_world(0);
    table = m.zone.present.sh;

    unit_must(m.zone.sh->presence.reset, "no reset is due");
    model_settle();
    unit_must(m.zone.sh->list.count == 1, "not one event, the reset");

    for (i = 0; i < 1000; i++) {
        model_act();
    }

    for (i = 0; i < MODEL_WORKERS; i++) {
        ngx_http_longpoll_zone_tick_reap(&m.zone, i, m.now);
    }

    for (i = 0; i < m.ncats; i++) {
        if (m.cats[i].workers) {
            m.cats[i].workers = 0;
            m.cats[i].away = 0;
            m.cats[i].last = m.now;
        }
    }

    /* an event may be told late, and grace begin with it */

    model_settle();
    m.now = ngx_max(m.now, m.back);
    model_settle();
    m.now += MODEL_GRACE;
    model_settle();

    table = m.zone.present.sh;

    for (i = 0; i < m.ncats; i++) {
        unit_must(!m.cats[i].believed, "somebody has not left");
    }

    unit_must(table->nfree == table->fresh,
              "entries are left");

    model_end();
}


static void
case_full(void *data)
{
    ngx_uint_t  i, logged;

    unit_random_state = unit_seed;
    model_world(MODEL_CROWDED);
    logged = 0;

    /* a zone of another size has logged nothing yet */

    for (i = 0; i < 3000; i++) {
        model_act();
        logged |= (m.zone.sh->presence.logged != 0);
    }

    unit_must(logged, "nothing was to be logged");

    model_end();
}


static void
case_turns(void *data)
{
    char                     name[16];
    uint64_t                 wake;
    ngx_int_t                rc;
    ngx_uint_t               i, full;
    ngx_http_longpoll_cat_t  cat;

    unit_random_state = unit_seed;
    model_world(MODEL_LARGE);

    for (i = 0; i < 1000; i++) {
        cat.name.len = (size_t) sprintf(name, "many%lu", (unsigned long) i);
        cat.name.data = (u_char *) name;
        ngx_http_longpoll_zone_hash(&m.zone, &cat);

        ngx_http_longpoll_zone_lock(&m.zone);
        ngx_http_longpoll_zone_presence_come(&m.zone, 0, &cat, 1, 0, m.now);
        ngx_http_longpoll_zone_unlock(&m.zone);
    }

    rc = ngx_http_longpoll_zone_presence_publish(&m.zone, 0, m.now, &wake);
    unit_must(rc == NGX_OK, "no reset is published");

    rc = ngx_http_longpoll_zone_presence_publish(&m.zone, 0, m.now, &wake);
    unit_must(rc == NGX_OK && m.zone.sh->presence.walk == 1001,
              "a turn passes more than 1,000 units");

    for (i = 0; i < 20 && rc == NGX_OK; i++) {
        rc = ngx_http_longpoll_zone_presence_publish(&m.zone, 0, m.now, &wake);
    }

    unit_must(rc == NGX_DONE, "there is always more to tell");

    m.now += MODEL_GRACE;

    rc = ngx_http_longpoll_zone_presence_tick(&m.zone, m.now, &full);
    unit_must(rc == NGX_BUSY, "more than 1,000 leave in a turn");

    rc = ngx_http_longpoll_zone_presence_tick(&m.zone, m.now, &full);
    unit_must(rc == NGX_OK, "the end of grace has no end");

    model_end();
}


int
main(int argc, char *argv[])
{
    unit_suite_t  suite;

    static const char *const  journaled[] = { "_presence.c", NULL };

    ngx_memzero(&suite, sizeof(suite));

    suite.name = "presence";
    suite.cases = presence_cases;
    suite.ncases = sizeof(presence_cases) / sizeof(presence_cases[0]);
    suite.worlds = presence_worlds;
    suite.nworlds = sizeof(presence_worlds) / sizeof(presence_worlds[0]);
    suite.world = presence_world;
    suite.numbers = presence_numbers;
    suite.journaled = journaled;
    suite.crash_flags = presence_flags;
    suite.mutant_worlds = 20;
    suite.mutant_ops = 200;
    suite.mutant_tries = 3;
    suite.mutant_hits = 300;
    suite.mutant_seconds = 5;

    return unit_main(&suite, argc, argv);
}
