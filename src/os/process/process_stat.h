/* What /proc/PID/stat says of a process (proc_pid_stat(5)). Owns nothing; called by the other modules of os/process,
 * and by the log process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_stat {
        char name[64]; /* may hold any byte: it is what the process wants it to be */
        char state;    /* the letter of ps(1) */
        pid_t parent;
        bool is_ending;                 /* the kernel takes it apart, or it is a zombie */
        uint64_t cpu_ticks, born_ticks; /* born: since the boot */
};

/* False: there is no such process, or /proc is not mounted. */
bool process_stat_read(pid_t pid, struct process_stat *ret);

/* True as soon as the kernel closes the first of its descriptors, and ever after. Without /proc only when it has ended.
 */
bool process_is_ending(pid_t pid);
