
/*
 * zone.c: calls of a live zone, as the bytes choose them.
 *
 * The model of the store's unit test (t/unit/store_model.h), with the bytes in
 * place of random numbers: the first one chooses the flags of the world, then
 * each choice takes as many as it needs.  Every answer is compared with the
 * model's, and zone_check() passes after every call.  Beside the calls of the
 * model there are reads with any 64 bits as the cursor.
 */


#include "fuzz.h"

#include "../unit/store_model.h"


int LLVMFuzzerInitialize(int *argc, char ***argv);


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    size_t  i;

    setenv("UNIT_ABORT", "1", 1);
    unit_init();

    for (i = 0; i < MODEL_PATTERN; i++) {
        model_pattern[i] = (u_char) unit_random();
    }

    return 0;
}


static uint64_t
zone_any(void)
{
    return unit_below((uint64_t) 1 << 32) << 32
           | unit_below((uint64_t) 1 << 32);
}


/* a cursor as no client should send it */

static void
zone_read(void)
{
    ngx_uint_t  bits;
    model_op_t  op;

    model_set_read(&op, MODEL_NOBODY);

    bits = unit_below(64);

    ngx_memzero(&op.cursor, sizeof(ngx_http_longpoll_cursor_t));
    op.cursor.id = zone_any();
    op.cursor.fresh = 1;
    op.cursor.now = (bits >> 1) & 1;
    op.cursor.exact = (bits >> 2) & 1;
    op.cursor.lost = (bits >> 3) & 1;
    op.cursor.beginning = (bits >> 4) & 1;

    op.rd.mode = bits & 32 ? NGX_HTTP_LONGPOLL_READ_LAST
                           : NGX_HTTP_LONGPOLL_READ_PEEK;
    op.rd.limit = bits & 1 ? zone_any() >> 1 : unit_below(65536);

    (void) model_read(&op);
}


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    ngx_uint_t   flags;
    const char  *wrong;

    static const ngx_uint_t  worlds[] = {
        0, MODEL_CROWDED, MODEL_TAKE, MODEL_IDLE, MODEL_CROWDED|MODEL_IDLE,
        MODEL_CROWDED|MODEL_IDLE|MODEL_TAKE, MODEL_BETWEEN,
        MODEL_BETWEEN|MODEL_CROWDED|MODEL_IDLE|MODEL_TAKE
    };

    if (size == 0) {
        return 0;
    }

    flags = worlds[data[0] % 8];

    unit_bytes = data + 1;
    unit_bytes_last = data + size;
    unit_hook = NULL;
    unit_held = 0;
    unit_steps = 0;

    model_random_world(1, flags);

    unit_hook = flags & MODEL_BETWEEN ? model_hook : NULL;

    /* nothing of the input before is remembered */

    (void) ngx_http_longpoll_zone_read_valid(&m.zone);

    while (unit_bytes < unit_bytes_last) {

        if (unit_once(8)) {
            zone_read();

        } else {
            model_act(MODEL_NOBODY, 1);
        }

        unit_hook = NULL;
        wrong = zone_check(&m.zone);
        unit_must(wrong == NULL, "the zone is corrupt: %s", wrong);
        unit_hook = flags & MODEL_BETWEEN ? model_hook : NULL;
    }

    unit_hook = NULL;
    model_check();
    model_end();

    return 0;
}
