
/*
 * feed.c: the unit tests of zones that are copies of a stream.
 *
 * The store's files over plain memory.  unit.h shows how the program is run,
 * feed_model.h says what is compared.
 */


#include "feed_model.h"


model_t  m;

extern const unit_case_t  feed_cases[];
extern const ngx_uint_t   feed_ncases;


static const unit_worlds_t  feed_worlds[] = {

    { "no event is lost, none doubled, and no client told missed",
      0, 40, 6000, 0, 0 },

    { "what a Redis loses is told, and nothing is doubled",
      MODEL_FAULTS, 80, 6000, 0, 0 },

    { "the same where a new Redis has another clock",
      MODEL_FAULTS|MODEL_SKEW, 40, 6000, 0, 0 },

    { "a kill at any store leaves an entry that is there or is not",
      MODEL_CRASH, 60, 200, 1, 0 },
};


static void
feed_init(unit_worlds_t *t)
{
    ngx_uint_t   i;
    static char  names[MODEL_CATS][2];

    unit_random_state = t->seed;

    ngx_memzero(&m, sizeof(m));

    m.flags = t->flags;
    m.now = MODEL_TIME + 1000000 + unit_below(1000000);
    m.run = 1;
    m.size = (m.flags & MODEL_CRASH ? 128 : 1024) * 1024;
    m.mem_size = m.size - 512;

    for (i = 0; i < MODEL_CATS; i++) {
        names[i][0] = (char) ('a' + i);
        m.cats[i].name.data = (u_char *) names[i];
        m.cats[i].name.len = 1;
    }

    for (i = 0; i < MODEL_NODES; i++) {
        model_node_init(&m.nodes[i]);
    }

    for (i = 0; i < MODEL_CLIENTS; i++) {
        model_client_init(&m.clients[i], m.flags & MODEL_SKEW ? MODEL_BY_ID
                                                              : i % 3);
    }

    /* where one more epoch makes the zone forget the oldest */

    if (m.flags & MODEL_CRASH && t->seed % 4 == 1) {
        while (m.stream.nlives < MODEL_LIVES) {
            model_begin(m.stream.lives[0].epoch, 0);
        }
    }

    unit->op = 0;
    unit->seed = t->seed;
    unit_crash_seed = m.flags & MODEL_CRASH ? t->seed : 0;
}


static void
feed_fault(model_node_t *node)
{
    ngx_uint_t  n;

    n = unit_below(1000);

    if (n < 10) {
        node->cut = 3 + unit_below(20);

    } else if (n < 15) {
        model_fresh(node);

    } else if (n < 20) {
        node->worker = unit_below(MODEL_WORKERS);
        node->zone.sh->feed.reader = 0;
    }

    if (!(m.flags & MODEL_FAULTS)) {
        return;
    }

    n = unit_below(1000);

    if (n < 10) {
        m.stalled = 1;

    } else if (n < 13) {
        m.stalled = 0;
        m.replica = m.stream;

    } else if (n < 17) {
        model_failover();

    } else if (n < 19) {
        model_restart();

    } else if (n < 20) {
        model_wipe();

    } else if (n < 28) {
        model_trim();
    }
}


static void
feed_act(void)
{
    ngx_uint_t     n;
    model_node_t  *node;

    m.now += unit_below(8);
    node = &m.nodes[unit_below(MODEL_NODES)];

    feed_fault(node);

    n = unit_below(100);

    if (n < 15) {
        if (node->connected && node->run == m.run) {
            (void) model_publish(node->first.epoch,
                                 unit_once(3) ? 1 + unit_below(MODEL_BATCH)
                                              : 1, unit_below(2));
        }

    } else if (n < 17) {
        if (node->connected && node->run == m.run) {
            (void) model_delete(node->first.epoch);
        }

    } else if (n < 25) {
        if (node->connected && node->run == m.run) {
            (void) model_beat(node->first.epoch);
        }

    } else if (n < 26) {
        model_strange();

    } else if (n < 60) {
        model_step(node, 1 + unit_below(20));

    } else {
        model_poll(&m.clients[unit_below(MODEL_CLIENTS)], node);
    }
}


static void
feed_world(unit_worlds_t *t)
{
    ngx_uint_t  i, n;

    feed_init(t);

    for (n = 0; unit->op < t->ops && n < 4 * t->ops
                && m.nevents < MODEL_EVENTS - MODEL_BATCH
                && m.nentries < MODEL_ENTRIES / 2; n++)
    {
        feed_act();
    }

    /* a heartbeat tells a node that all it has not read was trimmed */

    (void) model_beat(m.stream.lives[0].epoch);

    for (n = 0; n < 50; n++) {
        m.now += 5;

        for (i = 0; i < MODEL_NODES; i++) {
            m.nodes[i].cut = 0;
            model_step(&m.nodes[i], 1000);
        }
    }

    for (i = 0; i < MODEL_NODES; i++) {
        unit_must(m.nodes[i].state.synced, "a node is not synced");
        model_check_same(&m.nodes[0], &m.nodes[i]);
    }

    for (i = 0; i < MODEL_NODES; i++) {
        free(m.nodes[i].mem);
        free(m.nodes[i].copy);
    }
}


static ngx_uint_t
feed_flags(uint64_t seed)
{
    return MODEL_CRASH | (seed & 1 ? MODEL_FAULTS : 0);
}


static void
feed_numbers(void)
{
    printf("# %lu calls, %lu reads, %lu events given, %lu answers told missed, "
           "%lu kills, %lu in recovery, %lu kept\n",
           (unsigned long) unit->ops, (unsigned long) unit->reads,
           (unsigned long) unit->messages, (unsigned long) unit->missed,
           (unsigned long) unit->kills, (unsigned long) unit->rekills,
           (unsigned long) unit->kept);
    fflush(stdout);
}


int
main(int argc, char *argv[])
{
    unit_suite_t  suite;

    static const char *const  journaled[] = {
        "_feed.c", "_epoch.c", NULL
    };

    ngx_memzero(&suite, sizeof(suite));

    suite.name = "feed";
    suite.cases = feed_cases;
    suite.ncases = feed_ncases;
    suite.worlds = feed_worlds;
    suite.nworlds = sizeof(feed_worlds) / sizeof(feed_worlds[0]);
    suite.world = feed_world;
    suite.numbers = feed_numbers;
    suite.journaled = journaled;
    suite.crash_flags = feed_flags;
    suite.mutant_worlds = 40;
    suite.mutant_ops = 200;
    suite.mutant_tries = 4;
    suite.mutant_seconds = 5;

    return unit_main(&suite, argc, argv);
}
