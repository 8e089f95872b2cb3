/* What /proc/PID/stat says of a process (proc_pid_stat(5)). Owns nothing; called by the other modules of os/process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_stat {
        char name[64]; /* may hold any byte: it is what the process wants it to be */
        char state;    /* the letter of ps(1) */
        pid_t parent;
        uint64_t cpu_ticks, born_ticks; /* born: since the boot */
};

/* False: there is no such process, or /proc is not mounted. */
bool process_stat_read(pid_t pid, struct process_stat *ret);
