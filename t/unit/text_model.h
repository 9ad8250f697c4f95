
/*
 * text_model.h: second opinions for the unit tests of src/wire/.
 *
 * Each is written from docs/protocol.md in another way than the module's own,
 * with no thought of speed: code points instead of bytes, recursion instead of
 * callbacks, copies instead of spans.  All say what they found as one line of
 * text, the same that the tests make of the module's answers.
 */


#ifndef _TEXT_MODEL_H_INCLUDED_
#define _TEXT_MODEL_H_INCLUDED_


#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define MODEL_LINE  (1 << 19)


typedef struct {
    size_t          len;
    unsigned char  *data;
} model_bytes_t;


/* text_model.c */

/* the bytes as they can be read, behind what stands in line */
void model_show(char *line, const char *open, const unsigned char *p,
    size_t len, const char *close);

/* the code point at p and its length, or -1 */
long model_rune(const unsigned char *p, size_t len, size_t *size);
int model_utf8(const unsigned char *p, size_t len);
size_t model_put(unsigned char *dst, long c);
int model_uuid(const unsigned char *p, size_t len, unsigned long long *id,
    unsigned long long *epoch);


/* text_model_query.c */

int model_is(model_bytes_t *b, const char *s);
void model_query(char *line, const unsigned char *args, size_t len,
    long long max);
size_t model_name(unsigned char *dst, const unsigned char *p, size_t len);


/* text_model_json.c */

void model_json(char *line, const unsigned char *body, size_t len);
void model_data(char *line, const unsigned char *body, size_t len);
void model_event(char *line, const unsigned char *body, size_t len);
void model_stored(unsigned char *p, size_t len);


#endif /* _TEXT_MODEL_H_INCLUDED_ */
