
/*
 * entry.c: what Redis says: entries, ids, the lines of epochs, and INFO.
 *
 * The bytes are cut into fields at 0xfe, a byte that UTF-8 does not have.  Must
 * hold: the fields are an entry, or there is a reason; what was read lies in
 * the fields or in the pool; an entry that is written again is the same one,
 * under the same hash; without memory it is that error or the same answer.  All
 * the bytes are also an id, an epoch, lines of epochs and INFO: each is printed
 * as it was read.
 */


#include "fuzz.h"

#include <ngx_http_longpoll_entry.h>
#include <ngx_http_longpoll_hash.h>
#include <ngx_http_longpoll_info.h>
#include <ngx_http_longpoll_utf8.h>


#define ENTRY_FIELDS  5000
#define ENTRY_END     0xfe


extern ngx_uint_t  text_stub_left;

void text_stub_reset(void);


static ngx_uint_t
entry_cut(ngx_str_t *fields, const u_char *data, size_t size)
{
    ngx_uint_t     n;
    const u_char  *end, *last;

    last = data + size;

    for (n = 0; data < last && n < ENTRY_FIELDS; n++) {
        end = memchr(data, ENTRY_END, last - data);
        end = end ? end : last;

        fields[n].len = end - data;
        fields[n].data = fuzz_copy(data, fields[n].len);

        data = end + (end < last);
    }

    return n;
}


/* what every entry must have */

static void
entry_check(ngx_http_longpoll_entry_t *entry)
{
    ngx_uint_t                 i;
    ngx_http_longpoll_item_t  *item;

    fuzz_must(entry->number != 0, "an entry without a number");
    fuzz_must(entry->n <= NGX_HTTP_LONGPOLL_MAX_MESSAGES, "too many events");
    fuzz_must(entry->key.len == 0
              || (entry->kind == NGX_HTTP_LONGPOLL_ENTRY_EVENTS
                  && entry->key.len == NGX_HTTP_LONGPOLL_ENTRY_KEY_LEN),
              "a key's length");

    if (entry->kind == NGX_HTTP_LONGPOLL_ENTRY_HEARTBEAT
        || entry->kind == NGX_HTTP_LONGPOLL_ENTRY_LIFE)
    {
        fuzz_must(entry->n == 0, "events of none");
        fuzz_must((entry->epoch != 0)
                  == (entry->kind == NGX_HTTP_LONGPOLL_ENTRY_LIFE)
                  && entry->epoch <= NGX_HTTP_LONGPOLL_EPOCH_MASK, "an epoch");
        return;
    }

    fuzz_must(entry->n != 0, "events, but none");

    for (i = 0; i < entry->n; i++) {
        item = &entry->items[i];

        fuzz_must(item->category.len
                  && item->category.len <= NGX_HTTP_LONGPOLL_MAX_CATEGORY
                  && ngx_http_longpoll_utf8_valid(item->category.data,
                                                  item->category.len),
                  "a category");

        if (entry->kind == NGX_HTTP_LONGPOLL_ENTRY_EVENTS) {
            fuzz_must(item->data.len
                      && memchr(item->data.data, LF, item->data.len) == NULL
                      && ngx_http_longpoll_utf8_valid(item->data.data,
                                                      item->data.len),
                      "data as it is stored");
        }
    }
}


/* the same entry is written from what was read, and read once more */

static void
entry_again(ngx_http_longpoll_entry_t *entry, ngx_str_t *number)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i, n;
    const char                 *reason;
    ngx_http_longpoll_cat_t     cats[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    ngx_http_longpoll_msg_t     msgs[NGX_HTTP_LONGPOLL_MAX_MESSAGES];
    ngx_http_longpoll_entry_t   other;

    static ngx_str_t  args[2 + NGX_HTTP_LONGPOLL_ENTRY_ARGS(
                                               NGX_HTTP_LONGPOLL_MAX_MESSAGES)];

    if (entry->n == 0) {
        return;
    }

    for (i = 0; i < entry->n; i++) {
        cats[i].name = entry->items[i].category;
        msgs[i].cat = i;
        msgs[i].data = entry->items[i].data;
    }

    ngx_str_set(&args[0], "n");
    args[1] = *number;

    n = (entry->kind == NGX_HTTP_LONGPOLL_ENTRY_EVENTS)
        ? ngx_http_longpoll_entry_events(&args[2],
                                         entry->key.len ? &entry->key : NULL,
                                         cats, msgs, entry->n)
        : ngx_http_longpoll_entry_delete(&args[2], cats, entry->n);

    rc = ngx_http_longpoll_entry_parse(&other, args, 2 + n, NULL, &reason);

    fuzz_must(rc == NGX_OK && other.kind == entry->kind
              && other.n == entry->n && other.number == entry->number
              && other.key.len == entry->key.len
              && (entry->key.len == 0 || fuzz_same(&other.key, &entry->key)),
              "another entry");

    for (i = 0; i < entry->n; i++) {
        fuzz_must(fuzz_same(&other.items[i].category, &cats[i].name)
                  && (entry->kind == NGX_HTTP_LONGPOLL_ENTRY_DELETE
                      || fuzz_same(&other.items[i].data, &msgs[i].data)),
                  "another event");
    }
}


static void
entry_fields(const u_char *data, size_t size)
{
    uint64_t                   hash[2], same[2], key[2] = { 1, 2 };
    ngx_int_t                  rc, poor;
    ngx_uint_t                 i, n;
    const char                *reason;
    ngx_http_longpoll_entry_t  entry, other;

    static ngx_str_t  fields[ENTRY_FIELDS];

    n = entry_cut(fields, data, size);

    ngx_http_longpoll_hash_list(hash, key, fields, n);

    reason = NULL;
    rc = ngx_http_longpoll_entry_parse(&entry, fields, n, NULL, &reason);

    fuzz_must((rc == NGX_OK && reason == NULL)
              || (rc == NGX_DECLINED && reason != NULL && *reason),
              "no entry, and no reason");

    if (rc == NGX_OK) {
        entry_check(&entry);
        entry_again(&entry, &fields[1]);
    }

    ngx_http_longpoll_hash_list(same, key, fields, n);
    fuzz_must(hash[0] == same[0] && hash[1] == same[1],
              "reading has changed the fields");

    text_stub_left = size % 4;
    poor = ngx_http_longpoll_entry_parse(&other, fields, n, NULL, &reason);
    fuzz_must(poor == rc || poor == NGX_ERROR, "without memory");

    for (i = 0; i < n; i++) {
        free(fields[i].data);
    }

    text_stub_reset();
}


static void
entry_text(const u_char *data, size_t size)
{
    u_char                          *p;
    uint64_t                         id, epoch;
    ngx_str_t                        text;
    ngx_uint_t                       i, n;
    ngx_http_longpoll_info_t         info;
    ngx_http_longpoll_entry_life_t   lives[NGX_HTTP_LONGPOLL_ENTRY_LIVES];
    ngx_http_longpoll_entry_place_t  place;

    text.len = size;
    text.data = fuzz_copy(data, size);
    p = malloc(NGX_HTTP_LONGPOLL_ENTRY_ID_LEN);

    if (ngx_http_longpoll_entry_place_parse(&place, &text) == NGX_OK) {
        fuzz_must(ngx_http_longpoll_entry_place_print(p, &place) == p + size
                  && memcmp(p, data, size) == 0, "another place");
    }

    if (ngx_http_longpoll_entry_id_parse(&id, &text) == NGX_OK) {
        fuzz_must(ngx_http_longpoll_entry_id_print(p, id) == p + size
                  && memcmp(p, data, size) == 0, "another id");
    }

    if (ngx_http_longpoll_entry_epoch_parse(&epoch, &text) == NGX_OK) {
        fuzz_must(ngx_http_longpoll_entry_epoch_print(p, epoch) == p + size
                  && memcmp(p, data, size) == 0, "another epoch");
    }

    if (ngx_http_longpoll_entry_lives_parse(lives, &n, &text) == NGX_OK) {
        fuzz_must(n && n <= NGX_HTTP_LONGPOLL_ENTRY_LIVES, "lives");

        for (i = 0; i < n; i++) {
            fuzz_must(lives[i].epoch && lives[i].begin
                      && (i == 0 || lives[i].begin < lives[i - 1].begin)
                      && lives[i].run.len
                      && fuzz_inside(&lives[i].run, text.data, size), "a life");
        }
    }

    if (ngx_http_longpoll_info_parse(&info, &text) == NGX_OK) {
        fuzz_must(info.major && info.run_id.len && info.replid.len
                  && info.run_id.len + info.replid.len
                     < NGX_HTTP_LONGPOLL_ENTRY_RUN_LEN
                  && fuzz_inside(&info.run_id, text.data, size)
                  && fuzz_inside(&info.replid, text.data, size), "a Redis");
    }

    free(p);
    free(text.data);
}


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    entry_fields(data, size);
    entry_text(data, size);

    return 0;
}
