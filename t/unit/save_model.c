
/*
 * save_model.c: the lists of the model, and copies of all of it.
 */


#include "save_model.h"


model_t                         m;
ngx_http_longpoll_cat_t         model_cats[MODEL_CATS];
ngx_http_longpoll_lines_t       model_memory;

static ngx_http_longpoll_zone_t  model_zone;

ngx_http_longpoll_zone_t       *z = &model_zone;
ngx_http_longpoll_zone_sh_t    *sh;
ngx_http_longpoll_cursor_sh_t  *cursors;

/* in a crash world */

static model_t                   model_before;


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


void
model_make_lists(void)
{
    model_lists(model_make)
}


void
model_free_lists(void)
{
    model_lists(model_free)
}


void
model_snapshot(void)
{
    model_t  keep;

    memcpy(m.copy, m.mem, m.mem_size);

    model_lists(model_keep)

    keep = m;
    model_lists(model_other)
    model_before = keep;
}


void
model_restore(void)
{
    model_t  keep;

    memcpy(m.mem, m.copy, m.mem_size);

    keep = model_before;
    model_lists(model_back)
    m = keep;
}


/* the index of the first message of at least that id */

ngx_uint_t
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


model_msg_t *
model_find(uint64_t id)
{
    ngx_uint_t  i;

    i = model_index(id);

    return i < m.n_msgs && m.msgs[i].id == id ? &m.msgs[i] : NULL;
}


model_msg_t *
model_named(uint64_t high, uint64_t low)
{
    ngx_uint_t    i;
    uint64_t      id, epoch;
    model_msg_t  *msg;

    ngx_http_longpoll_uuid_t  uuid;

    uuid.high = high;
    uuid.low = low;

    if (ngx_http_longpoll_id_read(&uuid, &id, &epoch)) {
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


/* drops messages that are neither in the zone nor in a file nor awaited */

void
model_prune(void)
{
    ngx_uint_t    i, n;
    model_msg_t  *msg;

    if (m.n_msgs < 3000 || m.n_msgs % 64) {
        return;
    }

    for (i = 0; i < m.n_msgs; i++) {
        m.msgs[i].kept = m.msgs[i].live;
    }

#define model_keeps(list, condition)                                          \
    for (i = 0; i < m.n_##list; i++) {                                        \
        if (condition) {                                                      \
            msg = model_find(m.list[i].id);                                   \
            if (msg) {                                                        \
                msg->kept = 1;                                                \
            }                                                                 \
        }                                                                     \
    }

    model_keeps(lines, m.lines[i].kind == LINE_EVENT)
    model_keeps(round, m.round[i].kind == LINE_EVENT)
    model_keeps(fresh, m.fresh[i].kind == LINE_EVENT)
    model_keeps(pubs, 1)

    for (i = 0, n = 0; i < m.n_msgs; i++) {
        if (m.msgs[i].kept) {
            m.msgs[n++] = m.msgs[i];
        }
    }

    m.n_msgs = n;
}


u_char *
model_bytes(uint32_t uid, uint32_t len)
{
    uint32_t  i;

    static u_char  bytes[65536];

    unit_must(len < sizeof(bytes), "too long");

    bytes[0] = '1' + uid % 9;

    for (i = 1; i < len; i++) {
        bytes[i] = '0' + (uid / 9 + i * 7) % 10;
    }

    return bytes;
}


size_t
model_line(u_char *p, model_msg_t *msg)
{
    int     n;
    u_char  id[NGX_HTTP_LONGPOLL_ID_LEN];

    (void) ngx_http_longpoll_id_print(id, &msg->uuid);

    n = sprintf((char *) p,
                "{\"timestamp\":%lu,\"category\":\"c%u\",\"data\":%.*s"
                ",\"id\":\"%.36s\"", (unsigned long) model_ms(msg->id),
                msg->cat, (int) msg->len,
                (char *) model_bytes(msg->uid, msg->len), (char *) id);

    if (msg->name) {
        n += sprintf((char *) p + n, ",\"key\":\"%016lx%016lx\"",
                     (unsigned long) msg->key[0], (unsigned long) msg->key[1]);
    }

    return n + sprintf((char *) p + n, "}\n");
}


uint64_t
model_bytes_of(uint64_t segment)
{
    uint64_t    n;
    ngx_uint_t  i;

    for (i = 0, n = 0; i < m.n_lines; i++) {
        n += m.lines[i].segment == segment ? m.lines[i].len : 0;
    }

    return n;
}


void
model_remove(uint64_t segment)
{
    ngx_uint_t  i, n;

    for (i = 0, n = 0; i < m.n_lines; i++) {
        if (m.lines[i].segment != segment) {
            m.lines[n++] = m.lines[i];
        }
    }

    m.n_lines = n;
}
