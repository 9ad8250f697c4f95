
/*
 * proto.c: what requests to a server look like, and where its answers have
 * events.
 *
 *     golongpoll  this module and golongpoll: JSON both ways, since_time and
 *                 last_id are the cursor
 *     text, json  this module, where the body of a publish is the data alone,
 *                 as text or as a JSON string
 *     nchan       data without a frame; Last-Modified and Etag of the last
 *                 answer are the cursor; each message of an answer is a line
 *                 (nchan_longpoll_multipart_response raw)
 *     pushstream  the same headers; push_stream_message_template "~text~\n"
 *     plain       any server: GET and POST, and any answer, to measure what
 *                 requests cost without long polling
 *
 * Streams are server-sent events in all of them.  This module's have the event
 * as in the answer to a poll, the others' have the data only.
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


static void
proto_stream(conn_t *c, answer_pt answer, const char *path)
{
    conn_request(c, answer, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s"
                 "Accept: text/event-stream\r\n\r\n", path, proto_headers());
    conn_stream(c);
}


/* golongpoll */


static void
golongpoll_publish(conn_t *c, answer_pt answer, const char *data)
{
    char  head[64];

    snprintf(head, sizeof(head), "{\"category\":\"c%u\",\"data\":\"", c->cat);
    proto_post(c, answer, "", head, data, "\"}");
}


static void
alone_publish(conn_t *c, answer_pt answer, const char *quote, const char *data)
{
    char  query[32];

    snprintf(query, sizeof(query), "?category=c%u", c->cat);
    proto_post(c, answer, query, quote, data, quote);
}


static void
text_publish(conn_t *c, answer_pt answer, const char *data)
{
    alone_publish(c, answer, "", data);
}


static void
json_publish(conn_t *c, answer_pt answer, const char *data)
{
    alone_publish(c, answer, "\"", data);
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


static void
golongpoll_stream(conn_t *c, answer_pt answer)
{
    char  path[1024];

    snprintf(path, sizeof(path), "%s%ccategory=c%u", opt.poll_path,
             strchr(opt.poll_path, '?') ? '&' : '?', c->cat);

    proto_stream(c, answer, path);
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
golongpoll_event(conn_t *c, char **p, event_t *e)
{
    char    *time, *id;
    size_t   time_len, id_len;

    return text(p, "{\"timestamp\":")
           && until(p, ',', &time, &time_len)
           && text(p, "\"category\":\"")
           && until(p, '"', &e->cat, &e->cat_len)
           && text(p, ",\"data\":\"")
           && until(p, '"', &e->data, &e->data_len)
           && text(p, ",\"id\":\"")
           && until(p, '"', &id, &id_len)
           && text(p, "}")
           && cursor(c->since, sizeof(c->since), time, time_len)
           && cursor(c->id, sizeof(c->id), id, id_len);
}


static int
golongpoll_next(conn_t *c, char **p, event_t *e)
{
    char  *time;

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

    return golongpoll_event(c, p, e) ? 1 : -1;
}


static int
golongpoll_data(conn_t *c, char *p, size_t len, event_t *e)
{
    char  *end = p + len;

    return golongpoll_event(c, &p, e) && p == end;
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
nchan_stream(conn_t *c, answer_pt answer)
{
    char  path[1024];

    snprintf(path, sizeof(path), "%s?id=c%u", opt.poll_path, c->cat);

    proto_stream(c, answer, path);
}


static int
nchan_data(conn_t *c, char *p, size_t len, event_t *e)
{
    e->cat = NULL;
    e->data = p;
    e->data_len = len;

    return 1;
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
    { "golongpoll", "/publish", "/events", "/events",
      golongpoll_publish, golongpoll_poll, golongpoll_stream,
      golongpoll_published, golongpoll_next, golongpoll_data },
    { "text", "/publish", "/events", "/events",
      text_publish, golongpoll_poll, golongpoll_stream,
      golongpoll_published, golongpoll_next, golongpoll_data },
    { "json", "/publish", "/events", "/events",
      json_publish, golongpoll_poll, golongpoll_stream,
      golongpoll_published, golongpoll_next, golongpoll_data },
    { "nchan", "/pub", "/sub", "/stream",
      nchan_publish, nchan_poll, nchan_stream,
      nchan_published, nchan_next, nchan_data },
    { "pushstream", "/pub", "/sub", "/stream",
      nchan_publish, pushstream_poll, nchan_stream,
      nchan_published, nchan_next, nchan_data },
    { "plain", "", "", NULL,
      golongpoll_publish, plain_poll, NULL,
      plain_published, plain_next, NULL },
    { .name = NULL }
};


/*
 * A frame is some lines NAME: VALUE and an empty line.  One without data, or
 * with the name `place` (this module's), is no event.
 */

int
proto_frame(conn_t *c, char **p, event_t *e)
{
    int      place;
    char    *line, *end, *data, *last;
    size_t   len, data_len;

    last = c->body + c->body_len;
    data = NULL;
    data_len = 0;
    place = 0;

    for (line = *p; line < last; line = end + 1) {

        end = memchr(line, '\n', last - line);
        if (end == NULL) {
            return -1;
        }

        len = end - line - (end > line && end[-1] == '\r');

        if (len == 0) {
            *p = end + 1;

            if (data == NULL || place) {
                return 2;
            }

            return opt.proto->data(c, data, data_len, e) ? 1 : -1;
        }

        if (strncmp(line, "data: ", 6) == 0 && data == NULL) {
            data = line + 6;
            data_len = len - 6;

        } else if (len == 12 && strncmp(line, "event: place", 12) == 0) {
            place = 1;

        } else if (strncmp(line, "data", 4) == 0
                   || strncmp(line, "event: missed", 13) == 0)
        {
            return -1;
        }
    }

    return line == *p ? 0 : -1;
}


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


int
proto_plain(void)
{
    return opt.proto->poll_path[0] == '\0';
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
