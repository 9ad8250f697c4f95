
/*
 * ngx_http_longpoll_script.h: the scripts that Redis runs.
 *
 * A script is called with EVALSHA and its sha.  "NOSCRIPT" in front of the
 * error means that nothing was done: the caller sends EVAL and its text.
 *
 * KEYS are cluster->log, ->life and ->number; LIFE is the epoch's (wire/entry).
 * ms-seq is an id as Redis writes it.
 */


#ifndef _NGX_HTTP_LONGPOLL_SCRIPT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_SCRIPT_H_INCLUDED_


#include "ngx_http_longpoll.h"


typedef struct {
    ngx_str_t                        text;
    ngx_str_t                        sha;       /* 40 hexadecimal digits */
} ngx_http_longpoll_script_t;


/*
 * Adds an entry of n ids: events or a delete.
 *
 *     KEYS log life number [key]    ARGV LIFE n TTL fields...
 *
 * fields are those of ..._entry_events() and ..._delete(); key is cluster->key
 * and KEY behind it, known for TTL ms.  Without a key TTL is any number.
 *
 *     "ms-seq"     stored; the id of the last event
 *     "=ms-seq"    nothing is stored: the same of an earlier publish with key
 *     0            nothing is stored: LIFE has ended, or there is no stream
 *     an error     nothing is stored
 */
extern ngx_http_longpoll_script_t  ngx_http_longpoll_script_publish;

/*
 * Adds a heartbeat, which ends its ms.
 *
 *     KEYS log life number    ARGV LIFE NODE:COUNT
 *
 *     "ms-seq", 0, an error    as above
 */
extern ngx_http_longpoll_script_t  ngx_http_longpoll_script_beat;

/*
 * Begins the epoch LIFE, if the first word of the lines of epochs is FIRST.
 *
 *     KEYS log life number    ARGV FIRST LIFE RUN MS LINES
 *
 * FIRST is empty if there are no lines.  The beginning is behind MS.  LINES are
 * the earlier lines that stay.
 *
 *     the lines as they are now; another caller's, if FIRST is not the first
 *     an error
 */
extern ngx_http_longpoll_script_t  ngx_http_longpoll_script_begin;


/* in a worker, before a script is used: their shas; may be called again */
void ngx_http_longpoll_script_init(void);


#endif /* _NGX_HTTP_LONGPOLL_SCRIPT_H_INCLUDED_ */
