
/*
 * ngx_http_longpoll_log.h: a circular space of records that describe
 * themselves.
 *
 *        tail                                  head = where the next one goes
 *         v                                     v
 *   | gap | dead | live | dead | live | ... |pad| gap             |
 *   0                                                           size
 *
 * head and tail are positions that only grow; a position's place is its
 * remainder by size.  A record is never cut by the end: what does not fit there
 * is padded, and it begins at place 0.
 *
 * Cleaning moves the tail on, over the dead for nothing; a living record is
 * copied to the head, or, where it does not fit the gap, tail and head both
 * step over it and it stays where it is (a rotation).  Cleaning decides nothing
 * about who lives; that is the zone's, which also relinks what was moved.
 *
 * All calls are made under the zone's lock.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOG_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOG_H_INCLUDED_


#include "ngx_http_longpoll_journal.h"
#include "ngx_http_longpoll_assert.h"


#define NGX_HTTP_LONGPOLL_LOG_UNIT  16

#define NGX_HTTP_LONGPOLL_LOG_DEAD  0
#define NGX_HTTP_LONGPOLL_LOG_LIVE  1
#define NGX_HTTP_LONGPOLL_LOG_PAD   2


/* what the log knows of a record: its first 8 bytes */

typedef struct {
    uint32_t                         units;     /* of 16 bytes, all of it */
    u_char                           state;     /* DEAD, LIVE, PAD */
    u_char                           bits;      /* the zone's */
    uint16_t                         name_len;  /* the zone's */
} ngx_http_longpoll_rec_sh_t;


typedef struct {
    uint64_t                         size;      /* bytes, never changes */
    uint64_t                         head;
    uint64_t                         tail;
    uint64_t                         live;      /* bytes of living records */
    int64_t                          credit;    /* bytes that may be moved */
} ngx_http_longpoll_log_sh_t;


/*
 * Makes whoever points to the living record at from point to the ref to,
 * with journaled stores only.  The bytes are copied already.
 */
typedef void (*ngx_http_longpoll_log_move_pt)(void *data,
    ngx_http_longpoll_rec_sh_t *from, uint32_t to);


typedef struct {
    ngx_http_longpoll_log_sh_t      *sh;
    ngx_http_longpoll_journal_sh_t  *journal;
    u_char                          *base;
    ngx_http_longpoll_log_move_pt    move;
    void                            *data;      /* of move */

#if (NGX_HTTP_LONGPOLL_DEBUG)
    uint64_t                         size;      /* what sh->size must be */
#endif
} ngx_http_longpoll_log_t;


/* a ref names a place in 32 bits; 0 is none */

#define ngx_http_longpoll_log_rec(log, ref)                                   \
    ((void *) ((log)->base                                                    \
               + (uint64_t) ((ref) - 1) * NGX_HTTP_LONGPOLL_LOG_UNIT))

#define ngx_http_longpoll_log_ref(log, rec)                                   \
    ((uint32_t) (((u_char *) (rec) - (log)->base)                             \
                 / NGX_HTTP_LONGPOLL_LOG_UNIT) + 1)

#define ngx_http_longpoll_log_bytes(rec)                                      \
    ((uint64_t) (rec)->units * NGX_HTTP_LONGPOLL_LOG_UNIT)

#define ngx_http_longpoll_log_gap(log)                                        \
    ((log)->sh->size - ((log)->sh->head - (log)->sh->tail))


/* the position, between tail and head, at which the record of ref stands */
uint64_t ngx_http_longpoll_log_pos(ngx_http_longpoll_log_t *log, uint32_t ref);

/* whether a record of n bytes can be reserved */
ngx_uint_t ngx_http_longpoll_log_fits(ngx_http_longpoll_log_t *log, uint64_t n);

/*
 * The place for a record of n bytes, which must fit.  Pads the end when it
 * goes to the front.  The head does not move: *head is where it must be set to
 * in the step that links the record.
 */
void *ngx_http_longpoll_log_reserve(ngx_http_longpoll_log_t *log, uint64_t n,
    uint64_t *head);

/*
 * Moves the tail over one record.  Returns the bytes that were moved, 0 when
 * it was dead.  With an empty log (head == tail) both go to the next place 0.
 */
uint64_t ngx_http_longpoll_log_clean(ngx_http_longpoll_log_t *log);

/*
 * Cleans as much as publishing n bytes should pay for, so that room is there
 * long before it is needed and no single publish pays for all.
 */
void ngx_http_longpoll_log_pace(ngx_http_longpoll_log_t *log, uint64_t n);


#endif /* _NGX_HTTP_LONGPOLL_LOG_H_INCLUDED_ */
