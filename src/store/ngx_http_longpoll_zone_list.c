
/*
 * ngx_http_longpoll_zone_list.c: the lists of messages change.
 *
 * Every live message stands in the list of its category and in the list of all,
 * both in the order of ids.  There are three steps on them: append, drop, and
 * move, which follows a record that the log has copied.  Each step also
 * keeps the counts and the disk's cursors, so that after any undo everything
 * fits together.
 *
 * The log knows nothing of lists.  What is dropped is decided here and in
 * zone_room, at the heads of the lists; the record is only marked dead, and its
 * bytes come back when the log's tail passes it.  The tail is not the oldest
 * message: nothing is ever decided there.
 */


#include "ngx_http_longpoll_zone_list.h"
#include "ngx_http_longpoll_zone_msg.h"
#include "ngx_http_longpoll_zone_cursor.h"


static ngx_inline void ngx_http_longpoll_zone_relink(
    ngx_http_longpoll_zone_t *z, ngx_http_longpoll_msg_sh_t *msg,
    uint32_t next, uint32_t prev, uint32_t newer, uint32_t older)
    __attribute__((always_inline));


void
ngx_http_longpoll_zone_list_append(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg, ngx_uint_t bits,
    uint64_t pending, const uint64_t *key)
{
    u_char                          *p;
    uint32_t                         slot, ref;
    uint64_t                         need, head;
    ngx_http_longpoll_cat_sh_t      *c;
    ngx_http_longpoll_msg_sh_t      *m, *newest;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_cats_sh_t     *cats;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    cats = &sh->cats;
    j = &sh->journal;

    slot = (uint32_t) msg->pos;
    c = &z->cats.slots[slot];

    need = ngx_http_longpoll_zone_msg_need(cat, msg, bits);
    m = ngx_http_longpoll_log_reserve(&z->log, need, &head);
    ref = ngx_http_longpoll_zone_ref(z, m);

    ngx_http_longpoll_step();

    m->rec.units = (uint32_t) (need / NGX_HTTP_LONGPOLL_LOG_UNIT);
    m->rec.state = NGX_HTTP_LONGPOLL_LOG_LIVE;
    m->rec.bits = (u_char) bits;
    m->rec.name_len = (uint16_t) cat->name.len;
    m->data_len = (uint32_t) msg->data.len;
    m->slot = slot;
    m->id = msg->id;
    m->next = 0;
    m->prev = c->last;
    m->newer = 0;
    m->older = sh->list.newest;

    if (bits & NGX_HTTP_LONGPOLL_MSG_PENDING) {
        *ngx_http_longpoll_zone_pending(m) = pending;
    }

    if (bits & NGX_HTTP_LONGPOLL_MSG_KEYED) {
        ngx_memcpy(ngx_http_longpoll_zone_key(m), key, 2 * sizeof(uint64_t));
    }

    if (bits >> 4 == NGX_HTTP_LONGPOLL_FOREIGN) {
        ngx_http_longpoll_zone_foreign(m)[0] = msg->uuid.high;
        ngx_http_longpoll_zone_foreign(m)[1] = msg->uuid.low;
    }

    p = (u_char *) m + ngx_http_longpoll_zone_front(bits);
    p = ngx_cpymem(p, cat->name.data, cat->name.len);
    ngx_memcpy(p, msg->data.data, msg->data.len);

    ngx_http_longpoll_set(j, sh->log.head, head);

    if (c->last) {
        ngx_http_longpoll_set(j, ngx_http_longpoll_zone_msg(z, c->last)->next,
                              ref);
    } else {
        ngx_http_longpoll_set(j, c->first, ref);
        ngx_http_longpoll_set(j, cats->full, cats->full + 1);

        if (c->waiting == 0) {
            ngx_http_longpoll_set(j, cats->active, cats->active + 1);
        }
    }

    if (sh->list.newest) {
        newest = ngx_http_longpoll_zone_msg(z, sh->list.newest);
        ngx_http_longpoll_set(j, newest->newer, ref);
    } else {
        ngx_http_longpoll_set(j, sh->list.oldest, ref);
    }

    if (z->nnotes) {
        ngx_http_longpoll_zone_cursor_append(z, m);
    }

    ngx_http_longpoll_set(j, c->last, ref);
    ngx_http_longpoll_set(j, sh->list.newest, ref);
    ngx_http_longpoll_set(j, c->count, c->count + 1);
    ngx_http_longpoll_set(j, sh->log.live, sh->log.live + need);
    ngx_http_longpoll_set(j, sh->list.count, sh->list.count + 1);
    ngx_http_longpoll_done(j);
}


/*
 * Within the caller's step: the neighbours of a message in both lists, or the
 * lists' ends, get these refs in its place.  Inlined by force: a publish to a
 * full zone drops messages, and a call costs it 0.3 % more instructions.
 */

static ngx_inline void
ngx_http_longpoll_zone_relink(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, uint32_t next, uint32_t prev,
    uint32_t newer, uint32_t older)
{
    ngx_http_longpoll_cat_sh_t      *cat;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    j = &sh->journal;
    cat = &z->cats.slots[msg->slot];

    if (msg->prev) {
        ngx_http_longpoll_set(j, ngx_http_longpoll_zone_msg(z, msg->prev)->next,
                              next);
    } else {
        ngx_http_longpoll_set(j, cat->first, next);
    }

    if (msg->next) {
        ngx_http_longpoll_set(j, ngx_http_longpoll_zone_msg(z, msg->next)->prev,
                              prev);
    } else {
        ngx_http_longpoll_set(j, cat->last, prev);
    }

    if (msg->older) {
        ngx_http_longpoll_set(j,
                              ngx_http_longpoll_zone_msg(z, msg->older)->newer,
                              newer);
    } else {
        ngx_http_longpoll_set(j, sh->list.oldest, newer);
    }

    if (msg->newer) {
        ngx_http_longpoll_set(j,
                              ngx_http_longpoll_zone_msg(z, msg->newer)->older,
                              older);
    } else {
        ngx_http_longpoll_set(j, sh->list.newest, older);
    }
}


void
ngx_http_longpoll_zone_list_drop(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_msg_sh_t *msg, ngx_http_longpoll_zone_why_e why)
{
    ngx_http_longpoll_cat_sh_t      *cat;
    ngx_http_longpoll_zone_sh_t     *sh;
    ngx_http_longpoll_cats_sh_t     *cats;
    ngx_http_longpoll_journal_sh_t  *j;

    sh = z->sh;
    cats = &sh->cats;
    j = &sh->journal;
    cat = &z->cats.slots[msg->slot];

    ngx_http_longpoll_assert(msg->rec.state == NGX_HTTP_LONGPOLL_LOG_LIVE,
                            "a dead message in a list");

    if (why == NGX_HTTP_LONGPOLL_ZONE_LOST && cat->dropped < msg->id) {
        ngx_http_longpoll_set(j, cat->dropped, msg->id);
    }

    if (z->nnotes) {
        ngx_http_longpoll_zone_cursor_drop(z, msg,
                                          why == NGX_HTTP_LONGPOLL_ZONE_TAKEN);
    }

    ngx_http_longpoll_set(j, msg->rec.state, NGX_HTTP_LONGPOLL_LOG_DEAD);

    ngx_http_longpoll_zone_relink(z, msg, msg->next, msg->prev, msg->newer,
                                  msg->older);

    ngx_http_longpoll_set(j, cat->count, cat->count - 1);

    if (cat->count == 0) {
        ngx_http_longpoll_set(j, cats->full, cats->full - 1);

        if (cat->waiting == 0) {
            ngx_http_longpoll_set(j, cats->active, cats->active - 1);
        }
    }

    ngx_http_longpoll_set(j, sh->log.live,
                          sh->log.live
                          - ngx_http_longpoll_log_bytes(&msg->rec));
    ngx_http_longpoll_set(j, sh->list.count, sh->list.count - 1);
    ngx_http_longpoll_done(j);
}


void
ngx_http_longpoll_zone_list_move(void *data, ngx_http_longpoll_rec_sh_t *from,
    uint32_t to)
{
    ngx_http_longpoll_zone_t *z = data;

    ngx_http_longpoll_msg_sh_t  *msg;

    msg = (ngx_http_longpoll_msg_sh_t *) from;

    ngx_http_longpoll_assert(msg->slot < z->sh->cats.nslots,
                             "a message's slot");

    ngx_http_longpoll_zone_relink(z, msg, to, to, to, to);

    if (z->nnotes) {
        ngx_http_longpoll_zone_cursor_move(z, msg, to);
    }
}


ngx_int_t
ngx_http_longpoll_zone_list_drop_cat(ngx_http_longpoll_zone_t *z, uint32_t slot,
    ngx_uint_t *steps)
{
    ngx_http_longpoll_cat_sh_t  *cat;

    cat = &z->cats.slots[slot];

    while (cat->first) {

        if (*steps == 0) {
            return NGX_BUSY;
        }

        (*steps)--;

        ngx_http_longpoll_zone_list_drop(z,
                                    ngx_http_longpoll_zone_msg(z, cat->first),
                                    NGX_HTTP_LONGPOLL_ZONE_LOST);
        ngx_http_longpoll_zone_count(z, evicted, 1);
    }

    if (cat->waiting == 0) {
        ngx_http_longpoll_zone_list_free_slot(z, slot);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_zone_list_forget(ngx_http_longpoll_zone_t *z, uint32_t slot,
    ngx_uint_t *steps)
{
    ngx_http_longpoll_cat_sh_t   *cat;
    ngx_http_longpoll_work_sh_t  *work;

    cat = &z->cats.slots[slot];
    work = &z->sh->work;

    /* a delete that is under way goes first; it may have been this one */

    ngx_http_longpoll_zone_list_delete(z, steps);

    if (work->delete_slot) {
        return NGX_BUSY;
    }

    if (cat->hash[0] == 0) {
        return NGX_OK;
    }

    if (cat->count == 0) {
        ngx_http_longpoll_zone_list_free_slot(z, slot);
        return NGX_OK;
    }

    ngx_http_longpoll_zone_list_begin_delete(z, slot,
                                ngx_http_longpoll_zone_msg(z, cat->last)->id,
                                1);
    ngx_http_longpoll_zone_list_delete(z, steps);

    return work->delete_slot ? NGX_BUSY : NGX_OK;
}


void
ngx_http_longpoll_zone_list_begin_delete(ngx_http_longpoll_zone_t *z,
    uint32_t slot, uint64_t upto, ngx_uint_t lost)
{
    uint64_t                         id;
    ngx_http_longpoll_cat_sh_t      *cat;
    ngx_http_longpoll_work_sh_t     *work;
    ngx_http_longpoll_journal_sh_t  *j;

    cat = &z->cats.slots[slot];
    work = &z->sh->work;
    j = &z->sh->journal;

    id = ngx_max(cat->dropped, cat->shared);

    if (lost) {
        id = ngx_max(id, upto);
    }

    ngx_http_longpoll_put(work->delete_id, upto);
    ngx_http_longpoll_put(work->delete_lost, (uint32_t) lost);

    /* a category that never had messages needs no note */

    if (z->nnotes == 0 || (cat->count == 0 && id == 0)) {
        ngx_http_longpoll_put(work->delete_slot, slot + 1);
        return;
    }

    ngx_http_longpoll_zone_cursor_note(z, NGX_HTTP_LONGPOLL_CONTROL_DROP,
                                       cat->hash[1], upto, id);
    ngx_http_longpoll_set(j, work->delete_slot, slot + 1);
    ngx_http_longpoll_done(j);
}


void
ngx_http_longpoll_zone_list_delete(ngx_http_longpoll_zone_t *z,
    ngx_uint_t *steps)
{
    uint32_t                        slot;
    ngx_http_longpoll_cat_sh_t     *cat;
    ngx_http_longpoll_msg_sh_t     *msg;
    ngx_http_longpoll_work_sh_t    *work;
    ngx_http_longpoll_zone_why_e    why;

    work = &z->sh->work;

    if (work->delete_slot == 0) {
        return;
    }

    slot = work->delete_slot - 1;
    cat = &z->cats.slots[slot];
    why = work->delete_lost ? NGX_HTTP_LONGPOLL_ZONE_LOST
                            : NGX_HTTP_LONGPOLL_ZONE_DELETED;

    while (cat->first) {
        msg = ngx_http_longpoll_zone_msg(z, cat->first);

        if (msg->id > work->delete_id) {
            break;
        }

        if (*steps == 0) {
            return;
        }

        (*steps)--;

        ngx_http_longpoll_zone_list_drop(z, msg, why);

        if (work->delete_lost) {
            ngx_http_longpoll_zone_count(z, expired, 1);
        }
    }

    if (work->delete_lost && cat->count == 0 && cat->waiting == 0) {
        ngx_http_longpoll_zone_list_free_slot(z, slot);
        return;
    }

    ngx_http_longpoll_put(work->delete_slot, 0);

    ngx_http_longpoll_zone_list_free_if_unused(z, slot);
}


void
ngx_http_longpoll_zone_list_free_if_unused(ngx_http_longpoll_zone_t *z,
    uint32_t slot)
{
    ngx_http_longpoll_cat_sh_t  *cat;

    ngx_http_longpoll_cat_assert(&z->cats, slot + 1);
    cat = &z->cats.slots[slot];

    if (cat->count == 0 && cat->waiting == 0
        && cat->dropped == 0 && cat->shared == 0)
    {
        ngx_http_longpoll_zone_list_free_slot(z, slot);
    }
}


void
ngx_http_longpoll_zone_list_free_slot(ngx_http_longpoll_zone_t *z,
    uint32_t slot)
{
    /* a delete of the category has nothing left to do */

    if (z->sh->work.delete_slot == slot + 1) {
        ngx_http_longpoll_put(z->sh->work.delete_slot, 0);
    }

    ngx_http_longpoll_cat_free(&z->cats, slot);
}


ngx_uint_t
ngx_http_longpoll_zone_list_inactive(ngx_http_longpoll_zone_t *z, uint32_t slot,
    uint64_t now)
{
    uint64_t                     inactive;
    ngx_http_longpoll_cat_sh_t  *cat;

    cat = &z->cats.slots[slot];
    inactive = z->sh->conf.inactive;

    if (inactive == 0 || cat->waiting || now < cat->used + inactive) {
        return 0;
    }

    /* what waits for the disk must have been published first */

    return cat->last == 0
           || !ngx_http_longpoll_zone_is_unsaved(z,
                                   ngx_http_longpoll_zone_msg(z, cat->last));
}
