
/*
 * disk_sim.h: a disk that keeps what was synced, and of the rest what chance
 * wants.
 *
 * There is one directory.  A file has two contents, as processes see it and as
 * it was synced last; the directory has two lists of names.  A power cut leaves
 * what was synced.  Of the rest it leaves names and bytes by chance, with
 * holes.
 * An fsync that fails loses what it was to write, and the next one says nothing
 * of that, as on Linux.
 *
 * The calls of src/disk/ arrive here by the linker (--wrap).  Each may be the
 * last one of its process, in front of it, behind it, or half done.
 */


#ifndef _DISK_SIM_H_INCLUDED_
#define _DISK_SIM_H_INCLUDED_


#include "unit.h"


#define SIM_NAME    64
#define SIM_FILES   512
#define SIM_NGINXES 2
#define SIM_NEVER   ((uint64_t) -1)


/* the process that runs, and its nginx; the model sets both */
extern ngx_uint_t             sim_process;
extern ngx_uint_t             sim_nginx;

/* calls that the process has left; SIM_NEVER: it is not killed in a call */
extern uint64_t               sim_left;

/* of 100 calls so many fail; bytes that the disk has left */
extern uint64_t               sim_failures;
extern uint64_t               sim_room;

/* what other processes do in front of a call; it may be NULL */
extern void                 (*sim_between)(void);

extern uint64_t               sim_calls;


/* an empty disk, and no process */
void sim_clear(void);

/* the master of an nginx opens the directory; returns the descriptor */
int sim_directory(ngx_uint_t nginx);

/* a process ends, or an nginx with all its processes */
void sim_process_ends(ngx_uint_t process);
void sim_nginx_ends(ngx_uint_t nginx);

/* whether that nginx has the directory's lock */
ngx_uint_t sim_locked(ngx_uint_t nginx);

/* no process is left when the power is cut */
void sim_power_cut(void);

/* pages that a failed fsync lost are not in memory any more */
void sim_forget_pages(void);

/* by hand: a file that was always there; NULL: there is no such file */
void sim_put(const char *name, const u_char *p, size_t n);
void sim_remove(const char *name);
void sim_cut(const char *name, size_t n);
const u_char *sim_content(const char *name, size_t *n);

/* whether the directory was synced since the name was made */
ngx_uint_t sim_is_synced(const char *name);

/* the name of file i, NULL behind the last one; and what all files take */
const char *sim_name(ngx_uint_t i);
uint64_t sim_bytes(void);


#endif /* _DISK_SIM_H_INCLUDED_ */
