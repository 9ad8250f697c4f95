
/*
 * ngx_http_longpoll_lives.h: the epochs of a zone's stream, as its Redis lists
 * them.
 *
 * Each line names the Redis that ran when the epoch began.  Another one, or the
 * same one after a restart, cannot prove that it lost nothing: so with it
 * begins an epoch.
 */


#ifndef _NGX_HTTP_LONGPOLL_LIVES_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_LIVES_H_INCLUDED_


#include "ngx_http_longpoll_cluster.h"


/* bytes of the list, at most */
#define NGX_HTTP_LONGPOLL_LIVES_LINES                                         \
    (NGX_HTTP_LONGPOLL_ENTRY_LIVES                                            \
     * (NGX_HTTP_LONGPOLL_ENTRY_LIFE_LEN + 1 + NGX_HTTP_LONGPOLL_ENTRY_ID_LEN \
        + 1 + NGX_HTTP_LONGPOLL_ENTRY_RUN_LEN + 1))

#define NGX_HTTP_LONGPOLL_LIVES_ARGS  9


typedef struct {
    ngx_uint_t                       n;         /* 0: there is no list, or it
                                                   cannot be read */
    ngx_http_longpoll_entry_life_t   list[NGX_HTTP_LONGPOLL_ENTRY_LIVES];
                                                /* the newest first */
    ngx_str_t                        lines;     /* without a list, its first
                                                   word */
    u_char                           text[NGX_HTTP_LONGPOLL_LIVES_LINES];

    /* arguments of the script that begins an epoch */
    ngx_str_t                        argv[NGX_HTTP_LONGPOLL_LIVES_ARGS];
    u_char                           life[NGX_HTTP_LONGPOLL_ENTRY_LIFE_LEN];
    u_char                           ms[NGX_INT64_LEN];
} ngx_http_longpoll_lives_t;


/* takes over a list */
void ngx_http_longpoll_lives_read(ngx_http_longpoll_lives_t *lives,
    ngx_str_t *text);

/* whether the newest epoch began with this Redis, or any will do (same) */
ngx_uint_t ngx_http_longpoll_lives_is(ngx_http_longpoll_lives_t *lives,
    ngx_str_t *run, ngx_uint_t same);

/*
 * Whether the Redis that is called run now (run_id.replid, or run_id.0 if it
 * never took over) was called before earlier, and has not taken over since.
 */
ngx_uint_t ngx_http_longpoll_lives_same(ngx_str_t *before, ngx_str_t *run);

/* whether there is this epoch */
ngx_uint_t ngx_http_longpoll_lives_has(ngx_http_longpoll_lives_t *lives,
    uint64_t epoch);

/*
 * An epoch of this Redis that begins behind id, unless the list has changed
 * since it was read: returns the arguments of the script, as many as
 * NGX_HTTP_LONGPOLL_LIVES_ARGS.  They point into lives, run and cluster.
 */
ngx_str_t *ngx_http_longpoll_lives_begin(ngx_http_longpoll_lives_t *lives,
    ngx_http_longpoll_cluster_t *cluster, ngx_str_t *run, uint64_t id);


#endif /* _NGX_HTTP_LONGPOLL_LIVES_H_INCLUDED_ */
