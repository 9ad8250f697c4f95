
/*
 * ngx_http_longpoll_list.c: the categories of a zone, for operators, page by
 * page.
 *
 *   GET /status?list[&limit=N][&after=TOKEN][&prefix=TEXT]
 *
 *     workers  census     categories that somebody waits for, with names
 *     zone     zone_page  categories that have a slot: with messages, which
 *                         have their names, or with waiting workers; and those
 *                         that are present, which have names, too
 *
 * Both have the order of places (..._hash_place()).  The census comes first.  A
 * category that is there all the while then is in one of them at least: either
 * it has a slot when the zone is read, or its poll, which found no slot free,
 * was there before.
 *
 * A slot has no name if the category has no messages, is not present, and is
 * not in the census.  Then the page ends in front of it, and the next page asks
 * the workers anew.  There are two reasons:
 *
 *     its poll has come since the worker answered.  If the next page finds no
 *     name, either, it leaves the category out
 *     its worker has not answered in time (late).  No page goes past the
 *     category until the worker answers, or is dead
 *
 * While a worker is late that has polls without a slot, no page goes on at all:
 * any place may be that of such a category.
 */


#include "ngx_http_longpoll_list.h"
#include "ngx_http_longpoll_category.h"
#include "ngx_http_longpoll_census.h"
#include "ngx_http_longpoll_figures.h"
#include "ngx_http_longpoll_response.h"
#include "ngx_http_longpoll_zone_page.h"
#include "ngx_http_longpoll_zone_presence.h"
#include "ngx_http_longpoll_zone_question.h"


/*
 * Holds of the lock for a page, at most.  They are enough for all 131,072
 * buckets of a zone of 64m and for 1,000 categories besides.
 */

#define NGX_HTTP_LONGPOLL_LIST_HOLDS  160

#define NGX_HTTP_LONGPOLL_LIST_NAMES  65536     /* bytes, of a page */


/* a category of the page */

typedef struct {
    ngx_str_t                            *name;
    ngx_http_longpoll_category_status_t  *status;
    uint64_t                              polls;
} ngx_http_longpoll_list_row_t;


/* what a page is made of */

typedef struct {
    ngx_http_longpoll_census_t       census;
    ngx_http_longpoll_zone_page_t    zone;

    /* of a category that the zone does not know */
    ngx_http_longpoll_category_status_t  nothing;

    uint64_t                         late;      /* set: the workers that live,
                                                   and have not answered */

    ngx_http_longpoll_list_row_t    *rows;
    ngx_uint_t                       n;
    uint64_t                         next;      /* place */
    ngx_uint_t                       complete;  /* there is no next page */
} ngx_http_longpoll_list_page_t;


static ngx_int_t ngx_http_longpoll_list_census(ngx_http_request_t *r,
    ngx_http_longpoll_list_t *list, ngx_http_longpoll_census_t *census,
    uint64_t number, uint64_t alive, ngx_uint_t patient);
static ngx_int_t ngx_http_longpoll_list_zone(ngx_http_request_t *r,
    ngx_http_longpoll_list_t *list, ngx_http_longpoll_list_page_t *page);
static void ngx_http_longpoll_list_merge(ngx_http_longpoll_list_t *list,
    ngx_http_longpoll_list_page_t *page);
static ngx_uint_t ngx_http_longpoll_list_unknown(
    ngx_http_longpoll_list_t *list, ngx_http_longpoll_list_page_t *page,
    ngx_http_longpoll_zone_entry_t *z);
static void ngx_http_longpoll_list_add(ngx_http_longpoll_list_t *list,
    ngx_http_longpoll_list_page_t *page, ngx_http_longpoll_zone_entry_t *z,
    ngx_http_longpoll_census_entry_t *c);
static ngx_int_t ngx_http_longpoll_list_respond(ngx_http_request_t *r,
    ngx_http_longpoll_list_t *list, ngx_http_longpoll_list_page_t *page);


static ngx_str_t  ngx_http_longpoll_list_name = ngx_string("list");

static ngx_str_t  ngx_http_longpoll_list_one = ngx_string(
    "Invalid 'list' arg.  This is not the status of one zone in JSON.");


ngx_int_t
ngx_http_longpoll_list_read(ngx_http_request_t *r,
    ngx_http_longpoll_list_t **list, ngx_str_t *error)
{
    u_char                        *buf;
    ngx_http_longpoll_zone_t      *z;
    ngx_http_longpoll_loc_conf_t  *llcf;

    *list = NULL;

    if (!ngx_http_longpoll_query_has(&r->args, &ngx_http_longpoll_list_name)) {
        return NGX_OK;
    }

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_longpoll_module);
    z = llcf->status_zone;

    if (z == NULL || llcf->status_format != NGX_HTTP_LONGPOLL_STATUS_JSON) {
        *error = ngx_http_longpoll_list_one;
        return NGX_DECLINED;
    }

    *list = ngx_pcalloc(r->pool, sizeof(ngx_http_longpoll_list_t));

    if (*list == NULL
        || ngx_http_longpoll_category_buffer(r, &buf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    (*list)->zone = z;
    ngx_http_longpoll_zone_status_cursor(z, &(*list)->cursor);

    return ngx_http_longpoll_page_parse(&(*list)->page, &r->args, buf,
                                        z->sh->key, error);
}


ngx_int_t
ngx_http_longpoll_list_send(ngx_http_request_t *r,
    ngx_http_longpoll_list_t *list, uint64_t number, uint64_t alive,
    ngx_uint_t patient)
{
    ngx_int_t                       rc;
    ngx_http_longpoll_list_page_t  *page;

    page = ngx_palloc(r->pool, sizeof(ngx_http_longpoll_list_page_t));
    if (page == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_longpoll_list_census(r, list, &page->census, number, alive,
                                       patient);

    if (rc == NGX_AGAIN) {
        (void) ngx_pfree(r->pool, page);
        return NGX_AGAIN;
    }

    page->late = alive & ~page->census.answered;

    if (rc != NGX_OK || ngx_http_longpoll_list_zone(r, list, page) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_longpoll_list_merge(list, page);

    return ngx_http_longpoll_list_respond(r, list, page);
}


/* NGX_OK; NGX_AGAIN: an answer is not there any more; NGX_ERROR: no memory */

static ngx_int_t
ngx_http_longpoll_list_census(ngx_http_request_t *r,
    ngx_http_longpoll_list_t *list, ngx_http_longpoll_census_t *census,
    uint64_t number, uint64_t alive, ngx_uint_t patient)
{
    uint64_t   left, tag;
    ngx_int_t  rc;

    tag = ngx_http_longpoll_zone_question_tag(list->zone, number);

    ngx_http_longpoll_census_begin(census, list->page.from, (uint64_t) -1);

    for (left = alive; left; left &= left - 1) {
        rc = ngx_http_longpoll_census_read(census, __builtin_ctzll(left), tag,
                                           r->pool);
        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED && patient) {
            return NGX_AGAIN;
        }
    }

    return NGX_OK;
}


/* NGX_OK; NGX_ERROR: no memory */

static ngx_int_t
ngx_http_longpoll_list_zone(ngx_http_request_t *r,
    ngx_http_longpoll_list_t *list, ngx_http_longpoll_list_page_t *page)
{
    size_t                          size;
    ngx_uint_t                      left;
    ngx_http_longpoll_zone_page_t  *zone;

    zone = &page->zone;
    size = ngx_min(list->page.limit * NGX_HTTP_LONGPOLL_MAX_CATEGORY,
                   NGX_HTTP_LONGPOLL_LIST_NAMES);

    zone->from = list->page.from;
    zone->complete = 0;
    zone->prefix = list->page.prefix;
    zone->n = 0;
    zone->max = list->page.limit;
    zone->entries = ngx_palloc(r->pool,
                           zone->max * sizeof(ngx_http_longpoll_zone_entry_t));
    zone->names = ngx_pnalloc(r->pool, size);
    page->rows = ngx_palloc(r->pool,
                            zone->max * sizeof(ngx_http_longpoll_list_row_t));

    if (zone->entries == NULL || zone->names == NULL || page->rows == NULL) {
        return NGX_ERROR;
    }

    zone->end = zone->names + size;

    if (ngx_http_longpoll_zone_slotless(list->zone) & page->late) {
        return NGX_OK;
    }

    for (left = NGX_HTTP_LONGPOLL_LIST_HOLDS; left; left--) {

        if (ngx_http_longpoll_zone_page_read(list->zone, zone,
                                             page->census.upto)
            != NGX_BUSY)
        {
            break;
        }
    }

    return NGX_OK;
}


/* the rows, by place, up to where the zone was read */

static void
ngx_http_longpoll_list_merge(ngx_http_longpoll_list_t *list,
    ngx_http_longpoll_list_page_t *page)
{
    uint64_t                           place;
    ngx_uint_t                         i, j;
    ngx_http_longpoll_zone_entry_t    *z;
    ngx_http_longpoll_census_entry_t  *c;

    i = 0;
    j = 0;

    ngx_memzero(&page->nothing, sizeof(ngx_http_longpoll_category_status_t));
    page->nothing.presence = ngx_http_longpoll_zone_has_presence(list->zone);

    page->n = 0;
    page->next = page->zone.from;
    page->complete = page->zone.complete;

    for ( ;; ) {
        z = i < page->zone.n ? &page->zone.entries[i] : NULL;
        c = j < page->census.n ? &page->census.entries[j] : NULL;

        if (c && !page->zone.complete && c->place >= page->zone.from) {
            c = NULL;
        }

        if (z == NULL && c == NULL) {
            return;
        }

        if (z && (c == NULL || z->place <= c->place)) {
            place = z->place;
            c = (c && c->place == place) ? c : NULL;

        } else {
            place = c->place;
            z = NULL;
        }

        if (page->n == list->page.limit
            || (z && c == NULL
                && ngx_http_longpoll_list_unknown(list, page, z)))
        {
            page->next = place;
            page->complete = 0;
            return;
        }

        ngx_http_longpoll_list_add(list, page, z, c);

        i += (z != NULL);
        j += (c != NULL);
    }
}


/*
 * Whether the page ends in front of a category that has no name here, since the
 * next page may name it.  A worker that is neither late nor has answered is
 * dead, so the category leaves with it.
 */

static ngx_uint_t
ngx_http_longpoll_list_unknown(ngx_http_longpoll_list_t *list,
    ngx_http_longpoll_list_page_t *page, ngx_http_longpoll_zone_entry_t *z)
{
    if (z->name.len) {
        return 0;
    }

    return (z->workers & page->late)
           || ((z->workers & page->census.answered)
               && z->place != list->page.from);
}


/* z and c are of one category; one of them may be NULL */

static void
ngx_http_longpoll_list_add(ngx_http_longpoll_list_t *list,
    ngx_http_longpoll_list_page_t *page, ngx_http_longpoll_zone_entry_t *z,
    ngx_http_longpoll_census_entry_t *c)
{
    ngx_str_t                     *name;
    ngx_http_longpoll_list_row_t  *row;

    if (z && z->name.len) {
        name = &z->name;

    } else if (c) {
        name = &c->name;

    } else {
        return;
    }

    if (!ngx_http_longpoll_page_begins(&list->page.prefix, name->data,
                                       name->len))
    {
        return;
    }

    row = &page->rows[page->n++];

    row->name = name;
    row->status = z ? &z->status : &page->nothing;
    row->polls = c ? c->polls : 0;
}


static ngx_int_t
ngx_http_longpoll_list_respond(ngx_http_request_t *r,
    ngx_http_longpoll_list_t *list, ngx_http_longpoll_list_page_t *page)
{
    u_char                        *p;
    size_t                         len;
    ngx_str_t                      body;
    ngx_uint_t                     i;
    ngx_http_longpoll_list_row_t  *row;

    len = sizeof("{\"categories\":[],\"next\":\"\",\"cursor\":\"\"}")
          + NGX_HTTP_LONGPOLL_PAGE_TOKEN_LEN + NGX_HTTP_LONGPOLL_ID_LEN;

    for (i = 0; i < page->n; i++) {
        len += 1 + ngx_http_longpoll_figures_category_len(page->rows[i].name);
    }

    body.data = ngx_pnalloc(r->pool, len);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(body.data, "{\"categories\":[");

    for (i = 0; i < page->n; i++) {
        row = &page->rows[i];

        if (i) {
            *p++ = ',';
        }

        p = ngx_http_longpoll_figures_category(p, "category", row->name,
                                               row->status, row->polls);
    }

    *p++ = ']';

    if (!page->complete) {
        p = ngx_sprintf(p, ",\"next\":\"");
        p = ngx_http_longpoll_page_token(p, page->next, list->zone->sh->key);
        *p++ = '"';
    }

    if (list->page.first) {
        p = ngx_http_longpoll_figures_id(p, "cursor", &list->cursor);
    }

    *p++ = '}';

    body.len = p - body.data;

    return ngx_http_longpoll_response_json(r, NGX_HTTP_OK, &body);
}
