
/*
 * h2.c: HTTP/2, by libnghttp2, one request at a time.
 *
 * A request comes as text of HTTP/1.1 and leaves as frames; frames of an answer
 * become text of HTTP/1.1 again, each piece of DATA a chunk.  So the rest of
 * this program knows nothing of frames.
 *
 * A server may read a body slowly, so c->upload keeps it until it is sent.  The
 * windows for answers are as large as they can be, and the headers of answers
 * need no table: it would cost this program more than it saves.
 */


#include "base.h"
#include "h2.h"

#include <nghttp2/nghttp2.h>


#define MAX_WINDOW  0x7fffffff
#define MAX_FIELDS  64


static nghttp2_session_callbacks  *callbacks;
static buf_t                       text;


static void
h2_text(const char *fmt, ...)
{
    va_list  args;

    buf_room(&text, 64);

    va_start(args, fmt);
    text.len += vsnprintf(text.data + text.len, 64, fmt, args);
    va_end(args);
}


static int
h2_on_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_len, const uint8_t *value, size_t len,
    uint8_t flags, void *data)
{
    const char  *field = (const char *) name;

    if (frame->headers.cat != NGHTTP2_HCAT_RESPONSE) {
        return 0;
    }

    if (strcmp(field, ":status") == 0) {
        h2_text("HTTP/1.1 %.3s \r\n", (const char *) value);

    } else if (strcmp(field, "content-length") != 0) {
        buf_keep(&text, field, name_len);
        buf_keep(&text, ": ", 2);
        buf_keep(&text, (const char *) value, len);
        buf_keep(&text, "\r\n", 2);
    }

    return 0;
}


static int
h2_on_data(nghttp2_session *session, uint8_t flags, int32_t stream,
    const uint8_t *piece, size_t len, void *data)
{
    h2_text("%zx\r\n", len);
    buf_keep(&text, (const char *) piece, len);
    h2_text("\r\n");

    return 0;
}


static int
h2_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    int      end;
    conn_t  *c = data;

    end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

    switch (frame->hd.type) {

    case NGHTTP2_GOAWAY:
        c->closing = 1;
        break;

    case NGHTTP2_HEADERS:
        if (frame->headers.cat == NGHTTP2_HCAT_RESPONSE) {
            h2_text(end ? "Content-Length: 0\r\n\r\n"
                        : "Transfer-Encoding: chunked\r\n\r\n");
            break;
        }

        /* fall through */

    case NGHTTP2_DATA:
        if (end) {
            h2_text("0\r\n\r\n");
        }
    }

    return 0;
}


static int
h2_on_close(nghttp2_session *session, int32_t stream, uint32_t code,
    void *data)
{
    conn_t  *c = data;

    if (code != NGHTTP2_NO_ERROR && stream == c->h2_stream) {
        bench_die("connection %u: a stream ended while %s: %s", c->number,
                  doing, nghttp2_http2_strerror(code));
    }

    return 0;
}


static int
h2_on_error(nghttp2_session *session, int code, const char *msg, size_t len,
    void *data)
{
    conn_t  *c = data;

    bench_die("connection %u: %.*s", c->number, (int) len, msg);
}


static int
h2_check(conn_t *c, ssize_t rc)
{
    if (rc < 0) {
        bench_die("connection %u: %s", c->number, nghttp2_strerror(rc));
    }

    return rc;
}


static void
h2_init(void)
{
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        bench_die("no memory");
    }

    nghttp2_session_callbacks_set_on_header_callback(callbacks, h2_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                              h2_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks,
                                                         h2_on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                           h2_on_close);
    nghttp2_session_callbacks_set_error_callback2(callbacks, h2_on_error);
}


void
h2_open(conn_t *c)
{
    nghttp2_session         *session;
    nghttp2_settings_entry   settings[] = {
        { NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0 },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, MAX_WINDOW }
    };

    if (callbacks == NULL) {
        h2_init();
    }

    h2_check(c, nghttp2_session_client_new(&session, callbacks, c));
    h2_check(c, nghttp2_submit_settings(session, 0, settings, 2));
    h2_check(c, nghttp2_session_set_local_window_size(session, 0, 0,
                                                      MAX_WINDOW));
    c->h2 = session;
}


void
h2_close(conn_t *c)
{
    nghttp2_session_del(c->h2);
    c->h2 = NULL;
}


static ssize_t
h2_body(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t size,
    uint32_t *flags, nghttp2_data_source *source, void *data)
{
    size_t   n;
    conn_t  *c = data;

    /* the answer came before the whole body was sent, and another request */

    if (stream != c->h2_stream) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }

    n = c->upload.len - c->uploaded;
    n = (n < size) ? n : size;

    memcpy(buf, c->upload.data + c->uploaded, n);
    c->uploaded += n;

    if (c->uploaded == c->upload.len) {
        *flags = NGHTTP2_DATA_FLAG_EOF;
    }

    return n;
}


static nghttp2_nv
h2_field(const char *name, size_t name_len, const char *value, size_t len)
{
    return (nghttp2_nv) { (uint8_t *) name, (uint8_t *) value, name_len, len,
                          NGHTTP2_NV_FLAG_NONE };
}


void
h2_request(conn_t *c, const char *request)
{
    size_t                 n, len;
    nghttp2_nv             fields[MAX_FIELDS];
    const char            *path, *p, *end;
    nghttp2_data_provider  body = { .read_callback = h2_body };

    path = strchr(request, ' ') + 1;
    end = strchr(path, ' ');

    fields[0] = h2_field(":method", 7, request, path - request - 1);
    fields[1] = h2_field(":path", 5, path, end - path);
    fields[2] = h2_field(":scheme", 7, "https", 4 + opt.tls);

    p = strstr(end, "\r\n") + 2;

    for (n = 3; *p != '\r'; n++) {
        if (n == MAX_FIELDS) {
            bench_die("more than %d headers", MAX_FIELDS - 3);
        }

        len = strcspn(p, ":");
        end = strstr(p, "\r\n");

        fields[n] = h2_field(p, len, p + len + 2, end - p - len - 2);

        if (strncmp(p, "Host:", 5) == 0) {
            fields[n].name = (uint8_t *) ":authority";
            fields[n].namelen = 10;
        }

        p = end + 2;
    }

    c->upload.len = 0;
    c->uploaded = 0;
    len = strlen(p + 2);

    if (len) {
        buf_keep(&c->upload, p + 2, len);
    }

    c->h2_stream = h2_check(c, nghttp2_submit_request(c->h2, NULL, fields, n,
                                                      len ? &body : NULL,
                                                      NULL));
}


buf_t *
h2_frames(conn_t *c)
{
    ssize_t         n;
    static buf_t    frames;
    const uint8_t  *data;

    frames.len = 0;

    while ((n = h2_check(c, nghttp2_session_mem_send(c->h2, &data))) > 0) {
        buf_keep(&frames, (const char *) data, n);
    }

    return &frames;
}


buf_t *
h2_answer(conn_t *c, const char *data, size_t len)
{
    text.len = 0;
    buf_keep(&text, "", 0);

    h2_check(c, nghttp2_session_mem_recv(c->h2, (const uint8_t *) data, len));

    return &text;
}
