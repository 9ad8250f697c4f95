
/*
 * save_case.c: a zone and its file, cases by hand.
 */


#include "save_model.h"


static void
case_world(ngx_uint_t inactive, ngx_uint_t durable)
{
    ngx_http_longpoll_zone_conf_t  conf;

    unit_random_state = unit_seed;
    unit->op = 0;

    ngx_memzero(&m, sizeof(m));
    m.now = MODEL_EPOCH;
    m.ncats = MODEL_FEW;
    m.inexact = inactive != 0;

    ngx_memzero(&conf, sizeof(conf));
    conf.buffer = 250;
    conf.inactive = inactive;
    conf.durable = durable;

    epoch_world(64 * 1024, &conf);
}


static void
case_op(op_e kind)
{
    act_set(kind);
    act_op.bytes = 1000;
    act_op.max_notes = 64;
    (void) op_run(&act_op);
}


static uint64_t
case_publish(uint32_t cat)
{
    act_set(OP_PUBLISH);
    act_op.uid = ++m.uid;
    act_op.n = 1;
    act_op.which[0] = cat;
    act_op.cats[0] = model_cats[cat];
    act_op.msgs[0].cat = 0;
    act_op.msgs[0].data.len = 3;
    act_op.msgs[0].data.data = model_bytes(m.uid, 3);
    (void) op_run(&act_op);

    return act_op.msgs[0].id;
}


static ngx_uint_t
case_missed(uint32_t cat, uint64_t id, ngx_uint_t beginning)
{
    size_t                    cost;
    ngx_http_longpoll_cat_t   c;
    ngx_http_longpoll_read_t  rd;

    ngx_memzero(&rd, sizeof(rd));
    cost = 1;
    c = model_cats[cat];
    rd.mode = NGX_HTTP_LONGPOLL_READ_PEEK;
    rd.worker = NGX_HTTP_LONGPOLL_NO_WORKER;
    rd.cats = &c;
    rd.ncats = 1;
    rd.costs = &cost;
    rd.limit = 1000;
    rd.cursor.fresh = 1;
    rd.cursor.id = id;
    rd.cursor.beginning = beginning;
    rd.cursor.lost = !beginning
                     && ngx_http_longpoll_zone_epoch_lost(z, model_ms(id), 0);

    unit_must(ngx_http_longpoll_zone_read(z, &rd, m.now) != NGX_ERROR,
              "no memory");
    (void) ngx_http_longpoll_zone_read_valid(z);

    return rd.missed;
}


/* a publisher that slept over many failures learns of its own, or of none */

static void
case_unsaved(void *wake)
{
    ngx_http_longpoll_zone_disk_failed(z, wake);
}


static void
case_failures(void *data)
{
    uint64_t    id, other, kill;
    ngx_uint_t  i;

    case_world(0, 1);
    case_op(OP_BEGIN);

    id = case_publish(0);

    case_op(OP_UNSAVED);
    (void) case_publish(1);
    case_op(OP_COLLECT);
    case_op(OP_SAVED);

    for (i = 1; i < NGX_HTTP_LONGPOLL_FAILURES; i++) {
        (void) case_publish(1);
        unit_must(ngx_http_longpoll_zone_disk_decided(z, id, 0) == NGX_ERROR,
                  "after %lu failures the zone lost the first",
                  (unsigned long) i);
        case_op(OP_UNSAVED);
    }

    (void) case_publish(1);

    other = sh->disk.failed;
    unit_must(other == NGX_HTTP_LONGPOLL_FAILURES, "not so many failures");

    for (kill = 0; kill < 12; kill++) {
        model_snapshot();
        (void) unit_call_and_kill(case_unsaved, &other, kill);

        unit_must(ngx_http_longpoll_zone_disk_decided(z, id, 0) == NGX_ERROR,
                  "a kill overwrites the first failure");
        model_restore();
    }

    epoch_end();
}


static void
case_expired(void *data)
{
    uint64_t    id;
    ngx_uint_t  i;

    case_world(1000, 1);
    case_op(OP_BEGIN);

    id = case_publish(0);
    (void) case_publish(0);
    case_op(OP_COLLECT);
    case_op(OP_SAVED);

    for (i = 0; i < 3; i++) {
        m.now += 2000;
        case_op(OP_TICK);
    }

    unit_must(sh->list.count == 0, "the events have not expired");
    unit_must(case_missed(0, id, 0), "an expired event is not missed");

    case_op(OP_COLLECT);
    case_op(OP_SAVED);
    epoch_next();

    unit_must(sh->list.count == 0, "an expired event came back");
    unit_must(case_missed(0, id, 0), "the next epoch misses no expired event");
    unit_must(!case_missed(0, 0, 1),
              "a poll from the beginning misses what a previous epoch dropped");
    epoch_end();
}


/* what is published to a zone that was replaced is missed in the new zone */

static void
case_late(void *data)
{
    uint64_t                  before, last, wake;
    ngx_http_longpoll_cat_t   cat;
    ngx_http_longpoll_msg_t   msg;
    ngx_http_longpoll_zone_t  old, new;

    case_world(0, 1);
    case_op(OP_BEGIN);

    before = case_publish(0);
    case_op(OP_COLLECT);
    case_op(OP_SAVED);

    old = *z;
    m.now += 10;
    epoch_zone(128 * 1024, &old.sh->conf);
    unit_must(ngx_http_longpoll_zone_adopt(z, &old, m.now, &unit_log)
              == NGX_OK, "no memory");
    new = *z;

    m.now += 10;
    ngx_memzero(&msg, sizeof(msg));
    cat = model_cats[0];
    msg.data.data = (u_char *) "1";
    msg.data.len = 1;

    last = 0;

    /*
     * Before the new zone is in place; and later, by a worker of the old
     * zone.
     */

    unit_must(ngx_http_longpoll_zone_publish(&old, &cat, &msg, 1, NULL, m.now,
                                             &wake) == NGX_AGAIN, "refused");
    ngx_http_longpoll_zone_adopt_commit(&new, &old);

    *z = new;
    sh = z->sh;
    m.now += 10;
    unit_must(model_late == msg.id + 1, "a late write is not known as one");
    unit_must(case_missed(0, before, 0), "a late write is not missed");
    last = msg.id;

    m.now += 10;
    unit_must(!case_missed(0, ngx_http_longpoll_id(m.now - 1, 0), 0),
              "it is missed for ever");

    unit_must(ngx_http_longpoll_zone_publish(&old, &cat, &msg, 1, NULL, m.now,
                                             &wake) == NGX_AGAIN, "refused");
    unit_must(model_late == msg.id + 1,
              "a second late write is not known as one");
    unit_must(case_missed(0, last, 0), "a second late write is not missed");
}


/* the clock of a new zone is ahead of the old zone's, which is still in use */

static void
case_clocks(void *data)
{
    uint64_t                  before, given, wake;
    ngx_http_longpoll_cat_t   cat;
    ngx_http_longpoll_msg_t   msg;
    ngx_http_longpoll_zone_t  old, new;

    case_world(0, 0);
    (void) ngx_http_longpoll_zone_disk_durable(z, 0, 1, &wake);

    before = case_publish(0);

    old = *z;
    m.now += 10;
    epoch_zone(128 * 1024, &old.sh->conf);
    unit_must(ngx_http_longpoll_zone_adopt(z, &old, m.now, &unit_log)
              == NGX_OK, "no memory");
    ngx_http_longpoll_zone_adopt_commit(z, &old);
    (void) ngx_http_longpoll_zone_disk_durable(z, 0, 1, &wake);

    ngx_memzero(&msg, sizeof(msg));
    cat = model_cats[0];
    msg.data.data = (u_char *) "1";
    msg.data.len = 1;

    unit_must(ngx_http_longpoll_zone_publish(z, &cat, &msg, 1, NULL,
                                             m.now + 100, &wake) == NGX_OK,
              "refused");
    given = msg.id;
    unit_must(!case_missed(0, before, 0), "it is missed for nothing");

    unit_must(ngx_http_longpoll_zone_publish(&old, &cat, &msg, 1, NULL, m.now,
                                             &wake) == NGX_OK, "refused");
    unit_must(msg.id > given, "an id is older than one that was issued");

    m.now += 200;
    unit_must(model_late > given,
              "the late write is below ids of the new zone");
    unit_must(case_missed(0, given, 0), "it is not missed");
    unit_must(!case_missed(0, ngx_http_longpoll_id(m.now - 1, 0), 0),
              "it is missed for ever");

    /* a reader of the old zone does not know what the new zone has */

    new = *z;
    *z = old;
    sh = z->sh;
    unit_must(case_missed(0, before, 0),
              "a reader of the old zone does not get missed");
    unit_must(!case_missed(0, msg.id, 0),
              "a reader misses events where none is lost");

    *z = new;
    sh = z->sh;
}


/* another nginx had the file, and sent timestamps of its own */

static void
case_others(void *data)
{
    uint64_t    last, at, wake;
    ngx_uint_t  i;

    for (i = 0; i < 3; i++) {
        case_world(0, 0);

        m.now += 100;
        at = sh->born + 10;
        last = ngx_http_longpoll_id(at + 5, 7);

        sh->disk.contested = 1;
        sh->previous.valid_from = sh->born;
        sh->previous.end = sh->born - 1;

        unit_must(!ngx_http_longpoll_zone_epoch_lost(z, at, 0),
                  "a time counts as lost, and nothing is");
        unit_must(ngx_http_longpoll_zone_epoch_lost(z, at, 1),
                  "an id of the other nginx is valid before it ended");

        if (i) {
            (void) case_publish(0);
            unit_must(ngx_http_longpoll_zone_epoch_lost(z, at, 0),
                      "a time of the other nginx is valid");
        }

        if (i == 2) {

            /* the other nginx accepted an event */

            (void) ngx_http_longpoll_zone_disk_durable(z, 0, 1, &wake);

            last = ngx_http_longpoll_id(m.now + 5, 7);
            act_set(OP_MISSING);
            act_op.last = last;
            (void) op_run(&act_op);

            unit_must(!sh->disk.contested, "the zone is still contested");
            unit_must(case_missed(0, last, 0),
                      "a cursor of the other nginx misses nothing");
            unit_must(!case_missed(0, 0, 1),
                      "a poll from the beginning misses it");
            unit_must(!case_missed(0, ngx_http_longpoll_id(m.now + 6, 0), 0),
                      "it is missed for ever");
            unit_must(sh->clock.visible > last, "a cursor made now misses it");
            continue;
        }

        ngx_http_longpoll_zone_epoch_alone(z, last, sh->born - 50);

        unit_must(!sh->disk.contested, "the zone is still contested");
        unit_must(!ngx_http_longpoll_zone_epoch_lost(z, sh->born - 50, 0)
                  && ngx_http_longpoll_zone_epoch_lost(z, sh->born - 51, 0),
                  "cursors that the other nginx called valid are not");
        unit_must(ngx_http_longpoll_zone_epoch_lost(z, at, 0) == i
                  && ngx_http_longpoll_zone_epoch_lost(z, at + 5, 0) == i,
                  "a time of the other nginx is judged wrongly");
        unit_must(!ngx_http_longpoll_zone_epoch_lost(z, at + 6, 0),
                  "a time is lost that the other nginx never issued");
        unit_must(ngx_http_longpoll_zone_epoch_lost(z, at, 1) == i,
                  "an id of the other nginx is judged wrongly");
        unit_must(ngx_http_longpoll_zone_epoch_lost(z, at + 6, 1),
                  "an id is valid that the other nginx never issued");
    }
}


/*
 * Two calls of ..._zone_epoch_missing() while a publish waits for the disk, the
 * second with an earlier id.  Cursors below the first id still miss events.
 */

static void
case_missing_twice(void *data)
{
    uint64_t    first;
    ngx_uint_t  i;

    for (i = 0; i < 2; i++) {
        case_world(0, 1);
        case_op(OP_BEGIN);
        (void) case_publish(0);

        first = ngx_http_longpoll_id(m.now + 40, 0);

        act_set(OP_MISSING);
        act_op.last = first;
        (void) op_run(&act_op);

        if (i) {

            /*
             * The publish is on disk, but nothing has advanced the clock
             * yet.
             */

            case_op(OP_COLLECT);
            case_op(OP_SAVED);
        }

        act_set(OP_MISSING);
        act_op.last = ngx_http_longpoll_id(m.now + 20, 0);
        (void) op_run(&act_op);

        unit_must(sh->previous.missing_below > first,
                  "an earlier id replaces a later one");
        unit_must(case_missed(0, first, 0),
                  "the first cursors do not miss events");

        epoch_end();
    }
}


const unit_case_t  save_cases[] = {

    { "a publisher that slept over 63 failures learns of its own",
      case_failures },
    { "losses of a previous epoch are missed by its cursors only",
      case_expired },
    { "an event published to a replaced zone is missed in the new one",
      case_late },
    { "events of a replaced zone are missed by all cursors, whichever clock "
      "is ahead",
      case_clocks },
    { "times and ids of another nginx that had the file are judged rightly",
      case_others },
    { "a cursor of another nginx misses events, whatever follows",
      case_missing_twice },
};


const ngx_uint_t  save_ncases = sizeof(save_cases) / sizeof(save_cases[0]);
