
/*
 * text_model_query.c: a second opinion about queries and names.
 */


#include "text_model.h"


static int
model_number(model_bytes_t *v, long long *n)
{
    char    s[64];
    size_t  i, start;

    if (v->len > sizeof(s) - 1) {
        start = (v->data[0] == '+' || v->data[0] == '-');

        /* leading zeros only */

        for (i = start; i < v->len - 25; i++) {
            if (v->data[i] != '0') {
                return 0;
            }
        }

        s[0] = start ? (char) v->data[0] : '0';
        memcpy(s + 1, v->data + v->len - 25, 25);
        s[26] = '\0';

        for (i = 1; i < 26; i++) {
            if (!isdigit((unsigned char) s[i])) {
                return 0;
            }
        }

    } else {
        memcpy(s, v->data, v->len);
        s[v->len] = '\0';

        start = (s[0] == '+' || s[0] == '-');

        if (v->len == start) {
            return 0;
        }

        for (i = start; i < v->len; i++) {
            if (!isdigit((unsigned char) s[i])) {
                return 0;
            }
        }
    }

    errno = 0;
    *n = strtoll(s, NULL, 10);

    return errno == 0;
}


static int
model_decode(model_bytes_t *dst, const unsigned char *p, size_t len)
{
    char    two[3];
    size_t  i;

    dst->data = malloc(len + 1);
    dst->len = 0;

    for (i = 0; i < len; i++) {

        if (p[i] == '%') {
            if (i + 2 >= len || !isxdigit(p[i + 1]) || !isxdigit(p[i + 2])) {
                free(dst->data);
                return 0;
            }

            two[0] = p[i + 1];
            two[1] = p[i + 2];
            two[2] = '\0';
            dst->data[dst->len++] = strtol(two, NULL, 16);
            i += 2;

        } else {
            dst->data[dst->len++] = p[i] == '+' ? ' ' : p[i];
        }
    }

    dst->data[dst->len] = '\0';

    return 1;
}


int
model_is(model_bytes_t *b, const char *s)
{
    return b->len == strlen(s) && memcmp(b->data, s, b->len) == 0;
}


/* the arguments of a query that count */

typedef struct {
    model_bytes_t   timeout;
    model_bytes_t   since;
    model_bytes_t   last_id;
    model_bytes_t   recent;
    model_bytes_t   cats[65];
    int             nc;
    int             bad;            /* a category is no name */
} model_args_t;


/* a category counts once; the value is the list's, or freed */

static void
model_category(model_args_t *a, model_bytes_t *value)
{
    int  i;

    if (value->len > 1024 || !model_utf8(value->data, value->len)) {
        a->bad = 1;
    }

    for (i = 0; i < a->nc; i++) {
        if (a->cats[i].len == value->len
            && !memcmp(a->cats[i].data, value->data, value->len))
        {
            break;
        }
    }

    if (i == a->nc && a->nc < 65) {
        a->cats[a->nc++] = *value;

    } else {
        free(value->data);
    }
}


/* one argument, decoded; of each but "category" the first one counts */

static void
model_argument(model_args_t *a, model_bytes_t *name, model_bytes_t *value)
{
    if (value->len == 0) {
        free(value->data);

    } else if (model_is(name, "timeout") && !a->timeout.len) {
        a->timeout = *value;

    } else if (model_is(name, "since_time") && !a->since.len) {
        a->since = *value;

    } else if (model_is(name, "last_id") && !a->last_id.len) {
        a->last_id = *value;

    } else if (model_is(name, "recent") && !a->recent.len) {
        a->recent = *value;

    } else if (model_is(name, "category")) {
        model_category(a, value);

    } else {
        free(value->data);
    }
}


static void
model_arguments(model_args_t *a, const unsigned char *p,
    const unsigned char *last)
{
    size_t                pair;
    model_bytes_t         name, value;
    const unsigned char  *eq;

    while (p < last) {
        pair = 0;

        while (p + pair < last && p[pair] != '&') {
            pair++;
        }

        eq = memchr(p, '=', pair);

        if (eq && memchr(p, ';', pair) == NULL
            && model_decode(&name, p, eq - p))
        {
            if (model_decode(&value, eq + 1, p + pair - eq - 1)) {
                model_argument(a, &name, &value);
            }

            free(name.data);
        }

        p += pair + 1;
    }
}


/* adds the cursor to line, or sets line to the error */

static void
model_cursor(char *line, model_args_t *a)
{
    int                 v;
    long long           n;
    unsigned long long  id, epoch;

    n = 0;
    v = a->last_id.len
        ? model_uuid(a->last_id.data, a->last_id.len, &id, &epoch) : -1;

    if (a->since.len && !model_number(&a->since, &n)) {
        strcpy(line, "error: Invalid 'since_time' arg.");

    } else if (v >= 0 && v != 7 && !a->since.len) {
        strcpy(line, "error: Must provide 'since_time' arg when providing "
                     "'last_id'.");

    } else if (v == 0) {
        strcpy(line, "error: Param 'last_id' was not a valid UUID.");

    } else if (!a->since.len && v < 0 && a->recent.len) {

        if (model_number(&a->recent, &n) && n >= 1 && n <= 1000) {
            sprintf(line + strlen(line), " recent=%lld", n);

        } else {
            strcpy(line, "error: Invalid 'recent' arg.  Must be 1-1000.");
        }

    } else {
        if (a->since.len) {
            sprintf(line + strlen(line), " since=%lld", n);
        }

        if (v == 7) {
            sprintf(line + strlen(line), " id=%llx/%llx", id, epoch);

        } else if (v == 1) {
            strcat(line, " uuid");
        }
    }
}


void
model_query(char *line, const unsigned char *args, size_t len, long long max)
{
    int           i;
    long long     n;
    model_args_t  a;

    memset(&a, 0, sizeof(a));
    model_arguments(&a, args, args + len);

    line[0] = '\0';
    n = 0;

    if (!a.timeout.len || !model_number(&a.timeout, &n) || n < 1 || n > max) {
        sprintf(line, "error: Invalid or missing 'timeout' arg.  Must be "
                      "1-%lld.", max);

    } else if (a.bad || a.nc == 0) {
        strcpy(line, "error: Invalid subscription category, must be 1-1024 "
                     "characters long.");

    } else if (a.nc > 64) {
        strcpy(line, "error: Too many categories, must be 1-64.");

    } else {
        sprintf(line, "timeout=%lld", n);

        for (i = 0; i < a.nc; i++) {
            model_show(line, " [", a.cats[i].data, a.cats[i].len, "]");
        }

        model_cursor(line, &a);
    }

    free(a.timeout.data);
    free(a.since.data);
    free(a.last_id.data);
    free(a.recent.data);

    for (i = 0; i < a.nc; i++) {
        free(a.cats[i].data);
    }
}


/* a name as Go's encoding/json writes it */

size_t
model_name(unsigned char *dst, const unsigned char *p, size_t len)
{
    long             c;
    char            *out;
    size_t           n;
    const char      *s;
    static const char  from[] = "\b\f\n\r\t\"\\", to[] = "bfnrt\"\\";

    out = (char *) dst;

    while (len) {
        c = model_rune(p, len, &n);

        if (c > 0 && c < 128 && (s = strchr(from, (int) c)) != NULL) {
            out += sprintf(out, "\\%c", to[s - from]);

        } else if (c < 32 || c == '<' || c == '>' || c == '&' || c == 0x2028
                   || c == 0x2029)
        {
            out += sprintf(out, "\\u%04lx", (unsigned long) c);

        } else {
            memcpy(out, p, n);
            out += n;
        }

        p += n;
        len -= n;
    }

    return (unsigned char *) out - dst;
}
