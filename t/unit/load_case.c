
/*
 * load_case.c: logs by hand, and what is loaded of them.
 */


#include "load.h"


#define LOAD_U1  "c35649ee-584e-43c6-8000-b8252c272943"
#define LOAD_U2  "f7257136-bb8f-4d29-8000-3532fcc0b33a"
#define LOAD_U3  "a5d60137-e217-457d-8000-92cfd8207c77"

/* a line of golongpoll's */

#define load_line(ms, data, id)                                               \
    "{\"timestamp\":" ms ",\"category\":\"c\",\"data\":" data ",\"id\":\""    \
    id "\"}"

#define load_bare(ms, data)                                                   \
    "{\"timestamp\":" ms ",\"category\":\"c\",\"data\":" data "}"


static void
load_of_others(void)
{
    load_is("");
    load_test("a log that is not there is empty");

    load_file("");
    load_is("");
    load_test("an empty file is a log");

    load_file("");
    load_text("\n" load_line("1000", "1", LOAD_U1)
              "\n" load_line("1000", "\"a\"", LOAD_U2)
              "\n" load_line("2000", "{\"b\": [3]}", LOAD_U3));
    load_is("1 \"a\"@ {\"b\": [3]} stale believed");
    load_logged("loaded 3 of 3 events from");
    load_test("golongpoll's file is loaded, though its last line has no end");

    load_file("");
    load_text(load_bare("1000", "1") "\n" load_bare("1000", "null") "\n"
              load_line("2000", "null", LOAD_U1) "\n");
    load_is("1 null@ null believed");
    load_test("an event without an id gets one, and null is data");

    load_file("");
    load_text("\xef\xbb\xbf" load_line("1000", "1", LOAD_U1) "\r\n\r\n\n"
              load_line("2000", "2", LOAD_U2) "\r\n");
    load_is("1 2 stale believed");
    load_test("CRLF, a byte order mark and empty lines do no harm");

    load_file("");
    load_text("\xef\xbb\xbf\n" load_line("3000", "3", LOAD_U1) "\n"
              load_line("1000", "1", LOAD_U2) "\n"
              load_bare("3000", "4") "\n" load_bare("1000", "2") "\n");
    load_is("1 2@ 3 4@ stale believed");
    load_test("events are sorted by time, those of one ms keep their order");

    load_file("");
    load_text(load_line("1000", "\"\\ud83d\"", LOAD_U1) "\n"
              load_line("2000", "[1,\r2]", LOAD_U2) "\n");
    load_is("\"\\ufffd\" [1, 2] believed");
    load_test("data is stored as if it was published");

    load_file("");
    load_text(load_line("1000", "1", "01784380-82e9-7000-8123-456789abcdef")
              "\n");
    load_is("1");
    load_test("a file of own events without a head is not believed");

    load_file("");
    load_base(7, 10, 1);
    load_text(load_line("1000", "1", LOAD_U1) "\n"
              "{\"timestamp\":2000,\"category\":\"c\",\"data\":2,\"id\":\""
              LOAD_U2 "\",\"key\":\"0123456789abcdef00000000000000f0\"}\n"
              "{\"timestamp\":3000,\"category\":\"c\",\"data\":3,\"key\":5}\n");
    load_is("1 2 key:123456789abcdef/f0 3 after:7 valid:10 head believed");
    load_test("the hash of an idempotency key is read back");

    load_file("");
    load_text(load_line("1000", "1", LOAD_U1) "\n"
              load_line("4102444800000", "2", LOAD_U2) "\n"
              load_line("4102444800001", "3", LOAD_U3) "\n");
    load_is("1 2 3 believed");
    load_logged("line 2 is the first of 2 events that are ahead of the clock");
    load_test("events of a time to come are named");
}


static void
load_foreign(void)
{
    ngx_uint_t  i;

    load_file("");
    load_text("hello\n\n" load_line("1000", "1", LOAD_U1) "\n{\"a\":1}\n"
              "#{\"what\":1}\n# comment\n" load_line("9", "1e400", LOAD_U2)
              "\n" load_line("1000", "2", LOAD_U3) "\r\nlast");
    load_is("1 2@ skipped:6 stale");
    load_logged("/ev\" line 1 is not an event, skipping it");
    load_logged("/ev\" line 4 is not an event");
    load_logged("/ev\" line 9 is not an event");
    load_ok(ngx_http_longpoll_load_skipped_save(&load_zone, 0, NULL) == NGX_OK,
            "saved");
    load_has(".bad", "hello\n{\"a\":1}\n#{\"what\":1}\n# comment\n"
             load_line("9", "1e400", LOAD_U2) "\nlast\n");
    load_test("other lines are skipped, named as an editor counts, and saved");

    load_file("");
    load_text(load_line("1000", "1", LOAD_U1) "\n");

    for (i = 0; i < 105; i++) {
        load_text("x\n");
    }

    load_is("1 skipped:105");
    load_logged("line 101 is not");
    load_ok(strstr(load_log, "line 102 is not") == NULL, "100 lines");
    load_logged("5 more lines are skipped");
    load_test("a hundred lines that are skipped are named, the others counted");

    load_file("");
    load_base(7, 10, 1);
    load_event(10, 1000, 0, "1");
    load_text("hello\n");
    load_file(".00000007");
    load_text("old\n");
    load_file(".00000008");
    load_after(7, 10, 1);
    load_text("x\r\n");
    load_event(10, 2000, 0, "2");
    load_is("1 2 after:8 segment:8 valid:10 skipped:2 head stale "
            "believed");
    load_logged("/ev.00000008\" line 2 is not an event");
    load_ok(ngx_http_longpoll_load_skipped_save(&load_zone, 7, NULL) == NGX_OK,
            "saved");
    load_has(".bad", "hello\n");
    load_ok(ngx_http_longpoll_load_skipped_save(&load_zone, 8, NULL) == NGX_OK,
            "saved");
    load_has(".bad", "hello\nhello\nx\r\n");
    load_test("what a base will not replace is not saved");
}


static void
load_refused(void)
{
    static const char  gzip[] = "\x1f\x8b\x08\0\0\n\0\x03\n\x80";
    static const char  utf16[] = "{\0\"\0t\0\"\0:\0001\0}\0\r\0\n\0";

    load_file("");
    load_bytes(gzip, sizeof(gzip) - 1);
    load_is("refused");
    load_logged("is no file of events");
    load_test("a compressed file is refused");

    load_file("");
    load_bytes(utf16, sizeof(utf16) - 1);
    load_is("refused");
    load_test("UTF-16 is refused");

    load_file("");
    load_text("[\n  {\n    \"timestamp\": 1\n  }\n]\n");
    load_is("refused");
    load_test("a pretty-printed array is refused");

    load_file("");
    load_text("root:x:0:0:root:/root:/bin/sh\n");
    load_file(".00000003");
    load_after(2, 10, 1);
    load_event(10, 1000, 0, "1");
    load_is("refused");
    load_has("", "root:x:0:0:root:/root:/bin/sh\n");
    load_ok(access((char *) load_zone.persist.data, F_OK) == 0, "it is there");
    load_test("another program's file is refused, and stays as it is");

    load_ok(mkdir((char *) load_zone.persist.data, 0700) == 0, "mkdir");
    load_is("refused");
    load_logged("open failed, file");
    load_test("a directory is refused");

    load_ok(symlink("/dev/null", (char *) load_zone.persist.data) == 0, "link");
    load_is("refused");
    load_test("a link is refused");

    load_ok(mkfifo((char *) load_zone.persist.data, 0600) == 0, "mkfifo");
    load_is("refused");
    load_test("a pipe is refused, and not waited for");
}


static void
load_segments(void)
{
    load_file("");
    load_base(7, 10, 0);
    load_event(10, 1000, 0, "1");
    load_file(".00000006");
    load_after(5, 10, 0);
    load_event(10, 1500, 0, "\"old\"");
    load_file(".00000008");
    load_after(7, 10, 0);
    load_event(10, 2000, 0, "2");
    load_file(".00000009");
    load_after(8, 11, 0);
    load_event(11, 3000, 0, "3");
    load_is("1 2 3 after:9 segment:9 valid:11 head");
    load_test("a base is followed by the segments that it did not replace");

    load_file("");
    load_base(7, 10, 1);
    load_file(".00000009");
    load_after(3, 10, 1);
    load_event(10, 1000, 0, "1");
    load_is("1 after:9 segment:9 valid:10 head believed");
    load_test("the first segment may follow one that the base replaced");

    load_file("");
    load_base(7, 10, 1);
    load_file(".00000009");
    load_after(8, 10, 1);
    load_event(10, 1000, 0, "1");
    load_is("1 after:9 segment:9 valid:10 head stale");
    load_test("a segment that is gone is missed, in front, until a base comes");

    load_file("");
    load_base(7, 10, 1);
    load_file(".00000008");
    load_after(7, 10, 1);
    load_file(".00000010");
    load_after(9, 10, 1);
    load_is("after:10 segment:10 valid:10 head stale");
    load_test("and in the middle");

    load_file("");
    load_base(7, 10, 1);
    load_file(".00000008");
    load_text("x\n");
    load_after(7, 0, 1);
    load_event(0, 1000, 0, "1");
    load_is("after:7 segment:8 valid:10 skipped:3 head believed");
    load_test("of a segment that does not begin as one no line counts");

    load_file("");
    load_text(load_line("1000", "1", LOAD_U1) "\n");
    load_file(".00000008");
    load_after(7, 10, 1);
    load_event(10, 2000, 0, "2");
    load_is("1 segment:8 believed");
    load_logged("does not say which segments are behind it");
    load_test("without a head no segment is read, but its number is known");

    load_file("");
    load_base(7, 10, 1);
    load_event(9, 1000, 0, "1");
    load_text(load_line("1000", "2", LOAD_U1) "\n");
    load_file(".00000008");
    load_after(7, 10, 1);
    load_event(9, 2000, 0, "3");
    load_text(load_line("2000", "4", LOAD_U2) "\n");
    load_event(10, 2000, 5, "5");
    load_text(load_line("2001", "6", "00000000-07d0-7000-8000-00000000000a")
              "\n");
    load_is("1 2@ 5 after:8 segment:8 valid:10 skipped:3 head believed");
    load_test("a segment has events of its own epoch only");
}


static void
load_order(void)
{
    ngx_uint_t  i;
    char        suffix[32];

    load_file("");
    load_base(7, 10, 1);
    load_file(".00000008");
    load_after(7, 10, 1);
    load_event(10, 3000, 0, "3");
    load_event(10, 1000, 0, "1");
    load_event(10, 2000, 0, "\"torn\"");
    load_file(".00000009");
    load_after(8, 10, 1);
    load_event(10, 2000, 0, "2");
    load_event(10, 4000, 0, "4");
    load_is("1 2 3 4 after:9 segment:9 valid:10 head believed");
    load_test("segments are sorted by id, and each event counts once");

    load_file("");
    load_base(7, 10, 1);
    load_file(".00000008");
    load_after(7, 10, 1);
    load_event(10, 1000, 0, "1");
    load_event(10, 2000, 0, "\"torn\"");
    load_event(10, 2000, 0, "2");
    load_event(10, 3000, 0, "3");
    load_is("1 2 3 after:8 segment:8 valid:10 head believed");
    load_test("also in one segment: the later line counts");

    load_file("");
    load_base(7, 10, 1);
    load_text("#{\"rest\":9223372036854775808}\n");
    load_after(7, 10, 1);
    load_base(8, 10, 1);
    load_event(10, 1000, 0, "1");
    load_is("1 after:7 valid:10 skipped:3 head believed");
    load_test("a control line that cannot stand there is skipped");

    load_file("");
    load_base(1, 10, 1);

    for (i = 2; i < 90; i++) {
        sprintf(suffix, ".%08d", (int) i);
        load_file(suffix);
        load_after(i - 1, 10, 1);
    }

    load_is("after:89 segment:89 valid:10 head stale believed");
    load_test("a log of many segments wants a base");
}


static void
load_torn(void)
{
    static const char  hole[] = "\0\0\0\0\n";

    load_file("");
    load_base(7, 10, 1);
    load_file(".00000008");
    load_after(7, 10, 1);
    load_event(10, 1000, 0, "1");
    load_text("{\"timestamp\":2000,");
    load_is("1 after:8 segment:8 valid:10 head stale believed");
    load_ok(load_log[0] == 'l' && strstr(load_log, "skipping") == NULL,
            "nothing is said");
    load_test("a line without its end was never acknowledged");

    load_file("");
    load_base(7, 10, 1);
    load_file(".00000008");
    load_after(7, 10, 1);
    load_bytes("\0\0{\"timestamp\"", 13);
    load_bytes("\n", 1);
    load_event(10, 2000, 0, "2");
    load_bytes("\0\0\0\0\0\0", 6);
    load_is("2 after:8 segment:8 valid:10 head stale believed");
    load_test("nor was one with zeros, and what is behind it is loaded");

    load_file("");
    load_base(7, 10, 1);
    load_bytes("a\0b\n\0\0\n", 7);
    load_event(10, 1000, 0, "1");
    load_is("1 after:7 valid:10 skipped:1 head stale believed");
    load_logged("/ev\" line 2 is not an event");
    load_ok(ngx_http_longpoll_load_skipped_save(&load_zone, 7, NULL) == NGX_OK,
            "saved");
    load_test("but in a base, which was synced whole, it is another program's");

    load_file("");
    load_base(7, 10, 0);
    load_file(".00000008");
    load_after(7, 10, 0);
    load_bytes(hole, 5);
    load_event(10, 1000, 0, "1");
    load_after(7, 10, 1);
    load_is("1 after:8 segment:8 valid:10 head stale");
    load_test("durable:1 behind zeros is not believed");

    load_file("");
    load_base(7, 10, 0);
    load_file(".00000008");
    load_after(7, 10, 0);
    load_bytes(hole, 5);
    load_end(0);
    load_is("after:8 segment:8 valid:10 head stale");
    load_test("an end behind zeros is not believed");

    load_file("");
    load_base(7, 10, 0);
    load_file(".00000008");
    load_after(7, 10, 0);
    load_bytes(hole, 5);
    load_file(".00000009");
    load_after(8, 10, 0);
    load_event(10, 1000, 0, "1");
    load_end(0);
    load_is("1 after:9 segment:9 valid:10 head stale believed");
    load_test("but one in the next segment is");

    load_file("");
    load_base(7, 10, 1);
    load_file(".00000008");
    load_bytes(hole, 5);
    load_event(10, 1000, 0, "1");
    load_text("x\n");
    load_is("after:7 segment:8 valid:10 head stale believed");
    load_test("a segment whose first line is torn never was synced");

    load_file("");
    load_base(7, 10, 1);
    load_text("{\"timestamp\":");
    load_is("after:7 valid:10 head stale believed");
    load_test("a base has no line without an end");

    load_file("");
    load_text("#{\"base\":7,\"life\":\"000000000000000a\",\"hash\":\"00000000"
              "000000010000000000000002\",\"last\":0,\"trusted\":0,"
              "\"durable\":1}");
    load_is("refused");
    load_test("a head without a line end is none");
}


static void
load_long(void)
{
    char         *p;
    ngx_uint_t    i;
    struct stat   st;

    p = malloc(3 << 20);
    memset(p, 'x', 3 << 20);

    load_file("");
    load_text(load_line("1000", "1", LOAD_U1) "\n");
    load_bytes(p, 3 << 20);
    load_text("\n" load_line("2000", "2", LOAD_U2) "\n");
    load_bytes(p, LOAD_SIZE / 2);
    load_text("\n");
    load_bytes(p, 3 << 20);
    load_is("1 2 skipped:3");
    load_logged("line 2 is longer than any event");
    load_logged("line 5 is longer than any event");
    load_ok(ngx_http_longpoll_load_skipped_save(&load_zone, 0, NULL) == NGX_OK,
            "saved");
    load_file(".x");
    load_ok(stat((char *) load_zone.persist.data, &st) == 0, "stat");
    load_test("a line of any length is skipped");

    load_file("");
    load_text(load_line("1000", "1", LOAD_U1) "\n{\"timestamp\":2000,"
              "\"category\":\"c\",\"data\":\"");
    load_bytes(p, LOAD_SIZE / 4 - 30);
    load_text("\"}\n" load_line("3000", "3", LOAD_U2) "\n");
    load_is("1 3 skipped:1");
    load_logged("line 2 is an event too large for the zone");
    load_logged("loaded 2 of 3 events");
    load_test("an event that is too large for the zone is skipped");

    load_file("");
    load_text("{\"timestamp\":2000,\"category\":\"c\",\"data\":\"");
    load_bytes(p, LOAD_SIZE / 4 - 30);
    load_text("\"}\n");
    load_is("skipped:1");
    load_test("a file of such events is a log");

    /* the longest line that fits, and pieces that end anywhere in it */

    for (i = 0; i < 40; i++) {
        load_file("");
        load_bytes(p, (1 << 20) - 20 + i);
        load_bytes("\na\0b\n", 5);
        load_text(load_line("1000", "1", LOAD_U1) "\n\n"
                  load_line("2000", "2", LOAD_U2));
        load_is("1 2 skipped:2 stale");
    }

    load_test("lines are found wherever a piece of the file ends");

    load_file("");
    load_base(7, 10, 1);
    load_event(10, 1000, 0, "1");
    load_ok(truncate((char *) load_zone.persist.data, 2LL << 40) == 0
            || errno == EFBIG, "truncate");
    load_file(".00000008");
    load_after(7, 10, 1);
    load_event(10, 2000, 0, "2");
    load_is("1 2 after:8 segment:8 valid:10 head stale believed");
    load_test("a hole of 2 TB is passed");

    load_file("");
    load_bytes(p, 2 << 20);
    load_ok(truncate((char *) load_zone.persist.data, 3 << 20) == 0, "a hole");
    load_text("\n" load_line("1000", "1", LOAD_U1) "\n");
    load_is("1 stale believed");
    load_test("a line with a hole is torn, wherever the hole begins");

    load_file("");
    load_bytes(p, 2 << 20);
    load_bytes("", 1);
    load_bytes(p, 1 << 20);
    load_text("\n" load_line("1000", "1", LOAD_U1) "\n");
    load_is("1 stale believed");
    load_test("a long line with a zero anywhere is torn");

    free(p);
}


/* the file has more than the loader reads at once */

static uint64_t  load_line_at[3];

#define load_data_at(i)                                                       \
    (load_line_at[i] + sizeof("{'timestamp':2000,'category':'c','data':") - 1)


static void
load_damage(void)
{
    int  fd;

    fd = open((char *) load_zone.persist.data, O_WRONLY);

    load_ok(pwrite(fd, "{]", 2, load_data_at(0)) == 2, "a value is damaged");
    load_ok(pwrite(fd, "55", 2, load_data_at(1)) == 2, "a value is another");

    close(fd);
}


static void
load_cut(void)
{
    load_ok(truncate((char *) load_zone.persist.data, load_data_at(2)) == 0,
            "the file is cut");
}


static void
load_pieces(void)
{
    ngx_uint_t  i;

    static char  blanks[100000];

    memset(blanks, '\n', sizeof(blanks));

    load_file("");
    load_base(7, 10, 1);
    load_event(10, 1000, 0, "11");
    load_bytes(blanks, sizeof(blanks));

    for (i = 0; i < 3; i++) {
        load_line_at[i] = load_total();
        load_event(10, 2000 + i, 0, "22");
    }
}


static void
load_changes(void)
{
    load_pieces();
    load_is("11 22 22 22 after:7 valid:10 head stale believed");
    load_test("a file is read again where it is not in memory any more");

    load_pieces();
    load_meanwhile = load_damage;
    load_is("11 55 22 after:7 valid:10 head stale");
    load_test("a line that has changed meanwhile is judged again");

    load_pieces();
    load_meanwhile = load_cut;
    load_is("11 22 22 after:7 valid:10 head stale");
    load_test("a file that was cut meanwhile is loaded as far as it goes");
}


static void
load_notes(void)
{
    ngx_uint_t  i, n;

    load_file("");
    load_base(7, 10, 1);
    load_event(10, 1000, 0, "1");
    load_event(10, 2000, 0, "2");
    load_file(".00000008");
    load_after(7, 10, 1);
    load_gone(10, 2000, 0);
    load_gone(10, 4000, 0);
    load_event(10, 3000, 0, "3");
    load_event(10, 4000, 0, "4");
    load_is("1 3 after:8 segment:8 valid:10 head believed");
    load_test("a message that is gone is not loaded, wherever the note stands");

    load_file("");
    load_base(7, 10, 1);
    load_event(10, 1000, 0, "1");
    load_file(".00000008");
    load_after(7, 10, 1);
    load_event(10, 2000, 0xf, "2");
    load_event(10, 2000, 0x10, "3");
    load_drop("c", 2000, 0);
    load_drop("c", 0, 1500);
    load_drop("c", 1000, 1000);
    load_drop("d", 0, 700);
    load_is("3 lost:c=1500 lost:d=700 after:8 segment:8 valid:10 head "
            "believed");
    load_test("nothing is loaded of what was dropped, and losses are told");

    load_file("");
    load_base(7, 10, 1);
    load_drop("c", 1999, 1000);
    load_text(load_line("1998", "1", LOAD_U1) "\n"
              load_line("1999", "6", LOAD_U3) "\n"
              load_line("2000", "2", LOAD_U2) "\n");
    load_is("6 2 lost:c=1000 after:7 valid:10 head believed");
    load_drop("c", 1999, 2000);
    load_event(10, 2000, 0xf, "3");
    load_event(10, 2000, 0x10, "4");
    load_text(load_line("2001", "5", "00000000-07d0-7000-8000-00000000000a")
              "\n");
    load_rest(1234);
    load_is("2 4 5 lost:c=2000 lost:1235 after:7 valid:10 head believed");
    load_test("where an id is another program's its time is compared");

    for (i = 30; i < 34; i++) {
        load_file("");
        load_base(7, 10, 1);
        load_event(10, 1000, 0, "1");

        for (n = 0; n < i * 2; n++) {
            load_gone(10, 2000, n);
            load_event(10, 2000, n, "\"gone\"");
        }

        load_event(10, 3000, 0, "3");
        load_is("1 3 after:7 valid:10 head believed");
    }

    load_test("any number of notes is kept");

    load_file("");
    load_base(7, 10, 1);
    load_drop("d", 5000, 5000);
    load_text("{\"timestamp\":0,\"category\":\"c\",\"data\":1}\n");
    load_drop("c", 0, 0);
    load_is("1@ lost:d=5000 after:7 valid:10 head believed");
    load_test("another category is not dropped, nor what is of no time");
}


static void
load_ends(void)
{
    load_file("");
    load_base(7, 10, 0);
    load_event(10, 1000, 0, "1");
    load_file(".00000008");
    load_after(7, 10, 0);
    load_end(0);
    load_is("1 after:8 segment:8 valid:10 head believed");
    load_test("a log with an end is believed");

    load_file("");
    load_base(7, 10, 0);
    load_event(10, 1000, 0, "1");
    load_file(".00000008");
    load_after(7, 10, 0);
    load_end(1);
    load_is("1 after:8 segment:8 valid:10 head");
    load_test("not if a byte is missing");

    load_file("");
    load_base(7, 10, 0);
    load_file(".00000008");
    load_after(7, 10, 0);
    load_text("\n");
    load_end(0);
    load_event(10, 1000, 0, "1");
    load_is("1 after:8 segment:8 valid:10 head stale");
    load_test("nor if the end is not the last line");

    load_file("");
    load_base(7, 10, 0);
    load_file(".00000008");
    load_after(7, 10, 0);
    load_end(0);
    load_file(".00000009");
    load_is("after:8 segment:9 valid:10 head");
    load_test("nor if another segment was begun");

    load_file("");
    load_base(7, 10, 0);
    load_text("hello\n");
    load_file(".00000008");
    load_after(7, 10, 0);
    load_end(0);
    load_is("after:8 segment:8 valid:10 skipped:1 head");
    load_test("nor if a line is not ours");

    load_file("");
    load_base(7, 10, 0);
    load_file(".00000008");
    load_after(7, 10, 0);
    load_after(7, 10, 1);
    load_event(10, 1000, 0, "1");
    load_is("1 after:8 segment:8 valid:10 head believed");
    load_test("a log that was durable is believed without an end");

    load_file("");
    load_base(7, 10, 1);
    load_file(".00000008");
    load_after(7, 10, 1);
    load_after(7, 10, 0);
    load_is("after:8 segment:8 valid:10 head");
    load_test("not if that was taken back");

    load_file("");
    load_base(7, 10, 1);
    load_file(".restored");
    load_is("after:7 valid:10 head restored");
    load_test("an older copy that was put back is not believed");
}


static void
load_merges(void)
{
    uint64_t  behind;

    behind = ngx_http_longpoll_id(2000, 0);

    load_file("");
    load_base(7, 10, 1);
    load_event(10, 1000, 0, "1");
    load_event(10, 2000, 0, "2");
    load_event(10, 3000, 0, "3");
    load_text(load_line("5000", "\"v4\"", LOAD_U1) "\n");
    load_file(".00000008");
    load_after(7, 10, 1);
    load_event(10, 5000, 0, "5");
    load_event(10, 4000, 0, "4");
    load_event(10, 5000, 0, "5");
    load_file(".00000009");
    load_after(8, LOAD_EPOCH, 1);
    load_event(LOAD_EPOCH, 6000, 0, "6");
    load_merge_is(behind, 0, "3 4 5 after:9 segment:9 valid:153 head believed");
    load_test("a merge takes what others wrote since, once, by its ids");

    load_file("");
    load_base(7, 10, 1);
    load_event(10, 3000, 0, "3");
    load_gone(10, 3000, 0);
    load_drop("c", 4000, 0);
    load_event(10, 4000, 0, "4");
    load_event(10, 4000, 0x10, "5");
    load_merge_is(behind, 0, "drop:c=4000 5 after:7 valid:10 head believed");
    load_test("but not what is gone, and it drops what the other dropped");

    load_file("");
    load_base(7, 10, 1);
    load_drop("d", 0, 1000);
    load_rest(1000);
    load_merge_is(behind, 0, "lost:d=1000 lost:1001 after:7 valid:10 head "
                  "believed");
    load_test("losses that were read are no news");

    load_file("");
    load_base(7, 10, 1);
    load_rest(3000);
    load_merge_is(behind, 0, "lost:3001 after:7 valid:10 head moved believed");
    load_test("a later loss of an unknown category is told");

    load_file("");
    load_base(7, 10, 1);
    load_drop("d", 0, 3000);
    load_event(10, 4000, 0, "4");
    load_merge_is(behind, 0, "lost:d=3000 4 after:7 valid:10 head believed");
    load_test("a loss comes before the events, ahead of all cursors here");

    load_file("");
    load_base(7, 10, 1);
    load_event(10, 1000, 0, "\"old\"");
    load_event(8, 499, 0, "\"older\"");
    load_event(11, 900, 0, "1");
    load_event(11, 1500, 0, "2");
    load_event(11, 3000, 0, "3");
    load_merge_is(behind, 0, "1@ 2@ 3 after:7 valid:10 head moved believed");
    load_merge_is(behind, ngx_http_longpoll_id(900, 0),
                  "2@ 3 after:7 valid:10 head moved believed");
    load_test("what an nginx took beside this one is taken, whatever its ids");

    load_file("");
    load_base(7, 10, 1);
    load_event(10, 3000, 0, "3");
    load_text("{\"timestamp\":3000,\"category\":\"c\",\"data\":4,\"id\":\""
              "00000000-0bb8-7000-8400-00000000000a\",\"key\":"
              "\"0123456789abcdef00000000000000f0\"}\n");
    load_drop("c", 0, 2500);
    load_key = 3;
    load_merge_is(behind, 0, "3 4 lost:2501 after:7 valid:10 head moved "
                  "believed");
    load_key = 2;
    load_merge_is(behind, 0, "lost:c=2500 3 4 key:123456789abcdef/f0 after:7 "
                  "valid:10 head believed");
    load_test("where the hashes have another key they mean nothing");

    load_file("");
    load_text("x\n");
    load_merge_is(behind, 0, "skipped:1");
    load_test("a PATH that is another program's has nothing to take");
}


void
load_cases(void)
{
    load_of_others();
    load_foreign();
    load_refused();
    load_segments();
    load_order();
    load_torn();
    load_long();
    load_changes();
    load_notes();
    load_ends();
    load_merges();
}
