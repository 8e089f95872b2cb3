/* What a process uses, as /proc shows it. Owns nothing; called by master/ for its children, on request only.
 *
 * /proc/PID/stat is made from counters, so reading it waits for nothing that the process does or holds (other than
 * smaps, which waits for a lock on its memory). */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct process_usage {
        uint64_t cpu_ms;         /* of the process itself, without those it waited for */
        uint64_t resident_bytes; /* shared pages included */
};

/* 0 or -errno: -ENOENT when there is no such process, -EPROTO when the kernel writes another form. */
int process_usage_read(pid_t pid, struct process_usage *ret);
