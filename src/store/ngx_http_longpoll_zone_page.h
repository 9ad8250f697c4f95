
/*
 * ngx_http_longpoll_zone_page.h: the categories that have a slot, or are
 * present, page by page, in the order of their places (..._hash_place()).
 *
 * A category's place never changes, whichever slot it has and whatever else
 * comes and goes.  So one that is there all the while is read once.
 *
 * A category without messages has no name in the zone, unless it is present.
 * Its entry says which workers wait for it; these have the name.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_PAGE_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_PAGE_H_INCLUDED_


#include "ngx_http_longpoll_zone_status.h"


typedef struct {
    uint64_t                             place;
    uint64_t                             workers;   /* set: they wait for it */
    ngx_str_t                            name;      /* empty: not known */
    ngx_http_longpoll_category_status_t  status;
} ngx_http_longpoll_zone_entry_t;


typedef struct {
    uint64_t                             from;      /* place: all in front of
                                                       it was read */
    ngx_uint_t                           complete;  /* and all behind it */
    ngx_str_t                            prefix;    /* categories whose names
                                                       are known, and do not
                                                       begin so, are left out
                                                       */

    ngx_http_longpoll_zone_entry_t      *entries;   /* the caller's, max */
    ngx_uint_t                           n;
    ngx_uint_t                           max;
    u_char                              *names;     /* what is left of the
                                                       caller's memory for
                                                       them */
    u_char                              *end;
} ngx_http_longpoll_zone_page_t;


/*
 * Reads on, up to a place that belongs to it; takes the lock once.
 *
 * NGX_OK     all up to that place was read
 * NGX_DONE   the page is full: there is no entry left, or no room for a name
 * NGX_BUSY   the page goes on in another hold
 */
ngx_int_t ngx_http_longpoll_zone_page_read(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_page_t *page, uint64_t upto);


#endif /* _NGX_HTTP_LONGPOLL_ZONE_PAGE_H_INCLUDED_ */
