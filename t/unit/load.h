
/*
 * load.h: logs by hand, as src/disk/ reads them.
 *
 * The files are real ones, in a directory of their own.  The zone is a stub
 * that remembers what it is given.  A case writes files; then the loader makes
 * one line of them:
 *
 *     1 "a" 3          the data of events, in the order in which they came
 *     3@               its id is not the one that it had
 *     lost:c=1000      category c lost messages up to that ms
 *     drop:c=1000      a merge drops it, up to that ms
 *     lost:1000        some category lost messages before that ms
 *     after:8          the number of the last file that counts
 *     segment:9        the highest number there is
 *     valid:5          cursors are valid since that ms
 *     skipped:2        lines
 *     refused          nginx does not start
 *
 * and the words head, stale, restored, moved and believed.
 *
 *     load.c           the frame, the zone, the command line
 *     load_case.c      the cases
 *     load_nginx.c     what src/disk/ uses of nginx
 */


#ifndef _LOAD_H_INCLUDED_
#define _LOAD_H_INCLUDED_


#include <ngx_http_longpoll_control.h>
#include <ngx_http_longpoll_golongpoll.h>
#include <ngx_http_longpoll_load.h>
#include <ngx_http_longpoll_segment.h>
#include <ngx_http_longpoll_zone.h>
#include <ngx_http_longpoll_zone_clock.h>
#include <ngx_http_longpoll_zone_load.h>
#include <ngx_http_longpoll_zone_presence.h>

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


#define LOAD_LINE   (1 << 16)
#define LOAD_SIZE   (1 << 20)           /* of the zone */
#define LOAD_EPOCH  0x99                /* its own */


/* the zone; and the error log so far */
extern ngx_http_longpoll_zone_t   load_zone;
extern char                       load_log[LOAD_LINE];

/* of the zone's hash in a merge; that of a log is 2 */
extern uint64_t                   load_key;

/* called once, when the next event is placed */
extern void                     (*load_meanwhile)(void);


/* what follows stands in this file, PATH and a suffix; it begins empty */
void load_file(const char *suffix);

/* all bytes of the files so far */
uint64_t load_total(void);

void load_bytes(const void *p, size_t len);
void load_text(const char *format, ...);

/* lines of a log; an id is the n-th of its ms */
void load_base(uint64_t number, uint64_t epoch, ngx_uint_t durable);
void load_after(uint64_t number, uint64_t epoch, ngx_uint_t durable);
void load_event(uint64_t epoch, uint64_t ms, ngx_uint_t n, const char *data);
void load_gone(uint64_t epoch, uint64_t ms, ngx_uint_t n);
void load_drop(const char *name, uint64_t upto, uint64_t lost);
void load_rest(uint64_t ms);
void load_end(int64_t missing);

/* loads, or merges, and compares; behind and early: read_upto, read_early */
void load_is(const char *expected);
void load_merge_is(uint64_t behind, uint64_t early, const char *expected);

/* the error log has this; a file has just this */
void load_logged(const char *text);
void load_has(const char *suffix, const char *content);
void load_ok(ngx_uint_t good, const char *what);

/* the test ends, and its files go */
void load_test(const char *title);


/* load_case.c */
void load_cases(void);


#endif /* _LOAD_H_INCLUDED_ */
