
/*
 * ngx_http_longpoll_entry.h: the entries of a zone's stream in Redis, and the
 * lines of its epochs.
 *
 *     n 7 [k KEY] c farm d "oink" c barn d 1 ...      events
 *     n 8 x farm x barn ...                           a delete
 *     n 9 h NODE:COUNT                                a heartbeat
 *     n 10 l LIFE                                     an epoch begins
 *
 * An entry is an id and fields, names and values in turn.  n is the entry's
 * number, KEY the hash of an idempotency key, LIFE the epoch.  A delete, a
 * heartbeat and a beginning take one id, the events of an entry one each: the
 * entry's own id is that of the first.
 *
 * Redis writes an id as "ms-seq".  The zone's is ms << 16 | seq.
 *
 * What Redis has may come from anybody.  So all that is read here is checked as
 * if a stranger had sent it.  Results point into the fields, or into the pool.
 */


#ifndef _NGX_HTTP_LONGPOLL_ENTRY_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ENTRY_H_INCLUDED_


#include "ngx_http_longpoll_id.h"
#include "ngx_http_longpoll_json.h"


/* bytes of "ms-seq", at most, without a terminating zero */
#define NGX_HTTP_LONGPOLL_ENTRY_ID_LEN    (20 + 1 + 20)

/* hexadecimal digits of an epoch, and of an idempotency key's hash */
#define NGX_HTTP_LONGPOLL_ENTRY_LIFE_LEN  15
#define NGX_HTTP_LONGPOLL_ENTRY_KEY_LEN   40

/* lines of epochs, and the bytes of RUN in one, at most */
#define NGX_HTTP_LONGPOLL_ENTRY_LIVES     15
#define NGX_HTTP_LONGPOLL_ENTRY_RUN_LEN   128

/* the seq of "the ms is full" */
#define NGX_HTTP_LONGPOLL_ENTRY_SEQ_MAX   ((uint64_t) -1)


/* a place in the stream, as Redis has it */

typedef struct {
    uint64_t                         ms;
    uint64_t                         seq;
} ngx_http_longpoll_entry_place_t;


typedef enum {
    NGX_HTTP_LONGPOLL_ENTRY_EVENTS = 0,
    NGX_HTTP_LONGPOLL_ENTRY_DELETE,
    NGX_HTTP_LONGPOLL_ENTRY_HEARTBEAT,
    NGX_HTTP_LONGPOLL_ENTRY_LIFE
} ngx_http_longpoll_entry_e;


typedef struct {
    ngx_http_longpoll_entry_e        kind;
    uint64_t                         number;    /* 0: it cannot be read */
    ngx_str_t                        key;       /* EVENTS: KEY; or none */
    ngx_http_longpoll_item_t        *items;     /* EVENTS; of a DELETE only the
                                                   categories are set, none
                                                   stands twice */
    ngx_uint_t                       n;         /* of items; else 0 */
    uint64_t                         epoch;     /* LIFE */
} ngx_http_longpoll_entry_t;


/* an epoch: its entry LIFE has the id begin, and run names a Redis */

typedef struct {
    uint64_t                         epoch;
    uint64_t                         begin;
    ngx_str_t                        run;
} ngx_http_longpoll_entry_life_t;


/*
 * Reads n fields, names and values in turn.  Data is as it is stored: without
 * line ends.
 *
 * NGX_OK        entry is set
 * NGX_DECLINED  *reason says why it is not an entry, in a few words; of entry
 *               only the number is set
 * NGX_ERROR     no memory
 */
ngx_int_t ngx_http_longpoll_entry_parse(ngx_http_longpoll_entry_t *entry,
    ngx_str_t *fields, ngx_uint_t n, ngx_pool_t *pool, const char **reason);

/*
 * The fields of events or of a delete, without n: what Redis is sent.  args has
 * room for so many; returns how many were set.  key is KEY, or NULL; n messages
 * at least, msgs->cat is an index into cats.
 */
#define NGX_HTTP_LONGPOLL_ENTRY_ARGS(n)  (2 + 4 * (n))
ngx_uint_t ngx_http_longpoll_entry_events(ngx_str_t *args, ngx_str_t *key,
    ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs, ngx_uint_t n);
ngx_uint_t ngx_http_longpoll_entry_delete(ngx_str_t *args,
    ngx_http_longpoll_cat_t *cats, ngx_uint_t n);

/* writes KEY, of a publish whose first category is cat; returns the end */
u_char *ngx_http_longpoll_entry_key(u_char *p, ngx_str_t *cat, ngx_str_t *key);

/*
 * A place as text.  NGX_OK, or NGX_DECLINED: the text is no id of Redis's.
 * print returns the end.
 */
ngx_int_t ngx_http_longpoll_entry_place_parse(
    ngx_http_longpoll_entry_place_t *place, ngx_str_t *text);
u_char *ngx_http_longpoll_entry_place_print(u_char *p,
    const ngx_http_longpoll_entry_place_t *place);

/*
 * A place as an id, of the first of n events.  NGX_OK, or NGX_DECLINED: they do
 * not fit, as seq or ms is too large, or both are 0.
 */
ngx_int_t ngx_http_longpoll_entry_id(uint64_t *id,
    const ngx_http_longpoll_entry_place_t *place, ngx_uint_t n);

/* "ms-seq" as an id, and back; return codes as above */
ngx_int_t ngx_http_longpoll_entry_id_parse(uint64_t *id, ngx_str_t *text);
u_char *ngx_http_longpoll_entry_id_print(u_char *p, uint64_t id);

/* an epoch as LIFE: 15 digits in lower case; NGX_OK or NGX_DECLINED */
ngx_int_t ngx_http_longpoll_entry_epoch_parse(uint64_t *epoch,
    ngx_str_t *text);
u_char *ngx_http_longpoll_entry_epoch_print(u_char *p, uint64_t epoch);

/*
 * Reads the lines "LIFE BEGIN-ID RUN" of a zone's epochs, the newest first.
 * lives has room for NGX_HTTP_LONGPOLL_ENTRY_LIVES.
 *
 * NGX_OK        *n lives are set, one at least
 * NGX_DECLINED  the text is not that: it counts as none
 */
ngx_int_t ngx_http_longpoll_entry_lives_parse(
    ngx_http_longpoll_entry_life_t *lives, ngx_uint_t *n, ngx_str_t *text);


#endif /* _NGX_HTTP_LONGPOLL_ENTRY_H_INCLUDED_ */
