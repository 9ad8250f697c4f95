
/*
 * ngx_http_longpoll_control.c: the lines of a zone's log that are not events,
 * printed and read.
 *
 * Each kind of line has a template.  A capital letter in it stands for a field
 * of the struct; every other byte stands for itself.  Both directions use the
 * same template.
 *
 * A line that was read is printed again and compared.  So the reader of a field
 * may be a simple one: it takes "007", and digits beyond 2^64, but these are
 * not printed as they were read.
 */


#include "ngx_http_longpoll_control.h"
#include "ngx_http_longpoll_decimal.h"


#define NGX_HTTP_LONGPOLL_CONTROL_KINDS  6

#define ngx_http_longpoll_control_field(member)                               \
    offsetof(ngx_http_longpoll_control_t, member)


typedef enum {
    NGX_HTTP_LONGPOLL_CONTROL_NUMBER = 0,   /* decimal */
    NGX_HTTP_LONGPOLL_CONTROL_WORD,         /* 16 hexadecimal digits */
    NGX_HTTP_LONGPOLL_CONTROL_UUID
} ngx_http_longpoll_control_type_e;


typedef struct {
    u_char                             letter;
    ngx_http_longpoll_control_type_e   type;
    size_t                             offset;
} ngx_http_longpoll_control_field_t;


static ngx_http_longpoll_control_field_t *ngx_http_longpoll_control_find(
    u_char letter);
static ngx_int_t ngx_http_longpoll_control_read(
    ngx_http_longpoll_control_t *control, u_char *p, u_char *last);


/* in the order of ngx_http_longpoll_control_e */

static const char  *ngx_http_longpoll_control_templates[] = {
    "#{\"base\":N,\"life\":\"E\",\"hash\":\"KL\",\"last\":I,\"trusted\":V,"
        "\"durable\":D}",
    "#{\"after\":N,\"life\":\"E\",\"hash\":\"KL\",\"last\":I,\"trusted\":V,"
        "\"durable\":D}",
    "#{\"gone\":\"U\"}",
    "#{\"drop\":\"C\",\"upto\":T,\"lost\":S}",
    "#{\"rest\":I}",
    "#{\"end\":I,\"bytes\":B}"
};


static ngx_http_longpoll_control_field_t
    ngx_http_longpoll_control_fields[] = {

    { 'N', NGX_HTTP_LONGPOLL_CONTROL_NUMBER,
      ngx_http_longpoll_control_field(number) },
    { 'E', NGX_HTTP_LONGPOLL_CONTROL_WORD,
      ngx_http_longpoll_control_field(epoch) },
    { 'K', NGX_HTTP_LONGPOLL_CONTROL_WORD,
      ngx_http_longpoll_control_field(key[0]) },
    { 'L', NGX_HTTP_LONGPOLL_CONTROL_WORD,
      ngx_http_longpoll_control_field(key[1]) },
    { 'I', NGX_HTTP_LONGPOLL_CONTROL_NUMBER,
      ngx_http_longpoll_control_field(id) },
    { 'V', NGX_HTTP_LONGPOLL_CONTROL_NUMBER,
      ngx_http_longpoll_control_field(valid_from) },
    { 'D', NGX_HTTP_LONGPOLL_CONTROL_NUMBER,
      ngx_http_longpoll_control_field(durable) },
    { 'U', NGX_HTTP_LONGPOLL_CONTROL_UUID,
      ngx_http_longpoll_control_field(uuid) },
    { 'C', NGX_HTTP_LONGPOLL_CONTROL_WORD,
      ngx_http_longpoll_control_field(name) },
    { 'T', NGX_HTTP_LONGPOLL_CONTROL_NUMBER,
      ngx_http_longpoll_control_field(upto) },
    { 'S', NGX_HTTP_LONGPOLL_CONTROL_NUMBER,
      ngx_http_longpoll_control_field(lost) },
    { 'B', NGX_HTTP_LONGPOLL_CONTROL_NUMBER,
      ngx_http_longpoll_control_field(bytes) }
};


u_char *
ngx_http_longpoll_control_print(u_char *p, ngx_http_longpoll_control_t *control)
{
    void                               *value;
    const char                         *t;
    ngx_http_longpoll_control_field_t  *field;

    t = ngx_http_longpoll_control_templates[control->kind];

    for ( /* void */ ; *t; t++) {
        field = ngx_http_longpoll_control_find(*t);

        if (field == NULL) {
            *p++ = *t;
            continue;
        }

        value = (u_char *) control + field->offset;

        switch (field->type) {

        case NGX_HTTP_LONGPOLL_CONTROL_NUMBER:
            p = ngx_http_longpoll_decimal(p, *(uint64_t *) value);
            break;

        case NGX_HTTP_LONGPOLL_CONTROL_WORD:
            p = ngx_http_longpoll_id_print_word(p, *(uint64_t *) value);
            break;

        default: /* NGX_HTTP_LONGPOLL_CONTROL_UUID */
            p = ngx_http_longpoll_id_print(p, value);
        }
    }

    *p++ = LF;

    return p;
}


/* NULL: the byte stands for itself */

static ngx_http_longpoll_control_field_t *
ngx_http_longpoll_control_find(u_char letter)
{
    ngx_http_longpoll_control_field_t  *field;

    if (letter < 'A' || letter > 'Z') {
        return NULL;
    }

    field = ngx_http_longpoll_control_fields;

    while (field->letter != letter) {
        field++;
    }

    return field;
}


ngx_int_t
ngx_http_longpoll_control_parse(ngx_http_longpoll_control_t *control,
    u_char *p, size_t len)
{
    u_char      *last, buf[NGX_HTTP_LONGPOLL_CONTROL_MAX];
    ngx_uint_t   kind;

    for (kind = 0; kind < NGX_HTTP_LONGPOLL_CONTROL_KINDS; kind++) {

        ngx_memzero(control, sizeof(ngx_http_longpoll_control_t));
        control->kind = kind;

        if (ngx_http_longpoll_control_read(control, p, p + len) != NGX_OK
            || control->number > NGX_HTTP_LONGPOLL_CONTROL_LAST
            || control->durable > 1)
        {
            continue;
        }

        last = ngx_http_longpoll_control_print(buf, control) - 1;

        if ((size_t) (last - buf) == len && ngx_memcmp(buf, p, len) == 0) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_longpoll_control_read(ngx_http_longpoll_control_t *control,
    u_char *p, u_char *last)
{
    void                               *value;
    size_t                              len;
    uint64_t                           *n;
    const char                         *t;
    ngx_http_longpoll_control_field_t  *field;

    t = ngx_http_longpoll_control_templates[control->kind];

    for ( /* void */ ; *t; t++) {
        field = ngx_http_longpoll_control_find(*t);

        if (field == NULL) {

            if (p == last || *p++ != (u_char) *t) {
                return NGX_DECLINED;
            }

            continue;
        }

        value = (u_char *) control + field->offset;

        if (field->type == NGX_HTTP_LONGPOLL_CONTROL_NUMBER) {

            for (n = value; p < last && *p >= '0' && *p <= '9'; p++) {
                *n = *n * 10 + (*p - '0');
            }

            continue;
        }

        len = (field->type == NGX_HTTP_LONGPOLL_CONTROL_UUID)
              ? NGX_HTTP_LONGPOLL_ID_LEN : NGX_HTTP_LONGPOLL_ID_WORD_LEN;

        if ((size_t) (last - p) < len) {
            return NGX_DECLINED;
        }

        if (field->type == NGX_HTTP_LONGPOLL_CONTROL_UUID) {
            if (ngx_http_longpoll_id_parse(p, len, value) != NGX_OK) {
                return NGX_DECLINED;
            }

        } else if (ngx_http_longpoll_id_parse_word(p, value) != NGX_OK) {
            return NGX_DECLINED;
        }

        p += len;
    }

    return NGX_OK;
}
