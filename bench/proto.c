
/*
 * proto.c: what requests to a server look like, and where its answers have
 * events.
 *
 *     golongpoll  this module and golongpoll: JSON both ways, since_time and
 *                 last_id are the cursor
 *     nchan       data without a frame; Last-Modified and Etag of the last
 *                 answer are the cursor; each message of an answer is a line
 *                 (nchan_longpoll_multipart_response raw)
 *     pushstream  the same headers; push_stream_message_template "~text~\n"
 *     plain       any server: GET and POST, and any answer, to measure what
 *                 requests cost without long polling
 *
 * A new protocol is a row of the table at the end.  Data needs no escapes, and
 * categories are called c0, c1, c2 and so on.
 */


#include "base.h"
#include "conn.h"
#include "proto.h"


static const char *
proto_headers(void)
{
    return opt.headers.len ? opt.headers.data : "";
}


static void
proto_post(conn_t *c, answer_pt answer, const char *query,
    const char *before_it, const char *data, const char *behind)
{
    size_t  len = strlen(before_it) + opt.size + strlen(behind);

    conn_request(c, answer, "POST %s%s HTTP/1.1\r\nHost: localhost\r\n%s"
                 "Content-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n%s%s%s", opt.publish_path, query,
                 proto_headers(), len, before_it, data, behind);
}


/* golongpoll */


static void
golongpoll_publish(conn_t *c, answer_pt answer, const char *data)
{
    char  head[64];

    snprintf(head, sizeof(head), "{\"category\":\"c%u\",\"data\":\"", c->cat);
    proto_post(c, answer, "", head, data, "\"}");
}


static int
golongpoll_published(conn_t *c)
{
    return c->status == 200 && strcmp(c->body, "{\"success\": true}") == 0;
}


static void
golongpoll_poll(conn_t *c, answer_pt answer)
{
    int          n;
    char         path[1024];
    const char  *base;

    base = c->from == FROM_BEGIN ? opt.begin_path : opt.poll_path;

    n = snprintf(path, 768, "%s%ctimeout=%u&category=c%u", base,
                 strchr(base, '?') ? '&' : '?', opt.timeout, c->cat);

    if (c->from == FROM_BEGIN) {
        sprintf(path + n, "&since_time=1");

    } else if (c->from == FROM_CURSOR) {
        n += sprintf(path + n, "&since_time=%s", c->since);

        if (c->id[0]) {
            sprintf(path + n, "&last_id=%s", c->id);
        }
    }

    conn_get(c, answer, path);
}


static int
text(char **p, const char *s)
{
    size_t  n = strlen(s);

    if (strncmp(*p, s, n) != 0) {
        return 0;
    }

    *p += n;
    return 1;
}


static int
until(char **p, int end, char **s, size_t *len)
{
    char  *e;

    e = strchr(*p, end);
    if (e == NULL) {
        return 0;
    }

    *s = *p;
    *len = e - *p;
    *p = e + 1;

    return 1;
}


static int
cursor(char *to, size_t size, const char *s, size_t len)
{
    if (len >= size) {
        return 0;
    }

    memcpy(to, s, len);
    to[len] = '\0';

    return 1;
}


static int
golongpoll_end(char **p)
{
    /* a poll from the beginning may be told that it missed events */

    (void) text(p, ",\"missed\":true");
    (void) text(p, "}");

    return **p == '\0' || strcmp(*p, "\n") == 0 ? 0 : -1;
}


static int
golongpoll_next(conn_t *c, char **p, event_t *e)
{
    char    *time, *id;
    size_t   time_len, id_len;

    if (*p == c->body) {
        if (text(p, "{\"timeout\":\"no events before timeout\",\"timestamp\":"))
        {
            time = *p;
            (void) strtoull(*p, p, 10);

            if (!cursor(c->since, sizeof(c->since), time, *p - time)
                || golongpoll_end(p) != 0)
            {
                return -1;
            }

            c->from = FROM_CURSOR;
            *p = c->body;
            return 0;
        }

        if (!text(p, "{\"events\":[")) {
            return -1;
        }

    } else if (text(p, "]")) {
        return golongpoll_end(p);

    } else if (!text(p, ",")) {
        return -1;
    }

    if (!text(p, "{\"timestamp\":")
        || !until(p, ',', &time, &time_len)
        || !text(p, "\"category\":\"")
        || !until(p, '"', &e->cat, &e->cat_len)
        || !text(p, ",\"data\":\"")
        || !until(p, '"', &e->data, &e->data_len)
        || !text(p, ",\"id\":\"")
        || !until(p, '"', &id, &id_len)
        || !text(p, "}")
        || !cursor(c->since, sizeof(c->since), time, time_len)
        || !cursor(c->id, sizeof(c->id), id, id_len))
    {
        return -1;
    }

    return 1;
}


/* nchan, and push-stream, whose polls are alike */


static void
nchan_publish(conn_t *c, answer_pt answer, const char *data)
{
    char  query[32];

    snprintf(query, sizeof(query), "?id=c%u", c->cat);
    proto_post(c, answer, query, "", data, "");
}


static int
nchan_published(conn_t *c)
{
    return c->status == 200 || c->status == 201 || c->status == 202;
}


static void
nchan_ask(conn_t *c, answer_pt answer, const char *base, const char *since,
    const char *id)
{
    conn_request(c, answer, "GET %s?id=c%u HTTP/1.1\r\nHost: localhost\r\n%s"
                 "%s%s%s%s%s%s\r\n", base, c->cat, proto_headers(),
                 since[0] ? "If-Modified-Since: " : "", since,
                 since[0] ? "\r\n" : "",
                 id[0] ? "If-None-Match: " : "", id, id[0] ? "\r\n" : "");
}


static void
nchan_poll(conn_t *c, answer_pt answer)
{
    if (c->from == FROM_CURSOR) {
        nchan_ask(c, answer, opt.poll_path, c->since, c->id);
        return;
    }

    nchan_ask(c, answer, c->from == FROM_BEGIN ? opt.begin_path
                                                 : opt.poll_path, "", "");
}


static void
pushstream_poll(conn_t *c, answer_pt answer)
{
    switch (c->from) {

    case FROM_NOW:
        nchan_ask(c, answer, opt.poll_path, "", "");
        break;

    case FROM_BEGIN:
        nchan_ask(c, answer, opt.begin_path,
                  "Thu, 01 Jan 1970 00:00:01 GMT", "0");
        break;

    case FROM_CURSOR:
        nchan_ask(c, answer, opt.poll_path, c->since, c->id);
        break;
    }
}


/* one event a line; the last line may lack its end */

static int
nchan_next(conn_t *c, char **p, event_t *e)
{
    char  *end = c->body + c->body_len, *line;

    if (*p == c->body) {
        (void) conn_header(c, "Last-Modified", c->since, sizeof(c->since));
        (void) conn_header(c, "Etag", c->id, sizeof(c->id));
    }

    if (*p >= end) {
        return 0;
    }

    line = memchr(*p, '\n', end - *p);

    e->cat = NULL;
    e->data = *p;
    e->data_len = (line ? line : end) - *p;

    if (e->data_len && e->data[e->data_len - 1] == '\r') {
        e->data_len--;
    }

    *p = line ? line + 1 : end;
    return 1;
}


/* plain */


static int
plain_published(conn_t *c)
{
    return c->status == 200;
}


static void
plain_poll(conn_t *c, answer_pt answer)
{
    conn_get(c, answer, opt.path);
}


static int
plain_next(conn_t *c, char **p, event_t *e)
{
    return -1;
}


static const proto_t  protos[] = {
    { "golongpoll", "/publish", "/events", golongpoll_publish,
      golongpoll_poll, golongpoll_published, golongpoll_next },
    { "nchan", "/pub", "/sub", nchan_publish,
      nchan_poll, nchan_published, nchan_next },
    { "pushstream", "/pub", "/sub", nchan_publish,
      pushstream_poll, nchan_published, nchan_next },
    { "plain", "", "", golongpoll_publish,
      plain_poll, plain_published, plain_next },
    { .name = NULL }
};


const proto_t *
proto_find(const char *name)
{
    const proto_t  *p;

    for (p = protos; p->name; p++) {
        if (strcmp(p->name, name) == 0) {
            return p;
        }
    }

    return NULL;
}


const char *
proto_names(void)
{
    static char     names[128];
    const proto_t  *p;

    for (p = protos; p->name; p++) {
        strcat(names, p == protos ? "" : ", ");
        strcat(names, p->name);
    }

    return names;
}
