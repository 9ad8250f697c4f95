
/*
 * text_entry.c: entries of a stream in Redis, ids there, lines of epochs, and
 * what Redis says of itself.
 */


#include "text.h"

#include <ngx_http_longpoll_entry.h>
#include <ngx_http_longpoll_hash.h>
#include <ngx_http_longpoll_info.h>


#define TEXT_FIELDS  (2 + NGX_HTTP_LONGPOLL_ENTRY_ARGS(                       \
                                          NGX_HTTP_LONGPOLL_MAX_MESSAGES + 1))

/* printf 'farm\0key' | sha1sum */
#define TEXT_SHA1    "8d4673d6b09951075b06b5f6cdb51058402ecdbb"

#define TEXT_KEY     "0123456789abcdef0123456789abcdef01234567"
#define TEXT_LIFE    "0123456789abcde"

#define TEXT_RUN     "4b0c3f2a1d4e5f60718293a4b5c6d7e8f9012345."               \
                     "5c1d4f2a1d4e5f60718293a4b5c6d7e8f9012346"


static ngx_str_t  text_fields[TEXT_FIELDS];


/* an entry, with its fields in pieces of their size, as a line in text_got */

static void
text_entry_line(ngx_str_t *fields, ngx_uint_t n)
{
    char                       *p;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    const char                 *reason;
    ngx_http_longpoll_entry_t   entry;

    static const char  *kinds[] = { "events", "delete", "heartbeat", "life" };

    memset(&entry, 0x55, sizeof(entry));
    reason = "";

    rc = ngx_http_longpoll_entry_parse(&entry, fields, n, NULL, &reason);

    p = text_got;

    if (rc == NGX_ERROR) {
        strcpy(p, "no memory");
        return;
    }

    if (rc == NGX_DECLINED) {
        sprintf(p, "%llu: %s", (unsigned long long) entry.number, reason);
        text_ok(strlen(reason) > 5, "it has a reason");
        return;
    }

    text_ok(rc == NGX_OK, "a return code");

    p += sprintf(p, "%llu %s", (unsigned long long) entry.number,
                 kinds[entry.kind]);

    if (entry.kind == NGX_HTTP_LONGPOLL_ENTRY_LIFE) {
        p += sprintf(p, " %015llx", (unsigned long long) entry.epoch);
    }

    if (entry.key.len) {
        p += sprintf(p, " key %.*s", (int) entry.key.len, entry.key.data);
    }

    for (i = 0; i < entry.n; i++) {
        p += sprintf(p, " %.*s", (int) entry.items[i].category.len,
                     entry.items[i].category.data);

        if (entry.kind == NGX_HTTP_LONGPOLL_ENTRY_EVENTS) {
            p += sprintf(p, "=%.*s", (int) entry.items[i].data.len,
                         entry.items[i].data.data);
        }
    }
}


/* fields are separated by '|' */

static ngx_uint_t
text_entry_split(const char *in)
{
    size_t      len;
    ngx_uint_t  n;

    for (n = 0; *in; n++) {
        len = strcspn(in, "|");
        text_fields[n].len = len;
        text_fields[n].data = text_piece(in, len);
        in += len + (in[len] == '|');

        /* a separator at the end: the last field is empty */

        if (*in == '\0' && in[-1] == '|') {
            n++;
            text_fields[n].len = 0;
            text_fields[n].data = text_piece(NULL, 0);
        }
    }

    return n;
}


static void
text_entries(text_case_t *cases, const char *title)
{
    ngx_uint_t  n;

    for ( /* void */ ; cases->in; cases++) {
        n = text_entry_split(cases->in);
        text_entry_line(text_fields, n);
        text_is("entry", (u_char *) cases->in, strlen(cases->in), cases->out);
        text_drop(n);
    }

    text_end(title);
}


static text_case_t  text_entry_good[] = {
    { "n|7|c|farm|d|\"oink\"", "7 events farm=\"oink\"" },
    { "n|7|c|farm|d|\"oink\"|c|barn|d|1", "7 events farm=\"oink\" barn=1" },
    { "n|7|c|farm|d|1|c|farm|d|2", "7 events farm=1 farm=2" },
    { "n|7|k|" TEXT_KEY "|c|farm|d|1", "7 events key " TEXT_KEY " farm=1" },
    { "n|1|c|\xc3\xa4|d|[{}]", "1 events \xc3\xa4=[{}]" },
    { "n|1|c|n|d|false", "1 events n=false" },
    { "n|8|x|farm", "8 delete farm" },
    { "n|8|x|farm|x|barn", "8 delete farm barn" },
    { "n|9|h|0123:5", "9 heartbeat" },
    { "n|9|h|", "9 heartbeat" },
    { "n|10|l|" TEXT_LIFE, "10 life " TEXT_LIFE },
    { "n|10|l|3ffffffffffffff", "10 life 3ffffffffffffff" },
    { "n|18446744073709551615|x|a", "18446744073709551615 delete a" },

    /* as a publish stores it */
    { "n|7|c|farm|d| 1 ", "7 events farm=1" },
    { "n|7|c|farm|d|{\n\"a\":\r\n1}", "7 events farm={ \"a\":  1}" },
    { "n|7|c|farm|d|\"\\ud83d\"", "7 events farm=\"\\ufffd\"" },
    { NULL, NULL }
};


#define TEXT_NUMBERLESS  "0: it has no number"
#define TEXT_MISSING     "7: a field is missing"
#define TEXT_UNKNOWN     "7: a field is not known"
#define TEXT_NO_CAT      "7: a category is not one"
#define TEXT_BAD_DATA    "7: its data is not JSON"
#define TEXT_BAD_KEY     "7: the key is not one"
#define TEXT_BAD_LIFE    "7: the life is not one"

static text_case_t  text_entry_bad[] = {
    { "", TEXT_NUMBERLESS },
    { "n", TEXT_NUMBERLESS },
    { "n|", TEXT_NUMBERLESS },
    { "n|x|c|farm|d|1", TEXT_NUMBERLESS },
    { "n|0|c|farm|d|1", TEXT_NUMBERLESS },
    { "n|07|c|farm|d|1", TEXT_NUMBERLESS },
    { "n|+7|c|farm|d|1", TEXT_NUMBERLESS },
    { "n|-7|c|farm|d|1", TEXT_NUMBERLESS },
    { "n| 7|c|farm|d|1", TEXT_NUMBERLESS },
    { "n|7 |c|farm|d|1", TEXT_NUMBERLESS },
    { "n|18446744073709551616|c|farm|d|1", TEXT_NUMBERLESS },
    { "n|99999999999999999999|c|farm|d|1", TEXT_NUMBERLESS },
    { "N|7|c|farm|d|1", TEXT_NUMBERLESS },
    { "c|farm|d|1", TEXT_NUMBERLESS },
    { "c|farm|d|1|n|7", TEXT_NUMBERLESS },

    { "n|7", TEXT_MISSING },
    { "n|7|c", TEXT_MISSING },
    { "n|7|c|farm", TEXT_MISSING },
    { "n|7|c|farm|d", TEXT_MISSING },
    { "n|7|c|farm|d|1|c", TEXT_MISSING },
    { "n|7|c|farm|d|1|c|barn", TEXT_MISSING },
    { "n|7|k|" TEXT_KEY, TEXT_MISSING },
    { "n|7|k|" TEXT_KEY "|c|farm", TEXT_MISSING },
    { "n|7|k|" TEXT_KEY "|x|farm", TEXT_MISSING },
    { "n|7|c|farm|d|1|x|farm", TEXT_MISSING },
    { "n|7|x|farm|x", TEXT_MISSING },

    { "n|7|y|farm|d|1", TEXT_UNKNOWN },
    { "n|7|c|farm|c|1", TEXT_UNKNOWN },
    { "n|7|d|1|c|farm", TEXT_UNKNOWN },
    { "n|7|cc|farm|d|1", TEXT_UNKNOWN },
    { "n|7||farm|d|1", TEXT_UNKNOWN },
    { "n|7|c|farm|d|1|x|farm|x|barn", TEXT_UNKNOWN },
    { "n|7|c|farm|d|1|k|" TEXT_KEY "|d|2", TEXT_UNKNOWN },
    { "n|7|x|farm|y|barn", TEXT_UNKNOWN },
    { "n|7|x|farm|c|barn", TEXT_UNKNOWN },
    { "n|7|h|a:1|h|a:2", TEXT_UNKNOWN },
    { "n|7|l|" TEXT_LIFE "|l|" TEXT_LIFE, TEXT_UNKNOWN },
    { "n|7|n|7|c|farm", TEXT_UNKNOWN },
    { "n|7|k|" TEXT_KEY "|x|farm|x|barn", TEXT_UNKNOWN },

    { "n|7|c||d|1", TEXT_NO_CAT },
    { "n|7|c|\xff|d|1", TEXT_NO_CAT },
    { "n|7|c|farm|d|1|c|\xc0\x80|d|1", TEXT_NO_CAT },
    { "n|7|x|", TEXT_NO_CAT },
    { "n|7|x|farm|x|\xed\xa0\x80", TEXT_NO_CAT },

    { "n|7|c|farm|d|", TEXT_BAD_DATA },
    { "n|7|c|farm|d|oink", TEXT_BAD_DATA },
    { "n|7|c|farm|d|null", TEXT_BAD_DATA },
    { "n|7|c|farm|d|1e999", TEXT_BAD_DATA },
    { "n|7|c|farm|d|1 2", TEXT_BAD_DATA },
    { "n|7|c|farm|d|\"\xff\"", TEXT_BAD_DATA },
    { "n|7|c|farm|d|\"a\nb\"", TEXT_BAD_DATA },
    { "n|7|c|farm|d|1|c|farm|d|]", TEXT_BAD_DATA },

    { "n|7|k||c|farm|d|1", TEXT_BAD_KEY },
    { "n|7|k|" TEXT_KEY "0|c|farm|d|1", TEXT_BAD_KEY },
    { "n|7|k|0123456789ABCDEF0123456789abcdef01234567|c|farm|d|1",
      TEXT_BAD_KEY },
    { "n|7|k|0123456789abcdeg0123456789abcdef01234567|c|farm|d|1",
      TEXT_BAD_KEY },

    { "n|7|l|", TEXT_BAD_LIFE },
    { "n|7|l|000000000000000", TEXT_BAD_LIFE },
    { "n|7|l|400000000000000", TEXT_BAD_LIFE },
    { "n|7|l|0123456789abcd", TEXT_BAD_LIFE },
    { "n|7|l|0123456789abcdef", TEXT_BAD_LIFE },
    { "n|7|l|0123456789ABCDE", TEXT_BAD_LIFE },
    { "n|7|h|12345678901234567890123456789012345678901234567890123456789012345",
      "7: the heartbeat is too long" },
    { NULL, NULL }
};


static void
text_entry_bounds(void)
{
    u_char     *name;
    ngx_str_t  *f;
    ngx_uint_t  i;

    name = text_fill('a', NGX_HTTP_LONGPOLL_MAX_CATEGORY + 1);

    (void) text_entry_split("n|7|c|farm|d|1");
    text_fields[3].data = name;
    text_fields[3].len = NGX_HTTP_LONGPOLL_MAX_CATEGORY;
    text_entry_line(text_fields, 6);
    text_ok(strstr(text_got, "7 events aaa") != NULL, "the longest name");

    text_fields[3].len++;
    text_entry_line(text_fields, 6);
    text_is("entry", NULL, 0, TEXT_NO_CAT);

    for (i = 0; i < 4 * (NGX_HTTP_LONGPOLL_MAX_MESSAGES + 1); i += 4) {
        f = &text_fields[2 + i];
        f[0].len = f[1].len = f[2].len = f[3].len = 1;
        f[0].data = (u_char *) "c";
        f[1].data = (u_char *) "f";
        f[2].data = (u_char *) "d";
        f[3].data = (u_char *) "1";
    }

    text_entry_line(text_fields, 2 + i - 4);
    text_ok(strncmp(text_got, "7 events f=1", 12) == 0, "1,000 events");

    text_entry_line(text_fields, 2 + i);
    text_is("entry", NULL, 0, "7: it has too many events");

    text_stub_left = 0;
    text_entry_line(text_fields, 6);
    text_is("entry", NULL, 0, "no memory");

    text_end("an entry has at most 1,000 events, and a name 1,024 bytes");
}


/* random events are written, and read back as they were */

static void
text_entry_round(void)
{
    char                     *p, name[8], data[32];
    u_char                    key[NGX_HTTP_LONGPOLL_ENTRY_KEY_LEN];
    ngx_str_t                 value, *with;
    ngx_uint_t                i, n, ncats, nargs, deleted;
    ngx_http_longpoll_cat_t   cats[8];
    ngx_http_longpoll_msg_t   msgs[20];

    ncats = 1 + unit_below(8);
    n = 1 + unit_below(20);
    deleted = unit_once(4);
    with = NULL;

    p = text_model_line;
    p += sprintf(p, "7 %s", deleted ? "delete" : "events");

    for (i = 0; i < ncats; i++) {
        cats[i].name.len = sprintf(name, "%c%lu", 'a' + (int) i,
                                   (unsigned long) unit_below(1000));
        cats[i].name.data = text_piece(name, cats[i].name.len);
    }

    for (i = 0; i < n; i++) {
        msgs[i].cat = unit_below(ncats);
        msgs[i].data.len = sprintf(data, "[\"%llu\"]",
                                   (unsigned long long) unit_random());
        msgs[i].data.data = text_piece(data, msgs[i].data.len);
    }

    if (!deleted && unit_once(2)) {
        ngx_str_set(&value, "some key");

        text_ok(ngx_http_longpoll_entry_key(key, &cats[msgs->cat].name, &value)
                == key + sizeof(key), "a key's length");

        with = &value;
        value.len = sizeof(key);
        value.data = text_piece(key, value.len);

        p += sprintf(p, " key %.*s", (int) value.len, value.data);
    }

    for (i = 0; i < (deleted ? ncats : n); i++) {
        value = cats[deleted ? i : msgs[i].cat].name;
        p += sprintf(p, " %.*s", (int) value.len, value.data);

        if (!deleted) {
            p += sprintf(p, "=%.*s", (int) msgs[i].data.len,
                         msgs[i].data.data);
        }
    }

    (void) text_entry_split("n|7");

    if (with) {
        value.len = sizeof(key);
        value.data = key;
    }

    nargs = deleted
            ? ngx_http_longpoll_entry_delete(&text_fields[2], cats, ncats)
            : ngx_http_longpoll_entry_events(&text_fields[2], with, cats, msgs,
                                             n);

    text_ok(nargs <= NGX_HTTP_LONGPOLL_ENTRY_ARGS(deleted ? ncats : n),
            "not too many arguments");

    text_entry_line(text_fields, 2 + nargs);
    text_is("entry", NULL, 0, text_model_line);

    text_drop(2 + ncats + n + (with != NULL));
    text_stub_reset();
}


/*
 * Several texts, and one text that has their words: it is as long as its last
 * byte says in both.
 */

static void
text_entry_joined(const uint64_t zone[2])
{
    u_char      joined[264];
    uint64_t    a[2], b[2], end, begin;
    ngx_str_t   texts[33];
    ngx_uint_t  i;

    /* short ones: but for the word of the length in front of the long one */

    for (i = 0; i < 32; i++) {
        memcpy(&joined[8 * i], "1234567\7", 8);
        ngx_str_set(&texts[i], "1234567");
    }

    joined[256] = 'x';
    ngx_str_set(&texts[32], "x");
    ngx_http_longpoll_hash_list(a, zone, texts, 33);

    texts[0].data = joined;
    texts[0].len = 257;
    ngx_http_longpoll_hash_list(b, zone, texts, 1);

    text_ok(a[0] != b[0] && a[1] != b[1], "a list is not its texts in one");

    /* one of 240 bytes, one of 8: but for the length in the word in front */

    end = (uint64_t) 240 << 56;
    begin = (uint64_t) 1 << 63 | 8;

    memset(joined, 'a', sizeof(joined));
    memcpy(&joined[240], &end, 8);
    memcpy(&joined[248], &begin, 8);

    texts[0].len = 240;
    texts[1].data = &joined[256];
    texts[1].len = 8;
    ngx_http_longpoll_hash_list(a, zone, texts, 2);

    texts[0].len = 264;
    ngx_http_longpoll_hash_list(b, zone, texts, 1);

    text_ok(a[0] != b[0] && a[1] != b[1], "two long texts are not one");
}


static void
text_entry_hashes(void)
{
    u_char           key[NGX_HTTP_LONGPOLL_ENTRY_KEY_LEN];
    uint64_t         a[2], b[2];
    ngx_str_t        cat, word;
    ngx_uint_t       i, n;

    static const uint64_t  zone[2] = { 1, 2 };
    static const char     *others[] = {
        "n|7|c|farm|d|2", "n|8|c|farm|d|1", "n|7|c|farm|d|1|", "n|7|c|farm|d",
        "n|7c|farm|d|1", "n|7|cf|arm|d|1", "n||7|c|farm|d|1", "n|7|farm|c|d|1"
    };

    ngx_str_set(&cat, "farm");
    ngx_str_set(&word, "key");
    (void) ngx_http_longpoll_entry_key(key, &cat, &word);

    text_ok(memcmp(key, TEXT_SHA1, sizeof(key)) == 0, "a key's hash");

    n = text_entry_split("n|7|c|farm|d|1");
    ngx_http_longpoll_hash_list(a, zone, text_fields, n);
    ngx_http_longpoll_hash_list(b, zone, text_fields, n);
    text_ok(a[0] == b[0] && a[1] == b[1], "a hash is the same twice");

    for (i = 0; i < sizeof(others) / sizeof(char *); i++) {
        n = text_entry_split(others[i]);
        ngx_http_longpoll_hash_list(b, zone, text_fields, n);
        text_ok(a[0] != b[0] && a[1] != b[1], others[i]);
    }

    text_entry_joined(zone);

    text_end("an entry's hash is that of its fields, a key's that of SHA-1");
}


/* rc NGX_DECLINED: the place does not fit into an id */

static void
text_entry_place(const char *in, ngx_int_t place_rc, ngx_int_t rc, uint64_t id)
{
    u_char                           *p;
    uint64_t                          got;
    ngx_str_t                         text;
    ngx_http_longpoll_entry_place_t   place;

    text.len = strlen(in);
    text.data = text_piece(in, text.len);
    got = 0x5555;

    text_ok(ngx_http_longpoll_entry_place_parse(&place, &text) == place_rc, in);
    text_ok(ngx_http_longpoll_entry_id_parse(&got, &text) == rc, in);
    text_ok(got == (rc == NGX_OK ? id : 0x5555), in);

    p = text_piece(NULL, NGX_HTTP_LONGPOLL_ENTRY_ID_LEN);

    if (place_rc == NGX_OK) {
        text_ok(ngx_http_longpoll_entry_place_print(p, &place) == p + text.len
                && memcmp(p, in, text.len) == 0, in);
    }

    if (rc == NGX_OK) {
        text_ok(ngx_http_longpoll_entry_id_print(p, id) == p + text.len
                && memcmp(p, in, text.len) == 0, in);
    }

    text_drop(2);
}


static void
text_entry_places(void)
{
    uint64_t                         id;
    ngx_uint_t                       i;
    ngx_http_longpoll_entry_place_t  place;

    static const char  *bad[] = {
        "", "-", "1", "1-", "-1", "1--1", "1-1-1", "a-1", "1-a", " 1-1", "1-1 ",
        "+1-1", "01-1", "1-01", "00-1", "1.0-1", "18446744073709551616-0",
        "0-18446744073709551616", "184467440737095516150-0", "1 1", "1-1\n",
        "18446744073709551620-0", "99999999999999999990-0",
        "184467440737095516161-0"
    };

    for (i = 0; i < sizeof(bad) / sizeof(char *); i++) {
        text_entry_place(bad[i], NGX_DECLINED, NGX_DECLINED, 0);
    }

    text_entry_place("0-0", NGX_OK, NGX_DECLINED, 0);
    text_entry_place("0-1", NGX_OK, NGX_OK, 1);
    text_entry_place("1-0", NGX_OK, NGX_OK, 0x10000);
    text_entry_place("1-65535", NGX_OK, NGX_OK, 0x1ffff);
    text_entry_place("1-65536", NGX_OK, NGX_DECLINED, 0);
    text_entry_place("1-18446744073709551615", NGX_OK, NGX_DECLINED, 0);
    text_entry_place("281474976710655-65535", NGX_OK, NGX_OK, ~0ULL);
    text_entry_place("281474976710656-0", NGX_OK, NGX_DECLINED, 0);
    text_entry_place("18446744073709551615-18446744073709551615", NGX_OK,
                     NGX_DECLINED, 0);

    place.ms = 7;
    place.seq = 65535 - 999;
    text_ok(ngx_http_longpoll_entry_id(&id, &place, 1000) == NGX_OK
            && id == (7 << 16 | place.seq), "the last thousand of a ms");
    text_ok(ngx_http_longpoll_entry_id(&id, &place, 1001) == NGX_DECLINED,
            "one more");

    text_end("an id of Redis's is read as it is printed, if it fits");
}


static void
text_entry_lives(const char *in, const char *expected)
{
    char                            *p;
    ngx_str_t                        text;
    ngx_uint_t                       i, n;
    ngx_http_longpoll_entry_life_t   lives[NGX_HTTP_LONGPOLL_ENTRY_LIVES];

    text.len = strlen(in);
    text.data = text_piece(in, text.len);
    p = text_got;
    *p = '\0';
    n = 0;

    if (ngx_http_longpoll_entry_lives_parse(lives, &n, &text) == NGX_OK) {
        text_ok(n != 0, "a life");

    } else {
        strcpy(p, "none");
        n = 0;
    }

    for (i = 0; i < n; i++) {
        p += sprintf(p, "%llx@%llx:%.*s ", (unsigned long long) lives[i].epoch,
                     (unsigned long long) lives[i].begin,
                     (int) lives[i].run.len, lives[i].run.data);
    }

    text_is("lives", text.data, text.len, expected);
    text_drop(1);
}


#define TEXT_L  "00000000000000"

static void
text_entry_all_lives(void)
{
    char        *p, line[64 * 20];
    ngx_uint_t   i;

    static const char  *bad[] = {
        "", "\n", " ", TEXT_L "1", TEXT_L "1 7-0", TEXT_L "1 7-0 ",
        TEXT_L "1  7-0 r", TEXT_L "1 7-0 r ", TEXT_L "1 7-0 r s",
        TEXT_L "1 7-0 r\r\n", TEXT_L "1 7-0 r\n\n", "\n" TEXT_L "1 7-0 r",
        TEXT_L "0 7-0 r", TEXT_L "01 7-0 r", "1 7-0 r", TEXT_L "1 7 r",
        TEXT_L "1 0-0 r", TEXT_L "1 7-65536 r", TEXT_L "1 7-0 \xc3\xa4",
        TEXT_L "1 7-0 r\n" TEXT_L "2 7-0 r", TEXT_L "1 7-0 r\n" TEXT_L
        "2 8-0 r", TEXT_L "2 8-0 r\n" TEXT_L "1 x"
    };

    text_entry_lives(TEXT_L "1 7-0 r", "1@70000:r ");
    text_entry_lives(TEXT_L "1 7-0 r\n", "1@70000:r ");
    text_entry_lives("3fffffffffffff1 1-2 " TEXT_RUN "\n",
                     "3fffffffffffff1@10002:" TEXT_RUN " ");
    text_entry_lives(TEXT_L "2 8-0 r\n" TEXT_L "1 7-0 s\n",
                     "2@80000:r 1@70000:s ");

    for (i = 0; i < sizeof(bad) / sizeof(char *); i++) {
        text_entry_lives(bad[i], "none");
    }

    for (p = line, i = 16; i; i--) {
        p += sprintf(p, "%015lx %lu-0 r\n", (unsigned long) i % 16 + 1,
                     (unsigned long) i);
    }

    text_entry_lives(line, "none");
    text_entry_lives(strchr(line, '\n') + 1,
                     "10@f0000:r f@e0000:r e@d0000:r d@c0000:r c@b0000:r "
                     "b@a0000:r a@90000:r 9@80000:r 8@70000:r 7@60000:r "
                     "6@50000:r 5@40000:r 4@30000:r 3@20000:r 2@10000:r ");

    text_end("the lines of epochs are read, the newest first, up to 15");
}


static void
text_info(const char *in, const char *expected)
{
    ngx_str_t                 text;
    ngx_http_longpoll_info_t  info;

    text.len = strlen(in);
    text.data = text_piece(in, text.len);

    if (ngx_http_longpoll_info_parse(&info, &text) == NGX_OK) {
        sprintf(text_got, "%lu %.*s.%.*s %.*s%s%s%s%s",
                (unsigned long) info.major,
                (int) info.run_id.len, info.run_id.data,
                (int) info.replid.len, info.replid.data,
                (int) info.policy.len, info.policy.data,
                info.master ? " master" : "", info.cluster ? " cluster" : "",
                info.loading ? " loading" : "",
                info.unpromoted ? " unpromoted" : "");
    } else {
        strcpy(text_got, "none");
    }

    text_is("info", text.data, text.len, expected);
    text_drop(1);
}


static void
text_infos(void)
{
    text_info("# Server\r\nredis_version:7.0.15\r\nrun_id:ab12\r\n\r\n"
              "# Replication\r\nrole:master\r\nmaster_replid:cd34\r\n"
              "maxmemory_policy:noeviction\r\ncluster_enabled:0\r\n"
              "loading:0\r\n", "7 ab12.cd34 noeviction master");
    text_info("redis_version:10.0\nrun_id:a\nmaster_replid:b", "10 a.b ");
    text_info("redis_version:6.2.1\r\nrun_id:a\r\nmaster_replid:b\r\n"
              "role:slave\r\ncluster_enabled:1\r\nloading:1\r\n",
              "6 a.b  cluster loading");
    text_info("redis_version:7:8\r\nrun_id:a\r\nmaster_replid:b", "none");
    text_info("redis_version:7\r\nrun_id:a\r\nmaster_replid:b\r\n"
              "master_replid2:000\r\n", "7 a.b  unpromoted");
    text_info("redis_version:7\r\nrun_id:a\r\nmaster_replid:b\r\n"
              "master_replid2:001\r\n", "7 a.b ");
    text_info("redis_version:7\r\nrun_id:a\r\nmaster_replid:b\r\n"
              "master_replid2:\r\n", "7 a.b ");
    text_info("redis_version:x\r\nrun_id:a\r\nmaster_replid:b", "none");
    text_info("redis_version:7\r\nrun_id:\r\nmaster_replid:b", "none");
    text_info("redis_version:7\r\nrun_id:a b\r\nmaster_replid:b", "none");
    text_info("redis_version:7\r\nrun_id:a", "none");
    text_info("", "none");
    text_info("\r\n\r\n:\r\n::\r\nrole", "none");

    text_end("a Redis says what it is");
}


void
text_entry_all(void)
{
    ngx_uint_t  round;

    text_entries(text_entry_good, "an entry is read");
    text_entries(text_entry_bad, "what is no entry is none, with a reason");

    text_entry_bounds();

    for (round = 0; round < text_rounds && text_good; round++) {
        text_entry_round();
    }

    text_end("random entries are read back as they were written");

    text_entry_hashes();
    text_entry_places();
    text_entry_all_lives();
    text_infos();
}
