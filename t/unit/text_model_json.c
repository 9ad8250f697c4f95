
/*
 * text_model_json.c: a second opinion about JSON, by recursive descent.
 */


#include "text_model.h"


/* JSON by recursive descent; NULL is an error */

typedef struct {
    const unsigned char  *last;

    int                   stored;       /* the value at hand is data's */
    int                   category;     /* 0 none, 1 string, 2 anything else */
    int                   data;         /* 0 none, 1 value, 2 null */
    model_bytes_t         name;         /* decoded, to be freed */
    model_bytes_t         span;

    /* of a line, as they are written; NULL: none */
    model_bytes_t         timestamp;
    model_bytes_t         id;
    model_bytes_t         key;
} model_json_t;


static const unsigned char *model_value(model_json_t *m,
    const unsigned char *p, int depth, int top);


static const unsigned char *
model_blank(model_json_t *m, const unsigned char *p)
{
    while (p < m->last && *p != '\0' && strchr(" \t\r\n", *p)) {
        p++;
    }

    return p;
}


static const unsigned char *
model_digits(model_json_t *m, const unsigned char *p)
{
    const unsigned char  *start = p;

    while (p < m->last && isdigit(*p)) {
        p++;
    }

    return p == start ? NULL : p;
}


static int
model_hex4(model_json_t *m, const unsigned char *p)
{
    int   i;
    char  s[5];

    if (m->last - p < 4) {
        return -1;
    }

    for (i = 0; i < 4; i++) {
        if (!isxdigit(p[i])) {
            return -1;
        }

        s[i] = p[i];
    }

    s[4] = '\0';

    return (int) strtol(s, NULL, 16);
}


/* decoded, if dst is not NULL (which then is to be freed) */

static const unsigned char *
model_string(model_json_t *m, const unsigned char *p, model_bytes_t *dst)
{
    int                   low;
    long                  c;
    size_t                n;
    const char           *escape;
    static const char     from[] = "bfnrt\"\\/", to[] = "\b\f\n\r\t\"\\/";
    model_bytes_t         b;

    b.data = malloc(m->last - p + 4);
    b.len = 0;

    for (p++; p < m->last && *p != '"'; /* void */ ) {

        if (*p < 0x20) {
            break;
        }

        if (*p != '\\') {
            c = model_rune(p, m->last - p, &n);
            if (c < 0) {
                break;
            }

            p += n;

        } else if (m->last - p > 1 && p[1] == 'u') {

            c = model_hex4(m, p + 2);
            if (c < 0) {
                break;
            }

            p += 6;

            if (c >= 0xdc00 && c < 0xe000) {
                c = 0xfffd;

            } else if (c >= 0xd800 && c < 0xdc00) {

                low = -1;

                if (m->last - p > 1 && p[0] == '\\' && p[1] == 'u') {
                    low = model_hex4(m, p + 2);
                }

                if (low >= 0xdc00 && low < 0xe000) {
                    c = (c - 0xd800) * 1024 + low - 0xdc00 + 65536;
                    p += 6;

                } else {
                    c = 0xfffd;
                }
            }

        } else if (m->last - p > 1 && p[1]
                   && (escape = strchr(from, p[1])) != NULL)
        {
            c = to[escape - from];
            p += 2;

        } else {
            break;
        }

        b.len += model_put(b.data + b.len, c);
    }

    if (p == m->last || *p != '"') {
        free(b.data);
        return NULL;
    }

    if (dst) {
        *dst = b;

    } else {
        free(b.data);
    }

    return p + 1;
}


/* what strtod() says, of a copy; a number that is not data's may be any */

static int
model_fits(model_json_t *m, const unsigned char *p, size_t len)
{
    int    fits;
    char  *s;

    s = strndup((char *) p, len);
    fits = (!m->stored || isfinite(strtod(s, NULL)));
    free(s);

    return fits;
}


/* a number that begins at p: the place behind it, or NULL */

static const unsigned char *
model_numeral(model_json_t *m, const unsigned char *p)
{
    const unsigned char  *start = p;

    p += (*p == '-');
    p = (p < m->last && *p == '0') ? p + 1 : model_digits(m, p);

    if (p && p < m->last && *p == '.') {
        p = model_digits(m, p + 1);
    }

    if (p && p < m->last && (*p == 'e' || *p == 'E')) {
        p++;
        p += (p < m->last && (*p == '+' || *p == '-'));
        p = model_digits(m, p);
    }

    return (p && model_fits(m, start, p - start)) ? p : NULL;
}


/* a member's name at p, and its colon: the place behind them, or NULL */

static const unsigned char *
model_member(model_json_t *m, const unsigned char *p, model_bytes_t *key)
{
    p = model_blank(m, p);

    if (p == m->last || *p != '"') {
        return NULL;
    }

    p = model_string(m, p, key);

    if (p == NULL) {
        return NULL;
    }

    p = model_blank(m, p);

    if (p == m->last || *p != ':') {
        free(key->data);
        return NULL;
    }

    return p + 1;
}


/* the value of a top object's member, from start to p, is of use */

static void
model_keep(model_bytes_t *b, int it, const unsigned char *start,
    const unsigned char *p)
{
    if (it) {
        b->data = (unsigned char *) start;
        b->len = p - start;
    }
}


static void
model_use(model_json_t *m, model_bytes_t *key, const unsigned char *start,
    const unsigned char *p)
{
    if (model_is(key, "category")) {
        free(m->name.data);
        m->name.data = NULL;
        m->category = 2;

        if (*start == '"') {
            m->category = 1;
            (void) model_string(m, start, &m->name);
        }
    }

    if (model_is(key, "data")) {
        m->data = (*start == 'n') ? 2 : 1;
        m->span.data = (unsigned char *) start;
        m->span.len = p - start;
    }

    model_keep(&m->timestamp, model_is(key, "timestamp"), start, p);
    model_keep(&m->id, model_is(key, "id"), start, p);
    model_keep(&m->key, model_is(key, "key"), start, p);
}


/* an object or an array at p: the place behind it, or NULL */

static const unsigned char *
model_group(model_json_t *m, const unsigned char *p, int depth, int top)
{
    int                    object;
    model_bytes_t          key;
    const unsigned char   *start;

    object = (*p == '{');

    p = model_blank(m, p + 1);

    if (p < m->last && *p == (object ? '}' : ']')) {
        return p + 1;
    }

    for ( ;; ) {

        if (object) {
            p = model_member(m, p, &key);

            if (p == NULL) {
                return NULL;
            }

            if (top) {
                m->stored = model_is(&key, "data");
            }
        }

        start = model_blank(m, p);
        p = model_value(m, p, depth + 1, 0);

        if (object) {
            if (p && top) {
                model_use(m, &key, start, p);
            }

            free(key.data);
        }

        if (p == NULL) {
            return NULL;
        }

        p = model_blank(m, p);

        if (p == m->last) {
            return NULL;
        }

        if (*p == (object ? '}' : ']')) {
            return p + 1;
        }

        if (*p++ != ',') {
            return NULL;
        }
    }
}


/*
 * Any value at p: the place behind it, or NULL; top: the object of a message,
 * of depth -1, as its members have depth 0.
 */

static const unsigned char *
model_value(model_json_t *m, const unsigned char *p, int depth, int top)
{
    p = model_blank(m, p);

    if (p == m->last) {
        return NULL;
    }

    if (*p == '"') {
        return model_string(m, p, NULL);
    }

    if (m->last - p >= 4
        && (!memcmp(p, "null", 4) || !memcmp(p, "true", 4)))
    {
        return p + 4;
    }

    if (m->last - p >= 5 && !memcmp(p, "false", 5)) {
        return p + 5;
    }

    if (*p == '-' || isdigit(*p)) {
        return model_numeral(m, p);
    }

    if ((*p != '{' && *p != '[') || depth == 100) {
        return NULL;
    }

    return model_group(m, p, depth, top);
}


#define MODEL_BAD_JSON  "error: Invalid POST body json."
#define MODEL_NO_DATA                                                         \
    "error: Invalid or missing 'data' arg, must be non-nil."


/*
 * One object of a body, at p; adds to line, or sets it to the first error.
 * Returns the place behind it, NULL if the whole body is bad.
 */

static const unsigned char *
model_item(char *line, model_json_t *m, const unsigned char *p)
{
    m->category = m->data = m->stored = 0;
    m->name.data = NULL;
    m->name.len = 0;

    if (p == m->last || *p != '{') {
        return NULL;
    }

    p = model_value(m, p, -1, 1);

    if (p == NULL || m->category == 2) {
        p = NULL;

    } else if (strncmp(line, "error", 5) == 0) {
        /* void */

    } else if (m->category == 0 || m->name.len == 0 || m->name.len > 1024) {
        strcpy(line, "error: Invalid or missing 'category' arg, must be "
                     "1-1024 characters long.");

    } else if (m->data != 1) {
        strcpy(line, MODEL_NO_DATA);

    } else {
        model_show(line, "[", m->name.data, m->name.len, "]");
        model_show(line, " data=", m->span.data, m->span.len, "");
    }

    free(m->name.data);

    return p;
}


void
model_json(char *line, const unsigned char *body, size_t len)
{
    int                   n;
    model_json_t          m;
    const unsigned char  *p;

    memset(&m, 0, sizeof(m));

    line[0] = '\0';
    m.last = body + len;

    p = model_blank(&m, body);

    if (!model_utf8(body, len)) {
        p = NULL;

    } else if (p == m.last || *p != '[') {
        p = model_item(line, &m, p);

    } else {

        for (n = 0; p; n++) {
            p = model_blank(&m, p + 1);
            p = model_item(line, &m, p);
            p = p ? model_blank(&m, p) : p;

            if (p == NULL || p == m.last || *p != ',') {
                break;
            }
        }

        p = (p && p < m.last && *p == ']' && n < 1000) ? p + 1 : NULL;
    }

    if (p == NULL || model_blank(&m, p) != m.last) {
        strcpy(line, MODEL_BAD_JSON);
    }
}


/* a body that is the data itself */

void
model_data(char *line, const unsigned char *body, size_t len)
{
    model_json_t          m;
    const unsigned char  *p, *start;

    memset(&m, 0, sizeof(m));

    line[0] = '\0';
    m.last = body + len;
    m.stored = 1;

    start = model_blank(&m, body);
    p = model_utf8(body, len) ? model_value(&m, start, 0, 0) : NULL;

    if (p == NULL || model_blank(&m, p) != m.last) {
        strcpy(line, MODEL_BAD_JSON);

    } else if (*start == 'n') {
        strcpy(line, MODEL_NO_DATA);

    } else {
        model_show(line, "data=", start, p - start, "");
    }
}


/* the event of a line; what is between quotes is shown with them */

void
model_event(char *line, const unsigned char *body, size_t len)
{
    model_json_t          m;
    const unsigned char  *p;

    memset(&m, 0, sizeof(m));
    m.last = body + len;

    strcpy(line, "none");

    p = model_blank(&m, body);
    p = (model_utf8(body, len) && p < m.last && *p == '{')
        ? model_value(&m, p, -1, 1) : NULL;

    if (p && model_blank(&m, p) == m.last && m.category == 1 && m.name.len
        && m.name.len <= 1024 && m.data && m.timestamp.data
        && (m.id.data == NULL || m.id.data[0] == '"'))
    {
        line[0] = '\0';
        model_show(line, "[", m.name.data, m.name.len, "]");
        model_show(line, " data=", m.span.data, m.span.len, "");
        model_show(line, " timestamp=", m.timestamp.data, m.timestamp.len, "");

        if (m.id.data) {
            model_show(line, " id=", m.id.data, m.id.len, "");
        }

        if (m.key.data && m.key.data[0] == '"') {
            model_show(line, " key=", m.key.data, m.key.len, "");
        }
    }

    free(m.name.data);
}


/*
 * Data as it is stored: one code unit after the other, and a surrogate that has
 * no other half before or behind it is none.
 */

void
model_stored(unsigned char *p, size_t len)
{
    long            c, low;
    char            s[5];
    unsigned char  *last = p + len;

    for ( /* void */ ; p < last; p++) {

        if (*p != '\\') {
            continue;
        }

        if (*++p != 'u') {
            continue;
        }

        memcpy(s, p + 1, 4);
        s[4] = '\0';
        c = strtol(s, NULL, 16);

        if (c < 0xd800 || c > 0xdfff) {
            continue;
        }

        if (c < 0xdc00 && last - p >= 11 && p[5] == '\\' && p[6] == 'u') {
            memcpy(s, p + 7, 4);
            low = strtol(s, NULL, 16);

            if (low >= 0xdc00 && low <= 0xdfff) {
                p += 10;
                continue;
            }
        }

        memcpy(p + 1, "fffd", 4);
    }
}
