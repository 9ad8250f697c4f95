
/*
 * reader_redis.c: the Redis of the reader's test, its link and its relay.
 *
 * A command is done when its turn comes.  The two connections take turns, so
 * that a beat is read while XREAD waits.  The scripts are done as
 * t/redis/script.t shows that they do.
 */


#include "reader.h"


#define REDIS_COMMANDS  16
#define REDIS_WORDS     10


typedef struct {
    ngx_http_longpoll_reply_pt         handler;
    void                              *data;
    ngx_http_longpoll_script_t        *script;
    ngx_uint_t                         argc;
    char                               argv[REDIS_WORDS][READER_LINES];
    uint64_t                           until;     /* ms: it blocks */
} redis_command_t;

struct ngx_http_longpoll_redis_s {
    ngx_uint_t                         n;
    redis_command_t                    commands[REDIS_COMMANDS];
};


reader_redis_t                         redis;

ngx_http_longpoll_script_t             ngx_http_longpoll_script_publish;
ngx_http_longpoll_script_t             ngx_http_longpoll_script_beat;
ngx_http_longpoll_script_t             ngx_http_longpoll_script_begin;

static ngx_http_longpoll_redis_t       redis_link, redis_relay;
static ngx_http_longpoll_link_t       *redis_opening, *redis_open;
static ngx_uint_t                      redis_informing;
static char                            redis_run[64];

/* a reply is made of these */
static ngx_http_longpoll_reply_t       redis_replies[20000];
static ngx_uint_t                      redis_nreplies;
static char                            redis_text[1 << 20];
static size_t                          redis_ntext;


/*
 * what the test does to it
 */


void
reader_redis_init(void)
{
    reader_flush();
    memset(&redis, 0, sizeof(redis));
    redis.up = 1;
    redis.run = 1;
    reader_forget();
}


void
reader_forget(void)
{
    redis_opening = NULL;
    redis_open = NULL;
    redis_informing = 0;
    redis_link.n = 0;
    redis_relay.n = 0;
}


static void
redis_free(reader_entry_t *entry)
{
    while (entry->n) {
        free(entry->fields[--entry->n]);
    }
}


static reader_entry_t *
redis_next(ngx_http_longpoll_entry_place_t *id)
{
    uint64_t         ms;
    reader_entry_t  *entry;

    if (redis.nentries == READER_ENTRIES) {
        reader_trim(READER_ENTRIES / 2);
    }

    if (redis.nentries) {
        redis.entries[redis.nentries - 1].last = redis.last;
    }

    ms = reader_now - redis.behind;

    if (id) {
        redis.last = *id;

    } else if (ms > redis.last.ms) {
        redis.last.ms = ms;
        redis.last.seq = 0;

    } else if (redis.last.seq == NGX_HTTP_LONGPOLL_ENTRY_SEQ_MAX) {
        redis.last.ms++;
        redis.last.seq = 0;

    } else {
        redis.last.seq++;
    }

    redis.exists = 1;

    entry = &redis.entries[redis.nentries++];
    entry->id = redis.last;
    entry->n = 0;

    return entry;
}


static void
redis_number(reader_entry_t *entry)
{
    char  number[24];

    sprintf(number, "%llu", (unsigned long long) ++redis.number);
    entry->fields[entry->n++] = strdup("n");
    entry->fields[entry->n++] = strdup(number);
}


uint64_t
reader_add(const char *text, ...)
{
    char                             *field;
    va_list                           args;
    ngx_str_t                         id;
    reader_entry_t                   *entry;
    ngx_http_longpoll_entry_place_t   place;

    if (text) {
        id.data = (u_char *) text;
        id.len = strlen(text);
        unit_must(ngx_http_longpoll_entry_place_parse(&place, &id) == NGX_OK,
                  "an id");
    }

    entry = redis_next(text ? &place : NULL);
    redis_number(entry);

    va_start(args, text);

    while ((field = va_arg(args, char *)) != NULL) {
        entry->fields[entry->n++] = strdup(field);
    }

    va_end(args);

    return ngx_http_longpoll_id(entry->id.ms, entry->id.seq);
}


void
reader_strange(void)
{
    reader_entry_t  *entry;

    entry = redis_next(NULL);
    entry->fields[entry->n++] = strdup("hello");
    entry->fields[entry->n++] = strdup("world");
}


uint64_t
reader_publish(ngx_uint_t n)
{
    reader_entry_t  *entry;

    entry = redis_next(NULL);
    redis_number(entry);
    redis.last.seq += n - 1;

    while (n--) {
        entry->fields[entry->n++] = strdup("c");
        entry->fields[entry->n++] = strdup("farm");
        entry->fields[entry->n++] = strdup("d");
        entry->fields[entry->n++] = strdup("1");
    }

    return ngx_http_longpoll_id(redis.last.ms, redis.last.seq);
}


void
reader_trim(ngx_uint_t n)
{
    ngx_uint_t  i;

    n = ngx_min(n, redis.nentries);

    for (i = 0; i < n; i++) {
        redis_free(&redis.entries[i]);
    }

    redis.nentries -= n;
    memmove(redis.entries, redis.entries + n,
            redis.nentries * sizeof(reader_entry_t));
}


void
reader_lose(ngx_uint_t n)
{
    reader_entry_t  *entry;

    if (n == 0) {
        return;
    }

    for (n = ngx_min(n, redis.nentries); n; n--) {
        entry = &redis.entries[--redis.nentries];
        redis.number -= (entry->n && strcmp(entry->fields[0], "n") == 0);
        redis_free(entry);
    }

    if (redis.nentries) {
        redis.last = redis.entries[redis.nentries - 1].last;

    } else {
        redis.exists = 0;
        redis.last.ms = redis.last.seq = 0;
    }
}


void
reader_delete(void)
{
    redis.deleted = redis.entries[redis.nentries - 1].id;
    redis_free(&redis.entries[--redis.nentries]);
}


void
reader_flush(void)
{
    reader_trim(redis.nentries);
    redis.exists = 0;
    redis.number = 0;
    redis.last.ms = redis.last.seq = 0;
    redis.deleted.ms = redis.deleted.seq = 0;
    redis.life[0] = '\0';
}


static void
redis_drop(ngx_http_longpoll_redis_t *r)
{
    ngx_uint_t       i, n;
    redis_command_t  commands[REDIS_COMMANDS];

    n = r->n;
    memcpy(commands, r->commands, n * sizeof(redis_command_t));
    r->n = 0;

    for (i = 0; i < n; i++) {
        commands[i].handler(commands[i].data, NULL);
    }
}


/* the link is lost */

static void
redis_lose(void)
{
    ngx_str_t                  reason;
    ngx_http_longpoll_link_t  *link;

    link = redis_open;

    if (link) {
        redis_open = NULL;
        redis_informing = 0;
        link->redis = NULL;
        redis_drop(&redis_link);
        ngx_str_set(&reason, "it was cut");
        link->handler(link->data, NGX_ERROR, &reason);
    }
}


void
reader_cut(void)
{
    redis_drop(&redis_relay);
    redis_lose();
}


/* whether INFO has an answer that ends the link */

static ngx_uint_t
redis_informed(void)
{
    char  run[64];

    if (!redis_informing) {
        return 0;
    }

    redis_informing = 0;
    sprintf(run, "run%lu.id", (unsigned long) redis.run);

    if (strcmp(run, redis_run) == 0) {
        return 0;
    }

    redis_lose();

    return 1;
}


/*
 * replies
 */


static ngx_http_longpoll_reply_t *
redis_array(ngx_http_longpoll_reply_t *reply, ngx_uint_t n)
{
    unit_must(redis_nreplies + n < 20000, "too long a reply");

    reply->type = NGX_HTTP_LONGPOLL_REPLY_ARRAY;
    reply->nelts = n;
    reply->elts = &redis_replies[redis_nreplies];
    redis_nreplies += n;
    memset(reply->elts, 0, n * sizeof(ngx_http_longpoll_reply_t));

    return reply->elts;
}


static void
redis_string(ngx_http_longpoll_reply_t *reply, const char *text)
{
    reply->type = NGX_HTTP_LONGPOLL_REPLY_STRING;
    reply->str.len = strlen(text);
    reply->str.data = (u_char *) redis_text + redis_ntext;
    strcpy(redis_text + redis_ntext, text);
    redis_ntext += reply->str.len + 1;
}


static void
redis_error(ngx_http_longpoll_reply_t *reply, const char *text)
{
    redis_string(reply, text);
    reply->type = NGX_HTTP_LONGPOLL_REPLY_ERROR;
}


static void
redis_place(ngx_http_longpoll_reply_t *reply,
    ngx_http_longpoll_entry_place_t *place)
{
    char  text[64];

    sprintf(text, "%llu-%llu", (unsigned long long) place->ms,
            (unsigned long long) place->seq);
    redis_string(reply, text);
}


static void
redis_entry(ngx_http_longpoll_reply_t *reply, reader_entry_t *entry)
{
    ngx_uint_t                  i;
    ngx_http_longpoll_reply_t  *elts;

    elts = redis_array(reply, 2);
    redis_place(&elts[0], &entry->id);
    elts = redis_array(&elts[1], entry->n);

    for (i = 0; i < entry->n; i++) {
        redis_string(&elts[i], entry->fields[i]);
    }
}


/* any reply at all */

static void
redis_garbage(ngx_http_longpoll_reply_t *reply, ngx_uint_t depth)
{
    ngx_uint_t                  i, n;
    ngx_http_longpoll_reply_t  *elts;

    static const char  *texts[] = {
        "", "0-0", "1-1", "99999999999999-1", "n", "1", "x", "farm",
        "recorded-first-entry-id", "last-generated-id", "log"
    };

    switch (unit_below(depth ? 6 : 4)) {

    case 0:
        reply->type = NGX_HTTP_LONGPOLL_REPLY_NIL;
        return;

    case 1:
        reply->type = NGX_HTTP_LONGPOLL_REPLY_INTEGER;
        reply->integer = unit_below(3);
        return;

    case 2:
        redis_error(reply, "ERR \001 nonsense");
        return;

    case 3:
        redis_string(reply, texts[unit_below(11)]);
        return;

    default:
        n = unit_below(4);
        elts = redis_array(reply, n);

        for (i = 0; i < n; i++) {
            redis_garbage(&elts[i], depth - 1);
        }
    }
}


/*
 * commands
 */


static ngx_int_t
redis_compare(ngx_http_longpoll_entry_place_t *a,
    ngx_http_longpoll_entry_place_t *b)
{
    if (a->ms != b->ms) {
        return a->ms < b->ms ? -1 : 1;
    }

    return a->seq == b->seq ? 0 : a->seq < b->seq ? -1 : 1;
}


static void
redis_id(char *word, ngx_http_longpoll_entry_place_t *place)
{
    ngx_str_t  text;

    text.data = (u_char *) word;
    text.len = strlen(word);

    unit_must(ngx_http_longpoll_entry_place_parse(place, &text) == NGX_OK,
              "an id: %s", word);
}


static ngx_uint_t
redis_is_life(char *word)
{
    size_t  len;

    len = strspn(redis.life, "0123456789abcdef");

    return len == strlen(word) && strncmp(redis.life, word, len) == 0;
}


static void
redis_eval(redis_command_t *c, ngx_http_longpoll_reply_t *reply)
{
    char                              lines[4 * READER_LINES];
    size_t                            len;
    reader_entry_t                   *entry;
    ngx_http_longpoll_entry_place_t   id;

    if (c->script == &ngx_http_longpoll_script_beat) {
        redis.beats++;

        if (redis.full) {
            redis_error(reply, "OOM it is full");

        } else if (!redis_is_life(c->argv[4]) || !redis.exists) {
            reply->type = NGX_HTTP_LONGPOLL_REPLY_INTEGER;

        } else {
            entry = redis_next(NULL);
            redis_number(entry);
            entry->fields[entry->n++] = strdup("h");
            entry->fields[entry->n++] = strdup(c->argv[5]);
            redis.last.seq = NGX_HTTP_LONGPOLL_ENTRY_SEQ_MAX;
            redis_place(reply, &entry->id);
        }

        return;
    }

    redis.begins++;

    len = strcspn(redis.life, " \t\n\v\f\r");

    if (len != strlen(c->argv[4])
        || strncmp(redis.life, c->argv[4], len) != 0)
    {
        redis_string(reply, redis.life);
        return;
    }

    id.ms = ngx_max(redis.last.ms, reader_now - redis.behind);
    id.ms = ngx_max(id.ms, strtoull(c->argv[7], NULL, 10)) + 1;
    id.seq = 0;

    entry = redis_next(&id);
    redis_number(entry);
    entry->fields[entry->n++] = strdup("l");
    entry->fields[entry->n++] = strdup(c->argv[5]);
    redis.last.seq = NGX_HTTP_LONGPOLL_ENTRY_SEQ_MAX;

    sprintf(lines, "%s %llu-0 %s\n%s", c->argv[5],
            (unsigned long long) redis.last.ms, c->argv[6], c->argv[8]);
    unit_must(strlen(lines) < READER_LINES, "too many lines");
    strcpy(redis.life, lines);
    redis_string(reply, lines);
}


static void
redis_xread(redis_command_t *c, ngx_http_longpoll_reply_t *reply)
{
    ngx_uint_t                        i, n;
    ngx_http_longpoll_reply_t        *elts;
    ngx_http_longpoll_entry_place_t   place;

    redis.reads++;
    redis_id(c->argv[7], &place);

    for (i = 0; i < redis.nentries
                && redis_compare(&redis.entries[i].id, &place) <= 0; i++) ;

    n = ngx_min(redis.nentries - i, strtoul(c->argv[2], NULL, 10));

    if (n == 0) {
        return;
    }

    elts = redis_array(redis_array(reply, 1), 2);
    redis_string(&elts[0], "log");
    elts = redis_array(&elts[1], n);

    for ( /* void */ ; n; n--, i++, elts++) {
        redis_entry(elts, &redis.entries[i]);
    }
}


static void
redis_do(redis_command_t *c, ngx_http_longpoll_reply_t *reply)
{
    char                             *name;
    ngx_uint_t                        i, n;
    ngx_http_longpoll_reply_t        *elts;
    ngx_http_longpoll_entry_place_t   place, none = { 0, 0 };

    name = c->argv[0];

    if (redis.garbage && unit_once(redis.garbage)) {
        redis_garbage(reply, 4);

    } else if (c->script) {
        redis_eval(c, reply);

    } else if (strcmp(name, "GET") == 0) {
        redis.gets++;

        if (redis.life[0]) {
            redis_string(reply, redis.life);
        }

        if (redis.restless) {
            reader_strange();
            reader_trim(redis.nentries - 1);
        }

        if (redis.withdrawn) {
            redis.withdrawn--;
            reader_delete();
        }

    } else if (strcmp(name, "XRANGE") == 0) {
        redis_id(c->argv[2], &place);
        redis.places += (redis_compare(&place, &zone.z.sh->feed.at.place)
                         == 0);

        for (i = 0, n = 0; i < redis.nentries; i++) {
            if (redis_compare(&redis.entries[i].id, &place) == 0) {
                n = i + 1;
            }
        }

        elts = redis_array(reply, n != 0);

        if (n) {
            redis_entry(elts, &redis.entries[n - 1]);
        }

    } else if (strcmp(name, "XINFO") == 0) {

        if (!redis.exists) {
            redis_error(reply, "ERR no such key");
            return;
        }

        elts = redis_array(reply, 8);
        redis_string(&elts[0], "length");
        elts[1].type = NGX_HTTP_LONGPOLL_REPLY_INTEGER;
        redis_string(&elts[2], "last-generated-id");
        redis_place(&elts[3], &redis.last);
        redis_string(&elts[4], "recorded-first-entry-id");
        redis_place(&elts[5], redis.nentries ? &redis.entries[0].id : &none);
        redis_string(&elts[6], "max-deleted-entry-id");
        redis_place(&elts[7], &redis.deleted);

    } else if (strcmp(name, "XREAD") == 0) {

        if (redis.error) {
            redis_error(reply, redis.error);
            redis.error = NULL;
            return;
        }

        redis_xread(c, reply);

    } else {
        reply->type = NGX_HTTP_LONGPOLL_REPLY_INTEGER;
        reply->integer = name[0] == 'M' ? redis.bytes : redis.nentries;

        if (strcmp(name, "XTRIM") == 0) {
            redis.trims++;

            if (strcmp(c->argv[2], "MAXLEN") == 0) {
                n = strtoul(c->argv[4], NULL, 10);
                reader_trim(redis.nentries - ngx_min(n, redis.nentries));
            }
        }
    }
}


/* the first command of a connection; 0: there is none, or it waits */

static ngx_uint_t
redis_turn(ngx_http_longpoll_redis_t *r, ngx_uint_t late)
{
    redis_command_t             c;
    ngx_http_longpoll_reply_t   reply;

    if (r->n == 0) {
        return 0;
    }

    memset(&reply, 0, sizeof(reply));
    redis_nreplies = 0;
    redis_ntext = 0;

    c = r->commands[0];
    redis_do(&c, &reply);

    if (reply.type == NGX_HTTP_LONGPOLL_REPLY_NIL && c.until && !late) {
        return 0;
    }

    r->n--;
    memmove(r->commands, r->commands + 1, r->n * sizeof(redis_command_t));

    c.handler(c.data, &reply);

    return 1;
}


void
reader_step(uint64_t until)
{
    uint64_t                   due;
    ngx_str_t                  reason;
    ngx_event_t               *ev;
    ngx_http_longpoll_link_t  *link;

    if (redis_opening) {
        link = redis_opening;
        redis_opening = NULL;
        ngx_str_set(&reason, "connection refused");

        if (redis.up) {
            redis_open = link;
            link->redis = &redis_link;
            link->run.len = sprintf(redis_run, "run%lu.id",
                                    (unsigned long) redis.run);
            link->run.data = (u_char *) redis_run;
        }

        link->handler(link->data, redis.up ? NGX_OK : NGX_ERROR, &reason);

        return;
    }

    if (redis_turn(&redis_relay, 1) || redis_turn(&redis_link, 0)
        || redis_informed())
    {
        return;
    }

    ev = reader_timer();
    due = ev ? ev->timer.key : until + 1;

    if (redis_link.n && redis_link.commands[0].until
        && redis_link.commands[0].until < ngx_min(due, until))
    {
        reader_pass(redis_link.commands[0].until);

        (void) redis_turn(&redis_link, 1);
        return;
    }

    if (due > until) {
        reader_pass(until);
        return;
    }

    reader_pass(due);
    reader_fire(ev);
}


/*
 * what the reader calls
 */


static ngx_int_t
redis_send(ngx_http_longpoll_redis_t *r, ngx_http_longpoll_script_t *script,
    ngx_str_t *argv, ngx_uint_t argc, ngx_msec_t block,
    ngx_http_longpoll_reply_pt handler, void *data)
{
    ngx_uint_t        i;
    redis_command_t  *c;

    unit_must(r->n < REDIS_COMMANDS && argc <= REDIS_WORDS, "too much");

    c = &r->commands[r->n++];
    c->handler = handler;
    c->data = data;
    c->script = script;
    c->argc = argc;
    c->until = block ? ngx_current_msec + block : 0;

    for (i = 0; i < argc; i++) {
        unit_must(argv[i].len < READER_LINES, "too long");
        memcpy(c->argv[i], argv[i].data, argv[i].len);
        c->argv[i][argv[i].len] = '\0';
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_redis_command(ngx_http_longpoll_redis_t *r, ngx_str_t *argv,
    ngx_uint_t argc, ngx_msec_t block, ngx_http_longpoll_reply_pt handler,
    void *data)
{
    unit_must(r == &redis_link && redis_open && r->n == 0,
              "one command at a time");

    return redis_send(r, NULL, argv, argc, block, handler, data);
}


ngx_int_t
ngx_http_longpoll_redis_eval(ngx_http_longpoll_redis_t *r,
    ngx_http_longpoll_script_t *script, ngx_str_t *argv, ngx_uint_t argc,
    ngx_http_longpoll_reply_pt handler, void *data)
{
    unit_must(r == &redis_link && redis_open && r->n == 0,
              "one command at a time");

    return redis_send(r, script, argv, argc, 0, handler, data);
}


ngx_int_t
ngx_http_longpoll_relay_command(ngx_http_longpoll_zone_t *z, ngx_str_t *argv,
    ngx_uint_t argc, ngx_http_longpoll_reply_pt handler, void *data)
{
    return redis.up ? redis_send(&redis_relay, NULL, argv, argc, 0, handler,
                                 data)
                    : NGX_ERROR;
}


ngx_int_t
ngx_http_longpoll_relay_eval(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_script_t *script, ngx_str_t *argv, ngx_uint_t argc,
    ngx_http_longpoll_reply_pt handler, void *data)
{
    return redis.up ? redis_send(&redis_relay, script, argv, argc, 0, handler,
                                 data)
                    : NGX_ERROR;
}


ngx_uint_t
ngx_http_longpoll_relay_in_flight(ngx_http_longpoll_zone_t *z)
{
    return 0;
}


void
ngx_http_longpoll_script_init(void)
{
}


void
ngx_http_longpoll_link_open(ngx_http_longpoll_link_t *link)
{
    unit_must(!redis_opening && !redis_open, "it is open");

    redis_opening = link;
    link->name = &zone.server.name;
}


void
ngx_http_longpoll_link_inform(ngx_http_longpoll_link_t *link,
    ngx_msec_t block)
{
    unit_must(link == redis_open && block == 1000, "a link that reads");

    redis_informing = 1;
}


void
ngx_http_longpoll_link_close(ngx_http_longpoll_link_t *link)
{
    redis_opening = NULL;
    redis_open = NULL;
    redis_informing = 0;
    link->redis = NULL;
    redis_drop(&redis_link);
}
