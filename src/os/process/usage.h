/* CPU time and memory of a process, from /proc, and how many processors there can be. Owns nothing. master/status calls
 * it for workers, only on request.
 *
 * The kernel makes /proc/PID/stat from counters, so reading it never waits for the process; smaps would wait for a lock
 * on its memory. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct process_usage {
        uint64_t cpu_ms;         /* of the process itself, without its children */
        uint64_t resident_bytes; /* including shared pages */
        uint64_t touched_bytes;  /* pages that were there when it touched them first: since its fork, those that it no
                                  * longer shares are among them */
};

/* The most processors that this machine can have; at least 1. */
unsigned process_cpus(void);

/* The memory of this machine; 0: not known. */
uint64_t process_memory_bytes(void);

/* The processor time of a process, all its threads included, to the microsecond; 0: there is none, or it is not known.
 */
uint64_t process_cpu_us(pid_t pid);

/* Its memory that is no file's; 0: as above. */
uint64_t process_anonymous_bytes(pid_t pid);

/* 0 or -errno; -ENOENT: there is no such process; -EPROTO: the file has another format. */
int process_usage_read(pid_t pid, struct process_usage *ret);
