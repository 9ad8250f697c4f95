
/*
 * ngx_http_longpoll_load_set.h: what the notes of a log say of its events: the
 * messages that are gone, and up to where categories were dropped.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOAD_SET_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOAD_SET_H_INCLUDED_


#include "ngx_http_longpoll.h"


/*
 * An entry is a UUID that is gone; or a category, which has 0 and hash[1].  No
 * UUID begins with eight zeros: such a one is no id.
 */

typedef struct {
    ngx_http_longpoll_uuid_t         uuid;      /* both 0: a free entry */
    uint64_t                         upto;      /* ids */
    uint64_t                         lost;
    uint64_t                         spared;    /* the lowest id of a message
                                                   that the notes spare in its
                                                   later place; 0: none */
} ngx_http_longpoll_load_entry_t;


/* a message that stands in a later place than its id says */

typedef struct {
    uint64_t                         name;      /* hash[1] of its category */
    uint64_t                         id;
    uint64_t                         ms;        /* of the place */
} ngx_http_longpoll_load_moved_t;


typedef struct {
    ngx_log_t                       *log;
    ngx_http_longpoll_load_entry_t  *entries;
    ngx_uint_t                       size;      /* 0, or a power of two */
    ngx_uint_t                       n;         /* entries in use */

    ngx_http_longpoll_load_moved_t  *moved;
    ngx_uint_t                       max_moved;
    ngx_uint_t                       nmoved;
} ngx_http_longpoll_load_set_t;


/* of a zeroed set, with its log; NGX_OK, or NGX_ERROR: no memory */
ngx_int_t ngx_http_longpoll_load_set_delete(ngx_http_longpoll_load_set_t *set,
    ngx_http_longpoll_uuid_t *uuid);
ngx_int_t ngx_http_longpoll_load_set_drop(ngx_http_longpoll_load_set_t *set,
    uint64_t name, uint64_t upto, uint64_t lost);

ngx_int_t ngx_http_longpoll_load_set_move(ngx_http_longpoll_load_set_t *set,
    uint64_t name, uint64_t id, uint64_t ms);

/* all notes are known: sets spared of each category */
void ngx_http_longpoll_load_set_spare(ngx_http_longpoll_load_set_t *set);

/* whether the message is gone */
ngx_uint_t ngx_http_longpoll_load_set_is_deleted(
    ngx_http_longpoll_load_set_t *set, ngx_http_longpoll_uuid_t *uuid);

/* the entry of a category; NULL: there is none */
ngx_http_longpoll_load_entry_t *ngx_http_longpoll_load_set_dropped(
    ngx_http_longpoll_load_set_t *set, uint64_t name);

/*
 * Whether a message of that category was dropped.  Where the id is not of this
 * module, or of another time, it is 0, and only the time can be compared.
 */
ngx_uint_t ngx_http_longpoll_load_set_is_dropped(
    ngx_http_longpoll_load_entry_t *entry, uint64_t id, uint64_t ms);

/* whether entries[i] is one of a category */
#define ngx_http_longpoll_load_set_is_category(entry)                         \
    ((entry)->uuid.high == 0 && (entry)->uuid.low != 0)

void ngx_http_longpoll_load_set_free(ngx_http_longpoll_load_set_t *set);


#endif /* _NGX_HTTP_LONGPOLL_LOAD_SET_H_INCLUDED_ */
