
/*
 * ngx_http_longpoll_zone_question.c: how many polls wait for categories.
 *
 * The zone knows in which workers polls wait for a category, but only each
 * worker knows how many, and under which name.  (A count in the category's slot
 * would be a shared word that is written twice for each delivery, and wrong
 * after a kill.)  So a request for the number asks: it stores a question in the
 * zone, and each worker adds its number when it is woken.
 *
 *   request   count: store the question ── wake ─▶ worker   asked, answer
 *             count, every ms: sum, until no answer is missing
 *
 * There is one question at a time.  It is open until the request has the
 * number, and for NGX_HTTP_LONGPOLL_ZONE_QUESTION_OPEN ms at most.  Then the
 * next request may replace it, and a request whose question was replaced asks
 * anew.
 *
 * A worker that has not answered a question which was replaced is late until it
 * answers.  A question that only late workers have not answered is open for
 * NGX_HTTP_LONGPOLL_ZONE_QUESTION_LATE ms, and a request that has the sum of
 * the others for a category leaves the turn to those that have none.  So a
 * worker that is stopped keeps no request from asking the others.
 *
 * Nothing here is journaled.  A process that is killed in between leaves a
 * number that is wrong once.
 */


#include "ngx_http_longpoll_zone_question.h"
#include "ngx_http_longpoll_journal.h"
#include "ngx_http_longpoll_zone_lock.h"


#define NGX_HTTP_LONGPOLL_ZONE_QUESTION_OPEN  200   /* ms */
#define NGX_HTTP_LONGPOLL_ZONE_QUESTION_LATE  5


ngx_int_t
ngx_http_longpoll_zone_question_count(ngx_http_longpoll_zone_t *z,
    uint64_t from, uint64_t upto, uint64_t alive, uint64_t now,
    uint64_t *question, uint64_t *n)
{
    uint64_t                          missing, open;
    ngx_int_t                         rc;
    ngx_http_longpoll_question_sh_t  *q;

    q = &z->sh->question;
    rc = NGX_AGAIN;

    ngx_http_longpoll_zone_lock(z);

    missing = q->missing & alive;
    open = (missing & ~q->late) ? NGX_HTTP_LONGPOLL_ZONE_QUESTION_OPEN
                                : NGX_HTTP_LONGPOLL_ZONE_QUESTION_LATE;

    if (*question && *question == q->number) {
        *n = q->sum;

        if (missing == 0) {
            ngx_http_longpoll_put(q->asked, 0);
            rc = NGX_OK;
        }

    } else if ((*question == 0 || from != upto || (q->late & alive) == 0)
               && (q->asked == 0 || now < q->asked || now >= q->asked + open))
    {
        ngx_http_longpoll_put(q->late, q->asked ? missing : 0);
        ngx_http_longpoll_put(q->number, q->number + 1);
        ngx_http_longpoll_put(q->asked, now);
        ngx_http_longpoll_put(q->from, from);
        ngx_http_longpoll_put(q->upto, upto);
        ngx_http_longpoll_put(q->sum, 0);
        ngx_http_longpoll_put(q->missing, alive);

        *question = q->number;
        rc = NGX_DONE;
    }

    ngx_http_longpoll_zone_unlock(z);

    return rc;
}


ngx_uint_t
ngx_http_longpoll_zone_question_asked(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t *number, uint64_t *from, uint64_t *upto)
{
    ngx_http_longpoll_question_sh_t  *q;

    q = &z->sh->question;

    if (worker == NGX_HTTP_LONGPOLL_NO_WORKER
        || (q->missing & ngx_http_longpoll_zone_bit(worker)) == 0)
    {
        return 0;
    }

    ngx_http_longpoll_zone_lock(z);

    *number = q->number;
    *from = q->from;
    *upto = q->upto;

    ngx_http_longpoll_zone_unlock(z);

    return 1;
}


void
ngx_http_longpoll_zone_question_answer(ngx_http_longpoll_zone_t *z,
    ngx_uint_t worker, uint64_t number, ngx_uint_t n)
{
    ngx_http_longpoll_question_sh_t  *q;

    q = &z->sh->question;

    ngx_http_longpoll_zone_lock(z);

    ngx_http_longpoll_put(q->late,
                          q->late & ~ngx_http_longpoll_zone_bit(worker));

    if (q->number == number) {
        ngx_http_longpoll_put(q->sum, q->sum + n);
        ngx_http_longpoll_put(q->missing,
                              q->missing
                              & ~ngx_http_longpoll_zone_bit(worker));
    }

    ngx_http_longpoll_zone_unlock(z);
}
