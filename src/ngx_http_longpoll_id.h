
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
 * of an earlier life and of other zones.
 */


#ifndef _NGX_HTTP_LONGPOLL_ID_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ID_H_INCLUDED_


#include "ngx_http_longpoll.h"


#define NGX_HTTP_LONGPOLL_ID_LEN     36
#define NGX_HTTP_LONGPOLL_LIFE_MASK  ((1ULL << 58) - 1)

#define ngx_http_longpoll_id(ms, counter)  ((uint64_t) (ms) << 16 | (counter))
#define ngx_http_longpoll_id_ms(id)        ((id) >> 16)
#define ngx_http_longpoll_id_last_of(ms)   ((uint64_t) (ms) << 16 | 0xffff)


/*
 * Writes the 36 bytes of the UUID, in lower case, and returns the end.  Of
 * life only the low 58 bits count.
 */
u_char *ngx_http_longpoll_id_print(u_char *p, uint64_t id, uint64_t life);

/*
 * Reads a UUID in any of the forms that golongpoll's library takes
 * (gofrs/uuid FromString): 36 bytes with hyphens or 32 hexadecimal digits, as
 * they are, in braces, or behind "urn:uuid:"; digits in any case.  Version 7
 * is what has that version and the RFC's variant.
 *
 * NGX_OK        a version 7 UUID: *id and *life are set
 * NGX_DECLINED  another UUID: neither is touched
 * NGX_ERROR     not a UUID: neither is touched
 */
ngx_int_t ngx_http_longpoll_id_parse(u_char *p, size_t len, uint64_t *id,
    uint64_t *life);


#endif /* _NGX_HTTP_LONGPOLL_ID_H_INCLUDED_ */
