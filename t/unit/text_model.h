
/*
 * text_model.h: second opinions for text.c.
 *
 * Each is written from docs/protocol.md in another way than the module's own,
 * with no thought of speed: code points instead of bytes, recursion instead of
 * callbacks, copies instead of spans.  All say what they found as one line of
 * text, the same that text.c makes of the module's answers.
 */


#ifndef _TEXT_MODEL_H_INCLUDED_
#define _TEXT_MODEL_H_INCLUDED_


#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define MODEL_LINE  (1 << 19)


typedef struct {
    size_t          len;
    unsigned char  *data;
} model_bytes_t;


static void
model_show(char *line, const char *open, const unsigned char *p, size_t len,
    const char *close)
{
    static const char  hex[] = "0123456789abcdef";

    line += strlen(line);
    line = stpcpy(line, open);

    for ( /* void */ ; len; p++, len--) {
        if (*p < 0x20 || *p > 0x7e || *p == '\\' || *p == ']') {
            *line++ = '\\';
            *line++ = hex[*p >> 4];
            *line++ = hex[*p & 0xf];

        } else {
            *line++ = (char) *p;
        }
    }

    strcpy(line, close);
}


/* the code point at p and its length, or -1 */

static long
model_rune(const unsigned char *p, size_t len, size_t *size)
{
    int            i, n;
    long           c;
    static long    least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (p[0] < 0x80) {
        *size = 1;
        return p[0];
    }

    for (n = 0; p[0] & (0x80 >> n); n++) { /* void */ }

    if (n < 2 || n > 4 || (size_t) n > len) {
        return -1;
    }

    c = p[0] & (0x7f >> n);

    for (i = 1; i < n; i++) {
        if (p[i] / 64 != 2) {
            return -1;
        }

        c = c * 64 + p[i] % 64;
    }

    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
        return -1;
    }

    *size = n;

    return c;
}


static int
model_utf8(const unsigned char *p, size_t len)
{
    size_t  n;

    while (len) {
        if (model_rune(p, len, &n) < 0) {
            return 0;
        }

        p += n;
        len -= n;
    }

    return 1;
}


static size_t
model_put(unsigned char *dst, long c)
{
    if (c < 0x80) {
        dst[0] = c;
        return 1;
    }

    if (c < 0x800) {
        dst[0] = 192 + c / 64;
        dst[1] = 128 + c % 64;
        return 2;
    }

    if (c < 0x10000) {
        dst[0] = 224 + c / 4096;
        dst[1] = 128 + c / 64 % 64;
        dst[2] = 128 + c % 64;
        return 3;
    }

    dst[0] = 240 + c / 262144;
    dst[1] = 128 + c / 4096 % 64;
    dst[2] = 128 + c / 64 % 64;
    dst[3] = 128 + c % 64;
    return 4;
}


/* UUID: 7, another version (1), or none (0) */

static int
model_uuid(const unsigned char *p, size_t len, unsigned long long *id,
    unsigned long long *life)
{
    char                 s[64], word[17];
    size_t               i, n;
    unsigned long long   high, low;

    if (len > 60) {
        return 0;
    }

    memcpy(s, p, len);
    s[len] = '\0';

    if (strlen(s) != len) {
        return 0;
    }

    if (s[0] == '{' && len > 2 && s[len - 1] == '}') {
        s[len - 1] = '\0';
        memmove(s, s + 1, len - 1);

    } else if (strncmp(s, "urn:uuid:", 9) == 0) {
        memmove(s, s + 9, len - 8);
    }

    if (strlen(s) == 36) {
        for (i = n = 0; i < 36; i++) {
            if (i == 8 || i == 13 || i == 18 || i == 23) {
                if (s[i] != '-') {
                    return 0;
                }

                continue;
            }

            s[n++] = s[i];
        }

        s[n] = '\0';
    }

    if (strlen(s) != 32 || strspn(s, "0123456789abcdefABCDEF") != 32) {
        return 0;
    }

    memcpy(word, s, 16);
    word[16] = '\0';
    high = strtoull(word, NULL, 16);
    low = strtoull(s + 16, NULL, 16);

    if ((high / 0x1000) % 16 != 7 || low / 0x4000000000000000ULL != 2) {
        return 1;
    }

    *id = high / 65536 * 65536 + (high % 4096) * 16
          + low / 0x400000000000000ULL % 16;
    *life = low % 0x400000000000000ULL;

    return 7;
}


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


static int
model_is(model_bytes_t *b, const char *s)
{
    return b->len == strlen(s) && memcmp(b->data, s, b->len) == 0;
}


static void
model_query(char *line, const unsigned char *args, size_t len, long long max)
{
    int                  bad, nc, i, v;
    size_t               pair;
    long long            n;
    const unsigned char *p, *eq, *last;
    unsigned long long   id, life;
    model_bytes_t        name, value, timeout, since, last_id, cats[65];

    timeout.len = since.len = last_id.len = 0;
    timeout.data = since.data = last_id.data = NULL;
    bad = nc = 0;
    p = args;
    last = args + len;

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

                if (value.len == 0) {
                    free(value.data);

                } else if (model_is(&name, "timeout") && !timeout.len) {
                    timeout = value;

                } else if (model_is(&name, "since_time") && !since.len) {
                    since = value;

                } else if (model_is(&name, "last_id") && !last_id.len) {
                    last_id = value;

                } else if (model_is(&name, "category")) {

                    if (value.len > 1024
                        || !model_utf8(value.data, value.len))
                    {
                        bad = 1;
                    }

                    for (i = 0; i < nc; i++) {
                        if (cats[i].len == value.len
                            && !memcmp(cats[i].data, value.data, value.len))
                        {
                            break;
                        }
                    }

                    if (i == nc && nc < 65) {
                        cats[nc++] = value;

                    } else {
                        free(value.data);
                    }

                } else {
                    free(value.data);
                }
            }

            free(name.data);
        }

        p += pair + 1;
    }

    line[0] = '\0';
    n = 0;

    if (!timeout.len || !model_number(&timeout, &n) || n < 1 || n > max) {
        sprintf(line, "error: Invalid or missing 'timeout' arg.  Must be "
                      "1-%lld.", max);

    } else if (bad || nc == 0) {
        strcpy(line, "error: Invalid subscription category, must be 1-1024 "
                     "characters long.");

    } else if (nc > 64) {
        strcpy(line, "error: Too many categories, must be 1-64.");

    } else {
        sprintf(line, "timeout=%lld", n);

        for (i = 0; i < nc; i++) {
            model_show(line, " [", cats[i].data, cats[i].len, "]");
        }

        v = last_id.len
            ? model_uuid(last_id.data, last_id.len, &id, &life) : -1;

        if (since.len && !model_number(&since, &n)) {
            strcpy(line, "error: Invalid 'since_time' arg.");

        } else if (v >= 0 && v != 7 && !since.len) {
            strcpy(line, "error: Must provide 'since_time' arg when providing "
                         "'last_id'.");

        } else if (v == 0) {
            strcpy(line, "error: Param 'last_id' was not a valid UUID.");

        } else {
            if (since.len) {
                sprintf(line + strlen(line), " since=%lld", n);
            }

            if (v == 7) {
                sprintf(line + strlen(line), " id=%llx/%llx", id, life);

            } else if (v == 1) {
                strcat(line, " uuid");
            }
        }
    }

    free(timeout.data);
    free(since.data);
    free(last_id.data);

    for (i = 0; i < nc; i++) {
        free(cats[i].data);
    }
}


/* JSON by recursive descent; NULL is an error */

typedef struct {
    const unsigned char  *last;

    int                   category;     /* 0 none, 1 string, 2 anything else */
    int                   data;         /* 0 none, 1 value, 2 null */
    model_bytes_t         name;         /* decoded, to be freed */
    model_bytes_t         span;
} model_json_t;


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


static const unsigned char *
model_value(model_json_t *m, const unsigned char *p, int depth, int top)
{
    int                    object, category, data;
    model_bytes_t          key;
    const unsigned char   *start;

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

        return p;
    }

    if ((*p != '{' && *p != '[') || depth == 100) {
        return NULL;
    }

    object = (*p == '{');

    p = model_blank(m, p + 1);

    if (p < m->last && *p == (object ? '}' : ']')) {
        return p + 1;
    }

    for ( ;; ) {
        category = data = 0;

        if (object) {
            p = model_blank(m, p);

            if (p == m->last || *p != '"') {
                return NULL;
            }

            p = model_string(m, p, &key);

            if (p == NULL) {
                return NULL;
            }

            category = (top && model_is(&key, "category"));
            data = (top && model_is(&key, "data"));

            free(key.data);

            p = model_blank(m, p);

            if (p == m->last || *p != ':') {
                return NULL;
            }

            p++;
        }

        start = model_blank(m, p);
        p = model_value(m, p, depth + 1, 0);

        if (p == NULL) {
            return NULL;
        }

        if (category) {
            free(m->name.data);
            m->name.data = NULL;
            m->category = 2;

            if (*start == '"') {
                m->category = 1;
                (void) model_string(m, start, &m->name);
            }
        }

        if (data) {
            m->data = (*start == 'n') ? 2 : 1;
            m->span.data = (unsigned char *) start;
            m->span.len = p - start;
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


#define MODEL_BAD_JSON  "error: Invalid POST body json."
#define MODEL_NO_DATA                                                         \
    "error: Invalid or missing 'data' arg, must be non-nil."


/*
 * One object of a body, at p; adds to line, or sets it to the first error.
 * Returns the place behind it, NULL if the whole body is bad.
 */

static const unsigned char *
model_item(char *line, model_json_t *m, const unsigned char *p, int depth)
{
    m->category = m->data = 0;
    m->name.data = NULL;
    m->name.len = 0;

    if (p == m->last || *p != '{') {
        return NULL;
    }

    p = model_value(m, p, depth, 1);

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


static void
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
        p = model_item(line, &m, p, 0);

    } else {

        for (n = 0; p; n++) {
            p = model_blank(&m, p + 1);
            p = model_item(line, &m, p, 1);
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

static void
model_data(char *line, const unsigned char *body, size_t len)
{
    model_json_t          m;
    const unsigned char  *p, *start;

    memset(&m, 0, sizeof(m));

    line[0] = '\0';
    m.last = body + len;

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


/* a name as Go's encoding/json writes it */

static size_t
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


#endif /* _TEXT_MODEL_H_INCLUDED_ */
