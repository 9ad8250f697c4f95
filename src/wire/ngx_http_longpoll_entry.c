
/*
 * ngx_http_longpoll_entry.c: the entries of a zone's stream in Redis, read and
 * written.
 *
 * Owns what an entry may be.  Its second name says of what kind it is; every
 * other name must be one that this kind has.  So an entry has one meaning, and
 * is the same on every node.
 *
 *     _parse   _number                  n
 *              _items    _item          k, c and d; x
 *              _epoch_parse             l
 *     _lives_parse  _life  _word        the lines of epochs
 *
 * A number is read only as it is written: without a sign, blanks or leading
 * zeros.
 */


#include "ngx_http_longpoll_entry.h"
#include "ngx_http_longpoll_decimal.h"
#include "ngx_http_longpoll_utf8.h"

#include <ngx_sha1.h>


/* bytes of NODE:COUNT, at most */
#define NGX_HTTP_LONGPOLL_ENTRY_BEAT_LEN  64

/* digits of the largest number of 64 bits */
#define NGX_HTTP_LONGPOLL_ENTRY_DIGITS    20

/* ms in an id has 48 bits */
#define NGX_HTTP_LONGPOLL_ENTRY_MS_MAX    ((1ULL << 48) - 1)

#define ngx_http_longpoll_entry_is(field, letter)                             \
    ((field)->len == 1 && (field)->data[0] == (letter))


static ngx_int_t ngx_http_longpoll_entry_items(
    ngx_http_longpoll_entry_t *entry, ngx_str_t *fields, ngx_uint_t n,
    ngx_pool_t *pool, const char **reason);
static ngx_int_t ngx_http_longpoll_entry_item(ngx_http_longpoll_item_t *item,
    ngx_str_t *fields, ngx_pool_t *pool, const char **reason);
static ngx_uint_t ngx_http_longpoll_entry_is_category(ngx_str_t *name);
static ngx_uint_t ngx_http_longpoll_entry_is_hex(ngx_str_t *text, size_t len);
static ngx_int_t ngx_http_longpoll_entry_number(uint64_t *number,
    ngx_str_t *text);
static ngx_int_t ngx_http_longpoll_entry_life(
    ngx_http_longpoll_entry_life_t *life, ngx_str_t *line);
static ngx_str_t ngx_http_longpoll_entry_word(ngx_str_t *line, u_char end);


static ngx_str_t  ngx_http_longpoll_entry_c = ngx_string("c");
static ngx_str_t  ngx_http_longpoll_entry_d = ngx_string("d");
static ngx_str_t  ngx_http_longpoll_entry_k = ngx_string("k");
static ngx_str_t  ngx_http_longpoll_entry_x = ngx_string("x");


ngx_int_t
ngx_http_longpoll_entry_parse(ngx_http_longpoll_entry_t *entry,
    ngx_str_t *fields, ngx_uint_t n, ngx_pool_t *pool, const char **reason)
{
    ngx_memzero(entry, sizeof(ngx_http_longpoll_entry_t));

    if (n < 2 || !ngx_http_longpoll_entry_is(&fields[0], 'n')
        || ngx_http_longpoll_entry_number(&entry->number, &fields[1]) != NGX_OK
        || entry->number == 0)
    {
        entry->number = 0;
        *reason = "it has no number";
        return NGX_DECLINED;
    }

    fields += 2;
    n -= 2;

    if (n == 0 || n % 2) {
        *reason = "a field is missing";
        return NGX_DECLINED;
    }

    if (n == 2 && ngx_http_longpoll_entry_is(&fields[0], 'h')) {

        if (fields[1].len > NGX_HTTP_LONGPOLL_ENTRY_BEAT_LEN) {
            *reason = "the heartbeat is too long";
            return NGX_DECLINED;
        }

        entry->kind = NGX_HTTP_LONGPOLL_ENTRY_HEARTBEAT;
        return NGX_OK;
    }

    if (n == 2 && ngx_http_longpoll_entry_is(&fields[0], 'l')) {

        if (ngx_http_longpoll_entry_epoch_parse(&entry->epoch, &fields[1])
            != NGX_OK)
        {
            *reason = "the life is not one";
            return NGX_DECLINED;
        }

        entry->kind = NGX_HTTP_LONGPOLL_ENTRY_LIFE;
        return NGX_OK;
    }

    return ngx_http_longpoll_entry_items(entry, fields, n, pool, reason);
}


/* events or a delete */

static ngx_int_t
ngx_http_longpoll_entry_items(ngx_http_longpoll_entry_t *entry,
    ngx_str_t *fields, ngx_uint_t n, ngx_pool_t *pool, const char **reason)
{
    ngx_int_t                  rc;
    ngx_str_t                  key;
    ngx_uint_t                 i, size;
    ngx_http_longpoll_item_t  *items;

    ngx_str_null(&key);

    if (ngx_http_longpoll_entry_is(&fields[0], 'k')) {
        key = fields[1];

        if (!ngx_http_longpoll_entry_is_hex(&key,
                                            NGX_HTTP_LONGPOLL_ENTRY_KEY_LEN))
        {
            *reason = "the key is not one";
            return NGX_DECLINED;
        }

        fields += 2;
        n -= 2;
    }

    size = (key.len == 0 && ngx_http_longpoll_entry_is(&fields[0], 'x')) ? 2
                                                                         : 4;
    if (n == 0 || n % size) {
        *reason = "a field is missing";
        return NGX_DECLINED;
    }

    n /= size;

    if (n > NGX_HTTP_LONGPOLL_MAX_MESSAGES) {
        *reason = "it has too many events";
        return NGX_DECLINED;
    }

    items = ngx_palloc(pool, n * sizeof(ngx_http_longpoll_item_t));
    if (items == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++, fields += size) {

        if (size == 4) {
            rc = ngx_http_longpoll_entry_item(&items[i], fields, pool, reason);

            if (rc != NGX_OK) {
                return rc;
            }

            continue;
        }

        items[i].category = fields[1];
        ngx_str_null(&items[i].data);

        if (!ngx_http_longpoll_entry_is(&fields[0], 'x')) {
            *reason = "a field is not known";
            return NGX_DECLINED;
        }

        if (!ngx_http_longpoll_entry_is_category(&fields[1])) {
            *reason = "a category is not one";
            return NGX_DECLINED;
        }
    }

    entry->kind = (size == 4) ? NGX_HTTP_LONGPOLL_ENTRY_EVENTS
                              : NGX_HTTP_LONGPOLL_ENTRY_DELETE;
    entry->key = key;
    entry->items = items;
    entry->n = n;

    return NGX_OK;
}


/* the four fields of an event; return codes as of ..._parse() */

static ngx_int_t
ngx_http_longpoll_entry_item(ngx_http_longpoll_item_t *item, ngx_str_t *fields,
    ngx_pool_t *pool, const char **reason)
{
    ngx_str_t  error;

    if (!ngx_http_longpoll_entry_is(&fields[0], 'c')
        || !ngx_http_longpoll_entry_is(&fields[2], 'd'))
    {
        *reason = "a field is not known";
        return NGX_DECLINED;
    }

    if (!ngx_http_longpoll_entry_is_category(&fields[1])) {
        *reason = "a category is not one";
        return NGX_DECLINED;
    }

    item->category = fields[1];

    if (ngx_http_longpoll_json_data(&item->data, fields[3].data, fields[3].len,
                                    pool, &error)
        != NGX_OK)
    {
        if (error.len == 0) {
            return NGX_ERROR;
        }

        *reason = "its data is not JSON";
        return NGX_DECLINED;
    }

    return ngx_http_longpoll_json_normalize(&item->data, pool);
}


static ngx_uint_t
ngx_http_longpoll_entry_is_category(ngx_str_t *name)
{
    return name->len && name->len <= NGX_HTTP_LONGPOLL_MAX_CATEGORY
           && ngx_http_longpoll_utf8_valid(name->data, name->len);
}


/* so many digits, in lower case */

static ngx_uint_t
ngx_http_longpoll_entry_is_hex(ngx_str_t *text, size_t len)
{
    size_t  i;

    if (text->len != len) {
        return 0;
    }

    for (i = 0; i < len; i++) {

        if ((text->data[i] < '0' || text->data[i] > '9')
            && (text->data[i] < 'a' || text->data[i] > 'f'))
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_http_longpoll_entry_events(ngx_str_t *args, ngx_str_t *key,
    ngx_http_longpoll_cat_t *cats, ngx_http_longpoll_msg_t *msgs, ngx_uint_t n)
{
    ngx_str_t  *arg;

    arg = args;

    if (key) {
        *arg++ = ngx_http_longpoll_entry_k;
        *arg++ = *key;
    }

    for ( /* void */ ; n; n--, msgs++) {
        *arg++ = ngx_http_longpoll_entry_c;
        *arg++ = cats[msgs->cat].name;
        *arg++ = ngx_http_longpoll_entry_d;
        *arg++ = msgs->data;
    }

    return arg - args;
}


ngx_uint_t
ngx_http_longpoll_entry_delete(ngx_str_t *args, ngx_http_longpoll_cat_t *cats,
    ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        args[2 * i] = ngx_http_longpoll_entry_x;
        args[2 * i + 1] = cats[i].name;
    }

    return 2 * n;
}


/* a key has no NUL, so the last one stands behind the category */

u_char *
ngx_http_longpoll_entry_key(u_char *p, ngx_str_t *cat, ngx_str_t *key)
{
    u_char      hash[20];
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, cat->data, cat->len);
    ngx_sha1_update(&sha1, "", 1);
    ngx_sha1_update(&sha1, key->data, key->len);
    ngx_sha1_final(hash, &sha1);

    return ngx_hex_dump(p, hash, sizeof(hash));
}


/* NGX_DECLINED: it is none, or has more than 64 bits */

static ngx_int_t
ngx_http_longpoll_entry_number(uint64_t *number, ngx_str_t *text)
{
    u_char          *p, *last, digit;
    uint64_t         n;
    const uint64_t   max = (uint64_t) -1;

    if (text->len == 0 || text->len > NGX_HTTP_LONGPOLL_ENTRY_DIGITS
        || (text->len > 1 && text->data[0] == '0'))
    {
        return NGX_DECLINED;
    }

    /* all digits but the last always fit */

    p = text->data;

    for (last = p + text->len - 1, n = 0; p < last; p++) {
        digit = *p - '0';

        if (digit > 9) {
            return NGX_DECLINED;
        }

        n = n * 10 + digit;
    }

    digit = *p - '0';

    if (digit > 9
        || (n >= max / 10 && (n > max / 10 || digit > max % 10)))
    {
        return NGX_DECLINED;
    }

    *number = n * 10 + digit;

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_entry_place_parse(ngx_http_longpoll_entry_place_t *place,
    ngx_str_t *text)
{
    ngx_str_t                        ms, seq;
    ngx_http_longpoll_entry_place_t  read;

    seq = *text;
    ms = ngx_http_longpoll_entry_word(&seq, '-');

    if (ngx_http_longpoll_entry_number(&read.ms, &ms) != NGX_OK
        || ngx_http_longpoll_entry_number(&read.seq, &seq) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    *place = read;

    return NGX_OK;
}


u_char *
ngx_http_longpoll_entry_place_print(u_char *p,
    const ngx_http_longpoll_entry_place_t *place)
{
    p = ngx_http_longpoll_decimal(p, place->ms);
    *p++ = '-';

    return ngx_http_longpoll_decimal(p, place->seq);
}


ngx_int_t
ngx_http_longpoll_entry_id(uint64_t *id,
    const ngx_http_longpoll_entry_place_t *place, ngx_uint_t n)
{
    if (place->ms > NGX_HTTP_LONGPOLL_ENTRY_MS_MAX || place->seq > 0xffff
        || place->seq + n > 0x10000 || (place->ms | place->seq) == 0)
    {
        return NGX_DECLINED;
    }

    *id = ngx_http_longpoll_id(place->ms, place->seq);

    return NGX_OK;
}


ngx_int_t
ngx_http_longpoll_entry_id_parse(uint64_t *id, ngx_str_t *text)
{
    ngx_http_longpoll_entry_place_t  place;

    if (ngx_http_longpoll_entry_place_parse(&place, text) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_longpoll_entry_id(id, &place, 1);
}


u_char *
ngx_http_longpoll_entry_id_print(u_char *p, uint64_t id)
{
    ngx_http_longpoll_entry_place_t  place;

    place.ms = ngx_http_longpoll_id_ms(id);
    place.seq = id & 0xffff;

    return ngx_http_longpoll_entry_place_print(p, &place);
}


/* the digits are one less than those of a word, which has a 0 in front */

ngx_int_t
ngx_http_longpoll_entry_epoch_parse(uint64_t *epoch, ngx_str_t *text)
{
    u_char    buf[NGX_HTTP_LONGPOLL_ID_WORD_LEN];
    uint64_t  word;

    if (!ngx_http_longpoll_entry_is_hex(text,
                                        NGX_HTTP_LONGPOLL_ENTRY_LIFE_LEN))
    {
        return NGX_DECLINED;
    }

    buf[0] = '0';
    ngx_memcpy(buf + 1, text->data, NGX_HTTP_LONGPOLL_ENTRY_LIFE_LEN);

    (void) ngx_http_longpoll_id_parse_word(buf, &word);

    if (word == 0 || word > NGX_HTTP_LONGPOLL_EPOCH_MASK) {
        return NGX_DECLINED;
    }

    *epoch = word;

    return NGX_OK;
}


u_char *
ngx_http_longpoll_entry_epoch_print(u_char *p, uint64_t epoch)
{
    u_char  buf[NGX_HTTP_LONGPOLL_ID_WORD_LEN];

    (void) ngx_http_longpoll_id_print_word(buf, epoch);

    return ngx_cpymem(p, buf + 1, NGX_HTTP_LONGPOLL_ENTRY_LIFE_LEN);
}


ngx_int_t
ngx_http_longpoll_entry_lives_parse(ngx_http_longpoll_entry_life_t *lives,
    ngx_uint_t *n, ngx_str_t *text)
{
    ngx_str_t   rest, line;
    ngx_uint_t  i;

    rest = *text;

    for (i = 0; rest.len; i++) {
        line = ngx_http_longpoll_entry_word(&rest, LF);

        if (i == NGX_HTTP_LONGPOLL_ENTRY_LIVES
            || ngx_http_longpoll_entry_life(&lives[i], &line) != NGX_OK
            || (i && lives[i].begin >= lives[i - 1].begin))
        {
            return NGX_DECLINED;
        }
    }

    *n = i;

    return i ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_longpoll_entry_life(ngx_http_longpoll_entry_life_t *life,
    ngx_str_t *line)
{
    size_t     i;
    ngx_str_t  epoch, begin;

    life->run = *line;
    epoch = ngx_http_longpoll_entry_word(&life->run, ' ');
    begin = ngx_http_longpoll_entry_word(&life->run, ' ');

    if (ngx_http_longpoll_entry_epoch_parse(&life->epoch, &epoch) != NGX_OK
        || ngx_http_longpoll_entry_id_parse(&life->begin, &begin) != NGX_OK
        || life->run.len == 0
        || life->run.len > NGX_HTTP_LONGPOLL_ENTRY_RUN_LEN)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < life->run.len; i++) {

        if (life->run.data[i] <= ' ' || life->run.data[i] > '~') {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* cuts off and returns what is in front of the first end, or all */

static ngx_str_t
ngx_http_longpoll_entry_word(ngx_str_t *line, u_char end)
{
    u_char     *p;
    ngx_str_t   word;

    word = *line;

    p = word.len ? memchr(word.data, end, word.len) : NULL;

    if (p == NULL) {
        line->len = 0;
        return word;
    }

    word.len = p - word.data;
    line->data += word.len + 1;
    line->len -= word.len + 1;

    return word;
}
