
/*
 * ngx_http_longpoll_number.h: whether a JSON number fits into a double.
 *
 * Data is stored as text, so the zone keeps numbers of any size.  But most
 * clients read a number into a double, and some refuse the whole answer if one
 * is too large for that.
 */


#ifndef _NGX_HTTP_LONGPOLL_NUMBER_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_NUMBER_H_INCLUDED_


#include "ngx_http_longpoll.h"


/* a shorter number always fits */

#define NGX_HTTP_LONGPOLL_NUMBER_SHORT  (sizeof("1e309") - 1)


/*
 * Returns 0 if the nearest double is infinite, otherwise 1.  The bytes are a
 * number as RFC 8259 writes it, of any length.  A number that is too small for
 * a double is 0 there, and fits.
 */
ngx_uint_t ngx_http_longpoll_number_fits(u_char *p, size_t len);


#endif /* _NGX_HTTP_LONGPOLL_NUMBER_H_INCLUDED_ */
