
/*
 * ngx_http_longpoll_log.h: a circular log of records of any size.
 *
 *        tail                                  head: the next record's position
 *         v                                     v
 *   | gap | dead | live | dead | live | ... |pad| gap             |
 *   0                                                           size
 *
 * Positions (head, tail) only grow; a position's offset is its remainder by
 * size.  A record never crosses the end: if it does not fit there, the end is
 * padded, and the record begins at offset 0.
 *
 * The log turns: it pads the end before the head has come there, as soon as
 * there is room at its front.  So it touches more memory than its live records
 * need (1.6 times as much where they die in their order), but not all of it.
 *
 * Cleaning moves the tail on.  A dead record costs nothing.  A live record is
 * moved: copied to the head.  If it does not fit into the gap, tail and head
 * both step over it, and it stays where it is (a rotation).  The log never
 * decides which records live; the zone does, and relinks those that moved.
 *
 * The caller holds the zone's lock in every call.
 */


#ifndef _NGX_HTTP_LONGPOLL_LOG_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LOG_H_INCLUDED_


#include "ngx_http_longpoll_journal.h"
#include "ngx_http_longpoll_assert.h"


#define NGX_HTTP_LONGPOLL_LOG_UNIT  16

#define NGX_HTTP_LONGPOLL_LOG_DEAD  0
#define NGX_HTTP_LONGPOLL_LOG_LIVE  1
#define NGX_HTTP_LONGPOLL_LOG_PAD   2


/* a record's first 8 bytes, the only ones that the log reads */

typedef struct {
    uint32_t                         units;     /* of 16 bytes: the
                                                   whole record */
    u_char                           state;     /* DEAD, LIVE, PAD */
    u_char                           bits;      /* the zone's */
    uint16_t                         name_len;  /* the zone's */
} ngx_http_longpoll_rec_sh_t;


typedef struct {
    uint64_t                         size;      /* bytes; never changes */
    uint64_t                         head;      /* positions, tail <= head */
    uint64_t                         tail;
    uint64_t                         live;      /* bytes of live records */
    int64_t                          credit;    /* bytes that pace may move */
    uint64_t                         turned;    /* the position of the pad of
                                                   the last turn */
} ngx_http_longpoll_log_sh_t;


/*
 * Relinks a record that was copied: every pointer to the live record from
 * becomes the ref to.  Within the caller's step, so all stores are sets.
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
    uint64_t                         size;      /* that sh->size must have */
#endif
} ngx_http_longpoll_log_t;


/* a ref is a record's offset in 32 bits: offset / 16 + 1; 0 is none */

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


/* the position of the record of ref, between tail and head */
uint64_t ngx_http_longpoll_log_pos(ngx_http_longpoll_log_t *log, uint32_t ref);

/* whether a record of n bytes can be reserved */
ngx_uint_t ngx_http_longpoll_log_fits(ngx_http_longpoll_log_t *log, uint64_t n);

/*
 * Returns free space for a record of n bytes, which must fit.  If the record
 * goes to offset 0, the end is padded.  The head does not move; the caller
 * sets it to *head in the step that links the record.
 */
void *ngx_http_longpoll_log_reserve(ngx_http_longpoll_log_t *log, uint64_t n,
    uint64_t *head);

/*
 * Moves the tail over one record.  Returns how many bytes were moved; 0: the
 * record was dead, or rotated.  In an empty log (head == tail) both go on to
 * the next position of offset 0.
 */
uint64_t ngx_http_longpoll_log_clean(ngx_http_longpoll_log_t *log);

/*
 * Cleans as much as a publish of n bytes has to pay for, so that there is room
 * long before it is needed and no publish pays for all of it; and turns the log
 * if that is due.  Takes a step for each live record, and one for each 4 kB of
 * it, and ends when none is left.
 */
void ngx_http_longpoll_log_pace(ngx_http_longpoll_log_t *log, uint64_t n,
    ngx_uint_t *steps);


#endif /* _NGX_HTTP_LONGPOLL_LOG_H_INCLUDED_ */
