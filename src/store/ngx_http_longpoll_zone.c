
/*
 * ngx_http_longpoll_zone.c: a zone is made.
 *
 *   zone_sh | slots | tombstones | buckets | dirty | summary | notes |
 *   unsaved | clients | presence | log ...
 *
 * The parts lie one behind the other.  Their sizes follow from the configured
 * size, so every process finds them again; the log gets what is left.  A zone
 * without a log on disk has no ring of notes, and no unsaved; one without
 * presence has no table of it.
 */


#include "ngx_http_longpoll_zone.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_lock.h"
#include "ngx_http_longpoll_zone_presence.h"


static void ngx_http_longpoll_zone_layout(ngx_http_longpoll_zone_t *z,
    u_char *addr, size_t size, uint64_t *log_size);


ngx_int_t
ngx_http_longpoll_zone_init(ngx_http_longpoll_zone_t *z, u_char *addr,
    size_t size, ngx_uint_t exists, u_char *random, uint64_t now)
{
    uint64_t                      log_size, epoch;
    ngx_http_longpoll_zone_sh_t  *sh;

    ngx_http_longpoll_zone_layout(z, addr, size, &log_size);

    if (exists) {
        return NGX_OK;
    }

    /* the largest publish needs a quarter of the zone, beside other messages */

    if (log_size < z->size / 5 * 2) {
        return NGX_DECLINED;
    }

    sh = z->sh;

    ngx_memcpy(sh->key, random, sizeof(sh->key));
    ngx_memcpy(&epoch, random + sizeof(sh->key), sizeof(uint64_t));

    sh->epoch = epoch & NGX_HTTP_LONGPOLL_EPOCH_MASK;
    sh->epochs[0] = sh->epoch;
    sh->born = now;
    sh->previous.valid_from = now;
    sh->conf = z->conf;
    sh->has_pending = z->conf.delete_on_read;
    sh->clock.last_id = ngx_http_longpoll_id(now, 0);
    sh->clock.committed = sh->clock.last_id;
    sh->clock.visible = sh->clock.last_id;

    if (z->cluster) {

        /* ids, times and epochs are the stream's */

        sh->epochs[0] = 0;
        sh->previous.valid_from = 0;
        sh->clock.last_id = 0;
        sh->clock.committed = 0;
        sh->clock.visible = 0;
        sh->clock.ahead = NGX_HTTP_LONGPOLL_AHEAD_UNKNOWN;
        sh->feed.on = 1;
    }

    sh->log.size = log_size;

    ngx_http_longpoll_zone_presence_init(z);

    /* these two are used at random: touch their pages now */

    ngx_memzero(z->cats.buckets, sh->cats.nbuckets * sizeof(uint32_t));
    ngx_memzero(z->cats.tombstones,
                sh->cats.nbuckets * sizeof(ngx_http_longpoll_tombstone_sh_t));

    return NGX_OK;
}


static void
ngx_http_longpoll_zone_layout(ngx_http_longpoll_zone_t *z, u_char *addr,
    size_t size, uint64_t *log_size)
{
    u_char      *p;
    ngx_uint_t   nslots, nbuckets, nclients, nunits, nentries;

    nslots = ngx_min(z->size / 512, 0x7fffffff);

    for (nbuckets = 1; nbuckets < nslots; nbuckets *= 2) { /* void */ }

    nclients = ngx_http_longpoll_zone_nclients(z);
    nunits = ngx_http_longpoll_zone_nunits(z);

    for (nentries = 1; nentries < nunits / 2; nentries *= 2) { /* void */ }

    z->words = (nslots + 63) / 64;
    z->sums = (z->words + 63) / 64;

    p = ngx_align_ptr(addr, 64);

    z->sh = (ngx_http_longpoll_zone_sh_t *) p;
    p += ngx_align(sizeof(ngx_http_longpoll_zone_sh_t), 64);

    z->cats.slots = (ngx_http_longpoll_cat_sh_t *) p;
    p += nslots * sizeof(ngx_http_longpoll_cat_sh_t);

    z->cats.tombstones = (ngx_http_longpoll_tombstone_sh_t *) p;
    p += nbuckets * sizeof(ngx_http_longpoll_tombstone_sh_t);

    z->cats.buckets = (uint32_t *) p;
    p += ngx_align(nbuckets * sizeof(uint32_t), 64);

    z->dirty = (ngx_atomic_t *) p;
    p += NGX_HTTP_LONGPOLL_WORKERS * z->words * sizeof(ngx_atomic_t);

    z->summary = (ngx_atomic_t *) p;
    p += NGX_HTTP_LONGPOLL_WORKERS * z->sums * sizeof(ngx_atomic_t);

    z->notes = (ngx_http_longpoll_note_sh_t *) p;
    z->nnotes = 0;

    if (z->persist.len) {
        z->nnotes = z->size / 128 / sizeof(ngx_http_longpoll_note_sh_t);
        p += z->nnotes * sizeof(ngx_http_longpoll_note_sh_t);
    }

    z->unsaved = (ngx_http_longpoll_unsaved_sh_t *) p;

    if (z->persist.len) {
        p += nslots * sizeof(ngx_http_longpoll_unsaved_sh_t);
    }

    p = ngx_align_ptr(p, 64);

    z->clients.entries = (ngx_http_longpoll_client_sh_t *) p;
    p += nclients * sizeof(ngx_http_longpoll_client_sh_t);

    z->present.units = (ngx_http_longpoll_presence_unit_t *) p;
    p += nunits * sizeof(ngx_http_longpoll_presence_unit_t);

    z->present.buckets = (uint32_t *) p;

    if (nunits) {
        p += ngx_align(nentries * sizeof(uint32_t), 64);
    }

    z->log.base = p;

    *log_size = 0;

    if (p < addr + size) {
        *log_size = (addr + size - p) / 64 * 64;
    }

    z->log.sh = &z->sh->log;
    z->log.journal = &z->sh->journal;
    z->log.move = ngx_http_longpoll_zone_list_move;
    z->log.data = z;

#if (NGX_HTTP_LONGPOLL_DEBUG)
    z->log.size = *log_size;
#endif

    z->cats.sh = &z->sh->cats;
    z->cats.journal = &z->sh->journal;

    z->clients.sh = &z->sh->clients;
    z->clients.journal = &z->sh->journal;

    z->present.sh = &z->sh->presence.table;
    z->present.journal = &z->sh->journal;

    if (*log_size && z->sh->cats.nslots == 0) {
        z->sh->cats.nslots = nslots;
        z->sh->cats.nbuckets = nbuckets;
        z->sh->clients.max = nclients;
        z->sh->presence.table.nunits = nunits;
        z->sh->presence.table.nbuckets = nunits ? nentries : 0;
    }
}


void
ngx_http_longpoll_zone_inherit(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_t *old)
{
    z->mutex = old->mutex;
    z->sh = old->sh;
    z->cats = old->cats;
    z->log = old->log;
    z->log.data = z;
    z->clients = old->clients;
    z->present = old->present;
    z->dirty = old->dirty;
    z->summary = old->summary;
    z->words = old->words;
    z->sums = old->sums;
    z->notes = old->notes;
    z->nnotes = old->nnotes;
    z->unsaved = old->unsaved;
}


void
ngx_http_longpoll_zone_warm(ngx_http_longpoll_zone_t *z)
{
    u_char  *p, *last;

    /* the buckets follow the tombstones */

    last = (u_char *) (z->cats.buckets + z->sh->cats.nbuckets);

    for (p = (u_char *) z->cats.tombstones; p < last; p += ngx_pagesize) {
        (void) *(volatile u_char *) p;
    }
}


void
ngx_http_longpoll_zone_configure(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_zone_lock(z);
    z->sh->conf = z->conf;
    z->sh->has_pending |= z->conf.delete_on_read;
    ngx_http_longpoll_zone_unlock(z);
}


void
ngx_http_longpoll_zone_hash(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat)
{
    ngx_http_longpoll_hash(cat->hash, z->sh->key, cat->name.data,
                           cat->name.len);
}
