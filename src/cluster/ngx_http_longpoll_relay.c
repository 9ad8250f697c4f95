
/*
 * ngx_http_longpoll_relay.c: what this worker sends to a zone's Redis.
 *
 * One connection for each worker and zone, which the first publish opens.
 *
 *     DOWN ──▶ OPENING ──▶ LIFE ◀──▶ UP ──▶ DEMOTED
 *       ▲         │          │        │        │
 *       └─────────┴──────────┴────────┴────────┘
 *
 * LIFE      Redis is asked for the lines of epochs.  The first one must name
 *           this Redis as it runs now.  Otherwise Redis may have lost events,
 *           and the reader begins an epoch first.  With restart=same any Redis
 *           will do
 * DEMOTED   Redis is no master any more.  The connection is closed when all
 *           that was sent has its reply
 *
 * A publish passes four queues, in this order:
 *
 *     waiting      not sent: the relay is not UP, or a round is under way
 *     sent         Redis has not replied
 *     unconfirmed  stored, but not known to be on replicas=N servers
 *     stored       the zone does not have it yet
 *
 * A publish has an operation, a block of its own, which the reply finds.  When
 * the request ends early, the publisher leaves its queue, and the operation
 * stays until the reply.  Operations are bounded in number and bytes.
 *
 * replicas=N: WAIT blocks what is behind it on its connection.  So publishes go
 * out in rounds: all that came since the last one, and then WAIT.  WAIT
 * confirms what has its reply before WAIT has.
 */


#include "ngx_http_longpoll_relay.h"
#include "ngx_http_longpoll_decimal.h"
#include "ngx_http_longpoll_entry.h"
#include "ngx_http_longpoll_link.h"
#include "ngx_http_longpoll_lives.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_zone_feed.h"


/* what is in flight, at most; one operation always may */
#define NGX_HTTP_LONGPOLL_RELAY_OPS     1024
#define NGX_HTTP_LONGPOLL_RELAY_BYTES   (16 * 1024 * 1024)

/* bytes of a reply, at most: the lines of epochs are the longest */
#define NGX_HTTP_LONGPOLL_RELAY_REPLY   65536

/* ms from a connection that was lost to the next one, and between looks at the
 * lines of epochs */
#define NGX_HTTP_LONGPOLL_RELAY_PAUSE   100
#define NGX_HTTP_LONGPOLL_RELAY_PAUSES  5000

/* bytes of an error of Redis in the log, at most */
#define NGX_HTTP_LONGPOLL_RELAY_ERROR   200

/* words in front of the fields: the number of keys, four keys, LIFE, n, TTL */
#define NGX_HTTP_LONGPOLL_RELAY_WORDS   8


typedef enum {
    NGX_HTTP_LONGPOLL_RELAY_DOWN = 0,
    NGX_HTTP_LONGPOLL_RELAY_OPENING,
    NGX_HTTP_LONGPOLL_RELAY_LIFE,
    NGX_HTTP_LONGPOLL_RELAY_UP,
    NGX_HTTP_LONGPOLL_RELAY_DEMOTED
} ngx_http_longpoll_relay_e;


typedef struct ngx_http_longpoll_op_s  ngx_http_longpoll_op_t;


typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_http_longpoll_cluster_t     *cluster;
    ngx_http_longpoll_link_t         link;
    ngx_http_longpoll_relay_e        state;
    ngx_uint_t                       leaving;   /* the process ends */

    ngx_msec_t                       lost;      /* when the link was */
    ngx_msec_t                       pause;     /* since then; 0: none */

    /* the stream's epochs, as Redis had them at the last UP: the first is the
       newest, in which it stores what is sent; run is not kept */
    ngx_http_longpoll_entry_life_t   lives[NGX_HTTP_LONGPOLL_ENTRY_LIVES];
    ngx_uint_t                       nlives;
    ngx_str_t                        life;      /* the newest, as a text */
    ngx_uint_t                       asking;    /* for the lines of epochs */
    ngx_uint_t                       complained;    /* of errors, since the last
                                                   that was stored */
    ngx_uint_t                       round;     /* WAIT has no reply */

    ngx_http_longpoll_await_t        waiting;
    ngx_http_longpoll_await_t        sent;
    ngx_http_longpoll_await_t        unconfirmed;
    ngx_http_longpoll_await_t        stored;

    ngx_uint_t                       nops;
    size_t                           bytes;     /* of the operations */
    ngx_http_longpoll_op_t          *spares;    /* memory of earlier ones, no
                                                   more than were in flight */

    ngx_event_t                      flush;     /* posted: there is something
                                                   to send */
    ngx_event_t                      timer;     /* while publishers are waiting,
                                                   or stored */
    ngx_connection_t                 dummy;
    u_char                           text[NGX_HTTP_LONGPOLL_ENTRY_LIFE_LEN];
} ngx_http_longpoll_relay_t;


/* a publish or a delete, until it has its reply, and its request is gone */

struct ngx_http_longpoll_op_s {
    ngx_http_longpoll_relay_t       *relay;
    ngx_http_longpoll_op_t          *next;      /* in spares */
    ngx_http_longpoll_publisher_t   *publisher; /* NULL: answered, or gone */
    ngx_uint_t                       flying;    /* a reply will come */
    ngx_uint_t                       tries;
    ngx_int_t                        rc;        /* once it is stored */
    size_t                           bytes;

    /* the request's, while there is a publisher */
    ngx_str_t                       *argv;
    ngx_uint_t                       argc;
    ngx_str_t                       *life;      /* one of argv */
};


static ngx_int_t ngx_http_longpoll_relay_words(ngx_http_longpoll_op_t *op,
    ngx_http_request_t *r, ngx_str_t *field, ngx_uint_t ids,
    ngx_uint_t nfields);
static ngx_int_t ngx_http_longpoll_relay_add(ngx_http_longpoll_relay_t *relay,
    ngx_http_request_t *r, ngx_http_longpoll_op_t *words,
    ngx_http_longpoll_await_pt handler);
static void ngx_http_longpoll_relay_left(ngx_http_longpoll_await_t *await,
    ngx_http_longpoll_publisher_t *publisher);
static void ngx_http_longpoll_relay_release(ngx_http_longpoll_op_t *op);

static ngx_int_t ngx_http_longpoll_relay_open(
    ngx_http_longpoll_relay_t *relay);
static void ngx_http_longpoll_relay_linked(void *data, ngx_int_t rc,
    ngx_str_t *reason);
static void ngx_http_longpoll_relay_down(ngx_http_longpoll_relay_t *relay);
static void ngx_http_longpoll_relay_ask(ngx_http_longpoll_relay_t *relay);
static void ngx_http_longpoll_relay_life(void *data,
    ngx_http_longpoll_reply_t *reply);

static void ngx_http_longpoll_relay_flush(ngx_event_t *ev);
static ngx_int_t ngx_http_longpoll_relay_send(
    ngx_http_longpoll_publisher_t *publisher);
static void ngx_http_longpoll_relay_round(ngx_http_longpoll_relay_t *relay);
static void ngx_http_longpoll_relay_replied(void *data,
    ngx_http_longpoll_reply_t *reply);
static ngx_int_t ngx_http_longpoll_relay_result(ngx_http_longpoll_op_t *op,
    ngx_http_longpoll_reply_t *reply);
static uint64_t ngx_http_longpoll_relay_epoch(ngx_http_longpoll_relay_t *relay,
    uint64_t id);
static void ngx_http_longpoll_relay_complain(ngx_http_longpoll_relay_t *relay,
    ngx_str_t *error);
static void ngx_http_longpoll_relay_confirmed(void *data,
    ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_relay_reached(ngx_http_longpoll_relay_t *relay);
static void ngx_http_longpoll_relay_hurry(ngx_http_longpoll_relay_t *relay);

static void ngx_http_longpoll_relay_move(
    ngx_http_longpoll_publisher_t *publisher, ngx_http_longpoll_await_t *to);
static ngx_queue_t *ngx_http_longpoll_relay_resent(
    ngx_http_longpoll_await_t *await);
static void ngx_http_longpoll_relay_end(ngx_http_longpoll_await_t *await,
    ngx_int_t rc);
static void ngx_http_longpoll_relay_time(ngx_http_longpoll_relay_t *relay);
static void ngx_http_longpoll_relay_timer(ngx_event_t *ev);
static ngx_msec_int_t ngx_http_longpoll_relay_patience(
    ngx_http_longpoll_relay_t *relay, ngx_http_longpoll_await_t *await);


#define ngx_http_longpoll_relay_is_empty(await)                               \
    (ngx_http_longpoll_await_first(await) == NULL)


ngx_int_t
ngx_http_longpoll_relay_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_zone_t *z)
{
    ngx_uint_t                  i;
    ngx_http_longpoll_await_t  *queues[4];
    ngx_http_longpoll_relay_t  *relay;

    relay = ngx_pcalloc(cycle->pool, sizeof(ngx_http_longpoll_relay_t));
    if (relay == NULL) {
        return NGX_ERROR;
    }

    relay->zone = z;
    relay->cluster = z->cluster;
    relay->life.data = relay->text;

    relay->link.cluster = z->cluster;
    relay->link.log = cycle->log;
    relay->link.limit = NGX_HTTP_LONGPOLL_RELAY_REPLY;
    relay->link.handler = ngx_http_longpoll_relay_linked;
    relay->link.data = relay;

    queues[0] = &relay->waiting;
    queues[1] = &relay->sent;
    queues[2] = &relay->unconfirmed;
    queues[3] = &relay->stored;

    for (i = 0; i < 4; i++) {
        ngx_http_longpoll_await_init(queues[i], ngx_http_longpoll_relay_left,
                                     relay);
    }

    relay->flush.handler = ngx_http_longpoll_relay_flush;
    relay->flush.data = relay;
    relay->flush.log = cycle->log;

    relay->dummy.fd = (ngx_socket_t) -1;
    relay->dummy.data = relay;
    relay->timer.handler = ngx_http_longpoll_relay_timer;
    relay->timer.data = &relay->dummy;
    relay->timer.log = cycle->log;

    ngx_http_longpoll_script_init();

    z->cluster->relay = relay;

    return NGX_OK;
}


void
ngx_http_longpoll_relay_exit_process(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_op_t     *op;
    ngx_http_longpoll_relay_t  *relay;

    relay = z->cluster->relay;

    if (relay == NULL) {
        return;
    }

    relay->leaving = 1;
    ngx_http_longpoll_link_close(&relay->link);

    while ((op = relay->spares) != NULL) {
        relay->spares = op->next;
        ngx_free(op);
    }

    z->cluster->relay = NULL;
}


ngx_uint_t
ngx_http_longpoll_relay_in_flight(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_relay_t  *relay;

    relay = z->cluster->relay;

    return relay ? relay->nops : 0;
}


/*
 * operations
 */


ngx_int_t
ngx_http_longpoll_relay_publish(ngx_http_longpoll_zone_t *z,
    ngx_http_request_t *r, ngx_http_longpoll_cat_t *cats,
    ngx_http_longpoll_msg_t *msgs, ngx_uint_t n, ngx_str_t *key,
    ngx_http_longpoll_await_pt handler)
{
    u_char                      hash[NGX_HTTP_LONGPOLL_ENTRY_KEY_LEN];
    ngx_str_t                   field;
    ngx_http_longpoll_op_t      op;
    ngx_http_longpoll_relay_t  *relay;

    relay = z->cluster->relay;

    ngx_memzero(&op, sizeof(ngx_http_longpoll_op_t));
    op.relay = relay;

    field.len = NGX_HTTP_LONGPOLL_ENTRY_KEY_LEN;
    field.data = hash;

    if (key) {
        (void) ngx_http_longpoll_entry_key(hash, &cats[0].name, key);
    }

    if (ngx_http_longpoll_relay_words(&op, r, key ? &field : NULL, n,
                                      NGX_HTTP_LONGPOLL_ENTRY_ARGS(n))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    op.argc += ngx_http_longpoll_entry_events(&op.argv[op.argc],
                                              key ? &field : NULL, cats, msgs,
                                              n);

    return ngx_http_longpoll_relay_add(relay, r, &op, handler);
}


ngx_int_t
ngx_http_longpoll_relay_delete(ngx_http_longpoll_zone_t *z,
    ngx_http_request_t *r, ngx_http_longpoll_cat_t *cats, ngx_uint_t ncats,
    ngx_http_longpoll_await_pt handler)
{
    ngx_http_longpoll_op_t      op;
    ngx_http_longpoll_relay_t  *relay;

    relay = z->cluster->relay;

    ngx_memzero(&op, sizeof(ngx_http_longpoll_op_t));
    op.relay = relay;

    if (ngx_http_longpoll_relay_words(&op, r, NULL, 1,
                                      NGX_HTTP_LONGPOLL_ENTRY_ARGS(ncats))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    op.argc += ngx_http_longpoll_entry_delete(&op.argv[op.argc], cats, ncats);

    return ngx_http_longpoll_relay_add(relay, r, &op, handler);
}


/*
 * The script's words up to the fields, and room for nfields.  field is a hash
 * whose bytes are copied, or NULL; it then points to the copy.
 */

static ngx_int_t
ngx_http_longpoll_relay_words(ngx_http_longpoll_op_t *op,
    ngx_http_request_t *r, ngx_str_t *field, ngx_uint_t ids,
    ngx_uint_t nfields)
{
    u_char                       *p;
    ngx_str_t                    *word;
    ngx_http_longpoll_cluster_t  *cluster;

    cluster = op->relay->cluster;

    op->argv = ngx_palloc(r->pool, (NGX_HTTP_LONGPOLL_RELAY_WORDS + nfields)
                                   * sizeof(ngx_str_t));
    p = ngx_pnalloc(r->pool, 2 * NGX_INT64_LEN + cluster->key.len
                             + NGX_HTTP_LONGPOLL_ENTRY_KEY_LEN);

    if (op->argv == NULL || p == NULL) {
        return NGX_ERROR;
    }

    word = op->argv;

    ngx_str_set(word, "3");
    word++;

    *word++ = cluster->log;
    *word++ = cluster->life;
    *word++ = cluster->number;

    if (field) {
        ngx_str_set(op->argv, "4");

        word->data = p;
        p = ngx_cpymem(p, cluster->key.data, cluster->key.len);
        p = ngx_cpymem(p, field->data, field->len);
        word->len = p - word->data;
        field->data = p - field->len;
        word++;
    }

    op->life = word;
    ngx_str_null(word);
    word++;

    word->data = p;
    p = ngx_http_longpoll_decimal(p, ids);
    word->len = p - word->data;
    word++;

    word->data = p;
    p = ngx_http_longpoll_decimal(p, field ? cluster->keys : 0);
    word->len = p - word->data;
    word++;

    op->argc = word - op->argv;

    return NGX_OK;
}


static ngx_int_t
ngx_http_longpoll_relay_add(ngx_http_longpoll_relay_t *relay,
    ngx_http_request_t *r, ngx_http_longpoll_op_t *words,
    ngx_http_longpoll_await_pt handler)
{
    ngx_uint_t               i;
    ngx_http_longpoll_op_t  *op;

    for (i = 0; i < words->argc; i++) {
        words->bytes += words->argv[i].len + sizeof("$1000" CRLF CRLF) - 1;
    }

    if (relay->nops
        && (relay->nops >= NGX_HTTP_LONGPOLL_RELAY_OPS
            || relay->bytes + words->bytes > NGX_HTTP_LONGPOLL_RELAY_BYTES))
    {
        return NGX_DECLINED;
    }

    if (ngx_http_longpoll_relay_open(relay) != NGX_OK) {
        return NGX_DECLINED;
    }

    op = relay->spares;

    if (op) {
        relay->spares = op->next;

    } else {
        op = ngx_alloc(sizeof(ngx_http_longpoll_op_t), r->connection->log);
        if (op == NULL) {
            return NGX_ERROR;
        }
    }

    *op = *words;

    op->publisher = ngx_http_longpoll_await_add(&relay->waiting, r, handler);
    if (op->publisher == NULL) {
        ngx_free(op);
        return NGX_ERROR;
    }

    op->publisher->data = op;

    relay->nops++;
    ngx_http_longpoll_zone_feed_in_flight(relay->zone,
                                          ngx_http_longpoll_notify_worker(),
                                          relay->nops);
    relay->bytes += op->bytes;

    ngx_http_longpoll_notify_wake(
        ngx_http_longpoll_zone_feed_resume(relay->zone,
                                           NGX_HTTP_LONGPOLL_ZONE_FEED_IDLE));

    ngx_post_event(&relay->flush, &ngx_posted_events);

    return NGX_DONE;
}


static void
ngx_http_longpoll_relay_left(ngx_http_longpoll_await_t *await,
    ngx_http_longpoll_publisher_t *publisher)
{
    ngx_http_longpoll_op_t     *op;
    ngx_http_longpoll_relay_t  *relay;

    op = publisher->data;
    relay = await->data;

    op->publisher = NULL;
    ngx_http_longpoll_relay_release(op);

    if (await == &relay->stored && ngx_http_longpoll_relay_is_empty(await)) {
        ngx_http_longpoll_zone_feed_await(relay->zone,
                                          ngx_http_longpoll_notify_worker(),
                                          0);
    }

    ngx_http_longpoll_relay_time(relay);
}


static void
ngx_http_longpoll_relay_release(ngx_http_longpoll_op_t *op)
{
    ngx_http_longpoll_relay_t  *relay;

    if (op->publisher || op->flying) {
        return;
    }

    relay = op->relay;

    relay->nops--;
    relay->bytes -= op->bytes;

    ngx_http_longpoll_zone_feed_in_flight(relay->zone,
                                          ngx_http_longpoll_notify_worker(),
                                          relay->nops);

    op->next = relay->spares;
    relay->spares = op;
}


/*
 * the connection
 */


/* NGX_OK, or NGX_DECLINED: not now */

static ngx_int_t
ngx_http_longpoll_relay_open(ngx_http_longpoll_relay_t *relay)
{
    ngx_msec_t  pause;

    switch (relay->state) {

    case NGX_HTTP_LONGPOLL_RELAY_DOWN:
        pause = relay->pause;

        if (relay->zone->sh->feed.connected) {

            /* Redis is there again */

            pause = ngx_min(pause, NGX_HTTP_LONGPOLL_RELAY_PAUSE);
        }

        if (ngx_current_msec - relay->lost < pause) {
            return NGX_DECLINED;
        }

        relay->state = NGX_HTTP_LONGPOLL_RELAY_OPENING;
        ngx_http_longpoll_link_open(&relay->link);

        return NGX_OK;

    case NGX_HTTP_LONGPOLL_RELAY_DEMOTED:
        return NGX_DECLINED;

    default:
        return NGX_OK;
    }
}


static void
ngx_http_longpoll_relay_linked(void *data, ngx_int_t rc, ngx_str_t *reason)
{
    ngx_http_longpoll_relay_t *relay = data;

    if (rc == NGX_OK) {
        relay->state = NGX_HTTP_LONGPOLL_RELAY_LIFE;
        ngx_http_longpoll_relay_ask(relay);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, relay->link.log, 0,
                  "longpoll zone \"%V\": redis %V: no publishes: %V",
                  &relay->zone->name,
                  ngx_http_longpoll_link_name(&relay->link), reason);

    ngx_http_longpoll_relay_down(relay);
}


static void
ngx_http_longpoll_relay_down(ngx_http_longpoll_relay_t *relay)
{
    ngx_msec_t  pause;

    pause = ngx_min(2 * relay->pause, NGX_HTTP_LONGPOLL_RELAY_PAUSES);
    pause = ngx_max(pause, NGX_HTTP_LONGPOLL_RELAY_PAUSE);

    relay->state = NGX_HTTP_LONGPOLL_RELAY_DOWN;
    relay->lost = ngx_current_msec;
    relay->pause = pause / 2 + (ngx_msec_t) ngx_random() % (pause / 2);

    ngx_http_longpoll_relay_end(&relay->unconfirmed, NGX_ERROR);
    ngx_http_longpoll_relay_end(&relay->waiting, NGX_DECLINED);
}


static void
ngx_http_longpoll_relay_ask(ngx_http_longpoll_relay_t *relay)
{
    ngx_str_t  argv[2];

    ngx_str_set(&argv[0], "GET");
    argv[1] = relay->cluster->life;

    if (!relay->asking
        && ngx_http_longpoll_redis_command(relay->link.redis, argv, 2, 0,
                                           ngx_http_longpoll_relay_life, relay)
           == NGX_OK)
    {
        relay->asking = 1;
    }
}


static void
ngx_http_longpoll_relay_life(void *data, ngx_http_longpoll_reply_t *reply)
{
    ngx_http_longpoll_relay_t       *relay = data;
    ngx_http_longpoll_entry_life_t  *newest;

    relay->asking = 0;
    newest = &relay->lives[0];

    if (reply == NULL || relay->state != NGX_HTTP_LONGPOLL_RELAY_LIFE) {
        return;
    }

    if (reply->type != NGX_HTTP_LONGPOLL_REPLY_STRING
        || ngx_http_longpoll_entry_lives_parse(relay->lives, &relay->nlives,
                                               &reply->str)
           != NGX_OK
        || (!relay->cluster->same
            && !ngx_http_longpoll_lives_same(&newest->run, &relay->link.run)))
    {
        /*
         * The reader begins an epoch, or the link is older than the epoch.  The
         * timer asks again, while publishers are waiting.
         */

        ngx_http_longpoll_link_inform(&relay->link, 0);
        ngx_http_longpoll_relay_time(relay);
        return;
    }

    relay->life.len = ngx_http_longpoll_entry_epoch_print(relay->text,
                                                          newest->epoch)
                      - relay->text;
    relay->pause = 0;
    relay->state = NGX_HTTP_LONGPOLL_RELAY_UP;

    ngx_post_event(&relay->flush, &ngx_posted_events);
}


/*
 * what is sent
 */


ngx_int_t
ngx_http_longpoll_relay_command(ngx_http_longpoll_zone_t *z, ngx_str_t *argv,
    ngx_uint_t argc, ngx_http_longpoll_reply_pt handler, void *data)
{
    ngx_http_longpoll_relay_t  *relay;

    relay = z->cluster->relay;

    if (ngx_http_longpoll_relay_open(relay) != NGX_OK
        || relay->link.redis == NULL)
    {
        return NGX_ERROR;
    }

    return ngx_http_longpoll_redis_command(relay->link.redis, argv, argc, 0,
                                           handler, data);
}


ngx_int_t
ngx_http_longpoll_relay_eval(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_script_t *script, ngx_str_t *argv, ngx_uint_t argc,
    ngx_http_longpoll_reply_pt handler, void *data)
{
    ngx_http_longpoll_relay_t  *relay;

    relay = z->cluster->relay;

    if (ngx_http_longpoll_relay_open(relay) != NGX_OK
        || relay->link.redis == NULL)
    {
        return NGX_ERROR;
    }

    return ngx_http_longpoll_redis_eval(relay->link.redis, script, argv, argc,
                                        handler, data);
}


static void
ngx_http_longpoll_relay_flush(ngx_event_t *ev)
{
    ngx_http_longpoll_relay_t      *relay;
    ngx_http_longpoll_publisher_t  *publisher;

    relay = ev->data;

    if (relay->leaving) {
        return;
    }

    while (relay->state == NGX_HTTP_LONGPOLL_RELAY_UP && !relay->round) {
        publisher = ngx_http_longpoll_await_first(&relay->waiting);

        if (publisher == NULL) {
            break;
        }

        if (ngx_http_longpoll_relay_send(publisher) != NGX_OK) {
            ngx_http_longpoll_await_answer(publisher, NGX_DECLINED);
        }
    }

    if (relay->cluster->replicas && !relay->round
        && !(ngx_http_longpoll_relay_is_empty(&relay->sent)
             && ngx_http_longpoll_relay_is_empty(&relay->unconfirmed)))
    {
        ngx_http_longpoll_relay_round(relay);
    }

    ngx_http_longpoll_relay_time(relay);
}


static ngx_int_t
ngx_http_longpoll_relay_send(ngx_http_longpoll_publisher_t *publisher)
{
    ngx_http_longpoll_op_t     *op;
    ngx_http_longpoll_relay_t  *relay;

    op = publisher->data;
    relay = op->relay;

    *op->life = relay->life;

    if (ngx_http_longpoll_redis_eval(relay->link.redis,
                                     &ngx_http_longpoll_script_publish,
                                     op->argv, op->argc,
                                     ngx_http_longpoll_relay_replied, op)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (op->tries == 0) {
        publisher->since = ngx_current_msec;
    }

    op->tries++;
    op->flying = 1;

    ngx_http_longpoll_relay_move(publisher, &relay->sent);

    return NGX_OK;
}


static void
ngx_http_longpoll_relay_round(ngx_http_longpoll_relay_t *relay)
{
    u_char      number[2][NGX_INT64_LEN];
    ngx_str_t   argv[3];
    ngx_msec_t  block;

    block = (ngx_msec_t) ngx_max(relay->cluster->timeout / 2, 1);

    ngx_str_set(&argv[0], "WAIT");

    argv[1].data = number[0];
    argv[1].len = ngx_sprintf(number[0], "%uL", relay->cluster->replicas)
                  - number[0];

    argv[2].data = number[1];
    argv[2].len = ngx_sprintf(number[1], "%M", block) - number[1];

    if (ngx_http_longpoll_redis_command(relay->link.redis, argv, 3, block,
                                        ngx_http_longpoll_relay_confirmed,
                                        relay)
        == NGX_OK)
    {
        relay->round = 1;
    }
}


/*
 * what Redis replies
 */


static void
ngx_http_longpoll_relay_replied(void *data, ngx_http_longpoll_reply_t *reply)
{
    ngx_int_t                       rc;
    ngx_http_longpoll_op_t         *op = data;
    ngx_http_longpoll_relay_t      *relay;
    ngx_http_longpoll_publisher_t  *publisher;

    relay = op->relay;
    publisher = op->publisher;

    op->flying = 0;

    if (publisher == NULL) {
        ngx_http_longpoll_relay_release(op);

    } else if (!relay->leaving) {
        rc = ngx_http_longpoll_relay_result(op, reply);

        switch (rc) {

        case NGX_OK:
        case NGX_DONE:
            op->rc = rc;

            if (relay->cluster->replicas) {
                ngx_http_longpoll_relay_move(publisher, &relay->unconfirmed);
                ngx_post_event(&relay->flush, &ngx_posted_events);

            } else {
                ngx_http_longpoll_relay_move(publisher, &relay->stored);
            }

            break;

        case NGX_AGAIN:
            ngx_http_longpoll_relay_move(publisher, &relay->waiting);

            if (relay->state == NGX_HTTP_LONGPOLL_RELAY_UP) {
                relay->state = NGX_HTTP_LONGPOLL_RELAY_LIFE;
                ngx_http_longpoll_relay_ask(relay);
            }

            break;

        default: /* NGX_DECLINED, NGX_ERROR */
            ngx_http_longpoll_await_answer(publisher, rc);
        }
    }

    /* it may be the last reply: then those that are stored are a crowd */

    if (!relay->leaving) {
        ngx_http_longpoll_relay_reached(relay);
    }

    if (relay->state == NGX_HTTP_LONGPOLL_RELAY_DEMOTED
        && ngx_http_longpoll_relay_is_empty(&relay->sent))
    {
        /* down first: closing ends the operations of clients that have left */

        ngx_http_longpoll_relay_down(relay);
        ngx_http_longpoll_link_close(&relay->link);
    }
}


/* as relay_publish()'s handler gets it, or NGX_AGAIN: to be sent once more */

static ngx_int_t
ngx_http_longpoll_relay_result(ngx_http_longpoll_op_t *op,
    ngx_http_longpoll_reply_t *reply)
{
    ngx_int_t                       rc;
    ngx_str_t                       id;
    ngx_http_longpoll_relay_t      *relay;
    ngx_http_longpoll_publisher_t  *publisher;

    if (reply == NULL) {
        return NGX_ERROR;
    }

    relay = op->relay;
    publisher = op->publisher;

    switch (reply->type) {

    case NGX_HTTP_LONGPOLL_REPLY_INTEGER:

        /* the epoch has ended, or begins just now */

        return op->tries < 2 ? NGX_AGAIN : NGX_DECLINED;

    case NGX_HTTP_LONGPOLL_REPLY_ERROR:

        if (reply->str.len >= sizeof("READONLY") - 1
            && ngx_strncmp(reply->str.data, "READONLY", sizeof("READONLY") - 1)
               == 0)
        {
            relay->state = NGX_HTTP_LONGPOLL_RELAY_DEMOTED;
        }

        ngx_http_longpoll_relay_complain(relay, &reply->str);

        return NGX_DECLINED;

    case NGX_HTTP_LONGPOLL_REPLY_STRING:
        rc = NGX_OK;
        id = reply->str;

        if (id.len && id.data[0] == '=') {
            rc = NGX_DONE;
            id.data++;
            id.len--;
        }

        if (ngx_http_longpoll_entry_id_parse(&publisher->id, &id) == NGX_OK) {
            publisher->epoch = ngx_http_longpoll_relay_epoch(relay,
                                                             publisher->id);
            relay->complained = 0;
            return rc;
        }

        /* fall through */

    default:
        return NGX_ERROR;
    }
}


/*
 * The epoch of an id in the stream; 0: it is older than the list.  The zone may
 * not know it yet.  That of an earlier publish need not be the newest.
 */

static uint64_t
ngx_http_longpoll_relay_epoch(ngx_http_longpoll_relay_t *relay, uint64_t id)
{
    ngx_uint_t  i;

    for (i = 0; i < relay->nlives; i++) {

        if (relay->lives[i].begin <= id) {
            return relay->lives[i].epoch;
        }
    }

    return 0;
}


/* once, until a publish is stored again */

static void
ngx_http_longpoll_relay_complain(ngx_http_longpoll_relay_t *relay,
    ngx_str_t *error)
{
    size_t  len;
    u_char  text[NGX_HTTP_LONGPOLL_RELAY_ERROR], *p;

    if (relay->complained) {
        return;
    }

    relay->complained = 1;

    len = ngx_min(error->len, NGX_HTTP_LONGPOLL_RELAY_ERROR);

    ngx_memcpy(text, error->data, len);

    for (p = text; p < text + len; p++) {

        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }

    ngx_log_error(NGX_LOG_ERR, relay->link.log, 0,
                  "longpoll zone \"%V\": redis %V takes no events: \"%*s\"",
                  &relay->zone->name,
                  ngx_http_longpoll_link_name(&relay->link), len, text);
}


static void
ngx_http_longpoll_relay_confirmed(void *data, ngx_http_longpoll_reply_t *reply)
{
    ngx_http_longpoll_relay_t      *relay = data;
    ngx_http_longpoll_publisher_t  *publisher;

    relay->round = 0;

    if (relay->leaving) {
        return;
    }

    if (reply == NULL || reply->type != NGX_HTTP_LONGPOLL_REPLY_INTEGER
        || reply->integer < (int64_t) relay->cluster->replicas)
    {
        ngx_http_longpoll_relay_end(&relay->unconfirmed, NGX_ERROR);
    }

    for ( ;; ) {
        publisher = ngx_http_longpoll_await_first(&relay->unconfirmed);

        if (publisher == NULL) {
            break;
        }

        ngx_http_longpoll_relay_move(publisher, &relay->stored);
    }

    ngx_http_longpoll_relay_reached(relay);

    ngx_post_event(&relay->flush, &ngx_posted_events);
}


/*
 * what the zone has
 */


void
ngx_http_longpoll_relay_check(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_relay_t  *relay;

    relay = z->cluster->relay;

    if (relay == NULL) {
        return;
    }

    ngx_http_longpoll_relay_reached(relay);

    if (relay->state == NGX_HTTP_LONGPOLL_RELAY_LIFE
        && !ngx_http_longpoll_relay_is_empty(&relay->waiting))
    {
        ngx_http_longpoll_relay_ask(relay);
    }
}


static void
ngx_http_longpoll_relay_reached(ngx_http_longpoll_relay_t *relay)
{
    ngx_http_longpoll_op_t         *op;
    ngx_http_longpoll_publisher_t  *publisher;

    for ( ;; ) {
        publisher = ngx_http_longpoll_await_first(&relay->stored);

        if (publisher == NULL) {
            return;
        }

        if (!ngx_http_longpoll_zone_feed_reached(relay->zone, publisher->id)) {
            break;
        }

        op = publisher->data;

        ngx_http_longpoll_await_answer(publisher, op->rc);
    }

    ngx_http_longpoll_relay_hurry(relay);
}


/*
 * If publishers wait for the reader alone, it need not let entries gather.
 * What a key has found is older than what was stored last.
 */

static void
ngx_http_longpoll_relay_hurry(ngx_http_longpoll_relay_t *relay)
{
    uint64_t                        wake;
    ngx_queue_t                    *q, *head;
    ngx_http_longpoll_op_t         *op;
    ngx_http_longpoll_publisher_t  *publisher;

    if (!ngx_http_longpoll_relay_is_empty(&relay->waiting)
        || !ngx_http_longpoll_relay_is_empty(&relay->sent)
        || !ngx_http_longpoll_relay_is_empty(&relay->unconfirmed))
    {
        return;
    }

    head = ngx_queue_head(&relay->stored.publishers);
    q = ngx_queue_last(&relay->stored.publishers);

    for ( ;; ) {
        publisher = ngx_queue_data(q, ngx_http_longpoll_publisher_t, queue);
        op = publisher->data;

        if (op->rc == NGX_OK || q == head) {
            break;
        }

        q = ngx_queue_prev(q);
    }

    wake = ngx_http_longpoll_zone_feed_stored(relay->zone,
                                              ngx_http_longpoll_notify_worker(),
                                              publisher->id);

    if (wake) {
        ngx_log_debug1(NGX_LOG_DEBUG_CORE, relay->link.log, 0,
                       "longpoll zone \"%V\": publishers end a pause",
                       &relay->zone->name);

        ngx_http_longpoll_notify_wake(wake);
    }
}


/*
 * queues
 */


/*
 * The first in stored has the worker woken when the zone is fed.  The relay's
 * timer is not for publishers in sent.  Only flush moves one there, and then
 * sets the timer for those that still wait.
 */

static void
ngx_http_longpoll_relay_move(ngx_http_longpoll_publisher_t *publisher,
    ngx_http_longpoll_await_t *to)
{
    ngx_queue_t                *q;
    ngx_http_longpoll_relay_t  *relay;

    relay = to->data;

    ngx_queue_remove(&publisher->queue);

    q = (to == &relay->waiting) ? ngx_http_longpoll_relay_resent(to)
                                : ngx_queue_last(&to->publishers);

    ngx_queue_insert_after(q, &publisher->queue);

    publisher->await = to;

    if (to == &relay->stored
        && ngx_http_longpoll_await_first(to) == publisher)
    {
        ngx_http_longpoll_zone_feed_await(relay->zone,
                                          ngx_http_longpoll_notify_worker(),
                                          1);
    }

    if (to != &relay->sent) {
        ngx_http_longpoll_relay_time(relay);
    }
}


/*
 * Publishes go out again in the order of their replies, in front of those that
 * were never sent.  Returns the last one of the former, or the queue if there
 * is none.  No more of them were in flight than may be.
 */

static ngx_queue_t *
ngx_http_longpoll_relay_resent(ngx_http_longpoll_await_t *await)
{
    ngx_queue_t                    *q;
    ngx_http_longpoll_op_t         *op;
    ngx_http_longpoll_publisher_t  *publisher;

    for (q = ngx_queue_head(&await->publishers);
         q != ngx_queue_sentinel(&await->publishers);
         q = ngx_queue_next(q))
    {
        publisher = ngx_queue_data(q, ngx_http_longpoll_publisher_t, queue);
        op = publisher->data;

        if (op->tries == 0) {
            break;
        }
    }

    return ngx_queue_prev(q);
}


static void
ngx_http_longpoll_relay_end(ngx_http_longpoll_await_t *await, ngx_int_t rc)
{
    ngx_http_longpoll_publisher_t  *publisher;

    while ((publisher = ngx_http_longpoll_await_first(await)) != NULL) {
        ngx_http_longpoll_await_answer(publisher, rc);
    }
}


static void
ngx_http_longpoll_relay_time(ngx_http_longpoll_relay_t *relay)
{
    ngx_event_t     *timer;
    ngx_msec_int_t   left;

    timer = &relay->timer;

    left = ngx_min(ngx_http_longpoll_relay_patience(relay, &relay->waiting),
                   ngx_http_longpoll_relay_patience(relay, &relay->stored));

    if (relay->leaving || left == NGX_MAX_INT_T_VALUE) {

        if (timer->timer_set) {
            ngx_del_timer(timer);
        }

        return;
    }

    if (relay->state == NGX_HTTP_LONGPOLL_RELAY_LIFE) {
        left = ngx_min(left, NGX_HTTP_LONGPOLL_RELAY_PAUSE);
    }

    left = ngx_max(left, 1);

    if (timer->timer_set) {

        if ((ngx_msec_int_t) (timer->timer.key - ngx_current_msec) <= left) {
            return;
        }

        ngx_del_timer(timer);
    }

    ngx_add_timer(timer, (ngx_msec_t) left);
}


/* publishers that wait for too long */

static void
ngx_http_longpoll_relay_timer(ngx_event_t *ev)
{
    ngx_connection_t               *c;
    ngx_http_longpoll_op_t         *op;
    ngx_http_longpoll_relay_t      *relay;
    ngx_http_longpoll_publisher_t  *publisher;

    c = ev->data;
    relay = c->data;

    while (ngx_http_longpoll_relay_patience(relay, &relay->waiting) <= 0) {
        publisher = ngx_http_longpoll_await_first(&relay->waiting);
        ngx_http_longpoll_await_answer(publisher, NGX_DECLINED);
    }

    while (ngx_http_longpoll_relay_patience(relay, &relay->stored) <= 0) {
        publisher = ngx_http_longpoll_await_first(&relay->stored);
        op = publisher->data;
        ngx_http_longpoll_await_answer(publisher, op->rc);
    }

    if (relay->state == NGX_HTTP_LONGPOLL_RELAY_LIFE) {
        ngx_http_longpoll_relay_ask(relay);
    }

    ngx_http_longpoll_relay_time(relay);
}


/* of the first publisher; a queue without one has all the time */

static ngx_msec_int_t
ngx_http_longpoll_relay_patience(ngx_http_longpoll_relay_t *relay,
    ngx_http_longpoll_await_t *await)
{
    ngx_http_longpoll_publisher_t  *publisher;

    publisher = ngx_http_longpoll_await_first(await);

    if (publisher == NULL) {
        return NGX_MAX_INT_T_VALUE;
    }

    return (ngx_msec_int_t) (publisher->since + relay->cluster->timeout
                             - ngx_current_msec);
}
