
/*
 * proto.h: the protocols, by name.
 */


#ifndef BENCH_PROTO_H
#define BENCH_PROTO_H


/* NULL if there is none of that name */

const proto_t *proto_find(const char *name);
const char *proto_names(void);

/* true if it has no polls */

int proto_plain(void);

/*
 * The next frame of those in c->body.  Returns 1 with an event in *e and *p
 * behind it, 2 with *p behind a frame that has none, 0 if there is no more, -1
 * if this is no frame, or says that events are missing.
 */
int proto_frame(conn_t *c, char **p, event_t *e);


#endif /* BENCH_PROTO_H */
