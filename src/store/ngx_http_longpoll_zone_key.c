
/*
 * ngx_http_longpoll_zone_key.c: idempotency keys.
 *
 * The first message of a publish carries the hash of the publish's key, and how
 * many messages followed it.  A key is searched by a walk over its category,
 * oldest first.  The messages searched in earlier holds are not searched again,
 * so the hold that appends only searches what came since: two publishes with
 * one key cannot both be stored.
 */


#include "ngx_http_longpoll_zone_key.h"
#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_msg.h"


void
ngx_http_longpoll_zone_key_init(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_key_t *key, ngx_str_t *name, ngx_uint_t n)
{
    ngx_http_longpoll_hash(key->hash, z->sh->key, name->data, name->len);

    key->hash[1] = (key->hash[1] & ~0xffffULL) | (n - 1);
    key->slot = NGX_HTTP_LONGPOLL_CAT_NONE;
    key->ref = 0;
}


ngx_int_t
ngx_http_longpoll_zone_key_find(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_key_t *key, ngx_http_longpoll_cat_t *cat,
    uint64_t now, ngx_uint_t *steps)
{
    uint32_t                      slot, ref;
    uint64_t                      born, saved, id, epoch, *known;
    ngx_http_longpoll_uuid_t      uuid;
    ngx_http_longpoll_msg_sh_t   *msg;
    ngx_http_longpoll_zone_sh_t  *sh;

    sh = z->sh;
    slot = ngx_http_longpoll_cat_find(&z->cats, cat->hash);

    if (slot == NGX_HTTP_LONGPOLL_CAT_NONE
        || ngx_http_longpoll_zone_list_inactive(z, slot, now))
    {
        return NGX_DECLINED;
    }

    if (slot == key->slot
        && ngx_http_longpoll_zone_msg_stands(z, key->ref, key->pos, slot))
    {
        ref = ngx_http_longpoll_zone_msg(z, key->ref)->next;

    } else {
        ref = z->cats.slots[slot].first;
        key->ref = 0;
    }

    key->slot = slot;

    /*
     * A message that is over its ttl, being deleted or refused does not count:
     * only its bytes are still there.
     */

    saved = ngx_max(sh->clock.visible,
                    sh->disk.cursors[NGX_HTTP_LONGPOLL_CURSOR_SAVED].id);

    /* the first ms that is not expired: as ..._zone_is_expired(), once */

    born = 0;

    if (sh->conf.ttl) {
        born = ngx_http_longpoll_zone_clock(z, now);
        born = born > sh->conf.ttl ? born - sh->conf.ttl + 1 : 0;
    }

    for ( /* void */ ; ref; ref = msg->next) {
        msg = ngx_http_longpoll_zone_msg(z, ref);

        if (*steps == 0) {

            if (key->ref) {
                key->pos = ngx_http_longpoll_zone_msg_pos(z, key->ref);
            }

            return NGX_BUSY;
        }

        (*steps)--;

        ngx_http_longpoll_zone_validate_order(z, msg);

        key->ref = ref;

        if (!(msg->rec.bits & NGX_HTTP_LONGPOLL_MSG_KEYED)
            || ngx_http_longpoll_id_ms(msg->id) < born
            || (sh->work.delete_slot == slot + 1
                && msg->id <= sh->work.delete_id)
            || (msg->id <= sh->disk.refused && msg->id > saved))
        {
            continue;
        }

        known = ngx_http_longpoll_zone_key(msg);

        if (known[0] == key->hash[0]
            && (known[1] | 0xffff) == (key->hash[1] | 0xffff))
        {
            /* the ids of one publish follow each other */

            ngx_http_longpoll_zone_msg_uuid(z, msg, &uuid);
            (void) ngx_http_longpoll_id_read(&uuid, &id, &epoch);
            ngx_http_longpoll_id_uuid(&key->last, id + (known[1] & 0xffff),
                                      epoch);
            key->last_id = msg->id + (known[1] & 0xffff);
            return NGX_OK;
        }
    }

    if (key->ref) {
        key->pos = ngx_http_longpoll_zone_msg_pos(z, key->ref);
    }

    return NGX_DECLINED;
}
