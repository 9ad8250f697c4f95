
/*
 * save_model.h: what a zone and its file must be to each other, said again with
 * plain arrays.
 *
 * A part of save.c.  The model keeps every message that lives, or stands in the
 * file, in one array by id; the file is a list of ids, its notes a list of
 * notes.  Both are cut to what the zone says is good of them whenever a writer
 * begins, as persist does.  store.c knows why a message may go and what a read
 * gives; here it is asked what must be on disk, and who is told what:
 *
 *     what is saved and lives is in the file, once, in the order of ids
 *     what is in the file and was deleted, taken or refused has a note, or
 *       waits for one, or the file is to be written anew
 *     with durable what is saved is visible, and nothing else
 *     a publish is seen, saved and refused as a whole
 *
 * All that a kill may undo stands in model_t and its lists, so that it can be
 * copied with the zone.
 */


#ifndef _SAVE_MODEL_H_INCLUDED_
#define _SAVE_MODEL_H_INCLUDED_


#include "store_stub.h"
#include "zone_check.h"
#include <ngx_http_longpoll_golongpoll.h>


/* of a world */

#define MODEL_CRASH    0x01     /* kills */
#define MODEL_TAKE     0x02     /* delete_on_read is set now and then */
#define MODEL_IDLE     0x04     /* inactive is set now and then */
#define MODEL_LIVES    0x08     /* it ends, and is loaded again */
#define MODEL_ADOPT    0x10     /* another size takes its place */

#define MODEL_CATS     8
#define MODEL_WORKERS  3
#define MODEL_EPOCH    1700000000000ULL
#define MODEL_BATCH    24
#define MODEL_MAX      20000            /* of each list */


typedef struct {
    uint64_t                   id;
    ngx_http_longpoll_uuid_t   uuid;
    uint64_t                   first;   /* of its publish */
    uint64_t                   last;
    uint64_t                   key[2];  /* its hash, 0: none */
    uint32_t                   name;    /* its key */
    uint32_t                   cat;
    uint32_t                   uid;
    uint32_t                   len;
    unsigned                   live:1;
    unsigned                   shown:1;     /* was visible */
    unsigned                   counted:1;   /* before it was */
    unsigned                   deleted:1;      /* deleted, taken, refused, or its
                                               category was forgotten */
    unsigned                   refused:1;
    unsigned                   seen:1;
    unsigned                   noted:1;
    unsigned                   kept:1;
} model_msg_t;


/* a publish that waits for the disk */

typedef struct {
    uint64_t                   id;
    uint64_t                   failed;
} model_pub_t;


#define model_lists(X)                                                        \
    X(msgs, model_msg_t)                                                      \
    X(file, uint64_t)                                                         \
    X(fresh, uint64_t)                                                        \
    X(notes, ngx_http_longpoll_note_t)                                        \
    X(fresh_notes, ngx_http_longpoll_note_t)                                  \
    X(pubs, model_pub_t)

#define model_list(name, type)  type *name; ngx_uint_t n_##name;

typedef struct {
    ngx_uint_t                 flags;
    size_t                     size;
    size_t                     mem_size;
    u_char                    *mem;
    u_char                    *copy;
    uint64_t                   now;
    uint32_t                   uid;
    uint64_t                   floor;       /* ms of a time-out's answer */
    uint64_t                   published;
    uint64_t                   failed;
    uint64_t                   visible;     /* after the op before */
    uint64_t                   exempt;      /* up to here visible, saved or
                                               not */
    uint64_t                   dropped[MODEL_CATS];
    uint64_t                   used[MODEL_CATS];
    ngx_uint_t                 inexact;     /* of missed no more is known than
                                               that it must be said */
    uint64_t                   missing;
    ngx_uint_t                 killed;      /* ever */
    ngx_http_longpoll_late_sh_t  late;

    /* the writer */
    ngx_uint_t                 ready;
    ngx_uint_t                 round;       /* it has lines to write */
    ngx_uint_t                 again;
    ngx_uint_t                 all;
    ngx_uint_t                 lost;

    model_lists(model_list)
} model_t;


static model_t                    m;
static model_t                    model_before;     /* in a crash world */
static ngx_http_longpoll_zone_t   model_zone;
static ngx_shmtx_t                model_mutex;
static ngx_http_longpoll_cat_t    model_cats[MODEL_CATS];

/* what the zone at hand is told of those before it */

#define model_stray                                                           \
    (*ngx_http_longpoll_zone_late_upto(z, z->sh->resize.generation))

/* the writer's own memory, and what it took of which message */

static ngx_http_longpoll_save_t   model_save;
static uint64_t                   model_pend[MODEL_MAX];
static ngx_uint_t                 model_npend;

static ngx_http_longpoll_zone_t     *z = &model_zone;
static ngx_http_longpoll_zone_sh_t  *sh;
static ngx_http_longpoll_cursor_sh_t  *marks;

#define SAVED  NGX_HTTP_LONGPOLL_CURSOR_SAVED
#define NEXT   NGX_HTTP_LONGPOLL_CURSOR_NEXT
#define AGAIN  NGX_HTTP_LONGPOLL_CURSOR_COMPACT
#define SHOWN  NGX_HTTP_LONGPOLL_CURSOR_EXPOSED

#define model_ms(id)  ngx_http_longpoll_id_ms(id)

#define model_at(ref)                                                         \
    ((ngx_http_longpoll_msg_sh_t *) ngx_http_longpoll_log_rec(&z->log, ref))


/*
 * lists
 */


#define model_push(list, value)                                               \
    do {                                                                      \
        stub_must(m.n_##list < MODEL_MAX, "the model is full");               \
        m.list[m.n_##list++] = (value);                                       \
    } while (0)

#define model_make(name, type)                                                \
    m.name = calloc(MODEL_MAX, sizeof(type));                                 \
    model_before.name = calloc(MODEL_MAX, sizeof(type));

#define model_free(name, type)  free(m.name); free(model_before.name);

#define model_keep(name, type)                                                \
    memcpy(model_before.name, m.name, m.n_##name * sizeof(type));             \
    model_before.n_##name = m.n_##name;

#define model_back(name, type)                                                \
    memcpy(m.name, model_before.name, model_before.n_##name * sizeof(type));  \
    keep.name = m.name;

#define model_other(name, type)  keep.name = model_before.name;


static void
model_snapshot(void)
{
    model_t  keep;

    memcpy(m.copy, m.mem, m.mem_size);

    model_lists(model_keep)

    keep = m;
    model_lists(model_other)
    model_before = keep;
}


static void
model_restore(void)
{
    model_t  keep;

    memcpy(m.mem, m.copy, m.mem_size);

    keep = model_before;
    model_lists(model_back)
    m = keep;
}


/* the index of the first message of at least that id */

static ngx_uint_t
model_index(uint64_t id)
{
    ngx_uint_t  low, high, mid;

    low = 0;
    high = m.n_msgs;

    while (low < high) {
        mid = (low + high) / 2;

        if (m.msgs[mid].id < id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }

    return low;
}


static model_msg_t *
model_find(uint64_t id)
{
    ngx_uint_t  i;

    i = model_index(id);

    return i < m.n_msgs && m.msgs[i].id == id ? &m.msgs[i] : NULL;
}


static model_msg_t *
model_named(uint64_t high, uint64_t low)
{
    ngx_uint_t    i;
    uint64_t      id, life;
    model_msg_t  *msg;

    ngx_http_longpoll_uuid_t  uuid;

    uuid.high = high;
    uuid.low = low;

    if (ngx_http_longpoll_id_read(&uuid, &id, &life)) {
        msg = model_find(id);

        if (msg && msg->uuid.high == high && msg->uuid.low == low) {
            return msg;
        }
    }

    for (i = 0; i < m.n_msgs; i++) {
        if (m.msgs[i].uuid.high == high && m.msgs[i].uuid.low == low) {
            return &m.msgs[i];
        }
    }

    return NULL;
}


/* what is neither there nor in a file, and nobody waits for, is forgotten */

static void
model_compact(void)
{
    ngx_uint_t    i, n;
    model_msg_t  *msg;

    if (m.n_msgs < 3000 || m.n_msgs % 64) {
        return;
    }

    for (i = 0; i < m.n_msgs; i++) {
        m.msgs[i].kept = m.msgs[i].live;
    }

#define model_keeps(list, get)                                                \
    for (i = 0; i < m.n_##list; i++) {                                        \
        msg = model_find(m.list[i] get);                                      \
        if (msg) {                                                            \
            msg->kept = 1;                                                    \
        }                                                                     \
    }

    model_keeps(file,)
    model_keeps(fresh,)
    model_keeps(pubs, .id)

    for (i = 0; i < model_npend; i++) {
        msg = model_find(model_pend[i]);
        msg->kept = 1;
    }

    for (i = 0, n = 0; i < m.n_msgs; i++) {
        if (m.msgs[i].kept) {
            m.msgs[n++] = m.msgs[i];
        }
    }

    m.n_msgs = n;
}


/*
 * messages
 */


static u_char *
model_bytes(uint32_t uid, uint32_t len)
{
    uint32_t  i;

    static u_char  bytes[65536];

    stub_must(len < sizeof(bytes), "too long");

    bytes[0] = '1' + uid % 9;

    for (i = 1; i < len; i++) {
        bytes[i] = '0' + (uid / 9 + i * 7) % 10;
    }

    return bytes;
}


static size_t
model_line(u_char *p, model_msg_t *msg)
{
    int     n;
    u_char  id[NGX_HTTP_LONGPOLL_ID_LEN];

    (void) ngx_http_longpoll_id_print(id, &msg->uuid);

    n = sprintf((char *) p,
                "\n{\"timestamp\":%lu,\"category\":\"c%u\",\"data\":%.*s"
                ",\"id\":\"%.36s\"}", (unsigned long) model_ms(msg->id),
                msg->cat, (int) msg->len,
                (char *) model_bytes(msg->uid, msg->len), (char *) id);

    return n;
}


/* as the writer does it: what is not good of the file is cut off */

static void
model_open(void)
{
    if (m.n_file < sh->disk.file_size) {
        m.lost = 1;

    } else {
        m.n_file = sh->disk.file_size;
    }

    m.n_notes = ngx_min(m.n_notes, sh->disk.state_size);
}


/*
 * after each op
 */


static void
model_check_pubs(void)
{
    ngx_int_t     rc, right;
    ngx_uint_t    i;
    model_msg_t  *msg;
    model_pub_t  *pub;

    for (i = 0; i < m.n_pubs; i++) {
        pub = &m.pubs[i];

        if (sh->disk.failed - pub->failed >= NGX_HTTP_LONGPOLL_FAILURES) {

            /* it has been asleep for longer than is promised */

            *pub = m.pubs[--m.n_pubs];
            i--;
            continue;
        }

        msg = model_find(pub->id);
        rc = ngx_http_longpoll_zone_decided(z, pub->id, pub->failed);

        right = msg->refused ? NGX_ERROR
                             : pub->id <= sh->clock.visible ? NGX_OK : NGX_AGAIN;

        stub_must(rc == right, "a publish (%lx, %lu failures behind) is "
                  "decided %ld, not %ld", (unsigned long) pub->id,
                  (unsigned long) (sh->disk.failed - pub->failed), (long) rc,
                  (long) right);
    }
}


static ngx_uint_t
model_in_ring(ngx_http_longpoll_uuid_t *uuid)
{
    uint64_t  n;

    for (n = sh->disk.deletions_first; n < sh->disk.deletions_last; n++) {
        if (z->deletions[n % z->ndeletions].uuid.high == uuid->high
            && z->deletions[n % z->ndeletions].uuid.low == uuid->low)
        {
            return 1;
        }
    }

    return 0;
}


static void
model_check_file(void)
{
    uint64_t      id;
    ngx_uint_t    i, k;
    model_msg_t  *msg;

    id = 0;

    for (i = 0; i < m.n_file; i++) {
        stub_must(m.file[i] > id, "a line of the file is out of order");
        id = m.file[i];
    }

    if (!m.lost) {
        stub_must(m.n_file == sh->disk.file_size && m.n_notes <= sh->disk.state_size,
                  "the file has %lu lines and %lu notes, not %lu and %lu",
                  (unsigned long) m.n_file, (unsigned long) m.n_notes,
                  (unsigned long) sh->disk.file_size,
                  (unsigned long) sh->disk.state_size);
        stub_must(id <= marks[SAVED].id, "what is in the file is not saved");
    }

    /* what lives and is saved is there */

    for (i = 0, k = 0; i < m.n_msgs; i++) {
        msg = &m.msgs[i];

        while (k < m.n_file && m.file[k] < msg->id) {
            k++;
        }

        if (msg->live && msg->id <= marks[SAVED].id && !m.lost) {
            stub_must(k < m.n_file && m.file[k] == msg->id,
                      "a message is not in the file");
        }
    }

    /* what lives has no note */

    for (id = sh->disk.deletions_first; id < sh->disk.deletions_last; id++) {
        msg = model_named(z->deletions[id % z->ndeletions].uuid.high,
                          z->deletions[id % z->ndeletions].uuid.low);

        stub_must(msg == NULL || !msg->live, "a message of c%u is noted as "
                  "gone", msg->cat);
    }

    if (sh->disk.file_dead || m.lost) {
        return;
    }

    /* what is gone is noted */

    for (i = 0; i < m.n_msgs; i++) {
        m.msgs[i].noted = 0;
    }

    for (i = 0; i < m.n_notes; i++) {
        if (m.notes[i].kind == NGX_HTTP_LONGPOLL_NOTE_DELETION) {
            msg = model_named(m.notes[i].word[0], m.notes[i].word[1]);
            if (msg) {
                msg->noted = 1;
            }
        }
    }

    for (i = 0; i < m.n_file; i++) {
        msg = model_find(m.file[i]);

        stub_must(msg->live || !msg->deleted || msg->noted
                  || model_in_ring(&msg->uuid),
                  "what is gone from c%u stands in the file without a note",
                  msg->cat);
    }
}


static void
model_check_whole(uint64_t id, const char *what)
{
    ngx_uint_t  i;

    for (i = model_index(id + 1); i < m.n_msgs; i++) {

        if (m.msgs[i].live) {
            stub_must(m.msgs[i].first > id, "a publish is %s in part", what);
            break;
        }
    }
}


static void
model_check(ngx_uint_t exact)
{
    uint64_t     upto;
    const char  *wrong;

    wrong = zone_check(z);
    stub_must(wrong == NULL, "zone_check: %s", wrong);

    model_check_whole(sh->clock.visible, "visible");
    model_check_whole(marks[SAVED].id, "saved");

    if (m.ready) {
        model_check_whole(marks[NEXT].id, "given to the writer");
    }

    if (sh->disk.durable) {
        upto = ngx_max(m.exempt, marks[SAVED].id);
        stub_must(exact ? sh->clock.visible == upto : sh->clock.visible <= upto,
                  "visible is %lx, not %lx", (unsigned long) sh->clock.visible,
                  (unsigned long) upto);
        stub_must(!exact || marks[SHOWN].ref == 0
                  || model_at(marks[SHOWN].ref)->id > sh->clock.visible,
                  "what is visible is not told to those who wait");

        if (!m.killed) {
            stub_must(!exact || sh->disk.refused == 0, "what is refused stays");
        }
    }

    if (!m.killed) {
        stub_must(sh->counters.published == m.published,
                  "%lu are published, not %lu",
                  (unsigned long) sh->counters.published,
                  (unsigned long) m.published);
    }

    model_check_pubs();
    model_check_file();
}


#endif /* _SAVE_MODEL_H_INCLUDED_ */
