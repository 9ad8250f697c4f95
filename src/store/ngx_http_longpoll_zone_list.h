
/*
 * ngx_http_longpoll_zone_list.h: the two lists of messages, and the slots that
 * are left without messages.
 *
 * The caller holds the lock in every call.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_LIST_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_LIST_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* why a message is dropped */

typedef enum {
    NGX_HTTP_LONGPOLL_ZONE_LOST = 0,    /* a limit drops it: earlier cursors
                                           are told; the file may keep it */
    NGX_HTTP_LONGPOLL_ZONE_FORGOTTEN,   /* as LOST, and the file notes the
                                           deletion */
    NGX_HTTP_LONGPOLL_ZONE_UNMISSED     /* deleted, read with delete_on_read,
                                           or never published: no cursor is
                                           told; the file notes the deletion */
} ngx_http_longpoll_zone_why_e;


/*
 * Appends a message to both lists, in one step.  msg->pos is the slot, msg->id
 * the id.  bits: MSG_ flags, and the epoch's number << 4.  key counts only with
 * MSG_KEYED, pending only with MSG_PENDING.  The caller has made room.
 */
void ngx_http_longpoll_zone_list_append(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg, ngx_uint_t bits,
    uint64_t pending, const uint64_t *key);

/* drops a message from both lists, in one step */
void ngx_http_longpoll_zone_list_drop(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_http_longpoll_zone_why_e why);

/* the log's callback: relinks both lists within the log's step */
void ngx_http_longpoll_zone_list_move(void *data,
    ngx_http_longpoll_rec_sh_t *from, uint32_t to);

/*
 * Drops all messages of a category, counts each in *counter, and frees the slot
 * unless workers are interested.  NGX_OK, NGX_BUSY.
 */
ngx_int_t ngx_http_longpoll_zone_list_drop_cat(ngx_http_longpoll_zone_t *z,
    uint32_t slot, ngx_atomic_t *counter, ngx_uint_t *steps);

/*
 * Drops the messages that the unfinished delete is about, within steps; the
 * last one ends the delete.
 */
void ngx_http_longpoll_zone_list_delete(ngx_http_longpoll_zone_t *z,
    ngx_uint_t *steps);

/* frees a slot that has no message, no interest and no losses to tell of */
void ngx_http_longpoll_zone_list_free_if_unused(ngx_http_longpoll_zone_t *z,
    uint32_t slot);

/* frees a slot that has no message and no interest */
void ngx_http_longpoll_zone_list_free_slot(ngx_http_longpoll_zone_t *z,
    uint32_t slot);

/*
 * Whether no publish, poll or interest has used the category for too long, and
 * nothing of it waits for the disk
 */
ngx_uint_t ngx_http_longpoll_zone_list_inactive(ngx_http_longpoll_zone_t *z,
    uint32_t slot, uint64_t now);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_LIST_H_INCLUDED_ */
