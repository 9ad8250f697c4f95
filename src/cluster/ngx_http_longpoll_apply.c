
/*
 * ngx_http_longpoll_apply.c: an entry of the stream, as Redis replies it, is
 * brought to the zone; and found again.
 *
 *     _apply   _fields   the reply's strings
 *              _parse    wire/entry's, and whether its id fits
 *              _asks     must the reader look at epochs and place first?
 *              _bring    zone_feed's call for its kind
 *
 * An entry that is not one is skipped: every node reads it as the same nothing.
 */


#include "ngx_http_longpoll_apply.h"
#include "ngx_http_longpoll_batch.h"
#include "ngx_http_longpoll_hash.h"
#include "ngx_http_longpoll_zone_clock.h"


/*
 * Looks in a row, at most: somebody may delete each entry before it is read
 * again.  Then the next one is taken without a look.
 */
#define NGX_HTTP_LONGPOLL_APPLY_ASKS  8


static ngx_int_t ngx_http_longpoll_apply_fields(
    ngx_http_longpoll_reply_t *reply, ngx_pool_t *pool, ngx_str_t **fields);
static ngx_int_t ngx_http_longpoll_apply_parse(
    ngx_http_longpoll_entry_t *entry, ngx_http_longpoll_zone_fed_t *fed,
    ngx_str_t *fields, ngx_uint_t n, ngx_pool_t *pool, const char **reason);
static ngx_uint_t ngx_http_longpoll_apply_asks(
    ngx_http_longpoll_apply_t *apply, ngx_http_longpoll_entry_t *entry,
    ngx_http_longpoll_zone_fed_t *fed);
static ngx_uint_t ngx_http_longpoll_apply_gap(
    ngx_http_longpoll_apply_t *apply, ngx_http_longpoll_entry_t *entry);
static ngx_int_t ngx_http_longpoll_apply_bring(
    ngx_http_longpoll_apply_t *apply, ngx_http_longpoll_entry_t *entry,
    ngx_http_longpoll_zone_fed_t *fed, ngx_pool_t *pool);
static ngx_int_t ngx_http_longpoll_apply_compare(
    ngx_http_longpoll_entry_place_t *one, ngx_http_longpoll_entry_place_t *two);
static ngx_int_t ngx_http_longpoll_apply_info(
    ngx_http_longpoll_reply_t *reply, const char *name,
    ngx_http_longpoll_entry_place_t *place);
static void ngx_http_longpoll_apply_log(ngx_http_longpoll_apply_t *apply,
    ngx_str_t *id, const char *reason);


ngx_int_t
ngx_http_longpoll_apply(ngx_http_longpoll_apply_t *apply,
    ngx_http_longpoll_reply_t *reply, ngx_pool_t *pool)
{
    ngx_int_t                      rc, parsed;
    ngx_str_t                     *fields;
    const char                    *reason;
    ngx_http_longpoll_entry_t      entry;
    ngx_http_longpoll_zone_fed_t   fed;

    if (reply->type != NGX_HTTP_LONGPOLL_REPLY_ARRAY || reply->nelts != 2
        || reply->elts[0].type != NGX_HTTP_LONGPOLL_REPLY_STRING
        || ngx_http_longpoll_entry_place_parse(&fed.at.place,
                                               &reply->elts[0].str)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_longpoll_apply_fields(&reply->elts[1], pool, &fields);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    reason = "it has no fields";
    ngx_memzero(&entry, sizeof(ngx_http_longpoll_entry_t));
    parsed = NGX_DECLINED;

    fed.worker = apply->worker;
    fed.now = ngx_http_longpoll_zone_clock_now(apply->zone);
    fed.id = ngx_http_longpoll_id_last_of(ngx_min(fed.at.place.ms,
                                                  ((uint64_t) 1 << 48) - 1));
    ngx_memzero(fed.at.hash, sizeof(fed.at.hash));

    if (rc == NGX_OK) {
        parsed = ngx_http_longpoll_apply_parse(&entry, &fed, fields,
                                               reply->elts[1].nelts, pool,
                                               &reason);
        if (parsed == NGX_ERROR) {
            return NGX_ERROR;
        }

        ngx_http_longpoll_hash_list(fed.at.hash, apply->zone->sh->key, fields,
                                     reply->elts[1].nelts);
    }

    fed.at.number = entry.number;

    if (ngx_http_longpoll_apply_asks(apply, &entry, &fed)) {
        apply->asked = fed.at.place;
        apply->asks++;
        return NGX_AGAIN;
    }

    apply->asks = 0;

    if (entry.epoch == 0 && ngx_http_longpoll_apply_gap(apply, &entry)) {
        ngx_log_error(NGX_LOG_WARN, apply->log, 0,
                      "longpoll zone \"%V\": redis %V: entries were trimmed "
                      "unread", &apply->zone->name, apply->server);
    }

    if (parsed == NGX_OK) {
        reason = "it does not fit into the zone, or does not follow";
        rc = ngx_http_longpoll_apply_bring(apply, &entry, &fed, pool);

    } else {
        rc = ngx_http_longpoll_zone_feed_skip(apply->zone, &fed);
    }

    if (rc == NGX_ABORT || rc == NGX_ERROR) {
        return rc;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_longpoll_apply_log(apply, &reply->elts[0].str, reason);
    }

    if (fed.at.number == 0) {
        fed.at.number = apply->at.number;
    }

    apply->at = fed.at;
    apply->ms = (rc == NGX_OK) ? fed.at.place.ms : 0;
    apply->taken += (rc == NGX_OK);

    return NGX_OK;
}


/*
 * *fields become the strings of the reply.  NGX_DECLINED: it has others.
 * NGX_ERROR: no memory.
 */

static ngx_int_t
ngx_http_longpoll_apply_fields(ngx_http_longpoll_reply_t *reply,
    ngx_pool_t *pool, ngx_str_t **fields)
{
    ngx_uint_t  i;

    if (reply->type != NGX_HTTP_LONGPOLL_REPLY_ARRAY || reply->nelts == 0) {
        return NGX_DECLINED;
    }

    *fields = ngx_palloc(pool, reply->nelts * sizeof(ngx_str_t));
    if (*fields == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < reply->nelts; i++) {

        if (reply->elts[i].type != NGX_HTTP_LONGPOLL_REPLY_STRING) {
            return NGX_DECLINED;
        }

        (*fields)[i] = reply->elts[i].str;
    }

    return NGX_OK;
}


/* as ..._entry_parse(); fed->id is set if the entry is one */

static ngx_int_t
ngx_http_longpoll_apply_parse(ngx_http_longpoll_entry_t *entry,
    ngx_http_longpoll_zone_fed_t *fed, ngx_str_t *fields, ngx_uint_t n,
    ngx_pool_t *pool, const char **reason)
{
    uint64_t   id;
    ngx_int_t  rc;

    rc = ngx_http_longpoll_entry_parse(entry, fields, n, pool, reason);

    if (rc != NGX_OK) {
        return rc;
    }

    n = (entry->kind == NGX_HTTP_LONGPOLL_ENTRY_EVENTS) ? entry->n : 1;

    if (ngx_http_longpoll_entry_id(&id, &fed->at.place, n) != NGX_OK) {
        *reason = "its id is too large";
        return NGX_DECLINED;
    }

    fed->id = id;

    return NGX_OK;
}


/*
 * The stream may be another one than that in which at is.  Then at must not be
 * moved, as it could not be looked for any more.  A number that follows says
 * that the stream is the same.  If at has none, as the stream was trimmed to
 * nothing, any number seems to follow.  An entry without one says nothing; but
 * all entries of a reply are of one stream, so only the first is asked for.
 * Behind so many looks in a row nothing is asked for.
 */

static ngx_uint_t
ngx_http_longpoll_apply_asks(ngx_http_longpoll_apply_t *apply,
    ngx_http_longpoll_entry_t *entry, ngx_http_longpoll_zone_fed_t *fed)
{
    if (apply->asks == NGX_HTTP_LONGPOLL_APPLY_ASKS
        || (apply->asked.ms == fed->at.place.ms
            && apply->asked.seq == fed->at.place.seq))
    {
        return 0;
    }

    if (entry->number == 0) {
        return apply->first;
    }

    if (entry->epoch == 0) {
        return apply->at.number == 0
               || ngx_http_longpoll_apply_gap(apply, entry);
    }

    return !ngx_http_longpoll_lives_has(apply->lives, entry->epoch);
}


static ngx_uint_t
ngx_http_longpoll_apply_gap(ngx_http_longpoll_apply_t *apply,
    ngx_http_longpoll_entry_t *entry)
{
    return apply->at.number && entry->number
           && entry->number != apply->at.number + 1;
}


/* as ..._zone_feed_events(), or NGX_ERROR: no memory */

static ngx_int_t
ngx_http_longpoll_apply_bring(ngx_http_longpoll_apply_t *apply,
    ngx_http_longpoll_entry_t *entry, ngx_http_longpoll_zone_fed_t *fed,
    ngx_pool_t *pool)
{
    ngx_http_longpoll_zone_t   *z;
    ngx_http_longpoll_batch_t   batch;

    z = apply->zone;

    if (entry->kind == NGX_HTTP_LONGPOLL_ENTRY_HEARTBEAT) {
        return ngx_http_longpoll_zone_feed_heartbeat(z, fed, &apply->wake);
    }

    if (entry->kind == NGX_HTTP_LONGPOLL_ENTRY_LIFE) {
        return ngx_http_longpoll_zone_feed_begin(z, fed, entry->epoch,
                                                 &apply->wake);
    }

    if (ngx_http_longpoll_batch_items(&batch, z, entry->items, entry->n, pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (entry->kind == NGX_HTTP_LONGPOLL_ENTRY_DELETE) {
        return ngx_http_longpoll_zone_feed_delete(z, fed, batch.cats,
                                                  batch.ncats, &apply->wake);
    }

    return ngx_http_longpoll_zone_feed_events(z, fed, batch.cats, batch.msgs,
                                              batch.nmsgs,
                                              entry->key.len ? &entry->key
                                                             : NULL,
                                              &apply->wake);
}


/* one line a second: a stranger may write many entries */

static void
ngx_http_longpoll_apply_log(ngx_http_longpoll_apply_t *apply, ngx_str_t *id,
    const char *reason)
{
    if (apply->logged == ngx_time()) {
        return;
    }

    apply->logged = ngx_time();

    ngx_log_error(NGX_LOG_WARN, apply->log, 0,
                  "longpoll zone \"%V\": redis %V: the entry %V is skipped: %s",
                  &apply->zone->name, apply->server, id, reason);
}


ngx_int_t
ngx_http_longpoll_apply_is(ngx_http_longpoll_apply_t *apply,
    ngx_http_longpoll_reply_t *reply, ngx_pool_t *pool)
{
    uint64_t    hash[2];
    ngx_int_t   rc;
    ngx_str_t  *fields;

    if (reply->type != NGX_HTTP_LONGPOLL_REPLY_ARRAY || reply->nelts != 2) {
        return NGX_DECLINED;
    }

    rc = ngx_http_longpoll_apply_fields(&reply->elts[1], pool, &fields);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* an entry without fields has no hash */

    ngx_memzero(hash, sizeof(hash));

    if (rc == NGX_OK) {
        ngx_http_longpoll_hash_list(hash, apply->zone->sh->key, fields,
                                     reply->elts[1].nelts);
    }

    return (hash[0] == apply->at.hash[0] && hash[1] == apply->at.hash[1])
           ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_longpoll_apply_trimmed(ngx_http_longpoll_apply_t *apply,
    ngx_http_longpoll_reply_t *reply)
{
    ngx_uint_t                        there;
    ngx_http_longpoll_entry_place_t   first, last, deleted, *at;

    if (reply->type != NGX_HTTP_LONGPOLL_REPLY_ARRAY
        || ngx_http_longpoll_apply_info(reply, "recorded-first-entry-id",
                                        &first)
           != NGX_OK
        || ngx_http_longpoll_apply_info(reply, "last-generated-id", &last)
           != NGX_OK
        || ngx_http_longpoll_apply_info(reply, "max-deleted-entry-id",
                                        &deleted)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    at = &apply->at.place;

    if (ngx_http_longpoll_apply_compare(&deleted, at) >= 0) {
        return NGX_OK;
    }

    there = (first.ms | first.seq)
            ? ngx_http_longpoll_apply_compare(&first, at) > 0
            : ngx_http_longpoll_apply_compare(&last, at) >= 0;

    return there ? NGX_OK : NGX_DECLINED;
}


/* below 0, 0, or above 0, as memcmp() */

static ngx_int_t
ngx_http_longpoll_apply_compare(ngx_http_longpoll_entry_place_t *one,
    ngx_http_longpoll_entry_place_t *two)
{
    if (one->ms != two->ms) {
        return one->ms > two->ms ? 1 : -1;
    }

    return (one->seq > two->seq) - (one->seq < two->seq);
}


/* the value of a name: NGX_OK, or NGX_DECLINED */

static ngx_int_t
ngx_http_longpoll_apply_info(ngx_http_longpoll_reply_t *reply,
    const char *name, ngx_http_longpoll_entry_place_t *place)
{
    ngx_uint_t                  i;
    ngx_http_longpoll_reply_t  *elt;

    for (i = 0; i + 1 < reply->nelts; i += 2) {
        elt = &reply->elts[i];

        if (elt->type == NGX_HTTP_LONGPOLL_REPLY_STRING
            && elt->str.len == ngx_strlen(name)
            && ngx_memcmp(elt->str.data, name, elt->str.len) == 0)
        {
            return (elt[1].type == NGX_HTTP_LONGPOLL_REPLY_STRING)
                   ? ngx_http_longpoll_entry_place_parse(place, &elt[1].str)
                   : NGX_DECLINED;
        }
    }

    return NGX_DECLINED;
}
