
/*
 * text.h: the unit tests of src/wire/, bytes in, struct or error out, and back.
 *
 * Every rule has a test by hand with a title; then come random cases.  The
 * second opinions of text_model.h are asked about all of them.  Every input and
 * output stands in a piece of malloc() of just its size, so that the sanitizers
 * see one byte too many.
 *
 *     text.c              the frame, the command line
 *     text_id.c           ids
 *     text_query.c        queries of polls
 *     text_json.c         publish bodies
 *     text_number.c       numbers that a double holds
 *     text_value.c        texts and values as JSON, UTF-8
 *     text_golongpoll.c   golongpoll's answers
 *     text_line.c         the events of a file
 *     text_sse.c          frames of a stream, and the request for one
 *     text_control.c      the other lines of a log
 *     text_entry.c        entries of a stream in Redis
 *     text_reply.c        replies of Redis
 *     text_model*.c       second opinions
 *     text_stub.c         what src/wire/ uses of nginx
 *     text_pool.c         the same, of its pools
 */


#ifndef _TEXT_H_INCLUDED_
#define _TEXT_H_INCLUDED_


#include <ngx_http_longpoll_control.h>
#include <ngx_http_longpoll_escape.h>
#include <ngx_http_longpoll_golongpoll.h>
#include <ngx_http_longpoll_id.h>
#include <ngx_http_longpoll_json.h>
#include <ngx_http_longpoll_number.h>
#include <ngx_http_longpoll_query.h>
#include <ngx_http_longpoll_sse.h>
#include <ngx_http_longpoll_string.h>
#include <ngx_http_longpoll_utf8.h>

#include <time.h>

#include "text_model.h"
#include "unit.h"


#define TEXT_MAX     120            /* seconds, max_timeout of the queries */

#define text_lit(s)  (u_char *) s, sizeof(s) - 1

#define TEXT_T  "timeout=9"

#define TEXT_BAD_TIMEOUT                                                      \
    "error: Invalid or missing 'timeout' arg.  Must be 1-120."
#define TEXT_BAD_CATEGORY                                                     \
    "error: Invalid subscription category, must be 1-1024 characters long."
#define TEXT_TOO_MANY   "error: Too many categories, must be 1-64."
#define TEXT_BAD_SINCE  "error: Invalid 'since_time' arg."
#define TEXT_NO_SINCE                                                         \
    "error: Must provide 'since_time' arg when providing 'last_id'."
#define TEXT_BAD_ID     "error: Param 'last_id' was not a valid UUID."
#define TEXT_BAD_RECENT                                                       \
    "error: Invalid 'recent' arg.  Must be 1-1000."

/* a text so long that yajl does not read all of it */

#define TEXT_50    "abcdefghij klmnopqrst uvwxyz, 0123456789: {[ }] \x7f."
#define TEXT_200   TEXT_50 TEXT_50 TEXT_50 TEXT_50

#define TEXT_LONG(a, b)  "\"" a TEXT_200 b "\""


#define TEXT_BAD_JSON   "error: Invalid POST body json."
#define TEXT_NO_NAME                                                          \
    "error: Invalid or missing 'category' arg, must be 1-1024 characters long."
#define TEXT_NO_DATA                                                          \
    "error: Invalid or missing 'data' arg, must be non-nil."

#define TEXT_V7      "0198c0de-0001-7abc-9123-456789abcdef"
#define TEXT_V7_ID   "198c0de0001abc4/123456789abcdef"
#define TEXT_V4      "6ba7b810-9dad-41d1-80b4-00c04fd430c8"


typedef struct {
    const char  *in;
    const char  *out;       /* NULL: as the model says */
} text_case_t;


/* random cases of each kind */
extern ngx_uint_t  text_rounds;

/* the test at hand has not failed so far */
extern ngx_uint_t  text_good;

/* what the module said, and what the model says, as a line */
extern char        text_got[MODEL_LINE];
extern char        text_model_line[MODEL_LINE];


/* text.c */

/* the test at hand ends; what it had of text_piece() is freed */
void text_end(const char *title);

/* the test at hand fails: with these bytes; unless good; unless text_got is */
void text_say(const char *what, const u_char *in, size_t len, const char *got,
    const char *expected);
void text_ok(ngx_uint_t good, const char *what);
void text_is(const char *what, const u_char *in, size_t len,
    const char *expected);

/* bytes of just that size; and the last n of these freed */
u_char *text_piece(const void *p, size_t len);
u_char *text_fill(u_char c, size_t len);
void text_drop(ngx_uint_t n);


/* text_query.c: what was read, as a line in text_got */
void text_query_line(ngx_http_longpoll_query_t *q);

/* text_json.c: each of these bodies, as the module and the model read it */
void text_jsons(text_case_t *cases, const char *title);

/* text_value.c: valid JSON, as the zone stores it */
void text_stored_is(const u_char *in, size_t len, const char *expected);


/* tests, by file */

void text_id(void);
void text_query_all(void);
void text_json_all(void);
void text_numbers(void);
void text_stored(void);
void text_texts(void);
void text_values(void);
void text_utf8(void);
void text_wire_names(void);
void text_wire_events(void);
void text_wire_timeouts(void);
void text_lines(void);
void text_controls(void);
void text_sse_all(void);
void text_entry_all(void);
void text_reply_all(void);


/* text_stub.c */

extern ngx_uint_t  text_stub_left;      /* allocations, then none succeeds */
extern ngx_uint_t  text_stub_allocs;
extern size_t      text_stub_bytes;     /* held now */
extern size_t      text_stub_peak;

void text_stub_reset(void);


#endif /* _TEXT_H_INCLUDED_ */
