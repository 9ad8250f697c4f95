
/*
 * ngx_http_longpoll_client.c: the positions of gpoll's clients.
 *
 *     free ── add ─▶ idle ── wait ─▶ parked ── wait, in no worker ─▶ idle
 *                     └───── drop ─▶ free ◀── drop ──┘
 *
 * Entries come from the free list, then from those never used, so that memory
 * that is not needed yet is not touched.
 *
 * The idle list is sorted by `used`.  A client is always appended, and gets at
 * least the time of the client before it.  So the head is the client that has
 * been idle longest, and the clients that have been idle for too long stand
 * together at the front.
 *
 * Nobody reads the other words of a free entry, so they are written with put,
 * not set.  Only uuid[0] matters then: it says whether an entry is in use to a
 * caller that walks over all entries.
 */


#include "ngx_http_longpoll_client.h"


#define ngx_http_longpoll_client_at(clients, n)                               \
    (&(clients)->entries[(n) - 1])


/* checks an entry's number + 1 before the entry is read */

#define ngx_http_longpoll_client_assert(clients, n)                           \
    ngx_http_longpoll_assert_step();                                          \
    ngx_http_longpoll_assert((n) - 1 < (clients)->sh->max,                    \
                             "a client's number")


/* checks that an entry's neighbour in the idle list points back to it */

#define ngx_http_longpoll_client_assert_link(clients, n, entry)               \
    ngx_http_longpoll_assert(                                                 \
        (n) == ngx_http_longpoll_client_number(clients, entry) + 1,           \
        "a client's neighbour")


static void ngx_http_longpoll_client_link(ngx_http_longpoll_clients_t *clients,
    ngx_http_longpoll_client_sh_t *entry, uint64_t now);
static void ngx_http_longpoll_client_unlink(
    ngx_http_longpoll_clients_t *clients, ngx_http_longpoll_client_sh_t *entry);


ngx_http_longpoll_client_sh_t *
ngx_http_longpoll_client_find(ngx_http_longpoll_clients_t *clients,
    ngx_http_longpoll_client_t *client)
{
    ngx_http_longpoll_client_sh_t  *entry;

    /* a forged id may equal the words of a free entry */

    if (client->number >= clients->sh->fresh || client->uuid[0] == 0) {
        return NULL;
    }

    ngx_http_longpoll_client_assert(clients, client->number + 1);

    entry = &clients->entries[client->number];

    /* the time of the comparison must not depend on the words compared */

    if ((entry->uuid[0] ^ client->uuid[0])
        | (entry->uuid[1] ^ client->uuid[1]))
    {
        return NULL;
    }

    return entry;
}


ngx_http_longpoll_client_sh_t *
ngx_http_longpoll_client_longest_idle(ngx_http_longpoll_clients_t *clients)
{
    uint32_t  n;

    n = clients->sh->first;

    if (n == 0) {
        return NULL;
    }

    ngx_http_longpoll_client_assert(clients, n);

    return ngx_http_longpoll_client_at(clients, n);
}


void
ngx_http_longpoll_client_add(ngx_http_longpoll_clients_t *clients,
    ngx_http_longpoll_client_t *client, uint64_t seen, uint64_t now)
{
    uint32_t                         n;
    ngx_http_longpoll_client_sh_t   *entry;
    ngx_http_longpoll_clients_sh_t  *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = clients->sh;
    j = clients->journal;

    if (sh->free == 0 && sh->fresh == sh->max) {
        entry = ngx_http_longpoll_client_longest_idle(clients);

        if (entry == NULL) {
            n = sh->hand < sh->max ? sh->hand : 0;
            ngx_http_longpoll_put(sh->hand, n + 1);
            entry = &clients->entries[n];
        }

        ngx_http_longpoll_client_drop(clients, entry);
    }

    n = sh->free ? sh->free : sh->fresh + 1;

    ngx_http_longpoll_client_assert(clients, n);
    entry = ngx_http_longpoll_client_at(clients, n);

    ngx_http_longpoll_put(entry->uuid[1], client->uuid[1]);
    ngx_http_longpoll_put(entry->seen, seen);
    ngx_http_longpoll_put(entry->waiting, 0);

    if (sh->free) {
        ngx_http_longpoll_set(j, sh->free, entry->next);

    } else {
        ngx_http_longpoll_set(j, sh->fresh, n);
    }

    ngx_http_longpoll_set(j, entry->uuid[0], client->uuid[0]);
    ngx_http_longpoll_set(j, sh->clients, sh->clients + 1);

    ngx_http_longpoll_client_link(clients, entry, now);
    ngx_http_longpoll_done(j);

    client->number = n - 1;
}


void
ngx_http_longpoll_client_move(ngx_http_longpoll_clients_t *clients,
    ngx_http_longpoll_client_sh_t *entry, uint64_t seen, uint64_t now)
{
    ngx_http_longpoll_put(entry->seen, seen);

    if (entry->waiting == 0) {
        ngx_http_longpoll_client_unlink(clients, entry);
        ngx_http_longpoll_client_link(clients, entry, now);
        ngx_http_longpoll_done(clients->journal);
    }
}


void
ngx_http_longpoll_client_wait(ngx_http_longpoll_clients_t *clients,
    ngx_http_longpoll_client_sh_t *entry, uint64_t waiting, uint64_t now)
{
    ngx_http_longpoll_journal_sh_t  *j;

    if (entry->waiting == waiting) {
        return;
    }

    j = clients->journal;

    if (entry->waiting == 0) {
        ngx_http_longpoll_client_unlink(clients, entry);

    } else if (waiting == 0) {
        ngx_http_longpoll_client_link(clients, entry, now);
    }

    ngx_http_longpoll_set(j, entry->waiting, waiting);
    ngx_http_longpoll_done(j);
}


void
ngx_http_longpoll_client_copy(ngx_http_longpoll_clients_t *clients, uint32_t n,
    ngx_http_longpoll_client_sh_t *from)
{
    ngx_http_longpoll_client_sh_t   *entry;
    ngx_http_longpoll_clients_sh_t  *sh;

    sh = clients->sh;
    entry = &clients->entries[n];

    entry->uuid[0] = from->uuid[0];
    entry->uuid[1] = from->uuid[1];
    entry->seen = from->seen;
    entry->waiting = 0;

    if (entry->uuid[0]) {
        sh->clients++;

    } else {
        entry->next = sh->free;
        sh->free = n + 1;
    }

    sh->fresh = n + 1;
}


void
ngx_http_longpoll_client_idle(ngx_http_longpoll_clients_t *clients, uint32_t n,
    uint64_t used)
{
    ngx_http_longpoll_client_link(clients, &clients->entries[n], used);
    ngx_http_longpoll_done(clients->journal);
}


void
ngx_http_longpoll_client_drop(ngx_http_longpoll_clients_t *clients,
    ngx_http_longpoll_client_sh_t *entry)
{
    ngx_http_longpoll_clients_sh_t  *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = clients->sh;
    j = clients->journal;

    if (entry->waiting == 0) {
        ngx_http_longpoll_client_unlink(clients, entry);
    }

    ngx_http_longpoll_set(j, entry->uuid[0], 0);
    ngx_http_longpoll_set(j, entry->next, sh->free);
    ngx_http_longpoll_set(j, sh->free,
                          ngx_http_longpoll_client_number(clients, entry) + 1);
    ngx_http_longpoll_set(j, sh->clients, sh->clients - 1);
    ngx_http_longpoll_done(j);
}


/*
 * Links the entry at the end of the idle list.  If the wall clock stepped back,
 * the entry gets the time of the one before it: the list stays in order.
 */

static void
ngx_http_longpoll_client_link(ngx_http_longpoll_clients_t *clients,
    ngx_http_longpoll_client_sh_t *entry, uint64_t now)
{
    uint32_t                         n;
    ngx_http_longpoll_client_sh_t   *last;
    ngx_http_longpoll_clients_sh_t  *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = clients->sh;
    j = clients->journal;

    n = ngx_http_longpoll_client_number(clients, entry) + 1;

    if (sh->last) {
        ngx_http_longpoll_client_assert(clients, sh->last);
        last = ngx_http_longpoll_client_at(clients, sh->last);

        now = ngx_max(now, last->used);
        ngx_http_longpoll_set(j, last->next, n);

    } else {
        ngx_http_longpoll_set(j, sh->first, n);
    }

    ngx_http_longpoll_set(j, entry->prev, sh->last);
    ngx_http_longpoll_set(j, entry->next, 0);
    ngx_http_longpoll_set(j, entry->used, now);
    ngx_http_longpoll_set(j, sh->last, n);
}


static void
ngx_http_longpoll_client_unlink(ngx_http_longpoll_clients_t *clients,
    ngx_http_longpoll_client_sh_t *entry)
{
    ngx_http_longpoll_client_sh_t   *other;
    ngx_http_longpoll_clients_sh_t  *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = clients->sh;
    j = clients->journal;

    if (entry->prev) {
        ngx_http_longpoll_client_assert(clients, entry->prev);
        other = ngx_http_longpoll_client_at(clients, entry->prev);

        ngx_http_longpoll_client_assert_link(clients, other->next, entry);
        ngx_http_longpoll_set(j, other->next, entry->next);

    } else {
        ngx_http_longpoll_client_assert_link(clients, sh->first, entry);
        ngx_http_longpoll_set(j, sh->first, entry->next);
    }

    if (entry->next) {
        ngx_http_longpoll_client_assert(clients, entry->next);
        other = ngx_http_longpoll_client_at(clients, entry->next);

        ngx_http_longpoll_client_assert_link(clients, other->prev, entry);
        ngx_http_longpoll_set(j, other->prev, entry->prev);

    } else {
        ngx_http_longpoll_client_assert_link(clients, sh->last, entry);
        ngx_http_longpoll_set(j, sh->last, entry->prev);
    }
}
