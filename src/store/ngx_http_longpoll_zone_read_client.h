
/*
 * ngx_http_longpoll_zone_read_client.h: the cursor of a client, for a read.
 */


#ifndef _NGX_HTTP_LONGPOLL_ZONE_READ_CLIENT_H_INCLUDED_
#define _NGX_HTTP_LONGPOLL_ZONE_READ_CLIENT_H_INCLUDED_


#include "ngx_http_longpoll_zone_reader.h"


/* of a read with rd->client */
extern ngx_http_longpoll_zone_source_t
    ngx_http_longpoll_zone_read_client_source;


#endif /* _NGX_HTTP_LONGPOLL_ZONE_READ_CLIENT_H_INCLUDED_ */
