
/*
 * save_case.h: cases by hand; a part of save.c.
 */


#ifndef _SAVE_CASE_H_INCLUDED_
#define _SAVE_CASE_H_INCLUDED_


static void
case_world(ngx_uint_t inactive, ngx_uint_t durable)
{
    ngx_http_longpoll_zone_conf_t  conf;

    stub_random_state = test_seed;
    stub->op = 0;

    ngx_memzero(&m, sizeof(m));
    m.now = MODEL_EPOCH;
    m.inexact = inactive != 0;

    ngx_memzero(&conf, sizeof(conf));
    conf.buffer = 250;
    conf.inactive = inactive;
    conf.durable = durable;

    life_world(64 * 1024, &conf);
}


static void
case_op(op_e kind)
{
    test_set(kind);
    test_op.bytes = 1000;
    test_op.max_notes = 64;
    (void) op_run(&test_op);
}


static uint64_t
case_publish(uint32_t cat)
{
    test_set(OP_PUBLISH);
    test_op.uid = ++m.uid;
    test_op.n = 1;
    test_op.which[0] = cat;
    test_op.cats[0] = model_cats[cat];
    test_op.msgs[0].cat = 0;
    test_op.msgs[0].data.len = 3;
    test_op.msgs[0].data.data = model_bytes(m.uid, 3);
    (void) op_run(&test_op);

    return test_op.msgs[0].id;
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
                     && ngx_http_longpoll_zone_lost(z, model_ms(id), 0);

    stub_must(ngx_http_longpoll_zone_read(z, &rd, m.now) != NGX_ERROR,
              "no memory");
    (void) ngx_http_longpoll_zone_read_valid(z);

    return rd.missed;
}


/* who slept for so long is told the truth, or at least no lie */

static void
test_failures(void *data)
{
    uint64_t          id, other;
    ngx_uint_t        i;

    static uint64_t  kill;

    case_world(0, 1);
    case_op(OP_BEGIN);

    id = case_publish(0);

    case_op(OP_UNSAVED);
    (void) case_publish(1);
    case_op(OP_COLLECT);
    case_op(OP_SAVED);

    for (i = 1; i < NGX_HTTP_LONGPOLL_FAILURES; i++) {
        (void) case_publish(1);
        stub_must(ngx_http_longpoll_zone_decided(z, id, 0) == NGX_ERROR,
                  "after %lu failures the first is forgotten",
                  (unsigned long) i);
        case_op(OP_UNSAVED);
    }

    (void) case_publish(1);

    other = sh->disk.failed;
    stub_must(other == NGX_HTTP_LONGPOLL_FAILURES, "not so many failures");

    for (kill = 0; kill < 12; kill++) {
        model_snapshot();
        stub_steps = 0;
        stub_kill = kill;

        if (setjmp(stub_killed) == 0) {
            ngx_http_longpoll_zone_unsaved(z, &other);
        }

        stub_kill = STUB_NEVER;
        stub_held = 0;

        stub_must(ngx_http_longpoll_zone_decided(z, id, 0) == NGX_ERROR,
                  "the first failure is written over while it is asked for");
        model_restore();
    }

    life_end();
}


static void
test_forgotten(void *data)
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

    stub_must(sh->list.count == 0, "it is not forgotten");
    stub_must(case_missed(0, id, 0), "what was forgotten is not missed");

    case_op(OP_COLLECT);
    case_op(OP_SAVED);
    life_again();

    stub_must(sh->list.count == 0, "it came back");
    stub_must(case_missed(0, id, 0), "in the next life it is not missed");
    stub_must(!case_missed(0, 0, 1),
              "what an earlier life forgot is missed by who asks for all");
    life_end();
}


/* what a zone gets when another one has its place is told there */

static void
test_strays(void *data)
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
    life_zone(128 * 1024, &old.sh->conf);
    stub_must(ngx_http_longpoll_zone_adopt(z, &old, m.now, &stub_log)
              == NGX_OK, "no memory");
    new = *z;

    m.now += 10;
    ngx_memzero(&msg, sizeof(msg));
    cat = model_cats[0];
    msg.data.data = (u_char *) "1";
    msg.data.len = 1;

    last = 0;

    /* in between; and later, by who has the old one still */

    stub_must(ngx_http_longpoll_zone_publish(&old, &cat, &msg, 1, NULL, m.now,
                                             &wake) == NGX_AGAIN, "refused");
    ngx_http_longpoll_zone_moved(&new, &old);

    *z = new;
    sh = z->sh;
    m.now += 10;
    stub_must(model_stray == msg.id + 1, "one is not astray");
    stub_must(case_missed(0, before, 0), "one astray is not missed");
    last = msg.id;

    m.now += 10;
    stub_must(!case_missed(0, ngx_http_longpoll_id(m.now - 1, 0), 0),
              "it is missed for ever");

    stub_must(ngx_http_longpoll_zone_publish(&old, &cat, &msg, 1, NULL, m.now,
                                             &wake) == NGX_AGAIN, "refused");
    stub_must(model_stray == msg.id + 1, "a second is not astray");
    stub_must(case_missed(0, last, 0), "a second astray is not missed");
}


/* the clock of a new zone is ahead of the old one's, which goes on, too */

static void
test_clocks(void *data)
{
    uint64_t                  before, given, wake;
    ngx_http_longpoll_cat_t   cat;
    ngx_http_longpoll_msg_t   msg;
    ngx_http_longpoll_zone_t  old, new;

    case_world(0, 0);
    (void) ngx_http_longpoll_zone_durable(z, 0, 1, &wake);

    before = case_publish(0);

    old = *z;
    m.now += 10;
    life_zone(128 * 1024, &old.sh->conf);
    stub_must(ngx_http_longpoll_zone_adopt(z, &old, m.now, &stub_log)
              == NGX_OK, "no memory");
    ngx_http_longpoll_zone_moved(z, &old);
    (void) ngx_http_longpoll_zone_durable(z, 0, 1, &wake);

    ngx_memzero(&msg, sizeof(msg));
    cat = model_cats[0];
    msg.data.data = (u_char *) "1";
    msg.data.len = 1;

    stub_must(ngx_http_longpoll_zone_publish(z, &cat, &msg, 1, NULL,
                                             m.now + 100, &wake) == NGX_OK,
              "refused");
    given = msg.id;
    stub_must(!case_missed(0, before, 0), "it is missed for nothing");

    stub_must(ngx_http_longpoll_zone_publish(&old, &cat, &msg, 1, NULL, m.now,
                                             &wake) == NGX_OK, "refused");
    stub_must(msg.id > given, "an id of before");

    m.now += 200;
    stub_must(model_stray > given, "what the new one gave passes it");
    stub_must(case_missed(0, given, 0), "it is not missed");
    stub_must(!case_missed(0, ngx_http_longpoll_id(m.now - 1, 0), 0),
              "it is missed for ever");

    /* nor does who reads in the old one know what the new one has */

    new = *z;
    *z = old;
    sh = z->sh;
    stub_must(case_missed(0, before, 0), "the old one says it has all");
    stub_must(!case_missed(0, msg.id, 0), "it is missed where nothing is");

    *z = new;
    sh = z->sh;
}


/* another nginx has had the file, and gave out times, too */

static void
test_others(void *data)
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

        stub_must(!ngx_http_longpoll_zone_lost(z, at, 0),
                  "a time is lost where nothing is");
        stub_must(ngx_http_longpoll_zone_lost(z, at, 1),
                  "the others' id is good before they have ended");

        if (i) {
            (void) case_publish(0);
            stub_must(ngx_http_longpoll_zone_lost(z, at, 0),
                      "a time of the others' is good");
        }

        if (i == 2) {

            /* they took something */

            (void) ngx_http_longpoll_zone_durable(z, 0, 1, &wake);

            last = ngx_http_longpoll_id(m.now + 5, 7);
            test_set(OP_MISSING);
            test_op.last = last;
            (void) op_run(&test_op);

            stub_must(!sh->disk.contested, "they have it still");
            stub_must(case_missed(0, last, 0), "nothing is missed");
            stub_must(!case_missed(0, 0, 1), "who asks for all misses it");
            stub_must(!case_missed(0, ngx_http_longpoll_id(m.now + 6, 0), 0),
                      "it is missed for ever");
            stub_must(sh->clock.visible > last, "a new page misses it");
            continue;
        }

        ngx_http_longpoll_zone_alone(z, last, sh->born - 50);

        stub_must(!sh->disk.contested, "they have it still");
        stub_must(!ngx_http_longpoll_zone_lost(z, sh->born - 50, 0)
                  && ngx_http_longpoll_zone_lost(z, sh->born - 51, 0),
                  "what they believed is not believed");
        stub_must(ngx_http_longpoll_zone_lost(z, at, 0) == i
                  && ngx_http_longpoll_zone_lost(z, at + 5, 0) == i,
                  "a time of theirs is good, or bad");
        stub_must(!ngx_http_longpoll_zone_lost(z, at + 6, 0),
                  "a time is lost that they never gave");
        stub_must(ngx_http_longpoll_zone_lost(z, at, 1) == i,
                  "an id of theirs is good, or bad");
        stub_must(ngx_http_longpoll_zone_lost(z, at + 6, 1),
                  "an id is good that they never gave");
    }
}


/*
 * Two calls of ..._zone_missing() while a publish waits for the disk, the second
 * with an earlier id.  The cursors that the first one named are still told.
 */

static void
test_missing_twice(void *data)
{
    uint64_t    first;
    ngx_uint_t  i;

    for (i = 0; i < 2; i++) {
        case_world(0, 1);
        case_op(OP_BEGIN);
        (void) case_publish(0);

        first = ngx_http_longpoll_id(m.now + 40, 0);

        test_set(OP_MISSING);
        test_op.last = first;
        (void) op_run(&test_op);

        if (i) {

            /* the publish is on disk, but nothing has advanced the clock yet */

            case_op(OP_COLLECT);
            case_op(OP_SAVED);
        }

        test_set(OP_MISSING);
        test_op.last = ngx_http_longpoll_id(m.now + 20, 0);
        (void) op_run(&test_op);

        stub_must(sh->previous.missing_below > first, "an earlier id replaces a later one");
        stub_must(case_missed(0, first, 0), "the first cursors are not told");

        life_end();
    }
}


static const test_case_t  test_cases[] = {

    { "a publisher that sleeps over many failures is told of its own",
      test_failures },
    { "what an earlier life forgot is missed only by who was there",
      test_forgotten },
    { "what comes to a zone that was left is missed in the new one",
      test_strays },
    { "a new zone whose clock is ahead, and the old one's events",
      test_clocks },
    { "a time or an id of another nginx that had the file", test_others },
    { "a cursor that another nginx gave is told, whatever is found later",
      test_missing_twice },
};


#endif /* _SAVE_CASE_H_INCLUDED_ */
