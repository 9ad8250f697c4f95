
/*
 * ngx_http_longpoll_load_set.c: what the notes of a log say of its events.
 *
 * One hash table, with open addressing, half full at most.  Notes hold for
 * every event, wherever they stand, so all of them are read before the first
 * event is placed.
 *
 * An entry takes less than the line that made it, so the table is bounded by
 * the size of the files.
 */


#include "ngx_http_longpoll_load_set.h"
#include "ngx_http_longpoll_id.h"


#define NGX_HTTP_LONGPOLL_LOAD_SET_FIRST  64    /* entries */


static ngx_http_longpoll_load_entry_t *ngx_http_longpoll_load_set_add(
    ngx_http_longpoll_load_set_t *set, ngx_http_longpoll_uuid_t *uuid);
static ngx_int_t ngx_http_longpoll_load_set_grow(
    ngx_http_longpoll_load_set_t *set);
static ngx_http_longpoll_load_entry_t *ngx_http_longpoll_load_set_find(
    ngx_http_longpoll_load_set_t *set, ngx_http_longpoll_uuid_t *uuid);


ngx_int_t
ngx_http_longpoll_load_set_delete(ngx_http_longpoll_load_set_t *set,
    ngx_http_longpoll_uuid_t *uuid)
{
    if (uuid->high == 0) {
        return NGX_OK;
    }

    return ngx_http_longpoll_load_set_add(set, uuid) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_longpoll_load_set_drop(ngx_http_longpoll_load_set_t *set,
    uint64_t name, uint64_t upto, uint64_t lost)
{
    ngx_http_longpoll_uuid_t         uuid;
    ngx_http_longpoll_load_entry_t  *entry;

    uuid.high = 0;
    uuid.low = name;

    entry = ngx_http_longpoll_load_set_add(set, &uuid);
    if (entry == NULL) {
        return NGX_ERROR;
    }

    entry->upto = ngx_max(entry->upto, upto);
    entry->lost = ngx_max(entry->lost, lost);

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_load_set_move(ngx_http_longpoll_load_set_t *set,
    uint64_t name, uint64_t id, uint64_t ms)
{
    ngx_uint_t                       max;
    ngx_http_longpoll_load_moved_t  *moved;

    if (set->nmoved == set->max_moved) {
        max = set->max_moved ? set->max_moved * 2
                             : NGX_HTTP_LONGPOLL_LOAD_SET_FIRST;

        moved = ngx_alloc(max * sizeof(ngx_http_longpoll_load_moved_t),
                          set->log);
        if (moved == NULL) {
            return NGX_ERROR;
        }

        if (set->nmoved) {
            ngx_memcpy(moved, set->moved,
                       set->nmoved * sizeof(ngx_http_longpoll_load_moved_t));
        }

        ngx_free(set->moved);

        set->moved = moved;
        set->max_moved = max;
    }

    moved = &set->moved[set->nmoved++];

    moved->name = name;
    moved->id = id;
    moved->ms = ms;

    return NGX_OK;
}


void
ngx_http_longpoll_load_set_spare(ngx_http_longpoll_load_set_t *set)
{
    ngx_uint_t                       i;
    ngx_http_longpoll_load_entry_t  *entry;
    ngx_http_longpoll_load_moved_t  *moved;

    for (i = 0; i < set->nmoved; i++) {
        moved = &set->moved[i];

        entry = ngx_http_longpoll_load_set_dropped(set, moved->name);

        if (entry == NULL
            || ngx_http_longpoll_load_set_is_dropped(entry, 0, moved->ms))
        {
            continue;
        }

        if (entry->spared == 0 || moved->id < entry->spared) {
            entry->spared = moved->id;
        }
    }
}


ngx_uint_t
ngx_http_longpoll_load_set_is_dropped(ngx_http_longpoll_load_entry_t *entry,
    uint64_t id, uint64_t ms)
{
    if (id) {
        return id <= ngx_max(entry->upto, entry->lost);
    }

    return (entry->upto && ms <= ngx_http_longpoll_id_ms(entry->upto))
           || ms < ngx_http_longpoll_id_ms(entry->lost);
}


ngx_uint_t
ngx_http_longpoll_load_set_is_deleted(ngx_http_longpoll_load_set_t *set,
    ngx_http_longpoll_uuid_t *uuid)
{
    return uuid->high && set->size
           && ngx_http_longpoll_load_set_find(set, uuid)->uuid.high;
}


ngx_http_longpoll_load_entry_t *
ngx_http_longpoll_load_set_dropped(ngx_http_longpoll_load_set_t *set,
    uint64_t name)
{
    ngx_http_longpoll_uuid_t         uuid;
    ngx_http_longpoll_load_entry_t  *entry;

    if (set->size == 0) {
        return NULL;
    }

    uuid.high = 0;
    uuid.low = name;

    entry = ngx_http_longpoll_load_set_find(set, &uuid);

    return ngx_http_longpoll_load_set_is_category(entry) ? entry : NULL;
}


void
ngx_http_longpoll_load_set_free(ngx_http_longpoll_load_set_t *set)
{
    ngx_free(set->entries);
    ngx_free(set->moved);
}


/* NULL: no memory */

static ngx_http_longpoll_load_entry_t *
ngx_http_longpoll_load_set_add(ngx_http_longpoll_load_set_t *set,
    ngx_http_longpoll_uuid_t *uuid)
{
    ngx_http_longpoll_load_entry_t  *entry;

    if (set->n >= set->size / 2
        && ngx_http_longpoll_load_set_grow(set) != NGX_OK)
    {
        return NULL;
    }

    entry = ngx_http_longpoll_load_set_find(set, uuid);

    if (entry->uuid.high == 0 && entry->uuid.low == 0) {
        entry->uuid = *uuid;
        set->n++;
    }

    return entry;
}


static ngx_int_t
ngx_http_longpoll_load_set_grow(ngx_http_longpoll_load_set_t *set)
{
    ngx_uint_t                       i;
    ngx_http_longpoll_load_set_t     old;
    ngx_http_longpoll_load_entry_t  *entry;

    old = *set;

    set->size = old.size ? old.size * 2 : NGX_HTTP_LONGPOLL_LOAD_SET_FIRST;
    set->entries = ngx_calloc(set->size
                              * sizeof(ngx_http_longpoll_load_entry_t),
                              set->log);

    if (set->entries == NULL) {
        *set = old;
        return NGX_ERROR;
    }

    for (i = 0; i < old.size; i++) {
        entry = &old.entries[i];

        if (entry->uuid.high || entry->uuid.low) {
            *ngx_http_longpoll_load_set_find(set, &entry->uuid) = *entry;
        }
    }

    ngx_free(old.entries);

    return NGX_OK;
}


/* the entry of a UUID, or a free one for it */

static ngx_http_longpoll_load_entry_t *
ngx_http_longpoll_load_set_find(ngx_http_longpoll_load_set_t *set,
    ngx_http_longpoll_uuid_t *uuid)
{
    uint64_t                         h;
    ngx_http_longpoll_load_entry_t  *entry;

    h = (uuid->high ^ uuid->low ^ uuid->low >> 29 ^ uuid->high >> 17)
        * 0x9e3779b97f4a7c15ULL >> 20;

    for ( /* void */ ; ; h++) {
        entry = &set->entries[h & (set->size - 1)];

        if ((entry->uuid.high == uuid->high && entry->uuid.low == uuid->low)
            || (entry->uuid.high == 0 && entry->uuid.low == 0))
        {
            return entry;
        }
    }
}
