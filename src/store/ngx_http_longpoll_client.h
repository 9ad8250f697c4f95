
/*
 * ngx_http_longpoll_client.h: the places of gpoll's clients.
 *
 * A client of gpoll names itself, and the zone knows how far it has read: an
 * entry of 64 bytes for each client, as many as fit into a part of the zone
 * that is set aside when it is made.  A client is the number of its entry and
 * a UUID of version 4; only both together are one.
 *
 *        first                          last
 *   places -> entry <-> entry <-> entry <- places     nobody waits: the list of
 *                                                     the idle, longest first
 *             entry    entry                          parked: in no list
 *   free   -> entry  -> entry                         nobody's
 *
 * All calls are made under the zone's lock.  Each that changes something is one
 * step of the journal; of a taken-away entry nothing is written any more, since
 * it is found by its UUID.
 */


#ifndef _NGX_HTTP_LONGPOLL_CLIENT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CLIENT_H_INCLUDED_


#include "ngx_http_longpoll_journal.h"
#include "ngx_http_longpoll_assert.h"


typedef struct {
    /* identity */
    uint64_t                         uuid[2];   /* uuid[0] == 0: free */

    uint64_t                         seen;      /* id of the last message that
                                                   it was given, or that was
                                                   there when it came */
    uint64_t                         used;      /* ms, of the idle: since when;
                                                   rises along the list */
    uint64_t                         waiting;   /* a bit for each worker in
                                                   which it has parked polls */

    /* numbers + 1, 0 is none */
    uint64_t                         next;      /* of the idle, or free */
    uint64_t                         prev;

    uint64_t                         spare;     /* one cache line */
} ngx_http_longpoll_client_sh_t;


typedef struct {
    uint32_t                         max;       /* never changes */
    uint32_t                         free;      /* list, number + 1 */
    uint32_t                         fresh;     /* from here never used */
    uint32_t                         clients;
    uint32_t                         first;     /* idle longest, number + 1 */
    uint32_t                         last;
    uint32_t                         hand;      /* looks for a victim where
                                                   nobody is idle */
    uint32_t                         spare;
} ngx_http_longpoll_clients_sh_t;


typedef struct {
    ngx_http_longpoll_clients_sh_t   *sh;
    ngx_http_longpoll_journal_sh_t  *journal;
    ngx_http_longpoll_client_sh_t    *entries;
} ngx_http_longpoll_clients_t;


/* the entry, or NULL: there is no such client, or no longer */
ngx_http_longpoll_client_sh_t *ngx_http_longpoll_client_find(
    ngx_http_longpoll_clients_t *places, ngx_http_longpoll_client_t *client);

/* the one that is idle longest; NULL: none is */
ngx_http_longpoll_client_sh_t *ngx_http_longpoll_client_longest_idle(
    ngx_http_longpoll_clients_t *places);

/*
 * A new client, whose uuid is set, begins behind the message of id seen; its
 * number is set.  If there is no room, the one that is idle longest goes, and
 * where none is idle, some other.
 */
void ngx_http_longpoll_client_add(ngx_http_longpoll_clients_t *places,
    ngx_http_longpoll_client_t *client, uint64_t seen, uint64_t now);

/* it has polled, and was given the message of id seen: one store moves on */
void ngx_http_longpoll_client_move(ngx_http_longpoll_clients_t *places,
    ngx_http_longpoll_client_sh_t *place, uint64_t seen, uint64_t now);

/* it has polls parked in these workers, and is idle where there are none */
void ngx_http_longpoll_client_wait(ngx_http_longpoll_clients_t *places,
    ngx_http_longpoll_client_sh_t *place, uint64_t waiting, uint64_t now);

/*
 * Before anybody uses the table: the entry of number n, which must be called
 * for in order, becomes what it was in another one; then those that are in use
 * are linked, in the order of used.
 */
void ngx_http_longpoll_client_copy(ngx_http_longpoll_clients_t *places,
    uint32_t n, ngx_http_longpoll_client_sh_t *from);
void ngx_http_longpoll_client_idle(ngx_http_longpoll_clients_t *places,
    uint32_t n);

/* the client is forgotten */
void ngx_http_longpoll_client_drop(ngx_http_longpoll_clients_t *places,
    ngx_http_longpoll_client_sh_t *place);


#define ngx_http_longpoll_client_number(places, place)                         \
    ((uint32_t) ((place) - (places)->entries))


#endif /* _NGX_HTTP_LONGPOLL_CLIENT_H_INCLUDED_ */
