
/*
 * ngx_http_longpoll_zone_list.h: the two lists of messages, and the slots that
 * are left without messages.  (A list of categories, for ?list, is zone_page.)
 *
 * The caller holds the lock in every call.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_LIST_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_LIST_H_INCLUDED_


#include "ngx_http_longpoll_store.h"


/* why a message is dropped */

typedef enum {
    NGX_HTTP_LONGPOLL_ZONE_LOST = 0,    /* a limit drops it: earlier cursors
                                           are told; the log may keep it */
    NGX_HTTP_LONGPOLL_ZONE_DELETED,     /* deleted: no cursor is told; a note
                                           of its category covers it */
    NGX_HTTP_LONGPOLL_ZONE_TAKEN        /* read with delete_on_read, refused, or
                                           never published: no cursor is told;
                                           a note of its own */
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
 * Drops all messages of a category for want of a slot, counts them as evicted,
 * and frees the slot unless workers are interested.  NGX_OK, NGX_BUSY.
 */
ngx_int_t ngx_http_longpoll_zone_list_drop_cat(ngx_http_longpoll_zone_t *z,
    uint32_t slot, ngx_uint_t *steps);

/*
 * Forgets an inactive category: a delete whose messages are lost and count as
 * expired, and which frees the slot.  NGX_OK: the slot is free; NGX_BUSY: the
 * delete, or another one in front of it, goes on with the next hold.
 */
ngx_int_t ngx_http_longpoll_zone_list_forget(ngx_http_longpoll_zone_t *z,
    uint32_t slot, ngx_uint_t *steps);

/*
 * Begins a delete of the category's messages up to an id, in a step of its own,
 * with its note for the log.  From there on every process that takes the lock
 * works on it.  There is one delete at a time.  lost: the messages count as
 * lost, and the slot is to be freed.
 */
void ngx_http_longpoll_zone_list_begin_delete(ngx_http_longpoll_zone_t *z,
    uint32_t slot, uint64_t upto, ngx_uint_t lost);

/*
 * Drops the messages that the unfinished delete is about, if there is one,
 * within steps; the last one ends the delete.
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
