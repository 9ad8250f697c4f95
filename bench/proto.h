
/*
 * proto.h: the protocols, by name.
 */


#ifndef BENCH_PROTO_H
#define BENCH_PROTO_H


/* NULL if there is none of that name */

const proto_t *proto_find(const char *name);
const char *proto_names(void);


#endif /* BENCH_PROTO_H */
