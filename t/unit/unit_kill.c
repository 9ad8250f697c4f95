
/*
 * unit_kill.c: death at a store, and stores that are not journaled.
 *
 * These are the two hooks of NGX_HTTP_LONGPOLL_STEPS.  The second one counts
 * where journaled stores stand in the sources, and may take one of them out of
 * the journal (unit_plain): a mutation that the crash worlds must notice.
 */


#include "unit.h"

#include <ngx_http_longpoll_journal.h>

#include <setjmp.h>


#if !(NGX_HTTP_LONGPOLL_STEPS)
#error "compile everything with -DNGX_HTTP_LONGPOLL_STEPS=1"
#endif


uint64_t         unit_steps;
uint64_t         unit_crash_seed;
unit_site_t     *unit_plain;
ngx_uint_t       unit_plain_hit;
ngx_uint_t       unit_plain_ops;

static uint64_t  unit_kill = UNIT_NEVER;
static jmp_buf   unit_killed;

void           (*unit_step_hook)(void);


ngx_uint_t
unit_call_and_kill(void (*call)(void *data), void *data, uint64_t n)
{
    unit_steps = 0;
    unit_kill = n;

    if (setjmp(unit_killed) == 0) {
        call(data);
        unit_kill = UNIT_NEVER;
        return 1;
    }

    unit_held = 0;

    return 0;
}


void
unit_die(void)
{
    unit_kill = UNIT_NEVER;
    longjmp(unit_killed, 1);
}


void
ngx_http_longpoll_step(void)
{
    if (unit_step_hook) {
        unit_step_hook();
    }

    if (unit_steps++ == unit_kill) {
        unit_kill = UNIT_NEVER;
        longjmp(unit_killed, 1);
    }
}


ngx_uint_t
ngx_http_longpoll_journaled(const char *file, ngx_uint_t line)
{
    ngx_uint_t    n;
    unit_site_t  *site;

    for (n = line % UNIT_SITES; /* void */ ; n = (n + 1) % UNIT_SITES) {
        site = &unit->sites[n];

        if (site->file == NULL) {
            site->file = file;
            site->line = line;
        }

        if (site->file == file && site->line == line) {
            break;
        }
    }

    if (site->seed == 0) {
        site->seed = unit_crash_seed;
    }

    if (site == unit_plain) {
        unit_plain_hit = 1;
        return 0;
    }

    return 1;
}
