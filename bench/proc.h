
/*
 * proc.h: CPU time and memory of the server's processes.
 *
 * If the server does not run on this machine, proc_find() returns 0 and samples
 * hold the time only.
 */


#ifndef BENCH_PROC_H
#define BENCH_PROC_H


unsigned proc_find(unsigned port);
void proc_add(int pid);
unsigned proc_count(void);
void proc_cpu(sample_t *s);
void proc_memory(sample_t *s);

/* 0 if no task of the server runs and none has run since the last call */

int proc_busy(void);


#endif /* BENCH_PROC_H */
