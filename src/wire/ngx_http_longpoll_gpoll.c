
/*
 * ngx_http_longpoll_gpoll.c: the ids of gpoll's clients, as bytes.
 *
 *     7$2f0d9a4e-3c51-4b7e-9a3d-0c6f5e8b1a27      N$UUID
 *
 * N is the number of the client's entry in the zone, and the UUID is random, of
 * version 4.  The text of an answer is ngx_http_longpoll_string_text().
 */


#include "ngx_http_longpoll_gpoll.h"


#define NGX_HTTP_LONGPOLL_GPOLL_UUID  36


static u_char *ngx_http_longpoll_gpoll_print(u_char *p,
    ngx_http_longpoll_client_t *client);


ngx_int_t
ngx_http_longpoll_gpoll_parse(ngx_str_t *id,
    ngx_http_longpoll_client_t *client)
{
    u_char                      *last, c;
    size_t                       i, digits;
    uint64_t                     number, *half;
    ngx_uint_t                   n;
    ngx_http_longpoll_client_t   parsed;
    u_char                       printed[NGX_HTTP_LONGPOLL_GPOLL_LEN];

    if (id->len < NGX_HTTP_LONGPOLL_GPOLL_UUID + sizeof("0$") - 1
        || id->len > NGX_HTTP_LONGPOLL_GPOLL_UUID + sizeof("4294967295$") - 1)
    {
        return NGX_DECLINED;
    }

    digits = id->len - NGX_HTTP_LONGPOLL_GPOLL_UUID - 1;
    number = 0;

    for (i = 0; i < digits; i++) {
        number = number * 10 + (id->data[i] - '0');
    }

    parsed.number = (uint32_t) number;
    parsed.uuid[0] = 0;
    parsed.uuid[1] = 0;
    n = 0;

    for (i = digits + 1; i < id->len; i++) {
        c = id->data[i];

        if (c == '-') {
            continue;
        }

        c = (c >= 'a') ? c - 'a' + 10 : c - '0';

        half = &parsed.uuid[n++ < 16];
        *half = *half << 4 | (c & 0xf);
    }

    /* any bytes come to here; they are an id if they are printed the same */

    last = ngx_http_longpoll_gpoll_print(printed, &parsed);

    if ((size_t) (last - printed) != id->len
        || ngx_memcmp(printed, id->data, id->len) != 0)
    {
        return NGX_DECLINED;
    }

    *client = parsed;

    return NGX_OK;
}


void
ngx_http_longpoll_gpoll_uuid(uint64_t uuid[2])
{
    /* RFC 9562, section 5.4: the version, and the variant */

    uuid[0] = (uuid[0] & ~(3ULL << 62)) | 2ULL << 62;
    uuid[1] = (uuid[1] & ~0xf000ULL) | 0x4000;
}


u_char *
ngx_http_longpoll_gpoll_registered(u_char *p,
    ngx_http_longpoll_client_t *client)
{
    p = ngx_cpymem(p, "{\"client-id\":\"", sizeof("{\"client-id\":\"") - 1);
    p = ngx_http_longpoll_gpoll_print(p, client);

    return ngx_cpymem(p, "\"}", sizeof("\"}") - 1);
}


static u_char *
ngx_http_longpoll_gpoll_print(u_char *p, ngx_http_longpoll_client_t *client)
{
    return ngx_sprintf(p, "%uD$%08xL-%04xL-%04xL-%04xL-%012xL",
                       client->number,
                       (int64_t) (client->uuid[1] >> 32),
                       (int64_t) (client->uuid[1] >> 16 & 0xffff),
                       (int64_t) (client->uuid[1] & 0xffff),
                       (int64_t) (client->uuid[0] >> 48),
                       (int64_t) (client->uuid[0] & 0xffffffffffffULL));
}
