
/*
 * ngx_http_longpoll_id.h: a message's name.
 *
 * Inside it is one number, ms << 16 | counter, so that comparing ids is
 * comparing places; a full counter carries into the ms by itself.  Outside it
 * is a version 7 UUID (RFC 9562, section 5.7):
 *
 *      48 bits ms | 0111 | counter 15..4 | 10 | counter 3..0 | 58 bits life
 *
 * The life is drawn when a zone is made; it tells a zone's own ids from those
 * of an earlier life and of other zones.  Version 7 is what has that version
 * and the RFC's variant.
 */


#ifndef _NGX_HTTP_LONGPOLL_ID_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ID_H_INCLUDED_


#include "ngx_http_longpoll.h"


#define NGX_HTTP_LONGPOLL_ID_LEN     36
#define NGX_HTTP_LONGPOLL_EPOCH_MASK  ((1ULL << 58) - 1)

#define ngx_http_longpoll_id(ms, counter)  ((uint64_t) (ms) << 16 | (counter))
#define ngx_http_longpoll_id_ms(id)        ((id) >> 16)
#define ngx_http_longpoll_id_last_of(ms)   ((uint64_t) (ms) << 16 | 0xffff)


/* the UUID of an id; of life only the low 58 bits count */
void ngx_http_longpoll_id_uuid(ngx_http_longpoll_uuid_t *uuid, uint64_t id,
    uint64_t life);

/* whether it is of version 7, and what it then says */
ngx_uint_t ngx_http_longpoll_id_read(const ngx_http_longpoll_uuid_t *uuid,
    uint64_t *id, uint64_t *life);

/* writes the 36 bytes of a UUID, in lower case, and returns the end */
u_char *ngx_http_longpoll_id_print(u_char *p,
    const ngx_http_longpoll_uuid_t *uuid);

/*
 * Reads a UUID in any of the forms that golongpoll's library takes
 * (gofrs/uuid FromString): 36 bytes with hyphens or 32 hexadecimal digits, as
 * they are, in braces, or behind "urn:uuid:"; digits in any case.
 *
 * NGX_OK     *uuid is set
 * NGX_ERROR  not a UUID: it is not touched
 */
ngx_int_t ngx_http_longpoll_id_parse(u_char *p, size_t len,
    ngx_http_longpoll_uuid_t *uuid);


#endif /* _NGX_HTTP_LONGPOLL_ID_H_INCLUDED_ */
