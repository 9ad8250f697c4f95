
/*
 * h2.c: HTTP/2 (RFC 9113), as much of it as one request at a time needs.
 *
 * A request comes as text of HTTP/1.1 and leaves as frames; frames of an answer
 * become text of HTTP/1.1 again, each DATA a chunk.  So the rest of this
 * program knows nothing of frames.
 *
 *     the client      preface, SETTINGS, WINDOW_UPDATE of the connection; then
 *                     for each request HEADERS, and DATA if it has a body
 *     the server      HEADERS, DATA ...; all other frames change nothing here
 *
 * Fields of a request are literals that need no table and no Huffman code.  Of
 * the fields of an answer (RFC 7541) only the status is read, which comes first
 * and as one of the entries of the static table.  A server's SETTINGS are
 * acknowledged in front of the next request.  Windows are as large as they can
 * be, and a body has to fit into the one frame that a server must take.
 */


#include "base.h"
#include "h2.h"


#define FRAME           9               /* bytes in front of a payload */
#define MAX_FRAME       16384
#define MAX_WINDOW      0x7fffffff

#define END_STREAM      0x01
#define ACK             0x01
#define END_HEADERS     0x04
#define PADDED          0x08
#define PRIORITY        0x20

enum { DATA, HEADERS, RST_STREAM = 3, SETTINGS, GOAWAY = 7, WINDOW_UPDATE };

static const char  preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* the statuses of the static table, from entry 8 on */

static const int   statuses[] = { 200, 204, 206, 304, 400, 404, 500 };


void
h2_init(conn_t *c)
{
    c->h2_stream = 0;
    c->h2_settings = 0;
    c->raw.len = 0;
}


static void
h2_put(buf_t *b, uint64_t n, unsigned bytes)
{
    buf_room(b, bytes);

    while (bytes--) {
        b->data[b->len++] = n >> (8 * bytes);
    }
}


/* a frame's head; h2_end() sets the length of what was put behind it */

static size_t
h2_begin(buf_t *b, unsigned type, unsigned flags, unsigned stream)
{
    h2_put(b, 0, 3);
    h2_put(b, type, 1);
    h2_put(b, flags, 1);
    h2_put(b, stream, 4);

    return b->len;
}


static void
h2_end(buf_t *b, size_t begin)
{
    size_t  len = b->len - begin;

    if (len > MAX_FRAME) {
        bench_die("%zu bytes are too many for a frame of HTTP/2", len);
    }

    b->len = begin - FRAME;
    h2_put(b, len, 3);
    b->len = begin + len;
}


static void
h2_string(buf_t *b, const char *s, size_t len, int lower)
{
    size_t  rest;

    if (len < 127) {
        h2_put(b, len, 1);

    } else {
        h2_put(b, 127, 1);

        for (rest = len - 127; rest > 127; rest >>= 7) {
            h2_put(b, 128 | (rest & 127), 1);
        }

        h2_put(b, rest, 1);
    }

    while (len--) {
        h2_put(b, lower ? tolower((unsigned char) *s) : *s, 1);
        s++;
    }
}


/* a literal whose name is an entry of the static table, or `name` */

static void
h2_field(buf_t *b, unsigned entry, const char *name, size_t name_len,
    const char *value, size_t len)
{
    h2_put(b, entry, 1);

    if (entry == 0) {
        h2_string(b, name, name_len, 1);
    }

    h2_string(b, value, len, 0);
}


/* the request line and headers; returns what is behind them */

static const char *
h2_fields(buf_t *b, const char *text)
{
    size_t       len;
    const char  *p, *end;

    len = strcspn(text, " ");
    h2_field(b, 2, NULL, 0, text, len);                 /* :method */

    p = text + len + 1;
    len = strcspn(p, " ");
    h2_field(b, 4, NULL, 0, p, len);                    /* :path */
    h2_put(b, opt.tls ? 0x87 : 0x86, 1);                /* :scheme */

    for (p = strstr(p, "\r\n") + 2; *p != '\r'; p = end + 2) {
        len = strcspn(p, ":");
        end = strstr(p, "\r\n");

        /* Host is :authority */

        h2_field(b, strncmp(p, "Host:", 5) ? 0 : 1, p, len, p + len + 2,
                 end - p - len - 2);
    }

    return p + 2;
}


static void
h2_preface(buf_t *b)
{
    size_t  begin;

    buf_keep(b, preface, sizeof(preface) - 1);

    begin = h2_begin(b, SETTINGS, 0, 0);
    h2_put(b, 4, 2);                    /* the window of a stream */
    h2_put(b, MAX_WINDOW, 4);
    h2_end(b, begin);

    begin = h2_begin(b, WINDOW_UPDATE, 0, 0);
    h2_put(b, MAX_WINDOW - 65535, 4);
    h2_end(b, begin);
}


buf_t *
h2_request(conn_t *c, const char *text)
{
    size_t        begin, head;
    const char   *body;
    static buf_t  frames;

    frames.len = 0;

    if (c->h2_stream == 0) {
        h2_preface(&frames);
        c->h2_stream = 1;

    } else {
        c->h2_stream += 2;
    }

    if (c->h2_settings) {
        h2_end(&frames, h2_begin(&frames, SETTINGS, ACK, 0));
        c->h2_settings = 0;
    }

    begin = h2_begin(&frames, HEADERS, END_HEADERS, c->h2_stream);
    head = frames.len;
    body = h2_fields(&frames, text);
    h2_end(&frames, begin);

    if (*body == '\0') {
        frames.data[head - FRAME + 4] |= END_STREAM;
        return &frames;
    }

    begin = h2_begin(&frames, DATA, END_STREAM, c->h2_stream);
    buf_keep(&frames, body, strlen(body));
    h2_end(&frames, begin);

    return &frames;
}


static void
h2_text(buf_t *b, const char *fmt, ...)
{
    va_list  args;

    buf_room(b, 64);

    va_start(args, fmt);
    b->len += vsnprintf(b->data + b->len, 64, fmt, args);
    va_end(args);
}


static int
h2_status(conn_t *c, const unsigned char *p, const unsigned char *end)
{
    while (p < end && (*p & 0xe0) == 0x20) {            /* another table size */
        p++;
    }

    if (p == end || *p < 0x88 || *p > 0x8e) {
        bench_die("connection %u: another status than HTTP/2's own",
                  c->number);
    }

    return statuses[*p - 0x88];
}


static void
h2_frame(conn_t *c, const unsigned char *p, size_t len, buf_t *text)
{
    unsigned  type = p[3], flags = p[4], stream;

    stream = (unsigned) p[5] << 24 | p[6] << 16 | p[7] << 8 | p[8];
    p += FRAME;

    if (type == SETTINGS && !(flags & ACK)) {
        c->h2_settings = 1;
    }

    if (type == RST_STREAM || (type == GOAWAY && c->busy)) {
        bench_die("connection %u: the server ended a stream while %s",
                  c->number, doing);
    }

    if (type != HEADERS && type != DATA) {
        return;
    }

    if (stream != c->h2_stream || (flags & (PADDED|PRIORITY))
        || (type == HEADERS && !(flags & END_HEADERS)))
    {
        bench_die("connection %u: a frame of HTTP/2 that is not known here",
                  c->number);
    }

    if (type == HEADERS) {
        h2_text(text, "HTTP/1.1 %d \r\nTransfer-Encoding: chunked\r\n\r\n",
                h2_status(c, p, p + len));

    } else if (len) {
        h2_text(text, "%zx\r\n", len);
        buf_keep(text, (const char *) p, len);
        h2_text(text, "\r\n");
    }

    if (flags & END_STREAM) {
        h2_text(text, "0\r\n\r\n");
    }
}


buf_t *
h2_answer(conn_t *c, const char *data, size_t len)
{
    size_t                n;
    static buf_t          text;
    const unsigned char  *p, *last;

    text.len = 0;
    buf_keep(&text, "", 0);

    if (c->raw.len) {
        buf_keep(&c->raw, data, len);
        data = c->raw.data;
        len = c->raw.len;
    }

    p = (const unsigned char *) data;
    last = p + len;

    while (last - p >= FRAME) {
        n = (size_t) p[0] << 16 | p[1] << 8 | p[2];

        if ((size_t) (last - p) < FRAME + n) {
            break;
        }

        h2_frame(c, p, n, &text);
        p += FRAME + n;
    }

    /* buf_keep() moves what is left of its own buffer */

    c->raw.len = 0;

    if (p < last) {
        buf_keep(&c->raw, (const char *) p, last - p);
    }

    return &text;
}
