
/*
 * ngx_http_longpoll_figures.h: a zone's figures, as JSON or for Prometheus.
 */


#ifndef _NGX_HTTP_LONGPOLL_FIGURES_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_FIGURES_H_INCLUDED_


#include "ngx_http_longpoll_http.h"
#include "ngx_http_longpoll_zone_status.h"


typedef struct {
    ngx_http_longpoll_zone_t             *zone;
    ngx_http_longpoll_zone_status_t       status;
    ngx_http_longpoll_disk_status_t       disk;     /* if the zone has a file */
    ngx_http_longpoll_feed_status_t       feed;     /* if it is over Redis */

    /* with ?category=; cat.name is empty without it */
    ngx_http_longpoll_cat_t               cat;
    ngx_http_longpoll_category_status_t   category;
    uint64_t                              waiting;
    uint64_t                              question; /* 0: not asked */
    ngx_uint_t                            counted;  /* all answers are in
                                                        waiting */
} ngx_http_longpoll_figures_t;


/*
 * The figures of an array of ngx_http_longpoll_figures_t are written to p; the
 * end is returned.  _len() is an upper bound for both formats.  Prometheus has
 * no figures of a category.
 */
size_t ngx_http_longpoll_figures_len(ngx_array_t *zones);
u_char *ngx_http_longpoll_figures_json(u_char *p, ngx_array_t *zones);
u_char *ngx_http_longpoll_figures_prometheus(u_char *p, ngx_array_t *zones);


/*
 * A category's figures as a JSON object, whose name is under key; waiting is
 * the number of its polls.
 */
size_t ngx_http_longpoll_figures_category_len(ngx_str_t *name);
u_char *ngx_http_longpoll_figures_category(u_char *p, const char *key,
    ngx_str_t *name, ngx_http_longpoll_category_status_t *st,
    uint64_t waiting);

/* ,"key": and an id, or null if the UUID is all zeros */
u_char *ngx_http_longpoll_figures_id(u_char *p, const char *key,
    const ngx_http_longpoll_uuid_t *uuid);


#endif /* _NGX_HTTP_LONGPOLL_FIGURES_H_INCLUDED_ */
