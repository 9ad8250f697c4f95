
/*
 * ngx_http_longpoll_control.h: the lines of a zone's log that are not events.
 *
 *     #{"base":7,"life":"0c3...","hash":"5d0...","last":1113,"trusted":0,
 *                                                            "durable":1}
 *     #{"after":7,"life":"0c3...","hash":"5d0...","last":1114,"trusted":0,
 *                                                            "durable":1}
 *     #{"gone":"0178448a-..."}
 *     #{"drop":"e220a8397b1dcdaf","upto":0,"lost":111411200009895936}
 *     #{"rest":111411200001000000}
 *     #{"end":111411200019660800,"bytes":812}
 *
 * The first two are drawn in two lines.  A line is read back only as it is
 * printed: another order of members, or a blank, makes another line.
 * golongpoll's reader skips these lines.
 */


#ifndef _NGX_HTTP_LONGPOLL_CONTROL_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_CONTROL_H_INCLUDED_


#include "ngx_http_longpoll_id.h"


typedef enum {
    NGX_HTTP_LONGPOLL_CONTROL_BASE = 0, /* first in PATH: what lived at one
                                           moment; replaces segments up to
                                           number */
    NGX_HTTP_LONGPOLL_CONTROL_AFTER,    /* first in a segment: it follows
                                           number.  Also further on, where
                                           durable changes */
    NGX_HTTP_LONGPOLL_CONTROL_DELETION,     /* this message is not there */
    NGX_HTTP_LONGPOLL_CONTROL_DROP,     /* of this category nothing up to upto
                                           is there; what is up to lost was
                                           lost */
    NGX_HTTP_LONGPOLL_CONTROL_REST,     /* some category lost messages up to
                                           id */
    NGX_HTTP_LONGPOLL_CONTROL_END       /* all is on disk: the epoch has ended,
                                           and the files of the log have so many
                                           bytes, this line included */
} ngx_http_longpoll_control_e;


typedef struct {
    ngx_http_longpoll_control_e      kind;

    /* BASE, AFTER */
    uint64_t                         number;    /* of a segment, up to LAST */
    uint64_t                         epoch;
    uint64_t                         key[2];    /* of the hashes of names */
    uint64_t                         valid_from;    /* ms: cursors since then
                                                   have lost nothing with an
                                                   earlier epoch */
    uint64_t                         durable;   /* 0 or 1: all that readers saw
                                                   is in the log */

    uint64_t                         id;        /* BASE, AFTER, END: highest
                                                   issued id; REST: as above */
    ngx_http_longpoll_uuid_t         uuid;      /* GONE */

    /* DROP */
    uint64_t                         name;      /* hash[1] of the category */
    uint64_t                         upto;      /* ids */
    uint64_t                         lost;

    uint64_t                         bytes;     /* END */
} ngx_http_longpoll_control_t;


/* the highest number of a segment: that behind it is a number, too */
#define NGX_HTTP_LONGPOLL_CONTROL_LAST  999999999999999999

/* bytes of a line, at most, with its line end */
#define NGX_HTTP_LONGPOLL_CONTROL_MAX  256

/* whether a line claims to be one; broken or not */
#define ngx_http_longpoll_control_is(p, len)                                  \
    ((len) >= 2 && (p)[0] == '#' && (p)[1] == '{')

/* prints a line with its line end; returns the end of it */
u_char *ngx_http_longpoll_control_print(u_char *p,
    ngx_http_longpoll_control_t *control);

/*
 * Reads a line without its line end.  NGX_OK, or NGX_DECLINED: it is none of
 * the above.
 */
ngx_int_t ngx_http_longpoll_control_parse(ngx_http_longpoll_control_t *control,
    u_char *p, size_t len);


#endif /* _NGX_HTTP_LONGPOLL_CONTROL_H_INCLUDED_ */
