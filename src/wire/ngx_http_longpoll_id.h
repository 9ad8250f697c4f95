
/*
 * ngx_http_longpoll_id.h: the id of a message.
 *
 * In the zone an id is one number, ms << 16 | counter.  Its order is the order
 * of the messages, and a full counter carries into the ms by itself.  Clients
 * see a UUID of version 7 (RFC 9562, section 5.7):
 *
 *      48 bits ms | 0111 | counter 15..4 | 10 | counter 3..0 | 58 bits epoch
 *
 * The epoch is drawn at random when a zone is made.  It tells the ids of a zone
 * from those of its previous epochs and of other zones.
 */


#ifndef _NGX_HTTP_LONGPOLL_ID_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ID_H_INCLUDED_


#include "ngx_http_longpoll.h"


#define NGX_HTTP_LONGPOLL_ID_LEN       36
#define NGX_HTTP_LONGPOLL_ID_WORD_LEN  16
#define NGX_HTTP_LONGPOLL_EPOCH_MASK   ((1ULL << 58) - 1)

#define ngx_http_longpoll_id(ms, counter)  ((uint64_t) (ms) << 16 | (counter))
#define ngx_http_longpoll_id_ms(id)        ((id) >> 16)
#define ngx_http_longpoll_id_last_of(ms)   ((uint64_t) (ms) << 16 | 0xffff)


/* the UUID of an id; only the low 58 bits of epoch count */
void ngx_http_longpoll_id_uuid(ngx_http_longpoll_uuid_t *uuid, uint64_t id,
    uint64_t epoch);

/* returns 1 if the UUID is of version 7 and the RFC's variant: sets both */
ngx_uint_t ngx_http_longpoll_id_read(const ngx_http_longpoll_uuid_t *uuid,
    uint64_t *id, uint64_t *epoch);

/* writes the 36 bytes of a UUID, in lower case, and returns the end */
u_char *ngx_http_longpoll_id_print(u_char *p,
    const ngx_http_longpoll_uuid_t *uuid);

/*
 * Reads a UUID in any of the forms that golongpoll's library accepts
 * (gofrs/uuid FromString): 36 bytes with hyphens or 32 hexadecimal digits,
 * alone, in braces, or behind "urn:uuid:"; digits in any case.
 *
 * NGX_OK     *uuid is set
 * NGX_ERROR  this is not a UUID; *uuid is not touched
 */
ngx_int_t ngx_http_longpoll_id_parse(u_char *p, size_t len,
    ngx_http_longpoll_uuid_t *uuid);

/*
 * A word as 16 hexadecimal digits.  The first call writes them in lower case,
 * and returns the end.  The second reads digits in any case; NGX_ERROR: one of
 * the bytes is not a digit; *word is not touched.
 */
u_char *ngx_http_longpoll_id_print_word(u_char *p, uint64_t word);
ngx_int_t ngx_http_longpoll_id_parse_word(u_char *p, uint64_t *word);


#endif /* _NGX_HTTP_LONGPOLL_ID_H_INCLUDED_ */
