
/*
 * ngx_http_longpoll_upkeep.h: what a zone's reader does for the stream: beats,
 * and trimming.
 *
 * All nodes do it.  A beat of one is read by all, so those who see it need none
 * of their own.  Trimming twice is trimming once.
 */


#ifndef _NGX_HTTP_LONGPOLL_UPKEEP_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_UPKEEP_H_INCLUDED_


#include "ngx_http_longpoll_relay.h"


typedef struct {
    /* the owner's */
    ngx_http_longpoll_zone_t        *zone;
    uint64_t                         epoch;     /* of the stream, the newest */
    ngx_log_t                       *log;

    /* a beat was refused: the epoch has ended, or there is no stream (NULL); or
       Redis's error */
    void                           (*refused)(void *data, ngx_str_t *error);
    void                            *data;

    ngx_event_t                      beat;      /* the timer */
    ngx_connection_t                 dummy;
    uint32_t                         node;      /* at random */
    uint64_t                         beats;
    uint64_t                         bytes;     /* of the stream in Redis */
    unsigned                         beating:1;     /* no reply yet */
    unsigned                         measuring:1;
} ngx_http_longpoll_upkeep_t;


void ngx_http_longpoll_upkeep_init(ngx_http_longpoll_upkeep_t *upkeep);

/* a beat is due in 250 to 350 ms, unless one is due already */
void ngx_http_longpoll_upkeep_start(ngx_http_longpoll_upkeep_t *upkeep);

/* the zone took an entry: the beat is due so long after that */
void ngx_http_longpoll_upkeep_read(ngx_http_longpoll_upkeep_t *upkeep);

/* no beat is due any more */
void ngx_http_longpoll_upkeep_stop(ngx_http_longpoll_upkeep_t *upkeep);

/* once a second: what is over "keep", and over "ttl", is trimmed */
void ngx_http_longpoll_upkeep_trim(ngx_http_longpoll_upkeep_t *upkeep);


#endif /* _NGX_HTTP_LONGPOLL_UPKEEP_H_INCLUDED_ */
