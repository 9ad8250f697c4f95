
/*
 * ngx_http_longpoll_unsent.c: the answers that this worker's clients have not
 * taken yet.
 *
 *     queue ──▶ entry ──▶ entry ──▶ entry ...    one for each request; first
 *                 │         │         │          those that took nothing for
 *                 └────┬────┘         │          the longest time
 *                      ▼              ▼
 *     tree ───────▶ answer         answer ...    one for each block of bytes
 *
 * An entry of a poll is in the pool of its request, and leaves with it: when
 * the client has taken the last byte, or is gone.  That of a stream comes and
 * goes with each answer.  An answer is there as long as it has entries, and
 * counts once.
 *
 * Ending a request frees it, and perhaps others.  So no request is ended while
 * another one's handler runs, but by a posted event.  It ends requests until
 * the bytes are below the limit, or one answer is left: that one a client could
 * never get otherwise.
 *
 * nginx does not say when a client took something.  So once a second, and
 * before a request is ended, this file compares how much nginx has sent on the
 * connection (c->sent) with what it had sent before.  A request that progressed
 * goes to the end of the queue.  It is ended only if ending those that did not
 * progress is not enough.
 */


#include "ngx_http_longpoll_unsent.h"


#define NGX_HTTP_LONGPOLL_UNSENT_PERIOD  1000     /* ms */


/*
 * Which messages an answer has.  The first id, the last id and their number are
 * enough: a message is never added between two others, only dropped.
 */

typedef struct {
    ngx_http_longpoll_zone_t        *zone;
    ngx_http_longpoll_protocol_t    *protocol;
    uint64_t                         set[2];    /* the hashes of the categories,
                                                   added up; 0 with a single
                                                   message */
    uint64_t                         first;     /* id */
    ngx_http_longpoll_uuid_t         last;
    ngx_uint_t                       nmsgs;
    ngx_uint_t                       missed;
} ngx_http_longpoll_unsent_key_t;


typedef struct {
    ngx_rbtree_node_t                node;
    ngx_http_longpoll_unsent_key_t   key;
    ngx_http_longpoll_shared_t      *bytes;
    ngx_uint_t                       entries;
} ngx_http_longpoll_unsent_answer_t;


static void ngx_http_longpoll_unsent_key(ngx_http_longpoll_unsent_key_t *key,
    ngx_http_longpoll_ctx_t *ctx, ngx_uint_t nmsgs);
static ngx_http_longpoll_unsent_answer_t *ngx_http_longpoll_unsent_answer(
    ngx_http_longpoll_ctx_t *ctx, ngx_http_longpoll_shared_t *bytes);
static ngx_rbtree_key_t ngx_http_longpoll_unsent_hash(
    ngx_http_longpoll_unsent_key_t *key);
static void ngx_http_longpoll_unsent_cleanup(void *data);
static void ngx_http_longpoll_unsent_timer_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_longpoll_unsent_progressed(
    ngx_http_longpoll_unsent_entry_t *entry);
static void ngx_http_longpoll_unsent_handler(ngx_event_t *ev);
static ngx_http_longpoll_unsent_entry_t *ngx_http_longpoll_unsent_stalled(
    ngx_queue_t *busy);
static void ngx_http_longpoll_unsent_end(
    ngx_http_longpoll_unsent_entry_t *entry);


ngx_uint_t                ngx_http_longpoll_unsent_answers;

static ngx_queue_t        ngx_http_longpoll_unsent_queue;
static ngx_rbtree_t       ngx_http_longpoll_unsent_tree;
static ngx_rbtree_node_t  ngx_http_longpoll_unsent_sentinel;
static size_t             ngx_http_longpoll_unsent_size;
static size_t             ngx_http_longpoll_unsent_max;
static ngx_event_t        ngx_http_longpoll_unsent_event;
static ngx_event_t        ngx_http_longpoll_unsent_timer;
static ngx_connection_t   ngx_http_longpoll_unsent_dummy;


void
ngx_http_longpoll_unsent_init_process(ngx_cycle_t *cycle, size_t max)
{
    ngx_queue_init(&ngx_http_longpoll_unsent_queue);
    ngx_rbtree_init(&ngx_http_longpoll_unsent_tree,
                    &ngx_http_longpoll_unsent_sentinel,
                    ngx_rbtree_insert_value);

    ngx_http_longpoll_unsent_max = max;
    ngx_http_longpoll_unsent_event.handler = ngx_http_longpoll_unsent_handler;
    ngx_http_longpoll_unsent_event.log = cycle->log;

    ngx_http_longpoll_unsent_dummy.fd = (ngx_socket_t) -1;

    ngx_http_longpoll_unsent_timer.handler =
                                         ngx_http_longpoll_unsent_timer_handler;
    ngx_http_longpoll_unsent_timer.data = &ngx_http_longpoll_unsent_dummy;
    ngx_http_longpoll_unsent_timer.log = cycle->log;
    ngx_http_longpoll_unsent_timer.cancelable = 1;
}


ngx_uint_t
ngx_http_longpoll_unsent_full(void)
{
    return ngx_http_longpoll_unsent_size > ngx_http_longpoll_unsent_max
           && ngx_http_longpoll_unsent_answers > 1;
}


ngx_http_longpoll_shared_t *
ngx_http_longpoll_unsent_find(ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_read_t *rd)
{
    ngx_rbtree_key_t                    hash;
    ngx_rbtree_node_t                  *node;
    ngx_http_longpoll_unsent_key_t      key;
    ngx_http_longpoll_unsent_answer_t  *answer;

    ngx_http_longpoll_unsent_key(&key, ctx, rd->nmsgs);

    key.first = rd->msgs[0].id;
    key.last = rd->msgs[rd->nmsgs - 1].uuid;
    key.missed = rd->missed;

    hash = ngx_http_longpoll_unsent_hash(&key);
    node = ngx_http_longpoll_unsent_tree.root;

    while (node != &ngx_http_longpoll_unsent_sentinel) {

        answer = (ngx_http_longpoll_unsent_answer_t *) node;

        if (hash == node->key
            && ngx_memcmp(&key, &answer->key,
                          sizeof(ngx_http_longpoll_unsent_key_t))
               == 0)
        {
            answer->bytes->refs++;
            return answer->bytes;
        }

        node = hash < node->key ? node->left : node->right;
    }

    return NULL;
}


/* all of a key but the messages' ids and missed */

static void
ngx_http_longpoll_unsent_key(ngx_http_longpoll_unsent_key_t *key,
    ngx_http_longpoll_ctx_t *ctx, ngx_uint_t nmsgs)
{
    ngx_uint_t  i;

    key->zone = ctx->zone;
    key->protocol = ctx->protocol;
    key->set[0] = 0;
    key->set[1] = 0;
    key->nmsgs = nmsgs;

    for (i = 0; nmsgs > 1 && i < ctx->ncats; i++) {
        key->set[0] += ctx->cats[i].hash[0];
        key->set[1] += ctx->cats[i].hash[1];
    }
}


/* ids are the zone's, so that no client can choose equal hashes */

static ngx_rbtree_key_t
ngx_http_longpoll_unsent_hash(ngx_http_longpoll_unsent_key_t *key)
{
    return key->set[0]
           + key->first * 0x9e3779b97f4a7c15
           + key->last.high * 0xc2b2ae3d27d4eb4f
           + key->nmsgs * 0x165667b19e3779f9;
}


ngx_int_t
ngx_http_longpoll_unsent_add(ngx_http_request_t *r,
    ngx_http_longpoll_shared_t *bytes)
{
    ngx_pool_cleanup_t                *cln;
    ngx_http_longpoll_unsent_entry_t  *entry;

    cln = ngx_pool_cleanup_add(r->pool,
                               sizeof(ngx_http_longpoll_unsent_entry_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    entry = cln->data;

    if (ngx_http_longpoll_unsent_enter(entry, r, bytes) != NGX_OK) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_longpoll_unsent_cleanup;

    return NGX_OK;
}


/* runs before the cleanup that gives the reference to the bytes back */

static void
ngx_http_longpoll_unsent_cleanup(void *data)
{
    ngx_http_longpoll_unsent_leave(data);
}


ngx_int_t
ngx_http_longpoll_unsent_enter(ngx_http_longpoll_unsent_entry_t *entry,
    ngx_http_request_t *r, ngx_http_longpoll_shared_t *bytes)
{
    ngx_http_longpoll_unsent_answer_t  *answer;

    answer = ngx_http_longpoll_unsent_answer(
                        ngx_http_get_module_ctx(r, ngx_http_longpoll_module),
                        bytes);
    if (answer == NULL) {
        return NGX_ERROR;
    }

    answer->entries++;

    entry->request = r;
    entry->bytes = bytes;
    entry->sent = r->connection->sent;
    entry->since = ngx_current_msec;
    ngx_queue_insert_tail(&ngx_http_longpoll_unsent_queue, &entry->queue);

    if (!ngx_http_longpoll_unsent_timer.timer_set) {
        ngx_add_timer(&ngx_http_longpoll_unsent_timer,
                      NGX_HTTP_LONGPOLL_UNSENT_PERIOD);
    }

    if (ngx_http_longpoll_unsent_full()
        && !ngx_http_longpoll_unsent_event.posted)
    {
        ngx_post_event(&ngx_http_longpoll_unsent_event, &ngx_posted_events);
    }

    return NGX_OK;
}


/* the answer that has the bytes; NULL: no memory */

static ngx_http_longpoll_unsent_answer_t *
ngx_http_longpoll_unsent_answer(ngx_http_longpoll_ctx_t *ctx,
    ngx_http_longpoll_shared_t *bytes)
{
    ngx_http_longpoll_unsent_answer_t  *answer;

    if (bytes->unsent) {
        return bytes->unsent;
    }

    answer = ngx_alloc(sizeof(ngx_http_longpoll_unsent_answer_t),
                       ngx_cycle->log);
    if (answer == NULL) {
        return NULL;
    }

    ngx_http_longpoll_unsent_key(&answer->key, ctx, bytes->nmsgs);

    answer->key.first = bytes->first;
    answer->key.last = bytes->last_uuid;
    answer->key.missed = bytes->missed;

    answer->bytes = bytes;
    answer->entries = 0;
    answer->node.key = ngx_http_longpoll_unsent_hash(&answer->key);
    ngx_rbtree_insert(&ngx_http_longpoll_unsent_tree, &answer->node);

    bytes->unsent = answer;

    ngx_http_longpoll_unsent_answers++;
    ngx_http_longpoll_unsent_size += bytes->size;

    return answer;
}


void
ngx_http_longpoll_unsent_leave(ngx_http_longpoll_unsent_entry_t *entry)
{
    ngx_http_longpoll_unsent_answer_t  *answer;

    if (entry->bytes == NULL) {
        return;
    }

    answer = entry->bytes->unsent;
    entry->bytes = NULL;
    ngx_queue_remove(&entry->queue);

    if (--answer->entries) {
        return;
    }

    ngx_http_longpoll_unsent_answers--;
    ngx_http_longpoll_unsent_size -= answer->bytes->size;

    answer->bytes->unsent = NULL;

    ngx_rbtree_delete(&ngx_http_longpoll_unsent_tree, &answer->node);
    ngx_free(answer);
}


static void
ngx_http_longpoll_unsent_timer_handler(ngx_event_t *ev)
{
    ngx_queue_t                       *q, *next, busy;
    ngx_http_longpoll_unsent_entry_t  *entry;

    ngx_queue_init(&busy);

    for (q = ngx_queue_head(&ngx_http_longpoll_unsent_queue);
         q != ngx_queue_sentinel(&ngx_http_longpoll_unsent_queue);
         q = next)
    {
        next = ngx_queue_next(q);
        entry = ngx_queue_data(q, ngx_http_longpoll_unsent_entry_t, queue);

        if (ngx_http_longpoll_unsent_progressed(entry)) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&busy, q);
        }
    }

    if (!ngx_queue_empty(&busy)) {
        ngx_queue_add(&ngx_http_longpoll_unsent_queue, &busy);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ev->log, 0,
                   "longpoll unsent: %ui answers, %uz bytes",
                   ngx_http_longpoll_unsent_answers,
                   ngx_http_longpoll_unsent_size);

    if (ngx_http_longpoll_unsent_answers) {
        ngx_add_timer(ev, NGX_HTTP_LONGPOLL_UNSENT_PERIOD);
    }
}


static ngx_uint_t
ngx_http_longpoll_unsent_progressed(ngx_http_longpoll_unsent_entry_t *entry)
{
    off_t  sent;

    sent = entry->request->connection->sent;

    if (sent == entry->sent) {
        return 0;
    }

    entry->sent = sent;
    entry->since = ngx_current_msec;

    return 1;
}


static void
ngx_http_longpoll_unsent_handler(ngx_event_t *ev)
{
    ngx_queue_t                       *q, busy;
    ngx_http_longpoll_unsent_entry_t  *entry;

    ngx_queue_init(&busy);

    while (ngx_http_longpoll_unsent_full()) {

        entry = ngx_http_longpoll_unsent_stalled(&busy);

        if (entry == NULL) {
            q = ngx_queue_head(ngx_queue_empty(&busy)
                               ? &ngx_http_longpoll_unsent_queue : &busy);
            entry = ngx_queue_data(q, ngx_http_longpoll_unsent_entry_t, queue);
        }

        ngx_http_longpoll_unsent_end(entry);
    }

    /* those that progressed were made before what is new in this turn */

    if (!ngx_queue_empty(&ngx_http_longpoll_unsent_queue)) {
        ngx_queue_add(&busy, &ngx_http_longpoll_unsent_queue);
        ngx_queue_init(&ngx_http_longpoll_unsent_queue);
    }

    if (!ngx_queue_empty(&busy)) {
        ngx_queue_add(&ngx_http_longpoll_unsent_queue, &busy);
    }
}


/*
 * The first entry that took nothing since an earlier turn of nginx's loop; or
 * NULL.  Those that progressed meanwhile go to the queue busy.
 */

static ngx_http_longpoll_unsent_entry_t *
ngx_http_longpoll_unsent_stalled(ngx_queue_t *busy)
{
    ngx_queue_t                       *q, *queue;
    ngx_http_longpoll_unsent_entry_t  *entry;

    queue = &ngx_http_longpoll_unsent_queue;

    while (!ngx_queue_empty(queue)) {
        q = ngx_queue_head(queue);
        entry = ngx_queue_data(q, ngx_http_longpoll_unsent_entry_t, queue);

        if (entry->since == ngx_current_msec) {
            break;
        }

        if (!ngx_http_longpoll_unsent_progressed(entry)) {
            return entry;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(busy, q);
    }

    return NULL;
}


static void
ngx_http_longpoll_unsent_end(ngx_http_longpoll_unsent_entry_t *entry)
{
    size_t               size;
#if (NGX_HTTP_V2)
    ngx_event_t         *wev;
#endif
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = entry->request;
    c = r->connection;
    size = entry->bytes->len;

    ngx_http_longpoll_unsent_leave(entry);

    ngx_http_set_log_request(c->log, r);

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "longpoll: client has not taken its answer of %uz bytes, "
                  "closing: more than longpoll_max_unsent is unsent", size);

#if (NGX_HTTP_V2)

    /*
     * Frames with the bytes stand in the queue of the HTTP/2 connection, which
     * does not take them.  No stream of it gets on: the connection is closed.
     */

    if (r->stream && r->stream->queued) {
        wev = r->stream->connection->connection->write;
        wev->timedout = 1;
        ngx_post_event(wev, &ngx_posted_events);
        return;
    }

#endif

    /* 444: without post_action; the connection, or the stream, is reset */

    ngx_http_finalize_request(r, NGX_HTTP_CLOSE);
    ngx_http_run_posted_requests(c);
}
