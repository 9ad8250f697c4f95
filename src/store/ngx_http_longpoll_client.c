
/*
 * ngx_http_longpoll_client.c: the places of gpoll's clients.
 *
 *     free ── enter ─▶ idle ── wait ─▶ parked ── wait, in no worker ─▶ idle
 *                       └───── drop ─▶ free ◀── drop ──┘
 *
 * The entries are taken from the free list, then from the never used ones, so
 * that memory which nobody needed yet is not touched.  The list of the idle has
 * one rule: who is linked goes to its end, and its time is not earlier than
 * that of the one before.  So its head is the one that is idle longest, and
 * those that are idle for too long stand together at the front.
 *
 * What an entry says while it is free is nobody's business, so that is put, not
 * set; but uuid[0] says whether it is in use to whoever goes over all of them.
 */


#include "ngx_http_longpoll_client.h"


#define ngx_http_longpoll_client_at(places, n)                                 \
    (&(places)->entries[(n) - 1])


/* of an entry's number + 1, before the entry is looked at */

#define ngx_http_longpoll_client_assert(places, n)                              \
    ngx_http_longpoll_assert_step();                                           \
    ngx_http_longpoll_assert((n) - 1 < (places)->sh->max, "a place's number")


/* of who is before or behind a place in the list */

#define ngx_http_longpoll_client_assert_link(places, n, place)                  \
    ngx_http_longpoll_assert((n) == ngx_http_longpoll_client_number(places,     \
                                                                  place) + 1, \
                            "a place's neighbour")


static void ngx_http_longpoll_client_link(ngx_http_longpoll_clients_t *places,
    ngx_http_longpoll_client_sh_t *place, uint64_t now);
static void ngx_http_longpoll_client_unlink(ngx_http_longpoll_clients_t *places,
    ngx_http_longpoll_client_sh_t *place);


ngx_http_longpoll_client_sh_t *
ngx_http_longpoll_client_find(ngx_http_longpoll_clients_t *places,
    ngx_http_longpoll_client_t *client)
{
    ngx_http_longpoll_client_sh_t  *place;

    /* an id that somebody made up may look like a free entry */

    if (client->number >= places->sh->fresh || client->uuid[0] == 0) {
        return NULL;
    }

    ngx_http_longpoll_client_assert(places, client->number + 1);

    place = &places->entries[client->number];

    /* how far two ids agree must not show in the time it takes */

    if ((place->uuid[0] ^ client->uuid[0]) | (place->uuid[1] ^ client->uuid[1]))
    {
        return NULL;
    }

    return place;
}


ngx_http_longpoll_client_sh_t *
ngx_http_longpoll_client_longest_idle(ngx_http_longpoll_clients_t *places)
{
    uint32_t  n;

    n = places->sh->first;

    if (n == 0) {
        return NULL;
    }

    ngx_http_longpoll_client_assert(places, n);

    return ngx_http_longpoll_client_at(places, n);
}


void
ngx_http_longpoll_client_add(ngx_http_longpoll_clients_t *places,
    ngx_http_longpoll_client_t *client, uint64_t seen, uint64_t now)
{
    uint32_t                         n;
    ngx_http_longpoll_client_sh_t    *place;
    ngx_http_longpoll_clients_sh_t   *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = places->sh;
    j = places->journal;

    if (sh->free == 0 && sh->fresh == sh->max) {
        place = ngx_http_longpoll_client_longest_idle(places);

        if (place == NULL) {
            n = sh->hand < sh->max ? sh->hand : 0;
            ngx_http_longpoll_put(sh->hand, n + 1);
            place = &places->entries[n];
        }

        ngx_http_longpoll_client_drop(places, place);
    }

    n = sh->free ? sh->free : sh->fresh + 1;

    ngx_http_longpoll_client_assert(places, n);
    place = ngx_http_longpoll_client_at(places, n);

    ngx_http_longpoll_put(place->uuid[1], client->uuid[1]);
    ngx_http_longpoll_put(place->seen, seen);
    ngx_http_longpoll_put(place->waiting, 0);

    if (sh->free) {
        ngx_http_longpoll_set(j, sh->free, place->next);

    } else {
        ngx_http_longpoll_set(j, sh->fresh, n);
    }

    ngx_http_longpoll_set(j, place->uuid[0], client->uuid[0]);
    ngx_http_longpoll_set(j, sh->clients, sh->clients + 1);

    ngx_http_longpoll_client_link(places, place, now);
    ngx_http_longpoll_done(j);

    client->number = n - 1;
}


void
ngx_http_longpoll_client_move(ngx_http_longpoll_clients_t *places,
    ngx_http_longpoll_client_sh_t *place, uint64_t seen, uint64_t now)
{
    ngx_http_longpoll_put(place->seen, seen);

    if (place->waiting == 0) {
        ngx_http_longpoll_client_unlink(places, place);
        ngx_http_longpoll_client_link(places, place, now);
        ngx_http_longpoll_done(places->journal);
    }
}


void
ngx_http_longpoll_client_wait(ngx_http_longpoll_clients_t *places,
    ngx_http_longpoll_client_sh_t *place, uint64_t waiting, uint64_t now)
{
    ngx_http_longpoll_journal_sh_t  *j;

    if (place->waiting == waiting) {
        return;
    }

    j = places->journal;

    if (place->waiting == 0) {
        ngx_http_longpoll_client_unlink(places, place);

    } else if (waiting == 0) {
        ngx_http_longpoll_client_link(places, place, now);
    }

    ngx_http_longpoll_set(j, place->waiting, waiting);
    ngx_http_longpoll_done(j);
}


void
ngx_http_longpoll_client_copy(ngx_http_longpoll_clients_t *places, uint32_t n,
    ngx_http_longpoll_client_sh_t *from)
{
    ngx_http_longpoll_client_sh_t   *place;
    ngx_http_longpoll_clients_sh_t  *sh;

    sh = places->sh;
    place = &places->entries[n];

    place->uuid[0] = from->uuid[0];
    place->uuid[1] = from->uuid[1];
    place->seen = from->seen;
    place->used = from->used;
    place->waiting = 0;

    if (place->uuid[0]) {
        sh->clients++;

    } else {
        place->next = sh->free;
        sh->free = n + 1;
    }

    sh->fresh = n + 1;
}


void
ngx_http_longpoll_client_idle(ngx_http_longpoll_clients_t *places, uint32_t n)
{
    ngx_http_longpoll_client_sh_t  *place;

    place = &places->entries[n];

    ngx_http_longpoll_client_link(places, place, place->used);
    ngx_http_longpoll_done(places->journal);
}


void
ngx_http_longpoll_client_drop(ngx_http_longpoll_clients_t *places,
    ngx_http_longpoll_client_sh_t *place)
{
    ngx_http_longpoll_clients_sh_t   *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = places->sh;
    j = places->journal;

    if (place->waiting == 0) {
        ngx_http_longpoll_client_unlink(places, place);
    }

    ngx_http_longpoll_set(j, place->uuid[0], 0);
    ngx_http_longpoll_set(j, place->next, sh->free);
    ngx_http_longpoll_set(j, sh->free,
                          ngx_http_longpoll_client_number(places, place) + 1);
    ngx_http_longpoll_set(j, sh->clients, sh->clients - 1);
    ngx_http_longpoll_done(j);
}


/* behind all others; a clock that goes back does not change their order */

static void
ngx_http_longpoll_client_link(ngx_http_longpoll_clients_t *places,
    ngx_http_longpoll_client_sh_t *place, uint64_t now)
{
    uint32_t                         n;
    ngx_http_longpoll_client_sh_t    *last;
    ngx_http_longpoll_clients_sh_t   *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = places->sh;
    j = places->journal;

    n = ngx_http_longpoll_client_number(places, place) + 1;

    if (sh->last) {
        ngx_http_longpoll_client_assert(places, sh->last);
        last = ngx_http_longpoll_client_at(places, sh->last);

        now = ngx_max(now, last->used);
        ngx_http_longpoll_set(j, last->next, n);

    } else {
        ngx_http_longpoll_set(j, sh->first, n);
    }

    ngx_http_longpoll_set(j, place->prev, sh->last);
    ngx_http_longpoll_set(j, place->next, 0);
    ngx_http_longpoll_set(j, place->used, now);
    ngx_http_longpoll_set(j, sh->last, n);
}


static void
ngx_http_longpoll_client_unlink(ngx_http_longpoll_clients_t *places,
    ngx_http_longpoll_client_sh_t *place)
{
    ngx_http_longpoll_client_sh_t    *other;
    ngx_http_longpoll_clients_sh_t   *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = places->sh;
    j = places->journal;

    if (place->prev) {
        ngx_http_longpoll_client_assert(places, place->prev);
        other = ngx_http_longpoll_client_at(places, place->prev);

        ngx_http_longpoll_client_assert_link(places, other->next, place);
        ngx_http_longpoll_set(j, other->next, place->next);

    } else {
        ngx_http_longpoll_client_assert_link(places, sh->first, place);
        ngx_http_longpoll_set(j, sh->first, place->next);
    }

    if (place->next) {
        ngx_http_longpoll_client_assert(places, place->next);
        other = ngx_http_longpoll_client_at(places, place->next);

        ngx_http_longpoll_client_assert_link(places, other->prev, place);
        ngx_http_longpoll_set(j, other->prev, place->prev);

    } else {
        ngx_http_longpoll_client_assert_link(places, sh->last, place);
        ngx_http_longpoll_set(j, sh->last, place->prev);
    }
}
