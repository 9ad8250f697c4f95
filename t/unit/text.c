
/*
 * text.c: the unit tests of src/wire/; text.h says what is tested.
 *
 *     text [SEED [ROUNDS]]       all tests, as TAP
 *
 * Without a SEED it is UNIT_SEED, or 1.  A random case that fails is shown
 * whole.
 */


#include "text.h"


#define TEXT_PIECES  256


ngx_uint_t         text_rounds = 20000;
ngx_uint_t         text_good = 1;

char               text_got[MODEL_LINE];
char               text_model_line[MODEL_LINE];

static ngx_uint_t  text_n;
static ngx_uint_t  text_failed;

static void       *text_pieces[TEXT_PIECES];
static ngx_uint_t  text_npieces;


void
text_end(const char *title)
{
    text_n++;

    printf("%sok %lu - %s\n", text_good ? "" : "not ", (unsigned long) text_n,
           title);

    text_failed += !text_good;
    text_good = 1;

    text_stub_reset();

    while (text_npieces) {
        free(text_pieces[--text_npieces]);
    }

    fflush(stdout);
}


void
text_say(const char *what, const u_char *in, size_t len, const char *got,
    const char *expected)
{
    static char  line[MODEL_LINE * 4];

    text_good = 0;

    line[0] = '\0';
    model_show(line, "", in, ngx_min(len, MODEL_LINE), "");

    printf("# %s: %.3000s%s\n#      got: %.3000s\n# expected: %.3000s\n",
           what, line, strlen(line) > 3000 ? "..." : "", got, expected);
}


void
text_ok(ngx_uint_t good, const char *what)
{
    if (!good) {
        printf("# not so: %s\n", what);
        text_good = 0;
    }
}


void
text_is(const char *what, const u_char *in, size_t len, const char *expected)
{
    if (strcmp(text_got, expected) != 0) {
        text_say(what, in, len, text_got, expected);
    }
}


/* bytes of just that size, the test's */

u_char *
text_piece(const void *p, size_t len)
{
    u_char  *piece;

    if (text_npieces == TEXT_PIECES) {
        free(text_pieces[--text_npieces]);
    }

    piece = malloc(len);

    if (p && len) {
        memcpy(piece, p, len);
    }

    text_pieces[text_npieces++] = piece;

    return piece;
}


void
text_drop(ngx_uint_t n)
{
    while (n--) {
        free(text_pieces[--text_npieces]);
    }
}


u_char *
text_fill(u_char c, size_t len)
{
    return memset(text_piece(NULL, len), c, len);
}


int
main(int argc, char *const *argv)
{
    char  *seed;

    seed = (argc > 1) ? argv[1] : getenv("UNIT_SEED");
    unit_random_state = seed ? strtoull(seed, NULL, 0) : 1;

    if (argc > 2) {
        text_rounds = strtoul(argv[2], NULL, 0);
    }

    printf("# seed %llu\n", (unsigned long long) unit_random_state);

    text_id();
    text_query_all();
    text_json_all();
    text_numbers();
    text_stored();
    text_texts();
    text_values();
    text_wire_names();
    text_wire_events();
    text_wire_timeouts();
    text_lines();
    text_controls();
    text_sse_all();
    text_entry_all();
    text_reply_all();

    printf("1..%lu\n", (unsigned long) text_n);

    return text_failed ? 1 : 0;
}
