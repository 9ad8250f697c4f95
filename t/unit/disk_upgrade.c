
/*
 * disk_upgrade.c: worlds of two nginxes with one log.
 *
 *     old   ──────────────────────┐ ends, or is killed
 *     new            load ─────── barred ─── merge ─────────────┐
 *     old                                          begins again ── merge ──
 *
 * Both have the zone in memory, and either, both or none of them takes
 * something while the new one is barred.  The old one may keep its zone, and
 * begin again when the new one has ended (a rollback).  In the end the one that
 * is left is loaded from the disk.
 */


#include "disk_model.h"


#define UPGRADE_REST  4000


static void
upgrade_turns(model_nginx_t *nginx, ngx_uint_t n, ngx_uint_t acts)
{
    ngx_uint_t       i, alive;
    model_worker_t  *worker;

    while (n--) {
        m.now += unit_once(3) ? unit_below(4) : 0;
        unit->op++;
        unit->ops++;

        for (i = 0, alive = 0; i < MODEL_WORKERS; i++) {
            alive += nginx->workers[i].alive;
        }

        if (alive < m.nworkers) {
            worker_begin(nginx);
        }

        if (acts) {
            act(nginx);
        }

        worker = worker_any(nginx);

        if (worker) {
            worker_turn(nginx, worker);
        }
    }
}


static ngx_uint_t
upgrade_rests(model_nginx_t *nginx)
{
    worker_enter_nginx(nginx);

    return sh->disk.begun && !sh->disk.lost && !sh->disk.contested
           && sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].ref == 0
           && sh->disk.notes_first == sh->disk.notes_last
           && sh->clock.visible == sh->clock.committed
           && sh->disk.says == (sh->conf.durable
                                ? NGX_HTTP_LONGPOLL_SAYS_YES
                                : NGX_HTTP_LONGPOLL_SAYS_NO);
}


void
upgrade_rest(model_nginx_t *nginx)
{
    ngx_uint_t  i;

    for (i = 0; i < UPGRADE_REST; i++) {
        if (upgrade_rests(nginx)) {
            return;
        }

        m.now += unit_below(20);
        upgrade_turns(nginx, 1, 0);
    }

    unit_fail("an nginx does not come to rest");
}


/* what other had, and was on disk or acknowledged, is here now */

static void
upgrade_check(model_nginx_t *nginx, model_nginx_t *other, uint64_t saved)
{
    uint32_t        cat;
    ngx_uint_t      i, truth, told, lost;
    model_event_t  *ev;
    model_place_t  *there;

    worker_look(nginx, GONE_LOST);
    worker_enter_nginx(nginx);

    for (i = 0; i < m.nevents; i++) {
        ev = &m.events[i];
        there = &ev->in[other - m.nginxes];

        unit_must(!there->live || !ev->acked || there->id > saved
                  || model_place(ev)->live || model_place(ev)->gone,
                  "event %lu of the other nginx is lost", (unsigned long) i);
    }

    for (i = 0; i < 20 && m.ncursors; i++) {
        for (cat = 0; cat < m.ncats; cat++) {
            told = act_missed(&m.cursors[i % m.ncursors], cat);
            truth = check_truth(&m.cursors[i % m.ncursors], cat, &lost);

            figures->cursors++;
            figures->told += told;
            figures->missed += truth;

            unit_must(!truth || told, "cursor %lu has missed events of c%u, "
                      "and is not told", (unsigned long) (i % m.ncursors),
                      cat);
        }
    }
}


/* the workers of one end, or all of it is killed; returns what was saved */

static uint64_t
upgrade_let_go(model_nginx_t *nginx, ngx_uint_t clean)
{
    uint64_t  saved;

    if (clean) {
        m.stable = 1;

        if (worker_any(nginx) == NULL) {
            worker_begin(nginx);
        }

        worker_end_all(nginx);
        m.stable = 0;
    }

    worker_look(nginx, GONE_LOST);
    worker_enter_nginx(nginx);
    saved = clean ? MODEL_NOT
                  : sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id;

    if (!clean) {
        worker_kill_all(nginx);
    }

    return saved;
}


void
upgrade_world(void)
{
    uint64_t        saved;
    ngx_uint_t      quiet, clean;
    model_nginx_t  *old, *new, *other;

    old = &m.nginxes[0];
    new = &m.nginxes[1];
    quiet = unit_below(4);
    clean = !unit_once(3);

    m.conf.buffer = 1000;
    m.size = 512 * 1024;
    sim_between = life_between;

    life_start(old);
    upgrade_turns(old, unit_below(100), 1);

    m.now += 2 + unit_below(20);
    life_start(new);

    unit_must(sh->disk.contested, "two nginxes have the log");
    worker_look(new, GONE_LOST);

    while (unit->op < m.ops / 2 && !unit_once(60)) {
        upgrade_turns(old, unit_below(3), !(quiet & 1));
        upgrade_turns(new, unit_below(3), !(quiet & 2));
    }

    saved = upgrade_let_go(old, clean);
    upgrade_rest(new);
    upgrade_check(new, old, saved);

    figures->upgrades++;

    if (sh->previous.missing_below == 0) {
        figures->followed++;
    }

    if (clean && old->running && unit_once(2)) {

        /* a rollback */

        upgrade_turns(new, unit_below(60), unit_below(2));
        saved = upgrade_let_go(new, clean);
        upgrade_rest(old);
        upgrade_check(old, new, saved);

        other = old;
        old = new;
        new = other;
    }

    worker_kill_all(old);

    upgrade_turns(new, unit_below(60), 1);
    clean = !unit_once(3);
    (void) upgrade_let_go(new, clean);
    life_remember(new);
    worker_kill_all(new);

    if (unit_once(2)) {
        sim_power_cut();
    }

    m.ncursors = 0;
    m.now += 2;
    life_free(new);
    life_start(new);
    check_loaded(clean, m.before.told);

    life_free(old);
    life_free(new);
}
