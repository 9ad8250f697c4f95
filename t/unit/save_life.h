
/*
 * save_life.h: a zone is made, ends, is loaded again, or moves into another.
 *
 * A part of save.c.
 */


#ifndef _SAVE_LIFE_H_INCLUDED_
#define _SAVE_LIFE_H_INCLUDED_


static ngx_http_longpoll_note_t  life_notes[MODEL_MAX];
static ngx_uint_t                life_nnotes;


static void
life_zone(size_t size, ngx_http_longpoll_zone_conf_t *conf)
{
    u_char      random[24];
    ngx_uint_t  i;

    m.size = size;
    m.mem_size = size - 512;
    m.mem = calloc(1, m.mem_size);
    m.copy = calloc(1, m.mem_size);

    for (i = 0; i < sizeof(random); i++) {
        random[i] = (u_char) stub_random();
    }

    ngx_memzero(z, sizeof(*z));
    z->size = size;
    z->mutex = &model_mutex;
    z->conf = *conf;
    z->persist.len = 1;
    z->strays = &model_strays;

    stub_must(ngx_http_longpoll_zone_init(z, m.mem, m.mem_size, 0, random,
                                          m.now)
              == NGX_OK, "a zone is not made");

    sh = z->sh;
    marks = sh->marks;
}


static void
life_cats(void)
{
    ngx_uint_t  i;

    for (i = 0; i < MODEL_CATS; i++) {
        free(model_cats[i].name.data);
        model_cats[i].name.data = malloc(4);
        model_cats[i].name.len = sprintf((char *) model_cats[i].name.data,
                                         "c%lu", (unsigned long) i);
        ngx_http_longpoll_zone_name(z, &model_cats[i]);
    }
}


static void
life_begin(void)
{
    m.failed = 0;
    m.exempt = sh->visible;
    m.ready = 0;
    m.round = 0;
    m.again = 0;
    m.published = sh->counters.published;
    model_npend = 0;
    m.n_pubs = 0;

    ngx_memzero(op_slots, sizeof(op_slots));
}


static void
life_world(size_t size, ngx_http_longpoll_zone_conf_t *conf)
{
    model_lists(model_make)

    model_strays = 0;

    life_zone(size, conf);
    life_cats();
    ngx_http_longpoll_zone_loaded(z, 1, m.now);
    life_begin();
    model_check(1);
}


static void
life_end(void)
{
    model_lists(model_free)
    free(m.mem);
    free(m.copy);
    free(model_save.lines);
    free(model_save.notes);
    model_save.lines = NULL;
    model_save.notes = NULL;
}


/* notes of losses, into the new file or into life_notes */

static void
life_losses(ngx_uint_t fresh)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_http_longpoll_note_t    note[3];
    ngx_http_longpoll_save_t    save;
    ngx_http_longpoll_losses_t  losses;

    ngx_memzero(&losses, sizeof(losses));
    ngx_memzero(&save, sizeof(save));
    save.notes = note;
    save.max_notes = 1 + stub_below(3);
    life_nnotes = 0;

    do {
        save.nnotes = 0;
        rc = ngx_http_longpoll_zone_losses(z, &losses, &save);

        for (i = 0; i < save.nnotes; i++) {

            if (fresh) {
                model_push(fresh_notes, note[i]);
            } else {
                life_notes[life_nnotes++] = note[i];
            }
        }

    } while (rc == NGX_AGAIN);
}


static void
life_again(void)
{
}


static void
life_adopt(size_t size)
{
}


#endif /* _SAVE_LIFE_H_INCLUDED_ */
