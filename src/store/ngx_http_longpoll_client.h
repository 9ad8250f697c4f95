
/*
 * ngx_http_longpoll_client.h: the positions of gpoll's clients.
 *
 * A client of gpoll has an id, and the zone remembers how far the client has
 * read: one entry of 64 bytes for each client.  The entries fill a part of the
 * zone whose size is fixed when the zone is made.  A client's id is the number
 * of its entry and a UUID of version 4; a client is found only by both.
 *
 *        first                          last
 *   table -> entry <-> entry <-> entry <- table     idle clients: no parked
 *                                                   poll, the longest idle
 *                                                   first
 *            entry    entry                         clients with parked polls:
 *                                                   in no list
 *   free  -> entry  -> entry                        free entries
 *
 * The caller holds the zone's lock in every call.  Each change of the lists is
 * one step of the journal: two when add drops a client first, none in copy,
 * whose table nobody uses yet.  A worker may still hold the id of a dropped
 * client.  Its lookup fails, so it writes nothing.
 */


#ifndef _NGX_HTTP_LONGPOLL_CLIENT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CLIENT_H_INCLUDED_


#include "ngx_http_longpoll_journal.h"
#include "ngx_http_longpoll_assert.h"


typedef struct {
    /* identity */
    uint64_t                         uuid[2];   /* uuid[0] == 0: free */

    /* position: id of the last message that the client got, or of the newest
       one when the client registered */
    uint64_t                         seen;

    /* presence */
    uint64_t                         used;      /* ms: idle since; never falls
                                                   along the idle list */
    uint64_t                         waiting;   /* a bit for each worker that
                                                   has parked polls of it */

    /* entry numbers + 1, 0 is none */
    uint64_t                         next;      /* idle list, or free list */
    uint64_t                         prev;      /* idle list */

    uint64_t                         pad;       /* to one cache line */
} ngx_http_longpoll_client_sh_t;


typedef struct {
    uint32_t                         max;       /* entries; never changes */
    uint32_t                         free;      /* free list, number + 1 */
    uint32_t                         fresh;     /* entries from this number on
                                                   were never used */
    uint32_t                         clients;   /* entries in use */
    uint32_t                         first;     /* idle list, number + 1 */
    uint32_t                         last;
    uint32_t                         hand;      /* clock hand: chooses a victim
                                                   where no client is idle */
    uint32_t                         pad;
} ngx_http_longpoll_clients_sh_t;


/* a process's view of the table */

typedef struct {
    ngx_http_longpoll_clients_sh_t  *sh;
    ngx_http_longpoll_journal_sh_t  *journal;
    ngx_http_longpoll_client_sh_t   *entries;
} ngx_http_longpoll_clients_t;


/* returns the client's entry; NULL: the id is not, or no longer, known */
ngx_http_longpoll_client_sh_t *ngx_http_longpoll_client_find(
    ngx_http_longpoll_clients_t *clients, ngx_http_longpoll_client_t *client);

/* returns the client that has been idle longest; NULL: no client is idle */
ngx_http_longpoll_client_sh_t *ngx_http_longpoll_client_longest_idle(
    ngx_http_longpoll_clients_t *clients);

/*
 * Adds a client, whose UUID the caller has set, and sets client->number.  The
 * client starts behind the message of id seen.  A full table drops the client
 * that has been idle longest, or any other one if no client is idle.
 */
void ngx_http_longpoll_client_add(ngx_http_longpoll_clients_t *clients,
    ngx_http_longpoll_client_t *client, uint64_t seen, uint64_t now);

/*
 * The client got the message of id seen: one store moves its position.  Then an
 * idle client goes to the end of the idle list, in a step of its own.
 */
void ngx_http_longpoll_client_move(ngx_http_longpoll_clients_t *clients,
    ngx_http_longpoll_client_sh_t *entry, uint64_t seen, uint64_t now);

/*
 * The client has polls parked in these workers (a bit for each); without any
 * it becomes idle.
 */
void ngx_http_longpoll_client_wait(ngx_http_longpoll_clients_t *clients,
    ngx_http_longpoll_client_sh_t *entry, uint64_t waiting, uint64_t now);

/*
 * These two fill a table that nobody uses yet from another zone's.  First copy
 * is called for every number in turn, then idle for each entry in use: it goes
 * to the end of the idle list, idle since used.
 */
void ngx_http_longpoll_client_copy(ngx_http_longpoll_clients_t *clients,
    uint32_t n, ngx_http_longpoll_client_sh_t *from);
void ngx_http_longpoll_client_idle(ngx_http_longpoll_clients_t *clients,
    uint32_t n, uint64_t used);

/* removes the client and frees its entry */
void ngx_http_longpoll_client_drop(ngx_http_longpoll_clients_t *clients,
    ngx_http_longpoll_client_sh_t *entry);


#define ngx_http_longpoll_client_number(clients, entry)                       \
    ((uint32_t) ((entry) - (clients)->entries))


#endif /* _NGX_HTTP_LONGPOLL_CLIENT_H_INCLUDED_ */
