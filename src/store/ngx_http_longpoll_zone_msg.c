
/*
 * ngx_http_longpoll_zone_msg.c: one message in the log.
 *
 *   rec .. older | pending | key | uuid | name | data      (store.h)
 *
 * A reader that comes back to a message in a later lock hold remembers its ref,
 * and the position at which it stood.  A record stays at its position until the
 * log's tail has passed it.  Until then the ref still leads to that message,
 * live or dead; later the message may have moved, and the reader searches
 * again.
 */


#include "ngx_http_longpoll_zone_msg.h"


uint64_t
ngx_http_longpoll_zone_msg_need(ngx_http_longpoll_cat_t *cat,
    ngx_http_longpoll_msg_t *msg, ngx_uint_t bits)
{
    return ngx_align(ngx_http_longpoll_zone_front(bits)
                     + cat->name.len + msg->data.len,
                     NGX_HTTP_LONGPOLL_LOG_UNIT);
}


void
ngx_http_longpoll_zone_msg_uuid(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_http_longpoll_uuid_t *uuid)
{
    ngx_uint_t  epoch;

    epoch = ngx_http_longpoll_msg_epoch(msg);

    if (epoch == NGX_HTTP_LONGPOLL_FOREIGN) {
        uuid->high = ngx_http_longpoll_zone_foreign(msg)[0];
        uuid->low = ngx_http_longpoll_zone_foreign(msg)[1];
        return;
    }

    ngx_http_longpoll_id_uuid(uuid, msg->id, z->sh->epochs[epoch]);
}


uint64_t
ngx_http_longpoll_zone_msg_pos(ngx_http_longpoll_zone_t *z, uint32_t ref)
{
    uint64_t  pos;

    pos = ngx_http_longpoll_log_pos(&z->log, ref);

    ngx_http_longpoll_assert(pos < z->log.sh->head, "a message out of the log");

    return pos;
}


ngx_uint_t
ngx_http_longpoll_zone_msg_stands(ngx_http_longpoll_zone_t *z, uint32_t ref,
    uint64_t pos, uint32_t slot)
{
    ngx_http_longpoll_msg_sh_t  *msg;

    if (ref == 0 || slot == NGX_HTTP_LONGPOLL_CAT_NONE
        || pos < z->sh->log.tail)
    {
        return 0;
    }

    msg = ngx_http_longpoll_zone_msg(z, ref);

    return msg->rec.state == NGX_HTTP_LONGPOLL_LOG_LIVE && msg->slot == slot;
}
