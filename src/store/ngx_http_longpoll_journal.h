
/*
 * ngx_http_longpoll_journal.h: a step of changes to shared words that can be
 * undone.
 *
 * A process may be killed between any two machine instructions, with the
 * zone's lock in its hand.  Whoever takes the lock next must find either all
 * of a step or nothing of it:
 *
 *     set   old word -> undo[n]    n = n + 1    word = new     (any number)
 *     done  n = 0                  <- this one store commits the step
 *     undo  while n: n's word = old, n = n - 1
 *
 * Undoing twice, or half and then again, does the same as doing it once.  A
 * killed process has done a prefix of its program, so barriers for the compiler
 * are enough; a power cut takes the memory with it anyway.
 *
 * A store that needs no undoing (into free space, or harmless on its own) is a
 * put.  The store's unit test defines NGX_HTTP_LONGPOLL_STEPS to 1: it then
 * ends the "process" at every store of either kind, and makes each set a put
 * in turn to see that this is noticed.
 */


#ifndef _NGX_HTTP_LONGPOLL_JOURNAL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_JOURNAL_H_INCLUDED_


#include "ngx_http_longpoll.h"


#define NGX_HTTP_LONGPOLL_JOURNAL_MAX  20      /* the longest step sets 16 */


typedef struct {
    int64_t                        offset;     /* of the word, from here */
    uint64_t                       old;
} ngx_http_longpoll_undo_sh_t;


typedef struct {
    uint64_t                       n;
    ngx_http_longpoll_undo_sh_t    undo[NGX_HTTP_LONGPOLL_JOURNAL_MAX];
} ngx_http_longpoll_journal_sh_t;


#define ngx_http_longpoll_barrier()  __asm__ volatile ("" ::: "memory")


#if (NGX_HTTP_LONGPOLL_STEPS)

void ngx_http_longpoll_step(void);
ngx_uint_t ngx_http_longpoll_journaled(const char *file, ngx_uint_t line);

#else

#define ngx_http_longpoll_step()
#define ngx_http_longpoll_journaled(file, line)  1

#endif


#define ngx_http_longpoll_put(lvalue, value)                                  \
    do {                                                                      \
        ngx_http_longpoll_step();                                             \
        ngx_http_longpoll_barrier();                                          \
        (lvalue) = (value);                                                   \
        ngx_http_longpoll_barrier();                                          \
    } while (0)


#define ngx_http_longpoll_set(journal, lvalue, value)                         \
    do {                                                                      \
        if (ngx_http_longpoll_journaled(__FILE__, __LINE__)) {                \
            ngx_http_longpoll_journal_save(journal, (u_char *) &(lvalue));    \
        }                                                                     \
                                                                              \
        ngx_http_longpoll_put(lvalue, value);                                 \
    } while (0)


#define ngx_http_longpoll_done(journal)                                       \
    ngx_http_longpoll_put((journal)->n, 0)


/* remembers the aligned word that p lies in */

static ngx_inline void
ngx_http_longpoll_journal_save(ngx_http_longpoll_journal_sh_t *j, u_char *p)
{
    uint64_t                     *word;
    ngx_http_longpoll_undo_sh_t  *undo;

    word = (uint64_t *) ((uintptr_t) p & ~(uintptr_t) 7);
    undo = &j->undo[j->n];

    ngx_http_longpoll_put(undo->offset,
                          (int64_t) ((u_char *) word - (u_char *) j));
    ngx_http_longpoll_put(undo->old, *word);
    ngx_http_longpoll_put(j->n, j->n + 1);
}


/* takes back an unfinished step */

static ngx_inline void
ngx_http_longpoll_journal_undo(ngx_http_longpoll_journal_sh_t *j)
{
    uint64_t                     *word;
    ngx_http_longpoll_undo_sh_t  *undo;

    while (j->n) {
        undo = &j->undo[j->n - 1];
        word = (uint64_t *) ((u_char *) j + undo->offset);

        ngx_http_longpoll_put(*word, undo->old);
        ngx_http_longpoll_put(j->n, j->n - 1);
    }
}


#endif /* _NGX_HTTP_LONGPOLL_JOURNAL_H_INCLUDED_ */
