
/*
 * ngx_http_longpoll_info.c: Redis's answer to INFO, read.
 *
 *     # Server
 *     redis_version:7.0.15
 *     run_id:4b0c...
 *
 * A line is NAME:VALUE and ends with CR LF.  Names that are not known count for
 * nothing.
 */


#include "ngx_http_longpoll_info.h"


/* bytes of run_id and master_replid, at most */
#define NGX_HTTP_LONGPOLL_INFO_WORD  60


static void ngx_http_longpoll_info_line(ngx_http_longpoll_info_t *info,
    u_char *p, u_char *last);
static ngx_uint_t ngx_http_longpoll_info_is(ngx_str_t *text, const char *is);
static ngx_uint_t ngx_http_longpoll_info_is_zeros(ngx_str_t *text);
static ngx_uint_t ngx_http_longpoll_info_major(ngx_str_t *version);
static ngx_uint_t ngx_http_longpoll_info_is_word(ngx_str_t *text);


ngx_int_t
ngx_http_longpoll_info_parse(ngx_http_longpoll_info_t *info, ngx_str_t *text)
{
    u_char  *p, *last, *end;

    ngx_memzero(info, sizeof(ngx_http_longpoll_info_t));

    p = text->data;
    last = p + text->len;

    for ( /* void */ ; p < last; p = end + (end < last)) {
        end = memchr(p, LF, last - p);

        if (end == NULL) {
            end = last;
        }

        ngx_http_longpoll_info_line(info, p,
                                    (end > p && end[-1] == CR) ? end - 1 : end);
    }

    return (info->major && ngx_http_longpoll_info_is_word(&info->run_id)
            && ngx_http_longpoll_info_is_word(&info->replid))
           ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_longpoll_info_line(ngx_http_longpoll_info_t *info, u_char *p,
    u_char *last)
{
    ngx_str_t   name, value;

    name.data = p;

    while (p < last && *p != ':') {
        p++;
    }

    if (p == last) {
        return;
    }

    name.len = p - name.data;
    value.data = p + 1;
    value.len = last - value.data;

    if (ngx_http_longpoll_info_is(&name, "run_id")) {
        info->run_id = value;

    } else if (ngx_http_longpoll_info_is(&name, "master_replid")) {
        info->replid = value;

    } else if (ngx_http_longpoll_info_is(&name, "master_replid2")) {
        info->unpromoted = ngx_http_longpoll_info_is_zeros(&value);

    } else if (ngx_http_longpoll_info_is(&name, "maxmemory_policy")) {
        info->policy = value;

    } else if (ngx_http_longpoll_info_is(&name, "redis_version")) {
        info->major = ngx_http_longpoll_info_major(&value);

    } else if (ngx_http_longpoll_info_is(&name, "role")) {
        info->master = ngx_http_longpoll_info_is(&value, "master");

    } else if (ngx_http_longpoll_info_is(&name, "cluster_enabled")) {
        info->cluster = !ngx_http_longpoll_info_is(&value, "0");

    } else if (ngx_http_longpoll_info_is(&name, "loading")) {
        info->loading = !ngx_http_longpoll_info_is(&value, "0");
    }
}


static ngx_uint_t
ngx_http_longpoll_info_is(ngx_str_t *text, const char *is)
{
    return text->len == ngx_strlen(is)
           && ngx_memcmp(text->data, is, text->len) == 0;
}


static ngx_uint_t
ngx_http_longpoll_info_is_zeros(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] != '0') {
            return 0;
        }
    }

    return text->len != 0;
}


/* the number in front of the first dot, 0: there is none */

static ngx_uint_t
ngx_http_longpoll_info_major(ngx_str_t *version)
{
    size_t     len;
    ngx_int_t  n;

    for (len = 0; len < version->len && version->data[len] != '.'; len++) {
        /* void */
    }

    n = ngx_atoi(version->data, len);

    return n == NGX_ERROR ? 0 : (ngx_uint_t) n;
}


/* letters and digits: it stands in a line of :life */

static ngx_uint_t
ngx_http_longpoll_info_is_word(ngx_str_t *text)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < text->len; i++) {
        c = text->data[i] | 0x20;

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9')) {
            return 0;
        }
    }

    return text->len && text->len <= NGX_HTTP_LONGPOLL_INFO_WORD;
}
