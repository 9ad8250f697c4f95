
/*
 * proc.h: CPU time and memory of the server's processes.
 *
 * If the server does not run on this machine, proc_find() returns 0 and samples
 * hold the time only.  Processes that are added with `backend` have their CPU
 * time counted apart, and their memory is not counted.
 */


#ifndef BENCH_PROC_H
#define BENCH_PROC_H


unsigned proc_find(unsigned port);
void proc_add(int pid, int backend);
unsigned proc_count(void);
unsigned proc_backends(void);
void proc_cpu(sample_t *s);
void proc_memory(sample_t *s);

/* 0 if no task of the server runs and none has run since the last call */

int proc_busy(void);


#endif /* BENCH_PROC_H */
