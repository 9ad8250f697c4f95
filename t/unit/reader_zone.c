
/*
 * reader_zone.c: the zone of the reader's test.  It asks that ids rise, and
 * keeps what it was told.
 */


#include "reader.h"

#include <ngx_http_longpoll_zone_clock.h>


reader_zone_t  zone;


void
reader_zone_init(void)
{
    free(zone.z.sh);
    memset(&zone, 0, sizeof(zone));

    zone.z.sh = calloc(1, sizeof(ngx_http_longpoll_zone_sh_t));
    zone.z.sh->key[0] = 5;
    zone.z.sh->epoch = 7;       /* as it was made */
    zone.z.cluster = &zone.cluster;

    ngx_str_set(&zone.z.name, "events");
    ngx_str_set(&zone.cluster.log, "log");
    ngx_str_set(&zone.cluster.life, "life");
    ngx_str_set(&zone.cluster.number, "number");

    ngx_str_set(&zone.server.name, "host:1");
    zone.cluster.servers = &zone.server;
    zone.cluster.nservers = 1;

    zone.cluster.keep = 1000000;
}


uint64_t
ngx_http_longpoll_zone_clock_elapsed(void)
{
    return ngx_current_msec;
}


uint64_t
ngx_http_longpoll_zone_clock_behind(ngx_http_longpoll_zone_t *z, uint64_t wall)
{
    return wall;
}


void
ngx_http_longpoll_zone_hash(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat)
{
    ngx_http_longpoll_hash(cat->hash, z->sh->key, cat->name.data,
                           cat->name.len);
}


ngx_int_t
ngx_http_longpoll_zone_feed_claim(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t now)
{
    if (zone.other) {
        return NGX_DECLINED;
    }

    z->sh->feed.reader = worker + 1;

    return NGX_OK;
}


void
ngx_http_longpoll_zone_feed_release(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker)
{
    z->sh->feed.reader = 0;
}


void
ngx_http_longpoll_zone_feed_place(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_place_t *place)
{
    *place = z->sh->feed.at;
}


uint64_t
reader_epoch(uint64_t id)
{
    uint64_t    epoch, begin;
    ngx_uint_t  i;

    for (i = 0, epoch = 0, begin = 0; i < zone.nlives; i++) {
        if (zone.lives[i].begin <= id && zone.lives[i].begin >= begin) {
            epoch = zone.lives[i].epoch;
            begin = zone.lives[i].begin;
        }
    }

    return epoch;
}


/*
 * An entry is taken, up to the last id.  NGX_ABORT: it is not.  NGX_DECLINED:
 * it is skipped, as Redis talks nonsense.
 */

static ngx_int_t
zone_take(ngx_http_longpoll_zone_fed_t *fed, uint64_t last)
{
    ngx_http_longpoll_zone_place_t  *at;

    at = &zone.z.sh->feed.at;

    if (zone.other) {
        return NGX_ABORT;
    }

    if (zone.nonsense && fed->id <= zone.z.sh->clock.visible) {
        *at = fed->at;
        return NGX_DECLINED;
    }

    /* behind a lost end a stranger's entry may be in a ms that was over */

    unit_must(fed->id > zone.z.sh->clock.visible
              || last == zone.z.sh->clock.visible,
              "the entry %llu-%llu is not behind %llu-%llu",
              (unsigned long long) fed->at.place.ms,
              (unsigned long long) fed->at.place.seq,
              (unsigned long long) zone.z.sh->clock.visible >> 16,
              (unsigned long long) zone.z.sh->clock.visible & 0xffff);

    if (fed->at.number
        && (at->number ? fed->at.number != at->number + 1
                       : fed->at.number != 1))
    {
        zone.missed = ngx_max(zone.missed, fed->id);
        zone.gaps++;
    }

    fed->at.number = fed->at.number ? fed->at.number : at->number;
    *at = fed->at;

    zone.z.sh->clock.visible = last;
    zone.z.sh->epoch = reader_epoch(last);
    zone.z.sh->feed.begin = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_zone_feed_events(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, ngx_http_longpoll_cat_t *cats,
    ngx_http_longpoll_msg_t *msgs, ngx_uint_t n, ngx_str_t *key,
    uint64_t *wake)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    rc = zone_take(entry, entry->id + n - 1);

    if (rc != NGX_OK) {
        return rc;
    }

    unit_must(zone.nonsense || reader_epoch(entry->id) != 0,
              "events of no epoch");

    for (i = 0; i < n; i++) {
        zone.events[zone.nevents++] = entry->id + i;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_zone_feed_delete(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, ngx_http_longpoll_cat_t *cats,
    ngx_uint_t n, uint64_t *wake)
{
    zone.deletes += n;

    return zone_take(entry, entry->id);
}


ngx_int_t
ngx_http_longpoll_zone_feed_heartbeat(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, uint64_t *wake)
{
    return zone_take(entry, entry->id | 0xffff);
}


static void
zone_know(uint64_t epoch, uint64_t begin)
{
    ngx_uint_t  i;

    for (i = 0; i < zone.nlives; i++) {
        if (zone.lives[i].epoch == epoch) {
            return;
        }
    }

    if (zone.nlives == 64) {
        memmove(zone.lives, zone.lives + 1, 63 * sizeof(zone.lives[0]));
        zone.nlives--;
    }

    zone.lives[zone.nlives].epoch = epoch;
    zone.lives[zone.nlives].begin = begin;
    zone.nlives++;
}


ngx_int_t
ngx_http_longpoll_zone_feed_know(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_entry_life_t *lives, ngx_uint_t n)
{
    unit_must(n != 0, "no lives");

    while (n--) {
        zone_know(lives[n].epoch, lives[n].begin);
    }

    return NGX_OK;
}


/* the list may be younger than the entry: it was replaced */

ngx_int_t
ngx_http_longpoll_zone_feed_begin(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry, uint64_t epoch, uint64_t *wake)
{
    ngx_int_t  rc;

    zone.begins++;

    zone_know(epoch, entry->id);

    rc = zone_take(entry, entry->id | 0xffff);

    if (rc != NGX_OK) {
        return rc;
    }

    unit_must(reader_epoch(entry->id) == epoch, "another life");
    zone.missed = ngx_max(zone.missed, entry->id);

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_zone_feed_skip(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_fed_t *entry)
{
    uint64_t  visible;

    zone.skips++;
    visible = zone.z.sh->clock.visible;

    if (zone_take(entry, visible) != NGX_OK) {
        return NGX_ABORT;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_longpoll_zone_feed_begun(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, ngx_http_longpoll_entry_life_t *life, uint64_t *wake)
{
    unit_must(life->begin > zone.z.sh->clock.visible, "it has begun");

    zone.begun++;
    zone.missed = ngx_max(zone.missed, life->begin + 1);
    zone.z.sh->clock.visible = life->begin;
    zone.z.sh->epoch = life->epoch;
    zone.z.sh->feed.begin = life->begin;
    zone.z.sh->feed.at.number = 0;

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_zone_feed_empty(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t id)
{
    zone.empties++;
    zone.nevents = 0;
    zone.nlives = 0;
    zone.missed = ngx_max(zone.missed, id);
    zone.z.sh->feed.synced = 0;
    zone.z.sh->clock.visible = 0;
    memset(&zone.z.sh->feed.at, 0, sizeof(zone.z.sh->feed.at));

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_zone_feed_synced(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t *wake)
{
    z->sh->feed.synced = 1;

    return NGX_OK;
}


void
ngx_http_longpoll_zone_feed_clock(ngx_http_longpoll_zone_t *z, uint64_t ms,
    uint64_t elapsed)
{
    z->sh->feed.latest = ms;
}


ngx_uint_t
ngx_http_longpoll_zone_feed_pause(ngx_http_longpoll_zone_t *z,
    ngx_uint_t gather)
{
    z->sh->feed.paused = zone.waits == 0 ? NGX_HTTP_LONGPOLL_ZONE_FEED_IDLE
        : zone.waits == 1 && gather ? NGX_HTTP_LONGPOLL_ZONE_FEED_GATHER : 0;

    return z->sh->feed.paused;
}


uint64_t
ngx_http_longpoll_zone_feed_resume(ngx_http_longpoll_zone_t *z,
    ngx_uint_t pauses)
{
    if (z->sh->feed.paused & pauses) {
        z->sh->feed.paused = 0;
    }

    return 0;
}
