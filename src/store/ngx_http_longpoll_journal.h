
/*
 * ngx_http_longpoll_journal.h: steps of stores into shared memory that can be
 * undone.
 *
 * A process may be killed between any two machine instructions while it holds
 * the zone's lock.  The next process that takes the lock must find either all
 * stores of a step or none of them:
 *
 *     set   undo[n] = the old word    n = n + 1    word = new    (repeated)
 *     done  n = 0                     <- this one store commits the step
 *     undo  while n: undo[n - 1]'s word = old, n = n - 1
 *
 * Undo may itself be killed and begun again; the result is the same.  A killed
 * process has executed a prefix of its program, so barriers for the compiler
 * are enough.  A power cut takes the shared memory with it.
 *
 * A store that needs no undo, because it goes into free space or is harmless
 * by itself, is a put.
 *
 * Tests define NGX_HTTP_LONGPOLL_STEPS to 1 and kill the process before a store
 * of either kind.  The unit tests do so at every store, and also turn each set
 * into a put, one at a time, to see that the model notices.
 */


#ifndef _NGX_HTTP_LONGPOLL_JOURNAL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_JOURNAL_H_INCLUDED_


#include "ngx_http_longpoll.h"


#define NGX_HTTP_LONGPOLL_JOURNAL_MAX  24      /* the longest step has 20 */


typedef struct {
    int64_t                        offset;     /* of the word, from the
                                                  journal */
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


/* a store that needs no undo */

#define ngx_http_longpoll_put(lvalue, value)                                  \
    do {                                                                      \
        ngx_http_longpoll_step();                                             \
        ngx_http_longpoll_barrier();                                          \
        (lvalue) = (value);                                                   \
        ngx_http_longpoll_barrier();                                          \
    } while (0)


/* a store of a step */

#define ngx_http_longpoll_set(journal, lvalue, value)                         \
    do {                                                                      \
        if (ngx_http_longpoll_journaled(__FILE__, __LINE__)) {                \
            ngx_http_longpoll_journal_save(journal, (u_char *) &(lvalue));    \
        }                                                                     \
                                                                              \
        ngx_http_longpoll_put(lvalue, value);                                 \
    } while (0)


/* commits the step */

#define ngx_http_longpoll_done(journal)                                       \
    ngx_http_longpoll_put((journal)->n, 0)


/* saves the aligned word that p lies in */

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


/* undoes an unfinished step; harmless where there is none */

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
