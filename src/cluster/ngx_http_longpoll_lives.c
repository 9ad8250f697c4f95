
/*
 * ngx_http_longpoll_lives.c: the epochs of a zone's stream, as its Redis lists
 * them.
 *
 *     LIFE BEGIN-ID RUN      the newest
 *     ...
 *
 * A list that cannot be read counts as none.  The epoch that begins then takes
 * its place; the script compares the list's first word as it stands there.
 */


#include "ngx_http_longpoll_lives.h"

#include <sys/random.h>


static uint64_t ngx_http_longpoll_lives_draw(void);


void
ngx_http_longpoll_lives_read(ngx_http_longpoll_lives_t *lives, ngx_str_t *text)
{
    u_char  *p, *last;

    lives->lines.data = lives->text;
    lives->lines.len = ngx_min(text->len, sizeof(lives->text));
    ngx_memcpy(lives->text, text->data, lives->lines.len);

    if (text->len == lives->lines.len
        && ngx_http_longpoll_entry_lives_parse(lives->list, &lives->n,
                                               &lives->lines)
           == NGX_OK)
    {
        return;
    }

    lives->n = 0;

    /* what Lua's %S takes */

    last = lives->text + lives->lines.len;

    for (p = lives->text; p < last; p++) {

        if (*p == ' ' || (*p >= '\t' && *p <= '\r')) {
            break;
        }
    }

    lives->lines.len = p - lives->text;
}


ngx_uint_t
ngx_http_longpoll_lives_is(ngx_http_longpoll_lives_t *lives, ngx_str_t *run,
    ngx_uint_t same)
{
    if (lives->n == 0) {
        return 0;
    }

    return same || ngx_http_longpoll_lives_same(&lives->list[0].run, run);
}


/*
 * A promotion draws a replid, and keeps the one before as the second.  Redis
 * also draws one when the first replica comes, and when the last has been away
 * for an hour: then it has no second one, and has lost nothing.
 */

ngx_uint_t
ngx_http_longpoll_lives_same(ngx_str_t *before, ngx_str_t *run)
{
    size_t  len;

    if (before->len == run->len
        && ngx_memcmp(before->data, run->data, run->len) == 0)
    {
        return 1;
    }

    len = run->len - 1;

    return before->len > len && run->data[len] == '0'
           && run->data[len - 1] == '.'
           && ngx_memcmp(before->data, run->data, len) == 0;
}


ngx_uint_t
ngx_http_longpoll_lives_has(ngx_http_longpoll_lives_t *lives, uint64_t epoch)
{
    ngx_uint_t  i;

    for (i = 0; i < lives->n; i++) {

        if (lives->list[i].epoch == epoch) {
            return 1;
        }
    }

    return 0;
}


ngx_str_t *
ngx_http_longpoll_lives_begin(ngx_http_longpoll_lives_t *lives,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *run, uint64_t id)
{
    ngx_str_t  *argv, *last;

    argv = lives->argv;

    ngx_str_set(&argv[0], "3");
    argv[1] = cluster->log;
    argv[2] = cluster->life;
    argv[3] = cluster->number;

    argv[4].data = lives->text;
    argv[4].len = lives->lines.len;
    ngx_str_set(&argv[8], "");

    if (lives->n) {
        argv[4].len = NGX_HTTP_LONGPOLL_ENTRY_LIFE_LEN;

        /* in a full list the oldest line makes room */

        last = &lives->list[ngx_min(lives->n, NGX_HTTP_LONGPOLL_ENTRY_LIVES - 1)
                            - 1].run;

        argv[8].data = lives->text;
        argv[8].len = last->data + last->len - lives->text;
    }

    argv[5].data = lives->life;
    argv[5].len = ngx_http_longpoll_entry_epoch_print(lives->life,
                                               ngx_http_longpoll_lives_draw())
                  - lives->life;

    argv[6] = *run;

    argv[7].data = lives->ms;
    argv[7].len = ngx_sprintf(lives->ms, "%uL", ngx_http_longpoll_id_ms(id))
                  - lives->ms;

    return argv;
}


/* at random; never 0 */

static uint64_t
ngx_http_longpoll_lives_draw(void)
{
    uint64_t  epoch;

    if (getrandom(&epoch, sizeof(epoch), 0) != sizeof(epoch)) {
        epoch = (uint64_t) ngx_random() << 32 ^ (uint64_t) ngx_random();
    }

    epoch &= NGX_HTTP_LONGPOLL_EPOCH_MASK;

    return epoch ? epoch : 1;
}
