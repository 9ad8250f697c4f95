
/*
 * load.c: logs by hand, as src/disk/ reads them; load.h says how.
 *
 *     load             all tests, as TAP
 *
 * The directory is one of its own in TMPDIR, or /tmp; it is removed in the end.
 */


#include "load.h"

#include <dirent.h>


ngx_http_longpoll_zone_t      load_zone;

static ngx_http_longpoll_zone_sh_t  load_sh;
static ngx_log_t              load_ngx_log = { .log_level = NGX_LOG_DEBUG };

static char                   load_dir[256];
static int                    load_directory;
static char                   load_path[300];
static char                   load_got[LOAD_LINE];
static int                    load_fd = -1;
static uint64_t               load_written;

uint64_t                      load_key = 2;
void                        (*load_meanwhile)(void);

static ngx_uint_t             load_n;
static ngx_uint_t             load_bad;
static ngx_uint_t             load_good = 1;


/*
 * the zone
 */


static void
load_say(const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    vsnprintf(load_got + strlen(load_got), LOAD_LINE - strlen(load_got), format,
              args);
    va_end(args);
}


void
ngx_http_longpoll_zone_hash(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat)
{
    ngx_http_longpoll_hash(cat->hash, z->sh->key, cat->name.data,
                           cat->name.len);
}


void
ngx_http_longpoll_zone_presence_init(ngx_http_longpoll_zone_t *z)
{
}


ngx_uint_t
ngx_http_longpoll_zone_clock_known(ngx_http_longpoll_zone_t *z, uint64_t epoch)
{
    return epoch == LOAD_EPOCH || epoch == 10;
}


uint64_t
ngx_http_longpoll_zone_msg_need(ngx_http_longpoll_cat_t *cat,
    ngx_http_longpoll_msg_t *msg, ngx_uint_t bits)
{
    return ngx_http_longpoll_zone_front(bits) + cat->name.len + msg->data.len;
}


ngx_int_t
ngx_http_longpoll_zone_load(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_cat_t *cat, ngx_http_longpoll_msg_t *msg,
    const uint64_t *key, uint64_t now, uint64_t *wake)
{
    uint64_t  id;

    if (load_meanwhile) {
        load_meanwhile();
        load_meanwhile = NULL;
    }

    id = msg->id;
    msg->id = ngx_max(id, load_sh.clock.last_id + 1);
    load_sh.clock.last_id = msg->id;

    load_say("%.*s%s ", (int) msg->data.len, msg->data.data,
             msg->id == id ? "" : "@");

    if (key) {
        load_say("key:%llx/%llx ", (unsigned long long) key[0],
                 (unsigned long long) key[1]);
    }

    if (msg->uuid.high == 0) {
        load_say("no id! ");
    }

    return NGX_OK;
}


/* categories have names of one letter here */

static char
load_name(uint64_t name)
{
    u_char    c;
    uint64_t  hash[2];

    for (c = 'a'; c <= 'z'; c++) {
        ngx_http_longpoll_hash(hash, load_sh.key, &c, 1);

        if (hash[1] == name) {
            return c;
        }
    }

    return '?';
}


void
ngx_http_longpoll_zone_load_lost(ngx_http_longpoll_zone_t *z, uint64_t name,
    uint64_t id, ngx_uint_t exact)
{
    load_say("lost:%c=%llu ", load_name(name),
             (unsigned long long) ngx_http_longpoll_id_ms(id));
}


/* says up to which ms each category is deleted */

void
ngx_http_longpoll_zone_load_forget(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_zone_forget_pt forget, void *data)
{
    u_char                     c;
    uint64_t                   ms, hash[2];
    ngx_http_longpoll_uuid_t   uuid;

    (void) z;
    ngx_memzero(&uuid, sizeof(uuid));

    for (c = 'a'; c <= 'z'; c++) {
        ngx_http_longpoll_hash(hash, load_sh.key, &c, 1);

        for (ms = 10000; ms; ms -= 100) {

            if (forget(data, hash[1], ngx_http_longpoll_id(ms, 0), &uuid, 0)
                == NGX_HTTP_LONGPOLL_ZONE_DELETED)
            {
                load_say("drop:%c=%llu ", c, (unsigned long long) ms);
                break;
            }
        }
    }
}


static void
load_loaded(ngx_http_longpoll_loaded_t *loaded)
{
    ngx_uint_t  i;

    struct {
        const char  *name;
        uint64_t     value;
        ngx_uint_t   flag;
    } words[] = {
        { "lost", loaded->lost_until, 0 },
        { "after", loaded->after, 0 },
        { "segment", loaded->segment, 0 },
        { "valid", loaded->valid_from, 0 },
        { "skipped", loaded->skipped, 0 },
        { "head", loaded->head, 1 },
        { "stale", loaded->stale, 1 },
        { "restored", loaded->restored, 1 },
        { "moved", loaded->moved, 1 },
        { "believed", loaded->believed, 1 }
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {

        if (words[i].value && words[i].flag) {
            load_say("%s ", words[i].name);

        } else if (words[i].value) {
            load_say("%s:%llu ", words[i].name,
                     (unsigned long long) words[i].value);
        }
    }
}


void
ngx_http_longpoll_zone_load_done(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_loaded_t *loaded)
{
    load_loaded(loaded);
}


ngx_int_t
ngx_http_longpoll_zone_load_merged(ngx_http_longpoll_zone_t *z,
    ngx_http_longpoll_loaded_t *loaded)
{
    load_loaded(loaded);

    return loaded->moved ? NGX_DECLINED : NGX_OK;
}


/*
 * files
 */


static const char *
load_named(const char *suffix)
{
    static char  name[400];

    snprintf(name, sizeof(name), "%s%s", load_path, suffix);

    return name;
}


void
load_file(const char *suffix)
{
    if (load_fd != -1) {
        close(load_fd);
    }

    load_fd = open(load_named(suffix), O_WRONLY|O_CREAT|O_TRUNC|O_APPEND, 0600);
    load_ok(load_fd != -1, suffix);
}


uint64_t
load_total(void)
{
    return load_written;
}


void
load_bytes(const void *p, size_t len)
{
    load_ok(write(load_fd, p, len) == (ssize_t) len, "a write");
    load_written += len;
}


void
load_text(const char *format, ...)
{
    int          len;
    va_list      args;
    static char  text[LOAD_LINE];

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    load_bytes(text, len);
}


static void
load_control(ngx_http_longpoll_control_t *control)
{
    u_char  line[NGX_HTTP_LONGPOLL_CONTROL_MAX];

    load_bytes(line, ngx_http_longpoll_control_print(line, control) - line);
}


static void
load_head(ngx_http_longpoll_control_e kind, uint64_t number, uint64_t epoch,
    ngx_uint_t durable)
{
    ngx_http_longpoll_control_t  control;

    ngx_memzero(&control, sizeof(control));

    control.kind = kind;
    control.number = number;
    control.epoch = epoch;
    control.key[0] = 1;
    control.key[1] = 2;
    control.valid_from = epoch;
    control.durable = durable;

    load_control(&control);
}


void
load_base(uint64_t number, uint64_t epoch, ngx_uint_t durable)
{
    load_head(NGX_HTTP_LONGPOLL_CONTROL_BASE, number, epoch, durable);
}


void
load_after(uint64_t number, uint64_t epoch, ngx_uint_t durable)
{
    load_head(NGX_HTTP_LONGPOLL_CONTROL_AFTER, number, epoch, durable);
}


void
load_event(uint64_t epoch, uint64_t ms, ngx_uint_t n, const char *data)
{
    size_t                     len;
    u_char                     line[1024];
    ngx_str_t                  name = ngx_string("c");
    ngx_http_longpoll_msg_t    msg;

    msg.id = ngx_http_longpoll_id(ms, n);
    msg.data.data = (u_char *) data;
    msg.data.len = strlen(data);
    ngx_http_longpoll_id_uuid(&msg.uuid, msg.id, epoch);

    len = ngx_http_longpoll_golongpoll_line_len(&name, &msg, NULL);
    (void) ngx_http_longpoll_golongpoll_line(line, &name, &msg, NULL);

    load_bytes(line, len);
}


void
load_gone(uint64_t epoch, uint64_t ms, ngx_uint_t n)
{
    ngx_http_longpoll_control_t  control;

    ngx_memzero(&control, sizeof(control));

    control.kind = NGX_HTTP_LONGPOLL_CONTROL_DELETION;
    ngx_http_longpoll_id_uuid(&control.uuid, ngx_http_longpoll_id(ms, n),
                              epoch);
    load_control(&control);
}


void
load_drop(const char *name, uint64_t upto, uint64_t lost)
{
    uint64_t                     hash[2];
    ngx_http_longpoll_control_t  control;

    static const uint64_t  key[2] = { 1, 2 };

    ngx_memzero(&control, sizeof(control));
    ngx_http_longpoll_hash(hash, key, (u_char *) name, strlen(name));

    control.kind = NGX_HTTP_LONGPOLL_CONTROL_DROP;
    control.name = hash[1];
    control.upto = ngx_http_longpoll_id(upto, upto ? 0xf : 0);
    control.lost = ngx_http_longpoll_id(lost, lost ? 0xf : 0);
    load_control(&control);
}


void
load_rest(uint64_t ms)
{
    ngx_http_longpoll_control_t  control;

    ngx_memzero(&control, sizeof(control));

    control.kind = NGX_HTTP_LONGPOLL_CONTROL_REST;
    control.id = ngx_http_longpoll_id(ms, 0);
    load_control(&control);
}


/* the bytes that it says: missing more than there are */

void
load_end(int64_t missing)
{
    u_char                       line[NGX_HTTP_LONGPOLL_CONTROL_MAX];
    ngx_http_longpoll_control_t  control;

    ngx_memzero(&control, sizeof(control));

    control.kind = NGX_HTTP_LONGPOLL_CONTROL_END;
    control.id = ngx_http_longpoll_id(9000, 0);
    control.bytes = load_written + 100;
    control.bytes = load_written + missing
                    + (ngx_http_longpoll_control_print(line, &control) - line);
    load_control(&control);
}


/*
 * tests
 */


void
load_ok(ngx_uint_t good, const char *what)
{
    if (!good) {
        printf("# not so: %s\n", what);
        load_good = 0;
    }
}


static void
load_compare(const char *expected)
{
    if (load_got[0]) {
        load_got[strlen(load_got) - 1] = '\0';
    }

    if (strcmp(load_got, expected) != 0) {
        printf("#      got: %s\n# expected: %s\n", load_got, expected);
        load_good = 0;
    }
}


static void
load_begin(void)
{
    load_got[0] = '\0';
    load_log[0] = '\0';

    load_zone.sh = &load_sh;
    load_zone.size = LOAD_SIZE;
    ngx_str_set(&load_zone.name, "z");
    load_zone.persist.data = (u_char *) load_path;
    load_zone.persist.len = strlen(load_path);
    load_zone.dir = load_directory;

    ngx_memzero(&load_sh, sizeof(load_sh));
    load_sh.epoch = LOAD_EPOCH;
    load_sh.key[0] = 1;
    load_sh.key[1] = 2;
}


void
load_is(const char *expected)
{
    load_begin();

    /* until the log is read */

    load_sh.key[1] = 3;
    load_sh.clock.last_id = ngx_http_longpoll_id(9000000000000ULL, 0);

    if (ngx_http_longpoll_load(&load_zone, 0, NULL, &load_ngx_log) != NGX_OK) {
        load_say("refused ");
    }

    load_compare(expected);
}


void
load_merge_is(uint64_t behind, uint64_t early, const char *expected)
{
    uint64_t  wake;

    load_begin();

    load_sh.disk.read_upto = behind;
    load_sh.key[1] = load_key;
    load_sh.disk.read_early = early;
    load_sh.clock.last_id = behind;
    load_sh.born = 500;
    wake = 0;

    load_ok(ngx_http_longpoll_load(&load_zone, 0, &wake, &load_ngx_log)
            == NGX_OK, "a merge");
    load_compare(expected);
}


void
load_logged(const char *text)
{
    if (strstr(load_log, text) == NULL) {
        printf("# not logged: %s\n# but: %s", text, load_log);
        load_good = 0;
    }
}


void
load_has(const char *suffix, const char *content)
{
    int          fd;
    ssize_t      n;
    static char  got[LOAD_LINE];

    fd = open(load_named(suffix), O_RDONLY);
    n = read(fd, got, sizeof(got) - 1);
    close(fd);

    got[ngx_max(n, 0)] = '\0';

    if (n < 0 || strcmp(got, content) != 0) {
        printf("# %s has: %s\n# expected: %s\n", suffix, got, content);
        load_good = 0;
    }
}


void
load_test(const char *title)
{
    DIR            *dir;
    char            name[600];
    struct dirent  *entry;

    printf("%sok %lu - %s\n", load_good ? "" : "not ",
           (unsigned long) ++load_n, title);

    load_bad += !load_good;
    load_good = 1;
    load_written = 0;

    if (load_fd != -1) {
        close(load_fd);
        load_fd = -1;
    }

    dir = opendir(load_dir);

    while ((entry = readdir(dir)) != NULL) {
        snprintf(name, sizeof(name), "%s/%s", load_dir, entry->d_name);

        if (unlink(name) == -1 && strncmp(entry->d_name, "ev", 2) == 0) {
            (void) rmdir(name);
        }
    }

    closedir(dir);
    fflush(stdout);
}


int
main(int argc, char *const *argv)
{
    char  *tmp;

    tmp = getenv("TMPDIR");

    snprintf(load_dir, sizeof(load_dir), "%s/longpoll-load-XXXXXX",
             tmp ? tmp : "/tmp");

    if (mkdtemp(load_dir) == NULL) {
        perror(load_dir);
        return 1;
    }

    snprintf(load_path, sizeof(load_path), "%s/ev", load_dir);
    load_directory = open(load_dir, O_RDONLY|O_DIRECTORY);

    load_cases();

    (void) rmdir(load_dir);

    printf("1..%lu\n", (unsigned long) load_n);

    return load_bad ? 1 : 0;
}
