
/*
 * ngx_http_longpoll_upkeep.c: what a zone's reader does for the stream: beats,
 * and trimming.
 *
 *     beat   the timer ──▶ script beat ──▶ an entry for all readers
 *     trim   MEMORY USAGE ──▶ over keep? XLEN ──▶ XTRIM MAXLEN
 *            XTRIM MINID, with ttl
 *
 * The commands go over the worker's connection for publishes: the reader's own
 * waits in XREAD.  What fails is done again when its time comes.
 */


#include "ngx_http_longpoll_upkeep.h"
#include "ngx_http_longpoll_zone_clock.h"


/* ms */
#define NGX_HTTP_LONGPOLL_UPKEEP_BEAT    250
#define NGX_HTTP_LONGPOLL_UPKEEP_RANDOM  100

/* entries that Redis trims at once, at most: some 15 ms of its time */
#define NGX_HTTP_LONGPOLL_UPKEEP_LIMIT   "100000"


static void ngx_http_longpoll_upkeep_beat(ngx_event_t *ev);
static void ngx_http_longpoll_upkeep_beaten(void *data,
    ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_upkeep_measured(void *data,
    ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_upkeep_counted(void *data,
    ngx_http_longpoll_reply_t *reply);
static void ngx_http_longpoll_upkeep_xtrim(ngx_http_longpoll_upkeep_t *upkeep,
    const char *by, ngx_str_t *threshold);
static void ngx_http_longpoll_upkeep_trimmed(void *data,
    ngx_http_longpoll_reply_t *reply);


void
ngx_http_longpoll_upkeep_init(ngx_http_longpoll_upkeep_t *upkeep)
{
    upkeep->node = (uint32_t) ngx_random();

    upkeep->dummy.fd = (ngx_socket_t) -1;
    upkeep->dummy.data = upkeep;
    upkeep->beat.handler = ngx_http_longpoll_upkeep_beat;
    upkeep->beat.data = &upkeep->dummy;
    upkeep->beat.log = upkeep->log;
    upkeep->beat.cancelable = 1;
}


void
ngx_http_longpoll_upkeep_start(ngx_http_longpoll_upkeep_t *upkeep)
{
    if (!upkeep->beat.timer_set) {
        ngx_http_longpoll_upkeep_read(upkeep);
    }
}


/* a timer that is moved by less than 300 ms would stay where it is */

void
ngx_http_longpoll_upkeep_read(ngx_http_longpoll_upkeep_t *upkeep)
{
    ngx_http_longpoll_upkeep_stop(upkeep);

    ngx_add_timer(&upkeep->beat,
                  NGX_HTTP_LONGPOLL_UPKEEP_BEAT
                  + ngx_random() % NGX_HTTP_LONGPOLL_UPKEEP_RANDOM);
}


void
ngx_http_longpoll_upkeep_stop(ngx_http_longpoll_upkeep_t *upkeep)
{
    if (upkeep->beat.timer_set) {
        ngx_del_timer(&upkeep->beat);
    }
}


static void
ngx_http_longpoll_upkeep_beat(ngx_event_t *ev)
{
    u_char                        life[NGX_HTTP_LONGPOLL_ENTRY_LIFE_LEN];
    u_char                        node[8 + 1 + NGX_INT64_LEN];
    ngx_str_t                     argv[6];
    ngx_connection_t             *c;
    ngx_http_longpoll_upkeep_t   *upkeep;
    ngx_http_longpoll_cluster_t  *cluster;

    c = ev->data;
    upkeep = c->data;
    cluster = upkeep->zone->cluster;

    ngx_http_longpoll_upkeep_read(upkeep);

    if (upkeep->beating) {
        return;
    }

    ngx_str_set(&argv[0], "3");
    argv[1] = cluster->log;
    argv[2] = cluster->life;
    argv[3] = cluster->number;

    argv[4].data = life;
    argv[4].len = ngx_http_longpoll_entry_epoch_print(life, upkeep->epoch)
                  - life;

    argv[5].data = node;
    argv[5].len = ngx_sprintf(node, "%08xD:%uL", upkeep->node, ++upkeep->beats)
                  - node;

    upkeep->beating = (ngx_http_longpoll_relay_eval(upkeep->zone,
                                            &ngx_http_longpoll_script_beat,
                                            argv, 6,
                                            ngx_http_longpoll_upkeep_beaten,
                                            upkeep)
                       == NGX_OK);
}


/*
 * The entry itself comes to the reader.  A full Redis takes no beats, and is
 * read all the same.
 */

static void
ngx_http_longpoll_upkeep_beaten(void *data, ngx_http_longpoll_reply_t *reply)
{
    ngx_http_longpoll_upkeep_t *upkeep = data;

    upkeep->beating = 0;

    if (reply == NULL || !upkeep->beat.timer_set) {
        return;
    }

    if (reply->type == NGX_HTTP_LONGPOLL_REPLY_INTEGER) {
        upkeep->refused(upkeep->data, NULL);

    } else if (reply->type == NGX_HTTP_LONGPOLL_REPLY_ERROR) {
        upkeep->refused(upkeep->data, &reply->str);
    }
}


void
ngx_http_longpoll_upkeep_trim(ngx_http_longpoll_upkeep_t *upkeep)
{
    u_char     buf[NGX_INT64_LEN];
    uint64_t   ttl, now;
    ngx_str_t  argv[5];

    ttl = ngx_http_longpoll_zone_ttl(upkeep->zone);
    now = ngx_http_longpoll_zone_clock_now(upkeep->zone);

    if (ttl && ttl < now) {
        argv[0].data = buf;
        argv[0].len = ngx_sprintf(buf, "%uL", now - ttl) - buf;

        ngx_http_longpoll_upkeep_xtrim(upkeep, "MINID", &argv[0]);
    }

    if (upkeep->measuring) {
        return;
    }

    ngx_str_set(&argv[0], "MEMORY");
    ngx_str_set(&argv[1], "USAGE");
    argv[2] = upkeep->zone->cluster->log;
    ngx_str_set(&argv[3], "SAMPLES");
    ngx_str_set(&argv[4], "20");

    upkeep->measuring = (ngx_http_longpoll_relay_command(upkeep->zone, argv, 5,
                                            ngx_http_longpoll_upkeep_measured,
                                            upkeep)
                         == NGX_OK);
}


static void
ngx_http_longpoll_upkeep_measured(void *data, ngx_http_longpoll_reply_t *reply)
{
    ngx_str_t                    argv[2];
    ngx_http_longpoll_upkeep_t  *upkeep = data;

    upkeep->measuring = 0;

    if (reply == NULL || reply->type != NGX_HTTP_LONGPOLL_REPLY_INTEGER
        || reply->integer <= 0
        || (uint64_t) reply->integer <= upkeep->zone->cluster->keep)
    {
        return;
    }

    upkeep->bytes = reply->integer;

    ngx_str_set(&argv[0], "XLEN");
    argv[1] = upkeep->zone->cluster->log;

    upkeep->measuring = (ngx_http_longpoll_relay_command(upkeep->zone, argv, 2,
                                              ngx_http_longpoll_upkeep_counted,
                                              upkeep)
                         == NGX_OK);
}


/* so many entries stay as "keep" has room for */

static void
ngx_http_longpoll_upkeep_counted(void *data, ngx_http_longpoll_reply_t *reply)
{
    double                       share;
    u_char                       buf[NGX_INT64_LEN];
    ngx_str_t                    length;
    ngx_http_longpoll_upkeep_t  *upkeep = data;

    upkeep->measuring = 0;

    if (reply == NULL || reply->type != NGX_HTTP_LONGPOLL_REPLY_INTEGER
        || reply->integer <= 0)
    {
        return;
    }

    share = (double) upkeep->zone->cluster->keep / (double) upkeep->bytes;

    length.data = buf;
    length.len = ngx_sprintf(buf, "%uL", (uint64_t)
                             (share * (double) reply->integer)) - buf;

    ngx_http_longpoll_upkeep_xtrim(upkeep, "MAXLEN", &length);
}


static void
ngx_http_longpoll_upkeep_xtrim(ngx_http_longpoll_upkeep_t *upkeep,
    const char *by, ngx_str_t *threshold)
{
    ngx_str_t  argv[7];

    ngx_str_set(&argv[0], "XTRIM");
    argv[1] = upkeep->zone->cluster->log;
    argv[2].data = (u_char *) by;
    argv[2].len = ngx_strlen(by);
    ngx_str_set(&argv[3], "~");
    argv[4] = *threshold;
    ngx_str_set(&argv[5], "LIMIT");
    ngx_str_set(&argv[6], NGX_HTTP_LONGPOLL_UPKEEP_LIMIT);

    (void) ngx_http_longpoll_relay_command(upkeep->zone, argv, 7,
                                           ngx_http_longpoll_upkeep_trimmed,
                                           upkeep);
}


/* whether it was, the next measure says */

static void
ngx_http_longpoll_upkeep_trimmed(void *data, ngx_http_longpoll_reply_t *reply)
{
}
