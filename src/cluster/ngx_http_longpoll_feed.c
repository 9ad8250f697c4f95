
/*
 * ngx_http_longpoll_feed.c: the worker that reads a zone's stream in Redis, and
 * feeds the zone.
 *
 *        claimed             up             read
 *   NONE ───────▶ LINK ────────────▶ LIFE ───────▶ PLACE ────▶ LIVE ◀──▶ PAUSED
 *    ▲             ▲ │ down           │ ▲            │          │           │
 *    │             │ ▼                │ └────────────┼──────────┤           │
 *    │            WAIT ◀──────────────┴──────────────┴──────────┼───────────┤
 *    └──────────────────────────────────────────────────────────┴───────────┘
 *     another worker reads        lost, refused            look
 *
 *   NONE   another worker is the reader, or this one leaves
 *   WAIT   until the next try: 100 ms, each time twice as long, up to 5 s
 *   LINK   a connection to the master is made
 *   LIFE   GET life.  No list of epochs, or its first line is of another Redis:
 *          this one was restarted or replaced, so an epoch begins
 *   PLACE  is the entry that was read last there?  If it was lost, and neither
 *          trimmed nor deleted, an epoch begins, and the zone is loaded anew
 *   LIVE   XREAD, one after the other
 *   PAUSED the reader lets entries gather: for 5 ms while nobody waits on this
 *          node, else for 1 ms behind a read that brought several (zone_feed.h
 *          says what ends a pause)
 *
 * The reader sends one command, and waits for its reply, before it goes on; but
 * the link's INFO, once a second, goes out beside XREAD.  A reply that is not
 * what it must be is as bad as a lost connection.
 *
 * XREAD steps silently over what was trimmed, and is not woken when the stream
 * is deleted, renamed or made anew.  So entries have numbers.  The reader goes
 * through LIFE and PLACE once more in front of an entry that may be of another
 * stream (apply), and behind each XREAD without a reply.
 */


#include "ngx_http_longpoll_feed.h"
#include "ngx_http_longpoll_apply.h"
#include "ngx_http_longpoll_link.h"
#include "ngx_http_longpoll_lives.h"
#include "ngx_http_longpoll_notify.h"
#include "ngx_http_longpoll_relay.h"
#include "ngx_http_longpoll_upkeep.h"
#include "ngx_http_longpoll_zone_clock.h"


/* ms */
#define NGX_HTTP_LONGPOLL_FEED_SECOND     1000
#define NGX_HTTP_LONGPOLL_FEED_BLOCK      1000
#define NGX_HTTP_LONGPOLL_FEED_GATHERS    1
#define NGX_HTTP_LONGPOLL_FEED_IDLES      5
#define NGX_HTTP_LONGPOLL_FEED_LEAVING    200
#define NGX_HTTP_LONGPOLL_FEED_BACKOFF    100
#define NGX_HTTP_LONGPOLL_FEED_BACKOFFS   5000

/* entries that XREAD asks for: as many as have some 256 kB */
#define NGX_HTTP_LONGPOLL_FEED_COUNT      16
#define NGX_HTTP_LONGPOLL_FEED_COUNTS     256
#define NGX_HTTP_LONGPOLL_FEED_BYTES      (256 * 1024)

/* bytes of a reply: at most the whole stream, and its frame */
#define NGX_HTTP_LONGPOLL_FEED_FRAME      (1024 * 1024)


typedef enum {
    NGX_HTTP_LONGPOLL_FEED_NONE = 0,
    NGX_HTTP_LONGPOLL_FEED_WAIT,
    NGX_HTTP_LONGPOLL_FEED_LINK,
    NGX_HTTP_LONGPOLL_FEED_LIFE,
    NGX_HTTP_LONGPOLL_FEED_PLACE,
    NGX_HTTP_LONGPOLL_FEED_LIVE,
    NGX_HTTP_LONGPOLL_FEED_PAUSED
} ngx_http_longpoll_feed_e;


typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_http_longpoll_cluster_t     *cluster;
    ngx_log_t                       *log;
    ngx_pool_t                      *pool;      /* of the reply at hand */

    ngx_http_longpoll_feed_e         state;
    ngx_event_t                      timer;     /* WAIT: the next try;
                                                   PAUSED: the next XREAD */
    ngx_event_t                      second;    /* claims, trims, INFO */
    ngx_connection_t                 dummy;
    ngx_msec_t                       backoff;

    unsigned                         leaving:1;
    unsigned                         lost:1;    /* that was logged */
    unsigned                         caught_up:1;   /* a read with entries came
                                                   to the end, since this
                                                   connection was made or the
                                                   zone emptied */
    unsigned                         look:1;    /* LIFE comes next */

    ngx_http_longpoll_link_t         link;
    ngx_http_longpoll_lives_t        lives;
    ngx_http_longpoll_apply_t        apply;
    ngx_http_longpoll_upkeep_t       upkeep;

    ngx_uint_t                       count;     /* entries of an XREAD */
} ngx_http_longpoll_feed_t;


static void ngx_http_longpoll_feed_second(ngx_event_t *ev);
static void ngx_http_longpoll_feed_timer(ngx_event_t *ev);
static void ngx_http_longpoll_feed_claim(ngx_http_longpoll_feed_t *feed);
static void ngx_http_longpoll_feed_resign(ngx_http_longpoll_feed_t *feed);
static void ngx_http_longpoll_feed_link_handler(void *data, ngx_int_t rc,
    ngx_str_t *reason);
static void ngx_http_longpoll_feed_down(ngx_http_longpoll_feed_t *feed,
    ngx_str_t *reason);
static void ngx_http_longpoll_feed_fail(ngx_http_longpoll_feed_t *feed,
    const char *what, ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_feed_send(ngx_http_longpoll_feed_t *feed,
    ngx_str_t *argv, ngx_uint_t argc, ngx_msec_t block,
    ngx_http_longpoll_reply_pt handler);
static void ngx_http_longpoll_feed_life(ngx_http_longpoll_feed_t *feed);
static void ngx_http_longpoll_feed_life_handler(void *data,
    ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_feed_begin(ngx_http_longpoll_feed_t *feed,
    ngx_http_longpoll_reply_pt handler);
static ngx_uint_t ngx_http_longpoll_feed_begun(ngx_http_longpoll_feed_t *feed,
    ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_feed_begin_handler(void *data,
    ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_feed_known(ngx_http_longpoll_feed_t *feed);
static ngx_int_t ngx_http_longpoll_feed_know(ngx_http_longpoll_feed_t *feed);
static void ngx_http_longpoll_feed_place(ngx_http_longpoll_feed_t *feed);
static void ngx_http_longpoll_feed_range(ngx_http_longpoll_feed_t *feed,
    ngx_str_t *id, ngx_http_longpoll_reply_pt handler);
static void ngx_http_longpoll_feed_place_handler(void *data,
    ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_feed_info(ngx_http_longpoll_feed_t *feed);
static void ngx_http_longpoll_feed_info_handler(void *data,
    ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_feed_tail_lost(ngx_http_longpoll_feed_t *feed);
static void ngx_http_longpoll_feed_lost_handler(void *data,
    ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_feed_empty(ngx_http_longpoll_feed_t *feed);
static void ngx_http_longpoll_feed_beginning(ngx_http_longpoll_feed_t *feed);
static void ngx_http_longpoll_feed_beginning_handler(void *data,
    ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_feed_read(ngx_http_longpoll_feed_t *feed);
static void ngx_http_longpoll_feed_read_handler(void *data,
    ngx_http_longpoll_reply_t *reply);
static ngx_http_longpoll_reply_t *ngx_http_longpoll_feed_entries(
    ngx_http_longpoll_reply_t *reply);
static ngx_int_t ngx_http_longpoll_feed_apply(ngx_http_longpoll_feed_t *feed,
    ngx_http_longpoll_reply_t *entries);
static void ngx_http_longpoll_feed_pace(ngx_http_longpoll_feed_t *feed,
    ngx_http_longpoll_reply_t *entries);
static void ngx_http_longpoll_feed_resume(ngx_http_longpoll_feed_t *feed);
static void ngx_http_longpoll_feed_synced(ngx_http_longpoll_feed_t *feed,
    uint64_t elapsed);
static void ngx_http_longpoll_feed_refused(void *data, ngx_str_t *error);
static void ngx_http_longpoll_feed_wake(ngx_http_longpoll_feed_t *feed);


/*
 * the reader
 */


ngx_int_t
ngx_http_longpoll_feed_init_process(ngx_cycle_t *cycle,
    ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_feed_t  *feed;

    feed = ngx_pcalloc(cycle->pool, sizeof(ngx_http_longpoll_feed_t));
    if (feed == NULL) {
        return NGX_ERROR;
    }

    feed->pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, cycle->log);
    if (feed->pool == NULL) {
        return NGX_ERROR;
    }

    feed->zone = z;
    feed->cluster = z->cluster;
    feed->log = cycle->log;

    feed->dummy.fd = (ngx_socket_t) -1;
    feed->dummy.data = feed;

    feed->timer.handler = ngx_http_longpoll_feed_timer;
    feed->timer.data = &feed->dummy;
    feed->timer.log = cycle->log;
    feed->timer.cancelable = 1;

    feed->second.handler = ngx_http_longpoll_feed_second;
    feed->second.data = &feed->dummy;
    feed->second.log = cycle->log;
    feed->second.cancelable = 1;

    feed->link.cluster = z->cluster;
    feed->link.log = cycle->log;
    feed->link.limit = z->cluster->keep + NGX_HTTP_LONGPOLL_FEED_FRAME;
    feed->link.handler = ngx_http_longpoll_feed_link_handler;
    feed->link.data = feed;

    feed->apply.zone = z;
    feed->apply.lives = &feed->lives;
    feed->apply.log = cycle->log;

    feed->upkeep.zone = z;
    feed->upkeep.log = cycle->log;
    feed->upkeep.refused = ngx_http_longpoll_feed_refused;
    feed->upkeep.data = feed;

    ngx_http_longpoll_upkeep_init(&feed->upkeep);
    ngx_http_longpoll_script_init();

    z->cluster->feed = feed;

    ngx_add_timer(&feed->second, 1);

    return NGX_OK;
}


void
ngx_http_longpoll_feed_check(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_feed_t  *feed;

    feed = z->cluster->feed;

    if (feed == NULL) {
        return;
    }

    if (feed->state == NGX_HTTP_LONGPOLL_FEED_NONE && !feed->leaving
        && z->sh->feed.reader == 0)
    {
        ngx_http_longpoll_feed_claim(feed);
    }

    if (feed->state == NGX_HTTP_LONGPOLL_FEED_PAUSED
        && !ngx_http_longpoll_zone_feed_is_paused(z))
    {
        ngx_http_longpoll_feed_resume(feed);
    }
}


void
ngx_http_longpoll_feed_closing(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_feed_t  *feed;

    feed = z->cluster->feed;

    if (feed) {
        feed->leaving = 1;
        ngx_http_longpoll_feed_resign(feed);

        ngx_del_timer(&feed->second);
        ngx_add_timer(&feed->second, NGX_HTTP_LONGPOLL_FEED_LEAVING);
    }
}


void
ngx_http_longpoll_feed_exit_process(ngx_http_longpoll_zone_t *z)
{
    ngx_http_longpoll_feed_t  *feed;

    feed = z->cluster->feed;

    if (feed) {
        feed->leaving = 1;
        ngx_http_longpoll_feed_resign(feed);

        ngx_del_timer(&feed->second);
        ngx_destroy_pool(feed->pool);

        z->cluster->feed = NULL;
    }
}


static void
ngx_http_longpoll_feed_second(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_http_longpoll_feed_t  *feed;

    c = ev->data;
    feed = c->data;

    ngx_add_timer(ev, feed->leaving ? NGX_HTTP_LONGPOLL_FEED_LEAVING
                                    : NGX_HTTP_LONGPOLL_FEED_SECOND);

    ngx_http_longpoll_feed_claim(feed);

    if (feed->state == NGX_HTTP_LONGPOLL_FEED_LIVE
        || feed->state == NGX_HTTP_LONGPOLL_FEED_PAUSED)
    {
        ngx_http_longpoll_upkeep_trim(&feed->upkeep);
        ngx_http_longpoll_link_inform(&feed->link,
                                      NGX_HTTP_LONGPOLL_FEED_BLOCK);
    }
}


static void
ngx_http_longpoll_feed_timer(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_http_longpoll_feed_t  *feed;

    c = ev->data;
    feed = c->data;

    if (feed->state == NGX_HTTP_LONGPOLL_FEED_PAUSED) {
        ngx_http_longpoll_feed_resume(feed);
        return;
    }

    /* NGX_HTTP_LONGPOLL_FEED_WAIT */

    feed->state = NGX_HTTP_LONGPOLL_FEED_LINK;
    ngx_http_longpoll_link_open(&feed->link);
}


/* a worker that leaves reads only while publishers of its own wait */

static void
ngx_http_longpoll_feed_claim(ngx_http_longpoll_feed_t *feed)
{
    ngx_int_t   rc;
    ngx_uint_t  self;

    self = ngx_http_longpoll_notify_worker();
    rc = NGX_DECLINED;

    if (self != NGX_HTTP_LONGPOLL_NO_WORKER
        && (!feed->leaving || ngx_http_longpoll_relay_in_flight(feed->zone)))
    {
        rc = ngx_http_longpoll_zone_feed_claim(feed->zone, self,
                                        ngx_http_longpoll_zone_clock_elapsed());
    }

    if (rc != NGX_OK) {
        ngx_http_longpoll_feed_resign(feed);

    } else if (feed->state == NGX_HTTP_LONGPOLL_FEED_NONE) {
        feed->apply.worker = self;
        feed->backoff = NGX_HTTP_LONGPOLL_FEED_BACKOFF;
        feed->state = NGX_HTTP_LONGPOLL_FEED_LINK;

        ngx_http_longpoll_link_open(&feed->link);
    }
}


/* another worker may read */

static void
ngx_http_longpoll_feed_resign(ngx_http_longpoll_feed_t *feed)
{
    if (feed->state == NGX_HTTP_LONGPOLL_FEED_NONE) {
        return;
    }

    feed->state = NGX_HTTP_LONGPOLL_FEED_NONE;
    feed->lost = 0;
    feed->zone->sh->feed.connected = 0;

    ngx_http_longpoll_upkeep_stop(&feed->upkeep);
    ngx_http_longpoll_link_close(&feed->link);

    if (feed->timer.timer_set) {
        ngx_del_timer(&feed->timer);
    }

    ngx_http_longpoll_zone_feed_release(feed->zone, feed->apply.worker);

    ngx_http_longpoll_notify_wake(ngx_http_longpoll_notify_alive()
                                  & ~ngx_http_longpoll_zone_bit(
                                                         feed->apply.worker));
}


/*
 * the connection
 */


static void
ngx_http_longpoll_feed_link_handler(void *data, ngx_int_t rc,
    ngx_str_t *reason)
{
    ngx_http_longpoll_feed_t *feed = data;

    if (rc != NGX_OK) {
        ngx_http_longpoll_feed_down(feed, reason);
        return;
    }

    feed->zone->sh->feed.connected = 1;
    feed->lost = 0;

    feed->apply.server = ngx_http_longpoll_link_name(&feed->link);

    ngx_log_error(NGX_LOG_NOTICE, feed->log, 0,
                  "longpoll zone \"%V\": redis %V connected",
                  &feed->zone->name, feed->apply.server);

    if (feed->link.evicts) {
        ngx_log_error(NGX_LOG_WARN, feed->log, 0,
                      "longpoll zone \"%V\": redis %V: Redis may evict the "
                      "stream or keys, its maxmemory-policy is not "
                      "noeviction",
                      &feed->zone->name, feed->apply.server);
    }

    feed->caught_up = 0;
    feed->count = NGX_HTTP_LONGPOLL_FEED_COUNT;
    feed->apply.asks = 0;
    ngx_memzero(&feed->apply.asked, sizeof(ngx_http_longpoll_entry_place_t));

    ngx_http_longpoll_feed_life(feed);
}


/* the link is down; the first of many failures in a row is logged */

static void
ngx_http_longpoll_feed_down(ngx_http_longpoll_feed_t *feed, ngx_str_t *reason)
{
    ngx_http_longpoll_upkeep_stop(&feed->upkeep);

    feed->zone->sh->feed.connected = 0;
    (void) ngx_atomic_fetch_add(&feed->zone->sh->feed.reconnects, 1);

    if (!feed->lost) {
        feed->lost = 1;
        ngx_log_error(NGX_LOG_ERR, feed->log, 0,
                      "longpoll zone \"%V\": redis %V lost: %V",
                      &feed->zone->name,
                      ngx_http_longpoll_link_name(&feed->link), reason);
    }

    if (feed->timer.timer_set) {
        ngx_del_timer(&feed->timer);
    }

    feed->state = NGX_HTTP_LONGPOLL_FEED_WAIT;

    ngx_add_timer(&feed->timer,
                  feed->backoff / 2 + ngx_random() % (feed->backoff / 2 + 1));

    feed->backoff = ngx_min(feed->backoff * 2,
                            NGX_HTTP_LONGPOLL_FEED_BACKOFFS);
}


/* an error of Redis, or a reply that is not what it must be */

static void
ngx_http_longpoll_feed_fail(ngx_http_longpoll_feed_t *feed, const char *what,
    ngx_http_longpoll_reply_t *reply)
{
    size_t      len;
    u_char      text[128], *p, *last;
    ngx_str_t   reason;

    last = ngx_snprintf(text, sizeof(text), "%s: ", what);

    if (reply && reply->type == NGX_HTTP_LONGPOLL_REPLY_ERROR) {
        len = ngx_min(reply->str.len, (size_t) (text + sizeof(text) - last));
        p = last;
        last = ngx_cpymem(last, reply->str.data, len);

        for ( /* void */ ; p < last; p++) {
            if (*p < ' ' || *p > '~') {
                *p = '?';
            }
        }

    } else {
        last = ngx_snprintf(last, text + sizeof(text) - last,
                            "not the reply that was expected");
    }

    reason.data = text;
    reason.len = last - text;

    ngx_http_longpoll_link_close(&feed->link);
    ngx_http_longpoll_feed_down(feed, &reason);
}


static void
ngx_http_longpoll_feed_send(ngx_http_longpoll_feed_t *feed, ngx_str_t *argv,
    ngx_uint_t argc, ngx_msec_t block, ngx_http_longpoll_reply_pt handler)
{
    if (ngx_http_longpoll_redis_command(feed->link.redis, argv, argc, block,
                                        handler, feed)
        != NGX_OK)
    {
        ngx_http_longpoll_feed_fail(feed, "a command", NULL);
    }
}


/*
 * the list of epochs
 */


static void
ngx_http_longpoll_feed_life(ngx_http_longpoll_feed_t *feed)
{
    ngx_str_t  argv[2];

    feed->state = NGX_HTTP_LONGPOLL_FEED_LIFE;
    feed->look = 0;

    ngx_str_set(&argv[0], "GET");
    argv[1] = feed->cluster->life;

    ngx_http_longpoll_feed_send(feed, argv, 2, 0,
                                ngx_http_longpoll_feed_life_handler);
}


static void
ngx_http_longpoll_feed_life_handler(void *data,
    ngx_http_longpoll_reply_t *reply)
{
    ngx_str_t                  none;
    ngx_http_longpoll_feed_t  *feed = data;

    if (reply == NULL) {
        return;
    }

    if (reply->type != NGX_HTTP_LONGPOLL_REPLY_STRING
        && reply->type != NGX_HTTP_LONGPOLL_REPLY_NIL)
    {
        ngx_http_longpoll_feed_fail(feed, "GET life", reply);
        return;
    }

    ngx_str_set(&none, "");

    ngx_http_longpoll_lives_read(&feed->lives,
                                 reply->type == NGX_HTTP_LONGPOLL_REPLY_STRING
                                 ? &reply->str : &none);

    if (!ngx_http_longpoll_lives_is(&feed->lives, &feed->link.run,
                                    feed->cluster->same))
    {
        ngx_http_longpoll_feed_begin(feed,
                                     ngx_http_longpoll_feed_begin_handler);
        return;
    }

    ngx_http_longpoll_feed_known(feed);
}


/* begins an epoch behind all that the zone has read */

static void
ngx_http_longpoll_feed_begin(ngx_http_longpoll_feed_t *feed,
    ngx_http_longpoll_reply_pt handler)
{
    ngx_str_t  *argv;

    argv = ngx_http_longpoll_lives_begin(&feed->lives, feed->cluster,
                                         &feed->link.run,
                                         ngx_http_longpoll_zone_feed_visible(
                                                                  feed->zone));

    if (ngx_http_longpoll_redis_eval(feed->link.redis,
                                     &ngx_http_longpoll_script_begin, argv,
                                     NGX_HTTP_LONGPOLL_LIVES_ARGS, handler,
                                     feed)
        != NGX_OK)
    {
        ngx_http_longpoll_feed_fail(feed, "a command", NULL);
    }
}


/* whether the script's reply is a list whose newest epoch is this Redis's */

static ngx_uint_t
ngx_http_longpoll_feed_begun(ngx_http_longpoll_feed_t *feed,
    ngx_http_longpoll_reply_t *reply)
{
    if (reply->type != NGX_HTTP_LONGPOLL_REPLY_STRING) {
        return 0;
    }

    ngx_http_longpoll_lives_read(&feed->lives, &reply->str);

    return ngx_http_longpoll_lives_is(&feed->lives, &feed->link.run,
                                      feed->cluster->same);
}


/* the epoch is there: this worker's, or another node's that was quicker */

static void
ngx_http_longpoll_feed_begin_handler(void *data,
    ngx_http_longpoll_reply_t *reply)
{
    ngx_http_longpoll_feed_t *feed = data;

    if (reply == NULL) {
        return;
    }

    if (ngx_http_longpoll_feed_begun(feed, reply)) {
        ngx_http_longpoll_feed_known(feed);
        return;
    }

    ngx_http_longpoll_feed_fail(feed, "a life could not begin", reply);
}


/* the epochs are known, and the newest one is this Redis's */

static void
ngx_http_longpoll_feed_known(ngx_http_longpoll_feed_t *feed)
{
    if (ngx_http_longpoll_feed_know(feed) != NGX_OK) {
        ngx_http_longpoll_feed_resign(feed);

    } else {
        ngx_http_longpoll_feed_place(feed);
    }
}


/* NGX_ABORT: another worker is the reader */

static ngx_int_t
ngx_http_longpoll_feed_know(ngx_http_longpoll_feed_t *feed)
{
    ngx_http_longpoll_apply_t  *apply;

    apply = &feed->apply;

    if (feed->zone->sh->feed.begin
        && feed->lives.list[0].epoch != feed->upkeep.epoch
        && feed->lives.list[0].epoch
           != ngx_http_longpoll_zone_own_epoch(feed->zone))
    {
        ngx_log_error(NGX_LOG_WARN, feed->log, 0,
                      "longpoll zone \"%V\": redis %V: a new life: Redis was "
                      "restarted or replaced", &feed->zone->name,
                      apply->server);
    }

    feed->upkeep.epoch = feed->lives.list[0].epoch;

    return ngx_http_longpoll_zone_feed_know(feed->zone, apply->worker,
                                            feed->lives.list, feed->lives.n);
}


/*
 * the place
 */


static void
ngx_http_longpoll_feed_place(ngx_http_longpoll_feed_t *feed)
{
    u_char     buf[NGX_HTTP_LONGPOLL_ENTRY_ID_LEN];
    ngx_str_t  id;

    feed->state = NGX_HTTP_LONGPOLL_FEED_PLACE;

    ngx_http_longpoll_zone_feed_place(feed->zone, &feed->apply.at);

    if ((feed->apply.at.place.ms | feed->apply.at.place.seq) == 0) {
        ngx_http_longpoll_feed_info(feed);
        return;
    }

    id.data = buf;
    id.len = ngx_http_longpoll_entry_place_print(buf, &feed->apply.at.place)
             - buf;

    ngx_http_longpoll_feed_range(feed, &id,
                                 ngx_http_longpoll_feed_place_handler);
}


/* the one entry with that id */

static void
ngx_http_longpoll_feed_range(ngx_http_longpoll_feed_t *feed, ngx_str_t *id,
    ngx_http_longpoll_reply_pt handler)
{
    ngx_str_t  argv[4];

    ngx_str_set(&argv[0], "XRANGE");
    argv[1] = feed->cluster->log;
    argv[2] = *id;
    argv[3] = *id;

    ngx_http_longpoll_feed_send(feed, argv, 4, 0, handler);
}


static void
ngx_http_longpoll_feed_place_handler(void *data,
    ngx_http_longpoll_reply_t *reply)
{
    ngx_int_t                  rc;
    ngx_http_longpoll_feed_t  *feed = data;

    if (reply == NULL) {
        return;
    }

    if (reply->type != NGX_HTTP_LONGPOLL_REPLY_ARRAY) {
        ngx_http_longpoll_feed_fail(feed, "XRANGE", reply);
        return;
    }

    if (reply->nelts == 0) {
        ngx_http_longpoll_feed_info(feed);
        return;
    }

    rc = ngx_http_longpoll_apply_is(&feed->apply, &reply->elts[0], feed->pool);
    ngx_reset_pool(feed->pool);

    switch (rc) {

    case NGX_OK:
        ngx_http_longpoll_feed_beginning(feed);
        return;

    case NGX_DECLINED:
        ngx_http_longpoll_feed_tail_lost(feed);
        return;

    default: /* NGX_ERROR */
        ngx_http_longpoll_feed_fail(feed, "XRANGE", reply);
    }
}


/* the entry is not there: was it trimmed or deleted?  Is there a stream? */

static void
ngx_http_longpoll_feed_info(ngx_http_longpoll_feed_t *feed)
{
    ngx_str_t  argv[3];

    ngx_str_set(&argv[0], "XINFO");
    ngx_str_set(&argv[1], "STREAM");
    argv[2] = feed->cluster->log;

    ngx_http_longpoll_feed_send(feed, argv, 3, 0,
                                ngx_http_longpoll_feed_info_handler);
}


static void
ngx_http_longpoll_feed_info_handler(void *data,
    ngx_http_longpoll_reply_t *reply)
{
    static const char          none[] = "ERR no such key";
    ngx_http_longpoll_feed_t  *feed = data;

    if (reply == NULL) {
        return;
    }

    if (reply->type == NGX_HTTP_LONGPOLL_REPLY_ERROR
        && reply->str.len >= sizeof(none) - 1
        && ngx_strncmp(reply->str.data, none, sizeof(none) - 1) == 0)
    {
        /* an epoch that begins makes one */

        ngx_http_longpoll_feed_begin(feed,
                                     ngx_http_longpoll_feed_lost_handler);
        return;
    }

    switch (ngx_http_longpoll_apply_trimmed(&feed->apply, reply)) {

    case NGX_OK:
        ngx_http_longpoll_feed_beginning(feed);
        return;

    case NGX_DECLINED:
        ngx_http_longpoll_feed_tail_lost(feed);
        return;

    default: /* NGX_ERROR */
        ngx_http_longpoll_feed_fail(feed, "XINFO", reply);
    }
}


/*
 * Redis has lost what the zone has read.  New entries must not come below it:
 * unless an epoch has begun above it already, one begins now.
 */

static void
ngx_http_longpoll_feed_tail_lost(ngx_http_longpoll_feed_t *feed)
{
    if (ngx_http_longpoll_zone_feed_visible(feed->zone)
        >= feed->lives.list[0].begin)
    {
        ngx_http_longpoll_feed_begin(feed,
                                     ngx_http_longpoll_feed_lost_handler);
        return;
    }

    ngx_http_longpoll_feed_empty(feed);
}


static void
ngx_http_longpoll_feed_lost_handler(void *data,
    ngx_http_longpoll_reply_t *reply)
{
    ngx_http_longpoll_feed_t *feed = data;

    if (reply == NULL) {
        return;
    }

    if (ngx_http_longpoll_feed_begun(feed, reply)
        && feed->lives.list[0].begin
           > ngx_http_longpoll_zone_feed_visible(feed->zone))
    {
        ngx_http_longpoll_feed_empty(feed);
        return;
    }

    ngx_http_longpoll_feed_fail(feed, "a life could not begin", reply);
}


/* the zone is loaded anew, from the first entry that is there */

static void
ngx_http_longpoll_feed_empty(ngx_http_longpoll_feed_t *feed)
{
    if (ngx_http_longpoll_zone_feed_empty(feed->zone, feed->apply.worker,
                                          feed->lives.list[0].begin)
        != NGX_OK
        || ngx_http_longpoll_feed_know(feed) != NGX_OK)
    {
        ngx_http_longpoll_feed_resign(feed);
        return;
    }

    ngx_memzero(&feed->apply.at, sizeof(ngx_http_longpoll_zone_place_t));
    feed->caught_up = 0;

    ngx_http_longpoll_feed_beginning(feed);
}


/*
 * Is the beginning of the newest epoch still to be read, and is it there?  An
 * epoch that was lost may have hidden it: then another one begins, above it.
 */

static void
ngx_http_longpoll_feed_beginning(ngx_http_longpoll_feed_t *feed)
{
    u_char     buf[NGX_HTTP_LONGPOLL_ENTRY_ID_LEN];
    uint64_t   begin;
    ngx_str_t  id;

    begin = feed->lives.list[0].begin;

    if (begin <= ngx_http_longpoll_zone_feed_visible(feed->zone)) {

        if (feed->lives.list[0].epoch
            == ngx_http_longpoll_zone_own_epoch(feed->zone))
        {
            ngx_http_longpoll_feed_read(feed);
            return;
        }

        ngx_http_longpoll_feed_begin(feed,
                                     ngx_http_longpoll_feed_begin_handler);
        return;
    }

    id.data = buf;
    id.len = ngx_http_longpoll_entry_id_print(buf, begin) - buf;

    ngx_http_longpoll_feed_range(feed, &id,
                                 ngx_http_longpoll_feed_beginning_handler);
}


static void
ngx_http_longpoll_feed_beginning_handler(void *data,
    ngx_http_longpoll_reply_t *reply)
{
    ngx_int_t                        rc;
    ngx_http_longpoll_feed_t        *feed = data;
    ngx_http_longpoll_entry_life_t  *life;

    if (reply == NULL) {
        return;
    }

    if (reply->type != NGX_HTTP_LONGPOLL_REPLY_ARRAY) {
        ngx_http_longpoll_feed_fail(feed, "XRANGE", reply);
        return;
    }

    if (reply->nelts == 0) {
        life = &feed->lives.list[0];

        rc = ngx_http_longpoll_zone_feed_begun(feed->zone, feed->apply.worker,
                                               life, &feed->apply.wake);
        ngx_http_longpoll_feed_wake(feed);

        if (rc != NGX_OK) {
            ngx_http_longpoll_feed_resign(feed);
            return;
        }

        feed->apply.at.number = 0;
    }

    ngx_http_longpoll_feed_read(feed);
}


/*
 * the stream
 */


static void
ngx_http_longpoll_feed_read(ngx_http_longpoll_feed_t *feed)
{
    u_char     id[NGX_HTTP_LONGPOLL_ENTRY_ID_LEN], count[NGX_INT64_LEN];
    ngx_str_t  argv[8];

    if (feed->state != NGX_HTTP_LONGPOLL_FEED_LIVE) {
        feed->state = NGX_HTTP_LONGPOLL_FEED_LIVE;
        ngx_http_longpoll_upkeep_start(&feed->upkeep);
    }

    ngx_str_set(&argv[0], "XREAD");
    ngx_str_set(&argv[1], "COUNT");
    argv[2].data = count;
    argv[2].len = ngx_sprintf(count, "%ui", feed->count) - count;
    ngx_str_set(&argv[3], "BLOCK");
    ngx_str_set(&argv[4], "1000");
    ngx_str_set(&argv[5], "STREAMS");
    argv[6] = feed->cluster->log;
    argv[7].data = id;
    argv[7].len = ngx_http_longpoll_entry_place_print(id,
                                                      &feed->apply.at.place)
                  - id;

    ngx_http_longpoll_feed_send(feed, argv, 8, NGX_HTTP_LONGPOLL_FEED_BLOCK,
                                ngx_http_longpoll_feed_read_handler);
}


static void
ngx_http_longpoll_feed_read_handler(void *data,
    ngx_http_longpoll_reply_t *reply)
{
    uint64_t                    elapsed;
    ngx_int_t                   rc;
    ngx_http_longpoll_feed_t   *feed = data;
    ngx_http_longpoll_reply_t  *entries;

    if (reply == NULL) {
        return;
    }

    elapsed = ngx_http_longpoll_zone_clock_elapsed();

    if (reply->type == NGX_HTTP_LONGPOLL_REPLY_NIL) {
        feed->backoff = NGX_HTTP_LONGPOLL_FEED_BACKOFF;
        feed->apply.asks = 0;

        if (!ngx_http_longpoll_zone_feed_is_synced(feed->zone)) {
            ngx_http_longpoll_feed_synced(feed, elapsed);
        }

        if (feed->state == NGX_HTTP_LONGPOLL_FEED_LIVE) {
            ngx_http_longpoll_feed_life(feed);
        }

        return;
    }

    entries = ngx_http_longpoll_feed_entries(reply);

    if (entries == NULL) {
        ngx_http_longpoll_feed_fail(feed, "XREAD", reply);
        return;
    }

    feed->apply.taken = 0;
    rc = ngx_http_longpoll_feed_apply(feed, entries);

    if (rc == NGX_ABORT) {
        ngx_http_longpoll_feed_resign(feed);
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_http_longpoll_feed_fail(feed, "XREAD", reply);
        return;
    }

    feed->backoff = NGX_HTTP_LONGPOLL_FEED_BACKOFF;

    if (feed->apply.taken) {
        ngx_http_longpoll_upkeep_read(&feed->upkeep);
    }

    if (rc == NGX_OK && entries->nelts < feed->count) {

        if (feed->caught_up) {
            ngx_http_longpoll_feed_synced(feed, elapsed);
        }

        feed->caught_up = 1;
    }

    if (feed->state != NGX_HTTP_LONGPOLL_FEED_LIVE) {
        return;
    }

    if (rc == NGX_AGAIN || feed->look) {
        ngx_http_longpoll_feed_life(feed);
        return;
    }

    ngx_http_longpoll_feed_pace(feed, entries);
}


/* [[KEY, ENTRIES]]; NULL: it is not that, or there are none */

static ngx_http_longpoll_reply_t *
ngx_http_longpoll_feed_entries(ngx_http_longpoll_reply_t *reply)
{
    if (reply->type != NGX_HTTP_LONGPOLL_REPLY_ARRAY || reply->nelts != 1) {
        return NULL;
    }

    reply = &reply->elts[0];

    if (reply->type != NGX_HTTP_LONGPOLL_REPLY_ARRAY || reply->nelts != 2) {
        return NULL;
    }

    reply = &reply->elts[1];

    return (reply->type == NGX_HTTP_LONGPOLL_REPLY_ARRAY && reply->nelts)
           ? reply : NULL;
}


/* as ..._apply() of an entry */

static ngx_int_t
ngx_http_longpoll_feed_apply(ngx_http_longpoll_feed_t *feed,
    ngx_http_longpoll_reply_t *entries)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    rc = NGX_OK;

    for (i = 0; i < entries->nelts && rc == NGX_OK; i++) {
        feed->apply.first = (i == 0);
        rc = ngx_http_longpoll_apply(&feed->apply, &entries->elts[i],
                                     feed->pool);
        ngx_reset_pool(feed->pool);
    }

    ngx_http_longpoll_feed_wake(feed);

    return rc;
}


/*
 * A read costs Redis as much as several entries, and wakes this worker.  So
 * the reader lets entries gather before it reads again, unless the last read
 * brought as many as it asked for: then Redis has more already.
 */

static void
ngx_http_longpoll_feed_pace(ngx_http_longpoll_feed_t *feed,
    ngx_http_longpoll_reply_t *entries)
{
    size_t                      bytes;
    ngx_uint_t                  i, k, n, full, pause;
    ngx_http_longpoll_reply_t  *fields;

    n = entries->nelts;
    full = (n == feed->count);

    for (bytes = 0, i = 0; i < n; i++) {
        fields = &entries->elts[i].elts[1];

        for (k = 0; k < fields->nelts; k++) {
            bytes += fields->elts[k].str.len;
        }
    }

    feed->count = NGX_HTTP_LONGPOLL_FEED_BYTES / (bytes / n + 1);
    feed->count = ngx_min(feed->count, NGX_HTTP_LONGPOLL_FEED_COUNTS);
    feed->count = ngx_max(feed->count, 1);

    pause = full ? 0 : ngx_http_longpoll_zone_feed_pause(feed->zone, n > 1);

    if (pause == 0) {
        ngx_http_longpoll_feed_read(feed);
        return;
    }

    feed->state = NGX_HTTP_LONGPOLL_FEED_PAUSED;
    ngx_add_timer(&feed->timer, pause == NGX_HTTP_LONGPOLL_ZONE_FEED_IDLE
                                ? NGX_HTTP_LONGPOLL_FEED_IDLES
                                : NGX_HTTP_LONGPOLL_FEED_GATHERS);
}


static void
ngx_http_longpoll_feed_resume(ngx_http_longpoll_feed_t *feed)
{
    (void) ngx_http_longpoll_zone_feed_resume(feed->zone,
                                       NGX_HTTP_LONGPOLL_ZONE_FEED_IDLE
                                       | NGX_HTTP_LONGPOLL_ZONE_FEED_GATHER);

    if (feed->timer.timer_set) {
        ngx_del_timer(&feed->timer);
    }

    feed->state = NGX_HTTP_LONGPOLL_FEED_LIVE;
    ngx_http_longpoll_feed_read(feed);
}


/*
 * The end of the stream.  What the first read found there is of any age, and
 * would set the feed clock back: the cursors of other copies would be ahead of
 * it.  What comes then is new, a beat at the latest.
 */

static void
ngx_http_longpoll_feed_synced(ngx_http_longpoll_feed_t *feed, uint64_t elapsed)
{
    if (feed->apply.ms) {
        ngx_http_longpoll_zone_feed_clock(feed->zone, feed->apply.ms, elapsed);
    }

    if (ngx_http_longpoll_zone_feed_is_synced(feed->zone)) {
        return;
    }

    if (ngx_http_longpoll_zone_feed_synced(feed->zone, feed->apply.worker,
                                           &feed->apply.wake)
        != NGX_OK)
    {
        ngx_http_longpoll_feed_resign(feed);
        return;
    }

    /* wake names all 64 numbers, and most of them have no worker */

    feed->apply.wake &= ngx_http_longpoll_notify_alive();

    ngx_http_longpoll_feed_wake(feed);
}


/*
 * A beat was refused: the epoch has ended, or the stream is gone (NULL); or
 * Redis is no master any more.  The reader looks when XREAD has ended.
 */

static void
ngx_http_longpoll_feed_refused(void *data, ngx_str_t *error)
{
    ngx_http_longpoll_reply_t  reply;
    ngx_http_longpoll_feed_t  *feed = data;

    if (error == NULL) {
        feed->look = 1;
        return;
    }

    if (error->len >= sizeof("READONLY") - 1
        && ngx_strncmp(error->data, "READONLY", sizeof("READONLY") - 1) == 0)
    {
        reply.type = NGX_HTTP_LONGPOLL_REPLY_ERROR;
        reply.str = *error;
        ngx_http_longpoll_feed_fail(feed, "a beat", &reply);
    }
}


static void
ngx_http_longpoll_feed_wake(ngx_http_longpoll_feed_t *feed)
{
    uint64_t  wake;

    wake = feed->apply.wake;
    feed->apply.wake = 0;

    if (wake) {
        ngx_http_longpoll_notify_wake(wake);
    }
}
